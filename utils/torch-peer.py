"""The unfused formula of linear attention in PyTorch, differentiated by autograd: the peer of bench-torch.py.

Reads requests from standard input and answers each, a JSON object a line. Features are whole tensors. There are two
forms. `plain` is how the formula reads: einsum, no operation in place; causal attention adds up the states of all
chunks of 64 rows by cumsum. `tuned` is the fastest that was found: matmul; elementwise operations in place where
autograd allows it; the denominator as one more column of values, all ones; causal attention goes from one chunk to the
next with a running state, features included, so that all of a chunk stays in the cache.
"""
import argparse
import json
import math
import os
import resource
import sys
import time

# Whatever prints must not disturb the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

try:
    import numpy
    import torch
except ImportError as failure:
    print(json.dumps({"error": f"no PyTorch: {failure}"}), file=ANSWERS, flush=True)
    sys.exit(1)

EPS = 1e-6
CHUNK = 64
ROWS = ("q", "k", "v")


def draw(kind, features, shape, file):
    """Inputs of a gradient, parameters with the spread that they have at the start of training."""
    batch, heads, length, width = shape
    random = numpy.random.default_rng(1)
    arrays = {name: random.standard_normal(shape) for name in (*ROWS, "cot")}
    if kind == "gmm_prf":
        arrays["param_mean"] = random.uniform(-1, 1, (heads, width)) / math.sqrt(width)
        arrays["param_sigma"] = random.uniform(-1, 1, (heads, width)) * math.sqrt(6 / (width + heads))
        arrays["rand_omega"] = random.standard_normal((width, features))
    else:
        arrays["param_mean"] = random.uniform(-1, 1, (heads, width)) / width
        spread = math.sqrt(6 / (width * width + heads * width))
        arrays["param_sigma"] = random.uniform(-1, 1, (heads, width, width)) * spread
        arrays["rand_omega"] = random.standard_normal((width, features // 4))
    numpy.savez(file, **{name: array.astype(numpy.float32) for name, array in arrays.items()})


def frequencies(kind, mean, sigma, omega):
    if kind == "gmm_prf":
        return torch.exp(sigma / 2).unsqueeze(-1) * omega + mean.unsqueeze(-1)
    shared = sigma.transpose(-1, -2) @ omega
    return torch.cat([shared + mean.unsqueeze(-1), shared - mean.unsqueeze(-1)], -1)


def scale(rows):
    return rows * rows.shape[-1] ** -0.25


def offset(rows, omega):
    return (rows * rows).sum(-1, keepdim=True) + math.log(omega.shape[-1]) / 2


def amplitude(omega):
    return math.sqrt(2 / omega.shape[-1])


def positive_plain(rows, omega):
    rows = scale(rows)
    return torch.exp(torch.einsum("bhnd,hdf->bhnf", rows, omega) - offset(rows, omega))


def positive_tuned(rows, omega):
    rows = scale(rows)
    return (rows @ omega).add_(offset(rows, omega).neg_()).exp_()


def trigonometric_plain(rows, omega):
    u = torch.einsum("bhnd,hdf->bhnf", scale(rows), omega)
    return amplitude(omega) * torch.cat([torch.cos(u), torch.sin(u)], -1)


def trigonometric_tuned(rows, omega):
    u = scale(rows) @ omega
    return torch.cat([torch.cos(u), torch.sin(u)], -1).mul_(amplitude(omega))


def all_plain(phi, q, k, v, omega):
    query, key = phi(q, omega), phi(k, omega)
    state, sums = torch.einsum("bhnf,bhnm->bhfm", key, v), key.sum(2)
    denominator = torch.einsum("bhnf,bhf->bhn", query, sums).unsqueeze(-1) + EPS
    return torch.einsum("bhnf,bhfm->bhnm", query, state) / denominator


def with_ones(v):
    return torch.cat([v, torch.ones_like(v[..., :1])], -1)


def quotient(out):
    numerator, denominator = out.split([out.shape[-1] - 1, 1], -1)
    return numerator / (denominator + EPS)


def all_tuned(phi, q, k, v, omega):
    query, key = phi(q, omega), phi(k, omega)
    return quotient(query @ (key.transpose(-1, -2) @ with_ones(v)))


def causal_plain(phi, q, k, v, omega):
    def chunks(x):
        return x.unflatten(2, (-1, CHUNK))

    query, key, value = chunks(phi(q, omega)), chunks(phi(k, omega)), chunks(v)
    states, sums = torch.einsum("bhncf,bhncm->bhnfm", key, value), key.sum(3)
    before, sums_before = states.cumsum(2) - states, sums.cumsum(2) - sums
    weights = torch.tril(torch.einsum("bhnif,bhnjf->bhnij", query, key))
    numerator = torch.einsum("bhnif,bhnfm->bhnim", query, before) + weights @ value
    denominator = torch.einsum("bhnif,bhnf->bhni", query, sums_before) + weights.sum(-1) + EPS
    return (numerator / denominator.unsqueeze(-1)).flatten(2, 3)


def causal_tuned(phi, q, k, v, omega):
    state, out = None, []
    for rows, keys, value in zip(*(x.split(CHUNK, 2) for x in (q, k, with_ones(v)))):
        query, key = phi(rows, omega), phi(keys, omega).transpose(-1, -2)
        within, of_chunk = torch.tril(query @ key) @ value, key @ value
        out.append(within if state is None else within + query @ state)
        state = of_chunk if state is None else state + of_chunk
    return quotient(torch.cat(out, 2))


FEATURES = {
    ("gmm_prf", "plain"): positive_plain,
    ("gmm_prf", "tuned"): positive_tuned,
    ("gmm_rks", "plain"): trigonometric_plain,
    ("gmm_rks", "tuned"): trigonometric_tuned,
}
ATTENTION = {
    (False, "plain"): all_plain,
    (False, "tuned"): all_tuned,
    (True, "plain"): causal_plain,
    (True, "tuned"): causal_tuned,
}


class Step:
    """Forward and backward pass on the arrays of a file."""

    def __init__(self, file, kind, causal, form, compiled=False, dtype=torch.float32):
        arrays = {name: torch.from_numpy(array).to(dtype) for name, array in numpy.load(file).items()}
        self.cotangent, omega = arrays.pop("cot"), arrays.pop("rand_omega")
        self.inputs = {name: array.requires_grad_() for name, array in arrays.items()}
        phi, attend = FEATURES[kind, form], ATTENTION[causal, form]

        def forward(q, k, v, mean, sigma):
            return attend(phi, q, k, v, frequencies(kind, mean, sigma, omega))

        self.forward = torch.compile(forward) if compiled else forward

    def __call__(self):
        out = self.forward(*(self.inputs[name] for name in (*ROWS, "param_mean", "param_sigma")))
        return out, torch.autograd.grad(out, list(self.inputs.values()), self.cotangent)

    def results(self):
        out, gradients = self()
        named = {f"grad_{name}": gradient for name, gradient in zip(self.inputs, gradients)}
        return {name: array.detach().double().numpy() for name, array in {"out": out, **named}.items()}


def blas():
    """Which library multiplies: a build for any BLAS shows it only in what is loaded."""
    words = torch.__config__.show().replace(",", " ").split()
    kind = next((word.split("=")[1] for word in words if word.startswith("BLAS_INFO=")), "unknown")
    if kind == "generic":
        with open("/proc/self/maps", encoding="utf-8") as maps:
            text = maps.read()
        kind = next((name for name in ("openblas", "blis", "mkl", "atlas") if name in text), "reference")
    return kind


def errors(results, exact):
    return {name: float(abs(results[name] - exact[name]).max() / abs(exact[name]).max()) for name in exact}


def answer(request, state):
    """The answer to a request; state is what requests leave behind."""
    do = request.pop("do")
    if do == "about":
        return {"torch": torch.__version__.split("+")[0], "blas": blas()}
    if do == "draw":
        draw(**request)
        return {}
    if do == "load":
        started = time.perf_counter()
        state["step"] = Step(**request)
        state["exact"] = lambda: Step(**{**request, "compiled": False}, dtype=torch.float64).results()
        for _ in range(3):
            state["step"]()
        return {"first_s": time.perf_counter() - started}
    if do == "check":
        exact, of_peer = state["exact"](), state["step"].results()
        return {"ours": errors(numpy.load(request["file"]), exact), "peer": errors(of_peer, exact)}
    step, times = state["step"], []
    step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(request["steps"]):
        started = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - started))
    return {"ms": times, "faults": resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    state = {}
    for line in sys.stdin:
        try:
            found = answer(json.loads(line), state)
        except Exception as failure:  # the driver reports it
            lines = str(failure).strip().splitlines() or [""]
            found = {"error": f"{type(failure).__name__}: {lines[0]}"}
        print(json.dumps(found), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
