/* infer_move: shape and data movement. Constant sizes are checked against each other here; what depends on symbols is
 * checked while running. */
#include "ir/infer_common.h"

#include <string.h>

bool infer_reshape(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const Attr *shape = infer_attr(c, "shape");
    const Dim *dims;
    if (shape->n > MAX_RANK)
        return infer_error(c, "a shape of %u dimensions is more than the %d that are supported", shape->n, MAX_RANK);
    if (!infer_dim_list(c, "shape", (int)shape->n, 0, &dims)) return false;
    Shape s = {.rank = (int)shape->n};
    memcpy(s.dims, dims, shape->n * sizeof *dims);
    if (!infer_may_equal(c, shape_elements(infer_dims(c), x), shape_elements(infer_dims(c), &s)))
        return infer_error(c, "cannot reshape %s to %s: the numbers of elements differ", infer_text(c, x),
                           infer_text(c, &s));
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    infer_pass_content(c, 0);
    return true;
}

bool infer_broadcast(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const Attr *shape = infer_attr(c, "shape");
    const Dim *dims;
    if (shape->n > MAX_RANK)
        return infer_error(c, "a shape of %u dimensions is more than the %d that are supported", shape->n, MAX_RANK);
    if (!infer_dim_list(c, "shape", (int)shape->n, 0, &dims)) return false;
    Shape s = {.rank = (int)shape->n};
    memcpy(s.dims, dims, shape->n * sizeof *dims);
    bool fits = x->rank <= s.rank;
    for (int i = 0; fits && i < x->rank; i++) {
        Dim from = x->dims[i], to = s.dims[i + s.rank - x->rank];
        fits = infer_may_equal(c, from, to) || infer_may_equal(c, from, dim_const(1));
    }
    if (!fits) return infer_error(c, "cannot broadcast %s to %s", infer_text(c, x), infer_text(c, &s));
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    int64_t n, count = shape_count(&s);
    const Dim *content = infer_content(c, 0, &n);
    Dim elements[MAX_CONTENT];
    if (!content || count < 0 || count > MAX_CONTENT || (n != 1 && n != count)) return true;
    for (int64_t i = 0; i < count; i++) elements[i] = content[n == 1 ? 0 : i];
    infer_set_content(c, count, elements);
    return true;
}

bool infer_transpose(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const Attr *perm = infer_attr(c, "perm");
    uint32_t axes;
    if (perm->n != (uint32_t)x->rank) return infer_error(c, "perm has %u entries for %d dimensions", perm->n, x->rank);
    if (!infer_axes(c, "perm", x->rank, &axes)) return false;
    Shape s = {.rank = x->rank};
    for (int i = 0; i < s.rank; i++) s.dims[i] = x->dims[perm->v.ints[i]];
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    infer_pass_content(c, 0);
    return true;
}

bool infer_reverse(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    uint32_t axes;
    if (!infer_axes(c, "axes", x->rank, &axes)) return false;
    infer_set(c, 0, infer_in(c, 0)->dtype, x);
    int64_t n;
    const Dim *content = infer_content(c, 0, &n);
    Dim elements[MAX_CONTENT];
    if (!content) return true;
    for (int64_t i = 0; i < n; i++) elements[i] = content[axes ? n - 1 - i : i];
    infer_set_content(c, n, elements);
    return true;
}

/* Whether begin, begin + stride, … (size of them) lie in 0..dim-1, as far as that is constant. */
static bool slice_fits(Dim dim, Dim begin, Dim size, int64_t stride) {
    if (!dim_is_const(begin) || !dim_is_const(size) || size.value == 0) return true;
    int64_t steps, last;
    if (begin.value < 0 || __builtin_mul_overflow(size.value - 1, stride, &steps) ||
        __builtin_add_overflow(begin.value, steps, &last))
        return false;
    if (last < 0) return false;
    return !dim_is_const(dim) || (begin.value < dim.value && last < dim.value);
}

bool infer_slice(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const Dim *begin, *size;
    const int64_t *strides;
    if (!infer_dim_list(c, "begin", x->rank, 0, &begin) || !infer_dim_list(c, "size", x->rank, 0, &size) ||
        !infer_list(c, "strides", x->rank, INT32_MIN, &strides))
        return false;
    Shape s = {.rank = x->rank};
    for (int i = 0; i < s.rank; i++) {
        if (strides[i] == 0) return infer_error(c, "a stride is 0");
        if (!slice_fits(x->dims[i], begin[i], size[i], strides[i]))
            return infer_error(c, "the slice leaves its input %s in dimension %d", infer_text(c, x), i);
        s.dims[i] = size[i];
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    int64_t n;
    const Dim *content = infer_content(c, 0, &n);
    Dim elements[MAX_CONTENT];
    if (!content || s.rank > 1) return true;
    if (s.rank == 0) {
        infer_pass_content(c, 0);
        return true;
    }
    if (!dim_is_const(begin[0]) || !dim_is_const(size[0]) || size[0].value > MAX_CONTENT) return true;
    for (int64_t i = 0; i < size[0].value; i++) elements[i] = content[begin[0].value + i * strides[0]];
    infer_set_content(c, size[0].value, elements);
    return true;
}

/* Input i is a vector of `rank` positions. */
static bool check_begin(Infer *c, uint32_t i, int rank) {
    DType t = infer_in(c, i)->dtype;
    if (t != DTYPE_S32 && t != DTYPE_S64) return infer_error(c, "positions must be int32 or int64");
    if (!infer_rank(c, i, 1)) return false;
    return infer_may_equal(c, infer_shape_in(c, i)->dims[0], dim_const(rank)) ||
           infer_error(c, "%d positions are needed", rank);
}

bool infer_dynamic_slice(Infer *c) {
    const Shape *x = infer_shape_in(c, 0);
    const Dim *size;
    if (!check_begin(c, 1, x->rank) || !infer_dim_list(c, "size", x->rank, 0, &size)) return false;
    Shape s = {.rank = x->rank};
    for (int i = 0; i < s.rank; i++) {
        if (dim_is_const(size[i]) && dim_is_const(x->dims[i]) && size[i].value > x->dims[i].value)
            return infer_error(c, "the slice is larger than its input %s in dimension %d", infer_text(c, x), i);
        s.dims[i] = size[i];
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}

bool infer_dynamic_update(Infer *c) {
    const Shape *x = infer_shape_in(c, 0), *update = infer_shape_in(c, 1);
    if (!infer_same_dtype(c, 0, 1) || !infer_rank(c, 1, x->rank) || !check_begin(c, 2, x->rank)) return false;
    for (int i = 0; i < x->rank; i++)
        if (dim_is_const(update->dims[i]) && dim_is_const(x->dims[i]) && update->dims[i].value > x->dims[i].value)
            return infer_error(c, "the update %s is larger than %s", infer_text(c, update), infer_text(c, x));
    infer_set(c, 0, infer_in(c, 0)->dtype, x);
    return true;
}

bool infer_pad(Infer *c) {
    static const struct {
        const char *mode;
        int64_t reserve; /* how far short of the dim the padding must stay */
        bool bounded;
    } modes[] = {{"constant", 0, false}, {"reflect", 1, true}, {"symmetric", 0, true}};
    const Shape *x = infer_shape_in(c, 0);
    const char *mode = node_string(c->n, "mode", "constant");
    const Dim *before, *after;
    size_t m = 0;
    while (m < ARRAY_LEN(modes) && strcmp(modes[m].mode, mode) != 0) m++;
    if (m == ARRAY_LEN(modes)) return infer_error(c, "there is no padding mode '%s'", mode);
    if (!infer_same_dtype(c, 0, 1) || !infer_rank(c, 1, 0)) return false;
    if (!infer_dim_list(c, "before", x->rank, 0, &before) || !infer_dim_list(c, "after", x->rank, 0, &after))
        return false;
    Shape s = {.rank = x->rank};
    for (int i = 0; i < s.rank; i++) {
        Dim side[2] = {before[i], after[i]};
        for (int k = 0; k < 2; k++) {
            if (dim_is_const(side[k]) && side[k].value < 0) return infer_error(c, "a padding is negative");
            if (modes[m].bounded && dim_is_const(side[k]) && dim_is_const(x->dims[i]) && side[k].value > 0 &&
                side[k].value > x->dims[i].value - modes[m].reserve)
                return infer_error(c, "a padding by %s is larger than %s allows in dimension %d", mode,
                                   infer_text(c, x), i);
        }
        Dim wide = dim_add(infer_dims(c), x->dims[i], before[i]);
        s.dims[i] = dim_add(infer_dims(c), wide, after[i]);
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}

bool infer_concat(Infer *c) {
    int axis;
    Shape s = *infer_shape_in(c, 0);
    if (!infer_axis(c, "axis", s.rank, &axis)) return false;
    for (uint32_t i = 1; i < c->n->n_inputs; i++) {
        const Shape *x = infer_shape_in(c, i);
        if (!infer_same_dtype(c, 0, i) || !infer_rank(c, i, s.rank)) return false;
        for (int k = 0; k < s.rank; k++) {
            if (k == axis) {
                s.dims[k] = dim_add(infer_dims(c), s.dims[k], x->dims[k]);
                continue;
            }
            if (!infer_may_equal(c, s.dims[k], x->dims[k]))
                return infer_error(c, "cannot join %s and %s along axis %d", infer_text(c, infer_shape_in(c, 0)),
                                   infer_text(c, x), axis);
            s.dims[k] = infer_unify(s.dims[k], x->dims[k]);
        }
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    Dim elements[MAX_CONTENT];
    int64_t total = 0;
    for (uint32_t i = 0; i < c->n->n_inputs && s.rank == 1; i++) {
        int64_t n;
        const Dim *content = infer_content(c, i, &n);
        if (!content || n > MAX_CONTENT - total) return true;
        memcpy(elements + total, content, (size_t)n * sizeof *content);
        total += n;
    }
    if (s.rank == 1) infer_set_content(c, total, elements);
    return true;
}

/* Lists that space_to_batch and batch_to_space share: blocks, and cells before and after each of their dims. */
typedef struct {
    int n;
    const int64_t *block;
    const Dim *before, *after;
    int64_t blocks; /* product */
} Blocks;

static bool read_blocks(Infer *c, Blocks *b) {
    const Shape *x = infer_shape_in(c, 0);
    b->n = (int)infer_attr(c, "block")->n;
    b->blocks = 1;
    if (infer_attr(c, "block")->n >= (uint32_t)x->rank)
        return infer_error(c, "%u block sizes are too many for %s", infer_attr(c, "block")->n, infer_text(c, x));
    if (!infer_list(c, "block", b->n, 1, &b->block) || !infer_dim_list(c, "before", b->n, 0, &b->before) ||
        !infer_dim_list(c, "after", b->n, 0, &b->after))
        return false;
    for (int i = 0; i < b->n; i++)
        if (__builtin_mul_overflow(b->blocks, b->block[i], &b->blocks))
            return infer_error(c, "the block sizes are too large");
    return true;
}

bool infer_space_to_batch(Infer *c) {
    DimTable *t = infer_dims(c);
    Blocks b;
    Shape s = *infer_shape_in(c, 0);
    if (!read_blocks(c, &b)) return false;
    s.dims[0] = dim_mul(t, s.dims[0], dim_const(b.blocks));
    for (int i = 0; i < b.n; i++) {
        Dim padded = dim_add(t, s.dims[i + 1], b.before[i]);
        padded = dim_add(t, padded, b.after[i]);
        if (dim_is_const(padded) && padded.value % b.block[i] != 0)
            return infer_error(c, "padded dimension %d is no multiple of its block %lld", i + 1, (long long)b.block[i]);
        s.dims[i + 1] = dim_floordiv(t, padded, dim_const(b.block[i]));
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}

bool infer_batch_to_space(Infer *c) {
    DimTable *t = infer_dims(c);
    Blocks b;
    Shape s = *infer_shape_in(c, 0);
    if (!read_blocks(c, &b)) return false;
    if (dim_is_const(s.dims[0]) && s.dims[0].value % b.blocks != 0)
        return infer_error(c, "the batch is no multiple of the blocks");
    s.dims[0] = dim_floordiv(t, s.dims[0], dim_const(b.blocks));
    for (int i = 0; i < b.n; i++) {
        Dim whole = dim_mul(t, s.dims[i + 1], dim_const(b.block[i]));
        whole = dim_sub(t, whole, b.before[i]);
        s.dims[i + 1] = dim_sub(t, whole, b.after[i]);
    }
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}
