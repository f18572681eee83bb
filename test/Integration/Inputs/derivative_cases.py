"""Small functions, one for each operation with a rule of reverse mode: name, types of the arguments, the body.

The arguments are %a, %b, %c; the body sets %r, of the type `result`. Cases with `positive` get numbers above 0.3,
others get some of either sign.
"""
from dataclasses import dataclass


@dataclass
class Case:
    name: str
    body: str
    arguments: tuple = ("tensor<3x4xf64>",)
    result: str = "tensor<3x4xf64>"
    positive: bool = False
    step: float = 1e-5  # of finite differences
    limit: float = 1e-7
    rounding: float = 1e-10


M, V, S = "tensor<3x4xf64>", "tensor<4xf64>", "tensor<f64>"
CASES = []


def case(name, body, *arguments, result=M, **options):
    CASES.append(Case(name, body, arguments or (M,), result, **options))


def constants(*values):
    return "".join(f"%c{v} = arith.constant {v} : index\n" for v in values)


def empty(name, type, *sizes):
    return f"%{name} = tensor.empty({', '.join(sizes)}) : {type}\n"


# arith and math, on tensors and in bodies.
for op in ("addf", "subf", "mulf", "divf", "maximumf", "maxnumf", "minimumf", "minnumf"):
    case(f"arith.{op}", f"%r = arith.{op} %a, %b : {M}", M, M, positive=op == "divf")
case("arith.negf", f"%r = arith.negf %a : {M}")
case("arith.select", f"%p = arith.cmpf ogt, %a, %b : {M}\n%r = arith.select %p, %b, %a : tensor<3x4xi1>, {M}", M, M)
case("arith.extf", f"%s = arith.truncf %a : {M} to tensor<3x4xf32>\n%r = arith.extf %s : tensor<3x4xf32> to {M}",
     step=.1, limit=1e-4, rounding=1e-6)
for op in ("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "sin", "cos", "tanh", "atan", "erf",
           "absf"):
    case(f"math.{op}", f"%r = math.{op} %a : {M}", positive=op in ("log", "log2", "log1p", "sqrt", "rsqrt"))
case("math.powf", f"%r = math.powf %a, %b : {M}", M, M, positive=True)
case("math.fma", f"%r = math.fma %a, %b, %c : {M}", M, M, M)
for op in ("floor", "ceil", "round", "roundeven", "trunc"):
    case(f"math.{op}", f"%s = math.{op} %a : {M}\n%r = arith.mulf %s, %a : {M}")

# Named structured operations.
for op in ("add", "sub", "mul", "div", "max", "min", "powf"):
    case(f"linalg.{op}", empty("o", M) + f"%r = linalg.{op} ins(%a, %b : {M}, {M}) outs(%o : {M}) -> {M}", M, M,
         positive=op in ("div", "powf"))
for op in ("exp", "log", "abs", "negf", "sqrt", "rsqrt", "square", "reciprocal", "tanh", "erf", "copy"):
    case(f"linalg.{op}", empty("o", M) + f"%r = linalg.{op} ins(%a : {M}) outs(%o : {M}) -> {M}",
         positive=op in ("log", "sqrt", "rsqrt", "reciprocal"))
for op in ("floor", "ceil", "round"):
    case(f"linalg.{op}", empty("o", M) + f"%s = linalg.{op} ins(%a : {M}) outs(%o : {M}) -> {M}\n"
         f"%r = arith.mulf %s, %a : {M}")
case("linalg.select", f"%p = arith.cmpf ogt, %a, %b : {M}\n" + empty("o", M)
     + f"%r = linalg.select ins(%p, %b, %a : tensor<3x4xi1>, {M}, {M}) outs(%o : {M}) -> {M}", M, M)
case("linalg.elementwise", empty("o", M) + "%r = linalg.elementwise kind=#linalg.elementwise_kind<mul> indexing_maps = "
     "[affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>] "
     f"ins(%a, %b : {M}, {V}) outs(%o : {M}) -> {M}", M, V)
PRODUCTS = (("matmul", "tensor<3x5xf64>", "tensor<5x4xf64>", M), ("matvec", M, V, "tensor<3xf64>"),
            ("vecmat", "tensor<3xf64>", M, V), ("dot", V, V, S),
            ("batch_matmul", "tensor<2x3x5xf64>", "tensor<2x5x4xf64>", "tensor<2x3x4xf64>"),
            ("batch_matvec", "tensor<2x3x4xf64>", "tensor<2x4xf64>", "tensor<2x3xf64>"),
            ("batch_vecmat", "tensor<2x3xf64>", "tensor<2x3x4xf64>", "tensor<2x4xf64>"))
for op, a, b, c in PRODUCTS:
    case(f"linalg.{op}", f"%r = linalg.{op} ins(%a, %b : {a}, {b}) outs(%c : {c}) -> {c}", a, b, c, result=c)
case("linalg.matmul transposed", "%r = linalg.matmul indexing_maps = [affine_map<(i, j, k) -> (i, k)>, "
     "affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>] "
     f"ins(%a, %b : tensor<3x5xf64>, tensor<4x5xf64>) outs(%c : {M}) -> {M}", "tensor<3x5xf64>", "tensor<4x5xf64>", M)
case("linalg.contract", "%r = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (k, i)>, "
     "affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (j, i)>] "
     f"ins(%a, %b : {M}, tensor<2x3xf64>) outs(%c : tensor<2x4xf64>) -> tensor<2x4xf64>", M, "tensor<2x3xf64>",
     "tensor<2x4xf64>", result="tensor<2x4xf64>")
case("linalg.transpose", empty("o", "tensor<4x3xf64>")
     + f"%r = linalg.transpose ins(%a : {M}) outs(%o : tensor<4x3xf64>) permutation = [1, 0]", result="tensor<4x3xf64>")
case("linalg.broadcast", empty("o", M) + f"%r = linalg.broadcast ins(%a : {V}) outs(%o : {M}) dimensions = [0]", V)
case("linalg.map", empty("o", M) + f"%r = linalg.map ins(%a, %b : {M}, {M}) outs(%o : {M})\n"
     "(%x: f64, %y: f64, %out: f64) {\n%s = math.sin %x : f64\n%p = arith.mulf %s, %y : f64\nlinalg.yield %p : f64\n}",
     M, M)
case("linalg.fill", f"%s = tensor.extract %a[] : {S}\n" + empty("o", M)
     + f"%r = linalg.fill ins(%s : f64) outs(%o : {M}) -> {M}", S)
for op in ("addf", "maximumf", "minimumf", "maxnumf", "minnumf"):
    case(f"linalg.reduce {op}", f"%r = linalg.reduce ins(%a : {M}) outs(%b : {V}) dimensions = [0]\n"
         f"(%x: f64, %s: f64) {{\n%t = arith.{op} %s, %x : f64\nlinalg.yield %t : f64\n}}", M, V, result=V)


# linalg.generic, whose bodies may be anything.
def generic(maps, iterators, inputs, output, init, body, result=None):
    letters = "ijk"[:len(iterators)]
    names = ", ".join(f"affine_map<({', '.join(letters)}) -> ({', '.join(m)})>" for m in maps)
    kinds = ", ".join({"p": '"parallel"', "r": '"reduction"'}[k] for k in iterators)
    types = [t for _, t in inputs]
    ins = f"ins({', '.join(n for n, _ in inputs)} : {', '.join(types)}) " if inputs else ""
    block = ", ".join([f"%x{i}: f64" for i in range(len(inputs))] + ["%s: f64"])
    return (f"%r = linalg.generic {{indexing_maps = [{names}], iterator_types = [{kinds}]}} "
            f"{ins}outs({init} : {output}) {{\n^bb0({block}):\n{body}\n}} -> {output}\n")


case("generic scalars", empty("o", "tensor<4x3xf64>")
     + generic(["ij", "j", "ji"], "pp", [("%a", M), ("%b", V)], "tensor<4x3xf64>", "%o", """
     %0 = math.exp %x0 : f64
     %1 = arith.divf %0, %x1 : f64
     %2 = arith.maximumf %1, %x0 : f64
     linalg.yield %2 : f64"""), M, V, result="tensor<4x3xf64>", positive=True)
case("generic init of parallel", generic(["j", "ij"], "pp", [("%b", V)], M, "%a", """
     %0 = arith.mulf %x0, %s : f64
     %1 = arith.mulf %0, %s : f64
     linalg.yield %1 : f64"""), M, V)
case("generic captured", f"%t = tensor.extract %b[] : {S}\n" + generic(["ij", "i"], "pr", [("%a", M)], "tensor<3xf64>",
     "%c", """
     %0 = arith.mulf %x0, %t : f64
     %1 = math.sin %0 : f64
     %2 = arith.addf %1, %s : f64
     linalg.yield %2 : f64"""), M, S, "tensor<3xf64>", result="tensor<3xf64>")
case("generic fma", generic(["ik", "kj", "ij"], "ppr", [("%a", "tensor<3x5xf64>"), ("%b", "tensor<5x4xf64>")], M,
     "%c", """
     %0 = math.fma %x0, %x1, %s : f64
     linalg.yield %0 : f64"""), "tensor<3x5xf64>", "tensor<5x4xf64>", M)
case("generic index", empty("o", M) + generic(["ij", "ij"], "pp", [("%a", M)], M, "%o", """
     %i = linalg.index 0 : index
     %j = linalg.index 1 : index
     %below = arith.cmpi ult, %j, %i : index
     %0 = math.exp %x0 : f64
     %zero = arith.constant 0.0 : f64
     %1 = arith.select %below, %0, %zero : f64
     linalg.yield %1 : f64"""))
case("generic maximum of terms", generic(["ij", "j", "i"], "pr", [("%a", M), ("%b", V)], "tensor<3xf64>", "%c", """
     %0 = arith.mulf %x0, %x1 : f64
     %1 = arith.maximumf %s, %0 : f64
     linalg.yield %1 : f64"""), M, V, "tensor<3xf64>", result="tensor<3xf64>")
case("generic gather", constants(0) + empty("o", V) + generic(["i", "i"], "p", [("%b", V)], V, "%o", """
     %j = linalg.index 0 : index
     %one = arith.constant 1 : index
     %i = arith.shrui %j, %one : index
     %0 = tensor.extract %a[%i, %j] : tensor<3x4xf64>
     %1 = tensor.extract %a[%one, %i] : tensor<3x4xf64>
     %2 = arith.mulf %0, %1 : f64
     %3 = arith.mulf %2, %x0 : f64
     linalg.yield %3 : f64"""), M, V, result=V)
case("generic two results", """
     %q:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>,
       affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
       ins(%a : tensor<3x4xf64>) outs(%b, %c : tensor<3x4xf64>, tensor<3xf64>) {
     ^bb0(%x: f64, %s: f64, %t: f64):
       %0 = math.exp %x : f64
       %1 = arith.mulf %0, %s : f64
       %2 = arith.addf %t, %1 : f64
       linalg.yield %1, %2 : f64, f64
     } -> (tensor<3x4xf64>, tensor<3xf64>)
     %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
       iterator_types = ["parallel", "parallel"]} ins(%q#1 : tensor<3xf64>) outs(%q#0 : tensor<3x4xf64>) {
     ^bb0(%x: f64, %s: f64):
       %0 = arith.mulf %x, %s : f64
       linalg.yield %0 : f64
     } -> tensor<3x4xf64>""", M, M, "tensor<3xf64>")
case("generic branch", empty("o", M) + generic(["ij", "ij", "ij"], "pp", [("%a", M), ("%b", M)], M, "%o", """
     %p = arith.cmpf ogt, %x0, %x1 : f64
     %0 = scf.if %p -> f64 {
       %1 = arith.mulf %x0, %x1 : f64
       scf.yield %1 : f64
     } else {
       %1 = math.exp %x0 : f64
       scf.yield %1 : f64
     }
     linalg.yield %0 : f64"""), M, M)

# tensor.
D = "tensor<?x4xf64>"
case("tensor.cast", f"%d = tensor.cast %a : {M} to {D}\n%e = arith.mulf %d, %d : {D}\n%r = tensor.cast %e : {D} to {M}")
case("tensor.extract_slice", constants(1) + "%r = tensor.extract_slice %a[%c1, 0] [1, 2] [1, 2] : tensor<3x4xf64> to "
     "tensor<2xf64>", result="tensor<2xf64>")
case("tensor.extract_slice twice",
     "%s = tensor.extract_slice %a[0, 0] [2, 4] [1, 1] : tensor<3x4xf64> to tensor<2x4xf64>\n"
     "%t = tensor.extract_slice %a[1, 0] [2, 4] [1, 1] : tensor<3x4xf64> to tensor<2x4xf64>\n"
     "%r = arith.mulf %s, %t : tensor<2x4xf64>", result="tensor<2x4xf64>")
case("tensor.insert_slice",
     "%s = tensor.insert_slice %b into %a[1, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<3x4xf64>\n"
     f"%r = arith.mulf %s, %s : {M}", M, V)
case("tensor.collapse_shape", "%s = tensor.collapse_shape %a [[0, 1]] : tensor<3x4xf64> into tensor<12xf64>\n"
     "%r = arith.mulf %s, %s : tensor<12xf64>", result="tensor<12xf64>")
case("tensor.expand_shape", "%s = tensor.expand_shape %a [[0], [1, 2]] output_shape [3, 2, 2] : tensor<3x4xf64> into "
     "tensor<3x2x2xf64>\n%r = arith.mulf %s, %s : tensor<3x2x2xf64>", result="tensor<3x2x2xf64>")
case("tensor.concat", "%s = tensor.concat dim(0) %a, %b, %a : (tensor<3x4xf64>, tensor<2x4xf64>, tensor<3x4xf64>) -> "
     "tensor<8x4xf64>\n%r = arith.mulf %s, %s : tensor<8x4xf64>", M, "tensor<2x4xf64>", result="tensor<8x4xf64>")
case("tensor.pad", "%z = arith.constant 2.0 : f64\n"
     "%s = tensor.pad %a low[1, 0] high[0, 2] {\n^bb0(%i: index, %j: index):\n"
     "tensor.yield %z : f64\n} : tensor<3x4xf64> to tensor<4x6xf64>\n%r = arith.mulf %s, %s : tensor<4x6xf64>",
     result="tensor<4x6xf64>")
case("tensor.extract", constants(1, 2) + "%s = tensor.extract %a[%c1, %c2] : tensor<3x4xf64>\n"
     "%t = tensor.extract %a[%c2, %c1] : tensor<3x4xf64>\n%u = arith.mulf %s, %t : f64\n"
     "%v = arith.mulf %u, %s : f64\n%r = tensor.from_elements %v : tensor<1xf64>", result="tensor<1xf64>")
case("tensor.insert", constants(1) + f"%s = tensor.extract %b[] : {S}\n%t = tensor.insert %s into %a[%c1, %c1] : {M}\n"
     f"%r = arith.mulf %t, %t : {M}", M, S)
case("tensor.from_elements", constants(1, 2)
     + "%s = tensor.extract %a[%c1, %c2] : tensor<3x4xf64>\n%t = math.exp %s : f64\n"
     "%r = tensor.from_elements %s, %t, %t, %s : tensor<2x2xf64>", result="tensor<2x2xf64>")
case("tensor.splat", f"%s = tensor.extract %a[] : {S}\n%t = math.exp %s : f64\n%r = tensor.splat %t : {M}", S)

# scf.
case("scf.if", constants(0) + f"""%s = tensor.extract %a[%c0, %c0] : {M}
     %zero = arith.constant 0.0 : f64
     %p = arith.cmpf ogt, %s, %zero : f64
     %t:2 = scf.if %p -> ({M}, f64) {{
       %u = arith.mulf %a, %b : {M}
       scf.yield %u, %s : {M}, f64
     }} else {{
       %v = math.sin %b : {M}
       %w = arith.mulf %s, %s : f64
       scf.yield %v, %w : {M}, f64
     }}
     %x = tensor.splat %t#1 : {M}
     %r = arith.mulf %t#0, %x : {M}""", M, M)
case("scf.for slices", constants(0, 1, 3) + empty("o", M) + f"""
     %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %o) -> ({M}) {{
       %x = tensor.extract_slice %a[%i, 0] [1, 4] [1, 1] : {M} to {V}
       %y = arith.mulf %x, %b : {V}
       %z = math.sin %y : {V}
       %n = tensor.insert_slice %z into %s[%i, 0] [1, 4] [1, 1] : {V} into {M}
       scf.yield %n : {M}
     }}""", M, V)
case("scf.for carried", constants(0, 1, 3) + f"""%r = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %b) -> ({V}) {{
       %x = tensor.extract_slice %a[%i, 0] [1, 4] [1, 1] : {M} to {V}
       %y = math.sin %s : {V}
       %z = arith.mulf %x, %y : {V}
       scf.yield %z : {V}
     }}""", M, V, result=V)
case("scf.for scalars", constants(0, 1, 2, 7) + f"""%start = tensor.extract %a[%c0] : {V}
     %k:3 = scf.for %i = %c1 to %c7 step %c2 iter_args(%s = %start, %n = %c0, %t = %start) -> (f64, index, f64) {{
       %h = arith.shrui %i, %c1 : index
       %x = tensor.extract %a[%n] : {V}
       %y = tensor.extract %a[%h] : {V}
       %z = arith.mulf %x, %s : f64
       %u = arith.addf %z, %y : f64
       %v = arith.mulf %t, %s : f64
       %m = arith.addi %n, %c1 : index
       scf.yield %u, %m, %v : f64, index, f64
     }}
     %p = arith.mulf %k#0, %k#2 : f64
     %r = tensor.from_elements %p : tensor<1xf64>""", V, result="tensor<1xf64>")
case("scf.for nested", constants(0, 1, 3, 4) + f"""%r = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %b) -> ({M}) {{
       %e = scf.for %j = %c0 to %c4 step %c1 iter_args(%t = %s) -> ({M}) {{
         %x = tensor.extract %a[%i, %j] : {M}
         %y = tensor.extract %t[%c0, %j] : {M}
         %z = arith.mulf %x, %y : f64
         %n = tensor.insert %z into %t[%i, %j] : {M}
         scf.yield %n : {M}
       }}
       scf.yield %e : {M}
     }}""", M, M)
case("scf.for without iterations", constants(0, 1, 3) + f"""
     %r = scf.for %i = %c3 to %c0 step %c1 iter_args(%s = %a) -> ({M}) {{
       %n = arith.mulf %s, %s : {M}
       scf.yield %n : {M}
     }}""")
case("scf.for swaps", constants(0, 1, 3) + f"""
     %q:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %a, %t = %b) -> ({M}, {M}) {{
       %n = arith.mulf %s, %t : {M}
       scf.yield %t, %n : {M}, {M}
     }}
     %r = arith.addf %q#0, %q#1 : {M}""", M, M)

# What draws.
case("spectral.dropout", "%k = arith.constant dense<7> : tensor<i64>\n%s = math.sin %a : tensor<3x4xf64>\n"
     f"%r = spectral.dropout %s key(%k) offset(%k) {{rate = 0.5 : f64}} : {M}")

# Frequencies of Gaussians.
for covariance, sigma, sign, width in (("diagonal", V, "plus_minus", 6), ("scalar", S, "plus", 3),
                                       ("full", "tensor<4x4xf64>", "plus", 3)):  # fmt: skip
    case(f"spectral.gaussian_frequencies {covariance}",
         f"""%r = spectral.gaussian_frequencies %a mean(%b) sigma(%c)
           {{covariance = #spectral.covariance<{covariance}>, mean_sign = #spectral.mean_sign<{sign}>}}
           : tensor<4x3xf64>, {V}, {sigma} -> tensor<4x{width}xf64>""",
         "tensor<4x3xf64>", V, sigma, result=f"tensor<4x{width}xf64>")
