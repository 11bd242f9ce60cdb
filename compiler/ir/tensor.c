/* Tensor: dense data of any element type, read and written as f64 or i64 whatever the storage. Data may lie unaligned
   in a mapped file, so elements are read with memcpy. Narrow floats are converted here once, exactly, with rounding to
   nearest even. */
#include "ir/tensor.h"

#include "base/diag.h"

#include <math.h>
#include <string.h>

int64_t tensor_count(const Tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dims[i];
    return n;
}

size_t tensor_bytes(const Tensor *t) {
    return (size_t)tensor_count(t) * dtype_size(t->dtype);
}

Tensor tensor_new(Arena *arena, DType dtype, int rank, const int64_t *dims) {
    CHECK(rank >= 0 && rank <= MAX_RANK);
    Tensor t = {.dtype = dtype, .rank = rank};
    size_t bytes = dtype_size(dtype);
    for (int i = 0; i < rank; i++) {
        CHECK(dims[i] >= 0);
        t.dims[i] = dims[i];
        /* Too large a size is asked for as SIZE_MAX: the arena refuses it with its message. */
        if (__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes)) bytes = SIZE_MAX / 4;
    }
    t.data = arena_alloc(arena, bytes);
    return t;
}

Tensor tensor_scalar_f64(Arena *arena, DType dtype, double value) {
    Tensor t = tensor_new(arena, dtype, 0, NULL);
    tensor_set_f64(&t, 0, value);
    return t;
}

Tensor tensor_scalar_i64(Arena *arena, DType dtype, int64_t value) {
    Tensor t = tensor_new(arena, dtype, 0, NULL);
    tensor_set_i64(&t, 0, value);
    return t;
}

Tensor tensor_ints(Arena *arena, DType dtype, int64_t n, const int64_t *values) {
    Tensor t = tensor_new(arena, dtype, 1, &n);
    for (int64_t i = 0; i < n; i++) tensor_set_i64(&t, i, values[i]);
    return t;
}

/* ---- narrow floats: `exponent` and `mantissa` bits; the only format without infinities is E4M3FN, whose all-ones is
 * NaN */

static double narrow_to_f64(uint32_t bits, int exponent, int mantissa, bool finite) {
    uint32_t e = (bits >> mantissa) & ((1u << exponent) - 1), m = bits & ((1u << mantissa) - 1);
    int bias = (1 << (exponent - 1)) - 1;
    double sign = (bits >> (exponent + mantissa)) & 1 ? -1.0 : 1.0, value;
    if (finite ? (e == (1u << exponent) - 1 && m == (1u << mantissa) - 1) : (e == (1u << exponent) - 1 && m))
        return (double)NAN;
    if (!finite && e == (1u << exponent) - 1)
        value = (double)INFINITY;
    else if (e == 0)
        value = ldexp((double)m, 1 - bias - mantissa);
    else
        value = ldexp((double)(m | (1u << mantissa)), (int)e - bias - mantissa);
    return sign * value;
}

/* Rounds once, from the double: to nearest, ties to even mantissa. */
static uint32_t narrow_from_f64(double v, int exponent, int mantissa, bool finite) {
    uint32_t sign = signbit(v) ? 1u << (exponent + mantissa) : 0;
    uint32_t all = (1u << exponent) - 1, top = (1u << mantissa) - 1;
    int bias = (1 << (exponent - 1)) - 1;
    if (isnan(v)) return sign | (all << mantissa) | (finite ? top : 1u << (mantissa - 1));
    uint32_t infinity =
        finite ? (all << mantissa) | top : all << mantissa; /* E4M3FN overflows to NaN, as TensorFlow's does */
    v = fabs(v);
    if (isinf(v)) return sign | infinity;
    int e;
    if (v == 0.0) return sign;
    frexp(v, &e); /* v = f * 2^e with f in [0.5, 1) */
    int scale = (e - 1 < 1 - bias ? 1 - bias : e - 1) - mantissa;
    double rounded = nearbyint(ldexp(v, -scale)); /* mantissa with the implicit bit, or a subnormal */
    uint64_t m = (uint64_t)rounded;
    uint64_t biased = (uint64_t)(scale + mantissa + bias);
    uint64_t bits = m >= (1u << mantissa) ? (biased << mantissa) + (m - (1u << mantissa))
                                          : m; /* a carry moves into the exponent by itself */
    return sign | (bits >= infinity ? infinity : (uint32_t)bits);
}

float f16_to_f32(uint16_t h) {
    return (float)narrow_to_f64(h, 5, 10, false);
}

uint16_t f32_to_f16(float f) {
    return (uint16_t)narrow_from_f64((double)f, 5, 10, false);
}

float bf16_to_f32(uint16_t b) {
    uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t f32_to_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) return (uint16_t)((bits >> 16) | 0x40); /* stays NaN when the payload's top is cut off */
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* ---- elements */

static uint64_t load_bits(const Tensor *t, int64_t i) {
    size_t size = dtype_size(t->dtype);
    const uint8_t *p = (const uint8_t *)t->data + (size_t)i * size;
    uint8_t b1;
    uint16_t b2;
    uint32_t b4;
    uint64_t b8;
    switch (size) {
    case 1:
        memcpy(&b1, p, 1);
        return b1;
    case 2:
        memcpy(&b2, p, 2);
        return b2;
    case 4:
        memcpy(&b4, p, 4);
        return b4;
    default:
        memcpy(&b8, p, 8);
        return b8;
    }
}

static void store_bits(Tensor *t, int64_t i, uint64_t bits) {
    size_t size = dtype_size(t->dtype);
    uint8_t *p = (uint8_t *)(uintptr_t)t->data + (size_t)i * size;
    uint8_t b1 = (uint8_t)bits;
    uint16_t b2 = (uint16_t)bits;
    uint32_t b4 = (uint32_t)bits;
    switch (size) {
    case 1:
        memcpy(p, &b1, 1);
        break;
    case 2:
        memcpy(p, &b2, 2);
        break;
    case 4:
        memcpy(p, &b4, 4);
        break;
    default:
        memcpy(p, &bits, 8);
        break;
    }
}

static double float_of_bits(DType dtype, uint64_t bits) {
    float f;
    double d;
    uint32_t b4 = (uint32_t)bits;
    switch (dtype) {
    case DTYPE_F32:
        memcpy(&f, &b4, 4);
        return (double)f;
    case DTYPE_F64:
        memcpy(&d, &bits, 8);
        return d;
    case DTYPE_F16:
        return (double)f16_to_f32((uint16_t)bits);
    case DTYPE_BF16:
        return (double)bf16_to_f32((uint16_t)bits);
    case DTYPE_F8E4M3:
        return narrow_to_f64(b4, 4, 3, true);
    default:
        return narrow_to_f64(b4, 5, 2, false);
    }
}

static uint64_t bits_of_float(DType dtype, double v) {
    float f = (float)v;
    uint32_t b4;
    uint64_t b8;
    switch (dtype) {
    case DTYPE_F32:
        memcpy(&b4, &f, 4);
        return b4;
    case DTYPE_F64:
        memcpy(&b8, &v, 8);
        return b8;
    case DTYPE_F16:
        return narrow_from_f64(v, 5, 10, false);
    case DTYPE_BF16:
        return f32_to_bf16(f);
    case DTYPE_F8E4M3:
        return narrow_from_f64(v, 4, 3, true);
    default:
        return narrow_from_f64(v, 5, 2, false);
    }
}

double tensor_get_f64(const Tensor *t, int64_t i) {
    DTypeClass c = dtype_info(t->dtype)->class_;
    if (c == CLASS_FLOAT) return float_of_bits(t->dtype, load_bits(t, i));
    if (t->dtype == DTYPE_U64) return (double)load_bits(t, i);
    return (double)tensor_get_i64(t, i);
}

int64_t tensor_get_i64(const Tensor *t, int64_t i) {
    DTypeClass c = dtype_info(t->dtype)->class_;
    if (c == CLASS_FLOAT) {
        double v = float_of_bits(t->dtype, load_bits(t, i));
        if (!(v > -0x1p63)) return v < 0 ? INT64_MIN : 0;
        return v >= 0x1p63 ? INT64_MAX : (int64_t)v;
    }
    if (c == CLASS_UINT) return (int64_t)load_bits(t, i);
    if (c == CLASS_BOOLEAN) return load_bits(t, i) != 0;
    if (c != CLASS_SINT) return 0;
    int unused = 64 - dtype_info(t->dtype)->bits;
    return (int64_t)(load_bits(t, i) << unused) >> unused;
}

/* A complex number without imaginary part. */
static void store_real_part(Tensor *t, int64_t i, double v) {
    const float narrow[2] = {(float)v, 0};
    const double wide[2] = {v, 0};
    const size_t size = dtype_size(t->dtype);
    memcpy((char *)(uintptr_t)t->data + (size_t)i * size, size == sizeof narrow ? (const void *)narrow : wide, size);
}

void tensor_set_f64(Tensor *t, int64_t i, double v) {
    DTypeClass c = dtype_info(t->dtype)->class_;
    if (c == CLASS_FLOAT)
        store_bits(t, i, bits_of_float(t->dtype, v));
    else if (c == CLASS_COMPLEX)
        store_real_part(t, i, v);
    else if (c == CLASS_BOOLEAN)
        store_bits(t, i, v != 0);
    else if (t->dtype == DTYPE_U64 && v >= 0x1p63)
        store_bits(t, i, v >= 0x1p64 ? UINT64_MAX : (uint64_t)nearbyint(v));
    else if (c == CLASS_SINT || c == CLASS_UINT)
        store_bits(t, i,
                   isnan(v)       ? 0
                   : v >= 0x1p63  ? (uint64_t)INT64_MAX
                   : v <= -0x1p63 ? (uint64_t)INT64_MIN
                                  : (uint64_t)(int64_t)nearbyint(v));
}

void tensor_set_i64(Tensor *t, int64_t i, int64_t v) {
    DTypeClass c = dtype_info(t->dtype)->class_;
    if (c == CLASS_FLOAT)
        store_bits(t, i, bits_of_float(t->dtype, (double)v));
    else if (c == CLASS_SINT || c == CLASS_UINT || c == CLASS_BOOLEAN)
        store_bits(t, i, c == CLASS_BOOLEAN ? v != 0 : (uint64_t)v);
}

bool tensor_equal(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    int64_t n = tensor_count(a);
    if (n == 0 || a->data == b->data) return true;
    if (a->dtype != DTYPE_STRING) return memcmp(a->data, b->data, tensor_bytes(a)) == 0;
    const StringElement *x = a->data, *y = b->data;
    for (int64_t i = 0; i < n; i++)
        if (x[i].size != y[i].size || (x[i].size && memcmp(x[i].data, y[i].data, x[i].size) != 0)) return false;
    return true;
}

bool tensor_is_splat(const Tensor *t) {
    int64_t n = tensor_count(t);
    size_t size = dtype_size(t->dtype);
    if (n < 1 || size == 0) return false;
    if (t->dtype == DTYPE_STRING) return n == 1;
    /* All elements equal their predecessor exactly when the data equals itself shifted by one element. */
    return n == 1 || memcmp(t->data, (const uint8_t *)t->data + size, (size_t)(n - 1) * size) == 0;
}

Shape tensor_shape(const Tensor *t) {
    return shape_of(t->rank, t->dims);
}
