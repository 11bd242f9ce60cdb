/* import_inputs: what the model's inputs are, which types and sizes they have, and which of their unknown sizes are
   one. Names come from the command line, the signature or the graph's placeholders; a size that nobody says is a symbol
   of its own, but for the batch. */
#include "frontend/import_inputs.h"

#include "base/nearest.h"

#include <stdlib.h>
#include <string.h>

/* ---- names of tensors */

/* "node", "node:1" */
TfInput import_find_tensor(const TfGraph *tf, Arena *arena, const char *name) {
    TfInput t = {UINT32_MAX, 0};
    const char *colon = strrchr(name, ':');
    char *node = arena_strdup(arena, name);
    if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1) && strlen(colon + 1) < 6) {
        node[colon - name] = '\0';
        t.output = (uint32_t)strtoul(colon + 1, NULL, 10);
    }
    uint64_t i = map_get(&tf->main.index, node, UINT64_MAX);
    if (i < tf->main.n_nodes) t.node = (uint32_t)i;
    return t;
}

const TfPort *import_find_port(const TfPort *ports, uint32_t n, const char *key) {
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(ports[i].name, key) == 0) return &ports[i];
    return NULL;
}

static bool is_placeholder(const TfNode *n) {
    return strcmp(n->op, "Placeholder") == 0 || strcmp(n->op, "PlaceholderV2") == 0;
}

/* ---- inputs */

typedef VEC(uint32_t) NodeList;

/* Adds to `work` what changes state and has to come before node `root`. */
static void find_earlier_effects(Importer *im, uint32_t root, bool *seen, NodeList *work) {
    const TfBody *body = &im->tf->main;
    NodeList cone = {0};
    vec_push(im->arena, &cone, root);
    while (cone.len > 0) {
        uint32_t i = cone.data[--cone.len];
        if (i >= body->n_nodes || seen[i]) continue;
        seen[i] = true;
        const TfNode *n = &body->nodes[i];
        if (import_has_effect(im, n)) vec_push(im->arena, work, i);
        for (uint32_t k = 0; k < n->n_inputs; k++) vec_push(im->arena, &cone, n->inputs[k].node);
        for (uint32_t k = 0; k < n->n_controls; k++) vec_push(im->arena, &cone, n->controls[k]);
    }
}

static bool is_same_tensor(TfInput a, TfInput b) {
    return a.node == b.node && a.output == b.output;
}

static ModelInput *find_input(const ModelInputs *inputs, TfInput t) {
    for (uint32_t i = 0; i < inputs->len; i++)
        if (is_same_tensor(inputs->data[i].tensor, t)) return &inputs->data[i];
    return NULL;
}

/* Per node: whether the wanted tensors need it where the `named` tensors are given. */
static bool *find_needed(Importer *im, const TfInput *wanted, uint32_t n_wanted, const ModelInputs *named) {
    const TfBody *body = &im->tf->main;
    bool *reached = NEW_ARRAY(im->arena, bool, body->n_nodes + 1);
    bool *seen = NEW_ARRAY(im->arena, bool, body->n_nodes + 1);
    NodeList work = {0};
    for (uint32_t i = 0; i < n_wanted; i++)
        if (!find_input(named, wanted[i])) vec_push(im->arena, &work, wanted[i].node);
    while (work.len > 0) {
        uint32_t i = work.data[--work.len];
        if (i >= body->n_nodes || reached[i]) continue;
        reached[i] = true;
        for (uint32_t k = 0; k < body->nodes[i].n_inputs; k++)
            if (!find_input(named, body->nodes[i].inputs[k])) vec_push(im->arena, &work, body->nodes[i].inputs[k].node);
        for (uint32_t k = 0; k < body->nodes[i].n_controls; k++)
            find_earlier_effects(im, body->nodes[i].controls[k], seen, &work);
    }
    return reached;
}

const char *import_name_hint(const Importer *im, const char *word, uint32_t n, const char *const *names,
                             const char *what) {
    enum { MOST = 8 };
    Nearest near;
    Str list;
    nearest_init(&near, word);
    for (uint32_t i = 0; i < n; i++) nearest_try(&near, names[i]);
    for (uint32_t i = 0; i < im->tf->main.n_nodes; i++) nearest_try(&near, im->tf->main.nodes[i].name);
    for (uint32_t i = 0; i < im->tf->n_functions; i++)
        for (uint32_t k = 0; k < im->tf->functions[i].body.n_nodes; k++)
            nearest_try(&near, im->tf->functions[i].body.nodes[k].name);
    if (near.best || n == 0) return nearest_hint(&near, im->arena);
    str_init(&list, im->arena);
    for (uint32_t i = 0; i < n && i < MOST; i++) str_printf(&list, "%s'%s'", i ? ", " : "", names[i]);
    return arena_printf(im->arena, "; the model's %s %s%s", what, str_text(&list), n > MOST ? " …" : "");
}

/* The signature's inputs, else all placeholders, in the file's order. */
static bool find_own_inputs(Importer *im, ModelInputs *own) {
    const TfGraph *tf = im->tf;
    bool ok = true;
    for (uint32_t i = 0; i < tf->n_inputs; i++) {
        ModelInput in = {.name = tf->inputs[i].name, .tensor = import_find_tensor(tf, im->arena, tf->inputs[i].tensor)};
        if (in.tensor.node == UINT32_MAX)
            ok = diag_error(im->d, NULL, NULL, "signature input '%s' names tensor '%s', which the graph lacks", in.name,
                            tf->inputs[i].tensor);
        else
            vec_push(im->arena, own, in);
    }
    for (uint32_t i = 0; tf->n_inputs == 0 && i < tf->main.n_nodes; i++)
        if (is_placeholder(&tf->main.nodes[i]))
            vec_push(im->arena, own, (ModelInput){.name = tf->main.nodes[i].name, .tensor = {i, 0}});
    return ok;
}

/* What several --input words say of one tensor. */
static bool join_options(Importer *im, ModelInput *in, const InputOption *more) {
    InputOption *o = NEW(im->arena, InputOption);
    *o = *in->option;
    if ((o->has_shape && more->has_shape) || (o->dtype != DTYPE_NONE && more->dtype != DTYPE_NONE))
        return diag_usage(im->d, "--input %s is given twice", more->name);
    if (more->dtype != DTYPE_NONE) o->dtype = more->dtype;
    if (more->has_shape) {
        o->has_shape = true;
        o->shape = more->shape;
        memcpy(o->dim_names, more->dim_names, sizeof o->dim_names);
    }
    if (more->has_value) {
        o->has_value = true;
        o->value = more->value;
    }
    in->option = o;
    return true;
}

/* The tensors that --input names. */
static bool find_named(Importer *im, const ModelInputs *own, ModelInputs *named) {
    const ImportOptions *o = im->options;
    const TfGraph *tf = im->tf;
    bool ok = true;
    const char **names = NEW_ARRAY(im->arena, const char *, own->len + 1);
    for (uint32_t i = 0; i < own->len; i++) names[i] = own->data[i].name;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        const InputOption *option = &o->inputs[i];
        const TfPort *port = import_find_port(tf->inputs, tf->n_inputs, option->name);
        ModelInput in = {.name = port ? port->name : option->name,
                         .tensor = import_find_tensor(tf, im->arena, port ? port->tensor : option->name),
                         .option = option};
        ModelInput *before = find_input(named, in.tensor);
        if (in.tensor.node == UINT32_MAX)
            ok = diag_error(im->d, NULL, NULL, "there is no input, node or tensor '%s'%s", option->name,
                            import_name_hint(im, option->name, own->len, names, "inputs are"));
        else if (is_placeholder(&tf->main.nodes[in.tensor.node]) && in.tensor.output > 0)
            ok = diag_error(im->d, NULL, NULL, "--input %s: input '%s' is one tensor, '%s:0'", option->name,
                            tf->main.nodes[in.tensor.node].name, tf->main.nodes[in.tensor.node].name);
        else if (before)
            ok = join_options(im, before, option) && ok;
        else
            vec_push(im->arena, named, in);
    }
    return ok;
}

/* --input says more of one of the model's own inputs, or makes a tensor inside of the graph an input: own ones that
   only led to it are none then. The model's order, unless all are named: then theirs. */
bool import_choose_inputs(Importer *im, const TfInput *wanted, uint32_t n_wanted, ModelInputs *inputs,
                          bool *from_signature) {
    ModelInputs named = {0};
    ModelInputs own = {0};
    if (!find_own_inputs(im, &own) || !find_named(im, &own, &named)) return false;
    bool cuts = false;
    bool all_named = true;
    for (uint32_t i = 0; i < named.len; i++) cuts = cuts || !find_input(&own, named.data[i].tensor);
    const bool *needed = find_needed(im, wanted, n_wanted, &named);
    bool *kept = NEW_ARRAY(im->arena, bool, own.len + 1);
    *from_signature = im->tf->n_inputs > 0 && !cuts;
    for (uint32_t i = 0; i < own.len; i++) {
        kept[i] = *from_signature || needed[own.data[i].tensor.node];
        all_named = all_named && (!kept[i] || find_input(&named, own.data[i].tensor));
    }
    for (uint32_t i = 0; !all_named && i < own.len; i++) {
        const ModelInput *by_name = find_input(&named, own.data[i].tensor);
        if (by_name || kept[i]) vec_push(im->arena, inputs, by_name ? *by_name : own.data[i]);
    }
    for (uint32_t i = 0; i < named.len; i++)
        if (!find_input(inputs, named.data[i].tensor)) vec_push(im->arena, inputs, named.data[i]);
    return true;
}

/* The type of a tensor in the middle of a graph: by the attribute that names it for most ops. */
static DType guess_dtype(const TfNode *n, uint32_t output) {
    static const char *const names[] = {"dtype", "DstT", "output_type", "out_type", "T"}, *const lists[] = {
                                                                                              "component_types",
                                                                                              "output_types", "Tout",
                                                                                              "dtypes"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        DType t = tf_attr_type(n, names[i], DTYPE_NONE);
        if (t != DTYPE_NONE) return t;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const TfAttr *a = tf_attr(n, lists[i]);
        if (a && a->kind == TF_ATTR_LIST_TYPE && output < a->n) return dtype_from_tf((int)a->v.ints[output]);
    }
    return DTYPE_NONE;
}

/* Serialised examples come as a vector, whatever the placeholder says of its rank. */
static bool is_parsed_as_examples(const TfGraph *tf, TfInput t) {
    for (uint32_t i = 0; i < tf->main.n_nodes; i++) {
        const TfNode *n = &tf->main.nodes[i];
        if (strncmp(n->op, "ParseExample", 12) == 0 && n->n_inputs > 0 && n->inputs[0].node == t.node &&
            n->inputs[0].output == t.output)
            return true;
    }
    return false;
}

/* Element k of an integer constant; -1: it is none, or has no such element. */
static int64_t constant_element(const TfGraph *tf, TfInput t, int64_t k) {
    const TfNode *n = &tf->main.nodes[t.node];
    const TfAttr *value = strcmp(n->op, "Const") == 0 ? tf_attr(n, "value") : NULL;
    const bool is_int = value && value->kind == TF_ATTR_TENSOR && dtype_is_int(value->v.tensor.dtype);
    return is_int && k < tensor_count(&value->v.tensor) ? tensor_get_i64(&value->v.tensor, k) : -1;
}

/* Where t is reshaped to [any number, a, b, …]: a · b …, the elements of one row of it; else 0. */
static int64_t reshaped_row(const TfGraph *tf, TfInput t) {
    for (uint32_t i = 0; i < tf->main.n_nodes; i++) {
        const TfNode *n = &tf->main.nodes[i];
        if (strcmp(n->op, "Reshape") != 0 || n->n_inputs != 2 || n->inputs[0].node != t.node ||
            n->inputs[0].output != t.output)
            continue;
        const TfNode *dims = &tf->main.nodes[n->inputs[1].node];
        const bool packed = strcmp(dims->op, "Pack") == 0;
        const int64_t first = constant_element(tf, packed && dims->n_inputs ? dims->inputs[0] : n->inputs[1], 0);
        int64_t row = 1, k = 1, d;
        for (; (d = !packed                       ? constant_element(tf, n->inputs[1], k)
                    : k < (int64_t)dims->n_inputs ? constant_element(tf, dims->inputs[k], 0)
                                                  : -1) > 0;
             k++)
            if (__builtin_mul_overflow(row, d, &row)) return 0;
        if (k > 1 && first == -1 && (!packed || k == (int64_t)dims->n_inputs)) return row;
    }
    return 0;
}

static void declared_type(const TfGraph *tf, ModelInput *in) {
    const TfNode *n = &tf->main.nodes[in->tensor.node];
    const TfPort *port = import_find_port(tf->inputs, tf->n_inputs, in->name);
    in->dtype = port ? port->dtype : DTYPE_NONE;
    if (is_placeholder(n))
        in->dtype = tf_attr_type(n, "dtype", in->dtype); /* signatures may say another type: nobody checks */
    in->shape.rank = -1;
    if (port) in->shape = port->shape;
    if (in->dtype == DTYPE_NONE) in->dtype = guess_dtype(n, in->tensor.output);
    const TfAttr *shape = tf_attr(n, "shape");
    const TfAttr *shapes = tf_attr(n, "_output_shapes");
    bool scalar_means_unknown = tf->producer < 24 && strcmp(n->op, "Placeholder") == 0;
    if (in->shape.rank < 0 && shape && shape->kind == TF_ATTR_SHAPE &&
        !(scalar_means_unknown && shape->v.shape.rank == 0))
        in->shape = shape->v.shape;
    in->looks_scalar = scalar_means_unknown && shape && shape->kind == TF_ATTR_SHAPE && shape->v.shape.rank == 0;
    if (in->shape.rank < 0 && shapes && shapes->kind == TF_ATTR_LIST_SHAPE && in->tensor.output < shapes->n)
        in->shape = shapes->v.shapes[in->tensor.output];
    if (in->shape.rank < 0 && is_parsed_as_examples(tf, in->tensor)) in->shape = (TfShape){.rank = 1, .dims = {-1}};
    if (in->option && in->option->dtype != DTYPE_NONE) in->dtype = in->option->dtype;
}

/* What --dim and --batch say of a symbol; `used` by DimBound. */
typedef struct {
    Importer *im;
    Map named;  /* name → expression; "name=": a constant */
    uint32_t n; /* that are made, or would be if they were not constants: the number in the next one's name */
    bool *used;
    const SizeFacts *facts;
    Shape *shapes; /* of the inputs, as far as they are known */
} Symbols;

static const SizeFact *find_fact(const Symbols *s, uint32_t input, int axis) {
    for (uint32_t i = 0; i < s->facts->len; i++)
        if (s->facts->data[i].input == input && s->facts->data[i].axis == axis) return &s->facts->data[i];
    return NULL;
}

static const DimBound *find_bound(const Symbols *s, const char *dim) {
    const ImportOptions *o = s->im->options;
    for (uint32_t i = 0; i < o->n_bounds; i++) {
        if (strcmp(o->bounds[i].dim, dim) != 0) continue;
        s->used[i] = true;
        return &o->bounds[i];
    }
    return NULL;
}

/* The symbol of an unknown dim: one that exists when its name was used before. Dims without a name are called by their
   number; a first one has the bounds of --batch though it need not equal the others. */
static Dim find_symbol(Symbols *s, const char *name, uint32_t input, int axis) {
    Importer *im = s->im;
    MapEntry *e = name ? map_find(&s->named, name) : NULL;
    if (e) return (Dim){(uint32_t)e->value, 0};
    if (name && map_find(&s->named, arena_printf(im->arena, "%s=", name)))
        return dim_const((int64_t)map_get(&s->named, arena_printf(im->arena, "%s=", name), 0));
    const char *shown = name ? name : arena_printf(im->arena, "s%u", s->n);
    const DimBound *bound = find_bound(s, shown);
    if (!bound && axis == 0) bound = find_bound(s, "batch");
    s->n++;
    const SizeFact *fact = find_fact(s, input, axis);
    if (fact) {
        Dim d = fact->value >= 0 ? dim_const(fact->value) : s->shapes[fact->same_input].dims[fact->same_axis];
        if (name && dim_is_const(d)) map_add(&s->named, arena_printf(im->arena, "%s=", name), (uint64_t)d.value);
        if (name && !dim_is_const(d)) map_add(&s->named, name, d.expr);
        return d;
    }
    if (bound && bound->min == bound->max) { /* --batch 8: not unknown any more */
        map_add(&s->named, arena_printf(im->arena, "%s=", shown), (uint64_t)bound->min);
        return dim_const(bound->min);
    }
    Dim d = dim_symbol(&im->g->dims, shown, bound ? bound->min : 0, bound ? bound->max : INT64_MAX);
    if (name) map_add(&s->named, name, d.expr);
    return d;
}

/* The rank of an input that neither the graph nor an option says: that of its value, or a guess. */
static void resolve_rank(Importer *im, ModelInput *in) {
    const InputOption *o = in->option;
    if (in->shape.rank >= 0 || (o && o->has_shape)) return;
    if (o && o->has_value) {
        in->shape.rank = o->value.rank;
        for (int k = 0; k < o->value.rank; k++) in->shape.dims[k] = -1;
    } else if (im->options->guess_ranks) {
        const int64_t row = reshaped_row(im->tf, in->tensor);
        in->shape =
            row ? (TfShape){.rank = 2, .dims = {-1, row}} : (TfShape){.rank = in->looks_scalar ? 0 : 1, .dims = {-1}};
        in->rank_is_guessed = true;
        diag_note(im->d, in->name, NULL, "the rank of this input is unknown; taken to be %d", in->shape.rank);
    }
}

/* All inputs whose rank is unknown, in one message that says what to write. */
bool import_report_ranks(Importer *im, const ModelInputs *inputs, bool guessed_too) {
    Str names;
    Str flags;
    uint32_t n = 0;
    str_init(&names, im->arena);
    str_init(&flags, im->arena);
    for (uint32_t i = 0; i < inputs->len; i++) {
        const ModelInput *in = &inputs->data[i];
        bool unknown = in->shape.rank < 0 || (guessed_too && in->rank_is_guessed);
        if (unknown) str_printf(&names, "%s'%s'", n++ ? ", " : "", in->name);
        str_printf(&flags, " --input '%s%s'", in->name, unknown ? "=DIMS" : "");
    }
    return n == 0 || diag_error(im->d, NULL, NULL,
                                "the rank of input%s %s is unknown; say the shape:%s, where DIMS is 'scalar' or sizes "
                                "as in '-1,3' (-1: any)",
                                n > 1 ? "s" : "", str_text(&names), str_text(&flags));
}

static bool is_product(const char *op) {
    return strstr(op, "MatMul") || strstr(op, "Conv") || strstr(op, "Einsum") || strstr(op, "LSTM") ||
           strstr(op, "GRU");
}

/* Whether the graph multiplies matrices or convolves: a network, in which it pays to know that batches are equal. */
static bool has_products(const TfGraph *tf) {
    for (uint32_t i = 0; i < tf->main.n_nodes; i++)
        if (is_product(tf->main.nodes[i].op)) return true;
    for (uint32_t i = 0; i < tf->n_functions; i++)
        for (uint32_t k = 0; k < tf->functions[i].body.n_nodes; k++)
            if (is_product(tf->functions[i].body.nodes[k].op)) return true;
    return false;
}

/* Unknown dims of different inputs are different symbols, as nothing says that they are equal (x [?] + y [?] may
   broadcast), except for first dims where they can only be meant as the batch: of a signature's inputs, if all are
   unknown; of images, sequences and the like (rank >= 2) that have no other unknown dim; and both only in networks,
   where it pays, and where first dims meet (import_graph). Should they differ when the model runs, that is an error
   then. Users say otherwise by naming dims. */
static bool may_share_batch(const TfGraph *tf, const ModelInputs *inputs, bool from_signature) {
    int64_t fed = -1; /* the values that will be fed know best */
    for (uint32_t i = 0; i < inputs->len; i++) {
        const InputOption *o = inputs->data[i].option;
        if (!o || !o->has_value || o->value.rank < 1 || inputs->data[i].shape.rank < 1 ||
            inputs->data[i].shape.dims[0] >= 0)
            continue;
        if (fed >= 0 && o->value.dims[0] != fed) return false;
        fed = o->value.dims[0];
    }
    uint32_t unknown = 0;
    uint32_t with_dims = 0;
    bool only_batches = true;
    for (uint32_t i = 0; i < inputs->len; i++) {
        const TfShape *s = &inputs->data[i].shape;
        bool open = s->rank > 0 && s->dims[0] < 0;
        with_dims += s->rank > 0;
        unknown += open;
        for (int k = 0; k < s->rank; k++) only_batches = only_batches && (s->dims[k] >= 0 || (k == 0 && s->rank >= 2));
    }
    if (unknown == 1) return true;
    return (only_batches || (from_signature && unknown == with_dims)) && has_products(tf);
}

static void input_shape(Importer *im, const ModelInput *in, uint32_t number, bool batch, Symbols *symbols) {
    Shape *shape = &symbols->shapes[number];
    TfShape s = in->shape;
    const InputOption *o = in->option;
    if (o && o->has_shape) {
        for (int i = 0; s.rank >= 0 && s.rank == o->shape.rank && i < s.rank; i++)
            if (s.dims[i] >= 0 && o->shape.dims[i] >= 0 && s.dims[i] != o->shape.dims[i])
                diag_note(im->d, in->name, NULL, "dimension %d is %lld in the graph, %lld was asked for", i,
                          (long long)s.dims[i], (long long)o->shape.dims[i]);
        s = o->shape;
    }
    shape->rank = s.rank;
    for (int i = 0; i < s.rank; i++) {
        const char *name = o && o->dim_names[i] ? o->dim_names[i] : i == 0 && batch ? "batch" : NULL;
        shape->dims[i] = s.dims[i] >= 0 ? dim_const(s.dims[i]) : find_symbol(symbols, name, number, i);
    }
}

/* The unknown sizes of a graph's inputs: "batch (x), s1 (y)". */
static const char *symbols_text(const Graph *g, Arena *arena) {
    const Region *root = region_at(g, g->root);
    Str text;
    str_init(&text, arena);
    for (uint32_t k = 0; k < g->dims.symbols.len; k++) {
        const char *of = NULL;
        for (uint32_t i = 0; i < root->params.len && !of; i++) {
            const Shape *s = &value_at(g, root->params.data[i])->shape;
            for (int r = 0; r < s->rank; r++)
                if (!dim_is_const(s->dims[r]) && s->dims[r].expr == g->dims.symbols.data[k].expr)
                    of = g->inputs.data[i].name;
        }
        if (of) str_printf(&text, "%s%s of '%s'", text.len ? ", " : "", g->dims.symbols.data[k].name, of);
    }
    return str_text(&text);
}

bool import_check_bounds(const Graph *g, const ImportOptions *o, const bool *used, Arena *arena, Diag *d) {
    bool ok = true;
    const Region *root = region_at(g, g->root);
    for (uint32_t i = 0; i < o->n_bounds; i++) {
        const DimBound *b = &o->bounds[i];
        bool fits = false;
        int64_t fixed = -1;
        if (used[i]) continue;
        for (uint32_t k = 0; k < root->params.len; k++) {
            const Shape *s = &value_at(g, root->params.data[k])->shape;
            if (s->rank < 1 || !dim_is_const(s->dims[0])) continue;
            fixed = s->dims[0].value;
            fits = fits || (fixed >= b->min && fixed <= b->max);
        }
        const char *names = symbols_text(g, arena);
        if (strcmp(b->dim, "batch") != 0)
            ok = diag_error(d, NULL, NULL,
                            "--dim %s: no unknown dimension of an input has this name%s%s; --input NAME=-1,%s,… gives "
                            "it",
                            b->dim, *names ? "; the unknown ones are " : "", names, b->dim);
        else if (!fits && fixed >= 0)
            ok = diag_usage(d,
                            "--batch: the graph's inputs have the fixed first dimension %lld; --input NAME=-1,… makes "
                            "it unknown",
                            (long long)fixed);
        else if (!fits)
            ok = diag_usage(d, "--batch: no input has a first dimension");
    }
    return ok;
}

bool import_add_inputs(Importer *im, ModelInputs *inputs, bool from_signature, bool share, const SizeFacts *facts,
                       bool *used_bounds, TensorInput *overrides) {
    Graph *g = im->g;
    const TfGraph *tf = im->tf;
    Symbols symbols = {
        .im = im, .used = used_bounds, .facts = facts, .shapes = NEW_ARRAY(im->arena, Shape, inputs->len + 1)};
    map_init(&symbols.named, im->arena);
    bool ok = true;
    for (uint32_t i = 0; i < inputs->len; i++) {
        ModelInput *in = &inputs->data[i];
        declared_type(tf, in);
        if (in->option && in->option->has_shape && in->shape.rank < 0) in->shape = in->option->shape;
        resolve_rank(im, in);
    }
    if (!import_report_ranks(im, inputs, false)) return false;
    bool batch = share && may_share_batch(tf, inputs, from_signature);
    for (uint32_t i = 0; i < inputs->len; i++) {
        ModelInput *in = &inputs->data[i];
        const TfNode *n = &tf->main.nodes[in->tensor.node];
        if (in->dtype == DTYPE_NONE) {
            ok =
                diag_error(im->d, n->name, n->op, "the type of input '%s' is not known; say it with --input", in->name);
            continue;
        }
        input_shape(im, in, i, batch, &symbols);
        const char *tensor = arena_printf(g->arena, "%s:%u", n->name, in->tensor.output);
        overrides[i].tensor = in->tensor;
        overrides[i].value =
            graph_add_param(g, g->root, in->dtype, &symbols.shapes[i], in->tensor.output ? tensor : n->name);
        vec_push(g->arena, &g->inputs, (Port){arena_strdup(g->arena, in->name), tensor, in->dtype, 0, 0});
    }
    return ok;
}

/* ---- the batch of a graph */

bool import_shares_batch(const Graph *g) {
    const Region *root = region_at(g, g->root);
    for (uint32_t i = 0; i < root->params.len; i++) {
        const Shape *a = &value_at(g, root->params.data[i])->shape;
        if (a->rank < 1 || dim_is_const(a->dims[0])) continue;
        for (uint32_t k = 0; k < i; k++) {
            const Shape *b = &value_at(g, root->params.data[k])->shape;
            if (b->rank > 0 && dim_equal(a->dims[0], b->dims[0])) return true;
        }
    }
    return false;
}

/* A product of two matrices may take values of unlike first dims. */
bool import_unequal_batches_meet(const Graph *g) {
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        const Node *n = &g->nodes.data[i];
        Dim first = dim_const(0);
        if (n->op == OP_REQUIRE) return true;
        if (n->op == OP_MATMUL && value_at(g, n->inputs[0])->shape.rank == 2) continue;
        for (uint32_t k = 0; k < n->n_inputs; k++) {
            const Shape *s = &value_at(g, n->inputs[k])->shape;
            if (s->rank < 1 || dim_is_const(s->dims[0])) continue;
            if (!dim_is_const(first) && !dim_equal(first, s->dims[0])) return true;
            first = s->dims[0];
        }
    }
    for (uint32_t i = 1; i < g->dims.exprs.len; i++)
        if (g->dims.exprs.data[i].kind == DIM_BROADCAST) return true;
    return false;
}
