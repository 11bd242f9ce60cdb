"""Cases of values whose rank only running tells. usage: run_time_rank.py FOLDER"""

from make_case import *

lengths = spec([None], i32)


def incompatible(a, b):
    return tf.reduce_mean(tf.cast(a == b, f32)), tf.cast(a != b, i32) + 1


make("rank_equal", incompatible, [vector, vector], [[v(3), v(2)], [v(3), v(3)], [v(1), v(4)], [v(0), v(2)], [v(0), v(1)]])
make("rank_equal2", lambda a, b: a == b, [matrix, matrix], [[v(2, 3), v(2, 3)], [v(2, 3), v(3, 2)], [v(1, 3), v(2, 1)]])
make("rank_squeeze", lambda a: tf.squeeze(a) * 2, [cube], [[v(1, 3, 1)], [v(2, 3, 4)], [v(1, 1, 1)], [v(0, 1, 1)]])
make("rank_squeeze_sum", lambda a: tf.reduce_sum(tf.squeeze(a), 0), [cube], [[v(1, 3, 1)], [v(2, 3, 4)], [v(1, 1, 1)]])
make(
    "rank_reshape",
    lambda a, s: tf.nn.relu(tf.reshape(a, s) - 2) * 3 + 1,
    [matrix, lengths],
    [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)], [v(2, 3), ints(1, -1, 1, 3)], [v(1, 1), ints()], [v(2, 3), ints(4, 2)]],
)
make(
    "rank_reshape_error",
    lambda a, s: tf.reshape(a, s),
    [matrix, lengths],
    [[v(2, 3), ints(-1, -1)], [v(2, 3), ints(-2, 3)], [v(2, 3), ints()], [v(0, 3), ints(0, 7)]],
)
make(
    "rank_shape",
    lambda a, s: (lambda x: (tf.shape(x), tf.rank(x), tf.size(x), tf.reshape(x, [-1, 2])))(tf.reshape(a, s)),
    [matrix, lengths],
    [[v(2, 3), ints(3, 2)], [v(2, 3), ints(1, 6, 1)]],
)
make(
    "rank_matmul",
    lambda a, s, b: tf.matmul(tf.reshape(a, s), b),
    [matrix, lengths, matrix],
    [[v(2, 3), ints(3, 2), v(2, 4)], [v(2, 3), ints(1, 3, 2), v(2, 4)], [v(2, 3), ints(6), v(2, 4)]],
)
make(
    "rank_broadcast",
    lambda a, s, b: tf.reshape(a, s) + b,
    [matrix, lengths, vector],
    [[v(2, 3), ints(3, 2), v(2)], [v(2, 3), ints(2, 1, 3), v(3)], [v(1, 1), ints(), v(4)], [v(2, 3), ints(3, 2), v(3)]],
)
make(
    "rank_two",
    lambda a, s, b, t: tf.reshape(a, s) * tf.reshape(b, t),
    [matrix, lengths, matrix, lengths],
    [[v(2, 3), ints(3, 2), v(2, 1), ints(2)], [v(2, 3), ints(2, 1, 3), v(1, 1), ints()]],
)
make("rank_zeros", lambda s: tf.zeros(s) + 1, [lengths], [[ints(2, 3)], [ints()], [ints(0, 4)], [ints(-1)]])
make("rank_broadcast_to", lambda a, s: tf.broadcast_to(a, s), [vector, lengths], [[v(3), ints(2, 3)], [v(1), ints(4)]])
make("rank_tile", lambda a, s: tf.tile(a, s), [matrix, lengths], [[v(2, 3), ints(1, 2)], [v(2, 3), ints(1, 2, 1)]])
make(
    "rank_slice",
    lambda a, b, s: tf.slice(a, b, s),
    [matrix, lengths, lengths],
    [[v(2, 3), ints(0, 1), ints(1, 2)], [v(2, 3), ints(0, 1), ints(-1, -1)], [v(2, 3), ints(0), ints(1)]],
)
make(
    "rank_sum_axes",
    lambda a, s: tf.reduce_sum(a, s),
    [cube, lengths],
    [[v(2, 3, 4), ints(0)], [v(2, 3, 4), ints(1, 2)], [v(2, 3, 4), ints()], [v(2, 3, 4), ints(0, 1, -1)]],
)
make("rank_transpose", lambda a, s: tf.transpose(a, s), [matrix, lengths], [[v(2, 3), ints(1, 0)], [v(2, 3), ints(0, 1)]])
make(
    "rank_scatter",
    lambda i, a, s: tf.scatter_nd(i, a, s),
    [spec([None, 1], i32), vector, lengths],
    [[ints(3, 1).reshape(2, 1), v(2), ints(5)]],
)
make(
    "rank_gather",
    lambda a, s, i: tf.gather(tf.reshape(a, s), i),
    [matrix, lengths, indices],
    [[v(2, 3), ints(3, 2), ints(2, 0)], [v(2, 3), ints(2, 3, 1), ints(1)], [v(2, 3), ints(6), ints(5, 0, 3)]],
)
make(
    "rank_concat",
    lambda a, s: tf.concat([tf.reshape(a, s), tf.reshape(a, s)], 0),
    [matrix, lengths],
    [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)], [v(2, 3), ints(1, 2, 3)]],
)
make("rank_stack", lambda a, s: tf.stack([tf.reshape(a, s), tf.zeros(s)]), [matrix, lengths], [[v(2, 3), ints(3, 2)]])
make(
    "rank_ensure",
    lambda a, s: tf.ensure_shape(tf.reshape(a, s), [None, 2]) @ tf.ones([2, 3]),
    [matrix, lengths],
    [[v(2, 3), ints(3, 2)], [v(2, 3), ints(2, 3)], [v(2, 3), ints(6)]],
)
make(
    "rank_select",
    lambda a, s: tf.where(tf.reshape(a, s) > 2, tf.reshape(a, s), 0.0),
    [matrix, lengths],
    [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]],
)
make(
    "rank_round_trip",
    lambda a, b: tf.io.parse_tensor(tf.io.serialize_tensor(a), f32) * 2 + b,
    [cube, spec([], f32)],
    [[v(2, 3, 1), np.float32(1)], [v(0, 1, 1), np.float32(1)]],
)
make(
    "rank_parse_sum",
    lambda a: tf.reduce_sum(tf.io.parse_tensor(tf.io.serialize_tensor(a), f32), -1, keepdims=True),
    [matrix],
    [[v(2, 3)]],
)
make("rank_parse_string", lambda a: tf.strings.upper(tf.io.parse_tensor(tf.io.serialize_tensor(a), tf.string)),
     [spec([None, None], tf.string)], [[np.array([[b"a", b"bc"]], object)]])


def branch_ranks(x, p):
    return tf.cond(p > 0, lambda: tf.expand_dims(x, 0), lambda: tf.reduce_sum(x)) * 2


both("rank_if", branch_ranks, [vector, number], [[v(3), scalar(1)], [v(3), scalar(0)]])
both(
    "rank_case",
    lambda x, i: tf.reduce_max(tf.switch_case(i, [lambda: x[:1], lambda: tf.concat([x, x], 0)[None], lambda: x[0]])),
    [vector, number],
    [[v(3), scalar(0)], [v(3), scalar(1)], [v(3), scalar(2)]],
)


def loop_rank(x, n):
    return tf.while_loop(
        lambda i, a: i < n,
        lambda i, a: (i + 1, tf.expand_dims(a * 2, 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
    )[1]


both("rank_loop", loop_rank, [vector, number], [[v(3), scalar(0)], [v(3), scalar(1)], [v(3), scalar(4)]])


def loop_reduce(x, n):
    return tf.while_loop(
        lambda i, a: tf.logical_and(i < n, tf.rank(a) > 0),
        lambda i, a: (i + 1, tf.reduce_sum(a, 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
    )


both("rank_loop_sum", lambda x, n: list(loop_reduce(x, n)), [cube, number], [[v(2, 3, 2), scalar(5)], [v(2, 3, 2), scalar(1)]])


def loop_carries(x, s, n):
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a * 2 + 1), [0, tf.reshape(x, s)])[1]


both("rank_carried", loop_carries, [matrix, lengths, number], [[v(2, 3), ints(3, 2), scalar(3)], [v(2, 3), ints(6), scalar(0)]])


def in_branch(x, s, p):
    y = tf.reshape(x, s)
    return tf.cond(p > 0, lambda: y + 1, lambda: tf.transpose(y))


both("rank_passed", in_branch, [matrix, lengths, number], [[v(2, 3), ints(3, 2), scalar(1)], [v(2, 3), ints(3, 2), scalar(0)]])
make(
    "rank_segments",
    lambda x, s, i: (tf.math.segment_sum(tf.reshape(x, s), i), tf.math.unsorted_segment_max(tf.reshape(x, s), i, 3)),
    [matrix, lengths, indices],
    [[v(4, 3), ints(4, 3), ints(0, 0, 1, 2)], [v(4, 3), ints(4, 1, 3), ints(0, 0, 1, 2)], [v(4, 3), ints(12), ints(0, 1)]],
)
