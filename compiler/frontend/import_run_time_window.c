/* import_run_time_window: windows and blocks whose sizes are computed when the model runs, said with ops that take any
   sizes: the pixels of every window are gathered, then reduced or multiplied by the filter; blocks are reshapes and a
   transpose. Slower than the ops for known sizes, which is why those exist. */
#include "frontend/import_window.h"

#include <math.h>
#include <string.h>

static Dim add(Import *c, Dim a, Dim b) {
    return d_add(c, a, b);
}
static Dim less_one(Import *c, Dim a) {
    return d_sub(c, a, dim_const(1));
}

/* Padding and number of positions of each spatial dim of channels-last images. */
static bool place_windows(Import *c, Window *w, const Dim *image, const RunTimeWindow *r, Dim *out) {
    static const int64_t unused[3] = {1, 1, 1};
    DimTable *t = &c->g->dims;
    bool same = strcmp(attr_s(c, "padding", ""), "SAME") == 0;
    if (!same && !window_pads(c, w, image, unused)) return false;
    for (int i = 0; i < w->spatial; i++) {
        Dim reach = add(c, d_mul(c, less_one(c, r->kernel[i]), dim_const(w->dilations[i])), dim_const(1));
        if (same) {
            Dim rounded = add(c, image[i], less_one(c, r->stride[i]));
            Dim count = dim_floordiv(t, rounded, r->stride[i]);
            Dim needed = add(c, d_mul(c, less_one(c, count), r->stride[i]), reach);
            Dim total = dim_max(t, d_sub(c, needed, image[i]), dim_const(0));
            w->before[i] = dim_floordiv(t, total, dim_const(2));
            w->after[i] = d_sub(c, total, w->before[i]);
            out[i] = count;
        } else {
            Dim padded = add(c, add(c, image[i], w->before[i]), w->after[i]);
            Dim room = d_sub(c, padded, reach);
            if (!make_require(c, "at_most", dim_const(0), room)) return false;
            out[i] = add(c, dim_floordiv(t, room, r->stride[i]), dim_const(1));
        }
    }
    return true;
}

/* [N, S…, C] → [N, O1, K1, O2, K2 …, C]: all pixels of all windows; `fill` outside of the image. */
static ValueId gather_windows(Import *c, Window *w, ValueId x, const RunTimeWindow *r, ValueId fill) {
    Shape s = shape_copy(c, x);
    Dim count[3];
    ValueId none = {0};
    if (failed(x) || !place_windows(c, w, &s.dims[1], r, count)) return none;
    Dim before[MAX_RANK] = {{0, 0}};
    Dim after[MAX_RANK] = {{0, 0}};
    for (int i = 0; i < w->spatial; i++) {
        before[i + 1] = w->before[i];
        after[i + 1] = w->after[i];
    }
    x = make_pad(c, x, fill, before, after, "constant");
    for (int i = 0; i < w->spatial; i++) {
        Shape plane = {.rank = 2, .dims = {count[i], r->kernel[i]}};
        ValueId start = make_iota(c, &plane, 0, DTYPE_S64);
        ValueId stride = make_dims(c, DTYPE_S64, 0, 1, &r->stride[i]);
        ValueId tap = make_iota(c, &plane, 1, DTYPE_S64);
        ValueId dilation = make_scalar_int(c, DTYPE_S64, w->dilations[i]);
        start = make_binary(c, OP_MUL, start, stride);
        tap = make_binary(c, OP_MUL, tap, dilation);
        ValueId at = make_binary(c, OP_ADD, start, tap);
        x = make_gather(c, x, at, 1 + 2 * i, 0, false);
        if (failed(x)) return none;
    }
    return x;
}

/* [N, O1, K1, O2, K2 …, C] → [N, O…, K…, C] */
static ValueId taps_last(Import *c, const Window *w, ValueId x) {
    int64_t perm[MAX_RANK] = {0};
    for (int i = 0; i < w->spatial; i++) {
        perm[1 + i] = 1 + 2 * i;
        perm[1 + w->spatial + i] = 2 + 2 * i;
    }
    perm[1 + 2 * w->spatial] = 1 + 2 * w->spatial;
    return make_transpose(c, x, perm);
}

static ValueId lowest(Import *c, DType t) {
    if (dtype_is_float(t)) return make_scalar(c, t, -dtype_highest_float(t));
    int bits = dtype_info(t)->bits;
    return make_scalar_int(c, t, dtype_is_signed(t) ? (int64_t)(~UINT64_C(0) << (bits - 1)) : 0);
}

ValueId run_time_max_pool(Import *c, Window *w, ValueId x, const RunTimeWindow *r) {
    int64_t axes[3];
    for (int i = 0; i < w->spatial; i++) axes[i] = 2 + 2 * i;
    ValueId least = lowest(c, dtype_of(c, x));
    if (dtype_is_float(dtype_of(c, x))) { /* NaNs are passed over, and -inf is no maximum */
        ValueId greater = make_binary(c, OP_GT, x, least);
        x = make_select(c, greater, x, least);
    }
    ValueId windows = gather_windows(c, w, x, r, least);
    return make_reduce(c, windows, "max", w->spatial, axes, false);
}

/* [pixels, taps, channels] of windows by a filter [taps, group, filters] for each of as many groups as there are:
   [pixels, filters]. parts: pixels, taps, channels, channels of a group. */
static ValueId product_by_groups(Import *c, ValueId windows, ValueId filter, const Shape *parts, Dim filters) {
    static const int64_t group_first[] = {2, 0, 1, 3};
    static const int64_t group_between[] = {1, 0, 2};
    const Dim *p = parts->dims;
    DimTable *t = &c->g->dims;
    if (!make_require(c, "at_most", dim_const(1), p[3])) return (ValueId){0};
    Dim groups = dim_floordiv(t, p[2], p[3]);
    Dim some = dim_max(t, groups, dim_const(1));
    Dim share = dim_floordiv(t, filters, some);
    if (!make_require(c, "equal", d_mul(c, groups, p[3]), p[2]) ||
        !make_require(c, "equal", d_mul(c, share, groups), filters))
        return (ValueId){0};
    Dim depth = d_mul(c, p[1], p[3]);
    Shape split = {.rank = 4, .dims = {p[0], p[1], groups, p[3]}};
    Shape rows = {.rank = 3, .dims = {groups, p[0], depth}};
    Shape columns = {.rank = 3, .dims = {depth, groups, share}};
    Shape out = {.rank = 2, .dims = {p[0], filters}};
    windows = make_transpose(c, make_reshape(c, windows, &split), group_first);
    windows = make_reshape(c, windows, &rows);
    filter = make_transpose(c, make_reshape(c, filter, &columns), group_between);
    ValueId product = make_transpose(c, make_matmul(c, windows, filter, false, false), group_between);
    return make_reshape(c, product, &out);
}

ValueId run_time_convolution(Import *c, Window *w, ValueId x, ValueId filter, bool depthwise) {
    Shape f = shape_copy(c, filter);
    int n = w->spatial;
    ValueId none = {0};
    if (f.rank != n + 2) {
        bad(c, "the filter has rank %d, needs %d", f.rank, n + 2);
        return none;
    }
    RunTimeWindow r;
    Dim taps = dim_const(1);
    Dim channels = dim_of(c, x, n + 1);
    for (int i = 0; i < n; i++) {
        r.kernel[i] = f.dims[i];
        r.stride[i] = dim_const(w->strides[i]);
        taps = d_mul(c, taps, f.dims[i]);
        if (!make_require(c, "at_most", dim_const(1), f.dims[i])) return none;
    }
    if (depthwise && !make_require(c, "equal", channels, f.dims[n])) return none;
    ValueId windows = gather_windows(c, w, x, &r, make_like(c, x, 0));
    windows = taps_last(c, w, windows);
    if (failed(windows)) return none;
    Shape s = shape_copy(c, windows);
    Shape out = {.rank = n + 2};
    Dim pixels = dim_const(1);
    for (int i = 0; i <= n; i++) {
        out.dims[i] = s.dims[i];
        pixels = d_mul(c, pixels, s.dims[i]);
    }
    if (depthwise) { /* [pixels, taps, C, 1] * [taps, C, M], summed over taps */
        Shape parts = {.rank = 4, .dims = {pixels, taps, channels, dim_const(1)}};
        Shape weights = {.rank = 3, .dims = {taps, channels, f.dims[n + 1]}};
        int64_t axis = 1;
        windows = make_reshape(c, windows, &parts);
        filter = make_reshape(c, filter, &weights);
        ValueId product = make_binary(c, OP_MUL, windows, filter);
        out.dims[n + 1] = d_mul(c, channels, f.dims[n + 1]);
        return make_reshape(c, make_reduce(c, product, "sum", 1, &axis, false), &out);
    }
    out.dims[n + 1] = f.dims[n + 1];
    if (!dim_equal(channels, f.dims[n])) {
        Shape parts = {.rank = 4, .dims = {pixels, taps, channels, f.dims[n]}};
        return make_reshape(c, product_by_groups(c, windows, filter, &parts, f.dims[n + 1]), &out);
    }
    Shape rows = {.rank = 2, .dims = {pixels, d_mul(c, taps, channels)}};
    Shape columns = {.rank = 2, .dims = {d_mul(c, taps, channels), f.dims[n + 1]}};
    windows = make_reshape(c, windows, &rows);
    filter = make_reshape(c, filter, &columns);
    return make_reshape(c, make_matmul(c, windows, filter, false, false), &out);
}

/* [N, S…, F] → [N, O1, K1, O2, K2 …, F]: what stands at a distance of each tap from each pixel of the larger image; 0
   where nothing does. */
static ValueId gather_sources(Import *c, const Window *w, ValueId dy, const Shape *filter, const Dim *image) {
    Dim before[MAX_RANK] = {{0, 0}};
    Dim after[MAX_RANK] = {{0, 0}};
    for (int i = 0; i < w->spatial; i++) before[i + 1] = dim_const(1); /* place 0: nothing */
    Shape s = shape_copy(c, dy);
    dy = make_pad(c, dy, make_like(c, dy, 0), before, after, "constant");
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    for (int i = 0; i < w->spatial; i++) {
        Shape plane = {.rank = 2, .dims = {image[i], filter->dims[i]}};
        ValueId pixel = make_iota(c, &plane, 0, DTYPE_S64);
        ValueId tap = make_iota(c, &plane, 1, DTYPE_S64);
        ValueId first = make_dims(c, DTYPE_S64, 0, 1, &w->before[i]);
        ValueId size = make_dims(c, DTYPE_S64, 0, 1, &s.dims[i + 1]);
        ValueId dilation = make_scalar_int(c, DTYPE_S64, w->dilations[i]);
        ValueId stride = make_scalar_int(c, DTYPE_S64, w->strides[i]);
        tap = make_binary(c, OP_MUL, tap, dilation);
        ValueId from = make_binary(c, OP_ADD, pixel, first);
        from = make_binary(c, OP_SUB, from, tap);
        ValueId place = make_binary(c, OP_FLOORDIV, from, stride);
        ValueId between = make_binary(c, OP_FLOORMOD, from, stride);
        ValueId hits = make_binary(c, OP_EQ, between, zero);
        ValueId begins = make_binary(c, OP_GE, place, zero);
        ValueId ends = make_binary(c, OP_LT, place, size);
        hits = make_binary(c, OP_AND, hits, begins);
        hits = make_binary(c, OP_AND, hits, ends);
        place = make_binary(c, OP_ADD, place, one);
        place = make_select(c, hits, place, zero);
        dy = make_gather(c, dy, place, 1 + 2 * i, 0, false);
        if (failed(dy)) return dy;
    }
    return dy;
}

ValueId run_time_transposed_convolution(Import *c, Window *w, ValueId dy, ValueId filter, const Dim *image,
                                        bool depthwise) {
    Shape f = shape_copy(c, filter);
    Shape s = shape_copy(c, dy);
    int n = w->spatial;
    ValueId none = {0};
    RunTimeWindow r;
    Dim count[3];
    Dim taps = dim_const(1);
    Dim filters = depthwise ? d_mul(c, f.dims[n], f.dims[n + 1]) : f.dims[n + 1];
    for (int i = 0; i < n; i++) {
        r.kernel[i] = f.dims[i];
        r.stride[i] = dim_const(w->strides[i]);
        taps = d_mul(c, taps, f.dims[i]);
        if (!make_require(c, "at_most", dim_const(1), f.dims[i])) return none;
    }
    if (!make_require(c, "equal", s.dims[n + 1], filters) || !place_windows(c, w, image, &r, count)) return none;
    for (int i = 0; i < n; i++)
        if (!make_require(c, "equal", count[i], s.dims[i + 1])) return none;
    ValueId sources = taps_last(c, w, gather_sources(c, w, dy, &f, image));
    if (failed(sources)) return none;
    Shape out = {.rank = n + 2, .dims = {s.dims[0]}};
    Dim pixels = s.dims[0];
    for (int i = 0; i < n; i++) {
        out.dims[i + 1] = image[i];
        pixels = d_mul(c, pixels, image[i]);
    }
    out.dims[n + 1] = f.dims[n];
    if (depthwise) { /* [pixels, taps, C, M] * [taps, C, M], summed over taps and M */
        Shape parts = {.rank = 4, .dims = {pixels, taps, f.dims[n], f.dims[n + 1]}};
        Shape weights = {.rank = 3, .dims = {taps, f.dims[n], f.dims[n + 1]}};
        int64_t axes[] = {1, 3};
        sources = make_reshape(c, sources, &parts);
        filter = make_reshape(c, filter, &weights);
        ValueId product = make_binary(c, OP_MUL, sources, filter);
        return make_reshape(c, make_reduce(c, product, "sum", 2, axes, false), &out);
    }
    int64_t perm[MAX_RANK]; /* [K…, C, F] → [K…, F, C] */
    for (int i = 0; i < n; i++) perm[i] = i;
    perm[n] = n + 1;
    perm[n + 1] = n;
    filter = make_transpose(c, filter, perm);
    Shape rows = {.rank = 2, .dims = {pixels, d_mul(c, taps, f.dims[n + 1])}};
    Shape columns = {.rank = 2, .dims = {d_mul(c, taps, f.dims[n + 1]), f.dims[n]}};
    sources = make_reshape(c, sources, &rows);
    filter = make_reshape(c, filter, &columns);
    return make_reshape(c, make_matmul(c, sources, filter, false, false), &out);
}

/* ---- blocks over dims 1.. of x */

static bool block_fits(Import *c, ValueId x, int n) {
    return rank_of(c, x) + n <= MAX_RANK ||
           unsupported(c, "blocks of %d dimensions of a value of rank %d", n, rank_of(c, x));
}

ValueId run_time_space_to_batch(Import *c, ValueId x, int n, const Dim *block, const Dim *pads) {
    int rank = rank_of(c, x);
    Dim before[MAX_RANK] = {{0, 0}};
    Dim after[MAX_RANK] = {{0, 0}};
    if (!block_fits(c, x, n)) return (ValueId){0};
    for (int i = 0; i < n; i++) {
        before[i + 1] = pads[2 * i];
        after[i + 1] = pads[2 * i + 1];
    }
    x = make_pad(c, x, make_zero(c, dtype_of(c, x)), before, after, "constant");
    Shape s = shape_copy(c, x);
    Shape split = {.rank = rank + n, .dims = {s.dims[0]}};
    Shape out = s;
    int64_t perm[MAX_RANK] = {0};
    perm[n] = 0;
    for (int i = 0; i < n; i++) {
        out.dims[i + 1] = dim_floordiv(&c->g->dims, s.dims[i + 1], block[i]);
        out.dims[0] = d_mul(c, out.dims[0], block[i]);
        split.dims[1 + 2 * i] = out.dims[i + 1];
        split.dims[2 + 2 * i] = block[i];
        perm[i] = 2 + 2 * i;
        perm[n + 1 + i] = 1 + 2 * i;
    }
    for (int i = n + 1; i < rank; i++) {
        split.dims[i + n] = s.dims[i];
        perm[i + n] = i + n;
    }
    x = make_reshape(c, x, &split);
    x = make_transpose(c, x, perm);
    return make_reshape(c, x, &out);
}

ValueId run_time_batch_to_space(Import *c, ValueId x, int n, const Dim *block, const Dim *crops) {
    int rank = rank_of(c, x);
    if (!block_fits(c, x, n)) return (ValueId){0};
    Shape s = shape_copy(c, x);
    Shape split = {.rank = rank + n};
    Shape out = s;
    Dim blocks = dim_const(1);
    int64_t perm[MAX_RANK] = {0};
    for (int i = 0; i < n; i++) {
        blocks = d_mul(c, blocks, block[i]);
        split.dims[i] = block[i];
        split.dims[n + 1 + i] = s.dims[i + 1];
        out.dims[i + 1] = d_mul(c, s.dims[i + 1], block[i]);
        perm[1 + 2 * i] = n + 1 + i;
        perm[2 + 2 * i] = i;
    }
    perm[0] = n;
    out.dims[0] = split.dims[n] = dim_floordiv(&c->g->dims, s.dims[0], blocks);
    for (int i = n + 1; i < rank; i++) {
        split.dims[i + n] = s.dims[i];
        perm[i + n] = i + n;
    }
    x = make_reshape(c, x, &split);
    x = make_transpose(c, x, perm);
    x = make_reshape(c, x, &out);
    Dim begin[MAX_RANK] = {{0, 0}};
    for (int i = 0; i < n; i++) {
        begin[i + 1] = crops[2 * i];
        out.dims[i + 1] = d_sub(c, d_sub(c, out.dims[i + 1], crops[2 * i]), crops[2 * i + 1]);
    }
    return make_slice(c, x, begin, out.dims, NULL);
}
