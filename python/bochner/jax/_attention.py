"""Attention as a function of JAX arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import jax
import jax.numpy as jnp
import numpy as np

from bochner._attention_graph import AttentionOptions
from bochner._errors import InvalidArgumentError
from bochner._feature_map import FeatureMap, Preset, TracedMap
from bochner._program import attention_program
from bochner.jax import _operators

Parameters = Union[Mapping[str, jax.Array], Sequence[jax.Array]]
_FLOATS = ("float64", "float32", "bfloat16", "float16")


def kernel_attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    feature_map: FeatureMap,
    parameters: Parameters = (),
    *,
    causal: bool = False,
    lengths: jax.Array | None = None,
    mask: jax.Array | None = None,
    normalize: bool = True,
    eps: float = 1e-6,
) -> jax.Array:
    """Attention with the kernel ``phi(q) . phi(k)``, in time linear in the number of positions.

    As :func:`bochner.torch.kernel_attention`, with the same bits.

    Args:
        q: ``[B, H, N, D]``, float64, float32, bfloat16 or float16.
        k: ``[B, K, S, D]``, K the number of key heads: H, or a divisor of it.
        v: ``[B, K, S, M]``.
        feature_map: phi, of :func:`bochner.feature_map` or :func:`bochner.preset`.
        parameters: of the map, by name or (traced maps) in its order; float64 if q is, else float32.
        causal: a query sees keys up to its own position; S = N.
        lengths: ``[B]`` integers, the number of keys of each batch entry.
        mask: ``[B, S]`` bool, true where a key is there.
        normalize: divide by the sum of weights.
        eps: is added to that sum.

    Returns:
        ``[B, H, N, M]`` of the type of q.

    Raises:
        InvalidArgumentError: shapes, types or parameters do not fit.
    """
    q, k, v = (jnp.asarray(x) for x in (q, k, v))
    kinds = [x.dtype.name for x in (q, k, v)]
    if any(x.ndim != 4 for x in (q, k, v)):
        raise InvalidArgumentError(f"expected q, k and v of [B, H, N, D], but got ranks {[x.ndim for x in (q, k, v)]}")
    if kinds[0] not in _FLOATS or len(set(kinds)) > 1:
        raise InvalidArgumentError(f"expected q, k and v of one float type, but got {', '.join(kinds)}")
    given = _named(feature_map, parameters)
    wide = jnp.float64 if kinds[0] == "float64" else jnp.float32
    given = {n: p.astype(wide) if jnp.issubdtype(p.dtype, jnp.floating) else p for n, p in given.items()}
    groups = q.shape[1] != k.shape[1]
    options = AttentionOptions(
        causal=causal,
        lengths=lengths is not None,
        mask=mask is not None,
        normalize=normalize,
        eps=eps,
        dtype=kinds[0],
        heads=q.shape[1] if groups else None,
        kv_heads=k.shape[1] if groups else None,
    )
    shapes = {} if isinstance(feature_map, Preset) else {n: p.shape for n, p in given.items()}
    program = attention_program(feature_map, q.shape[-1], v.shape[-1], shapes, options)
    named = {"q": q, "k": k, "v": v, **given}
    for name, array in (("lengths", lengths), ("mask", mask)):
        if array is not None:
            named[name] = jnp.asarray(array)
    names = [a.name for a in program.function.arguments]
    if set(names) != set(named):
        raise InvalidArgumentError(
            f"expected arguments ({', '.join(names)}) of '{program.key}', but got ({', '.join(named)})"
        )
    return _operators.call(program.key, tuple(named[name] for name in names))[0]


def _named(feature_map: FeatureMap, parameters: Parameters) -> dict[str, jax.Array]:
    if isinstance(parameters, Mapping):
        return {name: jnp.asarray(p) for name, p in parameters.items()}
    if isinstance(feature_map, TracedMap):
        if len(parameters) != len(feature_map.parameters):
            raise InvalidArgumentError(
                f"expected {len(feature_map.parameters)} parameters ({', '.join(feature_map.parameters)}) of feature "
                f"map '{feature_map.name}', but got {len(parameters)}"
            )
        return {name: jnp.asarray(p) for name, p in zip(feature_map.parameters, parameters)}
    if len(parameters):
        raise InvalidArgumentError("expected parameters of a preset by name (a mapping), but got a sequence")
    return {}


def initial_parameters(feature_map: Preset, *, heads: int, head_dim: int, seed: int = 0) -> dict[str, Any]:
    """Initial values of a preset's parameters and draws by name, as the paper has them; float32 and integers.

    The same numbers as everywhere for one seed: they depend on seed and name alone.
    """
    options = AttentionOptions(heads=heads, kv_heads=heads)
    function = attention_program(feature_map, head_dim, head_dim, {}, options).function
    return {name: jnp.asarray(np.asarray(value)) for name, value in function.fill(seed=seed).items()}
