/* import_norm: bias, batch normalisation in all its versions, local response normalisation, softmax. */
#include "frontend/importer.h"

#include <string.h>

/* A vector over channels, shaped so that it broadcasts over NCHW images (channels_first) or stays as it is. */
static ValueId channel_vector(Import *c, ValueId v, int rank, bool channels_first) {
    if (!channels_first || failed(v) || rank < 3) return v;
    Shape s = {.rank = rank - 1};
    for (int i = 0; i < s.rank; i++) s.dims[i] = i == 0 ? dim_of(c, v, 0) : dim_const(1);
    return make_reshape(c, v, &s);
}

static bool is_channels_first(const Import *c) {
    const char *format = attr_s(c, "data_format", "NHWC");
    return strncmp(format, "NC", 2) == 0;
}

bool import_bias_add(Import *c) {
    if (rank_of(c, c->in[1]) != 1) return bad(c, "the bias has rank %d, needs 1", rank_of(c, c->in[1]));
    if (rank_of(c, c->in[0]) < 2) return bad(c, "the value has rank %d, needs at least 2", rank_of(c, c->in[0]));
    Dim channels = dim_of(c, c->in[0], is_channels_first(c) ? 1 : rank_of(c, c->in[0]) - 1);
    if (!make_require(c, "equal", dim_of(c, c->in[1], 0), channels)) return false;
    ValueId bias = channel_vector(c, c->in[1], rank_of(c, c->in[0]), is_channels_first(c));
    return give(c, make_binary(c, OP_ADD, c->in[0], bias));
}

/* (x - mean) * (rsqrt(variance + epsilon) * scale) + offset, in the order of TensorFlow's kernel, over the last axis.
 */
ValueId make_batch_norm(Import *c, ValueId x, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                        double epsilon) {
    ValueId e = make_like(c, variance, epsilon);
    ValueId shifted = make_binary(c, OP_ADD, variance, e);
    ValueId inverse = make_unary(c, OP_RSQRT, shifted);
    ValueId factor = make_binary(c, OP_MUL, inverse, scale);
    ValueId centred = make_binary(c, OP_SUB, x, mean);
    ValueId scaled = make_binary(c, OP_MUL, centred, factor);
    return make_binary(c, OP_ADD, scaled, offset);
}

/* Batch statistics of channels-last x in f32: mean and biased variance, and how many elements each is made of. */
static void batch_statistics(Import *c, ValueId x, ValueId *mean, ValueId *variance, Dim *count) {
    int64_t axes[MAX_RANK];
    int rank = rank_of(c, x);
    *count = dim_const(1);
    for (int i = 0; i + 1 < rank; i++) {
        axes[i] = i;
        *count = d_mul(c, *count, dim_of(c, x, i));
    }
    *mean = make_reduce(c, x, "mean", rank - 1, axes, false);
    ValueId d = make_binary(c, OP_SUB, x, *mean);
    ValueId square = make_binary(c, OP_MUL, d, d);
    *variance = make_reduce(c, square, "mean", rank - 1, axes, false);
}

/* new * factor + old * (1 - factor) */
static ValueId running_average(Import *c, ValueId old, ValueId fresh, double factor) {
    if (factor == 1) return fresh;
    ValueId f = make_like(c, fresh, factor);
    ValueId rest = make_like(c, fresh, 1 - factor);
    ValueId a = make_binary(c, OP_MUL, rest, old);
    ValueId b = make_binary(c, OP_MUL, f, fresh);
    return make_binary(c, OP_ADD, a, b);
}

/* FusedBatchNorm, V2, V3 and _FusedBatchNormEx (x, scale, offset, mean, variance, side input) */
bool import_fused_batch_norm(Import *c) {
    DType dtype = dtype_of(c, c->in[0]);
    double epsilon = attr_f(c, "epsilon", 0.0001);
    bool first = is_channels_first(c);
    ValueId x = first ? make_channels_last(c, c->in[0]) : c->in[0];
    x = make_cast(c, x, dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32);
    ValueId mean = c->in[3];
    ValueId variance = c->in[4];
    ValueId saved_mean = mean;
    ValueId saved_variance = variance;
    ValueId y;
    if (attr_i(c, "is_training", 1)) {
        Dim count;
        double factor = attr_f(c, "exponential_avg_factor", 1);
        batch_statistics(c, x, &saved_mean, &saved_variance, &count);
        y = make_batch_norm(c, x, c->in[1], c->in[2], saved_mean, saved_variance, epsilon);
        /* what is handed out is the unbiased variance: times n / (n - 1) */
        Dim less = dim_max(&c->g->dims, d_sub(c, count, dim_const(1)), dim_const(1));
        ValueId n = make_dims(c, DTYPE_S64, 0, 1, &count);
        ValueId n1 = make_dims(c, DTYPE_S64, 0, 1, &less);
        n = make_cast(c, n, DTYPE_F32);
        n1 = make_cast(c, n1, DTYPE_F32);
        ValueId adjust = make_binary(c, OP_DIV, n, n1);
        ValueId unbiased = make_binary(c, OP_MUL, saved_variance, adjust);
        mean = running_average(c, mean, saved_mean, factor);
        variance = running_average(c, variance, unbiased, factor);
    } else {
        Dim channels = dim_of(c, x, rank_of(c, x) - 1);
        for (uint32_t i = 3; i < 5; i++)
            if (rank_of(c, c->in[i]) != 1 || !make_require(c, "equal", dim_of(c, c->in[i], 0), channels))
                return bad(c, "input %u is no vector over the channels", i);
        y = make_batch_norm(c, x, c->in[1], c->in[2], mean, variance, epsilon);
    }
    if (attr_i(c, "num_side_inputs", 0) == 1 && c->n_in > 5) {
        ValueId side = first ? make_channels_last(c, c->in[5]) : c->in[5];
        side = make_cast(c, side, dtype_of(c, y));
        y = make_binary(c, OP_ADD, y, side);
    }
    const char *activation = attr_s(c, "activation_mode", "Identity");
    if (strcmp(activation, "Identity") != 0) y = make_activation(c, activation, y);
    y = make_cast(c, y, dtype);
    c->out[0] = first ? make_channels_first(c, y) : y;
    c->out[1] = mean;
    c->out[2] = variance;
    c->out[3] = saved_mean;
    c->out[4] = saved_variance;
    c->out[5] = make_scalar(c, DTYPE_F32, 0);
    c->n_out = 6;
    return !failed(c->out[0]) && !failed(variance);
}

/* (t, mean, variance, beta, gamma) */
bool import_batch_norm_global(Import *c) {
    ValueId e = make_like(c, c->in[2], attr_f(c, "variance_epsilon", 0.001));
    ValueId shifted = make_binary(c, OP_ADD, c->in[2], e);
    ValueId factor = make_unary(c, OP_RSQRT, shifted);
    if (attr_i(c, "scale_after_normalization", 0)) factor = make_binary(c, OP_MUL, factor, c->in[4]);
    ValueId centred = make_binary(c, OP_SUB, c->in[0], c->in[1]);
    ValueId scaled = make_binary(c, OP_MUL, centred, factor);
    return give(c, make_binary(c, OP_ADD, scaled, c->in[3]));
}

/* Sums over each channel and `radius` neighbours on both sides: a product with a band of ones, or, for an unknown
   number of channels, shifted copies added up. */
static ValueId sum_neighbours(Import *c, ValueId x, int64_t radius) {
    enum { MAX_CHANNELS = 8192, MAX_RADIUS = 64 };
    int last = rank_of(c, x) - 1;
    Dim channels = dim_of(c, x, last);
    if (dim_is_const(channels) && channels.value <= MAX_CHANNELS) {
        int64_t n = channels.value;
        int64_t dims[] = {n, n};
        Tensor band = tensor_new(c->g->arena, dtype_of(c, x), 2, dims);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = i > radius ? i - radius : 0; k < n && k - i <= radius; k++)
                tensor_set_f64(&band, i * n + k, 1);
        ValueId ones = make_const(c, &band);
        return make_matmul(c, x, ones, false, false);
    }
    if (radius > MAX_RADIUS) {
        unsupported(c, "more than %d neighbours of an unknown number of channels", MAX_RADIUS);
        return (ValueId){0};
    }
    Dim pads[MAX_RANK] = {{0, 0}};
    pads[last] = dim_const(radius);
    ValueId zero = make_like(c, x, 0);
    ValueId padded = make_pad(c, x, zero, pads, pads, "constant");
    ValueId sum = make_slice_axis(c, padded, last, dim_const(0), channels);
    for (int64_t i = 1; i <= 2 * radius; i++) {
        ValueId shifted = make_slice_axis(c, padded, last, dim_const(i), channels);
        sum = make_binary(c, OP_ADD, sum, shifted);
    }
    return sum;
}

/* LRN: x / (bias + alpha * sum of squares of neighbouring channels) ^ beta */
bool import_lrn(Import *c) {
    ValueId x = c->in[0];
    int64_t radius = attr_i(c, "depth_radius", 5);
    if (rank_of(c, x) < 1 || radius < 0) return bad(c, "needs images and a radius of at least 0");
    ValueId square = make_binary(c, OP_MUL, x, x);
    ValueId sums = sum_neighbours(c, square, radius);
    ValueId alpha = make_like(c, x, attr_f(c, "alpha", 1));
    ValueId bias = make_like(c, x, attr_f(c, "bias", 1));
    ValueId beta = make_like(c, x, -attr_f(c, "beta", 0.5));
    ValueId scaled = make_binary(c, OP_MUL, alpha, sums);
    ValueId base = make_binary(c, OP_ADD, bias, scaled);
    ValueId power = make_binary(c, OP_POW, base, beta);
    return give(c, make_binary(c, OP_MUL, x, power));
}

/* Softmax, LogSoftmax; arg is the op */
bool import_softmax(Import *c) {
    if (rank_of(c, c->in[0]) < 1) return bad(c, "a scalar has no last axis");
    return give(c, make_unary(c, (OpId)import_row(c)->arg, c->in[0]));
}

/* SoftmaxCrossEntropyWithLogits (features, labels) -> loss [batch], backprop */
bool import_softmax_cross_entropy(Import *c) {
    if (dtype_of(c, c->in[0]) != dtype_of(c, c->in[1])) return bad(c, "its operands have different types");
    Shape a = shape_copy(c, c->in[0]);
    Shape b = shape_copy(c, c->in[1]);
    Shape s;
    if (!shape_broadcast(&c->g->dims, &a, &b, &s) || s.rank != 2)
        return bad(c, "logits and labels must be matrices of one shape");
    ValueId logits = make_broadcast(c, c->in[0], &s);
    ValueId labels = make_broadcast(c, c->in[1], &s);
    ValueId log_p = make_unary(c, OP_LOG_SOFTMAX, logits);
    ValueId p = make_unary(c, OP_SOFTMAX, logits);
    ValueId product = make_binary(c, OP_MUL, labels, log_p); /* NaN for a label of 0 where the probability is 0 */
    int64_t axis = 1;
    ValueId sum = make_reduce(c, product, "sum", 1, &axis, false);
    c->out[0] = make_unary(c, OP_NEG, sum);
    c->out[1] = make_binary(c, OP_SUB, p, labels);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

/* SparseSoftmaxCrossEntropyWithLogits (features, class of each row): a class outside of the range gives NaN, as
 * TensorFlow's CPU kernel. */
bool import_sparse_cross_entropy(Import *c) {
    Shape s = shape_copy(c, c->in[0]);
    if (s.rank != 2 || rank_of(c, c->in[1]) != 1) return bad(c, "needs a matrix of logits and a vector of classes");
    if (!make_require(c, "at_most", dim_const(1), s.dims[1])) return false;
    DType labels_type = dtype_of(c, c->in[1]);
    Shape all = {.rank = 1, .dims = {s.dims[1]}};
    ValueId numbers = make_iota(c, &all, 0, labels_type);
    ValueId labels_checked = make_gather(c, numbers, c->in[1], 0, 0, false); /* fails where there is no such class */
    ValueId column = make_expand(c, labels_checked, 1);
    ValueId classes = make_iota(c, &s, 1, labels_type);
    ValueId hit = make_binary(c, OP_EQ, classes, column);
    ValueId zero = make_like(c, c->in[0], 0);
    ValueId one = make_like(c, c->in[0], 1);
    ValueId log_p = make_unary(c, OP_LOG_SOFTMAX, c->in[0]);
    ValueId p = make_unary(c, OP_SOFTMAX, c->in[0]);
    ValueId share = make_select(c, hit, log_p, zero);
    int64_t axis = 1;
    ValueId sum = make_reduce(c, share, "sum", 1, &axis, false);
    c->out[0] = make_unary(c, OP_NEG, sum);
    ValueId labels = make_select(c, hit, one, zero);
    c->out[1] = make_binary(c, OP_SUB, p, labels);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}
