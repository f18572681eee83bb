#!/usr/bin/env python3
"""status.py STATUS [--absent FILE]... COMMAND...: the command must end with that status and must not leave the files.

Passes on what the command prints, standard error last, so that FileCheck sees both in a fixed order.
"""
import os
import subprocess
import sys

expected, arguments, absent = int(sys.argv[1]), sys.argv[2:], []
while arguments[0] == "--absent":
    absent.append(arguments[1])
    arguments = arguments[2:]
run = subprocess.run(arguments, capture_output=True, text=True, errors="replace")
print(run.stdout + run.stderr, end="")
if run.returncode != expected:
    sys.exit(f"expected status {expected}, but got {run.returncode}: {' '.join(arguments)}")
for path in absent:
    folder, name = os.path.split(path)
    # The file itself and what its writer may have left beside it.
    left = [n for n in os.listdir(folder or ".") if n.startswith(name)]
    if left:
        sys.exit(f"expected no '{path}', but there is {', '.join(left)}")
