/* What host functions share: access to attributes and elements, memory, failure. They see tfopt_abi.h and libm, nothing
   of the compiler. Every function is listed in hostops.def and prototyped here from it. */
#ifndef TFOPT_HOSTOPS_HOST_H
#define TFOPT_HOSTOPS_HOST_H
#include "tfopt_abi.h"
#include <stdbool.h>
#include <stddef.h>

#define HOSTOP(name, results, infer, function, family) TfoptHostFn tfopt_host_##function;
#include "hostops/hostops.def"
#undef HOSTOP

/* ---- host.c */
/* Sets the error text; returns status, for `return tfopt_call_fail(…)`. */
int32_t tfopt_call_fail(TfoptHostCall *call, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An attribute by TensorFlow's name, or NULL; the typed ones return `missing` when it is absent. */
const TfoptAttr *tfopt_call_attr(const TfoptHostCall *call, const char *name);
int64_t tfopt_call_int(const TfoptHostCall *call, const char *name, int64_t missing);
double tfopt_call_float(const TfoptHostCall *call, const char *name, double missing);
TfoptString tfopt_call_string(const TfoptHostCall *call, const char *name, const char *missing);
bool tfopt_call_string_is(const TfoptHostCall *call, const char *name, const char *value);
/* Scratch that lives until the call's results are dead; NULL when there is no memory (or count * size overflows). */
void *tfopt_call_alloc(TfoptHostCall *call, int64_t count, uint64_t size);
/* Zeroed. */
void *tfopt_call_zeroed(TfoptHostCall *call, int64_t count, uint64_t size);
uint64_t tfopt_dtype_bytes(int32_t dtype);
/* The greatest finite number of f64, f32, f16 or bf16. */
double tfopt_highest_float(int32_t dtype);
/* Any numeric element as a number, and back (integers wrap, floats are rounded to nearest even once). */
double tfopt_real_at(const TfoptTensor *t, int64_t i);
int64_t tfopt_int_at(const TfoptTensor *t, int64_t i);
void tfopt_set_real(const TfoptTensor *t, int64_t i, double v);
void tfopt_set_int(const TfoptTensor *t, int64_t i, int64_t v);
/* All of a tensor as f64 / f32 / s64 in scratch memory (the tensor's own data where it has that type). NULL: no memory.
 */
const double *tfopt_as_f64(TfoptHostCall *call, const TfoptTensor *t);
const float *tfopt_as_f32(TfoptHostCall *call, const TfoptTensor *t);
const int64_t *tfopt_as_s64(TfoptHostCall *call, const TfoptTensor *t);
float tfopt_half_to_float(uint16_t h);
uint16_t tfopt_float_to_half(float f);
/* qsort with a context, stable and in scratch memory: items are indices. false: no memory. */
typedef bool TfoptLess(const void *context, int64_t a, int64_t b);
bool tfopt_sort_indices(TfoptHostCall *call, int64_t n, int64_t *indices, TfoptLess *less, const void *context);

/* ---- inline helpers */
static inline int32_t tfopt_no_memory(TfoptHostCall *call) {
    return tfopt_call_fail(call, TFOPT_NO_MEMORY, "out of memory");
}
static inline int32_t tfopt_invalid(TfoptHostCall *call, const char *text) {
    return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "%s", text);
}
static inline int64_t tfopt_dims_product(const int64_t *dims, int32_t from, int32_t to) {
    int64_t n = 1;
    for (int32_t i = from; i < to; i++) n *= dims[i];
    return n;
}
static inline int64_t tfopt_elements(const TfoptTensor *t) {
    return tfopt_dims_product(t->dims, 0, t->rank);
}
static inline bool tfopt_same_dims(const TfoptTensor *a, const TfoptTensor *b) {
    if (a->rank != b->rank) return false;
    for (int32_t i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i]) return false;
    }
    return true;
}
static inline bool tfopt_is_float_type(int32_t dtype) {
    return dtype >= TFOPT_F32 && dtype <= TFOPT_F8E5M2;
}
static inline bool tfopt_is_int_type(int32_t dtype) {
    return dtype >= TFOPT_S4 && dtype <= TFOPT_U64;
}
/* Output i with the dims of `like`. */
static inline void *tfopt_output_like(TfoptHostCall *call, int32_t i, const TfoptTensor *like) {
    return tfopt_host_output(call, i, like->rank, like->dims);
}
static inline void *tfopt_output_1d(TfoptHostCall *call, int32_t i, int64_t n) {
    return tfopt_host_output(call, i, 1, &n);
}
static inline void *tfopt_output_scalar(TfoptHostCall *call, int32_t i) {
    return tfopt_host_output(call, i, 0, NULL);
}
/* Axis of a tensor counted from the end when negative; -1 when it is out of range. */
static inline int32_t tfopt_axis(int64_t axis, int32_t rank) {
    if (axis < 0) axis += rank;
    return axis < 0 || axis >= rank ? -1 : (int32_t)axis;
}
#endif
