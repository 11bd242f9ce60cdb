/* math: elementary functions of f32 as a few multiplications and additions each, on scalars and vectors. Every function
   handles NaN, infinities, zeros and denormals; the largest errors, measured over the whole range, stand in
   test/unit/test_cpu_math.c. */
#ifndef TFOPT_CPU_MATH_H
#define TFOPT_CPU_MATH_H
#include "codegen/cpu/emit.h"

EmitValue math_exp(Emit *e, EmitValue x);
EmitValue math_expm1(Emit *e, EmitValue x);
EmitValue math_log(Emit *e, EmitValue x);
EmitValue math_log1p(Emit *e, EmitValue x);
EmitValue math_sin(Emit *e, EmitValue x);
EmitValue math_cos(Emit *e, EmitValue x);
EmitValue math_asin(Emit *e, EmitValue x);
EmitValue math_acos(Emit *e, EmitValue x);
EmitValue math_atan(Emit *e, EmitValue x);
EmitValue math_atan2(Emit *e, EmitValue y, EmitValue x);
EmitValue math_tanh(Emit *e, EmitValue x);
EmitValue math_sigmoid(Emit *e, EmitValue x);
EmitValue math_erf(Emit *e, EmitValue x);
EmitValue math_erfc(Emit *e, EmitValue x);
EmitValue math_softplus(Emit *e, EmitValue x);

/* Shorter ones, absolute error under 2e-5 (exp: relative): for --math fast. */
EmitValue math_exp_fast(Emit *e, EmitValue x);
EmitValue math_tanh_fast(Emit *e, EmitValue x);
EmitValue math_erf_fast(Emit *e, EmitValue x);

/* sum of c[i] * x^i, n coefficients. */
EmitValue math_polynomial(Emit *e, EmitValue x, const double *c, int n);
#endif
