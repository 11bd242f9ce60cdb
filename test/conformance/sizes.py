"""Cases of sizes that only running tells, empty tensors and sizes that do not fit. usage: sizes.py FOLDER"""

from make_case import *

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
