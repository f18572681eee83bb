# Configuration of the lit suite: which files are tests, what their RUN lines may call, what `REQUIRES:` may name.
#
# Features: x86_64, avx2, avx512, asan, root (runs as root: permission tests do not apply), cuda (a CUDA driver).
import ctypes
import os
import platform

import lit.formats

config.name = "Bochner"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "golden", "CMakeLists.txt"]
config.test_source_root = os.path.join(config.bochner_src_root, "test")
config.test_exec_root = os.path.join(config.bochner_obj_root, "test")

# Tools by name: our own, then LLVM's. Programs that test/*/CMakeLists.txt build stand beside our tools.
config.environment["PATH"] = os.pathsep.join(
    [config.bochner_tools_dir, config.llvm_tools_dir, os.environ.get("PATH", "")]
)
config.environment["FILECHECK_OPTS"] = "-enable-var-scope -dump-input-filter=error"

# A test sees neither the user's cache nor the user's settings; each suite run has a cache folder of its own.
config.environment["BOCHNER_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")
for name in ("HOME", "LANG", "TMPDIR", "LLVM_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions += [
    ("%bochner_src", config.bochner_src_root),
    ("%bochner_obj", config.bochner_obj_root),
    ("%bochner_libs", config.bochner_libs_dir),
    ("%python", config.python),
    ("%mock_cuda", os.path.join(config.bochner_obj_root, "test", "Runtime", "mock-cuda")),
    ("%venv_python", os.path.join(config.bochner_src_root, "build", "venv", "bin", "python")),
    ("%cc", config.cc),
    ("%cxx", config.cxx),
]


def cpu_flags():
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            return next((line.split(":")[1].split() for line in cpuinfo if line.startswith("flags")), [])
    except OSError:
        return []


def has_cuda():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False


if platform.machine() == "x86_64":
    config.available_features.add("x86_64")
    flags = cpu_flags()
    if {"avx2", "fma"} <= set(flags):
        config.available_features.add("avx2")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags):
        config.available_features.add("avx512")
if config.sanitizers:
    config.available_features.add("asan")
    config.environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    # Bump allocators are shared with LLVM's libraries, which are not instrumented.
    config.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "allow_user_poisoning=0")
if hasattr(os, "geteuid") and os.geteuid() == 0:
    config.available_features.add("root")
if has_cuda():
    config.available_features.add("cuda")
