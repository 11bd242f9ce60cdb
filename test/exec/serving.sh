#!/bin/sh
# serving.sh BUILD SOURCE: the models of TensorFlow Serving's tests and the trained ones (../shared/models) through every signature. y = x/2 + 2,
# y2 and y3 = x/2 + 3; half_plus_three: y = x/2 + 3. Inputs are numbers, or serialised tf.Examples that hold them.
build=$1 source=$2
tfoptc=$build/tfoptc
models=$source/../shared/models
[ -d "$models/tf-serving-testdata" ] || models=$source/../../shared/models
[ -d "$models/tf-serving-testdata" ] || { echo "no ../shared/models"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}
echo '[[1], [2], [-3.5]]' >"$work/columns.json"
echo '[2]' >"$work/one.json"
echo '[{"b64": "Cg8KDQoBeBIIEgYKBAAAgD8="}, {"b64": "Cg8KDQoBeBIIEgYKBAAAAEA="}, {"b64": "Cg8KDQoBeBIIEgYKBAAAYMA="}]' >"$work/examples.json"
echo '[[2.5], [3.0], [0.25]]' >"$work/two_columns.json"
echo '[[3.5], [4.0], [1.25]]' >"$work/three_columns.json"
echo '[3.0]' >"$work/two_one.json"
echo '[4.0]' >"$work/three_one.json"
ask() { # MODEL SIGNATURE INPUT OUTPUT KIND ADDED: against TensorFlow's answer and against the reference
    "$tfoptc" verify "$1" --signature "$2" --input "$3=$work/$5.json" --expect "$4=$work/$6.json" --threads 0 >"$work/out" 2>&1 ||
        fail "$1 $2: $(cat "$work/out")"
    "$tfoptc" run "$1" --signature "$2" --input "$3=$work/$5.json" --reference >"$work/out" 2>&1 || fail "$1 $2, reference: $(cat "$work/out")"
}
refused() { # STATUS TEXT MODEL [SIGNATURE]
    "$tfoptc" compile "$3" ${4:+--signature $4} -o "$work/x.o" >"$work/out" 2>&1
    got=$?
    [ $got -eq "$1" ] && grep -q -e "$2" "$work/out" || fail "$3 $4: exit $got: $(cat "$work/out")"
}

cd "$models/tf-serving-testdata" || fail "no folder"
for model in saved_model_half_plus_two_*/*/; do
    [ -f "$model/saved_model.pb" ] || continue
    shape=columns
    case $model in
    *tf2_cpu*) shape=one ;; # x has the static shape [1]
    esac
    ask "$model" serving_default x y $shape two_$shape
    for signature in regress_x_to_y:outputs:two classify_x_to_y:scores:two regress_x_to_y2:outputs:three regress_x2_to_y3:outputs:three classify_x2_to_y3:scores:three; do
        name=${signature%%:*} added=${signature##*:} output=${signature#*:}
        "$tfoptc" inspect "$model" --signature "$name" >/dev/null 2>"$work/err" || { grep -q "there is no signature '$name'" "$work/err" && continue; }
        case $model:$name in
        *mkl*:*x2*|*mkl*:*y2) ;; # adds a picture of 10x10 that does not fit three examples, for TensorFlow neither
        *:*x2*) ask "$model" "$name" inputs "${output%:*}" $shape "${added}_$shape" ;;
        *) ask "$model" "$name" inputs "${output%:*}" examples "${added}_columns" ;;
        esac
    done
done
ask saved_model_half_plus_three/00000123 serving_default x y columns three_columns
ask saved_model_half_plus_three/00000123 tensorflow/serving/regress inputs outputs examples three_columns

refused 3 "'counter.*changes this variable" saved_model_counter/00000123 get_counter
refused 3 "incr_counter_op/AssignAdd' (AssignAdd)\|'counter' (VariableV2)" saved_model_counter/00000123 incr_counter
refused 3 "incr_counter_by_op/AssignAdd' (AssignAdd)\|'counter' (VariableV2)" saved_model_counter/00000123 incr_counter_by
refused 3 "'counter' (VariableV2)" saved_model_counter/00000123 reset_counter
refused 3 "(AssignAdd): signature 'incr_counter' changes a variable" saved_model_counter/00000123
refused 1 "session bundle" bad_half_plus_two/00000123
for model in *tflite*/*/; do
    refused 1 "TensorFlow Lite model" "$model"
    refused 1 "TensorFlow Lite model" "$model/model.tflite"
done

cd "$models" || fail "no folder"
for model in tf-serving-testdata/matrix_half_plus_two/1 real/*/saved_model trained/*/saved_model; do
    "$tfoptc" verify "$model" --batch 2 --threads 0 >"$work/out" 2>&1 || fail "$model: $(cat "$work/out")"
done
echo "ok"
