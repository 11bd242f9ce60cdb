/* Shape functions by family: what they compute, what they refuse, and content through shape arithmetic. Graphs are
   given as text; a result whose type is not the inferred one makes the parser fail. */
#include "ir/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static bool good(const char *body) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *text = arena_printf(arena, "graph \"\" {\n dim n 1..\n dim m 0..100\n%s\n return\n}", body);
    Graph *g = graph_parse(arena, text, &d);
    if (g) graph_verify(g, STAGE_SHAPED);
    if (!g) diag_print(&d, stderr, DIAG_NOTE);
    bool ok = g != NULL;
    arena_free(arena);
    return ok;
}

/* Whether the last line is refused by its shape function (not by the parser, whose types are right to the last line).
 */
static bool bad(const char *body) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *text = arena_printf(arena, "graph \"\" {\n dim n 1..\n dim m 0..100\n%s\n return\n}", body);
    bool refused =
        graph_parse(arena, text, &d) == NULL && d.entries.len == 2 && strstr(d.entries.data[1].message, " is wrong");
    if (!refused) diag_print(&d, stderr, DIAG_NOTE);
    arena_free(arena);
    return refused;
}

#define X4 "%1 = param : f32[n,8,6,4]\n"
#define SCALAR "%2 = const {0x0p+0} : f32[]\n"

static void data(void **state) {
    (void)state;
    assert_true(good("%1 = iota {shape=[n,3], axis=1, dtype=s32} : s32[n,3]"));
    assert_true(bad("%1 = iota {shape=[n,3], axis=2, dtype=s32} : s32[n,3]"));
    assert_true(bad("%1 = iota {shape=[-1], axis=0, dtype=s32} : s32[1]"));
    assert_true(bad("%1 = iota {shape=[9223372036854775807,4], axis=0, dtype=s32} : s32[1]"));
    assert_true(bad("%1 = iota {shape=[1,1,1,1,1,1,1,1,1,1,1,1,1], axis=0, dtype=s32} : s32[1]"));
    assert_true(good("%1 = dims_tensor {shape=[2], dims=[n,m+1], dtype=s64} : s64[2]"));
    assert_true(bad("%1 = dims_tensor {shape=[3], dims=[n,m+1], dtype=s64} : s64[3]"));
    assert_true(good("%1 = param : s32[2]\nload_dims %1 {symbols=[0,1]}"));
    assert_true(bad("%1 = param : s32[2]\nload_dims %1 {symbols=[0,7]}"));
    assert_true(bad("%1 = param : s32[1]\nload_dims %1 {symbols=[0,1]}"));
}

static void movement(void **state) {
    (void)state;
    assert_true(good(X4 "%2 = reshape %1 {shape=[n*8,24]} : f32[n*8,24]"));
    assert_true(bad("%1 = param : f32[4]\n%2 = reshape %1 {shape=[5]} : f32[5]"));
    assert_true(bad(X4 "%2 = reshape %1 {shape=[0]} : f32[0]"));
    assert_true(good("%1 = param : f32[1,3]\n%2 = broadcast %1 {shape=[n,5,3]} : f32[n,5,3]"));
    assert_true(bad("%1 = param : f32[2,3]\n%2 = broadcast %1 {shape=[5,3]} : f32[5,3]"));
    assert_true(good(X4 "%2 = transpose %1 {perm=[0,3,1,2]} : f32[n,4,8,6]"));
    assert_true(bad(X4 "%2 = transpose %1 {perm=[0,3,1,1]} : f32[n,4,8,6]"));
    assert_true(bad(X4 "%2 = transpose %1 {perm=[0,3,1]} : f32[n,4,8]"));
    assert_true(bad(X4 "%2 = reverse %1 {axes=[-1]} : f32[n,8,6,4]"));
    assert_true(good(X4 "%2 = slice %1 {begin=[0,1,5,0], size=[n,3,2,4], strides=[1,3,-5,1]} : f32[n,3,2,4]"));
    assert_true(bad(X4 "%2 = slice %1 {begin=[0,1,5,0], size=[n,4,2,4], strides=[1,3,-5,1]} : f32[n,4,2,4]"));
    assert_true(bad(X4 "%2 = slice %1 {begin=[0,1,5,0], size=[n,3,2,4], strides=[1,3,-6,1]} : f32[n,3,2,4]"));
    assert_true(bad(X4 "%2 = slice %1 {begin=[0,0,0,0], size=[n,8,6,4], strides=[1,1,1,0]} : f32[n,8,6,4]"));
    assert_true(
        bad(X4 "%2 = slice %1 {begin=[0,0,0,0], size=[n,8,6,9223372036854775807], strides=[1,1,1,2]} : f32[n,8,6,4]"));
    assert_true(good(X4 SCALAR "%3 = pad %1, %2 {before=[0,1,0,0], after=[0,m,0,0]} : f32[n,m+9,6,4]"));
    assert_true(bad(X4 SCALAR "%3 = pad %1, %2 {before=[0,8,0,0], after=[0,0,0,0], mode=\"reflect\"} : f32[n,16,6,4]"));
    assert_true(
        good(X4 SCALAR "%3 = pad %1, %2 {before=[0,8,0,0], after=[0,0,0,0], mode=\"symmetric\"} : f32[n,16,6,4]"));
    assert_true(bad(X4 SCALAR "%3 = pad %1, %2 {before=[0,-1,0,0], after=[0,0,0,0]} : f32[n,7,6,4]"));
    assert_true(good(X4 "%2 = param : f32[n,8,m,4]\n%3 = concat %1, %2 {axis=2} : f32[n,8,m+6,4]"));
    assert_true(bad(X4 "%2 = param : f32[n,7,m,4]\n%3 = concat %1, %2 {axis=2} : f32[n,8,m+6,4]"));
    assert_true(bad(X4 "%2 = param : f64[n,8,m,4]\n%3 = concat %1, %2 {axis=2} : f32[n,8,m+6,4]"));
    assert_true(good(X4 "%2 = space_to_batch %1 {block=[2,3], before=[1,0], after=[1,0]} : f32[n*6,5,2,4]"));
    assert_true(bad(X4 "%2 = space_to_batch %1 {block=[3,3], before=[0,0], after=[0,0]} : f32[n*9,2,2,4]"));
    assert_true(bad(X4 "%2 = space_to_batch %1 {block=[0], before=[0], after=[0]} : f32[n,8,6,4]"));
    assert_true(good(
        "%1 = param : f32[n*6,5,2,4]\n%2 = batch_to_space %1 {block=[2,3], before=[1,0], after=[1,0]} : f32[n,8,6,4]"));
    assert_true(bad(
        "%1 = param : f32[4,1,2,4]\n%2 = batch_to_space %1 {block=[2,2], before=[3,0], after=[0,0]} : f32[1,1,4,4]"));
}

static void indexing(void **state) {
    (void)state;
    assert_true(good(X4 "%2 = param : s32[n,5]\n%3 = gather %1, %2 {axis=2, batch_dims=1} : f32[n,8,5,4]"));
    assert_true(bad(X4 "%2 = param : s32[n,5]\n%3 = gather %1, %2 {axis=0, batch_dims=1} : f32[n,8,5,4]"));
    assert_true(bad(X4 "%2 = param : f32[5]\n%3 = gather %1, %2 {axis=0, batch_dims=0} : f32[5,8,6,4]"));
    assert_true(good(X4 "%2 = param : s64[3,2]\n%3 = gather_nd %1, %2 {batch_dims=0} : f32[3,6,4]"));
    assert_true(bad(X4 "%2 = param : s64[3,5]\n%3 = gather_nd %1, %2 {batch_dims=0} : f32[3]"));
    assert_true(good(
        X4
        "%2 = param : s64[3,1]\n%3 = param : f32[3,8,6,4]\n%4 = scatter_nd %1, %2, %3 {mode=\"add\"} : f32[n,8,6,4]"));
    assert_true(bad(
        X4
        "%2 = param : s64[3,1]\n%3 = param : f32[3,8,5,4]\n%4 = scatter_nd %1, %2, %3 {mode=\"add\"} : f32[n,8,6,4]"));
    assert_true(good(X4 "%2 = param : s32[4]\n%3 = dynamic_slice %1, %2 {size=[1,8,1,4]} : f32[1,8,1,4]"));
    assert_true(bad(X4 "%2 = param : s32[4]\n%3 = dynamic_slice %1, %2 {size=[1,9,1,4]} : f32[1,9,1,4]"));
    assert_true(
        good(X4 "%2 = param : f32[1,8,6,4]\n%3 = param : s64[4]\n%4 = dynamic_update %1, %2, %3 : f32[n,8,6,4]"));
}

static void reductions(void **state) {
    (void)state;
    assert_true(good(X4 "%2 = reduce %1 {kind=\"mean\", axes=[1,2], keep=1} : f32[n,1,1,4]"));
    assert_true(good(X4 "%2 = reduce %1 {kind=\"max\", axes=[1,2], keep=0} : f32[n,4]"));
    assert_true(bad(X4 "%2 = reduce %1 {kind=\"max\", axes=[1,1], keep=0} : f32[n,4]"));
    assert_true(bad(X4 "%2 = reduce %1 {kind=\"all\", axes=[1], keep=0} : f32[n,6,4]"));
    assert_true(bad(X4 "%2 = reduce %1 {kind=\"median\", axes=[1], keep=0} : f32[n,6,4]"));
    assert_true(good(X4 "%2 = arg_reduce %1 {kind=\"max\", axis=3, dtype=s64} : s64[n,8,6]"));
    assert_true(bad("%1 = param : f32[0]\n%2 = arg_reduce %1 {kind=\"max\", axis=0, dtype=s64} : s64[]"));
    assert_true(good(X4 "%2 = cumulate %1 {kind=\"sum\", axis=3, exclusive=1, reverse=0} : f32[n,8,6,4]"));
    assert_true(good(X4 "%2 = softmax %1 : f32[n,8,6,4]"));
    assert_true(bad("%1 = param : f32[]\n%2 = softmax %1 : f32[]"));
    assert_true(good(X4 "%2 = param : f32[4]\n%3 = layer_norm %1, %2, %2 {epsilon=0x1p-10} : f32[n,8,6,4]"));
    assert_true(bad(X4 "%2 = param : f32[5]\n%3 = layer_norm %1, %2, %2 {epsilon=0x1p-10} : f32[n,8,6,4]"));
}

#define WINDOW(s, before, after) "strides=[" s "], dilations=[1,1], before=[" before "], after=[" after "], groups=1}"

static void contractions(void **state) {
    (void)state;
    assert_true(good("%1 = param : f32[n,1,5,7]\n%2 = param : f32[3,9,7]\n%3 = matmul %1, %2 {transpose_a=0, "
                     "transpose_b=1} : f32[n,3,5,9]"));
    assert_true(bad(
        "%1 = param : f32[5,7]\n%2 = param : f32[8,9]\n%3 = matmul %1, %2 {transpose_a=0, transpose_b=0} : f32[5,9]"));
    assert_true(good("%1 = param : u8[5,7]\n%2 = param : s8[7,9]\n%3 = matmul %1, %2 {transpose_a=0, transpose_b=0, "
                     "dtype=s32} : s32[5,9]"));
    assert_true(
        good(X4 "%2 = param : f32[3,3,4,10]\n%3 = conv %1, %2 {" WINDOW("2,1", "1,0", "1,0") " : f32[n,4,4,10]"));
    assert_true(good("%1 = param : f32[n,m,m,4]\n%2 = param : f32[3,3,4,10]\n%3 = conv %1, %2 {" WINDOW(
        "2,1", "1,1", "1,1") " : f32[n,(m+1)/2,m,10]"));
    assert_true(
        bad(X4 "%2 = param : f32[3,3,5,10]\n%3 = conv %1, %2 {" WINDOW("2,1", "1,0", "1,0") " : f32[n,4,4,10]"));
    assert_true(
        bad(X4 "%2 = param : f32[9,3,4,10]\n%3 = conv %1, %2 {" WINDOW("1,1", "0,0", "0,0") " : f32[n,4,4,10]") ||
        good(X4 "%2 = param : f32[9,3,4,10]\n%3 = conv %1, %2 {" WINDOW("2,1", "0,0", "0,0") " : f32[n,0,4,10]"));
    assert_true(
        bad(X4 "%2 = param : f32[20,3,4,10]\n%3 = conv %1, %2 {" WINDOW("1,1", "0,0", "0,0") " : f32[n,4,4,10]"));
    assert_true(
        bad(X4 "%2 = param : f32[3,3,4,10]\n%3 = conv %1, %2 {" WINDOW("0,1", "0,0", "0,0") " : f32[n,4,4,10]"));
    assert_true(good(X4 "%2 = param : f32[3,3,1,8]\n%3 = conv %1, %2 {strides=[1,1], dilations=[1,1], before=[1,1], "
                        "after=[1,1], groups=4} : f32[n,8,6,8]"));
    assert_true(bad(X4 "%2 = param : f32[3,3,1,7]\n%3 = conv %1, %2 {strides=[1,1], dilations=[1,1], before=[1,1], "
                       "after=[1,1], groups=4} : f32[n,8,6,7]"));
    assert_true(good(X4 "%2 = param : f32[2,2,9,4]\n%3 = conv_transpose %1, %2 {strides=[2,2], dilations=[1,1], "
                        "before=[0,0], after=[0,0], size=[16,12], groups=1} : f32[n,16,12,9]"));
    assert_true(bad(X4 "%2 = param : f32[2,2,9,4]\n%3 = conv_transpose %1, %2 {strides=[2,2], dilations=[1,1], "
                       "before=[0,0], after=[0,0], size=[19,12], groups=1} : f32[n,19,12,9]"));
    assert_true(
        good(X4 "%2 = pool %1 {kind=\"avg\", window=[3,3], strides=[2,2], before=[0,0], after=[1,1]} : f32[n,4,3,4]"));
    assert_true(
        bad(X4 "%2 = pool %1 {kind=\"avg\", window=[0,3], strides=[2,2], before=[0,0], after=[1,1]} : f32[n,4,3,4]"));
    assert_true(good("%1 = param : u8[n,8,6,4]\n%2 = resize %1 {kind=\"bilinear\", size=[m+1,9], align_corners=0, "
                     "half_pixel=1} : f32[n,m+1,9,4]"));
    assert_true(bad(X4 "%2 = resize %1 {kind=\"nearest\", size=[0,9], align_corners=0, half_pixel=1} : f32[n,0,9,4]"));
    assert_true(good("%1 = param : f32[7,n,5]\n%2 = param : f32[n,3]\n%3 = param : f32[5,12]\n%4 = param : "
                     "f32[3,12]\n%5 = param : f32[12]\n"
                     "%6, %7, %8 = lstm %1, %2, %2, %3, %4, %5 {forget_bias=0x1p+0, cell_clip=0x0p+0} : f32[7,n,3], "
                     "f32[n,3], f32[n,3]"));
    assert_true(bad("%1 = param : f32[7,n,5]\n%2 = param : f32[n,3]\n%3 = param : f32[5,9]\n%4 = param : f32[3,8]\n%5 "
                    "= param : f32[9]\n"
                    "%6, %7 = gru %1, %2, %3, %4, %5, %5 {reset_after=1} : f32[7,n,3], f32[n,3]"));
}

static void scalars(void **state) {
    (void)state;
    assert_true(good(X4 "%2 = param : f32[6,1]\n%3 = add %1, %2 : f32[n,8,6,4]"));
    assert_true(bad(X4 "%2 = param : f32[5,1]\n%3 = add %1, %2 : f32[n,8,6,4]"));
    assert_true(bad(X4 "%2 = param : s32[6,1]\n%3 = add %1, %2 : f32[n,8,6,4]"));
    assert_true(good(X4 "%2 = isnan %1 : bool[n,8,6,4]\n%3 = select %2, %1, %1 : f32[n,8,6,4]"));
    assert_true(bad("%1 = param : s32[3]\n%2 = exp %1 : s32[3]"));
    assert_true(bad("%1 = param : string[3]\n%2 = add %1, %1 : string[3]"));
    assert_true(good("%1 = param : string[3]\n%2 = param : bool[]\n%3 = select %2, %1, %1 : string[3]"));
    assert_true(bad("%1 = param : s32[3]\n%2 = bitcast %1 {dtype=f64} : f64[3]"));
}

/* The result of a function of [n, 8, 3] used as a shape shows what is known of it. */
static void content(void **state) {
    (void)state;
#define DIMS "%1 = dims_tensor {shape=[3], dims=[n,8,3], dtype=s32} : s32[3]\n"
    assert_true(good(DIMS
                     "%3 = slice %1 {begin=[1], size=[2], strides=[1]} : s32[2]\n%4 = reduce %3 {kind=\"prod\", "
                     "axes=[0], keep=1} : s32[1]\n"
                     "%5 = slice %1 {begin=[0], size=[1], strides=[1]} : s32[1]\n%6 = concat %5, %4 {axis=0} : s32[2]\n"
                     "%7 = const {2} : s32[]\n%8 = floordiv %6, %7 : s32[2]\n%9 = mul %8, %7 : s32[2]"));
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    Graph *g = graph_new(arena, "content");
    Dim n = dim_symbol(&g->dims, "n", 1, INT64_MAX), dims[] = {n, dim_const(8), dim_const(3)};
    ValueId shape = build_dims(g, g->root, DTYPE_S32, 1, 3, dims, "shape");
    ValueId total = build_reduce(g, g->root, shape, "prod", 1, (int64_t[]){0}, false, "total", &d);
    assert_true(dim_equal(value_at(g, total)->content[0], dim_mul(&g->dims, n, dim_const(24))));
    ValueId twelve = build_scalar_const(g, g->root, DTYPE_S32, 12);
    ValueId half = build_binary(g, g->root, OP_FLOORDIV, total, twelve, "half", &d);
    assert_true(dim_equal(value_at(g, half)->content[0], dim_mul(&g->dims, n, dim_const(2))));
    ValueId positive = build_binary(g, g->root, OP_GE, half, twelve, "", &d);
    assert_null(value_at(g, positive)->content);
    ValueId zero = build_scalar_const(g, g->root, DTYPE_S32, 0);
    positive = build_binary(g, g->root, OP_GT, half, zero, "", &d);
    assert_true(dim_is(value_at(g, positive)->content[0], 1));
    ValueId big = build_scalar_const(g, g->root, DTYPE_S8, 100);
    assert_null(value_at(g, build_binary(g, g->root, OP_ADD, big, big, "", &d))->content);
    assert_int_equal(d.n_errors, 0);
    arena_free(arena);
}

static void control(void **state) {
    (void)state;
    assert_true(bad("%1 = param : f32[]\n%2 = if %1 : f32[]\n{\n%3 = const {0x0p+0} : f32[]\nreturn %3\n}\n{\n%4 = "
                    "const {0x0p+0} : f32[]\nreturn %4\n}"));
    assert_true(bad("%1 = param : bool[]\n%2 = if %1 : f32[]\n{\n%3 = const {0x0p+0} : f32[]\nreturn %3\n}\n{\n%4 = "
                    "const {0x0p+0} : f32[1]\nreturn %4\n}"));
    assert_true(bad("%1 = param : bool[]\n%2 = if %1, %1 : f32[]\n{\n%3 = const {0x0p+0} : f32[]\nreturn %3\n}\n{\n%4 "
                    "= const {0x0p+0} : f32[]\nreturn %4\n}"));
    assert_true(good("%1 = param : s32[]\n%2 = case %1 : f32[]\n{\n%3 = const {0x0p+0} : f32[]\nreturn %3\n}\n{\n%4 = "
                     "const {0x0p+0} : f32[]\nreturn %4\n}"));
    /* a carried value that grows needs a symbol on the parameter */
    assert_true(bad(
        "%1 = param : f32[2]\n%2 = while %1 : f32[2]\n{\n%3 = param : f32[2]\n%4 = const {1} : bool[]\nreturn %4\n}\n"
        "{\n%5 = param : f32[2]\n%6 = concat %5, %5 {axis=0} : f32[4]\nreturn %6\n}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data),       cmocka_unit_test(movement),     cmocka_unit_test(indexing),
        cmocka_unit_test(reductions), cmocka_unit_test(contractions), cmocka_unit_test(scalars),
        cmocka_unit_test(content),    cmocka_unit_test(control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
