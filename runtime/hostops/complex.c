/* Complex numbers: the element-wise ops of TensorFlow that the compiler's real scalar ops carry no further, under their
   TensorFlow names. Computed in double, rounded once: a block of elements at a time is spread out as real and imaginary
   parts, which the simple ops compute in loops over vectors. Add and the comparisons take strings as well, since their
   rows are shared. */
#include "hostops/complex.h"
#include "hostops/broadcast.h"
#include "hostops/clones.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };
typedef struct {
    double re[BLOCK], im[BLOCK];
} Block;
typedef void BlockOp(Block *restrict x, const Block *restrict y,
                     int64_t n); /* x becomes x op y; y is not set for one operand */

static bool is_numeric(const TfoptTensor *t) {
    return t->dtype != TFOPT_STRING && t->dtype != TFOPT_RESOURCE && t->dtype != TFOPT_VARIANT;
}

/* ---- blocks */
TFOPT_CLONES static void spread_c64(const float *restrict from, int64_t n, Block *restrict b) {
    for (int64_t i = 0; i < n; i++) {
        b->re[i] = (double)from[2 * i];
        b->im[i] = (double)from[2 * i + 1];
    }
}

TFOPT_CLONES static void collect_c64(float *restrict to, int64_t n, const Block *restrict b) {
    for (int64_t i = 0; i < n; i++) {
        to[2 * i] = (float)b->re[i];
        to[2 * i + 1] = (float)b->im[i];
    }
}

/* n elements from `at` on, `step` (0 or 1) apart. */
static void load(Block *b, const TfoptTensor *t, int64_t at, int64_t step, int64_t n) {
    if (t->dtype == TFOPT_C64 && step) {
        spread_c64((const float *)t->data + 2 * at, n, b);
        return;
    }
    if (t->dtype == TFOPT_F32 && step) {
        for (int64_t i = 0; i < n; i++) b->re[i] = (double)((const float *)t->data)[at + i];
        memset(b->im, 0, (size_t)n * sizeof *b->im);
        return;
    }
    TfoptComplex v = step ? 0 : tfopt_complex_at(t, at);
    for (int64_t i = 0; i < n; i++) {
        if (step) v = tfopt_complex_at(t, at + i);
        b->re[i] = creal(v);
        b->im[i] = cimag(v);
    }
}

static void store(const TfoptTensor *t, int64_t at, int64_t n, const Block *b) {
    if (t->dtype == TFOPT_C64) {
        collect_c64((float *)t->data + 2 * at, n, b);
    } else if (t->dtype == TFOPT_F32) {
        for (int64_t i = 0; i < n; i++) ((float *)t->data)[at + i] = (float)b->re[i];
    } else if (t->dtype == TFOPT_BOOL) { /* the real part alone decides, as in TensorFlow */
        for (int64_t i = 0; i < n; i++) tfopt_set_int(t, at + i, b->re[i] != 0);
    } else {
        for (int64_t i = 0; i < n; i++) tfopt_set_complex(t, at + i, CMPLX(b->re[i], b->im[i]));
    }
}

static int32_t unary(TfoptHostCall *call, BlockOp *op) {
    const TfoptTensor *t = &call->inputs[0];
    if (!is_numeric(t)) return tfopt_invalid(call, "a number is needed");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    Block x;
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t count = n - i < BLOCK ? n - i : BLOCK;
        load(&x, t, i, 1, count);
        op(&x, NULL, count);
        store(&call->outputs[0], i, count, &x);
    }
    return TFOPT_OK;
}

static int32_t binary(TfoptHostCall *call, BlockOp *op) {
    TfoptBroadcast b;
    const TfoptTensor *t = &call->inputs[0], *u = &call->inputs[1];
    if (!is_numeric(t) || !is_numeric(u)) return tfopt_invalid(call, "numbers are needed");
    if (!tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    if (!tfopt_host_output(call, 0, b.rank, b.dims)) return tfopt_no_memory(call);
    if (b.count == 0) return TFOPT_OK;
    int64_t step[TFOPT_MAX_OPERANDS];
    const int64_t run = tfopt_broadcast_runs(&b, step);
    Block x, y;
    for (int64_t r = 0; r < b.count; r++, tfopt_broadcast_next(&b)) {
        for (int64_t i = 0; i < run; i += BLOCK) {
            const int64_t count = run - i < BLOCK ? run - i : BLOCK;
            load(&x, t, b.at[0] + i * step[0], step[0], count);
            load(&y, u, b.at[1] + i * step[1], step[1], count);
            op(&x, &y, count);
            store(&call->outputs[0], r * run + i, count, &x);
        }
    }
    return TFOPT_OK;
}

/* ---- ops whose parts are arithmetic: a + ib and c + id, in the element type, since products overflow and vanish there
 */
#define PARTS1_OF(name, REAL, real_part, imaginary_part)                                                               \
    TFOPT_CLONES static void name(Block *restrict x, const Block *restrict y, int64_t n) {                             \
        (void)y;                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const REAL a = (REAL)x->re[i], b = (REAL)x->im[i];                                                         \
            (void)a, (void)b;                                                                                          \
            x->re[i] = (double)(real_part);                                                                            \
            x->im[i] = (double)(imaginary_part);                                                                       \
        }                                                                                                              \
    }
#define PARTS1(name, real_part, imaginary_part)                                                                        \
    PARTS1_OF(name##_block, double, real_part, imaginary_part)                                                         \
    PARTS1_OF(name##_single, float, real_part, imaginary_part)                                                         \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return unary(call, call->inputs[0].dtype == TFOPT_C64 ? name##_single : name##_block);                         \
    }
PARTS1(neg, -a, -b)
PARTS1(conj, a, -b)
PARTS1(square, a *a - b * b, a *b + b * a)
PARTS1(real, a, 0)
PARTS1(imag, b, 0)

/* The plain product: C's own recovers infinities from NaN, which vectors do not. */
#define PARTS2_OF(name, REAL, real_part, imaginary_part)                                                               \
    TFOPT_CLONES static void name(Block *restrict x, const Block *restrict y, int64_t n) {                             \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const REAL a = (REAL)x->re[i], b = (REAL)x->im[i], c = (REAL)y->re[i], d = (REAL)y->im[i];                 \
            (void)b, (void)d;                                                                                          \
            x->re[i] = (double)(real_part);                                                                            \
            x->im[i] = (double)(imaginary_part);                                                                       \
        }                                                                                                              \
    }
#define PARTS2(name, real_part, imaginary_part)                                                                        \
    PARTS2_OF(name##_block, double, real_part, imaginary_part)                                                         \
    PARTS2_OF(name##_single, float, real_part, imaginary_part)
PARTS2(add, a + c, b + d)
PARTS2(sub, a - c, b - d)
PARTS2(mul, a *c - b * d, a *d + b * c)
PARTS2(squared_difference, (a - c) * (a - c) - (b - d) * -(b - d), (a - c) * -(b - d) + (b - d) * (a - c))
PARTS2_OF(complex_block, double, a, c)

/* Squares of floats have room in doubles; of doubles they need care. */
TFOPT_CLONES static void abs_single(Block *restrict x, const Block *restrict y, int64_t n) {
    (void)y;
    for (int64_t i = 0; i < n; i++) {
        const double a = fabs(x->re[i]), b = fabs(x->im[i]), root = sqrt(a * a + b * b);
        x->re[i] = a == INFINITY || b == INFINITY ? INFINITY : root;
    }
}

static void abs_double(Block *restrict x, const Block *restrict y, int64_t n) {
    (void)y;
    for (int64_t i = 0; i < n; i++) x->re[i] = hypot(x->re[i], x->im[i]);
}

int32_t tfopt_host_complex_abs(TfoptHostCall *call) {
    return unary(call, call->inputs[0].dtype == TFOPT_C64 ? abs_single : abs_double);
}

/* Eigen's quotient: the divisor is scaled by its larger part, which makes dividing by zero and by infinity NaN. */
TFOPT_CLONES static void div_block(Block *restrict x, const Block *restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double p = fabs(y->re[i]), q = fabs(y->im[i]), larger = p > q ? p : q, a = x->re[i], b = x->im[i],
                     c = y->re[i] / larger, d = y->im[i] / larger, square = c * c + d * d;
        x->re[i] = (a * c + b * d) / square / larger;
        x->im[i] = (b * c - a * d) / square / larger;
    }
}

static void cast_block(Block *restrict x, const Block *restrict y, int64_t n) {
    (void)x, (void)y, (void)n; /* loading and storing is all */
}

/* Between complex and any number. */
int32_t tfopt_host_complex_cast(TfoptHostCall *call) {
    return unary(call, cast_block);
}

/* ---- ops of the C library, an element at a time */
static TfoptComplex product(TfoptComplex x, TfoptComplex y) {
    const double a = creal(x), b = cimag(x), c = creal(y), d = cimag(y);
    return CMPLX(a * c - b * d, a * d + b * c);
}

static TfoptComplex quotient(TfoptComplex x, TfoptComplex y) {
    const double larger = fmax(fabs(creal(y)), fabs(cimag(y))), a = creal(x), b = cimag(x), c = creal(y) / larger,
                 d = cimag(y) / larger, square = c * c + d * d;
    return CMPLX((a * c + b * d) / square / larger, (b * c - a * d) / square / larger);
}

static TfoptComplex complex_expm1(TfoptComplex x) {
    const double less = expm1(creal(x)), power = less + 1, s = sin(cimag(x) / 2);
    return CMPLX(less - 2 * power * (s * s), power * sin(cimag(x)));
}

static TfoptComplex complex_expm1_single(TfoptComplex x) {
    const float less = (float)expm1(creal(x)), power = less + 1, s = (float)sin(cimag(x) / 2);
    return CMPLX((double)(less - 2 * power * (s * s)), (double)(power * (float)sin(cimag(x))));
}

static TfoptComplex complex_log1p(TfoptComplex x) {
    const double a = creal(x), b = cimag(x);
    if (a == -1 && b == 0) return CMPLX(-INFINITY, NAN);
    const double square = a * (2 + a) + b * b; /* less 1; digits are lost next to -1 */
    return CMPLX(square < -0.5 ? log(hypot(1 + a, b)) : 0.5 * log1p(square), atan2(b, 1 + a));
}

static TfoptComplex complex_sign(TfoptComplex x) {
    return x == 0 ? 0 : x / cabs(x);
}

/* Row of one operand: name, value for x. */
#define COMPLEX1_OF(name, value)                                                                                       \
    static void name##_block(Block *restrict out, const Block *restrict y, int64_t n) {                                \
        (void)y;                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const TfoptComplex x = CMPLX(out->re[i], out->im[i]), v = value;                                           \
            out->re[i] = creal(v);                                                                                     \
            out->im[i] = cimag(v);                                                                                     \
        }                                                                                                              \
    }
#define COMPLEX1(name, value)                                                                                          \
    COMPLEX1_OF(name, value)                                                                                           \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return unary(call, name##_block);                                                                              \
    }
COMPLEX1(exp, cexp(x))
COMPLEX1_OF(expm1, complex_expm1(x))
COMPLEX1_OF(expm1_single, complex_expm1_single(x))
int32_t tfopt_host_complex_expm1(TfoptHostCall *call) {
    return unary(call, call->inputs[0].dtype == TFOPT_C64 ? expm1_single_block : expm1_block);
}
COMPLEX1(log, clog(x))
COMPLEX1(log1p, complex_log1p(x))
COMPLEX1(sqrt, csqrt(x))
COMPLEX1(rsqrt, 1 / csqrt(x))
COMPLEX1(reciprocal, quotient(1, x))
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
COMPLEX1(angle, carg(x))

/* Row of two operands: name, value for x and y. */
#define COMPLEX2(name, value)                                                                                          \
    static void name##_block(Block *restrict left, const Block *restrict right, int64_t n) {                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const TfoptComplex x = CMPLX(left->re[i], left->im[i]), y = CMPLX(right->re[i], right->im[i]), v = value;  \
            left->re[i] = creal(v);                                                                                    \
            left->im[i] = cimag(v);                                                                                    \
        }                                                                                                              \
    }
COMPLEX2(div_no_nan, y == 0 ? 0 : x / y)
COMPLEX2(mul_no_nan, y == 0 ? 0 : product(x, y))
COMPLEX2(pow, cpow(x, y))
COMPLEX2(pow_f32, (TfoptComplex)cpowf((float complex)x, (float complex)y))
COMPLEX2(xdivy, x == 0 ? 0 : quotient(x, y))
COMPLEX2(xlogy, x == 0 ? 0 : x * clog(y))
COMPLEX2(xlog1py, x == 0 ? 0 : x * complex_log1p(y))

#define BINARY_OP(name)                                                                                                \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return binary(call, name##_block);                                                                             \
    }
#define BINARY_PARTS(name)                                                                                             \
    int32_t tfopt_host_complex_##name(TfoptHostCall *call) {                                                           \
        return binary(call, call->inputs[0].dtype == TFOPT_C64 ? name##_single : name##_block);                        \
    }
BINARY_PARTS(sub)
BINARY_PARTS(mul)
BINARY_PARTS(squared_difference)
BINARY_OP(div)
BINARY_OP(div_no_nan)
BINARY_OP(mul_no_nan)
BINARY_OP(xdivy)
BINARY_OP(xlogy)
BINARY_OP(xlog1py)
BINARY_OP(complex)

/* In the element type, as TensorFlow has it: how the angle is rounded grows with y. */
int32_t tfopt_host_complex_pow(TfoptHostCall *call) {
    return binary(call, call->inputs[0].dtype == TFOPT_C64 ? pow_f32_block : pow_block);
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
    return call->inputs[0].dtype == TFOPT_STRING
               ? join_strings(call)
               : binary(call, call->inputs[0].dtype == TFOPT_C64 ? add_single : add_block);
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
