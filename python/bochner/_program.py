"""Programs: a function of a graph together with its derivatives, each compiled when it is first needed.

Frameworks pass operators a short key instead of a graph. The key of a derivative is made of that of its function, so
that the derivative of a derivative is one more program.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any

from bochner._attention_graph import AttentionOptions
from bochner._derivative import add_gradient, is_float
from bochner._errors import InvalidArgumentError, NotFoundError
from bochner._feature_map import FeatureMap
from bochner._module import Function, compile

_programs: dict[str, Program] = {}
_lock = threading.Lock()


class Program:
    """A function and what its derivatives are made of.

    Attributes:
        key: under which :func:`find` has it in this process.
        source: the module; its only public function is compiled.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source = source
        digest = hashlib.sha256(source.encode()).hexdigest()[:16]
        self.key = f"{name}-{digest}"
        self._compile = threading.Lock()

    @cached_property
    def function(self) -> Function:
        """The compiled function."""
        with self._compile:
            return compile(self.source, name=self.key).function()

    @cached_property
    def invoke(self) -> Any:
        """The function without conveniences: inputs and a number of threads to results."""
        return self.function._core.invoke

    @cached_property
    def differentiable(self) -> tuple[int, ...]:
        """Indices of arguments that may have a gradient: q, k, v and parameters, not draws or running statistics."""
        return tuple(
            i
            for i, argument in enumerate(self.function.arguments)
            if is_float(argument) and not argument.name.startswith(("rand_", "buf_", "state_", "scale"))
        )

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Indices of results that an objective may depend on: all but the next running statistics."""
        return tuple(
            i for i, r in enumerate(self.function.results) if is_float(r) and not r.name.startswith("buf_after_")
        )

    def gradient(self, wrt: Sequence[int]) -> Program:
        """The gradient with respect to the arguments ``wrt``: takes the arguments, then a cotangent for each of
        :attr:`outputs`; returns a gradient for each of ``wrt``."""
        return _gradient(self, tuple(wrt))

    def result_shapes(self, shapes: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """Shapes of the results for arguments of ``shapes``, whose sizes may be symbolic."""
        sizes: dict[str, Any] = {}
        for argument, shape in zip(self.function.arguments, shapes):
            for name, static, size in zip(argument.dims or (), argument.shape, shape):
                if static is None:
                    sizes.setdefault(name, size)
        return [
            tuple(s if s is not None else sizes[n] for n, s in zip(result.dims or (), result.shape))
            for result in self.function.results
        ]


@cache
def _gradient(program: Program, wrt: tuple[int, ...]) -> Program:
    function = program.function
    name = f"{function.name}_grad"
    source = add_gradient(
        program.source, function.name, function.arguments, function.results, wrt, name, program.outputs
    )
    return register(Program(source, f"{program.key.rsplit('-', 1)[0]}.grad"))


def register(program: Program) -> Program:
    """Makes a program known to :func:`find`; one that was registered before under its key stays."""
    with _lock:
        return _programs.setdefault(program.key, program)


def find(key: str) -> Program:
    """The program of a key."""
    try:
        return _programs[key]
    except KeyError:
        raise NotFoundError(
            f"expected the key of a program of this process, but got '{key}'; call kernel_attention with its feature "
            "map once before a graph that was exported elsewhere"
        ) from None


@lru_cache(maxsize=1024)
def _attention(
    feature_map: FeatureMap,
    head_dim: int,
    value_dim: int,
    parameters: tuple[tuple[str, tuple[int, ...]], ...],
    options: AttentionOptions,
) -> Program:
    source = feature_map.attention(head_dim, value_dim, dict(parameters), options)
    return register(Program(source, feature_map.name))


def attention_program(
    feature_map: FeatureMap,
    head_dim: int,
    value_dim: int,
    parameters: Mapping[str, Sequence[int]],
    options: AttentionOptions,
) -> Program:
    """The program of an attention. A traced map's parameter is shared by all heads if its first dimension is 1."""
    if not isinstance(feature_map, FeatureMap):
        raise InvalidArgumentError(
            f"expected a feature map (bochner.feature_map or bochner.preset), but got {type(feature_map).__name__}"
        )
    # Numbers of heads are dynamic: one program serves all of them.
    shapes = tuple((n, (1 if s and s[0] == 1 else -1, *s[1:]) if s else ()) for n, s in parameters.items())
    return _attention(feature_map, head_dim, value_dim, shapes, options)
