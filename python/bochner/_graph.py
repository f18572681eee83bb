"""Graphs of the feature maps that the compiler knows, as MLIR text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bochner import _core
from bochner._errors import InvalidArgumentError


def _words(name: str, value: Any) -> Iterable[str]:
    """``causal=True`` becomes ``--causal``, ``head_dim=64`` becomes ``--head-dim 64``."""
    flag = "--" + name.rstrip("_").replace("_", "-")
    if value is True:
        return [flag]
    if value is False or value is None:
        return []
    if isinstance(value, (list, tuple)):
        value = ",".join(str(v) for v in value)
    return [flag, str(value)]


def graph(map: str | None = None, *, maps: Iterable[tuple[str, Mapping[str, Any]]] = (), **options: Any) -> str:
    """The unfused graph of a kernelized attention, MLIR text for :func:`bochner.compile`.

    Options are those of ``bochner-gen`` with underscores; :func:`graph_options` lists them. Flags are ``True``, lists
    become values with commas between them, ``False`` and ``None`` are left out. ``normalize=False`` stands for
    ``no_normalize=True``.

    Args:
        map: the feature map, such as "gmm_prf". Options of a map may stand among the others.
        maps: several maps, each with the options that are its own, for ``combine`` and ``attention="generalized"``.

    Raises:
        InvalidArgumentError: what ``bochner-gen`` says.
        UnavailableError: the compiler or LLVM is not installed.

    >>> bochner.graph("gmm_prf", head_dim=64, heads=4, causal=True, grad=True)
    """
    if options.pop("normalize", True) is False:
        options["no_normalize"] = True
    words: list[str] = []
    for name, value in options.items():
        words.extend(_words(name, value))
    if map is not None:
        words += ["--map", map]
    for name, own in maps:
        words += ["--map", name]
        for option, value in own.items():
            words.extend(_words(option, value))
    if "--help" in words:
        raise InvalidArgumentError("expected options of a graph, but got help; see bochner.graph_options()")
    return _core.build_graph(words)


def graph_options() -> str:
    """The feature maps and all options of :func:`graph`, as ``bochner-gen --help`` prints them."""
    return _core.build_graph(["--help"])
