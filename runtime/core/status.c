/* status: texts of status codes, and the session's words for a failure. */
#include "core/core.h"

#include <stdarg.h>
#include <stdio.h>

const char *tfopt_status_text(TfoptStatus s) {
    static const char *const texts[] = {
#define X(id, number, text) [number] = text,
        TFOPT_STATUS_TABLE(X)
#undef X
    };
    return (unsigned)s < sizeof texts / sizeof texts[0] ? texts[s] : "unknown status";
}

const char *tfopt_error(const TfoptSession *s) {
    return s->error;
}

TfoptStatus core_fail(TfoptSession *s, TfoptStatus status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(s->error, sizeof s->error, format, list);
    va_end(list);
    return status;
}

const char *core_step_name(const TfoptSession *s, const TfoptStep *step) {
    return step->name < s->program->n_names ? s->program->names[step->name] : "";
}

uint64_t core_dtype_bytes(int32_t dtype) {
    static const uint8_t bytes[TFOPT_N_DTYPES] = {
        [TFOPT_F32] = 4,
        [TFOPT_F64] = 8,
        [TFOPT_F16] = 2,
        [TFOPT_BF16] = 2,
        [TFOPT_F8E4M3] = 1,
        [TFOPT_F8E5M2] = 1,
        [TFOPT_S4] = 1,
        [TFOPT_S8] = 1,
        [TFOPT_U8] = 1,
        [TFOPT_S16] = 2,
        [TFOPT_U16] = 2,
        [TFOPT_S32] = 4,
        [TFOPT_U32] = 4,
        [TFOPT_S64] = 8,
        [TFOPT_U64] = 8,
        [TFOPT_BOOL] = 1,
        [TFOPT_STRING] = sizeof(TfoptString),
        [TFOPT_C64] = 8,
        [TFOPT_C128] = 16,
        [TFOPT_RESOURCE] = 8,
        [TFOPT_VARIANT] = 8,
    };
    return dtype > 0 && dtype < TFOPT_N_DTYPES ? bytes[dtype] : 0;
}
