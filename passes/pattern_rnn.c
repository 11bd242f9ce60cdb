/* pattern_rnn: loops over time, and cells written one after the other, become lstm or gru over all steps: one product
   for the inputs of all steps, and one step for the rest. A loop is one over time when it counts from 0 by 1 to the
   length of its input, reads one step of it a turn, and writes only its states and outputs. Loops over time with other
   cells become a recurrence (recurrence.c).      needs: canonical form, after control and cse      keeps: shapes,
   order */
#include "recurrence.h"
#include "rnn_cell.h"
#include "time_loop.h"

#include <string.h>

/* ---- loops */

typedef struct {
    TimeLoop t;
    uint32_t h, c, x; /* which carried values they are; c is h for a gru */
    Cell cell;
} CellLoop;

/* The cell's input is one step of a carried value that no turn changes, at the counter. */
static bool reads_step(CellLoop *l, ValueId x) {
    const Graph *g = l->t.g;
    const Node *gather = match(g, x, OP_GATHER);
    if (!gather || node_int(gather, "axis", -1) != 0 || node_int(gather, "batch_dims", 0)) return false;
    int series = time_loop_param(&l->t, gather->inputs[0]), at = time_loop_param(&l->t, gather->inputs[1]);
    if (series < 0 || at < 0 || !time_loop_counts(&l->t, (uint32_t)at) || !time_loop_keeps(&l->t, (uint32_t)series))
        return false;
    const Shape *s = shape_at(g, l->t.n->inputs[series]);
    l->x = (uint32_t)series;
    return s->rank == 3 && dim_equal(s->dims[0], l->t.steps) && dim_is_const(s->dims[2]);
}

static bool find_cell(CellLoop *l) {
    const Region *body = l->t.body;
    for (uint32_t i = 0; i < body->params.len; i++) {
        if (!cell_match(l->t.g, body->results.data[i], body->params.data[i], &l->cell)) continue;
        l->h = l->c = i;
        if (l->cell.op == OP_LSTM) {
            int c = time_loop_param(&l->t, l->cell.c);
            if (c < 0 || body->results.data[c].i != l->cell.new_c.i) continue;
            l->c = (uint32_t)c;
        }
        if (cell_fits(l->t.g, &l->cell) && reads_step(l, l->cell.input)) return true;
    }
    return false;
}

/* How the results of the loop come out of the op. */
typedef enum {
    RESULT_UNKNOWN,
    RESULT_COUNTER,
    RESULT_H,
    RESULT_C,
    RESULT_SERIES,
    RESULT_OUTPUTS,
    RESULT_LAST
} ResultKind;

static ResultKind result_kind(const CellLoop *l, uint32_t i) {
    bool single = false;
    if (time_loop_counts(&l->t, i)) return RESULT_COUNTER;
    if (i == l->h) return RESULT_H;
    if (i == l->c) return RESULT_C;
    if (time_loop_keeps(&l->t, i)) return RESULT_SERIES;
    if (time_loop_written(&l->t, i, &single).i != l->cell.new_h.i) return RESULT_UNKNOWN;
    return single ? RESULT_LAST : RESULT_OUTPUTS;
}

/* What stands for result i of the loop. */
static ValueId make_result(Rewriter *w, const CellLoop *l, uint32_t i, ResultKind kind, const ValueId *made) {
    const Node *n = l->t.n;
    if (kind == RESULT_COUNTER) return build_dims(w->g, w->r, dtype_at(w->g, n->outputs[i]), 0, 1, &l->t.steps, "");
    if (kind == RESULT_H) return made[1];
    if (kind == RESULT_C) return made[2];
    if (kind == RESULT_OUTPUTS) return made[0];
    if (kind == RESULT_SERIES) return n->inputs[i];
    Shape s = *shape_at(w->g, n->outputs[i]);
    return insert_reshape(w, made[1], &s, n->name);
}

/* Several entries known to come together: a recurrence reads each weight once for some of them. */
static bool is_batched(const CellLoop *l) {
    Dim batch = shape_at(l->t.g, l->t.n->inputs[l->h])->dims[0];
    return dim_is_const(batch) && batch.value > 1;
}

static bool replace_loop(Unit *u, NodeId id, uint32_t counter, bool batched) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    CellLoop l = {.h = 0};
    if (!time_loop_find(g, n, counter, &l.t) || l.t.count.i || !dim_equal(l.t.limit, l.t.steps) || !find_cell(&l) ||
        is_batched(&l) != batched)
        return false;
    uint32_t n_results = n->n_outputs;
    ResultKind *kinds = NEW_ARRAY(u->scratch, ResultKind, n_results);
    uint32_t *uses = graph_count_uses(g, u->scratch);
    for (uint32_t i = 0; i < n_results; i++) {
        kinds[i] = result_kind(&l, i);
        bool same = shape_equal(shape_at(g, n->inputs[i]), shape_at(g, n->outputs[i]));
        if (kinds[i] == RESULT_UNKNOWN ? uses[n->outputs[i].i] != 0 : !same) return false;
    }
    Rewriter w = {.u = u, .g = g, .r = n->region, .uses = uses, .n_uses = g->values.len};
    Cell cell = l.cell;
    double ns = u->machine ? cost_node(g, id, u->machine).ns : 0;
    NodeId op = cell_insert(&w, &cell, n->inputs[l.x], n->inputs[l.h], n->inputs[l.c], n->name);
    if (!op.i) return false;
    ValueId made[3] = {{0}};
    memcpy(made, node_at(g, op)->outputs, node_at(g, op)->n_outputs * sizeof *made);
    for (uint32_t i = 0; i < n_results; i++) {
        l.t.n = node_at(g, id);
        if (kinds[i] == RESULT_UNKNOWN || !uses[l.t.n->outputs[i].i]) continue;
        ValueId result = make_result(&w, &l, i, kinds[i], made);
        CHECK(result.i);
        graph_replace_uses(g, node_at(g, id)->outputs[i], result);
    }
    rewrite_record(u, "pattern_rnn", cell.op == OP_LSTM ? "loop is an lstm" : "loop is a gru", node_at(g, id)->name, ns,
                   u->machine ? cost_node(g, op, u->machine).ns : 0);
    graph_remove(g, id);
    return true;
}

static bool try_loop(Unit *u, NodeId id) {
    uint32_t n = node_at(u->g, id)->n_inputs;
    for (uint32_t i = 0; i < n; i++)
        if (replace_loop(u, id, i, false)) return true;
    for (uint32_t i = 0; i < n; i++)
        if (recurrence_replace(u, id, i)) return true;
    for (uint32_t i = 0; i < n; i++)
        if (replace_loop(u, id, i, true)) return true;
    return false;
}

/* ---- cells one after the other */

/* The series whose step along axis 1 v is, as unstack writes it: reshape(slice(series)); else {0}. */
static ValueId step_of_series(const Graph *g, ValueId v, int64_t *out_step) {
    const Node *step = match(g, v, OP_RESHAPE), *slice = step ? match(g, step->inputs[0], OP_SLICE) : NULL;
    const Shape *s = slice ? shape_at(g, slice->inputs[0]) : NULL, *one = slice ? shape_at(g, step->inputs[0]) : NULL,
                *flat = shape_at(g, v);
    if (!s || s->rank != 3 || flat->rank != 2 || !dim_equal(flat->dims[0], s->dims[0]) ||
        !dim_equal(flat->dims[1], s->dims[2]))
        return (ValueId){0};
    const Dim *begin = node_attr(slice, "begin")->v.dims;
    bool whole = dim_is(begin[0], 0) && dim_is(begin[2], 0) && dim_equal(one->dims[0], s->dims[0]) &&
                 dim_is(one->dims[1], 1) && dim_equal(one->dims[2], s->dims[2]);
    if (!whole || !dim_is_const(begin[1])) return (ValueId){0};
    *out_step = begin[1].value;
    return slice->inputs[0];
}

static ValueId take(Rewriter *w, ValueId x, const Dim *begin, const Dim *size, const char *name) {
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_dims(a, "begin", 3, begin), attr_dims(a, "size", 3, size),
                    attr_ints(a, "strides", 3, (int64_t[]){1, 1, 1})};
    return insert_op(w, OP_SLICE, name, 1, &x, 3, attrs);
}

/* The inputs of the cells as one series, time first: the part of a series that they are the steps of, else the steps
 * joined. */
static ValueId join_steps(Rewriter *w, const Cell *cells, uint32_t n, const char *name) {
    int64_t first = 0, at = 0;
    ValueId series = step_of_series(w->g, cells[0].input, &first);
    for (uint32_t i = 1; i < n && series.i; i++)
        if (step_of_series(w->g, cells[i].input, &at).i != series.i || at != first + i) series = (ValueId){0};
    if (series.i) {
        const Shape *s = shape_at(w->g, series);
        Dim begin[3] = {dim_const(0), dim_const(first), dim_const(0)}, size[3] = {s->dims[0], dim_const(n), s->dims[2]};
        if (!dim_is(s->dims[1], n)) series = take(w, series, begin, size, name);
        return series.i ? insert_transpose(w, series, 3, (int64_t[]){1, 0, 2}, name) : series;
    }
    ValueId *steps = NEW_ARRAY(w->u->scratch, ValueId, n);
    for (uint32_t i = 0; i < n; i++) {
        const Shape *s = shape_at(w->g, cells[i].input);
        Shape wide = {.rank = 3, .dims = {dim_const(1), s->dims[0], s->dims[1]}};
        steps[i] = insert_reshape(w, cells[i].input, &wide, name);
        if (!steps[i].i) return steps[i];
    }
    Attr axis = attr_int("axis", 0);
    return insert_op(w, OP_CONCAT, name, n, steps, 1, &axis);
}

/* Step i of the op's outputs, as one step. */
static ValueId take_step(Rewriter *w, ValueId outputs, uint32_t i, const char *name) {
    const Shape *s = shape_at(w->g, outputs);
    Dim begin[3] = {dim_const(i), dim_const(0), dim_const(0)}, size[3] = {dim_const(1), s->dims[1], s->dims[2]};
    Shape flat = {.rank = 2, .dims = {s->dims[1], s->dims[2]}};
    ValueId slice = take(w, outputs, begin, size, name);
    return slice.i ? insert_reshape(w, slice, &flat, name) : slice;
}

static ValueId as_state(Rewriter *w, ValueId v, const Shape *shape) {
    Diag d;
    diag_init(&d, w->u->scratch, NULL);
    Shape to = *shape;
    return build_broadcast(w->g, w->r, v, &to, "", &d);
}

enum { SHORTEST_CHAIN = 3 };

/* A chain of cells in node order: each takes the states of the one before. */
static bool replace_chain(Unit *u, RegionId r, const Cell *cells, uint32_t n, const uint32_t *uses) {
    Graph *g = u->g;
    if (n < SHORTEST_CHAIN) return false;
    bool lstm = cells[0].op == OP_LSTM;
    for (uint32_t i = 0; lstm && i + 1 < n; i++)
        if (uses[cells[i].new_c.i] > 2)
            return false; /* read by tanh and by the next cell; anybody else needs all inner states */
    Rewriter w = {.u = u, .g = g, .r = r, .n_uses = 0};
    const char *name = node_at(g, value_at(g, cells[n - 1].new_h)->def)->name;
    const Shape *state = shape_at(g, cells[0].new_h);
    ValueId h = as_state(&w, cells[0].h, state);
    state = shape_at(g, cells[0].new_h);
    ValueId c = lstm ? as_state(&w, cells[0].c, state) : h;
    ValueId x = h.i && c.i ? join_steps(&w, cells, n, name) : (ValueId){0};
    NodeId op = x.i && dim_is_const(shape_at(g, x)->dims[2]) ? cell_insert(&w, &cells[0], x, h, c, name) : (NodeId){0};
    if (!op.i) return false;
    ValueId outputs[3];
    memcpy(outputs, node_at(g, op)->outputs, node_at(g, op)->n_outputs * sizeof *outputs);
    for (uint32_t i = 0; i < n; i++) {
        ValueId step = i + 1 < n ? take_step(&w, outputs[0], i, name) : outputs[1];
        CHECK(step.i);
        graph_replace_uses(g, cells[i].new_h, step);
    }
    if (lstm) graph_replace_uses(g, cells[n - 1].new_c, outputs[2]);
    rewrite_record(u, "pattern_rnn", lstm ? "chain of cells is an lstm" : "chain of cells is a gru", name, 0,
                   u->machine ? cost_node(g, op, u->machine).ns : 0);
    return true;
}

static bool try_chains(Unit *u, RegionId r) {
    Graph *g = u->g;
    VEC(Cell) cells = {0};
    for (uint32_t i = 0; i < region_at(g, r)->nodes.len; i++) {
        const Node *n = node_at(g, region_at(g, r)->nodes.data[i]);
        Cell cell;
        if (!n->dead && (n->op == OP_MUL || n->op == OP_ADD) && cell_match(g, n->outputs[0], (ValueId){0}, &cell) &&
            cell_fits(g, &cell))
            vec_push(u->scratch, &cells, cell);
    }
    uint32_t *uses = graph_count_uses(g, u->scratch);
    bool *taken = NEW_ARRAY(u->scratch, bool, cells.len + 1), changed = false;
    Cell *chain = NEW_ARRAY(u->scratch, Cell, cells.len + 1);
    for (uint32_t first = 0; first < cells.len; first++) {
        if (taken[first]) continue;
        uint32_t n = 0;
        chain[n++] = cells.data[first];
        taken[first] = true;
        for (uint32_t k = first + 1; k < cells.len; k++) {
            const Cell *last = &chain[n - 1], *next = &cells.data[k];
            if (taken[k] || next->h.i != last->new_h.i || (last->op == OP_LSTM && next->c.i != last->new_c.i) ||
                !cell_same_weights(last, next))
                continue;
            chain[n++] = *next;
            taken[k] = true;
        }
        changed |= replace_chain(u, r, chain, n, uses);
    }
    return changed;
}

bool pass_pattern_rnn(Unit *u) {
    Graph *g = u->g;
    bool changed = false;
    for (uint32_t i = 1, n = g->nodes.len; i < n; i++)
        if (!node_at(g, (NodeId){i})->dead && node_at(g, (NodeId){i})->op == OP_WHILE)
            changed |= try_loop(u, (NodeId){i});
    for (uint32_t r = 1, n = g->regions.len; r < n; r++) changed |= try_chains(u, (RegionId){r});
    if (changed) {
        graph_sort(g);
        drop_unused(g, u->scratch);
    }
    return changed;
}
