/* control: makes loops and branches carry less. A branch whose selector is known takes the place of its node. Constants
   that are passed into regions are copied there. A loop's values that no turn changes are read before the loop and
   after it alike, counters that count alike become one, and values that nothing reads are carried no longer. needs:
   order, after cse      keeps: shapes, order */
#include "rewrite.h"

#include <string.h>

/* ---- lists */

static void remove_at(ValueId *list, uint32_t *n, uint32_t at) {
    memmove(&list[at], &list[at + 1], (*n - at - 1) * sizeof *list);
    (*n)--;
}

/* Parameter `at` of region r, which nothing uses, goes away. */
static void remove_param(Graph *g, RegionId r, uint32_t at) {
    Region *region = region_at(g, r);
    remove_at(region->params.data, &region->params.len, at);
    for (uint32_t i = at; i < region->params.len; i++) value_at(g, region->params.data[i])->index = i;
}

static void remove_output(Graph *g, NodeId id, uint32_t at) {
    Node *n = node_at(g, id);
    remove_at(n->outputs, &n->n_outputs, at);
    for (uint32_t i = at; i < n->n_outputs; i++) value_at(g, n->outputs[i])->index = i;
}

static bool is_used(const uint32_t *uses, ValueId v) {
    return uses[v.i] != 0;
}

/* ---- constants go where they are used */

/* The value that a parameter always has, as a constant of the region; {0} when it is none. */
static bool sink_constant(Graph *g, RegionId r, ValueId param, ValueId arg, const uint32_t *uses) {
    const Tensor *t = value_const(g, arg);
    if (!t || !is_used(uses, param) || dtype_info(t->dtype)->class_ == CLASS_HANDLE) return false;
    ValueId copy = build_const(g, r, t, node_at(g, value_at(g, arg)->def)->name);
    graph_replace_uses(g, param, copy);
    return true;
}

/* ---- branches */

/* Symbols that the node defined for sizes in which its branches differed are now the sizes of the branch taken. False,
   and nothing changed, where that cannot be. */
static bool replace_symbols(Graph *g, const Node *n, RegionId taken) {
    uint32_t n_symbols = g->dims.symbols.len;
    Arena *scratch = arena_new();
    Dim *map = NEW_ARRAY(scratch, Dim, n_symbols);
    bool any = false;
    for (uint32_t i = 0; i < n_symbols; i++) map[i] = (Dim){g->dims.symbols.data[i].expr, 0};
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Shape *was = &value_at(g, n->outputs[i])->shape,
                    *is = &value_at(g, region_at(g, taken)->results.data[i])->shape;
        for (int k = 0; k < was->rank; k++) {
            const DimExpr *e = &g->dims.exprs.data[was->dims[k].expr];
            if (dim_equal(was->dims[k], is->dims[k]) || dim_is_const(was->dims[k]) || e->kind != DIM_SYMBOL) continue;
            map[e->symbol] = is->dims[k];
            any = true;
        }
    }
    const bool fits = !any || graph_set_symbols(g, map);
    arena_free(scratch);
    return fits;
}

/* The nodes of region r move to the region of node id, in whose place they stand. */
static bool inline_region(Unit *u, NodeId id, RegionId r) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    RegionId outer = n->region;
    if (!replace_symbols(g, n, r)) return false;
    for (uint32_t i = 0; i < region_at(g, r)->params.len; i++)
        graph_replace_uses(g, region_at(g, r)->params.data[i], n->inputs[i + 1]);
    for (uint32_t i = 0; i < region_at(g, r)->nodes.len; i++) {
        NodeId inner = region_at(g, r)->nodes.data[i];
        Node *moved = node_at(g, inner);
        moved->region = outer;
        for (uint32_t k = 0; k < moved->n_outputs; k++) value_at(g, moved->outputs[k])->region = outer;
        vec_push(g->arena, &region_at(g, outer)->nodes, inner);
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) graph_replace_uses(g, n->outputs[i], region_at(g, r)->results.data[i]);
    region_at(g, r)->nodes.len = region_at(g, r)->results.len = 0;
    rewrite_record(u, "control", "the branch is known", n->name, 0, 0);
    graph_remove(g, id);
    return true;
}

/* Whether a size of v is only known once node id has run: it may be asked for although nobody reads v. */
static bool sets_symbol(const Graph *g, NodeId id, ValueId v) {
    const Shape *s = shape_at(g, v);
    for (uint32_t i = 0; i < g->dims.symbols.len; i++)
        for (int k = 0; k < s->rank && g->dims.symbols.data[i].definer == id.i; k++)
            if (dim_uses(&g->dims, s->dims[k], i)) return true;
    return false;
}

static bool simplify_branch(Unit *u, NodeId id, const uint32_t *uses) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    const Value *selector = value_at(g, n->inputs[0]);
    if (selector->content && !selector->may_wrap && dim_is_const(selector->content[0])) {
        int64_t which = selector->content[0].value, last = (int64_t)n->n_regions - 1;
        if (n->op == OP_IF) which = which ? 0 : 1;
        if (inline_region(u, id, n->regions[which < 0 || which > last ? last : which])) return true;
    }
    bool changed = false;
    for (uint32_t i = n->n_inputs - 1; i >= 1; i--) {
        bool used = false;
        for (uint32_t r = 0; r < n->n_regions; r++) {
            ValueId param = region_at(g, n->regions[r])->params.data[i - 1];
            if (sink_constant(g, n->regions[r], param, n->inputs[i], uses))
                changed = true;
            else
                used |= is_used(uses, param);
            n = node_at(g, id);
        }
        if (used) continue;
        for (uint32_t r = 0; r < n->n_regions; r++) remove_param(g, n->regions[r], i - 1);
        remove_at(node_at(g, id)->inputs, &node_at(g, id)->n_inputs, i);
        changed = true;
    }
    for (uint32_t i = node_at(g, id)->n_outputs; i-- > 0;) {
        n = node_at(g, id);
        if (is_used(uses, n->outputs[i]) || n->n_outputs == 1 || sets_symbol(g, id, n->outputs[i])) continue;
        for (uint32_t r = 0; r < n->n_regions; r++) {
            Region *region = region_at(g, n->regions[r]);
            remove_at(region->results.data, &region->results.len, i);
        }
        remove_output(g, id, i);
        changed = true;
    }
    return changed;
}

/* ---- loops */

enum { LOOP_CONDITION, LOOP_BODY };

static ValueId loop_param(const Graph *g, const Node *n, uint32_t region, uint32_t i) {
    return region_at(g, n->regions[region])->params.data[i];
}

static ValueId loop_next(const Graph *g, const Node *n, uint32_t i) {
    return region_at(g, n->regions[LOOP_BODY])->results.data[i];
}

/* A value that each turn hands on as it is. */
static bool simplify_invariant(Unit *u, NodeId id, uint32_t i, const uint32_t *uses) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    ValueId param = loop_param(g, n, LOOP_BODY, i), arg = n->inputs[i];
    if (loop_next(g, n, i).i != param.i) return false;
    bool changed = false;
    if (is_used(uses, n->outputs[i]) && shape_equal(shape_at(g, n->outputs[i]), shape_at(g, arg))) {
        graph_replace_uses(g, n->outputs[i], arg);
        rewrite_record(u, "control", "what no turn changes is known after the loop", n->name, 0, 0);
        changed = true;
    }
    for (uint32_t r = 0; r < 2; r++) {
        n = node_at(g, id);
        ValueId inner = loop_param(g, n, r, i);
        if (uses[inner.i] <= (r == LOOP_BODY ? 1u : 0u)) continue; /* only handed on */
        if (!sink_constant(g, n->regions[r], inner, arg, uses)) continue;
        if (r == LOOP_BODY) region_at(g, node_at(g, id)->regions[r])->results.data[i] = inner;
        changed = true;
    }
    return changed;
}

/* The constant that a turn adds to carried value i, or NULL. */
static const Tensor *step_of(const Graph *g, const Node *n, uint32_t i) {
    const Node *sum = match(g, loop_next(g, n, i), OP_ADD);
    if (!sum || sum->inputs[0].i != loop_param(g, n, LOOP_BODY, i).i) return NULL;
    return value_const(g, sum->inputs[1]);
}

/* Values i and k begin alike and grow by the same: k is i. */
static bool join_counters(Unit *u, NodeId id, uint32_t i, uint32_t k, const uint32_t *uses) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    const Tensor *a = step_of(g, n, i), *b = step_of(g, n, k), *from_a = value_const(g, n->inputs[i]),
                 *from_b = value_const(g, n->inputs[k]);
    bool same_start = n->inputs[i].i == n->inputs[k].i || (from_a && from_b && tensor_equal(from_a, from_b));
    if (!a || !b || !same_start || !tensor_equal(a, b)) return false;
    if (!shape_equal(shape_at(g, n->outputs[i]), shape_at(g, n->outputs[k]))) return false;
    ValueId next = loop_next(g, n, k), others[3] = {loop_param(g, n, 0, k), loop_param(g, n, 1, k), n->outputs[k]};
    ValueId ours[3] = {loop_param(g, n, 0, i), loop_param(g, n, 1, i), n->outputs[i]};
    bool used = is_used(uses, others[0]) || uses[others[1].i] > 1 || is_used(uses, others[2]);
    if (!used) return false; /* it goes anyway */
    for (int j = 0; j < 3; j++) graph_replace_uses(g, others[j], ours[j]);
    /* k counts on for itself until it is found unused */
    n = node_at(g, id);
    Node *sum = node_at(g, value_at(g, next)->def);
    if (next.i != loop_next(g, n, i).i) sum->inputs[0] = others[1];
    rewrite_record(u, "control", "counters that count alike", n->name, 0, 0);
    return true;
}

/* Marks the body's parameters that v depends on. */
static void mark_params(const Graph *g, ValueId v, bool *seen, bool *live, NodeId *stack) {
    uint32_t depth = 0;
    const Value *value = value_at(g, v);
    if (!value->def.i) {
        live[value->index] = true;
        return;
    }
    if (!seen[value->def.i]) stack[depth++] = value->def;
    seen[value->def.i] = true;
    while (depth) {
        const Node *n = node_at(g, stack[--depth]);
        for (uint32_t i = 0; i < n->n_inputs; i++) {
            value = value_at(g, n->inputs[i]);
            if (!value->def.i) {
                live[value->index] = true;
            } else if (!seen[value->def.i]) {
                seen[value->def.i] = true;
                stack[depth++] = value->def;
            }
        }
    }
}

/* Carried values that neither the condition, nor a result that is used, nor another such value needs. */
static bool remove_unused(Unit *u, NodeId id, const uint32_t *uses) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    uint32_t count = n->n_inputs;
    bool *live = NEW_ARRAY(u->scratch, bool, count), *done = NEW_ARRAY(u->scratch, bool, count),
         *seen = NEW_ARRAY(u->scratch, bool, g->nodes.len);
    NodeId *stack = NEW_ARRAY(u->scratch, NodeId, g->nodes.len);
    for (uint32_t i = 0; i < count; i++)
        live[i] = is_used(uses, n->outputs[i]) || is_used(uses, loop_param(g, n, LOOP_CONDITION, i)) ||
                  !shape_equal(shape_at(g, n->inputs[i]), shape_at(g, n->outputs[i])); /* it sets symbols */
    /* What sets symbols or fills tables is needed although no value leads to it: it keeps what it reads. */
    const Region *body_region = region_at(g, n->regions[LOOP_BODY]);
    for (uint32_t i = 0; i < body_region->nodes.len; i++) {
        const Node *inner = node_at(g, body_region->nodes.data[i]);
        bool sets = inner->op == OP_HOST || (op_info(inner->op)->flags & (OP_FLAG_EFFECT | OP_FLAG_REGIONS));
        for (uint32_t k = 0; sets && k < inner->n_inputs; k++) mark_params(g, inner->inputs[k], seen, live, stack);
    }
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < count; i++) {
            if (!live[i] || done[i]) continue;
            done[i] = again = true;
            mark_params(g, loop_next(g, n, i), seen, live, stack);
        }
    }
    bool changed = false;
    for (uint32_t i = count; i-- > 0;) {
        n = node_at(g, id);
        if (live[i] || n->n_inputs == 1) continue;
        for (uint32_t r = 0; r < 2; r++) remove_param(g, n->regions[r], i);
        Region *body = region_at(g, n->regions[LOOP_BODY]);
        remove_at(body->results.data, &body->results.len, i);
        remove_at(node_at(g, id)->inputs, &node_at(g, id)->n_inputs, i);
        remove_output(g, id, i);
        rewrite_record(u, "control", "carried for nobody", node_at(g, id)->name, 0, 0);
        changed = true;
    }
    return changed;
}

static bool simplify_loop(Unit *u, NodeId id, const uint32_t *uses) {
    bool changed = false;
    for (uint32_t i = 0; i < node_at(u->g, id)->n_inputs; i++) changed |= simplify_invariant(u, id, i, uses);
    for (uint32_t i = 0; i < node_at(u->g, id)->n_inputs && !changed; i++)
        for (uint32_t k = i + 1; k < node_at(u->g, id)->n_inputs && !changed; k++)
            changed = join_counters(u, id, i, k, uses);
    return changed ? true : remove_unused(u, id, uses);
}

bool pass_control(Unit *u) {
    Graph *g = u->g;
    bool any = false;
    for (int sweep = 0; sweep < 20; sweep++) {
        bool changed = false;
        for (uint32_t i = 1; i < g->nodes.len; i++) {
            const Node *n = node_at(g, (NodeId){i});
            if (n->dead || (n->op != OP_WHILE && n->op != OP_IF && n->op != OP_CASE)) continue;
            /* Uses change with every step; graphs have few loops and branches, so they are counted again. */
            uint32_t *uses = graph_count_uses(g, u->scratch);
            changed |= n->op == OP_WHILE ? simplify_loop(u, (NodeId){i}, uses) : simplify_branch(u, (NodeId){i}, uses);
        }
        if (!changed) break;
        any = true;
        graph_sort(g);
        drop_unused(g, u->scratch);
    }
    return any;
}
