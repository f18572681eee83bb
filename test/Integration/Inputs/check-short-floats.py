"""Checks every map and form of attention in a 16-bit type against the f64 oracle, by bochner-run --check.

usage: check-short-floats.py TYPE FOLDER

Each map runs as it is, with lengths, and causal with lengths, on the CPU of the host, of x86-64-v3 and of baseline
x86-64 by turns; forms of attention run by both routes.
"""
import os
import subprocess
import sys

MAPS = {
    "gmm_prf": ["--features", "20"],
    "gmm_rks": ["--features", "21"],
    "fastfood_prf": [],
    "fastfood_rks": [],
    "generator_prf": ["--features", "20", "--noise-dims", "8,16"],
    "generator_rks": ["--features", "21", "--noise-dims", "8,16"],
    "favor": ["--features", "20"],
    "gaussian_prf": ["--features", "20"],
    "gmm_prf_hyperbolic": ["--features", "20"],
    "rff": ["--features", "21"],
    "gauss_rks": ["--features", "21"],
    "elu": [],
    "relu": ["--features", "20"],
}
FORMS = [
    ["--attention", "softmax", "--causal"],
    ["--attention", "gaussian_kernel"],
    ["--attention", "mixture", "--map", "alacarte", "--features", "9", "--components", "3"],
    ["--attention", "mixture", "--map", "alacarte", "--features", "9", "--components", "3", "--causal"],
    ["--attention", "generalized", "--map", "favor", "--map", "elu"],
    ["--attention", "features", "--map", "gmm_prf", "--stabilize"],
    ["--attention", "features", "--map", "alacarte"],
    ["--map", "favor", "--stabilize"],
]


def check(options, arguments):
    graph = os.path.join(sys.argv[2], "graph.mlir")
    command = ["bochner-gen", "--head-dim", "16", "--heads", "3", "--dtype", sys.argv[1], *options]
    with open(graph, "w", encoding="utf-8") as out:
        subprocess.run(command, stdout=out, check=True)
    positions = 70 if "--causal" in options else 41
    inputs = ["--in", "q=random:2x3x70x16:1"]
    if "features" not in options:
        inputs += ["--in", f"k=random:2x3x{positions}x16:2", "--in", f"v=random:2x3x{positions}x16:3"]
    if "--lengths" in options:
        inputs += ["--in", f"lengths={os.path.join(sys.argv[2], 'lengths.npy')}"]
    run = subprocess.run(["bochner-run", graph, "--check", *inputs, *arguments], capture_output=True, text=True)
    print("passed" if run.returncode == 0 else "FAILED", *options, *arguments)
    if run.returncode != 0:
        print(run.stdout, run.stderr)
    return run.returncode == 0


def main():
    os.makedirs(sys.argv[2], exist_ok=True)
    with open(os.path.join(sys.argv[2], "lengths.npy"), "wb") as out:
        header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"
        header += b" " * (118 - len(header) - 1) + b"\n"
        out.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        out.write((33).to_bytes(8, "little") + (0).to_bytes(8, "little"))
    cpus, good = ["host", "x86-64-v3", "x86-64"], True
    for number, (name, options) in enumerate(MAPS.items()):
        for case, more in enumerate(([], ["--lengths"], ["--causal", "--lengths"])):
            good &= check(["--map", name, *options, *more], ["--cpu", cpus[(number + case) % 3]])
    for form in FORMS:
        for route in ("fused", "decompose"):
            good &= check(form, ["--route", route])
    sys.exit(not good)


if __name__ == "__main__":
    main()
