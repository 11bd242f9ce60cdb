/* build: what the files of this room share. An emitter is an MLIR module under construction: every operation goes
   through mlir_op, at the end of the current block; constants and stack arrays go to the top of the function's entry
   block, where they dominate every use. */
#ifndef TFOPT_MLIR_BUILD_H
#define TFOPT_MLIR_BUILD_H
#include "base/map.h"
#include "codegen/cpu/emit.h"
#include <mlir-c/BuiltinAttributes.h>
#include <mlir-c/BuiltinTypes.h>
#include <mlir-c/Dialect/LLVM.h>
#include <mlir-c/IR.h>

/* A region operation that is still open: its results become available when it is closed. */
typedef struct {
    MlirBlock outer; /* where building goes on afterwards */
    MlirOperation op;
    MlirBlock otherwise; /* IF: the else side */
} Scope;

struct Emit {
    Arena *arena;
    const IsaRow *isa;
    MlirContext context;
    MlirModule module;
    MlirLocation location;
    MlirBlock block; /* where operations go */
    MlirBlock entry; /* of the current function */
    VEC(Scope) scopes;
    Map constants;          /* of the current function: (type, value) → MlirValue */
    Map declared;           /* libm functions declared in the module */
    MlirAttribute contract; /* fast-math flags of every float operation */
    MlirType pointer, i32, i64;
    MlirType scalar_types[N_DTYPES];
    int32_t *lane_scratch;
    Str *errors;
};

static inline MlirStringRef text_ref(const char *s) {
    return mlirStringRefCreateFromCString(s);
}
static inline MlirNamedAttribute named(Emit *e, const char *name, MlirAttribute a) {
    return mlirNamedAttributeGet(mlirIdentifierGet(e->context, text_ref(name)), a);
}
static inline MlirType type_of(EmitValue v) {
    return mlirValueGetType((MlirValue){v.v});
}
static inline MlirAttribute i32_attribute(Emit *e, int32_t v) {
    return mlirIntegerAttrGet(e->i32, v);
}
static inline MlirAttribute i64_attribute(Emit *e, int64_t v) {
    return mlirIntegerAttrGet(e->i64, v);
}

/* The MLIR type of t in registers. */
MlirType build_type(Emit *e, EmitType t);
/* An operation at the end of the current block. `region` (may be NULL) are n_regions regions that the operation takes
 * over. */
MlirOperation mlir_op(Emit *e, const char *name, int n_results, const MlirType *results, int n_operands,
                      const EmitValue *operands, int n_attributes, const MlirNamedAttribute *attributes, int n_regions,
                      const MlirRegion *regions);
/* One with one result and no region. */
EmitValue build_value(Emit *e, const char *name, MlirType result, int n_operands, const EmitValue *operands,
                      int n_attributes, const MlirNamedAttribute *attributes);
/* `value` as a constant of type t at the function's entry, made once. */
EmitValue build_constant(Emit *e, MlirType t, MlirAttribute value);
bool build_is_constant(EmitValue v);
#endif
