/* Ops on uniformly quantised tensors: requantisation, sums, clipping and matrix products. Sums of products are exact in
   32 bits; one fixed-point multiplication takes them to the levels of the result. */
#include "hostops/uniform.h"
#include "hostops/broadcast.h"
#include <math.h>
#include <string.h>

bool tfopt_quantum_input(TfoptHostCall *call, int32_t at, TfoptQuantum *out) {
    if (at + 1 >= call->n_inputs || call->inputs[at].dtype != TFOPT_F32 || call->inputs[at + 1].dtype != TFOPT_S32 ||
        !tfopt_same_dims(&call->inputs[at], &call->inputs[at + 1]) || call->inputs[at].rank > 1) {
        tfopt_invalid(call, "scales and zero points must be scalars or vectors of one length");
        return false;
    }
    const TfoptTensor *scales = &call->inputs[at];
    *out = (TfoptQuantum){scales->data, call->inputs[at + 1].data, tfopt_elements(scales), scales->rank == 1};
    for (int64_t i = 0; i < out->n; i++) {
        if (out->scales[i] > 0 && isfinite(out->scales[i])) continue;
        tfopt_invalid(call, "scales must be positive");
        return false;
    }
    return true;
}

TfoptFixed tfopt_fixed(double real) {
    TfoptFixed f;
    f.multiplier = (int64_t)round(frexp(real, &f.shift) * 0x1p31);
    if (f.multiplier == INT64_C(1) << 31) {
        f.multiplier /= 2;
        f.shift++;
    }
    if (f.shift < -31) f = (TfoptFixed){0, 0};
    if (f.shift > 30) f = (TfoptFixed){INT32_MAX, 30};
    return f;
}

static int32_t saturate(int64_t v) {
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

int32_t tfopt_fixed_times(TfoptFixed f, int64_t x) {
    const int shift = 31 - f.shift; /* 1..62; |x| < 2^32 and the multiplier under 2^31 leave room for the rounding */
    return saturate((x * f.multiplier + (INT64_C(1) << (shift - 1))) >> shift);
}

int64_t tfopt_clamped(const TfoptHostCall *call, const char *min, const char *max, int64_t v) {
    const int64_t low = tfopt_call_int(call, min, INT32_MIN), high = tfopt_call_int(call, max, INT32_MAX);
    if (v > high) v = high;
    return v < low ? low : v;
}

static int64_t clamp_output(const TfoptHostCall *call, int64_t v) {
    return tfopt_clamped(call, "output_quantization_min_val", "output_quantization_max_val", v);
}

/* The slice along `axis` that each element of a tensor lies in: (element / inner) % size; axis -1: all in slice 0. */
typedef struct {
    int64_t inner, size;
} Slices;

static bool slices_init(TfoptHostCall *call, const char *attr, const int64_t *dims, int32_t rank, const TfoptQuantum *q,
                        Slices *out) {
    const int64_t axis = tfopt_call_int(call, attr, -1);
    *out = (Slices){1, 1};
    if (axis < -1 || axis >= rank || (axis == -1) == q->per_slice || (axis >= 0 && q->n != dims[axis])) {
        tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "%s does not fit the shapes of scales and zero points", attr);
        return false;
    }
    if (axis >= 0) *out = (Slices){tfopt_dims_product(dims, (int32_t)axis + 1, rank), dims[axis]};
    return true;
}

static int64_t slice_of(Slices s, int64_t i) {
    return i / s.inner % s.size;
}

/* Fixed-point ratios of two quanta, for each slice of whichever has slices. */
static TfoptFixed *ratios(TfoptHostCall *call, const TfoptQuantum *from, const TfoptQuantum *to) {
    const int64_t n = from->per_slice ? from->n : to->n;
    if (from->per_slice && to->per_slice && from->n != to->n) return NULL;
    TfoptFixed *f = tfopt_call_alloc(call, n + 1, sizeof *f);
    for (int64_t i = 0; f && i < n; i++)
        f[i] = tfopt_fixed((double)tfopt_scale_at(from, i) / (double)tfopt_scale_at(to, i));
    return f;
}

/* TensorFlow takes 32-bit levels through f32: they lose their last bits, and those that round up to 2^31 wrap. */
static int32_t through_single(int64_t v) {
    const int64_t rounded = (int64_t)(float)v;
    return rounded > INT32_MAX ? INT32_MIN : (int32_t)rounded;
}

/* Element i less its zero point. */
static int64_t level_at(const TfoptTensor *x, int64_t i, int32_t zero) {
    const int32_t v = through_single(tfopt_int_at(x, i));
    return (int32_t)((uint32_t)v - (uint32_t)zero);
}

/* The sum of a product and a zero point wraps, before it is clamped. */
int32_t tfopt_add_zero(int32_t product, int32_t zero) {
    return (int32_t)((uint32_t)product + (uint32_t)zero);
}

/* (input, scales, zero points, scales and zero points of the result) */
int32_t tfopt_host_uniform_requantize(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    TfoptQuantum from, to;
    Slices a, b;
    if (!tfopt_quantum_input(call, 1, &from) || !tfopt_quantum_input(call, 3, &to) ||
        !slices_init(call, "input_quantization_axis", x->dims, x->rank, &from, &a) ||
        !slices_init(call, "output_quantization_axis", x->dims, x->rank, &to, &b))
        return TFOPT_INVALID_ARGUMENT;
    if (from.per_slice && to.per_slice && a.inner != b.inner) return tfopt_invalid(call, "the two axes differ");
    const Slices either = from.per_slice ? a : b;
    const TfoptFixed *ratio = ratios(call, &from, &to);
    if (!ratio || !tfopt_output_like(call, 0, x)) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(x); i < n; i++) {
        const int64_t k = slice_of(either, i);
        const int64_t level = level_at(x, i, tfopt_zero_at(&from, k));
        tfopt_set_int(&call->outputs[0], i,
                      clamp_output(call, tfopt_add_zero(tfopt_fixed_times(ratio[k], level), tfopt_zero_at(&to, k))));
    }
    return TFOPT_OK;
}

/* One operand of a sum in the quantum of the result, without its zero point. */
static int64_t *addend(TfoptHostCall *call, int32_t input, const TfoptQuantum *from, const TfoptQuantum *to,
                       const char *axis) {
    const TfoptTensor *x = &call->inputs[input];
    Slices s;
    if (!slices_init(call, axis, x->dims, x->rank, from, &s)) return NULL;
    if (!from->per_slice && to->per_slice) { /* an operand of lower rank has the result's axis counted from the end */
        const int64_t at = tfopt_call_int(call, "output_quantization_axis", -1) - (call->outputs[0].rank - x->rank);
        if (at >= 0 && x->dims[at] == to->n)
            s = (Slices){tfopt_dims_product(x->dims, (int32_t)at + 1, x->rank), to->n};
        else if (to->n > 1) {
            tfopt_invalid(call, "an operand broadcasts along the axis of the result's scales");
            return NULL;
        }
    }
    const TfoptFixed *ratio = ratios(call, from, to);
    const int64_t n = tfopt_elements(x);
    int64_t *out = tfopt_call_alloc(call, n + 1, sizeof *out);
    if (!ratio || !out) {
        tfopt_no_memory(call);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = slice_of(s, i);
        out[i] = through_single(tfopt_fixed_times(ratio[k], level_at(x, i, tfopt_zero_at(from, k))));
    }
    return out;
}

/* (a, b, scales and zero points of a, of b, of the result) */
int32_t tfopt_host_uniform_add(TfoptHostCall *call) {
    TfoptQuantum a, b, to;
    TfoptBroadcast shape;
    Slices s;
    if (!tfopt_quantum_input(call, 2, &a) || !tfopt_quantum_input(call, 4, &b) || !tfopt_quantum_input(call, 6, &to))
        return TFOPT_INVALID_ARGUMENT;
    if (!tfopt_broadcast_init(&shape, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    if (!slices_init(call, "output_quantization_axis", shape.dims, shape.rank, &to, &s)) return TFOPT_INVALID_ARGUMENT;
    int32_t *out = tfopt_host_output(call, 0, shape.rank, shape.dims);
    if (!out) return tfopt_no_memory(call);
    const int64_t *x = addend(call, 0, &a, &to, "lhs_quantization_axis");
    const int64_t *y = x ? addend(call, 1, &b, &to, "rhs_quantization_axis") : NULL;
    if (!y) return TFOPT_INVALID_ARGUMENT;
    for (int64_t i = 0; i < shape.count; i++, tfopt_broadcast_next(&shape)) {
        const int64_t sum = x[shape.at[0]] + y[shape.at[1]] + tfopt_zero_at(&to, slice_of(s, i));
        out[i] = (int32_t)clamp_output(call, (int32_t)(uint32_t)sum);
    }
    return TFOPT_OK;
}

/* (x, min, max, scales, zero points): min and max are levels, one of each or one for each slice. */
int32_t tfopt_host_uniform_clip(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *min = &call->inputs[1], *max = &call->inputs[2];
    TfoptQuantum q;
    Slices s;
    if (!tfopt_quantum_input(call, 3, &q) || !slices_init(call, "quantization_axis", x->dims, x->rank, &q, &s))
        return TFOPT_INVALID_ARGUMENT;
    if (!tfopt_same_dims(min, &call->inputs[3]) || !tfopt_same_dims(max, &call->inputs[3]))
        return tfopt_invalid(call, "min and max must have the shape of the scales");
    if (!tfopt_output_like(call, 0, x)) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(x); i < n; i++) {
        const int64_t k = slice_of(s, i), low = tfopt_int_at(min, k), high = tfopt_int_at(max, k);
        int64_t v = tfopt_int_at(x, i);
        v = v < low ? low : v;
        tfopt_set_int(&call->outputs[0], i, v > high ? high : v);
    }
    return TFOPT_OK;
}

/* ---- matrix products */

static bool is_product(const TfoptTensor *a, const TfoptTensor *b) {
    return a->rank == 2 && b->rank == 2 && a->dims[1] == b->dims[0];
}

/* (a, b, scales and zero points of a, of b, of the result) */
int32_t tfopt_host_uniform_dot(TfoptHostCall *call) {
    const TfoptTensor *a = &call->inputs[0], *b = &call->inputs[1];
    TfoptQuantum left, right, to;
    if (!tfopt_quantum_input(call, 2, &left) || !tfopt_quantum_input(call, 4, &right) ||
        !tfopt_quantum_input(call, 6, &to))
        return TFOPT_INVALID_ARGUMENT;
    if (!is_product(a, b)) return tfopt_invalid(call, "operands must be matrices that fit");
    const int64_t rows = a->dims[0], columns = b->dims[1], depth = a->dims[1], dims[2] = {rows, columns};
    if (left.per_slice || (right.per_slice && right.n != columns) || (to.per_slice && to.n != columns))
        return tfopt_invalid(call, "scales must be one, or one for each column");
    const int8_t *x = a->data, *y = b->data;
    if (!tfopt_host_output(call, 0, 2, dims)) return tfopt_no_memory(call);
    for (int64_t c = 0; c < columns; c++) {
        const TfoptFixed f =
            tfopt_fixed((double)left.scales[0] * (double)tfopt_scale_at(&right, c) / (double)tfopt_scale_at(&to, c));
        const int32_t zero = tfopt_zero_at(&right, c);
        for (int64_t r = 0; r < rows; r++) {
            uint32_t sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += ((uint32_t)x[r * depth + k] - (uint32_t)left.zeros[0]) *
                       ((uint32_t)y[k * columns + c] - (uint32_t)zero);
            tfopt_set_int(
                &call->outputs[0], r * columns + c,
                clamp_output(call, tfopt_add_zero(tfopt_fixed_times(f, (int32_t)sum), tfopt_zero_at(&to, c))));
        }
    }
    return TFOPT_OK;
}

void tfopt_quantize_row(const float *x, int64_t n, int8_t *levels, float *scale, int32_t *zero) {
    double low = 0, high = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)x[i]; /* not fmin and fmax: gcc 12 for aarch64 fails on their reduction */
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    *scale = 1;
    *zero = 0;
    if (low == high || !isfinite(high - low)) {
        memset(levels, 0, (size_t)n);
        return;
    }
    *scale = (float)((high - low) / 255);
    const double step = (double)*scale; /* the zero point by the scale as it was rounded, levels by one of their own */
    const double from_low = -128 - low / step, from_high = 127 - high / step;
    const double error_low = 128 + fabs(low / step), error_high = 127 + fabs(high / step);
    const double at = error_low < error_high ? from_low : from_high;
    *zero = at <= -128 ? -128 : at >= 127 ? 127 : (int32_t)round(at);
    const float inverse = (float)(255 / (high - low));
    for (int64_t i = 0; i < n; i++) {
        const float level = floorf(x[i] * inverse + 0.5f) + (float)*zero;
        levels[i] = (int8_t)(level < -128 ? -128 : level > 127 ? 127 : level);
    }
}

/* (a in f32, b in levels, scales and zero points of b): each row of a is quantised by itself. */
int32_t tfopt_host_uniform_dot_hybrid(TfoptHostCall *call) {
    const TfoptTensor *a = &call->inputs[0], *b = &call->inputs[1];
    TfoptQuantum right;
    if (!tfopt_quantum_input(call, 2, &right)) return TFOPT_INVALID_ARGUMENT;
    if (!is_product(a, b) || a->dtype != TFOPT_F32) return tfopt_invalid(call, "operands must be matrices that fit");
    const int64_t rows = a->dims[0], columns = b->dims[1], depth = a->dims[1], dims[2] = {rows, columns};
    if (right.per_slice && right.n != columns) return tfopt_invalid(call, "scales must be one, or one for each column");
    float *out = tfopt_host_output(call, 0, 2, dims);
    int8_t *levels = tfopt_call_alloc(call, depth + 1, 1);
    if (!out || !levels) return tfopt_no_memory(call);
    const int8_t *y = b->data;
    for (int64_t r = 0; r < rows; r++) {
        float scale;
        int32_t zero;
        tfopt_quantize_row((const float *)a->data + r * depth, depth, levels, &scale, &zero);
        for (int64_t c = 0; c < columns; c++) {
            uint32_t sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += ((uint32_t)levels[k] - (uint32_t)zero) *
                       ((uint32_t)y[k * columns + c] - (uint32_t)tfopt_zero_at(&right, c));
            out[r * columns + c] = (float)(int32_t)sum * scale * tfopt_scale_at(&right, c);
        }
    }
    return TFOPT_OK;
}
