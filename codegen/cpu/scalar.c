/* scalar: one row an op and class of operand says how it becomes code: an operation of the emitter, a function of f32 from math.c, a call of
   libm, or a function here. Integers wrap; division by zero gives 0 and is reported; what TensorFlow defines for edge cases holds here. */
#include "codegen/cpu/scalar.h"
#include "codegen/cpu/math.h"
#include <math.h>

typedef EmitValue ScalarFn(Emit *e, ScalarCall *c);
typedef EmitValue FloatFn(Emit *e, EmitValue x);

static EmitType type(const Emit *e, const ScalarCall *c) { return emit_type(e, c->args[0]); }
static EmitValue whole(const ScalarCall *c, Emit *e, int64_t v) { return emit_int(e, type(e, c), v); }
static EmitValue real(const ScalarCall *c, Emit *e, double v) { return emit_float(e, type(e, c), v); }

EmitValue scalar_multiply_add(Emit *e, EmitValue a, EmitValue b, EmitValue c) {
    if (emit_isa(e)->fma) return emit_fma(e, a, b, c);
    EmitValue product = emit_binary(e, EMIT_MUL, a, b);
    return emit_binary(e, EMIT_ADD, product, c);
}

/* ---- integers */

/* Divides by what cannot trap: 0 becomes 1 with *out_zero set (and the quotient is made 0 by the caller), -1 too with *out_minus_one set. */
static EmitValue safe_divisor(Emit *e, ScalarCall *c, EmitValue *out_minus_one) {
    EmitValue d = c->args[1];
    int64_t constant;
    *out_minus_one = c->zero_divisor = (EmitValue){NULL};
    if (emit_constant_int(e, d, &constant) && constant != 0 && constant != -1) return d;
    EmitValue zero = whole(c, e, 0), one = whole(c, e, 1);
    c->zero_divisor = emit_compare(e, EMIT_EQ, d, zero);
    EmitValue replace = c->zero_divisor;
    if (dtype_is_signed(c->operand)) {
        EmitValue minus_one = whole(c, e, -1);
        *out_minus_one = emit_compare(e, EMIT_EQ, d, minus_one);
        replace = emit_binary(e, EMIT_OR, replace, *out_minus_one);
    }
    return emit_select(e, replace, one, d);
}

/* a / d truncated, d neither 0 nor -1 (or a constant). Vectors have no such instruction: narrow ones divide as floats, which is exact. */
static EmitValue quotient(Emit *e, const ScalarCall *c, EmitValue a, EmitValue d) {
    bool is_signed = dtype_is_signed(c->operand);
    int bits = dtype_info(c->operand)->bits;
    int64_t constant;
    if (type(e, c).lanes == 0 || bits > 32 || emit_constant_int(e, d, &constant)) return emit_binary(e, is_signed ? EMIT_SDIV : EMIT_UDIV, a, d);
    DType wide = bits > 16 ? DTYPE_F64 : DTYPE_F32;
    DType narrow = emit_type(e, a).dtype;
    EmitValue x = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, a, wide);
    EmitValue y = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, d, wide);
    EmitValue q = emit_binary(e, EMIT_DIV, x, y);
    return emit_cast(e, is_signed ? EMIT_FPTOSI : EMIT_FPTOUI, q, narrow);
}

typedef struct { EmitValue quotient, remainder; } Division;

static Division divide(Emit *e, ScalarCall *c, bool floors) {
    EmitValue a = c->args[0], minus_one;
    EmitValue d = safe_divisor(e, c, &minus_one);
    Division r;
    r.quotient = quotient(e, c, a, d);
    EmitValue back = emit_binary(e, EMIT_IMUL, r.quotient, d);
    r.remainder = emit_binary(e, EMIT_ISUB, a, back);
    EmitValue zero = whole(c, e, 0);
    if (floors && dtype_is_signed(c->operand)) {
        EmitValue one = whole(c, e, 1);
        EmitValue differ = emit_binary(e, EMIT_XOR, r.remainder, d);
        EmitValue opposite = emit_compare(e, EMIT_SLT, differ, zero);
        EmitValue inexact = emit_compare(e, EMIT_NE, r.remainder, zero);
        EmitValue fix = emit_binary(e, EMIT_AND, opposite, inexact);
        EmitValue less = emit_binary(e, EMIT_ISUB, r.quotient, one);
        EmitValue more = emit_binary(e, EMIT_IADD, r.remainder, d);
        r.quotient = emit_select(e, fix, less, r.quotient);
        r.remainder = emit_select(e, fix, more, r.remainder);
    }
    if (minus_one.v) { /* divided by 1: the quotient only lacks the sign, the remainder is 0 */
        EmitValue negated = emit_binary(e, EMIT_ISUB, zero, a);
        r.quotient = emit_select(e, minus_one, negated, r.quotient);
    }
    if (c->zero_divisor.v) {
        r.quotient = emit_select(e, c->zero_divisor, zero, r.quotient);
        r.remainder = emit_select(e, c->zero_divisor, zero, r.remainder);
    }
    return r;
}
static EmitValue int_div(Emit *e, ScalarCall *c) { return divide(e, c, false).quotient; }
static EmitValue int_floordiv(Emit *e, ScalarCall *c) { return divide(e, c, true).quotient; }
static EmitValue int_floormod(Emit *e, ScalarCall *c) { return divide(e, c, true).remainder; }
static EmitValue int_truncmod(Emit *e, ScalarCall *c) { return divide(e, c, false).remainder; }

/* By squaring; negative exponents are errors and give 0. */
static EmitValue int_pow(Emit *e, ScalarCall *c) {
    EmitValue zero = whole(c, e, 0), one = whole(c, e, 1);
    EmitValue carried[3] = {one, c->args[0], c->args[1]};
    if (dtype_is_signed(c->operand)) c->zero_divisor = emit_compare(e, EMIT_SLT, c->args[1], zero);
    EmitValue from = emit_index(e, 0), to = emit_index(e, dtype_info(c->operand)->bits), step = emit_index(e, 1);
    emit_for_begin(e, from, to, step, 3, carried);
    EmitValue low = emit_binary(e, EMIT_AND, carried[2], one);
    EmitValue odd = emit_compare(e, EMIT_NE, low, zero);
    EmitValue product = emit_binary(e, EMIT_IMUL, carried[0], carried[1]);
    EmitValue next[3];
    next[0] = emit_select(e, odd, product, carried[0]);
    next[1] = emit_binary(e, EMIT_IMUL, carried[1], carried[1]);
    next[2] = emit_binary(e, EMIT_USHR, carried[2], one);
    emit_for_end(e, 3, next);
    return c->zero_divisor.v ? emit_select(e, c->zero_divisor, zero, next[0]) : next[0];
}

static EmitValue int_neg(Emit *e, ScalarCall *c) {
    EmitValue zero = whole(c, e, 0);
    return emit_binary(e, EMIT_ISUB, zero, c->args[0]);
}
static EmitValue int_abs(Emit *e, ScalarCall *c) {
    EmitValue negated = int_neg(e, c);
    return emit_binary(e, EMIT_SMAX, c->args[0], negated);
}
static EmitValue same(Emit *e, ScalarCall *c) { (void)e; return c->args[0]; }
static EmitValue uint_sign(Emit *e, ScalarCall *c) {
    EmitValue one = whole(c, e, 1);
    return emit_binary(e, EMIT_UMIN, c->args[0], one);
}
static EmitValue sint_sign(Emit *e, ScalarCall *c) {
    EmitValue one = whole(c, e, 1), minus_one = whole(c, e, -1);
    EmitValue most = emit_binary(e, EMIT_SMIN, c->args[0], one);
    return emit_binary(e, EMIT_SMAX, most, minus_one);
}
static EmitValue int_not(Emit *e, ScalarCall *c) {
    EmitValue ones = whole(c, e, -1);
    return emit_binary(e, EMIT_XOR, c->args[0], ones);
}
static EmitValue int_popcount(Emit *e, ScalarCall *c) { return emit_unary(e, EMIT_CTPOP, c->args[0]); }

static EmitValue shift_count(Emit *e, ScalarCall *c) {
    EmitValue most = whole(c, e, dtype_info(c->operand)->bits - 1);
    if (!dtype_is_signed(c->operand)) return emit_binary(e, EMIT_UMIN, c->args[1], most);
    EmitValue zero = whole(c, e, 0);
    EmitValue count = emit_binary(e, EMIT_SMAX, c->args[1], zero);
    return emit_binary(e, EMIT_SMIN, count, most);
}
static EmitValue int_shl(Emit *e, ScalarCall *c) {
    EmitValue count = shift_count(e, c);
    return emit_binary(e, EMIT_SHL, c->args[0], count);
}
static EmitValue int_shr(Emit *e, ScalarCall *c) {
    EmitValue count = shift_count(e, c);
    return emit_binary(e, dtype_is_signed(c->operand) ? EMIT_SSHR : EMIT_USHR, c->args[0], count);
}

/* ---- floats */

static EmitValue float_floordiv(Emit *e, ScalarCall *c) {
    EmitValue q = emit_binary(e, EMIT_DIV, c->args[0], c->args[1]);
    return emit_unary(e, EMIT_FLOOR, q);
}
static EmitValue float_truncmod(Emit *e, ScalarCall *c) {
    EmitType t = type(e, c);
    return emit_call_libm(e, t.dtype == DTYPE_F64 ? "fmod" : "fmodf", t, 2, c->args);
}
static EmitValue float_floormod(Emit *e, ScalarCall *c) {
    EmitValue r = float_truncmod(e, c), zero = real(c, e, 0.0);
    EmitValue below = emit_compare(e, EMIT_FLT, c->args[1], zero);
    EmitValue r_below = emit_compare(e, EMIT_FLT, r, zero);
    EmitValue differ = emit_binary(e, EMIT_XOR, below, r_below);
    EmitValue some = emit_compare(e, EMIT_FNE, r, zero);
    EmitValue fix = emit_binary(e, EMIT_AND, differ, some);
    EmitValue sum = emit_binary(e, EMIT_ADD, r, c->args[1]);
    return emit_select(e, fix, sum, r);
}
static EmitValue float_sign(Emit *e, ScalarCall *c) {
    EmitValue zero = real(c, e, 0.0), one = real(c, e, 1.0), minus_one = real(c, e, -1.0);
    EmitValue above = emit_compare(e, EMIT_FGT, c->args[0], zero), below = emit_compare(e, EMIT_FLT, c->args[0], zero);
    EmitValue rest = emit_select(e, below, minus_one, c->args[0]);
    return emit_select(e, above, one, rest);
}
static EmitValue float_rsqrt(Emit *e, ScalarCall *c) {
    EmitValue root = emit_unary(e, EMIT_SQRT, c->args[0]), one = real(c, e, 1.0);
    return emit_binary(e, EMIT_DIV, one, root);
}
static EmitValue float_pow(Emit *e, ScalarCall *c) {
    double y;
    EmitValue x = c->args[0];
    EmitType t = type(e, c);
    if (emit_constant_float(e, c->args[1], &y)) { /* where a product rounds as well as pow does */
        if (y == 1.0) return x;
        if (y == 2.0) return emit_binary(e, EMIT_MUL, x, x);
        if (y == 3.0) {
            EmitValue square = emit_binary(e, EMIT_MUL, x, x);
            return emit_binary(e, EMIT_MUL, square, x);
        }
    }
    return emit_call_libm(e, t.dtype == DTYPE_F64 ? "pow" : "powf", t, 2, c->args);
}
static EmitValue float_isnan(Emit *e, ScalarCall *c) { return emit_compare(e, EMIT_FUNO, c->args[0], c->args[0]); }
static EmitValue float_isinf(Emit *e, ScalarCall *c) {
    EmitValue size = emit_unary(e, EMIT_FABS, c->args[0]), infinity = real(c, e, INFINITY);
    return emit_compare(e, EMIT_FEQ, size, infinity);
}
static EmitValue float_isfinite(Emit *e, ScalarCall *c) {
    EmitValue size = emit_unary(e, EMIT_FABS, c->args[0]), infinity = real(c, e, INFINITY);
    return emit_compare(e, EMIT_FLT, size, infinity);
}

/* ref's definitions, for f64, where the parts are libm calls anyway. */
static EmitValue wide_sigmoid(Emit *e, ScalarCall *c) {
    EmitValue negated = emit_unary(e, EMIT_NEG, c->args[0]), one = real(c, e, 1.0);
    EmitValue t = emit_call_libm(e, "exp", type(e, c), 1, &negated);
    EmitValue sum = emit_binary(e, EMIT_ADD, one, t);
    return emit_binary(e, EMIT_DIV, one, sum);
}
static EmitValue wide_softplus(Emit *e, ScalarCall *c) {
    EmitValue size = emit_unary(e, EMIT_FABS, c->args[0]), zero = real(c, e, 0.0);
    EmitValue negated = emit_unary(e, EMIT_NEG, size);
    EmitValue t = emit_call_libm(e, "exp", type(e, c), 1, &negated);
    EmitValue rest = emit_call_libm(e, "log1p", type(e, c), 1, &t);
    EmitValue positive = emit_binary(e, EMIT_MAX, c->args[0], zero);
    return emit_binary(e, EMIT_ADD, positive, rest);
}

/* ---- conversions */

static bool is_float(DType t) { return dtype_info(t)->class_ == CLASS_FLOAT; }

EmitValue scalar_from_memory(Emit *e, EmitValue v, DType t) {
    EmitType m = emit_type(e, v);
    if (t == DTYPE_F16) return emit_cast(e, EMIT_FPEXT, v, DTYPE_F32);
    if (t == DTYPE_BF16) {
        EmitValue bits = emit_cast(e, EMIT_BITS, v, DTYPE_U16);
        bits = emit_cast(e, EMIT_ZEXT, bits, DTYPE_U32);
        EmitValue by = emit_int(e, emit_type(e, bits), 16);
        bits = emit_binary(e, EMIT_SHL, bits, by);
        return emit_cast(e, EMIT_BITS, bits, DTYPE_F32);
    }
    if (t == DTYPE_S4) {
        EmitValue four = emit_int(e, m, 4);
        EmitValue up = emit_binary(e, EMIT_SHL, v, four);
        return emit_binary(e, EMIT_SSHR, up, four);
    }
    if (t != DTYPE_F8E4M3 && t != DTYPE_F8E5M2) return v;
    /* e5m2 is the upper half of an f16; e4m3 fits into one with the exponent 8 too small. */
    EmitValue wide = emit_cast(e, EMIT_ZEXT, v, DTYPE_U16);
    EmitType w = emit_type(e, wide);
    EmitValue eight = emit_int(e, w, 8);
    if (t == DTYPE_F8E5M2) {
        wide = emit_binary(e, EMIT_SHL, wide, eight);
        EmitValue half = emit_cast(e, EMIT_BITS, wide, DTYPE_F16);
        return emit_cast(e, EMIT_FPEXT, half, DTYPE_F32);
    }
    EmitValue size_mask = emit_int(e, w, 0x7f), sign_mask = emit_int(e, w, 0x80), seven = emit_int(e, w, 7);
    EmitValue size = emit_binary(e, EMIT_AND, wide, size_mask), sign = emit_binary(e, EMIT_AND, wide, sign_mask);
    EmitValue is_nan = emit_compare(e, EMIT_EQ, size, size_mask);
    size = emit_binary(e, EMIT_SHL, size, seven);
    sign = emit_binary(e, EMIT_SHL, sign, eight);
    EmitValue bits = emit_binary(e, EMIT_OR, size, sign);
    EmitValue half = emit_cast(e, EMIT_BITS, bits, DTYPE_F16);
    EmitValue x = emit_cast(e, EMIT_FPEXT, half, DTYPE_F32);
    EmitValue up = emit_float(e, emit_type(e, x), 256.0), nan = emit_float(e, emit_type(e, x), NAN);
    x = emit_binary(e, EMIT_MUL, x, up);
    return emit_select(e, is_nan, nan, x);
}

/* Bits of an f32 rounded to the nearest with the lowest `drop` bits zero, ties to even. */
static EmitValue round_bits(Emit *e, EmitValue bits, int drop) {
    EmitType t = emit_type(e, bits);
    EmitValue by = emit_int(e, t, drop), one = emit_int(e, t, 1), half = emit_int(e, t, ((int64_t)1 << (drop - 1)) - 1);
    EmitValue last = emit_binary(e, EMIT_USHR, bits, by);
    last = emit_binary(e, EMIT_AND, last, one);
    EmitValue sum = emit_binary(e, EMIT_IADD, bits, half);
    return emit_binary(e, EMIT_IADD, sum, last);
}

static EmitValue bf16_bits(Emit *e, EmitValue x) {
    EmitValue bits = emit_cast(e, EMIT_BITS, x, DTYPE_S32);
    EmitType t = emit_type(e, bits);
    EmitValue quiet = emit_int(e, t, 0x400000), high = emit_int(e, t, -65536);
    EmitValue rounded = round_bits(e, bits, 16);
    EmitValue nan_bits = emit_binary(e, EMIT_OR, bits, quiet);
    EmitValue is_nan = emit_compare(e, EMIT_FUNO, x, x);
    rounded = emit_select(e, is_nan, nan_bits, rounded);
    return emit_binary(e, EMIT_AND, rounded, high);
}

/* e4m3 and e5m2: the exponent field of f32 moved to the narrow bias; below its smallest normal number, an addition whose last place is
   the smallest denormal rounds for us. */
static EmitValue f8_from_f32(Emit *e, EmitValue x, int mantissa, int bias) {
    int64_t largest = mantissa == 3 ? 0x7e : 0x7b, overflow = mantissa == 3 ? 0x7f : 0x7c, nan = mantissa == 3 ? 0x7f : 0x7e;
    EmitType f = emit_type(e, x);
    EmitType t = {DTYPE_S32, f.lanes};
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue bits = emit_cast(e, EMIT_BITS, size, DTYPE_S32);
    EmitValue drop = emit_int(e, t, 23 - mantissa), rebias = emit_int(e, t, (int64_t)(127 - bias) << mantissa);
    EmitValue normal = round_bits(e, bits, 23 - mantissa);
    normal = emit_binary(e, EMIT_USHR, normal, drop);
    normal = emit_binary(e, EMIT_ISUB, normal, rebias);
    EmitValue magic = emit_float(e, f, ldexp(1.0, 1 - bias - mantissa + 23));
    EmitValue magic_bits = emit_cast(e, EMIT_BITS, magic, DTYPE_S32);
    EmitValue moved = emit_binary(e, EMIT_ADD, size, magic);
    EmitValue denormal = emit_cast(e, EMIT_BITS, moved, DTYPE_S32);
    denormal = emit_binary(e, EMIT_ISUB, denormal, magic_bits);
    EmitValue least = emit_float(e, f, ldexp(1.0, 1 - bias));
    EmitValue is_small = emit_compare(e, EMIT_FLT, size, least), is_nan = emit_compare(e, EMIT_FUNO, x, x);
    EmitValue code = emit_select(e, is_small, denormal, normal);
    EmitValue most = emit_int(e, t, largest), over = emit_int(e, t, overflow), nan_code = emit_int(e, t, nan);
    EmitValue is_large = emit_compare(e, EMIT_SGT, code, most);
    code = emit_select(e, is_large, over, code);
    code = emit_select(e, is_nan, nan_code, code);
    EmitValue all = emit_cast(e, EMIT_BITS, x, DTYPE_S32), to_sign = emit_int(e, t, 24), sign_mask = emit_int(e, t, 0x80);
    EmitValue sign = emit_binary(e, EMIT_USHR, all, to_sign);
    sign = emit_binary(e, EMIT_AND, sign, sign_mask);
    code = emit_binary(e, EMIT_OR, code, sign);
    return emit_cast(e, EMIT_ITRUNC, code, DTYPE_U8);
}

EmitValue scalar_to_memory(Emit *e, EmitValue v, DType t) {
    switch (t) {
    case DTYPE_F16: return emit_cast(e, EMIT_FPTRUNC, v, DTYPE_F16);
    case DTYPE_F8E4M3: return f8_from_f32(e, v, 3, 7);
    case DTYPE_F8E5M2: return f8_from_f32(e, v, 2, 15);
    case DTYPE_BF16: break;
    default: return v;
    }
    EmitValue bits = bf16_bits(e, v);
    EmitValue by = emit_int(e, emit_type(e, bits), 16);
    bits = emit_binary(e, EMIT_USHR, bits, by);
    bits = emit_cast(e, EMIT_ITRUNC, bits, DTYPE_U16);
    return emit_cast(e, EMIT_BITS, bits, DTYPE_BF16);
}

/* A result in the short float types is rounded to them, as one op after the other would be. */
static EmitValue round_to(Emit *e, EmitValue x, DType t) {
    if (t == DTYPE_BF16) {
        EmitValue bits = bf16_bits(e, x);
        return emit_cast(e, EMIT_BITS, bits, DTYPE_F32);
    }
    if (t != DTYPE_F16 && t != DTYPE_F8E4M3 && t != DTYPE_F8E5M2) return x;
    EmitValue narrow = scalar_to_memory(e, x, t);
    return scalar_from_memory(e, narrow, t);
}

/* As x86 does it for TensorFlow: through 32 or 64 signed bits, then the low ones. */
static EmitValue int_from_float(Emit *e, EmitValue x, DType to) {
    int bits = dtype_info(to)->bits;
    if (to == DTYPE_U64) {
        EmitType t = emit_type(e, x);
        EmitValue edge = emit_float(e, t, 0x1p63);
        EmitValue end = emit_float(e, t, 0x1p64);
        EmitValue is_large = emit_compare(e, EMIT_FGE, x, edge), fits = emit_compare(e, EMIT_FLT, x, end);
        is_large = emit_binary(e, EMIT_AND, is_large, fits);
        EmitValue less = emit_binary(e, EMIT_SUB, x, edge);
        EmitValue from = emit_select(e, is_large, less, x);
        EmitValue low = emit_cast(e, EMIT_FPTOSI, from, DTYPE_S64);
        EmitValue top = emit_int(e, emit_type(e, low), INT64_MIN);
        EmitValue high = emit_binary(e, EMIT_XOR, low, top);
        return emit_select(e, is_large, high, low);
    }
    DType through = to == DTYPE_S64 || to == DTYPE_U32 ? DTYPE_S64 : DTYPE_S32;
    EmitValue v = emit_cast(e, EMIT_FPTOSI, x, through);
    return bits < dtype_info(through)->bits ? emit_cast(e, EMIT_ITRUNC, v, to) : v;
}

static EmitValue cast(Emit *e, ScalarCall *c) {
    DType from = c->operand, to = c->result;
    EmitValue x = c->args[0];
    EmitType t = type(e, c);
    if (from == to) return x;
    if (to == DTYPE_BOOL) {
        EmitValue zero = emit_int(e, t, 0);
        return is_float(from) ? emit_compare(e, EMIT_FNE, x, zero) : emit_compare(e, EMIT_NE, x, zero);
    }
    if (is_float(from) && !is_float(to)) {
        x = int_from_float(e, x, to);
    } else if (is_float(from)) {
        DType have = t.dtype, want = to == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
        if (have != want) x = emit_cast(e, want == DTYPE_F64 ? EMIT_FPEXT : EMIT_FPTRUNC, x, want);
        return round_to(e, x, to);
    } else if (is_float(to)) {
        bool is_signed = dtype_is_signed(from);
        x = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, x, to == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32);
        return round_to(e, x, to);
    } else {
        int have = from == DTYPE_BOOL ? 1 : dtype_info(from)->bits, want = dtype_info(to)->bits;
        if (have > want) x = emit_cast(e, EMIT_ITRUNC, x, to);
        if (have < want) x = emit_cast(e, dtype_is_signed(from) ? EMIT_SEXT : EMIT_ZEXT, x, to);
    }
    return to == DTYPE_S4 ? scalar_from_memory(e, x, DTYPE_S4) : x;
}

/* Same bits, other type. Short floats are f32 in registers: by way of their memory form. */
static EmitValue bitcast(Emit *e, ScalarCall *c) {
    EmitValue bits = scalar_to_memory(e, c->args[0], c->operand);
    if (c->operand == DTYPE_BOOL && c->result != DTYPE_BOOL) bits = emit_cast(e, EMIT_ZEXT, bits, DTYPE_U8);
    if (c->result == DTYPE_BOOL) {
        EmitValue zero = emit_int(e, emit_type(e, bits), 0);
        return c->operand == DTYPE_BOOL ? bits : emit_compare(e, EMIT_NE, bits, zero);
    }
    bits = emit_cast(e, EMIT_BITS, bits, c->result == DTYPE_F8E4M3 || c->result == DTYPE_F8E5M2 ? DTYPE_U8 : c->result);
    return scalar_from_memory(e, bits, c->result);
}

/* ---- the table */

typedef struct {
    enum { NO_WAY, BINARY, UNARY, COMPARE, FUNCTION, LIBM } way;
    int op;               /* EmitBinary, EmitUnary or EmitCompare */
    ScalarFn *function;
    FloatFn *f32;         /* LIBM: the expansion used for f32 in place of the call */
    const char *libm;     /* name for f64; f32 has an f behind it */
    int n;                /* LIBM: arguments */
} Way;

enum { OF_FLOAT, OF_SINT, OF_UINT, OF_BOOL, N_OF };

#define B(o) {.way = BINARY, .op = EMIT_##o}
#define U(o) {.way = UNARY, .op = EMIT_##o}
#define C(o) {.way = COMPARE, .op = EMIT_##o}
#define F(f) {.way = FUNCTION, .function = f}
#define L(name, expansion) {.way = LIBM, .libm = name, .f32 = expansion, .n = 1}
#define L2(name) {.way = LIBM, .libm = name, .n = 2}
#define NO {.way = NO_WAY}
/* clang-format off: float, signed, unsigned, bool */
static const Way ways[N_OPS][N_OF] = {
    [OP_ADD] = {B(ADD), B(IADD), B(IADD), NO},
    [OP_SUB] = {B(SUB), B(ISUB), B(ISUB), NO},
    [OP_MUL] = {B(MUL), B(IMUL), B(IMUL), NO},
    [OP_DIV] = {B(DIV), F(int_div), F(int_div), NO},
    [OP_FLOORDIV] = {F(float_floordiv), F(int_floordiv), F(int_floordiv), NO},
    [OP_FLOORMOD] = {F(float_floormod), F(int_floormod), F(int_floormod), NO},
    [OP_TRUNCMOD] = {F(float_truncmod), F(int_truncmod), F(int_truncmod), NO},
    [OP_POW] = {F(float_pow), F(int_pow), F(int_pow), NO},
    [OP_MAX] = {B(MAX), B(SMAX), B(UMAX), B(OR)},
    [OP_MIN] = {B(MIN), B(SMIN), B(UMIN), B(AND)},
    [OP_ATAN2] = {L2("atan2"), NO, NO, NO},
    [OP_NEXTAFTER] = {L2("nextafter"), NO, NO, NO},
    [OP_NEG] = {U(NEG), F(int_neg), F(int_neg), NO},
    [OP_ABS] = {U(FABS), F(int_abs), F(same), NO},
    [OP_SIGN] = {F(float_sign), F(sint_sign), F(uint_sign), NO},
    [OP_FLOOR] = {U(FLOOR), NO, NO, NO},
    [OP_CEIL] = {U(CEIL), NO, NO, NO},
    [OP_ROUND] = {U(ROUNDEVEN), NO, NO, NO},
    [OP_TRUNC] = {U(TRUNC), NO, NO, NO},
    [OP_SQRT] = {U(SQRT), NO, NO, NO},
    [OP_RSQRT] = {F(float_rsqrt), NO, NO, NO},
    [OP_EXP] = {L("exp", math_exp), NO, NO, NO},
    [OP_EXPM1] = {L("expm1", math_expm1), NO, NO, NO},
    [OP_LOG] = {L("log", math_log), NO, NO, NO},
    [OP_LOG1P] = {L("log1p", math_log1p), NO, NO, NO},
    [OP_SIN] = {L("sin", math_sin), NO, NO, NO},
    [OP_COS] = {L("cos", math_cos), NO, NO, NO},
    [OP_TAN] = {L("tan", NULL), NO, NO, NO},
    [OP_ASIN] = {L("asin", NULL), NO, NO, NO},
    [OP_ACOS] = {L("acos", NULL), NO, NO, NO},
    [OP_ATAN] = {L("atan", NULL), NO, NO, NO},
    [OP_SINH] = {L("sinh", NULL), NO, NO, NO},
    [OP_COSH] = {L("cosh", NULL), NO, NO, NO},
    [OP_TANH] = {L("tanh", math_tanh), NO, NO, NO},
    [OP_ASINH] = {L("asinh", NULL), NO, NO, NO},
    [OP_ACOSH] = {L("acosh", NULL), NO, NO, NO},
    [OP_ATANH] = {L("atanh", NULL), NO, NO, NO},
    [OP_ERF] = {L("erf", math_erf), NO, NO, NO},
    [OP_ERFC] = {L("erfc", math_erfc), NO, NO, NO},
    [OP_SIGMOID] = {{.way = FUNCTION, .function = wide_sigmoid, .f32 = math_sigmoid}, NO, NO, NO},
    [OP_SOFTPLUS] = {{.way = FUNCTION, .function = wide_softplus, .f32 = math_softplus}, NO, NO, NO},
    [OP_ISNAN] = {F(float_isnan), NO, NO, NO},
    [OP_ISINF] = {F(float_isinf), NO, NO, NO},
    [OP_ISFINITE] = {F(float_isfinite), NO, NO, NO},
    [OP_EQ] = {C(FEQ), C(EQ), C(EQ), C(EQ)},
    [OP_NE] = {C(FNE), C(NE), C(NE), C(NE)},
    [OP_LT] = {C(FLT), C(SLT), C(ULT), C(ULT)},
    [OP_LE] = {C(FLE), C(SLE), C(ULE), C(ULE)},
    [OP_GT] = {C(FGT), C(SGT), C(UGT), C(UGT)},
    [OP_GE] = {C(FGE), C(SGE), C(UGE), C(UGE)},
    [OP_AND] = {NO, B(AND), B(AND), B(AND)},
    [OP_OR] = {NO, B(OR), B(OR), B(OR)},
    [OP_XOR] = {NO, B(XOR), B(XOR), B(XOR)},
    [OP_NOT] = {NO, F(int_not), F(int_not), F(int_not)},
    [OP_SHL] = {NO, F(int_shl), F(int_shl), NO},
    [OP_SHR] = {NO, F(int_shr), F(int_shr), NO},
    [OP_POPCOUNT] = {NO, F(int_popcount), F(int_popcount), NO},
    [OP_CAST] = {F(cast), F(cast), F(cast), F(cast)},
    [OP_BITCAST] = {F(bitcast), F(bitcast), F(bitcast), F(bitcast)},
};
/* clang-format on */

static int class_of(DType t) {
    switch (dtype_info(t)->class_) {
    case CLASS_FLOAT: return OF_FLOAT;
    case CLASS_SINT: return OF_SINT;
    case CLASS_UINT: return OF_UINT;
    case CLASS_BOOLEAN: return OF_BOOL;
    default: return -1;
    }
}

bool scalar_may_fail(OpId op, DType operand) {
    if (is_float(operand)) return false;
    return op == OP_DIV || op == OP_FLOORDIV || op == OP_FLOORMOD || op == OP_TRUNCMOD || (op == OP_POW && dtype_is_signed(operand));
}

EmitValue scalar_emit(Emit *e, ScalarCall *c) {
    c->zero_divisor = (EmitValue){NULL};
    if (c->op == OP_SELECT) return emit_select(e, c->args[0], c->args[1], c->args[2]);
    int class_ = class_of(c->operand);
    const Way *w = class_ < 0 ? NULL : &ways[c->op][class_];
    if (!w || w->way == NO_WAY) BUG("no code for %s of %s", op_info(c->op)->text, dtype_info(c->operand)->text);
    EmitType t = type(e, c);
    EmitValue r;
    if (w->f32 && t.dtype == DTYPE_F32) {
        r = w->f32(e, c->args[0]);
    } else switch (w->way) {
    case BINARY: r = emit_binary(e, (EmitBinary)w->op, c->args[0], c->args[1]); break;
    case UNARY: r = emit_unary(e, (EmitUnary)w->op, c->args[0]); break;
    case COMPARE: r = emit_compare(e, (EmitCompare)w->op, c->args[0], c->args[1]); break;
    case FUNCTION: r = w->function(e, c); break;
    default: {
        char name[16];
        snprintf(name, sizeof name, "%s%s", w->libm, t.dtype == DTYPE_F64 ? "" : "f");
        r = emit_call_libm(e, name, t, w->n, c->args);
    }
    }
    bool rounds = c->op != OP_CAST && c->op != OP_BITCAST && is_float(c->result);
    r = rounds ? round_to(e, r, c->result) : r;
    if (c->result == DTYPE_S4 && c->op != OP_CAST) r = scalar_from_memory(e, r, DTYPE_S4);
    return r;
}
