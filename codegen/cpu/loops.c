/* loops: statements of a kernel as code: serial and unrolled loops, stores, accumulators, failures. Vector loops are in
   loops_vector.c. Before a loop is entered, what its body uses and does not change there is computed; after it, only
   slots are left of it. */
#include "codegen/cpu/loops_state.h"
#include "codegen/cpu/scalar.h"
#include "tfopt_abi.h"

/* ---- slots */

EmitValue loops_slot(const Loops *l, uint32_t slot) {
    if (slot == slot_range_flag(l)) return l->out_of_range;
    return slot == slot_division_flag(l) ? eval_failure(l->v) : eval_acc(l->v, slot);
}

void loops_set_slot(Loops *l, uint32_t slot, EmitValue value) {
    if (slot == slot_range_flag(l))
        l->out_of_range = value;
    else if (slot == slot_division_flag(l))
        eval_set_failure(l->v, value);
    else
        eval_set_acc(l->v, slot, value);
}

DType loops_slot_type(const Loops *l, uint32_t slot) {
    return slot < l->k->n_accs ? l->k->acc_types[slot] : DTYPE_BOOL;
}

void loops_modified(const Loops *l, const Stmt *s, bool *modified) {
    for (; s; s = s->next) {
        if (s->kind == STMT_ACC || s->kind == STMT_UPDATE) modified[s->ref] = true;
        if (s->kind == STMT_FAIL) modified[slot_range_flag(l)] = true;
        bool divides = eval_may_fail(l->v, s->index) || eval_may_fail(l->v, s->value) || eval_may_fail(l->v, s->pred) ||
                       eval_may_fail(l->v, s->extent);
        if (divides) modified[slot_division_flag(l)] = true;
        if (s->kind == STMT_FOR) loops_modified(l, s->body, modified);
    }
}

void loops_clobber(Loops *l, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE) eval_clobber(l->v, s->ref);
        if (s->kind == STMT_FOR) loops_clobber(l, s->body);
    }
}

/* ---- hoisting */

typedef struct {
    bool *modified;      /* slots */
    bool *stored, *vars; /* parameters stored to, variables set in the loop */
    bool runs;           /* the body runs at least once: loads may move */
    bool *seen;
} Hoist;

static void find_changes(Hoist *h, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE) h->stored[s->ref] = true;
        if (s->kind != STMT_FOR) continue;
        h->vars[s->ref] = true;
        find_changes(h, s->body);
    }
}

static bool loads_anything(const Loops *l, ExprId x) {
    for (uint32_t i = 0; i < l->k->params.len; i++)
        if (eval_loads_from(l->v, x, i)) return true;
    return false;
}

static bool is_invariant(const Loops *l, const Hoist *h, ExprId x) {
    if (eval_may_fail(l->v, x)) return false;
    for (uint32_t i = 0; i < l->k->n_vars; i++)
        if (h->vars[i] && eval_depends_on_var(l->v, x, i)) return false;
    for (uint32_t i = 0; i < l->k->n_accs; i++)
        if (eval_depends_on_acc(l->v, x, i) && (h->modified[i] || !eval_acc(l->v, i).v)) return false;
    for (uint32_t i = 0; i < l->k->params.len; i++)
        if (eval_loads_from(l->v, x, i) && (h->stored[i] || !h->runs)) return false;
    return true;
}

static void hoist_expr(Loops *l, Hoist *h, ExprId x) {
    if (x.i == 0 || h->seen[x.i]) return;
    h->seen[x.i] = true;
    const Expr *e = &l->k->exprs.data[x.i];
    if (e->kind != EXPR_LOAD && e->kind != EXPR_SCALAR) return;
    if (is_invariant(l, h, x)) {
        /* Index arithmetic that only vectors need is left to the loads that need it. */
        if (e->dtype != DTYPE_S64 || loads_anything(l, x))
            eval_value(l->v, x);
        else
            eval_scalar(l->v, x);
        return;
    }
    /* A guarded load's other value and both sides of a select are cheap to have; a division that may fail stays where
     * it is. */
    if (eval_may_fail(l->v, x) && e->op == OP_SELECT) return;
    for (int i = 0; i < 3; i++) hoist_expr(l, h, e->args[i]);
}

static void hoist_body(Loops *l, Hoist *h, const Stmt *s) {
    for (; s; s = s->next) {
        hoist_expr(l, h, s->extent);
        hoist_expr(l, h, s->index);
        hoist_expr(l, h, s->value);
        hoist_expr(l, h, s->pred);
        if (s->kind != STMT_FOR) continue;
        bool runs = h->runs;
        h->runs = runs && eval_range(l->v, s->extent).min > 0;
        hoist_body(l, h, s->body);
        h->runs = runs;
    }
}

void loops_hoist(Loops *l, const Stmt *loop, bool runs) {
    Hoist h = {.runs = runs,
               .modified = NEW_ARRAY(l->arena, bool, l->n_slots),
               .stored = NEW_ARRAY(l->arena, bool, l->k->params.len + 1),
               .vars = NEW_ARRAY(l->arena, bool, l->k->n_vars + 1),
               .seen = NEW_ARRAY(l->arena, bool, l->k->exprs.len + 1)};
    h.vars[loop->ref] = true;
    if (l->jam.n > 1) h.vars[l->jam.loop->ref] = true; /* differs between the vectors that go together */
    loops_modified(l, loop->body, h.modified);
    find_changes(&h, loop->body);
    hoist_body(l, &h, loop->body);
}

/* ---- loops */

static void enter_vector(Loops *l, int which) {
    Jam *jam = &l->jam;
    eval_set_mask(l->v, jam->mask[which]);
    l->mask = jam->mask[which];
    eval_set_var(l->v, jam->loop->ref, jam->at[which], loops_var_range(l, jam->loop));
    for (uint32_t i = 0; i < jam->n_slots; i++) loops_set_slot(l, jam->slots[i], jam->state[jam->slots[i]][which]);
}
static void leave_vector(Loops *l, int which) {
    Jam *jam = &l->jam;
    for (uint32_t i = 0; i < jam->n_slots; i++) jam->state[jam->slots[i]][which] = loops_slot(l, jam->slots[i]);
}

/* Values of slot in all vectors that go together, or the one there is. */
static int read_slot(const Loops *l, uint32_t slot, EmitValue *out) {
    if (l->jam.n <= 1) {
        out[0] = loops_slot(l, slot);
        return 1;
    }
    for (int u = 0; u < l->jam.n; u++) out[u] = l->jam.state[slot][u];
    return l->jam.n;
}
static void write_slot(Loops *l, uint32_t slot, const EmitValue *values) {
    if (l->jam.n <= 1)
        loops_set_slot(l, slot, values[0]);
    else
        for (int u = 0; u < l->jam.n; u++) l->jam.state[slot][u] = values[u];
}

void loops_counted(Loops *l, const Stmt *s, EmitValue lo, EmitValue hi, EmitValue step, LoopTurn *turn, void *data) {
    bool *modified = NEW_ARRAY(l->arena, bool, l->n_slots);
    uint32_t *carried = NEW_ARRAY(l->arena, uint32_t, l->n_slots);
    EmitValue *io = NEW_ARRAY(l->arena, EmitValue, l->n_slots * MAX_UNROLL);
    const EmitValue gone[MAX_UNROLL] = {{NULL}};
    int n = 0, n_io = 0, each = 1;
    loops_modified(l, s->body, modified);
    for (uint32_t i = 0; i < l->n_slots; i++) {
        if (!modified[i]) continue;
        each = read_slot(l, i, io + n_io);
        if (!io[n_io].v) continue;
        carried[n++] = i;
        n_io += each;
    }
    loops_clobber(l, s->body);
    EmitValue i = emit_for_begin(l->e, lo, hi, step, n_io, io);
    eval_scope_begin(l->v);
    for (int c = 0; c < n; c++) write_slot(l, carried[c], io + c * each);
    turn(l, s, i, data);
    for (int c = 0; c < n; c++) read_slot(l, carried[c], io + c * each);
    eval_scope_end(l->v);
    emit_for_end(l->e, n_io, io);
    for (uint32_t c = 0; c < l->k->n_accs; c++)
        if (modified[c]) write_slot(l, c, gone); /* set inside only: gone */
    for (int c = 0; c < n; c++) write_slot(l, carried[c], io + c * each);
}

Range loops_var_range(Loops *l, const Stmt *s) {
    Range extent = eval_range(l->v, s->extent);
    return (Range){0, extent.max == INT64_MAX ? INT64_MAX : extent.max > 0 ? extent.max - 1 : 0};
}

static void serial_turn(Loops *l, const Stmt *s, EmitValue i, void *data) {
    (void)data;
    eval_set_var(l->v, s->ref, i, loops_var_range(l, s));
    loops_body(l, s->body);
}

/* Statements that s becomes when all loops in it are unrolled; a large number where one's extent is not known. */
static int64_t unrolled_size(Loops *l, const Stmt *s) {
    enum { LARGE = 1 << 20 };
    int64_t size = 0;
    for (; s && size < LARGE; s = s->next) {
        Range r = eval_range(l->v, s->kind == STMT_FOR ? s->extent : (ExprId){0});
        size += s->kind != STMT_FOR ? 1 : r.min == r.max && r.max <= 64 ? r.max * unrolled_size(l, s->body) : LARGE;
    }
    return size;
}

/* Whether neighbouring turns read neighbouring elements, or the same ones. */
static bool reads_rows(Loops *l, ExprId x, uint32_t var) {
    const Expr *e = &l->k->exprs.data[x.i];
    int64_t stride;
    if (!eval_depends_on_var(l->v, x, var)) return true;
    if (e->kind == EXPR_LOAD && (!eval_stride(l->v, e->args[0], var, &stride) || (stride != 0 && stride != 1)))
        return false;
    for (int i = 0; i < 3 && e->args[i].i; i++)
        if (!reads_rows(l, e->args[i], var)) return false;
    return true;
}

/* A serial loop outside of vector loops that only accumulates along rows may as well go by lanes. */
static bool accumulates_rows(Loops *l, const Stmt *s) {
    enum { LEAST = 8 };
    if (l->lanes || eval_range(l->v, s->extent).max < LEAST) return false;
    for (const Stmt *inner = s->body; inner; inner = inner->next) {
        if (inner->kind != STMT_UPDATE || inner->op == OP_MUL) return false;
        if (!reads_rows(l, inner->value, s->ref) || (inner->pred.i && !reads_rows(l, inner->pred, s->ref)))
            return false;
    }
    return true;
}

static void serial(Loops *l, const Stmt *s) {
    enum { MAX_UNROLLED = 64, MAX_SMALL = 40 };
    Range r = eval_range(l->v, s->extent);
    if (r.max <= 0 || (accumulates_rows(l, s) && loops_vector(l, s))) return;
    bool known = r.min == r.max;
    /* Windows inside a vector loop: a few turns of a few statements are cheaper without a loop around them. */
    bool small = known && l->lanes && r.max * unrolled_size(l, s->body) * (l->jam.n > 1 ? l->jam.n : 1) <= MAX_SMALL;
    if (known && (r.max == 1 || small || (s->mode == FOR_UNROLL && r.max <= MAX_UNROLLED))) {
        for (int64_t i = 0; i < r.max; i++) {
            EmitValue at = emit_index(l->e, i);
            eval_set_var(l->v, s->ref, at, (Range){i, i});
            loops_body(l, s->body);
        }
        return;
    }
    loops_hoist(l, s, r.min > 0);
    EmitValue lo = emit_index(l->e, 0), step = emit_index(l->e, 1);
    EmitValue hi = eval_scalar(l->v, s->extent);
    loops_counted(l, s, lo, hi, step, serial_turn, NULL);
}

/* ---- statements */

EmitValue loops_combine(Loops *l, OpId op, DType t, EmitValue a, EmitValue b) {
    ScalarCall c = {.op = op, .operand = t, .result = t, .args = {a, b}};
    return scalar_emit(l->e, &c);
}

static EmitValue evaluate(Loops *l, ExprId x) {
    return l->lanes ? eval_value(l->v, x) : eval_scalar(l->v, x);
}

static void update(Loops *l, const Stmt *s) {
    EmitValue old = eval_acc(l->v, s->ref), value = evaluate(l, s->value);
    EmitValue next = s->op == OP_SELECT ? value : loops_combine(l, s->op, l->k->acc_types[s->ref], old, value);
    if (s->pred.i && eval_range(l->v, s->pred).min < 1) {
        EmitValue where = evaluate(l, s->pred);
        next = emit_select(l->e, where, next, old);
    }
    if (l->mask.v) next = emit_select(l->e, l->mask, next, old);
    eval_set_acc(l->v, s->ref, next);
}

static void fail(Loops *l, const Stmt *s) {
    if (eval_range(l->v, s->pred).max == 0) return;
    EmitValue where = evaluate(l, s->pred);
    if (l->mask.v) where = emit_binary(l->e, EMIT_AND, where, l->mask);
    l->out_of_range = emit_binary(l->e, EMIT_OR, l->out_of_range, where);
}

static void statement(Loops *l, const Stmt *s) {
    EmitValue value;
    switch (s->kind) {
    case STMT_STORE:
        value = evaluate(l, s->value);
        eval_store(l->v, s->ref, s->index, value, s->pred);
        break;
    case STMT_ACC:
        value = evaluate(l, s->value);
        eval_set_acc(l->v, s->ref, value);
        break;
    case STMT_UPDATE:
        update(l, s);
        break;
    case STMT_FAIL:
        fail(l, s);
        break;
    case STMT_FOR:
        BUG("a loop is no simple statement");
    }
}

void loops_body(Loops *l, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR) {
            if (s->mode != FOR_VECTOR || !loops_vector(l, s)) serial(l, s);
            continue;
        }
        if (l->jam.n <= 1) statement(l, s);
        for (int u = 0; l->jam.n > 1 && u < l->jam.n; u++) {
            enter_vector(l, u);
            statement(l, s);
            leave_vector(l, u);
        }
    }
}

/* ---- kernels */

static EmitValue status_of(Loops *l) {
    EmitType t = {DTYPE_S32, 0};
    EmitValue status = emit_int(l->e, t, TFOPT_OK);
    EmitValue divided = eval_failure(l->v);
    if (divided.v) {
        EmitValue code = emit_int(l->e, t, TFOPT_INVALID_ARGUMENT);
        status = emit_select(l->e, divided, code, status);
    }
    if (l->out_of_range.v) {
        EmitValue code = emit_int(l->e, t, TFOPT_OUT_OF_RANGE);
        status = emit_select(l->e, l->out_of_range, code, status);
    }
    return status;
}

static void unit_turn(Loops *l, const Stmt *s, EmitValue i, void *data) {
    eval_set_var(l->v, VAR_UNIT, i, *(const Range *)data);
    loops_body(l, s->body);
}

void loops_emit(Emit *e, const Program *p, const Kernel *k, const char *symbol, bool fast_math) {
    EmitValue buffers, dims, begin, end;
    emit_kernel_begin(e, symbol, &buffers, &dims, &begin, &end);
    Arena *arena = arena_new();
    Eval *v = eval_new(arena, e, p, k, buffers, dims, fast_math);
    Loops l = {.arena = arena, .e = e, .v = v, .k = k, .n_slots = k->n_accs + 2};
    bool *modified = NEW_ARRAY(arena, bool, l.n_slots);
    loops_modified(&l, k->body, modified);
    EmitValue clear = emit_int(e, (EmitType){DTYPE_BOOL, 0}, 0);
    if (modified[slot_range_flag(&l)]) l.out_of_range = clear;
    if (modified[slot_division_flag(&l)]) eval_set_failure(v, clear);

    /* The units are a serial loop, and the function does nothing for none: what all units share may be computed before
     * it. */
    Range units = {0, INT64_MAX};
    if (dim_is_const(k->units))
        units.max = k->units.value > 0 ? k->units.value - 1 : 0;
    else
        dim_range(&p->g->dims, k->units, &(int64_t){0}, &units.max);
    EmitValue any = emit_compare(e, EMIT_SLT, begin, end);
    EmitType status_type = {DTYPE_S32, 0};
    emit_if_begin(e, any, 1, &status_type);
    if (units.max == 0) {
        EmitValue zero = emit_index(e, 0);
        eval_set_var(v, VAR_UNIT, zero, units);
        loops_body(&l, k->body);
    } else {
        Stmt unit = {.kind = STMT_FOR, .mode = FOR_SERIAL, .ref = VAR_UNIT, .body = k->body};
        loops_hoist(&l, &unit, true);
        EmitValue step = emit_index(e, 1);
        loops_counted(&l, &unit, begin, end, step, unit_turn, &units);
    }
    EmitValue status = status_of(&l);
    emit_if_else(e, 1, &status);
    status = emit_int(e, status_type, TFOPT_OK);
    emit_if_end(e, 1, &status);
    emit_kernel_end(e, status);
    arena_free(arena);
}
