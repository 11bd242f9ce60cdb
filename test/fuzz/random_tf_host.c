/* random_tf_host: op types that are host functions. */
#include "random_tf.h"

#include <string.h>

bool tf_make_where(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 4);
    TfAttr a = tf_type_of(&x);
    return tf_add(m, row->op, 1, &x, 1, &a);
}

bool tf_make_top_k(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    int64_t k = random_between(m->r, 0, tf_least_size(&in[0], in[0].rank - 1));
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &k);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_bool("sorted", true), tf_of_int("k", k)};
    bool v2 = strcmp(row->op, "TopKV2") == 0;
    return tf_add(m, row->op, v2 ? 2 : 1, in, v2 ? 2 : 3, a);
}

bool tf_make_unique(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 1);
    TfAttr a[] = {tf_type_of(&x), tf_of_type("out_idx", tf_index_type(m))};
    return strstr(row->op, "V2") == NULL && tf_add(m, row->op, 1, &x, 2, a);
}

bool tf_make_segment(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 3)};
    if (in[0].sizes[0][0] != in[0].sizes[1][0] || strstr(row->op, "V2")) return false;
    int64_t n = in[0].sizes[0][0], segments = random_between(m->r, 1, 6);
    in[1] = tf_indexes(m, DTYPE_S32, 1, &n, segments);
    in[2] = tf_ints(m, DTYPE_S32, 0, 1, &segments);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tindices", DTYPE_S32), tf_of_type("Tnumsegments", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

bool tf_make_string_op(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "S", 0, 3);
    TfAttr a[] = {tf_of_int("num_buckets", 100), tf_of_string("pattern", "[a-c]+"), tf_of_string("rewrite", "<\\0>"),
                  tf_of_bool("replace_global", random_chance(m->r, 50)), tf_of_bool("pad", true)};
    return tf_add(m, row->op, 1, &x, 5, a);
}

/* ---- rows that are chosen while running */

/* Where, then the rows it found: what a boolean mask is. */
bool tf_make_mask(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "FIUS", 1, 3), like = x, in[2];
    like.rank = 1;
    TfTensor mask = tf_like(m, DTYPE_BOOL, &like, false);
    TfAttr bool_type = tf_of_type("T", DTYPE_BOOL);
    if (mask.rank < 0 || !tf_add(m, row->op, 1, &mask, 1, &bool_type)) return false;
    in[0] = x;
    in[1] = m->pool.data[m->pool.len - 1];
    TfAttr a[] = {tf_of_type("Tparams", x.dtype), tf_of_type("Tindices", DTYPE_S64)};
    return tf_add(m, "GatherNd", 2, in, 2, a);
}

bool tf_make_partition(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 3), in[2] = {x};
    int64_t n = x.sizes[0][0], parts = random_between(m->r, 1, 4);
    if (n != x.sizes[1][0]) return false;
    in[1] = tf_indexes(m, DTYPE_S32, 1, &n, parts);
    TfAttr a[] = {tf_type_of(&x), tf_of_int("num_partitions", parts)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_stitch(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 3), in[4];
    int64_t n = x.sizes[0][0], at[40];
    if (n != x.sizes[1][0] || n > 40 || n < 1) return false;
    for (int64_t i = 0; i < n; i++) at[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t k = random_below(m->r, i + 1), t = at[i];
        at[i] = at[k];
        at[k] = t;
    }
    in[0] = in[1] = tf_ints(m, DTYPE_S32, 1, n, at);
    in[2] = x;
    in[3] = tf_like(m, x.dtype, &x, false);
    TfAttr a[] = {tf_type_of(&x), tf_of_int("N", 2)};
    return tf_add(m, row->op, 4, in, 2, a);
}

bool tf_make_sorted_segment(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 3)};
    int64_t n = in[0].sizes[0][0], at[64], segment = 0;
    if (n != in[0].sizes[1][0] || n > 64 || strstr(row->op, "V2")) return false;
    for (int64_t i = 0; i < n; i++) at[i] = segment += random_below(m->r, 3) == 0;
    in[1] = tf_ints(m, DTYPE_S32, 1, n, at);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tindices", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_non_max_suppression(TfMaker *m, const TfRow *row) {
    int64_t n = random_between(m->r, 1, 7), dims[2] = {n, 4}, most = random_between(m->r, 0, 5);
    if (strcmp(row->op, "NonMaxSuppressionV3") != 0) return false;
    int64_t sizes[N_BINDINGS][MAX_RANK] = {{n}, {n}};
    bool known[MAX_RANK] = {true};
    Tensor boxes = random_tensor(m->arena, m->r, DTYPE_F32, 2, dims, FILL_UNIFORM, 0, false);
    Tensor overlap = tensor_scalar_f64(m->arena, DTYPE_F32, 0.4), score = tensor_scalar_f64(m->arena, DTYPE_F32, -0.5);
    TfTensor in[5] = {tf_constant(m, &boxes), tf_leaf(m, DTYPE_F32, 1, (const int64_t(*)[MAX_RANK])sizes, known),
                      tf_ints(m, DTYPE_S32, 0, 1, &most), tf_constant(m, &overlap), tf_constant(m, &score)};
    TfAttr a[] = {tf_of_type("T", DTYPE_F32), tf_of_type("T_threshold", DTYPE_F32)};
    return tf_add(m, row->op, 5, in, 2, a);
}

/* ---- matrices, numbers in complex parts, words */

bool tf_make_matrix(TfMaker *m, const TfRow *row) {
    int64_t n = random_between(m->r, 1, 4), dims[2] = {n, n};
    Tensor t =
        random_tensor(m->arena, m->r, random_chance(m->r, 50) ? DTYPE_F32 : DTYPE_F64, 2, dims, FILL_UNIFORM, 0, false);
    for (int64_t i = 0; i < n; i++) tensor_set_f64(&t, i * n + i, 5 + tensor_get_f64(&t, i * n + i)); /* regular */
    if (strncmp(row->op, "Batch", 5) == 0 || m->w->edges) return false;
    TfTensor x = tf_constant(m, &t), in[2] = {x};
    TfAttr a[] = {tf_type_of(&x), tf_of_bool("adjoint", random_chance(m->r, 30)),
                  tf_of_bool("lower", random_chance(m->r, 50))};
    TfTensor like = {.dtype = x.dtype, .rank = 2, .sizes = {{n, 2}, {n, 2}}, .known = {true, true}};
    bool solves = strstr(row->op, "Solve");
    if (solves) in[1] = tf_like(m, x.dtype, &like, false);
    return tf_add(m, row->op, solves ? 2 : 1, in, 3, a);
}

bool tf_make_complex_part(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "C", 0, 4);
    TfAttr a[] = {tf_type_of(&x), tf_of_type("Tout", x.dtype == DTYPE_C64 ? DTYPE_F32 : DTYPE_F64)};
    return tf_add(m, row->op, 1, &x, 2, a);
}

bool tf_make_complex_number(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, "F", 0, 4)};
    if (in[0].dtype != DTYPE_F32 && in[0].dtype != DTYPE_F64) return false;
    in[1] = tf_like(m, in[0].dtype, &in[0], true);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tout", in[0].dtype == DTYPE_F32 ? DTYPE_C64 : DTYPE_C128)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_as_string(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "IB", 0, 3);
    TfAttr a[] = {tf_type_of(&x),
                  tf_of_int("precision", -1),
                  tf_of_bool("scientific", false),
                  tf_of_bool("shortest", false),
                  tf_of_int("width", -1),
                  tf_of_string("fill", "")};
    return tf_add(m, row->op, 1, &x, 6, a);
}

bool tf_make_string_join(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, "S", 0, 3)};
    uint32_t n = (uint32_t)random_between(m->r, 1, 3);
    for (uint32_t i = 1; i < n; i++) in[i] = tf_like(m, DTYPE_STRING, &in[0], false);
    TfAttr a[] = {tf_of_int("N", n), tf_of_string("separator", "+")};
    return tf_add(m, row->op, n, in, 2, a);
}
