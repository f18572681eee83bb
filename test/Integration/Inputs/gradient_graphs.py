"""Graphs of bochner-gen with gradients: text, random arguments, calls, errors. For the drivers beside this file."""
import os
import re
import subprocess
import tempfile

import numpy as np


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    return done.stdout


def generate(options):
    """The text of a graph, without the function that it only differentiates."""
    return run("bochner-gen", *map(str, options), "--grad")


def with_type(text, element):
    """The text in which "T", as a word or behind the sizes of a shape, is the element type."""
    return re.sub(r"(?:(?<=x)|(?<!\w))T(?!\w)", element, text)


def arguments_of(text):
    """Names of what the public function takes, with shapes (None: dynamic) and element types."""
    public = text[text.index("func.func @") :].split(") -> (")[0]
    types = {}
    for name, kind in re.findall(r"%(\w+): tensor<([^>]*)>", public):
        *sizes, element = kind.split("x")
        types[name] = ([None if s == "?" else int(s) for s in sizes], element)
    return types


def short(values):
    """Rounded to bf16, which f16 holds as well."""
    bits = values.astype(np.float32).view(np.uint32) + np.uint32(0x8000)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def draw(text, rng, batch, heads, queries, keys, scale=1.0, key_heads=None):
    """Random arguments, rows rounded to bf16 and the rest to f32, so that every type sees the same numbers."""
    dynamic = {"q": (batch, heads, queries), "cot": (batch, heads, queries)}
    dynamic |= dict.fromkeys("kv", (batch, key_heads or heads, keys))
    arguments = {}
    for name, (sizes, element) in arguments_of(text).items():
        shape = [dynamic.get(name, (heads,) * 4)[i] if s is None else s for i, s in enumerate(sizes)]
        if name == "lengths":
            arguments[name] = rng.integers(0, keys + 1, size=batch)
        elif name == "mask":
            arguments[name] = rng.random((batch, keys)) < 0.6
        elif name == "sequences":
            arguments[name] = np.array([0, 0, min(1, keys), max(min(1, keys), keys // 3), keys])
        elif name.endswith("perm"):
            arguments[name] = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
        elif name.endswith("bn_var"):
            arguments[name] = 1 + rng.random(shape).astype(np.float32).astype(np.float64)
        elif element.startswith("i"):
            arguments[name] = np.array(rng.integers(0, 1000))
        else:
            size = scale if name in ("q", "k") else 1 if name in ("v", "cot") or "rand_" in name else 0.4
            values = size * rng.standard_normal(shape)
            rows = name in ("q", "k", "v", "cot")
            arguments[name] = short(values) if rows else values.astype(np.float32).astype(np.float64)
    return arguments


def call(text, arguments, route="fused", threads=2, options=()):
    """Results by name. `arguments` may hold more than the function takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        np.savez(path("in.npz"), **arguments)
        with open(path("f.mlir"), "w") as file:
            file.write(text)
        run("bochner-run", path("f.mlir"), "--route", route, "--npz", path("in.npz"), "--out-npz", path("out.npz"),
            "--threads", str(threads), *options)  # fmt: skip
        with np.load(path("out.npz")) as results:
            return {name: results[name].astype(np.float64) for name in results.files}


def errors(got, expected, parts=None):
    """Largest differences by name, relative to the array, to the one in `parts` or a thousandth of the largest
    gradient."""
    gradients = [np.abs(a).max() for n, a in expected.items() if n.startswith("grad_") and a.size]
    least = 1e-3 * max(gradients, default=0)
    result = {}
    for name, want in expected.items():
        difference = np.abs(got[name] - want).max(initial=0) if got[name].shape == want.shape else np.inf
        scale = max(np.abs(want).max(initial=0), least if name.startswith("grad_") else 0, 1e-20)
        if parts and name in parts:
            scale = max(scale, np.abs(parts[name]).max(initial=0))
        result[name] = np.inf if np.isnan(difference) else difference / scale
    return result
