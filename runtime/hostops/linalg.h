/* Dense matrices in double complex, one at a time: what the linear algebra ops share. Row-major. */
#ifndef TFOPT_HOSTOPS_LINALG_H
#define TFOPT_HOSTOPS_LINALG_H
#include "hostops/broadcast.h"
#include "hostops/complex.h"

/* A batch of matrices in the last two dims of a tensor. */
typedef struct {
    int64_t batches, rows, columns;
} TfoptMatrices;
bool tfopt_matrices(const TfoptTensor *t, TfoptMatrices *out); /* false: rank below 2 */
void tfopt_matrix_load(const TfoptTensor *t, int64_t first, int64_t count, TfoptComplex *out);
void tfopt_matrix_store(const TfoptTensor *t, int64_t first, int64_t count, const TfoptComplex *v);
/* Output i: the batch dims of `like`, then the sizes given. */
void *tfopt_matrix_output(TfoptHostCall *call, int32_t i, const TfoptTensor *like, int32_t rank, int64_t rows,
                          int64_t columns);
/* ---- linalg_rows.c
   y[i] += f x[i] */
void tfopt_row_add(TfoptComplex *y, const TfoptComplex *x, TfoptComplex f, int64_t n);
/* The sum of conj(x[i]) y[i]. */
TfoptComplex tfopt_row_dot(const TfoptComplex *x, const TfoptComplex *y, int64_t n);
/* The sum of x[i] y[i]. */
double tfopt_real_dot(const double *x, const double *y, int64_t n);
/* (x[i], y[i]) become (c x[i] - conj(s) y[i], s x[i] + c y[i]). */
void tfopt_row_rotate(TfoptComplex *x, TfoptComplex *y, double c, TfoptComplex s, int64_t n);
/* out[m,n] = a[m,k] b[k,n] */
void tfopt_multiply(const TfoptComplex *a, const TfoptComplex *b, int64_t m, int64_t k, int64_t n, TfoptComplex *out);
/* a[n,n] becomes L and U with partial pivoting, perm[i] the row that came to i. Returns the sign of the permutation; 0
 * with a zero pivot. */
int tfopt_lu(TfoptComplex *a, int64_t n, int64_t *perm);
/* Solves L U x = P b for the k columns of b in place; work [n,k]. */
void tfopt_lu_solve(const TfoptComplex *lu, const int64_t *perm, int64_t n, TfoptComplex *b, int64_t k,
                    TfoptComplex *work);
/* Solves a x = b, or adjoint(a) x = b, for a triangle of a and the k columns of x in place; unit: its diagonal counts
   as 1; a zero on it leads to infinities and NaN. */
void tfopt_solve_triangular(const TfoptComplex *a, int64_t n, bool lower, bool adjoint, bool unit, TfoptComplex *x,
                            int64_t k);

/* ---- linalg.c, decompose.c */
/* conj(a) transposed, [m,n] -> [n,m]. */
void tfopt_adjoint(const TfoptComplex *a, int64_t m, int64_t n, TfoptComplex *out);
/* Singular values (descending) of a[m,n], m >= n, with a = u s v*: u [m,n] over a, v [n,n]; work [m+n,n]. */
void tfopt_svd(TfoptComplex *a, int64_t m, int64_t n, double *s, TfoptComplex *v, TfoptComplex *work);
/* Orthonormal columns from, … to-1 for a[m,to], whose columns before `from` are orthonormal. */
void tfopt_complete_basis(TfoptComplex *a, int64_t m, int64_t stride, int64_t from, int64_t to);
/* The batches of the first two inputs, stacks of matrices, which broadcast; false when they do not. */
bool tfopt_matrix_batches(const TfoptHostCall *call, TfoptBroadcast *b);
#endif
