/* Elements of complex (and real) tensors as C complex numbers. */
#ifndef TFOPT_HOSTOPS_COMPLEX_H
#define TFOPT_HOSTOPS_COMPLEX_H
#include "hostops/host.h"
#include <complex.h>

#ifndef CMPLX /* glibc 2.36 has it for gcc only */
#define CMPLX(real, imaginary) __builtin_complex((double)(real), (double)(imaginary))
#endif

typedef double complex TfoptComplex;
TfoptComplex tfopt_complex_at(const TfoptTensor *t, int64_t i);
/* Into a complex or real tensor (the real part then). */
void tfopt_set_complex(const TfoptTensor *t, int64_t i, TfoptComplex v);
#endif
