/* epilogue: what a contraction's accumulators go through on their way to memory, for one register tile: the kernel's expression with the
   column as the variable that runs over lanes. Columns are the outer loop, so that what depends on the column alone (bias, scales) is
   loaded once for all rows. */
#include "codegen/cpu/contraction.h"
#include "codegen/cpu/scalar.h"

static void store_apart(Ctx *x, EmitValue at, Index stride, EmitValue v, EmitValue mask) {
    EmitType lanes = {DTYPE_S64, x->lanes};
    EmitValue lane = emit_lane_index(x->e, lanes);
    EmitValue by = index_emit(x, stride);
    by = emit_broadcast(x->e, by, x->lanes);
    EmitValue offsets = emit_binary(x->e, EMIT_IMUL, lane, by);
    emit_scatter(x->e, at, offsets, v, mask);
}

void epilogue_store(Ctx *x, const Tile *t, Index image, Index m, Index n, EmitValue mask) {
    const Contraction *c = x->c;
    const ExprId result = x->k->epilogue;
    const Range any = {0, INT64_MAX};
    DType out = x->k->params.data[2].dtype;
    Index row_stride = index_dim(x, c->c_m);
    Index column_stride = index_dim(x, c->c_n);
    Index batch_stride = index_dim(x, c->c_batch);
    Index at = index_times(x, image, batch_stride);
    Index down = index_times(x, m, row_stride);
    Index across = index_times(x, n, column_stride);
    at = index_add(x, at, down);
    at = index_add(x, at, across);
    EmitValue base = index_address(x, eval_buffer(x->eval, 2), out, at);
    bool dense = index_is_const(column_stride) && column_stride.c == 1;
    for (int j = 0; j < t->vectors; j++) {
        EmitValue live = j == t->vectors - 1 ? mask : (EmitValue){NULL};
        Index column = index_add(x, n, index_const((int64_t)j * x->lanes));
        EmitValue column_value = index_emit(x, column);
        eval_set_mask(x->eval, live);
        eval_set_var(x->eval, VAR_N, column_value, any);
        for (int i = 0; i < t->rows; i++) {
            Index row = index_add(x, m, index_const(i));
            EmitValue row_value = index_emit(x, row);
            eval_set_var(x->eval, VAR_M, row_value, any);
            eval_set_acc(x->eval, 0, t->acc[i * t->vectors + j]);
            EmitValue v = eval_value(x->eval, result);
            v = scalar_to_memory(x->e, v, out);
            Index offset = index_scale(x, row_stride, i);
            Index right = index_scale(x, column_stride, (int64_t)j * x->lanes);
            offset = index_add(x, offset, right);
            EmitValue to = index_address(x, base, out, (Index){offset.v, 0});
            if (dense) {
                emit_store(x->e, to, offset.c, v, live, 0);
            } else {
                to = index_address(x, to, out, index_const(offset.c));
                store_apart(x, to, column_stride, v, live);
            }
        }
    }
    eval_set_mask(x->eval, (EmitValue){NULL});
}
