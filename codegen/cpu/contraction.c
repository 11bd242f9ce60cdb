/* contraction: the frame of every contraction kernel: the loop over units, what a unit number means, and the arithmetic
   on offsets that the families share. Sizes are folded here where they are constant, so that loops of one turn and
   divisions by one leave no code. */
#include "codegen/cpu/contraction.h"

/* ---- offsets */
static EmitValue sum(Ctx *x, EmitValue a, EmitValue b) {
    if (a.v == NULL) return b;
    if (b.v == NULL) return a;
    return emit_binary(x->e, EMIT_IADD, a, b);
}

Index offset_add(Ctx *x, Index a, Index b) {
    return (Index){sum(x, a.v, b.v), a.c + b.c};
}

Index offset_sub(Ctx *x, Index a, Index b) {
    if (offset_is_const(b)) return (Index){a.v, a.c - b.c};
    if (offset_is_const(a)) {
        EmitValue constant = emit_index(x->e, a.c - b.c);
        return offset_value(emit_binary(x->e, EMIT_ISUB, constant, b.v));
    }
    return (Index){emit_binary(x->e, EMIT_ISUB, a.v, b.v), a.c - b.c};
}

Index offset_scale(Ctx *x, Index a, int64_t factor) {
    if (factor == 0) return offset_const(0);
    if (factor == 1 || offset_is_const(a)) return (Index){a.v, a.c * factor};
    EmitValue f = emit_index(x->e, factor);
    return (Index){emit_binary(x->e, EMIT_IMUL, a.v, f), a.c * factor};
}

static Index binary(Ctx *x, EmitBinary op, Index a, Index b) {
    EmitValue left = offset_emit(x, a);
    EmitValue right = offset_emit(x, b);
    return offset_value(emit_binary(x->e, op, left, right));
}

Index offset_times(Ctx *x, Index a, Index b) {
    if (offset_is_const(b)) return offset_scale(x, a, b.c);
    if (offset_is_const(a)) return offset_scale(x, b, a.c);
    return binary(x, EMIT_IMUL, a, b);
}

Index offset_div(Ctx *x, Index a, Index b) {
    if (offset_is_const(b) && b.c == 1) return a;
    if (offset_is_const(a) && offset_is_const(b)) return offset_const(a.c / b.c);
    return binary(x, EMIT_UDIV, a, b);
}

Index offset_rem(Ctx *x, Index a, Index b) {
    if (offset_is_const(b) && b.c == 1) return offset_const(0);
    if (offset_is_const(a) && offset_is_const(b)) return offset_const(a.c % b.c);
    return binary(x, EMIT_UREM, a, b);
}

Index offset_min(Ctx *x, Index a, Index b) {
    if (offset_is_const(a) && offset_is_const(b)) return a.c < b.c ? a : b;
    return binary(x, EMIT_SMIN, a, b);
}

Index offset_max(Ctx *x, Index a, Index b) {
    if (offset_is_const(a) && offset_is_const(b)) return a.c > b.c ? a : b;
    return binary(x, EMIT_SMAX, a, b);
}

Index offset_dim(Ctx *x, Dim d) {
    if (dim_is_const(d)) return offset_const(d.value);
    return offset_value(emit_dim_slot(x->e, x->dims, (int)dim_slot(&x->p->g->dims, d)));
}

EmitValue offset_emit(Ctx *x, Index i) {
    if (i.v.v == NULL) return emit_index(x->e, i.c);
    if (i.c == 0) return i.v;
    EmitValue constant = emit_index(x->e, i.c);
    return emit_binary(x->e, EMIT_IADD, i.v, constant);
}

EmitValue offset_address(Ctx *x, EmitValue base, DType t, Index i) {
    if (i.v.v == NULL && i.c == 0) return base;
    return emit_address(x->e, base, t, i.v, i.c);
}

Index loop_begin(Ctx *x, Index lo, Index hi, int64_t step, int n, EmitValue *io) {
    EmitValue from = offset_emit(x, lo);
    EmitValue to = offset_emit(x, hi);
    EmitValue by = emit_index(x->e, step);
    EmitValue at = emit_for_begin(x->e, from, to, by, n, io);
    eval_scope_begin(x->eval);
    return offset_value(at);
}

void loop_end(Ctx *x, int n, EmitValue *io) {
    eval_scope_end(x->eval);
    emit_for_end(x->e, n, io);
}

/* ---- columns */
static void columns_of_constant_n(Ctx *x, const Unit *u, ColumnsFn *body, void *data) {
    const Contraction *c = x->c;
    int64_t nr = c->packed.nr, n = c->n.value, whole = n / nr, rest = n % nr;
    Columns columns = {.vectors = (int)(nr / x->lanes)};
    if (is_narrow(c)) { /* the sum stands in the first lane */
        columns.vectors = 1;
        columns.mask = emit_const_mask(x->e, x->lanes, 1);
    }
    bool one_unit = offset_is_const(u->panel_lo) && offset_is_const(u->panel_hi);
    if (one_unit && whole == 1) { /* no loop around the only panel */
        columns.panel = columns.n = offset_const(0);
        body(x, u, &columns, data);
    } else if (whole > 0) {
        Index end = offset_min(x, u->panel_hi, offset_const(whole));
        columns.panel = loop_begin(x, u->panel_lo, end, 1, 0, NULL);
        columns.n = offset_scale(x, columns.panel, nr);
        body(x, u, &columns, data);
        loop_end(x, 0, NULL);
    }
    if (rest == 0) return;
    columns.vectors = (int)((rest + x->lanes - 1) / x->lanes);
    if (rest % x->lanes != 0) columns.mask = emit_const_mask(x->e, x->lanes, (int)(rest % x->lanes));
    columns.n = offset_const(whole * nr);
    columns.panel = offset_const(whole);
    if (one_unit) {
        body(x, u, &columns, data);
        return;
    }
    Index begin = offset_max(x, u->panel_lo, offset_const(whole));
    loop_begin(x, begin, u->panel_hi, 1, 0, NULL); /* one turn or none */
    body(x, u, &columns, data);
    loop_end(x, 0, NULL);
}

/* N known at run time only (dense B): whole panels, then single vectors with a mask that only the last of them needs.
 */
static void columns_of_symbolic_n(Ctx *x, const Unit *u, ColumnsFn *body, void *data) {
    int64_t nr = x->c->packed.nr;
    Index n = offset_dim(x, x->c->n);
    Index whole = offset_div(x, n, offset_const(nr));
    Index end = offset_min(x, u->panel_hi, whole);
    Columns columns = {.vectors = (int)(nr / x->lanes)};
    columns.panel = loop_begin(x, u->panel_lo, end, 1, 0, NULL);
    columns.n = offset_scale(x, columns.panel, nr);
    body(x, u, &columns, data);
    loop_end(x, 0, NULL);
    Index rest_panel = offset_max(x, u->panel_lo, whole);
    Index first = offset_scale(x, rest_panel, nr);
    Index unit_end = offset_scale(x, u->panel_hi, nr);
    Index last = offset_min(x, unit_end, n);
    columns.vectors = 1;
    columns.n = loop_begin(x, first, last, x->lanes, 0, NULL);
    Index left = offset_sub(x, n, columns.n);
    EmitValue live = offset_emit(x, left);
    columns.mask = emit_mask(x->e, live, x->lanes);
    body(x, u, &columns, data);
    loop_end(x, 0, NULL);
}

void for_columns(Ctx *x, const Unit *u, ColumnsFn *body, void *data) {
    if (dim_is_const(x->c->n))
        columns_of_constant_n(x, u, body, data);
    else
        columns_of_symbolic_n(x, u, body, data);
}

/* ---- units */
/* Parts of `size` that are `unit` long; unit 0 = one part. */
static Index count_parts(Ctx *x, Index size, int64_t unit) {
    if (unit == 0) return offset_const(1);
    Index rounded = offset_add(x, size, offset_const(unit - 1));
    return offset_div(x, rounded, offset_const(unit));
}

static void decode_unit(Ctx *x, Index number, Unit *u) {
    const Contraction *c = x->c;
    u->number = number;
    Index m = offset_dim(x, c->m);
    Index n = offset_dim(x, c->n);
    Index m_parts = count_parts(x, m, c->unit_m);
    Index n_parts = count_parts(x, n, c->unit_n);
    Index panels = count_parts(x, n, c->packed.nr);
    u->panel_lo = offset_const(0);
    u->panel_hi = panels;
    u->m_lo = offset_const(0);
    u->m_hi = m;
    if (!(offset_is_const(n_parts) && n_parts.c == 1)) {
        Index part = offset_rem(x, number, n_parts);
        number = offset_div(x, number, n_parts);
        u->panel_lo = offset_scale(x, part, c->unit_n / c->packed.nr);
        Index end = offset_add(x, u->panel_lo, offset_const(c->unit_n / c->packed.nr));
        u->panel_hi = offset_min(x, end, panels);
    }
    if (!(offset_is_const(m_parts) && m_parts.c == 1)) {
        Index part = offset_rem(x, number, m_parts);
        number = offset_div(x, number, m_parts);
        u->m_lo = offset_scale(x, part, c->unit_m);
        Index end = offset_add(x, u->m_lo, offset_const(c->unit_m));
        u->m_hi = offset_min(x, end, m);
    }
    Index batches = offset_dim(x, c->batch);
    if (offset_is_const(batches) && batches.c == 1) number = offset_const(0);
    u->batch = number;
    u->group = offset_const(0);
    if (c->kind == CONTRACT_CONV && c->conv.groups > 1) {
        Index groups = offset_const(c->conv.groups);
        u->group = offset_rem(x, number, groups);
        u->batch = offset_div(x, number, groups);
    }
    EmitValue batch = offset_emit(x, u->batch);
    eval_set_var(x->eval, VAR_BATCH, batch, (Range){0, INT64_MAX});
}

/* A convolution that only mixes channels of single pixels is a GEMM over them. */
static Contraction as_gemm(const Contraction *c) {
    Contraction gemm = *c;
    gemm.kind = CONTRACT_GEMM;
    gemm.a_k = dim_const(1);
    gemm.b_repeat = dim_const(1);
    gemm.b_batch = dim_const(0);
    gemm.b_k = c->n;
    gemm.b_n = dim_const(1);
    return gemm;
}

static bool is_pointwise(const Contraction *c) {
    if (c->kind != CONTRACT_CONV || c->conv.groups != 1 || !dim_is(c->c_row, 0)) return false;
    for (int d = 0; d < c->conv.rank; d++)
        if (c->conv.kernel[d] != 1 || c->conv.stride[d] != 1 || !dim_is(c->conv.before[d], 0) ||
            !dim_equal(c->conv.in[d], c->conv.out[d]))
            return false;
    return true;
}

static bool acc_is_supported(DType t) {
    return t == DTYPE_F32 || t == DTYPE_F64 || t == DTYPE_S32 || t == DTYPE_S64 || t == DTYPE_U32 || t == DTYPE_U64;
}

bool contraction_emit(Emit *e, const Program *p, const Kernel *k, const char *symbol, bool fast_math) {
    const IsaRow *isa = emit_isa(e);
    Contraction contraction = *k->contraction;
    if (is_pointwise(&contraction)) contraction = as_gemm(&contraction);
    const Contraction *c = &contraction;
    if (!acc_is_supported(c->acc)) return false;
    int lanes = isa->vector_bits / dtype_info(c->acc)->bits;
    if (c->packed.kg != 1 || c->packed.nr <= 0 || (c->packed.nr % lanes != 0 && !is_narrow(c))) return false;
    if (c->packed.nr / lanes > MAX_TILE_COLUMNS || c->tile_m < 1 || c->tile_m > MAX_TILE_ROWS) return false;
    if (c->unit_n % c->packed.nr != 0) return false;
    Ctx x = {.e = e, .p = p, .k = k, .c = c, .arena = p->arena, .lanes = lanes};
    EmitValue buffers, begin, end;
    emit_kernel_begin(e, symbol, &buffers, &x.dims, &begin, &end);
    x.eval = eval_new(p->arena, e, p, k, buffers, x.dims, fast_math);
    eval_set_vector(x.eval, VAR_N, lanes);
    Index from = offset_value(begin);
    Index to = offset_value(end);
    Index number = loop_begin(&x, from, to, 1, 0, NULL);
    Unit unit;
    decode_unit(&x, number, &unit);
    static bool (*const families[])(Ctx *, const Unit *) = {[CONTRACT_GEMM] = gemm_emit,
                                                            [CONTRACT_CONV] = conv_emit,
                                                            [CONTRACT_DEPTHWISE] = depthwise_emit,
                                                            [CONTRACT_WINOGRAD] = winograd_emit};
    bool ok = families[c->kind](&x, &unit);
    loop_end(&x, 0, NULL);
    EmitValue status = emit_int(e, (EmitType){DTYPE_S32, 0}, 0);
    emit_kernel_end(e, status);
    return ok;
}
