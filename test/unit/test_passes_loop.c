/* The loop over passes: which rows run, what is dumped, and that unknown names are reported. */
#include "pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char text[] =
    "graph \"t\" {\n  %1 = param : f32[2]\n  %2 = const {0x1p+0, 0x1p+1} : f32[2]\n  %3 = mul %2, %2 : f32[2]\n"
    "  %4 = add %1, %3 : f32[2]\n  %5 = exp %1 : f32[2]\n  return %4\n}\n";

/* Runs the passes over the text; what they write to their stream is returned, and live nodes are counted. */
static char *run_on(const char *graph, PassOptions options, uint32_t *out_nodes, uint32_t *out_errors) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    char *written = NULL;
    size_t size = 0;
    options.dump = open_memstream(&written, &size);
    options.fold_limit = 1000;
    Unit u = {.g = graph_parse(arena, graph, &d),
              .machine = machine_find("", "x86-64-v3"),
              .options = &options,
              .arena = arena,
              .scratch = arena_new(),
              .d = &d};
    assert_non_null(u.g);
    passes_run(&u);
    fclose(options.dump);
    *out_nodes = region_at(u.g, u.g->root)->nodes.len;
    *out_errors = d.n_errors;
    arena_free(u.scratch);
    arena_free(arena);
    return written;
}

static char *run(PassOptions options, uint32_t *out_nodes, uint32_t *out_errors) {
    return run_on(text, options, out_nodes, out_errors);
}

static void levels_lists_and_ends(void **state) {
    (void)state;
    uint32_t nodes, errors;
    free(run((PassOptions){.level = 0}, &nodes, &errors));
    assert_int_equal(nodes, 3); /* dce only: exp is gone */
    free(run((PassOptions){.level = 3}, &nodes, &errors));
    assert_int_equal(nodes, 2); /* the product is folded too */
    free(run((PassOptions){.level = 3, .only = "fold"}, &nodes, &errors));
    assert_int_equal(nodes, 2);
    free(run((PassOptions){.level = 3, .skip = "fold,dce,canonicalise,batch_norm,cse,shape", .stop_after = "cse"},
             &nodes, &errors));
    assert_int_equal(nodes, 4);
    free(run((PassOptions){.level = 3, .stop_after = "shape"}, &nodes, &errors));
    assert_int_equal(nodes, 4);
    assert_int_equal(errors, 0);
}

static void dumps_and_times_go_to_the_stream(void **state) {
    (void)state;
    uint32_t nodes, errors;
    char *written = run((PassOptions){.level = 3, .dump_after = "all", .stop_after = "control"}, &nodes, &errors);
    assert_non_null(strstr(written, "---- after fold\n"));
    assert_null(strstr(written, "---- after shape\n")); /* it changed nothing */
    free(written);
    written =
        run((PassOptions){.level = 3, .dump_after = "shape", .time = true, .stop_after = "fold"}, &nodes, &errors);
    assert_non_null(strstr(written, "---- after shape\n"));
    assert_non_null(strstr(written, " ms  fold"));
    free(written);
}

/* Of the branch that is known to be taken the pool makes sizes below 0: the branch stays one, whose size the run
 * checks.
 */
static void a_branch_that_does_not_fit_stays(void **state) {
    (void)state;
    static const char branch[] = "graph \"t\" {\n  dim s0 2..9 computed\n  %1 = param : f32[1,9,3,1]\n"
                                 "  %2 = const {1} : bool[]\n  %3 = if %2, %1 : f32[1,s0,3,1]\n  {\n"
                                 "    %4 = param : f32[1,9,3,1]\n"
                                 "    %5 = slice %4 {begin=[0,0,0,0], size=[1,2,3,1], strides=[1,1,1,1]} : "
                                 "f32[1,2,3,1]\n    return %5\n  }\n  {\n    %6 = param : f32[1,9,3,1]\n"
                                 "    return %6\n  }\n  %7 = pool %3 {kind=\"max\", window=[4,1], strides=[1,1], "
                                 "before=[0,0], after=[0,0], dilations=[1,1]} : f32[1,s0-3,3,1]\n"
                                 "  return %7\n}\n";
    uint32_t nodes, errors;
    char *written = run_on(branch, (PassOptions){.level = 3, .dump_after = "all"}, &nodes, &errors);
    assert_int_equal(errors, 0);
    assert_int_equal(nodes, 3);
    free(written);
}

static void unknown_names_are_reported(void **state) {
    (void)state;
    uint32_t nodes, errors;
    free(run((PassOptions){.level = 3, .only = "fold,flod"}, &nodes, &errors));
    assert_int_equal(errors, 1);
    free(run((PassOptions){.level = 3, .skip = "a,b", .dump_after = "c", .stop_after = "d"}, &nodes, &errors));
    assert_int_equal(errors, 4);
    assert_int_equal(nodes, 4);
}

static void the_table_is_consistent(void **state) {
    (void)state;
    uint32_t n;
    const PassRow *rows = pass_table(&n);
    Stage stage = STAGE_IMPORTED;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(rows[i].before <= stage || rows[i].level > 0);
        assert_true(rows[i].after >= rows[i].before);
        assert_non_null(rows[i].run);
        assert_true(strlen(rows[i].doc) > 10);
        stage = rows[i].after;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_lists_and_ends),
        cmocka_unit_test(dumps_and_times_go_to_the_stream),
        cmocka_unit_test(a_branch_that_does_not_fit_stays),
        cmocka_unit_test(unknown_names_are_reported),
        cmocka_unit_test(the_table_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
