/* import_rnn: the block ops of recurrent cells. A single step is a composition; BlockLSTM, which hands out every gate
   of every step, is a loop over time with the product of all inputs hoisted out of it. */
#include "frontend/import_time_loop.h"

#include <string.h>

/* What the steps of a cell share. */
typedef struct {
    Dim units;
    bool ifco; /* order of the gates: i f c o, else i c f o */
    bool peephole;
    double forget_bias, cell_clip;
    ValueId wci, wcf, wco;
} LstmCell;

enum { OUT_I, OUT_CS, OUT_F, OUT_O, OUT_CI, OUT_CO, OUT_H, N_LSTM_OUTPUTS };

static ValueId gate(Import *c, const LstmCell *cell, ValueId gates, int64_t which) {
    Dim begin = d_mul(c, cell->units, dim_const(which));
    return make_slice_axis(c, gates, 1, begin, cell->units);
}

/* x + state * weight, with peepholes; else x */
static ValueId peep(Import *c, const LstmCell *cell, ValueId x, ValueId state, ValueId weight) {
    if (!cell->peephole) return x;
    ValueId seen = make_binary(c, OP_MUL, state, weight);
    return make_binary(c, OP_ADD, x, seen);
}

/* One step from the gates' sums [batch, 4 units] and the state before. */
static bool lstm_step(Import *c, const LstmCell *cell, ValueId gates, ValueId cs_prev, ValueId *out) {
    ValueId i = gate(c, cell, gates, 0);
    ValueId ci = gate(c, cell, gates, cell->ifco ? 2 : 1);
    ValueId f = gate(c, cell, gates, cell->ifco ? 1 : 2);
    ValueId o = gate(c, cell, gates, 3);
    i = peep(c, cell, i, cs_prev, cell->wci);
    out[OUT_I] = make_unary(c, OP_SIGMOID, i);
    out[OUT_CI] = make_unary(c, OP_TANH, ci);
    ValueId bias = make_like(c, f, cell->forget_bias);
    f = make_binary(c, OP_ADD, f, bias);
    f = peep(c, cell, f, cs_prev, cell->wcf);
    out[OUT_F] = make_unary(c, OP_SIGMOID, f);
    ValueId fresh = make_binary(c, OP_MUL, out[OUT_CI], out[OUT_I]);
    ValueId kept = make_binary(c, OP_MUL, cs_prev, out[OUT_F]);
    ValueId cs = make_binary(c, OP_ADD, fresh, kept);
    if (cell->cell_clip > 0) {
        ValueId most = make_like(c, cs, cell->cell_clip);
        ValueId least = make_like(c, cs, -cell->cell_clip);
        cs = make_binary(c, OP_MIN, cs, most);
        cs = make_binary(c, OP_MAX, cs, least);
    }
    out[OUT_CS] = cs;
    o = peep(c, cell, o, cs, cell->wco);
    out[OUT_O] = make_unary(c, OP_SIGMOID, o);
    out[OUT_CO] = make_unary(c, OP_TANH, cs);
    out[OUT_H] = make_binary(c, OP_MUL, out[OUT_O], out[OUT_CO]);
    return !failed(out[OUT_H]);
}

static LstmCell read_cell(Import *c, ValueId cs_prev) {
    LstmCell cell = {.units = dim_of(c, cs_prev, 1)};
    cell.peephole = attr_i(c, "use_peephole", 0) != 0;
    cell.forget_bias = attr_f(c, "forget_bias", 1);
    cell.cell_clip = attr_f(c, "cell_clip", 3);
    return cell;
}

/* (x, cs_prev, h_prev, w, wci, wcf, wco, b) -> i, cs, f, o, ci, co, h */
bool import_lstm_block_cell(Import *c) {
    if (rank_of(c, c->in[0]) != 2 || rank_of(c, c->in[1]) != 2) return bad(c, "needs an input and states of rank 2");
    LstmCell cell = read_cell(c, c->in[1]);
    cell.wci = c->in[4];
    cell.wcf = c->in[5];
    cell.wco = c->in[6];
    ValueId parts[2] = {c->in[0], c->in[2]};
    ValueId xh = make_concat(c, 2, parts, 1);
    ValueId product = make_matmul(c, xh, c->in[3], false, false);
    ValueId gates = make_binary(c, OP_ADD, product, c->in[7]);
    c->n_out = N_LSTM_OUTPUTS;
    return lstm_step(c, &cell, gates, c->in[1], c->out);
}

/* (x, h_prev, w_ru, w_c, b_ru, b_c) -> r, u, c, h */
bool import_gru_block_cell(Import *c) {
    ValueId x = c->in[0];
    ValueId h = c->in[1];
    if (rank_of(c, x) != 2 || rank_of(c, h) != 2) return bad(c, "needs an input and a state of rank 2");
    Dim units = dim_of(c, h, 1);
    ValueId parts[2] = {x, h};
    ValueId xh = make_concat(c, 2, parts, 1);
    ValueId product = make_matmul(c, xh, c->in[2], false, false);
    ValueId sums = make_binary(c, OP_ADD, product, c->in[4]);
    ValueId ru = make_unary(c, OP_SIGMOID, sums);
    ValueId r = make_slice_axis(c, ru, 1, dim_const(0), units);
    ValueId u = make_slice_axis(c, ru, 1, units, units);
    parts[1] = make_binary(c, OP_MUL, h, r);
    ValueId xhr = failed(parts[1]) ? parts[1] : make_concat(c, 2, parts, 1);
    ValueId candidate = make_matmul(c, xhr, c->in[3], false, false);
    candidate = make_binary(c, OP_ADD, candidate, c->in[5]);
    candidate = make_unary(c, OP_TANH, candidate);
    ValueId one = make_like(c, u, 1);
    ValueId rest = make_binary(c, OP_SUB, one, u);
    ValueId kept = make_binary(c, OP_MUL, u, h);
    ValueId fresh = make_binary(c, OP_MUL, rest, candidate);
    c->out[0] = r;
    c->out[1] = u;
    c->out[2] = candidate;
    c->out[3] = make_binary(c, OP_ADD, kept, fresh);
    c->n_out = 4;
    return !failed(c->out[3]);
}

/* ---- BlockLSTM: the loop over time. Carried: */
enum {
    CARRY_TIME,
    CARRY_LIMIT,
    CARRY_CS,
    CARRY_H,
    CARRY_OUT,
    CARRY_SUMS = CARRY_OUT + N_LSTM_OUTPUTS,
    CARRY_W,
    CARRY_WCI, /* without peepholes these three are absent */
    CARRY_WCF,
    CARRY_WCO,
    N_CARRIED
};

static ValueId more_steps(Import *c, const ValueId *v) {
    return make_binary(c, OP_LT, v[CARRY_TIME], v[CARRY_LIMIT]);
}

static bool step_forward(Import *c, const void *env, ValueId *v) {
    LstmCell cell = *(const LstmCell *)env;
    cell.wci = v[CARRY_WCI];
    cell.wcf = v[CARRY_WCF];
    cell.wco = v[CARRY_WCO];
    ValueId sums = make_gather(c, v[CARRY_SUMS], v[CARRY_TIME], 0, 0, false);
    ValueId recurrent = make_matmul(c, v[CARRY_H], v[CARRY_W], false, false);
    ValueId gates = make_binary(c, OP_ADD, sums, recurrent);
    ValueId out[N_LSTM_OUTPUTS];
    if (!lstm_step(c, &cell, gates, v[CARRY_CS], out)) return false;
    v[CARRY_CS] = out[OUT_CS];
    v[CARRY_H] = out[OUT_H];
    ValueId place = time_loop_place(c, v[CARRY_TIME]);
    for (int i = 0; i < N_LSTM_OUTPUTS; i++) v[CARRY_OUT + i] = time_loop_put(c, v[CARRY_OUT + i], out[i], place);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    v[CARRY_TIME] = make_binary(c, OP_ADD, v[CARRY_TIME], one);
    return true;
}

/* (seq_len_max, x [T,B,I], cs_prev, h_prev, w, wci, wcf, wco, b) -> i, cs, f, o, ci, co, h of all steps; steps from
   seq_len_max on are zeros. V2 (arg 1) has the gates in another order and no forget bias. */
bool import_block_lstm(Import *c) {
    ValueId x = c->in[1];
    if (rank_of(c, x) != 3 || rank_of(c, c->in[2]) != 2 || rank_of(c, c->in[4]) != 2)
        return bad(c, "needs inputs of rank 3, states and weights of rank 2");
    bool v2 = import_row(c)->arg == 1;
    LstmCell cell = read_cell(c, c->in[2]);
    cell.ifco = v2;
    if (v2) {
        cell.forget_bias = 0;
        cell.cell_clip = attr_f(c, "cell_clip", 0);
    }
    Dim features = dim_of(c, x, 2);
    ValueId w_x = make_slice_axis(c, c->in[4], 0, dim_const(0), features);
    ValueId w_h = make_slice_axis(c, c->in[4], 0, features, cell.units);
    ValueId product = make_matmul(c, x, w_x, false, false);
    TimeLoop l = {.n = cell.peephole ? N_CARRIED : CARRY_WCI};
    l.init[CARRY_SUMS] = make_binary(c, OP_ADD, product, c->in[8]);
    l.init[CARRY_W] = w_h;
    l.init[CARRY_CS] = c->in[2];
    l.init[CARRY_H] = c->in[3];
    l.init[CARRY_TIME] = make_scalar_int(c, DTYPE_S64, 0);
    l.init[CARRY_LIMIT] = make_cast(c, c->in[0], DTYPE_S64);
    Shape s = {.rank = 3, .dims = {dim_of(c, x, 0), dim_of(c, c->in[2], 0), cell.units}};
    Dim steps = s.dims[0];
    ValueId all = make_dims(c, DTYPE_S64, 0, 1, &steps);
    l.init[CARRY_LIMIT] = make_binary(c, OP_MIN, l.init[CARRY_LIMIT], all);
    for (int i = 0; i < N_LSTM_OUTPUTS; i++) {
        ValueId zero = make_like(c, c->in[2], 0);
        l.init[CARRY_OUT + i] = make_broadcast(c, zero, &s);
    }
    memcpy(&l.init[CARRY_WCI], &c->in[5], 3 * sizeof(ValueId));
    if (!time_loop_run(c, &l, CARRY_W, more_steps, step_forward, &cell)) return false;
    memcpy(c->out, &l.init[CARRY_OUT], N_LSTM_OUTPUTS * sizeof(ValueId));
    c->n_out = N_LSTM_OUTPUTS;
    return true;
}
