/* random_recurrence: loops over time with a cell of random parts: the input's product or none, an element-wise middle
   out of a few, a mask by lengths, a projection, outputs joined or not. */
#include "random_graph.h"

enum { MOST_OPERANDS = 8 };

typedef struct {
    Maker *m;
    DType type;
    RegionId step;
    ValueId operands[MOST_OPERANDS], params[MOST_OPERANDS]; /* of the node and the step */
    uint32_t n;
} Cell;

static ValueId in_step(Cell *c, OpId op, uint32_t n, const ValueId *inputs, uint32_t n_attrs, const Attr *attrs) {
    return build_op(c->m->g, c->step, op, "", n, inputs, n_attrs, attrs, &c->m->d);
}

/* An operand of the node, for the step as well. */
static ValueId pass(Cell *c, ValueId v) {
    Value value = *maker_value(c->m, v);
    c->operands[c->n] = v;
    return c->params[c->n++] = graph_add_param(c->m->g, c->step, value.dtype, &value.shape, "");
}

static ValueId product(Cell *c, ValueId x, int64_t k, Dim n) {
    Shape w = {.rank = 2, .dims = {dim_const(k), n}};
    ValueId weights = make_leaf(c->m, c->type, &w), both[2] = {x, weights.i ? pass(c, weights) : weights};
    Attr plain[] = {attr_int("transpose_a", 0), attr_int("transpose_b", 0)};
    return weights.i ? in_step(c, OP_MATMUL, 2, both, 2, plain) : weights;
}

static ValueId squash(Cell *c, ValueId x) {
    static const OpId ops[] = {OP_TANH, OP_SIGMOID, OP_SIN};
    return in_step(c, ops[random_below(c->m->r, 3)], 1, &x, 0, NULL);
}

bool random_recurrence(Maker *m, OpId op) {
    static const int64_t widths[] = {1, 2, 3, 7, 16, 17, 33};
    Cell c = {.m = m, .type = random_chance(m->r, 85) ? DTYPE_F32 : DTYPE_F64};
    Dim batch = pick_dim(m), hidden = dim_const(widths[random_below(m->r, ARRAY_LEN(widths))]);
    Dim steps = random_chance(m->r, 70) ? dim_const(random_between(m->r, 1, 6)) : pick_dim(m);
    int64_t inputs = random_between(m->r, 1, 9);
    if (dim_value(m->w, steps, 0) > 20 || dim_value(m->w, steps, 1) > 20) return false;
    Shape series = {.rank = 3, .dims = {steps, batch, dim_const(inputs)}}, state = {.rank = 2, .dims = {batch, hidden}},
          outputs = {.rank = 3, .dims = {steps, batch, hidden}}, lengths = {.rank = 1, .dims = {batch}};
    Shape scalar = shape_scalar(), column = {.rank = 2, .dims = {batch, dim_const(1)}};
    if (shape_value_count(m->w, &series) > m->w->largest || shape_value_count(m->w, &outputs) > m->w->largest)
        return false;
    ValueId count =
        random_chance(m->r, 60) ? make_scalar_of(m, DTYPE_S32, 100) : make_indexes(m, DTYPE_S32, &scalar, dim_const(7));
    ValueId first = pick_like(m, c.type, &state), before = pick_like(m, c.type, &outputs),
            x = pick_like(m, c.type, &series), ends = make_indexes(m, DTYPE_S32, &lengths, dim_const(7));
    if (!count.i || !first.i || !before.i || !x.i || !ends.i) return false;
    c.step = graph_add_region(m->g, (NodeId){0});
    ValueId t = pass(&c, count), h = pass(&c, first);
    uint32_t n_states = 1, place = c.n;
    c.operands[c.n++] = before; /* of the node only */
    Attr at[] = {attr_int("axis", 0), attr_int("batch_dims", 0)};
    ValueId row = in_step(&c, OP_GATHER, 2, (ValueId[]){pass(&c, x), t}, 2, at);
    ValueId sum = product(&c, h, hidden.value, hidden);
    if (!sum.i || !row.i) return false;
    if (random_chance(m->r, 70))
        sum = in_step(&c, OP_ADD, 2, (ValueId[]){sum, product(&c, row, inputs, hidden)}, 0, NULL);
    if (!sum.i) return false;
    ValueId next = squash(&c, sum);
    if (random_chance(m->r, 40)) next = squash(&c, product(&c, next, hidden.value, hidden));
    ValueId output = next;
    if (random_chance(m->r, 50)) {
        ValueId ends_there = pass(&c, ends), less = in_step(&c, OP_LT, 2, (ValueId[]){t, ends_there}, 0, NULL);
        ValueId mask = build_reshape(m->g, c.step, less, &column, "", &m->d);
        next = in_step(&c, OP_SELECT, 3, (ValueId[]){mask, next, h}, 0, NULL);
    }
    if (!next.i || !output.i) return false;
    vec_push(m->g->arena, &region_at(m->g, c.step)->results, next);
    vec_push(m->g->arena, &region_at(m->g, c.step)->results, output);
    CHECK(place == 1 + n_states);
    Attr attrs[] = {attr_dims(m->g->arena, "steps", 1, &steps), attr_int("states", n_states)};
    NodeSpec spec = {.op = op,
                     .name = "",
                     .inputs = c.operands,
                     .n_inputs = c.n,
                     .n_outputs = 2,
                     .attrs = attrs,
                     .n_attrs = 2,
                     .regions = &c.step,
                     .n_regions = 1};
    NodeId node = graph_add(m->g, m->region, &spec, &m->d);
    if (!node.i) return false;
    keep_as(m, node_at(m->g, node)->outputs[0], 1);
    keep_as(m, node_at(m->g, node)->outputs[1], 1);
    return true;
}
