/* The runtime's linear algebra against LAPACK's: both compute every case; they must agree, and where nothing but the
   matrix decides, LAPACK must really have answered. */
#include "host_bench.h"

#include "hostops/linalg.h"
#include "ref/ref_lapack.h"

typedef enum {
    GENERAL,
    HERMITIAN, /* positive definite */
    DOMINANT,  /* the diagonal is large */
    REPEATED,  /* hermitian, its values in pairs */
    DEFICIENT, /* its last row is the sum of the others */
    STEEP      /* columns of sizes 1 … 1e-6 */
} Kind;

typedef struct {
    const char *op;
    Kind kind;
    int64_t rhs;          /* columns of a second operand, 0: there is none */
    const char *flags[2]; /* attributes that are drawn */
    bool square, complex_only, real_only;
    int32_t outputs;
    double tolerance; /* of the largest element, for f64 */
} Row;

static const Row rows[] = {
    {"Cholesky", HERMITIAN, 0, {0}, true, false, false, 1, 1e-13},
    {"Cholesky", STEEP, 0, {0}, true, false, false, 1, 1e-3},
    {"MatrixInverse", DOMINANT, 0, {"adjoint"}, true, false, false, 1, 1e-12},
    {"MatrixInverse", STEEP, 0, {"adjoint"}, true, false, false, 1, 1e-6},
    {"MatrixSolve", DOMINANT, 3, {"adjoint"}, true, false, false, 1, 1e-12},
    {"MatrixSolve", GENERAL, 2, {"adjoint"}, true, false, false, 1, 1e-8},
    {"MatrixTriangularSolve", DOMINANT, 2, {"lower", "adjoint"}, true, false, false, 1, 1e-12},
    {"MatrixSolveLs", GENERAL, 2, {"fast"}, false, false, false, 1, 1e-5},
    {"MatrixDeterminant", GENERAL, 0, {0}, true, false, false, 1, 1e-11},
    {"LogMatrixDeterminant", GENERAL, 0, {0}, true, false, false, 2, 1e-10},
    {"Lu", GENERAL, 0, {0}, true, false, true, 2, 1e-11},
    {"Qr", GENERAL, 0, {"full_matrices"}, false, false, false, 2, 1e-11},
    {"Qr", STEEP, 0, {"full_matrices"}, false, false, false, 2, 1e-7},
    {"Svd", GENERAL, 0, {"compute_uv", "full_matrices"}, false, false, false, 3, 1e-8},
    {"Svd", REPEATED, 0, {"compute_uv", "full_matrices"}, true, false, false, 3, 1e-8},
    {"Svd", DEFICIENT, 0, {"compute_uv", "full_matrices"}, false, false, false, 3, 1e-7},
    {"SelfAdjointEigV2", GENERAL, 0, {"compute_v"}, true, false, false, 2, 1e-8},
    {"SelfAdjointEigV2", HERMITIAN, 0, {"compute_v"}, true, false, false, 2, 1e-8},
    {"SelfAdjointEigV2", REPEATED, 0, {"compute_v"}, true, false, false, 2, 1e-8},
    {"Eig", GENERAL, 0, {"compute_v"}, true, false, false, 2, 1e-8},
    {"MatrixExponential", GENERAL, 0, {0}, true, false, false, 1, 1e-12},
    {"MatrixSquareRoot", HERMITIAN, 0, {0}, true, true, false, 1, 1e-10},
};

static double next_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 23) - 1;
}

static void fill(TfoptComplex *a, int64_t m, int64_t n, Kind kind, bool is_complex, uint32_t *seed) {
    TfoptComplex *b = malloc((size_t)(m * n + 1) * sizeof *b);
    for (int64_t i = 0; i < m * n; i++) {
        const double real = next_number(seed), imaginary = is_complex ? next_number(seed) : 0;
        a[i] = b[i] = CMPLX(real, imaginary);
    }
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            TfoptComplex *x = &a[i * n + j];
            if (kind == HERMITIAN) {
                *x = i == j;
                for (int64_t k = 0; k < n; k++) *x += b[i * n + k] * conj(b[j * n + k]);
            } else if (kind == REPEATED) { /* a reflection, its values 1 and 3 */
                TfoptComplex length = 0;
                for (int64_t k = 0; k < n; k++) length += b[k] * conj(b[k]);
                *x = (i == j ? 2 : 0) + (i == j ? 1 : 0) - 2 * b[i] * conj(b[j]) / length;
            } else if (kind == DOMINANT && i == j) {
                *x += (double)n;
            } else if (kind == STEEP) {
                *x *= pow(10, -6.0 * (double)j / (double)n);
            } else if (kind == DEFICIENT && i == m - 1) {
                *x = 0;
                for (int64_t k = 0; k < m - 1; k++) *x += b[k * n + j];
            }
        }
    }
    free(b);
}

static void operand(Bench *b, int32_t dtype, int64_t batches, int64_t m, int64_t n, Kind kind, uint32_t *seed) {
    const bool is_complex = dtype == TFOPT_C64 || dtype == TFOPT_C128;
    input(b, dtype, 3, (int64_t[]){batches, m, n}, NULL);
    TfoptTensor *t = &b->inputs[b->call.n_inputs - 1];
    t->data = bench_alloc(b, (uint64_t)(batches * m * n) * tfopt_dtype_bytes(dtype));
    TfoptComplex *a = malloc((size_t)(m * n + 1) * sizeof *a);
    for (int64_t k = 0; k < batches; k++) {
        fill(a, m, n, kind, is_complex, seed);
        tfopt_matrix_store(t, k * m * n, m * n, a);
    }
    free(a);
}

/* The outputs of the runtime's function and of LAPACK after it. */
static void compare(const Row *row, int32_t dtype, int64_t batches, int64_t m, int64_t n, uint32_t seed) {
    Bench *b = bench_new();
    const HostOp *op = host_op_find(row->op);
    operand(b, dtype, batches, m, n, row->kind, &seed);
    if (strcmp(row->op, "Cholesky") == 0 && row->kind == STEEP) { /* columns of a root make it positive */
        TfoptComplex *a = malloc((size_t)(n * n) * sizeof *a), *square = malloc((size_t)(n * n) * sizeof *a);
        for (int64_t k = 0; k < batches; k++) {
            tfopt_matrix_load(&b->inputs[0], k * n * n, n * n, a);
            for (int64_t i = 0; i < n * n; i++) {
                square[i] = i / n == i % n ? 1e-5 : 0;
                for (int64_t p = 0; p < n; p++) square[i] += conj(a[p * n + i / n]) * a[p * n + i % n];
            }
            tfopt_matrix_store(&b->inputs[0], k * n * n, n * n, square);
        }
        free(a);
        free(square);
    }
    if (row->rhs) operand(b, dtype, batches, m, row->rhs, GENERAL, &seed);
    for (int i = 0; i < 2; i++) {
        if (row->flags[i]) int_attr(b, row->flags[i], (seed >> (9 + i)) & 1);
    }
    for (int32_t i = 0; i < row->outputs; i++) output(b, dtype);
    if (strcmp(row->op, "Eig") == 0)
        b->outputs[0].dtype = b->outputs[1].dtype = dtype == TFOPT_F32   ? TFOPT_C64
                                                    : dtype == TFOPT_F64 ? TFOPT_C128
                                                                         : dtype;
    if (strcmp(row->op, "Lu") == 0) b->outputs[1].dtype = TFOPT_S32;
    const int32_t status = op->function(&b->call);
    if (status != TFOPT_OK) fail_msg("%s: %s", row->op, b->call.error);
    TfoptComplex *own[3] = {0};
    for (int32_t i = 0; i < row->outputs; i++) {
        own[i] = malloc((size_t)(tfopt_elements(&b->outputs[i]) + 1) * sizeof *own[i]);
        tfopt_matrix_load(&b->outputs[i], 0, tfopt_elements(&b->outputs[i]), own[i]);
    }
    ref_lapack(op, &b->call);
    const bool single = dtype == TFOPT_F32 || dtype == TFOPT_C64;
    for (int32_t i = 0; i < row->outputs; i++) {
        const int64_t count = tfopt_elements(&b->outputs[i]);
        double largest = 0, difference = 0;
        for (int64_t k = 0; k < count; k++) {
            const TfoptComplex x = tfopt_complex_at(&b->outputs[i], k);
            largest = fmax(largest, cabs(x));
            difference = fmax(difference, cabs(x - own[i][k]));
        }
        const double limit = fmax(row->tolerance, single ? 2e-6 : 0) * largest;
        if (!(difference <= limit))
            fail_msg("%s kind %d dtype %d [%d,%d,%d] output %d: %g, allowed %g", row->op, (int)row->kind, (int)dtype,
                     (int)batches, (int)m, (int)n, (int)i, difference, limit);
        free(own[i]);
    }
    bench_free(b);
}

static void test_lapack_agrees(void **state) {
    (void)state;
    static const int32_t dtypes[] = {TFOPT_F32, TFOPT_F64, TFOPT_C64, TFOPT_C128};
    static const int64_t sizes[][2] = {{1, 1}, {2, 2}, {3, 3}, {7, 4}, {4, 7}, {12, 12}, {33, 20}, {40, 40}};
    uint32_t seed = 1;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (size_t d = 0; d < 4; d++) {
            const bool is_complex = d >= 2;
            if ((rows[r].complex_only && !is_complex) || (rows[r].real_only && is_complex)) continue;
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                const int64_t m = sizes[s][0], n = sizes[s][1];
                if ((rows[r].square || rows[r].kind == HERMITIAN) && m != n) continue;
                if (rows[r].kind == DEFICIENT && m < 2) continue;
                for (int64_t batches = 1; batches <= 2; batches++) compare(&rows[r], dtypes[d], batches, m, n, seed++);
            }
        }
    }
}

/* Numbers that are no answer are replaced by LAPACK's. */
static void test_wrong_numbers_are_replaced(void **state) {
    (void)state;
    Bench *b = bench_new();
    double a[4] = {4, 2, 2, 5};
    input(b, TFOPT_F64, 2, (int64_t[]){2, 2}, a);
    output(b, TFOPT_F64);
    const HostOp *op = host_op_find("Cholesky");
    assert_int_equal(op->function(&b->call), TFOPT_OK);
    memset(b->outputs[0].data, 0, sizeof a);
    ref_lapack(op, &b->call);
    const double *l = b->outputs[0].data;
    assert_true(l[0] == 2 && l[1] == 0 && l[2] == 1 && l[3] == 2);
    bench_free(b);
}

/* TensorFlow gives NaN where a matrix is not positive definite, and goes on with the next of the batch. */
static void test_cholesky_of_what_has_none(void **state) {
    (void)state;
    Bench *b = bench_new();
    double a[8] = {1, 2, 2, 1, 4, 2, 2, 5};
    input(b, TFOPT_F64, 3, (int64_t[]){2, 2, 2}, a);
    output(b, TFOPT_F64);
    const HostOp *op = host_op_find("Cholesky");
    assert_int_equal(op->function(&b->call), TFOPT_OK);
    ref_lapack(op, &b->call);
    const double *l = b->outputs[0].data;
    assert_true(isnan(l[0]) && l[1] == 0 && isnan(l[2]) && isnan(l[3]));
    assert_true(l[4] == 2 && l[5] == 0 && l[6] == 1 && l[7] == 2);
    bench_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lapack_agrees),
        cmocka_unit_test(test_wrong_numbers_are_replaced),
        cmocka_unit_test(test_cholesky_of_what_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
