"""Usage: check-compiler.py LIBRARY FOLDER. Fails, by an assertion, if the compiler's interface breaks a promise."""
import concurrent.futures
import os
import sys

from compiler import Compiler

library, folder = sys.argv[1:]
compiler = Compiler(library)
COMPILED, USER_ERROR = 0, 1
NOTE, ERROR = 0, 3

GRAPH = """func.func @double(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %init = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
"""

assert compiler.interface.version == 3 and compiler.interface.llvm_version.startswith(b"22.1")

# A module is an ELF file; equal input gives equal bytes; what stands behind the source does not matter.
once = compiler.compile(GRAPH)
assert once.code == COMPILED and once.module.startswith(b"\x7fELF") and not once.diagnostics, once
assert compiler.compile(GRAPH).module == once.module
assert compiler.compile(GRAPH, listen=False).module == once.module
assert compiler.compile(GRAPH, route="decompose", cpu="x86-64").module != once.module
assert compiler.compile(GRAPH, element_type="f64").module != once.module


def expect(source, location, message, note=None, **strings):
    result = compiler.compile(source, **strings)
    assert result.code == USER_ERROR and not result.module, result
    severity, where, text = result.diagnostics[0]
    assert severity == ERROR and where == location and message in text, result.diagnostics
    assert note is None or any(s == NOTE and note in text for s, _, text in result.diagnostics), result.diagnostics


# The user's errors say where, in the source or in the request.
expect("func.func @f(", "<input>:1:13", "expected")
expect("func.func @f(", "graph.mlir:1:13", "expected", source_name="graph.mlir")
expect(GRAPH.replace("linalg.add ins(%x, %x", "linalg.add ins(%x, %z"), "<input>:5:27", "undeclared SSA value")
expect("", "<input>:1:1", "expected a public function to compile", note="likely cause")
expect(GRAPH.replace("tensor<?xf32>", "tensor<?xf80>"), "<input>:1:1", "to be a ranked tensor of f64")
expect(GRAPH, "", "expected route 'fused' or 'decompose', but got 'fast'", route="fast")
expect(GRAPH, "", "expected device 'cpu', 'sim' or 'cuda', but got 'tpu'", device="tpu")
expect(GRAPH, "", "expected element type 'f64' or none, but got 'f8'", element_type="f8")
expect(GRAPH, "", "but got 'z80'", cpu="z80")
expect(GRAPH, "", "cannot write", dump_dir=os.path.join(__file__, "dump"))
expect(b"ML\xefR\x00garbage", "<input>:1:1", "")

# The IR of each phase, in files and in the module.
dump = os.path.join(folder, "dump")
kept = compiler.compile(GRAPH, keep_phases=1, dump_dir=dump)
assert kept.code == COMPILED
names = ["00-input.mlir", "10-graph.mlir", "15-differentiate.mlir", "20-fuse.mlir", "30-kernel.mlir", "40-target.mlir"]
assert sorted(os.listdir(dump)) == names, os.listdir(dump)
for name in names:
    with open(os.path.join(dump, name), "rb") as file:
        assert file.read() in kept.module, name

# Threads do not disturb each other.
sources = [GRAPH.replace("double", f"double{i}") for i in range(4)] + [GRAPH.replace("%n)", ")")]
expected = [compiler.compile(source) for source in sources]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for source, result in zip(sources * 4, pool.map(compiler.compile, sources * 4)):
        assert result == expected[sources.index(source)], source
