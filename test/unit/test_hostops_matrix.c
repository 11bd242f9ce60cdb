/* Functions and eigenvalues of matrices, by what must hold of them: A v = λ v, root² = A, exp(log A) = A. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostops/complex.h"

enum { N = 6, BLOCKS = 64 };

typedef struct {
    void *blocks[BLOCKS];
    int n;
    TfoptTensor input, outputs[2];
    TfoptHostCall call;
} Bench;

static void *take(void *env, uint64_t size) {
    Bench *b = env;
    assert_true(b->n < BLOCKS);
    return b->blocks[b->n++] = calloc(1, size + 64);
}

static void *output(TfoptHostCall *call, int32_t i, int32_t rank, const int64_t *dims) {
    TfoptTensor *t = &call->outputs[i];
    t->rank = rank;
    for (int32_t k = 0; k < rank; k++) t->dims[k] = dims[k];
    return t->data = take(call->env, (uint64_t)tfopt_elements(t) * tfopt_dtype_bytes(t->dtype));
}

/* Calls f with the N x N matrix `data` of this type; results are c128. */
static Bench *run(TfoptHostFn *f, int32_t dtype, void *data, int32_t outputs, int32_t expected) {
    Bench *b = calloc(1, sizeof *b);
    b->input = (TfoptTensor){.data = data, .dtype = dtype, .rank = 2, .dims = {N, N}};
    b->outputs[0].dtype = b->outputs[1].dtype = TFOPT_C128;
    b->call = (TfoptHostCall){.inputs = &b->input,
                              .outputs = b->outputs,
                              .n_inputs = 1,
                              .n_outputs = outputs,
                              .env = b,
                              .alloc = take,
                              .output = output};
    assert_int_equal(f(&b->call), expected);
    return b;
}

static void drop(Bench *b) {
    for (int i = 0; i < b->n; i++) free(b->blocks[i]);
    free(b);
}

/* Numbers without a pattern, the same in every run. */
static double next_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 23) - 1;
}

static void fill(TfoptComplex *a, bool is_complex, double diagonal, uint32_t seed) {
    for (int i = 0; i < N * N; i++) {
        const double real = next_number(&seed) + (i % (N + 1) ? 0 : diagonal), imaginary = next_number(&seed);
        a[i] = CMPLX(real, is_complex ? imaginary : 0);
    }
}

static void multiply(const TfoptComplex *a, const TfoptComplex *b, TfoptComplex *out) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            out[i * N + j] = 0;
            for (int k = 0; k < N; k++) out[i * N + j] += a[i * N + k] * b[k * N + j];
        }
    }
}

static void same(const TfoptComplex *a, const TfoptComplex *b) {
    for (int i = 0; i < N * N; i++) assert_true(cabs(a[i] - b[i]) < 1e-10);
}

static void test_eigenvectors(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        const bool is_complex = seed % 2 == 0;
        TfoptComplex a[N * N];
        double real[N * N];
        fill(a, is_complex, 0, seed);
        if (seed % 5 == 0) memset(a, 0, sizeof a / 2); /* singular, with many zeros */
        for (int i = 0; i < N * N; i++) real[i] = creal(a[i]);
        Bench *b = is_complex ? run(tfopt_host_eig, TFOPT_C128, a, 2, TFOPT_OK)
                              : run(tfopt_host_eig, TFOPT_F64, real, 2, TFOPT_OK);
        TfoptComplex left[N * N], right[N * N];
        memcpy(right, b->outputs[1].data, sizeof right);
        multiply(a, right, left);
        for (int i = 0; i < N * N; i++) right[i] *= tfopt_complex_at(&b->outputs[0], i % N);
        same(left, right);
        drop(b);
    }
}

static void test_root_squares_to_the_matrix(void **state) {
    (void)state;
    TfoptComplex a[N * N], square[N * N];
    fill(a, true, 4, 7);
    Bench *b = run(tfopt_host_matrix_square_root, TFOPT_C128, a, 1, TFOPT_OK);
    multiply(b->outputs[0].data, b->outputs[0].data, square);
    same(a, square);
    drop(b);
}

static void test_exponential_undoes_logarithm(void **state) {
    (void)state;
    TfoptComplex a[N * N];
    fill(a, true, 3, 9);
    Bench *log = run(tfopt_host_matrix_logarithm, TFOPT_C128, a, 1, TFOPT_OK);
    Bench *exp = run(tfopt_host_matrix_exponential, TFOPT_C128, log->outputs[0].data, 1, TFOPT_OK);
    same(a, exp->outputs[0].data);
    drop(log);
    drop(exp);
}

static void test_what_is_not_finite_has_no_eigenvalues(void **state) {
    (void)state;
    double real[N * N] = {0};
    real[3] = NAN;
    drop(run(tfopt_host_eig, TFOPT_F64, real, 2, TFOPT_INVALID_ARGUMENT));
    TfoptComplex a[N * N] = {0};
    a[7] = INFINITY;
    drop(run(tfopt_host_eig, TFOPT_C128, a, 2, TFOPT_INVALID_ARGUMENT));
    drop(run(tfopt_host_matrix_logarithm, TFOPT_C128, a, 1, TFOPT_INVALID_ARGUMENT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eigenvectors),
        cmocka_unit_test(test_root_squares_to_the_matrix),
        cmocka_unit_test(test_exponential_undoes_logarithm),
        cmocka_unit_test(test_what_is_not_finite_has_no_eigenvalues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
