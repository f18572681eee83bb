"""What feature maps are made of: functions of the values that :func:`bochner.feature_map` passes.

Rows are ``[N, C]``; everything works on each row by itself. Operators (``+ - * / **``, comparisons, ``@`` with a
parameter matrix) broadcast rows, one number a row ``[N]``, column vectors ``[C]`` and scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bochner._trace import Operand, Value, number, refuse


def _tracer(*operands: Any):
    for operand in operands:
        if isinstance(operand, Value):
            return operand._tracer
    raise refuse(f"expected a value of the feature map, but got {', '.join(type(o).__name__ for o in operands)}")


def _unary(operation: str, x: Operand) -> Value:
    return _tracer(x).elementwise(operation, x)


def exp(x: Value) -> Value:
    """The exponential. In a map of domain "log" the operation exponentiates by itself."""
    return _unary("math.exp", x)


def log(x: Value) -> Value:
    """The natural logarithm."""
    return _unary("math.log", x)


def log1p(x: Value) -> Value:
    """``log(1 + x)``."""
    return _unary("math.log1p", x)


def cos(x: Value) -> Value:
    """The cosine."""
    return _unary("math.cos", x)


def sin(x: Value) -> Value:
    """The sine."""
    return _unary("math.sin", x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""
    return _unary("math.tanh", x)


def sqrt(x: Value) -> Value:
    """The square root."""
    return _unary("math.sqrt", x)


def rsqrt(x: Value) -> Value:
    """``1 / sqrt(x)``."""
    return _unary("math.rsqrt", x)


def abs(x: Value) -> Value:  # noqa: A001  NumPy's name
    """The absolute value."""
    return _unary("math.absf", x)


def maximum(x: Operand, y: Operand) -> Value:
    """The larger one of each pair of elements."""
    return _tracer(x, y).elementwise("arith.maximumf", x, y)


def minimum(x: Operand, y: Operand) -> Value:
    """The smaller one of each pair of elements."""
    return _tracer(x, y).elementwise("arith.minimumf", x, y)


def relu(x: Value) -> Value:
    """``max(x, 0)``."""
    return maximum(x, 0.0)


def where(condition: Value, x: Operand, y: Operand) -> Value:
    """``x`` where the comparison ``condition`` holds, else ``y``."""
    if not isinstance(condition, Value) or condition.element != "i1":
        raise refuse(f"expected a comparison as condition, but got {condition!r}")
    return _tracer(condition).select(condition, x, y)


def sum(x: Value) -> Value:  # noqa: A001  NumPy's name
    """The sum over the columns of each row, ``[N]``."""
    return _tracer(x).reduce("sum", x)


def max(x: Value) -> Value:  # noqa: A001  NumPy's name
    """The maximum over the columns of each row, ``[N]``."""
    return _tracer(x).reduce("max", x)


def min(x: Value) -> Value:  # noqa: A001  NumPy's name
    """The minimum over the columns of each row, ``[N]``."""
    return _tracer(x).reduce("min", x)


def matmul(x: Value, matrix: Value) -> Value:
    """``x [N, C] @ matrix [C, F]``, the matrix a parameter."""
    return _tracer(x).matmul(x, matrix)


def concatenate(parts: Sequence[Value]) -> Value:
    """Rows side by side: the columns of all parts."""
    return _tracer(*parts).concatenate(parts)


def trig(u: Value, *, amplitude: float = 1.0, groups: int = 1) -> Value:
    """``amplitude [cos u, sin u]`` of each of ``groups`` equal blocks of columns, ``[N, 2 C]``.

    Random kitchen sinks (Rahimi and Recht, 2007).
    """
    rows = _tracer(u).rows(u, "the operand of trig")
    attributes = f"{{amplitude = {number(amplitude)} : f64, groups = {int(groups)} : i64}}"
    return rows._tracer.spectral("trig", f"{rows._name} {attributes}", rows.type, 2 * rows.shape[1])


def log_positive(
    u: Value, x: Value, *, norm_factor: float = 1.0, count: int | None = None, symmetric: bool = False
) -> Value:
    """``u - norm_factor |x|^2 - log(count) / 2``, the logarithms of positive features, ``[N, C]``.

    With frequencies from a standard normal distribution the kernel is ``exp(x . y)`` for ``norm_factor=0.5`` and
    ``exp(-|x - y|^2 / 2)`` for 1 ("Rethinking Attention with Performers", 2020).

    Args:
        count: of the features that the kernel averages; as many as there are if not given.
        symmetric: features of ``-u`` as well, ``[N, 2 C]``.
    """
    tracer = _tracer(u, x)
    u, x = tracer.rows(u, "the projections"), tracer.rows(x, "the rows")
    width = u.shape[1] * (2 if symmetric else 1)
    attributes = f"count = {count or width} : i64, norm_factor = {number(norm_factor)} : f64"
    attributes += ", symmetric" if symmetric else ""
    return tracer.spectral("log_positive", f"{u._name}, {x._name} {{{attributes}}}", f"{u.type}, {x.type}", width)


def constant_feature(x: Value, value: float) -> Value:
    """Appends a column with a constant, which adds its square to the kernel; in domain "log" its logarithm."""
    rows = _tracer(x).rows(x, "the operand of constant_feature")
    attributes = f"{{value = {number(value)} : f64}}"
    return rows._tracer.spectral("constant_feature", f"{rows._name} {attributes}", rows.type, rows.shape[1] + 1)


def hadamard(x: Value) -> Value:
    """``x H`` with the unnormalized Walsh-Hadamard matrix of Sylvester order; C is a power of two."""
    rows = _tracer(x).rows(x, "the operand of hadamard")
    return rows._tracer.spectral("hadamard", rows._name, rows.type, rows.shape[1])


def fastfood(x: Value, scale: Value, gaussian: Value, signs: Value, permutation: Value) -> Value:
    """``C^(-1/2) S H G P H B x`` with diagonals S, G, B ``[C]`` and a permutation ``[C]``, all parameters.

    "Fastfood: Approximate Kernel Expansions in Loglinear Time" (2013). C is a power of two.
    """
    rows = _tracer(x).rows(x, "the operand of fastfood")
    for vector in (scale, gaussian, signs, permutation):
        if not isinstance(vector, Value) or vector.shape != rows.shape[1:]:
            raise refuse(f"expected vectors of {rows.shape[1]} elements, but got {vector!r}")
    operands = (
        f"{rows._name} scale({scale._name}) gaussian({gaussian._name}) signs({signs._name}) "
        f"permutation({permutation._name})"
    )
    return rows._tracer.spectral("fastfood", operands, f"{rows.type}, {scale.type}, {permutation.type}", rows.shape[1])
