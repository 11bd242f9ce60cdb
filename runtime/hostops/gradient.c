/* Gradients share a way of adding up in place: outputs begin as zeros, and what comes back is added element by element
   in the element type, as TensorFlow's CPU kernels do. */
#include "hostops/gradient.h"
#include "hostops/complex.h"
#include <string.h>

void *tfopt_gradient_zeros(TfoptHostCall *call, int32_t i, const TfoptTensor *like) {
    int64_t n = 1;
    for (int32_t k = 0; k < like->rank; k++) {
        if (__builtin_mul_overflow(n, like->dims[k], &n)) return NULL;
    }
    void *out = tfopt_host_output(call, i, like->rank, like->dims);
    if (out && n) memset(out, 0, (size_t)n * tfopt_dtype_bytes(call->outputs[i].dtype));
    return out;
}

void tfopt_gradient_add(const TfoptTensor *to, int64_t at, const TfoptTensor *from, int64_t i) {
    if (to->dtype == TFOPT_C64 || to->dtype == TFOPT_C128)
        tfopt_set_complex(to, at, tfopt_complex_at(to, at) + tfopt_complex_at(from, i));
    else if (tfopt_is_float_type(to->dtype))
        tfopt_set_real(to, at, tfopt_real_at(to, at) + tfopt_real_at(from, i));
    else
        tfopt_set_int(to, at, (int64_t)((uint64_t)tfopt_int_at(to, at) + (uint64_t)tfopt_int_at(from, i)));
}

bool tfopt_gradient_shape(const TfoptTensor *t, int32_t rank, int64_t *dims) {
    if (t->rank != 1 || t->dims[0] != rank || rank > TFOPT_MAX_RANK || !tfopt_is_int_type(t->dtype)) return false;
    for (int32_t k = 0; k < rank; k++) {
        dims[k] = tfopt_int_at(t, k);
        if (dims[k] < 0 || dims[k] > INT64_C(1) << 40) return false;
    }
    return true;
}

/* (shape, shape): axes of the common shape along which each of the two was broadcast */
int32_t tfopt_host_broadcast_gradient_args(TfoptHostCall *call) {
    const TfoptTensor *t = call->inputs;
    int64_t axes[2][TFOPT_MAX_RANK], n[2] = {0, 0};
    if (t[0].rank != 1 || t[1].rank != 1 || t[0].dims[0] > TFOPT_MAX_RANK || t[1].dims[0] > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "shapes must be vectors");
    const int64_t most = t[0].dims[0] > t[1].dims[0] ? t[0].dims[0] : t[1].dims[0];
    bool same = t[0].dims[0] == t[1].dims[0];
    for (int64_t i = 0; i < t[0].dims[0] && same; i++) same = tfopt_int_at(&t[0], i) == tfopt_int_at(&t[1], i);
    for (int64_t i = 0; i < most && !same; i++) {
        int64_t size[2];
        for (int k = 0; k < 2; k++) {
            const int64_t at = i - most + t[k].dims[0];
            size[k] = at < 0 ? 1 : tfopt_int_at(&t[k], at);
        }
        if (size[0] != size[1] && size[0] != 1 && size[1] != 1)
            return tfopt_invalid(call, "Incompatible shapes for broadcasting");
        for (int k = 0; k < 2; k++) {
            if (size[k] == 1) axes[k][n[k]++] = i;
        }
    }
    for (int k = 0; k < 2; k++) {
        if (!tfopt_output_1d(call, k, n[k])) return tfopt_no_memory(call);
        for (int64_t i = 0; i < n[k]; i++) tfopt_set_int(&call->outputs[k], i, axes[k][i]);
    }
    return TFOPT_OK;
}
