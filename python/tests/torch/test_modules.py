"""Modules: initial values, draws, state dicts, drop-ins."""

from __future__ import annotations

import copy
import math

import pytest

torch = pytest.importorskip("torch")

import bochner  # noqa: E402
import bochner.torch as bt  # noqa: E402
from bochner.torch._spectral import orthogonal_frequencies  # noqa: E402

H, D = 2, 16
MAPS = {
    "gmm_prf": lambda: bt.GaussianMixture("gmm_prf", heads=H, head_dim=D, features=32),
    "gmm_rks": lambda: bt.GaussianMixture("gmm_rks", heads=H, head_dim=D, features=33),
    "fastfood_prf": lambda: bt.FastFood("fastfood_prf", heads=H, head_dim=D),
    "fastfood_rks": lambda: bt.FastFood("fastfood_rks", heads=H, head_dim=D),
    "generator_prf": lambda: bt.Generator("generator_prf", heads=H, head_dim=D, features=16, noise_dims=(4, 8)),
    "generator_rks": lambda: bt.Generator("generator_rks", heads=H, head_dim=D, features=17, noise_dims=(4, 8)),
    "favor": lambda: bt.OrthogonalGaussian("favor", heads=H, head_dim=D, features=32),
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def qkv(n=6):
    return [torch.randn(2, H, n, D) for _ in range(3)]


@pytest.mark.parametrize("name", MAPS)
def test_trains(name):
    module = bt.KernelAttention(MAPS[name]())
    q, k, v = qkv()
    q.requires_grad_()
    before = {n: b.clone() for n, b in module.named_buffers()}
    out = module(q, k, v)
    module(q, k, v)  # draws again before the first gradient is asked for
    out.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())
    changed = {n for n, b in module.named_buffers() if not torch.equal(b, before[n])}
    assert "spectral.calls" in changed
    assert any("rand_" in n for n in changed) == (name != "favor")
    assert any("bn_mean" in n for n in changed) == name.startswith("generator")


@pytest.mark.parametrize("name", MAPS)
def test_evaluation_is_deterministic_and_saved(name):
    module = bt.KernelAttention(MAPS[name]())
    module(*qkv())
    module.eval()
    arrays = qkv()
    expected = module(*arrays)
    assert torch.equal(module(*arrays), expected)
    other = bt.KernelAttention(MAPS[name]()).eval()
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    assert torch.equal(other(*arrays), expected)


def test_redraw_policy():
    module = bt.GaussianMixture(heads=H, head_dim=D, features=8, redraw=3)
    draws = []
    for _ in range(7):
        draws.append(module()["rand_omega"].clone())
    same = [torch.equal(a, b) for a, b in zip(draws, draws[1:])]
    assert same == [True, True, False, True, True, False]
    fixed = bt.GaussianMixture(heads=H, head_dim=D, features=8, redraw=0)
    assert torch.equal(fixed()["rand_omega"], fixed()["rand_omega"])
    noisy = bt.GaussianMixture(heads=H, head_dim=D, features=8, redraw_in_eval=True).eval()
    assert not torch.equal(noisy()["rand_omega"].clone(), noisy()["rand_omega"])


def test_seeds_make_draws():
    torch.manual_seed(3)
    first = MAPS["gmm_prf"]()
    torch.manual_seed(3)
    second = MAPS["gmm_prf"]()
    for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items()):
        assert torch.equal(a, b), name


def test_initial_values_of_the_paper():
    heads, width = 8, 64
    module = bt.GaussianMixture(heads=heads, head_dim=width)
    bound = math.sqrt(6 / (width + heads))
    assert 0.9 * bound < module.param_sigma.abs().max() <= bound
    assert 0.9 / 8 < module.param_mean.abs().max() <= 1 / 8
    fastfood = bt.FastFood(heads=heads, head_dim=width)
    assert abs(fastfood.param_S.std().item() * math.sqrt(width) - 1) < 0.35


def test_orthogonal_frequencies():
    frequencies = orthogonal_frequencies(16, 40)
    assert frequencies.shape == (16, 40)
    gram = frequencies[:, :16].T @ frequencies[:, :16]
    torch.testing.assert_close(gram, torch.diag(torch.diagonal(gram)), rtol=0, atol=1e-10)
    lengths = torch.cat([orthogonal_frequencies(16, 16).norm(dim=0) for _ in range(200)])
    assert abs(lengths.square().mean().item() / 16 - 1) < 0.05


@pytest.mark.parametrize("batch_first", [False, True])
def test_drop_in(batch_first):
    ours = bt.MultiheadAttention(H * D, H, batch_first=batch_first).eval()
    theirs = torch.nn.MultiheadAttention(H * D, H, batch_first=batch_first).eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not unexpected and all(n.startswith("attention.spectral.") for n in missing)
    x = torch.randn(6, 6, H * D)
    padding = torch.zeros(6, 6, dtype=torch.bool)
    padding[0, 4:] = True
    out, weights = ours(x, x, x, key_padding_mask=padding)
    assert weights is None
    assert out.shape == theirs(x, x, x, key_padding_mask=padding)[0].shape
    # What is padded does not matter.
    index = (0, slice(4, None)) if batch_first else (slice(4, None), 0)
    changed = x.clone()
    changed[index] += 1
    kept = (0, slice(None, 4)) if batch_first else (slice(None, 4), 0)
    assert torch.equal(ours(changed, changed, changed, key_padding_mask=padding)[0][kept], out[kept])
    single = x[0] if batch_first else x[:, 0]
    assert ours(single, single, single)[0].shape == single.shape


def test_drop_in_is_causal():
    module = bt.MultiheadAttention(H * D, H, batch_first=True).eval()
    x = torch.randn(1, 6, H * D)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(6)
    out = module(x, x, x, attn_mask=mask, is_causal=True)[0]
    x[:, 3:] += 1
    torch.testing.assert_close(module(x, x, x, attn_mask=mask, is_causal=True)[0][:, :3], out[:, :3])


def test_refuses():
    module = bt.MultiheadAttention(H * D, H)
    x = torch.randn(6, 1, H * D)
    with pytest.raises(bochner.InvalidArgumentError, match="expected need_weights=False"):
        module(x, x, x, need_weights=True)
    with pytest.raises(bochner.InvalidArgumentError, match="expected attn_mask=None"):
        module(x, x, x, attn_mask=torch.zeros(6, 6))
    with pytest.raises(bochner.InvalidArgumentError, match="expected a multiple of 3 heads"):
        bt.MultiheadAttention(32, 3)
    with pytest.raises(bochner.InvalidArgumentError, match="expected 'redraw' to be at least 0"):
        bt.GaussianMixture(heads=H, head_dim=D, redraw=-1)
    for cls in (bt.GaussianMixture, bt.FastFood, bt.Generator):
        with pytest.raises(bochner.InvalidArgumentError, match="but got elu"):
            cls("elu", heads=H, head_dim=D)


def test_compiles():
    module = bt.KernelAttention(MAPS["gmm_prf"]()).eval()
    arrays = qkv()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arrays), module(*arrays))
