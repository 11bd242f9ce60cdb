/* scalar: one row an op and class of operand says how it becomes code: an operation of the emitter, a function of f32
   from math.c, a call of libm, or a function here. Integers wrap; division by zero gives 0 and is reported; what
   TensorFlow defines for edge cases holds here. */
#include "codegen/cpu/scalar_rows.h"
#include "codegen/cpu/math.h"
#include <math.h>
#include <stdio.h>

typedef EmitValue FloatFn(Emit *e, EmitValue x);

static EmitType type(const Emit *e, const ScalarCall *c) {
    return emit_type(e, c->args[0]);
}
static EmitValue real(const ScalarCall *c, Emit *e, double v) {
    return emit_float(e, type(e, c), v);
}
static bool is_float(DType t) {
    return dtype_info(t)->class_ == CLASS_FLOAT;
}

EmitValue scalar_multiply_add(Emit *e, EmitValue a, EmitValue b, EmitValue c) {
    if (emit_isa(e)->fma) return emit_fma(e, a, b, c);
    EmitValue product = emit_binary(e, EMIT_MUL, a, b);
    return emit_binary(e, EMIT_ADD, product, c);
}
static EmitValue same(Emit *e, ScalarCall *c) {
    (void)e;
    return c->args[0];
}

/* ---- floats */

static EmitValue float_floordiv(Emit *e, ScalarCall *c) {
    EmitValue q = emit_binary(e, EMIT_DIV, c->args[0], c->args[1]);
    return emit_unary(e, EMIT_FLOOR, q);
}
/* f32: q = |x / y| in f64 has room for q * y without rounding up to 2^29; what is further apart goes to libm. */
static EmitValue float_truncmod(Emit *e, ScalarCall *c) {
    EmitType t = type(e, c);
    if (t.dtype == DTYPE_F64) return emit_call_libm(e, "fmod", t, 2, c->args);
    EmitValue wide[2];
    for (int i = 0; i < 2; i++) {
        EmitValue size = emit_unary(e, EMIT_FABS, c->args[i]);
        wide[i] = emit_cast(e, EMIT_FPEXT, size, DTYPE_F64);
    }
    EmitType wide_type = emit_type(e, wide[0]);
    EmitValue q = emit_binary(e, EMIT_DIV, wide[0], wide[1]), edge = emit_float(e, wide_type, 0x1p28),
              zero = emit_float(e, wide_type, 0.0);
    q = emit_unary(e, EMIT_TRUNC, q);
    EmitValue near = emit_compare(e, EMIT_FLT, q, edge), ones = emit_int(e, emit_type(e, near), 1);
    EmitValue far = emit_binary(e, EMIT_XOR, near, ones);
    EmitValue any_far = emit_any(e, far);
    emit_if_begin(e, any_far, 1, &t);
    EmitValue result = emit_call_libm(e, "fmodf", t, 2, c->args);
    emit_if_else(e, 1, &result);
    EmitValue product = emit_binary(e, EMIT_MUL, q, wide[1]), rest = emit_binary(e, EMIT_SUB, wide[0], product);
    EmitValue rounded_up = emit_compare(e, EMIT_FLT, rest, zero), more = emit_binary(e, EMIT_ADD, rest, wide[1]);
    rest = emit_select(e, rounded_up, more, rest);
    EmitValue none = emit_compare(e, EMIT_FEQ, q, zero); /* y may be infinite */
    rest = emit_select(e, none, wide[0], rest);
    result = emit_cast(e, EMIT_FPTRUNC, rest, DTYPE_F32);
    EmitType bits = {DTYPE_S32, t.lanes};
    EmitValue sign = emit_int(e, bits, INT32_MIN), x_bits = emit_cast(e, EMIT_BITS, c->args[0], DTYPE_S32),
              result_bits = emit_cast(e, EMIT_BITS, result, DTYPE_S32);
    sign = emit_binary(e, EMIT_AND, x_bits, sign);
    result_bits = emit_binary(e, EMIT_OR, result_bits, sign);
    result = emit_cast(e, EMIT_BITS, result_bits, DTYPE_F32);
    emit_if_end(e, 1, &result);
    return result;
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
/* The library's log looks at the bits of a denormal, which counts as zero here. */
static EmitValue float_log(Emit *e, ScalarCall *c) {
    EmitType t = type(e, c);
    if (t.dtype != DTYPE_F64) return math_log(e, c->args[0]);
    EmitValue value = emit_call_libm(e, "log", t, 1, c->args), zero = real(c, e, 0.0), least = real(c, e, -INFINITY);
    EmitValue is_zero = emit_compare(e, EMIT_FEQ, c->args[0], zero);
    return emit_select(e, is_zero, least, value);
}
static EmitValue float_atan2(Emit *e, ScalarCall *c) {
    EmitType t = type(e, c);
    if (t.dtype == DTYPE_F64) return emit_call_libm(e, "atan2", t, 2, c->args);
    return math_atan2(e, c->args[0], c->args[1]);
}
static EmitValue float_isnan(Emit *e, ScalarCall *c) {
    return emit_compare(e, EMIT_FUNO, c->args[0], c->args[0]);
}
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

/* ---- the table */

typedef struct {
    enum { NO_WAY, BINARY, UNARY, COMPARE, FUNCTION, LIBM } way;
    int op; /* EmitBinary, EmitUnary or EmitCompare */
    ScalarFn *function;
    FloatFn *f32;     /* LIBM: the expansion used for f32 in place of the call */
    FloatFn *fast;    /* and under --math fast, where that differs */
    const char *libm; /* name for f64; f32 has an f behind it */
    int n;            /* LIBM: arguments */
} Way;

enum { OF_FLOAT, OF_SINT, OF_UINT, OF_BOOL, N_OF };

#define B(o)                                                                                                           \
    { .way = BINARY, .op = EMIT_##o }
#define U(o)                                                                                                           \
    { .way = UNARY, .op = EMIT_##o }
#define C(o)                                                                                                           \
    { .way = COMPARE, .op = EMIT_##o }
#define F(f)                                                                                                           \
    { .way = FUNCTION, .function = f }
#define L(name, expansion)                                                                                             \
    { .way = LIBM, .libm = name, .f32 = expansion, .n = 1 }
#define L2(name)                                                                                                       \
    { .way = LIBM, .libm = name, .n = 2 }
#define NO                                                                                                             \
    { .way = NO_WAY }
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
    [OP_ATAN2] = {F(float_atan2), NO, NO, NO},
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
    [OP_EXP] = {{.way = LIBM, .libm = "exp", .f32 = math_exp, .fast = math_exp_fast, .n = 1}, NO, NO, NO},
    [OP_EXPM1] = {L("expm1", math_expm1), NO, NO, NO},
    [OP_LOG] = {F(float_log), NO, NO, NO},
    [OP_LOG1P] = {L("log1p", math_log1p), NO, NO, NO},
    [OP_SIN] = {L("sin", math_sin), NO, NO, NO},
    [OP_COS] = {L("cos", math_cos), NO, NO, NO},
    [OP_TAN] = {L("tan", NULL), NO, NO, NO},
    [OP_ASIN] = {L("asin", math_asin), NO, NO, NO},
    [OP_ACOS] = {L("acos", math_acos), NO, NO, NO},
    [OP_ATAN] = {L("atan", math_atan), NO, NO, NO},
    [OP_SINH] = {L("sinh", NULL), NO, NO, NO},
    [OP_COSH] = {L("cosh", NULL), NO, NO, NO},
    [OP_TANH] = {{.way = LIBM, .libm = "tanh", .f32 = math_tanh, .fast = math_tanh_fast, .n = 1}, NO, NO, NO},
    [OP_ASINH] = {L("asinh", NULL), NO, NO, NO},
    [OP_ACOSH] = {L("acosh", NULL), NO, NO, NO},
    [OP_ATANH] = {L("atanh", NULL), NO, NO, NO},
    [OP_ERF] = {{.way = LIBM, .libm = "erf", .f32 = math_erf, .fast = math_erf_fast, .n = 1}, NO, NO, NO},
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
    [OP_CAST] = {F(scalar_cast), F(scalar_cast), F(scalar_cast), F(scalar_cast)},
    [OP_BITCAST] = {F(scalar_bitcast), F(scalar_bitcast), F(scalar_bitcast), F(scalar_bitcast)},
};
/* clang-format on */

static int class_of(DType t) {
    switch (dtype_info(t)->class_) {
    case CLASS_FLOAT:
        return OF_FLOAT;
    case CLASS_SINT:
        return OF_SINT;
    case CLASS_UINT:
        return OF_UINT;
    case CLASS_BOOLEAN:
        return OF_BOOL;
    default:
        return -1;
    }
}

bool scalar_may_fail(OpId op, DType operand) {
    if (is_float(operand)) return false;
    return op == OP_DIV || op == OP_FLOORDIV || op == OP_FLOORMOD || op == OP_TRUNCMOD ||
           (op == OP_POW && dtype_is_signed(operand));
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
        r = (c->fast_math && w->fast ? w->fast : w->f32)(e, c->args[0]);
    } else
        switch (w->way) {
        case BINARY:
            r = emit_binary(e, (EmitBinary)w->op, c->args[0], c->args[1]);
            break;
        case UNARY:
            r = emit_unary(e, (EmitUnary)w->op, c->args[0]);
            break;
        case COMPARE:
            r = emit_compare(e, (EmitCompare)w->op, c->args[0], c->args[1]);
            break;
        case FUNCTION:
            r = w->function(e, c);
            break;
        default: {
            char name[16];
            snprintf(name, sizeof name, "%s%s", w->libm, t.dtype == DTYPE_F64 ? "" : "f");
            r = emit_call_libm(e, name, t, w->n, c->args);
        }
        }
    bool rounds = c->op != OP_CAST && c->op != OP_BITCAST && is_float(c->result);
    r = rounds ? scalar_round_to(e, r, c->result) : r;
    if (c->result == DTYPE_S4 && c->op != OP_CAST) r = scalar_from_memory(e, r, DTYPE_S4);
    return r;
}
