#!/bin/sh
# memory.sh BUILD SOURCE: what becomes of a model when the n-th allocation fails (memory.c), for tables, strings, sizes that
# only running tells, and threads.
build=$1 source=$2
tfoptc=$build/tfoptc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
${CC:-cc} -std=c11 -O1 -D_GNU_SOURCE -I"$source/runtime/include" -I"$source/runtime" "$source/test/exec/memory.c" "$build/runtime/libtfopt_main.a" \
    "$build/runtime/libtfopt.a" -lm -lpthread -ldl -o "$work/memory" || fail "building"
survives() { # INPUT=FILE…
    "$work/memory" "$work/m.so" "$@" >"$work/out" 2>"$work/err" || fail "$name $*: $(head -20 "$work/err")"
    echo "$name: $(cat "$work/out")"
}

name=digits
"$tfoptc" compile "$source/test/models/digits/graph.pb" --threads 2 -o "$work/m.so" || fail "compile"
survives "image=$source/test/models/digits/test_images.npy"
survives "image=$source/test/models/digits/test_images.npy" --threads 2

cd "$source/test/models/tables" || fail "no models"
while read -r words; do
    words=$(echo "$words" | sed 's/ --expect [^ ]*//g')
    name=$words
    case $words in *=data*) ;; *) continue ;; esac
    # shellcheck disable=SC2086
    "$tfoptc" compile $words --threads 0 -o "$work/m.so" || fail "compile $words"
    # shellcheck disable=SC2046
    survives $(echo "$words" | tr ' ' '\n' | grep =data)
done <cases.txt

name="strings, regular expressions, tf.Example, sizes that only running tells"
cat >"$work/m.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 's' op: 'Placeholder' attr { key: 'dtype' value { type: DT_STRING } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'upper' op: 'StringUpper' input: 's' }
node { name: 'replaced' op: 'StaticRegexReplace' input: 'upper' attr { key: 'pattern' value { s: '([A-F]+)O|X*' } } attr { key: 'rewrite' value { s: '<\\1>' } } }
node { name: 'sep' op: 'Const' attr { key: 'dtype' value { type: DT_STRING } } attr { key: 'value' value { tensor { dtype: DT_STRING tensor_shape { } string_val: ' ' } } } }
node { name: 'split' op: 'StringSplitV2' input: 's' input: 'sep' }
node { name: 'unique' op: 'Unique' input: 'x' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'zero' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 0 } } } }
node { name: 'positive' op: 'Greater' input: 'x' input: 'zero' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'where' op: 'Where' input: 'positive' }
node { name: 'texts' op: 'AsString' input: 'x' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'example' op: 'DecodeJSONExample' input: 'j' }
node { name: 'j' op: 'Placeholder' attr { key: 'dtype' value { type: DT_STRING } } attr { key: 'shape' value { shape { dim { size: 2 } } } } }
GRAPH
echo '["one two", "", "food for the fox", "x"]' >"$work/s.json"
echo '[1, -2, 3, 1, 1, 0, 7.5]' >"$work/x.json"
echo '["{\"features\": {\"feature\": {\"a\": {\"floatList\": {\"value\": [1, 2, 3]}}, \"b\": {\"bytesList\": {\"value\": [\"YQ==\"]}}}}}", "{}"]' >"$work/j.json"
"$tfoptc" compile "$work/m.pbtxt" --output replaced --output split:1 --output unique --output unique:1 --output where --output texts --output example --threads 0 -o "$work/m.so" || fail "compile"
survives "s=$work/s.json" "x=$work/x.json" "j=$work/j.json"
echo ok
