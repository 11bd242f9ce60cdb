/* Fourier transforms against their definition, over lengths of every kind of factor, and complex arithmetic over runs
 * of elements. */
#include "host_bench.h"

#include <complex.h>

static double number(int64_t i) {
    return sin((double)(i * i % 1009) * 1.7) + (double)(i % 7) / 8;
}

/* sum of x[k] exp(sign 2 pi i j k / n) */
static double complex definition(const double complex *x, int64_t n, int64_t j, double sign) {
    double complex sum = 0;
    for (int64_t k = 0; k < n; k++) {
        const double angle = 2 * acos(-1) * (double)(j * k % n) / (double)n;
        sum += x[k] * (cos(angle) + I * (sign * sin(angle)));
    }
    return sum;
}

/* `lines` lines of `given` elements, transformed at length n; real: RFFT and its inverse. */
static void check_length(int64_t lines, int64_t given, int64_t n, bool real, bool inverse) {
    Bench *b = bench_new();
    const int64_t half = n / 2 + 1, out_n = real && !inverse ? half : n;
    double *values = calloc((size_t)(lines * given * 2 + 1), sizeof *values);
    double complex *line = calloc((size_t)(n + given), sizeof *line);
    const bool real_input = real && !inverse;
    for (int64_t i = 0; i < lines * given * (real_input ? 1 : 2); i++) values[i] = number(i);
    int32_t length = (int32_t)n;
    input(b, real_input ? TFOPT_F64 : TFOPT_C128, 2, (int64_t[]){lines, given}, values);
    if (real) input(b, TFOPT_S32, 1, (int64_t[]){1}, &length);
    output(b, real && inverse ? TFOPT_F64 : TFOPT_C128);
    TfoptHostFn *f = real ? inverse ? tfopt_host_irfft : tfopt_host_rfft : inverse ? tfopt_host_ifft : tfopt_host_fft;
    for (int again = 0; again < 2; again++) assert_int_equal(f(&b->call), TFOPT_OK); /* twiddles are kept */
    assert_int_equal(b->outputs[0].dims[1], out_n);
    for (int64_t l = 0; l < lines; l++) {
        for (int64_t k = 0; k < n; k++) {
            line[k] = 0;
            const int64_t at = real && inverse && k >= half ? n - k : k;
            if (at >= given) continue;
            const double *v = &values[(l * given + at) * (real_input ? 1 : 2)];
            line[k] = v[0] + (real_input ? 0 : I * v[1]);
            if (at != k) line[k] = conj(line[k]);
            if (real && inverse && 2 * k % n == 0) line[k] = creal(line[k]);
        }
        for (int64_t j = 0; j < out_n; j++) {
            const double complex want = definition(line, n, j, inverse ? 1 : -1) / (double)(inverse ? n : 1);
            double got[2] = {0, 0};
            if (real && inverse)
                got[0] = ((const double *)b->outputs[0].data)[l * out_n + j];
            else
                memcpy(got, (const double *)b->outputs[0].data + 2 * (l * out_n + j), sizeof got);
            if (cabs(got[0] + I * got[1] - want) > 1e-12 * (double)(n + 8))
                fail_msg("n %d given %d line %d element %d: %g %g, want %g %g", (int)n, (int)given, (int)l, (int)j,
                         got[0], got[1], creal(want), cimag(want));
        }
    }
    free(values);
    free(line);
    bench_free(b);
}

static void test_every_length_is_its_definition(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 72; n++) {
        for (int kind = 0; kind < 4; kind++) check_length(n % 3 == 0 ? 9 : 2, n, n, kind / 2, kind % 2);
    }
    static const int64_t longer[] = {74, 121, 127, 128, 210, 217, 243, 256, 400, 402, 512, 625};
    for (int i = 0; i < 12; i++) {
        for (int kind = 0; kind < 4; kind++) check_length(1, longer[i], longer[i], kind / 2, kind % 2);
    }
}

static void test_lines_are_cut_or_filled_up(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 16; n++) {
        for (int64_t given = 0; given <= 18; given += 1 + given / 6) {
            check_length(3, given, n, true, false);
            check_length(3, given, n, true, true);
        }
    }
}

/* Two axes, cut along one and filled up along the other: a real transform and back. */
static void test_two_axes_there_and_back(void **state) {
    (void)state;
    Bench *b = bench_new(), *c = bench_new();
    float x[2 * 5 * 6];
    for (int i = 0; i < 60; i++) x[i] = (float)number(i);
    int32_t lengths[] = {4, 9};
    input(b, TFOPT_F32, 3, (int64_t[]){2, 5, 6}, x);
    input(b, TFOPT_S32, 1, (int64_t[]){2}, lengths);
    output(b, TFOPT_C64);
    assert_int_equal(tfopt_host_rfft2d(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[0].dims[1], 4);
    assert_int_equal(b->outputs[0].dims[2], 5);
    float sum = 0;
    for (int r = 0; r < 4; r++) {
        for (int k = 0; k < 6; k++) sum += x[30 + r * 6 + k];
    }
    assert_float_equal(((const float *)b->outputs[0].data)[2 * 20], sum, 1e-5);
    input(c, TFOPT_C64, 3, b->outputs[0].dims, b->outputs[0].data);
    input(c, TFOPT_S32, 1, (int64_t[]){2}, lengths);
    output(c, TFOPT_F32);
    assert_int_equal(tfopt_host_irfft2d(&c->call), TFOPT_OK);
    for (int i = 0; i < 2 * 4 * 9; i++) {
        const int p = i / 36, r = i / 9 % 4, k = i % 9;
        assert_float_equal(((const float *)c->outputs[0].data)[i], k < 6 ? x[p * 30 + r * 6 + k] : 0, 1e-6);
    }
    bench_free(b);
    bench_free(c);
}

/* [3, 1, 400] with [2, 400], and with one element: runs longer than a block, steps of 0 and 1. */
static void test_complex_operands_broadcast(void **state) {
    (void)state;
    enum { N = 400 };
    float x[3 * N * 2], y[2 * N * 2];
    for (int i = 0; i < 3 * N * 2; i++) x[i] = (float)number(i + 5);
    for (int i = 0; i < 2 * N * 2; i++) y[i] = (float)number(3 * i + 1);
    for (int one = 0; one < 2; one++) {
        Bench *b = bench_new();
        input(b, TFOPT_C64, 3, (int64_t[]){3, 1, N}, x);
        input(b, TFOPT_C64, 2, (int64_t[]){one ? 1 : 2, one ? 1 : N}, y);
        output(b, TFOPT_C64);
        assert_int_equal(tfopt_host_complex_mul(&b->call), TFOPT_OK);
        const int rows = one ? 1 : 2;
        assert_int_equal(b->outputs[0].dims[1], rows);
        for (int i = 0; i < 3 * rows * N; i++) {
            const float *u = x + 2 * (i / (rows * N) * N + i % N), *v = one ? y : y + 2 * (i % (rows * N));
            const float re = u[0] * v[0] - u[1] * v[1], im = u[0] * v[1] + u[1] * v[0];
            assert_true(((const float *)b->outputs[0].data)[2 * i] == re);
            assert_true(((const float *)b->outputs[0].data)[2 * i + 1] == im);
        }
        bench_free(b);
    }
}

static void test_complex_product_of_matrices(void **state) {
    (void)state;
    enum { M = 5, K = 67, N = 261 };
    static double x[K * M * 2], y[N * K * 2];
    for (int i = 0; i < K * M * 2; i++) x[i] = number(i);
    for (int i = 0; i < N * K * 2; i++) y[i] = number(i + 9);
    Bench *b = bench_new();
    input(b, TFOPT_C128, 2, (int64_t[]){K, M}, x);
    input(b, TFOPT_C128, 2, (int64_t[]){N, K}, y);
    int_attr(b, "adj_x", 1);
    int_attr(b, "adj_y", 1);
    output(b, TFOPT_C128);
    assert_int_equal(tfopt_host_complex_matmul(&b->call), TFOPT_OK);
    const double *out = b->outputs[0].data;
    for (int r = 0; r < M; r++) {
        for (int c = 0; c < N; c++) {
            double complex sum = 0;
            for (int k = 0; k < K; k++)
                sum += conj(x[2 * (k * M + r)] + I * x[2 * (k * M + r) + 1]) *
                       conj(y[2 * (c * K + k)] + I * y[2 * (c * K + k) + 1]);
            assert_true(cabs(out[2 * (r * N + c)] + I * out[2 * (r * N + c) + 1] - sum) < 1e-11);
        }
    }
    bench_free(b);
}

static void test_absolute_values_of_the_largest_and_of_infinities(void **state) {
    (void)state;
    float x[] = {INFINITY, NAN, NAN, -INFINITY, NAN, 1, 3e38f, -1e38f, 1e-45f, 0, -3, 4};
    Bench *b = bench_new();
    input(b, TFOPT_C64, 1, (int64_t[]){6}, x);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_complex_abs(&b->call), TFOPT_OK);
    const float *out = b->outputs[0].data;
    assert_true(isinf(out[0]) && isinf(out[1]) && isnan(out[2]));
    assert_float_equal(out[3] / 1e38f, sqrtf(10), 1e-6);
    assert_true(out[4] == 1e-45f);
    assert_true(out[5] == 5);
    bench_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_is_its_definition),
        cmocka_unit_test(test_lines_are_cut_or_filled_up),
        cmocka_unit_test(test_two_axes_there_and_back),
        cmocka_unit_test(test_complex_operands_broadcast),
        cmocka_unit_test(test_complex_product_of_matrices),
        cmocka_unit_test(test_absolute_values_of_the_largest_and_of_infinities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
