"""Feature maps as modules: what they learn, what they draw, and when they draw it again.

A :class:`SpectralMap` holds the arguments of a preset beside q, k and v: ``param_...`` as parameters with the paper's
initial values, ``rand_...`` (draws) and ``buf_...`` (running statistics) as buffers, which are saved and loaded. Names
and initial values come from the graph itself, so that a map that the compiler learns needs no module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from bochner._attention_graph import AttentionOptions
from bochner._context import default_context
from bochner._errors import InvalidArgumentError
from bochner._feature_map import FeatureMap, preset
from bochner._module import TensorInfo
from bochner._program import attention_program
from bochner.torch._operators import DTYPES


def orthogonal_frequencies(rows: int, columns: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Frequencies ``[rows, columns]`` whose columns are orthogonal in blocks of ``rows``, float64.

    Directions are those of a uniformly distributed orthogonal matrix, lengths independent and chi-distributed with
    ``rows`` degrees of freedom, so that each column is standard normal ("Orthogonal Random Features", 2016).
    """
    blocks = []
    for start in range(0, columns, rows):
        square = torch.randn(rows, rows, dtype=torch.float64, generator=generator)
        directions, triangle = torch.linalg.qr(square)
        # The signs of R's diagonal make the decomposition unique and Q uniform.
        directions = directions * torch.sign(torch.diagonal(triangle))
        lengths = torch.randn(rows, rows, dtype=torch.float64, generator=generator).norm(dim=0)
        blocks.append((directions * lengths)[:, : min(rows, columns - start)])
    return torch.cat(blocks, 1)


class SpectralMap(torch.nn.Module):
    """A preset with its parameters and draws.

    Args:
        name: of the preset, such as "gmm_prf".
        heads: H, the number of key heads.
        head_dim: D.
        redraw: draw again at every n-th call: 1 (the paper's), or 0 never.
        redraw_in_eval: draw in evaluation mode too, as the paper's code does; outputs are then noisy.
        orthogonal: draw base frequencies in orthogonal blocks.
        options: of the preset, such as ``features=256``.

    Draws come from PyTorch's generator of the CPU, so ``torch.manual_seed`` makes them reproducible, and ranks that
    are seeded alike draw alike. ``torch.compile`` cannot follow them: for one graph of a training step use
    ``redraw=0`` and call :meth:`draw` between steps.
    """

    def __init__(
        self,
        name: str,
        *,
        heads: int,
        head_dim: int,
        redraw: int = 1,
        redraw_in_eval: bool = False,
        orthogonal: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if redraw < 0:
            raise InvalidArgumentError(f"expected 'redraw' to be at least 0, but got {redraw}")
        self.name, self.heads, self.head_dim = name, heads, head_dim
        self.redraw, self.redraw_in_eval, self.orthogonal = redraw, redraw_in_eval, orthogonal
        self._maps = {training: preset(name, **options, **self._mode(training)) for training in (True, False)}
        # Bounds of initial values depend on the number of heads.
        given = AttentionOptions(heads=heads, kv_heads=heads)
        function = attention_program(self._maps[False], head_dim, head_dim, {}, given).function
        self._infos = {a.name: a for a in function.arguments if a.name not in ("q", "k", "v")}
        self._drawn: list[str] = [n for n in self._infos if n.startswith("rand_")]
        for argument, info in self._infos.items():
            value = self._draw(info)
            if argument.startswith("param_"):
                self.register_parameter(argument, torch.nn.Parameter(value))
            else:
                self.register_buffer(argument, value)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def _mode(self, training: bool) -> dict[str, Any]:
        """Generators use their running statistics in evaluation."""
        return {"eval": True} if self.name.startswith("generator") and not training else {}

    def _shape(self, info: TensorInfo) -> list[int]:
        sizes = {"H": self.heads}
        return [s if s is not None else sizes[n] for n, s in zip(info.dims or (), info.shape)]

    def _draw(self, info: TensorInfo) -> torch.Tensor:
        """A value as the graph's initializer says."""
        shape = self._shape(info)
        if self.orthogonal and info.name == "rand_omega":
            return orthogonal_frequencies(*shape).to(DTYPES[info.dtype])
        if not info.init:
            # Running statistics of a generator have their usual beginning.
            fill = torch.ones if info.name.endswith("var") else torch.zeros
            return fill(shape, dtype=DTYPES[info.dtype])
        seed = int(torch.randint(2**62, ()))
        tensor = default_context().fill(info.init, shape, info.dtype, seed, info.name)
        return torch.from_dlpack(tensor)

    def feature_map(self) -> FeatureMap:
        """The preset of the present mode."""
        return self._maps[self.training]

    @torch.no_grad()
    def draw(self) -> None:
        """Draws all that is random and not a parameter again."""
        for name in self._drawn:
            # Another tensor, not the same one overwritten: a gradient may still be asked for that needs the old draw.
            setattr(self, name, self._draw(self._infos[name]).to(getattr(self, name)))

    @torch.compiler.disable
    def _count_and_draw(self) -> None:
        if int(self.calls) % self.redraw == 0 and int(self.calls):
            self.draw()
        self.calls += 1

    def forward(self) -> Mapping[str, torch.Tensor]:
        """The map's arguments by name, drawn again if it is time."""
        if self._drawn and self.redraw and (self.training or self.redraw_in_eval):
            self._count_and_draw()
        return {name: getattr(self, name) for name in self._infos}

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.name}, heads={self.heads}, head_dim={self.head_dim}, redraw={self.redraw}"


class GaussianMixture(SpectralMap):
    """One learned Gaussian per head: ``gmm_prf`` (positive features, diagonal covariance), ``gmm_rks`` (trigonometric
    features, full covariance) or ``gmm_prf_hyperbolic``, GMM-PRF and GMM-RKS of the paper."""

    def __init__(self, name: str = "gmm_prf", **options: Any) -> None:
        if not name.startswith("gmm_"):
            raise InvalidArgumentError(f"expected gmm_prf, gmm_rks or gmm_prf_hyperbolic, but got {name}")
        super().__init__(name, **options)


class FastFood(SpectralMap):
    """Frequencies of diagonals, Hadamard matrices and a permutation, the diagonals learned: ``fastfood_prf`` or
    ``fastfood_rks``. The head dimension is a power of two."""

    def __init__(self, name: str = "fastfood_prf", **options: Any) -> None:
        if not name.startswith("fastfood_"):
            raise InvalidArgumentError(f"expected fastfood_prf or fastfood_rks, but got {name}")
        super().__init__(name, **options)


class Generator(SpectralMap):
    """Frequencies that a learned network makes of noise: ``generator_prf`` or ``generator_rks``."""

    def __init__(self, name: str = "generator_prf", **options: Any) -> None:
        if not name.startswith("generator_"):
            raise InvalidArgumentError(f"expected generator_prf or generator_rks, but got {name}")
        super().__init__(name, **options)


class OrthogonalGaussian(SpectralMap):
    """Fixed frequencies in orthogonal blocks: ``favor`` (the softmax kernel, redrawn every 1000 calls as Performers
    do), ``gaussian_prf`` or ``rff`` (the Gaussian kernel)."""

    def __init__(self, name: str = "favor", *, redraw: int = 1000, **options: Any) -> None:
        super().__init__(name, redraw=redraw, orthogonal=True, **options)
