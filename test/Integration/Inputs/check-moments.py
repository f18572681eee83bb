"""Gradients of means and log variances: the route fused, which takes them from moments, against decompose in f64.

Usage: check-moments.py SEED. Prints each case that is wrong, and the totals.
"""
import re
import sys

import numpy as np

import gradient_graphs as graphs

# Options; m of a map with both signs of the mean is (features - 1) / 4 frequencies for each.
CASES = {
    "diagonal": ["--map", "gmm_prf", "--features", 100],
    "scalar": ["--map", "gmm_prf", "--features", 24, "--covariance", "scalar"],
    "hyperbolic": ["--map", "gmm_prf_hyperbolic", "--features", 72],
    "both signs": ["--map", "gmm_rks", "--features", 77, "--covariance", "diagonal"],
    "both signs, wide": ["--map", "gmm_rks", "--features", 513, "--covariance", "diagonal"],
    "both signs, scalar": ["--map", "gmm_rks", "--features", 9, "--covariance", "scalar"],
    "shared by heads": ["--map", "alacarte", "--attention", "mixture", "--components", 2, "--features", 65],
    "causal": ["--map", "gmm_prf", "--features", 100, "--causal", "--mask"],
    "causal, both signs": ["--map", "gmm_rks", "--features", 101, "--covariance", "diagonal", "--causal"],
    "grouped heads": ["--map", "gmm_prf", "--features", 40, "--kv-heads", 2, "--lengths"],
    "causal, grouped heads": ["--map", "gmm_prf", "--features", 40, "--kv-heads", 2, "--causal"],
}  # fmt: skip
# The last one rounds frequencies to a few digits of the spread, in the forward pass too.
GAUSSIANS = {"near 0": (0.1, 1.0), "far": (3.0, 0.1), "narrow": (1.0, 1e-3)}
LIMITS = {
    "near 0": {"f64": 1e-12, "f32": 2e-5},
    "far": {"f64": 1e-12, "f32": 2e-5},
    "narrow": {"f64": 1e-10, "f32": 2e-3},
}


def scale_queries(text):
    """Lets queries have another map: the factor that comes first is theirs."""
    return re.sub(r"(arith\.constant )(0\.\d+)", lambda m: f"{m[1]}{0.5 * float(m[2])!r}", text, count=1)


def check(label, options, gaussians, dtype, own_queries):
    options = options + ["--head-dim", 11, "--value-dim", 6, "--heads", 4]
    change = scale_queries if own_queries else lambda text: text
    oracle, text = (change(graphs.generate(options + ["--dtype", kind])) for kind in ("f64", dtype))
    rng = np.random.default_rng(int(sys.argv[1]))
    key_heads = 2 if "--kv-heads" in options else None
    arguments = graphs.draw(oracle, rng, 2, 4, 90, 90, scale=0.5, key_heads=key_heads)
    mean, deviation = GAUSSIANS[gaussians]
    for name, center, spread in (("mean", mean, 0.1 * mean), ("sigma", 2 * np.log(deviation), 0.1)):
        shape = arguments[f"param_{name}"].shape
        arguments[f"param_{name}"] = (center + spread * rng.standard_normal(shape)).astype(np.float32).astype(float)
    expected = graphs.call(oracle, arguments, route="decompose")
    got = graphs.call(text, arguments, threads=1)
    wrong = {}
    # Weights of keys hardly depend on queries where frequencies hardly spread: those gradients cancel, whatever we do.
    names = ("grad_param_mean", "grad_param_sigma") + (("grad_q", "grad_k") if gaussians == "near 0" else ())
    for name in names:
        error = np.abs(got[name] - expected[name]).max() / np.abs(expected[name]).max()
        if not error <= LIMITS[gaussians][dtype]:
            wrong[name] = error
    again = graphs.call(text, arguments, threads=3)
    wrong |= {name: "another result on 3 threads" for name in got if not np.array_equal(got[name], again[name])}
    if wrong:
        print(f"wrong: {label}, {gaussians}, {dtype}, own_queries={own_queries}: {wrong}")
    return not wrong


def main():
    cases = [(label, options, "near 0", "f32", False) for label, options in CASES.items()]
    for name in ("diagonal", "both signs", "causal"):
        cases += [(name, CASES[name], "near 0", dtype, True) for dtype in ("f32", "f64")]
    for name in ("diagonal", "both signs"):
        cases += [(name, CASES[name], kind, dtype, False) for kind in ("far", "narrow") for dtype in ("f32", "f64")]
    right = sum(check(*case) for case in cases)
    print(f"{right} of {len(cases)} cases are right")
    return right != len(cases)


sys.exit(main())
