"""bochner.jax under JAX's transformations, against the formula in float64."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import bochner  # noqa: E402
from bochner import features  # noqa: E402

bj = pytest.importorskip("bochner.jax", exc_type=bochner.UnavailableError)

D, M, F, H = 4, 4, 8, 2
ELU = bochner.preset("elu")


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


@bochner.feature_map(domain="log")
def positive(x, omega):
    return features.log_positive(x @ omega, x)


def inputs(rng, n=5, s=None, dtype=np.float64):
    shapes = [(2, H, n, D), (2, H, s or n, D), (2, H, s or n, M), (1, D, F)]
    return [jnp.asarray(0.5 * rng.standard_normal(shape), dtype) for shape in shapes]


def attention(q, k, v, omega, **options):
    return bj.kernel_attention(q, k, v, positive, [omega], **options)


def reference(q, k, v, omega, causal=False, lengths=None, mask=None, eps=1e-6):
    def phi(x):
        return jnp.exp(x @ omega - (x * x).sum(-1, keepdims=True) - np.log(F) / 2)

    weights = phi(q) @ phi(k).swapaxes(-1, -2)
    there = jnp.ones((k.shape[0], k.shape[2]), bool)
    if lengths is not None:
        there = there & (jnp.arange(k.shape[2]) < lengths[:, None])
    if mask is not None:
        there = there & mask
    weights = weights * there[:, None, None, :]
    if causal:
        weights = jnp.tril(weights)
    return (weights @ v) / (weights.sum(-1, keepdims=True) + eps)


OPTIONS = {
    "plain": {},
    "causal": {"causal": True},
    "lengths": {"lengths": np.array([5, 3])},
    "mask": {"mask": np.array([[True, True, False, True, True], [True] * 5])},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_values_and_gradients(rng, options):
    given = inputs(rng)
    cot = jnp.asarray(rng.standard_normal((2, H, 5, M)))

    def of(f):
        return jax.jit(jax.value_and_grad(lambda *xs: (f(*xs, **options) * cot).sum(), argnums=(0, 1, 2, 3)))(*given)

    value, gradients = of(attention)
    expected, wanted = of(reference)
    np.testing.assert_allclose(value, expected, rtol=1e-11)
    for got, want in zip(gradients, wanted):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


def test_gradients_of_gradients(rng):
    given = inputs(rng, n=3)

    def twice(f):
        def inner(omega, q):
            return (f(q, *given[1:3], omega) ** 2).sum()

        return jax.grad(lambda w, q: (jax.grad(inner)(w, q) ** 2).sum(), argnums=(0, 1))(given[3], given[0])

    for got, want in zip(twice(attention), twice(reference)):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_vmap(rng):
    q, k, v, omega = inputs(rng)
    many = jnp.asarray(rng.standard_normal((3, *q.shape)))
    expected = jnp.stack([attention(x, k, v, omega) for x in many])
    got = jax.vmap(lambda x: attention(x, k, v, omega))(many)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
    omegas = jnp.asarray(rng.standard_normal((3, *omega.shape)))
    expected = jnp.stack([attention(q, k, v, w) for w in omegas])
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda w: attention(q, k, v, w)))(omegas), expected, atol=1e-14)


def test_gradients_of_samples(rng):
    q, k, v, omega = inputs(rng)

    def loss(w, x):
        return (attention(x[None], k[:1], v[:1], w) ** 2).sum()

    got = jax.vmap(jax.grad(loss), in_axes=(None, 0))(omega, q)
    np.testing.assert_allclose(got, jnp.stack([jax.grad(loss)(omega, x) for x in q]), rtol=0, atol=1e-12)


def test_integers_may_have_32_bits(rng):
    q, k, v, omega = inputs(rng)
    lengths = np.array([5, 2])
    expected = attention(q, k, v, omega, lengths=lengths)
    np.testing.assert_array_equal(attention(q, k, v, omega, lengths=lengths.astype(np.int32)), expected)
    fastfood = bochner.preset("fastfood_prf")
    parameters = bj.initial_parameters(fastfood, heads=H, head_dim=D)
    short = {**parameters, "rand_perm": parameters["rand_perm"].astype(np.int32)}
    np.testing.assert_array_equal(
        bj.kernel_attention(q, k, v, fastfood, parameters), bj.kernel_attention(q, k, v, fastfood, short)
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_types(rng, dtype):
    q, k, v, omega = inputs(rng, n=20)
    expected = reference(q, k, v, omega)
    out = attention(*(x.astype(dtype) for x in (q, k, v)), omega)
    assert out.dtype == dtype
    tolerance = {"bfloat16": 2e-2, "float16": 4e-3, "float32": 2e-5}[dtype]
    assert abs(out.astype("float64") - expected).max() < tolerance * abs(expected).max()


def test_empty(rng):
    q, k, v, omega = inputs(rng)
    assert attention(q[:, :, :0], k, v, omega).shape == (2, H, 0, M)
    assert not attention(q, k[:, :, :0], v[:, :, :0], omega).any()


def test_many_tasks_on_xlas_threads(rng):
    q, k, v, omega = inputs(rng, n=3000, dtype=np.float32)
    f = jax.jit(attention)
    expected = np.asarray(f(q, k, v, omega))
    function = bochner.compile(positive.attention(D, M, {"omega": (1, D, F)}, bochner.AttentionOptions())).function()
    np.testing.assert_array_equal(expected, function(*map(np.asarray, (q, k, v, omega.astype(np.float32)))))
    for _ in range(20):
        np.testing.assert_array_equal(f(q, k, v, omega), expected)


def test_export(rng):
    given = inputs(rng)
    disabled = [jax.export.DisabledSafetyCheck.custom_call("bochner_call")]
    exported = jax.export.export(jax.jit(attention), disabled_checks=disabled)(*given)
    assert "bochner_call" in exported.mlir_module()
    np.testing.assert_array_equal(exported.call(*given), attention(*given))


def test_shard_map_over_batch_and_heads():
    # Four devices need a process of their own: their number is fixed when JAX starts.
    script = """
import jax, numpy as np, jax.numpy as jnp, bochner, bochner.jax as bj
from jax.sharding import Mesh, PartitionSpec as P
phi = bochner.preset("elu")
rng = np.random.default_rng(0)
q, k, v = (jnp.asarray(rng.standard_normal((2, 2, 6, 8)), jnp.float32) for _ in range(3))
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("b", "h"))
spec = P("b", "h")
f = jax.shard_map(lambda q, k, v: bj.kernel_attention(q, k, v, phi), mesh=mesh, in_specs=spec, out_specs=spec,
                  check_vma=False)
np.testing.assert_array_equal(jax.jit(f)(q, k, v), bj.kernel_attention(q, k, v, phi))
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda q, k, v, w: bj.kernel_attention(q[0], k, v, positive, [w]), "expected q, k and v of [B, H, N, D]"),
        (lambda q, k, v, w: bj.kernel_attention(q.astype("float32"), k, v, positive, [w]), "of one float type"),
        (lambda q, k, v, w: bj.kernel_attention(q, k, v, positive), "expected 1 parameters (omega)"),
        (lambda q, k, v, w: bj.kernel_attention(q, k, v, ELU, [w]), "expected parameters of a preset by name"),
        (lambda q, k, v, w: bj.kernel_attention(q, k, v, ELU, {"w": w}), "expected arguments (q, k, v)"),
    ],
)
def test_refuses(rng, call, message):
    with pytest.raises(bochner.InvalidArgumentError) as error:
        call(*inputs(rng))
    assert message in str(error.value)


def test_errors_of_a_call_are_jaxs(rng):
    q, k, v, omega = inputs(rng)
    with pytest.raises(Exception, match="expected"):
        jax.block_until_ready(attention(q, k, v, omega, lengths=np.array([9, 1])))


def test_unknown_programs(rng):
    from bochner.jax import _operators

    with pytest.raises(bochner.NotFoundError, match="expected the key of a program"):
        _operators.call("none", (jnp.ones(3),))
