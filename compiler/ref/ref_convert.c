/* Conversions between element types. Every numeric dtype is computed in a wide type (f32 for the short floats, s64,
   u64, f64), so each operation is written at most four times; results are rounded once when they are stored. */
#include "ref/ref_internal.h"
#include <math.h>
#include <string.h>

Wide ref_wide(DType t) {
    switch (dtype_info(t)->class_) {
    case CLASS_FLOAT:
        return t == DTYPE_F64 ? WIDE_F64 : WIDE_F32;
    case CLASS_SINT:
        return WIDE_S64;
    case CLASS_UINT:
    case CLASS_BOOLEAN:
        return WIDE_U64;
    default:
        return WIDE_NONE;
    }
}

size_t ref_wide_size(Wide w) {
    return w == WIDE_F32 ? 4 : 8;
}

/* ---- 8-bit floats: e4m3 (bias 7, no infinities, 0x7f is NaN) and e5m2 (bias 15, IEEE like) */
static float f8_decode(uint8_t b, int mantissa_bits, int bias) {
    const int exponent_bits = 7 - mantissa_bits;
    const int e = (b >> mantissa_bits) & ((1 << exponent_bits) - 1), m = b & ((1 << mantissa_bits) - 1);
    const float sign = b & 0x80 ? -1.0f : 1.0f;
    if (mantissa_bits == 3 && (b & 0x7f) == 0x7f) return NAN;
    if (mantissa_bits == 2 && e == 31) return m ? NAN : sign * INFINITY;
    if (e == 0) return sign * ldexpf((float)m, 1 - bias - mantissa_bits);
    return sign * ldexpf((float)(m + (1 << mantissa_bits)), e - bias - mantissa_bits);
}

static uint8_t f8_encode(float f, int mantissa_bits, int bias) {
    const uint8_t sign = signbit(f) ? 0x80 : 0;
    const uint8_t nan = mantissa_bits == 3 ? 0x7f : 0x7e, overflow = mantissa_bits == 3 ? 0x7f : 0x7c;
    const uint8_t largest = mantissa_bits == 3 ? 0x7e : 0x7b;
    if (isnan(f)) return (uint8_t)(sign | nan);
    const float a = fabsf(f);
    if (isinf(a)) return (uint8_t)(sign | overflow);
    if (a == 0) return sign;
    int e;
    frexpf(a, &e);
    e -= 1;
    if (e < 1 - bias) e = 1 - bias;
    /* The value in units of the last place is exact in f32, rintf rounds it to even. */
    const float units = rintf(ldexpf(a, mantissa_bits - e));
    const int bits = (e + bias - 1) * (1 << mantissa_bits) + (int)units;
    return (uint8_t)(sign | (bits > largest ? overflow : bits));
}

void ref_load(DType t, const void *data, int64_t first, int64_t n, void *out) {
    float *f = out;
    int64_t *s = out;
    uint64_t *u = out;
    switch (t) {
    case DTYPE_F32:
        memcpy(out, (const float *)data + first, (size_t)n * 4);
        break;
    case DTYPE_F64:
    case DTYPE_S64:
    case DTYPE_U64:
        memcpy(out, (const uint64_t *)data + first, (size_t)n * 8);
        break;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++) f[i] = f16_to_f32(((const uint16_t *)data)[first + i]);
        break;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) f[i] = bf16_to_f32(((const uint16_t *)data)[first + i]);
        break;
    case DTYPE_F8E4M3:
        for (int64_t i = 0; i < n; i++) f[i] = f8_decode(((const uint8_t *)data)[first + i], 3, 7);
        break;
    case DTYPE_F8E5M2:
        for (int64_t i = 0; i < n; i++) f[i] = f8_decode(((const uint8_t *)data)[first + i], 2, 15);
        break;
    case DTYPE_S4:
        for (int64_t i = 0; i < n; i++) s[i] = (int8_t)(((const uint8_t *)data)[first + i] << 4) >> 4;
        break;
    case DTYPE_S8:
        for (int64_t i = 0; i < n; i++) s[i] = ((const int8_t *)data)[first + i];
        break;
    case DTYPE_S16:
        for (int64_t i = 0; i < n; i++) s[i] = ((const int16_t *)data)[first + i];
        break;
    case DTYPE_S32:
        for (int64_t i = 0; i < n; i++) s[i] = ((const int32_t *)data)[first + i];
        break;
    case DTYPE_U8:
        for (int64_t i = 0; i < n; i++) u[i] = ((const uint8_t *)data)[first + i];
        break;
    case DTYPE_U16:
        for (int64_t i = 0; i < n; i++) u[i] = ((const uint16_t *)data)[first + i];
        break;
    case DTYPE_U32:
        for (int64_t i = 0; i < n; i++) u[i] = ((const uint32_t *)data)[first + i];
        break;
    case DTYPE_BOOL:
        for (int64_t i = 0; i < n; i++) u[i] = ((const uint8_t *)data)[first + i] != 0;
        break;
    default:
        BUG("no numbers in %s", dtype_info(t)->text);
    }
}

/* Float to integer as x86 does it for TensorFlow: truncation, and the smallest integer for what does not fit. */
static int64_t f64_to_s64(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
static int64_t f64_to_s32(double x) {
    return x > -0x1p31 - 1 && x < 0x1p31 ? (int64_t)x : INT32_MIN;
}

static double wide_f64(Wide w, const void *v, int64_t i) {
    switch (w) {
    case WIDE_F32:
        return (double)((const float *)v)[i];
    case WIDE_F64:
        return ((const double *)v)[i];
    case WIDE_S64:
        return (double)((const int64_t *)v)[i];
    default:
        return (double)((const uint64_t *)v)[i];
    }
}

static float wide_f32(Wide w, const void *v, int64_t i) {
    switch (w) {
    case WIDE_F32:
        return ((const float *)v)[i];
    case WIDE_F64:
        return (float)((const double *)v)[i];
    case WIDE_S64:
        return (float)((const int64_t *)v)[i];
    default:
        return (float)((const uint64_t *)v)[i];
    }
}

static bool wide_true(Wide w, const void *v, int64_t i) {
    if (w == WIDE_F32 || w == WIDE_F64) return wide_f64(w, v, i) != 0;
    return ((const uint64_t *)v)[i] != 0;
}

/* Bits of an integer result. Floats go by way of 32 or 64 signed bits; from there they saturate in narrow types, as
   TensorFlow's vectors do. */
static uint64_t wide_int(DType t, Wide w, const void *v, int64_t i) {
    if (w == WIDE_S64 || w == WIDE_U64) return ((const uint64_t *)v)[i];
    const double x = wide_f64(w, v, i);
    if (t == DTYPE_U64) return x >= 0x1p63 && x < 0x1p64 ? (uint64_t)x : (uint64_t)f64_to_s64(x);
    if (t == DTYPE_S64) return (uint64_t)f64_to_s64(x);
    if (t == DTYPE_U32 && x >= 0x1p31 && x < 0x1p32) return (uint64_t)x;
    const int64_t number = f64_to_s32(x);
    const int bits = dtype_info(t)->bits;
    if (bits != 8 && bits != 16) return (uint64_t)number;
    const int64_t least = dtype_is_signed(t) ? -(INT64_C(1) << (bits - 1)) : 0;
    const int64_t most = least + (INT64_C(1) << bits) - 1;
    return (uint64_t)(number < least ? least : number > most ? most : number);
}

void ref_store(DType t, void *data, int64_t first, int64_t n, Wide w, const void *v) {
    if (t == DTYPE_F32 && w == WIDE_F32) {
        memcpy((float *)data + first, v, (size_t)n * 4);
        return;
    }
    uint8_t *b8 = (uint8_t *)data + first;
    uint16_t *b16 = (uint16_t *)data + first;
    uint32_t *b32 = (uint32_t *)data + first;
    uint64_t *b64 = (uint64_t *)data + first;
    switch (t) {
    case DTYPE_F32:
        for (int64_t i = 0; i < n; i++) ((float *)data)[first + i] = wide_f32(w, v, i);
        break;
    case DTYPE_F64:
        for (int64_t i = 0; i < n; i++) ((double *)data)[first + i] = wide_f64(w, v, i);
        break;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++) b16[i] = f32_to_f16(wide_f32(w, v, i));
        break;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) b16[i] = f32_to_bf16(wide_f32(w, v, i));
        break;
    case DTYPE_F8E4M3:
        for (int64_t i = 0; i < n; i++) b8[i] = f8_encode(wide_f32(w, v, i), 3, 7);
        break;
    case DTYPE_F8E5M2:
        for (int64_t i = 0; i < n; i++) b8[i] = f8_encode(wide_f32(w, v, i), 2, 15);
        break;
    case DTYPE_BOOL:
        for (int64_t i = 0; i < n; i++) b8[i] = wide_true(w, v, i);
        break;
    case DTYPE_S4:
        for (int64_t i = 0; i < n; i++) b8[i] = (uint8_t)((int8_t)(uint8_t)(wide_int(t, w, v, i) << 4) >> 4);
        break;
    case DTYPE_S8:
    case DTYPE_U8:
        for (int64_t i = 0; i < n; i++) b8[i] = (uint8_t)wide_int(t, w, v, i);
        break;
    case DTYPE_S16:
    case DTYPE_U16:
        for (int64_t i = 0; i < n; i++) b16[i] = (uint16_t)wide_int(t, w, v, i);
        break;
    case DTYPE_S32:
    case DTYPE_U32:
        for (int64_t i = 0; i < n; i++) b32[i] = (uint32_t)wide_int(t, w, v, i);
        break;
    case DTYPE_S64:
    case DTYPE_U64:
        for (int64_t i = 0; i < n; i++) b64[i] = wide_int(t, w, v, i);
        break;
    default:
        BUG("no numbers in %s", dtype_info(t)->text);
    }
}

/* Whether the tensor's own memory is the wide form. */
static bool is_wide(DType t) {
    return t == DTYPE_F32 || t == DTYPE_F64 || t == DTYPE_S64 || t == DTYPE_U64;
}

const void *ref_widen(RefCall *c, const Tensor *t) {
    if (is_wide(t->dtype)) return t->data;
    const int64_t n = tensor_count(t);
    void *out = arena_alloc(c->arena, (size_t)n * ref_wide_size(ref_wide(t->dtype)) + 8);
    ref_load(t->dtype, t->data, 0, n, out);
    return out;
}

void *ref_narrow_start(RefCall *c, Tensor *t) {
    if (is_wide(t->dtype)) return ref_data(t);
    return arena_alloc(c->arena, (size_t)tensor_count(t) * ref_wide_size(ref_wide(t->dtype)) + 8);
}

void ref_narrow_finish(Tensor *t, const void *values) {
    if (!is_wide(t->dtype)) ref_store(t->dtype, ref_data(t), 0, tensor_count(t), ref_wide(t->dtype), values);
}
