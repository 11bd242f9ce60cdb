/* Reference: what the commands ask of the graph as imported: its ports, and how large integer inputs may be. */
#include "commands.h"

#include "ref/ref.h"

/* The size of the gathered axis when v reaches the indexes of a gather through ops that keep values; the smallest over
 * all uses. */
static int64_t index_limit(const Graph *g, const Users *users, ValueId v, int depth) {
    int64_t limit = 0;
    for (uint32_t i = 0; depth < 8 && i < users[v.i].n; i++) {
        const Node *n = node_at(g, users[v.i].nodes[i]);
        int64_t found = 0;
        if (n->op == OP_GATHER && n->inputs[1].i == v.i) {
            const Shape *table = &value_at(g, n->inputs[0])->shape;
            int64_t axis = node_int(n, "axis", 0);
            if (axis >= 0 && axis < table->rank && dim_is_const(table->dims[axis])) found = table->dims[axis].value;
        } else if (n->op == OP_CAST || n->op == OP_MAX || n->op == OP_MIN || (op_info(n->op)->flags & OP_FLAG_MOVES) ||
                   n->op == OP_SELECT) {
            for (uint32_t k = 0; k < n->n_outputs; k++) {
                int64_t below = index_limit(g, users, n->outputs[k], depth + 1);
                if (below && (!found || below < found)) found = below;
            }
        }
        if (found && (!limit || found < limit)) limit = found;
    }
    return limit;
}

static InputPort port_of(const Graph *g, ValueId v, const char *name) {
    const Value *value = value_at(g, v);
    InputPort p = {.name = name, .dtype = value->dtype, .rank = value->shape.rank};
    for (int k = 0; k < p.rank; k++) {
        Dim dim = value->shape.dims[k];
        const DimExpr *e = &g->dims.exprs.data[dim.expr];
        p.dims[k] = dim_is_const(dim) ? dim.value : -1;
        if (dim_is_const(dim) || e->kind != DIM_SYMBOL) continue;
        p.sizes[k] = g->dims.symbols.data[e->symbol].name;
        p.least[k] = g->dims.symbols.data[e->symbol].min;
    }
    return p;
}

void graph_ports(const Graph *g, InputPort **out_inputs, InputPort **out_outputs, int64_t **out_limits, Arena *arena) {
    const Region *root = region_at(g, g->root);
    *out_inputs = NEW_ARRAY(arena, InputPort, root->params.len + 1);
    *out_outputs = NEW_ARRAY(arena, InputPort, root->results.len + 1);
    if (out_limits) *out_limits = NEW_ARRAY(arena, int64_t, root->params.len + 1);
    Arena *scratch = arena_new();
    Users *users = graph_users(g, scratch);
    for (uint32_t i = 0; i < root->params.len; i++) {
        (*out_inputs)[i] = port_of(g, root->params.data[i], g->inputs.data[i].name);
        if (out_limits && dtype_is_int((*out_inputs)[i].dtype))
            (*out_limits)[i] = index_limit(g, users, root->params.data[i], 0);
    }
    for (uint32_t i = 0; i < root->results.len; i++)
        (*out_outputs)[i] = port_of(g, root->results.data[i], g->outputs.data[i].name);
    arena_free(scratch);
}
