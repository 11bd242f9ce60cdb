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
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_bool(batch ? "adj_x" : "transpose_a", ta),
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

bool tf_make_conv(TfMaker *m, const TfRow *row) {
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
    TfAttr a[] = {tf_type_of(&in[0]), tf_of_ints(m, "strides", n, strides),
                  tf_of_string("padding", random_chance(m->r, 60) ? "SAME" : "VALID"),
                  tf_of_string("data_format", spatial == 3 ? "NDHWC" : "NHWC"),
                  tf_of_ints(m, "dilations", n, dilations)};
    return tf_add(m, row->op, 2, in, 5, a);
}

bool tf_make_pool(TfMaker *m, const TfRow *row) {
    int spatial = strstr(row->op, "3D") ? 3 : 2;
    TfTensor x = image(m, "F", spatial);
    int64_t size = random_between(m->r, 1, 3), stride = random_between(m->r, 1, 2),
            window[5] = {1, size, size, size, 1}, strides[5] = {1, stride, stride, stride, 1};
    window[spatial + 1] = strides[spatial + 1] = 1;
    uint32_t n = (uint32_t)spatial + 2;
    TfAttr a[] = {tf_type_of(&x), tf_of_ints(m, "ksize", n, window), tf_of_ints(m, "strides", n, strides),
                  tf_of_string("padding", random_chance(m->r, 60) ? "SAME" : "VALID"),
                  tf_of_string("data_format", spatial == 3 ? "NDHWC" : "NHWC")};
    return strcmp(row->op, "MaxPoolV2") != 0 && tf_add(m, row->op, 1, &x, 5, a);
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
    return tf_add(m, row->op, 5, in, 5, a);
}
