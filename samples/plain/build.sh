#!/bin/sh
# plain: no build system, a compiler and pkg-config. usage: build.sh TFOPT OUT
# TFOPT: where tfopt is installed (its prefix), or a build tree of it.
set -e
here=$(cd "$(dirname "$0")" && pwd)
tfopt=$1 out=$2
if [ -x "$tfopt/bin/tfoptc" ]; then
    tfoptc=$tfopt/bin/tfoptc
    flags=$(PKG_CONFIG_PATH=$tfopt/lib/pkgconfig pkg-config --cflags --libs tfopt)
else
    tfoptc=$tfopt/tfoptc
    flags="-I$here/../../runtime/include $tfopt/runtime/libtfopt.a -lm -lpthread -ldl"
fi
mkdir -p "$out"
"$tfoptc" compile "$here/../../test/models/digits/graph.pb" --input image=1,8,8,1 --threads 0 -o "$out/digits.o"
# shellcheck disable=SC2086
${CC:-cc} -O2 -I"$out" "$here/../embed/main.c" "$out/digits.o" $flags -o "$out/plain"
"$out/plain"
