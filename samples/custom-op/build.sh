#!/bin/sh
# custom-op: no build system. usage: build.sh TFOPTC_DIR OUT_DIR   (TFOPTC_DIR: where tfoptc and libtfopt.a lie)
# Every kind of artefact, and who brings the kernels for it (docs/custom-ops.md).
set -e
here=$(cd "$(dirname "$0")" && pwd)
tfopt=$1 out=$2 cc=${CC:-gcc}
include=$(dirname "$(ls "$here/../../runtime/include/tfopt_op.h" "$tfopt/../include/tfopt_op.h" 2>/dev/null | head -1)")
runtime=$(ls "$tfopt/libtfopt.a" "$tfopt/runtime/libtfopt.a" "$tfopt/../lib/libtfopt.a" 2>/dev/null | head -1)
mkdir -p "$out"
compile() { "$tfopt/tfoptc" compile "$here/model.pbtxt" --op-library "$out/libsample_ops.so" --threads 0 "$@"; }

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
"$tfopt/tfoptc" verify "$here/model.pbtxt" --op-library "$out/libsample_ops.so" --input x=2,3 --input tokens=9
