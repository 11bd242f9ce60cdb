#!/bin/sh
# commands.sh BUILD SOURCE CASE: what the subcommands of tfoptc take, print and refuse.
build=$1 source=$2 case=$3
tfoptc=$build/tfoptc
digits=$source/test/models/digits
model=$digits/graph.pb
images=$digits/test_images.npy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
refuses() { # CODE TEXT WORDS…
    code=$1 text=$2
    shift 2
    "$tfoptc" "$@" >"$work/out" 2>"$work/err"
    got=$?
    case $got in $code) ;; *) fail "'$*' exits $got: $(cat "$work/err")" ;; esac
    [ -z "$text" ] || grep -q -e "$text" "$work/err" || fail "'$*' says: $(cat "$work/err")"
}
accepts() { # WORDS…
    "$tfoptc" "$@" >"$work/out" 2>"$work/err" || fail "'$*': $(cat "$work/err")"
}

case $case in
applies) # options that say nothing about the kind of model are mistakes, not ignored
    accepts compile "$model" -o "$work/d.so" --threads 2
    accepts compile "$model" -o "$work/d.o"
    accepts compile "$model" -o "$work/d"
    for words in "--output x" "--cpu x86-64-v3" "-O3" "--math fast" "--precision fp32" "--passes fold" "--skip fold" "--dump-after all" "--time" "--link $work/d.o" \
        "--max-memory 1G" "--signature x" "--tags x" "--init x" "--table x=$images"; do
        for command in run verify benchmark; do
            # shellcheck disable=SC2086
            refuses 2 "--[a-z-]* says nothing about a compiled model" $command "$work/d.so" $words
        done
    done
    refuses 2 "says nothing about a compiled model" verify "$work/d.so" --layers
    refuses 2 "says nothing about a compiled model" run "$work/d.so" --reference
    refuses 2 "--output says nothing" inspect "$work/d.so" --output x
    for words in "--cpu native" "--threads 2" "-O2" "--math fast" "--skip fold" "--link $work/d.o"; do
        # shellcheck disable=SC2086
        refuses 2 "--[a-z-]* says nothing about the reference" run "$model" --reference $words
    done
    for command in run inspect verify benchmark; do
        refuses 2 "is a program: run it by itself" $command "$work/d"
        refuses 2 "is an object, to be linked" $command "$work/d.o"
    done
    for command in compile optimize; do refuses 2 "is compiled already" $command "$work/d.so" -o "$work/x.o"; done
    refuses 2 "is compiled" explain "$work/d.so"
    refuses 2 "is a frozen graph" run "$model" --signature x
    refuses 2 "is a frozen graph" inspect "$model" --tags serve
    refuses 2 "is float32" run "$work/d.so" --input image:int32=2,8,8,1
    refuses 2 "has rank 4" run "$work/d.so" --input image=2,8
    refuses 2 "is for .so and executables" compile "$model" -o "$work/x.o" --link "$work/d.o"
    refuses 2 "goes with --emit=graph" compile "$model" -o "$work/x.o" --stop-after fold
    refuses 2 "a graph has no C names" compile "$model" -o "$work/x.pb" --name x
    refuses 2 "needs an output that is a file" compile "$model" --emit=asm -MF "$work/x.d"
    refuses 2 "both go to standard output" compile "$model" --emit=asm --json
    refuses 3 "ptx) does not exist yet" compile "$model" --emit=ptx -o "$work/x.o"
    refuses 3 "ptx) does not exist yet" compile "$model" -o "$work/x.ptx"
    refuses 3 "emit=server does not exist yet" compile "$model" --emit=server -o "$work/x"
    refuses 2 "emit=nosuch: obj, a, so" compile "$model" --emit=nosuch -o "$work/x"
    refuses 2 "only texts" compile "$model" -o - --emit=so
    [ ! -e "$work/x.o" ] || fail "something is written"
    accepts compile "$model" --batch 4 -o "$work/four.so"
    refuses 2 "inputs of fixed sizes" run "$work/four.so" --batch 8
    refuses 1 "no unknown size of that name" run "$work/d.so" --dim nosuch=8
    # what does apply
    accepts run "$work/d.so" --batch 3 --seed 2 --threads 2 --repeat 2
    grep -q 'float32\[3,10\]' "$work/out" || fail "--batch of a compiled model: $(cat "$work/out")"
    accepts run "$work/d.so" --input "image=$digits/images/5_3.png" --image-size 8x8
    for words in "--image-size 8x8" "--image-mean 1" "--image-scale 2"; do
        for of in "$model" "$work/d.so"; do
            # shellcheck disable=SC2086
            refuses 2 "no input is given as a picture" run "$of" $words
            # shellcheck disable=SC2086
            refuses 2 "no input is given as a picture" run "$of" --input "image=$images" $words
        done
    done
    accepts compile "$model" --emit=graph --stop-after fold
    # short options, several in a word, response files, the way compilers of C take -MF
    refuses 2 "'-x' is no option" compile "$model" -vx -o "$work/x.o"
    printf '%s -o "%s/r s.so"\n--threads 0' "$model" "$work" >"$work/response"
    (printf 'compile ' && cat "$work/response") >"$work/all"
    for words in "@$work/response" "@$work/all" "@$work/all -q" "compile @$work/response -v -MF$work/r.d"; do
        rm -f "$work/r s.so"
        # shellcheck disable=SC2086
        accepts $words
        [ -e "$work/r s.so" ] || fail "$words"
    done
    [ -s "$work/r.d" ] || fail "no dependencies"
    refuses 2 "cannot open $work/none" run "@$work/none"
    : >"$work/nothing"
    "$tfoptc" "@$work/nothing" 2>/dev/null
    [ $? -eq 2 ] || fail "no words at all"
    # optimize makes graphs, and its help says nothing else
    for suffix in so o a s h; do refuses 2 "writes a GraphDef: -o OUT.pb" optimize "$model" -o "$work/x.$suffix"; done
    [ ! -e "$work/x.so" ] || fail "a graph is called x.so"
    accepts optimize "$model" -o "$work/graph"
    for command in inspect run verify benchmark explain optimize; do
        "$tfoptc" $command --help | grep -e '--emit' -e 'executable$' && fail "$command --help says what only compile takes"
    done
    # each option that a command's help names is taken, every other one is not
    "$tfoptc" --man | sed -n 's/^\.B[R]* .*\\-\\-\([a-z-]*\)$/\1/p' | sort -u >"$work/options"
    [ "$(wc -l <"$work/options")" -gt 40 ] || fail "options of the man page"
    for command in compile inspect run verify benchmark explain optimize; do
        "$tfoptc" $command --help >"$work/help"
        while read -r option; do
            "$tfoptc" $command "--$option=" >"$work/out" 2>"$work/err"
            if grep -q -e "--$option\b" "$work/help"; then
                grep -q "is no option" "$work/err" && fail "$command --$option is not taken"
            else
                grep -q "is no option of $command" "$work/err" || fail "$command --$option is taken: $(cat "$work/err")"
            fi
        done <"$work/options"
    done
    "$tfoptc" --man | grep -q '^\.BR .*-o ", " .*output-file' || fail "no short options in the man page"
    ;;
numbers) # numbers and ranges are read to their end
    for range in 4-2 1- -1 1-2-3 1,2-3 1,,2 1, , x 1x 1.5 99999999999999999999; do
        refuses 2 "is no range\|wants" compile "$model" -o "$work/x.o" "--batch=$range"
        refuses 2 "is no range\|wants" compile "$model" -o "$work/x.o" "--dim=n=$range"
    done
    for range in 4 1-4 2,4,8 4-4; do accepts compile "$model" --emit=header "--batch=$range"; done
    for n in 0 -1 x 2x ''; do refuses 2 "--repeat wants" run "$model" "--repeat=$n"; done
    for n in -3 x 2x 1.5 '' 99999999999999999999; do refuses 2 "--threads wants" run "$model" "--threads=$n"; done
    refuses 2 "at most 1024" run "$model" --threads 2000
    for n in nan inf -1 x 1x ''; do refuses 2 "--seconds wants" benchmark "$model" "--seconds=$n"; done
    for n in nan -1 x; do refuses 2 "--rtol wants" verify "$model" "--rtol=$n"; done
    for n in x -1G 1Q 0 nan inf; do refuses 2 "--max-memory wants" compile "$model" -o "$work/x.o" --max-memory $n; done
    for n in 8x 0x8 8x8x8 x8 -8x8 8x8y; do refuses 2 "image-size" run "$model" --input "image=$digits/images/5_3.png" --image-size $n; done
    for n in x 1,2 1,2,3,4 nan 1x; do refuses 2 "image-mean" run "$model" --input "image=$digits/images/5_3.png" --image-mean $n; done
    for option in cpu output signature save name math color depfile; do
        for command in run compile; do
            "$tfoptc" $command --help | grep -q -e "--$option " || continue
            refuses 2 "--$option wants" $command "$model" "--$option="
        done
    done
    refuses 1 "have rank 0, need 4" compile "$model" -o "$work/x.o" --input image= # sizes of a scalar
    for words in --math=quick --color=blue -O4 -Ofast; do refuses 2 "is one of" compile "$model" -o "$work/x.o" $words; done
    ;;
json) # every subcommand, what it has to say and what went wrong
    command -v python3 >/dev/null || { echo "no python3"; exit 77; }
    json() { # EXPRESSION over the parsed j
        python3 -c "import json, sys; j = json.load(open('$work/out')); sys.exit(0 if ($1) else 1)" || fail "$last: $(head -c 1000 "$work/out")"
    }
    ask() { # CODE EXPRESSION WORDS…
        code=$1 expression=$2
        shift 2
        last=$*
        "$tfoptc" "$@" --json >"$work/out" 2>"$work/err"
        got=$?
        [ $got -eq "$code" ] || fail "'$*' exits $got: $(cat "$work/err")"
        json "$expression"
    }
    ask 0 "j['output'].endswith('d.so') and j['kind'] == 'so' and j['bytes'] > 1000 and j['seconds'] > 0 and j['programs'][0]['memory'] == 'bound'" compile "$model" -o "$work/d.so"
    ask 0 "j['kind'] == 'pb' and j['bytes'] > 1000" optimize "$model" -o "$work/d.pb"
    for of in "$model" "$work/d.so"; do
        ask 0 "j['inputs'][0]['name'] == 'image' and j['outputs'][0]['dtype'] == 'DT_FLOAT' or j['outputs'][0]['dtype'] == 'float32'" inspect "$of"
        ask 0 "len(j['outputs']) == 1 and j['outputs'][0]['shape'] == [64, 10] and abs(sum(j['outputs'][0]['values'][3]) - 1) < 1e-5" run "$of" --input "image=$images"
        ask 0 "j['outputs'][0]['file'].endswith('out_0.npy') and 'values' not in j['outputs'][0]" run "$of" --save "$work/saved"
        ask 0 "j['median_us'] > 0 and j['min_us'] > 0 and j['runs'] > 0 and j['load_us'] > 0 and j['artifact_bytes'] > 0 and j['peak_rss_kb'] > 0 and j['threads'] == 2" benchmark "$of" --seconds 0.1 --threads 2
    done
    ask 0 "j['ok'] and j['outputs'][0]['ok'] and 0 < 8 * j['outputs'][0]['rounding'] <= j['outputs'][0]['limit'] * 1.0001" verify "$model"
    ask 0 "j['outputs'][0]['rounding'] == 0" verify "$model" --rtol 1e-3
    ask 4 "not j['ok'] and not j['outputs'][0]['ok'] and j['outputs'][0]['max_difference'] > j['outputs'][0]['limit']" verify "$model" --batch 2 --expect "$("$tfoptc" run "$model" --batch 2 --seed 9 --save "$work/else" --json | sed -n 's/.*"name": "\(.*\)",/\1/p')=$work/else/out_0.npy"
    ask 0 "len(j['rewrites']) > 3 and len(j['steps']) > 2 and j['median_us'] > 0 and j['threads'] == 1" explain "$model" --seconds 0.1 --threads 1
    ask 0 "{'fold', 'fuse'} <= {p['pass'] for p in j['passes']} and all(p['min_us_without'] > 0 and p['min_us'] > 0 for p in j['passes'])" explain "$model" --seconds 0.05 --threads 0 --gains
    # strings, bytes, numbers that JSON lacks
    cat >"$work/m.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 3 } } } } }
node { name: 's' op: 'Placeholder' attr { key: 'dtype' value { type: DT_STRING } } attr { key: 'shape' value { shape { } } } }
node { name: 'log' op: 'Log' input: 'x' }
node { name: 'join' op: 'StringJoin' input: 's' attr { key: 'N' value { i: 1 } } }
node { name: 'big' op: 'Cast' input: 'x' attr { key: 'SrcT' value { type: DT_FLOAT } } attr { key: 'DstT' value { type: DT_BOOL } } }
GRAPH
    echo '[0, -1, 1]' >"$work/x.json"
    echo '{"b64": "/w=="}' >"$work/s.json"
    for how in "" --reference; do
        # shellcheck disable=SC2086
        ask 0 "[o['values'] for o in j['outputs']] == [['-Infinity', 'NaN', 0.0], {'b64': '/w=='}, [False, True, True]]" run "$work/m.pbtxt" $how --input "x=$work/x.json" --input "s=$work/s.json" --output log --output join --output big
    done
    # what goes wrong
    sed "s/'StringJoin'/'Strung'/; s/'Log'/'Logg'/" "$work/m.pbtxt" >"$work/refused.pbtxt"
    for command in compile inspect run verify explain benchmark optimize; do
        case $command in compile | optimize) out="-o $work/x.pb" ;; *) out= ;; esac
        # shellcheck disable=SC2086
        ask 3 "{m['op'] for m in j['messages']} == {'Strung', 'Logg'} and all(m['exit'] == 3 and m['level'] == 'error' and m['count'] == 1 for m in j['messages'])" $command "$work/refused.pbtxt" $out
        # shellcheck disable=SC2086
        ask 1 "'none.pb' in j['messages'][0]['message'] and j['messages'][0]['exit'] == 1" $command "$work/none.pb" $out
    done
    ask 2 "j['messages'][0]['exit'] == 2" run "$model" --threads=x
    ;;
output) # a full disk is an error of every command, and what is half-written goes
    accepts compile "$model" -o "$work/d.so"
    cp "$work/d.so" "$work/before.so"
    for words in --help --version --man --completion --ops "run --help" "run $model" "run $work/d.so" "run $model --json" "inspect $model" "inspect $work/d.so" "verify $model" \
        "benchmark $model --seconds 0.01" "explain $model --seconds 0.01" "compile $model --emit=asm" "compile $model --emit=graph" "compile $model -o $work/x.o --json" \
        "optimize $model -o -"; do
        # shellcheck disable=SC2086
        "$tfoptc" $words >/dev/full 2>"$work/err"
        got=$?
        [ $got -eq 1 ] || fail "'$words' exits $got on a full disk: $(cat "$work/err")"
        [ "$(grep -c "cannot write" "$work/err")" -eq 1 ] || fail "'$words' says: $(cat "$work/err")"
    done
    # a closed standard output is one that cannot be written, and no other file gets its place
    for words in --help "inspect $model" "run $model --json" "benchmark $model --seconds 0.01 --json" "compile $model --emit=asm" "compile $model -o $work/x.o --json"; do
        # shellcheck disable=SC2086
        "$tfoptc" $words >&- 2>"$work/err"
        got=$?
        [ $got -eq 1 ] && grep -q "cannot write to standard output" "$work/err" || fail "'$words' exits $got without standard output: $(cat "$work/err")"
    done
    "$tfoptc" compile "$model" -o "$work/x.so" -v <&- >&- 2>&- || fail "no standard files"
    accepts inspect "$work/x.so"
    refuses 1 "cannot read standard input" inspect - <&-
    # a limit on the size of files stands for a full disk
    for kind in so o a pb s; do
        rm -f "$work/x.$kind"
        (trap '' XFSZ; ulimit -f 8; "$tfoptc" compile "$model" -o "$work/x.$kind" >/dev/null 2>"$work/err")
        got=$?
        [ $got -eq 1 ] && [ -s "$work/err" ] || fail ".$kind over the limit exits $got: $(cat "$work/err")"
        [ ! -e "$work/x.$kind" ] || fail "a part of .$kind is left"
    done
    (trap '' XFSZ; ulimit -f 8; "$tfoptc" compile "$model" -o "$work/d.so" 2>/dev/null)
    cmp "$work/d.so" "$work/before.so" || fail "what was there before is gone"
    ls -A "$work" | grep tmp && fail "temporary files are left"
    true
    ;;
stopped) # a signal in the middle leaves nothing: neither where the output goes nor in the folder of temporary files
    mkdir "$work/tmp" "$work/out"
    for signal in INT TERM HUP USR1; do
        TMPDIR=$work/tmp env --default-signal=$signal "$tfoptc" benchmark "$model" --seconds 60 >/dev/null 2>&1 &
        process=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ -n "$(find "$work/tmp" -name model.so)" ] && break
            sleep 0.1
        done
        [ -n "$(ls "$work/tmp")" ] || fail "nothing to remove"
        kill -s $signal $process
        wait $process
        got=$?
        [ $got -gt 128 ] || fail "$signal: exit $got"
        [ -z "$(ls "$work/tmp")" ] || fail "$signal leaves $(ls "$work/tmp")"
    done
    # before a library's own threads are told that one is enough
    mkfifo "$work/model"
    for signal in INT TERM HUP; do
        sleep 20 >"$work/model" &
        writer=$!
        TMPDIR=$work/tmp env --default-signal=$signal "$tfoptc" compile - -o "$work/out/x.so" <"$work/model" >/dev/null 2>&1 &
        process=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ -n "$(ls "$work/tmp")" ] && break
            sleep 0.1
        done
        [ -n "$(ls "$work/tmp")" ] || fail "no folder of temporary files"
        kill -s $signal $process
        wait $process
        got=$?
        kill $writer
        [ $got -gt 128 ] || fail "$signal while reading: exit $got"
        [ -z "$(ls -A "$work/tmp" "$work/out" | grep -v -e : -e '^$')" ] || fail "$signal while reading leaves $(ls -A "$work/tmp" "$work/out")"
    done
    # what crashes says so, in JSON as well, and is 70
    for signal in SEGV ABRT FPE; do
        sleep 20 >"$work/model" &
        writer=$!
        TMPDIR=$work/tmp "$tfoptc" compile - -o "$work/out/x.so" --json <"$work/model" >"$work/json" 2>"$work/err" &
        process=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ -n "$(ls "$work/tmp")" ] && break
            sleep 0.1
        done
        sleep 0.2
        kill -s $signal $process
        wait $process
        got=$?
        kill $writer
        [ $got -eq 70 ] || { [ $got -gt 128 ] && nm "$tfoptc" | grep -q asan; } || fail "$signal: exit $got: $(cat "$work/err")"
        [ $got -gt 128 ] && rm -rf "$work/tmp"/* && continue
        grep -q "internal error: .*" "$work/err" && grep -q "Please report it" "$work/err" || fail "$signal says: $(cat "$work/err")"
        grep -q '"exit": 70' "$work/json" || fail "$signal, --json: $(cat "$work/json")"
        [ -z "$(ls "$work/tmp" "$work/out" | grep -v -e : -e '^$')" ] || fail "$signal leaves $(ls "$work/tmp" "$work/out")"
    done
    # with little memory: an end, and nothing left
    for kib in 400000 500000 600000 800000; do
        (ulimit -v $kib; TMPDIR=$work/tmp timeout 60 "$tfoptc" run "$model" --batch 3000 >/dev/null 2>"$work/err")
        got=$?
        [ $got -ne 124 ] || fail "$kib KiB: no end: $(cat "$work/err")"
        [ $got -le 1 ] || [ $got -eq 127 ] || fail "$kib KiB: exit $got: $(cat "$work/err")"
        [ -z "$(ls "$work/tmp")" ] || fail "$kib KiB leaves $(ls "$work/tmp")"
    done
    rm -f "$work/err"
    # a reader that goes away: no message, nothing left
    TMPDIR=$work/tmp "$tfoptc" explain "$model" --seconds 0.05 2>"$work/err" | true
    TMPDIR=$work/tmp "$tfoptc" run "$model" --batch 2000 --json 2>>"$work/err" | head -1 >/dev/null
    [ ! -s "$work/err" ] || fail "a closed pipe: $(cat "$work/err")"
    [ -z "$(ls "$work/tmp")" ] || fail "a closed pipe leaves $(ls "$work/tmp")"
    ;;
paths) # names with spaces, quotes, letters of other scripts; folders that cannot be written
    folder="$work/it's a \"path\" ünï"
    mkdir "$folder"
    cp "$model" "$folder/my model.pb"
    cp -r "$digits/saved_model" "$folder/saved model"
    for from in "$folder/my model.pb" "$folder/saved model"; do
        for kind in so o a pb s; do accepts compile "$from" -o "$folder/x y.$kind" -MF "$folder/x.d"; done
        accepts compile "$from" -o "$folder/a program"
        "$folder/a program" --input "image=$images" --save "$folder/saved by it" >/dev/null || fail "the program"
        accepts run "$folder/x y.so" --input "image=$images" --save "$folder/sa ved"
        cmp "$folder/sa ved/out_0.npy" "$folder/saved by it/out_0.npy" || fail "other answers"
    done
    cp -r "$digits/saved_model" "$folder/m[1]*"
    accepts compile "$folder/m[1]*" -o "$folder/x.o" -MF "$folder/x.d"
    grep -q 'm\[1\]\*/variables/variables.data-' "$folder/x.d" || fail "dependencies: $(cat "$folder/x.d")"
    (cd "$folder" && TMPDIR=$folder accepts compile "my model.pb" -o "-x.so" && accepts run ./-x.so)
    (cd "$folder" && cp "my model.pb" "name=with:colon.pb" && accepts inspect "name=with:colon.pb")
    [ "$(id -u)" -eq 0 ] && { echo "ok paths, but for folders that cannot be written: root may write everywhere"; exit 0; }
    chmod 555 "$folder"
    for kind in so o a pb s; do refuses 1 "Permission denied" compile "$model" -o "$folder/new.$kind"; done
    refuses 1 "Permission denied" run "$model" --save "$folder/new"
    chmod 755 "$folder"
    ;;
words) # inputs called like words of C and C++, like macros, or like nothing at all: the header is good C and C++
    n=0
    echo 'versions { producer: 1000 }' >"$work/g.pbtxt"
    for name in int arena batch class a/b a_b 1x float printf EOF errno _Bool main NULL linux not true I SIZE_MAX int64_t export ü/é stdin assert dims inputs _ -; do
        n=$((n + 1))
        echo "node { name: '$name' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } } }
              node { name: 'o$n' op: 'Exp' input: '$name' attr { key: 'T' value { type: DT_FLOAT } } }" >>"$work/g.pbtxt"
    done
    accepts compile "$work/g.pbtxt" -o "$work/int.o" --input int=batch,3 --input class=int,3 --threads 0
    printf '#include <errno.h>\n#include <stdio.h>\n#include <assert.h>\n#include "int.h"\nint main(void) { return int_model_data()->n_inputs != %d; }\n' $n >"$work/main.c"
    (echo '#include <complex.h>' && cat "$work/main.c") >"$work/complex.c"
    cp "$work/main.c" "$work/main.cpp"
    flags="-Wall -Wextra -Wshadow -Werror -I$work -I$source/runtime/include"
    # shellcheck disable=SC2086
    ${CC:-cc} -std=gnu11 $flags "$work/complex.c" "$work/int.o" "$build/runtime/libtfopt.a" -lm -o "$work/program" && "$work/program" || fail "C"
    command -v c++ >/dev/null || { echo "ok words, but for C++: no compiler"; exit 0; }
    # shellcheck disable=SC2086
    c++ -std=gnu++20 $flags "$work/main.cpp" "$work/int.o" "$build/runtime/libtfopt.a" -lm -o "$work/program" && "$work/program" || fail "C++"
    ;;
names) # mistyped ones; files of other kinds; versions of a SavedModel; the processor where only --target is given
    refuses 2 "no command 'inspct'; did you mean 'inspect'" inspct "$model"
    refuses 2 "did you mean '--threads'" compile "$model" -o "$work/x.o" --treads=3
    refuses 1 "no input, node or tensor 'imag'; did you mean 'image'" compile "$model" -o "$work/x.o" --input imag=1,8,8,1
    accepts compile "$model" -o "$work/d.so" --batch 1-8
    refuses 1 "no input of that name; did you mean 'image'" run "$work/d.so" --input imag=1,8,8,1
    refuses 1 "no output, node or tensor 'Identitty'; did you mean 'Identity'" inspect "$model" --output Identitty
    refuses 1 "no output of that name; did you mean 'Identity'" verify "$model" --expect "identity=$images"
    refuses 1 "no signature 'serving_defalt'; there are: serving_default" inspect "$digits/saved_model" --signature serving_defalt
    refuses 1 "no graph has the tags 'train'; there are: serve" inspect "$digits/saved_model" --tags train
    printf '\034\000\000\000TFL3\000\000\000\000' >"$work/lite.tflite"
    refuses 1 "TensorFlow Lite" inspect "$work/lite.tflite"
    printf '\010\007\022\007pytorch\032\0031.9' >"$work/m.onnx"
    refuses 1 "ONNX" inspect "$work/m.onnx"
    printf '\211HDF\r\n\032\n' >"$work/m.h5"
    refuses 1 "Keras HDF5" inspect "$work/m.h5"
    mkdir "$work/empty"
    refuses 1 "holds no saved_model.pb" inspect "$work/empty"
    mkdir -p "$work/lite/00000123" "$work/bundle/00000123"
    cp "$work/lite.tflite" "$work/lite/00000123/model.tflite"
    : >"$work/bundle/00000123/export.meta"
    refuses 1 "lite/00000123 holds no saved_model.pb: .*; it holds a TensorFlow Lite model" inspect "$work/lite"
    refuses 1 "it holds a session bundle" inspect "$work/bundle"
    head -c 3000 "$model" >"$work/cut.pb"
    refuses 1 "not a valid GraphDef.*cut short" inspect "$work/cut.pb"
    refuses 1 "^tfoptc: cannot open $work/none.pb: No such file" inspect "$work/none.pb"
    mkdir -p "$work/versions/11"
    cp -r "$digits/saved_model" "$work/versions/2"
    cp -r "$digits/saved_model" "$work/versions/10"
    accepts inspect "$work/versions"
    grep -q "versions/10," "$work/out" || fail "the newest version is another: $(cat "$work/out")"
    accepts compile "$work/versions" -o "$work/v.so" -MF "$work/v.d" -v
    [ "$(cat "$work/v.d")" = "$work/v.so: $work/versions/10/saved_model.pb $work/versions/10/variables/variables.index $work/versions/10/variables/variables.data-00000-of-00001" ] || fail "dependencies: $(cat "$work/v.d")"
    grep -q "note: .*-shared -o" "$work/err" || fail "-v does not show how it is linked: $(cat "$work/err")"
    accepts compile "$model" -o "$work/x.o" --target aarch64-linux-gnu --json
    grep -q '"isa": "aarch64"' "$work/out" || fail "a target alone: $(cat "$work/out")"
    for target in foo riscv64-linux-gnu x86_64-foo x86_64-pc-windows-msvc aarch64-apple-darwin; do
        refuses 2 "target $target: .*; there are x86_64-linux-gnu, aarch64-linux-gnu" compile "$model" -o "$work/x.o" --target $target
    done
    refuses 2 "unknown CPU 'haswell' for target 'aarch64-linux-gnu'; known are: aarch64 " compile "$model" -o "$work/x.o" --target aarch64-linux-gnu --cpu haswell
    cat >"$work/rank.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { unknown_rank: true } } } }
node { name: 'y' op: 'MatMul' input: 'x' input: 'x' }
GRAPH
    for command in run inspect compile; do refuses 1 "rank of input 'x' is unknown; say the shape: --input 'x=DIMS'" $command "$work/rank.pbtxt" $([ $command != compile ] || echo -o "$work/x.o"); done
    accepts run "$work/rank.pbtxt" --input x=3,3
    ;;
together) # what a command writes appears all or not at all; places that cannot be written are said before the work begins
    mkdir "$work/folder" "$work/d"
    clean() { # nothing is left
        [ "$(cd "$work/d" && ls -A)" = "" ] || fail "'$*' leaves $(ls -A "$work/d")"
    }
    for bad in "$work/none/x.d" /dev/full "$work/folder"; do
        for kind in so o a s pb graph; do
            refuses 1 "cannot write $bad: " compile "$model" -o "$work/d/x.$kind" -MF "$bad"
            clean "$kind $bad"
        done
        refuses 1 "cannot write $bad: " explain "$model" --seconds 0.01 --html "$bad"
        [ ! -s "$work/out" ] || fail "explain prints what it could not write"
    done
    mkdir "$work/d/x.h"
    refuses 1 "cannot write $work/d/x.h: Is a directory" compile "$model" -o "$work/d/x.o"
    rmdir "$work/d/x.h"
    clean "a header"
    for kind in so o a s pb; do
        refuses 1 "cannot write $work/folder: Is a directory" compile "$model" --emit=asm -o "$work/folder"
        refuses 1 "cannot write $work/none/x.$kind: No such file" compile "$model" -o "$work/none/x.$kind"
        refuses 1 "cannot write $model/x.$kind: Not a directory" compile "$model" -o "$model/x.$kind"
        refuses 2 "two outputs would be $work/d/x.$kind" compile "$model" -o "$work/d/x.$kind" -MF "$work/d/x.$kind"
    done
    refuses 2 "two outputs would be" compile "$model" -o "$work/d/x.o" -MF "$work/d/x.h"
    refuses 2 "is the model itself" compile "$model" -o "$work/d/x.o" -MF "$model"
    clean "two outputs"
    refuses 1 "cannot make the folder $work/none/x: No such file" run "$model" --save "$work/none/x"
    refuses 1 "cannot make the folder /dev/null: File exists" run "$model" --save /dev/null
    cat >"$work/g.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 4000 } } } } }
node { name: 'small' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 5 } } } }
node { name: 'large' op: 'Exp' input: 'x' }
GRAPH
    (trap '' XFSZ; ulimit -f 8; "$tfoptc" run "$work/g.pbtxt" --reference --output small --output large --save "$work/d" 2>"$work/err") && fail "a limit on files"
    grep -q "out_1.npy: File too large" "$work/err" || fail "message: $(cat "$work/err")"
    clean "--save"
    # the name may be as long as names are; two at once into one place leave one of them, whole; the umask counts
    name=$(printf '%0252d' 0)
    for kind in o so; do accepts compile "$model" -o "$work/d/$name.$kind" --name long; done
    rm "$work/d"/*
    "$tfoptc" compile "$model" -o "$work/d/x.so" &
    accepts compile "$model" -o "$work/d/x.so"
    wait $! || fail "the other one"
    accepts run "$work/d/x.so"
    [ "$(ls -A "$work/d")" = x.so ] || fail "besides: $(ls -A "$work/d")"
    (umask 027 && "$tfoptc" compile "$model" -o "$work/d/y.so" && "$tfoptc" compile "$model" -o "$work/d/y.o")
    [ "$(cd "$work/d" && stat -c %a y.so y.o y.h | tr '\n' ' ')" = "750 640 640 " ] || fail "modes: $(ls -l "$work/d")"
    ;;
others) # files of other kinds are named; a model from standard input; names that are no UTF-8, or long
    python=python3
    command -v $python >/dev/null || python=
    printf '\223NUMPY\001\000' >"$work/a.pb"
    refuses 1 "a.pb: this is a NumPy array" inspect "$work/a.pb"
    refuses 1 "this is a picture" run "$digits/images/5_3.png"
    refuses 1 "is an archive of objects" compile "$build/runtime/libtfopt.a" -o "$work/x.o"
    printf '\200\004\225aaa' >"$work/a.pkl"
    refuses 1 "is a Python pickle" inspect "$work/a.pkl"
    refuses 1 "is the index of a checkpoint" inspect "$source/test/models/frontend/saved_tf1/variables/variables.index"
    refuses 2 "name is empty" run ""
    refuses 2 "link $work/none.o: there is no such file" compile "$model" -o "$work/x.so" --link "$work/none.o"
    echo '["a"]' >"$work/t.json"
    refuses 1 "table nosuch: the graph has no lookup table of that name" run "$model" --table "nosuch=$work/t.json"
    (ulimit -v 6000000; refuses 1 "more than 2 GiB\|Cannot allocate" inspect /dev/zero) || exit 1
    # once from a pipe, however often it is compiled
    for words in inspect run verify "benchmark --seconds 0.01" "explain --seconds 0.01 --gains" "compile -o $work/p.so -MF $work/p.d" "optimize -o $work/p.pb"; do
        # shellcheck disable=SC2086
        cat "$model" | accepts $words - || exit 1
    done
    # pipes with names: what they hold comes only once
    accepts compile "$model" -o "$work/d.so"
    mkfifo "$work/pipe"
    for words in "inspect $work/pipe" "run $work/pipe --seed 1" "verify $work/pipe" "compile $work/pipe -o $work/p.so" "run $model --input image=$work/pipe" "run $work/d.so --input image=$work/pipe"; do
        case $words in *image=*) cat "$images" >"$work/pipe" & ;; *) cat "$model" >"$work/pipe" & ;; esac
        # shellcheck disable=SC2086
        timeout 20 "$tfoptc" $words >"$work/out" 2>"$work/err" || fail "$words: $(cat "$work/err")"
        wait
    done
    cat "$work/d.so" >"$work/pipe" &
    refuses 1 "a compiled model is read from a file, not from a pipe" run "$work/pipe"
    wait
    # a picture of a few bytes that promises 10 giga-pixels, as TensorFlow refuses it; libpng says nothing by itself
    printf '\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\001\206\240\000\001\206\240\010\002\000\000\000\047\060\234\237\000\000\000\011\111\104\101\124\170\234\143\000\000\000\001\000\001\136\377\175\371\000\000\000\000\111\105\116\104\256\102\140\202' >"$work/huge.png"
    (ulimit -v 4000000; refuses 1 "PNG size too large for int" run "$work/d.so" --input "image=$work/huge.png") || exit 1
    head -c 60 "$digits/images/5_3.png" >"$work/cut.png"
    refuses 1 "Invalid PNG data" run "$work/d.so" --input "image=$work/cut.png"
    grep -q "libpng" "$work/err" && fail "libpng: $(cat "$work/err")"
    # one array is not the value of several inputs
    cat >"$work/two.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'y' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'z' op: 'Mul' input: 'x' input: 'y' attr { key: 'T' value { type: DT_FLOAT } } }
GRAPH
    echo '[1, 2]' >"$work/one.json"
    accepts compile "$work/two.pbtxt" -o "$work/two"
    refuses 1 "one.json holds one array, the model has several inputs: --input NAME=" run "$work/two.pbtxt" --input "$work/one.json"
    "$work/two" --input "$work/one.json" 2>"$work/err" && fail "one array for two inputs of a program"
    grep -q "holds one array, the model has several inputs" "$work/err" || fail "a program says: $(cat "$work/err")"
    accepts run "$work/two.pbtxt" --input "$work/one.json" --input "y=$work/one.json"
    if [ -n "$python" ] && $python -c "import numpy" 2>/dev/null || { python=/usr/bin/python3; $python -c "import numpy" 2>/dev/null; }; then
        $python -c "import numpy; a = numpy.ones(2, numpy.float32); numpy.savez('$work/x.npz', x=a); numpy.savez('$work/xy.npz', x=a, y=a)"
        refuses 1 "x.npz has no array 'y'; its entries are x.npy" run "$work/two.pbtxt" --input "$work/x.npz"
        "$work/two" --input "$work/x.npz" 2>"$work/err" && fail "x for y"
        accepts run "$work/two.pbtxt" --input "$work/xy.npz"
        "$work/two" --input "$work/xy.npz" >"$work/out" || fail "xy.npz"
        "$work/two" --input "$work/x.npz" --input "y=$work/x.npz" >"$work/out" || fail "x.npz twice"
    fi
    python=python3
    command -v $python >/dev/null || python=
    # numbers: as large as they are; what JSON has no number for, and back
    cat >"$work/u.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT64 } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'f' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'u' op: 'Cast' input: 'x' attr { key: 'SrcT' value { type: DT_INT64 } } attr { key: 'DstT' value { type: DT_UINT64 } } }
node { name: 'i' op: 'Identity' input: 'x' attr { key: 'T' value { type: DT_INT64 } } }
node { name: 'g' op: 'Neg' input: 'f' attr { key: 'T' value { type: DT_FLOAT } } }
GRAPH
    echo '[-1, 9007199254740993]' >"$work/x.json"
    echo '[-1, 9007199254740992]' >"$work/y.json"
    echo '["NaN", 1, "-Infinity", "Infinity"]' >"$work/f.json"
    accepts run "$work/u.pbtxt" --input "x=$work/x.json" --input "f=$work/f.json" --save "$work/u"
    accepts run "$work/u.pbtxt" --input "x=$work/x.json" --input "f=$work/f.json"
    [ "$(cat "$work/out")" = "$(printf 'u uint64[2] 18446744073709551615 9007199254740993\ni int64[2] -1 9007199254740993\ng float32[4] nan -1 inf -inf')" ] || fail "numbers: $(cat "$work/out")"
    "$tfoptc" verify "$work/u.pbtxt" --input "x=$work/y.json" --input "f=$work/f.json" --expect "i=$work/u/out_1.npy" >"$work/out"
    grep -q "at \[1\]: 9007199254740992, expected 9007199254740993" "$work/out" || fail "a difference of one: $(cat "$work/out")"
    : >"$work/empty.json"
    refuses 1 "empty.json is empty" run "$work/u.pbtxt" --input "x=$work/empty.json"
    printf '\223NUMPY\011\000\000\000\000\000' >"$work/nine.npy"
    refuses 1 "nine.npy is no .npy file" run "$work/u.pbtxt" --input "x=$work/nine.npy"
    # names that are for terminals, for HTML, for JSON, or no UTF-8: shown with nothing that acts, kept where it counts
    cat >"$work/names.pbtxt" <<GRAPH
versions { producer: 1000 }
node { name: 'x<script>' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 64 } dim { size: 64 } } } } }
node { name: 'y' op: 'MatMul' input: 'x<script>' input: 'x<script>' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'z\\033[31m<i>"&' op: 'Softmax' input: 'y' attr { key: 'T' value { type: DT_FLOAT } } }
GRAPH
    accepts compile "$work/names.pbtxt" -o "$work/names.so"
    for words in "inspect $work/names.pbtxt -v" "inspect $work/names.so" "run $work/names.so --seed 1" "verify $work/names.pbtxt --layers" "explain $work/names.pbtxt --seconds 0.01 --html $work/names.html"; do
        # shellcheck disable=SC2086
        accepts $words
        grep -q "$(printf '\033')" "$work/out" && fail "$words prints an escape: $(cat -v "$work/out")"
        case $words in run* | inspect* | verify*) grep -q 'z?\[31m<i>"&' "$work/out" || fail "$words: $(cat "$work/out")" ;; esac
    done
    grep -q '<script>' "$work/names.html" && fail "HTML"
    refuses 1 "no input, node or tensor 'z?\[31'" run "$work/names.pbtxt" --input "$(printf 'z\033[31')=2"
    # without an environment; with other tools, and ones that are not there
    env -i "$tfoptc" compile "$model" -o "$work/e.so" 2>"$work/err" || fail "no environment: $(cat "$work/err")"
    for words in "CC=$work/none compile $model -o $work/e.so" "AR=$work/none compile $model -o $work/e.a"; do
        # shellcheck disable=SC2086
        env "${words%% *}" "$tfoptc" ${words#* } 2>"$work/err" && fail "$words"
        grep -q "cannot run '$work/none': No such file or directory (it is needed to link; \$CC and \$AR name others)" "$work/err" || fail "$words: $(cat "$work/err")"
    done
    # columns are as wide as the names are, by letters
    cat >"$work/long.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'a_name/as/they/are/in/models/of/many/scopes/input' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'näme/ünï' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 2 } } } } }
node { name: 'a' op: 'Exp' input: 'a_name/as/they/are/in/models/of/many/scopes/input' }
node { name: 'b' op: 'Exp' input: 'näme/ünï' }
GRAPH
    accepts compile "$work/long.pbtxt" --batch 2-9 -o "$work/long.so"
    for of in "$work/long.pbtxt" "$work/long.so"; do
        accepts inspect "$of"
        grep -q '^inputs   a_name/as/they/are/in/models/of/many/scopes/input float32\[' "$work/out" || fail "$of: $(cat "$work/out")"
        grep -q '^         näme/ünï                                          float32\[2\]$' "$work/out" || fail "$of: $(cat "$work/out")"
    done
    grep -q 'float32\[batch=2-9\]' "$work/out" || fail "bounds: $(cat "$work/out")"
    [ -n "$python" ] || { echo "ok others, but for JSON: no python3"; exit 0; }
    bad=$(printf 'no\377.pb')
    for words in "$work/$bad" "$model --output $bad"; do
        # shellcheck disable=SC2086
        "$tfoptc" run $words --json >"$work/out" 2>/dev/null
        $python -c "import json; m = json.load(open('$work/out'))['messages'][0]; assert m['exit'] == 1 and 'no\ufffd.pb' in m['message']" || fail "$words: $(cat "$work/out")"
    done
    accepts inspect "$work/long.so" --json
    $python -c "import json; assert json.load(open('$work/out'))['inputs'][0]['shape'] == ['batch']" || fail "names of sizes: $(cat "$work/out")"
    ;;
inside) # nodes inside of functions, by the names that are printed; of loops, branches and ambiguous ones none
    cat >"$work/g.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'yes' op: 'Placeholder' attr { key: 'dtype' value { type: DT_BOOL } } attr { key: 'shape' value { shape { } } } }
node { name: 'call' op: 'StatefulPartitionedCall' input: 'x' attr { key: 'f' value { func { name: 'outer' } } } attr { key: 'Tin' value { list { type: DT_FLOAT } } } attr { key: 'Tout' value { list { type: DT_FLOAT } } } }
node { name: 'twice' op: 'other' input: 'call' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'again' op: 'other' input: 'twice' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'branch' op: 'StatelessIf' input: 'yes' input: 'again' attr { key: 'Tcond' value { type: DT_BOOL } } attr { key: 'Tin' value { list { type: DT_FLOAT } } } attr { key: 'Tout' value { list { type: DT_FLOAT } } } attr { key: 'then_branch' value { func { name: 'half' } } } attr { key: 'else_branch' value { func { name: 'other' } } } }
library {
  function { signature { name: 'outer' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'r' type: DT_FLOAT } }
    node_def { name: 'scope/exp' op: 'Exp' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }
    node_def { name: 'in' op: 'PartitionedCall' input: 'scope/exp:y:0' attr { key: 'f' value { func { name: 'inner' } } } attr { key: 'Tin' value { list { type: DT_FLOAT } } } attr { key: 'Tout' value { list { type: DT_FLOAT } } } }
    node_def { name: 'end' op: 'Neg' input: 'in:output:0' attr { key: 'T' value { type: DT_FLOAT } } }
    ret { key: 'r' value: 'end:y:0' } }
  function { signature { name: 'inner' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'r' type: DT_FLOAT } }
    node_def { name: 'deep' op: 'Square' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }
    node_def { name: 'same' op: 'Abs' input: 'deep:y:0' attr { key: 'T' value { type: DT_FLOAT } } }
    ret { key: 'r' value: 'same:y:0' } }
  function { signature { name: 'other' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'r' type: DT_FLOAT } }
    node_def { name: 'same' op: 'Neg' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }
    ret { key: 'r' value: 'same:y:0' } }
  function { signature { name: 'half' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'r' type: DT_FLOAT } }
    node_def { name: 'only' op: 'Sqrt' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }
    ret { key: 'r' value: 'only:y:0' } }
}
GRAPH
    echo '[1, 0]' >"$work/x.json"
    echo '[3, 2]' >"$work/three.json"
    for how in "" --reference; do
        for none in scalar "" "[]"; do # dims, joined by commas
            # shellcheck disable=SC2086
            accepts run "$work/g.pbtxt" $how --input "x=$work/x.json" --input "yes=$none" --output call --output deep --output outer/scope/exp --output inner/same:0
        done
        [ "$(cut -d. -f1 "$work/out")" = "$(printf 'call float32[2] -7\ndeep float32[2] 7\nouter/scope/exp float32[2] 2\ninner/same:0 float32[2] 7\n')" ] || fail "outputs $how: $(cat "$work/out")"
        # shellcheck disable=SC2086
        accepts run "$work/g.pbtxt" $how --input "deep=$work/three.json" --output twice --output call
        [ "$(cat "$work/out")" = "$(printf 'twice float32[2] 3 2\ncall float32[2] -3 -2')" ] || fail "an input $how: $(cat "$work/out")"
    done
    accepts compile "$work/g.pbtxt" -o "$work/g.so" --input deep=-1 --output call
    accepts run "$work/g.so" --input "deep=$work/three.json"
    accepts optimize "$work/g.pbtxt" -o "$work/g.pb" --input deep=-1 --output call
    accepts verify "$work/g.pbtxt" --output deep --layers
    refuses 1 "'same' is in several functions: write 'other/same' or 'inner/same'" run "$work/g.pbtxt" --output same
    refuses 1 "'other/same' is not one tensor: function 'other' is called several times" run "$work/g.pbtxt" --output other/same
    refuses 1 "'only' is inside of function 'half', a loop, a branch" run "$work/g.pbtxt" --output only
    refuses 1 "'only' is inside of function 'half', a loop, a branch" run "$work/g.pbtxt" --input only=2
    refuses 1 "no output, node or tensor 'scope/exq'; did you mean 'scope/exp'" run "$work/g.pbtxt" --output scope/exq
    accepts verify "$digits/saved_model" --layers
    name=$(sed -n '2s/ .*//p' "$work/out")
    accepts verify "$digits/saved_model" --output "$name"
    ;;
follow) # sizes that the graph proves: a batch that is said for one input, joined with another
    cat >"$work/g.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'picture' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: -1 } } } } }
node { name: 'meta' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } } }
node { name: 'free' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 6 } } } } }
node { name: 'w' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 4 } dim { size: 3 } } float_val: 5 } } } }
node { name: 'one' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 } } } }
node { name: 'p' op: 'MatMul' input: 'picture' input: 'w' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'both' op: 'ConcatV2' input: 'p' input: 'meta' input: 'one' attr { key: 'T' value { type: DT_FLOAT } } attr { key: 'N' value { i: 2 } } }
node { name: 'sum' op: 'AddV2' input: 'both' input: 'free' attr { key: 'T' value { type: DT_FLOAT } } }
GRAPH
    shapes() { # TEXT: the shapes of the inputs
        [ "$(sed -n 's/.*float32/float32/p' "$work/out" | head -3 | tr '\n' ' ')" = "$1" ] || fail "$1: $(cat "$work/out")"
    }
    accepts inspect "$work/g.pbtxt"
    shapes "float32[s0,4] float32[s0,3] float32[s3,6] "
    accepts inspect "$work/g.pbtxt" --input picture=2,-1
    shapes "float32[2,4] float32[2,3] float32[s2,6] " # what may broadcast stays free
    accepts inspect "$work/g.pbtxt" --input meta=n,3
    shapes "float32[s0,4] float32[n,3] float32[s3,6] " # named sizes keep their names
    accepts inspect "$work/g.pbtxt" --input picture=2,4 -v
    grep -q "node 'both': dimension 0 of input 'meta' must be 2" "$work/err" || fail "no note: $(cat "$work/err")"
    for how in "" --reference; do
        # shellcheck disable=SC2086
        accepts run "$work/g.pbtxt" $how
        # shellcheck disable=SC2086
        accepts run "$work/g.pbtxt" $how --input picture=2,4
        grep -q '^sum float32\[2,6\]' "$work/out" || fail "run: $(cat "$work/out")"
    done
    accepts verify "$work/g.pbtxt" --input picture=2,4
    accepts compile "$work/g.pbtxt" -o "$work/g.so" --input meta=3,3
    accepts run "$work/g.so"
    accepts inspect "$work/g.pbtxt" --input picture=2,4 --batch 2
    refuses 1 "dimension 0 of input 'meta' .* must be 2 here, other sizes than that are asked for" run "$work/g.pbtxt" --input picture=2,4 --batch 1-8
    refuses 1 "must be 4 here" run "$work/g.pbtxt" --dim s1=3-5
    # of a compiled model: what is wrong is said of what was given
    accepts compile "$work/g.pbtxt" -o "$work/g.so"
    printf '[[1, 2, 3], [4, 5, 6]]' >"$work/meta.json"
    refuses 2 "dimension 0 of input 'meta' is 2 in $work/meta.json" run "$work/g.so" --input "meta=$work/meta.json" --batch 4
    grep -q "'picture'" "$work/err" && fail "an input that was not given: $(cat "$work/err")"
    true
    ;;
expected) # verify against files that are wrong
    accepts compile "$model" -o "$work/d.so"
    for of in "$model" "$work/d.so"; do # values of another type, of another shape, others
        refuses 1 "holds int64\|holds uint8\|holds int32" verify "$of" --input "image=$images" --expect "Identity=$digits/test_labels.npy"
        refuses 4 "" verify "$of" --input "image=$images" --expect "Identity=$images"
        grep -q "^Identity .* FAIL  float32\[64,10\], expected float32\[64,8,8,1\]$" "$work/out" || fail "verify: $(cat "$work/out")"
        grep -q "the first" "$work/out" && fail "layers were not asked for: $(cat "$work/out")"
        accepts run "$of" --input "image=$images" --save "$work/right" -q
        accepts verify "$of" --input "image=$images" --expect "Identity=$work/right/out_0.npy"
        refuses 4 "" verify "$of" --batch 64 --seed 3 --expect "Identity=$work/right/out_0.npy"
        grep -q "^Identity .* FAIL  max difference" "$work/out" || fail "verify: $(cat "$work/out")"
    done
    refuses 4 "" verify "$model" --layers --rtol 0
    grep -q "^the first that differs: [a-zA-Z]" "$work/out" || fail "--layers: $(cat "$work/out")"
    ;;
made) # run says which values it made up, and verify where files are the measure; nowhere else
    accepts compile "$model" -o "$work/d.so"
    for of in "$model" "$work/d.so"; do
        for how in "" "--batch 2" "--json" "--save $work/saved"; do
            # shellcheck disable=SC2086
            accepts run "$of" $how
            grep -q "warning: values are made up for what is not given: 'image' float32\[[12],8,8,1\]; give them with --input NAME=FILE" "$work/err" || fail "run $how: $(cat "$work/err")"
        done
        grep -q . "$work/out" && fail "run --save prints: $(cat "$work/out")"
        accepts run "$of" --json
        grep -q '"level": "warning"' "$work/out" || fail "--json: $(cat "$work/out")"
        for how in -q "--seed 3" "--input image=2,8,8,1" "--input image=$images"; do
            # shellcheck disable=SC2086
            accepts run "$of" $how
            [ ! -s "$work/err" ] || fail "run $how says: $(cat "$work/err")"
        done
        accepts benchmark "$of" --seconds 0.01
        [ ! -s "$work/err" ] || fail "benchmark says: $(cat "$work/err")"
    done
    accepts verify "$model" --expect "Identity=$work/saved/out_0.npy"
    grep -q "values are made up" "$work/err" || fail "verify --expect: $(cat "$work/err")"
    accepts verify "$model"
    [ ! -s "$work/err" ] || fail "verify says: $(cat "$work/err")"
    ;;
memory) # no memory left, wherever that is: an end like others, nothing left
    mkdir "$work/tmp" "$work/out.d"
    ended=0
    for kib in 385000 390000 395000 400000 405000 410000 420000 440000 470000 500000; do
        (ulimit -v $kib; TMPDIR=$work/tmp timeout 60 "$tfoptc" compile "$digits/saved_model" -o "$work/out.d/d.o" --json >"$work/out" 2>"$work/err")
        got=$?
        grep -q "pthread_create failed\|shared libraries\|Sanitizer" "$work/err" && continue # before our first word
        [ $got -le 1 ] || fail "$kib KiB: exit $got: $(cat "$work/err")"
        [ -z "$(ls -A "$work/tmp")" ] || fail "$kib KiB leaves $(ls -A "$work/tmp")"
        if [ $got -eq 1 ]; then
            ended=$((ended + 1))
            grep -q "tfoptc: out of memory\|annot allocate\|no memory" "$work/err" || fail "$kib KiB says: $(cat "$work/err")"
            [ "$(wc -l <"$work/err")" -lt 5 ] || fail "$kib KiB says a lot: $(head "$work/err")"
            grep -q '"exit": 1' "$work/out" || fail "$kib KiB, --json: $(cat "$work/out")"
            [ -z "$(ls -A "$work/out.d")" ] || fail "$kib KiB leaves $(ls -A "$work/out.d")"
        fi
        rm -f "$work/out.d"/*
    done
    echo "$ended times without memory"
    ;;
sizes) # what is asked of unknown sizes, by the names that inspect shows; ids stay inside their table
    cat >"$work/g.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } } }
node { name: 'y' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } dim { size: -1 } } } } }
node { name: 'ids' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'shape' value { shape { dim { size: 40 } } } } }
node { name: 'table' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: 5 float_val: 6 float_val: 7 } } } }
node { name: 'zero' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 } } } }
node { name: 'a' op: 'Exp' input: 'x' }
node { name: 'b' op: 'Exp' input: 'y' }
node { name: 'rows' op: 'GatherV2' input: 'table' input: 'ids' input: 'zero' attr { key: 'Tindices' value { type: DT_INT32 } } }
GRAPH
    accepts inspect "$work/g.pbtxt"
    grep -q 'float32\[s1,s2\]' "$work/out" || fail "names: $(cat "$work/out")"
    accepts inspect "$work/g.pbtxt" --dim s0=4 --dim s2=7
    grep -q ' x .*float32\[4,3\]' "$work/out" && grep -q ' y .*float32\[s1,7\]' "$work/out" || fail "--dim: $(cat "$work/out")"
    refuses 1 "no unknown dimension of an input has this name; the unknown ones are s0 of 'x', s1 of 'y'" inspect "$work/g.pbtxt" --dim nosuch=4
    accepts run "$work/g.pbtxt" --batch 5
    grep -q '^a float32\[5,3\]' "$work/out" && grep -q '^b float32\[5,1\]' "$work/out" || fail "--batch: $(cat "$work/out")"
    accepts compile "$work/g.pbtxt" -o "$work/g.so" --dim s1=2-8
    for of in "$work/g.pbtxt" "$work/g.so"; do
        accepts run "$of" --dim s0=4 --dim s2=7 --dim s1=3
        grep -q '^a float32\[4,3\]' "$work/out" && grep -q '^b float32\[3,7\]' "$work/out" || fail "run --dim: $(cat "$work/out")"
        grep -q '^rows float32\[40\]' "$work/out" || fail "ids: $(cat "$work/out")"
        for n in 1 2 3 4 5; do accepts run "$of" --seed $n; done
        for range in x 3-1 , '' 1x -1; do refuses 2 "is no range\|wants" run "$of" "--batch=$range"; done
        for range in x 3-1 , 1x -1; do refuses 2 "--dim s0: .* is no range" run "$of" --dim s0=$range; done
        refuses 2 "at least one member" run "$of" --batch 0
        refuses 2 "write NAME=MIN-MAX" run "$of" --dim s0
        refuses 2 "write NAME=MIN-MAX" run "$of" --dim =3
        refuses 2 "another --dim for this size" run "$of" --dim s0=3 --dim s0=4
        refuses 1 "nosuch: .* s0.* s1" run "$of" --dim nosuch=4
        refuses 2 "given twice" run "$of" --input x=3,3 --input x=4,3
        refuses 2 "one file for all inputs" run "$of" --input "$images" --input "$images"
    done
    # through arithmetic: (id / 2) in a table of 4, (id + 1) * 3 in one of 9
    cat >"$work/shards.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'i' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'shape' value { shape { dim { size: 60 } } } } }
node { name: 'k' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'shape' value { shape { dim { size: 60 } } } } }
node { name: 'four' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 4 } } float_val: 1 } } } }
node { name: 'nine' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 9 } } float_val: 1 } } } }
node { name: 'one' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 } } } }
node { name: 'two' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 2 } } } }
node { name: 'three' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 3 } } } }
node { name: 'zero' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 } } } }
node { name: 'half' op: 'FloorDiv' input: 'i' input: 'two' attr { key: 'T' value { type: DT_INT32 } } }
node { name: 'next' op: 'AddV2' input: 'k' input: 'one' attr { key: 'T' value { type: DT_INT32 } } }
node { name: 'times' op: 'Mul' input: 'next' input: 'three' attr { key: 'T' value { type: DT_INT32 } } }
node { name: 'a' op: 'GatherV2' input: 'four' input: 'half' input: 'zero' attr { key: 'Tindices' value { type: DT_INT32 } } }
node { name: 'b' op: 'GatherV2' input: 'nine' input: 'times' input: 'zero' attr { key: 'Tindices' value { type: DT_INT32 } } }
GRAPH
    accepts run "$work/shards.pbtxt" --reference --output a --output b --output half
    grep -q '^half .*3' "$work/out" || fail "not all of the table: $(cat "$work/out")"
    accepts run "$work/shards.pbtxt" --output a --output b
    # a size that TensorFlow's 32 bits do not hold is said to be that
    cat >"$work/wraps.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'n' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT64 } } attr { key: 'shape' value { shape { dim { size: 1 } } } } }
node { name: 'short' op: 'Cast' input: 'n' attr { key: 'SrcT' value { type: DT_INT64 } } attr { key: 'DstT' value { type: DT_INT32 } } }
node { name: 'one' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 1 } } } }
node { name: 'y' op: 'Fill' input: 'short' input: 'one' attr { key: 'index_type' value { type: DT_INT32 } } }
GRAPH
    echo '[4294967303]' >"$work/n.json"
    for how in "" --reference; do
        refuses 1 "node 'y'.*arithmetic on sizes gives 4294967303, which 32 bits do not hold" run "$work/wraps.pbtxt" --input n="$work/n.json" $how
    done
    refuses 2 "compiled for 2 to 8" run "$work/g.so" --dim s1=16
    refuses 2 "compiled for 2 to 8" run "$work/g.so" --batch 16
    refuses 2 "dimension 0 of input 'x' is 5 in --input" run "$work/g.so" --dim s0=4 --input x=5,3
    accepts compile "$model" -o "$work/d.so"
    refuses 2 "dimension 0 of input 'image' is 64 in " run "$work/d.so" --batch 4 --input "image=$images"
    accepts run "$work/d.so" --batch 4-64 --input "image=$images"
    refuses 2 "fixed first dimension\|fixed sizes\|no input has" run "$digits/graph.pb" --input image=2,8,8,1 --batch 3
    ;;
inputs) # --input says more of an input, or makes a tensor inside an input; it drops none of the others that are needed
    cat >"$work/g.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: -1 } } } } }
node { name: 'y' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 2 } } } } }
node { name: 'z' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 2 } } } } }
node { name: 'sum' op: 'AddV2' input: 'x' input: 'y' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'out' op: 'Mul' input: 'sum' input: 'z' }
node { name: 'odd' op: 'NoSuchOp' input: 'x' }
GRAPH
    order() { # NAMES WORDS…: the inputs are these, in this order
        want=$1
        shift
        accepts inspect "$work/g.pbtxt" --output out "$@"
        got=$(sed -n '/^inputs/,/^outputs/{/^outputs/d;s/^inputs//;p}' "$work/out" | awk '{printf "%s ", $1}')
        [ "$got" = "$want " ] || fail "'$*': inputs are $got"
    }
    order "x y z"
    order "x y z" --input x=2
    order "x y z:0" --input z:0
    order "x y z" --input y --input x=2
    order "z x y" --input z --input x=2 --input y
    order "z sum" --input sum=2
    order "sum z" --input sum=2 --input z
    order "y z x" --input y --input z --input x=2 --input x:float32
    echo '[3, 5]' >"$work/y.json"
    accepts run "$work/g.pbtxt" --output out --output y --input "y=$work/y.json" --input x=2
    grep -q '^y float32\[2\] 3 5' "$work/out" || fail "the value of y: $(cat "$work/out")"
    accepts run "$digits/saved_model" --input serving_default_image:0="$images"
    # what is mistyped is named, and nothing of what the graph has besides
    for command in inspect run verify explain benchmark "compile -o $work/x.o" "optimize -o $work/x.pb"; do
        # shellcheck disable=SC2086
        refuses 1 "no output, node or tensor 'oot'; did you mean 'out'" $command "$work/g.pbtxt" --output oot
        # shellcheck disable=SC2086
        refuses 1 "no input, node or tensor 'summ'; did you mean 'sum'" $command "$work/g.pbtxt" --output out --input summ=2
    done
    refuses 1 "no input, node or tensor 'nosuch'; the model's inputs are 'x', 'y', 'z'" run "$work/g.pbtxt" --output out --input nosuch
    refuses 1 "no output, node or tensor 'nosuch'; the model's outputs are 'out', 'odd'" run "$work/g.pbtxt" --output nosuch
    refuses 1 "has no output 7; it has 1" run "$work/g.pbtxt" --output out:7
    refuses 1 "one tensor, 'x:0'" run "$work/g.pbtxt" --output out --input x:7=2
    for name in :0 out:-1 ^out out: ''; do refuses "[12]" "no output, node or tensor\|wants" run "$work/g.pbtxt" "--output=$name"; done
    for name in :0=2 =2 x:-1=2 x:floot; do refuses "[12]" "no input, node or tensor\|is no dtype\|name is missing" run "$work/g.pbtxt" --output out "--input=$name"; done
    refuses 2 "given twice" run "$work/g.pbtxt" --output out --input x=2 --input x:0=3
    for dims in -5,2 "a b,2" 2,,3 2, 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1; do
        for command in run "compile -o $work/x.o"; do
            # shellcheck disable=SC2086
            refuses 2 "is no list of sizes" $command "$model" --input "image=$dims"
        done
    done
    refuses 1 "there is no file $work/none.npy" compile "$model" -o "$work/x.o" --input "image=$work/none.npy"
    ;;
*) fail "unknown case '$case'" ;;
esac
echo "ok $case"
