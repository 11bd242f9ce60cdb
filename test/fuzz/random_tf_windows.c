/* random_tf_windows: products, convolutions, pooling and normalisation of TensorFlow's op types. */
#include "random_tf.h"

#include <math.h>
#include <string.h>

bool tf_make_matmul(TfMaker *m, const TfRow *row) {
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
    TfAttr a[] = {tf_type_of(&in[0]),
                  tf_of_bool(batch ? "adj_x" : "transpose_a", ta),
                  tf_of_bool(batch ? "adj_y" : "transpose_b", tb),
                  tf_of_type("Ta", in[0].dtype),
                  tf_of_type("Tb", in[0].dtype),
                  tf_of_type("Tout", in[0].dtype)};
    return tf_add(m, row->op, 2, in, 6, a);
}

static TfTensor image(TfMaker *m, const char *classes, int spatial) {
    TfTensor x = tf_pick(m, classes, spatial + 2, spatial + 2);
    int c = x.rank - 1;
    bool good = x.known[c] && x.sizes[0][c] > 0 && x.sizes[0][c] < 40;
    if (good) return x;
    for (int k = 1; k < x.rank; k++) x.sizes[0][k] = x.sizes[1][k] = random_between(m->r, 2, 8), x.known[k] = true;
    return tf_like(m, x.dtype, &x, false);
}

/* Strides, dilations and padding of windows over the spatial axes of x. */
typedef struct {
    int64_t size[5], strides[5], dilations[5], paddings[10];
    const char *padding;
} TfWindow;

static TfWindow pick_window(TfMaker *m, const TfTensor *x, int spatial, bool dilates, bool explicit_too) {
    TfWindow w = {.padding = random_chance(m->r, 50) ? "SAME" : "VALID"};
    int64_t stride = random_chance(m->r, 65) ? 1 : random_between(m->r, 2, 3);
    bool same = random_chance(m->r, 75), fits = true;
    for (int i = 0; i < 5; i++) w.size[i] = w.strides[i] = w.dilations[i] = 1;
    for (int i = 1; i <= spatial; i++) {
        int64_t least = tf_least_size(x, i);
        w.size[i] = random_between(m->r, 1, random_chance(m->r, 80) ? 3 : 5);
        w.strides[i] = same ? stride : random_between(m->r, 1, 3);
        w.dilations[i] = dilates && random_chance(m->r, 20) ? random_between(m->r, 2, 3) : 1;
        fits = fits && (w.size[i] - 1) * w.dilations[i] + 1 <= least;
    }
    if (!fits) w.padding = "SAME";
    if (explicit_too && random_chance(m->r, 25)) {
        w.padding = "EXPLICIT";
        for (int i = 1; i <= spatial; i++) {
            int64_t reach = (w.size[i] - 1) * w.dilations[i], least = tf_least_size(x, i);
            w.paddings[2 * i] = random_below(m->r, w.size[i]);
            w.paddings[2 * i + 1] = random_below(m->r, w.size[i]);
            if (least + w.paddings[2 * i] + w.paddings[2 * i + 1] <= reach) w.paddings[2 * i] += reach;
        }
    }
    return w;
}

static uint32_t window_attrs(TfMaker *m, const TfWindow *w, int spatial, TfAttr *a) {
    uint32_t n = 0, axes = (uint32_t)spatial + 2;
    a[n++] = tf_of_ints(m, "strides", axes, w->strides);
    a[n++] = tf_of_ints(m, "dilations", axes, w->dilations);
    a[n++] = tf_of_string("padding", w->padding);
    a[n++] = tf_of_string("data_format", spatial == 3 ? "NDHWC" : "NHWC");
    if (w->padding[0] == 'E') a[n++] = tf_of_ints(m, "explicit_paddings", 2 * axes, w->paddings);
    return n;
}

static TfTensor filter_of(TfMaker *m, DType t, const TfWindow *w, int spatial, int64_t in, int64_t out) {
    int64_t dims[5];
    for (int i = 0; i < spatial; i++) dims[i] = w->size[i + 1];
    dims[spatial] = in;
    dims[spatial + 1] = out;
    Tensor values = random_tensor(m->arena, m->r, t, spatial + 2, dims, FILL_UNIFORM, 0, false);
    if (random_chance(m->r, 85) || m->w->edges) return tf_constant(m, &values); /* 0 of padding times infinity */
    int64_t sizes[N_BINDINGS][MAX_RANK];
    bool known[MAX_RANK];
    for (int k = 0; k < spatial + 2; k++) sizes[0][k] = sizes[1][k] = dims[k], known[k] = true;
    return tf_leaf(m, t, spatial + 2, (const int64_t(*)[MAX_RANK])sizes, known);
}

bool tf_make_conv(TfMaker *m, const TfRow *row) {
    bool depthwise = strncmp(row->op, "Depthwise", 9) == 0;
    int spatial = strcmp(row->op, "Conv3D") == 0 ? 3 : 2;
    TfTensor in[2] = {image(m, "F", spatial)};
    int64_t channels = in[0].sizes[0][spatial + 1], groups = 1;
    TfWindow w = pick_window(m, &in[0], spatial, !depthwise, spatial == 2);
    if (depthwise) w.strides[2] = w.strides[1];
    if (!depthwise && spatial == 2 && random_chance(m->r, 15))
        for (groups = random_between(m->r, 2, 4); channels % groups; groups--) {
        }
    in[1] = filter_of(m, in[0].dtype, &w, spatial, channels / groups,
                      depthwise ? random_between(m->r, 1, 2) : groups * random_between(m->r, 1, 9));
    TfAttr a[6] = {tf_type_of(&in[0])};
    return tf_add(m, row->op, 2, in, 1 + window_attrs(m, &w, spatial, a + 1), a);
}

/* The gradient to the input of a convolution that gives x. */
bool tf_make_conv_transpose(TfMaker *m, const TfRow *row) {
    bool depthwise = strncmp(row->op, "Depthwise", 9) == 0;
    int spatial = strstr(row->op, "3D") ? 3 : 2;
    TfTensor x = image(m, "F", spatial), in[3];
    if (strcmp(row->op, "Conv3DBackpropInput") == 0 || x.rank < 0) return false;
    TfWindow w = pick_window(m, &x, spatial, false, false);
    if (depthwise) w.strides[2] = w.strides[1];
    int64_t sizes[5], filters = x.sizes[0][spatial + 1];
    bool same = w.padding[0] == 'S';
    for (int i = 1; i <= spatial; i++) {
        if (x.sizes[0][i] != x.sizes[1][i] || x.sizes[0][i] < 1) return false;
        int64_t least = same ? (x.sizes[0][i] - 1) * w.strides[i] + 1 : (x.sizes[0][i] - 1) * w.strides[i] + w.size[i];
        sizes[i] = least + random_below(m->r, w.strides[i]);
    }
    if (x.sizes[0][0] != x.sizes[1][0]) return false;
    sizes[0] = x.sizes[0][0];
    sizes[spatial + 1] = depthwise ? filters : random_between(m->r, 1, 6);
    in[0] = tf_ints(m, DTYPE_S32, 1, spatial + 2, sizes);
    in[1] = filter_of(m, x.dtype, &w, spatial, sizes[spatial + 1], depthwise ? 1 : filters);
    in[2] = x;
    TfAttr a[7] = {tf_type_of(&x), tf_of_type("Tshape", DTYPE_S32)};
    return tf_add(m, row->op, 3, in, 2 + window_attrs(m, &w, spatial, a + 2), a);
}

bool tf_make_pool(TfMaker *m, const TfRow *row) {
    int spatial = strstr(row->op, "3D") ? 3 : 2;
    bool max = strncmp(row->op, "Max", 3) == 0;
    TfTensor x = image(m, "F", spatial);
    if (strcmp(row->op, "MaxPoolV2") == 0 || x.rank < 0 || m->w->edges)
        return false; /* the larger of NaN and a number depends on how windows are walked in TensorFlow */
    TfWindow w = pick_window(m, &x, spatial, false, max && spatial == 2);
    for (int i = 2; i < 10; i++) /* no window lies in padding alone */
        if (w.paddings[i] >= w.size[i / 2]) w.paddings[i] = w.size[i / 2] - 1;
    TfAttr a[7] = {tf_type_of(&x), tf_of_ints(m, "ksize", (uint32_t)spatial + 2, w.size)};
    return tf_add(m, row->op, 1, &x, 2 + window_attrs(m, &w, spatial, a + 2), a);
}

bool tf_make_resize(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {image(m, "FIU", 2)};
    int64_t size[2] = {random_between(m->r, 1, 12), random_between(m->r, 1, 12)}, how = random_below(m->r, 3);
    if (in[0].rank < 0 || tf_least_size(&in[0], 1) < 1 || tf_least_size(&in[0], 2) < 1) return false;
    if (m->w->edges) return false; /* differences of infinities are a matter of how it is written */
    if (random_chance(m->r, 40) && in[0].known[1] && in[0].known[2])
        for (int i = 0; i < 2; i++) size[i] = in[0].sizes[0][i + 1] * random_between(m->r, 1, 2);
    in[1] = tf_ints(m, DTYPE_S32, 1, 2, size);
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_bool("align_corners", how == 1),
                  tf_of_bool("half_pixel_centers", how == 2)};
    return tf_add(m, row->op, 2, in, 3, a);
}

bool tf_make_local_normalisation(TfMaker *m, const TfRow *row) {
    TfTensor x = image(m, "F", 2);
    if (x.dtype != DTYPE_F32 && x.dtype != DTYPE_F16 && x.dtype != DTYPE_BF16) return false;
    TfAttr a[] = {tf_type_of(&x), tf_of_int("depth_radius", random_between(m->r, 1, 5)), tf_of_float("bias", 1),
                  tf_of_float("alpha", 0.5), tf_of_float("beta", 0.5)};
    return tf_add(m, row->op, 1, &x, 5, a);
}

/* ---- patterns of models, for the passes that look for them */

static TfTensor last(TfMaker *m) {
    return m->pool.data[m->pool.len - 1];
}

static bool then(TfMaker *m, const char *op, TfTensor *x) {
    TfAttr a = tf_type_of(x);
    if (!tf_add(m, op, 1, x, 1, &a)) return false;
    *x = last(m);
    return true;
}

static bool join(TfMaker *m, const char *op, TfTensor *x, TfTensor y) {
    TfTensor in[2] = {*x, y};
    TfAttr a[] = {tf_type_of(x), tf_of_string("data_format", "NHWC")};
    if (y.rank < 0 || !tf_add(m, op, 2, in, 2, a)) return false;
    *x = last(m);
    return true;
}

static TfTensor channels_of(TfMaker *m, const TfTensor *x) {
    int64_t n = x->sizes[0][x->rank - 1];
    Tensor t = random_tensor(m->arena, m->r, x->dtype, 1, &n, FILL_UNIFORM, 0, false);
    return tf_constant(m, &t);
}

static bool over_last(TfMaker *m, const char *op, TfTensor *x) {
    int64_t axis = random_chance(m->r, 50) ? -1 : x->rank - 1;
    TfTensor in[2] = {*x, tf_ints(m, DTYPE_S32, random_chance(m->r, 50), 1, &axis)};
    TfAttr a[] = {tf_type_of(x), tf_of_type("Tidx", DTYPE_S32), tf_of_bool("keep_dims", true)};
    if (!tf_add(m, op, 2, in, 3, a)) return false;
    *x = last(m);
    return true;
}

/* What follows a product: a bias, a factor and an offset for each channel, an activation. */
typedef struct {
    bool bias, scale;
    const char *times, *plus, *activation; /* activation: NULL for none */
} Layer;

static Layer pick_layer(TfMaker *m) {
    static const char *const activations[] = {"Relu", "Relu6", "Elu", "Sigmoid", "Tanh", "Softplus"};
    return (Layer){.bias = random_chance(m->r, 50),
                   .scale = random_chance(m->r, 50),
                   .times = random_chance(m->r, 50) ? "Mul" : "RealDiv",
                   .plus = random_chance(m->r, 50) ? "AddV2" : "Sub",
                   .activation = random_chance(m->r, 60) ? activations[random_below(m->r, 6)] : NULL};
}

static bool product_of(TfMaker *m, TfTensor *x, const TfWindow *w, bool image_like, int64_t columns) {
    TfTensor in[2] = {*x};
    TfAttr a[6] = {tf_type_of(x)};
    int64_t k = x->sizes[0][x->rank - 1], dims[2] = {k, columns};
    Tensor weights = random_tensor(m->arena, m->r, x->dtype, 2, dims, FILL_UNIFORM, 0, false);
    in[1] = image_like ? filter_of(m, x->dtype, w, 2, k, columns) : tf_constant(m, &weights);
    uint32_t n_attrs = image_like ? 1 + window_attrs(m, w, 2, a + 1) : 1;
    if (!tf_add(m, image_like ? "Conv2D" : "MatMul", 2, in, n_attrs, a)) return false;
    *x = last(m);
    return true;
}

static bool layer_of(TfMaker *m, TfTensor *x, const Layer *l) {
    if (l->bias && !join(m, "BiasAdd", x, channels_of(m, x))) return false;
    if (l->scale && !join(m, l->times, x, channels_of(m, x))) return false;
    if (l->scale && !join(m, l->plus, x, channels_of(m, x))) return false;
    return !l->activation || then(m, l->activation, x);
}

/* A layer, or several of one input, alike or not, that are joined or go on alone. */
static bool block_of_layers(TfMaker *m) {
    bool image_like = random_chance(m->r, 60), alike = random_chance(m->r, 60);
    TfTensor x = image_like ? image(m, "F", 2) : tf_pick(m, "F", 2, 2), parts[3], all[4];
    if (x.rank < 0 || !x.known[x.rank - 1] || x.sizes[0][x.rank - 1] < 1) return false;
    uint32_t n = random_chance(m->r, 50) ? (uint32_t)random_between(m->r, 2, 3) : 1;
    TfWindow w = image_like ? pick_window(m, &x, 2, false, false) : (TfWindow){.padding = "SAME"},
             one = {
                 .size = {1, 1, 1, 1, 1}, .strides = {1, 1, 1, 1, 1}, .dilations = {1, 1, 1, 1, 1}, .padding = "SAME"};
    Layer layer = pick_layer(m);
    uint32_t before = m->pool.len;
    for (uint32_t i = 0; i < n; i++) {
        parts[i] = x;
        if (!product_of(m, &parts[i], &w, image_like, random_between(m->r, 1, 12))) return false;
        if (!alike) layer = pick_layer(m);
        if (!layer_of(m, &parts[i], &layer)) return false;
    }
    if (n == 1) return true;
    int64_t axis = x.rank - 1, how = random_below(m->r, 5);
    for (uint32_t i = 0; i < n; i++) {
        if (how < 3 && !product_of(m, &parts[i], &one, image_like, random_between(m->r, 1, 9))) return false;
        all[i] = parts[i];
    }
    m->pool.len = before; /* what lies between has no other readers, as in models */
    for (uint32_t i = 0; i < n; i++) vec_push(m->arena, &m->pool, parts[i]);
    if (how < 4) return true;
    all[n] = tf_ints(m, DTYPE_S32, 0, 1, &axis);
    TfAttr a[] = {tf_type_of(&x), tf_of_int("N", n), tf_of_type("Tidx", DTYPE_S32)};
    return tf_add(m, "ConcatV2", n + 1, all, 3, a);
}

/* Functions written out: softmax, sigmoid, softplus, layer normalisation, swish. */
bool tf_make_pattern(TfMaker *m, const TfRow *row) {
    (void)row;
    int64_t how = random_below(m->r, 8);
    if (how < 4) return block_of_layers(m);
    TfTensor x = tf_pick(m, "F", 1, 4), y = x, z;
    Tensor one = tensor_scalar_f64(m->arena, x.dtype, 1), small = tensor_scalar_f64(m->arena, x.dtype, 0.01);
    switch (how) {
    case 4: /* softmax */
        if (!over_last(m, "Max", &y)) return false;
        z = x;
        if (!join(m, "Sub", &z, y) || !then(m, "Exp", &z)) return false;
        y = z;
        return over_last(m, "Sum", &y) && join(m, "RealDiv", &z, y);
    case 5: /* 1 / (1 + exp(-x)), with x again for swish */
        if (!then(m, "Neg", &y) || !then(m, "Exp", &y) || !join(m, "AddV2", &y, tf_constant(m, &one))) return false;
        z = tf_constant(m, &one);
        if (!join(m, "RealDiv", &z, y)) return false;
        return random_chance(m->r, 50) || join(m, "Mul", &z, x);
    case 6: /* log(1 + exp(x)) */
        return then(m, "Exp", &y) && join(m, "AddV2", &y, tf_constant(m, &one)) && then(m, "Log", &y);
    default: /* (x - mean) * rsqrt(variance + epsilon) * scale + offset */
        if (!x.known[x.rank - 1] || !over_last(m, "Mean", &y)) return false;
        z = x;
        if (!join(m, "SquaredDifference", &z, y) || !over_last(m, "Mean", &z)) return false;
        if (!join(m, "AddV2", &z, tf_constant(m, &small)) || !then(m, "Rsqrt", &z)) return false;
        return join(m, "Sub", &x, y) && join(m, "Mul", &x, z) && join(m, "Mul", &x, channels_of(m, &x)) &&
               join(m, "AddV2", &x, channels_of(m, &x));
    }
}

bool tf_make_bias_add(TfMaker *m, const TfRow *row) {
    TfTensor in[2] = {tf_pick(m, row->classes, 2, 5)}, channels = {.rank = 1};
    for (int b = 0; b < N_BINDINGS; b++) channels.sizes[b][0] = in[0].sizes[b][in[0].rank - 1];
    channels.known[0] = in[0].known[in[0].rank - 1];
    in[1] = tf_like(m, in[0].dtype, &channels, false);
    TfAttr a = tf_type_of(&in[0]);
    return tf_add(m, row->op, 2, in, 1, &a);
}

bool tf_make_batch_norm(TfMaker *m, const TfRow *row) {
    TfTensor in[5] = {image(m, "F", 2)};
    if (in[0].dtype != DTYPE_F32 || strcmp(row->op, "_FusedBatchNormEx") == 0) return false;
    int64_t channels = in[0].sizes[0][3];
    for (int i = 1; i < 5; i++) {
        Tensor t = random_tensor(m->arena, m->r, DTYPE_F32, 1, &channels, FILL_UNIFORM, 0, false);
        for (int64_t k = 0; i == 4 && k < channels; k++) tensor_set_f64(&t, k, 0.25 + fabs(tensor_get_f64(&t, k)));
        in[i] = tf_constant(m, &t);
    }
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_type("U", DTYPE_F32), tf_of_float("epsilon", 1e-3),
                  tf_of_string("data_format", "NHWC"), tf_of_bool("is_training", false)};
    uint32_t before = m->pool.len;
    if (!tf_add(m, row->op, 5, in, 5, a)) return false;
    if (m->pool.len > before + 1) m->pool.len = before + 1; /* the others are only defined in training */
    return true;
}
