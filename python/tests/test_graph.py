"""Graphs by the options of bochner-gen."""

import pytest

import bochner


def test_is_what_the_tool_prints():
    text = bochner.graph("gmm_rks", head_dim=8, heads=2, features=33, causal=True, grad=True)
    assert "spectral.vjp @attention" in text
    assert "causal=1" in text and "features=33" in text


def test_spellings():
    assert bochner.graph("elu", head_dim=8, normalize=False) == bochner.graph("elu", head_dim=8, no_normalize=True)
    assert bochner.graph("elu", head_dim=8, causal=False, heads=None) == bochner.graph("elu", head_dim=8)
    assert "64,16" not in bochner.graph("generator_prf", head_dim=8, features=16, noise_dims=[64, 16])


def test_several_maps():
    text = bochner.graph(head_dim=8, attention="generalized", maps=[("elu", {}), ("rff", {"features": 17})])
    assert "fm0_" not in text or "fm1_" in text
    assert "map=elu" in text or "rff" in text


def test_options_are_listed():
    assert "--head-dim D" in bochner.graph_options()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"map": "none", "head_dim": 8}, "unknown --map none"),
        ({"map": "elu", "head_dim": "wide"}, "expected --head-dim to be an integer, but got 'wide'"),
        ({"map": "elu", "head_dim": 8, "color": 3}, "unknown option '--color'"),
        ({"map": "elu", "head_dim": 8, "help": True}, "see bochner.graph_options()"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(bochner.InvalidArgumentError) as error:
        bochner.graph(**options)
    assert message in str(error.value)
