/* The matrix product shared by ref_matmul.c and ref_conv.c. */
#ifndef TFOPT_REF_GEMM_H
#define TFOPT_REF_GEMM_H
#include "ref/ref_internal.h"

bool ref_gemm_fits(int64_t m, int64_t n, int64_t k);
/* c[m,n] = op(a) op(b), or += with `add`; leading dimensions in elements of the wide type. */
void ref_gemm(Wide w, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
              int64_t ldb, void *c, int64_t ldc, bool add);
#endif
