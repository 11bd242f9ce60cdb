/* import_loop: While and StatelessWhile. A loop's carried values may change their size from step to step: the body is
   imported with the sizes at the start, and where it gives back something else that dim becomes a symbol and the body
   is imported again, until nothing changes. Lists (import_list.c) whose element shape is not known when they are made
   learn it from what the body puts into them; a value that changes its rank becomes one of run-time rank
   (import_any_rank.c); of a stack (import_stack.c) the loop carries the list. */
#include "frontend/importer.h"

#include <string.h>

typedef struct {
    const TfFunction *condition, *body;
    uint32_t n;             /* values that TensorFlow's loop carries */
    uint32_t total;         /* with their companions behind them: entries of the arrays below */
    uint32_t *companion_at; /* per value: where its companion is, 0: it has none */
    int *ragged_rank;       /* per value: rank of the elements of a list that must become ragged, else -1 */
    bool *is_stack;         /* per value: the handle of a stack, whose list is carried */
    uint32_t *ranks;        /* per value of run-time rank, or that must become one: the ranks it may have; else 0 */
    DType *unbox;           /* per value: type of the elements of the list that has to be taken out of its object, else
                               DTYPE_NONE */
    ValueId *init;          /* outside, at the start */
    bool *remade;    /* made again inside: constants that the body gives back unchanged, lists without contents */
    Shape *params;   /* shapes inside */
    Shape *next;     /* what the last try of the body gave back */
    uint32_t *fresh; /* [n * MAX_RANK] symbol expression that was put for a dim, 0: none */
    RegionId regions[2];
    ValueId *results; /* of the last try of the body */
} Loop;

/* Whether the body passes argument i on untouched, seen through identities. */
static bool passes_through(const TfFunction *f, uint32_t i) {
    TfInput t = f->results[i];
    for (uint32_t step = 0; step <= f->body.n_nodes; step++) {
        if (t.node & TF_ARG) return (t.node & ~TF_ARG) == i;
        const TfNode *n = &f->body.nodes[t.node];
        if (strcmp(n->op, "Identity") != 0 || n->n_inputs < 1) return false;
        t = n->inputs[0];
    }
    return false;
}

/* Imports condition (which = 0) or body into a new region, with the sizes of this try. */
static bool import_loop_region(Import *c, Loop *l, int which, ValueId *results) {
    const TfFunction *f = which ? l->body : l->condition;
    ValueId *inside = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    RegionId r = graph_add_region(c->g, (NodeId){0});
    l->regions[which] = r;
    for (uint32_t i = 0; i < l->total; i++)
        inside[i] = l->remade[i] ? region_remake(c, r, l->init[i])
                                 : graph_add_param(c->g, r, dtype_of(c, l->init[i]), &l->params[i],
                                                   i < l->n ? f->arg_names[i] : "companion");
    for (uint32_t i = 0; i < l->n; i++)
        if (l->companion_at[i]) companion_adopt(c, l->init[i], inside[i], inside[l->companion_at[i]]);
    for (uint32_t i = 0; i < l->n; i++)
        if (l->is_stack[i]) stack_register(c->im, inside[i], r, inside[i]);
    if (!import_call(c->im, f, c->n, r, inside, NULL, results)) return false;
    Import in_region = *c;
    in_region.r = r;
    for (uint32_t i = 0; which && i < l->n; i++) {
        if (l->is_stack[i]) results[i] = stack_list(&in_region, stack_find(c->im, inside[i]));
        if (failed(results[i])) return false;
    }
    return true;
}

/* Whether d has no meaning outside of the loop: it mentions a symbol of this try, or one that stands for a size that
   the loop changes. */
static bool is_inside(const Import *c, const Loop *l, Dim d, uint32_t first) {
    for (uint32_t i = 0; !dim_is_const(d) && i < l->total * MAX_RANK; i++)
        if (l->fresh[i] && dim_uses(&c->g->dims, d, c->g->dims.exprs.data[l->fresh[i]].symbol)) return true;
    for (uint32_t i = first; !dim_is_const(d) && i < c->g->dims.symbols.len; i++)
        if (dim_uses(&c->g->dims, d, i)) return true;
    return false;
}

/* A list without contents into which the body has put elements: from now on a tensor, made outside, of zeros of that
 * shape. */
static bool learn_elements(Import *c, Loop *l, uint32_t i, uint32_t first_symbol) {
    Shape s = shape_copy(c, l->results[i]);
    Shape element = {.rank = s.rank - 1};
    if (s.rank < 1) return bad(c, "gives back a scalar for the list it carries as value %u", i);
    for (int k = 0; k < element.rank; k++) {
        element.dims[k] = s.dims[k + 1];
        if (is_inside(c, l, element.dims[k], first_symbol)) l->ragged_rank[i] = element.rank;
    }
    l->params[i] = (Shape){.rank = -1};
    l->next[i] = element;
    return true;
}

/* Puts symbols where a carried value came back with another size. Dims that begin and come back equal share one: that
   they stay equal is what the next try checks. */
static bool generalise(Import *c, Loop *l, bool *changed) {
    typedef struct {
        Dim from, to, symbol;
    } Class;
    VEC(Class) classes = {0};
    Arena *a = c->im->arena;
    for (uint32_t i = 0; i < l->total; i++) {
        if (l->remade[i] || l->params[i].rank < 0) continue;
        if (i < l->n && (l->unbox[i] || l->ragged_rank[i] >= 0 || l->ranks[i])) continue;
        Shape init = shape_copy(c, l->init[i]);
        if (l->next[i].rank != init.rank)
            return unsupported(c, "the value that it carries as number %u changes its rank from %d to %d", i, init.rank,
                               l->next[i].rank);
        for (int k = 0; k < init.rank; k++) {
            Dim now = l->params[i].dims[k];
            Dim to = l->next[i].dims[k];
            uint32_t *fresh = &l->fresh[i * MAX_RANK + (uint32_t)k];
            if (dim_equal(now, to) && !*fresh) continue;
            Dim from = *fresh ? now : init.dims[k]; /* members of one class may have to part */
            Class *found = NULL;
            for (uint32_t m = 0; m < classes.len && !found; m++)
                if (dim_equal(classes.data[m].from, from) && dim_equal(classes.data[m].to, to))
                    found = &classes.data[m];
            if (!found) {
                bool first_of_class = true;
                for (uint32_t m = 0; m < classes.len; m++)
                    first_of_class = first_of_class && !dim_equal(classes.data[m].from, from);
                Dim symbol = *fresh && first_of_class ? now : dim_symbol(&c->g->dims, NULL, 0, INT64_MAX);
                vec_push(a, &classes, (Class){from, to, symbol});
                found = &classes.data[classes.len - 1];
            }
            *changed = *changed || !dim_equal(found->symbol, now);
            l->params[i].dims[k] = found->symbol;
            *fresh = found->symbol.expr;
        }
    }
    return true;
}

/* The body's list i as a ragged one, which the loop must carry then. */
static bool settle_ragged(Import *c, Loop *l, uint32_t i) {
    Import inside = *c;
    inside.r = l->regions[1];
    const ListInfo *before = list_find(c->im, l->init[i]);
    int rank = before && before->meta.i ? (int)dim_of(c, before->meta, 1).value - 1 : 0;
    ValueId list = ragged_of(&inside, l->results[i], rank);
    if (failed(list)) return false;
    l->results[i] = list;
    l->next[i] = shape_copy(c, list);
    ValueId meta = list_find(c->im, list)->meta;
    rank = (int)dim_of(c, meta, 1).value - 1;
    if (!l->companion_at[i])
        l->ragged_rank[i] = rank;
    else
        l->results[l->companion_at[i]] = meta;
    return true;
}

/* What the body gives for value i as a value of run-time rank, which the loop must carry then. *changed: it may have a
   rank that the loop was not imported for. */
static bool settle_rank(Import *c, Loop *l, uint32_t i, bool *changed) {
    Import inside = *c;
    inside.r = l->regions[1];
    ValueId v = any_rank_of(&inside, l->results[i]);
    if (failed(v)) return false;
    const AnyRank *after = any_rank_find(c->im, v), *before = any_rank_find(c->im, l->init[i]);
    uint32_t had = before ? before->ranks : 1u << rank_of(c, l->init[i]);
    l->results[i] = v;
    l->next[i] = shape_copy(c, v);
    if (before) l->results[l->companion_at[i]] = after->dims;
    *changed = !before || (after->ranks & ~had);
    if (*changed) l->ranks[i] = before ? ANY_RANK_ALL : had | after->ranks;
    return true;
}

static void add_companion(Import *c, Loop *l, uint32_t i) {
    l->companion_at[i] = l->total;
    l->init[l->total] = companion_of(c->im, l->init[i]);
    l->params[l->total] = shape_copy(c, l->init[l->total]);
    l->total++;
}

/* From now on the loop carries value i as a ragged list. */
static bool make_ragged(Import *c, Loop *l, uint32_t i) {
    l->init[i] = ragged_of(c, l->init[i], l->ragged_rank[i]);
    if (failed(l->init[i])) return false;
    l->params[i] = shape_copy(c, l->init[i]);
    l->remade[i] = false;
    l->ragged_rank[i] = -1;
    for (uint32_t k = 0; k < MAX_RANK; k++) l->fresh[i * MAX_RANK + k] = 0;
    add_companion(c, l, i);
    return true;
}

/* From now on the loop carries value i as one of run-time rank, which may be one of l->ranks[i]. */
static bool open_rank(Import *c, Loop *l, uint32_t i) {
    l->init[i] = any_rank_of(c, l->init[i]);
    if (failed(l->init[i])) return false;
    any_rank_find(c->im, l->init[i])->ranks = l->ranks[i];
    l->ranks[i] = 0;
    l->params[i] = shape_copy(c, l->init[i]);
    l->remade[i] = false;
    for (uint32_t k = 0; k < MAX_RANK; k++) l->fresh[i * MAX_RANK + k] = 0;
    if (!l->companion_at[i]) add_companion(c, l, i);
    return true;
}

/* A list that is an object on one side of the body only is taken out of it; *learned: outside, before the loop. */
static bool settle_boxed(Import *c, Loop *l, uint32_t i, bool *learned) {
    bool before = list_is_boxed(c, l->init[i]), after = list_is_boxed(c, l->results[i]);
    if (before == after || any_rank_find(c->im, l->init[i]) || any_rank_find(c->im, l->results[i])) return true;
    if (before) {
        l->unbox[i] = dtype_of(c, l->results[i]);
        return *learned = true;
    }
    Import inside = *c;
    inside.r = l->regions[1];
    l->results[i] = list_unbox_as(&inside, l->results[i], dtype_of(c, l->init[i]));
    return !failed(l->results[i]);
}

/* From now on the loop carries value i as a list. */
static bool open_box(Import *c, Loop *l, uint32_t i) {
    l->init[i] = list_unbox_as(c, l->init[i], l->unbox[i]);
    l->unbox[i] = DTYPE_NONE;
    if (failed(l->init[i])) return false;
    l->params[i] = shape_copy(c, l->init[i]);
    l->remade[i] = false;
    if (companion_of(c->im, l->init[i]).i) add_companion(c, l, i);
    return true;
}

/* A number that grows with the ranks of what was put into objects. */
static uint64_t object_ranks(const Importer *im) {
    uint64_t n = 0;
    for (DType t = DTYPE_NONE; t < N_DTYPES; t++)
        n += (uint64_t)__builtin_popcount(im->ragged_ranks[t]) + (uint64_t)__builtin_popcount(im->boxed_ranks[t]) +
             (im->boxed_ragged[t] != 0);
    return n;
}

/* What a try has learned of lists and ranks does not count. */
static void forget(const Import *c, Loop *l) {
    for (uint32_t i = 0; i < l->n; i++) {
        l->unbox[i] = DTYPE_NONE;
        l->ragged_rank[i] = -1;
        l->ranks[i] = 0;
        if (l->params[i].rank < 0) l->params[i] = shape_copy(c, l->init[i]);
    }
}

/* A sum of arrays of gradients that begins with the number 0: from now on with an array of zeros. False after a
   message. */
static bool begin_sum(Import *c, Loop *l, uint32_t i, uint32_t first_symbol, bool *learned) {
    Shape s = shape_copy(c, l->results[i]);
    if (rank_of(c, l->init[i]) != 0 || list_find(c->im, l->init[i]) || !array_is_summed(l->body, i)) return true;
    bool known = s.rank > 0 && value_is_splat(c->g, l->init[i], 0) && !list_find(c->im, l->results[i]) &&
                 !any_rank_find(c->im, l->results[i]);
    for (int k = 0; k < s.rank; k++) known = known && !is_inside(c, l, s.dims[k], first_symbol);
    if (!known) return unsupported(c, "sums gradients of an array whose elements have no known shape");
    l->params[i] = (Shape){.rank = -1};
    l->next[i] = s;
    return *learned = true;
}

/* Imports the body until what it gives back fits what it takes. */
static bool settle(Import *c, Loop *l) {
    Mark m = region_mark(c);
    for (int attempt = 0; attempt < IMPORT_MAX_LOOP_TRIES; attempt++) {
        uint32_t first_symbol = c->g->dims.symbols.len;
        bool changed = false;
        uint64_t objects = object_ranks(c->im);
        bool learned = false;
        if (!import_loop_region(c, l, 1, l->results)) return false;
        for (uint32_t i = 0; i < l->n; i++) {
            if (!settle_boxed(c, l, i, &learned)) return false;
            if (l->unbox[i]) continue;
            if (!begin_sum(c, l, i, first_symbol, &learned)) return false;
            if (l->params[i].rank < 0) continue;
            ListInfo *before = list_find(c->im, l->init[i]);
            ListInfo *after = list_find(c->im, l->results[i]);
            l->next[i] = shape_copy(c, l->results[i]);
            bool was_ragged = before && before->meta.i;
            if (was_ragged || (after && (after->parts || after->meta.i))) {
                if (!settle_ragged(c, l, i)) return false;
                learned = learned || !was_ragged;
                continue;
            }
            if (!before && !after &&
                (any_rank_find(c->im, l->init[i]) || any_rank_find(c->im, l->results[i]) ||
                 l->next[i].rank != rank_of(c, l->init[i]))) {
                bool opened = false;
                if (!settle_rank(c, l, i, &opened)) return false;
                learned = learned || opened;
                continue;
            }
            if (before && !before->handle && !after) {
                if (!learn_elements(c, l, i, first_symbol)) return false;
                learned = true;
            } else if (before && after && !dim_equal(before->count, after->count)) {
                return unsupported(
                    c, "the list that it carries as value %u changes its length before anything is put into it", i);
            } else if (!before && after) {
                return unsupported(c, "replaces the list that it carries as value %u by one without contents", i);
            }
        }
        for (uint32_t i = l->n; i < l->total; i++) l->next[i] = shape_copy(c, l->results[i]);
        if (!generalise(c, l, &changed)) return false;
        if (learned && changed) { /* what is put into lists has other sizes than were seen: first those */
            forget(c, l);
            region_take_back(c, m);
            continue;
        }
        if (object_ranks(c->im) != objects) changed = true; /* the next turn may take out what this one has put in */
        if (!learned && !changed) return true;
        region_take_back(c, m);
        for (uint32_t i = 0; learned && i < l->n; i++)
            if (l->unbox[i]) {
                if (!open_box(c, l, i)) return false;
            } else if (l->ragged_rank[i] >= 0) {
                if (!make_ragged(c, l, i)) return false;
            } else if (l->ranks[i]) {
                if (!open_rank(c, l, i)) return false;
            } else if (l->params[i].rank < 0) {
                l->init[i] = list_find(c->im, l->init[i]) ? list_materialise(c, l->init[i], &l->next[i])
                                                          : make_broadcast(c, l->init[i], &l->next[i]);
                l->params[i] = shape_copy(c, l->init[i]);
                l->remade[i] = false;
                if (failed(l->init[i])) return false;
            }
        if (learned) m = region_mark(c);
    }
    return unsupported(c, "the sizes of the values it carries do not settle");
}

static bool start_loop(Import *c, Loop *l) {
    Arena *a = c->im->arena;
    l->condition = import_function_attr(c, "cond");
    l->body = import_function_attr(c, "body");
    if (!l->condition || !l->body) return false;
    l->n = c->n_in;
    if (!import_function_fits(c, l->condition, l->n) || !import_function_fits(c, l->body, l->n)) return false;
    if (l->body->n_results != l->n || l->condition->n_results != 1 || l->n > IMPORT_MAX_OUTPUTS)
        return bad(c, "its body gives %u values for the %u that it carries", l->body->n_results, l->n);
    l->total = l->n;
    l->companion_at = NEW_ARRAY(a, uint32_t, l->n + 1);
    l->ranks = NEW_ARRAY(a, uint32_t, l->n + 1);
    l->is_stack = NEW_ARRAY(a, bool, l->n + 1);
    l->unbox = NEW_ARRAY(a, DType, l->n + 1);
    l->ragged_rank = NEW_ARRAY(a, int, l->n + 1);
    l->init = NEW_ARRAY(a, ValueId, 2 * l->n + 1);
    l->remade = NEW_ARRAY(a, bool, 2 * l->n + 1);
    l->params = NEW_ARRAY(a, Shape, 2 * l->n + 1);
    l->next = NEW_ARRAY(a, Shape, 2 * l->n + 1);
    l->fresh = NEW_ARRAY(a, uint32_t, (size_t)l->n * 2 * MAX_RANK + 1);
    l->results = NEW_ARRAY(a, ValueId, 2 * l->n + 1);
    for (uint32_t i = 0; i < l->n; i++) {
        StackInfo *stack = c->im->function_effect[l->body - c->im->tf->functions] ? stack_find(c->im, c->in[i]) : NULL;
        l->is_stack[i] = stack && stack->region == c->r.i;
        l->ragged_rank[i] = -1;
        l->init[i] = l->is_stack[i] ? stack_list(c, stack) : c->in[i];
        if (failed(l->init[i])) return false;
        const ListInfo *list = list_find(c->im, l->init[i]);
        if (list && list->parts) l->init[i] = ragged_of(c, l->init[i], 0);
        if (failed(l->init[i])) return false;
        list = list_find(c->im, l->init[i]);
        if (companion_of(c->im, l->init[i]).i) {
            l->params[i] = shape_copy(c, l->init[i]);
            add_companion(c, l, i);
            continue;
        }
        l->remade[i] = list || (passes_through(l->body, i) && region_can_remake(c, l->init[i]));
        l->params[i] = shape_copy(c, l->init[i]);
    }
    return true;
}

bool import_while(Import *c) {
    Loop loop = {0};
    Loop *l = &loop;
    if (!start_loop(c, l) || !settle(c, l)) return false;
    ValueId condition = {0};
    if (!import_loop_region(c, l, 0, &condition)) return false;
    Import inside = *c; /* the condition of any type, computed in its region */
    inside.r = l->regions[0];
    condition = import_truth(&inside, condition);
    if (failed(condition)) return false;
    vec_push(c->g->arena, &region_at(c->g, l->regions[0])->results, condition);
    ValueId *inputs = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    ValueId *outputs = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->total; i++) {
        if (l->remade[i]) continue;
        inputs[n++] = l->init[i];
        vec_push(c->g->arena, &region_at(c->g, l->regions[1])->results, l->results[i]);
    }
    NodeSpec spec = {.op = OP_WHILE,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .inputs = inputs,
                     .n_inputs = n,
                     .n_outputs = n,
                     .regions = l->regions,
                     .n_regions = 2};
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    if (id.i == 0) return false;
    c->n_out = l->n;
    n = 0;
    for (uint32_t i = 0; i < l->total; i++) outputs[i] = l->remade[i] ? l->init[i] : node_at(c->g, id)->outputs[n++];
    memcpy(c->out, outputs, sizeof(ValueId) * l->n);
    for (uint32_t i = 0; i < l->n; i++)
        if (l->companion_at[i]) companion_adopt(c, l->init[i], outputs[i], outputs[l->companion_at[i]]);
    for (uint32_t i = 0; i < l->n; i++)
        if (l->is_stack[i]) stack_find(c->im, c->in[i])->list = outputs[i];
    return true;
}
