/* Builders of kernel expressions: sharing, folding of index arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/kern.h"

typedef struct {
    Arena *arena;
    Kernel *k;
} Fixture;

static int setup(void **state) {
    Fixture *f = test_malloc(sizeof *f);
    f->arena = arena_new();
    f->k = NEW(f->arena, Kernel);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    Fixture *f = *state;
    arena_free(f->arena);
    test_free(f);
    return 0;
}

static ExprId constant(Fixture *f, int64_t v) {
    return expr_int(f->arena, f->k, DTYPE_S64, v);
}
static ExprId index_op(Fixture *f, OpId op, ExprId x, ExprId y) {
    return expr_scalar(f->arena, f->k, op, DTYPE_S64, x, y, (ExprId){0});
}
static bool is_constant(Fixture *f, ExprId x, int64_t v) {
    return f->k->exprs.data[x.i].kind == EXPR_CONST && f->k->exprs.data[x.i].i == v;
}

static void test_sharing(void **state) {
    Fixture *f = *state;
    ExprId v1 = expr_var(f->arena, f->k, 1), v2 = expr_var(f->arena, f->k, 2);
    assert_int_not_equal(v1.i, v2.i);
    assert_int_equal(v1.i, expr_var(f->arena, f->k, 1).i);
    ExprId sum = index_op(f, OP_ADD, v1, v2);
    assert_int_equal(sum.i, index_op(f, OP_ADD, v1, v2).i);
    for (int i = 0; i < 1000; i++) (void)constant(f, i * 7 + 3); /* the table grows */
    assert_int_equal(sum.i, index_op(f, OP_ADD, v1, v2).i);
    assert_int_equal(f->k->n_vars, 3);
}

static void test_folding(void **state) {
    Fixture *f = *state;
    ExprId x = expr_var(f->arena, f->k, 1), zero = constant(f, 0), one = constant(f, 1), seven = constant(f, 7),
           minus = constant(f, -3);
    assert_int_equal(index_op(f, OP_ADD, zero, x).i, x.i);
    assert_int_equal(index_op(f, OP_MUL, one, x).i, x.i);
    assert_true(is_constant(f, index_op(f, OP_MUL, x, zero), 0));
    assert_true(is_constant(f, index_op(f, OP_SUB, x, x), 0));
    assert_true(is_constant(f, index_op(f, OP_FLOORDIV, minus, seven), -1)); /* toward minus infinity */
    assert_true(is_constant(f, index_op(f, OP_FLOORMOD, minus, seven), 4));
    ExprId division = index_op(f, OP_FLOORDIV, seven, zero); /* left for the run, which never gets there */
    assert_int_equal(f->k->exprs.data[division.i].kind, EXPR_SCALAR);
    ExprId three = index_op(f, OP_ADD, index_op(f, OP_ADD, x, one), constant(f, 2)); /* (x+1)+2 = x+3 */
    assert_int_equal(three.i, index_op(f, OP_ADD, x, constant(f, 3)).i);
    ExprId spread = index_op(f, OP_MUL, index_op(f, OP_ADD, x, one), seven); /* (x+1)*7 = x*7+7 */
    ExprId scaled = index_op(f, OP_MUL, x, seven);
    assert_int_equal(spread.i, index_op(f, OP_ADD, scaled, seven).i);
    ExprId huge = constant(f, INT64_MAX);
    ExprId wrapped = index_op(f, OP_ADD, huge, one);
    assert_int_equal(f->k->exprs.data[wrapped.i].kind, EXPR_SCALAR); /* no overflow while compiling */
}

/* What reshapes leave behind: (x/7)*7 + x%7 = x, also with a common factor and as part of a sum. */
static void test_joined_division(void **state) {
    Fixture *f = *state;
    ExprId x = expr_var(f->arena, f->k, 1), y = expr_var(f->arena, f->k, 2), seven = constant(f, 7),
           twenty = constant(f, 20);
    ExprId quotient = index_op(f, OP_FLOORDIV, x, seven), rest = index_op(f, OP_FLOORMOD, x, seven);
    ExprId back = index_op(f, OP_MUL, quotient, seven);
    assert_int_equal(index_op(f, OP_ADD, back, rest).i, x.i);
    ExprId row = index_op(f, OP_MUL, quotient, constant(f, 140)), column = index_op(f, OP_MUL, rest, twenty);
    ExprId x20 = index_op(f, OP_MUL, x, twenty);
    assert_int_equal(index_op(f, OP_ADD, row, column).i, x20.i);
    ExprId y_row = index_op(f, OP_ADD, y, back);
    assert_int_equal(index_op(f, OP_ADD, y_row, rest).i, index_op(f, OP_ADD, y, x).i);
}

static void test_logic(void **state) {
    Fixture *f = *state;
    Arena *a = f->arena;
    ExprId yes = expr_int(a, f->k, DTYPE_BOOL, 1), no = expr_int(a, f->k, DTYPE_BOOL, 0), none = {0};
    ExprId x = expr_var(a, f->k, 1), test = expr_scalar(a, f->k, OP_LT, DTYPE_BOOL, x, constant(f, 4), none);
    assert_int_equal(expr_scalar(a, f->k, OP_AND, DTYPE_BOOL, yes, test, none).i, test.i);
    assert_int_equal(expr_scalar(a, f->k, OP_OR, DTYPE_BOOL, test, no, none).i, test.i);
    assert_int_equal(expr_scalar(a, f->k, OP_AND, DTYPE_BOOL, test, no, none).i, no.i);
    ExprId one = expr_float(a, f->k, DTYPE_F32, 1), two = expr_float(a, f->k, DTYPE_F32, 2);
    assert_int_equal(expr_scalar(a, f->k, OP_SELECT, DTYPE_F32, yes, one, two).i, one.i);
    assert_int_equal(expr_scalar(a, f->k, OP_SELECT, DTYPE_F32, test, two, two).i, two.i);
    ExprId sum = expr_scalar(a, f->k, OP_ADD, DTYPE_F32, one, expr_float(a, f->k, DTYPE_F32, 0), none);
    assert_int_equal(f->k->exprs.data[sum.i].kind, EXPR_SCALAR); /* float arithmetic is not touched */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sharing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joined_division, setup, teardown),
        cmocka_unit_test_setup_teardown(test_logic, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
