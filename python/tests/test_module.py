"""From a graph to numbers: compile, look, call."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import bochner

ADD = """
func.func @add(%x: tensor<?x4xf32> {bochner.name = "x", bochner.dims = ["N", "D"]},
               %y: tensor<?x4xf32> {bochner.name = "y", bochner.dims = ["N", "D"]})
    -> (tensor<?x4xf32> {bochner.name = "sum", bochner.dims = ["N", "D"]}) {
  %sum = arith.addf %x, %y : tensor<?x4xf32>
  return %sum : tensor<?x4xf32>
}
"""


@pytest.fixture(scope="module")
def add():
    return bochner.compile(ADD, name="add.mlir").function()


@pytest.fixture(scope="module")
def attention():
    return bochner.compile(bochner.graph("gmm_prf", head_dim=16, heads=2, features=32)).function()


def qkv(rng, positions=10, dtype=np.float32):
    return [rng.standard_normal((1, 2, positions, 16)).astype(dtype) for _ in range(3)]


def test_signature(add):
    assert add.signature == "add(x: f32[N, 4], y: f32[N, 4]) -> (sum: f32[N, 4])"
    assert add.arguments[0] == bochner.TensorInfo("x", "float32", (None, 4), "", ("N", "D"))
    assert "add(x" in repr(add)


def test_calls_by_position_and_name(add):
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(add(x, x), 2 * x)
    np.testing.assert_array_equal(add(y=x, x=x), 2 * x)
    np.testing.assert_array_equal(add(x, y=x, threads=1), 2 * x)


def test_writes_into_given_arrays(add):
    x = np.ones((3, 4), np.float32)
    out = np.zeros((3, 4), np.float32)
    assert add(x, x, out=out) is out
    np.testing.assert_array_equal(out, 2 * x)
    strided = np.zeros((3, 8), np.float32)
    add(x, x, out=[strided[:, 4:]])
    np.testing.assert_array_equal(strided[:, 4:], 2 * x)
    assert not strided[:, :4].any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda f, x: f(x), "expected arrays for y of 'add', but got none"),
        (lambda f, x: f(x, x, x), "expected at most 2 arguments of 'add', but got 3"),
        (lambda f, x: f(x, x, y=x), "expected 'y' once, but got it by position and by name"),
        (lambda f, x: f(x, z=x), "expected the name of an argument (x, y), but got 'z'"),
        (lambda f, x: f(x, x.astype(np.float64)), "'y'"),
        (lambda f, x: f(x, x[:1]), "'y'"),
        (lambda f, x: f(x, [1.0]), "expected 'y' to be an array (an object with a method __dlpack__), but got list"),
    ],
)
def test_refuses_wrong_calls(add, call, message):
    with pytest.raises(bochner.InvalidArgumentError) as error:
        call(add, np.ones((2, 4), np.float32))
    assert message in str(error.value)
    assert isinstance(error.value, ValueError)


def test_refuses_to_write_to_read_only_arrays(add):
    x = np.ones((2, 4), np.float32)
    out = np.ones((2, 4), np.float32)
    out.flags.writeable = False
    with pytest.raises((bochner.InvalidArgumentError, BufferError)):
        add(x, x, out=out)


def test_errors_carry_all_diagnostics():
    source = ADD.replace("arith.addf %x, %y", "arith.addf %x, %z")
    with pytest.raises(bochner.CompileError) as error:
        bochner.compile(source, name="broken.mlir")
    assert error.value.diagnostics[0].severity == "error"
    assert error.value.diagnostics[0].location == "broken.mlir:5:25"
    assert "broken.mlir:5:25" in str(error.value)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value) and again.diagnostics == error.value.diagnostics


def test_phases(add, attention):
    assert "arith.addf" in add.ir("graph")
    fused = attention.ir("fuse")
    assert "linalg.matmul" in fused.split("features (")[1]
    with pytest.raises(bochner.NotFoundError, match="expected a phase of the module"):
        add.ir("later")
    kept = bochner.compile(ADD, keep_phases=True)
    assert kept.function().ir("target")


def test_modules(tmp_path, add):
    module = bochner.compile(ADD, cache=False)
    assert list(module) == ["add"] and len(module) == 1
    assert module.info["cache"] == "none" and module.info["compile_ms"] > 0
    assert module.diagnostics == ()
    with pytest.raises(bochner.NotFoundError, match="expected the name of a function"):
        module["sub"]
    module.save(tmp_path / "add.bochner")
    loaded = bochner.load(tmp_path / "add.bochner")
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(loaded["add"](x, x), 2 * x)
    with pytest.raises(bochner.NotFoundError, match="none, since it was loaded"):
        loaded.ir("fuse")
    with pytest.raises(bochner.NotFoundError):
        bochner.load(tmp_path / "none.bochner")


def test_compiles_files(tmp_path):
    path = tmp_path / "add.mlir"
    path.write_text(ADD)
    assert bochner.compile(path).function().name == "add"
    with pytest.raises(bochner.NotFoundError):
        bochner.compile(tmp_path / "sub.mlir")


def test_fill_is_reproducible(attention):
    first, second = attention.fill(seed=3), attention.fill(seed=3)
    assert set(first) == {"param_mean", "param_sigma", "rand_omega"}
    for name, tensor in first.items():
        np.testing.assert_array_equal(np.asarray(tensor), np.asarray(second[name]))
    dynamic = bochner.compile(bochner.graph("gmm_prf", head_dim=16, features=32)).function()
    assert dynamic.fill(sizes={"H": 3})["param_mean"].shape == (3, 16)
    with pytest.raises(bochner.InvalidArgumentError, match="expected the size of dimension 'H'"):
        dynamic.fill()


def test_routes_agree(attention, rng):
    arrays = qkv(rng)
    values = attention.fill()
    source = bochner.graph("gmm_prf", head_dim=16, heads=2, features=32)
    oracle = bochner.compile(source, route="decompose", element_type="float64").function()
    expected = oracle(
        *[a.astype(np.float64) for a in arrays],
        **{name: np.asarray(value).astype(np.float64) for name, value in values.items()},
    )
    np.testing.assert_allclose(attention(*arrays, **values), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_timing_and_cost(attention, rng):
    arrays, values = qkv(rng), attention.fill()
    timing = attention.time(*arrays, runs=3, **values)
    assert timing.runs == 3 and 0 < timing.min_ms <= timing.median_ms
    assert attention.cost(*arrays, **values)["flop"] > 0


def test_several_results(rng):
    gradient = bochner.compile(bochner.graph("elu", head_dim=16, heads=2, grad=True)).function()
    out, *gradients = gradient(*qkv(rng), qkv(rng)[0])
    assert [r.name for r in gradient.results] == ["out", "grad_q", "grad_k", "grad_v"]
    assert out.shape == gradients[0].shape == (1, 2, 10, 16)
