/* arith: constants, arithmetic, comparisons, conversions and lane movement of emit.h as arith, math and vector
   operations. Float operations carry `contract` only: no result may depend on NaNs, infinities or signed zeros being
   absent. */
#include "codegen/mlir/build.h"
#include <math.h>
#include <string.h>

/* ---- constants */

EmitValue build_constant(Emit *e, MlirType t, MlirAttribute value) {
    const void *key[2] = {t.ptr, value.ptr}; /* both are unique in the context; the map is walked by nobody */
    const MapEntry *known = map_find_bytes(&e->constants, key, sizeof key);
    if (known) return (EmitValue){(const void *)(uintptr_t)known->value};
    MlirOperationState s = mlirOperationStateGet(text_ref("arith.constant"), e->location);
    MlirNamedAttribute a = named(e, "value", value);
    mlirOperationStateAddResults(&s, 1, &t);
    mlirOperationStateAddAttributes(&s, 1, &a);
    MlirOperation op = mlirOperationCreate(&s);
    mlirBlockInsertOwnedOperation(e->entry, 0, op);
    EmitValue v = {mlirOperationGetResult(op, 0).ptr};
    map_add_bytes(&e->constants, key, sizeof key, (uint64_t)(uintptr_t)v.v);
    return v;
}

bool build_is_constant(EmitValue v) {
    MlirValue value = {v.v};
    if (!mlirValueIsAOpResult(value)) return false;
    MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(mlirOpResultGetOwner(value)));
    return mlirStringRefEqual(name, text_ref("arith.constant"));
}

static EmitValue splat(Emit *e, EmitType t, MlirAttribute scalar) {
    MlirType type = build_type(e, t);
    return build_constant(e, type, t.lanes ? mlirDenseElementsAttrSplatGet(type, scalar) : scalar);
}

EmitValue emit_float(Emit *e, EmitType t, double v) {
    return splat(e, t, mlirFloatAttrDoubleGet(e->context, e->scalar_types[t.dtype], v));
}

EmitValue emit_int(Emit *e, EmitType t, int64_t v) {
    if (t.dtype == DTYPE_F32 || t.dtype == DTYPE_F64 || t.dtype == DTYPE_F16) return emit_float(e, t, (double)v);
    return splat(e, t, mlirIntegerAttrGet(e->scalar_types[t.dtype], v));
}

/* The attribute of a constant, of its element where all are equal; null otherwise. */
static MlirAttribute constant_of(EmitValue v) {
    if (!v.v || !build_is_constant(v)) return mlirAttributeGetNull();
    MlirAttribute a = mlirOperationGetAttributeByName(mlirOpResultGetOwner((MlirValue){v.v}), text_ref("value"));
    if (!mlirAttributeIsADenseElements(a)) return a;
    return mlirDenseElementsAttrIsSplat(a) ? mlirDenseElementsAttrGetSplatValue(a) : mlirAttributeGetNull();
}

bool emit_constant_int(const Emit *e, EmitValue v, int64_t *out) {
    (void)e;
    MlirAttribute a = constant_of(v);
    if (mlirAttributeIsNull(a) || !mlirAttributeIsAInteger(a) || mlirIntegerTypeGetWidth(mlirAttributeGetType(a)) > 64)
        return false;
    *out = mlirIntegerAttrGetValueInt(a);
    return true;
}

bool emit_constant_float(const Emit *e, EmitValue v, double *out) {
    (void)e;
    MlirAttribute a = constant_of(v);
    if (mlirAttributeIsNull(a) || !mlirAttributeIsAFloat(a)) return false;
    *out = mlirFloatAttrGetValueDouble(a);
    return true;
}

EmitValue emit_index(Emit *e, int64_t v) {
    return emit_int(e, (EmitType){DTYPE_S64, 0}, v);
}

EmitValue emit_lane_index(Emit *e, EmitType t) {
    MlirType type = build_type(e, t);
    MlirAttribute *lanes = NEW_ARRAY(e->arena, MlirAttribute, t.lanes);
    for (int i = 0; i < t.lanes; i++) lanes[i] = mlirIntegerAttrGet(e->scalar_types[t.dtype], i);
    return build_constant(e, type, mlirDenseElementsAttrGet(type, t.lanes, lanes));
}

EmitValue emit_const_mask(Emit *e, int lanes, int live) {
    MlirType type = build_type(e, (EmitType){DTYPE_BOOL, lanes});
    int *bits = NEW_ARRAY(e->arena, int, lanes);
    for (int i = 0; i < lanes; i++) bits[i] = i < live;
    return build_constant(e, type, mlirDenseElementsAttrBoolGet(type, lanes, bits));
}

EmitValue emit_mask(Emit *e, EmitValue live, int lanes) {
    /* Compared in the narrowest type that fills a register: 64 lanes compare as bytes. */
    DType t = lanes >= 64 ? DTYPE_S8 : lanes >= 32 ? DTYPE_S16 : DTYPE_S32;
    EmitValue all = emit_index(e, lanes);
    EmitValue some = emit_binary(e, EMIT_SMIN, live, all);
    EmitValue zero = emit_index(e, 0);
    some = emit_binary(e, EMIT_SMAX, some, zero);
    EmitValue narrow = emit_cast(e, EMIT_ITRUNC, some, t);
    EmitValue wide = emit_broadcast(e, narrow, lanes);
    EmitValue index = emit_lane_index(e, (EmitType){t, lanes});
    return emit_compare(e, EMIT_SLT, index, wide);
}

/* ---- arithmetic */

static const struct {
    const char *name;
    bool is_float;
} binaries[EMIT_N_BINARY] = {
    [EMIT_ADD] = {"arith.addf", true},    [EMIT_SUB] = {"arith.subf", true},     [EMIT_MUL] = {"arith.mulf", true},
    [EMIT_DIV] = {"arith.divf", true},    [EMIT_MAX] = {"arith.maximumf", true}, [EMIT_MIN] = {"arith.minimumf", true},
    [EMIT_MAXNUM] = {NULL, true},         [EMIT_MINNUM] = {NULL, true},          [EMIT_IADD] = {"arith.addi", false},
    [EMIT_ISUB] = {"arith.subi", false},  [EMIT_IMUL] = {"arith.muli", false},   [EMIT_SDIV] = {"arith.divsi", false},
    [EMIT_UDIV] = {"arith.divui", false}, [EMIT_SREM] = {"arith.remsi", false},  [EMIT_UREM] = {"arith.remui", false},
    [EMIT_SMAX] = {"arith.maxsi", false}, [EMIT_SMIN] = {"arith.minsi", false},  [EMIT_UMAX] = {"arith.maxui", false},
    [EMIT_UMIN] = {"arith.minui", false}, [EMIT_AND] = {"arith.andi", false},    [EMIT_OR] = {"arith.ori", false},
    [EMIT_XOR] = {"arith.xori", false},   [EMIT_SHL] = {"arith.shli", false},    [EMIT_SSHR] = {"arith.shrsi", false},
    [EMIT_USHR] = {"arith.shrui", false},
};

/* x86's maxps and minps: the second operand unless the comparison holds. */
static EmitValue second_unless(Emit *e, EmitCompare compare, EmitValue a, EmitValue b) {
    EmitValue holds = emit_compare(e, compare, a, b);
    return emit_select(e, holds, a, b);
}

/* A constant, the same in all lanes, that is not NaN. */
static bool is_number(EmitValue v) {
    MlirAttribute a = constant_of(v);
    return !mlirAttributeIsNull(a) && mlirAttributeIsAFloat(a) && !isnan(mlirFloatAttrGetValueDouble(a));
}

/* maximum and minimum that give NaN when an operand is NaN. x86: one instruction keeps a NaN of its second operand, so
   that only the other operand needs a fix-up, and none when that is a number. */
static EmitValue extreme(Emit *e, EmitCompare compare, EmitValue a, EmitValue b) {
    if (is_number(a)) return second_unless(e, compare, a, b);
    EmitValue result = second_unless(e, compare, b, a);
    if (is_number(b)) return result;
    EmitValue nan = emit_compare(e, EMIT_FUNO, b, b);
    return emit_select(e, nan, b, result);
}

EmitValue emit_binary(Emit *e, EmitBinary op, EmitValue a, EmitValue b) {
    bool is_x86 = strcmp(e->isa->arch, "x86_64") == 0;
    if (op == EMIT_MAXNUM) return second_unless(e, EMIT_FGT, a, b);
    if (op == EMIT_MINNUM) return second_unless(e, EMIT_FLT, a, b);
    if (op == EMIT_MAX && is_x86) return extreme(e, EMIT_FGT, a, b);
    if (op == EMIT_MIN && is_x86) return extreme(e, EMIT_FLT, a, b);
    MlirNamedAttribute flags = named(e, "fastmath", e->contract);
    EmitValue operands[2] = {a, b};
    return build_value(e, binaries[op].name, type_of(a), 2, operands, binaries[op].is_float, &flags);
}

EmitValue emit_unary(Emit *e, EmitUnary op, EmitValue a) {
    static const char *const names[EMIT_N_UNARY] = {
        [EMIT_NEG] = "arith.negf",   [EMIT_FABS] = "math.absf",   [EMIT_SQRT] = "math.sqrt",
        [EMIT_FLOOR] = "math.floor", [EMIT_CEIL] = "math.ceil",   [EMIT_ROUNDEVEN] = "math.roundeven",
        [EMIT_TRUNC] = "math.trunc", [EMIT_CTPOP] = "math.ctpop",
    };
    MlirNamedAttribute flags = named(e, "fastmath", e->contract);
    return build_value(e, names[op], type_of(a), 1, &a, op != EMIT_CTPOP, &flags);
}

EmitValue emit_fma(Emit *e, EmitValue a, EmitValue b, EmitValue c) {
    EmitValue operands[3] = {a, b, c};
    return build_value(e, "math.fma", type_of(a), 3, operands, 0, NULL);
}

EmitValue emit_compare(Emit *e, EmitCompare op, EmitValue a, EmitValue b) {
    /* predicate numbers of arith.cmpi, then of arith.cmpf */
    static const int8_t predicates[EMIT_N_COMPARE] = {
        [EMIT_EQ] = 0,  [EMIT_NE] = 1,  [EMIT_SLT] = 2, [EMIT_SLE] = 3, [EMIT_SGT] = 4,  [EMIT_SGE] = 5,
        [EMIT_ULT] = 6, [EMIT_ULE] = 7, [EMIT_UGT] = 8, [EMIT_UGE] = 9, [EMIT_FEQ] = 1,  [EMIT_FNE] = 13,
        [EMIT_FLT] = 4, [EMIT_FLE] = 5, [EMIT_FGT] = 2, [EMIT_FGE] = 3, [EMIT_FUNO] = 14};
    int lanes = emit_type(e, a).lanes;
    MlirNamedAttribute predicate = named(e, "predicate", i64_attribute(e, predicates[op]));
    EmitValue operands[2] = {a, b};
    MlirType result = build_type(e, (EmitType){DTYPE_BOOL, lanes});
    return build_value(e, op < EMIT_FEQ ? "arith.cmpi" : "arith.cmpf", result, 2, operands, 1, &predicate);
}

EmitValue emit_select(Emit *e, EmitValue mask, EmitValue a, EmitValue b) {
    EmitValue operands[3] = {mask, a, b};
    return build_value(e, "arith.select", type_of(a), 3, operands, 0, NULL);
}

EmitValue emit_cast(Emit *e, EmitCast op, EmitValue a, DType to) {
    static const char *const names[] = {
        [EMIT_SEXT] = "arith.extsi",    [EMIT_ZEXT] = "arith.extui",    [EMIT_ITRUNC] = "arith.trunci",
        [EMIT_SITOFP] = "arith.sitofp", [EMIT_UITOFP] = "arith.uitofp", [EMIT_FPTOSI] = "arith.fptosi",
        [EMIT_FPTOUI] = "arith.fptoui", [EMIT_FPEXT] = "arith.extf",    [EMIT_FPTRUNC] = "arith.truncf"};
    EmitType from = emit_type(e, a);
    if (op != EMIT_BITS) return build_value(e, names[op], build_type(e, (EmitType){to, from.lanes}), 1, &a, 0, NULL);
    int lanes = from.lanes * dtype_info(from.dtype)->bits / dtype_info(to)->bits;
    MlirType type = build_type(e, (EmitType){to, lanes});
    if (mlirTypeEqual(type, type_of(a))) return a;
    return build_value(e, from.lanes ? "vector.bitcast" : "arith.bitcast", type, 1, &a, 0, NULL);
}

/* ---- lanes */

EmitValue emit_broadcast(Emit *e, EmitValue scalar, int lanes) {
    EmitType t = emit_type(e, scalar);
    if (build_is_constant(scalar)) {
        MlirOperation constant = mlirOpResultGetOwner((MlirValue){scalar.v});
        return splat(e, (EmitType){t.dtype, lanes}, mlirOperationGetAttributeByName(constant, text_ref("value")));
    }
    return build_value(e, "vector.broadcast", build_type(e, (EmitType){t.dtype, lanes}), 1, &scalar, 0, NULL);
}

EmitValue emit_extract(Emit *e, EmitValue vector, int lane) {
    int64_t position = lane;
    MlirNamedAttribute a = named(e, "static_position", mlirDenseI64ArrayGet(e->context, 1, &position));
    return build_value(e, "vector.extract", mlirShapedTypeGetElementType(type_of(vector)), 1, &vector, 1, &a);
}

EmitValue emit_insert(Emit *e, EmitValue vector, EmitValue scalar, int lane) {
    int64_t position = lane;
    MlirNamedAttribute a = named(e, "static_position", mlirDenseI64ArrayGet(e->context, 1, &position));
    EmitValue operands[2] = {scalar, vector};
    return build_value(e, "vector.insert", type_of(vector), 2, operands, 1, &a);
}

EmitValue emit_shuffle(Emit *e, EmitValue a, EmitValue b, int n, const int64_t *lanes) {
    int64_t length = n;
    MlirType type = mlirVectorTypeGet(1, &length, mlirShapedTypeGetElementType(type_of(a)));
    MlirNamedAttribute mask = named(e, "mask", mlirDenseI64ArrayGet(e->context, n, lanes));
    EmitValue operands[2] = {a, b};
    return build_value(e, "vector.shuffle", type, 2, operands, 1, &mask);
}

EmitValue emit_any(Emit *e, EmitValue mask) {
    /* The mask as one integer: a move of the mask register, or movmsk. */
    EmitType t = emit_type(e, mask);
    if (!t.lanes) return mask;
    MlirType integer = mlirIntegerTypeGet(e->context, (unsigned)t.lanes);
    int64_t one = 1;
    EmitValue bits = build_value(e, "vector.bitcast", mlirVectorTypeGet(1, &one, integer), 1, &mask, 0, NULL);
    bits = emit_extract(e, bits, 0);
    EmitValue zero = build_constant(e, integer, mlirIntegerAttrGet(integer, 0));
    return emit_compare(e, EMIT_NE, bits, zero);
}

EmitValue emit_reduce(Emit *e, EmitBinary op, EmitValue vector) {
    /* Upper half onto lower half until one is left. */
    int lanes = emit_type(e, vector).lanes;
    int64_t *low = NEW_ARRAY(e->arena, int64_t, lanes), *high = NEW_ARRAY(e->arena, int64_t, lanes);
    for (int half = lanes / 2; half >= 1; half /= 2) {
        for (int i = 0; i < half; i++) {
            low[i] = i;
            high[i] = half + i;
        }
        EmitValue a = emit_shuffle(e, vector, vector, half, low);
        EmitValue b = emit_shuffle(e, vector, vector, half, high);
        vector = emit_binary(e, op, a, b);
    }
    return emit_extract(e, vector, 0);
}
