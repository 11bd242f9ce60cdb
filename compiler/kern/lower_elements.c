/* lower_elements: groups made of element functions only: element-wise chains, broadcasts and all movement of data. One
   kernel that walks the result; reshapes and slices that are a contiguous part of their operand are no kernel at all
   but a view. */
#include "kern/lower.h"

bool body_epilogue(Body *b, ValueId v, const Position *at, ExprId value, uint32_t *out_param, ExprId *out_index,
                   ExprId *out_value) {
    Lower *l = b->l;
    ValueId result = lower_group_result(l, lower_value(l, v)->def);
    const Shape *from = &lower_value(l, v)->shape, *to = &lower_value(l, result)->shape;
    body_know(b, v, at, value);
    Position p = shape_equal(from, to) ? *at : position_reshape(b, from, to, at);
    *out_value = body_value(b, result, &p);
    if (b->misplaced) return false;
    *out_index = body_index(b, result, &p);
    *out_param = body_out(b, lower_result(l, result));
    return true;
}

Cost body_cost(const Body *b, double elements, double passes) {
    double bytes = 0;
    for (uint32_t i = 0; i < b->k->params.len; i++) bytes += (double)dtype_size(b->k->params.data[i].dtype);
    return lower_cost(b->l, elements, (b->cost + (double)b->loads + 1) * passes, bytes * elements);
}

bool body_has_lanes(const Body *b) {
    for (uint32_t i = 0; i < b->k->params.len; i++) {
        DTypeClass c = dtype_info(b->k->params.data[i].dtype)->class_;
        if (c == CLASS_BYTES || c == CLASS_COMPLEX || c == CLASS_HANDLE) return false;
    }
    return true;
}

/* Elements that the outputs have for typical sizes. */
static double typical_elements(const Lower *l, const Nest *nest) {
    double n = 1;
    for (int i = 0; i < nest->n; i++) n *= (double)lower_typical(l, nest->loops[i].extent);
    return n;
}

enum { MAX_OUTPUTS = 8 };

bool lower_elements_of(Lower *l, NodeId n, uint32_t n_outputs, const ValueId *outputs) {
    CHECK(n_outputs >= 1 && n_outputs <= MAX_OUTPUTS);
    Body *b = body_new(l, n, l->group_of[n.i], op_info(lower_node(l, n)->op)->text);
    Shape shape = lower_value(l, outputs[0])->shape;
    Nest nest = {0};
    Position at = {.rank = shape.rank, .has_at = true};
    for (int d = 0; d < shape.rank; d++) nest_dim(b, &nest, shape.dims[d], false, &at.at[d]);
    ExprId exprs[2 * MAX_OUTPUTS + 0];
    uint32_t params[MAX_OUTPUTS];
    for (uint32_t i = 0; i < n_outputs; i++) {
        const Shape *to = &lower_value(l, outputs[i])->shape;
        Position p = shape_equal(&shape, to) ? at : position_reshape(b, &shape, to, &at);
        exprs[2 * i + 1] = body_value(b, outputs[i], &p);
        exprs[2 * i] = body_index(b, outputs[i], &p);
    }
    for (uint32_t i = 0; i < n_outputs; i++) params[i] = body_out(b, lower_result(l, outputs[i]));
    nest_merge(b, &nest, (int)n_outputs * 2, exprs);
    Cost cost = body_cost(b, typical_elements(l, &nest), 1);
    double per_element = cost.ns / typical_elements(l, &nest);
    int vector = body_has_lanes(b) ? nest.n - 1 : -1;
    Tile tile;
    const bool tiled =
        vector >= 0 && nest_tile(b, &nest, (int)n_outputs * 2, exprs, lower_value(l, outputs[0])->dtype, &tile);
    Stmt *inside = stmt_fails(b);
    for (uint32_t i = 0; i < n_outputs; i++)
        inside = stmt_join(inside, stmt_store(b, params[i], exprs[2 * i], exprs[2 * i + 1]));
    if (tiled) {
        inside = nest_tile_wrap(b, &tile, inside);
        per_element *= (double)tile.elements;
        vector = -1;
    }
    Dim units;
    b->k->body = nest_wrap(b, &nest, nest.n, inside, vector, per_element, &units);
    body_finish(b, units, cost);
    return !l->failed;
}

bool lower_elements(Lower *l, NodeId n) {
    int32_t group = l->group_of[n.i];
    ValueId outputs[MAX_OUTPUTS] = {lower_node(l, n)->outputs[0]};
    if (group <= 0) return lower_elements_of(l, n, 1, outputs);
    uint32_t count = 0;
    const NodeList *members = &l->members[group];
    for (uint32_t i = 0; i < members->len; i++) {
        const Node *m = lower_node(l, (NodeId){members->data[i]});
        if (!lower_is_external(l, m->outputs[0], group)) continue;
        if (count == MAX_OUTPUTS) return lower_alone(l, n);
        outputs[count++] = m->outputs[0];
    }
    if (count == 0) return true; /* nobody reads it */
    Dim elements = shape_elements(&l->g->dims, &lower_value(l, outputs[0])->shape);
    for (uint32_t i = 1; i < count; i++)
        if (!dim_equal(elements, shape_elements(&l->g->dims, &lower_value(l, outputs[i])->shape)))
            return lower_alone(l, n);
    return lower_elements_of(l, n, count, outputs);
}

bool lower_ewise(Lower *l, NodeId n) {
    return lower_elements(l, n);
}
bool lower_gather(Lower *l, NodeId n) {
    return lower_elements(l, n);
}
bool lower_expand(Lower *l, NodeId n) {
    return lower_elements(l, n);
}
bool lower_resize(Lower *l, NodeId n) {
    return lower_elements(l, n);
}

/* ---- views */

static bool make_view(Lower *l, NodeId n, int64_t offset) {
    const Node *node = lower_node(l, n);
    ValueId v = node->outputs[0];
    uint32_t from = lower_buffer(l, node->inputs[0]);
    if (l->buffer_of[v.i] != NO_BUFFER) { /* it has a place of its own */
        const Buffer *placed = &l->p->buffers.data[l->buffer_of[v.i]], *source = &l->p->buffers.data[from];
        bool same =
            placed->kind == BUFFER_VIEW
                ? source->kind == BUFFER_VIEW && source->index == placed->index && source->offset == placed->offset
                : source->kind == BUFFER_VIEW && source->index == l->buffer_of[v.i] && source->offset == 0;
        if (same && offset == 0) return true; /* the operand was placed there as well */
        const Value *out = lower_value(l, v);
        uint32_t view = lower_view_of(l, from, offset, out->dtype, &out->shape, out->name);
        lower_copy(l, l->buffer_of[v.i], view, n);
        return true;
    }
    const Value *out = lower_value(l, v);
    l->buffer_of[v.i] = lower_view_of(l, from, offset, out->dtype, &out->shape, out->name);
    return true;
}

/* Byte offset of a slice that is one contiguous run of its operand: only the outermost dim that is not 1 is cut. -1: it
 * is not. */
static int64_t contiguous_offset(const Lower *l, const Node *node) {
    const Value *in = lower_value(l, node->inputs[0]), *out = lower_value(l, node->outputs[0]);
    const Attr *begin = node_attr(node, "begin"), *strides = node_attr(node, "strides");
    int64_t offset = 0;
    bool whole = true; /* all dims further out are 1 in the result */
    for (int i = 0; i < in->shape.rank; i++) {
        if (strides && strides->v.ints[i] != 1) return -1;
        bool cut = !dim_equal(in->shape.dims[i], out->shape.dims[i]);
        if (!dim_is_const(begin->v.dims[i])) return -1;
        if ((cut || begin->v.dims[i].value != 0) && !whole) return -1;
        if (begin->v.dims[i].value != 0) {
            int64_t inner = (int64_t)dtype_size(in->dtype);
            for (int j = i + 1; j < in->shape.rank; j++) {
                if (!dim_is_const(in->shape.dims[j]) || __builtin_mul_overflow(inner, in->shape.dims[j].value, &inner))
                    return -1;
            }
            if (__builtin_mul_overflow(inner, begin->v.dims[i].value, &inner)) return -1;
            offset += inner;
        }
        whole = whole && dim_is(out->shape.dims[i], 1);
    }
    return offset;
}

/* Elements before the first of a slice whose rows follow each other in the operand, a pitch apart: all dims but the
   last are cut like a run. -1: it is not one. */
static int64_t row_offset(const Lower *l, const Node *node, int64_t pitch) {
    const Shape *in = &lower_value(l, node->inputs[0])->shape, *out = &lower_value(l, node->outputs[0])->shape;
    const Attr *begin = node_attr(node, "begin"), *strides = node_attr(node, "strides");
    int last = in->rank - 1;
    int64_t offset = 0, rows = 1;
    bool inner_whole = true; /* dims further in are not cut, so far */
    if (strides->v.ints[last] != 1 || !dim_is_const(begin->v.dims[last])) return -1;
    for (int i = last - 1; i >= 0; i--) {
        Dim first = begin->v.dims[i];
        bool cut = !dim_equal(in->dims[i], out->dims[i]);
        if (strides->v.ints[i] != 1 || !dim_is_const(first) || (!cut && first.value != 0)) return -1;
        if (!inner_whole && !dim_is(out->dims[i], 1)) return -1;
        inner_whole = inner_whole && !cut;
        if (first.value != 0) {
            int64_t skipped;
            if (rows < 0 || __builtin_mul_overflow(rows, first.value, &skipped)) return -1;
            offset += skipped;
        }
        if (rows >= 0 && (!dim_is_const(in->dims[i]) || __builtin_mul_overflow(rows, in->dims[i].value, &rows)))
            rows = -1;
    }
    if (__builtin_mul_overflow(offset, pitch, &offset)) return -1;
    return offset + begin->v.dims[last].value;
}

/* Elements from one row of v to the next; 0: not known. */
static int64_t row_pitch(const Lower *l, ValueId v) {
    const Shape *s = &lower_value(l, v)->shape;
    if (l->pitch_of[v.i]) return l->pitch_of[v.i];
    return s->rank >= 2 && dim_is_const(s->dims[s->rank - 1]) ? s->dims[s->rank - 1].value : 0;
}

bool lower_keeps_rows(const Lower *l, const Node *n) {
    const Shape *in = &lower_value(l, n->inputs[0])->shape, *out = &lower_value(l, n->outputs[0])->shape;
    if (in->rank < 2 || out->rank < 2 || !dim_is_const(out->dims[out->rank - 1])) return false;
    if (n->op == OP_RESHAPE) return dim_equal(in->dims[in->rank - 1], out->dims[out->rank - 1]);
    return n->op == OP_SLICE && row_offset(l, n, 1) >= 0;
}

/* The result of a reshape or slice as rows of the operand's memory, where all who read it can take it so. */
static bool make_pitched(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    ValueId x = node->inputs[0], v = node->outputs[0];
    int64_t pitch = row_pitch(l, x), offset = 0;
    if (pitch <= 0 || l->buffer_of[v.i] != NO_BUFFER || !lower_keeps_rows(l, node) || !lower_reads_pitched(l, v))
        return false;
    if (node->op == OP_SLICE) offset = row_offset(l, node, pitch);
    const Value *out = lower_value(l, v);
    if (offset < 0 || __builtin_mul_overflow(offset, (int64_t)dtype_size(out->dtype), &offset)) return false;
    uint32_t from = lower_buffer(l, x);
    l->buffer_of[v.i] = lower_view_of(l, from, offset, out->dtype, &out->shape, out->name);
    l->pitch_of[v.i] = pitch;
    return true;
}

bool lower_view(Lower *l, NodeId n) {
    if (l->pitch_of[lower_node(l, n)->inputs[0].i] == 0) return make_view(l, n, 0);
    return make_pitched(l, n) || lower_elements(l, n);
}

bool lower_move(Lower *l, NodeId n) {
    const Node *node = lower_node(l, n);
    if (node->op == OP_SLICE) {
        int64_t offset = contiguous_offset(l, node);
        if (offset >= 0 && l->pitch_of[node->inputs[0].i] == 0) return make_view(l, n, offset);
        if (make_pitched(l, n)) return true;
    }
    return lower_elements(l, n);
}
