/* Ops that the user brings: what is wrong with a library, and what a shape function sees and may say. */
#include "ir/custom.h"

#include "messages.h"

static int32_t kernel(TfoptHostCall *call) {
    return call ? TFOPT_OK : TFOPT_FAILED;
}

/* Result 0: the first input with its dims turned around; result 1: as many rows as the first input, and something that
   only running tells; an attribute makes it fail. */
static int32_t shape(TfoptShapeCall *call) {
    const TfoptTensorType *x = &call->inputs[0];
    if (tfopt_op_int(call, "fail", 0)) return tfopt_op_fail(call, TFOPT_INVALID_ARGUMENT, "told to fail");
    call->outputs[0] = *x;
    for (int32_t k = 0; k < x->rank; k++) call->outputs[0].dims[k] = x->dims[x->rank - 1 - k];
    call->outputs[1] = (TfoptTensorType){.dtype = TFOPT_S64, .rank = 2, .dims = {x->dims[0], TFOPT_DIM_RUN_TIME}};
    const TfoptTensor *n = call->n_inputs > 1 ? call->inputs[1].value : NULL;
    if (n) call->outputs[1].dims[1] = ((const int32_t *)n->data)[0];
    return TFOPT_OK;
}

static bool add(CustomOps *ops, const char *name, const char *outputs, const char *symbol, uint32_t version) {
    TfoptOp *op = NEW(arena, TfoptOp);
    *op = (TfoptOp){name, outputs, symbol, kernel, shape};
    TfoptOpLibrary *library = NEW(arena, TfoptOpLibrary);
    *library = (TfoptOpLibrary){TFOPT_OP_VERSION, version, 1, 0, op};
    return custom_ops_add(ops, arena, library, "lib.so", &d);
}

static void test_libraries(void **state) {
    (void)state;
    CustomOps ops = {0};
    assert_true(add(&ops, "One", "y", "one", TFOPT_ABI_VERSION));
    assert_true(add(&ops, "Two", "a|b", "two", TFOPT_ABI_VERSION));
    assert_true(add(&ops, "Many", "a|parts:N", "many", TFOPT_ABI_VERSION));
    assert_int_equal(ops.n, 3);
    assert_int_equal(custom_op_find(&ops, "Two")->n_results, 2);
    assert_int_equal(custom_op_find(&ops, "Many")->n_results, -1);
    assert_null(custom_op_find(&ops, "Three"));
    assert_null(custom_op_find(NULL, "One"));
    assert_false(add(&ops, "One", "y", "one", TFOPT_ABI_VERSION));
    assert_true(has_message("registered twice"));
    assert_false(add(&ops, "Old", "y", "old", TFOPT_ABI_VERSION + 1));
    assert_true(has_message("another version"));
    const char *const bad_outputs[] = {"", "|", "a|", "|a", "a:", ":N", "a||b", "a:N|"};
    for (size_t i = 0; i < ARRAY_LEN(bad_outputs); i++)
        assert_false(add(&ops, "Bad", bad_outputs[i], "bad", TFOPT_ABI_VERSION));
    assert_true(has_message("no names of outputs"));
    assert_false(add(&ops, "Bad", "y", "not a name", TFOPT_ABI_VERSION));
    assert_true(has_message("no C identifier"));
    assert_false(add(&ops, NULL, "y", "bad", TFOPT_ABI_VERSION));
    assert_false(custom_ops_add(&ops, arena, NULL, "lib.so", &d));
    assert_int_equal(ops.n, 3);
}

static void test_shapes(void **state) {
    (void)state;
    CustomOps ops = {0};
    assert_true(add(&ops, "Turn", "a|b", "turn", TFOPT_ABI_VERSION));
    Graph *g = graph_new(arena, "g");
    Dim batch = dim_symbol(&g->dims, "batch", 1, 64), rest = dim_symbol(&g->dims, "rest", 0, INT64_MAX);
    Shape in = {.rank = 3, .dims = {batch, dim_const(5), rest}};
    ValueId x = graph_add_param(g, g->root, DTYPE_F32, &in, "x");
    Tensor seven = tensor_scalar_i64(arena, DTYPE_S32, 7);
    ValueId inputs[] = {x, build_const(g, g->root, &seven, "seven")};
    NodeSpec spec = {
        .op = OP_HOST, .name = "turn", .tf_op = "Turn", .host = &ops.ops[0], .inputs = inputs, .n_inputs = 1};
    NodeId n = graph_add(g, g->root, &spec, &d);
    assert_int_not_equal(n.i, 0);
    const Value *a = value_at(g, node_at(g, n)->outputs[0]), *b = value_at(g, node_at(g, n)->outputs[1]);
    assert_int_equal(a->dtype, DTYPE_F32);
    assert_true(dim_equal(a->shape.dims[0], rest) && dim_equal(a->shape.dims[2], batch));
    assert_int_equal(a->shape.dims[1].value, 5);
    assert_true(dim_equal(b->shape.dims[0], batch));
    assert_false(dim_is_const(b->shape.dims[1]));
    Dim fresh = b->shape.dims[1];
    assert_false(graph_infer(g, n, &d)); /* the run-time size keeps its symbol */
    assert_true(dim_equal(value_at(g, node_at(g, n)->outputs[1])->shape.dims[1], fresh));
    spec.n_inputs = 2; /* the second input is known while compiling */
    n = graph_add(g, g->root, &spec, &d);
    assert_int_equal(value_at(g, node_at(g, n)->outputs[1])->shape.dims[1].value, 7);
    Attr fail = attr_int("fail", 1);
    spec.attrs = &fail, spec.n_attrs = 1;
    assert_int_equal(graph_add(g, g->root, &spec, &d).i, 0);
    assert_true(has_message("told to fail"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_libraries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
