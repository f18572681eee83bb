"""The unfused formula of linear attention in PyTorch, differentiated by autograd: the peer of bench-torch.py.

Reads requests from standard input and answers each, a JSON object a line. The features are whole tensors, as anybody
would write them, in the fastest of the forms that were tried: products by matmul, elementwise operations in place where
autograd allows it. Causal attention works in chunks of 64 rows: `cumsum` adds up the states of all chunks at once,
`loop` goes from one chunk to the next with a running state and computes features chunk by chunk, which memory likes.
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


def positive(rows, omega):
    rows = rows * rows.shape[-1] ** -0.25
    offset = (rows * rows).sum(-1, keepdim=True) + math.log(omega.shape[-1]) / 2
    return (rows @ omega).sub_(offset).exp_()


def trigonometric(rows, omega):
    u = (rows * rows.shape[-1] ** -0.25) @ omega
    return torch.cat([torch.cos(u), torch.sin(u)], -1).mul_(omega.shape[-1] ** -0.5 * math.sqrt(2))


def everything(phi, q, k, v, omega):
    query, key = phi(q, omega), phi(k, omega)
    return (query @ (key.transpose(-1, -2) @ v)) / (query @ key.sum(-2).unsqueeze(-1) + EPS)


def cumsum(phi, q, k, v, omega):
    def chunks(x):
        return x.unflatten(2, (-1, CHUNK))

    query, key, value = chunks(phi(q, omega)), chunks(phi(k, omega)), chunks(v)
    states = key.transpose(-1, -2) @ value
    before = states.cumsum(2) - states
    sums = key.sum(-2).unsqueeze(-1)
    sums_before = sums.cumsum(2) - sums
    weights = torch.tril(query @ key.transpose(-1, -2))
    denominator = query @ sums_before + weights.sum(-1, keepdim=True) + EPS
    return ((query @ before + weights @ value) / denominator).flatten(2, 3)


def loop(phi, q, k, v, omega):
    state, sums, out = None, None, []
    for rows, keys, value in zip(q.split(CHUNK, 2), k.split(CHUNK, 2), v.split(CHUNK, 2)):
        query, key = phi(rows, omega), phi(keys, omega)
        weights = torch.tril(query @ key.transpose(-1, -2))
        numerator, denominator = weights @ value, weights.sum(-1, keepdim=True) + EPS
        new_state, new_sums = key.transpose(-1, -2) @ value, key.sum(-2).unsqueeze(-1)
        if state is not None:
            numerator, denominator = numerator + query @ state, denominator + query @ sums
            new_state, new_sums = state + new_state, sums + new_sums
        state, sums = new_state, new_sums
        out.append(numerator / denominator)
    return torch.cat(out, 2)


FORMS = {"": everything, "cumsum": cumsum, "loop": loop}


class Step:
    """Forward and backward pass on the arrays of a file."""

    def __init__(self, file, kind, form, compiled=False, dtype=torch.float32):
        arrays = {name: torch.from_numpy(array).to(dtype) for name, array in numpy.load(file).items()}
        self.cotangent, omega = arrays.pop("cot"), arrays.pop("rand_omega")
        self.inputs = {name: array.requires_grad_() for name, array in arrays.items()}
        phi, attend = positive if kind == "gmm_prf" else trigonometric, FORMS[form]

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
    told = next((word for word in torch.__config__.show().replace(",", " ").split() if "BLAS_INFO=" in word), "=unknown")
    kind = told.split("=")[1]
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
