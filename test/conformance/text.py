"""Cases of ragged tensors, strings and lookup tables. usage: text.py FOLDER"""

from make_case import *

v1 = tf.compat.v1
strings = spec([None], tf.string)
long_vector = spec([None], tf.int64)


def texts(*values):
    return np.array(values, object)


def longs(*values):
    return np.array(values, np.int64)


def table_case(name, build, specs, values):
    """A graph with lookup tables, whose initialisers run once."""
    with tf.Graph().as_default() as graph:
        holders = [v1.placeholder(s.dtype, s.shape, name=f"x{i}") for i, s in enumerate(specs)]
        results = build(*holders)
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        results = [tf.identity(r) for r in results]
        init = v1.tables_initializer()
        names = [n.op.name if hasattr(n, "op") else n.name for n in v1.get_collection(v1.GraphKeys.TABLE_INITIALIZERS)]
    sets = values if isinstance(values[0], (list, tuple)) else [values]
    for k, inputs in enumerate(sets):
        check = "value"
        with v1.Session(graph=graph) as session:
            session.run(init)
            try:
                answers = session.run(results, dict(zip(holders, inputs)))
            except tf.errors.OpError:
                check = "error"
                answers = [np.zeros(0, np.float32)] * len(results)
        write_case(f"{name}_{k}", graph.as_graph_def(), list(zip(holders, inputs)), list(zip(results, answers)), check)
        path = f"{FOLDER}/sizes/{name}_{k}/case.json"
        case = json.load(open(path))
        case["init"] = names
        json.dump(case, open(path, "w"))


# ---- tables

lookup = tf.lookup
keys = ["emerson", "lake", "palmer"]


def static(default=-1):
    return lookup.StaticHashTable(lookup.KeyValueTensorInitializer(keys, tf.constant([5, 6, 7], tf.int64)), default)


words = texts(b"lake", b"", b"palmer", b"xyz")
table_case("table_static", lambda x: (static().lookup(x), static().size()), [strings], [[words], [texts()]])
table_case(
    "table_buckets",
    lambda x: lookup.StaticVocabularyTable(
        lookup.KeyValueTensorInitializer(keys, tf.constant([0, 1, 2], tf.int64)), 5
    ).lookup(x),
    [strings],
    [words],
)


def table_in_branch(x, p):
    t = static()
    return tf.cond(p > 0, lambda: t.lookup(x), lambda: t.lookup(tf.strings.join([x, ""])) * 2)


table_case("table_branch", table_in_branch, [strings, number], [[words, scalar(1)], [words, scalar(0)]])


def table_in_loop(x, n):
    t = static(0)
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a + t.lookup(x)), [0, tf.cast(tf.strings.length(x), tf.int64)])[1]


table_case("table_loop", table_in_loop, [strings, number], [[words, scalar(3)], [words, scalar(0)]])


def mutable(x, y):
    t = lookup.experimental.MutableHashTable(tf.string, tf.float32, tf.constant([0.0, 0.0]))
    with tf.control_dependencies([t.insert(x, y)]):
        first = t.lookup(tf.constant(["a", "zz"]))
        size = t.size()
    with tf.control_dependencies([first, size]):
        removed = t.remove(tf.constant(["a"]))
    with tf.control_dependencies([removed]):
        return first, size, t.lookup(tf.constant(["a", "b"])), t.size()


table_case("table_mutable", mutable, [strings, spec([None, 2], f32)], [[texts(b"a", b"b"), v(2, 2)]])


def dense(x, y):
    t = lookup.experimental.DenseHashTable(tf.int64, tf.float32, 0.5, empty_key=-1, deleted_key=-2)
    with tf.control_dependencies([t.insert(x, y)]):
        first = t.lookup(tf.constant([1, 7], tf.int64))
    with tf.control_dependencies([first]):
        gone = t.erase(tf.constant([1], tf.int64))
    with tf.control_dependencies([gone]):
        return first, t.lookup(tf.constant([1, 2], tf.int64)), t.size()


table_case("table_dense", dense, [long_vector, vector], [[longs(1, 2), v(2)], [longs(1, -1), v(2)], [longs(1, -2), v(2)]])


def dense_of_vectors(x, y):
    t = lookup.experimental.DenseHashTable(
        tf.int64, tf.int64, tf.constant([-1, -1, -1], tf.int64), empty_key=tf.constant([0, 0], tf.int64), deleted_key=tf.constant([-1, -1], tf.int64)
    )
    with tf.control_dependencies([t.insert(x, y)]):
        return t.lookup(tf.constant([[1, 2], [3, 4], [9, 9]], tf.int64)), t.size()


table_case(
    "table_tensor_keys",
    dense_of_vectors,
    [spec([None, 2], tf.int64), spec([None, 3], tf.int64)],
    [[longs(1, 2, 3, 4).reshape(2, 2), longs(1, 2, 3, 4, 5, 6).reshape(2, 3)]],
)


def exported(x):
    t = lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
    with tf.control_dependencies([t.insert(x, x * 2)]):
        k, val = t.export()
    return tf.sort(k), tf.sort(val)


table_case("table_export", exported, [long_vector], [[longs(5, 3, 9)], [longs()]])


def index_to_string(x):
    t = lookup.StaticHashTable(
        lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), keys), "none"
    )
    return t.lookup(x)


table_case("table_to_string", index_to_string, [spec([None, None], tf.int64)], [[longs(0, 2, 7, 1).reshape(2, 2)]])


def sparse_lookup(x):
    s = tf.sparse.from_dense(x)
    out = static().lookup(s)
    return out.indices, out.values, out.dense_shape


table_case("table_sparse", sparse_lookup, [spec([None, None], tf.string)], [[texts(b"lake", b"", b"palmer", b"q").reshape(2, 2)]])


def ragged_lookup(x):
    r = tf.strings.split(x)
    out = static().lookup(r)
    return out.values, out.row_splits


table_case("table_ragged", ragged_lookup, [strings], [[texts(b"lake palmer", b"", b"x emerson lake")]])

# ---- ragged ops

splits = longs(0, 2, 2, 5, 6)


def ragged(values, s):
    return tf.RaggedTensor.from_row_splits(values, s)


def parts(x):
    out = [x.flat_values] + list(x.nested_row_splits)
    return out


rag = [vector, long_vector]
row = [v(6), splits]
make("rag_gather", lambda a, s, i: parts(tf.gather(ragged(a, s), i)), rag + [indices], [row + [ints(3, 0, 1)]])
make("rag_range", lambda a, b: parts(tf.ragged.range(a, b)), [indices, indices], [[ints(0, 3, 5), ints(4, 3, 7)]])
make("rag_range_f", lambda a, b: parts(tf.ragged.range(a, b, 0.5)), [vector, vector], [[v(2), v(2) + 2]])
make("rag_range_neg", lambda a, b: parts(tf.ragged.range(a, b, -2)), [indices, indices], [[ints(10, 3), ints(4, 3)]])
make("rag_to_tensor", lambda a, s: ragged(a, s).to_tensor(), rag, [row])
make("rag_to_tensor_d", lambda a, s: ragged(a, s).to_tensor(-1.0, shape=[None, 2]), rag, [row])
make("rag_to_tensor_s", lambda a, s: ragged(a, s).to_tensor("pad"), [strings, long_vector], [[texts(*[b"a", b"b", b"c", b"d", b"e", b"f"]), splits]])
make("rag_to_tensor_2", lambda a, s: ragged(a, s).to_tensor(), [spec([None, 2], f32), long_vector], [[v(6, 2), splits]])
make("rag_rowids", lambda a, r: tf.RaggedTensor.from_value_rowids(a, r, nrows=5).to_tensor(), [vector, long_vector], [[v(4), longs(0, 0, 2, 4)]])
make("rag_rowids2", lambda a, r: tf.RaggedTensor.from_value_rowids(a, r).to_tensor(), [vector, long_vector], [[v(4), longs(0, 0, 2, 2)]])
make("rag_lengths", lambda a, r: tf.RaggedTensor.from_row_lengths(a, r).to_tensor(), [vector, long_vector], [[v(4), longs(1, 0, 3)]])
make("rag_uniform", lambda a: tf.RaggedTensor.from_uniform_row_length(a, 2).to_tensor(), [vector], [[v(4)]])
make("rag_to_sparse", lambda a, s: (lambda t: (t.indices, t.values, t.dense_shape))(ragged(a, s).to_sparse()), rag, [row])
make("rag_from_sparse", lambda a: parts(tf.RaggedTensor.from_sparse(tf.sparse.from_dense(a))), [matrix], [[np.array([[1, 2, 0], [0, 0, 0], [3, 0, 0]], np.float32)]])
make("rag_from_tensor", lambda a: parts(tf.RaggedTensor.from_tensor(a, padding=0)), [matrix], [[np.array([[1, 2, 0], [0, 0, 0], [3, 0, 0]], np.float32)]])
make("rag_from_tensor_l", lambda a, l: parts(tf.RaggedTensor.from_tensor(a, lengths=l)), [matrix, long_vector], [[v(2, 3), longs(1, 3)]])
make("rag_sum", lambda a, s: (tf.reduce_sum(ragged(a, s), 1), tf.reduce_mean(ragged(a, s), 1), tf.reduce_max(ragged(a, s), 1)), rag, [row])
make("rag_sum0", lambda a, s: tf.reduce_sum(ragged(a, s), 0), rag, [row])
make("rag_concat", lambda a, s: parts(tf.concat([ragged(a, s), ragged(a * 2, s)], 1)), rag, [row])
make("rag_concat0", lambda a, s: parts(tf.concat([ragged(a, s), ragged(a * 2, s)], 0)), rag, [row])
make("rag_stack", lambda a, s: parts(tf.stack([ragged(a, s), ragged(a * 2, s)], 0)), rag, [row])
make("rag_slice", lambda a, s: parts(ragged(a, s)[1:, :2]), rag, [row])
make("rag_index", lambda a, s, i: ragged(a, s)[i], rag + [number], [row + [scalar(2)], row + [scalar(1)]])
make("rag_mask", lambda a, s: parts(tf.ragged.boolean_mask(ragged(a, s), ragged(a > 2, s))), rag, [row])
make("rag_mul", lambda a, s, b: parts(ragged(a, s) * b), rag + [spec([None, 1], f32)], [row + [v(4, 1)]])
make("rag_bincount", lambda a, s: tf.math.bincount(tf.cast(ragged(a, s), i32), axis=-1, minlength=8), rag, [row])
make("rag_count", lambda a, s: (lambda t: (t.indices, t.values, t.dense_shape))(tf.sparse.bincount(tf.cast(ragged(a, s), i32))), rag, [row])
make("rag_fill_empty", lambda a, s: list(raw.RaggedFillEmptyRows(value_rowids=s, values=a, nrows=tf.constant(6, tf.int64), default_value=9.0)), rag, [[v(4), longs(0, 2, 2, 4)]])
make("rag_map_flat", lambda a, s: parts(tf.ragged.map_flat_values(tf.nn.relu, ragged(a - 3, s))), rag, [row])
make("rag_embed", lambda a, s: parts(tf.nn.embedding_lookup(tf.constant(v(8, 3)), tf.cast(ragged(a, s), i32))), rag, [row])
make("rag_embed_sum", lambda a, s: tf.reduce_sum(tf.nn.embedding_lookup(tf.constant(v(8, 3)), tf.cast(ragged(a, s), i32)), 1), rag, [row])
make("rag_sparse_embed", lambda a, s: tf.nn.safe_embedding_lookup_sparse(tf.constant(v(8, 3)), tf.cast(ragged(a, s), tf.int64).to_sparse(), combiner="mean"), rag, [row])
make("rag_reverse", lambda a, s: parts(tf.reverse(ragged(a, s), [1])), rag, [row])
make("rag_nested", lambda a, s, o: tf.RaggedTensor.from_nested_row_splits(a, [o, s]).to_tensor(), rag + [long_vector], [row + [longs(0, 1, 4)]])
make("rag_nested_p", lambda a, s, o: parts(tf.RaggedTensor.from_nested_row_splits(a, [o, s]).merge_dims(0, 1)), rag + [long_vector], [row + [longs(0, 1, 4)]])
make("rag_topk", lambda a, s: parts(tf.expand_dims(ragged(a, s), 1)), rag, [row])
make("rag_tile", lambda a, s: parts(tf.tile(ragged(a, s), [2, 2])), rag, [row])
make("rag_where", lambda a, s: parts(tf.where(ragged(a > 3, s), ragged(a, s), ragged(-a, s))), rag, [row])
make("rag_segment_ids", lambda s: (tf.ragged.row_splits_to_segment_ids(s), tf.ragged.segment_ids_to_row_splits(tf.ragged.row_splits_to_segment_ids(s))), [long_vector], [[splits]])
make("rag_softmax_mask", lambda a, s: tf.sequence_mask(ragged(a, s).row_lengths()), rag, [row])

# ---- strings

line = texts(b"hello  world", b"", b" a b ", b"x")
make("str_split", lambda x: parts(tf.strings.split(x)), [strings], [line])
make("str_split_sep", lambda x: parts(tf.strings.split(x, "l", maxsplit=1)), [strings], [line])
make("str_split_scalar", lambda x: tf.strings.split(x), [spec([], tf.string)], [[np.array(b"a b c", object)]])
make("str_split_2d", lambda x: parts(tf.strings.split(x)), [spec([None, None], tf.string)], [[line.reshape(2, 2)]])
make("str_split_v1", lambda x: (lambda t: (t.indices, t.values, t.dense_shape))(v1.string_split(x, delimiter=" ")), [strings], [line])
make("str_bytes", lambda x: parts(tf.strings.bytes_split(x)), [strings], [line])
make("str_ngrams", lambda x: parts(tf.strings.ngrams(tf.strings.split(x), [1, 2])), [strings], [line])
make("str_ngrams_pad", lambda x: parts(tf.strings.ngrams(tf.strings.split(x), 3, pad_values=("L", "R"), padding_width=1, preserve_short_sequences=True)), [strings], [line])
make("str_decode", lambda x: parts(tf.strings.unicode_decode(x, "UTF-8")), [strings], [texts("héllo".encode(), b"", "日本".encode())])
make("str_decode_off", lambda x: [p for t in tf.strings.unicode_decode_with_offsets(x, "UTF-8") for p in parts(t)], [strings], [texts("héllo".encode(), b"", "日本".encode())])
make("str_chars", lambda x: parts(tf.strings.unicode_split(x, "UTF-8")), [strings], [texts("héllo".encode(), b"", "日本".encode())])
make("str_encode", lambda x, s: tf.strings.unicode_encode(tf.RaggedTensor.from_row_splits(x, s), "UTF-8"), [indices, long_vector], [[ints(104, 233, 26085), longs(0, 2, 2, 3)]])
make("str_encode16", lambda x, s: tf.strings.length(tf.strings.unicode_encode(tf.RaggedTensor.from_row_splits(x, s), "UTF-16-BE")), [indices, long_vector], [[ints(104, 233, 128512), longs(0, 2, 2, 3)]])
for encoding, data in [
    ("UTF-16", "\ufeffhé".encode("utf-16-be")), ("UTF-16", "hé日".encode("utf-16-le")), ("UTF-16LE", "hé日".encode("utf-16-le")),
    ("UTF-32", "hé日".encode("utf-32")), ("ISO-8859-2", "žluť".encode("iso-8859-2")), ("windows-1252", "“x” €".encode("cp1252")),
    ("windows-1251", "привет".encode("cp1251")), ("KOI8-R", "привет".encode("koi8-r")), 
    
    ("ISO-8859-15", "€".encode("iso-8859-15")), ("ISO-8859-5", "привет".encode("iso-8859-5")),
    ("US-ASCII", b"abc\xff"), ("windows-1252", b"\x81a"), 
]:
    name = "str_transcode_" + encoding.lower().replace("-", "_") + "_%d" % (len(data))
    make(name, lambda x, e=encoding: (tf.strings.unicode_transcode(x, e, "UTF-8"), tf.strings.unicode_transcode(x, e, "UTF-8", errors="ignore")), [strings],
         [texts(data)])
for k, pattern in enumerate([
    r"\p{Lu}", r"\pL+", r"\p{Greek}", r"[[:alpha:]]+", r"(?i)HELLO", r"[[:punct:]]", r"\P{L}", r"[^[:space:]]+", r"(?i:wor)LD", r"\bw", r"\p{Nd}+", r"[\p{L}\p{N}]+",
    r"(?s).+", r"(?m)^b", r"a{2,3}?", r"(a|b)*c", r"\d+\.\d*", r"[\d\-x]", r"\x{41}", r"\Qa.b\E", r"(?P<n>a)(b)?", r"\p{Han}", r"\C", r"[^\pL]", r"(?i)é", r"(?i)[à-ü]", r"\p{^Lu}", r"\s*$", r"\z", r"\A", r"(?U)a+", r"\p{Cyrillic}+", r"\p{M}", r"\p{Zs}", r"\p{S}", r"\p{P}", r"[[:^digit:]]", r"\pN", r"\p{Latin}", r"\p{Any}", r"(?i)ß", r"(?i)ſ", r"(?i)k",
]):
    make(f"str_regex_{k:02d}", lambda x, p=pattern: (tf.strings.regex_replace(x, p, r"<\0>"), tf.strings.regex_full_match(x, p), tf.strings.regex_replace(x, p, "_", replace_global=False)), [strings],
         [texts(*[t.encode() for t in ["Hello World", "ΑΒγ αβ", "a.b c-d! 12.5", "Éa é\nb aaac", "日本 x٣4", "", "ABC\tbc", "Привет ÀÜß ſKk", "a\u0301 $+<>"]])])
make("str_format", lambda x, n: tf.strings.format("{} and {}", [x, n]), [vector, number], [[v(3), scalar(4)]])
make("str_to_number", lambda x: tf.strings.to_number(x), [strings], [texts(b"1", b"-2.5e3", b" 7 ", b"nan", b"inf")])
make("str_substr", lambda x: tf.strings.substr(x, -3, 2), [strings], [texts(b"hello", b"abc")])
make("str_substr_u", lambda x: tf.strings.substr(x, 1, 2, unit="UTF8_CHAR"), [strings], [texts("héllo".encode(), "日本語".encode())])
make("str_hash", lambda x: (tf.strings.to_hash_bucket_fast(x, 10), tf.strings.to_hash_bucket_strong(x, 10, [1, 2])), [strings], [line])
make("str_join", lambda x, s: tf.strings.reduce_join(tf.RaggedTensor.from_row_splits(x, s), axis=-1, separator=" "), [strings, long_vector], [[texts(b"a", b"b", b"c"), longs(0, 2, 3)]])
make("str_lower", lambda x: (tf.strings.lower(x, "utf-8"), tf.strings.upper(x, "utf-8"), tf.strings.length(x, "UTF8_CHAR")), [strings], [texts("ÀÉ ΣΑΣ ß ǆ İ".encode(), b"")])
make("str_script", lambda x: tf.strings.unicode_script(x), [indices], [ints(65, 945, 26085, 32, 1046, 0x10FFFF)])
make("str_normalise", lambda x: tf.strings.unicode_transcode(x, "UTF-8", "UTF-8", errors="replace", replacement_char=63), [strings], [texts("aé".encode())])
