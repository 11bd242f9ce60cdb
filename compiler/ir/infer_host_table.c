/* Shape functions of the family table. A handle is a resource scalar whatever TensorFlow calls it (the first tables had
 * string handles). */
#include "ir/host_infer.h"

bool hostinfer_hash_table(Infer *c) {
    const Shape *key = c->n->n_inputs > 0 ? host_shape(c, 0) : NULL; /* a dense table's empty key */
    if (key && (key->rank > 1 || (key->rank == 1 && host_type(c, 0) == DTYPE_STRING)))
        return diag_unsupported(c->d, c->n->name, c->n->tf_op,
                                "its keys are tensors; keys that are scalars or vectors of numbers are compiled");
    return host_arity(c, 0, 1) && host_scalar(c, 0, DTYPE_RESOURCE);
}

bool hostinfer_no_result(Infer *c) {
    return host_arity(c, 2, 0);
}

/* Whether the table's keys are vectors, as its empty key says. */
static bool has_vector_keys(Infer *c) {
    const NodeId def = infer_in(c, 0)->def;
    const Node *table = def.i ? node_at(c->g, def) : NULL;
    if (!table || table->n_inputs == 0) return false;
    const Shape *key = &value_at(c->g, table->inputs[0])->shape;
    return key->rank == 1 && !dim_is(key->dims[0], 1);
}

bool hostinfer_table_find(Infer *c) {
    if (!host_arity(c, 3, 1)) return false;
    const NodeId def = infer_in(c, 0)->def;
    const Node *table = def.i ? node_at(c->g, def) : NULL;
    if (table && (node_type(table, "key_dtype", host_type(c, 1)) != host_type(c, 1) ||
                  node_type(table, "value_dtype", host_type(c, 2)) != host_type(c, 2)))
        return infer_error(c, "its keys or its default value have another type than the table");
    Shape s = *host_shape(c, 1);
    const Shape *value = host_shape(c, 2);
    if (has_vector_keys(c)) {
        if (s.rank < 1) return infer_error(c, "its keys must be vectors");
        s.rank--;
    }
    if (s.rank + value->rank > MAX_RANK) return infer_error(c, "too many dimensions");
    for (int i = 0; i < value->rank; i++) s.dims[s.rank++] = value->dims[i];
    return host_set(c, 0, host_type(c, 2), &s);
}

bool hostinfer_table_size(Infer *c) {
    return host_arity(c, 1, 1) && host_scalar(c, 0, DTYPE_S64);
}

bool hostinfer_table_export(Infer *c) {
    if (!host_arity(c, 1, 2)) return false;
    const NodeId def = infer_in(c, 0)->def;
    const Node *table = def.i ? node_at(c->g, def) : NULL;
    const Attr *shape = table ? node_attr(table, "value_shape") : NULL;
    const Dim n = infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    const DType key = node_type(c->n, "Tkeys", DTYPE_STRING);
    Shape values = {.rank = 1, .dims = {n}};
    if (shape && shape->kind == ATTR_INTS && shape->n < MAX_RANK)
        for (uint32_t i = 0; i < shape->n; i++) {
            if (shape->v.ints[i] < 0) return infer_error(c, "the shape of the table's values is not known");
            values.dims[values.rank++] = dim_const(shape->v.ints[i]);
        }
    if (has_vector_keys(c))
        host_matrix(c, 0, key, n, value_at(c->g, table->inputs[0])->shape.dims[0]);
    else
        host_vector(c, 0, key, n);
    return host_set(c, 1, node_type(c->n, "Tvalues", DTYPE_S64), &values);
}
