/* pattern_softmax: softmax and its logarithm written out with exp, reduce and div, the maximum taken away first, by
   quotient or by the reciprocal of the sum, or by log-sum-exp; over the last axis, or over another where bringing that
   to the end moves nothing. Without the maximum exp overflows where softmax does not, and the logarithm of a softmax
   that is zero is infinite: those stay.      needs: canonical form, after cse      keeps: shapes, order */
#include "rewrite.h"

#include <string.h>

/* The input of a reduction of this kind over one axis that keeps the dim, else {0}. */
static ValueId reduced_along(const Graph *g, ValueId v, const char *kind, int *out_axis) {
    const Node *n = match(g, v, OP_REDUCE);
    if (!n || strcmp(node_string(n, "kind", ""), kind) != 0 || !node_int(n, "keep", 0)) return (ValueId){0};
    const Attr *axes = node_attr(n, "axes");
    if (axes->n != 1) return (ValueId){0};
    *out_axis = (int)axes->v.ints[0];
    return n->inputs[0];
}

/* x of x - max(x) along the axis, else {0} */
static ValueId without_maximum(const Graph *g, ValueId v, int axis) {
    const Node *difference = match(g, v, OP_SUB);
    int along = 0;
    if (!difference) return (ValueId){0};
    ValueId x = reduced_along(g, difference->inputs[1], "max", &along);
    return x.i && along == axis && x.i == difference->inputs[0].i ? x : (ValueId){0};
}

/* Softmax, or its logarithm, of x along an axis that is last, or is followed by dims of size 1, or was last before the
   transpose that x is. {0} for others: to bring them to the end would cost what is saved. */
static ValueId insert_along(Rewriter *w, OpId op, ValueId x, int axis, const char *name) {
    Shape shape = *shape_at(w->g, x), rows = {.rank = axis + 1};
    const Node *transpose = match(w->g, x, OP_TRANSPOSE);
    if (axis == shape.rank - 1) return insert_unary(w, op, x, name);
    if (transpose && node_attr(transpose, "perm")->v.ints[axis] == shape.rank - 1) {
        int64_t perm[MAX_RANK];
        memcpy(perm, node_attr(transpose, "perm")->v.ints, (size_t)shape.rank * sizeof *perm);
        x = insert_unary(w, op, transpose->inputs[0], name);
        return x.i ? insert_transpose(w, x, shape.rank, perm, name) : x;
    }
    for (int i = axis + 1; i < shape.rank; i++)
        if (!dim_is(shape.dims[i], 1)) return (ValueId){0};
    memcpy(rows.dims, shape.dims, (size_t)rows.rank * sizeof *rows.dims);
    x = insert_reshape(w, x, &rows, name);
    if (x.i) x = insert_unary(w, op, x, name);
    return x.i ? insert_reshape(w, x, &shape, name) : x;
}

/* exp(z) / s, or exp(z) * (1 / s), where s = sum(exp(z)) */
static ValueId softmax_of(Rewriter *w, NodeId id, ValueId power, ValueId sum) {
    const Node *n = node_at(w->g, id), *exp = match(w->g, power, OP_EXP);
    int axis = 0;
    ValueId summed = exp ? reduced_along(w->g, sum, "sum", &axis) : (ValueId){0};
    if (!summed.i || summed.i != power.i) return (ValueId){0};
    ValueId x = without_maximum(w->g, exp->inputs[0], axis);
    if (!x.i) return x;
    rewrite_takes(w, sum);
    return insert_along(w, OP_SOFTMAX, x, axis, n->name);
}

static ValueId rule_softmax(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    return softmax_of(w, id, n->inputs[0], n->inputs[1]);
}

static ValueId rule_softmax_product(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    for (int side = 0; side < 2; side++) {
        const Node *inverse = match(w->g, n->inputs[side], OP_DIV);
        if (!inverse || !value_is_splat(w->g, inverse->inputs[0], 1)) continue;
        ValueId y = softmax_of(w, id, n->inputs[1 - side], inverse->inputs[1]);
        if (y.i) return y;
        n = node_at(w->g, id);
    }
    return (ValueId){0};
}

/* z of log(sum(exp(z))), else {0} */
static ValueId log_sum_of(const Graph *g, ValueId v, int *out_axis) {
    const Node *log = match(g, v, OP_LOG);
    ValueId summed = log ? reduced_along(g, log->inputs[0], "sum", out_axis) : (ValueId){0};
    const Node *exp = summed.i ? match(g, summed, OP_EXP) : NULL;
    return exp ? exp->inputs[0] : (ValueId){0};
}

/* z - log(sum(exp(z))) */
static ValueId rule_log_softmax(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int axis = 0;
    ValueId z = log_sum_of(w->g, n->inputs[1], &axis);
    if (!z.i || z.i != n->inputs[0].i) return (ValueId){0};
    ValueId x = without_maximum(w->g, z, axis);
    if (!x.i) return x;
    rewrite_takes(w, n->inputs[1]);
    return insert_along(w, OP_LOG_SOFTMAX, x, axis, n->name);
}

/* x - (log(sum(exp(x - m))) + m), where m = max(x) */
static ValueId rule_log_sum_exp(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *sum = match(w->g, n->inputs[1], OP_ADD);
    for (int side = 0; sum && side < 2; side++) {
        int axis = 0, along = 0;
        ValueId z = log_sum_of(w->g, sum->inputs[side], &axis), m = sum->inputs[1 - side];
        const Node *difference = z.i ? match(w->g, z, OP_SUB) : NULL;
        if (!difference || difference->inputs[1].i != m.i || difference->inputs[0].i != n->inputs[0].i) continue;
        if (reduced_along(w->g, m, "max", &along).i != n->inputs[0].i || along != axis) continue;
        rewrite_takes(w, n->inputs[1]);
        return insert_along(w, OP_LOG_SOFTMAX, n->inputs[0], axis, n->name);
    }
    return (ValueId){0};
}

static const Rule rules[] = {
    {"softmax", OP_DIV, 0, rule_softmax},
    {"softmax", OP_MUL, 0, rule_softmax_product},
    {"log_softmax", OP_SUB, 0, rule_log_softmax},
    {"log_softmax", OP_SUB, 0, rule_log_sum_exp},
};

bool pass_pattern_softmax(Unit *u) {
    return rewrite_run(u, "pattern_softmax", rules, ARRAY_LEN(rules));
}
