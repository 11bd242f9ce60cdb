/* Scalar ops with NumPy broadcasting. Operands are read in chunks of the innermost merged dimension, converted to the
   wide type (f32 and f64 are read in place), and handed to a tight loop: one C function an op and wide type, made from
   scalar_float.def and scalar_int.def. */
#include "ref/ref_internal.h"
#include <string.h>
#include <tgmath.h>

typedef void ChunkFn(int64_t n, const void *a, const void *b, void *out);

#define LOOP1(name, in_type, out_type, expression)                                                                     \
    static void name(int64_t n, const void *a, const void *b, void *out) {                                             \
        (void)b;                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const in_type x = ((const in_type *)a)[i];                                                                 \
            ((out_type *)out)[i] = (out_type)(expression);                                                             \
        }                                                                                                              \
    }
#define LOOP2(name, in_type, out_type, expression)                                                                     \
    static void name(int64_t n, const void *a, const void *b, void *out) {                                             \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const in_type x = ((const in_type *)a)[i], y = ((const in_type *)b)[i];                                    \
            ((out_type *)out)[i] = (out_type)(expression);                                                             \
        }                                                                                                              \
    }

/* ---- f32 */
static float floor_mod_f32(float x, float y) {
    const float r = fmodf(x, y);
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}
/* A denormal counts as zero (float_mode.h), but libm's atan2 looks at its bits. */
static float flushed_f32(float x) {
    return x == 0 ? copysignf(0, x) : x;
}
#define REAL float
#define flushed flushed_f32
#define floor_mod floor_mod_f32
#define SOFTPLUS_EDGE 13.9423847f /* -(log(epsilon) + 2), TensorFlow's own */
#define FLOAT1(id, expression) LOOP1(f32_##id, float, float, expression)
#define FLOAT2(id, expression) LOOP2(f32_##id, float, float, expression)
#define TEST1(id, expression) LOOP1(f32_##id, float, uint8_t, expression)
#define TEST2(id, expression) LOOP2(f32_##id, float, uint8_t, expression)
#include "ref/scalar_float.def"
#undef REAL
#undef flushed
#undef floor_mod
#undef SOFTPLUS_EDGE
#undef FLOAT1
#undef FLOAT2
#undef TEST1
#undef TEST2

/* ---- f64 */
static double floor_mod_f64(double x, double y) {
    const double r = fmod(x, y);
    return r != 0 && (y < 0) != (r < 0) ? r + y : r;
}
#define REAL double
#define flushed(x) (x)
#define floor_mod floor_mod_f64
#define SOFTPLUS_EDGE 34.04365338911715
#define FLOAT1(id, expression) LOOP1(f64_##id, double, double, expression)
#define FLOAT2(id, expression) LOOP2(f64_##id, double, double, expression)
#define TEST1(id, expression) LOOP1(f64_##id, double, uint8_t, expression)
#define TEST2(id, expression) LOOP2(f64_##id, double, uint8_t, expression)
#include "ref/scalar_float.def"
#undef REAL
#undef flushed
#undef floor_mod
#undef SOFTPLUS_EDGE
#undef FLOAT1
#undef FLOAT2
#undef TEST1
#undef TEST2

/* ---- s64 */
static uint64_t power(uint64_t x, uint64_t y) {
    uint64_t r = 1;
    for (; y; y >>= 1, x *= x) r = y & 1 ? r * x : r;
    return r;
}
static int64_t floor_div_s64(int64_t x, int64_t y) {
    if (y == -1) return (int64_t)(0 - (uint64_t)x);
    const int64_t q = x / y;
    return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}
static int64_t floor_mod_s64(int64_t x, int64_t y) {
    if (y == -1) return 0;
    const int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
#define WIDE int64_t
#define SIGNED 1
#define FLOOR_DIV floor_div_s64
#define FLOOR_MOD floor_mod_s64
#define LESS_THAN_ZERO(x) ((x) < 0)
#define INT1(id, expression) LOOP1(s64_##id, int64_t, int64_t, expression)
#define INT2(id, expression) LOOP2(s64_##id, int64_t, int64_t, expression)
#define TEST2(id, expression) LOOP2(s64_##id, int64_t, uint8_t, expression)
#include "ref/scalar_int.def"
#undef WIDE
#undef SIGNED
#undef FLOOR_DIV
#undef FLOOR_MOD
#undef LESS_THAN_ZERO
#undef INT1
#undef INT2
#undef TEST2

/* ---- u64 */
#define WIDE uint64_t
#define SIGNED 0
#define FLOOR_DIV(x, y) ((x) / (y))
#define FLOOR_MOD(x, y) ((x) % (y))
#define LESS_THAN_ZERO(x) ((void)(x), 0)
#define INT1(id, expression) LOOP1(u64_##id, uint64_t, uint64_t, expression)
#define INT2(id, expression) LOOP2(u64_##id, uint64_t, uint64_t, expression)
#define TEST2(id, expression) LOOP2(u64_##id, uint64_t, uint8_t, expression)
#include "ref/scalar_int.def"
#undef INT1
#undef INT2
#undef TEST2
LOOP1(u64_logical_not, uint64_t, uint64_t, x == 0)

/* One row an op; NULL: the op does not take that type. */
static ChunkFn *const chunk_functions[4][N_OPS] = {
    [WIDE_F32] =
        {
#define FLOAT1(id, expression) [OP_##id] = f32_##id,
#define FLOAT2 FLOAT1
#define TEST1 FLOAT1
#define TEST2 FLOAT1
#include "ref/scalar_float.def"
#undef FLOAT1
        },
    [WIDE_F64] =
        {
#define FLOAT1(id, expression) [OP_##id] = f64_##id,
#include "ref/scalar_float.def"
#undef FLOAT1
#undef FLOAT2
#undef TEST1
#undef TEST2
        },
    [WIDE_S64] =
        {
#define INT1(id, expression) [OP_##id] = s64_##id,
#define INT2 INT1
#define TEST2 INT1
#include "ref/scalar_int.def"
#undef INT1
        },
    [WIDE_U64] =
        {
#define INT1(id, expression) [OP_##id] = u64_##id,
#include "ref/scalar_int.def"
#undef INT1
#undef INT2
#undef TEST2
        },
};

/* ---- broadcasting */

/* The iteration space after merging: dims[rank - 1] is the innermost; strides in elements, 0 where an operand is
 * broadcast. */
typedef struct {
    int rank;
    int64_t dims[MAX_RANK];
    int64_t strides[3][MAX_RANK];
} Walk;

/* Merges dims that all operands walk alike; false when the operands do not broadcast to out. */
static bool walk_init(Walk *w, const Tensor *out, int n, const Tensor *in) {
    int64_t full[3][MAX_RANK];
    for (int k = 0; k < n; k++) {
        const int shift = out->rank - in[k].rank;
        if (shift < 0) return false;
        int64_t strides[MAX_RANK];
        ref_strides(in[k].rank, in[k].dims, strides);
        for (int i = 0; i < out->rank; i++) {
            const int64_t d = i < shift ? 1 : in[k].dims[i - shift];
            if (d != 1 && d != out->dims[i]) return false;
            full[k][i] = d == 1 ? 0 : strides[i - shift];
        }
    }
    w->rank = 0;
    for (int i = 0; i < out->rank; i++) {
        if (out->dims[i] == 1) continue;
        const int last = w->rank - 1;
        bool merge = last >= 0;
        for (int k = 0; k < n && merge; k++) merge = w->strides[k][last] == full[k][i] * out->dims[i];
        const int at = merge ? last : w->rank++;
        w->dims[at] = merge ? w->dims[at] * out->dims[i] : out->dims[i];
        for (int k = 0; k < n; k++) w->strides[k][at] = full[k][i];
    }
    if (w->rank == 0) {
        w->rank = 1;
        w->dims[0] = 1;
        for (int k = 0; k < n; k++) w->strides[k][0] = 0;
    }
    return true;
}

/* Advances the outer dims; false after the last. offsets are those of the operands at the start of an innermost row. */
static bool walk_next(const Walk *w, int n, int64_t *index, int64_t *offsets) {
    for (int i = w->rank - 2; i >= 0; i--) {
        for (int k = 0; k < n; k++) offsets[k] += w->strides[k][i];
        if (++index[i] < w->dims[i]) return true;
        for (int k = 0; k < n; k++) offsets[k] -= w->strides[k][i] * w->dims[i];
        index[i] = 0;
    }
    return false;
}

enum { CHUNK = 1024 };

/* n elements of an operand in its wide type: in place where possible. */
static const void *chunk_load(const Tensor *t, Wide w, int64_t first, int64_t stride, int64_t n, void *buffer) {
    const size_t size = ref_wide_size(w);
    if (stride == 1 && dtype_size(t->dtype) == size) return (const char *)t->data + (size_t)first * size;
    ref_load(t->dtype, t->data, first, stride == 1 ? n : 1, buffer);
    if (stride == 0 && size == 4) {
        float *f = buffer;
        for (int64_t i = 1; i < n; i++) f[i] = f[0];
    } else if (stride == 0) {
        uint64_t *u = buffer;
        for (int64_t i = 1; i < n; i++) u[i] = u[0];
    }
    return buffer;
}

/* What integer operands need before the loop may run: divisors that are not 0, exponents that are not negative, shifts
 * in range. */
static bool check_operand(RefCall *c, Wide w, int64_t n, const void **b, void *buffer) {
    const OpId op = c->n->op;
    const int64_t *v = *b;
    if (op == OP_DIV || op == OP_FLOORDIV || op == OP_FLOORMOD || op == OP_TRUNCMOD) {
        for (int64_t i = 0; i < n; i++) {
            if (v[i] == 0) return ref_error(c, "integer division by zero");
        }
    } else if (op == OP_POW && w == WIDE_S64) {
        for (int64_t i = 0; i < n; i++) {
            if (v[i] < 0) return ref_error(c, "integers to negative integer powers are not allowed");
        }
    } else if (op == OP_SHL || op == OP_SHR) {
        const int64_t most = dtype_info(c->in[1].dtype)->bits - 1;
        int64_t *clamped = buffer;
        for (int64_t i = 0; i < n; i++)
            clamped[i] = w == WIDE_S64 && v[i] < 0 ? 0 : (uint64_t)v[i] > (uint64_t)most ? most : v[i];
        *b = clamped;
    }
    return true;
}

static bool select_elements(RefCall *c) {
    Walk w;
    Tensor *out = &c->out[0];
    if (!walk_init(&w, out, 3, c->in)) return ref_error(c, "shapes do not broadcast");
    const size_t size = dtype_size(out->dtype);
    int64_t index[MAX_RANK] = {0}, offsets[3] = {0}, at = 0;
    const int64_t row = w.dims[w.rank - 1];
    const int64_t *s[3] = {&w.strides[0][w.rank - 1], &w.strides[1][w.rank - 1], &w.strides[2][w.rank - 1]};
    if (tensor_count(out) == 0) return true;
    do {
        const uint8_t *condition = (const uint8_t *)c->in[0].data + offsets[0];
        for (int64_t i = 0; i < row; i++, at++) {
            const int k = condition[i * *s[0]] ? 1 : 2;
            memcpy((char *)ref_data(out) + (size_t)at * size,
                   (const char *)c->in[k].data + (size_t)(offsets[k] + i * *s[k]) * size, size);
        }
    } while (walk_next(&w, 3, index, offsets));
    return true;
}

static bool cast_elements(RefCall *c) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const int64_t n = tensor_count(out);
    if (c->n->op == OP_BITCAST || in->dtype == out->dtype) {
        if (n) memcpy(ref_data(out), in->data, (size_t)n * dtype_size(in->dtype));
        return true;
    }
    const Wide w = ref_wide(in->dtype);
    if (w == WIDE_NONE || ref_wide(out->dtype) == WIDE_NONE)
        return ref_error(c, "no conversion from %s to %s", dtype_info(in->dtype)->text, dtype_info(out->dtype)->text);
    uint64_t buffer[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t count = n - i < CHUNK ? n - i : CHUNK;
        ref_load(in->dtype, in->data, i, count, buffer);
        ref_store(out->dtype, ref_data(out), i, count, w, buffer);
    }
    return true;
}

bool ref_scalar(RefCall *c) {
    const OpId op = c->n->op;
    if (op == OP_SELECT) return select_elements(c);
    if (op == OP_CAST || op == OP_BITCAST) return cast_elements(c);
    Tensor *out = &c->out[0];
    const Tensor *in = c->in;
    const int n = (int)c->n->n_inputs;
    /* Bits are counted in the element's own width. */
    const bool bits = op == OP_POPCOUNT && ref_wide(in[0].dtype) == WIDE_S64;
    const Wide wide = ref_wide(in[0].dtype);
    ChunkFn *f = wide == WIDE_NONE ? NULL : chunk_functions[wide][op];
    if (in[0].dtype == DTYPE_BOOL && op == OP_NOT) f = u64_logical_not;
    if (!f || (n == 2 && in[1].dtype != in[0].dtype))
        return ref_error(c, "%s does not take %s", op_info(op)->text, dtype_info(in[0].dtype)->text);
    Walk w;
    if (!walk_init(&w, out, n, in)) return ref_error(c, "shapes do not broadcast");
    const bool is_test = op_info(op)->result_is_bool;
    const bool in_place = is_test || (ref_wide_size(wide) == dtype_size(out->dtype));
    const bool is_int = wide == WIDE_S64 || wide == WIDE_U64;
    const int64_t row = w.dims[w.rank - 1];
    const size_t out_size = dtype_size(out->dtype);
    int64_t index[MAX_RANK] = {0}, offsets[3] = {0}, at = 0;
    uint64_t buffers[3][CHUNK];
    if (tensor_count(out) == 0) return true;
    do {
        for (int64_t i = 0; i < row; i += CHUNK) {
            const int64_t count = row - i < CHUNK ? row - i : CHUNK;
            const int64_t sa = w.strides[0][w.rank - 1], sb = n == 2 ? w.strides[1][w.rank - 1] : 0;
            const void *a = chunk_load(&in[0], wide, offsets[0] + i * sa, sa, count, buffers[0]);
            const void *b = n == 2 ? chunk_load(&in[1], wide, offsets[1] + i * sb, sb, count, buffers[1]) : NULL;
            if (is_int && n == 2 && !check_operand(c, wide, count, &b, buffers[1])) return false;
            if (bits) {
                const uint64_t mask =
                    dtype_size(in[0].dtype) == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * dtype_size(in[0].dtype))) - 1;
                for (int64_t k = 0; k < count; k++) buffers[0][k] = ((const uint64_t *)a)[k] & mask;
                a = buffers[0];
            }
            void *to = in_place ? (void *)((char *)ref_data(out) + (size_t)(at + i) * out_size) : (void *)buffers[2];
            f(count, a, b, to);
            if (!in_place) ref_store(out->dtype, ref_data(out), at + i, count, wide, buffers[2]);
        }
        at += row;
    } while (walk_next(&w, n, index, offsets));
    return true;
}
