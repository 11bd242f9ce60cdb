/* Attr: makers of attributes. Lists are copied so that callers can build them on the stack. */
#include "ir/attr.h"

#include <string.h>

Attr attr_int(const char *name, int64_t v) {
    return (Attr){.name = name, .kind = ATTR_INT, .n = 1, .v.i = v};
}

Attr attr_bool(const char *name, bool v) {
    return (Attr){.name = name, .kind = ATTR_BOOL, .n = 1, .v.i = v};
}

Attr attr_float(const char *name, double v) {
    return (Attr){.name = name, .kind = ATTR_FLOAT, .n = 1, .v.f = v};
}

Attr attr_string(const char *name, const char *s) {
    return (Attr){.name = name, .kind = ATTR_STRING, .n = (uint32_t)strlen(s), .v.s = s};
}

Attr attr_type(const char *name, DType t) {
    return (Attr){.name = name, .kind = ATTR_TYPE, .n = 1, .v.type = t};
}

Attr attr_ints(Arena *a, const char *name, size_t n, const int64_t *v) {
    return (Attr){.name = name, .kind = ATTR_INTS, .n = (uint32_t)n, .v.ints = arena_memdup(a, v, n * sizeof *v)};
}

Attr attr_dims(Arena *a, const char *name, size_t n, const Dim *v) {
    return (Attr){.name = name, .kind = ATTR_DIMS, .n = (uint32_t)n, .v.dims = arena_memdup(a, v, n * sizeof *v)};
}

Attr attr_tensor(Arena *a, const char *name, const Tensor *t) {
    return (Attr){.name = name, .kind = ATTR_TENSOR, .n = 1, .v.tensor = arena_memdup(a, t, sizeof *t)};
}
