"""Compiled modules and their functions."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bochner import _core
from bochner._context import call_threads, default_context
from bochner._convert import converter
from bochner._errors import Diagnostic, InvalidArgumentError, NotFoundError

_SHORT = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "bool": "i1"}


class TensorInfo(NamedTuple):
    """An argument or a result of a function."""

    name: str
    dtype: str  #: "float32", ...
    shape: tuple[int | None, ...]  #: None where the caller decides
    init: str  #: how to fill the argument if it is not given, as docs/Running.md lists; "" if it must be given
    dims: tuple[str, ...] | None  #: names of the dimensions: equal names, equal sizes

    def __str__(self) -> str:
        names = self.dims or ("?",) * len(self.shape)
        shape = ", ".join(str(n) if n is not None else d for n, d in zip(self.shape, names))
        return f"{self.name}: {_SHORT.get(self.dtype, self.dtype)}[{shape}]"


class Timing(NamedTuple):
    """Times of repeated calls in milliseconds."""

    median_ms: float
    min_ms: float
    runs: int


class Function:
    """A compiled function. Call it with arrays in the order of :attr:`arguments`, or by name.

    Results are arrays of the kind of the first argument: NumPy, PyTorch and JAX arrays, otherwise
    :class:`bochner.Tensor`. One result comes alone, several as a tuple. Arguments are not copied; they are on the CPU,
    with any strides but a contiguous last dimension.
    """

    def __init__(self, core: _core.Function, module: Module) -> None:
        self._core = core
        self._module = module
        self._invoke = core.invoke
        self.name = core.name
        self.attributes = core.attributes
        self.arguments = tuple(TensorInfo(*a) for a in core.arguments())
        self.results = tuple(TensorInfo(*r) for r in core.results())
        self._positions = {a.name: i for i, a in enumerate(self.arguments)}

    @property
    def signature(self) -> str:
        """For example ``attention(q: f32[B, H, N, 64], ...) -> (out: f32[B, H, N, 64])``."""
        arguments = ", ".join(map(str, self.arguments))
        results = ", ".join(map(str, self.results))
        return f"{self.name}({arguments}) -> ({results})"

    def __repr__(self) -> str:
        return f"<bochner.Function {self.signature}>"

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        if len(args) == len(self.arguments) and not kwargs:
            return args
        if len(args) > len(self.arguments):
            raise InvalidArgumentError(
                f"expected at most {len(self.arguments)} arguments of '{self.name}', but got {len(args)}"
            )
        bound: list[Any] = list(args) + [None] * (len(self.arguments) - len(args))
        for name, array in kwargs.items():
            position = self._positions.get(name)
            if position is None:
                known = ", ".join(self._positions)
                raise InvalidArgumentError(f"expected the name of an argument ({known}), but got '{name}'")
            if position < len(args):
                raise InvalidArgumentError(f"expected '{name}' once, but got it by position and by name")
            bound[position] = array
        missing = [a.name for a, value in zip(self.arguments, bound) if value is None]
        if missing:
            raise InvalidArgumentError(f"expected arrays for {', '.join(missing)} of '{self.name}', but got none")
        return bound

    def __call__(self, *args: Any, out: Any = None, threads: int | None = None, **kwargs: Any) -> Any:
        """Calls the function.

        Args:
            out: an array, or a sequence of as many as there are results, to be written to; these are returned.
            threads: at most so many, instead of what :func:`bochner.set_num_threads` says; 0: all.

        Raises:
            InvalidArgumentError: shapes, types or strides do not fit. Nothing was written.
            UnavailableError: the code needs a CPU feature that this machine lacks.
        """
        inputs = self._bind(args, kwargs)
        count = call_threads() if threads is None else threads
        if out is not None:
            outputs = out if isinstance(out, (list, tuple)) else (out,)
            self._core.invoke_into(inputs, outputs, count)
            return out
        results = self._invoke(inputs, count)
        convert = converter(inputs[0]) if inputs else None
        if convert is not None:
            results = [convert(r) for r in results]
        return results[0] if len(results) == 1 else tuple(results)

    def fill(self, *, seed: int = 0, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Initial values of all arguments that have an initializer (parameters, draws), by name.

        The same bits on every machine; see docs/Running.md for the initializers.

        Args:
            seed: with the name of the argument, the key of random numbers.
            sizes: of dimensions that are not static, by name, for example ``{"H": 8}``.

        Raises:
            InvalidArgumentError: a size is missing.
        """
        values = {}
        for argument in self.arguments:
            if not argument.init:
                continue
            shape = []
            for i, size in enumerate(argument.shape):
                name = argument.dims[i] if argument.dims else None
                if size is None and (name is None or name not in (sizes or {})):
                    raise InvalidArgumentError(
                        f"expected the size of dimension '{name or i}' of '{argument.name}' in 'sizes', but got none"
                    )
                shape.append(size if size is not None else sizes[name])  # type: ignore[index]
            tensor = self._module.context.fill(argument.init, shape, argument.dtype, seed, argument.name)
            values[argument.name] = tensor
        return values

    def ir(self, phase: str) -> str:
        """The IR of the module after a phase: "graph", "differentiate", "fuse", "kernel" or "target"."""
        return self._module.ir(phase)

    def cost(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What a call with these arguments takes: ``flop`` of the formula and bytes of working memory."""
        return self._core.estimate_cost(self._bind(args, kwargs))

    def time(self, *args: Any, runs: int = 20, threads: int | None = None, **kwargs: Any) -> Timing:
        """Calls the function ``runs`` times after a warm-up and says how long it took, Python's part left out."""
        count = call_threads() if threads is None else threads
        times = self._core.measure(self._bind(args, kwargs), runs, count)
        return Timing(statistics.median(times), min(times), runs)


class Module(Mapping[str, Function]):
    """A compiled module: a mapping from names to functions."""

    def __init__(self, core: _core.Module, context: _core.Context, recompile: Any = None) -> None:
        self._core = core
        self._recompile = recompile
        self.context = context
        self._functions = {f.name: Function(f, self) for f in core.functions()}
        self._phases = dict(core.phases())

    def __getitem__(self, name: str) -> Function:
        try:
            return self._functions[name]
        except KeyError:
            known = ", ".join(self._functions)
            raise NotFoundError(f"expected the name of a function ({known}), but got '{name}'") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def function(self) -> Function:
        """The only function of the module."""
        if len(self._functions) != 1:
            raise NotFoundError(f"expected a module with one function, but it has: {', '.join(self._functions)}")
        return next(iter(self._functions.values()))

    @property
    def info(self) -> dict[str, Any]:
        """Producer, target, ``cache`` ("none", "miss", "memory", "disk"), ``compile_ms``, ``load_ms`` and ``size``."""
        return self._core.info()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings and remarks of the compilation; none if the module came from a cache."""
        return tuple(Diagnostic(*d) for d in self._core.diagnostics())

    def ir(self, phase: str) -> str:
        """The IR after a phase. Compiles once more if the phases were not kept (``keep_phases``)."""
        if not self._phases and self._recompile is not None:
            self._phases = dict(self._recompile().phases())
        try:
            return self._phases[phase]
        except KeyError:
            known = ", ".join(self._phases) or "none, since it was loaded"
            raise NotFoundError(f"expected a phase of the module ({known}), but got '{phase}'") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the module to a file that :func:`bochner.load` reads, also where no compiler is installed."""
        self._core.save(os.fspath(path))


def compile(
    source: str | bytes | os.PathLike[str],
    *,
    name: str | None = None,
    route: str = "fused",
    cpu: str = "host",
    element_type: str | None = None,
    keep_phases: bool = False,
    cache: bool = True,
    dump_dir: str | os.PathLike[str] | None = None,
    context: _core.Context | None = None,
) -> Module:
    """Compiles MLIR, or takes the result from the caches in memory and on disk.

    Args:
        source: MLIR text or bytecode, or the path of a file (:class:`os.PathLike`, for example ``pathlib.Path``).
        name: of the source in diagnostics.
        route: "fused", or "decompose", the plain loops that serve as the oracle.
        cpu: a CPU name of LLVM, such as "x86-64-v3"; "host" is this machine.
        element_type: "float64" or "f64" converts every float type first.
        keep_phases: store the IR of each phase, see :meth:`Module.ir`.
        cache: look into the caches and store.
        dump_dir: write the IR after each phase to this folder.
        context: instead of the default context.

    Raises:
        CompileError: the source was refused. ``diagnostics`` says where and why.
        UnavailableError: the compiler or LLVM is not installed.
    """
    if isinstance(source, os.PathLike):
        name = name or os.fspath(source)
        try:
            with open(source, "rb") as file:
                content = file.read()
        except FileNotFoundError as error:
            raise NotFoundError(f"expected a file, but '{os.fspath(source)}' does not exist") from error
    else:
        content = source.encode() if isinstance(source, str) else bytes(source)
    chosen = context or default_context()
    options: dict[str, Any] = {
        "name": name,
        "route": route,
        "cpu": cpu,
        "element_type": "f64" if element_type == "float64" else element_type,
    }

    def recompile() -> _core.Module:
        return chosen.compile(content, keep_phases=True, **options)

    core = chosen.compile(
        content,
        keep_phases=keep_phases,
        cache=cache,
        dump_dir=None if dump_dir is None else os.fspath(dump_dir),
        **options,
    )
    return Module(core, chosen, recompile)


def load(path: str | os.PathLike[str], *, context: _core.Context | None = None) -> Module:
    """Loads a module that :meth:`Module.save` or ``bochner-run --emit`` wrote.

    A module is native code: load only files that you trust. Needs no compiler.
    """
    chosen = context or default_context()
    return Module(chosen.load(os.fspath(path)), chosen)
