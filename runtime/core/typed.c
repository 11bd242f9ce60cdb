/* typed: the runtime's half of a typed call <name>_run(arena, …). The session lies in front of the arena, in the
   caller's memory, and is made anew at every call: no allocation, no state between calls. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>

static size_t aligned_up(size_t n) {
    return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Symbols that steps do not set, in their order, get the caller's values. */
static TfoptStatus take_symbols(TfoptSession *s, const int64_t *dims) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < s->program->n_symbols; i++) {
        const TfoptSymbol *symbol = &s->program->symbols[i];
        s->dims[i] = s->dynamic_slots[i] ? 0 : dims[next++];
        if (!s->dynamic_slots[i] && (s->dims[i] < symbol->min || s->dims[i] > symbol->max)) return TFOPT_SHAPE_MISMATCH;
    }
    core_eval_dims(s);
    return TFOPT_OK;
}

/* A session for `program` without memory yet. */
static void init(TfoptSession *s, const TfoptModelData *data, const TfoptProgram *program) {
    memset(s, 0, sizeof *s);
    s->data = data;
    s->program = program;
    s->typed = true;
    s->threads = 1;
}

TfoptStatus tfopt_typed_run(const TfoptModelData *data, void *memory, size_t bytes, const int64_t *dims,
                            const void *const *inputs, void *const *outputs) {
    const TfoptProgram *program = NULL;
    char why[256];
    TfoptStatus status = core_model_check(data, &program, why, sizeof why);
    if (status) return status;
    TfoptSession *s = memory;
    size_t head = aligned_up(sizeof *s);
    if ((uintptr_t)memory % ALIGNMENT || bytes < head) return TFOPT_INVALID_ARGUMENT;
    init(s, data, program);
    size_t tables = aligned_up(head + core_layout(s, NULL));
    if (bytes < tables) return TFOPT_NO_MEMORY;
    core_layout(s, (uint8_t *)memory + head);
    core_tables(s);
    s->arena = (uint8_t *)memory + tables;
    s->arena_capacity = bytes - tables;
    status = take_symbols(s, dims);
    if (status) return status;
    status = core_bind_memory(s);
    if (status) return status;
    for (uint32_t i = 0; i < data->n_inputs; i++)
        s->inputs[i] = (InputPort){.data = inputs[i], .has_data = true, .has_dims = true};
    for (uint32_t i = 0; i < data->n_outputs; i++) {
        s->outputs[i].data = outputs[i];
        s->outputs[i].bytes = UINT64_MAX;
    }
    status = core_prepare(s);
    return status ? status : tfopt_run(s);
}

size_t tfopt_typed_bytes(const TfoptModelData *data, const int64_t *dims) {
    const TfoptProgram *program = NULL;
    char why[256];
    if (core_model_check(data, &program, why, sizeof why)) return 0;
    TfoptSession s;
    init(&s, data, program);
    size_t tables = core_layout(&s, NULL), total = 0;
    void *memory = malloc(tables ? tables : 1);
    if (!memory) return 0;
    core_layout(&s, memory);
    core_tables(&s);
    int64_t need = take_symbols(&s, dims) == TFOPT_OK ? core_arena_need(&s) : INT64_MAX;
    if (need < INT64_MAX / 2) total = aligned_up(aligned_up(sizeof s) + tables) + (need > 0 ? (size_t)need : ALIGNMENT);
    free(memory);
    return total;
}
