"""Feature maps: those that the compiler knows, and those that a Python function states.

Both give the graph of an attention as MLIR text. Arguments are ``q``, ``k``, ``v`` of ``[B, H, N, D]``, then
``lengths`` and ``mask`` if asked for, then what the map takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bochner._attention_graph import AttentionOptions, TracedRegion, write_graph
from bochner._errors import InvalidArgumentError
from bochner._graph import graph
from bochner._trace import MLIR_TYPES, Tracer, Value


class FeatureMap:
    """Maps rows to features whose products estimate a kernel. See :func:`feature_map` and :func:`preset`."""

    name: str

    def attention(
        self,
        head_dim: int,
        value_dim: int,
        parameters: Mapping[str, Sequence[int]],
        options: AttentionOptions,
    ) -> str:
        """The graph of an attention with this map, with the function ``@attention``.

        Args:
            head_dim: D, the width of queries and keys.
            value_dim: M, the width of values.
            parameters: shapes of the map's parameters by name.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Preset(FeatureMap):
    """A map that the compiler knows, with its options as ``bochner-gen`` spells them."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def attention(
        self,
        head_dim: int,
        value_dim: int,
        parameters: Mapping[str, Sequence[int]],
        options: AttentionOptions,
    ) -> str:
        """See :meth:`FeatureMap.attention`; shapes of parameters follow from the options."""
        if options.form not in ("attention", "decode"):
            raise InvalidArgumentError(
                f"expected a traced map (bochner.feature_map) for form '{options.form}', but got preset '{self.name}'"
            )
        return graph(
            self.name,
            head_dim=head_dim,
            value_dim=value_dim,
            heads=options.heads,
            kv_heads=options.kv_heads,
            causal=options.causal and options.form != "decode",
            decode=options.form == "decode",
            lengths=options.lengths,
            mask=options.mask,
            normalize=options.normalize,
            eps=options.eps,
            dtype=MLIR_TYPES[options.dtype],
            **dict(self.options),
        )


def preset(name: str, **options: Any) -> Preset:
    """A feature map that the compiler knows; :func:`bochner.graph_options` lists names and options.

    ``preset("gmm_prf", features=256)`` takes ``param_mean [H, D]``, ``param_sigma [H, D]`` and ``rand_omega
    [D, 256]``; :attr:`bochner.Function.arguments` of a compiled graph says so for each.
    """
    return Preset(name, tuple(sorted(options.items())))


@dataclass(frozen=True, eq=False)
class TracedMap(FeatureMap):
    """A map that a Python function states."""

    function: Callable[..., Value]
    domain: str
    name: str
    integers: frozenset[str]
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = list(inspect.signature(self.function).parameters)
        if not names:
            raise InvalidArgumentError(f"expected feature map '{self.name}' to take rows, but it takes no argument")
        object.__setattr__(self, "parameters", tuple(names[1:]))
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def __call__(self, *args: Value) -> Value:
        """Uses the map within another one."""
        return self.function(*args)

    def attention(
        self,
        head_dim: int,
        value_dim: int,
        parameters: Mapping[str, Sequence[int]],
        options: AttentionOptions,
    ) -> str:
        """See :meth:`FeatureMap.attention`. A parameter's first dimension is the key head, or 1: shared."""
        missing = [name for name in self.parameters if name not in parameters]
        unknown = [name for name in parameters if name not in self.parameters]
        if missing or unknown:
            raise InvalidArgumentError(
                f"expected parameters ({', '.join(self.parameters)}) of feature map '{self.name}', but got "
                f"({', '.join(parameters)})"
            )
        element = MLIR_TYPES[options.dtype]
        wide = element if element == "f64" else "f32"
        tracer = Tracer(wide)
        rows = tracer.start(head_dim, element)
        inside = []
        for name, shape in parameters.items():
            if not shape:
                raise InvalidArgumentError(f"expected parameter '{name}' to begin with a dimension of heads, or 1")
            inside.append(tracer.parameter(f"%{name}", shape[1:], "i64" if name in self.integers else wide))
        features = self.function(rows, *inside)
        features = tracer.rows(features, f"the result of feature map '{self.name}'")
        traced = TracedRegion(self.name, self.domain, tracer, features, self.integers)
        return write_graph(traced, head_dim, value_dim, parameters, options)


def feature_map(
    function: Callable[..., Value] | None = None,
    *,
    domain: str = "linear",
    integers: Sequence[str] = (),
) -> Any:
    """Makes a feature map of a function of rows and parameters, which is compiled into the attention.

    The function is called with symbolic values (:mod:`bochner.features` has what applies to them): rows ``[N, D]`` and
    the parameters of one head. It returns the features of each row, ``[N, F]``. Gradients of rows and parameters are
    the compiler's.

    Args:
        domain: "linear" if the function returns features, "log" if it returns their logarithms; the attention then
            exponentiates with a running maximum, so that features of any size neither overflow nor underflow.
        integers: names of parameters that are integers, such as permutations.

    >>> @bochner.feature_map(domain="log")
    ... def positive(x, omega):
    ...     return x @ omega - features.sum(x * x)
    """
    if domain not in ("linear", "log"):
        raise InvalidArgumentError(f"expected domain to be 'linear' or 'log', but got '{domain}'")

    def make(f: Callable[..., Value]) -> TracedMap:
        return TracedMap(f, domain, f.__name__, frozenset(integers))

    return make if function is None else make(function)
