#!/bin/sh
# check.sh: everything that must hold, cheapest first. CI runs this; so can you. Options: --quick (no sanitizers, no second compiler).
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
step() { printf '\n== %s\n' "$*"; }
build() { ninja -C "$1" >"$1/ninja.log" 2>&1 || { grep -A 15 -E 'FAILED|error' "$1/ninja.log" | head -60; exit 1; }; tail -1 "$1/ninja.log"; }
PATH=/usr/lib/ccache:$PATH
export CCACHE_NOHASHDIR=1

step "format"
sh tools/format.sh --check

step "gcc build"
cmake --preset release -B build-check >/dev/null
build build-check

if [ "$1" != --quick ]; then
    step "clang build"
    CC=clang-22 cmake --preset release -B build-check-clang >/dev/null
    build build-check-clang

    step "address and undefined-behaviour sanitizers"
    cmake --preset asan -B build-check-asan >/dev/null
    build build-check-asan
    ctest --test-dir build-check-asan -j 2 --output-on-failure -L 'unit|golden|fuzz' --timeout 300
fi

step "tests"
ctest --test-dir build-check -j 2 --output-on-failure --timeout 900
