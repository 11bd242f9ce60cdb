/* infer_gather: reads and writes by index tensors. Whether an index is in range is known only while running (or when
 * folding). */
#include "ir/infer_common.h"

#include <string.h>

static bool check_indices(Infer *c, uint32_t i) {
    DType t = infer_in(c, i)->dtype;
    return dtype_is_int(t) || infer_error(c, "indices must be integers, not %s", dtype_info(t)->tf_name);
}

/* Reads attribute batch_dims and checks that inputs 0 and 1 agree in that many leading dims. */
static bool check_batch(Infer *c, int *out) {
    const Shape *x = infer_shape_in(c, 0), *indices = infer_shape_in(c, 1);
    int64_t batch = infer_attr(c, "batch_dims")->v.i;
    if (batch < 0 || batch > x->rank || batch > indices->rank)
        return infer_error(c, "batch_dims %lld is more than there are dimensions", (long long)batch);
    for (int i = 0; i < batch; i++)
        if (!infer_may_equal(c, x->dims[i], indices->dims[i]))
            return infer_error(c, "batch dimensions of %s and %s differ", infer_text(c, x), infer_text(c, indices));
    *out = (int)batch;
    return true;
}

static bool append(Infer *c, Shape *s, Dim d) {
    if (s->rank == MAX_RANK)
        return infer_error(c, "its result has more than the %d dimensions that are supported", MAX_RANK);
    s->dims[s->rank++] = d;
    return true;
}

bool infer_gather(Infer *c) {
    const Shape *x = infer_shape_in(c, 0), *indices = infer_shape_in(c, 1);
    int axis, batch;
    if (!check_indices(c, 1) || !infer_axis(c, "axis", x->rank, &axis) || !check_batch(c, &batch)) return false;
    if (batch > axis) return infer_error(c, "axis %d lies in the %d batch dimensions", axis, batch);
    Shape s = {.rank = 0};
    for (int i = 0; i < axis; i++)
        if (!append(c, &s, i < batch ? infer_unify(x->dims[i], indices->dims[i]) : x->dims[i])) return false;
    for (int i = batch; i < indices->rank; i++)
        if (!append(c, &s, indices->dims[i])) return false;
    for (int i = axis + 1; i < x->rank; i++)
        if (!append(c, &s, x->dims[i])) return false;
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    int64_t n, n_indices;
    const Dim *content = infer_content(c, 0, &n), *at = infer_content(c, 1, &n_indices);
    Dim elements[MAX_CONTENT];
    if (!content || !at || x->rank != 1) return true;
    for (int64_t i = 0; i < n_indices; i++) {
        if (!dim_is_const(at[i]) || at[i].value < 0 || at[i].value >= n) return true;
        elements[i] = content[at[i].value];
    }
    infer_set_content(c, n_indices, elements);
    return true;
}

/* Length of the index vectors in the last dim of input i: a constant, at most `most`. */
static bool index_depth(Infer *c, uint32_t i, int most, int *out) {
    const Shape *s = infer_shape_in(c, i);
    if (s->rank < 1 || !dim_is_const(s->dims[s->rank - 1]))
        return infer_error(c, "the last dimension of the indices %s must be constant", infer_text(c, s));
    int64_t depth = s->dims[s->rank - 1].value;
    if (depth < 0 || depth > most)
        return infer_error(c, "indices of %lld entries are too long for %s", (long long)depth,
                           infer_text(c, infer_shape_in(c, 0)));
    *out = (int)depth;
    return true;
}

bool infer_gather_nd(Infer *c) {
    const Shape *x = infer_shape_in(c, 0), *indices = infer_shape_in(c, 1);
    int batch, depth;
    if (!check_indices(c, 1) || !check_batch(c, &batch) || !index_depth(c, 1, x->rank - batch, &depth)) return false;
    if (batch >= indices->rank)
        return infer_error(c, "batch_dims must be less than the %d dimensions of the indices", indices->rank);
    Shape s = {.rank = 0};
    for (int i = 0; i < indices->rank - 1; i++)
        if (!append(c, &s, i < batch ? infer_unify(x->dims[i], indices->dims[i]) : indices->dims[i])) return false;
    for (int i = batch + depth; i < x->rank; i++)
        if (!append(c, &s, x->dims[i])) return false;
    infer_set(c, 0, infer_in(c, 0)->dtype, &s);
    return true;
}

bool infer_scatter_nd(Infer *c) {
    static const char modes[][7] = {"update", "add", "sub", "min", "max"};
    const Shape *base = infer_shape_in(c, 0), *indices = infer_shape_in(c, 1), *updates = infer_shape_in(c, 2);
    const char *mode = node_string(c->n, "mode", "");
    size_t m = 0;
    int depth;
    while (m < ARRAY_LEN(modes) && strcmp(modes[m], mode) != 0) m++;
    if (m == ARRAY_LEN(modes)) return infer_error(c, "there is no scatter mode '%s'", mode);
    if (!check_indices(c, 1) || !infer_same_dtype(c, 0, 2) || !index_depth(c, 1, base->rank, &depth)) return false;
    int outer = indices->rank - 1;
    bool fits = updates->rank == outer + base->rank - depth;
    for (int i = 0; fits && i < updates->rank; i++)
        fits = infer_may_equal(c, updates->dims[i], i < outer ? indices->dims[i] : base->dims[i - outer + depth]);
    if (!fits)
        return infer_error(c, "updates %s do not fit indices %s into %s", infer_text(c, updates),
                           infer_text(c, indices), infer_text(c, base));
    infer_set(c, 0, infer_in(c, 0)->dtype, base);
    return true;
}
