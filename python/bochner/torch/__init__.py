"""Kernelized attention for PyTorch: operators with autograd, fake, vmap and autocast, and modules.

>>> import torch, bochner.torch as bt
>>> attention = bt.KernelAttention(bt.GaussianMixture("gmm_prf", heads=8, head_dim=64, features=256))
>>> out = attention(q, k, v, causal=True)  # [B, H, N, 64]
"""

from bochner.torch._attention import kernel_attention, kernel_attention_step, program
from bochner.torch._modules import KernelAttention, MultiheadAttention
from bochner.torch._spectral import FastFood, GaussianMixture, Generator, OrthogonalGaussian, SpectralMap

__all__ = [
    "FastFood",
    "GaussianMixture",
    "Generator",
    "KernelAttention",
    "MultiheadAttention",
    "OrthogonalGaussian",
    "SpectralMap",
    "kernel_attention",
    "kernel_attention_step",
    "program",
]
