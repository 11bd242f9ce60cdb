/* Resampling of images: ResizeBicubic and its gradient, ResizeArea, CropAndResize, with TensorFlow's index arithmetic
 * in float. */
#include "hostops/gradient.h"
#include <float.h>
#include <math.h>
#include <string.h>

static int64_t bound(int64_t v, int64_t limit) {
    return v < 0 ? 0 : v >= limit ? limit - 1 : v;
}

static float resize_scale(int64_t in, int64_t out, bool align_corners) {
    return align_corners && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
}

/* Checks images and size, makes the f32 output; NULL with call->error set. */
static float *resize_output(TfoptHostCall *call, int32_t *status) {
    const TfoptTensor *images = &call->inputs[0], *size = &call->inputs[1];
    *status = TFOPT_INVALID_ARGUMENT;
    if (images->rank != 4 || tfopt_elements(size) != 2) {
        tfopt_invalid(call, "images must have 4 dimensions and size 2 elements");
        return NULL;
    }
    const int64_t dims[4] = {images->dims[0], tfopt_int_at(size, 0), tfopt_int_at(size, 1), images->dims[3]};
    if (dims[1] <= 0 || dims[2] <= 0 || images->dims[1] <= 0 || images->dims[2] <= 0) {
        tfopt_invalid(call, "image and output dimensions must be positive");
        return NULL;
    }
    float *out = tfopt_host_output(call, 0, 4, dims);
    if (!out) *status = tfopt_no_memory(call);
    return out;
}

/* ---- bicubic */

enum { TABLE = 1024 };
typedef struct {
    int64_t index[4];
    float weight[4];
} CubicTap;

/* Value of the kernel in TensorFlow's table: part 0 for distances below 1, part 1 for those from 1 to 2. x is a float
 * there, the rest double. */
static float cubic(int64_t offset, int part, double a) {
    const double x = (double)((float)offset / (float)TABLE + (float)part);
    return (float)(part == 0 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a);
}

static CubicTap *cubic_taps(TfoptHostCall *call, int64_t in, int64_t out, bool align_corners, bool half_pixel) {
    CubicTap *taps = tfopt_call_alloc(call, out, sizeof *taps);
    const float scale = resize_scale(in, out, align_corners);
    const double a = half_pixel ? -0.5 : -0.75;
    for (int64_t i = 0; taps && i < out; i++) {
        const float at = half_pixel ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
        const int64_t base = (int64_t)floorf(at);
        const int64_t offset = lrintf((at - (float)base) * (float)TABLE);
        const float weights[4] = {cubic(offset, 1, a), cubic(offset, 0, a), cubic(TABLE - offset, 0, a),
                                  cubic(TABLE - offset, 1, a)};
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            taps[i].index[k] = bound(base - 1 + k, in);
            taps[i].weight[k] = half_pixel && taps[i].index[k] != base - 1 + k ? 0 : weights[k];
            sum += taps[i].weight[k];
        }
        if (half_pixel && fabsf(sum) >= 1000.0f * FLT_MIN) {
            const float factor = 1.0f / sum;
            for (int k = 0; k < 4; k++) taps[i].weight[k] *= factor;
        }
    }
    return taps;
}

int32_t tfopt_host_resize_bicubic(TfoptHostCall *call) {
    int32_t status;
    float *out = resize_output(call, &status);
    if (!out) return status;
    const TfoptTensor *images = &call->inputs[0], *result = &call->outputs[0];
    const int64_t h = images->dims[1], w = images->dims[2], channels = images->dims[3], oh = result->dims[1],
                  ow = result->dims[2];
    const bool align_corners = tfopt_call_int(call, "align_corners", 0) != 0,
               half_pixel = tfopt_call_int(call, "half_pixel_centers", 0) != 0;
    const CubicTap *rows = cubic_taps(call, h, oh, align_corners, half_pixel),
                   *columns = cubic_taps(call, w, ow, align_corners, half_pixel);
    const float *x = tfopt_as_f32(call, images);
    if (!rows || !columns || !x) return tfopt_no_memory(call);
    const int64_t row = w * channels;
    float *line = tfopt_call_alloc(call, row, sizeof *line); /* rows put together: an output row's source */
    if (!line) return tfopt_no_memory(call);
    for (int64_t n = 0; n < images->dims[0]; n++, x += h * row) {
        for (int64_t i = 0; i < oh; i++) {
            const CubicTap *r = &rows[i];
            const float *a = x + r->index[0] * row, *b = x + r->index[1] * row, *c = x + r->index[2] * row,
                        *d = x + r->index[3] * row;
            for (int64_t k = 0; k < row; k++)
                line[k] = a[k] * r->weight[0] + b[k] * r->weight[1] + c[k] * r->weight[2] + d[k] * r->weight[3];
            for (int64_t j = 0; j < ow; j++) {
                const CubicTap *t = &columns[j];
                const float *p = line + t->index[0] * channels, *q = line + t->index[1] * channels,
                            *u = line + t->index[2] * channels, *v = line + t->index[3] * channels;
                for (int64_t k = 0; k < channels; k++)
                    *out++ = p[k] * t->weight[0] + q[k] * t->weight[1] + u[k] * t->weight[2] + v[k] * t->weight[3];
            }
        }
    }
    return TFOPT_OK;
}

/* (gradient [b,h,w,c] f32, images): what came back is spread on the sixteen pixels that it was made from */
int32_t tfopt_host_resize_bicubic_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *images = &call->inputs[1];
    if (given->rank != 4 || images->rank != 4 || given->dims[0] != images->dims[0] || given->dims[3] != images->dims[3])
        return tfopt_invalid(call, "the gradient and the images do not fit");
    if (!tfopt_gradient_zeros(call, 0, images)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t h = images->dims[1], w = images->dims[2], channels = images->dims[3], gh = given->dims[1],
                  gw = given->dims[2];
    if (tfopt_elements(out) == 0 || tfopt_elements(given) == 0) return TFOPT_OK;
    const bool align_corners = tfopt_call_int(call, "align_corners", 0) != 0,
               half_pixel = tfopt_call_int(call, "half_pixel_centers", 0) != 0;
    const CubicTap *rows = cubic_taps(call, h, gh, align_corners, half_pixel),
                   *columns = cubic_taps(call, w, gw, align_corners, half_pixel);
    const float *g = tfopt_as_f32(call, given);
    if (!rows || !columns || !g) return tfopt_no_memory(call);
    for (int64_t i = 0; i < given->dims[0] * gh; i++) {
        const CubicTap *r = &rows[i % gh];
        for (int64_t j = 0; j < gw; j++) {
            const CubicTap *c = &columns[j];
            for (int64_t k = 0; k < channels; k++, g++) {
                for (int tap = 0; tap < 16; tap++) {
                    const int64_t y = i / gh * h + r->index[tap / 4], at = (y * w + c->index[tap % 4]) * channels + k;
                    const float v = *g * r->weight[tap / 4] * c->weight[tap % 4];
                    tfopt_set_real(out, at, tfopt_real_at(out, at) + (double)v);
                }
            }
        }
    }
    return TFOPT_OK;
}

/* ---- area */

/* How much of source cell i lies in [from, to). One cell spread over many (scale 0 by aligned corners) is all of it. */
static float covered(int64_t i, float from, float to, float scale) {
    const float v = (float)i;
    if (scale == 0) return 1;
    if (v < from) return v + 1 > to ? scale : v + 1 - from;
    return v + 1 > to ? to - v : 1.0f;
}

/* The source cells [first, first + n) that an output cell covers along an axis, and how much of each. */
typedef struct {
    int64_t first, n;
    float *weights;
} AreaTap;

static AreaTap *area_taps(TfoptHostCall *call, int64_t in, int64_t out, float scale) {
    AreaTap *taps = tfopt_call_alloc(call, out, sizeof *taps);
    float *weights = tfopt_call_alloc(call, 2 * out + in + 2, sizeof *weights);
    int64_t used = 0;
    if (!taps || !weights) return NULL;
    for (int64_t i = 0; i < out; i++) {
        const float from = (float)i * scale, to = (float)(i + 1) * scale;
        const int64_t first = (int64_t)floorf(from), end = scale > 0 ? (int64_t)ceilf(to) : 1;
        taps[i] = (AreaTap){first, end > first ? end - first : 0, weights + used};
        if (used + taps[i].n > 2 * out + in + 2) { /* sizes that floats do not tell apart */
            taps[i].weights = tfopt_call_alloc(call, taps[i].n, sizeof *weights);
            if (!taps[i].weights) return NULL;
        } else {
            used += taps[i].n;
        }
        for (int64_t k = 0; k < taps[i].n; k++) taps[i].weights[k] = covered(first + k, from, to, scale);
    }
    return taps;
}

/* What a source row adds to an output row. part: room for a cell. */
static inline __attribute__((always_inline)) void area_row(const AreaTap *columns, int64_t n, const float *row,
                                                           int64_t w, int64_t channels, float weight,
                                                           float *restrict part, float *restrict out) {
    for (int64_t j = 0; j < n; j++) {
        for (int64_t k = 0; k < channels; k++) part[k] = 0;
        for (int64_t c = 0; c < columns[j].n; c++) {
            const float *cell = row + bound(columns[j].first + c, w) * channels;
            const float share = columns[j].weights[c];
            for (int64_t k = 0; k < channels; k++) part[k] += cell[k] * share;
        }
        for (int64_t k = 0; k < channels; k++) out[j * channels + k] += part[k] * weight;
    }
}

int32_t tfopt_host_resize_area(TfoptHostCall *call) {
    int32_t status;
    float *out = resize_output(call, &status);
    if (!out) return status;
    const TfoptTensor *images = &call->inputs[0], *result = &call->outputs[0];
    const int64_t h = images->dims[1], w = images->dims[2], channels = images->dims[3], oh = result->dims[1],
                  ow = result->dims[2];
    const bool align_corners = tfopt_call_int(call, "align_corners", 0) != 0;
    const float sy = resize_scale(h, oh, align_corners), sx = resize_scale(w, ow, align_corners),
                factor = 1.0f / ((sy > 0 ? sy : 1) * (sx > 0 ? sx : 1));
    const AreaTap *rows = area_taps(call, h, oh, sy), *columns = area_taps(call, w, ow, sx);
    const float *x = tfopt_as_f32(call, images);
    float *part = tfopt_call_alloc(call, channels, sizeof *part);
    if (!x || !rows || !columns || !part) return tfopt_no_memory(call);
    memset(out, 0, (size_t)tfopt_elements(result) * sizeof *out);
    for (int64_t n = 0; n < images->dims[0]; n++, x += h * w * channels) {
        for (int64_t i = 0; i < oh; i++, out += ow * channels) {
            for (int64_t r = 0; r < rows[i].n; r++) {
                const float *row = x + bound(rows[i].first + r, h) * w * channels, weight = rows[i].weights[r];
                float few[4]; /* images mostly have 1, 3 or 4 channels: loops that the compiler unrolls */
                if (channels == 1)
                    area_row(columns, ow, row, w, 1, weight, few, out);
                else if (channels == 3)
                    area_row(columns, ow, row, w, 3, weight, few, out);
                else if (channels == 4)
                    area_row(columns, ow, row, w, 4, weight, few, out);
                else
                    area_row(columns, ow, row, w, channels, weight, part, out);
            }
            for (int64_t k = 0; k < ow * channels; k++) out[k] *= factor;
        }
    }
    return TFOPT_OK;
}

/* ---- crop and resize */

int32_t tfopt_host_crop_and_resize(TfoptHostCall *call) {
    const TfoptTensor *images = &call->inputs[0], *boxes = &call->inputs[1], *owner = &call->inputs[2],
                      *size = &call->inputs[3];
    if (images->rank != 4 || boxes->rank != 2 || boxes->dims[1] != 4 || tfopt_elements(owner) != boxes->dims[0] ||
        tfopt_elements(size) != 2)
        return tfopt_invalid(call, "image must be [b,h,w,c], boxes [n,4], box_ind [n], crop_size [2]");
    const int64_t n = boxes->dims[0], h = images->dims[1], w = images->dims[2], channels = images->dims[3];
    const int64_t dims[4] = {n, tfopt_int_at(size, 0), tfopt_int_at(size, 1), channels}, ch = dims[1], cw = dims[2];
    if (ch <= 0 || cw <= 0) return tfopt_invalid(call, "crop dimensions must be positive");
    if (h <= 0 || w <= 0) return tfopt_invalid(call, "image dimensions must be positive");
    const bool nearest = tfopt_call_string_is(call, "method", "nearest");
    const float outside = (float)tfopt_call_float(call, "extrapolation_value", 0);
    float *out = tfopt_host_output(call, 0, 4, dims);
    const float *x = tfopt_as_f32(call, images), *b = tfopt_as_f32(call, boxes);
    if (!out || !x || !b) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++, b += 4) {
        const int64_t image = tfopt_int_at(owner, i);
        if (image < 0 || image >= images->dims[0])
            return tfopt_call_fail(call, TFOPT_OUT_OF_RANGE, "box_index has values outside [0, batch_size)");
        const float *p = x + image * h * w * channels;
        const float sy = ch > 1 ? (b[2] - b[0]) * (float)(h - 1) / (float)(ch - 1) : 0,
                    sx = cw > 1 ? (b[3] - b[1]) * (float)(w - 1) / (float)(cw - 1) : 0;
        for (int64_t r = 0; r < ch; r++) {
            const float y = ch > 1 ? b[0] * (float)(h - 1) + (float)r * sy : 0.5f * (b[0] + b[2]) * (float)(h - 1);
            for (int64_t c = 0; c < cw; c++, out += channels) {
                const float at = cw > 1 ? b[1] * (float)(w - 1) + (float)c * sx : 0.5f * (b[1] + b[3]) * (float)(w - 1);
                if (!(y >= 0 && y <= (float)(h - 1) && at >= 0 && at <= (float)(w - 1))) {
                    for (int64_t k = 0; k < channels; k++) out[k] = outside;
                    continue;
                }
                if (nearest) {
                    const float *from = p + ((int64_t)roundf(y) * w + (int64_t)roundf(at)) * channels;
                    for (int64_t k = 0; k < channels; k++) out[k] = from[k];
                    continue;
                }
                const int64_t top = (int64_t)floorf(y), bottom = (int64_t)ceilf(y), left = (int64_t)floorf(at),
                              right = (int64_t)ceilf(at);
                const float dy = y - (float)top, dx = at - (float)left;
                for (int64_t k = 0; k < channels; k++) {
                    const float tl = p[(top * w + left) * channels + k], tr = p[(top * w + right) * channels + k];
                    const float bl = p[(bottom * w + left) * channels + k], br = p[(bottom * w + right) * channels + k];
                    const float t = tl + (tr - tl) * dx, u = bl + (br - bl) * dx;
                    out[k] = t + (u - t) * dy;
                }
            }
        }
    }
    return TFOPT_OK;
}
