/* import_list: TensorList as an ordinary tensor [count, element…]: reading is a gather, writing a dynamic update, stacking nothing at all.
   Elements that were never set are zeros, as in TensorFlow. All elements have one shape; lists of differing shapes are refused. A list whose
   element shape is not known yet carries a ListInfo instead of data (importer.h). TensorArrays (import_tensor_array.c) are the same. */
#include "frontend/importer.h"
#include <string.h>

/* Values only get larger numbers, so the array is sorted. */
ListInfo *list_find(const Importer *im, ValueId v)
{
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

const TfShape *list_stated(const Importer *im, ValueId v)
{
    for (uint32_t i = im->stated.len; i > 0 && i + 64 > im->stated.len; i--)
        if (im->stated.data[i - 1].value == v.i)
            return &im->stated.data[i - 1].element;
    return NULL;
}

void list_state(Importer *im, ValueId v, const TfShape *element)
{
    if (element && !failed(v) && !list_find(im, v))
        vec_push(im->arena, &im->stated, (StatedShape){v.i, *element});
}

ValueId list_new(Import *c, Dim count, DType dtype, const TfShape *element)
{
    ValueId v = make_zero(c, dtype);
    vec_push(c->im->arena, &c->im->lists, (ListInfo){.value = v.i, .count = count, .dtype = dtype, .element = *element});
    return v;
}

ValueId list_materialise_in(Importer *im, RegionId r, const char *name, ValueId list, const Shape *element, Diag *d)
{
    const ListInfo *info = list_find(im, list);
    if (!info)
        return list;
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

ValueId list_materialise(Import *c, ValueId list, const Shape *element)
{
    return list_materialise_in(c->im, c->r, c->n->name, list, element, c->d);
}

/* The element shape that an operand states, as far as it is known without running anything. */
static TfShape stated_element(const Import *c, ValueId v)
{
    TfShape s = {.rank = -1};
    const Tensor *t = value_const(c->g, v);
    const Value *value = value_at(c->g, v);
    int64_t n = shape_count(&value->shape);
    if (value->shape.rank != 1 || n < 0 || n > MAX_RANK)
        return s;
    s.rank = (int)n;
    for (int i = 0; i < n; i++) {
        s.dims[i] = -1;
        if (t)
            s.dims[i] = tensor_get_i64(t, i);
        else if (value->content && dim_is_const(value->content[i]))
            s.dims[i] = value->content[i].value;
    }
    return s;
}

static bool fully_known(const TfShape *s, Shape *out)
{
    if (s->rank < 0)
        return false;
    out->rank = s->rank;
    for (int i = 0; i < s->rank; i++) {
        if (s->dims[i] < 0)
            return false;
        out->dims[i] = dim_const(s->dims[i]);
    }
    return true;
}

ValueId list_start(Import *c, Dim count, DType dtype, const TfShape *element)
{
    Shape known;
    if (dtype_info(dtype)->class_ == CLASS_HANDLE) {
        unsupported(c, "lists of lists are not compiled");
        return (ValueId){0};
    }
    ValueId list = list_new(c, count, dtype, element);
    return fully_known(element, &known) ? list_materialise(c, list, &known) : list;
}

/* The list as a tensor; an empty one by the element shape that operand `stated` (or the list itself) knows. */
ValueId list_tensor(Import *c, ValueId list, const TfShape *stated)
{
    Shape element;
    const ListInfo *info = list_find(c->im, list);
    if (!info)
        return list;
    if (fully_known(&info->element, &element) || (stated && fully_known(stated, &element)))
        return list_materialise(c, list, &element);
    unsupported(c, "uses a list before anything was put into it, and the shape of its elements is not known");
    return (ValueId){0};
}

Dim list_count(const Import *c, ValueId list)
{
    const ListInfo *info = list_find(c->im, list);
    return info ? info->count : dim_of(c, list, 0);
}

/* Item with the shape of the list's elements, which it must have. Sizes that are only known to be equal at run time are renamed. */
static ValueId fit_item(Import *c, ValueId list, ValueId item, int leading)
{
    Shape have = shape_copy(c, item);
    Shape want = shape_copy(c, list);
    int differ = 0;
    if (have.rank != want.rank - 1 + leading) {
        unsupported(c, "puts a value of rank %d into a list of values of rank %d; lists of differing shapes are not compiled", have.rank - leading, want.rank - 1);
        return (ValueId){0};
    }
    Shape to = have;
    for (int i = leading; i < have.rank; i++) {
        Dim w = want.dims[i + 1 - leading];
        if (dim_equal(have.dims[i], w))
            continue;
        if (differ++ > 0 || (dim_is_const(have.dims[i]) && dim_is_const(w))) {
            unsupported(c, "puts values of different shapes into one list");
            return (ValueId){0};
        }
        to.dims[i] = w;
    }
    return differ ? make_reshape(c, item, &to) : item;
}

/* [index, 0, 0 …] for a list of this rank. */
static ValueId begin_at(Import *c, ValueId index, int rank)
{
    static const int64_t zeros[MAX_RANK];
    ValueId first = make_expand(c, index, 0);
    if (rank == 1)
        return first;
    Tensor rest = tensor_ints(c->g->arena, dtype_of(c, index), rank - 1, zeros);
    ValueId parts[2] = {first, make_const(c, &rest)};
    return make_concat(c, 2, parts, 0);
}

/* A list long enough for `count` elements: zeros are added. */
ValueId list_grow(Import *c, ValueId list, Dim count)
{
    ListInfo *info = list_find(c->im, list);
    DimTable *t = &c->g->dims;
    Dim have = list_count(c, list);
    Dim want = dim_max(t, have, count);
    if (dim_equal(have, want))
        return list;
    if (info)
        return list_new(c, want, info->dtype, &info->element);
    Dim before[MAX_RANK] = {{0, 0}};
    Dim after[MAX_RANK] = {{0, 0}};
    after[0] = dim_sub(t, want, have);
    ValueId zero = make_zero(c, dtype_of(c, list));
    return make_pad(c, list, zero, before, after, "constant");
}

ValueId list_set(Import *c, ValueId list, ValueId index, ValueId item, bool grows)
{
    if (list_find(c->im, item)) {
        unsupported(c, "lists of lists are not compiled");
        return (ValueId){0};
    }
    if (grows) {
        Dim at[1];
        int n = 0;
        if (!load_content(c, index, 0, at, &n, 1, "the index"))
            return (ValueId){0};
        list = list_grow(c, list, d_add(c, at[0], dim_const(1)));
    }
    if (!failed(list) && list_find(c->im, list)) {
        Shape s = shape_copy(c, item);
        list = list_materialise(c, list, &s);
    }
    if (failed(list))
        return list;
    item = fit_item(c, list, item, 0);
    ValueId row = make_expand(c, item, 0);
    ValueId begin = begin_at(c, index, rank_of(c, list));
    ValueId inputs[] = {list, row, begin};
    return import_node(c, OP_DYNAMIC_UPDATE, 3, inputs, 0, NULL);
}

/* Whether indices are 0, 1 … count - 1. */
static bool is_all_in_order(const Import *c, ValueId indices, Dim count)
{
    const Tensor *t = value_const(c->g, indices);
    if (t) {
        int64_t n = tensor_count(t);
        if (!dim_is(count, n))
            return false;
        for (int64_t i = 0; i < n; i++)
            if (tensor_get_i64(t, i) != i)
                return false;
        return true;
    }
    const Value *v = value_at(c->g, indices);
    return v->def.i && node_at(c->g, v->def)->op == OP_IOTA && v->shape.rank == 1 && dim_equal(v->shape.dims[0], count);
}

ValueId list_gather(Import *c, ValueId list, ValueId indices, const TfShape *stated)
{
    list = list_tensor(c, list, stated);
    if (failed(list) || (rank_of(c, indices) == 1 && is_all_in_order(c, indices, dim_of(c, list, 0))))
        return list;
    return make_gather(c, list, indices, 0, 0, false);
}

/* How many elements a list must have to be written at these indices. */
static bool needed_count(Import *c, ValueId indices, Dim *out)
{
    const Value *v = value_at(c->g, indices);
    const Tensor *t = value_const(c->g, indices);
    *out = dim_const(0);
    if (v->def.i && node_at(c->g, v->def)->op == OP_IOTA) {
        *out = v->shape.dims[0];
        return true;
    }
    if (t) {
        int64_t most = -1;
        for (int64_t i = 0; i < tensor_count(t); i++)
            most = tensor_get_i64(t, i) > most ? tensor_get_i64(t, i) : most;
        *out = dim_const(most + 1);
        return true;
    }
    int64_t axis = 0;
    int n = 0;
    ValueId least = make_scalar_int(c, dtype_of(c, indices), -1);
    ValueId largest = make_reduce(c, indices, "max", 1, &axis, false);
    largest = make_binary(c, OP_MAX, largest, least);
    if (!load_content(c, largest, -1, out, &n, 1, "the largest index"))
        return false;
    *out = d_add(c, *out, dim_const(1));
    return true;
}

/* Writes rows of `values` at `indices`; the list grows when `grows`. */
ValueId list_scatter(Import *c, ValueId list, ValueId indices, ValueId values, bool grows)
{
    ValueId none = {0};
    if (rank_of(c, values) < 1 || rank_of(c, indices) != 1) {
        bad(c, "needs a vector of indices and a value for each");
        return none;
    }
    if (grows) {
        Dim needed;
        if (!needed_count(c, indices, &needed))
            return none;
        list = list_grow(c, list, needed);
    }
    if (failed(list))
        return list;
    Dim count = list_count(c, list);
    if (is_all_in_order(c, indices, count) && list_find(c->im, list) && dim_equal(dim_of(c, values, 0), count))
        return values;
    if (list_find(c->im, list)) {
        Shape s = shape_copy(c, values);
        memmove(&s.dims[0], &s.dims[1], sizeof(Dim) * (size_t)(s.rank - 1));
        s.rank--;
        list = list_materialise(c, list, &s);
    }
    values = fit_item(c, list, values, 1);
    ValueId at = make_expand(c, indices, 1);
    return make_scatter(c, list, at, values, "update");
}

/* All elements one after the other along their first dim; out[1] gets their lengths. */
bool list_concat(Import *c, ValueId list, const TfShape *stated)
{
    ValueId x = list_tensor(c, list, stated);
    Shape s = shape_copy(c, x);
    if (failed(x))
        return false;
    if (s.rank < 2)
        return bad(c, "concatenates scalars");
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

/* A tensor cut into pieces of these lengths, which must be equal. */
ValueId list_split(Import *c, ValueId x, ValueId lengths)
{
    ValueId none = {0};
    Dim sizes[MAX_CONTENT];
    int n = 0;
    if (!load_content(c, lengths, 0, sizes, &n, MAX_CONTENT, "the lengths"))
        return none;
    Shape s = shape_copy(c, x);
    if (s.rank < 1 || s.rank >= MAX_RANK) {
        bad(c, "cannot cut a value of rank %d", s.rank);
        return none;
    }
    for (int i = 1; i < n; i++)
        if (!dim_equal(sizes[i], sizes[0])) {
            unsupported(c, "makes a list of values of different lengths");
            return none;
        }
    Shape to = {.rank = s.rank + 1, .dims = {dim_const(n), n ? sizes[0] : dim_const(0)}};
    memcpy(&to.dims[2], &s.dims[1], sizeof(Dim) * (size_t)(s.rank - 1));
    return make_reshape(c, x, &to);
}

/* ---- ops */

bool import_list_reserve(Import *c)
{
    Dim n[1] = {{0, 0}};
    int n_n = 0;
    bool empty = import_row(c)->arg == 1; /* EmptyTensorList: its second operand is only a limit */
    if (!empty && !load_content(c, c->in[1], 0, n, &n_n, 1, "the number of elements"))
        return false;
    TfShape element = stated_element(c, c->in[0]);
    return give(c, list_start(c, n[0], attr_t(c, "element_dtype", DTYPE_F32), &element));
}

bool import_list_from_tensor(Import *c)
{
    if (rank_of(c, c->in[0]) < 1)
        return bad(c, "a scalar cannot be a list");
    if (c->n_in > 1) {
        TfShape element = stated_element(c, c->in[1]);
        list_state(c->im, c->in[0], &element);
    }
    return give(c, c->in[0]);
}

bool import_list_stack(Import *c)
{
    TfShape stated = stated_element(c, c->in[1]);
    int64_t promised = attr_i(c, "num_elements", -1);
    ValueId x = list_tensor(c, c->in[0], &stated);
    Shape s = shape_copy(c, x);
    if (!failed(x) && promised >= 0 && !dim_is_const(s.dims[0])) {
        s.dims[0] = dim_const(promised);
        x = make_reshape(c, x, &s);
    }
    return give(c, x);
}

bool import_list_get(Import *c)
{
    TfShape stated = stated_element(c, c->in[2]);
    ValueId x = list_tensor(c, c->in[0], &stated);
    return !failed(x) && give(c, make_gather(c, x, c->in[1], 0, 0, false));
}

bool import_list_set(Import *c)
{
    const ListInfo *info = list_find(c->im, c->in[0]);
    const TfShape *stated = info ? &info->element : list_stated(c->im, c->in[0]);
    TfShape element = stated ? *stated : (TfShape){.rank = -1};
    ValueId list = list_set(c, c->in[0], c->in[1], c->in[2], attr_i(c, "resize_if_index_out_of_bounds", 0) != 0);
    list_state(c->im, list, stated ? &element : NULL);
    return give(c, list);
}

bool import_list_push(Import *c)
{
    ValueId list = c->in[0];
    if (list_find(c->im, c->in[1]))
        return unsupported(c, "lists of lists are not compiled");
    if (list_find(c->im, list)) {
        Shape s = shape_copy(c, c->in[1]);
        list = list_materialise(c, list, &s);
    }
    if (failed(list))
        return false;
    ValueId item = fit_item(c, list, c->in[1], 0);
    ValueId parts[2] = {list, make_expand(c, item, 0)};
    return give(c, make_concat(c, 2, parts, 0));
}

bool import_list_pop(Import *c)
{
    TfShape stated = stated_element(c, c->in[1]);
    ValueId x = list_tensor(c, c->in[0], &stated);
    if (failed(x))
        return false;
    Dim count = dim_of(c, x, 0);
    if (dim_is(count, 0))
        return bad(c, "takes an element out of an empty list");
    Dim rest = d_sub(c, count, dim_const(1));
    c->out[0] = make_slice_axis(c, x, 0, dim_const(0), rest);
    c->out[1] = make_index(c, x, 0, rest);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

bool import_list_length(Import *c)
{
    Dim n = list_count(c, c->in[0]);
    return give(c, make_dims(c, DTYPE_S32, 0, 1, &n));
}

bool import_list_element_shape(Import *c)
{
    DType dtype = attr_t(c, "shape_type", DTYPE_S32);
    const ListInfo *info = list_find(c->im, c->in[0]);
    const TfShape *element = info ? &info->element : list_stated(c->im, c->in[0]);
    Shape s = shape_copy(c, c->in[0]);
    if (!element)
        return give(c, make_dims(c, dtype, 1, s.rank - 1, &s.dims[1]));
    if (element->rank < 0)
        return give(c, make_scalar_int(c, dtype, -1));
    Tensor t = tensor_ints(c->g->arena, dtype, element->rank, element->dims);
    return give(c, make_const(c, &t));
}

bool import_list_resize(Import *c)
{
    Dim n[1];
    int n_n = 0;
    if (!load_content(c, c->in[1], 0, n, &n_n, 1, "the size"))
        return false;
    ListInfo *info = list_find(c->im, c->in[0]);
    if (info)
        return give(c, list_new(c, n[0], info->dtype, &info->element));
    ValueId longer = list_grow(c, c->in[0], n[0]);
    return !failed(longer) && give(c, make_slice_axis(c, longer, 0, dim_const(0), n[0]));
}

bool import_list_gather(Import *c)
{
    TfShape stated = stated_element(c, c->in[2]);
    return give(c, list_gather(c, c->in[0], c->in[1], &stated));
}

/* TensorListScatter (tensor, indices, element_shape), V2 with the number of elements, -1 for as many as needed. */
bool import_list_scatter(Import *c)
{
    Dim n[1] = {{0, -1}};
    int n_n = 0;
    if (c->n_in > 3 && !load_content(c, c->in[3], -1, n, &n_n, 1, "the number of elements"))
        return false;
    bool grows = dim_is(n[0], -1);
    TfShape element = {.rank = -1};
    ValueId list = list_new(c, grows ? dim_const(0) : n[0], dtype_of(c, c->in[0]), &element);
    return give(c, list_scatter(c, list, c->in[1], c->in[0], grows));
}

bool import_list_scatter_into(Import *c)
{
    return give(c, list_scatter(c, c->in[0], c->in[2], c->in[1], true));
}

/* TensorListConcat, TensorListConcatV2 (list, element_shape, leading_dims) */
bool import_list_concat(Import *c)
{
    TfShape stated = {.rank = -1};
    const TfAttr *a = tf_attr(c->n, "element_shape");
    if (c->n_in > 1)
        stated = stated_element(c, c->in[1]);
    else if (a && a->kind == TF_ATTR_SHAPE)
        stated = a->v.shape;
    return list_concat(c, c->in[0], &stated);
}

bool import_list_split(Import *c)
{
    return give(c, list_split(c, c->in[0], c->in[2]));
}

/* TensorListConcatLists: one after the other */
bool import_list_join(Import *c)
{
    ValueId parts[2];
    int n = 0;
    for (int i = 0; i < 2; i++) {
        if (dim_is(list_count(c, c->in[i]), 0))
            continue;
        parts[n++] = list_tensor(c, c->in[i], NULL);
        if (failed(parts[n - 1]))
            return false;
    }
    return give(c, n == 0 ? c->in[0] : make_concat(c, (uint32_t)n, parts, 0));
}
