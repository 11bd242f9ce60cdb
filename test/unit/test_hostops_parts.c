/* Crosses of features, beam search and parts of images, called directly. */
#include "host_bench.h"

static void test_last_column_of_a_cross_runs_fastest(void **state) {
    (void)state;
    Bench *b = bench_new();
    TfoptString x[] = {{"a", 1}, {"b", 1}}, separator = {"_X_", 3};
    int64_t y[] = {1, -2}, types[] = {TFOPT_STRING, TFOPT_S64};
    input(b, TFOPT_STRING, 2, (int64_t[]){1, 2}, x);
    input(b, TFOPT_S64, 2, (int64_t[]){1, 2}, y);
    input(b, TFOPT_STRING, 0, NULL, &separator);
    int_attr(b, "N", 0);
    ints_attr(b, "dense_types", 2, types);
    output(b, TFOPT_S64);
    output(b, TFOPT_STRING);
    output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_sparse_cross_v2(&b->call), TFOPT_OK);
    static const char *const want[] = {"a_X_1", "a_X_-2", "b_X_1", "b_X_-2"};
    assert_int_equal(b->outputs[1].dims[0], 4);
    for (int i = 0; i < 4; i++) assert_true(tfopt_string_equal(((const TfoptString *)b->outputs[1].data)[i], want[i]));
    bench_free(b);
}

/* Sorted rows are what the starts of rows are counted from. */
static void test_unsorted_column_is_an_error(void **state) {
    (void)state;
    Bench *b = bench_new();
    int64_t indices[] = {1, 0, 0, 0}, values[] = {5, 6}, shape[] = {2, 1};
    input(b, TFOPT_S64, 2, (int64_t[]){2, 2}, indices);
    input(b, TFOPT_S64, 1, (int64_t[]){2}, values);
    input(b, TFOPT_S64, 1, (int64_t[]){2}, shape);
    int_attr(b, "N", 1);
    output(b, TFOPT_S64);
    output(b, TFOPT_S64);
    output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_sparse_cross(&b->call), TFOPT_INVALID_ARGUMENT);
    bench_free(b);
}

/* Two ways to the label outweigh the one more probable way to nothing. */
static void test_beam_sums_the_ways_to_a_label(void **state) {
    (void)state;
    Bench *b = bench_new();
    float logits[] = {logf(0.4f), logf(0.6f), logf(0.4f), logf(0.6f)};
    int32_t length = 2;
    input(b, TFOPT_F32, 3, (int64_t[]){2, 1, 2}, logits);
    input(b, TFOPT_S32, 1, (int64_t[]){1}, &length);
    int_attr(b, "beam_width", 2);
    for (int i = 0; i < 3; i++) output(b, TFOPT_S64);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_ctc_beam_search_decoder(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[1].dims[0], 1);
    assert_float_equal(*(const float *)b->outputs[3].data, logf(0.64f), 1e-6);
    bench_free(b);
}

static void test_fractional_pool_of_fixed_regions(void **state) {
    (void)state;
    Bench *b = bench_new();
    int32_t x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const double ratio[] = {1, 1.5, 1.5, 1};
    input(b, TFOPT_S32, 4, (int64_t[]){1, 3, 3, 1}, x);
    floats_attr(b, "pooling_ratio", 4, ratio);
    int_attr(b, "deterministic", 1);
    int_attr(b, "seed", 3);
    int_attr(b, "seed2", 5);
    output(b, TFOPT_S32);
    output(b, TFOPT_S64);
    output(b, TFOPT_S64);
    int32_t first[4] = {0};
    for (int i = 0; i < 2; i++) { /* the same regions each time */
        assert_int_equal(tfopt_host_fractional_max_pool(&b->call), TFOPT_OK);
        if (i) assert_memory_equal(first, b->outputs[0].data, sizeof first);
        memcpy(first, b->outputs[0].data, sizeof first);
        assert_int_equal(first[3], 9);
        assert_int_equal(((const int64_t *)b->outputs[1].data)[2], 3);
    }
    bench_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_column_of_a_cross_runs_fastest),
        cmocka_unit_test(test_unsorted_column_is_an_error),
        cmocka_unit_test(test_beam_sums_the_ways_to_a_label),
        cmocka_unit_test(test_fractional_pool_of_fixed_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
