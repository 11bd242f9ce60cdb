/* fold: evaluates nodes whose inputs are constants, with the reference evaluator. Results may not be larger than what
   they come from, or than the option fold_limit; broadcasts of constants stay what they are, since kernels read the
   small tensor. Sizes that are read from a constant are these numbers from there on. needs: shapes      keeps: shapes,
   order */
#include "rewrite.h"

#include "ref/ref.h"

/* Above these a node is left to run time: a model must not make the compiler work for long. */
static const double MOST_NS = 3e9;
enum { IOTA_LIMIT = 4096 };

/* Whether no attribute is a size that only running tells: where a slice begins, which elements a dims_tensor has. */
static bool knows_its_sizes(const Node *n) {
    for (uint32_t i = 0; i < n->n_attrs; i++)
        for (uint32_t k = 0; n->attrs[i].kind == ATTR_DIMS && k < n->attrs[i].n; k++)
            if (!dim_is_const(n->attrs[i].v.dims[k])) return false;
    return true;
}

static bool is_foldable(const Unit *u, NodeId id) {
    const Graph *g = u->g;
    const Node *n = node_at(g, id);
    const OpInfo *info = op_info(n->op);
    if (n->op == OP_HOST || (info->flags & (OP_FLAG_CONSTANT | OP_FLAG_REGIONS | OP_FLAG_EFFECT)) || n->n_outputs == 0)
        return false;
    int64_t in_bytes = 0, out_bytes = 0, limit = u->options->fold_limit;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Tensor *t = value_const(g, n->inputs[i]);
        if (!t) return false;
        in_bytes += (int64_t)tensor_bytes(t);
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(g, n->outputs[i]);
        int64_t count = shape_count(&v->shape), size = (int64_t)dtype_size(v->dtype);
        if (count < 0 || size == 0 || count > INT64_MAX / size / 4) return false;
        out_bytes += count * size;
    }
    if (!knows_its_sizes(n)) return false;
    if (n->n_inputs == 0 && limit > IOTA_LIMIT) limit = IOTA_LIMIT;
    if (n->op == OP_BROADCAST && out_bytes > 256 && out_bytes > in_bytes) return false;
    if (out_bytes > in_bytes && out_bytes > limit) return false;
    return !u->machine || cost_node(g, id, u->machine).ns <= MOST_NS;
}

/* Makes constants of all results of node id; false when it cannot be evaluated: an error (an index out of range, a
   division by zero) is the running model's, and the node may never be reached. */
static bool evaluate(Unit *u, NodeId id, ValueId *made) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    uint32_t n_outputs = n->n_outputs;
    Tensor *in = NEW_ARRAY(u->scratch, Tensor, n->n_inputs + 1), *out = NEW_ARRAY(u->scratch, Tensor, n_outputs);
    for (uint32_t i = 0; i < n->n_inputs; i++) in[i] = *value_const(g, n->inputs[i]);
    Diag d;
    diag_init(&d, u->scratch, NULL);
    if (!ref_eval_node(g, id, in, out, u->scratch, &d)) return false;
    for (uint32_t i = 0; i < n_outputs; i++) {
        n = node_at(g, id);
        Shape s = tensor_shape(&out[i]);
        const Value *old = value_at(g, n->outputs[i]);
        if (out[i].dtype != old->dtype || !shape_equal(&s, &old->shape))
            BUG("fold: node '%s' evaluates to another type than inferred", n->name);
        out[i].data = arena_memdup(g->arena, out[i].data, tensor_bytes(&out[i]));
        StringElement *strings = (StringElement *)(uintptr_t)out[i].data;
        for (int64_t k = 0; out[i].dtype == DTYPE_STRING && k < tensor_count(&out[i]); k++)
            strings[k].data = arena_strndup(g->arena, strings[k].data, strings[k].size);
        made[i] = build_const(g, n->region, &out[i], n->name);
    }
    return true;
}

ValueId fold_now(Unit *u, ValueId v) {
    NodeId id = value_at(u->g, v)->def;
    ValueId made;
    if (node_at(u->g, id)->n_outputs != 1 || !is_foldable(u, id) || !evaluate(u, id, &made)) return v;
    graph_remove(u->g, id);
    return made;
}

static bool fold_node(Unit *u, NodeId id, UseLists *lists) {
    Graph *g = u->g;
    double ns = u->machine ? cost_node(g, id, u->machine).ns : 0;
    ValueId *made = NEW_ARRAY(u->scratch, ValueId, node_at(g, id)->n_outputs);
    if (!evaluate(u, id, made)) return false;
    for (uint32_t i = 0; i < node_at(g, id)->n_outputs; i++) uses_replace(lists, node_at(g, id)->outputs[i], made[i]);
    rewrite_record(u, "fold", "evaluated", node_at(g, id)->name, ns, 0);
    graph_remove(g, id);
    return true;
}

/* The sizes that a load_dims of the model itself reads, when they are constants. What is read within a branch may be
   sizes that nothing fits, since the branch is never taken. */
static bool fold_sizes(Unit *u, NodeId id) {
    Graph *g = u->g;
    const Node *n = node_at(g, id);
    const Tensor *t = n->op == OP_LOAD_DIMS && n->region.i == g->root.i ? value_const(g, n->inputs[0]) : NULL;
    if (!t) return false;
    const Attr *symbols = node_attr(n, "symbols");
    Dim *map = NEW_ARRAY(u->scratch, Dim, g->dims.symbols.len);
    for (uint32_t i = 0; i < g->dims.symbols.len; i++) map[i] = (Dim){g->dims.symbols.data[i].expr, 0};
    for (uint32_t i = 0; i < symbols->n; i++) {
        const DimSymbol *symbol = &g->dims.symbols.data[symbols->v.ints[i]];
        const int64_t size = tensor_get_i64(t, i);
        if (size < symbol->min || size > symbol->max) return false;
        map[symbols->v.ints[i]] = dim_const(size);
    }
    if (!graph_set_symbols(g, map)) return false;
    rewrite_record(u, "fold", "sizes are constants", n->name, 0, 0);
    graph_remove(g, id);
    return true;
}

bool pass_fold(Unit *u) {
    Graph *g = u->g;
    bool changed = false;
    UseLists lists = {.g = g, .arena = u->scratch};
    for (uint32_t r = 1; r < g->regions.len; r++)
        for (uint32_t i = 0, n = g->regions.data[r].nodes.len; i < n; i++) {
            NodeId id = g->regions.data[r].nodes.data[i];
            if (node_at(g, id)->dead) continue;
            changed |= is_foldable(u, id) ? fold_node(u, id, &lists) : fold_sizes(u, id);
        }
    if (changed) {
        graph_sort(g);
        drop_unused(g, u->scratch);
    }
    return changed;
}
