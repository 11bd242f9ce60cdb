/* control_flow_analyse: for a body with TensorFlow 1 control flow (Switch, Merge, Enter, Exit, NextIteration,
   LoopCond): a topological order, the frame of every node, the condition under which it runs, and what every Merge
   joins. TensorFlow executes such a body by passing "dead" tokens around; a condition is the static form of that: the
   set of Switch outputs that a node depends on, by data or control edges. */
#include "frontend/control_flow.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LITERALS = 64, MAX_PASSES = 64, MAX_CHAIN = 1000 };

static const struct {
    const char *op;
    FlowKind kind;
} flow_ops[] = {
    {"Switch", FLOW_SWITCH},  {"RefSwitch", FLOW_SWITCH},   {"_SwitchN", FLOW_SWITCH},       {"Merge", FLOW_MERGE},
    {"RefMerge", FLOW_MERGE}, {"Enter", FLOW_ENTER},        {"RefEnter", FLOW_ENTER},        {"Exit", FLOW_EXIT},
    {"RefExit", FLOW_EXIT},   {"NextIteration", FLOW_NEXT}, {"RefNextIteration", FLOW_NEXT}, {"LoopCond", FLOW_COND},
};

static FlowKind kind_of(const char *op) {
    for (size_t i = 0; i < ARRAY_LEN(flow_ops); i++)
        if (strcmp(op, flow_ops[i].op) == 0) return flow_ops[i].kind;
    return FLOW_PLAIN;
}

bool flow_present(const TfBody *body) {
    for (uint32_t i = 0; i < body->n_nodes; i++)
        if (kind_of(body->nodes[i].op) != FLOW_PLAIN) return true;
    return false;
}

static bool fail(const Flow *f, uint32_t node, const char *why) {
    const TfNode *n = &f->body->nodes[node];
    return diag_unsupported(f->d, f->where ? arena_printf(f->arena, "%s/%s", f->where, n->name) : n->name, n->op, "%s",
                            why);
}

static bool is_back_edge(const Flow *f, uint32_t node, TfInput in) {
    return f->kind[node] == FLOW_MERGE && !(in.node & TF_ARG) && f->kind[in.node] == FLOW_NEXT;
}

/* Calls visit for every node that `node` depends on, data and control, except along back edges. */
#define FOR_EACH_SOURCE(f, i, source)                                                                                  \
    for (uint32_t edge_ = 0; edge_ < (f)->body->nodes[i].n_inputs + (f)->body->nodes[i].n_controls; edge_++)           \
        if (source_of((f), (i), edge_, &(source)))

static bool source_of(const Flow *f, uint32_t i, uint32_t edge, uint32_t *out) {
    const TfNode *n = &f->body->nodes[i];
    if (edge >= n->n_inputs) {
        *out = n->controls[edge - n->n_inputs];
        return true;
    }
    TfInput in = n->inputs[edge];
    *out = in.node;
    return !(in.node & TF_ARG) && !is_back_edge(f, i, in);
}

/* ---- order ---- */

typedef VEC(uint32_t) List;

static void add_edge(Flow *f, List *edges, uint32_t source, uint32_t target) {
    vec_push(f->arena, edges, source);
    vec_push(f->arena, edges, target);
}

/* All edges as pairs. A While takes all that enters its frame before anything leaves it, and an If what any of its
   merges takes: such sums are nodes of their own behind the real ones (frames first, then groups), as far as frames and
   groups are known already. */
static void list_edges(Flow *f, List *edges) {
    uint32_t n = f->body->n_nodes, source;
    for (uint32_t i = 0; i < n; i++) FOR_EACH_SOURCE(f, i, source) add_edge(f, edges, source, i);
    uint32_t groups = n + f->frames.len;
    for (uint32_t k = 1; k < f->frames.len; k++) {
        const Frame *frame = &f->frames.data[k];
        for (uint32_t j = 0; j < frame->enters.len; j++) add_edge(f, edges, frame->enters.data[j], n + k);
        for (uint32_t j = 0; j < frame->exits.len; j++) add_edge(f, edges, n + k, frame->exits.data[j]);
    }
    for (uint32_t i = 0; i < n && f->n_groups; i++) {
        if (f->kind[i] != FLOW_MERGE || f->merge[i].is_loop_variable || !f->merge[i].ways) continue;
        FOR_EACH_SOURCE(f, i, source) add_edge(f, edges, source, groups + f->merge[i].group);
        add_edge(f, edges, groups + f->merge[i].group, i);
    }
}

/* Where groups wait for each other in a circle, every merge of them becomes an If of its own. False when there was
 * nothing to split. */
static bool split_groups(Flow *f, const uint32_t *group_waiting) {
    uint32_t before = f->n_groups;
    uint32_t *members = NEW_ARRAY(f->arena, uint32_t, before);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < f->body->n_nodes; i++) {
            MergeInfo *m = &f->merge[i];
            if (f->kind[i] != FLOW_MERGE || m->is_loop_variable || !m->ways || m->group >= before) continue;
            if (pass == 0)
                members[m->group]++;
            else if (group_waiting[m->group] && members[m->group] > 1)
                m->group = f->n_groups++;
        }
    return f->n_groups > before;
}

static bool find_order(Flow *f) {
    uint32_t real = f->body->n_nodes, n = real + f->frames.len + f->n_groups;
    List edges = {0};
    list_edges(f, &edges);
    uint32_t *waiting = NEW_ARRAY(f->arena, uint32_t, n), *start = NEW_ARRAY(f->arena, uint32_t, n + 1);
    uint32_t *targets = NEW_ARRAY(f->arena, uint32_t, edges.len / 2), *fill = NEW_ARRAY(f->arena, uint32_t, n);
    uint32_t *queue = NEW_ARRAY(f->arena, uint32_t, n), last = 0, placed = 0;
    for (uint32_t e = 0; e < edges.len; e += 2) {
        start[edges.data[e] + 1]++;
        waiting[edges.data[e + 1]]++;
    }
    for (uint32_t i = 0; i < n; i++) start[i + 1] += start[i];
    for (uint32_t e = 0; e < edges.len; e += 2)
        targets[start[edges.data[e]] + fill[edges.data[e]]++] = edges.data[e + 1];
    if (!f->order) {
        f->order = NEW_ARRAY(f->arena, uint32_t, real);
        f->position = NEW_ARRAY(f->arena, uint32_t, real);
    }
    for (uint32_t i = 0; i < n; i++)
        if (!waiting[i]) queue[last++] = i;
    for (uint32_t done = 0; done < last; done++) {
        uint32_t i = queue[done];
        if (i < real) {
            f->position[i] = placed;
            f->order[placed++] = i;
        }
        for (uint32_t k = start[i]; k < start[i + 1]; k++)
            if (--waiting[targets[k]] == 0) queue[last++] = targets[k];
    }
    if (last == n) return true;
    if (f->n_groups && split_groups(f, waiting + real + f->frames.len)) return find_order(f);
    for (uint32_t i = 0; i < real; i++)
        if (waiting[i])
            return diag_error(f->d, f->body->nodes[i].name, f->body->nodes[i].op,
                              "depends on itself, not by way of a loop variable");
    BUG("a cycle without a node");
}

/* ---- frames ---- */

bool flow_frame_contains(const Flow *f, uint32_t outer, uint32_t inner) {
    while (f->frames.data[inner].depth > f->frames.data[outer].depth) inner = f->frames.data[inner].parent;
    return inner == outer;
}

uint32_t flow_home(const Flow *f, uint32_t node) {
    return f->kind[node] == FLOW_EXIT ? f->frames.data[f->frame[node]].parent : f->frame[node];
}

static uint32_t deeper(const Flow *f, uint32_t a, uint32_t b) {
    return f->frames.data[a].depth >= f->frames.data[b].depth ? a : b;
}

/* Gives every Enter the frame of its name. */
static bool name_frames(Flow *f, uint32_t *enter_frame) {
    Map names;
    map_init(&names, f->arena);
    vec_push(f->arena, &f->frames, (Frame){.name = "", .loop_cond = -1});
    for (uint32_t i = 0; i < f->body->n_nodes; i++) {
        if (f->kind[i] != FLOW_ENTER) continue;
        const char *name = tf_attr_string(&f->body->nodes[i], "frame_name", "");
        if (map_add(&names, name, f->frames.len))
            vec_push(f->arena, &f->frames, (Frame){.name = name, .depth = 1, .loop_cond = -1});
        enter_frame[i] = (uint32_t)map_get(&names, name, 0);
        vec_push(f->arena, &f->frames.data[enter_frame[i]].enters, i);
        if (f->body->nodes[i].n_inputs != 1) return fail(f, i, "needs one input");
    }
    return true;
}

/* A node lies in the deepest frame that it takes anything from; a frame's parent is the deepest that its Enters take
   from. Parents are not known before all Enters were seen, so this goes round until nothing changes. */
static bool find_frames(Flow *f) {
    uint32_t n = f->body->n_nodes, source, *enter_frame = NEW_ARRAY(f->arena, uint32_t, n);
    f->frame = NEW_ARRAY(f->arena, uint32_t, n);
    if (!name_frames(f, enter_frame)) return false;
    bool changed = true;
    for (int pass = 0; changed; pass++) {
        if (pass == MAX_PASSES)
            return diag_unsupported(f->d, f->where, NULL, "loops are nested too deep, or in a circle");
        changed = false;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t i = f->order[k], frame = 0;
            FOR_EACH_SOURCE(f, i, source) {
                frame = deeper(f, flow_home(f, source), frame);
            }
            if (f->kind[i] == FLOW_ENTER) {
                Frame *own = &f->frames.data[enter_frame[i]];
                if (frame != enter_frame[i] && f->frames.data[frame].depth >= own->depth) {
                    own->parent = frame;
                    own->depth = f->frames.data[frame].depth + 1;
                    changed = true;
                } else if (frame != enter_frame[i] && f->frames.data[frame].depth + 1 == own->depth) {
                    changed |= own->parent != frame && own->parent == 0 && own->depth > 1;
                    own->parent = frame;
                }
                frame = enter_frame[i];
            }
            changed |= f->frame[i] != frame;
            f->frame[i] = frame;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        Frame *frame = &f->frames.data[f->frame[i]];
        if (f->kind[i] == FLOW_EXIT && f->body->nodes[i].n_inputs != 1) return fail(f, i, "needs one input");
        if (f->kind[i] == FLOW_EXIT && f->frame[i] == 0) return fail(f, i, "leaves a loop that was never entered");
        if (f->kind[i] == FLOW_EXIT) vec_push(f->arena, &frame->exits, i);
        if (f->kind[i] != FLOW_COND) continue;
        if (frame->loop_cond >= 0) return fail(f, i, "a loop with two conditions");
        if (f->body->nodes[i].n_inputs != 1) return fail(f, i, "needs one input");
        frame->loop_cond = i;
    }
    return true;
}

/* ---- conditions ---- */

static int compare_literals(const void *a, const void *b) {
    const Literal *x = a, *y = b;
    if (x->pred.node != y->pred.node) return x->pred.node < y->pred.node ? -1 : 1;
    if (x->pred.output != y->pred.output) return x->pred.output < y->pred.output ? -1 : 1;
    return x->branch < y->branch ? -1 : x->branch > y->branch;
}

static bool same_pred(const Literal *a, const Literal *b) {
    return a->pred.node == b->pred.node && a->pred.output == b->pred.output;
}

/* Number of the set of these literals: sorted here, doubles removed; CONDITION_NEVER when two contradict. */
static uint32_t intern(Flow *f, uint32_t n, Literal *literals) {
    qsort(literals, n, sizeof *literals, compare_literals);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept && same_pred(&literals[i], &literals[kept - 1])) {
            if (literals[i].branch != literals[kept - 1].branch) return CONDITION_NEVER;
            continue;
        }
        literals[kept++] = literals[i];
    }
    const MapEntry *e = map_find_bytes(&f->condition_index, literals, kept * sizeof *literals);
    if (e) return (uint32_t)e->value;
    uint32_t number = f->conditions.len;
    map_add_bytes(&f->condition_index, literals, kept * sizeof *literals, number);
    Condition c = {kept, arena_memdup(f->arena, literals, kept * sizeof *literals)};
    vec_push(f->arena, &f->conditions, c);
    return number;
}

/* Both conditions at once. */
static uint32_t both(Flow *f, uint32_t a, uint32_t b) {
    if (a == b || b == CONDITION_ALWAYS) return a;
    if (a == CONDITION_NEVER || b == CONDITION_NEVER) return CONDITION_NEVER;
    if (a == CONDITION_ALWAYS) return b;
    Literal all[2 * MAX_LITERALS];
    Condition x = f->conditions.data[a], y = f->conditions.data[b];
    if (x.n + y.n > 2 * MAX_LITERALS) return CONDITION_NEVER; /* reported by find_conditions */
    memcpy(all, x.literals, x.n * sizeof *all);
    memcpy(all + x.n, y.literals, y.n * sizeof *all);
    return intern(f, x.n + y.n, all);
}

uint32_t flow_condition_with(Flow *f, uint32_t base, Literal literal) {
    return both(f, base, intern(f, 1, &literal));
}

bool flow_condition_implied(const Flow *f, uint32_t a, uint32_t b) {
    if (a == b || a == CONDITION_ALWAYS) return true;
    if (a == CONDITION_NEVER || b == CONDITION_NEVER) return false;
    Condition x = f->conditions.data[a], y = f->conditions.data[b];
    uint32_t k = 0;
    for (uint32_t i = 0; i < x.n; i++) {
        while (k < y.n && compare_literals(&y.literals[k], &x.literals[i]) < 0) k++;
        if (k == y.n || compare_literals(&y.literals[k], &x.literals[i]) != 0) return false;
    }
    return true;
}

static bool is_loop_switch(const Flow *f, const TfNode *n) {
    return n->n_inputs == 2 && !(n->inputs[1].node & TF_ARG) && f->kind[n->inputs[1].node] == FLOW_COND;
}

static uint32_t switch_ways(const TfNode *n) {
    int64_t outputs = strcmp(n->op, "_SwitchN") == 0 ? tf_attr_int(n, "num_outs", 0) : 2;
    return outputs < 1 || outputs > 10000 ? 0 : (uint32_t)outputs;
}

TfInput flow_resolve(const Flow *f, TfInput v) {
    for (int i = 0; i < MAX_CHAIN && !(v.node & TF_ARG); i++) {
        const TfNode *n = &f->body->nodes[v.node];
        bool passes = f->kind[v.node] == FLOW_SWITCH || f->kind[v.node] == FLOW_ENTER || f->kind[v.node] == FLOW_NEXT ||
                      f->kind[v.node] == FLOW_COND;
        const MergeInfo *m = f->kind[v.node] == FLOW_MERGE ? &f->merge[v.node] : NULL;
        if (m && !m->is_loop_variable && m->ways == 0 && v.output == 0)
            v = n->inputs[m->only];
        else if (passes && n->n_inputs)
            v = n->inputs[0];
        else
            break;
    }
    return v;
}

bool flow_constant(const Flow *f, TfInput v, int64_t *out) {
    for (int i = 0; i < MAX_CHAIN; i++) {
        v = flow_resolve(f, v);
        if (v.node & TF_ARG) return false;
        const TfNode *n = &f->body->nodes[v.node];
        if (strcmp(n->op, "Const") == 0) {
            const TfAttr *a = tf_attr(n, "value");
            if (!a || a->kind != TF_ATTR_TENSOR || tensor_count(&a->v.tensor) != 1) return false;
            DType t = a->v.tensor.dtype;
            if (t != DTYPE_BOOL && !dtype_is_int(t)) return false;
            *out = tensor_get_i64(&a->v.tensor, 0);
            return true;
        }
        if (strcmp(n->op, "Identity") != 0 || n->n_inputs != 1) return false;
        v = n->inputs[0];
    }
    return false;
}

/* The predicate itself, behind the Identity that tf.cond puts before most of its Switches but not all. */
static TfInput resolve_pred(const Flow *f, TfInput v) {
    for (int i = 0; i < MAX_CHAIN; i++) {
        v = flow_resolve(f, v);
        if ((v.node & TF_ARG) || strcmp(f->body->nodes[v.node].op, "Identity") != 0 ||
            f->body->nodes[v.node].n_inputs != 1)
            break;
        v = f->body->nodes[v.node].inputs[0];
    }
    return v;
}

uint32_t flow_value_condition(Flow *f, TfInput v) {
    if (v.node & TF_ARG) return CONDITION_ALWAYS;
    uint32_t c = f->condition[v.node];
    const TfNode *n = &f->body->nodes[v.node];
    if (f->kind[v.node] != FLOW_SWITCH || n->n_inputs < 2) return c;
    if (is_loop_switch(f, n) && v.output == 1) return c; /* inside the loop */
    int64_t value;
    uint32_t ways = switch_ways(n);
    if (!is_loop_switch(f, n) && flow_constant(f, n->inputs[1], &value)) {
        if (ways > 2 && (value < 0 || value >= ways)) value = ways - 1; /* Case: the last branch is the default */
        return (uint32_t)(ways == 2 ? value != 0 : value) == v.output ? c : CONDITION_NEVER;
    }
    TfInput pred = is_loop_switch(f, n) ? n->inputs[1] : resolve_pred(f, n->inputs[1]);
    return flow_condition_with(f, c, (Literal){pred, v.output, ways});
}

/* ---- merges ---- */

static bool find_loop_variable(Flow *f, uint32_t i) {
    const TfNode *n = &f->body->nodes[i];
    MergeInfo *m = &f->merge[i];
    int64_t next = -1;
    for (uint32_t k = 0; k < n->n_inputs; k++)
        if (is_back_edge(f, i, n->inputs[k])) next = k;
    if (next < 0) return true;
    if (n->n_inputs != 2) return fail(f, i, "a loop variable with more than one way in");
    TfInput enter = n->inputs[1 - next], back = n->inputs[next];
    if ((enter.node & TF_ARG) || f->kind[enter.node] != FLOW_ENTER)
        return fail(f, i, "a loop variable that does not come in by an Enter");
    const TfNode *next_node = &f->body->nodes[back.node];
    if (next_node->n_inputs != 1) return fail(f, back.node, "needs one input");
    Frame *frame = &f->frames.data[f->frame[i]];
    if (f->frame[i] == 0 || f->frame[enter.node] != f->frame[i] || f->frame[back.node] != f->frame[i])
        return fail(f, i, "a loop variable whose inputs lie in different loops");
    *m = (MergeInfo){.is_loop_variable = true,
                     .loop_index = frame->loop_merges.len,
                     .initial = f->body->nodes[enter.node].inputs[0],
                     .next = next_node->inputs[0]};
    vec_push(f->arena, &frame->loop_merges, i);
    return true;
}

/* What the inputs of a Merge differ in: one literal each, all of the same predicate. Sets the condition of the Merge
 * itself. */
static bool find_branches(Flow *f, uint32_t i) {
    const TfNode *n = &f->body->nodes[i];
    MergeInfo *m = &f->merge[i];
    uint32_t alive = 0, last = 0, *conditions = NEW_ARRAY(f->arena, uint32_t, n->n_inputs);
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        conditions[k] = flow_value_condition(f, n->inputs[k]);
        if (conditions[k] != CONDITION_NEVER) alive++, last = k;
    }
    if (alive == 0) {
        f->condition[i] = CONDITION_NEVER;
        return true;
    }
    if (alive == 1) {
        *m = (MergeInfo){.only = last};
        f->condition[i] = conditions[last];
        return true;
    }
    if (alive != n->n_inputs) return fail(f, i, "joins branches of which some can never run");
    /* What they have in common is the Merge's own condition. */
    Condition first = f->conditions.data[conditions[0]];
    Literal common[MAX_LITERALS];
    uint32_t n_common = 0;
    for (uint32_t a = 0; a < first.n; a++) {
        bool in_all = true;
        for (uint32_t k = 1; k < n->n_inputs && in_all; k++) {
            Condition other = f->conditions.data[conditions[k]];
            bool found = false;
            for (uint32_t b = 0; b < other.n; b++)
                found |= compare_literals(&first.literals[a], &other.literals[b]) == 0;
            in_all = found;
        }
        if (in_all) common[n_common++] = first.literals[a];
    }
    f->condition[i] = intern(f, n_common, common);
    bool *arrives = NEW_ARRAY(f->arena, bool, n->n_inputs); /* by branch */
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        Condition c = f->conditions.data[conditions[k]];
        const Literal *own = NULL;
        uint32_t extra = 0;
        for (uint32_t b = 0; b < c.n; b++) {
            bool shared = false;
            for (uint32_t a = 0; a < n_common; a++) shared |= compare_literals(&c.literals[b], &common[a]) == 0;
            if (!shared) own = &c.literals[b], extra++;
        }
        if (extra != 1 || own->ways != n->n_inputs || own->branch >= own->ways || arrives[own->branch] ||
            (m->ways && (own->pred.node != m->pred.node || own->pred.output != m->pred.output)))
            return fail(f, i, "joins values that are not the branches of one condition");
        m->pred = own->pred;
        m->ways = own->ways;
        arrives[own->branch] = true;
    }
    return true;
}

static bool find_conditions(Flow *f) {
    uint32_t n = f->body->n_nodes, source;
    map_init(&f->condition_index, f->arena);
    intern(f, 0, (Literal[1]){{{0, 0}, 0, 0}});
    vec_push(f->arena, &f->conditions, (Condition){0, NULL}); /* CONDITION_NEVER, never looked up */
    f->condition = NEW_ARRAY(f->arena, uint32_t, n);
    f->merge = NEW_ARRAY(f->arena, MergeInfo, n);
    for (uint32_t i = 0; i < n; i++)
        if (f->kind[i] == FLOW_MERGE && !find_loop_variable(f, i)) return false;
    for (uint32_t at = 0; at < n; at++) {
        uint32_t i = f->order[at], c = CONDITION_ALWAYS;
        const TfNode *node = &f->body->nodes[i];
        if (f->kind[i] == FLOW_SWITCH && (node->n_inputs != 2 || switch_ways(node) == 0))
            return fail(f, i, "needs a value and a condition");
        if (f->kind[i] == FLOW_MERGE && !f->merge[i].is_loop_variable) {
            if (node->n_inputs == 0) return fail(f, i, "needs an input");
            if (!find_branches(f, i)) return false;
            continue;
        }
        if (f->kind[i] == FLOW_ENTER || f->merge[i].is_loop_variable)
            continue;                  /* a frame's own conditions begin afresh */
        if (f->kind[i] == FLOW_EXIT) { /* runs when its loop does, which is when all that enters it is there */
            const Frame *frame = &f->frames.data[f->frame[i]];
            for (uint32_t k = 0; k < frame->enters.len; k++) {
                TfInput in = f->body->nodes[frame->enters.data[k]].inputs[0];
                if (!(in.node & TF_ARG) && flow_home(f, in.node) == frame->parent)
                    c = both(f, c, flow_value_condition(f, in));
            }
        } else {
            FOR_EACH_SOURCE(f, i, source) {
                if (flow_home(f, source) != f->frame[i]) continue;
                /* A control edge from a Switch itself says nothing about a branch; TensorFlow hangs them on an Identity
                 * of the output. */
                c = both(f, c,
                         edge_ < node->n_inputs ? flow_value_condition(f, node->inputs[edge_]) : f->condition[source]);
            }
        }
        if (f->conditions.data[c].n > MAX_LITERALS / 2) return fail(f, i, "conditions are nested too deep");
        f->condition[i] = c;
    }
    return true;
}

/* ---- groups ---- */

/* Merges of one predicate in one place become one If, unless one depends on the other by way of something outside the
 * branches. */
static void find_groups(Flow *f) {
    uint32_t n = f->body->n_nodes, source;
    Map index; /* frame, condition, predicate → number of the first merge's list */
    map_init(&index, f->arena);
    VEC(List) lists = {0};
    for (uint32_t at = 0; at < n; at++) {
        uint32_t i = f->order[at];
        const MergeInfo *m = &f->merge[i];
        if (f->kind[i] != FLOW_MERGE || m->is_loop_variable || m->ways == 0 || f->condition[i] == CONDITION_NEVER)
            continue;
        uint32_t key[] = {f->frame[i], f->condition[i], m->pred.node, m->pred.output};
        if (map_add_bytes(&index, key, sizeof key, lists.len)) vec_push(f->arena, &lists, (List){0});
        vec_push(f->arena, &lists.data[map_find_bytes(&index, key, sizeof key)->value], i);
    }
    uint32_t *level =
        NEW_ARRAY(f->arena, uint32_t, n); /* how many merges of the list lie one behind the other before a node */
    bool *member = NEW_ARRAY(f->arena, bool, n);
    for (uint32_t k = 0; k < lists.len; k++) {
        const List *list = &lists.data[k];
        uint32_t from = f->position[list->data[0]], to = f->position[list->data[list->len - 1]], deepest = 0;
        for (uint32_t j = 0; j < list->len; j++) member[list->data[j]] = true;
        for (uint32_t at = from; at <= to; at++) {
            uint32_t i = f->order[at];
            level[i] = 0;
            FOR_EACH_SOURCE(f, i, source) if (f->position[source] >= from) {
                uint32_t behind = level[source] + member[source];
                if (behind > level[i]) level[i] = behind;
            }
            if (member[i] && level[i] > deepest) deepest = level[i];
        }
        for (uint32_t j = 0; j < list->len; j++) {
            f->merge[list->data[j]].group = f->n_groups + level[list->data[j]];
            member[list->data[j]] = false;
        }
        f->n_groups += deepest + 1;
    }
}

bool flow_analyse(Flow *f, Arena *arena, const TfBody *body, const char *where, Diag *d) {
    *f = (Flow){.arena = arena, .body = body, .where = where, .d = d};
    f->kind = NEW_ARRAY(arena, FlowKind, body->n_nodes);
    for (uint32_t i = 0; i < body->n_nodes; i++) f->kind[i] = kind_of(body->nodes[i].op);
    if (!find_order(f) || !find_frames(f) || !find_order(f) || !find_conditions(f)) return false;
    find_groups(f);
    return find_order(f);
}
