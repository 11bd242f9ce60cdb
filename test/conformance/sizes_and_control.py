#!/usr/bin/env python3
"""Makes the cases of sizes_and_control.tar.xz with TensorFlow: sizes that only running tells, empty tensors, sizes that
do not fit, loops, branches and lists. usage: sizes_and_control.py FOLDER (TensorFlow 2.21 and NumPy; the tests do not
need them). A case is a directory as in docs/testing.md; `check` is "error" where TensorFlow fails on the inputs."""

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
    if value.dtype == object:
        entry.update(dtype="string", file=stem + ".json", encoding="utf-8")
        with open(f"{folder}/{stem}.json", "w") as f:
            json.dump([x.decode() if isinstance(x, bytes) else str(x) for x in value.reshape(-1)], f)
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
        except tf.errors.OpError:
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

make(
    "bc_add",
    lambda a, b: a + b,
    [spec([None], f32), spec([None], f32)],
    [[v(3), v(3)], [v(1), v(4)], [v(4), v(1)], [v(0), v(1)], [v(1), v(0)], [v(0), v(0)], [v(1), v(1)]],
)
make(
    "bc_add2",
    lambda a, b: tf.nn.relu(a * 2 - b),
    [spec([None, None], f32), spec([None, 3], f32)],
    [[v(2, 3), v(2, 3)], [v(1, 1), v(4, 3)], [v(4, 1), v(1, 3)], [v(0, 3), v(1, 3)], [v(1, 1), v(0, 3)]],
)
make(
    "bc3",
    lambda a, b, c: a + b * c,
    [spec([None], f32), spec([None], f32), spec([None], f32)],
    [
        [v(3), v(1), v(1)],
        [v(1), v(4), v(1)],
        [v(1), v(1), v(4)],
        [v(0), v(1), v(1)],
        [v(1), v(1), v(0)],
        [v(1), v(0), v(1)],
        [v(5), v(5), v(1)],
    ],
)
make(
    "select_bc",
    lambda c, a, b: tf.where(c > 0, a, b),
    [spec([None], f32), spec([None], f32), spec([None, None], f32)],
    [[v(3) - 2, v(1), v(2, 1)], [v(1), v(4), v(4, 1)], [v(0), v(1), v(3, 1)]],
)
make(
    "matmul_k0",
    lambda a, b: tf.matmul(a, b) + 1,
    [spec([None, None], f32), spec([None, None], f32)],
    [[v(2, 0), v(0, 3)], [v(0, 4), v(4, 3)], [v(2, 3), v(3, 0)], [v(2, 3), v(3, 5)]],
)
make(
    "reduce0",
    lambda a: (tf.reduce_sum(a, 0), tf.reduce_mean(a), tf.reduce_max(a, 1), tf.reduce_prod(a, 1)),
    [spec([None, None], f32)],
    [[v(0, 3)], [v(3, 0)], [v(0, 0)], [v(2, 2)]],
)
make(
    "conv0",
    lambda a: tf.nn.relu(tf.nn.conv2d(a, tf.constant(v(3, 3, 2, 4)), 1, "SAME")),
    [spec([None, None, None, 2], f32)],
    [[v(0, 5, 5, 2)], [v(1, 5, 5, 2)]],
)
make(
    "pool0",
    lambda a: tf.nn.max_pool2d(a, 2, 2, "SAME"),
    [spec([None, None, None, 2], f32)],
    [[v(0, 5, 5, 2)], [v(1, 5, 5, 2)]],
)
make(
    "concat0",
    lambda a, b: tf.concat([a, b, a], 0),
    [spec([None, 2], f32), spec([None, 2], f32)],
    [[v(0, 2), v(3, 2)], [v(0, 2), v(0, 2)], [v(2, 2), v(0, 2)]],
)
make("softmax0", lambda a: tf.nn.softmax(a), [spec([None, None], f32)], [[v(0, 3)], [v(3, 0)], [v(2, 2)]])
make(
    "bmm_bc",
    lambda a, b: tf.matmul(a, b),
    [spec([None, None, 3], f32), spec([None, 3, 2], f32)],
    [[v(2, 2, 3), v(1, 3, 2)], [v(1, 2, 3), v(4, 3, 2)], [v(0, 2, 3), v(1, 3, 2)], [v(3, 1, 3), v(3, 3, 2)]],
)
make(
    "gather0",
    lambda a, i: tf.gather(a, i),
    [spec([None, 2], f32), spec([None], tf.int32)],
    [[v(0, 2), np.zeros(0, np.int32)], [v(3, 2), np.array([2, 0, 1, 1], np.int32)]],
)
make("reshape_rest", lambda a: tf.reshape(a, [tf.shape(a)[1], -1]), [spec([None, None], f32)], [[v(2, 3)], [v(0, 3)]])
make("cumsum0", lambda a: tf.cumsum(a, 0), [spec([None, None], f32)], [[v(2, 3)], [v(0, 3)], [v(3, 0)]])
make(
    "tile",
    lambda a, m: tf.tile(a, m),
    [spec([None, None], f32), spec([2], tf.int32)],
    [[v(2, 3), np.array([0, 2], np.int32)], [v(2, 3), np.array([2, 1], np.int32)]],
)
make(
    "bcast_to",
    lambda a, m: tf.broadcast_to(a, m),
    [spec([None, None], f32), spec([3], tf.int32)],
    [
        [v(1, 3), np.array([2, 2, 3], np.int32)],
        [v(2, 1), np.array([1, 2, 0], np.int32)],
        [v(1, 1), np.array([0, 2, 0], np.int32)],
    ],
)
make(
    "squared_diff_mean",
    lambda a, b: tf.reduce_mean(tf.math.squared_difference(a, b), axis=-1),
    [spec([None, None], f32), spec([None, None], f32)],
    [[v(1, 3), v(2, 3)], [v(2, 1), v(1, 3)], [v(0, 1), v(1, 3)]],
)
make("e_add", lambda a, b: a + b, [vector, vector], [[v(3), v(5)], [v(0), v(2)], [v(2), v(0)]])
make("e_add3", lambda a, b: tf.nn.relu(a * 2 + b), [vector, spec([3], f32)], [[v(2), v(3)], [v(0), v(3)]])
make("e_matmul", lambda a, b: tf.matmul(a, b), [matrix, matrix], [[v(2, 3), v(4, 5)], [v(2, 30), v(4, 5)]])
make("e_matmulc", lambda a: tf.matmul(a, tf.constant(v(3, 5))), [matrix], [[v(2, 2)], [v(2, 40)]])
make("e_bmm", lambda a, b: tf.matmul(a, b), [cube, cube], [[v(2, 3, 3), v(4, 3, 5)]])
make("e_reshape", lambda a: tf.reshape(a, [2, -1]), [vector], [[v(3)]])
make("e_reshape2", lambda a, b: tf.reshape(a, tf.shape(b)), [vector, matrix], [[v(3), v(2, 2)], [v(30), v(1, 2)]])
make(
    "e_reshape3",
    lambda a, s: tf.reshape(a, s),
    [vector, pair],
    [[v(6), ints(-1, 0)], [v(6), ints(-2, 3)], [v(6), ints(4, -1)], [v(6), ints(-1, -1)], [v(0), ints(-1, -1)]],
)
make("e_concat", lambda a, b: tf.concat([a, b], 0), [matrix, matrix], [[v(2, 3), v(2, 4)], [v(1, 30), v(1, 4)]])
make("e_stack", lambda a, b: tf.stack([a, b], 0), [vector, vector], [[v(2), v(3)], [v(30), v(3)]])
make(
    "e_slice",
    lambda a, b, s: tf.slice(a, b, s),
    [vector, spec([1], i32), spec([1], i32)],
    [
        [v(5), ints(4), ints(2)],
        [v(5), ints(6), ints(0)],
        [v(5), ints(-1), ints(2)],
        [v(5), ints(1), ints(-2)],
        [v(5), ints(0), ints(1000000)],
    ],
)
make("e_argmax", lambda a: tf.argmax(a, 0), [matrix], [[v(0, 3)], [v(0, 0)]])
make("e_where", lambda c, a, b: tf.where(c > 0, a, b), [vector, vector, vector], [[v(3), v(2), v(3)]])
make(
    "e_gather",
    lambda a, i: tf.gather(a, i),
    [matrix, indices],
    [[v(3, 2), ints(3)], [v(3, 2), ints(-1)], [v(0, 2), ints(0)]],
)
make(
    "e_gathernd", lambda a, i: tf.gather_nd(a, i), [matrix, spec([None, 2], i32)], [[v(3, 2), ints(0, 2).reshape(1, 2)]]
)
make(
    "e_scatter",
    lambda i, u, s: tf.scatter_nd(i, u, s),
    [spec([None, 1], i32), vector, spec([1], i32)],
    [
        [ints(5).reshape(1, 1), v(1), ints(3)],
        [ints(1).reshape(1, 1), v(2), ints(3)],
        [ints(1).reshape(1, 1), v(1), ints(-3)],
    ],
)
make("e_tile", lambda a, m: tf.tile(a, m), [matrix, pair], [[v(2, 3), ints(-1, 1)]])
make("e_fill", lambda d: tf.fill(d, 1.0), [pair], [[ints(-1, 3)], [ints((1 << 31) - 1, (1 << 31) - 1)]])
make(
    "e_fill64",
    lambda d: tf.fill(d, 1.0),
    [spec([3], tf.int64)],
    [[np.array([1 << 40, 1 << 40, 1 << 40], np.int64)], [np.array([1 << 40, 1 << 40, 0], np.int64)]],
)
make("e_range", lambda n: tf.range(n), [spec([], tf.int64)], [[np.int64(10**18)], [np.int64(1 << 62)]])
make(
    "e_range3",
    lambda a, b, c: tf.range(a, b, c),
    [spec([], tf.int64)] * 3,
    [
        [np.int64(0), np.int64(5), np.int64(0)],
        [np.int64(0), np.int64(5), np.int64(-1)],
        [np.int64(-(1 << 62)), np.int64(1 << 62), np.int64(1)],
    ],
)
make(
    "e_bcast",
    lambda a, d: tf.broadcast_to(a, d),
    [matrix, pair],
    [[v(2, 3), ints(3, 3)], [v(2, 3), ints(2, -1)], [v(2, 1), ints(1, 1)]],
)
make("e_pad", lambda a, p: tf.pad(a, p), [vector, spec([1, 2], i32)], [[v(3), ints(-1, 1).reshape(1, 2)]])
make("e_padr", lambda a: tf.pad(a, [[3, 0]], "REFLECT"), [vector], [[v(3)], [v(0)]])
make("e_split", lambda a: tf.split(a, 2, 0), [vector], [[v(3)]])
make(
    "e_splitv",
    lambda a, s: tf.split(a, s, 0, num=2),
    [vector, pair],
    [[v(3), ints(1, 1)], [v(3), ints(4, -1)], [v(3), ints(-2, 5)]],
)
make(
    "e_conv",
    lambda a: tf.nn.conv2d(a, tf.constant(v(3, 3, 2, 4)), 1, "VALID"),
    [spec([None, None, None, None], f32)],
    [[v(1, 2, 5, 2)], [v(1, 5, 5, 3)], [v(1, 1, 1, 2)]],
)
make("e_pool", lambda a: tf.nn.max_pool2d(a, 5, 1, "VALID"), [spec([None, None, None, 2], f32)], [[v(1, 2, 5, 2)]])
make(
    "e_s2b",
    lambda a: tf.space_to_batch(a, [2, 2], [[0, 0], [0, 0]]),
    [spec([None, None, None, 2], f32)],
    [[v(1, 3, 4, 2)]],
)
make(
    "e_b2s",
    lambda a: tf.batch_to_space(a, [2, 2], [[0, 0], [0, 0]]),
    [spec([None, None, None, 2], f32)],
    [[v(3, 3, 4, 2)]],
)
make("e_d2s", lambda a: tf.nn.depth_to_space(a, 2), [spec([None, None, None, None], f32)], [[v(1, 3, 4, 2)]])
make("e_s2d", lambda a: tf.nn.space_to_depth(a, 2), [spec([None, None, None, 2], f32)], [[v(1, 3, 4, 2)]])
make(
    "e_resize",
    lambda a, s: tf.image.resize(a, s),
    [spec([None, None, None, 2], f32), pair],
    [[v(1, 0, 4, 2), ints(2, 2)], [v(1, 2, 2, 2), ints(0, 2)], [v(1, 2, 2, 2), ints(-1, 2)]],
)
make(
    "e_segsum",
    lambda a, i, n: tf.math.unsorted_segment_sum(a, i, n),
    [matrix, indices, number],
    [[v(3, 2), ints(0, 1), ints(3)[0]], [v(3, 2), ints(0, 1, 7), ints(3)[0]], [v(3, 2), ints(0, 1, 2), ints(-3)[0]]],
)
make("e_onehot", lambda i, d: tf.one_hot(i, d), [indices, number], [[ints(1, 2), ints(-3)[0]]])
make("e_topk", lambda a, k: tf.math.top_k(a, k), [vector, number], [[v(3), ints(5)[0]], [v(3), ints(-1)[0]]])
make("e_linspace", lambda n: tf.linspace(0.0, 1.0, n), [number], [[ints(0)[0]], [ints(-4)[0]]])
make("e_squeeze", lambda a: tf.squeeze(a, [0]), [matrix], [[v(2, 3)]])
make("e_unstack", lambda a: tf.unstack(a, 3), [matrix], [[v(2, 3)]])
make("e_einsum", lambda a, b: tf.einsum("ij,jk->ik", a, b), [matrix, matrix], [[v(2, 3), v(4, 5)]])
make("e_biasadd", lambda a, b: tf.nn.bias_add(a, b), [matrix, vector], [[v(2, 3), v(1)], [v(2, 3), v(4)]])
make("e_select1", lambda c, a, b: tf.compat.v1.where(c > 0, a, b), [vector, matrix, matrix], [[v(3), v(2, 2), v(2, 2)]])
make(
    "e_batchnorm",
    lambda a, s: tf.compat.v1.nn.fused_batch_norm(a, s, s, s, s, is_training=False)[0],
    [spec([None, None, None, None], f32), vector],
    [[v(1, 2, 2, 3), v(2)]],
)
make("e_xent", lambda a, b: tf.nn.softmax_cross_entropy_with_logits(b, a), [matrix, matrix], [[v(2, 3), v(3, 3)]])
make("e_dynstitch", lambda i, a: tf.dynamic_stitch([i], [a]), [indices, matrix], [[ints(0, 5), v(3, 2)]])
make(
    "e_tensorscatter",
    lambda t, i, u: tf.tensor_scatter_nd_update(t, i, u),
    [matrix, spec([None, 1], i32), matrix],
    [[v(3, 2), ints(1).reshape(1, 1), v(1, 3)], [v(3, 2), ints(3).reshape(1, 1), v(1, 2)]],
)
make("e_cumsum", lambda a, x: tf.cumsum(a, x), [matrix, number], [[v(2, 3), ints(2)[0]]])
make("e_transpose", lambda a, p: tf.transpose(a, p), [matrix, pair], [[v(2, 3), ints(0, 0)], [v(2, 3), ints(0, 2)]])
make(
    "e_reverse_seq",
    lambda a, l: tf.reverse_sequence(a, l, 1, 0),
    [matrix, indices],
    [[v(2, 3), ints(1, 4)], [v(2, 3), ints(1)]],
)
make("e_matdiag", lambda a, b: tf.linalg.set_diag(a, b), [matrix, vector], [[v(2, 3), v(3)]])
make("e_roll", lambda a, s: tf.roll(a, s, 0), [vector, number], [[v(0), ints(3)[0]]])
make(
    "e_list_get",
    lambda a, i: tf.raw_ops.TensorListGetItem(
        input_handle=tf.raw_ops.TensorListFromTensor(tensor=a, element_shape=[-1]),
        index=i,
        element_shape=[-1],
        element_dtype=f32,
    ),
    [matrix, number],
    [[v(2, 3), ints(2)[0]], [v(2, 3), ints(-1)[0]]],
)


def lset(a, i):
    l = tf.raw_ops.TensorListFromTensor(tensor=a, element_shape=[3])
    l = tf.raw_ops.TensorListSetItem(input_handle=l, index=i, item=tf.zeros([3]))
    return tf.raw_ops.TensorListStack(input_handle=l, element_shape=[3], element_dtype=f32)


make(
    "e_list_set",
    lset,
    [spec([None, 3], f32), number],
    [[v(2, 3), ints(2)[0]], [v(2, 3), ints(-1)[0]], [v(0, 3), ints(0)[0]], [v(2, 3), ints(1)[0]]],
)


def taw(n, i):
    t = tf.TensorArray(f32, size=n, element_shape=[2])
    t = t.write(i, [1.0, 2.0])
    return t.stack()


make(
    "e_ta_write",
    taw,
    [number, number],
    [[ints(3)[0], ints(3)[0]], [ints(3)[0], ints(-1)[0]], [ints(0)[0], ints(0)[0]], [ints(3)[0], ints(2)[0]]],
)


def tar(n, i):
    t = tf.TensorArray(f32, size=n, element_shape=[2])
    t = t.write(0, [1.0, 2.0])
    return t.read(i)


make("e_ta_read", tar, [number, number], [[ints(3)[0], ints(3)[0]], [ints(3)[0], ints(0)[0]]])


def tau(a, n):
    t = tf.TensorArray(f32, size=n, element_shape=[None])
    t = t.unstack(a)
    return t.stack()


make("e_ta_unstack", tau, [matrix, number], [[v(3, 2), ints(2)[0]], [v(3, 2), ints(3)[0]]])


def tasp(a, l):
    t = tf.TensorArray(f32, size=2, infer_shape=False)
    t = t.split(a, l)
    return t.concat()


make("e_ta_split", tasp, [matrix, pair], [[v(3, 2), ints(2, 2)], [v(3, 2), ints(1, 2)], [v(3, 2), ints(-1, 4)]])


def pop(a):
    l = tf.raw_ops.TensorListFromTensor(tensor=a, element_shape=[-1])
    l, x = tf.raw_ops.TensorListPopBack(input_handle=l, element_shape=[-1], element_dtype=f32)
    return x


make("e_pop", pop, [matrix], [[v(0, 2)], [v(2, 2)]])


def caseidx(i, x):
    return tf.switch_case(i, [lambda: x + 1, lambda: x * 2], default=lambda: x - 5)


make(
    "caseidx",
    caseidx,
    [number, vector],
    [[ints(-7)[0], v(2)], [ints(9)[0], v(2)], [ints(1)[0], v(2)], [ints(0)[0], v(0)]],
)


# loops
def grow(x, n):
    def body(i, a):
        return i + 1, tf.concat([a, x[:1] * tf.cast(i, f32)], 0)

    return tf.while_loop(
        lambda i, a: i < n, body, [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])]
    )[1]


both("l_grow", grow, [vector, number], [[v(3), scalar(4)], [v(3), scalar(0)], [v(0), scalar(2)]])


def shrink(x):
    return tf.while_loop(
        lambda a: tf.size(a) > 1, lambda a: (a[1:] * 2,), [x], shape_invariants=[tf.TensorShape([None])]
    )


both("l_shrink", lambda x: shrink(x)[0], [vector], [[v(5)], [v(1)], [v(0)]])


def ta_dyn(x, n):
    t = tf.TensorArray(f32, size=0, dynamic_size=True, element_shape=[None])

    def body(i, t):
        return i + 1, t.write(i, x * tf.cast(i, f32))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].stack()


both("l_tadyn", ta_dyn, [vector, number], [[v(3), scalar(4)], [v(0), scalar(2)]])


def ta_concat(x, n):
    t = tf.TensorArray(f32, size=n, infer_shape=False, element_shape=[None])

    def body(i, t):
        return i + 1, t.write(i, x[: i + 1])

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].concat()


both("l_taconcat", ta_concat, [vector, number], [[v(5), scalar(4)], [v(5), scalar(1)]])


def ta_concat2(x, n):
    t = tf.TensorArray(f32, size=n, infer_shape=False, element_shape=[None, 2])

    def body(i, t):
        return i + 1, t.write(i, tf.boolean_mask(x, x[:, 0] > tf.cast(i, f32)))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].concat()


both("l_tamask", ta_concat2, [spec([None, 2], f32), number], [[v(5, 2), scalar(4)], [v(5, 2), scalar(1)]])


def ta_mid(x, n):
    t = tf.TensorArray(f32, size=n)

    def body(i, t):
        y = tf.concat([x, x], 0)
        return i + 1, t.write(i, tf.reshape(y[: 2 * tf.shape(x)[0] - 1], [-1]) * tf.cast(i, f32))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].stack()


both("l_tamid", ta_mid, [vector, number], [[v(3), scalar(4)]])


def ta_unique(x, n):
    t = tf.TensorArray(f32, size=n)
    u = None

    def body(i, t):
        return i + 1, t.write(i, tf.unique(x)[0] * tf.cast(i, f32))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].stack()


both("l_taunique", ta_unique, [vector, number], [[ints(1, 2, 2, 3).astype(np.float32), scalar(3)]])


def two_lists(x, n):
    a = tf.TensorArray(f32, size=n)
    b = tf.TensorArray(f32, size=n)

    def body(i, a, b):
        y = x[i]
        return i + 1, a.write(i, y * 2), b.write(i, tf.reduce_sum(y))

    _, a, b = tf.while_loop(lambda i, a, b: i < n, body, [0, a, b])
    return a.stack(), b.stack()


both("l_two", two_lists, [matrix, number], [[v(4, 3), scalar(4)], [v(4, 3), scalar(2)]])


def rw(x, n):
    a = tf.TensorArray(f32, size=n + 1, clear_after_read=False, element_shape=[3])
    a = a.write(0, x)

    def body(i, a):
        return i + 1, a.write(i + 1, a.read(i) * 1.5 + 1)

    return tf.while_loop(lambda i, a: i < n, body, [0, a])[1].stack()


both("l_rw", rw, [spec([3], f32), number], [[v(3), scalar(4)], [v(3), scalar(0)]])


def mapfn(x):
    return tf.map_fn(lambda r: tf.reduce_sum(r) * r, x)


both("l_map", mapfn, [matrix], [[v(4, 3)], [v(2, 0)]])


def scan(x):
    return tf.scan(lambda a, r: a * 0.5 + r, x)


both("l_scan", scan, [matrix], [[v(4, 3)], [v(1, 3)]])


def foldl(x):
    return tf.foldl(lambda a, r: a + r, x, initializer=tf.zeros([3]))


both("l_fold", foldl, [spec([None, 3], f32)], [[v(4, 3)], [v(0, 3)]])


def nested(x, n, m):
    def inner(i, a):
        j = tf.constant(0)
        _, b = tf.while_loop(lambda j, b: j < m, lambda j, b: (j + 1, b + tf.cast(j * i, f32)), [j, a])
        return i + 1, b

    return tf.while_loop(lambda i, a: i < n, inner, [0, x])[1]


both(
    "l_nested",
    nested,
    [vector, number, number],
    [[v(3), scalar(3), scalar(4)], [v(3), scalar(0), scalar(4)], [v(3), scalar(3), scalar(0)]],
)


def nested_grow(x, n):
    def inner(i, a):
        _, b = tf.while_loop(
            lambda j, b: j < i,
            lambda j, b: (j + 1, tf.concat([b, x], 0)),
            [0, a],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
        )
        return i + 1, b

    return tf.while_loop(
        lambda i, a: i < n, inner, [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])]
    )[1]


both("l_nestgrow", nested_grow, [vector, number], [[v(2), scalar(3)], [v(2), scalar(0)]])


def cond_shapes(x, p):
    return tf.cond(p > 0, lambda: tf.concat([x, x], 0), lambda: x[:1])


both("c_shapes", cond_shapes, [vector, number], [[v(3), scalar(1)], [v(3), scalar(0)], [v(0), scalar(0)]])


def cond_in_loop(x, n):
    def body(i, a):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: tf.concat([a, a[:1]], 0), lambda: a * 2)

    return tf.while_loop(
        lambda i, a: i < n, body, [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])]
    )[1]


both("c_inloop", cond_in_loop, [vector, number], [[v(3), scalar(5)], [v(3), scalar(0)]])


def loop_in_cond(x, n):
    return tf.cond(n > 2, lambda: tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a * 2), [0, x])[1], lambda: x)


both("c_loopincond", loop_in_cond, [vector, number], [[v(3), scalar(5)], [v(3), scalar(1)]])


@tf.function
def f1(x):
    return x + 1


@tf.function
def f2(x):
    return f1(x) * 2


@tf.function
def f3(x):
    return f2(x) - f1(x)


@tf.function
def f4(x, n):
    if n > 1:
        return f3(x)
    return f2(x)


@tf.function
def f5(x, n):
    return f4(x, n) + f3(x)


both("fn5", lambda x, n: f5(x, n), [vector, number], [[v(3), scalar(5)], [v(3), scalar(1)]])


def pushpop(x, n):
    l = raw.EmptyTensorList(element_shape=[-1], max_num_elements=-1, element_dtype=f32)

    def b1(i, l):
        return i + 1, raw.TensorListPushBack(input_handle=l, tensor=x * tf.cast(i, f32))

    i, l = tf.while_loop(lambda i, l: i < n, b1, [0, l])

    def b2(i, l, acc):
        l, y = raw.TensorListPopBack(input_handle=l, element_shape=[-1], element_dtype=f32)
        return i - 1, l, acc * 2 + y

    _, l, acc = tf.while_loop(lambda i, l, a: i > 1, b2, [i, l, tf.zeros_like(x)])
    return acc, raw.TensorListLength(input_handle=l)


both("pushpop", pushpop, [vector, number], [[v(3), scalar(5)]])


def concat_lead(n):
    l = raw.TensorListReserve(element_shape=tf.constant([-1, 2]), num_elements=n, element_dtype=f32)

    def b(i, l):
        return i + 1, raw.TensorListSetItem(input_handle=l, index=i, item=tf.ones([i + 1, 2]) * tf.cast(i, f32))

    _, l = tf.while_loop(lambda i, l: i < n, b, [0, l])
    return raw.TensorListConcatV2(
        input_handle=l, element_shape=tf.constant([-1, 2]), leading_dims=tf.zeros([0], tf.int64), element_dtype=f32
    )


both("concatv2", lambda n: list(concat_lead(n)), [number], [[scalar(4)], [scalar(1)]])


def concat_lead2(n):
    l = raw.TensorListReserve(element_shape=tf.constant([-1, 2]), num_elements=4, element_dtype=f32)

    def b(i, l):
        return i + 1, raw.TensorListSetItem(input_handle=l, index=i, item=tf.ones([3, 2]) * tf.cast(i, f32))

    _, l = tf.while_loop(lambda i, l: i < n, b, [0, l])
    return raw.TensorListConcatV2(
        input_handle=l,
        element_shape=tf.constant([-1, 2]),
        leading_dims=tf.constant([3, 3, 3, 3], tf.int64),
        element_dtype=f32,
    )


both("concatv2lead", lambda n: list(concat_lead2(n)), [number], [[scalar(4)], [scalar(2)]])


def unknown_first(x, n):
    t = tf.TensorArray(f32, size=n, infer_shape=False)

    def body(i, t):
        return i + 1, t.write(i, tf.reshape(x, [-1, 2]) * tf.cast(i, f32))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].stack()


both("unkfirst", unknown_first, [matrix, number], [[v(2, 3), scalar(3)]])


def where_loop(x, n):
    def body(i, a):
        return i + 1, tf.concat([a, tf.gather(x, tf.where(x > tf.cast(i, f32))[:, 0])], 0)

    return tf.while_loop(
        lambda i, a: i < n, body, [0, x[:0]], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])]
    )[1]


both("whereloop", where_loop, [vector, number], [[v(5), scalar(4)], [v(5), scalar(0)], [v(0), scalar(3)]])


def mapgrow(x):
    return tf.map_fn(lambda r: tf.stack([tf.reduce_sum(r), tf.reduce_max(r)]), x)


both("mapstack", mapgrow, [matrix], [[v(3, 2)], [v(0, 2)]])


def vec(x):
    return tf.vectorized_map(lambda r: r * 2 + 1, x)


both("vecmap", vec, [matrix], [[v(3, 2)]])


def while_str(x, n):
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.strings.join([a, a])), [0, x])[1]


both("whilestr", while_str, [spec([None], tf.string), number], [[np.array([b"a", b"bc"], object), scalar(3)]])
both(
    "case3",
    lambda i, x: tf.switch_case(i, [lambda: x[:1], lambda: tf.concat([x, x], 0), lambda: x * 2]),
    [number, vector],
    [[scalar(0), v(3)], [scalar(1), v(3)], [scalar(7), v(3)], [scalar(-1), v(3)]],
)
both(
    "condlist",
    lambda x, p: (
        tf.cond(
            p > 0,
            lambda: raw.TensorListPushBack(
                input_handle=raw.TensorListFromTensor(tensor=x, element_shape=[-1]), tensor=x[0]
            ),
            lambda: raw.TensorListFromTensor(tensor=x, element_shape=[-1]),
        )
        if False
        else tf.cond(p > 0, lambda: tf.stack([x[0], x[1], x[0]]), lambda: x)
    ),
    [matrix, number],
    [[v(2, 3), scalar(1)], [v(2, 3), scalar(0)]],
)


def early(x):
    i = tf.constant(0)
    s = tf.constant(0.0)
    while i < tf.shape(x)[0]:
        if x[i] < 0:
            break
        if x[i] > 100.0:
            i += 1
            continue
        s += x[i]
        i += 1
    return s, i


make(
    "autograph",
    tf.function(early).python_function if False else early,
    [vector],
    [[v(4)], [np.array([1, 200, 3, -1, 5], np.float32)], [v(0)]],
)


def split_loop(x, n):
    ta = tf.TensorArray(f32, size=2, infer_shape=False).split(x, [2, 3])
    return ta.read(0), ta.read(1), ta.concat()


make("tasplit", lambda x, n: split_loop(x, n), [spec([5], f32), number], [[v(5), scalar(3)]])


def img(n):
    t = tf.TensorArray(tf.float32, size=n)

    def body(i, t):
        k = tf.random.uniform([], 0, 1)
        return i + 1, t.write(i, tf.fill([n + 1, 2], tf.cast(i, f32)))

    return tf.while_loop(lambda i, t: i < n, body, [0, t])[1].stack()


both("fillin", img, [number], [[scalar(3)], [scalar(1)]])
