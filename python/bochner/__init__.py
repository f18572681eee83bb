"""Bochner compiles kernelized attention: a graph of MLIR becomes a function on arrays.

>>> import bochner, numpy as np
>>> attention = bochner.compile(bochner.graph(map="gmm_prf", head_dim=64, heads=4)).function()
>>> x = np.random.randn(1, 4, 1000, 64).astype(np.float32)
>>> parameters = attention.fill(seed=0)
>>> out = attention(x, x, x, **parameters)

Arrays are anything that speaks DLPack, and are not copied. Results come as what the first argument is. Importing the
package imports neither NumPy nor a framework.
"""

from bochner._attention_graph import AttentionOptions
from bochner._context import (
    configure,
    default_context,
    get_num_threads,
    memory_statistics,
    release_memory,
    set_num_threads,
)
from bochner._core import Tensor
from bochner._core import version as __version__
from bochner._errors import (
    CompileError,
    Diagnostic,
    Error,
    InputOutputError,
    InternalError,
    InvalidArgumentError,
    InvalidModuleError,
    NotFoundError,
    OutOfMemoryError,
    UnavailableError,
    VersionMismatchError,
)
from bochner._feature_map import FeatureMap, feature_map, preset
from bochner._graph import graph, graph_options
from bochner._module import Function, Module, TensorInfo, Timing, compile, load

__all__ = [
    "AttentionOptions",
    "CompileError",
    "Diagnostic",
    "Error",
    "FeatureMap",
    "Function",
    "InputOutputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidModuleError",
    "Module",
    "NotFoundError",
    "OutOfMemoryError",
    "Tensor",
    "TensorInfo",
    "Timing",
    "UnavailableError",
    "VersionMismatchError",
    "__version__",
    "compile",
    "configure",
    "default_context",
    "feature_map",
    "get_num_threads",
    "graph",
    "graph_options",
    "load",
    "memory_statistics",
    "preset",
    "release_memory",
    "set_num_threads",
]
