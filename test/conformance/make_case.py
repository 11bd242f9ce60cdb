#!/usr/bin/env python3
"""What the makers of sizes_and_control.tar.xz share (sizes.py, control_flow.py, run_time_rank.py, lists.py, text.py). usage
of each: MAKER.py FOLDER, which gets a directory for every case, as in docs/testing.md; `check` is "error" where TensorFlow
fails on the inputs. Needs TensorFlow 2.21 and NumPy; the tests do not."""

import base64
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

FOLDER = sys.argv[1]


def write_tensor(folder, stem, name, value):
    value = np.asarray(value)
    entry = {"name": name, "shape": list(value.shape)}
    if value.dtype == object or value.dtype.kind in "SU":
        entry.update(dtype="string", file=stem + ".json", encoding="base64")
        flat = [x if isinstance(x, bytes) else str(x).encode() for x in value.reshape(-1)]
        with open(f"{folder}/{stem}.json", "w") as f:
            json.dump([base64.b64encode(x).decode() for x in flat], f)
    else:
        entry.update(dtype=str(value.dtype), file=stem + ".npy")
        np.save(f"{folder}/{stem}.npy", value)
    return entry


def graph_shape(shape):
    return None if shape.rank is None else [-1 if d is None else d for d in shape.as_list()]


def write_case(name, graph, inputs, outputs, check):
    folder = f"{FOLDER}/sizes/{name}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/graph.pb", "wb") as f:
        f.write(graph.SerializeToString())
    ops = sorted({n.op for n in graph.node} | {n.op for g in graph.library.function for n in g.node_def})
    case = {"name": name, "inputs": [], "outputs": [], "rtol": 1e-5, "atol": 1e-5, "check": check, "live_ops": ops}
    for i, (tensor, value) in enumerate(inputs):
        entry = write_tensor(folder, f"in_{i}", tensor.name, value)
        entry["graph_shape"] = graph_shape(tensor.shape)
        case["inputs"].append(entry)
    for i, (tensor, value) in enumerate(outputs):
        case["outputs"].append(write_tensor(folder, f"out_{i}", tensor.name, value))
    with open(f"{folder}/case.json", "w") as f:
        json.dump(case, f)


def make(name, function, specs, values, lower=False):
    """One case for each list of inputs in `values`."""
    concrete = tf.function(function).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=lower)
    graph = frozen.graph.as_graph_def()
    sets = values if isinstance(values[0], (list, tuple)) else [values]
    for k, inputs in enumerate(sets):
        check = "value"
        try:
            results = frozen(*[tf.constant(x) for x in inputs])
            results = results if isinstance(results, (list, tuple)) else [results]
            results = [r.numpy() for r in results]
        except (tf.errors.OpError, ValueError):
            check = "error"
            results = [np.zeros(0, np.float32)] * len(frozen.outputs)
        write_case(f"{name}_{k}", graph, list(zip(frozen.inputs, inputs)), list(zip(frozen.outputs, results)), check)


def both(name, function, specs, values):
    """As functions (While, If) and lowered (Switch, Merge, Enter, Exit)."""
    make(name, function, specs, values)
    make(name + "_lowered", function, specs, values, lower=True)


f32 = tf.float32
i32 = tf.int32
spec = tf.TensorSpec
raw = tf.raw_ops


def v(*shape):
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ints(*values):
    return np.array(values, np.int32)


def scalar(value):
    return np.int32(value)


vector = spec([None], f32)
matrix = spec([None, None], f32)
cube = spec([None, None, None], f32)
indices = spec([None], i32)
number = spec([], i32)
pair = spec([2], i32)
