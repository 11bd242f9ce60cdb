/* Special functions and complex powers at extreme arguments: TensorFlow's answers, in whose element type they are
   computed. */
#include "host_bench.h"

#include "hostops/complex.h"

enum { N = 5 };

/* f of two vectors in f32 or f64; NaN stands for NaN. */
static void pairs(TfoptHostFn *f, int32_t dtype, const double *x, const double *y, const double *want) {
    Bench *b = bench_new();
    const int64_t n = N;
    for (int k = 0; k < 2; k++) {
        input(b, dtype, 1, &n, bench_alloc(b, N * 8));
        for (int64_t i = 0; i < N; i++) tfopt_set_real(&b->inputs[k], i, k ? y[i] : x[i]);
    }
    output(b, dtype);
    assert_int_equal(f(&b->call), TFOPT_OK);
    for (int64_t i = 0; i < N; i++) {
        const double got = tfopt_real_at(&b->outputs[0], i);
        if (isnan(want[i]) ? isnan(got) : got == want[i] || fabs(got - want[i]) <= 2e-6 * fabs(want[i])) continue;
        fail_msg("%g, %g: %.9g, expected %.9g", x[i], y[i], got, want[i]);
    }
    bench_free(b);
}

static void test_incomplete_gamma_of_huge_arguments(void **state) {
    (void)state;
    static const double a[N] = {1e30, 1e17, 1e8, 1e30, 3}, x[N] = {1e30, 1e17, 1e8, 5e29, 2};
    pairs(tfopt_host_igamma, TFOPT_F64, a, x, (double[]){2.001e-27, 2.001e-14, 7.92988180e-02, 0, 0.32332358381693654});
    pairs(tfopt_host_igammac, TFOPT_F64, a, x, (double[]){0, 2.09950931e-05, 4.99993186e-01, 1, 0.67667641618306351});
    static const double a32[N] = {1e30, 1e17, 1e12, 1e30, 3}, x32[N] = {1e30, 1e17, 1e12, 5e29, 2};
    pairs(tfopt_host_igamma, TFOPT_F32, a32, x32, (double[]){2.001e-27, 2.001e-14, 2.001e-09, 0, 0.32332358});
}

static void test_polygamma_in_the_element_type(void **state) {
    (void)state;
    static const double n[N] = {100, 100, 35, 150, 10}, x[N] = {3, INFINITY, 3, 2, -1.5};
    pairs(tfopt_host_polygamma, TFOPT_F32, n, x, (double[]){NAN, NAN, INFINITY, NAN, -469.79776});
    static const double m[N] = {100, 100, 35, 170, 200}, y[N] = {3, INFINITY, 3, 3, 0.5};
    pairs(tfopt_host_polygamma, TFOPT_F64, m, y,
          (double[]){-6.03610698e+109, 0, 6.88464080e+22, -1.87519932e+225, -INFINITY});
}

static void test_zeta_next_to_nothing(void **state) {
    (void)state;
    pairs(tfopt_host_zeta, TFOPT_F32, (double[]){101, 31, 35, 101, 1}, (double[]){3, 3, 0.5, 0.1, 2},
          (double[]){0, 1.6191956e-15, 3.4359738e+10, INFINITY, INFINITY});
}

static void test_complex_powers(void **state) {
    (void)state;
    Bench *b = bench_new();
    const int64_t n = 4;
    float x[8] = {0, -5, -1, 0, 0, 0, INFINITY, 1}, y[8] = {7, 0, 2, -3, 2, 0, 2, 0};
    input(b, TFOPT_C64, 1, &n, x);
    input(b, TFOPT_C64, 1, &n, y);
    output(b, TFOPT_C64);
    assert_int_equal(tfopt_host_complex_pow(&b->call), TFOPT_OK);
    const float *z = b->outputs[0].data;
    assert_true(fabsf(z[0] - 0.05184435f) < 1e-6f && z[1] == 78125.016f); /* 5^7 turned by an angle in f32 */
    assert_true(z[2] == 12391.648f);
    assert_true(z[4] == 0 && z[5] == 0);
    assert_true(isinf(z[6]) && isnan(z[7]));
    bench_free(b);
}

/* Products of c64 overflow in f32, and logarithms next to -1 keep their digits. */
static void test_complex_arithmetic_at_the_ends(void **state) {
    (void)state;
    Bench *b = bench_new(), *c = bench_new();
    const int64_t n = 2;
    float x[4] = {3e38f, 3e38f, 1000, 1e-30f};
    input(b, TFOPT_C64, 1, &n, x);
    output(b, TFOPT_C64);
    assert_int_equal(tfopt_host_complex_square(&b->call), TFOPT_OK);
    const float *z = b->outputs[0].data;
    assert_true(isnan(z[0]) && isinf(z[1]) && z[2] == 1e6f);
    assert_int_equal(tfopt_host_complex_expm1(&b->call), TFOPT_OK);
    z = b->outputs[0].data;
    assert_true(isnan(z[2]) && isinf(z[3]));
    double near[4] = {-1, 1e-30, -1, 0};
    input(c, TFOPT_C128, 1, &n, near);
    output(c, TFOPT_C128);
    assert_int_equal(tfopt_host_complex_log1p(&c->call), TFOPT_OK);
    const double *l = c->outputs[0].data;
    assert_true(fabs(l[0] + 69.07755278982137) < 1e-12 && isinf(l[2]));
    bench_free(b);
    bench_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incomplete_gamma_of_huge_arguments),
        cmocka_unit_test(test_polygamma_in_the_element_type),
        cmocka_unit_test(test_zeta_next_to_nothing),
        cmocka_unit_test(test_complex_powers),
        cmocka_unit_test(test_complex_arithmetic_at_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
