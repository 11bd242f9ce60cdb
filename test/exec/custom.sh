#!/bin/sh
# custom.sh BUILD SOURCE CASE: ops that the user brings (docs/custom-ops.md).
build=$1 source=$2 case=$3
tfoptc=$build/tfoptc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc}

fail() {
    echo "FAILED: $*"
    exit 1
}
library() { # OUT SOURCE FLAGS…
    out=$1 file=$2
    shift 2
    $cc -std=c11 -Wall -Wextra -Werror -O1 -fPIC -shared -I"$source/runtime/include" "$@" "$file" -o "$out" || fail "building $out"
}
refused() { # STATUS TEXT COMMAND…: the command ends with that status and says that
    status=$1 text=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ $got -eq "$status" ] || fail "exit $got instead of $status: $* $(cat "$work/err")"
    grep -q -e "$text" "$work/err" || fail "not '$text' but: $(cat "$work/err")"
}

case $case in
sample) # samples/custom-op: every kind of artefact, without a build system and with CMake
    sh "$source/samples/custom-op/build.sh" "$build" "$work/plain" >"$work/log" 2>&1 || fail "build.sh: $(cat "$work/log")"
    [ "$(grep -c '^2 3 4 5 6 7  3x7 1x1 2x5$' "$work/log")" -eq 4 ] || fail "answers: $(cat "$work/log")"
    readelf -d "$work/plain/whole.so" | grep -q libsample_ops && fail "--link, and yet the library is needed"
    cmake -S "$source/samples/custom-op" -B "$work/cmake" -G Ninja -DTFOPT_BUILD="$build" >"$work/log" 2>&1 || fail "configuring: $(cat "$work/log")"
    cmake --build "$work/cmake" >"$work/log" 2>&1 || fail "building: $(cat "$work/log")"
    [ "$("$work/cmake/custom_op")" = "2 3 4 5 6 7  3x7 1x1 2x5" ] || fail "the answer of the CMake project"
    cmake --build "$work/cmake" | grep -q 'no work to do' || fail "the model is compiled again for nothing"
    # a C++ program may register ops, too
    ! command -v c++ >/dev/null || printf '%s\n' '#include "tfopt_op.h"' \
        'static int32_t shape(TfoptShapeCall *c) { c->outputs[0] = c->inputs[0]; return TFOPT_OK; }' \
        'TFOPT_OP_EXPORT int32_t kernel(TfoptHostCall *c) { return tfopt_op_fail(c, TFOPT_FAILED, "%d", (int)tfopt_op_int(c, "a", 1)); }' \
        'static const TfoptOp ops[] = {TFOPT_OP("A", "y", kernel, shape)};' 'TFOPT_OP_LIBRARY(ops)' >"$work/ops.cpp"
    ! command -v c++ >/dev/null || c++ -Wall -Wextra -Werror -fPIC -shared -I"$source/runtime/include" "$work/ops.cpp" -o "$work/libcpp.so" || fail "C++"
    ;;
kernels) # what kernels see and give, compiled and by the reference evaluator
    library "$work/libops.so" "$source/test/exec/custom_ops.c"
    outputs="--output described --output dealt --output counted"
    for how in "" --reference; do
        "$tfoptc" run "$source/test/exec/custom.pbtxt" $how $outputs --op-library "$work/libops.so" --save "$work" >"$work/out" || fail "run $how"
        grep -q 'an_int=-7 b_float=2.5 c_bool=1 d_string=hello e_type=14 f_shape=2,-1 g_ints=1,2,3 h_floats=0.5,1.5 i_bools=1,0 j_strings=one,two k_types=1,17 l_shapes=1,4,-1 m_tensor=tensor of 3 x 1 n_empty= ' "$work/out_0.json" || fail "attributes $how: $(cat "$work/out_0.json")"
        refused 1 "output 'counted' of run 2 differs" "$tfoptc" run "$source/test/exec/custom.pbtxt" $how $outputs --op-library "$work/libops.so" --repeat 2
    done
    (cd "$work" && "$tfoptc" verify "$source/test/exec/custom.pbtxt" $outputs --op-library libops.so --batch 7 >out) || fail "verify: $(cat "$work/out")"
    "$tfoptc" inspect "$source/test/exec/custom.pbtxt" $outputs --op-library "$work/libops.so" | grep -q 'DescribeAttrs .*host.*libops.so' || fail "inspect"
    # the library goes before what tfoptc knows: an op that it refuses is replaced
    sed -n '/^node { name: "x"/,/} }$/p' "$source/samples/custom-op/model.pbtxt" >"$work/py.pbtxt"
    echo 'node { name: "y" op: "PyFunc" input: "x" attr { key: "token" value { s: "pyfunc_0" } } attr { key: "Tout" value { list { type: DT_FLOAT } } } attr { key: "by" value { f: 3 } } }' >>"$work/py.pbtxt"
    refused 3 "Python.*--op-library" "$tfoptc" run "$work/py.pbtxt"
    sed 's/"ScaleBy"/"PyFunc"/' "$source/samples/custom-op/ops.c" >"$work/py.c"
    library "$work/libpy.so" "$work/py.c"
    "$tfoptc" verify "$work/py.pbtxt" --op-library "$work/libpy.so" >/dev/null || fail "an op of ours replaced"
    ;;
errors) # what goes wrong is said
    library "$work/libops.so" "$source/test/exec/custom_ops.c"
    model() { # HOW
        printf '%s\n' 'node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 3 } } } } }' \
            "node { name: \"y\" op: \"Misbehave\" input: \"x\" attr { key: \"how\" value { s: \"$1\" } } }" >"$work/m.pbtxt"
    }
    for how in refuse:'shape function says no' rank:'result 0 the rank -1' size:'size (-77) that no input has' type:'result 0 without a type'; do
        model "${how%%:*}"
        refused 1 "'y' (Misbehave).*${how#*:}" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/libops.so"
    done
    for mode in "" --reference; do
        model fail
        refused 1 "'y'.*the kernel says no to 3 elements" "$tfoptc" run "$work/m.pbtxt" $mode --op-library "$work/libops.so"
        model larger
        refused 1 "'y'" "$tfoptc" run "$work/m.pbtxt" $mode --op-library "$work/libops.so"
        model nothing
        refused 1 "'y'.*made" "$tfoptc" run "$work/m.pbtxt" $mode --op-library "$work/libops.so"
    done
    refused 3 "'y' (Misbehave).*--op-library" "$tfoptc" run "$work/m.pbtxt"
    refused 1 "there is no such file" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/none.so"
    refused 1 "invalid ELF header\|file too short" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/m.pbtxt"
    echo 'int nothing(void); int nothing(void) { return 0; }' >"$work/none.c"
    library "$work/libnone.so" "$work/none.c"
    refused 1 "no op library" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/libnone.so"
    refused 1 "registered twice, before in .*libops.so" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/libops.so" --op-library "$work/libops.so"
    sed 's/TFOPT_ABI_VERSION,/TFOPT_ABI_VERSION + 1,/' "$source/runtime/include/tfopt_op.h" >"$work/tfopt_op.h"
    library "$work/libnew.so" "$source/test/exec/custom_ops.c" -I"$work" -include "$work/tfopt_op.h"
    refused 1 "another version of tfopt" "$tfoptc" run "$work/m.pbtxt" --op-library "$work/libnew.so"
    # an artefact without its library
    mkdir "$work/else"
    "$tfoptc" compile "$source/test/exec/custom.pbtxt" --op-library "$work/libops.so" -o "$work/else/m.so" || fail "compile"
    refused 1 "libops.so" "$tfoptc" run "$work/else/m.so"
    "$tfoptc" run "$work/else/m.so" --op-library "$work/libops.so" >/dev/null || fail "a compiled model and its library"
    cp "$work/libops.so" "$work/else"
    "$tfoptc" run "$work/else/m.so" >/dev/null || fail "the library beside the artefact"
    ;;
*) fail "unknown case '$case'" ;;
esac
echo "ok $case"
