"""Derivatives of small functions, one for each operation with a rule, against differences and against each other.

Usage: check-derivatives.py FOLDER SEED RULES. RULES names the operations that have a rule, one a line: each must stand
in a function. For each function f of derivative_cases.py, inputs x, a direction d and random cotangents c and w:

- the tangent (spectral.jvp) is the central difference of f along d, element by element;
- <c, tangent> = <gradient, d>, the gradient by spectral.vjp;
- differences of the gradient along d, times w, are the product of d and the gradient of <gradient, w>: the derivative
  of a derivative;
- the gradient of <gradient, w> with respect to c is the tangent along w.

Prints each property that does not hold, and how many do. A few functions are a module, as compile times grow faster
than modules do.
"""
import os
import re
import subprocess
import sys

import numpy as np

from derivative_cases import CASES
from tally import Tally

MODULE = 10  # functions
# Has functions of its own: check-gradients.py.
ELSEWHERE = {"spectral.linear_attention"}


def shape(type):
    return [int(size) for size in type[len("tensor<"):-1].split("x")[:-1]]


def write(case, number):
    """The function, its gradient, and what is measured of them."""
    n = len(case.arguments)
    names = "abc"[:n]
    types = list(case.arguments)
    parameters = ", ".join(f"%{x}: {t}" for x, t in zip(names, types))
    wrt = ", ".join(map(str, range(n)))

    def apply(suffix):
        return ", ".join(f"%{x}{suffix}" for x in names)

    joined = ", ".join(types)
    f, g = f"@f{number}", f"@g{number}"
    plain = f"({', '.join(types)}) -> {case.result}"
    text = f"func.func private {f}({parameters}) -> {case.result} {{\n{case.body}\nreturn %r : {case.result}\n}}\n"
    text += f"""func.func private {g}({parameters}, %cot: {case.result}) -> ({joined}) {{
      %y, %g:{n} = spectral.vjp {f} inputs({apply('')} : {joined}) cotangents(%cot : {case.result}) wrt [{wrt}]
        -> {case.result}, {joined}
      return {', '.join(f'%g#{i}' for i in range(n))} : {joined}
    }}
    """
    inputs = [(x + point, t) for point in ("", ".up", ".down", ".d", ".w") for x, t in zip(names, types)]
    inputs.append(("cot", case.result))
    results, body = [], ""
    for point in (".up", ".down"):
        body += f"%y{point} = func.call {f}({apply(point)}) : {plain}\n"
        body += f"%g{point}:{n} = func.call {g}({apply(point)}, %cot) : ({joined}, {case.result}) -> ({joined})\n"
        results += [(f"y{point}", f"%y{point}", case.result)]
        results += [(f"g{point}.{i}", f"%g{point}#{i}", t) for i, t in enumerate(types)]
    body += f"%g:{n} = func.call {g}({apply('')}, %cot) : ({joined}, {case.result}) -> ({joined})\n"
    body += f"""%y, %t = spectral.jvp {f} inputs({apply('')} : {joined}) tangents({apply('.d')} : {joined}) wrt [{wrt}]
        -> {case.result}, {case.result}
      %s:{2 * n + 1} = spectral.vjp {g} inputs({apply('')}, %cot : {joined}, {case.result})
        cotangents({apply('.w')} : {joined}) wrt [{wrt}, {n}] -> {joined}, {joined}, {case.result}
      %yw, %tw = spectral.jvp {f} inputs({apply('')} : {joined}) tangents({apply('.w')} : {joined}) wrt [{wrt}]
        -> {case.result}, {case.result}
    """
    results += [(f"g.{i}", f"%g#{i}", t) for i, t in enumerate(types)]
    results += [("t", "%t", case.result), ("tw", "%tw", case.result), ("s.cot", f"%s#{2 * n}", case.result)]
    results += [(f"s.{i}", f"%s#{n + i}", t) for i, t in enumerate(types)]
    text += (f"func.func private @m{number}({', '.join(f'%{x}: {t}' for x, t in inputs)}) -> "
             f"({', '.join(t for *_, t in results)}) {{\n{body}\nreturn {', '.join(v for _, v, _ in results)} : "
             f"{', '.join(t for *_, t in results)}\n}}\n")
    return text, inputs, results


def draw(case, rng):
    arrays = {}
    for x, type in zip("abc", case.arguments):
        value = rng.standard_normal(shape(type))
        if case.positive:
            value = .3 + abs(value)
        arrays[x] = value
        arrays[x + ".d"], arrays[x + ".w"] = rng.standard_normal((2, *value.shape))
        arrays[x + ".up"] = value + case.step * arrays[x + ".d"]
        arrays[x + ".down"] = value - case.step * arrays[x + ".d"]
    arrays["cot"] = rng.standard_normal(shape(case.result))
    return arrays


def error(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.abs(a - b).max() / max(1.0, np.abs(b).max())


def check(case, arrays, results, expect):
    names = "abc"[:len(case.arguments)]
    dot = lambda grads, directions: sum((results[f"{grads}.{i}"] * arrays[x + directions]).sum()
                                        for i, x in enumerate(names))
    difference = (results["y.up"] - results["y.down"]) / (2 * case.step)
    expect("tangent", error(results["t"], difference), case.limit)
    expect("gradient", error(dot("g", ".d"), (arrays["cot"] * results["t"]).sum()), case.rounding)
    second = (dot("g.up", ".w") - dot("g.down", ".w")) / (2 * case.step)
    expect("second derivative", error(dot("s", ".d"), second), case.limit)
    expect("transposed gradient", error(results["s.cot"], results["tw"]), case.rounding)


def evaluate(folder, cases, drawn):
    """What is measured of some functions, a dictionary for each."""
    texts, calls, signature, returned, values = [], "", [], [], []
    for number, case in enumerate(cases):
        text, inputs, results = write(case, number)
        texts.append(text)
        types = ", ".join(t for _, t in inputs)
        out = ", ".join(t for *_, t in results)
        operands = ", ".join(f"%{x}.{number}" for x, _ in inputs)
        calls += f"%m{number}:{len(results)} = func.call @m{number}({operands}) : ({types}) -> ({out})\n"
        signature += [f'%{x}.{number}: {t} {{bochner.name = "{number}.{x}"}}' for x, t in inputs]
        returned += [f'{t} {{bochner.name = "{number}.{x}"}}' for x, _, t in results]
        values += [(f"%m{number}#{i}", t) for i, (*_, t) in enumerate(results)]
    texts.append(f"func.func @main({', '.join(signature)}) -> ({', '.join(returned)}) {{\n{calls}\nreturn "
                 f"{', '.join(v for v, _ in values)} : {', '.join(t for _, t in values)}\n}}\n")
    graph, expanded, given, got = (os.path.join(folder, name) for name in
                                   ("cases.mlir", "derivatives.mlir", "in.npz", "out.npz"))
    with open(graph, "w") as file:
        file.write("".join(texts))
    np.savez(given, **{f"{i}.{x}": value for i, arrays in enumerate(drawn) for x, value in arrays.items()})
    subprocess.run(["bochner-opt", graph, "--spectral-differentiate", "--inline", "--canonicalize", "--cse",
                    "-o", expanded], check=True)
    subprocess.run(["bochner-run", expanded, "--entry", "main", "--route", "decompose", "--no-cache", "--npz", given,
                    "--out-npz", got], check=True, stdout=subprocess.DEVNULL)
    measured = [{} for _ in cases]
    with np.load(got) as outputs:
        for label in outputs:
            number, name = label.split(".", 1)
            measured[int(number)][name] = outputs[label]
    return measured


def main():
    folder, seed = sys.argv[1], int(sys.argv[2])
    rng = np.random.default_rng(seed)
    with open(sys.argv[3], encoding="utf-8") as rules:
        untested = set(rules.read().split()) - ELSEWHERE
    for case in CASES:
        untested -= set(re.findall(r"\b[a-z]+\.\w+", case.body))
    tally = Tally(f"no function uses {name}" for name in sorted(untested))
    for first in range(0, len(CASES), MODULE):
        cases = CASES[first:first + MODULE]
        drawn = [draw(case, rng) for case in cases]
        for case, arrays, results in zip(cases, drawn, evaluate(folder, cases, drawn)):
            check(case, arrays, results, lambda what, *error: tally.expect(f"{case.name}: {what}", *error))
    tally.report(seed, f", of {len(CASES)} functions")


if __name__ == "__main__":
    main()
