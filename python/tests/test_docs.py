"""The examples of docs/Python.md run, one after the other, where their framework is installed."""

from __future__ import annotations

import importlib.util
import re

import pytest
from conftest import ROOT

PAGE = (ROOT / "docs" / "Python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python ?(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.parametrize("framework", ["", "torch", "jax"], ids=["numpy", "torch", "jax"])
def test_examples(framework, tmp_path, monkeypatch):
    if framework and importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    if framework == "jax":
        import bochner

        pytest.importorskip("bochner.jax", exc_type=bochner.UnavailableError)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    # The first blocks define what the others use.
    for kind, code in BLOCKS:
        if kind in ("", framework):
            line = PAGE[: PAGE.index(code)].count("\n")
            exec(compile("\n" * line + code, str(ROOT / "docs" / "Python.md"), "exec"), names)
