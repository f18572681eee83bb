"""Graphs of derivatives: functions that ask for ``spectral.vjp`` of the function of a graph, which the compiler writes
out and fuses. The gradient of a gradient is one more of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bochner._module import TensorInfo
from bochner._trace import MLIR_TYPES, tensor_type

_PUBLIC = re.compile(r"func\.func @(\w+)\(")


def is_float(info: Any) -> bool:
    """Whether an argument can have a gradient."""
    return info.dtype in ("float64", "float32", "bfloat16", "float16")


def _type(info: TensorInfo) -> str:
    return tensor_type(info.shape, MLIR_TYPES[info.dtype])


def _attributes(name: str, info: TensorInfo) -> str:
    dims = "" if info.dims is None else ", bochner.dims = [" + ", ".join(f'"{d}"' for d in info.dims) + "]"
    return f'{{bochner.name = "{name}"{dims}}}'


def add_gradient(
    source: str,
    name: str,
    arguments: Sequence[TensorInfo],
    results: Sequence[TensorInfo],
    wrt: Sequence[int],
    gradient: str,
    given: Sequence[int],
) -> str:
    """A module whose public function ``gradient`` differentiates function ``name`` of ``source``.

    It takes the arguments and a cotangent ``cot_R`` for each result R of ``given``, and returns ``grad_A`` for each
    argument A of ``wrt``: the gradient of the sum of products of results and cotangents. Nothing depends on the other
    results, whose shapes are static.
    """
    text, count = _PUBLIC.subn(r"func.func private @\g<1>(", source)
    assert count == 1, "a graph has one public function"
    inputs = [(f"%a{i}", a.name, a) for i, a in enumerate(arguments)]
    cotangents = [(f"%c{i}", f"cot_{r.name}", r) for i, r in enumerate(results)]
    taken = [c for i, c in enumerate(cotangents) if i in given]
    zeros = "".join(
        f"  {v} = arith.constant dense<0.0> : {_type(r)}\n" for i, (v, _, r) in enumerate(cotangents) if i not in given
    )
    gradients = [(f"grad_{arguments[i].name}", arguments[i]) for i in wrt]

    def names(values: Sequence[tuple[str, str, TensorInfo]]) -> str:
        return ", ".join(v for v, _, _ in values)

    def types(infos: Sequence[TensorInfo]) -> str:
        return ", ".join(_type(i) for i in infos)

    signature = ",\n    ".join(f"{v}: {_type(i)} {_attributes(n, i)}" for v, n, i in [*inputs, *taken])
    returned = ", ".join(f"{_type(i)} {_attributes(n, i)}" for n, i in gradients)
    first = len(results)
    values = ", ".join(f"%d#{first + i}" for i in range(len(gradients)))
    kinds = types([i for _, i in gradients])
    function = (
        f"func.func @{gradient}({signature})\n    -> ({returned}) {{\n{zeros}"
        f"  %d:{first + len(gradients)} = spectral.vjp @{name} inputs({names(inputs)} : {types(arguments)})\n"
        f"      cotangents({names(cotangents)} : {types(results)}) wrt [{', '.join(map(str, wrt))}]\n"
        f"      -> {types(results)}, {kinds}\n"
        f"  return {values} : {kinds}\n}}\n"
    )
    if text.lstrip().startswith(("module", "#")) and text.rstrip().endswith("}") and re.search(r"^module", text, re.M):
        body = text.rstrip()
        return body[:-1] + function + "}\n"
    return text + function
