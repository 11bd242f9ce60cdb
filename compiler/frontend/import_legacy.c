/* import_legacy: ops of old graphs and of Grappler that newer ops say: in-place updates, the first forms of contrast
   and of eigenvalues, chains of unary ops, questions about the machine. */
#include "frontend/importer.h"

#include <string.h>

/* VariableShape is Shape of what the handle stands for. ToBool: a number that is not zero, a text that is not empty, a
   tensor that has elements. */
bool import_to_bool(Import *c) {
    ValueId x = c->in[0];
    DType t = dtype_of(c, x);
    if (rank_of(c, x) > 0) {
        Shape s = shape_copy(c, x);
        Dim n = shape_elements(&c->g->dims, &s);
        x = make_dims(c, DTYPE_S64, 0, 1, &n);
    } else if (t == DTYPE_STRING) {
        x = import_host(c, "StringLength", 1, c->in, 1);
    } else if (!is_plain(t)) {
        return unsupported(c, "a condition of type %s is not compiled", dtype_info(t)->text);
    }
    return give(c, make_cast(c, x, DTYPE_BOOL));
}

/* Which of the named kinds of device the model runs on: the CPU, else as many as there are names. */
bool import_device_index(Import *c) {
    const TfAttr *names = tf_attr(c->n, "device_names");
    uint32_t n = names && names->kind == TF_ATTR_LIST_STRING ? names->n : 0;
    uint32_t found = n;
    for (uint32_t i = 0; i < n && found == n; i++) {
        StringElement s = names->v.strings[i];
        if (s.size == 3 && memcmp(s.data, "CPU", 3) == 0) found = i;
    }
    return give(c, make_scalar_int(c, DTYPE_S32, found));
}

/* A value that nobody may use, of the stated type: what a branch gives for an output that it does not have. */
bool import_fake_param(Import *c) {
    const TfAttr *a = tf_attr(c->n, "shape");
    if (!a || a->kind != TF_ATTR_SHAPE || a->v.shape.rank < 0) return unsupported(c, "a value of unknown rank");
    Shape s = {.rank = a->v.shape.rank};
    for (int i = 0; i < s.rank; i++) s.dims[i] = dim_const(a->v.shape.dims[i] < 0 ? 0 : a->v.shape.dims[i]);
    ValueId zero = make_zero(c, attr_t(c, "dtype", DTYPE_F32));
    return give(c, make_broadcast(c, zero, &s));
}

/* InplaceUpdate, InplaceAdd, InplaceSub (x, rows, values): rows count around the end; the text is the mode */
bool import_inplace(Import *c) {
    ValueId x = c->in[0];
    if (rank_of(c, x) < 1 || rank_of(c, c->in[1]) != 1) return bad(c, "needs a vector of rows");
    if (rank_of(c, c->in[2]) != rank_of(c, x)) return bad(c, "the values must have the rank of what they change");
    Dim count = dim_of(c, x, 0);
    ValueId rows = make_dims(c, dtype_of(c, c->in[1]), 0, 1, &count);
    ValueId wrapped = make_binary(c, OP_FLOORMOD, c->in[1], rows);
    ValueId indices = make_expand(c, wrapped, 1);
    if (failed(indices)) return false;
    return give(c, make_scatter(c, x, indices, c->in[2], import_row(c)->text));
}

/* AdjustContrast (images, factor, min, max): around the mean of each image's channel, then clipped, in f32 */
bool import_adjust_contrast(Import *c) {
    int rank = rank_of(c, c->in[0]);
    if (rank < 3) return bad(c, "needs images");
    int64_t axes[2] = {rank - 3, rank - 2};
    ValueId x = make_cast(c, c->in[0], DTYPE_F32);
    ValueId mean = make_reduce(c, x, "mean", 2, axes, true);
    ValueId apart = make_binary(c, OP_SUB, x, mean);
    ValueId scaled = make_binary(c, OP_MUL, apart, c->in[1]);
    ValueId y = make_binary(c, OP_ADD, scaled, mean);
    ValueId raised = make_binary(c, OP_MAX, y, c->in[2]);
    return give(c, make_binary(c, OP_MIN, raised, c->in[3]));
}

/* ApproximateEqual: |x - y| < tolerance */
bool import_approximate_equal(Import *c) {
    DType t = dtype_of(c, c->in[0]);
    if (!is_plain(t)) return unsupported(c, "has no implementation for element type %s", dtype_info(t)->text);
    ValueId difference = make_binary(c, OP_SUB, c->in[0], c->in[1]);
    ValueId distance = t == DTYPE_U8 || t == DTYPE_U16 || t == DTYPE_U32 || t == DTYPE_U64
                           ? difference
                           : make_unary(c, OP_ABS, difference);
    ValueId tolerance = make_like(c, distance, attr_f(c, "tolerance", 1e-5));
    return give(c, make_binary(c, OP_LT, distance, tolerance));
}

/* SelfAdjointEig, BatchSelfAdjointEig: [..., M + 1, M], the values in the first line, the vectors below */
bool import_self_adjoint_eig(Import *c) {
    if (rank_of(c, c->in[0]) < 2) return bad(c, "needs matrices");
    ValueId values = import_host(c, "SelfAdjointEigV2", 1, c->in, 2);
    if (failed(values)) return false;
    ValueId vectors = c->out[1];
    c->n_out = 1;
    int rank = rank_of(c, vectors);
    ValueId parts[2] = {make_expand(c, values, rank - 2), vectors};
    return !failed(parts[0]) && give(c, make_concat(c, 2, parts, rank - 2));
}

/* _UnaryOpsComposition: the ops of the list `op_names`, one after the other */
bool import_unary_chain(Import *c) {
    const TfAttr *names = tf_attr(c->n, "op_names");
    uint32_t n = names && names->kind == TF_ATTR_LIST_STRING ? names->n : 0;
    ValueId x = c->in[0];
    for (uint32_t i = 0; i < n; i++) {
        TfNode link = *c->n;
        StringElement s = names->v.strings[i];
        link.op = arena_strndup(c->im->arena, s.data ? s.data : "", s.size);
        const TfOpRow *row = tf_op_find(link.op);
        if (!row || row->min_inputs != 1) return unsupported(c, "fused op '%s' is not known", link.op);
        Import step = *c;
        step.n = &link;
        step.in = &x;
        step.n_in = 1;
        if (!row->import(&step)) return false;
        x = step.out[0];
    }
    return give(c, x);
}

/* ApproxTopK: as the CPU answers it, the exact ones, over any dim; the smallest by way of their negatives */
bool import_approx_top_k(Import *c) {
    int rank = rank_of(c, c->in[0]);
    int axis = 0;
    int64_t perm[MAX_RANK];
    bool largest = attr_i(c, "is_max_k", 1) != 0;
    if (!normalise_axis(c, attr_i(c, "reduction_dimension", -1), rank, &axis)) return false;
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[axis] = rank - 1;
    perm[rank - 1] = axis;
    ValueId x = largest ? c->in[0] : make_unary(c, OP_NEG, c->in[0]);
    x = axis == rank - 1 ? x : make_transpose(c, x, perm);
    if (failed(x) || failed(import_host(c, "TopK", 1, &x, 2))) return false;
    for (int i = 0; i < 2; i++) {
        ValueId y = c->out[i];
        if (axis != rank - 1) y = make_transpose(c, y, perm);
        c->out[i] = i == 0 && !largest ? make_unary(c, OP_NEG, y) : y;
        if (failed(c->out[i])) return false;
    }
    return true;
}
