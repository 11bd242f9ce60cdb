/* lower_softmax: softmax, log_softmax and layer_norm: rows that are reduced and then written. A unit does whole rows; a
   row passes through L1 two or three times. What the row's elements are computed from (scale, mask) is computed once
   and kept in a local row, or in the result itself, where that has the type. */
#include "kern/lower.h"
#include <math.h>

enum { MAX_LOCAL_ROW = 8192 }; /* elements: 32 KiB of f32 */

typedef struct {
    Body *b;
    Nest kept;  /* loops over rows */
    Loop along; /* the row */
    ExprId column;
    Position at;
    DType type;    /* computed in */
    ExprId x;      /* element of the operand */
    uint32_t keep; /* parameter that holds intermediate elements of the row */
    bool has_keep;
    ExprId keep_index;
} Row;

static Row row_begin(Lower *l, NodeId n, const char *what) {
    const Node *node = lower_node(l, n);
    const Value *in = lower_value(l, node->inputs[0]);
    Row r = {.b = body_new(l, n, l->group_of[n.i], what)};
    int rank = in->shape.rank;
    r.at = (Position){.rank = rank, .has_at = true};
    for (int d = 0; d + 1 < rank; d++) nest_dim(r.b, &r.kept, in->shape.dims[d], false, &r.at.at[d]);
    r.along = (Loop){rank > 0 ? in->shape.dims[rank - 1] : dim_const(1), r.b->k->n_vars, true};
    r.column = expr_var(l->arena, r.b->k, r.along.var);
    if (rank > 0) r.at.at[rank - 1] = r.column;
    r.type = dtype_info(in->dtype)->bits < 32 ? DTYPE_F32 : in->dtype;
    r.x = body_value(r.b, node->inputs[0], &r.at);
    r.x = body_cast(r.b, r.x, r.type);
    return r;
}

/* Where elements may be kept between the passes over a row: a local array, or the result when it has the type and
 * place. */
static void row_keep(Row *r, uint32_t out_param, ExprId out_index) {
    Body *b = r->b;
    Dim n = r->along.extent;
    if (dim_is_const(n) && n.value > 0 && n.value <= MAX_LOCAL_ROW) {
        r->keep = body_local(b, r->type, n.value);
        r->keep_index = r->column;
        r->has_keep = true;
    } else if (b->k->params.data[out_param].dtype == r->type && b->k->params.data[out_param].kind == PARAM_OUT) {
        r->keep = out_param;
        r->keep_index = out_index;
        r->has_keep = true;
    }
}

static ExprId op2(Row *r, OpId op, ExprId x, ExprId y) {
    return body_scalar(r->b, op, r->type, x, y, (ExprId){0});
}
static ExprId op1(Row *r, OpId op, ExprId x) {
    return body_scalar(r->b, op, r->type, x, (ExprId){0}, (ExprId){0});
}
static ExprId kept_element(Row *r) {
    return expr_load(r->b->l->arena, r->b->k, r->keep, r->keep_index);
}
static Stmt *along(Row *r, Stmt *inside) {
    return nest_for(r->b, &r->along, FOR_VECTOR, inside);
}
static bool is_plain(const Body *b, ExprId x) {
    return body_expr(b, x)->kind == EXPR_LOAD;
}

static double typical_rows(const Lower *l, const Row *r) {
    double n = 1;
    for (int i = 0; i < r->kept.n; i++) n *= (double)lower_typical(l, r->kept.loops[i].extent);
    return n;
}

static bool row_finish(Row *r, Stmt *inside) {
    Lower *l = r->b->l;
    double rows = typical_rows(l, r), columns = (double)lower_typical(l, r->along.extent);
    Cost cost = body_cost(r->b, rows * columns, 1);
    Dim units;
    r->b->k->body = nest_wrap(r->b, &r->kept, r->kept.n, inside, -1, cost.ns / rows, &units);
    body_finish(r->b, units, cost);
    return !l->failed;
}

enum { X_INDEX, X_VALUE, OUT_INDEX, OUT_VALUE, E_INDEX, E_VALUE, KEEP_INDEX, KEEP_LOAD, N_EXPRS };

bool lower_softmax(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    bool is_log = node->op == OP_LOG_SOFTMAX;
    Row r = row_begin(l, n, is_log ? "log_softmax" : "softmax");
    Body *b = r.b;
    uint32_t acc_max = body_acc(b, r.type), acc_sum = body_acc(b, r.type);
    ExprId max = expr_acc(l->arena, b->k, acc_max), sum = expr_acc(l->arena, b->k, acc_sum),
           one = body_number(b, r.type, 1);
    Stmt *fails = stmt_fails(b);

    /* The result's buffer is needed to decide where the row is kept; the final expression depends on that: build it
     * twice. */
    ValueId result = lower_group_result(l, n);
    const Value *out = lower_value(l, node->outputs[0]);
    bool plain_result = result.i == node->outputs[0].i;
    uint32_t probe_param = 0;
    ExprId probe_index = {0};
    if (plain_result) {
        Position p = r.at;
        probe_param = body_out(b, lower_result(l, result));
        probe_index = body_index(b, result, &p);
        row_keep(&r, probe_param, probe_index);
    } else if (dim_is_const(r.along.extent) && r.along.extent.value <= MAX_LOCAL_ROW && r.along.extent.value > 0) {
        r.keep = body_local(b, r.type, r.along.extent.value);
        r.keep_index = r.column;
        r.has_keep = true;
    }
    bool keep_x = r.has_keep && (is_log || !is_plain(b, r.x)); /* pass 1 stores x, pass 2 overwrites it by exp */
    ExprId again = keep_x ? kept_element(&r) : r.x;
    ExprId shifted = op2(&r, OP_SUB, again, max), e = op1(&r, OP_EXP, shifted);
    bool keep_e = r.has_keep && !is_log;
    ExprId final;
    if (is_log) {
        ExprId log_sum = op1(&r, OP_LOG, sum);
        final = op2(&r, OP_SUB, shifted, log_sum);
    } else {
        ExprId inverse = op2(&r, OP_DIV, one, sum);
        final = op2(&r, OP_MUL, keep_e ? kept_element(&r) : e, inverse);
    }
    final = body_cast(b, final, out->dtype);
    uint32_t param;
    ExprId x[N_EXPRS] = {{0}};
    if (!body_epilogue(b, node->outputs[0], &r.at, final, &param, &x[OUT_INDEX], &x[OUT_VALUE]))
        return lower_alone(l, n);
    x[X_VALUE] = r.x;
    x[E_VALUE] = e;
    if (r.has_keep) {
        x[KEEP_INDEX] = r.keep_index;
        x[KEEP_LOAD] = kept_element(&r);
    }
    if (!fails && b->fails.len == 0) nest_merge(b, &r.kept, N_EXPRS, x);
    ExprId low = expr_float(l->arena, b->k, r.type, -INFINITY), zero = body_number(b, r.type, 0);

    Stmt *pass1 = stmt_join(fails, stmt_update(b, acc_max, OP_MAX, x[X_VALUE]));
    if (keep_x) pass1 = stmt_join(pass1, stmt_store(b, r.keep, x[KEEP_INDEX], x[X_VALUE]));
    Stmt *pass2 = stmt_update(b, acc_sum, OP_ADD, x[E_VALUE]);
    if (keep_e) pass2 = stmt_join(pass2, stmt_store(b, r.keep, x[KEEP_INDEX], x[E_VALUE]));
    Stmt *pass3 = stmt_join(stmt_fails(b), stmt_store(b, param, x[OUT_INDEX], x[OUT_VALUE]));
    Stmt *inside = stmt_join(stmt_acc(b, acc_max, low), along(&r, pass1));
    inside = stmt_join(inside, stmt_acc(b, acc_sum, zero));
    inside = stmt_join(inside, along(&r, pass2));
    inside = stmt_join(inside, along(&r, pass3));
    return row_finish(&r, inside);
}

bool lower_layer_norm(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    Row r = row_begin(l, n, "layer_norm");
    Body *b = r.b;
    const Value *out = lower_value(l, node->outputs[0]);
    uint32_t acc_sum = body_acc(b, r.type), acc_squares = body_acc(b, r.type);
    ExprId sum = expr_acc(l->arena, b->k, acc_sum), squares = expr_acc(l->arena, b->k, acc_squares), columns;
    Stmt *fails = stmt_fails(b);
    Dim n_columns = r.along.extent;
    if (dim_is_const(n_columns)) {
        columns = body_number(b, r.type, (double)n_columns.value);
        if (!is_plain(b, r.x) && n_columns.value > 0 && n_columns.value <= MAX_LOCAL_ROW) {
            r.keep = body_local(b, r.type, n_columns.value);
            r.keep_index = r.column;
            r.has_keep = true;
        }
    } else {
        ExprId dim = index_dim(b, n_columns);
        columns = body_cast(b, dim, r.type);
    }
    ExprId again = r.has_keep ? kept_element(&r) : r.x;
    ExprId mean = op2(&r, OP_DIV, sum, columns), centred = op2(&r, OP_SUB, again, mean),
           square = op2(&r, OP_MUL, centred, centred);
    ExprId epsilon = body_number(b, r.type, node_float(node, "epsilon", 0)),
           variance = op2(&r, OP_DIV, squares, columns);
    ExprId guarded = op2(&r, OP_ADD, variance, epsilon), inverse = op1(&r, OP_RSQRT, guarded);
    Position channel = {.rank = 1, .has_at = true, .at = {r.column}};
    ExprId scale = body_value(b, node->inputs[1], &channel), offset = body_value(b, node->inputs[2], &channel);
    scale = body_cast(b, scale, r.type);
    offset = body_cast(b, offset, r.type);
    ExprId factor = op2(&r, OP_MUL, inverse, scale), scaled = op2(&r, OP_MUL, centred, factor),
           final = op2(&r, OP_ADD, scaled, offset);
    final = body_cast(b, final, out->dtype);
    uint32_t param;
    ExprId x[N_EXPRS] = {{0}};
    if (!body_epilogue(b, node->outputs[0], &r.at, final, &param, &x[OUT_INDEX], &x[OUT_VALUE]))
        return lower_alone(l, n);
    x[X_VALUE] = r.x;
    x[E_VALUE] = square;
    if (!fails && b->fails.len == 0) nest_merge(b, &r.kept, N_EXPRS, x);
    ExprId zero = body_number(b, r.type, 0);
    Stmt *pass1 = stmt_join(fails, stmt_update(b, acc_sum, OP_ADD, x[X_VALUE]));
    if (r.has_keep) pass1 = stmt_join(pass1, stmt_store(b, r.keep, r.keep_index, x[X_VALUE]));
    Stmt *pass2 = stmt_update(b, acc_squares, OP_ADD, x[E_VALUE]);
    Stmt *pass3 = stmt_join(stmt_fails(b), stmt_store(b, param, x[OUT_INDEX], x[OUT_VALUE]));
    Stmt *inside = stmt_join(stmt_acc(b, acc_sum, zero), along(&r, pass1));
    inside = stmt_join(inside, stmt_acc(b, acc_squares, zero));
    inside = stmt_join(inside, along(&r, pass2));
    inside = stmt_join(inside, along(&r, pass3));
    return row_finish(&r, inside);
}
