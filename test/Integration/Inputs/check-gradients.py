"""Compares gradients of bochner-gen's graphs with differences of their values, in f64.

usage: check-gradients.py [BOCHNER-GEN OPTION...] [-- ROWS OF KEYS]

For each argument X that the graph returns grad_X for, the derivative of sum(out * cot) along a random direction. The
values come from route `fused` of the graph without --grad, the gradients from both routes. A five-point formula with
steps of 1e-3 has errors near 1e-12; what is not smooth (maxima, elu at 0) is not hit by chance.
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

BATCH, HEADS, QUERIES, HEAD_DIM, VALUE_DIM = 2, 2, 5, 8, 6
STEP, LIMIT = 1e-3, 1e-7


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    return done.stdout


def call(folder, module, arguments):
    np.savez(os.path.join(folder, "in.npz"), **arguments)
    run(folder, "bochner-run", module, "--npz", "in.npz", "--out-npz", "out.npz", "--threads", "1")
    with np.load(os.path.join(folder, "out.npz")) as results:
        return {name: results[name] for name in results.files}


def compile_graph(folder, module, options, route):
    with open(os.path.join(folder, "graph.mlir"), "w", encoding="utf-8") as f:
        f.write(run(folder, "bochner-gen", *options))
    run(folder, "bochner-run", "graph.mlir", "--route", route, "--no-cache", "--emit", module)


def arguments_of(folder, options, random, keys):
    """Random rows; parameters that are not as regular as initial ones."""
    text = run(folder, "bochner-gen", *options, "--grad")
    public = text[text.index("func.func @") :].split(") -> (")[0]
    batch = 1 if "--packed" in options else BATCH
    dynamic = dict.fromkeys(("q", "cot"), (batch, HEADS, QUERIES)) | dict.fromkeys("kv", (batch, HEADS, keys))
    arguments = {}
    for name, kind in re.findall(r"%(\w+): tensor<([^>]*)>", public):
        *sizes, element = kind.split("x")
        shape = [int(s) if s != "?" else dynamic.get(name, (0,) * 4)[i] for i, s in enumerate(sizes)]
        if name == "lengths":
            arguments[name] = np.array([keys, keys - 2])
        elif name == "mask":
            arguments[name] = np.arange(BATCH * keys).reshape(BATCH, keys) % 3 > 0
        elif name == "sequences":
            arguments[name] = np.array([0, 2, 2, keys])
        elif name.endswith("rand_perm"):
            arguments[name] = random.permutation(shape[0])
        elif name.endswith("bn_var"):
            arguments[name] = 1 + random.random(shape)
        elif element == "f64":
            scale = 1 if name in ("q", "k", "v", "cot") or "rand_" in name else 0.5
            arguments[name] = scale * random.standard_normal(shape)
    return arguments


def main():
    options = sys.argv[1:]
    keys = QUERIES
    if "--" in options:
        keys = int(options[-1])
        options = options[:-2]
    options += ["--head-dim", str(HEAD_DIM), "--value-dim", str(VALUE_DIM), "--dtype", "f64"]
    options += [] if "--heads" in options else ["--heads", str(HEADS)]
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        arguments = arguments_of(folder, options, random, keys)
        compile_graph(folder, "value.bochner", options, "fused")
        gradients = {}
        for route in ("fused", "decompose"):
            compile_graph(folder, f"{route}.bochner", [*options, "--grad"], route)
            gradients[route] = call(folder, f"{route}.bochner", arguments)
        names = [n[5:] for n in gradients["fused"] if n.startswith("grad_")]
        largest = max(np.abs(gradients["fused"][f"grad_{n}"]).max() for n in names)
        worst = 0.0
        for name in names:
            direction = random.standard_normal(arguments[name].shape)
            direction /= np.sqrt((direction**2).sum())

            def value(steps):
                moved = {**arguments, name: arguments[name] + steps * STEP * direction}
                out = call(folder, "value.bochner", {n: a for n, a in moved.items() if n != "cot"})["out"]
                return (out * arguments["cot"]).sum()

            slope = (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * STEP)
            for route, results in gradients.items():
                error = abs((results[f"grad_{name}"] * direction).sum() - slope) / largest
                worst = max(worst, error)
                if not error <= LIMIT:
                    sys.exit(f"{' '.join(options)}: grad_{name} of route {route} is off by {error:.1e} of the largest")
        print(f"{len(names)} gradients agree, largest error {worst:.1e}")


if __name__ == "__main__":
    main()
