#!/bin/sh
# model.sh BUILD SOURCE CASE RUNTIME: links model.c with a compiled model and the instrumented runtime, and runs it.
build=$1 source=$2 case=$3 runtime=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
graph=$source/test/models/digits/graph.pb
if [ "$case" = mobilenet ]; then
    graph=$work/graph.pb
    "$build/make_model" mobilenet_v2 "$graph" 1 || fail "make_model"
fi
"$build/tfoptc" compile "$graph" --name tsan_model --threads 2 -o "$work/model.o" || fail "compile"
$CC -std=c11 -D_GNU_SOURCE -fsanitize=thread -g -I"$source/runtime/include" -DMODEL=tsan_model "$source/test/tsan/model.c" "$work/model.o" "$runtime" -lm -lpthread -ldl \
    -o "$work/model" || fail "linking"
"$work/model" || fail "exit $?"
echo "ok $case"
