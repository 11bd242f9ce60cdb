/* Text format: what people and TensorFlow write, and messages that name the line. */
#include "base/str.h"
#include "frontend/tfgraph.h"

#include "frontend/message.h"
#include "graph.pb-c.h"
#include "messages.h"

static void *parse(const ProtobufCMessageDescriptor *type, const char *text) {
    return pbtxt_read(arena, type, text, strlen(text), &d);
}

static void test_forms(void **state) {
    (void)state;
    const Pb__GraphDef *g =
        parse(&pb__graph_def__descriptor,
              "# a comment\n"
              "node { name: \"a\" op: 'Const' ; attr: < key: \"dtype\", value { type: DT_FLOAT } > }\n"
              "node: { name: \"long\" \" name\" input: [\"a\", \"^b\"] unknown { x: [1, { y: 2 }] z: \"s\" } }\n"
              "versions { producer: 0x10 bad_consumers: [-1, 2] }");
    assert_non_null(g);
    assert_int_equal(g->n_node, 2);
    assert_string_equal(g->node[0]->op, "Const");
    assert_int_equal(g->node[0]->attr[0]->value->type, 1);
    assert_string_equal(g->node[1]->name, "long name");
    assert_int_equal(g->node[1]->n_input, 2);
    assert_int_equal(g->versions->producer, 16);
    assert_int_equal(g->versions->bad_consumers[0], -1);
}

static void test_values(void **state) {
    (void)state;
    const Pb__TensorProto *t =
        parse(&pb__tensor_proto__descriptor,
              "float_val: 1.5 float_val: -inf float_val: nan float_val: 2f double_val: [1e300, 3]\n"
              "bool_val: true bool_val: 0 int64_val: -9223372036854775808 uint64_val: 18446744073709551615\n"
              "tensor_content: \"\\001\\x41\\n\\\"\\u00e9\" string_val: ''");
    assert_non_null(t);
    assert_true(t->float_val[0] == 1.5f && t->float_val[1] < -3e38f && t->float_val[2] != t->float_val[2] &&
                t->float_val[3] == 2.0f);
    assert_true(t->double_val[0] == 1e300 && t->double_val[1] == 3.0);
    assert_true(t->bool_val[0] && !t->bool_val[1]);
    assert_true(t->int64_val[0] == INT64_MIN && t->uint64_val[0] == UINT64_MAX);
    assert_int_equal(t->tensor_content.len, 6);
    assert_memory_equal(t->tensor_content.data, "\001A\n\"\xc3\xa9", 6);
    assert_int_equal(t->n_string_val, 1);
}

static void test_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"node {\n  name: \"a\"\n", "line 3: the text ends inside a NodeDef; '}' is missing"},
        {"node {\n name: a }", "line 2: expected a string in quotes"},
        {"node { name: \"a }", "line 1: a string without an end"},
        {"versions { producer: 3000000000 }", "3000000000 does not fit in field 'producer'"},
        {"versions { producer: x1 }", "'x1' is no integer"},
        {"version: [1, 2]", "a list for 'version', which has one value"},
        {"\n\nnode \"a\"", "line 3: expected ':' or '{' after 'node'"},
        {"node { attr { value { type: DT_FLOT } } }", "'DT_FLOT' is no DataType"},
        {"node { attr { value { b: maybe } } }", "'maybe' is neither true nor false"},
        {"node { name: \"\\u12\" }", "a bad \\u escape"},
        {"}", "expected the name of a field in GraphDef, found '}'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_null(parse(&pb__graph_def__descriptor, cases[i].text));
        assert_non_null(strstr(d.entries.data[d.entries.len - 1].message, cases[i].why));
    }
}

static void test_depth_is_bounded(void **state) {
    (void)state;
    Str text;
    str_init(&text, arena);
    for (int i = 0; i < 300; i++) str_add(&text, "unknown {");
    assert_null(parse(&pb__graph_def__descriptor, str_text(&text)));
    str_init(&text, arena);
    str_add(&text, "name:\"\" ");
    for (int i = 0; i < 300; i++) str_add(&text, "attr { value { func { ");
    assert_null(parse(&pb__name_attr_list__descriptor, str_text(&text)));
    assert_non_null(strstr(d.entries.data[d.entries.len - 1].message, "inside each other"));
}

/* The same model in both forms is the same graph. */
static void test_same_as_binary(void **state) {
    (void)state;
    static const char *const models[] = {"cond_nested", "constants"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        TfGraph *binary = tf_read(arena, arena_printf(arena, "test/models/frontend/%s.pb", models[i]), NULL, &d);
        TfGraph *text = tf_read(arena, arena_printf(arena, "test/models/frontend/%s.pbtxt", models[i]), NULL, &d);
        assert_true(binary && text);
        assert_int_equal(binary->main.n_nodes, text->main.n_nodes);
        for (uint32_t k = 0; k < binary->main.n_nodes; k++) {
            const TfNode *a = &binary->main.nodes[k], *b = &text->main.nodes[k];
            assert_string_equal(a->name, b->name);
            assert_string_equal(a->op, b->op);
            assert_int_equal(a->n_attrs, b->n_attrs);
            const TfAttr *x = tf_attr(a, "value"), *y = tf_attr(b, "value");
            if (x) assert_true(tensor_equal(&x->v.tensor, &y->v.tensor));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_as_binary, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
