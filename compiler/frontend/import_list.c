/* import_list: the TensorList ops, on lists as list_value.c makes them. */
#include "frontend/importer.h"

#include <string.h>

/* The first n operands are lists: those that come out of lists are unpacked. */
static bool open_lists(Import *c, uint32_t n) {
    ValueId *in = arena_memdup(c->im->arena, c->in, sizeof(ValueId) * (c->n_in + 1));
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        in[i] = list_unbox(c, in[i]);
        ok = ok && !failed(in[i]);
    }
    c->in = in;
    return ok;
}

/* What is put into a list: a list as an object. */
static ValueId item_of(Import *c, uint32_t i) {
    return attr_t(c, "element_dtype", DTYPE_NONE) == DTYPE_VARIANT ? list_box(c, c->in[i]) : c->in[i];
}

bool import_list_reserve(Import *c) {
    Dim n[1] = {{0, 0}};
    int n_n = 0;
    bool empty = import_row(c)->arg == 1; /* EmptyTensorList: its second operand is only a limit */
    if (!empty && !load_content(c, c->in[1], 0, n, &n_n, 1, "the number of elements")) return false;
    ListStated stated = list_stated_by(c, c->in[0]);
    ValueId list = list_start(c, n[0], attr_t(c, "element_dtype", DTYPE_F32), &stated.element);
    list_state(c->im, list, &stated);
    return give(c, list);
}

bool import_list_from_tensor(Import *c) {
    if (rank_of(c, c->in[0]) < 1) return bad(c, "a scalar cannot be a list");
    if (c->n_in > 1) {
        ListStated stated = list_stated_by(c, c->in[1]);
        list_state(c->im, c->in[0], &stated);
    }
    return give(c, c->in[0]);
}

bool import_list_stack(Import *c) {
    if (!open_lists(c, 1)) return false;
    TfShape stated = list_stated_element(c, c->in[1]);
    int64_t promised = attr_i(c, "num_elements", -1);
    ValueId x = list_tensor(c, c->in[0], &stated);
    Shape s = shape_copy(c, x);
    if (!failed(x) && promised >= 0 && !dim_is_const(s.dims[0])) {
        s.dims[0] = dim_const(promised);
        x = make_reshape(c, x, &s);
    }
    return give(c, x);
}

bool import_list_get(Import *c) {
    if (!open_lists(c, 1)) return false;
    TfShape stated = list_stated_element(c, c->in[2]);
    /* The index is a scalar, or what else has one element. */
    ValueId index = rank_of(c, c->in[1]) == 0 ? c->in[1] : make_reshape(c, c->in[1], &(Shape){.rank = 0});
    return give(c, list_get(c, c->in[0], index, &stated));
}

/* What was said of the elements of a list when it was made is said of the list that comes of it too. */
static ValueId state_again(Import *c, ValueId list, const ListStated *stated) {
    list_state(c->im, list, stated);
    return list;
}

bool import_list_set(Import *c) {
    if (!open_lists(c, 1)) return false;
    ValueId item = item_of(c, 2);
    ListStated stated = list_stated(c->im, c->in[0]);
    ValueId list = list_set(c, c->in[0], c->in[1], item, attr_i(c, "resize_if_index_out_of_bounds", 0) != 0);
    return give(c, state_again(c, list, &stated));
}

ValueId list_push(Import *c, ValueId list, ValueId new) {
    const ListInfo *info = list_find(c->im, list);
    if (failed(list) || failed(new)) return (ValueId){0};
    if (info && info->parts) list = ragged_of(c, list, 0);
    if (list_is_ragged(c->im, list)) return ragged_push(c, list, new);
    if (list_find(c->im, list)) {
        Shape s = shape_copy(c, new);
        list = list_materialise(c, list, &s);
    }
    if (failed(list)) return list;
    if (!list_fits(c, list, new)) return ragged_push(c, ragged_of(c, list, 0), new);
    ValueId item = list_fit_item(c, list, new, 0);
    ValueId parts[2] = {list, make_expand(c, item, 0)};
    return make_concat(c, 2, parts, 0);
}

bool import_list_push(Import *c) {
    if (!open_lists(c, 1)) return false;
    ListStated stated = list_stated(c->im, c->in[0]);
    ValueId item = item_of(c, 1);
    return give(c, state_again(c, list_push(c, c->in[0], item), &stated));
}

ValueId list_pop(Import *c, ValueId list, const TfShape *stated, ValueId *out_item) {
    const ListInfo *info = list_find(c->im, list);
    if (info && (info->parts || info->meta.i)) {
        list = ragged_of(c, list, 0);
        Dim last = d_sub(c, list_count(c, list), dim_const(1));
        ValueId at = make_dims(c, DTYPE_S32, 0, 1, &last);
        *out_item = ragged_get(c, list, at, stated);
        return failed(*out_item) ? *out_item : ragged_resize(c, list, last);
    }
    ValueId x = list_tensor(c, list, stated);
    if (failed(x)) return x;
    Dim count = dim_of(c, x, 0);
    if (dim_is(count, 0)) {
        bad(c, "takes an element out of an empty list");
        return (ValueId){0};
    }
    Dim rest = d_sub(c, count, dim_const(1));
    *out_item = make_index(c, x, 0, rest);
    return failed(*out_item) ? *out_item : make_slice_axis(c, x, 0, dim_const(0), rest);
}

bool import_list_pop(Import *c) {
    TfShape stated = list_stated_element(c, c->in[1]);
    if (!open_lists(c, 1)) return false;
    ListStated all = list_stated(c->im, c->in[0]);
    c->n_out = 2;
    c->out[0] = list_pop(c, c->in[0], &stated, &c->out[1]);
    state_again(c, c->out[0], &all);
    return !failed(c->out[0]) && !failed(c->out[1]);
}

bool import_list_length(Import *c) {
    if (!open_lists(c, 1)) return false;
    Dim n = list_count(c, c->in[0]);
    return give(c, make_dims(c, DTYPE_S32, 0, 1, &n));
}

bool import_list_element_shape(Import *c) {
    if (!open_lists(c, 1)) return false;
    DType dtype = attr_t(c, "shape_type", DTYPE_S32);
    ListStated stated = list_stated(c->im, c->in[0]);
    Shape s = shape_copy(c, c->in[0]);
    if (!stated.known) return give(c, make_dims(c, dtype, 1, s.rank - 1, &s.dims[1]));
    if (stated.said.i && value_at(c->g, stated.said)->region.i != c->r.i)
        return unsupported(c, "the element shape of a list is computed outside of this loop or branch");
    if (stated.said.i) return give(c, make_cast(c, stated.said, dtype));
    if (stated.element.rank < 0) return give(c, make_scalar_int(c, dtype, -1));
    Tensor t = tensor_ints(c->g->arena, dtype, stated.element.rank, stated.element.dims);
    return give(c, make_const(c, &t));
}

bool import_list_resize(Import *c) {
    if (!open_lists(c, 1)) return false;
    Dim n[1];
    int n_n = 0;
    if (!load_content(c, c->in[1], 0, n, &n_n, 1, "the size")) return false;
    ListInfo *info = list_find(c->im, c->in[0]);
    if (info && info->parts) info = list_find(c->im, ragged_of(c, c->in[0], 0));
    if (info && info->meta.i) return give(c, ragged_resize(c, (ValueId){info->value}, n[0]));
    if (info) return give(c, list_new(c, n[0], info->dtype, &info->element));
    ListStated stated = list_stated(c->im, c->in[0]);
    ValueId longer = list_grow(c, c->in[0], n[0]);
    ValueId list = failed(longer) ? longer : make_slice_axis(c, longer, 0, dim_const(0), n[0]);
    return give(c, state_again(c, list, &stated));
}

bool import_list_gather(Import *c) {
    if (!open_lists(c, 1)) return false;
    TfShape stated = list_stated_element(c, c->in[2]);
    return give(c, list_gather(c, c->in[0], c->in[1], &stated));
}

/* TensorListScatter (tensor, indices, element_shape), V2 with the number of elements, -1 for as many as needed. */
bool import_list_scatter(Import *c) {
    Dim n[1] = {{0, -1}};
    int n_n = 0;
    if (c->n_in > 3 && !load_content(c, c->in[3], -1, n, &n_n, 1, "the number of elements")) return false;
    int64_t least;
    int64_t most;
    dim_range(&c->g->dims, n[0], &least, &most);
    bool grows = least < 0;
    if (!dim_is_const(n[0]) && grows) { /* as many as needed if it turns out to be -1 */
        Dim needed;
        if (!list_needed_count(c, c->in[1], &needed)) return false;
        n[0] = resolve_rest(c, n[0], needed);
        grows = false;
    }
    TfShape element = {.rank = -1};
    ValueId list = list_new(c, grows ? dim_const(0) : n[0], dtype_of(c, c->in[0]), &element);
    ListStated stated = list_stated_by(c, c->in[2]);
    return give(c, state_again(c, list_scatter(c, list, c->in[1], c->in[0], grows), &stated));
}

bool import_list_scatter_into(Import *c) {
    if (!open_lists(c, 1)) return false;
    ListStated stated = list_stated(c->im, c->in[0]);
    return give(c, state_again(c, list_scatter(c, c->in[0], c->in[2], c->in[1], true), &stated));
}

/* TensorListConcat, TensorListConcatV2 (list, element_shape, leading_dims) */
bool import_list_concat(Import *c) {
    if (!open_lists(c, 1)) return false;
    TfShape stated = {.rank = -1};
    const TfAttr *a = tf_attr(c->n, "element_shape");
    if (c->n_in > 1)
        stated = list_stated_element(c, c->in[1]);
    else if (a && a->kind == TF_ATTR_SHAPE)
        stated = a->v.shape;
    return list_concat(c, c->in[0], &stated);
}

bool import_list_split(Import *c) {
    ListStated stated = list_stated_by(c, c->in[1]);
    return give(c, state_again(c, list_split(c, c->in[0], c->in[2]), &stated));
}

/* TensorListConcatLists: one after the other */
bool import_list_join(Import *c) {
    ValueId parts[2];
    int n = 0;
    if (!open_lists(c, 2)) return false;
    for (int i = 0; i < 2; i++) {
        const ListInfo *info = list_find(c->im, c->in[i]);
        if (info && (info->parts || info->meta.i)) return give(c, ragged_join(c, c->in[0], c->in[1]));
    }
    for (int i = 0; i < 2; i++) {
        if (dim_is(list_count(c, c->in[i]), 0)) continue;
        parts[n++] = list_tensor(c, c->in[i], NULL);
        if (failed(parts[n - 1])) return false;
    }
    if (n == 0) return give(c, c->in[0]);
    Shape a = shape_copy(c, parts[0]);
    Shape b = shape_copy(c, parts[n - 1]);
    for (int k = 1; n == 2 && a.rank == b.rank && k < a.rank; k++)
        if (!dim_equal(a.dims[k], b.dims[k])) return give(c, ragged_join(c, c->in[0], c->in[1]));
    return give(c, make_concat(c, (uint32_t)n, parts, 0));
}
