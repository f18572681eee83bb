"""Gradients of feature maps over options of attention: the route fused in each type against decompose in f64.

Usage: compare-gradients.py SEED. A case of random options for each feature map; prints each that fails, with what
repeats it, and the totals.
"""
import random
import sys

import chained_maps
import numpy as np

import gradient_graphs as graphs

# Options of each map of bochner-gen.
MAPS = {
    "gmm_prf": (["--covariance", "full"], ["--covariance", "diagonal"], ["--covariance", "scalar"]),
    "gmm_rks": (["--covariance", "full"], ["--covariance", "diagonal"], ["--covariance", "scalar"]),
    "favor": ([], ["--stabilize"]), "rff": ([],), "gaussian_prf": ([], ["--norm-factor", "0.7"]), "gauss_rks": ([],),
    "generator_prf": (["--noise-dims", "3,7"], ["--noise-dims", "3,7", "--eval"]),
    "generator_rks": (["--noise-dims", "5,6"],), "elu": ([],), "relu": ([],), "gmm_prf_hyperbolic": ([],),
    "fastfood_prf": ([],), "fastfood_rks": ([],), "alacarte": (["--components", "2"],),
}  # fmt: skip
OWN_FEATURES = ("elu", "relu", "fastfood_prf", "fastfood_rks")
CHOICES = {
    "heads": [1, 2, 6], "kv_heads": [1, 2, 0, 0], "value_dim": [1, 8, 70],
    "keys": ["all", "all", "lengths", "mask", "both", "packed"], "causal": [False, False, False, True],
    "normalize": [True, True, True, False], "eps": [None, "0", "0.01"], "dtype": ["f32", "f64", "bf16", "f16"],
    "queries": [0, 1, 5, 63, 64, 65, 130, 700], "more_keys": [0, 0, -4, 7, 66], "batch": [0, 1, 2, 3],
    "static_heads": [True, False], "layout": ["bhnd", "bhnd", "bnhd"], "threads": [1, 2, 3],
}  # fmt: skip
# Cotangents of denominators that nearly cancel are large: maps with signs have looser limits.
LIMITS = {"f64": 1e-9, "f32": 1e-4, "bf16": 8e-2, "f16": 4e-2}


def draw(rng, name):
    """A case, and bochner-gen's options for it."""
    case = {key: rng.choice(values) for key, values in CHOICES.items()}
    case["map"] = rng.choice(MAPS.get(name, ([],)))
    if case["kv_heads"] > case["heads"] or case["heads"] % (case["kv_heads"] or 1):
        case["kv_heads"] = 0
    case["batch"] = case["batch"] if rng.random() < 0.3 else max(case["batch"], 1)
    case["queries"] = case["queries"] if rng.random() < 0.5 else max(case["queries"], 5)
    if case["keys"] == "packed":
        case["batch"], case["more_keys"] = 1, 0
    if case["causal"] or case["queries"] + case["more_keys"] < 0:
        case["more_keys"] = 0
    if name == "alacarte":
        case["keys"] = "all" if case["keys"] != "lengths" else "lengths"
        case["kv_heads"], case["normalize"] = 0, True
    if "--stabilize" in case["map"]:
        case["causal"], case["kv_heads"] = False, 0
        case["keys"] = "all" if case["keys"] == "packed" else case["keys"]
    case["head_dim"] = rng.choice([8, 32, 128] if "fastfood" in name else [1, 5, 16, 40])
    if name in chained_maps.MAPS:
        case["keys"] = "all" if case["keys"] == "all" else "lengths"
    positive = name in chained_maps.MAPS
    positive |= name in ("gmm_prf", "favor", "gaussian_prf", "generator_prf", "gmm_prf_hyperbolic")
    case["features"] = 0 if name in OWN_FEATURES else rng.choice([8, 64, 100, 300] if positive else [9, 65, 101, 301])
    options = ["--map", name, *case["map"], "--head-dim", case["head_dim"], "--value-dim", case["value_dim"]]
    options += ["--features", case["features"]] if case["features"] else []
    options += ["--attention", "mixture"] if name == "alacarte" else []
    options += ["--heads", case["heads"]] if case["static_heads"] or case["kv_heads"] else []
    options += ["--kv-heads", case["kv_heads"]] if case["kv_heads"] else []
    options += ["--" + key for key in ("lengths", "mask") if case["keys"] in (key, "both")]
    options += ["--packed"] if case["keys"] == "packed" else []
    options += ["--causal"] if case["causal"] else []
    options += [] if case["normalize"] else ["--no-normalize"]
    options += ["--eps", case["eps"]] if case["eps"] and case["normalize"] else []
    return case, [str(option) for option in options]


def write(name, seed, case, options, dtype):
    """The graph of a case."""
    if name not in chained_maps.MAPS:
        return graphs.generate(options + ["--dtype", dtype])
    return graphs.with_type(chained_maps.text(name, seed, case), dtype)


def check(name, seed):
    rng = random.Random(f"{name} {seed}")
    case, options = draw(rng, name)
    oracle, text = (write(name, seed, case, options, dtype) for dtype in ("f64", case["dtype"]))
    arguments = graphs.draw(
        oracle, np.random.default_rng(seed), case["batch"], case["heads"], case["queries"],
        case["queries"] + case["more_keys"], scale=0.8, key_heads=case["kv_heads"],
    )  # fmt: skip
    described = "" if name in chained_maps.MAPS else " ".join(options) + ": "
    repeat = f"{name} of seed {seed}: {described}{case}"
    layout = case["layout"] if case["keys"] != "packed" else "bhnd"
    swapped = dict(arguments)
    if layout == "bnhd":
        swapped |= {n: np.ascontiguousarray(arguments[n].swapaxes(1, 2)) for n in ("q", "k", "v", "cot")}
    try:
        expected = graphs.call(oracle, arguments, route="decompose")
        got = graphs.call(text, swapped, threads=case["threads"], options=["--layout", layout])
    except RuntimeError as failure:
        print(f"failed: {repeat}: {failure}")
        return False
    if layout == "bnhd":
        got |= {n: got[n].swapaxes(1, 2) for n in ("out", "grad_q", "grad_k", "grad_v") if n in got}
    wrong = {n: e for n, e in graphs.errors(got, expected).items() if not e <= LIMITS[case["dtype"]]}
    if wrong:
        print(f"failed: {repeat}: {wrong}")
    return not wrong


def main():
    seed, names = int(sys.argv[1]), sys.argv[2:] or [*MAPS, *chained_maps.MAPS]
    agree = sum(check(name, seed) for name in names)
    print(f"{agree} of {len(names)} cases agree")
    return agree != len(names)


sys.exit(main())
