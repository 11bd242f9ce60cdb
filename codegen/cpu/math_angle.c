/* math_angle: the inverse trigonometric functions. All are the angle of a point: of two lengths the shorter by the
   longer is a tangent t in 0..1, atan t = t + t^3 P(t^2) with P a minimax fit (Lawson's iteration, relative error
   2^-25), and the octant says what to subtract it from. asin x is the angle of (sqrt(1 - x^2), x), acos x that of its
   mirror image. */
#include "codegen/cpu/math.h"
#include "codegen/cpu/scalar.h"
#include <math.h>

static const double atan_tail[] = {-0x1.5554dcp-2, 0x1.9978f4p-3, -0x1.230adap-3, 0x1.b4e118p-4,
                                   -0x1.35568ap-4, 0x1.61fd6cp-5, -0x1.0c2b84p-6, 0x1.7ed0fcp-9};

static EmitValue number(Emit *e, EmitValue like, double v) {
    return emit_float(e, emit_type(e, like), v);
}
static EmitValue bits_number(Emit *e, EmitValue like, int64_t v) {
    return emit_int(e, (EmitType){DTYPE_S32, emit_type(e, like).lanes}, v);
}

/* high + low - r where the condition holds, else r; high + low is an angle in two parts. */
static EmitValue reflect(Emit *e, EmitValue condition, EmitValue r, double high, double low) {
    EmitValue most = number(e, r, high), rest = number(e, r, low);
    EmitValue other = emit_binary(e, EMIT_SUB, most, r);
    other = emit_binary(e, EMIT_ADD, other, rest);
    return emit_select(e, condition, other, r);
}

EmitValue math_atan2(Emit *e, EmitValue y, EmitValue x) {
    EmitValue zero = number(e, x, 0.0), one = number(e, x, 1.0);
    EmitValue along = emit_unary(e, EMIT_FABS, x), up = emit_unary(e, EMIT_FABS, y);
    EmitValue steep = emit_compare(e, EMIT_FGT, up, along);
    EmitValue longer = emit_select(e, steep, up, along), shorter = emit_select(e, steep, along, up);
    EmitValue t = emit_binary(e, EMIT_DIV, shorter, longer);
    EmitValue alike = emit_compare(e, EMIT_FEQ, shorter, longer); /* the diagonal exactly; both infinite, too */
    t = emit_select(e, alike, one, t);
    EmitValue nowhere = emit_compare(e, EMIT_FEQ, longer, zero);
    EmitValue square = emit_binary(e, EMIT_MUL, t, t), cube = emit_binary(e, EMIT_MUL, square, t);
    EmitValue tail = math_polynomial(e, square, atan_tail, (int)ARRAY_LEN(atan_tail));
    EmitValue r = scalar_multiply_add(e, cube, tail, t), diagonal = number(e, x, 0x1.921fb6p-1);
    r = emit_select(e, alike, diagonal, r);
    r = emit_select(e, nowhere, zero, r);
    r = reflect(e, steep, r, 0x1.921fb6p+0, -0x1.777a5cp-25);
    EmitValue x_bits = emit_cast(e, EMIT_BITS, x, DTYPE_S32), none = bits_number(e, x, 0);
    EmitValue behind = emit_compare(e, EMIT_SLT, x_bits, none); /* -0 as well */
    r = reflect(e, behind, r, 0x1.921fb6p+1, -0x1.777a5cp-24);
    EmitValue y_bits = emit_cast(e, EMIT_BITS, y, DTYPE_S32), sign = bits_number(e, x, INT32_MIN);
    sign = emit_binary(e, EMIT_AND, y_bits, sign);
    EmitValue r_bits = emit_cast(e, EMIT_BITS, r, DTYPE_S32);
    r_bits = emit_binary(e, EMIT_OR, r_bits, sign);
    r = emit_cast(e, EMIT_BITS, r_bits, DTYPE_F32);
    EmitValue unordered = emit_compare(e, EMIT_FUNO, x, y), nan = emit_binary(e, EMIT_ADD, x, y);
    return emit_select(e, unordered, nan, r);
}

EmitValue math_atan(Emit *e, EmitValue x) {
    EmitValue one = number(e, x, 1.0);
    return math_atan2(e, x, one);
}

/* sqrt(1 - x^2) without losing what x^2 rounds away near 1. */
static EmitValue other_leg(Emit *e, EmitValue x) {
    EmitValue one = number(e, x, 1.0);
    EmitValue below = emit_binary(e, EMIT_SUB, one, x), above = emit_binary(e, EMIT_ADD, one, x);
    EmitValue product = emit_binary(e, EMIT_MUL, below, above);
    return emit_unary(e, EMIT_SQRT, product);
}

EmitValue math_asin(Emit *e, EmitValue x) {
    EmitValue leg = other_leg(e, x);
    return math_atan2(e, x, leg);
}

EmitValue math_acos(Emit *e, EmitValue x) {
    EmitValue leg = other_leg(e, x);
    return math_atan2(e, leg, x);
}
