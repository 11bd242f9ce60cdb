/* Schur forms of square matrices in double complex: a = u t u*. */
#ifndef TFOPT_HOSTOPS_SCHUR_H
#define TFOPT_HOSTOPS_SCHUR_H
#include "hostops/linalg.h"

typedef struct {
    int64_t n;
    double epsilon;             /* of the tensor's type: below it an element is nothing */
    TfoptComplex *t, *u, *work; /* n * n each; t holds the matrix at first */
} TfoptSchur;

typedef struct {
    TfoptComplex c, s;
} TfoptRotation;

/* Memory for the matrices of input 0, which must be square; `m` gets their sizes. */
int32_t tfopt_schur_begin(TfoptHostCall *call, TfoptSchur *s, TfoptMatrices *m);
/* t becomes zero below the first subdiagonal. */
void tfopt_hessenberg(TfoptSchur *s);
/* t becomes upper triangular; false when that does not converge (NaN, infinities). */
bool tfopt_schur(TfoptSchur *s);
/* The rotation that turns (p, q) onto the first axis. */
TfoptRotation tfopt_make_rotation(TfoptComplex p, TfoptComplex q);
/* Rows i and i + 1 of t, from column `from` on, times the rotation's adjoint. */
void tfopt_rotate_rows(TfoptSchur *s, int64_t i, int64_t from, TfoptRotation r);
/* Columns j and j + 1 of m, in its first rows, times the rotation. */
void tfopt_rotate_columns(TfoptComplex *m, int64_t n, int64_t j, int64_t rows, TfoptRotation r);
#endif
