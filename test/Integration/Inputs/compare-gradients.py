"""Gradients of feature maps over options of attention: the route fused in each type against decompose in f64.

Usage: compare-gradients.py SEED [MAP...]. A case of random options for each feature map; prints each that fails, with
what repeats it, and the totals.

Gradients of attention out = n / d contain g.v - g.out, g the cotangent. The kernel reads out as it was stored: of 16
bits, its rounding is what is left where the difference cancels, and no limit on the gradients alone is both safe and
sharp. So the oracle is attention without a denominator, of values [v, 1], which returns [n, d]. With the cotangent
[g, -g.out] / d its gradients are those of out, for the very out that the kernel read. What is left is the arithmetic in
f32 and roundings by u = 2^-8 (bf16) or 2^-11 (f16) at most: of the result, and of the features of queries and of keys,
which CPUs with dot products of pairs round. Each is relative to terms of a sum that may cancel: a query that sees one
key has the gradient 0. So errors of 16-bit types are relative to the gradient for the cotangent [g, 0] / d, if larger.
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
# Denominators of maps with signs nearly cancel; what rounding in f32 leaves of them is much larger than its unit.
LIMITS = {"f64": 1e-9, "f32": 1e-4, "bf16": 3 * 2**-8 + 1e-4, "f16": 3 * 2**-11 + 1e-4}


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
        case["causal"], case["kv_heads"], case["normalize"] = False, 0, True
        case["keys"] = "all" if case["keys"] == "packed" else case["keys"]
    chained = name in chained_maps.MAPS
    if name == "alacarte" or "--stabilize" in case["map"] or chained:
        case["dtype"] = rng.choice(["f32", "f64"])  # the oracle of 16-bit types has no such form
    case["head_dim"] = rng.choice([8, 32, 128] if "fastfood" in name else [1, 5, 16, 40])
    if chained:
        case["keys"] = "all" if case["keys"] == "all" else "lengths"
    positive = name in ("gmm_prf", "favor", "gaussian_prf", "generator_prf", "gmm_prf_hyperbolic") or chained
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


def oracle(name, seed, case, options, arguments, out):
    """Values and gradients in f64, and the part of gradients without denominators. `out` is what the kernel read, None
    if it is as good as exact."""
    if not case["normalize"] or "mixture" in options or "--stabilize" in options or name in chained_maps.MAPS:
        return graphs.call(write(name, seed, case, options, "f64"), arguments, route="decompose"), None
    width = case["value_dim"]
    plain = [*options, "--no-normalize", "--dtype", "f64"]
    if "--eps" in plain:
        del plain[plain.index("--eps") : plain.index("--eps") + 2]
    plain[plain.index("--value-dim") + 1] = str(width + 1)
    text = graphs.generate(plain)
    ones = lambda rows: np.ones((*rows.shape[:-1], 1))
    arguments = {**arguments, "v": np.concatenate([arguments["v"], ones(arguments["v"])], axis=-1)}
    given, cot = arguments["cot"], np.concatenate([arguments["cot"], ones(arguments["cot"])], axis=-1)
    sums = graphs.call(text, {**arguments, "cot": cot}, route="decompose")["out"]
    denominators = sums[..., width:] + float(case["eps"] or 1e-6)
    inverse = np.divide(1, denominators, out=np.zeros_like(denominators), where=denominators != 0)
    exact = sums[..., :width] * inverse

    def gradients(of_denominators):
        cot = np.concatenate([given, of_denominators], axis=-1) * inverse
        results = graphs.call(text, {**arguments, "cot": cot}, route="decompose")
        return {**results, "out": exact, "grad_v": results["grad_v"][..., :width]}

    if out is None:
        return gradients(-(given * exact).sum(axis=-1, keepdims=True)), None
    return gradients(-(given * out).sum(axis=-1, keepdims=True)), gradients(np.zeros_like(denominators))


def check(name, seed):
    rng = random.Random(f"{name} {seed}")
    case, options = draw(rng, name)
    text = write(name, seed, case, options, case["dtype"])
    arguments = graphs.draw(
        text, np.random.default_rng(seed), case["batch"], case["heads"], case["queries"],
        case["queries"] + case["more_keys"], scale=0.8, key_heads=case["kv_heads"],
    )  # fmt: skip
    described = "" if name in chained_maps.MAPS else " ".join(options) + ": "
    repeat = f"{name} of seed {seed}: {described}{case}"
    layout = case["layout"] if case["keys"] != "packed" else "bhnd"
    swapped = dict(arguments)
    if layout == "bnhd":
        swapped |= {n: np.ascontiguousarray(arguments[n].swapaxes(1, 2)) for n in ("q", "k", "v", "cot")}
    try:
        got = graphs.call(text, swapped, threads=case["threads"], options=["--layout", layout])
        if layout == "bnhd":
            got |= {n: got[n].swapaxes(1, 2) for n in ("out", "grad_q", "grad_k", "grad_v") if n in got}
        short = case["dtype"] in ("bf16", "f16")
        expected, parts = oracle(name, seed, case, options, arguments, got["out"] if short else None)
    except RuntimeError as failure:
        print(f"failed: {repeat}: {failure}")
        return False
    wrong = {n: e for n, e in graphs.errors(got, expected, parts).items() if not e <= LIMITS[case["dtype"]]}
    if wrong:
        print(f"failed: {repeat}: {wrong}")
    return not wrong


def main():
    seed, names = int(sys.argv[1]), sys.argv[2:] or [*MAPS, *chained_maps.MAPS]
    agree = sum(check(name, seed) for name in names)
    print(f"{agree} of {len(names)} cases agree")
    return agree != len(names)


sys.exit(main())
