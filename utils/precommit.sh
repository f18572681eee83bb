#!/usr/bin/env bash
# What to run before a commit: formatting, the checks of the house and the lit tests of the dev build, in a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory build PRESET="${PRESET:-dev}"
exec build/venv/bin/python utils/check.py --build-dir "build/${PRESET:-dev}" --suite house --suite lit
