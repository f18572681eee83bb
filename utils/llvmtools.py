"""Where LLVM's tools and headers are: LLVM_DIR, or Debian's prefix of LLVM 22."""
import json
import os
import subprocess

PREFIX = os.environ.get("LLVM_DIR", "/usr/lib/llvm-22")


def tool(name):
    return os.path.join(PREFIX, "bin", name)


def include_flags(root):
    return ["-I", root, "-I", os.path.join(PREFIX, "include")]


def records(root, td):
    """All TableGen records of a file, as `llvm-tblgen --dump-json` prints them."""
    command = [tool("llvm-tblgen"), "--dump-json", *include_flags(root), os.path.join(root, td)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    return json.loads(run.stdout)
