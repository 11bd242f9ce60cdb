/* eval_memory: loads and stores of kernels. How an access moves along the lanes decides its form: not at all → one
   scalar, by 1 → a vector, by -1 → a vector reversed, else gather and scatter. No access touches what its guard or the
   lanes that exist exclude. */
#include "codegen/cpu/eval_state.h"

/* ---- addresses */

enum { MAX_TERMS = 64 };
typedef struct {
    ExprId terms[MAX_TERMS];
    int n;
    int64_t constant;
} Sum;

static void flatten(Eval *v, ExprId x, Sum *s) {
    const Expr *e = eval_expr(v, x);
    int64_t known;
    if (e->kind == EXPR_CONST) {
        s->constant += e->i;
    } else if (e->kind == EXPR_SCALAR && e->op == OP_ADD && s->n < MAX_TERMS - 2) {
        flatten(v, e->args[0], s);
        flatten(v, e->args[1], s);
    } else if (e->kind == EXPR_SCALAR && e->op == OP_SUB && eval_expr(v, e->args[1])->kind == EXPR_CONST) {
        flatten(v, e->args[0], s);
        s->constant -= eval_expr(v, e->args[1])->i;
    } else if (!eval_depends_on_var(v, x, v->vector_var) && eval_known(v, x, &known)) {
        s->constant += known;
    } else {
        s->terms[s->n++] = x;
    }
}

/* The innermost loop that x changes in. */
static uint32_t order_of(const Eval *v, ExprId x) {
    uint32_t order = 0;
    for (uint32_t i = 0; i < v->k->n_vars; i++)
        if (eval_depends_on_var(v, x, i) && v->var_order[i] > order) order = v->var_order[i];
    return order;
}

/* Address of element `index` (of lane 0) without *disp elements: parts that change in outer loops first, so that they
 * leave inner ones. */
static EmitValue address(Eval *v, uint32_t param, ExprId index, int64_t *disp) {
    Sum s = {.n = 0};
    flatten(v, index, &s);
    for (int i = 1; i < s.n; i++) { /* insertion sort: stable */
        ExprId x = s.terms[i];
        int j = i;
        for (; j > 0 && order_of(v, s.terms[j - 1]) > order_of(v, x); j--) s.terms[j] = s.terms[j - 1];
        s.terms[j] = x;
    }
    DType t = v->k->params.data[param].dtype;
    EmitValue at = v->buffers[param];
    for (int i = 0; i < s.n; i++) {
        EmitValue offset = eval_scalar(v, s.terms[i]);
        at = emit_address(v->e, at, t, offset, 0);
    }
    *disp = s.constant;
    return at;
}

/* ---- loads */

static EmitValue on_all_lanes(Eval *v, EmitValue mask) { /* i1: no lane is off */
    EmitValue all = emit_const_mask(v->e, v->lanes, v->lanes);
    EmitValue off = emit_binary(v->e, EMIT_XOR, mask, all);
    EmitValue any = emit_any(v->e, off);
    EmitValue one = emit_int(v->e, (EmitType){DTYPE_BOOL, 0}, 1);
    return emit_binary(v->e, EMIT_XOR, any, one);
}

/* Masked accesses of this type are instructions; elsewhere they are a branch a lane. */
static bool masks_are_cheap(const Eval *v, DType t) {
    const IsaRow *isa = emit_isa(v->e);
    int bits = dtype_info(t)->bits;
    return isa->masks || (isa->vector_bits == 256 && (bits == 32 || bits == 64));
}

static EmitValue load_row(Eval *v, EmitValue at, int64_t disp, EmitType t, EmitValue mask) {
    if (!mask.v || masks_are_cheap(v, t.dtype)) return emit_load(v->e, at, disp, t, mask);
    EmitValue all = on_all_lanes(v, mask);
    EmitValue value;
    emit_if_begin(v->e, all, 1, &t);
    value = emit_load(v->e, at, disp, t, (EmitValue){NULL});
    emit_if_else(v->e, 1, &value);
    value = emit_load(v->e, at, disp, t, mask);
    emit_if_end(v->e, 1, &value);
    return value;
}

static EmitValue reversed(Eval *v, EmitValue x) {
    int64_t order[256];
    CHECK(v->lanes <= 256);
    for (int i = 0; i < v->lanes; i++) order[i] = v->lanes - 1 - i;
    return emit_shuffle(v->e, x, x, v->lanes, order);
}

/* Lane k: k * stride. */
static EmitValue lane_offsets(Eval *v, int64_t stride) {
    bool fits = stride > -(1 << 20) && stride < (1 << 20);
    EmitType t = {fits ? DTYPE_S32 : DTYPE_S64, v->lanes};
    EmitValue lane = emit_lane_index(v->e, t), step = emit_int(v->e, t, stride);
    return emit_binary(v->e, EMIT_IMUL, lane, step);
}

/* The element at a place that all lanes share, read where `when` holds (0 elsewhere). */
static EmitValue load_scalar(Eval *v, uint32_t param, ExprId index, EmitValue when) {
    EmitType t = {v->k->params.data[param].dtype, 0};
    int64_t disp;
    EmitValue at = address(v, param, index, &disp);
    if (!when.v) return emit_load(v->e, at, disp, t, (EmitValue){NULL});
    EmitValue value;
    emit_if_begin(v->e, when, 1, &t);
    value = emit_load(v->e, at, disp, t, (EmitValue){NULL});
    emit_if_else(v->e, 1, &value);
    value = emit_int(v->e, t, 0);
    emit_if_end(v->e, 1, &value);
    return value;
}

static EmitValue load_lanes(Eval *v, uint32_t param, ExprId index, EmitValue mask) {
    EmitType t = {v->k->params.data[param].dtype, v->lanes};
    int64_t stride, disp;
    if (!eval_stride(v, index, v->vector_var, &stride)) {
        EmitValue lanes = eval_index_lanes(v, index);
        return emit_gather(v->e, v->buffers[param], lanes, t, mask);
    }
    EmitValue at = address(v, param, index, &disp);
    if (stride == 1) return load_row(v, at, disp, t, mask);
    if (stride == -1) {
        EmitValue off = mask.v ? reversed(v, mask) : mask;
        EmitValue row = load_row(v, at, disp - (v->lanes - 1), t, off);
        return reversed(v, row);
    }
    at = emit_address(v->e, at, t.dtype, (EmitValue){NULL}, disp);
    EmitValue lanes = lane_offsets(v, stride);
    return emit_gather(v->e, at, lanes, t, mask);
}

static bool is_zero(const Eval *v, ExprId x) {
    const Expr *e = eval_expr(v, x);
    if (e->kind != EXPR_CONST) return false;
    return dtype_is_float(e->dtype) ? e->f == 0 && !__builtin_signbit(e->f) : e->i == 0;
}

EmitValue eval_load(Eval *v, ExprId x, bool vector) {
    const Expr *e = eval_expr(v, x);
    ExprId index = e->args[0], pred = e->args[1], otherwise = e->args[2];
    int64_t known;
    if (pred.i && eval_known(v, pred, &known)) {
        if (!known) return vector ? eval_value(v, otherwise) : eval_scalar(v, otherwise);
        pred.i = 0;
    }
    EmitValue when = {NULL};
    bool guard_varies = vector && pred.i && eval_varies(v, pred);
    if (pred.i) when = guard_varies ? eval_value(v, pred) : eval_scalar(v, pred);
    EmitValue value, other = {NULL};
    if (pred.i && !is_zero(v, otherwise)) other = vector ? eval_value(v, otherwise) : eval_scalar(v, otherwise);

    if (!vector) {
        value = load_scalar(v, e->ref, index, when);
    } else if (!eval_varies(v, index)) {
        EmitValue all = eval_both(v, when, v->mask);
        EmitValue any = all.v ? emit_any(v->e, all) : all;
        value = load_scalar(v, e->ref, index, any);
        value = emit_broadcast(v->e, value, v->lanes);
        if (pred.i && !other.v) other = eval_value(v, otherwise);
    } else if (when.v && !guard_varies) { /* one decision for all lanes */
        EmitType t = {e->dtype, v->lanes};
        int64_t stride, disp; /* indexes are computed before the branch: values that are kept outlive it */
        if (eval_stride(v, index, v->vector_var, &stride))
            address(v, e->ref, index, &disp);
        else
            eval_index_lanes(v, index);
        emit_if_begin(v->e, when, 1, &t);
        value = load_lanes(v, e->ref, index, v->mask);
        emit_if_else(v->e, 1, &value);
        value = emit_int(v->e, t, 0);
        emit_if_end(v->e, 1, &value);
    } else {
        EmitValue mask = eval_both(v, when, v->mask);
        value = load_lanes(v, e->ref, index, mask);
    }
    value = scalar_from_memory(v->e, value, e->dtype);
    return other.v ? emit_select(v->e, when, value, other) : value;
}

/* ---- stores */

static void store_row(Eval *v, EmitValue at, int64_t disp, EmitValue value, EmitValue mask) {
    if (!mask.v || masks_are_cheap(v, emit_type(v->e, value).dtype)) {
        emit_store(v->e, at, disp, value, mask, 0);
        return;
    }
    EmitValue all = on_all_lanes(v, mask);
    emit_if_begin(v->e, all, 0, NULL);
    emit_store(v->e, at, disp, value, (EmitValue){NULL}, 0);
    emit_if_else(v->e, 0, NULL);
    emit_store(v->e, at, disp, value, mask, 0);
    emit_if_end(v->e, 0, NULL);
}

static void store_lanes(Eval *v, uint32_t param, ExprId index, EmitValue value, EmitValue mask) {
    DType t = v->k->params.data[param].dtype;
    int64_t stride, disp;
    if (!eval_stride(v, index, v->vector_var, &stride)) {
        EmitValue lanes = eval_index_lanes(v, index);
        emit_scatter(v->e, v->buffers[param], lanes, value, mask);
        return;
    }
    EmitValue at = address(v, param, index, &disp);
    if (stride == 1) {
        store_row(v, at, disp, value, mask);
    } else if (stride == -1) {
        EmitValue turned = reversed(v, value);
        EmitValue off = mask.v ? reversed(v, mask) : mask;
        store_row(v, at, disp - (v->lanes - 1), turned, off);
    } else {
        at = emit_address(v->e, at, t, (EmitValue){NULL}, disp);
        EmitValue lanes = lane_offsets(v, stride);
        emit_scatter(v->e, at, lanes, value, mask);
    }
}

void eval_store(Eval *v, uint32_t param, ExprId index, EmitValue value, ExprId pred) {
    DType t = v->k->params.data[param].dtype;
    int64_t known;
    if (pred.i && eval_known(v, pred, &known)) {
        if (!known) return;
        pred.i = 0;
    }
    value = scalar_to_memory(v->e, value, t);
    EmitValue when = {NULL};
    if (pred.i) when = v->lanes && eval_varies(v, pred) ? eval_value(v, pred) : eval_scalar(v, pred);
    if (v->lanes) {
        EmitValue mask = eval_both(v, when, v->mask);
        if (mask.v && !emit_type(v->e, mask).lanes) mask = emit_broadcast(v->e, mask, v->lanes);
        store_lanes(v, param, index, value, mask);
    } else {
        int64_t disp;
        EmitValue at = address(v, param, index, &disp);
        if (when.v) emit_if_begin(v->e, when, 0, NULL);
        emit_store(v->e, at, disp, value, (EmitValue){NULL}, 0);
        if (when.v) {
            emit_if_else(v->e, 0, NULL);
            emit_if_end(v->e, 0, NULL);
        }
    }
    eval_clobber(v, param);
}
