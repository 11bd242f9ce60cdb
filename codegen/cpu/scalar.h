/* scalar: the rows of scalar.def as code. Works on scalars and vectors alike. */
#ifndef TFOPT_CPU_SCALAR_H
#define TFOPT_CPU_SCALAR_H
#include "codegen/cpu/emit.h"
#include "ir/graph.h"

typedef struct {
    OpId op;
    DType operand; /* of args[0], for select of args[1]: says how ints divide, compare and shift */
    DType result;
    EmitValue args[3]; /* register values: f16 and bf16 as f32 */
    bool fast_math;
    EmitValue zero_divisor; /* out: where an integer division had the divisor 0 (its result is then 0); {NULL} when it
                               cannot fail */
} ScalarCall;

/* The value of c->op. f16 and bf16 results are rounded to that type and stay f32. */
EmitValue scalar_emit(Emit *e, ScalarCall *c);
/* Whether integer arguments can make it fail. */
bool scalar_may_fail(OpId op, DType operand);
/* Memory form (f16, bf16, f8 as they lie in memory) to register form and back. */
EmitValue scalar_from_memory(Emit *e, EmitValue v, DType t);
EmitValue scalar_to_memory(Emit *e, EmitValue v, DType t);
/* a*b+c of floats with one or two roundings, whatever is faster. */
EmitValue scalar_multiply_add(Emit *e, EmitValue a, EmitValue b, EmitValue c);
#endif
