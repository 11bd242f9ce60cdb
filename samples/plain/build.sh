#!/bin/sh
# plain: no build system. usage: build.sh TFOPTC_DIR OUT_DIR   (TFOPTC_DIR: where tfoptc and libtfopt.a lie)
set -e
here=$(cd "$(dirname "$0")" && pwd)
tfopt=$1 out=$2
mkdir -p "$out"
"$tfopt/tfoptc" compile "$here/../../test/models/digits/graph.pb" --input image=1,8,8,1 --threads 0 -o "$out/digits.o"
archive=$(ls "$tfopt/libtfopt.a" "$tfopt/runtime/libtfopt.a" 2>/dev/null | head -1)
${CC:-gcc} -O2 -I"$out" -I"$here/../../runtime/include" "$here/../embed/main.c" "$out/digits.o" "$archive" -lm -lpthread -ldl -o "$out/plain"
"$out/plain"
