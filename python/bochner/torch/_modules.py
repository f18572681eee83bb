"""Attention as modules."""

from __future__ import annotations

import torch
from torch import nn

from bochner._errors import InvalidArgumentError
from bochner.torch._attention import kernel_attention_outputs
from bochner.torch._spectral import GaussianMixture, SpectralMap


class KernelAttention(nn.Module):
    """:func:`kernel_attention` with a map of its own.

    Args:
        spectral: the map.
        eps: is added to the sum of weights.
    """

    def __init__(self, spectral: SpectralMap, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.spectral = spectral
        self.eps = eps

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        *,
        causal: bool = False,
        lengths: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """``[B, H, N, M]`` of q ``[B, H, N, D]``, k ``[B, H, S, D]`` and v ``[B, H, S, M]``."""
        out, following = kernel_attention_outputs(
            q,
            k,
            v,
            self.spectral.feature_map(),
            self.spectral(),
            causal=causal,
            lengths=lengths,
            mask=mask,
            eps=self.eps,
        )
        for name, value in following.items():  # running statistics of a generator, in training
            setattr(self.spectral, name.replace("buf_after_", "buf_"), value.detach())
        return out


class MultiheadAttention(nn.Module):
    """Drop-in for :class:`torch.nn.MultiheadAttention` with a learned kernel instead of softmax.

    Has its parameters ``in_proj_weight``, ``in_proj_bias`` and ``out_proj`` with their names, shapes and initial
    values, so that weights of a softmax model load (``strict=False``: the map's own parameters are not among them).

    Args:
        embed_dim: the width E of queries, keys and values.
        num_heads: H; the head dimension is E / H.
        bias: projections have biases.
        batch_first: inputs are ``[B, N, E]`` instead of ``[N, B, E]``.
        spectral: the map; a :class:`GaussianMixture` ``gmm_prf`` if not given.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        bias: bool = True,
        batch_first: bool = False,
        spectral: SpectralMap | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise InvalidArgumentError(f"expected a multiple of {num_heads} heads as width, but got {embed_dim}")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.batch_first = batch_first
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim, device=device, dtype=dtype))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        nn.init.xavier_uniform_(self.in_proj_weight)
        if bias:
            nn.init.zeros_(self.out_proj.bias)
        self.attention = KernelAttention(spectral or GaussianMixture(heads=num_heads, head_dim=self.head_dim))

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:
        """The output and None: weights are never formed.

        Args:
            key_padding_mask: ``[B, S]`` bool, true where a key is to be ignored.
            need_weights: must be False.
            attn_mask: must be None, but for causal attention, where it is taken from ``is_causal``.

        Raises:
            InvalidArgumentError: weights or an arbitrary mask are asked for.
        """
        if need_weights:
            raise InvalidArgumentError("expected need_weights=False: linear attention forms no weights")
        if attn_mask is not None and not is_causal:
            raise InvalidArgumentError("expected attn_mask=None, or is_causal=True: other masks are not linear-time")
        batched = query.dim() == 3
        if not batched:
            query, key, value = (t.unsqueeze(0 if self.batch_first else 1) for t in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        if not self.batch_first:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        weights = self.in_proj_weight.chunk(3)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        heads = [
            nn.functional.linear(x, w, b).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
            for x, w, b in zip((query, key, value), weights, biases)
        ]
        mask = None if key_padding_mask is None else ~key_padding_mask
        out = self.attention(*heads, causal=is_causal, mask=mask)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if not self.batch_first:
            out = out.transpose(0, 1)
        return (out if batched else out.squeeze(0 if self.batch_first else 1)), None
