/* import_shape: ops about shapes: asking for them (answers known at compile time, symbolic dims included), reshaping,
 * filling, ranges. */
#include "frontend/importer.h"

#include <math.h>
#include <string.h>

bool import_shape(Import *c) {
    DType dtype = attr_t(c, "out_type", DTYPE_S32);
    c->n_out = c->n_in;
    if (c->n_in > IMPORT_MAX_OUTPUTS) return unsupported(c, "has more than %d outputs", IMPORT_MAX_OUTPUTS);
    for (uint32_t i = 0; i < c->n_in; i++) {
        Shape s = shape_copy(c, c->in[i]);
        c->out[i] = make_dims(c, dtype, 1, s.rank, s.dims);
    }
    return true;
}

bool import_size(Import *c) {
    Shape s = shape_copy(c, c->in[0]);
    Dim n = shape_elements(&c->g->dims, &s);
    return give(c, make_dims(c, attr_t(c, "out_type", DTYPE_S32), 0, 1, &n));
}

bool import_rank(Import *c) {
    return give(c, make_scalar_int(c, DTYPE_S32, rank_of(c, c->in[0])));
}

/* A dim that stands for "the rest" if it is -1: known now, or a symbol that only turns out at run time to be -1.
   d when d >= 0, else rest: d + [d < 0] * (1 + rest), where [d < 0] is -min(d, 0) as d >= -1. */
Dim resolve_rest(const Import *c, Dim d, Dim rest) {
    DimTable *t = &c->g->dims;
    int64_t min;
    int64_t max;
    if (dim_is_const(d)) return d.value == -1 ? rest : d;
    dim_range(t, d, &min, &max);
    if (min >= 0) return d;
    Dim is_rest = dim_sub(t, dim_const(0), dim_min(t, d, dim_const(0)));
    return dim_add(t, d, dim_mul(t, is_rest, dim_add(t, dim_const(1), rest)));
}

static bool may_be_rest(const Import *c, Dim d) {
    int64_t min;
    int64_t max;
    dim_range(&c->g->dims, d, &min, &max);
    return min < 0;
}

/* Product of sizes, those that are 0 left out; of `to` that of dim `skip` as well. */
static Dim product_of_some(Import *c, const Shape *s, int skip) {
    DimTable *t = &c->g->dims;
    Dim product = dim_const(1);
    for (int i = 0; i < s->rank; i++)
        if (i != skip) product = dim_mul(t, product, dim_max(t, s->dims[i], dim_const(1)));
    return product;
}

/* Whether some size in d is known only while running. */
static bool is_computed(const Import *c, Dim d) {
    const DimTable *t = &c->g->dims;
    for (uint32_t i = 0; i < t->symbols.len; i++)
        if (t->symbols.data[i].definer && dim_uses(t, d, i)) return true;
    return false;
}

/* Whether sizes of which one may be 0 with the others are to be followed exactly. Where they are those of the model's
   inputs, and the rest goes on to be a size of images or series, that is not worth its price: the same size would no
   longer be the same expression everywhere. */
static bool follows_zeros(const Import *c, const Shape *from, const Shape *to, Dim known, Dim rest) {
    bool is_one = false;
    for (int i = 0; i < from->rank; i++) is_one = is_one || dim_equal(from->dims[i], rest);
    return is_computed(c, known) || is_computed(c, rest) || (to->rank <= 2 && !is_one);
}

/* What is left for dim `skip` of `to`: elements by the other sizes; where one of these is 0, sizes of 0 do not count on
   either side, as in TensorFlow's Reshape. False after a message. */
static bool rest_of(Import *c, const Shape *from, const Shape *to, int skip, Dim *out) {
    DimTable *t = &c->g->dims;
    int64_t min;
    int64_t max;
    Dim total = shape_elements(t, from);
    Dim known = dim_const(1);
    for (int i = 0; i < to->rank; i++)
        if (i != skip) known = dim_mul(t, known, to->dims[i]);
    dim_range(t, known, &min, &max);
    if (min > 0) {
        *out = dim_floordiv(t, total, known);
        return true;
    }
    Dim of_some = dim_floordiv(t, product_of_some(c, from, -1), product_of_some(c, to, skip));
    *out = of_some;
    if (max <= 0) return true;
    Dim rest = dim_floordiv(t, total, known);
    if (dim_equal(of_some, rest)) return true;
    Dim is_some = dim_max(t, dim_sub(t, dim_const(1), known), dim_const(0)); /* 1 where known is 0, else 0 */
    if (dim_equal(dim_mul(t, rest, known), total)) { /* of_some is more only where sizes left for the rest are 0, too */
        *out = rest;
        if (!follows_zeros(c, from, to, known, rest))
            return make_require(c, "at_most", dim_const(1), dim_add(t, known, rest));
        *out = dim_max(t, rest, dim_mul(t, is_some, of_some));
        return true;
    }
    Dim positive = dim_max(t, known, dim_const(1));
    Dim usual = dim_mul(t, dim_sub(t, dim_const(1), is_some), dim_floordiv(t, total, positive));
    *out = dim_add(t, usual, dim_mul(t, is_some, of_some));
    return true;
}

ValueId make_resolved_shape(Import *c, ValueId shape, ValueId dims) {
    int64_t axis = 0;
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    ValueId is_rest = make_binary(c, OP_LT, shape, zero);
    ValueId sizes = make_select(c, is_rest, one, shape);
    ValueId product = make_reduce(c, sizes, "prod", 1, &axis, false);
    ValueId has_zero = make_binary(c, OP_EQ, product, zero);
    ValueId counted = make_binary(c, OP_MAX, dims, one); /* as in rest_of */
    counted = make_select(c, has_zero, counted, dims);
    ValueId elements = make_reduce(c, counted, "prod", 1, &axis, false);
    sizes = make_binary(c, OP_MAX, sizes, one);
    ValueId known = make_reduce(c, sizes, "prod", 1, &axis, false);
    ValueId rest = make_binary(c, OP_FLOORDIV, elements, known);
    return make_select(c, is_rest, rest, shape);
}

/* Dims of the new shape of which any may turn out to be the rest: settled in a tensor and loaded, since said as
   expressions of each other they grow without end. */
static bool settle_rests(Import *c, const Shape *from, Shape *to) {
    Dim settled[MAX_RANK];
    int n = 0;
    ValueId shape = make_cast(c, c->in[1], DTYPE_S64);
    ValueId dims = make_dims(c, DTYPE_S64, 1, from->rank, from->dims);
    ValueId resolved = make_resolved_shape(c, shape, dims);
    if (!load_content(c, resolved, 0, settled, &n, MAX_RANK, "the new shape")) return false;
    for (int i = 0; i < to->rank; i++)
        if (!dim_is_const(to->dims[i]) && may_be_rest(c, to->dims[i])) to->dims[i] = settled[i];
    return true;
}

bool import_reshape(Import *c) {
    DimTable *t = &c->g->dims;
    Shape to = {0};
    if (!load_content(c, c->in[1], -1, to.dims, &to.rank, MAX_RANK, "the new shape")) return false;
    Shape from = shape_copy(c, c->in[0]);
    int n_rest = 0;
    int at = 0;
    for (int i = 0; i < to.rank; i++) {
        if (dim_is_const(to.dims[i]) && to.dims[i].value < -1)
            return bad(c, "dimension %d of the new shape is %lld", i, (long long)to.dims[i].value);
        n_rest += dim_is(to.dims[i], -1);
        if (dim_is(to.dims[i], -1)) at = i;
    }
    if (n_rest > 1) return bad(c, "the new shape has more than one -1");
    if (n_rest == 1) {
        return rest_of(c, &from, &to, at, &to.dims[at]) && give(c, make_reshape(c, c->in[0], &to));
    }
    Dim rests = dim_const(0); /* -1 for each that is the rest */
    int may_be = 0;
    for (int i = 0; i < to.rank; i++) {
        if (dim_is_const(to.dims[i]) || !may_be_rest(c, to.dims[i])) continue;
        may_be++;
        rests = dim_add(t, rests, dim_min(t, to.dims[i], dim_const(0)));
    }
    if (may_be > 1)
        return make_require(c, "at_most", dim_const(-1), rests) && settle_rests(c, &from, &to) &&
               give(c, make_reshape(c, c->in[0], &to));
    for (int i = 0; i < to.rank; i++) {
        if (dim_is_const(to.dims[i]) || !may_be_rest(c, to.dims[i])) continue;
        Dim rest;
        if (!rest_of(c, &from, &to, i, &rest)) return false;
        to.dims[i] = resolve_rest(c, to.dims[i], rest);
    }
    return give(c, make_reshape(c, c->in[0], &to));
}

/* ParseTensor: its bytes say the rank. */
bool import_parse_tensor(Import *c) {
    if (failed(import_host(c, "_ParseTensor", c->n_in, c->in, 2))) return false;
    c->n_out = 1;
    return give(c, any_rank_register(c, c->out[0], c->out[1], ANY_RANK_ALL));
}

/* All dims of 1 go, which only running tells: a value of run-time rank. */
static bool squeeze_unknown(Import *c, const Shape *s) {
    uint32_t ranks = 0;
    int least = 0;
    for (int i = 0; i < s->rank; i++) {
        int64_t min;
        int64_t max;
        dim_range(&c->g->dims, s->dims[i], &min, &max);
        least += min > 1 || max < 1;
    }
    for (int r = least; r <= s->rank; r++) ranks |= 1u << r;
    ValueId x = any_rank_of(c, c->in[0]);
    ValueId dims = make_dims(c, DTYPE_S64, 1, s->rank, s->dims);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    ValueId kept = make_binary(c, OP_NE, dims, one);
    kept = import_host(c, "Where", 1, &kept, 1);
    c->n_out = 1;
    if (failed(kept)) return false;
    kept = make_squeeze(c, kept, 1);
    dims = make_gather(c, dims, kept, 0, 0, false);
    return give(c, any_rank_register(c, x, dims, ranks));
}

bool import_squeeze(Import *c) {
    int n = 0;
    const int64_t *axes = attr_list(c, "squeeze_dims", &n);
    if (n == 0) axes = attr_list(c, "axis", &n);
    Shape s = shape_copy(c, c->in[0]);
    bool drop[MAX_RANK] = {false};
    for (int i = 0; i < n; i++) {
        int axis = 0;
        if (!normalise_axis(c, axes[i], s.rank, &axis)) return false;
        if (dim_is_const(s.dims[axis]) && s.dims[axis].value != 1)
            return bad(c, "dimension %d is %lld, cannot be squeezed away", axis, (long long)s.dims[axis].value);
        drop[axis] = true;
    }
    for (int i = 0; n == 0 && i < s.rank; i++) {
        int64_t min;
        int64_t max;
        dim_range(&c->g->dims, s.dims[i], &min, &max);
        drop[i] = dim_is(s.dims[i], 1);
        if (!dim_is_const(s.dims[i]) && min <= 1 && max >= 1) return squeeze_unknown(c, &s);
    }
    Shape to = {0};
    for (int i = 0; i < s.rank; i++)
        if (!drop[i]) to.dims[to.rank++] = s.dims[i];
    return give(c, make_reshape(c, c->in[0], &to));
}

bool import_expand_dims(Import *c) {
    int64_t axis[1];
    int n = 0;
    int at = 0;
    if (!import_const_ints(c, 1, axis, &n, 1)) return false;
    if (n != 1) return bad(c, "needs one axis");
    if (!normalise_axis(c, axis[0], rank_of(c, c->in[0]) + 1, &at)) return false;
    return give(c, make_expand(c, c->in[0], at));
}

/* EnsureShape: what it promises is checked as far as it is known. */
bool import_ensure_shape(Import *c) {
    const TfAttr *a = tf_attr(c->n, "shape");
    Shape s = shape_copy(c, c->in[0]);
    if (!a || a->kind != TF_ATTR_SHAPE || a->v.shape.rank < 0) return give(c, c->in[0]);
    if (a->v.shape.rank != s.rank) return bad(c, "promises rank %d, the value has rank %d", a->v.shape.rank, s.rank);
    bool changed = false;
    for (int i = 0; i < s.rank; i++) {
        int64_t want = a->v.shape.dims[i];
        if (want >= 0 && dim_is_const(s.dims[i]) && s.dims[i].value != want)
            return bad(c, "dimension %d is promised to be %lld, it is %lld", i, (long long)want,
                       (long long)s.dims[i].value);
        if (want >= 0 && !dim_is_const(s.dims[i])) {
            s.dims[i] = dim_const(want);
            changed = true;
        }
    }
    return give(c, changed ? make_reshape(c, c->in[0], &s) : c->in[0]);
}

ValueId make_zero(Import *c, DType dtype) {
    if (dtype == DTYPE_NONE) {
        bad(c, "its element type does not exist");
        return (ValueId){0};
    }
    Tensor t = tensor_new(c->g->arena, dtype, 0, NULL);
    return make_const(c, &t);
}

/* ZerosLike, OnesLike; arg is the value */
bool import_like(Import *c) {
    Shape s = shape_copy(c, c->in[0]);
    ListInfo *list = list_find(c->im, c->in[0]);
    if (list && (list->parts || list->meta.i)) return unsupported(c, "zeros like a list of values of different shapes");
    if (list) return give(c, list_new(c, list->count, list->dtype, &list->element));
    ValueId v = import_row(c)->arg ? make_scalar(c, dtype_of(c, c->in[0]), 1) : make_zero(c, dtype_of(c, c->in[0]));
    return give(c, make_broadcast(c, v, &s));
}

static bool fill(Import *c, ValueId dims, ValueId value) {
    Shape s = {0};
    if (!load_content(c, dims, 0, s.dims, &s.rank, MAX_RANK, "the shape")) return false;
    for (int i = 0; i < s.rank; i++)
        if (dim_is_const(s.dims[i]) && s.dims[i].value < 0) return bad(c, "dimension %d of the shape is negative", i);
    return give(c, make_broadcast(c, value, &s));
}

bool import_fill(Import *c) {
    if (rank_of(c, c->in[1]) != 0) return bad(c, "the value to fill with must be a scalar");
    return fill(c, c->in[0], c->in[1]);
}

/* Empty: what is in it is not defined; zeros. */
bool import_empty(Import *c) {
    ValueId zero = make_zero(c, attr_t(c, "dtype", DTYPE_F32));
    return fill(c, c->in[0], zero);
}

bool import_broadcast_to(Import *c) {
    Shape from = shape_copy(c, c->in[0]);
    Shape s = {0};
    if (!load_content(c, c->in[1], 0, s.dims, &s.rank, MAX_RANK, "the shape")) return false;
    if (s.rank < from.rank) return bad(c, "a value of rank %d cannot be broadcast to rank %d", from.rank, s.rank);
    return give(c, make_broadcast(c, c->in[0], &s));
}

bool import_broadcast_args(Import *c) {
    Shape a = {0};
    Shape b = {0};
    Shape out;
    if (!load_content(c, c->in[0], 0, a.dims, &a.rank, MAX_RANK, "the first shape") ||
        !load_content(c, c->in[1], 0, b.dims, &b.rank, MAX_RANK, "the second shape"))
        return false;
    if (!shape_broadcast(&c->g->dims, &a, &b, &out)) return bad(c, "the shapes do not broadcast");
    return give(c, make_dims(c, dtype_of(c, c->in[0]), 1, out.rank, out.dims));
}

/* Per axis [before, d·after] → [before, m, d·after] → [before·m·d·after]; axes of size 1 are only broadcast. */
bool import_tile(Import *c) {
    Dim times[MAX_RANK];
    int n = 0;
    if (!load_content(c, c->in[1], 0, times, &n, MAX_RANK, "multiples")) return false;
    ValueId x = c->in[0];
    Shape s = shape_copy(c, x);
    if (n != s.rank) return bad(c, "multiples has %d entries for a value of rank %d", n, s.rank);
    Shape ones = s;
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (dim_is_const(times[i]) && times[i].value < 0) return bad(c, "multiples must not be negative");
        if (!dim_is(s.dims[i], 1) || dim_is(times[i], 1)) continue;
        ones.dims[i] = times[i];
        times[i] = dim_const(1);
        any = true;
    }
    if (any) x = make_broadcast(c, x, &ones);
    s = ones;
    for (int i = 0; i < n; i++) {
        if (dim_is(times[i], 1)) continue;
        Shape split = {.rank = 3, .dims = {dim_const(1), dim_const(1), dim_const(1)}};
        for (int k = 0; k < s.rank; k++) split.dims[k < i ? 0 : 2] = d_mul(c, split.dims[k < i ? 0 : 2], s.dims[k]);
        ValueId view = make_reshape(c, x, &split);
        split.dims[1] = times[i];
        ValueId wide = make_broadcast(c, view, &split);
        s.dims[i] = d_mul(c, s.dims[i], times[i]);
        x = make_reshape(c, wide, &s);
    }
    return give(c, x);
}

/* ---- ranges */

/* Range of constants, made here so that it can be the axes of something. */
static bool constant_range(Import *c, DType dtype, double start, double limit, double delta) {
    double n = delta == 0 ? 0 : ceil((limit - start) / delta);
    if (delta == 0) return bad(c, "its step is zero");
    if (!(n >= 0)) n = 0;
    if (n > 1 << 24) return unsupported(c, "has more than 2^24 elements");
    int64_t count = (int64_t)n;
    Tensor t = tensor_new(c->g->arena, dtype, 1, &count);
    for (int64_t i = 0; i < count; i++) {
        if (dtype_is_int(dtype))
            tensor_set_i64(&t, i, (int64_t)start + i * (int64_t)delta);
        else
            tensor_set_f64(&t, i, start + (double)i * delta);
    }
    return give(c, make_const(c, &t));
}

static ValueId range_values(Import *c, Dim n, ValueId start, ValueId delta) {
    DType dtype = dtype_of(c, start);
    Shape s = {.rank = 1, .dims = {n}};
    ValueId index = make_iota(c, &s, 0, dtype);
    ValueId scaled = value_is_splat(c->g, delta, 1) ? index : make_binary(c, OP_MUL, index, delta);
    return value_is_splat(c->g, start, 0) ? scaled : make_binary(c, OP_ADD, scaled, start);
}

bool import_range(Import *c) {
    DimTable *t = &c->g->dims;
    DType dtype = dtype_of(c, c->in[0]);
    const Tensor *constants[3];
    for (uint32_t i = 0; i < 3; i++) {
        constants[i] = value_const(c->g, c->in[i]);
        if (rank_of(c, c->in[i]) != 0) return bad(c, "start, limit and delta must be scalars");
    }
    if (constants[0] && constants[1] && constants[2])
        return constant_range(c, dtype, tensor_get_f64(constants[0], 0), tensor_get_f64(constants[1], 0),
                              tensor_get_f64(constants[2], 0));
    Dim zero = dim_const(0);
    if (dtype_is_int(dtype)) {
        Dim at[3];
        int n = 0;
        for (int i = 0; i < 3; i++)
            if (!load_content(c, c->in[i], INT32_MIN, &at[i], &n, 1, "a bound of the range")) return false;
        if (dim_is(at[2], 0)) return bad(c, "its step is zero");
        /* a step that is not zero: min(delta^2, 1) = 1; towards the limit: (limit - start) * delta >= 0 */
        Dim square = dim_min(t, dim_mul(t, at[2], at[2]), dim_const(1));
        Dim towards = dim_mul(t, dim_sub(t, at[1], at[0]), at[2]);
        if (!dim_is_const(at[2]) && !make_require(c, "equal", square, dim_const(1))) return false;
        if (!make_require(c, "at_most", zero, towards)) return false;
        /* ceil((limit - start) / delta) for either sign */
        Dim count = dim_sub(t, zero, dim_floordiv(t, dim_sub(t, at[0], at[1]), at[2]));
        count = dim_max(t, count, zero);
        return give(c, range_values(c, count, c->in[0], c->in[2]));
    }
    ValueId span = make_binary(c, OP_SUB, c->in[1], c->in[0]);
    ValueId steps = make_binary(c, OP_DIV, span, c->in[2]);
    ValueId size = make_unary(c, OP_CEIL, steps);
    ValueId whole = make_cast(c, size, DTYPE_S64);
    /* towards the limit, by a step that is not zero: else -1, which is no length */
    ValueId none = make_like(c, span, 0);
    ValueId product = make_binary(c, OP_MUL, span, c->in[2]);
    ValueId towards = make_binary(c, OP_GE, product, none);
    ValueId moves = make_binary(c, OP_NE, c->in[2], none);
    ValueId fits = make_binary(c, OP_AND, towards, moves);
    ValueId wrong = make_scalar_int(c, DTYPE_S64, -1);
    ValueId count = make_select(c, fits, whole, wrong);
    Dim n[1];
    int n_n = 0;
    if (!load_content(c, count, -1, n, &n_n, 1, "the length") || !make_require(c, "at_most", zero, n[0])) return false;
    return give(c, range_values(c, dim_max(t, n[0], zero), c->in[0], c->in[2]));
}

/* LinSpace(start, stop, num): the last element is exactly stop. */
bool import_lin_space(Import *c) {
    Dim n[1];
    int n_n = 0;
    DType dtype = dtype_of(c, c->in[0]);
    if (!load_content(c, c->in[2], 1, n, &n_n, 1, "num")) return false;
    if (dim_is_const(n[0]) && n[0].value < 1) return bad(c, "num must be positive");
    Shape s = {.rank = 1, .dims = {n[0]}};
    Dim last = d_sub(c, n[0], dim_const(1));
    Dim divisor = dim_max(&c->g->dims, last, dim_const(1));
    ValueId index = make_iota(c, &s, 0, DTYPE_S64);
    ValueId last_value = make_dims(c, DTYPE_S64, 0, 1, &last);
    ValueId is_last = make_binary(c, OP_EQ, index, last_value);
    ValueId not_first = make_scalar_int(c, DTYPE_S64, 0);
    not_first = make_binary(c, OP_GT, index, not_first);
    ValueId use_stop = make_binary(c, OP_AND, is_last, not_first);
    ValueId steps = make_dims(c, DTYPE_S64, 0, 1, &divisor);
    steps = make_cast(c, steps, dtype);
    ValueId span = make_binary(c, OP_SUB, c->in[1], c->in[0]);
    ValueId step = make_binary(c, OP_DIV, span, steps);
    ValueId i = make_cast(c, index, dtype);
    ValueId scaled = make_binary(c, OP_MUL, i, step);
    ValueId values = make_binary(c, OP_ADD, c->in[0], scaled);
    return give(c, make_select(c, use_stop, c->in[1], values));
}

/* ConcatOffset (axis, shapes…): where each piece begins */
bool import_concat_offset(Import *c) {
    double axis_value = 0;
    if (!const_scalar(c, 0, "the axis", &axis_value)) return false;
    uint32_t n = c->n_in - 1;
    if (n > IMPORT_MAX_OUTPUTS) return unsupported(c, "has more than %d outputs", IMPORT_MAX_OUTPUTS);
    Dim offset = dim_const(0);
    for (uint32_t i = 0; i < n; i++) {
        Dim shape[MAX_RANK];
        Dim begin[MAX_RANK] = {{0, 0}};
        int rank = 0;
        int axis = 0;
        if (!load_content(c, c->in[i + 1], 0, shape, &rank, MAX_RANK, "a shape") ||
            !normalise_axis(c, (int64_t)axis_value, rank, &axis))
            return false;
        begin[axis] = offset;
        offset = d_add(c, offset, shape[axis]);
        c->out[i] = make_dims(c, attr_t(c, "shape_type", DTYPE_S32), 1, rank, begin);
    }
    c->n_out = n;
    return true;
}

/* y[x[i]] = i: an iota scattered */
bool import_invert_permutation(Import *c) {
    Shape s = shape_copy(c, c->in[0]);
    if (s.rank != 1) return bad(c, "needs a vector");
    DType dtype = dtype_of(c, c->in[0]);
    const Tensor *t = value_const(c->g, c->in[0]);
    if (t) {
        int64_t n = tensor_count(t);
        Tensor out = tensor_new(c->g->arena, dtype, 1, &n);
        for (int64_t i = 0; i < n; i++) tensor_set_i64(&out, i, -1);
        for (int64_t i = 0; i < n; i++) {
            int64_t to = tensor_get_i64(t, i);
            if (to < 0 || to >= n)
                return bad(c, "%lld is not an index of a permutation of %lld", (long long)to, (long long)n);
            if (tensor_get_i64(&out, to) >= 0) return bad(c, "%lld is there twice", (long long)to);
            tensor_set_i64(&out, to, i);
        }
        return give(c, make_const(c, &out));
    }
    ValueId index = make_iota(c, &s, 0, dtype);
    ValueId zero = make_zero(c, dtype);
    ValueId base = make_broadcast(c, zero, &s);
    ValueId at = make_expand(c, c->in[0], 1);
    return give(c, make_scatter(c, base, at, index, "update"));
}
