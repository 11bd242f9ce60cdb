/* batch_norm: factors and offsets along channels, behind or in front of a convolution or matrix product with constant
   weights, go into the weights and one bias. That covers batch normalisation however it is written: after import and
   canonicalise it is a chain of mul and add with constants. An offset in front stays where zero padding would see it.
   needs: canonical constants      keeps: shapes, order */
#include "canonicalise.h"

#include <string.h>

/* Weights of narrow floats would be rounded once more, and small ones lost. */
static bool is_wide(DType t) {
    return t == DTYPE_F32 || t == DTYPE_F64;
}

/* The contraction behind v with constant weights that only v's user sees, or NULL. */
static const Node *weighted(const Rewriter *w, ValueId v) {
    NodeId def = value_at(w->g, v)->def;
    const Node *n = node_at(w->g, def);
    if (!def.i || !(op_info(n->op)->flags & OP_FLAG_CONTRACTION) || rewrite_uses(w, v) != 1) return NULL;
    const Tensor *t = value_const(w->g, n->inputs[1]);
    return t && is_wide(t->dtype) && t->dtype == dtype_at(w->g, v) && dtype_at(w->g, n->inputs[0]) == t->dtype ? n
                                                                                                               : NULL;
}

/* Whether constant c varies along the last axis of `image` at most. */
static bool is_along_channels(const Graph *g, ValueId c, const Shape *image) {
    const Shape *s = shape_at(g, c);
    if (!value_const(g, c) || s->rank > image->rank) return false;
    for (int i = 0; i + 1 < s->rank; i++)
        if (!dim_is(s->dims[i], 1)) return false;
    return s->rank == 0 || dim_is(s->dims[s->rank - 1], 1) ||
           dim_equal(s->dims[s->rank - 1], image->dims[image->rank - 1]);
}

/* c as [1, …, n, 1, …] of `rank` dims with its elements along dim `at`, to be multiplied with weights. */
static ValueId along(Rewriter *w, ValueId c, int rank, int at, const char *name) {
    Shape s = {.rank = rank};
    for (int i = 0; i < rank; i++) s.dims[i] = dim_const(1);
    s.dims[at] = dim_const(tensor_count(value_const(w->g, c)));
    return insert_reshape(w, c, &s, name);
}

/* The dim of the weights along which the results' channels lie; -1 when there is not one. */
static int result_channels(const Graph *g, const Node *n) {
    int rank = shape_at(g, n->inputs[1])->rank;
    if (n->op == OP_CONV) return rank - 1;
    if (n->op == OP_CONV_TRANSPOSE) return node_int(n, "groups", 1) == 1 ? rank - 2 : -1;
    for (int i = 0; i < rank - 2; i++)
        if (!dim_is(shape_at(g, n->inputs[1])->dims[i], 1)) return -1; /* a batch of matrices */
    return node_int(n, "transpose_b", 0) ? rank - 2 : rank - 1;
}

/* The dim of the weights along which the input's channels lie; -1 when there is not one. */
static int input_channels(const Graph *g, const Node *n) {
    int rank = shape_at(g, n->inputs[1])->rank;
    int64_t groups = node_int(n, "groups", 1);
    if (n->op == OP_CONV && groups == 1) return rank - 2;
    /* depthwise with one filter a channel: the same dim serves both */
    if (n->op == OP_CONV && dim_is(shape_at(g, n->inputs[1])->dims[rank - 2], 1) &&
        dim_is(shape_at(g, n->inputs[1])->dims[rank - 1], groups))
        return rank - 1;
    if (n->op != OP_MATMUL || node_int(n, "transpose_a", 0)) return -1;
    for (int i = 0; i < rank - 2; i++)
        if (!dim_is(shape_at(g, n->inputs[1])->dims[i], 1)) return -1;
    return node_int(n, "transpose_b", 0) ? rank - 1 : rank - 2;
}

/* f(x, weights) * c = f(x, weights * c), also for a quotient */
static ValueId rule_scale_after(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *f = weighted(w, n->inputs[0]);
    ValueId c = n->inputs[1];
    if (!f || !is_along_channels(w->g, c, shape_at(w->g, n->inputs[0]))) return (ValueId){0};
    int at = result_channels(w->g, f), rank = shape_at(w->g, f->inputs[1])->rank;
    if (at < 0) return (ValueId){0};
    const char *name = f->name;
    NodeId f_id = value_at(w->g, n->inputs[0])->def;
    ValueId inputs[2] = {f->inputs[0], f->inputs[1]};
    OpId op = n->op;
    rewrite_takes(w, n->inputs[0]);
    ValueId factor = along(w, c, rank, at, name);
    if (!factor.i) return factor;
    inputs[1] = insert_binary(w, op, inputs[1], factor, name);
    return insert_like(w, f_id, 2, inputs);
}

/* (f + b) * c = f * c + b * c, where f is a contraction: brings its factor next to it */
static ValueId rule_scale_before_offset(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *sum = match_only(w, n->inputs[0], OP_ADD);
    if (!sum || !value_const(w->g, sum->inputs[1]) || !value_const(w->g, n->inputs[1]) || !weighted(w, sum->inputs[0]))
        return (ValueId){0};
    const Shape *image = shape_at(w->g, n->outputs[0]);
    if (!is_along_channels(w->g, n->inputs[1], image) || !is_along_channels(w->g, sum->inputs[1], image))
        return (ValueId){0};
    ValueId f = sum->inputs[0], b = sum->inputs[1], c = n->inputs[1];
    const char *name = n->name;
    OpId op = n->op;
    rewrite_takes(w, n->inputs[0]);
    ValueId scaled = insert_binary(w, op, f, c, name);
    ValueId offset = insert_binary(w, op, b, c, name);
    return insert_binary(w, OP_ADD, scaled, offset, name);
}

/* f(x * c, weights) = f(x, c * weights): exact with zero padding too, since padding is not scaled */
static ValueId rule_scale_in_front(Rewriter *w, NodeId id) {
    const Node *f = node_at(w->g, id), *product = match_only(w, f->inputs[0], OP_MUL);
    if (!product || !value_const(w->g, f->inputs[1]) ||
        !is_along_channels(w->g, product->inputs[1], shape_at(w->g, f->inputs[0])))
        return (ValueId){0};
    if (!is_wide(dtype_at(w->g, f->inputs[0])) ||
        !shape_equal(shape_at(w->g, product->inputs[0]), shape_at(w->g, f->inputs[0])))
        return (ValueId){0};
    int at = input_channels(w->g, f);
    if (at < 0) return (ValueId){0};
    const char *name = f->name;
    ValueId inputs[2] = {product->inputs[0], f->inputs[1]}, c = product->inputs[1];
    rewrite_takes(w, f->inputs[0]);
    ValueId factor = along(w, c, shape_at(w->g, inputs[1])->rank, at, name);
    if (!factor.i) return factor;
    inputs[1] = insert_binary(w, OP_MUL, inputs[1], factor, name);
    return insert_like(w, id, 2, inputs);
}

static bool is_padded(const Node *f) {
    const Attr *sides[] = {node_attr(f, "before"), node_attr(f, "after")};
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; sides[k] && i < sides[k]->n; i++)
            if (!dim_is(sides[k]->v.dims[i], 0)) return true;
    return false;
}

/* f(x + b, weights) = f(x, weights) + sum of weights * b, where no padding comes in between */
static ValueId rule_offset_in_front(Rewriter *w, NodeId id) {
    const Node *f = node_at(w->g, id), *sum = match_only(w, f->inputs[0], OP_ADD);
    if (!sum || !value_const(w->g, f->inputs[1]) ||
        !is_along_channels(w->g, sum->inputs[1], shape_at(w->g, f->inputs[0])) || is_padded(f))
        return (ValueId){0};
    if (!dtype_is_float(dtype_at(w->g, f->inputs[0])) ||
        !shape_equal(shape_at(w->g, sum->inputs[0]), shape_at(w->g, f->inputs[0])))
        return (ValueId){0};
    int at = input_channels(w->g, f), channels = result_channels(w->g, f), rank = shape_at(w->g, f->inputs[1])->rank;
    if (at < 0 || channels < 0) return (ValueId){0};
    const char *name = f->name;
    ValueId inputs[2] = {sum->inputs[0], f->inputs[1]}, b = sum->inputs[1];
    rewrite_takes(w, f->inputs[0]);
    int64_t axes[MAX_RANK];
    int n_axes = 0;
    for (int i = 0; i < rank; i++)
        if (i != channels) axes[n_axes++] = i;
    ValueId offset = along(w, b, rank, at, name);
    if (!offset.i) return offset;
    offset = insert_binary(w, OP_MUL, inputs[1], offset, name);
    Attr attrs[] = {attr_string("kind", "sum"), attr_ints(w->u->scratch, "axes", (size_t)n_axes, axes),
                    attr_int("keep", 0)};
    offset = insert_op(w, OP_REDUCE, name, 1, &offset, 3, attrs);
    ValueId product = insert_like(w, id, 2, inputs);
    return insert_binary(w, OP_ADD, product, offset, name);
}

static const Rule rules[] = {
    {"join constants", OP_NONE, OP_FLAG_COMMUTES, rule_join_constants},
    {"factor before offset", OP_MUL, 0, rule_scale_before_offset},
    {"factor before offset", OP_DIV, 0, rule_scale_before_offset},
    {"factor into weights", OP_MUL, 0, rule_scale_after},
    {"divisor into weights", OP_DIV, 0, rule_scale_after},
    {"factor in front into weights", OP_CONV, 0, rule_scale_in_front},
    {"factor in front into weights", OP_MATMUL, 0, rule_scale_in_front},
    {"offset in front into bias", OP_CONV, 0, rule_offset_in_front},
    {"offset in front into bias", OP_MATMUL, 0, rule_offset_in_front},
};

bool pass_batch_norm(Unit *u) {
    return rewrite_run(u, "batch_norm", rules, ARRAY_LEN(rules));
}
