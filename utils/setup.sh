#!/usr/bin/env bash
# Makes this machine ready to build Bochner: packages (installed on Debian 12, listed elsewhere) and the Python
# environment build/venv. Does nothing in well under a second when nothing is missing.
#
#   LLVM_DIR   prefix of an LLVM and MLIR 22.1 of your own instead of the packages
set -euo pipefail
cd "$(dirname "$0")/.."

required_major=22
packages=(
  cmake ninja-build git zlib1g-dev libgtest-dev pkg-config python3 python3-dev python3-venv ccache libboost-context-dev
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22 clang-format-22 clang-tidy-22
  libclang-rt-22-dev
)

say() { printf '== setup: %s\n' "$*"; }
fail() {
  printf 'setup: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# The version of the LLVM that a build would use must be the one that the sources are written for: LLVM changes its
# C++ interfaces with every major release.
check_llvm() {
  local config=$1 version
  version=$("$config" --version)
  case $version in
    "$required_major".*) ;;
    *)
      fail "Bochner requires LLVM and MLIR $required_major, but $config is version $version" \
        "install LLVM and MLIR $required_major, or set LLVM_DIR to the prefix of one"
      ;;
  esac
}

missing_packages() {
  local installed
  installed=" $(dpkg-query -W -f='${db:Status-Status}=${Package} ' "${packages[@]}" 2>/dev/null || true)"
  for package in "${packages[@]}"; do
    case $installed in
      *" installed=$package "*) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

install_packages() {
  local run=()
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      run=(sudo -n)
    elif command -v sudo >/dev/null && [ -t 0 ]; then
      run=(sudo)
    else
      fail "these packages are missing and only root can install them" "apt-get install $*"
    fi
  fi
  say "install $*"
  if [ -n "$(apt-cache policy "$@" 2>/dev/null | grep -E '^  Candidate: \(none\)')" ] ||
     ! apt-cache show "$@" >/dev/null 2>&1; then
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update
  fi
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" ||
    fail "apt-get could not install the packages" \
      "LLVM 22 for Debian 12 comes from bookworm-security; check that it is among the sources of apt" \
      "apt-get update && apt-get install $*"
}

# Without Debian's package manager: name the programs that are not there.
check_programs() {
  local lacking=() program
  for program in cmake ninja git pkg-config python3 "clang-$required_major" "ld.lld"; do
    command -v "$program" >/dev/null || [ -x "${LLVM_DIR:-/nonexistent}/bin/$program" ] || lacking+=("$program")
  done
  [ ${#lacking[@]} -eq 0 ] ||
    fail "this system is not Debian 12, so nothing is installed for you; missing: ${lacking[*]}" \
      "needed: CMake 3.25, Ninja, Git, pkg-config, Python 3.9 with venv, zlib, GoogleTest," \
      "and LLVM, MLIR, Clang and lld $required_major (MLIR as shared library; LLVM_DIR may name their prefix)"
}

os=unknown
if [ -r /etc/os-release ]; then
  os=$(. /etc/os-release && printf '%s-%s' "${ID:-unknown}" "${VERSION_ID:-}")
fi

if [ -n "${LLVM_DIR:-}" ]; then
  [ -x "$LLVM_DIR/bin/llvm-config" ] ||
    fail "LLVM_DIR is '$LLVM_DIR', but there is no bin/llvm-config in it" \
      "set it to the prefix of an LLVM and MLIR $required_major, or unset it"
  check_llvm "$LLVM_DIR/bin/llvm-config"
  [ -e "$LLVM_DIR/lib/cmake/mlir/MLIRConfig.cmake" ] ||
    fail "LLVM_DIR is '$LLVM_DIR', but there is no lib/cmake/mlir/MLIRConfig.cmake in it" \
      "it must hold MLIR too, built with -DLLVM_ENABLE_PROJECTS=mlir -DLLVM_BUILD_LLVM_DYLIB=ON"
  check_programs
elif [ "$os" = debian-12 ]; then
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
  check_llvm "llvm-config-$required_major"
else
  check_programs
  for config in "llvm-config-$required_major" llvm-config; do
    if command -v "$config" >/dev/null; then
      check_llvm "$config"
      found=1
      break
    fi
  done
  [ -n "${found:-}" ] ||
    fail "no llvm-config was found" "set LLVM_DIR to the prefix of an LLVM and MLIR $required_major"
fi

# Tests and drivers run in build/venv. It sees the system's packages; what is missing there is added to it alone.
python=build/venv/bin/python
if ! "$python" -c 'import numpy' 2>/dev/null; then
  say "prepare build/venv"
  if ! "$python" -c '' 2>/dev/null; then
    python3 -m venv --clear --system-site-packages build/venv
  fi
  "$python" -c 'import numpy' 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check numpy ||
    fail "pip could not install numpy into build/venv" "install python3-numpy, remove build/venv and try again"
fi
