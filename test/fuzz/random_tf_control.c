/* random_tf_control: functions, branches and loops of TensorFlow graphs, as functional ops and as TensorFlow 1 wrote
   them: Switch, Merge and frames. A body is made like a graph of its own, whose placeholders become the arguments. */
#include "random_tf_control.h"

#include <string.h>

enum { MOST_STATES = 4, MOST_RESULTS = 3 };

/* ---- functions */

TfMaker *tf_begin_body(TfMaker *m, uint32_t n, const TfTensor *arguments) {
    TfMaker *inner = NEW(m->arena, TfMaker);
    *inner = (TfMaker){.w = m->w, .r = m->r, .arena = m->arena, .outer = m, .depth = m->depth + 1};
    inner->tf = (TfGraph){.arena = m->arena, .file = "random", .signature = "", .producer = 2000};
    map_init(&inner->tf.main.index, m->arena);
    map_init(&inner->tf.variables, m->arena);
    map_init(&inner->tf.tables, m->arena);
    map_init(&inner->tf.assets, m->arena);
    for (uint32_t i = 0; i < n; i++)
        if (tf_argument(inner, &arguments[i]).rank < 0) return NULL;
    return inner;
}

void tf_add_arguments(TfArguments *all, const TfMaker *inner, uint32_t from) {
    for (uint32_t i = from; i < inner->arguments.len && all->n < TF_MOST_ARGUMENTS; i++) {
        all->at[all->n] = inner->arguments.data[i].at;
        all->dtypes[all->n++] = inner->arguments.data[i].dtype;
    }
}

const char *tf_end_body(TfMaker *inner, const TfArguments *all, uint32_t n_own, uint32_t rest, uint32_t n_results,
                        const TfInput *results, const DType *types) {
    TfMaker *root = tf_root(inner);
    Arena *a = inner->arena;
    TfFunction f = {.name = arena_printf(a, "f%u", root->functions.len), .n_args = all->n, .n_results = n_results};
    f.body = (TfBody){.nodes = inner->nodes.data, .n_nodes = inner->nodes.len, .index = inner->tf.main.index};
    f.arg_names = NEW_ARRAY(a, const char *, all->n + 1);
    f.arg_types = arena_memdup(a, all->dtypes, sizeof all->dtypes);
    for (uint32_t i = 0; i < all->n; i++) f.arg_names[i] = arena_printf(a, "a%u", i);
    f.result_names = NEW_ARRAY(a, const char *, n_results + 1);
    f.results = arena_memdup(a, results, (n_results + 1) * sizeof *results);
    for (uint32_t i = 0; i < n_results; i++) f.result_names[i] = arena_printf(a, "r%u", i);
    uint32_t *place = NEW_ARRAY(a, uint32_t, f.body.n_nodes + 1);
    for (uint32_t i = 0; i < inner->holders.len; i++)
        place[inner->holders.data[i]] = 1 + (i < n_own ? i : i - n_own + rest);
    for (uint32_t i = 0; i < f.body.n_nodes; i++) {
        TfNode *n = &f.body.nodes[i];
        for (uint32_t k = 0; k < n->n_inputs; k++)
            if (!(n->inputs[k].node & TF_ARG) && place[n->inputs[k].node])
                n->inputs[k] = (TfInput){TF_ARG | (place[n->inputs[k].node] - 1), 0};
    }
    for (uint32_t i = 0; i < n_results; i++)
        if (!(results[i].node & TF_ARG) && place[results[i].node])
            f.results[i] = (TfInput){TF_ARG | (place[results[i].node] - 1), 0};
    for (uint32_t i = 0; i < inner->holders.len; i++) {
        TfNode *n = &f.body.nodes[inner->holders.data[i]];
        n->op = "NoOp";
        n->n_attrs = 0;
    }
    vec_push(root->arena, &root->functions, f);
    vec_push(root->arena, &root->result_types, arena_memdup(a, types, (n_results + 1) * sizeof *types));
    return f.name;
}

TfAttr tf_of_dtypes(TfMaker *m, const char *name, uint32_t n, const DType *dtypes) {
    int64_t *types = NEW_ARRAY(m->arena, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = dtype_info(dtypes[i])->tf;
    return (TfAttr){.name = name, .kind = TF_ATTR_LIST_TYPE, .n = n, .v.ints = types};
}

static const TfFunction *function_of(TfMaker *m, const TfNode *n, const char *attr) {
    const TfMaker *root = tf_root(m);
    const TfAttr *a = tf_attr(n, attr);
    for (uint32_t i = 0; a && i < root->functions.len; i++)
        if (strcmp(root->functions.data[i].name, a->v.s) == 0) return &root->functions.data[i];
    BUG("no function '%s'", attr);
}

/* ---- TensorFlow 1's form: bodies become part of the graph */

static void inline_body(TfMaker *m, const TfFunction *f, const TfInput *arguments, uint32_t pivot, TfInput *results);

static uint32_t push_of_type(TfMaker *m, const char *op, uint32_t n, const TfInput *in, DType t) {
    TfAttr a[] = {tf_of_type("T", t), tf_of_int("N", n)};
    return tf_push(m, op, n, in, strcmp(op, "Merge") == 0 ? 2 : 1, a);
}

static void run_after(TfMaker *m, uint32_t number, uint32_t pivot) {
    m->nodes.data[number].controls = arena_memdup(m->arena, &pivot, sizeof pivot);
    m->nodes.data[number].n_controls = 1;
}

/* Whether a value is there in every turn, those after the last one included. */
static bool is_invariant(const TfMaker *m, TfInput in) {
    const TfNode *n = &m->nodes.data[in.node];
    return strcmp(n->op, "Enter") == 0 && tf_attr_int(n, "is_constant", 0);
}

static void lower_if(TfMaker *m, const TfNode *n, TfInput pick, const TfInput *in, TfInput *out) {
    const TfFunction then = *function_of(m, n, "then_branch"), other = *function_of(m, n, "else_branch");
    TfInput yes[TF_MOST_ARGUMENTS], no[TF_MOST_ARGUMENTS], a[MOST_RESULTS], b[MOST_RESULTS];
    uint32_t root = push_of_type(m, "Switch", 2, (TfInput[]){pick, pick}, DTYPE_BOOL);
    uint32_t on = push_of_type(m, "Identity", 1, &(TfInput){root, 1}, DTYPE_BOOL),
             off = push_of_type(m, "Identity", 1, &(TfInput){root, 0}, DTYPE_BOOL);
    for (uint32_t i = 0; i < then.n_args; i++) {
        uint32_t s = push_of_type(m, "Switch", 2, (TfInput[]){in[i], pick}, then.arg_types[i]);
        no[i] = (TfInput){s, 0};
        yes[i] = (TfInput){s, 1};
    }
    inline_body(m, &then, yes, on, a);
    inline_body(m, &other, no, off, b);
    const TfAttr *types = tf_attr(n, "Tout");
    for (uint32_t i = 0; i < then.n_results; i++)
        out[i] =
            (TfInput){push_of_type(m, "Merge", 2, (TfInput[]){b[i], a[i]}, dtype_from_tf((int)types->v.ints[i])), 0};
}

static void lower_while(TfMaker *m, const TfNode *n, const TfInput *in, TfInput *out) {
    const TfFunction condition = *function_of(m, n, "cond"), body = *function_of(m, n, "body");
    TfMaker *root = tf_root(m);
    TfInput at[TF_MOST_ARGUMENTS], next[TF_MOST_ARGUMENTS], test;
    uint32_t merges[TF_MOST_ARGUMENTS] = {0}, switches[TF_MOST_ARGUMENTS] = {0};
    const char *frame = arena_printf(m->arena, "frame%u", root->n_frames++);
    for (uint32_t i = 0; i < body.n_args; i++) {
        DType t = body.arg_types[i];
        bool constant = body.results[i].node == (TF_ARG | i) && i > 0;
        TfAttr a[] = {tf_of_type("T", t), tf_of_string("frame_name", frame), tf_of_bool("is_constant", constant),
                      tf_of_int("parallel_iterations", 10)};
        at[i] = (TfInput){tf_push(m, "Enter", 1, &in[i], 4, a), 0};
        merges[i] = constant ? UINT32_MAX : push_of_type(m, "Merge", 2, (TfInput[]){at[i], at[i]}, t);
        if (!constant) at[i] = (TfInput){merges[i], 0};
    }
    inline_body(m, &condition, at, merges[0], &test);
    uint32_t go = tf_push(m, "LoopCond", 1, &test, 0, NULL);
    for (uint32_t i = 0; i < body.n_args; i++) {
        out[i] = in[i];
        if (merges[i] == UINT32_MAX) continue;
        switches[i] = push_of_type(m, "Switch", 2, (TfInput[]){{merges[i], 0}, {go, 0}}, body.arg_types[i]);
        at[i] = (TfInput){switches[i], 1};
        out[i] = (TfInput){push_of_type(m, "Exit", 1, &(TfInput){switches[i], 0}, body.arg_types[i]), 0};
    }
    uint32_t pivot = push_of_type(m, "Identity", 1, &at[0], DTYPE_S32);
    inline_body(m, &body, at, pivot, next);
    for (uint32_t i = 0; i < body.n_args; i++)
        if (merges[i] != UINT32_MAX && is_invariant(m, next[i])) {
            next[i] = (TfInput){push_of_type(m, "Identity", 1, &next[i], body.arg_types[i]), 0};
            run_after(m, next[i].node, pivot);
        }
    for (uint32_t i = 0; i < body.n_args; i++)
        if (merges[i] != UINT32_MAX)
            m->nodes.data[merges[i]].inputs[1] =
                (TfInput){push_of_type(m, "NextIteration", 1, &next[i], body.arg_types[i]), 0};
}

/* Nodes that nothing of their branch or turn leads to run after `pivot`, which does. */
static void inline_body(TfMaker *m, const TfFunction *f, const TfInput *arguments, uint32_t pivot, TfInput *results) {
    TfInput **made = NEW_ARRAY(m->arena, TfInput *, f->body.n_nodes + 1);
    for (uint32_t i = 0; i < f->body.n_nodes; i++) {
        const TfNode n = f->body.nodes[i];
        if (strcmp(n.op, "NoOp") == 0) continue;
        TfInput *in = NEW_ARRAY(m->arena, TfInput, n.n_inputs + 1);
        uint32_t n_out = tf_output_count(&n);
        made[i] = NEW_ARRAY(m->arena, TfInput, n_out + 1);
        for (uint32_t k = 0; k < n.n_inputs; k++) {
            TfInput from = n.inputs[k];
            in[k] = from.node & TF_ARG ? arguments[from.node & ~TF_ARG] : made[from.node][from.output];
        }
        if (strcmp(n.op, "While") == 0 && random_chance(m->r, 60)) {
            lower_while(m, &n, in, made[i]);
            continue;
        }
        if (strcmp(n.op, "If") == 0 && random_chance(m->r, 60)) {
            lower_if(m, &n, in[0], in + 1, made[i]);
            continue;
        }
        uint32_t number = tf_push(m, n.op, n.n_inputs, in, n.n_attrs, n.attrs);
        bool waits = true;
        for (uint32_t k = 0; k < n.n_inputs; k++) waits = waits && is_invariant(m, in[k]);
        if (waits) run_after(m, number, pivot);
        for (uint32_t k = 0; k < n_out; k++) made[i][k] = (TfInput){number, k};
    }
    for (uint32_t i = 0; i < f->n_results; i++) {
        TfInput from = f->results[i];
        results[i] = from.node & TF_ARG ? arguments[from.node & ~TF_ARG] : made[from.node][from.output];
    }
}

void tf_place(TfMaker *m, const char *op, const TfInput *in, uint32_t n_in, uint32_t n_attrs, const TfAttr *attrs,
              int lowered, TfInput *out) {
    uint32_t number = tf_push(m, op, n_in, in, n_attrs, attrs), n = tf_output_count(&m->nodes.data[number]);
    for (uint32_t i = 0; i < n && i < TF_MOST_ARGUMENTS; i++) out[i] = (TfInput){number, i};
    bool can = strcmp(op, "While") == 0 || strcmp(op, "If") == 0;
    if (!can || m->outer || !random_chance(m->r, lowered)) return;
    TfNode node = m->nodes.data[number];
    tf_take_back(m, number);
    m->n_frames++;
    if (op[0] == 'W')
        lower_while(m, &node, node.inputs, out);
    else
        lower_if(m, &node, node.inputs[0], node.inputs + 1, out);
}

/* The node's results into the pool. */
static bool finish(TfMaker *m, const char *op, const TfInput *in, uint32_t n_in, uint32_t n_attrs, const TfAttr *attrs,
                   uint32_t skip, uint32_t n_results, bool may_lower) {
    TfInput out[TF_MOST_ARGUMENTS];
    TfTensor results[TF_MOST_ARGUMENTS] = {0};
    uint32_t first = m->nodes.len, frames = m->n_frames;
    tf_place(m, op, in, n_in, n_attrs, attrs, may_lower ? 50 : 0, out);
    if (n_results <= skip || !tf_evaluate(m, n_results - skip, out + skip, results)) {
        tf_take_back(m, first);
        m->n_frames = frames;
        return false;
    }
    for (uint32_t i = 0; i < n_results - skip; i++) tf_keep(m, results[i], op);
    return true;
}

/* ---- makers */

static TfTensor latest(TfMaker *m, const char *classes) {
    return tf_pick(m, classes, 0, 5);
}

static TfTensor scalar_bool(TfMaker *m) {
    TfTensor scalar = {.rank = 0};
    return tf_like(m, DTYPE_BOOL, &scalar, false);
}

static uint32_t pick_arguments(TfMaker *m, TfTensor *out, uint32_t most) {
    uint32_t n = (uint32_t)random_between(m->r, 1, most);
    for (uint32_t i = 0; i < n; i++) out[i] = tf_pick(m, "FIUBFIUBFS", 0, 4);
    return n;
}

/* Branches of If and Case, or one called function. */
static bool branches(TfMaker *m, const char *op, const TfTensor *selector, uint32_t n_branches) {
    TfTensor own[MOST_STATES], wanted[MOST_RESULTS];
    TfInput results[4][MOST_RESULTS + 1];
    TfMaker *bodies[4];
    TfArguments all = {.n = 0};
    uint32_t n = pick_arguments(m, own, MOST_STATES), n_results = (uint32_t)random_between(m->r, 1, MOST_RESULTS),
             rest[4];
    DType types[MOST_RESULTS + 1] = {0};
    for (uint32_t i = 0; i < n_branches; i++) {
        bodies[i] = tf_begin_body(m, n, own);
        if (!bodies[i]) return false;
        tf_fill(bodies[i], (int)random_between(m->r, 1, 4));
        for (uint32_t k = 0; k < n_results; k++) {
            TfTensor t = i == 0                    ? latest(bodies[i], "FIUBFIUBS")
                         : random_chance(m->r, 85) ? tf_like(bodies[i], types[k], &wanted[k], false)
                                                   : latest(bodies[i], (char[]){dtype_letter(types[k]), 0});
            if (t.rank < 0 || (i > 0 && t.dtype != types[k])) return false;
            if (i == 0) wanted[k] = t, types[k] = t.dtype;
            results[i][k] = t.at;
        }
        if (i == 0) tf_add_arguments(&all, bodies[i], 0);
        rest[i] = i == 0 ? n : all.n;
        if (i > 0) tf_add_arguments(&all, bodies[i], n);
    }
    if (all.n + 2 > TF_MOST_ARGUMENTS) return false;
    const char *names[4];
    for (uint32_t i = 0; i < n_branches; i++)
        names[i] = tf_end_body(bodies[i], &all, n, rest[i], n_results, results[i], types);
    TfInput in[TF_MOST_ARGUMENTS + 1];
    uint32_t n_in = 0;
    if (selector) in[n_in++] = selector->at;
    for (uint32_t i = 0; i < all.n; i++) in[n_in++] = all.at[i];
    TfAttr a[6] = {tf_of_dtypes(m, "Tin", all.n, all.dtypes), tf_of_dtypes(m, "Tout", n_results, types)};
    uint32_t n_attrs = 2;
    if (strstr(op, "If")) {
        a[n_attrs++] = tf_of_type("Tcond", selector->dtype);
        a[n_attrs++] = tf_of_function("then_branch", names[0]);
        a[n_attrs++] = tf_of_function("else_branch", names[1]);
    } else if (strstr(op, "Case")) {
        StringElement *list = NEW_ARRAY(m->arena, StringElement, 4);
        for (uint32_t i = 0; i < n_branches; i++) list[i] = (StringElement){names[i], strlen(names[i])};
        a[n_attrs++] = (TfAttr){.name = "branches", .kind = TF_ATTR_LIST_FUNC, .n = n_branches, .v.strings = list};
    } else {
        a[n_attrs++] = tf_of_function("f", names[0]);
    }
    return finish(m, op, in, n_in, n_attrs, a, 0, n_results, strcmp(op, "If") == 0 && selector->dtype == DTYPE_BOOL);
}

bool tf_make_if(TfMaker *m, const TfRow *row) {
    TfTensor scalar = {.rank = 0};
    if (m->depth >= TF_MOST_DEPTH) return false;
    TfTensor selector = random_chance(m->r, 85)   ? scalar_bool(m)
                        : random_chance(m->r, 50) ? tf_like(m, DTYPE_S32, &scalar, false)
                                                  : tf_pick(m, "FIB", 0, 2);
    return selector.rank >= 0 && branches(m, row->op, &selector, 2);
}

bool tf_make_case(TfMaker *m, const TfRow *row) {
    TfTensor scalar = {.rank = 0};
    if (m->depth >= TF_MOST_DEPTH) return false;
    TfTensor selector = tf_like(m, DTYPE_S32, &scalar, false);
    return selector.rank >= 0 && branches(m, row->op, &selector, (uint32_t)random_between(m->r, 1, 4));
}

bool tf_make_partitioned_call(TfMaker *m, const TfRow *row) {
    if (m->depth >= TF_MOST_DEPTH || strcmp(row->op, "BatchFunction") == 0) return false;
    return branches(m, row->op, NULL, 1);
}

static bool condition_of(TfMaker *inner, TfInput *out) {
    TfTensor both[2] = {inner->pool.data[0], {.rank = -1}};
    int64_t limit = random_between(inner->r, 0, 4);
    both[1] = tf_ints(inner, DTYPE_S32, 0, 1, &limit);
    TfAttr a = tf_of_type("T", DTYPE_S32);
    if (!tf_add(inner, "Less", 2, both, 1, &a)) return false;
    TfTensor less = inner->pool.data[inner->pool.len - 1];
    if (random_chance(inner->r, 20)) { /* and something has not grown too far: scalars whatever becomes of it */
        TfTensor x = inner->pool.data[random_below(inner->r, inner->pool.len)], two[2];
        int64_t most = random_between(inner->r, 1, 40);
        TfAttr of[] = {tf_type_of(&x), tf_of_type("out_type", DTYPE_S32)};
        if (!tf_add(inner, "Size", 1, &x, 2, of)) return false;
        two[0] = inner->pool.data[inner->pool.len - 1];
        two[1] = tf_ints(inner, DTYPE_S32, 0, 1, &most);
        if (!tf_add(inner, "Less", 2, two, 1, &a)) return false;
        two[0] = inner->pool.data[inner->pool.len - 1];
        two[1] = less;
        if (!tf_add(inner, "LogicalAnd", 2, two, 0, NULL)) return false;
        less = inner->pool.data[inner->pool.len - 1];
    }
    *out = less.at;
    return true;
}

/* A loop with a counter. States keep their sizes mostly; those that grow are other values of their type. */
bool tf_make_while(TfMaker *m, const TfRow *row) {
    TfTensor own[MOST_STATES + 1];
    TfInput results[TF_MOST_ARGUMENTS + 1], test[2] = {0};
    if (m->depth >= TF_MOST_DEPTH) return false;
    static const DType test_type[] = {DTYPE_BOOL, DTYPE_NONE};
    int64_t zero = 0;
    own[0] = tf_ints(m, DTYPE_S32, 0, 1, &zero);
    uint32_t n = 1 + pick_arguments(m, own + 1, MOST_STATES);
    TfMaker *condition = tf_begin_body(m, n, own), *body = tf_begin_body(m, n, own);
    if (!condition || !body || !condition_of(condition, test)) return false;
    int64_t one = 1;
    TfTensor step[2] = {body->pool.data[0], tf_ints(body, DTYPE_S32, 0, 1, &one)};
    TfAttr type = tf_of_type("T", DTYPE_S32);
    if (!tf_add(body, "AddV2", 2, step, 1, &type)) return false;
    results[0] = body->pool.data[body->pool.len - 1].at;
    tf_fill(body, (int)random_between(m->r, 1, 5));
    for (uint32_t i = 1; i < n; i++) {
        TfTensor t = random_chance(m->r, 85) ? tf_like(body, own[i].dtype, &own[i], false)
                                             : tf_pick(body, (char[]){dtype_letter(own[i].dtype), 0}, 0, 5);
        if (t.rank < 0 || t.dtype != own[i].dtype) return false;
        results[i] = t.at;
    }
    TfArguments all = {.n = 0};
    tf_add_arguments(&all, condition, 0);
    uint32_t rest = all.n;
    tf_add_arguments(&all, body, n);
    if (all.n + 1 > TF_MOST_ARGUMENTS) return false;
    for (uint32_t i = n; i < all.n; i++) results[i] = (TfInput){TF_ARG | i, 0};
    TfAttr a[] = {tf_of_dtypes(m, "T", all.n, all.dtypes),
                  tf_of_function("cond", tf_end_body(condition, &all, n, n, 1, test, test_type)),
                  tf_of_function("body", tf_end_body(body, &all, n, rest, all.n, results, all.dtypes)),
                  tf_of_int("parallel_iterations", 10)};
    return finish(m, row->op, all.at, all.n, 4, a, (uint32_t)random_below(m->r, 2), n, strcmp(row->op, "While") == 0);
}
