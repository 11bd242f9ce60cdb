/* layout: the tables of a session, in one block of memory, derived from the program once. Everything that a run needs
   to look up is an array here: pointers of all arguments in step order, places of buffers, which dims change while
   running. */
#include "core/core.h"

#include <string.h>

typedef struct {
    uint8_t *base; /* NULL: only count */
    size_t used;
} Carver;

static void *carve(Carver *c, uint64_t n, size_t element) {
    size_t at = c->used;
    c->used += (size_t)n * element;
    c->used = (c->used + 15) & ~(size_t)15;
    return c->base && n ? c->base + at : NULL;
}

static uint32_t widest_host_step(const TfoptProgram *p) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind == TFOPT_STEP_HOST && p->steps[i].n_args > most) most = p->steps[i].n_args;
    return most;
}

size_t core_layout(TfoptSession *s, void *memory) {
    const TfoptProgram *p = s->program;
    Carver c = {memory, 0};
    uint32_t slots = p->n_symbols + p->n_dim_exprs;
    KernelOp *ops = carve(&c, p->n_blocks ? p->blocks[0].n_steps : 0, sizeof *ops);
    s->ops = ops;
    s->args = carve(&c, p->n_args, sizeof *s->args);
    s->dims = carve(&c, slots, sizeof *s->dims);
    s->roots = carve(&c, (uint64_t)p->n_buffers + 1, sizeof *s->roots);
    s->places = carve(&c, p->n_buffers, sizeof *s->places);
    s->uses = carve(&c, p->n_args, sizeof *s->uses);
    s->dynamic_exprs = carve(&c, p->n_dim_exprs, sizeof *s->dynamic_exprs);
    s->dynamic_slots = carve(&c, slots, 1);
    s->step_flags = carve(&c, p->n_steps, 1);
    s->ending = carve(&c, p->n_steps, sizeof *s->ending);
    s->set_values = carve(&c, p->n_dim_sets, sizeof *s->set_values);
    s->inputs = carve(&c, s->data->n_inputs, sizeof *s->inputs);
    s->outputs = carve(&c, core_n_outputs(s->data), sizeof *s->outputs);
    uint32_t host_args = widest_host_step(p);
    s->tensors = carve(&c, host_args, sizeof *s->tensors);
    s->host_states = carve(&c, host_args ? p->n_steps : 0, sizeof *s->host_states);
    s->plan = carve(&c, p->is_static ? 0 : p->n_buffers, sizeof *s->plan);
    if (memory) memset(memory, 0, c.used);
    return c.used;
}

/* Views are resolved to the buffer that they lie in; a view may be of a view. */
static void place_buffers(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t b = 0; b < p->n_buffers; b++) {
        uint32_t root = b;
        int64_t offset = 0;
        for (uint32_t hops = 0; p->buffers[root].kind == TFOPT_BUFFER_VIEW && hops < p->n_buffers; hops++) {
            offset += p->buffers[root].offset;
            root = p->buffers[root].index;
        }
        s->places[b] = (Place){offset, root};
    }
}

/* Uses by root: a counting sort of the argument positions. */
static void list_uses(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t i = 0; i < p->n_args; i++) s->roots[s->places[p->args[i]].root].first_use++;
    uint32_t total = 0;
    for (uint32_t b = 0; b <= p->n_buffers; b++) {
        uint32_t n = s->roots[b].first_use;
        s->roots[b].first_use = total += n;
    }
    for (uint32_t i = p->n_args; i-- > 0;) s->uses[--s->roots[s->places[p->args[i]].root].first_use] = i;
}

static void mark_dynamic_dims(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t i = 0; i < p->n_dim_sets; i++) s->dynamic_slots[p->dim_sets[i].symbol] = 1;
    for (uint32_t i = 0; i < p->n_dim_exprs; i++) {
        const TfoptDimExpr *e = &p->dim_exprs[i];
        if (!((e->a_is_slot && s->dynamic_slots[e->a]) || (e->b_is_slot && s->dynamic_slots[e->b]))) continue;
        s->dynamic_slots[p->n_symbols + i] = 1;
        s->dynamic_exprs[s->n_dynamic_exprs++] = i;
    }
}

static void choose_homes(TfoptSession *s) {
    static const uint8_t homes[] = {[TFOPT_BUFFER_INPUT] = HOME_GIVEN,
                                    [TFOPT_BUFFER_OUTPUT] = HOME_OUTPUT,
                                    [TFOPT_BUFFER_CONST] = HOME_CONST,
                                    [TFOPT_BUFFER_ARENA] = HOME_ARENA,
                                    [TFOPT_BUFFER_POOL] = HOME_POOL};
    const TfoptProgram *p = s->program;
    for (uint32_t b = 0; b < p->n_buffers; b++) {
        const TfoptBuffer *buffer = &p->buffers[b];
        if (buffer->kind == TFOPT_BUFFER_VIEW) continue;
        s->roots[b].home = homes[buffer->kind];
        if (core_dim_is_dynamic(s, buffer->bytes)) {
            if (buffer->kind == TFOPT_BUFFER_ARENA) s->roots[b].home = HOME_POOL;
            if (buffer->kind == TFOPT_BUFFER_OUTPUT) s->roots[b].home = HOME_RESULT;
        }
        if (buffer->kind == TFOPT_BUFFER_CONST) {
            s->roots[b].pointer = (void *)(uintptr_t)(p->weights + buffer->offset);
            s->roots[b].capacity = buffer->bytes;
        }
    }
}

/* The root of a buffer that is all of it; NO_BUFFER when it is a part. */
static uint32_t whole_root(const TfoptSession *s, uint32_t buffer) {
    const Place *place = &s->places[buffer];
    const TfoptBuffer *buffers = s->program->buffers;
    return place->offset == 0 && buffers[buffer].bytes == buffers[place->root].bytes ? place->root : NO_BUFFER;
}

/* A MOVE may swap pointers when both sides are whole buffers of the same sort and nothing else in the block moves them.
 */
static bool may_swap(const TfoptSession *s, const TfoptBlock *body, uint32_t step) {
    const TfoptProgram *p = s->program;
    const uint32_t *args = &p->args[p->steps[step].args];
    uint32_t a = whole_root(s, args[0]), b = whole_root(s, args[1]);
    if (a == NO_BUFFER || b == NO_BUFFER || a == b || s->roots[a].home != s->roots[b].home) return false;
    if (s->roots[a].home != HOME_ARENA && s->roots[a].home != HOME_POOL) return false;
    if (s->roots[a].home == HOME_ARENA && p->buffers[a].bytes != p->buffers[b].bytes) return false;
    for (uint32_t i = body->first_step; i < body->first_step + body->n_steps; i++) {
        if (i == step || p->steps[i].kind != TFOPT_STEP_MOVE) continue;
        const uint32_t *others = &p->args[p->steps[i].args];
        for (int j = 0; j < 2; j++)
            if (s->places[others[j]].root == a || s->places[others[j]].root == b) return false;
    }
    return true;
}

static void flag_steps(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const TfoptStep *step = &p->steps[i];
        for (uint32_t j = 0; j < step->n_args; j++)
            if (s->roots[s->places[p->args[step->args + j]].root].home >= HOME_RESULT)
                s->step_flags[i] |= STEP_HAS_POOL;
        if (step->kind != TFOPT_STEP_WHILE) continue;
        const TfoptBlock *body = &p->blocks[step->b];
        for (uint32_t j = body->first_step; j < body->first_step + body->n_steps; j++)
            if (p->steps[j].kind == TFOPT_STEP_MOVE && may_swap(s, body, j)) s->step_flags[j] |= STEP_SWAPS;
    }
}

/* The last main step that uses each buffer, itself or in a block under it (kept in next_ending at first). */
static void find_last_uses(TfoptSession *s, uint32_t block, uint32_t main_step) {
    const TfoptProgram *p = s->program;
    const TfoptBlock *b = &p->blocks[block];
    for (uint32_t i = b->first_step; i < b->first_step + b->n_steps; i++) {
        const TfoptStep *step = &p->steps[i];
        uint32_t at = block == 0 ? i : main_step;
        for (uint32_t j = 0; j < step->n_args; j++) s->roots[s->places[p->args[step->args + j]].root].next_ending = at;
        if (step->kind == TFOPT_STEP_IF || step->kind == TFOPT_STEP_WHILE) {
            find_last_uses(s, step->a, at);
            find_last_uses(s, step->b, at);
        }
        for (uint32_t j = 0; step->kind == TFOPT_STEP_CASE && j < step->b; j++) find_last_uses(s, step->a + j, at);
    }
}

static void list_endings(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    if (!p->n_steps) return;
    find_last_uses(s, 0, 0);
    for (uint32_t i = 0; i < p->n_steps; i++) s->ending[i] = NO_BUFFER;
    for (uint32_t b = 0; b < p->n_buffers; b++) {
        if (s->roots[b].home != HOME_POOL) continue;
        uint32_t last = s->roots[b].next_ending;
        s->roots[b].next_ending = s->ending[last];
        s->ending[last] = b;
        s->step_flags[last] |= STEP_FREES;
    }
}

/* A program of kernel steps only, none of which touches memory that comes and goes, runs as one loop over `ops`. */
static void list_ops(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    KernelOp *ops = (KernelOp *)(uintptr_t)s->ops;
    const TfoptBlock *b = &p->blocks[0];
    s->straight = true;
    for (uint32_t i = 0; i < b->n_steps; i++) {
        const TfoptStep *step = &p->steps[b->first_step + i];
        if (step->kind != TFOPT_STEP_KERNEL || s->step_flags[b->first_step + i] || step->n_sets) {
            s->straight = false;
            return;
        }
        ops[i] =
            (KernelOp){p->kernels[step->fn], (void *const *)&s->args[step->args], 0, b->first_step + i, {.threads = 1}};
    }
    s->n_ops = b->n_steps;
}

void core_tables(TfoptSession *s) {
    place_buffers(s);
    list_uses(s);
    mark_dynamic_dims(s);
    choose_homes(s);
    flag_steps(s);
    list_endings(s);
    list_ops(s);
    for (uint32_t i = 0; i < core_n_outputs(s->data); i++)
        if (s->program->buffers[s->data->outputs[i].buffer].kind != TFOPT_BUFFER_OUTPUT) s->copies_outputs = true;
    if (s->copies_outputs) s->straight = false;
    for (uint32_t b = 0; b < s->program->n_buffers; b++)
        if (s->roots[b].home == HOME_CONST && s->program->buffers[b].kind == TFOPT_BUFFER_CONST)
            core_set_pointer(s, b, s->roots[b].pointer);
    for (uint32_t i = 0; i < s->program->n_symbols; i++) s->dims[i] = 0;
}
