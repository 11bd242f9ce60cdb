/* import_outputs: which nodes may be meant as a model's outputs when nobody says so, and what can be told of a model
   that is refused before its nodes are imported. What training leaves in a graph (savers, summaries, initialisers) ends
   in nodes that nobody consumes, like outputs do. */
#include "frontend/importer.h"

#include "ir/custom.h"
#include <string.h>

enum { MAX_SWEEPS = 20 }; /* savers are a handful of nodes, mostly in order */

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

/* Marks the nodes that a saver has to run before: it writes files and then gives the name of one. */
static bool *find_behind_savers(const TfBody *body, Arena *scratch) {
    static const char *const savers[] = {"Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints", NULL};
    bool *behind = NEW_ARRAY(scratch, bool, body->n_nodes + 1), changed = true, any = false;
    for (uint32_t i = 0; i < body->n_nodes; i++) any |= behind[i] = is_one_of(body->nodes[i].op, savers);
    for (int sweep = 0; any && changed && sweep < MAX_SWEEPS; sweep++) {
        changed = false;
        for (uint32_t i = 0; i < body->n_nodes; i++) {
            const TfNode *n = &body->nodes[i];
            bool is = behind[i];
            for (uint32_t k = 0; !is && k < n->n_inputs; k++)
                is = n->inputs[k].node < body->n_nodes && behind[n->inputs[k].node];
            for (uint32_t k = 0; !is && k < n->n_controls; k++) is = behind[n->controls[k]];
            changed |= is != behind[i];
            behind[i] = is;
        }
    }
    return behind;
}

bool *import_output_candidates(const TfGraph *tf, Arena *arena) {
    const TfBody *body = &tf->main;
    bool *behind = find_behind_savers(body, arena), *candidates = NEW_ARRAY(arena, bool, body->n_nodes + 1);
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        const TfOpRow *row = tf_op_find(n->op);
        bool no_output = (row && row->text && strcmp(row->text, "no output") == 0) || tf_output_count(n) == 0;
        bool initialiser = row && row->import == import_assign;
        bool placeholder = strcmp(n->op, "Placeholder") == 0 || strcmp(n->op, "PlaceholderV2") == 0;
        candidates[i] = !no_output && !initialiser && !placeholder && !behind[i];
    }
    for (uint32_t i = 0; i < body->n_nodes; i++) { /* what somebody consumes is none */
        for (uint32_t k = 0; k < body->nodes[i].n_inputs; k++) candidates[body->nodes[i].inputs[k].node] = false;
    }
    return candidates;
}

/* Ops that are refused whatever their operands are; only those are reported that nothing can feed. */
void import_report_refused(Importer *im, const TfInput *wanted, uint32_t n_wanted, const TfInput *fed, uint32_t n_fed) {
    const TfBody *body = &im->tf->main;
    Arena *scratch = arena_new();
    bool *needed = NEW_ARRAY(scratch, bool, body->n_nodes + 1);
    for (uint32_t i = 0; i < n_fed; i++) needed[fed[i].node] = true;
    for (uint32_t i = 0; i < n_wanted; i++) mark_needed(body, scratch, wanted[i].node, needed);
    for (uint32_t i = 0; i < n_fed; i++) needed[fed[i].node] = false;
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (!needed[i] || custom_op_find(im->tf->custom_ops, n->op) || import_function(im, n->op)) continue;
        const TfOpRow *row = tf_op_find(n->op);
        const char *why = row || host_op_find(n->op) ? NULL : import_why_refused(n->op);
        if (row && row->import == import_assign)
            why = "changes a variable when the model runs; a compiled model's variables are constants";
        if (why) diag_unsupported(im->d, n->name, n->op, "%s", why);
    }
    arena_free(scratch);
}
