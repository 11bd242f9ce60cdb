/* Dense linear algebra by LAPACK: answers of host functions that do not come from the runtime's own routines. */
#ifndef TFOPT_REF_LAPACK_H
#define TFOPT_REF_LAPACK_H
#include "ir/host.h"

/* After the runtime's function has made the outputs of `call`: replaces their numbers by LAPACK's where `op` is an op
   that LAPACK has, and it succeeds; else they stay. */
void ref_lapack(const HostOp *op, TfoptHostCall *call);
#endif
