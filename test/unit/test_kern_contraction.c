/* Packing of constant operands and the cutting of contractions into tiles and units. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kern/contraction.h"
#include <string.h>

static Kernel *new_kernel(Arena *a, ContractKind kind, int64_t m, int64_t n, int64_t k) {
    Kernel *kernel = NEW(a, Kernel);
    kernel->contraction = NEW(a, Contraction);
    *kernel->contraction = (Contraction){.kind = kind,
                                         .a = DTYPE_F32,
                                         .b = DTYPE_F32,
                                         .acc = DTYPE_F32,
                                         .batch = dim_const(1),
                                         .m = dim_const(m),
                                         .n = dim_const(n),
                                         .k = dim_const(k),
                                         .b_packed = true,
                                         .c_n = dim_const(1)};
    return kernel;
}

static Tensor counting(Arena *a, int64_t n) {
    Tensor t = tensor_new(a, DTYPE_F32, 1, &n);
    for (int64_t i = 0; i < n; i++) tensor_set_f64(&t, i, (double)(i + 1));
    return t;
}

static void test_panels(void **state) {
    (void)state;
    Arena *a = arena_new();
    Contraction *c = new_kernel(a, CONTRACT_GEMM, 4, 5, 3)->contraction;
    c->packed = (PackedB){4, 1};
    Tensor b = counting(a, 15);
    MatrixLayout rows = {1, 3, 5, 0, 5, 1};
    assert_int_equal(packed_elements(c, &rows), 24);
    Tensor p = contraction_pack(a, c, &b, &rows);
    const double expected[24] = {1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 5, 0, 0, 0, 10, 0, 0, 0, 15, 0, 0, 0};
    for (int i = 0; i < 24; i++) assert_true(tensor_get_f64(&p, i) == expected[i]);
    MatrixLayout columns = {1, 3, 5, 0, 1, 3}; /* the transposed matrix, packed the same way */
    Tensor t = contraction_pack(a, c, &b, &columns);
    assert_true(tensor_get_f64(&t, 0) == 1 && tensor_get_f64(&t, 1) == 4 && tensor_get_f64(&t, 4) == 2 &&
                tensor_get_f64(&t, 12) == 13);
    MatrixLayout huge = {INT64_C(1) << 40, INT64_C(1) << 30, 5, 0, 0, 0};
    assert_int_equal(packed_elements(c, &huge), -1);
    arena_free(a);
}

static void test_depthwise_weights(void **state) {
    (void)state;
    Arena *a = arena_new();
    Contraction *c = new_kernel(a, CONTRACT_DEPTHWISE, 4, 3, 2)->contraction;
    c->packed = (PackedB){4, 1};
    Tensor b = counting(a, 6);
    MatrixLayout layout = {1, 2, 3, 0, 3, 1};
    Tensor p = contraction_pack(a, c, &b, &layout);
    const double expected[8] = {1, 2, 3, 0, 4, 5, 6, 0};
    assert_int_equal(tensor_count(&p), 8);
    for (int i = 0; i < 8; i++) assert_true(tensor_get_f64(&p, i) == expected[i]);
    arena_free(a);
}

/* Tiles fit the registers, panels are whole vectors, and units cover everything, for all machines and many shapes. */
static void test_schedules(void **state) {
    (void)state;
    Arena *a = arena_new();
    DimTable dims;
    dim_table_init(&dims, a);
    const char *const machines[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64"};
    const int64_t sizes[] = {1, 2, 7, 16, 49, 100, 1000, 4096};
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        const Machine *machine = machine_find(machines[i], machines[i]);
        int lanes = machine->vector_bits / 32;
        for (size_t s = 0; s < ARRAY_LEN(sizes) * ARRAY_LEN(sizes) * ARRAY_LEN(sizes) * 2; s++) {
            int64_t m = sizes[s / 2 % 8], n = sizes[s / 16 % 8], k = sizes[s / 128];
            int threads = s % 2 ? 4 : 1;
            Kernel *kernel = new_kernel(a, CONTRACT_GEMM, m, n, k);
            Contraction *c = kernel->contraction;
            contraction_schedule(&dims, kernel, machine, threads);
            assert_in_range(c->tile_m, 1, 16);
            assert_in_range(c->tile_n, 1, 4);
            assert_true(c->tile_m * c->tile_n + c->tile_n + 1 <= machine->vector_registers);
            assert_int_equal(c->packed.nr, c->tile_n * lanes);
            assert_int_equal(c->unit_n % c->packed.nr, 0);
            assert_true(c->unit_m > 0 && c->unit_m % c->tile_m == 0);
            Dim units = contraction_units(&dims, c);
            assert_true(dim_is_const(units) && units.value >= 1);
            int64_t block = contraction_k_block(c);
            assert_true(block > 0 && block <= k);
        }
    }
    arena_free(a);
}

static void test_winograd_weights(void **state) {
    (void)state;
    Arena *a = arena_new();
    Contraction *c = new_kernel(a, CONTRACT_WINOGRAD, 1, 1, 1)->contraction;
    c->packed = (PackedB){16, 1};
    int64_t nine = 9;
    Tensor w = tensor_new(a, DTYPE_F32, 1, &nine);
    tensor_set_f64(&w, 4, 1); /* the centre tap: the outer product of (0, -1/6, 1/6, 1/12, -1/12, 0) with itself */
    MatrixLayout layout = {1, 9, 1, 1, 1, 1};
    assert_int_equal(packed_elements(c, &layout), 36 * 16);
    Tensor p = contraction_pack(a, c, &w, &layout);
    const double line[6] = {0, -1.0 / 6, 1.0 / 6, 1.0 / 12, -1.0 / 12, 0};
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 6; x++)
            assert_true(tensor_get_f64(&p, (y * 6 + x) * 16) == (double)(float)(line[y] * line[x]));
    arena_free(a);
}

/* Small images leave few blocks to share out, and each share of them would stream all weights: filters are shared out
   instead. Large images are cut into blocks, which need no input transformed twice. */
static void test_winograd_units(void **state) {
    (void)state;
    Arena *a = arena_new();
    const Machine *machine = machine_find("sapphirerapids", "x86-64-v4");
    Contraction *c = new_kernel(a, CONTRACT_WINOGRAD, 1, 1, 1)->contraction;
    c->batch = dim_const(1);
    c->conv = (ConvGeometry){.rank = 2, .channels = 256, .filters = 256, .out = {dim_const(14), dim_const(14)}};
    WinogradUnit one = winograd_unit(c, machine, 1), two = winograd_unit(c, machine, 2);
    assert_true(one.blocks == 16 && one.filters == 256);
    assert_true(two.blocks == 16 && two.filters < 256 && two.filters >= 128);
    assert_true(two.ns < one.ns);
    c->conv = (ConvGeometry){.rank = 2, .channels = 64, .filters = 64, .out = {dim_const(56), dim_const(56)}};
    two = winograd_unit(c, machine, 2);
    assert_true(two.blocks == 98 && two.filters == 64);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_panels), cmocka_unit_test(test_depthwise_weights),
                                       cmocka_unit_test(test_schedules), cmocka_unit_test(test_winograd_weights),
                                       cmocka_unit_test(test_winograd_units)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
