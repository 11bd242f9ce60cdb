/* math: exponentials, logarithms and what is built on them. Each function says its method; coefficients are minimax
   fits (Lawson's iteration) of the remainder after the leading terms, which are exact. Products and sums may be fused
   or not: nothing relies on it. */
#include "codegen/cpu/math.h"
#include "codegen/cpu/scalar.h"
#include <math.h>

/* x, b OP y and the like read badly as calls without a nesting; these keep one operation a line short. */
static EmitValue number(Emit *e, EmitValue like, double v) {
    return emit_float(e, emit_type(e, like), v);
}
static EmitValue bits_number(Emit *e, EmitValue like, int64_t v) {
    return emit_int(e, (EmitType){DTYPE_S32, emit_type(e, like).lanes}, v);
}
static EmitValue add(Emit *e, EmitValue a, EmitValue b) {
    return emit_binary(e, EMIT_ADD, a, b);
}
static EmitValue sub(Emit *e, EmitValue a, EmitValue b) {
    return emit_binary(e, EMIT_SUB, a, b);
}
static EmitValue mul(Emit *e, EmitValue a, EmitValue b) {
    return emit_binary(e, EMIT_MUL, a, b);
}
static EmitValue divide(Emit *e, EmitValue a, EmitValue b) {
    return emit_binary(e, EMIT_DIV, a, b);
}
static EmitValue as_bits(Emit *e, EmitValue x) {
    return emit_cast(e, EMIT_BITS, x, DTYPE_S32);
}
static EmitValue as_float(Emit *e, EmitValue x) {
    return emit_cast(e, EMIT_BITS, x, DTYPE_F32);
}

EmitValue math_polynomial(Emit *e, EmitValue x, const double *c, int n) {
    EmitValue sum = number(e, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) {
        EmitValue next = number(e, x, c[i]);
        sum = scalar_multiply_add(e, sum, x, next);
    }
    return sum;
}

/* ---- exponentials: x = n ln 2 + r, |r| <= ln 2 / 2; e^x = 2^n e^r; e^r - 1 = r + r^2 P(r) */

typedef struct {
    EmitValue n, r, p; /* n: a whole number, as a float; p = e^r - 1 */
} Reduced;

static const double exp_tail[] = {0x1p-1,
                                  0x1.5555560000000p-3,
                                  0x1.5554ae0000000p-5,
                                  0x1.1110900000000p-7,
                                  0x1.6d74860000000p-10,
                                  0x1.a1a1640000000p-13};

/* x / ln 2, rounded to a whole number: adding 1.5 * 2^23 leaves no bits for a fraction. For |x| < 2^21. */
static EmitValue whole_powers(Emit *e, EmitValue x) {
    EmitValue log2_e = number(e, x, 0x1.715476p+0), large = number(e, x, 0x1.8p23);
    EmitValue sum = scalar_multiply_add(e, x, log2_e, large);
    return sub(e, sum, large);
}

static Reduced reduce_exp(Emit *e, EmitValue x, int terms) {
    EmitValue minus_high = number(e, x, -0x1.62e4p-1),
              minus_low = number(e, x, -0x1.7f7d1cp-20); /* ln 2 in two parts; the first times n is exact */
    Reduced d;
    d.n = whole_powers(e, x);
    d.r = scalar_multiply_add(e, d.n, minus_high, x);
    d.r = scalar_multiply_add(e, d.n, minus_low, d.r);
    static const double short_tail[] = {0x1p-1, 0x1.55548e0000000p-3, 0x1.55545e0000000p-5, 0x1.123b560000000p-7,
                                        0x1.6db42a0000000p-10};
    static const double fast_tail[] = {0x1.fffd40p-2, 0x1.571eb2p-3, 0x1.576b28p-5}; /* relative error 6e-6 */
    EmitValue tail = math_polynomial(e, d.r, terms == 3 ? fast_tail : terms == 5 ? short_tail : exp_tail, terms);
    EmitValue square = mul(e, d.r, d.r);
    d.p = scalar_multiply_add(e, square, tail, d.r);
    return d;
}

/* 2^n for a whole number n in -126..127, by its bits. */
static EmitValue power_of_two(Emit *e, EmitValue n) {
    EmitValue bias = bits_number(e, n, 127), shift = bits_number(e, n, 23);
    EmitValue biased = emit_binary(e, EMIT_IADD, n, bias);
    EmitValue bits = emit_binary(e, EMIT_SHL, biased, shift);
    return as_float(e, bits);
}

/* x * 2^n for any n that |x| in 0.5..2 can lead out of the range with, rounded once. */
static EmitValue scale(Emit *e, EmitValue x, EmitValue n) {
    enum { CURRENT_ROUNDING = 4 };
    int lanes = emit_type(e, x).lanes;
    if (emit_isa(e)->masks && lanes == 16) {
        EmitValue all = emit_int(e, (EmitType){DTYPE_S16, 0}, -1);
        EmitValue rounding = emit_int(e, (EmitType){DTYPE_S32, 0}, CURRENT_ROUNDING);
        EmitValue args[5] = {x, n, x, all, rounding};
        return emit_intrinsic(e, "llvm.x86.avx512.mask.scalef.ps.512", (EmitType){DTYPE_F32, lanes}, 5, args);
    }
    /* In two steps: 2^n itself may not be a number. */
    EmitValue whole = emit_cast(e, EMIT_FPTOSI, n, DTYPE_S32);
    EmitValue one = bits_number(e, x, 1);
    EmitValue half = emit_binary(e, EMIT_SSHR, whole, one);
    EmitValue rest = emit_binary(e, EMIT_ISUB, whole, half);
    EmitValue first = power_of_two(e, half), second = power_of_two(e, rest);
    EmitValue product = mul(e, x, first);
    return mul(e, product, second);
}

/* x within lo..hi, NaN kept. */
static EmitValue clamp(Emit *e, EmitValue x, double lo, double hi) {
    EmitValue low = number(e, x, lo), high = number(e, x, hi);
    x = emit_binary(e, EMIT_MAXNUM, low, x); /* the second operand if either is NaN */
    return emit_binary(e, EMIT_MINNUM, high, x);
}

static EmitValue exp_of(Emit *e, EmitValue x, int terms) {
    /* What is below the smallest denormal is zero without computing it: underflow is slow, and masks of softmax are
     * nothing else. */
    EmitValue least = number(e, x, -0x1.9fep+6), zero = number(e, x, 0.0), most = number(e, x, 89.0);
    EmitValue vanishes = emit_compare(e, EMIT_FLT, x, least);
    x = emit_select(e, vanishes, zero, x);
    x = emit_binary(e, EMIT_MINNUM, most, x); /* NaN stays */
    Reduced d = reduce_exp(e, x, terms);
    EmitValue one = number(e, x, 1.0);
    EmitValue power = add(e, d.p, one), scaled = scale(e, power, d.n);
    return emit_select(e, vanishes, zero, scaled);
}
EmitValue math_exp(Emit *e, EmitValue x) {
    return exp_of(e, x, 5);
}
EmitValue math_exp_fast(Emit *e, EmitValue x) {
    return exp_of(e, x, 3);
}

EmitValue math_expm1(Emit *e, EmitValue x) {
    /* 2^n p + (2^n - 1); halved and doubled so that 2^n stays a number where the result does. */
    EmitValue original = x;
    x = clamp(e, x, -20.0, 89.0);
    Reduced d = reduce_exp(e, x, 6);
    EmitValue n = emit_cast(e, EMIT_FPTOSI, d.n, DTYPE_S32);
    EmitValue minus_one = bits_number(e, x, -1);
    EmitValue less = emit_binary(e, EMIT_IADD, n, minus_one);
    EmitValue half_power = power_of_two(e, less);
    EmitValue half = number(e, x, 0.5), two = number(e, x, 2.0);
    EmitValue rest = sub(e, half_power, half);
    EmitValue result = scalar_multiply_add(e, half_power, d.p, rest);
    result = mul(e, result, two);
    EmitValue zero = number(e, x, 0.0);
    EmitValue is_zero = emit_compare(e, EMIT_FEQ, original, zero); /* keeps -0 */
    return emit_select(e, is_zero, original, result);
}

/* A division of 512 bits takes as long as 32 multiply-adds; the reciprocal to 14 bits and a step of Newton's is as good
   but for rare last bits. For 2^-100 <= b <= 2^126, or NaN. */
static bool has_reciprocal(Emit *e, EmitValue b) {
    return emit_isa(e)->masks && emit_type(e, b).lanes == 16;
}
static EmitValue reciprocal(Emit *e, EmitValue b) {
    EmitValue all = emit_int(e, (EmitType){DTYPE_S16, 0}, -1);
    EmitValue args[3] = {b, b, all};
    EmitValue r = emit_intrinsic(e, "llvm.x86.avx512.rcp14.ps.512", emit_type(e, b), 3, args);
    EmitValue one = number(e, b, 1.0);
    EmitValue minus_b = emit_unary(e, EMIT_NEG, b);
    EmitValue error = emit_fma(e, minus_b, r, one);
    return emit_fma(e, r, error, r);
}

EmitValue math_sigmoid(Emit *e, EmitValue x) {
    /* e^x = 2^n e^r, so 1 / (1 + e^-x) = 2^n / (2^n + e^-r): nothing overflows, and a small result is a power of two
     * times a good quotient. */
    static const double tail[] = {0x1p-1, -0x1.55548e0000000p-3, 0x1.55545e0000000p-5, -0x1.123b560000000p-7,
                                  0x1.6db42a0000000p-10};
    x = clamp(e, x, -104.0, 87.0);
    EmitValue n = whole_powers(e, x);
    EmitValue minus_high = number(e, x, -0x1.62e4p-1), minus_low = number(e, x, -0x1.7f7d1cp-20),
              one = number(e, x, 1.0);
    EmitValue r = scalar_multiply_add(e, n, minus_high, x);
    r = scalar_multiply_add(e, n, minus_low, r);
    EmitValue minus_r = emit_unary(e, EMIT_NEG, r);
    EmitValue p = math_polynomial(e, r, tail, (int)ARRAY_LEN(tail));
    EmitValue square = mul(e, r, r);
    p = scalar_multiply_add(e, square, p, minus_r);
    p = add(e, p, one);
    EmitValue power = scale(e, one, n);
    EmitValue bottom = add(e, power, p);
    if (!has_reciprocal(e, bottom)) return divide(e, power, bottom);
    EmitValue inverse = reciprocal(e, bottom);
    return mul(e, power, inverse);
}

static EmitValue copy_sign(Emit *e, EmitValue size, EmitValue sign) {
    EmitValue top = bits_number(e, size, INT32_MIN), rest = bits_number(e, size, INT32_MAX);
    EmitValue sign_bits = as_bits(e, sign), size_bits = as_bits(e, size);
    sign_bits = emit_binary(e, EMIT_AND, sign_bits, top);
    size_bits = emit_binary(e, EMIT_AND, size_bits, rest);
    EmitValue both = emit_binary(e, EMIT_OR, sign_bits, size_bits);
    return as_float(e, both);
}

EmitValue math_tanh(Emit *e, EmitValue x) {
    /* x + x^3 P(x^2) near 0, 1 - 2 / (e^2|x| + 1) further out. */
    static const double near_zero[] = {-0x1.5555540000000p-2, 0x1.1110660000000p-3,  -0x1.b9ee900000000p-5,
                                       0x1.638b580000000p-6,  -0x1.0bf4fc0000000p-7, 0x1.18e1dc0000000p-9};
    EmitValue square = mul(e, x, x);
    EmitValue p = math_polynomial(e, square, near_zero, (int)ARRAY_LEN(near_zero));
    EmitValue cube = mul(e, square, x);
    EmitValue small = scalar_multiply_add(e, cube, p, x);
    EmitValue one = number(e, x, 1.0), minus_two = number(e, x, -2.0), edge = number(e, x, 0.625);
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue twice = add(e, size, size);
    EmitValue limit = number(e, x, 40.0); /* the quotient is nothing beside 1 there */
    twice = emit_binary(e, EMIT_MINNUM, limit, twice);
    Reduced d = reduce_exp(e, twice, 5);
    EmitValue n = emit_cast(e, EMIT_FPTOSI, d.n, DTYPE_S32);
    EmitValue power = power_of_two(e, n);
    EmitValue above = add(e, power, one);
    EmitValue bottom = scalar_multiply_add(e, power, d.p, above);
    EmitValue part = has_reciprocal(e, bottom) ? reciprocal(e, bottom) : divide(e, one, bottom);
    EmitValue large = scalar_multiply_add(e, part, minus_two, one);
    EmitValue is_small = emit_compare(e, EMIT_FLT, size, edge);
    EmitValue result = emit_select(e, is_small, small, large);
    return copy_sign(e, result, x); /* of -0 too */
}

EmitValue math_erf(Emit *e, EmitValue x) {
    /* x + x P(x^2) up to 1, 1 - e^Q(|x|) above, where Q fits log(erfc). */
    static const double near_zero[] = {0x1.06eba00000000p-3,  -0x1.81273e0000000p-2, 0x1.ce2cf80000000p-4,
                                       -0x1.b7f90e0000000p-6, 0x1.5405b20000000p-8,  -0x1.a3f7000000000p-11,
                                       0x1.496a300000000p-14};
    static const double log_erfc[] = {-0x1.72e6a80000000p-12, -0x1.2085b20000000p+0, -0x1.46c5840000000p-1,
                                      -0x1.a60a840000000p-4,  0x1.6542240000000p-6,  -0x1.814ce00000000p-9,
                                      0x1.852d520000000p-13};
    EmitValue square = mul(e, x, x);
    EmitValue p = math_polynomial(e, square, near_zero, (int)ARRAY_LEN(near_zero));
    EmitValue small = scalar_multiply_add(e, x, p, x);
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue limit = number(e, x, 4.0), one = number(e, x, 1.0); /* erf(4) is 1 in f32 */
    EmitValue near = emit_binary(e, EMIT_MINNUM, limit, size);
    EmitValue q = math_polynomial(e, near, log_erfc, (int)ARRAY_LEN(log_erfc));
    Reduced d = reduce_exp(e, q, 5);
    EmitValue n = emit_cast(e, EMIT_FPTOSI, d.n, DTYPE_S32);
    EmitValue power = power_of_two(e, n);
    EmitValue complement = scalar_multiply_add(e, power, d.p, power);
    EmitValue large = sub(e, one, complement);
    large = copy_sign(e, large, x);
    EmitValue is_small = emit_compare(e, EMIT_FLT, size, one);
    return emit_select(e, is_small, small, large);
}

EmitValue math_erfc(Emit *e, EmitValue x) {
    /* For y = |x|: e^(-y^2) t P(t) with t = 1 / (1 + 0.35 y), and 2 less that for negative x. y^2 in two parts, since
     * it is an exponent. */
    static const double of_t[] = {
        0x1.9471980000000p-3, 0x1.93cb820000000p-3,  0x1.80634c0000000p-3, 0x1.378f7c0000000p-3,  0x1.25c5520000000p-3,
        0x1.776a080000000p-4, -0x1.0ed62a0000000p-5, 0x1.7b90a60000000p-3, -0x1.48bfe40000000p-3, 0x1.3cea420000000p-5};
    EmitValue limit = number(e, x, 10.2), one = number(e, x, 1.0), two = number(e, x, 2.0),
              zero = number(e, x, 0.0); /* erfc is 0 in f32 further out */
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue y = emit_binary(e, EMIT_MINNUM, limit, size);
    EmitValue slope = number(e, x, 0x1.666666p-2);
    EmitValue bottom = scalar_multiply_add(e, y, slope, one);
    EmitValue t = has_reciprocal(e, bottom) ? reciprocal(e, bottom) : divide(e, one, bottom);
    EmitValue p = math_polynomial(e, t, of_t, (int)ARRAY_LEN(of_t));
    p = mul(e, p, t);
    EmitValue square = mul(e, y, y);
    EmitValue minus_square = emit_unary(e, EMIT_NEG, square), lost;
    if (emit_isa(e)->fma) {
        lost = emit_fma(e, y, y, minus_square);
    } else { /* the same by halves of 12 bits, whose products are exact */
        EmitValue bits = as_bits(e, y), upper_bits = bits_number(e, x, ~0xfff);
        bits = emit_binary(e, EMIT_AND, bits, upper_bits);
        EmitValue upper = as_float(e, bits);
        EmitValue lower = sub(e, y, upper);
        EmitValue both = mul(e, upper, lower);
        both = add(e, both, both);
        EmitValue upper_square = mul(e, upper, upper), lower_square = mul(e, lower, lower);
        lost = sub(e, upper_square, square);
        lost = add(e, lost, both);
        lost = add(e, lost, lower_square);
    }
    EmitValue power = math_exp(e, minus_square);
    EmitValue minus_lost = emit_unary(e, EMIT_NEG, lost);
    EmitValue corrected = scalar_multiply_add(e, p, minus_lost, p);
    EmitValue right = mul(e, power, corrected);
    EmitValue left = sub(e, two, right);
    EmitValue is_left = emit_compare(e, EMIT_FLT, x, zero);
    return emit_select(e, is_left, left, right);
}

/* ---- --math fast: absolute error under 2e-5 */

EmitValue math_tanh_fast(Emit *e, EmitValue x) {
    EmitValue one = number(e, x, 1.0), minus_two = number(e, x, -2.0), limit = number(e, x, 40.0);
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue twice = add(e, size, size);
    twice = emit_binary(e, EMIT_MINNUM, limit, twice);
    Reduced d = reduce_exp(e, twice, 3);
    EmitValue n = emit_cast(e, EMIT_FPTOSI, d.n, DTYPE_S32);
    EmitValue power = power_of_two(e, n);
    EmitValue above = add(e, power, one);
    EmitValue bottom = scalar_multiply_add(e, power, d.p, above);
    EmitValue part = has_reciprocal(e, bottom) ? reciprocal(e, bottom) : divide(e, one, bottom);
    EmitValue result = scalar_multiply_add(e, part, minus_two, one);
    return copy_sign(e, result, x);
}

EmitValue math_erf_fast(Emit *e, EmitValue x) {
    static const double log_erfc[] = {-0x1.c92930p-17, -0x1.20b492p+0, -0x1.48130ep-1, -0x1.815e3ep-4,
                                      0x1.abca18p-7}; /* on 0..4 */
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue limit = number(e, x, 4.0), one = number(e, x, 1.0);
    EmitValue near = emit_binary(e, EMIT_MINNUM, limit, size);
    EmitValue q = math_polynomial(e, near, log_erfc, (int)ARRAY_LEN(log_erfc));
    Reduced d = reduce_exp(e, q, 3);
    EmitValue n = emit_cast(e, EMIT_FPTOSI, d.n, DTYPE_S32);
    EmitValue power = power_of_two(e, n);
    EmitValue complement = scalar_multiply_add(e, power, d.p, power);
    EmitValue result = sub(e, one, complement);
    return copy_sign(e, result, x);
}

/* ---- logarithms: x = 2^n m, m in sqrt(1/2)..sqrt(2); log m = f - f^2/2 + f^3 P(f) with f = m - 1 */

EmitValue math_log(Emit *e, EmitValue x) {
    static const double tail[] = {0x1.5555480000000p-2,  -0x1.0000060000000p-2, 0x1.99a4b60000000p-3,
                                  -0x1.555c4e0000000p-3, 0x1.2337680000000p-3,  -0x1.fc22080000000p-4,
                                  0x1.e6f06c0000000p-4,  -0x1.de3c140000000p-4, 0x1.1457a20000000p-4};
    EmitValue least = number(e, x, 0x1p-126), up = number(e, x, 0x1p25);
    EmitValue is_denormal = emit_compare(e, EMIT_FLT, x, least);
    EmitValue larger = mul(e, x, up);
    EmitValue y = emit_select(e, is_denormal, larger, x);
    /* Subtracting the bits of sqrt(1/2) makes the exponent field carry where the mantissa is past it. */
    EmitValue bits = as_bits(e, y);
    EmitValue root = bits_number(e, x, 0x3f3504f3), shift = bits_number(e, x, 23),
              mantissa = bits_number(e, x, 0x7fffff);
    EmitValue above = emit_binary(e, EMIT_ISUB, bits, root);
    EmitValue exponent = emit_binary(e, EMIT_SSHR, above, shift);
    EmitValue fraction = emit_binary(e, EMIT_AND, above, mantissa);
    EmitValue m_bits = emit_binary(e, EMIT_IADD, fraction, root);
    EmitValue m = as_float(e, m_bits);
    EmitValue n = emit_cast(e, EMIT_SITOFP, exponent, DTYPE_F32);
    EmitValue correction = number(e, x, -25.0), zero = number(e, x, 0.0), one = number(e, x, 1.0);
    EmitValue moved = emit_select(e, is_denormal, correction, zero);
    n = add(e, n, moved);
    EmitValue f = sub(e, m, one);
    EmitValue p = math_polynomial(e, f, tail, (int)ARRAY_LEN(tail));
    EmitValue square = mul(e, f, f);
    EmitValue cube = mul(e, square, f);
    EmitValue low = number(e, x, -0x1.bd0106p-13), high = number(e, x, 0x1.63p-1),
              minus_half = number(e, x, -0.5); /* ln 2 = high + low */
    EmitValue sum = mul(e, cube, p);
    sum = scalar_multiply_add(e, n, low, sum);
    sum = scalar_multiply_add(e, square, minus_half, sum);
    sum = add(e, sum, f);
    sum = scalar_multiply_add(e, n, high, sum);
    /* What is no positive number: +inf and NaN stay, 0 gives -inf, the rest NaN. */
    EmitValue infinity = number(e, x, INFINITY), minus_infinity = number(e, x, -INFINITY), nan = number(e, x, NAN);
    EmitValue is_finite = emit_compare(e, EMIT_FLT, x, infinity);
    EmitValue result = emit_select(e, is_finite, sum, x);
    EmitValue is_zero = emit_compare(e, EMIT_FEQ, x, zero);
    EmitValue is_negative = emit_compare(e, EMIT_FLT, x, zero);
    result = emit_select(e, is_zero, minus_infinity, result);
    return emit_select(e, is_negative, nan, result);
}

EmitValue math_log1p(Emit *e, EmitValue x) {
    /* log(u) + (x - (u - 1)) / u with u = 1 + x rounded: the second term is what rounding lost. */
    EmitValue one = number(e, x, 1.0), infinity = number(e, x, INFINITY), zero = number(e, x, 0.0);
    EmitValue u = add(e, one, x);
    EmitValue log_u = math_log(e, u);
    EmitValue kept = sub(e, u, one);
    EmitValue lost = sub(e, x, kept);
    EmitValue correction = divide(e, lost, u);
    EmitValue sum = add(e, log_u, correction);
    EmitValue is_large = emit_compare(e, EMIT_FEQ, u, infinity);
    EmitValue is_pole = emit_compare(e, EMIT_FEQ, u, zero);
    EmitValue is_tiny = emit_compare(e, EMIT_FEQ, u, one);
    EmitValue result = emit_select(e, is_large, x, sum);
    result = emit_select(e, is_pole, log_u, result);
    return emit_select(e, is_tiny, x, result);
}

EmitValue math_softplus(Emit *e, EmitValue x) {
    /* log(1 + e^x) as max(x, 0) + log1p(e^-|x|), which loses nothing at either end. */
    EmitValue zero = number(e, x, 0.0);
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue negative = emit_unary(e, EMIT_NEG, size);
    EmitValue t = math_exp(e, negative);
    EmitValue rest = math_log1p(e, t);
    EmitValue positive = emit_binary(e, EMIT_MAX, x, zero);
    return add(e, positive, rest);
}

/* ---- sine and cosine: x = k pi/2 + r, |r| <= pi/4, reduced in f64, where k pi/2 is close enough for |x| < 2^24;
 * larger ones by libm */

/* Quadrant k + shift of x picks the polynomial and the sign. */
static EmitValue sine_of(Emit *e, EmitValue x, int64_t shift) {
    static const double sine_tail[] = {-0x1.5555560000000p-3, 0x1.1111080000000p-7, -0x1.a00f980000000p-13,
                                       0x1.6cd7340000000p-19};
    static const double cosine_tail[] = {0x1.5555560000000p-5, -0x1.6c16b80000000p-10, 0x1.a0111c0000000p-16,
                                         -0x1.2429fc0000000p-22};
    EmitValue wide = emit_cast(e, EMIT_FPEXT, x, DTYPE_F64);
    EmitValue two_over_pi = number(e, wide, 0x1.45f306dc9c883p-1);
    EmitValue turns = mul(e, wide, two_over_pi);
    EmitValue k = emit_unary(e, EMIT_ROUNDEVEN, turns);
    static const double minus_half_pi[] = {-0x1.921fb54p+0, -0x1.10b4611p-30,
                                           -0x1.4c4c6628b80dcp-59}; /* the first two times k are exact */
    EmitValue remainder = wide;
    for (size_t i = 0; i < ARRAY_LEN(minus_half_pi); i++) {
        EmitValue part = number(e, wide, minus_half_pi[i]);
        remainder = scalar_multiply_add(e, k, part, remainder);
    }
    EmitValue r = emit_cast(e, EMIT_FPTRUNC, remainder, DTYPE_F32);
    EmitValue quadrant = emit_cast(e, EMIT_FPTOSI, k, DTYPE_S32);
    EmitValue shift_by = bits_number(e, x, shift);
    quadrant = emit_binary(e, EMIT_IADD, quadrant, shift_by);
    EmitValue square = mul(e, r, r);
    EmitValue ps = math_polynomial(e, square, sine_tail, (int)ARRAY_LEN(sine_tail));
    EmitValue cube = mul(e, square, r);
    EmitValue sine = scalar_multiply_add(e, cube, ps, r);
    EmitValue pc = math_polynomial(e, square, cosine_tail, (int)ARRAY_LEN(cosine_tail));
    EmitValue minus_half = number(e, x, -0.5), one = number(e, x, 1.0);
    EmitValue fourth = mul(e, square, square);
    EmitValue most = scalar_multiply_add(e, square, minus_half, one);
    EmitValue cosine = scalar_multiply_add(e, fourth, pc, most);
    EmitValue bit = bits_number(e, x, 1), none = bits_number(e, x, 0), to_sign = bits_number(e, x, 30),
              two = bits_number(e, x, 2);
    EmitValue odd = emit_binary(e, EMIT_AND, quadrant, bit);
    EmitValue is_odd = emit_compare(e, EMIT_NE, odd, none);
    EmitValue value = emit_select(e, is_odd, cosine, sine);
    EmitValue minus = emit_binary(e, EMIT_AND, quadrant, two);
    minus = emit_binary(e, EMIT_SHL, minus, to_sign);
    EmitValue value_bits = as_bits(e, value);
    value_bits = emit_binary(e, EMIT_XOR, value_bits, minus);
    return as_float(e, value_bits);
}

static EmitValue sine_or_libm(Emit *e, EmitValue x, int64_t shift, const char *libm) {
    EmitType t = emit_type(e, x);
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue edge = number(e, x, 0x1p24);
    EmitValue far = emit_compare(e, EMIT_FGE, size, edge);
    EmitValue any_far = emit_any(e, far);
    emit_if_begin(e, any_far, 1, &t);
    EmitValue result = emit_call_libm(e, libm, t, 1, &x);
    emit_if_else(e, 1, &result);
    result = sine_of(e, x, shift);
    emit_if_end(e, 1, &result);
    return result;
}

EmitValue math_sin(Emit *e, EmitValue x) {
    EmitValue result = sine_or_libm(e, x, 0, "sinf");
    EmitValue zero = number(e, x, 0.0);
    EmitValue is_zero = emit_compare(e, EMIT_FEQ, x, zero); /* keeps -0 */
    return emit_select(e, is_zero, x, result);
}
EmitValue math_cos(Emit *e, EmitValue x) {
    return sine_or_libm(e, x, 1, "cosf");
}
