"""What the check-*.py scripts share: the files of the project and a uniform way to report.

Every script takes --root (the tree to look at, this one by default), prints `path:line: message` for each finding and
exits with 0, 1 (findings) or 77 (skipped, with the reason on the last line).
"""
import argparse
import os
import subprocess
import sys

SKIPPED = 77
CODE_FOLDERS = ("dialect", "lib", "runtime", "tools")


def parser(description):
    p = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p.add_argument("--root", default=here, help="the tree to check (default: this one)")
    return p


def project_files(root, *suffixes, under=()):
    """Paths relative to root, sorted: what git tracks or would add. Without git: everything outside build/."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    top = subprocess.run(["git", "-C", root, "rev-parse", "--show-toplevel"], capture_output=True, text=True)
    if listed.returncode == 0 and os.path.realpath(top.stdout.strip()) == os.path.realpath(root):
        paths = [p for p in listed.stdout.split("\0") if p and os.path.isfile(os.path.join(root, p))]
    else:
        paths = []
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = [s for s in subfolders if s not in ("build", ".git", "__pycache__")]
            paths += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(
        p
        for p in paths
        if (not suffixes or p.endswith(suffixes)) and (not under or p.startswith(tuple(u + "/" for u in under)))
    )


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    """Collects findings; finish() ends the script."""

    def __init__(self, what):
        self.what = what
        self.findings = 0

    def add(self, path, line, message):
        self.findings += 1
        print(f"{path}:{line}: {message}" if line else f"{path}: {message}")

    def finish(self, remedy=""):
        if self.findings:
            plural = "s" if self.findings > 1 else ""
            print(f"{self.what}: {self.findings} finding{plural}" + (f"; {remedy}" if remedy else ""))
        sys.exit(1 if self.findings else 0)


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)
