/* lower_rnn: lstm and gru. The input's share of all gates is one matrix product over all steps; what is left is a loop
   over time, one unit per batch entry, that keeps the state in local rows and reads the recurrent weights with lanes
   over gates. */
#include "kern/lower.h"

enum { MOST_LOCAL_BYTES = 65536, LOCAL_ROWS = 6 }; /* four gates or three and two more, and states */

typedef struct {
    Body *b;
    Lower *l;
    DType type;
    ExprId batch_index; /* the unit */
    Dim steps, batch;
    int64_t hidden, width;         /* of the state, of all gates */
    uint32_t projected, recurrent; /* parameters */
} Cell;

static ExprId op2(Cell *c, OpId op, ExprId x, ExprId y) {
    return body_scalar(c->b, op, c->type, x, y, (ExprId){0});
}
static ExprId op1(Cell *c, OpId op, ExprId x) {
    return body_scalar(c->b, op, c->type, x, (ExprId){0}, (ExprId){0});
}
static ExprId local(Cell *c, uint32_t param, ExprId i) {
    return expr_load(c->l->arena, c->b->k, param, i);
}

static Loop new_loop(Cell *c, Dim extent, ExprId *out_var) {
    Loop loop = {extent, c->b->k->n_vars, true};
    *out_var = expr_var(c->l->arena, c->b->k, loop.var);
    return loop;
}

/* x [T,B,I] times w [I,G] as a temporary [T*B,G]. */
static uint32_t project(Lower *l, NodeId n, ValueId x, ValueId w) {
    const Shape *xs = &lower_value(l, x)->shape, *ws = &lower_value(l, w)->shape;
    DType type = lower_value(l, x)->dtype;
    Shape shape = {.rank = 3, .dims = {xs->dims[0], xs->dims[1], ws->dims[1]}};
    uint32_t to = lower_temporary(l, type, &shape, lower_node(l, n)->name);
    Body *b = body_new(l, n, 0, "project");
    b->k->kind = KERNEL_CONTRACTION;
    Contraction *c = b->k->contraction = NEW(l->arena, Contraction);
    Dim k = ws->dims[0], columns = ws->dims[1];
    *c = (Contraction){.kind = CONTRACT_GEMM,
                       .a = type,
                       .b = type,
                       .acc = type,
                       .batch = dim_const(1),
                       .n = columns,
                       .k = k,
                       .a_m = k,
                       .a_k = dim_const(1),
                       .b_k = columns,
                       .b_n = dim_const(1),
                       .b_repeat = dim_const(1),
                       .c_m = columns,
                       .c_n = dim_const(1)};
    c->m = dim_mul(&l->g->dims, xs->dims[0], xs->dims[1]);
    uint32_t a_buffer = lower_buffer(l, x), b_buffer;
    const Tensor *t = value_const(l->g, w);
    c->b_packed = t != NULL;
    contraction_schedule(&l->g->dims, b->k, l->p->machine, l->o->threads);
    if (t) {
        MatrixLayout layout = {1, k.value, columns.value, 0, columns.value, 1};
        Tensor *packed = NEW(l->arena, Tensor);
        *packed = contraction_pack(l->arena, c, t, &layout);
        b_buffer = lower_constant(l, packed, "weights");
    } else {
        b_buffer = lower_buffer(l, w);
    }
    (void)body_in(b, a_buffer);
    if (body_in(b, b_buffer) != 1)
        BUG("a product of a matrix with itself as weights"); /* packed or other shape: never the same buffer */
    (void)body_out(b, to);
    uint32_t acc = body_acc(b, type);
    b->k->epilogue = expr_acc(l->arena, b->k, acc);
    double flops = 2 * (double)lower_typical(l, c->m) * (double)lower_typical(l, columns) * (double)lower_typical(l, k);
    Dim units = contraction_units(&l->g->dims, c);
    body_finish(b, units, cost_roofline(l->p->machine, flops, 0.6, 0));
    return to;
}

/* gates[j] = projected[t, b, j] + sum over k of state[k] * recurrent[k, first + j] for j < n. */
static Stmt *gate_rows(Cell *c, ExprId time, uint32_t state, uint32_t into, int64_t first, int64_t n, ValueId bias,
                       bool add_projection) {
    Body *b = c->b;
    ExprId column, k;
    Loop columns = new_loop(c, dim_const(n), &column), rows = new_loop(c, dim_const(c->hidden), &k);
    int64_t width = c->width;
    uint32_t acc = body_acc(b, c->type);
    ExprId place = index_add(b, column, index_int(b, first)), start = body_number(b, c->type, 0);
    if (add_projection) {
        ExprId step = index_add(b, index_mul(b, time, index_dim(b, c->batch)), c->batch_index);
        start = local(c, c->projected, index_add(b, index_mul(b, step, index_int(b, width)), place));
    }
    if (bias.i) {
        Position p = {.rank = 1, .has_at = true, .at = {place}};
        start = op2(c, OP_ADD, start, body_value(b, bias, &p));
    }
    ExprId weight = local(c, c->recurrent, index_add(b, index_mul(b, k, index_int(b, width)), place));
    ExprId product = op2(c, OP_MUL, local(c, state, k), weight), sum = expr_acc(c->l->arena, b->k, acc);
    Stmt *inside = stmt_acc(b, acc, start);
    inside = stmt_join(inside, nest_for(b, &rows, FOR_SERIAL, stmt_update(b, acc, OP_ADD, product)));
    inside = stmt_join(inside, stmt_store(b, into, column, sum));
    return nest_for(b, &columns, FOR_VECTOR, inside);
}

static bool cell_begin(Lower *l, NodeId n, Cell *c, ValueId x, ValueId w, ValueId r, const char *what) {
    const Value *rv = lower_value(l, r), *xv = lower_value(l, x);
    int64_t most = MOST_LOCAL_BYTES / (LOCAL_ROWS * (int64_t)dtype_size(xv->dtype));
    if (!dim_is_const(rv->shape.dims[0]) || rv->shape.dims[0].value > most || !dtype_is_float(xv->dtype) ||
        dtype_info(xv->dtype)->bits < 32)
        return diag_unsupported(l->d, lower_node(l, n)->name, lower_node(l, n)->tf_op,
                                "a recurrent cell of this type or with more than %lld units", (long long)most);
    uint32_t projected = project(l, n, x, w), recurrent = lower_buffer(l, r);
    *c = (Cell){.l = l,
                .type = xv->dtype,
                .steps = xv->shape.dims[0],
                .batch = xv->shape.dims[1],
                .hidden = rv->shape.dims[0].value};
    c->b = body_new(l, n, 0, what);
    c->batch_index = expr_var(l->arena, c->b->k, VAR_UNIT);
    c->projected = body_in(c->b, projected);
    c->recurrent = body_in(c->b, recurrent);
    c->width = rv->shape.dims[1].value;
    return true;
}

static bool cell_finish(Cell *c, Stmt *body, int64_t gates) {
    c->b->k->body = body;
    double flops = 2 * (double)lower_typical(c->l, c->steps) * (double)lower_typical(c->l, c->batch) *
                   (double)(c->hidden * c->hidden * gates);
    body_finish(c->b, c->batch, cost_roofline(c->l->p->machine, flops, 0.2, 0));
    return !c->l->failed;
}

/* The row of [B,H] tensor v of this batch entry, copied to a local. */
static Stmt *load_state(Cell *c, ValueId v, uint32_t into) {
    ExprId j;
    Loop loop = new_loop(c, dim_const(c->hidden), &j);
    Position p = {.rank = 2, .has_at = true, .at = {c->batch_index, j}};
    return nest_for(c->b, &loop, FOR_VECTOR, stmt_store(c->b, into, j, body_value(c->b, v, &p)));
}

static Stmt *store_state(Cell *c, ValueId v, uint32_t from) {
    ExprId j;
    Loop loop = new_loop(c, dim_const(c->hidden), &j);
    uint32_t param = body_out(c->b, lower_result(c->l, v));
    ExprId index = index_add(c->b, index_mul(c->b, c->batch_index, index_int(c->b, c->hidden)), j);
    return nest_for(c->b, &loop, FOR_VECTOR, stmt_store(c->b, param, index, local(c, from, j)));
}

/* Element j of step `time` in the result [T,B,H]. */
static Stmt *store_step(Cell *c, ValueId v, ExprId time, ExprId j, ExprId value) {
    uint32_t param = body_out(c->b, lower_result(c->l, v));
    ExprId step = index_add(c->b, index_mul(c->b, time, index_dim(c->b, c->batch)), c->batch_index);
    return stmt_store(c->b, param, index_add(c->b, index_mul(c->b, step, index_int(c->b, c->hidden)), j), value);
}

static bool lower_lstm(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    Cell c;
    for (uint32_t i = 1; i < node->n_inputs; i++) (void)lower_buffer(l, node->inputs[i]);
    if (!cell_begin(l, n, &c, node->inputs[0], node->inputs[3], node->inputs[4], "lstm")) return false;
    Body *b = c.b;
    int64_t h = c.hidden;
    uint32_t gates = body_local(b, c.type, 4 * h), state = body_local(b, c.type, h), cell = body_local(b, c.type, h);
    ExprId time, j;
    Loop steps = new_loop(&c, c.steps, &time);
    Stmt *rows = gate_rows(&c, time, state, gates, 0, 4 * h, node->inputs[5], true);
    Loop units = new_loop(&c, dim_const(h), &j);
    ExprId gate[4];
    for (int i = 0; i < 4; i++) gate[i] = local(&c, gates, index_add(b, j, index_int(b, i * h)));
    ExprId forget_bias = body_number(b, c.type, node_float(node, "forget_bias", 0));
    if (node_float(node, "forget_bias", 0) != 0) gate[2] = op2(&c, OP_ADD, gate[2], forget_bias);
    ExprId input = op1(&c, OP_SIGMOID, gate[0]), candidate = op1(&c, OP_TANH, gate[1]),
           forget = op1(&c, OP_SIGMOID, gate[2]), output = op1(&c, OP_SIGMOID, gate[3]);
    ExprId kept = op2(&c, OP_MUL, local(&c, cell, j), forget), added = op2(&c, OP_MUL, candidate, input),
           new_cell = op2(&c, OP_ADD, added, kept);
    double clip = node_float(node, "cell_clip", 0);
    if (clip > 0) {
        ExprId high = body_number(b, c.type, clip), low = body_number(b, c.type, -clip);
        new_cell = op2(&c, OP_MAX, op2(&c, OP_MIN, new_cell, high), low);
    }
    ExprId squashed = op1(&c, OP_TANH, new_cell), new_state = op2(&c, OP_MUL, squashed, output);
    Stmt *update = stmt_store(b, state, j, new_state);
    update = stmt_join(update, store_step(&c, node->outputs[0], time, j, new_state));
    update = stmt_join(update, stmt_store(b, cell, j, new_cell)); /* last: the others read the old one */
    Stmt *turn = stmt_join(rows, nest_for(b, &units, FOR_VECTOR, update));
    Stmt *body = stmt_join(load_state(&c, node->inputs[1], state), load_state(&c, node->inputs[2], cell));
    body = stmt_join(body, nest_for(b, &steps, FOR_SERIAL, turn));
    body = stmt_join(body, store_state(&c, node->outputs[1], state));
    body = stmt_join(body, store_state(&c, node->outputs[2], cell));
    return cell_finish(&c, body, 4);
}

/* z, r, h; reset_after: the recurrent share of h, bias included, is multiplied by r, else the state is before the
 * product. */
static bool lower_gru(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    Cell c;
    for (uint32_t i = 1; i < node->n_inputs; i++) (void)lower_buffer(l, node->inputs[i]);
    if (!cell_begin(l, n, &c, node->inputs[0], node->inputs[2], node->inputs[3], "gru")) return false;
    Body *b = c.b;
    int64_t h = c.hidden;
    bool reset_after = node_int(node, "reset_after", 0) != 0;
    uint32_t gates = body_local(b, c.type, 3 * h), state = body_local(b, c.type, h), reset = body_local(b, c.type, h);
    ValueId bias = node->inputs[4], recurrent_bias = node->inputs[5];
    ExprId time, i, j;
    Loop steps = new_loop(&c, c.steps, &time);
    int64_t width = 3 * h;
    Stmt *turn = gate_rows(&c, time, state, gates, 0, reset_after ? 3 * h : 2 * h, recurrent_bias, false);
    ExprId step = index_add(b, index_mul(b, time, index_dim(b, c.batch)), c.batch_index),
           base = index_mul(b, step, index_int(b, width));
    /* Share of the input of gate g at column x, bias included. */
    Loop units = new_loop(&c, dim_const(h), &i), finals = new_loop(&c, dim_const(h), &j);
    ExprId input[3], vars[2] = {i, j}, share[3];
    for (int g = 0; g < 3; g++) {
        ExprId var = !reset_after && g < 2 ? vars[0] : vars[1];
        Position p = {.rank = 1, .has_at = true, .at = {index_add(b, var, index_int(b, g * h))}};
        input[g] = op2(&c, OP_ADD, local(&c, c.projected, index_add(b, base, p.at[0])), body_value(b, bias, &p));
        share[g] = local(&c, gates, p.at[0]);
    }
    ExprId one = body_number(b, c.type, 1);
    ExprId update_gate = op1(&c, OP_SIGMOID, op2(&c, OP_ADD, input[0], share[0])),
           reset_gate = op1(&c, OP_SIGMOID, op2(&c, OP_ADD, input[1], share[1]));
    ExprId z = update_gate, candidate;
    if (reset_after) {
        candidate = op1(&c, OP_TANH, op2(&c, OP_ADD, input[2], op2(&c, OP_MUL, reset_gate, share[2])));
    } else {
        Stmt *first = stmt_store(b, reset, i, op2(&c, OP_MUL, reset_gate, local(&c, state, i)));
        first = stmt_join(first, stmt_store(b, gates, i, update_gate));
        turn = stmt_join(turn, nest_for(b, &units, FOR_VECTOR, first));
        /* Columns 2h.. of the recurrent weights times the reset state go where the reset gate was. */
        uint32_t second = body_local(b, c.type, h);
        Stmt *rows = gate_rows(&c, time, reset, second, 2 * h, h, recurrent_bias, false);
        turn = stmt_join(turn, rows);
        candidate = op1(&c, OP_TANH, op2(&c, OP_ADD, input[2], local(&c, second, j)));
        z = local(&c, gates, j);
    }
    ExprId old = op2(&c, OP_MUL, z, local(&c, state, j)), rest = op2(&c, OP_SUB, one, z),
           fresh = op2(&c, OP_MUL, rest, candidate);
    ExprId new_state = op2(&c, OP_ADD, old, fresh);
    Stmt *last = store_step(&c, node->outputs[0], time, j, new_state);
    last = stmt_join(last, stmt_store(b, state, j, new_state));
    turn = stmt_join(turn, nest_for(b, &finals, FOR_VECTOR, last));
    Stmt *body = stmt_join(load_state(&c, node->inputs[1], state), nest_for(b, &steps, FOR_SERIAL, turn));
    body = stmt_join(body, store_state(&c, node->outputs[1], state));
    return cell_finish(&c, body, 3);
}

bool lower_rnn(Lower *l, NodeId n) {
    return lower_node(l, n)->op == OP_LSTM ? lower_lstm(l, n) : lower_gru(l, n);
}
