/* random_tf_makers: nodes of TensorFlow's op types, one maker for all types of a family. */
#include "random_tf.h"

#include <math.h>
#include <string.h>

enum { MOST_PARTS = 4 };

static TfAttr type_of(const TfTensor *t) {
    return tf_of_type("T", t->dtype);
}

static int64_t least_size(const TfTensor *t, int k) {
    return t->sizes[0][k] < t->sizes[1][k] ? t->sizes[0][k] : t->sizes[1][k];
}

static DType index_type(TfMaker *m) {
    return random_chance(m->r, 60) ? DTYPE_S32 : DTYPE_S64;
}

/* An axis of t, negative now and then. */
static int64_t pick_axis(TfMaker *m, const TfTensor *t) {
    return random_below(m->r, t->rank) - (random_chance(m->r, 30) ? t->rank : 0);
}

static TfTensor axis_tensor(TfMaker *m, const TfTensor *t) {
    int64_t axis = pick_axis(m, t);
    return tf_ints(m, DTYPE_S32, 0, 1, &axis);
}

/* ---- element-wise */

static bool unary(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 0, 5);
    TfAttr a[] = {type_of(&x), tf_of_float("alpha", 0.3)};
    return tf_add(m, row->op, 1, &x, strcmp(row->op, "LeakyRelu") == 0 ? 2 : 1, a);
}

static bool binary(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 5)};
    in[1] = tf_like(m, in[0].dtype, &in[0], true);
    if (random_chance(m->r, 20)) {
        TfTensor t = in[0];
        in[0] = in[1];
        in[1] = t;
    }
    TfAttr a = type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

static bool alike(TfMaker *m, const TfRow *row) { /* two of one shape */
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 5)};
    in[1] = tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a = type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

static bool add_n(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS] = {tf_pick(m, row->classes, 0, 4)};
    uint32_t n = (uint32_t)random_between(m->r, 1, MOST_PARTS);
    for (uint32_t i = 1; i < n; i++) in[i] = tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a[] = {type_of(&in[0]), tf_of_int("N", n)};
    return tf_add(m, row->op, n, in, 2, a);
}

static bool clip(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 0, 5)}, scalar = {.rank = 0};
    in[1] = tf_like(m, in[0].dtype, random_chance(m->r, 50) ? &scalar : &in[0], false);
    in[2] = tf_like(m, in[0].dtype, random_chance(m->r, 50) ? &scalar : &in[0], false);
    TfAttr a = type_of(&in[0]);
    return tf_add(m, row->op, 3, in, 1, &a);
}

static bool select_of(TfMaker *m, const TfRow *row) {
    bool v2 = strcmp(row->op, "SelectV2") == 0;
    TfTensor x = tf_pick(m, row->classes, 0, 5),
             in[3] = {tf_like(m, DTYPE_BOOL, &x, v2), x, tf_like(m, x.dtype, &x, v2)};
    TfAttr a = type_of(&x);
    return tf_add(m, row->op, 3, in, 1, &a);
}

static bool cast(TfMaker *m, const TfRow *row) {
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

static bool reduce(TfMaker *m, const TfRow *row) {
    bool logical = strcmp(row->op, "All") == 0 || strcmp(row->op, "Any") == 0;
    TfTensor in[2] = {tf_pick(m, logical ? "B" : row->classes, 0, 5)};
    int64_t axes[MAX_RANK], n = 0;
    for (int k = 0; k < in[0].rank; k++)
        if (random_chance(m->r, 45)) axes[n++] = k - (random_chance(m->r, 25) ? in[0].rank : 0);
    DType t = index_type(m);
    in[1] = n == 1 && random_chance(m->r, 40) ? tf_ints(m, t, 0, 1, axes) : tf_ints(m, t, 1, n, axes);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tidx", t), tf_of_bool("keep_dims", random_chance(m->r, 40))};
    return tf_add(m, row->op, 2, in, 3, a);
}

static bool arg_reduce(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 5)};
    in[1] = axis_tensor(m, &in[0]);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32), tf_of_type("output_type", index_type(m))};
    return tf_add(m, row->op, 2, in, 3, a);
}

static bool cumulate(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    in[1] = axis_tensor(m, &in[0]);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32), tf_of_bool("exclusive", random_chance(m->r, 40)),
                  tf_of_bool("reverse", random_chance(m->r, 40))};
    return tf_add(m, row->op, 2, in, 4, a);
}

static bool softmax(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 4);
    TfAttr a = type_of(&x);
    return tf_add(m, row->op, 1, &x, 1, &a);
}

/* ---- shapes */

static bool shape_of_value(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 0, 5);
    TfAttr a[] = {type_of(&x), tf_of_type("out_type", index_type(m))};
    return strcmp(row->op, "ShapeN") != 0 && tf_add(m, row->op, 1, &x, 2, a);
}

/* The numbers of elements of shapes that hold as many as t: joined dims, with -1 somewhere. */
static bool reshape(TfMaker *m, const TfRow *row) {
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
    DType t = index_type(m);
    in[1] = tf_ints(m, t, 1, n, to);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tshape", t)};
    return tf_add(m, row->op, 2, in, 2, a);
}

/* Shape, a slice of it, Pack, Reshape: as models compute sizes. */
static bool computed_reshape(TfMaker *m, const TfRow *row) {
    (void)row;
    TfTensor x = tf_pick(m, "FIUB", 2, 5);
    TfAttr shape_attrs[] = {type_of(&x), tf_of_type("out_type", DTYPE_S32)};
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
    TfAttr a[] = {type_of(&x), tf_of_type("Tshape", DTYPE_S32)};
    return tf_add(m, "Reshape", 2, both, 2, a);
}

static bool expand_dims(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 4)};
    int64_t axis = random_between(m->r, -in[0].rank - 1, in[0].rank);
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tdim", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

static bool squeeze(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t dims[MAX_RANK];
    uint32_t n = 0;
    for (int k = 0; k < x.rank; k++)
        if (x.known[k] && x.sizes[0][k] == 1 && random_chance(m->r, 70)) dims[n++] = k;
    if (!n) return false;
    TfAttr a[] = {type_of(&x), tf_of_ints(m, "squeeze_dims", n, dims)};
    return tf_add(m, row->op, 1, &x, 2, a);
}

static bool broadcast_to(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 0, 4)};
    int64_t to[MAX_RANK], n = 0;
    if (random_chance(m->r, 50)) to[n++] = random_between(m->r, 1, 4);
    for (int k = 0; k < in[0].rank; k++) {
        if (in[0].sizes[0][k] != in[0].sizes[1][k]) return false;
        to[n++] = in[0].sizes[0][k] == 1 ? random_between(m->r, 1, 5) : in[0].sizes[0][k];
    }
    in[1] = tf_ints(m, DTYPE_S32, 1, n, to);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

static bool tile(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    int64_t times[MAX_RANK];
    for (int k = 0; k < in[0].rank; k++) times[k] = random_chance(m->r, 60) ? 1 : random_between(m->r, 0, 3);
    in[1] = tf_ints(m, DTYPE_S32, 1, in[0].rank, times);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tmultiples", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

/* ---- moving data */

static bool strided_slice(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t begin[MAX_RANK], end[MAX_RANK], stride[MAX_RANK], masks[5] = {0};
    int n = (int)random_between(m->r, 1, x.rank);
    for (int i = 0; i < n; i++) {
        int64_t size = least_size(&x, i);
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
    TfAttr a[] = {type_of(&x),
                  tf_of_type("Index", DTYPE_S32),
                  tf_of_int("begin_mask", masks[0]),
                  tf_of_int("end_mask", masks[1]),
                  tf_of_int("ellipsis_mask", masks[2]),
                  tf_of_int("new_axis_mask", masks[3]),
                  tf_of_int("shrink_axis_mask", masks[4])};
    return tf_add(m, row->op, 4, in, 7, a);
}

static bool slice(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t begin[MAX_RANK], size[MAX_RANK];
    for (int i = 0; i < x.rank; i++) {
        begin[i] = random_below(m->r, least_size(&x, i) + 1);
        size[i] = random_chance(m->r, 50) ? -1 : random_between(m->r, 0, least_size(&x, i) - begin[i]);
    }
    DType t = index_type(m);
    TfTensor in[3] = {x, tf_ints(m, t, 1, x.rank, begin), tf_ints(m, t, 1, x.rank, size)};
    TfAttr a[] = {type_of(&x), tf_of_type("Index", t)};
    return tf_add(m, row->op, 3, in, 2, a);
}

static bool split(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t axis = pick_axis(m, &x), at = axis < 0 ? axis + x.rank : axis, size = x.sizes[0][at], parts = 0;
    TfTensor where = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    if (strcmp(row->op, "Split") == 0) {
        for (int64_t n = random_between(m->r, 1, 5); n > 0 && !parts; n--)
            if (size % n == 0 && x.sizes[1][at] % n == 0) parts = n;
        TfTensor in[2] = {where, x};
        TfAttr a[] = {type_of(&x), tf_of_int("num_split", parts)};
        return tf_add(m, row->op, 2, in, 2, a);
    }
    int64_t sizes[3] = {random_between(m->r, 0, least_size(&x, (int)at)), -1, 0};
    TfTensor in[3] = {x, tf_ints(m, DTYPE_S32, 1, 2, sizes), where};
    TfAttr a[] = {type_of(&x), tf_of_int("num_split", 2), tf_of_type("Tlen", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

static bool pack(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS] = {tf_pick(m, row->classes, 0, 4)};
    uint32_t n = (uint32_t)random_between(m->r, 1, MOST_PARTS);
    for (uint32_t i = 1; i < n; i++) in[i] = tf_like(m, in[0].dtype, &in[0], false);
    TfAttr a[] = {type_of(&in[0]), tf_of_int("N", n),
                  tf_of_int("axis", random_between(m->r, -in[0].rank - 1, in[0].rank))};
    return tf_add(m, row->op, n, in, 3, a);
}

static bool unpack(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5);
    int64_t axis = pick_axis(m, &x), at = axis < 0 ? axis + x.rank : axis;
    if (x.sizes[0][at] > 8 || x.sizes[0][at] < 1 || x.sizes[0][at] != x.sizes[1][at]) return false;
    TfAttr a[] = {type_of(&x), tf_of_int("num", x.sizes[0][at]), tf_of_int("axis", axis)};
    return tf_add(m, row->op, 1, &x, 3, a);
}

static bool concat(TfMaker *m, const TfRow *row) {
    TfTensor in[MOST_PARTS + 1] = {tf_pick(m, row->classes, 1, 5)};
    uint32_t n = (uint32_t)random_between(m->r, 2, MOST_PARTS);
    int64_t axis = pick_axis(m, &in[0]);
    int at = (int)(axis < 0 ? axis + in[0].rank : axis);
    for (uint32_t i = 1; i < n; i++) {
        TfTensor part = in[0];
        if (random_chance(m->r, 40))
            part.sizes[0][at] = part.sizes[1][at] = random_between(m->r, 0, 6), part.known[at] = true;
        in[i] = tf_like(m, in[0].dtype, &part, false);
    }
    if (strcmp(row->op, "ConcatV2") != 0) return false;
    in[n] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {type_of(&in[0]), tf_of_int("N", n), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, row->op, n + 1, in, 3, a);
}

static bool transpose(TfMaker *m, const TfRow *row) {
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
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tperm", DTYPE_S32)};
    return tf_add(m, row->op, 2, in, 2, a);
}

static bool roll(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 5), in[3] = {x, {.rank = -1}, axis_tensor(m, &x)};
    int64_t shift = random_between(m->r, -9, 9);
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &shift);
    TfAttr a[] = {type_of(&x), tf_of_type("Tshift", DTYPE_S32), tf_of_type("Taxis", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

static bool pad(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 5)}, scalar = {.rank = 0};
    bool mirror = strcmp(row->op, "MirrorPad") == 0;
    int64_t dims[2] = {in[0].rank, 2};
    Tensor paddings = tensor_new(m->arena, DTYPE_S32, 2, dims);
    for (int64_t i = 0; i < 2 * in[0].rank; i++) {
        int64_t most = mirror ? least_size(&in[0], (int)(i / 2)) - 1 : 3;
        tensor_set_i64(&paddings, i,
                       random_chance(m->r, 50) && most > 0 ? random_below(m->r, (most < 3 ? most : 3) + 1) : 0);
    }
    in[1] = tf_constant(m, &paddings);
    bool v2 = strcmp(row->op, "PadV2") == 0;
    if (v2) in[2] = tf_like(m, in[0].dtype, &scalar, false);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tpaddings", DTYPE_S32),
                  tf_of_string("mode", random_chance(m->r, 50) ? "REFLECT" : "SYMMETRIC")};
    return tf_add(m, row->op, v2 ? 3 : 2, in, mirror ? 3 : 2, a);
}

static TfTensor index_tensor(TfMaker *m, DType t, int rank, const int64_t *dims, int64_t below) {
    Tensor at = random_tensor(m->arena, m->r, t, rank, dims, FILL_INDEXES, below, false);
    return tf_constant(m, &at);
}

static bool gather(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 4)};
    bool v2 = strcmp(row->op, "GatherV2") == 0;
    int64_t axis = v2 ? pick_axis(m, &in[0]) : 0, dims[2] = {random_between(m->r, 0, 6), random_between(m->r, 1, 3)};
    DType t = index_type(m);
    if (least_size(&in[0], (int)(axis < 0 ? axis + in[0].rank : axis)) < 1 || strcmp(row->op, "ResourceGather") == 0)
        return false;
    in[1] = index_tensor(m, t, (int)random_below(m->r, 3), dims,
                         least_size(&in[0], (int)(axis < 0 ? axis + in[0].rank : axis)));
    in[2] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {tf_of_type("Tparams", in[0].dtype), tf_of_type("Tindices", t), tf_of_type("Taxis", DTYPE_S32),
                  tf_of_int("batch_dims", 0)};
    return tf_add(m, row->op, v2 ? 3 : 2, in, v2 ? 4 : 2, a);
}

static bool one_hot(TfMaker *m, const TfRow *row) {
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

static bool depth_space(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 4, 4);
    TfAttr a[] = {type_of(&x), tf_of_int("block_size", random_between(m->r, 2, 3)),
                  tf_of_string("data_format", "NHWC")};
    return tf_add(m, row->op, 1, &x, 3, a);
}

/* ---- products and windows */

static bool matmul(TfMaker *m, const TfRow *row) {
    bool batch = strncmp(row->op, "Batch", 5) == 0;
    TfTensor in[2] = {tf_pick(m, row->classes, 2, batch ? 4 : 2)}, b;
    bool ta = random_chance(m->r, 30), tb = random_chance(m->r, 30);
    b = in[0];
    int r = b.rank;
    int64_t n = random_between(m->r, 1, 20);
    for (int i = 0; i < N_BINDINGS; i++) {
        int64_t k = in[0].sizes[i][ta ? r - 2 : r - 1];
        b.sizes[i][tb ? r - 1 : r - 2] = k;
        b.sizes[i][tb ? r - 2 : r - 1] = n;
    }
    b.known[r - 1] = b.known[r - 2] = true;
    if (batch && strcmp(row->op, "BatchMatMul") != 0 && random_chance(m->r, 30))
        for (int i = 0; i + 2 < r; i++) b.sizes[0][i] = b.sizes[1][i] = 1, b.known[i] = true;
    in[1] = tf_like(m, in[0].dtype, &b, false);
    TfAttr a[] = {type_of(&in[0]), tf_of_bool(batch ? "adj_x" : "transpose_a", ta),
                  tf_of_bool(batch ? "adj_y" : "transpose_b", tb)};
    return tf_add(m, row->op, 2, in, 3, a);
}

static TfTensor image(TfMaker *m, const char *classes, int spatial) {
    TfTensor x = tf_pick(m, classes, spatial + 2, spatial + 2);
    int c = x.rank - 1;
    bool good = x.known[c] && x.sizes[0][c] > 0 && x.sizes[0][c] < 40;
    if (good) return x;
    for (int k = 1; k < x.rank; k++) x.sizes[0][k] = x.sizes[1][k] = random_between(m->r, 2, 8), x.known[k] = true;
    return tf_like(m, x.dtype, &x, false);
}

static bool conv(TfMaker *m, const TfRow *row) {
    bool depthwise = strncmp(row->op, "Depthwise", 9) == 0;
    int spatial = strcmp(row->op, "Conv3D") == 0 ? 3 : 2;
    TfTensor in[2] = {image(m, "F", spatial)};
    int64_t dims[5], stride = random_chance(m->r, 70) ? 1 : 2,
                     dilation = stride == 1 && random_chance(m->r, 20) ? 2 : 1, channels = in[0].sizes[0][spatial + 1];
    int64_t strides[5] = {1, stride, stride, stride, 1}, dilations[5] = {1, dilation, dilation, dilation, 1};
    strides[spatial + 1] = dilations[spatial + 1] = 1;
    for (int i = 0; i < spatial; i++) dims[i] = random_between(m->r, 1, 3);
    dims[spatial] = channels;
    dims[spatial + 1] = depthwise ? random_between(m->r, 1, 2) : random_between(m->r, 1, 9);
    Tensor w = random_tensor(m->arena, m->r, in[0].dtype, spatial + 2, dims, FILL_UNIFORM, 0, false);
    in[1] = tf_constant(m, &w);
    uint32_t n = (uint32_t)spatial + 2;
    TfAttr a[] = {type_of(&in[0]), tf_of_ints(m, "strides", n, strides),
                  tf_of_string("padding", random_chance(m->r, 60) ? "SAME" : "VALID"),
                  tf_of_string("data_format", spatial == 3 ? "NDHWC" : "NHWC"),
                  tf_of_ints(m, "dilations", n, dilations)};
    return tf_add(m, row->op, 2, in, 5, a);
}

static bool pool(TfMaker *m, const TfRow *row) {
    int spatial = strstr(row->op, "3D") ? 3 : 2;
    TfTensor x = image(m, "F", spatial);
    int64_t size = random_between(m->r, 1, 3), stride = random_between(m->r, 1, 2),
            window[5] = {1, size, size, size, 1}, strides[5] = {1, stride, stride, stride, 1};
    window[spatial + 1] = strides[spatial + 1] = 1;
    uint32_t n = (uint32_t)spatial + 2;
    TfAttr a[] = {type_of(&x), tf_of_ints(m, "ksize", n, window), tf_of_ints(m, "strides", n, strides),
                  tf_of_string("padding", random_chance(m->r, 60) ? "SAME" : "VALID"),
                  tf_of_string("data_format", spatial == 3 ? "NDHWC" : "NHWC")};
    return strcmp(row->op, "MaxPoolV2") != 0 && tf_add(m, row->op, 1, &x, 5, a);
}

static bool bias_add(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 2, 5)}, channels = {.rank = 1};
    for (int b = 0; b < N_BINDINGS; b++) channels.sizes[b][0] = in[0].sizes[b][in[0].rank - 1];
    channels.known[0] = in[0].known[in[0].rank - 1];
    in[1] = tf_like(m, in[0].dtype, &channels, false);
    TfAttr a = type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

static bool batch_norm(TfMaker *m, const TfRow *row) {
    TfTensor in[5] = {image(m, "F", 2)};
    if (in[0].dtype != DTYPE_F32 || strcmp(row->op, "_FusedBatchNormEx") == 0) return false;
    int64_t channels = in[0].sizes[0][3];
    for (int i = 1; i < 5; i++) {
        Tensor t = random_tensor(m->arena, m->r, DTYPE_F32, 1, &channels, FILL_UNIFORM, 0, false);
        for (int64_t k = 0; i == 4 && k < channels; k++) tensor_set_f64(&t, k, 0.25 + fabs(tensor_get_f64(&t, k)));
        in[i] = tf_constant(m, &t);
    }
    TfAttr a[] = {type_of(&in[0]), tf_of_type("U", DTYPE_F32), tf_of_float("epsilon", 1e-3),
                  tf_of_string("data_format", "NHWC"), tf_of_bool("is_training", false)};
    return tf_add(m, row->op, 5, in, 5, a);
}

/* ---- host functions */

static bool where(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 4);
    TfAttr a = type_of(&x);
    return tf_add(m, row->op, 1, &x, 1, &a);
}

static bool top_k(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 1, 4)};
    int64_t k = random_between(m->r, 0, least_size(&in[0], in[0].rank - 1));
    in[1] = tf_ints(m, DTYPE_S32, 0, 1, &k);
    TfAttr a[] = {type_of(&in[0]), tf_of_bool("sorted", true), tf_of_int("k", k)};
    bool v2 = strcmp(row->op, "TopKV2") == 0;
    return tf_add(m, row->op, v2 ? 2 : 1, in, v2 ? 2 : 3, a);
}

static bool unique(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, row->classes, 1, 1);
    TfAttr a[] = {type_of(&x), tf_of_type("out_idx", index_type(m))};
    return strstr(row->op, "V2") == NULL && tf_add(m, row->op, 1, &x, 2, a);
}

static bool segment(TfMaker *m, const TfRow *row) {
    TfTensor in[3] = {tf_pick(m, row->classes, 1, 3)};
    if (in[0].sizes[0][0] != in[0].sizes[1][0] || strstr(row->op, "V2")) return false;
    int64_t n = in[0].sizes[0][0], segments = random_between(m->r, 1, 6);
    in[1] = index_tensor(m, DTYPE_S32, 1, &n, segments);
    in[2] = tf_ints(m, DTYPE_S32, 0, 1, &segments);
    TfAttr a[] = {type_of(&in[0]), tf_of_type("Tindices", DTYPE_S32), tf_of_type("Tnumsegments", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 3, a);
}

static bool string_op(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "S", 0, 3);
    TfAttr a = tf_of_int("num_buckets", 100);
    return tf_add(m, row->op, 1, &x, 1, &a);
}

/* Columns of the tables: which import function (or shape function and file of a host op) goes to which maker. */
static const TfFamily families[] = {
    {"unary", unary, "F", false},
    {"unary", unary, "FIU", false},
    {"rounding", unary, "F", false},
    {"square", unary, "FI", false},
    {"reciprocal", unary, "F", false},
    {"popcount", unary, "IU", false},
    {"relu", unary, "F", false},
    {"relu6", unary, "F", false},
    {"elu", unary, "F", false},
    {"selu", unary, "F", false},
    {"leaky_relu", unary, "F", false},
    {"softsign", unary, "F", false},
    {"identity", unary, "FIUBS", false},
    {"like", unary, "FIU", false},
    {"binary", binary, "F", false},
    {"binary", binary, "FIUB", false},
    {"equal", binary, "FIUBS", false},
    {"squared_difference", binary, "FI", false},
    {"guarded", binary, "F", false},
    {"add_n", add_n, "FI", false},
    {"gradient_by_result", alike, "F", false},
    {"relu_gradient", alike, "F", false},
    {"elu_gradient", alike, "F", false},
    {"soft_gradient", alike, "F", false},
    {"clip", clip, "FI", false},
    {"select", select_of, "FIUBSC", false},
    {"cast", cast, "FIUB", false},
    {"reduce", reduce, "FIU", false},
    {"reduce", reduce, "F", false},
    {"euclidean_norm", reduce, "F", false},
    {"l2_loss", unary, "F", false},
    {"arg_reduce", arg_reduce, "FIU", false},
    {"cumulate", cumulate, "FI", false},
    {"softmax", softmax, "F", false},
    {"shape", shape_of_value, "FIUBS", false},
    {"size", shape_of_value, "FIUBS", false},
    {"rank", shape_of_value, "FIUBS", false},
    {"reshape", reshape, "FIUBSC", false},
    {"reshape", computed_reshape, "F", false},
    {"reshape", computed_reshape, "F", false},
    {"expand_dims", expand_dims, "FIUBS", false},
    {"squeeze", squeeze, "FIUBS", false},
    {"broadcast_to", broadcast_to, "FIUBS", false},
    {"tile", tile, "FIUBS", false},
    {"strided_slice", strided_slice, "FIUBSC", false},
    {"strided_slice", strided_slice, "F", false},
    {"slice", slice, "FIUBS", false},
    {"split", split, "FIUBS", false},
    {"split", split, "F", false},
    {"pack", pack, "FIUBS", false},
    {"unpack", unpack, "FIUBS", false},
    {"concat", concat, "FIUBS", false},
    {"concat", concat, "F", false},
    {"transpose", transpose, "FIUBSC", false},
    {"roll", roll, "FIUBS", false},
    {"pad", pad, "FIU", false},
    {"gather", gather, "FIUBSC", false},
    {"one_hot", one_hot, "I", false},
    {"depth_space", depth_space, "FIU", false},
    {"matmul", matmul, "F", false},
    {"batch_matmul", matmul, "F", false},
    {"conv", conv, "F", false},
    {"depthwise_conv", conv, "F", false},
    {"pool", pool, "F", false},
    {"bias_add", bias_add, "F", false},
    {"fused_batch_norm", batch_norm, "F", false},
    {"where selection", where, "FIUB", true},
    {"top_k selection", top_k, "FIU", true},
    {"unique unique", unique, "FI", true},
    {"unsorted_segment segment", segment, "FI", true},
    {"same special", unary, "F", true},
    {"same complex", unary, "C", true},
    {"broadcast complex", binary, "C", true},
    {"same fft", unary, "C", true},
    {"same strings", string_op, "S", true},
};

const TfFamily *tf_families(uint32_t *out_n) {
    *out_n = ARRAY_LEN(families);
    return families;
}
