/* Legacy quantised ops on 8- and 32-bit levels: sums, concatenation, normalisation, and ranges per channel. All follow
   TensorFlow's kernels operation by operation, since a level is a rounded number: other orders give other levels. */
#include "hostops/quantized.h"
#include "hostops/broadcast.h"
#include <float.h>
#include <math.h>
#include <string.h>

TfoptLevels tfopt_levels(int32_t dtype, float min, float max) {
    const int bits = 8 * (int)tfopt_dtype_bytes(dtype);
    const bool has_sign = dtype == TFOPT_S8 || dtype == TFOPT_S16 || dtype == TFOPT_S32;
    const double lowest = has_sign ? -ldexp(1, bits - 1) : 0;
    return (TfoptLevels){min, max, lowest, lowest + ldexp(1, bits) - 1};
}

bool tfopt_levels_input(TfoptHostCall *call, int32_t at, int32_t dtype, TfoptLevels *out) {
    for (int32_t i = at; i < at + 2; i++) {
        if (i >= call->n_inputs || tfopt_elements(&call->inputs[i]) < 1 || call->inputs[i].dtype != TFOPT_F32) {
            tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "input %d must be a bound of a range", (int)i);
            return false;
        }
    }
    *out = tfopt_levels(dtype, *(const float *)call->inputs[at].data, *(const float *)call->inputs[at + 1].data);
    return true;
}

/* Reals per level, in double: the range widened by one level, over their number. */
static double wide_range(const TfoptLevels *l) {
    const double steps = l->highest - l->lowest + 1;
    return (double)(l->max - l->min) * (steps / (steps - 1));
}

/* double to integer where it may lie outside: saturated. */
static int64_t to_int(double v) {
    if (isnan(v)) return 0;
    return v >= 0x1p62 ? INT64_C(1) << 62 : v <= -0x1p62 ? -(INT64_C(1) << 62) : (int64_t)v;
}

float tfopt_level_to_real(const TfoptLevels *l, int64_t level) {
    if (l->min == l->max) return l->min;
    const double scale = wide_range(l) / (l->highest - l->lowest + 1);
    const double first = (double)(roundf(l->min / (float)scale) * (float)scale);
    return (float)(first + ((double)level - l->lowest) * scale);
}

int64_t tfopt_real_to_level_unclamped(const TfoptLevels *l, float real) {
    if (l->min == l->max) return (int64_t)l->lowest;
    const double scale = (l->highest - l->lowest + 1) / wide_range(l);
    return to_int(round((double)real * scale) - round((double)l->min * scale)) + (int64_t)l->lowest;
}

static int64_t clamp_level(const TfoptLevels *l, int64_t level) {
    if (level < (int64_t)l->lowest) return (int64_t)l->lowest;
    return level > (int64_t)l->highest ? (int64_t)l->highest : level;
}

int64_t tfopt_real_to_level(const TfoptLevels *l, float real) {
    return clamp_level(l, tfopt_real_to_level_unclamped(l, real));
}

float tfopt_level_to_real_single(const TfoptLevels *l, int64_t level) {
    const float scale = (float)((double)(l->max - l->min) / (l->highest - l->lowest));
    const float first = l->max == l->min ? l->min : roundf(l->min / scale) * scale;
    return (first - (float)l->lowest * scale) + (float)level * scale;
}

int64_t tfopt_real_to_level_single(const TfoptLevels *l, float real) {
    const float scale = l->max == l->min ? 0 : (float)((l->highest - l->lowest) / (double)(l->max - l->min));
    const float first = roundf(l->min * scale);
    /* 2^31 - 1 is no f32: the largest one below it bounds 32-bit levels */
    const float low = (float)l->lowest, high = l->highest > 0x1p24 ? 2147483520.0f : (float)l->highest;
    float level = roundf(real * scale) - (first - low);
    if (!(level >= low)) level = low;
    return (int64_t)(level > high ? high : level);
}

int32_t tfopt_give_range(TfoptHostCall *call, int32_t at, float min, float max) {
    float *low = tfopt_output_scalar(call, at), *high = tfopt_output_scalar(call, at + 1);
    if (!low || !high) return tfopt_no_memory(call);
    *low = min;
    *high = max;
    return TFOPT_OK;
}

/* ---- sums */

static int32_t wrap_add(int64_t a, int64_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* (input, bias, min, max of the input, min, max of the bias) */
int32_t tfopt_host_quantized_bias_add(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *bias = &call->inputs[1];
    TfoptLevels in, add;
    if (!tfopt_levels_input(call, 2, x->dtype, &in) || !tfopt_levels_input(call, 4, bias->dtype, &add))
        return TFOPT_INVALID_ARGUMENT;
    if (x->rank < 2 || bias->rank != 1 || bias->dims[0] != x->dims[x->rank - 1])
        return tfopt_invalid(call, "needs as many biases as the last dimension of its input has");
    const float bound = fmaxf(in.max, fmaxf(-in.min, fmaxf(add.max, -add.min))) * 131072;
    const TfoptLevels sum = tfopt_levels(TFOPT_S32, -bound, bound);
    int32_t *out = tfopt_output_like(call, 0, x);
    if (!out) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(x), width = bias->dims[0], zero = tfopt_real_to_level(&sum, 0);
    for (int64_t i = 0; i < n; i++) {
        const int64_t a = tfopt_real_to_level_single(&sum, tfopt_level_to_real_single(&in, tfopt_int_at(x, i)));
        const int64_t b =
            tfopt_real_to_level_single(&sum, tfopt_level_to_real_single(&add, tfopt_int_at(bias, i % width)));
        out[i] = wrap_add(a, wrap_add(b, zero));
    }
    return tfopt_give_range(call, 1, -bound, bound);
}

/* How many groups of dims the two shapes broadcast in, as far as TensorFlow's kernel cares; -1 where they do not. */
static int broadcast_groups(const TfoptTensor *x, const TfoptTensor *y) {
    enum { NONE, SAME, X_ONE, Y_ONE };
    int groups = 0, last = NONE;
    const int32_t rank = x->rank > y->rank ? x->rank : y->rank;
    for (int32_t i = 0; i < rank; i++) {
        const int64_t a = i < x->rank ? x->dims[x->rank - 1 - i] : 1, b = i < y->rank ? y->dims[y->rank - 1 - i] : 1;
        const int kind = a == b ? SAME : a == 1 ? X_ONE : b == 1 ? Y_ONE : NONE;
        if (kind == NONE) return -1;
        if (a == 1 && b == 1) continue;
        groups += kind != last;
        last = kind;
    }
    return groups;
}

/* One operand of QuantizedAdd in the range of the sum: level 0 and the step between levels there, so that the product
   of a level and the step, not the level's own real, is what is added. */
typedef struct {
    const TfoptTensor *t;
    TfoptLevels levels;
    int64_t zero, step, count;
} Addend;

static void addend_init(Addend *a, const TfoptLevels *sum) {
    a->count = tfopt_elements(a->t);
    a->zero = tfopt_real_to_level_unclamped(sum, tfopt_level_to_real(&a->levels, 0));
    a->step = (int32_t)(tfopt_real_to_level_unclamped(sum, tfopt_level_to_real(&a->levels, 1)) - a->zero);
}

static int64_t addend_at(const Addend *a, const TfoptLevels *sum, int64_t i) {
    return clamp_level(sum, a->zero + tfopt_int_at(a->t, i) * a->step);
}

/* (x, y, min, max of x, min, max of y) */
int32_t tfopt_host_quantized_add(TfoptHostCall *call) {
    Addend x = {.t = &call->inputs[0]}, y = {.t = &call->inputs[1]};
    if (!tfopt_levels_input(call, 2, x.t->dtype, &x.levels) || !tfopt_levels_input(call, 4, y.t->dtype, &y.levels))
        return TFOPT_INVALID_ARGUMENT;
    if (!(x.levels.max > x.levels.min) || !(y.levels.max > y.levels.min))
        return tfopt_invalid(call, "a range is empty: its maximum must be larger than its minimum");
    const float bound =
        fmaxf(fabsf(fminf(x.levels.min, y.levels.min)), fabsf(fmaxf(x.levels.max, y.levels.max))) * 16384;
    const TfoptLevels sum = tfopt_levels(TFOPT_S32, -bound, bound);
    addend_init(&x, &sum);
    addend_init(&y, &sum);
    TfoptBroadcast b;
    const int groups = broadcast_groups(x.t, y.t);
    if (groups < 0 || !tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    /* the smaller one is repeated: no other broadcast has an answer in TensorFlow */
    if (groups > 2 || (b.count != x.count && b.count != y.count && b.count > 0))
        return tfopt_invalid(call, "only scalars and leading dimensions broadcast");
    int32_t *out = tfopt_host_output(call, 0, b.rank, b.dims);
    if (!out) return tfopt_no_memory(call);
    const Addend *scalar = groups > 1 ? NULL : x.count == 1 ? &x : y.count == 1 ? &y : NULL;
    const Addend *other = scalar == &x ? &y : &x;
    if (scalar) {
        const int64_t v = tfopt_real_to_level(&sum, tfopt_level_to_real(&scalar->levels, tfopt_int_at(scalar->t, 0)));
        for (int64_t i = 0; i < b.count; i++) out[i] = wrap_add(addend_at(other, &sum, i), v);
    } else {
        for (int64_t i = 0; i < b.count; i++)
            out[i] = wrap_add(addend_at(&x, &sum, i % x.count), addend_at(&y, &sum, i % y.count));
    }
    return tfopt_give_range(call, 1, -bound, bound);
}

/* ---- (axis, values…, minima…, maxima…) */
int32_t tfopt_host_quantized_concat(TfoptHostCall *call) {
    const int32_t n = (call->n_inputs - 1) / 3;
    if (n < 1 || call->n_inputs != 3 * n + 1)
        return tfopt_invalid(call, "needs a minimum and a maximum for each value");
    const TfoptTensor *values = call->inputs + 1, *minima = values + n, *maxima = minima + n;
    const int64_t axis = tfopt_int_at(&call->inputs[0], 0);
    if (axis < 0 || axis >= values->rank) return tfopt_invalid(call, "axis is out of range");
    float low = FLT_MAX, high = -FLT_MAX;
    int64_t dims[TFOPT_MAX_RANK], joined = 0;
    for (int32_t i = 0; i < n; i++) {
        if (tfopt_elements(&minima[i]) < 1 || tfopt_elements(&maxima[i]) < 1)
            return tfopt_invalid(call, "a bound is missing");
        low = fminf(low, *(const float *)minima[i].data);
        high = fmaxf(high, *(const float *)maxima[i].data);
        if (values[i].rank != values->rank) return tfopt_invalid(call, "ranks differ");
        for (int32_t k = 0; k < values->rank; k++) {
            if (k != axis && values[i].dims[k] != values->dims[k]) return tfopt_invalid(call, "shapes do not fit");
        }
        joined += values[i].dims[axis];
    }
    if (values->dtype == TFOPT_S32) { /* signed levels: a range around zero */
        high = fmaxf(fabsf(low), fabsf(high));
        low = -high;
    }
    memcpy(dims, values->dims, sizeof dims);
    dims[axis] = joined;
    if (!tfopt_host_output(call, 0, values->rank, dims)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const TfoptLevels to = tfopt_levels(out->dtype, low, high);
    const int64_t rows = tfopt_dims_product(dims, 0, (int32_t)axis);
    const int64_t inner = tfopt_dims_product(dims, (int32_t)axis + 1, values->rank);
    int64_t column = 0;
    for (int32_t i = 0; i < n; i++) {
        const TfoptLevels from =
            tfopt_levels(values[i].dtype, *(const float *)minima[i].data, *(const float *)maxima[i].data);
        const bool same = from.min == low && from.max == high;
        const int64_t width = values[i].dims[axis] * inner;
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t k = 0; k < width; k++) {
                const int64_t level = tfopt_int_at(&values[i], r * width + k);
                tfopt_set_int(out, r * joined * inner + column + k,
                              same ? level : tfopt_real_to_level_single(&to, tfopt_level_to_real_single(&from, level)));
            }
        }
        column += width;
    }
    return tfopt_give_range(call, 1, low, high);
}

/* ---- normalisation */

/* (x, min, max): each image and channel to mean 0 and variance 1. */
int32_t tfopt_host_quantized_instance_norm(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    TfoptLevels in;
    if (!tfopt_levels_input(call, 1, x->dtype, &in)) return TFOPT_INVALID_ARGUMENT;
    if (x->rank != 4 || x->dtype != TFOPT_U8) return tfopt_invalid(call, "input must be 8-bit levels of rank 4");
    if (!(in.min < in.max)) return tfopt_invalid(call, "x_min must be less than x_max");
    const int64_t pixels = x->dims[1] * x->dims[2], channels = x->dims[3], n = tfopt_elements(x);
    const float scale = (in.max - in.min) / 255.0f, epsilon = (float)tfopt_call_float(call, "variance_epsilon", 1e-5);
    uint8_t *out = tfopt_output_like(call, 0, x);
    float *mean = tfopt_call_alloc(call, channels + 1, sizeof *mean),
          *inverse = tfopt_call_alloc(call, channels + 1, sizeof *inverse),
          *normal = tfopt_call_alloc(call, n + 1, sizeof *normal);
    if (!out || !mean || !inverse || !normal) return tfopt_no_memory(call);
    const uint8_t *levels = x->data;
    float low = FLT_MAX, high = -FLT_MAX;
    for (int64_t image = 0; image < x->dims[0] && n > 0; image++) {
        const uint8_t *from = levels + image * pixels * channels;
        float *to = normal + image * pixels * channels;
        memset(mean, 0, (size_t)channels * sizeof *mean);
        memset(inverse, 0, (size_t)channels * sizeof *inverse);
        for (int64_t i = 0; i < pixels * channels; i++) mean[i % channels] += (float)from[i];
        for (int64_t k = 0; k < channels; k++) mean[k] /= (float)pixels;
        for (int64_t i = 0; i < pixels * channels; i++) {
            to[i] = scale * ((float)from[i] - mean[i % channels]);
            inverse[i % channels] += to[i] * to[i];
        }
        for (int64_t k = 0; k < channels; k++) inverse[k] = 1 / sqrtf(inverse[k] / (float)pixels + epsilon);
        for (int64_t i = 0; i < pixels * channels; i++) {
            to[i] *= inverse[i % channels];
            low = fminf(low, to[i]);
            high = fmaxf(high, to[i]);
        }
    }
    if (tfopt_call_int(call, "output_range_given", 0)) {
        low = (float)tfopt_call_float(call, "given_y_min", 0);
        high = (float)tfopt_call_float(call, "given_y_max", 0);
        if (!(low < high)) return tfopt_invalid(call, "given_y_min must be less than given_y_max");
    }
    const float separation = (float)tfopt_call_float(call, "min_separation", 1e-3);
    if (high - low < separation) high = low + separation;
    const TfoptLevels to = tfopt_levels(TFOPT_U8, low, high);
    for (int64_t i = 0; i < n; i++) out[i] = (uint8_t)tfopt_real_to_level_single(&to, normal[i]);
    return tfopt_give_range(call, 1, low, high);
}

/* (t, mean, variance, beta, gamma, each with its range), in fixed point of ten bits */
int32_t tfopt_host_quantized_batch_norm(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    TfoptLevels in[5];
    const bool scaled = tfopt_call_int(call, "scale_after_normalization", 0) != 0;
    const float epsilon = (float)tfopt_call_float(call, "variance_epsilon", 0);
    if (x->rank != 4) return tfopt_invalid(call, "input must have 4 dimensions");
    const int64_t channels = x->dims[3], n = tfopt_elements(x);
    for (int32_t i = 0; i < 5; i++) {
        const TfoptTensor *t = &call->inputs[3 * i];
        if (!tfopt_levels_input(call, 3 * i + 1, t->dtype, &in[i])) return TFOPT_INVALID_ARGUMENT;
        if (i > 0 && (t->rank != 1 || t->dims[0] != channels))
            return tfopt_invalid(call, "mean, variance, beta and gamma must have one number for each channel");
    }
    const TfoptLevels to = tfopt_levels(TFOPT_S32, -1048576, 1048576);
    const int64_t one = tfopt_real_to_level(&to, 1);
    int32_t *out = tfopt_output_like(call, 0, x);
    int64_t *scale = tfopt_call_alloc(call, channels + 1, sizeof *scale),
            *offset = tfopt_call_alloc(call, channels + 1, sizeof *offset);
    if (!out || !scale || !offset) return tfopt_no_memory(call);
    for (int64_t k = 0; k < channels; k++) {
        float v[5] = {0};
        for (int i = 1; i < 5; i++) v[i] = tfopt_level_to_real(&in[i], tfopt_int_at(&call->inputs[3 * i], k));
        float s = 1.0f / sqrtf(v[2] + epsilon);
        if (scaled) s *= v[4];
        scale[k] = tfopt_real_to_level(&to, s);
        offset[k] = tfopt_real_to_level(&to, -v[1] * s + v[3]);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t level = tfopt_real_to_level(&to, tfopt_level_to_real(&in[0], tfopt_int_at(x, i)));
        const int32_t product = (int32_t)((uint32_t)level * (uint32_t)scale[i % channels]);
        out[i] = wrap_add(product / one, offset[i % channels]);
    }
    return tfopt_give_range(call, 1, to.min, to.max);
}

/* ---- ranges per channel */

/* (x, minima, maxima) of s32 levels -> the range that is used */
int32_t tfopt_host_requantization_range_per_channel(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *minima = &call->inputs[1], *maxima = &call->inputs[2];
    const int64_t channels = tfopt_elements(maxima), n = tfopt_elements(x);
    if (x->rank < 1 || channels < 1 || x->dims[x->rank - 1] != channels || tfopt_elements(minima) != channels)
        return tfopt_invalid(call, "needs a range for each channel");
    const float clip = (float)tfopt_call_float(call, "clip_value_max", FLT_MAX);
    int64_t *largest = tfopt_call_zeroed(call, channels, sizeof *largest);
    if (!largest) return tfopt_no_memory(call);
    bool negative = false;
    for (int64_t i = 0; i < n; i++) {
        const int64_t v = tfopt_int_at(x, i), size = v < 0 ? -v : v;
        negative = negative || v < 0;
        if (size > largest[i % channels]) largest[i % channels] = size;
    }
    float bound = 0;
    for (int64_t k = 0; k < channels; k++) {
        const float range = fmaxf(fabsf((float)tfopt_real_at(minima, k)), fabsf((float)tfopt_real_at(maxima, k)));
        bound = fmaxf(bound, range * (float)largest[k] / 0x1p31f);
    }
    const float max = fminf(bound, clip);
    return tfopt_give_range(call, 0, negative ? fmaxf(-bound, -clip) : 0, max);
}

/* (x, minima, maxima, requested minimum, maximum) */
int32_t tfopt_host_requantize_per_channel(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *minima = &call->inputs[1], *maxima = &call->inputs[2];
    const int64_t channels = tfopt_elements(maxima), n = tfopt_elements(x);
    TfoptLevels to;
    if (!tfopt_levels_input(call, 3, call->outputs[0].dtype, &to)) return TFOPT_INVALID_ARGUMENT;
    if (x->rank < 1 || channels < 1 || x->dims[x->rank - 1] != channels || tfopt_elements(minima) != channels)
        return tfopt_invalid(call, "needs a range for each channel");
    if (!tfopt_output_like(call, 0, x)) return tfopt_no_memory(call);
    const float requested = fmaxf(fabsf(to.min), fabsf(to.max));
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = i % channels;
        const float range = fmaxf(fabsf((float)tfopt_real_at(minima, k)), fabsf((float)tfopt_real_at(maxima, k)));
        const float scale = (float)to.highest * (range / requested / 0x1p31f);
        float level = rintf((float)tfopt_int_at(x, i) * scale);
        if (!(level >= (float)to.lowest)) level = (float)to.lowest;
        tfopt_set_int(&call->outputs[0], i, (int64_t)(level > (float)to.highest ? (float)to.highest : level));
    }
    return tfopt_give_range(call, 1, to.min, to.max);
}
