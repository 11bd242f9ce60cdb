/* build_ functions: one node each, returning its first result. A {0} input means that something failed before and was
 * reported there. */
#include "ir/graph.h"

ValueId build_op(Graph *g, RegionId r, OpId op, const char *name, uint32_t n_inputs, const ValueId *inputs,
                 uint32_t n_attrs, const Attr *attrs, Diag *d) {
    NodeSpec spec = {
        .op = op, .name = name, .inputs = inputs, .n_inputs = n_inputs, .attrs = attrs, .n_attrs = n_attrs};
    NodeId n = graph_add(g, r, &spec, d);
    return n.i && node_at(g, n)->n_outputs ? node_at(g, n)->outputs[0] : (ValueId){0};
}

ValueId build_const(Graph *g, RegionId r, const Tensor *t, const char *name) {
    Diag d;
    diag_init(&d, g->arena, NULL);
    Attr a = attr_tensor(g->arena, "value", t);
    ValueId v = build_op(g, r, OP_CONST, name, 0, NULL, 1, &a, &d);
    CHECK(v.i);
    return v;
}

ValueId build_scalar_const(Graph *g, RegionId r, DType dtype, double value) {
    Tensor t = tensor_scalar_f64(g->arena, dtype, value);
    return build_const(g, r, &t, "");
}

ValueId build_unary(Graph *g, RegionId r, OpId op, ValueId x, const char *name, Diag *d) {
    return build_op(g, r, op, name, 1, &x, 0, NULL, d);
}

ValueId build_binary(Graph *g, RegionId r, OpId op, ValueId a, ValueId b, const char *name, Diag *d) {
    return build_op(g, r, op, name, 2, (ValueId[]){a, b}, 0, NULL, d);
}

ValueId build_cast(Graph *g, RegionId r, ValueId x, DType to, const char *name, Diag *d) {
    if (!x.i || value_at(g, x)->dtype == to) return x;
    Attr a = attr_type("dtype", to);
    return build_op(g, r, OP_CAST, name, 1, &x, 1, &a, d);
}

static ValueId build_to_shape(Graph *g, RegionId r, OpId op, ValueId x, const Shape *to, const char *name, Diag *d) {
    if (!x.i || shape_equal(&value_at(g, x)->shape, to)) return x;
    Attr a = attr_dims(g->arena, "shape", (size_t)to->rank, to->dims);
    return build_op(g, r, op, name, 1, &x, 1, &a, d);
}

ValueId build_reshape(Graph *g, RegionId r, ValueId x, const Shape *to, const char *name, Diag *d) {
    return build_to_shape(g, r, OP_RESHAPE, x, to, name, d);
}

ValueId build_broadcast(Graph *g, RegionId r, ValueId x, const Shape *to, const char *name, Diag *d) {
    return build_to_shape(g, r, OP_BROADCAST, x, to, name, d);
}

ValueId build_transpose(Graph *g, RegionId r, ValueId x, int rank, const int64_t *perm, const char *name, Diag *d) {
    int same = 0;
    while (same < rank && perm[same] == same) same++;
    if (!x.i || (same == rank && value_at(g, x)->shape.rank == rank)) return x;
    Attr a = attr_ints(g->arena, "perm", (size_t)rank, perm);
    return build_op(g, r, OP_TRANSPOSE, name, 1, &x, 1, &a, d);
}

ValueId build_reduce(Graph *g, RegionId r, ValueId x, const char *kind, int n_axes, const int64_t *axes, bool keep,
                     const char *name, Diag *d) {
    Attr a[] = {attr_string("kind", kind), attr_ints(g->arena, "axes", (size_t)n_axes, axes), attr_int("keep", keep)};
    return build_op(g, r, OP_REDUCE, name, 1, &x, 3, a, d);
}

ValueId build_dims(Graph *g, RegionId r, DType dtype, int rank, int64_t n, const Dim *dims, const char *name) {
    CHECK((rank == 0 && n == 1) || rank == 1);
    bool constant = true;
    for (int64_t i = 0; i < n; i++) constant &= dim_is_const(dims[i]);
    if (constant) {
        Tensor t = tensor_new(g->arena, dtype, rank, &n);
        for (int64_t i = 0; i < n; i++) tensor_set_i64(&t, i, dims[i].value);
        return build_const(g, r, &t, name);
    }
    Diag d;
    diag_init(&d, g->arena, NULL);
    Dim shape = dim_const(n);
    Attr a[] = {attr_dims(g->arena, "shape", (size_t)rank, &shape), attr_dims(g->arena, "dims", (size_t)n, dims),
                attr_type("dtype", dtype)};
    ValueId v = build_op(g, r, OP_DIMS_TENSOR, name, 0, NULL, 3, a, &d);
    CHECK(v.i);
    return v;
}
