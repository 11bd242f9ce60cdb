/* random_tf_control: functions of random TensorFlow graphs, for makers of loops. */
#ifndef FUZZ_RANDOM_TF_CONTROL_H
#define FUZZ_RANDOM_TF_CONTROL_H
#include "random_tf.h"

enum { TF_MOST_ARGUMENTS = 40, TF_MOST_DEPTH = 2 };

/* Arguments of a function as its caller passes them. Those that a body brought (its leaves) stand behind its own. */
typedef struct {
    TfInput at[TF_MOST_ARGUMENTS];
    DType dtypes[TF_MOST_ARGUMENTS + 1];
    uint32_t n;
} TfArguments;

/* A body to be filled, with arguments for these tensors of m; NULL when they cannot be computed. */
TfMaker *tf_begin_body(TfMaker *m, uint32_t n, const TfTensor *arguments);
void tf_add_arguments(TfArguments *all, const TfMaker *inner, uint32_t from);
/* The body as a function, its name (arrays have one element more than they need): of its own arguments the first n_own
   are the function's first ones, the others come from `rest` on. */
const char *tf_end_body(TfMaker *inner, const TfArguments *all, uint32_t n_own, uint32_t rest, uint32_t n_results,
                        const TfInput *results, const DType *types);
TfAttr tf_of_dtypes(TfMaker *m, const char *name, uint32_t n, const DType *dtypes);
/* Adds a While, If, … and gives its outputs: as it is, or, with `lowered` percent, in TensorFlow 1's form. */
void tf_place(TfMaker *m, const char *op, const TfInput *in, uint32_t n_in, uint32_t n_attrs, const TfAttr *attrs,
              int lowered, TfInput *out);
#endif
