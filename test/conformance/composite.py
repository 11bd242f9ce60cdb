"""Cases of whole little models: decoding loops, beam search, post-processing, text, gradients of loops. usage:
composite.py FOLDER"""

from make_case import *
v1 = tf.compat.v1
rs = np.random.RandomState(3)
W = tf.constant(rs.randn(8, 8).astype(np.float32) * 0.4)
E = tf.constant(rs.randn(12, 8).astype(np.float32))
O = tf.constant(rs.randn(8, 12).astype(np.float32))
strings = spec([None], tf.string)
longs = lambda *a: np.array(a, np.int64)
texts = lambda *a: np.array(a, object)
def greedy(start, n):
    def body(i, toks, cache):
        x = tf.gather(E, toks[:, -1]) @ W
        cache = tf.concat([cache, x[:, None]], 1)
        a = tf.nn.softmax(tf.einsum("bd,btd->bt", x, cache))
        c = tf.einsum("bt,btd->bd", a, cache)
        t = tf.argmax(c @ O, -1, output_type=i32)
        return i + 1, tf.concat([toks, t[:, None]], 1), cache
    return tf.while_loop(lambda i, t, c: i < n, body, [0, start[:, None], tf.zeros([tf.shape(start)[0], 0, 8])],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None, None, 8])])[1:]
both("m_greedy", lambda s, n: list(greedy(s, n)), [indices, number], [[ints(1, 5, 7), scalar(6)], [ints(2), scalar(0)]])
def beam(start, n):
    k = 3
    b = tf.shape(start)[0]
    toks = tf.tile(start[:, None, None], [1, k, 1])
    scores = tf.tile(tf.constant([[0.0, -1e9, -1e9]]), [b, 1])
    def body(i, toks, scores):
        lp = tf.nn.log_softmax(tf.gather(E, toks[:, :, -1]) @ W @ O)
        total = tf.reshape(scores[:, :, None] + lp, [b, -1])
        s, idx = tf.math.top_k(total, k)
        toks = tf.gather(toks, idx // 12, batch_dims=1)
        return i + 1, tf.concat([toks, (idx % 12)[:, :, None]], 2), s
    return tf.while_loop(lambda i, t, s: i < n, body, [0, toks, scores], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, k, None]), tf.TensorShape([None, k])])[1:]
both("m_beam", lambda s, n: list(beam(s, n)), [indices, number], [[ints(1, 5), scalar(4)]])
def early_stop(start):
    def cond(i, toks, done): return tf.logical_and(i < 20, tf.logical_not(tf.reduce_all(done)))
    def body(i, toks, done):
        t = tf.argmax(tf.gather(E, toks[:, -1]) @ W @ O, -1, output_type=i32)
        t = tf.where(done, 0, t)
        return i + 1, tf.concat([toks, t[:, None]], 1), tf.logical_or(done, tf.equal(t, 3))
    return tf.while_loop(cond, body, [0, start[:, None], tf.zeros_like(start, tf.bool)], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None])])[:2]
both("m_early", lambda s: list(early_stop(s)), [indices], [[ints(1, 5, 7)]])
def viterbi(scores):
    T = tf.constant(rs.randn(5, 5).astype(np.float32))
    def step(carry, x):
        s = carry[0][:, None] + T
        return tf.reduce_max(s, 0) + x, tf.argmax(s, 0, output_type=i32)
    init = (scores[0], tf.zeros([5], i32))
    st, bp = tf.scan(step, scores[1:], initializer=init)
    last = tf.argmax(st[-1], output_type=i32)
    path = tf.scan(lambda tag, b: b[tag], bp, initializer=last, reverse=True)
    return path, tf.reduce_max(st[-1])
both("m_viterbi", lambda s: list(viterbi(s)), [spec([None, 5], f32)], [[rs.randn(6, 5).astype(np.float32)], [rs.randn(2, 5).astype(np.float32)]])
def nms_batch(boxes, scores):
    def one(a):
        b, s = a
        k = tf.image.non_max_suppression(b, s, 3, 0.5)
        n = tf.shape(k)[0]
        return tf.pad(tf.gather(b, k), [[0, 3 - n], [0, 0]]), tf.pad(tf.gather(s, k), [[0, 3 - n]]), n
    return tf.map_fn(one, (boxes, scores), fn_output_signature=(spec([3, 4], f32), spec([3], f32), spec([], i32)))
bx = np.sort(rs.rand(2, 6, 2, 2).astype(np.float32), 2).reshape(2, 6, 4)
both("m_nms", lambda b, s: list(nms_batch(b, s)), [spec([None, None, 4], f32), matrix], [[bx, rs.rand(2, 6).astype(np.float32)]])
def ragged_nms(boxes, scores):
    def one(a):
        b, s = a
        return tf.gather(b, tf.image.non_max_suppression(b, s, 3, 0.5))
    y = tf.map_fn(one, (boxes, scores), fn_output_signature=tf.RaggedTensorSpec([None, 4], f32, ragged_rank=0))
    return y.to_tensor(), y.row_lengths()
both("m_ragged_nms", lambda b, s: list(ragged_nms(b, s)), [spec([None, None, 4], f32), matrix], [[bx, rs.rand(2, 6).astype(np.float32)]])
def masked_rnn(x, lengths):
    cell_w = tf.constant(rs.randn(3 + 4, 4).astype(np.float32))
    ta = tf.TensorArray(f32, size=0, dynamic_size=True)
    def body(i, h, ta):
        nh = tf.tanh(tf.concat([x[:, i], h], 1) @ cell_w)
        m = tf.cast(i < lengths, f32)[:, None]
        h = m * nh + (1 - m) * h
        return i + 1, h, ta.write(i, h)
    _, h, ta = tf.while_loop(lambda i, h, t: i < tf.shape(x)[1], body, [0, tf.zeros([tf.shape(x)[0], 4]), ta])
    return h, tf.transpose(ta.stack(), [1, 0, 2])
both("m_rnn", lambda x, l: list(masked_rnn(x, l)), [spec([None, None, 3], f32), indices], [[rs.randn(2, 5, 3).astype(np.float32), ints(3, 5)]])
def bucket_words(x):
    words = tf.strings.split(tf.strings.regex_replace(tf.strings.lower(x), r"[^a-z0-9 ]", ""))
    ids = tf.strings.to_hash_bucket_fast(words, 12)
    e = tf.nn.embedding_lookup(E, ids)
    return tf.math.divide_no_nan(tf.reduce_sum(e, 1), tf.cast(words.row_lengths(), f32)[:, None]), words.row_lengths()
make("m_words", lambda x: list(bucket_words(x)), [strings], [[texts(b"Hello, world!", b"", b"a b c d")]])
def char_cnn(x):
    c = tf.strings.unicode_decode(x, "UTF-8").to_tensor(0, shape=[None, 8])
    e = tf.gather(E, c % 12)
    return tf.reduce_max(tf.nn.relu(tf.nn.conv1d(e, tf.constant(rs.randn(3, 8, 4).astype(np.float32)), 1, "SAME")), 1)
make("m_chars", char_cnn, [strings], [[texts(b"Hello", "héé".encode(), b"")]])
def bpe(x):
    def merge(w):
        chars = tf.strings.unicode_split(w, "UTF-8")
        def body(i, c):
            pair = tf.strings.join([c[:-1], c[1:]])
            hit = tf.where(tf.equal(pair, "ll"))
            def do():
                k = tf.cast(hit[0, 0], i32)
                return tf.concat([c[:k], ["ll"], c[k + 2:]], 0)
            return i + 1, tf.cond(tf.size(hit) > 0, do, lambda: c)
        return tf.while_loop(lambda i, c: tf.logical_and(i < 3, tf.size(c) > 1), body, [0, chars], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])[1]
    y = tf.map_fn(merge, x, fn_output_signature=tf.RaggedTensorSpec([None], tf.string))
    return y.values, y.row_lengths()
both("m_bpe", lambda x: list(bpe(x)), [strings], [[texts(b"hello all", b"x", b"llll")]])
def crop_list(img, boxes):
    def one(b):
        h, w = b[2], b[3]
        return tf.image.resize(img[b[0]:b[0] + h, b[1]:b[1] + w], [4, 4])
    return tf.map_fn(one, boxes, fn_output_signature=spec([4, 4, 3], f32))
both("m_crops", crop_list, [spec([None, None, 3], f32), spec([None, 4], i32)], [[v(9, 8, 3), ints(0, 0, 3, 4, 2, 1, 5, 5).reshape(2, 4)]])
def pyramid(x):
    outs = tf.TensorArray(f32, size=0, dynamic_size=True, infer_shape=False)
    def body(i, x, t): return i + 1, tf.nn.avg_pool2d(x, 2, 2, "SAME"), t.write(i, tf.reshape(x, [-1]))
    _, x, t = tf.while_loop(lambda i, x, t: tf.shape(x)[1] > 1, body, [0, x, outs], shape_invariants=[tf.TensorShape([]), tf.TensorShape([1, None, None, 1]), None])
    return x, t.concat(), t.size()
both("m_pyramid", lambda x: list(pyramid(x)), [spec([1, None, None, 1], f32)], [[v(1, 8, 8, 1)], [v(1, 5, 5, 1)]])
def topk_sparse(x, k):
    val, idx = tf.math.top_k(x, k)
    rows = tf.repeat(tf.range(tf.shape(x)[0]), k)
    st = tf.sparse.reorder(tf.SparseTensor(tf.cast(tf.stack([rows, tf.reshape(idx, [-1])], 1), tf.int64), tf.reshape(val, [-1]), tf.shape(x, tf.int64)))
    return tf.sparse.to_dense(st), tf.sparse.reduce_sum(st, 1)
make("m_topk", lambda x, k: list(topk_sparse(x, k)), [matrix, number], [[rs.randn(3, 5).astype(np.float32), scalar(2)]])
def unique_counts(x):
    u, i, c = tf.unique_with_counts(x)
    o = tf.argsort(c, direction="DESCENDING", stable=True)
    return tf.gather(u, o), tf.gather(c, o), tf.math.segment_max(tf.sort(i), tf.range(tf.size(i)) // 2)
make("m_unique", lambda x: list(unique_counts(x)), [indices], [[ints(3, 1, 3, 2, 3, 1)], [ints(4)]])
def partition(x, p):
    a, b = tf.dynamic_partition(x, p, 2)
    y = tf.dynamic_stitch(tf.dynamic_partition(tf.range(tf.shape(x)[0]), p, 2), [a * 2, b @ tf.ones([3, 3])])
    return y, tf.shape(a)
make("m_partition", lambda x, p: list(partition(x, p)), [spec([None, 3], f32), indices], [[v(4, 3), ints(0, 1, 1, 0)], [v(2, 3), ints(1, 1)]])
def collatz(n):
    def body(x, t): 
        x = tf.cond(tf.equal(x % 2, 0), lambda: x // 2, lambda: 3 * x + 1)
        return x, t.write(t.size(), x)
    x, t = tf.while_loop(lambda x, t: x > 1, body, [n, tf.TensorArray(i32, 0, dynamic_size=True)])
    return t.stack()
both("m_collatz", collatz, [number], [[scalar(6)], [scalar(7)]])
def two_level(x, n):
    def outer(i, acc):
        def inner(j, t): return j + 1, t.write(j, x[j] * tf.cast(i, f32))
        _, t = tf.while_loop(lambda j, t: j <= i, inner, [0, tf.TensorArray(f32, 0, dynamic_size=True)])
        return i + 1, acc.write(i, tf.reduce_sum(t.stack()))
    return tf.while_loop(lambda i, a: i < n, outer, [0, tf.TensorArray(f32, n)])[1].stack()
both("m_two_level", two_level, [vector, number], [[v(5), scalar(4)]])
def switch_shapes(x, i):
    y = tf.switch_case(i, [lambda: tf.reshape(x, [1, -1]), lambda: tf.concat([x, x], 0), lambda: tf.reduce_sum(x)])
    z = y * 2 + 1
    return z, tf.reduce_sum(z), tf.shape(z), tf.reshape(z, [-1])
both("m_switch", lambda x, i: list(switch_shapes(x, i)), [vector, number], [[v(3), scalar(0)], [v(3), scalar(1)], [v(3), scalar(2)]])
def assertions(x):
    with tf.control_dependencies([tf.debugging.assert_greater(tf.size(x), 0), tf.print("x")]):
        return tf.reduce_mean(x)
make("m_assert", assertions, [vector], [[v(3)]])
def padded_batch(values, splits):
    r = tf.RaggedTensor.from_row_splits(values, splits)
    d = r.to_tensor(default_value=-1.0)
    m = tf.sequence_mask(r.row_lengths(), tf.shape(d)[1])
    a = tf.nn.softmax(tf.where(m, d, -1e9))
    back = tf.RaggedTensor.from_tensor(a, lengths=r.row_lengths())
    return a, back.values
make("m_padded", lambda a, s: list(padded_batch(a, s)), [vector, spec([None], tf.int64)], [[v(6), longs(0, 2, 2, 5, 6)]])
def group_by(keys, vals):
    u, idx = tf.unique(keys)
    s = tf.math.unsorted_segment_sum(vals, idx, tf.size(u))
    r = tf.RaggedTensor.from_value_rowids(tf.gather(vals, tf.argsort(idx, stable=True)), tf.sort(idx))
    return u, s, r.to_tensor(), tf.map_fn(lambda g: tf.reduce_max(g), r, fn_output_signature=spec([], f32))
make("m_group", lambda k, a: list(group_by(k, a)), [strings, vector], [[texts(b"a", b"b", b"a", b"c"), v(4)]])
def v1_case(name, build, feeds):
    with tf.Graph().as_default() as g:
        v1.set_random_seed(1)
        holders = [v1.placeholder(tf.as_dtype(x.dtype), [None] * x.ndim if not hasattr(x, 'fixed') else x.shape, name=f"x{i}") for i, x in enumerate(feeds)]
        out = build(*holders); out = list(out) if isinstance(out, (list, tuple)) else [out]
        with v1.Session(graph=g) as s:
            s.run(v1.global_variables_initializer())
            frozen = v1.graph_util.convert_variables_to_constants(s, g.as_graph_def(), [o.op.name for o in out])
            ans = s.run(out, dict(zip(holders, feeds)))
    write_case(name, frozen, list(zip(holders, feeds)), list(zip(out, ans)), "value")
def dyn_v1(control):
    def f(x, n):
        (v1.enable_control_flow_v2 if control else v1.disable_control_flow_v2)()
        x = tf.ensure_shape(x, [None, None, 3])
        w = v1.get_variable("w", [7, 4])
        def body(t, h, ta):
            nh = tf.tanh(tf.concat([x[:, t], h], 1) @ w)
            nh = tf.where(tf.broadcast_to((t < n)[:, None], tf.shape(nh)), nh, h)
            return t + 1, nh, ta.write(t, nh)
        T = tf.shape(x)[1]
        _, h, ta = v1.while_loop(lambda t, h, ta: t < tf.minimum(T, tf.reduce_max(n)), body, [0, tf.zeros([tf.shape(x)[0], 4]), tf.TensorArray(f32, T)])
        return h, ta.size()
    return f
v1_case("m_v1_frames", dyn_v1(False), [rs.randn(2, 4, 3).astype(np.float32), ints(2, 3)])
v1_case("m_v1_v2", dyn_v1(True), [rs.randn(2, 4, 3).astype(np.float32), ints(2, 3)])
def grad_while(x):
    v1.disable_control_flow_v2()
    y = v1.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.sin(a) * a), [0, x])[1]
    return y, tf.gradients(y, x)[0]
v1_case("m_v1_gradient", grad_while, [v(3)])
def grad_while2(x):
    v1.enable_control_flow_v2()
    y = v1.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.sin(a) * a), [0, x])[1]
    return y, tf.gradients(y, x)[0]
v1_case("m_v2_gradient", grad_while2, [v(3)])
def tape(x):
    with tf.GradientTape() as t:
        t.watch(x)
        y = tf.reduce_sum(tf.map_fn(lambda a: a * a * tf.sin(a), x))
    return t.gradient(y, x)
both("m_tape_map", tape, [vector], [[v(4)]])
def jac(x):
    with tf.GradientTape() as t:
        t.watch(x)
        y = x * tf.reduce_sum(x)
    return t.jacobian(y, x)
both("m_jacobian", jac, [spec([4], f32)], [[v(4)]])
def hess(x):
    with tf.GradientTape() as a:
        a.watch(x)
        with tf.GradientTape() as t:
            t.watch(x)
            y = tf.reduce_sum(tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * x), [0, x])[1])
        g = t.gradient(y, x)
    return a.gradient(g, x)
make("m_second", hess, [vector], [[v(3) / 3]])

# functions with run-time ranks across calls, nested branches
@tf.function
def helper(z): return tf.reduce_sum(z * 2, keepdims=True) + z
make("x_fn_rank", lambda a, s: helper(tf.reshape(a, s)), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
both("x_nested_if", lambda x, p, q: tf.cond(p > 0, lambda: tf.cond(q > 0, lambda: x[0], lambda: x), lambda: tf.stack([x, x])) + 1, [vector, number, number], [[v(3), scalar(1), scalar(1)], [v(3), scalar(1), scalar(0)], [v(3), scalar(0), scalar(0)]])
make("x_rank_reduce_all", lambda a, s: (tf.reduce_mean(tf.reshape(a, s)), tf.reduce_max(tf.reshape(a, s), -1), tf.argmax(tf.reshape(a, s), -1)), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
make("x_rank_norm", lambda a, s: tf.nn.softmax(tf.reshape(a, s)), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(1, 2, 3)]])
make("x_rank_cast", lambda a, s: tf.cast(tf.cast(tf.reshape(a, s), f32), tf.int32) + 1, [matrix, indices], [[v(2, 3), ints(3, 2)]])
make("x_rank_expand", lambda a, s: tf.squeeze(tf.expand_dims(tf.reshape(a, s), -1), -1)[0], [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
make("x_rank_flatten", lambda a, s: tf.reshape(tf.reshape(a, s), [tf.shape(tf.reshape(a, s))[0], -1]), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(3, 1, 2)]])
make("x_rank_like", lambda a, s: (tf.zeros_like(tf.reshape(a, s)), tf.ones_like(tf.reshape(a, s)) + tf.reshape(a, s)), [matrix, indices], [[v(2, 3), ints(3, 2)]])
make("x_rank_strings", lambda a, s: tf.strings.join([tf.reshape(a, s), "!"]), [strings, indices], [[texts(b"a", b"b"), ints(2, 1)], [texts(b"a"), ints()]])
make("x_rank_split", lambda a, s: tf.split(tf.reshape(a, s), 2, -1), [matrix, indices], [[v(2, 4), ints(4, 2)], [v(2, 4), ints(8)]])
make("x_rank_strided", lambda a, s: tf.reshape(a, s)[..., 0], [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
make("x_rank_transpose", lambda a, s: tf.transpose(tf.reshape(a, s)), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(1, 2, 3)]])
make("x_rank_where", lambda a, s: tf.where(tf.reshape(a, s) > 2), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
make("x_rank_mask", lambda a, s: tf.gather_nd(tf.reshape(a, s), tf.where(tf.reshape(a, s) > 2)), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
make("x_rank_einsum", lambda a, s: tf.einsum("...i,ij->...j", tf.reshape(a, s), tf.ones([2, 4])), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(1, 3, 2)]])
make("x_rank_tile_like", lambda a, b: tf.broadcast_to(a, tf.shape(tf.squeeze(b))), [vector, cube], [[v(3), v(2, 1, 3)], [v(1), v(1, 1, 4)]])
make("x_rank_pick", lambda a, s: tf.unstack(tf.shape(tf.reshape(a, s)), num=2), [matrix, indices], [[v(2, 3), ints(3, 2)]])
make("x_rank_clip", lambda a, s: tf.clip_by_value(tf.reshape(a, s), 2.0, 4.0), [matrix, indices], [[v(2, 3), ints(3, 2)]])
make("x_rank_select", lambda a, s, c: tf.where(c, tf.reshape(a, s), 0.0), [matrix, indices, spec([], tf.bool)], [[v(2, 3), ints(3, 2), np.bool_(True)]])
make("x_rank_addn", lambda a, s: tf.add_n([tf.reshape(a, s), tf.reshape(a * 2, s)]), [matrix, indices], [[v(2, 3), ints(3, 2)]])
make("x_eq_chain", lambda a, b: tf.reduce_all(a == b), [matrix, matrix], [[v(2, 3), v(2, 3)], [v(2, 3), v(3, 2)]])
make("x_eq_where", lambda a, b: tf.where(a == b, 1.0, 0.0), [vector, vector], [[v(3), v(3)], [v(3), v(2)]])
make("x_eq_cond", lambda a, b: tf.cond(tf.reduce_all(a == b), lambda: tf.reduce_sum(a), lambda: tf.reduce_sum(b)), [vector, vector], [[v(3), v(3)], [v(3), v(2)]])
make("x_eq_str", lambda a, b: a == b, [strings, strings], [[texts(b"a", b"b"), texts(b"a", b"c")], [texts(b"a", b"b"), texts(b"a", b"c", b"d")]])
make("x_list_rank", lambda a, s: raw.TensorListStack(input_handle=raw.TensorListFromTensor(tensor=tf.reshape(a, s), element_shape=np.int32(-1)), element_shape=np.int32(-1), element_dtype=f32), [matrix, indices], [[v(2, 3), ints(3, 2)], [v(2, 3), ints(6)]])
def opt_loop(x, n):
    o = raw.OptionalNone()
    def body(i, o): return i + 1, raw.OptionalFromValue(components=[x * tf.cast(i, f32)])
    _, o = tf.while_loop(lambda i, o: i < n, body, [0, o])
    return tf.cond(raw.OptionalHasValue(optional=o), lambda: raw.OptionalGetValue(optional=o, output_types=[f32], output_shapes=[[None]])[0], lambda: x)
both("x_opt_loop", opt_loop, [vector, number], [[v(3), scalar(3)], [v(3), scalar(0)]])
def ragged_loop(values, splits, n):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    def body(i, x): return i + 1, tf.concat([x, x[:1]], 0)
    x = tf.while_loop(lambda i, x: i < n, body, [0, x], shape_invariants=[tf.TensorShape([]), tf.RaggedTensorSpec([None, None], f32)])[1]
    return x.values, x.row_splits
both("x_ragged_loop", ragged_loop, [vector, spec([None], tf.int64), number], [[v(4), longs(0, 1, 4), scalar(2)]])
def ragged_cond(values, splits, p):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    y = tf.cond(p > 0, lambda: x * 2, lambda: x[:1])
    return y.values, y.row_splits
both("x_ragged_cond", ragged_cond, [vector, spec([None], tf.int64), number], [[v(4), longs(0, 1, 4), scalar(1)], [v(4), longs(0, 1, 4), scalar(0)]])
def map_ragged_str(x):
    y = tf.map_fn(lambda s: tf.strings.split(s), x, fn_output_signature=tf.RaggedTensorSpec([None], tf.string))
    return y.values, y.row_splits
both("x_map_split", map_ragged_str, [strings], [[texts(b"a b", b"", b"c d e")], [texts()]])
def map_two(x):
    a, b = tf.map_fn(lambda n: (tf.range(n), tf.ones([n, 2])), x, fn_output_signature=(tf.RaggedTensorSpec([None], i32), tf.RaggedTensorSpec([None, 2], f32, ragged_rank=0)))
    return a.values, a.row_splits, b.values, b.row_splits
both("x_map_two", map_two, [indices], [[ints(2, 0, 3)]])
def foldr_str(x): return tf.foldr(lambda a, b: tf.strings.join([a, b]), x)
both("x_foldr", foldr_str, [strings], [[texts(b"a", b"b", b"c")]])
def var_fn(x):
    return tf.gather(tf.constant(v(5, 2)), x)
make("x_gather", var_fn, [indices], [[ints(1, 4)]])
