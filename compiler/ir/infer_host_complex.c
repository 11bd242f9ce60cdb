/* Shape functions of the families complex and fft. */
#include "ir/host_infer.h"
#include <string.h>

static DType part_of(DType t) {
    return t == DTYPE_C64 ? DTYPE_F32 : t == DTYPE_C128 ? DTYPE_F64 : t;
}

bool hostinfer_complex_part(Infer *c) {
    return host_arity(c, 1, 1) && host_like(c, 0, part_of(host_type(c, 0)), 0);
}

bool hostinfer_complex(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    Shape s;
    const Shape a = *host_shape(c, 0), b = *host_shape(c, 1);
    if (!shape_broadcast(&c->g->dims, &a, &b, &s)) return infer_error(c, "the shapes of its inputs do not broadcast");
    return host_set(c, 0, host_type(c, 0) == DTYPE_F64 ? DTYPE_C128 : DTYPE_C64, &s);
}

bool hostinfer_complex_cast(Infer *c) {
    const DType t = node_type(c->n, "DstT", node_type(c->n, "dtype", DTYPE_NONE));
    if (t == DTYPE_NONE) return infer_error(c, "has no result type");
    return host_arity(c, 1, 1) && host_like(c, 0, t, 0);
}

bool hostinfer_bitcast(Infer *c) {
    const DType to = node_type(c->n, "type", DTYPE_NONE);
    if (!host_arity(c, 1, 1)) return false;
    Shape s = *host_shape(c, 0);
    const int64_t from_size = (int64_t)dtype_size(host_type(c, 0)), to_size = (int64_t)dtype_size(to);
    if (from_size == 0 || to_size == 0) return infer_error(c, "has element types without bits to share");
    if (from_size > to_size) {
        if (s.rank >= MAX_RANK) return infer_error(c, "the result has too many dimensions");
        s.dims[s.rank++] = dim_const(from_size / to_size);
    } else if (from_size < to_size) {
        if (s.rank == 0 || (dim_is_const(s.dims[s.rank - 1]) && s.dims[s.rank - 1].value != to_size / from_size))
            return infer_error(c, "the last dimension does not make up an element of the wider type");
        s.rank--;
    }
    return host_set(c, 0, to, &s);
}

bool hostinfer_compare(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    Shape s;
    const Shape a = *host_shape(c, 0), b = *host_shape(c, 1);
    if (!shape_broadcast(&c->g->dims, &a, &b, &s)) return infer_error(c, "the shapes of its inputs do not broadcast");
    return host_set(c, 0, DTYPE_BOOL, &s);
}

bool hostinfer_complex_reduce(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    const Shape *x = host_shape(c, 0);
    const Tensor *axes = value_const(c->g, c->n->inputs[1]);
    const bool keep = node_int(c->n, "keep_dims", 0) != 0;
    bool reduced[MAX_RANK] = {false};
    const bool none = shape_count(host_shape(c, 1)) == 0;
    if (!axes && !none)
        return infer_unsupported(c, "its axes are computed at run time; only constants are compiled here");
    for (int64_t i = 0, n = none ? 0 : tensor_count(axes); i < n; i++) {
        const int axis = host_axis(c, tensor_get_i64(axes, i), x->rank);
        if (axis < 0) return false;
        reduced[axis] = true;
    }
    Shape s = {.rank = 0};
    for (int i = 0; i < x->rank; i++) {
        if (!reduced[i])
            s.dims[s.rank++] = x->dims[i];
        else if (keep)
            s.dims[s.rank++] = dim_const(1);
    }
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_complex_matmul(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank_at_least(c, 0, 2) || !host_rank_at_least(c, 1, 2)) return false;
    const bool tx = node_int(c->n, "adj_x", 0) || node_int(c->n, "transpose_a", 0),
               ty = node_int(c->n, "adj_y", 0) || node_int(c->n, "transpose_b", 0);
    Shape a = *host_shape(c, 0), b = *host_shape(c, 1), s;
    const Dim m = a.dims[a.rank - (tx ? 1 : 2)], n = b.dims[b.rank - (ty ? 2 : 1)];
    a.rank -= 2;
    b.rank -= 2;
    if (!shape_broadcast(&c->g->dims, &a, &b, &s))
        return infer_error(c, "the batch dimensions of its inputs do not broadcast");
    if (s.rank + 2 > MAX_RANK) return infer_error(c, "too many dimensions");
    s.dims[s.rank++] = m;
    s.dims[s.rank++] = n;
    return host_set(c, 0, node_type(c->n, "Tout", host_type(c, 0)), &s);
}

bool hostinfer_conjugate_transpose(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    const Shape *x = host_shape(c, 0);
    Shape s = {.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        int64_t p;
        if (!host_const_int(c, 1, (uint32_t)i, &p) || p < 0 || p >= x->rank)
            return infer_unsupported(c, "its permutation is computed at run time; only a constant is compiled here");
        s.dims[i] = x->dims[p];
    }
    return host_set(c, 0, host_type(c, 0), &s);
}

/* How many axes the op's name says. */
static int fft_axes(Infer *c) {
    const char *name = c->n->host->name;
    return strstr(name, "3D") ? 3 : strstr(name, "2D") ? 2 : 1;
}

static bool fft_shape(Infer *c, bool half, DType t) {
    const int axes = fft_axes(c);
    if (!host_arity(c, 2, 1) || !host_rank_at_least(c, 0, axes)) return false;
    Shape s = *host_shape(c, 0);
    for (int i = 0; i < axes; i++) {
        const int at = s.rank - axes + i;
        Dim length = host_size(c, 1, (uint32_t)i, 0, at);
        int64_t known;
        if (half && i == axes - 1 && !dim_is(length, 0)) {
            /* The fresh symbol already is the size of the result; a known length is halved. */
            if (host_const_int(c, 1, (uint32_t)i, &known) || infer_in(c, 1)->content) {
                length = dim_floordiv(&c->g->dims, length, dim_const(2));
                length = dim_add(&c->g->dims, length, dim_const(1));
            }
        }
        s.dims[at] = length;
    }
    return host_set(c, 0, t, &s);
}

bool hostinfer_rfft(Infer *c) {
    return host_arity(c, 2, 1) && fft_shape(c, true, host_type(c, 0) == DTYPE_F64 ? DTYPE_C128 : DTYPE_C64);
}

bool hostinfer_irfft(Infer *c) {
    return host_arity(c, 2, 1) && fft_shape(c, false, part_of(host_type(c, 0)));
}
