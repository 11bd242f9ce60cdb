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

/* Lane after lane `stride` elements apart. */
static void store_lanes(Ctx *x, const Place *p, EmitValue to, int64_t disp, Index stride, EmitValue v, EmitValue mask) {
    if (offset_is_const(stride) && stride.c == 1) {
        emit_store(x->e, to, disp, v, mask, 0);
        return;
    }
    EmitValue lane = emit_lane_index(x->e, (EmitType){DTYPE_S64, x->lanes});
    EmitValue by = offset_emit(x, stride);
    by = emit_broadcast(x->e, by, x->lanes);
    EmitValue offsets = emit_binary(x->e, EMIT_IMUL, lane, by);
    to = offset_address(x, to, p->dtype, offset_const(disp));
    emit_scatter(x->e, to, offsets, v, mask);
}

static void store_vector(Ctx *x, const Place *p, int i, int j, EmitValue v, EmitValue mask) {
    int64_t disp;
    EmitValue to = vector_at(x, p, i, j, &disp);
    store_lanes(x, p, to, disp, p->column_stride, v, mask);
}

static EmitValue mask_of(const Tile *t, int column, EmitValue mask) {
    return column == t->vectors - 1 ? mask : (EmitValue){NULL};
}

/* One column, whose sums stand in the first lanes: rows become lanes, so that the expression is computed for all of
   them at once. */
static void narrow_store(Ctx *x, const Tile *t, Index batch, Index m, Index n) {
    const Range any = {0, INT64_MAX};
    Place p = place_of(x, batch, m, n);
    EmitValue column = offset_emit(x, n);
    eval_set_vector(x->eval, VAR_M, x->lanes);
    eval_set_var(x->eval, VAR_N, column, any);
    for (int first = 0; first < t->rows; first += x->lanes) {
        const int live = t->rows - first < x->lanes ? t->rows - first : x->lanes;
        EmitValue mask = {NULL}, sums = t->acc[first];
        if (live < x->lanes) mask = emit_const_mask(x->e, x->lanes, live);
        for (int i = 1; i < live; i++) {
            EmitValue sum = emit_extract(x->e, t->acc[first + i], 0);
            sums = emit_insert(x->e, sums, sum, i);
        }
        Index row = offset_add(x, m, offset_const(first));
        EmitValue row_value = offset_emit(x, row);
        eval_set_mask(x->eval, mask);
        eval_set_var(x->eval, VAR_M, row_value, any);
        eval_set_acc(x->eval, 0, sums);
        EmitValue v = eval_value(x->eval, x->k->epilogue);
        v = scalar_to_memory(x->e, v, p.dtype);
        int64_t disp;
        EmitValue to = vector_at(x, &p, first, 0, &disp);
        store_lanes(x, &p, to, disp, p.row_stride, v, mask);
    }
    eval_set_vector(x->eval, VAR_N, x->lanes);
}

void epilogue_store(Ctx *x, const Tile *t, Index batch, Index m, Index n, EmitValue mask) {
    const Range any = {0, INT64_MAX};
    if (is_narrow(x->c) && t->rows > 1) {
        narrow_store(x, t, batch, m, n);
        return;
    }
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
