/* scalar_convert: conversions between element types, and between what lies in memory and what is in registers: f16,
   bf16 and the 8-bit floats are f32 there, with values that the narrow type has; int4 is sign-extended. Floats become
   ints as x86 does it for TensorFlow. */
#include "codegen/cpu/scalar_rows.h"
#include <math.h>

static bool is_float(DType t) {
    return dtype_info(t)->class_ == CLASS_FLOAT;
}

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

/* e4m3 and e5m2: the exponent field of f32 moved to the narrow bias; below its smallest normal number, an addition
   whose last place is the smallest denormal rounds for us. */
static EmitValue f8_from_f32(Emit *e, EmitValue x, int mantissa, int bias) {
    int64_t largest = mantissa == 3 ? 0x7e : 0x7b, overflow = mantissa == 3 ? 0x7f : 0x7c,
            nan = mantissa == 3 ? 0x7f : 0x7e;
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
    EmitValue all = emit_cast(e, EMIT_BITS, x, DTYPE_S32), to_sign = emit_int(e, t, 24),
              sign_mask = emit_int(e, t, 0x80);
    EmitValue sign = emit_binary(e, EMIT_USHR, all, to_sign);
    sign = emit_binary(e, EMIT_AND, sign, sign_mask);
    code = emit_binary(e, EMIT_OR, code, sign);
    return emit_cast(e, EMIT_ITRUNC, code, DTYPE_U8);
}

EmitValue scalar_to_memory(Emit *e, EmitValue v, DType t) {
    switch (t) {
    case DTYPE_F16:
        return emit_cast(e, EMIT_FPTRUNC, v, DTYPE_F16);
    case DTYPE_F8E4M3:
        return f8_from_f32(e, v, 3, 7);
    case DTYPE_F8E5M2:
        return f8_from_f32(e, v, 2, 15);
    case DTYPE_BF16:
        break;
    default:
        return v;
    }
    EmitValue bits = bf16_bits(e, v);
    EmitValue by = emit_int(e, emit_type(e, bits), 16);
    bits = emit_binary(e, EMIT_USHR, bits, by);
    bits = emit_cast(e, EMIT_ITRUNC, bits, DTYPE_U16);
    return emit_cast(e, EMIT_BITS, bits, DTYPE_BF16);
}

/* A result in the short float types is rounded to them, as one op after the other would be. */
EmitValue scalar_round_to(Emit *e, EmitValue x, DType t) {
    if (t == DTYPE_BF16) {
        EmitValue bits = bf16_bits(e, x);
        return emit_cast(e, EMIT_BITS, bits, DTYPE_F32);
    }
    if (t != DTYPE_F16 && t != DTYPE_F8E4M3 && t != DTYPE_F8E5M2) return x;
    EmitValue narrow = scalar_to_memory(e, x, t);
    return scalar_from_memory(e, narrow, t);
}

/* To 32 or 64 signed bits. What does not fit, and NaN, becomes the least of them, as x86 has it; said here, since LLVM
   makes anything it likes of such a conversion when it finds that the operand is a constant. */
static EmitValue signed_from_float(Emit *e, EmitValue x, DType to) {
    EmitType t = emit_type(e, x);
    int bits = dtype_info(to)->bits;
    EmitValue size = emit_unary(e, EMIT_FABS, x);
    EmitValue edge = emit_float(e, t, ldexp(1, bits - 1));
    EmitValue fits = emit_compare(e, EMIT_FLT, size, edge);
    EmitValue converted = emit_cast(e, EMIT_FPTOSI, x, to);
    EmitValue least = emit_int(e, emit_type(e, converted), bits == 32 ? INT32_MIN : INT64_MIN);
    return emit_select(e, fits, converted, least);
}

/* What needs the last bit of an unsigned type is converted less half the range; what fits neither way becomes that
   half, as x86 has it. */
static EmitValue unsigned_from_float(Emit *e, EmitValue x, DType through) {
    int bits = dtype_info(through)->bits;
    EmitType t = emit_type(e, x);
    EmitValue edge = emit_float(e, t, ldexp(1, bits - 1));
    EmitValue end = emit_float(e, t, ldexp(1, bits));
    EmitValue is_large = emit_compare(e, EMIT_FGE, x, edge), fits = emit_compare(e, EMIT_FLT, x, end);
    is_large = emit_binary(e, EMIT_AND, is_large, fits);
    EmitValue less = emit_binary(e, EMIT_SUB, x, edge);
    EmitValue from = emit_select(e, is_large, less, x);
    EmitValue low = signed_from_float(e, from, through);
    EmitValue top = emit_int(e, emit_type(e, low), bits == 32 ? INT32_MIN : INT64_MIN);
    EmitValue high = emit_binary(e, EMIT_XOR, low, top);
    return emit_select(e, is_large, high, low);
}

/* As TensorFlow's vectors do it on x86: through 32 or 64 signed bits, from where narrow types saturate. */
static EmitValue int_from_float(Emit *e, EmitValue x, DType to) {
    int bits = dtype_info(to)->bits;
    bool is_signed = dtype_is_signed(to);
    if (bits >= 32 && !is_signed) return unsigned_from_float(e, x, bits == 32 ? DTYPE_S32 : DTYPE_S64);
    EmitValue v = signed_from_float(e, x, bits > 32 ? DTYPE_S64 : DTYPE_S32);
    if (bits >= 32) return v;
    if (bits >= 8) {
        EmitType t = emit_type(e, v);
        EmitValue least = emit_int(e, t, is_signed ? -(INT64_C(1) << (bits - 1)) : 0);
        EmitValue most = emit_int(e, t, (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1);
        v = emit_binary(e, EMIT_SMAX, v, least);
        v = emit_binary(e, EMIT_SMIN, v, most);
    }
    return emit_cast(e, EMIT_ITRUNC, v, to);
}

EmitValue scalar_cast(Emit *e, ScalarCall *c) {
    DType from = c->operand, to = c->result;
    EmitValue x = c->args[0];
    EmitType t = emit_type(e, c->args[0]);
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
        return scalar_round_to(e, x, to);
    } else if (is_float(to)) {
        bool is_signed = dtype_is_signed(from);
        x = emit_cast(e, is_signed ? EMIT_SITOFP : EMIT_UITOFP, x, to == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32);
        return scalar_round_to(e, x, to);
    } else {
        int have = from == DTYPE_BOOL ? 1 : dtype_info(from)->bits, want = dtype_info(to)->bits;
        if (have > want) x = emit_cast(e, EMIT_ITRUNC, x, to);
        if (have < want) x = emit_cast(e, dtype_is_signed(from) ? EMIT_SEXT : EMIT_ZEXT, x, to);
    }
    return to == DTYPE_S4 ? scalar_from_memory(e, x, DTYPE_S4) : x;
}

/* Same bits, other type. Short floats are f32 in registers: by way of their memory form. */
EmitValue scalar_bitcast(Emit *e, ScalarCall *c) {
    EmitValue bits = scalar_to_memory(e, c->args[0], c->operand);
    if (c->operand == DTYPE_BOOL && c->result != DTYPE_BOOL) bits = emit_cast(e, EMIT_ZEXT, bits, DTYPE_U8);
    if (c->result == DTYPE_BOOL) {
        EmitValue zero = emit_int(e, emit_type(e, bits), 0);
        return c->operand == DTYPE_BOOL ? bits : emit_compare(e, EMIT_NE, bits, zero);
    }
    bits = emit_cast(e, EMIT_BITS, bits, c->result == DTYPE_F8E4M3 || c->result == DTYPE_F8E5M2 ? DTYPE_U8 : c->result);
    return scalar_from_memory(e, bits, c->result);
}
