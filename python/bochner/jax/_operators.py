"""Programs as differentiable functions of JAX arrays, by one foreign function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bochner import _core
from bochner._errors import UnavailableError
from bochner._program import Program, find

_TARGET = "bochner_call"

if not hasattr(_core, "xla_handler"):
    raise UnavailableError(
        "expected an extension with a handler for XLA, but jaxlib was missing when it was built; install jaxlib first"
    )
jax.ffi.register_ffi_target(_TARGET, _core.xla_handler(), platform="cpu")


@cache
def _known(key: str) -> Program:
    program = find(key)
    _core.register_xla_function(key, program.function._core)
    return program


def _foreign(key: str, inputs: Sequence[jax.Array]) -> list[jax.Array]:
    program = _known(key)
    shapes = program.result_shapes([x.shape for x in inputs])
    results = [jax.ShapeDtypeStruct(s, jnp.dtype(r.dtype)) for s, r in zip(shapes, program.function.results)]
    # Batches are folded by the rule below, before XLA sees the call.
    return jax.ffi.ffi_call(_TARGET, results, vmap_method="sequential_unrolled")(*inputs, program=key)


def _fold(x: jax.Array, batched: bool, size: int) -> jax.Array:
    """A batch of ``size`` arrays [B, ...] as one [size B, ...]."""
    full = x if batched else jnp.broadcast_to(x, (size, *x.shape))
    return full.reshape(size * full.shape[1], *full.shape[2:])


@cache
def _batchable(key: str) -> Any:
    @jax.custom_batching.custom_vmap
    def call(*inputs: jax.Array) -> list[jax.Array]:
        return _foreign(key, inputs)

    @call.def_vmap
    def rule(size: int, in_batched: Sequence[bool], *inputs: jax.Array) -> tuple[list[jax.Array], list[bool]]:
        """Folds the new dimension into the batch if every result has a batch and no shared input is batched."""
        function = _known(key).function
        of_batch = [bool(a.dims) and a.dims[0] == "B" for a in function.arguments]
        shared_only = all(own or not batched for own, batched in zip(of_batch, in_batched))
        if shared_only and all(r.dims and r.dims[0] == "B" for r in function.results):
            folded = [_fold(x, b, size) if own else x for x, b, own in zip(inputs, in_batched, of_batch)]
            results = [r.reshape(size, r.shape[0] // size, *r.shape[1:]) for r in call(*folded)]
        else:
            # Gradients of what all share are a sum over the batch, which must not be taken over the new dimension.
            rows = [call(*(x[i] if b else x for x, b in zip(inputs, in_batched))) for i in range(size)]
            results = [jnp.stack(column) for column in zip(*rows)]
        return results, [True] * len(results)

    return call


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Wanted:
    """Which inputs have a gradient: known when a function is traced, so no array."""

    wrt: tuple[int, ...]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def call(key: str, inputs: tuple[jax.Array, ...]) -> list[jax.Array]:
    """The results of a program. Differentiable any number of times in reverse mode."""
    return _batchable(key)(*inputs)


def _forward(key: str, primals: Any) -> tuple[list[jax.Array], Any]:
    inputs = tuple(p.value for p in primals)
    wanted = tuple(i for i in _known(key).differentiable if primals[i].perturbed)
    return call(key, inputs), (inputs, _Wanted(wanted))


def _zero(x: jax.Array) -> Any:
    if jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)


def _backward(key: str, residuals: Any, cotangents: Sequence[Any]) -> tuple[tuple[Any, ...]]:
    inputs, wanted = residuals
    program = _known(key)
    gradients = [_zero(x) for x in inputs]
    if wanted.wrt:
        given = [
            jnp.zeros(c.aval.shape, c.aval.dtype) if isinstance(c, jax.custom_derivatives.SymbolicZero) else c
            for c in (cotangents[i] for i in program.outputs)
        ]
        results = call(program.gradient(wanted.wrt).key, (*inputs, *given))
        for i, gradient in zip(wanted.wrt, results):
            gradients[i] = gradient
    return (tuple(gradients),)


call.defvjp(_forward, _backward, symbolic_zeros=True)
