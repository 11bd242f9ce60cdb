/* Windows over images that no kernel of ours computes: MaxPoolWithArgmax, ExtractImagePatches, ExtractVolumePatches,
 * Dilation2D. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

typedef struct {
    int64_t in, out, kernel, stride, rate, before;
} Axis;

/* Element k of an ints attribute, 1 when it is absent. */
static int64_t attr_at(const TfoptHostCall *call, const char *name, int32_t k) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && k < a->n ? a->v.ints[k] : 1;
}

/* Output size and padding of one axis; false when a number is out of range. */
static bool axis_init(const TfoptHostCall *call, Axis *a) {
    if (a->kernel < 1 || a->stride < 1 || a->rate < 1) return false;
    const int64_t effective = (a->kernel - 1) * a->rate + 1;
    if (tfopt_call_string_is(call, "padding", "SAME")) {
        a->out = (a->in + a->stride - 1) / a->stride;
        const int64_t pad = (a->out - 1) * a->stride + effective - a->in;
        a->before = pad > 0 ? pad / 2 : 0;
    } else {
        a->out = a->in < effective ? 0 : (a->in - effective) / a->stride + 1;
        a->before = 0;
    }
    return true;
}

/* best[k], the place of the largest element of channel k so far, and those n at `at`: the first of equal ones stays. */
static void take_larger(const TfoptTensor *t, int64_t at, int64_t n, int64_t *restrict best) {
    if (t->dtype == TFOPT_F32) {
        const float *x = t->data;
        for (int64_t k = 0; k < n; k++) best[k] = x[at + k] > x[best[k]] ? at + k : best[k];
        return;
    }
    const bool real = tfopt_is_float_type(t->dtype);
    for (int64_t k = 0; k < n; k++) {
        const bool larger = real ? tfopt_real_at(t, at + k) > tfopt_real_at(t, best[k])
                                 : tfopt_int_at(t, at + k) > tfopt_int_at(t, best[k]);
        if (larger) best[k] = at + k;
    }
}

int32_t tfopt_host_max_pool_with_argmax(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != 4) return tfopt_invalid(call, "input must have 4 dimensions");
    Axis y = {.in = t->dims[1], .kernel = attr_at(call, "ksize", 1), .stride = attr_at(call, "strides", 1), .rate = 1};
    Axis x = {.in = t->dims[2], .kernel = attr_at(call, "ksize", 2), .stride = attr_at(call, "strides", 2), .rate = 1};
    if (!axis_init(call, &y) || !axis_init(call, &x)) return tfopt_invalid(call, "window out of range");
    const int64_t channels = t->dims[3], dims[4] = {t->dims[0], y.out, x.out, channels};
    const bool with_batch = tfopt_call_int(call, "include_batch_in_index", 0) != 0;
    char *out = tfopt_host_output(call, 0, 4, dims);
    if (!out || !tfopt_host_output(call, 1, 4, dims)) return tfopt_no_memory(call);
    const size_t size = tfopt_dtype_bytes(t->dtype);
    int64_t *best = tfopt_call_alloc(call, channels + 1, sizeof *best);
    if (!best) return tfopt_no_memory(call);
    for (int64_t to = 0, count = dims[0] * y.out * x.out; to < count; to++) {
        const int64_t n = to / (y.out * x.out), oy = to / x.out % y.out, ox = to % x.out;
        const int64_t top = oy * y.stride - y.before, left = ox * x.stride - x.before;
        bool first = true;
        for (int64_t i = top < 0 ? 0 : top; i < top + y.kernel && i < y.in; i++) {
            for (int64_t j = left < 0 ? 0 : left; j < left + x.kernel && j < x.in; j++) {
                const int64_t at = ((n * y.in + i) * x.in + j) * channels;
                for (int64_t k = 0; k < channels && first; k++) best[k] = at + k;
                if (!first) take_larger(t, at, channels, best);
                first = false;
            }
        }
        for (int64_t k = 0; k < channels; k++) {
            memcpy(out + (size_t)(to * channels + k) * size, (const char *)t->data + (size_t)best[k] * size, size);
            tfopt_set_int(&call->outputs[1], to * channels + k,
                          with_batch ? best[k] : best[k] - n * y.in * x.in * channels);
        }
    }
    return TFOPT_OK;
}

/* Patches over 2 or 3 axes (the first of three has one tap for images). */
static int32_t extract_patches(TfoptHostCall *call, int32_t axes) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != axes + 2) return tfopt_invalid(call, "input has the wrong rank");
    Axis a[3] = {{1, 1, 1, 1, 1, 0}};
    for (int32_t i = 0; i < axes; i++) {
        Axis *axis = &a[3 - axes + i];
        *axis = (Axis){.in = t->dims[1 + i],
                       .kernel = attr_at(call, "ksizes", 1 + i),
                       .stride = attr_at(call, "strides", 1 + i),
                       .rate = attr_at(call, "rates", 1 + i)};
        if (!axis_init(call, axis)) return tfopt_invalid(call, "window out of range");
    }
    const int64_t channels = t->dims[t->rank - 1];
    int64_t taps, depth;
    if (__builtin_mul_overflow(a[0].kernel * a[1].kernel, a[2].kernel, &taps) ||
        __builtin_mul_overflow(taps, channels, &depth))
        return tfopt_no_memory(call);
    int64_t dims[5] = {t->dims[0]};
    for (int32_t i = 0; i < axes; i++) dims[1 + i] = a[3 - axes + i].out;
    dims[1 + axes] = depth;
    char *out = tfopt_host_output(call, 0, axes + 2, dims);
    if (!out) return tfopt_no_memory(call);
    const size_t piece = (size_t)channels * tfopt_dtype_bytes(t->dtype);
    for (int64_t n = 0; n < t->dims[0]; n++) {
        for (int64_t cell = 0; cell < a[0].out * a[1].out * a[2].out; cell++) {
            const int64_t o[3] = {cell / a[2].out / a[1].out, cell / a[2].out % a[1].out, cell % a[2].out};
            for (int64_t tap = 0; tap < taps; tap++, out += piece) {
                const int64_t k[3] = {tap / a[2].kernel / a[1].kernel, tap / a[2].kernel % a[1].kernel,
                                      tap % a[2].kernel};
                int64_t at = n;
                bool inside = true;
                for (int i = 0; i < 3; i++) {
                    const int64_t p = o[i] * a[i].stride - a[i].before + k[i] * a[i].rate;
                    inside = inside && p >= 0 && p < a[i].in;
                    at = at * a[i].in + p;
                }
                if (inside)
                    memcpy(out, (const char *)t->data + (size_t)at * piece, piece);
                else
                    memset(out, 0, piece);
            }
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_extract_image_patches(TfoptHostCall *call) {
    return extract_patches(call, 2);
}
int32_t tfopt_host_extract_volume_patches(TfoptHostCall *call) {
    return extract_patches(call, 3);
}

int32_t tfopt_host_dilation2d(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *filter = &call->inputs[1];
    if (t->rank != 4 || filter->rank != 3 || filter->dims[2] != t->dims[3])
        return tfopt_invalid(call, "input must be [b,h,w,c] and filter [h,w,c]");
    Axis y = {.in = t->dims[1],
              .kernel = filter->dims[0],
              .stride = attr_at(call, "strides", 1),
              .rate = attr_at(call, "rates", 1)};
    Axis x = {.in = t->dims[2],
              .kernel = filter->dims[1],
              .stride = attr_at(call, "strides", 2),
              .rate = attr_at(call, "rates", 2)};
    if (!axis_init(call, &y) || !axis_init(call, &x)) return tfopt_invalid(call, "window out of range");
    const int64_t channels = t->dims[3], dims[4] = {t->dims[0], y.out, x.out, channels};
    if (!tfopt_host_output(call, 0, 4, dims)) return tfopt_no_memory(call);
    const bool reals = tfopt_is_float_type(t->dtype);
    const double lowest = -tfopt_highest_float(t->dtype);
    int64_t to = 0;
    for (int64_t n = 0; n < dims[0]; n++) {
        for (int64_t cell = 0; cell < y.out * x.out; cell++) {
            const int64_t top = cell / x.out * y.stride - y.before, left = cell % x.out * x.stride - x.before;
            for (int64_t k = 0; k < channels; k++, to++) {
                double best = lowest; /* NaNs are passed over */
                int64_t best_int = INT64_MIN;
                for (int64_t i = 0; i < y.kernel; i++) {
                    for (int64_t j = 0; j < x.kernel; j++) {
                        const int64_t py = top + i * y.rate, px = left + j * x.rate;
                        if (py < 0 || px < 0 || py >= y.in || px >= x.in) continue;
                        const int64_t at = ((n * y.in + py) * x.in + px) * channels + k,
                                      f = (i * x.kernel + j) * channels + k;
                        if (reals) {
                            const double v = tfopt_real_at(t, at) + tfopt_real_at(filter, f);
                            if (v > best) best = v;
                        } else {
                            const int64_t v = tfopt_int_at(t, at) + tfopt_int_at(filter, f);
                            if (v > best_int) best_int = v;
                        }
                    }
                }
                if (reals)
                    tfopt_set_real(&call->outputs[0], to, best);
                else
                    tfopt_set_int(&call->outputs[0], to, best_int);
            }
        }
    }
    return TFOPT_OK;
}
