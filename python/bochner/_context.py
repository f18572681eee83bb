"""The context of the process: threads, memory, cache and log, made at first use.

The log goes to the logger ``bochner`` of :mod:`logging`, unless BOCHNER_VERBOSE is set, which sends it to stderr.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from bochner import _core
from bochner._errors import InvalidArgumentError

_logger = logging.getLogger("bochner")
_LEVELS = (logging.INFO, logging.INFO, logging.WARNING, logging.ERROR)  # by severity of bochner/status.h
_lock = threading.Lock()
_default: _core.Context | None = None
_options: dict[str, Any] = {}
_threads = 0

os.register_at_fork(
    before=_core.begin_fork, after_in_parent=_core.end_fork_in_parent, after_in_child=_core.end_fork_in_child
)


def _log(severity: int, message: str) -> None:
    _logger.log(_LEVELS[severity], "%s", message)


def configure(
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_limit: int = 0,
    threads: int = 0,
    verbosity: int = 0,
    dump_dir: str | os.PathLike[str] | None = None,
) -> None:
    """Sets options of the default context; call it before anything is compiled.

    Args:
        cache_dir: folder of compiled modules; "" for none. Default: BOCHNER_CACHE_DIR, else the user's cache folder.
        cache_limit: its size in bytes, beyond which the least recently used modules go. 0: 1 GiB.
        threads: of the context's pool, the calling one included. 0: one for each CPU that the process may use.
        verbosity: 1 logs warnings, 2 every compilation and cache lookup as well, -1 nothing. 0: BOCHNER_VERBOSE or 1.
        dump_dir: write the IR after each phase of each compilation to this folder.

    Raises:
        InvalidArgumentError: the default context exists already.
    """
    options = {
        "cache_dir": None if cache_dir is None else os.fspath(cache_dir),
        "cache_limit": cache_limit,
        "threads": threads,
        "verbosity": verbosity,
        "dump_dir": None if dump_dir is None else os.fspath(dump_dir),
    }
    with _lock:
        if _default is not None:
            raise InvalidArgumentError("expected configure() before the default context is used, but it exists")
        _options.clear()
        _options.update(options)


def default_context() -> _core.Context:
    """The context that :func:`bochner.compile` uses unless it is given another one."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                log = None if os.environ.get("BOCHNER_VERBOSE") else _log
                _default = _core.Context(log=log, **_options)
    return _default


def set_num_threads(count: int) -> None:
    """Lets each call use at most ``count`` threads, the calling one included; 0: all of its context.

    Results do not depend on it: partial sums merge in a fixed order.
    """
    global _threads
    if count < 0:
        raise InvalidArgumentError(f"expected a number of threads of at least 0, but got {count}")
    _threads = count


def get_num_threads() -> int:
    """How many threads a call uses at most."""
    available = default_context().threads
    return min(_threads, available) if _threads else available


def call_threads() -> int:
    """The option of a call: what :func:`set_num_threads` said."""
    return _threads


def memory_statistics() -> dict[str, int]:
    """Bytes of the default context's allocator: ``used_bytes``, ``peak_used_bytes`` and ``cached_bytes``."""
    return default_context().memory_statistics()


def release_memory() -> None:
    """Gives the cached bytes back to the operating system and starts the peak anew."""
    default_context().release_memory()
