"""Feature maps of one's own: what is traced is the formula, forward and backward, and errors point at its line."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import bochner
from bochner import features
from bochner._derivative import add_gradient

D, M, F, H = 8, 4, 16, 2
OPTIONS = bochner.AttentionOptions(dtype="float64")


def attend(phi_q, phi_k, v, eps=1e-6, causal=False):
    weights = np.einsum("bhnf,bhsf->bhns", phi_q, phi_k)
    if causal:
        weights = np.tril(weights)
    return (weights @ v) / (weights.sum(-1, keepdims=True) + eps)


def draw(rng, **shapes):
    parameters = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
    q, k = (0.5 * rng.standard_normal((2, H, n, D)) for n in (5, 5))
    return q, k, rng.standard_normal((2, H, 5, M)), parameters


@bochner.feature_map(domain="log")
def positive(x, omega):
    """Features of the softmax kernel."""
    return features.log_positive(x @ omega, x, norm_factor=0.5, symmetric=True)


def positive_reference(x, omega):
    u = x @ omega
    norm = (x * x).sum(-1, keepdims=True) / 2 + np.log(2 * F) / 2
    return np.exp(np.concatenate([u, -u], -1) - norm)


@bochner.feature_map
def everything(x, omega, gain, shift):
    norm = features.rsqrt(features.sum(x**2) + 1e-3)
    u = (x * norm * gain) @ omega + shift
    parts = [
        features.where(u > 0, u + 1, features.exp(features.minimum(u, 0.0))),
        2 - features.tanh(u),
        features.sqrt(abs(u) + 1) / (1.5 + features.cos(u) * features.sin(u)),
        features.log(1.5 + u**2) + features.log1p(features.relu(u)),
        features.exp(u - features.max(u)),
    ]
    return features.concatenate(parts)


def everything_reference(x, omega, gain, shift):
    u = (x / np.sqrt((x**2).sum(-1, keepdims=True) + 1e-3) * gain) @ omega + shift
    return np.concatenate(
        [
            np.where(u > 0, u + 1, np.exp(np.minimum(u, 0))),
            2 - np.tanh(u),
            np.sqrt(abs(u) + 1) / (1.5 + np.cos(u) * np.sin(u)),
            np.log(1.5 + u**2) + np.log1p(np.maximum(u, 0)),
            np.exp(u - u.max(-1, keepdims=True)),
        ],
        -1,
    )


CASES = {
    "positive": (positive, positive_reference, {"omega": (1, D, F)}),
    "everything": (everything, everything_reference, {"omega": (H, D, F), "gain": (1, D), "shift": (H, F)}),
}


def heads_last(parameter):
    """A parameter of each head as rows of that head see it."""
    return parameter if parameter.ndim == 3 else parameter[:, None]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_forward(rng, case, causal):
    phi, reference, shapes = CASES[case]
    q, k, v, parameters = draw(rng, **shapes)
    options = bochner.AttentionOptions(dtype="float64", causal=causal)
    function = bochner.compile(phi.attention(D, M, shapes, options)).function()
    out = function(q, k, v, **parameters)
    wide = [heads_last(p) for p in parameters.values()]
    expected = attend(reference(q, *wide), reference(k, *wide), v, causal=causal)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradients(rng, case):
    phi, reference, shapes = CASES[case]
    q, k, v, parameters = draw(rng, **shapes)
    source = phi.attention(D, M, shapes, OPTIONS)
    function = bochner.compile(source).function()
    wrt = range(len(function.arguments))
    gradient = bochner.compile(
        add_gradient(source, function.name, function.arguments, function.results, wrt, "gradient", [0])
    ).function()
    cot = rng.standard_normal(v.shape)
    inputs = [q, k, v, *parameters.values()]
    gradients = gradient(*inputs, cot)
    for i, derivative in enumerate(gradients):
        direction = rng.standard_normal(inputs[i].shape)
        values = []
        for step in (1e-6, -1e-6):
            moved = [a + step * direction if j == i else a for j, a in enumerate(inputs)]
            wide = [heads_last(p) for p in moved[3:]]
            values.append((cot * attend(reference(moved[0], *wide), reference(moved[1], *wide), moved[2])).sum())
        np.testing.assert_allclose((derivative * direction).sum(), (values[0] - values[1]) / 2e-6, rtol=1e-5, atol=1e-7)


def test_features_stay_out_of_memory():
    module = bochner.compile(positive.attention(D, M, {"omega": (1, D, F)}, OPTIONS))
    assert "linalg.matmul" in module.ir("fuse").split("features (")[1]
    assert "spectral.launch" in module.ir("kernel")  # one kernel, which owns the region


def test_presets_are_traced_maps_of_the_same_formula(rng):
    @bochner.feature_map(integers=["permutation"])
    def fastfood(x, scale, gaussian, signs, permutation):
        u = features.fastfood(x * D**-0.25, scale, gaussian, signs, permutation)
        return features.constant_feature(features.trig(u, amplitude=D**-0.5), 1.0)

    q, k, v, _ = draw(rng)
    names = ["scale", "gaussian", "signs", "permutation"]
    own = bochner.compile(fastfood.attention(D, M, {name: (1, D) for name in names}, OPTIONS)).function()
    built_in = bochner.compile(bochner.preset("fastfood_rks").attention(D, M, {}, OPTIONS)).function()
    values = [np.asarray(value) for value in built_in.fill().values()]
    np.testing.assert_allclose(
        own(q, k, v, *[value[None] for value in values]), built_in(q, k, v, *values), rtol=0, atol=1e-13
    )


def test_lengths_and_masks(rng):
    q, k, v, parameters = draw(rng, omega=(1, D, F))
    options = bochner.AttentionOptions(dtype="float64", lengths=True, mask=True)
    function = bochner.compile(positive.attention(D, M, {"omega": (1, D, F)}, options)).function()
    mask = np.ones((2, 5), bool)
    mask[0, 1] = False
    out = function(q, k, v, np.array([4, 5]), mask, parameters["omega"])
    kept = [0, 2, 3]
    phi = [positive_reference(a[:1], parameters["omega"]) for a in (q, k[:, :, kept])]
    np.testing.assert_allclose(out[:1], attend(*phi, v[:1, :, kept]), rtol=0, atol=1e-12)


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def other(x, omega):
    return x


ERRORS = [
    (lambda x, w: x @ x, "expected the right operand of @ to be a parameter [C, F]"),
    (lambda x, w: w @ w, "expected the left operand of @ to be rows [N, C]"),
    (lambda x, w: x + w, "expected rows, vectors or scalars, but got a matrix [8, 16]; use @"),
    (lambda x, w: (x @ w) + x, "expected operands with as many columns, but got 16 and 8"),
    (lambda x, w: x + "one", "expected a value of the feature map or a number, but got str"),
    (lambda x, w: x * float("nan"), "expected a finite number, but got nan"),
    (lambda x, w: x if x > 0 else w, "expected no branch on a value that is known at run time only"),
    (lambda x, w: [row for row in x], "expected no loop over rows or columns"),
    (lambda x, w: x**w, "expected a number as exponent"),
    (lambda x, w: features.where(x, x, x), "expected a comparison as condition"),
    (lambda x, w: features.exp(3), "expected a value of the feature map, but got int"),
    (lambda x, w: features.concatenate([x, x.sum()]), "expected part 1 to be rows [N, C]"),
    (lambda x, w: features.fastfood(x, w, w, w, w), "expected vectors of 8 elements"),
    (lambda x, w: x.sum(), "expected the result of feature map '<lambda>' to be rows [N, C]"),
]


@pytest.mark.parametrize("function, message", ERRORS)
def test_errors_point_at_the_line(function, message):
    phi = bochner.feature_map(function)
    with pytest.raises(bochner.InvalidArgumentError) as error:
        phi.attention(D, M, {"w": (1, D, F)}, OPTIONS)
    assert message in str(error.value)
    assert __file__ in str(error.value)


def test_errors_of_the_compiler_point_at_the_line():
    @bochner.feature_map
    def not_a_power(x, omega):
        return features.hadamard(x @ omega)

    with pytest.raises(bochner.CompileError) as error:
        bochner.compile(not_a_power.attention(D, M, {"omega": (1, D, 12)}, OPTIONS))
    line = line_of(not_a_power.function, "features.hadamard")
    assert error.value.diagnostics[0].location.startswith(f"{__file__}:{line}:")
    assert "power of two" in str(error.value)


def test_refuses():
    with pytest.raises(bochner.InvalidArgumentError, match="expected domain to be 'linear' or 'log'"):
        bochner.feature_map(domain="exp")
    with pytest.raises(bochner.InvalidArgumentError, match="takes no argument"):
        bochner.feature_map(lambda: 0)
    with pytest.raises(bochner.InvalidArgumentError, match=r"expected parameters \(omega\) of feature map 'positive'"):
        positive.attention(D, M, {"weight": (1, D, F)}, OPTIONS)
    with pytest.raises(bochner.InvalidArgumentError, match="expected parameter 'omega' to begin with a dimension"):
        positive.attention(D, M, {"omega": ()}, OPTIONS)


def test_maps_may_use_maps():
    @bochner.feature_map(domain="log")
    def scaled(x, omega):
        return positive(x * 0.5, omega)

    assert "spectral.log_positive" in scaled.attention(D, M, {"omega": (1, D, F)}, OPTIONS)
    assert positive.__doc__ == "Features of the softmax kernel."
