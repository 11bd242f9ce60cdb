/* canonicalise_spread: the ways of writing that every element is repeated: joins of one tensor with itself, splits that
   are put together again several times over, and reshapes around a broadcast. On images they are a nearest-neighbour
   resize by whole factors, which is what up-sampling layers come down to. */
#include "canonicalise.h"

#include <math.h>
#include <string.h>

static Attr shape_attr(Rewriter *w, const Shape *s) {
    return attr_dims(w->u->scratch, "shape", (size_t)s->rank, s->dims);
}

/* concat of n times the same along a dim of size 1 */
ValueId rule_concat_same(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int axis = (int)node_int(n, "axis", 0);
    if (n->n_inputs < 2 || !dim_is(shape_at(w->g, n->inputs[0])->dims[axis], 1)) return (ValueId){0};
    for (uint32_t i = 1; i < n->n_inputs; i++)
        if (n->inputs[i].i != n->inputs[0].i) return (ValueId){0};
    Shape to = *shape_at(w->g, n->outputs[0]);
    Attr attr = shape_attr(w, &to);
    return insert_op(w, OP_BROADCAST, n->name, 1, n->inputs, 1, &attr);
}

/* The place along `axis` of a slice of one element there that takes everything else; -1 when v is none. */
static int64_t place_of(const Graph *g, ValueId v, int axis, ValueId *out_x) {
    const Node *slice = match(g, v, OP_SLICE);
    if (!slice) return -1;
    const Shape *x = shape_at(g, slice->inputs[0]), *y = shape_at(g, v);
    const Dim *begin = node_attr(slice, "begin")->v.dims;
    const int64_t *strides = node_attr(slice, "strides")->v.ints;
    for (int i = 0; i < x->rank; i++)
        if (i != axis && (strides[i] != 1 || !dim_is(begin[i], 0) || !dim_equal(x->dims[i], y->dims[i]))) return -1;
    *out_x = slice->inputs[0];
    return dim_is(y->dims[axis], 1) && dim_is_const(begin[axis]) ? begin[axis].value : -1;
}

/* concat(x0, x0, x1, x1, …) of all slices of x (Keras' repeat_elements): one more dim behind the axis, broadcast. */
ValueId rule_concat_repeated(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    int axis = (int)node_int(n, "axis", 0);
    ValueId x, other;
    if (n->n_inputs < 4 || place_of(w->g, n->inputs[0], axis, &x) != 0) return (ValueId){0};
    Shape wide = *shape_at(w->g, x), to = *shape_at(w->g, n->outputs[0]);
    Dim size = wide.dims[axis];
    if (!dim_is_const(size) || size.value < 2 || n->n_inputs % size.value != 0 || wide.rank == MAX_RANK)
        return (ValueId){0};
    int64_t times = n->n_inputs / size.value;
    if (times < 2) return (ValueId){0};
    for (uint32_t i = 0; i < n->n_inputs; i++)
        if (place_of(w->g, n->inputs[i], axis, &other) != (int64_t)i / times || other.i != x.i) return (ValueId){0};
    memmove(&wide.dims[axis + 2], &wide.dims[axis + 1], (size_t)(wide.rank - axis - 1) * sizeof *wide.dims);
    wide.rank++;
    wide.dims[axis + 1] = dim_const(1);
    const char *name = n->name;
    x = insert_reshape(w, x, &wide, name);
    if (!x.i) return x;
    wide.dims[axis + 1] = dim_const(times);
    Attr attr = shape_attr(w, &wide);
    x = insert_op(w, OP_BROADCAST, name, 1, &x, 1, &attr);
    return x.i ? insert_reshape(w, x, &to, name) : x;
}

/* Whether the runtime's arithmetic for nearest neighbours, in float, takes pixel i / (out / in) for every i. */
static bool is_whole_factor(int64_t in, int64_t out) {
    enum { LONGEST = 1 << 16 };
    if (in < 1 || out > LONGEST || out % in != 0) return false;
    float scale = (float)in / (float)out;
    for (int64_t i = 0; i < out; i++)
        if ((int64_t)floorf((float)i * scale) != i / (out / in)) return false;
    return true;
}

/* Splits the dims of a broadcast into those of an image: the first of each run are the pixels, those behind them repeat
   them. *out_from: the image before. */
static bool repeats_pixels(const Graph *g, const Shape *in, const Shape *wide, const Shape *image, Shape *out_from) {
    int at = 0, lead = wide->rank - in->rank;
    DimTable *t = (DimTable *)(uintptr_t)&g->dims;
    if (image->rank != 4 || lead != 0) return false;
    *out_from = (Shape){.rank = 4};
    for (int d = 0; d < 4; d++) {
        Dim whole = dim_const(1), pixels = dim_const(1);
        bool repeating = false, taken = false;
        for (; at < wide->rank; at++) {
            bool more = !taken || !dim_equal(whole, image->dims[d]);
            if (!more && !(dim_is(wide->dims[at], 1) && d == 3)) break;
            bool repeats = !dim_equal(in->dims[at], wide->dims[at]);
            if (repeats && !dim_is(in->dims[at], 1)) return false;
            if (!repeats && repeating && !dim_is(wide->dims[at], 1)) return false; /* tiles, not pixels */
            repeating = repeating || repeats;
            whole = dim_mul(t, whole, wide->dims[at]);
            if (!repeats) pixels = dim_mul(t, pixels, wide->dims[at]);
            taken = true;
        }
        if (!taken || !dim_equal(whole, image->dims[d]) || (repeating && (d == 0 || d == 3))) return false;
        out_from->dims[d] = pixels;
    }
    return at == wide->rank;
}

/* reshape(broadcast(…)) that repeats the pixels of an image */
ValueId rule_spread_is_resize(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *spread = match_only(w, n->inputs[0], OP_BROADCAST);
    if (!spread || value_const(w->g, spread->inputs[0])) return (ValueId){0};
    Shape to = *shape_at(w->g, n->outputs[0]), from;
    if (!repeats_pixels(w->g, shape_at(w->g, spread->inputs[0]), shape_at(w->g, n->inputs[0]), &to, &from))
        return (ValueId){0};
    for (int d = 1; d < 3; d++)
        if (!dim_is_const(from.dims[d]) || !dim_is_const(to.dims[d]) ||
            !is_whole_factor(from.dims[d].value, to.dims[d].value))
            return (ValueId){0};
    const char *name = n->name;
    rewrite_takes(w, n->inputs[0]);
    ValueId x = insert_reshape(w, spread->inputs[0], &from, name);
    if (!x.i) return x;
    Attr attrs[] = {attr_string("kind", "nearest"), attr_dims(w->u->scratch, "size", 2, &to.dims[1]),
                    attr_int("align_corners", 0), attr_int("half_pixel", 0)};
    return insert_op(w, OP_RESIZE, name, 1, &x, 4, attrs);
}

static bool is_nearest(const Node *n) {
    return strcmp(node_string(n, "kind", ""), "nearest") == 0 && !node_int(n, "align_corners", 0) &&
           !node_int(n, "half_pixel", 0);
}

/* Up-sampling by whole factors, twice: first the rows, then the columns. */
ValueId rule_resize_chain(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *inner = match_only(w, n->inputs[0], OP_RESIZE);
    if (!inner || !is_nearest(n) || !is_nearest(inner)) return (ValueId){0};
    const Shape *from = shape_at(w->g, inner->inputs[0]), *middle = shape_at(w->g, n->inputs[0]),
                *to = shape_at(w->g, n->outputs[0]);
    for (int d = 1; d < 3; d++) {
        Dim a = from->dims[d], b = middle->dims[d], c = to->dims[d];
        if (!dim_is_const(a) || !dim_is_const(b) || !dim_is_const(c) || !is_whole_factor(a.value, b.value) ||
            !is_whole_factor(b.value, c.value) || !is_whole_factor(a.value, c.value))
            return (ValueId){0};
    }
    rewrite_takes(w, n->inputs[0]);
    return insert_like(w, id, 1, inner->inputs);
}
