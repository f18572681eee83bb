"""Four processes have the result of one, and send each other no more for longer sequences."""

from __future__ import annotations

import os
import socket
import sys

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402
import torch.multiprocessing as mp  # noqa: E402

import bochner  # noqa: E402
import bochner.torch as bt  # noqa: E402
from bochner import features  # noqa: E402

RANKS, D, M, F, H = 4, 8, 4, 16, 2
LENGTHS = (5, 0, 9, 2)


@bochner.feature_map(domain="log")
def positive(x, omega):
    return features.log_positive(x @ omega, x)


@bochner.feature_map
def trigonometric(x, omega):
    return features.constant_feature(features.trig(x @ omega, amplitude=0.2), 1.0)


MAPS = {"positive": positive, "trigonometric": trigonometric}


def draw(scale=1):
    torch.manual_seed(0)
    positions = scale * sum(LENGTHS)
    arrays = [torch.randn(2, H, positions, width, dtype=torch.float64) for width in (D, D, M, M)]
    return [*arrays, torch.randn(H, D, F, dtype=torch.float64)]


def part(tensor, rank, scale):
    begin = scale * sum(LENGTHS[:rank])
    return tensor[:, :, begin : begin + scale * LENGTHS[rank]].clone()


def count_bytes(counts):
    """Wraps the collectives of torch.distributed so that they add up what a rank hands over."""

    def wrap(name, index):
        original = getattr(dist, name)

        def counted(*args, **kwargs):
            counts.append(args[index].numel() * args[index].element_size())
            return original(*args, **kwargs)

        setattr(dist, name, counted)

    wrap("all_reduce", 0)
    wrap("all_gather", 1)


def work(rank, port, folder):
    from bochner.torch import distributed

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    counts = []
    count_bytes(counts)
    results = {}
    for name, phi in MAPS.items():
        for causal in (False, True):
            for scale in (1, 3):
                q, k, v, cot, omega = draw(scale)
                mine = [part(t, rank, scale).requires_grad_() for t in (q, k, v)]
                omega.requires_grad_()
                counts.clear()
                out = distributed.kernel_attention(*mine, phi, [omega], causal=causal)
                gradients = torch.autograd.grad(out, [*mine, omega], part(cot, rank, scale))
                results[name, causal, scale] = (out.detach(), gradients, sum(counts))
    torch.save(results, os.path.join(folder, f"{rank}.pt"))
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("ranks"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sys.path.insert(0, os.path.dirname(__file__))
    mp.spawn(work, args=(port, folder), nprocs=RANKS)
    return [torch.load(os.path.join(folder, f"{rank}.pt")) for rank in range(RANKS)]


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_equals_one_process(results, name, causal, scale):
    q, k, v, cot, omega = draw(scale)
    given = [t.requires_grad_() for t in (q, k, v, omega)]
    expected = bt.kernel_attention(*given[:3], MAPS[name], [omega], causal=causal)
    gradients = torch.autograd.grad(expected, given, cot)
    for rank, of_rank in enumerate(results):
        out, got, _ = of_rank[name, causal, scale]
        torch.testing.assert_close(out, part(expected.detach(), rank, scale), rtol=0, atol=1e-10)
        for mine, all_ in zip(got[:3], gradients[:3]):
            torch.testing.assert_close(mine, part(all_, rank, scale), rtol=0, atol=1e-9)
        torch.testing.assert_close(got[3], gradients[3], rtol=0, atol=1e-9)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MAPS)
def test_bytes_do_not_depend_on_the_length(results, name, causal):
    for of_rank in results:
        short, long = (of_rank[name, causal, scale][2] for scale in (1, 3))
        assert short == long
        width = F if name == "positive" else 2 * F + 1
        state = 8 * 2 * H * width * (M + (2 if name == "positive" else 1))
        # A state on the way there; on the way back that of each rank if causal; the gradient of the parameter.
        assert short <= state * (1 + (RANKS if causal else 1)) + 8 * H * D * F


def test_presets_are_refused():
    from bochner.torch import distributed

    q = torch.ones(1, 1, 2, 4)
    with pytest.raises(bochner.InvalidArgumentError, match="expected a traced map"):
        distributed.kernel_attention(q, q, q, bochner.preset("elu"))
