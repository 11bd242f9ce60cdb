/* Shape: ranks and dims of tensors; counting is checked for overflow, since dims may come from a hostile file. */
#include "ir/shape.h"

Shape shape_scalar(void) {
    return (Shape){0};
}

Shape shape_of(int rank, const int64_t *dims) {
    Shape s = {.rank = rank};
    for (int i = 0; i < rank; i++) s.dims[i] = dim_const(dims[i]);
    return s;
}

bool shape_is_const(const Shape *s) {
    for (int i = 0; i < s->rank; i++)
        if (!dim_is_const(s->dims[i])) return false;
    return s->rank >= 0;
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->dims[i], b->dims[i])) return false;
    return true;
}

Dim shape_elements(DimTable *t, const Shape *s) {
    Dim n = dim_const(1);
    for (int i = 0; i < s->rank; i++) n = dim_mul(t, n, s->dims[i]);
    return n;
}

int64_t shape_count(const Shape *s) {
    if (!shape_is_const(s)) return -1;
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++)
        if (s->dims[i].value == 0) return 0;
    for (int i = 0; i < s->rank; i++)
        if (__builtin_mul_overflow(n, s->dims[i].value, &n)) return -1;
    return n;
}

/* One dim of a broadcast; false when two constants clash. */
static bool broadcast_dim(DimTable *t, Dim a, Dim b, Dim *out) {
    if (dim_equal(a, b) || dim_is(b, 1)) {
        *out = a;
    } else if (dim_is(a, 1)) {
        *out = b;
    } else if (dim_is_const(a) && dim_is_const(b)) {
        return false;
    } else if (dim_is_const(a)) {
        *out = a; /* b is 1 or the same */
    } else if (dim_is_const(b)) {
        *out = b;
    } else {
        *out = dim_broadcast(t, a, b);
    }
    return true;
}

bool shape_broadcast(DimTable *t, const Shape *a, const Shape *b, Shape *out) {
    Shape s = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < s.rank; i++) {
        int at_a = i - (s.rank - a->rank), at_b = i - (s.rank - b->rank);
        Dim one = dim_const(1);
        if (!broadcast_dim(t, at_a < 0 ? one : a->dims[at_a], at_b < 0 ? one : b->dims[at_b], &s.dims[i])) return false;
    }
    *out = s;
    return true;
}

void shape_print(const DimTable *t, const Shape *s, Str *out) {
    if (s->rank < 0) {
        str_add(out, "[*]");
        return;
    }
    str_add(out, "[");
    for (int i = 0; i < s->rank; i++) {
        if (i) str_add(out, ",");
        dim_print(t, s->dims[i], out);
    }
    str_add(out, "]");
}
