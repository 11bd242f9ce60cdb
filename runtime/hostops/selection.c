/* Picking elements: Where, TopK, NthElement, InTopK, binary searches, InvertPermutation. */
#include "hostops/order.h"
#include <math.h>
#include <string.h>

static bool is_true(const TfoptTensor *t, int64_t i) {
    switch (t->dtype) {
    case TFOPT_F32:
    case TFOPT_F64:
    case TFOPT_F16:
    case TFOPT_BF16:
        return tfopt_real_at(t, i) != 0;
    case TFOPT_C64:
        return ((const float *)t->data)[2 * i] != 0 || ((const float *)t->data)[2 * i + 1] != 0;
    case TFOPT_C128:
        return ((const double *)t->data)[2 * i] != 0 || ((const double *)t->data)[2 * i + 1] != 0;
    default:
        return tfopt_int_at(t, i) != 0;
    }
}

/* Flat positions of true elements. */
#define TRUE_POSITIONS(type)                                                                                           \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        positions[count] = i;                                                                                          \
        count += ((const type *)t->data)[i] != 0;                                                                      \
    }

int32_t tfopt_host_where(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t n = tfopt_elements(t);
    int64_t count = 0, *positions = tfopt_call_alloc(call, n + 1, sizeof *positions);
    if (!positions) return tfopt_no_memory(call);
    if (t->dtype == TFOPT_BOOL) {
        TRUE_POSITIONS(uint8_t)
    } else if (t->dtype == TFOPT_F32) {
        TRUE_POSITIONS(float)
    } else {
        for (int64_t i = 0; i < n; i++) {
            positions[count] = i;
            count += is_true(t, i);
        }
    }
    const int64_t dims[2] = {count, t->rank};
    int64_t *out = tfopt_host_output(call, 0, 2, dims);
    if (!out) return tfopt_no_memory(call);
    int64_t rest[TFOPT_MAX_RANK] = {0}, row = 0; /* indices of the row that elements from `row` on are in */
    for (int64_t i = 0; i < count; i++, out += t->rank) {
        const int32_t last = t->rank - 1;
        if (last < 0) break;
        const int64_t size = t->dims[last];
        if (i == 0 || positions[i] - row >= size) {
            int64_t line = positions[i] / size;
            row = line * size;
            for (int32_t d = last - 1; d >= 0; d--) {
                rest[d] = line % t->dims[d];
                line /= t->dims[d];
            }
        }
        for (int32_t d = 0; d < last; d++) out[d] = rest[d];
        out[last] = positions[i] - row;
    }
    return TFOPT_OK;
}

/* ---- order of elements: floats by value, 64-bit integers exactly. Rows with a NaN, which has no place in an order,
 * are compared one by one. */
typedef struct {
    const TfoptTensor *t;
    int64_t first; /* of the row */
} Row;

static bool element_less(const TfoptTensor *t, int64_t a, int64_t b) {
    if (t->dtype == TFOPT_F32) return ((const float *)t->data)[a] < ((const float *)t->data)[b];
    if (tfopt_is_float_type(t->dtype)) return tfopt_real_at(t, a) < tfopt_real_at(t, b);
    if (t->dtype == TFOPT_U64) return ((const uint64_t *)t->data)[a] < ((const uint64_t *)t->data)[b];
    return tfopt_int_at(t, a) < tfopt_int_at(t, b);
}

static bool greater_first(const void *context, int64_t a, int64_t b) {
    const Row *r = context;
    return element_less(r->t, r->first + b, r->first + a);
}

static bool smaller_first(const void *context, int64_t a, int64_t b) {
    const Row *r = context;
    return element_less(r->t, r->first + a, r->first + b);
}

static void copy_element(const TfoptTensor *to, int64_t i, const TfoptTensor *from, int64_t k) {
    const size_t size = tfopt_dtype_bytes(from->dtype);
    memcpy((char *)to->data + (size_t)i * size, (const char *)from->data + (size_t)k * size, size);
}

/* Whether a comes before b among the largest: larger, or equal with the smaller index. */
static bool top_before(const Row *r, int64_t a, int64_t b) {
    if (element_less(r->t, r->first + b, r->first + a)) return true;
    if (element_less(r->t, r->first + a, r->first + b)) return false;
    return a < b;
}

/* The k first of n by top_before, in that order: a heap with the last of the kept on top. */
static void top_of_row(const Row *r, int64_t n, int64_t k, int64_t *heap) {
    int64_t size = 0;
    for (int64_t i = 0; i < n && k > 0; i++) {
        int64_t at;
        if (size < k) {
            for (at = size++; at > 0 && top_before(r, heap[(at - 1) / 2], i); at = (at - 1) / 2)
                heap[at] = heap[(at - 1) / 2];
            heap[at] = i;
            continue;
        }
        if (!top_before(r, i, heap[0])) continue;
        for (at = 0;;) {
            int64_t child = 2 * at + 1;
            if (child >= k) break;
            if (child + 1 < k && top_before(r, heap[child], heap[child + 1])) child++;
            if (!top_before(r, i, heap[child])) break;
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = i;
    }
    /* Taking the last one out again and again sorts in place. */
    for (int64_t end = size - 1; end > 0; end--) {
        const int64_t last = heap[0], moved = heap[end];
        int64_t at = 0;
        for (;;) {
            int64_t child = 2 * at + 1;
            if (child >= end) break;
            if (child + 1 < end && top_before(r, heap[child], heap[child + 1])) child++;
            if (!top_before(r, moved, heap[child])) break;
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = moved;
        heap[end] = last;
    }
}

int32_t tfopt_host_top_k(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t k = call->n_inputs > 1 ? tfopt_int_at(&call->inputs[1], 0) : tfopt_call_int(call, "k", 0);
    if (t->rank < 1) return tfopt_invalid(call, "input must be at least a vector");
    const int64_t n = t->dims[t->rank - 1], rows = tfopt_dims_product(t->dims, 0, t->rank - 1);
    if (k < 0 || k > n)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "input must have at least k = %lld columns", (long long)k);
    TfoptTensor shape = *t;
    shape.dims[t->rank - 1] = k;
    const bool few = k < n / 8;
    int64_t *heap = tfopt_call_alloc(call, k + 1, sizeof *heap);
    TfoptOrdered *space = tfopt_call_alloc(call, few ? k + 1 : 2 * n + 1, sizeof *space);
    if (!tfopt_output_like(call, 0, &shape) || !tfopt_output_like(call, 1, &shape) || !heap || !space)
        return tfopt_no_memory(call);
    for (int64_t r = 0; r < rows; r++) {
        const TfoptOrdered *sorted =
            few ? tfopt_order_top(t, r * n, n, k, space) ? space : NULL : tfopt_order_sort(t, r * n, n, true, space);
        if (!sorted) top_of_row(&(Row){t, r * n}, n, k, heap);
        for (int64_t i = 0; i < k; i++) {
            const int64_t index = sorted ? sorted[i].index : heap[i];
            copy_element(&call->outputs[0], r * k + i, t, r * n + index);
            tfopt_set_int(&call->outputs[1], r * k + i, index);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_nth_element(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    int64_t n = tfopt_int_at(&call->inputs[1], 0);
    if (t->rank < 1) return tfopt_invalid(call, "input must be at least a vector");
    const int64_t size = t->dims[t->rank - 1], rows = tfopt_dims_product(t->dims, 0, t->rank - 1);
    if (n < 0 || n >= size)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "n = %lld is not in [0, %lld)", (long long)n,
                               (long long)size);
    const bool reverse = tfopt_call_int(call, "reverse", 0) != 0;
    int64_t *order = tfopt_call_alloc(call, size, sizeof *order);
    TfoptOrdered *space = tfopt_call_alloc(call, 2 * size, sizeof *space);
    if (!tfopt_host_output(call, 0, t->rank - 1, t->dims) || !order || !space) return tfopt_no_memory(call);
    for (int64_t r = 0; r < rows; r++) {
        const TfoptOrdered *sorted = tfopt_order_sort(t, r * size, size, reverse, space);
        if (sorted) {
            copy_element(&call->outputs[0], r, t, r * size + sorted[n].index);
            continue;
        }
        for (int64_t i = 0; i < size; i++) order[i] = i;
        if (!tfopt_sort_indices(call, size, order, reverse ? greater_first : smaller_first, &(Row){t, r * size}))
            return tfopt_no_memory(call);
        copy_element(&call->outputs[0], r, t, r * size + order[n]);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_in_top_k(TfoptHostCall *call) {
    const TfoptTensor *p = &call->inputs[0], *targets = &call->inputs[1];
    const int64_t k = call->n_inputs > 2 ? tfopt_int_at(&call->inputs[2], 0) : tfopt_call_int(call, "k", 1);
    if (p->rank != 2 || targets->rank != 1 || targets->dims[0] != p->dims[0])
        return tfopt_invalid(call, "predictions must be [batch, classes] and targets [batch]");
    uint8_t *out = tfopt_output_1d(call, 0, p->dims[0]);
    if (!out) return tfopt_no_memory(call);
    const int64_t classes = p->dims[1];
    for (int64_t r = 0; r < p->dims[0]; r++) {
        const float *row = (const float *)p->data + r * classes;
        const int64_t target = tfopt_int_at(targets, r);
        bool unsure = target < 0 || target >= classes || !isfinite(row[target]);
        int64_t better = 0;
        for (int64_t i = 0; i < classes && !unsure; i++) {
            if (!isfinite(row[i]))
                unsure = true;
            else if (row[i] > row[target])
                better++;
        }
        out[r] = !unsure && better < k;
    }
    return TFOPT_OK;
}

/* ---- binary searches */

/* First position of sorted a[0..n) whose element is >= x, or > x with `upper`. */
#define BOUND(name, type)                                                                                              \
    static int64_t name(const type *a, int64_t n, type x, bool upper) {                                                \
        int64_t low = 0;                                                                                               \
        while (n > 0) {                                                                                                \
            const int64_t half = n / 2;                                                                                \
            const bool right = upper ? !(x < a[low + half]) : a[low + half] < x;                                       \
            low = right ? low + half + 1 : low;                                                                        \
            n = right ? n - half - 1 : half;                                                                           \
        }                                                                                                              \
        return low;                                                                                                    \
    }
BOUND(bound_f32, float)
BOUND(bound_f64, double)
BOUND(bound_s64, int64_t)

static int32_t search_sorted(TfoptHostCall *call, bool upper) {
    const TfoptTensor *sorted = &call->inputs[0], *values = &call->inputs[1];
    if (sorted->rank != 2 || values->rank != 2 || sorted->dims[0] != values->dims[0])
        return tfopt_invalid(call, "sorted_inputs and values must be matrices of as many rows");
    if (!tfopt_output_like(call, 0, values)) return tfopt_no_memory(call);
    const int64_t n = sorted->dims[1], m = values->dims[1], rows = sorted->dims[0];
    const bool single = sorted->dtype == TFOPT_F32, reals = tfopt_is_float_type(sorted->dtype);
    const void *a = single  ? (const void *)tfopt_as_f32(call, sorted)
                    : reals ? (const void *)tfopt_as_f64(call, sorted)
                            : (const void *)tfopt_as_s64(call, sorted);
    if (!a) return tfopt_no_memory(call);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = row * m; i < (row + 1) * m; i++) {
            const int64_t at = single ? bound_f32((const float *)a + row * n, n, (float)tfopt_real_at(values, i), upper)
                               : reals ? bound_f64((const double *)a + row * n, n, tfopt_real_at(values, i), upper)
                                       : bound_s64((const int64_t *)a + row * n, n, tfopt_int_at(values, i), upper);
            tfopt_set_int(&call->outputs[0], i, at);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_lower_bound(TfoptHostCall *call) {
    return search_sorted(call, false);
}
int32_t tfopt_host_upper_bound(TfoptHostCall *call) {
    return search_sorted(call, true);
}

int32_t tfopt_host_bucketize(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const TfoptAttr *boundaries = tfopt_call_attr(call, "boundaries");
    int32_t *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t), buckets = boundaries ? boundaries->n : 0;
    double *bounds = tfopt_call_alloc(call, buckets + 1, sizeof *bounds);
    if (!bounds) return tfopt_no_memory(call);
    for (int64_t i = 0; i < buckets; i++)
        bounds[i] = (double)(float)boundaries->v.floats[i]; /* as TensorFlow keeps them */
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)bound_f64(bounds, buckets, tfopt_real_at(t, i), true);
    return TFOPT_OK;
}

int32_t tfopt_host_invert_permutation(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != 1) return tfopt_invalid(call, "invert_permutation expects a vector");
    const int64_t n = t->dims[0];
    if (!tfopt_output_1d(call, 0, n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) tfopt_set_int(&call->outputs[0], i, -1);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = tfopt_int_at(t, i);
        if (at < 0 || at >= n)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "%lld is not between 0 and %lld", (long long)at,
                                   (long long)n);
        if (tfopt_int_at(&call->outputs[0], at) != -1)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "%lld is duplicated", (long long)at);
        tfopt_set_int(&call->outputs[0], at, i);
    }
    return TFOPT_OK;
}

/* (indices, dims): the place of each flat index in a tensor of these dims */
int32_t tfopt_host_unravel_index(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *sizes = &call->inputs[1];
    const int64_t n = tfopt_elements(t), rank = tfopt_elements(sizes), dims[2] = {rank, n};
    int64_t total = 1;
    for (int64_t k = 0; k < rank; k++) {
        if (tfopt_int_at(sizes, k) <= 0) return tfopt_invalid(call, "dims must be positive");
        if (__builtin_mul_overflow(total, tfopt_int_at(sizes, k), &total)) return tfopt_invalid(call, "dims overflow");
    }
    if (!tfopt_host_output(call, 0, t->rank ? 2 : 1, dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = tfopt_int_at(t, i);
        if (rest < 0 || rest >= total) return tfopt_invalid(call, "index is out of bound as with dims");
        for (int64_t k = rank - 1; k >= 0; k--) {
            tfopt_set_int(&call->outputs[0], k * n + i, rest % tfopt_int_at(sizes, k));
            rest /= tfopt_int_at(sizes, k);
        }
    }
    return TFOPT_OK;
}
