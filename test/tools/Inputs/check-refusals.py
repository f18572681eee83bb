"""Runs a tool with the arguments of each `ARGS:` line and expects the message of the `ERROR:` line below it.

usage: check-refusals.py TOOL FILE

A refusal exits with status 1, prints one line `TOOL: error: MESSAGE` to stderr and nothing to stdout.
"""
import shlex
import subprocess
import sys


def cases(path):
    arguments = None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("ARGS:"):
                arguments = shlex.split(line[len("ARGS:") :])
            elif line.startswith("ERROR:"):
                if arguments is None:
                    sys.exit(f"{path}:{number}: ERROR without ARGS")
                yield number, arguments, line[len("ERROR:") :].strip()
                arguments = None


def main():
    tool, path = sys.argv[1:]
    count = failures = 0
    for number, arguments, message in cases(path):
        count += 1
        run = subprocess.run([tool, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        got = (run.returncode, run.stdout, run.stderr)
        want = (1, "", f"{tool}: error: {message}\n")
        if got != want:
            failures += 1
            print(f"{path}:{number}: {shlex.join([tool, *arguments])}")
            for name, expected, actual in zip(("status", "stdout", "stderr"), want, got):
                if expected != actual:
                    print(f"  {name}: expected {expected!r}\n  {' ' * len(name)}  but got  {actual!r}")
    print(f"{count} cases, {failures} failures")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main())
