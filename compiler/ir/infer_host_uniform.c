/* Shape functions of the family uniform. */
#include "ir/host_infer.h"

bool hostinfer_uniform_like(Infer *c) {
    return host_arity(c, 5, 1) && host_like(c, 0, node_type(c->n, "Tout", host_type(c, 0)), 0);
}

bool hostinfer_uniform_add(Infer *c) {
    Shape s;
    if (!host_arity(c, 8, 1)) return false;
    const Shape a = *host_shape(c, 0), b = *host_shape(c, 1);
    if (!shape_broadcast(&c->g->dims, &a, &b, &s)) return infer_error(c, "the shapes of its inputs do not broadcast");
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_uniform_dot(Infer *c) {
    if (!host_arity(c, 4, 1) || !host_rank(c, 0, 2) || !host_rank(c, 1, 2)) return false;
    const bool hybrid = host_type(c, 0) == DTYPE_F32;
    if ((!hybrid && !host_arity(c, 8, 1)) || host_type(c, 1) != DTYPE_S8 || (!hybrid && host_type(c, 0) != DTYPE_S8))
        return infer_error(c, "its operands must be 8-bit levels");
    return host_matrix(c, 0, node_type(c->n, "Tout", hybrid ? DTYPE_F32 : DTYPE_S32), host_dim(c, 0, 0),
                       host_dim(c, 1, 1));
}

/* Its layout is in a serialised message, which the function reads: only the rank is said here. */
bool hostinfer_uniform_convolution(Infer *c) {
    if (!host_arity(c, 4, 1) || !host_rank_at_least(c, 0, 3)) return false;
    const bool hybrid = host_type(c, 0) == DTYPE_F32;
    if ((!hybrid && !host_arity(c, 8, 1)) || host_type(c, 1) != DTYPE_S8 || (!hybrid && host_type(c, 0) != DTYPE_S8))
        return infer_error(c, "its operands must be 8-bit levels");
    return host_unknown(c, 0, node_type(c->n, "Tout", hybrid ? DTYPE_F32 : DTYPE_S32), host_shape(c, 0)->rank);
}
