/* make_model: writes GraphDefs of well-known networks with seeded weights, for demo, tests and benchmarks.
   usage: make_model resnet50|mobilenet_v2|bert OUT.pb [BATCH] [DEPTH] [SEED]
   BATCH 0 = unknown. DEPTH: blocks of each ResNet stage or bottleneck group are cut to it, transformer layers of BERT;
   0 = all. ResNet-50: He et al. 2015 (v1.5: stride in the 3x3). MobileNetV2: Sandler et al. 2018. BERT-base: Devlin et
   al. 2018, sequence of 128. */
#include "base/diag.h"
#include "export/graphdef_writer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char name[96];
    int64_t size, channels; /* height = width */
} Feature;

/* "a/b" into out[96]. */
static char *join(char *out, const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    CHECK(n + m + 2 <= 96);
    memcpy(out, a, n);
    out[n] = '/';
    memcpy(out + n + 1, b, m + 1);
    return out;
}

static void unary(GraphWriter *w, const char *name, const char *op, const char *x) {
    NodeWriter n = node_begin(w, name, op, 1, &x);
    node_attr_type(&n, "T", TF_FLOAT);
    node_end(&n);
}

static void binary(GraphWriter *w, const char *name, const char *op, const char *x, const char *y) {
    NodeWriter n = node_begin(w, name, op, 2, (const char *const[]){x, y});
    node_attr_type(&n, "T", TF_FLOAT);
    node_end(&n);
}

/* Convolution, batch norm, activation ("" = none). Weights keep the variance; `gain` scales the branch's result. */
static Feature conv_bn(GraphWriter *w, Feature x, const char *name, int64_t filters, int64_t kernel, int64_t stride,
                       bool depthwise, const char *activation, double gain) {
    char weight[96], conv[96], scale[96], offset[96], mean[96], variance[96], norm[96];
    Feature y = {.size = (x.size + stride - 1) / stride, .channels = depthwise ? x.channels : filters};
    int64_t fan_in = kernel * kernel * (depthwise ? 1 : x.channels);
    write_weights(w, join(weight, name, "kernel"), 4, (int64_t[]){kernel, kernel, x.channels, depthwise ? 1 : filters},
                  0, sqrt(2.0 / (double)fan_in));
    NodeWriter n = node_begin(w, join(conv, name, "conv"), depthwise ? "DepthwiseConv2dNative" : "Conv2D", 2,
                              (const char *const[]){x.name, weight});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_ints(&n, "strides", 4, (int64_t[]){1, stride, stride, 1});
    node_attr_ints(&n, "dilations", 4, (int64_t[]){1, 1, 1, 1});
    node_attr_string(&n, "padding", "SAME");
    node_attr_string(&n, "data_format", "NHWC");
    node_end(&n);
    write_weights(w, join(scale, name, "gamma"), 1, &y.channels, gain, 0.05);
    write_weights(w, join(offset, name, "beta"), 1, &y.channels, 0, 0.05);
    write_weights(w, join(mean, name, "mean"), 1, &y.channels, 0, 0.05);
    write_weights(w, join(variance, name, "variance"), 1, &y.channels, 1, 0.03);
    n = node_begin(w, join(norm, name, "bn"), "FusedBatchNormV3", 5,
                   (const char *const[]){conv, scale, offset, mean, variance});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_type(&n, "U", TF_FLOAT);
    node_attr_float(&n, "epsilon", 1e-3f);
    node_attr_bool(&n, "is_training", false);
    node_attr_string(&n, "data_format", "NHWC");
    node_end(&n);
    snprintf(y.name, sizeof y.name, "%s", norm);
    if (*activation) unary(w, join(y.name, name, "activation"), activation, norm);
    return y;
}

static void dense(GraphWriter *w, const char *name, const char *x, int64_t in, int64_t out, double deviation) {
    char weight[96], bias[96], product[96];
    write_weights(w, join(weight, name, "kernel"), 2, (int64_t[]){in, out}, 0, deviation);
    write_weights(w, join(bias, name, "bias"), 1, &out, 0, 0.02);
    NodeWriter n = node_begin(w, join(product, name, "MatMul"), "MatMul", 2, (const char *const[]){x, weight});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_bool(&n, "transpose_a", false);
    node_attr_bool(&n, "transpose_b", false);
    node_end(&n);
    n = node_begin(w, name, "BiasAdd", 2, (const char *const[]){product, bias});
    node_attr_type(&n, "T", TF_FLOAT);
    node_end(&n);
}

static void mean_over(GraphWriter *w, const char *name, const char *x, int n_axes, const int32_t *axes, bool keep) {
    char indices[96];
    write_ints(w, join(indices, name, "axes"), 1, n_axes, axes);
    NodeWriter n = node_begin(w, name, "Mean", 2, (const char *const[]){x, indices});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_type(&n, "Tidx", TF_INT32);
    node_attr_bool(&n, "keep_dims", keep);
    node_end(&n);
}

static void classifier(GraphWriter *w, Feature x) {
    mean_over(w, "pool", x.name, 2, (int32_t[]){1, 2}, false);
    dense(w, "logits", "pool", x.channels, 1000, 4 / sqrt((double)x.channels));
    unary(w, "probabilities", "Softmax", "logits");
}

static Feature image_input(GraphWriter *w) {
    write_placeholder(w, "input", TF_FLOAT, 4, (int64_t[]){w->batch, 224, 224, 3});
    return (Feature){"input", 224, 3};
}

static void resnet50(GraphWriter *w, int depth) {
    static const int blocks[] = {3, 4, 6, 3};
    Feature x = conv_bn(w, image_input(w), "stem", 64, 7, 2, false, "Relu", 1);
    NodeWriter n = node_begin(w, "stem/pool", "MaxPool", 1, (const char *const[]){x.name});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_ints(&n, "ksize", 4, (int64_t[]){1, 3, 3, 1});
    node_attr_ints(&n, "strides", 4, (int64_t[]){1, 2, 2, 1});
    node_attr_string(&n, "padding", "SAME");
    node_attr_string(&n, "data_format", "NHWC");
    node_end(&n);
    x = (Feature){"stem/pool", 56, 64};
    for (int stage = 0; stage < 4; stage++) {
        int count = depth && depth < blocks[stage] ? depth : blocks[stage];
        for (int b = 0; b < count; b++) {
            char name[64], sum[96];
            int64_t width = 64 << stage, stride = b == 0 && stage > 0 ? 2 : 1;
            Feature shortcut = x;
            snprintf(name, sizeof name, "stage%d/block%d/shortcut", stage, b);
            if (b == 0) shortcut = conv_bn(w, x, name, width * 4, 1, stride, false, "", 0.7);
            snprintf(name, sizeof name, "stage%d/block%d/a", stage, b);
            Feature y = conv_bn(w, x, name, width, 1, 1, false, "Relu", 1);
            name[strlen(name) - 1] = 'b';
            y = conv_bn(w, y, name, width, 3, stride, false, "Relu", 1);
            name[strlen(name) - 1] = 'c';
            y = conv_bn(w, y, name, width * 4, 1, 1, false, "", 0.3);
            snprintf(name, sizeof name, "stage%d/block%d", stage, b);
            binary(w, join(sum, name, "add"), "AddV2", y.name, shortcut.name);
            unary(w, join(y.name, name, "out"), "Relu", sum);
            x = y;
        }
    }
    classifier(w, x);
}

static void mobilenet_v2(GraphWriter *w, int depth) {
    static const struct {
        int expand, channels, count, stride;
    } groups[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    Feature x = conv_bn(w, image_input(w), "stem", 32, 3, 2, false, "Relu6", 1);
    for (int g = 0; g < 7; g++) {
        int count = depth && depth < groups[g].count ? depth : groups[g].count;
        for (int b = 0; b < count; b++) {
            char name[64];
            Feature y = x;
            snprintf(name, sizeof name, "group%d/block%d/expand", g, b);
            if (groups[g].expand > 1) y = conv_bn(w, y, name, x.channels * groups[g].expand, 1, 1, false, "Relu6", 1);
            snprintf(name, sizeof name, "group%d/block%d/depthwise", g, b);
            y = conv_bn(w, y, name, 0, 3, b == 0 ? groups[g].stride : 1, true, "Relu6", 1);
            snprintf(name, sizeof name, "group%d/block%d/project", g, b);
            y = conv_bn(w, y, name, groups[g].channels, 1, 1, false, "", 0.7);
            if (b > 0) {
                char sum[96];
                snprintf(name, sizeof name, "group%d/block%d", g, b);
                binary(w, join(sum, name, "add"), "AddV2", x.name, y.name);
                snprintf(y.name, sizeof y.name, "%s", sum);
            }
            x = y;
        }
    }
    classifier(w, conv_bn(w, x, "head", 1280, 1, 1, false, "Relu6", 1));
}

/* ---- BERT */
enum { HIDDEN = 768, HEADS = 12, SEQUENCE = 128, VOCABULARY = 30522 };

static void reshape(GraphWriter *w, const char *name, const char *x, int rank, const int32_t *dims) {
    char shape[96];
    write_ints(w, join(shape, name, "shape"), 1, rank, dims);
    NodeWriter n = node_begin(w, name, "Reshape", 2, (const char *const[]){x, shape});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_type(&n, "Tshape", TF_INT32);
    node_end(&n);
}

static void transpose(GraphWriter *w, const char *name, const char *x) { /* [b, s, h, d] <-> [b, h, s, d] */
    char perm[96];
    write_ints(w, join(perm, name, "perm"), 1, 4, (int32_t[]){0, 2, 1, 3});
    NodeWriter n = node_begin(w, name, "Transpose", 2, (const char *const[]){x, perm});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_type(&n, "Tperm", TF_INT32);
    node_end(&n);
}

static void scalar(GraphWriter *w, const char *name, float v) {
    write_floats(w, name, 0, NULL, &v);
}

static void layer_norm(GraphWriter *w, const char *name, const char *x) {
    char mean[96], square[96], variance[96], epsilon[96], shifted[96], inverse[96], gamma[96], beta[96], scale[96],
        scaled[96], times_mean[96], offset[96];
    int64_t width = HIDDEN;
    mean_over(w, join(mean, name, "mean"), x, 1, (int32_t[]){-1}, true);
    binary(w, join(square, name, "squared_difference"), "SquaredDifference", x, mean);
    mean_over(w, join(variance, name, "variance"), square, 1, (int32_t[]){-1}, true);
    scalar(w, join(epsilon, name, "epsilon"), 1e-12f);
    binary(w, join(shifted, name, "variance_epsilon"), "AddV2", variance, epsilon);
    unary(w, join(inverse, name, "rsqrt"), "Rsqrt", shifted);
    write_weights(w, join(gamma, name, "gamma"), 1, &width, 1, 0.05);
    write_weights(w, join(beta, name, "beta"), 1, &width, 0, 0.05);
    binary(w, join(scale, name, "mul"), "Mul", inverse, gamma);
    binary(w, join(scaled, name, "mul_1"), "Mul", x, scale);
    binary(w, join(times_mean, name, "mul_2"), "Mul", mean, scale);
    binary(w, join(offset, name, "sub"), "Sub", beta, times_mean);
    binary(w, name, "AddV2", scaled, offset);
}

static void batch_matmul(GraphWriter *w, const char *name, const char *x, const char *y, bool adjoint_y) {
    NodeWriter n = node_begin(w, name, "BatchMatMulV2", 2, (const char *const[]){x, y});
    node_attr_type(&n, "T", TF_FLOAT);
    node_attr_bool(&n, "adj_x", false);
    node_attr_bool(&n, "adj_y", adjoint_y);
    node_end(&n);
}

static void split_heads(GraphWriter *w, const char *layer, const char *what, const char *x) {
    char product[96], heads[96], name[96];
    snprintf(name, sizeof name, "%s/%s", layer, what);
    dense(w, join(product, name, "dense"), x, HIDDEN, HIDDEN, 1 / sqrt(HIDDEN));
    reshape(w, join(heads, name, "heads"), product, 4, (int32_t[]){-1, SEQUENCE, HEADS, HIDDEN / HEADS});
    transpose(w, name, heads);
}

static void attention(GraphWriter *w, const char *layer, const char *x, const char *mask, char *out) {
    char q[96], k[96], v[96], scores[96], factor[96], scaled[96], masked[96], weights[96], context[96], back[96],
        rows[96], projected[96], sum[96];
    split_heads(w, layer, "query", x);
    split_heads(w, layer, "key", x);
    split_heads(w, layer, "value", x);
    batch_matmul(w, join(scores, layer, "scores"), join(q, layer, "query"), join(k, layer, "key"), true);
    scalar(w, join(factor, layer, "factor"), 0.125f);
    binary(w, join(scaled, layer, "scaled"), "Mul", scores, factor);
    binary(w, join(masked, layer, "masked"), "AddV2", scaled, mask);
    unary(w, join(weights, layer, "weights"), "Softmax", masked);
    batch_matmul(w, join(context, layer, "context"), weights, join(v, layer, "value"), false);
    transpose(w, join(back, layer, "merge"), context);
    reshape(w, join(rows, layer, "rows"), back, 2, (int32_t[]){-1, HIDDEN});
    dense(w, join(projected, layer, "output"), rows, HIDDEN, HIDDEN, 1 / sqrt(HIDDEN));
    binary(w, join(sum, layer, "residual"), "AddV2", projected, x);
    layer_norm(w, join(out, layer, "attention_norm"), sum);
}

static void feed_forward(GraphWriter *w, const char *layer, const char *x, char *out) {
    char up[96], root[96], scaled[96], erf[96], one[96], plus[96], half[96], halved[96], gelu[96], down[96], sum[96];
    dense(w, join(up, layer, "up"), x, HIDDEN, 4 * HIDDEN, 1 / sqrt(HIDDEN));
    scalar(w, join(root, layer, "root_half"), 0.70710678f);
    binary(w, join(scaled, layer, "erf_in"), "Mul", up, root);
    unary(w, join(erf, layer, "erf"), "Erf", scaled);
    scalar(w, join(one, layer, "one"), 1);
    binary(w, join(plus, layer, "plus"), "AddV2", erf, one);
    scalar(w, join(half, layer, "half"), 0.5f);
    binary(w, join(halved, layer, "halved"), "Mul", up, half);
    binary(w, join(gelu, layer, "gelu"), "Mul", halved, plus);
    dense(w, join(down, layer, "down"), gelu, 4 * HIDDEN, HIDDEN, 0.5 / sqrt(HIDDEN));
    binary(w, join(sum, layer, "residual_1"), "AddV2", down, x);
    layer_norm(w, join(out, layer, "output_norm"), sum);
}

static void bert(GraphWriter *w, int depth) {
    write_placeholder(w, "ids", TF_INT32, 2, (int64_t[]){w->batch, SEQUENCE});
    write_placeholder(w, "mask", TF_FLOAT, 4, (int64_t[]){w->batch, 1, 1, SEQUENCE}); /* 0 keep, -10000 drop */
    write_weights(w, "embeddings/words", 2, (int64_t[]){VOCABULARY, HIDDEN}, 0, 1);
    write_weights(w, "embeddings/positions", 2, (int64_t[]){SEQUENCE, HIDDEN}, 0, 0.3);
    write_ints(w, "embeddings/axis", 0, 1, (int32_t[]){0});
    NodeWriter n = node_begin(w, "embeddings/lookup", "GatherV2", 3,
                              (const char *const[]){"embeddings/words", "ids", "embeddings/axis"});
    node_attr_type(&n, "Tparams", TF_FLOAT);
    node_attr_type(&n, "Tindices", TF_INT32);
    node_attr_type(&n, "Taxis", TF_INT32);
    node_attr_int(&n, "batch_dims", 0);
    node_end(&n);
    binary(w, "embeddings/sum", "AddV2", "embeddings/lookup", "embeddings/positions");
    reshape(w, "embeddings/rows", "embeddings/sum", 2, (int32_t[]){-1, HIDDEN});
    layer_norm(w, "embeddings/norm", "embeddings/rows");
    char x[96] = "embeddings/norm", y[96], layer[32];
    for (int i = 0; i < (depth ? depth : 12); i++) {
        snprintf(layer, sizeof layer, "layer%d", i);
        attention(w, layer, x, "mask", y);
        feed_forward(w, layer, y, x);
    }
    reshape(w, "sequence_output", x, 3, (int32_t[]){-1, SEQUENCE, HIDDEN});
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*make)(GraphWriter *, int);
    } models[] = {{"resnet50", resnet50}, {"mobilenet_v2", mobilenet_v2}, {"bert", bert}};
    GraphWriter w = {.batch = 1, .random = 1};
    for (size_t i = 0; argc >= 3 && i < ARRAY_LEN(models); i++) {
        if (strcmp(argv[1], models[i].name) != 0) continue;
        if (argc > 3) w.batch = atoll(argv[3]) > 0 ? atoll(argv[3]) : -1;
        if (argc > 5) w.random = strtoull(argv[5], NULL, 10);
        w.out = fopen(argv[2], "wb");
        if (!w.out) break;
        w.arena = arena_new();
        models[i].make(&w, argc > 4 ? atoi(argv[4]) : 0);
        write_versions(&w);
        arena_free(w.arena);
        bool ok = !ferror(w.out);
        ok = fclose(w.out) == 0 && ok;
        if (!ok) remove(argv[2]);
        return ok ? 0 : 1;
    }
    fprintf(stderr,
            "usage: make_model resnet50|mobilenet_v2|bert OUT.pb [BATCH, 0 = unknown] [DEPTH, 0 = all] [SEED]\n");
    return 2;
}
