/* random_tf_write: a random TensorFlow graph as a GraphDef in text form, so that TensorFlow itself can run it
   (random_oracle.py). */
#include "random_tf.h"

#include <string.h>

static void write_bytes(const void *data, size_t n, Str *out) {
    const unsigned char *bytes = data;
    str_add(out, "\"");
    for (size_t i = 0; i < n; i++) {
        bool plain = bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '"' && bytes[i] != '\\';
        str_printf(out, plain ? "%c" : "\\%03o", bytes[i]);
    }
    str_add(out, "\"");
}

static void write_shape(int rank, const int64_t *dims, Str *out) {
    str_add(out, " {");
    if (rank < 0) str_add(out, " unknown_rank: true");
    for (int i = 0; i < rank; i++) str_printf(out, " dim { size: %lld }", (long long)dims[i]);
    str_add(out, " }");
}

static void write_tensor(const Tensor *t, Str *out) {
    str_printf(out, "tensor { dtype: %d tensor_shape", dtype_info(t->dtype)->tf);
    write_shape(t->rank, t->dims, out);
    if (t->dtype == DTYPE_STRING) {
        const StringElement *e = t->data;
        for (int64_t i = 0; i < tensor_count(t); i++) {
            str_add(out, " string_val: ");
            write_bytes(e[i].data, e[i].size, out);
        }
    } else if (tensor_bytes(t)) {
        str_add(out, " tensor_content: ");
        write_bytes(t->data, tensor_bytes(t), out);
    }
    str_add(out, " }");
}

static void write_list(const TfAttr *a, Str *out) {
    str_add(out, "list {");
    for (uint32_t i = 0; i < a->n; i++) {
        switch (a->kind) {
        case TF_ATTR_LIST_INT:
            str_printf(out, " i: %lld", (long long)a->v.ints[i]);
            break;
        case TF_ATTR_LIST_BOOL:
            str_printf(out, " b: %s", a->v.ints[i] ? "true" : "false");
            break;
        case TF_ATTR_LIST_TYPE:
            str_printf(out, " type: %lld", (long long)a->v.ints[i]);
            break;
        case TF_ATTR_LIST_FLOAT:
            str_printf(out, " f: %.9g", a->v.floats[i]);
            break;
        case TF_ATTR_LIST_SHAPE:
            str_add(out, " shape");
            write_shape(a->v.shapes[i].rank, a->v.shapes[i].dims, out);
            break;
        case TF_ATTR_LIST_FUNC:
            str_printf(out, " func { name: \"%.*s\" }", (int)a->v.strings[i].size, a->v.strings[i].data);
            break;
        default:
            str_add(out, " s: ");
            write_bytes(a->v.strings[i].data, a->v.strings[i].size, out);
        }
    }
    str_add(out, " }");
}

static void write_attr(const TfAttr *a, Str *out) {
    str_printf(out, "  attr { key: \"%s\" value { ", a->name);
    switch (a->kind) {
    case TF_ATTR_STRING:
        str_add(out, "s: ");
        write_bytes(a->v.s, a->n, out);
        break;
    case TF_ATTR_INT:
        str_printf(out, "i: %lld", (long long)a->v.i);
        break;
    case TF_ATTR_FLOAT:
        str_printf(out, "f: %.9g", a->v.f);
        break;
    case TF_ATTR_BOOL:
        str_printf(out, "b: %s", a->v.i ? "true" : "false");
        break;
    case TF_ATTR_TYPE:
        str_printf(out, "type: %lld", (long long)a->v.i);
        break;
    case TF_ATTR_SHAPE:
        str_add(out, "shape");
        write_shape(a->v.shape.rank, a->v.shape.dims, out);
        break;
    case TF_ATTR_TENSOR:
        write_tensor(&a->v.tensor, out);
        break;
    case TF_ATTR_FUNC:
        str_printf(out, "func { name: \"%s\" }", a->v.s);
        break;
    default:
        write_list(a, out);
    }
    str_add(out, " } }\n");
}

static void write_input(const TfNode *nodes, TfInput in, Str *out) {
    if (in.node & TF_ARG)
        str_printf(out, "a%u", in.node & ~TF_ARG);
    else
        str_printf(out, "%s:%u", nodes[in.node].name, in.output);
}

static void write_nodes(const char *field, const TfNode *nodes, uint32_t n_nodes, Str *out) {
    for (uint32_t i = 0; i < n_nodes; i++) {
        const TfNode *n = &nodes[i];
        if (strcmp(n->op, "NoOp") == 0) continue;
        str_printf(out, "%s { name: \"%s\" op: \"%s\"\n", field, n->name, n->op);
        for (uint32_t k = 0; k < n->n_inputs; k++) {
            str_add(out, "  input: \"");
            write_input(nodes, n->inputs[k], out);
            str_add(out, "\"\n");
        }
        for (uint32_t k = 0; k < n->n_controls; k++) str_printf(out, "  input: \"^%s\"\n", nodes[n->controls[k]].name);
        for (uint32_t k = 0; k < n->n_attrs; k++) write_attr(&n->attrs[k], out);
        str_add(out, "}\n");
    }
}

static void write_function(const TfFunction *f, const DType *types, Str *out) {
    str_printf(out, "function { signature { name: \"%s\"", f->name);
    for (uint32_t i = 0; i < f->n_args; i++)
        str_printf(out, " input_arg { name: \"a%u\" type: %d }", i, dtype_info(f->arg_types[i])->tf);
    for (uint32_t i = 0; i < f->n_results; i++)
        str_printf(out, " output_arg { name: \"r%u\" type: %d }", i, dtype_info(types[i])->tf);
    str_add(out, " }\n");
    write_nodes("node_def", f->body.nodes, f->body.n_nodes, out);
    for (uint32_t i = 0; i < f->n_results; i++) {
        str_printf(out, "ret { key: \"r%u\" value: \"", i);
        write_input(f->body.nodes, f->results[i], out);
        str_add(out, "\" }\n");
    }
    str_add(out, "}\n");
}

void tf_write(const TfMaker *m, Str *out) {
    write_nodes("node", m->nodes.data, m->nodes.len, out);
    if (m->functions.len) str_add(out, "library {\n");
    for (uint32_t i = 0; i < m->functions.len; i++) write_function(&m->functions.data[i], m->result_types.data[i], out);
    if (m->functions.len) str_add(out, "}\n");
    str_add(out, "versions { producer: 1994 }\n");
}

void tf_write_constant(const char *name, const Tensor *t, Str *out) {
    str_printf(out, "node { name: \"%s\" op: \"Const\" attr { key: \"value\" value { ", name);
    write_tensor(t, out);
    str_add(out, " } } }\n");
}
