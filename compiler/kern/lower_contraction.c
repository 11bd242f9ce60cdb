/* lower_contraction: matrix products, convolutions and depthwise convolutions, with the element-wise consumers of the
   group as epilogue. Constant right operands are packed here, once per layout. Leading dims of the left operand are one
   long M where the right one has none, so that a batch of rows is one product. */
#include "kern/lower.h"

#include <math.h>
#include <string.h>

/* What the result's coordinates are in terms of (batch, m, n). */
typedef struct {
    Body *b;
    ValueId out;
    ExprId batch, m, n;
} Result;

static Result result_begin(Lower *l, NodeId node, const char *what) {
    Result r = {.b = body_new(l, node, l->group_of[node.i], what), .out = lower_node(l, node)->outputs[0]};
    r.b->k->kind = KERNEL_CONTRACTION;
    r.b->k->contraction = NEW(l->arena, Contraction);
    r.batch = expr_var(l->arena, r.b->k, VAR_BATCH);
    r.m = expr_var(l->arena, r.b->k, VAR_M);
    r.n = expr_var(l->arena, r.b->k, VAR_N);
    return r;
}

/* Accumulator and the element it becomes: narrow floats are rounded once, at the end of the sum. */
static ExprId accumulated(Body *b, DType acc, DType out) {
    uint32_t a = body_acc(b, acc);
    ExprId value = expr_acc(b->l->arena, b->k, a);
    return body_cast(b, value, out);
}

static DType sum_type(DType in, DType out) {
    if (dtype_is_float(in)) return in == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    return dtype_info(out)->bits <= 32 ? DTYPE_S32 : out;
}

/* Every load's index must be affine in m and n. */
static bool is_affine(Body *b, ExprId root) {
    Lower *l = b->l;
    bool *seen = NEW_ARRAY(l->scratch, bool, b->k->exprs.len);
    VEC(uint32_t) work = {0};
    vec_push(l->scratch, &work, root.i);
    while (work.len) {
        uint32_t x = work.data[--work.len];
        if (x == 0 || seen[x]) continue;
        seen[x] = true;
        const Expr *e = &b->k->exprs.data[x];
        if (e->kind == EXPR_LOAD) {
            Dim coefs[4] = {{0}};
            bool pinned[4] = {false};
            if (b->k->n_vars > 4) return false;
            expr_affine(b, e->args[0], coefs, pinned);
            if (pinned[VAR_M] || pinned[VAR_N] || e->args[1].i) return false;
        } else if (e->kind == EXPR_VAR) {
            return false; /* a coordinate as a value */
        } else {
            for (int i = 0; i < 3; i++) vec_push(l->scratch, &work, e->args[i].i);
        }
    }
    return true;
}

/* Epilogue, parameters 0..2, schedule, packing and the step. False with *out_retry: the group does not fit this form.
 */
static bool finish(Result *r, const Position *at, uint32_t a_buffer, ValueId b_value, const MatrixLayout *b_layout,
                   const Tensor *b_const, double flops, bool *out_retry) {
    Body *b = r->b;
    Lower *l = b->l;
    Contraction *c = b->k->contraction;
    const Value *out = lower_value(l, r->out);
    *out_retry = false;
    /* Parameters in their fixed order; the output's is made before the epilogue's operands. */
    uint32_t b_buffer;
    if (b_const) {
        contraction_schedule(&l->g->dims, b->k, l->p->machine, l->o->threads);
        Tensor *packed = NEW(l->arena, Tensor);
        *packed = contraction_pack(l->arena, c, b_const, b_layout);
        b_buffer = lower_constant(l, packed, lower_value(l, b_value)->name);
    } else {
        contraction_schedule(&l->g->dims, b->k, l->p->machine, l->o->threads);
        b_buffer = lower_buffer(l, b_value);
    }
    ValueId result = lower_group_result(l, b->node);
    uint32_t out_buffer = lower_result(l, result);
    int64_t pitch = l->pitch_of[result.i];
    if (pitch && dim_is(c->c_row, 0)) { /* rows go into a wider tensor; a phase of a transposed convolution knows */
        DimTable *t = &l->g->dims;
        Dim pixels = c->m;
        if (c->kind == CONTRACT_WINOGRAD) pixels = dim_mul(t, c->conv.out[0], c->conv.out[1]); /* m counts blocks */
        if (!dim_is(c->c_batch, 0)) c->c_batch = dim_mul(t, pixels, dim_const(pitch));
        c->c_m = dim_const(pitch);
    }
    const Buffer *buffers = l->p->buffers.data;
    uint32_t three[3] = {a_buffer, b_buffer, out_buffer};
    for (int i = 0; i < 3; i++) {
        const Buffer *buffer = &buffers[three[i]];
        vec_push(l->arena, &b->k->params,
                 (Param){.kind = i == 2 ? PARAM_OUT : PARAM_IN,
                         .dtype = buffer->dtype,
                         .aligned = buffer->kind != BUFFER_VIEW || buffer->offset % 64 == 0});
        vec_push(l->scratch, &b->args, three[i]);
    }
    ExprId value = accumulated(b, c->acc, out->dtype), index, stored;
    uint32_t param;
    if (!body_epilogue(b, r->out, at, value, &param, &index, &stored) || param != 2 || !is_affine(b, stored) ||
        b->fails.len) {
        *out_retry = true;
        return false;
    }
    b->k->epilogue = stored;
    Dim units = contraction_units(&l->g->dims, c);
    if (c->kind == CONTRACT_WINOGRAD) {
        Dim elements = dim_mul(&l->g->dims, units, dim_const(winograd_scratch(c)));
        const Shape line = {.rank = 1, .dims = {elements}};
        uint32_t buffer = lower_temporary(l, DTYPE_F32, &line, "transformed");
        c->scratch = body_out(b, buffer);
    }
    double bytes = 0;
    for (uint32_t i = 0; i < b->args.len; i++)
        bytes += (double)lower_typical(l, l->p->buffers.data[b->args.data[i]].bytes);
    double outputs = (double)lower_typical(l, shape_elements(&l->g->dims, &out->shape));
    Cost cost = cost_roofline(l->p->machine, flops, 0.6, bytes);
    double weights = b_const ? (double)tensor_bytes(l->p->buffers.data[b_buffer].data) : 0;
    cost.ns = fmax(cost.ns, cost_read(l->p->machine, weights, l->constants));
    cost.ns += lower_cost(l, outputs, b->cost, 0).ns;
    body_finish(b, units, cost);
    return !l->failed;
}

/* ---- matmul */

static bool same_leading(const Shape *a, const Shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i + 2 < a->rank; i++)
        if (!dim_equal(a->dims[i], b->dims[i])) return false;
    return true;
}

static Dim product(DimTable *t, const Shape *s, int from, int to) {
    Dim p = dim_const(1);
    for (int i = from; i < to; i++) p = dim_mul(t, p, s->dims[i]);
    return p;
}

static bool all_ones(const Shape *s, int from, int to) {
    for (int i = from; i < to; i++)
        if (!dim_is(s->dims[i], 1)) return false;
    return true;
}

/* Broadcast of batch dims that strides and b_repeat cannot say: the operands are expanded first. */
static uint32_t expanded_operand(Lower *l, NodeId n, ValueId v, const Shape *batch_of, bool *out_failed) {
    const Value *value = lower_value(l, v);
    Shape want = *batch_of;
    for (int i = 0; i < 2; i++) want.dims[want.rank - 2 + i] = value->shape.dims[value->shape.rank - 2 + i];
    if (shape_equal(&want, &value->shape)) return lower_buffer(l, v);
    uint32_t to = lower_temporary(l, value->dtype, &want, value->name);
    Body *b = body_new(l, n, 0, "broadcast");
    Nest nest = {0};
    Position at = {.rank = want.rank, .has_at = true}, from = {.rank = value->shape.rank, .has_at = true};
    for (int d = 0; d < want.rank; d++) nest_dim(b, &nest, want.dims[d], false, &at.at[d]);
    int shift = want.rank - value->shape.rank;
    for (int d = 0; d < value->shape.rank; d++) {
        Dim have = value->shape.dims[d], less = dim_sub(&l->g->dims, have, dim_const(1));
        Dim factor = dim_equal(have, want.dims[d + shift]) ? dim_const(1) : dim_min(&l->g->dims, less, dim_const(1));
        ExprId times = index_dim(b, factor);
        from.at[d] = index_mul(b, at.at[d + shift], times);
    }
    ExprId exprs[2];
    exprs[1] = body_value(b, v, &from);
    exprs[0] = position_flatten(b, &want, &at);
    uint32_t param = body_out(b, to);
    nest_merge(b, &nest, 2, exprs);
    Stmt *inside = stmt_store(b, param, exprs[0], exprs[1]);
    double elements = (double)lower_typical(l, shape_elements(&l->g->dims, &want));
    Cost cost = body_cost(b, elements, 1);
    Dim units;
    b->k->body = nest_wrap(b, &nest, nest.n, inside, nest.n - 1, cost.ns / elements, &units);
    body_finish(b, units, cost);
    *out_failed = l->failed;
    return to;
}

/* Elements from one row of operand v to the next, where it is read in place. */
static Dim row_of(Lower *l, ValueId v, Dim last) {
    const Value *value = lower_value(l, v);
    OpId op = value->def.i ? lower_node(l, value->def)->op : OP_NONE;
    if (op == OP_SLICE || op == OP_RESHAPE) (void)lower_buffer(l, v); /* now it is known whether it is a view */
    return l->pitch_of[v.i] ? dim_const(l->pitch_of[v.i]) : last;
}

/* `flat`: leading dims of A count as rows of one product. */
static bool matmul_as(Lower *l, NodeId id, bool flat, bool *out_retry) {
    const Node *node = lower_node(l, id);
    DimTable *t = &l->g->dims;
    ValueId av = node->inputs[0], bv = node->inputs[1];
    Shape as = lower_value(l, av)->shape, bs = lower_value(l, bv)->shape, os = lower_value(l, node->outputs[0])->shape;
    bool ta = node_int(node, "transpose_a", 0) != 0, tb = node_int(node, "transpose_b", 0) != 0;
    Dim m = as.dims[as.rank - (ta ? 1 : 2)], k = as.dims[as.rank - (ta ? 2 : 1)], n = bs.dims[bs.rank - (tb ? 2 : 1)];
    Result r = result_begin(l, id, "matmul");
    Body *b = r.b;
    Contraction *c = b->k->contraction;
    *c = (Contraction){.kind = CONTRACT_GEMM, .n = n, .k = k, .b_batch = dim_const(0), .b_repeat = dim_const(1)};
    c->a = lower_value(l, av)->dtype;
    c->b = lower_value(l, bv)->dtype;
    c->acc = sum_type(c->a, lower_value(l, node->outputs[0])->dtype);
    bool one_entry = all_ones(&as, 0, as.rank - 2), a_in_place = one_entry || same_leading(&as, &os);
    Dim a_row = a_in_place ? row_of(l, av, ta ? m : k) : ta ? m : k, b_row = row_of(l, bv, tb ? k : n);
    c->a_m = ta ? dim_const(1) : a_row;
    c->a_k = ta ? a_row : dim_const(1);
    c->c_m = n;
    c->c_n = dim_const(1);
    Position at = {.rank = os.rank, .has_at = true};
    at.at[os.rank - 1] = r.n;
    uint32_t a_buffer;
    bool failed = false, b_is_shared = all_ones(&bs, 0, bs.rank - 2) && as.rank == os.rank && same_leading(&as, &os);
    const Tensor *b_const = value_const(l->g, bv);
    if (b_is_shared && flat && (!ta || one_entry)) {
        c->batch = dim_const(1);
        c->m = dim_mul(t, product(t, &os, 0, os.rank - 2), m);
        c->a_batch = c->c_batch = dim_const(0);
        a_buffer = lower_buffer(l, av);
        Shape rows = os;
        rows.rank--;
        Position p = position_flat(rows.rank, r.m);
        position_unflatten(b, &rows, &p);
        for (int i = 0; i < rows.rank; i++) at.at[i] = p.at[i];
        at.flat = index_add(b, index_mul(b, r.m, index_dim(b, n)), r.n);
    } else {
        c->batch = product(t, &os, 0, os.rank - 2);
        c->m = m;
        bool a_is_shared = one_entry;
        a_buffer = a_is_shared ? lower_buffer(l, av) : expanded_operand(l, id, av, &os, &failed);
        c->a_batch = a_is_shared ? dim_const(0) : dim_mul(t, ta ? k : m, a_row);
        c->c_batch = dim_mul(t, m, n);
        if (!b_is_shared && !all_ones(&bs, 0, bs.rank - 2)) c->b_batch = dim_mul(t, tb ? n : k, b_row);
        Shape batch = os;
        batch.rank -= 2;
        Position p = position_flat(batch.rank, r.batch);
        if (batch.rank) position_unflatten(b, &batch, &p);
        for (int i = 0; i < batch.rank; i++) at.at[i] = p.at[i];
        at.at[os.rank - 2] = r.m;
        ExprId base = index_mul(b, r.batch, index_dim(b, c->c_batch)), row = index_mul(b, r.m, index_dim(b, n));
        at.flat = index_add(b, index_add(b, base, row), r.n);
    }
    if (failed) return false;
    c->b_k = tb ? dim_const(1) : b_row;
    c->b_n = tb ? b_row : dim_const(1);
    double flops = 2 * (double)lower_typical(l, c->batch) * (double)lower_typical(l, c->m) *
                   (double)lower_typical(l, n) * (double)lower_typical(l, k);
    MatrixLayout layout = {0};
    if (b_const && dim_is(c->b_batch, 0)) {
        c->b_packed = true;
        layout = (MatrixLayout){1, k.value, n.value, 0, c->b_k.value, c->b_n.value};
        return finish(&r, &at, a_buffer, bv, &layout, b_const, flops, out_retry);
    }
    if (!dim_is(c->b_batch, 0)) { /* its own matrix for every batch entry, or for every run of equal ones */
        Shape have = bs;
        Dim repeat = dim_const(1);
        int shift = os.rank - bs.rank, last = os.rank - 2;
        while (last > 0 && (last - 1 < shift || dim_is(have.dims[last - 1 - shift], 1)) &&
               !dim_is(os.dims[last - 1], 1))
            repeat = dim_mul(t, repeat, os.dims[--last]);
        bool leading_equal = bs.rank == os.rank;
        for (int i = 0; i < last && leading_equal; i++) leading_equal = dim_equal(bs.dims[i], os.dims[i]);
        if (leading_equal) {
            c->b_repeat = repeat;
        } else {
            uint32_t buffer = expanded_operand(l, id, bv, &os, &failed);
            if (failed) return false;
            if (!same_leading(&bs, &os)) { /* dense, whatever b was */
                c->b_batch = dim_mul(t, n, k);
                c->b_k = tb ? dim_const(1) : n;
                c->b_n = tb ? k : dim_const(1);
            }
            uint32_t saved = l->buffer_of[bv.i];
            l->buffer_of[bv.i] = buffer; /* for this product only */
            bool was = lower_value(l, bv)->def.i ? l->lowered[lower_value(l, bv)->def.i] : true;
            if (lower_value(l, bv)->def.i) l->lowered[lower_value(l, bv)->def.i] = true;
            bool ok = finish(&r, &at, a_buffer, bv, &layout, NULL, flops, out_retry);
            l->buffer_of[bv.i] = saved;
            if (lower_value(l, bv)->def.i) l->lowered[lower_value(l, bv)->def.i] = was;
            return ok;
        }
    }
    return finish(&r, &at, a_buffer, bv, &layout, NULL, flops, out_retry);
}

bool lower_matmul(Lower *l, NodeId n) {
    bool retry;
    if (matmul_as(l, n, true, &retry)) return true;
    if (retry && matmul_as(l, n, false, &retry)) return true;
    return retry ? lower_alone(l, n) : false;
}

/* ---- convolution */

/* Kernel 1, stride 1, no padding: a product of pixels by channels. */
static bool is_pointwise(const ConvGeometry *g, const Attr *after) {
    for (int i = 0; i < g->rank; i++)
        if (g->kernel[i] != 1 || g->stride[i] != 1 || !dim_is(g->before[i], 0) || !dim_is(after->v.dims[i], 0))
            return false;
    return g->groups == 1;
}

static bool conv_node(Lower *l, NodeId id) {
    const Node *node = lower_node(l, id);
    DimTable *t = &l->g->dims;
    const Value *x = lower_value(l, node->inputs[0]), *w = lower_value(l, node->inputs[1]),
                *out = lower_value(l, node->outputs[0]);
    const Attr *strides = node_attr(node, "strides"), *dilations = node_attr(node, "dilations"),
               *before = node_attr(node, "before"), *after = node_attr(node, "after");
    int rank = x->shape.rank, spatial = rank - 2;
    Result r = result_begin(l, id, "conv");
    Body *b = r.b;
    Contraction *c = b->k->contraction;
    ConvGeometry g = {.rank = spatial, .groups = node_int(node, "groups", 1)};
    int64_t taps = 1;
    Dim pixels_in = dim_const(1), pixels_out = dim_const(1);
    for (int i = 0; i < spatial; i++) {
        g.in[i] = x->shape.dims[1 + i];
        g.out[i] = out->shape.dims[1 + i];
        g.kernel[i] = w->shape.dims[i].value;
        g.stride[i] = strides->v.ints[i];
        g.dilation[i] = dilations ? dilations->v.ints[i] : 1;
        g.before[i] = before->v.dims[i];
        taps *= g.kernel[i];
        pixels_in = dim_mul(t, pixels_in, g.in[i]);
        pixels_out = dim_mul(t, pixels_out, g.out[i]);
    }
    g.channels = w->shape.dims[spatial].value * g.groups; /* the image's may be a symbol, which a check settles */
    g.filters = w->shape.dims[rank - 1].value;
    int64_t group_channels = g.channels / g.groups, group_filters = g.filters / g.groups;
    Dim images = x->shape.dims[0];
    bool pointwise = is_pointwise(&g, after), depthwise = group_channels == 1 && g.groups > 1;
    *c = (Contraction){.kind = pointwise   ? CONTRACT_GEMM
                               : depthwise ? CONTRACT_DEPTHWISE
                                           : CONTRACT_CONV,
                       .a = x->dtype,
                       .b = w->dtype,
                       .conv = g,
                       .n = dim_const(depthwise ? g.filters : group_filters),
                       .k = dim_const(depthwise ? taps : taps * group_channels),
                       .a_m = dim_const(g.channels),
                       .a_k = dim_const(1),
                       .c_m = dim_const(g.filters),
                       .c_n = dim_const(1),
                       .b_batch = dim_const(group_filters),
                       .b_k = dim_const(g.filters),
                       .b_n = dim_const(1),
                       .b_repeat = dim_const(1)};
    c->acc = sum_type(c->a, out->dtype);
    Position at = {.rank = rank, .has_at = true};
    ExprId row = index_mul(b, r.m, index_dim(b, c->c_m));
    at.flat = index_add(b, row, r.n);
    at.at[rank - 1] = r.n;
    Shape rows = out->shape;
    if (pointwise) {
        c->batch = dim_const(1);
        c->m = dim_mul(t, images, pixels_out);
        c->a_batch = c->b_batch = c->c_batch = dim_const(0);
        rows.rank = rank - 1;
        Position p = position_flat(rows.rank, r.m);
        position_unflatten(b, &rows, &p);
        for (int i = 0; i < rows.rank; i++) at.at[i] = p.at[i];
    } else {
        c->batch = dim_mul(t, images, dim_const(depthwise ? 1 : g.groups));
        c->m = pixels_out;
        c->a_batch = dim_mul(t, pixels_in, c->a_m);
        c->c_batch = dim_mul(t, pixels_out, c->c_m);
        ExprId image = index_mul(b, r.batch, index_dim(b, c->c_batch));
        at.flat = index_add(b, image, at.flat);
        at.at[0] = r.batch;
        rows.rank = spatial;
        for (int i = 0; i < spatial; i++) rows.dims[i] = out->shape.dims[1 + i];
        Position p = position_flat(spatial, r.m);
        position_unflatten(b, &rows, &p);
        for (int i = 0; i < spatial; i++) at.at[1 + i] = p.at[i];
    }
    const Tensor *w_const = value_const(l->g, node->inputs[1]);
    MatrixLayout layout = {depthwise ? 1 : g.groups,      c->k.value, c->n.value,
                           depthwise ? 0 : group_filters, g.filters,  1};
    c->b_packed = w_const != NULL;
    if (winograd_pays(c, l->p->machine, l->o->threads)) {
        c->kind = CONTRACT_WINOGRAD;
        c->m = dim_const(winograd_blocks(&g));
        c->k = dim_const(g.channels);
    }
    uint32_t a_buffer = lower_buffer(l, node->inputs[0]);
    int64_t pitch = l->pitch_of[node->inputs[0].i];
    if (pitch) {
        c->a_m = dim_const(pitch);
        if (!pointwise) c->a_batch = dim_mul(t, pixels_in, c->a_m);
    }
    double flops = 2 * (double)lower_typical(l, images) * (double)lower_typical(l, pixels_out) * (double)g.filters *
                   (double)taps * (double)group_channels;
    bool retry;
    if (finish(&r, &at, a_buffer, node->inputs[1], &layout, w_const, flops, &retry)) return true;
    return retry ? lower_alone(l, id) : false;
}

/* ---- transposed convolution: pixels of the result whose coordinates leave the same remainder by the strides see the
   same taps. Each such phase is an ordinary convolution of stride 1 into every stride-th pixel. Along one dimension,
   result i = q*stride + phase gets dy[o] w[k] where i + before = k + o*stride: taps k = first, first + stride, …; with
   them reversed o = q + offset - (taps - 1) + 0, 1, … */
typedef struct {
    int64_t first, taps, before;
    Dim out; /* pixels of the phase */
} Phase;

static bool phases_apply(Lower *l, NodeId id) {
    const Node *node = lower_node(l, id);
    const Tensor *w = value_const(l->g, node->inputs[1]);
    const Attr *strides = node_attr(node, "strides"), *dilations = node_attr(node, "dilations"),
               *before = node_attr(node, "before");
    int spatial = lower_value(l, node->outputs[0])->shape.rank - 2;
    int64_t phases = 1;
    if (w == NULL || spatial > 2 || node_int(node, "groups", 1) != 1) return false;
    for (int d = 0; d < spatial; d++) {
        if (w->dims[d] < strides->v.ints[d] || (dilations && dilations->v.ints[d] != 1) ||
            !dim_is_const(before->v.dims[d]))
            return false;
        phases *= strides->v.ints[d];
    }
    return phases <= 16;
}

static Phase phase_of(Lower *l, const Node *node, int d, int64_t phase) {
    const Tensor *w = value_const(l->g, node->inputs[1]);
    DimTable *t = &l->g->dims;
    int64_t stride = node_attr(node, "strides")->v.ints[d], before = node_attr(node, "before")->v.dims[d].value;
    Phase p = {.first = (phase + before) % stride};
    p.taps = (w->dims[d] - p.first + stride - 1) / stride;
    p.before = p.taps - 1 - (phase + before - p.first) / stride;
    p.out = dim_ceildiv(t, dim_sub(t, lower_value(l, node->outputs[0])->shape.dims[1 + d], dim_const(phase)), stride);
    return p;
}

/* Weights [K…, C, F] of a phase's taps as [taps…, F, C]. */
static Tensor phase_weights(Lower *l, const Tensor *w, int spatial, const Phase *p, const Attr *strides) {
    int64_t channels = w->dims[spatial], filters = w->dims[spatial + 1], rows = spatial == 2 ? p[0].taps : 1,
            columns = p[spatial - 1].taps;
    const int64_t dims[3] = {rows * columns, filters, channels};
    Tensor sub = tensor_new(l->arena, w->dtype, 3, dims);
    size_t size = dtype_size(w->dtype);
    const char *from = w->data;
    char *to = (char *)(uintptr_t)sub.data;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            int64_t tap = p[spatial - 1].first + (columns - 1 - x) * strides->v.ints[spatial - 1];
            if (spatial == 2) tap += (p[0].first + (rows - 1 - y) * strides->v.ints[0]) * w->dims[1];
            for (int64_t f = 0; f < filters; f++)
                for (int64_t c = 0; c < channels; c++, to += size)
                    memcpy(to, from + (size_t)((tap * channels + c) * filters + f) * size, size);
        }
    return sub;
}

static bool phase_node(Lower *l, NodeId id, const int64_t *phase, bool *out_retry) {
    const Node *node = lower_node(l, id);
    DimTable *t = &l->g->dims;
    const Value *dy = lower_value(l, node->inputs[0]), *out = lower_value(l, node->outputs[0]);
    const Tensor *w = value_const(l->g, node->inputs[1]);
    const Attr *strides = node_attr(node, "strides");
    int rank = out->shape.rank, spatial = rank - 2;
    Phase phases[2];
    Result r = result_begin(l, id, "conv_transpose");
    Body *b = r.b;
    Contraction *c = b->k->contraction;
    int64_t taps = 1, channels = w->dims[spatial], filters = w->dims[spatial + 1],
            pitch = l->pitch_of[node->inputs[0].i], out_pitch = l->pitch_of[lower_group_result(l, id).i];
    if (out_pitch == 0) out_pitch = channels;
    ConvGeometry g = {.rank = spatial, .groups = 1, .channels = filters, .filters = channels};
    Dim pixels_in = dim_const(1), pixels = dim_const(1), pixels_out = dim_const(1);
    Shape rows = {.rank = spatial};
    for (int d = 0; d < spatial; d++) {
        phases[d] = phase_of(l, node, d, phase[d]);
        g.in[d] = dy->shape.dims[1 + d];
        g.out[d] = rows.dims[d] = phases[d].out;
        g.kernel[d] = phases[d].taps;
        g.stride[d] = g.dilation[d] = 1;
        g.before[d] = dim_const(phases[d].before);
        taps *= g.kernel[d];
        pixels_in = dim_mul(t, pixels_in, g.in[d]);
        pixels = dim_mul(t, pixels, g.out[d]);
        pixels_out = dim_mul(t, pixels_out, out->shape.dims[1 + d]);
    }
    Dim width = out->shape.dims[spatial], channel_dim = dim_const(channels), pixel = dim_const(out_pitch),
        row = dim_mul(t, width, pixel);
    *c = (Contraction){.kind = CONTRACT_CONV,
                       .a = dy->dtype,
                       .b = w->dtype,
                       .conv = g,
                       .batch = out->shape.dims[0],
                       .m = pixels,
                       .n = channel_dim,
                       .k = dim_const(taps * filters),
                       .a_m = dim_const(pitch ? pitch : filters),
                       .a_k = dim_const(1),
                       .c_m = dim_const(strides->v.ints[spatial - 1] * out_pitch),
                       .c_n = dim_const(1),
                       .b_k = channel_dim,
                       .b_n = dim_const(1),
                       .b_repeat = dim_const(1),
                       .b_packed = true};
    c->acc = sum_type(c->a, out->dtype);
    c->a_batch = dim_mul(t, pixels_in, c->a_m);
    c->c_batch = dim_mul(t, pixels_out, pixel);
    c->c_row = dim_mul(t, row, dim_const(spatial == 2 ? strides->v.ints[0] : 1));
    c->c_offset = dim_const(phase[spatial - 1] * out_pitch);
    if (spatial == 2) c->c_offset = dim_add(t, c->c_offset, dim_mul(t, row, dim_const(phase[0])));
    Position at = {.rank = rank, .has_at = true}, q = position_flat(spatial, r.m);
    position_unflatten(b, &rows, &q);
    at.at[0] = r.batch;
    at.at[rank - 1] = r.n;
    for (int d = 0; d < spatial; d++) {
        ExprId step = index_int(b, strides->v.ints[d]), first = index_int(b, phase[d]),
               apart = index_mul(b, q.at[d], step);
        at.at[1 + d] = index_add(b, apart, first);
    }
    Tensor weights = phase_weights(l, w, spatial, phases, strides);
    MatrixLayout layout = {1, c->k.value, channels, 0, channels, 1};
    uint32_t a_buffer = lower_buffer(l, node->inputs[0]);
    double flops = 2 * (double)lower_typical(l, c->batch) * (double)lower_typical(l, pixels) *
                   (double)(taps * filters) * (double)channels;
    return finish(&r, &at, a_buffer, node->inputs[1], &layout, &weights, flops, out_retry);
}

static bool conv_transpose_node(Lower *l, NodeId id) {
    const Node *node = lower_node(l, id);
    const Attr *strides = node_attr(node, "strides");
    bool two = lower_value(l, node->outputs[0])->shape.rank == 4, retry;
    int64_t high = two ? strides->v.ints[0] : 1, wide = strides->v.ints[two ? 1 : 0];
    for (int64_t y = 0; y < high; y++)
        for (int64_t x = 0; x < wide; x++) {
            const int64_t phase[2] = {two ? y : x, x};
            if (!phase_node(l, id, phase, &retry)) return retry ? lower_alone(l, id) : false;
        }
    return true;
}

bool lower_conv(Lower *l, NodeId n) {
    if (lower_node(l, n)->op == OP_CONV) return conv_node(l, n);
    return phases_apply(l, n) ? conv_transpose_node(l, n) : lower_conv_transpose(l, n);
}
