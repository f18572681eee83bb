"""Compares derivatives of bochner-gen's graphs with those of the formulas in attention_formulas.py, in f64.

Usage: check-gradients.py once|twice FOLDER SEED [CASE...].

once: for each form of attention and each map, the gradients of both routes along a random direction of each argument.

twice: for each map, of features, and for one form of attention, by route decompose:

- the tangent, by spectral.jvp, along random directions of all arguments, element by element;
- <cot, tangent> = <gradient, direction>;
- of some, the derivative of the gradient, by spectral.vjp of a function that asks for spectral.vjp.

Derivatives of formulas are the imaginary parts that a step of 1e-30 along i leaves, so that limits are those of
rounding; second derivatives are central differences of them. Prints each property that does not hold, and how many do.
"""
import os
import re
import subprocess
import sys

import numpy as np

import attention_formulas as formulas
from tally import Tally

BATCH, HEADS, QUERIES, KEYS, HEAD_DIM, VALUE_DIM = 2, 2, 5, 7, 8, 6
STEP = 1e-30  # along i
DIFFERENCE = 1e-5  # of what has no complex step: errors of its square
LIMIT, DIFFERENCES_LIMIT = 1e-12, 1e-7

DEFAULTS = {"attention": "linear", "temp": 0.4, "eps": 1e-2, "normalize": True, "causal": False, "stabilize": False,
            "eval": False, "lengths": False, "mask": False, "packed": False, "static_heads": True}  # fmt: skip
RKS, PRF = {"smoothing": 0.7, "n_dims": 9}, {"norm_factor": 1.0, "n_dims": 9}
RFF = {**RKS, "features": 9}
GENERATED = {"noise_dims": "3,5"}


def case(*maps, **options):
    return {**DEFAULTS, **options, "maps": maps}


CASES = {
    "gmm_prf": case(("gmm_prf", {**PRF, "features": 8, "covariance": "full"}), lengths=True),
    "gmm_prf diagonal": case(("gmm_prf", {**PRF, "features": 8, "norm_factor": 0.8}), mask=True),
    "gmm_prf scalar": case(("gmm_prf", {**PRF, "features": 8, "covariance": "scalar"}), causal=True, eps=0.0),
    "gmm_prf_hyperbolic": case(("gmm_prf_hyperbolic", {**PRF, "features": 8}), normalize=False),
    "gmm_rks": case(("gmm_rks", {**RKS, "features": 13}), causal=True),
    "gauss_rks": case(("gauss_rks", {**RKS, "features": 13}), causal=True, lengths=True),
    "rff": case(("rff", RFF), mask=True),
    "favor": case(("favor", {**PRF, "features": 6, "norm_factor": 0.5})),
    "gaussian_prf": case(("gaussian_prf", {**PRF, "features": 6})),
    "generator_prf": case(("generator_prf", {**PRF, **GENERATED, "features": 6}), eval=True),
    "generator_rks": case(("generator_rks", {**RFF, **GENERATED}), normalize=False),
    "fastfood_prf": case(("fastfood_prf", PRF), heads=4, kv_heads=2, packed=True),
    "fastfood_rks": case(("fastfood_rks", {"smoothing": 0.7, "learnable": "S"})),
    "elu": case(("elu", {}), lengths=True),
    "relu": case(("relu", {"features": 12})),
    "alacarte": case(("alacarte", {**RKS, "features": 13, "components": 3}), attention="mixture",
                     static_heads=False),
    "generalized": case(("elu", {}), ("rff", RFF), attention="generalized"),
    "softmax": case(attention="softmax", mask=True),
    "gaussian_kernel": case(attention="gaussian_kernel"),
}  # fmt: skip
# What is differentiated twice. Functions of the whole of attention are long then: the shortest stands for others.
TWICE = {f"features of {name}": {**o, "attention": "features", "heads": HEADS,
                                 "stabilize": name in ("favor", "gmm_prf diagonal")}
         for name, o in CASES.items() if len(o["maps"]) == 1}  # fmt: skip
TWICE["attention of elu"] = CASES["elu"]
SECOND = ("attention of elu", "features of gmm_prf", "features of gmm_rks", "features of generator_rks")


def options_of(o):
    rows = o["attention"] == "features"
    options = ["--attention", o["attention"], "--head-dim", HEAD_DIM, "--dtype", "f64"]
    options += ["--heads", o.get("heads", HEADS)] if o["static_heads"] else []
    options += ["--temp", o["temp"]] if not o["maps"] or any(name != "elu" for name, _ in o["maps"]) else []
    if not rows:
        options += ["--value-dim", VALUE_DIM]
        options += ["--kv-heads", o["kv_heads"]] if "kv_heads" in o else []
        options += ["--eps", o["eps"]] if o["normalize"] and o["attention"] != "softmax" else []
        options += [] if o["normalize"] else ["--no-normalize"]
        options += [f"--{flag}" for flag in ("causal", "lengths", "mask", "packed") if o[flag]]
    for name, of_map in o["maps"]:
        options += ["--map", name]
        for key, value in of_map.items():
            if key != "n_dims" or not name.startswith("fastfood"):
                options += ["--" + key.replace("_", "-"), value]
    options += [f"--{flag}" for flag in ("stabilize", "eval") if o[flag]]
    return [str(option) for option in options]


def run(folder, *command, **options):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    return done.stdout


class Graph:
    """What bochner-gen differentiates: its function, arguments and results, and the arguments that have a gradient."""

    def __init__(self, text):
        self.text = text
        private, public = (re.search(rf"func.func {which}.*", text)[0] for which in ("private", "@"))
        self.arguments = re.findall(r"%(\w+): (tensor<[^>]*>)", private.split(" -> ")[0])
        self.given = re.findall(r"%(\w+): (tensor<[^>]*>)", public.split(" -> ")[0])
        vjp = re.search(r"spectral.vjp (@\w+ inputs\(.*\)) cotangents\((.*) : (.*)\) wrt (\[.*?\])", text)
        self.call, self.cotangents, self.wrt = vjp[1], vjp[2], vjp[4]
        self.results = vjp[3].split(", ")
        self.variables = [self.arguments[int(i)] for i in re.findall(r"\d+", self.wrt)]
        self.zeros = "\n".join(re.findall(r"^ *%\w+ = arith.constant .*", text[text.index("func.func @") :], re.M))

    def twice(self, second):
        """A module that returns gradients, the tangent along d_X, and the derivative of <gradient, w>."""
        names, types = (", ".join(x) for x in zip(*(("%" + n, t) for n, t in self.given)))
        own = ", ".join(t for _, t in self.variables)
        along = lambda prefix: ", ".join(f"%{prefix}_{n}" for n, _ in self.variables)
        result, n, count = self.results[0], len(self.variables), len(self.results)
        returned = [(f"grad_{x}", f"%g#{i}", t) for i, (x, t) in enumerate(self.variables)]
        returned += [("out", "%t#0", result), ("tangent", f"%t#{count}", result)]
        body = f"""
  %g:{n} = func.call @gradient({names}) : ({types}) -> ({own})
  %t:{2 * count} = spectral.jvp {self.call} tangents({along("d")} : {own}) wrt {self.wrt}
    -> {", ".join(2 * self.results)}
"""
        if second:
            asked = self.wrt[:-1] + f", {len(self.given) - 1}]"
            body += f"""
  %s:{2 * n + 1} = spectral.vjp @gradient inputs({names} : {types}) cotangents({along("w")} : {own}) wrt {asked}
    -> {own}, {own}, {result}
"""
            returned += [(f"second_{x}", f"%s#{n + i}", t) for i, (x, t) in enumerate(self.variables)]
            returned.append(("second_cot", f"%s#{2 * n}", result))
        extra = [(f"{prefix}_{x}", t) for prefix in ("dw" if second else "d") for x, t in self.variables]
        arguments = ", ".join(f'%{x}: {t} {{bochner.name = "{x}"}}' for x, t in self.given + extra)
        return self.text[: self.text.index("  func.func @")] + f"""
func.func private @gradient({", ".join(f"%{x}: {t}" for x, t in self.given)}) -> ({own}) {{
  {self.zeros}
  %d:{count + n} = spectral.vjp {self.call} cotangents({self.cotangents} : {", ".join(self.results)}) wrt {self.wrt}
    -> {", ".join(self.results)}, {own}
  return {", ".join(f"%d#{count + i}" for i in range(n))} : {own}
}}
func.func @twice({arguments}) -> ({", ".join(f'{t} {{bochner.name = "{x}"}}' for x, _, t in returned)}) {{
  {body}
  return {", ".join(v for _, v, _ in returned)} : {", ".join(t for *_, t in returned)}
}}
}}
"""


def draw(graph, o, rng):
    """Random arguments; parameters that are not as regular as initial ones."""
    heads, keys = o.get("heads", HEADS), QUERIES if o["causal"] or o["packed"] else KEYS
    batch = 1 if o["packed"] else BATCH
    dynamic = {"q": (batch, heads, QUERIES)} | dict.fromkeys("kv", (batch, o.get("kv_heads", heads), keys))
    arguments = {}
    for name, kind in graph.given:
        *sizes, element = kind[len("tensor<") : -1].split("x")
        shape = [int(s) if s != "?" else dynamic.get(name, (0,) * 4)[i] for i, s in enumerate(sizes)]
        if name == "cot":
            arguments[name] = rng.standard_normal(formulas.attention(o, arguments).shape)
        elif name == "lengths":
            arguments[name] = np.array([keys, keys - 2])
        elif name == "mask":
            arguments[name] = np.arange(batch * keys).reshape(batch, keys) % 3 > 0
        elif name == "sequences":
            arguments[name] = np.array([0, 2, 2, keys])
        elif name.endswith("rand_perm"):
            arguments[name] = rng.permutation(shape[0])
        elif name.endswith("bn_var"):
            arguments[name] = 1 + rng.random(shape)
        else:
            scale = 1 if name in ("q", "k", "v") or "rand_" in name else 0.5
            arguments[name] = scale * rng.standard_normal(shape)
    return arguments


def call(folder, text, route, arguments):
    np.savez(os.path.join(folder, "in.npz"), **arguments)
    run(folder, "bochner-run", "-", "--route", route, "--no-cache", "--npz", "in.npz", "--out-npz", "out.npz",
        "--threads", "1", input=text)  # fmt: skip
    with np.load(os.path.join(folder, "out.npz")) as results:
        return {name: results[name] for name in results.files}


class Check:
    """A case, and the errors of what its graph returns."""

    def __init__(self, folder, name, o, seed, expect):
        self.folder, self.name, self.o, self.expect = folder, name, o, expect
        rng = np.random.default_rng(seed)
        self.graph = Graph(run(folder, "bochner-gen", *options_of(o), "--grad"))
        self.arguments = draw(self.graph, o, rng)
        self.names = [n for n, _ in self.graph.variables]
        self.d, self.w = ({n: rng.standard_normal(self.arguments[n].shape) for n in self.names} for _ in "dw")

    def moved(self, directions, step):
        return {**self.arguments, **{n: self.arguments[n] + step * t for n, t in directions.items()}}

    def slope(self, directions, at=None):
        at = at or self.arguments
        moved = {**at, **{n: at[n] + 1j * STEP * t for n, t in directions.items()}}
        return formulas.attention(self.o, moved).imag / STEP

    def elements(self, what, got, want):
        error = np.abs(got - want).max() / np.abs(want).max() if got.shape == want.shape else np.inf
        self.expect(f"{self.name}: {what}", error, LIMIT)

    def products(self, what, results, wanted, limit=LIMIT):
        """Errors of <array, d> relative to the size of the terms, or a thousandth of the largest such size."""
        terms = {n: results[n] * self.d[n] for n in self.names}
        largest = max(np.abs(t).sum() for t in terms.values())
        for n, t in terms.items():
            error = abs(t.sum() - wanted(n)) / max(np.abs(t).sum(), 1e-3 * largest)
            self.expect(f"{self.name}: {what} {n}", error, limit)

    def gradients(self, route, results):
        cot, gradients = self.arguments["cot"], {n: results[f"grad_{n}"] for n in self.names}
        self.elements(f"{route}: out", results["out"], formulas.attention(self.o, self.arguments))
        self.products(f"{route}: gradient of", gradients, lambda n: (cot * self.slope({n: self.d[n]})).sum())

    def once(self):
        for route in ("fused", "decompose"):
            self.gradients(route, call(self.folder, self.graph.text, route, self.arguments))

    def twice(self, second):
        arguments = dict(self.arguments)
        for prefix, directions in (("d", self.d), ("w", self.w)):
            arguments |= {f"{prefix}_{n}": t for n, t in directions.items()}
        results = call(self.folder, self.graph.twice(second), "decompose", arguments)
        self.gradients("twice", results)
        self.elements("tangent", results["tangent"], self.slope(self.d))
        cot, w = self.arguments["cot"], self.w
        terms = cot * results["tangent"]
        product = sum((results[f"grad_{n}"] * self.d[n]).sum() for n in self.names)
        error = abs(terms.sum() - product) / np.abs(terms).sum()
        self.expect(f"{self.name}: <cot, tangent> = <gradient, direction>", error, LIMIT)
        if second:
            differences = lambda n: sum(
                sign * (cot * self.slope(w, self.moved({n: self.d[n]}, sign * DIFFERENCE))).sum() for sign in (1, -1)
            ) / (2 * DIFFERENCE)
            seconds = {n: results[f"second_{n}"] for n in self.names}
            self.products("gradient of the gradient with respect to", seconds, differences, DIFFERENCES_LIMIT)
            self.elements("gradient of the gradient with respect to cot", results["second_cot"], self.slope(w))


def main():
    which, folder, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cases = {"once": CASES, "twice": TWICE}[which]
    tally = Tally()
    listed = run(folder, "bochner-gen", "--help").split("feature maps:\n")[1].split("\n\n")[0].split()
    for name in sorted(set(listed) - {m for o in CASES.values() for m, _ in o["maps"]}):
        tally.broken.append(f"no case for {name}")
    for name in sys.argv[4:] or cases:
        case_of = Check(folder, name, cases[name], seed, tally.expect)
        case_of.once() if which == "once" else case_of.twice(name in SECOND)
    tally.report(seed)


if __name__ == "__main__":
    main()
