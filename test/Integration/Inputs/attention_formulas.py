"""Kernelized attention and its feature maps in NumPy, from their formulas. For the drivers beside this file.

Rows are [B, H, N, D]. Everything takes complex numbers as well, so that imag(f(x + i h t)) / h is the derivative of f
along t to the last digits: nothing takes magnitudes, comparisons see real parts.
"""
import numpy as np


def softmax(z, axis=-1):
    e = np.exp(z - z.real.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# Feature maps. `o` holds the options, `p` the arguments of the graph without the prefix of the map. ------------------


def trigonometric(projections, amplitude, smoothing):
    phi = amplitude * np.concatenate([f(u) for u in projections for f in (np.cos, np.sin)], axis=-1)
    if smoothing is None:
        return phi
    return np.concatenate([phi, np.full(phi.shape[:-1] + (1,), smoothing)], axis=-1)


def exponential(projections, z, o):
    norms = (z * z).sum(axis=-1, keepdims=True)
    offset = o["norm_factor"] * norms + 0.5 * np.log(o["n_dims"])
    if o["stabilize"]:
        offset = offset + np.take_along_axis(norms, norms.real.argmax(axis=-2, keepdims=True), axis=-2)
    return np.concatenate([np.exp(u - offset) for u in projections], axis=-1)


def gaussian_frequencies(p):
    """[..., D, m] without the mean, and the mean. The covariance is full, diagonal or scalar by the rank of sigma."""
    omega, mean, sigma = p["rand_omega"], p["param_mean"], p["param_sigma"]
    if sigma.ndim > mean.ndim:
        return sigma.swapaxes(-1, -2) @ omega, mean[..., None]
    scale = np.exp(sigma / 2)[..., None]
    return omega * (scale if sigma.ndim == mean.ndim else scale[..., None]), mean[..., None]


def fastfood_projection(z, p):
    """D^(-1/2) S H G P H B z, H the Hadamard matrix of +-1."""
    size = z.shape[-1]
    hadamard = np.ones((1, 1))
    while len(hadamard) < size:
        hadamard = np.kron([[1, 1], [1, -1]], hadamard)
    diagonal = lambda name: p[f"param_{name}" if f"param_{name}" in p else f"rand_{name}"]
    mixed = ((z * diagonal("B")) @ hadamard)[..., p["rand_perm"]] * diagonal("G")
    return (mixed @ hadamard) * diagonal("S") / np.sqrt(size)


def generated_frequencies(p, evaluate):
    """A small network on noise: affine, batch normalization, leaky relu; affine and tanh at the end."""
    y, layer = p["rand_noise"], 0
    while f"param_gen{layer}_bn_weight" in p:
        of = lambda name: p[f"param_gen{layer}_{name}"]
        y = y @ of("weight").T + of("bias")
        mean, variance = y.mean(axis=0), ((y - y.mean(axis=0)) ** 2).mean(axis=0)
        if evaluate:
            mean, variance = p[f"buf_gen{layer}_bn_mean"], p[f"buf_gen{layer}_bn_var"]
        y = (y - mean) / np.sqrt(variance + 1e-5) * of("bn_weight") + of("bn_bias")
        y = np.where(y.real >= 0, y, 0.01 * y)
        layer += 1
    return np.tanh(y @ p[f"param_gen{layer}_weight"].T + p[f"param_gen{layer}_bias"]).T


def features(name, o, x, p):
    """[B, H, N, F] of one map, of alacarte [B, C, H, N, F]."""
    if name == "elu":
        return np.where(x.real > 0, x + 1, np.exp(np.where(x.real > 0, 0, x)))
    z = np.sqrt(o["temp"]) * x
    if name == "relu":
        u = z @ p["rand_omega"]
        return np.where(u.real > 0, u, 0)
    if name == "rff":
        return trigonometric([z @ p["rand_omega"]], np.sqrt(2 / o["n_dims"]), o["smoothing"])
    if name in ("favor", "gaussian_prf"):
        u = z @ p["rand_omega"]
        return exponential([u, -u], z, o)
    if name.startswith("fastfood"):
        u, prf = fastfood_projection(z, p), {**o, "n_dims": x.shape[-1]}
        return exponential([u], z, prf) if name.endswith("prf") else trigonometric(
            [u], 1 / np.sqrt(x.shape[-1]), o["smoothing"])
    if name.startswith("generator"):
        u = z @ generated_frequencies(p, o["eval"])
        return exponential([u], z, o) if name.endswith("prf") else trigonometric(
            [u], np.sqrt(2 / o["n_dims"]), o["smoothing"])
    w, mean = gaussian_frequencies(p)
    if name == "alacarte":
        z, w, mean = z[:, None], w[:, None], mean[:, None]
    if name == "gmm_prf":
        return exponential([z @ (w + mean)], z, o)
    if name == "gmm_prf_hyperbolic":
        return exponential([z @ (w + mean), -(z @ (w + mean))], z, o)
    assert name in ("gmm_rks", "gauss_rks", "alacarte")
    return trigonometric([z @ (w + mean), z @ (w - mean)], np.sqrt(4 / o["n_dims"]), o["smoothing"])


# Attention. -----------------------------------------------------------------------------------------------------------


def visible_keys(o, p, queries, keys):
    """[B, 1, N, S]: which keys a query sees."""
    n, s = np.arange(queries)[:, None], np.arange(keys)
    visible = np.ones((1, 1, queries, keys), bool)
    if o["causal"]:
        visible = visible & (s <= n)
    if "lengths" in p:
        visible = visible & (s < p["lengths"][:, None, None, None])
    if "mask" in p:
        visible = visible & p["mask"][:, None, None]
    if "sequences" in p:
        start = lambda i: np.searchsorted(p["sequences"][1:], i, side="right")
        visible = visible & (start(n) == start(s))
    return visible


def average(weights, v, visible, o):
    weights = np.where(visible, weights, 0)
    sums = weights @ v
    return sums / (weights.sum(axis=-1, keepdims=True) + o["eps"]) if o["normalize"] else sums


def attention(o, p):
    """[B, H, N, M], of the form "features" those of the queries. `o["maps"]` holds name and options of each map."""
    if o["attention"] == "features":
        name, options = o["maps"][0]
        return features(name, {**o, **options}, p["q"], p)
    q, k, v = p["q"], p["k"], p["v"]
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    visible = visible_keys(o, p, q.shape[2], k.shape[2])
    if o["attention"] == "softmax":
        z = np.where(visible, o["temp"] * q @ k.swapaxes(-1, -2), -1e300)
        return average(np.exp(z - z.real.max(axis=-1, keepdims=True)), v, visible, {**o, "eps": 0, "normalize": True})
    if o["attention"] == "gaussian_kernel":
        difference = q[:, :, :, None] - k[:, :, None]
        return average(np.exp(-0.5 * o["temp"] * (difference**2).sum(axis=-1)), v, visible, o)
    outs = []
    for i, (name, options) in enumerate(o["maps"]):
        prefix = f"fm{i}_" if len(o["maps"]) > 1 else ""
        own = {n[len(prefix) :]: a for n, a in p.items() if n.startswith(prefix)}
        phi_q, phi_k = (features(name, {**o, **options}, x, own) for x in (q, k))
        mixture = o["attention"] == "mixture"
        outs.append(average(phi_q @ phi_k.swapaxes(-1, -2), v[:, None] if mixture else v,
                            visible[:, None] if mixture else visible, o))  # fmt: skip
    if o["attention"] == "mixture":
        return np.einsum("c,bchnm->bhnm", softmax(p["param_weights"]), outs[0])
    if o["attention"] == "generalized":
        gates = softmax(np.einsum("bhnd,hdk->bhnk", q, p["param_pi_projection"]))
        return np.einsum("kbhnm,bhnk->bhnm", np.stack(outs), gates)
    return outs[0]
