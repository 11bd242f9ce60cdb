#!/usr/bin/env python3
"""Writes tools/tfoptc/op_types.def: for each op type the element types with which the conformance suites ask for it and TensorFlow has
answered. Needs TensorFlow (for its message classes).

    python op_types.py CASES >tools/tfoptc/op_types.def
"""
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.core.framework import op_def_pb2

NAMES = {"FLOAT": "f32", "DOUBLE": "f64", "HALF": "f16", "BFLOAT16": "bf16", "INT8": "s8", "INT16": "s16", "INT32": "s32", "INT64": "s64",
         "UINT8": "u8", "UINT16": "u16", "UINT32": "u32", "UINT64": "u64", "BOOL": "bool", "STRING": "string", "COMPLEX64": "c64", "COMPLEX128": "c128",
         "QINT8": "q8", "QUINT8": "qu8", "QINT32": "q32", "QINT16": "q16", "QUINT16": "qu16"}
ORDER = list(NAMES.values())

ops = op_def_pb2.OpList()
ops.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
defs = {o.name: o for o in ops.op}


def type_of(node, arg):
    """The element type of an argument: fixed, or by the attribute that names it."""
    if arg.type:
        return [arg.type]
    if arg.type_attr:
        attr = node.attr.get(arg.type_attr)
        if attr is not None and attr.type:
            return [attr.type]
        for a in defs[node.op].attr:
            if a.name == arg.type_attr and a.default_value.type:
                return [a.default_value.type]
    if arg.type_list_attr and arg.type_list_attr in node.attr:
        return list(node.attr[arg.type_list_attr].list.type)
    return []


def varies(op):
    """The arguments whose type is a choice: those say what the op works on. Ops without a choice: all that they give."""
    d = defs[op]
    chosen = [a for a in list(d.input_arg) if a.type_attr or a.type_list_attr]
    return chosen[:1] or [a for a in d.output_arg if a.type_attr or a.type_list_attr][:1] or list(d.input_arg)[:1] or list(d.output_arg)[:1]


seen = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*/graph.pb")):
    g = graph_pb2.GraphDef()
    g.ParseFromString(path.read_bytes())
    for node in list(g.node) + [n for f in g.library.function for n in f.node_def]:
        if node.op not in defs:
            continue
        for arg in varies(node.op):
            for t in type_of(node, arg):
                name = types_pb2.DataType.Name(t).replace("DT_", "").replace("_REF", "")
                if name in NAMES:
                    seen.setdefault(node.op, set()).add(NAMES[name])
print("""/* The element types with which each op type is asked for in the conformance suites, where TensorFlow has answered: of the first operand whose
   type is a choice. Written by test/conformance/op_types.py; docs/ops.md shows it. op type, element types
   clang-format off */""")
for op in sorted(seen, key=lambda s: s.encode()):
    print(f'OP_TYPES("{op}", "{" ".join(t for t in ORDER if t in seen[op])}")')
