/* recurrence: a loop over time whose every batch entry is computed by itself becomes one op: masks and lengths,
   peepholes, projections, several cells a turn, any activation. Products with what is read of a series go in front of
   the loop, where they are one product over all steps; a product with joined operands is a sum of products. What the
   step may contain is what compiler/kern/lower_recurrence.c computes row by row: element-wise ops and moves that keep
   the batch dimension in its place, and products with weights.      needs: canonical form      keeps: shapes, order */
#include "recurrence.h"
#include "time_loop.h"

#include <string.h>

enum { MOST_ROW_BYTES = 60000, MOST_PARTS = 8 };

typedef enum { ROLE_UNKNOWN, ROLE_COUNTER, ROLE_STATE, ROLE_SINGLE, ROLE_OUTPUT, ROLE_ARG } Role;

/* How a value of the body depends on the batch. */
typedef enum {
    KIND_NONE,   /* not looked at, or impossible */
    KIND_FREE,   /* of the step's number and of arguments: any element can be asked for */
    KIND_ROW,    /* [B, …]: entry b only depends on entry b */
    KIND_JOINED, /* concat of rows: only as an operand of a product, or as a result */
    KIND_PRODUCT /* a row that is kept */
} Kind;

typedef struct {
    Unit *u;
    Graph *g;
    NodeId id; /* of the loop */
    TimeLoop loop;
    Role *roles;      /* by carried value */
    ValueId *written; /* by carried value: what a turn makes of it */
    uint8_t *kinds;   /* by value */
    bool *needed;     /* by value */
    Dim batch;
    int64_t row_bytes; /* that the kernel keeps for an entry */
    double flops;      /* of a turn's products that depend on states */
    RegionId outer, step;
    ValueId *made; /* by old value: its copy in the step */
    VEC(ValueId) args;
} Recurrence;

static const Node *loop_node(const Recurrence *r) {
    return node_at(r->g, r->id);
}

/* ---- what the loop carries */

static bool is_row_state(Recurrence *r, const Shape *s, DType dtype) {
    if (s->rank != 2 || !dim_is_const(s->dims[1]) || s->dims[1].value < 1 || dtype_size(dtype) > 8 ||
        s->dims[1].value > MOST_ROW_BYTES)
        return false;
    if (!dim_is(r->batch, -1) && !dim_equal(r->batch, s->dims[0])) return false;
    r->batch = s->dims[0];
    r->row_bytes += 2 * s->dims[1].value * (int64_t)dtype_size(dtype);
    return r->row_bytes <= MOST_ROW_BYTES;
}

static bool find_roles(Recurrence *r) {
    const Node *n = r->loop.n;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        ValueId param = r->loop.body->params.data[i], result = r->loop.body->results.data[i];
        Shape s = *shape_at(r->g, param);
        bool single = false,
             same = shape_equal(&s, shape_at(r->g, n->inputs[i])) && shape_equal(&s, shape_at(r->g, result));
        if (!same) continue;
        r->written[i] = time_loop_written(&r->loop, i, &single);
        if (s.rank == 0 && time_loop_counts(&r->loop, i)) {
            r->roles[i] = ROLE_COUNTER;
        } else if (time_loop_keeps(&r->loop, i)) {
            r->roles[i] = ROLE_ARG;
        } else if (r->written[i].i) {
            s = *shape_at(r->g, r->written[i]);
            r->roles[i] = single ? ROLE_SINGLE : ROLE_OUTPUT;
            if (!is_row_state(r, &s, dtype_at(r->g, param))) return false;
        } else if (is_row_state(r, &s, dtype_at(r->g, param))) {
            r->roles[i] = ROLE_STATE;
            r->written[i] = result;
        }
    }
    return !dim_is(r->batch, -1);
}

/* ---- what the body computes */

static void need(Recurrence *r, ValueId v) {
    r->needed[v.i] = true;
}

/* From the results back; nodes are in topological order. */
static void find_needed(Recurrence *r) {
    const Region *body = r->loop.body;
    for (uint32_t i = 0; i < body->params.len; i++)
        if (r->written[i].i) need(r, r->written[i]);
    for (uint32_t i = body->nodes.len; i-- > 0;) {
        const Node *n = node_at(r->g, body->nodes.data[i]);
        bool used = false;
        for (uint32_t k = 0; k < n->n_outputs && !n->dead; k++) used = used || r->needed[n->outputs[k].i];
        for (uint32_t k = 0; used && k < n->n_inputs; k++) need(r, n->inputs[k]);
    }
}

static Kind param_kind(const Recurrence *r, ValueId v) {
    int i = time_loop_param(&r->loop, v);
    if (i < 0) return KIND_NONE;
    Role role = r->roles[i];
    return role == ROLE_STATE ? KIND_ROW : role == ROLE_ARG || role == ROLE_COUNTER ? KIND_FREE : KIND_NONE;
}

static Kind kind_of(const Recurrence *r, ValueId v) {
    return value_at(r->g, v)->def.i ? (Kind)r->kinds[v.i] : param_kind(r, v);
}

static bool has_batch(const Recurrence *r, ValueId v) {
    const Shape *s = shape_at(r->g, v);
    return s->rank >= 1 && dim_equal(s->dims[0], r->batch);
}

/* One step of an argument [T, …], at the counter; which carried value it is, or -1. */
static int series_of(const Recurrence *r, ValueId v) {
    const Node *n = match(r->g, v, OP_GATHER);
    if (!n || node_int(n, "axis", -1) != 0 || node_int(n, "batch_dims", 0)) return -1;
    int series = time_loop_param(&r->loop, n->inputs[0]), at = time_loop_param(&r->loop, n->inputs[1]);
    if (series < 0 || at < 0 || r->roles[series] != ROLE_ARG || r->roles[at] != ROLE_COUNTER) return -1;
    return dim_equal(shape_at(r->g, n->inputs[0])->dims[0], r->loop.steps) ? series : -1;
}

/* Dims of a shape but the first and those of size 1. */
static bool same_rest(const Shape *a, const Shape *b) {
    int i = 1, k = 1;
    for (;;) {
        while (i < a->rank && dim_is(a->dims[i], 1)) i++;
        while (k < b->rank && dim_is(b->dims[k], 1)) k++;
        if (i >= a->rank || k >= b->rank) return i >= a->rank && k >= b->rank;
        if (!dim_equal(a->dims[i++], b->dims[k++])) return false;
    }
}

/* Whether entry b of the result only depends on entry b of operand `i`. */
static bool keeps_entries(const Recurrence *r, const Node *n, uint32_t i) {
    const Shape *in = shape_at(r->g, n->inputs[i]), *out = shape_at(r->g, n->outputs[0]);
    if (!has_batch(r, n->inputs[i]) || !has_batch(r, n->outputs[0])) return false;
    if ((op_info(n->op)->flags & OP_FLAG_EWISE) || n->op == OP_BROADCAST) return in->rank == out->rank;
    if (n->op == OP_RESHAPE) return same_rest(in, out);
    if (n->op != OP_SLICE) return false;
    const Attr *begin = node_attr(n, "begin"), *strides = node_attr(n, "strides");
    return dim_is(begin->v.dims[0], 0) && strides->v.ints[0] == 1;
}

static bool is_element_op(OpId op) {
    return (op_info(op)->flags & OP_FLAG_EWISE) || op == OP_BROADCAST || op == OP_RESHAPE || op == OP_SLICE ||
           op == OP_TRANSPOSE;
}

/* x [B, K] times weights [K, N] */
static bool is_product(Recurrence *r, const Node *n, Kind x) {
    const Shape *a = shape_at(r->g, n->inputs[0]), *w = shape_at(r->g, n->inputs[1]);
    DType dtype = dtype_at(r->g, n->outputs[0]);
    if (a->rank != 2 || w->rank != 2 || node_int(n, "transpose_a", 0) || node_int(n, "transpose_b", 0)) return false;
    if ((dtype != DTYPE_F32 && dtype != DTYPE_F64) || dtype_at(r->g, n->inputs[0]) != dtype) return false;
    if (!has_batch(r, n->inputs[0]) || !dim_is_const(w->dims[0]) || !dim_is_const(w->dims[1])) return false;
    ValueId weights = n->inputs[1];
    int arg = time_loop_param(&r->loop, weights);
    if (!value_const(r->g, weights) && (arg < 0 || r->roles[arg] != ROLE_ARG)) return false;
    if (x == KIND_JOINED && !value_const(r->g, weights)) return false; /* its rows are taken apart */
    if (w->dims[0].value > MOST_ROW_BYTES || w->dims[1].value > MOST_ROW_BYTES) return false;
    r->row_bytes += (w->dims[0].value + w->dims[1].value * (x == KIND_JOINED ? 2 : 1)) * (int64_t)dtype_size(dtype);
    r->flops += 2 * (double)w->dims[0].value * (double)w->dims[1].value;
    return r->row_bytes <= MOST_ROW_BYTES;
}

static Kind node_kind(Recurrence *r, const Node *n) {
    if (n->n_outputs != 1) return KIND_NONE;
    if (op_info(n->op)->flags & OP_FLAG_CONSTANT) return KIND_FREE;
    if (n->op == OP_DIMS_TENSOR) return KIND_FREE;
    if (n->op == OP_GATHER) return series_of(r, n->outputs[0]) >= 0 ? KIND_FREE : KIND_NONE;
    if (n->op == OP_MATMUL) {
        Kind x = kind_of(r, n->inputs[0]);
        return x != KIND_NONE && is_product(r, n, x) ? KIND_PRODUCT : KIND_NONE;
    }
    bool joins = n->op == OP_CONCAT && n->n_inputs <= MOST_PARTS && node_int(n, "axis", 0) == 1;
    if (!joins && !is_element_op(n->op)) return KIND_NONE;
    Kind kind = joins ? KIND_JOINED : KIND_FREE;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        Kind k = kind_of(r, n->inputs[i]);
        const Shape *s = shape_at(r->g, n->inputs[i]);
        if (k == KIND_NONE || k == KIND_JOINED) return KIND_NONE;
        if (joins && (s->rank != 2 || !has_batch(r, n->inputs[i]) || !dim_is_const(s->dims[1]))) return KIND_NONE;
        if (joins || k == KIND_FREE) continue;
        if (!keeps_entries(r, n, i)) return KIND_NONE;
        kind = KIND_ROW;
    }
    return kind;
}

static bool find_kinds(Recurrence *r) {
    const Region *body = r->loop.body;
    bool states = false;
    for (uint32_t i = 0; i < body->nodes.len; i++) {
        const Node *n = node_at(r->g, body->nodes.data[i]);
        if (n->dead || n->n_outputs == 0 || !r->needed[n->outputs[0].i]) continue;
        Kind kind = node_kind(r, n);
        if (kind == KIND_NONE) return false;
        r->kinds[n->outputs[0].i] = (uint8_t)kind;
    }
    for (uint32_t i = 0; i < body->params.len; i++) {
        states = states || r->roles[i] == ROLE_STATE;
        if (!r->written[i].i) continue;
        Kind kind = kind_of(r, r->written[i]);
        if (kind == KIND_NONE) return false;
    }
    return states && r->flops > 0;
}

/* Every result that is used comes out of the op. */
static bool results_are_known(const Recurrence *r, const uint32_t *uses) {
    const Node *n = r->loop.n;
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        if (!uses[n->outputs[i].i]) continue;
        if (r->roles[i] == ROLE_UNKNOWN) return false;
        if (!shape_equal(shape_at(r->g, n->inputs[i]), shape_at(r->g, n->outputs[i]))) return false;
    }
    return true;
}

/* ---- the step */

static ValueId add(Recurrence *r, RegionId region, OpId op, const char *name, uint32_t n_inputs, const ValueId *inputs,
                   uint32_t n_attrs, const Attr *attrs) {
    Diag d;
    diag_init(&d, r->u->scratch, NULL);
    for (uint32_t i = 0; i < n_inputs; i++)
        if (!inputs[i].i) return inputs[i];
    return build_op(r->g, region, op, name, n_inputs, inputs, n_attrs, attrs, &d);
}

static ValueId reshape(Recurrence *r, RegionId region, ValueId x, const Shape *to) {
    Diag d;
    diag_init(&d, r->u->scratch, NULL);
    Shape shape = *to;
    return x.i ? build_reshape(r->g, region, x, &shape, loop_node(r)->name, &d) : x;
}

/* The step's parameter for a value outside of the loop. */
static ValueId add_arg(Recurrence *r, ValueId outer) {
    const Region *step = region_at(r->g, r->step);
    uint32_t first = step->params.len - r->args.len;
    for (uint32_t i = 0; i < r->args.len; i++)
        if (r->args.data[i].i == outer.i) return step->params.data[first + i];
    Shape s = *shape_at(r->g, outer);
    vec_push(r->u->scratch, &r->args, outer);
    return graph_add_param(r->g, r->step, dtype_at(r->g, outer), &s, "");
}

/* Rows row .. row + count of weights of the body, in region `region`. */
static ValueId take_weights(Recurrence *r, RegionId region, ValueId weights, int64_t row, int64_t count) {
    const Tensor *t = value_const(r->g, weights);
    if (!t) {
        ValueId outer = loop_node(r)->inputs[time_loop_param(&r->loop, weights)];
        return region.i == r->step.i ? add_arg(r, outer) : outer;
    }
    Tensor part = *t;
    int64_t first = row * t->dims[1];
    if (count != t->dims[0]) {
        part.dims[0] = count;
        part.data = (const uint8_t *)t->data + (size_t)first * dtype_size(t->dtype);
    }
    return build_const(r->g, region, &part, node_at(r->g, value_at(r->g, weights)->def)->name);
}

/* Step t of the product of series `x` [T, B, I] with weights, taken in front of the loop. */
static ValueId product_of_series(Recurrence *r, int series, ValueId weights, int64_t row, const char *name) {
    ValueId x = loop_node(r)->inputs[series], counter = r->made[r->loop.body->params.data[r->loop.counter].i];
    Shape s = *shape_at(r->g, x);
    Shape flat = {.rank = 2, .dims = {dim_mul(&r->g->dims, s.dims[0], s.dims[1]), s.dims[2]}};
    ValueId matrix = take_weights(r, r->outer, weights, row, s.dims[2].value);
    Attr plain[] = {attr_int("transpose_a", 0), attr_int("transpose_b", 0)};
    ValueId inputs[2] = {reshape(r, r->outer, x, &flat), matrix};
    s.dims[2] = shape_at(r->g, matrix)->dims[1];
    ValueId all = reshape(r, r->outer, add(r, r->outer, OP_MATMUL, name, 2, inputs, 2, plain), &s);
    if (!all.i) return all;
    ValueId step[2] = {add_arg(r, all), counter};
    Attr at[] = {attr_int("axis", 0), attr_int("batch_dims", 0)};
    return add(r, r->step, OP_GATHER, name, 2, step, 2, at);
}

static ValueId copy_product(Recurrence *r, const Node *n) {
    ValueId x = n->inputs[0], weights = n->inputs[1], parts[MOST_PARTS] = {{0}}, sum = {0};
    const char *name = n->name;
    const Node *joined = match(r->g, x, OP_CONCAT);
    uint32_t n_parts = joined ? joined->n_inputs : 1;
    memcpy(parts, joined ? joined->inputs : &x, n_parts * sizeof *parts);
    int64_t row = 0;
    for (uint32_t i = 0; i < n_parts; i++) {
        int64_t width = shape_at(r->g, parts[i])->dims[1].value;
        int series = series_of(r, parts[i]);
        ValueId term;
        if (series >= 0 && shape_at(r->g, loop_node(r)->inputs[series])->rank == 3) {
            term = product_of_series(r, series, weights, row, name);
        } else {
            Attr plain[] = {attr_int("transpose_a", 0), attr_int("transpose_b", 0)};
            ValueId inputs[2] = {r->made[parts[i].i], take_weights(r, r->step, weights, row, width)};
            term = add(r, r->step, OP_MATMUL, name, 2, inputs, 2, plain);
        }
        if (!term.i) return term;
        ValueId both[2] = {sum, term};
        sum = sum.i ? add(r, r->step, OP_ADD, name, 2, both, 0, NULL) : term;
        row += width;
    }
    return sum;
}

static ValueId copy_node(Recurrence *r, const Node *n) {
    const Tensor *t = value_const(r->g, n->outputs[0]);
    if (t) return build_const(r->g, r->step, t, n->name);
    if (n->op == OP_MATMUL) return copy_product(r, n);
    ValueId *inputs = NEW_ARRAY(r->u->scratch, ValueId, n->n_inputs + 1);
    for (uint32_t i = 0; i < n->n_inputs; i++) inputs[i] = r->made[n->inputs[i].i];
    return add(r, r->step, n->op, n->name, n->n_inputs, inputs, n->n_attrs, n->attrs);
}

static bool copy_params(Recurrence *r) {
    const uint32_t n = loop_node(r)->n_inputs;
    ValueId counter = {0};
    for (int pass = 0; pass < 3; pass++) /* the number of the step, states, arguments */
        for (uint32_t i = 0; i < n; i++) {
            ValueId param = r->loop.body->params.data[i], *made = &r->made[param.i];
            Shape s = r->roles[i] == ROLE_SINGLE ? *shape_at(r->g, r->written[i]) : *shape_at(r->g, param);
            DType dtype = dtype_at(r->g, param);
            if (pass == 0 && r->roles[i] == ROLE_COUNTER) {
                if (!counter.i) counter = graph_add_param(r->g, r->step, dtype, &s, "");
                if (dtype_at(r->g, counter) != dtype) return false;
                *made = counter;
            }
            if (pass == 1 && (r->roles[i] == ROLE_STATE || r->roles[i] == ROLE_SINGLE))
                *made = graph_add_param(r->g, r->step, dtype, &s, "");
            if (pass == 2 && r->roles[i] == ROLE_ARG && r->needed[param.i]) *made = add_arg(r, loop_node(r)->inputs[i]);
        }
    return true;
}

static bool copy_body(Recurrence *r) {
    for (uint32_t i = 0; i < r->loop.body->nodes.len; i++) {
        Node n = *node_at(r->g, r->loop.body->nodes.data[i]); /* a copy: adding nodes moves them */
        if (n.dead || n.n_outputs == 0 || !r->needed[n.outputs[0].i]) continue;
        ValueId v = n.outputs[0];
        r->made[v.i] = copy_node(r, &n);
        if (!r->made[v.i].i || !shape_equal(shape_at(r->g, r->made[v.i]), shape_at(r->g, v))) return false;
    }
    return true;
}

/* A step that cannot be built leaves nothing behind. */
static void drop_step(Recurrence *r) {
    Region *step = region_at(r->g, r->step);
    for (uint32_t i = 0; i < step->nodes.len; i++) node_at(r->g, step->nodes.data[i])->dead = true;
    *step = (Region){.parent = {0}};
}

/* ---- the op */

static bool is_state(const Recurrence *r, uint32_t i) {
    return r->roles[i] == ROLE_STATE || r->roles[i] == ROLE_SINGLE;
}

/* States first, then outputs; inputs[0] is the count. */
static NodeId build(Recurrence *r, ValueId count, uint32_t *place) {
    const uint32_t n = loop_node(r)->n_inputs;
    ValueId *inputs = NEW_ARRAY(r->u->scratch, ValueId, 1 + n + r->args.len);
    uint32_t n_inputs = 0, n_states = 0, n_results = 0;
    inputs[n_inputs++] = count;
    for (int outputs = 0; outputs < 2; outputs++)
        for (uint32_t i = 0; i < n; i++) {
            if (outputs ? r->roles[i] != ROLE_OUTPUT : !is_state(r, i)) continue;
            ValueId first = loop_node(r)->inputs[i];
            if (r->roles[i] == ROLE_SINGLE) first = reshape(r, r->outer, first, shape_at(r->g, r->written[i]));
            if (!first.i) return (NodeId){0};
            inputs[n_inputs++] = first;
            place[i] = n_results++;
            n_states += !outputs;
            vec_push(r->g->arena, &region_at(r->g, r->step)->results, r->made[r->written[i].i]);
        }
    for (uint32_t i = 0; i < r->args.len; i++) inputs[n_inputs++] = r->args.data[i];
    Attr attrs[] = {attr_dims(r->u->scratch, "steps", 1, &r->loop.steps), attr_int("states", n_states)};
    NodeSpec spec = {.op = OP_RECURRENCE,
                     .name = loop_node(r)->name,
                     .inputs = inputs,
                     .n_inputs = n_inputs,
                     .n_outputs = n_results,
                     .attrs = attrs,
                     .n_attrs = 2,
                     .regions = &r->step,
                     .n_regions = 1};
    Diag d;
    diag_init(&d, r->u->scratch, NULL);
    return graph_add(r->g, r->outer, &spec, &d);
}

/* Turns that the loop takes, in front of it; `dtype`: the counter's. */
static ValueId count_turns(Recurrence *r, DType dtype) {
    ValueId limit = build_dims(r->g, r->outer, dtype, 0, 1, &r->loop.limit, "");
    if (!r->loop.count.i) return limit;
    Diag d;
    diag_init(&d, r->u->scratch, NULL);
    ValueId both[2] = {build_cast(r->g, r->outer, r->loop.count, dtype, "", &d), limit};
    ValueId least[2] = {add(r, r->outer, OP_MIN, "", 2, both, 0, NULL), build_scalar_const(r->g, r->outer, dtype, 0)};
    return add(r, r->outer, OP_MAX, "", 2, least, 0, NULL);
}

static ValueId make_result(Recurrence *r, NodeId op, uint32_t i, uint32_t place) {
    const Node *n = loop_node(r);
    if (r->roles[i] == ROLE_ARG) return n->inputs[i];
    if (r->roles[i] == ROLE_COUNTER) return count_turns(r, dtype_at(r->g, n->outputs[i]));
    ValueId result = node_at(r->g, op)->outputs[place];
    return r->roles[i] == ROLE_SINGLE ? reshape(r, r->outer, result, shape_at(r->g, n->outputs[i])) : result;
}

bool recurrence_replace(Unit *u, NodeId loop, uint32_t counter) {
    Graph *g = u->g;
    const Node *n = node_at(g, loop);
    Recurrence r = {.u = u, .g = g, .id = loop, .outer = n->region, .batch = dim_const(-1)};
    if (!time_loop_find(g, n, counter, &r.loop)) return false;
    uint32_t n_values = g->values.len, n_results = n->n_outputs;
    r.roles = NEW_ARRAY(u->scratch, Role, n->n_inputs + 1);
    r.written = NEW_ARRAY(u->scratch, ValueId, n->n_inputs + 1);
    r.needed = NEW_ARRAY(u->scratch, bool, n_values);
    r.kinds = NEW_ARRAY(u->scratch, uint8_t, n_values);
    r.made = NEW_ARRAY(u->scratch, ValueId, n_values);
    uint32_t *uses = graph_count_uses(g, u->scratch), *place = NEW_ARRAY(u->scratch, uint32_t, n_results + 1);
    if (!find_roles(&r) || !results_are_known(&r, uses)) return false;
    find_needed(&r);
    if (!find_kinds(&r)) return false;
    double ns = u->machine ? cost_node(g, loop, u->machine).ns : 0;
    DType counts = dtype_at(g, n->inputs[counter]);
    if (counts != DTYPE_S32 && counts != DTYPE_S64) return false;
    ValueId count = count_turns(&r, counts);
    Region body = *region_at(g, node_at(g, loop)->regions[1]); /* a copy: adding a region moves them */
    r.loop.body = &body;
    r.step = graph_add_region(g, (NodeId){0});
    NodeId op = copy_params(&r) && copy_body(&r) ? build(&r, count, place) : (NodeId){0};
    if (!op.i) {
        drop_step(&r);
        return false;
    }
    for (uint32_t i = 0; i < n_results; i++) {
        if (!uses[node_at(g, loop)->outputs[i].i]) continue;
        ValueId result = make_result(&r, op, i, place[i]);
        CHECK(result.i);
        graph_replace_uses(g, node_at(g, loop)->outputs[i], result);
    }
    rewrite_record(u, "pattern_rnn", "loop is a recurrence", node_at(g, loop)->name, ns,
                   u->machine ? cost_node(g, op, u->machine).ns : 0);
    graph_remove(g, loop);
    return true;
}
