/* tfopt_op.h: ops of your own. An op library is a shared object that tells tfoptc, for TensorFlow op types by name,
   what type and shape their results have (a shape function) and how they are computed (a kernel). C11 and C++; needs
   nothing but this header and tfopt_abi.h. docs/custom-ops.md explains it, samples/custom-op is a whole example.

     static int32_t scale_shape(TfoptShapeCall *call) {
         call->outputs[0] = call->inputs[0];
         return TFOPT_OK;
     }
     int32_t scale(TfoptHostCall *call) {
         const TfoptTensor *x = &call->inputs[0];
         const float by = (float)tfopt_op_float(call, "by", 1.0);
         float *y = (float *)tfopt_host_output(call, 0, x->rank, x->dims);
         if (!y) return TFOPT_NO_MEMORY;
         for (int64_t i = 0, n = tfopt_op_elements(x); i < n; i++) y[i] = by * ((const float *)x->data)[i];
         return TFOPT_OK;
     }
     static const TfoptOp ops[] = {TFOPT_OP("Scale", "y", scale, scale_shape)};
     TFOPT_OP_LIBRARY(ops)

   then: tfoptc compile --op-library ./libmyops.so model.pb -o model.so */
#ifndef TFOPT_OP_H
#define TFOPT_OP_H
#include "tfopt_abi.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {
#endif

#define TFOPT_OP_VERSION 1u

/* ---- shape functions: called by tfoptc only ------------------------------------------------------------------------
   What is known of a tensor before the model runs. A dim is a size, or a negative number for a size that only running
   tells. Negative dims of inputs are names: the same number is the same size, and a result that has that size says so
   by the same number ("the batch of the result is that of input 0"). */
#define TFOPT_DIM_RUN_TIME INT64_C(-1) /* of results: known when the kernel has run; never among inputs */

typedef struct {
    int32_t dtype;                /* TfoptDtype */
    int32_t rank;                 /* -1: unknown (inputs only) */
    int64_t dims[TFOPT_MAX_RANK]; /* see above */
    const TfoptTensor *value;     /* of inputs: the elements, where they are known (an axis, a size); else NULL */
} TfoptTensorType;

typedef struct {
    const TfoptTensorType *inputs;
    TfoptTensorType *outputs; /* to be set: dtype, rank, dims */
    const TfoptAttr *attrs;   /* as the kernel sees them */
    int32_t n_inputs, n_outputs, n_attrs;
    char error[256]; /* the text of a failure, NUL-terminated: what is wrong with the model */
} TfoptShapeCall;

/* Returns TFOPT_OK, or a status with call->error set: the model is then refused with that text. Must depend on what
   `call` holds only: it is called many times. */
typedef int32_t TfoptShapeFn(TfoptShapeCall *call);

/* ---- registration -------------------------------------------------------------------------------------------------
 */
typedef struct TfoptOp {
    const char *name;    /* TensorFlow's op type */
    const char *outputs; /* names of the output arguments as the op's registration has them, "values|counts"; "parts:N"
                            is a list of as many tensors as attribute N says (a number, or the length of a list) */
    const char *symbol;  /* the kernel's C name: compiled models refer to it */
    TfoptHostFn *kernel; /* the same function, for constant evaluation, `verify` and `run --reference` */
    TfoptShapeFn *shape;
} TfoptOp;

typedef struct {
    uint32_t op_version, abi_version; /* TFOPT_OP_VERSION, TFOPT_ABI_VERSION */
    uint32_t n_ops, pad;
    const TfoptOp *ops;
} TfoptOpLibrary;

/* Every op library defines this function; TFOPT_OP_LIBRARY writes it. */
#define TFOPT_OP_LIBRARY_SYMBOL "tfopt_op_library"
typedef const TfoptOpLibrary *TfoptOpLibraryFn(void);

#ifdef __cplusplus
#define TFOPT_OP_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define TFOPT_OP_EXPORT __attribute__((visibility("default")))
#endif
#define TFOPT_OP(op_type, output_names, kernel_function, shape_function)                                               \
    { op_type, output_names, #kernel_function, kernel_function, shape_function }
#define TFOPT_OP_LIBRARY(table)                                                                                        \
    TFOPT_OP_EXPORT const TfoptOpLibrary *tfopt_op_library(void);                                                      \
    TFOPT_OP_EXPORT const TfoptOpLibrary *tfopt_op_library(void) {                                                     \
        static const TfoptOpLibrary library = {TFOPT_OP_VERSION, TFOPT_ABI_VERSION,                                    \
                                               (uint32_t)(sizeof(table) / sizeof(table)[0]), 0, table};                \
        return &library;                                                                                               \
    }

/* ---- attributes: for kernels and shape functions alike, by TensorFlow's names ---------------------------------------
   int, float, string  TFOPT_ATTR_INT, _FLOAT, _STRING
   bool, type          TFOPT_ATTR_INT: 0 or 1; a TfoptDtype
   shape               TFOPT_ATTR_INTS: its dims, -1 = unknown; no attribute when the rank is unknown
   list(…)             TFOPT_ATTR_INTS, _FLOATS, _STRINGS; list(shape): rank (-1 = unknown), dims, rank, dims …
   tensor              TFOPT_ATTR_TENSOR
   Attributes that the writer of the graph left out (defaults are) are not there: say the default. */
static inline const TfoptAttr *tfopt_op_find_attr(const TfoptAttr *attrs, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (strcmp(attrs[i].name, name) == 0) return &attrs[i];
    return NULL;
}
static inline int64_t tfopt_op_attr_int(const TfoptAttr *a, int64_t missing) {
    return a && a->kind == TFOPT_ATTR_INT ? a->v.ints[0] : missing;
}
static inline double tfopt_op_attr_float(const TfoptAttr *a, double missing) {
    return a && a->kind == TFOPT_ATTR_FLOAT ? a->v.floats[0] : missing;
}
static inline TfoptString tfopt_op_attr_string(const TfoptAttr *a, const char *missing) {
    TfoptString s = {missing, missing ? strlen(missing) : 0};
    return a && a->kind == TFOPT_ATTR_STRING ? a->v.strings[0] : s;
}
/* Work for TfoptHostCall and TfoptShapeCall. A list: tfopt_op_attr(call, "sizes"), then ->n and ->v.ints. */
#define tfopt_op_attr(call, name) tfopt_op_find_attr((call)->attrs, (call)->n_attrs, name)
#define tfopt_op_int(call, name, missing) tfopt_op_attr_int(tfopt_op_attr(call, name), missing)
#define tfopt_op_float(call, name, missing) tfopt_op_attr_float(tfopt_op_attr(call, name), missing)
#define tfopt_op_string(call, name, missing) tfopt_op_attr_string(tfopt_op_attr(call, name), missing)

/* ---- tensors and failures */
static inline int64_t tfopt_op_elements(const TfoptTensor *t) {
    int64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++) n *= t->dims[i];
    return n;
}
/* Scratch memory, and the bytes of string elements: 64-byte aligned, lives until the run ends. NULL: there is none. */
static inline void *tfopt_op_alloc(TfoptHostCall *call, uint64_t bytes) {
    return call->alloc(call->env, bytes);
}
/* `return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "axis %d is too large", axis);` of both kinds of calls. */
__attribute__((format(printf, 4, 5))) static inline int32_t tfopt_op_fail_text(char *error, size_t size, int32_t status,
                                                                               const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(error, size, format, list);
    va_end(list);
    return status;
}
#define tfopt_op_fail(call, status, ...) tfopt_op_fail_text((call)->error, sizeof(call)->error, status, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
