/* control: loops and branches of emit.h as scf operations. The operation is made with its blocks first; building moves
   inside, and the closing call yields and moves out again. */
#include "codegen/mlir/build.h"

EmitValue emit_for_begin(Emit *e, EmitValue lo, EmitValue hi, EmitValue step, int n, EmitValue *io) {
    MlirType *types = NEW_ARRAY(e->arena, MlirType, n + 1);
    MlirLocation *locations = NEW_ARRAY(e->arena, MlirLocation, n + 1);
    EmitValue *operands = NEW_ARRAY(e->arena, EmitValue, n + 3);
    operands[0] = lo;
    operands[1] = hi;
    operands[2] = step;
    types[0] = type_of(lo);
    locations[0] = e->location;
    for (int i = 0; i < n; i++) {
        types[i + 1] = type_of(io[i]);
        locations[i + 1] = e->location;
        operands[i + 3] = io[i];
    }
    MlirRegion region = mlirRegionCreate();
    MlirBlock body = mlirBlockCreate(n + 1, types, locations);
    mlirRegionAppendOwnedBlock(region, body);
    MlirOperation op = mlir_op(e, "scf.for", n, types + 1, n + 3, operands, 0, NULL, 1, &region);
    vec_push(e->arena, &e->scopes, (Scope){.outer = e->block, .op = op});
    e->block = body;
    for (int i = 0; i < n; i++) io[i].v = mlirBlockGetArgument(body, i + 1).ptr;
    return (EmitValue){mlirBlockGetArgument(body, 0).ptr};
}

static void yield(Emit *e, int n, const EmitValue *values) {
    mlir_op(e, "scf.yield", 0, NULL, n, values, 0, NULL, 0, NULL);
}

static void close(Emit *e, int n, EmitValue *io) {
    Scope s = e->scopes.data[--e->scopes.len];
    e->block = s.outer;
    for (int i = 0; i < n; i++) io[i].v = mlirOperationGetResult(s.op, i).ptr;
}

void emit_for_end(Emit *e, int n, EmitValue *io) {
    yield(e, n, io);
    close(e, n, io);
}

void emit_if_begin(Emit *e, EmitValue condition, int n, const EmitType *types) {
    MlirType *results = NEW_ARRAY(e->arena, MlirType, n + 1);
    for (int i = 0; i < n; i++) results[i] = build_type(e, types[i]);
    MlirRegion regions[2] = {mlirRegionCreate(), mlirRegionCreate()};
    MlirBlock then = mlirBlockCreate(0, NULL, NULL), otherwise = mlirBlockCreate(0, NULL, NULL);
    mlirRegionAppendOwnedBlock(regions[0], then);
    mlirRegionAppendOwnedBlock(regions[1], otherwise);
    MlirOperation op = mlir_op(e, "scf.if", n, results, 1, &condition, 0, NULL, 2, regions);
    vec_push(e->arena, &e->scopes, (Scope){e->block, op, otherwise});
    e->block = then;
}

void emit_if_else(Emit *e, int n, EmitValue *io) {
    yield(e, n, io);
    e->block = e->scopes.data[e->scopes.len - 1].otherwise;
}

void emit_if_end(Emit *e, int n, EmitValue *io) {
    yield(e, n, io);
    close(e, n, io);
}
