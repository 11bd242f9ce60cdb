/* Shape functions of the families warp and audio. */
#include "ir/host_infer.h"

bool hostinfer_image_projective_transform(Infer *c) {
    if (!host_arity(c, 3, 1) || !host_rank(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    s.dims[1] = host_size(c, 2, 0, 0, 1);
    s.dims[2] = host_size(c, 2, 1, 0, 2);
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_decode_wav(Infer *c) {
    if (!host_arity(c, 1, 2)) return false;
    const int64_t samples = node_int(c->n, "desired_samples", -1), channels = node_int(c->n, "desired_channels", -1);
    const Dim rows = samples >= 0 ? dim_const(samples) : infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    const Dim columns = channels >= 0 ? dim_const(channels) : infer_fresh_dim(c, 0, 1, 0, dim_const(65535));
    host_matrix(c, 0, DTYPE_F32, rows, columns);
    return host_scalar(c, 1, DTYPE_S32);
}

bool hostinfer_audio_spectrogram(Infer *c) {
    if (!host_arity(c, 1, 1) || !host_rank(c, 0, 2)) return false;
    const int64_t window = node_int(c->n, "window_size", 0), stride = node_int(c->n, "stride", 0);
    if (window < 2 || stride < 1 || window > INT64_C(1) << 30)
        return infer_error(c, "window_size must be at least 2 and stride at least 1");
    int64_t n = 1;
    while (n < window) n *= 2;
    DimTable *t = &c->g->dims;
    const Dim room = dim_max(t, dim_sub(t, host_dim(c, 0, 0), dim_const(window - stride)), dim_const(0));
    const Shape s = {.rank = 3,
                     .dims = {host_dim(c, 0, 1), dim_floordiv(t, room, dim_const(stride)), dim_const(n / 2 + 1)}};
    return host_set(c, 0, DTYPE_F32, &s);
}

bool hostinfer_mfcc(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank(c, 0, 3)) return false;
    Shape s = *host_shape(c, 0);
    s.dims[2] = dim_const(node_int(c->n, "dct_coefficient_count", 13));
    return host_set(c, 0, DTYPE_F32, &s);
}

bool hostinfer_ctc_greedy_decoder(Infer *c) {
    if (!host_arity(c, 2, 4) || !host_rank(c, 0, 3)) return false;
    const Dim n = infer_fresh_dim(c, 0, 0, 0, dim_const(HOST_ANY));
    host_matrix(c, 0, DTYPE_S64, n, dim_const(2));
    host_vector(c, 1, DTYPE_S64, n);
    host_vector(c, 2, DTYPE_S64, dim_const(2));
    return host_matrix(c, 3, host_type(c, 0), host_dim(c, 0, 1), dim_const(1));
}
