/* Editing graphs: uses, replacing, removing and sorting. Passes append nodes anywhere and sort once at their end;
   sorting also keeps nodes that read a symbol behind the node that sets it (load_dims, results with data-dependent
   sizes). */
#include "ir/graph.h"

#include <string.h>

void graph_replace_uses(Graph *g, ValueId from, ValueId to) {
    if (from.i == to.i) return;
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        Node *n = &g->nodes.data[i];
        if (n->dead) continue;
        for (uint32_t k = 0; k < n->n_inputs; k++)
            if (n->inputs[k].i == from.i) n->inputs[k] = to;
    }
    for (uint32_t i = 1; i < g->regions.len; i++) {
        Region *r = &g->regions.data[i];
        for (uint32_t k = 0; k < r->results.len; k++)
            if (r->results.data[k].i == from.i) r->results.data[k] = to;
    }
}

void graph_clear_region(Graph *g, RegionId r) {
    for (uint32_t i = 0; i < region_at(g, r)->nodes.len; i++) {
        NodeId inner = region_at(g, r)->nodes.data[i];
        if (!node_at(g, inner)->dead) graph_remove(g, inner);
    }
    region_at(g, r)->results.len = 0;
    region_at(g, r)->nodes.len = 0;
}

void graph_remove(Graph *g, NodeId id) {
    Node *n = node_at(g, id);
    n->dead = true;
    for (uint32_t i = 0; i < n->n_regions; i++) graph_clear_region(g, n->regions[i]); /* they die with it */
}

uint32_t *graph_count_uses(const Graph *g, Arena *scratch) {
    uint32_t *uses = NEW_ARRAY(scratch, uint32_t, g->values.len);
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        const Node *n = &g->nodes.data[i];
        for (uint32_t k = 0; !n->dead && k < n->n_inputs; k++) uses[n->inputs[k].i]++;
    }
    for (uint32_t i = 1; i < g->regions.len; i++)
        for (uint32_t k = 0; k < g->regions.data[i].results.len; k++) uses[g->regions.data[i].results.data[k].i]++;
    return uses;
}

Users *graph_users(const Graph *g, Arena *scratch) {
    uint32_t *uses = graph_count_uses(g, scratch);
    Users *users = NEW_ARRAY(scratch, Users, g->values.len);
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        const Node *n = &g->nodes.data[i];
        for (uint32_t k = 0; !n->dead && k < n->n_inputs; k++) {
            Users *u = &users[n->inputs[k].i];
            if (!u->nodes) u->nodes = NEW_ARRAY(scratch, NodeId, uses[n->inputs[k].i]);
            if (!u->n || u->nodes[u->n - 1].i != i)
                u->nodes[u->n++] = (NodeId){i}; /* a node that uses it twice is one user */
        }
    }
    for (uint32_t i = 1; i < g->regions.len; i++)
        for (uint32_t k = 0; k < g->regions.data[i].results.len; k++)
            users[g->regions.data[i].results.data[k].i].is_result = true;
    return users;
}

/* ---- sorting */

typedef struct {
    Graph *g;
    Arena *scratch;
    uint8_t *state; /* by node: 0 not seen, 1 on the stack, 2 placed */
    bool has_definers;
    VEC(NodeId) order;
} Sorter;

typedef struct {
    NodeId node;
    uint32_t next; /* dependency to look at next */
    NodeId *after; /* what must come first */
    uint32_t n_after;
} Frame;

typedef VEC(NodeId) NodeList;

static void add_definers_of_dim(Sorter *s, Dim d, NodeList *out) {
    if (dim_is_const(d)) return;
    const DimExpr *e = &s->g->dims.exprs.data[d.expr];
    if (e->kind == DIM_SYMBOL) {
        uint32_t definer = s->g->dims.symbols.data[e->symbol].definer;
        if (definer && definer != DIM_UNCLAIMED) vec_push(s->scratch, out, (NodeId){definer});
        return;
    }
    add_definers_of_dim(s, e->a, out);
    add_definers_of_dim(s, e->b, out);
}

/* The nodes that set symbols which node `id` (or a node in its regions) mentions. */
static void add_definers(Sorter *s, NodeId id, NodeList *out) {
    const Node *n = node_at(s->g, id);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(s->g, n->outputs[i]);
        for (int k = 0; k < v->shape.rank; k++) add_definers_of_dim(s, v->shape.dims[k], out);
    }
    for (uint32_t i = 0; i < n->n_attrs; i++)
        for (uint32_t k = 0; n->attrs[i].kind == ATTR_DIMS && k < n->attrs[i].n; k++)
            add_definers_of_dim(s, n->attrs[i].v.dims[k], out);
    for (uint32_t i = 0; i < n->n_regions; i++) {
        const Region *r = region_at(s->g, n->regions[i]);
        for (uint32_t k = 0; k < r->nodes.len; k++) add_definers(s, r->nodes.data[k], out);
    }
}

static Frame open_frame(Sorter *s, NodeId id) {
    const Node *n = node_at(s->g, id);
    NodeList after = {0};
    for (uint32_t i = 0; i < n->n_inputs; i++)
        if (value_at(s->g, n->inputs[i])->def.i) vec_push(s->scratch, &after, value_at(s->g, n->inputs[i])->def);
    if (s->has_definers) add_definers(s, id, &after);
    s->state[id.i] = 1;
    return (Frame){id, 0, after.data, after.len};
}

/* Depth first from `id`: what it needs is placed before it, all else keeps its place. An explicit stack: graphs are
 * deep. */
static void place(Sorter *s, NodeId id) {
    VEC(Frame) stack = {0};
    RegionId region = node_at(s->g, id)->region;
    vec_push(s->scratch, &stack, open_frame(s, id));
    while (stack.len) {
        Frame *f = &stack.data[stack.len - 1];
        if (f->next == f->n_after) {
            s->state[f->node.i] = 2;
            vec_push(s->scratch, &s->order, f->node);
            stack.len--;
            continue;
        }
        NodeId dep = f->after[f->next++];
        const Node *n = node_at(s->g, dep);
        if (n->region.i != region.i || n->dead || dep.i == f->node.i || s->state[dep.i] == 2) continue;
        if (s->state[dep.i] == 1) BUG("the graph has a cycle through node '%s' (%s)", n->name, op_info(n->op)->text);
        vec_push(s->scratch, &stack, open_frame(s, dep));
    }
}

void graph_sort(Graph *g) {
    Sorter s = {.g = g, .scratch = arena_new()};
    s.state = NEW_ARRAY(s.scratch, uint8_t, g->nodes.len);
    for (uint32_t i = 0; i < g->dims.symbols.len; i++) s.has_definers |= g->dims.symbols.data[i].definer != 0;
    for (uint32_t r = 1; r < g->regions.len; r++) {
        s.order.len = 0;
        for (uint32_t i = 0; i < g->regions.data[r].nodes.len; i++) {
            NodeId id = g->regions.data[r].nodes.data[i];
            if (!node_at(g, id)->dead && s.state[id.i] == 0) place(&s, id);
        }
        Region *region = &g->regions.data[r];
        CHECK(s.order.len <= region->nodes.len);
        if (s.order.len) memcpy(region->nodes.data, s.order.data, s.order.len * sizeof(NodeId));
        region->nodes.len = s.order.len;
    }
    arena_free(s.scratch);
}
