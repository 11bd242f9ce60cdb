/* cpu: emits every kernel of a Program as functions of an LLVM unit. */
#ifndef TFOPT_CODEGEN_CPU_H
#define TFOPT_CODEGEN_CPU_H
#include "codegen/llvm/llvm.h"
#include "kern/kern.h"

typedef struct {
    const char *prefix; /* of function names: "<model>_<variant>_" + kernel name */
    const char *triple;
    bool fast_math;
    Str *mlir_dump; /* --emit=mlir, or NULL */
} CpuOptions;

/* Emits all kernels of p; their symbols are prefix + kernel->name. */
bool cpu_emit(const Program *p, const CpuOptions *o, LlvmUnit *into, Diag *d);
/* Register tile, packing and unit sizes of a contraction for an ISA: fills tile_*, unit_*, packed. Called by
 * kern/schedule.c. */
#endif
