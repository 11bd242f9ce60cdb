#!/bin/sh
# programs.sh BUILD SOURCE CASE: executables that tfoptc makes: what they read, write and refuse.
build=$1 source=$2 case=$3
tfoptc=$build/tfoptc
digits=$source/test/models/digits
tables=$source/test/models/tables
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
python=python3
python3 -c "import numpy" 2>/dev/null || python=/usr/bin/python3 # where Debian's numpy is
"$tfoptc" compile "$digits/graph.pb" --threads 0 -o "$work/digits" || fail "compile"

case $case in
numbers) # .npy of both orders, .npz stored and packed, lists; the folder of --save is made
    $python - "$digits/test_images.npy" "$work" <<'PYTHON' 2>/dev/null || { echo "no numpy"; exit 77; }
import json, sys
import numpy
x, to = numpy.load(sys.argv[1]), sys.argv[2]
numpy.save(to + "/fortran.npy", numpy.asfortranarray(x))
numpy.savez(to + "/stored.npz", other=x[:1], image=x)
numpy.savez_compressed(to + "/packed.npz", image=x, other=x[:1])
numpy.savez_compressed(to + "/noise.npz", image=numpy.random.default_rng(1).random(x.shape, numpy.float32))
numpy.save(to + "/noise.npy", numpy.random.default_rng(1).random(x.shape, numpy.float32))
numpy.savez_compressed(to + "/zeros.npz", numpy.zeros((2000, 8, 8, 1), numpy.float32))
json.dump(x.tolist(), open(to + "/nested.json", "w"))
PYTHON
    "$work/digits" --input "image=$digits/test_images.npy" --save "$work/want" >"$work/want.txt" || fail ".npy"
    for file in fortran.npy stored.npz packed.npz nested.json; do
        for words in "image=$work/$file" "$work/$file"; do
            "$work/digits" --input "$words" --save "$work/got" >"$work/got.txt" || fail "$words"
            cmp "$work/want.txt" "$work/got.txt" && cmp "$work/want/out_0.npy" "$work/got/out_0.npy" || fail "$words: other answers"
            rm -r "$work/got"
        done
    done
    "$work/digits" --input "$work/noise.npy" --save "$work/a" >"$work/want.txt" || fail "noise.npy"
    "$work/digits" --input "$work/noise.npz" --save "$work/b" >"$work/got.txt" || fail "noise.npz"
    cmp "$work/a/out_0.npy" "$work/b/out_0.npy" || fail "noise: other answers"
    "$work/digits" --input "$work/zeros.npz" >"$work/got.txt" || fail "zeros.npz"
    # cut at any place: an error, no crash
    for n in 1 21 22 40 100 1000; do
        for file in packed.npz stored.npz fortran.npy nested.json; do
            head -c $n "$work/$file" >"$work/cut.${file#*.}"
            "$work/digits" --input "$work/cut.${file#*.}" >/dev/null 2>&1
            [ $? -eq 1 ] || fail "$file cut at $n"
            tail -c +$n "$work/$file" >"$work/cut.${file#*.}"
            "$work/digits" --input "$work/cut.${file#*.}" >/dev/null 2>&1
            [ $? -le 1 ] || fail "$file from $n"
        done
    done
    ;;
strings) # nested, flat, bytes; answers as .json
    "$tfoptc" compile "$tables/tensors" --signature static --threads 0 -o "$work/tables" || fail "compile"
    echo '[11, -3, 7]' >"$work/i.json"
    "$tfoptc" run "$tables/tensors" --signature static --input "i=$work/i.json" --input "s=$tables/data/tensors_static_3_s.json" --save "$work/want" || fail "run"
    "$work/tables" --input "i=$work/i.json" --input "s=$tables/data/tensors_static_3_s.json" --save "$work/got" >/dev/null || fail "the program"
    for file in "$work/want"/*; do
        name=$(basename "$file")
        case $name in
        *.json) tr -d ' \n' <"$file" >"$work/1" && tr -d ' \n' <"$work/got/$name" >"$work/2" && cmp "$work/1" "$work/2" || fail "$name" ;;
        *) cmp "$file" "$work/got/$name" || fail "$name" ;;
        esac
    done
    ls "$work/want" | grep -q json || fail "no strings in the answers"
    "$work/tables" --benchmark 0.1 | grep -q median || fail "strings that are not given"
    # every form of a string, through a graph that gives back what it gets
    cat >"$work/echo.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 's' op: 'Placeholder' attr { key: 'dtype' value { type: DT_STRING } } attr { key: 'shape' value { shape { dim { size: 2 } dim { size: 3 } } } } }
node { name: 't' op: 'StringJoin' input: 's' attr { key: 'N' value { i: 1 } } }
GRAPH
    "$tfoptc" compile "$work/echo.pbtxt" --threads 0 -o "$work/echo" || fail "compile"
    printf '[["a\\n\\u00e4", "", "\\ud83d\\ude00\\"\\\\"], [{"b64": "/wA="}, "\303\266", {"b64":"YQ=="}]]' >"$work/s.json"
    printf '["a\\n\\u00e4", "", "\\ud83d\\ude00\\"\\\\", {"b64": "/wA="}, "\303\266", {"b64":"YQ=="}]' >"$work/flat.json"
    printf '[["a\\u000a\303\244", "", "\360\237\230\200\\"\\\\"], [{"b64": "/wA="}, "\303\266", "a"]]\n' >"$work/expected"
    for file in s flat; do
        "$work/echo" --input "s=$work/$file.json" --save "$work/echoed" >/dev/null || fail "$file"
        cmp "$work/expected" "$work/echoed/out_0.json" || fail "$file: $(cat "$work/echoed/out_0.json")"
        "$tfoptc" verify "$work/echo.pbtxt" --input "s=$work/$file.json" --expect "t=$work/echoed/out_0.json" >/dev/null || fail "tfoptc, $file"
    done
    for wrong in '' '[' '["a"]' '[["a","b","c"],["d","e"]]' '[["a","b","c"],["d","e",1]]' '"a' '["\ud800"]' '["\x"]' '[[{"b64":"*"},"",""],["","",""]]' '[["","",""],["","",""]]x' \
        '[[[[[[[[[[[[[[["a"]]]]]]]]]]]]]]]'; do
        printf '%s' "$wrong" >"$work/wrong.json"
        "$work/echo" --input "s=$work/wrong.json" >/dev/null 2>"$work/err"
        [ $? -eq 1 ] && [ -s "$work/err" ] || fail "'$wrong' is taken"
    done
    ;;
mistakes) # a message and the exit code
    refuses() { # CODE TEXT WORDS…
        code=$1 text=$2
        shift 2
        "$work/digits" "$@" >"$work/out" 2>"$work/err"
        got=$?
        [ $got -eq "$code" ] || fail "'$*' exits $got: $(cat "$work/err")"
        grep -q -e "$text" "$work/err" || fail "'$*' says: $(cat "$work/err")"
    }
    refuses 2 "these inputs are missing: --input image=FILE (float32\[batch,8,8,1\])$"
    "$work/digits" --help >"$work/out" || fail "--help"
    grep -q '^  input  image                float32\[batch,8,8,1\]$' "$work/out" && grep -q '^  output Identity' "$work/out" || fail "--help: $(cat "$work/out")"
    refuses 2 "no outputs of --benchmark" --benchmark --save "$work/x"
    refuses 2 "is for inputs that --benchmark makes up" --input "image=$digits/test_images.npy" --dim batch=3
    refuses 2 "another file is given" --input "image=$digits/test_images.npy" --input "image=$digits/test_images.npy"
    refuses 2 "another file is given" --input "$digits/test_images.npy" --input "$digits/test_images.npy"
    refuses 1 "5_3.png: is a picture; programs read .npy" --input "image=$digits/images/5_3.png"
    cat >"$work/two.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } } }
node { name: 'ids' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT64 } } attr { key: 'shape' value { shape { } } } }
node { name: 'zero' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 } } } }
node { name: 'y' op: 'GatherV2' input: 'x' input: 'ids' input: 'zero' attr { key: 'Tindices' value { type: DT_INT64 } } }
GRAPH
    "$tfoptc" compile "$work/two.pbtxt" --threads 0 --batch 2-8 -o "$work/two" || fail "compile"
    "$work/two" 2>"$work/err" && fail "without inputs"
    grep -q "missing: --input x=FILE (float32\[batch,3\]) --input ids=FILE (int64\[\])$" "$work/err" || fail "message: $(cat "$work/err")"
    "$work/two" --help >"$work/out" || fail "--help"
    grep -q 'input  ids .*int64\[\], below 3$' "$work/out" && grep -q 'size   batch .* 2 to 8$' "$work/out" || fail "--help: $(cat "$work/out")"
    echo '[[1, 2, 3]]' >"$work/x.json"
    echo 2 >"$work/ids.json"
    "$work/two" --input "x=$work/x.json" --input "ids=$work/ids.json" 2>"$work/err" && fail "a batch of one"
    grep -q "compiled for 2..8" "$work/err" || fail "message: $(cat "$work/err")"
    refuses 1 "no input of that name" --input nosuch=x.npy
    refuses 2 "unknown option" --frobnicate
    refuses 2 "0 to 1024" --threads -1
    refuses 2 "0 to 1024" --threads 2x
    refuses 2 "how many seconds" --benchmark=nan
    refuses 2 "how many seconds" --benchmark=-1
    refuses 2 "NAME=SIZE" --benchmark --dim batch=x
    refuses 1 "no unknown size" --benchmark --dim nosuch=3
    refuses 1 "cannot be opened" --input "image=$work/none.npy"
    refuses 1 "no .npy file" --input "image=$source/README.md"
    refuses 1 "another type" --input "image=$digits/test_labels.npy"
    echo '[1, 2]' >"$work/short.json"
    refuses 1 "rank" --input "image=$work/short.json"
    refuses 1 "No such file\|cannot be written" --input "image=$digits/test_images.npy" --save "$work/none/deep"
    "$work/digits" --input "image=$digits/test_images.npy" >/dev/full 2>"$work/err" && fail "a full disk"
    grep -q "No space left" "$work/err" || fail "message: $(cat "$work/err")"
    ;;
*) fail "unknown case '$case'" ;;
esac
echo "ok $case"
