/* Complex numbers: the ops of TensorFlow that the compiler's real scalar ops carry no further, under their TensorFlow
   names. Computed in double complex, rounded once. Add and the comparisons take strings as well, since their rows are
   shared. */
#include "hostops/complex.h"
#include "hostops/broadcast.h"
#include <math.h>
#include <string.h>

static bool is_numeric(const TfoptTensor *t) {
    return t->dtype != TFOPT_STRING && t->dtype != TFOPT_RESOURCE && t->dtype != TFOPT_VARIANT;
}

/* ---- one operand */
static int32_t unary(TfoptHostCall *call, TfoptComplex (*f)(TfoptComplex)) {
    const TfoptTensor *t = &call->inputs[0];
    if (!is_numeric(t)) return tfopt_invalid(call, "a number is needed");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0; i < n; i++) tfopt_set_complex(&call->outputs[0], i, f(tfopt_complex_at(t, i)));
    return TFOPT_OK;
}

static TfoptComplex complex_expm1(TfoptComplex x) {
    const double a = creal(x), b = cimag(x), s = sin(b / 2);
    return CMPLX(expm1(a) * cos(b) - 2 * s * s, exp(a) * sin(b));
}

static TfoptComplex complex_log1p(TfoptComplex x) {
    const double a = creal(x), b = cimag(x);
    if (a == -1 && b == 0) return CMPLX(-INFINITY, NAN);
    return CMPLX(0.5 * log1p(a * (2 + a) + b * b), atan2(b, 1 + a));
}

/* The plain product: C's own recovers infinities from NaN, which vectors do not. */
static TfoptComplex product(TfoptComplex x, TfoptComplex y) {
    const double a = creal(x), b = cimag(x), c = creal(y), d = cimag(y);
    return CMPLX(a * c - b * d, a * d + b * c);
}

/* Eigen's quotient: the divisor is scaled by its larger part, which makes dividing by zero and by infinity NaN. */
static TfoptComplex complex_div(TfoptComplex x, TfoptComplex y) {
    const double larger = fmax(fabs(creal(y)), fabs(cimag(y))), a = creal(x), b = cimag(x), c = creal(y) / larger,
                 d = cimag(y) / larger, square = c * c + d * d;
    return CMPLX((a * c + b * d) / square / larger, (b * c - a * d) / square / larger);
}

/* exp(y log x), where x is zero or infinite: what the real part of y says. */
static TfoptComplex complex_pow(TfoptComplex x, TfoptComplex y) {
    const bool infinite = isinf(creal(x)) || isinf(cimag(x));
    if (x != 0 && !infinite) return cpow(x, y);
    if (creal(y) == 0 || isnan(creal(y))) return CMPLX(NAN, NAN);
    return (creal(y) > 0) == infinite ? CMPLX(INFINITY, NAN) : 0;
}

static TfoptComplex complex_sign(TfoptComplex x) {
    return x == 0 ? 0 : x / cabs(x);
}

/* Row of one operand: name, value for x. */
#define COMPLEX1(name, value)                                                                                          \
    static TfoptComplex value_of_##name(TfoptComplex x) {                                                              \
        return value;                                                                                                  \
    }                                                                                                                  \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return unary(call, value_of_##name);                                                                           \
    }
COMPLEX1(neg, -x)
COMPLEX1(exp, cexp(x))
COMPLEX1(expm1, complex_expm1(x))
COMPLEX1(log, clog(x))
COMPLEX1(log1p, complex_log1p(x))
COMPLEX1(sqrt, csqrt(x))
COMPLEX1(rsqrt, 1 / csqrt(x))
COMPLEX1(square, product(x, x))
COMPLEX1(reciprocal, complex_div(1, x))
COMPLEX1(sin, csin(x))
COMPLEX1(cos, ccos(x))
COMPLEX1(tan, ctan(x))
COMPLEX1(sinh, csinh(x))
COMPLEX1(cosh, ccosh(x))
COMPLEX1(tanh, ctanh(x))
COMPLEX1(asin, casin(x))
COMPLEX1(acos, cacos(x))
COMPLEX1(atan, catan(x))
COMPLEX1(asinh, casinh(x))
COMPLEX1(acosh, cacosh(x))
COMPLEX1(atanh, catanh(x))
COMPLEX1(sigmoid, 1 / (1 + cexp(-x)))
COMPLEX1(sign, complex_sign(x))
COMPLEX1(conj, conj(x))
COMPLEX1(real, creal(x))
COMPLEX1(imag, cimag(x))
COMPLEX1(angle, carg(x))
COMPLEX1(abs, cabs(x))

/* Between complex and any number. */
int32_t tfopt_host_complex_cast(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (!is_numeric(t)) return tfopt_invalid(call, "a number is needed");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0; i < n; i++) {
        const TfoptComplex v = tfopt_complex_at(t, i);
        if (out->dtype == TFOPT_BOOL)
            tfopt_set_int(out, i, creal(v) != 0); /* the real part alone decides, as in TensorFlow */
        else
            tfopt_set_complex(out, i, v);
    }
    return TFOPT_OK;
}

/* ---- two operands */
static int32_t binary(TfoptHostCall *call, TfoptComplex (*f)(TfoptComplex, TfoptComplex)) {
    TfoptBroadcast b;
    const TfoptTensor *x = &call->inputs[0], *y = &call->inputs[1];
    if (!is_numeric(x) || !is_numeric(y)) return tfopt_invalid(call, "numbers are needed");
    if (!tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    if (!tfopt_host_output(call, 0, b.rank, b.dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b))
        tfopt_set_complex(&call->outputs[0], i, f(tfopt_complex_at(x, b.at[0]), tfopt_complex_at(y, b.at[1])));
    return TFOPT_OK;
}

#define COMPLEX2(name, value)                                                                                          \
    static TfoptComplex value_of_##name(TfoptComplex x, TfoptComplex y) {                                              \
        return value;                                                                                                  \
    }                                                                                                                  \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return binary(call, value_of_##name);                                                                          \
    }
COMPLEX2(sub, x - y)
COMPLEX2(mul, product(x, y))
COMPLEX2(div, complex_div(x, y))
COMPLEX2(div_no_nan, y == 0 ? 0 : x / y)
COMPLEX2(mul_no_nan, y == 0 ? 0 : product(x, y))
COMPLEX2(pow, complex_pow(x, y))
COMPLEX2(squared_difference, product(x - y, conj(x - y)))
COMPLEX2(xdivy, x == 0 ? 0 : complex_div(x, y))
COMPLEX2(xlogy, x == 0 ? 0 : x * clog(y))
COMPLEX2(xlog1py, x == 0 ? 0 : x * complex_log1p(y))
COMPLEX2(complex, CMPLX(creal(x), creal(y)))

static TfoptComplex sum_of(TfoptComplex x, TfoptComplex y) {
    return x + y;
}

static int32_t join_strings(TfoptHostCall *call) {
    TfoptBroadcast b;
    if (!tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    TfoptString *out = tfopt_host_output(call, 0, b.rank, b.dims);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b)) {
        const TfoptString x = ((const TfoptString *)call->inputs[0].data)[b.at[0]],
                          y = ((const TfoptString *)call->inputs[1].data)[b.at[1]];
        char *text = tfopt_call_alloc(call, (int64_t)(x.size + y.size), 1);
        if (!text) return tfopt_no_memory(call);
        if (x.size) memcpy(text, x.data, x.size);
        if (y.size) memcpy(text + x.size, y.data, y.size);
        out[i] = (TfoptString){text, x.size + y.size};
    }
    return TFOPT_OK;
}

int32_t tfopt_host_add(TfoptHostCall *call) {
    return call->inputs[0].dtype == TFOPT_STRING ? join_strings(call) : binary(call, sum_of);
}

static int32_t compare(TfoptHostCall *call, bool want) {
    TfoptBroadcast b;
    const TfoptTensor *x = &call->inputs[0], *y = &call->inputs[1];
    if (!tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    uint8_t *out = tfopt_host_output(call, 0, b.rank, b.dims);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b)) {
        bool equal;
        if (x->dtype == TFOPT_STRING) {
            const TfoptString s = ((const TfoptString *)x->data)[b.at[0]], t = ((const TfoptString *)y->data)[b.at[1]];
            equal = s.size == t.size && (s.size == 0 || memcmp(s.data, t.data, s.size) == 0);
        } else {
            equal = tfopt_complex_at(x, b.at[0]) == tfopt_complex_at(y, b.at[1]);
        }
        out[i] = equal == want;
    }
    return TFOPT_OK;
}

int32_t tfopt_host_equal(TfoptHostCall *call) {
    return compare(call, true);
}
int32_t tfopt_host_not_equal(TfoptHostCall *call) {
    return compare(call, false);
}

/* ---- sums and products */
int32_t tfopt_host_complex_add_n(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int32_t k = 1; k < call->n_inputs; k++) {
        if (!tfopt_same_dims(t, &call->inputs[k])) return tfopt_invalid(call, "shapes differ");
    }
    for (int64_t i = 0; i < n; i++) {
        TfoptComplex sum = 0;
        for (int32_t k = 0; k < call->n_inputs; k++) sum += tfopt_complex_at(&call->inputs[k], i);
        tfopt_set_complex(&call->outputs[0], i, sum);
    }
    return TFOPT_OK;
}

typedef enum { REDUCE_SUM, REDUCE_PROD, REDUCE_MEAN } ReduceKind;

static int32_t reduce(TfoptHostCall *call, ReduceKind kind) {
    const TfoptTensor *t = &call->inputs[0], *axes = &call->inputs[1];
    bool reduced[TFOPT_MAX_RANK] = {false};
    for (int64_t i = 0; i < tfopt_elements(axes); i++) {
        const int32_t axis = tfopt_axis(tfopt_int_at(axes, i), t->rank);
        if (axis < 0) return tfopt_invalid(call, "an axis to reduce is out of range");
        reduced[axis] = true;
    }
    const bool keep = tfopt_call_int(call, "keep_dims", 0) != 0;
    int64_t dims[TFOPT_MAX_RANK], strides[TFOPT_MAX_RANK], stride = 1, index[TFOPT_MAX_RANK] = {0};
    int32_t rank = 0;
    for (int32_t i = 0; i < t->rank; i++) {
        if (!reduced[i] || keep) dims[rank++] = reduced[i] ? 1 : t->dims[i];
    }
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = reduced[i] ? 0 : stride;
        if (!reduced[i]) stride *= t->dims[i];
    }
    const int64_t n = tfopt_elements(t);
    TfoptComplex *sums = tfopt_call_alloc(call, stride + 1, sizeof *sums);
    if (!sums || !tfopt_host_output(call, 0, rank, dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < stride; i++) sums[i] = kind == REDUCE_PROD ? 1 : 0;
    for (int64_t i = 0, at = 0; i < n; i++) {
        const TfoptComplex v = tfopt_complex_at(t, i);
        sums[at] = kind == REDUCE_PROD ? sums[at] * v : sums[at] + v;
        for (int32_t k = t->rank - 1; k >= 0; k--) {
            at += strides[k];
            if (++index[k] < t->dims[k]) break;
            at -= strides[k] * t->dims[k];
            index[k] = 0;
        }
    }
    const double count = stride ? (double)(n / stride) : 1;
    for (int64_t i = 0; i < stride; i++)
        tfopt_set_complex(&call->outputs[0], i, kind == REDUCE_MEAN && n ? sums[i] / count : sums[i]);
    return TFOPT_OK;
}

int32_t tfopt_host_complex_sum(TfoptHostCall *call) {
    return reduce(call, REDUCE_SUM);
}
int32_t tfopt_host_complex_prod(TfoptHostCall *call) {
    return reduce(call, REDUCE_PROD);
}
int32_t tfopt_host_complex_mean(TfoptHostCall *call) {
    return reduce(call, REDUCE_MEAN);
}

static int32_t cumulate(TfoptHostCall *call, bool product) {
    const TfoptTensor *t = &call->inputs[0];
    const int32_t axis = tfopt_axis(tfopt_int_at(&call->inputs[1], 0), t->rank);
    const bool exclusive = tfopt_call_int(call, "exclusive", 0) != 0, reverse = tfopt_call_int(call, "reverse", 0) != 0;
    if (axis < 0) return tfopt_invalid(call, "axis is out of range");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t outer = tfopt_dims_product(t->dims, 0, axis), size = t->dims[axis],
                  inner = tfopt_dims_product(t->dims, axis + 1, t->rank);
    for (int64_t row = 0; row < outer * inner; row++) {
        TfoptComplex sum = product ? 1 : 0;
        for (int64_t k = 0; k < size; k++) {
            const int64_t at = (row / inner * size + (reverse ? size - 1 - k : k)) * inner + row % inner;
            const TfoptComplex before = sum, v = tfopt_complex_at(t, at);
            sum = product ? sum * v : sum + v;
            tfopt_set_complex(&call->outputs[0], at, exclusive ? before : sum);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_complex_cumsum(TfoptHostCall *call) {
    return cumulate(call, false);
}
int32_t tfopt_host_complex_cumprod(TfoptHostCall *call) {
    return cumulate(call, true);
}

/* ---- matrices: transpose_a/b of MatMul transpose, adj_x/y of BatchMatMul conjugate as well; x and y broadcast over
 * the batch */
int32_t tfopt_host_complex_matmul(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *y = &call->inputs[1];
    const bool ax = tfopt_call_int(call, "adj_x", 0) != 0, ay = tfopt_call_int(call, "adj_y", 0) != 0;
    const bool tx = ax || tfopt_call_int(call, "transpose_a", 0) != 0,
               ty = ay || tfopt_call_int(call, "transpose_b", 0) != 0;
    if (x->rank < 2 || y->rank < 2) return tfopt_invalid(call, "matrices are needed");
    const int64_t xr = x->dims[x->rank - 2], xc = x->dims[x->rank - 1], yr = y->dims[y->rank - 2],
                  yc = y->dims[y->rank - 1];
    const int64_t m = tx ? xc : xr, k = tx ? xr : xc, n = ty ? yr : yc;
    if ((ty ? yc : yr) != k) return tfopt_invalid(call, "matrix sizes do not match");
    TfoptTensor batches[2] = {*x, *y};
    batches[0].rank -= 2;
    batches[1].rank -= 2;
    TfoptBroadcast b;
    if (!tfopt_broadcast_init(&b, batches, 2)) return tfopt_invalid(call, "batch dimensions do not broadcast");
    int64_t dims[TFOPT_MAX_RANK];
    memcpy(dims, b.dims, sizeof dims);
    dims[b.rank] = m;
    dims[b.rank + 1] = n;
    if (!tfopt_host_output(call, 0, b.rank + 2, dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b)) {
        for (int64_t cell = 0; cell < m * n; cell++) {
            const int64_t r = cell / n, c = cell % n;
            TfoptComplex sum = 0;
            for (int64_t p = 0; p < k; p++) {
                TfoptComplex u = tfopt_complex_at(x, b.at[0] * xr * xc + (tx ? p * xc + r : r * xc + p));
                TfoptComplex v = tfopt_complex_at(y, b.at[1] * yr * yc + (ty ? c * yc + p : p * yc + c));
                if (ax) u = conj(u);
                if (ay) v = conj(v);
                sum += u * v;
            }
            tfopt_set_complex(&call->outputs[0], i * m * n + cell, sum);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_conjugate_transpose(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *perm = &call->inputs[1];
    if (tfopt_elements(perm) != t->rank) return tfopt_invalid(call, "perm must name every dimension");
    int64_t strides[TFOPT_MAX_RANK], dims[TFOPT_MAX_RANK], walk[TFOPT_MAX_RANK], stride = 1,
                                                                                 index[TFOPT_MAX_RANK] = {0};
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= t->dims[i];
    }
    for (int32_t i = 0; i < t->rank; i++) {
        const int64_t p = tfopt_int_at(perm, i);
        if (p < 0 || p >= t->rank) return tfopt_invalid(call, "perm is out of range");
        dims[i] = t->dims[p];
        walk[i] = strides[p];
    }
    if (!tfopt_host_output(call, 0, t->rank, dims)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0, at = 0; i < n; i++) {
        tfopt_set_complex(&call->outputs[0], i, conj(tfopt_complex_at(t, at)));
        for (int32_t k = t->rank - 1; k >= 0; k--) {
            at += walk[k];
            if (++index[k] < dims[k]) break;
            at -= walk[k] * dims[k];
            index[k] = 0;
        }
    }
    return TFOPT_OK;
}

/* The same bits as another type; the dims are those that the shape function found. */
int32_t tfopt_host_complex_bitcast(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const uint64_t from = tfopt_dtype_bytes(t->dtype), to = tfopt_dtype_bytes(call->outputs[0].dtype);
    int64_t dims[TFOPT_MAX_RANK];
    int32_t rank = t->rank;
    for (int32_t i = 0; i < rank; i++) dims[i] = t->dims[i];
    if (from == 0 || to == 0) return tfopt_invalid(call, "these types have no bits to share");
    if (from > to) {
        if (rank >= TFOPT_MAX_RANK) return tfopt_invalid(call, "the result has too many dimensions");
        dims[rank++] = (int64_t)(from / to);
    } else if (from < to) {
        if (rank == 0 || dims[rank - 1] != (int64_t)(to / from))
            return tfopt_invalid(call, "the last dimension does not make up an element of the wider type");
        rank--;
    }
    void *out = tfopt_host_output(call, 0, rank, dims);
    const int64_t n = tfopt_elements(t);
    if (!out) return tfopt_no_memory(call);
    if (n) memcpy(out, t->data, (size_t)n * from);
    return TFOPT_OK;
}
