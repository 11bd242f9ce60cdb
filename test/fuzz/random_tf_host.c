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
    TfAttr a = tf_of_int("num_buckets", 100);
    return tf_add(m, row->op, 1, &x, 1, &a);
}
