/* variant: ragged tensors as elements of a tensor, lists inside of lists, and optional values (variant.h). */
#include "hostops/variant.h"

#include <string.h>

TfoptObject *tfopt_object_new(TfoptHostCall *call, TfoptObjectKind kind, int64_t n) {
    if (n < 0 || n > INT32_MAX) return NULL;
    TfoptObject *o = tfopt_call_zeroed(call, 1, sizeof *o + (uint64_t)n * sizeof o->parts[0]);
    if (o) *o = (TfoptObject){.kind = kind, .n = n};
    return o;
}

const TfoptObject *tfopt_object_at(TfoptHostCall *call, const TfoptTensor *t, int64_t i, TfoptObjectKind kind) {
    const TfoptObject *o = ((const TfoptObject *const *)t->data)[i];
    if (o && o->kind == (int64_t)kind) return o;
    tfopt_invalid(call, o ? "the variant holds another kind of value" : "the variant holds no value");
    return NULL;
}

bool tfopt_object_copy(TfoptHostCall *call, const TfoptTensor *t, int64_t begin, int64_t end, TfoptTensor *out) {
    *out = *t;
    const uint64_t size = tfopt_dtype_bytes(t->dtype);
    uint64_t row = size;
    if (end >= 0) {
        out->dims[0] = end - begin;
        row = size * (uint64_t)tfopt_dims_product(t->dims, 1, t->rank);
    }
    const uint64_t bytes = size * (uint64_t)tfopt_elements(out);
    out->data = tfopt_call_alloc(call, 1, bytes ? bytes : 1);
    if (!out->data) return false;
    if (bytes) memcpy(out->data, (const char *)t->data + (end >= 0 ? (uint64_t)begin * row : 0), bytes);
    return true;
}

int32_t tfopt_object_give(TfoptHostCall *call, const TfoptObject *o) {
    const TfoptObject **out = o ? tfopt_output_scalar(call, 0) : NULL;
    if (!out) return tfopt_no_memory(call);
    *out = o;
    return TFOPT_OK;
}

int32_t tfopt_object_take(TfoptHostCall *call, const TfoptTensor *t, int32_t i) {
    if (t->dtype != call->outputs[i].dtype) return tfopt_invalid(call, "the variant holds values of another type");
    const int64_t n = tfopt_elements(t);
    void *out = tfopt_output_1d(call, i, n);
    int64_t *dims = tfopt_output_1d(call, i + 1, t->rank);
    if (!out || !dims) return tfopt_no_memory(call);
    if (n) memcpy(out, t->data, (size_t)n * tfopt_dtype_bytes(t->dtype));
    memcpy(dims, t->dims, (size_t)t->rank * sizeof *dims);
    return TFOPT_OK;
}

/* ---- ragged tensors */

static bool splits_fit(const TfoptTensor *splits, int64_t n) {
    const int64_t rows = tfopt_elements(splits) - 1;
    if (splits->rank != 1 || rows < 0 || tfopt_int_at(splits, 0) != 0 || tfopt_int_at(splits, rows) != n) return false;
    for (int64_t r = 0; r < rows; r++)
        if (tfopt_int_at(splits, r + 1) < tfopt_int_at(splits, r)) return false;
    return true;
}

/* Row `row` of the outermost dimension: its part of every inner split, counted from 0, and of the values. */
static TfoptObject *ragged_row(TfoptHostCall *call, int64_t row) {
    const int32_t depth = call->n_inputs - 1;
    TfoptObject *o = tfopt_object_new(call, TFOPT_OBJECT_RAGGED, depth > 0 ? depth : 1);
    int64_t begin = row, end = row + 1;
    for (int32_t d = 0; o && d < depth; d++) {
        const TfoptTensor *splits = &call->inputs[d];
        if (d > 0) {
            TfoptTensor *part = &o->parts[d - 1];
            if (!tfopt_object_copy(call, splits, begin, end + 1, part)) return NULL;
            const int64_t first = tfopt_int_at(splits, begin);
            for (int64_t i = 0; i <= end - begin; i++) tfopt_set_int(part, i, tfopt_int_at(part, i) - first);
        }
        begin = tfopt_int_at(splits, begin);
        end = tfopt_int_at(splits, end);
    }
    const TfoptTensor *values = &call->inputs[depth];
    TfoptTensor *last = o ? &o->parts[o->n - 1] : NULL;
    if (!o || !tfopt_object_copy(call, values, begin, end, last)) return NULL;
    if (depth == 0) { /* no ragged dimension: the row without its own */
        memmove(last->dims, last->dims + 1, sizeof last->dims[0] * (size_t)(last->rank - 1));
        last->rank--;
    }
    return o;
}

/* (nested splits…, values) -> a scalar, or with `batched_input` a vector of its rows */
int32_t tfopt_host_ragged_to_variant(TfoptHostCall *call) {
    const int32_t depth = call->n_inputs - 1;
    const TfoptTensor *values = &call->inputs[depth];
    if (values->rank < 1 && (depth > 0 || tfopt_call_int(call, "batched_input", 0)))
        return tfopt_invalid(call, "the values must have a dimension");
    for (int32_t d = 0; d < depth; d++) {
        const int64_t n = d + 1 < depth ? tfopt_elements(&call->inputs[d + 1]) - 1 : values->dims[0];
        if (!splits_fit(&call->inputs[d], n)) return tfopt_invalid(call, "Invalid ragged splits");
    }
    if (!tfopt_call_int(call, "batched_input", 0)) {
        TfoptObject *o = tfopt_object_new(call, TFOPT_OBJECT_RAGGED, depth + 1);
        for (int32_t d = 0; o && d <= depth; d++)
            if (!tfopt_object_copy(call, &call->inputs[d], 0, -1, &o->parts[d])) o = NULL;
        return tfopt_object_give(call, o);
    }
    const int64_t rows = depth ? tfopt_elements(&call->inputs[0]) - 1 : values->dims[0];
    const TfoptObject **out = tfopt_output_1d(call, 0, rows);
    for (int64_t r = 0; out && r < rows; r++)
        if (!(out[r] = ragged_row(call, r))) out = NULL;
    return out ? TFOPT_OK : tfopt_no_memory(call);
}

/* Values of several objects one after the other: into result i, and their dims into result i + 1. `outer`: dims in
   front of those of each, where they are stacked. */
static int32_t join_values(TfoptHostCall *call, const TfoptObject *const *objects, int64_t n, const TfoptTensor *outer,
                           int32_t i) {
    const int32_t dtype = call->outputs[i].dtype;
    TfoptTensor all = {.dtype = dtype, .rank = 1};
    if (n > 0) all = objects[0]->parts[objects[0]->n - 1];
    const TfoptTensor each = all;
    int64_t rows = 0, total = 0;
    for (int64_t k = 0; k < n; k++) {
        const TfoptTensor *v = &objects[k]->parts[objects[k]->n - 1];
        bool same = v->dtype == dtype && v->rank == each.rank;
        for (int32_t d = outer ? 0 : 1; same && d < v->rank; d++) same = v->dims[d] == each.dims[d];
        if (!same || (!outer && v->rank < 1))
            return tfopt_invalid(call, "the values of the ragged tensors differ in type or shape");
        rows += outer ? 0 : v->dims[0];
        total += tfopt_elements(v);
    }
    if (outer) {
        if (outer->rank + each.rank > TFOPT_MAX_RANK) return tfopt_invalid(call, "too many dimensions");
        memcpy(all.dims, outer->dims, sizeof all.dims[0] * (size_t)outer->rank);
        if (n > 0) memcpy(all.dims + outer->rank, each.dims, sizeof all.dims[0] * (size_t)each.rank);
        all.rank = outer->rank + (n > 0 ? each.rank : 0);
    } else {
        all.dims[0] = rows;
    }
    char *out = tfopt_output_1d(call, i, total);
    int64_t *dims = tfopt_output_1d(call, i + 1, all.rank);
    if (!out || !dims) return tfopt_no_memory(call);
    memcpy(dims, all.dims, sizeof *dims * (size_t)all.rank);
    for (int64_t k = 0; k < n; k++) {
        const TfoptTensor *v = &objects[k]->parts[objects[k]->n - 1];
        const size_t bytes = (size_t)tfopt_elements(v) * tfopt_dtype_bytes(dtype);
        if (bytes) memcpy(out, v->data, bytes);
        out += bytes;
    }
    return TFOPT_OK;
}

/* Split `level` of every object, one after the other, counted on. */
static bool join_splits(TfoptHostCall *call, const TfoptObject *const *objects, int64_t n, int64_t level, int32_t i) {
    int64_t count = 1;
    for (int64_t k = 0; k < n; k++) count += tfopt_elements(&objects[k]->parts[level]) - 1;
    if (!tfopt_output_1d(call, i, count)) return false;
    const TfoptTensor *out = &call->outputs[i];
    int64_t at = 0, last = 0;
    tfopt_set_int(out, at++, 0);
    for (int64_t k = 0; k < n; k++) {
        const TfoptTensor *splits = &objects[k]->parts[level];
        for (int64_t r = 1; r < tfopt_elements(splits); r++) tfopt_set_int(out, at++, last + tfopt_int_at(splits, r));
        last += tfopt_int_at(splits, tfopt_elements(splits) - 1);
    }
    return true;
}

/* variants -> nested splits…, values in a row, dims of the values. A scalar is its ragged tensor; others are stacked:
   a split for each of their dims. */
int32_t tfopt_host_ragged_from_variant(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int32_t depth = call->n_outputs - 2;
    int64_t inner = tfopt_call_int(call, "input_ragged_rank", -1);
    if (inner == -1) inner = depth == 0 && t->rank > 0 ? 0 : depth - t->rank;
    if (inner < 0 || !((depth == 0 && inner == 0) || depth == t->rank + inner))
        return tfopt_invalid(call, "input_ragged_rank and output_ragged_rank do not fit the variants");
    const int64_t n = tfopt_elements(t);
    const TfoptObject **objects = tfopt_call_alloc(call, n ? n : 1, sizeof *objects);
    if (!objects) return tfopt_no_memory(call);
    for (int64_t k = 0; k < n; k++) {
        objects[k] = tfopt_object_at(call, t, k, TFOPT_OBJECT_RAGGED);
        if (!objects[k]) return TFOPT_INVALID_ARGUMENT;
        if (objects[k]->n != inner + 1)
            return tfopt_invalid(call, "Encoded input RaggedTensorVariant has another rank");
    }
    for (int32_t d = 0; d < t->rank - 1 && d < depth; d++) { /* dims of the variants that are not their last */
        int64_t rows = 1;
        for (int32_t k = 0; k <= d; k++) rows *= t->dims[k];
        if (!tfopt_output_1d(call, d, rows + 1)) return tfopt_no_memory(call);
        for (int64_t r = 0; r <= rows; r++) tfopt_set_int(&call->outputs[d], r, r * t->dims[d + 1]);
    }
    if (t->rank > 0 && depth > 0) {
        const int32_t at = t->rank - 1;
        if (!tfopt_output_1d(call, at, n + 1)) return tfopt_no_memory(call);
        int64_t total = 0;
        tfopt_set_int(&call->outputs[at], 0, 0);
        for (int64_t k = 0; k < n; k++) {
            const TfoptTensor *first = &objects[k]->parts[0];
            if (inner == 0 && first->rank < 1) return tfopt_invalid(call, "the values must have a dimension");
            total += inner > 0 ? tfopt_elements(first) - 1 : first->dims[0];
            tfopt_set_int(&call->outputs[at], k + 1, total);
        }
    }
    for (int64_t d = 0; d < inner; d++)
        if (!join_splits(call, objects, n, d, t->rank + (int32_t)d)) return tfopt_no_memory(call);
    if (t->rank == 0) return tfopt_object_take(call, &objects[0]->parts[inner], depth);
    return join_values(call, objects, n, depth == 0 ? t : NULL, depth);
}

/* (variants, row splits, shape) -> their values one after the other; zeros where there is none */
int32_t tfopt_host_ragged_gradient(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *splits = &call->inputs[1];
    const int64_t n = tfopt_elements(t);
    int64_t dims[TFOPT_MAX_RANK] = {0}, at = 0;
    const int32_t rank = call->outputs[0].rank;
    for (int32_t k = 0; k < rank; k++) dims[k] = tfopt_int_at(&call->inputs[2], k);
    char *out = tfopt_host_output(call, 0, rank, dims);
    if (!out) return tfopt_no_memory(call);
    const uint64_t size = tfopt_dtype_bytes(call->outputs[0].dtype);
    const int64_t total = tfopt_elements(&call->outputs[0]), row = tfopt_dims_product(dims, 1, rank);
    memset(out, 0, (size_t)total * size);
    for (int64_t k = 0; k < n; k++) {
        const TfoptObject *o = ((const TfoptObject *const *)t->data)[k];
        const TfoptTensor *v = o ? &o->parts[o->n - 1] : NULL;
        int64_t count = 0;
        if (v)
            count = tfopt_elements(v);
        else if (k + 1 < tfopt_elements(splits))
            count = (tfopt_int_at(splits, k + 1) - tfopt_int_at(splits, k)) * row;
        if ((v && v->dtype != call->outputs[0].dtype) || count < 0 || count > total - at)
            return tfopt_invalid(call, "the values do not fit the shape");
        if (v && count) memcpy(out + (uint64_t)at * size, v->data, (size_t)count * size);
        at += count;
    }
    return at == total ? TFOPT_OK : tfopt_invalid(call, "the values do not fit the shape");
}

/* ---- lists inside of lists, optional values */

static int32_t pack(TfoptHostCall *call, TfoptObjectKind kind) {
    TfoptObject *o = tfopt_object_new(call, kind, call->n_inputs);
    for (int32_t i = 0; o && i < call->n_inputs; i++)
        if (!tfopt_object_copy(call, &call->inputs[i], 0, -1, &o->parts[i])) o = NULL;
    return tfopt_object_give(call, o);
}

static int32_t unpack(TfoptHostCall *call, TfoptObjectKind kind) {
    const TfoptObject *o = tfopt_object_at(call, &call->inputs[0], 0, kind);
    if (!o) return TFOPT_INVALID_ARGUMENT;
    if (o->n != call->n_outputs / 2) return tfopt_invalid(call, "the variant holds another number of values");
    for (int32_t i = 0; i < o->n; i++) {
        const int32_t status = tfopt_object_take(call, &o->parts[i], 2 * i);
        if (status) return status;
    }
    return TFOPT_OK;
}

int32_t tfopt_host_list_box(TfoptHostCall *call) {
    return pack(call, TFOPT_OBJECT_LIST);
}
int32_t tfopt_host_list_unbox(TfoptHostCall *call) {
    return unpack(call, TFOPT_OBJECT_LIST);
}
int32_t tfopt_host_optional_from_value(TfoptHostCall *call) {
    return pack(call, TFOPT_OBJECT_OPTIONAL);
}
int32_t tfopt_host_optional_none(TfoptHostCall *call) {
    return pack(call, TFOPT_OBJECT_NOTHING);
}
int32_t tfopt_host_optional_get_value(TfoptHostCall *call) {
    return unpack(call, TFOPT_OBJECT_OPTIONAL);
}

int32_t tfopt_host_optional_has_value(TfoptHostCall *call) {
    const TfoptObject *o = ((const TfoptObject *const *)call->inputs[0].data)[0];
    uint8_t *out = tfopt_output_scalar(call, 0);
    if (!out) return tfopt_no_memory(call);
    *out = o && o->kind == TFOPT_OBJECT_OPTIONAL;
    return TFOPT_OK;
}
