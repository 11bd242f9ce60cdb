"""Makes shapes.tar.xz: sizes, axes and permutations that only running tells, of which 0 and 1 are fed as well. Needs TensorFlow; run by hand:
python shapes.py FOLDER, then tar the folder `sizes` in it."""

from make_case import *

rank4 = spec([None] * 4, f32)
x3 = v(2, 3, 4)

# ---- Reshape: what -1 stands for where sizes are 0
empty = [[v(0, 0, 4)], [v(0, 3, 4)], [v(2, 0, 4)], [v(2, 3, 4)], [v(0, 0, 0)], [v(0, 2, 0)]]
make("rest_const", lambda x: tf.reshape(x, [0, -1]), [cube], [empty[0], empty[1], empty[4], empty[5]])
make("rest_batch", lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), [cube], empty)
make("rest_last", lambda x: tf.reshape(x, [-1, tf.shape(x)[1]]), [cube], empty)
make(
    "rest_fed",
    lambda x, s: tf.reshape(x, s),
    [cube, pair],
    [[e[0], ints(e[0].shape[0], -1)] for e in empty] + [[e[0], ints(-1, e[0].shape[1])] for e in empty],
)
make("rest_rank", lambda x, s: tf.reshape(x, s), [cube, indices], [[v(0, 0, 4), ints(0, -1)], [v(0, 0, 4), ints(0, -1, 2)]])


def masked(x):
    y = tf.boolean_mask(x, x[:, 0, 0] > 3)
    y = tf.transpose(y, [1, 0, 2])[: tf.shape(y)[0]]
    return tf.reshape(y, [tf.shape(y)[0], -1])


make("rest_masked", masked, [cube], [[v(2, 3, 4)], [-v(2, 3, 4)]])

# ---- an index is looked at although there is nothing to take
make(
    "index_of_nothing",
    lambda x, a: x[:, a],
    [matrix, number],
    [
        [v(0, 0), scalar(0)],
        [v(0, 0), scalar(-1)],
        [v(0, 3), scalar(1)],
        [v(0, 3), scalar(4)],
        [v(2, 3), scalar(-1)],
        [v(2, 0), scalar(0)],
    ],
)


# ---- convolutions by filters of unknown sizes
def transposed(x, w, padding="SAME", stride=2):
    s = tf.shape(x)
    k = tf.shape(w)
    over = [0, 0] if padding == "SAME" else [k[0] - stride, k[1] - stride]
    return tf.nn.conv2d_transpose(x, w, [s[0], s[1] * stride + over[0], s[2] * stride + over[1], k[2]], stride, padding)


filters = [[v(1, 3, 4, 2), v(3, 3, 5, 2)], [v(2, 3, 4, 2), v(2, 2, 1, 2)], [v(0, 3, 4, 2), v(3, 3, 5, 2)], [v(1, 3, 4, 2), v(3, 3, 5, 3)]]
make("transposed", transposed, [rank4, rank4], filters)
make("transposed_valid", lambda x, w: transposed(x, w, "VALID"), [rank4, rank4], filters[:2])
make("transposed_plain", lambda x, w: transposed(x, w, stride=1), [rank4, spec([3, 3, None, 2], f32)], filters[:1])
make(
    "transposed_3d",
    lambda x, w: tf.nn.conv3d_transpose(x, w, [1, 4, 4, 6, tf.shape(w)[3]], [1, 2, 2, 2, 1], "SAME"),
    [spec([None] * 5, f32)] * 2,
    [[v(1, 2, 2, 3, 2), v(2, 2, 3, 3, 2)], [v(1, 2, 2, 2, 2), v(2, 2, 3, 3, 2)]],
)
make(
    "transposed_depthwise",
    lambda x, w: raw.DepthwiseConv2dNativeBackpropInput(
        input_sizes=[1, 5, 4, tf.shape(w)[2]], filter=w, out_backprop=x, strides=[1, 2, 2, 1], padding="SAME"
    ),
    [rank4, rank4],
    [[v(1, 3, 2, 6), v(3, 3, 2, 3)], [v(1, 3, 2, 6), v(3, 3, 3, 2)], [v(1, 3, 2, 6), v(3, 3, 2, 2)]],
)
make(
    "grouped",
    lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"),
    [rank4, rank4],
    [
        [v(1, 4, 4, 6), v(3, 3, 2, 6)],
        [v(1, 4, 4, 2), v(3, 3, 2, 6)],
        [v(2, 4, 4, 4), v(3, 3, 2, 6)],
        [v(1, 4, 4, 5), v(3, 3, 2, 6)],
        [v(1, 4, 4, 4), v(3, 3, 2, 5)],
    ],
)

# ---- axes
x5 = v(1, 2, 3, 4, 2)
make(
    "transpose_5",
    lambda x, p: tf.transpose(x, p),
    [spec([None] * 5, f32), spec([5], i32)],
    [
        [x5, ints(4, 3, 2, 1, 0)],
        [x5, ints(1, 0, 4, 2, -2)],
        [x5, ints(1, 0, 4, 2, 2)],
        [x5, ints(1, 0, 4, 2, 5)],
        [v(1, 2, 0, 4, 2), ints(4, 0, 1, 2, 3)],
    ],
)
make("transpose_5_any", lambda x, p: tf.transpose(x, p), [spec([None] * 5, f32), indices], [[x5, ints(4, 3, 2, 1, 0)], [x5, ints(1, 0, 4, 2)]])
make("transpose_6", lambda x, p: tf.transpose(x, p) * 2, [spec([None] * 6, f32), spec([6], i32)], [[v(1, 2, 3, 2, 2, 2), ints(5, 4, 3, 2, 1, 0)]])
words = np.array([["a", "b", "c"], ["d", "e", "f"]])
texts = spec([None, None], tf.string)
for keep in (False, True):
    name = "keep" if keep else "drop"
    join = lambda x, a: tf.strings.reduce_join(x, a, separator="-", keepdims=keep)
    make("join_one_" + name, join, [texts, number], [[words, scalar(0)], [words, scalar(-1)], [words, scalar(2)]])
    make("join_two_" + name, join, [texts, pair], [[words, ints(0, 1)], [words, ints(1, 0)], [words, ints(1, 1)]])
    make("join_any_" + name, join, [texts, indices], [[words, ints(1, 0)], [words, ints(1)], [words, ints()]])
for name, reduce in (("sum", tf.reduce_sum), ("norm", tf.math.reduce_euclidean_norm), ("deviation", tf.math.reduce_std)):
    make("reduce_" + name, lambda x, a: reduce(x / 24, a), [cube, indices], [[x3, ints(0, 2)], [x3, ints()], [x3, ints(1, 1)]])

# ---- slices whose bounds are vectors of any length
make(
    "slice_any",
    lambda x, b, e: tf.strided_slice(x, b, e),
    [spec([None] * 4, f32), indices, indices],
    [
        [v(5, 4, 2, 3), ints(1, 0), ints(3, -1)],
        [v(5, 4, 2, 3), ints(1), ints(3)],
        [v(5, 4, 2, 3), ints(1, 1, 1, 1), ints(3, 3, 3, 3)],
        [v(5, 4, 2, 3), ints(), ints()],
        [v(5, 4, 2, 3), ints(1, 0), ints(3)],
    ],
)


# ---- what was said of the elements of a list
def new_list(shape):
    return raw.EmptyTensorList(element_shape=shape, max_num_elements=-1, element_dtype=f32)


def said(h):
    return raw.TensorListElementShape(input_handle=h, shape_type=i32)


make("said_fed", lambda s: said(new_list(s)), [pair], [[ints(2, 3)], [ints(-1, 3)]])
make("said_any", lambda s: said(new_list(s)), [indices], [[ints(2, 3)], [ints(5)], [ints()]])
make(
    "said_pushed",
    lambda s, x: said(raw.TensorListPushBack(input_handle=new_list(s), tensor=x)),
    [pair, matrix],
    [[ints(2, 3), v(2, 3)], [ints(-1, 3), v(2, 3)]],
)
make(
    "said_reserved",
    lambda n, s: said(raw.TensorListReserve(element_shape=s, num_elements=n, element_dtype=f32)),
    [number, pair],
    [[scalar(2), ints(-1, 3)]],
)
make(
    "said_unstacked",
    lambda x: said(raw.TensorListFromTensor(tensor=x, element_shape=tf.shape(x)[1:])),
    [cube],
    [[v(4, 2, 3)], [v(0, 2, 3)]],
)
make(
    "unique_axis",
    lambda x, a: raw.UniqueWithCountsV2(x=x, axis=a),
    [matrix, spec([1], i32)],
    [[np.float32([[1, 2], [1, 2], [3, 4]]), ints(0)], [np.float32([[1, 1], [2, 2]]), ints(1)]],
)

# ---- sizes that grow too complex when whether they fit is said clumsily
make("overlap_and_add", lambda x: tf.signal.overlap_and_add(x, 2), [cube], [[v(2, 3, 4)], [v(1, 1, 2)], [v(2, 3, 5)]])
