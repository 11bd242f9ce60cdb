/* Sets of values: Unique in all its versions and ListDiff. Values are rows (one element, or a slice along an axis) kept
   in a hash table; equality is TensorFlow's: 0 equals -0 (but not
   in 16 bits, where the bits of single elements are hashed), a NaN equals nothing. */
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

/* One integer spread over all bits. */
static uint64_t spread(uint64_t v) {
    v = (v ^ v >> 32) * 0xd6e8feb86659fd93u;
    return v ^ v >> 32;
}

static uint64_t row_hash(const Rows *r, int64_t i) {
    if (r->elements == 1 && r->dtype == TFOPT_S32) return spread(((const uint32_t *)(const void *)r->data)[i]);
    if (r->elements == 1 && r->dtype == TFOPT_S64) return spread(((const uint64_t *)(const void *)r->data)[i]);
    if (r->elements == 1 && r->dtype == TFOPT_F32) {
        const float v = ((const float *)(const void *)r->data)[i] + 0.0f; /* -0 becomes 0 */
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        return spread(bits);
    }
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
    if (a->elements == 1 && a->dtype == TFOPT_S32)
        return ((const uint32_t *)(const void *)a->data)[i] == ((const uint32_t *)(const void *)b->data)[j];
    if (a->elements == 1 && a->dtype == TFOPT_S64)
        return ((const uint64_t *)(const void *)a->data)[i] == ((const uint64_t *)(const void *)b->data)[j];
    if (a->elements == 1 && a->dtype == TFOPT_F32)
        return ((const float *)(const void *)a->data)[i] == ((const float *)(const void *)b->data)[j];
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
            if (a->elements == 1 && is_short_real(a->dtype) &&
                signbit(tfopt_real_at(&ta, x)) != signbit(tfopt_real_at(&tb, y)))
                return false;
        } else if (memcmp(a->data + (uint64_t)x * a->size, b->data + (uint64_t)y * b->size, a->size) != 0) {
            return false;
        }
    }
    return true;
}

/* Distinct rows by open addressing; grows with what it holds, so that a few rows stay near. */
typedef struct {
    const Rows *rows;
    int64_t *members, n; /* numbers of the rows it holds, in the order they came */
    int64_t *slots;      /* place in members + 1; 0: free */
    uint64_t mask;
} Table;

static bool table_slots(TfoptHostCall *call, Table *t, uint64_t size) {
    t->mask = size - 1;
    t->slots = tfopt_call_zeroed(call, (int64_t)size, sizeof *t->slots);
    return t->slots;
}

/* For at most `most` members out of `rows`. */
static bool table_init(TfoptHostCall *call, Table *t, const Rows *rows, int64_t most) {
    *t = (Table){.rows = rows, .members = tfopt_call_alloc(call, most + 1, sizeof *t->members)};
    return t->members && table_slots(call, t, 64);
}

/* The slot of row i of `rows`: where an equal member is, or where it would go. */
static int64_t *table_slot(const Table *t, const Rows *rows, int64_t i) {
    for (uint64_t at = row_hash(rows, i) & t->mask;; at = (at + 1) & t->mask) {
        if (t->slots[at] == 0 || row_equal(t->rows, t->members[t->slots[at] - 1], rows, i)) return &t->slots[at];
    }
}

/* The member that row i of the table's own rows is equal to, itself if there is none so far; -1: no memory. */
static int64_t table_add(TfoptHostCall *call, Table *t, int64_t i) {
    int64_t *slot = table_slot(t, t->rows, i);
    if (*slot) return *slot - 1;
    t->members[t->n] = i;
    *slot = ++t->n;
    if ((uint64_t)t->n > t->mask / 2) {
        if (!table_slots(call, t, 4 * (t->mask + 1))) return -1;
        for (int64_t k = 0; k < t->n; k++) { /* none are equal, but for NaN, which finds a free slot too */
            uint64_t at = row_hash(t->rows, t->members[k]) & t->mask;
            while (t->slots[at]) at = (at + 1) & t->mask;
            t->slots[at] = k + 1;
        }
    }
    return t->n - 1;
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
    int64_t *counts = tfopt_call_zeroed(call, n + 1, sizeof *counts);
    if (!table_init(call, &table, &rows, n) || !counts || !tfopt_output_1d(call, 1, n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = table_add(call, &table, i);
        if (k < 0) return tfopt_no_memory(call);
        counts[k]++;
        tfopt_set_int(&call->outputs[1], i, k);
    }
    const int64_t found = table.n, *first = table.members;
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
    if (!table_init(call, &table, &kept, y->dims[0]) || !left) return tfopt_no_memory(call);
    for (int64_t i = 0; i < y->dims[0]; i++) {
        if (table_add(call, &table, i) < 0) return tfopt_no_memory(call);
    }
    for (int64_t i = 0; i < x->dims[0]; i++) {
        if (*table_slot(&table, &rows, i) == 0) left[n++] = i;
    }
    char *out = tfopt_output_1d(call, 0, n);
    if (!out || !tfopt_output_1d(call, 1, n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        memcpy(out + (uint64_t)i * size, (const char *)x->data + (uint64_t)left[i] * size, size);
        tfopt_set_int(&call->outputs[1], i, left[i]);
    }
    return TFOPT_OK;
}
