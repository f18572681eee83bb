"""Graphs of maps in which products read more than rows, with gradients: what bochner-gen has no map for.

`text` gives a function of q, k, v, [lengths,] the map's parameters and cot, whose results are those of bochner-gen's
graphs: out, grad_q, grad_k, grad_v and the gradients of the parameters.
"""


class Region:
    """Writes operations of a feature region; names of values come back."""

    def __init__(self, width, parameters):
        self.lines, self.count, self.width = [], 0, {"x": width}
        self.header = ["%x: " + self.tile(width)]
        for name, shape in parameters.items():
            integer = name.endswith("perm")
            self.header.append(f"%{name}_slice: tensor<{'x'.join(map(str, shape))}x{'i64' if integer else 'T'}>")
        self.emit("%c0 = arith.constant 0 : index")
        self.emit(f"%rows = tensor.dim %x, %c0 : {self.tile(width)}")
        self.emit("%zero = arith.constant 0.0 : T")

    @staticmethod
    def tile(width):
        return f"tensor<?x{width}xT>" if width else "tensor<?xT>"

    def emit(self, line):
        self.lines.append(line)

    def name(self, width):
        self.count += 1
        self.width[f"v{self.count}"] = width
        return f"v{self.count}"

    def filled(self, width):
        empty, init = self.name(width), self.name(width)
        self.emit(f"%{empty} = tensor.empty(%rows) : {self.tile(width)}")
        self.emit(f"%{init} = linalg.fill ins(%zero : T) outs(%{empty} : {self.tile(width)}) -> {self.tile(width)}")
        return init

    def matmul(self, x, weights, depth, width):
        init, out = self.filled(width), self.name(width)
        self.emit(
            f"%{out} = linalg.matmul ins(%{x}, %{weights}_slice : {self.tile(depth)}, tensor<{depth}x{width}xT>) "
            f"outs(%{init} : {self.tile(width)}) -> {self.tile(width)}"
        )
        return out

    def sum(self, x):
        init, out = self.filled(0), self.name(0)
        self.emit(
            f"%{out} = linalg.reduce {{ arith.addf }} ins(%{x} : {self.tile(self.width[x])}) "
            f"outs(%{init} : tensor<?xT>) dimensions = [1]"
        )
        return out

    def elementwise(self, width, body, *operands, columns=()):
        """`body` gives %y from %a0, %a1, ...: elements of tiles, row scalars and, of `columns`, parameters."""
        maps, types = [], []
        for x in operands + columns:
            row = x not in columns and self.width[x] == 0
            maps.append(f"affine_map<(i, j) -> ({'j' if x in columns else 'i' if row else 'i, j'})>")
            types.append(f"tensor<{width}xT>" if x in columns else self.tile(self.width[x]))
        init, out = self.filled(width), self.name(width)
        names = ", ".join(["%" + x for x in operands] + [f"%{x}_slice" for x in columns])
        arguments = ", ".join(f"%a{i}: T" for i in range(len(maps)))
        self.emit(
            f"%{out} = linalg.generic {{indexing_maps = [{', '.join(maps)}, affine_map<(i, j) -> (i, j)>], "
            f'iterator_types = ["parallel", "parallel"]}} ins({names} : {", ".join(types)}) '
            f"outs(%{init} : {self.tile(width)}) {{\n^bb0({arguments}, %o: T):\n{body}\nlinalg.yield %y : T\n}} "
            f"-> {self.tile(width)}"
        )
        return out

    def op(self, line, width, types):
        out = self.name(width)
        self.emit(f"%{out} = spectral.{line} : {types} -> {self.tile(width)}")
        return out

    def text(self, result):
        yielded = f"spectral.yield %{result} : {self.tile(self.width[result])}"
        return f"({', '.join(self.header)}) {{\n" + "\n".join([*self.lines, yielded]) + "\n}"


SQUARE = "%y = arith.mulf %a0, %a0 : T"
TANH = "%y = math.tanh %a0 : T"
SOFTPLUS = "%one = arith.constant 1.0 : T\n%e = math.exp %a0 : T\n%y = math.log1p %e : T"
NORMALIZE = "%c = arith.constant 1.0e-1 : T\n%s = arith.addf %a1, %c : T\n%r = math.rsqrt %s : T\n"


def layer_norm(d, f):
    """Rows are normalized before the projection, with a gain and a bias."""
    parameters = {"gain": [d], "bias": [d], "w": [d, f]}
    b = Region(d, parameters)
    mean = f"%c = arith.constant {1 / d:e} : T\n%m = arith.mulf %a1, %c : T\n%y = arith.subf %a0, %m : T"
    centered = b.elementwise(d, mean, "x", b.sum("x"))
    squares = b.sum(b.elementwise(d, SQUARE, centered))
    scale = NORMALIZE + "%n = arith.mulf %a0, %r : T\n%g = arith.mulf %n, %a2 : T\n%y = arith.addf %g, %a3 : T"
    rows = b.elementwise(d, scale, centered, squares, columns=("gain", "bias"))
    return parameters, b.text(b.elementwise(f, SOFTPLUS, b.matmul(rows, "w", d, f)))


def mlp(d, f):
    """Two products, wider in between than rows and features may be."""
    hidden = f // 2 + 65
    parameters = {"w1": [d, hidden], "b1": [hidden], "w2": [hidden, f]}
    b = Region(d, parameters)
    biased = b.elementwise(hidden, "%s = arith.addf %a0, %a1 : T\n%y = math.tanh %s : T",
                           b.matmul("x", "w1", d, hidden), columns=("b1",))  # fmt: skip
    return parameters, b.text(b.elementwise(f, SOFTPLUS, b.matmul(biased, "w2", hidden, f)))


def transforms(d, f):
    """Every kind of step behind another: product, transforms, sum, normalized rows, product, and rows again."""
    parameters = {"w1": [d, 32], "scale": [32], "gaussian": [32], "signs": [32], "perm": [32], "w2": [32, f]}
    b = Region(d, parameters)
    hidden = b.elementwise(32, TANH, b.matmul("x", "w1", d, 32))
    types = f"{b.tile(32)}, tensor<32xT>, tensor<32xi64>"
    diagonals = "scale(%scale_slice) gaussian(%gaussian_slice) signs(%signs_slice)"
    mixed = b.op(f"fastfood %{hidden} {diagonals} permutation(%perm_slice)", 32, types)
    mixed = b.op(f"permute %{mixed}, %perm_slice", 32, f"{b.tile(32)}, tensor<32xi64>")
    mixed = b.op(f"hadamard %{mixed}", 32, b.tile(32))
    squares = b.sum(b.elementwise(32, SQUARE, mixed))
    rows = b.elementwise(32, NORMALIZE + "%y = arith.mulf %a0, %r : T", mixed, squares)
    u = b.matmul(rows, "w2", 32, f)
    shift = "%c = arith.constant 0.25 : T\n%m = arith.mulf %a1, %c : T\n%y = arith.subf %a0, %m : T"
    return parameters, b.text(b.elementwise(f, shift, u, b.sum(b.elementwise(d, SQUARE, "x"))))


MAPS = {"layer_norm": layer_norm, "mlp": mlp, "transforms": transforms}
LOG_DOMAIN = ("transforms",)


def text(name, seed, case):
    """The graph of a case of compare-gradients.py. "T" stands for the element type."""
    d, m, heads = case["head_dim"], case["value_dim"], case["heads"]
    key_heads = case["kv_heads"] or heads
    parameters, region = MAPS[name](d, case["features"])
    rows = {"q": [heads, d], "k": [key_heads, d], "v": [key_heads, m]}
    types = {n: f"tensor<?x{h}x?x{w}xT>" for n, (h, w) in rows.items()}
    if case["keys"] == "lengths":
        types["lengths"] = "tensor<?xi64>"
    shared = 1 if seed % 2 else key_heads
    for n, shape in parameters.items():
        kind = "i64" if n.endswith("perm") else "T"
        types[n] = f"tensor<{'x'.join(map(str, [shared, *shape]))}x{kind}>"
    out = f"tensor<?x{heads}x?x{m}xT>"
    wanted = [n for n in types if n != "lengths" and not n.endswith("perm")]
    results = [out] + [types[n] for n in wanted]
    labels = ["out"] + ["grad_" + n for n in wanted]
    arguments = ", ".join(f'%{n}: {t} {{bochner.name = "{n}"}}' for n, t in types.items())
    names, kinds = ", ".join("%" + n for n in types), ", ".join(types.values())
    operands = ", ".join("%" + n for n in parameters)
    operands += " : " + ", ".join(types[n] for n in parameters)
    domain, causality = name in LOG_DOMAIN, case["causal"]
    attributes = f"domain = #spectral.domain<{'log' if domain else 'linear'}>, "
    attributes += f"causality = #spectral.causality<{'causal' if causality else 'none'}>, "
    attributes += f"normalize = {'true' if case['normalize'] else 'false'}"
    lengths = " lengths(%lengths : tensor<?xi64>)" if "lengths" in types else ""
    module = f"""
func.func private @attention({", ".join(f"%{n}: {t}" for n, t in types.items())}) -> {out} {{
  %out = spectral.linear_attention query(%q : {types["q"]}) key(%k : {types["k"]}) value(%v : {types["v"]}){lengths}
      parameters({operands}) {{{attributes}}} features {region} -> {out}
  return %out : {out}
}}
func.func @gradients({arguments}, %cot: {out} {{bochner.name = "cot"}})
    -> ({", ".join(f'{t} {{bochner.name = "{n}"}}' for n, t in zip(labels, results))}) {{
  %y:{len(results)} = spectral.vjp @attention inputs({names} : {kinds}) cotangents(%cot : {out})
    wrt {[list(types).index(n) for n in wanted]} -> {", ".join(results)}
  return {", ".join(f"%y#{i}" for i in range(len(results)))} : {", ".join(results)}
}}
"""
    return module
