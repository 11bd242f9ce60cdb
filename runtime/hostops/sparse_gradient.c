/* Gradients of sparse ops: what came back goes to the values that the op took. */
#include "hostops/gradient.h"
#include "hostops/sparse.h"
#include "hostops/complex.h"
#include <math.h>
#include <string.h>

/* (place of each old row among the new ones, gradient of the new values) -> gradients of the values and the default.
   SparseFillEmptyRowsGrad and RaggedFillEmptyRowsGrad. */
int32_t tfopt_host_fill_empty_rows_gradient(TfoptHostCall *call) {
    const TfoptTensor *places = &call->inputs[0], *given = &call->inputs[1];
    if (places->rank != 1 || given->rank != 1) return tfopt_invalid(call, "its inputs must be vectors");
    const int64_t n = places->dims[0], all = given->dims[0];
    bool *used = tfopt_call_zeroed(call, all + 1, sizeof *used);
    const TfoptTensor none = {.dtype = given->dtype};
    if (!used || !tfopt_output_1d(call, 0, n) || !tfopt_gradient_zeros(call, 1, &none)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = tfopt_int_at(places, i);
        if (at < 0 || at >= all)
            return tfopt_invalid(call, "Elements in reverse index must be in [0, size of the gradient)");
        tfopt_copy_element(&call->outputs[0], i, given, at);
        used[at] = true;
    }
    for (int64_t i = 0; i < all; i++) {
        if (!used[i]) tfopt_gradient_add(&call->outputs[1], 0, given, i);
    }
    return TFOPT_OK;
}

/* (gradient, indices, start of the slice, indices of what it gave) */
int32_t tfopt_host_sparse_slice_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *in = &call->inputs[1], *start = &call->inputs[2],
                      *out = &call->inputs[3];
    if (given->rank != 1 || in->rank != 2 || out->rank != 2 || in->dims[1] != out->dims[1] || start->rank != 1 ||
        start->dims[0] != in->dims[1] || given->dims[0] != out->dims[0] || in->dims[1] > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "the gradient and the indices do not fit");
    const int32_t rank = (int32_t)in->dims[1];
    const TfoptTensor like = {.dtype = given->dtype, .rank = 1, .dims = {in->dims[0]}};
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    for (int64_t i = 0, j = 0; i < in->dims[0] && j < out->dims[0]; i++) {
        bool same = true;
        for (int32_t k = 0; k < rank && same; k++)
            same = tfopt_int_at(in, i * rank + k) == tfopt_int_at(out, j * rank + k) + tfopt_int_at(start, k);
        if (same) tfopt_copy_element(&call->outputs[0], i, given, j++);
    }
    return TFOPT_OK;
}

/* (gradient, indices of a, of b, of their sum) -> gradients of both */
int32_t tfopt_host_sparse_add_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *sum = &call->inputs[3];
    if (given->rank != 1 || sum->rank != 2 || given->dims[0] != sum->dims[0] || sum->dims[1] > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "the gradient and the indices do not fit");
    const int32_t rank = (int32_t)sum->dims[1];
    for (int32_t side = 0; side < 2; side++) {
        const TfoptTensor *t = &call->inputs[1 + side];
        if (t->rank != 2 || t->dims[1] != rank || t->dtype != TFOPT_S64 || sum->dtype != TFOPT_S64)
            return tfopt_invalid(call, "the indices differ in rank");
        const TfoptTensor like = {.dtype = given->dtype, .rank = 1, .dims = {t->dims[0]}};
        if (!tfopt_gradient_zeros(call, side, &like)) return tfopt_no_memory(call);
        for (int64_t i = 0, j = 0; i < t->dims[0] && j < sum->dims[0];) {
            const int order =
                tfopt_sparse_compare((const int64_t *)t->data + i * rank, (const int64_t *)sum->data + j * rank, rank);
            if (order == 0) tfopt_copy_element(&call->outputs[side], i, given, j);
            i += order <= 0;
            j += order >= 0;
        }
    }
    return TFOPT_OK;
}

/* ---- segments: (gradient of the segments, rows that were summed, segment of each, number of rows) */
typedef enum { SEGMENT_SUM, SEGMENT_MEAN, SEGMENT_SQRT_N } Scaling;

/* What comes back for entry i is its segment's gradient over its length, or the root of it. */
static int32_t segment_gradient(TfoptHostCall *call, Scaling scaling, bool unique) {
    const TfoptTensor *given = &call->inputs[0], *rows = &call->inputs[1], *segments = &call->inputs[2];
    if (given->rank < 1 || rows->rank != 1 || segments->rank != 1 || rows->dims[0] != segments->dims[0] ||
        tfopt_elements(&call->inputs[3]) != 1)
        return tfopt_invalid(call, "indices and segment_ids must be vectors of one size");
    const int64_t n = rows->dims[0], n_segments = given->dims[0], most = tfopt_int_at(&call->inputs[3], 0),
                  inner = tfopt_dims_product(given->dims, 1, given->rank);
    if (most < 0) return tfopt_invalid(call, "the number of rows must not be negative");
    if (most == 0 && !unique) { /* nothing is looked at */
        TfoptTensor none = *given;
        none.dims[0] = 0;
        return tfopt_output_like(call, 0, &none) ? TFOPT_OK : tfopt_no_memory(call);
    }
    int64_t *lengths = tfopt_call_zeroed(call, n_segments + 1, sizeof *lengths),
            *to = tfopt_call_alloc(call, n + 1, sizeof *to);
    if (!lengths || !to) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t segment = tfopt_int_at(segments, i);
        to[i] = tfopt_int_at(rows, i);
        if (segment < 0 || segment >= n_segments) return tfopt_invalid(call, "Segment id is out of range");
        if (to[i] < 0 || to[i] >= most) return tfopt_invalid(call, "Index is out of range");
        lengths[segment]++;
    }
    TfoptTensor like = *given;
    like.dims[0] = most;
    if (unique) { /* only the rows that occur, in order */
        int64_t *order = tfopt_call_alloc(call, most + 1, sizeof *order), count = 0;
        if (!order) return tfopt_no_memory(call);
        memset(order, 0, (size_t)most * sizeof *order);
        for (int64_t i = 0; i < n; i++) order[to[i]] = 1;
        for (int64_t r = 0; r < most; r++) order[r] = order[r] ? ++count : 0;
        if (!tfopt_output_1d(call, 1, count)) return tfopt_no_memory(call);
        for (int64_t r = 0; r < most; r++) {
            if (order[r]) tfopt_set_int(&call->outputs[1], order[r] - 1, r);
        }
        for (int64_t i = 0; i < n; i++) to[i] = order[to[i]] - 1;
        like.dims[0] = count;
    }
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    for (int64_t i = 0; i < n; i++) {
        const int64_t segment = tfopt_int_at(segments, i);
        const double length = (double)(lengths[segment] ? lengths[segment] : 1),
                     scale = scaling == SEGMENT_SUM ? 1 : 1 / (scaling == SEGMENT_MEAN ? length : sqrt(length));
        for (int64_t k = 0; k < inner; k++) {
            const int64_t at = to[i] * inner + k;
            tfopt_set_real(out, at, tfopt_real_at(out, at) + tfopt_real_at(given, segment * inner + k) * scale);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_sparse_segment_sum_gradient(TfoptHostCall *call) {
    return segment_gradient(call, SEGMENT_SUM, call->n_outputs > 1);
}
int32_t tfopt_host_sparse_segment_mean_gradient(TfoptHostCall *call) {
    return segment_gradient(call, SEGMENT_MEAN, call->n_outputs > 1);
}
int32_t tfopt_host_sparse_segment_sqrt_n_gradient(TfoptHostCall *call) {
    return segment_gradient(call, SEGMENT_SQRT_N, call->n_outputs > 1);
}
