"""The golden cases through every door: NumPy against the stored values, PyTorch and JAX against NumPy, bit by bit.

Values and gradients of all maps. Cases are those that are committed, and those of GOLDEN_DIR's small shapes beside.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache

import numpy as np
import pytest
from conftest import ROOT

from bochner import _core
from bochner._program import Program, register

sys.path.insert(0, str(ROOT / "test" / "golden"))
import compare  # noqa: E402
import run as golden  # noqa: E402

PUBLIC = ROOT / "test" / "golden" / "public"
#: Small enough to be compiled and run by the dozen.
LARGEST = 40


def find_cases():
    cases = {}
    for folder in (PUBLIC, os.environ.get("GOLDEN_DIR", "")):
        path = os.path.join(folder, "index.json")
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as index:
            for case in json.load(index)["cases"]:
                small = case["shapes"].get("L", 0) <= LARGEST and "_t" in case["name"]
                if (folder == PUBLIC or small) and case["attention"] != "encoder_layer":
                    cases.setdefault(case["name"], (case, folder))
    return cases


CASES = find_cases()
STRIDED = ("q", "k", "v", "cot", "out", "grad_q", "grad_k", "grad_v")


def swapped(name, array):
    """[N, L, H, D] as a strided view [B, H, N, D], and back."""
    return array.transpose(0, 2, 1, *range(3, array.ndim)) if name in STRIDED else array


@cache
def load(name):
    case, folder = CASES[name]
    stored = np.load(os.path.join(folder, case["file"]))
    words = golden.generator_command(case, "f32")[1:]
    program = register(Program(_core.build_graph(words), "golden"))
    inputs = [swapped(a.name, stored[a.name]).astype(a.dtype) for a in program.function.arguments]
    names = [a.name for a in program.function.arguments]
    wrt = tuple(i for i in program.differentiable if f"grad_{names[i]}" in stored.files)
    return case, stored, program, inputs, names, wrt


@cache
def by_numpy(name):
    """Values and gradients by name, as graphs return them."""
    _, stored, program, inputs, names, wrt = load(name)
    out = program.function(*inputs)
    out = out if isinstance(out, tuple) else (out,)
    results = {r.name: value for r, value in zip(program.function.results, out)}
    if wrt:
        gradients = program.gradient(wrt).function(*inputs, swapped("cot", stored["cot"]))
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        results.update({f"grad_{names[i]}": g for i, g in zip(wrt, gradients)})
    return results


@pytest.mark.parametrize("name", CASES)
def test_numpy(name):
    case, stored, *_ = load(name)
    results = {n: swapped(n, np.asarray(v)) for n, v in by_numpy(name).items()}
    compared = list(compare.compare(case, stored, [results], "f32", True))
    assert compared
    failures = [fields for fields in compared if fields[3] != "PASS"]
    assert not failures


def assert_same(name, results):
    expected = by_numpy(name)
    assert set(results) == set(expected)
    for n, value in results.items():
        np.testing.assert_array_equal(value, expected[n], err_msg=n)


@pytest.mark.parametrize("name", CASES)
def test_torch(name):
    torch = pytest.importorskip("torch")
    from bochner.torch import _operators

    _, stored, program, inputs, names, wrt = load(name)
    tensors = [torch.from_numpy(x) for x in inputs]
    for i in wrt:
        tensors[i].requires_grad_()
    out = _operators.call(_operators.attention, tensors, program.key)
    results = {r.name: value.detach().numpy() for r, value in zip(program.function.results, out)}
    if wrt:
        cot = torch.from_numpy(swapped("cot", stored["cot"]))
        gradients = torch.autograd.grad(out[0], [tensors[i] for i in wrt], cot)
        results.update({f"grad_{names[i]}": g.numpy() for i, g in zip(wrt, gradients)})
    assert_same(name, results)


@pytest.mark.parametrize("name", CASES)
def test_jax(name):
    jax = pytest.importorskip("jax")
    from bochner.jax import _operators

    _, stored, program, inputs, names, wrt = load(name)
    arrays = [jax.numpy.asarray(np.ascontiguousarray(x)) for x in inputs]

    def f(*wanted):
        given = list(arrays)
        for i, x in zip(wrt, wanted):
            given[i] = x
        out, *others = _operators.call(program.key, tuple(given))
        return out, others

    out, back, others = jax.vjp(jax.jit(f), *(arrays[i] for i in wrt), has_aux=True)
    results = dict(zip((r.name for r in program.function.results), map(np.asarray, [out, *others])))
    if wrt:
        gradients = back(jax.numpy.asarray(np.ascontiguousarray(swapped("cot", stored["cot"]))))
        results.update({f"grad_{names[i]}": np.asarray(g) for i, g in zip(wrt, gradients)})
    assert_same(name, results)
