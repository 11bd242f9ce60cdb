/* Sparse tensors of host functions: indices [n, rank] s64, values [n], shape [rank]. */
#ifndef TFOPT_HOSTOPS_SPARSE_H
#define TFOPT_HOSTOPS_SPARSE_H
#include "hostops/host.h"

typedef struct {
    const int64_t *indices;
    const TfoptTensor *values;
    const int64_t *shape;
    int64_t n;
    int32_t rank;
} TfoptSparse;

/* Reads three inputs from `first` on and checks them: sizes fit, every index lies in the shape. TFOPT_OK or a status.
 */
int32_t tfopt_sparse_read(TfoptHostCall *call, int32_t first, TfoptSparse *out);
/* The same of any three inputs. */
int32_t tfopt_sparse_from(TfoptHostCall *call, const TfoptTensor *indices, const TfoptTensor *values,
                          const TfoptTensor *shape, TfoptSparse *out);
/* Numbers 0..n-1 in row-major order of their indices (stable). NULL: no memory. */
int64_t *tfopt_sparse_order(TfoptHostCall *call, const TfoptSparse *s);
/* -1, 0, 1: row-major comparison. */
int tfopt_sparse_compare(const int64_t *a, const int64_t *b, int32_t rank);
/* Flat position in a dense tensor of that shape. */
int64_t tfopt_sparse_flat(const int64_t *index, const int64_t *shape, int32_t rank);
void tfopt_copy_element(const TfoptTensor *to, int64_t i, const TfoptTensor *from, int64_t k);
/* a + b, a * b … of elements of any numeric dtype, exact for integers. */
typedef enum { TFOPT_SPARSE_ADD, TFOPT_SPARSE_MUL, TFOPT_SPARSE_DIV, TFOPT_SPARSE_MAX, TFOPT_SPARSE_MIN } TfoptSparseOp;
void tfopt_sparse_combine(TfoptSparseOp op, const TfoptTensor *to, int64_t i, const TfoptTensor *a, int64_t ia,
                          const TfoptTensor *b, int64_t ib);
#endif
