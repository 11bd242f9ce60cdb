/* import: TfGraph → Graph. Decides which tensors are the model's outputs and inputs (import_inputs.c), then lets the
   walk (import_walk.c) import exactly the nodes that the outputs need. The table of op types is tf_ops.def; all that it
   names lies in the import_<family>.c files. */
#include "frontend/import_inputs.h"

#include "ir/index_limit.h"

#include <string.h>

static const TfOpRow rows[] = {
#define TFOP(name, fn, min_inputs, arg, text) {name, import_##fn, min_inputs, arg, text},
#include "frontend/tf_ops.def"
#undef TFOP
};

const TfOpRow *tf_op_table(uint32_t *out_n) {
    *out_n = ARRAY_LEN(rows);
    return rows;
}

const TfOpRow *tf_op_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

const TfOpRow *import_row(const Import *c) {
    uint64_t i = map_get(&c->im->rows, c->n->op, UINT64_MAX);
    return i == UINT64_MAX ? NULL : &rows[i];
}

/* ---- outputs */

typedef struct {
    const char *name;
    TfInput tensor;
} ModelOutput;

typedef VEC(ModelOutput) ModelOutputs;

/* Nodes that nobody consumes, in the file's order; of one that gathers a function's results, all of them. */
static void find_sinks(Importer *im, ModelOutputs *outputs) {
    const TfBody *body = &im->tf->main;
    const bool *candidates = import_output_candidates(im->tf, im->arena);
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (!candidates[i]) continue;
        vec_push(im->arena, outputs, (ModelOutput){n->name, {i, 0}});
        for (uint32_t k = 1; strcmp(n->op, "IdentityN") == 0 && k < n->n_inputs; k++)
            vec_push(im->arena, outputs, (ModelOutput){arena_printf(im->arena, "%s:%u", n->name, k), {i, k}});
    }
}

/* The signature's outputs, else the nodes that nobody consumes. */
static bool find_own_outputs(Importer *im, ModelOutputs *own) {
    const TfGraph *tf = im->tf;
    bool ok = true;
    for (uint32_t i = 0; i < tf->n_outputs; i++) {
        ModelOutput out = {tf->outputs[i].name, import_find_tensor(tf, im->arena, tf->outputs[i].tensor)};
        if (out.tensor.node == UINT32_MAX && im->options->n_outputs > 0) continue;
        if (out.tensor.node == UINT32_MAX)
            ok = diag_error(im->d, NULL, NULL, "signature output '%s' names tensor '%s', which the graph lacks",
                            out.name, tf->outputs[i].tensor);
        else
            vec_push(im->arena, own, out);
    }
    if (tf->n_outputs == 0) find_sinks(im, own);
    return ok;
}

static bool choose_outputs(Importer *im, ModelOutputs *outputs) {
    const ImportOptions *o = im->options;
    const TfGraph *tf = im->tf;
    ModelOutputs own = {0};
    bool ok = find_own_outputs(im, &own);
    const char **names = NEW_ARRAY(im->arena, const char *, own.len + 1);
    for (uint32_t i = 0; i < own.len; i++) names[i] = own.data[i].name;
    for (uint32_t i = 0; i < o->n_outputs; i++) {
        const TfPort *port = import_find_port(tf->outputs, tf->n_outputs, o->outputs[i]);
        ModelOutput out = {port ? port->name : o->outputs[i],
                           import_find_tensor(tf, im->arena, port ? port->tensor : o->outputs[i])};
        if (out.tensor.node == UINT32_MAX)
            ok = diag_error(im->d, NULL, NULL, "there is no output, node or tensor '%s'%s", o->outputs[i],
                            import_name_hint(im, o->outputs[i], own.len, names, "outputs are"));
        else
            vec_push(im->arena, outputs, out);
    }
    if (o->n_outputs > 0) return ok;
    *outputs = own;
    if (ok && outputs->len == 0)
        return diag_error(im->d, NULL, NULL, "the graph has no node that could be an output; name one with --output");
    return ok;
}

static bool add_output(Importer *im, Scope *s, const ModelOutput *out) {
    Graph *g = im->g;
    const TfNode *n = &im->tf->main.nodes[out->tensor.node];
    ValueId v = scope_get(s, out->tensor);
    if (failed(v)) return false;
    DType dtype = value_at(g, v)->dtype;
    if (list_find(im, v) || dtype_info(dtype)->class_ == CLASS_HANDLE)
        return diag_unsupported(im->d, n->name, n->op,
                                "output '%s' is a list or a handle, which has no meaning outside of the graph",
                                out->name);
    vec_push(g->arena, &region_at(g, g->root)->results, v);
    const char *tensor = arena_printf(g->arena, "%s:%u", n->name, out->tensor.output);
    vec_push(g->arena, &g->outputs, (Port){arena_strdup(g->arena, out->name), tensor, dtype, 0, 0});
    return true;
}

/* The dims of outputs whose rank only running tells, behind all outputs. */
static void add_output_dims(Importer *im) {
    Graph *g = im->g;
    Region *root = region_at(g, g->root);
    for (uint32_t i = 0; i < g->outputs.len; i++) {
        const AnyRank *any = any_rank_find(im, root->results.data[i]);
        if (!any) continue;
        g->outputs.data[i].dims = root->results.len;
        vec_push(g->arena, &root->results, any->dims);
    }
}

/* ---- the whole */

static bool run_init_nodes(Importer *im, Scope *s) {
    bool ok = true;
    const ImportOptions *o = im->options;
    const char *const *names = o->n_init ? o->init : im->tf->init_nodes;
    uint32_t n = o->n_init ? o->n_init : im->tf->n_init_nodes;
    im->is_opening = true;
    for (uint32_t i = 0; i < n; i++) {
        TfInput t = import_find_tensor(im->tf, im->arena, names[i]);
        if (t.node == UINT32_MAX)
            ok = diag_error(im->d, NULL, NULL, "there is no node '%s' to run at open", names[i]);
        else
            ok = scope_effects(s, t.node) && ok;
    }
    im->is_opening = false;
    return ok;
}

/* `share`: first dims may be one batch. used_bounds[i]: bound i has found its dim. */
static Graph *import_with(Arena *arena, const TfGraph *tf, const ImportOptions *options, bool share,
                          const SizeFacts *facts, bool *used_bounds, Diag *d) {
    Importer *im = NEW(arena, Importer);
    uint32_t errors = d->n_errors;
    *im = (Importer){
        .arena = arena, .g = graph_new(arena, tf->file ? tf->file : "graph"), .tf = tf, .options = options, .d = d};
    im->g->hash = tf->hash;
    im->g->signature = tf->signature ? tf->signature : "";
    map_init(&im->rows, arena);
    map_init(&im->refused, arena);
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) CHECK(map_add(&im->rows, rows[i].name, i));
    import_find_effects(im);

    ModelOutputs outputs = {0};
    ModelInputs inputs = {0};
    bool ok = choose_outputs(im, &outputs);
    TfInput *wanted = NEW_ARRAY(arena, TfInput, outputs.len + 1);
    for (uint32_t i = 0; i < outputs.len; i++) wanted[i] = outputs.data[i].tensor;
    bool from_signature = false;
    ok = import_choose_inputs(im, wanted, outputs.len, &inputs, &from_signature) && ok;
    if (!ok) { /* what wrong names lead to is not the model's fault */
        if (options->n_inputs + options->n_outputs == 0) import_report_refused(im, wanted, outputs.len, NULL, 0);
        return NULL;
    }
    TensorInput *overrides = NEW_ARRAY(arena, TensorInput, inputs.len + 1);
    TfInput *fed = NEW_ARRAY(arena, TfInput, inputs.len + 1);
    for (uint32_t i = 0; i < inputs.len; i++) fed[i] = inputs.data[i].tensor;
    if (!import_add_inputs(im, &inputs, from_signature, share, facts, used_bounds, overrides)) {
        import_report_refused(im, wanted, outputs.len, fed, inputs.len);
        return NULL;
    }

    im->wanted = wanted;
    im->n_wanted = outputs.len;
    Scope *s = scope_new(im, &tf->main, NULL, NULL, im->g->root, NULL);
    s->overrides = overrides;
    s->n_overrides = inputs.len;
    ok = run_init_nodes(im, s);
    for (uint32_t i = 0; i < outputs.len; i++) ok = add_output(im, s, &outputs.data[i]) && ok;
    ok = ok && import_tables_are_filled(im);
    if (!ok && d->n_errors == errors) BUG("import failed without a message");
    if (ok && d->n_errors == errors) {
        add_output_dims(im);
        return im->g;
    }
    import_report_refused(im, wanted, outputs.len, fed, inputs.len); /* those behind what failed */
    import_report_ranks(im, &inputs, true);                          /* the guess may be the reason */
    return NULL;
}

static bool is_bounded(const ImportOptions *o, const char *dim) {
    for (uint32_t i = 0; i < o->n_bounds; i++)
        if (strcmp(o->bounds[i].dim, dim) == 0) return true;
    return false;
}

/* First dims that never meet (the queries and the documents of a product) are no batch: where the graph can be had with
   dims apart and nothing asks whether they are equal, they stay apart. Then what the graph proves of sizes is used. */
Graph *import_graph(Arena *arena, const TfGraph *tf, const ImportOptions *options, Diag *d) {
    const SizeFacts none = {0};
    SizeFacts facts = {0};
    Diag quiet;
    bool *used = NEW_ARRAY(arena, bool, options->n_bounds + 1), share = true;
    diag_init(&quiet, arena, d->file);
    Graph *g = import_with(arena, tf, options, true, &none, used, d);
    if (g && import_shares_batch(g) && !is_bounded(options, "batch")) {
        bool *used_apart = NEW_ARRAY(arena, bool, options->n_bounds + 1);
        Graph *apart = import_with(arena, tf, options, false, &none, used_apart, &quiet);
        if (apart && !import_unequal_batches_meet(apart)) {
            g = apart;
            used = used_apart;
            share = false;
        }
    }
    if (!import_check_given_tables(tf, options, arena, d) || !g) return NULL;
    if (!import_find_sizes(g, arena, &facts, d)) return NULL;
    Graph *known = facts.len ? import_with(arena, tf, options, share, &facts, used, &quiet) : NULL;
    if (known) g = known;
    if (!import_check_bounds(g, options, used, arena, d)) return NULL;
    graph_find_index_limits(g);
    return g;
}
