"""Static gates of GPU kernels: what ptxas makes of each, for each chip, against a table that is checked in.

usage: gpu-gates.py [--bin DIR] [--ptxas FILE] [--update] [--filter REGEX]

Compiles graphs for the device sim with --dump-dir, assembles every KERNEL.ptx and compares registers, shared memory,
occupancy and counts of instructions with test/Gpu/gates.json. No kernel may spill or use local memory, whatever the
table says; registers, and tensor and special-function instructions, may not exceed it. --update writes the table from
what is measured (after a look at the difference). Exit status 77, a skip, without ptxas.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "test", "Gpu", "gates.json")
CHIPS = ("sm_80", "sm_86", "sm_90a")
# Shared bytes, registers and warps of a multiprocessor (CUDA C++ Programming Guide, compute capabilities).
LIMITS = {"sm_80": (164 * 1024, 65536, 64), "sm_86": (100 * 1024, 65536, 48), "sm_90a": (228 * 1024, 65536, 64)}
GRAPHS = {
    f"{name}-{dtype}{suffix}": ["--map", name, "--dtype", dtype, *options]
    for name in ("gmm_prf", "gmm_rks", "fastfood_rks", "favor", "elu")
    for dtype in ("bf16", "f32")
    for suffix, options in (("", []), ("-causal", ["--causal"]), ("-grad", ["--grad"]))
}


def find_ptxas(given):
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    candidates = [given, shutil.which("ptxas"), os.path.join(home, "bin/ptxas")]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)


def occupancy(chip, registers, threads, shared):
    """Blocks on a multiprocessor: registers are given to warps by 256, shared memory to blocks with 1 KB beside."""
    shared_limit, register_limit, warp_limit = LIMITS[chip]
    warps = (threads + 31) // 32
    per_warp = (registers * 32 + 255) // 256 * 256
    blocks = [warp_limit // warps, register_limit // per_warp // warps]
    if shared:
        blocks.append(shared_limit // (shared + 1024))
    return min(blocks)


def measure(ptxas, chip, path, threads, shared):
    run = subprocess.run([ptxas, "-v", f"-arch={chip}", path, "-o", os.devnull], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stdout + run.stderr)
    text = run.stdout + run.stderr
    with open(path, encoding="utf-8") as file:
        ptx = file.read()
    registers = int(re.search(r"Used (\d+) registers", text)[1])
    return {
        "registers": registers,
        "spills": sum(int(n) for n in re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", text)),
        "local": len(re.findall(r"\b(?:ld|st)\.local", ptx)),
        "threads": threads,
        "shared": shared,
        "blocks": occupancy(chip, registers, threads, shared),
        "mma": len(re.findall(r"\bmma\.sync", ptx)),
        "special": len(re.findall(r"\b(?:ex2|lg2|sin|cos)\.approx", ptx)),
    }


def launches(folder, bin_dir, options, chip):
    """Compiles a graph, calls it once on a few rows, and returns {kernel: (threads, shared bytes)}."""
    graph = os.path.join(folder, "graph.mlir")
    with open(graph, "w", encoding="utf-8") as out:
        command = [os.path.join(bin_dir, "bochner-gen"), "--head-dim", "64", "--heads", "1", *options]
        subprocess.run(command, stdout=out, check=True)
    names = ["q", "k", "v"] + (["cot"] if "--grad" in options else [])
    inputs = [part for i, name in enumerate(names) for part in ("--in", f"{name}=random:1x1x8x64:{i}")]
    command = [os.path.join(bin_dir, "bochner-run"), graph, "--device", "sim", "--chip", chip, "--dump-dir", folder]
    subprocess.run(command + inputs, stdout=subprocess.DEVNULL, check=True)
    with open(os.path.join(folder, "launch.json"), encoding="utf-8") as file:
        calls = json.load(file)["calls"]
    return {
        launch["kernel"]: (launch["block"][0], launch["dynamic_shared_bytes"])
        for call in calls
        for launch in call["launches"]
    }


def compare(measured, expected):
    """What is wrong with a kernel."""
    findings = [f"{key} is {measured[key]}, but must be 0" for key in ("spills", "local") if measured[key]]
    if expected is None:
        return findings + ["not in the table; look at it and run utils/gpu-gates.py --update"]
    for key in ("registers", "shared", "mma", "special"):
        if measured[key] > expected[key]:
            findings.append(f"{key} is {measured[key]}, but the table allows {expected[key]}")
    if measured["blocks"] < expected["blocks"]:
        findings.append(f"{measured['blocks']} blocks fit a multiprocessor, but the table has {expected['blocks']}")
    return findings


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="folder of the tools")
    parser.add_argument("--ptxas", help="the assembler (default: that of PATH or CUDA_HOME)")
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only graphs whose name matches")
    options = parser.parse_args()
    ptxas = find_ptxas(options.ptxas)
    if not ptxas:
        print("no ptxas: install the CUDA toolkit, or set CUDA_HOME")
        return 77
    table = {}
    if os.path.exists(TABLE):
        with open(TABLE, encoding="utf-8") as file:
            table = json.load(file)
    failed, count = 0, 0
    for chip in CHIPS:
        for graph, graph_options in GRAPHS.items():
            if not re.search(options.filter, graph):
                continue
            with tempfile.TemporaryDirectory() as folder:
                for kernel, (threads, shared) in launches(folder, options.bin, graph_options, chip).items():
                    name = f"{chip} {graph} {kernel}"
                    measured = measure(ptxas, chip, os.path.join(folder, kernel + ".ptx"), threads, shared)
                    findings = compare(measured, measured if options.update else table.get(name))
                    count += 1
                    failed += bool(findings)
                    for finding in findings:
                        print(f"FAILED {name}: {finding}")
                    if options.update:
                        table[name] = measured
    if options.update:
        with open(TABLE, "w", encoding="utf-8") as file:
            rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
            file.write("{\n" + rows + "\n}\n")
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
