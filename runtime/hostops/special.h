/* Element-wise host functions of real numbers, computed in double. */
#ifndef TFOPT_HOSTOPS_SPECIAL_H
#define TFOPT_HOSTOPS_SPECIAL_H
#include "hostops/host.h"

int32_t tfopt_special1(TfoptHostCall *call, double (*f)(double));
/* The same for what grows like exp(|x|): infinite where that is in f32, as in TensorFlow, which multiplies by it. */
int32_t tfopt_special_growing(TfoptHostCall *call, double (*f)(double));
double tfopt_digamma(double x);
int32_t tfopt_special2(TfoptHostCall *call, double (*f)(double, double));
#endif
