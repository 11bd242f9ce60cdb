/* Graph: adding, attributes, uses, sorting behind definers of symbols; tensors' element access; tables. */
#include "ir/graph.h"
#include "ir/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

typedef struct {
    Arena *arena;
    Graph *g;
    Diag d;
    ValueId x;
} Fixture;

static void setup(Fixture *f) {
    f->arena = arena_new();
    f->g = graph_new(f->arena, "test");
    diag_init(&f->d, f->arena, NULL);
    Shape s = shape_of(2, (int64_t[]){2, 3});
    f->x = graph_add_param(f->g, f->g->root, DTYPE_F32, &s, "x");
}

static void failures_leave_no_trace(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    uint32_t nodes = f.g->nodes.len, values = f.g->values.len;
    Attr unknown = attr_int("nonsense", 3);
    assert_int_equal(build_op(f.g, f.g->root, OP_NEG, "bad", 1, &f.x, 1, &unknown, &f.d).i, 0);
    assert_int_equal(build_op(f.g, f.g->root, OP_REDUCE, "bad", 1, &f.x, 0, NULL, &f.d).i, 0);
    assert_int_equal(build_op(f.g, f.g->root, OP_ADD, "bad", 1, &f.x, 0, NULL, &f.d).i, 0);
    Attr twice[] = {attr_type("dtype", DTYPE_F16), attr_type("dtype", DTYPE_F16)};
    assert_int_equal(build_op(f.g, f.g->root, OP_CAST, "bad", 1, &f.x, 2, twice, &f.d).i, 0);
    assert_int_equal(f.d.n_errors, 4);
    assert_int_equal(build_unary(f.g, f.g->root, OP_NEG, (ValueId){0}, "after", &f.d).i, 0);
    assert_int_equal(f.d.n_errors, 4);
    assert_int_equal(f.g->nodes.len, nodes);
    assert_int_equal(f.g->values.len, values);
    arena_free(f.arena);
}

static void uses_are_counted_and_replaced(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    ValueId a = build_unary(f.g, f.g->root, OP_NEG, f.x, "a", &f.d),
            b = build_binary(f.g, f.g->root, OP_ADD, a, a, "b", &f.d);
    vec_push(f.arena, &region_at(f.g, f.g->root)->results, b);
    vec_push(f.arena, &region_at(f.g, f.g->root)->results, a);
    uint32_t *uses = graph_count_uses(f.g, f.arena);
    assert_int_equal(uses[a.i], 3);
    Users *users = graph_users(f.g, f.arena);
    assert_int_equal(users[a.i].n, 1);
    assert_true(users[a.i].is_result && users[b.i].is_result && !users[f.x.i].is_result);
    graph_replace_uses(f.g, a, f.x);
    graph_remove(f.g, value_at(f.g, a)->def);
    graph_sort(f.g);
    graph_verify(f.g, STAGE_SHAPED);
    assert_int_equal(region_at(f.g, f.g->root)->nodes.len, 1);
    assert_int_equal(region_at(f.g, f.g->root)->results.data[1].i, f.x.i);
    arena_free(f.arena);
}

/* Nodes appended out of order are put behind what they use, also when they use only a symbol that a node sets. */
static void sorting_respects_symbols(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim s = dim_symbol(&f.g->dims, "count", 0, 10);
    ValueId late = build_dims(f.g, f.g->root, DTYPE_S32, 0, 1, &s, "late");
    Shape one = shape_of(1, (int64_t[]){1});
    ValueId n = graph_add_param(f.g, f.g->root, DTYPE_S32, &one, "n");
    int64_t symbol = 0;
    Attr a = attr_ints(f.arena, "symbols", 1, &symbol);
    build_op(f.g, f.g->root, OP_LOAD_DIMS, "load", 1, &n, 1, &a, &f.d);
    vec_push(f.arena, &region_at(f.g, f.g->root)->results, late);
    graph_sort(f.g);
    graph_verify(f.g, STAGE_SHAPED);
    assert_int_equal(node_at(f.g, region_at(f.g, f.g->root)->nodes.data[0])->op, OP_LOAD_DIMS);
    arena_free(f.arena);
}

static void deep_graphs_are_sorted_without_recursion(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    ValueId v = f.x;
    for (int i = 0; i < 50000; i++) v = build_unary(f.g, f.g->root, OP_NEG, v, "", &f.d);
    Region *r = region_at(f.g, f.g->root);
    vec_push(f.arena, &r->results, v);
    for (uint32_t i = 0, k = r->nodes.len - 1; i < k; i++, k--) {
        NodeId swap = r->nodes.data[i];
        r->nodes.data[i] = r->nodes.data[k];
        r->nodes.data[k] = swap;
    }
    graph_sort(f.g);
    graph_verify(f.g, STAGE_SHAPED);
    arena_free(f.arena);
}

static void inference_again_reports_changes(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    ValueId y = build_unary(f.g, f.g->root, OP_NEG, f.x, "y", &f.d);
    NodeId n = value_at(f.g, y)->def;
    assert_false(graph_infer(f.g, n, &f.d));
    value_at(f.g, f.x)->shape = shape_of(1, (int64_t[]){7});
    assert_true(graph_infer(f.g, n, &f.d));
    assert_int_equal(value_at(f.g, y)->shape.rank, 1);
    arena_free(f.arena);
}

static void elements_of_every_dtype(void **state) {
    (void)state;
    Arena *arena = arena_new();
    for (int t = 1; t < N_DTYPES; t++) {
        DTypeClass class_ = dtype_info((DType)t)->class_;
        if (class_ > CLASS_BOOLEAN) continue;
        Tensor one = tensor_scalar_f64(arena, (DType)t, 1.0);
        assert_true(tensor_get_f64(&one, 0) == 1.0);
        assert_int_equal(tensor_get_i64(&one, 0), 1);
        if (class_ == CLASS_SINT || class_ == CLASS_FLOAT) {
            Tensor minus = tensor_scalar_i64(arena, (DType)t, -2);
            assert_true(tensor_get_f64(&minus, 0) == -2.0);
        }
    }
    assert_int_equal(f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(f32_to_f16(0x1p-25f), 0);
    assert_int_equal(f32_to_f16(0x1.8p-25f), 1);
    assert_int_equal(f32_to_f16(-0.0f), 0x8000);
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = f16_to_f32((uint16_t)h);
        if (!isnan(f)) assert_int_equal(f32_to_f16(f), h);
        f = bf16_to_f32((uint16_t)h);
        if (!isnan(f)) assert_int_equal(f32_to_bf16(f), h);
    }
    static const DType bytes[] = {DTYPE_F8E4M3, DTYPE_F8E5M2};
    for (size_t k = 0; k < ARRAY_LEN(bytes); k++)
        for (int b = 0; b < 256; b++) {
            uint8_t byte = (uint8_t)b;
            Tensor t = {.dtype = bytes[k], .data = &byte}, back = tensor_new(arena, bytes[k], 0, NULL);
            double v = tensor_get_f64(&t, 0);
            if (isnan(v)) continue;
            tensor_set_f64(&back, 0, v);
            assert_int_equal(*(const uint8_t *)back.data, b);
        }
    arena_free(arena);
}

static void tables_are_consistent(void **state) {
    (void)state;
    for (int op = 1; op < N_OPS; op++) assert_int_equal(op_from_text(op_info((OpId)op)->text), op);
    for (int t = 1; t < N_DTYPES; t++) {
        assert_int_equal(dtype_from_text(dtype_info((DType)t)->text), t);
        assert_int_equal(dtype_from_tf(dtype_info((DType)t)->tf), t);
        assert_int_equal(dtype_from_tf(dtype_info((DType)t)->tf + 100), t);
    }
    assert_int_equal(dtype_from_tf(11), DTYPE_S8);
    assert_int_equal(dtype_from_tf(99), DTYPE_NONE);
    uint32_t n;
    const HostOp *rows = host_op_table(&n);
    for (uint32_t i = 0; i < n; i++) assert_ptr_equal(host_op_find(rows[i].name), &rows[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_leave_no_trace),         cmocka_unit_test(uses_are_counted_and_replaced),
        cmocka_unit_test(sorting_respects_symbols),        cmocka_unit_test(deep_graphs_are_sorted_without_recursion),
        cmocka_unit_test(inference_again_reports_changes), cmocka_unit_test(elements_of_every_dtype),
        cmocka_unit_test(tables_are_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
