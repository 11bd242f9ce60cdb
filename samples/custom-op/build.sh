#!/bin/sh
# custom-op: no build system. usage: build.sh TFOPT OUT   (TFOPT: where tfopt is installed, or a build tree of it)
# Every kind of artefact, and who brings the kernels for it (docs/custom-ops.md).
set -e
here=$(cd "$(dirname "$0")" && pwd)
tfopt=$1 out=$2 cc=${CC:-cc}
if [ -x "$tfopt/bin/tfoptc" ]; then
    tfoptc=$tfopt/bin/tfoptc include=$tfopt/include runtime=$tfopt/lib/libtfopt.a
else
    tfoptc=$tfopt/tfoptc include=$here/../../runtime/include runtime=$tfopt/runtime/libtfopt.a
fi
mkdir -p "$out"
compile() { "$tfoptc" compile "$here/model.pbtxt" --op-library "$out/libsample_ops.so" --threads 0 "$@"; }

$cc -O2 -fPIC -shared -I"$include" "$here/ops.c" -o "$out/libsample_ops.so" # what tfoptc asks
$cc -O2 -fPIC -c -I"$include" "$here/ops.c" -o "$out/ops.o"                 # the same kernels, to be linked

# an object: the program brings the kernels
compile -o "$out/sample.o"
$cc -O2 -I"$include" -DMODEL=sample "$here/main.c" "$out/sample.o" "$out/ops.o" "$runtime" -lm -lpthread -ldl -o "$out/with_object"
"$out/with_object"

# an archive: the same, or the library
compile -o "$out/sample.a"
$cc -O2 -I"$include" -DMODEL=sample "$here/main.c" "$out/sample.a" "$out/libsample_ops.so" "$runtime" -Wl,-rpath,'$ORIGIN' -lm -lpthread -ldl -o "$out/with_archive"
"$out/with_archive"

# a shared object that finds the library beside itself, and one that holds the kernels
compile -o "$out/sample.so"
compile -o "$out/whole.so" --link "$out/ops.o"
$cc -O2 -I"$include" "$here/main.c" "$runtime" -lm -lpthread -ldl -o "$out/with_so"
"$out/with_so" "$out/sample.so"
"$out/with_so" "$out/whole.so"

# an executable
compile -o "$out/sample" --link "$out/ops.o"
"$out/sample" --help

# compiled code and the reference evaluator call the same kernel
"$tfoptc" verify "$here/model.pbtxt" --op-library "$out/libsample_ops.so" --input x=2,3 --input tokens=9
