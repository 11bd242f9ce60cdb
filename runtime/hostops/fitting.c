/* Small fits of data: isotonic regression, and the centers that are nearest to points. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

/* A run of neighbouring elements that have one value in the fit. */
typedef struct {
    int64_t from, to;
    double sum, value;
} Pool;

/* The sum in the result's type. */
static double rounded(int32_t dtype, double v) {
    double kept = v;
    TfoptTensor one = {.data = &kept, .dtype = dtype};
    tfopt_set_real(&one, 0, v);
    return tfopt_real_at(&one, 0);
}

/* Least squares over the last dimension by values that never rise; and which run each element is in. */
int32_t tfopt_host_isotonic_regression(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < 1) return tfopt_invalid(call, "input must have at least one dimension");
    const int64_t n = t->dims[t->rank - 1], rows = tfopt_dims_product(t->dims, 0, t->rank - 1);
    Pool *pools = tfopt_call_alloc(call, n + 1, sizeof *pools);
    int32_t *segments = tfopt_output_like(call, 1, t);
    if (!pools || !segments || !tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    for (int64_t row = 0; row < rows; row++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v =
                tfopt_is_float_type(t->dtype) ? tfopt_real_at(t, row * n + i) : (double)tfopt_int_at(t, row * n + i);
            pools[count++] = (Pool){i, i + 1, rounded(out->dtype, v), rounded(out->dtype, v)};
            for (; count > 1 && pools[count - 1].value > pools[count - 2].value; count--) {
                Pool *p = &pools[count - 2];
                p->to = pools[count - 1].to;
                p->sum = rounded(out->dtype, p->sum + pools[count - 1].sum);
                p->value = rounded(out->dtype, p->sum / (double)(p->to - p->from));
            }
        }
        for (int64_t k = 0; k < count; k++) {
            for (int64_t i = pools[k].from; i < pools[k].to; i++) {
                tfopt_set_real(out, row * n + i, pools[k].value);
                segments[row * n + i] = (int32_t)k;
            }
        }
    }
    return TFOPT_OK;
}

static bool nearer(const void *context, int64_t a, int64_t b) {
    const float *d = context;
    return d[a] < d[b];
}

/* (points [n, d], centers [m, d], k) -> indices of the k nearest centers of each point and their squared distances */
int32_t tfopt_host_nearest_neighbors(TfoptHostCall *call) {
    const TfoptTensor *points = &call->inputs[0], *centers = &call->inputs[1];
    if (points->rank != 2 || centers->rank != 2 || points->dims[1] != centers->dims[1] ||
        tfopt_elements(&call->inputs[2]) != 1 || points->dtype != TFOPT_F32 || centers->dtype != TFOPT_F32)
        return tfopt_invalid(call, "points and centers must be float32 matrices with one number of columns");
    const int64_t n = points->dims[0], m = centers->dims[0], d = points->dims[1],
                  wanted = tfopt_int_at(&call->inputs[2], 0), k = wanted < m ? wanted : m, dims[2] = {n, k};
    if (wanted < 1) return tfopt_invalid(call, "k must be positive");
    int64_t *out = tfopt_host_output(call, 0, 2, dims);
    float *distances = tfopt_host_output(call, 1, 2, dims), *all = tfopt_call_alloc(call, m + 1, sizeof *all);
    int64_t *order = tfopt_call_alloc(call, m + 1, sizeof *order);
    if (!out || !distances || !all || !order) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const float *p = (const float *)points->data + i * d;
        for (int64_t j = 0; j < m; j++) {
            const float *c = (const float *)centers->data + j * d;
            float sum = 0;
            for (int64_t e = 0; e < d; e++) sum += (p[e] - c[e]) * (p[e] - c[e]);
            all[j] = sum;
            order[j] = j;
        }
        if (!tfopt_sort_indices(call, m, order, nearer, all)) return tfopt_no_memory(call);
        for (int64_t j = 0; j < k; j++) {
            *out++ = order[j];
            *distances++ = all[order[j]];
        }
    }
    return TFOPT_OK;
}
