/* list_value: TensorList as an ordinary tensor [count, element…]: reading is a gather, writing a dynamic update,
   stacking nothing at all. Elements that were never set are zeros, as in TensorFlow. All elements have one shape; lists
   of differing shapes are refused. A list whose element shape is not known yet carries a ListInfo instead of data
   (importer.h). TensorLists (import_list.c) and TensorArrays (import_tensor_array.c) are both made of these. */
#include "frontend/importer.h"

#include <string.h>

/* Values only get larger numbers, so the array is sorted. */
ListInfo *list_find(const Importer *im, ValueId v) {
    uint32_t low = 0;
    uint32_t high = im->lists.len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (im->lists.data[middle].value < v.i)
            low = middle + 1;
        else
            high = middle;
    }
    return low < im->lists.len && im->lists.data[low].value == v.i ? &im->lists.data[low] : NULL;
}

ListStated list_stated(const Importer *im, ValueId v) {
    const ListInfo *info = list_find(im, v);
    if (info) return (ListStated){info->element, info->said, true};
    for (uint32_t i = im->stated.len; i > 0 && i + 64 > im->stated.len; i--)
        if (im->stated.data[i - 1].value == v.i)
            return (ListStated){im->stated.data[i - 1].element, im->stated.data[i - 1].said, true};
    return (ListStated){.element = {.rank = -1}};
}

void list_state(Importer *im, ValueId v, const ListStated *stated) {
    ListInfo *info = list_find(im, v);
    if (failed(v) || !stated->known) return;
    if (info)
        info->said = stated->said;
    else
        vec_push(im->arena, &im->stated, (StatedShape){v.i, stated->element, stated->said});
}

ValueId list_new(Import *c, Dim count, DType dtype, const TfShape *element) {
    ValueId v = make_zero(c, dtype);
    if (failed(v)) return v;
    vec_push(c->im->arena, &c->im->lists,
             (ListInfo){.value = v.i, .count = count, .dtype = dtype, .element = *element});
    return v;
}

ValueId list_materialise_in(Importer *im, RegionId r, const char *name, ValueId list, const Shape *element, Diag *d) {
    const ListInfo *info = list_find(im, list);
    if (!info) return list;
    if (info->parts) {
        diag_unsupported(d, name, NULL, "uses a list of values of different shapes as a whole");
        return (ValueId){0};
    }
    Shape s = {.rank = element->rank + 1, .dims = {info->count}};
    if (s.rank > MAX_RANK) {
        diag_error(d, name, NULL, "a list of values with more than %d dimensions", MAX_RANK - 1);
        return (ValueId){0};
    }
    memcpy(&s.dims[1], element->dims, sizeof(Dim) * (size_t)element->rank);
    Tensor zero = tensor_new(im->g->arena, info->dtype, 0, NULL);
    ValueId v = build_const(im->g, r, &zero, name);
    return build_broadcast(im->g, r, v, &s, name, d);
}

ValueId list_materialise(Import *c, ValueId list, const Shape *element) {
    return list_materialise_in(c->im, c->r, c->n->name, list, element, c->d);
}

/* The element shape that an operand states, as far as it is known without running anything. */
TfShape list_stated_element(const Import *c, ValueId v) {
    TfShape s = {.rank = -1};
    const Tensor *t = value_const(c->g, v);
    const Value *value = value_at(c->g, v);
    int64_t n = shape_count(&value->shape);
    if (value->shape.rank != 1 || n < 0 || n > MAX_RANK) return s;
    s.rank = (int)n;
    for (int i = 0; i < n; i++) {
        s.dims[i] = -1;
        if (t)
            s.dims[i] = tensor_get_i64(t, i);
        else if (value->content && !value->may_wrap && dim_is_const(value->content[i]))
            s.dims[i] = value->content[i].value;
    }
    return s;
}

ListStated list_stated_by(const Import *c, ValueId v) {
    ListStated out = {.element = list_stated_element(c, v), .known = true};
    bool all = value_const(c->g, v) != NULL;
    const Value *value = value_at(c->g, v);
    int64_t n = shape_count(&value->shape);
    if (value->content && !value->may_wrap) {
        all = true;
        for (int64_t i = 0; i < n; i++) all = all && dim_is_const(value->content[i]);
    }
    if (!all && n != 0) out.said = v;
    return out;
}

static bool fully_known(const TfShape *s, Shape *out) {
    if (s->rank < 0) return false;
    out->rank = s->rank;
    for (int i = 0; i < s->rank; i++) {
        if (s->dims[i] < 0) return false;
        out->dims[i] = dim_const(s->dims[i]);
    }
    return true;
}

ValueId list_start(Import *c, Dim count, DType dtype, const TfShape *element) {
    Shape known;
    if (dtype == DTYPE_RESOURCE) {
        unsupported(c, "lists of resources are not compiled");
        return (ValueId){0};
    }
    ValueId list = list_new(c, count, dtype, element);
    return fully_known(element, &known) ? list_materialise(c, list, &known) : list;
}

/* A list of values that differ in shape: only known indices, and joining all of them, make sense then. */
static ValueId list_of_parts(Import *c, uint32_t n, const ValueId *parts) {
    TfShape unknown = {.rank = -1};
    ValueId list = list_new(c, dim_const(n), dtype_of(c, parts[0]), &unknown);
    list_find(c->im, list)->parts = arena_memdup(c->im->arena, parts, sizeof(ValueId) * n);
    return list;
}

/* Element `index` of such a list, NULL after a message. */
static const ValueId *part_at(Import *c, const ListInfo *list, ValueId index) {
    const Tensor *t = value_const(c->g, index);
    if (!t || tensor_count(t) != 1) {
        unsupported(c, "takes a value by an index of the run out of a list of values of different shapes");
        return NULL;
    }
    int64_t i = tensor_get_i64(t, 0);
    if (i < 0 || i >= list->count.value) {
        bad(c, "index %lld is outside of a list of %lld", (long long)i, (long long)list->count.value);
        return NULL;
    }
    return &list->parts[i];
}

/* The list as a tensor; an empty one by the element shape that operand `stated` (or the list itself) knows. */
ValueId list_tensor(Import *c, ValueId list, const TfShape *stated) {
    Shape element;
    const ListInfo *info = list_find(c->im, list);
    if (!info) return list;
    if (info->parts) list = ragged_of(c, list, 0);
    if (list_is_ragged(c->im, list)) return ragged_stack(c, list, (ValueId){0}, stated);
    if (failed(list)) return list;
    if (fully_known(&info->element, &element) || (stated && fully_known(stated, &element)))
        return list_materialise(c, list, &element);
    unsupported(c, "uses a list before anything was put into it, and the shape of its elements is not known");
    return (ValueId){0};
}

Dim list_count(const Import *c, ValueId list) {
    const ListInfo *info = list_find(c->im, list);
    return !info ? dim_of(c, list, 0) : info->meta.i ? dim_of(c, info->meta, 0) : info->count;
}

/* Whether an item may be said to have the shape of the list's elements: sizes are the same, or one of them is a
   constant. Others make the list a ragged one. */
bool list_fits(const Import *c, ValueId list, ValueId item) {
    if (failed(list) || failed(item)) return true;
    Shape have = shape_copy(c, item);
    Shape want = shape_copy(c, list);
    if (have.rank != want.rank - 1) return true; /* list_fit_item says so */
    for (int i = 0; i < have.rank; i++) {
        bool constants = dim_is_const(have.dims[i]) + dim_is_const(want.dims[i + 1]) == 1;
        if (!dim_equal(have.dims[i], want.dims[i + 1]) && !constants) return false;
    }
    return true;
}

/* Item with the shape of the list's elements, which it must have. Sizes that are only known to be equal at run time are
 * renamed. */
ValueId list_fit_item(Import *c, ValueId list, ValueId item, int leading) {
    Shape have = shape_copy(c, item);
    Shape want = shape_copy(c, list);
    int differ = 0;
    if (have.rank != want.rank - 1 + leading) {
        unsupported(
            c, "puts a value of rank %d into a list of values of rank %d; lists of differing shapes are not compiled",
            have.rank - leading, want.rank - 1);
        return (ValueId){0};
    }
    Shape to = have;
    for (int i = leading; i < have.rank; i++) {
        Dim w = want.dims[i + 1 - leading];
        if (dim_equal(have.dims[i], w)) continue;
        if (dim_is_const(have.dims[i]) && dim_is_const(w)) {
            unsupported(c, "puts values of different shapes into one list");
            return (ValueId){0};
        }
        if (!make_require(c, "equal", have.dims[i], w)) return (ValueId){0};
        differ++;
        to.dims[i] = w;
    }
    return differ ? make_reshape(c, item, &to) : item;
}

/* [index, 0, 0 …] for a list of this rank. */
static ValueId begin_at(Import *c, ValueId index, int rank) {
    static const int64_t zeros[MAX_RANK];
    ValueId first = make_expand(c, index, 0);
    if (rank == 1) return first;
    Tensor rest = tensor_ints(c->g->arena, dtype_of(c, index), rank - 1, zeros);
    ValueId parts[2] = {first, make_const(c, &rest)};
    return make_concat(c, 2, parts, 0);
}

/* A list long enough for `count` elements: zeros are added. */
ValueId list_grow(Import *c, ValueId list, Dim count) {
    ListInfo *info = list_find(c->im, list);
    DimTable *t = &c->g->dims;
    Dim have = list_count(c, list);
    Dim want = dim_max(t, have, count);
    if (dim_equal(have, want)) return list;
    if (info && info->parts) list = ragged_of(c, list, 0);
    if (list_is_ragged(c->im, list)) return ragged_resize(c, list, want);
    if (info) return list_new(c, want, info->dtype, &info->element);
    Shape more = shape_copy(c, list);
    more.dims[0] = dim_sub(t, want, have);
    ValueId parts[2] = {list, make_broadcast(c, make_zero(c, dtype_of(c, list)), &more)};
    return make_concat(c, 2, parts, 0);
}

ValueId list_get(Import *c, ValueId list, ValueId index, const TfShape *stated) {
    const ListInfo *info = list_find(c->im, list);
    if (info && info->parts && value_const(c->g, index)) {
        const ValueId *at = part_at(c, info, index);
        return at ? *at : (ValueId){0};
    }
    if (info && info->parts) list = ragged_of(c, list, 0);
    if (list_is_ragged(c->im, list)) return ragged_get(c, list, index, stated);
    ValueId x = list_tensor(c, list, stated);
    return failed(x) ? x : make_gather(c, x, index, 0, 0, false);
}

/* A list as one of values that may differ in rank, where the place that is written is known; {0}: it is not. */
static ValueId parts_of(Import *c, ValueId list, ValueId index) {
    ValueId parts[MAX_CONTENT];
    Dim count = dim_of(c, list, 0);
    if (!dim_is_const(count) || count.value < 1 || count.value > MAX_CONTENT || !value_const(c->g, index))
        return (ValueId){0};
    for (int64_t i = 0; i < count.value; i++) {
        parts[i] = make_index(c, list, 0, dim_const(i));
        if (failed(parts[i])) return (ValueId){0};
    }
    return list_of_parts(c, (uint32_t)count.value, parts);
}

ValueId list_set(Import *c, ValueId list, ValueId index, ValueId item, bool grows) {
    if (grows) {
        Dim at[1];
        int n = 0;
        if (!load_content(c, index, 0, at, &n, 1, "the index")) return (ValueId){0};
        list = list_grow(c, list, d_add(c, at[0], dim_const(1)));
    }
    const ListInfo *info = failed(list) ? NULL : list_find(c->im, list);
    if (info && info->parts && !value_const(c->g, index)) {
        list = ragged_of(c, list, 0);
        info = list_find(c->im, list);
    }
    if (info && info->meta.i) return ragged_set(c, list, index, item);
    if (info && info->parts) {
        const ValueId *at = part_at(c, info, index);
        ValueId *parts = arena_memdup(c->im->arena, info->parts, sizeof(ValueId) * (size_t)info->count.value);
        if (at) parts[at - info->parts] = item;
        return at ? list_of_parts(c, (uint32_t)info->count.value, parts) : (ValueId){0};
    }
    if (info) {
        Shape s = shape_copy(c, item);
        list = list_materialise(c, list, &s);
    }
    if (failed(list) || failed(item)) return (ValueId){0};
    if (rank_of(c, item) != rank_of(c, list) - 1) {
        ValueId parts = parts_of(c, list, index);
        if (!failed(parts)) return list_set(c, parts, index, item, false);
    }
    if (!list_fits(c, list, item)) return ragged_set(c, ragged_of(c, list, 0), index, item);
    item = list_fit_item(c, list, item, 0);
    ValueId row = make_expand(c, item, 0);
    ValueId begin = begin_at(c, index, rank_of(c, list));
    ValueId inputs[] = {list, row, begin};
    Attr checked = attr_int("checked", 1);
    return import_node(c, OP_DYNAMIC_UPDATE, 3, inputs, 1, &checked);
}

/* Whether indices are 0, 1 … count - 1. */
static bool is_all_in_order(const Import *c, ValueId indices, Dim count) {
    const Tensor *t = value_const(c->g, indices);
    if (t) {
        int64_t n = tensor_count(t);
        if (!dim_is(count, n)) return false;
        for (int64_t i = 0; i < n; i++)
            if (tensor_get_i64(t, i) != i) return false;
        return true;
    }
    const Value *v = value_at(c->g, indices);
    return v->def.i && node_at(c->g, v->def)->op == OP_IOTA && v->shape.rank == 1 && dim_equal(v->shape.dims[0], count);
}

ValueId list_gather(Import *c, ValueId list, ValueId indices, const TfShape *stated) {
    const ListInfo *info = list_find(c->im, list);
    if (info && info->parts) list = ragged_of(c, list, 0);
    if (list_is_ragged(c->im, list)) return ragged_stack(c, list, indices, stated);
    list = list_tensor(c, list, stated);
    if (failed(list) || (rank_of(c, indices) == 1 && is_all_in_order(c, indices, dim_of(c, list, 0)))) return list;
    return make_gather(c, list, indices, 0, 0, false);
}

bool list_needed_count(Import *c, ValueId indices, Dim *out) {
    const Value *v = value_at(c->g, indices);
    const Tensor *t = value_const(c->g, indices);
    *out = dim_const(0);
    if (v->def.i && node_at(c->g, v->def)->op == OP_IOTA) {
        *out = v->shape.dims[0];
        return true;
    }
    if (t) {
        int64_t most = -1;
        for (int64_t i = 0; i < tensor_count(t); i++) most = tensor_get_i64(t, i) > most ? tensor_get_i64(t, i) : most;
        *out = dim_const(most + 1);
        return true;
    }
    int64_t axis = 0;
    int n = 0;
    ValueId least = make_scalar_int(c, dtype_of(c, indices), -1);
    ValueId largest = make_reduce(c, indices, "max", 1, &axis, false);
    largest = make_binary(c, OP_MAX, largest, least);
    if (!load_content(c, largest, -1, out, &n, 1, "the largest index")) return false;
    *out = d_add(c, *out, dim_const(1));
    return true;
}

/* Writes rows of `values` at `indices`; the list grows when `grows`. */
ValueId list_scatter(Import *c, ValueId list, ValueId indices, ValueId values, bool grows) {
    ValueId none = {0};
    if (rank_of(c, values) < 1 || rank_of(c, indices) != 1) {
        bad(c, "needs a vector of indices and a value for each");
        return none;
    }
    if (grows) {
        Dim needed;
        if (!list_needed_count(c, indices, &needed)) return none;
        list = list_grow(c, list, needed);
    }
    const ListInfo *info = failed(list) ? NULL : list_find(c->im, list);
    if (info && info->parts) list = ragged_of(c, list, 0);
    if (failed(list) || list_is_ragged(c->im, list)) return ragged_scatter(c, list, indices, values);
    Dim count = list_count(c, list);
    if (is_all_in_order(c, indices, count) && list_find(c->im, list) && dim_equal(dim_of(c, values, 0), count))
        return values;
    if (list_find(c->im, list)) {
        Shape s = shape_copy(c, values);
        memmove(&s.dims[0], &s.dims[1], sizeof(Dim) * (size_t)(s.rank - 1));
        s.rank--;
        list = list_materialise(c, list, &s);
    }
    values = list_fit_item(c, list, values, 1);
    ValueId at = make_expand(c, indices, 1);
    return make_scatter(c, list, at, values, "update");
}

static bool concat_parts(Import *c, const ListInfo *list) {
    uint32_t n = (uint32_t)list->count.value;
    Dim *lengths = NEW_ARRAY(c->im->arena, Dim, n);
    for (uint32_t i = 0; i < n; i++) {
        if (rank_of(c, list->parts[i]) < 1) return bad(c, "concatenates scalars");
        lengths[i] = dim_of(c, list->parts[i], 0);
    }
    c->out[0] = make_concat(c, n, list->parts, 0);
    c->out[1] = make_dims(c, DTYPE_S64, 1, n, lengths);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

/* All elements one after the other along their first dim; out[1] gets their lengths. */
bool list_concat(Import *c, ValueId list, const TfShape *stated) {
    const ListInfo *info = list_find(c->im, list);
    if (info && info->parts) return concat_parts(c, info);
    if (info && info->meta.i) return ragged_concat(c, list, stated);
    ValueId x = list_tensor(c, list, stated);
    Shape s = shape_copy(c, x);
    if (failed(x)) return false;
    if (s.rank < 2) return bad(c, "concatenates scalars");
    Shape lengths = {.rank = 1, .dims = {s.dims[0]}};
    ValueId length = make_dims(c, DTYPE_S64, 0, 1, &s.dims[1]);
    c->out[1] = make_broadcast(c, length, &lengths);
    s.dims[1] = d_mul(c, s.dims[0], s.dims[1]);
    memmove(&s.dims[0], &s.dims[1], sizeof(Dim) * (size_t)(s.rank - 1));
    s.rank--;
    c->out[0] = make_reshape(c, x, &s);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

/* A tensor cut into pieces of these lengths. */
ValueId list_split(Import *c, ValueId x, ValueId lengths) {
    ValueId none = {0};
    Dim sizes[MAX_CONTENT];
    int n = 0;
    Shape s = shape_copy(c, x);
    if (s.rank < 1 || s.rank >= MAX_RANK) {
        bad(c, "cannot cut a value of rank %d", s.rank);
        return none;
    }
    int64_t n_lengths = shape_count(&value_at(c->g, lengths)->shape);
    if (n_lengths < 0 || n_lengths > MAX_CONTENT) return ragged_split(c, x, lengths);
    if (!load_content(c, lengths, 0, sizes, &n, MAX_CONTENT, "the lengths")) return none;
    bool equal = true;
    for (int i = 1; i < n; i++) equal = equal && dim_equal(sizes[i], sizes[0]);
    if (!equal) {
        ValueId parts[MAX_CONTENT];
        Dim at = dim_const(0);
        for (int i = 0; i < n; i++) {
            parts[i] = make_slice_axis(c, x, 0, at, sizes[i]);
            at = d_add(c, at, sizes[i]);
            if (failed(parts[i])) return none;
        }
        return list_of_parts(c, (uint32_t)n, parts);
    }
    Shape to = {.rank = s.rank + 1, .dims = {dim_const(n), n ? sizes[0] : dim_const(0)}};
    memcpy(&to.dims[2], &s.dims[1], sizeof(Dim) * (size_t)(s.rank - 1));
    return make_reshape(c, x, &to);
}
