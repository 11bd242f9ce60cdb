/* random_tf_parts: scatters, diagonals, blocks, ranges, equations and other ops that take operands apart. */
#include "random_tf.h"

#include <math.h>
#include <string.h>

static TfTensor int_scalar(TfMaker *m, DType t, int64_t v) {
    return tf_ints(m, t, 0, 1, &v);
}

static bool fixed(const TfTensor *t) {
    for (int k = 0; k < t->rank; k++)
        if (t->sizes[0][k] != t->sizes[1][k]) return false;
    return t->rank >= 0;
}

/* Rows of indexes into the first `depth` sizes of x: a constant. */
static TfTensor index_rows(TfMaker *m, DType t, const TfTensor *x, int depth, int64_t n) {
    int64_t dims[2] = {n, depth};
    Tensor rows = tensor_new(m->arena, t, 2, dims);
    for (int64_t i = 0; i < n * depth; i++)
        tensor_set_i64(&rows, i, random_below(m->r, tf_least_size(x, (int)(i % depth))));
    return tf_constant(m, &rows);
}

static bool can_index(const TfTensor *x, int depth) {
    for (int k = 0; k < depth; k++)
        if (tf_least_size(x, k) < 1) return false;
    return true;
}

bool tf_make_gather_nd(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    int depth = (int)random_between(m->r, 1, in[0].rank);
    DType t = tf_index_type(m);
    if (!can_index(&in[0], depth) || strcmp(row->op, "GatherNd") != 0) return false;
    in[1] = index_rows(m, t, &in[0], depth, random_between(m->r, 0, 5));
    TfAttr a[] = {tf_of_type("Tparams", in[0].dtype), tf_of_type("Tindices", t)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_tensor_scatter(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 4)}, updates = {.dtype = in[0].dtype};
    int depth = (int)random_between(m->r, 1, in[0].rank);
    int64_t n = random_between(m->r, 0, 5);
    DType t = tf_index_type(m);
    if (!can_index(&in[0], depth)) return false;
    in[1] = index_rows(m, t, &in[0], depth, n);
    for (int b = 0; b < N_BINDINGS; b++) {
        updates.sizes[b][0] = n;
        for (int k = depth; k < in[0].rank; k++) updates.sizes[b][k - depth + 1] = in[0].sizes[b][k];
    }
    updates.known[0] = true;
    updates.rank = in[0].rank - depth + 1;
    for (int k = depth; k < in[0].rank; k++) updates.known[k - depth + 1] = in[0].known[k];
    in[2] = tf_like(m, in[0].dtype, &updates, false);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tindices", t)};
    return tf_add(m, row->op, 3, in, 2, a);
}

bool tf_make_scatter_nd(TfMaker *m, const TfRow *row) {
    TfTensor like = tf_pick(m, row->classes, 1, 3), in[3];
    int64_t n = random_between(m->r, 0, 6), shape[MAX_RANK];
    DType t = tf_index_type(m);
    if (!fixed(&like) || !can_index(&like, 1)) return false;
    in[0] = index_rows(m, t, &like, 1, n);
    for (int k = 0; k < like.rank; k++) shape[k] = like.sizes[0][k];
    TfTensor updates = like;
    updates.sizes[0][0] = updates.sizes[1][0] = n;
    updates.known[0] = true;
    in[1] = tf_like(m, like.dtype, &updates, false);
    in[2] = tf_ints(m, t, 1, like.rank, shape);
    TfAttr a[] = {tf_type_of(&like), tf_of_type("Tindices", t)};
    return tf_add(m, row->op, 3, in, 2, a);
}

bool tf_make_reverse(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 5)};
    int64_t axes[MAX_RANK], n = 0;
    for (int k = 0; k < in[0].rank; k++)
        if (random_chance(m->r, 50)) axes[n++] = k - (random_chance(m->r, 30) ? in[0].rank : 0);
    in[1] = tf_ints(m, DTYPE_S32, 1, n, axes);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_block(TfMaker *m, const TfRow *row) {
    bool to_batch = strncmp(row->op, "Space", 5) == 0;
    TfTensor in[3] = {tf_pick(m, row->classes, 3, 4)};
    int64_t block[2], moved[4], dims[2] = {2, 2}, blocks = 1;
    if (!strstr(row->op, "ND") || !fixed(&in[0])) return false;
    for (int i = 0; i < 2; i++) {
        block[i] = random_between(m->r, 1, 3);
        blocks *= block[i];
        moved[2 * i] = random_chance(m->r, 30);
        int64_t size = in[0].sizes[0][i + 1] + moved[2 * i];
        moved[2 * i + 1] = to_batch ? (block[i] - size % block[i]) % block[i] : 0;
    }
    if (!to_batch && in[0].sizes[0][0] % blocks) return false;
    in[1] = tf_ints(m, DTYPE_S32, 1, 2, block);
    Tensor t = tensor_new(m->arena, DTYPE_S32, 2, dims);
    for (int i = 0; i < 4; i++) tensor_set_i64(&t, i, moved[i]);
    in[2] = tf_constant(m, &t);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tblock_shape", DTYPE_S32), tf_of_type("Tpaddings", DTYPE_S32),
                  tf_of_type("Tcrops", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 4, a);
}

/* Sizes out of values: the end is something that was computed, made small. */
bool tf_make_range(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "I", 0, 0), in[3];
    if (x.dtype != DTYPE_S32 && x.dtype != DTYPE_S64) return false;
    TfTensor both[2] = {x, int_scalar(m, x.dtype, random_between(m->r, 2, 9))};
    TfAttr type = tf_type_of(&x);
    if (!tf_add(m, "FloorMod", 2, both, 1, &type)) return false;
    in[0] = int_scalar(m, x.dtype, random_between(m->r, -2, 1));
    in[1] = m->pool.data[m->pool.len - 1];
    in[2] = int_scalar(m, x.dtype, random_between(m->r, 1, 3));
    TfAttr a = tf_of_type("Tidx", x.dtype);
    return tf_add(m, row->op, 3, in, 1, &a);
}

bool tf_make_fill(TfMaker *m, const TfRow *row) {
    TfTensor like = tf_pick(m, "FIUBS", 0, 4), scalar = {.rank = 0}, in[2];
    TfAttr shape[] = {tf_type_of(&like), tf_of_type("out_type", DTYPE_S32)};
    if (!tf_add(m, "Shape", 1, &like, 2, shape)) return false;
    in[0] = m->pool.data[m->pool.len - 1];
    in[1] = tf_like(m, like.dtype, &scalar, false);
    TfAttr a[] = {tf_type_of(&like), tf_of_type("index_type", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_einsum(TfMaker *m, const TfRow *row) {
    static const char *const equations[][2] = {{"ab,bc->ac", "12"}, {"abc,cd->abd", "112"}, {"abc,abd->acd", "121"},
                                               {"ab,cb->ca", "11"}, {"ab,b->a", "1"},       {"abcd,acde->abce", "4"}};
    const char *equation = equations[random_below(m->r, ARRAY_LEN(equations))][0];
    const char *comma = strchr(equation, ','), *arrow = strstr(equation, "->");
    int rank = (int)(comma - equation);
    TfTensor in[2] = {tf_pick(m, row->classes, rank, rank)}, other = {.dtype = in[0].dtype};
    int64_t fresh = random_between(m->r, 1, 6);
    for (const char *c = comma + 1; c < arrow; c++) {
        int k = other.rank++;
        const char *at = memchr(equation, *c, (size_t)rank);
        for (int b = 0; b < N_BINDINGS; b++) other.sizes[b][k] = at ? in[0].sizes[b][at - equation] : fresh;
        other.known[k] = at ? in[0].known[at - equation] : true;
    }
    in[1] = tf_like(m, in[0].dtype, &other, false);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_string("equation", equation), tf_of_int("N", 2)};
    return tf_add(m, row->op, 2, in, 3, a);
}

bool tf_make_matrix_part(TfMaker *m, const TfRow *row) {
    bool v3 = strstr(row->op, "V2") || strstr(row->op, "V3"), set = strstr(row->op, "Set"),
         part = strstr(row->op, "Part");
    bool band = strstr(row->op, "Band");
    if (strncmp(row->op, "Batch", 5) == 0) return false;
    TfTensor x = tf_pick(m, row->classes, set || part || band ? 2 : 1, 4), in[5] = {x}, scalar = {.rank = 0};
    TfAttr a[] = {tf_type_of(&x), tf_of_string("align", random_chance(m->r, 50) ? "LEFT_RIGHT" : "RIGHT_LEFT"),
                  tf_of_type("Tindex", DTYPE_S64)};
    if (band) {
        in[1] = int_scalar(m, DTYPE_S64, random_between(m->r, -1, 2));
        in[2] = int_scalar(m, DTYPE_S64, random_between(m->r, -1, 2));
        return tf_add(m, row->op, 3, in, 3, a);
    }
    if (set) {
        TfTensor diagonal = x;
        diagonal.rank--;
        for (int b = 0; b < N_BINDINGS; b++) {
            int64_t rows = x.sizes[b][x.rank - 2], columns = x.sizes[b][x.rank - 1];
            diagonal.sizes[b][x.rank - 2] = rows < columns ? rows : columns;
        }
        diagonal.known[x.rank - 2] = x.known[x.rank - 2] && x.known[x.rank - 1];
        in[1] = tf_like(m, x.dtype, &diagonal, false);
        in[2] = int_scalar(m, DTYPE_S32, 0);
        return tf_add(m, row->op, v3 ? 3 : 2, in, v3 ? 2 : 1, a);
    }
    in[1] = int_scalar(m, DTYPE_S32, part ? random_between(m->r, -1, 1) : random_between(m->r, -2, 2));
    if (!v3) return tf_add(m, row->op, 1, in, 1, a);
    if (part) {
        in[2] = tf_like(m, x.dtype, &scalar, false);
        return tf_add(m, row->op, 3, in, 2, a);
    }
    in[2] = int_scalar(m, DTYPE_S32, -1);
    in[3] = int_scalar(m, DTYPE_S32, -1);
    in[4] = tf_like(m, x.dtype, &scalar, false);
    return tf_add(m, row->op, 5, in, 2, a);
}

bool tf_make_fake_quant(TfMaker *m, const TfRow *row) {
    Tensor low = tensor_scalar_f64(m->arena, DTYPE_F32, -1.5), high = tensor_scalar_f64(m->arena, DTYPE_F32, 2.25);
    TfTensor in[3] = {tf_pick(m, "F", 0, 4), tf_constant(m, &low), tf_constant(m, &high)};
    if (in[0].dtype != DTYPE_F32 || strcmp(row->op, "FakeQuantWithMinMaxVars") != 0) return false;
    TfAttr a[] = {tf_of_int("num_bits", random_between(m->r, 2, 8)),
                  tf_of_bool("narrow_range", random_chance(m->r, 50))};
    return tf_add(m, row->op, 3, in, 2, a);
}

bool tf_make_bitcast(TfMaker *m, const TfRow *row) {
    /* Bits of floats say nothing where rounding may change them. */
    static const DType pairs[][2] = {
        {DTYPE_S32, DTYPE_U8}, {DTYPE_S64, DTYPE_S32}, {DTYPE_S8, DTYPE_U8}, {DTYPE_S32, DTYPE_S16}};
    TfTensor x = tf_pick(m, "I", 0, 4);
    for (size_t i = (size_t)random_below(m->r, ARRAY_LEN(pairs)); i < ARRAY_LEN(pairs); i++) {
        if (x.dtype != pairs[i][0]) continue;
        TfAttr a[] = {tf_type_of(&x), tf_of_type("type", pairs[i][1])};
        return tf_add(m, row->op, 1, &x, 2, a);
    }
    return false;
}

bool tf_make_cross_entropy(TfMaker *m, const TfRow *row) {
    bool sparse = strncmp(row->op, "Sparse", 6) == 0;
    TfTensor in[2] = {tf_pick(m, row->classes, 2, 2)};
    int64_t n = in[0].sizes[0][0];
    if (tf_least_size(&in[0], 1) < 1 || (sparse && !fixed(&in[0]))) return false;
    in[1] = sparse ? tf_indexes(m, DTYPE_S32, 1, &n, in[0].sizes[0][1]) : tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tlabels", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_quantize_dequantize(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, "F", 0, 4)};
    if (strcmp(row->op, "QuantizeAndDequantizeV2") != 0 || (in[0].dtype != DTYPE_F32 && in[0].dtype != DTYPE_F64))
        return false;
    Tensor low = tensor_scalar_f64(m->arena, in[0].dtype, -1.5), high = tensor_scalar_f64(m->arena, in[0].dtype, 2.25);
    in[1] = tf_constant(m, &low);
    in[2] = tf_constant(m, &high);
    TfAttr a[] = {tf_type_of(&in[0]),
                  tf_of_bool("signed_input", random_chance(m->r, 50)),
                  tf_of_int("num_bits", random_between(m->r, 3, 8)),
                  tf_of_bool("range_given", true),
                  tf_of_string("round_mode", random_chance(m->r, 50) ? "HALF_TO_EVEN" : "HALF_UP"),
                  tf_of_bool("narrow_range", random_chance(m->r, 50)),
                  tf_of_int("axis", -1)};
    return tf_add(m, row->op, 3, in, 7, a);
}
