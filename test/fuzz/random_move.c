/* random_move: reshapes, transposes, slices, joins, gathers and scatters of anything. */
#include "random_graph.h"

#include <string.h>

static const char anything[] = "FIUBSC";

static ValueId node_with(Maker *m, OpId op, ValueId x, Attr a) {
    return make_node(m, op, 1, &x, 1, &a);
}

static ValueId reshaped(Maker *m, ValueId x, const Shape *to) {
    return node_with(m, OP_RESHAPE, x, attr_dims(m->g->arena, "shape", (size_t)to->rank, to->dims));
}

/* Joins neighbours, puts in ones, splits sizes: the number of elements stays. */
bool random_reshape(Maker *m, OpId op) {
    (void)op;
    ValueId x = pick_value(m, anything, 0, 6);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    for (int step = (int)random_between(m->r, 1, 3); step > 0; step--) {
        int at = (int)random_below(m->r, s.rank);
        int64_t how = random_below(m->r, 4);
        if (how == 0 && s.rank > 1 && at + 1 < s.rank) { /* join */
            s.dims[at] = dim_mul(&m->g->dims, s.dims[at], s.dims[at + 1]);
            memmove(s.dims + at + 1, s.dims + at + 2, sizeof(Dim) * (size_t)(s.rank - at - 2));
            s.rank--;
        } else if (how == 1 && s.rank < 6) {
            memmove(s.dims + at + 1, s.dims + at, sizeof(Dim) * (size_t)(s.rank - at));
            s.dims[at] = dim_const(1);
            s.rank++;
        } else if (how == 2 && s.rank && s.rank < 6 && dim_is_const(s.dims[at]) && s.dims[at].value > 1) {
            int64_t n = s.dims[at].value, part = random_between(m->r, 2, 8);
            if (n % part) continue;
            memmove(s.dims + at + 1, s.dims + at, sizeof(Dim) * (size_t)(s.rank - at));
            s.dims[at] = dim_const(n / part);
            s.dims[at + 1] = dim_const(part);
            s.rank++;
        } else if (how == 3 && s.rank > 1) { /* flat */
            s.dims[0] = shape_elements(&m->g->dims, &s);
            s.rank = 1;
        }
    }
    return keep(m, reshaped(m, x, &s));
}

bool random_broadcast(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 0, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    for (int i = 0; i < s.rank; i++)
        if (dim_is(s.dims[i], 1)) s.dims[i] = pick_dim(m);
    if (random_chance(m->r, 50)) {
        memmove(s.dims + 1, s.dims, sizeof(Dim) * (size_t)s.rank++);
        s.dims[0] = pick_dim(m);
    }
    return keep(m, node_with(m, op, x, attr_dims(m->g->arena, "shape", (size_t)s.rank, s.dims)));
}

bool random_transpose(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 6);
    if (!x.i) return false;
    int rank = maker_value(m, x)->shape.rank;
    int64_t perm[MAX_RANK];
    for (int i = 0; i < rank; i++) perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int k = (int)random_below(m->r, i + 1);
        int64_t p = perm[i];
        perm[i] = perm[k];
        perm[k] = p;
    }
    return keep(m, node_with(m, op, x, attr_ints(m->g->arena, "perm", (size_t)rank, perm)));
}

bool random_reverse(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 6);
    if (!x.i) return false;
    int rank = maker_value(m, x)->shape.rank;
    int64_t axes[MAX_RANK];
    size_t n = 0;
    for (int i = 0; i < rank; i++)
        if (random_chance(m->r, 45)) axes[n++] = i;
    return keep(m, node_with(m, op, x, attr_ints(m->g->arena, "axes", n, axes)));
}

static ValueId sliced(Maker *m, ValueId x, const Dim *begin, const Dim *size, const int64_t *strides) {
    Arena *a = m->g->arena;
    size_t rank = (size_t)maker_value(m, x)->shape.rank;
    Attr attrs[] = {attr_dims(a, "begin", rank, begin), attr_dims(a, "size", rank, size),
                    attr_ints(a, "strides", rank, strides)};
    return make_node(m, OP_SLICE, 1, &x, 3, attrs);
}

/* Positions begin, begin + stride, … of a size: all, some, or backwards. */
static void pick_positions(Maker *m, Dim dim, Dim *begin, Dim *size, int64_t *stride) {
    DimTable *t = &m->g->dims;
    *begin = dim_const(0);
    *size = dim;
    *stride = 1;
    if (random_chance(m->r, 35)) return;
    if (!dim_is_const(dim)) {
        int64_t how = random_below(m->r, 3);
        if (how == 0) { /* every second */
            *stride = 2;
            *size = dim_ceildiv(t, dim, 2);
        } else if (how == 1) { /* without the first */
            Dim rest = dim_sub(t, dim, dim_const(1));
            *begin = dim_min(t, dim, dim_const(1));
            *size = dim_max(t, rest, dim_const(0));
        } else { /* backwards; of nothing there is no last */
            Dim last = dim_sub(t, dim, dim_const(1));
            *begin = dim_max(t, last, dim_const(0));
            *stride = -1;
        }
        return;
    }
    if (dim.value == 0) return;
    int64_t from = random_below(m->r, dim.value);
    *stride = random_chance(m->r, 70) ? 1 : random_between(m->r, 1, 3);
    if (random_chance(m->r, 20)) *stride = -*stride;
    int64_t room = *stride > 0 ? (dim.value - 1 - from) / *stride + 1 : from / -*stride + 1;
    *begin = dim_const(from);
    *size = dim_const(random_chance(m->r, 60) ? room : random_below(m->r, room + 1));
}

bool random_slice(Maker *m, OpId op) {
    (void)op;
    ValueId x = pick_value(m, anything, 1, 6);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    Dim begin[MAX_RANK], size[MAX_RANK];
    int64_t strides[MAX_RANK];
    for (int i = 0; i < s.rank; i++) pick_positions(m, s.dims[i], &begin[i], &size[i], &strides[i]);
    return keep(m, sliced(m, x, begin, size, strides));
}

/* Positions for dynamic_slice: anything, since they are clamped. */
static ValueId make_begin(Maker *m, int rank) {
    Shape s = {.rank = 1, .dims = {dim_const(rank)}};
    DType t = random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64;
    return random_chance(m->r, 30) ? pick_like(m, t, &s) : make_indexes(m, t, &s, dim_const(6));
}

static bool smaller_shape(Maker *m, const Shape *s, Shape *out) {
    *out = *s;
    for (int i = 0; i < s->rank; i++)
        if (dim_is_const(s->dims[i]) && random_chance(m->r, 60))
            out->dims[i] = dim_const(random_between(m->r, s->dims[i].value > 1, s->dims[i].value));
    return true;
}

bool random_dynamic_slice(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape, part;
    smaller_shape(m, &s, &part);
    Attr a = attr_dims(m->g->arena, "size", (size_t)part.rank, part.dims);
    ValueId begin = make_begin(m, s.rank);
    return keep(m, make_node(m, op, 2, (ValueId[]){x, begin}, 1, &a));
}

bool random_dynamic_update(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape, part;
    smaller_shape(m, &s, &part);
    ValueId update = pick_like(m, maker_value(m, x)->dtype, &part);
    ValueId begin = make_begin(m, s.rank);
    return keep(m, make_node(m, op, 3, (ValueId[]){x, update, begin}, 0, NULL));
}

bool random_pad(Maker *m, OpId op) {
    static const char *const modes[] = {"constant", "constant", "reflect", "symmetric"};
    ValueId x = pick_value(m, "FIUBSC", 1, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape, scalar = shape_scalar();
    Dim before[MAX_RANK], after[MAX_RANK];
    const char *mode = modes[random_below(m->r, ARRAY_LEN(modes))];
    for (int i = 0; i < s.rank; i++) {
        int64_t most = 3;
        if (mode[0] != 'c') {
            for (int b = 0; b < N_BINDINGS; b++) {
                int64_t n = dim_value(m->w, s.dims[i], b) - (mode[0] == 'r');
                most = n < most ? n : most;
            }
            if (most < 0 && !m->w->outside) return false;
        }
        before[i] = dim_const(random_chance(m->r, 50) ? random_between(m->r, 0, most < 0 ? 0 : most) : 0);
        after[i] = dim_const(random_chance(m->r, 50) ? random_between(m->r, 0, most < 0 ? 0 : most) : 0);
    }
    Attr a[] = {attr_dims(m->g->arena, "before", (size_t)s.rank, before),
                attr_dims(m->g->arena, "after", (size_t)s.rank, after), attr_string("mode", mode)};
    DType t = maker_value(m, x)->dtype;
    ValueId fill = mode[0] == 'c' ? pick_like(m, t, &scalar) : make_leaf(m, t, &scalar);
    return keep(m, make_node(m, op, 2, (ValueId[]){x, fill}, 3, a));
}

bool random_concat(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 5), parts[5];
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    DType t = maker_value(m, x)->dtype;
    int axis = (int)random_below(m->r, s.rank);
    uint32_t n = (uint32_t)random_between(m->r, 1, 4), self = (uint32_t)random_below(m->r, n);
    for (uint32_t i = 0; i < n; i++) {
        Shape part = s;
        if (random_chance(m->r, 50)) part.dims[axis] = pick_dim(m);
        parts[i] = i == self ? x : pick_like(m, t, &part);
    }
    Attr a = attr_int("axis", axis);
    return keep(m, make_node(m, op, n, parts, 1, &a));
}

/* ---- by index */

bool random_gather(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    int axis = (int)random_below(m->r, s.rank), batch = random_chance(m->r, 25) ? (int)random_below(m->r, axis + 1) : 0;
    Shape index = pick_shape(m, 0, 2);
    memmove(index.dims + batch, index.dims, sizeof(Dim) * (size_t)index.rank);
    memcpy(index.dims, s.dims, sizeof(Dim) * (size_t)batch);
    index.rank += batch;
    bool clamp = random_chance(m->r, 20);
    for (int b = 0; b < N_BINDINGS; b++)
        if (dim_value(m->w, s.dims[axis], b) < 1) return false;
    if (s.rank - 1 + index.rank - batch > 6 || shape_value_count(m->w, &index) > m->w->largest) return false;
    ValueId at = make_indexes(m, random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64, &index, s.dims[axis]);
    Attr a[] = {attr_int("axis", axis), attr_int("batch_dims", batch), attr_int("clamp", 1)};
    return keep(m, make_node(m, op, 2, (ValueId[]){x, at}, clamp ? 3 : 2, a));
}

/* Rows of indexes into the first `depth` dims after `batch` of them: columns have ranges of their own. */
static ValueId make_index_rows(Maker *m, const Shape *of, int batch, int depth, const Shape *rows) {
    DType t = random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64;
    ValueId columns[MAX_RANK];
    Shape column = *rows;
    column.dims[column.rank++] = dim_const(1);
    if (depth == 0) {
        column.dims[column.rank - 1] = dim_const(0);
        return make_leaf(m, t, &column);
    }
    for (int i = 0; i < depth; i++) {
        for (int b = 0; b < N_BINDINGS; b++)
            if (dim_value(m->w, of->dims[batch + i], b) < 1) return (ValueId){0};
        columns[i] = make_indexes(m, t, &column, of->dims[batch + i]);
    }
    Attr a = attr_int("axis", column.rank - 1);
    return depth == 1 ? columns[0] : make_node(m, OP_CONCAT, (uint32_t)depth, columns, 1, &a);
}

bool random_gather_nd(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 1, 4);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape, rows = pick_shape(m, 0, 2);
    int batch = random_chance(m->r, 20) ? (int)random_below(m->r, s.rank) : 0;
    int depth = (int)random_between(m->r, random_chance(m->r, 90), s.rank - batch);
    memmove(rows.dims + batch, rows.dims, sizeof(Dim) * (size_t)rows.rank);
    memcpy(rows.dims, s.dims, sizeof(Dim) * (size_t)batch);
    rows.rank += batch;
    if (shape_value_count(m->w, &rows) > m->w->largest) return false;
    ValueId at = make_index_rows(m, &s, batch, depth, &rows);
    Attr a[] = {attr_int("batch_dims", batch), attr_int("clamp", 1)};
    return keep(m, make_node(m, op, 2, (ValueId[]){x, at}, random_chance(m->r, 20) ? 2 : 1, a));
}

bool random_scatter_nd(Maker *m, OpId op) {
    static const char *const modes[] = {"update", "add", "sub", "min", "max"};
    const char *mode = modes[random_below(m->r, ARRAY_LEN(modes))];
    ValueId x = pick_value(m, mode[0] == 'u' ? anything : "FIU", 1, 4);
    if (!x.i || (mode[0] == 'm' && m->w->edges))
        return false; /* who is larger, NaN or the other, TensorFlow leaves open */
    Shape s = maker_value(m, x)->shape, rows = pick_shape(m, 0, 2);
    DType t = maker_value(m, x)->dtype;
    int depth = (int)random_between(m->r, 1, s.rank);
    ValueId at = make_index_rows(m, &s, 0, depth, &rows);
    Shape update = rows;
    if (rows.rank + s.rank - depth > 6) return false;
    for (int i = depth; i < s.rank; i++) update.dims[update.rank++] = s.dims[i];
    if (shape_value_count(m->w, &update) > m->w->largest) return false;
    ValueId updates = pick_like(m, t, &update);
    Attr a = attr_string("mode", mode);
    return keep_as(m, make_node(m, op, 3, (ValueId[]){x, at, updates}, 1, &a), magnitude_of(m, x) + 3);
}

/* ---- blocks */

bool random_space_to_batch(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 2, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    int n = (int)random_between(m->r, 1, s.rank - 1 < 3 ? s.rank - 1 : 3);
    int64_t block[3];
    Dim before[3], after[3];
    for (int i = 0; i < n; i++) {
        int64_t size = s.dims[i + 1].value;
        if (!dim_is_const(s.dims[i + 1])) return false;
        block[i] = random_between(m->r, 1, 3);
        before[i] = dim_const(random_chance(m->r, 30) ? random_between(m->r, 0, 2) : 0);
        int64_t rest = (size + before[i].value) % block[i];
        after[i] = dim_const(rest ? block[i] - rest : 0);
    }
    Attr a[] = {attr_ints(m->g->arena, "block", (size_t)n, block), attr_dims(m->g->arena, "before", (size_t)n, before),
                attr_dims(m->g->arena, "after", (size_t)n, after)};
    return keep(m, make_node(m, op, 1, &x, 3, a));
}

bool random_batch_to_space(Maker *m, OpId op) {
    ValueId x = pick_value(m, anything, 2, 5);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    int n = (int)random_between(m->r, 1, s.rank - 1 < 2 ? s.rank - 1 : 2);
    int64_t block[3], blocks = 1;
    Dim before[3], after[3];
    for (int i = 0; i < n; i++) {
        block[i] = random_between(m->r, 1, 2);
        blocks *= block[i];
        bool crop = dim_is_const(s.dims[i + 1]) && s.dims[i + 1].value * block[i] > 2 && random_chance(m->r, 30);
        before[i] = dim_const(crop ? random_below(m->r, 2) : 0);
        after[i] = dim_const(crop ? random_below(m->r, 2) : 0);
    }
    if (blocks > 1) { /* a batch of that many times something */
        Shape joined = s;
        joined.dims[0] = dim_const(blocks * random_between(m->r, 1, 3));
        if (shape_value_count(m->w, &joined) > m->w->largest) return false;
        x = pick_like(m, maker_value(m, x)->dtype, &joined);
    }
    Attr a[] = {attr_ints(m->g->arena, "block", (size_t)n, block), attr_dims(m->g->arena, "before", (size_t)n, before),
                attr_dims(m->g->arena, "after", (size_t)n, after)};
    return keep(m, make_node(m, op, 1, &x, 3, a));
}
