/* random_graph: which node comes next, which values are the results, and the inputs. */
#include "random_graph.h"
#include "rewrite.h"

#include <string.h>

static MakeFn *const makers[N_OPS] = {
#define SCALAR(id, text, arity, classes, result, cost) [OP_##id] = random_scalar,
#include "ir/scalar.def"
#undef SCALAR
#define OP(id, text, min, max, results, infer, ref, lower, flags, attrs) [OP_##id] = random_##infer,
#include "ir/ops.def"
#undef OP
};

/* An element-wise op about every second time, else any other row. */
static OpId pick_op(Maker *m) {
    if (random_chance(m->r, 45)) return (OpId)random_between(m->r, OP_ADD, OP_BITCAST);
    return (OpId)random_between(m->r, OP_BITCAST + 1, N_OPS - 1);
}

void maker_fill(Maker *m, int count) {
    for (int tries = count * 4 + 4; count > 0 && tries > 0; tries--) {
        OpId op = pick_op(m);
        if (makers[op] && makers[op](m, op)) count--;
    }
}

/* A chain of element-wise ops, as long as no model has one. */
static void make_chain(Maker *m) {
    for (int i = (int)random_between(m->r, 8, 40); i > 0; i--) {
        OpId op = (OpId)random_between(m->r, OP_ADD, OP_BITCAST);
        random_scalar(m, op);
    }
}

static void choose_symbols(RandomGraph *w) {
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33};
    w->n_symbols = random_chance(&w->r, 45) ? (int)random_between(&w->r, 1, MOST_SYMBOLS) : 0;
    for (int i = 0; i < w->n_symbols; i++) {
        int64_t least = random_chance(&w->r, 30) ? 0 : 1;
        w->symbols[i] = dim_symbol(&w->g->dims, NULL, least, random_chance(&w->r, 50) ? 64 : INT64_MAX);
        for (int b = 0; b < N_BINDINGS; b++)
            w->bindings[b][i] = least == 0 && !w->outside && random_chance(&w->r, 15)
                                    ? 0
                                    : sizes[random_below(&w->r, ARRAY_LEN(sizes))];
    }
}

/* Every symbol is the size of an input. */
static void bind_symbols(RandomGraph *w, Maker *m) {
    for (int i = 0; i < w->n_symbols; i++) {
        Shape s = pick_shape(m, 0, 3);
        int at = (int)random_below(m->r, s.rank + 1);
        memmove(s.dims + at + 1, s.dims + at, sizeof(Dim) * (size_t)(s.rank++ - at));
        s.dims[at] = w->symbols[i];
        ValueId v = make_input(m, pick_dtype(m), &s);
        vec_push(w->arena, &m->pool, v);
    }
}

static void add_output(Graph *g, ValueId v) {
    uint32_t number = g->outputs.len;
    const char *name = arena_printf(g->arena, "out%u", number);
    vec_push(g->arena, &region_at(g, g->root)->results, v);
    vec_push(g->arena, &g->outputs,
             (Port){.name = name, .tensor = arena_printf(g->arena, "%s:0", name), .dtype = value_at(g, v)->dtype});
}

/* What nobody uses, and a few others. */
static void choose_outputs(RandomGraph *w, Maker *m) {
    enum { MOST_OUTPUTS = 10 };
    uint32_t *uses = graph_count_uses(w->g, w->arena);
    for (uint32_t i = m->pool.len; i-- > 0 && w->g->outputs.len < MOST_OUTPUTS;) {
        ValueId v = m->pool.data[i];
        bool is_input = value_at(w->g, v)->def.i == 0;
        if ((uses[v.i] == 0 && !is_input) || random_chance(m->r, is_input ? 1 : 6)) add_output(w->g, v);
    }
}

bool random_graph(RandomGraph *w, Arena *arena, const Random *r) {
    *w = (RandomGraph){.arena = arena, .r = *r, .g = graph_new(arena, "random")};
    static const int64_t largest[] = {300, 1000, 1000, 4000, 20000};
    w->largest = largest[random_below(&w->r, ARRAY_LEN(largest))];
    w->edges = random_chance(&w->r, 12);
    w->outside = random_chance(&w->r, 10);
    choose_symbols(w);
    Maker m;
    maker_init(&m, w, w->g->root, 0);
    bind_symbols(w, &m);
    if (random_chance(&w->r, 10)) make_chain(&m);
    maker_fill(&m, (int)(random_chance(&w->r, 60) ? random_between(&w->r, 1, 9) : random_between(&w->r, 8, 30)));
    choose_outputs(w, &m);
    if (!w->g->outputs.len) return false;
    Arena *scratch = arena_new();
    drop_unused(w->g, scratch);
    arena_free(scratch);
    graph_sort(w->g);
    graph_verify(w->g, STAGE_SHAPED);
    return true;
}

Tensor *random_inputs(RandomGraph *w, int binding, Arena *arena) {
    const Region *root = region_at(w->g, w->g->root);
    Tensor *inputs = NEW_ARRAY(arena, Tensor, root->params.len + 1);
    for (uint32_t i = 0; i < root->params.len; i++) {
        const Value *v = value_at(w->g, root->params.data[i]);
        const Filling *f = &w->fillings.data[i];
        int64_t dims[MAX_RANK];
        for (int k = 0; k < v->shape.rank; k++) dims[k] = dim_value(w, v->shape.dims[k], binding);
        inputs[i] = random_tensor(arena, &w->r, v->dtype, v->shape.rank, dims, f->fill, dim_value(w, f->below, binding),
                                  f->outside);
    }
    return inputs;
}
