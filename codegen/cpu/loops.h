/* loops: code of KERNEL_LOOPS kernels. */
#ifndef TFOPT_CPU_LOOPS_H
#define TFOPT_CPU_LOOPS_H
#include "codegen/cpu/emit.h"
#include "kern/kern.h"

/* Emits k as function `symbol`. */
void loops_emit(Emit *e, const Program *p, const Kernel *k, const char *symbol, bool fast_math);
#endif
