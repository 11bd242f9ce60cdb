/* canonicalise_transpose: transposes move toward the results, through everything that does not care in which order dims
   stand, until they meet their inverse. Models written channels-first come in with a pair of transposes around every
   convolution; this is how they go. */
#include "canonicalise.h"

#include <string.h>

static const int64_t *perm_of(const Node *n) {
    return node_attr(n, "perm")->v.ints;
}

ValueId rule_transpose_chain(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *inner = match(w->g, n->inputs[0], OP_TRANSPOSE);
    int rank = shape_at(w->g, n->outputs[0])->rank;
    int64_t perm[MAX_RANK];
    for (int i = 0; i < rank; i++) perm[i] = inner ? perm_of(inner)[perm_of(n)[i]] : perm_of(n)[i];
    bool identity = true;
    for (int i = 0; i < rank; i++) identity &= perm[i] == i;
    if (!inner && !identity) return (ValueId){0};
    if (inner) rewrite_takes(w, n->inputs[0]);
    return insert_transpose(w, inner ? inner->inputs[0] : n->inputs[0], rank, perm, n->name);
}

/* Dims of size 1 may stand anywhere: when the others keep their order nothing moves. */
ValueId rule_transpose_units(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    const Shape *x = shape_at(w->g, n->inputs[0]);
    int64_t last = -1;
    for (int i = 0; i < x->rank; i++) {
        int64_t from = perm_of(n)[i];
        if (dim_is(x->dims[from], 1)) continue;
        if (from < last) return (ValueId){0};
        last = from;
    }
    Shape to = *shape_at(w->g, n->outputs[0]);
    return insert_reshape(w, n->inputs[0], &to, n->name);
}

/* Moving a transpose that has other uses too makes a second one. That pays where it will cancel: for the permutation
 * that puts channels first. */
static bool may_move(const Rewriter *w, ValueId v) {
    const Node *t = match(w->g, v, OP_TRANSPOSE);
    if (!t || value_const(w->g, t->inputs[0])) return false;
    if (rewrite_uses(w, v) == 1) return true;
    int rank = shape_at(w->g, v)->rank;
    bool channels_first = rank > 2 && perm_of(t)[0] == 0 && perm_of(t)[1] == rank - 1;
    for (int i = 2; i < rank && channels_first; i++) channels_first = perm_of(t)[i] == i - 1;
    return channels_first;
}

/* A constant operand in the order of dims before the transpose: all its dims, then permuted back. */
static ValueId permute_back(Rewriter *w, ValueId c, int rank, const int64_t *perm, const char *name) {
    Shape full = {.rank = rank};
    const Shape *s = shape_at(w->g, c);
    if (s->rank == 0) return c;
    for (int i = 0; i < rank; i++) full.dims[i] = i < rank - s->rank ? dim_const(1) : s->dims[i - (rank - s->rank)];
    int64_t inverse[MAX_RANK];
    for (int i = 0; i < rank; i++) inverse[perm[i]] = i;
    ValueId wide = insert_reshape(w, c, &full, name);
    return wide.i ? insert_transpose(w, wide, rank, inverse, name) : wide;
}

/* Element-wise op: all operands are transposed alike, or constants (or have one element). */
ValueId rule_transpose_scalar(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int rank = shape_at(w->g, n->outputs[0])->rank;
    int64_t perm[MAX_RANK];
    bool found = false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Node *t = match(w->g, n->inputs[i], OP_TRANSPOSE);
        if (!t || !may_move(w, n->inputs[i])) {
            if (!value_const(w->g, n->inputs[i]) && shape_at(w->g, n->inputs[i])->rank != 0) return (ValueId){0};
            continue;
        }
        if (shape_at(w->g, n->inputs[i])->rank != rank ||
            (found && memcmp(perm, perm_of(t), (size_t)rank * sizeof *perm) != 0))
            return (ValueId){0};
        memcpy(perm, perm_of(t), (size_t)rank * sizeof *perm);
        found = true;
    }
    if (!found) return (ValueId){0};
    ValueId inputs[3];
    uint32_t n_inputs = n->n_inputs;
    const char *name = n->name;
    for (uint32_t i = 0; i < n_inputs; i++) {
        ValueId x = node_at(w->g, id)->inputs[i];
        const Node *t = match(w->g, x, OP_TRANSPOSE);
        inputs[i] = t && !value_const(w->g, x) && shape_at(w->g, x)->rank == rank && may_move(w, x)
                        ? t->inputs[0]
                        : permute_back(w, x, rank, perm, name);
        if (!inputs[i].i) return inputs[i];
    }
    ValueId moved = insert_like(w, id, n_inputs, inputs);
    return moved.i ? insert_transpose(w, moved, rank, perm, name) : moved;
}

/* before/after lists (or begin, size …) in the order of dims before the transpose */
static void permute_dims(const Dim *from, int rank, const int64_t *perm, Dim *to) {
    for (int i = 0; i < rank; i++) to[perm[i]] = from[i];
}

ValueId rule_transpose_pad(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    if (!may_move(w, n->inputs[0])) return (ValueId){0};
    const Node *t = match(w->g, n->inputs[0], OP_TRANSPOSE);
    int rank = shape_at(w->g, n->outputs[0])->rank;
    Dim before[MAX_RANK], after[MAX_RANK];
    permute_dims(node_attr(n, "before")->v.dims, rank, perm_of(t), before);
    permute_dims(node_attr(n, "after")->v.dims, rank, perm_of(t), after);
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_dims(a, "before", (size_t)rank, before), attr_dims(a, "after", (size_t)rank, after),
                    attr_string("mode", node_string(n, "mode", "constant"))};
    const char *name = n->name;
    const int64_t *perm = perm_of(t);
    ValueId moved = insert_op(w, OP_PAD, name, 2, (ValueId[]){t->inputs[0], n->inputs[1]}, 3, attrs);
    return moved.i ? insert_transpose(w, moved, rank, perm, name) : moved;
}

ValueId rule_transpose_reduce(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    if (!may_move(w, n->inputs[0])) return (ValueId){0};
    const Node *t = match(w->g, n->inputs[0], OP_TRANSPOSE);
    const Attr *axes = node_attr(n, "axes");
    int rank = shape_at(w->g, n->inputs[0])->rank, kept = 0;
    const int64_t *perm = perm_of(t);
    bool keep = node_int(n, "keep", 0) != 0, reduced[MAX_RANK] = {false};
    int64_t moved_axes[MAX_RANK], rest[MAX_RANK], position[MAX_RANK], at = 0;
    for (uint32_t i = 0; i < axes->n; i++) {
        moved_axes[i] = perm[axes->v.ints[i]];
        reduced[moved_axes[i]] = true;
    }
    for (int i = 0; i < rank; i++)
        for (uint32_t k = 0; k + 1 < axes->n; k++) /* in ascending order, as everybody writes them */
            if (moved_axes[k] > moved_axes[k + 1]) {
                int64_t swap = moved_axes[k];
                moved_axes[k] = moved_axes[k + 1];
                moved_axes[k + 1] = swap;
            }
    for (int i = 0; i < rank; i++) position[i] = reduced[i] && !keep ? -1 : at++;
    for (int i = 0; i < rank; i++)
        if (position[perm[i]] >= 0) rest[kept++] = position[perm[i]];
    Attr attrs[] = {*node_attr(n, "kind"), attr_ints(w->u->scratch, "axes", axes->n, moved_axes),
                    attr_int("keep", keep)};
    const char *name = n->name;
    ValueId moved = insert_op(w, OP_REDUCE, name, 1, t->inputs, 3, attrs);
    return moved.i ? insert_transpose(w, moved, kept, rest, name) : moved;
}

ValueId rule_transpose_concat(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int rank = shape_at(w->g, n->outputs[0])->rank;
    const int64_t *perm = NULL;
    ValueId *inputs = NEW_ARRAY(w->u->scratch, ValueId, n->n_inputs);
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        if (!may_move(w, n->inputs[i])) return (ValueId){0};
        const Node *t = match(w->g, n->inputs[i], OP_TRANSPOSE);
        if (perm && memcmp(perm, perm_of(t), (size_t)rank * sizeof *perm) != 0) return (ValueId){0};
        perm = perm_of(t);
        inputs[i] = t->inputs[0];
    }
    Attr axis = attr_int("axis", perm[node_int(n, "axis", 0)]);
    const char *name = n->name;
    ValueId moved = insert_op(w, OP_CONCAT, name, n->n_inputs, inputs, 1, &axis);
    return moved.i ? insert_transpose(w, moved, rank, perm, name) : moved;
}

ValueId rule_transpose_slice(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    if (!may_move(w, n->inputs[0])) return (ValueId){0};
    const Node *t = match(w->g, n->inputs[0], OP_TRANSPOSE);
    int rank = shape_at(w->g, n->outputs[0])->rank;
    const int64_t *perm = perm_of(t);
    Dim begin[MAX_RANK], size[MAX_RANK];
    int64_t strides[MAX_RANK];
    permute_dims(node_attr(n, "begin")->v.dims, rank, perm, begin);
    permute_dims(node_attr(n, "size")->v.dims, rank, perm, size);
    for (int i = 0; i < rank; i++) strides[perm[i]] = node_attr(n, "strides")->v.ints[i];
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_dims(a, "begin", (size_t)rank, begin), attr_dims(a, "size", (size_t)rank, size),
                    attr_ints(a, "strides", (size_t)rank, strides)};
    const char *name = n->name;
    ValueId moved = insert_op(w, OP_SLICE, name, 1, t->inputs, 3, attrs);
    return moved.i ? insert_transpose(w, moved, rank, perm, name) : moved;
}

/* An operand that is transposed such that what lay along its last dim now lies along the one before: matmul reads it
   that way by its flag, and the rest of the transpose, if there is one, moves whole rows. */
ValueId rule_transpose_matmul(Rewriter *w, NodeId id) {
    static const char *const flags[] = {"transpose_a", "transpose_b"};
    const Node *n = node_at(w->g, id);
    for (int side = 0; side < 2; side++) {
        const Node *t = match(w->g, n->inputs[side], OP_TRANSPOSE);
        int rank = shape_at(w->g, n->inputs[side])->rank;
        if (!t || perm_of(t)[rank - 2] != rank - 1) continue;
        int64_t perm[MAX_RANK];
        memcpy(perm, perm_of(t), (size_t)rank * sizeof *perm);
        perm[rank - 2] = perm_of(t)[rank - 1];
        perm[rank - 1] = rank - 1;
        ValueId inputs[2] = {n->inputs[0], n->inputs[1]};
        Attr attrs[3];
        uint32_t n_attrs = n->n_attrs;
        const char *name = n->name;
        CHECK(n_attrs <= ARRAY_LEN(attrs));
        memcpy(attrs, n->attrs, n_attrs * sizeof *attrs);
        rewrite_takes(w, inputs[side]);
        inputs[side] = insert_transpose(w, t->inputs[0], rank, perm, name);
        if (!inputs[side].i) return inputs[side];
        for (uint32_t i = 0; i < n_attrs; i++)
            if (strcmp(attrs[i].name, flags[side]) == 0) attrs[i].v.i = !attrs[i].v.i;
        return insert_op(w, OP_MATMUL, name, 2, inputs, n_attrs, attrs);
    }
    return (ValueId){0};
}
