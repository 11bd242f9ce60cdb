/* random_tf_makers: nodes of TensorFlow's op types, one maker for all types of a family (random_tf.def): element-wise
   ops, reductions, shapes. */
#include "random_tf.h"

#include <string.h>

enum { MOST_PARTS = 4 };

/* ---- element-wise */

bool tf_make_unary(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 0, 5);
    TfShape shape = {.rank = -1};
    TfAttr a[] = {tf_type_of(&x),
                  tf_of_float("alpha", 0.3),
                  tf_of_type("Tcomplex", x.dtype),
                  tf_of_type("dtype", x.dtype),
                  {.name = "shape", .kind = TF_ATTR_SHAPE, .v.shape = shape},
                  tf_of_string("message", "odd")};
    return tf_add(m, row->op, 1, &x, 6, a);
}

bool tf_make_binary(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 5)};
    in[1] = tf_like(m, in[0].dtype, &in[0], true);
    if (random_chance(m->r, 20)) {
        TfTensor t = in[0];
        in[0] = in[1];
        in[1] = t;
    }
    TfAttr a = tf_type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

bool tf_make_alike(TfMaker *m, const TfRow *row) { /* two of one shape */
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 5)};
    in[1] = tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a = tf_type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

bool tf_make_add_n(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS] = {tf_pick(m, row->classes, 0, 4)};
    uint32_t n = (uint32_t)random_between(m->r, 1, MOST_PARTS);
    for (uint32_t i = 1; i < n; i++) in[i] = tf_like(m, in[0].dtype, &in[0], false);
    TfShape shape = {.rank = in[0].rank};
    for (int k = 0; k < shape.rank; k++) shape.dims[k] = in[0].known[k] ? in[0].sizes[0][k] : -1;
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_int("N", n), {.name = "shape", .kind = TF_ATTR_SHAPE, .v.shape = shape}};
    return tf_add(m, row->op, n, in, 3, a);
}

bool tf_make_clip(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 0, 5)}, scalar = {.rank = 0};
    in[1] = tf_like(m, in[0].dtype, random_chance(m->r, 50) ? &scalar : &in[0], false);
    in[2] = tf_like(m, in[0].dtype, random_chance(m->r, 50) ? &scalar : &in[0], false);
    TfAttr a = tf_type_of(&in[0]);
    return tf_add(m, row->op, 3, in, 1, &a);
}

bool tf_make_select_of(TfMaker *m, const TfRow *row) {
    bool v2 = strcmp(row->op, "SelectV2") == 0;
    TfTensor x = tf_pick(m, row->classes, 0, 5),
             in[3] = {tf_like(m, DTYPE_BOOL, &x, v2), x, tf_like(m, x.dtype, &x, v2)};
    TfAttr a = tf_type_of(&x);
    return tf_add(m, row->op, 3, in, 1, &a);
}

bool tf_make_cast(TfMaker *m, const TfRow *row) {
    static const DType to[] = {DTYPE_F32, DTYPE_F64,  DTYPE_F16, DTYPE_BF16, DTYPE_S32,
                               DTYPE_S64, DTYPE_BOOL, DTYPE_S8,  DTYPE_U8,   DTYPE_S16};
    TfTensor x = tf_pick(m, row->classes, 0, 5);
    DType t = to[random_below(m->r, ARRAY_LEN(to))];
    if (dtype_is_float(x.dtype) && x.largest > 100) return false;
    if (dtype_is_float(x.dtype) && dtype_is_int(t) && !dtype_is_signed(t))
        return false; /* of what is negative: undefined */
    TfAttr a[] = {tf_of_type("SrcT", x.dtype), tf_of_type("DstT", t), tf_of_bool("Truncate", false)};
    return tf_add(m, row->op, 1, &x, 3, a);
}

/* ---- reductions */

bool tf_make_reduce(TfMaker *m, const TfRow *row) {
    bool logical = strcmp(row->op, "All") == 0 || strcmp(row->op, "Any") == 0;
    TfTensor in[2] = {tf_pick(m, logical ? "B" : row->classes, 0, 5)};
    int64_t axes[MAX_RANK], n = 0;
    for (int k = 0; k < in[0].rank; k++)
        if (random_chance(m->r, 45)) axes[n++] = k - (random_chance(m->r, 25) ? in[0].rank : 0);
    DType t = tf_index_type(m);
    in[1] = n == 1 && random_chance(m->r, 40) ? tf_ints(m, t, 0, 1, axes) : tf_ints(m, t, 1, n, axes);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tidx", t), tf_of_bool("keep_dims", random_chance(m->r, 40))};
    return tf_add(m, row->op, 2, in, 3, a);
}

bool tf_make_arg_reduce(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 5)};
    in[1] = tf_axis(m, &in[0]);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32), tf_of_type("output_type", tf_index_type(m))};
    return tf_add(m, row->op, 2, in, 3, a);
}

bool tf_make_cumulate(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    in[1] = tf_axis(m, &in[0]);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32), tf_of_bool("exclusive", random_chance(m->r, 40)),
                  tf_of_bool("reverse", random_chance(m->r, 40))};
    return tf_add(m, row->op, 2, in, 4, a);
}

bool tf_make_softmax(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 4);
    TfAttr a = tf_type_of(&x);
    return tf_add(m, row->op, 1, &x, 1, &a);
}

/* ---- shapes */

bool tf_make_shape_of_value(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 0, 5);
    TfAttr a[] = {tf_type_of(&x), tf_of_type("out_type", tf_index_type(m))};
    return strcmp(row->op, "ShapeN") != 0 && tf_add(m, row->op, 1, &x, 2, a);
}

/* The numbers of elements of shapes that hold as many as t: joined dims, with -1 somewhere. */
bool tf_make_reshape(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 5)};
    int64_t to[MAX_RANK], n = 0;
    bool free = false;
    for (int k = 0; k < in[0].rank; k++) {
        bool changes = in[0].sizes[0][k] != in[0].sizes[1][k];
        if (random_chance(m->r, 20)) to[n++] = 1;
        if (free || (!changes && random_chance(m->r, 50))) {
            if (changes) return false;
            to[n++] = in[0].sizes[0][k];
        } else {
            to[n++] = -1;
            free = true;
            while (k + 1 < in[0].rank && random_chance(m->r, 40)) k++;
        }
    }
    DType t = tf_index_type(m);
    in[1] = tf_ints(m, t, 1, n, to);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tshape", t)};
    return tf_add(m, row->op, 2, in, 2, a);
}

/* Shape, a slice of it, Pack, Reshape: as models compute sizes. */
bool tf_make_computed_reshape(TfMaker *m, const TfRow *row) {
    (void)row;
    TfTensor x = tf_pick(m, "FIUB", 2, 5);
    TfAttr shape_attrs[] = {tf_type_of(&x), tf_of_type("out_type", DTYPE_S32)};
    if (!tf_add(m, "Shape", 1, &x, 2, shape_attrs)) return false;
    TfTensor shape = m->pool.data[m->pool.len - 1];
    int64_t at = random_below(m->r, x.rank), one = 1, next = at + 1;
    TfTensor in[4] = {shape, tf_ints(m, DTYPE_S32, 1, 1, &at), tf_ints(m, DTYPE_S32, 1, 1, &next),
                      tf_ints(m, DTYPE_S32, 1, 1, &one)};
    TfAttr slice[] = {tf_of_type("T", DTYPE_S32),      tf_of_type("Index", DTYPE_S32), tf_of_int("begin_mask", 0),
                      tf_of_int("end_mask", 0),        tf_of_int("ellipsis_mask", 0),  tf_of_int("new_axis_mask", 0),
                      tf_of_int("shrink_axis_mask", 1)};
    if (!tf_add(m, "StridedSlice", 4, in, 7, slice)) return false;
    int64_t rest = -1;
    TfTensor size = m->pool.data[m->pool.len - 1], parts[2] = {size, tf_ints(m, DTYPE_S32, 0, 1, &rest)};
    if (random_chance(m->r, 30)) parts[0] = parts[1], parts[1] = size;
    TfAttr pack[] = {tf_of_type("T", DTYPE_S32), tf_of_int("N", 2), tf_of_int("axis", 0)};
    if (!tf_add(m, "Pack", 2, parts, 3, pack)) return false;
    TfTensor both[2] = {x, m->pool.data[m->pool.len - 1]};
    TfAttr a[] = {tf_type_of(&x), tf_of_type("Tshape", DTYPE_S32)};
    return tf_add(m, "Reshape", 2, both, 2, a);
}

bool tf_make_expand_dims(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 4)};
    int64_t axis = random_between(m->r, -in[0].rank - 1, in[0].rank);
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tdim", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_squeeze(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t dims[MAX_RANK];
    uint32_t n = 0;
    for (int k = 0; k < x.rank; k++)
        if (x.known[k] && x.sizes[0][k] == 1 && random_chance(m->r, 70)) dims[n++] = k;
    if (!n) return false;
    TfAttr a[] = {tf_type_of(&x), tf_of_ints(m, "squeeze_dims", n, dims)};
    return tf_add(m, row->op, 1, &x, 2, a);
}

bool tf_make_broadcast_to(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 4)};
    int64_t to[MAX_RANK], n = 0;
    if (random_chance(m->r, 50)) to[n++] = random_between(m->r, 1, 4);
    for (int k = 0; k < in[0].rank; k++) {
        if (in[0].sizes[0][k] != in[0].sizes[1][k]) return false;
        to[n++] = in[0].sizes[0][k] == 1 ? random_between(m->r, 1, 5) : in[0].sizes[0][k];
    }
    in[1] = tf_ints(m, DTYPE_S32, 1, n, to);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

bool tf_make_tile(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    int64_t times[MAX_RANK];
    for (int k = 0; k < in[0].rank; k++) times[k] = random_chance(m->r, 60) ? 1 : random_between(m->r, 0, 3);
    in[1] = tf_ints(m, DTYPE_S32, 1, in[0].rank, times);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("Tmultiples", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}
