/* expr: builders of kernel expressions. Equal expressions are one entry of the kernel's table (open addressing over a
   hash of the bytes), so that sharing is found while building and equal kernels have equal tables. Index arithmetic
   (S64) is folded as it is made: constants to the right, sums and products of constants joined, neutral elements
   dropped, and (x/c)*c + x%c becomes x again, which is what reshapes inside a group leave behind. Folding of other
   types is limited to what cannot change a bit. */
#include "kern/kern.h"
#include <string.h>

static const Expr *at(const Kernel *k, ExprId x) {
    return &k->exprs.data[x.i];
}
static bool same(ExprId a, ExprId b) {
    return a.i == b.i;
}

/* Copies field by field into zeroed memory: padding must not reach the hash. */
static void copy_clean(Expr *to, const Expr *e) {
    memset(to, 0, sizeof *to);
    to->kind = e->kind;
    to->dtype = e->dtype;
    to->op = e->op;
    to->ref = e->ref;
    for (int i = 0; i < 3; i++) to->args[i].i = e->args[i].i;
    to->f = e->f;
    to->i = e->i;
    to->dim.expr = e->dim.expr;
    to->dim.value = e->dim.value;
}

static void rehash(Arena *a, Kernel *k) {
    k->n_cons = k->n_cons ? k->n_cons * 2 : 64;
    k->cons = NEW_ARRAY(a, uint32_t, k->n_cons);
    for (uint32_t i = 1; i < k->exprs.len; i++) {
        uint32_t slot = (uint32_t)hash_bytes(HASH_SEED, &k->exprs.data[i], sizeof(Expr)) & (k->n_cons - 1);
        while (k->cons[slot]) slot = (slot + 1) & (k->n_cons - 1);
        k->cons[slot] = i;
    }
}

ExprId expr_add(Arena *a, Kernel *k, Expr e) {
    Expr clean;
    copy_clean(&clean, &e);
    if (k->exprs.len == 0) {
        Expr none;
        memset(&none, 0, sizeof none);
        vec_push(a, &k->exprs, none);
    }
    if ((k->exprs.len + 1) * 2 > k->n_cons) rehash(a, k);
    uint32_t slot = (uint32_t)hash_bytes(HASH_SEED, &clean, sizeof clean) & (k->n_cons - 1);
    for (; k->cons[slot]; slot = (slot + 1) & (k->n_cons - 1))
        if (memcmp(&k->exprs.data[k->cons[slot]], &clean, sizeof clean) == 0) return (ExprId){k->cons[slot]};
    k->cons[slot] = k->exprs.len;
    vec_push(a, &k->exprs, clean);
    memcpy(&k->exprs.data[k->exprs.len - 1], &clean, sizeof clean);
    return (ExprId){k->exprs.len - 1};
}

ExprId expr_float(Arena *a, Kernel *k, DType t, double v) {
    CHECK(dtype_is_float(t));
    return expr_add(a, k, (Expr){.kind = EXPR_CONST, .dtype = t, .f = v});
}

ExprId expr_int(Arena *a, Kernel *k, DType t, int64_t v) {
    return expr_add(a, k, (Expr){.kind = EXPR_CONST, .dtype = t, .i = v});
}

ExprId expr_var(Arena *a, Kernel *k, uint32_t var) {
    if (var >= k->n_vars) k->n_vars = var + 1;
    return expr_add(a, k, (Expr){.kind = EXPR_VAR, .dtype = DTYPE_S64, .ref = var});
}

ExprId expr_dim(Arena *a, Kernel *k, Dim d) {
    if (dim_is_const(d)) return expr_int(a, k, DTYPE_S64, d.value);
    return expr_add(a, k, (Expr){.kind = EXPR_DIM, .dtype = DTYPE_S64, .dim = d});
}

ExprId expr_load(Arena *a, Kernel *k, uint32_t param, ExprId index) {
    CHECK(param < k->params.len);
    return expr_add(a, k,
                    (Expr){.kind = EXPR_LOAD, .dtype = k->params.data[param].dtype, .ref = param, .args = {index}});
}

ExprId expr_load_if(Arena *a, Kernel *k, uint32_t param, ExprId index, ExprId pred, ExprId otherwise) {
    CHECK(param < k->params.len);
    if (pred.i == 0) return expr_load(a, k, param, index);
    const Expr *p = at(k, pred);
    if (p->kind == EXPR_CONST) return p->i ? expr_load(a, k, param, index) : otherwise;
    return expr_add(
        a, k,
        (Expr){
            .kind = EXPR_LOAD, .dtype = k->params.data[param].dtype, .ref = param, .args = {index, pred, otherwise}});
}

ExprId expr_acc(Arena *a, Kernel *k, uint32_t acc) {
    CHECK(acc < k->n_accs);
    return expr_add(a, k, (Expr){.kind = EXPR_ACC, .dtype = k->acc_types[acc], .ref = acc});
}

/* ---- folding of index arithmetic */

static bool is_const(const Kernel *k, ExprId x) {
    return x.i && at(k, x)->kind == EXPR_CONST;
}
static bool is_int(const Kernel *k, ExprId x, int64_t v) {
    return is_const(k, x) && at(k, x)->i == v;
}
static bool is_op(const Kernel *k, ExprId x, OpId op) {
    return at(k, x)->kind == EXPR_SCALAR && at(k, x)->op == op;
}

static int64_t floor_div(int64_t x, int64_t y) {
    return x / y - (x % y != 0 && (x % y < 0) != (y < 0));
}

/* Two constants; false where the result is not defined or does not fit. */
static bool fold_s64(OpId op, int64_t x, int64_t y, int64_t *r) {
    switch (op) { /* the few ops that index arithmetic has */
    case OP_ADD:
        return !__builtin_add_overflow(x, y, r);
    case OP_SUB:
        return !__builtin_sub_overflow(x, y, r);
    case OP_MUL:
        return !__builtin_mul_overflow(x, y, r);
    case OP_MAX:
        *r = x > y ? x : y;
        return true;
    case OP_MIN:
        *r = x < y ? x : y;
        return true;
    case OP_EQ:
        *r = x == y;
        return true;
    case OP_NE:
        *r = x != y;
        return true;
    case OP_LT:
        *r = x < y;
        return true;
    case OP_LE:
        *r = x <= y;
        return true;
    case OP_GT:
        *r = x > y;
        return true;
    case OP_GE:
        *r = x >= y;
        return true;
    default:
        break;
    }
    if (y == 0 || (y == -1 && x == INT64_MIN)) return false;
    if (op == OP_FLOORDIV)
        *r = floor_div(x, y);
    else if (op == OP_FLOORMOD)
        *r = x - floor_div(x, y) * y;
    else
        return false;
    return true;
}

static ExprId make(Arena *a, Kernel *k, OpId op, DType t, ExprId x, ExprId y, ExprId z) {
    return expr_add(a, k, (Expr){.kind = EXPR_SCALAR, .dtype = t, .op = op, .args = {x, y, z}});
}

/* x is (v/c)*c' and y is v%c with c == c' (times a common factor m: v/c*(c*m) + (v%c)*m = v*m). */
static bool join_division(Arena *a, Kernel *k, ExprId x, ExprId y, ExprId *out) {
    int64_t m = 1;
    if (is_op(k, y, OP_MUL) && is_const(k, at(k, y)->args[1])) {
        m = at(k, at(k, y)->args[1])->i;
        y = at(k, y)->args[0];
    }
    if (!is_op(k, x, OP_MUL) || !is_op(k, y, OP_FLOORMOD)) return false;
    ExprId quotient = at(k, x)->args[0], factor = at(k, x)->args[1], v = at(k, y)->args[0], c = at(k, y)->args[1];
    if (!is_op(k, quotient, OP_FLOORDIV) || !same(at(k, quotient)->args[0], v) || !same(at(k, quotient)->args[1], c))
        return false;
    int64_t wide;
    if (is_const(k, c)) {
        if (!is_const(k, factor) || __builtin_mul_overflow(at(k, c)->i, m, &wide) || at(k, factor)->i != wide)
            return false;
    } else if (m != 1 || !same(c, factor)) {
        return false;
    }
    ExprId factor_m = expr_int(a, k, DTYPE_S64, m);
    *out = expr_scalar(a, k, OP_MUL, DTYPE_S64, v, factor_m, (ExprId){0});
    return true;
}

static ExprId fold_add(Arena *a, Kernel *k, ExprId x, ExprId y) {
    if (is_const(k, x)) {
        ExprId t = x;
        x = y;
        y = t;
    }
    if (is_int(k, y, 0)) return x;
    int64_t sum;
    if (is_const(k, y) && is_op(k, x, OP_ADD) && is_const(k, at(k, x)->args[1]) &&
        !__builtin_add_overflow(at(k, at(k, x)->args[1])->i, at(k, y)->i, &sum)) {
        ExprId inner = at(k, x)->args[0], constant = expr_int(a, k, DTYPE_S64, sum);
        return fold_add(a, k, inner, constant);
    }
    if (!is_const(k, y) && is_op(k, x, OP_ADD) && is_const(k, at(k, x)->args[1])) { /* (x+c)+y = (x+y)+c */
        ExprId constant = at(k, x)->args[1], inner = fold_add(a, k, at(k, x)->args[0], y);
        return fold_add(a, k, inner, constant);
    }
    if (is_op(k, y, OP_ADD) && is_const(k, at(k, y)->args[1])) {
        ExprId constant = at(k, y)->args[1], inner = fold_add(a, k, x, at(k, y)->args[0]);
        return fold_add(a, k, inner, constant);
    }
    ExprId joined;
    if (join_division(a, k, x, y, &joined) || join_division(a, k, y, x, &joined)) return joined;
    if (is_op(k, x, OP_ADD)) { /* (z + q*c) + r: look one step into the sum */
        ExprId z = at(k, x)->args[0], q = at(k, x)->args[1];
        if (join_division(a, k, q, y, &joined)) return fold_add(a, k, z, joined);
    }
    return make(a, k, OP_ADD, DTYPE_S64, x, y, (ExprId){0});
}

static ExprId fold_mul(Arena *a, Kernel *k, ExprId x, ExprId y) {
    if (is_const(k, x)) {
        ExprId t = x;
        x = y;
        y = t;
    }
    if (is_int(k, y, 0)) return y;
    if (is_int(k, y, 1)) return x;
    int64_t product;
    if (is_const(k, y) && is_op(k, x, OP_MUL) && is_const(k, at(k, x)->args[1]) &&
        !__builtin_mul_overflow(at(k, at(k, x)->args[1])->i, at(k, y)->i, &product)) {
        ExprId inner = at(k, x)->args[0], constant = expr_int(a, k, DTYPE_S64, product);
        return fold_mul(a, k, inner, constant);
    }
    if (is_const(k, y) &&
        is_op(k, x, OP_ADD)) { /* products of sums spread out: affine indexes become sums of products */
        ExprId left = fold_mul(a, k, at(k, x)->args[0], y);
        ExprId right = fold_mul(a, k, at(k, x)->args[1], y);
        return fold_add(a, k, left, right);
    }
    return make(a, k, OP_MUL, DTYPE_S64, x, y, (ExprId){0});
}

static ExprId fold_bool(Arena *a, Kernel *k, OpId op, ExprId x, ExprId y) {
    bool neutral = op == OP_AND;
    if (is_const(k, x)) return (at(k, x)->i != 0) == neutral ? y : x;
    if (is_const(k, y)) return (at(k, y)->i != 0) == neutral ? x : y;
    if (same(x, y)) return x;
    return make(a, k, op, DTYPE_BOOL, x, y, (ExprId){0});
}

static ExprId fold_s64_expr(Arena *a, Kernel *k, OpId op, DType result, ExprId x, ExprId y) {
    int64_t r;
    if (is_const(k, x) && is_const(k, y) && fold_s64(op, at(k, x)->i, at(k, y)->i, &r))
        return expr_int(a, k, result, r);
    if (op == OP_ADD) return fold_add(a, k, x, y);
    if (op == OP_MUL) return fold_mul(a, k, x, y);
    if (op == OP_SUB) {
        if (same(x, y)) return expr_int(a, k, DTYPE_S64, 0);
        if (is_const(k, y) && at(k, y)->i != INT64_MIN) {
            ExprId negative = expr_int(a, k, DTYPE_S64, -at(k, y)->i);
            return fold_add(a, k, x, negative);
        }
    }
    if (op == OP_FLOORDIV && is_int(k, y, 1)) return x;
    if (op == OP_FLOORMOD && is_int(k, y, 1)) return expr_int(a, k, DTYPE_S64, 0);
    if ((op == OP_MIN || op == OP_MAX) && same(x, y)) return x;
    return make(a, k, op, result, x, y, (ExprId){0});
}

ExprId expr_scalar(Arena *a, Kernel *k, OpId op, DType result, ExprId x, ExprId y, ExprId z) {
    CHECK(x.i != 0);
    DType operand = at(k, x)->dtype;
    if (op == OP_CAST && operand == result) return x;
    if (op == OP_BITCAST && operand == result) return x;
    if (op == OP_SELECT) {
        if (same(y, z)) return y;
        if (is_const(k, x)) return at(k, x)->i ? y : z;
        return make(a, k, op, result, x, y, z);
    }
    if (operand == DTYPE_BOOL && (op == OP_AND || op == OP_OR)) return fold_bool(a, k, op, x, y);
    if (operand == DTYPE_BOOL && op == OP_NOT && is_const(k, x)) return expr_int(a, k, DTYPE_BOOL, at(k, x)->i == 0);
    if (operand == DTYPE_S64 && y.i && z.i == 0) return fold_s64_expr(a, k, op, result, x, y);
    return make(a, k, op, result, x, y, z);
}
