#!/usr/bin/env python3
"""Writes the small models of test/models/frontend, which the frontend's tests and fuzzers read. Needs TensorFlow; the files are committed.

    python make_frontend.py OUT
"""
import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from google.protobuf import text_format

v1 = tf.compat.v1


def slim(graph_def):
    """Drops what TensorFlow adds beyond the model: device names, shape hints, unused versions."""
    for node in graph_def.node:
        node.device = ""
        for hint in ("_output_shapes", "_class", "_has_manual_control_dependencies"):
            if hint in node.attr:
                del node.attr[hint]
    return graph_def


def graph(build, control_flow_v2=False):
    g = tf.Graph()
    (v1.enable_control_flow_v2 if control_flow_v2 else v1.disable_control_flow_v2)()
    with g.as_default():
        build()
    return slim(g.as_graph_def())


def cond_nested():
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    p = v1.placeholder(tf.bool, [], name="p")
    inner = lambda: v1.cond(tf.reduce_sum(x) > 0.0, lambda: (x + 1.0, tf.constant(1)), lambda: (x - 1.0, tf.constant(2)))
    a, b = v1.cond(p, inner, lambda: (x * 5.0, tf.constant(3)))
    tf.identity(a, "a")
    tf.identity(b, "b")


def while_nested():
    x = v1.placeholder(tf.float32, [4], name="x")
    n = v1.placeholder(tf.int32, [], name="n")
    scale = tf.constant([1.5, 0.5, 1.0, 2.0])

    def body(i, v):
        _, w = v1.while_loop(lambda j, w: j < i, lambda j, w: (j + 1, w * scale), (tf.constant(0), v))
        w = v1.cond(tf.reduce_sum(w) > 100.0, lambda: w / 10.0, lambda: w + x)
        return i + 1, w

    i, v = v1.while_loop(lambda i, v: i < n, body, (tf.constant(0), x))
    tf.identity(i, "steps")
    tf.identity(v, "result")


def same_predicate():
    """Two conds of one predicate with one of another predicate in between: the first and last must not become one If."""
    x = v1.placeholder(tf.float32, [2], name="x")
    p = v1.placeholder(tf.bool, [], name="p")
    q = v1.placeholder(tf.bool, [], name="q")
    a = v1.cond(p, lambda: x + 1.0, lambda: x - 1.0)
    b = v1.cond(q, lambda: a * 2.0, lambda: x * 4.0)
    c = v1.cond(q, lambda: x / 3.0, lambda: x / 5.0)
    d = v1.cond(p, lambda: c + b, lambda: c - b)
    tf.identity(d, "d")


def functions():
    x = v1.placeholder(tf.float32, [None, 4], name="x")

    @tf.function
    def halves(v):
        a, b = tf.split(v, 2, axis=1)
        values, indices = tf.math.top_k(a, k=1)
        return values + b, tf.cast(indices, tf.float32)

    y, z = halves(x)
    r = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.concat(tf.split(v, 2, axis=1)[::-1], axis=1) * 2.0), (tf.constant(0), y))
    tf.identity(tf.cond(tf.reduce_sum(z) > 1.0, lambda: r[1], lambda: -r[1]), "y")


def constants():
    """Every way of writing a tensor's values."""
    for dtype in (tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32, tf.uint32, tf.int64, tf.uint64):
        tf.constant([1, 2, 3, 4, 5], dtype, name=f"list_{dtype.name}")
        tf.constant(3, dtype, [2, 3], name=f"splat_{dtype.name}")
    tf.constant([True, False, True], name="bools")
    tf.constant([1 + 2j, 3 - 4j], tf.complex64, name="complex")
    tf.constant([["a", ""], ["long " * 20, "é\0x"]], name="strings")
    tf.constant([], tf.float32, name="empty")


def saved_tf1(out):
    g = tf.Graph()
    with g.as_default(), v1.Session(graph=g, config=v1.ConfigProto(device_count={"CPU": 2})) as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        with g.device("/cpu:0"):
            w = v1.get_variable("w", [3, 8], partitioner=v1.fixed_size_partitioner(3, axis=1),
                                initializer=lambda shape, **_: tf.reshape(tf.range(np.prod(shape), dtype=tf.float32), shape))
        with g.device("/cpu:1"):
            b = v1.get_variable("b", initializer=tf.range(8, dtype=tf.float32) * 0.5)
            v1.get_variable("names", initializer=tf.constant(["alpha", "", "b" * 200]))
        y = tf.matmul(x, tf.convert_to_tensor(w)) + b
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(out))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={
                "serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y}),
                "other": v1.saved_model.predict_signature_def({"x": x}, {"b": tf.identity(b)})},
            saver=v1.train.Saver(sharded=True), strip_default_attrs=True)
        builder.save()


def saved_tf2(out):
    words = out.parent / "words.txt"
    words.write_text("red\ngreen\nblue\n")

    class Model(tf.Module):
        def __init__(self):
            self.kernel = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3), name="dense/kernel")
            self.bias = tf.Variable([1.0, 2.0, 3.0], name="dense/kernel")  # the same name twice, on purpose
            index = tf.lookup.TextFileIndex
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER), -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x"), tf.TensorSpec([None], tf.string, name="word")])
        def __call__(self, x, word):
            return {"y": x @ self.kernel + self.bias, "index": self.table.lookup(word)}

    tf.saved_model.save(Model(), str(out))
    words.unlink()
    (out / "fingerprint.pb").unlink(missing_ok=True)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def checkpoint_seed(saved, out):
    """Input of fuzz_checkpoint: how the block is stored, the index's data block, and a data file a third as long."""
    index = (saved / "variables/variables.index").read_bytes()
    footer = index[-48:]
    at = varint(footer, varint(footer, 0)[1])[1]
    at = varint(footer, at)[0]  # the index block: shared, fresh and value lengths, key, handle of the data block
    _, at = varint(index, at)
    fresh, at = varint(index, at)
    _, at = varint(index, at)
    offset, at = varint(index, at + fresh)
    block = index[offset:offset + varint(index, at)[0]]
    block += bytes(-(len(block)) % 3)
    data = next(iter(sorted(saved.glob("variables/variables.data-00000*")))).read_bytes()
    size = len(block) // 3
    out.write_bytes(bytes([0]) + block + data[:size].ljust(size, b"\0"))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    graphs = {"cond_nested": graph(cond_nested), "while_nested": graph(while_nested), "same_predicate": graph(same_predicate),
              "functions": graph(functions, control_flow_v2=True), "constants": graph(constants)}
    for name, g in graphs.items():
        (out / f"{name}.pb").write_bytes(g.SerializeToString(deterministic=True))
    for name in ("cond_nested", "constants"):
        (out / f"{name}.pbtxt").write_text(text_format.MessageToString(graphs[name], as_one_line=False))
    for name, save in (("saved_tf1", saved_tf1), ("saved_tf2", saved_tf2)):
        shutil.rmtree(out / name, ignore_errors=True)
        save(out / name)
        checkpoint_seed(out / name, out / f"{name}.checkpoint")


main()
