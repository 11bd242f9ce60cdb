#!/bin/sh
# demo.sh: from a bare Debian 12 to a compiled model in minutes: installs what is missing, builds, compiles the trained digits network,
# classifies real images with it, verifies it against the reference, then compiles ResNet-50 and measures it.
set -e
cd "$(dirname "$0")/.."
sh tools/setup.sh
step() { printf '\n== %s\n' "$*"; }
PATH=/usr/lib/ccache:$PATH

step "build"
cmake -S . -B build-demo -G Ninja -DCMAKE_BUILD_TYPE=Release -DTFOPT_TESTS=ON >/dev/null
ninja -C build-demo tfoptc tfopt tfopt-runner make_model >"build-demo/ninja.log" 2>&1 || { tail -30 build-demo/ninja.log; exit 1; }
tfoptc=build-demo/tfoptc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step "a trained model: what it is, and native code from it"
$tfoptc inspect test/models/digits/graph.pb
$tfoptc compile test/models/digits/saved_model -o "$work/digits.so"
ls -l "$work/digits.so" | awk '{print "digits.so:", $5, "bytes"}'

step "classify real images"
cmake -S samples/classifier -B "$work/classifier" -G Ninja -DTFOPT_BUILD="$PWD/build-demo" >/dev/null
ninja -C "$work/classifier" >/dev/null
"$work/classifier/classifier" "$work/digits.so" test/models/digits/labels.txt test/models/digits/images/*.png

step "compiled against reference, output by output"
$tfoptc verify test/models/digits/graph.pb --batch 8

step "ResNet-50 (seeded weights): compile, then measure against the unoptimised graph"
build-demo/make_model resnet50 "$work/resnet50.pb" 1
$tfoptc compile "$work/resnet50.pb" -o "$work/resnet50.so" --time
$tfoptc benchmark "$work/resnet50.pb" --seconds 3

printf '\nDone. Next: README.md, or tfoptc --help\n'
