/* Segment reductions: sorted (Segment*), by any id (UnsortedSegment*), and of gathered rows (SparseSegment*). Floats
 * accumulate in f64. */
#include "hostops/complex.h"
#include <math.h>
#include <string.h>

typedef enum { SEGMENT_SUM, SEGMENT_MEAN, SEGMENT_SQRT_N, SEGMENT_PROD, SEGMENT_MIN, SEGMENT_MAX } SegmentKind;

/* acc[0..n) and a row of x: what the kind makes of them; the first row of a segment begins it. A NaN stays until the
   next row, as in TensorFlow's kernels for the least and the greatest. */
#define JOIN_ROW(name, type)                                                                                           \
    static void name(SegmentKind kind, bool first, double *restrict acc, const type *restrict x, int64_t n) {          \
        if (first) {                                                                                                   \
            for (int64_t k = 0; k < n; k++) acc[k] = (double)x[k];                                                     \
        } else if (kind == SEGMENT_PROD) {                                                                             \
            for (int64_t k = 0; k < n; k++) acc[k] *= (double)x[k];                                                    \
        } else if (kind == SEGMENT_MIN) {                                                                              \
            for (int64_t k = 0; k < n; k++) acc[k] = acc[k] < (double)x[k] ? acc[k] : (double)x[k];                    \
        } else if (kind == SEGMENT_MAX) {                                                                              \
            for (int64_t k = 0; k < n; k++) acc[k] = acc[k] > (double)x[k] ? acc[k] : (double)x[k];                    \
        } else {                                                                                                       \
            for (int64_t k = 0; k < n; k++) acc[k] += (double)x[k];                                                    \
        }                                                                                                              \
    }
JOIN_ROW(join_f32, float)
JOIN_ROW(join_f64, double)

static TfoptComplex join_complex(SegmentKind k, bool first, TfoptComplex a, TfoptComplex x) {
    return first ? x : k == SEGMENT_PROD ? a * x : a + x;
}

static int64_t join_int(SegmentKind k, bool is_unsigned, int64_t a, int64_t x) {
    const bool less = is_unsigned ? (uint64_t)x < (uint64_t)a : x < a;
    switch (k) {
    case SEGMENT_PROD:
        return (int64_t)((uint64_t)a * (uint64_t)x);
    case SEGMENT_MIN:
        return less ? x : a;
    case SEGMENT_MAX:
        return less ? a : x;
    default:
        return (int64_t)((uint64_t)a + (uint64_t)x);
    }
}

/* What a segment without rows holds. */
static double empty_real(const TfoptTensor *t, SegmentKind k, bool unsorted) {
    if (k == SEGMENT_PROD) return 1;
    if (!unsorted || (k != SEGMENT_MIN && k != SEGMENT_MAX)) return 0;
    const double most = tfopt_highest_float(t->dtype);
    return k == SEGMENT_MIN ? most : -most;
}

static int64_t empty_int(const TfoptTensor *t, SegmentKind k, bool unsorted) {
    if (k == SEGMENT_PROD) return 1;
    if (!unsorted || (k != SEGMENT_MIN && k != SEGMENT_MAX)) return 0;
    const uint64_t bits = 8 * tfopt_dtype_bytes(t->dtype);
    const bool is_unsigned =
        t->dtype == TFOPT_U8 || t->dtype == TFOPT_U16 || t->dtype == TFOPT_U32 || t->dtype == TFOPT_U64;
    if (is_unsigned) return k == SEGMENT_MAX ? 0 : (int64_t)(UINT64_MAX >> (64 - bits));
    return k == SEGMENT_MAX ? (int64_t)(UINT64_MAX << (bits - 1)) : (int64_t)(UINT64_MAX >> (65 - bits));
}

typedef struct {
    SegmentKind kind;
    bool unsorted;
    int64_t rows, segments, inner;
    const TfoptTensor *ids, *gathered; /* gathered: row numbers of the data, or NULL */
} Segments;

/* n elements from `first` on as doubles: where they lie, or in `space`. */
static const double *row_of_reals(const TfoptTensor *t, int64_t first, int64_t n, double *space) {
    if (t->dtype == TFOPT_F64) return (const double *)t->data + first;
    for (int64_t k = 0; k < n; k++) space[k] = tfopt_real_at(t, first + k);
    return space;
}

/* Output dims: segments, then the data's dims from `skip` on. */
static int32_t reduce_segments(TfoptHostCall *call, const Segments *s, int32_t skip) {
    const TfoptTensor *t = &call->inputs[0];
    int64_t dims[TFOPT_MAX_RANK] = {s->segments};
    for (int32_t i = skip; i < t->rank; i++) dims[i - skip + 1] = t->dims[i];
    int64_t cells;
    if (s->segments < 0) return tfopt_invalid(call, "num_segments must not be negative");
    if (__builtin_mul_overflow(s->segments, s->inner, &cells) || !tfopt_host_output(call, 0, t->rank - skip + 1, dims))
        return tfopt_no_memory(call);
    const bool reals = tfopt_is_float_type(t->dtype), is_complex = t->dtype == TFOPT_C64 || t->dtype == TFOPT_C128;
    const bool is_unsigned = t->dtype == TFOPT_U64;
    TfoptComplex *cacc = tfopt_call_alloc(call, cells + 1, is_complex ? sizeof *cacc : sizeof(double));
    double *acc = (double *)(void *)cacc;
    double *reals_row = tfopt_call_alloc(call, s->inner + 1, sizeof *reals_row);
    int64_t *counts = tfopt_call_zeroed(call, s->segments + 1, sizeof *counts), *iacc = (int64_t *)(void *)cacc;
    if (!acc || !counts || !reals_row) return tfopt_no_memory(call);
    int64_t previous = 0;
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t id = tfopt_int_at(s->ids, r);
        if (s->unsorted && id < 0) continue;
        if (id < 0 || id >= s->segments)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "segment id %lld is not in [0, %lld)", (long long)id,
                                   (long long)s->segments);
        if (!s->unsorted && id < previous) return tfopt_invalid(call, "segment ids are not increasing");
        previous = id;
        const int64_t row = s->gathered ? tfopt_int_at(s->gathered, r) : r;
        if (s->gathered && (row < 0 || row >= t->dims[0]))
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "index %lld is not in [0, %lld)", (long long)row,
                                   (long long)t->dims[0]);
        const bool first = counts[id]++ == 0;
        if (t->dtype == TFOPT_F32) {
            join_f32(s->kind, first, acc + id * s->inner, (const float *)t->data + row * s->inner, s->inner);
            continue;
        }
        if (reals) {
            const double *x = row_of_reals(t, row * s->inner, s->inner, reals_row);
            join_f64(s->kind, first, acc + id * s->inner, x, s->inner);
            continue;
        }
        for (int64_t k = 0; k < s->inner; k++) {
            const int64_t at = id * s->inner + k, from = row * s->inner + k;
            if (is_complex)
                cacc[at] = join_complex(s->kind, first, cacc[at], tfopt_complex_at(t, from));
            else
                iacc[at] =
                    first ? tfopt_int_at(t, from) : join_int(s->kind, is_unsigned, iacc[at], tfopt_int_at(t, from));
        }
    }
    for (int64_t id = 0; id < s->segments; id++) {
        const int64_t count = counts[id];
        const double divisor = s->kind == SEGMENT_MEAN && count     ? (double)count
                               : s->kind == SEGMENT_SQRT_N && count ? sqrt((double)count)
                                                                    : 1;
        for (int64_t i = id * s->inner; i < (id + 1) * s->inner; i++) {
            if (is_complex) {
                const TfoptComplex v = count ? cacc[i] : empty_real(t, s->kind, s->unsorted);
                tfopt_set_complex(&call->outputs[0], i, v / divisor);
            } else if (reals) {
                const double v = count ? acc[i] : empty_real(t, s->kind, s->unsorted);
                if (t->dtype == TFOPT_F32)
                    ((float *)call->outputs[0].data)[i] = (float)(v / divisor);
                else
                    tfopt_set_real(&call->outputs[0], i, v / divisor);
            } else {
                const int64_t v = count ? iacc[i] : empty_int(t, s->kind, s->unsorted);
                tfopt_set_int(&call->outputs[0], i, s->kind == SEGMENT_MEAN && count ? v / count : v);
            }
        }
    }
    return TFOPT_OK;
}

/* Segments that sorted ids ask for. */
static int64_t last_id(const TfoptTensor *ids) {
    const int64_t n = tfopt_elements(ids);
    return n ? tfopt_int_at(ids, n - 1) + 1 : 0;
}

static int32_t sorted_segments(TfoptHostCall *call, SegmentKind kind) {
    const TfoptTensor *t = &call->inputs[0], *ids = &call->inputs[1];
    if (t->rank < 1 || ids->rank != 1 || ids->dims[0] != t->dims[0])
        return tfopt_invalid(call, "segment_ids must have one id for each row of data");
    const Segments s = {kind,
                        call->n_inputs > 2,
                        ids->dims[0],
                        call->n_inputs > 2 ? tfopt_int_at(&call->inputs[2], 0) : last_id(ids),
                        tfopt_dims_product(t->dims, 1, t->rank),
                        ids,
                        NULL};
    return reduce_segments(call, &s, 1);
}

static int32_t unsorted_segments(TfoptHostCall *call, SegmentKind kind) {
    const TfoptTensor *t = &call->inputs[0], *ids = &call->inputs[1];
    if (ids->rank > t->rank) return tfopt_invalid(call, "segment_ids must be a prefix of the data's shape");
    for (int32_t i = 0; i < ids->rank; i++) {
        if (ids->dims[i] != t->dims[i]) return tfopt_invalid(call, "segment_ids must be a prefix of the data's shape");
    }
    const Segments s = {kind,
                        true,
                        tfopt_elements(ids),
                        tfopt_int_at(&call->inputs[2], 0),
                        tfopt_dims_product(t->dims, ids->rank, t->rank),
                        ids,
                        NULL};
    return reduce_segments(call, &s, ids->rank);
}

static int32_t sparse_segments(TfoptHostCall *call, SegmentKind kind) {
    const TfoptTensor *t = &call->inputs[0], *rows = &call->inputs[1], *ids = &call->inputs[2];
    if (t->rank < 1 || rows->rank != 1 || ids->rank != 1 || ids->dims[0] != rows->dims[0])
        return tfopt_invalid(call, "segment_ids and indices must be vectors of one size");
    const Segments s = {kind,
                        false,
                        ids->dims[0],
                        call->n_inputs > 3 ? tfopt_int_at(&call->inputs[3], 0) : last_id(ids),
                        tfopt_dims_product(t->dims, 1, t->rank),
                        ids,
                        rows};
    return reduce_segments(call, &s, 1);
}

int32_t tfopt_host_segment_sum(TfoptHostCall *call) {
    return sorted_segments(call, SEGMENT_SUM);
}
int32_t tfopt_host_segment_mean(TfoptHostCall *call) {
    return sorted_segments(call, SEGMENT_MEAN);
}
int32_t tfopt_host_segment_prod(TfoptHostCall *call) {
    return sorted_segments(call, SEGMENT_PROD);
}
int32_t tfopt_host_segment_min(TfoptHostCall *call) {
    return sorted_segments(call, SEGMENT_MIN);
}
int32_t tfopt_host_segment_max(TfoptHostCall *call) {
    return sorted_segments(call, SEGMENT_MAX);
}
int32_t tfopt_host_unsorted_segment_sum(TfoptHostCall *call) {
    return unsorted_segments(call, SEGMENT_SUM);
}
int32_t tfopt_host_unsorted_segment_prod(TfoptHostCall *call) {
    return unsorted_segments(call, SEGMENT_PROD);
}
int32_t tfopt_host_unsorted_segment_min(TfoptHostCall *call) {
    return unsorted_segments(call, SEGMENT_MIN);
}
int32_t tfopt_host_unsorted_segment_max(TfoptHostCall *call) {
    return unsorted_segments(call, SEGMENT_MAX);
}
int32_t tfopt_host_sparse_segment_sum(TfoptHostCall *call) {
    return sparse_segments(call, SEGMENT_SUM);
}
int32_t tfopt_host_sparse_segment_mean(TfoptHostCall *call) {
    return sparse_segments(call, SEGMENT_MEAN);
}
int32_t tfopt_host_sparse_segment_sqrt_n(TfoptHostCall *call) {
    return sparse_segments(call, SEGMENT_SQRT_N);
}
