"""Cases of loops and branches. usage: control_flow.py FOLDER"""

from make_case import *

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
