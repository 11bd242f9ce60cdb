/* Sets of values: Unique in all its versions and ListDiff. Values are rows (one element, or a slice along an axis) kept
   in a hash table; equality is TensorFlow's: 0 equals -0 (but not
   in 16 bits, where the bits are hashed), a NaN equals nothing. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

typedef struct {
    const char *data; /* rows one after the other */
    int64_t elements; /* of a row */
    uint64_t size;    /* of an element */
    int32_t dtype;
} Rows;

static uint64_t mix(uint64_t h, const void *data, uint64_t n) {
    const uint8_t *p = data;
    for (uint64_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static bool is_real(int32_t dtype) {
    return dtype >= TFOPT_F32 && dtype <= TFOPT_BF16;
}

static bool is_short_real(int32_t dtype) {
    return dtype == TFOPT_F16 || dtype == TFOPT_BF16;
}

static uint64_t row_hash(const Rows *r, int64_t i) {
    uint64_t h = 0xcbf29ce484222325u;
    const TfoptTensor t = {.data = (void *)(uintptr_t)r->data, .dtype = r->dtype};
    for (int64_t e = i * r->elements; e < (i + 1) * r->elements; e++) {
        if (r->dtype == TFOPT_STRING) {
            const TfoptString *s = (const TfoptString *)(const void *)r->data + e;
            h = mix(h, s->data, s->size);
        } else if (is_real(r->dtype)) {
            const double v = tfopt_real_at(&t, e) + 0.0; /* -0 becomes 0 */
            h = mix(h, &v, sizeof v);
        } else {
            h = mix(h, r->data + (uint64_t)e * r->size, r->size);
        }
    }
    return h ^ h >> 32;
}

static bool row_equal(const Rows *a, int64_t i, const Rows *b, int64_t j) {
    const TfoptTensor ta = {.data = (void *)(uintptr_t)a->data, .dtype = a->dtype},
                      tb = {.data = (void *)(uintptr_t)b->data, .dtype = b->dtype};
    for (int64_t e = 0; e < a->elements; e++) {
        const int64_t x = i * a->elements + e, y = j * b->elements + e;
        if (a->dtype == TFOPT_STRING) {
            const TfoptString *s = (const TfoptString *)(const void *)a->data + x,
                              *t = (const TfoptString *)(const void *)b->data + y;
            if (s->size != t->size || (s->size && memcmp(s->data, t->data, s->size) != 0)) return false;
        } else if (is_real(a->dtype)) {
            if (!(tfopt_real_at(&ta, x) == tfopt_real_at(&tb, y))) return false;
            if (is_short_real(a->dtype) && signbit(tfopt_real_at(&ta, x)) != signbit(tfopt_real_at(&tb, y)))
                return false;
        } else if (memcmp(a->data + (uint64_t)x * a->size, b->data + (uint64_t)y * b->size, a->size) != 0) {
            return false;
        }
    }
    return true;
}

/* Open addressing over row numbers + 1. */
typedef struct {
    int64_t *slots;
    uint64_t mask;
} Table;

static bool table_init(TfoptHostCall *call, Table *t, int64_t n) {
    uint64_t size = 16;
    while (size < (uint64_t)n * 2) size *= 2;
    t->mask = size - 1;
    t->slots = tfopt_call_zeroed(call, (int64_t)size, sizeof *t->slots);
    return t->slots;
}

/* The slot of row i of `rows`: where an equal row of `kept` is, or where it would go. */
static int64_t *table_slot(const Table *t, const Rows *kept, const Rows *rows, int64_t i) {
    for (uint64_t at = row_hash(rows, i) & t->mask;; at = (at + 1) & t->mask) {
        if (t->slots[at] == 0 || row_equal(kept, t->slots[at] - 1, rows, i)) return &t->slots[at];
    }
}

int32_t tfopt_host_unique(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *axes = call->n_inputs > 1 ? &call->inputs[1] : NULL;
    int32_t axis = 0;
    if (axes && tfopt_elements(axes) > 0) {
        axis = tfopt_axis(tfopt_int_at(axes, 0), t->rank);
        if (axis < 0 || tfopt_elements(axes) > 1) return tfopt_invalid(call, "axis must be one dimension of x");
    } else if (t->rank != 1) {
        return tfopt_invalid(call, "unique expects a vector");
    }
    const int64_t outer = tfopt_dims_product(t->dims, 0, axis), n = t->dims[axis],
                  inner = tfopt_dims_product(t->dims, axis + 1, t->rank);
    const uint64_t size = tfopt_dtype_bytes(t->dtype), piece = (uint64_t)inner * size;
    Rows rows = {t->data, outer * inner, size, t->dtype};
    if (outer > 1) { /* slices along the axis, each made contiguous */
        char *copy = tfopt_call_alloc(call, n, (uint64_t)outer * piece);
        if (!copy) return tfopt_no_memory(call);
        for (int64_t i = 0; i < n; i++) {
            for (int64_t o = 0; o < outer; o++)
                memcpy(copy + (uint64_t)(i * outer + o) * piece, (const char *)t->data + (uint64_t)(o * n + i) * piece,
                       piece);
        }
        rows.data = copy;
    }
    Table table;
    int64_t *first = tfopt_call_alloc(call, n + 1, sizeof *first),
            *counts = tfopt_call_zeroed(call, n + 1, sizeof *counts);
    int64_t *number = tfopt_call_alloc(call, n + 1, sizeof *number);
    if (!table_init(call, &table, n) || !first || !counts || !number || !tfopt_output_1d(call, 1, n))
        return tfopt_no_memory(call);
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t *slot = table_slot(&table, &rows, &rows, i);
        if (*slot == 0) {
            *slot = i + 1;
            number[i] = found;
            first[found++] = i;
        }
        const int64_t k = number[*slot - 1];
        counts[k]++;
        tfopt_set_int(&call->outputs[1], i, k);
    }
    TfoptTensor shape = *t;
    shape.dims[axis] = found;
    char *out = tfopt_output_like(call, 0, &shape);
    if (!out || (call->n_outputs > 2 && !tfopt_output_1d(call, 2, found))) return tfopt_no_memory(call);
    for (int64_t k = 0; k < found; k++) {
        for (int64_t o = 0; o < outer && piece; o++)
            memcpy(out + (uint64_t)(o * found + k) * piece,
                   (const char *)t->data + (uint64_t)(o * n + first[k]) * piece, piece);
        if (call->n_outputs > 2) tfopt_set_int(&call->outputs[2], k, counts[k]);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_list_diff(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *y = &call->inputs[1];
    if (x->rank != 1 || y->rank != 1) return tfopt_invalid(call, "x and y must be vectors");
    const uint64_t size = tfopt_dtype_bytes(x->dtype);
    const Rows kept = {y->data, 1, size, y->dtype}, rows = {x->data, 1, size, x->dtype};
    Table table;
    int64_t *left = tfopt_call_alloc(call, x->dims[0] + 1, sizeof *left), n = 0;
    if (!table_init(call, &table, y->dims[0]) || !left) return tfopt_no_memory(call);
    for (int64_t i = 0; i < y->dims[0]; i++) {
        int64_t *slot = table_slot(&table, &kept, &kept, i);
        if (*slot == 0) *slot = i + 1;
    }
    for (int64_t i = 0; i < x->dims[0]; i++) {
        if (*table_slot(&table, &kept, &rows, i) == 0) left[n++] = i;
    }
    char *out = tfopt_output_1d(call, 0, n);
    if (!out || !tfopt_output_1d(call, 1, n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        memcpy(out + (uint64_t)i * size, (const char *)x->data + (uint64_t)left[i] * size, size);
        tfopt_set_int(&call->outputs[1], i, left[i]);
    }
    return TFOPT_OK;
}
