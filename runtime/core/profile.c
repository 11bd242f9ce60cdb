/* profile: times of the steps, summed over runs. */
#include "core/core.h"

#include <stdlib.h>
#include <time.h>

uint64_t core_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void tfopt_profile(TfoptSession *s, int on) {
    if (on && !s->step_ns) s->step_ns = calloc(s->program->n_steps ? s->program->n_steps : 1, sizeof *s->step_ns);
    s->profile = on && s->step_ns;
}

uint64_t tfopt_step_ns(const TfoptSession *s, uint32_t step) {
    return s->step_ns && step < s->program->n_steps ? s->step_ns[step] : 0;
}
