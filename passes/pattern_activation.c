/* pattern_activation: activations written out in arithmetic become the scalar op that computes them at once. Swish,
   hard-swish and gelu stay what they are: kernels evaluate whole expressions, and the constants are the model's own.
   So does log(1 + exp(x)): it is infinite where softplus is not.
   needs: canonical form      keeps: shapes, order */
#include "rewrite.h"

/* e of an addition e + 1, else {0} */
static ValueId one_more(const Rewriter *w, ValueId v) {
    const Node *sum = match_only(w, v, OP_ADD);
    return sum && value_is_splat(w->g, sum->inputs[1], 1) &&
                   shape_equal(shape_at(w->g, sum->inputs[0]), shape_at(w->g, v))
               ? sum->inputs[0]
               : (ValueId){0};
}

/* 1 / (1 + exp(-x)); exp overflows where the quotient is next to nothing, except in f16 */
static ValueId rule_sigmoid(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    if (value_at(w->g, n->outputs[0])->dtype == DTYPE_F16) return (ValueId){0};
    ValueId power = value_is_splat(w->g, n->inputs[0], 1) ? one_more(w, n->inputs[1]) : (ValueId){0};
    const Node *exp = power.i ? match_only(w, power, OP_EXP) : NULL,
               *neg = exp ? match_only(w, exp->inputs[0], OP_NEG) : NULL;
    if (!neg) return (ValueId){0};
    rewrite_takes(w, n->inputs[1]);
    rewrite_takes(w, power);
    return insert_unary(w, OP_SIGMOID, neg->inputs[0], n->name);
}

/* exp(x) - 1 */
static ValueId rule_expm1(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *exp = match_only(w, n->inputs[0], OP_EXP);
    if (!exp || !value_is_splat(w->g, n->inputs[1], -1) ||
        !shape_equal(shape_at(w->g, n->inputs[0]), shape_at(w->g, n->outputs[0])))
        return (ValueId){0};
    return insert_unary(w, OP_EXPM1, exp->inputs[0], n->name);
}

static const Rule rules[] = {
    {"sigmoid", OP_DIV, 0, rule_sigmoid},
    {"expm1", OP_ADD, 0, rule_expm1},
};

bool pass_pattern_activation(Unit *u) {
    return rewrite_run(u, "pattern_activation", rules, ARRAY_LEN(rules));
}
