/* hoist: element-wise ops go where they have fewer elements to work on: before a broadcast or nearest resize of their
   operand, behind a slice or a maximum over windows, only where the predicted time becomes less; and before a reshape
   or a concatenation that separates them from the contractions whose epilogue they can be. (The other way round nothing
   is gained: what parts of a concatenation have in common is computed where they are written.)      needs: canonical
   form keeps: shapes, order */
#include "rewrite.h"

#include <math.h>
#include <string.h>

/* The only operand of an element-wise node that is not a scalar constant; its index, or -1. */
static int only_operand(const Graph *g, const Node *n) {
    int at = -1;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Tensor *t = value_const(g, n->inputs[i]);
        if (t && t->rank == 0) continue;
        if (at >= 0) return -1;
        at = (int)i;
    }
    return at;
}

/* f(spread(x)) = spread(f(x)), where spread only repeats elements */
static ValueId rule_before_spread(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int at = only_operand(w->g, n);
    if (at < 0 || rewrite_uses(w, n->inputs[at]) != 1) return (ValueId){0};
    NodeId def = value_at(w->g, n->inputs[at])->def;
    const Node *spread = node_at(w->g, def);
    bool repeats = spread->op == OP_BROADCAST ||
                   (spread->op == OP_RESIZE && strcmp(node_string(spread, "kind", ""), "nearest") == 0);
    if (!def.i || !repeats || !shape_equal(shape_at(w->g, n->inputs[at]), shape_at(w->g, n->outputs[0])))
        return (ValueId){0};
    ValueId inputs[3] = {{0}};
    memcpy(inputs, n->inputs, n->n_inputs * sizeof *inputs);
    rewrite_takes(w, n->inputs[at]);
    inputs[at] = spread->inputs[0];
    ValueId small = insert_like(w, id, n->n_inputs, inputs);
    return small.i ? insert_like(w, def, 1, &small) : small;
}

/* slice(f(x, …)) = f(slice(x), …), where every operand has the sliced shape or is a scalar */
static ValueId rule_behind_slice(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    NodeId def = value_at(w->g, n->inputs[0])->def;
    const Node *f = node_at(w->g, def);
    if (!def.i || !(op_info(f->op)->flags & OP_FLAG_EWISE) || rewrite_uses(w, n->inputs[0]) != 1) return (ValueId){0};
    ValueId inputs[3] = {{0}};
    for (uint32_t i = 0; i < f->n_inputs; i++) {
        const Shape *s = shape_at(w->g, f->inputs[i]);
        if (s->rank != 0 && !shape_equal(s, shape_at(w->g, n->inputs[0]))) return (ValueId){0};
    }
    rewrite_takes(w, n->inputs[0]);
    for (uint32_t i = 0; i < f->n_inputs; i++) {
        inputs[i] = shape_at(w->g, f->inputs[i])->rank ? insert_like(w, id, 1, &f->inputs[i]) : f->inputs[i];
        if (!inputs[i].i) return inputs[i];
    }
    return insert_like(w, def, f->n_inputs, inputs);
}

/* Whether v is the result of a contraction, or of element-wise ops that change it in place. */
static bool is_from_contraction(const Graph *g, ValueId v, int depth) {
    NodeId def = value_at(g, v)->def;
    const Node *n = node_at(g, def);
    if (!def.i || depth > 8) return false;
    if (op_info(n->op)->flags & OP_FLAG_CONTRACTION) return true;
    if (!(op_info(n->op)->flags & OP_FLAG_EWISE)) return false;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        if (shape_equal(shape_at(g, n->inputs[i]), shape_at(g, v)) && is_from_contraction(g, n->inputs[i], depth + 1))
            return true;
    return false;
}

/* f(reshape(y), …) = reshape(f(y, …)) where a contraction makes y, whose epilogue f can then be in. Other operands are
   scalars, lie along rows, which the reshape leaves whole, or are reshaped from the same shape. A residual, which is
   not, stays behind the reshape: read in the epilogue it takes the place of operands in the cache and saves nothing. */
static ValueId rule_before_reshape(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    const Shape *to = shape_at(w->g, n->outputs[0]), *from = NULL;
    ValueId inputs[3] = {{0}};
    bool produced = false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Node *reshape = match(w->g, n->inputs[i], OP_RESHAPE);
        const Shape *s = shape_at(w->g, n->inputs[i]), *source = reshape ? shape_at(w->g, reshape->inputs[0]) : NULL;
        inputs[i] = n->inputs[i];
        if (s->rank == 0 || (s->rank == 1 && to->rank > 1)) continue;
        if (!source || source->rank < 2 || !shape_equal(s, to) || (from && !shape_equal(from, source)))
            return (ValueId){0};
        if (!dim_equal(source->dims[source->rank - 1], to->dims[to->rank - 1])) return (ValueId){0};
        from = source;
        inputs[i] = reshape->inputs[0];
        produced |= is_from_contraction(w->g, inputs[i], 0);
    }
    if (!produced) return (ValueId){0};
    Shape shape = *to;
    const char *name = n->name;
    ValueId moved = insert_like(w, id, n->n_inputs, inputs);
    return moved.i ? insert_reshape(w, moved, &shape, name) : moved;
}

/* Whether v, or what it is a reshape of, is read here alone and made by something with an epilogue. */
static bool has_epilogue(const Rewriter *w, ValueId v) {
    const Node *reshape = match(w->g, v, OP_RESHAPE);
    if (rewrite_uses(w, v) != 1) return false;
    if (reshape) v = reshape->inputs[0];
    return rewrite_uses(w, v) == 1 && (is_from_contraction(w->g, v, 0) || match(w->g, v, OP_POOL));
}

/* The part of constant c that goes with `size` elements of the axis from `first` on; c itself where it does not vary.
 */
static ValueId constant_part(Rewriter *w, ValueId c, int rank, int axis, int64_t first, int64_t size,
                             const char *name) {
    const Shape *s = shape_at(w->g, c);
    int at = axis - (rank - s->rank);
    if (at < 0 || dim_is(s->dims[at], 1)) return c;
    Dim begin[MAX_RANK], sizes[MAX_RANK];
    int64_t strides[MAX_RANK];
    for (int i = 0; i < s->rank; i++) begin[i] = dim_const(0), sizes[i] = s->dims[i], strides[i] = 1;
    begin[at] = dim_const(first);
    sizes[at] = dim_const(size);
    Arena *a = w->u->scratch;
    size_t n = (size_t)s->rank;
    Attr attrs[] = {attr_dims(a, "begin", n, begin), attr_dims(a, "size", n, sizes),
                    attr_ints(a, "strides", n, strides)};
    return insert_op(w, OP_SLICE, name, 1, &c, 3, attrs);
}

/* f(concat(a, b)) = concat(f(a), f(b)) where every part comes from something whose epilogue f can be in */
static ValueId rule_into_concat(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    const Shape *to = shape_at(w->g, n->outputs[0]);
    int at = -1, rank = to->rank;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Shape *s = shape_at(w->g, n->inputs[i]);
        if (s->rank == 0 || (value_const(w->g, n->inputs[i]) && s->rank <= rank)) continue;
        if (at >= 0 || !shape_equal(s, to) || !match_only(w, n->inputs[i], OP_CONCAT)) return (ValueId){0};
        at = (int)i;
    }
    if (at < 0) return (ValueId){0};
    NodeId concat = value_at(w->g, n->inputs[at])->def;
    uint32_t parts = node_at(w->g, concat)->n_inputs, n_inputs = n->n_inputs;
    int axis = (int)node_int(node_at(w->g, concat), "axis", 0);
    const char *name = n->name;
    ValueId *made = NEW_ARRAY(w->u->scratch, ValueId, parts);
    for (uint32_t k = 0; k < parts; k++) {
        ValueId part = node_at(w->g, concat)->inputs[k];
        if (!has_epilogue(w, part) || !dim_is_const(shape_at(w->g, part)->dims[axis])) return (ValueId){0};
    }
    rewrite_takes(w, n->inputs[at]);
    int64_t first = 0;
    for (uint32_t k = 0; k < parts; k++) {
        ValueId part = node_at(w->g, concat)->inputs[k], inputs[3] = {{0}};
        int64_t size = shape_at(w->g, part)->dims[axis].value;
        for (uint32_t i = 0; i < n_inputs; i++) {
            ValueId x = node_at(w->g, id)->inputs[i];
            inputs[i] = (int)i == at ? part : constant_part(w, x, rank, axis, first, size, name);
            if (!inputs[i].i) return inputs[i];
        }
        made[k] = insert_like(w, id, n_inputs, inputs);
        if (!made[k].i) return made[k];
        first += size;
    }
    return insert_like(w, concat, parts, made);
}

/* Whether all elements of constant c are finite, and positive where asked. */
static bool is_finite(const Tensor *c, bool positive) {
    for (int64_t i = 0; i < tensor_count(c); i++) {
        double v = tensor_get_f64(c, i);
        if (!isfinite(v) || (positive && v <= 0)) return false;
    }
    return true;
}

/* The operand of n in which its result never falls while that grows, all others being constants along the last dim; -1
   when there is none. */
static int growing_operand(const Graph *g, const Node *n) {
    static const OpId growing[] = {OP_SIGMOID, OP_TANH, OP_EXP, OP_EXPM1, OP_SOFTPLUS, OP_ERF};
    if (!dtype_is_float(dtype_at(g, n->inputs[0])) || !dtype_is_float(dtype_at(g, n->outputs[0]))) return -1;
    for (size_t i = 0; i < ARRAY_LEN(growing); i++)
        if (n->op == growing[i]) return 0;
    if (n->op != OP_ADD && n->op != OP_MUL && n->op != OP_MAX && n->op != OP_MIN) return -1;
    const Tensor *c = value_const(g, n->inputs[1]);
    const Shape *to = shape_at(g, n->outputs[0]);
    if (!c || value_const(g, n->inputs[0]) || !shape_equal(shape_at(g, n->inputs[0]), to)) return -1;
    for (int i = 0; i + 1 < c->rank; i++)
        if (c->dims[i] != 1) return -1;
    return c->rank <= to->rank && is_finite(c, n->op == OP_MUL) ? 0 : -1;
}

/* max pool(f(x)) = f(max pool(x)), where f grows (of a window of nothing but NaN: f of the lowest number, not that
   number). What is cheap stays in the epilogue of a contraction. */
static ValueId rule_behind_pool(Rewriter *w, NodeId id) {
    const Node *pool = node_at(w->g, id);
    NodeId def = value_at(w->g, pool->inputs[0])->def;
    const Node *f = node_at(w->g, def);
    enum { CHEAP = 4 };
    if (strcmp(node_string(pool, "kind", ""), "max") != 0 || !def.i || rewrite_uses(w, pool->inputs[0]) != 1 ||
        !(op_info(f->op)->flags & OP_FLAG_EWISE) || growing_operand(w->g, f) != 0)
        return (ValueId){0};
    if (op_info(f->op)->cost < (double)CHEAP && is_from_contraction(w->g, pool->inputs[0], 0)) return (ValueId){0};
    ValueId inputs[2] = {f->inputs[0], f->n_inputs > 1 ? f->inputs[1] : (ValueId){0}};
    uint32_t n_inputs = f->n_inputs;
    rewrite_takes(w, pool->inputs[0]);
    inputs[0] = insert_like(w, id, 1, &inputs[0]);
    return inputs[0].i ? insert_like(w, def, n_inputs, inputs) : inputs[0];
}

static const Rule rules[] = {
    {"before what repeats elements", OP_NONE, OP_FLAG_EWISE | RULE_IF_CHEAPER, rule_before_spread},
    {"behind slice", OP_SLICE, RULE_IF_CHEAPER, rule_behind_slice},
    {"behind maximum of windows", OP_POOL, RULE_IF_CHEAPER, rule_behind_pool},
    {"into the parts of a concatenation", OP_NONE, OP_FLAG_EWISE, rule_into_concat},
    {"before reshape of a product", OP_NONE, OP_FLAG_EWISE, rule_before_reshape},
};

bool pass_hoist(Unit *u) {
    return rewrite_run(u, "hoist", rules, ARRAY_LEN(rules));
}
