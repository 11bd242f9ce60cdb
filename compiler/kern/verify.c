/* verify: what code generators and the runtime may rely on in a Program. A violation is our mistake: BUG with the
 * kernel or step. */
#include "kern/kern.h"

typedef struct {
    const Program *p;
    const Kernel *k;
    bool *var_open; /* per variable: inside its loop */
    bool *acc_set;
} Verify;

#define REQUIRE(v, condition) ((condition) ? (void)0 : BUG("kernel %s: %s does not hold", (v)->k->name, #condition))

static const Expr *expr_of(const Verify *v, ExprId x) {
    REQUIRE(v, x.i < v->k->exprs.len);
    return &v->k->exprs.data[x.i];
}

static void verify_expr(const Verify *v, uint32_t id) {
    const Kernel *k = v->k;
    const Expr *e = &k->exprs.data[id];
    for (int i = 0; i < 3; i++) REQUIRE(v, e->args[i].i < id); /* made before: no cycles */
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_DIM:
        break;
    case EXPR_VAR:
        REQUIRE(v, e->ref < k->n_vars);
        break;
    case EXPR_ACC:
        REQUIRE(v, e->ref < k->n_accs && e->dtype == k->acc_types[e->ref]);
        break;
    case EXPR_LOAD:
        REQUIRE(v, e->ref < k->params.len && e->dtype == k->params.data[e->ref].dtype);
        REQUIRE(v, e->args[0].i && expr_of(v, e->args[0])->dtype == DTYPE_S64);
        REQUIRE(v, (e->args[1].i == 0) == (e->args[2].i == 0));
        if (e->args[1].i)
            REQUIRE(v, expr_of(v, e->args[1])->dtype == DTYPE_BOOL && expr_of(v, e->args[2])->dtype == e->dtype);
        break;
    case EXPR_SCALAR: {
        const OpInfo *info = op_info(e->op);
        REQUIRE(v, info->flags & OP_FLAG_EWISE);
        int n = 0;
        while (n < 3 && e->args[n].i) n++;
        REQUIRE(v, n == info->min_inputs);
        if (e->op == OP_SELECT)
            REQUIRE(v, expr_of(v, e->args[0])->dtype == DTYPE_BOOL && expr_of(v, e->args[1])->dtype == e->dtype &&
                           expr_of(v, e->args[2])->dtype == e->dtype);
        else if (n == 2)
            REQUIRE(v, expr_of(v, e->args[0])->dtype == expr_of(v, e->args[1])->dtype);
        if (info->result_is_bool) REQUIRE(v, e->dtype == DTYPE_BOOL);
        break;
    }
    }
}

static bool is_output(const Verify *v, uint32_t param) {
    return param < v->k->params.len && v->k->params.data[param].kind != PARAM_IN;
}

/* Variables that an expression reads must be open where a statement uses it. */
static void verify_scope(const Verify *v, ExprId x, bool *seen) {
    if (x.i == 0 || seen[x.i]) return;
    seen[x.i] = true;
    const Expr *e = expr_of(v, x);
    if (e->kind == EXPR_VAR) REQUIRE(v, v->var_open[e->ref]);
    if (e->kind == EXPR_ACC) REQUIRE(v, v->acc_set[e->ref]);
    for (int i = 0; i < 3; i++) verify_scope(v, e->args[i], seen);
}

static void verify_body(const Verify *v, const Stmt *s, bool in_vector, Arena *scratch) {
    for (; s; s = s->next) {
        bool *seen = NEW_ARRAY(scratch, bool, v->k->exprs.len);
        verify_scope(v, s->extent, seen);
        verify_scope(v, s->index, seen);
        verify_scope(v, s->value, seen);
        verify_scope(v, s->pred, seen);
        if (s->pred.i) REQUIRE(v, expr_of(v, s->pred)->dtype == DTYPE_BOOL);
        switch (s->kind) {
        case STMT_FOR:
            REQUIRE(v, s->ref > 0 && s->ref < v->k->n_vars && !v->var_open[s->ref]);
            REQUIRE(v, s->extent.i && expr_of(v, s->extent)->dtype == DTYPE_S64);
            REQUIRE(v, !(in_vector && s->mode == FOR_VECTOR));
            v->var_open[s->ref] = true;
            verify_body(v, s->body, in_vector || s->mode == FOR_VECTOR, scratch);
            v->var_open[s->ref] = false;
            break;
        case STMT_STORE:
            REQUIRE(v, is_output(v, s->ref) && s->index.i && s->value.i);
            REQUIRE(v, expr_of(v, s->index)->dtype == DTYPE_S64 &&
                           expr_of(v, s->value)->dtype == v->k->params.data[s->ref].dtype);
            break;
        case STMT_ACC:
            REQUIRE(v, s->ref < v->k->n_accs && s->value.i && expr_of(v, s->value)->dtype == v->k->acc_types[s->ref]);
            v->acc_set[s->ref] = true;
            break;
        case STMT_UPDATE:
            REQUIRE(v, s->ref < v->k->n_accs && v->acc_set[s->ref] && s->value.i &&
                           expr_of(v, s->value)->dtype == v->k->acc_types[s->ref]);
            REQUIRE(v, s->op == OP_ADD || s->op == OP_MUL || s->op == OP_MAX || s->op == OP_MIN || s->op == OP_AND ||
                           s->op == OP_OR || (s->op == OP_SELECT && s->pred.i));
            break;
        case STMT_FAIL:
            REQUIRE(v, s->pred.i);
            break;
        }
    }
}

static void verify_kernel(const Program *p, const Kernel *k, Arena *scratch) {
    Verify v = {p, k, NEW_ARRAY(scratch, bool, k->n_vars + 4), NEW_ARRAY(scratch, bool, k->n_accs + 1)};
    for (uint32_t i = 1; i < k->exprs.len; i++) verify_expr(&v, i);
    int64_t stack = 0;
    bool local = false;
    for (uint32_t i = 0; i < k->params.len; i++) {
        const Param *param = &k->params.data[i];
        REQUIRE(&v, !local || param->kind == PARAM_LOCAL); /* locals come last */
        if (param->kind != PARAM_LOCAL) continue;
        local = true;
        REQUIRE(&v, dim_is_const(param->elements) && param->elements.value >= 0 && param->elements.value <= 65536);
        stack += param->elements.value * (int64_t)dtype_size(param->dtype);
    }
    REQUIRE(&v, stack <= 65536);
    v.var_open[VAR_UNIT] = true;
    if (k->kind == KERNEL_LOOPS) {
        verify_body(&v, k->body, false, scratch);
        return;
    }
    REQUIRE(&v, k->contraction && k->params.len >= 3 && k->epilogue.i && k->n_accs == 1);
    REQUIRE(&v, expr_of(&v, k->epilogue)->dtype == k->params.data[2].dtype);
    const Contraction *c = k->contraction;
    REQUIRE(&v, c->acc == k->acc_types[0] && c->a == k->params.data[0].dtype && c->b == k->params.data[1].dtype);
    REQUIRE(&v, c->tile_m > 0 && c->tile_n > 0 && c->unit_m >= 0 && c->unit_n >= 0);
    v.acc_set[0] = v.var_open[VAR_BATCH] = v.var_open[VAR_M] = v.var_open[VAR_N] = true;
    verify_scope(&v, k->epilogue, NEW_ARRAY(scratch, bool, k->exprs.len));
}

static void verify_step(const Program *p, const Step *s) {
    for (uint32_t i = 0; i < s->args.len; i++)
        if (s->args.data[i] >= p->buffers.len) BUG("step %s: no buffer %u", s->name, s->args.data[i]);
    for (uint32_t i = 0; i < s->sets.len; i++) CHECK(s->sets.data[i].symbol < p->g->dims.symbols.len);
    uint32_t n_blocks = s->kind == STEP_CASE ? s->b : 0;
    if (s->kind == STEP_IF || s->kind == STEP_WHILE)
        CHECK(s->a < p->blocks.len && s->b < p->blocks.len && s->a > 0 && s->b > 0);
    if (s->kind == STEP_CASE) CHECK(n_blocks > 0 && s->a > 0 && s->a + n_blocks <= p->blocks.len);
    if (s->kind == STEP_HOST) CHECK(s->host && s->n_in <= s->args.len);
    if (s->kind != STEP_KERNEL) return;
    CHECK(s->kernel < p->kernels.len);
    const Kernel *k = p->kernels.data[s->kernel];
    uint32_t passed = 0;
    while (passed < k->params.len && k->params.data[passed].kind != PARAM_LOCAL) passed++;
    if (passed != s->args.len)
        BUG("step %s passes %u buffers to %s, which takes %u", s->name, s->args.len, k->name, passed);
    for (uint32_t i = 0; i < passed; i++) {
        const Buffer *b = &p->buffers.data[s->args.data[i]];
        if (b->dtype != k->params.data[i].dtype)
            BUG("step %s: argument %u of %s is %s, not %s", s->name, i, k->name, dtype_info(b->dtype)->text,
                dtype_info(k->params.data[i].dtype)->text);
        if (b->kind == BUFFER_CONST && k->params.data[i].kind != PARAM_IN) BUG("step %s writes a constant", s->name);
    }
}

void program_verify(const Program *p) {
    Arena *scratch = arena_new();
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        const Buffer *b = &p->buffers.data[i];
        if (b->kind == BUFFER_VIEW)
            CHECK(b->index < p->buffers.len && b->index != i && p->buffers.data[b->index].kind != BUFFER_VIEW &&
                  b->offset >= 0);
        if (b->kind == BUFFER_CONST) CHECK(b->data != NULL);
    }
    for (uint32_t i = 0; i < p->kernels.len; i++) {
        verify_kernel(p, p->kernels.data[i], scratch);
        arena_reset(scratch);
    }
    for (uint32_t b = 0; b < p->blocks.len; b++)
        for (uint32_t i = 0; i < p->blocks.data[b].steps.len; i++) verify_step(p, &p->blocks.data[b].steps.data[i]);
    arena_free(scratch);
}
