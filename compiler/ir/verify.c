/* verify: what must hold for every graph between passes, in code. A violation is our mistake, so it ends the process
 * with the node's name. */
#include "ir/graph.h"

#include "ir/host.h"

typedef struct {
    const Graph *g;
    Stage stage;
    bool *defined;  /* by value: defined before the node looked at, in its region */
    uint32_t *seen; /* by node: times it stands in a region's list */
} Verifier;

#define MUST(condition, n, what)                                                                                       \
    ((condition) ? (void)0                                                                                             \
                 : BUG("verify: node '%s' (%s, number %u): %s", (n)->name, op_info((n)->op)->text,                     \
                       (unsigned)((n)-v->g->nodes.data), what))

static void verify_value(const Verifier *v, ValueId id, const Node *n) {
    const Value *value = value_at(v->g, id);
    MUST(value->dtype != DTYPE_NONE && value->dtype < N_DTYPES, n, "a result has no element type");
    MUST(value->shape.rank <= MAX_RANK && value->shape.rank >= (v->stage >= STAGE_SHAPED ? 0 : -1), n,
         "a result has no rank");
    for (int i = 0; i < value->shape.rank; i++) {
        Dim d = value->shape.dims[i];
        MUST(d.expr < v->g->dims.exprs.len && (d.expr || d.value >= 0), n, "a result has a size that does not exist");
    }
    if (value->content) {
        int64_t count = shape_count(&value->shape);
        MUST(value->shape.rank <= 1 && count >= 0 && count <= MAX_CONTENT, n,
             "a result has content that it cannot have");
    }
}

/* The symbols in d are set before: by nodes placed earlier, or anywhere outside of this region. */
static void verify_symbols(const Verifier *v, Dim d, const Node *n) {
    if (dim_is_const(d)) return;
    const DimExpr *e = &v->g->dims.exprs.data[d.expr];
    if (e->kind != DIM_SYMBOL) {
        verify_symbols(v, e->a, n);
        verify_symbols(v, e->b, n);
        return;
    }
    uint32_t definer = v->g->dims.symbols.data[e->symbol].definer;
    if (!definer || definer >= v->g->nodes.len) return;
    const Node *by = &v->g->nodes.data[definer];
    bool other_region = by->region.i != n->region.i, itself = by == n;
    MUST(by->dead || other_region || itself || v->seen[definer], n, "it uses a size that is set later");
}

static void verify_region(Verifier *v, RegionId r);

static void verify_node(Verifier *v, RegionId r, NodeId id) {
    const Node *n = node_at(v->g, id);
    const OpInfo *info = op_info(n->op);
    MUST(n->op != OP_NONE && !n->dead, n, "a dead node is in a region");
    MUST(n->region.i == r.i, n, "it stands in another region than it says");
    MUST(v->seen[id.i]++ == 0, n, "it stands in a region twice");
    MUST(info->min_inputs < 0 || n->n_inputs >= (uint32_t)info->min_inputs, n, "it has too few inputs");
    MUST(info->max_inputs < 0 || n->n_inputs <= (uint32_t)info->max_inputs, n, "it has too many inputs");
    MUST(info->n_results < 0 || n->n_outputs == (uint32_t)info->n_results, n, "it has the wrong number of results");
    MUST((n->op == OP_HOST) == (n->host != NULL), n, "host op and host row do not go together");
    MUST((info->flags & OP_FLAG_REGIONS) || n->n_regions == 0, n, "it has regions");
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        MUST(n->inputs[i].i && n->inputs[i].i < v->g->values.len, n, "an input does not exist");
        MUST(value_at(v->g, n->inputs[i])->region.i == r.i, n, "an input comes from another region");
        MUST(v->defined[n->inputs[i].i], n, "an input is defined later, or by a dead node");
    }
    for (uint32_t i = 0; i < n->n_attrs; i++)
        for (uint32_t k = 0; n->attrs[i].kind == ATTR_DIMS && k < n->attrs[i].n; k++)
            verify_symbols(v, n->attrs[i].v.dims[k], n);
    for (uint32_t i = 0; i < n->n_regions; i++) {
        MUST(region_at(v->g, n->regions[i])->parent.i == id.i, n, "a region has another parent");
        verify_region(v, n->regions[i]);
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *out = value_at(v->g, n->outputs[i]);
        MUST(out->def.i == id.i && out->index == i && out->region.i == r.i, n, "a result does not know its node");
        verify_value(v, n->outputs[i], n);
        v->defined[n->outputs[i].i] = true;
    }
}

static void verify_region(Verifier *v, RegionId r) {
    const Region *region = region_at(v->g, r);
    const Node *parent = node_at(v->g, region->parent);
    for (uint32_t i = 0; i < region->params.len; i++) {
        ValueId id = region->params.data[i];
        const Value *param = value_at(v->g, id);
        if (param->def.i || param->index != i || param->region.i != r.i)
            BUG("verify: parameter %u of region %u is not one", i, r.i);
        verify_value(v, id, parent);
        v->defined[id.i] = true;
    }
    for (uint32_t i = 0; i < region->nodes.len; i++) verify_node(v, r, region->nodes.data[i]);
    for (uint32_t i = 0; i < region->results.len; i++) {
        ValueId id = region->results.data[i];
        if (!id.i || value_at(v->g, id)->region.i != r.i || !v->defined[id.i])
            BUG("verify: result %u of region %u is not defined in it", i, r.i);
    }
}

void graph_verify(const Graph *g, Stage stage) {
    Arena *scratch = arena_new();
    Verifier v = {g, stage, NEW_ARRAY(scratch, bool, g->values.len), NEW_ARRAY(scratch, uint32_t, g->nodes.len)};
    const Region *root = region_at(g, g->root);
    verify_region(&v, g->root);
    if (g->inputs.len && g->inputs.len != root->params.len)
        BUG("verify: %u input names for %u parameters", g->inputs.len, root->params.len);
    uint32_t n_dims = 0;
    for (uint32_t i = 0; i < g->outputs.len; i++) {
        if (!g->outputs.data[i].dims) continue;
        n_dims++;
        if (g->outputs.data[i].dims < g->outputs.len || g->outputs.data[i].dims >= root->results.len)
            BUG("verify: output %u has its dims in result %u", i, g->outputs.data[i].dims);
    }
    if (g->outputs.len && g->outputs.len + n_dims != root->results.len)
        BUG("verify: %u output names for %u results", g->outputs.len, root->results.len);
    arena_free(scratch);
}
