/* Tensor: concrete data, dense, row-major, in the input file, an arena or a caller's memory. String elements are
 * TfoptString pairs. */
#ifndef TFOPT_IR_TENSOR_H
#define TFOPT_IR_TENSOR_H
#include "ir/dtype.h"
#include "ir/shape.h"

typedef struct {
    DType dtype;
    int rank;
    int64_t dims[MAX_RANK];
    const void
        *data; /* may be NULL when there are no elements; not necessarily aligned to more than 1 byte when in a file */
} Tensor;

/* Element of a string tensor: same layout as TfoptString of tfopt_abi.h. */
typedef struct {
    const char *data;
    uint64_t size;
} StringElement;

int64_t tensor_count(const Tensor *t);                                       /* elements */
size_t tensor_bytes(const Tensor *t);                                        /* count * element size */
Tensor tensor_new(Arena *arena, DType dtype, int rank, const int64_t *dims); /* zeroed data */
Tensor tensor_scalar_f64(Arena *arena, DType dtype, double value);           /* any numeric dtype, converted */
Tensor tensor_scalar_i64(Arena *arena, DType dtype, int64_t value);
Tensor tensor_ints(Arena *arena, DType dtype, int64_t n, const int64_t *values); /* rank 1 */
/* Element i as a number: floats, ints, bool of any width; 0 for others. */
double tensor_get_f64(const Tensor *t, int64_t i);
int64_t tensor_get_i64(const Tensor *t, int64_t i);
void tensor_set_f64(Tensor *t, int64_t i, double v); /* rounds to nearest even; data must be writable */
void tensor_set_i64(Tensor *t, int64_t i, int64_t v);
bool tensor_equal(const Tensor *a, const Tensor *b); /* dtype, shape and bits */
bool tensor_is_splat(const Tensor *t);               /* >= 1 element and all the same bits */
Shape tensor_shape(const Tensor *t);
float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f); /* to nearest even */
float bf16_to_f32(uint16_t b);
uint16_t f32_to_bf16(float f); /* to nearest even, NaN stays NaN */
#endif
