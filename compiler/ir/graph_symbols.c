/* graph_symbols: other sizes in the place of symbols, throughout a graph: when it turns out what a symbol is that the
   run was to tell (a branch is known, the number it is read from is a constant). */
#include "ir/graph.h"

/* Whether the symbols as `map` has them give every value sizes that exist: what computes with the result of a branch
   may not be able to take that of this one, which the run says. */
static bool sizes_exist(Graph *g, const Dim *map) {
    for (uint32_t i = 1; i < g->values.len; i++) {
        const Shape s = g->values.data[i].shape;
        for (int k = 0; k < s.rank; k++) {
            const Dim d = dim_substitute(&g->dims, s.dims[k], map);
            if (dim_is_const(d) && d.value < 0) return false;
        }
    }
    return true;
}

static void set_in_value(Graph *g, Value *v, const Dim *map) {
    for (int k = 0; k < v->shape.rank; k++) v->shape.dims[k] = dim_substitute(&g->dims, v->shape.dims[k], map);
    if (!v->content) return;
    const int64_t count = shape_count(&v->shape);
    Dim *content = arena_memdup(g->arena, v->content, (size_t)count * sizeof *content);
    for (int64_t k = 0; k < count; k++) content[k] = dim_substitute(&g->dims, content[k], map);
    v->content = content;
}

static void set_in_node(Graph *g, Node *n, const Dim *map) {
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        Attr *attr = &n->attrs[i];
        if (attr->kind != ATTR_DIMS) continue;
        Dim *dims = arena_memdup(g->arena, attr->v.dims, attr->n * sizeof *dims);
        for (uint32_t k = 0; k < attr->n; k++) dims[k] = dim_substitute(&g->dims, dims[k], map);
        attr->v.dims = dims;
    }
}

bool graph_set_symbols(Graph *g, const Dim *map) {
    if (!sizes_exist(g, map)) return false;
    for (uint32_t i = 1; i < g->values.len; i++) set_in_value(g, &g->values.data[i], map);
    for (uint32_t i = 1; i < g->nodes.len; i++) set_in_node(g, &g->nodes.data[i], map);
    return true;
}
