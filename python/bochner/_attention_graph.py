"""Graphs of attention around a traced feature region, as MLIR text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bochner._errors import InvalidArgumentError
from bochner._trace import MLIR_TYPES, Tracer, Value, number, tensor_type

#: What a graph computes, and what it takes beside the map's parameters.
FORMS = ("attention", "decode", "state", "scaled_state", "apply", "resume")


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
        form: "attention"; "decode", causal from a state and with the next one; "state", that of k and v; "apply", of a
            state to q; or "resume", causal from a state. A state is S ``[B, H, F, M]``, z ``[B, H, F]`` and, for maps
            of domain "log", r ``[B, H, F]``: sums are scaled by ``2^-r``, with r the kernel's choice. "scaled_state"
            takes r as ``scale`` and returns S and z, which is what has a gradient.
    """

    causal: bool = False
    lengths: bool = False
    mask: bool = False
    normalize: bool = True
    eps: float = 1e-6
    dtype: str = "float32"
    heads: int | None = None
    kv_heads: int | None = None
    form: str = "attention"


@dataclass(frozen=True)
class TracedRegion:
    """What tracing a function gave."""

    name: str
    domain: str
    tracer: Tracer
    features: Value
    integers: frozenset[str]


class _Signature:
    """Collects arguments."""

    def __init__(self) -> None:
        self.arguments: list[str] = []

    def add(self, name: str, shape: Sequence[int | None], dims: Sequence[str], element: str, value: str = "") -> str:
        """Adds an argument; ``%value : type``, as operands are written."""
        value, kind = value or f"%{name}", tensor_type(shape, element)
        self.arguments.append(f'{value}: {kind} {{bochner.name = "{name}", bochner.dims = {_list(dims)}}}')
        return f"{value} : {kind}"

    def add_all(self, entries: Sequence[tuple[str, Sequence[int | None], Sequence[str], str, str]]) -> str:
        """Adds several arguments; ``%a, %b : type, type``."""
        operands = [self.add(*entry).split(" : ") for entry in entries]
        return f"{', '.join(v for v, _ in operands)} : {', '.join(t for _, t in operands)}"


def write_graph(
    traced: TracedRegion,
    head_dim: int,
    value_dim: int,
    parameters: Mapping[str, Sequence[int]],
    options: AttentionOptions,
) -> str:
    """The module with the function ``@attention`` around a region."""
    if options.form not in FORMS:
        raise InvalidArgumentError(f"expected form to be one of {', '.join(FORMS)}, but got '{options.form}'")
    form, log = options.form, traced.domain == "log"
    element, wide = MLIR_TYPES[options.dtype], traced.tracer.element
    causal = options.causal or form in ("decode", "resume")
    shared = options.kv_heads in (None, options.heads)
    of_keys, key_heads = ("H", options.heads) if shared else ("K", options.kv_heads)
    positions = "N" if causal else "S"
    width = traced.features.shape[1]
    signature, clauses = _Signature(), []

    of_keys_only = form in ("state", "scaled_state")
    if not of_keys_only:
        operand = signature.add("q", (None, options.heads, None, head_dim), ("B", "H", "N", "D"), element)
        clauses.append(f"query({operand})")
    if form != "apply":
        operand = signature.add("k", (None, key_heads, None, head_dim), ("B", of_keys, positions, "D"), element)
        clauses.append(f"key({operand})")
        operand = signature.add("v", (None, key_heads, None, value_dim), ("B", of_keys, positions, "M"), element)
        clauses.append(f"value({operand})")
    if options.lengths:
        clauses.append(f"lengths({signature.add('lengths', (None,), ('B',), 'i64')})")
    if options.mask:
        clauses.append(f"mask({signature.add('mask', (None, None), ('B', positions), 'i1')})")

    state = [
        ("sums", (None, key_heads, width, value_dim), ("B", of_keys, "F", "M")),
        ("normalizer", (None, key_heads, width), ("B", of_keys, "F")),
        ("maximum", (None, key_heads, width), ("B", of_keys, "F")),
    ][: 3 if log else 2]
    prefix = "state" if form == "decode" else "prefix"
    if form in ("decode", "apply", "resume"):
        operand = signature.add_all([(f"{prefix}_{n}", shape, dims, wide, "") for n, shape, dims in state])
        clauses.append(f"{'state' if form == 'apply' else 'initial'}({operand})")

    inner = [f"%x: {tensor_type((None, head_dim), element)}"]
    outer = []
    for name, shape in parameters.items():
        kind = "i64" if name in traced.integers else wide
        of_head = (1, "1") if shape[0] == 1 else (key_heads, of_keys)
        dims = [of_head[1], *(f"{name}_{i}" for i in range(1, len(shape)))]
        outer.append((name, (of_head[0], *shape[1:]), dims, kind, f"%outer_{name}"))
        inner.append(f"%{name}: {tensor_type(shape[1:], kind)}")
    if outer:
        clauses.append(f"parameters({signature.add_all(outer)})")

    if form == "scaled_state":
        signature.add("scale", state[1][1], state[1][2], wide)

    results = []
    if not of_keys_only:
        results.append(("out", (None, options.heads, None, value_dim), ("B", "H", "N", "M"), element))
    if of_keys_only or form == "decode":
        results += [(f"state_{n}", shape, dims, wide) for n, shape, dims in state]
    return _assemble(traced, signature, clauses, inner, results, causal, options, head_dim, value_dim)


def _attributes(traced: TracedRegion, causal: bool, options: AttentionOptions) -> str:
    attributes = []
    if options.form not in ("state", "scaled_state"):
        attributes.append(f"eps = {number(options.eps)} : f64")
        attributes += [] if options.normalize else ["normalize = false"]
    attributes += ["domain = #spectral.domain<log>"] if traced.domain == "log" else []
    if causal and options.form not in ("state", "scaled_state", "apply"):
        attributes.append("causality = #spectral.causality<causal>")
    attributes += ["form = #spectral.form<recurrent>", "return_state"] if options.form == "decode" else []
    return "{" + ", ".join(attributes) + "}" if attributes else ""


def _assemble(
    traced: TracedRegion,
    signature: _Signature,
    clauses: Sequence[str],
    inner: Sequence[str],
    results: Sequence[tuple[str, Sequence[int | None], Sequence[str], str]],
    causal: bool,
    options: AttentionOptions,
    head_dim: int,
    value_dim: int,
) -> str:
    operations = {"state": "attention_state", "scaled_state": "attention_state", "apply": "apply_state"}
    operation = operations.get(options.form, "linear_attention")
    kinds = [tensor_type(shape, element) for _, shape, _, element in results]

    def result_attributes(name: str, dims: Sequence[str]) -> str:
        updates = f', bochner.updates = "{name}"' if options.form == "decode" and name != "out" else ""
        return f'{{bochner.name = "{name}", bochner.dims = {_list(dims)}{updates}}}'

    count = 2 if options.form == "scaled_state" else len(results)
    returned = ", ".join(
        f"{kind} {result_attributes(name, dims)}" for kind, (name, _, dims, _) in list(zip(kinds, results))[:count]
    )
    arguments = ",\n    ".join(signature.arguments)
    features = traced.features
    body = "\n      ".join([*traced.tracer.lines, f"spectral.yield {features._name} : {features.type}"])
    values = [f"%result{i}" for i in range(len(results))]
    rescale = ""
    if options.form == "scaled_state":
        rescale = _rescale(values, results, traced.tracer.element)
    last = ", ".join(f"{value}{'_scaled' if rescale else ''}" for value in values[:count])
    return (
        f"func.func @attention({arguments})\n    -> ({returned})\n"
        f'    attributes {{bochner.attributes = "attention=linear map={traced.name} features={features.shape[1]} '
        f'head_dim={head_dim} value_dim={value_dim} causal={int(causal)} dtype={MLIR_TYPES[options.dtype]}"}} {{\n'
        f"  {', '.join(values)} = spectral.{operation} {' '.join(clauses)}\n    {_attributes(traced, causal, options)} "
        f"features ({', '.join(inner)}) {{\n      {body}\n    }} -> {', '.join(kinds)}\n{rescale}"
        f"  return {last} : {', '.join(kinds[:count])}\n}}\n"
    )


def _rescale(
    values: Sequence[str], results: Sequence[tuple[str, Sequence[int | None], Sequence[str], str]], element: str
) -> str:
    """``sums 2^(r - scale)``: the same for every r that a kernel may choose."""
    lines = []
    for value, (_, shape, _, _) in zip(values[:2], results):
        kind, of_scale = tensor_type(shape, element), tensor_type(results[2][1], element)
        dims = ", ".join(f"d{i}" for i in range(len(shape)))
        whole, part = f"affine_map<({dims}) -> ({dims})>", f"affine_map<({dims}) -> (d0, d1, d2)>"
        iterators = ", ".join(['"parallel"'] * len(shape))
        lines.append(
            f"  {value}_scaled = linalg.generic {{indexing_maps = [{whole}, {part}, {part}, {whole}], "
            f"iterator_types = [{iterators}]}} ins({value}, {values[2]}, %scale : {kind}, {of_scale}, {of_scale}) "
            f"outs({value} : {kind}) {{ ^bb0(%a: {element}, %r: {element}, %s: {element}, %o: {element}): "
            f"%d = arith.subf %r, %s : {element} %e = math.exp2 %d : {element} %p = arith.mulf %a, %e : {element} "
            f"linalg.yield %p : {element} }} -> {kind}\n"
        )
    return "".join(lines)


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
