/* Gradients of what looks through windows: maximum and average pooling of 2 and 3 dimensions, fractional pooling,
   morphological dilation. Of equal elements the first of the window counts, as in the forward ops. */
#include "hostops/gradient.h"
#include <math.h>
#include <string.h>

typedef struct {
    int64_t in, out, kernel, stride, rate, before;
} Axis;

/* [batch, three spatial axes, channels]; images have an axis of one in front. */
typedef struct {
    Axis axes[3];
    int64_t batch, channels;
    int32_t n;
} Windows;

static int64_t list_at(const TfoptHostCall *call, const char *name, int32_t k, int64_t missing) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && k < a->n ? a->v.ints[k] : missing;
}

/* Output size and padding; false: a number is out of range. `k`: the axis in the tensor. */
static bool axis_init(const TfoptHostCall *call, Axis *a, int32_t k) {
    if (a->kernel < 1 || a->stride < 1 || a->rate < 1 || a->kernel > INT32_MAX || a->rate > INT32_MAX) return false;
    const int64_t reach = (a->kernel - 1) * a->rate + 1;
    if (tfopt_call_string_is(call, "padding", "SAME")) {
        a->out = (a->in + a->stride - 1) / a->stride;
        const int64_t pad = (a->out - 1) * a->stride + reach - a->in;
        a->before = pad > 0 ? pad / 2 : 0;
        return true;
    }
    int64_t padded = a->in;
    a->before = 0;
    if (tfopt_call_string_is(call, "padding", "EXPLICIT")) {
        const int64_t after = list_at(call, "explicit_paddings", 2 * k + 1, 0);
        a->before = list_at(call, "explicit_paddings", 2 * k, 0);
        if (a->before < 0 || after < 0 || a->before > INT32_MAX || after > INT32_MAX) return false;
        padded += a->before + after;
    }
    a->out = padded < reach ? 0 : (padded - reach) / a->stride + 1;
    return true;
}

/* Windows over channels-last dims[0..rank) by the attributes, or by the values of two inputs (ksize, strides). */
static int32_t windows_init(TfoptHostCall *call, const int64_t *dims, int32_t rank, int32_t size_input, Windows *w) {
    *w = (Windows){.axes = {{1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}},
                   .batch = dims[0],
                   .channels = dims[rank - 1],
                   .n = rank - 2};
    const TfoptAttr *format = tfopt_call_attr(call, "data_format");
    if (format && !tfopt_call_string_is(call, "data_format", rank == 5 ? "NDHWC" : "NHWC"))
        return tfopt_invalid(call, "images must be channels-last, as for TensorFlow's CPU kernel");
    for (int32_t k = 0; k < w->n; k++) {
        Axis *a = &w->axes[3 - w->n + k];
        a->in = dims[1 + k];
        if (size_input) {
            if (tfopt_elements(&call->inputs[size_input]) != rank ||
                tfopt_elements(&call->inputs[size_input + 1]) != rank)
                return tfopt_invalid(call, "ksize and strides must have an entry for each dimension");
            a->kernel = tfopt_int_at(&call->inputs[size_input], 1 + k);
            a->stride = tfopt_int_at(&call->inputs[size_input + 1], 1 + k);
        } else {
            a->kernel = list_at(call, "ksize", 1 + k, 1);
            a->stride = list_at(call, "strides", 1 + k, 1);
        }
        if (!axis_init(call, a, 1 + k)) return tfopt_invalid(call, "window out of range");
    }
    if (list_at(call, "ksize", 0, 1) != 1 || list_at(call, "ksize", rank - 1, 1) != 1)
        return tfopt_invalid(call, "pooling over batch or channels has no gradient");
    return TFOPT_OK;
}

static int64_t windows_cells(const Windows *w) {
    return w->axes[0].out * w->axes[1].out * w->axes[2].out;
}

/* Whether t is what the windows give. */
static bool fits_output(const Windows *w, const TfoptTensor *t) {
    bool fits = t->rank == w->n + 2 && t->dims[0] == w->batch && t->dims[w->n + 1] == w->channels;
    for (int32_t k = 0; k < w->n && fits; k++) fits = t->dims[1 + k] == w->axes[3 - w->n + k].out;
    return fits;
}

/* The part of a window that lies in the image. */
typedef struct {
    int64_t from[3], to[3];
} Part;

static Part window_part(const Windows *w, int64_t cell) {
    Part p;
    for (int i = 2; i >= 0; i--) {
        const Axis *a = &w->axes[i];
        const int64_t start = cell % a->out * a->stride - a->before;
        cell /= a->out;
        p.from[i] = start < 0 ? 0 : start;
        p.to[i] = start + a->kernel < a->in ? start + a->kernel : a->in;
    }
    return p;
}

static int64_t pixel(const Windows *w, int64_t n, int64_t z, int64_t y, int64_t x) {
    return ((n * w->axes[0].in + z) * w->axes[1].in + y) * w->axes[2].in + x;
}

static bool is_greater(const TfoptTensor *t, int64_t a, int64_t b) {
    if (tfopt_is_float_type(t->dtype)) return tfopt_real_at(t, a) > tfopt_real_at(t, b);
    return tfopt_int_at(t, a) > tfopt_int_at(t, b);
}

/* The first of the largest elements of a window; -1: it is empty. */
static int64_t largest(const Windows *w, const TfoptTensor *t, int64_t n, const Part *p, int64_t channel) {
    int64_t best = -1;
    for (int64_t z = p->from[0]; z < p->to[0]; z++) {
        for (int64_t y = p->from[1]; y < p->to[1]; y++) {
            for (int64_t x = p->from[2]; x < p->to[2]; x++) {
                const int64_t at = pixel(w, n, z, y, x) * w->channels + channel;
                if (best < 0 || is_greater(t, at, best)) best = at;
            }
        }
    }
    return best;
}

static bool is_equal(const TfoptTensor *a, int64_t i, const TfoptTensor *b, int64_t k) {
    if (tfopt_is_float_type(a->dtype)) return tfopt_real_at(a, i) == tfopt_real_at(b, k);
    return tfopt_int_at(a, i) == tfopt_int_at(b, k);
}

typedef enum { GRADIENT, SECOND_GRADIENT } Order;

/* The elements of a window that equal its pooled form: the first gives to the second gradient, all take of a volume's
   first one. */
static void give_to_equals(const TfoptHostCall *call, const Windows *w, Order order, const Part *p, int64_t n,
                           int64_t channel, int64_t out) {
    for (int64_t z = p->from[0]; z < p->to[0]; z++) {
        for (int64_t y = p->from[1]; y < p->to[1]; y++) {
            for (int64_t x = p->from[2]; x < p->to[2]; x++) {
                const int64_t at = pixel(w, n, z, y, x) * w->channels + channel;
                if (!is_equal(&call->inputs[0], at, &call->inputs[1], out)) continue;
                if (order == SECOND_GRADIENT) {
                    tfopt_gradient_add(&call->outputs[0], out, &call->inputs[2], at);
                    return;
                }
                tfopt_gradient_add(&call->outputs[0], at, &call->inputs[2], out);
            }
        }
    }
}

/* (images, their pooled form, gradient): first order spreads what came back on the maxima, second order collects
   it from them. ksize and strides follow as inputs in the V2 ops. */
static int32_t max_pool(TfoptHostCall *call, Order order) {
    const TfoptTensor *t = &call->inputs[0], *pooled = &call->inputs[1], *given = &call->inputs[2];
    Windows w;
    if (t->rank != 4 && t->rank != 5) return tfopt_invalid(call, "images must have 4 or 5 dimensions");
    const int32_t status = windows_init(call, t->dims, t->rank, call->n_inputs >= 5 ? 3 : 0, &w);
    if (status != TFOPT_OK) return status;
    if (!fits_output(&w, pooled) || (order == GRADIENT ? !fits_output(&w, given) : !tfopt_same_dims(given, t)))
        return tfopt_invalid(call, "the gradient does not have the shape that pooling gives");
    if (!tfopt_gradient_zeros(call, 0, order == GRADIENT ? t : pooled)) return tfopt_no_memory(call);
    const int64_t cells = windows_cells(&w);
    for (int64_t n = 0; n < w.batch; n++) {
        for (int64_t cell = 0; cell < cells; cell++) {
            const Part p = window_part(&w, cell);
            for (int64_t k = 0; k < w.channels; k++) {
                const int64_t out = (n * cells + cell) * w.channels + k;
                if (order == SECOND_GRADIENT || t->rank == 5) {
                    give_to_equals(call, &w, order, &p, n, k, out);
                    continue;
                }
                const int64_t at = largest(&w, t, n, &p, k);
                if (at >= 0) tfopt_gradient_add(&call->outputs[0], at, given, out);
            }
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_max_pool_gradient(TfoptHostCall *call) {
    return max_pool(call, GRADIENT);
}
int32_t tfopt_host_max_pool_second_gradient(TfoptHostCall *call) {
    return max_pool(call, SECOND_GRADIENT);
}

/* (images, gradient, argmax): by the places that MaxPoolWithArgmax gave */
int32_t tfopt_host_max_pool_gradient_at(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *given = &call->inputs[1], *places = &call->inputs[2];
    const int64_t n = tfopt_elements(places), all = tfopt_elements(t);
    if (t->rank != 4 || places->rank != 4 || places->dims[0] != t->dims[0] || !tfopt_same_dims(given, places))
        return tfopt_invalid(call, "the gradient and the places do not fit");
    if (!tfopt_gradient_zeros(call, 0, t)) return tfopt_no_memory(call);
    const bool with_batch = tfopt_call_int(call, "include_batch_in_index", 0) != 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t image = i / (n / t->dims[0]), at = tfopt_int_at(places, i),
                      to = with_batch ? at : at + image * (all / t->dims[0]);
        if (at < 0 || at >= all || to >= all) return tfopt_invalid(call, "a place lies outside of the images");
        tfopt_gradient_add(&call->outputs[0], to, given, i);
    }
    return TFOPT_OK;
}

/* (shape of the images, gradient): each element's share goes to all of its window that lies in the image */
int32_t tfopt_host_avg_pool_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[1];
    TfoptTensor like = {.dtype = given->dtype, .rank = given->rank};
    Windows w;
    if (!tfopt_gradient_shape(&call->inputs[0], given->rank, like.dims) || (given->rank != 4 && given->rank != 5))
        return tfopt_invalid(call, "orig_input_shape must have 4 or 5 sizes, as the gradient");
    const int32_t status = windows_init(call, like.dims, given->rank, 0, &w);
    if (status != TFOPT_OK) return status;
    if (!fits_output(&w, given)) return tfopt_invalid(call, "the gradient does not have the shape that pooling gives");
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t cells = windows_cells(&w);
    for (int64_t i = 0; i < w.batch * cells; i++) {
        const Part p = window_part(&w, i % cells);
        int64_t count = 1;
        for (int a = 0; a < 3; a++) count *= p.to[a] > p.from[a] ? p.to[a] - p.from[a] : 0;
        for (int64_t z = p.from[0]; z < p.to[0]; z++) {
            for (int64_t y = p.from[1]; y < p.to[1]; y++) {
                for (int64_t x = p.from[2]; x < p.to[2]; x++) {
                    const int64_t at = pixel(&w, i / cells, z, y, x) * w.channels;
                    for (int64_t k = 0; k < w.channels; k++)
                        tfopt_set_real(out, at + k,
                                       tfopt_real_at(out, at + k) +
                                           tfopt_real_at(given, i * w.channels + k) / (double)count);
                }
            }
        }
    }
    return TFOPT_OK;
}

/* ---- dilation: (images, filter, gradient) */
static int32_t dilation(TfoptHostCall *call, bool of_filter) {
    const TfoptTensor *t = &call->inputs[0], *filter = &call->inputs[1], *given = &call->inputs[2];
    if (t->rank != 4 || filter->rank != 3 || filter->dims[2] != t->dims[3] || given->rank != 4)
        return tfopt_invalid(call, "input must be [b,h,w,c] and filter [h,w,c]");
    Axis a[2];
    for (int32_t i = 0; i < 2; i++) {
        a[i] = (Axis){.in = t->dims[1 + i],
                      .kernel = filter->dims[i],
                      .stride = list_at(call, "strides", 1 + i, 1),
                      .rate = list_at(call, "rates", 1 + i, 1)};
        if (!axis_init(call, &a[i], 1 + i)) return tfopt_invalid(call, "window out of range");
    }
    const int64_t channels = t->dims[3];
    if (given->dims[0] != t->dims[0] || given->dims[1] != a[0].out || given->dims[2] != a[1].out ||
        given->dims[3] != channels)
        return tfopt_invalid(call, "the gradient does not have the shape that dilation gives");
    if (!tfopt_gradient_zeros(call, 0, of_filter ? filter : t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(given);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = i % channels, cell = i / channels % (a[0].out * a[1].out),
                      image = i / channels / (a[0].out * a[1].out);
        const int64_t top = cell / a[1].out * a[0].stride - a[0].before,
                      left = cell % a[1].out * a[1].stride - a[1].before;
        int64_t best_at = -1, best_tap = -1;
        double best = -INFINITY;
        for (int64_t tap = 0; tap < a[0].kernel * a[1].kernel; tap++) {
            const int64_t y = top + tap / a[1].kernel * a[0].rate, x = left + tap % a[1].kernel * a[1].rate;
            if (y < 0 || x < 0 || y >= a[0].in || x >= a[1].in) continue;
            const int64_t at = ((image * a[0].in + y) * a[1].in + x) * channels + k, f = tap * channels + k;
            const double v = tfopt_is_float_type(t->dtype) ? tfopt_real_at(t, at) + tfopt_real_at(filter, f)
                                                           : (double)(tfopt_int_at(t, at) + tfopt_int_at(filter, f));
            if (best_at < 0 || v > best) {
                best = v;
                best_at = at;
                best_tap = f;
            }
        }
        if (best_at >= 0) tfopt_gradient_add(&call->outputs[0], of_filter ? best_tap : best_at, given, i);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_dilation2d_input_gradient(TfoptHostCall *call) {
    return dilation(call, false);
}
int32_t tfopt_host_dilation2d_filter_gradient(TfoptHostCall *call) {
    return dilation(call, true);
}

/* ---- fractional pooling */

/* Windows of one axis as their first elements and the end of the last one. */
typedef struct {
    const int64_t *starts;
    int64_t n, size;
    bool overlapping;
} Cuts;

static bool cuts_init(TfoptHostCall *call, int32_t input, int64_t size, Cuts *c) {
    const TfoptTensor *t = &call->inputs[input];
    *c = (Cuts){tfopt_as_s64(call, t), tfopt_elements(t) - 1, size, tfopt_call_int(call, "overlapping", 0) != 0};
    if (!c->starts || t->rank != 1 || c->n < 1) return false;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->starts[i] < 0 || c->starts[i] >= c->starts[i + 1]) return false;
    }
    return c->starts[c->n] <= size;
}

static int64_t cut_end(const Cuts *c, int64_t i) {
    const int64_t end = c->overlapping ? c->starts[i + 1] + 1 : c->starts[i + 1];
    return end < c->size ? end : c->size;
}

/* (images or their shape, …, gradient, row cuts, column cuts) */
static int32_t fractional(TfoptHostCall *call, bool average) {
    const int32_t given_input = average ? 1 : 2;
    const TfoptTensor *given = &call->inputs[given_input], *images = &call->inputs[0];
    TfoptTensor like = {.dtype = given->dtype, .rank = 4};
    Cuts rows, columns;
    if (given->rank != 4 || (!average && images->rank != 4))
        return tfopt_invalid(call, "images must have 4 dimensions");
    if (!average)
        memcpy(like.dims, images->dims, 4 * sizeof *like.dims);
    else if (!tfopt_gradient_shape(&call->inputs[0], 4, like.dims))
        return tfopt_invalid(call, "orig_input_tensor_shape must have 4 sizes");
    if (!cuts_init(call, given_input + 1, like.dims[1], &rows) ||
        !cuts_init(call, given_input + 2, like.dims[2], &columns))
        return tfopt_invalid(call, "the pooling sequences do not fit the images");
    const int64_t channels = like.dims[3], width = like.dims[2];
    if (given->dims[0] != like.dims[0] || given->dims[1] != rows.n || given->dims[2] != columns.n ||
        given->dims[3] != channels)
        return tfopt_invalid(call, "the gradient does not have the shape that pooling gives");
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    double *sums = average ? tfopt_call_zeroed(call, tfopt_elements(out) + 1, sizeof *sums) : NULL;
    if (average && !sums) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(given);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = i % channels, column = i / channels % columns.n, row = i / channels / columns.n % rows.n,
                      image = i / channels / columns.n / rows.n, y1 = cut_end(&rows, row),
                      x1 = cut_end(&columns, column);
        const double share =
            average ? tfopt_real_at(given, i) / (double)((y1 - rows.starts[row]) * (x1 - columns.starts[column])) : 0;
        int64_t best = -1;
        for (int64_t y = rows.starts[row]; y < y1; y++) {
            for (int64_t x = columns.starts[column]; x < x1; x++) {
                const int64_t at = ((image * like.dims[1] + y) * width + x) * channels + k;
                if (average)
                    sums[at] += share;
                else if (best < 0 || is_greater(images, at, best))
                    best = at;
            }
        }
        if (best >= 0) tfopt_gradient_add(out, best, given, i);
    }
    for (int64_t i = 0; average && i < tfopt_elements(out); i++) {
        if (tfopt_is_float_type(out->dtype))
            tfopt_set_real(out, i, sums[i]);
        else
            tfopt_set_int(out, i, (int64_t)sums[i]);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_fractional_max_pool_gradient(TfoptHostCall *call) {
    return fractional(call, false);
}
int32_t tfopt_host_fractional_avg_pool_gradient(TfoptHostCall *call) {
    return fractional(call, true);
}
