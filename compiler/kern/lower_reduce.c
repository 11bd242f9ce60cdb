/* lower_reduce: reductions over any axes and arg_max/arg_min. Element-wise producers are computed where they are read,
   consumers where the result is stored. Reducing the innermost dim uses lanes as partial results; reducing outer dims
   only gives every lane a result. */
#include "kern/lower.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    const char *kind;
    OpId op;
} ReduceRow;

static const ReduceRow reduce_rows[] = {{"sum", OP_ADD}, {"mean", OP_ADD}, {"prod", OP_MUL}, {"max", OP_MAX},
                                        {"min", OP_MIN}, {"all", OP_AND},  {"any", OP_OR}};

static OpId reduce_op(const char *kind) {
    for (size_t i = 0; i < ARRAY_LEN(reduce_rows); i++)
        if (strcmp(reduce_rows[i].kind, kind) == 0) return reduce_rows[i].op;
    BUG("no reduction %s", kind);
}

/* Extreme value of an integer type. */
static int64_t int_limit(DType t, bool lowest) {
    int bits = dtype_info(t)->bits;
    if (t == DTYPE_S4) bits = 4;
    if (dtype_info(t)->class_ == CLASS_UINT) return lowest ? 0 : bits == 64 ? -1 : (int64_t)((UINT64_C(1) << bits) - 1);
    int64_t high = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
    return lowest ? -high - 1 : high;
}

static ExprId neutral(Body *b, OpId op, DType t) {
    if (op == OP_ADD || op == OP_OR) return body_number(b, t, 0);
    if (op == OP_MUL) return body_number(b, t, 1);
    if (op == OP_AND) return expr_int(b->l->arena, b->k, t, t == DTYPE_BOOL ? 1 : -1);
    if (dtype_is_float(t)) return expr_float(b->l->arena, b->k, t, op == OP_MAX ? -INFINITY : INFINITY);
    return expr_int(b->l->arena, b->k, t, int_limit(t, op == OP_MAX));
}

static DType accumulator_type(DType t) {
    return dtype_is_float(t) && dtype_info(t)->bits < 32 ? DTYPE_F32 : t;
}

/* sum / n as TensorFlow does it: in the accumulator's type. */
static ExprId divide_by(Body *b, ExprId sum, Dim n) {
    DType t = body_expr(b, sum)->dtype;
    if (dim_is_const(n) && n.value == 0 && dtype_is_int(t)) return sum;
    ExprId count = index_dim(b, n),
           same = dim_is_const(n) ? body_number(b, t, (double)n.value) : body_cast(b, count, t);
    return body_scalar(b, OP_DIV, t, sum, same, (ExprId){0});
}

/* Which dims of a node are reduced, as flags. */
static void reduced_axes(const Node *node, int rank, bool *out) {
    const Attr *axes = node_attr(node, "axes");
    for (uint32_t i = 0; i < axes->n; i++) out[axes->v.ints[i] < 0 ? axes->v.ints[i] + rank : axes->v.ints[i]] = true;
}

typedef struct {
    Nest nest; /* kept loops first, then reduced ones */
    int n_kept;
    double kept, all; /* typical numbers of elements */
    Position in, out;
} ReduceLoops;

/* Loops over the operand's dims; `out` has the kept ones (and zeros when `keep`). */
static void reduce_loops(Body *b, const Shape *shape, const bool *reduced, bool keep, ReduceLoops *r) {
    r->in = (Position){.rank = shape->rank, .has_at = true};
    r->out = (Position){.has_at = true};
    for (int part = 0; part < 2; part++)
        for (int d = 0; d < shape->rank; d++)
            if (reduced[d] == (part == 1)) nest_dim(b, &r->nest, shape->dims[d], part == 1, &r->in.at[d]);
    for (int d = 0; d < shape->rank; d++) {
        if (!reduced[d])
            r->out.at[r->out.rank++] = r->in.at[d];
        else if (keep)
            r->out.at[r->out.rank++] = index_int(b, 0);
    }
}

static void count_loops(const Lower *l, ReduceLoops *r) {
    r->kept = r->all = 1;
    r->n_kept = 0;
    for (int i = 0; i < r->nest.n; i++) {
        double extent = (double)lower_typical(l, r->nest.loops[i].extent);
        r->all *= extent;
        if (!r->nest.loops[i].reduced) {
            r->kept *= extent;
            r->n_kept++;
        }
    }
}

/* The loop whose step reads neighbouring elements for most loads of e; lanes go there. */
static int vector_loop(Body *b, const Nest *nest, ExprId e, bool has_lanes) {
    if (!has_lanes || nest->n == 0) return -1;
    int best = -1, best_score = -1;
    for (int i = 0; i < nest->n; i++) {
        int score = 0;
        for (uint32_t x = 1; x < b->k->exprs.len && x <= e.i; x++) {
            const Expr *load = &b->k->exprs.data[x];
            if (load->kind != EXPR_LOAD) continue;
            Dim *coefs = NEW_ARRAY(b->l->scratch, Dim, b->k->n_vars);
            bool *pinned = NEW_ARRAY(b->l->scratch, bool, b->k->n_vars);
            expr_affine(b, load->args[0], coefs, pinned);
            uint32_t var = nest->loops[i].var;
            if (!pinned[var] && dim_is(coefs[var], 1))
                score += 2;
            else if (!pinned[var] && dim_is(coefs[var], 0))
                score += 1;
        }
        Dim extent = nest->loops[i].extent;
        if (dim_is_const(extent) && extent.value < 4) score -= 1;
        if (score >= best_score) { /* the innermost of equals */
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* Wraps reduced loops [from, n) around `inside`; `vector` may be one of them. Lanes go innermost. */
Stmt *nest_reduced(Body *b, const Nest *nest, int from, Stmt *inside, int vector) {
    if (vector >= 0 && vector >= from) inside = nest_for(b, &nest->loops[vector], FOR_VECTOR, inside);
    for (int i = nest->n - 1; i >= from; i--)
        if (i != vector) inside = nest_for(b, &nest->loops[i], FOR_SERIAL, inside);
    return inside;
}

/* Kept loops: lanes among them go innermost too. */
static void vector_last(Nest *nest, int n_kept, int *vector) {
    if (*vector < 0 || *vector >= n_kept) return;
    Loop lanes = nest->loops[*vector];
    for (int i = *vector; i + 1 < n_kept; i++) nest->loops[i] = nest->loops[i + 1];
    nest->loops[n_kept - 1] = lanes;
    *vector = n_kept - 1;
}

static bool reduce_node(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    const Value *in = lower_value(l, node->inputs[0]);
    const char *kind = node_string(node, "kind", "sum");
    OpId op = reduce_op(kind);
    bool reduced[MAX_RANK] = {false};
    reduced_axes(node, in->shape.rank, reduced);
    Body *b = body_new(l, n, l->group_of[n.i], "reduce");
    ReduceLoops r = {0};
    reduce_loops(b, &in->shape, reduced, node_int(node, "keep", 0) != 0, &r);
    bool is_mean = strcmp(kind, "mean") == 0;
    DType type = accumulator_type(in->dtype);
    if (is_mean && dtype_is_int(type))
        type = dtype_is_signed(type) ? DTYPE_S64 : DTYPE_U64; /* means of small types do not wrap around */
    uint32_t acc = body_acc(b, type);
    ExprId value = body_value(b, node->inputs[0], &r.in);
    value = body_cast(b, value, type);
    ExprId result = expr_acc(l->arena, b->k, acc);
    if (is_mean) {
        Dim count = dim_const(1);
        for (int d = 0; d < in->shape.rank; d++)
            if (reduced[d]) count = dim_mul(&l->g->dims, count, in->shape.dims[d]);
        result = divide_by(b, result, count);
    }
    result = body_cast(b, result, in->dtype);
    Stmt *fails = stmt_fails(b);
    uint32_t param;
    ExprId exprs[6] = {{0}};
    if (!body_epilogue(b, node->outputs[0], &r.out, result, &param, &exprs[0], &exprs[1])) return lower_alone(l, n);
    exprs[3] = value;
    if (!fails && b->fails.len == 0) nest_merge(b, &r.nest, 4, exprs);
    count_loops(l, &r);
    int vector = vector_loop(b, &r.nest, exprs[3], body_has_lanes(b));
    vector_last(&r.nest, r.n_kept, &vector);
    Cost cost = body_cost(b, r.all, vector >= 0 ? 1 : 4);
    Stmt *update = stmt_join(fails, stmt_update(b, acc, op, exprs[3]));
    Stmt *inside = stmt_acc(b, acc, neutral(b, op, type));
    inside = stmt_join(inside, nest_reduced(b, &r.nest, r.n_kept, update, vector));
    inside = stmt_join(inside, stmt_fails(b));
    inside = stmt_join(inside, stmt_store(b, param, exprs[0], exprs[1]));
    Dim units;
    b->k->body = nest_wrap(b, &r.nest, r.n_kept, inside, vector < r.n_kept ? vector : -1, cost.ns / r.kept, &units);
    body_finish(b, units, cost);
    return !l->failed;
}

/* Where a search begins: the lowest (or highest) number of type `of` that is not an infinity, as in TensorFlow, in the
   accumulator's type t. */
static ExprId lowest_number(Body *b, DType t, DType of, bool lowest) {
    if (!dtype_is_float(t)) return expr_int(b->l->arena, b->k, t, t == DTYPE_BOOL ? !lowest : int_limit(t, lowest));
    double highest = dtype_highest_float(of);
    return expr_float(b->l->arena, b->k, t, lowest ? -highest : highest);
}

/* The first of equals: an update only where the value is strictly better; NaN never is, as in TensorFlow. Serial over
   the axis, lanes over what is kept where that is contiguous. */
static bool arg_reduce_node(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    const Value *in = lower_value(l, node->inputs[0]), *out = lower_value(l, node->outputs[0]);
    bool max = strcmp(node_string(node, "kind", "max"), "max") == 0;
    int64_t axis = node_int(node, "axis", 0);
    if (axis < 0) axis += in->shape.rank;
    bool reduced[MAX_RANK] = {false};
    reduced[axis] = true;
    Body *b = body_new(l, n, l->group_of[n.i], "arg_reduce");
    ReduceLoops r = {0};
    reduce_loops(b, &in->shape, reduced, false, &r);
    DType type = accumulator_type(in->dtype);
    uint32_t best = body_acc(b, type), where = body_acc(b, DTYPE_S64);
    ExprId value = body_value(b, node->inputs[0], &r.in);
    value = body_cast(b, value, type);
    ExprId first = lowest_number(b, type, in->dtype, max);
    ExprId acc = expr_acc(l->arena, b->k, best), place = expr_acc(l->arena, b->k, where);
    ExprId better = expr_scalar(l->arena, b->k, max ? OP_GT : OP_LT, DTYPE_BOOL, value, acc, (ExprId){0});
    ExprId result = body_cast(b, place, out->dtype);
    Stmt *fails = stmt_fails(b);
    uint32_t param;
    ExprId index, stored;
    if (!body_epilogue(b, node->outputs[0], &r.out, result, &param, &index, &stored)) return lower_alone(l, n);
    count_loops(l, &r);
    int vector = vector_loop(b, &r.nest, value, body_has_lanes(b));
    if (vector >= r.n_kept) vector = -1; /* lanes along the axis would have to be merged by index */
    vector_last(&r.nest, r.n_kept, &vector);
    Cost cost = body_cost(b, r.all, vector >= 0 ? 1 : 4);
    Stmt *take_place = stmt_update(b, where, OP_SELECT, r.in.at[axis]),
         *take_value = stmt_update(b, best, OP_SELECT, value);
    take_place->pred = take_value->pred = better;
    Stmt *update =
        stmt_join(fails, stmt_join(take_place, take_value)); /* the place first: `better` reads the old best */
    Stmt *inside = stmt_join(stmt_acc(b, best, first), stmt_acc(b, where, index_int(b, 0)));
    inside = stmt_join(inside, nest_reduced(b, &r.nest, r.n_kept, update, -1));
    inside = stmt_join(inside, stmt_fails(b));
    inside = stmt_join(inside, stmt_store(b, param, index, stored));
    Dim units;
    b->k->body = nest_wrap(b, &r.nest, r.n_kept, inside, vector, cost.ns / r.kept, &units);
    body_finish(b, units, cost);
    return !l->failed;
}

bool lower_reduce(Lower *l, NodeId n) {
    return lower_node(l, n)->op == OP_REDUCE ? reduce_node(l, n) : arg_reduce_node(l, n);
}
