/* Import: graphs written as text, read and imported; what is asked for is their shape, their ops, or the messages.
   Numbers are compared with TensorFlow's by the conformance suites. */
#include "frontend/import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cmocka needs the above */
#include <cmocka.h>

typedef struct {
    Arena *arena;
    Diag d;
    Str text;
} World;

static World begin(void) {
    World w = {.arena = arena_new()};
    diag_init(&w.d, w.arena, NULL);
    str_init(&w.text, w.arena);
    return w;
}

/* A node; inputs are separated by spaces, attributes are "name:value" pairs of the text format's `attr { key … value {
 * … } }`. */
static void put(Str *s, const char *name, const char *op, const char *inputs, const char *attrs) {
    str_printf(s, "node { name: \"%s\" op: \"%s\" ", name, op);
    while (*inputs) {
        size_t n = strcspn(inputs, " ");
        str_printf(s, "input: \"%.*s\" ", (int)n, inputs);
        inputs += n + (inputs[n] == ' ');
    }
    str_printf(s, "%s }\n", attrs);
}

static void node(World *w, const char *name, const char *op, const char *inputs, const char *attrs) {
    put(&w->text, name, op, inputs, attrs);
}

/* A placeholder; dims are separated by commas, -1 is unknown, "" a scalar. */
static void placeholder(World *w, const char *name, const char *dtype, const char *dims) {
    Str attrs;
    str_init(&attrs, w->arena);
    str_printf(&attrs, "attr { key: \"dtype\" value { type: %s } } attr { key: \"shape\" value { shape {", dtype);
    while (*dims) {
        size_t n = strcspn(dims, ",");
        str_printf(&attrs, " dim { size: %.*s }", (int)n, dims);
        dims += n + (dims[n] == ',');
    }
    str_add(&attrs, " } } }");
    node(w, name, "Placeholder", "", str_text(&attrs));
}

/* An s32 constant; a scalar when n is 0. */
static void ints(World *w, const char *name, int n, const int *values) {
    Str attrs;
    str_init(&attrs, w->arena);
    str_add(&attrs, "attr { key: \"dtype\" value { type: DT_INT32 } } attr { key: \"value\" value { tensor { dtype: "
                    "DT_INT32 tensor_shape {");
    if (n) str_printf(&attrs, " dim { size: %d }", n);
    str_add(&attrs, " }");
    for (int i = 0; i < (n ? n : 1); i++) str_printf(&attrs, " int_val: %d", values[i]);
    str_add(&attrs, " } } }");
    node(w, name, "Const", "", str_text(&attrs));
}

static void integer(World *w, const char *name, int v) {
    ints(w, name, 0, &v);
}

static Graph *import(World *w, const char *output) {
    char *directory = file_make_temp_dir(w->arena, &w->d);
    const char *path = arena_printf(w->arena, "%s/graph.pbtxt", directory);
    str_add(&w->text, "versions { producer: 1395 }\n");
    assert_true(file_write(w->arena, path, str_text(&w->text), w->text.len, &w->d));
    ReadOptions read = {0};
    TfGraph *tf = tf_read(w->arena, path, &read, &w->d);
    file_remove_tree(directory);
    ImportOptions options = {.outputs = &output, .n_outputs = output ? 1 : 0};
    Graph *g = tf ? import_graph(w->arena, tf, &options, &w->d) : NULL;
    if (g) graph_verify(g, STAGE_IMPORTED);
    return g;
}

static const char *shape_text(World *w, const Graph *g) {
    Str s;
    str_init(&s, w->arena);
    shape_print(&g->dims, &value_at(g, region_at(g, g->root)->results.data[0])->shape, &s);
    return str_text(&s);
}

static int count_ops(const Graph *g, OpId op) {
    int n = 0;
    for (uint32_t i = 1; i < g->nodes.len; i++) n += !g->nodes.data[i].dead && g->nodes.data[i].op == op;
    return n;
}

static bool says(const World *w, const char *text) {
    for (uint32_t i = 0; i < w->d.entries.len; i++)
        if (strstr(w->d.entries.data[i].message, text)) return true;
    return false;
}

#define FLOAT "attr { key: \"T\" value { type: DT_FLOAT } }"

static void test_only_what_is_needed(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "-1,3");
    placeholder(&w, "unused", "DT_FLOAT", "2");
    node(&w, "y", "Relu", "x", FLOAT);
    node(&w, "dead", "NoSuchOp", "unused", "");
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_int_equal(g->inputs.len, 1);
    assert_string_equal(shape_text(&w, g), "[batch,3]");
    arena_free(w.arena);
}

static void test_gathered_results_are_outputs(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "2,3");
    node(&w, "y", "Relu", "x", FLOAT);
    node(&w, "all", "IdentityN", "y x", "attr { key: \"T\" value { list { type: [ DT_FLOAT, DT_FLOAT ] } } }");
    Graph *g = import(&w, NULL);
    assert_non_null(g);
    assert_int_equal(g->outputs.len, 2);
    assert_string_equal(g->outputs.data[0].name, "all");
    assert_string_equal(g->outputs.data[1].name, "all:1");
    arena_free(w.arena);
}

static void test_all_unsupported_ops_are_reported(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "a", "NoSuchOp", "x", "");
    node(&w, "b", "Relu", "a", FLOAT);
    node(&w, "c", "NoOtherOp", "x", "");
    node(&w, "y", "AddV2", "b c", FLOAT);
    assert_null(import(&w, "y"));
    assert_int_equal(w.d.n_errors, 2);
    assert_int_equal(diag_exit_code(&w.d), EXIT_UNSUPPORTED);
    arena_free(w.arena);
}

static void test_cycles_and_missing_inputs(void **state) {
    (void)state;
    World w = begin();
    node(&w, "a", "Relu", "b", FLOAT);
    node(&w, "b", "Relu", "a", FLOAT);
    assert_null(import(&w, "a"));
    assert_true(says(&w, "cycle"));
    arena_free(w.arena);
    w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "y", "AddV2", "x", FLOAT);
    assert_null(import(&w, "y"));
    assert_true(says(&w, "needs 2"));
    arena_free(w.arena);
}

static bool first_dims_are_one(const char *dims, bool has_product) {
    World w = begin();
    placeholder(&w, "a", "DT_FLOAT", dims);
    placeholder(&w, "b", "DT_FLOAT", dims);
    node(&w, "y", "AddV2", "a b", FLOAT);
    if (has_product) node(&w, "p", "MatMul", "y y", FLOAT);
    Graph *g = import(&w, "y");
    assert_non_null(g);
    const Region *root = region_at(g, g->root);
    bool same =
        dim_equal(value_at(g, root->params.data[0])->shape.dims[0], value_at(g, root->params.data[1])->shape.dims[0]);
    arena_free(w.arena);
    return same;
}

static void test_first_dims_are_a_batch_only_where_nothing_else_makes_sense(void **state) {
    (void)state;
    assert_true(first_dims_are_one("-1,3", true));
    assert_false(first_dims_are_one("-1,3", false)); /* [0,3] + [1,3] is fine */
    assert_false(first_dims_are_one("-1", true));
    assert_false(first_dims_are_one("-1,-1", true));
}

/* Queries and documents of a product: their numbers have nothing to do with each other. */
static void test_first_dims_that_never_meet_are_no_batch(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "a", "DT_FLOAT", "-1,3");
    placeholder(&w, "b", "DT_FLOAT", "-1,3");
    node(&w, "y", "MatMul", "a b", FLOAT "attr { key: \"transpose_b\" value { b: true } }");
    Graph *g = import(&w, "y");
    assert_non_null(g);
    const Region *root = region_at(g, g->root);
    assert_false(
        dim_equal(value_at(g, root->params.data[0])->shape.dims[0], value_at(g, root->params.data[1])->shape.dims[0]));
    arena_free(w.arena);
}

#define CONV                                                                                                           \
    "attr { key: \"strides\" value { list { i: 1 i: %d i: %d i: %d } } } attr { key: \"padding\" value { s: \"SAME\" " \
    "} }"                                                                                                              \
    "attr { key: \"data_format\" value { s: \"%s\" } }"

static void test_convolution(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "-1,7,8,3");
    placeholder(&w, "f", "DT_FLOAT", "3,3,3,5");
    node(&w, "y", "Conv2D", "x f", arena_printf(w.arena, CONV FLOAT, 2, 2, 1, "NHWC"));
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_string_equal(shape_text(&w, g), "[batch,4,4,5]");
    arena_free(w.arena);
    w = begin();
    placeholder(&w, "x", "DT_FLOAT", "2,4,7,8");
    placeholder(&w, "f", "DT_FLOAT", "3,3,2,6");
    node(&w, "y", "Conv2D", "x f", arena_printf(w.arena, CONV FLOAT, 1, 2, 2, "NCHW"));
    g = import(&w, "y");
    assert_non_null(g);
    assert_string_equal(shape_text(&w, g), "[2,6,4,4]"); /* two groups */
    assert_int_equal(count_ops(g, OP_TRANSPOSE), 2);
    arena_free(w.arena);
}

static void test_strided_slice_masks(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "-1,5,6,7");
    ints(&w, "begin", 4, (int[]){0, 0, 0, 6});
    ints(&w, "end", 4, (int[]){0, 0, 0, 0});
    ints(&w, "strides", 4, (int[]){1, 1, 1, -2});
    /* x[..., newaxis, 0, 6:0:-2] */
    node(&w, "y", "StridedSlice", "x begin end strides",
         "attr { key: \"ellipsis_mask\" value { i: 1 } } attr { key: \"new_axis_mask\" value { i: 2 } } attr { key: "
         "\"shrink_axis_mask\" value { i: 4 } }" FLOAT "attr { key: \"Index\" value { type: DT_INT32 } }");
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_string_equal(shape_text(&w, g), "[batch,5,1,3]");
    arena_free(w.arena);
}

static void test_shape_arithmetic_stays_symbolic(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "-1,4,6");
    node(&w, "shape", "Shape", "x", FLOAT);
    ints(&w, "zero", 1, (int[]){0});
    ints(&w, "one", 1, (int[]){1});
    node(&w, "batch", "StridedSlice", "shape zero one one",
         "attr { key: \"shrink_axis_mask\" value { i: 1 } } attr { key: \"T\" value { type: DT_INT32 } }");
    integer(&w, "rest", -1);
    node(&w, "to", "Pack", "batch rest",
         "attr { key: \"T\" value { type: DT_INT32 } } attr { key: \"N\" value { i: 2 } }");
    node(&w, "y", "Reshape", "x to", FLOAT);
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_string_equal(shape_text(&w, g), "[batch,24]");
    assert_int_equal(count_ops(g, OP_LOAD_DIMS), 0);
    arena_free(w.arena);
}

static void test_sizes_of_the_run(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "");
    placeholder(&w, "n", "DT_INT32", "2");
    node(&w, "y", "Fill", "n x", FLOAT);
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_int_equal(count_ops(g, OP_LOAD_DIMS), 1);
    arena_free(w.arena);
}

static void test_axis_of_the_run(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3,4");
    placeholder(&w, "axis", "DT_INT32", "");
    node(&w, "y", "Cumsum", "x axis", FLOAT);
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_int_equal(count_ops(g, OP_CASE), 1);
    assert_int_equal(count_ops(g, OP_CUMULATE), 2);
    assert_string_equal(shape_text(&w, g), "[3,4]");
    arena_free(w.arena);
}

static void test_variables_do_not_change(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "v", "VariableV2", "", "attr { key: \"dtype\" value { type: DT_FLOAT } }");
    node(&w, "y", "AssignAdd", "v x", FLOAT);
    assert_null(import(&w, "y"));
    assert_true(w.d.n_errors > 0);
    arena_free(w.arena);
}

static void test_inputs_that_contradict_their_node(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    placeholder(&w, "n", "DT_INT32", "3");
    node(&w, "a", "Neg", "x", "attr { key: \"T\" value { type: DT_INT32 } }");
    node(&w, "b", "AddV2", "x n", FLOAT);
    node(&w, "c", "AddN", "x x", FLOAT "attr { key: \"N\" value { i: 3 } }");
    node(&w, "d", "Relu", "x x", FLOAT);
    node(&w, "y", "IdentityN", "a b c d",
         "attr { key: \"T\" value { list { type: DT_INT32 type: DT_FLOAT type: DT_FLOAT type: DT_FLOAT } } }");
    assert_null(import(&w, "y"));
    assert_int_equal(w.d.n_errors, 4);
    assert_true(says(&w, "input 0 is of type float32, the node says int32"));
    assert_true(says(&w, "input 1 is of type int32, the node says float32"));
    assert_true(says(&w, "has 2 inputs, needs 3"));
    assert_true(says(&w, "has 2 inputs, needs 1"));
    assert_int_equal(diag_exit_code(&w.d), 1);
    arena_free(w.arena);
}

static void test_a_node_that_waits_for_itself(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "y", "Relu", "x ^y", FLOAT);
    assert_null(import(&w, "y"));
    assert_true(says(&w, "waits for itself"));
    arena_free(w.arena);
}

static void test_nodes_that_wait_for_each_other(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "a", "Relu", "x ^c", FLOAT);
    node(&w, "b", "Neg", "a", FLOAT);
    node(&w, "c", "NoOp", "^b", "");
    node(&w, "y", "Relu", "x", FLOAT); /* needs none of them: TensorFlow refuses the graph all the same */
    assert_null(import(&w, "y"));
    assert_true(says(&w, "is part of a cycle through"));
    assert_true(says(&w, "'b'"));
    assert_int_equal(diag_exit_code(&w.d), 1);
    arena_free(w.arena);
}

/* ---- functions */

static void function(World *w, const char *name, const char *args, const char *results, const char *nodes,
                     const char *returns) {
    str_printf(&w->text, "library { function { signature { name: \"%s\" %s %s } %s %s } }\n", name, args, results,
               nodes, returns);
}

#define FN_ARG(name, type) "input_arg { name: \"" name "\" type: " type " } "
#define FN_OUT(name, type) "output_arg { name: \"" name "\" type: " type " } "
#define FN_RET(key, value) "ret { key: \"" key "\" value: \"" value "\" } "

/* TensorFlow leaves sizes of 0 out on both sides when it looks for the rest. */
static void test_rest_of_nothing(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "0,6,-1");
    ints(&w, "to", 3, (int[]){3, 0, -1});
    node(&w, "y", "Reshape", "x to", FLOAT);
    Graph *g = import(&w, "y");
    assert_non_null(g);
    assert_string_equal(shape_text(&w, g), "[3,0,max(s0,1)*2]");
    arena_free(w.arena);
}

static void test_element_types_that_do_not_exist(void **state) {
    (void)state;
    World w = begin();
    ints(&w, "shape", 1, (int[]){3});
    integer(&w, "n", 2);
    node(&w, "l", "TensorListReserve", "shape n", "attr { key: \"element_dtype\" value { type: 99 } }");
    node(&w, "y", "TensorListLength", "l", "");
    assert_null(import(&w, "y"));
    assert_true(says(&w, "element type does not exist"));
    arena_free(w.arena);
}

static void test_recursion_is_refused(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "3");
    node(&w, "y", "f", "x", "");
    function(&w, "f", FN_ARG("a", "DT_FLOAT"), FN_OUT("r", "DT_FLOAT"),
             "node_def { name: \"again\" op: \"f\" input: \"a\" }", FN_RET("r", "again:r:0"));
    assert_null(import(&w, "y"));
    assert_true(says(&w, "calls itself"));
    arena_free(w.arena);
}

/* A loop that pushes x on an empty list i times: the list's length is known only at run time. */
static void test_a_loop_may_grow_its_list(void **state) {
    (void)state;
    World w = begin();
    placeholder(&w, "x", "DT_FLOAT", "-1,3");
    placeholder(&w, "n", "DT_INT32", "");
    integer(&w, "zero", 0);
    integer(&w, "unknown", -1);
    node(&w, "list", "EmptyTensorList", "unknown unknown",
         "attr { key: \"element_dtype\" value { type: DT_FLOAT } } attr { key: \"shape_type\" value { type: DT_INT32 } "
         "}");
    node(&w, "loop", "While", "zero n list x",
         "attr { key: \"cond\" value { func { name: \"less\" } } } attr { key: \"body\" value { func { name: \"push\" "
         "} } }"
         "attr { key: \"T\" value { list { type: DT_INT32 type: DT_INT32 type: DT_VARIANT type: DT_FLOAT } } }");
    node(&w, "y", "TensorListStack", "loop:2 unknown", "attr { key: \"element_dtype\" value { type: DT_FLOAT } }");
#define ARGS FN_ARG("i", "DT_INT32") FN_ARG("n", "DT_INT32") FN_ARG("list", "DT_VARIANT") FN_ARG("x", "DT_FLOAT")
    function(&w, "less", ARGS, FN_OUT("more", "DT_BOOL"),
             "node_def { name: \"less\" op: \"Less\" input: \"i\" input: \"n\" attr { key: \"T\" value { type: "
             "DT_INT32 } } }",
             FN_RET("more", "less:z:0"));
    function(&w, "push", ARGS,
             FN_OUT("i2", "DT_INT32") FN_OUT("n2", "DT_INT32") FN_OUT("list2", "DT_VARIANT") FN_OUT("x2", "DT_FLOAT"),
             "node_def { name: \"one\" op: \"Const\" attr { key: \"dtype\" value { type: DT_INT32 } }"
             " attr { key: \"value\" value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 } } } }"
             "node_def { name: \"add\" op: \"AddV2\" input: \"i\" input: \"one:output:0\" attr { key: \"T\" value { "
             "type: DT_INT32 } } }"
             "node_def { name: \"push\" op: \"TensorListPushBack\" input: \"list\" input: \"x\" attr { key: "
             "\"element_dtype\" value { type: DT_FLOAT } } }",
             FN_RET("i2", "add:z:0") FN_RET("n2", "n") FN_RET("list2", "push:output_handle:0") FN_RET("x2", "x"));
    Graph *g = import(&w, "y");
    assert_non_null(g);
    const Shape *s = &value_at(g, region_at(g, g->root)->results.data[0])->shape;
    assert_int_equal(s->rank, 3);
    assert_false(dim_is_const(s->dims[0]));
    assert_true(dim_is(s->dims[2], 3));
    assert_int_equal(count_ops(g, OP_WHILE), 1);
    arena_free(w.arena);
}

/* Both branches are imported; a constant condition leaves only one. */
static void test_branches(void **state) {
    (void)state;
    for (int constant = 0; constant < 2; constant++) {
        World w = begin();
        placeholder(&w, "x", "DT_FLOAT", "3");
        placeholder(&w, "p", "DT_BOOL", "");
        node(&w, "yes", "Const", "",
             "attr { key: \"dtype\" value { type: DT_BOOL } } attr { key: \"value\" value { tensor { dtype: DT_BOOL "
             "tensor_shape { } bool_val: true } } }");
        node(&w, "y", "StatelessIf", constant ? "yes x" : "p x",
             "attr { key: \"then_branch\" value { func { name: \"exp\" } } } attr { key: \"else_branch\" value { func "
             "{ name: \"neg\" } } }"
             "attr { key: \"Tout\" value { list { type: DT_FLOAT } } }");
        function(&w, "exp", FN_ARG("a", "DT_FLOAT"), FN_OUT("r", "DT_FLOAT"),
                 "node_def { name: \"e\" op: \"Exp\" input: \"a\" " FLOAT " }", FN_RET("r", "e:y:0"));
        function(&w, "neg", FN_ARG("a", "DT_FLOAT"), FN_OUT("r", "DT_FLOAT"),
                 "node_def { name: \"n\" op: \"Neg\" input: \"a\" " FLOAT " }", FN_RET("r", "n:y:0"));
        Graph *g = import(&w, "y");
        assert_non_null(g);
        assert_int_equal(count_ops(g, OP_IF), constant ? 0 : 1);
        assert_int_equal(count_ops(g, OP_NEG), constant ? 0 : 1);
        assert_string_equal(shape_text(&w, g), "[3]");
        arena_free(w.arena);
    }
}

static void test_einsum_shapes(void **state) {
    (void)state;
    static const struct {
        const char *equation, *shape;
    } cases[] = {{"bij,bjk->bik", "[2,3,5]"},
                 {"bij,bjk->kb", "[5,2]"},
                 {"...ij,...jk->...ki", "[2,5,3]"},
                 {"bij,cjk->bcik", "[2,2,3,5]"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        World w = begin();
        placeholder(&w, "a", "DT_FLOAT", "2,3,4");
        placeholder(&w, "b", "DT_FLOAT", "2,4,5");
        node(&w, "y", "Einsum", "a b",
             arena_printf(w.arena,
                          "attr { key: \"equation\" value { s: \"%s\" } } attr { key: \"N\" value { i: 2 } }" FLOAT,
                          cases[i].equation));
        Graph *g = import(&w, "y");
        assert_non_null(g);
        assert_string_equal(shape_text(&w, g), cases[i].shape);
        arena_free(w.arena);
    }
}

static void stack_graph(World *w, const char *pop_controls) {
    placeholder(w, "x", "DT_FLOAT", "3");
    placeholder(w, "y", "DT_FLOAT", "5");
    integer(w, "limit", 4);
    node(w, "stack", "StackV2", "limit", "attr { key: \"elem_type\" value { type: DT_FLOAT } }");
    node(w, "push", "StackPushV2", "stack x", "");
    node(w, "push2", "StackPushV2", "stack y ^push", "");
    node(w, "pop", "StackPopV2", pop_controls, "");
    node(w, "pop2", "StackPopV2", "stack ^pop", "");
}

static void test_stack_gives_back_in_reverse(void **state) {
    (void)state;
    World w = begin();
    stack_graph(&w, "stack ^push2");
    assert_string_equal(shape_text(&w, import(&w, "pop2")), "[3]");
    World last = begin();
    stack_graph(&last, "stack ^push2");
    assert_string_equal(shape_text(&last, import(&last, "pop")), "[5]");
    World none = begin();
    stack_graph(&none, "stack");
    assert_null(import(&none, "pop"));
    assert_true(says(&none, "to which nothing was pushed before"));
    arena_free(w.arena);
    arena_free(last.arena);
    arena_free(none.arena);
}

static void test_table_has_no_doubles(void **state) {
    (void)state;
    uint32_t n;
    const TfOpRow *rows = tf_op_table(&n);
    for (uint32_t i = 0; i < n; i++) assert_ptr_equal(tf_op_find(rows[i].name), &rows[i]);
    assert_null(tf_op_find("NoSuchOp"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_needed),
        cmocka_unit_test(test_gathered_results_are_outputs),
        cmocka_unit_test(test_all_unsupported_ops_are_reported),
        cmocka_unit_test(test_cycles_and_missing_inputs),
        cmocka_unit_test(test_first_dims_are_a_batch_only_where_nothing_else_makes_sense),
        cmocka_unit_test(test_first_dims_that_never_meet_are_no_batch),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_strided_slice_masks),
        cmocka_unit_test(test_shape_arithmetic_stays_symbolic),
        cmocka_unit_test(test_sizes_of_the_run),
        cmocka_unit_test(test_axis_of_the_run),
        cmocka_unit_test(test_variables_do_not_change),
        cmocka_unit_test(test_inputs_that_contradict_their_node),
        cmocka_unit_test(test_a_node_that_waits_for_itself),
        cmocka_unit_test(test_nodes_that_wait_for_each_other),
        cmocka_unit_test(test_rest_of_nothing),
        cmocka_unit_test(test_element_types_that_do_not_exist),
        cmocka_unit_test(test_recursion_is_refused),
        cmocka_unit_test(test_a_loop_may_grow_its_list),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_einsum_shapes),
        cmocka_unit_test(test_stack_gives_back_in_reverse),
        cmocka_unit_test(test_table_has_no_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
