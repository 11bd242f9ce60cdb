/* import_conv: convolutions of 2 and 3 dimensions, depthwise ones, transposed ones, and the fused forms that Grappler
   writes. Images become channels-last at once; an NCHW node is wrapped in transposes that later passes move away. */
#include "frontend/import_window.h"

#include <string.h>

bool window_read(Import *c, int spatial, Window *w) {
    const char *format = attr_s(c, "data_format", spatial == 3 ? "NDHWC" : "NHWC");
    *w = (Window){.spatial = spatial};
    if (strcmp(format, "NCHW") == 0 || strcmp(format, "NCDHW") == 0)
        w->channels_first = true;
    else if (strcmp(format, "NHWC") != 0 && strcmp(format, "NDHWC") != 0)
        return unsupported(c, "data format %s is not known", format);
    for (int i = 0; i < 3; i++) w->strides[i] = w->dilations[i] = 1;
    int n = 0;
    const int64_t *list = attr_list(c, "strides", &n);
    if (list && !window_spatial(c, w, list, n, "strides", w->strides)) return false;
    list = attr_list(c, "dilations", &n);
    return !list || n == 0 || window_spatial(c, w, list, n, "dilations", w->dilations);
}

bool window_spatial(Import *c, const Window *w, const int64_t *list, int n, const char *what, int64_t *out) {
    if (n != w->spatial + 2) return bad(c, "%s has %d entries, needs %d", what, n, w->spatial + 2);
    int first = w->channels_first ? 2 : 1;
    int channel = w->channels_first ? 1 : n - 1;
    if (list[0] != 1 || list[channel] != 1) return unsupported(c, "%s over batch or channels are not compiled", what);
    for (int i = 0; i < w->spatial; i++) {
        if (list[first + i] < 1 || list[first + i] > INT32_MAX) return bad(c, "%s must be at least 1", what);
        out[i] = list[first + i];
    }
    return true;
}

bool window_pads(Import *c, Window *w, const Dim *image, const int64_t *kernel) {
    const char *padding = attr_s(c, "padding", "");
    DimTable *t = &c->g->dims;
    Dim zero = dim_const(0);
    for (int i = 0; i < 3; i++) w->before[i] = w->after[i] = zero;
    if (strcmp(padding, "VALID") == 0) return true;
    if (strcmp(padding, "SAME") == 0) {
        for (int i = 0; i < w->spatial; i++) {
            int64_t reach = (kernel[i] - 1) * w->dilations[i] + 1;
            Dim out = dim_ceildiv(t, image[i], w->strides[i]);
            Dim last = dim_mul(t, dim_sub(t, out, dim_const(1)), dim_const(w->strides[i]));
            Dim missing = dim_sub(t, dim_add(t, last, dim_const(reach)), image[i]);
            Dim total = dim_max(t, missing, zero);
            w->before[i] = dim_floordiv(t, total, dim_const(2));
            w->after[i] = dim_sub(t, total, w->before[i]);
        }
        return true;
    }
    if (strcmp(padding, "EXPLICIT") != 0) return bad(c, "padding '%s' is not SAME, VALID or EXPLICIT", padding);
    int n = 0;
    const int64_t *list = attr_list(c, "explicit_paddings", &n);
    if (n == 0) list = attr_list(c, "padding_list", &n);
    if (n != 2 * (w->spatial + 2)) return bad(c, "explicit_paddings has %d entries, needs %d", n, 2 * (w->spatial + 2));
    int first = w->channels_first ? 2 : 1;
    for (int i = 0; i < w->spatial; i++) {
        int64_t before = list[2 * (first + i)];
        int64_t after = list[2 * (first + i) + 1];
        if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
            return bad(c, "explicit_paddings must not be negative");
        w->before[i] = dim_const(before);
        w->after[i] = dim_const(after);
    }
    return true;
}

/* How many positions a window of `taps` has along spatial dim i of that size. */
static Dim window_count(Import *c, const Window *w, int i, Dim size, int64_t taps) {
    Dim padded = d_add(c, d_add(c, size, w->before[i]), w->after[i]);
    Dim room = d_sub(c, padded, dim_const((taps - 1) * w->dilations[i] + 1));
    Dim steps = dim_floordiv(&c->g->dims, room, dim_const(w->strides[i]));
    return d_add(c, steps, dim_const(1));
}

/* The spatial sizes of a filter [K…, C, F], all of whose sizes must be known. */
static bool filter_sizes(Import *c, ValueId filter, int spatial, int64_t *kernel) {
    Shape s = shape_copy(c, filter);
    if (s.rank != spatial + 2) return bad(c, "the filter has rank %d, needs %d", s.rank, spatial + 2);
    for (int i = 0; i < s.rank; i++)
        if (!dim_is_const(s.dims[i])) return unsupported(c, "the filter's size is known only at run time");
    for (int i = 0; i < spatial; i++) {
        if (s.dims[i].value < 1 || s.dims[i].value > INT32_MAX) return bad(c, "the filter is empty");
        kernel[i] = s.dims[i].value;
    }
    return true;
}

static uint32_t window_attrs(Import *c, const Window *w, int64_t groups, Attr *attrs) {
    Arena *a = c->g->arena;
    size_t n = (size_t)w->spatial;
    attrs[0] = attr_ints(a, "strides", n, w->strides);
    attrs[1] = attr_ints(a, "dilations", n, w->dilations);
    attrs[2] = attr_dims(a, "before", n, w->before);
    attrs[3] = attr_dims(a, "after", n, w->after);
    attrs[4] = attr_int("groups", groups);
    return 5;
}

/* How many groups a convolution of `channels` by a filter for `filter_channels` has. */
static bool find_groups(Import *c, Dim channels, Dim filter_channels, int64_t *groups) {
    *groups = 1;
    if (!dim_is_const(channels) || !dim_is_const(filter_channels)) return true;
    if (filter_channels.value < 1) return bad(c, "the filter has no channels");
    if (channels.value % filter_channels.value != 0)
        return bad(c, "%lld channels do not divide into groups of the filter's %lld", (long long)channels.value,
                   (long long)filter_channels.value);
    *groups = channels.value / filter_channels.value;
    return true;
}

/* The convolution of channels-last images, with the window of the node. */
static ValueId convolve(Import *c, Window *w, ValueId x, ValueId filter, int64_t groups) {
    int64_t kernel[3];
    ValueId none = {0};
    Dim channels = dim_of(c, filter, w->spatial);
    if (dim_is_const(channels)) x = make_sized(c, x, w->spatial + 1, channels.value * groups);
    Shape s = shape_copy(c, x);
    if (failed(x) || !filter_sizes(c, filter, w->spatial, kernel) || !window_pads(c, w, &s.dims[1], kernel))
        return none;
    Attr attrs[5];
    uint32_t n = window_attrs(c, w, groups, attrs);
    ValueId inputs[] = {x, filter};
    return import_node(c, OP_CONV, 2, inputs, n, attrs);
}

/* Reads the window and brings the images into channels-last form. */
static bool conv_begin(Import *c, int spatial, Window *w, ValueId *x) {
    if (!window_read(c, spatial, w)) return false;
    if (rank_of(c, *x) != spatial + 2) return bad(c, "the images have rank %d, need %d", rank_of(c, *x), spatial + 2);
    if (w->channels_first) *x = make_channels_last(c, *x);
    return !failed(*x);
}

static ValueId conv_end(Import *c, const Window *w, ValueId y) {
    return w->channels_first ? make_channels_first(c, y) : y;
}

static ValueId conv_core(Import *c, Window *w, ValueId x, ValueId filter) {
    int64_t groups = 1;
    int64_t kernel[3];
    Shape s = shape_copy(c, filter);
    if (!failed(x) && !shape_is_const(&s)) return run_time_convolution(c, w, x, filter, false);
    if (!filter_sizes(c, filter, w->spatial, kernel) ||
        !find_groups(c, dim_of(c, x, w->spatial + 1), dim_of(c, filter, w->spatial), &groups))
        return (ValueId){0};
    return convolve(c, w, x, filter, groups);
}

/* A depthwise filter [K…, C, M] is a grouped one [K…, 1, C*M]. */
static ValueId depthwise_filter(Import *c, ValueId filter) {
    Shape s = shape_copy(c, filter);
    s.dims[3] = d_mul(c, s.dims[2], s.dims[3]);
    s.dims[2] = dim_const(1);
    return make_reshape(c, filter, &s);
}

static ValueId depthwise_core(Import *c, Window *w, ValueId x, ValueId filter) {
    int64_t kernel[3];
    Shape s = shape_copy(c, filter);
    if (!failed(x) && !shape_is_const(&s)) return run_time_convolution(c, w, x, filter, true);
    if (!filter_sizes(c, filter, w->spatial, kernel)) return (ValueId){0};
    int64_t channels = dim_of(c, filter, 2).value;
    Dim have = dim_of(c, x, 3);
    if (dim_is_const(have) && have.value != channels) {
        bad(c, "the images have %lld channels, the filter is for %lld", (long long)have.value, (long long)channels);
        return (ValueId){0};
    }
    ValueId grouped = depthwise_filter(c, filter);
    return convolve(c, w, x, grouped, channels);
}

bool import_conv(Import *c) {
    Window w;
    ValueId x = c->in[0];
    if (!conv_begin(c, import_row(c)->arg, &w, &x)) return false;
    ValueId y = conv_core(c, &w, x, c->in[1]);
    return give(c, conv_end(c, &w, y));
}

bool import_depthwise_conv(Import *c) {
    Window w;
    ValueId x = c->in[0];
    if (!conv_begin(c, 2, &w, &x)) return false;
    ValueId y = depthwise_core(c, &w, x, c->in[1]);
    return give(c, conv_end(c, &w, y));
}

/* Conv2DBackpropInput, Conv3DBackpropInputV2, DepthwiseConv2dNativeBackpropInput (input_sizes, filter, out_backprop):
   the sizes are those of the result. Conv3DBackpropInput brings a tensor of that size instead. */
bool import_conv_transpose(Import *c) {
    Window w;
    ValueId dy = c->in[2];
    ValueId filter = c->in[1];
    const TfOpRow *row = import_row(c);
    int spatial = row->arg;
    bool depthwise = row->text && strcmp(row->text, "depthwise") == 0;
    if (!conv_begin(c, spatial, &w, &dy)) return false;
    Dim sizes[MAX_RANK];
    int n = 0;
    int64_t kernel[3];
    if (row->text && strcmp(row->text, "sizes of input") == 0) {
        Shape like = shape_copy(c, c->in[0]);
        n = like.rank;
        memcpy(sizes, like.dims, sizeof sizes);
    } else if (!load_content(c, c->in[0], 0, sizes, &n, 5, "input_sizes")) {
        return false;
    }
    if (n != spatial && n != spatial + 2) return bad(c, "input_sizes has %d entries, needs %d", n, spatial + 2);
    const Dim *image = n == spatial ? sizes : sizes + (w.channels_first ? 2 : 1);
    Dim channels = sizes[w.channels_first ? 1 : spatial + 1];
    Shape f = shape_copy(c, filter);
    if (f.rank == spatial + 2 && !shape_is_const(&f)) {
        if (n != spatial && (!make_require(c, "equal", sizes[0], dim_of(c, dy, 0)) ||
                             !make_require(c, "equal", channels, f.dims[spatial])))
            return false;
        ValueId y = run_time_transposed_convolution(c, &w, dy, filter, image, depthwise);
        return give(c, conv_end(c, &w, y));
    }
    if (!filter_sizes(c, filter, spatial, kernel)) return false;
    int64_t groups = 1;
    if (depthwise) {
        groups = dim_of(c, filter, 2).value;
        filter = depthwise_filter(c, filter);
    }
    Dim filter_channels = dim_of(c, filter, spatial);
    if (n != spatial && !depthwise && !find_groups(c, channels, filter_channels, &groups)) return false;
    if (n != spatial && (!make_require(c, "equal", sizes[0], dim_of(c, dy, 0)) ||
                         !make_require(c, "equal", channels, d_mul(c, filter_channels, dim_const(groups)))))
        return false;
    if (!window_pads(c, &w, image, kernel)) return false;
    Attr attrs[6];
    uint32_t n_attrs = window_attrs(c, &w, groups, attrs);
    attrs[n_attrs++] = attr_dims(c->g->arena, "size", (size_t)spatial, image);
    ValueId inputs[] = {dy, filter};
    ValueId y = import_node(c, OP_CONV_TRANSPOSE, 2, inputs, n_attrs, attrs);
    return give(c, conv_end(c, &w, y));
}

/* Gradient of a convolution to its filter, (images, filter_sizes, gradient) -> [K…, C, F]: the convolution of the
   images by the gradient, in which batch and channels have changed places, strides and dilations too. Of a depthwise
   one each channel is a group of its own. Conv3DBackpropFilter brings a filter instead of its sizes. */
bool import_filter_gradient(Import *c) {
    Window w;
    ValueId dy = c->in[2];
    ValueId x = c->in[0];
    const TfOpRow *row = import_row(c);
    int spatial = row->arg;
    bool depthwise = row->text && strcmp(row->text, "depthwise") == 0;
    if (!conv_begin(c, spatial, &w, &dy)) return false;
    if (rank_of(c, x) != spatial + 2) return bad(c, "the images have rank %d, need %d", rank_of(c, x), spatial + 2);
    if (w.channels_first) x = make_channels_last(c, x);
    Dim sizes[MAX_RANK];
    int n = 0;
    if (row->text && !depthwise) {
        Shape like = shape_copy(c, c->in[1]);
        n = like.rank;
        memcpy(sizes, like.dims, sizeof sizes);
    } else if (!load_content(c, c->in[1], 1, sizes, &n, 5, "filter_sizes")) {
        return false;
    }
    if (n != spatial + 2) return bad(c, "filter_sizes has %d entries, needs %d", n, spatial + 2);
    int64_t kernel[3];
    for (int i = 0; i < spatial; i++) {
        if (!dim_is_const(sizes[i])) return unsupported(c, "the filter's size is known only at run time");
        if (sizes[i].value < 1 || sizes[i].value > INT32_MAX) return bad(c, "the filter is empty");
        kernel[i] = sizes[i].value;
    }
    Shape s = shape_copy(c, x);
    Shape g = shape_copy(c, dy);
    Dim channels = s.dims[spatial + 1];
    int64_t groups = depthwise && dim_is_const(channels) ? channels.value : 1;
    if (depthwise && !dim_is_const(channels)) return unsupported(c, "the number of channels must be known");
    if (!depthwise && !dim_equal(sizes[spatial], channels))
        return unsupported(c, "grouped convolutions have no gradient here");
    if (failed(x) || !window_pads(c, &w, &s.dims[1], kernel) || !make_require(c, "equal", s.dims[0], g.dims[0]))
        return false;
    Dim filters = depthwise ? d_mul(c, channels, sizes[3]) : sizes[spatial + 1];
    if (!make_require(c, "equal", filters, g.dims[spatial + 1])) return false;
    for (int i = 0; i < spatial; i++) {
        Dim count = window_count(c, &w, i, s.dims[1 + i], kernel[i]);
        if (!make_require(c, "equal", count, g.dims[1 + i])) return false;
    }
    int64_t perm[MAX_RANK];
    for (int i = 0; i < spatial + 2; i++) perm[i] = i;
    /* the gradient is the filter: [S'…, N, F] */
    for (int i = 0; i < spatial; i++) perm[i] = i + 1;
    perm[spatial] = 0;
    ValueId filter = make_transpose(c, dy, perm);
    /* channels are the batch: [C, S…, N]; of a depthwise one they are the groups: [1, S…, C * N] */
    for (int i = 0; i < spatial; i++) perm[i + (depthwise ? 0 : 1)] = i + 1;
    perm[depthwise ? spatial : 0] = spatial + 1;
    perm[spatial + 1] = 0;
    ValueId images = make_transpose(c, x, perm);
    if (depthwise) {
        Shape grouped = {.rank = 4, .dims = {dim_const(1), s.dims[1], s.dims[2], d_mul(c, s.dims[0], channels)}};
        images = make_reshape(c, images, &grouped);
    }
    Window turned = w;
    for (int i = 0; i < spatial; i++) {
        turned.strides[i] = w.dilations[i];
        turned.dilations[i] = w.strides[i];
        /* what the windows reach; pixels beyond it were never looked at, and make taps that are cut off again */
        Dim steps = dim_mul(&c->g->dims, d_sub(c, g.dims[1 + i], dim_const(1)), dim_const(w.strides[i]));
        Dim reach = d_add(c, steps, dim_const((kernel[i] - 1) * w.dilations[i] + 1));
        Dim missing = d_sub(c, d_sub(c, reach, s.dims[1 + i]), w.before[i]);
        turned.after[i] = dim_max(&c->g->dims, missing, dim_const(0));
    }
    Attr attrs[5];
    ValueId inputs[] = {images, filter};
    Shape taps = shape_copy(c, filter);
    if (failed(images) || failed(filter)) return false;
    if (!shape_is_const(&taps)) return unsupported(c, "the size of the gradient is known only at run time");
    uint32_t n_attrs = window_attrs(c, &turned, groups, attrs);
    ValueId y = import_node(c, OP_CONV, 2, inputs, n_attrs, attrs);
    for (int i = 0; i < spatial; i++) y = make_slice_axis(c, y, i + 1, dim_const(0), sizes[i]);
    if (failed(y)) return false;
    if (depthwise) {
        Shape out = {.rank = 4, .dims = {sizes[0], sizes[1], channels, sizes[3]}};
        return give(c, make_reshape(c, y, &out));
    }
    for (int i = 0; i < spatial; i++) perm[i] = i + 1;
    perm[spatial] = 0;
    perm[spatial + 1] = spatial + 1;
    return give(c, make_transpose(c, y, perm));
}

/* ---- pooling */

static ValueId pool(Import *c, const Window *w, ValueId x, const char *kind, const int64_t *kernel) {
    Arena *a = c->g->arena;
    size_t n = (size_t)w->spatial;
    Attr attrs[6];
    attrs[0] = attr_string("kind", kind);
    attrs[1] = attr_ints(a, "window", n, kernel);
    attrs[2] = attr_ints(a, "strides", n, w->strides);
    attrs[3] = attr_dims(a, "before", n, w->before);
    attrs[4] = attr_dims(a, "after", n, w->after);
    attrs[5] = attr_ints(a, "dilations", n, w->dilations);
    return import_node(c, OP_POOL, 1, &x, 6, attrs);
}

/* Max pooling over channels: the channels of each pixel are a one-dimensional image. */
static ValueId pool_channels(Import *c, ValueId x, const char *kind, int64_t window, int64_t stride) {
    Shape s = shape_copy(c, x);
    Dim pixels = dim_const(1);
    for (int i = 0; i + 1 < s.rank; i++) pixels = d_mul(c, pixels, s.dims[i]);
    Shape flat = {.rank = 3, .dims = {pixels, s.dims[s.rank - 1], dim_const(1)}};
    ValueId lines = make_reshape(c, x, &flat);
    Window w = {.spatial = 1, .strides = {stride}, .dilations = {1}};
    if (!window_pads(c, &w, &flat.dims[1], &window)) return (ValueId){0};
    ValueId y = pool(c, &w, lines, kind, &window);
    s.dims[s.rank - 1] = dim_of(c, y, 1);
    return make_reshape(c, y, &s);
}

/* The elements of an operand with a size for each dim, at least 1; *out_known: all are constants. */
static bool window_operand(Import *c, uint32_t input, Dim *dims, int64_t *out, int *out_n, bool *out_known) {
    if (!load_content(c, c->in[input], 1, dims, out_n, 5, "the window")) return false;
    for (int i = 0; i < *out_n; i++) {
        *out_known = *out_known && dim_is_const(dims[i]);
        out[i] = dims[i].value;
    }
    return true;
}

/* MaxPoolV2 with sizes that are computed at run time: batch and channels cannot be pooled then. */
static bool import_run_time_pool(Import *c, Window *w, ValueId x, const Dim *sizes, const Dim *steps) {
    int first = w->channels_first ? 2 : 1;
    RunTimeWindow r;
    for (int i = 0; i < w->spatial + 2; i++) {
        bool spatial = i >= first && i < first + w->spatial;
        if (spatial) {
            r.kernel[i - first] = sizes[i];
            r.stride[i - first] = steps[i];
        } else if (!make_require(c, "equal", sizes[i], dim_const(1)) ||
                   !make_require(c, "equal", steps[i], dim_const(1))) {
            return false;
        }
    }
    if (w->channels_first) x = make_channels_last(c, x);
    ValueId y = run_time_max_pool(c, w, x, &r);
    return give(c, conv_end(c, w, y));
}

/* The row's text is the kind, arg the number of spatial dims. MaxPoolV2 has ksize and strides as operands. */
bool import_pool(Import *c) {
    const TfOpRow *row = import_row(c);
    ValueId x = c->in[0];
    int spatial = row->arg;
    const char *format = attr_s(c, "data_format", "");
    Window w = {.spatial = spatial, .dilations = {1, 1, 1}};
    w.channels_first = strcmp(format, "NCHW") == 0 || strcmp(format, "NCDHW") == 0;
    if (!w.channels_first && *format && strcmp(format, "NHWC") != 0 && strcmp(format, "NDHWC") != 0)
        return unsupported(c, "data format %s is not known", format);
    if (rank_of(c, x) != spatial + 2) return bad(c, "the images have rank %d, need %d", rank_of(c, x), spatial + 2);
    int64_t sizes[5];
    int64_t steps[5];
    int n_sizes = 0;
    int n_steps = 0;
    if (c->n_in >= 3) {
        Dim size_dims[5];
        Dim step_dims[5];
        bool known = true;
        if (!window_operand(c, 1, size_dims, sizes, &n_sizes, &known) ||
            !window_operand(c, 2, step_dims, steps, &n_steps, &known))
            return false;
        if (!known && n_sizes == spatial + 2 && n_steps == spatial + 2)
            return import_run_time_pool(c, &w, x, size_dims, step_dims);
    } else {
        const int64_t *list = attr_list(c, "ksize", &n_sizes);
        for (int i = 0; i < n_sizes && i < 5; i++) sizes[i] = list[i];
        list = attr_list(c, "strides", &n_steps);
        for (int i = 0; i < n_steps && i < 5; i++) steps[i] = list[i];
    }
    if (n_sizes != spatial + 2 || n_steps != spatial + 2)
        return bad(c, "ksize and strides must have %d entries", spatial + 2);
    for (int i = 0; i < spatial + 2; i++)
        if (sizes[i] < 1 || steps[i] < 1 || sizes[i] > INT32_MAX || steps[i] > INT32_MAX)
            return bad(c, "ksize and strides must be positive");
    if (w.channels_first) x = make_channels_last(c, x);
    int channel = w.channels_first ? 1 : spatial + 1;
    int first = w.channels_first ? 2 : 1;
    if (sizes[channel] > 1) {
        for (int i = 0; i < spatial; i++)
            if (sizes[first + i] != 1 || steps[first + i] != 1)
                return unsupported(c, "pooling over channels and pixels at once is not compiled");
        ValueId y = pool_channels(c, x, row->text, sizes[channel], steps[channel]);
        return give(c, conv_end(c, &w, y));
    }
    Shape s = shape_copy(c, x);
    int64_t kernel[3];
    if (!window_spatial(c, &w, sizes, n_sizes, "ksize", kernel) ||
        !window_spatial(c, &w, steps, n_steps, "strides", w.strides) || !window_pads(c, &w, &s.dims[1], kernel))
        return false;
    ValueId y = pool(c, &w, x, row->text, kernel);
    return give(c, conv_end(c, &w, y));
}

/* ---- what Grappler fuses */

/* Applies fused_ops to a channels-last result; args are the extra inputs from `first` on. */
static ValueId apply_fused(Import *c, ValueId y, uint32_t first, bool channels_first) {
    const TfAttr *ops = tf_attr(c->n, "fused_ops");
    uint32_t n = ops && ops->kind == TF_ATTR_LIST_STRING ? ops->n : 0;
    uint32_t arg = first;
    for (uint32_t i = 0; i < n && !failed(y); i++) {
        const char *name =
            arena_strndup(c->im->arena, ops->v.strings[i].data ? ops->v.strings[i].data : "", ops->v.strings[i].size);
        uint32_t takes = strcmp(name, "BiasAdd") == 0 || strcmp(name, "Add") == 0 ? 1
                         : strcmp(name, "FusedBatchNorm") == 0                    ? 4
                                                                                  : 0;
        if (arg + takes > c->n_in) {
            bad(c, "has too few inputs for its fused ops");
            return (ValueId){0};
        }
        const ValueId *args = &c->in[arg];
        arg += takes;
        if (takes == 4) {
            y = make_batch_norm(c, y, args[0], args[1], args[2], args[3], attr_f(c, "epsilon", 0.0001));
        } else if (takes == 1) {
            ValueId other = args[0];
            if (channels_first && rank_of(c, other) == rank_of(c, y) && rank_of(c, y) > 2)
                other = make_channels_last(c, other);
            y = make_binary(c, OP_ADD, y, other);
        } else {
            y = make_activation(c, name, y);
        }
    }
    return y;
}

/* FusedPadConv2D (images, paddings, filter), FusedResizeAndPadConv2D (images, size, paddings, filter): mirrored edges,
   of images that were resized first */
bool import_padded_conv(Import *c) {
    bool resized = import_row(c)->arg == 1;
    ValueId x = c->in[0];
    Dim pads[8];
    Dim before[4];
    Dim after[4];
    Dim size[2];
    int n = 0;
    Window w;
    if (!conv_begin(c, 2, &w, &x)) return false;
    if (resized) {
        if (!load_content(c, c->in[1], 0, size, &n, 2, "the size")) return false;
        if (n != 2) return bad(c, "needs a size of two");
        Attr attrs[4];
        attrs[0] = attr_string("kind", "bilinear");
        attrs[1] = attr_dims(c->g->arena, "size", 2, size);
        attrs[2] = attr_int("align_corners", attr_i(c, "resize_align_corners", 0) != 0);
        attrs[3] = attr_int("half_pixel", 0);
        x = import_node(c, OP_RESIZE, 1, &x, 4, attrs);
    }
    if (!load_content(c, c->in[resized ? 2 : 1], 0, pads, &n, 8, "paddings")) return false;
    if (n != 8) return bad(c, "paddings has %d entries, needs 8", n);
    for (int i = 0; i < 4; i++) {
        before[i] = pads[2 * i];
        after[i] = pads[2 * i + 1];
    }
    ValueId zero = make_zero(c, dtype_of(c, x));
    const char *mode = strcmp(attr_s(c, "mode", "REFLECT"), "SYMMETRIC") == 0 ? "symmetric" : "reflect";
    x = make_pad(c, x, zero, before, after, mode);
    if (failed(x)) return false;
    return give(c, conv_core(c, &w, x, c->in[resized ? 3 : 2]));
}

/* _FusedConv2D, _FusedDepthwiseConv2dNative (arg 1) */
bool import_fused_conv(Import *c) {
    Window w;
    ValueId x = c->in[0];
    if (!conv_begin(c, 2, &w, &x)) return false;
    ValueId y = import_row(c)->arg ? depthwise_core(c, &w, x, c->in[1]) : conv_core(c, &w, x, c->in[1]);
    y = apply_fused(c, y, 2, w.channels_first);
    return give(c, conv_end(c, &w, y));
}

bool import_fused_matmul(Import *c) {
    ValueId y = make_matmul(c, c->in[0], c->in[1], attr_i(c, "transpose_a", 0) != 0, attr_i(c, "transpose_b", 0) != 0);
    return give(c, apply_fused(c, y, 2, false));
}

/* The op Conv of any dimension: strides and dilations of all dims or of the spatial ones, batch dims in front. */
bool import_conv_general(Import *c) {
    int batch_dims = (int)attr_i(c, "batch_dims", 1);
    int rank = rank_of(c, c->in[0]);
    int spatial = rank - batch_dims - 1;
    if (batch_dims < 0 || spatial < 1 || spatial > 3)
        return unsupported(c, "%d batch dimensions of a tensor of rank %d", batch_dims, rank);
    const char *format = attr_s(c, "data_format", "CHANNELS_LAST");
    Window w = {.spatial = spatial, .dilations = {1, 1, 1}, .strides = {1, 1, 1}};
    w.channels_first = strcmp(format, "CHANNELS_FIRST") == 0;
    const char *names[] = {"strides", "dilations"};
    int64_t *targets[] = {w.strides, w.dilations};
    for (int k = 0; k < 2; k++) {
        int n = 0;
        const int64_t *list = attr_list(c, names[k], &n);
        if (n == spatial)
            memcpy(targets[k], list, sizeof(int64_t) * (size_t)n);
        else if (n != 0 && !window_spatial(c, &w, list, n, names[k], targets[k]))
            return false;
        for (int i = 0; i < spatial; i++)
            if (targets[k][i] < 1 || targets[k][i] > INT32_MAX) return bad(c, "%s must be at least 1", names[k]);
    }
    Shape s = shape_copy(c, c->in[0]);
    Shape flat = {.rank = spatial + 2};
    flat.dims[0] = dim_const(1);
    for (int i = 0; i < batch_dims; i++) flat.dims[0] = d_mul(c, flat.dims[0], s.dims[i]);
    for (int i = 0; i <= spatial; i++) flat.dims[1 + i] = s.dims[batch_dims + i];
    ValueId x = make_reshape(c, c->in[0], &flat);
    if (w.channels_first) x = make_channels_last(c, x);
    ValueId y = failed(x) ? x : conv_core(c, &w, x, c->in[1]);
    y = conv_end(c, &w, y);
    Shape out = shape_copy(c, y);
    Shape full = {.rank = rank};
    for (int i = 0; i < rank; i++) full.dims[i] = i < batch_dims ? s.dims[i] : out.dims[i - batch_dims + 1];
    return give(c, make_reshape(c, y, &full));
}
