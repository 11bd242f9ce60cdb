#!/bin/sh
# tables.sh BUILD SOURCE CASE: lookup tables from compile to answer, against what TensorFlow has answered (test/models/make_tables.py).
build=$1 source=$2 case=$3
tfoptc=$build/tfoptc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
refused() { # STATUS TEXT OPTIONS…
    status=$1 text=$2
    shift 2
    "$tfoptc" compile "$@" --threads 0 -o "$work/x.o" >"$work/out" 2>"$work/err"
    got=$?
    [ $got -eq "$status" ] || fail "exit $got instead of $status: $* $(cat "$work/err")"
    grep -q -e "$text" "$work/err" || fail "not '$text' but: $(cat "$work/err")"
}

cd "$source/test/models/tables" || fail "no models"
case $case in
answers) # vocabulary files, columns, buckets, checkpoints, Keras layers, TensorFlow 1, what training leaves behind
    while read -r words; do
        # shellcheck disable=SC2086
        "$tfoptc" verify $words --threads 0 >"$work/out" 2>&1 || fail "$words: $(cat "$work/out")"
        case $words in *--expect*) "$tfoptc" verify $(echo "$words" | sed 's/--expect [^ ]*//g') --threads 0 >"$work/out" 2>&1 || fail "reference, $words: $(cat "$work/out")" ;; esac
    done <cases.txt
    "$tfoptc" benchmark tensors --signature static --seconds 0.05 --threads 0 >"$work/out" 2>&1 || fail "benchmark with strings: $(cat "$work/out")"
    # a compiled model has the assets' contents and asks for no file
    cp -r files "$work/moved"
    "$tfoptc" compile "$work/moved" --signature columns --threads 0 -o "$work/columns.so" -MF "$work/columns.d" || fail "compile"
    for file in "$work"/moved/assets/*; do grep -q " $file" "$work/columns.d" || fail "$file is no dependency: $(cat "$work/columns.d")"; done
    rm -rf "$work/moved"
    refused 3 "reads a variable that the model changes" state --signature counts
    echo '[11, 8]' >"$work/i.json"
    "$tfoptc" run "$work/columns.so" --input "i=$work/i.json" | grep -q '"eleven" "none"' || fail "without its assets: $("$tfoptc" run "$work/columns.so" --input "i=$work/i.json")"
    ;;
given) # --init and --table, from every kind of file
    printf 'one\ntwo\nthree\n' >"$work/words.txt"
    printf 'one,0\n"two",1\r\nthree,2\n' >"$work/words.csv"
    printf 'one\t0\ntwo\t1\nthree\t2\n' >"$work/words.tsv"
    echo '{"one": 0, "two": 1, "three": 2}' >"$work/words.json"
    echo '["one", "two", "three"]' >"$work/list.json"
    echo '[["one", 0], ["two", 1], ["three", 2]]' >"$work/pairs.json"
    echo '["one", "two", "three"]' >"$work/keys.json"
    echo '[0, 1, 2]' >"$work/values.json"
    refused 3 "is no asset.*--table" old.pb --output y --init init_prices --init text_file_init/InitializeTableFromTextFileV2
    for file in words.txt words.csv words.tsv words.json list.json pairs.json "keys.json,$work/values.json"; do
        "$tfoptc" verify old.pb --output y --init init_prices --table "hash_table=$work/$file" $(grep -o -e '-i x=data/old[^ ]*' cases.txt) $(grep -o -e '--expect y=data/old[^ ]*' cases.txt) --threads 0 >"$work/out" 2>&1 ||
            fail "$file: $(cat "$work/out")"
    done
    # contents given instead of those in the model; numbers as keys
    printf -- '-3,minus\n11,"el,""even"\n' >"$work/names.csv"
    echo '[11, -3, 7]' >"$work/i.json"
    echo '["el,\"even", "minus", "?"]' >"$work/want.json"
    "$tfoptc" verify tensors --signature static --table "hash_table_1=$work/names.csv" --input "i=$work/i.json" --input s=data/tensors_static_3_s.json \
        --expect "name=$work/want.json" --threads 0 >"$work/out" 2>&1 || fail "names.csv: $(cat "$work/out")"
    printf 'one,1\ntwo,x\n' >"$work/bad.csv"
    refused 1 "'x' is no int64" old.pb --output y --init init_prices --table "hash_table=$work/bad.csv"
    printf 'one,1\ntwo\n' >"$work/bad.csv"
    refused 1 "line 2 has no second column" old.pb --output y --init init_prices --table "hash_table=$work/bad.csv"
    printf 'one,1\n"two,2\n' >"$work/bad.csv"
    refused 1 "line 2: a quote is not closed" old.pb --output y --init init_prices --table "hash_table=$work/bad.csv"
    printf 'one,1\none,2\n' >"$work/bad.csv"
    refused 1 "twice with different values" old.pb --output y --init init_prices --table "hash_table=$work/bad.csv"
    printf '["a", ["b", 1]]' >"$work/bad.json"
    refused 1 "some entries are pairs" old.pb --output y --init init_prices --table "hash_table=$work/bad.json"
    refused 2 "NODE=FILE" old.pb --output y --table hash_table
    refused 1 "none.txt" old.pb --output y --init init_prices --table "hash_table=$work/none.txt"
    ;;
hostile) # damaged SavedModels: clear words, no crash
    damaged() { rm -rf "$work/m"; cp -r "$1" "$work/m"; }
    damaged files
    rm "$work/m/assets/words.txt"
    refused 1 "words.txt" "$work/m" --signature words
    refused 1 "words.txt" "$work/m" --signature buckets
    damaged files
    printf 'red\n' >"$work/m/assets/words.txt" # vocab_size=2 wants two lines
    refused 1 "1 lines, the graph wants 2" "$work/m" --signature words
    damaged files
    printf '7;seven;0.5\n11\n' >"$work/m/assets/prices.csv"
    refused 1 "line 2 of the file has no column" "$work/m" --signature columns
    damaged files
    printf '7;seven;0.5\nx;eleven;1\n' >"$work/m/assets/prices.csv"
    refused 1 "line 2 of the file: 'x' is no number" "$work/m" --signature columns
    damaged files
    printf 'red\ngreen\nred\n' >"$work/m/assets/words.txt"
    refused 1 "twice with different values: entries 1 and 3" "$work/m" --signature words
    damaged files
    rm -r "$work/m/assets"
    refused 1 "assets/words.txt" "$work/m" --signature words
    damaged tensors
    rm "$work/m/variables/variables.data-00000-of-00001"
    refused 1 "variables.data" "$work/m" --signature mutable
    damaged tensors
    head -c 60 tensors/variables/variables.index >"$work/m/variables/variables.index"
    refused 1 "variables.index" "$work/m" --signature mutable
    damaged tensors
    head -c 2000 tensors/saved_model.pb >"$work/m/saved_model.pb"
    refused 1 "cut short" "$work/m" --signature mutable
    refused 1 "no signature 'nothing'; there are: dense, insert, mutable, static" tensors --signature nothing
    refused 1 "no graph has the tags 'train'; there are: serve" tensors --tags train
    refused 1 "holds no saved_model.pb" data
    mkdir "$work/bundle" && touch "$work/bundle/export.meta" "$work/bundle/checkpoint"
    refused 1 "session bundle" "$work/bundle"
    ;;
*) fail "unknown case '$case'" ;;
esac
echo "ok $case"
