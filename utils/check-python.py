"""Checks the Python package with ruff: formatting, imports, and what pyproject.toml selects of its lints."""
import importlib.util
import subprocess
import sys

import house


def main():
    options = house.parser(__doc__).parse_args()
    if importlib.util.find_spec("ruff") is None:
        house.skip("ruff is not installed (utils/setup-frameworks.sh)")
    for arguments in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        run = subprocess.run([sys.executable, "-m", "ruff", *arguments, "python"], cwd=options.root)
        if run.returncode:
            print("check-python: see `build/venv/bin/ruff check python` and `build/venv/bin/ruff format python`")
            sys.exit(1)


if __name__ == "__main__":
    main()
