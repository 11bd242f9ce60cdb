/* memory: buffers, addresses, loads and stores of emit.h on plain pointers of the llvm dialect. BOOL is i1 in registers
 * and a byte in memory. */
#include "codegen/mlir/build.h"

/* Element type in memory. */
static MlirType memory_type(Emit *e, EmitType t) {
    return build_type(e, (EmitType){t.dtype == DTYPE_BOOL ? DTYPE_U8 : t.dtype, t.lanes});
}

/* What an address of an element is a multiple of: strings and complex numbers consist of words. */
static int64_t element_alignment(DType t) {
    return dtype_info(t)->bits > 64 ? 8 : dtype_info(t)->bits / 8;
}

static EmitValue element_pointer(Emit *e, EmitValue base, DType t, EmitValue index, int64_t constant) {
    enum { DYNAMIC = INT32_MIN, INBOUNDS = 3 };
    if (!index.v && (constant > INT32_MAX || constant <= INT32_MIN)) index = emit_index(e, constant);
    int32_t raw = index.v ? DYNAMIC : (int32_t)constant;
    MlirNamedAttribute a[3] = {named(e, "rawConstantIndices", mlirDenseI32ArrayGet(e->context, 1, &raw)),
                               named(e, "elem_type", mlirTypeAttrGet(memory_type(e, (EmitType){t, 0}))),
                               named(e, "noWrapFlags", i32_attribute(e, INBOUNDS))};
    EmitValue operands[2] = {base, index};
    MlirType result = e->pointer;
    if (index.v && mlirTypeIsAVector(type_of(index))) {
        int64_t lanes = mlirShapedTypeGetDimSize(type_of(index), 0);
        result = mlirVectorTypeGet(1, &lanes, e->pointer);
    }
    return build_value(e, "llvm.getelementptr", result, index.v ? 2 : 1, operands, 3, a);
}

EmitValue emit_address(Emit *e, EmitValue base, DType t, EmitValue index, int64_t disp) {
    if (index.v) base = element_pointer(e, base, t, index, 0);
    return disp ? element_pointer(e, base, t, (EmitValue){NULL}, disp) : base;
}

EmitValue emit_buffer(Emit *e, EmitValue buffers, int i, bool aligned) {
    EmitValue slot = emit_address(e, buffers, DTYPE_S64, (EmitValue){NULL}, i);
    MlirNamedAttribute a = named(e, "alignment", i64_attribute(e, 8));
    (void)aligned; /* loads and stores state the alignment of an element: on all our targets unaligned vectors cost
                      nothing when they happen to be aligned */
    return build_value(e, "llvm.load", e->pointer, 1, &slot, 1, &a);
}

EmitValue emit_dim_slot(Emit *e, EmitValue dims, int slot) {
    return emit_load(e, dims, slot, (EmitType){DTYPE_S64, 0}, (EmitValue){NULL});
}

EmitValue emit_local(Emit *e, DType t, int64_t elements) {
    /* At the very top of the entry block: not inside a loop, where the stack would grow. */
    MlirOperationState s = mlirOperationStateGet(text_ref("llvm.alloca"), e->location);
    EmitValue count = emit_index(e, elements);
    MlirNamedAttribute a[2] = {named(e, "elem_type", mlirTypeAttrGet(memory_type(e, (EmitType){t, 0}))),
                               named(e, "alignment", i64_attribute(e, 64))};
    mlirOperationStateAddResults(&s, 1, &e->pointer);
    mlirOperationStateAddOperands(&s, 1, (const MlirValue *)&count);
    mlirOperationStateAddAttributes(&s, 2, a);
    MlirOperation op = mlirOperationCreate(&s);
    mlirBlockInsertOwnedOperationAfter(e->entry, mlirOpResultGetOwner((MlirValue){count.v}), op);
    return (EmitValue){mlirOperationGetResult(op, 0).ptr};
}

/* A byte is true when it is not 0; one that is stored is 0 or 1. */
static EmitValue bool_from_byte(Emit *e, EmitValue byte) {
    EmitValue zero = emit_int(e, emit_type(e, byte), 0);
    return emit_compare(e, EMIT_NE, byte, zero);
}

static EmitValue zeros(Emit *e, EmitType t) {
    return t.dtype == DTYPE_BOOL ? emit_int(e, (EmitType){DTYPE_U8, t.lanes}, 0) : emit_int(e, t, 0);
}

EmitValue emit_load(Emit *e, EmitValue pointer, int64_t disp, EmitType t, EmitValue mask) {
    EmitValue at = emit_address(e, pointer, t.dtype, (EmitValue){NULL}, disp);
    MlirType type = memory_type(e, t);
    EmitValue v;
    if (mask.v) {
        EmitValue off = zeros(e, t);
        EmitValue operands[3] = {at, mask, off};
        MlirNamedAttribute a = named(e, "alignment", i32_attribute(e, (int32_t)element_alignment(t.dtype)));
        v = build_value(e, "llvm.intr.masked.load", type, 3, operands, 1, &a);
    } else {
        MlirNamedAttribute a = named(e, "alignment", i64_attribute(e, element_alignment(t.dtype)));
        v = build_value(e, "llvm.load", type, 1, &at, 1, &a);
    }
    return t.dtype == DTYPE_BOOL ? bool_from_byte(e, v) : v;
}

/* The one lane of a constant mask that is on, else -1. */
static int only_lane(Emit *e, EmitValue mask) {
    if (!mask.v || !build_is_constant(mask)) return -1;
    MlirAttribute a = mlirOperationGetAttributeByName(mlirOpResultGetOwner((MlirValue){mask.v}), text_ref("value"));
    int lanes = emit_type(e, mask).lanes, only = -1;
    if (!mlirAttributeIsADenseElements(a) || lanes < 2 || mlirDenseElementsAttrIsSplat(a)) return -1;
    for (int i = 0; i < lanes; i++) {
        if (!mlirDenseElementsAttrGetBoolValue(a, i)) continue;
        if (only >= 0) return -1;
        only = i;
    }
    return only;
}

void emit_store(Emit *e, EmitValue pointer, int64_t disp, EmitValue v, EmitValue mask, int flags) {
    EmitType t = emit_type(e, v);
    int only = only_lane(e, mask);
    if (only >= 0) { /* LLVM 22 itself makes a scalar store of it, of too many bytes where the value was narrowed */
        EmitValue element = emit_extract(e, v, only);
        emit_store(e, pointer, disp + only, element, (EmitValue){NULL}, 0);
        return;
    }
    if (t.dtype == DTYPE_BOOL) v = emit_cast(e, EMIT_ZEXT, v, DTYPE_U8);
    EmitValue at = emit_address(e, pointer, t.dtype, (EmitValue){NULL}, disp);
    int64_t bytes = element_alignment(t.dtype);
    if (mask.v) {
        EmitValue operands[3] = {v, at, mask};
        MlirNamedAttribute a = named(e, "alignment", i32_attribute(e, (int32_t)bytes));
        mlir_op(e, "llvm.intr.masked.store", 0, NULL, 3, operands, 1, &a, 0, NULL);
        return;
    }
    bool streams = (flags & EMIT_NONTEMPORAL) !=
                   0; /* such stores exist for whole aligned vectors only: the caller has seen to it */
    EmitValue operands[2] = {v, at};
    MlirNamedAttribute a[2] = {named(e, "alignment", i64_attribute(e, streams && t.lanes ? bytes * t.lanes : bytes)),
                               named(e, "nontemporal", mlirUnitAttrGet(e->context))};
    mlir_op(e, "llvm.store", 0, NULL, 2, operands, streams ? 2 : 1, a, 0, NULL);
}

EmitValue emit_gather(Emit *e, EmitValue pointer, EmitValue indexes, EmitType t, EmitValue mask) {
    EmitValue pointers = element_pointer(e, pointer, t.dtype, indexes, 0);
    if (!mask.v) mask = emit_const_mask(e, t.lanes, t.lanes);
    EmitValue off = zeros(e, t);
    EmitValue operands[3] = {pointers, mask, off};
    MlirNamedAttribute a = named(e, "alignment", i32_attribute(e, (int32_t)element_alignment(t.dtype)));
    EmitValue v = build_value(e, "llvm.intr.masked.gather", memory_type(e, t), 3, operands, 1, &a);
    return t.dtype == DTYPE_BOOL ? bool_from_byte(e, v) : v;
}

void emit_scatter(Emit *e, EmitValue pointer, EmitValue indexes, EmitValue v, EmitValue mask) {
    EmitType t = emit_type(e, v);
    if (t.dtype == DTYPE_BOOL) v = emit_cast(e, EMIT_ZEXT, v, DTYPE_U8);
    EmitValue pointers = element_pointer(e, pointer, t.dtype, indexes, 0);
    if (!mask.v) mask = emit_const_mask(e, t.lanes, t.lanes);
    EmitValue operands[3] = {v, pointers, mask};
    MlirNamedAttribute a = named(e, "alignment", i32_attribute(e, (int32_t)element_alignment(t.dtype)));
    mlir_op(e, "llvm.intr.masked.scatter", 0, NULL, 3, operands, 1, &a, 0, NULL);
}

void emit_prefetch(Emit *e, EmitValue pointer, int64_t disp_bytes) {
    EmitValue at = emit_address(e, pointer, DTYPE_U8, (EmitValue){NULL}, disp_bytes);
    MlirNamedAttribute a[3] = {named(e, "rw", i32_attribute(e, 0)), named(e, "hint", i32_attribute(e, 3)),
                               named(e, "cache", i32_attribute(e, 1))};
    mlir_op(e, "llvm.intr.prefetch", 0, NULL, 1, &at, 3, a, 0, NULL);
}
