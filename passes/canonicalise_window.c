/* canonicalise_window: what surrounds convolutions: explicit padding, dilation written as space_to_batch and
   batch_to_space, and matmuls over several batches that share one matrix. */
#include "canonicalise.h"

#include <math.h>
#include <string.h>

/* Whether padding with `value` is what the window op does by itself: zeros for conv; for a maximum the smallest value,
   or zero where nothing is smaller and every window holds an element of the image too. */
static bool is_own_padding(const Graph *g, const Node *n, const Node *pad) {
    if (n->op == OP_CONV) return value_is_splat(g, pad->inputs[1], 0);
    const Tensor *t = value_const(g, pad->inputs[1]);
    if (!t || strcmp(node_string(n, "kind", ""), "max") != 0 || !dtype_is_float(t->dtype)) return false;
    double v = tensor_get_f64(t, 0);
    if (v < 0) return isinf(v) || (t->dtype == DTYPE_F32 && v <= -0x1.fffffep127);
    if (v != 0 || !is_never_negative(g, pad->inputs[0], 0)) return false;
    for (uint32_t i = 0; i < node_attr(n, "window")->n; i++) {
        if (node_attr(n, "dilations") && node_attr(n, "dilations")->v.ints[i] != 1) return false;
        Dim before = node_attr(pad, "before")->v.dims[i + 1], after = node_attr(pad, "after")->v.dims[i + 1];
        int64_t window = node_attr(n, "window")->v.ints[i];
        if (!dim_is_const(before) || !dim_is_const(after) || before.value >= window || after.value >= window)
            return false;
        if (!dim_is(node_attr(n, "before")->v.dims[i], 0) || !dim_is(node_attr(n, "after")->v.dims[i], 0)) return false;
        int64_t low, high;
        dim_range(&g->dims, shape_at(g, pad->inputs[0])->dims[i + 1], &low, &high);
        if (low < 1) return false;
    }
    return true;
}

/* conv or pool of a padded image */
ValueId rule_pad_into_window(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *pad = match(w->g, n->inputs[0], OP_PAD);
    if (!pad || strcmp(node_string(pad, "mode", "constant"), "constant") != 0 || !is_own_padding(w->g, n, pad))
        return (ValueId){0};
    int spatial = shape_at(w->g, n->outputs[0])->rank - 2;
    const Dim *pad_before = node_attr(pad, "before")->v.dims, *pad_after = node_attr(pad, "after")->v.dims;
    int ends[] = {0, spatial + 1};
    for (int i = 0; i < 2; i++)
        if (!dim_is(pad_before[ends[i]], 0) || !dim_is(pad_after[ends[i]], 0)) return (ValueId){0};
    Dim before[3], after[3];
    for (int i = 0; i < spatial; i++) {
        before[i] = dim_add(&w->g->dims, node_attr(n, "before")->v.dims[i], pad_before[i + 1]);
        after[i] = dim_add(&w->g->dims, node_attr(n, "after")->v.dims[i], pad_after[i + 1]);
    }
    Attr attrs[8];
    uint32_t n_attrs = n->n_attrs;
    CHECK(n_attrs <= ARRAY_LEN(attrs));
    for (uint32_t i = 0; i < n_attrs; i++) {
        attrs[i] = n->attrs[i];
        if (strcmp(attrs[i].name, "before") == 0)
            attrs[i] = attr_dims(w->u->scratch, "before", (size_t)spatial, before);
        if (strcmp(attrs[i].name, "after") == 0) attrs[i] = attr_dims(w->u->scratch, "after", (size_t)spatial, after);
    }
    ValueId inputs[2] = {pad->inputs[0], n->n_inputs > 1 ? n->inputs[1] : (ValueId){0}};
    rewrite_takes(w, n->inputs[0]);
    return insert_op(w, n->op, n->name, n->n_inputs, inputs, n_attrs, attrs);
}

/* batch_to_space(f(x)) = f(batch_to_space(x)) for an element-wise f whose other operands are constants along channels.
 */
ValueId rule_batch_to_space_last(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    NodeId def = value_at(w->g, n->inputs[0])->def;
    const Node *f = node_at(w->g, def);
    if (!def.i || !(op_info(f->op)->flags & OP_FLAG_EWISE) || rewrite_uses(w, n->inputs[0]) != 1) return (ValueId){0};
    int rank = shape_at(w->g, n->outputs[0])->rank;
    if (node_attr(n, "block")->n + 1 >= (uint32_t)rank) return (ValueId){0};
    ValueId inputs[3] = {{0}};
    int main_input = -1;
    for (uint32_t i = 0; i < f->n_inputs; i++) {
        const Shape *s = shape_at(w->g, f->inputs[i]);
        bool channels = true;
        for (int k = 0; k + 1 < s->rank; k++) channels &= dim_is(s->dims[k], 1);
        inputs[i] = f->inputs[i];
        if (value_const(w->g, inputs[i]) && channels) continue;
        if (main_input >= 0 || !shape_equal(s, shape_at(w->g, n->inputs[0]))) return (ValueId){0};
        main_input = (int)i;
    }
    if (main_input < 0) return (ValueId){0};
    inputs[main_input] = insert_like(w, id, 1, &inputs[main_input]);
    return insert_like(w, def, node_at(w->g, def)->n_inputs, inputs);
}

static ValueId insert_blocks(Rewriter *w, OpId op, ValueId x, size_t n, const int64_t *block, const Dim *before,
                             const Dim *after, const char *name) {
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_ints(a, "block", n, block), attr_dims(a, "before", n, before),
                    attr_dims(a, "after", n, after)};
    return insert_op(w, op, name, 1, &x, 3, attrs);
}

/* Whether `wide` is `narrow` with one dim of size 1 more, behind the batch. */
static bool adds_height(const Shape *narrow, const Shape *wide) {
    if (wide->rank != narrow->rank + 1 || narrow->rank < 2 || !dim_is(wide->dims[1], 1)) return false;
    for (int i = 0; i < narrow->rank; i++)
        if (!dim_equal(narrow->dims[i], wide->dims[i ? i + 1 : 0])) return false;
    return true;
}

/* A list with one more entry in front, for the dim that a reshape puts there. */
static size_t with_height(const Node *n, int64_t *block, Dim *before, Dim *after) {
    size_t count = node_attr(n, "block")->n;
    block[0] = 1;
    before[0] = after[0] = dim_const(0);
    memcpy(block + 1, node_attr(n, "block")->v.ints, count * sizeof *block);
    memcpy(before + 1, node_attr(n, "before")->v.dims, count * sizeof *before);
    memcpy(after + 1, node_attr(n, "after")->v.dims, count * sizeof *after);
    return count + 1;
}

/* Keras writes a dilated 1-D convolution as space_to_batch [N,T,C], reshape to [N,1,T,C], conv, reshape back,
   batch_to_space. These two rules bring the reshapes to the outside, so that rule_dilated_convolution sees an image. */
ValueId rule_space_to_batch_reshape(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *blocks = match_only(w, n->inputs[0], OP_SPACE_TO_BATCH);
    if (!blocks || !adds_height(shape_at(w->g, n->inputs[0]), shape_at(w->g, n->outputs[0]))) return (ValueId){0};
    int64_t block[MAX_RANK + 1];
    Dim before[MAX_RANK + 1], after[MAX_RANK + 1];
    size_t count = with_height(blocks, block, before, after);
    Shape wide = *shape_at(w->g, blocks->inputs[0]);
    const char *name = blocks->name;
    if (wide.rank == MAX_RANK) return (ValueId){0};
    memmove(&wide.dims[2], &wide.dims[1], (size_t)(wide.rank - 1) * sizeof *wide.dims);
    wide.dims[1] = dim_const(1);
    wide.rank++;
    ValueId x = insert_reshape(w, blocks->inputs[0], &wide, name);
    return x.i ? insert_blocks(w, OP_SPACE_TO_BATCH, x, count, block, before, after, name) : x;
}

ValueId rule_batch_to_space_reshape(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *reshape = match_only(w, n->inputs[0], OP_RESHAPE);
    if (!reshape || !adds_height(shape_at(w->g, n->inputs[0]), shape_at(w->g, reshape->inputs[0]))) return (ValueId){0};
    int64_t block[MAX_RANK + 1];
    Dim before[MAX_RANK + 1], after[MAX_RANK + 1];
    size_t count = with_height(n, block, before, after);
    Shape to = *shape_at(w->g, n->outputs[0]);
    const char *name = n->name;
    ValueId space = insert_blocks(w, OP_BATCH_TO_SPACE, reshape->inputs[0], count, block, before, after, name);
    return space.i ? insert_reshape(w, space, &to, name) : space;
}

/* x from begin on, in shape `to`; begin may be all 0. */
static ValueId insert_window(Rewriter *w, ValueId x, const Dim *begin, const Shape *to, const char *name) {
    int64_t ones[MAX_RANK];
    for (int i = 0; i < to->rank; i++) ones[i] = 1;
    Arena *a = w->u->scratch;
    size_t rank = (size_t)to->rank;
    Attr attrs[] = {attr_dims(a, "begin", rank, begin), attr_dims(a, "size", rank, to->dims),
                    attr_ints(a, "strides", rank, ones)};
    return insert_op(w, OP_SLICE, name, 1, &x, 3, attrs);
}

/* batch_to_space(conv(space_to_batch(x))) with step 1 is a convolution whose taps are `block` apart. What is padded and
   cropped around it is padding of that convolution; what is cropped beyond that is cut off its result. */
ValueId rule_dilated_convolution(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *conv = match_only(w, n->inputs[0], OP_CONV);
    const Node *blocks = conv ? match_only(w, conv->inputs[0], OP_SPACE_TO_BATCH) : NULL;
    if (!blocks) return (ValueId){0};
    size_t spatial = (size_t)shape_at(w->g, n->outputs[0])->rank - 2, count = node_attr(n, "block")->n;
    if (count > spatial || count != node_attr(blocks, "block")->n) return (ValueId){0};
    int64_t strides[3], dilations[3];
    Dim before[3], after[3], begin[MAX_RANK];
    bool cropped = false;
    for (int i = 0; i < MAX_RANK; i++) begin[i] = dim_const(0);
    for (size_t i = 0; i < spatial; i++) {
        int64_t block = i < count ? node_attr(n, "block")->v.ints[i] : 1;
        strides[i] = node_attr(conv, "strides")->v.ints[i];
        dilations[i] = node_attr(conv, "dilations")->v.ints[i];
        before[i] = node_attr(conv, "before")->v.dims[i];
        after[i] = node_attr(conv, "after")->v.dims[i];
        if (i >= count) continue;
        if (node_attr(blocks, "block")->v.ints[i] != block || (block != 1 && strides[i] != 1) ||
            dilations[i] > INT32_MAX / block)
            return (ValueId){0};
        dilations[i] *= block;
        Dim *sides[] = {&before[i], &after[i]};
        const char *const names[] = {"before", "after"};
        for (int k = 0; k < 2; k++) {
            int64_t low, high;
            Dim d = dim_mul(&w->g->dims, *sides[k], dim_const(block));
            d = dim_add(&w->g->dims, d, node_attr(blocks, names[k])->v.dims[i]);
            d = dim_sub(&w->g->dims, d, node_attr(n, names[k])->v.dims[i]);
            dim_range(&w->g->dims, d, &low, &high);
            if (block == 1 && strides[i] != 1 && !dim_equal(d, *sides[k])) return (ValueId){0};
            if (low < 0 && !dim_is_const(d)) return (ValueId){0};
            if (low < 0) {
                cropped = true;
                if (k == 0) begin[i + 1] = dim_const(-d.value);
                d = dim_const(0);
            }
            *sides[k] = d;
        }
    }
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_ints(a, "strides", spatial, strides), attr_ints(a, "dilations", spatial, dilations),
                    attr_dims(a, "before", spatial, before), attr_dims(a, "after", spatial, after),
                    attr_int("groups", node_int(conv, "groups", 1))};
    rewrite_takes(w, n->inputs[0]);
    rewrite_takes(w, conv->inputs[0]);
    Shape to = *shape_at(w->g, n->outputs[0]);
    const char *name = conv->name;
    ValueId y = insert_op(w, OP_CONV, name, 2, (ValueId[]){blocks->inputs[0], conv->inputs[1]}, 5, attrs);
    return y.i && cropped ? insert_window(w, y, begin, &to, name) : y;
}

/* batch_to_space(space_to_batch(x)) with the same blocks leaves padding and cropping. */
ValueId rule_batch_space_pair(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *blocks = match(w->g, n->inputs[0], OP_SPACE_TO_BATCH);
    if (!blocks || node_attr(n, "block")->n != node_attr(blocks, "block")->n) return (ValueId){0};
    size_t count = node_attr(n, "block")->n;
    if (memcmp(node_attr(n, "block")->v.ints, node_attr(blocks, "block")->v.ints, count * sizeof(int64_t)) != 0)
        return (ValueId){0};
    Shape to = *shape_at(w->g, n->outputs[0]);
    size_t rank = (size_t)to.rank;
    Dim before[MAX_RANK], after[MAX_RANK], begin[MAX_RANK];
    for (size_t i = 0; i < rank; i++) {
        bool inner = i >= 1 && i <= count;
        before[i] = inner ? node_attr(blocks, "before")->v.dims[i - 1] : dim_const(0);
        after[i] = inner ? node_attr(blocks, "after")->v.dims[i - 1] : dim_const(0);
        begin[i] = inner ? node_attr(n, "before")->v.dims[i - 1] : dim_const(0);
    }
    const char *name = n->name;
    ValueId x = blocks->inputs[0];
    rewrite_takes(w, n->inputs[0]);
    DType dtype = dtype_at(w->g, x);
    if (!dtype_is_float(dtype) && !dtype_is_int(dtype)) return (ValueId){0};
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_dims(a, "before", rank, before), attr_dims(a, "after", rank, after),
                    attr_string("mode", "constant")};
    ValueId zero = build_scalar_const(w->g, w->r, dtype, 0);
    x = insert_op(w, OP_PAD, name, 2, (ValueId[]){x, zero}, 3, attrs);
    return x.i ? insert_window(w, x, begin, &to, name) : x;
}

ValueId rule_resize_nothing(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    ValueId x = n->inputs[0];
    if (!shape_equal(shape_at(w->g, x), shape_at(w->g, n->outputs[0]))) return (ValueId){0};
    Diag d;
    diag_init(&d, w->u->scratch, NULL);
    return build_cast(w->g, w->r, x, dtype_at(w->g, n->outputs[0]), n->name, &d);
}

/* [..., M, K] x [K, N]: one product of all rows. */
ValueId rule_matmul_flat(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    const Shape *a = shape_at(w->g, n->inputs[0]), *b = shape_at(w->g, n->inputs[1]);
    if (a->rank < 3 || node_int(n, "transpose_a", 0)) return (ValueId){0};
    for (int i = 0; i < b->rank - 2; i++)
        if (!dim_is(b->dims[i], 1)) return (ValueId){0};
    if (b->rank > a->rank) return (ValueId){0};
    Shape rows = {.rank = 2, .dims = {dim_const(1), a->dims[a->rank - 1]}},
          matrix = {.rank = 2, .dims = {b->dims[b->rank - 2], b->dims[b->rank - 1]}};
    for (int i = 0; i < a->rank - 1; i++) rows.dims[0] = dim_mul(&w->g->dims, rows.dims[0], a->dims[i]);
    ValueId inputs[2] = {n->inputs[0], n->inputs[1]};
    Shape to = *shape_at(w->g, n->outputs[0]);
    const char *name = n->name;
    inputs[0] = insert_reshape(w, inputs[0], &rows, name);
    inputs[1] = insert_reshape(w, inputs[1], &matrix, name);
    if (!inputs[0].i || !inputs[1].i) return (ValueId){0};
    ValueId product = insert_like(w, id, 2, inputs);
    return product.i ? insert_reshape(w, product, &to, name) : product;
}
