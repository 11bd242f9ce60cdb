/* import_control: If, Case and While with their stateless twins. A function becomes a region; regions are closed, so
   all that they use is passed in, except constants and known sizes, which are made again inside where they can be
   folded. A loop's carried values may change their size from step to step: the body is imported with the sizes at the
   start, and where it gives back something else that dim becomes a symbol and the body is imported again, until nothing
   changes. Lists (import_list.c) whose element shape is not known when they are made learn it from what the body puts
   into them. */
#include "frontend/importer.h"

#include <string.h>

/* Where the graph stood, so that a try can be taken back. Symbols stay: they cost nothing. */
typedef struct {
    uint32_t nodes, values, regions, lists, stated;
} Mark;

static Mark mark(const Import *c) {
    return (Mark){c->g->nodes.len, c->g->values.len, c->g->regions.len, c->im->lists.len, c->im->stated.len};
}

static void take_back(Import *c, Mark m) {
    c->g->nodes.len = m.nodes;
    c->g->values.len = m.values;
    c->g->regions.len = m.regions;
    c->im->lists.len = m.lists;
    c->im->stated.len = m.stated;
}

static bool same_element(const TfShape *a, const TfShape *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof(int64_t) * (size_t)(a->rank > 0 ? a->rank : 0)) == 0;
}

/* Whether a value need not be passed into a region but can be made again inside: lists without contents, handles of
   variables and TensorArrays, constants, and tensors whose elements are known sizes. */
bool region_can_remake(const Import *c, ValueId v) {
    const Value *value = value_at(c->g, v);
    if (list_find(c->im, v)) return !list_is_ragged(c->im, v);
    if (value_const(c->g, v)) return true;
    return value->content && shape_count(&value->shape) > 0 && dtype_is_int(value->dtype);
}

ValueId region_remake(Import *c, RegionId r, ValueId v) {
    ListInfo *list = list_find(c->im, v);
    if (list) {
        ListInfo inside = *list;
        Tensor zero = tensor_new(c->g->arena, list->handle ? DTYPE_F32 : list->dtype, 0, NULL);
        ValueId made = build_const(c->g, r, &zero, c->n->name);
        inside.value = made.i;
        vec_push(c->im->arena, &c->im->lists, inside);
        return made;
    }
    const Tensor *t = value_const(c->g, v);
    const char *name = value_at(c->g, v)->name;
    if (t) return build_const(c->g, r, t, name);
    const Value *value = value_at(c->g, v);
    return build_dims(c->g, r, value->dtype, value->shape.rank, shape_count(&value->shape), value->content, name);
}

static const TfFunction *function_attr(Import *c, const char *attr) {
    const TfAttr *a = tf_attr(c->n, attr);
    const TfFunction *f = a && a->kind == TF_ATTR_FUNC ? import_function(c->im, a->v.s) : NULL;
    if (!f)
        bad(c, "attribute %s names function '%s', which the graph does not define", attr,
            a && a->kind == TF_ATTR_FUNC ? a->v.s : "?");
    return f;
}

static bool fits(Import *c, const TfFunction *f, uint32_t n_args) {
    return f->n_args == n_args ||
           bad(c, "passes %u values to function '%s' of %u arguments", n_args, f->name, f->n_args);
}

/* ---- If, Case */

/* A condition of any type as TensorFlow takes it: numbers are compared with zero, tensors are true when they have
 * elements. */
static ValueId truth(Import *c, ValueId v) {
    DType dtype = dtype_of(c, v);
    if (rank_of(c, v) > 0) {
        Shape s = shape_copy(c, v);
        Dim n = shape_elements(&c->g->dims, &s);
        v = make_dims(c, DTYPE_S64, 0, 1, &n);
        dtype = DTYPE_S64;
    }
    if (dtype == DTYPE_BOOL) return v;
    if (!is_plain(dtype)) {
        unsupported(c, "a condition of type %s is not compiled", dtype_info(dtype)->text);
        return (ValueId){0};
    }
    ValueId zero = make_like(c, v, 0);
    return make_binary(c, OP_NE, v, zero);
}

/* One of several branches being imported. */
typedef struct {
    RegionId region;
    ValueId *results;
} Branch;

static bool import_branch(Import *c, const TfFunction *f, const ValueId *args, const bool *remade, Branch *b) {
    ValueId *meta = NEW_ARRAY(c->im->arena, ValueId, f->n_args + 1);
    ValueId *inside = NEW_ARRAY(c->im->arena, ValueId, f->n_args + 1);
    b->region = graph_add_region(c->g, (NodeId){0});
    b->results = NEW_ARRAY(c->im->arena, ValueId, f->n_results + 1);
    for (uint32_t i = 0; i < f->n_args; i++) {
        Shape s = shape_copy(c, args[i]);
        inside[i] = remade[i] ? region_remake(c, b->region, args[i])
                              : graph_add_param(c->g, b->region, dtype_of(c, args[i]), &s, f->arg_names[i]);
    }
    for (uint32_t i = 0; i < f->n_args; i++) { /* those of ragged lists come behind all values */
        const ListInfo *list = list_find(c->im, args[i]);
        if (!list || !list->meta.i) continue;
        Shape s = shape_copy(c, list->meta);
        meta[i] = graph_add_param(c->g, b->region, DTYPE_S64, &s, f->arg_names[i]);
    }
    for (uint32_t i = 0; i < f->n_args; i++)
        if (meta[i].i) ragged_register(c, inside[i], meta[i], &list_find(c->im, args[i])->element);
    return import_call(c->im, f, c->n, b->region, inside, b->results);
}

/* Makes a result a ragged list in every branch if it is one in some; *out_ragged: it was. */
static bool join_ragged(Import *c, Branch *branches, uint32_t n, uint32_t result, bool *out_ragged) {
    int rank = -1;
    *out_ragged = false;
    for (uint32_t i = 0; i < n; i++) {
        const ListInfo *list = list_find(c->im, branches[i].results[result]);
        if (!list || (!list->parts && !list->meta.i)) continue;
        rank = list->meta.i ? (int)dim_of(c, list->meta, 1).value - 1 : rank_of(c, list->parts[0]);
    }
    if (rank < 0) return true;
    *out_ragged = true;
    for (uint32_t i = 0; i < n; i++) {
        Import inside = *c;
        inside.r = branches[i].region;
        branches[i].results[result] = ragged_of(&inside, branches[i].results[result], rank);
        if (failed(branches[i].results[result])) return false;
        const ListInfo *list = list_find(c->im, branches[i].results[result]);
        if ((int)dim_of(c, list->meta, 1).value - 1 != rank)
            return unsupported(c, "its branches give lists of values of different ranks");
    }
    return true;
}

/* A list without contents in every branch stays one; in some of them: filled with zeros there, shaped like the others'.
 */
static bool join_lists(Import *c, Branch *branches, uint32_t n, uint32_t result, bool *still_empty) {
    ListInfo *first = list_find(c->im, branches[0].results[result]);
    uint32_t n_empty = 0;
    ValueId full = {0};
    bool same = true;
    for (uint32_t i = 0; i < n; i++) {
        ListInfo *list = list_find(c->im, branches[i].results[result]);
        n_empty += list != NULL;
        if (!list)
            full = branches[i].results[result];
        else if (first)
            same = same && dim_equal(list->count, first->count) && same_element(&list->element, &first->element);
    }
    *still_empty = n_empty == n;
    if (n_empty == 0) return true;
    if (n_empty == n) return same || unsupported(c, "its branches give lists of different lengths");
    Shape s = shape_copy(c, full);
    Shape element = {.rank = s.rank - 1};
    if (s.rank < 1) return bad(c, "its branches give a list and a scalar");
    memcpy(element.dims, &s.dims[1], sizeof(Dim) * (size_t)element.rank);
    for (uint32_t i = 0; i < n; i++)
        if (list_find(c->im, branches[i].results[result]))
            branches[i].results[result] =
                list_materialise_in(c->im, branches[i].region, c->n->name, branches[i].results[result], &element, c->d);
    return true;
}

static bool import_branches(Import *c, OpId op, ValueId selector, uint32_t n, const TfFunction *const *functions) {
    uint32_t n_args = c->n_in - 1;
    ValueId *args = arena_memdup(c->im->arena, c->in + 1, sizeof(ValueId) * (c->n_in));
    uint32_t n_results = functions[0]->n_results;
    Arena *a = c->im->arena;
    bool *remade = NEW_ARRAY(a, bool, n_args + 1);
    ValueId *inputs = NEW_ARRAY(a, ValueId, 2 * n_args + 1);
    uint32_t n_inputs = 0;
    inputs[n_inputs++] = selector;
    for (uint32_t i = 0; i < n_args; i++) {
        const ListInfo *list = list_find(c->im, args[i]);
        if (list && list->parts) args[i] = ragged_of(c, args[i], 0);
        if (failed(args[i])) return false;
        remade[i] = region_can_remake(c, args[i]);
        if (!remade[i]) inputs[n_inputs++] = args[i];
    }
    for (uint32_t i = 0; i < n_args; i++)
        if (list_is_ragged(c->im, args[i])) inputs[n_inputs++] = list_find(c->im, args[i])->meta;
    Branch *branches = NEW_ARRAY(a, Branch, n);
    RegionId *regions = NEW_ARRAY(a, RegionId, n);
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        if (!fits(c, functions[i], n_args)) return false;
        if (functions[i]->n_results != n_results) return bad(c, "its branches have different numbers of results");
        ok = import_branch(c, functions[i], args, remade, &branches[i]) && ok;
        regions[i] = branches[i].region;
    }
    if (!ok || n_results > IMPORT_MAX_OUTPUTS)
        return ok ? unsupported(c, "has more than %d results", IMPORT_MAX_OUTPUTS) : false;
    uint32_t n_out = 0;
    bool *empty = NEW_ARRAY(a, bool, n_results + 1);
    bool *is_ragged = NEW_ARRAY(a, bool, n_results + 1);
    for (uint32_t k = 0; k < n_results; k++) {
        if (!join_ragged(c, branches, n, k, &is_ragged[k])) return false;
        if (!is_ragged[k] && !join_lists(c, branches, n, k, &empty[k])) return false;
        n_out += !empty[k];
        for (uint32_t i = 0; i < n && !empty[k]; i++)
            vec_push(c->g->arena, &region_at(c->g, regions[i])->results, branches[i].results[k]);
    }
    uint32_t n_values = n_out;
    for (uint32_t k = 0; k < n_results; k++) {
        n_out += is_ragged[k];
        for (uint32_t i = 0; i < n && is_ragged[k]; i++) {
            ValueId meta = list_find(c->im, branches[i].results[k])->meta;
            vec_push(c->g->arena, &region_at(c->g, regions[i])->results, meta);
        }
    }
    c->n_out = n_results;
    NodeId id = {0};
    if (n_out > 0) {
        NodeSpec spec = {.op = op,
                         .name = c->n->name,
                         .tf_op = c->n->op,
                         .inputs = inputs,
                         .n_inputs = n_inputs,
                         .n_outputs = n_out,
                         .regions = regions,
                         .n_regions = n};
        id = graph_add(c->g, c->r, &spec, c->d);
        if (id.i == 0) return false;
    }
    uint32_t at = 0;
    for (uint32_t k = 0; k < n_results; k++) {
        if (!empty[k]) {
            c->out[k] = node_at(c->g, id)->outputs[at++];
            const TfShape *element = is_ragged[k] ? &list_find(c->im, branches[0].results[k])->element : NULL;
            if (element) ragged_register(c, c->out[k], node_at(c->g, id)->outputs[n_values++], element);
            continue;
        }
        ListInfo list = *list_find(c->im, branches[0].results[k]);
        c->out[k] = list_new(c, list.count, list.dtype, &list.element);
        *list_find(c->im, c->out[k]) =
            (ListInfo){c->out[k].i, list.count, list.dtype, list.element, list.dynamic, list.handle, NULL, {0}};
    }
    return true;
}

/* A branch number that is known here: a constant, or sizes that were compared. */
static bool is_known(const Import *c, ValueId v, int64_t *out) {
    const Value *value = value_at(c->g, v);
    const Tensor *constant = value_const(c->g, v);
    if (value->content && value->shape.rank == 0 && dim_is_const(value->content[0]))
        return *out = value->content[0].value, true;
    if (!constant || tensor_count(constant) != 1) return false;
    *out = tensor_get_i64(constant, 0);
    return true;
}

bool import_if(Import *c) {
    const TfFunction *branches[2] = {function_attr(c, "then_branch"), function_attr(c, "else_branch")};
    if (!branches[0] || !branches[1]) return false;
    ValueId condition = truth(c, c->in[0]);
    if (failed(condition)) return false;
    int64_t known;
    if (is_known(c, condition, &known)) {
        const TfFunction *f = branches[known ? 0 : 1];
        c->n_out = f->n_results;
        return fits(c, f, c->n_in - 1) && f->n_results <= IMPORT_MAX_OUTPUTS &&
               import_call(c->im, f, c->n, c->r, c->in + 1, c->out);
    }
    return import_branches(c, OP_IF, condition, 2, branches);
}

bool import_case(Import *c) {
    const TfAttr *list = tf_attr(c->n, "branches");
    if (!list || list->kind != TF_ATTR_LIST_FUNC || list->n == 0) return bad(c, "has no branches");
    const TfFunction **branches = NEW_ARRAY(c->im->arena, const TfFunction *, list->n);
    for (uint32_t i = 0; i < list->n; i++) {
        const char *name = arena_strndup(c->im->arena, list->v.strings[i].data, list->v.strings[i].size);
        branches[i] = import_function(c->im, name);
        if (!branches[i]) return bad(c, "branch %u is function '%s', which the graph does not define", i, name);
    }
    int64_t i = 0;
    if (is_known(c, c->in[0], &i) || list->n == 1) {
        const TfFunction *f = branches[i < 0 || i >= (int64_t)list->n ? list->n - 1 : (uint32_t)i];
        c->n_out = f->n_results;
        return fits(c, f, c->n_in - 1) && f->n_results <= IMPORT_MAX_OUTPUTS &&
               import_call(c->im, f, c->n, c->r, c->in + 1, c->out);
    }
    ValueId selector = make_cast(c, c->in[0], DTYPE_S32);
    return !failed(selector) && import_branches(c, OP_CASE, selector, list->n, branches);
}

/* ---- While */

typedef struct {
    const TfFunction *condition, *body;
    uint32_t n;        /* values that TensorFlow's loop carries */
    uint32_t total;    /* with the metas of ragged lists behind them: entries of the arrays below */
    uint32_t *meta_at; /* per value: where its meta is, 0: it is no ragged list */
    int *ragged_rank;  /* per value: rank of the elements of a list that must become ragged, else -1 */
    ValueId *init;     /* outside, at the start */
    bool *remade;      /* made again inside: constants that the body gives back unchanged, lists without contents */
    Shape *params;     /* shapes inside */
    Shape *next;       /* what the last try of the body gave back */
    uint32_t *fresh;   /* [n * MAX_RANK] symbol expression that was put for a dim, 0: none */
    RegionId regions[2];
    ValueId *results; /* of the last try of the body */
} Loop;

/* Whether the body passes argument i on untouched, seen through identities. */
static bool passes_through(const TfFunction *f, uint32_t i) {
    TfInput t = f->results[i];
    for (uint32_t step = 0; step <= f->body.n_nodes; step++) {
        if (t.node & TF_ARG) return (t.node & ~TF_ARG) == i;
        const TfNode *n = &f->body.nodes[t.node];
        if (strcmp(n->op, "Identity") != 0 || n->n_inputs < 1) return false;
        t = n->inputs[0];
    }
    return false;
}

/* Imports condition (which = 0) or body into a new region, with the sizes of this try. */
static bool import_loop_region(Import *c, Loop *l, int which, ValueId *results) {
    const TfFunction *f = which ? l->body : l->condition;
    ValueId *inside = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    RegionId r = graph_add_region(c->g, (NodeId){0});
    l->regions[which] = r;
    for (uint32_t i = 0; i < l->total; i++)
        inside[i] = l->remade[i] ? region_remake(c, r, l->init[i])
                                 : graph_add_param(c->g, r, dtype_of(c, l->init[i]), &l->params[i],
                                                   i < l->n ? f->arg_names[i] : "list");
    for (uint32_t i = 0; i < l->n; i++)
        if (l->meta_at[i]) ragged_register(c, inside[i], inside[l->meta_at[i]], &list_find(c->im, l->init[i])->element);
    return import_call(c->im, f, c->n, r, inside, results);
}

/* Whether d has no meaning outside of the loop: it mentions a symbol of this try, or one that stands for a size that
   the loop changes. */
static bool is_inside(const Import *c, const Loop *l, Dim d, uint32_t first) {
    for (uint32_t i = 0; !dim_is_const(d) && i < l->total * MAX_RANK; i++)
        if (l->fresh[i] && dim_uses(&c->g->dims, d, c->g->dims.exprs.data[l->fresh[i]].symbol)) return true;
    for (uint32_t i = first; !dim_is_const(d) && i < c->g->dims.symbols.len; i++)
        if (dim_uses(&c->g->dims, d, i)) return true;
    return false;
}

/* A list without contents into which the body has put elements: from now on a tensor, made outside, of zeros of that
 * shape. */
static bool learn_elements(Import *c, Loop *l, uint32_t i, uint32_t first_symbol) {
    Shape s = shape_copy(c, l->results[i]);
    Shape element = {.rank = s.rank - 1};
    if (s.rank < 1) return bad(c, "gives back a scalar for the list it carries as value %u", i);
    for (int k = 0; k < element.rank; k++) {
        element.dims[k] = s.dims[k + 1];
        if (is_inside(c, l, element.dims[k], first_symbol)) l->ragged_rank[i] = element.rank;
    }
    l->params[i] = (Shape){.rank = -1};
    l->next[i] = element;
    return true;
}

/* Puts symbols where a carried value came back with another size. Dims that begin and come back equal share one: that
   they stay equal is what the next try checks. */
static bool generalise(Import *c, Loop *l, bool *changed) {
    typedef struct {
        Dim from, to, symbol;
    } Class;
    VEC(Class) classes = {0};
    Arena *a = c->im->arena;
    for (uint32_t i = 0; i < l->total; i++) {
        if (l->remade[i] || l->params[i].rank < 0) continue;
        Shape init = shape_copy(c, l->init[i]);
        if (l->next[i].rank != init.rank)
            return unsupported(c, "the value that it carries as number %u changes its rank from %d to %d", i, init.rank,
                               l->next[i].rank);
        for (int k = 0; k < init.rank; k++) {
            Dim now = l->params[i].dims[k];
            Dim to = l->next[i].dims[k];
            uint32_t *fresh = &l->fresh[i * MAX_RANK + (uint32_t)k];
            if (dim_equal(now, to) && !*fresh) continue;
            Dim from = *fresh ? now : init.dims[k]; /* members of one class may have to part */
            Class *found = NULL;
            for (uint32_t m = 0; m < classes.len && !found; m++)
                if (dim_equal(classes.data[m].from, from) && dim_equal(classes.data[m].to, to))
                    found = &classes.data[m];
            if (!found) {
                bool first_of_class = true;
                for (uint32_t m = 0; m < classes.len; m++)
                    first_of_class = first_of_class && !dim_equal(classes.data[m].from, from);
                Dim symbol = *fresh && first_of_class ? now : dim_symbol(&c->g->dims, NULL, 0, INT64_MAX);
                vec_push(a, &classes, (Class){from, to, symbol});
                found = &classes.data[classes.len - 1];
            }
            *changed = *changed || !dim_equal(found->symbol, now);
            l->params[i].dims[k] = found->symbol;
            *fresh = found->symbol.expr;
        }
    }
    return true;
}

/* The body's list i as a ragged one, which the loop must carry then. */
static bool settle_ragged(Import *c, Loop *l, uint32_t i) {
    Import inside = *c;
    inside.r = l->regions[1];
    const ListInfo *before = list_find(c->im, l->init[i]);
    int rank = before && before->meta.i ? (int)dim_of(c, before->meta, 1).value - 1 : 0;
    ValueId list = ragged_of(&inside, l->results[i], rank);
    if (failed(list)) return false;
    l->results[i] = list;
    l->next[i] = shape_copy(c, list);
    ValueId meta = list_find(c->im, list)->meta;
    rank = (int)dim_of(c, meta, 1).value - 1;
    if (!l->meta_at[i])
        l->ragged_rank[i] = rank;
    else
        l->results[l->meta_at[i]] = meta;
    return true;
}

static void add_meta(Import *c, Loop *l, uint32_t i) {
    l->meta_at[i] = l->total;
    l->init[l->total] = list_find(c->im, l->init[i])->meta;
    l->params[l->total] = shape_copy(c, l->init[l->total]);
    l->total++;
}

/* From now on the loop carries value i as a ragged list. */
static bool make_ragged(Import *c, Loop *l, uint32_t i) {
    l->init[i] = ragged_of(c, l->init[i], l->ragged_rank[i]);
    if (failed(l->init[i])) return false;
    l->params[i] = shape_copy(c, l->init[i]);
    l->remade[i] = false;
    l->ragged_rank[i] = -1;
    for (uint32_t k = 0; k < MAX_RANK; k++) l->fresh[i * MAX_RANK + k] = 0;
    add_meta(c, l, i);
    return true;
}

/* Imports the body until what it gives back fits what it takes. */
static bool settle(Import *c, Loop *l) {
    Mark m = mark(c);
    for (int attempt = 0; attempt < IMPORT_MAX_LOOP_TRIES; attempt++) {
        uint32_t first_symbol = c->g->dims.symbols.len;
        bool changed = false;
        bool learned = false;
        if (!import_loop_region(c, l, 1, l->results)) return false;
        for (uint32_t i = 0; i < l->n; i++) {
            ListInfo *before = list_find(c->im, l->init[i]);
            ListInfo *after = list_find(c->im, l->results[i]);
            l->next[i] = shape_copy(c, l->results[i]);
            bool was_ragged = before && before->meta.i;
            if (was_ragged || (after && (after->parts || after->meta.i))) {
                if (!settle_ragged(c, l, i)) return false;
                learned = learned || !was_ragged;
                continue;
            }
            if (before && !before->handle && !after) {
                if (!learn_elements(c, l, i, first_symbol)) return false;
                learned = true;
            } else if (before && after && !dim_equal(before->count, after->count)) {
                return unsupported(
                    c, "the list that it carries as value %u changes its length before anything is put into it", i);
            } else if (!before && after) {
                return unsupported(c, "replaces the list that it carries as value %u by one without contents", i);
            }
        }
        for (uint32_t i = l->n; i < l->total; i++) l->next[i] = shape_copy(c, l->results[i]);
        if (!learned && !generalise(c, l, &changed)) return false;
        if (!learned && !changed) return true;
        take_back(c, m);
        for (uint32_t i = 0; learned && i < l->n; i++)
            if (l->ragged_rank[i] >= 0) {
                if (!make_ragged(c, l, i)) return false;
            } else if (l->params[i].rank < 0) {
                l->init[i] = list_materialise(c, l->init[i], &l->next[i]);
                l->params[i] = shape_copy(c, l->init[i]);
                l->remade[i] = false;
                if (failed(l->init[i])) return false;
            }
        if (learned) m = mark(c);
    }
    return unsupported(c, "the sizes of the values it carries do not settle");
}

static bool start_loop(Import *c, Loop *l) {
    Arena *a = c->im->arena;
    l->condition = function_attr(c, "cond");
    l->body = function_attr(c, "body");
    if (!l->condition || !l->body) return false;
    l->n = c->n_in;
    if (!fits(c, l->condition, l->n) || !fits(c, l->body, l->n)) return false;
    if (l->body->n_results != l->n || l->condition->n_results != 1 || l->n > IMPORT_MAX_OUTPUTS)
        return bad(c, "its body gives %u values for the %u that it carries", l->body->n_results, l->n);
    l->total = l->n;
    l->meta_at = NEW_ARRAY(a, uint32_t, l->n + 1);
    l->ragged_rank = NEW_ARRAY(a, int, l->n + 1);
    l->init = NEW_ARRAY(a, ValueId, 2 * l->n + 1);
    l->remade = NEW_ARRAY(a, bool, 2 * l->n + 1);
    l->params = NEW_ARRAY(a, Shape, 2 * l->n + 1);
    l->next = NEW_ARRAY(a, Shape, 2 * l->n + 1);
    l->fresh = NEW_ARRAY(a, uint32_t, (size_t)l->n * 2 * MAX_RANK + 1);
    l->results = NEW_ARRAY(a, ValueId, 2 * l->n + 1);
    for (uint32_t i = 0; i < l->n; i++) {
        const ListInfo *list = list_find(c->im, c->in[i]);
        l->ragged_rank[i] = -1;
        l->init[i] = list && list->parts ? ragged_of(c, c->in[i], 0) : c->in[i];
        if (failed(l->init[i])) return false;
        list = list_find(c->im, l->init[i]);
        if (list && list->meta.i) {
            l->params[i] = shape_copy(c, l->init[i]);
            add_meta(c, l, i);
            continue;
        }
        l->remade[i] = list || (passes_through(l->body, i) && region_can_remake(c, l->init[i]));
        l->params[i] = shape_copy(c, l->init[i]);
    }
    return true;
}

bool import_while(Import *c) {
    Loop loop = {0};
    Loop *l = &loop;
    if (!start_loop(c, l) || !settle(c, l)) return false;
    ValueId condition = {0};
    if (!import_loop_region(c, l, 0, &condition)) return false;
    Import inside = *c; /* the condition of any type, computed in its region */
    inside.r = l->regions[0];
    condition = truth(&inside, condition);
    if (failed(condition)) return false;
    vec_push(c->g->arena, &region_at(c->g, l->regions[0])->results, condition);
    ValueId *inputs = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    ValueId *outputs = NEW_ARRAY(c->im->arena, ValueId, l->total + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->total; i++) {
        if (l->remade[i]) continue;
        inputs[n++] = l->init[i];
        vec_push(c->g->arena, &region_at(c->g, l->regions[1])->results, l->results[i]);
    }
    NodeSpec spec = {.op = OP_WHILE,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .inputs = inputs,
                     .n_inputs = n,
                     .n_outputs = n,
                     .regions = l->regions,
                     .n_regions = 2};
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    if (id.i == 0) return false;
    c->n_out = l->n;
    n = 0;
    for (uint32_t i = 0; i < l->total; i++) outputs[i] = l->remade[i] ? l->init[i] : node_at(c->g, id)->outputs[n++];
    memcpy(c->out, outputs, sizeof(ValueId) * l->n);
    for (uint32_t i = 0; i < l->n; i++)
        if (l->meta_at[i])
            ragged_register(c, outputs[i], outputs[l->meta_at[i]], &list_find(c->im, l->init[i])->element);
    return true;
}
