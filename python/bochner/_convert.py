"""Results become arrays of the kind of the arguments.

Frameworks are looked up in ``sys.modules``: whoever passes one of their arrays has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bochner._core import Tensor


def _to_numpy(result: Tensor) -> Any:
    numpy = sys.modules["numpy"]
    if result.dtype == "bfloat16":
        return result  # NumPy has no such type; JAX and PyTorch take the tensor
    return numpy.asarray(result)


def _to_jax(result: Tensor) -> Any:
    return sys.modules["jax"].numpy.from_dlpack(result)


@lru_cache(maxsize=64)
def _converter_of(kind: type) -> Callable[[Tensor], Any] | None:
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        if root == "numpy":
            return _to_numpy
        if root in ("jax", "jaxlib"):
            return _to_jax
    return None  # PyTorch's results are made by the extension; others get bochner.Tensor


def converter(array: Any) -> Callable[[Tensor], Any] | None:
    """A function from :class:`bochner.Tensor` to the kind of ``array``; None if there is nothing to do."""
    return _converter_of(type(array))
