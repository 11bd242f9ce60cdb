/* element: the element of a node's result at a position, for ops that compute or move single elements. Rows by op:
   everything in a fused group that needs no loop of its own is in this table. Movement that is a change of coordinates
   only is in element_move.c. */
#include "kern/lower.h"
#include <math.h>

ElementFn *element_of(OpId op) {
    static ElementFn *const table[N_OPS] = {
#define SCALAR(id, text, arity, classes, result, cost) [OP_##id] = element_scalar,
#include "ir/scalar.def"
#undef SCALAR
        [OP_IOTA] = element_iota,
        [OP_RESHAPE] = element_reshape,
        [OP_BROADCAST] = element_broadcast,
        [OP_TRANSPOSE] = element_transpose,
        [OP_REVERSE] = element_reverse,
        [OP_SLICE] = element_slice,
        [OP_DYNAMIC_SLICE] = element_dynamic_slice,
        [OP_PAD] = element_pad,
        [OP_GATHER] = element_gather,
        [OP_GATHER_ND] = element_gather_nd,
        [OP_SPACE_TO_BATCH] = element_space_to_batch,
        [OP_BATCH_TO_SPACE] = element_batch_to_space,
        [OP_RESIZE] = element_resize,
    };
    return table[op];
}

/* Position `at` of `out` as one of `from`, which is broadcast to it by NumPy's rules. A dim that is 1 or the whole only
   at run time has the factor min(dim-1, 1): 0 or 1. */
static Position broadcast_position(Body *b, const Shape *from, const Shape *out, const Position *at) {
    if (shape_equal(from, out)) return *at;
    Position p = *at;
    position_unflatten(b, out, &p);
    Position q = {.rank = from->rank, .has_at = true, .inside = at->inside};
    DimTable *t = &b->l->g->dims;
    for (int i = 0; i < from->rank; i++) {
        int j = out->rank - from->rank + i;
        Dim have = from->dims[i], want = out->dims[j];
        if (dim_is(have, 1)) {
            q.at[i] = index_int(b, 0);
        } else if (dim_equal(have, want) || dim_is_const(have)) {
            q.at[i] = p.at[j];
        } else {
            Dim less = dim_sub(t, have, dim_const(1)), factor = dim_min(t, less, dim_const(1));
            ExprId times = index_dim(b, factor);
            q.at[i] = index_mul(b, p.at[j], times);
        }
    }
    return q;
}

/* Integer division by zero fails the run; the division itself is kept from trapping. */
static ExprId safe_divisor(Body *b, ExprId y, ExprId inside) {
    const Expr *e = body_expr(b, y);
    if (e->kind == EXPR_CONST && e->i != 0) return y;
    DType t = e->dtype;
    ExprId zero = body_number(b, t, 0), one = body_number(b, t, 1);
    ExprId is_zero = expr_scalar(b->l->arena, b->k, OP_EQ, DTYPE_BOOL, y, zero, (ExprId){0});
    body_fail(b, is_zero, inside);
    return expr_scalar(b->l->arena, b->k, OP_SELECT, t, is_zero, one, y);
}

ExprId element_scalar(Body *b, const Node *n, const Position *at) {
    const Value *out = lower_value(b->l, n->outputs[0]);
    ExprId args[3] = {{0}, {0}, {0}};
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Value *in = lower_value(b->l, n->inputs[i]);
        Position p = broadcast_position(b, &in->shape, &out->shape, at);
        args[i] = body_value(b, n->inputs[i], &p);
    }
    bool divides = n->op == OP_DIV || n->op == OP_FLOORDIV || n->op == OP_FLOORMOD || n->op == OP_TRUNCMOD;
    if (divides && dtype_is_int(out->dtype)) args[1] = safe_divisor(b, args[1], at->inside);
    return body_scalar(b, n->op, out->dtype, args[0], args[1], args[2]);
}

ExprId element_iota(Body *b, const Node *n, const Position *at) {
    const Value *out = lower_value(b->l, n->outputs[0]);
    Position p = *at;
    position_unflatten(b, &out->shape, &p);
    int64_t axis = node_int(n, "axis", 0);
    CHECK(axis >= 0 && axis < out->shape.rank);
    return body_cast(b, p.at[axis], out->dtype);
}

ExprId element_broadcast(Body *b, const Node *n, const Position *at) {
    const Value *in = lower_value(b->l, n->inputs[0]), *out = lower_value(b->l, n->outputs[0]);
    Position p = broadcast_position(b, &in->shape, &out->shape, at);
    return body_value(b, n->inputs[0], &p);
}

/* ---- gathers */

/* Index `i` (any int dtype) checked against 0..size: out of range fails, or is clamped. */
static ExprId checked_index(Body *b, ExprId i, Dim size, bool clamp, ExprId *inside) {
    ExprId wide = body_cast(b, i, DTYPE_S64), zero = index_int(b, 0), n = index_dim(b, size),
           last = index_add(b, n, index_int(b, -1));
    if (!clamp) {
        ExprId low = index_test(b, OP_LT, wide, zero), high = index_test(b, OP_GE, wide, n),
               wrong = index_test(b, OP_OR, low, high);
        body_fail(b, wrong, *inside);
    }
    if (!dim_is_const(size) || size.value == 0) { /* there may be nothing to load from */
        ExprId some = index_test(b, OP_GT, n, zero);
        *inside = index_and(b, *inside, some);
    }
    ExprId not_above = index_min(b, wide, last);
    return index_max(b, not_above, zero);
}

ExprId element_gather(Body *b, const Node *n, const Position *at) {
    const Value *x = lower_value(b->l, n->inputs[0]), *indices = lower_value(b->l, n->inputs[1]),
                *out = lower_value(b->l, n->outputs[0]);
    int axis = (int)node_int(n, "axis", 0), batch = (int)node_int(n, "batch_dims", 0);
    if (axis < 0) axis += x->shape.rank;
    if (batch < 0) batch += indices->shape.rank;
    Position p = *at;
    position_unflatten(b, &out->shape, &p);
    /* out = x[:axis] + indices[batch:] + x[axis+1:] */
    Position where = {.rank = indices->shape.rank, .has_at = true, .inside = at->inside};
    for (int i = 0; i < batch; i++) where.at[i] = p.at[i];
    for (int i = batch; i < indices->shape.rank; i++) where.at[i] = p.at[axis + i - batch];
    ExprId index = body_value(b, n->inputs[1], &where);
    Position from = {.rank = x->shape.rank, .has_at = true, .inside = at->inside};
    for (int i = 0; i < axis; i++) from.at[i] = p.at[i];
    from.at[axis] = checked_index(b, index, x->shape.dims[axis], node_int(n, "clamp", 0) != 0, &from.inside);
    int moved = indices->shape.rank - batch - 1;
    for (int i = axis + 1; i < x->shape.rank; i++) from.at[i] = p.at[i + moved];
    return body_value(b, n->inputs[0], &from);
}

ExprId element_gather_nd(Body *b, const Node *n, const Position *at) {
    const Value *x = lower_value(b->l, n->inputs[0]), *indices = lower_value(b->l, n->inputs[1]),
                *out = lower_value(b->l, n->outputs[0]);
    int batch = (int)node_int(n, "batch_dims", 0), rank = indices->shape.rank;
    int depth = (int)indices->shape.dims[rank - 1].value; /* constant: inference demands it */
    Position p = *at;
    position_unflatten(b, &out->shape, &p);
    Position where = {.rank = rank, .has_at = true, .inside = at->inside};
    for (int i = 0; i < rank - 1; i++) where.at[i] = p.at[i];
    Position from = {.rank = x->shape.rank, .has_at = true, .inside = at->inside};
    for (int i = 0; i < batch; i++) from.at[i] = p.at[i];
    for (int i = 0; i < depth; i++) {
        where.at[rank - 1] = index_int(b, i);
        ExprId index = body_value(b, n->inputs[1], &where);
        from.at[batch + i] =
            checked_index(b, index, x->shape.dims[batch + i], node_int(n, "clamp", 0) != 0, &from.inside);
    }
    for (int i = batch + depth; i < x->shape.rank; i++) from.at[i] = p.at[rank - 1 + i - batch - depth];
    return body_value(b, n->inputs[0], &from);
}

/* ---- resize */

/* Source coordinate in F32 of output coordinate `o`: TensorFlow's three conventions. */
static ExprId source_coordinate(Body *b, const Node *n, ExprId o, Dim in, Dim out) {
    bool align = node_int(n, "align_corners", 0) != 0, half = node_int(n, "half_pixel", 0) != 0;
    DimTable *t = &b->l->g->dims;
    ExprId x = body_cast(b, o, DTYPE_F32), half_value = body_number(b, DTYPE_F32, 0.5), scale;
    Dim from = in, to = out;
    if (align) { /* scale (in-1)/(out-1), or in/out for a single output */
        bool single = dim_is(out, 1);
        if (!single) from = dim_sub(t, in, dim_const(1)), to = dim_max(t, dim_sub(t, out, dim_const(1)), dim_const(1));
    }
    if (dim_is_const(from) && dim_is_const(to) && to.value > 0) {
        scale = body_number(b, DTYPE_F32, (double)((float)from.value / (float)to.value));
    } else {
        ExprId from_dim = index_dim(b, from), to_dim = index_dim(b, to);
        ExprId from_float = body_cast(b, from_dim, DTYPE_F32), to_float = body_cast(b, to_dim, DTYPE_F32);
        scale = body_scalar(b, OP_DIV, DTYPE_F32, from_float, to_float, (ExprId){0});
    }
    if (half) x = body_scalar(b, OP_ADD, DTYPE_F32, x, half_value, (ExprId){0});
    return body_scalar(b, OP_MUL, DTYPE_F32, x, scale, (ExprId){0});
}

static ExprId to_index(Body *b, ExprId x, Dim size) { /* clamped to the image */
    ExprId i = body_cast(b, x, DTYPE_S64), last = index_dim(b, size);
    last = index_add(b, last, index_int(b, -1));
    ExprId low = index_max(b, i, index_int(b, 0));
    return index_min(b, low, last);
}

/* out / in where that is whole and TensorFlow's arithmetic in float takes pixel o / factor for every o; else 0. */
static int64_t whole_factor(const Node *n, Dim in, Dim out) {
    enum { LONGEST = 1 << 16 };
    if (!dim_is_const(in) || !dim_is_const(out) || in.value < 1 || out.value > LONGEST || out.value % in.value != 0 ||
        node_int(n, "align_corners", 0) != 0)
        return 0;
    int64_t factor = out.value / in.value;
    float scale = (float)in.value / (float)out.value, half = node_int(n, "half_pixel", 0) != 0 ? 0.5f : 0.0f;
    for (int64_t o = 0; o < out.value; o++)
        if ((int64_t)floorf(((float)o + half) * scale) != o / factor) return 0;
    return factor;
}

static ExprId nearest_index(Body *b, const Node *n, ExprId o, Dim in, Dim out) {
    int64_t factor = whole_factor(n, in, out);
    if (factor > 0) return index_div(b, o, index_int(b, factor));
    ExprId x = source_coordinate(b, n, o, in, out);
    if (node_int(n, "align_corners", 0) != 0) { /* roundf: half away from zero; x >= 0 */
        ExprId half = body_number(b, DTYPE_F32, 0.5);
        x = body_scalar(b, OP_ADD, DTYPE_F32, x, half, (ExprId){0});
    }
    x = body_scalar(b, OP_FLOOR, DTYPE_F32, x, (ExprId){0}, (ExprId){0});
    return to_index(b, x, in);
}

typedef struct {
    ExprId low, high, weight;
} Interpolation;

static Interpolation bilinear_axis(Body *b, const Node *n, ExprId o, Dim in, Dim out) {
    ExprId x = source_coordinate(b, n, o, in, out);
    if (node_int(n, "half_pixel", 0) != 0) {
        ExprId half = body_number(b, DTYPE_F32, 0.5);
        x = body_scalar(b, OP_SUB, DTYPE_F32, x, half, (ExprId){0});
    }
    ExprId floor = body_scalar(b, OP_FLOOR, DTYPE_F32, x, (ExprId){0}, (ExprId){0});
    ExprId ceil = body_scalar(b, OP_CEIL, DTYPE_F32, x, (ExprId){0}, (ExprId){0});
    Interpolation r;
    r.low = to_index(b, floor, in);
    r.high = to_index(b, ceil, in);
    r.weight = body_scalar(b, OP_SUB, DTYPE_F32, x, floor, (ExprId){0});
    return r;
}

static ExprId mix(Body *b, ExprId low, ExprId high, ExprId weight) { /* low + (high - low) * weight */
    ExprId difference = body_scalar(b, OP_SUB, DTYPE_F32, high, low, (ExprId){0});
    ExprId part = body_scalar(b, OP_MUL, DTYPE_F32, difference, weight, (ExprId){0});
    return body_scalar(b, OP_ADD, DTYPE_F32, low, part, (ExprId){0});
}

ExprId element_resize(Body *b, const Node *n, const Position *at) {
    const Value *in = lower_value(b->l, n->inputs[0]), *out = lower_value(b->l, n->outputs[0]);
    Position p = *at, q = {.rank = 4, .has_at = true, .inside = at->inside};
    position_unflatten(b, &out->shape, &p);
    q.at[0] = p.at[0];
    q.at[3] = p.at[3];
    const Dim *from = in->shape.dims, *to = out->shape.dims;
    if (node_string(n, "kind", "bilinear")[0] == 'n') {
        q.at[1] = nearest_index(b, n, p.at[1], from[1], to[1]);
        q.at[2] = nearest_index(b, n, p.at[2], from[2], to[2]);
        return body_value(b, n->inputs[0], &q);
    }
    Interpolation y = bilinear_axis(b, n, p.at[1], from[1], to[1]), x = bilinear_axis(b, n, p.at[2], from[2], to[2]);
    ExprId corner[4];
    for (int i = 0; i < 4; i++) {
        q.at[1] = i & 2 ? y.high : y.low;
        q.at[2] = i & 1 ? x.high : x.low;
        ExprId v = body_value(b, n->inputs[0], &q);
        corner[i] = body_cast(b, v, DTYPE_F32);
    }
    ExprId top = mix(b, corner[0], corner[1], x.weight), bottom = mix(b, corner[2], corner[3], x.weight);
    ExprId r = mix(b, top, bottom, y.weight);
    return body_cast(b, r, out->dtype);
}
