"""Checks the direction of #include: dialect <- passes <- pipelines <- jit <- C API <- tools; runtime beside them.

The runtime knows neither LLVM nor the compiler. The compiler knows three headers of the runtime: the format of
a module and the interfaces between the libraries. bochner-run and the Python package are clients of the runtime.
"""
import os
import re

import house

# Folder (longest match wins) -> rank. A file may include its own rank and below.
RANKS = {
    "dialect": 0,
    "lib": 1,  # Passes.h
    "lib/Analysis": 1,
    "lib/Transforms": 1,
    "lib/Conversion": 1,
    "lib/Target": 1,
    "lib/Simulator": 1,
    "lib/Graphs": 1,
    "lib/Pipelines": 2,
    "lib/Jit": 3,
    "lib/CApi": 4,
    "tools": 5,
    "examples/pass-plugin": 0,  # sees the dialect only
}
CHAIN = (
    "dialect <- lib/{Analysis,Transforms,Conversion,Target,Simulator,Graphs} <- lib/Pipelines <- lib/Jit <- lib/CApi"
    " <- tools"
)
SHARED_WITH_LIB = {"runtime/ModuleFormat.h", "runtime/CompilerInterface.h", "runtime/CudaKernel.h",
                   "runtime/Simulator/Interface.h"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)', re.M)


def folder_of(path):
    folder = os.path.dirname(path)
    while folder and folder not in RANKS:
        folder = os.path.dirname(folder)
    return folder


def resolve(root, path, name, quoted):
    """The included file relative to root, or the name as written if it is not one of ours."""
    candidates = [os.path.join(os.path.dirname(path), name)] if quoted else []
    for candidate in candidates + [name, os.path.join("runtime/include", name)]:
        candidate = os.path.normpath(candidate)
        if os.path.exists(os.path.join(root, candidate)):
            return candidate
    return name


def is_client_of_runtime(path):
    example = path.startswith("examples/") and folder_of(path) not in RANKS
    return example or path.startswith(("tools/bochner-run", "python/"))


def complaint(path, target):
    """Why `path` must not include `target`; None if it may."""
    uses_llvm = target.startswith(("mlir/", "llvm/", "mlir-c/", "llvm-c/"))
    of_compiler = target.startswith(("dialect/", "lib/"))
    if path.startswith("runtime/"):
        if uses_llvm or of_compiler or target.startswith("tools/"):
            return f"the runtime must not include '{target}': it knows neither LLVM nor the compiler"
        return None
    if is_client_of_runtime(path):
        if uses_llvm or of_compiler:
            return f"'{target}' belongs to the compiler; this program is a client of libbochner.so alone"
        return None
    if target.startswith("runtime/") and not path.startswith("tools/"):
        if path.startswith("lib/") and target in SHARED_WITH_LIB:
            return None
        allowed = " and ".join(sorted(SHARED_WITH_LIB))
        return f"'{target}' belongs to the runtime; the compiler may include only {allowed}"
    if folder_of(target) and folder_of(path):
        if RANKS[folder_of(target)] > RANKS[folder_of(path)]:
            return f"{folder_of(path)} must not include '{target}'; the order is {CHAIN}"
    return None


def main():
    options = house.parser(__doc__).parse_args()
    report = house.Report("check-layering")
    for path in house.project_files(
        options.root, ".cpp", ".h", ".c", under=("dialect", "lib", "runtime", "tools", "examples", "python")
    ):
        text = house.read(options.root, path)
        for match in INCLUDE.finditer(text):
            target = resolve(options.root, path, match[1] or match[2], match[1] is not None)
            problem = complaint(path, target)
            if problem:
                report.add(path, house.line_of(text, match.start()), problem)
    report.finish()


if __name__ == "__main__":
    main()
