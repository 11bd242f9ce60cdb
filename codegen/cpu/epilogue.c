/* epilogue: what a contraction's accumulators go through on their way to memory, for one register tile: the kernel's
   expression with the column as the variable that runs over lanes. Columns are the outer loop, so that what depends on
   the column alone (bias, scales) is loaded once for all rows. Sums that are not complete yet wait in the output
   without it. */
#include "codegen/cpu/contraction.h"
#include "codegen/cpu/scalar.h"

/* Where a tile lies in the output. */
typedef struct {
    EmitValue base;
    DType dtype;
    Index row_stride, column_stride;
} Place;

static Place place_of(Ctx *x, Index batch, Index m, Index n) {
    const Contraction *c = x->c;
    Place p = {.dtype = x->k->params.data[2].dtype};
    p.row_stride = offset_dim(x, c->c_m);
    p.column_stride = offset_dim(x, c->c_n);
    Index batch_stride = offset_dim(x, c->c_batch);
    Index at = offset_times(x, batch, batch_stride);
    Index down = offset_times(x, m, p.row_stride);
    Index across = offset_times(x, n, p.column_stride);
    at = offset_add(x, at, down);
    at = offset_add(x, at, across);
    at = offset_add(x, at, x->shift);
    p.base = offset_address(x, eval_buffer(x->eval, 2), p.dtype, at);
    return p;
}

/* Pointer and displacement of the vector in row i, column j. */
static EmitValue vector_at(Ctx *x, const Place *p, int i, int j, int64_t *out_disp) {
    Index offset = offset_scale(x, p->row_stride, i);
    Index right = offset_scale(x, p->column_stride, (int64_t)j * x->lanes);
    offset = offset_add(x, offset, right);
    *out_disp = offset.c;
    return offset_address(x, p->base, p->dtype, (Index){offset.v, 0});
}

static void store_vector(Ctx *x, const Place *p, int i, int j, EmitValue v, EmitValue mask) {
    int64_t disp;
    EmitValue to = vector_at(x, p, i, j, &disp);
    if (offset_is_const(p->column_stride) && p->column_stride.c == 1) {
        emit_store(x->e, to, disp, v, mask, 0);
        return;
    }
    EmitValue lane = emit_lane_index(x->e, (EmitType){DTYPE_S64, x->lanes});
    EmitValue by = offset_emit(x, p->column_stride);
    by = emit_broadcast(x->e, by, x->lanes);
    EmitValue offsets = emit_binary(x->e, EMIT_IMUL, lane, by);
    to = offset_address(x, to, p->dtype, offset_const(disp));
    emit_scatter(x->e, to, offsets, v, mask);
}

static EmitValue mask_of(const Tile *t, int column, EmitValue mask) {
    return column == t->vectors - 1 ? mask : (EmitValue){NULL};
}

void epilogue_store(Ctx *x, const Tile *t, Index batch, Index m, Index n, EmitValue mask) {
    const Range any = {0, INT64_MAX};
    Place p = place_of(x, batch, m, n);
    for (int j = 0; j < t->vectors; j++) {
        EmitValue live = mask_of(t, j, mask);
        Index column = offset_add(x, n, offset_const((int64_t)j * x->lanes));
        EmitValue column_value = offset_emit(x, column);
        eval_set_mask(x->eval, live);
        eval_set_var(x->eval, VAR_N, column_value, any);
        for (int i = 0; i < t->rows; i++) {
            Index row = offset_add(x, m, offset_const(i));
            EmitValue row_value = offset_emit(x, row);
            eval_set_var(x->eval, VAR_M, row_value, any);
            eval_set_acc(x->eval, 0, t->acc[i * t->vectors + j]);
            EmitValue v = eval_value(x->eval, x->k->epilogue);
            v = scalar_to_memory(x->e, v, p.dtype);
            store_vector(x, &p, i, j, v, live);
        }
    }
    eval_set_mask(x->eval, (EmitValue){NULL});
}

void partial_store(Ctx *x, const Tile *t, Index batch, Index m, Index n, EmitValue mask) {
    Place p = place_of(x, batch, m, n);
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->vectors; j++) store_vector(x, &p, i, j, t->acc[i * t->vectors + j], mask_of(t, j, mask));
}

void partial_load(Ctx *x, Tile *t, Index batch, Index m, Index n, EmitValue mask, EmitValue when) {
    Place p = place_of(x, batch, m, n);
    EmitValue wanted = {NULL};
    if (when.v != NULL) wanted = emit_broadcast(x->e, when, x->lanes);
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->vectors; j++) {
            int64_t disp;
            EmitValue from = vector_at(x, &p, i, j, &disp), *acc = &t->acc[i * t->vectors + j];
            EmitValue sums = emit_load(x->e, from, disp, (EmitType){p.dtype, x->lanes}, mask_of(t, j, mask));
            *acc = wanted.v == NULL ? sums : emit_select(x->e, wanted, sums, *acc);
        }
}
