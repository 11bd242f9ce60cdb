/* Shape functions of the families partition and segment. */
#include "ir/host_infer.h"

bool hostinfer_dynamic_partition(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    const Shape *data = host_shape(c, 0);
    const int skip = host_shape(c, 1)->rank;
    if (skip > data->rank) return infer_error(c, "partitions must be a prefix of the data's shape");
    const Dim most = shape_elements(&c->g->dims, host_shape(c, 1));
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        Shape s = {.rank = data->rank - skip + 1};
        for (int k = skip; k < data->rank; k++) s.dims[k - skip + 1] = host_dim(c, 0, k);
        s.dims[0] = infer_fresh_dim(c, i, 0, 0, most);
        host_set(c, i, host_type(c, 0), &s);
    }
    return true;
}

/* 1 + the largest of all indices, where they are all constant. */
static bool constant_rows(Infer *c, uint32_t pairs, int64_t *out) {
    *out = 0;
    for (uint32_t p = 0; p < pairs; p++) {
        const Tensor *t = value_const(c->g, c->n->inputs[p]);
        if (!t) return false;
        for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
            const int64_t at = tensor_get_i64(t, i);
            if (at < INT32_MAX && at + 1 > *out) *out = at + 1;
        }
    }
    return true;
}

bool hostinfer_dynamic_stitch(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    const uint32_t pairs = c->n->n_inputs / 2;
    const Shape *data = host_shape(c, pairs);
    const int skip = host_shape(c, 0)->rank;
    if (skip > data->rank) return infer_error(c, "indices must be a prefix of the data's shape");
    Shape s = {.rank = data->rank - skip + 1};
    for (int k = skip; k < data->rank; k++) s.dims[k - skip + 1] = data->dims[k];
    int64_t rows;
    s.dims[0] = constant_rows(c, pairs, &rows) ? dim_const(rows) : infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    return host_set(c, 0, host_type(c, pairs), &s);
}

/* Result: n, then the data's dims from `skip` on; n from input `count` where the node has it, else known only while
 * running. */
static bool segments(Infer *c, uint32_t ids, uint32_t count, int skip) {
    const Shape *data = host_shape(c, 0);
    if (skip > data->rank) return infer_error(c, "segment_ids must be a prefix of the data's shape");
    Shape s = {.rank = data->rank - skip + 1};
    for (int k = skip; k < data->rank; k++) s.dims[k - skip + 1] = data->dims[k];
    const Tensor *known = value_const(c->g, c->n->inputs[ids]);
    const int64_t n = known ? tensor_count(known) : 0;
    if (c->n->n_inputs > count)
        s.dims[0] = host_size(c, count, 0, 0, 0);
    else if (known)
        s.dims[0] = dim_const(n && tensor_get_i64(known, n - 1) >= 0 ? tensor_get_i64(known, n - 1) + 1 : 0);
    else
        s.dims[0] = infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_segment(Infer *c) {
    return host_arity(c, 2, 1) && host_rank_at_least(c, 0, 1) && segments(c, 1, 2, 1);
}

bool hostinfer_unsorted_segment(Infer *c) {
    return host_arity(c, 3, 1) && segments(c, 1, 2, host_shape(c, 1)->rank);
}

bool hostinfer_sparse_segment(Infer *c) {
    return host_arity(c, 3, 1) && host_rank_at_least(c, 0, 1) && segments(c, 2, 3, 1);
}
