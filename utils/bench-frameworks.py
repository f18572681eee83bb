"""Times attention with a learned kernel through PyTorch and JAX beside what users have today, in one run.

Forward and backward pass, features included, of bochner.torch and bochner.jax, of PyTorch's eager mode and
torch.compile, and of JAX's jit of the unfused formula. All run in this process on the same CPUs (--threads sets its
affinity before the frameworks start theirs), take turns --rounds times, and their losses must agree. Then what a call
costs above the library's own on inputs so small that nothing else counts (N = 16).

Writes a JSON object (--json) and prints a table. Exit status 1 if losses differ.
"""
import argparse
import json
import math
import os
import statistics
import sys
import time

TOLERANCE = 1e-4


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--length", type=int, default=4096, help="N (default: 4096)")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--json", default="build/bench-frameworks.json")
    return parser.parse_args()


OPTIONS = parse_options()
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: OPTIONS.threads]))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import bochner  # noqa: E402
import bochner.jax as bj  # noqa: E402
import bochner.torch as bt  # noqa: E402
from bochner.torch import _operators  # noqa: E402

HEAD_DIM, FEATURES, EPS = 64, 256, 1e-6
PHI = bochner.preset("gmm_prf", features=FEATURES)


def formula(lib, q, k, v, mean, sigma, omega):
    """Attention of gmm_prf as its formula reads, in either framework."""

    def phi(x):
        x = x * HEAD_DIM**-0.25
        w = lib.exp(sigma / 2)[:, :, None] * omega + mean[:, :, None]
        return lib.exp(lib.einsum("bhnd,hdf->bhnf", x, w) - (x * x).sum(-1)[..., None] - math.log(FEATURES) / 2)

    phi_q, phi_k = phi(q), phi(k)
    if OPTIONS.causal:
        weights = lib.tril(lib.einsum("bhnf,bhsf->bhns", phi_q, phi_k))
        return lib.einsum("bhns,bhsm->bhnm", weights, v) / (weights.sum(-1)[..., None] + EPS)
    numerator = lib.einsum("bhnf,bhfm->bhnm", phi_q, lib.einsum("bhsf,bhsm->bhfm", phi_k, v))
    return numerator / (lib.einsum("bhnf,bhf->bhn", phi_q, phi_k.sum(2))[..., None] + EPS)


def draw(length):
    rng = np.random.default_rng(0)
    shape, heads = (1, OPTIONS.heads, length, HEAD_DIM), OPTIONS.heads
    arrays = [0.5 * rng.standard_normal(shape) for _ in range(3)]
    arrays += [rng.uniform(-0.1, 0.1, (heads, HEAD_DIM)) for _ in range(2)]
    arrays.append(rng.standard_normal((HEAD_DIM, FEATURES)))
    return [a.astype(np.float32) for a in arrays]


def torch_step(attend, arrays):
    """A function that makes one step and returns its loss."""
    tensors = [torch.from_numpy(a).requires_grad_(i < 5) for i, a in enumerate(arrays)]

    def step():
        for t in tensors:
            t.grad = None
        loss = attend(*tensors).square().mean()
        loss.backward()
        return float(loss.detach())

    return step


def jax_step(attend, arrays):
    given = [jnp.asarray(a) for a in arrays]
    step = jax.jit(jax.value_and_grad(lambda *xs: (attend(*xs) ** 2).mean(), argnums=tuple(range(5))))
    return lambda: float(jax.block_until_ready(step(*given))[0])


def ours(attention):
    names = ("param_mean", "param_sigma", "rand_omega")
    return lambda q, k, v, *rest: attention(q, k, v, PHI, dict(zip(names, rest)), causal=OPTIONS.causal)


def contestants(arrays):
    def eager(*tensors):
        return formula(torch, *tensors)

    found = {
        "bochner.torch": torch_step(ours(bt.kernel_attention), arrays),
        "torch eager": torch_step(eager, arrays),
        "bochner.jax": jax_step(ours(bj.kernel_attention), arrays),
        "jax jit": jax_step(lambda *xs: formula(jnp, *xs), arrays),
    }
    if not OPTIONS.no_compile:
        found["torch.compile"] = torch_step(torch.compile(eager, fullgraph=True), arrays)
    return found


def race(arrays):
    steps = contestants(arrays)
    losses = {name: step() for name, step in steps.items()}  # compiles, too
    times = {name: [] for name in steps}
    for _ in range(OPTIONS.rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append((time.perf_counter() - start) * 1e3)
    ours_ms = statistics.median(times["bochner.torch"])
    print(f"forward and backward, N = {OPTIONS.length}, H = {OPTIONS.heads}, D = {HEAD_DIM}, F = {FEATURES}, "
          f"{'causal, ' if OPTIONS.causal else ''}{OPTIONS.threads} threads")
    rows = {}
    for name, values in sorted(times.items(), key=lambda item: statistics.median(item[1])):
        median = statistics.median(values)
        rows[name] = {"median_ms": median, "min_ms": min(values), "loss": losses[name]}
        print(f"  {name:14} {median:9.2f} ms  {median / ours_ms:6.2f} x  loss {losses[name]:.6g}")
    expected = losses["torch eager"]
    return rows, all(abs(loss - expected) <= TOLERANCE * abs(expected) for loss in losses.values())


def microseconds(call, calls=2000):
    for _ in range(200):
        call()
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls // 5):
            call()
        best = min(best, (time.perf_counter() - start) / (calls // 5) * 1e6)
    return best


def overhead():
    """Microseconds of small calls through every door; the least of five series, for other programs disturb."""
    arrays = draw(16)
    tensors = [torch.from_numpy(a) for a in arrays]
    program = bt.program(PHI, head_dim=HEAD_DIM)
    direct = program.function.time(*tensors, runs=2000, threads=OPTIONS.threads).min_ms * 1e3
    attend = ours(bt.kernel_attention)
    leaves = [t.clone().requires_grad_(i < 5) for i, t in enumerate(tensors)]
    given = [jnp.asarray(a) for a in arrays]
    jitted = jax.jit(ours(bj.kernel_attention))
    empty = jax.jit(lambda *xs: xs[0] + 1)
    with torch.no_grad():
        values = {
            "C": direct,
            "bochner.Function": microseconds(lambda: program.function(*tensors)),
            "torch operator": microseconds(lambda: _operators.attention(tensors, program.key)),
            "kernel_attention": microseconds(lambda: attend(*tensors)),
        }
    values["kernel_attention, autograd"] = microseconds(lambda: attend(*leaves))
    values["jax, jit"] = microseconds(lambda: jax.block_until_ready(jitted(*given)))
    values["jax, jit of x + 1"] = microseconds(lambda: jax.block_until_ready(empty(*given)))
    print("a call with N = 16, microseconds")
    for name, value in values.items():
        print(f"  {name:28} {value:7.1f}  {value - direct:+7.1f}")
    return values


def main():
    torch.set_num_threads(OPTIONS.threads)
    rows, agree = race(draw(OPTIONS.length))
    result = {"threads": OPTIONS.threads, "length": OPTIONS.length, "heads": OPTIONS.heads, "causal": OPTIONS.causal,
              "torch": torch.__version__, "jax": jax.__version__, "bochner": bochner.__version__, "steps": rows,
              "call_us": overhead()}  # fmt: skip
    with open(OPTIONS.json, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
    if not agree:
        print("bench-frameworks: losses differ")
        sys.exit(1)


if __name__ == "__main__":
    main()
