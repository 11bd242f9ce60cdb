/* dims: values of the dim slots. Arithmetic saturates: sizes come from callers and from data, and a saturated size
 * fails to allocate. */
#include "core/core.h"

int64_t core_mul(int64_t a, int64_t b) {
    int64_t r;
    if (!__builtin_mul_overflow(a, b, &r)) return r;
    return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}

static int64_t add(int64_t a, int64_t b) {
    int64_t r;
    if (!__builtin_add_overflow(a, b, &r)) return r;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t floor_divide(int64_t a, int64_t b) {
    if (b == 0) return 0; /* the compiler never makes it; symbols not yet set are 0 */
    if (b == -1) return a == INT64_MIN ? INT64_MAX : -a;
    int64_t q = a / b;
    return q - (a % b != 0 && (a % b < 0) != (b < 0));
}

static int64_t floor_modulo(int64_t a, int64_t b) {
    if (b == 0 || b == -1) return 0;
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t evaluate(const TfoptSession *s, const TfoptDimExpr *e) {
    int64_t a = e->a_is_slot ? s->dims[e->a] : e->a;
    int64_t b = e->b_is_slot ? s->dims[e->b] : e->b;
    switch ((TfoptDimOp)e->op) {
    case TFOPT_DIM_ADD:
        return add(a, b);
    case TFOPT_DIM_MUL:
        return core_mul(a, b);
    case TFOPT_DIM_FLOORDIV:
        return floor_divide(a, b);
    case TFOPT_DIM_MOD:
        return floor_modulo(a, b);
    case TFOPT_DIM_MIN:
        return a < b ? a : b;
    case TFOPT_DIM_MAX:
        return a > b ? a : b;
    case TFOPT_DIM_BROADCAST:
        return a == 1 ? b : a;
    }
    return 0;
}

void core_eval_dims(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t i = 0; i < p->n_dim_exprs; i++) s->dims[p->n_symbols + i] = evaluate(s, &p->dim_exprs[i]);
}

void core_eval_dynamic_dims(TfoptSession *s) {
    const TfoptProgram *p = s->program;
    for (uint32_t i = 0; i < s->n_dynamic_exprs; i++) {
        uint32_t e = s->dynamic_exprs[i];
        s->dims[p->n_symbols + e] = evaluate(s, &p->dim_exprs[e]);
    }
}

bool core_dim_is_dynamic(const TfoptSession *s, TfoptDimRef ref) {
    return ref < 0 && s->dynamic_slots[~ref];
}
