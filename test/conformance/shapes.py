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

# ---- gradients of TF1's TensorArrays
v1 = tf.compat.v1


def frames(name, build, shapes, *feeds):
    """A graph of the TF1 API, with Switch, Merge, Enter and Exit."""
    v1.disable_control_flow_v2()
    with tf.Graph().as_default() as g:
        holders = [v1.placeholder(tf.as_dtype(x.dtype), s, name=f"x{i}") for i, (x, s) in enumerate(zip(feeds[0], shapes))]
        y = build(*holders)
        floats = [h for h in holders if h.dtype == f32]
        out = [tf.identity(t) for t in [y, *tf.gradients(tf.reduce_sum(y * y), floats)]]
        for k, values in enumerate(feeds):
            with v1.Session(graph=g) as s:
                answers = s.run(out, dict(zip(holders, values)))
            write_case(f"{name}_{k}", g.as_graph_def(), list(zip(holders, values)), list(zip(out, answers)), "value")
    v1.enable_control_flow_v2()


def some(*shape):
    return np.random.RandomState(sum(shape)).randn(*shape).astype(np.float32)


def array_of(x):
    return tf.TensorArray(f32, size=tf.shape(x)[0], clear_after_read=False).unstack(x)


def turns(n, body, value, shape=None):
    return v1.while_loop(
        lambda i, a: i < n, lambda i, a: (i + 1, body(i, a)), [0, value], shape_invariants=shape and [tf.TensorShape([]), tf.TensorShape(shape)]
    )[1]


def read_twice(x, n):
    t = array_of(x)
    return turns(n, lambda i, a: a * t.read(i) + tf.sin(t.read(0)), tf.ones([tf.shape(x)[1]]), [None])


def written_and_read(x):
    n = tf.shape(x)[0]
    t = array_of(x)
    o = turns(n, lambda i, o: o.write(i, tf.sin(t.read(i)) * 2), tf.TensorArray(f32, size=n))
    return turns(n, lambda i, p: p.write(n - 1 - i, o.read(i) ** 2), tf.TensorArray(f32, size=n)).stack()


def nested(x):
    t = array_of(x)
    inner = lambda i, a: turns(i + 1, lambda j, b: b * 0.5 + t.read(j), a)
    return turns(tf.shape(x)[0], lambda i, a: a + inner(i, a), tf.zeros([2]))


def recurrent(x, w):
    t = array_of(x)
    return turns(tf.shape(x)[0], lambda i, h: tf.tanh(tf.matmul(h, w) + t.read(i)), tf.zeros([tf.shape(x)[1], 2]), [None, 2])


def growing(x, n):
    t = tf.TensorArray(f32, size=0, dynamic_size=True, element_shape=[None])
    return turns(n, lambda i, t: t.write(i, x * tf.cast(i, f32)), t).stack()


def joined(x):
    return tf.sin(tf.TensorArray(f32, size=2).write(0, x).write(1, x * x).concat())


def chosen(x, p):
    t = array_of(x)
    return v1.cond(p > 0, lambda: t.read(0) * 2, lambda: t.read(1) ** 2)


frames("gradient_read", read_twice, [[None, None], []], (some(3, 2), scalar(3)), (some(3, 2), scalar(1)))
frames("gradient_chain", written_and_read, [[None, None]], (some(3, 2),), (some(1, 2),))
frames("gradient_nested", nested, [[None, 2]], (some(3, 2),), (some(1, 2),))
frames("gradient_recurrent", recurrent, [[None, None, 2], [2, 2]], (some(3, 2, 2), some(2, 2)), (some(1, 1, 2), some(2, 2)))
frames("gradient_growing", growing, [[None], []], (some(3), scalar(3)), (some(1), scalar(1)))
frames("gradient_joined", joined, [[None, None]], (some(3, 2),), (some(1, 2),))
frames("gradient_chosen", chosen, [[2, 2], []], (some(2, 2), scalar(1)), (some(2, 2), scalar(0)))
frames("gradient_map", lambda x: tf.map_fn(lambda r: tf.reduce_sum(r) * tf.sin(r), x), [[None, None]], (some(3, 2),), (some(1, 2),))
frames("gradient_fold", lambda x: tf.foldl(lambda a, r: a * tf.sin(r), x), [[None, 2]], (some(3, 2),), (some(1, 2),))


# ---- lists of lists whose values differ in shape
def pushed(h, x):
    return raw.TensorListPushBack(input_handle=h, tensor=x)


def taken(h, i):
    h = raw.TensorListGetItem(input_handle=h, index=i, element_shape=tf.zeros([0], i32), element_dtype=tf.variant)
    return raw.TensorListLength(input_handle=h), raw.TensorListGetItem(input_handle=h, index=0, element_shape=-1, element_dtype=f32)


def lists():
    return raw.EmptyTensorList(element_shape=tf.zeros([0], i32), max_num_elements=-1, element_dtype=tf.variant)


def grown_lists(x, n, k):
    inner = lambda i: tf.while_loop(lambda j, h: j <= i, lambda j, h: (j + 1, pushed(h, x[: j + 2])), [0, new_list(-1)])[1]
    return taken(tf.while_loop(lambda i, o: i < n, lambda i, o: (i + 1, pushed(o, inner(i))), [0, lists()])[1], k)


def two_lists(x, y, k):
    return taken(pushed(pushed(lists(), pushed(pushed(new_list(-1), x), x[:1])), pushed(new_list(-1), y)), k)


make("ragged_lists_grown", grown_lists, [vector, number, number], [[v(5), scalar(4), scalar(2)], [v(5), scalar(1), scalar(0)]])
make("ragged_lists_two", two_lists, [vector, vector, number], [[v(5), v(3), scalar(0)], [v(5), v(3), scalar(1)]])
