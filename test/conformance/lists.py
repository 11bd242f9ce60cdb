"""Cases of lists, tensor arrays, lists of lists and ragged values in loops. usage: lists.py FOLDER"""

from make_case import *

strings = spec([None], tf.string)
no_dims = np.zeros(0, np.int32)


def texts(*values):
    return np.array(values, object)


# ---- lists of every kind


def lists_added(a):
    l = raw.TensorListFromTensor(tensor=a, element_shape=[-1])
    z = raw.ZerosLike(x=l)
    s = raw.AddN(inputs=[l, z, l])
    return raw.TensorListStack(input_handle=s, element_shape=[-1], element_dtype=f32)


make("list_add_n", lists_added, [matrix], [[v(2, 3)]])


def split_list(a, n):
    l = raw.TensorListSplit(tensor=a, element_shape=[-1, 2], lengths=n)
    return (
        raw.TensorListGetItem(input_handle=l, index=1, element_shape=[-1, 2], element_dtype=f32),
        raw.TensorListConcatV2(input_handle=l, element_shape=[-1, 2], leading_dims=tf.zeros([0], tf.int64), element_dtype=f32)[0],
        raw.TensorListLength(input_handle=l),
    )


make(
    "list_split",
    split_list,
    [spec([None, 2], f32), spec([None], tf.int64)],
    [[v(5, 2), np.array([2, 3], np.int64)], [v(5, 2), np.array([1, 0, 4], np.int64)], [v(5, 2), np.array([1, 3], np.int64)]],
)


def gathered(a, n, i):
    l = raw.TensorListSplit(tensor=a, element_shape=[-1], lengths=n)
    return raw.TensorListGather(input_handle=l, indices=i, element_shape=[-1], element_dtype=f32)


make(
    "list_gather_split",
    gathered,
    [vector, spec([None], tf.int64), indices],
    [[v(5), np.array([2, 1, 2], np.int64), ints(2, 0)], [v(5), np.array([2, 1, 2], np.int64), ints(1, 0)]],
)


def scattered(a, i, n):
    l = raw.TensorListScatterV2(tensor=a, indices=i, element_shape=[-1], num_elements=n)
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32), raw.TensorListLength(input_handle=l)


make(
    "list_scatter",
    scattered,
    [matrix, indices, number],
    [[v(2, 3), ints(3, 0), scalar(5)], [v(2, 3), ints(3, 0), scalar(-1)], [v(2, 3), ints(3, 0), scalar(2)]],
)


def scattered_into_ragged(a, n, i, b):
    l = raw.TensorListSplit(tensor=a, element_shape=[-1], lengths=n)
    l = raw.TensorListScatterIntoExistingList(input_handle=l, tensor=b, indices=i)
    return raw.TensorListConcatV2(input_handle=l, element_shape=[-1], leading_dims=tf.zeros([0], tf.int64), element_dtype=f32)


make(
    "list_scatter_ragged",
    lambda a, n, i, b: list(scattered_into_ragged(a, n, i, b)),
    [vector, spec([None], tf.int64), indices, matrix],
    [[v(5), np.array([2, 1, 2], np.int64), ints(1), v(1, 4)]],
)


def ragged_stack_unset(n):
    l = raw.TensorListReserve(element_shape=[-1], num_elements=n, element_dtype=f32)
    l = raw.TensorListSetItem(input_handle=l, index=1, item=tf.ones([3]))
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32)


make("list_unset", ragged_stack_unset, [number], [[scalar(3)], [scalar(2)], [scalar(1)]])


def get_unset(n):
    l = raw.TensorListReserve(element_shape=[-1], num_elements=n, element_dtype=f32)
    l = raw.TensorListSetItem(input_handle=l, index=1, item=tf.ones([3]))
    return raw.TensorListGetItem(input_handle=l, index=0, element_shape=[3], element_dtype=f32)


make("list_get_unset", get_unset, [number], [[scalar(3)]])


def resized(a, n):
    l = raw.TensorListFromTensor(tensor=a, element_shape=[-1])
    l = raw.TensorListResize(input_handle=l, size=n)
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32), raw.TensorListElementShape(
        input_handle=l, shape_type=tf.int32
    )


make("list_resize", resized, [matrix, number], [[v(2, 3), scalar(1)], [v(2, 3), scalar(4)]])


def joined(a, b):
    x = raw.TensorListFromTensor(tensor=a, element_shape=[-1])
    y = raw.TensorListFromTensor(tensor=b, element_shape=[-1])
    l = raw.TensorListConcatLists(input_a=x, input_b=y, element_dtype=f32)
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32)


make("list_join", joined, [matrix, matrix], [[v(2, 3), v(1, 3)]])


def joined_ragged(a, b):
    x = raw.TensorListFromTensor(tensor=a, element_shape=[-1])
    y = raw.TensorListFromTensor(tensor=b, element_shape=[-1])
    l = raw.TensorListConcatLists(input_a=x, input_b=y, element_dtype=f32)
    return (
        raw.TensorListConcatV2(input_handle=l, element_shape=[-1], leading_dims=tf.zeros([0], tf.int64), element_dtype=f32)[0],
        raw.TensorListGetItem(input_handle=l, index=2, element_shape=[-1], element_dtype=f32),
    )


make("list_join_ragged", joined_ragged, [matrix, matrix], [[v(2, 3), v(1, 2)]])


def string_list(x, n):
    l = raw.TensorListReserve(element_shape=no_dims, num_elements=n, element_dtype=tf.string)

    def body(i, l):
        return i + 1, raw.TensorListSetItem(input_handle=l, index=i, item=tf.strings.join([x[0], tf.strings.as_string(i)]))

    _, l = tf.while_loop(lambda i, l: i < n - 1, body, [0, l])
    return raw.TensorListStack(input_handle=l, element_shape=no_dims, element_dtype=tf.string)


both("list_strings", string_list, [strings, number], [[texts(b"a"), scalar(4)]])


def list_from_branch(x, p):
    l = tf.cond(
        p > 0,
        lambda: raw.TensorListPushBack(input_handle=raw.TensorListFromTensor(tensor=x, element_shape=[-1]), tensor=x[0]),
        lambda: raw.TensorListFromTensor(tensor=x[:1], element_shape=[-1]),
    )
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32), raw.TensorListLength(input_handle=l)


both("list_branch", list_from_branch, [matrix, number], [[v(2, 3), scalar(1)], [v(2, 3), scalar(0)]])


def empty_in_branch(x, p):
    l = raw.EmptyTensorList(element_shape=[-1], max_num_elements=-1, element_dtype=f32)
    l = tf.cond(p > 0, lambda: raw.TensorListPushBack(input_handle=l, tensor=x[0]), lambda: l)
    l = raw.TensorListPushBack(input_handle=l, tensor=x[1])
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32)


both("list_empty_branch", empty_in_branch, [matrix, number], [[v(2, 3), scalar(1)], [v(2, 3), scalar(0)]])


def different_in_branches(x, p):
    l = raw.EmptyTensorList(element_shape=[-1], max_num_elements=-1, element_dtype=f32)
    l = tf.cond(
        p > 0,
        lambda: raw.TensorListPushBack(input_handle=l, tensor=x[:2]),
        lambda: raw.TensorListPushBack(input_handle=raw.TensorListPushBack(input_handle=l, tensor=x[:1]), tensor=x),
    )
    return raw.TensorListConcatV2(input_handle=l, element_shape=[-1], leading_dims=tf.zeros([0], tf.int64), element_dtype=f32)


both("list_branch_ragged", lambda x, p: list(different_in_branches(x, p)), [vector, number], [[v(3), scalar(1)], [v(3), scalar(0)]])


def two_lists_by_branch(x, p):
    def some(k):
        l = raw.TensorListReserve(element_shape=[-1], num_elements=k, element_dtype=f32)
        return l

    l = tf.cond(p > 0, lambda: some(2), lambda: some(3))
    l = raw.TensorListSetItem(input_handle=l, index=1, item=x)
    return raw.TensorListStack(input_handle=l, element_shape=[-1], element_dtype=f32)


both("list_branch_lengths", two_lists_by_branch, [vector, number], [[v(3), scalar(1)], [v(3), scalar(0)]])


# ---- lists of lists


def list_of_lists(x, n):
    outer = raw.EmptyTensorList(element_shape=no_dims, max_num_elements=-1, element_dtype=tf.variant)

    def body(i, outer):
        inner = raw.TensorListFromTensor(tensor=x * tf.cast(i, f32), element_shape=[-1])
        return i + 1, raw.TensorListPushBack(input_handle=outer, tensor=inner)

    _, outer = tf.while_loop(lambda i, l: i < n, body, [0, outer])
    outer, last = raw.TensorListPopBack(input_handle=outer, element_shape=no_dims, element_dtype=tf.variant)
    first = raw.TensorListGetItem(input_handle=outer, index=1, element_shape=no_dims, element_dtype=tf.variant)
    first = raw.TensorListPushBack(input_handle=first, tensor=x[0])
    return (
        raw.TensorListStack(input_handle=last, element_shape=[-1], element_dtype=f32),
        raw.TensorListStack(input_handle=first, element_shape=[-1], element_dtype=f32),
        raw.TensorListLength(input_handle=outer),
    )


both("list_of_lists", list_of_lists, [matrix, number], [[v(2, 3), scalar(3)], [v(2, 3), scalar(5)]])


def nested_accumulation(x, n):
    rows = raw.TensorListReserve(element_shape=no_dims, num_elements=n, element_dtype=tf.variant)

    def outer(i, rows):
        row = raw.EmptyTensorList(element_shape=no_dims, max_num_elements=-1, element_dtype=f32)
        _, row = tf.while_loop(
            lambda j, r: j < i + 1,
            lambda j, r: (j + 1, raw.TensorListPushBack(input_handle=r, tensor=x[j] * tf.cast(i + 1, f32))),
            [0, row],
        )
        return i + 1, raw.TensorListSetItem(input_handle=rows, index=i, item=row)

    _, rows = tf.while_loop(lambda i, r: i < n, outer, [0, rows])

    def sums(i, acc):
        row = raw.TensorListGetItem(input_handle=rows, index=i, element_shape=no_dims, element_dtype=tf.variant)
        return i + 1, tf.concat([acc, raw.TensorListStack(input_handle=row, element_shape=no_dims, element_dtype=f32)], 0)

    return tf.while_loop(
        lambda i, a: i < n, sums, [0, x[:0]], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])]
    )[1]


both("list_nested", nested_accumulation, [vector, number], [[v(4), scalar(4)], [v(4), scalar(1)]])


# ---- ragged values in loops


def ragged_map(values, splits):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    y = tf.map_fn(lambda r: r * 2 + tf.cast(tf.size(r), f32), x)
    return y.values, y.row_splits


rows = [v(6), np.array([0, 2, 2, 5, 6], np.int64)]
both("ragged_map", ragged_map, [vector, spec([None], tf.int64)], [rows])


def ragged_out(x):
    y = tf.map_fn(lambda n: tf.range(n), x, fn_output_signature=tf.RaggedTensorSpec([None], i32))
    return y.values, y.row_splits


both("ragged_out", ragged_out, [indices], [[ints(3, 0, 2)], [ints(1)]])


def ragged_sums(values, splits):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    return tf.map_fn(lambda r: tf.reduce_sum(r), x, fn_output_signature=tf.TensorSpec([], f32))


both("ragged_sums", ragged_sums, [vector, spec([None], tf.int64)], [rows])


def ragged_rows(values, splits):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    y = tf.map_fn(
        lambda r: tf.RaggedTensor.from_row_lengths(tf.repeat(r, 2), tf.ones_like(r, tf.int64) * 2),
        x,
        fn_output_signature=tf.RaggedTensorSpec([None, None], f32),
    )
    return y.values.values, y.values.row_splits, y.row_splits


both("ragged_rows", ragged_rows, [vector, spec([None], tf.int64)], [rows])


def ragged_inner(values, splits):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    y = tf.map_fn(lambda r: tf.reduce_sum(r, 0), x, fn_output_signature=tf.TensorSpec([2], f32))
    return y


both("ragged_matrix", ragged_inner, [spec([None, 2], f32), spec([None], tf.int64)], [[v(6, 2), rows[1]]])


def to_variant_and_back(values, splits, batched):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    e = raw.RaggedTensorToVariant(rt_nested_splits=[x.row_splits], rt_dense_values=x.values, batched_input=batched)
    if not batched:
        out = raw.RaggedTensorFromVariant(encoded_ragged=e, input_ragged_rank=1, output_ragged_rank=1, Tvalues=f32, Tsplits=tf.int64)
        return out.output_nested_splits[0], out.output_dense_values
    e = tf.reverse(tf.gather(e, [0, 2, 3]), [0]) if False else e
    out = raw.RaggedTensorFromVariant(encoded_ragged=e, input_ragged_rank=0, output_ragged_rank=1, Tvalues=f32, Tsplits=tf.int64)
    return out.output_nested_splits[0], out.output_dense_values


make("ragged_variant", lambda a, s: to_variant_and_back(a, s, False), [vector, spec([None], tf.int64)], [rows])
make("ragged_variant_rows", lambda a, s: to_variant_and_back(a, s, True), [vector, spec([None], tf.int64)], [rows])


def variant_gather(values, splits, i):
    x = tf.RaggedTensor.from_row_splits(values, splits)
    e = raw.RaggedTensorToVariant(rt_nested_splits=[x.row_splits], rt_dense_values=x.values, batched_input=True)
    e = tf.stack([tf.gather(e, i), tf.gather(e, i)])
    out = raw.RaggedTensorFromVariant(encoded_ragged=e, input_ragged_rank=-1, output_ragged_rank=2, Tvalues=f32, Tsplits=tf.int64)
    return list(out.output_nested_splits) + [out.output_dense_values]


make("ragged_variant_gather", variant_gather, [vector, spec([None], tf.int64), indices], [rows + [ints(2, 0)]])


def variant_gradient(values, splits):
    e = raw.RaggedTensorToVariant(rt_nested_splits=[splits], rt_dense_values=values, batched_input=True)
    return raw.RaggedTensorToVariantGradient(
        encoded_ragged_grad=e, row_splits=splits, dense_values_shape=tf.shape(values), Tvalues=f32
    )


make("ragged_gradient", variant_gradient, [vector, spec([None], tf.int64)], [rows])


def ragged_nested(values, outer, inner):
    x = tf.RaggedTensor.from_nested_row_splits(values, [outer, inner])
    y = tf.map_fn(lambda r: r + 1, x)
    return y.values.values, y.values.row_splits, y.row_splits, tf.map_fn(
        lambda r: tf.reduce_sum(r), x, fn_output_signature=tf.TensorSpec([], f32)
    )


both(
    "ragged_nested",
    ragged_nested,
    [vector, spec([None], tf.int64), spec([None], tf.int64)],
    [[v(6), np.array([0, 2, 3], np.int64), np.array([0, 1, 4, 6], np.int64)]],
)


# ---- optional values and maps


def optional(x, p):
    o = tf.cond(p > 0, lambda: raw.OptionalFromValue(components=[x * 2]), lambda: raw.OptionalNone())
    has = raw.OptionalHasValue(optional=o)
    y = tf.cond(
        has, lambda: raw.OptionalGetValue(optional=o, output_types=[f32], output_shapes=[[None]])[0], lambda: x
    )
    return has, y


both("optional", optional, [vector, number], [[v(3), scalar(1)], [v(3), scalar(0)]])


def tensor_map(k, x):
    m = raw.EmptyTensorMap()
    m = raw.TensorMapInsert(input_handle=m, key=k[0], value=x)
    m = raw.TensorMapInsert(input_handle=m, key=k[1], value=x * 2)
    has = raw.TensorMapHasKey(input_handle=m, key=k[2])
    size = raw.TensorMapSize(input_handle=m)
    got = raw.TensorMapLookup(input_handle=m, key=k[1], value_dtype=f32)
    m = raw.TensorMapErase(input_handle=m, key=k[0], value_dtype=f32)
    return has, size, got + 1, raw.TensorMapSize(input_handle=m), raw.TensorMapStackKeys(input_handle=m, key_dtype=i32)


make("tensor_map", tensor_map, [spec([3], i32), vector], [[ints(1, 2, 3), v(3)], [ints(1, 1, 1), v(3)]])

# ---- tensor arrays


def array_split_scatter(x, n):
    t = tf.TensorArray(f32, size=3, infer_shape=False).split(x, n)
    u = tf.TensorArray(f32, size=4, element_shape=[]).scatter([2, 0], x[:2])
    return t.read(1), t.concat(), u.stack(), u.gather([2, 1])


make("array_split", array_split_scatter, [vector, spec([3], i32)], [[v(6), ints(1, 3, 2)], [v(6), ints(2, 2, 2)]])


def array_read_loop(x, n):
    t = tf.TensorArray(f32, size=2, infer_shape=False, clear_after_read=False)
    t = t.write(0, x).write(1, x[:1])

    def body(i, acc):
        return i + 1, acc + tf.reduce_sum(t.read(i % 2))

    return tf.while_loop(lambda i, a: i < n, body, [0, 0.0])[1]


both("array_read_ragged", array_read_loop, [vector, number], [[v(3), scalar(5)]])


def array_in_array_loop(x, n):
    def outer(i, acc):
        t = tf.TensorArray(f32, size=0, dynamic_size=True, infer_shape=False, element_shape=[None])
        _, t = tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t.write(j, x[: j + 1])), [0, t])
        return i + 1, acc + tf.reduce_sum(t.concat())

    return tf.while_loop(lambda i, a: i < n, outer, [1, 0.0])[1]


both("array_in_loop", array_in_array_loop, [vector, number], [[v(5), scalar(4)], [v(5), scalar(1)]])


def array_ranks(x, p):
    t = tf.TensorArray(f32, size=2, infer_shape=False, element_shape=tf.TensorShape(None))
    t = t.write(0, x).write(1, x[None])
    return t.read(0), t.read(1)


make("array_ranks", array_ranks, [vector, number], [[v(3), scalar(0)]])


def array_grown_far(n, x):
    t = tf.TensorArray(f32, size=0, dynamic_size=True, element_shape=[None])
    t = t.write(n, x)
    return t.size(), t.read(n)


make("array_far", array_grown_far, [number, vector], [[scalar(4), v(2)]])
