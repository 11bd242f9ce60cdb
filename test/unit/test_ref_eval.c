/* The reference evaluator against values computed by hand: one op a test, through ref_eval_node and whole graphs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ref/ref.h"

typedef struct {
    Arena *arena;
    Diag d;
} Fixture;

static Fixture start(void) {
    Fixture f = {.arena = arena_new()};
    diag_init(&f.d, f.arena, NULL);
    return f;
}

static Tensor tensor_f32(Arena *a, int rank, const int64_t *dims, const float *values) {
    Tensor t = tensor_new(a, DTYPE_F32, rank, dims);
    memcpy((void *)(uintptr_t)t.data, values, tensor_bytes(&t));
    return t;
}

/* A graph of one scalar op on two constant-shaped f32 or s32 vectors of 4. */
static Graph *binary_graph(Fixture *f, OpId op, DType t) {
    Graph *g = graph_new(f->arena, "g");
    const Shape s = shape_of(1, (int64_t[]){4});
    const ValueId a = graph_add_param(g, g->root, t, &s, "a");
    const ValueId b = graph_add_param(g, g->root, t, &s, "b");
    const ValueId y = build_binary(g, g->root, op, a, b, "y", &f->d);
    assert_true(y.i != 0);
    vec_push(f->arena, &region_at(g, g->root)->results, y);
    vec_push(f->arena, &g->inputs, (Port){"a", "a:0", t, 0, 0});
    vec_push(f->arena, &g->inputs, (Port){"b", "b:0", t, 0, 0});
    return g;
}

static bool run_binary(Fixture *f, OpId op, DType t, const Tensor *inputs, Tensor *out) {
    Graph *g = binary_graph(f, op, t);
    RefSession *s = ref_open(g);
    const bool good = ref_run(s, inputs, out, f->arena, &f->d);
    ref_close(s);
    return good;
}

static void test_integer_division(void **state) {
    (void)state;
    Fixture f = start();
    const Tensor in[2] = {tensor_ints(f.arena, DTYPE_S32, 4, (int64_t[]){7, -7, 7, -7}),
                          tensor_ints(f.arena, DTYPE_S32, 4, (int64_t[]){2, 2, -2, -2})};
    static const struct {
        OpId op;
        int64_t want[4];
    } rows[] = {{OP_DIV, {3, -3, -3, 3}},
                {OP_FLOORDIV, {3, -4, -4, 3}},
                {OP_FLOORMOD, {1, 1, -1, -1}},
                {OP_TRUNCMOD, {1, -1, 1, -1}}};
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        Tensor out;
        assert_true(run_binary(&f, rows[r].op, DTYPE_S32, in, &out));
        for (int i = 0; i < 4; i++) assert_int_equal(tensor_get_i64(&out, i), rows[r].want[i]);
    }
    arena_free(f.arena);
}

static void test_division_by_zero_is_reported(void **state) {
    (void)state;
    Fixture f = start();
    const Tensor in[2] = {tensor_ints(f.arena, DTYPE_S32, 4, (int64_t[]){7, 7, 7, 7}),
                          tensor_ints(f.arena, DTYPE_S32, 4, (int64_t[]){2, 2, 0, 2})};
    Tensor out;
    assert_false(run_binary(&f, OP_FLOORDIV, DTYPE_S32, in, &out));
    assert_int_equal(f.d.n_errors, 1);
    arena_free(f.arena);
}

static void test_maximum_keeps_nan(void **state) {
    (void)state;
    Fixture f = start();
    const Tensor in[2] = {tensor_f32(f.arena, 1, (int64_t[]){4}, (float[]){NAN, 1, -0.0f, 3}),
                          tensor_f32(f.arena, 1, (int64_t[]){4}, (float[]){1, NAN, 2, -INFINITY})};
    Tensor out;
    assert_true(run_binary(&f, OP_MAX, DTYPE_F32, in, &out));
    assert_true(isnan(tensor_get_f64(&out, 0)) && isnan(tensor_get_f64(&out, 1)));
    assert_true(tensor_get_f64(&out, 2) == 2 && tensor_get_f64(&out, 3) == 3);
    arena_free(f.arena);
}

static void test_wrong_input_shape_is_reported(void **state) {
    (void)state;
    Fixture f = start();
    const Tensor in[2] = {tensor_f32(f.arena, 1, (int64_t[]){3}, (float[]){1, 2, 3}),
                          tensor_f32(f.arena, 1, (int64_t[]){4}, (float[]){1, 2, 3, 4})};
    Tensor out;
    assert_false(run_binary(&f, OP_ADD, DTYPE_F32, in, &out));
    assert_true(f.d.n_errors > 0);
    arena_free(f.arena);
}

static void test_exact_mode_computes_in_f64(void **state) {
    (void)state;
    Fixture f = start();
    Graph *g = binary_graph(&f, OP_ADD, DTYPE_F32);
    const Tensor in[2] = {tensor_f32(f.arena, 1, (int64_t[]){4}, (float[]){1e8f, 1, 0.1f, INFINITY}),
                          tensor_f32(f.arena, 1, (int64_t[]){4}, (float[]){1, 0x1p-40f, 0.2f, 1})};
    Tensor plain, exact;
    RefSession *s = ref_open(g);
    assert_true(ref_run(s, in, &plain, f.arena, &f.d));
    ref_set_exact(s, true);
    assert_true(ref_run(s, in, &exact, f.arena, &f.d));
    ref_close(s);
    assert_int_equal(plain.dtype, DTYPE_F32);
    assert_int_equal(exact.dtype, DTYPE_F64);
    assert_true(tensor_get_f64(&plain, 0) == 1e8 && tensor_get_f64(&exact, 0) == 1e8 + 1);
    assert_true(tensor_get_f64(&plain, 1) == 1 && tensor_get_f64(&exact, 1) == 1 + 0x1p-40);
    assert_true(tensor_get_f64(&exact, 2) == (double)0.1f + (double)0.2f && isinf(tensor_get_f64(&exact, 3)));
    arena_free(f.arena);
}

/* x*2 while the counter is below 20000: blocks are used again, so this needs the memory of two iterations. */
static void test_long_loop_in_bounded_memory(void **state) {
    (void)state;
    Fixture f = start();
    Graph *g = graph_new(f.arena, "g");
    const Shape scalar = shape_scalar(), vector = shape_of(1, (int64_t[]){4096});
    const ValueId n = graph_add_param(g, g->root, DTYPE_S32, &scalar, "n");
    const ValueId x = graph_add_param(g, g->root, DTYPE_F32, &vector, "x");
    const RegionId cond = graph_add_region(g, (NodeId){0}), body = graph_add_region(g, (NodeId){0});
    const ValueId cn = graph_add_param(g, cond, DTYPE_S32, &scalar, "n");
    graph_add_param(g, cond, DTYPE_F32, &vector, "x");
    const ValueId limit = build_scalar_const(g, cond, DTYPE_S32, 20000);
    const ValueId less = build_binary(g, cond, OP_LT, cn, limit, "less", &f.d);
    vec_push(f.arena, &region_at(g, cond)->results, less);
    const ValueId bn = graph_add_param(g, body, DTYPE_S32, &scalar, "n"),
                  bx = graph_add_param(g, body, DTYPE_F32, &vector, "x");
    const ValueId one = build_scalar_const(g, body, DTYPE_S32, 1), step = build_scalar_const(g, body, DTYPE_F32, 0.5);
    const ValueId next = build_binary(g, body, OP_ADD, bn, one, "next", &f.d),
                  sum = build_binary(g, body, OP_ADD, bx, step, "sum", &f.d);
    vec_push(f.arena, &region_at(g, body)->results, next);
    vec_push(f.arena, &region_at(g, body)->results, sum);
    const NodeSpec spec = {.op = OP_WHILE,
                           .name = "loop",
                           .inputs = (ValueId[]){n, x},
                           .n_inputs = 2,
                           .n_outputs = 2,
                           .regions = (RegionId[]){cond, body},
                           .n_regions = 2};
    const NodeId loop = graph_add(g, g->root, &spec, &f.d);
    assert_true(loop.i != 0);
    vec_push(f.arena, &region_at(g, g->root)->results, node_at(g, loop)->outputs[1]);
    Tensor in[2] = {tensor_scalar_i64(f.arena, DTYPE_S32, 0), tensor_new(f.arena, DTYPE_F32, 1, (int64_t[]){4096})},
           out;
    RefSession *s = ref_open(g);
    assert_true(ref_run(s, in, &out, f.arena, &f.d));
    assert_true(tensor_get_f64(&out, 4095) == 10000.0);
    ref_close(s);
    arena_free(f.arena);
}

/* As TensorFlow's executors: denormal operands and results are zero. */
static void test_denormals_are_flushed(void **state) {
    (void)state;
    Fixture f = start();
    const float a[4] = {0x1p-130f, 0x1p-100f, 0x1p-130f, -0x1p-130f}, b[4] = {0x1p100f, 0x1p-40f, 1, -1};
    const Tensor in[2] = {{.dtype = DTYPE_F32, .rank = 1, .dims = {4}, .data = a},
                          {.dtype = DTYPE_F32, .rank = 1, .dims = {4}, .data = b}};
    Tensor out;
    assert_true(run_binary(&f, OP_MUL, DTYPE_F32, in, &out));
    for (int i = 0; i < 4; i++) assert_true(tensor_get_f64(&out, i) == 0);
    volatile float tiny = 0x1p-130f;
    assert_true(tiny * 2 == 0x1p-129f);
    arena_free(f.arena);
}

/* Batches that do not fit are an error even where there is no matrix to multiply. */
static void test_batches_of_no_matrices(void **state) {
    (void)state;
    static const char text[] = "graph \"g\" {\n  dim n 0..\n  %1 = param : f32[n,0,6,1] ; \"a\"\n"
                               "  %2 = param : f32[2,0,1,9] ; \"b\"\n"
                               "  %3 = matmul %1, %2 {transpose_a=0, transpose_b=0} : f32[2,0,6,9]\n  return %3\n"
                               "  input \"a\" \"a:0\"\n  input \"b\" \"b:0\"\n  output \"y\" \"y:0\"\n}\n";
    for (int64_t n = 1; n <= 3; n++) {
        Fixture f = start();
        Graph *g = graph_parse(f.arena, text, &f.d);
        assert_non_null(g);
        const Tensor in[2] = {tensor_new(f.arena, DTYPE_F32, 4, (int64_t[]){n, 0, 6, 1}),
                              tensor_new(f.arena, DTYPE_F32, 4, (int64_t[]){2, 0, 1, 9})};
        Tensor out;
        RefSession *s = ref_open(g);
        assert_int_equal(ref_run(s, in, &out, f.arena, &f.d), n <= 2);
        ref_close(s);
        arena_free(f.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_of_no_matrices),        cmocka_unit_test(test_integer_division),
        cmocka_unit_test(test_division_by_zero_is_reported),  cmocka_unit_test(test_maximum_keeps_nan),
        cmocka_unit_test(test_wrong_input_shape_is_reported), cmocka_unit_test(test_exact_mode_computes_in_f64),
        cmocka_unit_test(test_long_loop_in_bounded_memory),   cmocka_unit_test(test_denormals_are_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
