/* Elements of complex (and real) tensors as C complex numbers. */
#ifndef TFOPT_HOSTOPS_COMPLEX_H
#define TFOPT_HOSTOPS_COMPLEX_H
#include "hostops/host.h"
#include <complex.h>

typedef double complex TfoptComplex;
TfoptComplex tfopt_complex_at(const TfoptTensor *t, int64_t i);
/* Into a complex or real tensor (the real part then). */
void tfopt_set_complex(const TfoptTensor *t, int64_t i, TfoptComplex v);
#endif
