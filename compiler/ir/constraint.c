/* constraint: per op, the sizes that must fit each other. Shape functions let pass what may fit; what they could not
   prove is said here again, from the final shapes, so that passes have nothing to keep up to date. */
#include "ir/constraint.h"

#include <string.h>

bool constraint_kind(const char *name, ConstraintKind *out) {
    static const char *const names[] = {[CONSTRAINT_EQUAL] = "equal",
                                        [CONSTRAINT_BROADCASTS] = "broadcast",
                                        [CONSTRAINT_AT_MOST] = "at_most",
                                        [CONSTRAINT_NEEDS] = "needs"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) return *out = (ConstraintKind)i, true;
    return false;
}

bool constraint_holds(ConstraintKind kind, int64_t a, int64_t b) {
    switch (kind) {
    case CONSTRAINT_EQUAL:
        return a == b;
    case CONSTRAINT_BROADCASTS:
        return a == b || a == 1;
    case CONSTRAINT_AT_MOST:
        return a <= b;
    case CONSTRAINT_NEEDS:
        return a > 0 || b == 0;
    }
    return false;
}

static bool is_known(Constraints *c, ConstraintKind kind, Dim a, Dim b) {
    DimTable *t = &c->g->dims;
    int64_t low, high;
    if (kind == CONSTRAINT_EQUAL || kind == CONSTRAINT_BROADCASTS)
        return dim_equal(a, b) || (kind == CONSTRAINT_BROADCASTS && dim_is(a, 1));
    if (kind == CONSTRAINT_NEEDS) {
        dim_range(t, a, &low, &high);
        return low > 0 || dim_is(b, 0);
    }
    dim_range(t, dim_sub(t, b, a), &low, &high);
    return low >= 0;
}

void constraint_add(Constraints *c, ConstraintKind kind, Dim a, Dim b) {
    if (is_known(c, kind, a, b)) return;
    vec_push(c->arena, &c->list, (Constraint){kind, a, b});
}

typedef void ConstraintFn(Constraints *c, const Node *n);

static const Shape *shape_in(const Constraints *c, const Node *n, uint32_t i) {
    return &value_at(c->g, n->inputs[i])->shape;
}
static const Shape *shape_out(const Constraints *c, const Node *n) {
    return &value_at(c->g, n->outputs[0])->shape;
}
static void equal(Constraints *c, Dim a, Dim b) {
    constraint_add(c, CONSTRAINT_EQUAL, a, b);
}

/* `from` broadcasts to the first dims of `to`, aligned at their ends, but for the last `skip` dims of both. */
static void broadcasts(Constraints *c, const Shape *from, const Shape *to, int skip) {
    for (int i = 0; i < from->rank - skip; i++)
        constraint_add(c, CONSTRAINT_BROADCASTS, from->dims[i], to->dims[to->rank - from->rank + i]);
}

static void same_dims(Constraints *c, const Shape *a, const Dim *dims) {
    for (int i = 0; i < a->rank; i++) equal(c, a->dims[i], dims[i]);
}

static void constrain_operands(Constraints *c, const Node *n) {
    for (uint32_t i = 0; i < n->n_inputs; i++) broadcasts(c, shape_in(c, n, i), shape_out(c, n), 0);
}

static void constrain_require(Constraints *c, const Node *n) {
    const Attr *a = node_attr(n, "a"), *b = node_attr(n, "b");
    ConstraintKind kind = CONSTRAINT_EQUAL;
    CHECK(constraint_kind(node_string(n, "kind", ""), &kind));
    for (uint32_t i = 0; i < a->n; i++) constraint_add(c, kind, a->v.dims[i], b->v.dims[i]);
}

static void constrain_reshape(Constraints *c, const Node *n) {
    Dim from = shape_elements(&c->g->dims, shape_in(c, n, 0));
    Dim to = shape_elements(&c->g->dims, shape_out(c, n));
    equal(c, from, to);
}

/* begin, begin + stride … lie in the dim; of a slice without elements begin has to, at most at its end, where the
   stride is 1 (TensorFlow's Slice): there begin + size says both. */
static void constrain_slice(Constraints *c, const Node *n) {
    DimTable *t = &c->g->dims;
    const Shape *x = shape_in(c, n, 0);
    const Dim *begin = node_attr(n, "begin")->v.dims, *size = node_attr(n, "size")->v.dims;
    const int64_t *strides = node_attr(n, "strides")->v.ints;
    for (int i = 0; i < x->rank; i++) {
        if (dim_is(size[i], 0) || (dim_is(begin[i], 0) && dim_equal(size[i], x->dims[i]) && strides[i] == 1)) continue;
        Dim steps = dim_sub(t, size[i], dim_const(1));
        Dim last = dim_add(t, begin[i], dim_mul(t, steps, dim_const(strides[i])));
        Dim least = strides[i] > 0 ? begin[i] : last, end = dim_add(t, strides[i] > 0 ? last : begin[i], dim_const(1));
        int64_t smallest, largest;
        dim_range(t, size[i], &smallest, &largest);
        if (smallest < 1 && strides[i] != 1) {
            Dim any = dim_min(t, size[i], dim_const(1));
            least = dim_mul(t, least, any);
            end = dim_mul(t, end, any);
        }
        constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), least);
        constraint_add(c, CONSTRAINT_AT_MOST, end, x->dims[i]);
    }
}

static void constrain_dynamic_slice(Constraints *c, const Node *n) {
    for (int i = 0; i < shape_in(c, n, 0)->rank; i++)
        constraint_add(c, CONSTRAINT_AT_MOST, shape_out(c, n)->dims[i], shape_in(c, n, 0)->dims[i]);
    equal(c, shape_in(c, n, 1)->dims[0], dim_const(shape_in(c, n, 0)->rank));
}

static void constrain_dynamic_update(Constraints *c, const Node *n) {
    for (int i = 0; i < shape_in(c, n, 0)->rank; i++)
        constraint_add(c, CONSTRAINT_AT_MOST, shape_in(c, n, 1)->dims[i], shape_in(c, n, 0)->dims[i]);
    equal(c, shape_in(c, n, 2)->dims[0], dim_const(shape_in(c, n, 0)->rank));
}

/* Paddings are not negative; mirrored ones end inside of the image. */
static void constrain_pad(Constraints *c, const Node *n) {
    DimTable *t = &c->g->dims;
    const char *mode = node_string(n, "mode", "constant");
    bool bounded = strcmp(mode, "constant") != 0;
    const Dim *sides[2] = {node_attr(n, "before")->v.dims, node_attr(n, "after")->v.dims};
    for (int i = 0; i < shape_in(c, n, 0)->rank; i++)
        for (int k = 0; k < 2; k++) {
            Dim room = dim_sub(t, shape_in(c, n, 0)->dims[i], dim_const(strcmp(mode, "reflect") == 0));
            constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), sides[k][i]);
            if (bounded) constraint_add(c, CONSTRAINT_AT_MOST, sides[k][i], room);
        }
}

static void constrain_concat(Constraints *c, const Node *n) {
    int64_t axis = node_int(n, "axis", 0);
    for (uint32_t i = 0; i < n->n_inputs; i++)
        for (int k = 0; k < shape_out(c, n)->rank; k++)
            if (k != axis) equal(c, shape_in(c, n, i)->dims[k], shape_out(c, n)->dims[k]);
}

/* Indices are checked by the kernels, but those that are clamped need something to be clamped to. */
static void constrain_gather(Constraints *c, const Node *n) {
    const Shape *x = shape_in(c, n, 0);
    int64_t batch = node_int(n, "batch_dims", 0), axis = node_int(n, "axis", batch);
    for (int i = 0; i < batch; i++) equal(c, x->dims[i], shape_in(c, n, 1)->dims[i]);
    if (!node_int(n, "clamp", 0)) return;
    Dim elements = shape_elements(&c->g->dims, shape_out(c, n));
    for (int64_t i = axis; i < (n->op == OP_GATHER ? axis + 1 : x->rank); i++)
        constraint_add(c, CONSTRAINT_NEEDS, x->dims[i], elements);
}

static void constrain_scatter(Constraints *c, const Node *n) {
    const Shape *base = shape_in(c, n, 0), *indices = shape_in(c, n, 1), *updates = shape_in(c, n, 2);
    int outer = indices->rank - 1, depth = (int)indices->dims[outer].value;
    for (int i = 0; i < updates->rank; i++)
        equal(c, updates->dims[i], i < outer ? indices->dims[i] : base->dims[i - outer + depth]);
}

static void constrain_space_to_batch(Constraints *c, const Node *n) {
    DimTable *t = &c->g->dims;
    const Attr *block = node_attr(n, "block");
    for (uint32_t i = 0; i < block->n; i++) {
        Dim padded = dim_add(t, shape_in(c, n, 0)->dims[i + 1], node_attr(n, "before")->v.dims[i]);
        padded = dim_add(t, padded, node_attr(n, "after")->v.dims[i]);
        equal(c, dim_mod(t, padded, dim_const(block->v.ints[i])), dim_const(0));
    }
}

static void constrain_batch_to_space(Constraints *c, const Node *n) {
    const Attr *block = node_attr(n, "block");
    int64_t blocks = 1;
    for (uint32_t i = 0; i < block->n; i++) blocks *= block->v.ints[i];
    equal(c, dim_mod(&c->g->dims, shape_in(c, n, 0)->dims[0], dim_const(blocks)), dim_const(0));
    for (uint32_t i = 0; i < block->n; i++) {
        constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), node_attr(n, "before")->v.dims[i]);
        constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), node_attr(n, "after")->v.dims[i]);
    }
}

static void constrain_arg_reduce(Constraints *c, const Node *n) {
    constraint_add(c, CONSTRAINT_AT_MOST, dim_const(1), shape_in(c, n, 0)->dims[node_int(n, "axis", 0)]);
}

static void constrain_layer_norm(Constraints *c, const Node *n) {
    const Shape *x = shape_in(c, n, 0);
    for (uint32_t i = 1; i < 3; i++) equal(c, shape_in(c, n, i)->dims[0], x->dims[x->rank - 1]);
}

static void constrain_matmul(Constraints *c, const Node *n) {
    const Shape *a = shape_in(c, n, 0), *b = shape_in(c, n, 1);
    equal(c, a->dims[a->rank - (node_int(n, "transpose_a", 0) ? 2 : 1)],
          b->dims[b->rank - (node_int(n, "transpose_b", 0) ? 1 : 2)]);
    broadcasts(c, a, shape_out(c, n), 2);
    broadcasts(c, b, shape_out(c, n), 2);
}

/* The filter's sizes are constants. */
static void constrain_conv(Constraints *c, const Node *n) {
    const Shape *x = shape_in(c, n, 0), *w = shape_in(c, n, 1);
    int64_t channels =
        n->op == OP_CONV ? w->dims[w->rank - 2].value * node_int(n, "groups", 1) : w->dims[w->rank - 1].value;
    equal(c, x->dims[x->rank - 1], dim_const(channels));
    for (int i = 0; i < x->rank - 2; i++) {
        constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), node_attr(n, "before")->v.dims[i]);
        constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), node_attr(n, "after")->v.dims[i]);
    }
}

/* The convolution whose gradient this is makes the operand's size of the result's. A window that is less than a stride
   larger than what it stands on has no position, as in infer_contraction.c. */
static void constrain_conv_transpose(Constraints *c, const Node *n) {
    DimTable *t = &c->g->dims;
    const Shape *x = shape_in(c, n, 0), *w = shape_in(c, n, 1);
    constrain_conv(c, n);
    for (int i = 0; i < x->rank - 2; i++) {
        Dim padded = dim_add(t, node_attr(n, "size")->v.dims[i], node_attr(n, "before")->v.dims[i]);
        padded = dim_add(t, padded, node_attr(n, "after")->v.dims[i]);
        int64_t reach = (w->dims[i].value - 1) * node_attr(n, "dilations")->v.ints[i] + 1;
        Dim stride = dim_const(node_attr(n, "strides")->v.ints[i]);
        Dim steps = dim_floordiv(t, dim_sub(t, padded, dim_const(reach)), stride);
        equal(c, dim_add(t, steps, dim_const(1)), x->dims[i + 1]);
    }
}

static void constrain_resize(Constraints *c, const Node *n) {
    Dim elements = shape_elements(&c->g->dims, shape_out(c, n));
    for (int i = 1; i < 3; i++) constraint_add(c, CONSTRAINT_NEEDS, shape_in(c, n, 0)->dims[i], elements);
}

/* Inputs as ops.def says: x [T,B,I], `states` of [B,H], w [I,gH], r [H,gH], `biases` of [gH]. */
static void constrain_cell(Constraints *c, const Node *n, uint32_t states, int64_t gates, uint32_t biases) {
    const Dim *x = shape_in(c, n, 0)->dims;
    Dim hidden = shape_in(c, n, 1)->dims[1], wide = dim_mul(&c->g->dims, hidden, dim_const(gates));
    for (uint32_t i = 1; i <= states; i++) same_dims(c, shape_in(c, n, i), (Dim[]){x[1], hidden});
    same_dims(c, shape_in(c, n, states + 1), (Dim[]){x[2], wide});
    same_dims(c, shape_in(c, n, states + 2), (Dim[]){hidden, wide});
    for (uint32_t i = 0; i < biases; i++) same_dims(c, shape_in(c, n, states + 3 + i), &wide);
}
static void constrain_lstm(Constraints *c, const Node *n) {
    constrain_cell(c, n, 2, 4, 1);
}
static void constrain_gru(Constraints *c, const Node *n) {
    constrain_cell(c, n, 1, 3, 2);
}

/* Operands are what the step takes and gives; outputs have a row for each step. */
static void constrain_recurrence(Constraints *c, const Node *n) {
    const Region *r = region_at(c->g, n->regions[0]);
    uint32_t states = (uint32_t)node_int(n, "states", 0), outputs = n->n_outputs - states;
    for (uint32_t i = 1; i < r->params.len; i++) {
        const Shape *param = &value_at(c->g, r->params.data[i])->shape;
        same_dims(c, shape_in(c, n, i <= states ? i : i + outputs), param->dims);
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Shape *result = &value_at(c->g, r->results.data[i])->shape, *before = shape_in(c, n, 1 + i);
        bool is_state = i < states;
        same_dims(c, result, before->dims + !is_state);
        if (!is_state) equal(c, before->dims[0], node_attr(n, "steps")->v.dims[0]);
    }
}

static ConstraintFn *const table[N_OPS] = {
#define SCALAR(id, text, arity, classes, result, cost) [OP_##id] = constrain_operands,
#include "ir/scalar.def"
#undef SCALAR
    [OP_REQUIRE] = constrain_require,
    [OP_RESHAPE] = constrain_reshape,
    [OP_BROADCAST] = constrain_operands,
    [OP_SLICE] = constrain_slice,
    [OP_DYNAMIC_SLICE] = constrain_dynamic_slice,
    [OP_DYNAMIC_UPDATE] = constrain_dynamic_update,
    [OP_PAD] = constrain_pad,
    [OP_CONCAT] = constrain_concat,
    [OP_GATHER] = constrain_gather,
    [OP_GATHER_ND] = constrain_gather,
    [OP_SCATTER_ND] = constrain_scatter,
    [OP_SPACE_TO_BATCH] = constrain_space_to_batch,
    [OP_BATCH_TO_SPACE] = constrain_batch_to_space,
    [OP_ARG_REDUCE] = constrain_arg_reduce,
    [OP_LAYER_NORM] = constrain_layer_norm,
    [OP_MATMUL] = constrain_matmul,
    [OP_CONV] = constrain_conv,
    [OP_CONV_TRANSPOSE] = constrain_conv_transpose,
    [OP_RESIZE] = constrain_resize,
    [OP_LSTM] = constrain_lstm,
    [OP_GRU] = constrain_gru,
    [OP_RECURRENCE] = constrain_recurrence,
};

void node_constraints(Constraints *c, NodeId id) {
    const Node *n = node_at(c->g, id);
    if (table[n->op]) table[n->op](c, n);
    if (n->op == OP_HOST || (op_info(n->op)->flags & OP_FLAG_REGIONS)) return; /* symbols with bounds of their own */
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Shape *s = &value_at(c->g, n->outputs[i])->shape;
        for (int k = 0; k < s->rank; k++) constraint_add(c, CONSTRAINT_AT_MOST, dim_const(0), s->dims[k]);
    }
}
