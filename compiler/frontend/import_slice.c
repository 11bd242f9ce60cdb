/* import_slice: taking tensors apart and putting them together: StridedSlice with all its masks, Slice, Split, Pack,
   Unpack, Concat, Pad, reversals, Roll. */
#include "frontend/importer.h"

#include <string.h>

/* One dense dim of a strided slice: which input dim, where it begins, how many, and what becomes of it. */
typedef struct {
    Dim begin, size;
    int64_t stride;
    bool shrink; /* taken away after slicing */
    ValueId at;  /* an index, or a vector of them, that is only known at run time: gathered instead */
} SliceDim;

typedef struct {
    SliceDim dims[MAX_RANK];
    int n;                     /* dims so far */
    int out_new[2 * MAX_RANK]; /* order of results: input dim, or -1 for a new axis */
    int n_out;
} SlicePlan;

#define UNKNOWN_STRIDE INT64_MIN /* computed at run time */
enum { BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_MASK };

/* A begin or end that may count from the end of the dim. lo..hi is where it is clamped to. */
static Dim clamp_index(Import *c, Dim index, Dim dim, Dim lo, Dim hi) {
    DimTable *t = &c->g->dims;
    int64_t min;
    int64_t max;
    dim_range(t, index, &min, &max);
    if (dim_is_const(index)) {
        if (index.value < 0)
            index = index.value <= INT32_MIN + 1 ? lo : dim_add(t, index, dim);
        else if (index.value >= INT32_MAX - 1)
            return hi;
    } else if (min < 0) {
        Dim minus = dim_sub(t, dim_const(0), index);
        Dim is_negative = dim_min(t, dim_const(1), dim_max(t, dim_const(0), minus));
        index = dim_add(t, index, dim_mul(t, dim, is_negative));
    }
    return dim_max(t, lo, dim_min(t, index, hi));
}

static bool plan_dim(Import *c, SliceDim *out, Dim dim, const Dim *begin, const Dim *end, int64_t stride, bool shrink) {
    DimTable *t = &c->g->dims;
    Dim zero = dim_const(0);
    Dim minus_one = dim_const(-1);
    Dim last = dim_sub(t, dim, dim_const(1));
    if (stride == 0) return bad(c, "a stride is zero");
    if (shrink) {
        if (stride < 0 && stride != UNKNOWN_STRIDE)
            return bad(c, "an axis that is taken away must have a positive stride");
        Dim at = *begin;
        if (dim_is_const(at) && dim_is_const(dim)) {
            if (at.value < -dim.value || at.value >= dim.value)
                return bad(c, "index %lld is outside of a dimension of %lld", (long long)at.value,
                           (long long)dim.value);
        }
        if (!dim_is_const(at) &&
            (!make_require(c, "at_most", at, last) || !make_require(c, "at_most", dim_sub(t, zero, dim), at)))
            return false;
        *out = (SliceDim){.size = dim_const(1), .stride = 1, .shrink = true};
        out->begin = dim_is_const(at) && at.value >= 0 ? at
                     : dim_is_const(at)                ? dim_add(t, at, dim)
                                                       : clamp_index(c, at, dim, zero, last);
        return true;
    }
    Dim lo = stride > 0 ? zero : minus_one;
    Dim hi = stride > 0 ? dim : last;
    Dim from = begin ? clamp_index(c, *begin, dim, lo, hi) : stride > 0 ? zero : last;
    Dim to = end ? clamp_index(c, *end, dim, lo, hi) : stride > 0 ? dim : minus_one;
    Dim span = stride > 0 ? dim_sub(t, to, from) : dim_sub(t, from, to);
    int64_t step = stride > 0 ? stride : -stride;
    Dim size = step == 1 ? span : dim_ceildiv(t, span, step);
    size = dim_max(t, size, zero);
    int64_t lowest;
    int64_t highest;
    dim_range(t, from, &lowest, &highest);
    if (highest < 0) from = zero; /* backwards from before the first element: nothing is taken */
    *out = (SliceDim){.begin = from, .size = size, .stride = stride};
    return true;
}

/* Element i of a vector of integers as a scalar value. */
static ValueId element(Import *c, ValueId vector, int64_t i) {
    return make_index(c, vector, 0, dim_const(i));
}

/* A number of the run, counted from the end of the dim when negative, kept within low..high. */
static ValueId wrap_and_clamp(Import *c, ValueId index, ValueId dim, ValueId low, ValueId high) {
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId negative = make_binary(c, OP_LT, index, zero);
    ValueId wrapped = make_binary(c, OP_ADD, index, dim);
    ValueId at = make_select(c, negative, wrapped, index);
    at = make_binary(c, OP_MIN, at, high);
    return make_binary(c, OP_MAX, at, low);
}

/* A dim whose stride is computed at run time: the vector of indices that it takes, whose length is a symbol. */
static bool plan_run_time_stride(Import *c, int i, Dim dim, bool open_begin, bool open_end, SliceDim *out) {
    ValueId part[3];
    for (uint32_t k = 0; k < 3; k++) {
        ValueId x = element(c, c->in[k + 1], i);
        part[k] = make_cast(c, x, DTYPE_S64);
    }
    ValueId stride = part[2];
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId minus_one = make_scalar_int(c, DTYPE_S64, -1);
    ValueId length = make_dims(c, DTYPE_S64, 0, 1, &dim);
    ValueId last = make_binary(c, OP_ADD, length, minus_one);
    ValueId backwards = make_binary(c, OP_LT, stride, zero);
    ValueId low = make_select(c, backwards, minus_one, zero);
    ValueId high = make_select(c, backwards, last, length);
    ValueId from = open_begin ? make_select(c, backwards, last, zero) : wrap_and_clamp(c, part[0], length, low, high);
    ValueId to =
        open_end ? make_select(c, backwards, minus_one, length) : wrap_and_clamp(c, part[1], length, low, high);
    /* ceil((to - from) / stride) for either sign */
    ValueId span = make_binary(c, OP_SUB, from, to);
    ValueId steps = make_binary(c, OP_FLOORDIV, span, stride);
    ValueId count = make_unary(c, OP_NEG, steps);
    count = make_binary(c, OP_MAX, count, zero);
    Dim size[1];
    int n = 0;
    if (!load_content(c, count, 0, size, &n, 1, "the length of the slice")) return false;
    Shape line = {.rank = 1, .dims = {size[0]}};
    ValueId index = make_iota(c, &line, 0, DTYPE_S64);
    ValueId scaled = make_binary(c, OP_MUL, index, stride);
    *out = (SliceDim){.size = dim, .stride = 1, .at = make_binary(c, OP_ADD, scaled, from)};
    return !failed(out->at);
}

static bool elements_known(const Import *c, ValueId v) {
    return value_const(c->g, v) || value_at(c->g, v)->content;
}

static bool plan_slice(Import *c, const int64_t *masks, const Dim *begin, const Dim *end, const int64_t *strides, int n,
                       int rank, const Shape *s, bool lazy, SlicePlan *p) {
    int new_axes = 0;
    int64_t ellipsis = masks[ELLIPSIS_MASK] & (((int64_t)1 << n) - 1);
    if (ellipsis & (ellipsis - 1)) return bad(c, "has more than one ellipsis");
    bool seen = false;
    for (int i = 0; i < n; i++) {
        seen = seen || ((ellipsis >> i) & 1);
        if (seen && ((masks[NEW_AXIS_MASK] >> i) & 1) && !((ellipsis >> i) & 1)) new_axes++;
    }
    SliceDim whole = {.stride = 1};
    for (int i = 0; i < n; i++) {
        int64_t bit = (int64_t)1 << i;
        if (ellipsis & bit) {
            int left = n - i - 1 - new_axes; /* dims that the rest of the spec takes */
            int fill = rank - p->n - left;
            for (int k = 0; k < fill; k++) {
                whole.size = s->dims[p->n];
                p->out_new[p->n_out++] = p->n;
                p->dims[p->n++] = whole;
            }
        } else if (masks[NEW_AXIS_MASK] & bit) {
            if (p->n_out >= 2 * MAX_RANK) return bad(c, "has too many new axes");
            p->out_new[p->n_out++] = -1;
        } else {
            if (p->n >= rank) return bad(c, "indexes more dimensions than the value's %d", rank);
            bool shrink = (masks[SHRINK_MASK] & bit) != 0;
            SliceDim *d = &p->dims[p->n];
            if (strides[i] == UNKNOWN_STRIDE && !shrink) {
                if (!plan_run_time_stride(c, i, s->dims[p->n], (masks[BEGIN_MASK] & bit) != 0,
                                          (masks[END_MASK] & bit) != 0, d))
                    return false;
            } else if (lazy && shrink)
                *d = (SliceDim){.size = s->dims[p->n], .stride = 1, .shrink = true, .at = element(c, c->in[1], i)};
            else if (!plan_dim(c, d, s->dims[p->n], masks[BEGIN_MASK] & bit && !shrink ? NULL : &begin[i],
                               masks[END_MASK] & bit ? NULL : &end[i], strides[i], shrink))
                return false;
            if (!shrink) p->out_new[p->n_out++] = p->n;
            p->n++;
        }
    }
    for (; p->n < rank; p->n++) {
        whole.size = s->dims[p->n];
        p->out_new[p->n_out++] = p->n;
        p->dims[p->n] = whole;
    }
    return true;
}

static void read_masks(const Import *c, int64_t *masks) {
    static const char *const names[] = {"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"};
    for (int i = 0; i < 5; i++) masks[i] = attr_i(c, names[i], 0);
}

/* Whether nothing but indices of shrunk axes is needed from begin, and nothing from end: then unknown indices are
 * gathered. */
static bool only_indices(const int64_t *masks, int n) {
    for (int i = 0; i < n; i++) {
        int64_t bit = (int64_t)1 << i;
        bool whole = ((masks[ELLIPSIS_MASK] | masks[NEW_AXIS_MASK]) & bit) ||
                     ((masks[BEGIN_MASK] & bit) && (masks[END_MASK] & bit));
        if (!whole && !(masks[SHRINK_MASK] & bit)) return false;
    }
    return true;
}

/* In a loop or branch, where indices go on being gathered: what is looked up there is what such bodies are made of. */
static bool is_inside(const Import *c) {
    return c->r.i != c->g->root.i;
}

/* Whether it is known that there is something: a gather of nothing looks at no index, TensorFlow refuses those outside.
 */
static bool has_elements(const Import *c, const Shape *s) {
    int64_t min;
    int64_t max;
    for (int i = 0; i < s->rank; i++) {
        dim_range(&c->g->dims, s->dims[i], &min, &max);
        if (min < 1) return false;
    }
    return true;
}

/* The strides that are known; element by element, as they may be packed from known and unknown ones. */
static bool read_strides(Import *c, int64_t *strides, int *n) {
    int64_t count = shape_count(&value_at(c->g, c->in[3])->shape);
    if (elements_known(c, c->in[3]) || count < 0 || count > 31) return import_const_ints(c, 3, strides, n, 31);
    *n = (int)count;
    const Value *v = value_at(c->g, c->in[3]);
    const Node *pack = v->def.i ? node_at(c->g, v->def) : NULL;
    for (int i = 0; i < *n; i++) {
        ValueId part = pack && pack->op == OP_CONCAT && (int)pack->n_inputs == *n ? pack->inputs[i] : (ValueId){0};
        const Dim *content = failed(part) ? NULL : import_content(c, part);
        const Tensor *t = failed(part) ? NULL : value_const(c->g, part);
        strides[i] = t ? tensor_get_i64(t, 0) : content && dim_is_const(content[0]) ? content[0].value : UNKNOWN_STRIDE;
    }
    return true;
}

bool import_strided_slice(Import *c) {
    ValueId x = c->in[0];
    Shape s = shape_copy(c, x);
    int64_t masks[5];
    int64_t strides[32];
    Dim begin[32] = {{0, 0}};
    Dim end[32] = {{0, 0}};
    int n = 0;
    int n_begin = 0;
    int n_end = 0;
    read_masks(c, masks);
    if (!read_strides(c, strides, &n)) return false;
    bool lazy = only_indices(masks, n) && !elements_known(c, c->in[1]) && (is_inside(c) || has_elements(c, &s));
    if (!lazy && (!load_content(c, c->in[1], INT32_MIN, begin, &n_begin, 31, "begin") ||
                  !load_content(c, c->in[2], INT32_MIN, end, &n_end, 31, "end")))
        return false;
    if (!lazy && (n_begin != n || n_end != n)) return bad(c, "begin, end and strides have different lengths");
    SlicePlan p = {.n = 0};
    if (!plan_slice(c, masks, begin, end, strides, n, s.rank, &s, lazy, &p)) return false;
    Dim begins[MAX_RANK];
    Dim sizes[MAX_RANK];
    int64_t steps[MAX_RANK];
    bool whole = true;
    for (int i = 0; i < p.n; i++) {
        begins[i] = p.dims[i].begin;
        sizes[i] = p.dims[i].size;
        steps[i] = p.dims[i].stride;
        whole = whole && dim_is(begins[i], 0) && dim_equal(sizes[i], s.dims[i]) && steps[i] == 1;
    }
    if (!whole) x = make_slice(c, x, begins, sizes, steps);
    for (int i = p.n - 1; i >= 0; i--) {
        if (failed(p.dims[i].at)) continue;
        if (!p.dims[i].shrink) {
            x = make_gather(c, x, p.dims[i].at, i, 0, false);
            p.dims[i].size = dim_of(c, x, i);
            continue;
        }
        /* negative indices count from the end */
        ValueId at = p.dims[i].at;
        ValueId zero = make_like(c, at, 0);
        ValueId is_negative = make_binary(c, OP_LT, at, zero);
        ValueId length = make_dims(c, dtype_of(c, at), 0, 1, &s.dims[i]);
        ValueId wrapped = make_binary(c, OP_ADD, at, length);
        at = make_select(c, is_negative, wrapped, at);
        ValueId picked = make_gather(c, x, at, i, 0, false);
        x = make_expand(c, picked, i);
        if (!failed(x)) p.dims[i].size = dim_const(1);
    }
    if (p.n_out > MAX_RANK) return bad(c, "the result has more than %d dimensions", MAX_RANK);
    Shape to = {.rank = p.n_out};
    for (int i = 0; i < p.n_out; i++) to.dims[i] = p.out_new[i] < 0 ? dim_const(1) : p.dims[p.out_new[i]].size;
    return give(c, make_reshape(c, x, &to));
}

/* TensorStridedSliceUpdate (input, begin, end, strides, value): the value is written over the slice. StridedSliceGrad
   (arg 1) brings a shape instead of the input, which is zeros. */
bool import_strided_slice_update(Import *c) {
    Shape s = shape_copy(c, c->in[0]);
    ValueId base = c->in[0];
    if (import_row(c)->arg == 1) {
        s.rank = 0;
        if (!load_content(c, c->in[0], 0, s.dims, &s.rank, MAX_RANK, "shape")) return false;
        ValueId zero = make_zero(c, dtype_of(c, c->in[4]));
        base = make_broadcast(c, zero, &s);
        if (failed(base)) return false;
    }
    int64_t masks[5];
    int64_t strides[32];
    Dim begin[32] = {{0, 0}};
    Dim end[32] = {{0, 0}};
    int n = 0;
    int n_begin = 0;
    int n_end = 0;
    read_masks(c, masks);
    if (!import_const_ints(c, 3, strides, &n, 31) ||
        !load_content(c, c->in[1], INT32_MIN, begin, &n_begin, 31, "begin") ||
        !load_content(c, c->in[2], INT32_MIN, end, &n_end, 31, "end"))
        return false;
    SlicePlan p = {.n = 0};
    if (n_begin != n || n_end != n) return bad(c, "begin, end and strides have different lengths");
    if (!plan_slice(c, masks, begin, end, strides, n, s.rank, &s, false, &p)) return false;
    Shape slice = {.rank = s.rank};
    Shape visible = {.rank = 0};
    for (int i = 0; i < s.rank; i++) slice.dims[i] = p.dims[i].size;
    for (int i = 0; i < p.n_out && i < MAX_RANK; i++)
        visible.dims[visible.rank++] = p.out_new[i] < 0 ? dim_const(1) : p.dims[p.out_new[i]].size;
    ValueId update = make_broadcast(c, c->in[4], &visible);
    update = make_reshape(c, update, &slice);
    bool steps = false;
    for (int i = 0; i < s.rank; i++) steps = steps || p.dims[i].stride != 1;
    if (!steps) {
        Dim begins[MAX_RANK];
        for (int i = 0; i < s.rank; i++) begins[i] = p.dims[i].begin;
        ValueId at = make_dims(c, DTYPE_S64, 1, s.rank, begins);
        ValueId inputs[] = {base, update, at};
        return give(c, import_node(c, OP_DYNAMIC_UPDATE, 3, inputs, 0, NULL));
    }
    /* with strides: scattered, element by element */
    ValueId parts[MAX_RANK];
    Shape column = slice;
    if (s.rank >= MAX_RANK || s.rank == 0) return unsupported(c, "a value of rank %d", s.rank);
    for (int i = 0; i < s.rank; i++) {
        ValueId index = make_iota(c, &slice, i, DTYPE_S64);
        ValueId step = make_scalar_int(c, DTYPE_S64, p.dims[i].stride);
        ValueId first = make_dims(c, DTYPE_S64, 0, 1, &p.dims[i].begin);
        ValueId scaled = make_binary(c, OP_MUL, index, step);
        ValueId at = make_binary(c, OP_ADD, scaled, first);
        parts[i] = make_expand(c, at, column.rank);
    }
    ValueId indices = make_concat(c, (uint32_t)s.rank, parts, s.rank);
    return give(c, make_scatter(c, base, indices, update, "update"));
}

/* Slice(x, begin, size); a size of -1 is the rest. A begin that is computed at run time becomes a dynamic slice. */
bool import_slice(Import *c) {
    DimTable *t = &c->g->dims;
    ValueId x = c->in[0];
    Shape s = shape_copy(c, x);
    Dim begin[MAX_RANK];
    Dim size[MAX_RANK];
    int n = 0;
    if (!load_content(c, c->in[2], -1, size, &n, MAX_RANK, "size")) return false;
    if (n != s.rank) return bad(c, "size has %d entries for a value of rank %d", n, s.rank);
    bool needs_begin = elements_known(c, c->in[1]);
    for (int i = 0; i < n; i++) {
        int64_t min;
        int64_t max;
        dim_range(t, size[i], &min, &max);
        needs_begin = needs_begin || min < 0;
    }
    if (!needs_begin) {
        ValueId inputs[] = {x, c->in[1]};
        Attr attrs[] = {attr_dims(c->g->arena, "size", (size_t)n, size), attr_int("checked", 1)};
        return give(c, import_node(c, OP_DYNAMIC_SLICE, 2, inputs, 2, attrs));
    }
    if (!load_content(c, c->in[1], 0, begin, &n, MAX_RANK, "begin")) return false;
    if (n != s.rank) return bad(c, "begin has %d entries for a value of rank %d", n, s.rank);
    for (int i = 0; i < n; i++) {
        int64_t min;
        int64_t max;
        dim_range(t, size[i], &min, &max);
        Dim rest = dim_sub(t, s.dims[i], begin[i]);
        if (dim_is(size[i], -1))
            size[i] = rest;
        else if (dim_is_const(size[i]) && size[i].value < -1)
            return bad(c, "size %d is %lld", i, (long long)size[i].value);
        else if (min < 0) {
            Dim is_rest = dim_sub(t, dim_const(0), dim_min(t, size[i], dim_const(0)));
            size[i] = dim_add(t, size[i], dim_mul(t, is_rest, dim_add(t, rest, dim_const(1))));
        }
        if (dim_is_const(begin[i]) && dim_is_const(size[i]) && dim_is_const(s.dims[i]) &&
            (begin[i].value < 0 || size[i].value < 0 || begin[i].value > s.dims[i].value - size[i].value))
            return bad(c, "slice [%lld, +%lld) is outside of dimension %d of %lld", (long long)begin[i].value,
                       (long long)size[i].value, i, (long long)s.dims[i].value);
    }
    return give(c, make_slice(c, x, begin, size, NULL));
}

/* ---- pieces */

/* Split (axis, x), SplitV (x, sizes, axis): arg tells which. */
bool import_split(Import *c) {
    bool sized = import_row(c)->arg == 1;
    ValueId x = c->in[sized ? 0 : 1];
    double axis_value = 0;
    int axis = 0;
    int64_t parts = attr_i(c, "num_split", 0);
    if (!const_scalar(c, sized ? 2 : 0, "the axis", &axis_value) ||
        !normalise_axis(c, (int64_t)axis_value, rank_of(c, x), &axis))
        return false;
    if (parts < 1 || parts > IMPORT_MAX_OUTPUTS)
        return unsupported(c, "num_split is %lld; 1 to %d are compiled", (long long)parts, IMPORT_MAX_OUTPUTS);
    Dim whole = dim_of(c, x, axis);
    Dim *sizes = NEW_ARRAY(c->im->arena, Dim, parts);
    int n = 0;
    if (sized) {
        if (!load_content(c, c->in[1], -1, sizes, &n, (int)parts, "the sizes")) return false;
        if (n != parts) return bad(c, "has %d sizes for %lld parts", n, (long long)parts);
        Dim known = dim_const(0);
        int rest = -1;
        for (int i = 0; i < n; i++) {
            if (dim_is(sizes[i], -1))
                rest = i;
            else
                known = d_add(c, known, sizes[i]);
        }
        if (rest >= 0) {
            sizes[rest] = d_sub(c, whole, known);
        } else {
            if (dim_is_const(known) && dim_is_const(whole) && known.value != whole.value)
                return bad(c, "the sizes add up to %lld, the dimension is %lld", (long long)known.value,
                           (long long)whole.value);
            for (int i = 0; i < n; i++) {
                Dim others = d_sub(c, known, sizes[i]);
                sizes[i] = resolve_rest(c, sizes[i], d_sub(c, whole, others));
            }
            known = dim_const(0);
            for (int i = 0; i < n; i++) known = d_add(c, known, sizes[i]);
            if (!make_require(c, "equal", known, whole)) return false;
        }
    } else {
        if (dim_is_const(whole) && whole.value % parts != 0)
            return bad(c, "a dimension of %lld does not divide into %lld parts", (long long)whole.value,
                       (long long)parts);
        if (!make_require(c, "equal", dim_mod(&c->g->dims, whole, dim_const(parts)), dim_const(0))) return false;
        for (int64_t i = 0; i < parts; i++) sizes[i] = dim_floordiv(&c->g->dims, whole, dim_const(parts));
    }
    Dim at = dim_const(0);
    bool ok = true;
    for (int64_t i = 0; i < parts; i++) {
        if (dim_is_const(sizes[i]) && sizes[i].value < 0) return bad(c, "part %lld has a negative size", (long long)i);
        c->out[i] = make_slice_axis(c, x, axis, at, sizes[i]);
        at = d_add(c, at, sizes[i]);
        ok = ok && !failed(c->out[i]);
    }
    c->n_out = (uint32_t)parts;
    return ok;
}

bool import_pack(Import *c) {
    int axis = 0;
    if (c->n_in == 0) return bad(c, "has no inputs");
    if (!normalise_axis(c, attr_i(c, "axis", 0), rank_of(c, c->in[0]) + 1, &axis)) return false;
    ValueId *parts = NEW_ARRAY(c->im->arena, ValueId, c->n_in);
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (rank_of(c, c->in[i]) != rank_of(c, c->in[0])) return bad(c, "its inputs have different ranks");
        parts[i] = make_expand(c, c->in[i], axis);
    }
    return give(c, make_concat(c, c->n_in, parts, axis));
}

/* ParallelConcat: pieces of one row each, along the first axis */
bool import_parallel_concat(Import *c) {
    if (c->n_in == 0) return bad(c, "has no inputs");
    return give(c, make_concat(c, c->n_in, c->in, 0));
}

bool import_unpack(Import *c) {
    int axis = 0;
    int64_t n = attr_i(c, "num", 0);
    if (!normalise_axis(c, attr_i(c, "axis", 0), rank_of(c, c->in[0]), &axis)) return false;
    Dim have = dim_of(c, c->in[0], axis);
    if (n < 0 || n > IMPORT_MAX_OUTPUTS)
        return unsupported(c, "num is %lld; up to %d are compiled", (long long)n, IMPORT_MAX_OUTPUTS);
    if (dim_is_const(have) && have.value != n)
        return bad(c, "unpacks %lld pieces of a dimension of %lld", (long long)n, (long long)have.value);
    bool ok = dim_is_const(have) || make_require(c, "equal", have, dim_const(n));
    for (int64_t i = 0; i < n; i++) {
        c->out[i] = make_index(c, c->in[0], axis, dim_const(i));
        ok = ok && !failed(c->out[i]);
    }
    c->n_out = (uint32_t)n;
    return ok;
}

/* ConcatV2 (values…, axis); Concat (axis, values…) has arg 1 */
bool import_concat(Import *c) {
    bool axis_first = import_row(c)->arg == 1;
    uint32_t n = c->n_in - 1;
    const ValueId *values = axis_first ? c->in + 1 : c->in;
    double axis_value = 0;
    int axis = 0;
    if (!const_scalar(c, axis_first ? 0 : n, "the axis", &axis_value) ||
        !normalise_axis(c, (int64_t)axis_value, rank_of(c, values[0]), &axis))
        return false;
    return give(c, make_concat(c, n, values, axis));
}

/* ---- order */

static ValueId reverse(Import *c, ValueId x, int n, const int64_t *axes) {
    Attr attrs[] = {attr_ints(c->g->arena, "axes", (size_t)n, axes)};
    return n ? import_node(c, OP_REVERSE, 1, &x, 1, attrs) : x;
}

bool import_reverse_v2(Import *c) {
    int64_t axes[MAX_RANK];
    int n = 0;
    return import_axes(c, 1, rank_of(c, c->in[0]), axes, &n) && give(c, reverse(c, c->in[0], n, axes));
}

/* Reverse: a bool for each axis */
bool import_reverse_mask(Import *c) {
    int64_t flags[MAX_RANK];
    int64_t axes[MAX_RANK];
    int n = 0;
    int n_axes = 0;
    if (!import_const_ints(c, 1, flags, &n, MAX_RANK)) return false;
    if (n != rank_of(c, c->in[0])) return bad(c, "needs a bool for each axis");
    for (int i = 0; i < n; i++)
        if (flags[i]) axes[n_axes++] = i;
    return give(c, reverse(c, c->in[0], n_axes, axes));
}

/* Roll: the last elements come first. */
bool import_roll(Import *c) {
    DimTable *t = &c->g->dims;
    ValueId x = c->in[0];
    Dim shift[64];
    int64_t axes[64];
    int n = 0;
    int n_axes = 0;
    if (!load_content(c, c->in[1], INT32_MIN, shift, &n, 64, "shift") || !import_const_ints(c, 2, axes, &n_axes, 64))
        return false;
    if (n != n_axes) return bad(c, "has %d shifts for %d axes", n, n_axes);
    for (int i = 0; i < n; i++) {
        int axis = 0;
        if (!normalise_axis(c, axes[i], rank_of(c, x), &axis)) return false;
        Dim dim = dim_of(c, x, axis);
        if (failed(x) || dim_is(dim, 0) || dim_is(shift[i], 0)) continue;
        Dim by = dim_mod(t, shift[i], dim_max(t, dim, dim_const(1)));
        if (dim_is(by, 0)) continue;
        Dim rest = dim_sub(t, dim, by);
        ValueId parts[2];
        parts[0] = make_slice_axis(c, x, axis, rest, by);
        parts[1] = make_slice_axis(c, x, axis, dim_const(0), rest);
        x = make_concat(c, 2, parts, axis);
    }
    return give(c, x);
}

/* ---- padding: Pad, PadV2 (arg 0), MirrorPad (arg 1) */

bool import_pad(Import *c) {
    Dim pads[2 * MAX_RANK];
    Dim before[MAX_RANK];
    Dim after[MAX_RANK];
    int n = 0;
    int rank = rank_of(c, c->in[0]);
    if (!load_content(c, c->in[1], 0, pads, &n, 2 * MAX_RANK, "paddings")) return false;
    if (n != 2 * rank) return bad(c, "paddings has %d entries for a value of rank %d", n, rank);
    bool any = false;
    for (int i = 0; i < rank; i++) {
        before[i] = pads[2 * i];
        after[i] = pads[2 * i + 1];
        if ((dim_is_const(before[i]) && before[i].value < 0) || (dim_is_const(after[i]) && after[i].value < 0))
            return bad(c, "paddings must not be negative");
        any = any || !dim_is(before[i], 0) || !dim_is(after[i], 0);
    }
    if (!any) return give(c, c->in[0]);
    const char *mode = "constant";
    ValueId value = import_row(c)->arg == 0 && c->n_in > 2 ? c->in[2] : make_zero(c, dtype_of(c, c->in[0]));
    if (import_row(c)->arg == 1)
        mode = strcmp(attr_s(c, "mode", "REFLECT"), "SYMMETRIC") == 0 ? "symmetric" : "reflect";
    return give(c, make_pad(c, c->in[0], value, before, after, mode));
}
