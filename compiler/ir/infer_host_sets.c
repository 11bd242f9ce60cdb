/* Shape functions of the family sets. */
#include "ir/host_infer.h"

bool hostinfer_edit_distance(Infer *c) {
    if (!host_arity(c, 6, 1) || !host_rank(c, 0, 2)) return false;
    const Dim rank = host_dim(c, 0, 1);
    if (!dim_is_const(rank) || rank.value < 2) return infer_error(c, "the rank of its hypothesis must be known");
    return host_unknown(c, 0, DTYPE_F32, (int)(rank.value > MAX_RANK ? MAX_RANK + 1 : rank.value - 1));
}

/* A sparse result of the rank of the first side. */
bool hostinfer_set_operation(Infer *c) {
    if (!host_arity(c, 2, 3)) return false;
    const bool sparse = c->n->n_inputs >= 6;
    const Dim rank =
        sparse ? (host_shape(c, 0)->rank == 2 ? host_dim(c, 0, 1) : dim_const(0)) : dim_const(host_shape(c, 0)->rank);
    const Dim n = infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    host_matrix(c, 0, DTYPE_S64, n, rank);
    host_vector(c, 1, host_type(c, sparse ? 1 : 0), n);
    return host_vector(c, 2, DTYPE_S64, rank);
}

/* How many there are in each group: the shape of the sets without the last dim. */
bool hostinfer_set_size(Infer *c) {
    if (!host_arity(c, 3, 1) || !host_rank(c, 0, 2)) return false;
    const Dim rank = host_dim(c, 0, 1);
    if (!dim_is_const(rank) || rank.value < 2 || rank.value > MAX_RANK)
        return infer_error(c, "the rank of its sets must be known and at least 2");
    Shape s = {.rank = (int)rank.value - 1};
    for (int k = 0; k < s.rank; k++) s.dims[k] = host_size(c, 2, (uint32_t)k, 0, k);
    return host_set(c, 0, DTYPE_S32, &s);
}
