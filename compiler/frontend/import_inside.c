/* import_inside: names of --input and --output that stand inside of a function. `inspect`, `verify --layers`, `explain`
   and messages print such names: the node's own or "function/node". The calls that lead there are written out into the
   main graph, as TensorFlow does when it freezes a SavedModel, and the name then means the node that the model's
   outputs need. What a loop, a branch or a function that fills tables has inside cannot be had from outside. */
#include "frontend/importer.h"

#include <string.h>

typedef struct {
    TfNode node;
    const TfFunction *function; /* it stands in; NULL: the main graph */
    uint32_t caller;            /* index of the node that calls it */
    uint32_t depth;
} Opened;

typedef struct {
    Importer *im;
    VEC(Opened) nodes;
} Work;

/* The function that a node calls and that may be written out. */
static const TfFunction *callee_of(const Work *w, const TfNode *n) {
    static const char *const calls[] = {"PartitionedCall", "StatefulPartitionedCall"};
    const TfFunction *f = import_function(w->im, n->op);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        const TfAttr *a = strcmp(n->op, calls[i]) == 0 ? tf_attr(n, "f") : NULL;
        if (a && a->kind == TF_ATTR_FUNC) f = import_function(w->im, a->v.s);
    }
    return f && n->n_inputs >= f->n_args && !import_has_effect(w->im, n) ? f : NULL;
}

static bool is_recursive(const Work *w, uint32_t at, const TfFunction *f) {
    for (const Opened *o = &w->nodes.data[at]; o->function; o = &w->nodes.data[o->caller])
        if (o->function == f) return true;
    return false;
}

/* What an input of the body means in the written-out graph. */
static TfInput move_input(TfInput t, uint32_t first, const TfNode *call) {
    if (t.node & TF_ARG) return call->inputs[t.node & ~TF_ARG];
    return (TfInput){t.node + first, t.output};
}

static TfAttr *move_attrs(const Work *w, const TfNode *n, const TfNode *call) {
    TfAttr *attrs = arena_memdup(w->im->arena, n->attrs, sizeof(TfAttr) * n->n_attrs);
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        const TfAttr *given = attrs[i].kind == TF_ATTR_PLACEHOLDER ? tf_attr(call, attrs[i].v.s) : NULL;
        if (!given) continue;
        const char *name = attrs[i].name;
        attrs[i] = *given;
        attrs[i].name = name;
    }
    return attrs;
}

/* The body of f behind all nodes; the call passes its results on. */
static void open_call(Work *w, uint32_t at, const TfFunction *f) {
    Arena *arena = w->im->arena;
    const uint32_t first = w->nodes.len, depth = w->nodes.data[at].depth + 1;
    const TfNode call = w->nodes.data[at].node;
    for (uint32_t i = 0; i < f->body.n_nodes; i++) {
        const TfNode *from = &f->body.nodes[i];
        Opened o = {.node = *from, .function = f, .caller = at, .depth = depth};
        o.node.attrs = move_attrs(w, from, &call);
        o.node.inputs = NEW_ARRAY(arena, TfInput, from->n_inputs + 1);
        o.node.controls = NEW_ARRAY(arena, uint32_t, from->n_controls + 1);
        for (uint32_t k = 0; k < from->n_inputs; k++) o.node.inputs[k] = move_input(from->inputs[k], first, &call);
        for (uint32_t k = 0; k < from->n_controls; k++) o.node.controls[k] = from->controls[k] + first;
        vec_push(arena, &w->nodes, o);
    }
    TfNode *n = &w->nodes.data[at].node;
    n->op = "IdentityN";
    n->n_attrs = 0;
    n->n_inputs = f->n_results;
    n->inputs = NEW_ARRAY(arena, TfInput, f->n_results + 1);
    for (uint32_t i = 0; i < f->n_results; i++) n->inputs[i] = move_input(f->results[i], first, &call);
}

static void open_calls(Work *w) {
    const TfBody *body = &w->im->tf->main;
    for (uint32_t i = 0; i < body->n_nodes; i++) vec_push(w->im->arena, &w->nodes, (Opened){.node = body->nodes[i]});
    for (uint32_t i = 0; i < w->nodes.len; i++) {
        const TfFunction *f = callee_of(w, &w->nodes.data[i].node);
        if (f && w->nodes.data[i].depth < IMPORT_MAX_CALLS && !is_recursive(w, i, f) &&
            w->nodes.len + f->body.n_nodes < IMPORT_MAX_NODES)
            open_call(w, i, f);
    }
}

/* ---- which node is meant */

/* "node:1" without the number. */
static const char *node_name(Arena *arena, const char *name) {
    const char *colon = strrchr(name, ':');
    const bool numbered = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
    return numbered ? arena_strndup(arena, name, (size_t)(colon - name)) : name;
}

static bool is_called(const TfFunction *f, const char *node, const char *name) {
    const size_t n = strlen(f->name);
    return strcmp(node, name) == 0 || (strncmp(name, f->name, n) == 0 && name[n] == '/' && !strcmp(name + n + 1, node));
}

/* A function that has such a node, or NULL. */
static const TfFunction *function_with(const TfGraph *tf, Arena *arena, const char *name) {
    for (uint32_t i = 0; i < tf->n_functions; i++) {
        const TfFunction *f = &tf->functions[i];
        const size_t n = strlen(f->name);
        if (map_find(&f->body.index, name)) return f;
        if (strncmp(name, f->name, n) == 0 && name[n] == '/' &&
            map_find(&f->body.index, arena_strdup(arena, name + n + 1)))
            return f;
    }
    return NULL;
}

/* Nodes that the signature's outputs need; without a signature all. */
static bool *find_needed(const Work *w) {
    const TfGraph *tf = w->im->tf;
    Arena *arena = w->im->arena;
    bool *needed = NEW_ARRAY(arena, bool, w->nodes.len + 1);
    VEC(uint32_t) work = {0};
    for (uint32_t i = 0; i < tf->n_outputs; i++) {
        uint64_t at = map_get(&tf->main.index, node_name(arena, tf->outputs[i].tensor), UINT64_MAX);
        if (at < tf->main.n_nodes) vec_push(arena, &work, (uint32_t)at);
    }
    for (uint32_t i = 0; tf->n_outputs == 0 && i < w->nodes.len; i++) needed[i] = true;
    while (work.len > 0) {
        uint32_t i = work.data[--work.len];
        if (i >= w->nodes.len || needed[i]) continue;
        needed[i] = true;
        for (uint32_t k = 0; k < w->nodes.data[i].node.n_inputs; k++)
            vec_push(arena, &work, w->nodes.data[i].node.inputs[k].node);
    }
    return needed;
}

/* The one node of that name, those that are needed first. */
static bool find_meant(const Work *w, const bool *needed, const char *name, uint32_t *out, Diag *d) {
    uint32_t found[2] = {0}, several[2] = {0};
    const Opened *nodes = w->nodes.data;
    for (uint32_t i = w->im->tf->main.n_nodes; i < w->nodes.len; i++) {
        if (!is_called(nodes[i].function, nodes[i].node.name, name)) continue;
        uint32_t *at = &found[needed[i]], *other = &several[needed[i]];
        if (*at && (!*other || nodes[*other].function == nodes[*at].function)) *other = i;
        if (!*at) *at = i;
    }
    const int which = found[true] ? true : false;
    *out = found[which];
    if (!found[which])
        return diag_error(d, NULL, NULL,
                          "'%s' is inside of function '%s', a loop, a branch or something that fills tables: it cannot "
                          "be had from outside",
                          name, function_with(w->im->tf, w->im->arena, name)->name);
    if (!several[which]) return true;
    const Opened *a = &nodes[found[which]], *b = &nodes[several[which]];
    if (a->function == b->function)
        return diag_error(d, NULL, NULL, "'%s' is not one tensor: function '%s' is called several times", name,
                          a->function->name);
    return diag_error(d, NULL, NULL, "'%s' is in several functions: write '%s/%s' or '%s/%s'", name, a->function->name,
                      a->node.name, b->function->name, b->node.name);
}

/* The names that neither a signature nor the main graph has, but a function. */
static uint32_t list_names(const TfGraph *tf, const ImportOptions *o, const char **names, Arena *arena) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n_inputs + o->n_outputs; i++) {
        const bool is_input = i < o->n_inputs;
        const char *name = is_input ? o->inputs[i].name : o->outputs[i - o->n_inputs];
        const TfPort *ports = is_input ? tf->inputs : tf->outputs;
        bool known = false;
        for (uint32_t k = 0; k < (is_input ? tf->n_inputs : tf->n_outputs); k++)
            known = known || strcmp(ports[k].name, name) == 0;
        name = node_name(arena, name);
        for (uint32_t k = 0; k < n; k++) known = known || strcmp(names[k], name) == 0;
        if (!known && !map_find(&tf->main.index, name) && function_with(tf, arena, name)) names[n++] = name;
    }
    return n;
}

bool import_open_functions(Arena *arena, TfGraph *tf, const ImportOptions *o, Diag *d) {
    const char **names = NEW_ARRAY(arena, const char *, o->n_inputs + o->n_outputs + 1);
    const uint32_t n = list_names(tf, o, names, arena);
    bool ok = true;
    if (n == 0) return true;
    Importer *im = NEW(arena, Importer);
    *im = (Importer){.arena = arena, .tf = tf, .options = o, .d = d};
    import_find_effects(im);
    Work w = {.im = im};
    open_calls(&w);
    const bool *needed = find_needed(&w);
    uint32_t *meant = NEW_ARRAY(arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) ok = find_meant(&w, needed, names[i], &meant[i], d) && ok;
    if (!ok) return false;
    TfNode *nodes = NEW_ARRAY(arena, TfNode, w.nodes.len + 1);
    for (uint32_t i = 0; i < w.nodes.len; i++) nodes[i] = w.nodes.data[i].node;
    tf->main.nodes = nodes;
    tf->main.n_nodes = w.nodes.len;
    for (uint32_t i = 0; i < n; i++) map_add(&tf->main.index, names[i], meant[i]);
    return true;
}
