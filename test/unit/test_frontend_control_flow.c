/* Raising TensorFlow 1 control flow: the shape of what comes out. That it computes the same is shown by the conformance
 * suites. */
#include "frontend/import.h"

#include "messages.h"

static TfGraph *read_text(const char *text) {
    return tf_read_bytes(arena, text, strlen(text), "test.pbtxt", &d);
}

static uint32_t count(const TfBody *body, const char *op) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < body->n_nodes; i++) n += strcmp(body->nodes[i].op, op) == 0;
    return n;
}

static const TfNode *first(const TfBody *body, const char *op) {
    for (uint32_t i = 0; i < body->n_nodes; i++)
        if (strcmp(body->nodes[i].op, op) == 0) return &body->nodes[i];
    fail_msg("no %s", op);
    return NULL;
}

static const TfFunction *function(const TfGraph *tf, const char *name) {
    uint64_t at = map_get(&tf->function_index, name, UINT64_MAX);
    assert_true(at < tf->n_functions);
    return &tf->functions[at];
}

static const TfFunction *attr_function(const TfGraph *tf, const TfNode *n, const char *attr) {
    return function(tf, tf_attr_string(n, attr, ""));
}

/* Every input of every node is there, every call passes what its functions take. */
static void check(const TfGraph *tf, const TfBody *body, uint32_t n_args) {
    static const char *const gone[] = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) assert_int_equal(count(body, gone[i]), 0);
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        const TfNode *n = &body->nodes[i];
        assert_int_equal(map_get(&body->index, n->name, UINT64_MAX), i);
        for (uint32_t k = 0; k < n->n_inputs; k++) {
            uint32_t from = n->inputs[k].node;
            assert_true(from & TF_ARG ? (from & ~TF_ARG) < n_args : from < body->n_nodes);
            if (!(from & TF_ARG) && !strcmp(body->nodes[from].op, "If"))
                assert_true(n->inputs[k].output < tf_output_count(&body->nodes[from]));
        }
        if (strcmp(n->op, "If") == 0) {
            const TfFunction *then = attr_function(tf, n, "then_branch"), *other = attr_function(tf, n, "else_branch");
            assert_int_equal(then->n_args, n->n_inputs - 1);
            assert_int_equal(other->n_args, n->n_inputs - 1);
            assert_int_equal(then->n_results, tf_output_count(n));
            assert_int_equal(other->n_results, tf_output_count(n));
        } else if (strcmp(n->op, "While") == 0) {
            assert_int_equal(attr_function(tf, n, "cond")->n_args, n->n_inputs);
            assert_int_equal(attr_function(tf, n, "cond")->n_results, 1);
            assert_int_equal(attr_function(tf, n, "body")->n_args, n->n_inputs);
            assert_int_equal(attr_function(tf, n, "body")->n_results, n->n_inputs);
        }
    }
}

static void check_all(const TfGraph *tf) {
    check(tf, &tf->main, 0);
    for (uint32_t i = 0; i < tf->n_functions; i++) check(tf, &tf->functions[i].body, tf->functions[i].n_args);
}

static void test_nested_cond(void **state) {
    (void)state;
    TfGraph *tf = tf_read(arena, "test/models/frontend/cond_nested.pb", NULL, &d);
    assert_non_null(tf);
    check_all(tf);
    assert_int_equal(count(&tf->main, "If"), 1); /* two Merges of one predicate */
    const TfNode *outer = first(&tf->main, "If");
    assert_int_equal(tf_output_count(outer), 2);
    const TfFunction *then = attr_function(tf, outer, "then_branch");
    assert_int_equal(count(&then->body, "If"), 1);
    assert_int_equal(count(&then->body, "Sum"), 1);
    const TfFunction *other = attr_function(tf, outer, "else_branch");
    assert_int_equal(count(&other->body, "Const"), 2);            /* 5.0 and 3: constants stay constants */
    assert_true(map_find(&tf->main.index, "cond/Merge") != NULL); /* names of results remain */
}

static void test_nested_while(void **state) {
    (void)state;
    TfGraph *tf = tf_read(arena, "test/models/frontend/while_nested.pb", NULL, &d);
    assert_non_null(tf);
    check_all(tf);
    assert_int_equal(count(&tf->main, "While"), 1);
    const TfNode *loop = first(&tf->main, "While");
    const TfFunction *cond = attr_function(tf, loop, "cond"), *body = attr_function(tf, loop, "body");
    assert_int_equal(loop->n_inputs, 4); /* i, v, and captured n and x */
    assert_int_equal(count(&cond->body, "Less"), 1);
    assert_int_equal(count(&body->body, "While"), 1);
    assert_int_equal(count(&body->body, "If"), 1);
    assert_int_equal(body->results[2].node & TF_ARG, TF_ARG); /* what was captured passes through */
    const TfFunction *inner = attr_function(tf, first(&body->body, "While"), "body");
    assert_int_equal(count(&inner->body, "Const"), 2); /* 1 and scale */
}

/* p: a, d; q: b, c. d needs b, which needs a: one If for both of p would wait for itself. */
static void test_same_predicate_twice(void **state) {
    (void)state;
    TfGraph *tf = tf_read(arena, "test/models/frontend/same_predicate.pb", NULL, &d);
    assert_non_null(tf);
    check_all(tf);
    assert_int_equal(count(&tf->main, "If"), 3); /* a | b and c | d */
}

#define SWITCH(name, data, pred) "node { name: '" name "' op: 'Switch' input: '" data "' input: '" pred "' } "
#define NODE(name, op, input) "node { name: '" name "' op: '" op "' input: '" input "' } "
#define LEAF(name, op) "node { name: '" name "' op: '" op "' } "
#define BOOL(name, v)                                                                                                  \
    "node { name: '" name "' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_BOOL bool_val: " v " } } } } "

static void test_constant_predicate_is_pruned(void **state) {
    (void)state;
    TfGraph *tf =
        read_text(LEAF("x", "Placeholder") BOOL("p", "true") NODE("id", "Identity", "p") SWITCH("s", "x", "id")
                      NODE("t", "Abs", "s:1")
                          NODE("f", "CustomOp", "s:0") "node { name: 'm' op: 'Merge' input: 'f' input: 't' } " NODE(
                              "index", "Neg", "m:1"));
    assert_non_null(tf);
    check_all(tf);
    assert_int_equal(count(&tf->main, "If"), 0);
    assert_int_equal(count(&tf->main, "CustomOp"), 0);
    const TfNode *m = &tf->main.nodes[map_get(&tf->main.index, "m", 0)];
    assert_string_equal(tf->main.nodes[m->inputs[0].node].name, "t");
    const TfNode *index = &tf->main.nodes[first(&tf->main, "Neg")->inputs[0].node];
    assert_int_equal(tensor_get_i64(&tf_attr(index, "value")->v.tensor, 0), 1); /* the second input arrived */
}

static void test_value_index(void **state) {
    (void)state;
    TfGraph *tf = read_text(LEAF("x", "Placeholder") LEAF("p", "Placeholder") SWITCH(
        "s", "x", "p") "node { name: 'm' op: 'Merge' input: 's:1' input: 's:0' } " NODE("index", "Neg", "m:1"));
    assert_non_null(tf);
    check_all(tf);
    const TfNode *n = first(&tf->main, "If");
    assert_int_equal(tf_output_count(n), 2);
    const TfFunction *then = attr_function(tf, n, "then_branch"), *other = attr_function(tf, n, "else_branch");
    assert_int_equal(tensor_get_i64(&tf_attr(&then->body.nodes[then->results[1].node], "value")->v.tensor, 0), 0);
    assert_int_equal(tensor_get_i64(&tf_attr(&other->body.nodes[other->results[1].node], "value")->v.tensor, 0), 1);
    assert_int_equal(first(&tf->main, "Neg")->inputs[0].output, 1);
}

static void test_case(void **state) {
    (void)state;
    TfGraph *tf = read_text(LEAF("x", "Placeholder") LEAF(
        "i", "Placeholder") "node { name: 's' op: '_SwitchN' input: 'x' input: 'i' attr { key: 'num_outs' value { i: 3 "
                            "} } } " NODE("a", "Abs", "s:0") NODE("b", "Neg", "s:1") NODE(
                                "c", "Exp", "s:2") "node { name: 'm' op: 'Merge' input: 'a' input: 'b' input: 'c' } ");
    assert_non_null(tf);
    check_all(tf);
    const TfAttr *branches = tf_attr(first(&tf->main, "Case"), "branches");
    assert_int_equal(branches->n, 3);
    assert_int_equal(count(&function(tf, branches->v.strings[1].data)->body, "Neg"), 1);
    assert_int_equal(count(&function(tf, branches->v.strings[2].data)->body, "Exp"), 1);
}

/* A loop that is left by two values, one of which it never changes. */
static void test_loop_by_hand(void **state) {
    (void)state;
    TfGraph *tf = read_text(LEAF("x", "Placeholder") LEAF("limit", "Placeholder") LEAF(
        "zero",
        "Placeholder") "node { name: 'ei' op: 'Enter' input: 'zero' attr { key: 'frame_name' value { s: 'loop' } } } "
                       "node { name: 'el' op: 'Enter' input: 'limit' attr { key: 'frame_name' value { s: 'loop' } } "
                       "attr { key: 'is_constant' value { b: true } } } "
                       "node { name: 'ex' op: 'Enter' input: 'x' attr { key: 'frame_name' value { s: 'loop' } } } "
                       "node { name: 'mi' op: 'Merge' input: 'ei' input: 'ni' } node { name: 'mx' op: 'Merge' input: "
                       "'ex' input: 'nx' } "
                       "node { name: 'less' op: 'Less' input: 'mi' input: 'el' } " NODE("c", "LoopCond",
                                                                                        "less") SWITCH("si", "mi", "c")
                                SWITCH("sx", "mx",
                                       "c") "node { name: 'add' op: 'Add' input: 'si:1' input: 'sx:1' } " NODE("ni",
                                                                                                               "NextIte"
                                                                                                               "ration",
                                                                                                               "add")
                                    NODE("nx", "NextIteration", "sx:1") NODE("oi", "Exit", "si") NODE(
                                        "ox", "Exit", "sx") "node { name: 'sum' op: 'Sub' input: 'oi' input: 'ox' }");
    assert_non_null(tf);
    check_all(tf);
    const TfNode *loop = first(&tf->main, "While"), *sum = first(&tf->main, "Sub");
    assert_int_equal(loop->n_inputs, 3);
    assert_string_equal(tf->main.nodes[sum->inputs[0].node].name, loop->name);
    assert_int_equal(sum->inputs[0].output, 0);
    assert_int_equal(sum->inputs[1].output, 1);
    const TfFunction *body = attr_function(tf, loop, "body");
    assert_int_equal(body->results[1].node, TF_ARG | 1);
}

static void test_control_edges_stay_outside(void **state) {
    (void)state;
    TfGraph *tf = read_text(LEAF("x", "Placeholder") LEAF("p", "Placeholder") SWITCH("s", "x", "p") NODE(
        "pivot", "Identity", "s:1") "node { name: 'one' op: 'Const' input: '^pivot' } node { name: 'two' op: 'Abs' "
                                    "input: 's:0' } node { name: 'm' op: 'Merge' input: 'two' input: 'one' } "
                                    "node { name: 'after' op: 'NoOp' input: '^m' input: '^x' }");
    assert_non_null(tf);
    check_all(tf);
    const TfNode *after = first(&tf->main, "NoOp");
    assert_int_equal(after->n_controls, 2);
    assert_string_equal(tf->main.nodes[after->controls[0]].name, "m");
    assert_int_equal(count(&attr_function(tf, first(&tf->main, "If"), "then_branch")->body, "Const"), 1);
}

static void test_mistakes(void **state) {
    (void)state;
    assert_null(read_text(NODE("a", "Abs", "b") NODE("b", "Abs", "a") NODE("s", "Exit", "a")));
    assert_true(has_message("is part of a cycle"));
    assert_null(read_text(LEAF("x", "Placeholder") NODE("e", "Exit", "x")));
    assert_true(has_message("leaves a loop that was never entered"));
    assert_null(read_text(LEAF("x", "Placeholder")
                              LEAF("y", "Placeholder") "node { name: 'm' op: 'Merge' input: 'x' input: 'y' }"));
    assert_true(has_message("joins values that are not the branches of one condition"));
    assert_null(read_text("node { name: 'm' op: 'Merge' }"));
    d.entries.len = 0; /* branch 1 twice, branch 0 never */
    assert_null(read_text(LEAF("x", "Placeholder") LEAF(
        "i", "Placeholder") "node { name: 's' op: '_SwitchN' input: 'x' input: 'i' attr { key: 'num_outs' value { i: 3 "
                            "} } } "
                            "node { name: 'm' op: 'Merge' input: 's:1' input: 's:2' input: 's:1' }"));
    assert_true(has_message("not the branches of one condition"));
    assert_null(read_text(NODE("s", "Switch", "s")));
}

/* What somebody read before is no output of the model because the reader went elsewhere. */
static void test_consumed_exits(void **state) {
    (void)state;
    TfGraph *tf = read_text(
        LEAF("x", "Placeholder") LEAF("p", "Placeholder") SWITCH("s", "x", "p") NODE("t", "Abs", "s:1")
            NODE("u", "Neg", "s") "node { name: 'm' op: 'Merge' input: 't' input: 'u' }" NODE("y", "Abs", "m"));
    assert_non_null(tf);
    assert_true(tf->main.nodes[map_get(&tf->main.index, "m", 0)].consumed);
    assert_false(tf->main.nodes[map_get(&tf->main.index, "y", 0)].consumed);
}

/* A Const with an input is nonsense, but must not carry that input into another body. */
static void test_constant_with_inputs(void **state) {
    (void)state;
    TfGraph *tf = read_text(LEAF("x", "Placeholder") LEAF("p", "Placeholder")
                                SWITCH("s", "x", "p") "node { name: 'c' op: 'Const' input: 's' }\n" NODE(
                                    "t", "Abs", "s:1") "node { name: 'm' op: 'Merge' input: 'c' input: 't' }");
    assert_non_null(tf);
    check_all(tf);
    assert_int_equal(first(&attr_function(tf, first(&tf->main, "If"), "else_branch")->body, "Const")->n_inputs, 0);
}

/* Deeply nested branches are refused, not followed to the end of the stack. */
static void test_depth_is_bounded(void **state) {
    (void)state;
    Str text;
    str_init(&text, arena);
    str_add(&text, LEAF("x", "Placeholder"));
    for (int i = 0; i < 300; i++) str_printf(&text, "node { name: 'p%d' op: 'Placeholder' } ", i);
    for (int i = 0; i < 300; i++)
        str_printf(&text, "node { name: 's%d' op: 'Switch' input: '%s%d:1' input: 'p%d' } ", i, i ? "s" : "p",
                   i ? i - 1 : 0, i);
    for (int i = 299; i >= 0; i--)
        str_printf(&text, "node { name: 'm%d' op: 'Merge' input: 's%d:0' input: '%s%d:%d' } ", i, i,
                   i == 299 ? "s" : "m", i == 299 ? i : i + 1, i == 299);
    assert_null(read_text(str_text(&text)));
    assert_true(has_message("nested too deep"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nested_cond, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested_while, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_predicate_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant_predicate_is_pruned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_value_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_case, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_edges_stay_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_consumed_exits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant_with_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
