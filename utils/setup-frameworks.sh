#!/usr/bin/env bash
# Makes the package `bochner` and the frameworks that it is tested with importable in build/venv.
#
# The frameworks are large (2 GB with PyTorch), so they are installed once for all clones of a machine, into a folder
# named after what is in it, and build/venv refers to that. What cannot be had is reported in one line and is no
# error: the suite `python` then skips what needs it, with the reason.
#
#   BOCHNER_FRAMEWORKS  folder of installed frameworks ($XDG_CACHE_HOME/bochner/frameworks)
#   BOCHNER_NO_FRAMEWORKS  not empty: leave them out
set -euo pipefail
cd "$(dirname "$0")/.."

python=build/venv/bin/python
requirements=python/requirements-frameworks.txt
say() { printf '== setup-frameworks: %s\n' "$*"; }
pip() { "$python" -m pip --disable-pip-version-check --quiet "$@"; }

read -r site tag < <("$python" -c '
import sysconfig
print(sysconfig.get_path("purelib"), sysconfig.get_config_var("SOABI"))')
root=${BOCHNER_FRAMEWORKS:-${XDG_CACHE_HOME:-$HOME/.cache}/bochner/frameworks}
folder=$root/$tag-$(sha256sum "$requirements" | cut -c 1-12)

# Tools that build the package and run its tests: small, so each clone has its own.
if [ ! -d "$site/nanobind" ] || [ ! -d "$site/scikit_build_core" ] || [ ! -d "$site/pytest" ] ||
   [ ! -d "$site/ruff" ]; then
  say 'install nanobind, scikit-build-core, pytest and ruff'
  pip install --ignore-installed nanobind scikit-build-core pytest ruff || {
    say 'pip could not install them; the bindings are not built'
    exit 0
  }
fi

[ -z "${BOCHNER_NO_FRAMEWORKS:-}" ] || exit 0
if [ ! -d "$folder" ]; then
  say "install the frameworks of $requirements (2 GB) into $folder"
  mkdir -p "$root"
  staging=$(mktemp -d "$root/staging-XXXXXX")
  trap 'rm -rf "$staging"' EXIT
  if pip install --no-deps --no-compile --target "$staging" --requirement "$requirements"; then
    # Two clones may get here at once; the second rename would move into the folder of the first.
    mv --no-target-directory "$staging" "$folder" 2>/dev/null || [ -d "$folder" ]
  else
    say 'pip could not install them; tests that need PyTorch or JAX are skipped'
  fi
fi
if [ -d "$folder" ]; then
  printf '%s\n' "$folder" > "$site/bochner-frameworks.pth"
fi
