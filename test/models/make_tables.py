#!/usr/bin/env python3
"""Writes the models of test/models/tables: lookup tables of every kind, with TensorFlow's own answers beside them. Needs TensorFlow; the
files are committed and test/exec/tables.sh asks tfoptc for the same answers.

    python make_tables.py OUT

OUT/cases.txt: a line a question: model, signature or -, INPUT=FILE …, OUTPUT=FILE … with .json files of OUT/data.
"""
import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
cases = []


def dump(out, name, value):
    value = np.asarray(value)
    if value.dtype == object or value.dtype.kind in "SU":
        value = np.vectorize(lambda b: b.decode() if isinstance(b, bytes) else b, otypes=[object])(value)
    (out / "data" / f"{name}.json").write_text(json.dumps(value.tolist()) + "\n")
    return f"data/{name}.json"


def ask(out, model, signature, inputs, outputs, options=""):
    stem = f"{model.split('.')[0]}_{signature}_{len(cases)}".replace("-", "x")
    words = [f"-i {k}={dump(out, f'{stem}_{k}', v)}" for k, v in inputs.items()]
    words += [f"--expect {k}={dump(out, f'{stem}_is_{k}', v)}" for k, v in sorted(outputs.items())]
    cases.append(" ".join([model] + ([f"--signature {signature}"] if signature != "-" else []) + ([options] if options else []) + words))


def save(out, name, module):
    tf.saved_model.save(module, str(out / name), signatures={k: getattr(module, k).get_concrete_function() for k in module.names})
    (out / name / "fingerprint.pb").unlink(missing_ok=True)
    return tf.saved_model.load(str(out / name)).signatures


def spec(dtype, *shape):
    return tf.TensorSpec(list(shape), dtype)


class Files(tf.Module):
    """Tables from assets: lines, line numbers, columns, delimiters, both directions, out-of-vocabulary buckets."""
    names = ["words", "columns", "buckets"]

    def __init__(self, folder):
        index = tf.lookup.TextFileIndex
        words, prices = str(folder / "words.txt"), str(folder / "prices.csv")
        pathlib.Path(words).write_text("red\ngreen\nblue\nlight blue\n")
        pathlib.Path(prices).write_text("7;seven;0.5\n11;eleven;1.25\n-3;minus three;1e3\n")
        table = lambda *a, default: tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(*a[0:5], **a[5]), default)
        self.index = table(words, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER, {}, default=-1)
        self.word = table(words, tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE, {}, default="?")
        self.first = table(words, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER, {"vocab_size": 2}, default=-1)
        self.name_of = table(prices, tf.int64, 0, tf.string, 1, {"delimiter": ";"}, default="none")
        self.price = table(prices, tf.string, 1, tf.float32, 2, {"delimiter": ";"}, default=-1.0)
        initializer = tf.lookup.TextFileInitializer(words, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
        self.oov = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=3)

    @tf.function(input_signature=[spec(tf.string, None), spec(tf.int64, None, 2)])
    def words(self, x, i):
        return {"index": self.index.lookup(x), "word": self.word.lookup(i), "first": self.first.lookup(x), "size": self.index.size()}

    @tf.function(input_signature=[spec(tf.int64, None)])
    def columns(self, i):
        name = self.name_of.lookup(i)
        return {"name": name, "price": self.price.lookup(name)}

    @tf.function(input_signature=[spec(tf.string, None, None)])
    def buckets(self, x):
        return {"index": self.oov.lookup(x), "size": self.oov.size()}


class Tensors(tf.Module):
    """Tables from tensors, and tables whose contents are part of the checkpoint."""
    names = ["static", "mutable", "dense", "insert"]

    def __init__(self):
        self.codes = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([3, 1, 4], ["three", "one", "four"], tf.int64, tf.string), "?")
        self.flags = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["y", "n"], [True, False], tf.string, tf.bool), False)
        self.counts = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1, name="counts")
        self.counts.insert(["a", "b", "longer key"], [10, 20, 30])
        self.vectors = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0, -1.0], name="vectors")
        self.vectors.insert([5, 6], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        self.table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, 0.5, empty_key=-1, deleted_key=-2, initial_num_buckets=8, name="dense")
        self.table.insert([100, 200], [100.5, 200.5])

    @tf.function(input_signature=[spec(tf.int64, None), spec(tf.string)])
    def static(self, i, s):
        return {"name": self.codes.lookup(i), "flag": self.flags.lookup(s)}

    @tf.function(input_signature=[spec(tf.string, None), spec(tf.int64, None)])
    def mutable(self, s, i):
        return {"count": self.counts.lookup(s), "vector": self.vectors.lookup(i), "size": self.counts.size()}

    @tf.function(input_signature=[spec(tf.int64, None)])
    def dense(self, i):
        return {"value": self.table.lookup(i)}

    @tf.function(input_signature=[spec(tf.string, None)])
    def insert(self, s):
        self.counts.insert(s, tf.cast(tf.strings.length(s), tf.int64))
        return {"count": self.counts.lookup(tf.concat([s, ["a"]], 0))}


class Lookup(tf.Module):
    """Keras' layers on tables."""
    names = ["text"]

    def __init__(self):
        import keras
        self.index = keras.layers.StringLookup(vocabulary=["cat", "dog", "bird"], num_oov_indices=1)
        self.back = keras.layers.StringLookup(vocabulary=["cat", "dog", "bird"], invert=True)
        self.number = keras.layers.IntegerLookup(vocabulary=[10, 20, 30], output_mode="int")
        self.vectorize = keras.layers.TextVectorization(output_sequence_length=4)
        self.vectorize.adapt(["the cat sat", "the dog ran", "a cat"])

    @tf.function(input_signature=[spec(tf.string, None, 1), spec(tf.int64, None, 1)])
    def text(self, s, i):
        return {"index": self.index(s), "tokens": self.vectorize(s), "number": self.number(i), "back": self.back(i)}


def old_style(out):
    """TensorFlow 1: a session's graph with its initialisers in a collection; and the same graph frozen, with nothing to say what runs first."""
    folder = out / "scratch"
    words = folder / "old_words.txt"
    words.write_text("one\ntwo\nthree\n")
    g = tf.Graph()
    with g.as_default(), v1.Session(graph=g) as session:
        x = v1.placeholder(tf.string, [None], name="x")
        names = tf.constant(str(words))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, names)
        from_file = tf.lookup.StaticVocabularyTable(tf.lookup.TextFileInitializer(names, tf.string, -2, tf.int64, -1), num_oov_buckets=1)
        table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32, shared_name="prices", name="prices")
        init = tf.raw_ops.InitializeTableV2(table_handle=table, keys=tf.constant([0, 2], tf.int64), values=tf.constant([0.25, 2.5]), name="init_prices")
        v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, init)
        index = from_file.lookup(x)
        y = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=index, default_value=tf.constant(-1.0), name="y")
        session.run(v1.tables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(out / "old"))
        builder.add_meta_graph_and_variables(
            session, ["serve", "gpu"], signature_def_map={"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})},
            main_op=v1.tables_initializer(), assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS), strip_default_attrs=True)
        builder.save()
        keys = ["one", "two", "three", "four"]
        ask(out, "old", "-", {"x": keys}, {"y": session.run(y, {x: keys})})
        g2 = g.as_graph_def()
    (out / "old.pb").write_bytes(v1.graph_util.extract_sub_graph(g2, ["y", "init_prices", "text_file_init/InitializeTableFromTextFileV2"]).SerializeToString(deterministic=True))


def leftovers(out):
    """A frozen graph in which training has left a saver, summaries, checks, prints and a queue that feeds it."""
    g = tf.Graph()
    with g.as_default():
        queue = tf.queue.FIFOQueue(10, [tf.float32, tf.int32], [[4], []], name="queue")
        x, label = queue.dequeue_many(2, name="batch")
        with g.control_dependencies([v1.assert_greater(tf.reduce_sum(x), -1e9), v1.print("sum", tf.reduce_sum(x))]):
            y = tf.identity(v1.Print(x * 2.0, [x], "x is"), name="y")
        v1.summary.scalar("mean", tf.reduce_mean(y))
        v1.summary.histogram("values", y)
        v1.summary.merge_all()
        v = v1.get_variable("step", initializer=3)
        v1.train.Saver([v])
        v1.global_variables_initializer()
        queue.enqueue([tf.zeros([4]), 1])
        queue.close()
    (out / "leftovers.pb").write_bytes(g.as_graph_def().SerializeToString(deterministic=True))
    cases.append("leftovers.pb -i batch=2,4")


class Batched(tf.Module):
    names = ["batched"]

    def __init__(self):
        self.weight = tf.Variable([2.0, 3.0])

    @tf.function(input_signature=[spec(tf.float32, None, 2)])
    def batched(self, x):
        run = tf.nondifferentiable_batch_function(1, 10, 0)(lambda v: v * self.weight + 1.0)
        return {"y": run(x)}


class State(tf.Module):
    """Variables that a request changes: a seed that random numbers are drawn by, twice; a count that the answer says; one that it does not."""
    names = ["draws", "counts", "unused"]

    def __init__(self):
        self.seed = tf.Variable(np.int64([3, 4]))
        self.count = tf.Variable(1.0)

    def next(self):
        seed = tf.identity(self.seed)
        self.seed.assign(self.seed + [0, 1])
        return seed

    @tf.function(input_signature=[spec(tf.float32, None)])
    def draws(self, x):
        noise = tf.random.stateless_uniform(tf.shape(x), self.next())
        return {"y": x + noise + tf.random.stateless_normal(tf.shape(x), self.next())}

    @tf.function(input_signature=[spec(tf.float32, None)])
    def counts(self, x):
        self.count.assign_add(1.0)
        return {"y": x * self.count}

    @tf.function(input_signature=[spec(tf.float32, None)])
    def unused(self, x):
        self.count.assign(self.count + 1.0)
        return {"y": x * 2.0}


def main():
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    folder = out / "scratch"
    for d in (folder, out / "data"):
        d.mkdir(parents=True)
    run = lambda signatures, name, **inputs: {k: v.numpy() for k, v in signatures[name](**{k: tf.constant(v) for k, v in inputs.items()}).items()}

    def all_of(model, module, questions):
        signatures = save(out, model, module)
        for name, inputs in questions:
            ask(out, model, name, inputs, run(signatures, name, **inputs))

    i64 = lambda v: np.array(v, np.int64)
    all_of("files", Files(folder), [
        ("words", {"x": ["blue", "red", "", "Red", "light blue"], "i": i64([[0, 3], [4, -1]])}),
        ("columns", {"i": i64([11, 7, -3, 8])}),
        ("buckets", {"x": [["green", "something else"], ["more", "and more"]]})])
    all_of("tensors", Tensors(), [
        ("static", {"i": i64([1, 2, 3, 4]), "s": "y"}),
        ("mutable", {"s": ["b", "a", "c", "longer key"], "i": i64([6, 7, 5])}),
        ("dense", {"i": i64([100, 1, 200, 2])}),
        ("insert", {"s": ["a", "new", ""]})])
    all_of("keras", Lookup(), [("text", {"s": [["cat"], ["the cat ran"], ["fish"]], "i": i64([[20], [1], [3]])})])
    all_of("batched", Batched(), [("batched", {"x": np.array([[1, 2], [3, 4]], np.float32)})])
    three = np.array([1, 2, 3], np.float32)
    all_of("state", State(), [("draws", {"x": three}), ("unused", {"x": three})])
    old_style(out)
    leftovers(out)
    shutil.rmtree(folder)
    (out / "cases.txt").write_text("\n".join(cases) + "\n")


main()
