/* import_walk: imports the nodes of a body in dependency order, only those that are asked for. The walk keeps its own
   stack, so a long chain of nodes costs memory, not C stack; only functions nest (bounded by IMPORT_MAX_CALLS). A node
   that fails poisons its users: they are skipped without a message, everything else goes on, so that one run reports
   all that is wrong. */
#include "frontend/importer.h"
#include "ir/custom.h"

#include <string.h>

typedef enum { NODE_NEW, NODE_OPEN, NODE_DONE, NODE_POISONED } NodeState;

/* Ops that change state and are therefore kept when something only waits for them. */
static const char *const effect_ops[] = {"LookupTableInsert",
                                         "LookupTableInsertV2",
                                         "LookupTableImport",
                                         "LookupTableImportV2",
                                         "LookupTableRemoveV2",
                                         "InitializeTable",
                                         "InitializeTableV2",
                                         "InitializeTableFromTextFile",
                                         "InitializeTableFromTextFileV2",
                                         "StackPush",
                                         "StackPushV2",
                                         "StackPop",
                                         "StackPopV2"};

bool import_op_has_effect(const char *op) {
    for (size_t i = 0; i < ARRAY_LEN(effect_ops); i++)
        if (strcmp(op, effect_ops[i]) == 0) return true;
    return false;
}

const TfFunction *import_function(const Importer *im, const char *name) {
    uint64_t i = name ? map_get(&im->tf->function_index, name, UINT64_MAX) : UINT64_MAX;
    return i < im->tf->n_functions ? &im->tf->functions[i] : NULL;
}

static bool function_has_effect(const Importer *im, const char *name) {
    const TfFunction *f = import_function(im, name);
    return f && im->function_effect[f - im->tf->functions];
}

/* Effects of the functions that a node calls are its own: bodies and branches included. */
bool import_has_effect(const Importer *im, const TfNode *n) {
    if (import_op_has_effect(n->op) || function_has_effect(im, n->op)) return true;
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        const TfAttr *a = &n->attrs[i];
        if (a->kind == TF_ATTR_FUNC && function_has_effect(im, a->v.s)) return true;
        for (uint32_t k = 0; a->kind == TF_ATTR_LIST_FUNC && k < a->n; k++)
            if (function_has_effect(im, arena_strndup(im->arena, a->v.strings[k].data, a->v.strings[k].size)))
                return true;
    }
    return false;
}

void import_find_effects(Importer *im) {
    im->function_effect = NEW_ARRAY(im->arena, bool, im->tf->n_functions);
    bool changed = true;
    for (int sweep = 0; changed && sweep < IMPORT_MAX_CALLS; sweep++) {
        changed = false;
        for (uint32_t i = 0; i < im->tf->n_functions; i++) {
            const TfBody *body = &im->tf->functions[i].body;
            for (uint32_t k = 0; k < body->n_nodes && !im->function_effect[i]; k++)
                if (import_has_effect(im, &body->nodes[k])) changed = im->function_effect[i] = true;
        }
    }
}

Scope *scope_new(Importer *im, const TfBody *body, const TfFunction *function, const TfNode *caller, RegionId region,
                 const ValueId *args) {
    Scope *s = NEW(im->arena, Scope);
    s->im = im;
    s->body = body;
    s->function = function;
    s->caller = caller;
    s->region = region;
    s->args = args;
    s->results = NEW_ARRAY(im->arena, ValueId *, body->n_nodes);
    s->n_results = NEW_ARRAY(im->arena, uint32_t, body->n_nodes);
    s->state = NEW_ARRAY(im->arena, uint8_t, body->n_nodes);
    for (uint32_t i = 0; i < body->n_nodes; i++)
        if (import_has_effect(im, &body->nodes[i])) {
            if (!s->effect) s->effect = NEW_ARRAY(im->arena, bool, body->n_nodes);
            s->effect[i] = true;
        }
    if (s->effect) s->effect_seen = NEW_ARRAY(im->arena, bool, body->n_nodes);
    return s;
}

static const TensorInput *find_override(const Scope *s, TfInput t) {
    for (uint32_t i = 0; i < s->n_overrides; i++)
        if (s->overrides[i].tensor.node == t.node && s->overrides[i].tensor.output == t.output) return &s->overrides[i];
    return NULL;
}

/* Whether the walk has to import the node behind this tensor first. */
static bool needs_node(const Scope *s, TfInput t) {
    return t.node < s->body->n_nodes && !find_override(s, t);
}

static ValueId value_of(Scope *s, TfInput t, const TfNode *user) {
    if (t.node & TF_ARG) {
        uint32_t i = t.node & ~TF_ARG;
        return s->function && i < s->function->n_args ? s->args[i] : (ValueId){0};
    }
    const TensorInput *override = find_override(s, t);
    if (override) return override->value;
    if (t.node >= s->body->n_nodes) {
        diag_error(s->im->d, user ? user->name : NULL, user ? user->op : NULL,
                   "uses a value from outside of its function or loop");
        return (ValueId){0};
    }
    if (s->state[t.node] != NODE_DONE) return (ValueId){0};
    if (t.output >= s->n_results[t.node]) {
        const TfNode *n = &s->body->nodes[t.node];
        if (user)
            diag_error(s->im->d, user->name, user->op, "'%s' (%s) has no output %u", n->name, n->op, t.output);
        else
            diag_error(s->im->d, n->name, n->op, "has no output %u; it has %u", t.output, s->n_results[t.node]);
        return (ValueId){0};
    }
    return s->results[t.node][t.output];
}

/* The node with its attribute placeholders replaced by the caller's attributes. */
static const TfNode *resolve_attrs(const Scope *s, const TfNode *n) {
    bool any = false;
    for (uint32_t i = 0; i < n->n_attrs; i++) any = any || n->attrs[i].kind == TF_ATTR_PLACEHOLDER;
    if (!any || !s->caller) return n;
    TfNode *copy = arena_memdup(s->im->arena, n, sizeof *n);
    copy->attrs = arena_memdup(s->im->arena, n->attrs, sizeof(TfAttr) * n->n_attrs);
    for (uint32_t i = 0; i < copy->n_attrs; i++) {
        TfAttr *a = &copy->attrs[i];
        if (a->kind != TF_ATTR_PLACEHOLDER) continue;
        const TfAttr *given = tf_attr(s->caller, a->v.s);
        if (given) {
            const char *name = a->name;
            *a = *given;
            a->name = name;
        }
    }
    return copy;
}

bool import_call(Importer *im, const TfFunction *f, const TfNode *caller, RegionId r, const ValueId *args,
                 const bool *needed, ValueId *results) {
    if (im->depth >= IMPORT_MAX_CALLS)
        return diag_unsupported(im->d, caller->name, caller->op, "functions call each other more than %d deep",
                                IMPORT_MAX_CALLS);
    for (uint32_t i = 0; i < im->depth; i++)
        if (strcmp(im->calls[i], f->name) == 0)
            return diag_unsupported(im->d, caller->name, caller->op,
                                    "function '%s' calls itself; recursion is not compiled", f->name);
    im->nodes_imported += f->body.n_nodes; /* what a scope costs, however little of it is used */
    if (im->nodes_imported > IMPORT_MAX_NODES)
        return diag_error(im->d, caller->name, caller->op,
                          "the graph has more than %u nodes after inlining its functions", IMPORT_MAX_NODES);
    im->calls[im->depth++] = f->name;
    Scope *s = scope_new(im, &f->body, f, caller, r, args);
    s->needed = needed;
    bool ok = true;
    for (uint32_t i = 0; s->effect && i < f->body.n_nodes; i++)
        if (s->effect[i]) ok = scope_effects(s, i) && ok;
    for (uint32_t i = 0; i < f->n_results; i++) {
        if (needed && !needed[i]) continue;
        results[i] = scope_get(s, f->results[i]);
        ok = ok && !failed(results[i]);
    }
    im->depth--;
    return ok;
}

/* A node whose op is the name of a function: inlined. */
static bool import_inlined(Import *c, const TfFunction *f) {
    if (c->n_in < f->n_args)
        return bad(c, "%u inputs are given, function '%s' has %u arguments", c->n_in, f->name, f->n_args);
    if (f->n_results > IMPORT_MAX_OUTPUTS)
        return unsupported(c, "function '%s' has more than %d results", f->name, IMPORT_MAX_OUTPUTS);
    c->n_out = f->n_results;
    return import_call(c->im, f, c->n, c->r, c->in, c->needed, c->out);
}

bool import_partitioned_call(Import *c) {
    const TfAttr *f = tf_attr(c->n, "f");
    const TfFunction *callee = f && f->kind == TF_ATTR_FUNC ? import_function(c->im, f->v.s) : NULL;
    if (!callee)
        return bad(c, "calls function '%s', which the graph does not define",
                   f && f->kind == TF_ATTR_FUNC ? f->v.s : "?");
    return import_inlined(c, callee);
}

/* Whether there are as many inputs, and whether they have the types that the node's attributes say. Lists and tables,
   for which there is a variant or a handle in TensorFlow, are other values here. */
static bool inputs_agree(Import *c) {
    uint32_t count;
    if (tf_input_count(c->n, &count) && count != c->n_in) return bad(c, "has %u inputs, needs %u", c->n_in, count);
    for (uint32_t i = 0; i < c->n_in; i++) {
        DType want = tf_input_type(c->n, i), have = dtype_of(c, c->in[i]);
        if (want == have || want == DTYPE_NONE || dtype_info(want)->class_ == CLASS_HANDLE ||
            dtype_info(have)->class_ == CLASS_HANDLE || list_find(c->im, c->in[i]))
            continue;
        return bad(c, "input %u is of type %s, the node says %s", i, dtype_info(have)->tf_name,
                   dtype_info(want)->tf_name);
    }
    return true;
}

static bool dispatch(Import *c) {
    if (!c->n->op) return bad(c, "has no op type");
    const TfOpRow *row = import_row(c);
    const TfFunction *f;
    const HostOp *custom = custom_op_find(c->im->tf->custom_ops, c->n->op); /* goes before our own */
    if (custom) return import_custom(c, custom);
    if (row && c->n_in < row->min_inputs) return bad(c, "has %u inputs, needs %u", c->n_in, row->min_inputs);
    if (!row && (f = import_function(c->im, c->n->op))) return import_inlined(c, f);
    if (row || host_op_find(c->n->op)) {
        if (!inputs_agree(c)) return false;
        ImportFn *import = row ? row->import : import_host_generic;
        bool done = false;
        if (!import_settle_lengths(c) || !import_any_rank(c, import, &done)) return false;
        if (!done && (!import_agree(c) || !import_run_time_axes(c, import, &done))) return false;
        return done || import(c);
    }
    return import_unknown(c);
}

/* ---- results of calls that nobody needs: what is behind them may not be compilable */

static void mark_live(Scope *s, TfInput t, bool *seen, TfInput *pending, uint32_t *n_pending) {
    if (t.node >= s->body->n_nodes || !map_add_bytes(s->live, &t, sizeof t, 1) || seen[t.node]) return;
    seen[t.node] = true;
    pending[(*n_pending)++] = t;
}

/* All tensors of the body that are read on the way to its results. */
static void find_live(Scope *s) {
    Arena *scratch = arena_new();
    bool *seen = NEW_ARRAY(scratch, bool, s->body->n_nodes);
    TfInput *pending = NEW_ARRAY(scratch, TfInput, s->body->n_nodes);
    uint32_t n_pending = 0;
    s->live = NEW(s->im->arena, Map);
    map_init(s->live, s->im->arena);
    for (uint32_t i = 0; s->function && i < s->function->n_results; i++)
        if (!s->needed || s->needed[i]) mark_live(s, s->function->results[i], seen, pending, &n_pending);
    for (uint32_t i = 0; !s->function && i < s->im->n_wanted; i++)
        mark_live(s, s->im->wanted[i], seen, pending, &n_pending);
    while (n_pending > 0) {
        const TfNode *n = &s->body->nodes[pending[--n_pending].node];
        for (uint32_t i = 0; i < n->n_inputs; i++) mark_live(s, n->inputs[i], seen, pending, &n_pending);
    }
    arena_free(scratch);
}

/* Which outputs of a call anything reads; NULL: all are to be had, where that is not worth asking, and where nodes of
   the body are run for what they change. */
static const bool *needed_outputs(Scope *s, uint32_t index) {
    const TfNode *n = &s->body->nodes[index];
    const TfAttr *called = tf_attr(n, "f");
    const TfFunction *f = import_function(s->im, called && called->kind == TF_ATTR_FUNC ? called->v.s : n->op);
    if (s->effect || !f || f->n_results < 2) return NULL;
    if (!s->live) find_live(s);
    bool *needed = NEW_ARRAY(s->im->arena, bool, f->n_results);
    for (uint32_t i = 0; i < f->n_results; i++) {
        const TfInput t = {index, i};
        needed[i] = map_find_bytes(s->live, &t, sizeof t) != NULL;
    }
    return needed;
}

static bool import_one(Scope *s, uint32_t index) {
    Importer *im = s->im;
    const TfNode *n = &s->body->nodes[index];
    if (++im->nodes_imported > IMPORT_MAX_NODES)
        return diag_error(im->d, n->name, n->op, "the graph has more than %u nodes after inlining its functions",
                          IMPORT_MAX_NODES);
    ValueId *in = NEW_ARRAY(im->arena, ValueId, n->n_inputs + 1);
    bool poisoned = false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        in[i] = value_of(s, n->inputs[i], n);
        poisoned = poisoned || failed(in[i]);
    }
    if (poisoned) return false;
    ValueId out[IMPORT_MAX_OUTPUTS];
    memset(out, 0, sizeof out);
    Import c = {.im = im,
                .g = im->g,
                .r = s->region,
                .n = resolve_attrs(s, n),
                .in = in,
                .n_in = n->n_inputs,
                .needed = needed_outputs(s, index),
                .out = out,
                .n_out = 1,
                .d = im->d};
    if (s->function && import_reads_changing(im, s->function, index))
        return unsupported(&c, "reads a variable that the model changes when it runs; a compiled model's variables are "
                               "constants");
    uint32_t errors = im->d->n_errors;
    if (!dispatch(&c)) {
        if (im->d->n_errors == errors) bad(&c, "could not be imported");
        return false;
    }
    CHECK(c.n_out <= IMPORT_MAX_OUTPUTS);
    for (uint32_t i = 0; i < c.n_out; i++)
        if (!failed(out[i]) &&
            value_at(im->g, out[i])->dtype == DTYPE_NONE) /* from an attribute with a type that there is not */
            return unsupported(&c, "the element type of a result is not supported");
    s->results[index] = arena_memdup(im->arena, out, sizeof(ValueId) * (c.n_out + 1));
    s->n_results[index] = c.n_out;
    return true;
}

typedef struct {
    uint32_t node, next; /* next: data input to look at */
} Frame;

static bool import_tree(Scope *s, uint32_t root) {
    if (s->state[root] == NODE_DONE || s->state[root] == NODE_POISONED) return s->state[root] == NODE_DONE;
    VEC(Frame) stack = {0};
    Arena *a = s->im->arena;
    vec_push(a, &stack, (Frame){root, 0});
    s->state[root] = NODE_OPEN;
    while (stack.len > 0) {
        Frame *top = &stack.data[stack.len - 1];
        const TfNode *n = &s->body->nodes[top->node];
        bool pushed = false;
        while (top->next < n->n_inputs && !pushed) {
            TfInput t = n->inputs[top->next++];
            if (!needs_node(s, t)) continue;
            if (s->state[t.node] == NODE_OPEN) {
                diag_error(s->im->d, n->name, n->op, "is part of a cycle through '%s'", s->body->nodes[t.node].name);
                continue; /* value_of gives none: poisoned */
            }
            if (s->state[t.node] == NODE_NEW) {
                s->state[t.node] = NODE_OPEN;
                vec_push(a, &stack, (Frame){t.node, 0});
                pushed = true;
            }
        }
        if (pushed) continue;
        uint32_t node = stack.data[--stack.len].node;
        bool ok = true;
        for (uint32_t i = 0; s->effect && i < n->n_controls; i++) ok = scope_effects(s, n->controls[i]) && ok;
        s->state[node] = ok && import_one(s, node) ? NODE_DONE : NODE_POISONED;
    }
    return s->state[root] == NODE_DONE;
}

/* Post-order over data and control edges, so that earlier effects come first and the nested import_tree finds them
 * done. */
bool scope_effects(Scope *s, uint32_t root) {
    if (!s->effect || s->effect_seen[root]) return true;
    VEC(Frame) stack = {0};
    Arena *a = s->im->arena;
    vec_push(a, &stack, (Frame){root, 0});
    s->effect_seen[root] = true;
    bool ok = true;
    while (stack.len > 0) {
        Frame *top = &stack.data[stack.len - 1];
        const TfNode *n = &s->body->nodes[top->node];
        bool pushed = false;
        while (top->next < n->n_inputs + n->n_controls && !pushed) {
            uint32_t i = top->next++;
            uint32_t from = i < n->n_inputs ? n->inputs[i].node : n->controls[i - n->n_inputs];
            if (from >= s->body->n_nodes || s->effect_seen[from]) continue;
            s->effect_seen[from] = true;
            vec_push(a, &stack, (Frame){from, 0});
            pushed = true;
        }
        if (pushed) continue;
        uint32_t node = stack.data[--stack.len].node;
        if (s->effect[node] && s->state[node] != NODE_OPEN) ok = import_tree(s, node) && ok;
    }
    return ok;
}

ValueId scope_get(Scope *s, TfInput from) {
    if (needs_node(s, from)) import_tree(s, from.node);
    return value_of(s, from, NULL);
}
