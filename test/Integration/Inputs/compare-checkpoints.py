"""Saved states and the gradients that read them, in f64 against the route decompose; prints what differs and totals."""
import itertools
import sys

import numpy as np

import gradient_graphs as graphs

MAPS = {"gmm_prf": ["--features", "24"], "gmm_rks": ["--features", "17"], "elu": []}
LIMIT = 1e-10


def check_gradients(name, keys, direction, interval):
    """Heads of queries in pairs, lengths that are no multiple of a chunk."""
    options = ["--map", name, *MAPS[name], "--head-dim", "5", "--value-dim", "7", "--heads", "4", "--kv-heads", "2"]
    options += ["--" + direction, "--dtype", "f64"] + (["--" + keys] if keys else [])
    oracle = graphs.generate(options)
    text = graphs.generate(options + (["--checkpoints", interval] if interval else []))
    batch = 1 if keys == "packed" else 2
    arguments = graphs.draw(oracle, np.random.default_rng(7), batch, 4, 331, 331, scale=1.5, key_heads=2)
    if keys == "lengths":
        arguments["lengths"] = np.array([0, 205])
    expected = graphs.call(oracle, arguments, route="decompose")
    runs = [graphs.call(text, arguments, threads=threads) for threads in (1, 3)]
    equal = all(np.array_equal(runs[0][result], runs[1][result], equal_nan=True) for result in runs[0])
    wrong = {n: e for n, e in graphs.errors(runs[0], expected).items() if not e <= LIMIT}
    if wrong or not equal:
        print(f"failed: {name} {keys or 'all'} {direction} {interval}: {wrong}{'' if equal else ', threads matter'}")
    return equal and not wrong


STATES = """
func.func @f(%q: tensor<1x4x200x6xf64> {{bochner.name = "q"}}, %k: tensor<1x2x200x6xf64> {{bochner.name = "k"}},
             %v: tensor<1x2x200x3xf64> {{bochner.name = "v"}}{argument})
    -> (tensor<1x4x200x3xf64> {{bochner.name = "out"}}, {types}) {{
  %out, {names} = spectral.linear_attention query(%q : tensor<1x4x200x6xf64>) key(%k : tensor<1x2x200x6xf64>)
      value(%v : tensor<1x2x200x3xf64>) {operand} {{causality = #spectral.causality<{causality}>, {domain}
      return_checkpoints, checkpoint_interval = 64 : i64}}
      features (%x: tensor<?x6xf64>) {{
        spectral.yield %x : tensor<?x6xf64>
      }} -> tensor<1x4x200x3xf64>, {plain}
  return %out, {names} : tensor<1x4x200x3xf64>, {plain}
}}
"""


def states_graph(causality, log, masked):
    """Attention whose saved states are results, at positions 0, 64, 128 and 192."""
    plain = ["tensor<1x2x4x6x3xf64>", "tensor<1x2x4x6xf64>", "tensor<1x2x4x6xf64>"][: 3 if log else 2]
    names = ["sums", "normalizer", "maximum"][: len(plain)]
    argument = operand = ""
    if masked:
        argument, operand = ', %m: tensor<1x200xi1> {bochner.name = "m"}', "mask(%m : tensor<1x200xi1>)"
    return STATES.format(
        causality=causality, domain="domain = #spectral.domain<log>," if log else "", argument=argument,
        operand=operand, plain=", ".join(plain), names=", ".join("%" + n for n in names),
        types=", ".join(f'{t} {{bochner.name = "{n}"}}' for t, n in zip(plain, names)),
    )  # fmt: skip


def check_states(causality, log, masked):
    text = states_graph(causality, log, masked)
    rng = np.random.default_rng(5)
    arguments = {name: rng.standard_normal((1, heads, 200, width)) for name, heads, width in
                 (("q", 4, 6), ("k", 2, 6), ("v", 2, 3))}  # fmt: skip
    if not log:
        arguments |= {n: np.abs(arguments[n]) for n in "qk"}
    arguments["m"] = rng.random((1, 200)) < 0.7
    arguments["m"][0, :70] = False
    k, v = arguments["k"][0], arguments["v"][0]
    phi = np.exp(k) if log else k
    if masked:
        phi = phi * arguments["m"][0][None, :, None]
    wrong = []
    for route in ("fused", "decompose"):
        got = graphs.call(text, arguments, route=route)
        scale = np.exp2(got["maximum"][0]) if log else 1
        sums, normalizer = got["sums"][0] * (scale[..., None] if log else 1), got["normalizer"][0] * scale
        for i in range(4):
            seen = slice(0, 64 * i) if causality == "causal" else slice(200 - 64 * i, 200)
            want = np.einsum("hsf,hsm->hfm", phi[:, seen], v[:, seen]), phi[:, seen].sum(1)
            for x, y in zip((sums[:, i], normalizer[:, i]), want):
                if not np.allclose(x, y, rtol=1e-12, atol=1e-12):
                    wrong.append((route, i))
    if wrong:
        print(f"failed: states, {causality}, {'log' if log else 'linear'}, {'masked' if masked else 'all'}: {wrong}")
    return not wrong


def main():
    flags = (False, True)
    results = [check_states(*case) for case in itertools.product(("causal", "anticausal"), flags, flags)]
    cases = [("gmm_prf", "", "causal", i) for i in (None, "64", "128", "512")]
    cases += [("gmm_rks", keys, "causal", "128") for keys in ("", "lengths", "mask", "packed")]
    cases += [("gmm_prf", keys, "causal", "64") for keys in ("lengths", "mask", "packed")]
    cases += [("gmm_prf", "packed", "anticausal", "128"), ("elu", "lengths", "anticausal", None)]
    cases += [("elu", "mask", "causal", "64"), ("gmm_rks", "mask", "anticausal", "64")]
    results += [check_gradients(*case) for case in cases]
    print(f"{sum(results)} of {len(results)} cases agree")
    return not all(results)


sys.exit(main())
