"""The package within a process: imports, threads, forks, log."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import bochner


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def succeed(code: str, **environment: str) -> str:
    result = run(code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def test_import_needs_no_framework():
    succeed(
        """
        import sys, bochner
        loaded = {"numpy", "torch", "jax"} & set(sys.modules)
        assert not loaded, loaded
        """
    )


ORDERS = [("bochner", "torch", "jax"), ("torch", "bochner", "jax"), ("jax", "torch", "bochner")]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_import_order(order):
    for name in order:
        pytest.importorskip(name)
    succeed(
        f"""
        import {order[0]}, {order[1]}, {order[2]}
        import torch, jax.numpy as jnp
        f = bochner.compile(bochner.graph("elu", head_dim=16, heads=2), cache=False).function()
        x = torch.ones(1, 2, 5, 16)
        assert torch.allclose(f(x, x, x), x)
        assert float(jnp.ones(3).sum()) + float(torch.ones(3).sum()) == 6
        """
    )


@pytest.fixture(scope="module")
def attention():
    return bochner.compile(bochner.graph("gmm_rks", head_dim=16, heads=2, features=33)).function()


@pytest.fixture(scope="module")
def inputs(attention):
    rng = np.random.default_rng(1)
    qkv = [rng.standard_normal((1, 2, 300, 16)).astype(np.float32) for _ in range(3)]
    return [*qkv, *(np.asarray(v) for v in attention.fill().values())]


def test_results_do_not_depend_on_threads(attention, inputs):
    expected = attention(*inputs, threads=1)
    before = bochner.get_num_threads()
    try:
        for count in (1, 2, 0):
            bochner.set_num_threads(count)
            assert bochner.get_num_threads() == (min(count, before) or before)
            np.testing.assert_array_equal(attention(*inputs), expected)
    finally:
        bochner.set_num_threads(0)
    with pytest.raises(bochner.InvalidArgumentError):
        bochner.set_num_threads(-1)


def test_threads_may_share_a_function(attention, inputs):
    expected = attention(*inputs)
    failures = []

    def work():
        for _ in range(20):
            if not np.array_equal(attention(*inputs), expected):
                failures.append(threading.get_ident())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_gives_up_the_gil(attention):
    # Another thread ticks while a call runs. Without the GIL it could tick once before and once behind the call.
    rng = np.random.default_rng(1)
    qkv = [rng.standard_normal((1, 2, 100_000, 16)).astype(np.float32) for _ in range(3)]
    values = attention.fill()
    count, stop = 0, threading.Event()

    def tick():
        nonlocal count
        while not stop.wait(1e-4):
            count += 1

    thread = threading.Thread(target=tick)
    thread.start()
    ticks = []
    while len(ticks) < 50 and max(ticks, default=0) < 5:
        before = count
        attention(*qkv, threads=1, **values)
        ticks.append(count - before)
    stop.set()
    thread.join()
    assert max(ticks) >= 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_fork_while_threads_are_inside():
    succeed(
        """
        import os, threading, warnings
        import numpy as np, bochner
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which is the point here
        f = bochner.compile(bochner.graph("elu", head_dim=16, heads=2)).function()
        x = np.ones((1, 2, 4000, 16), np.float32)
        expected, stop = f(x, x, x), threading.Event()
        def work():
            while not stop.is_set():
                f(x, x, x)
        threads = [threading.Thread(target=work) for _ in range(2)]
        for t in threads: t.start()
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                ok = np.array_equal(f(x, x, x), expected)
                g = bochner.compile(bochner.graph("elu", head_dim=16, heads=2, causal=True)).function()
                os._exit(0 if ok and g(x, x, x).shape == x.shape else 1)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for t in threads: t.join()
        """
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method, tmp_path):
    script = tmp_path / "work.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, warnings
            import numpy as np, bochner

            def work(n):
                f = bochner.compile(bochner.graph("elu", head_dim=16, heads=2)).function()
                x = np.full((1, 2, n, 16), n, np.float32)
                return float(f(x, x, x).mean())

            if __name__ == "__main__":
                warnings.simplefilter("ignore", DeprecationWarning)
                work(3)
                with multiprocessing.get_context("{method}").Pool(2) as pool:
                    assert np.allclose(pool.map(work, [3, 4, 5]), [3, 4, 5])
            """
        )
    )
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_log_goes_to_logging():
    output = succeed(
        """
        import logging, bochner
        logging.basicConfig(level=logging.INFO)
        bochner.configure(verbosity=2)
        bochner.compile(bochner.graph("elu", head_dim=16, heads=2), cache=False)
        """,
        BOCHNER_VERBOSE="",
    )
    assert "INFO:bochner:compile: " in output


def test_configure():
    output = run(
        """
        import bochner
        bochner.configure(cache_dir="", threads=1)
        assert bochner.default_context().cache_dir is None
        assert bochner.get_num_threads() == 1
        bochner.configure(threads=2)
        """
    )
    assert output.returncode == 1
    assert "expected configure() before the default context is used" in output.stderr


def test_memory(attention, inputs):
    attention(*inputs)
    assert bochner.memory_statistics()["peak_used_bytes"] > 0
    bochner.release_memory()
    assert bochner.memory_statistics()["cached_bytes"] == 0
