/* Counts as sparse tensors: DenseCountSparseOutput, SparseCountSparseOutput, RaggedCountSparseOutput. */
#include "hostops/sparse.h"
#include <string.h>

/* Values in rows, which follow one another. */
typedef struct {
    const TfoptTensor *values, *weights;
    const int64_t *row; /* per value; NULL: one row */
    int64_t rows;
    bool is_vector; /* the result has no dim for rows */
} Counts;

typedef struct {
    const TfoptTensor *values;
    const int64_t *row;
} Order;

static bool value_before(const void *context, int64_t a, int64_t b) {
    const Order *o = context;
    if (o->row && o->row[a] != o->row[b]) return o->row[a] < o->row[b];
    return tfopt_int_at(o->values, a) < tfopt_int_at(o->values, b);
}

static int32_t count(TfoptHostCall *call, const Counts *c) {
    const int64_t n = tfopt_elements(c->values), least = tfopt_call_int(call, "minlength", -1),
                  most = tfopt_call_int(call, "maxlength", -1);
    const bool binary = tfopt_call_int(call, "binary_output", 0) != 0, weighted = tfopt_elements(c->weights) > 0;
    if (weighted && tfopt_elements(c->weights) != n) return tfopt_invalid(call, "weights and values differ in size");
    int64_t *order = tfopt_call_alloc(call, n + 1, sizeof *order),
            *first = tfopt_call_alloc(call, n + 1, sizeof *first);
    if (!order || !first) return tfopt_no_memory(call);
    int64_t used = 0, groups = 0, largest = -1;
    for (int64_t i = 0; i < n; i++) {
        const int64_t v = tfopt_int_at(c->values, i);
        if (v < 0) return tfopt_invalid(call, "Input values must all be non-negative");
        if (c->row && (c->row[i] < 0 || c->row[i] >= c->rows)) return tfopt_invalid(call, "a row is out of range");
        if (most >= 0 && v >= most) continue;
        if (v > largest) largest = v;
        order[used++] = i;
    }
    const Order context = {c->values, c->row};
    if (!tfopt_sort_indices(call, used, order, value_before, &context)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < used; i++) {
        if (i == 0 || value_before(&context, order[i - 1], order[i])) first[groups++] = i;
    }
    first[groups] = used;
    const int32_t rank = c->is_vector ? 1 : 2;
    const int64_t dims[2] = {groups, rank};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, rank);
    if (!indices || !shape || !tfopt_output_1d(call, 1, groups)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[1];
    for (int64_t g = 0; g < groups; g++) {
        const int64_t at = order[first[g]];
        if (rank == 2) indices[2 * g] = c->row ? c->row[at] : 0;
        indices[rank * g + rank - 1] = tfopt_int_at(c->values, at);
        double real = 0;
        int64_t whole = 0;
        for (int64_t i = first[g]; i < first[g + 1]; i++) {
            real += weighted ? tfopt_real_at(c->weights, order[i]) : 1;
            whole += weighted ? tfopt_int_at(c->weights, order[i]) : 1;
        }
        if (tfopt_is_float_type(out->dtype))
            tfopt_set_real(out, g, binary ? 1 : real);
        else
            tfopt_set_int(out, g, binary ? 1 : whole);
    }
    if (rank == 2) shape[0] = c->rows;
    shape[rank - 1] = most > 0 ? most : largest + 1 > least ? largest + 1 : least;
    return TFOPT_OK;
}

/* (values, weights) */
int32_t tfopt_host_dense_count(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < 1 || t->rank > 2) return tfopt_invalid(call, "values must have one or two dimensions");
    const int64_t n = tfopt_elements(t);
    int64_t *row = tfopt_call_alloc(call, n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    for (int64_t i = 0; t->rank == 2 && i < n; i++) row[i] = i / t->dims[1];
    const Counts c = {t, &call->inputs[1], t->rank == 2 ? row : NULL, t->rank == 2 ? t->dims[0] : 1, t->rank == 1};
    return count(call, &c);
}

/* (indices, values, dense_shape, weights) */
int32_t tfopt_host_sparse_count(TfoptHostCall *call) {
    TfoptSparse s;
    const int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    if (s.rank < 1 || s.rank > 2) return tfopt_invalid(call, "the sparse tensor must have one or two dimensions");
    int64_t *row = tfopt_call_alloc(call, s.n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    for (int64_t i = 0; i < s.n; i++) row[i] = s.indices[i * s.rank];
    const Counts c = {s.values, &call->inputs[3], s.rank == 2 ? row : NULL, s.rank == 2 ? s.shape[0] : 1, s.rank == 1};
    return count(call, &c);
}

/* (splits, values, weights) */
int32_t tfopt_host_ragged_count(TfoptHostCall *call) {
    const TfoptTensor *splits = &call->inputs[0], *values = &call->inputs[1];
    const int64_t n = tfopt_elements(values), rows = tfopt_elements(splits) - 1;
    int64_t *row = tfopt_call_alloc(call, n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    if (rows < 0 || tfopt_int_at(splits, 0) != 0 || tfopt_int_at(splits, rows) != n)
        return tfopt_invalid(call, "splits do not cover the values");
    for (int64_t r = 0, i = 0; r < rows; r++) {
        for (; i < n && i < tfopt_int_at(splits, r + 1); i++) row[i] = r;
    }
    const Counts c = {values, &call->inputs[2], row, rows, false};
    return count(call, &c);
}
