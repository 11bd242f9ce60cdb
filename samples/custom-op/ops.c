/* Two ops that TensorFlow does not have. Compiled as a shared object they tell tfoptc what the ops are; the same file
   is linked into the program that runs the model. */
#include "tfopt_op.h"

#include <stdbool.h>

/* ---- ScaleBy(x: float, by: float = 1) → y: float, of the same shape, whatever that is */

static int32_t scale_by_shape(TfoptShapeCall *call) {
    if (call->n_inputs != 1 || call->inputs[0].dtype != TFOPT_F32)
        return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "wants one input of type float");
    call->outputs[0] = call->inputs[0];
    return TFOPT_OK;
}

TFOPT_OP_EXPORT int32_t sample_scale_by(TfoptHostCall *call);
int32_t sample_scale_by(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    const float *from = x->data, by = (float)tfopt_op_float(call, "by", 1);
    float *to = tfopt_host_output(call, 0, x->rank, x->dims);
    if (!to) return tfopt_op_fail(call, TFOPT_NO_MEMORY, "out of memory");
    for (int64_t i = 0, n = tfopt_op_elements(x); i < n; i++) to[i] = by * from[i];
    return TFOPT_OK;
}

/* ---- RunLengths(x: T [n]) → values: T [m], lengths: int32 [m]. How many runs there are only running tells. */

static int32_t run_lengths_shape(TfoptShapeCall *call) {
    const TfoptTensorType *x = &call->inputs[0];
    if (call->n_inputs != 1 || x->rank != 1 || (x->dtype != TFOPT_S32 && x->dtype != TFOPT_S64))
        return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "wants one vector of int32 or int64");
    call->outputs[0] = (TfoptTensorType){.dtype = x->dtype, .rank = 1, .dims = {TFOPT_DIM_RUN_TIME}};
    call->outputs[1] = (TfoptTensorType){.dtype = TFOPT_S32, .rank = 1, .dims = {TFOPT_DIM_RUN_TIME}};
    return TFOPT_OK;
}

static int64_t element(const TfoptTensor *t, int64_t i) {
    return t->dtype == TFOPT_S32 ? ((const int32_t *)t->data)[i] : ((const int64_t *)t->data)[i];
}

TFOPT_OP_EXPORT int32_t sample_run_lengths(TfoptHostCall *call);
int32_t sample_run_lengths(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    const int64_t n = x->dims[0];
    int64_t runs = 0;
    for (int64_t i = 0; i < n; i++) runs += i == 0 || element(x, i) != element(x, i - 1);
    void *values = tfopt_host_output(call, 0, 1, &runs);
    int32_t *lengths = tfopt_host_output(call, 1, 1, &runs);
    if (!values || !lengths) return tfopt_op_fail(call, TFOPT_NO_MEMORY, "out of memory");
    for (int64_t i = 0, run = -1; i < n; i++) {
        if (i > 0 && element(x, i) == element(x, i - 1)) {
            lengths[run]++;
            continue;
        }
        lengths[++run] = 1;
        if (x->dtype == TFOPT_S32)
            ((int32_t *)values)[run] = (int32_t)element(x, i);
        else
            ((int64_t *)values)[run] = element(x, i);
    }
    return TFOPT_OK;
}

static const TfoptOp ops[] = {
    TFOPT_OP("ScaleBy", "y", sample_scale_by, scale_by_shape),
    TFOPT_OP("RunLengths", "values|lengths", sample_run_lengths, run_lengths_shape),
};
TFOPT_OP_LIBRARY(ops)
