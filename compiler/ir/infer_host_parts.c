/* Shape functions of the families sparse_cross, ctc, glimpse and fractional. */
#include "ir/host_infer.h"

#include <math.h>

bool hostinfer_sparse_cross(Infer *c) {
    if (!host_arity(c, 1, 3)) return false;
    const Dim n = infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    const bool hashed = node_attr(c->n, "out_type") ? node_type(c->n, "out_type", DTYPE_S64) == DTYPE_S64
                                                    : host_type(c, c->n->n_inputs - 1) != DTYPE_STRING;
    host_matrix(c, 0, DTYPE_S64, n, dim_const(2));
    host_vector(c, 1, hashed ? DTYPE_S64 : DTYPE_STRING, n);
    return host_vector(c, 2, DTYPE_S64, dim_const(2));
}

bool hostinfer_ctc_beam_search_decoder(Infer *c) {
    const int64_t paths = node_int(c->n, "top_paths", 1);
    if (paths < 1 || paths > 100000 || !host_arity(c, 2, (uint32_t)(3 * paths + 1)) || !host_rank(c, 0, 3))
        return paths >= 1 ? false : infer_error(c, "top_paths must be positive");
    const uint32_t n = (uint32_t)paths;
    for (uint32_t i = 0; i < n; i++) {
        const Dim count = infer_fresh_dim(c, i, 0, 0, dim_const(HOST_ANY));
        host_matrix(c, i, DTYPE_S64, count, dim_const(2));
        host_vector(c, n + i, DTYPE_S64, count);
        host_vector(c, 2 * n + i, DTYPE_S64, dim_const(2));
    }
    return host_matrix(c, 3 * n, host_type(c, 0), host_dim(c, 0, 1), dim_const(paths));
}

bool hostinfer_extract_glimpse(Infer *c) {
    if (!host_arity(c, 3, 1) || !host_rank(c, 0, 4) || !host_rank(c, 2, 2)) return false;
    Shape s = *host_shape(c, 0);
    s.dims[1] = host_size(c, 1, 0, 0, 1);
    s.dims[2] = host_size(c, 1, 1, 0, 2);
    return host_set(c, 0, DTYPE_F32, &s);
}

bool hostinfer_sample_distorted_bounding_box(Infer *c) {
    if (!host_arity(c, 2, 3) || !host_rank(c, 1, 3)) return false;
    const Shape s = {.rank = 3, .dims = {dim_const(1), dim_const(1), dim_const(4)}};
    host_vector(c, 0, host_type(c, 0), dim_const(3));
    host_vector(c, 1, host_type(c, 0), dim_const(3));
    return host_set(c, 2, DTYPE_F32, &s);
}

bool hostinfer_fractional_pool(Infer *c) {
    if (!host_arity(c, 1, 3) || !host_rank(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    const Attr *ratio = node_attr(c->n, "pooling_ratio");
    if (!ratio || ratio->kind != ATTR_FLOATS || ratio->n != 4)
        return infer_error(c, "pooling_ratio must have four elements");
    for (int i = 1; i < 3; i++) {
        const Dim in = s.dims[i];
        if (!(ratio->v.floats[i] >= 1)) return infer_error(c, "pooling_ratio must be at least 1");
        s.dims[i] = dim_is_const(in) ? dim_const((int64_t)floor((double)((float)in.value / (float)ratio->v.floats[i])))
                                     : infer_fresh_dim(c, 0, i, 0, in);
    }
    host_set(c, 0, host_type(c, 0), &s);
    for (int i = 1; i < 3; i++) host_vector(c, (uint32_t)i, DTYPE_S64, dim_add(&c->g->dims, s.dims[i], dim_const(1)));
    return true;
}
