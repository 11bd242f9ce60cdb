/* hostcall: calls a host function: tensors in, tensors out, sizes of the results into symbols. */
#include "core/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    TfoptSession *s;
    const TfoptStep *step;
    TfoptStatus status; /* NO_MEMORY and the like, of the first request that was not met */
} HostContext;

static TfoptStatus no_memory(const HostContext *c, uint64_t bytes) {
    char what[ERROR_TEXT / 2];
    snprintf(what, sizeof what, "node '%.200s'", core_step_name(c->s, c->step));
    return core_no_memory(c->s, what, bytes);
}

static void *host_alloc(void *env, uint64_t size) {
    HostContext *c = env;
    Block *b = core_block(c->s, size ? size : 1);
    if (!b && !c->status) c->status = no_memory(c, size);
    if (!b) return NULL;
    b->next = c->s->run_blocks;
    c->s->run_blocks = b;
    return core_block_bytes(b);
}

static void *host_output(TfoptHostCall *call, int32_t i, int32_t rank, const int64_t *dims) {
    HostContext *c = call->env;
    TfoptSession *s = c->s;
    if (i < 0 || i >= call->n_outputs || rank < 0 || rank > TFOPT_MAX_RANK) return NULL;
    TfoptTensor *t = &call->outputs[i];
    int64_t bytes = (int64_t)core_dtype_bytes(t->dtype);
    for (int32_t d = 0; d < rank; d++) {
        if (dims[d] < 0) return NULL;
        t->dims[d] = dims[d];
        bytes = core_mul(bytes, dims[d]);
    }
    t->rank = rank;
    const Place *place = &s->places[s->program->args[c->step->args + c->step->n_in + (uint32_t)i]];
    TfoptStatus status = bytes > INT64_MAX / 2 ? no_memory(c, (uint64_t)bytes)
                                               : core_reserve(s, place->root, place->offset + bytes, c->step);
    if (status) {
        if (!c->status) c->status = status;
        return NULL;
    }
    t->data = (uint8_t *)s->roots[place->root].pointer + place->offset;
    return t->data;
}

/* A tensor as far as the program knows it; dims that steps set are known for inputs only. */
static void describe(TfoptSession *s, const TfoptStep *step, uint32_t i, bool is_output, TfoptTensor *out) {
    const TfoptProgram *p = s->program;
    const TfoptBuffer *b = &p->buffers[p->args[step->args + i]];
    out->dtype = b->dtype;
    out->rank = b->rank;
    for (uint32_t d = 0; d < b->rank; d++) {
        TfoptDimRef ref = p->dim_refs[b->dims + d];
        out->dims[d] = is_output && core_dim_is_dynamic(s, ref) ? -1 : core_dim(s, ref);
    }
    out->data = is_output ? NULL : s->args[step->args + i];
}

/* What the function made must be what the program was compiled for. */
static TfoptStatus check_outputs(TfoptSession *s, const TfoptStep *step, const TfoptHostCall *call) {
    const TfoptProgram *p = s->program;
    for (int32_t i = 0; i < call->n_outputs; i++) {
        const TfoptTensor *t = &call->outputs[i];
        const TfoptBuffer *b = &p->buffers[p->args[step->args + step->n_in + (uint32_t)i]];
        bool same = t->rank == b->rank;
        for (uint32_t d = 0; same && d < b->rank; d++) same = t->dims[d] == core_dim(s, p->dim_refs[b->dims + d]);
        if (!same)
            return core_fail(s, TFOPT_SHAPE_MISMATCH,
                             "node '%s': result %" PRId32 " has another shape than the model needs",
                             core_step_name(s, step), i);
    }
    return TFOPT_OK;
}

TfoptStatus core_step_host(TfoptSession *s, uint32_t index) {
    const TfoptProgram *p = s->program;
    const TfoptStep *step = &p->steps[index];
    HostContext context = {s, step, TFOPT_OK};
    HostState *state = &s->host_states[index];
    for (uint32_t i = 0; i < step->n_args; i++) describe(s, step, i, i >= step->n_in, &s->tensors[i]);
    TfoptHostCall call = {.inputs = s->tensors,
                          .outputs = s->tensors + step->n_in,
                          .attrs = p->attrs ? p->attrs + step->attrs : NULL,
                          .n_inputs = step->n_in,
                          .n_outputs = (int32_t)(step->n_args - step->n_in),
                          .n_attrs = (int32_t)step->n_attrs,
                          .state = &state->state,
                          .free_state = &state->free_state,
                          .seed = s->options.seed,
                          .env = &context,
                          .alloc = host_alloc,
                          .output = host_output};
    call.error[0] = 0;
    int32_t status = p->hosts[step->fn](&call);
    if (context.status) return context.status; /* whatever the function made of it; the session has the words */
    if (status) {
        call.error[sizeof call.error - 1] = 0;
        return core_fail(s, (TfoptStatus)status, "node '%s': %s", core_step_name(s, step),
                         call.error[0] ? call.error : tfopt_status_text((TfoptStatus)status));
    }
    for (int32_t i = 0; i < call.n_outputs; i++)
        if (!call.outputs[i].data)
            return core_fail(s, TFOPT_FAILED, "node '%s': result %" PRId32 " was not made", core_step_name(s, step), i);
    TfoptStatus set = core_apply_sets(s, step);
    return set ? set : check_outputs(s, step, &call);
}

void core_host_states_end(TfoptSession *s) {
    if (!s->host_states) return;
    for (uint32_t i = 0; i < s->program->n_steps; i++)
        if (s->host_states[i].state && s->host_states[i].free_state)
            s->host_states[i].free_state(s->host_states[i].state);
}
