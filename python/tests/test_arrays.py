"""Arrays go in and out without copies, whoever made them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import bochner


@pytest.fixture(scope="module")
def attention():
    return bochner.compile(bochner.graph("elu", head_dim=16, heads=2)).function()


def arrays(rng, *shape):
    return [rng.standard_normal(shape).astype(np.float32) for _ in range(3)]


def test_strided_views(attention, rng):
    # [B, N, H, D] in memory, as most models have it.
    qkv = [a.transpose(0, 2, 1, 3) for a in arrays(rng, 1, 9, 2, 16)]
    expected = attention(*[np.ascontiguousarray(a) for a in qkv])
    np.testing.assert_array_equal(attention(*qkv), expected)
    backwards = [a[:, :, ::-1] for a in qkv]
    np.testing.assert_array_equal(attention(*backwards), attention(*[np.ascontiguousarray(a) for a in backwards]))


def test_read_only_inputs(attention, rng):
    qkv = arrays(rng, 1, 2, 5, 16)
    expected = attention(*qkv)
    for array in qkv:
        array.flags.writeable = False
    np.testing.assert_array_equal(attention(*qkv), expected)


def test_empty_inputs(attention, rng):
    q, k, v = arrays(rng, 1, 2, 0, 16)
    assert attention(q, k, v).shape == (1, 2, 0, 16)
    q = rng.standard_normal((1, 2, 3, 16)).astype(np.float32)
    np.testing.assert_array_equal(attention(q, k, v), np.zeros_like(q))


def test_results_outlive_everything(rng):
    function = bochner.compile(bochner.graph("elu", head_dim=16, heads=2), cache=False).function()
    out = function(*arrays(rng, 1, 2, 5, 16))
    copy = out.copy()
    del function
    gc.collect()
    np.testing.assert_array_equal(out, copy)
    assert out.flags.writeable


def test_inputs_are_not_kept(attention, rng):
    class Array(np.ndarray):
        pass

    qkv = [a.view(Array) for a in arrays(rng, 1, 2, 5, 16)]
    watch = weakref.ref(qkv[0])
    attention(*qkv)
    del qkv
    gc.collect()
    assert watch() is None


class Producer:
    """Speaks DLPack and nothing else."""

    def __init__(self, array, versioned):
        self.array = array
        self.versioned = versioned

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **kwargs):
        if kwargs and not self.versioned:
            raise TypeError("no keywords in the old protocol")
        return self.array.__dlpack__(**kwargs)


@pytest.mark.parametrize("versioned", [False, True])
def test_any_producer(attention, rng, versioned):
    qkv = arrays(rng, 1, 2, 5, 16)
    out = attention(*[Producer(a, versioned) for a in qkv])
    assert isinstance(out, bochner.Tensor)
    assert out.shape == (1, 2, 5, 16) and out.dtype == "float32"
    np.testing.assert_array_equal(np.asarray(out), attention(*qkv))
    np.testing.assert_array_equal(np.from_dlpack(out), attention(*qkv))
    # A tensor of the library is an input, too.
    np.testing.assert_array_equal(np.asarray(attention(out, out, out)), attention(*[np.asarray(out)] * 3))


def test_errors_of_producers_pass(attention, rng):
    class Broken:
        def __dlpack__(self, **kwargs):
            raise BufferError("not today")

    q, k, v = arrays(rng, 1, 2, 5, 16)
    with pytest.raises(BufferError, match="not today"):
        attention(q, Broken(), v)

    class Wrong:
        def __dlpack__(self, **kwargs):
            return 3

    with pytest.raises(bochner.InvalidArgumentError, match="expected __dlpack__ of 'k' to return a capsule"):
        attention(q, Wrong(), v)


def test_tensors_refuse_what_they_cannot_do(attention, rng):
    out = attention(*[Producer(a, True) for a in arrays(rng, 1, 2, 5, 16)])
    for keywords in ({"stream": 1}, {"dl_device": (2, 0)}, {"copy": True}):
        with pytest.raises(BufferError, match="expected '"):
            out.__dlpack__(**keywords)
    assert out.__dlpack_device__() == (1, 0)


def test_bf16_has_no_buffer():
    function = bochner.compile(bochner.graph("elu", head_dim=16, heads=2, dtype="bf16")).function()
    tensor = bochner.default_context().fill("zeros", [1, 2, 3, 16], "float32", 0, "x")
    assert np.asarray(tensor).sum() == 0
    assert function.arguments[0].dtype == "bfloat16"
    torch = pytest.importorskip("torch")
    x = torch.randn(1, 2, 5, 16).bfloat16()
    assert function(x, x, x).dtype == torch.bfloat16


def test_torch(attention, rng):
    torch = pytest.importorskip("torch")
    qkv = arrays(rng, 1, 2, 5, 16)
    out = attention(*[torch.from_numpy(a) for a in qkv])
    assert isinstance(out, torch.Tensor)
    np.testing.assert_array_equal(out.numpy(), attention(*qkv))
    into = torch.empty(1, 2, 5, 16)
    attention(*qkv, out=into)
    np.testing.assert_array_equal(into.numpy(), attention(*qkv))


def test_jax(attention, rng):
    jax = pytest.importorskip("jax")
    qkv = arrays(rng, 1, 2, 5, 16)
    out = attention(*[jax.numpy.asarray(a) for a in qkv])
    assert isinstance(out, jax.Array)
    np.testing.assert_array_equal(np.asarray(out), attention(*qkv))
