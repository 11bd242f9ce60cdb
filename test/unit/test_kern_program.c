/* Graphs to programs: what kernels look like, which values need no memory, no copy or no kernel, and how memory is
 * planned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/kern.h"
#include <string.h>

static Program *build(Arena *a, const char *text, Diag *d, int64_t max_memory) {
    Graph *g = graph_parse(a, text, d);
    if (!g) diag_print(d, stderr, DIAG_NOTE);
    assert_non_null(g);
    LowerOptions options = {.threads = 1, .max_memory = max_memory};
    return program_build(a, g, machine_find(NULL, "x86-64-v3"), NULL, &options, d);
}

static const char *text_of(Arena *a, const Program *p) {
    Str s;
    str_init(&s, a);
    program_print(p, &s);
    return str_text(&s);
}

static void expect_part(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("not found:\n%s\nin\n%s", part, text);
}

static Program *program(Arena *a, const char *text) {
    Diag d;
    diag_init(&d, a, "test");
    Program *p = build(a, text, &d, 0);
    assert_non_null(p);
    return p;
}

/* A bias along the last dim keeps two loops; without it all dims are one. */
static void test_loops_merge(void **state) {
    (void)state;
    Arena *a = arena_new();
    const char *text = text_of(
        a, program(a, "graph \"g\" {\n dim n 1..64\n %1 = param : f32[n,5,7]\n %2 = param : f32[7]\n"
                      " %3 = add %1, %2 : f32[n,5,7]\n %4 = neg %1 : f32[n,5,7]\n return %3, %4\n"
                      " input \"x\" \"x:0\"\n input \"y\" \"y:0\"\n output \"a\" \"a:0\"\n output \"b\" \"b:0\"\n}\n"));
    expect_part(text, "  for v2 in [n*5]\n    for v3 in 7 vector\n      p2[%6] = add.f32(p0[%6], p1[v3])\n");
    expect_part(text, "  for v3 in [n*35] vector\n    p1[v3] = neg.f32(p0[v3])\n");
    arena_free(a);
}

/* A group is one kernel: movement between element-wise ops is an index. */
static void test_moves_are_indexes(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p = program(a, "graph \"g\" {\n %1 = param : f32[4,6,8]\n %2 = exp %1 @1 : f32[4,6,8]\n"
                            " %3 = slice %2 {begin=[0,2,0], size=[4,3,8], strides=[1,1,1]} @1 : f32[4,3,8]\n"
                            " %4 = reshape %3 {shape=[12,8]} @1 : f32[12,8]\n %5 = neg %4 @1 : f32[12,8]\n return %5\n"
                            " input \"x\" \"x:0\"\n output \"a\" \"a:0\"\n}\n");
    assert_int_equal(p->kernels.len, 1);
    assert_int_equal(p->blocks.data[0].steps.len, 1);
    assert_int_equal(p->arena_bytes, 0);
    arena_free(a);
}

/* An epilogue sits in the contraction, which writes the output itself. */
static void test_epilogue(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p = program(a, "graph \"g\" {\n dim n 1..64\n %1 = param : f32[n,8,16]\n %4 = param : f32[32]\n %2 = "
                            "const splat 0x1p-1 : f32[16,32]\n"
                            " %3 = matmul %1, %2 {transpose_a=0, transpose_b=0} @1 : f32[n,8,32]\n"
                            " %5 = add %3, %4 @1 : f32[n,8,32]\n %6 = tanh %5 @1 : f32[n,8,32]\n return %6\n"
                            " input \"x\" \"x:0\"\n input \"b\" \"b:0\"\n output \"a\" \"a:0\"\n}\n");
    const char *text = text_of(a, p);
    assert_int_equal(p->blocks.data[0].steps.len, 1);
    expect_part(text, "gemm f32 x f32 -> f32 batch=1 m=n*8 n=32 k=16"); /* leading dims are rows */
    expect_part(text, "p2 = tanh.f32(add.f32(acc0, p3[v3]))");
    arena_free(a);
}

/* Kernels that are equal are one, steps share it; a chain works in place. */
static void test_dedup_and_in_place(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p = program(a, "graph \"g\" {\n %1 = param : f32[64]\n %2 = tanh %1 : f32[64]\n %3 = tanh %2 : f32[64]\n "
                            "%4 = tanh %3 : f32[64]\n"
                            " %5 = tanh %4 : f32[64]\n return %5\n input \"x\" \"x:0\"\n output \"a\" \"a:0\"\n}\n");
    assert_int_equal(p->blocks.data[0].steps.len, 4);
    assert_int_equal(p->kernels.len, 2); /* from one buffer to another, and in place */
    assert_true(p->is_static);
    assert_int_equal(p->arena_bytes, 256);
    assert_int_equal(p->arena_bound, 256);
    arena_free(a);
}

/* Joined tensors: runs and columns are written where they belong. */
static void test_concat_places_parts(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p = program(a, "graph \"g\" {\n %1 = param : f32[4,8]\n %2 = exp %1 : f32[4,8]\n %3 = neg %1 : f32[4,8]\n"
                            " %4 = concat %2, %3 {axis=1} : f32[4,16]\n %5 = tanh %4 : f32[4,16]\n %6 = sin %1 : "
                            "f32[4,8]\n %7 = cos %1 : f32[4,8]\n"
                            " %8 = concat %6, %7 {axis=0} : f32[8,8]\n return %5, %8\n"
                            " input \"x\" \"x:0\"\n output \"a\" \"a:0\"\n output \"b\" \"b:0\"\n}\n");
    const char *text = text_of(a, p);
    assert_int_equal(p->blocks.data[0].steps.len, 5); /* no copies */
    expect_part(text, "view f32[4,8] of b2 +128");    /* rows 4.. of the output */
    arena_free(a);
}

/* Results of the model that are inputs, constants or equal are copied; reshapes of them are views. */
static void test_outputs(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p =
        program(a, "graph \"g\" {\n %1 = param : f32[4]\n %2 = neg %1 : f32[4]\n %3 = reshape %2 {shape=[2,2]} : "
                   "f32[2,2]\n return %1, %2, %3\n"
                   " input \"x\" \"x:0\"\n output \"a\" \"a:0\"\n output \"b\" \"b:0\"\n output \"c\" \"c:0\"\n}\n");
    const char *text = text_of(a, p);
    expect_part(text, "copy(b1, b0)");
    expect_part(text, "kernel k0_neg(b0 -> b2)");
    arena_free(a);
}

/* Memory over the limit is refused with the tensor's name. */
static void test_memory_limit(void **state) {
    (void)state;
    Arena *a = arena_new();
    Diag d;
    diag_init(&d, a, "test");
    const char *text =
        "graph \"g\" {\n %1 = param : f32[4]\n %2 = broadcast %1 {shape=[1000000,4]} : f32[1000000,4] ; \"large\"\n"
        " %3 = reduce %2 {kind=\"sum\", axes=[0], keep=0} : f32[4]\n return %3\n input \"x\" \"x:0\"\n output \"a\" "
        "\"a:0\"\n}\n";
    assert_non_null(build(a, text, &d, 0));
    assert_null(build(a, text, &d, 1000));
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.entries.data[0].node, "large");
    arena_free(a);
}

/* Mirrored indexes use each other several times: chains of them stay linear in time and size. */
static void test_chain_of_mirrors(void **state) {
    (void)state;
    Arena *a = arena_new();
    enum { LENGTH = 40 };
    Str s;
    str_init(&s, a);
    str_add(&s, "graph \"g\" {\n %1 = param : f32[40]\n %2 = const {0x0p+0} : f32[]\n");
    for (int i = 0; i < LENGTH; i++)
        str_printf(&s, " %%%d = pad %%%d, %%2 {before=[1], after=[1], mode=\"reflect\"} @1 : f32[%d]\n", i + 3,
                   i == 0 ? 1 : i + 2, 42 + 2 * i);
    str_printf(&s, " return %%%d\n input \"x\" \"x:0\"\n output \"a\" \"a:0\"\n}\n", LENGTH + 2);
    Program *p = program(a, str_text(&s));
    assert_int_equal(p->kernels.len, 1);
    assert_true(p->kernels.data[0]->exprs.len < 20 * LENGTH);
    arena_free(a);
}

/* What a loop appends to, in a branch as well, and writes rows of is changed where it lies: no step of a turn copies
 * it. */
static const char *const growing =
    "graph \"g\" {\n dim s1 0..\n dim s2 0.. computed\n dim s3 0.. computed\n dim n 0..\n"
    " %1 = param : s32[]\n %2 = param : f32[4]\n %40 = param : f32[n,4]\n"
    " %3 = const {0} : s32[]\n %4 = const {} : f32[0,4]\n"
    " %5, %6, %7, %8, %41 = while %3, %4, %1, %2, %40 : s32[], f32[s3,4], s32[], f32[4], f32[n,4]\n {\n"
    "  %9 = param : s32[]\n  %10 = param : f32[s1,4]\n  %11 = param : s32[]\n  %12 = param : f32[4]\n"
    "  %42 = param : f32[n,4]\n  %13 = lt %9, %11 : bool[]\n  return %13\n }\n {\n"
    "  %14 = param : s32[]\n  %15 = param : f32[s1,4]\n  %16 = param : s32[]\n  %17 = param : f32[4]\n"
    "  %43 = param : f32[n,4]\n  %18 = const {1} : s32[]\n  %19 = add %14, %18 : s32[]\n"
    "  %23 = eq %14, %18 : bool[]\n  %24 = if %23, %17, %15 : f32[s2,4]\n  {\n"
    "   %26 = param : f32[4]\n   %27 = param : f32[s1,4]\n"
    "   %30 = reshape %26 {shape=[1,4]} : f32[1,4]\n   %31 = concat %27, %30 {axis=0} : f32[s1+1,4]\n"
    "   return %31\n  }\n  {\n   %33 = param : f32[4]\n   %34 = param : f32[s1,4]\n   return %34\n  }\n"
    "  %44 = reshape %17 {shape=[1,4]} : f32[1,4]\n  %45 = const {0} : s32[1]\n  %46 = reshape %14 {shape=[1]} : "
    "s32[1]\n"
    "  %47 = concat %46, %45 {axis=0} : s32[2]\n"
    "  %48 = dynamic_update %43, %44, %47 {checked=1} : f32[n,4]\n  return %19, %24, %16, %17, %48\n }\n"
    " return %6, %41\n input \"n\" \"n:0\"\n input \"x\" \"x:0\"\n input \"y\" \"y:0\"\n output \"a\" \"a:0\"\n"
    " output \"b\" \"b:0\"\n}\n";

static uint32_t count_steps(const Program *p, StepKind kind, uint32_t from) {
    uint32_t n = 0;
    for (uint32_t b = from; b < p->blocks.len; b++)
        for (uint32_t i = 0; i < p->blocks.data[b].steps.len; i++) n += p->blocks.data[b].steps.data[i].kind == kind;
    return n;
}

static void test_growing_in_place(void **state) {
    (void)state;
    Arena *a = arena_new();
    Program *p = program(a, growing);
    assert_int_equal(count_steps(p, STEP_GROW, 0), 1);
    assert_int_equal(count_steps(p, STEP_COPY, 1), 2); /* into the vector of begins */
    assert_int_equal(count_steps(p, STEP_MOVE, 0), 1); /* the counter */
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops_merge),
        cmocka_unit_test(test_moves_are_indexes),
        cmocka_unit_test(test_epilogue),
        cmocka_unit_test(test_dedup_and_in_place),
        cmocka_unit_test(test_concat_places_parts),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_chain_of_mirrors),
        cmocka_unit_test(test_growing_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
