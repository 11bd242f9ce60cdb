/* rnn_cell: LSTM and GRU steps as every framework writes them: one or two matrix products, slices for the gates, and the well known formulas in
   any order of operands. Weights are taken apart and put together again in the order of the op's gates. */
#include "rnn_cell.h"

#include <string.h>

/* ---- projections */

typedef struct {
    ValueId products[2], bias[MAX_BIASES];
    int n_products, n_biases;
} Addends;

static bool collect(const Graph *g, ValueId v, Addends *out, int depth) {
    const Node *n;
    if (depth > 8) return false;
    if (value_const(g, v)) {
        if (out->n_biases == MAX_BIASES || shape_at(g, v)->rank > 2) return false;
        out->bias[out->n_biases++] = v;
        return true;
    }
    if ((n = match(g, v, OP_ADD))) return collect(g, n->inputs[0], out, depth + 1) && collect(g, n->inputs[1], out, depth + 1);
    n = match(g, v, OP_MATMUL);
    if (!n || out->n_products == 2 || !value_const(g, n->inputs[1]) || shape_at(g, n->inputs[1])->rank != 2) return false;
    if (node_int(n, "transpose_a", 0) || node_int(n, "transpose_b", 0) || shape_at(g, n->inputs[0])->rank != 2) return false;
    out->products[out->n_products++] = v;
    return true;
}

static Projection projection_of(const Graph *g, ValueId product) {
    const Node *n = match(g, product, OP_MATMUL);
    return (Projection){.input = n->inputs[0], .weights = n->inputs[1]};
}

/* z = x * w + h * r + biases, or [x, h] * w + biases */
static bool split_sum(const Graph *g, ValueId z, ValueId h, Cell *cell) {
    Addends sum = {.n_products = 0};
    if (!collect(g, z, &sum, 0) || sum.n_products == 0) return false;
    Projection a = projection_of(g, sum.products[0]), b;
    if (sum.n_products == 2) {
        b = projection_of(g, sum.products[1]);
    } else {
        const Node *both = match(g, a.input, OP_CONCAT);
        if (!both || both->n_inputs != 2 || node_int(both, "axis", 0) != 1) return false;
        Dim first = shape_at(g, both->inputs[0])->dims[1];
        if (!dim_is_const(first)) return false;
        b = a;
        b.row = first.value;
        a.input = both->inputs[0];
        b.input = both->inputs[1];
    }
    bool swap = h.i && a.input.i == h.i;
    if (h.i && !swap && b.input.i != h.i) return false;
    cell->x = swap ? b : a;
    cell->h = swap ? a : b;
    memcpy(cell->x.bias, sum.bias, sizeof sum.bias);
    cell->x.n_biases = sum.n_biases;
    return true;
}

/* v = columns block * hidden … of *out_whole */
static bool gate_of(const Graph *g, ValueId v, int64_t hidden, ValueId *out_whole, int64_t *out_block) {
    const Node *n = match(g, v, OP_SLICE);
    if (!n || shape_at(g, v)->rank != 2) return false;
    const Dim *begin = node_attr(n, "begin")->v.dims, *size = node_attr(n, "size")->v.dims;
    const int64_t *strides = node_attr(n, "strides")->v.ints;
    if (!dim_is(begin[0], 0) || !dim_equal(size[0], shape_at(g, n->inputs[0])->dims[0]) || strides[0] != 1 || strides[1] != 1) return false;
    if (!dim_is(size[1], hidden) || !dim_is_const(begin[1]) || begin[1].value % hidden != 0) return false;
    *out_whole = n->inputs[0];
    *out_block = begin[1].value / hidden;
    return true;
}

/* Whether blocks are the numbers 0 … n-1. */
static bool is_permutation(const int64_t *block, int n) {
    uint32_t seen = 0;
    for (int i = 0; i < n; i++)
        if (block[i] >= 0 && block[i] < n) seen |= 1u << block[i];
    return seen == (1u << n) - 1;
}

/* Shapes: x [B,I], h [B,H], weights of n gates, biases of n*H (or scalars). */
static bool check_projection(const Graph *g, const Projection *p, int64_t hidden, int n) {
    const Shape *w = shape_at(g, p->weights), *in = shape_at(g, p->input);
    if (!is_permutation(p->block, n) || !dim_is(w->dims[1], n * hidden) || !dim_is_const(in->dims[1])) return false;
    if (p->row + in->dims[1].value > w->dims[0].value) return false;
    for (int i = 0; i < p->n_biases; i++) {
        int64_t count = shape_count(shape_at(g, p->bias[i]));
        if (count != 1 && count != n * hidden) return false;
    }
    return true;
}

/* ---- lstm */

/* Constant scalar added to a gate: v = slice + constant, or the slice itself. */
static ValueId without_bias(const Graph *g, ValueId v, double *out) {
    const Node *n = match(g, v, OP_ADD);
    const Tensor *t = n ? value_const(g, n->inputs[1]) : NULL;
    *out = 0;
    if (!t || tensor_count(t) != 1 || !match(g, n->inputs[0], OP_SLICE)) return v;
    *out = tensor_get_f64(t, 0);
    return n->inputs[0];
}

/* The operand of the activation `op` among the two of n, else {0}; *out_other is the other operand. */
static ValueId activated(const Graph *g, const Node *n, int side, OpId op, ValueId *out_other) {
    const Node *f = match(g, n->inputs[side], op);
    *out_other = n->inputs[1 - side];
    return f ? f->inputs[0] : (ValueId){0};
}

/* c' = sigmoid(f) * c + sigmoid(i) * tanh(g), for one order of each operand: bits of `order` */
static bool match_state(const Graph *g, ValueId new_c, unsigned order, ValueId gates[MAX_GATES], ValueId *out_c) {
    const Node *sum = match(g, new_c, OP_ADD);
    const Node *keep = sum ? match(g, sum->inputs[order & 1], OP_MUL) : NULL, *add = sum ? match(g, sum->inputs[~order & 1], OP_MUL) : NULL;
    ValueId candidate;
    if (!keep || !add) return false;
    gates[2] = activated(g, keep, (order >> 1) & 1, OP_SIGMOID, out_c);
    gates[0] = activated(g, add, (order >> 2) & 1, OP_SIGMOID, &candidate);
    const Node *tanh = match(g, candidate, OP_TANH);
    gates[1] = tanh ? tanh->inputs[0] : (ValueId){0};
    return gates[0].i && gates[1].i && gates[2].i;
}

static bool match_lstm(const Graph *g, ValueId new_h, ValueId h, Cell *cell) {
    const Node *product = match(g, new_h, OP_MUL);
    if (!product) return false;
    for (unsigned order = 0; order < 16; order++) {
        ValueId gates[MAX_GATES], whole[MAX_GATES], squashed; /* gates in the op's order: i, c, f, o */
        gates[3] = activated(g, product, (int)(order >> 3), OP_SIGMOID, &squashed);
        const Node *tanh = match(g, squashed, OP_TANH);
        if (!gates[3].i || !tanh || !match_state(g, tanh->inputs[0], order & 7, gates, &cell->c)) continue;
        cell->new_c = tanh->inputs[0];
        gates[2] = without_bias(g, gates[2], &cell->forget_bias);
        bool ok = true;
        for (int i = 0; ok && i < 4; i++) ok = gate_of(g, gates[i], cell->hidden, &whole[i], &cell->x.block[i]) && whole[i].i == whole[0].i;
        if (!ok) continue;
        int64_t block[MAX_GATES];
        memcpy(block, cell->x.block, sizeof block);
        if (!split_sum(g, whole[0], h, cell)) continue;
        memcpy(cell->x.block, block, sizeof block);
        memcpy(cell->h.block, block, sizeof block);
        cell->op = OP_LSTM;
        if (check_projection(g, &cell->x, cell->hidden, 4) && check_projection(g, &cell->h, cell->hidden, 4)) return true;
    }
    return false;
}

/* ---- gru with the reset gate behind the matrix product (Keras' reset_after, cuDNN's form) */

/* v = slice of x's projection + slice of h's, in either order; the projections are told apart by their input. */
static bool match_two_parts(const Graph *g, ValueId v, int64_t hidden, ValueId wholes[2], int64_t blocks[2]) {
    const Node *sum = match(g, v, OP_ADD);
    return sum && gate_of(g, sum->inputs[0], hidden, &wholes[0], &blocks[0]) && gate_of(g, sum->inputs[1], hidden, &wholes[1], &blocks[1]);
}

/* whole = input * weights + biases; false when it is anything else */
static bool single_projection(const Graph *g, ValueId whole, Projection *p) {
    Addends sum = {.n_products = 0};
    int64_t block[MAX_GATES];
    memcpy(block, p->block, sizeof block);
    if (!collect(g, whole, &sum, 0) || sum.n_products != 1) return false;
    *p = projection_of(g, sum.products[0]);
    memcpy(p->block, block, sizeof block);
    memcpy(p->bias, sum.bias, sizeof sum.bias);
    p->n_biases = sum.n_biases;
    return true;
}

/* h' = z * h + (1 - z) * tanh(x_h + r * h_h); bits of `order` choose operands */
static bool match_gru_order(const Graph *g, ValueId new_h, ValueId h, unsigned order, Cell *cell) {
    const Node *sum = match(g, new_h, OP_ADD);
    const Node *keep = sum ? match(g, sum->inputs[order & 1], OP_MUL) : NULL, *take = sum ? match(g, sum->inputs[~order & 1], OP_MUL) : NULL;
    if (!keep || !take || keep->inputs[(order >> 1) & 1].i != h.i) return false;
    ValueId update = keep->inputs[(~order >> 1) & 1];
    const Node *rest = match(g, take->inputs[(order >> 2) & 1], OP_SUB), *tanh = match(g, take->inputs[(~order >> 2) & 1], OP_TANH);
    const Node *z = match(g, update, OP_SIGMOID), *inner = tanh ? match(g, tanh->inputs[0], OP_ADD) : NULL;
    if (!rest || !inner || !z || rest->inputs[1].i != update.i || !value_is_splat(g, rest->inputs[0], 1)) return false;
    const Node *gated = match(g, inner->inputs[(order >> 3) & 1], OP_MUL);
    const Node *r = gated ? match(g, gated->inputs[(order >> 4) & 1], OP_SIGMOID) : NULL;
    if (!r) return false;
    ValueId x_whole, h_whole, wholes[2];
    int64_t blocks[2];
    if (!gate_of(g, inner->inputs[(~order >> 3) & 1], cell->hidden, &x_whole, &cell->x.block[2])) return false;
    if (!gate_of(g, gated->inputs[(~order >> 4) & 1], cell->hidden, &h_whole, &cell->h.block[2])) return false;
    const Node *gates[2] = {z, r};
    for (int i = 0; i < 2; i++) {
        if (!match_two_parts(g, gates[i]->inputs[0], cell->hidden, wholes, blocks)) return false;
        int of_x = wholes[0].i == x_whole.i ? 0 : 1;
        if (wholes[of_x].i != x_whole.i || wholes[1 - of_x].i != h_whole.i) return false;
        cell->x.block[i] = blocks[of_x];
        cell->h.block[i] = blocks[1 - of_x];
    }
    if (!single_projection(g, x_whole, &cell->x) || !single_projection(g, h_whole, &cell->h) || cell->h.input.i != h.i) return false;
    cell->op = OP_GRU;
    return check_projection(g, &cell->x, cell->hidden, 3) && check_projection(g, &cell->h, cell->hidden, 3);
}

bool cell_match(const Graph *g, ValueId new_h, ValueId h, Cell *out) {
    const Shape *s = shape_at(g, new_h);
    DType dtype = dtype_at(g, new_h);
    if (s->rank != 2 || !dim_is_const(s->dims[1]) || s->dims[1].value < 1 || (dtype != DTYPE_F32 && dtype != DTYPE_F64)) return false;
    *out = (Cell){.new_h = new_h, .hidden = s->dims[1].value};
    if (match_lstm(g, new_h, h, out)) return dim_equal(shape_at(g, out->h.input)->dims[1], s->dims[1]);
    for (unsigned order = 0; h.i && order < 32; order++) {
        *out = (Cell){.new_h = new_h, .hidden = s->dims[1].value};
        if (match_gru_order(g, new_h, h, order, out)) return true;
    }
    return false;
}

static bool same_projection(const Projection *a, const Projection *b) {
    if (a->weights.i != b->weights.i || a->row != b->row || a->n_biases != b->n_biases) return false;
    for (int i = 0; i < a->n_biases; i++)
        if (a->bias[i].i != b->bias[i].i) return false;
    return memcmp(a->block, b->block, sizeof a->block) == 0;
}

bool cell_same_weights(const Cell *a, const Cell *b) {
    return a->op == b->op && a->hidden == b->hidden && a->forget_bias == b->forget_bias && same_projection(&a->x, &b->x) && same_projection(&a->h, &b->h);
}

/* ---- building */

/* Rows row … row + rows of the weights, with the columns in the order of the gates. */
static ValueId gate_weights(Rewriter *w, const Projection *p, int64_t rows, int64_t hidden, int n) {
    const Tensor *from = value_const(w->g, p->weights);
    int64_t dims[2] = {rows, n * hidden}, columns = from->dims[1];
    Tensor to = tensor_new(w->g->arena, from->dtype, 2, dims);
    size_t size = dtype_size(from->dtype), run = (size_t)hidden * size;
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < n; k++)
            memcpy((uint8_t *)(uintptr_t)to.data + (size_t)(i * n + k) * run,
                   (const uint8_t *)from->data + (size_t)((p->row + i) * columns + p->block[k] * hidden) * size, run);
    return build_const(w->g, w->r, &to, node_at(w->g, value_at(w->g, p->weights)->def)->name);
}

static ValueId gate_bias(Rewriter *w, const Projection *p, DType dtype, int64_t hidden, int n) {
    int64_t count = n * hidden;
    Tensor to = tensor_new(w->g->arena, dtype, 1, &count);
    for (int i = 0; i < p->n_biases; i++) {
        const Tensor *from = value_const(w->g, p->bias[i]);
        for (int64_t k = 0; k < count; k++) {
            int64_t at = tensor_count(from) == 1 ? 0 : p->block[k / hidden] * hidden + k % hidden;
            tensor_set_f64(&to, k, tensor_get_f64(&to, k) + tensor_get_f64(from, at));
        }
    }
    return build_const(w->g, w->r, &to, "");
}

NodeId cell_insert(Rewriter *w, const Cell *cell, ValueId x, ValueId h, ValueId c, const char *name) {
    int n = cell->op == OP_LSTM ? 4 : 3;
    int64_t inputs = shape_at(w->g, x)->dims[2].value;
    DType dtype = dtype_at(w->g, x);
    ValueId weights = gate_weights(w, &cell->x, inputs, cell->hidden, n);
    ValueId recurrent = gate_weights(w, &cell->h, cell->hidden, cell->hidden, n);
    ValueId bias = gate_bias(w, &cell->x, dtype, cell->hidden, n), inner = {0};
    if (cell->op == OP_GRU) inner = gate_bias(w, &cell->h, dtype, cell->hidden, n);
    ValueId lstm_inputs[] = {x, h, c, weights, recurrent, bias}, gru_inputs[] = {x, h, weights, recurrent, bias, inner};
    Attr lstm_attrs[] = {attr_float("forget_bias", cell->forget_bias), attr_float("cell_clip", 0)}, gru_attr = attr_int("reset_after", 1);
    NodeSpec spec = {.op = cell->op, .name = name, .n_inputs = 6};
    spec.inputs = cell->op == OP_LSTM ? lstm_inputs : gru_inputs;
    spec.attrs = cell->op == OP_LSTM ? lstm_attrs : &gru_attr;
    spec.n_attrs = cell->op == OP_LSTM ? 2 : 1;
    Diag d;
    diag_init(&d, w->u->scratch, NULL);
    return graph_add(w->g, w->r, &spec, &d);
}
