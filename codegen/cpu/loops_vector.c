/* loops_vector: VECTOR loops. The loop becomes: turns of several whole vectors, single whole vectors, and a rest, which
   is one masked vector where masks are free and a scalar loop elsewhere. Accumulators from outside become independent
   partial ones, one a vector of a turn, so that latency is hidden; they are combined in a fixed order, whatever the
   threads. */
#include "codegen/cpu/loops_state.h"
#include <math.h>
#include <string.h>

typedef struct {
    int lanes, unroll;
    bool together;   /* the vectors of a turn go through the body together: it has loops of its own */
    uint32_t *slots; /* accumulators and flags from outside that the body changes */
    OpId *ops;
    int n_slots;
    EmitValue *initial; /* their values before the loop */
    EmitValue (*partial)[MAX_UNROLL];
} Vectors;

/* ---- whether and how wide */

typedef struct {
    const Loops *l;
    uint32_t var;
    int bits;    /* of the widest element */
    double cost; /* of a turn, in additions */
    bool possible, flat;
    bool *seen;
} Survey;

static void widen(Survey *s, DType t) {
    int bits = dtype_is_float(t) ? (t == DTYPE_F64 ? 64 : 32) : dtype_info(t)->bits;
    if (bits > 64) s->possible = false; /* strings move one by one */
    if (bits > s->bits) s->bits = bits;
}

static bool loads_anything(const Survey *s, ExprId x) {
    for (uint32_t i = 0; i < s->l->k->params.len; i++)
        if (eval_loads_from(s->l->v, x, i)) return true;
    return false;
}

static void survey_expr(Survey *s, ExprId x) {
    if (x.i == 0 || s->seen[x.i]) return;
    s->seen[x.i] = true;
    const Expr *e = &s->l->k->exprs.data[x.i];
    bool is_index = e->dtype == DTYPE_S64 && !loads_anything(s, x); /* lives in 32 bits where it can */
    if (e->kind == EXPR_LOAD || (e->kind == EXPR_SCALAR && !is_index)) widen(s, e->dtype);
    if (e->kind == EXPR_SCALAR) s->cost += is_index ? 0.5 : op_info(e->op)->cost;
    if (e->kind == EXPR_LOAD) s->cost += 1;
    for (int i = 0; i < 3; i++) survey_expr(s, e->args[i]);
}

static void survey_body(Survey *s, const Stmt *body) {
    Eval *v = s->l->v;
    for (; body; body = body->next) {
        survey_expr(s, body->index);
        survey_expr(s, body->value);
        survey_expr(s, body->pred);
        if (body->kind == STMT_STORE) {
            widen(s, s->l->k->params.data[body->ref].dtype);
            s->cost += 1;
            if (!eval_depends_on_var(v, body->index, s->var)) s->possible = false; /* which lane would win? */
        }
        if (body->kind == STMT_ACC || body->kind == STMT_UPDATE) widen(s, s->l->k->acc_types[body->ref]);
        if (body->kind != STMT_FOR) continue;
        s->flat = false;
        if (eval_depends_on_var(v, body->extent, s->var) || loads_anything(s, body->extent)) s->possible = false;
        if (body->mode == FOR_VECTOR) s->possible = false;
        survey_body(s, body->body);
    }
}

/* The one op that updates slot in the body; false when it is set, updated in two ways, or read. */
static bool updating_op(const Loops *l, const Stmt *s, uint32_t slot, OpId *op) {
    for (; s; s = s->next) {
        if (s->kind == STMT_ACC && s->ref == slot) return false;
        if (s->kind == STMT_UPDATE && s->ref == slot) {
            if (s->op == OP_SELECT || (*op != OP_NONE && *op != s->op)) return false;
            *op = s->op;
        }
        if (eval_depends_on_acc(l->v, s->value, slot) || eval_depends_on_acc(l->v, s->index, slot) ||
            eval_depends_on_acc(l->v, s->pred, slot) || eval_depends_on_acc(l->v, s->extent, slot))
            return false;
        if (s->kind == STMT_FOR && !updating_op(l, s->body, slot, op)) return false;
    }
    return true;
}

static int floor_power_of_two(int64_t x) {
    int p = 1;
    while ((int64_t)p * 2 <= x && p < 256) p *= 2;
    return p;
}

static bool plan(Loops *l, const Stmt *s, Vectors *p) {
    Survey survey = {.l = l,
                     .var = s->ref,
                     .possible = true,
                     .flat = true,
                     .bits = 8,
                     .seen = NEW_ARRAY(l->arena, bool, l->k->exprs.len + 1)};
    survey_body(&survey, s->body);
    if (!survey.possible || l->lanes) return false;

    bool *modified = NEW_ARRAY(l->arena, bool, l->n_slots);
    loops_modified(l, s->body, modified);
    p->slots = NEW_ARRAY(l->arena, uint32_t, l->n_slots);
    p->ops = NEW_ARRAY(l->arena, OpId, l->n_slots);
    p->initial = NEW_ARRAY(l->arena, EmitValue, l->n_slots);
    p->partial = arena_alloc(l->arena, sizeof *p->partial * l->n_slots);
    p->n_slots = 0;
    for (uint32_t i = 0; i < l->n_slots; i++) {
        EmitValue value = loops_slot(l, i);
        if (!modified[i] || !value.v) continue;
        OpId op = OP_NONE;
        if (i < l->k->n_accs && !updating_op(l, s->body, i, &op)) return false;
        p->slots[p->n_slots] = i;
        p->initial[p->n_slots] = value;
        p->ops[p->n_slots++] = op == OP_NONE ? OP_OR : op; /* flags */
    }

    const IsaRow *isa = emit_isa(l->e);
    p->lanes = isa_lanes(isa, survey.bits);
    int64_t most = eval_range(l->v, s->extent).max;
    if (most < p->lanes) { /* masks: the next power of two above; else the last one below and a scalar rest */
        int below = floor_power_of_two(most > 1 ? most : 1);
        p->lanes = isa->masks && below < most ? below * 2 : below;
    }
    if (p->lanes < 2) return false;
    bool reduces = p->n_slots > 0;
    p->together = !survey.flat;
    p->unroll = p->together                                          ? (survey.cost <= 24   ? MAX_UNROLL
                                                                        : survey.cost <= 60 ? 2
                                                                                            : 1)
                : survey.cost <= 6 || (reduces && survey.cost <= 24) ? MAX_UNROLL
                : survey.cost <= 40                                  ? 2
                                                                     : 1;
    return true;
}

/* ---- turns */

/* The element that leaves an accumulator as it is. */
static EmitValue identity(Loops *l, OpId op, DType t, int lanes) {
    EmitType type = {eval_register_type(t), lanes};
    int bits = dtype_info(t)->bits;
    int64_t least = dtype_is_signed(t) ? (bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1))) : 0;
    int64_t most = dtype_is_signed(t) ? ~least : -1;
    if (dtype_is_float(t))
        return emit_float(l->e, type, op == OP_ADD ? -0.0 : op == OP_MUL ? 1.0 : op == OP_MAX ? -INFINITY : INFINITY);
    if (t == DTYPE_BOOL) return emit_int(l->e, type, op == OP_AND || op == OP_MIN || op == OP_MUL);
    return emit_int(l->e, type, op == OP_MUL ? 1 : op == OP_MAX ? least : op == OP_MIN ? most : op == OP_AND ? -1 : 0);
}

static void use_partials(Loops *l, Vectors *p, int which) {
    for (int i = 0; i < p->n_slots; i++) loops_set_slot(l, p->slots[i], p->partial[i][which]);
}
static void save_partials(Loops *l, Vectors *p, int which) {
    for (int i = 0; i < p->n_slots; i++) p->partial[i][which] = loops_slot(l, p->slots[i]);
}

/* Accumulators of lanes end with the turn. */
static void forget_inner(Loops *l, const Stmt *s, const Vectors *p) {
    bool *modified = NEW_ARRAY(l->arena, bool, l->n_slots);
    loops_modified(l, s->body, modified);
    for (int c = 0; c < p->n_slots; c++) modified[p->slots[c]] = false;
    for (uint32_t i = 0; i < l->k->n_accs; i++)
        if (modified[i]) loops_set_slot(l, i, (EmitValue){NULL});
}

/* One vector from lane 0 at index i, accumulating into partial `which`; mask: lanes that exist. */
static void one_vector(Loops *l, const Stmt *s, Vectors *p, EmitValue i, int which, EmitValue mask) {
    l->lanes = p->lanes;
    l->mask = mask;
    eval_set_vector(l->v, s->ref, p->lanes);
    eval_set_var(l->v, s->ref, i, loops_var_range(l, s));
    eval_set_mask(l->v, mask);
    use_partials(l, p, which);
    loops_body(l, s->body);
    save_partials(l, p, which);
    forget_inner(l, s, p);
    eval_set_vector(l->v, s->ref, 0);
    l->lanes = 0;
    l->mask.v = NULL;
}

/* Like one_vector for n neighbours at once, the last one with a mask. */
static void vectors_together(Loops *l, const Stmt *s, Vectors *p, EmitValue first, int n, EmitValue last_mask) {
    l->jam = (Jam){.n = n,
                   .loop = s,
                   .slots = NEW_ARRAY(l->arena, uint32_t, l->n_slots),
                   .state = arena_alloc(l->arena, sizeof *l->jam.state * l->n_slots)};
    bool *modified = NEW_ARRAY(l->arena, bool, l->n_slots);
    loops_modified(l, s->body, modified);
    for (int i = 0; i < p->n_slots; i++)
        for (int u = 0; u < n; u++) l->jam.state[p->slots[i]][u] = p->partial[i][u];
    for (uint32_t i = 0; i < l->n_slots; i++)
        if (modified[i]) l->jam.slots[l->jam.n_slots++] = i;
    for (int u = 0; u < n; u++) {
        EmitValue offset = emit_index(l->e, (int64_t)u * p->lanes);
        l->jam.at[u] = u ? emit_binary(l->e, EMIT_IADD, first, offset) : first;
    }
    l->jam.mask[n - 1] = last_mask;
    l->lanes = p->lanes;
    eval_set_vector(l->v, s->ref, p->lanes);
    eval_set_var(l->v, s->ref, first, loops_var_range(l, s));
    loops_body(l, s->body);
    for (int i = 0; i < p->n_slots; i++)
        for (int u = 0; u < n; u++) p->partial[i][u] = l->jam.state[p->slots[i]][u];
    l->jam.n = 0;
    forget_inner(l, s, p);
    eval_set_vector(l->v, s->ref, 0);
    l->lanes = 0;
    l->mask.v = NULL;
}

static void some_vectors(Loops *l, const Stmt *s, Vectors *p, EmitValue first, int n, EmitValue last_mask) {
    if (p->together && n > 1) {
        vectors_together(l, s, p, first, n, last_mask);
        return;
    }
    const EmitValue none = {NULL};
    for (int u = 0; u < n; u++) {
        EmitValue offset = emit_index(l->e, (int64_t)u * p->lanes);
        EmitValue at = u ? emit_binary(l->e, EMIT_IADD, first, offset) : first;
        one_vector(l, s, p, at, u, u == n - 1 ? last_mask : none);
    }
}

typedef struct {
    Vectors *p;
    int unroll;
    EmitValue end; /* for a masked turn, else {NULL} */
} Turn;

/* Partial accumulators are carried by hand: there are several of a slot. */
static void vector_loop(Loops *l, const Stmt *s, Turn t, EmitValue lo, EmitValue hi, int64_t step) {
    Vectors *p = t.p;
    int n = p->n_slots * t.unroll;
    EmitValue *io = NEW_ARRAY(l->arena, EmitValue, n + 1);
    for (int i = 0; i < n; i++) io[i] = p->partial[i / t.unroll][i % t.unroll];
    EmitValue by = emit_index(l->e, step);
    loops_clobber(l, s->body);
    EmitValue at = emit_for_begin(l->e, lo, hi, by, n, io), mask = {NULL};
    eval_scope_begin(l->v);
    for (int i = 0; i < n; i++) p->partial[i / t.unroll][i % t.unroll] = io[i];
    if (t.end.v) {
        EmitValue live = emit_binary(l->e, EMIT_ISUB, t.end, at);
        mask = emit_mask(l->e, live, p->lanes);
    }
    some_vectors(l, s, p, at, t.unroll, mask);
    for (int i = 0; i < n; i++) io[i] = p->partial[i / t.unroll][i % t.unroll];
    eval_scope_end(l->v);
    emit_for_end(l->e, n, io);
    for (int i = 0; i < n; i++) p->partial[i / t.unroll][i % t.unroll] = io[i];
}

static EmitValue reduce(Loops *l, OpId op, DType t, EmitValue vector) {
    if (t == DTYPE_BOOL) {
        EmitType type = emit_type(l->e, vector);
        bool all = op == OP_AND || op == OP_MIN || op == OP_MUL;
        EmitValue ones = emit_int(l->e, type, 1), one = emit_int(l->e, (EmitType){DTYPE_BOOL, 0}, 1);
        if (!all) return emit_any(l->e, vector);
        EmitValue off = emit_binary(l->e, EMIT_XOR, vector, ones);
        EmitValue any = emit_any(l->e, off);
        return emit_binary(l->e, EMIT_XOR, any, one);
    }
    int lanes = emit_type(l->e, vector).lanes;
    int64_t low[256], high[256];
    for (int half = lanes / 2; half >= 1; half /= 2) {
        for (int i = 0; i < half; i++) {
            low[i] = i;
            high[i] = half + i;
        }
        EmitValue a = emit_shuffle(l->e, vector, vector, half, low);
        EmitValue b = emit_shuffle(l->e, vector, vector, half, high);
        vector = loops_combine(l, op, t, a, b);
    }
    return emit_extract(l->e, vector, 0);
}

/* Partial accumulators, then lanes, then what was there before. Leaves scalars in the slots. */
static void combine_partials(Loops *l, Vectors *p) {
    for (int i = 0; i < p->n_slots; i++) {
        DType t = loops_slot_type(l, p->slots[i]);
        EmitValue sum = p->partial[i][0];
        for (int u = 1; u < p->unroll; u++) sum = loops_combine(l, p->ops[i], t, sum, p->partial[i][u]);
        EmitValue one = reduce(l, p->ops[i], t, sum);
        one = loops_combine(l, p->ops[i], t, p->initial[i], one);
        loops_set_slot(l, p->slots[i], one);
    }
}

static void scalar_turn(Loops *l, const Stmt *s, EmitValue i, void *data) {
    (void)data;
    eval_set_var(l->v, s->ref, i, loops_var_range(l, s));
    loops_body(l, s->body);
}

bool loops_vector(Loops *l, const Stmt *s) {
    Vectors p;
    if (!plan(l, s, &p)) return false;
    Range extent = eval_range(l->v, s->extent);
    if (extent.max <= 0) return true;
    bool known = extent.min == extent.max, masks = emit_isa(l->e)->masks;
    int64_t n = extent.max, whole = p.lanes, turn = (int64_t)p.lanes * p.unroll;
    /* What is too short for a turn goes at once, the masked rest included. */
    if (known && n < turn) {
        int pieces = (int)(masks ? (n + whole - 1) / whole : n / whole);
        p.unroll = pieces > 0 ? pieces : 1;
        turn = whole * p.unroll;
    }
    loops_hoist(l, s, extent.min > 0);
    for (int i = 0; i < p.n_slots; i++)
        for (int u = 0; u < p.unroll; u++)
            p.partial[i][u] = identity(l, p.ops[i], loops_slot_type(l, p.slots[i]), p.lanes);

    EmitValue zero = emit_index(l->e, 0), none = {NULL};
    if (known) {
        int64_t turns = n / turn, at = turns * turn;
        EmitValue hi = emit_index(l->e, at);
        if (turns == 1)
            some_vectors(l, s, &p, zero, p.unroll, none);
        else if (turns > 1)
            vector_loop(l, s, (Turn){&p, p.unroll, none}, zero, hi, turn);
        int left = (int)((n - at) / whole), rest = masks ? (int)((n - at) % whole) : 0;
        EmitValue mask = rest ? emit_const_mask(l->e, p.lanes, rest) : none;
        if (left + (rest > 0)) some_vectors(l, s, &p, hi, left + (rest > 0), mask);
        at = masks ? n : at + left * whole;
        combine_partials(l, &p);
        if (n > at) {
            EmitValue from = emit_index(l->e, at), to = emit_index(l->e, n), step = emit_index(l->e, 1);
            loops_counted(l, s, from, to, step, scalar_turn, NULL);
        }
    } else {
        EmitValue end = eval_scalar(l->v, s->extent);
        EmitValue low = emit_index(l->e, ~(turn - 1)), low_one = emit_index(l->e, ~(whole - 1));
        EmitValue hi = emit_binary(l->e, EMIT_AND, end, low), hi_one = emit_binary(l->e, EMIT_AND, end, low_one);
        EmitValue lo = zero;
        if (p.unroll > 1) {
            vector_loop(l, s, (Turn){&p, p.unroll, none}, zero, hi, turn);
            lo = emit_binary(l->e, EMIT_SMAX, hi, zero);
        }
        vector_loop(l, s, (Turn){&p, 1, none}, lo, hi_one, whole);
        EmitValue rest = emit_binary(l->e, EMIT_SMAX, hi_one, zero);
        if (masks) vector_loop(l, s, (Turn){&p, 1, end}, rest, end, whole); /* at most one turn */
        combine_partials(l, &p);
        if (!masks) {
            EmitValue step = emit_index(l->e, 1);
            loops_counted(l, s, rest, end, step, scalar_turn, NULL);
        }
    }
    return true;
}
