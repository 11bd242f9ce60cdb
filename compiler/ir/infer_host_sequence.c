/* Shape functions of tf.SequenceExample parsers: how many results of each kind is said by attributes. */
#include "ir/host_infer.h"

static DType type_at(Infer *c, const char *name, uint32_t k, DType missing) {
    const Attr *a = node_attr(c->n, name);
    return a && a->kind == ATTR_TYPES && k < a->n ? a->v.types[k] : missing;
}

static uint32_t length(Infer *c, const char *name) {
    const Attr *a = node_attr(c->n, name);
    return a ? a->n : 0;
}

/* Dense features of one kind: their rows are [batch…, steps…] and then the shape. Moves *result on. */
static bool dense_results(Infer *c, uint32_t *result, const char *types, const char *shapes_name, bool steps) {
    const Attr *shapes = node_attr(c->n, shapes_name);
    const Shape *serialized = host_shape(c, 0);
    for (uint32_t k = 0, at = 0; k < length(c, types); k++, (*result)++) {
        const int64_t rank = shapes && shapes->kind == ATTR_INTS && at < shapes->n ? shapes->v.ints[at] : -1;
        if (rank < 0 || rank + 2 > MAX_RANK || at + 1 + (uint64_t)rank > shapes->n)
            return infer_error(c, "the rank of a dense feature is not known");
        Shape s = *serialized;
        if (steps) {
            s.dims[s.rank] = infer_fresh_dim(c, *result, s.rank, 0, dim_const(HOST_ANY));
            s.rank++;
        }
        for (int64_t i = 0; i < rank; i++, s.rank++) {
            const int64_t size = shapes->v.ints[at + 1 + (uint32_t)i];
            s.dims[s.rank] = size < 0 ? infer_fresh_dim(c, *result, s.rank, 0, dim_const(HOST_ANY)) : dim_const(size);
        }
        at += 1 + (uint32_t)rank;
        host_set(c, *result, type_at(c, types, k, DTYPE_F32), &s);
    }
    return true;
}

/* Indices, values and shapes of sparse features whose indices have so many columns. */
static void sparse_results(Infer *c, uint32_t *result, const char *types, int64_t columns) {
    const uint32_t n = length(c, types);
    for (uint32_t k = 0; k < n; k++) {
        const Dim count = infer_fresh_dim(c, *result + k, 0, 0, dim_const(HOST_ANY));
        host_matrix(c, *result + k, DTYPE_S64, count, dim_const(columns));
        host_vector(c, *result + n + k, type_at(c, types, k, DTYPE_STRING), count);
        host_vector(c, *result + 2 * n + k, DTYPE_S64, dim_const(columns));
    }
    *result += 3 * n;
}

static uint32_t vectors(Infer *c, uint32_t first, const char *types, DType missing) {
    const uint32_t n = length(c, types);
    for (uint32_t k = 0; k < n; k++) host_unknown(c, first + k, type_at(c, types, k, missing), 1);
    return n;
}

static bool parse_results(Infer *c, bool single) {
    if (!host_arity(c, 2, 0)) return false;
    const uint32_t ragged = length(c, "context_ragged_value_types"),
                   list_ragged = length(c, "feature_list_ragged_value_types"),
                   list_dense = length(c, "feature_list_dense_types");
    const uint32_t wanted = 3 * length(c, "context_sparse_types") + length(c, "Tcontext_dense") + 2 * ragged +
                            3 * length(c, "feature_list_sparse_types") + (single ? 1 : 2) * list_dense +
                            3 * list_ragged;
    if (c->n->n_outputs != wanted)
        return infer_error(c, "its types say %u results, it has %u", wanted, c->n->n_outputs);
    const Shape serialized = *host_shape(c, 0);
    if (serialized.rank > 1) return infer_error(c, "serialized must be a scalar or a vector");
    const Dim rows = dim_add(&c->g->dims, serialized.rank ? serialized.dims[0] : dim_const(1), dim_const(1));
    uint32_t result = 0;
    sparse_results(c, &result, "context_sparse_types", serialized.rank + 1);
    if (!dense_results(c, &result, "Tcontext_dense", "context_dense_shapes", false)) return false;
    result += vectors(c, result, "context_ragged_value_types", DTYPE_F32);
    for (uint32_t k = 0; k < ragged; k++)
        host_vector(c, result++, type_at(c, "context_ragged_split_types", k, DTYPE_S64), rows);
    sparse_results(c, &result, "feature_list_sparse_types", serialized.rank + 2);
    if (!dense_results(c, &result, "feature_list_dense_types", "feature_list_dense_shapes", true)) return false;
    for (uint32_t k = 0; k < list_dense && !single; k++) host_set(c, result++, DTYPE_S64, &serialized);
    result += vectors(c, result, "feature_list_ragged_value_types", DTYPE_F32);
    for (uint32_t k = 0; k < list_ragged; k++)
        host_vector(c, result++, type_at(c, "feature_list_ragged_split_types", k, DTYPE_S64), rows);
    for (uint32_t k = 0; k < list_ragged; k++)
        host_unknown(c, result++, type_at(c, "feature_list_ragged_split_types", k, DTYPE_S64), 1);
    return true;
}

bool hostinfer_parse_sequence_example(Infer *c) {
    return parse_results(c, false);
}

/* Gives no lengths. */
bool hostinfer_parse_single_sequence_example(Infer *c) {
    return parse_results(c, true);
}
