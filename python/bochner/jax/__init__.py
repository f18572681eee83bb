"""Kernelized attention for JAX, on the CPU: ``jit``, ``grad`` (any number of times), ``vmap`` and ``export``.

>>> import bochner, bochner.jax as bj
>>> phi = bochner.preset("gmm_prf", features=256)
>>> parameters = bj.initial_parameters(phi, heads=8, head_dim=64)
>>> out = bj.kernel_attention(q, k, v, phi, parameters, causal=True)  # [B, H, N, 64]
"""

from bochner.jax._attention import initial_parameters, kernel_attention

__all__ = ["initial_parameters", "kernel_attention"]
