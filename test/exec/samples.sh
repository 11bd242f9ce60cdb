#!/bin/sh
# samples.sh BUILD SOURCE CASE: every sample, against the build tree, or an installation that was moved after it was made.
build=$1 source=$2 case=$3
digits=$source/test/models/digits
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
logged() { # WHAT COMMAND…
    what=$1
    shift
    "$@" >"$work/log" 2>&1 || fail "$what: $(cat "$work/log")"
}
case $case in
build)
    tfopt=$build tfoptc=$build/tfoptc python_path=$build/python
    where=-DTFOPT_BUILD=$build
    ;;
installed)
    logged install cmake --install "$build" --prefix "$work/made here"
    mv "$work/made here" "$work/and moved"
    tfopt="$work/and moved" tfoptc=$tfopt/bin/tfoptc python_path=$tfopt/lib/tfopt/python
    where="-DCMAKE_PREFIX_PATH=$tfopt"
    grep -rl -e "$build" -e "$source" -e "made here" "$tfopt/lib/cmake" "$tfopt/lib/pkgconfig" "$tfopt/share" && fail "a path of the build tree is installed"
    ;;
*) fail "unknown case '$case'" ;;
esac
project() { # NAME FLAGS…
    name=$1
    shift
    logged "configuring $name" cmake -S "$source/samples/$name" -B "$work/$name" -G Ninja "$where" "$@"
    logged "building $name" cmake --build "$work/$name"
}

project embed
"$work/embed/embed" >"$work/embedded" || fail "embed"
grep -q '^7  *\(100\|[89][0-9]\)\.' "$work/embedded" || fail "embed: $(cat "$work/embedded")"
if [ "$case" = build ] || command -v pkg-config >/dev/null; then
    # pkg-config's words are split at blanks
    ln -s "$tfopt" "$work/tfopt"
    logged plain sh "$source/samples/plain/build.sh" "$work/tfopt" "$work/plain"
    cmp "$work/embedded" "$work/log" || fail "plain: $(cat "$work/log")"
fi
project classifier
"$tfoptc" compile "$digits/graph.pb" -o "$work/digits.so" || fail "compile"
"$work/classifier/classifier" "$work/digits.so" "$digits/labels.txt" "$digits"/images/*.png >"$work/classified" || fail "classifier"
[ "$(wc -l <"$work/classified")" -ge "$(ls "$digits"/images/*.png | wc -l)" ] || fail "classifier: $(cat "$work/classified")"
python=python3
python3 -c "import numpy" 2>/dev/null || python=/usr/bin/python3 # where Debian's numpy is
# A photograph by a network of 224x224 pixels, where the real models lie beside the repository.
network=$source/../shared/models/frozen/nsfwjs-mobilenet_v2_mid
if [ -f "$network/photo/input_0.npy" ] && $python -c "import numpy" 2>/dev/null; then
    logged photo $python "$source/test/exec/npy_to_png.py" "$network/photo/input_0.npy" "$work/photo.png"
    "$tfoptc" compile "$network/graph.pb" -o "$work/network.so" || fail "compile $network"
    printf 'class %s\n' 0 1 2 3 4 >"$work/labels"
    "$work/classifier/classifier" "$work/network.so" "$work/labels" --scale 0.00392156863 "$work/photo.png" >"$work/classified" || fail "photo"
    grep -q '  class 2  *99\.9 %' "$work/classified" || fail "photo: $(cat "$work/classified")" # TensorFlow: 0.99925
fi
logged custom-op sh "$source/samples/custom-op/build.sh" "$tfopt" "$work/by hand"
[ "$(grep -c '^2 3 4 5 6 7  3x7 1x1 2x5$' "$work/log")" -eq 4 ] || fail "custom-op: $(cat "$work/log")"
project custom-op
[ "$("$work/custom-op/custom_op")" = "2 3 4 5 6 7  3x7 1x1 2x5" ] || fail "the answer of custom-op by CMake"
if $python -c "import numpy" 2>/dev/null; then
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$python_path logged python $python "$source/samples/python/classify.py" "$work/digits.so"
fi
[ "$case" = build ] || "$tfopt/bin/tfoptc" benchmark "$digits/graph.pb" --seconds 0.05 >/dev/null || fail "the installed runner"
echo "ok $case"
