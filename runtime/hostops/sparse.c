/* Sparse tensors: form (dense, order, reshape, slices, rows) and the helpers of sparse_math.c. */
#include "hostops/sparse.h"
#include "hostops/complex.h"
#include <string.h>

int32_t tfopt_sparse_from(TfoptHostCall *call, const TfoptTensor *indices, const TfoptTensor *values,
                          const TfoptTensor *shape, TfoptSparse *out) {
    if (indices->rank != 2 || shape->rank != 1 || indices->dims[1] != shape->dims[0] ||
        tfopt_elements(values) != indices->dims[0] || shape->dims[0] > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "a sparse tensor needs indices [n, rank], values [n] and shape [rank]");
    *out = (TfoptSparse){tfopt_as_s64(call, indices), values, tfopt_as_s64(call, shape), indices->dims[0],
                         (int32_t)shape->dims[0]};
    if (!out->indices || !out->shape) return tfopt_no_memory(call);
    for (int32_t k = 0; k < out->rank; k++) {
        if (out->shape[k] < 0) return tfopt_invalid(call, "a sparse tensor's shape must not be negative");
    }
    for (int64_t i = 0; i < out->n; i++) {
        for (int32_t k = 0; k < out->rank; k++) {
            const int64_t at = out->indices[i * out->rank + k];
            if (at < 0 || at >= out->shape[k])
                return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "index %lld of row %lld is out of bounds",
                                       (long long)at, (long long)i);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_sparse_read(TfoptHostCall *call, int32_t first, TfoptSparse *out) {
    if (call->n_inputs < first + 3) return tfopt_invalid(call, "inputs are missing");
    return tfopt_sparse_from(call, &call->inputs[first], &call->inputs[first + 1], &call->inputs[first + 2], out);
}

int tfopt_sparse_compare(const int64_t *a, const int64_t *b, int32_t rank) {
    for (int32_t k = 0; k < rank; k++) {
        if (a[k] != b[k]) return a[k] < b[k] ? -1 : 1;
    }
    return 0;
}

static bool index_less(const void *context, int64_t a, int64_t b) {
    const TfoptSparse *s = context;
    return tfopt_sparse_compare(s->indices + a * s->rank, s->indices + b * s->rank, s->rank) < 0;
}

int64_t *tfopt_sparse_order(TfoptHostCall *call, const TfoptSparse *s) {
    int64_t *order = tfopt_call_alloc(call, s->n + 1, sizeof *order);
    for (int64_t i = 0; order && i < s->n; i++) order[i] = i;
    return order && tfopt_sort_indices(call, s->n, order, index_less, s) ? order : NULL;
}

int64_t tfopt_sparse_flat(const int64_t *index, const int64_t *shape, int32_t rank) {
    int64_t at = 0;
    for (int32_t k = 0; k < rank; k++) at = at * shape[k] + index[k];
    return at;
}

void tfopt_copy_element(const TfoptTensor *to, int64_t i, const TfoptTensor *from, int64_t k) {
    const size_t size = tfopt_dtype_bytes(from->dtype);
    memcpy((char *)to->data + (size_t)i * size, (const char *)from->data + (size_t)k * size, size);
}

void tfopt_sparse_combine(TfoptSparseOp op, const TfoptTensor *to, int64_t i, const TfoptTensor *a, int64_t ia,
                          const TfoptTensor *b, int64_t ib) {
    if (tfopt_is_int_type(to->dtype)) {
        const int64_t x = tfopt_int_at(a, ia), y = tfopt_int_at(b, ib);
        const bool less = to->dtype == TFOPT_U64 ? (uint64_t)x < (uint64_t)y : x < y;
        int64_t v = 0;
        if (op == TFOPT_SPARSE_ADD)
            v = (int64_t)((uint64_t)x + (uint64_t)y);
        else if (op == TFOPT_SPARSE_MUL)
            v = (int64_t)((uint64_t)x * (uint64_t)y);
        else if (op == TFOPT_SPARSE_DIV)
            v = y == 0 || y == -1 ? (int64_t)(0 - (uint64_t)x) * (y != 0) : x / y;
        else
            v = (op == TFOPT_SPARSE_MAX) == less ? y : x;
        tfopt_set_int(to, i, v);
        return;
    }
    const TfoptComplex x = tfopt_complex_at(a, ia), y = tfopt_complex_at(b, ib);
    TfoptComplex v = x;
    if (op == TFOPT_SPARSE_ADD)
        v = x + y;
    else if (op == TFOPT_SPARSE_MUL)
        v = to->dtype == TFOPT_C64 || to->dtype == TFOPT_C128 ? x * y : creal(x) * creal(y);
    else if (op == TFOPT_SPARSE_DIV)
        v = to->dtype == TFOPT_C64 || to->dtype == TFOPT_C128 ? x / y : creal(x) / creal(y);
    else
        v = (op == TFOPT_SPARSE_MAX) == (creal(x) < creal(y)) ? y : x;
    tfopt_set_complex(to, i, v);
}

/* (indices, shape, values, default): indices scalar, vector or matrix; values one for each or a scalar for all */
int32_t tfopt_host_sparse_to_dense(TfoptHostCall *call) {
    const TfoptTensor *indices = &call->inputs[0], *shape = &call->inputs[1], *values = &call->inputs[2],
                      *missing = &call->inputs[3];
    const int64_t n = indices->rank > 0 ? indices->dims[0] : 1, depth = indices->rank > 1 ? indices->dims[1] : 1,
                  rank = tfopt_elements(shape);
    const bool validate = tfopt_call_int(call, "validate_indices", 1) != 0;
    int64_t dims[TFOPT_MAX_RANK], previous = -1;
    if (rank > TFOPT_MAX_RANK || depth != rank || (values->rank && tfopt_elements(values) != n))
        return tfopt_invalid(call, "sparse_indices, output_shape and sparse_values do not fit");
    for (int64_t k = 0; k < rank; k++) {
        dims[k] = tfopt_int_at(shape, k);
        if (dims[k] < 0) return tfopt_invalid(call, "output_shape must not be negative");
    }
    if (!tfopt_host_output(call, 0, (int32_t)rank, dims)) return tfopt_no_memory(call);
    const int64_t count = tfopt_elements(&call->outputs[0]);
    for (int64_t i = 0; i < count; i++) tfopt_copy_element(&call->outputs[0], i, missing, 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int64_t k = 0; k < rank; k++) {
            const int64_t index = tfopt_int_at(indices, i * depth + k);
            if (index < 0 || index >= dims[k])
                return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "indices[%lld] is out of bounds", (long long)i);
            at = at * dims[k] + index;
        }
        if (validate && at <= previous)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "indices[%lld] is %s", (long long)i,
                                   at == previous ? "repeated" : "out of order");
        previous = at;
        tfopt_copy_element(&call->outputs[0], at, values, values->rank ? i : 0);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_sparse_reorder(TfoptHostCall *call) {
    TfoptSparse s;
    const int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    const int64_t *order = tfopt_sparse_order(call, &s);
    int64_t *indices = tfopt_output_like(call, 0, &call->inputs[0]);
    if (!order || !indices || !tfopt_output_1d(call, 1, s.n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < s.n; i++) {
        memcpy(indices + i * s.rank, s.indices + order[i] * s.rank, (size_t)s.rank * sizeof *indices);
        tfopt_copy_element(&call->outputs[1], i, s.values, order[i]);
    }
    return TFOPT_OK;
}

/* (indices, shape, new shape with at most one -1) */
int32_t tfopt_host_sparse_reshape(TfoptHostCall *call) {
    const TfoptTensor *indices = &call->inputs[0], *shape = &call->inputs[1], *wanted = &call->inputs[2];
    const int64_t rank = tfopt_elements(shape), new_rank = tfopt_elements(wanted),
                  n = indices->rank == 2 ? indices->dims[0] : 0;
    if (indices->rank != 2 || indices->dims[1] != rank || rank > TFOPT_MAX_RANK || new_rank > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "indices and shapes do not fit");
    int64_t total = 1, known = 1, open = -1, dims[TFOPT_MAX_RANK];
    for (int64_t k = 0; k < rank; k++) {
        if (tfopt_int_at(shape, k) < 0 || __builtin_mul_overflow(total, tfopt_int_at(shape, k), &total))
            return tfopt_invalid(call, "the shape is out of range");
    }
    for (int64_t k = 0; k < new_rank; k++) {
        dims[k] = tfopt_int_at(wanted, k);
        if (dims[k] == -1 && open < 0)
            open = k;
        else if (dims[k] < 0 || __builtin_mul_overflow(known, dims[k], &known))
            return tfopt_invalid(call, "the new shape is out of range");
    }
    if (open >= 0) {
        if (known == 0 || total % known) return tfopt_invalid(call, "the new shape does not fit");
        dims[open] = total / known;
        known *= dims[open];
    }
    if (known != total) return tfopt_invalid(call, "the new shape has another number of elements");
    const int64_t out_dims[2] = {n, new_rank};
    int64_t *out = tfopt_host_output(call, 0, 2, out_dims), *out_shape = tfopt_output_1d(call, 1, new_rank);
    if (!out || !out_shape) return tfopt_no_memory(call);
    for (int64_t k = 0; k < new_rank; k++) out_shape[k] = dims[k];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int64_t k = 0; k < rank; k++) at = at * tfopt_int_at(shape, k) + tfopt_int_at(indices, i * rank + k);
        for (int64_t k = new_rank - 1; k >= 0; k--) {
            out[i * new_rank + k] = dims[k] ? at % dims[k] : 0;
            at = dims[k] ? at / dims[k] : 0;
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_sparse_fill_empty_rows(TfoptHostCall *call) {
    TfoptSparse s;
    const int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    if (s.rank < 1) return tfopt_invalid(call, "dense_shape must have at least one dimension");
    const int64_t rows = s.shape[0];
    int64_t *counts = tfopt_call_zeroed(call, rows + 1, sizeof *counts), total = 0;
    uint8_t *empty = tfopt_output_1d(call, 2, rows);
    int64_t *reverse = tfopt_output_1d(call, 3, s.n);
    if (!counts || !empty || !reverse) return tfopt_no_memory(call);
    for (int64_t i = 0; i < s.n; i++) counts[s.indices[i * s.rank]]++;
    for (int64_t r = 0; r < rows; r++) {
        empty[r] = counts[r] == 0;
        const int64_t here = counts[r] ? counts[r] : 1;
        counts[r] = total; /* from now on: where the row's next element goes */
        total += here;
    }
    const int64_t dims[2] = {total, s.rank};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims);
    if (!indices || !tfopt_output_1d(call, 1, total)) return tfopt_no_memory(call);
    for (int64_t r = 0; r < rows; r++) {
        if (!empty[r]) continue;
        memset(indices + counts[r] * s.rank, 0, (size_t)s.rank * sizeof *indices);
        indices[counts[r] * s.rank] = r;
        tfopt_copy_element(&call->outputs[1], counts[r], &call->inputs[3], 0);
    }
    for (int64_t i = 0; i < s.n; i++) {
        const int64_t to = counts[s.indices[i * s.rank]]++;
        memcpy(indices + to * s.rank, s.indices + i * s.rank, (size_t)s.rank * sizeof *indices);
        tfopt_copy_element(&call->outputs[1], to, s.values, i);
        reverse[i] = to;
    }
    return TFOPT_OK;
}

/* Elements inside [start, start + size) as outputs first, first + 1, first + 2 (stride between groups of outputs). */
static int32_t write_slice(TfoptHostCall *call, const TfoptSparse *s, const int64_t *start, const int64_t *size,
                           int32_t first, int32_t stride) {
    int64_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        int64_t *indices = NULL;
        if (pass == 1) {
            const int64_t dims[2] = {count, s->rank};
            indices = tfopt_host_output(call, first, 2, dims);
            int64_t *shape = tfopt_output_1d(call, first + 2 * stride, s->rank);
            if (!indices || !shape || !tfopt_output_1d(call, first + stride, count)) return tfopt_no_memory(call);
            for (int32_t k = 0; k < s->rank; k++) shape[k] = size[k];
            count = 0;
        }
        for (int64_t i = 0; i < s->n; i++) {
            const int64_t *at = s->indices + i * s->rank;
            bool inside = true;
            for (int32_t k = 0; k < s->rank; k++) inside = inside && at[k] >= start[k] && at[k] - start[k] < size[k];
            if (!inside) continue;
            if (pass == 1) {
                for (int32_t k = 0; k < s->rank; k++) indices[count * s->rank + k] = at[k] - start[k];
                tfopt_copy_element(&call->outputs[first + stride], count, s->values, i);
            }
            count++;
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_sparse_slice(TfoptHostCall *call) {
    TfoptSparse s;
    const int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    int64_t start[TFOPT_MAX_RANK], size[TFOPT_MAX_RANK];
    if (tfopt_elements(&call->inputs[3]) != s.rank || tfopt_elements(&call->inputs[4]) != s.rank)
        return tfopt_invalid(call, "start and size must have one number for each dimension");
    for (int32_t k = 0; k < s.rank; k++) {
        start[k] = tfopt_int_at(&call->inputs[3], k);
        size[k] = tfopt_int_at(&call->inputs[4], k);
        if (start[k] < 0 || size[k] < 0) return tfopt_invalid(call, "start and size must not be negative");
        const int64_t room = s.shape[k] - start[k];
        if (size[k] > room) size[k] = room > 0 ? room : 0;
    }
    return write_slice(call, &s, start, size, 0, 1);
}

/* (split_dim, indices, values, shape) -> n indices, n values, n shapes; the first parts are one larger when it does not
 * divide */
int32_t tfopt_host_sparse_split(TfoptHostCall *call) {
    TfoptSparse s;
    int32_t status = tfopt_sparse_read(call, 1, &s);
    if (status != TFOPT_OK) return status;
    const int32_t parts = call->n_outputs / 3, axis = tfopt_axis(tfopt_int_at(&call->inputs[0], 0), s.rank);
    if (axis < 0 || parts < 1 || parts > s.shape[axis])
        return tfopt_invalid(call, "split_dim or num_split out of range");
    int64_t start[TFOPT_MAX_RANK] = {0}, size[TFOPT_MAX_RANK];
    for (int32_t k = 0; k < s.rank; k++) size[k] = s.shape[k];
    for (int32_t p = 0; p < parts && status == TFOPT_OK; p++) {
        size[axis] = s.shape[axis] / parts + (p < s.shape[axis] % parts);
        status = write_slice(call, &s, start, size, p, parts);
        start[axis] += size[axis];
    }
    return status;
}

int32_t tfopt_host_sparse_concat(TfoptHostCall *call) {
    const int32_t parts = call->n_inputs / 3;
    TfoptSparse *s = tfopt_call_alloc(call, parts + 1, sizeof *s);
    if (!s || parts < 1) return s ? tfopt_invalid(call, "nothing to join") : tfopt_no_memory(call);
    int64_t n = 0;
    for (int32_t p = 0; p < parts; p++) {
        const int32_t status =
            tfopt_sparse_from(call, &call->inputs[p], &call->inputs[parts + p], &call->inputs[2 * parts + p], &s[p]);
        if (status != TFOPT_OK) return status;
        n += s[p].n;
        if (s[p].rank != s[0].rank) return tfopt_invalid(call, "ranks differ");
    }
    const int32_t rank = s[0].rank, axis = tfopt_axis(tfopt_call_int(call, "concat_dim", 0), rank);
    if (axis < 0) return tfopt_invalid(call, "concat_dim is out of range");
    const int64_t dims[2] = {n, rank};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, rank),
            *all = tfopt_call_alloc(call, n * rank + 1, sizeof *all);
    TfoptTensor joined = *s[0].values;
    joined.dims[0] = n;
    joined.data = tfopt_call_alloc(call, n + 1, tfopt_dtype_bytes(joined.dtype));
    if (!indices || !shape || !all || !joined.data || !tfopt_output_1d(call, 1, n)) return tfopt_no_memory(call);
    int64_t at = 0, shift = 0;
    for (int32_t k = 0; k < rank; k++) shape[k] = s[0].shape[k];
    for (int32_t p = 0; p < parts; p++) {
        for (int32_t k = 0; k < rank; k++) {
            if (k != axis && s[p].shape[k] != shape[k])
                return tfopt_invalid(call, "shapes differ outside of concat_dim");
        }
        for (int64_t i = 0; i < s[p].n; i++, at++) {
            for (int32_t k = 0; k < rank; k++)
                all[at * rank + k] = s[p].indices[i * rank + k] + (k == axis ? shift : 0);
            tfopt_copy_element(&joined, at, s[p].values, i);
        }
        shift += s[p].shape[axis];
    }
    shape[axis] = shift;
    const TfoptSparse whole = {all, &joined, shape, n, rank};
    const int64_t *order = tfopt_sparse_order(call, &whole);
    if (!order) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        memcpy(indices + i * rank, all + order[i] * rank, (size_t)rank * sizeof *indices);
        tfopt_copy_element(&call->outputs[1], i, &joined, order[i]);
    }
    return TFOPT_OK;
}
