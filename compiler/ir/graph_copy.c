/* graph_copy: a second graph that can be rewritten while the first stays as it is. Names, tensors and list attributes
   are shared: nobody changes them in place. */
#include "ir/graph.h"

#include <string.h>

/* A vector of its own, with room to grow. */
#define COPY_VEC(arena, v) ((v).data = arena_memdup((arena), (v).data, (v).len * sizeof *(v).data), (v).cap = (v).len)
#define COPY_ARRAY(arena, p, n) ((p) = arena_memdup((arena), (p), (n) * sizeof *(p)))

static void copy_dims(Arena *arena, DimTable *t) {
    t->arena = arena;
    COPY_VEC(arena, t->exprs);
    COPY_VEC(arena, t->symbols);
    t->index.arena = arena;
    COPY_VEC(arena, t->index.entries);
    COPY_ARRAY(arena, t->index.buckets, t->index.n_buckets);
}

Graph *graph_copy(Arena *arena, const Graph *g) {
    Graph *copy = arena_memdup(arena, g, sizeof *g);
    copy->arena = arena;
    copy_dims(arena, &copy->dims);
    COPY_VEC(arena, copy->nodes);
    COPY_VEC(arena, copy->values);
    COPY_VEC(arena, copy->regions);
    COPY_VEC(arena, copy->inputs);
    COPY_VEC(arena, copy->outputs);
    for (uint32_t i = 0; i < copy->nodes.len; i++) {
        Node *n = &copy->nodes.data[i];
        COPY_ARRAY(arena, n->inputs, n->n_inputs);
        COPY_ARRAY(arena, n->outputs, n->n_outputs);
        COPY_ARRAY(arena, n->attrs, n->n_attrs);
        COPY_ARRAY(arena, n->regions, n->n_regions);
    }
    for (uint32_t i = 0; i < copy->regions.len; i++) {
        Region *r = &copy->regions.data[i];
        COPY_VEC(arena, r->params);
        COPY_VEC(arena, r->nodes);
        COPY_VEC(arena, r->results);
    }
    return copy;
}
