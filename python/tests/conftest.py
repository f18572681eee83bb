"""What the tests of the Python package share. Frameworks are optional: their tests are skipped with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Kernels are compiled once for all runs, and not into the user's cache.
os.environ.setdefault("BOCHNER_CACHE_DIR", str(ROOT / "build" / "python-cache"))


def pytest_configure(config: pytest.Config) -> None:
    import bochner  # noqa: F401  a package that does not import is no reason to skip


@pytest.fixture
def rng():
    numpy = pytest.importorskip("numpy")
    return numpy.random.default_rng(0)
