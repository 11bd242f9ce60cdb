/* Shape functions of the image families: resample, patches. */
#include "ir/host_infer.h"

bool hostinfer_resize(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    s.dims[1] = host_size(c, 1, 0, 0, 1);
    s.dims[2] = host_size(c, 1, 1, 0, 2);
    return host_set(c, 0, DTYPE_F32, &s);
}

bool hostinfer_crop_and_resize(Infer *c) {
    if (!host_arity(c, 4, 1) || !host_rank(c, 0, 4) || !host_rank(c, 1, 2)) return false;
    Shape s = {.rank = 4, .dims = {host_dim(c, 1, 0), {0, 0}, {0, 0}, host_dim(c, 0, 3)}};
    s.dims[1] = host_size(c, 3, 0, 0, 1);
    s.dims[2] = host_size(c, 3, 1, 0, 2);
    return host_set(c, 0, DTYPE_F32, &s);
}

bool hostinfer_max_pool_with_argmax(Infer *c) {
    if (!host_arity(c, 1, 2) || !host_rank(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    for (int i = 1; i < 3; i++) {
        if (!host_window(c, s.dims[i], dim_const(host_ints_at(c, "ksize", (uint32_t)i)),
                         host_ints_at(c, "strides", (uint32_t)i), 1, &s.dims[i]))
            return false;
    }
    host_set(c, 0, host_type(c, 0), &s);
    return host_set(c, 1, node_type(c->n, "Targmax", DTYPE_S64), &s);
}

bool hostinfer_extract_patches(Infer *c) {
    if (!host_arity(c, 1, 1) || !host_rank_at_least(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    Dim depth = s.dims[s.rank - 1];
    for (int i = 1; i < s.rank - 1; i++) {
        const int64_t k = host_ints_at(c, "ksizes", (uint32_t)i);
        if (!host_window(c, s.dims[i], dim_const(k), host_ints_at(c, "strides", (uint32_t)i),
                         host_ints_at(c, "rates", (uint32_t)i), &s.dims[i]))
            return false;
        depth = dim_mul(&c->g->dims, depth, dim_const(k));
    }
    s.dims[s.rank - 1] = depth;
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_dilation2d(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank(c, 0, 4) || !host_rank(c, 1, 3)) return false;
    Shape s = *host_shape(c, 0);
    for (int i = 1; i < 3; i++) {
        const Dim k = host_dim(c, 1, i - 1);
        if (!host_window(c, s.dims[i], k, host_ints_at(c, "strides", (uint32_t)i),
                         host_ints_at(c, "rates", (uint32_t)i), &s.dims[i]))
            return false;
    }
    return host_set(c, 0, host_type(c, 0), &s);
}
