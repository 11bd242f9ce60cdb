/* infer_contraction: matrix products, convolutions, windows, resizing and recurrent cells. */
#include "ir/infer_common.h"

#include <string.h>

/* Element type of a product of inputs 0 and 1: their own, int32 for bytes (whose signs may differ). */
static bool product_dtype(Infer *c, DType *out) {
    DType a = infer_in(c, 0)->dtype, b = infer_in(c, 1)->dtype;
    bool bytes = (a == DTYPE_S8 || a == DTYPE_U8) && (b == DTYPE_S8 || b == DTYPE_U8);
    if (!infer_classes(c, 0, "FIU") || (!bytes && !infer_same_dtype(c, 0, 1))) return false;
    *out = node_type(c->n, "dtype", bytes ? DTYPE_S32 : a);
    if (*out == a || (bytes && *out == DTYPE_S32) || (dtype_is_float(a) && *out == DTYPE_F32)) return true;
    return infer_error(c, "a product of %s cannot be %s", dtype_info(a)->tf_name, dtype_info(*out)->tf_name);
}

bool infer_matmul(Infer *c) {
    const Shape *a = infer_shape_in(c, 0), *b = infer_shape_in(c, 1);
    bool transpose_a = infer_attr(c, "transpose_a")->v.i != 0, transpose_b = infer_attr(c, "transpose_b")->v.i != 0;
    DType dtype;
    if (!product_dtype(c, &dtype)) return false;
    if (a->rank < 2 || b->rank < 2)
        return infer_error(c, "%s and %s are not both matrices", infer_text(c, a), infer_text(c, b));
    Dim m = a->dims[a->rank - (transpose_a ? 1 : 2)], k = a->dims[a->rank - (transpose_a ? 2 : 1)];
    Dim k_b = b->dims[b->rank - (transpose_b ? 1 : 2)], n = b->dims[b->rank - (transpose_b ? 2 : 1)];
    Shape batch_a = *a, batch_b = *b, s;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    if (!infer_may_equal(c, k, k_b))
        return infer_error(c, "the inner sizes of %s and %s differ", infer_text(c, a), infer_text(c, b));
    if (!shape_broadcast(infer_dims(c), &batch_a, &batch_b, &s))
        return infer_error(c, "the batches of %s and %s do not broadcast", infer_text(c, a), infer_text(c, b));
    s.dims[s.rank++] = m;
    s.dims[s.rank++] = n;
    infer_set(c, 0, dtype, &s);
    return true;
}

/* Windows over the spatial dims of an image [N, S…, C]: attributes that conv, conv_transpose and pool share. */
typedef struct {
    int rank; /* spatial dims */
    const int64_t *strides, *dilations;
    const Dim *before, *after;
} Window;

static bool read_window(Infer *c, Window *w) {
    static const int64_t ones[] = {1, 1, 1};
    const Shape *x = infer_shape_in(c, 0);
    w->rank = x->rank - 2;
    w->dilations = ones;
    if (w->rank < 1 || w->rank > 3)
        return infer_error(c, "%s is not a batch of images with 1 to 3 spatial dimensions", infer_text(c, x));
    if (!infer_list(c, "strides", w->rank, 1, &w->strides)) return false;
    if (node_attr(c->n, "dilations") && !infer_list(c, "dilations", w->rank, 1, &w->dilations)) return false;
    return infer_dim_list(c, "before", w->rank, 0, &w->before) && infer_dim_list(c, "after", w->rank, 0, &w->after);
}

/* Number of positions of a window of `taps` in spatial dim i of size `size`. */
static bool window_count(Infer *c, const Window *w, int i, Dim size, int64_t taps, Dim *out) {
    DimTable *t = infer_dims(c);
    int64_t reach;
    if (taps < 1) return infer_error(c, "its window is empty");
    if (__builtin_mul_overflow(taps - 1, w->dilations[i], &reach) || reach > INT32_MAX)
        return infer_error(c, "its window is too large");
    Dim padded = dim_add(t, size, w->before[i]);
    padded = dim_add(t, padded, w->after[i]);
    Dim room = dim_sub(t, padded, dim_const(reach + 1));
    int64_t low, high;
    dim_range(t, room, &low, &high);
    /* TensorFlow divides toward zero here: a window less than a stride too large gives an empty result. */
    if (high <= -w->strides[i])
        return infer_error(c, "its window of %lld is larger than its padded input", (long long)(reach + 1));
    if (high < 0)
        *out = dim_const(0);
    else
        *out = dim_add(t, dim_floordiv(t, room, dim_const(w->strides[i])), dim_const(1));
    return true;
}

/* Reads groups and checks them against `channels` of the image and the weights' own dims [K…, C/groups, F]. */
static bool check_weights(Infer *c, const Window *w, Dim channels, int channels_at, int64_t *out_groups) {
    const Shape *weights = infer_shape_in(c, 1);
    int64_t groups = infer_attr(c, "groups")->v.i;
    if (!infer_rank(c, 1, w->rank + 2)) return false;
    for (int i = 0; i < w->rank + 2; i++)
        if (!dim_is_const(weights->dims[i]))
            return infer_error(c, "its filter %s must have constant sizes", infer_text(c, weights));
    Dim own = weights->dims[channels_at], filters = weights->dims[w->rank + 1], inner = weights->dims[w->rank];
    bool image_is_input = channels_at == w->rank;
    if (groups < 1 || filters.value % groups != 0)
        return infer_error(c, "%lld groups do not divide %lld filters", (long long)groups, (long long)filters.value);
    Dim expected = image_is_input ? dim_mul(infer_dims(c), inner, dim_const(groups)) : own;
    if (!infer_may_equal(c, channels, expected))
        return infer_error(c, "%s does not fit its filter %s in %lld groups", infer_text(c, infer_shape_in(c, 0)),
                           infer_text(c, weights), (long long)groups);
    *out_groups = groups;
    return true;
}

bool infer_conv(Infer *c) {
    const Shape *x = infer_shape_in(c, 0), *weights = infer_shape_in(c, 1);
    Window w;
    DType dtype;
    int64_t groups;
    if (!product_dtype(c, &dtype) || !read_window(c, &w) ||
        !check_weights(c, &w, x->dims[x->rank - 1], w.rank, &groups))
        return false;
    Shape s = {.rank = x->rank};
    s.dims[0] = x->dims[0];
    for (int i = 0; i < w.rank; i++)
        if (!window_count(c, &w, i, x->dims[i + 1], weights->dims[i].value, &s.dims[i + 1])) return false;
    s.dims[w.rank + 1] = weights->dims[w.rank + 1];
    infer_set(c, 0, dtype, &s);
    return true;
}

bool infer_conv_transpose(Infer *c) {
    const Shape *x = infer_shape_in(c, 0), *weights = infer_shape_in(c, 1);
    Window w;
    DType dtype;
    int64_t groups;
    const Dim *size;
    if (!product_dtype(c, &dtype) || !read_window(c, &w) ||
        !check_weights(c, &w, x->dims[x->rank - 1], w.rank + 1, &groups) ||
        !infer_dim_list(c, "size", w.rank, 0, &size))
        return false;
    Shape s = {.rank = x->rank};
    s.dims[0] = x->dims[0];
    for (int i = 0; i < w.rank; i++) {
        Dim forward; /* what the convolution whose gradient this is makes of the result */
        if (!window_count(c, &w, i, size[i], weights->dims[i].value, &forward)) return false;
        if (!infer_may_equal(c, forward, x->dims[i + 1]))
            return infer_error(c, "its result's size does not lead to its input %s", infer_text(c, x));
        s.dims[i + 1] = size[i];
    }
    s.dims[w.rank + 1] = dim_mul(infer_dims(c), weights->dims[w.rank], dim_const(groups));
    infer_set(c, 0, dtype, &s);
    return true;
}

bool infer_pool(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const char *kind = node_string(c->n, "kind", "");
    Window w;
    const int64_t *window;
    bool average = strcmp(kind, "avg") == 0;
    if (!average && strcmp(kind, "max") != 0) return infer_error(c, "there is no pooling '%s'", kind);
    if (!infer_classes(c, 0, average ? "F" : "FIU") || !read_window(c, &w) ||
        !infer_list(c, "window", w.rank, 1, &window))
        return false;
    Shape s = *x;
    for (int i = 0; i < w.rank; i++)
        if (!window_count(c, &w, i, x->dims[i + 1], window[i], &s.dims[i + 1])) return false;
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}

bool infer_resize(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const char *kind = node_string(c->n, "kind", "");
    const Dim *size;
    bool bilinear = strcmp(kind, "bilinear") == 0;
    if (!bilinear && strcmp(kind, "nearest") != 0) return infer_error(c, "there is no resizing '%s'", kind);
    if (!infer_classes(c, 0, "FIU") || !infer_rank(c, 0, 4) || !infer_dim_list(c, "size", 2, 1, &size)) return false;
    if (infer_attr(c, "align_corners")->v.i && infer_attr(c, "half_pixel")->v.i)
        return infer_error(c, "align_corners and half_pixel exclude each other");
    if (dim_is(x->dims[1], 0) || dim_is(x->dims[2], 0))
        return infer_error(c, "an image of %s has no pixels", infer_text(c, x));
    Shape s = {.rank = 4, .dims = {x->dims[0], size[0], size[1], x->dims[3]}};
    infer_set(c, 0, bilinear ? DTYPE_F32 : infer_in(c, 0)->dtype, &s);
    return true;
}

/* Whether input i has these dims. */
static bool check_dims(Infer *c, uint32_t i, int rank, const Dim *dims) {
    if (!infer_same_dtype(c, 0, i) || !infer_rank(c, i, rank)) return false;
    for (int k = 0; k < rank; k++)
        if (!infer_may_equal(c, infer_shape_in(c, i)->dims[k], dims[k]))
            return infer_error(c, "input %u has the unfitting shape %s", i, infer_text(c, infer_shape_in(c, i)));
    return true;
}

/* Inputs (x [T,B,I], `states` of [B,H], w [I,gH], r [H,gH], then `biases` of [gH]) for g gates. */
static bool check_cell(Infer *c, uint32_t states, int64_t gates, uint32_t biases) {
    if (!infer_classes(c, 0, "F") || !infer_rank(c, 0, 3) || !infer_rank(c, 1, 2)) return false;
    const Dim *x = infer_shape_in(c, 0)->dims;
    Dim hidden = infer_shape_in(c, 1)->dims[1], wide = dim_mul(infer_dims(c), hidden, dim_const(gates));
    for (uint32_t i = 1; i <= states; i++)
        if (!check_dims(c, i, 2, (Dim[]){x[1], hidden})) return false;
    if (!check_dims(c, states + 1, 2, (Dim[]){x[2], wide}) || !check_dims(c, states + 2, 2, (Dim[]){hidden, wide}))
        return false;
    for (uint32_t i = 0; i < biases; i++)
        if (!check_dims(c, states + 3 + i, 1, &wide)) return false;
    Shape steps = {.rank = 3, .dims = {x[0], x[1], hidden}}, last = {.rank = 2, .dims = {x[1], hidden}};
    DType dtype = infer_in(c, 0)->dtype;
    infer_set(c, 0, dtype, &steps);
    for (uint32_t i = 1; i <= states; i++) infer_set(c, i, dtype, &last);
    return true;
}

bool infer_lstm(Infer *c) {
    return check_cell(c, 2, 4, 1);
}

bool infer_gru(Infer *c) {
    return check_cell(c, 1, 3, 2);
}
