/* import_variables: variables of a SavedModel, which are constants of a compiled model: a handle is the variable's
   value. What changes a variable while a request runs is left out where no output depends on it (the state of dropout
   that serving does not do). Where outputs draw random numbers by it (layers that augment images), each run draws what
   TensorFlow's first one does; what other outputs depend on is refused: its next answer would have to be another. */
#include "frontend/importer.h"
#include "frontend/savedmodel.h"

#include <string.h>

enum { MAX_CALL_DEPTH = 16, MAX_LOOKED_AT = 10000000 };

static bool is_change(const char *op) {
    static const char *const families[] = {"Assign", "ResourceScatter", "ResourceApply", "ResourceStridedSliceAssign",
                                           "ResourceCountUpTo"};
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strncmp(op, families[i], strlen(families[i])) == 0) return true;
    return false;
}

static bool is_read(const char *op) {
    return strcmp(op, "ReadVariableOp") == 0 || strcmp(op, "ResourceGather") == 0 ||
           strcmp(op, "ResourceGatherNd") == 0;
}

static bool is_drawn_by(const char *op) {
    static const char *const families[] = {"StatelessRandom",      "StatelessTruncatedNormal",
                                           "StatelessMultinomial", "StatelessParameterized",
                                           "StatelessShuffle",     "StatelessSampleDistorted"};
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strncmp(op, families[i], strlen(families[i])) == 0) return true;
    return false;
}

static bool same_input(TfInput a, TfInput b) {
    return a.node == b.node && a.output == b.output;
}

/* Whether a node of the body, or of a function that it calls, changes the variable; *budget bounds the nodes that are
   looked at, since calls of calls may be many. */
static bool changes(const Importer *im, const TfBody *body, TfInput variable, int depth, int64_t *budget) {
    for (uint32_t i = 0; i<body->n_nodes && * budget> 0; i++) {
        const TfNode *n = &body->nodes[i];
        --*budget;
        for (uint32_t k = 0; k < n->n_inputs; k++) {
            if (!same_input(n->inputs[k], variable)) continue;
            if (k == 0 && is_change(n->op)) return true;
            const TfAttr *f = tf_attr(n, "f");
            const TfFunction *called = f && f->kind == TF_ATTR_FUNC ? import_function(im, f->v.s) : NULL;
            if (called && depth < MAX_CALL_DEPTH &&
                changes(im, &called->body, (TfInput){TF_ARG | k, 0}, depth + 1, budget))
                return true;
        }
    }
    return false;
}

/* Whether all that becomes of node `from` of the function is random numbers, and values for variables. */
static bool only_draws(const TfFunction *f, uint32_t from) {
    const TfBody *body = &f->body;
    Arena *scratch = arena_new();
    bool *depends = NEW_ARRAY(scratch, bool, body->n_nodes), grown = true, reaches = false;
    depends[from] = true;
    while (grown) {
        grown = false;
        for (uint32_t i = 0; i < body->n_nodes; i++) {
            const TfNode *n = &body->nodes[i];
            for (uint32_t k = 0; k < n->n_inputs && !depends[i] && !is_change(n->op) && !is_drawn_by(n->op); k++) {
                if ((n->inputs[k].node & TF_ARG) || !depends[n->inputs[k].node]) continue;
                depends[i] = grown = true;
            }
        }
    }
    for (uint32_t i = 0; i < f->n_results; i++)
        reaches = reaches || (!(f->results[i].node & TF_ARG) && depends[f->results[i].node]);
    arena_free(scratch);
    return !reaches;
}

bool import_reads_changing(const Importer *im, const TfFunction *f, uint32_t node) {
    const TfNode *n = &f->body.nodes[node];
    int64_t budget = MAX_LOOKED_AT;
    if (!is_read(n->op) || n->n_inputs == 0 || !changes(im, &f->body, n->inputs[0], 0, &budget)) return false;
    if (strcmp(n->op, "ReadVariableOp") == 0 && only_draws(f, node)) {
        diag_note(im->d, n->name, n->op,
                  "every run draws the random numbers of the first one: the variable stays as it is");
        return false;
    }
    return true;
}

/* What a node reads that has to wait for an assignment to the same variable is what was assigned. */
void variables_forward(TfGraph *tf) {
    for (uint32_t i = 0; i < tf->n_functions; i++) {
        TfBody *body = &tf->functions[i].body;
        for (uint32_t at = 0; at < body->n_nodes; at++) {
            TfNode *n = &body->nodes[at];
            if (strcmp(n->op, "ReadVariableOp") != 0 || n->n_inputs == 0) continue;
            for (uint32_t k = 0; k < n->n_controls; k++) {
                const TfNode *before = &body->nodes[n->controls[k]];
                if (strcmp(before->op, "AssignVariableOp") != 0 || before->n_inputs < 2 ||
                    !same_input(before->inputs[0], n->inputs[0]))
                    continue;
                n->op = "Identity";
                n->inputs[0] = before->inputs[1];
                break;
            }
        }
    }
}

/* Whether a call of the graph counts this variable up. (Optimisers and moving averages, which may be left in an
   exported graph, use other ops, or variables that no output reads.) */
static bool is_counted_up(const Import *c) {
    const TfBody *body = &c->im->tf->main;
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        if (strncmp(n->op, "AssignAdd", 9) == 0 && n->n_inputs > 0 && n->inputs[0].node < body->n_nodes &&
            strcmp(body->nodes[n->inputs[0].node].name, c->n->name) == 0)
            return true;
    }
    return false;
}

bool import_variable(Import *c) {
    if (is_counted_up(c))
        return unsupported(c,
                           "the graph changes this variable when it runs; a compiled model's variables are constants");
    const Tensor *value = (const Tensor *)(uintptr_t)map_get(&c->im->tf->variables, c->n->name, 0);
    if (!value) {
        const char *shared = attr_s(c, "shared_name", NULL);
        value = shared && *shared ? (const Tensor *)(uintptr_t)map_get(&c->im->tf->variables, shared, 0) : NULL;
    }
    if (!value)
        return bad(c, "this variable has no value: freeze the graph, or give a SavedModel whose checkpoint holds it");
    return give(c, make_const(c, value));
}

bool import_read_variable(Import *c) {
    DType want = attr_t(c, "dtype", DTYPE_NONE);
    if (want != DTYPE_NONE && want != dtype_of(c, c->in[0])) return bad(c, "reads a variable of another type");
    return give(c, c->in[0]);
}

bool import_assign(Import *c) {
    return unsupported(c, "changes a variable when the model runs; a compiled model's variables are constants");
}
