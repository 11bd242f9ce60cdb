/* Shared helpers of host functions (host.h). */
#include "hostops/host.h"
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t tfopt_call_fail(TfoptHostCall *call, int32_t status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(call->error, sizeof call->error, format, args);
    va_end(args);
    return status;
}

const TfoptAttr *tfopt_call_attr(const TfoptHostCall *call, const char *name) {
    for (int32_t i = 0; i < call->n_attrs; i++) {
        if (strcmp(call->attrs[i].name, name) == 0) return &call->attrs[i];
    }
    return NULL;
}

int64_t tfopt_call_int(const TfoptHostCall *call, const char *name, int64_t missing) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && a->kind == TFOPT_ATTR_INT ? a->v.ints[0] : missing;
}

double tfopt_call_float(const TfoptHostCall *call, const char *name, double missing) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && a->kind == TFOPT_ATTR_FLOAT ? a->v.floats[0] : missing;
}

TfoptString tfopt_call_string(const TfoptHostCall *call, const char *name, const char *missing) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    if (a && a->kind == TFOPT_ATTR_STRING) return a->v.strings[0];
    return (TfoptString){missing, strlen(missing)};
}

bool tfopt_call_string_is(const TfoptHostCall *call, const char *name, const char *value) {
    const TfoptString s = tfopt_call_string(call, name, "");
    return s.size == strlen(value) && memcmp(s.data, value, s.size) == 0;
}

void *tfopt_call_alloc(TfoptHostCall *call, int64_t count, uint64_t size) {
    uint64_t bytes;
    if (count < 0 || __builtin_mul_overflow((uint64_t)count, size, &bytes)) return NULL;
    return call->alloc(call->env, bytes);
}

void *tfopt_call_zeroed(TfoptHostCall *call, int64_t count, uint64_t size) {
    void *p = tfopt_call_alloc(call, count, size);
    if (p) memset(p, 0, (size_t)count * size);
    return p;
}

uint64_t tfopt_dtype_bytes(int32_t dtype) {
    static const uint8_t bytes[TFOPT_N_DTYPES] = {
        [TFOPT_F32] = 4,    [TFOPT_F64] = 8,     [TFOPT_F16] = 2, [TFOPT_BF16] = 2,  [TFOPT_F8E4M3] = 1,
        [TFOPT_F8E5M2] = 1, [TFOPT_S4] = 1,      [TFOPT_S8] = 1,  [TFOPT_U8] = 1,    [TFOPT_S16] = 2,
        [TFOPT_U16] = 2,    [TFOPT_S32] = 4,     [TFOPT_U32] = 4, [TFOPT_S64] = 8,   [TFOPT_U64] = 8,
        [TFOPT_BOOL] = 1,   [TFOPT_STRING] = 16, [TFOPT_C64] = 8, [TFOPT_C128] = 16, [TFOPT_RESOURCE] = 8,
        [TFOPT_VARIANT] = 8};
    return dtype >= 0 && dtype < TFOPT_N_DTYPES ? bytes[dtype] : 0;
}

/* ---- short floats */
float tfopt_half_to_float(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 1023u;
    if (e == 0) {
        const float f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    const uint32_t bits = sign | (e == 31 ? 0x7f800000u | m << 13 : (e + 112u) << 23 | m << 13);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t tfopt_float_to_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const float a = fabsf(f);
    if (isnan(f)) return (uint16_t)(sign | 0x7e00u);
    if (a >= 65520.0f) return (uint16_t)(sign | 0x7c00u);
    if (a < 0x1p-14f) return (uint16_t)(sign | (uint16_t)rintf(a * 0x1p24f));
    const uint32_t magnitude = bits & 0x7fffffffu;
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | (uint16_t)((rounded >> 13) - (112u << 10)));
}

static float bfloat_to_float(uint16_t b) {
    const uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint16_t float_to_bfloat(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(f)) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

double tfopt_highest_float(int32_t dtype) {
    return dtype == TFOPT_F64    ? DBL_MAX
           : dtype == TFOPT_F16  ? 65504
           : dtype == TFOPT_BF16 ? 0x1.fep127
                                 : (double)FLT_MAX;
}

double tfopt_real_at(const TfoptTensor *t, int64_t i) {
    switch (t->dtype) {
    case TFOPT_F32:
        return (double)((const float *)t->data)[i];
    case TFOPT_F64:
        return ((const double *)t->data)[i];
    case TFOPT_F16:
        return (double)tfopt_half_to_float(((const uint16_t *)t->data)[i]);
    case TFOPT_BF16:
        return (double)bfloat_to_float(((const uint16_t *)t->data)[i]);
    case TFOPT_U64:
        return (double)((const uint64_t *)t->data)[i];
    default:
        return (double)tfopt_int_at(t, i);
    }
}

int64_t tfopt_int_at(const TfoptTensor *t, int64_t i) {
    switch (t->dtype) {
    case TFOPT_S4:
        return (int8_t)(((const uint8_t *)t->data)[i] << 4) >> 4;
    case TFOPT_S8:
        return ((const int8_t *)t->data)[i];
    case TFOPT_U8:
        return ((const uint8_t *)t->data)[i];
    case TFOPT_BOOL:
        return ((const uint8_t *)t->data)[i] != 0;
    case TFOPT_S16:
        return ((const int16_t *)t->data)[i];
    case TFOPT_U16:
        return ((const uint16_t *)t->data)[i];
    case TFOPT_S32:
        return ((const int32_t *)t->data)[i];
    case TFOPT_U32:
        return ((const uint32_t *)t->data)[i];
    case TFOPT_S64:
    case TFOPT_U64:
        return ((const int64_t *)t->data)[i];
    case TFOPT_F32:
    case TFOPT_F64:
    case TFOPT_F16:
    case TFOPT_BF16: {
        const double v = tfopt_real_at(t, i);
        return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
    }
    default:
        return 0;
    }
}

void tfopt_set_real(const TfoptTensor *t, int64_t i, double v) {
    switch (t->dtype) {
    case TFOPT_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case TFOPT_F64:
        ((double *)t->data)[i] = v;
        break;
    case TFOPT_F16:
        ((uint16_t *)t->data)[i] = tfopt_float_to_half((float)v);
        break;
    case TFOPT_BF16:
        ((uint16_t *)t->data)[i] = float_to_bfloat((float)v);
        break;
    default:
        tfopt_set_int(t, i, v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN);
        break;
    }
}

void tfopt_set_int(const TfoptTensor *t, int64_t i, int64_t v) {
    switch (tfopt_is_float_type(t->dtype) ? 0 : tfopt_dtype_bytes(t->dtype)) {
    case 1:
        ((uint8_t *)t->data)[i] = t->dtype == TFOPT_BOOL ? v != 0 : (uint8_t)v;
        break;
    case 2:
        ((uint16_t *)t->data)[i] = (uint16_t)v;
        break;
    case 4:
        ((uint32_t *)t->data)[i] = (uint32_t)v;
        break;
    case 8:
        ((uint64_t *)t->data)[i] = (uint64_t)v;
        break;
    default:
        tfopt_set_real(t, i, (double)v);
        break;
    }
}

/* Where an empty tensor without memory points: NULL means that there is no memory. */
static const uint64_t nothing[1] = {0};

/* Elements of the types that tensors mostly have, without asking for each. */
#define CONVERT(from, to)                                                                                              \
    for (int64_t i = 0; i < n; i++) out[i] = (to)((const from *)t->data)[i]

const double *tfopt_as_f64(TfoptHostCall *call, const TfoptTensor *t) {
    if (t->dtype == TFOPT_F64) return t->data ? t->data : (const void *)nothing;
    const int64_t n = tfopt_elements(t);
    double *out = tfopt_call_alloc(call, n, sizeof *out);
    if (!out) return NULL;
    if (t->dtype == TFOPT_F32) {
        CONVERT(float, double);
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = tfopt_real_at(t, i);
    }
    return out;
}

const float *tfopt_as_f32(TfoptHostCall *call, const TfoptTensor *t) {
    if (t->dtype == TFOPT_F32) return t->data ? t->data : (const void *)nothing;
    const int64_t n = tfopt_elements(t);
    float *out = tfopt_call_alloc(call, n, sizeof *out);
    if (!out) return NULL;
    if (t->dtype == TFOPT_U8) {
        CONVERT(uint8_t, float);
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = (float)tfopt_real_at(t, i);
    }
    return out;
}

const int64_t *tfopt_as_s64(TfoptHostCall *call, const TfoptTensor *t) {
    if (t->dtype == TFOPT_S64) return t->data ? t->data : (const void *)nothing;
    const int64_t n = tfopt_elements(t);
    int64_t *out = tfopt_call_alloc(call, n, sizeof *out);
    if (!out) return NULL;
    if (t->dtype == TFOPT_S32) {
        CONVERT(int32_t, int64_t);
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = tfopt_int_at(t, i);
    }
    return out;
}

/* Merge sort: bottom up, stable. */
bool tfopt_sort_indices(TfoptHostCall *call, int64_t n, int64_t *indices, TfoptLess *less, const void *context) {
    int64_t *from = indices, *to = tfopt_call_alloc(call, n, sizeof *to);
    if (!to) return false;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t start = 0; start < n; start += 2 * width) {
            const int64_t middle = start + width < n ? start + width : n,
                          end = start + 2 * width < n ? start + 2 * width : n;
            int64_t a = start, b = middle;
            for (int64_t k = start; k < end; k++)
                to[k] = a < middle && (b >= end || !less(context, from[b], from[a])) ? from[a++] : from[b++];
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != indices) memcpy(indices, from, (size_t)n * sizeof *indices);
    return true;
}
