"""Text of linear attention with any of its options, and calls of both routes. For the drivers beside this file."""
import os
import subprocess
import tempfile

import numpy as np

DEFAULTS = dict(
    domain="log", causality="none", lengths=False, mask=False, sequences=False, group=1, initial=False, final=False,
    normalize=True, policy="none", floor=0.0, form="auto", dtype="f32", eps=1e-6, heads=4, head_dim=16, value_width=24,
    features=40, state=None, rows="?", key_rows="?",
)  # fmt: skip


def with_defaults(options):
    return {**DEFAULTS, **options}


def accumulator(o):
    """16-bit rows are computed in f32."""
    return "f64" if o["dtype"] == "f64" else "f32"


def types_of(o):
    heads, groups = o["heads"], o["heads"] // o["group"]
    t, a, d, m, f = o["dtype"], accumulator(o), o["head_dim"], o["value_width"], o["features"]
    n, s = o["rows"], o["key_rows"]
    types = {
        "q": f"tensor<?x{heads}x{n}x{d}x{t}>", "k": f"tensor<?x{groups}x{s}x{d}x{t}>",
        "v": f"tensor<?x{groups}x{s}x{m}x{t}>", "out": f"tensor<?x{heads}x{n}x{m}x{t}>",
        "lengths": "tensor<?xi64>", "mask": f"tensor<?x{s}xi1>",
        "sequences": "tensor<?xi64>", "omega": f"tensor<{groups}x{d}x{f}x{a}>", "counts": f"tensor<?x{heads}xi64>",
        "sums": f"tensor<?x{groups}x{f}x{m}x{o['state'] or a}>", "normalizer": f"tensor<?x{groups}x{f}x{a}>",
        "maximum": f"tensor<?x{groups}x{f}x{a}>",
    }  # fmt: skip
    return types


def state_names(o):
    return ["sums", "normalizer"] + (["maximum"] if o["domain"] == "log" else [])


def region(o):
    t, d, f = accumulator(o), o["head_dim"], o["features"]
    rows, tile, features = f"tensor<?x{d}x{o['dtype']}>", f"tensor<?x{d}x{t}>", f"tensor<?x{f}x{t}>"
    wide = "%rows" if rows == tile else "%x"
    extend = "" if rows == tile else f"%x = arith.extf %rows : {rows} to {tile}"
    last = (
        f"spectral.log_positive %u, {wide} {{norm_factor = 1.0 : f64, count = {f} : i64}}"
        f" : {features}, {tile} -> {features}"
        if o["domain"] == "log"
        else f"linalg.abs ins(%u : {features}) outs(%empty : {features}) -> {features}"
    )
    return f"""features (%rows: {rows}, %w: tensor<{d}x{f}x{t}>) {{
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : {t}
      %count = tensor.dim %rows, %c0 : {rows}
      %empty = tensor.empty(%count) : {features}
      %init = linalg.fill ins(%zero : {t}) outs(%empty : {features}) -> {features}
      {extend}
      %u = linalg.matmul ins({wide}, %w : {tile}, tensor<{d}x{f}x{t}>) outs(%init : {features}) -> {features}
      %phi = {last}
      spectral.yield %phi : {features}
    }}"""


def function(o, arguments, results, op, attributes):
    """A function `f` of named arguments around one operation; `op` ends before its attributes."""
    types = types_of(o)
    given = ", ".join(f'%{a}: {types[a]} {{bochner.name = "{a}"}}' for a in arguments)
    returned = ", ".join(f'{types[r]} {{bochner.name = "{r}"}}' for r in results)
    plain = ", ".join(types[r] for r in results)
    values = ", ".join(f"%r#{i}" for i in range(len(results)))
    return f"""func.func @f({given}) -> ({returned}) {{
  %r:{len(results)} = {op} {{{", ".join(attributes)}}} {region(o)} -> {plain}
  return {values} : {plain}
}}
"""


def clause(o, name, operands):
    types = types_of(o)
    return f' {name}({", ".join("%" + x for x in operands)} : {", ".join(types[x] for x in operands)})'


def attention(options):
    o = with_defaults(options)
    arguments = ["q", "k", "v"]
    op = "spectral.linear_attention" + clause(o, "query", ["q"]) + clause(o, "key", ["k"]) + clause(o, "value", ["v"])
    for name in ("lengths", "mask", "sequences"):
        if o[name]:
            arguments.append(name)
            op += clause(o, name, [name])
    if o["initial"]:
        arguments += state_names(o)
        op += clause(o, "initial", state_names(o))
    arguments.append("omega")
    op += clause(o, "parameters", ["omega"])
    results = ["out"] + (state_names(o) if o["final"] else []) + (["counts"] if o["policy"] == "count" else [])
    attributes = [
        f'domain = #spectral.domain<{o["domain"]}>', f'causality = #spectral.causality<{o["causality"]}>',
        f'eps = {o["eps"]:e} : f64', f'normalize = {str(o["normalize"]).lower()}',
        f'denominator = #spectral.denominator<{o["policy"]}>', f'floor = {o["floor"]:e} : f64',
        f'form = #spectral.form<{o["form"]}>',
    ]  # fmt: skip
    if o["final"]:
        attributes += ["return_state"] + ([f"state_type = {o['state']}"] if o["state"] else [])
    return function(o, arguments, results, op, attributes)


def attention_state(options):
    o = with_defaults(options)
    op = "spectral.attention_state" + clause(o, "key", ["k"]) + clause(o, "value", ["v"])
    op += clause(o, "parameters", ["omega"])
    return function(o, ["k", "v", "omega"], state_names(o), op, [f'domain = #spectral.domain<{o["domain"]}>'])


def apply_state(options):
    o = with_defaults(options)
    op = "spectral.apply_state" + clause(o, "query", ["q"]) + clause(o, "state", state_names(o))
    op += clause(o, "parameters", ["omega"])
    arguments = ["q"] + state_names(o) + ["omega"]
    attributes = [f'domain = #spectral.domain<{o["domain"]}>', f'eps = {o["eps"]:e} : f64']
    return function(o, arguments, ["out"], op, attributes)


def merge_states(options):
    o = with_defaults(options)
    types, names = types_of(o), state_names(o)
    given = [f"%{side}_{n}: {types[n]}" for side in ("left", "right") for n in names]
    named = ", ".join(g + f' {{bochner.name = "{g[1:].split(":")[0]}"}}' for g in given)
    plain = ", ".join(types[n] for n in names)
    side = lambda s: ", ".join(f"%{s}_{n}" for n in names)
    returned = ", ".join(f'{types[n]} {{bochner.name = "{n}"}}' for n in names)
    values = ", ".join(f"%r#{i}" for i in range(len(names)))
    return f"""func.func @f({named}) -> ({returned}) {{
  %r:{len(names)} = spectral.merge_states left({side("left")} : {plain}) right({side("right")} : {plain})
    {{domain = #spectral.domain<{o["domain"]}>}} -> {plain}
  return {values} : {plain}
}}
"""


def call(text, arrays, route="fused", threads=2):
    """Results by name. `arrays` may hold more than the function takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        np.savez(path("in.npz"), **arrays)
        with open(path("f.mlir"), "w") as file:
            file.write(text)
        command = ["bochner-run", path("f.mlir"), "--route", route, "--npz", path("in.npz"), "--out-npz",
                   path("out.npz"), "--threads", str(threads)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr + text)
        return dict(np.load(path("out.npz")))


def inputs(o, rng, batch, queries, keys, scale=1.0):
    """Random arrays, rounded to f32, and rows to bf16 for 16-bit types, so that every type sees the same numbers."""
    o = with_defaults(o)
    groups, f, m = o["heads"] // o["group"], o["features"], o["value_width"]
    if o["sequences"]:
        batch = 1
    arrays = {
        "q": rng.normal(size=(batch, o["heads"], queries, o["head_dim"])) * scale,
        "k": rng.normal(size=(batch, groups, keys, o["head_dim"])) * scale,
        "v": rng.normal(size=(batch, groups, keys, m)),
        "omega": rng.normal(size=(groups, o["head_dim"], f)) / 4,
        "sums": rng.random((batch, groups, f, m)), "normalizer": rng.random((batch, groups, f)) + 0.5,
        "maximum": np.round(rng.normal(size=(batch, groups, f)) * 3),
    }  # fmt: skip
    arrays = {name: a.astype(np.float32).astype(np.float64) for name, a in arrays.items()}
    if o["dtype"] in ("bf16", "f16"):
        for name in ("q", "k", "v"):
            bits = arrays[name].astype(np.float32).view(np.uint32) + np.uint32(0x8000)
            arrays[name] = (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
    arrays["lengths"] = rng.integers(0, keys + 1, size=batch)
    arrays["mask"] = rng.random((batch, keys)) < 0.7
    arrays["sequences"] = np.array([0, 0, min(1, keys), max(min(1, keys), keys // 2), keys])
    return arrays


def unscaled(state):
    """A state with the exponents multiplied in, f64."""
    state = {name: state[name].astype(np.float64) for name in ("sums", "normalizer", "maximum") if name in state}
    if "maximum" in state:
        factor = np.exp2(state.pop("maximum"))
        state = {"sums": state["sums"] * factor[..., None], "normalizer": state["normalizer"] * factor}
    return state


def error(got, expected):
    """Relative to the largest value."""
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    if got.size == 0 or np.array_equal(got, expected):
        return 0.0
    difference = np.abs(got - expected).max()
    return float("inf") if np.isnan(difference) else difference / max(np.abs(expected).max(), 1e-300)
