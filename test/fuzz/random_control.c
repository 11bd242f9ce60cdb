/* random_control: branches and loops around regions of random nodes. */
#include "random_graph.h"

enum { MOST_ARGS = 5, MOST_RESULTS = 3, MOST_DEPTH = 2 };

/* Values that are passed in. */
static uint32_t pick_args(Maker *m, ValueId *args) {
    uint32_t n = (uint32_t)random_between(m->r, 1, MOST_ARGS);
    for (uint32_t i = 0; i < n; i++) {
        args[i] = pick_value(m, "FIUBFIUBS", 0, 5);
        if (!args[i].i) return i;
    }
    return n;
}

/* Argument `grows` has another size in dimension 0 each turn: `size`. */
static void add_params(Maker *inner, const Maker *outer, uint32_t n, const ValueId *args, uint32_t grows, Dim size) {
    for (uint32_t i = 0; i < n; i++) {
        Value v = *maker_value(outer, args[i]);
        if (i == grows) v.shape.dims[0] = size;
        ValueId p = graph_add_param(inner->g, inner->region, v.dtype, &v.shape, "");
        set_magnitude(inner, p, magnitude_of(outer, args[i]));
        vec_push(inner->w->arena, &inner->pool, p);
    }
}

static void add_result(Maker *m, ValueId v) {
    vec_push(m->g->arena, &region_at(m->g, m->region)->results, v);
}

static void keep_results(Maker *m, NodeId node, uint32_t first, const float *magnitudes) {
    if (!node.i) return;
    for (uint32_t i = first; i < node_at(m->g, node)->n_outputs; i++)
        keep_as(m, node_at(m->g, node)->outputs[i], magnitudes[i]);
}

/* What a branch has to give: the types of the first branch's results. */
typedef struct {
    uint32_t n;
    DType dtypes[MOST_RESULTS];
    Shape shapes[MOST_RESULTS];
    float magnitudes[MOST_RESULTS];
} Results;

/* Sizes that something inside of a region defines have no meaning outside. */
static void forget_computed(Maker *m, Shape *s) {
    const DimTable *t = &m->g->dims;
    for (int k = 0; k < s->rank; k++)
        for (uint32_t i = (uint32_t)m->w->n_symbols; i < t->symbols.len && !dim_is_const(s->dims[k]); i++)
            if (dim_uses(t, s->dims[k], i)) s->dims[k] = dim_const(random_between(m->r, 0, 4));
}

static RegionId make_branch(Maker *m, uint32_t n, const ValueId *args, Results *results, bool first) {
    Maker inner;
    RegionId r = graph_add_region(m->g, (NodeId){0});
    maker_init(&inner, m->w, r, m->depth + 1);
    add_params(&inner, m, n, args, UINT32_MAX, dim_const(0));
    maker_fill(&inner, (int)random_between(m->r, 1, 5));
    for (uint32_t i = 0; i < results->n; i++) {
        if (first) {
            ValueId v = pick_value(&inner, "FIUBSFIUB", 0, 6);
            if (!v.i) return (RegionId){0};
            results->dtypes[i] = maker_value(&inner, v)->dtype;
            results->shapes[i] = maker_value(&inner, v)->shape;
            forget_computed(m, &results->shapes[i]);
            results->magnitudes[i] = magnitude_of(&inner, v);
            add_result(&inner, v);
        } else { /* of the same rank; other sizes now and then */
            Shape s = results->shapes[i];
            for (int k = 0; k < s.rank; k++)
                if (random_chance(m->r, 6)) s.dims[k] = dim_const(random_between(m->r, 0, 4));
            ValueId v = pick_like(&inner, results->dtypes[i], &s);
            if (!v.i) return (RegionId){0};
            add_result(&inner, v);
        }
    }
    return r;
}

static bool make_branches(Maker *m, OpId op, ValueId selector, uint32_t n_regions) {
    ValueId args[MOST_ARGS + 1] = {selector};
    RegionId regions[4];
    Results results = {.n = (uint32_t)random_between(m->r, 1, MOST_RESULTS)};
    uint32_t n = pick_args(m, args + 1);
    if (!selector.i) return false;
    for (uint32_t i = 0; i < n_regions; i++) {
        regions[i] = make_branch(m, n, args + 1, &results, i == 0);
        if (!regions[i].i) return false;
    }
    NodeSpec spec = {.op = op,
                     .name = "",
                     .inputs = args,
                     .n_inputs = n + 1,
                     .n_outputs = results.n,
                     .regions = regions,
                     .n_regions = n_regions};
    NodeId node = graph_add(m->g, m->region, &spec, &m->d);
    keep_results(m, node, 0, results.magnitudes);
    return node.i != 0;
}

bool random_if(Maker *m, OpId op) {
    Shape scalar = shape_scalar();
    return m->depth < MOST_DEPTH && make_branches(m, op, pick_like(m, DTYPE_BOOL, &scalar), 2);
}

bool random_case(Maker *m, OpId op) {
    Shape scalar = shape_scalar();
    if (m->depth >= MOST_DEPTH) return false;
    uint32_t n = (uint32_t)random_between(m->r, 1, 4);
    ValueId selector = random_chance(m->r, 30) ? pick_like(m, DTYPE_S32, &scalar)
                                               : make_indexes(m, DTYPE_S32, &scalar, dim_const((int64_t)n + 1));
    return make_branches(m, op, selector, n);
}

/* counter < limit, and perhaps something else. */
static RegionId make_condition(Maker *m, uint32_t n, const ValueId *args, uint32_t grows, Dim size) {
    Maker inner;
    RegionId r = graph_add_region(m->g, (NodeId){0});
    maker_init(&inner, m->w, r, m->depth + 1);
    add_params(&inner, m, n, args, grows, size);
    ValueId limit = make_scalar_of(&inner, DTYPE_S32, (double)random_between(m->r, 0, 4));
    ValueId less = build_binary(m->g, r, OP_LT, inner.pool.data[0], limit, "", &m->d);
    if (random_chance(m->r, 25)) {
        Shape scalar = shape_scalar();
        maker_fill(&inner, 2);
        ValueId other = pick_like(&inner, DTYPE_BOOL, &scalar);
        less = make_node(&inner, OP_AND, 2, (ValueId[]){less, other}, 0, NULL);
    }
    if (!less.i) return (RegionId){0};
    add_result(&inner, less);
    return r;
}

/* The parameter with something behind it, or without its first row: of any size, then. */
static ValueId other_size(Maker *m, ValueId v) {
    Value value = *maker_value(m, v);
    if (random_chance(m->r, 70)) {
        Shape part = value.shape;
        part.dims[0] = dim_const(random_between(m->r, 0, 3));
        ValueId both[2] = {v, make_leaf(m, value.dtype, &part)};
        if (random_chance(m->r, 30)) both[1] = v;
        Attr a = attr_int("axis", 0);
        return make_node(m, OP_CONCAT, 2, both, 1, &a);
    }
    Dim begin[MAX_RANK], size[MAX_RANK];
    int64_t strides[MAX_RANK];
    DimTable *t = &m->g->dims;
    for (int k = 0; k < value.shape.rank; k++) begin[k] = dim_const(0), size[k] = value.shape.dims[k], strides[k] = 1;
    begin[0] = dim_min(t, size[0], dim_const(1));
    size[0] = dim_sub(t, size[0], begin[0]);
    Arena *a = m->g->arena;
    size_t rank = (size_t)value.shape.rank;
    Attr attrs[] = {attr_dims(a, "begin", rank, begin), attr_dims(a, "size", rank, size),
                    attr_ints(a, "strides", rank, strides)};
    return make_node(m, OP_SLICE, 1, &v, 3, attrs);
}

static RegionId make_body(Maker *m, uint32_t n, const ValueId *args, uint32_t grows, Dim size, float *magnitudes) {
    Maker inner;
    RegionId r = graph_add_region(m->g, (NodeId){0});
    maker_init(&inner, m->w, r, m->depth + 1);
    add_params(&inner, m, n, args, grows, size);
    ValueId one = make_scalar_of(&inner, DTYPE_S32, 1);
    add_result(&inner, build_binary(m->g, r, OP_ADD, inner.pool.data[0], one, "", &m->d));
    maker_fill(&inner, (int)random_between(m->r, 1, 6));
    for (uint32_t i = 1; i < n; i++) {
        Value v = *maker_value(m, args[i]);
        ValueId next = i == grows ? other_size(&inner, inner.pool.data[i]) : pick_like(&inner, v.dtype, &v.shape);
        if (!next.i) return (RegionId){0};
        if (dtype_is_float(v.dtype) &&
            magnitude_of(&inner, next) > magnitude_of(m, args[i])) { /* it would grow without end */
            next =
                random_chance(m->r, 50) ? make_clamped(&inner, next, 4) : make_node(&inner, OP_TANH, 1, &next, 0, NULL);
            if (!next.i) return (RegionId){0};
        }
        magnitudes[i] = 3;
        add_result(&inner, next);
    }
    return r;
}

bool random_while(Maker *m, OpId op) {
    ValueId args[MOST_ARGS + 1];
    RegionId regions[2];
    float magnitudes[MOST_ARGS + 1] = {0};
    if (m->depth >= MOST_DEPTH) return false;
    args[0] = make_scalar_of(m, DTYPE_S32, 0);
    uint32_t n = 1 + pick_args(m, args + 1);
    uint32_t grows = UINT32_MAX;
    for (uint32_t i = 1; i < n && random_chance(m->r, 40); i++)
        if (maker_value(m, args[i])->shape.rank > 0) grows = i;
    Dim size = grows == UINT32_MAX ? dim_const(0) : dim_symbol(&m->g->dims, NULL, 0, INT64_MAX);
    regions[0] = make_condition(m, n, args, grows, size);
    regions[1] = make_body(m, n, args, grows, size, magnitudes);
    if (!regions[0].i || !regions[1].i) return false;
    NodeSpec spec = {
        .op = op, .name = "", .inputs = args, .n_inputs = n, .n_outputs = n, .regions = regions, .n_regions = 2};
    NodeId node = graph_add(m->g, m->region, &spec, &m->d);
    keep_results(m, node, (uint32_t)random_below(m->r, 2), magnitudes);
    return node.i != 0;
}

/* One that holds, unless runs may fail. */
bool random_require(Maker *m, OpId op) {
    Dim a = pick_dim(m), b = pick_dim(m);
    bool holds = true;
    if (!m->root) return false; /* symbols of loops have no value here */
    for (int i = 0; i < N_BINDINGS; i++) holds = holds && dim_value(m->w, a, i) <= dim_value(m->w, b, i);
    if (!holds && !m->w->outside) return false;
    Attr attrs[3];
    attrs[0] = attr_string("kind", "at_most");
    attrs[1] = attr_dims(m->g->arena, "a", 1, &a);
    attrs[2] = attr_dims(m->g->arena, "b", 1, &b);
    NodeSpec spec = {.op = op, .name = "", .attrs = attrs, .n_attrs = 3};
    return graph_add(m->g, m->region, &spec, &m->d).i != 0;
}
