/* Shape functions of the linear algebra families. */
#include "ir/host_infer.h"

bool hostinfer_second(Infer *c) {
    return host_arity(c, 2, 1) && host_like(c, 0, host_type(c, 1), 1);
}

bool hostinfer_fourth(Infer *c) {
    return host_arity(c, 4, 1) && host_like(c, 0, host_type(c, 3), 3);
}

/* The batch dims of input 0, then `extra` more. */
static bool matrix_result(Infer *c, uint32_t i, DType t, int extra, Dim rows, Dim columns) {
    Shape s = *host_shape(c, 0);
    s.rank -= 2;
    if (extra > 0) s.dims[s.rank++] = rows;
    if (extra > 1) s.dims[s.rank++] = columns;
    return host_set(c, i, t, &s);
}

/* Matrices (or bands) and right-hand sides whose batches broadcast. */
bool hostinfer_matrix_triangular_solve(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank_at_least(c, 0, 2) || !host_rank_at_least(c, 1, 2)) return false;
    Shape a = *host_shape(c, 0);
    Shape rhs = *host_shape(c, 1);
    Shape s;
    const Dim rows = rhs.dims[rhs.rank - 2], columns = rhs.dims[rhs.rank - 1];
    a.rank -= 2;
    rhs.rank -= 2;
    if (!shape_broadcast(&c->g->dims, &a, &rhs, &s)) return infer_error(c, "the batches of its inputs do not fit");
    s.dims[s.rank++] = rows;
    s.dims[s.rank++] = columns;
    return host_set(c, 0, host_type(c, 1), &s);
}

bool hostinfer_matrix_solve_ls(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank_at_least(c, 0, 2) || !host_rank_at_least(c, 1, 2)) return false;
    const Shape *a = host_shape(c, 0), *rhs = host_shape(c, 1);
    return matrix_result(c, 0, host_type(c, 0), 2, a->dims[a->rank - 1], rhs->dims[rhs->rank - 1]);
}

bool hostinfer_matrix_determinant(Infer *c) {
    if (!host_arity(c, 1, 1) || !host_rank_at_least(c, 0, 2)) return false;
    for (uint32_t i = 0; i < c->n->n_outputs; i++) matrix_result(c, i, host_type(c, 0), 0, dim_const(0), dim_const(0));
    return true;
}

bool hostinfer_lu(Infer *c) {
    if (!host_arity(c, 1, 2) || !host_rank_at_least(c, 0, 2)) return false;
    host_like(c, 0, host_type(c, 0), 0);
    return matrix_result(c, 1, node_type(c->n, "output_idx_type", DTYPE_S32), 1,
                         host_dim(c, 0, host_shape(c, 0)->rank - 1), dim_const(0));
}

bool hostinfer_qr(Infer *c) {
    if (!host_arity(c, 1, 2) || !host_rank_at_least(c, 0, 2)) return false;
    const Shape *x = host_shape(c, 0);
    const Dim m = x->dims[x->rank - 2], n = x->dims[x->rank - 1];
    const Dim width = node_int(c->n, "full_matrices", 0) ? m : dim_min(&c->g->dims, m, n);
    matrix_result(c, 0, host_type(c, 0), 2, m, width);
    return matrix_result(c, 1, host_type(c, 0), 2, width, n);
}

/* Singular values are real in kind, but TensorFlow's results all have type T. */
bool hostinfer_svd(Infer *c) {
    if (!host_arity(c, 1, 3) || !host_rank_at_least(c, 0, 2)) return false;
    const Shape *x = host_shape(c, 0);
    const Dim m = x->dims[x->rank - 2], n = x->dims[x->rank - 1], least = dim_min(&c->g->dims, m, n);
    const bool full = node_int(c->n, "full_matrices", 0) != 0;
    const DType t = host_type(c, 0);
    matrix_result(c, 0, t, 1, least, dim_const(0));
    if (!node_int(c->n, "compute_uv", 1)) {
        host_vector(c, 1, t, dim_const(0));
        return host_vector(c, 2, t, dim_const(0));
    }
    matrix_result(c, 1, t, 2, m, full ? m : least);
    return matrix_result(c, 2, t, 2, n, full ? n : least);
}

bool hostinfer_self_adjoint_eig(Infer *c) {
    if (!host_arity(c, 1, 2) || !host_rank_at_least(c, 0, 2)) return false;
    const DType t = host_type(c, 0);
    matrix_result(c, 0, t, 1, host_dim(c, 0, host_shape(c, 0)->rank - 1), dim_const(0));
    if (!node_int(c->n, "compute_v", 1)) return host_vector(c, 1, t, dim_const(0));
    return host_like(c, 1, t, 0);
}

/* The values and vectors of any matrix are complex. */
bool hostinfer_eig(Infer *c) {
    if (!host_arity(c, 1, 2) || !host_rank_at_least(c, 0, 2)) return false;
    const DType in = host_type(c, 0),
                t = node_type(c->n, "Tout", in == DTYPE_F64 || in == DTYPE_C128 ? DTYPE_C128 : DTYPE_C64);
    matrix_result(c, 0, t, 1, host_dim(c, 0, host_shape(c, 0)->rank - 1), dim_const(0));
    if (!node_int(c->n, "compute_v", 1)) return host_vector(c, 1, t, dim_const(0));
    return host_like(c, 1, t, 0);
}
