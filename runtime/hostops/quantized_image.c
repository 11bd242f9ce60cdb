/* Legacy quantised ops on images: average pooling and bilinear resizing of levels. */
#include "hostops/quantized.h"
#include <math.h>
#include <string.h>

static int64_t attr_at(const TfoptHostCall *call, const char *name, int32_t k) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && a->kind == TFOPT_ATTR_INTS && k < a->n ? a->v.ints[k] : 1;
}

typedef struct {
    int64_t in, out, window, stride, before;
} Axis;

static bool axis_init(const TfoptHostCall *call, Axis *a) {
    if (a->window < 1 || a->stride < 1 || a->window > INT32_MAX || a->stride > INT32_MAX) return false;
    a->before = 0;
    if (!tfopt_call_string_is(call, "padding", "SAME")) {
        a->out = a->in < a->window ? 0 : (a->in - a->window) / a->stride + 1;
        return true;
    }
    a->out = (a->in + a->stride - 1) / a->stride;
    const int64_t pad = (a->out - 1) * a->stride + a->window - a->in;
    a->before = pad > 0 ? pad / 2 : 0;
    return true;
}

/* The part of the window of output i that lies on the input. */
static void covered(const Axis *a, int64_t i, int64_t *begin, int64_t *end) {
    *begin = i * a->stride - a->before;
    *end = *begin + a->window;
    if (*begin < 0) *begin = 0;
    if (*end > a->in) *end = a->in;
}

/* (input, min, max) */
int32_t tfopt_host_quantized_avg_pool(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    TfoptLevels range;
    if (!tfopt_levels_input(call, 1, t->dtype, &range)) return TFOPT_INVALID_ARGUMENT;
    if (t->rank != 4) return tfopt_invalid(call, "input must have 4 dimensions");
    Axis y = {.in = t->dims[1], .window = attr_at(call, "ksize", 1), .stride = attr_at(call, "strides", 1)};
    Axis x = {.in = t->dims[2], .window = attr_at(call, "ksize", 2), .stride = attr_at(call, "strides", 2)};
    if (!axis_init(call, &y) || !axis_init(call, &x)) return tfopt_invalid(call, "window out of range");
    const int64_t channels = t->dims[3], dims[4] = {t->dims[0], y.out, x.out, channels};
    if (!tfopt_host_output(call, 0, 4, dims)) return tfopt_no_memory(call);
    for (int64_t to = 0, n = dims[0] * y.out * x.out; to < n; to++) {
        int64_t y0, y1, x0, x1;
        covered(&y, to / x.out % y.out, &y0, &y1);
        covered(&x, to % x.out, &x0, &x1);
        const int64_t image = to / (x.out * y.out), count = (y1 - y0) * (x1 - x0);
        for (int64_t k = 0; k < channels; k++) {
            int64_t sum = 0;
            for (int64_t i = y0; i < y1; i++) {
                for (int64_t j = x0; j < x1; j++)
                    sum += tfopt_int_at(t, ((image * y.in + i) * x.in + j) * channels + k);
            }
            tfopt_set_int(&call->outputs[0], to * channels + k, count > 0 ? sum / count : 0);
        }
    }
    return tfopt_give_range(call, 1, range.min, range.max);
}

/* ---- resizing */

/* Where an output row or column lies between two of the input: so far of the way from lower to upper. */
typedef struct {
    int64_t lower, upper;
    float fraction;
} Place;

static Place *places(TfoptHostCall *call, int64_t in, int64_t out) {
    const bool corners = tfopt_call_int(call, "align_corners", 0) != 0;
    const bool half = tfopt_call_int(call, "half_pixel_centers", 0) != 0;
    const float scale = corners && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
    Place *p = tfopt_call_alloc(call, out + 1, sizeof *p);
    for (int64_t i = 0; p && i < out; i++) {
        const float at = half ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
        const float whole = floorf(at);
        p[i].lower = whole > 0 ? (int64_t)whole : 0;
        p[i].upper = (int64_t)ceilf(at);
        if (p[i].upper > in - 1) p[i].upper = in - 1;
        if (p[i].lower > p[i].upper) p[i].lower = p[i].upper;
        p[i].fraction = at - whole;
    }
    return p;
}

/* Between four levels, in fixed point. */
static int64_t between_levels(const int64_t v[4], float x, float y, int bits) {
    const int64_t one = INT64_C(1) << bits, wx = (int64_t)(x * (float)one), wy = (int64_t)(y * (float)one);
    const int64_t top = v[0] * one + (v[1] - v[0]) * wx, bottom = v[2] * one + (v[3] - v[2]) * wx;
    const int64_t out = top + (bottom - top) / one * wy;
    return (out + one / 2) / one;
}

static float between(const float v[4], float x, float y) {
    const float top = v[0] + (v[1] - v[0]) * x, bottom = v[2] + (v[3] - v[2]) * x;
    return top + (bottom - top) * y;
}

/* 32-bit levels pass through f32 on the way, as in TensorFlow. */
static void blend(const TfoptTensor *out, int64_t to, const TfoptTensor *t, const int64_t at[4], float x, float y) {
    int64_t levels[4];
    float reals[4];
    for (int e = 0; e < 4; e++) {
        reals[e] = (float)tfopt_real_at(t, at[e]);
        levels[e] = t->dtype == TFOPT_F32 ? 0 : (int64_t)reals[e];
    }
    if (t->dtype == TFOPT_F32)
        ((float *)out->data)[to] = between(reals, x, y);
    else
        tfopt_set_int(out, to, between_levels(levels, x, y, t->dtype == TFOPT_U8 ? 7 : 30));
}

/* (images, size, min, max) */
int32_t tfopt_host_quantized_resize_bilinear(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *size = &call->inputs[1];
    TfoptLevels range;
    if (!tfopt_levels_input(call, 2, t->dtype, &range)) return TFOPT_INVALID_ARGUMENT;
    if (t->rank != 4 || tfopt_elements(size) != 2) return tfopt_invalid(call, "needs images of rank 4 and two sizes");
    const int64_t in_y = t->dims[1], in_x = t->dims[2], out_y = tfopt_int_at(size, 0), out_x = tfopt_int_at(size, 1);
    const int64_t channels = t->dims[3], dims[4] = {t->dims[0], out_y, out_x, channels};
    if (in_y < 1 || in_x < 1 || out_y < 1 || out_x < 1 || out_y > INT32_MAX || out_x > INT32_MAX)
        return tfopt_invalid(call, "sizes must be positive");
    if (!tfopt_host_output(call, 0, 4, dims)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const Place *ys = places(call, in_y, out_y), *xs = places(call, in_x, out_x);
    if (!ys || !xs) return tfopt_no_memory(call);
    const size_t bytes = tfopt_dtype_bytes(t->dtype);
    if (in_y == out_y && in_x == out_x) { /* the same size: the same levels */
        if (tfopt_elements(t) > 0) memcpy(out->data, t->data, (size_t)tfopt_elements(t) * bytes);
        return tfopt_give_range(call, 1, range.min, range.max);
    }
    int64_t to = 0;
    for (int64_t n = 0; n < dims[0]; n++) {
        for (int64_t i = 0; i < out_y; i++) {
            const int64_t upper = (n * in_y + ys[i].lower) * in_x, lower = (n * in_y + ys[i].upper) * in_x;
            for (int64_t j = 0; j < out_x; j++) {
                for (int64_t k = 0; k < channels; k++, to++) {
                    const int64_t at[4] = {(upper + xs[j].lower) * channels + k, (upper + xs[j].upper) * channels + k,
                                           (lower + xs[j].lower) * channels + k, (lower + xs[j].upper) * channels + k};
                    blend(out, to, t, at, xs[j].fraction, ys[i].fraction);
                }
            }
        }
    }
    return tfopt_give_range(call, 1, range.min, range.max);
}
