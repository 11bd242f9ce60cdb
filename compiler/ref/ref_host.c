/* Host ops: calls the runtime's own function with the values as TfoptTensors. Outputs are blocks of the session; what
   else the function allocates lives until the node is done, or, where a result holds strings or objects, until the run
   is. */
#include "ir/custom.h"
#include "ref/ref_internal.h"
#include "ref/ref_lapack.h"
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

/* An attribute as the function sees it; sizes that are symbols have their values of this run. */
static TfoptAttr host_attr(RefCall *c, const Attr *a) {
    int64_t *dims = a->kind == ATTR_DIMS ? NEW_ARRAY(c->arena, int64_t, a->n + 1) : NULL;
    for (uint32_t i = 0; dims && i < a->n; i++) dims[i] = ref_dim(c, a->v.dims[i]);
    return host_abi_attr(c->arena, a, dims);
}

/* A size that this node's result is the first to tell. */
static bool is_own_size(const RefCall *c, Dim d) {
    if (dim_is_const(d)) return false;
    const DimExpr *e = &c->g->dims.exprs.data[d.expr];
    return e->kind == DIM_SYMBOL && c->g->dims.symbols.data[e->symbol].definer == (uint32_t)(c->n - c->g->nodes.data);
}

/* What the user's kernel made must be what its shape function said. */
static bool check_custom(RefCall *c, const TfoptTensor *out) {
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        const Shape *want = &value_at(c->g, c->n->outputs[i])->shape;
        if (!out[i].data) return ref_error(c, "the kernel has not made result %u", i);
        bool same = out[i].rank == want->rank;
        for (int k = 0; same && k < want->rank; k++)
            same = is_own_size(c, want->dims[k]) || ref_dim(c, want->dims[k]) == out[i].dims[k];
        if (!same) return ref_error(c, "the kernel gives result %u another shape than its shape function", i);
    }
    return true;
}

bool ref_host(RefCall *c) {
    const Node *n = c->n;
    RefSession *s = c->session;
    TfoptTensor *in = NEW_ARRAY(c->arena, TfoptTensor, n->n_inputs + 1);
    TfoptTensor *out = NEW_ARRAY(c->arena, TfoptTensor, n->n_outputs + 1);
    TfoptAttr *attrs = NEW_ARRAY(c->arena, TfoptAttr, n->n_attrs + 1);
    HostEnv env = {c, c->arena};
    for (uint32_t i = 0; i < n->n_inputs; i++) in[i] = host_abi_tensor(&c->in[i]);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(c->g, n->outputs[i]);
        out[i] = (TfoptTensor){.dtype = (int32_t)v->dtype, .rank = v->shape.rank};
        for (int k = 0; k < v->shape.rank; k++)
            out[i].dims[k] = dim_is_const(v->shape.dims[k]) ? v->shape.dims[k].value : -1;
        if ((v->dtype == DTYPE_STRING || v->dtype == DTYPE_VARIANT) && s) env.arena = s->run;
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
    if (n->host->op && !check_custom(c, out)) return false;
    ref_lapack(n->host, &call);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        if (!out[i].data) BUG("host op %s left result %u without data", n->host->name, i);
        c->out[i] = (Tensor){.dtype = (DType)out[i].dtype, .rank = out[i].rank, .data = out[i].data};
        for (int k = 0; k < out[i].rank; k++) c->out[i].dims[k] = out[i].dims[k];
    }
    return true;
}
