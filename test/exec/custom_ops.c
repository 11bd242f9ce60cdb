/* Ops that try out tfopt_op.h: attributes of every kind, lists of results, values known at compile time, state, and
   kernels that fail or break their word. Compiled by custom.sh. */
#include "tfopt_op.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- DescribeAttrs(x) → text: all attributes, in the order of their names */

static int32_t text_shape(TfoptShapeCall *call) {
    call->outputs[0] = (TfoptTensorType){.dtype = TFOPT_STRING, .rank = 0};
    return TFOPT_OK;
}

static size_t describe(const TfoptAttr *a, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "%s=", a->name);
    for (int32_t i = 0; n < size && i < a->n; i++) {
        const char *between = i ? "," : "";
        if (a->kind == TFOPT_ATTR_INT || a->kind == TFOPT_ATTR_INTS)
            n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, between, a->v.ints[i]);
        else if (a->kind == TFOPT_ATTR_FLOAT || a->kind == TFOPT_ATTR_FLOATS)
            n += (size_t)snprintf(out + n, size - n, "%s%g", between, a->v.floats[i]);
        else if (a->kind == TFOPT_ATTR_TENSOR)
            n += (size_t)snprintf(out + n, size - n, "tensor of %" PRId64 " x %d", tfopt_op_elements(a->v.tensor),
                                  a->v.tensor->dtype);
        else
            n +=
                (size_t)snprintf(out + n, size - n, "%s%.*s", between, (int)a->v.strings[i].size, a->v.strings[i].data);
    }
    return n < size ? n : size - 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const TfoptAttr *const *)a)->name, (*(const TfoptAttr *const *)b)->name);
}

TFOPT_OP_EXPORT int32_t test_describe(TfoptHostCall *call);
int32_t test_describe(TfoptHostCall *call) {
    enum { SIZE = 1000 };
    char *text = tfopt_op_alloc(call, SIZE);
    const TfoptAttr **sorted = tfopt_op_alloc(call, sizeof *sorted * (size_t)(call->n_attrs + 1));
    TfoptString *out = tfopt_host_output(call, 0, 0, NULL);
    if (!text || !sorted || !out) return TFOPT_NO_MEMORY;
    for (int32_t i = 0; i < call->n_attrs; i++) sorted[i] = &call->attrs[i];
    qsort(sorted, (size_t)call->n_attrs, sizeof *sorted, by_name);
    size_t n = 0;
    for (int32_t i = 0; i < call->n_attrs; i++) {
        n += describe(sorted[i], text + n, SIZE - n);
        if (n + 1 < SIZE) text[n++] = ' ';
    }
    *out = (TfoptString){text, n};
    return TFOPT_OK;
}

/* ---- Deal(x: T [n, m], hands: int32, a constant) → parts: N tensors T [n, ceil(m / N)]; the last one is filled up */

static int32_t deal_shape(TfoptShapeCall *call) {
    const TfoptTensorType *x = &call->inputs[0], *hands = &call->inputs[1];
    if (!hands->value) return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "the number of hands must be a constant");
    const int32_t n = *(const int32_t *)hands->value->data;
    if (n != call->n_outputs || x->rank != 2 || x->dims[1] < 0)
        return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "%d hands for %d results", n, call->n_outputs);
    for (int32_t i = 0; i < n; i++) {
        call->outputs[i] = *x;
        call->outputs[i].dims[1] = (x->dims[1] + n - 1) / n;
    }
    return TFOPT_OK;
}

TFOPT_OP_EXPORT int32_t test_deal(TfoptHostCall *call);
int32_t test_deal(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0];
    const int64_t n = call->n_outputs, dims[] = {x->dims[0], (x->dims[1] + n - 1) / n};
    for (int32_t i = 0; i < call->n_outputs; i++) {
        float *to = tfopt_host_output(call, i, 2, dims);
        if (!to) return TFOPT_NO_MEMORY;
        for (int64_t row = 0; row < dims[0]; row++)
            for (int64_t k = 0; k < dims[1]; k++)
                *to++ = k * n + i < x->dims[1] ? ((const float *)x->data)[row * x->dims[1] + k * n + i] : -1;
    }
    return TFOPT_OK;
}

/* ---- CountCalls() → int64: how often this session has called it */

static int32_t count_shape(TfoptShapeCall *call) {
    call->outputs[0] = (TfoptTensorType){.dtype = TFOPT_S64, .rank = 0};
    return TFOPT_OK;
}

TFOPT_OP_EXPORT int32_t test_count(TfoptHostCall *call);
int32_t test_count(TfoptHostCall *call) {
    if (!*call->state) {
        *call->state = calloc(1, sizeof(int64_t));
        *call->free_state = free;
    }
    int64_t *count = *call->state, *out = tfopt_host_output(call, 0, 0, NULL);
    if (!count || !out) return TFOPT_NO_MEMORY;
    *out = ++*count;
    return TFOPT_OK;
}

/* ---- Misbehave(x: float [n], how: string): results that are no use to anybody */

static int32_t misbehave_shape(TfoptShapeCall *call) {
    const TfoptString how = tfopt_op_string(call, "how", "");
    call->outputs[0] = call->inputs[0];
    if (strncmp(how.data, "refuse", how.size) == 0)
        return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "the shape function says no");
    if (strncmp(how.data, "rank", how.size) == 0) call->outputs[0].rank = -1;
    if (strncmp(how.data, "size", how.size) == 0) call->outputs[0].dims[0] = -77;
    if (strncmp(how.data, "type", how.size) == 0) call->outputs[0].dtype = 1000;
    return TFOPT_OK;
}

TFOPT_OP_EXPORT int32_t test_misbehave(TfoptHostCall *call);
int32_t test_misbehave(TfoptHostCall *call) {
    const TfoptString how = tfopt_op_string(call, "how", "");
    const int64_t more = call->inputs[0].dims[0] + 1;
    if (strncmp(how.data, "fail", how.size) == 0)
        return tfopt_op_fail(call, TFOPT_FAILED, "the kernel says no to %" PRId64 " elements", more - 1);
    if (strncmp(how.data, "larger", how.size) == 0) {
        float *y = tfopt_host_output(call, 0, 1, &more);
        if (!y) return TFOPT_NO_MEMORY;
        memset(y, 0, sizeof(float) * (size_t)more);
    }
    return TFOPT_OK; /* else: no result at all */
}

static const TfoptOp ops[] = {
    TFOPT_OP("DescribeAttrs", "text", test_describe, text_shape),
    TFOPT_OP("Deal", "parts:N", test_deal, deal_shape),
    TFOPT_OP("CountCalls", "count", test_count, count_shape),
    TFOPT_OP("Misbehave", "y", test_misbehave, misbehave_shape),
};
TFOPT_OP_LIBRARY(ops)
