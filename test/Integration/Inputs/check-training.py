"""Compares the classifier of bochner-gen, its gradients and its steps of training with NumPy, in f64.

usage: check-training.py [BOCHNER-GEN OPTION...]

The options choose the attention: --map elu or --attention softmax. Both routes run: values, loss and correct
predictions against the model written out here; gradients, with dropout, against differences of the loss; of --map elu,
two steps against AdamW, each thread count bit by bit like the other.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

BATCH, TOKENS, HEADS, HEAD_DIM, LAYERS, VOCABULARY, POSITIONS, CLASSES, HIDDEN = 4, 7, 2, 4, 2, 9, 6, 5, 12
WIDTH = HEADS * HEAD_DIM
SIZES = {"--heads": HEADS, "--head-dim": HEAD_DIM, "--layers": LAYERS, "--vocab": VOCABULARY, "--classes": CLASSES,
         "--max-length": POSITIONS, "--feed-forward": HIDDEN}  # fmt: skip
DECAY, BETA1, BETA2, EPS, CLIP, RATE = 0.3, 0.8, 0.99, 1e-3, 0.5, 0.01


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    return done.stdout


class Graph:
    def __init__(self, folder, name, options, route="fused"):
        self.folder, self.module = folder, f"{name}.bochner"
        sizes = [str(word) for pair in SIZES.items() for word in pair]
        text = run("bochner-gen", "--model", "classifier", "--lengths", "--dtype", "f64", *sizes, *options)
        run("bochner-run", "-", "--route", route, "--no-cache", "--emit", self.module, cwd=folder, input=text)

    def __call__(self, arguments, threads=1):
        np.savez(os.path.join(self.folder, "in.npz"), **arguments)
        run("bochner-run", self.module, "--npz", "in.npz", "--out-npz", "out.npz", "--threads", str(threads),
            cwd=self.folder)  # fmt: skip
        with np.load(os.path.join(self.folder, "out.npz")) as results:
            return {name: results[name] for name in results.files}


def make_parameters(random):
    shapes = {"model_embedding.weight": (VOCABULARY, WIDTH), "model_positions.weight": (POSITIONS, WIDTH),
              "model_norm.weight": (WIDTH,), "model_norm.bias": (WIDTH,), "model_head.weight": (CLASSES, WIDTH),
              "model_head.bias": (CLASSES,)}  # fmt: skip
    for i in range(LAYERS):
        for name in ("query", "key", "value", "out"):
            shapes[f"layer{i}_attention.{name}_projection.weight"] = (WIDTH, WIDTH)
        for name in ("norm1", "norm2"):
            shapes[f"layer{i}_{name}.weight"] = shapes[f"layer{i}_{name}.bias"] = (WIDTH,)
        shapes[f"layer{i}_linear1.weight"], shapes[f"layer{i}_linear1.bias"] = (HIDDEN, WIDTH), (HIDDEN,)
        shapes[f"layer{i}_linear2.weight"], shapes[f"layer{i}_linear2.bias"] = (WIDTH, HIDDEN), (WIDTH,)
    return {name: 0.5 * random.standard_normal(shape) for name, shape in shapes.items()}


def make_inputs(random):
    return {"tokens": random.integers(0, VOCABULARY, (BATCH, TOKENS)), "lengths": np.array([7, 3, 1, 0]),
            "labels": random.integers(0, CLASSES, BATCH)}  # fmt: skip


def attend(q, k, v, lengths, softmax):
    """[B, H, N, D]; the rows of a sequence without keys are 0."""
    seen = np.arange(TOKENS) < lengths[:, None, None, None]
    if softmax:
        scores = np.where(seen, q @ k.swapaxes(-1, -2) / np.sqrt(HEAD_DIM), -np.inf)
        weights = np.exp(scores - np.maximum(scores.max(-1, keepdims=True), -1e9))
        return weights @ v / np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    phi = lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))) + 1
    weights = np.where(seen, phi(q) @ phi(k).swapaxes(-1, -2), 0)
    return weights @ v / (weights.sum(-1, keepdims=True) + 1e-6)


def forward(p, tokens, lengths, labels, softmax):
    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    x = p["model_embedding.weight"][tokens] + p["model_positions.weight"][np.minimum(np.arange(TOKENS), POSITIONS - 1)]
    erf = np.vectorize(__import__("math").erf)
    for i in range(LAYERS):
        weight = lambda name: p[f"layer{i}_{name}.weight"].T
        y = norm(x, f"layer{i}_norm2")
        q, k, v = ((y @ weight(f"attention.{n}_projection")).reshape(BATCH, TOKENS, HEADS, HEAD_DIM).swapaxes(1, 2)
                   for n in ("query", "key", "value"))  # fmt: skip
        heads = attend(q, k, v, lengths, softmax).swapaxes(1, 2).reshape(BATCH, TOKENS, WIDTH)
        s = y + heads @ weight("attention.out_projection")
        h = norm(s, f"layer{i}_norm1") @ weight("linear1") + p[f"layer{i}_linear1.bias"]
        h = h * 0.5 * (1 + erf(h / np.sqrt(2)))
        x = s + h @ weight("linear2") + p[f"layer{i}_linear2.bias"]
    seen = (np.arange(TOKENS) < lengths[:, None])[..., None]
    pooled = np.where(seen, norm(x, "model_norm"), 0).sum(1) / np.maximum(lengths, 1)[:, None]
    logits = pooled @ p["model_head.weight"].T + p["model_head.bias"]
    largest = logits.max(-1)
    loss = np.log(np.exp(logits - largest[:, None]).sum(-1)) + largest - logits[np.arange(BATCH), labels]
    return {"logits": logits, "loss": loss.mean(), "correct": (logits.argmax(-1) == labels).sum()}


def expect(what, got, wanted, limit):
    error = np.abs(np.asarray(got) - wanted).max() / max(np.abs(wanted).max(), 1e-30)
    if not error <= limit:
        sys.exit(f"{what} is off by {error:.1e}")


def check_gradients(folder, options, parameters, inputs, random):
    """With dropout, whose mask the key decides."""
    dropped = [*options, "--dropout", "0.2"]
    value = Graph(folder, "loss", [*dropped, "--labels"])
    inputs = {**inputs, "key": np.array(11), "offset": np.array(5)}
    graphs = {route: Graph(folder, f"grad_{route}", [*dropped, "--grad"], route) for route in ("fused", "decompose")}
    gradients = {route: graph({**parameters, **inputs}) for route, graph in graphs.items()}
    largest = max(np.abs(gradients["fused"][f"grad_{n}"]).max() for n in parameters)
    for name in parameters:
        direction = random.standard_normal(parameters[name].shape)
        direction /= np.sqrt((direction**2).sum())
        at = lambda t: value({**parameters, **inputs, name: parameters[name] + t * direction})["loss"]
        slope = (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
        for route, results in gradients.items():
            error = abs((results[f"grad_{name}"] * direction).sum() - slope) / largest
            if not error <= 1e-8:
                sys.exit(f"grad_{name} of route {route} is off by {error:.1e} of the largest")


def adamw(state, gradients, count):
    norm = np.sqrt(sum((g * g).sum() for g in gradients.values()))
    for name, g in gradients.items():
        g = g * min(1, CLIP / (norm + 1e-6))
        p, m, v = state[name]
        m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
        if p.ndim > 1:
            p = p * (1 - RATE * DECAY)
        p = p - RATE * (m / (1 - BETA1**count)) / (np.sqrt(v / (1 - BETA2**count)) + EPS)
        state[name] = p, m, v


def check_steps(folder, options, parameters, inputs):
    optimizer = ["--weight-decay", DECAY, "--beta1", BETA1, "--beta2", BETA2, "--adam-eps", EPS, "--clip-norm", CLIP]
    gradient = Graph(folder, "gradient", [*options, "--grad"])
    for route in ("fused", "decompose"):
        step = Graph(folder, f"step_{route}", [*options, "--train-step", *map(str, optimizer)], route)
        state = {name: (p, np.zeros_like(p), np.zeros_like(p)) for name, p in parameters.items()}
        arguments = {**parameters, **inputs, "learning_rate": np.array(RATE)}  # moments and step are zero
        for count in (1, 2):
            wanted = gradient({**{n: p for n, (p, _, _) in state.items()}, **inputs})
            adamw(state, {n: wanted[f"grad_{n}"] for n in parameters}, count)
            results = step(arguments)
            again = step(arguments, threads=2)
            if any((results[name] != again[name]).any() for name in results):
                sys.exit(f"a step of route {route} depends on the number of threads")
            expect("loss", results["loss"], wanted["loss"], 1e-12)
            for name, values in state.items():
                for prefix, value in zip(("", "moment1_", "moment2_"), values):
                    expect(prefix + name, results[prefix + name], value, 1e-9)
            if results["step"] != count:
                sys.exit(f"expected step {count}, but got {results['step']}")
            arguments.update({n: a for n, a in results.items() if n not in ("loss", "correct")})


def main():
    options = sys.argv[1:]
    random = np.random.default_rng(7)
    parameters, inputs = make_parameters(random), make_inputs(random)
    wanted = forward(parameters, **inputs, softmax="softmax" in options)
    with tempfile.TemporaryDirectory() as folder:
        for route in ("fused", "decompose"):
            results = Graph(folder, f"value_{route}", [*options, "--labels"], route)({**parameters, **inputs})
            for name, value in wanted.items():
                expect(f"{name} of route {route}", results[name], value, 1e-11)
        check_gradients(folder, options, parameters, inputs, random)
        if "--map" in options:  # once is enough: how attention comes about does not matter to an optimizer
            check_steps(folder, options, parameters, inputs)
    print(f"{len(parameters)} parameters: all agree")


if __name__ == "__main__":
    main()
