/* import_time_loop: see import_time_loop.h. */
#include "frontend/import_time_loop.h"

static RegionId open_region(Import *c, const TimeLoop *l, ValueId *inside) {
    RegionId r = graph_add_region(c->g, (NodeId){0});
    for (uint32_t i = 0; i < l->n; i++) {
        Shape s = shape_copy(c, l->init[i]);
        inside[i] = l->remade[i] ? region_remake(c, r, l->init[i])
                                 : graph_add_param(c->g, r, dtype_of(c, l->init[i]), &s, c->n->name);
    }
    return r;
}

/* What is carried on are the results of the turn's region. */
static bool close_region(Import *c, const TimeLoop *l, const ValueId *v) {
    for (uint32_t i = 0; i < l->n; i++) {
        if (failed(v[i])) return false;
        if (!l->remade[i]) vec_push(c->g->arena, &region_at(c->g, c->r)->results, v[i]);
    }
    return true;
}

bool time_loop_run(Import *c, TimeLoop *l, uint32_t fixed, TimeLoopMore *more, TimeLoopTurn *turn, const void *env) {
    CHECK(l->n <= TIME_LOOP_MOST);
    for (uint32_t i = 0; i < l->n; i++) {
        if (failed(l->init[i])) return false;
        l->remade[i] = i >= fixed && region_can_remake(c, l->init[i]);
    }
    ValueId inside[TIME_LOOP_MOST] = {{0}};
    RegionId regions[2];
    Import region = *c;
    regions[0] = region.r = open_region(c, l, inside);
    ValueId condition = more(&region, inside);
    vec_push(c->g->arena, &region_at(c->g, region.r)->results, condition);
    regions[1] = region.r = open_region(c, l, inside);
    if (failed(condition) || !turn(&region, env, inside) || !close_region(&region, l, inside)) return false;
    ValueId inputs[TIME_LOOP_MOST];
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->remade[i]) inputs[n++] = l->init[i];
    NodeSpec spec = {.op = OP_WHILE,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .inputs = inputs,
                     .n_inputs = n,
                     .n_outputs = n,
                     .regions = regions,
                     .n_regions = 2};
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    if (id.i == 0) return false;
    n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->remade[i]) l->init[i] = node_at(c->g, id)->outputs[n++];
    return true;
}

ValueId time_loop_place(Import *c, ValueId time) {
    static const int64_t zeros[2];
    Tensor rest = tensor_ints(c->g->arena, DTYPE_S64, 2, zeros);
    ValueId begin[2];
    begin[0] = make_expand(c, time, 0);
    begin[1] = make_const(c, &rest);
    return make_concat(c, 2, begin, 0);
}

ValueId time_loop_put(Import *c, ValueId rows, ValueId row, ValueId place) {
    ValueId one_row = make_expand(c, row, 0);
    ValueId inputs[] = {rows, one_row, place};
    return import_node(c, OP_DYNAMIC_UPDATE, 3, inputs, 0, NULL);
}
