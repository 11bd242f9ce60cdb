/* pattern_softmax: softmax and its logarithm over the last axis, written out with exp, reduce and div, with and without
   the maximum taken away first.      needs: canonical form, after cse      keeps: shapes, order */
#include "rewrite.h"

#include <string.h>

/* The input of a reduction of this kind over the last axis that keeps the dim, else {0}. */
static ValueId reduced_last(const Graph *g, ValueId v, const char *kind) {
    const Node *n = match(g, v, OP_REDUCE);
    if (!n || strcmp(node_string(n, "kind", ""), kind) != 0 || !node_int(n, "keep", 0)) return (ValueId){0};
    const Attr *axes = node_attr(n, "axes");
    return axes->n == 1 && axes->v.ints[0] == shape_at(g, v)->rank - 1 ? n->inputs[0] : (ValueId){0};
}

/* x of x - max(x), or v itself */
static ValueId without_maximum(const Graph *g, ValueId v) {
    const Node *difference = match(g, v, OP_SUB);
    if (!difference) return v;
    ValueId x = reduced_last(g, difference->inputs[1], "max");
    return x.i && x.i == difference->inputs[0].i ? x : v;
}

/* exp(z) / sum(exp(z)) */
static ValueId rule_softmax(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *exp = match(w->g, n->inputs[0], OP_EXP);
    ValueId summed = exp ? reduced_last(w->g, n->inputs[1], "sum") : (ValueId){0};
    if (!summed.i || summed.i != n->inputs[0].i) return (ValueId){0};
    rewrite_takes(w, n->inputs[1]);
    return insert_unary(w, OP_SOFTMAX, without_maximum(w->g, exp->inputs[0]), n->name);
}

/* z - log(sum(exp(z))) */
static ValueId rule_log_softmax(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *log = match(w->g, n->inputs[1], OP_LOG);
    ValueId summed = log ? reduced_last(w->g, log->inputs[0], "sum") : (ValueId){0};
    const Node *exp = summed.i ? match(w->g, summed, OP_EXP) : NULL;
    if (!exp || exp->inputs[0].i != n->inputs[0].i) return (ValueId){0};
    rewrite_takes(w, n->inputs[1]);
    return insert_unary(w, OP_LOG_SOFTMAX, without_maximum(w->g, n->inputs[0]), n->name);
}

/* log(softmax(x)): without the logarithm of zero */
static ValueId rule_log_of_softmax(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *softmax = match_only(w, n->inputs[0], OP_SOFTMAX);
    return softmax ? insert_unary(w, OP_LOG_SOFTMAX, softmax->inputs[0], n->name) : (ValueId){0};
}

static const Rule rules[] = {
    {"softmax", OP_DIV, 0, rule_softmax},
    {"log_softmax", OP_SUB, 0, rule_log_softmax},
    {"logarithm of softmax", OP_LOG, 0, rule_log_of_softmax},
};

bool pass_pattern_softmax(Unit *u) {
    return rewrite_run(u, "pattern_softmax", rules, ARRAY_LEN(rules));
}
