/* What tests of host functions share: a call with its memory, inputs, outputs and attributes. Include it first. */
#ifndef TFOPT_TEST_HOST_BENCH_H
#define TFOPT_TEST_HOST_BENCH_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostops/text.h"

/* Memory of one call: freed all at once. */
typedef struct {
    void *blocks[4096];
    int n;
    TfoptTensor inputs[24], outputs[24];
    TfoptAttr attrs[16];
    int64_t ints[16];
    double floats[16];
    TfoptString strings[16];
    TfoptHostCall call;
    void *state;
    void (*free_state)(void *state);
} Bench;

static inline void *bench_alloc(void *env, uint64_t size) {
    Bench *b = env;
    assert_true(b->n < 4096);
    return b->blocks[b->n++] = calloc(1, size + 64);
}

static inline void *bench_output(TfoptHostCall *call, int32_t i, int32_t rank, const int64_t *dims) {
    TfoptTensor *t = &call->outputs[i];
    t->rank = rank;
    for (int32_t k = 0; k < rank; k++) t->dims[k] = dims[k];
    return t->data = bench_alloc(call->env, (uint64_t)tfopt_elements(t) * tfopt_dtype_bytes(t->dtype));
}

static inline Bench *bench_new(void) {
    Bench *b = calloc(1, sizeof *b);
    b->call = (TfoptHostCall){.inputs = b->inputs,
                              .outputs = b->outputs,
                              .attrs = b->attrs,
                              .state = &b->state,
                              .free_state = &b->free_state,
                              .env = b,
                              .alloc = bench_alloc,
                              .output = bench_output};
    return b;
}

static inline void bench_free(Bench *b) {
    if (b->state) b->free_state(b->state);
    for (int i = 0; i < b->n; i++) free(b->blocks[i]);
    free(b);
}

static inline void input(Bench *b, int32_t dtype, int32_t rank, const int64_t *dims, void *data) {
    TfoptTensor *t = &b->inputs[b->call.n_inputs++];
    *t = (TfoptTensor){.data = data, .dtype = dtype, .rank = rank};
    for (int32_t i = 0; i < rank; i++) t->dims[i] = dims[i];
}

static inline void output(Bench *b, int32_t dtype) {
    b->outputs[b->call.n_outputs++].dtype = dtype;
}

static inline void int_attr(Bench *b, const char *name, int64_t v) {
    const int32_t i = b->call.n_attrs++;
    b->ints[i] = v;
    b->attrs[i] = (TfoptAttr){.name = name, .kind = TFOPT_ATTR_INT, .n = 1, .v.ints = &b->ints[i]};
}

static inline void string_attr(Bench *b, const char *name, const char *v) {
    const int32_t i = b->call.n_attrs++;
    b->strings[i] = (TfoptString){v, strlen(v)};
    b->attrs[i] = (TfoptAttr){.name = name, .kind = TFOPT_ATTR_STRING, .n = 1, .v.strings = &b->strings[i]};
}

static inline void float_attr(Bench *b, const char *name, double v) {
    const int32_t i = b->call.n_attrs++;
    b->floats[i] = v;
    b->attrs[i] = (TfoptAttr){.name = name, .kind = TFOPT_ATTR_FLOAT, .n = 1, .v.floats = &b->floats[i]};
}

static inline void ints_attr(Bench *b, const char *name, int32_t n, const int64_t *v) {
    b->attrs[b->call.n_attrs++] = (TfoptAttr){.name = name, .kind = TFOPT_ATTR_INTS, .n = n, .v.ints = v};
}

static inline void floats_attr(Bench *b, const char *name, int32_t n, const double *v) {
    b->attrs[b->call.n_attrs++] = (TfoptAttr){.name = name, .kind = TFOPT_ATTR_FLOATS, .n = n, .v.floats = v};
}
#endif
