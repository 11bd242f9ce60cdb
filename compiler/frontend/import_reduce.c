/* import_reduce: reductions, index of the largest, running sums. */
#include "frontend/importer.h"

#include <string.h>

/* The axes input of a reduction as constants. */
static bool reduction_axes(Import *c, int64_t *axes, int *n) {
    return import_axes(c, 1, rank_of(c, c->in[0]), axes, n);
}

/* Sum, Mean, Max … ; the row's text is the kind. No axes: the value itself. */
bool import_reduce(Import *c) {
    int64_t axes[MAX_RANK];
    int n = 0;
    if (!reduction_axes(c, axes, &n)) return false;
    if (n == 0) return give(c, c->in[0]);
    if (!is_plain(dtype_of(c, c->in[0]))) return import_host_generic(c);
    return give(c, make_reduce(c, c->in[0], import_row(c)->text, n, axes, attr_i(c, "keep_dims", 0) != 0));
}

bool import_euclidean_norm(Import *c) {
    int64_t axes[MAX_RANK];
    int n = 0;
    if (!reduction_axes(c, axes, &n)) return false;
    DType dtype = dtype_of(c, c->in[0]);
    bool complex = dtype_info(dtype)->class_ == CLASS_COMPLEX;
    if (!is_plain(dtype) && !complex) return import_host_generic(c);
    bool integer = !complex && !dtype_is_float(dtype);
    ValueId other = complex ? import_host(c, "Conj", 1, c->in, 1) : c->in[0];
    ValueId square = make_binary(c, OP_MUL, c->in[0], other);
    ValueId sum = n ? make_reduce(c, square, "sum", n, axes, attr_i(c, "keep_dims", 0) != 0) : square;
    sum = integer ? make_cast(c, sum, DTYPE_F64) : sum;
    ValueId root = failed(sum) ? sum : complex ? import_host(c, "Sqrt", 1, &sum, 1) : make_unary(c, OP_SQRT, sum);
    return give(c, make_cast(c, root, dtype));
}

bool import_l2_loss(Import *c) {
    int64_t axes[MAX_RANK];
    int rank = rank_of(c, c->in[0]);
    for (int i = 0; i < rank; i++) axes[i] = i;
    ValueId square = make_binary(c, OP_MUL, c->in[0], c->in[0]);
    ValueId sum = rank ? make_reduce(c, square, "sum", rank, axes, false) : square;
    ValueId half = make_like(c, sum, 0.5);
    return give(c, make_binary(c, OP_MUL, sum, half));
}

bool import_arg_reduce(Import *c) {
    double axis_value = 0;
    int axis = 0;
    if (!const_scalar(c, 1, "the axis", &axis_value) ||
        !normalise_axis(c, (int64_t)axis_value, rank_of(c, c->in[0]), &axis))
        return false;
    if (!is_plain(dtype_of(c, c->in[0]))) return import_host_generic(c);
    Attr attrs[3];
    attrs[0] = attr_string("kind", import_row(c)->text);
    attrs[1] = attr_int("axis", axis);
    attrs[2] = attr_type("dtype", attr_t(c, "output_type", DTYPE_S64));
    return give(c, import_node(c, OP_ARG_REDUCE, 1, c->in, 3, attrs));
}

/* Cumsum, Cumprod, CumulativeLogsumexp; the row's text is the kind */
bool import_cumulate(Import *c) {
    double axis_value = 0;
    int axis = 0;
    if (rank_of(c, c->in[0]) == 0) return give(c, c->in[0]);
    if (!const_scalar(c, 1, "the axis", &axis_value) ||
        !normalise_axis(c, (int64_t)axis_value, rank_of(c, c->in[0]), &axis))
        return false;
    if (!is_plain(dtype_of(c, c->in[0]))) return import_host_generic(c);
    Attr attrs[4];
    attrs[0] = attr_string("kind", import_row(c)->text);
    attrs[1] = attr_int("axis", axis);
    attrs[2] = attr_int("exclusive", attr_i(c, "exclusive", 0) != 0);
    attrs[3] = attr_int("reverse", attr_i(c, "reverse", 0) != 0);
    return give(c, import_node(c, OP_CUMULATE, 1, c->in, 4, attrs));
}
