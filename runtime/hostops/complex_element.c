/* Elements of complex tensors, by themselves so that families which meet complex numbers now and then do not link all
   of complex.c. */
#include "hostops/complex.h"

TfoptComplex tfopt_complex_at(const TfoptTensor *t, int64_t i) {
    if (t->dtype == TFOPT_C64)
        return CMPLX((double)((const float *)t->data)[2 * i], (double)((const float *)t->data)[2 * i + 1]);
    if (t->dtype == TFOPT_C128) return CMPLX(((const double *)t->data)[2 * i], ((const double *)t->data)[2 * i + 1]);
    return CMPLX(tfopt_real_at(t, i), 0);
}

void tfopt_set_complex(const TfoptTensor *t, int64_t i, TfoptComplex v) {
    if (t->dtype == TFOPT_C64) {
        ((float *)t->data)[2 * i] = (float)creal(v);
        ((float *)t->data)[2 * i + 1] = (float)cimag(v);
    } else if (t->dtype == TFOPT_C128) {
        ((double *)t->data)[2 * i] = creal(v);
        ((double *)t->data)[2 * i + 1] = cimag(v);
    } else {
        tfopt_set_real(t, i, creal(v));
    }
}
