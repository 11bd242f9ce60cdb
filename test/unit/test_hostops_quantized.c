/* Legacy quantised ops and Bessel functions, called directly: answers of TensorFlow 2.21. */
#include "host_bench.h"

static void range(Bench *b, float *bounds) {
    input(b, TFOPT_F32, 0, NULL, &bounds[0]);
    input(b, TFOPT_F32, 0, NULL, &bounds[1]);
}

static float real_output(const Bench *b, int i) {
    return *(const float *)b->outputs[i].data;
}

static void test_sums_of_levels(void **state) {
    (void)state;
    uint8_t x[] = {0, 100, 255}, y[] = {7, 128, 255};
    float wide[] = {0, 6}, narrow[] = {-1, 1};
    const int32_t biased[] = {-2570, 6446, 19125}, added[] = {-20556, 51656, 153170};
    for (int k = 0; k < 2; k++) {
        Bench *b = bench_new();
        input(b, TFOPT_U8, 2, (int64_t[]){1, 3}, x);
        input(b, TFOPT_U8, 1, (int64_t[]){3}, y);
        range(b, wide);
        range(b, narrow);
        output(b, TFOPT_S32);
        output(b, TFOPT_F32);
        output(b, TFOPT_F32);
        const int32_t status = k ? tfopt_host_quantized_add(&b->call) : tfopt_host_quantized_bias_add(&b->call);
        assert_int_equal(status, TFOPT_OK);
        assert_memory_equal(b->outputs[0].data, k ? added : biased, sizeof added);
        assert_true(real_output(b, 2) == (k ? 98304.0f : 786432.0f));
        bench_free(b);
    }
}

static void test_concatenated_levels_share_a_range(void **state) {
    (void)state;
    Bench *b = bench_new();
    int32_t axis = 0;
    uint8_t x[] = {0, 100, 255}, y[] = {7, 255};
    float bounds[] = {0, -1, 6, 1};
    input(b, TFOPT_S32, 0, NULL, &axis);
    input(b, TFOPT_U8, 1, (int64_t[]){3}, x);
    input(b, TFOPT_U8, 1, (int64_t[]){2}, y);
    range(b, bounds);
    range(b, bounds + 2);
    output(b, TFOPT_U8);
    output(b, TFOPT_F32);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_quantized_concat(&b->call), TFOPT_OK);
    const uint8_t want[] = {36, 122, 255, 2, 73};
    assert_memory_equal(b->outputs[0].data, want, sizeof want);
    assert_float_equal(real_output(b, 1), -1, 0);
    bench_free(b);
}

static void test_instance_norm_finds_its_range(void **state) {
    (void)state;
    Bench *b = bench_new();
    uint8_t x[] = {0, 255, 10, 100, 200, 50};
    float bounds[] = {-1, 1};
    input(b, TFOPT_U8, 4, (int64_t[]){1, 1, 3, 2}, x);
    range(b, bounds);
    float_attr(b, "variance_epsilon", 1e-5);
    float_attr(b, "min_separation", 1e-3);
    output(b, TFOPT_U8);
    output(b, TFOPT_F32);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_quantized_instance_norm(&b->call), TFOPT_OK);
    const uint8_t want[] = {23, 251, 34, 61, 255, 0};
    assert_memory_equal(b->outputs[0].data, want, sizeof want);
    assert_float_equal(real_output(b, 2), 1.4128073f, 1e-6);
    bench_free(b);
}

static void test_levels_are_resized_in_fixed_point(void **state) {
    (void)state;
    Bench *b = bench_new();
    uint8_t x[] = {0, 255, 10, 100};
    int32_t size[] = {3, 3};
    float bounds[] = {0, 1};
    input(b, TFOPT_U8, 4, (int64_t[]){1, 2, 2, 1}, x);
    input(b, TFOPT_S32, 1, (int64_t[]){2}, size);
    range(b, bounds);
    output(b, TFOPT_U8);
    output(b, TFOPT_F32);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_quantized_resize_bilinear(&b->call), TFOPT_OK);
    const uint8_t want[] = {0, 169, 255, 7, 104, 152, 10, 70, 100};
    assert_memory_equal(b->outputs[0].data, want, sizeof want);
    size[0] = 0;
    assert_int_equal(tfopt_host_quantized_resize_bilinear(&b->call), TFOPT_INVALID_ARGUMENT);
    bench_free(b);
}

/* Products are rounded once, halves up; sums with the zero point are clamped. */
static void test_uniform_product(void **state) {
    (void)state;
    int8_t x[] = {1, 2, -1, -2, 127, 127}, y[] = {3, 4};
    float one = 1, half = 0.5f;
    int32_t zero = 0, low = 1;
    Bench *b = bench_new();
    input(b, TFOPT_S8, 2, (int64_t[]){3, 2}, x);
    input(b, TFOPT_S8, 2, (int64_t[]){2, 1}, y);
    for (int i = 0; i < 3; i++) {
        input(b, TFOPT_F32, 0, NULL, i == 1 ? &half : &one);
        input(b, TFOPT_S32, 0, NULL, i == 2 ? &low : &zero);
    }
    int_attr(b, "output_quantization_max_val", 100);
    output(b, TFOPT_S32);
    assert_int_equal(tfopt_host_uniform_dot(&b->call), TFOPT_OK);
    const int32_t want[] = {7, -4, 100};
    assert_memory_equal(b->outputs[0].data, want, sizeof want);
    half = 0;
    assert_int_equal(tfopt_host_uniform_dot(&b->call), TFOPT_INVALID_ARGUMENT);
    bench_free(b);
}

/* No scales are read where an axis of size 0 has a scale for each slice. */
static void test_no_slices(void **state) {
    (void)state;
    float half = 0.5f;
    int32_t zero = 0;
    Bench *b = bench_new();
    input(b, TFOPT_S8, 2, (int64_t[]){3, 0}, NULL);
    input(b, TFOPT_F32, 1, (int64_t[]){0}, NULL);
    input(b, TFOPT_S32, 1, (int64_t[]){0}, NULL);
    input(b, TFOPT_F32, 0, NULL, &half);
    input(b, TFOPT_S32, 0, NULL, &zero);
    int_attr(b, "input_quantization_axis", 1);
    output(b, TFOPT_S8);
    assert_int_equal(tfopt_host_uniform_requantize(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[0].dims[1], 0);
    bench_free(b);
}

/* Far out the phase is rounded to f32, as TensorFlow's is. */
static void test_bessel_functions_of_singles(void **state) {
    (void)state;
    float x[] = {1.6e7f, 1e5f};
    const struct {
        TfoptHostFn *function;
        float want[2];
    } rows[] = {{tfopt_host_bessel_j0, {0.00018065482f, -0.0017124249f}},
                {tfopt_host_bessel_j1, {2.6442613e-05f, 0.0018522227f}},
                {tfopt_host_bessel_y0, {-8.4572865e-05f, 0.0018530516f}},
                {tfopt_host_bessel_y1, {-0.00019771070f, 0.0017133211f}}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        Bench *b = bench_new();
        input(b, TFOPT_F32, 1, (int64_t[]){2}, x);
        output(b, TFOPT_F32);
        assert_int_equal(rows[k].function(&b->call), TFOPT_OK);
        for (int i = 0; i < 2; i++)
            assert_float_equal(((const float *)b->outputs[0].data)[i], rows[k].want[i], fabsf(rows[k].want[i]) * 1e-5f);
        bench_free(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_of_levels),
        cmocka_unit_test(test_concatenated_levels_share_a_range),
        cmocka_unit_test(test_instance_norm_finds_its_range),
        cmocka_unit_test(test_levels_are_resized_in_fixed_point),
        cmocka_unit_test(test_uniform_product),
        cmocka_unit_test(test_no_slices),
        cmocka_unit_test(test_bessel_functions_of_singles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
