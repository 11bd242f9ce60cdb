/* emit: the one interface by which CPU kernels are written as code; behind it codegen/mlir builds scf, arith, math,
   vector and llvm ops. Results are not null-checked; the module is verified once. Never nest calls as arguments: C
   leaves their order open and the bytes must not depend on it. Vectors have 2^n lanes. */
#ifndef TFOPT_CODEGEN_EMIT_H
#define TFOPT_CODEGEN_EMIT_H
#include "codegen/cpu/isa.h"
#include "ir/dtype.h"

typedef struct Emit Emit;
typedef struct {
    const void *v;
} EmitValue; /* an SSA value; {NULL}: none */
typedef struct {
    DType dtype;
    int lanes;
} EmitType; /* lanes 0: scalar. BOOL is i1 in registers, a byte in memory; S64 doubles as index */

/* Arithmetic that maps to one operation (ints are signless, hence S and U forms). */
typedef enum {
    EMIT_ADD,
    EMIT_SUB,
    EMIT_MUL,
    EMIT_DIV,
    EMIT_MAX,
    EMIT_MIN, /* floats; MAX and MIN propagate NaN (arith.maximumf) */
    EMIT_MAXNUM,
    EMIT_MINNUM, /* floats; one x86 instruction: result is the second operand if either is NaN */
    EMIT_IADD,
    EMIT_ISUB,
    EMIT_IMUL,
    EMIT_SDIV,
    EMIT_UDIV,
    EMIT_SREM,
    EMIT_UREM,
    EMIT_SMAX,
    EMIT_SMIN,
    EMIT_UMAX,
    EMIT_UMIN,
    EMIT_AND,
    EMIT_OR,
    EMIT_XOR,
    EMIT_SHL,
    EMIT_SSHR,
    EMIT_USHR,
    EMIT_N_BINARY
} EmitBinary;
typedef enum {
    EMIT_NEG,
    EMIT_FABS,
    EMIT_SQRT,
    EMIT_FLOOR,
    EMIT_CEIL,
    EMIT_ROUNDEVEN,
    EMIT_TRUNC,
    EMIT_CTPOP,
    EMIT_N_UNARY
} EmitUnary;
typedef enum {
    EMIT_EQ,
    EMIT_NE,
    EMIT_SLT,
    EMIT_SLE,
    EMIT_SGT,
    EMIT_SGE,
    EMIT_ULT,
    EMIT_ULE,
    EMIT_UGT,
    EMIT_UGE, /* ints */
    EMIT_FEQ,
    EMIT_FNE,
    EMIT_FLT,
    EMIT_FLE,
    EMIT_FGT,
    EMIT_FGE,
    EMIT_FUNO,
    EMIT_N_COMPARE
} EmitCompare; /* ordered, but FNE and FUNO */
typedef enum {
    EMIT_SEXT,
    EMIT_ZEXT,
    EMIT_ITRUNC,
    EMIT_SITOFP,
    EMIT_UITOFP,
    EMIT_FPTOSI,
    EMIT_FPTOUI,
    EMIT_FPEXT,
    EMIT_FPTRUNC,
    EMIT_BITS
} EmitCast;
typedef enum { EMIT_NONTEMPORAL = 1 } EmitStoreFlag;

/* One emitter per kernel module. `target` fixes lanes and features of the functions. */
Emit *emit_new(Arena *arena, const IsaRow *isa, const char *triple);
void emit_free(Emit *e);
const IsaRow *emit_isa(const Emit *e);

/* Begins an i32 function `name(ptr buffers, ptr dims, i64 begin, i64 end)` (TfoptKernelFn), hidden visibility. */
void emit_kernel_begin(Emit *e, const char *name, EmitValue *out_buffers, EmitValue *out_dims, EmitValue *out_begin,
                       EmitValue *out_end);
/* Pointer number i of the kernel's buffer array: 64-byte aligned when `aligned`, and no two alias. */
EmitValue emit_buffer(Emit *e, EmitValue buffers, int i, bool aligned);
EmitValue emit_dim_slot(Emit *e, EmitValue dims, int slot); /* S64 */
void emit_kernel_end(Emit *e, EmitValue status);            /* returns i32 status */
EmitValue emit_local(Emit *e, DType t, int64_t elements);   /* 64-byte aligned stack array; at function entry */

EmitValue emit_float(Emit *e, EmitType t, double v); /* splat */
EmitValue emit_int(Emit *e, EmitType t, int64_t v);
EmitValue emit_index(Emit *e, int64_t v);       /* scalar S64 */
EmitValue emit_lane_index(Emit *e, EmitType t); /* 0, 1, 2, … of an integer vector type */
EmitValue emit_const_mask(Emit *e, int lanes, int live);
EmitValue emit_mask(Emit *e, EmitValue live, int lanes); /* lanes < live (S64) */
EmitType emit_type(const Emit *e, EmitValue v);
/* Whether v is a constant, the same in all lanes, and which. */
bool emit_constant_int(const Emit *e, EmitValue v, int64_t *out);
bool emit_constant_float(const Emit *e, EmitValue v, double *out);

EmitValue emit_binary(Emit *e, EmitBinary op, EmitValue a, EmitValue b);
EmitValue emit_unary(Emit *e, EmitUnary op, EmitValue a);
EmitValue emit_fma(Emit *e, EmitValue a, EmitValue b, EmitValue c); /* a*b+c, rounded once */
EmitValue emit_compare(Emit *e, EmitCompare op, EmitValue a, EmitValue b);
EmitValue emit_select(Emit *e, EmitValue mask, EmitValue a, EmitValue b);
EmitValue emit_cast(Emit *e, EmitCast op, EmitValue a, DType to);
EmitValue emit_broadcast(Emit *e, EmitValue scalar, int lanes);
EmitValue emit_extract(Emit *e, EmitValue vector, int lane);
EmitValue emit_insert(Emit *e, EmitValue vector, EmitValue scalar, int lane);
EmitValue emit_shuffle(Emit *e, EmitValue a, EmitValue b, int n, const int64_t *lanes);
EmitValue emit_any(Emit *e, EmitValue mask);                     /* i1: whether a lane is on */
EmitValue emit_reduce(Emit *e, EmitBinary op, EmitValue vector); /* fixed tree order: the same bits everywhere */

/* base + index elements of dtype t (index S64 scalar, may be {NULL}) + disp elements. */
EmitValue emit_address(Emit *e, EmitValue base, DType t, EmitValue index, int64_t disp);
EmitValue emit_load(Emit *e, EmitValue pointer, int64_t disp, EmitType t,
                    EmitValue mask /* {NULL}: all; off lanes are 0 */);
void emit_store(Emit *e, EmitValue pointer, int64_t disp, EmitValue v, EmitValue mask, int flags);
EmitValue emit_gather(Emit *e, EmitValue pointer, EmitValue indexes /* S32 or S64 lanes, in elements */, EmitType t,
                      EmitValue mask);
void emit_scatter(Emit *e, EmitValue pointer, EmitValue indexes, EmitValue v,
                  EmitValue mask); /* of equal indexes the last lane stays */
void emit_prefetch(Emit *e, EmitValue pointer, int64_t disp_bytes);

/* for (i = lo; i < hi; i += step) with n carried values: io holds initial values, then, between begin and end, the
   carried ones; at end io holds what goes to the next turn and afterwards the results. Returns i. hi - lo need not be a
   multiple of step. */
EmitValue emit_for_begin(Emit *e, EmitValue lo, EmitValue hi, EmitValue step, int n, EmitValue *io);
void emit_for_end(Emit *e, int n, EmitValue *io);
/* if (i1): values are yielded from both sides; begin → then side, else → other side (io: yields), end (io: yields, then
 * results). */
void emit_if_begin(Emit *e, EmitValue condition, int n, const EmitType *types);
void emit_if_else(Emit *e, int n, EmitValue *io);
void emit_if_end(Emit *e, int n, EmitValue *io);
/* A libm function of scalars or an LLVM intrinsic ("llvm.x86.avx512.vpdpbusd.512"). */
EmitValue emit_intrinsic(Emit *e, const char *name, EmitType result, int n, const EmitValue *args);
EmitValue emit_call_libm(Emit *e, const char *name, EmitType result, int n,
                         const EmitValue *args); /* vectors lane by lane */

/* Verifies, runs the lowering passes and hands the LLVM module to `into` (codegen/llvm/llvm.h). false and a message:
 * our bug. */
struct LlvmUnit;
bool emit_finish(Emit *e, struct LlvmUnit *into, Str *mlir_dump /* or NULL */);
#endif
