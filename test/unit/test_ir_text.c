/* Text form: parse(print(g)) is g, for graphs that use every notation; mistakes are reported with their line. */
#include "ir/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static const char *print(Arena *arena, const Graph *g, bool data) {
    Str s;
    str_init(&s, arena);
    graph_print(g, &s, data);
    return str_text(&s);
}

static void round_trip(const char *text) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    Graph *g = graph_parse(arena, text, &d);
    if (!g) diag_print(&d, stderr, DIAG_NOTE);
    assert_non_null(g);
    graph_verify(g, STAGE_SHAPED);
    const char *printed = print(arena, g, true);
    Graph *again = graph_parse(arena, printed, &d);
    if (!again) diag_print(&d, stderr, DIAG_NOTE);
    assert_non_null(again);
    assert_string_equal(print(arena, again, true), printed);
    assert_string_equal(printed, text);
    arena_free(arena);
}

static void plain_graph(void **state) {
    (void)state;
    round_trip("graph \"tiny\" signature \"serving_default\" hash 0x12ab {\n"
               "  dim batch 1..64\n"
               "  %1 = param : f32[batch,8,8,3] ; \"input\"\n"
               "  %2 = const splat 0x1p-1 : f32[3,3,3,4] ; \"w\"\n"
               "  %3 = conv %1, %2 {strides=[2,2], dilations=[1,1], before=[0,0], after=[1,1], groups=1} @3 : "
               "f32[batch,4,4,4] ; \"c\" Conv2D\n"
               "  %4 = const {0x1p+0, -inf, 0x1.8p-3, -0x0p+0} : f32[4]\n"
               "  %5 = add %3, %4 : f32[batch,4,4,4] ; \"a \\\"q\\\"\" BiasAdd\n"
               "  %6 = reshape %5 {shape=[batch,64]} : f32[batch,64]\n"
               "  %7 = cast %6 {dtype=f16} : f16[batch,64]\n"
               "  return %7\n"
               "  input \"x\" \"input:0\"\n"
               "  output \"y\" \"out:0\"\n"
               "}\n");
}

static void constants_of_all_kinds(void **state) {
    (void)state;
    round_trip("graph \"\" {\n"
               "  %1 = const {-1, 2} : s8[2]\n"
               "  %2 = const {18446744073709551615} : u64[1]\n"
               "  %3 = const {1, 0} : bool[2]\n"
               "  %4 = const {\"a:b\", \"\\x00\\\\\", \"\"} : string[3]\n"
               "  %5 = const 0x000102030405060708090a0b0c0d0e0f1011 : u8[18]\n"
               "  %6 = const 0x0000c07f : f32[]\n"
               "  %7 = const {} : f32[0,3]\n"
               "  %8 = const {0x1p+0} : bf16[]\n"
               "  %9 = const 0x0000803f00000040 : c64[]\n"
               "  return %1, %2, %3, %4, %5, %6, %7, %8, %9\n"
               "}\n");
}

static void regions(void **state) {
    (void)state;
    round_trip("graph \"loops\" {\n"
               "  dim s0 0..\n"
               "  dim s1 0..7 computed\n"
               "  %1 = param : bool[]\n"
               "  %2 = param : f32[s0]\n"
               "  %3 = if %1, %2 : f32[s1] ; \"cond\" If\n"
               "  {\n"
               "    %4 = param : f32[s0]\n"
               "    %5 = const {0x0p+0, 0x1p+0} : f32[2]\n"
               "    return %5\n"
               "  }\n"
               "  {\n"
               "    %6 = param : f32[s0] ; \"x\"\n"
               "    %7 = const {0x0p+0, 0x1p+0, 0x1p+1, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0} : f32[7]\n"
               "    return %7\n"
               "  }\n"
               "  %8 = const {0} : s32[]\n"
               "  %9, %10 = while %8, %3 : s32[], f32[s1]\n"
               "  {\n"
               "    %11 = param : s32[]\n"
               "    %12 = param : f32[s1]\n"
               "    %13 = const {10} : s32[]\n"
               "    %14 = lt %11, %13 : bool[]\n"
               "    return %14\n"
               "  }\n"
               "  {\n"
               "    %15 = param : s32[]\n"
               "    %16 = param : f32[s1]\n"
               "    %17 = const {1} : s32[]\n"
               "    %18 = add %15, %17 : s32[]\n"
               "    %19 = mul %16, %16 : f32[s1]\n"
               "    return %18, %19\n"
               "  }\n"
               "  return %10\n"
               "}\n");
}

static void mistakes_are_reported(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"grph", "line 1: 'graph' is missing"},
        {"graph \"\" {\n  %1 = param : f99[2]\n", "line 2: an element type is missing"},
        {"graph \"\" {\n  %1 = param : f32[2]\n  %2 = bogus %1 : f32[2]\n", "line 3: there is no op 'bogus'"},
        {"graph \"\" {\n  %1 = param : f32[2]\n  %2 = neg %3 : f32[2]\n",
         "line 3: value %3 is not defined before its use"},
        {"graph \"\" {\n  %1 = param : f32[2]\n  %2 = neg %1 : f32[3]\n", "line 3: result 0 of this neg is f32[2]"},
        {"graph \"\" {\n  %1 = const {1, 2} : s32[3]\n", "line 2: ',' is missing"},
        {"graph \"\" {\n  %1 = const #0123 : s32[3]\n",
         "line 2: the data of this constant was left out when the graph was printed"},
        {"graph \"\" {\n  %1 = const splat 1 : s32[99999999999]\n", "line 2: a splat is empty or too large"},
        {"graph \"\" {\n  %99999999 = param : f32[2]\n", "line 2: value %99999999: numbers must follow each other"},
        {"graph \"\" {\n  %1 = param : f32[2]\n  %2 = transpose %1 {perm=[1]} : f32[2]\n",
         "axis 1 is outside of its input's 1 dimensions"},
        {"graph \"\" {\n  return\n} x", "line 3: there is text after the graph"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_new();
        Diag d;
        diag_init(&d, arena, NULL);
        assert_null(graph_parse(arena, cases[i].text, &d));
        assert_true(d.entries.len > 0);
        assert_string_equal(d.entries.data[0].message, cases[i].message);
        arena_free(arena);
    }
}

/* Every prefix of a good text is refused without harm. */
static void cut_texts_are_refused(void **state) {
    (void)state;
    static const char text[] =
        "graph \"t\" {\n  dim n 1..4\n  %1 = param : f32[n,2] ; \"x\"\n  %2 = const {1, 2} : s64[2]\n"
        "  %3 = slice %1 {begin=[0,0], size=[n,1], strides=[1,1]} : f32[n,1]\n  return %3\n}\n";
    for (size_t n = 0; n + 2 < sizeof text; n++) {
        Arena *arena = arena_new();
        Diag d;
        diag_init(&d, arena, NULL);
        assert_null(graph_parse(arena, arena_strndup(arena, text, n), &d));
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_graph),           cmocka_unit_test(constants_of_all_kinds), cmocka_unit_test(regions),
        cmocka_unit_test(mistakes_are_reported), cmocka_unit_test(cut_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
