/* scalar_int: integer ops that are more than one operation. They wrap; a division by zero gives 0 and is reported, the
   least integer divided by -1 is itself; shift counts are clamped. */
#include "codegen/cpu/scalar_rows.h"

static EmitType type(const Emit *e, const ScalarCall *c) {
    return emit_type(e, c->args[0]);
}
static EmitValue whole(const ScalarCall *c, Emit *e, int64_t v) {
    return emit_int(e, type(e, c), v);
}

/* Divides by what cannot trap: 0 becomes 1 with *out_zero set (and the quotient is made 0 by the caller), -1 too with
 * *out_minus_one set. */
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

/* a / d truncated, d neither 0 nor -1 (or a constant). Vectors have no such instruction: narrow ones divide as floats,
 * which is exact. */
static EmitValue quotient(Emit *e, const ScalarCall *c, EmitValue a, EmitValue d) {
    bool is_signed = dtype_is_signed(c->operand);
    int bits = dtype_info(c->operand)->bits;
    int64_t constant;
    if (type(e, c).lanes == 0 || bits > 32 || emit_constant_int(e, d, &constant))
        return emit_binary(e, is_signed ? EMIT_SDIV : EMIT_UDIV, a, d);
    DType wide = bits > 16 ? DTYPE_F64 : DTYPE_F32;
    DType narrow = emit_type(e, a).dtype;
    EmitValue x = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, a, wide);
    EmitValue y = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, d, wide);
    EmitValue q = emit_binary(e, EMIT_DIV, x, y);
    return emit_cast(e, is_signed ? EMIT_FPTOSI : EMIT_FPTOUI, q, narrow);
}

typedef struct {
    EmitValue quotient, remainder;
} Division;

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
EmitValue int_div(Emit *e, ScalarCall *c) {
    return divide(e, c, false).quotient;
}
EmitValue int_floordiv(Emit *e, ScalarCall *c) {
    return divide(e, c, true).quotient;
}
EmitValue int_floormod(Emit *e, ScalarCall *c) {
    return divide(e, c, true).remainder;
}
EmitValue int_truncmod(Emit *e, ScalarCall *c) {
    return divide(e, c, false).remainder;
}

/* By squaring; negative exponents are errors and give 0. */
EmitValue int_pow(Emit *e, ScalarCall *c) {
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

EmitValue int_neg(Emit *e, ScalarCall *c) {
    EmitValue zero = whole(c, e, 0);
    return emit_binary(e, EMIT_ISUB, zero, c->args[0]);
}
EmitValue int_abs(Emit *e, ScalarCall *c) {
    EmitValue negated = int_neg(e, c);
    return emit_binary(e, EMIT_SMAX, c->args[0], negated);
}
EmitValue uint_sign(Emit *e, ScalarCall *c) {
    EmitValue one = whole(c, e, 1);
    return emit_binary(e, EMIT_UMIN, c->args[0], one);
}
EmitValue sint_sign(Emit *e, ScalarCall *c) {
    EmitValue one = whole(c, e, 1), minus_one = whole(c, e, -1);
    EmitValue most = emit_binary(e, EMIT_SMIN, c->args[0], one);
    return emit_binary(e, EMIT_SMAX, most, minus_one);
}
EmitValue int_not(Emit *e, ScalarCall *c) {
    EmitValue ones = whole(c, e, -1);
    return emit_binary(e, EMIT_XOR, c->args[0], ones);
}
EmitValue int_popcount(Emit *e, ScalarCall *c) {
    return emit_unary(e, EMIT_CTPOP, c->args[0]);
}

static EmitValue shift_count(Emit *e, ScalarCall *c) {
    EmitValue most = whole(c, e, dtype_info(c->operand)->bits - 1);
    if (!dtype_is_signed(c->operand)) return emit_binary(e, EMIT_UMIN, c->args[1], most);
    EmitValue zero = whole(c, e, 0);
    EmitValue count = emit_binary(e, EMIT_SMAX, c->args[1], zero);
    return emit_binary(e, EMIT_SMIN, count, most);
}
EmitValue int_shl(Emit *e, ScalarCall *c) {
    EmitValue count = shift_count(e, c);
    return emit_binary(e, EMIT_SHL, c->args[0], count);
}
EmitValue int_shr(Emit *e, ScalarCall *c) {
    EmitValue count = shift_count(e, c);
    return emit_binary(e, dtype_is_signed(c->operand) ? EMIT_SSHR : EMIT_USHR, c->args[0], count);
}
