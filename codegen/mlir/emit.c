/* emit: the module, its functions and its way to LLVM. Everything of emit.h that is not arithmetic, memory or control
   is here. Assumes: one emitter is used by one thread. Leaves: after emit_finish the emitter can only be freed. Only
   the dialects that are used get loaded; passes are made directly, so nothing is registered process-wide. */
#include "codegen/llvm/llvm.h"
#include "codegen/mlir/build.h"
#include <llvm-c/Core.h>
#include <mlir-c/Conversion.h>
#include <mlir-c/Diagnostics.h>
#include <mlir-c/Pass.h>
#include <mlir-c/RegisterEverything.h>
#include <mlir-c/Target/LLVMIR.h>
#include <mlir-c/Transforms.h>
#include <string.h>

static void add_text(MlirStringRef s, void *out) {
    str_add_bytes(out, s.data, s.length);
}

static MlirLogicalResult keep_message(MlirDiagnostic diagnostic, void *out) {
    mlirDiagnosticPrint(diagnostic, add_text, out);
    str_add(out, "; ");
    return mlirLogicalResultSuccess();
}

/* Types of register values. What is only moved (strings, complex numbers, handles) is an integer of its size, and so is
   bf16, which is computed in f32: for LLVM's own type of it many targets call a function. */
static MlirType scalar_type(MlirContext c, DType t) {
    switch (t) {
    case DTYPE_F32:
        return mlirF32TypeGet(c);
    case DTYPE_F64:
        return mlirF64TypeGet(c);
    case DTYPE_F16:
        return mlirF16TypeGet(c);
    case DTYPE_BOOL:
        return mlirIntegerTypeGet(c, 1);
    default:
        return mlirIntegerTypeGet(c, (unsigned)dtype_info(t)->bits);
    }
}

Emit *emit_new(Arena *arena, const IsaRow *isa, const char *triple) {
    (void)triple; /* functions carry cpu and features; the triple and the data layout are the unit's (codegen/llvm) */
    Emit *e = NEW(arena, Emit);
    e->arena = arena;
    e->isa = isa;
    MlirDialectRegistry registry = mlirDialectRegistryCreate();
    mlirRegisterAllDialects(registry); /* names only: the C API has no finer way to the conversion interfaces */
    e->context = mlirContextCreateWithRegistry(registry, false);
    mlirDialectRegistryDestroy(registry);
    mlirRegisterAllLLVMTranslations(e->context);
    e->errors = NEW(arena, Str);
    str_init(e->errors, arena);
    mlirContextAttachDiagnosticHandler(e->context, keep_message, e->errors, NULL);
    const char *const dialects[] = {"scf", "arith", "math", "vector", "llvm"};
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) mlirContextGetOrLoadDialect(e->context, text_ref(dialects[i]));
    e->location = mlirLocationUnknownGet(e->context);
    e->module = mlirModuleCreateEmpty(e->location);
    e->contract = mlirAttributeParseGet(e->context, text_ref("#arith.fastmath<contract>"));
    e->pointer = mlirLLVMPointerTypeGet(e->context, 0);
    e->i32 = mlirIntegerTypeGet(e->context, 32);
    e->i64 = mlirIntegerTypeGet(e->context, 64);
    for (DType t = DTYPE_NONE + 1; t < N_DTYPES; t++) e->scalar_types[t] = scalar_type(e->context, t);
    map_init(&e->declared, arena);
    return e;
}

void emit_free(Emit *e) {
    mlirModuleDestroy(e->module);
    mlirContextDestroy(e->context);
}

const IsaRow *emit_isa(const Emit *e) {
    return e->isa;
}

MlirType build_type(Emit *e, EmitType t) {
    MlirType scalar = e->scalar_types[t.dtype];
    int64_t lanes = t.lanes;
    return t.lanes ? mlirVectorTypeGet(1, &lanes, scalar) : scalar;
}

EmitType emit_type(const Emit *e, EmitValue v) {
    MlirType t = type_of(v);
    int lanes = 0;
    if (mlirTypeIsAVector(t)) {
        lanes = (int)mlirShapedTypeGetDimSize(t, 0);
        t = mlirShapedTypeGetElementType(t);
    }
    /* Ints are signless: the signed type of the width stands for them. */
    static const DType order[] = {DTYPE_F32, DTYPE_S32, DTYPE_S64, DTYPE_BOOL,  DTYPE_S8,
                                  DTYPE_S16, DTYPE_F64, DTYPE_F16, DTYPE_STRING};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (mlirTypeEqual(t, e->scalar_types[order[i]])) return (EmitType){order[i], lanes};
    return (EmitType){DTYPE_NONE, lanes};
}

MlirOperation mlir_op(Emit *e, const char *name, int n_results, const MlirType *results, int n_operands,
                      const EmitValue *operands, int n_attributes, const MlirNamedAttribute *attributes, int n_regions,
                      const MlirRegion *regions) {
    _Static_assert(sizeof(EmitValue) == sizeof(MlirValue), "an EmitValue is an MlirValue");
    MlirOperationState s = mlirOperationStateGet(text_ref(name), e->location);
    if (n_results) mlirOperationStateAddResults(&s, n_results, results);
    if (n_operands) {
        for (int i = 0; i < n_operands; i++)
            if (!operands[i].v) BUG("operand %d of %s is missing", i, name);
        mlirOperationStateAddOperands(&s, n_operands, (const MlirValue *)operands);
    }
    if (n_attributes) mlirOperationStateAddAttributes(&s, n_attributes, attributes);
    if (n_regions) mlirOperationStateAddOwnedRegions(&s, n_regions, regions);
    MlirOperation op = mlirOperationCreate(&s);
    if (mlirOperationIsNull(op)) BUG("%s cannot be built: %s", name, str_text(e->errors));
    mlirBlockAppendOwnedOperation(e->block, op);
    return op;
}

EmitValue build_value(Emit *e, const char *name, MlirType result, int n_operands, const EmitValue *operands,
                      int n_attributes, const MlirNamedAttribute *attributes) {
    MlirOperation op = mlir_op(e, name, 1, &result, n_operands, operands, n_attributes, attributes, 0, NULL);
    return (EmitValue){mlirOperationGetResult(op, 0).ptr};
}

/* ---- functions */

static MlirAttribute feature_list(Emit *e, const char *features) {
    Str s;
    str_init(&s, e->arena);
    str_add(&s, "#llvm.target_features<[");
    for (const char *p = features; *p;) {
        size_t n = strcspn(p, ",");
        str_printf(&s, "%s\"%.*s\"", p == features ? "" : ", ", (int)n, p);
        p += n + (p[n] == ',');
    }
    str_add(&s, "]>");
    MlirAttribute a = mlirAttributeParseGet(e->context, text_ref(str_text(&s)));
    if (mlirAttributeIsNull(a)) BUG("features '%s': %s", features, str_text(e->errors));
    return a;
}

void emit_kernel_begin(Emit *e, const char *name, EmitValue *out_buffers, EmitValue *out_dims, EmitValue *out_begin,
                       EmitValue *out_end) {
    MlirType types[4] = {e->pointer, e->pointer, e->i64, e->i64};
    MlirLocation locations[4] = {e->location, e->location, e->location, e->location};
    MlirRegion region = mlirRegionCreate();
    MlirBlock entry = mlirBlockCreate(4, types, locations);
    mlirRegionAppendOwnedBlock(region, entry);

    MlirAttribute unit = mlirUnitAttrGet(e->context);
    MlirNamedAttribute noalias = named(e, "llvm.noalias", unit);
    MlirAttribute pointer_attributes = mlirDictionaryAttrGet(e->context, 1, &noalias);
    MlirAttribute none = mlirDictionaryAttrGet(e->context, 0, NULL);
    MlirAttribute arguments[4] = {pointer_attributes, pointer_attributes, none, none};
    MlirType function = mlirLLVMFunctionTypeGet(e->i32, 4, types, false);
    enum { HIDDEN = 1 };
    MlirNamedAttribute a[10];
    int n = 0;
    a[n++] = named(e, "sym_name", mlirStringAttrGet(e->context, text_ref(name)));
    a[n++] = named(e, "function_type", mlirTypeAttrGet(function));
    a[n++] = named(e, "arg_attrs", mlirArrayAttrGet(e->context, 4, arguments));
    a[n++] = named(e, "visibility_", i64_attribute(e, HIDDEN));
    a[n++] = named(e, "no_unwind", unit);
    a[n++] = named(e, "target_cpu", mlirStringAttrGet(e->context, text_ref(e->isa->cpu)));
    if (e->isa->tune) a[n++] = named(e, "tune_cpu", mlirStringAttrGet(e->context, text_ref(e->isa->tune)));
    if (*e->isa->features) a[n++] = named(e, "target_features", feature_list(e, e->isa->features));
    const char *width =
        arena_printf(e->arena, "%d", e->isa->vector_bits); /* or LLVM would split 512-bit vectors on some CPUs */
    a[n++] = named(e, "prefer_vector_width", mlirStringAttrGet(e->context, text_ref(width)));
    e->block = mlirModuleGetBody(e->module);
    mlir_op(e, "llvm.func", 0, NULL, 0, NULL, n, a, 1, &region);
    e->block = e->entry = entry;
    map_init(&e->constants, e->arena);
    *out_buffers = (EmitValue){mlirBlockGetArgument(entry, 0).ptr};
    *out_dims = (EmitValue){mlirBlockGetArgument(entry, 1).ptr};
    *out_begin = (EmitValue){mlirBlockGetArgument(entry, 2).ptr};
    *out_end = (EmitValue){mlirBlockGetArgument(entry, 3).ptr};
}

void emit_kernel_end(Emit *e, EmitValue status) {
    CHECK(e->scopes.len == 0);
    mlir_op(e, "llvm.return", 0, NULL, 1, &status, 0, NULL, 0, NULL);
}

static void declare(Emit *e, const char *name, MlirType function) {
    if (!map_add(&e->declared, name, 1)) return;
    MlirBlock here = e->block;
    MlirRegion empty = mlirRegionCreate();
    MlirNamedAttribute a[3] = {named(e, "sym_name", mlirStringAttrGet(e->context, text_ref(name))),
                               named(e, "function_type", mlirTypeAttrGet(function)),
                               named(e, "no_unwind", mlirUnitAttrGet(e->context))};
    e->block = mlirModuleGetBody(e->module);
    mlir_op(e, "llvm.func", 0, NULL, 0, NULL, 3, a, 1, &empty);
    e->block = here;
}

static EmitValue call_scalar(Emit *e, const char *name, MlirType result, int n, const EmitValue *args) {
    MlirType types[4];
    for (int i = 0; i < n; i++) types[i] = type_of(args[i]);
    declare(e, name, mlirLLVMFunctionTypeGet(result, n, types, false));
    int32_t sizes[2] = {n, 0};
    MlirNamedAttribute a[3] = {named(e, "callee", mlirFlatSymbolRefAttrGet(e->context, text_ref(name))),
                               named(e, "operandSegmentSizes", mlirDenseI32ArrayGet(e->context, 2, sizes)),
                               named(e, "op_bundle_sizes", mlirDenseI32ArrayGet(e->context, 0, NULL))};
    return build_value(e, "llvm.call", result, n, args, 3, a);
}

EmitValue emit_call_libm(Emit *e, const char *name, EmitType result, int n, const EmitValue *args) {
    CHECK(n >= 1 && n <= 4);
    MlirType scalar = build_type(e, (EmitType){result.dtype, 0});
    if (!result.lanes) return call_scalar(e, name, scalar, n, args);
    EmitValue vector = build_constant(
        e, build_type(e, result),
        mlirDenseElementsAttrSplatGet(build_type(e, result), mlirFloatAttrDoubleGet(e->context, scalar, 0)));
    for (int lane = 0; lane < result.lanes; lane++) {
        EmitValue lanes[4];
        for (int i = 0; i < n; i++) lanes[i] = emit_extract(e, args[i], lane);
        EmitValue one = call_scalar(e, name, scalar, n, lanes);
        vector = emit_insert(e, vector, one, lane);
    }
    return vector;
}

EmitValue emit_intrinsic(Emit *e, const char *name, EmitType result, int n, const EmitValue *args) {
    int32_t sizes[2] = {n, 0};
    MlirNamedAttribute a[3] = {named(e, "intrin", mlirStringAttrGet(e->context, text_ref(name))),
                               named(e, "operandSegmentSizes", mlirDenseI32ArrayGet(e->context, 2, sizes)),
                               named(e, "op_bundle_sizes", mlirDenseI32ArrayGet(e->context, 0, NULL))};
    if (result.dtype == DTYPE_NONE) {
        mlir_op(e, "llvm.call_intrinsic", 0, NULL, n, args, 3, a, 0, NULL);
        return (EmitValue){NULL};
    }
    return build_value(e, "llvm.call_intrinsic", build_type(e, result), n, args, 3, a);
}

/* ---- the way to LLVM */

bool emit_finish(Emit *e, LlvmUnit *into, Str *mlir_dump) {
    MlirOperation module = mlirModuleGetOperation(e->module);
    if (mlir_dump) mlirOperationPrint(module, add_text, mlir_dump);
    if (!mlirOperationVerify(module)) BUG("kernels do not verify: %s", str_text(e->errors));
    MlirPassManager passes = mlirPassManagerCreate(e->context);
    mlirPassManagerEnableVerifier(passes, false); /* it was verified; what comes out is verified by LLVM */
    mlirPassManagerAddOwnedPass(passes, mlirCreateTransformsCSE());
    mlirPassManagerAddOwnedPass(passes, mlirCreateConversionSCFToControlFlowPass());
    mlirPassManagerAddOwnedPass(passes, mlirCreateConversionConvertToLLVMPass());
    bool ok = mlirLogicalResultIsSuccess(mlirPassManagerRunOnOp(passes, module));
    mlirPassManagerDestroy(passes);
    if (!ok) BUG("kernels cannot be lowered: %s", str_text(e->errors));
    LLVMModuleRef translated = mlirTranslateModuleToLLVMIR(module, llvm_unit_context(into));
    if (!translated) BUG("kernels cannot be translated: %s", str_text(e->errors));
    llvm_unit_link(into, translated);
    return true;
}
