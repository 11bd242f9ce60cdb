/* export, reductions, contractions, pooling, resizing and host ops. */
#include "export/exporter.h"

#include "ir/host.h"
#include <string.h>

bool export_reduce(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    static const char *const kinds[][2] = {{"sum", "Sum"},   {"prod", "Prod"}, {"max", "Max"}, {"min", "Min"},
                                           {"mean", "Mean"}, {"all", "All"},   {"any", "Any"}};
    const char *kind = node_string(n, "kind", "sum"), *op = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kind, kinds[i][0]) == 0) op = kinds[i][1];
    const Attr *axes = node_attr(n, "axes");
    const char *which = export_ints(e, 1, axes->n, axes->v.ints);
    NodeWriter w = node_begin(&e->w, export_result(e, n), op, 2, (const char *const[]){export_in(e, n, 0), which});
    if (op[0] != 'A')
        node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf); /* All and Any have no type */
    node_attr_type(&w, "Tidx", 3);
    node_attr_bool(&w, "keep_dims", node_int(n, "keep", 0) != 0);
    node_end(&w);
    return true;
}

bool export_arg_reduce(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    int64_t axis = node_int(n, "axis", 0);
    const char *which = export_ints(e, 0, 1, &axis);
    NodeWriter w =
        node_begin(&e->w, export_result(e, n), strcmp(node_string(n, "kind", "max"), "max") == 0 ? "ArgMax" : "ArgMin",
                   2, (const char *const[]){export_in(e, n, 0), which});
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tidx", 3);
    node_attr_type(&w, "output_type", dtype_info(value_at(e->g, n->outputs[0])->dtype)->tf);
    node_end(&w);
    return true;
}

bool export_cumulate(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const char *kind = node_string(n, "kind", "sum");
    int64_t axis = node_int(n, "axis", 0);
    const char *which = export_ints(e, 0, 1, &axis);
    NodeWriter w = node_begin(&e->w, export_result(e, n),
                              strcmp(kind, "sum") == 0    ? "Cumsum"
                              : strcmp(kind, "prod") == 0 ? "Cumprod"
                                                          : "CumulativeLogsumexp",
                              2, (const char *const[]){export_in(e, n, 0), which});
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_type(&w, "Tidx", 3);
    node_attr_bool(&w, "exclusive", node_int(n, "exclusive", 0) != 0);
    node_attr_bool(&w, "reverse", node_int(n, "reverse", 0) != 0);
    node_end(&w);
    return true;
}

bool export_softmax(Exporter *e, const Node *n, const ExportRow *row) {
    const char *x = export_in(e, n, 0);
    export_simple(e, export_result(e, n), row->text, export_value(e, n, 0)->dtype, 1, &x);
    return true;
}

/* (x - mean) * rsqrt(variance + epsilon) * scale + offset over the last axis */
bool export_layer_norm(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Value *x = export_value(e, n, 0);
    DType t = x->dtype;
    const char *in = export_in(e, n, 0), *axis = export_ints(e, 1, 1, (const int64_t[]){x->shape.rank - 1});
    const char *means[2], *centred = in;
    for (int k = 0; k < 2; k++) { /* mean, then variance of what is left */
        const char *of = k ? export_simple(e, export_fresh(e, "square"), "Square", t, 1, &centred) : in;
        means[k] = export_fresh(e, k ? "variance" : "mean");
        NodeWriter w = node_begin(&e->w, means[k], "Mean", 2, (const char *const[]){of, axis});
        node_attr_type(&w, "T", dtype_info(t)->tf);
        node_attr_type(&w, "Tidx", 3);
        node_attr_bool(&w, "keep_dims", true);
        node_end(&w);
        if (k == 0)
            centred = export_simple(e, export_fresh(e, "centred"), "Sub", t, 2, (const char *const[]){in, means[0]});
    }
    Tensor epsilon = tensor_scalar_f64(e->arena, t, node_float(n, "epsilon", 0));
    const char *eps = export_const_tensor(e, &epsilon);
    const char *shifted =
        export_simple(e, export_fresh(e, "shifted"), "AddV2", t, 2, (const char *const[]){means[1], eps});
    const char *inverse = export_simple(e, export_fresh(e, "inverse"), "Rsqrt", t, 1, &shifted);
    const char *unit = export_simple(e, export_fresh(e, "unit"), "Mul", t, 2, (const char *const[]){centred, inverse});
    const char *scaled =
        export_simple(e, export_fresh(e, "scaled"), "Mul", t, 2, (const char *const[]){unit, export_in(e, n, 1)});
    export_simple(e, export_result(e, n), "AddV2", t, 2, (const char *const[]){scaled, export_in(e, n, 2)});
    return true;
}

bool export_matmul(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    DType t = export_value(e, n, 0)->dtype, out = value_at(e->g, n->outputs[0])->dtype;
    NodeWriter w = node_begin(&e->w, export_result(e, n), out == t ? "BatchMatMulV2" : "BatchMatMulV3", 2,
                              (const char *const[]){export_in(e, n, 0), export_in(e, n, 1)});
    if (out == t) {
        node_attr_type(&w, "T", dtype_info(t)->tf);
    } else {
        node_attr_type(&w, "Ta", dtype_info(t)->tf);
        node_attr_type(&w, "Tb", dtype_info(export_value(e, n, 1)->dtype)->tf);
        node_attr_type(&w, "Tout", dtype_info(out)->tf);
    }
    node_attr_bool(&w, "adj_x", node_int(n, "transpose_a", 0) != 0);
    node_attr_bool(&w, "adj_y", node_int(n, "transpose_b", 0) != 0);
    node_end(&w);
    return true;
}

/* ---- windows */

/* x with zeros (or the lowest number, for max pooling) around its spatial dims; x itself where there is nothing to add.
 */
static const char *padded(Exporter *e, const char *x, const Value *value, const Attr *before, const Attr *after,
                          bool lowest) {
    bool none = true;
    int64_t pads[2 * MAX_RANK] = {0};
    for (uint32_t i = 0; i < before->n; i++) {
        if (!dim_is_const(before->v.dims[i]) || !dim_is_const(after->v.dims[i])) return NULL;
        pads[2 * (i + 1)] = before->v.dims[i].value;
        pads[2 * (i + 1) + 1] = after->v.dims[i].value;
        none = none && !pads[2 * (i + 1)] && !pads[2 * (i + 1) + 1];
    }
    if (none) return x;
    const char *vector = export_ints(e, 1, 2 * (before->n + 2), pads);
    const char *table = export_reshape_to(e, export_fresh(e, "pads"), vector, DTYPE_S32, 2,
                                          (const Dim[]){dim_const(before->n + 2), dim_const(2)});
    Tensor fill = tensor_scalar_f64(e->arena, value->dtype, lowest ? -__builtin_inf() : 0);
    const char *with = export_const_tensor(e, &fill);
    return export_typed(e, export_fresh(e, "padded"), "PadV2", value->dtype, "Tpaddings", DTYPE_S32, 3,
                        (const char *const[]){x, table, with});
}

/* TensorFlow's 4- or 5-long window lists: 1, spatial…, 1, with a leading 1 for each spatial dim that we lack. */
static void window_attr(NodeWriter *w, const char *name, const Attr *a, int missing) {
    int64_t list[MAX_RANK];
    int k = 0;
    list[k++] = 1;
    for (int i = 0; i < missing; i++) list[k++] = 1;
    for (uint32_t i = 0; a && i < a->n; i++) list[k++] = a->v.ints[i];
    while (!a && k < 3) list[k++] = 1;
    list[k++] = 1;
    node_attr_ints(w, name, k, list);
}

/* The shape with a 1 inserted behind the batch: one spatial dim becomes two. */
static int widened(const Shape *s, Dim *out) {
    int k = 0;
    for (int i = 0; i < s->rank; i++) {
        out[k++] = s->dims[i];
        if (i == 0) out[k++] = dim_const(1);
    }
    return k;
}

bool export_conv(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Value *x = export_value(e, n, 0), *filter = export_value(e, n, 1);
    const Attr *strides = node_attr(n, "strides"), *dilations = node_attr(n, "dilations");
    int spatial = x->shape.rank - 2, missing = spatial == 1 ? 1 : 0;
    int64_t groups = node_int(n, "groups", 1);
    const char *in = padded(e, export_in(e, n, 0), x, node_attr(n, "before"), node_attr(n, "after"), false),
               *weights = export_in(e, n, 1);
    if (!in) return export_unsupported(e, n, "padding of an unknown size");
    bool depthwise = spatial <= 2 && groups > 1 && dim_is(x->shape.dims[x->shape.rank - 1], groups);
    if (missing) { /* [N, W, C] → [N, 1, W, C]; the padded size is left to Reshape */
        const char *axis = export_ints(e, 0, 1, (const int64_t[]){1}),
                   *zero = export_ints(e, 0, 1, (const int64_t[]){0});
        in = export_typed(e, export_fresh(e, "wide"), "ExpandDims", x->dtype, "Tdim", DTYPE_S32, 2,
                          (const char *const[]){in, axis});
        weights = export_typed(e, export_fresh(e, "wide"), "ExpandDims", x->dtype, "Tdim", DTYPE_S32, 2,
                               (const char *const[]){weights, zero});
    }
    for (uint32_t i = 0; depthwise && dilations && i < dilations->n; i++)
        if (dilations->v.ints[i] != 1)
            return export_unsupported(e, n, "TensorFlow's CPU kernel has no dilated depthwise convolution");
    if (depthwise) {
        int last = filter->shape.rank - 1;
        if (!dim_is_const(filter->shape.dims[last]))
            return export_unsupported(e, n, "a depthwise filter of an unknown size");
        Dim shape[4] = {missing ? dim_const(1) : filter->shape.dims[0], filter->shape.dims[missing ? 0 : 1],
                        dim_const(groups), dim_const(filter->shape.dims[last].value / groups)};
        weights = export_reshape_to(e, export_fresh(e, "filter"), weights, x->dtype, 4, shape);
    }
    const char *name = missing ? export_fresh(e, "conv") : export_result(e, n);
    NodeWriter w = node_begin(&e->w, name,
                              depthwise      ? "DepthwiseConv2dNative"
                              : spatial == 3 ? "Conv3D"
                                             : "Conv2D",
                              2, (const char *const[]){in, weights});
    node_attr_type(&w, "T", dtype_info(x->dtype)->tf);
    window_attr(&w, "strides", strides, missing);
    window_attr(&w, "dilations", dilations, missing);
    node_attr_string(&w, "padding", "VALID");
    node_attr_string(&w, "data_format", spatial == 3 ? "NDHWC" : "NHWC");
    node_end(&w);
    if (missing) {
        const Shape *y = &value_at(e->g, n->outputs[0])->shape;
        export_reshape_to(e, export_result(e, n), name, x->dtype, y->rank, y->dims);
    }
    return true;
}

bool export_conv_transpose(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Value *dy = export_value(e, n, 0), *y = value_at(e->g, n->outputs[0]);
    const Attr *before = node_attr(n, "before"), *after = node_attr(n, "after");
    if (dy->shape.rank != 4 || node_int(n, "groups", 1) != 1)
        return export_unsupported(e, n, "only plain two-dimensional transposed convolutions are written");
    int64_t pads[8] = {0};
    for (uint32_t i = 0; i < 2; i++) {
        if (!dim_is_const(before->v.dims[i]) || !dim_is_const(after->v.dims[i]))
            return export_unsupported(e, n, "padding of an unknown size");
        pads[2 * (i + 1)] = before->v.dims[i].value;
        pads[2 * (i + 1) + 1] = after->v.dims[i].value;
    }
    const char *sizes = export_dims(e, 4, y->shape.dims, false);
    NodeWriter w = node_begin(&e->w, export_result(e, n), "Conv2DBackpropInput", 3,
                              (const char *const[]){sizes, export_in(e, n, 1), export_in(e, n, 0)});
    node_attr_type(&w, "T", dtype_info(y->dtype)->tf);
    window_attr(&w, "strides", node_attr(n, "strides"), 0);
    window_attr(&w, "dilations", node_attr(n, "dilations"), 0);
    node_attr_string(&w, "padding", "EXPLICIT");
    node_attr_ints(&w, "explicit_paddings", 8, pads);
    node_attr_string(&w, "data_format", "NHWC");
    node_end(&w);
    return true;
}

/* How TensorFlow names these pads for this size, window and stride: "VALID", "SAME", or NULL. */
static const char *padding_name(const Value *x, const Attr *window, const Attr *strides, const Attr *before,
                                const Attr *after) {
    bool valid = true, same = true;
    for (uint32_t i = 0; i < window->n; i++) {
        if (!dim_is_const(before->v.dims[i]) || !dim_is_const(after->v.dims[i])) return NULL;
        int64_t b = before->v.dims[i].value, a = after->v.dims[i].value;
        valid = valid && b == 0 && a == 0;
        if (!dim_is_const(x->shape.dims[i + 1])) {
            same = false;
            continue;
        }
        int64_t size = x->shape.dims[i + 1].value, stride = strides->v.ints[i], out = (size + stride - 1) / stride;
        int64_t total = (out - 1) * stride + window->v.ints[i] - size;
        if (total < 0) total = 0;
        same = same && b == total / 2 && a == total - total / 2;
    }
    return valid ? "VALID" : same ? "SAME" : NULL;
}

bool export_pool(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Value *x = export_value(e, n, 0);
    const Attr *window = node_attr(n, "window"), *strides = node_attr(n, "strides"), *before = node_attr(n, "before"),
               *after = node_attr(n, "after");
    const Attr *dilations = node_attr(n, "dilations");
    bool is_max = strcmp(node_string(n, "kind", "max"), "max") == 0;
    int spatial = x->shape.rank - 2, missing = spatial == 1 ? 1 : 0;
    for (uint32_t i = 0; dilations && i < dilations->n; i++)
        if (dilations->v.ints[i] != 1) return export_unsupported(e, n, "TensorFlow has no dilated pooling");
    const char *in = export_in(e, n, 0), *padding = padding_name(x, window, strides, before, after);
    if (!padding && is_max && dtype_is_float(x->dtype)) {
        in = padded(e, in, x, before, after, true);
        padding = "VALID";
    }
    if (!padding || !in) return export_unsupported(e, n, "its padding is neither SAME nor VALID");
    Dim wide[MAX_RANK];
    if (missing) in = export_reshape_to(e, export_fresh(e, "wide"), in, x->dtype, widened(&x->shape, wide), wide);
    const char *name = missing ? export_fresh(e, "pool") : export_result(e, n);
    NodeWriter w = node_begin(&e->w, name,
                              spatial == 3 ? (is_max ? "MaxPool3D" : "AvgPool3D")
                              : is_max     ? "MaxPool"
                                           : "AvgPool",
                              1, &in);
    node_attr_type(&w, "T", dtype_info(x->dtype)->tf);
    window_attr(&w, "ksize", window, missing);
    window_attr(&w, "strides", strides, missing);
    node_attr_string(&w, "padding", padding);
    node_attr_string(&w, "data_format", spatial == 3 ? "NDHWC" : "NHWC");
    node_end(&w);
    const Shape *y = &value_at(e->g, n->outputs[0])->shape;
    if (missing) export_reshape_to(e, export_result(e, n), name, x->dtype, y->rank, y->dims);
    return true;
}

bool export_resize(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const Attr *size = node_attr(n, "size");
    bool nearest = strcmp(node_string(n, "kind", "nearest"), "nearest") == 0;
    const char *sizes = export_dims(e, size->n, size->v.dims, false);
    NodeWriter w = node_begin(&e->w, export_result(e, n), nearest ? "ResizeNearestNeighbor" : "ResizeBilinear", 2,
                              (const char *const[]){export_in(e, n, 0), sizes});
    node_attr_type(&w, "T", dtype_info(export_value(e, n, 0)->dtype)->tf);
    node_attr_bool(&w, "align_corners", node_int(n, "align_corners", 0) != 0);
    node_attr_bool(&w, "half_pixel_centers", node_int(n, "half_pixel", 0) != 0);
    node_end(&w);
    return true;
}

/* Host ops keep TensorFlow's own name and attributes. */
bool export_host(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    const char **inputs = NEW_ARRAY(e->arena, const char *, n->n_inputs + 1);
    for (uint32_t i = 0; i < n->n_inputs; i++) inputs[i] = export_in(e, n, i);
    for (uint32_t i = 0; i < n->n_inputs + n->n_outputs; i++) {
        ValueId v = i < n->n_inputs ? n->inputs[i] : n->outputs[i - n->n_inputs];
        if (dtype_info(value_at(e->g, v)->dtype)->class_ == CLASS_HANDLE)
            return export_unsupported(e, n, "TensorFlow fills tables in a run of their own");
    }
    if (n->n_outputs == 0) return export_unsupported(e, n, "it has an effect and no result");
    if (n->host->name[0] == '_') return export_unsupported(e, n, "it is a form of the op that TensorFlow lacks");
    const char *name = export_result(e, n);
    for (uint32_t i = 1; i < n->n_outputs; i++) e->names[n->outputs[i].i] = arena_printf(e->arena, "%s:%u", name, i);
    NodeWriter w = node_begin(&e->w, name, n->host->name, (int)n->n_inputs, inputs);
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        const Attr *a = &n->attrs[i];
        switch (a->kind) {
        case ATTR_INT:
            node_attr_int(&w, a->name, a->v.i);
            break;
        case ATTR_BOOL:
            node_attr_bool(&w, a->name, a->v.i != 0);
            break;
        case ATTR_FLOAT:
            node_attr_float(&w, a->name, (float)a->v.f);
            break;
        case ATTR_STRING:
            node_attr_bytes(&w, a->name, a->v.s, a->n);
            break;
        case ATTR_TYPE:
            node_attr_type(&w, a->name, dtype_info(a->v.type)->tf);
            break;
        case ATTR_INTS:
            node_attr_ints(&w, a->name, (int)a->n, a->v.ints);
            break;
        case ATTR_FLOATS:
            node_attr_floats(&w, a->name, (int)a->n, a->v.floats);
            break;
        case ATTR_TYPES: {
            int *types = NEW_ARRAY(e->arena, int, a->n + 1);
            for (uint32_t k = 0; k < a->n; k++) types[k] = dtype_info(a->v.types[k])->tf;
            node_attr_types(&w, a->name, (int)a->n, types);
            break;
        }
        case ATTR_STRINGS: {
            const char **texts = NEW_ARRAY(e->arena, const char *, a->n + 1);
            size_t *sizes = NEW_ARRAY(e->arena, size_t, a->n + 1);
            for (uint32_t k = 0; k < a->n; k++) texts[k] = a->v.strings[k].data, sizes[k] = a->v.strings[k].size;
            node_attr_strings(&w, a->name, (int)a->n, texts, sizes);
            break;
        }
        default:
            node_end(&w);
            return export_unsupported(e, n, "an attribute of a kind that is not written");
        }
    }
    node_end(&w);
    return true;
}
