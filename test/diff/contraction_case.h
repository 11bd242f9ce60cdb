/* contraction_case: contraction kernels made from a few numbers, compiled for an instruction set, loaded, and computed
   by plain loops: for the differential test and for the microbenchmark. */
#ifndef TFOPT_TEST_CONTRACTION_CASE_H
#define TFOPT_TEST_CONTRACTION_CASE_H
#include "codegen/cpu/isa.h"
#include "kern/contraction.h"
#include "tfopt_abi.h"

typedef enum {
    EPILOGUE_NONE,
    EPILOGUE_BIAS,
    EPILOGUE_BIAS_RELU6,
    EPILOGUE_RESIDUAL,
    EPILOGUE_SWISH,
    EPILOGUE_GELU
} CaseEpilogue;

/* What is 0 takes the usual value: f32, batch 1, strides and dilations 1, no padding. */
typedef struct {
    const char *name;
    ContractKind kind;
    DType dtype, acc;       /* of both operands; of accumulator and result */
    int64_t batch, m, n, k; /* GEMM; batch of a convolution: images */
    bool dense_b, transpose_a, transpose_b, broadcast_b;
    int rank; /* convolutions */
    int64_t in[3], kernel[3], stride[3], dilation[3], before[3], after[3];
    int64_t channels, filters, groups;
    bool symbolic; /* M of a GEMM, or the spatial sizes, known at run time only */
    bool winograd; /* 3x3 convolutions: by F(4x4, 3x3) */
    CaseEpilogue epilogue;
    int threads;
} Case;

typedef struct {
    Case c;
    Program *program;
    Kernel *kernel;
    int64_t units; /* of this size */
    int64_t *dims; /* slots at run time */
    double flops, bytes;
    Tensor a, b, bias, residual, out, expected;
    Tensor packed, scratch;
    TfoptKernelFn *run;
} CaseKernel;

/* Builds, schedules and packs; fills the tensors with numbers made from `seed`. */
CaseKernel *case_new(Arena *arena, const Case *c, const Machine *m, int seed);
/* Computes `expected` with loops in double precision (integers: wrapping). */
void case_expect(CaseKernel *k);
/* Emits all kernels for `isa`, links and loads them; false when something refused, with messages on stderr. */
bool cases_load(Arena *arena, const IsaRow *isa, int n, CaseKernel **kernels);
/* The same for another architecture: linked with `runner` (contraction_runner.c) by `compiler` and run by `emulator`;
 * fills `out`. */
bool cases_run_under(Arena *arena, const IsaRow *isa, const char *triple, const char *compiler, const char *emulator,
                     const char *runner, int n, CaseKernel **kernels);
int case_run(const CaseKernel *k, int64_t begin, int64_t end);
/* Largest error relative to the largest expected value. */
double case_error(const CaseKernel *k);
#endif
