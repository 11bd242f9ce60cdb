/* Control flow, constants and dims: ops whose results are other values, or symbols. Regions are run by ref_run_region;
   a loop keeps references to its carried values only, so memory does not grow with the iterations. */
#include "ir/constraint.h"
#include "ref/ref_internal.h"
#include <string.h>

/* Data in a mapped file may have any alignment; loops and OpenBLAS want that of the element. The aligned copy is made
   once a session and remembered in the node's unused argument array. */
bool ref_const(RefCall *c) {
    RefSession *s = c->session;
    c->out[0] = *node_attr(c->n, "value")->v.tensor;
    if ((uintptr_t)c->out[0].data % 16 == 0) return true;
    Tensor *kept = s ? &s->in[ref_node_id(c).i][0] : NULL;
    if (!kept || !kept->data) {
        Tensor aligned = c->out[0];
        aligned.data = arena_memdup(s ? s->arena : c->arena, aligned.data, tensor_bytes(&aligned));
        c->out[0] = aligned;
        if (kept) *kept = aligned;
        return true;
    }
    c->out[0] = *kept;
    return true;
}

bool ref_dims_tensor(RefCall *c) {
    const Attr *dims = node_attr(c->n, "dims");
    if ((int64_t)dims->n != tensor_count(&c->out[0])) BUG("dims_tensor of another size than its shape");
    for (uint32_t i = 0; i < dims->n; i++) tensor_set_i64(&c->out[0], i, ref_dim(c, dims->v.dims[i]));
    return true;
}

bool ref_require(RefCall *c) {
    const Attr *a = node_attr(c->n, "a"), *b = node_attr(c->n, "b");
    ConstraintKind kind = CONSTRAINT_EQUAL;
    CHECK(constraint_kind(node_string(c->n, "kind", ""), &kind));
    for (uint32_t i = 0; i < a->n; i++) {
        int64_t x = ref_dim(c, a->v.dims[i]), y = ref_dim(c, b->v.dims[i]);
        if (constraint_holds(kind, x, y)) continue;
        if (kind == CONSTRAINT_AT_MOST && (y == INT32_MAX || x == INT32_MIN))
            return ref_error(c, "arithmetic on sizes gives %lld, which 32 bits do not hold",
                             (long long)(y == INT32_MAX ? x : y));
        return ref_error(c, "sizes %lld and %lld do not fit", (long long)x, (long long)y);
    }
    return true;
}

bool ref_load_dims(RefCall *c) {
    const Attr *symbols = node_attr(c->n, "symbols");
    if ((int64_t)symbols->n > tensor_count(&c->in[0]))
        return ref_error(c, "a size is taken from a tensor with too few elements");
    for (uint32_t i = 0; i < symbols->n; i++) {
        const DimSymbol *symbol = &c->g->dims.symbols.data[symbols->v.ints[i]];
        const int64_t value = tensor_get_i64(&c->in[0], i);
        if (value < symbol->min || value > symbol->max)
            return ref_error(c, "a size computed by the model is %lld, outside of %lld..%lld", (long long)value,
                             (long long)symbol->min, (long long)symbol->max);
        c->symbols[symbols->v.ints[i]] = value;
    }
    return true;
}

static bool run_branch(RefCall *c, RegionId region) {
    RefSession *s = c->session;
    const Node *n = c->n;
    Arena *own = arena_new(); /* the scratch arena is reset by the nodes inside */
    RefSlot *args = NEW_ARRAY(own, RefSlot, n->n_inputs);
    RefSlot *results = NEW_ARRAY(own, RefSlot, n->n_outputs + 1);
    for (uint32_t i = 1; i < n->n_inputs; i++) args[i - 1] = ref_pass(s, ref_node_id(c), i);
    const bool good = ref_run_region(s, region, args, results);
    for (uint32_t i = 0; good && i < n->n_outputs; i++) {
        s->slots[n->outputs[i].i] = results[i];
        c->out[i] = results[i].t;
    }
    arena_free(own);
    return good;
}

bool ref_if(RefCall *c) {
    const bool taken = tensor_get_i64(&c->in[0], 0) != 0;
    return run_branch(c, c->n->regions[taken ? 0 : 1]);
}

bool ref_case(RefCall *c) {
    const int64_t index = tensor_get_i64(&c->in[0], 0);
    const int64_t last = (int64_t)c->n->n_regions - 1;
    return run_branch(c, c->n->regions[index < 0 || index > last ? last : index]);
}

bool ref_while(RefCall *c) {
    RefSession *s = c->session;
    const Node *n = c->n;
    const uint32_t count = n->n_inputs;
    Arena *own = arena_new();
    RefSlot *carried = NEW_ARRAY(own, RefSlot, count + 1);
    RefSlot *next = NEW_ARRAY(own, RefSlot, count + 1);
    for (uint32_t i = 0; i < count; i++) carried[i] = ref_pass(s, ref_node_id(c), i);
    bool good = true;
    while (good) {
        RefSlot condition = {.set = false};
        for (uint32_t i = 0; i < count; i++) next[i] = ref_slot_share(&carried[i]);
        good = ref_run_region(s, n->regions[0], next, &condition);
        if (!good) break;
        const bool again = *(const uint8_t *)condition.t.data != 0;
        ref_slot_release(s, &condition);
        if (!again) break;
        good = ref_run_region(s, n->regions[1], carried, next);
        for (uint32_t i = 0; i < count; i++) carried[i] = good ? next[i] : (RefSlot){.set = false};
    }
    for (uint32_t i = 0; i < count; i++) {
        if (good) {
            s->slots[n->outputs[i].i] = carried[i];
            c->out[i] = carried[i].t;
        } else {
            ref_slot_release(s, &carried[i]);
        }
    }
    arena_free(own);
    return good;
}
