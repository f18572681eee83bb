"""Attention as functions of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from functools import lru_cache
from typing import Any, Union

import torch

from bochner._attention_graph import AttentionOptions
from bochner._errors import InvalidArgumentError
from bochner._feature_map import FeatureMap, Preset, TracedMap
from bochner._program import Program, attention_program
from bochner.torch import _operators

Parameters = Union[Mapping[str, torch.Tensor], Sequence[torch.Tensor]]


def _named(feature_map: FeatureMap, parameters: Parameters) -> dict[str, torch.Tensor]:
    if isinstance(parameters, Mapping):
        return dict(parameters)
    if isinstance(feature_map, TracedMap):
        if len(parameters) != len(feature_map.parameters):
            raise InvalidArgumentError(
                f"expected {len(feature_map.parameters)} parameters ({', '.join(feature_map.parameters)}) of feature "
                f"map '{feature_map.name}', but got {len(parameters)}"
            )
        return dict(zip(feature_map.parameters, parameters))
    if parameters:
        raise InvalidArgumentError("expected parameters of a preset by name (a mapping), but got a sequence")
    return {}


@lru_cache(maxsize=1024)
def _plan(
    feature_map: FeatureMap,
    head_dim: int,
    value_dim: int,
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    options: tuple[bool | int | float | str | None, ...],
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Key of the program, names of its arguments and of its results.

    Options come as a tuple: dynamo hands an object that is made in the traced code over with its default values.
    """
    program = attention_program(feature_map, head_dim, value_dim, dict(shapes), AttentionOptions(*options))
    function = program.function
    return program.key, tuple(a.name for a in function.arguments), tuple(r.name for r in function.results)


@torch._dynamo.assume_constant_result
def _constant_plan(*arguments: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """:func:`_plan` as a constant of compiled graphs."""
    return _plan(*arguments)


def program(
    feature_map: FeatureMap,
    *,
    head_dim: int,
    value_dim: int | None = None,
    parameters: Mapping[str, Sequence[int]] | None = None,
    options: AttentionOptions | None = None,
) -> Program:
    """The program that :func:`kernel_attention` calls, for a look at its arguments, IR and compile time.

    Args:
        parameters: shapes by name; a preset's follow from its options.
    """
    return attention_program(
        feature_map, head_dim, value_dim or head_dim, dict(parameters or {}), options or AttentionOptions()
    )


def _call_dtype(*tensors: torch.Tensor) -> torch.dtype:
    """The type of q, k and v: autocast's if it is on, else their own."""
    device = tensors[0].device.type
    if torch.is_autocast_enabled(device) and tensors[0].dtype != torch.float64:
        return torch.get_autocast_dtype(device)
    dtype = tensors[0].dtype
    if not tensors[1].dtype == tensors[2].dtype == dtype:
        kinds = ", ".join(str(t.dtype) for t in tensors)
        raise InvalidArgumentError(f"expected q, k and v of one type, but got {kinds}")
    if dtype not in _operators.DTYPE_NAMES or not dtype.is_floating_point:
        raise InvalidArgumentError(f"expected q, k and v of a float type, but got {dtype}")
    return dtype


def _arguments(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    feature_map: FeatureMap,
    parameters: Parameters,
    options: tuple[bool | int | float | str | None, ...],
    extra: Mapping[str, torch.Tensor],
) -> tuple[list[torch.Tensor], str, tuple[str, ...]]:
    """Inputs of the operator in order, the key of its program, and the names of its results."""
    if not q.dim() == k.dim() == v.dim() == 4:
        ranks = ", ".join(str(t.dim()) for t in (q, k, v))
        raise InvalidArgumentError(f"expected q, k and v of [B, H, N, D], but got ranks {ranks}")
    given = _named(feature_map, parameters)
    wide = torch.float64 if q.dtype == torch.float64 else torch.float32
    for name, parameter in given.items():
        if parameter.dtype != wide and parameter.is_floating_point():
            given[name] = parameter.to(wide)
    shapes = () if isinstance(feature_map, Preset) else tuple((n, tuple(p.shape)) for n, p in given.items())
    plan = _constant_plan if torch.compiler.is_compiling() else _plan
    key, names, results = plan(feature_map, q.shape[-1], v.shape[-1], shapes, options)
    named = {"q": q, "k": k, "v": v, **given, **extra}
    if named.keys() != set(names):
        raise InvalidArgumentError(f"expected arguments ({', '.join(names)}) of '{key}', but got ({', '.join(named)})")
    return [named[name] for name in names], key, results


def kernel_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    feature_map: FeatureMap,
    parameters: Parameters = (),
    *,
    causal: bool = False,
    lengths: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    normalize: bool = True,
    eps: float = 1e-6,
) -> torch.Tensor:
    """Attention with the kernel ``phi(q) . phi(k)``, in time linear in the number of positions.

    ``out_l = sum_s m_s (phi(q_l) . phi(k_s)) v_s / (sum_s m_s phi(q_l) . phi(k_s) + eps)`` ("Transformers are RNNs",
    2020, equations 4 and 5), features computed tile by tile and never stored, neither for the gradient.

    Differentiable any number of times with respect to q, k, v and parameters (``param_...`` of presets). Under autocast
    q, k and v are cast; parameters stay float32.

    Args:
        q: ``[B, H, N, D]``, float64, float32, bfloat16 or float16; any strides.
        k: ``[B, K, S, D]``, K the number of key heads: H, or a divisor of it.
        v: ``[B, K, S, M]``.
        feature_map: phi, of :func:`bochner.feature_map` or :func:`bochner.preset`.
        parameters: of the map, by name or (traced maps) in its order; float64 if q is, else float32. A traced map's
            begin with a dimension of heads, or 1.
        causal: a query sees keys up to its own position; S = N.
        lengths: ``[B]`` int64, the number of keys of each batch entry.
        mask: ``[B, S]`` bool, true where a key is there.
        normalize: divide by the sum of weights.
        eps: is added to that sum.

    Returns:
        ``[B, H, N, M]`` of the type of q; 0 in rows that see no key.

    Raises:
        InvalidArgumentError: shapes, types or parameters do not fit.
    """
    out, _ = kernel_attention_outputs(
        q,
        k,
        v,
        feature_map,
        parameters,
        causal=causal,
        lengths=lengths,
        mask=mask,
        normalize=normalize,
        eps=eps,
    )
    return out


def kernel_attention_outputs(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    feature_map: FeatureMap,
    parameters: Parameters = (),
    *,
    causal: bool = False,
    lengths: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    normalize: bool = True,
    eps: float = 1e-6,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """:func:`kernel_attention`, and by name what else its graph returns: the next running statistics of generators."""
    dtype = _call_dtype(q, k, v)
    if not q.dtype == k.dtype == v.dtype == dtype:
        q, k, v = q.to(dtype), k.to(dtype), v.to(dtype)
    groups = q.shape[1] != k.shape[1]
    heads = (int(q.shape[1]), int(k.shape[1])) if groups else (None, None)
    kind = _operators.DTYPE_NAMES[dtype]
    options = (causal, lengths is not None, mask is not None, normalize, eps, kind, *heads, "attention")
    extra = {n: t for n, t in (("lengths", lengths), ("mask", mask)) if t is not None}
    inputs, key, results = _arguments(q, k, v, feature_map, parameters, options, extra)
    values = _operators.call(_operators.attention, inputs, key)
    return values[0], dict(zip(results[1:], values[1:])) if len(results) > 1 else {}


def kernel_attention_step(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    state: Sequence[torch.Tensor] | None,
    feature_map: FeatureMap,
    parameters: Parameters = (),
    *,
    eps: float = 1e-6,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Causal attention of new positions to those that ``state`` sums up, and to each other: a step of decoding.

    Runs over parts of a sequence, each with the state that the one before returned, equal a run over all of it.

    Args:
        q, k, v: ``[B, H, N, D]``, ``[B, H, N, D]`` and ``[B, H, N, M]``, the new positions, often N = 1.
        state: what the step before returned; None before the first.
        feature_map: phi.
        parameters: of the map, as for :func:`kernel_attention`.
        eps: is added to the sum of weights.

    Returns:
        The output ``[B, H, N, M]`` and the next state: S ``[B, H, F, M]``, z ``[B, H, F]`` and, for maps of domain
        "log", r ``[B, H, F]``.
    """
    options = AttentionOptions(causal=True, form="decode", eps=eps, dtype=_operators.DTYPE_NAMES[_call_dtype(q, k, v)])
    shapes = tuple((n, tuple(p.shape)) for n, p in _named(feature_map, parameters).items())
    program = attention_program(feature_map, q.shape[-1], v.shape[-1], dict(shapes), options)
    infos = [a for a in program.function.arguments if a.name.startswith("state_")]
    if state is None:
        sizes = {"B": q.shape[0], "H": q.shape[1]}
        state = [
            q.new_zeros(
                [s if s is not None else sizes[n] for n, s in zip(i.dims or (), i.shape)],
                dtype=_operators.DTYPES[i.dtype],
            )
            for i in infos
        ]
    extra = {i.name: s for i, s in zip(infos, state)}
    inputs, key, _ = _arguments(q, k, v, feature_map, parameters, astuple(options), extra)
    out, *following = _operators.call(_operators.decode, inputs, key)
    return out, following
