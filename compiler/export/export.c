/* export: walks the root region in order and writes one or a few TensorFlow nodes for each of ours (export_<family>.c).
   Sizes that are known only at run time are computed in the graph from Shape nodes of what defines their symbols. */
#include "export/exporter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OUTPUT = 255 }; /* the last output of one node that a model may name */

/* clang-format off */
static const ExportRow rows[] = {
    {OP_ADD, export_scalar, "AddV2", NULL, NULL}, {OP_SUB, export_scalar, "Sub", NULL, NULL}, {OP_MUL, export_scalar, "Mul", NULL, NULL},
    {OP_DIV, export_scalar, "RealDiv", "TruncateDiv", NULL}, {OP_FLOORDIV, export_scalar, "FloorDiv", NULL, NULL},
    {OP_FLOORMOD, export_scalar, "FloorMod", NULL, NULL}, {OP_TRUNCMOD, export_scalar, "TruncateMod", NULL, NULL},
    {OP_POW, export_scalar, "Pow", NULL, NULL}, {OP_MAX, export_scalar, "Maximum", NULL, NULL}, {OP_MIN, export_scalar, "Minimum", NULL, NULL},
    {OP_ATAN2, export_scalar, "Atan2", NULL, NULL}, {OP_NEXTAFTER, export_scalar, "NextAfter", NULL, NULL}, {OP_NEG, export_scalar, "Neg", NULL, NULL},
    {OP_ABS, export_scalar, "Abs", NULL, NULL}, {OP_SIGN, export_scalar, "Sign", NULL, NULL}, {OP_FLOOR, export_scalar, "Floor", NULL, NULL},
    {OP_CEIL, export_scalar, "Ceil", NULL, NULL}, {OP_ROUND, export_scalar, "Round", NULL, NULL}, {OP_SQRT, export_scalar, "Sqrt", NULL, NULL},
    {OP_RSQRT, export_scalar, "Rsqrt", NULL, NULL}, {OP_EXP, export_scalar, "Exp", NULL, NULL}, {OP_EXPM1, export_scalar, "Expm1", NULL, NULL},
    {OP_LOG, export_scalar, "Log", NULL, NULL}, {OP_LOG1P, export_scalar, "Log1p", NULL, NULL}, {OP_SIN, export_scalar, "Sin", NULL, NULL},
    {OP_COS, export_scalar, "Cos", NULL, NULL}, {OP_TAN, export_scalar, "Tan", NULL, NULL}, {OP_ASIN, export_scalar, "Asin", NULL, NULL},
    {OP_ACOS, export_scalar, "Acos", NULL, NULL}, {OP_ATAN, export_scalar, "Atan", NULL, NULL}, {OP_SINH, export_scalar, "Sinh", NULL, NULL},
    {OP_COSH, export_scalar, "Cosh", NULL, NULL}, {OP_TANH, export_scalar, "Tanh", NULL, NULL}, {OP_ASINH, export_scalar, "Asinh", NULL, NULL},
    {OP_ACOSH, export_scalar, "Acosh", NULL, NULL}, {OP_ATANH, export_scalar, "Atanh", NULL, NULL}, {OP_ERF, export_scalar, "Erf", NULL, NULL},
    {OP_ERFC, export_scalar, "Erfc", NULL, NULL}, {OP_SIGMOID, export_scalar, "Sigmoid", NULL, NULL}, {OP_SOFTPLUS, export_scalar, "Softplus", NULL, NULL},
    {OP_ISNAN, export_scalar, "IsNan", NULL, NULL}, {OP_ISINF, export_scalar, "IsInf", NULL, NULL}, {OP_ISFINITE, export_scalar, "IsFinite", NULL, NULL},
    {OP_EQ, export_scalar, "Equal", NULL, NULL}, {OP_NE, export_scalar, "NotEqual", NULL, NULL}, {OP_LT, export_scalar, "Less", NULL, NULL},
    {OP_LE, export_scalar, "LessEqual", NULL, NULL}, {OP_GT, export_scalar, "Greater", NULL, NULL}, {OP_GE, export_scalar, "GreaterEqual", NULL, NULL},
    {OP_AND, export_scalar, "", "BitwiseAnd", "LogicalAnd"}, {OP_OR, export_scalar, "", "BitwiseOr", "LogicalOr"},
    {OP_XOR, export_scalar, "", "BitwiseXor", "NotEqual"}, {OP_NOT, export_scalar, "", "Invert", "LogicalNot"},
    {OP_SHL, export_scalar, "LeftShift", NULL, NULL}, {OP_SHR, export_scalar, "RightShift", NULL, NULL}, {OP_SELECT, export_scalar, "SelectV2", NULL, NULL},
    {OP_CAST, export_cast, "Cast", NULL, NULL}, {OP_BITCAST, export_cast, "Bitcast", NULL, NULL},
    {OP_CONST, export_const, NULL, NULL, NULL}, {OP_IOTA, export_iota, NULL, NULL, NULL}, {OP_DIMS_TENSOR, export_dims_tensor, NULL, NULL, NULL},
    {OP_LOAD_DIMS, export_load_dims, NULL, NULL, NULL}, {OP_REQUIRE, export_require, NULL, NULL, NULL}, {OP_RESHAPE, export_reshape, NULL, NULL, NULL}, {OP_BROADCAST, export_broadcast, NULL, NULL, NULL},
    {OP_TRANSPOSE, export_transpose, NULL, NULL, NULL}, {OP_REVERSE, export_reverse, NULL, NULL, NULL}, {OP_SLICE, export_slice, NULL, NULL, NULL},
    {OP_DYNAMIC_SLICE, export_dynamic_slice, NULL, NULL, NULL}, {OP_PAD, export_pad, NULL, NULL, NULL}, {OP_CONCAT, export_concat, NULL, NULL, NULL},
    {OP_GATHER, export_gather, NULL, NULL, NULL}, {OP_GATHER_ND, export_gather_nd, NULL, NULL, NULL}, {OP_SCATTER_ND, export_scatter_nd, NULL, NULL, NULL},
    {OP_SPACE_TO_BATCH, export_space_batch, "SpaceToBatchND", NULL, NULL}, {OP_BATCH_TO_SPACE, export_space_batch, "BatchToSpaceND", NULL, NULL},
    {OP_REDUCE, export_reduce, NULL, NULL, NULL}, {OP_ARG_REDUCE, export_arg_reduce, NULL, NULL, NULL}, {OP_CUMULATE, export_cumulate, NULL, NULL, NULL},
    {OP_SOFTMAX, export_softmax, "Softmax", NULL, NULL}, {OP_LOG_SOFTMAX, export_softmax, "LogSoftmax", NULL, NULL},
    {OP_LAYER_NORM, export_layer_norm, NULL, NULL, NULL}, {OP_MATMUL, export_matmul, NULL, NULL, NULL}, {OP_CONV, export_conv, NULL, NULL, NULL},
    {OP_CONV_TRANSPOSE, export_conv_transpose, NULL, NULL, NULL}, {OP_POOL, export_pool, NULL, NULL, NULL}, {OP_RESIZE, export_resize, NULL, NULL, NULL},
    {OP_TRUNC, export_trunc, NULL, NULL, NULL}, {OP_POPCOUNT, export_popcount, NULL, NULL, NULL},
    {OP_DYNAMIC_UPDATE, export_dynamic_update, NULL, NULL, NULL},
    {OP_IF, export_branches, NULL, NULL, NULL}, {OP_CASE, export_branches, NULL, NULL, NULL}, {OP_WHILE, export_while, NULL, NULL, NULL},
    {OP_HOST, export_host, NULL, NULL, NULL},
};
/* clang-format on */

static const ExportRow *row_of(OpId op) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].op == op) return &rows[i];
    return NULL;
}

const char *export_in(const Exporter *e, const Node *n, uint32_t i) {
    return e->names[n->inputs[i].i];
}

const Value *export_value(const Exporter *e, const Node *n, uint32_t i) {
    return value_at(e->g, n->inputs[i]);
}

const char *export_fresh(Exporter *e, const char *what) {
    char *name = arena_printf(e->arena, "tfopt/%u_%s", e->next++, *what ? what : "node");
    for (char *p = name; *p; p++) /* TensorFlow: [A-Za-z0-9.][A-Za-z0-9_./>-]* */
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./>-", *p)) *p = '_';
    return name;
}

const char *export_result(Exporter *e, const Node *n) {
    const char *name = export_fresh(e, n->name);
    e->names[n->outputs[0].i] = name;
    return name;
}

const char *export_ints(Exporter *e, int rank, int64_t count, const int64_t *values) {
    int32_t *narrow = NEW_ARRAY(e->arena, int32_t, count + 1);
    for (int64_t i = 0; i < count; i++) narrow[i] = (int32_t)values[i];
    const char *name = export_fresh(e, "const");
    write_ints(&e->w, name, rank, count, narrow);
    return name;
}

const char *export_const_tensor(Exporter *e, const Tensor *t) {
    const char *name = export_fresh(e, "const");
    NodeWriter w = node_begin(&e->w, name, "Const", 0, NULL);
    int type = dtype_info(t->dtype)->tf;
    node_attr_type(&w, "dtype", type);
    if (t->dtype == DTYPE_STRING) {
        int64_t count = tensor_count(t);
        const char **data = NEW_ARRAY(e->arena, const char *, count + 1);
        size_t *sizes = NEW_ARRAY(e->arena, size_t, count + 1);
        for (int64_t i = 0; i < count; i++) {
            data[i] = ((const StringElement *)t->data)[i].data;
            sizes[i] = ((const StringElement *)t->data)[i].size;
        }
        node_attr_string_tensor(&w, "value", t->rank, t->dims, count, data, sizes);
    } else {
        node_attr_tensor(&w, "value", type, t->rank, t->dims, t->data, tensor_bytes(t));
    }
    node_end(&w);
    return name;
}

const char *export_typed(Exporter *e, const char *name, const char *op, DType t, const char *second, DType second_type,
                         int n_inputs, const char *const *inputs) {
    NodeWriter w = node_begin(&e->w, name, op, n_inputs, inputs);
    node_attr_type(&w, "T", dtype_info(t)->tf);
    if (second) node_attr_type(&w, second, dtype_info(second_type)->tf);
    node_end(&w);
    return name;
}

const char *export_simple(Exporter *e, const char *name, const char *op, DType t, int n_inputs,
                          const char *const *inputs) {
    return export_typed(e, name, op, t, NULL, DTYPE_NONE, n_inputs, inputs);
}

bool export_unsupported(Exporter *e, const Node *n, const char *why) {
    if (n->n_outputs) e->names[n->outputs[0].i] = "tfopt/missing";
    return diag_unsupported(e->d, n->name, op_info(n->op)->text, "cannot be written as TensorFlow nodes: %s", why);
}

/* ---- dims as tensors */

/* An int32 scalar with the value of d. */
static const char *scalar_of_dim(Exporter *e, Dim d) {
    if (dim_is_const(d)) return export_ints(e, 0, 1, &d.value);
    const DimExpr *x = &e->g->dims.exprs.data[d.expr];
    static const char *const ops[] = {[DIM_ADD] = "AddV2",    [DIM_MUL] = "Mul",     [DIM_FLOORDIV] = "FloorDiv",
                                      [DIM_MOD] = "FloorMod", [DIM_MIN] = "Minimum", [DIM_MAX] = "Maximum"};
    if (x->kind != DIM_SYMBOL) {
        const char *a = scalar_of_dim(e, x->a), *b = scalar_of_dim(e, x->b);
        if (x->kind == DIM_BROADCAST) { /* b where a is 1, else a */
            const char *one = export_ints(e, 0, 1, (const int64_t[]){1});
            const char *is_one =
                export_simple(e, export_fresh(e, "dim"), "Equal", DTYPE_S32, 2, (const char *const[]){a, one});
            return export_simple(e, export_fresh(e, "dim"), "SelectV2", DTYPE_S32, 3,
                                 (const char *const[]){is_one, b, a});
        }
        return export_simple(e, export_fresh(e, "dim"), ops[x->kind], DTYPE_S32, 2, (const char *const[]){a, b});
    }
    const SymbolSource *s = &e->symbols[x->symbol];
    if (!s->tensor) {
        diag_unsupported(e->d, NULL, NULL, "the size %s is not that of any tensor; TensorFlow cannot compute it",
                         e->g->dims.symbols.data[x->symbol].name);
        return export_ints(e, 0, 1, (const int64_t[]){0});
    }
    const char *vector = s->tensor;
    for (uint32_t depth = s->depth + 1; depth <= e->depth; depth++) { /* from outside a loop: let in, the same always */
        const char *name = export_fresh(e, "invariant");
        NodeWriter w = node_begin(&e->w, name, "Enter", 1, &vector);
        node_attr_type(&w, "T", dtype_info(s->dtype)->tf);
        node_attr_string(&w, "frame_name", e->frames[depth]);
        node_attr_bool(&w, "is_constant", true);
        node_end(&w);
        vector = name;
    }
    if (!s->element) {
        const char *of = vector;
        vector = export_fresh(e, "shape");
        NodeWriter w = node_begin(&e->w, vector, "Shape", 1, &of);
        node_attr_type(&w, "T", dtype_info(s->dtype)->tf);
        node_attr_type(&w, "out_type", 3);
        node_end(&w);
    }
    const char *begin = export_ints(e, 1, 1, &s->index), *size = export_ints(e, 1, 1, (const int64_t[]){1});
    const char *piece = export_typed(e, export_fresh(e, "slice"), "Slice", DTYPE_S32, "Index", DTYPE_S32, 3,
                                     (const char *const[]){vector, begin, size});
    const char *none = export_fresh(e, "scalar");
    write_ints(&e->w, none, 1, 0, NULL);
    return export_typed(e, export_fresh(e, "dim"), "Reshape", DTYPE_S32, "Tshape", DTYPE_S32, 2,
                        (const char *const[]){piece, none});
}

const char *export_dims(Exporter *e, uint32_t count, const Dim *dims, bool infer) {
    int64_t values[MAX_CONTENT] = {0};
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = dim_is_const(dims[i]) ? dims[i].value : -1;
        unknown += !dim_is_const(dims[i]);
    }
    bool has_zero = false;
    for (uint32_t i = 0; i < count; i++) has_zero = has_zero || values[i] == 0;
    if (unknown == 0 || (infer && unknown == 1 && !has_zero)) return export_ints(e, 1, count, values);
    const char *parts[MAX_CONTENT];
    for (uint32_t i = 0; i < count; i++) parts[i] = scalar_of_dim(e, dims[i]);
    const char *name = export_fresh(e, "dims");
    NodeWriter w = node_begin(&e->w, name, "Pack", (int)count, parts);
    node_attr_type(&w, "T", 3);
    node_attr_int(&w, "N", count);
    node_attr_int(&w, "axis", 0);
    node_end(&w);
    return name;
}

const char *export_reshape_to(Exporter *e, const char *name, const char *x, DType t, int rank, const Dim *dims) {
    const char *shape = export_dims(e, (uint32_t)rank, dims, true);
    return export_typed(e, name, "Reshape", t, "Tshape", DTYPE_S32, 2, (const char *const[]){x, shape});
}

/* ---- the walk */

static const char *node_name_of(Exporter *e, const char *tensor) {
    const char *colon = strrchr(tensor, ':');
    if (!colon) return tensor;
    char *base = arena_strndup(e->arena, tensor, (size_t)(colon - tensor));
    return strcmp(colon, ":0") == 0 ? base : arena_printf(e->arena, "%s_%s", base, colon + 1);
}

void export_note_symbols(Exporter *e, ValueId v) {
    const Value *value = value_at(e->g, v);
    for (int k = 0; k < value->shape.rank; k++) {
        Dim d = value->shape.dims[k];
        if (dim_is_const(d) || e->g->dims.exprs.data[d.expr].kind != DIM_SYMBOL) continue;
        SymbolSource *s = &e->symbols[e->g->dims.exprs.data[d.expr].symbol];
        if (!s->tensor || s->depth < e->depth) *s = (SymbolSource){e->names[v.i], value->dtype, k, false, e->depth};
    }
}

static void export_placeholders(Exporter *e, const Region *root) {
    for (uint32_t i = 0; i < root->params.len; i++) {
        ValueId v = root->params.data[i];
        const Value *value = value_at(e->g, v);
        int64_t dims[MAX_RANK];
        for (int k = 0; k < value->shape.rank; k++)
            dims[k] = dim_is_const(value->shape.dims[k]) ? value->shape.dims[k].value : -1;
        e->names[v.i] = node_name_of(e, e->g->inputs.data[i].tensor);
        write_placeholder(&e->w, e->names[v.i], dtype_info(value->dtype)->tf, value->shape.rank, dims);
        export_note_symbols(e, v);
    }
}

void export_region(Exporter *e, const Region *r) {
    for (uint32_t i = 0; i < r->nodes.len; i++) {
        const Node *n = node_at(e->g, r->nodes.data[i]);
        const ExportRow *row = row_of(n->op);
        if (row)
            row->write(e, n, row);
        else
            export_unsupported(e, n, "it has no TensorFlow form yet");
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            if (!e->names[n->outputs[k].i]) e->names[n->outputs[k].i] = "tfopt/missing";
            export_note_symbols(e, n->outputs[k]);
        }
    }
}

/* The number behind the colon of "node:1". */
static uint32_t output_of(const char *tensor) {
    const char *colon = strrchr(tensor, ':');
    return colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

/* Name of an output; the elements of one whose rank only running tells get their dims (outputs of the same elements may
   have different ones). */
static const char *output_name(Exporter *e, const Region *root, uint32_t i) {
    const uint32_t dims = e->g->outputs.data[i].dims;
    const ValueId v = root->results.data[i];
    if (!dims) return e->names[v.i];
    const char *inputs[] = {e->names[v.i], e->names[root->results.data[dims].i]};
    const char *name = export_fresh(e, "dims");
    return export_typed(e, name, "Reshape", value_at(e->g, v)->dtype, "Tshape", DTYPE_S64, 2, inputs);
}

/* Outputs keep their tensors' names: an Identity named like the node, or an IdentityN where the model names a later
   output of it. What the model does not name in between repeats one that it does. */
static void export_outputs(Exporter *e, const Region *root) {
    Map done;
    map_init(&done, e->arena);
    for (uint32_t i = 0; i < root->params.len; i++) map_add(&done, e->names[root->params.data[i].i], 0);
    const char **names = NEW_ARRAY(e->arena, const char *, e->g->outputs.len + 1);
    for (uint32_t i = 0; i < e->g->outputs.len; i++) names[i] = output_name(e, root, i);
    for (uint32_t i = 0; i < e->g->outputs.len; i++) {
        const char *tensor = e->g->outputs.data[i].tensor, *colon = strrchr(tensor, ':');
        const char *name = colon ? arena_strndup(e->arena, tensor, (size_t)(colon - tensor)) : tensor;
        if (!map_add(&done, name, 0)) continue;
        const char *inputs[MAX_OUTPUT + 1] = {NULL};
        int types[MAX_OUTPUT + 1], count = 0;
        DType t = DTYPE_NONE;
        for (uint32_t k = i; k < e->g->outputs.len; k++) {
            const char *other = e->g->outputs.data[k].tensor;
            size_t n = strcspn(other, ":");
            uint32_t at = output_of(other);
            if (strlen(name) != n || memcmp(name, other, n) != 0 || at > MAX_OUTPUT) continue;
            t = value_at(e->g, root->results.data[k])->dtype;
            inputs[at] = names[k];
            types[at] = dtype_info(t)->tf;
            if ((int)at >= count) count = (int)at + 1;
        }
        for (int k = count - 1; k-- > 0;)
            if (!inputs[k]) inputs[k] = inputs[k + 1], types[k] = types[k + 1];
        if (count == 1) {
            export_simple(e, name, "Identity", t, 1, inputs);
        } else if (count > 1) {
            NodeWriter w = node_begin(&e->w, name, "IdentityN", count, inputs);
            node_attr_types(&w, "T", count, types);
            node_end(&w);
        } else {
            diag_unsupported(e->d, name, NULL, "output %u of a node cannot be written", output_of(tensor));
        }
    }
}

bool export_graph(const Graph *g, FILE *out, Diag *d) {
    Arena *arena = arena_new();
    Exporter e = {.g = g, .arena = arena, .d = d, .w = {.out = out, .arena = arena_new()}};
    uint32_t errors = d->n_errors;
    e.names = NEW_ARRAY(arena, const char *, g->values.len);
    e.symbols = NEW_ARRAY(arena, SymbolSource, g->dims.symbols.len + 1);
    const Region *root = region_at(g, g->root);
    export_placeholders(&e, root);
    export_region(&e, root);
    export_outputs(&e, root);
    write_versions(&e.w);
    arena_free(e.w.arena);
    arena_free(arena);
    return d->n_errors == errors;
}
