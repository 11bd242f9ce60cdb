/* Images moved: ScaleAndTranslate with its sampling kernels and its gradient, ImageProjectiveTransform with its ways to
 * fill. */
#include "hostops/host.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const float PI = 3.14159265358979323846f;

/* ---- sampling kernels */
typedef float KernelFn(float x, float radius);

static float lanczos(float x, float radius) {
    if (x > radius) return 0;
    if (x <= 1e-3f) return 1;
    return radius * sinf(PI * x) * sinf(PI * x / radius) / (PI * PI * x * x);
}
static float gaussian(float x, float radius) {
    const float sigma = radius / 3.0f;
    return x >= radius ? 0 : expf(-x * x / (2.0f * sigma * sigma));
}
static float box(float x, float radius) {
    (void)radius;
    return x < 0.5f ? 1.0f : x == 0.5f ? 0.5f : 0.0f;
}
static float triangle(float x, float radius) {
    return x < radius ? 1.0f - x : 0.0f;
}
static float keys_cubic(float x, float radius) {
    if (x >= radius) return 0;
    return x >= 1 ? ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f : ((1.5f * x - 2.5f) * x) * x + 1.0f;
}
static float mitchell_cubic(float x, float radius) {
    if (x >= radius) return 0;
    return x >= 1 ? (((-7.0f / 18.0f) * x + 2.0f) * x - 10.0f / 3.0f) * x + 16.0f / 9.0f
                  : (((7.0f / 6.0f) * x - 2.0f) * x) * x + 8.0f / 9.0f;
}

typedef struct {
    const char *name;
    KernelFn *f;
    float radius;
} Kernel;
static const Kernel kernels[] = {{"lanczos1", lanczos, 1},
                                 {"lanczos3", lanczos, 3},
                                 {"lanczos5", lanczos, 5},
                                 {"gaussian", gaussian, 1.5f},
                                 {"box", box, 1},
                                 {"triangle", triangle, 1},
                                 {"keyscubic", keys_cubic, 2},
                                 {"mitchellcubic", mitchell_cubic, 2}};

/* Weights of the inputs [start, start + n) for one output. */
typedef struct {
    int64_t start, n;
    float *weights;
} Span;

static Span *make_spans(TfoptHostCall *call, const Kernel *k, int64_t out, int64_t in, float scale, float translate,
                        bool antialias) {
    const float inverse = 1.0f / scale, shift = -inverse * translate,
                kernel_scale = antialias && inverse > 1 ? inverse : 1.0f, reach = k->radius * kernel_scale;
    Span *spans = tfopt_call_zeroed(call, out + 1, sizeof *spans);
    for (int64_t i = 0; spans && i < out; i++) {
        const float at = ((float)i + 0.5f) * inverse + shift;
        if (!(at >= 0 && at <= (float)in)) continue; /* outside: nothing is sampled */
        int64_t first = (int64_t)ceilf(at - reach - 0.5f), last = (int64_t)floorf(at + reach - 0.5f);
        first = first < 0 ? 0 : first > in - 1 ? in - 1 : first;
        last = last < 0 ? 0 : last > in - 1 ? in - 1 : last;
        float *weights = tfopt_call_alloc(call, last - first + 1, sizeof *weights), sum = 0;
        if (!weights) return NULL;
        for (int64_t s = first; s <= last; s++)
            sum += weights[s - first] = k->f(fabsf(((float)s + 0.5f - at) / kernel_scale), k->radius);
        if (fabsf(sum) < 1000.0f * FLT_MIN) continue;
        for (int64_t s = first; s <= last; s++) weights[s - first] *= 1.0f / sum;
        spans[i] = (Span){first, last - first + 1, weights};
    }
    return spans;
}

/* What image rows and columns of sizes `in` weigh in those of sizes `out`. */
static int32_t make_all_spans(TfoptHostCall *call, const int64_t in[2], const int64_t out[2], Span *spans[2]) {
    const TfoptTensor *scale = &call->inputs[2], *translation = &call->inputs[3];
    const Kernel *kernel = NULL;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (tfopt_call_string_is(call, "kernel_type", kernels[i].name)) kernel = &kernels[i];
    }
    for (int k = 0; k < 2; k++) {
        const float factor = (float)tfopt_real_at(scale, k);
        if (!kernel || in[k] <= 0 || out[k] <= 0 || !(factor > 0))
            return tfopt_invalid(call, "kernel_type, size or scale out of range");
        spans[k] = make_spans(call, kernel, out[k], in[k], factor, (float)tfopt_real_at(translation, k),
                              tfopt_call_int(call, "antialias", 1) != 0);
        if (!spans[k]) return tfopt_no_memory(call);
    }
    return TFOPT_OK;
}

/* (images, size, scale, translation) */
int32_t tfopt_host_scale_and_translate(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != 4 || tfopt_elements(&call->inputs[1]) != 2 || tfopt_elements(&call->inputs[2]) != 2 ||
        tfopt_elements(&call->inputs[3]) != 2)
        return tfopt_invalid(call, "images must have 4 dimensions; size, scale and translation 2 elements");
    const int64_t h = t->dims[1], w = t->dims[2], channels = t->dims[3],
                  dims[4] = {t->dims[0], tfopt_int_at(&call->inputs[1], 0), tfopt_int_at(&call->inputs[1], 1),
                             channels};
    Span *spans[2];
    const int32_t status = make_all_spans(call, &t->dims[1], &dims[1], spans);
    if (status != TFOPT_OK) return status;
    const Span *rows = spans[0], *columns = spans[1];
    float *out = tfopt_host_output(call, 0, 4, dims), *line = tfopt_call_alloc(call, w * channels + 1, sizeof *line);
    const float *x = tfopt_as_f32(call, t);
    if (!out || !line || !x) return tfopt_no_memory(call);
    for (int64_t n = 0; n < dims[0]; n++, x += h * w * channels) {
        for (int64_t i = 0; i < dims[1]; i++) {
            memset(line, 0, (size_t)(w * channels) * sizeof *line);
            for (int64_t s = 0; s < rows[i].n; s++) {
                const float *from = x + (rows[i].start + s) * w * channels, weight = rows[i].weights[s];
                for (int64_t k = 0; k < w * channels; k++) line[k] += weight * from[k];
            }
            for (int64_t j = 0; j < dims[2]; j++, out += channels) {
                memset(out, 0, (size_t)channels * sizeof *out);
                for (int64_t s = 0; s < columns[j].n; s++) {
                    const float *from = line + (columns[j].start + s) * channels, weight = columns[j].weights[s];
                    for (int64_t k = 0; k < channels; k++) out[k] += weight * from[k];
                }
            }
        }
    }
    return TFOPT_OK;
}

/* (gradient, images, scale, translation): what each output took of an input goes back there. */
int32_t tfopt_host_scale_and_translate_gradient(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *images = &call->inputs[1];
    if (t->rank != 4 || images->rank != 4 || t->dims[0] != images->dims[0] || t->dims[3] != images->dims[3] ||
        tfopt_elements(&call->inputs[2]) != 2 || tfopt_elements(&call->inputs[3]) != 2)
        return tfopt_invalid(call, "gradient and images must fit; scale and translation have 2 elements");
    const int64_t h = images->dims[1], w = images->dims[2], channels = t->dims[3];
    Span *spans[2];
    const int32_t status = make_all_spans(call, &images->dims[1], &t->dims[1], spans);
    if (status != TFOPT_OK) return status;
    const Span *rows = spans[0], *columns = spans[1];
    float *out = tfopt_host_output(call, 0, 4, images->dims),
          *line = tfopt_call_alloc(call, w * channels + 1, sizeof *line);
    const float *gradient = tfopt_as_f32(call, t);
    if (!out || !line || !gradient) return tfopt_no_memory(call);
    memset(out, 0, (size_t)(t->dims[0] * h * w * channels) * sizeof *out);
    for (int64_t n = 0; n < t->dims[0]; n++, out += h * w * channels) {
        for (int64_t i = 0; i < t->dims[1]; i++) {
            memset(line, 0, (size_t)(w * channels) * sizeof *line);
            for (int64_t j = 0; j < t->dims[2]; j++, gradient += channels) {
                for (int64_t s = 0; s < columns[j].n; s++) {
                    float *to = line + (columns[j].start + s) * channels;
                    for (int64_t k = 0; k < channels; k++) to[k] += columns[j].weights[s] * gradient[k];
                }
            }
            for (int64_t s = 0; s < rows[i].n; s++) {
                float *to = out + (rows[i].start + s) * w * channels;
                for (int64_t k = 0; k < w * channels; k++) to[k] += rows[i].weights[s] * line[k];
            }
        }
    }
    return TFOPT_OK;
}

/* ---- projective transform */
typedef enum { FILL_CONSTANT, FILL_REFLECT, FILL_WRAP, FILL_NEAREST } FillMode;

static float clamp(float v, float high) {
    return v < 0 ? 0 : v > high ? high : v;
}

/* The coordinate inside [0, length) that stands for one outside. */
static float map_coordinate(float at, int64_t length, FillMode mode) {
    const float n = (float)length, twice = 2 * n, last = n - 1;
    if (mode == FILL_CONSTANT) return at;
    if (mode == FILL_REFLECT && length > 1) {
        if (at < 0) {
            if (at < twice) at = twice * (float)(int64_t)(-at / twice) + at;
            at = at < -n ? at + twice : -at - 1;
        } else if (at > last) {
            at -= twice * (float)(int64_t)(at / twice);
            if (at >= n) at = twice - at - 1;
        }
    } else if (mode == FILL_WRAP && length > 1) {
        if (at < 0)
            at += n * (float)((int64_t)(-at / last) + 1);
        else if (at > last)
            at -= n * (float)(int64_t)(at / last);
    } else if (length <= 1 && (at < 0 || at > last)) {
        at = 0;
    }
    return clamp(at, last);
}

/* (images, transforms, output_shape[, fill_value]) */
int32_t tfopt_host_image_projective_transform(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *transforms = &call->inputs[1], *size = &call->inputs[2];
    if (t->rank != 4 || transforms->rank != 2 || transforms->dims[1] != 8 ||
        (transforms->dims[0] != 1 && transforms->dims[0] != t->dims[0]) || tfopt_elements(size) != 2)
        return tfopt_invalid(call, "images must have 4 dimensions, transforms [n, 8], output_shape 2 elements");
    static const char *const modes[] = {"CONSTANT", "REFLECT", "WRAP", "NEAREST"};
    FillMode mode = FILL_CONSTANT;
    for (int i = 0; i < 4; i++) {
        if (tfopt_call_string_is(call, "fill_mode", modes[i])) mode = (FillMode)i;
    }
    const bool bilinear = tfopt_call_string_is(call, "interpolation", "BILINEAR");
    double fill = call->n_inputs > 3 ? tfopt_real_at(&call->inputs[3], 0) : 0;
    if (!tfopt_is_float_type(t->dtype)) fill = trunc(fill); /* a pixel like any other */
    const int64_t h = t->dims[1], w = t->dims[2], channels = t->dims[3],
                  dims[4] = {t->dims[0], tfopt_int_at(size, 0), tfopt_int_at(size, 1), channels};
    if (dims[1] <= 0 || dims[2] <= 0) return tfopt_invalid(call, "output_shape must be positive");
    if (!tfopt_host_output(call, 0, 4, dims)) return tfopt_no_memory(call);
    int64_t to = 0;
    for (int64_t cell = 0; cell < dims[0] * dims[1] * dims[2]; cell++) {
        const int64_t n = cell / dims[2] / dims[1];
        const float ox = (float)(cell % dims[2]), oy = (float)(cell / dims[2] % dims[1]);
        float m[8];
        for (int i = 0; i < 8; i++) m[i] = (float)tfopt_real_at(transforms, (transforms->dims[0] == 1 ? 0 : n) * 8 + i);
        const float projection = m[6] * ox + m[7] * oy + 1;
        const float x = projection == 0 ? -1e9f : map_coordinate((m[0] * ox + m[1] * oy + m[2]) / projection, w, mode);
        const float y = projection == 0 ? -1e9f : map_coordinate((m[3] * ox + m[4] * oy + m[5]) / projection, h, mode);
        for (int64_t k = 0; k < channels; k++, to++) {
            double v = 0;
            const float left = bilinear ? floorf(x) : roundf(x), top = bilinear ? floorf(y) : roundf(y);
            for (int corner = 0; corner < (bilinear ? 4 : 1); corner++) {
                const float cx = left + (float)(corner & 1), cy = top + (float)(corner >> 1);
                const float wx = corner & 1 ? x - left : left + 1 - x, wy = corner >> 1 ? y - top : top + 1 - y;
                const bool inside = cx >= 0 && cy >= 0 && cx < (float)w && cy < (float)h;
                const double value =
                    inside ? tfopt_real_at(t, ((n * h + (int64_t)cy) * w + (int64_t)cx) * channels + k) : fill;
                v += bilinear ? value * (double)(wx * wy) : value;
            }
            tfopt_set_real(&call->outputs[0], to, v);
        }
    }
    return TFOPT_OK;
}
