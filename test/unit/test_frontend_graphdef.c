/* GraphDefs: names, inputs, attributes, tensors, functions; every mistake reported, all at once. */
#include "frontend/tfgraph.h"

#include "messages.h"

static TfGraph *read_text(const char *text) {
    return tf_read_bytes(arena, text, strlen(text), "test.pbtxt", &d);
}

static const TfNode *node(const TfGraph *tf, const char *name) {
    const MapEntry *e = map_find(&tf->main.index, name);
    assert_non_null(e);
    return &tf->main.nodes[e->value];
}

static const Tensor *value(const TfGraph *tf, const char *name) {
    const TfAttr *a = tf_attr(node(tf, name), "value");
    assert_true(a && a->kind == TF_ATTR_TENSOR);
    return &a->v.tensor;
}

static void test_inputs(void **state) {
    (void)state;
    TfGraph *tf = read_text("node { name: 'x' op: 'Placeholder' } node { name: 's' op: 'Split' input: 'x' attr { key: "
                            "'num_split' value { i: 3 } } }\n"
                            "node { name: 'y' op: 'AddN' input: 's:2' input: 's' input: 'x:0' input: '^s' input: '^x' "
                            "} versions { producer: 7 }");
    assert_non_null(tf);
    const TfNode *y = node(tf, "y");
    assert_int_equal(y->n_inputs, 3);
    assert_int_equal(y->inputs[0].node, 1);
    assert_int_equal(y->inputs[0].output, 2);
    assert_int_equal(y->inputs[1].output, 0);
    assert_int_equal(y->inputs[2].node, 0);
    assert_int_equal(y->n_controls, 2);
    assert_int_equal(tf_output_count(node(tf, "s")), 3);
    assert_int_equal(tf->producer, 7);
}

static void test_all_mistakes_at_once(void **state) {
    (void)state;
    assert_null(read_text("node { name: 'a' op: 'Abs' input: 'nowhere' } node { name: 'a' op: 'Abs' } node { op: 'Abs' "
                          "} node { name: 'b' }\n"
                          "node { name: 'c' op: 'Abs' input: '^gone' input: 'a:2000000' } node { name: 'd' op: 'Abs' "
                          "input: '^a' input: 'a' }\n"
                          "node { name: 'k' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT "
                          "tensor_shape { dim { size: 2 } }\n"
                          "float_val: [1, 2, 3] } } } }"));
    assert_true(has_message_at("a", "there is no node 'nowhere'"));
    assert_true(has_message_at("a", "two nodes have this name"));
    assert_true(has_message_at(NULL, "node number 2 has no name"));
    assert_true(has_message_at("b", "has no op type"));
    assert_true(has_message_at("c", "waits for 'gone'"));
    assert_true(has_message_at("c", "no node has that many outputs"));
    assert_true(has_message_at("d", "after a control input"));
    assert_true(has_message_at("k", "3 values for a tensor of 2 elements"));
}

static void test_constants(void **state) {
    (void)state;
    static const char *const types[] = {"float32", "float64", "float16", "bfloat16", "int8",  "uint8",
                                        "int16",   "uint16",  "int32",   "uint32",   "int64", "uint64"};
    TfGraph *tf = tf_read(arena, "test/models/frontend/constants.pb", NULL, &d);
    assert_non_null(tf);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const Tensor *list = value(tf, arena_printf(arena, "list_%s", types[i])),
                     *splat = value(tf, arena_printf(arena, "splat_%s", types[i]));
        assert_string_equal(dtype_info(list->dtype)->tf_name, types[i]);
        assert_int_equal(tensor_count(list), 5);
        for (int64_t k = 0; k < 5; k++) assert_true(tensor_get_f64(list, k) == (double)(k + 1));
        assert_int_equal(splat->rank, 2);
        assert_int_equal(tensor_count(splat), 6);
        for (int64_t k = 0; k < 6; k++) assert_true(tensor_get_f64(splat, k) == 3.0);
    }
    const Tensor *bools = value(tf, "bools"), *complex = value(tf, "complex"), *strings = value(tf, "strings"),
                 *empty = value(tf, "empty");
    assert_memory_equal(bools->data, "\1\0\1", 3);
    float parts[4];
    memcpy(parts, complex->data, sizeof parts);
    assert_true(parts[0] == 1 && parts[1] == 2 && parts[2] == 3 && parts[3] == -4);
    const StringElement *s = strings->data;
    assert_int_equal(tensor_count(strings), 4);
    assert_int_equal(s[0].size, 1);
    assert_int_equal(s[1].size, 0);
    assert_int_equal(s[2].size, 100);
    assert_int_equal(s[3].size, 4);
    assert_memory_equal(s[3].data, "\xc3\xa9\0x", 4);
    assert_int_equal(tensor_count(empty), 0);
    assert_null(empty->data);
}

static TfGraph *read_tensor_text(const char *tensor) {
    return read_text(
        arena_printf(arena, "node { name: 'k' op: 'Const' attr { key: 'value' value { tensor { %s } } } }", tensor));
}

static void test_tensor_forms(void **state) {
    (void)state;
    TfGraph *tf = read_tensor_text("dtype: DT_INT32 tensor_shape { dim { size: 5 } } int_val: 1 int_val: 2");
    assert_int_equal(tensor_get_i64(value(tf, "k"), 1), 2);
    assert_int_equal(tensor_get_i64(value(tf, "k"), 4), 2);
    tf = read_tensor_text("dtype: DT_INT32 tensor_shape { dim { size: 2 } }");
    assert_int_equal(tensor_get_i64(value(tf, "k"), 1), 0);
    tf = read_tensor_text("dtype: DT_HALF tensor_shape { dim { size: 2 } } half_val: [0x3c00, 0xc000]");
    assert_true(tensor_get_f64(value(tf, "k"), 0) == 1.0 && tensor_get_f64(value(tf, "k"), 1) == -2.0);
    tf = read_tensor_text("dtype: DT_QINT8 tensor_shape { dim { size: 2 } } int_val: [-3, 4]");
    assert_int_equal(value(tf, "k")->dtype, DTYPE_S8);
    assert_int_equal(tensor_get_i64(value(tf, "k"), 0), -3);
    tf = read_tensor_text("dtype: DT_INT4 tensor_shape { dim { size: 2 } } tensor_content: '\\017\\007'");
    assert_int_equal(tensor_get_i64(value(tf, "k"), 0), -1);
    assert_int_equal(tensor_get_i64(value(tf, "k"), 1), 7);
    tf = read_tensor_text("dtype: DT_BOOL tensor_shape { dim { size: 2 } } tensor_content: '\\000\\377'");
    assert_memory_equal(value(tf, "k")->data, "\0\1", 2);
    tf = read_tensor_text("dtype: DT_STRING tensor_shape { dim { size: 2 } } tensor_content: '\\002\\001abc'");
    assert_memory_equal(((const StringElement *)value(tf, "k")->data)[1].data, "c", 1);
    assert_int_equal(d.n_errors, 0);
}

static void test_tensor_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *tensor, *why;
    } cases[] = {
        {"tensor_shape { }", "a tensor without a type"},
        {"dtype: DT_FLOAT tensor_shape { unknown_rank: true }", "unknown rank"},
        {"dtype: DT_FLOAT tensor_shape { dim { size: -1 } }", "with size -1 in dimension 0"},
        {"dtype: DT_FLOAT tensor_shape { dim { size: 4611686018427387904 } dim { size: 4 } }",
         "more elements than any memory"},
        {"dtype: DT_FLOAT tensor_shape { dim { size: 100000000000 } } float_val: 1", "a value repeated over"},
        {"dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: 'abc'",
         "3 bytes of content, but shape and type (f32) need 8"},
        {"dtype: DT_COMPLEX64 scomplex_val: 1", "1 numbers for complex values"},
        {"dtype: DT_STRING tensor_shape { dim { size: 2 } } tensor_content: '\\002\\001ab'",
         "string 1 runs past the end"},
        {"dtype: DT_FLOAT tensor_shape { dim { size: 0 } } tensor_content: 'abcd'", "for an empty tensor"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_null(read_tensor_text(cases[i].tensor));
        assert_true(has_message_at("k", cases[i].why));
        assert_true(has_message_at("k", "attribute 'value'"));
    }
}

static void test_attributes(void **state) {
    (void)state;
    TfGraph *tf = read_text(
        "node { name: 'p' op: 'Placeholder' attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } "
        "}\n"
        "attr { key: 'dtype' value { type: DT_FLOAT_REF } } attr { key: 'l' value { list { s: 'a' s: 'bc' } } }\n"
        "attr { key: 'none' value { list { } } } attr { key: 'f' value { func { name: 'g' } } } attr { key: 'x' value "
        "{ f: 0.5 } } }\n"
        "node { name: 'c' op: 'Conv2D' input: 'p' input: 'p' }");
    const TfNode *p = node(tf, "p"), *c = node(tf, "c");
    assert_int_equal(tf_attr(p, "shape")->v.shape.rank, 2);
    assert_int_equal(tf_attr(p, "shape")->v.shape.dims[0], -1);
    assert_int_equal(tf_attr_type(p, "dtype", DTYPE_NONE), DTYPE_F32);
    assert_int_equal(tf_attr(p, "l")->kind, TF_ATTR_LIST_STRING);
    assert_string_equal(tf_attr(p, "l")->v.strings[1].data, "bc");
    assert_int_equal(tf_attr(p, "none")->n, 0);
    assert_string_equal(tf_attr_string(p, "f", ""), "g");
    assert_true(tf_attr_float(p, "x", 0) == 0.5);
    assert_null(tf_attr(p, "absent"));
    /* What the graph leaves out has the value of the op's definition. */
    assert_string_equal(tf_attr_string(c, "data_format", "?"), "NHWC");
    assert_int_equal(tf_attr(c, "dilations")->n, 4);
    assert_int_equal(tf_attr_int(c, "use_cudnn_on_gpu", 0), 1);
}

static void test_functions(void **state) {
    (void)state;
    TfGraph *tf = tf_read(arena, "test/models/frontend/functions.pb", NULL, &d);
    assert_non_null(tf);
    const TfFunction *f = NULL;
    for (uint32_t i = 0; i < tf->n_functions; i++)
        if (map_find(&tf->functions[i].body.index, "TopKV2")) f = &tf->functions[i];
    assert_non_null(f);
    assert_int_equal(f->n_results, 2);
    assert_int_equal(f->arg_types[0], DTYPE_F32);
    /* "TopKV2:indices:0" is output 1, "split:output:1" output 1 as well */
    uint32_t found = 0;
    for (uint32_t i = 0; i < f->body.n_nodes; i++)
        for (uint32_t k = 0; k < f->body.nodes[i].n_inputs; k++) {
            TfInput in = f->body.nodes[i].inputs[k];
            if (!(in.node & TF_ARG) && strcmp(f->body.nodes[in.node].op, "TopKV2") == 0) found |= 1u << in.output;
            if (!(in.node & TF_ARG) && strcmp(f->body.nodes[in.node].op, "Split") == 0) found |= 4u << in.output;
        }
    assert_int_equal(found, 15);
}

static void test_function_mistakes(void **state) {
    (void)state;
    assert_null(read_text("library { function { signature { name: 'f' input_arg { name: 'a' type: DT_FLOAT } "
                          "output_arg { name: 'r' type: DT_FLOAT } output_arg { name: 'q' type: DT_FLOAT } }\n"
                          "node_def { name: 'n' op: 'TopKV2' input: 'a' input: 'a:1' input: 'm:0' } node_def { name: "
                          "'o' op: 'Abs' input: 'n:nothing:0' }\n"
                          "ret { key: 'r' value: 'gone:y:0' } } function { signature { name: 'f' } } function { } }"));
    assert_true(has_message_at("f", "node 'n' takes an argument that does not exist"));
    assert_true(has_message_at("f/n", "there is no node 'm'"));
    assert_true(has_message_at("n", "output 'nothing' is used, but the op has only values|indices"));
    assert_true(has_message_at("f", "there is no node 'gone'"));
    assert_true(has_message_at("f", "nothing is returned for the result 'q'"));
    assert_true(has_message_at("f", "two functions have this name"));
    assert_true(has_message_at(NULL, "function number 2 of the library has no name"));
}

/* Lengths that happen to be letters make a binary file begin like text. */
static void test_binary_that_begins_like_text(void **state) {
    (void)state;
    uint8_t bytes[99] = {0x0a, 'a', 0x0a, ':'};
    memset(bytes + 4, 'n', 58);
    bytes[62] = 0x12;
    bytes[63] = 35;
    memset(bytes + 64, 'O', 35);
    TfGraph *tf = tf_read_bytes(arena, bytes, sizeof bytes, "file.pb", &d);
    assert_non_null(tf);
    assert_int_equal(tf->main.n_nodes, 1);
}

static void test_other_kinds_of_files(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } cases[] = {
        {"", 0, "is empty"},
        {"<!DOCTYPE html>", 15, "an HTML page"},
        {"\x1f\x8b\x08", 3, "compressed with gzip"},
        {"\x89HDF\r\n\x1a\n", 8, "Keras HDF5"},
        {"\x20\0\0\0TFL3", 8, "TensorFlow Lite"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS pointer"},
        {"\x08\x01\x12\x02\x0a\x00", 6, "SavedModel"},
        {"\x0a\xff\xff\x01", 4, "not a valid GraphDef"},
        {"\x22\x02\x08\x01", 4, "holds no nodes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_null(tf_read_bytes(arena, cases[i].bytes, cases[i].n, "file", &d));
        assert_true(has_message_at(NULL, cases[i].why));
    }
    assert_null(tf_read(arena, "test/models/frontend/missing.pb", NULL, &d));
    assert_true(has_message_at(NULL, "cannot open"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_mistakes_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tensor_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tensor_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_functions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_function_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_binary_that_begins_like_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_kinds_of_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
