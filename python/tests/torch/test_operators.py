"""The operators of bochner.torch by PyTorch's own tests of operators, and against the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import bochner  # noqa: E402
import bochner.torch as bt  # noqa: E402
from bochner import features  # noqa: E402

D, M, F, H = 4, 4, 8, 2
ELU = bochner.preset("elu")


@bochner.feature_map(domain="log")
def positive(x, omega):
    return features.log_positive(x @ omega, x)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def inputs(n=5, s=None, dtype=torch.float64, grad=True, key_heads=H):
    shapes = [(2, H, n, D), (2, key_heads, s or n, D), (2, key_heads, s or n, M), (1, D, F)]
    return [(0.5 * torch.randn(shape, dtype=dtype)).requires_grad_(grad) for shape in shapes]


def reference(q, k, v, omega, causal=False, lengths=None, mask=None, eps=1e-6):
    """The formula, unfused."""

    def phi(x):
        return torch.exp(x @ omega - (x * x).sum(-1, keepdim=True) - np.log(F) / 2)

    repeat = q.shape[1] // k.shape[1]
    phi_k, v = (t.repeat_interleave(repeat, 1) for t in (phi(k), v))
    weights = phi(q) @ phi_k.transpose(-1, -2)
    there = torch.ones(k.shape[0], k.shape[2], dtype=torch.bool)
    if lengths is not None:
        there = there & (torch.arange(k.shape[2]) < lengths[:, None])
    if mask is not None:
        there = there & mask
    weights = weights * there[:, None, None, :]
    if causal:
        weights = weights.tril()
    return (weights @ v) / (weights.sum(-1, keepdim=True) + eps)


OPTIONS = {
    "plain": {},
    "causal": {"causal": True},
    "lengths": {"lengths": torch.tensor([5, 3])},
    "mask": {"mask": torch.tensor([[True, True, False, True, True], [True] * 5])},
    "all": {"causal": True, "lengths": torch.tensor([5, 4]), "eps": 1e-3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_values_and_gradients(options):
    given = inputs()
    out = bt.kernel_attention(*given[:3], positive, [given[3]], **options)
    expected = reference(*given, **options)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    cot = torch.randn_like(out)
    for got, want in zip(torch.autograd.grad(out, given, cot), torch.autograd.grad(expected, given, cot)):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)


def test_grouped_heads_and_cross_attention():
    given = inputs(n=5, s=7, key_heads=1)
    out = bt.kernel_attention(*given[:3], positive, [given[3]])
    torch.testing.assert_close(out, reference(*given), rtol=0, atol=1e-12)


def operator_arguments():
    given = inputs()
    program = bt.program(
        positive, head_dim=D, parameters={"omega": (1, D, F)}, options=bochner.AttentionOptions(dtype="float64")
    )
    cot = torch.randn(2, H, 5, M, dtype=torch.float64, requires_grad=True)
    gradient = program.gradient(program.differentiable)
    step = bt.program(ELU, head_dim=D, options=bochner.AttentionOptions(dtype="float64", form="decode"))
    states = [torch.rand(2, H, D, M, dtype=torch.float64), torch.rand(2, H, D, dtype=torch.float64)]
    return {
        "attention": (given, program.key),
        "attention_backward": ([*given, cot], gradient.key),
        "decode": ([t.detach() for t in given[:3]] + states, step.key),
    }


@pytest.mark.parametrize("name", ["attention", "attention_backward", "decode"])
def test_opcheck(name):
    arguments = operator_arguments()[name]
    torch.library.opcheck(getattr(torch.ops.bochner, name).default, arguments)


@pytest.mark.parametrize("causal", [False, True])
def test_gradcheck(causal):
    def f(q, k, v, omega):
        return bt.kernel_attention(q, k, v, positive, [omega], causal=causal)

    assert torch.autograd.gradcheck(f, inputs(n=3), fast_mode=True)
    assert torch.autograd.gradgradcheck(f, inputs(n=3), fast_mode=True)


@pytest.mark.parametrize(
    "name", ["gmm_prf", "gmm_rks", "fastfood_prf", "fastfood_rks", "generator_prf", "generator_rks"]
)
def test_gradcheck_of_presets(name):
    options = {"features": 9 if name.endswith("rks") else 8} if "fastfood" not in name else {}
    small = {"noise_dims": (3, 5)} if "generator" in name else {}
    spectral = bt.SpectralMap(name, heads=H, head_dim=D, redraw=0, **options, **small).double().eval()
    parameters = dict(spectral())
    given = inputs(n=3)[:3]
    learned = [n for n in parameters if n.startswith("param_")]

    def f(q, k, v, *values):
        return bt.kernel_attention(q, k, v, spectral.feature_map(), {**parameters, **dict(zip(learned, values))})

    assert torch.autograd.gradcheck(f, [*given, *(parameters[n] for n in learned)], fast_mode=True)


@pytest.mark.parametrize("wanted", [(0,), (1, 3), (2,), (3,), ()])
def test_some_inputs_have_gradients(wanted):
    given = inputs(grad=False)
    for i in wanted:
        given[i].requires_grad_()
    out = bt.kernel_attention(*given[:3], positive, [given[3]])
    assert out.requires_grad == bool(wanted)
    if wanted:
        expected = torch.autograd.grad(reference(*given).sum(), [given[i] for i in wanted])
        for got, want in zip(torch.autograd.grad(out.sum(), [given[i] for i in wanted]), expected):
            torch.testing.assert_close(got, want, rtol=0, atol=1e-10)


def test_strides():
    q, k, v, omega = inputs(grad=False)
    expected = bt.kernel_attention(q, k, v, positive, [omega])
    as_models_have_it = [t.transpose(1, 2).contiguous().transpose(1, 2) for t in (q, k, v)]
    torch.testing.assert_close(bt.kernel_attention(*as_models_have_it, positive, [omega]), expected, rtol=0, atol=0)
    columns = [t.transpose(2, 3).contiguous().transpose(2, 3) for t in (q, k, v)]
    torch.testing.assert_close(bt.kernel_attention(*columns, positive, [omega]), expected, rtol=0, atol=0)
    expanded = q[:1].expand(2, -1, -1, -1)
    torch.testing.assert_close(
        bt.kernel_attention(expanded, k, v, positive, [omega]),
        bt.kernel_attention(expanded.contiguous(), k, v, positive, [omega]),
        rtol=0,
        atol=0,
    )


def test_empty():
    q, k, v, omega = inputs()
    out = bt.kernel_attention(q[:, :, :0], k, v, positive, [omega])
    assert out.shape == (2, H, 0, M)
    out = bt.kernel_attention(q, k[:, :, :0], v[:, :, :0], positive, [omega])
    assert not out.any()
    out.sum().backward()
    assert not omega.grad.any()
    assert bt.kernel_attention(q[:0], k[:0], v[:0], positive, [omega]).shape == (0, H, 5, M)


def test_vmap():
    q, k, v, omega = inputs(grad=False)
    many = torch.randn(3, *q.shape, dtype=torch.float64)

    def f(x, w):
        return bt.kernel_attention(x, k, v, positive, [w])

    expected = torch.stack([f(x, omega) for x in many])
    torch.testing.assert_close(torch.vmap(f, in_dims=(0, None))(many, omega), expected, rtol=0, atol=1e-14)
    omegas = torch.randn(3, *omega.shape, dtype=torch.float64)
    expected = torch.stack([f(x, w) for x, w in zip(many, omegas)])
    torch.testing.assert_close(torch.vmap(f)(many, omegas), expected, rtol=0, atol=1e-14)


def test_gradients_of_samples():
    q, k, v, omega = inputs(grad=False)

    def loss(w, x):
        return bt.kernel_attention(x[None], k[:1], v[:1], positive, [w]).square().sum()

    got = torch.vmap(torch.func.grad(loss), in_dims=(None, 0))(omega, q)
    expected = torch.stack([torch.func.grad(loss)(omega, x) for x in q])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    assert not torch.equal(got[0], got[1])


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 2e-2), (torch.float16, 4e-3)])
def test_autocast(dtype, tolerance):
    q, k, v, omega = inputs(n=20, dtype=torch.float32)
    with torch.autocast("cpu", dtype):
        out = bt.kernel_attention(q, k, v, positive, [omega])
    assert out.dtype == dtype
    expected = reference(q, k, v, omega)
    assert (out - expected).abs().max() < tolerance * expected.abs().max()
    out.float().sum().backward()
    assert q.grad.dtype == omega.grad.dtype == torch.float32


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile(backend):
    given = inputs(dtype=torch.float32)

    def f(q, k, v, omega):
        return bt.kernel_attention(q * 2, k, v, positive, [omega], causal=True).sin().sum()

    compiled = torch.compile(f, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(*given), f(*given))
    for got, want in zip(torch.autograd.grad(compiled(*given), given), torch.autograd.grad(f(*given), given)):
        torch.testing.assert_close(got, want)
    longer = [t.detach() for t in inputs(n=9, dtype=torch.float32)]
    torch.testing.assert_close(compiled(*longer), f(*longer))


def test_autocast_within_compile():
    q, k, v, omega = inputs(dtype=torch.float32, grad=False)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def f(q, k, v, omega):
        with torch.autocast("cpu", torch.bfloat16):
            return bt.kernel_attention(q, k, v, positive, [omega])

    assert f(q, k, v, omega).dtype == torch.bfloat16


@pytest.mark.parametrize("map_", [ELU, positive, bochner.preset("gmm_prf", features=F)], ids=["elu", "own", "gmm_prf"])
def test_steps_equal_a_run(map_):
    q, k, v, omega = inputs(n=7, grad=False)
    parameters = {}
    if map_ is positive:
        parameters = {"omega": omega}
    elif map_ is not ELU:
        parameters = {n: p.detach() for n, p in bt.SpectralMap("gmm_prf", heads=H, head_dim=D, features=F)().items()}
    expected = bt.kernel_attention(q, k, v, map_, parameters, causal=True)
    state, outs = None, []
    for part in (slice(0, 3), slice(3, 4), slice(4, 7)):
        out, state = bt.kernel_attention_step(q[:, :, part], k[:, :, part], v[:, :, part], state, map_, parameters)
        outs.append(out)
    torch.testing.assert_close(torch.cat(outs, 2), expected, rtol=0, atol=1e-12)


def test_threads_are_pytorchs():
    q, k, v, omega = inputs(n=600, dtype=torch.float32, grad=False)
    expected = bt.kernel_attention(q, k, v, positive, [omega])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert torch.equal(bt.kernel_attention(q, k, v, positive, [omega]), expected)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda q, k, v, w: bt.kernel_attention(q[0], k, v, positive, [w]), "expected q, k and v of [B, H, N, D]"),
        (lambda q, k, v, w: bt.kernel_attention(q.float(), k, v, positive, [w]), "expected q, k and v of one type"),
        (lambda q, k, v, w: bt.kernel_attention(*[t.long() for t in (q, k, v)], positive, [w]), "of a float type"),
        (lambda q, k, v, w: bt.kernel_attention(q, k, v, positive), r"expected 1 parameters (omega)"),
        (lambda q, k, v, w: bt.kernel_attention(q, k, v, ELU, [w]), "expected parameters of a preset by name"),
        (lambda q, k, v, w: bt.kernel_attention(q, k, v, ELU, {"w": w}), "expected arguments (q, k, v)"),
        (lambda q, k, v, w: bt.kernel_attention(q, k, v, "elu"), "expected a feature map"),
        (lambda q, k, v, w: bt.kernel_attention(q, k[..., :2], v, positive, [w]), "'k'"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(bochner.InvalidArgumentError) as error:
        call(*inputs(grad=False))
    assert message in str(error.value)


def test_unknown_programs():
    with pytest.raises(bochner.NotFoundError, match="expected the key of a program of this process"):
        torch.ops.bochner.attention([torch.ones(1)], "none")
