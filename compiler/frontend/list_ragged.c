/* list_ragged: lists whose elements differ in shape, or whose shape only running tells. The value of such a list is the
   elements of all its values, flat, in the order in which they were written; beside it goes its `meta` (ListInfo), s64
   [count, 1 + rank]: for each value where it begins and its dims; all -1 where nothing was written. Writing appends, so
   an element that is written again leaves its old value behind unused. Loops and branches carry both
   (import_control.c). */
#include "frontend/importer.h"

#include <string.h>

/* data's list: kept in the sorted array, where data need not be the newest value */
ValueId ragged_register(Import *c, ValueId data, ValueId meta, const TfShape *element) {
    if (failed(data) || failed(meta)) return (ValueId){0};
    ListInfo info = {.value = data.i, .dtype = dtype_of(c, data), .element = *element, .meta = meta};
    vec_push(c->im->arena, &c->im->lists, info);
    for (uint32_t i = c->im->lists.len - 1; i > 0 && c->im->lists.data[i - 1].value > info.value; i--) {
        c->im->lists.data[i] = c->im->lists.data[i - 1];
        c->im->lists.data[i - 1] = info;
    }
    return data;
}

static int rank_in(const Import *c, ValueId meta) {
    return (int)dim_of(c, meta, 1).value - 1;
}

/* All elements of x in a vector: a value of its own even where x is one, since a list is known by its value. */
static ValueId flat(Import *c, ValueId x) {
    Shape s = shape_copy(c, x);
    Dim n = shape_elements(&c->g->dims, &s);
    Attr attr = attr_dims(c->g->arena, "shape", 1, &n);
    return import_node(c, OP_RESHAPE, 1, &x, 1, &attr);
}

/* count rows of -1: nothing written yet */
static ValueId unwritten(Import *c, Dim count, int rank) {
    Shape s = {.rank = 2, .dims = {count, dim_const(rank + 1)}};
    ValueId minus_one = make_scalar_int(c, DTYPE_S64, -1);
    return make_broadcast(c, minus_one, &s);
}

static ValueId number(Import *c, Dim d) {
    return make_dims(c, DTYPE_S64, 0, 1, &d);
}

/* The row [begin, dims…] of a value. */
static ValueId meta_row(Import *c, Dim begin, const Shape *item) {
    Dim row[MAX_RANK + 1];
    row[0] = begin;
    memcpy(row + 1, item->dims, sizeof(Dim) * (size_t)item->rank);
    Shape s = {.rank = 2, .dims = {dim_const(1), dim_const(item->rank + 1)}};
    ValueId dims = make_dims(c, DTYPE_S64, 1, item->rank + 1, row);
    return make_reshape(c, dims, &s);
}

static ValueId ragged_of_tensor(Import *c, ValueId list, const TfShape *element) {
    Shape s = shape_copy(c, list);
    Shape item = {.rank = s.rank - 1};
    memcpy(item.dims, &s.dims[1], sizeof(Dim) * (size_t)item.rank);
    Shape column = {.rank = 2, .dims = {s.dims[0], dim_const(1)}};
    Shape rows = {.rank = 2, .dims = {s.dims[0], dim_const(item.rank)}};
    ValueId at = make_iota(c, &column, 0, DTYPE_S64);
    ValueId size = number(c, shape_elements(&c->g->dims, &item));
    ValueId dims = make_dims(c, DTYPE_S64, 1, item.rank, item.dims);
    ValueId parts[2];
    parts[0] = make_binary(c, OP_MUL, at, size);
    parts[1] = make_broadcast(c, dims, &rows);
    ValueId data = flat(c, list);
    return ragged_register(c, data, make_concat(c, 2, parts, 1), element);
}

static ValueId ragged_of_parts(Import *c, const ListInfo *list) {
    uint32_t n = (uint32_t)list->count.value;
    TfShape element = list->element;
    const ValueId *parts = list->parts;
    ValueId *pieces = NEW_ARRAY(c->im->arena, ValueId, n);
    ValueId *rows = NEW_ARRAY(c->im->arena, ValueId, n);
    Dim begin = dim_const(0);
    for (uint32_t i = 0; i < n; i++) {
        Shape item = shape_copy(c, parts[i]);
        if (item.rank != rank_of(c, parts[0])) {
            unsupported(c, "a list of values of different ranks");
            return (ValueId){0};
        }
        rows[i] = meta_row(c, begin, &item);
        pieces[i] = flat(c, parts[i]);
        begin = d_add(c, begin, shape_elements(&c->g->dims, &item));
    }
    ValueId data = make_concat(c, n, pieces, 0);
    return ragged_register(c, data, make_concat(c, n, rows, 0), &element);
}

ValueId ragged_of(Import *c, ValueId list, int rank) {
    const ListInfo *info = list_find(c->im, list);
    if (failed(list) || (info && info->meta.i)) return list;
    if (info && info->parts) return ragged_of_parts(c, info);
    if (!info) {
        TfShape unknown = list_stated(c->im, list).element;
        return ragged_of_tensor(c, list, &unknown);
    }
    TfShape element = info->element;
    int64_t none = 0;
    Tensor empty = tensor_new(c->g->arena, info->dtype, 1, &none);
    ValueId meta = unwritten(c, info->count, rank);
    ValueId data = make_const(c, &empty);
    return ragged_register(c, data, meta, &element);
}

ValueId ragged_resize(Import *c, ValueId list, Dim count) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    Dim have = dim_of(c, info.meta, 0);
    Dim more = dim_max(&c->g->dims, d_sub(c, count, have), dim_const(0));
    ValueId parts[2] = {info.meta, unwritten(c, more, rank_in(c, info.meta))};
    ValueId meta = make_concat(c, 2, parts, 0);
    meta = make_slice_axis(c, meta, 0, dim_const(0), count);
    return ragged_register(c, flat(c, list), meta, &info.element);
}

static bool same_rank(Import *c, const ListInfo *list, int rank) {
    return rank == rank_in(c, list->meta) ||
           unsupported(c, "puts a value of rank %d into a list of values of rank %d", rank, rank_in(c, list->meta));
}

/* The item appended to the data; *out_row is its row of the meta. */
static ValueId append(Import *c, ValueId list, ValueId item, ValueId *out_row) {
    Shape s = shape_copy(c, item);
    *out_row = meta_row(c, dim_of(c, list, 0), &s);
    ValueId parts[2] = {list, flat(c, item)};
    return make_concat(c, 2, parts, 0);
}

ValueId ragged_set(Import *c, ValueId list, ValueId index, ValueId item) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    ValueId row;
    if (!same_rank(c, &info, rank_of(c, item))) return (ValueId){0};
    ValueId data = append(c, list, item, &row);
    ValueId zero = make_scalar_int(c, dtype_of(c, index), 0);
    ValueId at[2];
    at[0] = make_expand(c, index, 0);
    at[1] = make_expand(c, zero, 0);
    ValueId inputs[3] = {info.meta, row, make_concat(c, 2, at, 0)};
    Attr checked = attr_int("checked", 1);
    ValueId meta = import_node(c, OP_DYNAMIC_UPDATE, 3, inputs, 1, &checked);
    return ragged_register(c, data, meta, &info.element);
}

ValueId ragged_push(Import *c, ValueId list, ValueId item) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    ValueId row;
    if (!same_rank(c, &info, rank_of(c, item))) return (ValueId){0};
    ValueId data = append(c, list, item, &row);
    ValueId rows[2] = {info.meta, row};
    return ragged_register(c, data, make_concat(c, 2, rows, 0), &info.element);
}

/* Rows of a meta with `shift` added to where the values begin; rows of what was not written stay as they are. */
static ValueId shifted(Import *c, ValueId meta, Dim shift) {
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId begin = make_slice_axis(c, meta, 1, dim_const(0), dim_const(1));
    ValueId moved = make_binary(c, OP_ADD, begin, number(c, shift));
    ValueId parts[2];
    parts[0] = make_select(c, make_binary(c, OP_LT, begin, zero), begin, moved);
    parts[1] = make_slice_axis(c, meta, 1, dim_const(1), dim_const(rank_in(c, meta)));
    return make_concat(c, 2, parts, 1);
}

/* Two lists as one. */
ValueId ragged_join(Import *c, ValueId a, ValueId b) {
    const ListInfo *info = list_find(c->im, a);
    int rank = 0;
    for (int i = 0; i < 2; i++) {
        ValueId v = i ? b : a;
        const ListInfo *l = list_find(c->im, v);
        if (!l) rank = rank_of(c, v) - 1;
        if (l && l->meta.i) rank = rank_in(c, l->meta);
        if (l && l->parts) rank = rank_of(c, l->parts[0]);
    }
    TfShape element = info ? info->element : (TfShape){.rank = -1};
    a = ragged_of(c, a, rank);
    b = ragged_of(c, b, rank);
    if (failed(a) || failed(b)) return (ValueId){0};
    ValueId metas[2] = {list_find(c->im, a)->meta, list_find(c->im, b)->meta};
    if (rank_in(c, metas[0]) != rank_in(c, metas[1])) {
        unsupported(c, "joins lists of values of different ranks");
        return (ValueId){0};
    }
    metas[1] = shifted(c, metas[1], dim_of(c, a, 0));
    ValueId parts[2] = {a, b};
    ValueId data = make_concat(c, 2, parts, 0);
    return ragged_register(c, data, make_concat(c, 2, metas, 0), &element);
}

/* The rows [begin, dims…] of values that lie one after the other from `first` on and are `lengths` long, of this inner
   shape. */
static ValueId rows_of(Import *c, ValueId lengths, Dim first, int n_inner, const Dim *inner) {
    Attr attrs[4] = {attr_string("kind", "sum"), attr_int("axis", 0), attr_int("exclusive", 1), attr_int("reverse", 0)};
    Dim size = dim_const(1);
    for (int k = 0; k < n_inner; k++) size = d_mul(c, size, inner[k]);
    ValueId before = import_node(c, OP_CUMULATE, 1, &lengths, 4, attrs);
    before = make_binary(c, OP_MUL, before, number(c, size));
    before = make_binary(c, OP_ADD, before, number(c, first));
    Shape plane = {.rank = 2, .dims = {dim_of(c, lengths, 0), dim_const(n_inner)}};
    ValueId parts[3];
    parts[0] = make_expand(c, before, 1);
    parts[1] = make_expand(c, lengths, 1);
    parts[2] = make_broadcast(c, make_dims(c, DTYPE_S64, 1, n_inner, inner), &plane);
    return make_concat(c, 3, parts, 1);
}

/* A tensor cut into pieces of these lengths, whose number only running tells. */
ValueId ragged_split(Import *c, ValueId x, ValueId lengths) {
    Shape s = shape_copy(c, x);
    TfShape unknown = {.rank = -1};
    int64_t axis = 0;
    Dim found[2];
    int n = 0;
    lengths = make_cast(c, lengths, DTYPE_S64);
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId sum = make_reduce(c, lengths, "sum", 1, &axis, false);
    ValueId negative = make_reduce(c, make_binary(c, OP_MIN, lengths, zero), "sum", 1, &axis, false);
    if (!load_content(c, sum, INT64_MIN, found, &n, 1, "the sum of the lengths") ||
        !load_content(c, negative, INT64_MIN, found + 1, &n, 1, "the smallest length") ||
        !make_require(c, "equal", found[0], s.dims[0]) || !make_require(c, "equal", found[1], dim_const(0)))
        return (ValueId){0};
    ValueId meta = rows_of(c, lengths, dim_const(0), s.rank - 1, &s.dims[1]);
    return ragged_register(c, flat(c, x), meta, &unknown);
}

/* Writes rows of `values` at `indices`. */
ValueId ragged_scatter(Import *c, ValueId list, ValueId indices, ValueId values) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    Shape s = shape_copy(c, values);
    if (!same_rank(c, &info, s.rank - 1)) return (ValueId){0};
    Shape item = {.rank = s.rank - 1};
    memcpy(item.dims, &s.dims[1], sizeof(Dim) * (size_t)item.rank);
    Shape column_shape = {.rank = 2, .dims = {s.dims[0], dim_const(1)}};
    Shape plane = {.rank = 2, .dims = {s.dims[0], dim_const(item.rank)}};
    ValueId at = make_iota(c, &column_shape, 0, DTYPE_S64);
    at = make_binary(c, OP_MUL, at, number(c, shape_elements(&c->g->dims, &item)));
    ValueId row[2];
    row[0] = make_binary(c, OP_ADD, at, number(c, dim_of(c, list, 0)));
    row[1] = make_broadcast(c, make_dims(c, DTYPE_S64, 1, item.rank, item.dims), &plane);
    ValueId rows = make_concat(c, 2, row, 1);
    ValueId meta = make_scatter(c, info.meta, make_expand(c, indices, 1), rows, "update");
    ValueId parts[2] = {list, flat(c, values)};
    return ragged_register(c, make_concat(c, 2, parts, 0), meta, &info.element);
}

/* What is stated of the dims, where it says more. */
static bool refine_dims(Import *c, const TfShape *stated, int rank, Dim *dims) {
    for (int k = 0; stated && k < rank && stated->rank == rank; k++) {
        if (stated->dims[k] < 0 || dim_is_const(dims[k])) continue;
        if (!make_require(c, "equal", dims[k], dim_const(stated->dims[k]))) return false;
        dims[k] = dim_const(stated->dims[k]);
    }
    return true;
}

ValueId ragged_get(Import *c, ValueId list, ValueId index, const TfShape *stated) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    Dim row[MAX_RANK + 1];
    int n = 0;
    ValueId at = make_gather(c, info.meta, index, 0, 0, false);
    if (!load_content(c, at, 0, row, &n, MAX_RANK + 1, "where the value is")) return (ValueId){0};
    Shape s = {.rank = n - 1};
    memcpy(s.dims, row + 1, sizeof(Dim) * (size_t)s.rank);
    if (!refine_dims(c, stated, s.rank, s.dims) || !refine_dims(c, &info.element, s.rank, s.dims)) return (ValueId){0};
    ValueId x = make_slice_axis(c, list, 0, row[0], shape_elements(&c->g->dims, &s));
    return make_reshape(c, x, &s);
}

/* A column of the meta. */
static ValueId column(Import *c, ValueId meta, int64_t k) {
    return make_index(c, meta, 1, dim_const(k));
}

/* The dims from `first` on that all values have; those that were not written do not count. False after a message;
   values that differ fail the run. */
static bool common_dims(Import *c, ValueId meta, const ListInfo *info, const TfShape *stated, int first, Dim *out) {
    int rank = rank_in(c, meta);
    int64_t axis = 0;
    int n = 0;
    if (rank == first) return true;
    Dim count = dim_of(c, meta, 0);
    Shape part = {.rank = 2, .dims = {count, dim_const(rank - first)}};
    Dim begin[2] = {dim_const(0), dim_const(1 + first)};
    ValueId dims = make_slice(c, meta, begin, part.dims, NULL);
    ValueId least = make_scalar_int(c, DTYPE_S64, -1);
    ValueId largest = make_reduce(c, dims, "max", 1, &axis, false);
    largest = make_binary(c, OP_MAX, largest, least); /* no values at all */
    Shape all = {.rank = 1, .dims = {dim_const(rank - first)}};
    ValueId written = make_binary(c, OP_NE, dims, least);
    ValueId other = make_binary(c, OP_NE, dims, largest);
    ValueId wrong = make_binary(c, OP_AND, written, other);
    int64_t both[2] = {0, 1};
    ValueId count_wrong = make_reduce(c, make_cast(c, wrong, DTYPE_S64), "sum", 2, both, false);
    Dim differ[1];
    if (!load_content(c, count_wrong, 0, differ, &n, 1, "how many values differ") ||
        !make_require(c, "equal", differ[0], dim_const(0)))
        return false;
    TfShape rest[2] = {{.rank = -1}, info->element};
    if (stated) rest[0] = *stated;
    int64_t known[MAX_RANK]; /* what is stated, for no values at all */
    for (int k = 0; k < rank - first; k++) known[k] = -1;
    for (int k = 0; k < 2; k++) {
        if (rest[k].rank != rank) continue;
        for (int i = first; i < rank; i++) {
            rest[k].dims[i - first] = rest[k].dims[i];
            if (rest[k].dims[i] >= 0) known[i - first] = rest[k].dims[i];
        }
        rest[k].rank = rank - first;
    }
    Tensor otherwise = tensor_ints(c->g->arena, DTYPE_S64, rank - first, known);
    largest = make_reshape(c, largest, &all);
    largest = make_select(c, make_binary(c, OP_LT, largest, make_scalar_int(c, DTYPE_S64, 0)),
                          make_const(c, &otherwise), largest);
    if (!load_content(c, largest, -1, out, &n, MAX_RANK, "the shape of the values")) return false;
    for (int k = 0; k < 2; k++)
        if (!refine_dims(c, &rest[k], rank - first, out)) return false;
    for (int k = 0; k < rank - first; k++) { /* of no values at all, nobody has said it */
        int64_t min;
        int64_t max;
        dim_range(&c->g->dims, out[k], &min, &max);
        if (min < 0 && !make_require(c, "at_most", dim_const(0), out[k])) return false;
    }
    return true;
}

ValueId ragged_stack(Import *c, ValueId list, ValueId indices, const TfShape *stated) {
    if (failed(list)) return list;
    const ListInfo info = *list_find(c->im, list);
    ValueId none = {0};
    ValueId meta = indices.i ? make_gather(c, info.meta, indices, 0, 0, false) : info.meta;
    Shape s = {.rank = 1 + rank_in(c, info.meta)};
    if (failed(meta) || !common_dims(c, meta, &info, stated, 0, &s.dims[1])) return none;
    Shape item = {.rank = s.rank - 1};
    memcpy(item.dims, &s.dims[1], sizeof(Dim) * (size_t)item.rank);
    s.dims[0] = dim_of(c, meta, 0);
    Shape plane = {.rank = 2, .dims = {s.dims[0], shape_elements(&c->g->dims, &item)}};
    ValueId begin = make_expand(c, column(c, meta, 0), 1);
    ValueId at = make_binary(c, OP_ADD, begin, make_iota(c, &plane, 1, DTYPE_S64));
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId written = make_binary(c, OP_GE, begin, zero); /* what was not is zeros */
    ValueId safe = make_select(c, written, at, zero);
    ValueId padded = make_pad(c, list, make_zero(c, info.dtype), (Dim[]){{0, 0}}, (Dim[]){dim_const(1)}, "constant");
    ValueId x = make_gather(c, padded, safe, 0, 0, false);
    x = make_select(c, written, x, make_zero(c, info.dtype));
    return make_reshape(c, x, &s);
}

bool ragged_concat(Import *c, ValueId list, const TfShape *stated) {
    const ListInfo info = *list_find(c->im, list);
    int rank = rank_in(c, info.meta);
    int n = 0;
    Shape out = {.rank = rank};
    Dim total[1];
    if (rank < 1) return bad(c, "concatenates scalars");
    if (!common_dims(c, info.meta, &info, stated, 1, &out.dims[1])) return false;
    Dim inner = dim_const(1);
    for (int k = 1; k < rank; k++) inner = d_mul(c, inner, out.dims[k]);
    Dim count = dim_of(c, info.meta, 0);
    int64_t axis = 0;
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId lengths = make_binary(c, OP_MAX, column(c, info.meta, 1), zero);
    ValueId sum = make_reduce(c, lengths, "sum", 1, &axis, false);
    if (!load_content(c, sum, 0, total, &n, 1, "the length of the result")) return false;
    out.dims[0] = total[0];
    Attr attrs[4] = {attr_string("kind", "sum"), attr_int("axis", 0), attr_int("exclusive", 0), attr_int("reverse", 0)};
    ValueId ends = import_node(c, OP_CUMULATE, 1, &lengths, 4, attrs);
    ValueId starts = make_binary(c, OP_SUB, ends, lengths);
    /* the value that each row of the result belongs to: as many as end before it */
    Shape marks = {.rank = 1, .dims = {d_add(c, total[0], dim_const(1))}};
    Shape each = {.rank = 1, .dims = {count}};
    ValueId one = make_broadcast(c, make_scalar_int(c, DTYPE_S64, 1), &each);
    ValueId owner = make_scatter(c, make_broadcast(c, zero, &marks), make_expand(c, ends, 1), one, "add");
    owner = import_node(c, OP_CUMULATE, 1, &owner, 4, attrs);
    owner = make_slice_axis(c, owner, 0, dim_const(0), total[0]);
    ValueId size = number(c, inner);
    ValueId shift = make_binary(c, OP_MUL, starts, size);
    shift = make_binary(c, OP_SUB, column(c, info.meta, 0), shift);
    shift = make_gather(c, shift, owner, 0, 0, false);
    Shape vector = {.rank = 1, .dims = {total[0]}};
    ValueId at = make_binary(c, OP_MUL, make_iota(c, &vector, 0, DTYPE_S64), size);
    at = make_expand(c, make_binary(c, OP_ADD, at, shift), 1);
    Shape plane = {.rank = 2, .dims = {total[0], inner}};
    at = make_binary(c, OP_ADD, at, make_iota(c, &plane, 1, DTYPE_S64));
    ValueId x = make_gather(c, list, at, 0, 0, false);
    c->out[0] = make_reshape(c, x, &out);
    c->out[1] = lengths;
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}
