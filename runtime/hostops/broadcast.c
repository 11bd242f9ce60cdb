/* NumPy broadcasting (broadcast.h): an odometer over the result with a stride for each operand. */
#include "hostops/broadcast.h"
#include <string.h>

bool tfopt_broadcast_init(TfoptBroadcast *b, const TfoptTensor *inputs, int32_t n) {
    memset(b, 0, sizeof *b);
    b->n = n;
    for (int32_t k = 0; k < n; k++) {
        if (inputs[k].rank > b->rank) b->rank = inputs[k].rank;
    }
    for (int32_t i = 0; i < b->rank; i++) {
        int64_t size = 1;
        for (int32_t k = 0; k < n; k++) {
            const int32_t at = i - (b->rank - inputs[k].rank);
            const int64_t d = at < 0 ? 1 : inputs[k].dims[at];
            if (d != 1 && size != 1 && d != size) return false;
            if (d != 1) size = d;
        }
        b->dims[i] = size;
    }
    for (int32_t k = 0; k < n; k++) {
        int64_t stride = 1;
        for (int32_t i = inputs[k].rank - 1; i >= 0; i--) {
            b->strides[k][i + b->rank - inputs[k].rank] = inputs[k].dims[i] == 1 ? 0 : stride;
            stride *= inputs[k].dims[i];
        }
    }
    b->count = tfopt_dims_product(b->dims, 0, b->rank);
    return true;
}

void tfopt_broadcast_next(TfoptBroadcast *b) {
    for (int32_t i = b->rank - 1; i >= 0; i--) {
        for (int32_t k = 0; k < b->n; k++) b->at[k] += b->strides[k][i];
        if (++b->index[i] < b->dims[i]) return;
        for (int32_t k = 0; k < b->n; k++) b->at[k] -= b->strides[k][i] * b->dims[i];
        b->index[i] = 0;
    }
}

int64_t tfopt_broadcast_runs(TfoptBroadcast *b, int64_t step[TFOPT_MAX_OPERANDS]) {
    int64_t run = 1;
    for (int32_t k = 0; k < b->n; k++) step[k] = 0;
    while (b->rank > 0) {
        const int32_t last = b->rank - 1;
        bool joins = true;
        for (int32_t k = 0; k < b->n && b->dims[last] != 1; k++) {
            if (run == 1) step[k] = b->strides[k][last];
            joins = joins && b->strides[k][last] == step[k] * run;
        }
        if (!joins) break;
        run *= b->dims[last];
        b->rank = last;
    }
    b->count = tfopt_dims_product(b->dims, 0, b->rank);
    return run;
}
