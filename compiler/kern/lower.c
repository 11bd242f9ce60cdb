/* lower: Graph to steps. Walks every region in order and hands each group to the lower_<family> of its anchor. Values
   get a buffer when their kernel is made; values that must end up in a certain place (an output of the model, a part of
   a concatenation, the result of a branch) are placed there before anything is lowered, so that the kernel writes them
   where they belong. */
#include "kern/lower.h"
#include <string.h>

static LowerFn *const lower_table[N_OPS] = {
#define SCALAR(id, text, arity, classes, result, cost) [OP_##id] = lower_ewise,
#include "ir/scalar.def"
#undef SCALAR
#define OP(id, text, min, max, results, infer, ref, lower, flags, attrs) [OP_##id] = lower_##lower,
#include "ir/ops.def"
#undef OP
};

int64_t lower_typical(const Lower *l, Dim d) {
    int64_t lo, hi;
    dim_range(&l->g->dims, d, &lo, &hi);
    return lo < 1 ? 1 : lo;
}

Cost lower_cost(const Lower *l, double elements, double work, double bytes) {
    return cost_roofline(l->p->machine, elements * work, 0.5, bytes);
}

/* ---- buffers */

bool lower_known_at_bind(const Lower *l, Dim d) {
    for (uint32_t s = 0; s < l->g->dims.symbols.len && !dim_is_const(d); s++)
        if (!l->known_at_bind[s] && dim_uses(&l->g->dims, d, s)) return false;
    return true;
}

static uint32_t add_buffer(Lower *l, Buffer b) {
    Dim elements = shape_elements(&l->g->dims, &b.shape);
    b.bytes = dim_mul(&l->g->dims, elements, dim_const((int64_t)dtype_size(b.dtype)));
    int64_t count = shape_count(&b.shape);
    if (l->g->dims.too_complex) {
        l->g->dims.too_complex = false;
        diag_unsupported(l->d, b.name, NULL, "its symbolic size is too complex; give the model fixed input shapes");
        l->failed = true;
    }
    bool huge = shape_is_const(&b.shape) && (count < 0 || count > INT64_MAX / 32);
    if (huge || (l->o->max_memory > 0 && dim_is_const(b.bytes) && b.bytes.value > l->o->max_memory)) {
        Str text;
        str_init(&text, l->scratch);
        shape_print(&l->g->dims, &b.shape, &text);
        diag_error(
            l->d, b.name, NULL,
            "a tensor %s %s is larger than the memory this program may use; give a smaller batch or raise --max-memory",
            dtype_info(b.dtype)->text, str_text(&text));
        l->failed = true;
    }
    vec_push(l->arena, &l->p->buffers, b);
    vec_push(l->scratch, &l->owner, l->region.i);
    vec_push(l->scratch, &l->latest, 0);
    return l->p->buffers.len - 1;
}

uint32_t lower_temporary(Lower *l, DType dtype, const Shape *shape, const char *name) {
    Buffer b = {.kind = BUFFER_ARENA, .dtype = dtype, .shape = *shape, .name = name ? name : ""};
    Dim elements = shape_elements(&l->g->dims, shape);
    if (!lower_known_at_bind(l, elements)) b.kind = BUFFER_POOL;
    return add_buffer(l, b);
}

uint32_t lower_constant(Lower *l, const Tensor *t, const char *name) {
    for (uint32_t i = 0; i < l->p->buffers.len; i++) {
        const Buffer *b = &l->p->buffers.data[i];
        if (b->kind != BUFFER_CONST || b->dtype != t->dtype || (b->data != t && b->data->data != t->data)) continue;
        if (tensor_bytes(b->data) == tensor_bytes(t) && tensor_bytes(t) > 0) return i;
    }
    Buffer b = {.kind = BUFFER_CONST, .dtype = t->dtype, .shape = tensor_shape(t), .data = t, .name = name ? name : ""};
    return add_buffer(l, b);
}

uint32_t lower_view_of(Lower *l, uint32_t buffer, int64_t offset, DType dtype, const Shape *shape, const char *name) {
    const Buffer *base = &l->p->buffers.data[buffer];
    if (base->kind == BUFFER_VIEW) {
        offset += base->offset;
        buffer = base->index;
    }
    return add_buffer(l, (Buffer){.kind = BUFFER_VIEW,
                                  .dtype = dtype,
                                  .shape = *shape,
                                  .index = buffer,
                                  .offset = offset,
                                  .name = name ? name : ""});
}

uint32_t lower_result(Lower *l, ValueId v) {
    if (l->buffer_of[v.i] != NO_BUFFER) return l->buffer_of[v.i];
    const Value *value = lower_value(l, v);
    const char *name = value->name ? value->name : value->def.i ? lower_node(l, value->def)->name : "";
    uint32_t buffer = lower_temporary(l, value->dtype, &value->shape, name);
    l->buffer_of[v.i] = buffer;
    l->latest.data[buffer] = v.i;
    return buffer;
}

/* The same numbers may be a constant of another shape already: host calls are told the shape. */
static uint32_t lower_shaped_constant(Lower *l, const Tensor *t, const char *name) {
    const uint32_t buffer = lower_constant(l, t, name);
    const Shape shape = tensor_shape(t);
    if (shape_equal(&l->p->buffers.data[buffer].shape, &shape)) return buffer;
    return lower_view_of(l, buffer, 0, t->dtype, &shape, name);
}

uint32_t lower_buffer(Lower *l, ValueId v) {
    const Value *value = lower_value(l, v);
    if (value->def.i && !l->lowered[value->def.i]) {
        const Tensor *t = value_const(l->g, v);
        if (t) {
            l->lowered[value->def.i] = true;
            if (l->buffer_of[v.i] == NO_BUFFER)
                l->buffer_of[v.i] = lower_shaped_constant(l, t, lower_node(l, value->def)->name);
        } else if (!lower_group(l, value->def)) {
            l->failed = true;
            return lower_result(l, v);
        }
    }
    if (l->buffer_of[v.i] == NO_BUFFER) {
        if (l->failed) return lower_result(l, v);
        BUG("value %s of %s has no buffer", value->name ? value->name : "",
            value->def.i ? lower_node(l, value->def)->name : "a parameter");
    }
    return l->buffer_of[v.i];
}

/* ---- steps */

Step *lower_step(Lower *l, StepKind kind, NodeId n) {
    Block *block = &l->p->blocks.data[l->block];
    const char *name = n.i ? lower_node(l, n)->name : "";
    vec_push(l->arena, &block->steps, (Step){.kind = kind, .node = n, .name = name, .units = dim_const(1)});
    return &block->steps.data[block->steps.len - 1];
}

void lower_copy(Lower *l, uint32_t to, uint32_t from, NodeId n) {
    if (to == from) return;
    Step *s = lower_step(l, STEP_COPY, n);
    vec_push(l->arena, &s->args, to);
    vec_push(l->arena, &s->args, from);
}

uint32_t lower_new_block(Lower *l) {
    vec_push(l->arena, &l->p->blocks, (Block){0});
    return l->p->blocks.len - 1;
}

/* ---- groups */

bool lower_is_external(const Lower *l, ValueId v, int32_t group) {
    const Users *u = &l->users[v.i];
    if (u->is_result) return true;
    for (uint32_t i = 0; i < u->n; i++) {
        int32_t g = l->group_of[u->nodes[i].i];
        if (group > 0 && g == group) continue;
        if (g != INLINE) return true;
        const Node *user = lower_node(l, u->nodes[i]);
        for (uint32_t j = 0; j < user->n_outputs; j++)
            if (lower_is_external(l, user->outputs[j], group)) return true;
    }
    return false;
}

ValueId lower_group_result(Lower *l, NodeId n) {
    int32_t group = l->group_of[n.i];
    ValueId result = lower_node(l, n)->outputs[0];
    if (group <= 0) return result;
    const NodeList *members = &l->members[group];
    uint32_t found = 0;
    for (uint32_t i = 0; i < members->len; i++) {
        const Node *m = lower_node(l, (NodeId){members->data[i]});
        for (uint32_t j = 0; j < m->n_outputs; j++) {
            if (!lower_is_external(l, m->outputs[j], group)) continue;
            result = m->outputs[j];
            found++;
        }
    }
    if (found > 1) BUG("group %d of node %s has %u results", group, lower_node(l, n)->name, found);
    return result;
}

/* The member that needs loops of its own; without one the last member. */
static NodeId group_anchor(const Lower *l, int32_t group) {
    const NodeList *members = &l->members[group];
    for (uint32_t i = 0; i < members->len; i++) {
        NodeId n = {members->data[i]};
        if (!element_of(lower_node(l, n)->op)) return n;
    }
    return (NodeId){members->data[members->len - 1]};
}

bool lower_group(Lower *l, NodeId n) {
    if (l->lowered[n.i]) return true;
    int32_t group = l->group_of[n.i];
    if (group <= 0) {
        l->lowered[n.i] = true;
        lower_node_checks(l, n);
        return lower_table[lower_node(l, n)->op](l, n);
    }
    for (uint32_t i = 0; i < l->members[group].len; i++) {
        l->lowered[l->members[group].data[i]] = true;
        lower_node_checks(l, (NodeId){l->members[group].data[i]});
    }
    NodeId anchor = group_anchor(l, group);
    if (l->members[group].len > 1 && element_of(lower_node(l, anchor)->op)) return lower_elements(l, anchor);
    return lower_table[lower_node(l, anchor)->op](l, anchor);
}

bool lower_alone(Lower *l, NodeId n) {
    int32_t group = l->group_of[n.i];
    CHECK(group > 0 && l->members[group].len > 1);
    const NodeList *members = &l->members[group];
    for (uint32_t i = 0; i < members->len; i++) {
        l->group_of[members->data[i]] = 0;
        l->lowered[members->data[i]] = false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < members->len; i++) ok = lower_group(l, (NodeId){members->data[i]}) && ok;
    return ok;
}

/* ---- places */

/* Nodes whose kernel can write anywhere: not constants, parameters, host calls or control flow with places of their
 * own. */
static bool is_placeable(const Lower *l, ValueId v) {
    const Value *value = lower_value(l, v);
    if (value->def.i == 0 || l->buffer_of[v.i] != NO_BUFFER || l->lowered[value->def.i]) return false;
    const Node *n = lower_node(l, value->def);
    uint32_t flags = op_info(n->op)->flags;
    return !(flags & (OP_FLAG_CONSTANT | OP_FLAG_EFFECT)) && n->op != OP_HOST && !value_const(l->g, v);
}

static bool is_single(const Lower *l, NodeId n) {
    int32_t group = l->group_of[n.i];
    return group == 0 || (group > 0 && l->members[group].len == 1);
}

/* Whether v's place has its size by the time that its operand `in` is computed: a size that is found out only after
   that (a reshape by values) is none yet. */
static bool is_sized_before(const Lower *l, ValueId v, ValueId in) {
    DimTable *t = &l->g->dims;
    const Dim elements = shape_elements(t, &lower_value(l, v)->shape);
    return lower_known_at_bind(l, elements) || dim_equal(elements, shape_elements(t, &lower_value(l, in)->shape));
}

bool lower_place(Lower *l, ValueId v, uint32_t buffer) {
    if (!is_placeable(l, v)) return false;
    NodeId def = lower_value(l, v)->def;
    const Node *n = lower_node(l, def);
    if (n->op == OP_RESHAPE && is_single(l, def)) {
        const Value *in = lower_value(l, n->inputs[0]);
        if (is_placeable(l, n->inputs[0]) && is_sized_before(l, v, n->inputs[0])) {
            uint32_t view = lower_view_of(l, buffer, 0, in->dtype, &in->shape, in->name);
            if (!lower_place(l, n->inputs[0], view)) return false;
            l->buffer_of[v.i] = buffer;
            return true;
        }
    }
    l->buffer_of[v.i] = buffer;
    return true;
}

/* ---- regions */

bool lower_region(Lower *l, RegionId r, uint32_t block) {
    uint32_t outer = l->block;
    RegionId outer_region = l->region;
    l->block = block;
    l->region = r;
    const Region *region = region_at(l->g, r);
    bool ok = true;
    lower_place_parts(l, r);
    for (uint32_t i = 0; i < region->nodes.len; i++) {
        NodeId n = region->nodes.data[i];
        const Node *node = lower_node(l, n);
        int32_t group = l->group_of[n.i];
        if (node->dead || l->lowered[n.i] || (op_info(node->op)->flags & OP_FLAG_CONSTANT)) continue;
        lower_node_checks(l, n);
        if (group == INLINE) continue; /* computed by its users */
        /* A group is lowered at its last member: all that it reads is there by then. */
        if (group > 0 && l->members[group].data[l->members[group].len - 1] != n.i) continue;
        ok = lower_group(l, n) && ok;
    }
    l->block = outer;
    l->region = outer_region;
    return ok;
}

static void count_groups(Lower *l) {
    const Graph *g = l->g;
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        l->group_of[i] = (int32_t)g->nodes.data[i].group;
        if (l->group_of[i] > l->n_groups) l->n_groups = l->group_of[i];
    }
    l->members = NEW_ARRAY(l->scratch, NodeList, l->n_groups + 1);
    for (uint32_t r = 1; r < g->regions.len; r++) {
        const Region *region = &g->regions.data[r];
        for (uint32_t i = 0; i < region->nodes.len; i++) {
            uint32_t n = region->nodes.data[i].i;
            if (!g->nodes.data[n].dead && l->group_of[n] > 0) vec_push(l->scratch, &l->members[l->group_of[n]], n);
        }
    }
}

/* Input and output buffers come first, in the order of the ports: their numbers are the same in all programs. */
static void make_ports(Lower *l) {
    Graph *g = l->g;
    Program *p = l->p;
    const Region *root = region_at(g, g->root);
    p->input_buffers = NEW_ARRAY(l->arena, uint32_t, root->params.len + 1);
    p->output_buffers = NEW_ARRAY(l->arena, uint32_t, root->results.len + 1);
    for (uint32_t i = 0; i < root->params.len; i++) {
        const Value *v = lower_value(l, root->params.data[i]);
        p->input_buffers[i] = add_buffer(l, (Buffer){.kind = BUFFER_INPUT,
                                                     .dtype = v->dtype,
                                                     .shape = v->shape,
                                                     .index = i,
                                                     .name = i < g->inputs.len ? g->inputs.data[i].name : ""});
        l->buffer_of[root->params.data[i].i] = p->input_buffers[i];
        for (int d = 0; d < v->shape.rank; d++)
            for (uint32_t s = 0; s < g->dims.symbols.len; s++)
                if (!dim_is_const(v->shape.dims[d]) && dim_uses(&g->dims, v->shape.dims[d], s))
                    l->known_at_bind[s] = true;
    }
    for (uint32_t i = 0; i < root->results.len; i++) {
        const Value *v = lower_value(l, root->results.data[i]);
        p->output_buffers[i] = add_buffer(l, (Buffer){.kind = BUFFER_OUTPUT,
                                                      .dtype = v->dtype,
                                                      .shape = v->shape,
                                                      .index = i,
                                                      .name = i < g->outputs.len ? g->outputs.data[i].name : ""});
    }
}

static double constant_bytes(const Graph *g) {
    double sum = 0;
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        const Tensor *t = g->nodes.data[i].op == OP_CONST && !g->nodes.data[i].dead
                              ? value_const(g, g->nodes.data[i].outputs[0])
                              : NULL;
        if (t) sum += (double)tensor_bytes(t);
    }
    return sum;
}

Program *program_build(Arena *arena, Graph *g, const Machine *m, const struct IsaRow *isa, const LowerOptions *o,
                       Diag *d) {
    Program *p = NEW(arena, Program);
    *p = (Program){.arena = arena, .g = g, .machine = m, .isa = isa, .threads = o->threads};
    Arena *scratch = arena_new();
    Lower l = {.p = p, .g = g, .arena = arena, .scratch = scratch, .d = d, .o = o};
    l.buffer_of = NEW_ARRAY(scratch, uint32_t, g->values.len);
    memset(l.buffer_of, 0xff, sizeof(uint32_t) * g->values.len);
    l.group_of = NEW_ARRAY(scratch, int32_t, g->nodes.len);
    l.lowered = NEW_ARRAY(scratch, bool, g->nodes.len);
    l.has_checks = NEW_ARRAY(scratch, bool, g->nodes.len);
    map_init(&l.checked, scratch);
    l.pitch_of = NEW_ARRAY(scratch, int64_t, g->values.len);
    l.part_of = NEW_ARRAY(scratch, uint32_t, g->values.len);
    l.users = graph_users(g, scratch);
    l.known_at_bind = NEW_ARRAY(scratch, bool, g->dims.symbols.len + 1);
    l.constants = constant_bytes(g);
    count_groups(&l);
    lower_new_block(&l);
    make_ports(&l);
    const Region *root = region_at(g, g->root);
    bool *placed = NEW_ARRAY(scratch, bool, root->results.len + 1);
    for (uint32_t i = 0; i < root->results.len; i++)
        placed[i] = lower_place(&l, root->results.data[i], p->output_buffers[i]);
    bool ok = lower_region(&l, g->root, 0);
    for (uint32_t i = 0; ok && i < root->results.len; i++) {
        ValueId v = root->results.data[i];
        uint32_t from = lower_buffer(&l, v);
        if (!placed[i]) lower_copy(&l, p->output_buffers[i], from, lower_value(&l, v)->def);
    }
    ok = ok && !l.failed && program_plan(p, o, d);
    arena_free(scratch);
    if (!ok) return NULL;
    program_verify(p);
    return p;
}
