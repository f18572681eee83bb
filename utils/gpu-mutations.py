"""Removes each barrier, wait and warp barrier of GPU kernels, one at a time, and sees whether the simulator notices.

usage: gpu-mutations.py [--bin DIR] [--filter REGEX]

A mutant runs alone, by bochner-simulate with the launch that the whole call had (--dump-dir), in two orders of threads
and with shuffles and products that order no memory, as PTX says. Those that no report finds must match an expression in
test/Gpu/mutations.json, which has the reason why they are harmless, and how many there are of it.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "test", "Gpu", "mutations.json")
# Whatever orders threads or copies.
ORDERING = re.compile(r"^\s*nvvm\.(barrier0|cp\.async\.wait\.group|bar\.warp\.sync)\b")
GRAPHS = {
    "forward": ["--map", "gmm_prf", "--features", "128", "--dtype", "bf16"],
    "forward-f32": ["--map", "gmm_rks", "--features", "129", "--dtype", "f32"],
    "transform": ["--map", "fastfood_prf", "--dtype", "bf16"],
    "causal": ["--map", "gmm_prf", "--features", "128", "--dtype", "bf16", "--causal"],
    "gradients": ["--map", "gmm_prf", "--features", "128", "--dtype", "bf16", "--grad"],
    "elementwise-gradients": ["--map", "elu", "--dtype", "bf16", "--grad"],
}
ROWS = 300  # several tiles, so that one tile meets the next


def compile_graph(folder, bin_dir, options):
    """The gpu.module of the phase target, by lines, and the launches of a call."""
    graph = os.path.join(folder, "graph.mlir")
    with open(graph, "w", encoding="utf-8") as out:
        command = [os.path.join(bin_dir, "bochner-gen"), "--head-dim", "32", "--heads", "1", *options]
        subprocess.run(command, stdout=out, check=True)
    names = ["q", "k", "v"] + (["cot"] if "--grad" in options else [])
    command = [os.path.join(bin_dir, "bochner-run"), graph, "--device", "sim", "--dump-dir", folder]
    for i, name in enumerate(names):
        command += ["--in", f"{name}=random:1x1x{ROWS}x32:{i}"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    with open(os.path.join(folder, "40-target.mlir"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("  gpu.module "))
    last = next(i for i in range(first, len(lines)) if lines[i] == "  }")
    with open(os.path.join(folder, "launch.json"), encoding="utf-8") as file:
        call = json.load(file)["calls"][0]
    return lines[first : last + 1], call


def arguments_of(launch, buffers):
    """The launch for bochner-simulate. Each pointer is a buffer of its own, with numbers that are small floats."""
    def dimensions(key):
        return ",".join(str(n) for n in launch[key])

    arguments = [f"--grid={dimensions('grid')}", f"--block={dimensions('block')}"]
    arguments += [f"--shared={launch['dynamic_shared_bytes']}", "--reports=1", "--strict"]
    for i, parameter in enumerate(launch["parameters"]):
        if "buffer" in parameter:
            buffer = buffers[parameter["buffer"]]
            arguments.append(f"{buffer['name']}{i}:i16:{(buffer['bytes'] - parameter['offset']) // 2}:zero")
        else:
            arguments.append(str(int.from_bytes(bytes.fromhex(parameter["bytes"]), "little")))
    return arguments


def is_found(folder, bin_dir, lines, launch, buffers):
    path = os.path.join(folder, "mutant.mlir")
    with open(path, "w", encoding="utf-8") as out:
        out.write("module attributes {gpu.container_module} {\n" + "\n".join(lines) + "\n}\n")
    for seed in (0, 1):
        command = [os.path.join(bin_dir, "bochner-simulate"), path, launch["kernel"], f"--seed={seed}"]
        run = subprocess.run(command + arguments_of(launch, buffers), capture_output=True, text=True)
        status = re.search(r"^status (\d)$", run.stdout, re.M)
        if run.returncode or not status or status[1] not in "01":
            raise RuntimeError(run.stdout + run.stderr)
        if status[1] == "1":
            return True
    return False


def mutants(lines, kernel):
    """(what, lines without it) for each ordering operation of a kernel."""
    inside, count = False, {}
    for i, line in enumerate(lines):
        if re.match(r"\s*llvm\.func @", line):
            inside = f"@{kernel}(" in line
        match = ORDERING.match(line)
        if inside and match:
            number = count[match[1]] = count.get(match[1], -1) + 1
            yield f"{match[1]} {number}", lines[:i] + lines[i + 1 :]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="folder of the tools")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only graphs whose name matches")
    options = parser.parse_args()
    with open(TABLE, encoding="utf-8") as file:
        reasons = json.load(file)
    found, excused, failed = 0, {expression: 0 for expression in reasons}, 0
    for graph, graph_options in GRAPHS.items():
        if not re.search(options.filter, graph):
            continue
        with tempfile.TemporaryDirectory() as folder:
            lines, call = compile_graph(folder, options.bin, graph_options)
            for launch in {launch["kernel"]: launch for launch in call["launches"]}.values():
                if is_found(folder, options.bin, lines, launch, call["buffers"]):
                    print(f"FAILED {graph} {launch['kernel']}: a report without a mutation")
                    failed += 1
                for what, mutant in mutants(lines, launch["kernel"]):
                    name = f"{graph} {launch['kernel']} {what}"
                    if is_found(folder, options.bin, mutant, launch, call["buffers"]):
                        found += 1
                        continue
                    expression = next((e for e in reasons if re.search(e, name)), None)
                    if expression:
                        excused[expression] += 1
                    else:
                        failed += 1
                        print(f"FAILED {name}: removed, and no report")
    for expression, count in excused.items():
        if not options.filter and count != reasons[expression]["count"]:
            failed += 1
            print(f"FAILED '{expression}' is harmless {count} times, but the table says {reasons[expression]['count']}")
    harmless = sum(excused.values())
    print(f"{found} removals found, {harmless} harmless for a reason")
    print(f"{found + harmless} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
