/* element_move: ops that only change coordinates: where in the operand an element of the result comes from. */
#include "kern/lower.h"

ExprId element_reshape(Body *b, const Node *n, const Position *at) {
    const Value *in = lower_value(b->l, n->inputs[0]), *out = lower_value(b->l, n->outputs[0]);
    Position p = position_reshape(b, &out->shape, &in->shape, at);
    return body_value(b, n->inputs[0], &p);
}

/* The position in coordinates, to be changed dim by dim. */
static Position coordinates(Body *b, const Node *n, const Position *at) {
    Position p = *at;
    position_unflatten(b, &lower_value(b->l, n->outputs[0])->shape, &p);
    p.flat = (ExprId){0};
    return p;
}

ExprId element_transpose(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at), q = p;
    const Attr *perm = node_attr(n, "perm");
    for (int i = 0; i < p.rank; i++) q.at[perm->v.ints[i]] = p.at[i];
    return body_value(b, n->inputs[0], &q);
}

ExprId element_reverse(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Attr *axes = node_attr(n, "axes");
    const Shape *shape = &lower_value(b->l, n->inputs[0])->shape;
    for (uint32_t i = 0; i < axes->n; i++) {
        int64_t axis = axes->v.ints[i] < 0 ? axes->v.ints[i] + p.rank : axes->v.ints[i];
        Dim last = dim_sub(&b->l->g->dims, shape->dims[axis], dim_const(1));
        ExprId end = index_dim(b, last);
        p.at[axis] = index_sub(b, end, p.at[axis]);
    }
    return body_value(b, n->inputs[0], &p);
}

ExprId element_slice(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Attr *begin = node_attr(n, "begin"), *strides = node_attr(n, "strides");
    for (int i = 0; i < p.rank; i++) {
        ExprId stride = index_int(b, strides ? strides->v.ints[i] : 1), first = index_dim(b, begin->v.dims[i]);
        ExprId scaled = index_mul(b, p.at[i], stride);
        p.at[i] = index_add(b, scaled, first);
    }
    return body_value(b, n->inputs[0], &p);
}

/* Where a dynamic slice or update begins: element i of the index tensor, clamped to 0 .. size - part; what had to be
   clamped fails the kernel where the node says `checked`. */
ExprId element_begin(Body *b, const Node *n, ValueId begin, int i, Dim size, Dim part, ExprId inside) {
    Position where = {.rank = 1, .has_at = true};
    where.at[0] = index_int(b, i);
    ExprId v = body_value(b, begin, &where), wide = body_cast(b, v, DTYPE_S64);
    Dim room = dim_sub(&b->l->g->dims, size, part);
    ExprId last = index_dim(b, room), not_above = index_min(b, wide, last);
    ExprId clamped = index_max(b, not_above, index_int(b, 0));
    if (node_int(n, "checked", 0)) body_fail(b, index_test(b, OP_NE, wide, clamped), inside);
    return clamped;
}

ExprId element_dynamic_slice(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Shape *in = &lower_value(b->l, n->inputs[0])->shape, *out = &lower_value(b->l, n->outputs[0])->shape;
    for (int i = 0; i < p.rank; i++) {
        if (dim_equal(in->dims[i], out->dims[i]) && !node_int(n, "checked", 0)) continue;
        ExprId begin = element_begin(b, n, n->inputs[1], i, in->dims[i], out->dims[i], at->inside);
        p.at[i] = index_add(b, p.at[i], begin);
    }
    return body_value(b, n->inputs[0], &p);
}

/* i in 0..n mirrored at the ends: `reflect` leaves the edge out (n-1 is the last), `symmetric` repeats it. */
static ExprId mirrored(Body *b, ExprId i, Dim n, bool symmetric) {
    ExprId zero = index_int(b, 0), size = index_dim(b, n);
    ExprId below = symmetric ? index_sub(b, index_int(b, -1), i) : index_sub(b, zero, i);
    ExprId is_below = index_test(b, OP_LT, i, zero);
    ExprId low = expr_scalar(b->l->arena, b->k, OP_SELECT, DTYPE_S64, is_below, below, i);
    ExprId twice = index_mul(b, size, index_int(b, 2));
    ExprId end = index_add(b, twice, index_int(b, symmetric ? -1 : -2));
    ExprId above = index_sub(b, end, low), is_above = index_test(b, OP_GE, low, size);
    return expr_scalar(b->l->arena, b->k, OP_SELECT, DTYPE_S64, is_above, above, low);
}

ExprId element_pad(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Attr *before = node_attr(n, "before"), *after = node_attr(n, "after");
    const Shape *in = &lower_value(b->l, n->inputs[0])->shape;
    const char *mode = node_string(n, "mode", "constant");
    ExprId inside = {0};
    for (int i = 0; i < p.rank; i++) {
        Dim left = before->v.dims[i], right = after->v.dims[i];
        if (dim_is(left, 0) && dim_is(right, 0)) continue;
        ExprId first = index_dim(b, left), size = index_dim(b, in->dims[i]);
        p.at[i] = index_sub(b, p.at[i], first);
        if (mode[0] != 'c') {
            p.at[i] = mirrored(b, p.at[i], in->dims[i], mode[0] == 's');
            continue;
        }
        if (!dim_is(left, 0)) inside = index_and(b, inside, index_test(b, OP_GE, p.at[i], index_int(b, 0)));
        if (!dim_is(right, 0)) inside = index_and(b, inside, index_test(b, OP_LT, p.at[i], size));
    }
    if (inside.i == 0) return body_value(b, n->inputs[0], &p);
    Position scalar = {.rank = 0, .has_at = true, .inside = at->inside};
    ExprId fill = body_value(b, n->inputs[1], &scalar);
    p.inside = index_and(b, at->inside, inside);
    ExprId value = body_value(b, n->inputs[0], &p);
    Expr e = *body_expr(b, value);
    if (at->inside.i == 0 && e.kind == EXPR_LOAD && e.args[1].i == inside.i) /* the load knows its own condition */
        return expr_load_if(b->l->arena, b->k, e.ref, e.args[0], inside, fill);
    return expr_scalar(b->l->arena, b->k, OP_SELECT, e.dtype, inside, value, fill);
}

/* space_to_batch: out batch = (offset in the block, in block order) * N + image; space index s of the result is s*block
   + offset - before of the operand, zero outside. */
ExprId element_space_to_batch(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Attr *block = node_attr(n, "block"), *before = node_attr(n, "before");
    const Value *in = lower_value(b->l, n->inputs[0]);
    ExprId images = index_dim(b, in->shape.dims[0]);
    ExprId offset = index_div(b, p.at[0], images), inside = {0};
    p.at[0] = index_mod(b, p.at[0], images);
    for (int i = (int)block->n - 1; i >= 0; i--) {
        ExprId size = index_int(b, block->v.ints[i]), part = i == 0 ? offset : index_mod(b, offset, size);
        offset = index_div(b, offset, size);
        ExprId scaled = index_mul(b, p.at[1 + i], size), sum = index_add(b, scaled, part);
        p.at[1 + i] = index_sub(b, sum, index_dim(b, before->v.dims[i]));
        inside = index_and(b, inside, index_test(b, OP_GE, p.at[1 + i], index_int(b, 0)));
        inside = index_and(b, inside, index_test(b, OP_LT, p.at[1 + i], index_dim(b, in->shape.dims[1 + i])));
    }
    p.inside = index_and(b, at->inside, inside);
    ExprId value = body_value(b, n->inputs[0], &p), zero = body_number(b, in->dtype, 0);
    return inside.i ? expr_scalar(b->l->arena, b->k, OP_SELECT, in->dtype, inside, value, zero) : value;
}

ExprId element_batch_to_space(Body *b, const Node *n, const Position *at) {
    Position p = coordinates(b, n, at);
    const Attr *block = node_attr(n, "block"), *before = node_attr(n, "before");
    const Value *out = lower_value(b->l, n->outputs[0]);
    ExprId images = index_dim(b, out->shape.dims[0]), offset = index_int(b, 0);
    for (uint32_t i = 0; i < block->n; i++) {
        ExprId size = index_int(b, block->v.ints[i]),
               shifted = index_add(b, p.at[1 + i], index_dim(b, before->v.dims[i]));
        ExprId part = index_mod(b, shifted, size), so_far = index_mul(b, offset, size);
        offset = index_add(b, so_far, part);
        p.at[1 + i] = index_div(b, shifted, size);
    }
    ExprId base = index_mul(b, offset, images);
    p.at[0] = index_add(b, base, p.at[0]);
    return body_value(b, n->inputs[0], &p);
}
