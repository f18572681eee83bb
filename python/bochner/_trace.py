"""Traces a Python function of rows into the feature region of ``spectral.linear_attention``.

The function is called once with symbolic values; every operation on them appends a line of MLIR with the place in the
Python source, so that what the compiler says points there. A value is a tile of rows ``[N, C]``, one number a row
``[N]``, a column vector ``[C]``, a scalar, or a matrix ``[A, B]`` that only products take.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import Union

from bochner._errors import InvalidArgumentError

_PACKAGE = os.path.dirname(os.path.abspath(__file__))

#: MLIR's names of element types.
MLIR_TYPES = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "int64": "i64",
    "int32": "i32",
    "bool": "i1",
}

Operand = Union["Value", float, int]


def tensor_type(shape: Sequence[int | None], element: str) -> str:
    """``tensor<?x64xf32>`` of ``(None, 64)`` and ``"f32"``."""
    return "tensor<" + "".join(f"{'?' if size is None else size}x" for size in shape) + element + ">"


def source_location() -> tuple[str, int, int]:
    """File, line and column of the innermost caller outside of the package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.dirname(os.path.abspath(frame.f_code.co_filename)) == _PACKAGE:
        frame = frame.f_back
    column = 1
    if sys.version_info >= (3, 11) and frame.f_lasti >= 0:
        positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
        column = (positions[2] or 0) + 1
    return frame.f_code.co_filename, frame.f_lineno, column


def refuse(message: str) -> InvalidArgumentError:
    """An error of the user's function that begins with its place."""
    file, line, _ = source_location()
    return InvalidArgumentError(f"{file}:{line}: {message}")


def number(value: float) -> str:
    """A finite float as MLIR spells it."""
    text = repr(float(value))
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return text


class Value:
    """A symbolic array of a feature map: numbers, operators and the functions of :mod:`bochner.features` apply.

    Attributes:
        shape: ``(None, C)`` for a tile of rows, ``(None,)`` for one number a row, ``(C,)``, ``()`` or ``(A, B)``.
    """

    __array_priority__ = 1000  # NumPy's scalars leave operators to this class

    def __init__(self, tracer: Tracer, name: str, shape: tuple[int | None, ...], element: str, parameter: bool) -> None:
        self._tracer = tracer
        self._name = name
        self.shape = shape
        self.element = element
        self.is_parameter = parameter

    @property
    def type(self) -> str:
        """The value's type in MLIR."""
        return tensor_type(self.shape, self.element)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<bochner.Value {['N' if s is None else s for s in self.shape]}>"

    def __bool__(self) -> bool:
        raise refuse("expected no branch on a value that is known at run time only; use bochner.features.where")

    def __iter__(self):
        raise refuse("expected no loop over rows or columns; a feature map works on all of them at once")

    def __add__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.addf", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.addf", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.subf", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.subf", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.mulf", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.mulf", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.divf", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.divf", other, self)

    def __neg__(self) -> Value:
        return self._tracer.elementwise("arith.negf", self)

    def __abs__(self) -> Value:
        return self._tracer.elementwise("math.absf", self)

    def __pow__(self, exponent: float) -> Value:
        if not isinstance(exponent, (int, float)) or isinstance(exponent, bool):
            raise refuse(f"expected a number as exponent, but got {exponent!r}")
        if exponent == 2:
            return self * self
        if exponent == 0.5:
            return self._tracer.elementwise("math.sqrt", self)
        return self._tracer.elementwise("math.powf", self, float(exponent))

    def __gt__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.cmpf ogt,", self, other)

    def __ge__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.cmpf oge,", self, other)

    def __lt__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.cmpf olt,", self, other)

    def __le__(self, other: Operand) -> Value:
        return self._tracer.elementwise("arith.cmpf ole,", self, other)

    def __matmul__(self, matrix: Value) -> Value:
        return self._tracer.matmul(self, matrix)

    def sum(self) -> Value:
        """The sum over the columns of each row, ``[N]``."""
        return self._tracer.reduce("sum", self)

    def max(self) -> Value:
        """The maximum over the columns of each row, ``[N]``."""
        return self._tracer.reduce("max", self)

    def min(self) -> Value:
        """The minimum over the columns of each row, ``[N]``."""
        return self._tracer.reduce("min", self)


class Tracer:
    """Collects the lines of one region. ``element`` is what the map is computed in: f32 or f64."""

    _COMBINERS = {"sum": "arith.addf", "max": "arith.maximumf", "min": "arith.minimumf"}
    _STARTS = {  # what any number replaces; MLIR spells infinities by their bits
        "sum": {"f32": "0.0", "f64": "0.0"},
        "max": {"f32": "0xFF800000", "f64": "0xFFF0000000000000"},
        "min": {"f32": "0x7F800000", "f64": "0x7FF0000000000000"},
    }

    def __init__(self, element: str) -> None:
        self.element = element
        self.lines: list[str] = []
        self._count = 0
        self._row_count: str | None = None

    def fresh(self) -> str:
        """A name that no other value has."""
        self._count += 1
        return f"%t{self._count}"

    def emit(self, text: str, shape: tuple[int | None, ...], element: str | None = None) -> Value:
        """Appends ``%name = text`` and returns the value that it defines."""
        name = self.fresh()
        file, line, column = source_location()
        quoted = file.replace("\\", "\\\\").replace('"', '\\"')
        self.lines.append(f'{name} = {text} loc("{quoted}":{line}:{column})')
        return Value(self, name, shape, element or self.element, False)

    def start(self, width: int, element: str, name: str = "%x") -> Value:
        """The argument of rows; widened first if it has 16 bits."""
        rows = Value(self, name, (None, width), element, False)
        zero, self._row_count = self.fresh(), self.fresh()
        self.lines.append(f"{zero} = arith.constant 0 : index")
        self.lines.append(f"{self._row_count} = tensor.dim {name}, {zero} : {rows.type}")
        if element == self.element:
            return rows
        return self._structured([rows], (None, width), f"arith.extf %a0 : {element} to {self.element}", self.element)

    def parameter(self, name: str, shape: Sequence[int], element: str) -> Value:
        """An argument that is a parameter of one head."""
        return Value(self, name, tuple(shape), element, True)

    # ------------------------------------------------------------------ elementwise

    def _empty(self, shape: tuple[int | None, ...], element: str) -> Value:
        dynamic = f"{self._row_count}" if None in shape else ""
        return self.emit(f"tensor.empty({dynamic}) : {tensor_type(shape, element)}", shape, element)

    def _structured(
        self, operands: Sequence[Value], shape: tuple[int | None, ...], body: str, element: str, before: str = ""
    ) -> Value:
        loops = len(shape)
        dims = ", ".join(f"d{i}" for i in range(loops))

        def index_map(value_shape: tuple[int | None, ...]) -> str:
            if len(value_shape) == loops:
                results = dims
            elif not value_shape:
                results = ""
            else:
                results = "d0" if value_shape[0] is None else f"d{loops - 1}"
            return f"affine_map<({dims}) -> ({results})>"

        out = self._empty(shape, element)
        maps = ", ".join(index_map(o.shape) for o in [*operands, out])
        iterators = ", ".join(['"parallel"'] * loops)
        ins = (
            f"ins({', '.join(o._name for o in operands)} : {', '.join(o.type for o in operands)}) " if operands else ""
        )
        block = ", ".join([*(f"%a{i}: {o.element}" for i, o in enumerate(operands)), f"%o: {element}"])
        return self.emit(
            f"linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}} {ins}"
            f"outs({out._name} : {out.type}) {{ ^bb0({block}): {before}%r = {body} "
            f"linalg.yield %r : {element} }} -> {tensor_type(shape, element)}",
            shape,
            element,
        )

    def _broadcast(self, operands: Sequence[Value]) -> tuple[int | None, ...]:
        rows, columns = False, None
        for operand in operands:
            if operand.ndim == 2 and operand.shape[0] is not None:
                raise refuse(f"expected rows, vectors or scalars, but got a matrix {list(operand.shape)}; use @")
            rows = rows or None in operand.shape
            width = operand.shape[-1] if operand.shape and operand.shape[-1] is not None else None
            if width is not None:
                if columns is not None and columns != width:
                    raise refuse(f"expected operands with as many columns, but got {columns} and {width}")
                columns = width
        return ((None,) if rows else ()) + ((columns,) if columns is not None else ())

    def _own(self, operand: Operand) -> Value | float:
        if isinstance(operand, Value):
            if operand._tracer is not self:
                raise refuse("expected values of this feature map, but got one of another")
            return operand
        try:
            value = float(operand)
        except (TypeError, ValueError):
            kind = type(operand).__name__
            raise refuse(
                f"expected a value of the feature map or a number, but got {kind}; pass it as a parameter"
            ) from None
        if not math.isfinite(value):
            raise refuse(f"expected a finite number, but got {value}")
        return value

    def elementwise(self, operation: str, *given: Operand) -> Value:
        """Applies an operation of ``arith`` or ``math`` to each element, with broadcasting."""
        operands = [self._own(g) for g in given]
        tensors = [o for o in operands if isinstance(o, Value)]
        names, constants = [], ""
        for i, operand in enumerate(operands):
            if isinstance(operand, Value):
                names.append(f"%a{tensors.index(operand)}")
            else:
                constants += f"%c{i} = arith.constant {number(operand)} : {self.element} "
                names.append(f"%c{i}")
        element = "i1" if operation.startswith("arith.cmpf") else self.element
        return self._structured(
            tensors, self._broadcast(tensors), f"{operation} {', '.join(names)} : {self.element}", element, constants
        )

    def select(self, condition: Value, x: Operand, y: Operand) -> Value:
        """Elements of ``x`` where ``condition`` holds, else of ``y``."""
        return self.elementwise("arith.select", condition, x, y)

    # ------------------------------------------------------------------ rows

    def rows(self, value: Operand, what: str) -> Value:
        """``value`` if it is a tile of rows."""
        if not isinstance(value, Value) or value.ndim != 2 or value.shape[0] is not None:
            raise refuse(f"expected {what} to be rows [N, C], but got {value!r}")
        return value

    def matmul(self, rows: Value, matrix: Operand) -> Value:
        """``rows [N, C] @ matrix [C, F]``, the matrix a parameter."""
        rows = self.rows(rows, "the left operand of @")
        if not isinstance(matrix, Value) or matrix.ndim != 2 or not matrix.is_parameter:
            raise refuse(f"expected the right operand of @ to be a parameter [C, F], but got {matrix!r}")
        if matrix.shape[0] != rows.shape[1]:
            raise refuse(f"expected a matrix of {rows.shape[1]} rows, but got {list(matrix.shape)}")
        shape = (None, matrix.shape[1])
        zero = self.fresh()
        self.lines.append(f"{zero} = arith.constant 0.0 : {self.element}")
        kind = tensor_type(shape, self.element)
        empty = self._empty(shape, self.element)
        init = self.emit(f"linalg.fill ins({zero} : {self.element}) outs({empty._name} : {kind}) -> {kind}", shape)
        return self.emit(
            f"linalg.matmul ins({rows._name}, {matrix._name} : {rows.type}, {matrix.type}) "
            f"outs({init._name} : {kind}) -> {kind}",
            shape,
        )

    def reduce(self, kind: str, value: Value) -> Value:
        """A sum, maximum or minimum over the columns of each row."""
        rows = self.rows(value, f"the operand of {kind}")
        start = self.fresh()
        self.lines.append(f"{start} = arith.constant {self._STARTS[kind][self.element]} : {self.element}")
        result = tensor_type((None,), self.element)
        empty = self._empty((None,), self.element)
        init = self.emit(
            f"linalg.fill ins({start} : {self.element}) outs({empty._name} : {result}) -> {result}", (None,)
        )
        return self.emit(
            "linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], "
            f'iterator_types = ["parallel", "reduction"]}} ins({rows._name} : {rows.type}) '
            f"outs({init._name} : {result}) {{ ^bb0(%a: {self.element}, %o: {self.element}): "
            f"%r = {self._COMBINERS[kind]} %o, %a : {self.element} linalg.yield %r : {self.element} }} -> {result}",
            (None,),
        )

    def concatenate(self, parts: Sequence[Value]) -> Value:
        """Rows side by side: the columns of all parts."""
        tiles = [self.rows(part, f"part {i}") for i, part in enumerate(parts)]
        if not tiles:
            raise refuse("expected at least one part")
        if len(tiles) == 1:
            return tiles[0]
        shape = (None, sum(tile.shape[1] or 0 for tile in tiles))
        names, kinds = ", ".join(t._name for t in tiles), ", ".join(t.type for t in tiles)
        return self.emit(f"tensor.concat dim(1) {names} : ({kinds}) -> {tensor_type(shape, self.element)}", shape)

    def spectral(self, operation: str, operands: str, kinds: str, width: int) -> Value:
        """An operation of the dialect that yields rows of ``width`` columns."""
        shape = (None, width)
        return self.emit(f"spectral.{operation} {operands} : {kinds} -> {tensor_type(shape, self.element)}", shape)
