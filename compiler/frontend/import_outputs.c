/* import_outputs: which nodes may be meant as a model's outputs when nobody says so, and what can be told of a model
   that is refused before its nodes are imported. What training leaves in a graph (savers, summaries, initialisers) ends
   in nodes that nobody consumes, like outputs do. */
#include "frontend/importer.h"

#include "ir/custom.h"
#include <string.h>

static bool is_one_of(const char *op, const char *const *ops) {
    for (; *ops; ops++)
        if (strcmp(op, *ops) == 0) return true;
    return false;
}

/* Marks `node` and all that it takes data from, but for what is marked already. */
static void mark_needed(const TfBody *body, Arena *scratch, uint32_t node, bool *needed) {
    VEC(uint32_t) work = {0};
    vec_push(scratch, &work, node);
    while (work.len > 0) {
        uint32_t i = work.data[--work.len];
        if (i >= body->n_nodes || needed[i]) continue;
        needed[i] = true;
        const TfNode *n = &body->nodes[i];
        for (uint32_t k = 0; k < n->n_inputs; k++) vec_push(scratch, &work, n->inputs[k].node);
    }
}

/* Marks the nodes of these op types and all that run after one of them. */
static bool *find_behind(const TfBody *body, const char *const *ops, Arena *scratch) {
    uint32_t n = body->n_nodes, *first = NEW_ARRAY(scratch, uint32_t, n + 2), edges = 0, *readers;
    bool *behind = NEW_ARRAY(scratch, bool, n + 1);
    VEC(uint32_t) work = {0};
    for (uint32_t turn = 0; turn < 2; turn++) { /* count the readers of each node, then list them */
        if (turn == 0)
            readers = NULL;
        else
            readers = NEW_ARRAY(scratch, uint32_t, edges + 1);
        for (uint32_t i = 0; i < n; i++) {
            const TfNode *node = &body->nodes[i];
            for (uint32_t k = 0; k < node->n_inputs + node->n_controls; k++) {
                uint32_t from = k < node->n_inputs ? node->inputs[k].node : node->controls[k - node->n_inputs];
                if (from >= n) continue;
                if (turn == 0)
                    first[from + 2]++, edges++;
                else
                    readers[first[from + 1]++] = i;
            }
        }
        for (uint32_t i = 2; turn == 0 && i < n + 2; i++) first[i] += first[i - 1];
    }
    for (uint32_t i = 0; i < n; i++)
        if (is_one_of(body->nodes[i].op, ops)) vec_push(scratch, &work, i);
    while (work.len > 0) {
        uint32_t i = work.data[--work.len];
        if (behind[i]) continue;
        behind[i] = true;
        for (uint32_t k = first[i]; k < first[i + 1]; k++) vec_push(scratch, &work, readers[k]);
    }
    return behind;
}

/* A variable, or its value as it is: TensorFlow 1 adds such nodes for every variable. */
static bool reads_variable(const TfBody *body, const TfNode *n) {
    static const char *const ops[] = {
        "VarHandleOp", "VariableV2", "Variable", "ReadVariableOp", "VarIsInitializedOp", "IsVariableInitialized", NULL};
    if (is_one_of(n->op, ops)) return true;
    return strcmp(n->op, "Identity") == 0 && n->n_inputs > 0 && n->inputs[0].node < body->n_nodes &&
           is_one_of(body->nodes[n->inputs[0].node].op, ops);
}

bool *import_output_candidates(const TfGraph *tf, Arena *arena) {
    /* A saver writes files and then gives the name of one. */
    static const char *const savers[] = {"Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints", NULL};
    static const char *const feeds[] = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", NULL};
    const TfBody *body = &tf->main;
    bool *behind = find_behind(body, savers, arena), *fed = find_behind(body, feeds, arena), any_fed = false,
         *candidates = NEW_ARRAY(arena, bool, body->n_nodes + 1);
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        const TfOpRow *row = tf_op_find(n->op);
        bool no_output = (row && row->text && strcmp(row->text, "no output") == 0) || tf_output_count(n) == 0;
        bool initialiser = (row && row->import == import_assign) || reads_variable(body, n);
        bool placeholder = strcmp(n->op, "Placeholder") == 0 || strcmp(n->op, "PlaceholderV2") == 0;
        candidates[i] = !n->consumed && !no_output && !initialiser && !placeholder && !behind[i];
    }
    for (uint32_t i = 0; i < body->n_nodes; i++) { /* what somebody consumes is none */
        for (uint32_t k = 0; k < body->nodes[i].n_inputs; k++) candidates[body->nodes[i].inputs[k].node] = false;
    }
    for (uint32_t i = 0; i < body->n_nodes; i++) any_fed |= candidates[i] && fed[i];
    for (uint32_t i = 0; i < body->n_nodes; i++) /* beside answers to the inputs, constants are leftovers */
        candidates[i] = candidates[i] && (fed[i] || !any_fed);
    return candidates;
}

/* Ops that are refused whatever their operands are; only those are reported that nothing can feed. */
void import_report_refused(Importer *im, const TfInput *wanted, uint32_t n_wanted, const TfInput *fed, uint32_t n_fed) {
    const TfBody *body = &im->tf->main;
    Arena *scratch = arena_new();
    bool *needed = NEW_ARRAY(scratch, bool, body->n_nodes + 1);
    for (uint32_t i = 0; i < n_fed; i++) needed[fed[i].node] = true;
    for (uint32_t i = 0; i < n_wanted; i++) mark_needed(body, scratch, wanted[i].node, needed);
    for (uint32_t i = 0; n_wanted == 0 && i < body->n_nodes; i++) needed[i] = true;
    for (uint32_t i = 0; i < n_fed; i++) needed[fed[i].node] = false;
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (!needed[i] || custom_op_find(im->tf->custom_ops, n->op) || import_function(im, n->op)) continue;
        const TfOpRow *row = tf_op_find(n->op);
        if (map_find(&im->refused, n->name)) continue;
        const char *why = row || host_op_find(n->op) ? NULL : import_why_unknown(n->op);
        if (row && row->import == import_assign)
            why = "changes a variable when the model runs; a compiled model's variables are constants";
        if (why) diag_unsupported(im->d, n->name, n->op, "%s", why);
    }
    arena_free(scratch);
}
