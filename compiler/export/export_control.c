/* export, control flow: regions become TensorFlow's version 1 control flow, which needs no function
   library. A branch is a set of Switch nodes on its condition, with Merge nodes behind; a loop is a frame: Enter,
   Merge, Switch, NextIteration, Exit ("Implementation of Control Flow in TensorFlow", Yu and others, 2017). Nodes
   without inputs belong to no branch by themselves: they wait for a pivot by a control input. */
#include "export/exporter.h"

#include <string.h>

static const char *identity(Exporter *e, const char *what, const char *x, DType t) {
    return export_simple(e, export_fresh(e, what), "Identity", t, 1, &x);
}

static const char *second_of(Exporter *e, const char *name) {
    return arena_printf(e->arena, "%s:1", name);
}

/* Symbol sources and the pivot as they are, to be put back when a region is left. */
typedef struct {
    SymbolSource *symbols;
    const char *control;
} Outside;

static Outside enter_region(Exporter *e, const char *pivot) {
    size_t bytes = (e->g->dims.symbols.len + 1) * sizeof(SymbolSource);
    Outside o = {arena_memdup(e->arena, e->symbols, bytes), e->w.control};
    e->w.control = pivot ? arena_printf(e->arena, "^%s", pivot) : e->w.control;
    return o;
}

static void leave_region(Exporter *e, Outside o) {
    memcpy(e->symbols, o.symbols, (e->g->dims.symbols.len + 1) * sizeof(SymbolSource));
    e->w.control = o.control;
}

/* Names the parameters and writes the region. */
static void write_region(Exporter *e, const Region *r, const char *const *names) {
    for (uint32_t i = 0; i < r->params.len; i++) e->names[r->params.data[i].i] = names[i];
    for (uint32_t i = 0; i < r->params.len; i++) export_note_symbols(e, r->params.data[i]);
    export_region(e, r);
}

static const char *merge(Exporter *e, const char *what, DType t, const char *const inputs[2]) {
    const char *name = export_fresh(e, what);
    NodeWriter w = node_begin(&e->w, name, "Merge", 2, inputs);
    node_attr_type(&w, "T", dtype_info(t)->tf);
    node_attr_int(&w, "N", 2);
    node_end(&w);
    return name;
}

/* if and case: one region after the other is split off what is left; the last one takes the rest. */
bool export_branches(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    uint32_t n_args = n->n_inputs - 1, last = n->n_regions - 1;
    const char **args = NEW_ARRAY(e->arena, const char *, n_args + 1),
               **taken = NEW_ARRAY(e->arena, const char *, n_args + 1),
               **results = NEW_ARRAY(e->arena, const char *, n->n_outputs * n->n_regions + 1);
    for (uint32_t i = 0; i < n_args; i++) args[i] = export_in(e, n, i + 1);
    const char *selector = export_in(e, n, 0), *pivot = NULL;
    Outside all = enter_region(e, NULL);
    for (uint32_t r = 0; r <= last; r++) {
        const Region *region = region_at(e->g, n->regions[r]);
        const char *mine = pivot;
        if (r < last) {
            const char *chosen = selector;
            if (n->op == OP_CASE) {
                const char *number = export_ints(e, 0, 1, (const int64_t[]){r});
                chosen = export_simple(e, export_fresh(e, "chosen"), "Equal", DTYPE_S32, 2,
                                       (const char *const[]){selector, number});
            }
            const char *split = export_simple(e, export_fresh(e, "split"), "Switch", DTYPE_BOOL, 2,
                                              (const char *const[]){chosen, chosen});
            mine = identity(e, "taken", second_of(e, split), DTYPE_BOOL);
            pivot = identity(e, "rest", split, DTYPE_BOOL);
            for (uint32_t i = 0; i < n_args; i++) {
                const char *both =
                    export_simple(e, export_fresh(e, "switch"), "Switch", export_value(e, n, i + 1)->dtype, 2,
                                  (const char *const[]){args[i], chosen});
                taken[i] = second_of(e, both);
                args[i] = both;
            }
            if (n->op == OP_CASE)
                selector = export_simple(e, export_fresh(e, "switch"), "Switch", DTYPE_S32, 2,
                                         (const char *const[]){selector, chosen});
        }
        Outside o = enter_region(e, mine);
        write_region(e, region, r < last ? taken : args);
        for (uint32_t i = 0; i < n->n_outputs; i++) results[i * n->n_regions + r] = e->names[region->results.data[i].i];
        leave_region(e, o);
        if (pivot) e->w.control = arena_printf(e->arena, "^%s", pivot);
    }
    leave_region(e, all);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        e->names[n->outputs[i].i] = results[i * n->n_regions + last];
        for (uint32_t r = last; r-- > 0;) /* each condition's two sides, the innermost first */
            e->names[n->outputs[i].i] = results[i * n->n_regions + r] =
                merge(e, n->name, value_at(e->g, n->outputs[i])->dtype,
                      (const char *const[]){results[i * n->n_regions + r + 1], results[i * n->n_regions + r]});
    }
    return true;
}

bool export_while(Exporter *e, const Node *n, const ExportRow *row) {
    (void)row;
    if (n->n_inputs == 0 || e->depth == EXPORT_MAX_DEPTH)
        return export_unsupported(e, n, n->n_inputs ? "loops are nested too deeply" : "a loop that carries nothing");
    const Region *cond = region_at(e->g, n->regions[0]), *body = region_at(e->g, n->regions[1]);
    const char *frame = export_fresh(e, "frame"), **merged = NEW_ARRAY(e->arena, const char *, n->n_inputs),
               **next = NEW_ARRAY(e->arena, const char *, n->n_inputs),
               **current = NEW_ARRAY(e->arena, const char *, n->n_inputs);
    Outside o = enter_region(e, NULL);
    e->frames[++e->depth] = frame;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const char *entered = export_fresh(e, "enter"), *from = export_in(e, n, i);
        DType t = export_value(e, n, i)->dtype;
        NodeWriter w = node_begin(&e->w, entered, "Enter", 1, &from);
        node_attr_type(&w, "T", dtype_info(t)->tf);
        node_attr_string(&w, "frame_name", frame);
        node_end(&w);
        next[i] = export_fresh(e, "next");
        merged[i] = merge(e, "merge", t, (const char *const[]){entered, next[i]});
    }
    e->w.control = arena_printf(e->arena, "^%s", merged[0]);
    write_region(e, cond, merged);
    const char *again = export_fresh(e, "again");
    NodeWriter w = node_begin(&e->w, again, "LoopCond", 1, &e->names[cond->results.data[0].i]);
    node_end(&w);
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        merged[i] = export_simple(e, export_fresh(e, "switch"), "Switch", export_value(e, n, i)->dtype, 2,
                                  (const char *const[]){merged[i], again});
        current[i] = identity(e, "current", second_of(e, merged[i]), export_value(e, n, i)->dtype);
    }
    e->w.control = arena_printf(e->arena, "^%s", current[0]);
    memcpy(e->symbols, o.symbols, (e->g->dims.symbols.len + 1) * sizeof(SymbolSource)); /* not the condition's */
    write_region(e, body, current);
    for (uint32_t i = 0; i < n->n_inputs; i++)
        export_simple(e, next[i], "NextIteration", export_value(e, n, i)->dtype, 1, &e->names[body->results.data[i].i]);
    for (uint32_t i = 0; i < n->n_outputs; i++)
        export_simple(e, e->names[n->outputs[i].i] = export_fresh(e, n->name), "Exit", export_value(e, n, i)->dtype, 1,
                      &merged[i]);
    e->depth--;
    leave_region(e, o);
    return true;
}
