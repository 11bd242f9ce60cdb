/* Shape functions of the family random. */
#include "ir/host_infer.h"

bool hostinfer_random(Infer *c) {
    Shape s;
    if (!host_arity(c, 1, 1) || !host_shape_input(c, 0, 0, &s)) return false;
    return host_set(c, 0, node_type(c->n, "dtype", DTYPE_F32), &s);
}

/* The stateful one says its type by Tout. */
bool hostinfer_random_int(Infer *c) {
    Shape s;
    if (!host_arity(c, 3, 1) || !host_shape_input(c, 0, 0, &s)) return false;
    return host_set(c, 0, host_type(c, 1), &s);
}

bool hostinfer_multinomial(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank(c, 0, 2)) return false;
    const Dim n = host_size(c, 1, 0, 0, 1);
    return host_matrix(c, 0, node_type(c->n, "output_dtype", DTYPE_S64), host_dim(c, 0, 0), n);
}

bool hostinfer_random_parameters(Infer *c) {
    Shape s;
    if (!host_arity(c, 2, 1) || !host_shape_input(c, 0, 0, &s)) return false;
    const Shape *parameters = host_shape(c, 1);
    if (s.rank + parameters->rank > MAX_RANK) return infer_error(c, "its result has too many dimensions");
    for (int i = 0; i < parameters->rank; i++) s.dims[s.rank++] = parameters->dims[i];
    return host_set(c, 0, node_type(c->n, "dtype", host_type(c, 1)), &s);
}

bool hostinfer_random_key_counter(Infer *c) {
    if (!host_arity(c, 1, 2)) return false;
    host_vector(c, 0, DTYPE_U64, dim_const(1));
    host_vector(c, 1, DTYPE_U64, dim_const(2));
    return c->n->n_outputs < 3 || host_scalar(c, 2, DTYPE_S32);
}

bool hostinfer_random_alg(Infer *c) {
    return host_arity(c, 0, 1) && host_scalar(c, 0, DTYPE_S32);
}
