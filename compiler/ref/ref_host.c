/* Host ops: calls the runtime's own function with the values as TfoptTensors. Outputs are blocks of the session; what
   else the function allocates lives until the node is done, or, where a result holds strings, until the run is. */
#include "ref/ref_internal.h"
#include <string.h>

_Static_assert((int)DTYPE_VARIANT == (int)TFOPT_VARIANT, "dtype.def and TfoptDtype agree");
_Static_assert((int)MAX_RANK == TFOPT_MAX_RANK, "ranks agree");
_Static_assert(sizeof(StringElement) == sizeof(TfoptString), "strings agree");

typedef struct {
    RefCall *call;
    Arena *arena;
} HostEnv;

static void *host_alloc(void *env, uint64_t size) {
    return size > PTRDIFF_MAX / 2 ? NULL : arena_alloc(((HostEnv *)env)->arena, size < 64 ? 64 : size);
}

static void *host_output(TfoptHostCall *call, int32_t i, int32_t rank, const int64_t *dims) {
    RefCall *c = ((HostEnv *)call->env)->call;
    TfoptTensor *t = &call->outputs[i];
    CHECK(i >= 0 && i < call->n_outputs && rank >= 0 && rank <= TFOPT_MAX_RANK);
    const size_t bytes = ref_bytes((DType)t->dtype, rank, dims);
    if (bytes == SIZE_MAX) return NULL;
    t->rank = rank;
    for (int k = 0; k < rank; k++) t->dims[k] = dims[k];
    if (c->session) {
        RefSlot *slot = &c->session->slots[c->n->outputs[i].i];
        ref_slot_release(c->session, slot);
        slot->owner = ref_buffer_new(c->session, bytes);
        slot->set = true;
        t->data = ref_buffer_data(slot->owner);
    } else {
        t->data = arena_alloc(c->arena, bytes < 64 ? 64 : bytes);
    }
    return t->data;
}

static TfoptTensor host_tensor(const Tensor *t) {
    TfoptTensor h = {.data = (void *)(uintptr_t)t->data, .dtype = (int32_t)t->dtype, .rank = t->rank};
    for (int i = 0; i < t->rank; i++) h.dims[i] = t->dims[i];
    return h;
}

/* Attributes as the ABI has them: numbers as 64-bit lists, types and dims as numbers. */
static TfoptAttr host_attr(RefCall *c, const Attr *a) {
    TfoptAttr h = {.name = a->name, .n = 1};
    const bool list = a->kind == ATTR_INTS || a->kind == ATTR_FLOATS || a->kind == ATTR_STRINGS ||
                      a->kind == ATTR_TYPES || a->kind == ATTR_DIMS;
    if (list) h.n = (int32_t)a->n;
    if (a->kind == ATTR_FLOAT || a->kind == ATTR_FLOATS) {
        h.kind = list ? TFOPT_ATTR_FLOATS : TFOPT_ATTR_FLOAT;
        h.v.floats = list ? a->v.floats : arena_memdup(c->arena, &a->v.f, sizeof a->v.f);
    } else if (a->kind == ATTR_STRING || a->kind == ATTR_STRINGS) {
        h.kind = list ? TFOPT_ATTR_STRINGS : TFOPT_ATTR_STRING;
        const TfoptString one = {a->v.s, a->n};
        h.v.strings = list ? (const TfoptString *)a->v.strings : arena_memdup(c->arena, &one, sizeof one);
    } else if (a->kind == ATTR_TENSOR) {
        h.kind = TFOPT_ATTR_TENSOR;
        const TfoptTensor t = host_tensor(a->v.tensor);
        h.v.tensor = arena_memdup(c->arena, &t, sizeof t);
    } else {
        h.kind = list ? TFOPT_ATTR_INTS : TFOPT_ATTR_INT;
        int64_t *v = NEW_ARRAY(c->arena, int64_t, h.n + 1);
        for (int32_t i = 0; i < h.n; i++) {
            if (a->kind == ATTR_INTS)
                v[i] = a->v.ints[i];
            else if (a->kind == ATTR_TYPES)
                v[i] = a->v.types[i];
            else if (a->kind == ATTR_DIMS)
                v[i] = ref_dim(c, a->v.dims[i]);
            else
                v[i] = a->kind == ATTR_TYPE ? (int64_t)a->v.type : a->v.i;
        }
        h.v.ints = v;
    }
    return h;
}

bool ref_host(RefCall *c) {
    const Node *n = c->n;
    RefSession *s = c->session;
    TfoptTensor *in = NEW_ARRAY(c->arena, TfoptTensor, n->n_inputs + 1);
    TfoptTensor *out = NEW_ARRAY(c->arena, TfoptTensor, n->n_outputs + 1);
    TfoptAttr *attrs = NEW_ARRAY(c->arena, TfoptAttr, n->n_attrs + 1);
    HostEnv env = {c, c->arena};
    for (uint32_t i = 0; i < n->n_inputs; i++) in[i] = host_tensor(&c->in[i]);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(c->g, n->outputs[i]);
        out[i] = (TfoptTensor){.dtype = (int32_t)v->dtype, .rank = v->shape.rank};
        for (int k = 0; k < v->shape.rank; k++)
            out[i].dims[k] = dim_is_const(v->shape.dims[k]) ? v->shape.dims[k].value : -1;
        if (v->dtype == DTYPE_STRING && s) env.arena = s->run;
    }
    for (uint32_t i = 0; i < n->n_attrs; i++) attrs[i] = host_attr(c, &n->attrs[i]);
    RefHostState none = {NULL, NULL};
    RefHostState *state = s ? &s->host[(uint32_t)(n - s->g->nodes.data)] : &none;
    TfoptHostCall call = {.inputs = in,
                          .outputs = out,
                          .attrs = attrs,
                          .n_inputs = (int32_t)n->n_inputs,
                          .n_outputs = (int32_t)n->n_outputs,
                          .n_attrs = (int32_t)n->n_attrs,
                          .state = &state->state,
                          .free_state = &state->free_state,
                          .env = &env,
                          .alloc = host_alloc,
                          .output = host_output};
    const int32_t status = n->host->function(&call);
    if (!s && none.state && none.free_state) none.free_state(none.state);
    if (status != TFOPT_OK) return ref_error(c, "%s", call.error[0] ? call.error : "the host operation failed");
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        if (!out[i].data) BUG("host op %s left result %u without data", n->host->name, i);
        c->out[i] = (Tensor){.dtype = (DType)out[i].dtype, .rank = out[i].rank, .data = out[i].data};
        for (int k = 0; k < out[i].rank; k++) c->out[i].dims[k] = out[i].dims[k];
    }
    return true;
}
