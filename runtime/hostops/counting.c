/* Histograms: the Bincount family and HistogramFixedWidth. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

/* out[at[i]] grows by the weight of element i, or 1; at < 0: no bin. */
#define COUNT(type)                                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        if (at[i] >= 0) ((type *)out->data)[at[i]] += weighted ? ((const type *)weights->data)[i] : 1;                 \
    }

static void count_all(const TfoptTensor *out, const int64_t *at, int64_t n, const TfoptTensor *weights, bool binary) {
    const bool weighted = tfopt_elements(weights) > 0, real = tfopt_is_float_type(out->dtype);
    if (binary) {
        for (int64_t i = 0; i < n; i++) {
            if (at[i] >= 0) tfopt_set_int(out, at[i], 1);
        }
    } else if (out->dtype == TFOPT_F32) {
        COUNT(float)
    } else if (out->dtype == TFOPT_S32) {
        COUNT(uint32_t)
    } else if (out->dtype == TFOPT_S64) {
        COUNT(uint64_t)
    } else {
        for (int64_t i = 0; i < n; i++) {
            if (at[i] < 0) continue;
            if (real)
                tfopt_set_real(out, at[i], tfopt_real_at(out, at[i]) + (weighted ? tfopt_real_at(weights, i) : 1));
            else
                tfopt_set_int(out, at[i], tfopt_int_at(out, at[i]) + (weighted ? tfopt_int_at(weights, i) : 1));
        }
    }
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
    const int64_t *bins = tfopt_as_s64(call, values);
    int64_t *at = tfopt_call_alloc(call, n + 1, sizeof *at);
    if (!out || !bins || !at) return tfopt_no_memory(call);
    memset(out, 0, (size_t)tfopt_elements(&call->outputs[0]) * tfopt_dtype_bytes(call->outputs[0].dtype));
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = row_of ? row_of[i] : 0;
        if (bins[i] < 0) return tfopt_invalid(call, "input must be non-negative");
        if (row < 0 || row >= rows) return tfopt_invalid(call, "a row index is out of range");
        at[i] = bins[i] < size ? row * size + bins[i] : -1;
    }
    count_all(&call->outputs[0], at, n, weights, binary);
    return TFOPT_OK;
}

/* (arr, size, weights) */
int32_t tfopt_host_bincount(TfoptHostCall *call) {
    return count_rows(call, &call->inputs[0], &call->inputs[2], tfopt_int_at(&call->inputs[1], 0), 1, NULL, 1);
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
        const double v = tfopt_real_at(t, i);
        if (isnan(v)) return tfopt_invalid(call, "values must not contain NaN");
        double at = (v - low) / step;
        at = at > 0 ? at : 0;
        const int64_t b = at < (double)(bins - 1) ? (int64_t)at : bins - 1;
        tfopt_set_int(&call->outputs[0], b, tfopt_int_at(&call->outputs[0], b) + 1);
    }
    return TFOPT_OK;
}
