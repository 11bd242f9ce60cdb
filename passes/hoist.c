/* hoist: element-wise ops go where they have fewer elements to work on: before a broadcast or nearest resize of their
   operand, and behind a slice, only where the predicted time becomes less; and before a reshape that separates them
   from the contraction whose epilogue they can be.      needs: canonical form      keeps: shapes, order */
#include "rewrite.h"

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

static const Rule rules[] = {
    {"before what repeats elements", OP_NONE, OP_FLAG_EWISE | RULE_IF_CHEAPER, rule_before_spread},
    {"behind slice", OP_SLICE, RULE_IF_CHEAPER, rule_behind_slice},
    {"before reshape of a product", OP_NONE, OP_FLAG_EWISE, rule_before_reshape},
};

bool pass_hoist(Unit *u) {
    return rewrite_run(u, "hoist", rules, ARRAY_LEN(rules));
}
