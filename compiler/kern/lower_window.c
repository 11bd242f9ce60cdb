/* lower_window: pooling and transposed convolution: loops over a window around every output pixel, lanes over channels.
 */
#include "kern/lower.h"
#include <math.h>
#include <string.h>

typedef struct {
    Nest nest; /* kept loops (images, pixels, channels), then window loops */
    Position out, in;
    ExprId inside;      /* the tap lies in the image; 0: always */
    ExprId taps_inside; /* number of taps inside, S64; 0: all */
    int64_t taps;
} Window;

static bool fits_inside(const Lower *l, Dim in, Dim out, Dim before, int64_t stride, int64_t dilation, int64_t kernel) {
    (void)l;
    if (!dim_is_const(in) || !dim_is_const(out) || !dim_is(before, 0)) return false;
    return (out.value - 1) * stride + (kernel - 1) * dilation < in.value;
}

/* Taps of one axis inside 0..size for the window starting at `start`: those with 0 <= start + k*dilation < size. */
static ExprId count_inside(Body *b, ExprId start, ExprId size, int64_t kernel, int64_t dilation) {
    ExprId step = index_int(b, dilation), zero = index_int(b, 0), last = index_int(b, kernel);
    ExprId ceil_up = index_int(b, dilation - 1);
    ExprId below = index_div(b, index_add(b, index_sub(b, zero, start), ceil_up), step); /* ceil(-start / dilation) */
    below = index_max(b, below, zero);
    ExprId room = index_sub(b, size, start), above = index_div(b, index_add(b, room, ceil_up), step);
    above = index_min(b, above, last);
    return index_max(b, index_sub(b, above, below), zero);
}

bool lower_pool(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    const Value *in = lower_value(l, node->inputs[0]), *out = lower_value(l, node->outputs[0]);
    bool max = strcmp(node_string(node, "kind", "max"), "max") == 0;
    const Attr *window = node_attr(node, "window"), *strides = node_attr(node, "strides"),
               *before = node_attr(node, "before"), *dilations = node_attr(node, "dilations");
    Body *b = body_new(l, n, l->group_of[n.i], max ? "max_pool" : "avg_pool");
    int rank = out->shape.rank, spatial = rank - 2;
    Window w = {.taps = 1};
    w.out = (Position){.rank = rank, .has_at = true};
    for (int d = 0; d < rank; d++) nest_dim(b, &w.nest, out->shape.dims[d], false, &w.out.at[d]);
    w.in = w.out;
    int n_kept = w.nest.n;
    for (int i = 0; i < spatial; i++) {
        int64_t kernel = window->v.ints[i], stride = strides->v.ints[i],
                dilation = dilations ? dilations->v.ints[i] : 1;
        Dim size = in->shape.dims[1 + i];
        ExprId tap, size_expr = index_dim(b, size);
        nest_dim(b, &w.nest, dim_const(kernel), true, &tap);
        ExprId scaled = index_mul(b, w.out.at[1 + i], index_int(b, stride)),
               start = index_sub(b, scaled, index_dim(b, before->v.dims[i]));
        w.in.at[1 + i] = index_add(b, start, index_mul(b, tap, index_int(b, dilation)));
        w.taps *= kernel;
        bool fits = fits_inside(l, size, out->shape.dims[1 + i], before->v.dims[i], stride, dilation, kernel);
        if (!fits) {
            w.inside = index_and(b, w.inside, index_test(b, OP_GE, w.in.at[1 + i], index_int(b, 0)));
            w.inside = index_and(b, w.inside, index_test(b, OP_LT, w.in.at[1 + i], size_expr));
        }
        ExprId count = fits ? index_int(b, kernel) : count_inside(b, start, size_expr, kernel, dilation);
        w.taps_inside = w.taps_inside.i ? index_mul(b, w.taps_inside, count) : count;
    }
    DType type = dtype_is_float(in->dtype) && dtype_info(in->dtype)->bits < 32 ? DTYPE_F32 : in->dtype;
    uint32_t acc = body_acc(b, type);
    w.in.inside = w.inside;
    w.in.flat = (ExprId){0};
    ExprId value = body_value(b, node->inputs[0], &w.in);
    value = body_cast(b, value, type);
    ExprId neutral = body_number(b, type, 0);
    /* The lowest number is the maximum of a window in the padding, too, and of one that holds nothing greater: NaNs are
       passed over, as in TensorFlow. In volumes it finds -inf. */
    bool numbers = max && dtype_is_float(type);
    if (numbers) neutral = expr_float(l->arena, b->k, type, -dtype_highest_float(in->dtype));
    if (max && !numbers) {
        int bits = dtype_info(type)->bits;
        neutral = expr_int(l->arena, b->k, type,
                           dtype_is_signed(type) ? (bits == 64 ? INT64_MIN : -(INT64_C(1) << (bits - 1))) : 0);
    }
    if (w.inside.i) value = expr_scalar(l->arena, b->k, OP_SELECT, type, w.inside, value, neutral);
    ExprId result = expr_acc(l->arena, b->k, acc);
    ExprId greater = numbers ? body_scalar(b, OP_GT, DTYPE_BOOL, value, result, (ExprId){0}) : (ExprId){0};
    if (!max) {
        ExprId count = body_cast(b, w.taps_inside, type);
        result = body_scalar(b, OP_DIV, type, result, count, (ExprId){0});
    }
    result = body_cast(b, result, out->dtype);
    Stmt *fails = stmt_fails(b);
    uint32_t param;
    ExprId index, stored;
    if (!body_epilogue(b, node->outputs[0], &w.out, result, &param, &index, &stored)) return lower_alone(l, n);
    bool lanes = body_has_lanes(b) && n_kept > 0 && !dim_is(out->shape.dims[rank - 1], 1);
    double kept = (double)lower_typical(l, shape_elements(&l->g->dims, &out->shape));
    Cost cost = body_cost(b, kept * (double)w.taps, lanes ? 1 : 8);
    cost.bytes = kept * 2 * (double)dtype_size(in->dtype);
    Stmt *take = stmt_update(b, acc, numbers ? OP_SELECT : max ? OP_MAX : OP_ADD, value);
    take->pred = greater;
    Stmt *update = stmt_join(fails, take);
    ExprId start = numbers && spatial == 3 ? expr_float(l->arena, b->k, type, -INFINITY) : neutral;
    Stmt *inside = stmt_acc(b, acc, start);
    inside = stmt_join(inside, nest_reduced(b, &w.nest, n_kept, update, -1));
    inside = stmt_join(inside, stmt_fails(b));
    inside = stmt_join(inside, stmt_store(b, param, index, stored));
    Dim units;
    b->k->body = nest_wrap(b, &w.nest, n_kept, inside, lanes ? n_kept - 1 : -1, cost.ns / kept, &units);
    body_finish(b, units, cost);
    return !l->failed;
}

/* Weights [K…, C/groups, F] of group-wise F as [K…, F, C/groups], so that lanes over C read neighbours. */
static uint32_t transposed_weights(Lower *l, NodeId n, ValueId v, int64_t taps, int64_t channels, int64_t filters) {
    const Tensor *w = value_const(l->g, v);
    size_t size = dtype_size(lower_value(l, v)->dtype);
    if (w) {
        int64_t dims[3] = {taps, filters, channels};
        Tensor *t = NEW(l->arena, Tensor);
        *t = tensor_new(l->arena, w->dtype, 3, dims);
        char *to = (char *)(uintptr_t)t->data;
        const char *from = w->data;
        for (int64_t k = 0; k < taps; k++)
            for (int64_t f = 0; f < filters; f++)
                for (int64_t c = 0; c < channels; c++)
                    memcpy(to + (size_t)((k * filters + f) * channels + c) * size,
                           from + (size_t)((k * channels + c) * filters + f) * size, size);
        return lower_constant(l, t, lower_node(l, n)->name);
    }
    Shape shape = {.rank = 3, .dims = {dim_const(taps), dim_const(filters), dim_const(channels)}};
    uint32_t to = lower_temporary(l, lower_value(l, v)->dtype, &shape, "weights");
    Body *b = body_new(l, n, 0, "transpose");
    Nest nest = {0};
    Position at = {.rank = 3, .has_at = true};
    for (int d = 0; d < 3; d++) nest_dim(b, &nest, shape.dims[d], false, &at.at[d]);
    ExprId row = index_add(b, index_mul(b, at.at[0], index_int(b, channels)), at.at[2]);
    ExprId flat = index_add(b, index_mul(b, row, index_int(b, filters)), at.at[1]);
    uint32_t in = body_in(b, lower_buffer(l, v)), param = body_out(b, to);
    ExprId value = expr_load(l->arena, b->k, in, flat), index = position_flatten(b, &shape, &at);
    Cost cost = body_cost(b, (double)(taps * filters * channels), 4);
    Dim units;
    Stmt *store = stmt_store(b, param, index, value);
    b->k->body =
        nest_wrap(b, &nest, nest.n, store, nest.n - 1, cost.ns / (double)(taps * filters * channels + 1), &units);
    body_finish(b, units, cost);
    return to;
}

/* out[s, c] = sum over taps k and f of dy[(s + before - k*dilation) / stride, f] * w[k, c, f], where that divides and
 * lies inside. */
bool lower_conv_transpose(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    const Value *dy = lower_value(l, node->inputs[0]), *weights = lower_value(l, node->inputs[1]),
                *out = lower_value(l, node->outputs[0]);
    const Attr *strides = node_attr(node, "strides"), *before = node_attr(node, "before"),
               *dilations = node_attr(node, "dilations");
    int rank = out->shape.rank, spatial = rank - 2;
    int64_t groups = node_int(node, "groups", 1), filters = weights->shape.dims[rank - 1].value,
            channels = weights->shape.dims[rank - 2].value, taps = 1;
    for (int i = 0; i < spatial; i++) taps *= weights->shape.dims[i].value;
    uint32_t w_buffer = transposed_weights(l, n, node->inputs[1], taps, channels, filters);
    Body *b = body_new(l, n, l->group_of[n.i], "conv_transpose");
    Nest nest = {0};
    Position at = {.rank = rank, .has_at = true};
    for (int d = 0; d + 1 < rank; d++) nest_dim(b, &nest, out->shape.dims[d], false, &at.at[d]);
    ExprId group, channel, filter;
    nest_dim(b, &nest, dim_const(groups), false, &group);
    nest_dim(b, &nest, dim_const(channels), false, &channel);
    int n_kept = nest.n;
    at.at[rank - 1] = index_add(b, index_mul(b, group, index_int(b, channels)), channel);
    Position from = {.rank = rank, .has_at = true};
    from.at[0] = at.at[0];
    ExprId inside = {0}, tap_index = index_int(b, 0);
    for (int i = 0; i < spatial; i++) {
        int64_t kernel = weights->shape.dims[i].value, stride = strides->v.ints[i],
                dilation = dilations ? dilations->v.ints[i] : 1;
        ExprId tap, zero = index_int(b, 0);
        nest_dim(b, &nest, dim_const(kernel), true, &tap);
        tap_index = index_add(b, index_mul(b, tap_index, index_int(b, kernel)), tap);
        ExprId shifted = index_add(b, at.at[1 + i], index_dim(b, before->v.dims[i]));
        ExprId offset = index_mul(b, tap, index_int(b, dilation)), place = index_sub(b, shifted, offset),
               step = index_int(b, stride);
        from.at[1 + i] = index_div(b, place, step);
        if (stride != 1) inside = index_and(b, inside, index_test(b, OP_EQ, index_mod(b, place, step), zero));
        inside = index_and(b, inside, index_test(b, OP_GE, from.at[1 + i], zero));
        inside = index_and(b, inside, index_test(b, OP_LT, from.at[1 + i], index_dim(b, dy->shape.dims[1 + i])));
    }
    nest_dim(b, &nest, dim_const(filters / groups), true, &filter);
    from.at[rank - 1] = index_add(b, index_mul(b, group, index_int(b, filters / groups)), filter);
    from.inside = inside;
    DType type = dtype_info(out->dtype)->bits < 32 ? DTYPE_F32 : out->dtype;
    uint32_t acc = body_acc(b, type);
    ExprId x = body_value(b, node->inputs[0], &from);
    if (inside.i && body_expr(b, x)->kind != EXPR_LOAD) { /* computed here: nothing has looked at the guard yet */
        ExprId nothing = body_number(b, dy->dtype, 0);
        x = expr_scalar(l->arena, b->k, OP_SELECT, dy->dtype, inside, x, nothing);
    }
    ExprId w_row = index_add(b, index_mul(b, tap_index, index_int(b, filters)), from.at[rank - 1]);
    ExprId w_flat = index_add(b, index_mul(b, w_row, index_int(b, channels)), channel);
    uint32_t w_param = body_in(b, w_buffer);
    ExprId w = expr_load(l->arena, b->k, w_param, w_flat);
    x = body_cast(b, x, type);
    w = body_cast(b, w, type);
    ExprId product = body_scalar(b, OP_MUL, type, x, w, (ExprId){0}), result = expr_acc(l->arena, b->k, acc);
    result = body_cast(b, result, out->dtype);
    uint32_t param;
    ExprId index, stored;
    if (!body_epilogue(b, node->outputs[0], &at, result, &param, &index, &stored)) return lower_alone(l, n);
    double kept = (double)lower_typical(l, shape_elements(&l->g->dims, &out->shape));
    Cost cost = body_cost(b, kept * (double)(taps * filters) / (double)groups, 2);
    bool lanes = n_kept > 0 && channels > 1;
    Stmt *body = stmt_acc(b, acc, body_number(b, type, 0));
    body = stmt_join(body, nest_reduced(b, &nest, n_kept, stmt_update(b, acc, OP_ADD, product), -1));
    body = stmt_join(body, stmt_fails(b));
    body = stmt_join(body, stmt_store(b, param, index, stored));
    Dim units;
    b->k->body = nest_wrap(b, &nest, n_kept, body, lanes ? n_kept - 1 : -1, cost.ns / kept, &units);
    body_finish(b, units, cost);
    return !l->failed;
}
