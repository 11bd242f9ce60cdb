/* import_rnn_gradient: gradients of the block ops of recurrent cells. That of a step is a composition; that of
   BlockLSTM is a loop from the last step to the first, which carries the states' gradients and collects those of the
   gates' sums: the gradients of input, weights and bias are products and sums of these behind the loop. */
#include "frontend/import_time_loop.h"

#include <string.h>

/* What the backward step of an LSTM cell takes, each [batch, units], and the peepholes' weights. */
typedef struct {
    bool ifco, peephole; /* order of the gates: i f c o, else i c f o */
    ValueId cs_prev, i, cs, f, o, ci, co, cs_grad, h_grad, wci, wcf, wco;
} LstmStep;

static ValueId product(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_MUL, a, b);
}

/* x * y * sigmoid'(…) where sigmoid(…) is s */
static ValueId behind_sigmoid(Import *c, ValueId s, ValueId x, ValueId y) {
    ValueId one = make_like(c, s, 1);
    ValueId rest = make_binary(c, OP_SUB, one, s);
    ValueId slope = product(c, s, rest);
    ValueId xy = product(c, x, y);
    return product(c, slope, xy);
}

/* x * y * tanh'(…) where tanh(…) is t */
static ValueId behind_tanh(Import *c, ValueId t, ValueId x, ValueId y) {
    ValueId one = make_like(c, t, 1);
    ValueId square = product(c, t, t);
    ValueId slope = make_binary(c, OP_SUB, one, square);
    ValueId xy = product(c, x, y);
    return product(c, slope, xy);
}

/* The gradients of the gates' sums, side by side, and of the cell's state before the step; gates[]: di, df, do. */
static ValueId lstm_step_back(Import *c, const LstmStep *s, ValueId *gates, ValueId *cs_prev_grad) {
    ValueId d_o = behind_sigmoid(c, s->o, s->h_grad, s->co);
    ValueId dcs = behind_tanh(c, s->co, s->h_grad, s->o);
    dcs = make_binary(c, OP_ADD, dcs, s->cs_grad);
    if (s->peephole) {
        ValueId seen = product(c, d_o, s->wco);
        dcs = make_binary(c, OP_ADD, dcs, seen);
    }
    ValueId dci = behind_tanh(c, s->ci, dcs, s->i);
    ValueId df = behind_sigmoid(c, s->f, dcs, s->cs_prev);
    ValueId di = behind_sigmoid(c, s->i, dcs, s->ci);
    ValueId before = product(c, dcs, s->f);
    if (s->peephole) {
        ValueId seen_i = product(c, di, s->wci);
        before = make_binary(c, OP_ADD, before, seen_i);
        ValueId seen_f = product(c, df, s->wcf);
        before = make_binary(c, OP_ADD, before, seen_f);
    }
    *cs_prev_grad = before;
    gates[0] = di;
    gates[1] = df;
    gates[2] = d_o;
    ValueId parts[4] = {di, s->ifco ? df : dci, s->ifco ? dci : df, d_o};
    for (int k = 0; k < 4; k++)
        if (failed(parts[k])) return parts[k];
    return make_concat(c, 4, parts, 1);
}

static ValueId sum_of_rows(Import *c, ValueId x) {
    static const int64_t first = 0;
    return make_reduce(c, x, "sum", 1, &first, false);
}

/* The gradients of the peepholes' weights: sums over all rows of di, df, do times what the gates saw. */
static void peephole_gradients(Import *c, bool peephole, const ValueId *gates, ValueId cs_prev, ValueId cs,
                               const ValueId *weights, ValueId *out) {
    for (int k = 0; k < 3; k++) {
        if (peephole) {
            ValueId terms = product(c, gates[k], k == 2 ? cs : cs_prev);
            out[k] = sum_of_rows(c, terms);
        } else {
            ValueId zero = make_like(c, weights[k], 0);
            Shape s = shape_copy(c, weights[k]);
            out[k] = make_broadcast(c, zero, &s);
        }
    }
}

/* (x, cs_prev, h_prev, w, wci, wcf, wco, b, i, cs, f, o, ci, co, cs_grad, h_grad)
   -> cs_prev_grad, dicfo, wci_grad, wcf_grad, wco_grad */
bool import_lstm_block_cell_gradient(Import *c) {
    const ValueId *in = c->in;
    for (int k = 8; k < 16; k++)
        if (rank_of(c, in[k]) != 2) return bad(c, "needs gates, states and gradients of rank 2");
    if (rank_of(c, in[1]) != 2) return bad(c, "needs a state of rank 2");
    LstmStep s = {.peephole = attr_i(c, "use_peephole", 0) != 0,
                  .cs_prev = in[1],
                  .i = in[8],
                  .cs = in[9],
                  .f = in[10],
                  .o = in[11],
                  .ci = in[12],
                  .co = in[13],
                  .cs_grad = in[14],
                  .h_grad = in[15],
                  .wci = in[4],
                  .wcf = in[5],
                  .wco = in[6]};
    ValueId gates[3];
    c->out[1] = lstm_step_back(c, &s, gates, &c->out[0]);
    peephole_gradients(c, s.peephole, gates, s.cs_prev, s.cs, &in[4], &c->out[2]);
    c->n_out = 5;
    return !failed(c->out[1]) && !failed(c->out[4]);
}

/* (x, h_prev, w_ru, w_c, b_ru, b_c, r, u, c, d_h) -> d_x, d_h_prev, d_c_bar, d_r_bar_u_bar */
bool import_gru_block_cell_gradient(Import *c) {
    const ValueId *in = c->in;
    for (int k = 0; k < 10; k++)
        if (k != 4 && k != 5 && rank_of(c, in[k]) != 2) return bad(c, "needs operands of rank 2");
    ValueId h = in[1], r = in[6], u = in[7], candidate = in[8], gradient = in[9];
    const Dim units = dim_of(c, h, 1), features = dim_of(c, in[0], 1);
    ValueId one = make_like(c, u, 1);
    ValueId rest = make_binary(c, OP_SUB, one, u);
    ValueId d_candidate = behind_tanh(c, candidate, gradient, rest);
    ValueId change = make_binary(c, OP_SUB, h, candidate);
    ValueId d_u = behind_sigmoid(c, u, gradient, change);
    ValueId by_candidate = make_matmul(c, d_candidate, in[3], false, true);
    ValueId x_by_candidate = make_slice_axis(c, by_candidate, 1, dim_const(0), features);
    ValueId d_hr = make_slice_axis(c, by_candidate, 1, features, units);
    ValueId d_r = behind_sigmoid(c, r, d_hr, h);
    ValueId parts[2] = {d_r, d_u};
    ValueId d_ru = failed(d_r) || failed(d_u) ? (ValueId){0} : make_concat(c, 2, parts, 1);
    ValueId by_ru = make_matmul(c, d_ru, in[2], false, true);
    ValueId x_by_ru = make_slice_axis(c, by_ru, 1, dim_const(0), features);
    ValueId h_by_ru = make_slice_axis(c, by_ru, 1, features, units);
    ValueId through_reset = product(c, d_hr, r);
    ValueId through_update = product(c, gradient, u);
    ValueId d_h = make_binary(c, OP_ADD, h_by_ru, through_reset);
    c->out[0] = make_binary(c, OP_ADD, x_by_ru, x_by_candidate);
    c->out[1] = make_binary(c, OP_ADD, d_h, through_update);
    c->out[2] = d_candidate;
    c->out[3] = d_ru;
    c->n_out = 4;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

/* ---- BlockLSTM: the loop over time. Carried: */
enum {
    CARRY_TIME,
    CARRY_CS_GRAD,
    CARRY_H_GRAD,
    CARRY_GATES, /* what is collected, [T, batch, 4 units] */
    CARRY_W,     /* from here on what no turn changes: the recurrent weights, then rows of steps */
    CARRY_CS_PREV,
    CARRY_I,
    CARRY_CS,
    CARRY_F,
    CARRY_O,
    CARRY_CI,
    CARRY_CO,
    CARRY_CS_GRADS,
    CARRY_H_GRADS,
    CARRY_WCI, /* without peepholes these three are absent */
    CARRY_WCF,
    CARRY_WCO,
    N_CARRIED
};

/* What the turns share. */
typedef struct {
    bool ifco, peephole;
} BlockCell;

static ValueId more_steps(Import *c, const ValueId *v) {
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    return make_binary(c, OP_GE, v[CARRY_TIME], zero);
}

static bool step_back(Import *c, const void *env, ValueId *v) {
    const BlockCell *cell = env;
    ValueId row[N_CARRIED] = {{0}};
    for (uint32_t i = CARRY_CS_PREV; i <= CARRY_H_GRADS; i++) row[i] = make_gather(c, v[i], v[CARRY_TIME], 0, 0, false);
    LstmStep s = {.ifco = cell->ifco,
                  .peephole = cell->peephole,
                  .cs_prev = row[CARRY_CS_PREV],
                  .i = row[CARRY_I],
                  .cs = row[CARRY_CS],
                  .f = row[CARRY_F],
                  .o = row[CARRY_O],
                  .ci = row[CARRY_CI],
                  .co = row[CARRY_CO],
                  .wci = v[CARRY_WCI],
                  .wcf = v[CARRY_WCF],
                  .wco = v[CARRY_WCO]};
    s.cs_grad = make_binary(c, OP_ADD, row[CARRY_CS_GRADS], v[CARRY_CS_GRAD]);
    s.h_grad = make_binary(c, OP_ADD, row[CARRY_H_GRADS], v[CARRY_H_GRAD]);
    ValueId gates[3];
    ValueId sums = lstm_step_back(c, &s, gates, &v[CARRY_CS_GRAD]);
    v[CARRY_H_GRAD] = make_matmul(c, sums, v[CARRY_W], false, true);
    ValueId place = time_loop_place(c, v[CARRY_TIME]);
    v[CARRY_GATES] = time_loop_put(c, v[CARRY_GATES], sums, place);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    v[CARRY_TIME] = make_binary(c, OP_SUB, v[CARRY_TIME], one);
    return true;
}

/* What each step found before it: `first`, then all rows but the last. */
static ValueId before_each_step(Import *c, ValueId first, ValueId rows, Dim steps) {
    Dim but_one = dim_sub(&c->g->dims, steps, dim_const(1));
    ValueId parts[2];
    parts[0] = make_expand(c, first, 0);
    parts[1] = make_slice_axis(c, rows, 0, dim_const(0), but_one);
    return failed(parts[0]) || failed(parts[1]) ? (ValueId){0} : make_concat(c, 2, parts, 0);
}

static ValueId gate_of_all(Import *c, ValueId gates, int64_t which, Dim units) {
    Dim begin = d_mul(c, units, dim_const(which));
    return make_slice_axis(c, gates, 1, begin, units);
}

/* (seq_len_max, x [T,B,I], cs_prev, h_prev, w, wci, wcf, wco, b, i, cs, f, o, ci, co, h, cs_grad, h_grad)
   -> gradients of x, cs_prev, h_prev, w, wci, wcf, wco, b. V2 (arg 1) has the gates in another order. */
bool import_block_lstm_gradient(Import *c) {
    const ValueId *in = c->in;
    enum { SEQ_LEN, X, CS_PREV, H_PREV, W, WCI, B = WCI + 3, I, CS, F, O, CI, CO, H, CS_GRAD, H_GRAD };
    for (int k = I; k <= H_GRAD; k++)
        if (rank_of(c, in[k]) != 3) return bad(c, "needs gates, states and gradients of all steps, of rank 3");
    if (rank_of(c, in[X]) != 3 || rank_of(c, in[CS_PREV]) != 2 || rank_of(c, in[H_PREV]) != 2 || rank_of(c, in[W]) != 2)
        return bad(c, "needs inputs of rank 3, states and weights of rank 2");
    const bool peephole = attr_i(c, "use_peephole", 0) != 0;
    const Dim steps = dim_of(c, in[X], 0), batch = dim_of(c, in[X], 1), features = dim_of(c, in[X], 2),
              units = dim_of(c, in[CS_PREV], 1), gate_units = d_mul(c, units, dim_const(4)),
              rows = d_mul(c, steps, batch);
    if (dim_is(steps, 0)) return unsupported(c, "the gradient of no steps");
    const BlockCell cell = {.ifco = import_row(c)->arg == 1, .peephole = peephole};
    TimeLoop l = {.n = peephole ? N_CARRIED : CARRY_WCI};
    ValueId zero = make_like(c, in[CS_PREV], 0);
    ValueId last = make_cast(c, in[SEQ_LEN], DTYPE_S64);
    ValueId all = make_dims(c, DTYPE_S64, 0, 1, &steps);
    last = make_binary(c, OP_MIN, last, all);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    l.init[CARRY_TIME] = make_binary(c, OP_SUB, last, one);
    const Shape state = {.rank = 2, .dims = {batch, units}},
                collected = {.rank = 3, .dims = {steps, batch, gate_units}};
    l.init[CARRY_CS_GRAD] = make_broadcast(c, zero, &state);
    l.init[CARRY_H_GRAD] = make_broadcast(c, zero, &state);
    l.init[CARRY_GATES] = make_broadcast(c, zero, &collected);
    l.init[CARRY_W] = make_slice_axis(c, in[W], 0, features, units);
    l.init[CARRY_CS_PREV] = before_each_step(c, in[CS_PREV], in[CS], steps);
    static const int from[] = {I, CS, F, O, CI, CO};
    for (int k = 0; k < 6; k++) l.init[CARRY_I + k] = in[from[k]];
    l.init[CARRY_CS_GRADS] = in[CS_GRAD];
    l.init[CARRY_H_GRADS] = in[H_GRAD];
    memcpy(&l.init[CARRY_WCI], &in[WCI], 3 * sizeof(ValueId));
    const ValueId cs_before = l.init[CARRY_CS_PREV];
    if (!time_loop_run(c, &l, CARRY_W, more_steps, step_back, &cell)) return false;
    ValueId w_x = make_slice_axis(c, in[W], 0, dim_const(0), features);
    c->out[0] = make_matmul(c, l.init[CARRY_GATES], w_x, false, true);
    c->out[1] = l.init[CARRY_CS_GRAD];
    c->out[2] = l.init[CARRY_H_GRAD];
    ValueId xh[2] = {in[X]};
    xh[1] = before_each_step(c, in[H_PREV], in[H], steps);
    if (failed(xh[1])) return false;
    ValueId seen = make_concat(c, 2, xh, 2);
    const Shape seen_rows = {.rank = 2, .dims = {rows, dim_add(&c->g->dims, features, units)}},
                gate_rows = {.rank = 2, .dims = {rows, gate_units}}, state_rows = {.rank = 2, .dims = {rows, units}};
    seen = make_reshape(c, seen, &seen_rows);
    ValueId gates = make_reshape(c, l.init[CARRY_GATES], &gate_rows);
    c->out[3] = make_matmul(c, seen, gates, true, false);
    ValueId each[3] = {{0}}, states_before = make_reshape(c, cs_before, &state_rows),
            states = make_reshape(c, in[CS], &state_rows);
    each[0] = gate_of_all(c, gates, 0, units);
    each[1] = gate_of_all(c, gates, cell.ifco ? 1 : 2, units);
    each[2] = gate_of_all(c, gates, 3, units);
    peephole_gradients(c, peephole, each, states_before, states, &in[WCI], &c->out[4]);
    c->out[7] = sum_of_rows(c, gates);
    c->n_out = 8;
    for (uint32_t k = 0; k < c->n_out; k++)
        if (failed(c->out[k])) return false;
    return true;
}
