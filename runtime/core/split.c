/* split: over how many threads a step pays to be shared, and in how many pieces. Each thread must get more work than
   handing out and waiting costs, both out of the compiler's prediction: a step of a small model is computed by the
   caller alone, the same step for a large batch is not. */
#include "core/core.h"

enum {
    WAKE_NS = 40000, /* work from which on waking a thread (a system call, and its way to a processor) pays */
    MOST_CHUNKS = 8,
    FORKS_PER_CHUNK = 2
};

static double predicted_ns(const TfoptStep *step, int64_t units) {
    return (double)units * (double)step->unit_ns;
}

Split core_split(const TfoptSession *s, const TfoptStep *step, int64_t units) {
    Split alone = {.threads = 1, .chunks = 1};
    if (!s->pool || !step->parallel || units < 2) return alone;
    double ns = predicted_ns(step, units), fork = s->program->fork_ns > 1 ? s->program->fork_ns : 1;
    double threads = ns / (1.1 * fork);
    if (threads > s->threads) threads = s->threads;
    if (threads > (double)units) threads = (double)units;
    if (threads < 2) return alone;
    double chunks = ns / ((double)(int)threads * (double)FORKS_PER_CHUNK * fork);
    chunks = chunks < 1 ? 1 : chunks > (double)MOST_CHUNKS ? (double)MOST_CHUNKS : chunks;
    return (Split){.threads = (int32_t)threads, .chunks = (int16_t)chunks, .wakes = ns >= (double)WAKE_NS};
}

bool core_run_wakes(const TfoptSession *s) {
    const TfoptProgram *p = s->program;
    double ns = 0;
    for (uint32_t i = 0; s->pool && i < p->n_steps && ns < (double)WAKE_NS; i++) {
        if (p->steps[i].kind != TFOPT_STEP_KERNEL || !p->steps[i].parallel) continue;
        int64_t units = core_dim(s, p->steps[i].units);
        if (core_split(s, &p->steps[i], units).threads > 1) ns += predicted_ns(&p->steps[i], units);
    }
    return ns >= (double)WAKE_NS;
}
