/* What the host functions of gradients share. */
#ifndef TFOPT_HOSTOPS_GRADIENT_H
#define TFOPT_HOSTOPS_GRADIENT_H
#include "hostops/host.h"

/* Output i of the type and dims of `like`, all zero; NULL: no memory. */
void *tfopt_gradient_zeros(TfoptHostCall *call, int32_t i, const TfoptTensor *like);
/* to[at] += from[i], rounded to the element type. */
void tfopt_gradient_add(const TfoptTensor *to, int64_t at, const TfoptTensor *from, int64_t i);
/* `rank` sizes from an integer vector; false where it is none or a size is negative. */
bool tfopt_gradient_shape(const TfoptTensor *t, int32_t rank, int64_t *dims);
#endif
