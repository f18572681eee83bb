"""Attention to a sequence that is split over the ranks of a process group of ``torch.distributed``.

Each rank has the rows of its part. What it tells the others is the state of its keys, whose size does not depend on
the number of rows: an all-reduce of one state if attention is not causal, an all-gather if it is. Results are those of
one process up to rounding, forward and backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist

from bochner._attention_graph import AttentionOptions
from bochner._errors import InvalidArgumentError
from bochner._feature_map import FeatureMap, TracedMap
from bochner._program import Program, attention_program, find
from bochner.torch import _operators
from bochner.torch._attention import Parameters, _call_dtype, _named


class _SumOverRanks(torch.autograd.Function):
    """The sum of all ranks' tensors. The gradient of each is the sum of all ranks' gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group = group
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _SumOverRanks.apply(gradient, ctx.group), None


class _OfAllRanks(torch.autograd.Function):
    """All ranks' tensors, stacked. Each rank gets the sum of what all ranks' gradients say of its own."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group = group
        gathered = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
        dist.all_gather(gathered, tensor.contiguous(), group=group)
        return torch.stack(gathered)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _SumOverRanks.apply(gradient, ctx.group)[dist.get_rank(ctx.group)], None


class _Replicated(torch.autograd.Function):
    """A tensor that all ranks have alike: its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group = group
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _SumOverRanks.apply(gradient, ctx.group), None


class _Scaled(torch.autograd.Function):
    """A state's S and z with r a constant, and the gradient that they have for this r.

    How a kernel scales a state is its choice, and another one's in the graph of its gradient. The program ``scaled``
    returns sums for an r that it is given: its gradient says what the gradient of S and z is.
    """

    @staticmethod
    def forward(ctx: Any, program: str, scaled: str, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sums, normalizer, maximum = _operators.call(_operators.attention, inputs, program)
        ctx.scaled = scaled
        ctx.save_for_backward(*inputs, maximum)
        ctx.mark_non_differentiable(maximum)
        return sums, normalizer, maximum

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        tensors, found = ctx.saved_tensors, find(ctx.scaled)
        wrt = tuple(i for i in found.differentiable if ctx.needs_input_grad[2 + i])
        gradients: list[torch.Tensor | None] = [None] * (1 + len(tensors))
        if wrt:
            inputs = [*tensors, *cotangents[:2]]
            for i, g in zip(wrt, _operators.call(_operators.attention_backward, inputs, found.gradient(wrt).key)):
                gradients[2 + i] = g
        return tuple(gradients)


def _exponents(state: Sequence[torch.Tensor]) -> torch.Tensor:
    """Binary logarithms of the scale of S and z; minus infinity where there is no key, whatever r says."""
    if len(state) == 2:
        return torch.zeros_like(state[1])
    return torch.where(state[1] == 0, -torch.inf, state[2])


def _scaled(state: Sequence[torch.Tensor], exponents: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """S and z side by side, ``[..., F, M + 1]``, scaled to the exponents ``largest``."""
    scale = torch.exp2(exponents - largest).unsqueeze(-1)
    return torch.cat([state[0], state[1].unsqueeze(-1)], -1) * scale


def _finite(exponents: torch.Tensor) -> torch.Tensor:
    return torch.where(torch.isinf(exponents), 0.0, exponents)


def _as_state(joined: torch.Tensor, largest: torch.Tensor, count: int) -> list[torch.Tensor]:
    return [joined[..., :-1].contiguous(), joined[..., -1].contiguous(), largest][:count]


def _merge_all(state: Sequence[torch.Tensor], group: Any) -> list[torch.Tensor]:
    """The state of all ranks' keys. The exponents cancel in the result, so they are constants to its gradient."""
    exponents = _exponents(state)
    largest = exponents.detach().clone()
    if len(state) == 3:
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=group)
    largest = _finite(largest)
    return _as_state(_SumOverRanks.apply(_scaled(state, exponents, largest), group), largest, len(state))


def _merge_before(state: Sequence[torch.Tensor], group: Any) -> list[torch.Tensor]:
    """The state of the keys of all ranks before this one: zeros, the state of no keys, on the first."""
    rank = dist.get_rank(group)
    parts = [s if s.dim() == 4 else s.unsqueeze(-1) for s in state]
    gathered = _OfAllRanks.apply(torch.cat(parts, -1), group)[:rank]
    width = state[0].shape[-1]
    sums, normalizers = gathered[..., :width], gathered[..., width]
    of_ranks = [sums, normalizers, *([gathered[..., width + 1]] if len(state) == 3 else [])]
    exponents = _exponents(of_ranks)
    none = torch.full_like(state[1], -torch.inf).unsqueeze(0)
    largest = _finite(torch.cat([none, exponents.detach()]).amax(0))
    return _as_state(_scaled(of_ranks, exponents, largest).sum(0), largest, len(state))


def kernel_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    feature_map: FeatureMap,
    parameters: Parameters = (),
    *,
    causal: bool = False,
    eps: float = 1e-6,
    group: Any = None,
) -> torch.Tensor:
    """Attention of this rank's queries to the keys of all ranks, or (``causal``) to those up to each query.

    A call on every rank of the group; parts are in the order of ranks and may differ in length. Gradients of parameters
    are complete on every rank, so they must not be summed once more.

    Args:
        q, k, v: this rank's part, ``[B, H, N, D]``, ``[B, H, N, D]`` and ``[B, H, N, M]``.
        feature_map: phi, of :func:`bochner.feature_map`.
        parameters: of the map, alike on all ranks.
        causal: a query sees keys up to its own position in the whole sequence.
        eps: is added to the sum of weights.
        group: a process group; the default group if not given.

    Returns:
        This rank's part of the output, ``[B, H, N, M]``.

    Raises:
        InvalidArgumentError: the map is a preset, or what :func:`bochner.torch.kernel_attention` raises.
    """
    if not isinstance(feature_map, TracedMap):
        raise InvalidArgumentError(
            "expected a traced map (bochner.feature_map): presets have no graph of a state alone"
        )
    dtype = _call_dtype(q, k, v)
    q, k, v = q.to(dtype), k.to(dtype), v.to(dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    given = {
        name: _Replicated.apply(p.to(wide), group) if p.is_floating_point() else p
        for name, p in _named(feature_map, parameters).items()
    }
    shapes = {name: tuple(p.shape) for name, p in given.items()}

    def program(form: str) -> Program:
        options = AttentionOptions(form=form, eps=eps, dtype=_operators.DTYPE_NAMES[dtype])
        return attention_program(feature_map, q.shape[-1], v.shape[-1], shapes, options)

    def inputs_of(found: Program, **tensors: torch.Tensor) -> list[torch.Tensor]:
        named = {**tensors, **given}
        return [named[argument.name] for argument in found.function.arguments]

    of_keys = program("state")
    inputs = inputs_of(of_keys, k=k, v=v)
    if feature_map.domain == "log":
        state = _Scaled.apply(of_keys.key, program("scaled_state").key, *inputs)
    else:
        state = _operators.call(_operators.attention, inputs, of_keys.key)
    merged = _merge_before(state, group) if causal else _merge_all(state, group)
    prefix = dict(zip(("prefix_sums", "prefix_normalizer", "prefix_maximum"), merged))
    last = program("resume" if causal else "apply")
    rows = {"q": q, "k": k, "v": v} if causal else {"q": q}
    return _operators.call(_operators.attention, inputs_of(last, **rows, **prefix), last.key)[0]
