"""Compares the kernels that sums and products of feature maps estimate with the exact ones.

usage: check-kernels.py FOLDER

Features of rows come from the fused route. The mean error over pairs of rows and draws must be at most LIMIT / sqrt(m)
for m frequencies, and fall to about a quarter for 16 times as many.
"""
import os
import subprocess
import sys

import numpy as np

DIM, ROWS, DRAWS, LIMIT = 4, 16, 8, 0.7
FEW, MANY = 8, 128


def gaussian(distances, bandwidth):
    return np.exp(-0.5 * bandwidth**2 * distances)


# Name, options, bandwidth of the frequencies of each map, (map, features of m frequencies), exact kernel of |x - y|^2.
CASES = [
    ("scaled", ["--combine", "sum", "--weights", "3"], [1.0], [("rff", 2)], lambda d: 3 * gaussian(d, 1)),
    ("sum", ["--combine", "sum", "--weights", "0.75,0.25"], [0.5, 2.0], [("rff", 2), ("rff", 2)],
     lambda d: 0.75 * gaussian(d, 0.5) + 0.25 * gaussian(d, 2)),
    ("log_sum", ["--combine", "sum", "--weights", "2,0.5"], [1.0, 1.0], [("gaussian_prf", 2), ("gaussian_prf", 2)],
     lambda d: 2.5 * gaussian(d, 1)),
    ("mixed_sum", ["--combine", "sum"], [1.0, 2.0], [("gaussian_prf", 2), ("rff", 2)],
     lambda d: gaussian(d, 1) + gaussian(d, 2)),
    ("product", ["--combine", "product"], [1.0, 1.5], [("rff", 2), ("rff", 2)],
     lambda d: gaussian(d, np.hypot(1, 1.5))),
    ("log_product", ["--combine", "product"], [1.0, 1.0], [("gaussian_prf", 2), ("gaussian_prf", 2)],
     lambda d: gaussian(d, np.sqrt(2))),
]


def error(folder, case, frequencies):
    name, options, bandwidths, maps, exact = case
    graph = os.path.join(folder, f"{name}-{frequencies}.mlir")
    arguments = ["bochner-gen", "--attention", "features", "--head-dim", str(DIM), "--dtype", "f64", "--temp", "1",
                 *options, "--smoothing", "none"]
    for kind, factor in maps:
        arguments += ["--map", kind, "--features", str(factor * frequencies)]
    with open(graph, "w", encoding="utf-8") as f:
        subprocess.run(arguments, stdout=f, check=True)
    random = np.random.default_rng(7)
    total = 0.0
    for _ in range(DRAWS):
        q = random.normal(size=(1, 1, ROWS, DIM)) * 0.25
        arrays = {"q": q}
        for i, bandwidth in enumerate(bandwidths):
            arrays[f"fm{i}_rand_omega"] = bandwidth * random.normal(size=(DIM, frequencies))
        np.savez(os.path.join(folder, "in.npz"), **arrays)
        subprocess.run(["bochner-run", graph, "--npz", os.path.join(folder, "in.npz"), "--out-npz",
                        os.path.join(folder, "out.npz")], stdout=subprocess.DEVNULL, check=True)
        phi = np.load(os.path.join(folder, "out.npz"))["out"][0, 0]
        distances = ((q[0, 0][:, None] - q[0, 0][None]) ** 2).sum(-1)
        total += np.abs(phi @ phi.T - exact(distances)).mean()
    return total / DRAWS


def main():
    folder = sys.argv[1]
    failures = 0
    for case in CASES:
        few, many = error(folder, case, FEW), error(folder, case, MANY)
        ratio = many / few
        passed = few <= LIMIT / FEW**0.5 and many <= LIMIT / MANY**0.5 and 0.12 < ratio < 0.45
        failures += not passed
        print(f"{case[0]}: {few:.4f} with {FEW} frequencies, {many:.4f} with {MANY}, ratio {ratio:.2f}"
              f" {'PASS' if passed else 'FAIL'}")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
