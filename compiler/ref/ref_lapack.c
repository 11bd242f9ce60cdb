/* Linear algebra of the reference evaluator, by LAPACK and OpenBLAS in double complex. The runtime's own function has
   run before: it refuses what must be refused, makes the outputs, and settles what is free in an answer: the order of
   eigenvalues, the phases of vectors, the basis of an eigenspace, a permutation. All numbers are then LAPACK's, so that
   compiled code, which calls the runtime's function, is compared with something independent. */
#include "ref/ref_lapack.h"
#include "base/arena.h"
#include "hostops/linalg.h"
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lapacke.h>

typedef struct {
    TfoptHostCall *call;
    Arena *arena;
    TfoptMatrices m; /* of input 0 */
    int64_t batch;
    TfoptComplex *a; /* the matrix, which may be overwritten */
} Work;

/* Replaces the outputs of one matrix of the batch. */
typedef void LapackFn(Work *w);

static TfoptComplex *matrix(Work *w, int64_t rows, int64_t columns) {
    return NEW_ARRAY(w->arena, TfoptComplex, rows * columns + 1);
}

static TfoptComplex *load(Work *w, const TfoptTensor *t, int64_t rows, int64_t columns) {
    TfoptComplex *v = matrix(w, rows, columns);
    tfopt_matrix_load(t, w->batch * rows * columns, rows * columns, v);
    return v;
}

static void store(Work *w, int32_t output, int64_t rows, int64_t columns, const TfoptComplex *v) {
    tfopt_matrix_store(&w->call->outputs[output], w->batch * rows * columns, rows * columns, v);
}

static bool attr(const Work *w, const char *name, bool missing) {
    return tfopt_call_int(w->call, name, missing) != 0;
}

static void identity(TfoptComplex *a, int64_t n) {
    for (int64_t i = 0; i < n * n; i++) a[i] = i / n == i % n;
}

static void multiply(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k, const TfoptComplex *a,
                     const TfoptComplex *b, TfoptComplex *out) {
    const TfoptComplex one = 1, zero = 0;
    memset(out, 0, (size_t)(m * n) * sizeof *out);
    if (m && n && k)
        cblas_zgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, &one, a, (int)(ta == CblasNoTrans ? k : m), b,
                    (int)(tb == CblasNoTrans ? n : k), &zero, out, (int)n);
}

/* ---- solvers */

static void cholesky(Work *w) {
    const int n = (int)w->m.rows;
    if (LAPACKE_zpotrf(LAPACK_ROW_MAJOR, 'L', n, w->a, n) != 0) return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) w->a[i * n + j] = 0;
    store(w, 0, n, n, w->a);
}

static void solve_for(Work *w, TfoptComplex *x, int64_t columns) {
    const int64_t n = w->m.rows;
    TfoptComplex *a = w->a;
    if (attr(w, "adjoint", false)) {
        a = matrix(w, n, n);
        tfopt_adjoint(w->a, n, n, a);
    }
    lapack_int *pivots = NEW_ARRAY(w->arena, lapack_int, n);
    if (LAPACKE_zgesv(LAPACK_ROW_MAJOR, (int)n, (int)columns, a, (int)n, pivots, x, (int)columns) == 0)
        store(w, 0, n, columns, x);
}

static void matrix_inverse(Work *w) {
    TfoptComplex *x = matrix(w, w->m.rows, w->m.rows);
    identity(x, w->m.rows);
    solve_for(w, x, w->m.rows);
}

static void matrix_solve(Work *w) {
    TfoptMatrices r;
    if (tfopt_matrices(&w->call->inputs[1], &r) && r.columns > 0)
        solve_for(w, load(w, &w->call->inputs[1], r.rows, r.columns), r.columns);
}

static void triangular_solve(Work *w) { /* w->batch counts the results */
    TfoptMatrices r;
    TfoptBroadcast b;
    const TfoptTensor *rhs = &w->call->inputs[1];
    if (!tfopt_matrices(rhs, &r) || !tfopt_matrix_batches(w->call, &b) || r.columns == 0) return;
    const int n = (int)w->m.rows, k = (int)r.columns;
    for (w->batch = 0; w->batch < b.count; w->batch++, tfopt_broadcast_next(&b)) {
        tfopt_matrix_load(&w->call->inputs[0], b.at[0] * n * n, n * n, w->a);
        TfoptComplex *x = matrix(w, n, k);
        tfopt_matrix_load(rhs, b.at[1] * n * k, n * k, x);
        if (LAPACKE_ztrtrs(LAPACK_ROW_MAJOR, attr(w, "lower", true) ? 'L' : 'U', attr(w, "adjoint", false) ? 'C' : 'N',
                           'N', n, k, w->a, n, x, k) == 0)
            store(w, 0, n, k, x);
    }
}

static void tridiagonal_solve(Work *w) {
    const int64_t n = w->m.columns, k = tfopt_elements(&w->call->inputs[1]) / (w->m.batches * n);
    TfoptComplex *above = w->a, *diagonal = w->a + n, *below = w->a + 2 * n + 1,
                 *x = load(w, &w->call->inputs[1], n, k);
    if (attr(w, "partial_pivoting", true) &&
        LAPACKE_zgtsv(LAPACK_ROW_MAJOR, (int)n, (int)k, below, diagonal, above, x, (int)k) == 0)
        store(w, 0, n, k, x);
}

/* "fast": the normal equations by Cholesky; else the shortest of the best. */
static void solve_ls(Work *w) {
    const int64_t rows = w->m.rows, n = w->m.columns, small = rows < n ? rows : n, most = rows + n - small;
    const int64_t k = tfopt_elements(&w->call->inputs[1]) / (w->m.batches * rows);
    const double l2 = w->call->n_inputs > 2 ? tfopt_real_at(&w->call->inputs[2], 0) : 0;
    if (k == 0) return; /* of which LAPACK complains */
    TfoptComplex *x = matrix(w, most, k), *b = load(w, &w->call->inputs[1], rows, k);
    if (attr(w, "fast", true)) {
        const bool tall = rows >= n;
        TfoptComplex *g = matrix(w, small, small), *y = b;
        multiply(tall ? CblasConjTrans : CblasNoTrans, tall ? CblasNoTrans : CblasConjTrans, small, small, most, w->a,
                 w->a, g);
        for (int64_t i = 0; i < small; i++) g[i * small + i] += l2;
        if (tall) multiply(CblasConjTrans, CblasNoTrans, n, k, rows, w->a, b, y = matrix(w, n, k));
        if (LAPACKE_zposv(LAPACK_ROW_MAJOR, 'L', (int)small, (int)k, g, (int)small, y, (int)k) != 0) return;
        if (!tall) multiply(CblasConjTrans, CblasNoTrans, n, k, rows, w->a, y, x);
        store(w, 0, n, k, tall ? y : x);
    } else {
        double *s = NEW_ARRAY(w->arena, double, small);
        lapack_int rank;
        memcpy(x, b, (size_t)(rows * k) * sizeof *x);
        if (LAPACKE_zgelsd(LAPACK_ROW_MAJOR, (int)rows, (int)n, (int)k, w->a, (int)n, x, (int)k, s, 1e-14, &rank) == 0)
            store(w, 0, n, k, x);
    }
}

/* ---- triangles: the row that came to each place */

static bool factor(Work *w, int64_t *rows) {
    const int64_t n = w->m.rows;
    lapack_int *pivots = NEW_ARRAY(w->arena, lapack_int, n);
    const bool regular = LAPACKE_zgetrf(LAPACK_ROW_MAJOR, (int)n, (int)n, w->a, (int)n, pivots) == 0;
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    for (int64_t i = 0; i < n && regular; i++) {
        const int64_t other = pivots[i] - 1, swap = rows[i];
        rows[i] = rows[other];
        rows[other] = swap;
    }
    return regular;
}

static int sign_of(const int64_t *rows, int64_t n, Arena *arena) {
    bool *seen = NEW_ARRAY(arena, bool, n);
    int sign = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t length = 0;
        for (int64_t k = i; !seen[k]; k = rows[k], length++) seen[k] = true;
        if (length > 0 && length % 2 == 0) sign = -sign;
    }
    return sign;
}

static void determinant(Work *w) {
    const int64_t n = w->m.rows;
    int64_t *rows = NEW_ARRAY(w->arena, int64_t, n);
    if (!factor(w, rows)) return;
    const bool logarithm = w->call->n_outputs == 2;
    TfoptComplex product = sign_of(rows, n, w->arena), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const TfoptComplex d = w->a[i * n + i];
        product *= logarithm ? d / cabs(d) : d;
        sum += log(cabs(d));
    }
    store(w, 0, 1, 1, &product);
    if (logarithm) store(w, 1, 1, 1, &sum);
}

/* LAPACK's pivots of complex matrices are the largest by another norm: then the runtime's factors stay. */
static void lu(Work *w) {
    const int64_t n = w->m.rows;
    int64_t *rows = NEW_ARRAY(w->arena, int64_t, n);
    bool same = factor(w, rows);
    for (int64_t i = 0; same && i < n; i++) same = tfopt_int_at(&w->call->outputs[1], w->batch * n + i) == rows[i];
    if (same) store(w, 0, n, n, w->a);
}

/* ---- decompositions */

static void qr(Work *w) {
    const int64_t m = w->m.rows, n = w->m.columns, least = m < n ? m : n,
                  width = attr(w, "full_matrices", false) ? m : least;
    TfoptComplex *tau = matrix(w, least, 1), *q = matrix(w, m, width), *r = matrix(w, width, n);
    if (LAPACKE_zgeqrf(LAPACK_ROW_MAJOR, (int)m, (int)n, w->a, (int)n, tau) != 0) return;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < least; j++) q[i * width + j] = w->a[i * n + j];
    for (int64_t i = 0; i < width; i++)
        for (int64_t j = i; j < n; j++) r[i * n + j] = w->a[i * n + j];
    if (LAPACKE_zungqr(LAPACK_ROW_MAJOR, (int)m, (int)width, (int)least, q, (int)width, tau) != 0) return;
    store(w, 0, m, width, q);
    store(w, 1, width, n, r);
}

/* Vectors of one output, [rows, columns]: the runtime's are replaced by the nearest ones in our spaces. */
typedef struct {
    int64_t rows, columns;
    TfoptComplex *theirs, *nearest;
} Vectors;

static Vectors vectors_of(Work *w, int32_t output, int64_t rows, int64_t columns) {
    TfoptComplex *theirs = load(w, &w->call->outputs[output], rows, columns), *nearest = matrix(w, rows, columns);
    memcpy(nearest, theirs, (size_t)(rows * columns) * sizeof *nearest);
    return (Vectors){rows, columns, theirs, nearest};
}

/* Columns [first, last) of both belong to one value; ours[rows, stride] are orthonormal. */
static void nearest_in_space(Vectors *v, const TfoptComplex *ours, int64_t stride, int64_t first, int64_t last) {
    const int64_t n = v->columns;
    for (int64_t c = first; c < last && c < n; c++) {
        for (int64_t i = 0; i < v->rows; i++) v->nearest[i * n + c] = 0;
        for (int64_t k = first; k < last; k++) {
            TfoptComplex along = 0;
            for (int64_t i = 0; i < v->rows; i++) along += conj(ours[i * stride + k]) * v->theirs[i * n + c];
            for (int64_t i = 0; i < v->rows; i++) v->nearest[i * n + c] += along * ours[i * stride + k];
        }
    }
}

/* The end of the run of values that are as good as equal to values[first]; `total` columns, those behind the values
   belong to zero. */
static int64_t run_end(const double *values, int64_t n, int64_t total, int64_t first) {
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(values[i]));
    int64_t last = first + 1;
    for (; last < total; last++) {
        const double a = last - 1 < n ? values[last - 1] : 0, b = last < n ? values[last] : 0;
        if (fabs(a - b) > 1e-8 * largest) break;
    }
    return last;
}

static void svd(Work *w) {
    const int64_t m = w->m.rows, n = w->m.columns, least = m < n ? m : n;
    const bool vectors = attr(w, "compute_uv", true), full = attr(w, "full_matrices", false);
    const int64_t uc = full ? m : least, vc = full ? n : least;
    double *s = NEW_ARRAY(w->arena, double, least);
    TfoptComplex *u = matrix(w, m, m), *vt = matrix(w, n, n), *v = matrix(w, n, n);
    if (LAPACKE_zgesdd(LAPACK_ROW_MAJOR, vectors ? 'A' : 'N', (int)m, (int)n, w->a, (int)n, s, u, (int)m, vt, (int)n) !=
        0)
        return;
    for (int64_t i = 0; i < least; i++) tfopt_set_complex(&w->call->outputs[0], w->batch * least + i, s[i]);
    if (!vectors) return;
    tfopt_adjoint(vt, n, n, v);
    Vectors left = vectors_of(w, 1, m, uc), right = vectors_of(w, 2, n, vc);
    for (int64_t first = 0, last; first < m; first = last)
        nearest_in_space(&left, u, m, first, last = run_end(s, least, m, first));
    for (int64_t first = 0, last; first < n; first = last)
        nearest_in_space(&right, v, n, first, last = run_end(s, least, n, first));
    store(w, 1, m, uc, left.nearest);
    store(w, 2, n, vc, right.nearest);
}

static void self_adjoint_eig(Work *w) {
    const int64_t n = w->m.rows;
    double *values = NEW_ARRAY(w->arena, double, n);
    const bool vectors = attr(w, "compute_v", true);
    if (LAPACKE_zheevd(LAPACK_ROW_MAJOR, vectors ? 'V' : 'N', 'L', (int)n, w->a, (int)n, values) != 0) return;
    for (int64_t i = 0; i < n; i++) tfopt_set_complex(&w->call->outputs[0], w->batch * n + i, values[i]);
    if (!vectors) return;
    Vectors v = vectors_of(w, 1, n, n);
    for (int64_t first = 0, last; first < n; first = last)
        nearest_in_space(&v, w->a, n, first, last = run_end(values, n, n, first));
    store(w, 1, n, n, v.nearest);
}

/* Values in the runtime's order: each is replaced by the nearest that is left; vectors of single values only, as those
   of values that meet are no basis. */
static void eig(Work *w) {
    const int64_t n = w->m.rows;
    const bool vectors = attr(w, "compute_v", true);
    TfoptComplex *values = matrix(w, n, 1), *right = matrix(w, n, n), *unused = matrix(w, 1, 1);
    if (LAPACKE_zgeev(LAPACK_ROW_MAJOR, 'N', vectors ? 'V' : 'N', (int)n, w->a, (int)n, values, unused, (int)n, right,
                      (int)n) != 0)
        return;
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, cabs(values[i]));
    bool *used = NEW_ARRAY(w->arena, bool, n);
    Vectors v = vectors ? vectors_of(w, 1, n, n) : (Vectors){0};
    TfoptComplex *ours = matrix(w, n, n);
    for (int64_t i = 0; i < n; i++) {
        const TfoptComplex theirs = tfopt_complex_at(&w->call->outputs[0], w->batch * n + i);
        int64_t best = -1;
        for (int64_t k = 0; k < n; k++)
            if (!used[k] && (best < 0 || cabs(values[k] - theirs) < cabs(values[best] - theirs))) best = k;
        used[best] = true;
        tfopt_set_complex(&w->call->outputs[0], w->batch * n + i, values[best]);
        bool single = vectors;
        for (int64_t k = 0; k < n; k++)
            single = single && (k == best || cabs(values[k] - values[best]) > 1e-6 * largest);
        if (!single) continue;
        for (int64_t k = 0; k < n; k++) ours[k * n + i] = right[k * n + best];
        nearest_in_space(&v, ours, n, i, i + 1);
    }
    if (vectors) store(w, 1, n, n, v.nearest);
}

/* By Padé's approximation of degree 6 of the matrix halved until it is small. */
static void matrix_exponential(Work *w) {
    const int64_t n = w->m.rows, size = n * n;
    TfoptComplex *power = matrix(w, n, n), *next = matrix(w, n, n), *top = matrix(w, n, n), *bottom = matrix(w, n, n);
    const double norm = LAPACKE_zlange(LAPACK_ROW_MAJOR, 'I', (int)n, (int)n, w->a, (int)n);
    int halvings = 0;
    if (!isfinite(norm)) return;
    for (double left = norm; left > 0.25; left /= 2) halvings++;
    for (int64_t i = 0; i < size; i++) w->a[i] *= ldexp(1, -halvings);
    identity(power, n);
    identity(top, n);
    identity(bottom, n);
    enum { DEGREE = 6 };
    double factor_ = 1;
    for (int k = 1; k <= DEGREE; k++) {
        factor_ *= (double)(DEGREE - k + 1) / (double)((2 * DEGREE - k + 1) * k);
        multiply(CblasNoTrans, CblasNoTrans, n, n, n, power, w->a, next);
        memcpy(power, next, (size_t)size * sizeof *power);
        for (int64_t i = 0; i < size; i++) {
            top[i] += factor_ * power[i];
            bottom[i] += (k % 2 ? -factor_ : factor_) * power[i];
        }
    }
    lapack_int *pivots = NEW_ARRAY(w->arena, lapack_int, n);
    if (LAPACKE_zgesv(LAPACK_ROW_MAJOR, (int)n, (int)n, bottom, (int)n, pivots, top, (int)n) != 0) return;
    for (int k = 0; k < halvings; k++) {
        multiply(CblasNoTrans, CblasNoTrans, n, n, n, top, top, next);
        memcpy(top, next, (size_t)size * sizeof *top);
    }
    store(w, 0, n, n, top);
}

/* The root of the Schur form, back. */
static void matrix_square_root(Work *w) {
    const int64_t n = w->m.rows, first = w->batch * n * n;
    if (isnan(creal(tfopt_complex_at(&w->call->outputs[0], first)))) return; /* it has none */
    TfoptComplex *values = matrix(w, n, 1), *u = matrix(w, n, n), *half = matrix(w, n, n), *t = w->a;
    lapack_int dimension;
    if (LAPACKE_zgees(LAPACK_ROW_MAJOR, 'V', 'N', NULL, (int)n, t, (int)n, &dimension, values, u, (int)n) != 0) return;
    for (int64_t k = 0; k < n; k++) {
        for (int64_t i = k + 1; i < n; i++) t[i * n + k] = 0;
        t[k * n + k] = csqrt(t[k * n + k]);
        for (int64_t i = k - 1; i >= 0; i--) {
            TfoptComplex x = t[i * n + k];
            for (int64_t j = i + 1; j < k; j++) x -= t[i * n + j] * t[j * n + k];
            t[i * n + k] = x == 0 ? 0 : x / (t[i * n + i] + t[k * n + k]);
        }
    }
    multiply(CblasNoTrans, CblasNoTrans, n, n, n, u, t, half);
    multiply(CblasNoTrans, CblasConjTrans, n, n, n, half, u, t);
    store(w, 0, n, n, t);
}

/* ---- the table */

static const struct {
    const char *function; /* of runtime/hostops */
    LapackFn *run;
    bool whole_batch; /* it walks over the batch itself */
} rows[] = {
    {"tfopt_host_cholesky", cholesky, false},
    {"tfopt_host_matrix_inverse", matrix_inverse, false},
    {"tfopt_host_matrix_solve", matrix_solve, false},
    {"tfopt_host_matrix_triangular_solve", triangular_solve, true},
    {"tfopt_host_tridiagonal_solve", tridiagonal_solve, false},
    {"tfopt_host_matrix_solve_ls", solve_ls, false},
    {"tfopt_host_matrix_determinant", determinant, false},
    {"tfopt_host_log_matrix_determinant", determinant, false},
    {"tfopt_host_lu", lu, false},
    {"tfopt_host_qr", qr, false},
    {"tfopt_host_svd", svd, false},
    {"tfopt_host_self_adjoint_eig", self_adjoint_eig, false},
    {"tfopt_host_eig", eig, false},
    {"tfopt_host_matrix_exponential", matrix_exponential, false},
    {"tfopt_host_matrix_square_root", matrix_square_root, false},
};

void ref_lapack(const HostOp *op, TfoptHostCall *call) {
    size_t row = 0;
    while (row < ARRAY_LEN(rows) && strcmp(rows[row].function, op->symbol) != 0) row++;
    if (row == ARRAY_LEN(rows)) return;
    Work w = {.call = call};
    if (!tfopt_matrices(&call->inputs[0], &w.m) || w.m.batches == 0 || w.m.rows == 0 || w.m.columns == 0 ||
        w.m.rows > INT_MAX / 2 || w.m.columns > INT_MAX / 2)
        return;
    w.arena = arena_new();
    for (; w.batch < (rows[row].whole_batch ? 1 : w.m.batches); w.batch++) {
        w.a = load(&w, &call->inputs[0], w.m.rows, w.m.columns);
        bool finite = true; /* LAPACK may not end otherwise */
        for (int64_t i = 0; i < w.m.rows * w.m.columns; i++) finite = finite && isfinite(creal(w.a[i]) + cimag(w.a[i]));
        if (finite || rows[row].whole_batch) rows[row].run(&w);
        arena_reset(w.arena);
    }
    arena_free(w.arena);
}
