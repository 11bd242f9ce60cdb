/* Ragged tensors: values with nested row splits. */
#include "hostops/sparse.h"
#include <math.h>
#include <string.h>

/* (starts, limits, deltas) -> row splits, values; scalars broadcast */
int32_t tfopt_host_ragged_range(TfoptHostCall *call) {
    int64_t rows = 1;
    for (int32_t k = 0; k < 3; k++) {
        if (call->inputs[k].rank > 1)
            return tfopt_invalid(call, "starts, limits and deltas must be scalars or vectors");
        if (call->inputs[k].rank == 0) continue;
        if (rows != 1 && call->inputs[k].dims[0] != rows)
            return tfopt_invalid(call, "starts, limits and deltas differ in length");
        rows = call->inputs[k].dims[0];
    }
    if (!tfopt_output_1d(call, 0, rows + 1)) return tfopt_no_memory(call);
    const bool reals = tfopt_is_float_type(call->inputs[0].dtype);
    int64_t total = 0;
    tfopt_set_int(&call->outputs[0], 0, 0);
    for (int64_t r = 0; r < rows; r++) {
        double v[3], n;
        for (int32_t k = 0; k < 3; k++) v[k] = tfopt_real_at(&call->inputs[k], call->inputs[k].rank ? r : 0);
        if (v[2] == 0) return tfopt_invalid(call, "Requires delta != 0");
        n = ceil((v[1] - v[0]) / v[2]);
        if (!(n < 1e12)) return tfopt_invalid(call, "the range is too long");
        total += n > 0 ? (int64_t)n : 0;
        tfopt_set_int(&call->outputs[0], r + 1, total);
    }
    if (!tfopt_output_1d(call, 1, total)) return tfopt_no_memory(call);
    for (int64_t r = 0, at = 0; r < rows; r++) {
        const int64_t end = tfopt_int_at(&call->outputs[0], r + 1);
        for (int64_t i = 0; at < end; i++, at++) {
            const TfoptTensor *start = &call->inputs[0], *delta = &call->inputs[2];
            const int64_t a = start->rank ? r : 0, d = delta->rank ? r : 0;
            if (reals)
                tfopt_set_real(&call->outputs[1], at, tfopt_real_at(start, a) + (double)i * tfopt_real_at(delta, d));
            else
                tfopt_set_int(&call->outputs[1], at, tfopt_int_at(start, a) + i * tfopt_int_at(delta, d));
        }
    }
    return TFOPT_OK;
}

/* Row splits that increase from 0 to n. */
static bool splits_fit(const TfoptTensor *splits, int64_t n) {
    const int64_t rows = tfopt_elements(splits) - 1;
    if (splits->rank != 1 || rows < 0 || tfopt_int_at(splits, 0) != 0) return false;
    for (int64_t r = 0; r < rows; r++) {
        if (tfopt_int_at(splits, r + 1) < tfopt_int_at(splits, r)) return false;
    }
    return tfopt_int_at(splits, rows) <= n;
}

/* (nested splits…, values, indices) -> nested splits…, values */
int32_t tfopt_host_ragged_gather(TfoptHostCall *call) {
    const int32_t depth = call->n_inputs - 2;
    const TfoptTensor *values = &call->inputs[depth], *indices = &call->inputs[depth + 1];
    if (depth < 1 || values->rank < 1) return tfopt_invalid(call, "no row splits");
    for (int32_t d = 0; d < depth; d++) {
        const int64_t below = d + 1 < depth ? tfopt_elements(&call->inputs[d + 1]) - 1 : values->dims[0];
        if (!splits_fit(&call->inputs[d], below)) return tfopt_invalid(call, "Ragged splits are not valid");
    }
    /* Dimensions of the indices before the last become uniform splits in front. */
    const int32_t extra = indices->rank - 1;
    if (extra < 0) return tfopt_invalid(call, "indices must not be a scalar");
    const int64_t n = tfopt_elements(indices), rows = tfopt_elements(&call->inputs[0]) - 1;
    int64_t *from = tfopt_call_alloc(call, n + 1, sizeof *from), *to = tfopt_call_alloc(call, n + 1, sizeof *to);
    if (!from || !to) return tfopt_no_memory(call);
    for (int32_t e = 0; e < extra; e++) {
        const int64_t count = tfopt_dims_product(indices->dims, 0, e + 1), step = indices->dims[e + 1];
        if (!tfopt_output_1d(call, e, count + 1)) return tfopt_no_memory(call);
        for (int64_t i = 0; i <= count; i++) tfopt_set_int(&call->outputs[e], i, i * step);
    }
    for (int64_t i = 0; i < n; i++) {
        from[i] = tfopt_int_at(indices, i);
        to[i] = from[i] + 1;
        if (from[i] < 0 || from[i] >= rows)
            return tfopt_call_fail(call, TFOPT_OUT_OF_RANGE, "indices[%lld] = %lld is not in [0, %lld)", (long long)i,
                                   (long long)from[i], (long long)rows);
    }
    /* A list of row ranges: at each level they become the ranges of the level below. */
    int64_t ranges = n;
    for (int32_t d = 0; d < depth; d++) {
        const TfoptTensor *splits = &call->inputs[d];
        int64_t count = 0;
        for (int64_t i = 0; i < ranges; i++) count += to[i] - from[i];
        if (!tfopt_output_1d(call, extra + d, count + 1)) return tfopt_no_memory(call);
        const TfoptTensor *out = &call->outputs[extra + d];
        int64_t at = 0, total = 0;
        tfopt_set_int(out, 0, 0);
        for (int64_t i = 0; i < ranges; i++) {
            for (int64_t r = from[i]; r < to[i]; r++) {
                total += tfopt_int_at(splits, r + 1) - tfopt_int_at(splits, r);
                tfopt_set_int(out, ++at, total);
            }
            const int64_t first = tfopt_int_at(splits, from[i]), last = tfopt_int_at(splits, to[i]);
            from[i] = first;
            to[i] = last;
        }
    }
    int64_t total = 0;
    for (int64_t i = 0; i < ranges; i++) total += to[i] - from[i];
    TfoptTensor shape = *values;
    shape.dims[0] = total;
    char *out = tfopt_output_like(call, extra + depth, &shape);
    if (!out) return tfopt_no_memory(call);
    const size_t piece = (size_t)tfopt_dims_product(values->dims, 1, values->rank) * tfopt_dtype_bytes(values->dtype);
    for (int64_t i = 0; i < ranges; i++) {
        const size_t bytes = (size_t)(to[i] - from[i]) * piece;
        if (bytes) memcpy(out, (const char *)values->data + (size_t)from[i] * piece, bytes);
        out += bytes;
    }
    return TFOPT_OK;
}

/* (nested splits…, values) -> indices, values, shape */
int32_t tfopt_host_ragged_to_sparse(TfoptHostCall *call) {
    const int32_t depth = call->n_inputs - 1;
    const TfoptTensor *values = &call->inputs[depth];
    if (depth < 1 || values->rank < 1) return tfopt_invalid(call, "no row splits");
    for (int32_t d = 0; d < depth; d++) {
        const int64_t below = d + 1 < depth ? tfopt_elements(&call->inputs[d + 1]) - 1 : values->dims[0];
        if (!splits_fit(&call->inputs[d], below)) return tfopt_invalid(call, "row splits are not valid");
    }
    const int64_t n = values->dims[0], inner = tfopt_dims_product(values->dims, 1, values->rank);
    const int32_t rank = depth + values->rank;
    const int64_t dims[2] = {n * inner, rank};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, rank);
    int64_t *row = tfopt_call_zeroed(call, depth + 1, sizeof *row);
    if (!indices || !shape || !row || !tfopt_output_1d(call, 1, n * inner)) return tfopt_no_memory(call);
    for (int32_t k = 0; k < rank; k++)
        shape[k] = k == 0 ? tfopt_elements(&call->inputs[0]) - 1 : k > depth ? values->dims[k - depth] : 0;
    for (int32_t d = 0; d < depth; d++) {
        const TfoptTensor *splits = &call->inputs[d];
        for (int64_t r = 0; r + 1 < tfopt_elements(splits); r++) {
            const int64_t length = tfopt_int_at(splits, r + 1) - tfopt_int_at(splits, r);
            if (length > shape[d + 1]) shape[d + 1] = length;
        }
    }
    for (int64_t i = 0; i < n * inner; i++) {
        int64_t below = i / inner, rest = i % inner;
        int64_t *at = indices + i * rank;
        for (int32_t k = rank - 1; k > depth; k--) {
            at[k] = rest % values->dims[k - depth];
            rest /= values->dims[k - depth];
        }
        for (int32_t d = depth - 1; d >= 0; d--) { /* the row that holds element `below`; they only grow */
            if (i % inner == 0) {
                if (i == 0) row[d] = 0;
                while (tfopt_int_at(&call->inputs[d], row[d] + 1) <= below) row[d]++;
            }
            at[d + 1] = below - tfopt_int_at(&call->inputs[d], row[d]);
            below = row[d];
        }
        at[0] = below;
        tfopt_copy_element(&call->outputs[1], i, values, i);
    }
    return TFOPT_OK;
}

/* Fills `bytes` bytes with copies of a pattern, which goes in without rest: what is there is copied behind itself. */
static void repeat(char *to, uint64_t bytes, const void *pattern, uint64_t pattern_bytes) {
    if (bytes == 0) return;
    memcpy(to, pattern, pattern_bytes);
    for (uint64_t done = pattern_bytes; done < bytes;) {
        const uint64_t more = done < bytes - done ? done : bytes - done;
        memcpy(to + done, to, more);
        done += more;
    }
}

/* (shape, values, default, partitions…), partition types FIRST_DIM_SIZE, VALUE_ROWIDS, ROW_SPLITS, ROW_LENGTHS */
int32_t tfopt_host_ragged_to_tensor(TfoptHostCall *call) {
    const TfoptTensor *wanted = &call->inputs[0], *values = &call->inputs[1], *missing = &call->inputs[2];
    const TfoptAttr *types = tfopt_call_attr(call, "row_partition_types");
    if (!types || types->kind != TFOPT_ATTR_STRINGS || types->n != call->n_inputs - 3 || values->rank < 1)
        return tfopt_invalid(call, "row_partition_types are needed");
    const bool first_dim = types->n > 0 && types->v.strings[0].size == 14; /* "FIRST_DIM_SIZE" */
    const int32_t depth = types->n - first_dim;
    if (depth < 1 || depth + values->rank > TFOPT_MAX_RANK) return tfopt_invalid(call, "no row partitions");
    /* Every partition as row splits. */
    int64_t *splits[TFOPT_MAX_RANK], rows[TFOPT_MAX_RANK], below = first_dim ? tfopt_int_at(&call->inputs[3], 0) : -1;
    for (int32_t d = 0; d < depth; d++) {
        const TfoptTensor *p = &call->inputs[3 + first_dim + d];
        const TfoptString type = types->v.strings[first_dim + d];
        const int64_t n = tfopt_elements(p);
        const bool ids = type.size == 12, lengths = type.size == 11; /* "VALUE_ROWIDS", "ROW_LENGTHS"; "ROW_SPLITS" */
        rows[d] = ids ? (below >= 0 ? below : n ? tfopt_int_at(p, n - 1) + 1 : 0) : lengths ? n : n - 1;
        if (rows[d] < 0) return tfopt_invalid(call, "a row partition is empty");
        splits[d] = tfopt_call_zeroed(call, rows[d] + 2, sizeof *splits[d]);
        if (!splits[d]) return tfopt_no_memory(call);
        for (int64_t i = 0; i < n; i++) {
            const int64_t v = tfopt_int_at(p, i);
            if (v < 0 || (ids && v >= rows[d])) return tfopt_invalid(call, "a row partition is out of range");
            if (ids)
                splits[d][v + 1]++;
            else if (lengths)
                splits[d][i + 1] = v;
            else
                splits[d][i] = v;
        }
        for (int64_t r = 0; r < rows[d]; r++) {
            if (ids || lengths) splits[d][r + 1] += splits[d][r];
            if (splits[d][r + 1] < splits[d][r]) return tfopt_invalid(call, "row splits must not decrease");
        }
        below = splits[d][rows[d]];
    }
    for (int32_t d = 0; d < depth; d++) {
        if (splits[d][rows[d]] > (d + 1 < depth ? rows[d + 1] : values->dims[0]))
            return tfopt_invalid(call, "a row partition is out of range");
    }
    const int32_t rank = depth + values->rank;
    int64_t dims[TFOPT_MAX_RANK];
    for (int32_t k = 0; k < rank; k++) {
        dims[k] = k > depth ? values->dims[k - depth] : 0;
        if (k == 0) dims[k] = rows[0];
        for (int64_t r = 0; k > 0 && k <= depth && r < rows[k - 1]; r++) {
            const int64_t length = splits[k - 1][r + 1] - splits[k - 1][r];
            if (length > dims[k]) dims[k] = length;
        }
        if (wanted->rank == 1 && tfopt_elements(wanted) == rank && tfopt_int_at(wanted, k) >= 0)
            dims[k] = tfopt_int_at(wanted, k);
    }
    if (!tfopt_host_output(call, 0, rank, dims)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t inner = tfopt_dims_product(dims, depth + 1, rank), count = tfopt_elements(out),
                  default_size = tfopt_elements(missing);
    if (inner != tfopt_dims_product(values->dims, 1, values->rank) || (default_size != 1 && default_size != inner))
        return tfopt_invalid(call, "values or default do not fit the shape");
    if (count == 0) return TFOPT_OK;
    const uint64_t size = tfopt_dtype_bytes(values->dtype), piece = (uint64_t)inner * size;
    const int64_t width = dims[depth], lines = tfopt_dims_product(dims, 0, depth);
    const int64_t *starts = splits[depth - 1];
    for (int64_t line = 0; line < lines; line++) {
        int64_t rest = line, at[TFOPT_MAX_RANK];
        for (int32_t k = depth - 1; k >= 0; k--) {
            at[k] = rest % dims[k];
            rest /= dims[k];
        }
        int64_t row = at[0];
        bool inside = row < rows[0];
        for (int32_t d = 0; d < depth - 1 && inside; d++) {
            inside = at[d + 1] < splits[d][row + 1] - splits[d][row];
            row = splits[d][row] + at[d + 1];
        }
        const int64_t length = inside ? starts[row + 1] - starts[row] : 0, kept = length < width ? length : width;
        char *to = (char *)out->data + (uint64_t)(line * width) * piece;
        if (kept) memcpy(to, (const char *)values->data + (uint64_t)starts[row] * piece, (uint64_t)kept * piece);
        repeat(to + (uint64_t)kept * piece, (uint64_t)(width - kept) * piece, missing->data,
               (uint64_t)default_size * size);
    }
    return TFOPT_OK;
}

/* (rows of the values, values, number of rows, default): one default value in each row that has none */
int32_t tfopt_host_ragged_fill_empty_rows(TfoptHostCall *call) {
    const TfoptTensor *row_of = &call->inputs[0], *values = &call->inputs[1];
    const int64_t n = tfopt_elements(row_of), rows = tfopt_int_at(&call->inputs[2], 0);
    if (rows < 0 || tfopt_elements(values) != n) return tfopt_invalid(call, "needs one row for each value");
    uint8_t *empty = tfopt_output_1d(call, 2, rows);
    int64_t *counts = tfopt_call_zeroed(call, rows + 1, sizeof *counts), *place = tfopt_output_1d(call, 3, n),
            total = n;
    if (!empty || !counts || !place) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = tfopt_int_at(row_of, i);
        if (r < 0 || r >= rows) return tfopt_invalid(call, "a row is out of range");
        counts[r]++;
    }
    for (int64_t r = 0; r < rows; r++) total += empty[r] = counts[r] == 0;
    int64_t *out_rows = tfopt_output_1d(call, 0, total);
    if (!out_rows || !tfopt_output_1d(call, 1, total)) return tfopt_no_memory(call);
    for (int64_t r = 0, at = 0; r < rows; r++) { /* counts become where each row begins */
        if (empty[r]) {
            out_rows[at] = r;
            tfopt_copy_element(&call->outputs[1], at, &call->inputs[3], 0);
        }
        const int64_t size = empty[r] ? 1 : counts[r];
        counts[r] = at;
        at += size;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = tfopt_int_at(row_of, i), at = counts[r]++;
        out_rows[at] = r;
        tfopt_copy_element(&call->outputs[1], at, values, i);
        place[i] = at;
    }
    return TFOPT_OK;
}
