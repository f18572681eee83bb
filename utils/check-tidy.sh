#!/usr/bin/env bash
# Runs clang-tidy 22 over the compiled sources (minutes; not part of `make check`). Arguments: files, default all.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/${PRESET:-release}
[ -f "$build/compile_commands.json" ] || { echo "check-tidy: run 'make build' first" >&2; exit 1; }
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'dialect/*.cpp' 'lib/*.cpp' 'runtime/*.cpp' 'tools/*.cpp')
run-clang-tidy-22 -quiet -p "$build" -j "$(nproc)" "${files[@]}"
