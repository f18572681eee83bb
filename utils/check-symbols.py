"""Checks the built libraries and programs: what they link, what they export, how large they are.

- libbochner.so, stripped, stays under 500 KB, needs neither LLVM nor CUDA and exports only bochner* functions.
- libbochner-sim.so stays under 300 KB, with the same needs and exports.
- bochner-run needs neither LLVM nor MLIR.
- Nothing that we build holds a copy of what libMLIR.so or libLLVM.so defines: two copies of a TypeID in one process
  make isa<> answer no.
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import house
import llvmtools

RUNTIME_LIMIT = 500 * 1000
SIMULATOR_LIMIT = 300 * 1000
FOREIGN = re.compile(r"^lib(LLVM|MLIR|clang(?!_rt)|cuda|cudart)")  # the runtimes of sanitizers may come along


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needed(path):
    return re.findall(r"^\s*NEEDED\s+(\S+)", run(llvmtools.tool("llvm-objdump"), "-p", path), re.M)


def symbols(path, *flags):
    """(type letter, name) of the defined symbols."""
    output = run(llvmtools.tool("llvm-nm"), "--defined-only", *flags, path)
    for line in output.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[-2]) == 1:
            yield fields[-2], fields[-1].split("@")[0]


def dynamic_library(name):
    found = glob.glob(os.path.join(llvmtools.PREFIX, "lib", f"lib{name}.so*"))
    return max(found, key=len) if found else None


def check_runtime(path, report, sanitized, limit):
    for library in needed(path):
        if FOREIGN.match(library):
            report.add(path, 0, f"needs {library}; the runtime must load it lazily, if at all")
    for kind, name in symbols(path, "-D"):
        # Uppercase: global. Weak symbols (V, W, u) are the C++ library's, absolute ones (A) the names of versions.
        if kind in "TDBR" and not name.startswith(("bochner", "_init", "_fini", "_edata", "_end", "__bss_start")):
            report.add(path, 0, f"exports '{name}'; only bochner* functions are the interface")
    if sanitized:
        return
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped.so")
        shutil.copy(path, stripped)
        run(llvmtools.tool("llvm-strip"), "--strip-unneeded", stripped)
        size = os.path.getsize(stripped)
    if size > limit:
        report.add(path, 0, f"has {size} bytes stripped; {limit} at most")


def main():
    parser = house.parser(__doc__)
    parser.add_argument("--build-dir", default="build/release", help="build folder (default: build/release)")
    options = parser.parse_args()
    build = os.path.join(options.root, options.build_dir)
    libraries = sorted(p for p in glob.glob(os.path.join(build, "lib", "lib*.so*")) if not os.path.islink(p))
    programs = sorted(p for p in glob.glob(os.path.join(build, "bin", "bochner-*")) if os.access(p, os.X_OK))
    if not libraries:
        house.skip(f"nothing is built in {options.build_dir}")
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as cache:
        sanitized = re.search(r"^BOCHNER_ENABLE_SANITIZERS:\w+=(ON|TRUE|1)$", cache.read(), re.M) is not None
    report = house.Report("check-symbols")

    upstream = set()
    for name in ("MLIR", "LLVM"):
        library = dynamic_library(name)
        if library:
            upstream |= {s for kind, s in symbols(library, "-D") if kind in "TDBR"}
    for path in libraries + programs:
        copies = sorted({s for kind, s in symbols(path) if kind in "TDBR"} & upstream - {"_init", "_fini"})
        if copies:
            what = f"{len(copies)} symbols of LLVM or MLIR, for example '{copies[0]}'"
            report.add(path, 0, f"defines {what}; link the dylibs only")

    for path in libraries:
        if re.match(r"libbochner\.so", os.path.basename(path)):
            check_runtime(path, report, sanitized, RUNTIME_LIMIT)
        if re.match(r"libbochner-sim\.so", os.path.basename(path)):
            check_runtime(path, report, sanitized, SIMULATOR_LIMIT)
    for path in programs:
        if os.path.basename(path) == "bochner-run":
            for library in needed(path):
                if FOREIGN.match(library) or library.startswith(("libbochner-compiler", "libbochner-dialect")):
                    report.add(path, 0, f"needs {library}; it is a client of libbochner.so alone")
    report.finish()


if __name__ == "__main__":
    main()
