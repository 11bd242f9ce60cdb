/* pattern_layer_norm: (x - mean) * rsqrt(mean of squares + epsilon) becomes layer_norm, then factors and offsets behind
   it go into its scale and offset. The statistics may be over the last axis, over several that are last, or over others
   when x is a transpose that takes them last (Keras' fused form). Also tf.nn.batch_normalization's x * f + (offset -
   mean * f).      needs: canonical form, after cse      keeps: shapes, order */
#include "canonicalise.h"

#include <string.h>

/* What is known of a normalisation: statistics of x over `axes`. */
typedef struct {
    ValueId x, mean;
    uint32_t axes; /* bits */
    double epsilon;
} Statistics;

/* v = mean of *out_x over *out_axes, in a shape that broadcasts back over x. */
static bool is_mean(const Graph *g, ValueId v, ValueId *out_x, uint32_t *out_axes) {
    const Node *n = match(g, v, OP_REDUCE);
    if (!n || strcmp(node_string(n, "kind", ""), "mean") != 0) return false;
    const Attr *axes = node_attr(n, "axes");
    uint32_t bits = 0;
    for (uint32_t i = 0; i < axes->n; i++) bits |= 1u << axes->v.ints[i];
    bool leading = bits && (bits & (bits + 1)) == 0; /* without its dims a mean lines up only with the last ones */
    *out_x = n->inputs[0];
    *out_axes = bits;
    return bits && (node_int(n, "keep", 0) || leading);
}

/* v = x - mean(x) */
static bool is_centred(const Graph *g, ValueId v, Statistics *s) {
    const Node *n = match(g, v, OP_SUB);
    if (!n || !is_mean(g, n->inputs[1], &s->x, &s->axes) || s->x.i != n->inputs[0].i) return false;
    s->mean = n->inputs[1];
    return true;
}

/* v = rsqrt(variance + epsilon), or sqrt, where the variance is the mean of the squared distances from the mean */
static bool is_deviation(const Graph *g, ValueId v, OpId root_op, Statistics *s) {
    const Node *root = match(g, v, root_op), *sum = root ? match(g, root->inputs[0], OP_ADD) : NULL;
    const Tensor *epsilon = sum ? value_const(g, sum->inputs[1]) : NULL;
    ValueId squares;
    uint32_t axes;
    if (!epsilon || tensor_count(epsilon) != 1 || !is_mean(g, sum->inputs[0], &squares, &axes)) return false;
    const Node *square = match(g, squares, OP_MUL);
    if (!square || square->inputs[0].i != square->inputs[1].i || !is_centred(g, square->inputs[0], s) ||
        s->axes != axes)
        return false;
    s->epsilon = tensor_get_f64(epsilon, 0);
    return true;
}

/* layer_norm over the axes: they are brought to the end and made one, where they are not already. */
static ValueId insert_normalised(Rewriter *w, const Statistics *s, const char *name) {
    DType dtype = dtype_at(w->g, s->x);
    Shape shape = *shape_at(w->g, s->x), moved = {.rank = shape.rank}, flat = {0};
    int64_t perm[MAX_RANK], inverse[MAX_RANK];
    int n = 0, outer;
    if (!dtype_is_float(dtype) || dtype_size(dtype) < 4) return (ValueId){0};
    for (int i = 0; i < shape.rank; i++)
        if (!(s->axes >> i & 1)) perm[n++] = i;
    outer = n;
    for (int i = 0; i < shape.rank; i++)
        if (s->axes >> i & 1) perm[n++] = i;
    bool moves = false;
    for (int i = 0; i < n; i++) {
        inverse[perm[i]] = i;
        moved.dims[i] = shape.dims[perm[i]];
        moves |= perm[i] != i && !dim_is(shape.dims[i], 1);
    }
    if (moves && !match(w->g, s->x, OP_TRANSPOSE)) return (ValueId){0}; /* it would cost more than it saves */
    flat.rank = outer + 1;
    memcpy(flat.dims, moved.dims, (size_t)outer * sizeof *flat.dims);
    flat.dims[outer] = dim_const(1);
    for (int i = outer; i < n; i++) flat.dims[outer] = dim_mul(&w->g->dims, flat.dims[outer], moved.dims[i]);
    if (!dim_is_const(flat.dims[outer]) || flat.dims[outer].value < 1) return (ValueId){0};
    ValueId x = insert_transpose(w, s->x, n, perm, name);
    if (x.i) x = insert_reshape(w, x, &flat, name);
    if (!x.i) return x;
    int64_t channels = flat.dims[outer].value;
    Tensor ones = tensor_new(w->g->arena, dtype, 1, &channels), zeros = tensor_new(w->g->arena, dtype, 1, &channels);
    for (int64_t i = 0; i < channels; i++) tensor_set_f64(&ones, i, 1);
    ValueId inputs[3] = {x, build_const(w->g, w->r, &ones, ""), build_const(w->g, w->r, &zeros, "")};
    Attr epsilon = attr_float("epsilon", s->epsilon);
    ValueId y = insert_op(w, OP_LAYER_NORM, name, 3, inputs, 1, &epsilon);
    if (y.i) y = insert_reshape(w, y, &moved, name);
    return y.i ? insert_transpose(w, y, n, inverse, name) : y;
}

/* v = rsqrt(…) or rsqrt(…) * scale; *out_scale is {0} for the former. */
static bool is_factor(const Graph *g, ValueId v, Statistics *s, ValueId *out_scale) {
    *out_scale = (ValueId){0};
    if (is_deviation(g, v, OP_RSQRT, s)) return true;
    const Node *product = match(g, v, OP_MUL);
    for (int side = 0; product && side < 2; side++) {
        if (!is_deviation(g, product->inputs[side], OP_RSQRT, s)) continue;
        *out_scale = product->inputs[1 - side];
        return true;
    }
    return false;
}

/* (x - mean) * factor */
static ValueId rule_centred(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    for (int side = 0; side < 2; side++) {
        Statistics s, centred;
        ValueId scale;
        if (!is_factor(w->g, n->inputs[side], &s, &scale) || !is_centred(w->g, n->inputs[1 - side], &centred)) continue;
        if (centred.x.i != s.x.i || centred.axes != s.axes) continue;
        ValueId factor = n->inputs[side], difference = n->inputs[1 - side];
        rewrite_takes(w, factor);
        rewrite_takes(w, difference);
        const char *name = n->name;
        ValueId y = insert_normalised(w, &s, name);
        return y.i && scale.i ? insert_binary(w, OP_MUL, y, scale, name) : y;
    }
    return (ValueId){0};
}

/* (x - mean) / sqrt(…) */
static ValueId rule_divided(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    Statistics s, centred;
    if (!is_deviation(w->g, n->inputs[1], OP_SQRT, &s) || !is_centred(w->g, n->inputs[0], &centred))
        return (ValueId){0};
    if (centred.x.i != s.x.i || centred.axes != s.axes) return (ValueId){0};
    rewrite_takes(w, n->inputs[0]);
    rewrite_takes(w, n->inputs[1]);
    return insert_normalised(w, &s, n->name);
}

/* Whether v = a * b, in either order. */
static bool is_product(const Graph *g, ValueId v, ValueId a, ValueId b) {
    const Node *n = match(g, v, OP_MUL);
    return n && ((n->inputs[0].i == a.i && n->inputs[1].i == b.i) || (n->inputs[1].i == a.i && n->inputs[0].i == b.i));
}

/* The offset of v = offset - mean * factor, or v = -mean * factor + offset; {0} when v is neither. */
static ValueId shift_offset(const Graph *g, ValueId v, ValueId mean, ValueId factor) {
    const Node *difference = match(g, v, OP_SUB), *sum = match(g, v, OP_ADD);
    if (difference && is_product(g, difference->inputs[1], mean, factor)) return difference->inputs[0];
    for (int side = 0; sum && side < 2; side++) {
        const Node *product = match(g, sum->inputs[side], OP_MUL);
        for (int k = 0; product && k < 2; k++) {
            const Node *negative = match(g, product->inputs[k], OP_NEG);
            if (negative && negative->inputs[0].i == mean.i && product->inputs[1 - k].i == factor.i)
                return sum->inputs[1 - side];
        }
    }
    return (ValueId){0};
}

/* x * factor + (offset - mean * factor) = (x - mean) * factor + offset */
static ValueId rule_moments(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id);
    for (int side = 0; side < 2; side++) {
        const Node *product = match(w->g, n->inputs[side], OP_MUL);
        Statistics s;
        ValueId scale;
        for (int k = 0; product && k < 2; k++) {
            ValueId factor = product->inputs[k];
            if (!is_factor(w->g, factor, &s, &scale) || product->inputs[1 - k].i != s.x.i) continue;
            ValueId offset = shift_offset(w->g, n->inputs[1 - side], s.mean, factor);
            if (!offset.i) continue;
            rewrite_takes(w, n->inputs[side]);
            rewrite_takes(w, n->inputs[1 - side]);
            const char *name = n->name;
            ValueId y = insert_normalised(w, &s, name);
            if (y.i && scale.i) y = insert_binary(w, OP_MUL, y, scale, name);
            return y.i ? insert_binary(w, OP_ADD, y, offset, name) : y;
        }
    }
    return (ValueId){0};
}

/* A factor or offset along the last axis behind layer_norm */
static ValueId rule_scale(Rewriter *w, NodeId id) {
    const Node *n = node_at(w->g, id), *norm = match_only(w, n->inputs[0], OP_LAYER_NORM);
    const Tensor *c = value_const(w->g, n->inputs[1]);
    if (!norm || !c || c->rank > 1) return (ValueId){0};
    ValueId inputs[3] = {norm->inputs[0], norm->inputs[1], norm->inputs[2]}, constant = n->inputs[1];
    NodeId norm_id = value_at(w->g, n->inputs[0])->def;
    bool multiplies = n->op == OP_MUL;
    const char *name = n->name;
    if (multiplies) inputs[1] = insert_binary(w, OP_MUL, inputs[1], constant, name);
    inputs[2] = insert_binary(w, n->op, inputs[2], constant, name);
    rewrite_takes(w, n->inputs[0]);
    return insert_like(w, norm_id, 3, inputs);
}

static const Rule rules[] = {
    {"normalised", OP_MUL, 0, rule_centred},
    {"normalised", OP_DIV, 0, rule_divided},
    {"normalised by moments", OP_ADD, 0, rule_moments},
    {"scale", OP_MUL, 0, rule_scale},
    {"offset", OP_ADD, 0, rule_scale},
    {"reshape of reshape", OP_RESHAPE, 0, rule_reshape_chain}, /* what stands between a fused form and its scale */
    {"transpose of transpose", OP_TRANSPOSE, 0, rule_transpose_chain},
    {"transpose of unit dims is a reshape", OP_TRANSPOSE, 0, rule_transpose_units},
};

bool pass_pattern_layer_norm(Unit *u) {
    return rewrite_run(u, "pattern_layer_norm", rules, ARRAY_LEN(rules));
}
