/* export, element-wise and data movement: mostly one TensorFlow node for one of ours. */
#include "export/exporter.h"

#include <string.h>

bool export_scalar(Exporter *e, const Node *n, const ExportRow *row) {
    const Value *x = export_value(e, n, 0);
    DTypeClass c = dtype_info(x->dtype)->class_;
    const char *op = (c == CLASS_SINT || c == CLASS_UINT) && row->text_int ? row->text_int
                     : c == CLASS_BOOLEAN && row->text_bool                ? row->text_bool
                                                                           : row->text;
    const char *inputs[3];
    for (uint32_t i = 0; i < n->n_inputs; i++) inputs[i] = export_in(e, n, i);
    DType t = n->op == OP_SELECT ? export_value(e, n, 1)->dtype : x->dtype;
    NodeWriter w = node_begin(&e->w, export_result(e, n), op, (int)n->n_inputs, inputs);
    if (strncmp(op, "Logical", 7) != 0)
        node_attr_type(&w, "T", dtype_info(t)->tf); /* the logical ops have no type attribute */
    node_end(&w);
    return true;
}

/* TensorFlow has no such op: the ceiling below zero, the floor above. */
bool export_trunc(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    DType t = export_value(e, n, 0)->dtype;
    const char *x = export_in(e, n, 0);
    Tensor zero_value = tensor_scalar_f64(e->arena, t, 0);
    const char *zero = export_const_tensor(e, &zero_value);
    const char *up = export_simple(e, export_fresh(e, "ceil"), "Ceil", t, 1, &x),
               *down = export_simple(e, export_fresh(e, "floor"), "Floor", t, 1, &x),
               *below = export_simple(e, export_fresh(e, "below"), "Less", t, 2, (const char *const[]){x, zero});
    export_simple(e, export_result(e, n), "SelectV2", t, 3, (const char *const[]){below, up, down});
    return true;
}

bool export_cast(Exporter *e, const Node *n, const ExportRow *row) {
    const char *x = export_in(e, n, 0);
    bool bits = n->op == OP_BITCAST;
    NodeWriter w = node_begin(&e->w, export_result(e, n), row->text, 1, &x);
    node_attr_type(&w, bits ? "T" : "SrcT", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, bits ? "type" : "DstT", dtype_info(value_at(e->g, n->outputs[0])->dtype)->tf);
    node_end(&w);
    return true;
}

bool export_const(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    e->names[n->outputs[0].i] = export_const_tensor(e, node_attr(n, "value")->v.tensor);
    return true;
}

static const char *cast_to(Exporter *e, const char *name, const char *x, DType from, DType to) {
    NodeWriter w = node_begin(&e->w, name, "Cast", 1, &x);
    node_attr_type(&w, "SrcT", dtype_info(from)->tf);
    node_attr_type(&w, "DstT", dtype_info(to)->tf);
    node_end(&w);
    return name;
}

/* PopulationCount counts into uint8; ours into the operand's type. */
bool export_popcount(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    DType t = export_value(e, n, 0)->dtype;
    const char *x = export_in(e, n, 0);
    const char *count = export_simple(e, export_fresh(e, "count"), "PopulationCount", t, 1, &x);
    e->names[n->outputs[0].i] = cast_to(e, export_fresh(e, n->name), count, DTYPE_U8, t);
    return true;
}

static const char *broadcast_to(Exporter *e, const char *name, const char *x, DType t, int rank, const Dim *dims) {
    const char *shape = export_dims(e, (uint32_t)rank, dims, false);
    return export_typed(e, name, "BroadcastTo", t, "Tidx", DTYPE_S32, 2, (const char *const[]){x, shape});
}

bool export_iota(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *shape = node_attr(n, "shape");
    int64_t axis = node_int(n, "axis", 0);
    DType t = value_at(e->g, n->outputs[0])->dtype;
    const char *size = export_dims(e, 1, &shape->v.dims[axis], false),
               *zero = export_ints(e, 0, 1, (const int64_t[]){0}), *one = export_ints(e, 0, 1, (const int64_t[]){1});
    const char *none = export_fresh(e, "scalar");
    write_ints(&e->w, none, 1, 0, NULL);
    const char *limit = export_typed(e, export_fresh(e, "limit"), "Reshape", DTYPE_S32, "Tshape", DTYPE_S32, 2,
                                     (const char *const[]){size, none});
    const char *range = export_fresh(e, "range");
    NodeWriter w = node_begin(&e->w, range, "Range", 3, (const char *const[]){zero, limit, one});
    node_attr_type(&w, "Tidx", 3);
    node_end(&w);
    Dim line[MAX_RANK];
    for (uint32_t k = 0; k < shape->n; k++) line[k] = k == (uint32_t)axis ? shape->v.dims[k] : dim_const(1);
    const char *shaped = export_reshape_to(e, export_fresh(e, "line"), range, DTYPE_S32, (int)shape->n, line);
    const char *typed = t == DTYPE_S32 ? shaped : cast_to(e, export_fresh(e, "cast"), shaped, DTYPE_S32, t);
    broadcast_to(e, export_result(e, n), typed, t, (int)shape->n, shape->v.dims);
    return true;
}

bool export_dims_tensor(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *dims = node_attr(n, "dims");
    const Value *y = value_at(e->g, n->outputs[0]);
    const char *x = export_dims(e, dims->n, dims->v.dims, false);
    if (y->shape.rank != 1)
        x = export_reshape_to(e, export_fresh(e, "shaped"), x, DTYPE_S32, y->shape.rank, y->shape.dims);
    e->names[n->outputs[0].i] =
        y->dtype == DTYPE_S32 ? x : cast_to(e, export_fresh(e, n->name), x, DTYPE_S32, y->dtype);
    return true;
}

/* TensorFlow's own ops check their sizes. */
bool export_require(Exporter *e, const Node *n, const ExportRow *row) {
    (void)e;
    (void)n;
    (void)row;
    return true;
}

bool export_load_dims(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *symbols = node_attr(n, "symbols");
    const Value *x = export_value(e, n, 0);
    const char *vector = x->dtype == DTYPE_S32
                             ? export_in(e, n, 0)
                             : cast_to(e, export_fresh(e, "dims"), export_in(e, n, 0), x->dtype, DTYPE_S32);
    if (x->shape.rank != 1)
        vector =
            export_reshape_to(e, export_fresh(e, "dims"), vector, DTYPE_S32, 1, (const Dim[]){dim_const(symbols->n)});
    for (uint32_t i = 0; i < symbols->n; i++)
        if (symbols->v.ints[i] >= 0)
            e->symbols[symbols->v.ints[i]] = (SymbolSource){vector, DTYPE_S32, i, true, e->depth};
    return true;
}

bool export_reshape(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *shape = node_attr(n, "shape");
    export_reshape_to(e, export_result(e, n), export_in(e, n, 0), export_value(e, n, 0)->dtype, (int)shape->n,
                      shape->v.dims);
    return true;
}

bool export_broadcast(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *shape = node_attr(n, "shape");
    broadcast_to(e, export_result(e, n), export_in(e, n, 0), export_value(e, n, 0)->dtype, (int)shape->n,
                 shape->v.dims);
    return true;
}

bool export_transpose(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *perm = node_attr(n, "perm");
    const char *order = export_ints(e, 1, perm->n, perm->v.ints);
    export_typed(e, export_result(e, n), "Transpose", export_value(e, n, 0)->dtype, "Tperm", DTYPE_S32, 2,
                 (const char *const[]){export_in(e, n, 0), order});
    return true;
}

bool export_reverse(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *axes = node_attr(n, "axes");
    const char *which = export_ints(e, 1, axes->n, axes->v.ints);
    export_typed(e, export_result(e, n), "ReverseV2", export_value(e, n, 0)->dtype, "Tidx", DTYPE_S32, 2,
                 (const char *const[]){export_in(e, n, 0), which});
    return true;
}

bool export_slice(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *begin = node_attr(n, "begin"), *size = node_attr(n, "size"), *strides = node_attr(n, "strides");
    DType t = export_value(e, n, 0)->dtype;
    const char *x = export_in(e, n, 0), *from = export_dims(e, begin->n, begin->v.dims, false);
    bool plain = true;
    for (uint32_t i = 0; i < strides->n; i++) plain = plain && strides->v.ints[i] == 1;
    if (plain) {
        const char *sizes = export_dims(e, size->n, size->v.dims, false);
        export_typed(e, export_result(e, n), "Slice", t, "Index", DTYPE_S32, 3, (const char *const[]){x, from, sizes});
        return true;
    }
    int64_t end[MAX_RANK], end_mask = 0;
    bool known = true, forward = true;
    for (uint32_t i = 0; i < size->n; i++) {
        known = known && dim_is_const(size->v.dims[i]) && dim_is_const(begin->v.dims[i]);
        forward = forward && strides->v.ints[i] > 0;
    }
    if (!known && !forward) return export_unsupported(e, n, "a backward slice of an unknown size");
    for (uint32_t i = 0; known && i < size->n; i++) { /* one past the last element; before the first: "to the end" */
        end[i] = begin->v.dims[i].value + (size->v.dims[i].value - 1) * strides->v.ints[i] +
                 (strides->v.ints[i] > 0 ? 1 : -1);
        if (end[i] < 0) end_mask |= (int64_t)1 << i;
    }
    const char *by = export_ints(e, 1, strides->n, strides->v.ints), *to = NULL;
    if (known) {
        to = export_ints(e, 1, size->n, end);
    } else { /* begin + size * stride; TensorFlow clamps it to the dim */
        const char *sizes = export_dims(e, size->n, size->v.dims, false);
        const char *span =
            export_simple(e, export_fresh(e, "span"), "Mul", DTYPE_S32, 2, (const char *const[]){sizes, by});
        to = export_simple(e, export_fresh(e, "end"), "AddV2", DTYPE_S32, 2, (const char *const[]){from, span});
    }
    NodeWriter w = node_begin(&e->w, export_result(e, n), "StridedSlice", 4, (const char *const[]){x, from, to, by});
    node_attr_type(&w, "T", dtype_info(t)->tf);
    node_attr_type(&w, "Index", 3);
    node_attr_int(&w, "end_mask", end_mask);
    node_end(&w);
    return true;
}

const char *export_clamped(Exporter *e, const char *begin, DType dtype, int rank, const Dim *dims, const Dim *size) {
    const char *all = export_dims(e, (uint32_t)rank, dims, false), *taken = export_dims(e, (uint32_t)rank, size, false);
    const char *limit =
        export_simple(e, export_fresh(e, "limit"), "Sub", DTYPE_S32, 2, (const char *const[]){all, taken});
    const char *zero = export_ints(e, 0, 1, (const int64_t[]){0});
    if (dtype != DTYPE_S32) begin = cast_to(e, export_fresh(e, "begin"), begin, dtype, DTYPE_S32);
    const char *low =
        export_simple(e, export_fresh(e, "low"), "Maximum", DTYPE_S32, 2, (const char *const[]){begin, zero});
    return export_simple(e, export_fresh(e, "begin"), "Minimum", DTYPE_S32, 2, (const char *const[]){low, limit});
}

bool export_dynamic_update(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Value *x = export_value(e, n, 0), *update = export_value(e, n, 1);
    if (x->shape.rank == 0) { /* all of it */
        e->names[n->outputs[0].i] = export_in(e, n, 1);
        return true;
    }
    const char *begin = export_clamped(e, export_in(e, n, 2), export_value(e, n, 2)->dtype, x->shape.rank,
                                       x->shape.dims, update->shape.dims);
    const char *size = export_dims(e, (uint32_t)update->shape.rank, update->shape.dims, false);
    const char *end =
        export_simple(e, export_fresh(e, "end"), "AddV2", DTYPE_S32, 2, (const char *const[]){begin, size});
    int64_t ones[MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++) ones[i] = 1;
    const char *steps = export_ints(e, 1, x->shape.rank, ones);
    export_typed(e, export_result(e, n), "TensorStridedSliceUpdate", x->dtype, "Index", DTYPE_S32, 5,
                 (const char *const[]){export_in(e, n, 0), begin, end, steps, export_in(e, n, 1)});
    return true;
}

bool export_dynamic_slice(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *size = node_attr(n, "size");
    const Value *x = export_value(e, n, 0);
    const char *from =
        export_clamped(e, export_in(e, n, 1), export_value(e, n, 1)->dtype, x->shape.rank, x->shape.dims, size->v.dims);
    const char *sizes = export_dims(e, size->n, size->v.dims, false);
    export_typed(e, export_result(e, n), "Slice", x->dtype, "Index", DTYPE_S32, 3,
                 (const char *const[]){export_in(e, n, 0), from, sizes});
    return true;
}

/* [n, 2] int32 tensor of pads. */
static const char *pads_of(Exporter *e, uint32_t count, const Dim *before, const Dim *after) {
    Dim flat[2 * MAX_RANK];
    for (uint32_t i = 0; i < count; i++) {
        flat[2 * i] = before[i];
        flat[2 * i + 1] = after[i];
    }
    const char *vector = export_dims(e, 2 * count, flat, false);
    return export_reshape_to(e, export_fresh(e, "pads"), vector, DTYPE_S32, 2,
                             (const Dim[]){dim_const(count), dim_const(2)});
}

bool export_pad(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *before = node_attr(n, "before"), *after = node_attr(n, "after");
    const char *mode = node_string(n, "mode", "constant"), *pads = pads_of(e, before->n, before->v.dims, after->v.dims);
    bool constant = strcmp(mode, "constant") == 0;
    NodeWriter w = node_begin(&e->w, export_result(e, n), constant ? "PadV2" : "MirrorPad", constant ? 3 : 2,
                              (const char *const[]){export_in(e, n, 0), pads, export_in(e, n, 1)});
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tpaddings", 3);
    if (!constant) node_attr_string(&w, "mode", strcmp(mode, "reflect") == 0 ? "REFLECT" : "SYMMETRIC");
    node_end(&w);
    return true;
}

bool export_concat(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    int64_t axis = node_int(n, "axis", 0);
    const char **inputs = NEW_ARRAY(e->arena, const char *, n->n_inputs + 1);
    for (uint32_t i = 0; i < n->n_inputs; i++) inputs[i] = export_in(e, n, i);
    if (n->n_inputs == 1) {
        e->names[n->outputs[0].i] = inputs[0];
        return true;
    }
    inputs[n->n_inputs] = export_ints(e, 0, 1, &axis);
    NodeWriter w = node_begin(&e->w, export_result(e, n), "ConcatV2", (int)n->n_inputs + 1, inputs);
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tidx", 3);
    node_attr_int(&w, "N", n->n_inputs);
    node_end(&w);
    return true;
}

bool export_gather(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    int64_t axis = node_int(n, "axis", 0);
    const char *which = export_ints(e, 0, 1, &axis);
    NodeWriter w = node_begin(&e->w, export_result(e, n), "GatherV2", 3,
                              (const char *const[]){export_in(e, n, 0), export_in(e, n, 1), which});
    node_attr_type(&w, "Tparams", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tindices", dtype_info(export_value(e, n, 1)->dtype)->tf);
    node_attr_type(&w, "Taxis", 3);
    node_attr_int(&w, "batch_dims", node_int(n, "batch_dims", 0));
    node_end(&w);
    return true;
}

bool export_gather_nd(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    if (node_int(n, "batch_dims", 0)) return export_unsupported(e, n, "batch dimensions of gather_nd");
    NodeWriter w = node_begin(&e->w, export_result(e, n), "GatherNd", 2,
                              (const char *const[]){export_in(e, n, 0), export_in(e, n, 1)});
    node_attr_type(&w, "Tparams", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tindices", dtype_info(export_value(e, n, 1)->dtype)->tf);
    node_end(&w);
    return true;
}

bool export_scatter_nd(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    static const char *const modes[][2] = {{"update", "TensorScatterUpdate"},
                                           {"add", "TensorScatterAdd"},
                                           {"sub", "TensorScatterSub"},
                                           {"min", "TensorScatterMin"},
                                           {"max", "TensorScatterMax"}};
    const char *mode = node_string(n, "mode", "update"), *op = NULL;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(mode, modes[i][0]) == 0) op = modes[i][1];
    if (!op) return export_unsupported(e, n, "an unknown scatter mode");
    export_typed(e, export_result(e, n), op, export_value(e, n, 0)->dtype, "Tindices", export_value(e, n, 1)->dtype, 3,
                 (const char *const[]){export_in(e, n, 0), export_in(e, n, 1), export_in(e, n, 2)});
    return true;
}

bool export_space_batch(Exporter *e, const Node *n, const ExportRow *row) {
    const Attr *block = node_attr(n, "block"), *before = node_attr(n, "before"), *after = node_attr(n, "after");
    const char *blocks = export_ints(e, 1, block->n, block->v.ints),
               *pads = pads_of(e, before->n, before->v.dims, after->v.dims);
    NodeWriter w =
        node_begin(&e->w, export_result(e, n), row->text, 3, (const char *const[]){export_in(e, n, 0), blocks, pads});
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tblock_shape", 3);
    node_attr_type(&w, n->op == OP_SPACE_TO_BATCH ? "Tpaddings" : "Tcrops", 3);
    node_end(&w);
    return true;
}
