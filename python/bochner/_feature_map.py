"""Feature maps: those that the compiler knows, and those that a Python function states.

Both give the graph of an attention as MLIR text. Arguments are ``q``, ``k``, ``v`` of ``[B, H, N, D]``, then
``lengths`` and ``mask`` if asked for, then what the map takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bochner._errors import InvalidArgumentError
from bochner._graph import graph
from bochner._trace import MLIR_TYPES, Tracer, Value, number, tensor_type


@dataclass(frozen=True)
class AttentionOptions:
    """What stands around a feature map.

    Attributes:
        causal: a query sees keys up to its own position.
        lengths: take the number of keys of each batch entry.
        mask: take a mask ``[B, S]`` of keys, true where a key is there.
        normalize: divide by the sum of weights.
        eps: is added to the denominator, unscaled.
        dtype: of q, k, v and the output: "float32", "float64", "bfloat16" or "float16". Parameters of 16-bit graphs
            are float32.
        heads: number of query heads; any if not given.
        kv_heads: number of heads of keys and values, if groups of ``heads`` query heads share them.
        decode: take a state and return the next one.
    """

    causal: bool = False
    lengths: bool = False
    mask: bool = False
    normalize: bool = True
    eps: float = 1e-6
    dtype: str = "float32"
    heads: int | None = None
    kv_heads: int | None = None
    decode: bool = False


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
        return graph(
            self.name,
            head_dim=head_dim,
            value_dim=value_dim,
            heads=options.heads,
            kv_heads=options.kv_heads,
            causal=options.causal and not options.decode,
            decode=options.decode,
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
        if options.decode:
            raise InvalidArgumentError("expected a preset: traced maps take no state yet")
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
        return self._write(tracer, features, head_dim, value_dim, parameters, options)

    def _write(
        self,
        tracer: Tracer,
        features: Value,
        head_dim: int,
        value_dim: int,
        parameters: Mapping[str, Sequence[int]],
        options: AttentionOptions,
    ) -> str:
        element, wide = MLIR_TYPES[options.dtype], tracer.element
        key_heads = "H" if options.kv_heads in (None, options.heads) else "K"
        arguments: list[tuple[str, str, list[str], str]] = []

        def add(name: str, shape: Sequence[int | None], dims: list[str], kind: str, argument: str | None = None) -> str:
            text = tensor_type(shape, kind)
            arguments.append((name, text, dims, argument or name))
            return text

        keys = "N" if options.causal else "S"
        query = add("q", (None, options.heads, None, head_dim), ["B", "H", "N", "D"], element)
        key_head = options.kv_heads or options.heads
        key = add("k", (None, key_head, None, head_dim), ["B", key_heads, keys, "D"], element)
        value = add("v", (None, key_head, None, value_dim), ["B", key_heads, keys, "M"], element)
        clauses = [f"query(%q : {query})", f"key(%k : {key})", f"value(%v : {value})"]
        if options.lengths:
            clauses.append(f"lengths(%lengths : {add('lengths', (None,), ['B'], 'i64')})")
        if options.mask:
            clauses.append(f"mask(%mask : {add('mask', (None, None), ['B', keys], 'i1')})")
        outer, inner = [], [f"%x: {tensor_type((None, head_dim), element)}"]
        for name, shape in parameters.items():
            kind = "i64" if name in self.integers else wide
            head = 1 if shape[0] == 1 else key_head
            dims = ["1" if shape[0] == 1 else key_heads] + [f"{name}_{i}" for i in range(1, len(shape))]
            outer.append((f"%outer_{name}", add(name, (head, *shape[1:]), dims, kind, f"outer_{name}")))
            inner.append(f"%{name}: {tensor_type(shape[1:], kind)}")
        if outer:
            clauses.append(f"parameters({', '.join(n for n, _ in outer)} : {', '.join(t for _, t in outer)})")
        attributes = [f"eps = {number(options.eps)} : f64"]
        if self.domain == "log":
            attributes.append("domain = #spectral.domain<log>")
        if options.causal:
            attributes.append("causality = #spectral.causality<causal>")
        if not options.normalize:
            attributes.append("normalize = false")
        result = tensor_type((None, options.heads, None, value_dim), element)
        signature = ",\n    ".join(
            f'%{argument}: {kind} {{bochner.name = "{name}", bochner.dims = {_list(dims)}}}'
            for name, kind, dims, argument in arguments
        )
        body = "\n      ".join([*tracer.lines, f"spectral.yield {features._name} : {features.type}"])
        return (
            f"func.func @attention({signature})\n"
            f'    -> ({result} {{bochner.name = "out", bochner.dims = ["B", "H", "N", "M"]}})\n'
            f'    attributes {{bochner.attributes = "attention=linear map={self.name} features={features.shape[1]} '
            f'head_dim={head_dim} value_dim={value_dim} causal={int(options.causal)} dtype={element}"}} {{\n'
            f"  %out = spectral.linear_attention {' '.join(clauses)}\n    {{{', '.join(attributes)}}} "
            f"features ({', '.join(inner)}) {{\n      {body}\n    }} -> {result}\n"
            f"  return %out : {result}\n}}\n"
        )


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


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
