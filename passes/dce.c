/* dce: drops nodes that no output needs. A node is needed by a result, by a needed node, as a host call without
   results, as a requirement, or because it sets a symbol that a needed node mentions in its sizes. What fills a table
   that nobody looks into is not needed.      needs: order      keeps: everything else */
#include "rewrite.h"

typedef struct {
    const Graph *g;
    Arena *scratch;
    bool *live;  /* by node */
    bool *known; /* by expression: its symbols' definers are on the stack */
    VEC(NodeId) stack;
    VEC(NodeId) waiting; /* host calls without results, for what they work on to be needed */
} Marker;

static void mark(Marker *m, NodeId n) {
    if (!n.i || n.i >= m->g->nodes.len || m->live[n.i]) return;
    m->live[n.i] = true;
    vec_push(m->scratch, &m->stack, n);
}

static void mark_dim(Marker *m, Dim d) {
    if (dim_is_const(d) || m->known[d.expr]) return;
    const DimExpr *e = &m->g->dims.exprs.data[d.expr];
    m->known[d.expr] = true;
    if (e->kind == DIM_SYMBOL) {
        mark(m, (NodeId){m->g->dims.symbols.data[e->symbol].definer});
        return;
    }
    mark_dim(m, e->a);
    mark_dim(m, e->b);
}

static void mark_value(Marker *m, ValueId v) {
    const Value *value = value_at(m->g, v);
    mark(m, value->def);
    for (int k = 0; k < value->shape.rank; k++) mark_dim(m, value->shape.dims[k]);
}

/* The node that makes the table that n works on; {0} when that is not known. */
static NodeId table_of(const Graph *g, const Node *n) {
    if (n->n_inputs == 0) return (NodeId){0};
    const Value *handle = value_at(g, n->inputs[0]);
    return handle->dtype == DTYPE_RESOURCE && handle->def.i && node_at(g, handle->def)->op == OP_HOST ? handle->def
                                                                                                      : (NodeId){0};
}

/* Host calls without results are there for what they do (filling a table), requirements for failing. */
static void mark_effects(Marker *m, const Region *r) {
    for (uint32_t i = 0; i < r->nodes.len; i++) {
        const Node *n = node_at(m->g, r->nodes.data[i]);
        if (n->op == OP_REQUIRE && !n->dead) mark(m, r->nodes.data[i]);
        if (n->op != OP_HOST || n->n_outputs != 0 || n->dead) continue;
        if (table_of(m->g, n).i)
            vec_push(m->scratch, &m->waiting, r->nodes.data[i]);
        else
            mark(m, r->nodes.data[i]);
    }
}

/* Those whose table is needed by now. */
static void mark_waiting(Marker *m) {
    for (uint32_t i = 0; i < m->waiting.len; i++)
        if (m->live[table_of(m->g, node_at(m->g, m->waiting.data[i])).i]) mark(m, m->waiting.data[i]);
}

static void mark_needs(Marker *m, NodeId id) {
    const Node *n = node_at(m->g, id);
    for (uint32_t i = 0; i < n->n_inputs; i++) mark_value(m, n->inputs[i]);
    for (uint32_t i = 0; i < n->n_outputs; i++) mark_value(m, n->outputs[i]);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        for (uint32_t k = 0; n->attrs[i].kind == ATTR_DIMS && k < n->attrs[i].n; k++)
            mark_dim(m, n->attrs[i].v.dims[k]);
    for (uint32_t i = 0; i < n->n_regions; i++) {
        const Region *r = region_at(m->g, n->regions[i]);
        for (uint32_t k = 0; k < r->results.len; k++) mark_value(m, r->results.data[k]);
        mark_effects(m, r);
    }
}

bool drop_unused(Graph *g, Arena *scratch) {
    Marker m = {.g = g, .scratch = scratch};
    m.live = NEW_ARRAY(scratch, bool, g->nodes.len);
    m.known = NEW_ARRAY(scratch, bool, g->dims.exprs.len);
    const Region *root = region_at(g, g->root);
    mark_effects(&m, root);
    for (uint32_t i = 0; i < root->results.len; i++) mark_value(&m, root->results.data[i]);
    while (m.stack.len) {
        while (m.stack.len) mark_needs(&m, m.stack.data[--m.stack.len]);
        mark_waiting(&m);
    }
    bool dropped = false;
    for (uint32_t r = 1; r < g->regions.len; r++)
        for (uint32_t i = 0; i < g->regions.data[r].nodes.len; i++) {
            NodeId n = g->regions.data[r].nodes.data[i];
            if (m.live[n.i] || node_at(g, n)->dead) continue;
            graph_remove(g, n);
            dropped = true;
        }
    if (dropped) graph_sort(g);
    return dropped;
}

bool pass_dce(Unit *u) {
    return drop_unused(u->g, u->scratch);
}
