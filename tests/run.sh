#!/usr/bin/env bash
# Installs what is missing, builds, runs every test, and ends with ctest's own summary.
#   tests/run.sh             everything, the sanitizer tree too
#   tests/run.sh -L unit     whatever follows goes to ctest: a label, -R name, ...
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(build test)
# Whose machine it is decides whether container managers and their services come to it.
[ "${CI:-}" != true ] || packages+=(peers)
deploy/packages.sh "${packages[@]}"
# Where it cannot be had, the test that needs it says so.
tests/vm/kernel.sh build/vm/kernel >/dev/null 2>&1 || true
jobs=$(nproc)
export CTEST_OUTPUT_ON_FAILURE=1

build() {
  local preset=$1 tree=$2 log fresh=()
  log=$(mktemp)
  # A tree that is only being made has all to compile: that is quicker some sources at a time.
  [ -e "$tree/CMakeCache.txt" ] || fresh=(-DCLUSTER_UNITY=ON)
  if ! cmake --preset "$preset" "${fresh[@]}" >"$log" 2>&1; then cat "$log"; rm -f "$log"; exit 1; fi
  rm -f "$log"
  ninja -C "$tree" --quiet
}

# Tests that need root are not part of the sanitizer tree: they exec programs into empty root file
# systems and count every mapping of a process.
echo "==> build with AddressSanitizer and UndefinedBehaviorSanitizer"
build asan build-asan
echo "==> test with sanitizers"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:suppressions=$PWD/tests/ubsan.supp
sanitized=0
ctest --test-dir build-asan -j "$jobs" --no-tests=ignore "$@" || sanitized=$?
unset ASAN_OPTIONS UBSAN_OPTIONS

echo "==> build"
build release build
echo "==> test"
plain=0
ctest --test-dir build -j "$jobs" "$@" || plain=$?

skipped=$(grep -hE '^\[  SKIPPED \] [A-Za-z]' build/Testing/Temporary/LastTest.log build-asan/Testing/Temporary/LastTest.log 2>/dev/null |
  sed 's/ (.*//' | sort -u || true)
if [ -n "$skipped" ]; then
  echo "skipped, by name (the reason stands in build/Testing/Temporary/LastTest.log):"
  echo "$skipped"
fi
[ "$sanitized" -eq 0 ] || echo "run.sh: the sanitizer tree failed; see above" >&2
exit $((plain != 0 || sanitized != 0))
