/* rnn_cell: LSTM and GRU steps as every framework writes them: matrix products of input and state, apart or of both
   joined, one for all gates or one for each, slices before or behind the activation, and the well known formulas in any
   order of operands. Weights are taken apart and put together again in the order of the op's gates. */
#include "rnn_cell.h"

#include <string.h>

/* ---- sums */

enum { MAX_PRODUCTS = 2 };

typedef struct {
    ValueId inputs[MAX_PRODUCTS]; /* of the products */
    Part products[MAX_PRODUCTS], bias[MAX_BIASES];
    int n_products, n_biases;
} Sum;

/* v = columns block * hidden … of *out_whole */
static bool is_block(const Graph *g, ValueId v, int64_t hidden, ValueId *out_whole, int64_t *out_block) {
    const Node *n = match(g, v, OP_SLICE);
    if (!n || shape_at(g, v)->rank != 2) return false;
    const Dim *begin = node_attr(n, "begin")->v.dims, *size = node_attr(n, "size")->v.dims;
    const int64_t *strides = node_attr(n, "strides")->v.ints;
    if (!dim_is(begin[0], 0) || !dim_equal(size[0], shape_at(g, n->inputs[0])->dims[0]) || strides[0] != 1 ||
        strides[1] != 1)
        return false;
    if (!dim_is(size[1], hidden) || !dim_is_const(begin[1]) || begin[1].value % hidden != 0) return false;
    *out_whole = n->inputs[0];
    *out_block = begin[1].value / hidden;
    return true;
}

static bool add_product(const Graph *g, Sum *s, ValueId input, Part part) {
    const Shape *in = shape_at(g, input), *w = shape_at(g, part.weights);
    if (s->n_products == MAX_PRODUCTS || in->rank != 2 || !dim_is_const(in->dims[1]) ||
        part.row + in->dims[1].value > w->dims[0].value)
        return false;
    s->inputs[s->n_products] = input;
    s->products[s->n_products++] = part;
    return true;
}

/* input * weights, or [a, b] * weights */
static bool collect_product(const Graph *g, const Node *n, int64_t block, int64_t hidden, Sum *out) {
    ValueId weights = n->inputs[1], input = n->inputs[0];
    const Shape *w = shape_at(g, weights);
    if (!value_const(g, weights) || w->rank != 2 || node_int(n, "transpose_a", 0) || node_int(n, "transpose_b", 0))
        return false;
    if (block < 0 ? !dim_is(w->dims[1], hidden) : (block + 1) * hidden > w->dims[1].value) return false;
    const Node *both = match(g, input, OP_CONCAT);
    Part part = {weights, 0, block < 0 ? 0 : block};
    if (!both || both->n_inputs != 2 || node_int(both, "axis", 0) != 1) return add_product(g, out, input, part);
    Dim first = shape_at(g, both->inputs[0])->dims[1];
    Part second = part;
    second.row = first.value;
    return dim_is_const(first) && add_product(g, out, both->inputs[0], part) &&
           add_product(g, out, both->inputs[1], second);
}

/* Takes v apart into products and constants. block: which part of it is meant, -1: all of its `hidden` columns. */
static bool collect(const Graph *g, ValueId v, int64_t block, int64_t hidden, Sum *out, int depth) {
    const Node *n;
    ValueId whole;
    int64_t inner;
    if (depth > 10) return false;
    if (value_const(g, v)) {
        int64_t count = shape_count(shape_at(g, v)), at = block < 0 ? 0 : block;
        if (out->n_biases == MAX_BIASES || shape_at(g, v)->rank > 2 || (count != 1 && count < (at + 1) * hidden))
            return false;
        if (shape_at(g, v)->rank == 2 && !dim_is(shape_at(g, v)->dims[0], 1)) return false;
        out->bias[out->n_biases++] = (Part){v, 0, at};
        return true;
    }
    if ((n = match(g, v, OP_ADD))) {
        return collect(g, n->inputs[0], block, hidden, out, depth + 1) &&
               collect(g, n->inputs[1], block, hidden, out, depth + 1);
    }
    if (block < 0 && is_block(g, v, hidden, &whole, &inner)) return collect(g, whole, inner, hidden, out, depth + 1);
    n = match(g, v, OP_MATMUL);
    return n && collect_product(g, n, block, hidden, out);
}

/* v = sigmoid of a sum, sliced before or behind; the sum's parts */
static bool sigmoid_sum(const Graph *g, ValueId v, int64_t hidden, Sum *out) {
    ValueId whole;
    int64_t block = -1;
    const Node *n = match(g, v, OP_SIGMOID);
    *out = (Sum){.n_products = 0};
    if (!n && is_block(g, v, hidden, &whole, &block)) n = match(g, whole, OP_SIGMOID);
    return n && collect(g, n->inputs[0], block, hidden, out, 0);
}

static bool is_zero(const Graph *g, ValueId v) {
    const Node *broadcast = match(g, v, OP_BROADCAST);
    return value_is_splat(g, broadcast ? broadcast->inputs[0] : v, 0);
}

/* The same state: of the first step, zeros may stand there in several shapes. */
static bool same_state(const Graph *g, ValueId a, ValueId b) {
    return a.i == b.i || (is_zero(g, a) && is_zero(g, b));
}

/* The gate that a sum is: one product with the cell's input and one with `h`. The first gate looked at says which the
 * input is. */
static bool to_gate(const Graph *g, const Sum *s, ValueId h, Cell *cell, Gate *out) {
    if (s->n_products != 2) return false;
    if (!cell->h.i) cell->h = h.i ? h : s->inputs[1];
    int of_h = same_state(g, s->inputs[1], cell->h) ? 1 : 0;
    if (!same_state(g, s->inputs[of_h], cell->h)) return false;
    if (!cell->input.i) cell->input = s->inputs[1 - of_h];
    if (s->inputs[1 - of_h].i != cell->input.i || !dim_is(shape_at(g, cell->h)->dims[1], cell->hidden)) return false;
    out->x = s->products[1 - of_h];
    out->h = s->products[of_h];
    out->n_biases = s->n_biases;
    memcpy(out->bias, s->bias, sizeof s->bias);
    return true;
}

/* ---- lstm */

/* c' = sigmoid(f) * c + sigmoid(i) * tanh(g), h' = sigmoid(o) * tanh(c'), for one order of each operand: bits of
 * `order` */
static bool match_lstm(const Graph *g, ValueId new_h, ValueId h, unsigned order, Cell *cell) {
    const Node *product = match(g, new_h, OP_MUL),
               *squashed = product ? match(g, product->inputs[~order & 1], OP_TANH) : NULL;
    const Node *sum = squashed ? match(g, squashed->inputs[0], OP_ADD) : NULL;
    if (!sum) return false;
    unsigned of_keep = (order >> 1) & 1, of_f = (order >> 2) & 1, of_i = (order >> 3) & 1;
    const Node *keep = match(g, sum->inputs[of_keep], OP_MUL), *take = match(g, sum->inputs[1 - of_keep], OP_MUL);
    const Node *candidate = take ? match(g, take->inputs[1 - of_i], OP_TANH) : NULL;
    if (!keep || !candidate) return false;
    Sum sums[4] = {{.n_products = 0}}; /* the op's order: i, c, f, o */
    if (!sigmoid_sum(g, take->inputs[of_i], cell->hidden, &sums[0]) ||
        !collect(g, candidate->inputs[0], -1, cell->hidden, &sums[1], 0))
        return false;
    if (!sigmoid_sum(g, keep->inputs[of_f], cell->hidden, &sums[2]) ||
        !sigmoid_sum(g, product->inputs[order & 1], cell->hidden, &sums[3]))
        return false;
    cell->op = OP_LSTM;
    cell->n_gates = 4;
    cell->c = keep->inputs[1 - of_f];
    cell->new_c = squashed->inputs[0];
    for (int i = 0; i < 4; i++)
        if (!to_gate(g, &sums[i], h, cell, &cell->gates[i])) return false;
    return true;
}

/* ---- gru */

/* The last gate when the reset gate is behind the product: x part + r * h part */
static bool reset_behind(const Graph *g, ValueId sum, unsigned order, Sum *reset, Cell *cell) {
    const Node *inner = match(g, sum, OP_ADD), *gated = inner ? match(g, inner->inputs[order & 1], OP_MUL) : NULL;
    Sum x = {.n_products = 0}, h = {.n_products = 0};
    if (!gated || !sigmoid_sum(g, gated->inputs[(order >> 1) & 1], cell->hidden, reset)) return false;
    if (!collect(g, inner->inputs[~order & 1], -1, cell->hidden, &x, 0) ||
        !collect(g, gated->inputs[(~order >> 1) & 1], -1, cell->hidden, &h, 0))
        return false;
    if (x.n_products != 1 || h.n_products != 1 || !same_state(g, h.inputs[0], cell->h)) return false;
    Gate *last = &cell->gates[2];
    cell->reset_after = true;
    cell->input = x.inputs[0];
    last->x = x.products[0];
    last->h = h.products[0];
    last->n_biases = x.n_biases;
    last->n_h_biases = h.n_biases;
    memcpy(last->bias, x.bias, sizeof x.bias);
    memcpy(last->h_bias, h.bias, sizeof h.bias);
    return true;
}

/* The last gate when the reset gate is in front: a product with r * h */
static bool reset_in_front(const Graph *g, ValueId sum, unsigned order, Sum *reset, Cell *cell) {
    Sum last = {.n_products = 0};
    if (!collect(g, sum, -1, cell->hidden, &last, 0) || last.n_products != 2) return false;
    for (int i = 0; i < 2; i++) {
        const Node *gated = match(g, last.inputs[i], OP_MUL);
        if (!gated || !same_state(g, gated->inputs[order & 1], cell->h) ||
            !sigmoid_sum(g, gated->inputs[~order & 1], cell->hidden, reset))
            continue;
        last.inputs[i] = cell->h; /* reset times h is what the op multiplies with the recurrent weights itself */
        return to_gate(g, &last, cell->h, cell, &cell->gates[2]);
    }
    return false;
}

/* h' = z * h + (1 - z) * tanh(last gate); bits of `order` choose operands */
static bool match_gru(const Graph *g, ValueId new_h, ValueId h, unsigned order, Cell *cell) {
    const Node *sum = match(g, new_h, OP_ADD);
    unsigned of_keep = order & 1, of_h = (order >> 1) & 1, of_rest = (order >> 2) & 1;
    const Node *keep = sum ? match(g, sum->inputs[of_keep], OP_MUL) : NULL,
               *take = sum ? match(g, sum->inputs[1 - of_keep], OP_MUL) : NULL;
    if (!keep || !take || (h.i && keep->inputs[of_h].i != h.i)) return false;
    ValueId update = keep->inputs[1 - of_h];
    const Node *rest = match(g, take->inputs[of_rest], OP_SUB), *tanh = match(g, take->inputs[1 - of_rest], OP_TANH);
    if (!rest || !tanh || rest->inputs[1].i != update.i || !value_is_splat(g, rest->inputs[0], 1)) return false;
    Sum z, r = {.n_products = 0};
    cell->op = OP_GRU;
    cell->n_gates = 3;
    cell->h = keep->inputs[of_h];
    if (!sigmoid_sum(g, update, cell->hidden, &z)) return false;
    for (int i = 0; i < z.n_products && shape_at(g, cell->h)->rank != 2; i++)
        if (same_state(g, z.inputs[i], cell->h)) cell->h = z.inputs[i];
    if (shape_at(g, cell->h)->rank != 2) return false;
    if (!reset_behind(g, tanh->inputs[0], order >> 3, &r, cell) &&
        !reset_in_front(g, tanh->inputs[0], order >> 3, &r, cell))
        return false;
    return to_gate(g, &z, cell->h, cell, &cell->gates[0]) && to_gate(g, &r, cell->h, cell, &cell->gates[1]);
}

bool cell_match(const Graph *g, ValueId new_h, ValueId h, Cell *out) {
    const Shape *s = shape_at(g, new_h);
    DType dtype = dtype_at(g, new_h);
    if (s->rank != 2 || !dim_is_const(s->dims[1]) || s->dims[1].value < 1 || (dtype != DTYPE_F32 && dtype != DTYPE_F64))
        return false;
    const Cell start = {.new_h = new_h, .hidden = s->dims[1].value};
    for (unsigned order = 0; order < 32; order++) {
        *out = start;
        if (order < 16 && match_lstm(g, new_h, h, order, out)) return true;
        *out = start;
        if (match_gru(g, new_h, h, order, out)) return true;
    }
    return false;
}

bool cell_fits(const Graph *g, const Cell *cell) {
    enum { ROWS = 6, MOST_BYTES = 65536 }; /* gates and states of lower_rnn.c */
    return cell->hidden <= MOST_BYTES / (ROWS * (int64_t)dtype_size(dtype_at(g, cell->new_h)));
}

static bool same_parts(const Part *a, const Part *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i].weights.i != b[i].weights.i || a[i].row != b[i].row || a[i].block != b[i].block) return false;
    return true;
}

bool cell_same_weights(const Cell *a, const Cell *b) {
    if (a->op != b->op || a->hidden != b->hidden || a->reset_after != b->reset_after) return false;
    for (int i = 0; i < a->n_gates; i++) {
        const Gate *p = &a->gates[i], *q = &b->gates[i];
        if (p->n_biases != q->n_biases || p->n_h_biases != q->n_h_biases || !same_parts(&p->x, &q->x, 1) ||
            !same_parts(&p->h, &q->h, 1))
            return false;
        if (!same_parts(p->bias, q->bias, p->n_biases) || !same_parts(p->h_bias, q->h_bias, p->n_h_biases))
            return false;
    }
    return true;
}

/* ---- building */

/* The gates' weights side by side, for `rows` inputs (or for the state). */
static ValueId gate_weights(Rewriter *w, const Cell *cell, bool of_state, int64_t rows) {
    int n = cell->n_gates;
    int64_t dims[2] = {rows, n * cell->hidden};
    DType dtype = dtype_at(w->g, cell->new_h);
    Tensor to = tensor_new(w->g->arena, dtype, 2, dims);
    size_t size = dtype_size(dtype), run = (size_t)cell->hidden * size;
    for (int k = 0; k < n; k++) {
        const Part *part = of_state ? &cell->gates[k].h : &cell->gates[k].x;
        const Tensor *from = value_const(w->g, part->weights);
        for (int64_t i = 0; i < rows; i++)
            memcpy((uint8_t *)(uintptr_t)to.data + (size_t)(i * n + k) * run,
                   (const uint8_t *)from->data +
                       (size_t)((part->row + i) * from->dims[1] + part->block * cell->hidden) * size,
                   run);
    }
    return build_const(w->g, w->r, &to, node_at(w->g, value_at(w->g, cell->gates[0].x.weights)->def)->name);
}

static ValueId gate_bias(Rewriter *w, const Cell *cell, bool of_state) {
    int64_t count = cell->n_gates * cell->hidden;
    Tensor to = tensor_new(w->g->arena, dtype_at(w->g, cell->new_h), 1, &count);
    for (int64_t k = 0; k < count; k++) {
        const Gate *gate = &cell->gates[k / cell->hidden];
        const Part *parts = of_state ? gate->h_bias : gate->bias;
        double sum = 0;
        for (int i = 0, n = of_state ? gate->n_h_biases : gate->n_biases; i < n; i++) {
            const Tensor *from = value_const(w->g, parts[i].weights);
            sum += tensor_get_f64(from, tensor_count(from) == 1 ? 0 : parts[i].block * cell->hidden + k % cell->hidden);
        }
        tensor_set_f64(&to, k, sum);
    }
    return build_const(w->g, w->r, &to, "");
}

NodeId cell_insert(Rewriter *w, const Cell *cell, ValueId x, ValueId h, ValueId c, const char *name) {
    ValueId weights = gate_weights(w, cell, false, shape_at(w->g, x)->dims[2].value);
    ValueId recurrent = gate_weights(w, cell, true, cell->hidden);
    ValueId bias = gate_bias(w, cell, false), inner = {0};
    if (cell->op == OP_GRU) inner = gate_bias(w, cell, true);
    ValueId lstm_inputs[] = {x, h, c, weights, recurrent, bias}, gru_inputs[] = {x, h, weights, recurrent, bias, inner};
    Attr lstm_attrs[] = {attr_float("forget_bias", 0), attr_float("cell_clip", 0)},
         gru_attr = attr_int("reset_after", cell->reset_after);
    NodeSpec spec = {.op = cell->op, .name = name, .n_inputs = 6};
    spec.inputs = cell->op == OP_LSTM ? lstm_inputs : gru_inputs;
    spec.attrs = cell->op == OP_LSTM ? lstm_attrs : &gru_attr;
    spec.n_attrs = cell->op == OP_LSTM ? 2 : 1;
    Diag d;
    diag_init(&d, w->u->scratch, NULL);
    return graph_add(w->g, w->r, &spec, &d);
}
