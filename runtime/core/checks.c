/* checks: whether sizes that are known only when shapes are bound, or while running, fit each other. Kernels do not ask
   again: what fails here would read or write outside of its tensors. */
#include "core/core.h"

#include <inttypes.h>

static bool holds(uint32_t kind, int64_t a, int64_t b) {
    switch ((TfoptCheckKind)kind) {
    case TFOPT_CHECK_EQUAL:
        return a == b;
    case TFOPT_CHECK_BROADCASTS:
        return a == b || a == 1;
    case TFOPT_CHECK_AT_MOST:
        return a <= b;
    case TFOPT_CHECK_NEEDS:
        return a > 0 || b == 0;
    }
    return false;
}

TfoptStatus core_checks(TfoptSession *s, uint32_t first, uint32_t n) {
    static const char *const texts[] = {[TFOPT_CHECK_EQUAL] = "must be equal",
                                        [TFOPT_CHECK_BROADCASTS] = "do not broadcast",
                                        [TFOPT_CHECK_AT_MOST] = "fit only where the first is not larger",
                                        [TFOPT_CHECK_NEEDS] = "do not fit: an empty tensor is read"};
    for (uint32_t i = first; i < first + n; i++) {
        const TfoptCheck *c = &s->program->checks[i];
        int64_t a = core_dim(s, c->a), b = core_dim(s, c->b);
        if (holds(c->kind, a, b)) continue;
        bool wraps = c->kind == TFOPT_CHECK_AT_MOST && (b == INT32_MAX || a == INT32_MIN);
        if (wraps) /* see import_content.c */
            return core_fail(s, TFOPT_SHAPE_MISMATCH,
                             "node '%s': arithmetic on sizes gives %" PRId64 ", which 32 bits do not hold",
                             s->program->names[c->name], b == INT32_MAX ? a : b);
        return core_fail(s, TFOPT_SHAPE_MISMATCH, "node '%s': sizes %" PRId64 " and %" PRId64 " %s",
                         s->program->names[c->name], a, b, texts[c->kind]);
    }
    return TFOPT_OK;
}
