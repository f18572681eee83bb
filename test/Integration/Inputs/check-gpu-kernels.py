"""Checks kernels for GPUs on the simulated device against the f64 oracle, and that neither the order of threads nor
their number changes a bit.

usage: check-gpu-kernels.py FOLDER [all]

Each case is options of bochner-gen; `all` adds cases and orders of threads (make check-gpu-full).
"""
import os
import subprocess
import sys

import numpy as np

BATCH, HEADS, WIDTH = 2, 2, 16
MAPS = {
    "gmm_prf": ["--features", "32"],
    "gmm_rks": ["--features", "33"],
    "fastfood_prf": [],
    "fastfood_rks": [],
    "generator_prf": ["--features", "32", "--noise-dims", "8,16"],
    "generator_rks": ["--features", "33", "--noise-dims", "8,16"],
    "favor": ["--features", "32"],
    "gaussian_prf": ["--features", "32"],
    "gmm_prf_hyperbolic": ["--features", "32"],
    "rff": ["--features", "33"],
    "gauss_rks": ["--features", "33"],
    "elu": [],
    "relu": ["--features", "20"],
}
# Beside every map as it is: what takes other paths through kernels.
OPTIONS = [
    ["--map", "gmm_prf", "--lengths"],
    ["--map", "gmm_prf", "--mask", "--causal"],
    ["--map", "gmm_prf", "--lengths", "--anticausal"],
    ["--map", "gmm_rks", "--mask", "--anticausal"],
    ["--map", "gmm_rks", "--lengths", "--causal"],
    ["--map", "gmm_prf", "--kv-heads", "1"],
    ["--map", "gmm_prf", "--kv-heads", "1", "--causal"],
    ["--map", "gmm_prf", "--no-normalize"],
    ["--map", "gmm_rks", "--no-normalize", "--causal"],
    ["--map", "gmm_rks", "--denominator", "clamp", "--floor", "0.1"],
    ["--map", "favor", "--stabilize"],
    ["--map", "gmm_prf", "--value-dim", "20"],
    ["--map", "gmm_prf", "--value-dim", "20", "--causal"],
    ["--map", "gmm_prf", "--head-dim", "20", "--features", "50", "--causal"],
    ["--map", "gmm_prf", "--dtype", "bf16"],
    ["--map", "gmm_rks", "--dtype", "f16"],
    ["--map", "gmm_prf", "--dtype", "bf16", "--causal"],
    ["--map", "gmm_rks", "--dtype", "f16", "--causal"],
    ["--map", "gmm_prf", "--grad"],
    ["--map", "gmm_rks", "--grad", "--lengths"],
    ["--map", "gmm_prf", "--grad", "--mask", "--kv-heads", "1"],
    ["--map", "gmm_prf", "--grad", "--dtype", "bf16"],
    ["--map", "favor", "--grad", "--stabilize"],
    ["--map", "elu", "--grad", "--head-dim", "20"],
    ["--map", "gmm_rks", "--grad", "--no-normalize"],
]
MORE = [
    ["--map", name, *direction, "--dtype", dtype]
    for name in MAPS
    for direction in (["--causal"], ["--anticausal"], ["--grad"])
    for dtype in ("f32", "bf16", "f16")
] + [
    ["--map", "gmm_prf", "--head-dim", size, "--features", "128", *direction, "--dtype", dtype]
    for size in ("64", "128")
    for direction in ([], ["--causal"], ["--grad"])
    for dtype in ("f32", "bf16")
]


class Runner:
    def __init__(self, folder):
        self.folder, self.failed = folder, 0
        os.makedirs(folder, exist_ok=True)
        random = np.random.default_rng(0)
        self.lengths, self.mask = self.path("lengths.npy"), self.path("mask.npy")
        np.save(self.lengths, np.array([50, 0], dtype=np.int64))
        np.save(self.mask, random.random((BATCH, 75)) < 0.6)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, options, seed=0, threads=2, check=True, npz=None):
        """None if it passed, else what went wrong."""
        def value(option, default):
            return int(options[options.index(option) + 1]) if option in options else default

        width, keys = value("--head-dim", WIDTH), value("--kv-heads", HEADS)
        shapes = {"q": (HEADS, width), "k": (keys, width), "v": (keys, value("--value-dim", width))}
        if "--grad" in options:
            shapes["cot"] = (HEADS, shapes["v"][1])
        graph = self.path("graph.mlir")
        command = ["bochner-gen", "--heads", str(HEADS), *(["--head-dim", str(WIDTH)] if "--head-dim" not in options
                                                           else [])]
        extra = MAPS[options[1]] if "--features" not in options else []
        with open(graph, "w", encoding="utf-8") as out:
            subprocess.run([*command, *options, *extra], stdout=out, check=True)
        command = ["bochner-run", graph, "--device", "sim", "--sim-seed", str(seed), "--threads", str(threads)]
        for i, (name, (heads, columns)) in enumerate(shapes.items()):
            command += ["--in", f"{name}=random:{BATCH}x{heads}x75x{columns}:{i + 1}"]
        if "--lengths" in options:
            command += ["--in", f"lengths={self.lengths}"]
        if "--mask" in options:
            command += ["--in", f"mask={self.mask}"]
        command += ["--check"] if check else []
        command += ["--out-npz", npz] if npz else []
        run = subprocess.run(command, capture_output=True, text=True)
        return None if run.returncode == 0 else run.stdout + run.stderr

    def check(self, options, seed=0):
        failure = self.run(options, seed)
        self.failed += failure is not None
        print("passed" if failure is None else "FAILED", *options, f"seed {seed}")
        if failure:
            print(failure)

    def compare_bits(self, options):
        """One thread in order against two threads in two other orders."""
        results = []
        for seed, threads in ((0, 1), (1, 2), (2, 2)):
            path = self.path(f"bits-{seed}.npz")
            failure = self.run(options, seed, threads, check=False, npz=path)
            if failure:
                print(failure)
            results.append(None if failure else dict(np.load(path)))
        same = None not in results and all(
            results[0][name].tobytes() == other[name].tobytes() for other in results[1:] for name in results[0]
        )
        self.failed += not same
        print("passed" if same else "FAILED", *options, "the same bits in any order and for any number of threads")


def main():
    runner = Runner(sys.argv[1])
    cases = [["--map", name] for name in MAPS] + OPTIONS
    whole = sys.argv[2:] == ["all"]
    for i, options in enumerate(cases + (MORE if whole else [])):
        runner.check(options, seed=i)
        if whole:
            runner.check(options, seed=1000 + i)
    for options in (["--map", "gmm_prf", "--causal"], ["--map", "gmm_rks", "--grad"]):
        runner.compare_bits(options)
    print(f"{runner.failed} failed")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
