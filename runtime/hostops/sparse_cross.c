/* SparseCross in its three forms, and RaggedCross: for each row of a batch, the product of the features that the
   columns have there, joined as strings or as hashes. The last column runs fastest. */
#include "hostops/text.h"
#include <stdio.h>
#include <string.h>

/* A column of features: sparse or ragged with its entries sorted by row, or dense. */
typedef struct {
    const TfoptTensor *values;
    int64_t *starts; /* sparse: first entry of each row, and one past the last; NULL: dense */
    int64_t width;   /* dense */
} Column;

typedef enum { JOINED, HASHED, HASHED_FROM_FIRST } Form;

typedef struct {
    int32_t n;
    int64_t rows;
    Column *columns;
    Form form;
    TfoptString separator;
    uint64_t buckets, key[2];
    bool strong; /* SipHash with the key, not Fingerprint64 */
} Cross;

static int64_t features_at(const Column *c, int64_t row) {
    return c->starts ? c->starts[row + 1] - c->starts[row] : c->width;
}

static int64_t feature_index(const Column *c, int64_t row, int64_t k) {
    return c->starts ? c->starts[row] + k : row * c->width + k;
}

static uint64_t shift_mix(uint64_t v) {
    return v ^ v >> 47;
}

static uint64_t combine(uint64_t a, uint64_t b) {
    const uint64_t mul = 0xc6a4a7935bd1e995u;
    uint64_t v = a ^ mul;
    v ^= shift_mix(b * mul) * mul;
    v *= mul;
    v = shift_mix(v) * mul;
    return shift_mix(v);
}

static uint64_t feature_hash(const Cross *x, const Column *c, int64_t i) {
    if (c->values->dtype == TFOPT_STRING) {
        const TfoptString s = tfopt_strings(c->values)[i];
        return x->strong ? tfopt_siphash(s, x->key[0], x->key[1]) : tfopt_farm_fingerprint(s);
    }
    const int64_t v = tfopt_int_at(c->values, i);
    /* TensorFlow hashes four bytes of the number, and dense numbers without a key not at all */
    const TfoptString bytes = {(const char *)&v, 4};
    if (x->strong) return tfopt_siphash(bytes, x->key[0], x->key[1]);
    return x->form == HASHED_FROM_FIRST && c->starts ? tfopt_farm_fingerprint(bytes) : (uint64_t)v;
}

static int64_t hash_of(const Cross *x, int64_t row, const int64_t *pick) {
    uint64_t h = x->key[0];
    for (int32_t i = 0; i < x->n; i++) {
        const uint64_t f = feature_hash(x, &x->columns[i], feature_index(&x->columns[i], row, pick[i]));
        h = i == 0 && x->form == HASHED_FROM_FIRST ? f : combine(h, f);
    }
    return (int64_t)(h % (x->buckets > 0 ? x->buckets : (uint64_t)INT64_MAX));
}

static TfoptString text_of(const Cross *x, TfoptText *text, int64_t row, const int64_t *pick) {
    for (int32_t i = 0; i < x->n; i++) {
        const Column *c = &x->columns[i];
        const int64_t k = feature_index(c, row, pick[i]);
        if (i > 0) tfopt_text_add(text, x->separator.data, x->separator.size);
        if (c->values->dtype == TFOPT_STRING)
            tfopt_text_add(text, tfopt_strings(c->values)[k].data, tfopt_strings(c->values)[k].size);
        else
            tfopt_text_print(text, "%lld", (long long)tfopt_int_at(c->values, k));
    }
    return tfopt_text_take(text);
}

/* Entries of a sparse column by row; false when rows are not sorted or out of range. */
static bool column_starts(const TfoptTensor *indices, int64_t rows, int64_t *starts) {
    const int64_t n = indices->dims[0];
    int64_t previous = 0;
    memset(starts, 0, (size_t)(rows + 1) * sizeof *starts);
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = tfopt_int_at(indices, 2 * i);
        if (row < previous || row >= rows) return false;
        starts[row + 1]++;
        previous = row;
    }
    for (int64_t r = 0; r < rows; r++) starts[r + 1] += starts[r];
    return true;
}

/* Inputs: indices…, values…, shapes… of the sparse columns, then the dense ones. */
static int32_t read_columns(TfoptHostCall *call, Cross *x) {
    const TfoptAttr *types = tfopt_call_attr(call, "sparse_types"), *dense_types = tfopt_call_attr(call, "dense_types");
    const int32_t n = (int32_t)tfopt_call_int(call, "N", types ? types->n : 0),
                  dense = dense_types ? dense_types->n : 0;
    if (n < 0 || n > call->n_inputs || dense > call->n_inputs || 3 * n + dense > call->n_inputs || n + dense < 1)
        return tfopt_invalid(call, "attributes and inputs do not fit");
    const TfoptTensor *indices = call->inputs, *values = indices + n, *shapes = values + n, *others = shapes + n;
    x->n = n + dense;
    x->columns = tfopt_call_zeroed(call, x->n, sizeof *x->columns);
    if (!x->columns) return tfopt_no_memory(call);
    for (int32_t i = 0; i < n; i++) {
        if (indices[i].rank != 2 || indices[i].dims[1] != 2 || values[i].rank != 1 ||
            values[i].dims[0] != indices[i].dims[0] || tfopt_elements(&shapes[i]) != 2)
            return tfopt_invalid(call, "a sparse column must be a matrix");
        if (i == 0) x->rows = tfopt_int_at(&shapes[0], 0);
        if (tfopt_int_at(&shapes[i], 0) != x->rows || x->rows < 0) return tfopt_invalid(call, "columns differ in rows");
    }
    for (int32_t i = 0; i < dense; i++) {
        if (others[i].rank != 2) return tfopt_invalid(call, "a dense column must be a matrix");
        if (i == 0 && n == 0) x->rows = others[i].dims[0];
        if (others[i].dims[0] != x->rows) return tfopt_invalid(call, "columns differ in rows");
        x->columns[n + i] = (Column){&others[i], NULL, others[i].dims[1]};
    }
    for (int32_t i = 0; i < n; i++) {
        int64_t *starts = tfopt_call_alloc(call, x->rows < INT64_MAX ? x->rows + 1 : -1, sizeof *starts);
        if (!starts) return tfopt_no_memory(call);
        if (!column_starts(&indices[i], x->rows, starts))
            return tfopt_invalid(call, "indices of a sparse column must be sorted and inside its shape");
        x->columns[i] = (Column){&values[i], starts, 0};
    }
    return TFOPT_OK;
}

/* How many crosses all rows have, and the row that has most. */
static bool count_crosses(const Cross *x, int64_t *total, int64_t *most) {
    *total = *most = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        int64_t count = 1;
        for (int32_t i = 0; i < x->n; i++) {
            if (__builtin_mul_overflow(count, features_at(&x->columns[i], r), &count)) return false;
        }
        if (__builtin_add_overflow(*total, count, total)) return false;
        if (count > *most) *most = count;
    }
    return true;
}

static int32_t cross(TfoptHostCall *call, Cross *x) {
    int32_t status = read_columns(call, x);
    if (status != TFOPT_OK) return status;
    int64_t total, most;
    if (!count_crosses(x, &total, &most)) return tfopt_no_memory(call);
    const int64_t dims[2] = {total, 2};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, 2);
    int64_t *pick = tfopt_call_alloc(call, x->n, sizeof *pick);
    if (!indices || !shape || !pick || !tfopt_output_1d(call, 1, total)) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    int64_t at = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        int64_t count = 1;
        for (int32_t i = 0; i < x->n; i++) count *= features_at(&x->columns[i], r);
        memset(pick, 0, (size_t)x->n * sizeof *pick);
        for (int64_t k = 0; k < count; k++, at++) {
            *indices++ = r;
            *indices++ = k;
            if (x->form == JOINED)
                ((TfoptString *)call->outputs[1].data)[at] = text_of(x, &text, r, pick);
            else
                ((int64_t *)call->outputs[1].data)[at] = hash_of(x, r, pick);
            for (int32_t i = x->n - 1; i >= 0 && ++pick[i] == features_at(&x->columns[i], r); i--) pick[i] = 0;
        }
    }
    shape[0] = x->rows;
    shape[1] = most;
    return text.failed ? tfopt_no_memory(call) : TFOPT_OK;
}

int32_t tfopt_host_sparse_cross(TfoptHostCall *call) {
    const bool hashed = call->outputs[1].dtype != TFOPT_STRING;
    Cross x = {.form = hashed ? HASHED : JOINED, .separator = {"_X_", 3}};
    const int64_t buckets = tfopt_call_int(call, "num_buckets", 0);
    x.buckets = buckets > 0 ? (uint64_t)buckets : 0;
    x.key[0] = (uint64_t)tfopt_call_int(call, "hash_key", 0);
    return cross(call, &x);
}

/* …, separator */
int32_t tfopt_host_sparse_cross_v2(TfoptHostCall *call) {
    const TfoptTensor *separator = &call->inputs[call->n_inputs - 1];
    if (call->n_inputs < 2 || separator->dtype != TFOPT_STRING || tfopt_elements(separator) < 1)
        return tfopt_invalid(call, "the separator must be a string");
    Cross x = {.form = JOINED, .separator = tfopt_strings(separator)[0]};
    return cross(call, &x);
}

/* …, number of buckets, whether to hash with a key, the key */
int32_t tfopt_host_sparse_cross_hashed(TfoptHostCall *call) {
    if (call->n_inputs < 4) return tfopt_invalid(call, "inputs are missing");
    const TfoptTensor *last = call->inputs + call->n_inputs - 3;
    if (tfopt_elements(&last[0]) < 1 || tfopt_elements(&last[1]) < 1 || tfopt_elements(&last[2]) != 2)
        return tfopt_invalid(call, "the key must have two elements");
    const int64_t buckets = tfopt_int_at(&last[0], 0);
    Cross x = {.form = HASHED_FROM_FIRST,
               .buckets = buckets > 0 ? (uint64_t)buckets : 0,
               .strong = tfopt_int_at(&last[1], 0) != 0,
               .key = {(uint64_t)tfopt_int_at(&last[2], 0), (uint64_t)tfopt_int_at(&last[2], 1)}};
    return cross(call, &x);
}

/* ---- RaggedCross: values and row splits of ragged columns, indices, values and shapes of sparse ones, dense ones. The
   attribute input_order says with R, S and D which comes next. */

/* Row splits as starts; false where they do not rise from 0 to the number of values. */
static bool ragged_starts(const TfoptTensor *splits, const TfoptTensor *values, int64_t *starts) {
    const int64_t n = splits->dims[0];
    for (int64_t i = 0; i < n; i++) {
        starts[i] = tfopt_int_at(splits, i);
        if (i == 0 ? starts[0] != 0 : starts[i] < starts[i - 1]) return false;
    }
    return starts[n - 1] == values->dims[0];
}

static int32_t read_ragged_columns(TfoptHostCall *call, Cross *x) {
    const TfoptAttr *ragged_types = tfopt_call_attr(call, "ragged_values_types"),
                    *dense_types = tfopt_call_attr(call, "dense_types");
    const TfoptString order = tfopt_call_string(call, "input_order", "");
    const int64_t ragged = ragged_types ? ragged_types->n : 0, dense = dense_types ? dense_types->n : 0,
                  sparse = tfopt_call_int(call, "Nsparse", 0);
    if (sparse < 0 || sparse > call->n_inputs || 2 * ragged + 3 * sparse + dense != call->n_inputs ||
        order.size != (uint64_t)(ragged + sparse + dense) || order.size == 0)
        return tfopt_invalid(call, "attributes and inputs do not fit");
    const TfoptTensor *values = call->inputs, *splits = values + ragged, *indices = splits + ragged,
                      *sparse_values = indices + sparse, *shapes = sparse_values + sparse, *others = shapes + sparse;
    x->n = (int32_t)order.size;
    x->columns = tfopt_call_zeroed(call, x->n, sizeof *x->columns);
    if (!x->columns) return tfopt_no_memory(call);
    if (ragged > 0 && splits[0].rank == 1)
        x->rows = splits[0].dims[0] - 1;
    else if (ragged == 0 && dense > 0 && others[0].rank == 2)
        x->rows = others[0].dims[0];
    else if (ragged == 0 && dense == 0 && tfopt_elements(&shapes[0]) == 2)
        x->rows = tfopt_int_at(&shapes[0], 0);
    else
        return tfopt_invalid(call, "columns must have two dimensions");
    if (x->rows < 0 || x->rows > INT64_C(1) << 48) return tfopt_invalid(call, "the number of rows is out of range");
    int64_t next[3] = {0, 0, 0};
    for (int32_t i = 0; i < x->n; i++) {
        const char kind = order.data[i];
        Column *c = &x->columns[i];
        if (kind == 'D' && next[2] < dense) {
            const TfoptTensor *t = &others[next[2]++];
            if (t->rank != 2 || t->dims[0] != x->rows) return tfopt_invalid(call, "columns differ in rows");
            *c = (Column){t, NULL, t->dims[1]};
            continue;
        }
        int64_t *starts = tfopt_call_alloc(call, x->rows + 1, sizeof *starts);
        if (!starts) return tfopt_no_memory(call);
        bool fits = false;
        if (kind == 'R' && next[0] < ragged) {
            const int64_t k = next[0]++;
            *c = (Column){&values[k], starts, 0};
            fits = values[k].rank == 1 && splits[k].rank == 1 && splits[k].dims[0] == x->rows + 1 &&
                   ragged_starts(&splits[k], &values[k], starts);
        } else if (kind == 'S' && next[1] < sparse) {
            const int64_t k = next[1]++;
            *c = (Column){&sparse_values[k], starts, 0};
            fits = indices[k].rank == 2 && indices[k].dims[1] == 2 && sparse_values[k].rank == 1 &&
                   sparse_values[k].dims[0] == indices[k].dims[0] && tfopt_elements(&shapes[k]) == 2 &&
                   tfopt_int_at(&shapes[k], 0) == x->rows && column_starts(&indices[k], x->rows, starts);
        }
        if (!fits) return tfopt_invalid(call, "a ragged or sparse column is not valid");
    }
    return TFOPT_OK;
}

int32_t tfopt_host_ragged_cross(TfoptHostCall *call) {
    const int64_t buckets = tfopt_call_int(call, "num_buckets", 0);
    Cross x = {.form = call->outputs[0].dtype == TFOPT_STRING ? JOINED : HASHED,
               .separator = {"_X_", 3},
               .buckets = buckets > 0 ? (uint64_t)buckets : 0,
               .key = {(uint64_t)tfopt_call_int(call, "hash_key", 0), 0}};
    const int32_t status = read_ragged_columns(call, &x);
    if (status != TFOPT_OK) return status;
    int64_t total, most, *pick = tfopt_call_alloc(call, x.n, sizeof *pick);
    if (!count_crosses(&x, &total, &most) || !pick || !tfopt_output_1d(call, 0, total) ||
        !tfopt_output_1d(call, 1, x.rows + 1))
        return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    int64_t at = 0;
    tfopt_set_int(&call->outputs[1], 0, 0);
    for (int64_t r = 0; r < x.rows; r++) {
        int64_t count = 1;
        for (int32_t i = 0; i < x.n; i++) count *= features_at(&x.columns[i], r);
        memset(pick, 0, (size_t)x.n * sizeof *pick);
        for (int64_t k = 0; k < count; k++, at++) {
            if (x.form == JOINED)
                ((TfoptString *)call->outputs[0].data)[at] = text_of(&x, &text, r, pick);
            else
                ((int64_t *)call->outputs[0].data)[at] = hash_of(&x, r, pick);
            for (int32_t i = x.n - 1; i >= 0 && ++pick[i] == features_at(&x.columns[i], r); i--) pick[i] = 0;
        }
        tfopt_set_int(&call->outputs[1], r + 1, at);
    }
    return text.failed ? tfopt_no_memory(call) : TFOPT_OK;
}
