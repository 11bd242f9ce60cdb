/* eval: values of a kernel's expressions, computed where the emitter stands; shared by loops kernels and the epilogues
   of contractions. One variable may run over the lanes of vectors (value of lane k: base + k); what does not depend on
   it is computed once as a scalar. Values are kept and used again until something they depend on changes or the scope
   that they were computed in closes. */
#ifndef TFOPT_CPU_EVAL_H
#define TFOPT_CPU_EVAL_H
#include "codegen/cpu/emit.h"
#include "kern/kern.h"

typedef struct Eval Eval;
typedef struct {
    int64_t min, max;
} Range; /* of an S64 expression; INT64_MIN or INT64_MAX: unbounded */

/* Loads the buffers' pointers, and makes room for LOCAL parameters. */
Eval *eval_new(Arena *arena, Emit *e, const Program *p, const Kernel *k, EmitValue buffers, EmitValue dims,
               bool fast_math);
EmitValue eval_buffer(const Eval *v, uint32_t param);

/* Variable `var` has this value (S64; of lane 0 when it runs over lanes) and lies in `range`. */
void eval_set_var(Eval *v, uint32_t var, EmitValue value, Range range);
/* From now on `var` runs over `lanes` lanes; lanes 0: there is no such variable (var is ignored). Forgets all vector
 * values. */
void eval_set_vector(Eval *v, uint32_t var, int lanes);
/* Lanes that exist (i1 vector), {NULL}: all. Off lanes are neither read nor written. Forgets vector values. */
void eval_set_mask(Eval *v, EmitValue mask);
/* Accumulator `acc` has this value: a scalar, or a vector of the lanes. {NULL}: none. */
void eval_set_acc(Eval *v, uint32_t acc, EmitValue value);
EmitValue eval_acc(const Eval *v, uint32_t acc);
/* Buffer parameter `param` was or will be written: loads from it are forgotten. */
void eval_clobber(Eval *v, uint32_t param);

/* Around the body of a loop or branch: what is computed inside is forgotten at the end. */
void eval_scope_begin(Eval *v);
void eval_scope_end(Eval *v);

/* The value of x: of lane 0, as a scalar. f16 and bf16 are f32 in registers, with values that the narrow type has. */
EmitValue eval_scalar(Eval *v, ExprId x);
/* The value of x in all lanes, as a vector (a scalar when there are no lanes). */
EmitValue eval_value(Eval *v, ExprId x);
/* Stores value (as eval_value gives it) to element `index` of a parameter where `pred` (may be {0}) holds; index may be
 * any expression. */
void eval_store(Eval *v, uint32_t param, ExprId index, EmitValue value, ExprId pred);

/* ---- questions */
bool eval_depends_on_var(const Eval *v, ExprId x, uint32_t var);
bool eval_depends_on_acc(const Eval *v, ExprId x, uint32_t acc);
bool eval_loads_from(const Eval *v, ExprId x, uint32_t param);
Range eval_range(Eval *v, ExprId x);
/* x = x(var = 0) + var * *out with a constant factor. */
bool eval_stride(Eval *v, ExprId x, uint32_t var, int64_t *out);
/* The type a value of dtype t has in registers: f32 for f16 and bf16. */
DType eval_register_type(DType t);

/* Failures met so far while evaluating (integer division by zero), as an i1 of the lanes or a scalar; {NULL}: none can
 * happen. Loops carry them. */
EmitValue eval_failure(const Eval *v);
void eval_set_failure(Eval *v, EmitValue flag);
bool eval_may_fail(const Eval *v, ExprId x);
#endif
