#!/usr/bin/env bash
# Checks that C and C++ sources are formatted as clang-format 22 formats them; --fix reformats them.
# Another major version formats differently, so only 22 will do.
set -euo pipefail
cd "$(dirname "$0")/.."

formatter=
for candidate in clang-format-22 "${LLVM_DIR:-/usr/lib/llvm-22}/bin/clang-format"; do
  if command -v "$candidate" >/dev/null; then
    formatter=$candidate
    break
  fi
done
if [ -z "$formatter" ]; then
  echo "clang-format 22 was not found (Debian: apt-get install clang-format-22)"
  exit 77
fi

mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.h' '*.c' |
  while IFS= read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done)
[ ${#files[@]} -gt 0 ] || exit 0

if [ "${1:-}" = --fix ]; then
  echo "== format ${#files[@]} files"
  exec "$formatter" -i "${files[@]}"
fi

status=0
for file in "${files[@]}"; do
  # The first difference is enough to find the place; the remedy is the same for all.
  if ! message=$("$formatter" --dry-run -Werror "$file" 2>&1); then
    printf '%s\n' "$message" | grep -m1 'error:' | sed 's/error: .*/not formatted/'
    status=1
  fi
done
[ $status -eq 0 ] || echo "check-format: run 'make format'"
exit $status
