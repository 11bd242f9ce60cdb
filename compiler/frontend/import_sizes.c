/* import_sizes: unknown sizes of inputs that the imported graph proves to be a number, or the size of another input:
   where a node of the main graph wants two sizes to be equal, every run has them equal or fails. The graph is then
   imported again with what was found, so that a batch that is said for one input holds for those that are joined with
   it, and values that are made up fit. Only equality counts: what may broadcast stays as it is. */
#include "frontend/import_inputs.h"

#include "ir/constraint.h"

#include <string.h>

/* Where a symbol is the size of an input first, and what it is. */
typedef struct {
    bool is_input, is_fixed;
    uint32_t input;
    int axis;
    uint32_t same;  /* an earlier symbol, or itself */
    int64_t value;  /* with is_fixed, of the symbol that is the same as itself */
    NodeId because; /* wants it to be so */
} Known;

static uint32_t find_same(Known *k, uint32_t i) {
    while (k[i].same != i) i = k[i].same = k[k[i].same].same;
    return i;
}

/* The number of the symbol that `d` is, of an input's; UINT32_MAX: something else. */
static uint32_t symbol_of(const Graph *g, const Known *known, Dim d) {
    const DimExpr *e = dim_is_const(d) ? NULL : &g->dims.exprs.data[d.expr];
    return e && e->kind == DIM_SYMBOL && known[e->symbol].is_input ? e->symbol : UINT32_MAX;
}

static Known *list_symbols(const Graph *g, Arena *scratch) {
    const Region *root = region_at(g, g->root);
    Known *known = NEW_ARRAY(scratch, Known, g->dims.symbols.len + 1);
    for (uint32_t i = 0; i < g->dims.symbols.len; i++) known[i].same = i;
    for (uint32_t i = 0; i < root->params.len; i++) {
        const Shape *s = &value_at(g, root->params.data[i])->shape;
        for (int k = 0; k < s->rank; k++) {
            const DimExpr *e = dim_is_const(s->dims[k]) ? NULL : &g->dims.exprs.data[s->dims[k].expr];
            if (!e || e->kind != DIM_SYMBOL || known[e->symbol].is_input) continue;
            known[e->symbol].is_input = true;
            known[e->symbol].input = i;
            known[e->symbol].axis = k;
        }
    }
    return known;
}

static bool is_bounded(const Graph *g, uint32_t symbol) {
    return g->dims.symbols.data[symbol].min > 0 || g->dims.symbols.data[symbol].max < INT64_MAX;
}

/* A size that the user named is not called by another name. */
static bool is_named(const Graph *g, uint32_t symbol) {
    const char *name = g->dims.symbols.data[symbol].name;
    return strcmp(name, "batch") != 0 && !(*name == 's' && name[1] && name[1 + strspn(name + 1, "0123456789")] == 0);
}

static bool may_be_renamed(const Graph *g, uint32_t symbol) {
    return !is_bounded(g, symbol) && !is_named(g, symbol);
}

static void use_constraint(const Graph *g, Known *known, const Constraint *c, NodeId because) {
    uint32_t a = symbol_of(g, known, c->a), b = symbol_of(g, known, c->b);
    const bool both = a != UINT32_MAX && b != UINT32_MAX;
    if (c->kind != CONSTRAINT_EQUAL) return;
    if (both && may_be_renamed(g, a) && may_be_renamed(g, b)) {
        a = find_same(known, a), b = find_same(known, b);
        uint32_t first = a < b ? a : b, second = a < b ? b : a;
        if (known[second].is_fixed && !known[first].is_fixed) {
            known[first].is_fixed = true;
            known[first].value = known[second].value;
            known[first].because = known[second].because;
        }
        if (first != second) known[second].because = because;
        known[second].same = first;
    } else if (!both && (a != UINT32_MAX || b != UINT32_MAX)) {
        const Dim number = a != UINT32_MAX ? c->b : c->a;
        a = find_same(known, a != UINT32_MAX ? a : b);
        if (!dim_is_const(number) || number.value < 0 || known[a].is_fixed) return;
        known[a].is_fixed = true;
        known[a].value = number.value;
        known[a].because = because;
    }
}

/* A size that --batch or --dim says, but something else is needed. */
static bool contradicts(const Graph *g, uint32_t symbol, const Known *k, Diag *d) {
    const DimSymbol *s = &g->dims.symbols.data[symbol];
    if (!is_bounded(g, symbol)) return false;
    diag_error(d, node_at(g, k->because)->name, NULL,
               "dimension %d of input '%s' (%s) must be %lld here, other sizes than that are asked for", k->axis,
               g->inputs.data[k->input].name, s->name, (long long)k->value);
    return true;
}

bool import_find_sizes(Graph *g, Arena *arena, SizeFacts *facts, Diag *d) {
    Arena *scratch = arena_new();
    const Region *root = region_at(g, g->root);
    Known *known = list_symbols(g, scratch);
    const uint32_t n_symbols = g->dims.symbols.len;
    bool ok = true;
    for (uint32_t i = 0; i < root->nodes.len; i++) {
        Constraints c = {.g = g, .arena = scratch};
        if (!node_at(g, root->nodes.data[i])->dead) node_constraints(&c, root->nodes.data[i]);
        g->dims.too_complex = false; /* then nothing is learnt of it here */
        for (uint32_t k = 0; k < c.list.len; k++) use_constraint(g, known, &c.list.data[k], root->nodes.data[i]);
    }
    for (uint32_t i = 0; i < n_symbols; i++) {
        const uint32_t same = find_same(known, i);
        const Known *k = &known[same];
        if (!known[i].is_input || (same == i && !k->is_fixed)) continue;
        if (contradicts(g, i, k, d)) {
            ok = false;
            continue;
        }
        vec_push(arena, facts,
                 (SizeFact){known[i].input, known[i].axis, k->is_fixed ? k->value : -1, k->input, k->axis});
        const NodeId because = same == i ? k->because : known[i].because;
        if (k->is_fixed)
            diag_note(d, node_at(g, because)->name, NULL, "dimension %d of input '%s' must be %lld", known[i].axis,
                      g->inputs.data[known[i].input].name, (long long)k->value);
        else
            diag_note(d, node_at(g, because)->name, NULL, "dimension %d of input '%s' must be dimension %d of '%s'",
                      known[i].axis, g->inputs.data[known[i].input].name, k->axis, g->inputs.data[k->input].name);
    }
    arena_free(scratch);
    return ok;
}
