/* random_tf: see random_tf.h. */
#include "random_tf.h"
#include "ref/ref.h"

#include <math.h>
#include <string.h>

static const TfRow rows[] = {
#define TFOP(name, fn, min_inputs, arg, text) {name, #fn, false, NULL},
#include "frontend/tf_ops.def"
#undef TFOP
#define HOSTOP(name, results, infer, fn, family) {name, #infer " " #family, true, NULL},
#include "runtime/hostops/hostops.def"
#undef HOSTOP
};

/* ---- attributes */

TfAttr tf_of_type(const char *name, DType t) {
    return (TfAttr){.name = name, .kind = TF_ATTR_TYPE, .v.i = dtype_info(t)->tf};
}
TfAttr tf_of_int(const char *name, int64_t v) {
    return (TfAttr){.name = name, .kind = TF_ATTR_INT, .v.i = v};
}
TfAttr tf_of_bool(const char *name, bool v) {
    return (TfAttr){.name = name, .kind = TF_ATTR_BOOL, .v.i = v};
}
TfAttr tf_of_float(const char *name, double v) {
    return (TfAttr){.name = name, .kind = TF_ATTR_FLOAT, .v.f = v};
}
TfAttr tf_of_string(const char *name, const char *v) {
    return (TfAttr){.name = name, .kind = TF_ATTR_STRING, .n = (uint32_t)strlen(v), .v.s = v};
}
TfAttr tf_of_ints(TfMaker *m, const char *name, uint32_t n, const int64_t *v) {
    return (TfAttr){.name = name, .kind = TF_ATTR_LIST_INT, .n = n, .v.ints = arena_memdup(m->arena, v, n * sizeof *v)};
}
TfAttr tf_of_types(TfMaker *m, const char *name, uint32_t n, DType t) {
    int64_t *types = NEW_ARRAY(m->arena, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = dtype_info(t)->tf;
    return (TfAttr){.name = name, .kind = TF_ATTR_LIST_TYPE, .n = n, .v.ints = types};
}

/* ---- nodes */

static uint32_t push_node(TfMaker *m, const char *op, uint32_t n_inputs, const TfTensor *inputs, uint32_t n_attrs,
                          const TfAttr *attrs) {
    TfInput *in = NEW_ARRAY(m->arena, TfInput, n_inputs + 1);
    for (uint32_t i = 0; i < n_inputs; i++) in[i] = inputs[i].at;
    uint32_t number = m->nodes.len;
    TfNode n = {.name = arena_printf(m->arena, "n%u", number),
                .op = op,
                .device = "",
                .inputs = in,
                .n_inputs = n_inputs,
                .attrs = arena_memdup(m->arena, attrs, n_attrs * sizeof *attrs),
                .n_attrs = n_attrs};
    vec_push(m->arena, &m->nodes, n);
    map_add(&m->tf.main.index, n.name, number);
    return number;
}

static Graph *import_nodes(TfMaker *m, uint32_t n_outputs, const char *const *outputs, Arena *arena) {
    Diag d;
    diag_init(&d, arena, NULL);
    m->tf.main.nodes = m->nodes.data;
    m->tf.main.n_nodes = m->nodes.len;
    m->tf.arena = arena;
    ImportOptions o = {.outputs = outputs, .n_outputs = n_outputs};
    Graph *g = import_graph(arena, &m->tf, &o, &d);
    return d.n_errors ? NULL : g;
}

/* The graph's inputs, by their names. */
static Tensor *inputs_of(const TfMaker *m, const Graph *g, int binding, Arena *arena) {
    Tensor *inputs = NEW_ARRAY(arena, Tensor, g->inputs.len + 1);
    for (uint32_t i = 0; i < g->inputs.len; i++)
        for (uint32_t k = 0; k < m->names.len; k++)
            if (strcmp(g->inputs.data[i].name, m->names.data[k]) == 0) inputs[i] = m->inputs[binding].data[k];
    return inputs;
}

static double largest_of(const Tensor *t) {
    double most = 0;
    for (int64_t i = dtype_is_float(t->dtype) || dtype_is_int(t->dtype) ? tensor_count(t) : 0; i-- > 0;) {
        double x = fabs(tensor_get_f64(t, i));
        if (isfinite(x) && x > most) most = x;
    }
    return most;
}

/* What node `number` gives, found by running the graph so far. */
static uint32_t evaluate(TfMaker *m, uint32_t number, uint32_t n_outputs, TfTensor *out) {
    Arena *arena = arena_new();
    const char *names[16];
    Diag d;
    diag_init(&d, arena, NULL);
    if (n_outputs > ARRAY_LEN(names)) n_outputs = ARRAY_LEN(names);
    for (uint32_t i = 0; i < n_outputs; i++) names[i] = arena_printf(arena, "n%u:%u", number, i);
    Graph *g = import_nodes(m, n_outputs, names, arena);
    bool good = g && g->outputs.len == n_outputs;
    for (int b = 0; b < N_BINDINGS && good; b++) {
        Tensor *results = NEW_ARRAY(arena, Tensor, n_outputs + 1);
        RefSession *s = ref_open(g);
        good = ref_run(s, inputs_of(m, g, b, arena), results, arena, &d);
        ref_close(s);
        for (uint32_t i = 0; i < n_outputs && good; i++) {
            const Tensor *t = &results[i];
            const Shape *shape = &value_at(g, region_at(g, g->root)->results.data[i])->shape;
            out[i].at = (TfInput){number, i};
            out[i].dtype = t->dtype;
            out[i].rank = t->rank;
            out[i].largest = b && out[i].largest > largest_of(t) ? out[i].largest : largest_of(t);
            memcpy(out[i].sizes[b], t->dims, sizeof t->dims);
            for (int k = 0; k < t->rank; k++) out[i].known[k] = dim_is_const(shape->dims[k]);
            good = t->rank <= 7 && tensor_count(t) <= m->w->largest && t->dtype != DTYPE_RESOURCE &&
                   t->dtype != DTYPE_VARIANT;
        }
    }
    arena_free(arena);
    return good ? n_outputs : 0;
}

bool tf_add(TfMaker *m, const char *op, uint32_t n_inputs, const TfTensor *inputs, uint32_t n_attrs,
            const TfAttr *attrs) {
    TfTensor results[16];
    for (uint32_t i = 0; i < n_inputs; i++)
        if (inputs[i].rank < 0) return false;
    uint32_t number = push_node(m, op, n_inputs, inputs, n_attrs, attrs);
    uint32_t n = evaluate(m, number, tf_output_count(&m->nodes.data[number]), results);
    if (!n) { /* stays in the graph, but nobody will ask for it */
        m->nodes.data[number].n_inputs = 0;
        m->nodes.data[number].op = "NoOp";
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        TfTensor t = results[i];
        double limit = t.dtype == DTYPE_F16 ? 100 : 3e3;
        if (dtype_is_float(t.dtype) && t.largest > limit && strcmp(op, "Tanh") != 0) {
            TfAttr type = tf_of_type("T", t.dtype);
            (void)tf_add(m, "Tanh", 1, &t, 1, &type);
        } else {
            vec_push(m->arena, &m->pool, t);
        }
    }
    return true;
}

/* ---- leaves */

TfTensor tf_constant(TfMaker *m, const Tensor *t) {
    TfAttr attrs[] = {tf_of_type("dtype", t->dtype), {.name = "value", .kind = TF_ATTR_TENSOR, .v.tensor = *t}};
    TfTensor out = {.dtype = t->dtype, .rank = t->rank, .largest = largest_of(t)};
    for (int b = 0; b < N_BINDINGS; b++) memcpy(out.sizes[b], t->dims, sizeof t->dims);
    for (int k = 0; k < t->rank; k++) out.known[k] = true;
    out.at = (TfInput){push_node(m, "Const", 0, NULL, 2, attrs), 0};
    return out;
}

TfTensor tf_ints(TfMaker *m, DType dtype, int rank, int64_t n, const int64_t *values) {
    Tensor t = tensor_new(m->arena, dtype, rank, &n);
    for (int64_t i = 0; i < n; i++) tensor_set_i64(&t, i, values[i]);
    return tf_constant(m, &t);
}

static TfTensor placeholder(TfMaker *m, DType dtype, int rank, const int64_t (*sizes)[MAX_RANK], const bool *known,
                            Fill fill) {
    TfTensor out = {.dtype = dtype, .rank = rank};
    TfShape shape = {.rank = rank};
    for (int k = 0; k < rank; k++) {
        shape.dims[k] = known[k] ? sizes[0][k] : -1;
        out.known[k] = known[k];
    }
    TfAttr attrs[] = {tf_of_type("dtype", dtype), {.name = "shape", .kind = TF_ATTR_SHAPE, .v.shape = shape}};
    out.at = (TfInput){push_node(m, "Placeholder", 0, NULL, 2, attrs), 0};
    vec_push(m->arena, &m->names, m->nodes.data[out.at.node].name);
    for (int b = 0; b < N_BINDINGS; b++) {
        memcpy(out.sizes[b], sizes[b], sizeof out.sizes[b]);
        Tensor t = random_tensor(m->arena, m->r, dtype, rank, sizes[b], fill, 0, false);
        out.largest = fmax(out.largest, largest_of(&t));
        vec_push(m->arena, &m->inputs[b], t);
    }
    return out;
}

TfTensor tf_leaf(TfMaker *m, DType dtype, int rank, const int64_t (*sizes)[MAX_RANK], const bool *known) {
    Fill fill = !dtype_is_float(dtype) ? FILL_SMALL_INTEGERS : (Fill)random_below(m->r, 3);
    bool constant = true;
    for (int k = 0; k < rank; k++) constant = constant && sizes[0][k] == sizes[1][k];
    TfTensor out;
    if (constant && (random_chance(m->r, 35) || m->names.len >= MOST_INPUTS)) {
        Tensor t = random_tensor(m->arena, m->r, dtype, rank, sizes[0], fill, 0, false);
        out = tf_constant(m, &t);
    } else {
        out = placeholder(m, dtype, rank, sizes, known, fill);
    }
    vec_push(m->arena, &m->pool, out);
    return out;
}

static TfTensor new_leaf(TfMaker *m, DType dtype, int least_rank, int most_rank) {
    static const int ranks[] = {0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5};
    int rank = ranks[random_below(m->r, ARRAY_LEN(ranks))];
    int64_t sizes[N_BINDINGS][MAX_RANK], count = 1;
    bool known[MAX_RANK];
    if (rank < least_rank || rank > most_rank)
        rank = (int)random_between(m->r, least_rank, most_rank > 5 ? 5 : most_rank);
    for (int k = 0; k < rank; k++) {
        int symbol = m->w->n_symbols && random_chance(m->r, 30) ? (int)random_below(m->r, m->w->n_symbols) : -1;
        int64_t size = random_chance(m->r, 4)    ? 0
                       : random_chance(m->r, 15) ? 1
                       : random_chance(m->r, 85) ? random_between(m->r, 2, 8)
                                                 : random_between(m->r, 9, 35);
        if (count * (symbol < 0 ? size : 35) > m->w->largest / 2) size = 1, symbol = -1;
        known[k] = symbol < 0;
        for (int b = 0; b < N_BINDINGS; b++) sizes[b][k] = symbol < 0 ? size : m->w->bindings[b][symbol];
        count *= symbol < 0 ? (size > 1 ? size : 1) : 35;
    }
    return tf_leaf(m, dtype, rank, sizes, known);
}

/* ---- operands */

TfTensor tf_pick(TfMaker *m, const char *classes, int least_rank, int most_rank) {
    for (int try = 0; try < 8 && m->pool.len && !random_chance(m->r, 4); try++) {
        uint32_t back = (uint32_t)random_below(m->r, random_chance(m->r, 60) && m->pool.len > 4 ? 4 : m->pool.len);
        TfTensor t = m->pool.data[m->pool.len - 1 - back];
        if (strchr(classes, dtype_letter(t.dtype)) && t.rank >= least_rank && t.rank <= most_rank) return t;
    }
    static const DType types[] = {DTYPE_F32,  DTYPE_F32, DTYPE_F32,  DTYPE_F32,   DTYPE_F64,  DTYPE_F16,
                                  DTYPE_BF16, DTYPE_S32, DTYPE_S32,  DTYPE_S64,   DTYPE_BOOL, DTYPE_U8,
                                  DTYPE_S8,   DTYPE_C64, DTYPE_C128, DTYPE_STRING};
    DType t;
    do t = types[random_below(m->r, ARRAY_LEN(types))];
    while (!strchr(classes, dtype_letter(t)));
    return new_leaf(m, t, least_rank, most_rank);
}

static bool same_sizes(const TfTensor *a, const TfTensor *t, bool part) {
    if (a->rank > t->rank || (!part && a->rank != t->rank)) return false;
    for (int k = 0; k < a->rank; k++)
        for (int b = 0; b < N_BINDINGS; b++) {
            int64_t size = a->sizes[b][k];
            if (size != t->sizes[b][k + t->rank - a->rank] && !(part && size == 1)) return false;
        }
    return true;
}

TfTensor tf_like(TfMaker *m, DType dtype, const TfTensor *t, bool part) {
    uint32_t from = (uint32_t)random_below(m->r, m->pool.len);
    for (uint32_t i = 0; i < m->pool.len && random_chance(m->r, 97); i++) {
        TfTensor a = m->pool.data[(from + i) % m->pool.len];
        if (a.dtype == dtype && same_sizes(&a, t, part)) return a;
    }
    TfTensor leaf = *t;
    int drop = part && random_chance(m->r, 40) ? (int)random_below(m->r, t->rank + 1) : 0;
    leaf.rank -= drop;
    for (int k = 0; k < leaf.rank; k++) {
        bool one = part && random_chance(m->r, 20);
        for (int b = 0; b < N_BINDINGS; b++) leaf.sizes[b][k] = one ? 1 : t->sizes[b][k + drop];
        leaf.known[k] = one || (t->sizes[0][k + drop] == t->sizes[1][k + drop] && t->known[k + drop]);
    }
    return tf_leaf(m, dtype, leaf.rank, (const int64_t(*)[MAX_RANK])leaf.sizes, leaf.known);
}

/* ---- the graph */

static bool make_one(TfMaker *m) {
    uint32_t n_families;
    const TfFamily *families = tf_families(&n_families);
    /* A family first, so that one of many op types does not crowd out the others. */
    const TfFamily *family = &families[random_below(m->r, n_families)];
    uint32_t members = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        members += rows[i].host == family->host && strcmp(rows[i].family, family->family) == 0;
    if (!members) BUG("family '%s' has no op", family->family);
    int64_t chosen = random_below(m->r, members);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].host != family->host || strcmp(rows[i].family, family->family) != 0 || chosen-- > 0) continue;
        TfRow row = rows[i];
        row.classes = family->classes;
        return family->make(m, &row);
    }
    return false;
}

bool random_tf_graph(RandomGraph *w, Arena *arena, const Random *r, Tensor *inputs[N_BINDINGS]) {
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 17, 33};
    *w = (RandomGraph){.arena = arena, .r = *r, .largest = 4000};
    TfMaker m = {.w = w, .r = &w->r, .arena = arena};
    m.tf = (TfGraph){.arena = arena, .file = "random", .signature = "", .producer = 2000};
    map_init(&m.tf.main.index, arena);
    map_init(&m.tf.function_index, arena);
    map_init(&m.tf.variables, arena);
    map_init(&m.tf.assets, arena);
    w->n_symbols = random_chance(&w->r, 60) ? (int)random_between(&w->r, 1, MOST_SYMBOLS) : 0;
    for (int i = 0; i < w->n_symbols; i++)
        for (int b = 0; b < N_BINDINGS; b++) w->bindings[b][i] = sizes[random_below(&w->r, ARRAY_LEN(sizes))];
    int count = (int)random_between(&w->r, 2, 18);
    for (int tries = 3 * count; tries > 0 && count > 0; tries--) count -= make_one(&m);
    const char *names[8];
    uint32_t n = 0;
    for (uint32_t i = m.pool.len; i-- > 0 && n < ARRAY_LEN(names);) { /* the latest, and some others */
        TfTensor t = m.pool.data[i];
        const char *op = m.nodes.data[t.at.node].op;
        bool is_leaf = strcmp(op, "Const") == 0 || strcmp(op, "Placeholder") == 0;
        if (!is_leaf && random_chance(&w->r, n ? 40 : 100))
            names[n++] = arena_printf(arena, "n%u:%u", t.at.node, t.at.output);
    }
    w->g = n ? import_nodes(&m, n, names, arena) : NULL;
    if (!w->g) return false;
    for (int b = 0; b < N_BINDINGS; b++) inputs[b] = inputs_of(&m, w->g, b, arena);
    return true;
}
