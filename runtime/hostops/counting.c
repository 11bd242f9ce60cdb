/* Histograms: the Bincount family and HistogramFixedWidth. */
#include "hostops/host.h"
#include <string.h>

/* Adds weight w (or 1) of element i to bin b of the output row. */
static void count_one(const TfoptTensor *out, int64_t at, const TfoptTensor *weights, int64_t i, bool binary) {
    const bool weighted = tfopt_elements(weights) > 0;
    if (binary) {
        tfopt_set_int(out, at, 1);
    } else if (tfopt_is_float_type(out->dtype)) {
        tfopt_set_real(out, at, tfopt_real_at(out, at) + (weighted ? tfopt_real_at(weights, i) : 1));
    } else {
        tfopt_set_int(out, at, tfopt_int_at(out, at) + (weighted ? tfopt_int_at(weights, i) : 1));
    }
}

int32_t tfopt_host_bincount(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *weights = &call->inputs[2];
    const int64_t size = tfopt_int_at(&call->inputs[1], 0), n = tfopt_elements(t);
    if (size < 0) return tfopt_invalid(call, "size must be non-negative");
    if (tfopt_elements(weights) && tfopt_elements(weights) != n)
        return tfopt_invalid(call, "weights and arr differ in size");
    void *out = tfopt_output_1d(call, 0, size);
    if (!out) return tfopt_no_memory(call);
    memset(out, 0, (size_t)size * tfopt_dtype_bytes(call->outputs[0].dtype));
    for (int64_t i = 0; i < n; i++) {
        const int64_t b = tfopt_int_at(t, i);
        if (b < 0) return tfopt_invalid(call, "input must be non-negative");
        if (b < size) count_one(&call->outputs[0], b, weights, i, false);
    }
    return TFOPT_OK;
}

/* Bins of `rows` rows: row_of[i], or one row when NULL. */
static int32_t count_rows(TfoptHostCall *call, const TfoptTensor *values, const TfoptTensor *weights, int64_t size,
                          int64_t rows, const int64_t *row_of, int32_t rank) {
    const bool binary = tfopt_call_int(call, "binary_output", 0) != 0;
    const int64_t dims[2] = {rows, size}, n = tfopt_elements(values);
    if (size < 0) return tfopt_invalid(call, "size must be non-negative");
    if (tfopt_elements(weights) && tfopt_elements(weights) != n)
        return tfopt_invalid(call, "weights and input differ in size");
    void *out = tfopt_host_output(call, 0, rank, rank == 2 ? dims : dims + 1);
    if (!out) return tfopt_no_memory(call);
    memset(out, 0, (size_t)tfopt_elements(&call->outputs[0]) * tfopt_dtype_bytes(call->outputs[0].dtype));
    for (int64_t i = 0; i < n; i++) {
        const int64_t b = tfopt_int_at(values, i), row = row_of ? row_of[i] : 0;
        if (b < 0) return tfopt_invalid(call, "input must be non-negative");
        if (row < 0 || row >= rows) return tfopt_invalid(call, "a row index is out of range");
        if (b < size) count_one(&call->outputs[0], row * size + b, weights, i, binary);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_dense_bincount(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t size = tfopt_int_at(&call->inputs[1], 0), n = tfopt_elements(t);
    if (t->rank > 2) return tfopt_invalid(call, "input must have at most two dimensions");
    if (t->rank < 2) return count_rows(call, t, &call->inputs[2], size, 1, NULL, 1);
    int64_t *row = tfopt_call_alloc(call, n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) row[i] = i / t->dims[1];
    return count_rows(call, t, &call->inputs[2], size, t->dims[0], row, 2);
}

int32_t tfopt_host_sparse_bincount(TfoptHostCall *call) {
    const TfoptTensor *indices = &call->inputs[0], *values = &call->inputs[1], *shape = &call->inputs[2];
    const int64_t size = tfopt_int_at(&call->inputs[3], 0), n = tfopt_elements(values);
    if (tfopt_elements(shape) < 2) return count_rows(call, values, &call->inputs[4], size, 1, NULL, 1);
    if (indices->rank != 2 || indices->dims[0] != n || tfopt_elements(shape) != 2)
        return tfopt_invalid(call, "indices and values do not fit");
    int64_t *row = tfopt_call_alloc(call, n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) row[i] = tfopt_int_at(indices, i * indices->dims[1]);
    return count_rows(call, values, &call->inputs[4], size, tfopt_int_at(shape, 0), row, 2);
}

int32_t tfopt_host_ragged_bincount(TfoptHostCall *call) {
    const TfoptTensor *splits = &call->inputs[0], *values = &call->inputs[1];
    const int64_t size = tfopt_int_at(&call->inputs[2], 0), n = tfopt_elements(values),
                  rows = tfopt_elements(splits) - 1;
    int64_t *row = tfopt_call_alloc(call, n + 1, sizeof *row);
    if (!row) return tfopt_no_memory(call);
    if (rows < 0 || tfopt_int_at(splits, 0) != 0 || tfopt_int_at(splits, rows) != n)
        return tfopt_invalid(call, "splits do not cover the values");
    for (int64_t r = 0, i = 0; r < rows; r++) {
        for (; i < n && i < tfopt_int_at(splits, r + 1); i++) row[i] = r;
    }
    return count_rows(call, values, &call->inputs[3], size, rows, row, 2);
}

int32_t tfopt_host_histogram_fixed_width(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *range = &call->inputs[1];
    const int64_t bins = tfopt_int_at(&call->inputs[2], 0), n = tfopt_elements(t);
    const double low = tfopt_real_at(range, 0), high = tfopt_real_at(range, 1);
    if (bins <= 0 || !(low < high)) return tfopt_invalid(call, "nbins must be positive and value_range increasing");
    void *out = tfopt_output_1d(call, 0, bins);
    if (!out) return tfopt_no_memory(call);
    memset(out, 0, (size_t)bins * tfopt_dtype_bytes(call->outputs[0].dtype));
    const double step = (high - low) / (double)bins;
    for (int64_t i = 0; i < n; i++) {
        double at = (tfopt_real_at(t, i) - low) / step;
        at = at > 0 ? at : 0;
        const int64_t b = at < (double)(bins - 1) ? (int64_t)at : bins - 1;
        tfopt_set_int(&call->outputs[0], b, tfopt_int_at(&call->outputs[0], b) + 1);
    }
    return TFOPT_OK;
}
