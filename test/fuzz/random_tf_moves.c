/* random_tf_moves: slices, joins, transposes, gathers of TensorFlow's op types. */
#include "random_tf.h"

#include <string.h>

enum { MOST_PARTS = 4 };

bool tf_make_strided_slice(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t begin[MAX_RANK], end[MAX_RANK], stride[MAX_RANK], masks[5] = {0};
    int n = (int)random_between(m->r, 1, x.rank);
    for (int i = 0; i < n; i++) {
        int64_t size = tf_least_size(&x, i);
        bool back = random_chance(m->r, 20);
        stride[i] = (random_chance(m->r, 70) ? 1 : random_between(m->r, 1, 3)) * (back ? -1 : 1);
        int64_t low = random_below(m->r, size + 1), high = random_between(m->r, low, size);
        begin[i] = back ? high - 1 : low;
        end[i] = back ? low - 1 : high;
        if (random_chance(m->r, 30) || end[i] < 0) masks[1] |= 1 << i;
        if (random_chance(m->r, 30) || begin[i] < 0) masks[0] |= 1 << i;
        if (random_chance(m->r, 20) && !back) begin[i] = random_between(m->r, -size, size);
        if (random_chance(m->r, 15) && size > 0)
            masks[4] |= 1 << i, begin[i] = random_below(m->r, size), end[i] = begin[i] + 1, stride[i] = 1;
        if (random_chance(m->r, 6)) masks[3] |= 1 << i;
    }
    if (random_chance(m->r, 15)) masks[2] = 1 << random_below(m->r, n);
    TfTensor in[4] = {x, tf_ints(m, DTYPE_S32, 1, n, begin), tf_ints(m, DTYPE_S32, 1, n, end),
                      tf_ints(m, DTYPE_S32, 1, n, stride)};
    TfAttr a[] = {tf_type_of(&x),
                  tf_of_type("Index", DTYPE_S32),
                  tf_of_int("begin_mask", masks[0]),
                  tf_of_int("end_mask", masks[1]),
                  tf_of_int("ellipsis_mask", masks[2]),
                  tf_of_int("new_axis_mask", masks[3]),
                  tf_of_int("shrink_axis_mask", masks[4])};
    return tf_add(m, row->op, 4, in, 7, a);
}

bool tf_make_slice(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t begin[MAX_RANK], size[MAX_RANK];
    for (int i = 0; i < x.rank; i++) {
        begin[i] = random_below(m->r, tf_least_size(&x, i) + 1);
        size[i] = random_chance(m->r, 50) ? -1 : random_between(m->r, 0, tf_least_size(&x, i) - begin[i]);
    }
    DType t = tf_index_type(m);
    TfTensor in[3] = {x, tf_ints(m, t, 1, x.rank, begin), tf_ints(m, t, 1, x.rank, size)};
    TfAttr a[] = {tf_type_of(&x), tf_of_type("Index", t)};
    return tf_add(m, row->op, 3, in, 2, a);
}

bool tf_make_split(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t axis = tf_pick_axis(m, &x), at = axis < 0 ? axis + x.rank : axis, size = x.sizes[0][at], parts = 0;
    TfTensor where = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    if (strcmp(row->op, "Split") == 0) {
        for (int64_t n = random_between(m->r, 1, 5); n > 0 && !parts; n--)
            if (size % n == 0 && x.sizes[1][at] % n == 0) parts = n;
        TfTensor in[2] = {where, x};
        TfAttr a[] = {tf_type_of(&x), tf_of_int("num_split", parts)};
        return tf_add(m, row->op, 2, in, 2, a);
    }
    int64_t sizes[3] = {random_between(m->r, 0, tf_least_size(&x, (int)at)), -1, 0};
    TfTensor in[3] = {x, tf_ints(m, DTYPE_S32, 1, 2, sizes), where};
    TfAttr a[] = {tf_type_of(&x), tf_of_int("num_split", 2), tf_of_type("Tlen", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

bool tf_make_pack(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS] = {tf_pick(m, row->classes, 0, 4)};
    uint32_t n = (uint32_t)random_between(m->r, 1, MOST_PARTS);
    for (uint32_t i = 1; i < n; i++) in[i] = tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_int("N", n),
                  tf_of_int("axis", random_between(m->r, -in[0].rank - 1, in[0].rank))};
    return tf_add(m, row->op, n, in, 3, a);
}

bool tf_make_unpack(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t axis = tf_pick_axis(m, &x), at = axis < 0 ? axis + x.rank : axis;
    if (x.sizes[0][at] > 8 || x.sizes[0][at] < 1 || x.sizes[0][at] != x.sizes[1][at]) return false;
    TfAttr a[] = {tf_type_of(&x), tf_of_int("num", x.sizes[0][at]), tf_of_int("axis", axis)};
    return tf_add(m, row->op, 1, &x, 3, a);
}

bool tf_make_concat(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS + 1] = {tf_pick(m, row->classes, 1, 5)};
    uint32_t n = (uint32_t)random_between(m->r, 2, MOST_PARTS);
    int64_t axis = tf_pick_axis(m, &in[0]);
    int at = (int)(axis < 0 ? axis + in[0].rank : axis);
    for (uint32_t i = 1; i < n; i++) {
        TfTensor part = in[0];
        if (random_chance(m->r, 40))
            part.sizes[0][at] = part.sizes[1][at] = random_between(m->r, 0, 6), part.known[at] = true;
        in[i] = tf_like(m, in[0].dtype, &part, false);
    }
    if (strcmp(row->op, "ConcatV2") != 0) return false;
    in[n] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_int("N", n), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, row->op, n + 1, in, 3, a);
}

bool tf_make_transpose(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 5)};
    int64_t perm[MAX_RANK];
    for (int i = 0; i < in[0].rank; i++) perm[i] = i;
    for (int i = in[0].rank - 1; i > 0; i--) {
        int k = (int)random_below(m->r, i + 1);
        int64_t p = perm[i];
        perm[i] = perm[k];
        perm[k] = p;
    }
    in[1] = tf_ints(m, DTYPE_S32, 1, in[0].rank, perm);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tperm", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_roll(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5), in[3] = {x, {.rank = -1}, tf_axis(m, &x)};
    int64_t shift = random_between(m->r, -9, 9);
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &shift);
    TfAttr a[] = {tf_type_of(&x), tf_of_type("Tshift", DTYPE_S32), tf_of_type("Taxis", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

bool tf_make_pad(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 5)}, scalar = {.rank = 0};
    bool mirror = strcmp(row->op, "MirrorPad") == 0;
    int64_t dims[2] = {in[0].rank, 2};
    Tensor paddings = tensor_new(m->arena, DTYPE_S32, 2, dims);
    for (int64_t i = 0; i < 2 * in[0].rank; i++) {
        int64_t most = mirror ? tf_least_size(&in[0], (int)(i / 2)) - 1 : 3;
        tensor_set_i64(&paddings, i,
                       random_chance(m->r, 50) && most > 0 ? random_below(m->r, (most < 3 ? most : 3) + 1) : 0);
    }
    in[1] = tf_constant(m, &paddings);
    bool v2 = strcmp(row->op, "PadV2") == 0;
    if (v2) in[2] = tf_like(m, in[0].dtype, &scalar, false);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tpaddings", DTYPE_S32),
                  tf_of_string("mode", random_chance(m->r, 50) ? "REFLECT" : "SYMMETRIC")};
    return tf_add(m, row->op, v2 ? 3 : 2, in, mirror ? 3 : 2, a);
}

bool tf_make_gather(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 4)};
    bool v2 = strcmp(row->op, "GatherV2") == 0;
    int64_t axis = v2 ? tf_pick_axis(m, &in[0]) : 0, dims[2] = {random_between(m->r, 0, 6), random_between(m->r, 1, 3)};
    DType t = tf_index_type(m);
    if (tf_least_size(&in[0], (int)(axis < 0 ? axis + in[0].rank : axis)) < 1 || strcmp(row->op, "ResourceGather") == 0)
        return false;
    in[1] = tf_indexes(m, t, (int)random_below(m->r, 3), dims,
                       tf_least_size(&in[0], (int)(axis < 0 ? axis + in[0].rank : axis)));
    in[2] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {tf_of_type("Tparams", in[0].dtype), tf_of_type("Tindices", t), tf_of_type("Taxis", DTYPE_S32),
                  tf_of_int("batch_dims", 0)};
    return tf_add(m, row->op, v2 ? 3 : 2, in, v2 ? 4 : 2, a);
}

bool tf_make_one_hot(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "I", 0, 3), scalar = {.rank = 0}, in[4] = {x};
    int64_t depth = random_between(m->r, 1, 7);
    if (x.dtype != DTYPE_S32 && x.dtype != DTYPE_S64 && x.dtype != DTYPE_U8) return false;
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &depth);
    DType t = random_chance(m->r, 70) ? DTYPE_F32 : DTYPE_S32;
    in[2] = tf_like(m, t, &scalar, false);
    in[3] = tf_like(m, t, &scalar, false);
    TfAttr a[] = {tf_of_type("T", t), tf_of_type("TI", x.dtype), tf_of_int("axis", random_between(m->r, -1, x.rank))};
    return tf_add(m, row->op, 4, in, 3, a);
}

bool tf_make_depth_space(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 4, 4);
    TfAttr a[] = {tf_type_of(&x), tf_of_int("block_size", random_between(m->r, 2, 3)),
                  tf_of_string("data_format", "NHWC")};
    return tf_add(m, row->op, 1, &x, 3, a);
}
