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

bool attr_equal(const Attr *a, const Attr *b) {
    if (a->kind != b->kind || a->n != b->n || strcmp(a->name, b->name) != 0) return false;
    switch (a->kind) {
    case ATTR_INT:
    case ATTR_BOOL:
        return a->v.i == b->v.i;
    case ATTR_FLOAT:
        return memcmp(&a->v.f, &b->v.f, sizeof a->v.f) == 0;
    case ATTR_STRING:
        return memcmp(a->v.s, b->v.s, a->n) == 0;
    case ATTR_TYPE:
        return a->v.type == b->v.type;
    case ATTR_INTS:
        return a->n == 0 || memcmp(a->v.ints, b->v.ints, a->n * sizeof *a->v.ints) == 0;
    case ATTR_FLOATS:
        return a->n == 0 || memcmp(a->v.floats, b->v.floats, a->n * sizeof *a->v.floats) == 0;
    case ATTR_TYPES:
        return a->n == 0 || memcmp(a->v.types, b->v.types, a->n * sizeof *a->v.types) == 0;
    case ATTR_TENSOR:
        return tensor_equal(a->v.tensor, b->v.tensor);
    case ATTR_STRINGS:
        for (uint32_t i = 0; i < a->n; i++) {
            const StringElement *x = &a->v.strings[i], *y = &b->v.strings[i];
            if (x->size != y->size || memcmp(x->data, y->data, x->size) != 0) return false;
        }
        return true;
    case ATTR_DIMS:
        for (uint32_t i = 0; i < a->n; i++)
            if (!dim_equal(a->v.dims[i], b->v.dims[i])) return false;
        return true;
    }
    return false;
}
