/* import_transpose: transposes. A permutation that is computed when the model runs is followed by branches where these
   are few (import_cases.c); here by arithmetic: the place of each element is looked up. */
#include "frontend/importer.h"

static bool permutation(Import *c, int64_t *perm) {
    int n = 0;
    int rank = rank_of(c, c->in[0]);
    bool seen[MAX_RANK] = {false};
    if (!import_const_ints(c, 1, perm, &n, MAX_RANK)) return false;
    if (n != rank) return bad(c, "the permutation has %d entries for a value of rank %d", n, rank);
    for (int i = 0; i < n; i++) {
        int axis = 0;
        if (!normalise_axis(c, perm[i], rank, &axis)) return false;
        if (seen[axis]) return bad(c, "the permutation names axis %d twice", axis);
        seen[axis] = true;
        perm[i] = axis;
    }
    return true;
}

/* Any permutation of any rank: element i… of the result is found at the sum of i * the stride that its axis has in x.
 */
static ValueId transpose_at_run_time(Import *c) {
    ValueId none = {0};
    Shape s = shape_copy(c, c->in[0]);
    Shape places = shape_copy(c, c->in[1]);
    if (places.rank != 1 || !dim_is(places.dims[0], s.rank)) {
        bad(c, "the permutation must be a vector of %d", s.rank);
        return none;
    }
    Dim strides[MAX_RANK];
    Dim total = dim_const(1);
    for (int i = s.rank - 1; i >= 0; i--) {
        strides[i] = total;
        total = d_mul(c, total, s.dims[i]);
    }
    ValueId axes = import_count_from_end(c, make_cast(c, c->in[1], DTYPE_S64), s.rank);
    if (failed(axes) || failed(import_count_axes(c, axes, s.rank))) return none;
    ValueId sizes = make_dims(c, DTYPE_S64, 1, s.rank, s.dims);
    ValueId steps = make_dims(c, DTYPE_S64, 1, s.rank, strides);
    sizes = make_gather(c, sizes, axes, 0, 0, false);
    steps = make_gather(c, steps, axes, 0, 0, false);
    Shape to = {.rank = s.rank};
    int n = 0;
    if (failed(steps) || !load_content(c, sizes, 0, to.dims, &n, MAX_RANK, "the permutation")) return none;
    ValueId place = make_scalar_int(c, DTYPE_S64, 0);
    for (int i = 0; i < s.rank; i++) {
        Shape along = {.rank = s.rank - i, .dims = {to.dims[i]}};
        for (int k = 1; k < along.rank; k++) along.dims[k] = dim_const(1);
        ValueId step = make_index(c, steps, 0, dim_const(i));
        ValueId index = make_iota(c, &along, 0, DTYPE_S64);
        index = make_binary(c, OP_MUL, index, step);
        place = make_binary(c, OP_ADD, place, index);
    }
    Shape row = {.rank = 1, .dims = {total}};
    ValueId elements = make_reshape(c, c->in[0], &row);
    return make_gather(c, elements, place, 0, 0, false);
}

static ValueId transpose(Import *c) {
    int64_t perm[MAX_RANK];
    if (!import_axes_are_known(c, c->in[1])) return transpose_at_run_time(c);
    return permutation(c, perm) ? make_transpose(c, c->in[0], perm) : (ValueId){0};
}

bool import_transpose(Import *c) {
    return give(c, transpose(c));
}

bool import_conjugate_transpose(Import *c) {
    ValueId x = transpose(c);
    if (!failed(x) && dtype_info(dtype_of(c, x))->class_ == CLASS_COMPLEX) x = import_host(c, "Conj", 1, &x, 1);
    c->n_out = 1;
    return give(c, x);
}
