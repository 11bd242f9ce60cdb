/* import_branch: If and Case with their stateless twins. A branch is a function that becomes a region; what the
   branches give is joined: lists without contents get those of the others' shape, lists of values of different shapes
   become ragged ones, and values whose rank depends on the branch become values of run-time rank. */
#include "frontend/importer.h"

#include <string.h>

const TfFunction *import_function_attr(Import *c, const char *attr) {
    const TfAttr *a = tf_attr(c->n, attr);
    const TfFunction *f = a && a->kind == TF_ATTR_FUNC ? import_function(c->im, a->v.s) : NULL;
    if (!f)
        bad(c, "attribute %s names function '%s', which the graph does not define", attr,
            a && a->kind == TF_ATTR_FUNC ? a->v.s : "?");
    return f;
}

bool import_function_fits(Import *c, const TfFunction *f, uint32_t n_args) {
    return f->n_args == n_args ||
           bad(c, "passes %u values to function '%s' of %u arguments", n_args, f->name, f->n_args);
}

/* A condition of any type as TensorFlow takes it: numbers are compared with zero, tensors are true when they have
 * elements. */
ValueId import_truth(Import *c, ValueId v) {
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

/* ---- joining what branches give */

static bool same_element(const TfShape *a, const TfShape *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof(int64_t) * (size_t)(a->rank > 0 ? a->rank : 0)) == 0;
}

/* A list that is an object in some branches is taken out of it there. */
static bool join_boxed(Import *c, Branch *branches, uint32_t n, uint32_t result) {
    DType dtype = DTYPE_NONE;
    for (uint32_t i = 0; i < n; i++)
        if (!list_is_boxed(c, branches[i].results[result])) dtype = dtype_of(c, branches[i].results[result]);
    for (uint32_t i = 0; dtype != DTYPE_NONE && i < n; i++) {
        if (!list_is_boxed(c, branches[i].results[result])) continue;
        Import inside = *c;
        inside.r = branches[i].region;
        branches[i].results[result] = list_unbox_as(&inside, branches[i].results[result], dtype);
        if (failed(branches[i].results[result])) return false;
    }
    return true;
}

/* Makes a result a ragged list in every branch if it is one in some. */
static bool join_ragged(Import *c, Branch *branches, uint32_t n, uint32_t result) {
    int rank = -1;
    for (uint32_t i = 0; i < n; i++) {
        const ListInfo *list = list_find(c->im, branches[i].results[result]);
        if (!list || (!list->parts && !list->meta.i)) continue;
        rank = list->meta.i ? (int)dim_of(c, list->meta, 1).value - 1 : rank_of(c, list->parts[0]);
    }
    if (rank < 0) return true;
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

/* Makes a result a value of run-time rank in every branch if the branches differ in its rank. */
static bool join_ranks(Import *c, Branch *branches, uint32_t n, uint32_t result) {
    bool differ = false;
    uint32_t ranks = 0;
    for (uint32_t i = 0; i < n; i++) {
        ValueId v = branches[i].results[result];
        if (list_find(c->im, v)) return true;
        differ = differ || any_rank_find(c->im, v) || rank_of(c, v) != rank_of(c, branches[0].results[result]);
    }
    for (uint32_t i = 0; differ && i < n; i++) {
        Import inside = *c;
        inside.r = branches[i].region;
        branches[i].results[result] = any_rank_of(&inside, branches[i].results[result]);
        if (failed(branches[i].results[result])) return false;
        ranks |= any_rank_find(c->im, branches[i].results[result])->ranks;
    }
    for (uint32_t i = 0; differ && i < n; i++) any_rank_find(c->im, branches[i].results[result])->ranks = ranks;
    return true;
}

/* A list without contents in every branch stays one; in some of them: filled with zeros there, shaped like the others'.
 */
static bool join_lists(Import *c, Branch *branches, uint32_t n, uint32_t result, bool *still_empty, bool *same_count) {
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
            same = same && same_element(&list->element, &first->element);
        *same_count = *same_count && (!list || !first || dim_equal(list->count, first->count));
    }
    *still_empty = n_empty == n;
    if (n_empty == 0) return true;
    if (n_empty == n) return same || unsupported(c, "its branches give lists of different element shapes");
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

bool branches_join(Import *c, OpId op, const Passed *passed, uint32_t n, Branch *branches, uint32_t n_results) {
    Arena *a = c->im->arena;
    RegionId *regions = NEW_ARRAY(a, RegionId, n);
    uint32_t n_out = 0;
    bool *empty = NEW_ARRAY(a, bool, n_results + 1);
    bool *counted = NEW_ARRAY(a, bool, n_results + 1); /* a list without contents whose length depends on the branch */
    if (n_results > IMPORT_MAX_OUTPUTS) return unsupported(c, "has more than %d results", IMPORT_MAX_OUTPUTS);
    for (uint32_t i = 0; i < n; i++) regions[i] = branches[i].region;
    for (uint32_t k = 0; k < n_results; k++) {
        if (!join_boxed(c, branches, n, k) || !join_ragged(c, branches, n, k) || !join_ranks(c, branches, n, k))
            return false;
        bool is_pair = companion_of(c->im, branches[0].results[k]).i;
        bool same_count = true;
        if (!is_pair && !join_lists(c, branches, n, k, &empty[k], &same_count)) return false;
        counted[k] = empty[k] && !same_count;
        n_out += !empty[k];
        for (uint32_t i = 0; i < n && !empty[k]; i++)
            vec_push(c->g->arena, &region_at(c->g, regions[i])->results, branches[i].results[k]);
    }
    uint32_t n_values = n_out;
    for (uint32_t k = 0; k < n_results; k++) {
        if (!companion_of(c->im, branches[0].results[k]).i) continue;
        n_out++;
        for (uint32_t i = 0; i < n; i++)
            vec_push(c->g->arena, &region_at(c->g, regions[i])->results, companion_of(c->im, branches[i].results[k]));
    }
    uint32_t n_pairs = n_out;
    for (uint32_t k = 0; k < n_results; k++) {
        n_out += counted[k];
        for (uint32_t i = 0; i < n && counted[k]; i++) {
            Dim count = list_find(c->im, branches[i].results[k])->count;
            ValueId v = build_dims(c->g, regions[i], DTYPE_S64, 0, 1, &count, c->n->name);
            vec_push(c->g->arena, &region_at(c->g, regions[i])->results, v);
        }
    }
    c->n_out = n_results;
    NodeId id = {0};
    if (n_out > 0) {
        NodeSpec spec = {.op = op,
                         .name = c->n->name,
                         .tf_op = c->n->op,
                         .inputs = passed->inputs,
                         .n_inputs = passed->n_inputs,
                         .n_outputs = n_out,
                         .regions = regions,
                         .n_regions = n};
        id = graph_add(c->g, c->r, &spec, c->d);
        if (id.i == 0) return false;
    }
    uint32_t at = 0;
    for (uint32_t k = 0; k < n_results; k++) {
        ValueId inside = branches[0].results[k];
        if (!empty[k]) {
            c->out[k] = node_at(c->g, id)->outputs[at++];
            if (companion_of(c->im, inside).i)
                companion_adopt(c, inside, c->out[k], node_at(c->g, id)->outputs[n_values++]);
            continue;
        }
        ListInfo list = *list_find(c->im, inside);
        int n_count = 0;
        if (counted[k] && !load_content(c, node_at(c->g, id)->outputs[n_pairs++], 0, &list.count, &n_count, 1,
                                        "the length of a list"))
            return false;
        c->out[k] = list_new(c, list.count, list.dtype, &list.element);
        list_find(c->im, c->out[k])->dynamic = list.dynamic;
        list_find(c->im, c->out[k])->handle = list.handle;
        list_find(c->im, c->out[k])->gradient = list.gradient;
    }
    return true;
}

/* ---- If, Case */

/* Whether a branch pushes to stacks or pops from them. */
static bool has_effect(const Import *c, uint32_t n, const TfFunction *const *functions) {
    bool effect = false;
    for (uint32_t i = 0; i < n; i++) effect = effect || c->im->function_effect[functions[i] - c->im->tf->functions];
    return effect;
}

/* Of a stack that is passed to branches, its list is: as a value and, behind the results, what the branch leaves of it.
 */
static bool import_branches(Import *c, OpId op, ValueId selector, uint32_t n, const TfFunction *const *functions) {
    Arena *a = c->im->arena;
    const uint32_t n_results = functions[0]->n_results, n_args = c->n_in - 1;
    ValueId *args = arena_memdup(a, c->in + 1, sizeof(ValueId) * (n_args + 1));
    const ValueId *handles = c->in + 1;
    uint32_t *stacks = NEW_ARRAY(a, uint32_t, n_args + 1);
    uint32_t n_stacks = 0;
    for (uint32_t i = 0; i < n_args && has_effect(c, n, functions); i++) {
        StackInfo *stack = stack_find(c->im, handles[i]);
        if (!stack || stack->region != c->r.i) continue;
        args[i] = stack_list(c, stack);
        stacks[n_stacks++] = i;
    }
    Passed passed;
    if (!region_pass(c, n_args, args, &passed)) return false;
    passed.inputs[0] = selector;
    Branch *branches = NEW_ARRAY(a, Branch, n);
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        const TfFunction *f = functions[i];
        if (!import_function_fits(c, f, passed.n)) return false;
        if (f->n_results != n_results) return bad(c, "its branches have different numbers of results");
        branches[i].region = graph_add_region(c->g, (NodeId){0});
        branches[i].results = NEW_ARRAY(a, ValueId, n_results + n_stacks + 1);
        ValueId *inside = NEW_ARRAY(a, ValueId, f->n_args + 1);
        region_receive(c, &passed, branches[i].region, f->arg_names, inside);
        for (uint32_t k = 0; k < n_stacks; k++)
            stack_register(c->im, inside[stacks[k]], branches[i].region, inside[stacks[k]]);
        ok = import_call(c->im, f, c->n, branches[i].region, inside, NULL, branches[i].results) && ok;
        Import in_branch = *c;
        in_branch.r = branches[i].region;
        for (uint32_t k = 0; ok && k < n_stacks; k++) {
            ValueId list = stack_list(&in_branch, stack_find(c->im, inside[stacks[k]]));
            branches[i].results[n_results + k] = list;
            ok = !failed(list);
        }
    }
    if (!ok || !branches_join(c, op, &passed, n, branches, n_results + n_stacks)) return false;
    for (uint32_t k = 0; k < n_stacks; k++) stack_find(c->im, handles[stacks[k]])->list = c->out[n_results + k];
    c->n_out = n_results;
    return true;
}

/* A branch number that is known here: a constant, or sizes that were compared. */
static bool is_known(const Import *c, ValueId v, int64_t *out) {
    const Value *value = value_at(c->g, v);
    const Tensor *constant = value_const(c->g, v);
    if (value->content && !value->may_wrap && value->shape.rank == 0 && dim_is_const(value->content[0]))
        return *out = value->content[0].value, true;
    if (!constant || tensor_count(constant) != 1) return false;
    *out = tensor_get_i64(constant, 0);
    return true;
}

bool import_if(Import *c) {
    const TfFunction *branches[2] = {import_function_attr(c, "then_branch"), import_function_attr(c, "else_branch")};
    if (!branches[0] || !branches[1]) return false;
    ValueId condition = import_truth(c, c->in[0]);
    if (failed(condition)) return false;
    int64_t known;
    if (is_known(c, condition, &known)) {
        const TfFunction *f = branches[known ? 0 : 1];
        c->n_out = f->n_results;
        return import_function_fits(c, f, c->n_in - 1) && f->n_results <= IMPORT_MAX_OUTPUTS &&
               import_call(c->im, f, c->n, c->r, c->in + 1, NULL, c->out);
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
        return import_function_fits(c, f, c->n_in - 1) && f->n_results <= IMPORT_MAX_OUTPUTS &&
               import_call(c->im, f, c->n, c->r, c->in + 1, NULL, c->out);
    }
    ValueId selector = make_cast(c, c->in[0], DTYPE_S32);
    return !failed(selector) && import_branches(c, OP_CASE, selector, list->n, branches);
}
