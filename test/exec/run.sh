#!/bin/sh
# run.sh BUILD SOURCE CASE: compiles the digits network to artefacts of every kind and runs them from C programs.
build=$1 source=$2 case=$3
tfoptc=$build/tfoptc
model=$source/test/models/digits/graph.pb
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc}
include="-I$source/runtime/include"
runtime="$build/runtime/libtfopt.a -lm -lpthread -ldl"
[ -f "$build/runtime/libtfopt.a" ] || { echo "no libtfopt.a"; exit 1; }

fail() {
    echo "FAILED: $*"
    exit 1
}
compile() { # OUT OPTIONS…
    out=$1
    shift
    "$tfoptc" compile "$model" --name digits -o "$out" "$@" || fail "compile $out $*"
}
build_host() { # OUT FLAGS… LIBRARIES
    out=$1
    shift
    # shellcheck disable=SC2086
    $cc -O1 $include "$source/test/exec/host.c" "$@" $runtime -o "$out" || fail "building $out"
}
same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

case $case in
kinds) # every kind of artefact gives the same outputs
    for kind in so o a; do compile "$work/digits.$kind" --threads 0; done
    compile "$work/digits" --threads 0
    build_host "$work/host"
    build_host "$work/host_o" -DLINKED_MODEL=digits "$work/digits.o"
    build_host "$work/host_a" -DLINKED_MODEL=digits "$work/digits.a"
    "$work/host" "$work/digits.so" >"$work/so.txt" || fail "host with .so"
    "$work/host_o" >"$work/o.txt" || fail "host with .o"
    "$work/host_a" >"$work/a.txt" || fail "host with .a"
    [ -s "$work/so.txt" ] || fail "no output"
    same "$work/so.txt" "$work/o.txt"
    same "$work/so.txt" "$work/a.txt"
    "$work/digits" --help | grep -q output || fail "executable --help"
    "$work/digits" --benchmark 0.1 | grep -q median || fail "executable --benchmark"
    "$tfoptc" run "$work/digits.so" --input "image=$source/test/models/digits/test_images.npy" --save "$work" >/dev/null || fail "tfoptc run"
    mkdir "$work/exe"
    "$work/digits" --input "image=$source/test/models/digits/test_images.npy" --save "$work/exe" >/dev/null || fail "executable"
    same "$work/out_0.npy" "$work/exe/out_0.npy"
    # only what the model needs is exported, and the C header compiles as C++ too
    nm -D --defined-only "$work/digits.so" | grep -v -e ' tfopt_model_data$' -e ' digits_model_data$' && fail "exports"
    echo '#include "digits.h"' >"$work/h.cpp"
    ! command -v c++ >/dev/null || c++ -Wall -Wextra -Werror -I"$work" "$include" -c "$work/h.cpp" -o "$work/h.o" || fail "header as C++"
    ;;
twice) # two compiles give the same bytes, from different folders and to different names
    odd="$work/else \"where\""
    mkdir "$work/a" "$odd"
    for kind in so o a; do
        compile "$work/a/x.$kind" --cpu x86-64-v3,x86-64-v2 --target x86_64-pc-linux-gnu
        (cd "$odd" && TMPDIR=$odd compile "y.$kind" --cpu x86-64-v3,x86-64-v2 --target x86_64-pc-linux-gnu)
        same "$work/a/x.$kind" "$odd/y.$kind"
    done
    grep -q "$work" "$work/a/x.so" && fail "a temporary path in the artefact"
    ;;
quiet) # run allocates nothing and calls no system at --threads 0; any number of threads gives the same bits
    compile "$work/digits.so" --threads 0
    compile "$work/threads.so" --threads 4
    build_host "$work/host"
    "$work/host" "$work/digits.so" --quiet-run >"$work/0.txt" || fail "allocations"
    "$work/host" "$work/digits.so" --strict | grep -q "no system call" || fail "a system call in run"
    for n in 1 2 3 4 7; do
        "$work/host" "$work/threads.so" --threads $n >"$work/n.txt" || fail "$n threads"
        same "$work/0.txt" "$work/n.txt"
    done
    ;;
guard) # nothing is read or written beyond inputs and outputs, for any instruction set of this machine
    build_host "$work/host"
    for cpu in x86-64-v2 x86-64-v3 native; do
        compile "$work/digits.so" --threads 0 --cpu $cpu
        "$work/host" "$work/digits.so" >"$work/free.txt" || fail "run"
        "$work/host" "$work/digits.so" --guard >"$work/end.txt" || fail "$cpu: something beyond the end is touched"
        "$work/host" "$work/digits.so" --guard --guard >"$work/start.txt" || fail "$cpu: something before the start is touched"
        same "$work/free.txt" "$work/end.txt"
        same "$work/free.txt" "$work/start.txt"
    done
    ;;
isas) # several instruction sets in one artefact; a processor that lacks them gets an error, not a crash
    compile "$work/new.so" --cpu x86-64-v3 --threads 0
    compile "$work/both.so" --cpu x86-64-v2,x86-64-v3 --threads 0
    build_host "$work/host"
    if grep -q avx2 /proc/cpuinfo; then
        "$work/host" "$work/both.so" 2>&1 >/dev/null | grep -q 'isa x86-64-v3' || fail "the better one is not chosen"
    fi
    command -v qemu-x86_64 >/dev/null || { echo "qemu-x86_64 is not installed: no old processor to try"; exit 77; }
    qemu-x86_64 -cpu Nehalem "$work/host" "$work/new.so" >"$work/out.txt" 2>&1
    [ $? -eq 14 ] || fail "no WRONG_CPU: $(cat "$work/out.txt")"
    grep -q "x86-64-v3.*lacks avx2" "$work/out.txt" || fail "an unclear message: $(cat "$work/out.txt")"
    qemu-x86_64 -cpu Nehalem "$work/host" "$work/both.so" >"$work/old.txt" 2>"$work/err.txt" || fail "v2 on Nehalem: $(cat "$work/err.txt")"
    grep -q 'isa x86-64-v2' "$work/err.txt" || fail "v2 was not chosen"
    ;;
aarch64) # cross-compiled, run under qemu
    command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null || { echo "no aarch64 cross tools"; exit 77; }
    launcher=
    ! command -v ccache >/dev/null || launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
    cmake -S "$source" -B "$work/cross" -G Ninja --toolchain "$source/cmake/aarch64-linux-gnu.cmake" -DCMAKE_BUILD_TYPE=Release $launcher >"$work/log" 2>&1 || fail "configuring: $(cat "$work/log")"
    ninja -C "$work/cross" >"$work/log" 2>&1 || fail "cross-building: $(tail -20 "$work/log")"
    TFOPT_RUNTIME=$work/cross/runtime compile "$work/digits.so" --cpu aarch64 --target aarch64-linux-gnu --threads 0
    compile "$work/here.so" --threads 0
    aarch64-linux-gnu-gcc -O1 $include "$source/test/exec/host.c" "$work/cross/runtime/libtfopt.a" -lm -lpthread -ldl -o "$work/host" || fail "cross-building the host"
    build_host "$work/host_here"
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/host" "$work/digits.so" >"$work/arm.txt" || fail "run under qemu"
    "$work/host_here" "$work/here.so" --expect "$work/arm.txt" >/dev/null || fail "aarch64 and this machine differ"
    ;;
inputs) # arrays of an .npz by name or all at once, pictures, and mistakes with them
    digits=$source/test/models/digits
    values="--input image=$digits/test_images.npy"
    "$tfoptc" compile "$model" --threads 0 -o "$work/digits.so" || fail "compile"
    "$tfoptc" run "$work/digits.so" $values --save "$work/npy" >/dev/null || fail ".npy"
    python=python3
    python3 -c "import numpy" 2>/dev/null || python=/usr/bin/python3 # where Debian's numpy is
    $python -c "import numpy; x = numpy.load('$digits/test_images.npy'); numpy.savez('$work/stored.npz', image=x, other=x[:1]); numpy.savez_compressed('$work/packed.npz', image=x)" 2>/dev/null || { echo "no numpy"; exit 77; }
    for file in stored packed; do
        for values in "image=$work/$file.npz" "$work/$file.npz"; do
            "$tfoptc" run "$work/digits.so" --input "$values" --save "$work/npz" >/dev/null || fail "$values"
            same "$work/npy/out_0.npy" "$work/npz/out_0.npy"
        done
    done
    "$tfoptc" run "$work/digits.so" --input "$work/missing.npz" 2>/dev/null && fail "a missing file"
    head -c 300 "$work/stored.npz" >"$work/short.npz"
    "$tfoptc" run "$work/digits.so" --input "$work/short.npz" 2>"$work/err.txt" && fail "a truncated .npz"
    grep -q "short.npz is no .npz archive" "$work/err.txt" || fail "message: $(cat "$work/err.txt")"
    for picture in "$digits"/images/*.png; do # named <digit>_<number>.png
        best=$("$tfoptc" run "$work/digits.so" --input "image=$picture" | tr ' ' '\n' | tail -n +3 | cat -n | sort -g -k2 | tail -1 | awk '{print $1 - 1}')
        [ "$best" = "$(basename "$picture" | cut -c1)" ] || fail "$picture looks like $best"
    done
    "$tfoptc" run "$work/digits.so" --input "image=$picture" --image-size 9x9 2>"$work/err.txt" && fail "a size that does not fit"
    grep -q "image-size" "$work/err.txt" || fail "message: $(cat "$work/err.txt")"
    ;;
optimize) # the rewritten graph as a GraphDef: read again it gives the same answers, control flow included
    for graph in "$model" "$source"/test/models/frontend/*.pb; do
        name=$(basename "$(dirname "$graph")")_$(basename "$graph" .pb)
        "$tfoptc" run "$graph" --reference --save "$work/$name" >"$work/outputs" 2>"$work/err.txt" || fail "$name: $(cat "$work/err.txt")"
        "$tfoptc" optimize "$graph" -o "$work/$name.pb" || fail "optimize $name"
        "$tfoptc" run "$graph" --reference >"$work/outputs" || fail "$name"
        set --
        i=0
        while read -r output rest; do
            set -- "$@" --output "$output" --expect "$output=$(ls "$work/$name/out_$i".*)"
            i=$((i + 1))
        done <"$work/outputs"
        "$tfoptc" verify "$work/$name.pb" "$@" >"$work/log" 2>&1 || fail "$name: $(cat "$work/log")"
    done
    ;;
mistakes) # of the command line: a message and the exit code, and nothing is written
    refuses() { # CODE TEXT WORDS…
        code=$1 text=$2
        shift 2
        "$tfoptc" "$@" >"$work/out.txt" 2>"$work/err.txt"
        got=$?
        [ $got -eq "$code" ] || fail "'$*' exits $got: $(cat "$work/err.txt")"
        grep -q -e "$text" "$work/err.txt" || fail "'$*' says: $(cat "$work/err.txt")"
        [ ! -e "$work/x.o" ] || fail "'$*' leaves a file"
    }
    cp "$model" "$work/copy.pb"
    refuses 2 "no such file, nor a command" frobnicate
    refuses 1 "cannot open" "$work/none.pb" -o "$work/x.o"
    refuses 1 "no such file\|No such file" "$model" -o "$work/none/x.o"
    refuses 2 "what kind of file" "$model" -o "$work/x.xyz"
    cat >"$work/unknown.pbtxt" <<'GRAPH'
versions { producer: 1000 }
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' value { shape { dim { size: 4 } } } } }
node { name: 'a' op: 'FooBar' input: 'x' }
node { name: 'b' op: 'FFT7' input: 'a' }
node { name: 'c' op: 'PyFunc' input: 'b' attr { key: 'Tout' value { list { type: DT_FLOAT } } } }
GRAPH
    for op in FooBar FFT7 "runs Python"; do refuses 3 "$op" "$work/unknown.pbtxt" -o "$work/x.o"; done # all of them at once
    mkfifo "$work/pipe"
    cat "$work/pipe" >"$work/piped" &
    "$tfoptc" "$model" -o "$work/pipe" --emit=asm --threads 0 || fail "a pipe"
    wait
    [ -p "$work/pipe" ] && [ -s "$work/piped" ] || fail "the pipe is not written through"
    refuses 2 "is the model itself" compile "$work/copy.pb" -o "$work/copy.pb" --emit=pb
    cmp -s "$model" "$work/copy.pb" || fail "the model is changed"
    refuses 2 "threads wants a whole number" "$model" -o "$work/x.o" --threads -3
    refuses 2 "at least one member" "$model" -o "$work/x.o" --batch 0
    refuses 1 "no unknown dimension" "$model" -o "$work/x.o" --dim nosuch=1-4
    refuses 2 "fixed first dimension 2" "$model" -o "$work/x.o" --input image=2,8,8,1 --batch 4
    refuses 2 "is no range" "$model" -o "$work/x.o" --batch abc
    refuses 2 "unknown CPU 'pentium'" "$model" -o "$work/x.o" --cpu pentium
    refuses 2 "no C identifier" "$model" -o "$work/x.o" --name "1 bad"
    refuses 2 "the passes are shape fold" "$model" -o "$work/x.o" --passes nosuch
    refuses 1 "there is no input" "$model" -o "$work/x.o" --input nosuch=1,2
    refuses 1 "there is no output" "$model" -o "$work/x.o" --output nosuch
    refuses 1 "larger than the memory" "$model" -o "$work/x.o" --max-memory 1K
    refuses 3 "does not exist yet" "$model" -o "$work/x.o" --precision int8
    refuses 2 "is no option of compile" "$model" -o "$work/x.o" --frobnicate
    refuses 1 "is no .npy file" run "$model" --input "image=$source/README.md"
    refuses 1 "has no output of that name" verify "$model" --expect "nosuch=$source/test/models/digits/test_images.npy"
    ;;
python) # the loader and its sample, from the build tree and installed
    for path in "$build/python" ""; do # -S: without what is installed beside Python
        PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$path python3 -S "$source/samples/python/classify.py" "$work/digits.so" >"$work/out" 2>&1 && fail "no numpy"
        [ "$(wc -l <"$work/out")" -eq 1 ] || fail "without numpy: $(cat "$work/out")"
    done
    PYTHONPATH=$build/python python3 -S "$source/samples/python/classify.py" x 2>&1 | grep -q "tfopt needs numpy, which .* lacks: .* -m pip install numpy" || fail "without numpy: $(cat "$work/out")"
    python3 "$source/samples/python/classify.py" 2>&1 | grep -q usage || fail "no arguments"
    python=python3
    python3 -c "import numpy" 2>/dev/null || python=/usr/bin/python3 # where Debian's numpy is
    $python -c "import numpy" 2>/dev/null || { echo "no numpy"; exit 77; }
    compile "$work/digits.so"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$build/python $python "$source/samples/python/classify.py" "$work/digits.so" || fail "the sample"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$build/python $python - "$work/digits.so" <<'PYTHON' || fail "calls"
import sys
import numpy as np, tfopt
model, x = tfopt.load(sys.argv[1]), np.ones((3, 8, 8, 1), np.float32)
import pickle
assert np.array_equal(pickle.loads(pickle.dumps(model))(x), model(x))
assert np.array_equal(model(x), model(image=x)) and np.array_equal(model(x), model.run({"image:0": x})["Identity"])
def refused(text, *values, **named):
    try:
        model(*values, **named)
    except tfopt.Error as e:
        assert text in str(e), e
    else:
        raise AssertionError(text)
refused("0 values for the inputs [image: float32")
refused("2 values for the inputs", x, x)
refused("2 values for the inputs", x, image=x)
refused("no input 'imag'", imag=x)
refused("dimension 1 is 9, the model needs 8", np.ones((1, 9, 8, 1)))
refused("rank 0", 1.0)
refused("takes float32, the values are object", None)
refused("takes float32, the values are complex", x + 1j)
assert model(x).shape == (3, 10)  # what failed leaves nothing behind
PYTHON
    head -c 20000 "$work/digits.so" >"$work/short.so"
    "$tfoptc" run "$work/short.so" 2>"$work/err.txt" && fail "a truncated .so"
    grep -q "cut short" "$work/err.txt" || fail "message: $(cat "$work/err.txt")"
    ;;
size) # a model without host ops links none of them, no codec and no dlopen: its symbols and size
    compile "$work/digits.o" --threads 0
    build_host "$work/host" -DLINKED_MODEL=digits "$work/digits.o" -Wl,--gc-sections
    for f in "$source"/runtime/hostops/*.c; do basename "$f" .c; done | sort -u >"$work/members"
    nm -A --defined-only -g "$build/runtime/libtfopt.a" 2>/dev/null | sed 's/^.*:\([^:]*\)\.c\.o:[0-9a-f]* [A-Z] /\1 /' | sort -u >"$work/all" # member symbol
    join "$work/members" "$work/all" | cut -d' ' -f2 | sort -u >"$work/of_hostops"
    [ "$(wc -l <"$work/of_hostops")" -gt 300 ] || fail "the symbols of the host ops are not found"
    nm --defined-only "$work/host" | cut -d' ' -f3 | sort -u >"$work/linked"
    comm -12 "$work/of_hostops" "$work/linked" >"$work/both"
    [ -s "$work/both" ] && fail "host ops are linked: $(tr '\n' ' ' <"$work/both")"
    nm -D "$work/host" | grep -w -e dlopen -e 'jpeg_.*' -e 'png_.*' -e inflate && fail "dlopen or a codec is linked"
    ldd "$work/host" | grep -e jpeg -e png -e libz && fail "a codec library is needed"
    echo "symbols of the model and the runtime:"
    nm -S --defined-only "$work/host" | grep -e ' tfopt_' -e ' core_' -e ' digits_' | cut -d' ' -f2-
    size "$work/host"
    ;;
consumer) # a project out of tree, against the build tree and against an installation
    for kind in build install; do
        if [ $kind = install ]; then
            cmake --install "$build" --prefix "$work/prefix" >/dev/null || fail "install"
            where="-Dtfopt_DIR=$work/prefix/lib/cmake/tfopt"
        else
            where="-Dtfopt_DIR=$build"
        fi
        cmake -S "$source/test/exec/consumer" -B "$work/$kind" -G Ninja "$where" -DMODEL="$model" -DSAVED_MODEL="$source/test/models/digits/saved_model" >"$work/log" 2>&1 || fail "configuring: $(cat "$work/log")"
        cmake --build "$work/$kind" >"$work/log" 2>&1 || fail "building: $(cat "$work/log")"
        "$work/$kind/consumer" || fail "consumer"
        for program in several several_shared; do
            [ "$("$work/$kind/$program" "$source"/test/models/digits/images/*.png | tr '\n' ' ')" = "$(cd "$source/test/models/digits/images" && ls ./*.png | sed 's,^\./\(.\).*,\1,' | tr '\n' ' ')" ] ||
                fail "$program: $("$work/$kind/$program" "$source"/test/models/digits/images/*.png)"
        done
        ldd "$work/$kind/consumer" | grep -e png -e jpeg && fail "a codec is linked for nothing"
        ! [ -e "$work/$kind/typed" ] || "$work/$kind/typed" || fail "C++: exit $?"
        cmake --build "$work/$kind" | grep -q 'no work to do' || fail "the model is compiled again for nothing"
    done
    PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig pkg-config --exists tfopt || ! command -v pkg-config >/dev/null || fail "pkg-config"
    "$work/prefix/bin/tfoptc" compile "$model" --threads 0 -o "$work/installed.so" || fail "the installed tfoptc"
    ;;
*) fail "unknown case '$case'" ;;
esac
echo "ok $case"
