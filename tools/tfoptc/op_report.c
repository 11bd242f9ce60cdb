/* op_report: what becomes of each op type of a model, for `tfoptc inspect`: compiled, called at run time (host), an
   input, folded away while importing (constants, identities, shape arithmetic, variables), refused, or not needed for
   the outputs at all. A node is found again in the graph by its name and op type. */
#include "commands.h"

#include "ir/custom.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const fate_names[N_FATES] = {
    [FATE_REFUSED] = "refused", [FATE_HOST] = "host",          [FATE_COMPILED] = "compiled",
    [FATE_INPUT] = "input",     [FATE_FOLDED] = "folded away", [FATE_UNUSED] = "not needed"};

typedef VEC(OpLine) OpLines;

typedef struct {
    const Compilation *work;
    Arena *arena;
    OpLines lines;
    Map index;      /* op type → line */
    Map reasons;    /* op type → diagnostic of its refusal */
    Map made;       /* "node\nop" → OpFate of what it became in the graph */
    Map cut;        /* nodes at which the model begins */
    bool **reached; /* per body, the main graph first: its outputs need this node */
} Report;

static const char *key_of(Arena *arena, const char *node, const char *op) {
    return arena_printf(arena, "%s\n%s", node, op);
}

/* ---- which nodes the outputs need */

typedef struct {
    uint32_t body, node; /* body 0: the main graph, else 1 + the function's number */
} Place;

typedef VEC(Place) Places;

static const TfBody *body_at(const TfGraph *tf, uint32_t i) {
    return i ? &tf->functions[i - 1].body : &tf->main;
}

static void reach(Report *r, Places *work, uint32_t body, uint32_t node) {
    if (node >= body_at(r->work->tf, body)->n_nodes || r->reached[body][node]) return;
    r->reached[body][node] = true;
    vec_push(r->arena, work, (Place){body, node});
}

static void reach_function(Report *r, Places *work, const char *name, size_t size) {
    const TfGraph *tf = r->work->tf;
    MapEntry *e = map_find_bytes(&tf->function_index, name, size);
    if (!e) return;
    const TfFunction *f = &tf->functions[e->value];
    for (uint32_t i = 0; i < f->n_results; i++) reach(r, work, 1 + (uint32_t)e->value, f->results[i].node);
    for (uint32_t i = 0; i < f->n_controls; i++) reach(r, work, 1 + (uint32_t)e->value, f->controls[i]);
}

static void reach_name(Report *r, Places *work, const char *tensor) {
    const TfGraph *tf = r->work->tf;
    for (uint32_t i = 0; i < tf->n_outputs; i++)
        if (strcmp(tf->outputs[i].name, tensor) == 0) tensor = tf->outputs[i].tensor;
    if (*tensor == '^') tensor++;
    MapEntry *e = map_find_bytes(&tf->main.index, tensor, strcspn(tensor, ":"));
    if (e) reach(r, work, 0, (uint32_t)e->value);
}

/* From the outputs, and from what runs first; when the import failed, from what the user asked for, else the signature,
   else everything. */
static void reach_roots(Report *r, Places *work, const Options *o) {
    const TfGraph *tf = r->work->tf;
    const Graph *g = r->work->original;
    for (uint32_t i = 0; g && i < g->outputs.len; i++) reach_name(r, work, g->outputs.data[i].tensor);
    for (uint32_t i = 0; i < tf->n_init_nodes; i++) reach_name(r, work, tf->init_nodes[i]);
    for (uint32_t i = 0; i < o->init.len; i++) reach_name(r, work, o->init.data[i]);
    if (g) return;
    for (uint32_t i = 0; i < o->outputs.len; i++) reach_name(r, work, o->outputs.data[i]);
    for (uint32_t i = 0; !o->outputs.len && i < tf->n_outputs; i++) reach_name(r, work, tf->outputs[i].tensor);
    for (uint32_t i = 0; !o->outputs.len && !tf->n_outputs && i < tf->main.n_nodes; i++) reach(r, work, 0, i);
}

static void find_reached(Report *r, const Options *o) {
    const TfGraph *tf = r->work->tf;
    r->reached = NEW_ARRAY(r->arena, bool *, tf->n_functions + 1);
    for (uint32_t i = 0; i <= tf->n_functions; i++)
        r->reached[i] = NEW_ARRAY(r->arena, bool, body_at(tf, i)->n_nodes + 1);
    Places work = {0};
    reach_roots(r, &work, o);
    while (work.len) {
        Place p = work.data[--work.len];
        const TfNode *n = &body_at(tf, p.body)->nodes[p.node];
        if (p.body == 0 && map_find(&r->cut, n->name)) continue;
        for (uint32_t i = 0; i < n->n_inputs; i++) reach(r, &work, p.body, n->inputs[i].node);
        for (uint32_t i = 0; i < n->n_controls; i++) reach(r, &work, p.body, n->controls[i]);
        reach_function(r, &work, n->op, strlen(n->op));
        for (uint32_t i = 0; i < n->n_attrs; i++) {
            const TfAttr *a = &n->attrs[i];
            if (a->kind == TF_ATTR_FUNC) reach_function(r, &work, a->v.s, strlen(a->v.s));
            for (uint32_t k = 0; a->kind == TF_ATTR_LIST_FUNC && k < a->n; k++)
                reach_function(r, &work, a->v.strings[k].data, a->v.strings[k].size);
        }
    }
}

/* ---- what became of them */

/* Where the model begins: its inputs, or, when the import failed, what the user or the signature calls so. */
static void find_inputs(Report *r, const Options *o) {
    const Graph *g = r->work->original;
    const TfGraph *tf = r->work->tf;
    VEC(const char *) names = {0};
    for (uint32_t i = 0; g && i < g->inputs.len; i++) vec_push(r->arena, &names, g->inputs.data[i].tensor);
    for (uint32_t i = 0; !g && i < o->inputs.len; i++)
        vec_push(r->arena, &names, arena_strndup(r->arena, o->inputs.data[i], strcspn(o->inputs.data[i], "=")));
    for (uint32_t i = 0; !g && !o->inputs.len && i < tf->n_inputs; i++)
        vec_push(r->arena, &names, tf->inputs[i].tensor);
    for (uint32_t i = 0; i < names.len; i++)
        map_add(&r->cut, arena_strndup(r->arena, names.data[i], strcspn(names.data[i], ":")), 1);
}

static void find_made(Report *r) {
    const Graph *g = r->work->original;
    for (uint32_t i = 1; g && i < g->nodes.len; i++) {
        const Node *n = &g->nodes.data[i];
        if (!n->tf_op || n->dead || n->op == OP_CONST) continue;
        const char *key = key_of(r->arena, n->name, n->tf_op);
        OpFate fate = n->op == OP_HOST ? FATE_HOST : FATE_COMPILED;
        MapEntry *e = map_find(&r->made, key);
        if (!e)
            map_add(&r->made, key, fate);
        else if (fate < (OpFate)e->value)
            e->value = fate;
    }
}

/* By the tables alone: for graphs that cannot be imported as a whole. */
static OpFate expected_fate(const TfGraph *tf, const char *op) {
    static const char *const nothing[] = {"Const",
                                          "HostConst",
                                          "Identity",
                                          "IdentityN",
                                          "NoOp",
                                          "StopGradient",
                                          "ReadVariableOp",
                                          "VarHandleOp",
                                          "VariableV2",
                                          "PartitionedCall",
                                          "StatefulPartitionedCall",
                                          "Assert",
                                          "Shape",
                                          "Rank",
                                          "CheckNumerics"};
    if (custom_op_find(tf->custom_ops, op)) return FATE_HOST;
    if (strncmp(op, "Placeholder", 11) == 0) return FATE_INPUT;
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
        if (strcmp(op, nothing[i]) == 0) return FATE_FOLDED;
    if (map_find(&tf->function_index, op)) return FATE_FOLDED;
    return tf_op_find(op) ? FATE_COMPILED : host_op_find(op) ? FATE_HOST : FATE_REFUSED;
}

static OpFate fate_of(const Report *r, uint32_t body, uint32_t node) {
    const TfNode *n = &body_at(r->work->tf, body)->nodes[node];
    if (!r->reached[body][node]) return FATE_UNUSED;
    if (body == 0 && map_find(&r->cut, n->name)) return FATE_INPUT;
    if (map_find(&r->reasons, n->op) && !r->work->original) return FATE_REFUSED;
    MapEntry *made = map_find(&r->made, key_of(r->arena, n->name, n->op));
    if (made) return (OpFate)made->value;
    return r->work->original ? FATE_FOLDED : expected_fate(r->work->tf, n->op);
}

static void count_node(Report *r, uint32_t body, uint32_t node) {
    const TfGraph *tf = r->work->tf;
    const TfNode *n = &body_at(tf, body)->nodes[node];
    if (map_add(&r->index, n->op, r->lines.len)) vec_push(r->arena, &r->lines, (OpLine){.op = n->op});
    OpLine *line = &r->lines.data[map_get(&r->index, n->op, 0)];
    OpFate fate = fate_of(r, body, node);
    if (!line->n[fate]++)
        line->first[fate] = body ? arena_printf(r->arena, "%s/%s", tf->functions[body - 1].name, n->name) : n->name;
}

static void say_why(Report *r, OpLine *line) {
    MapEntry *reason = map_find(&r->reasons, line->op);
    const HostOp *custom = custom_op_find(r->work->tf->custom_ops, line->op), *host = host_op_find(line->op);
    if (reason)
        line->why = (const char *)(uintptr_t)reason->value;
    else if (line->n[FATE_HOST] && custom)
        line->why = arena_printf(r->arena, "kernel %s of %s", custom->symbol, custom->library);
    else if (line->n[FATE_HOST] && host)
        line->why = arena_printf(r->arena, "family %s", host->family);
    else if (line->n[FATE_REFUSED])
        line->why = "this op type is not known to the compiler";
}

static OpFate main_fate(const OpLine *line) {
    OpFate fate = FATE_REFUSED;
    while (fate < FATE_UNUSED && !line->n[fate]) fate++;
    return fate;
}

static uint32_t total(const OpLine *line) {
    uint32_t n = 0;
    for (int i = 0; i < N_FATES; i++) n += line->n[i];
    return n;
}

static int compare_lines(const void *a, const void *b) {
    const OpLine *x = a, *y = b;
    if (main_fate(x) != main_fate(y)) return main_fate(x) < main_fate(y) ? -1 : 1;
    if (total(x) != total(y)) return total(x) > total(y) ? -1 : 1;
    return strcmp(x->op, y->op);
}

OpReport op_report(const Compilation *work, const Options *o, const Diag *d, Arena *arena) {
    Report r = {.work = work, .arena = arena};
    map_init(&r.index, arena);
    map_init(&r.reasons, arena);
    map_init(&r.made, arena);
    map_init(&r.cut, arena);
    for (uint32_t i = 0; i < d->entries.len; i++) {
        const DiagEntry *e = &d->entries.data[i];
        bool counts = work->original ? e->level == DIAG_NOTE : e->level == DIAG_ERROR;
        if (counts && e->op) map_add(&r.reasons, e->op, (uint64_t)(uintptr_t)e->message);
    }
    find_inputs(&r, o);
    find_reached(&r, o);
    find_made(&r);
    for (uint32_t i = 0; i <= work->tf->n_functions; i++)
        for (uint32_t k = 0; k < body_at(work->tf, i)->n_nodes; k++) count_node(&r, i, k);
    for (uint32_t i = 0; i < r.lines.len; i++) say_why(&r, &r.lines.data[i]);
    if (r.lines.len) qsort(r.lines.data, r.lines.len, sizeof *r.lines.data, compare_lines);
    return (OpReport){r.lines.data, r.lines.len};
}

/* ---- showing it */

static void print_line(const OpLine *line, int width, bool verbose) {
    bool first = true;
    for (int f = 0; f < N_FATES; f++) {
        if (!line->n[f] || (f == FATE_UNUSED && !verbose)) continue;
        bool says = line->why && (f == FATE_REFUSED || f == FATE_HOST || (f == FATE_FOLDED && first));
        printf("  %-*s %6u  %-11s  ", width, first ? line->op : "", line->n[f], fate_names[f]);
        common_print_name(line->first[f], 0);
        printf("%s%s\n", says ? ": " : "", says ? line->why : "");
        first = false;
    }
}

void op_report_print(const OpReport *r, bool verbose) {
    uint32_t nodes[N_FATES] = {0}, all = 0;
    int width = 10;
    for (uint32_t i = 0; i < r->n; i++) {
        for (int f = 0; f < N_FATES; f++) nodes[f] += r->lines[i].n[f];
        all += total(&r->lines[i]);
        if ((int)strlen(r->lines[i].op) > width) width = (int)strlen(r->lines[i].op);
    }
    printf("ops      %u types, %u nodes:", r->n, all);
    const char *between = "";
    for (int f = 0; f < N_FATES; f++) {
        if (!nodes[f]) continue;
        printf("%s %u %s", between, nodes[f], fate_names[f]);
        between = ",";
    }
    putchar('\n');
    if (width > 40) width = 40;
    for (uint32_t i = 0; i < r->n; i++) print_line(&r->lines[i], width, verbose);
    if (!nodes[FATE_UNUSED] || verbose) return;
    printf("  not needed for the outputs (--verbose: where):");
    between = " ";
    for (uint32_t i = 0; i < r->n; i++) {
        if (!r->lines[i].n[FATE_UNUSED]) continue;
        printf("%s%u %s", between, r->lines[i].n[FATE_UNUSED], r->lines[i].op);
        between = ", ";
    }
    putchar('\n');
}

json_t *op_report_json(const OpReport *r) {
    json_t *ops = json_array();
    for (uint32_t i = 0; i < r->n; i++) {
        const OpLine *line = &r->lines[i];
        json_t *j = json_pack("{s:o, s:i, s:s}", "op", json_text(line->op), "count", (int)total(line), "fate",
                              fate_names[main_fate(line)]);
        json_t *fates = json_object();
        for (int f = 0; f < N_FATES; f++)
            if (line->n[f])
                json_object_set_new(
                    fates, fate_names[f],
                    json_pack("{s:i, s:o}", "count", (int)line->n[f], "first", json_text(line->first[f])));
        json_object_set_new(j, "fates", fates);
        if (line->why) json_object_set_new(j, "why", json_text(line->why));
        json_array_append_new(ops, j);
    }
    return ops;
}
