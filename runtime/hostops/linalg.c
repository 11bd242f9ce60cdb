/* Solvers: LU with partial pivoting, Cholesky, triangular and tridiagonal systems, inverses, determinants, least
 * squares. */
#include "hostops/linalg.h"
#include <math.h>
#include <string.h>

bool tfopt_matrices(const TfoptTensor *t, TfoptMatrices *out) {
    if (t->rank < 2) return false;
    *out = (TfoptMatrices){tfopt_dims_product(t->dims, 0, t->rank - 2), t->dims[t->rank - 2], t->dims[t->rank - 1]};
    return true;
}

void tfopt_matrix_load(const TfoptTensor *t, int64_t first, int64_t count, TfoptComplex *out) {
    for (int64_t i = 0; i < count; i++) out[i] = tfopt_complex_at(t, first + i);
}

void tfopt_matrix_store(const TfoptTensor *t, int64_t first, int64_t count, const TfoptComplex *v) {
    for (int64_t i = 0; i < count; i++) tfopt_set_complex(t, first + i, v[i]);
}

void *tfopt_matrix_output(TfoptHostCall *call, int32_t i, const TfoptTensor *like, int32_t rank, int64_t rows,
                          int64_t columns) {
    int64_t dims[TFOPT_MAX_RANK];
    int32_t n = like->rank - 2;
    for (int32_t k = 0; k < n; k++) dims[k] = like->dims[k];
    if (rank > 0) dims[n++] = rows;
    if (rank > 1) dims[n++] = columns;
    return tfopt_host_output(call, i, n, dims);
}

void tfopt_adjoint(const TfoptComplex *a, int64_t m, int64_t n, TfoptComplex *out) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) out[j * m + i] = conj(a[i * n + j]);
    }
}

/* ---- ops */

static int32_t square_input(TfoptHostCall *call, TfoptMatrices *m) {
    if (!tfopt_matrices(&call->inputs[0], m) || m->rows != m->columns)
        return tfopt_invalid(call, "input matrices must be square");
    return TFOPT_OK;
}

/* L of a = L L*, in place; false: not positive definite. */
static bool cholesky(TfoptComplex *a, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        TfoptComplex *row = a + i * n;
        for (int64_t j = 0; j < i; j++) row[j] = (row[j] - tfopt_row_dot(a + j * n, row, j)) / creal(a[j * n + j]);
        const double d = creal(row[i]) - creal(tfopt_row_dot(row, row, i));
        if (d <= 0) return false;
        row[i] = sqrt(d);
        for (int64_t j = i + 1; j < n; j++) row[j] = 0;
    }
    return true;
}

/* The same of a real matrix. */
static bool cholesky_real(double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (int64_t j = 0; j < i; j++) row[j] = (row[j] - tfopt_real_dot(a + j * n, row, j)) / a[j * n + j];
        const double d = row[i] - tfopt_real_dot(row, row, i);
        if (d <= 0) return false;
        row[i] = sqrt(d);
        for (int64_t j = i + 1; j < n; j++) row[j] = 0;
    }
    return true;
}

int32_t tfopt_host_cholesky(TfoptHostCall *call) {
    TfoptMatrices m = {0, 0, 0};
    const int32_t status = square_input(call, &m);
    if (status != TFOPT_OK) return status;
    const int64_t n = m.rows;
    const TfoptTensor *t = &call->inputs[0];
    const bool is_complex = t->dtype == TFOPT_C64 || t->dtype == TFOPT_C128;
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a);
    double *reals = (double *)a;
    if (!a || !tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        const int64_t first = b * n * n;
        if (is_complex) {
            tfopt_matrix_load(t, first, n * n, a);
            if (!cholesky(a, n)) memset(a, 0, (size_t)(n * n) * sizeof *a);
            tfopt_matrix_store(&call->outputs[0], first, n * n, a);
            continue;
        }
        for (int64_t i = 0; i < n * n; i++) reals[i] = tfopt_real_at(t, first + i);
        if (!cholesky_real(reals,
                           n)) { /* no error in TensorFlow: the triangle is NaN, or nothing where numbers are complex */
            for (int64_t i = 0; i < n * n; i++) reals[i] = i % n <= i / n ? NAN : 0;
        }
        for (int64_t i = 0; i < n * n; i++) tfopt_set_real(&call->outputs[0], first + i, reals[i]);
    }
    return TFOPT_OK;
}

/* Right sides. Columns of real systems go in pairs, as the parts of complex ones: their factors are real. */
static bool in_pairs(const TfoptTensor *t) {
    return t->dtype != TFOPT_C64 && t->dtype != TFOPT_C128;
}

static int64_t sides_width(const TfoptTensor *t, int64_t k) {
    return in_pairs(t) ? (k + 1) / 2 : k;
}

static void sides_load(const TfoptTensor *t, int64_t first, int64_t n, int64_t k, TfoptComplex *x) {
    const int64_t width = 2 * sides_width(t, k);
    if (!in_pairs(t)) {
        tfopt_matrix_load(t, first, n * k, x);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < width; c++)
            ((double *)x)[i * width + c] = c < k ? tfopt_real_at(t, first + i * k + c) : 0;
    }
}

static void sides_store(const TfoptTensor *t, int64_t first, int64_t n, int64_t k, const TfoptComplex *x) {
    const int64_t width = 2 * sides_width(t, k);
    if (!in_pairs(t)) {
        tfopt_matrix_store(t, first, n * k, x);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < k; c++) tfopt_set_real(t, first + i * k + c, ((const double *)x)[i * width + c]);
    }
}

static void sides_identity(const TfoptTensor *t, int64_t n, TfoptComplex *x) {
    const int64_t width = sides_width(t, n);
    memset(x, 0, (size_t)(n * width) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        if (in_pairs(t))
            ((double *)x)[2 * i * width + i] = 1;
        else
            x[i * width + i] = 1;
    }
}

/* Solutions of a x = rhs, or of adjoint(a) x = rhs. */
static int32_t solve(TfoptHostCall *call, const TfoptTensor *rhs, bool adjoint) {
    TfoptMatrices m = {0, 0, 0}, r = {0, 0, 0};
    const int32_t status = square_input(call, &m);
    if (status != TFOPT_OK) return status;
    const int64_t n = m.rows;
    if (rhs && (!tfopt_matrices(rhs, &r) || r.rows != n || r.batches != m.batches))
        return tfopt_invalid(call, "matrix and rhs do not fit");
    const TfoptTensor *like = rhs ? rhs : &call->inputs[0];
    const int64_t k = rhs ? r.columns : n, width = sides_width(like, k);
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a), *t = tfopt_call_alloc(call, n * n + 1, sizeof *t);
    TfoptComplex *x = tfopt_call_alloc(call, n * width + 1, sizeof *x),
                 *work = tfopt_call_alloc(call, n * width + 1, sizeof *work);
    int64_t *perm = tfopt_call_alloc(call, n + 1, sizeof *perm);
    if (!a || !t || !x || !work || !perm || !tfopt_output_like(call, 0, like)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, a);
        if (adjoint) {
            tfopt_adjoint(a, n, n, t);
            memcpy(a, t, (size_t)(n * n) * sizeof *a);
        }
        if (rhs) {
            sides_load(rhs, b * n * k, n, k, x);
        } else {
            sides_identity(like, n, x);
        }
        if (tfopt_lu(a, n, perm) == 0 || (n > 0 && isnan(creal(a[0])))) /* the least pivot is not above 0 */
            return tfopt_invalid(call, "Input matrix is not invertible.");
        tfopt_lu_solve(a, perm, n, x, width, work);
        sides_store(&call->outputs[0], b * n * k, n, k, x);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_matrix_inverse(TfoptHostCall *call) {
    return solve(call, NULL, tfopt_call_int(call, "adjoint", 0) != 0);
}
int32_t tfopt_host_matrix_solve(TfoptHostCall *call) {
    return solve(call, &call->inputs[1], tfopt_call_int(call, "adjoint", 0) != 0);
}

static int32_t determinant(TfoptHostCall *call, bool logarithm) {
    TfoptMatrices m = {0, 0, 0};
    const int32_t status = square_input(call, &m);
    if (status != TFOPT_OK) return status;
    const int64_t n = m.rows;
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a);
    int64_t *perm = tfopt_call_alloc(call, n + 1, sizeof *perm);
    if (!a || !perm || !tfopt_matrix_output(call, 0, &call->inputs[0], 0, 0, 0)) return tfopt_no_memory(call);
    if (logarithm && !tfopt_matrix_output(call, 1, &call->inputs[0], 0, 0, 0)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, a);
        const int sign = tfopt_lu(a, n, perm);
        TfoptComplex product = sign;
        double log_abs = sign ? 0 : -INFINITY;
        for (int64_t i = 0; i < n && sign; i++) {
            const TfoptComplex d = a[i * n + i];
            product *= logarithm ? d / cabs(d) : d;
            log_abs += log(cabs(d));
        }
        tfopt_set_complex(&call->outputs[0], b, product);
        if (logarithm) tfopt_set_complex(&call->outputs[1], b, log_abs);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_matrix_determinant(TfoptHostCall *call) {
    return determinant(call, false);
}
int32_t tfopt_host_log_matrix_determinant(TfoptHostCall *call) {
    return determinant(call, true);
}

int32_t tfopt_host_lu(TfoptHostCall *call) {
    TfoptMatrices m = {0, 0, 0};
    const int32_t status = square_input(call, &m);
    if (status != TFOPT_OK) return status;
    const int64_t n = m.rows;
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a);
    int64_t *perm = tfopt_call_alloc(call, n + 1, sizeof *perm);
    if (!a || !perm || !tfopt_output_like(call, 0, &call->inputs[0]) ||
        !tfopt_matrix_output(call, 1, &call->inputs[0], 1, n, 0))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, a);
        if (tfopt_lu(a, n, perm) == 0 || (n > 0 && isnan(creal(a[0]))))
            return tfopt_invalid(call, "Input matrix is not invertible.");
        tfopt_matrix_store(&call->outputs[0], b * n * n, n * n, a);
        for (int64_t i = 0; i < n; i++) tfopt_set_int(&call->outputs[1], b * n + i, perm[i]);
    }
    return TFOPT_OK;
}

bool tfopt_matrix_batches(const TfoptHostCall *call, TfoptBroadcast *b) {
    TfoptTensor batch[2] = {call->inputs[0], call->inputs[1]};
    for (int i = 0; i < 2; i++) batch[i].rank -= 2;
    return tfopt_broadcast_init(b, batch, 2);
}

/* The output of matrices times right-hand sides. */
static bool batches_begin(TfoptHostCall *call, TfoptBroadcast *b, int64_t rows, int64_t columns, int32_t *status) {
    int64_t dims[TFOPT_MAX_RANK];
    if (!tfopt_matrix_batches(call, b)) return *status = tfopt_invalid(call, "matrix and rhs do not fit"), false;
    memcpy(dims, b->dims, sizeof dims);
    dims[b->rank] = rows;
    dims[b->rank + 1] = columns;
    if (!tfopt_host_output(call, 0, b->rank + 2, dims)) return *status = tfopt_no_memory(call), false;
    return true;
}

int32_t tfopt_host_matrix_triangular_solve(TfoptHostCall *call) {
    const TfoptTensor *rhs = &call->inputs[1];
    TfoptMatrices m = {0, 0, 0}, r = {0, 0, 0};
    TfoptBroadcast batch;
    int32_t status = square_input(call, &m);
    if (status != TFOPT_OK) return status;
    if (!tfopt_matrices(rhs, &r) || r.rows != m.rows) return tfopt_invalid(call, "matrix and rhs do not fit");
    const bool lower = tfopt_call_int(call, "lower", 1) != 0, adjoint = tfopt_call_int(call, "adjoint", 0) != 0;
    const int64_t n = m.rows, k = r.columns;
    if (!batches_begin(call, &batch, n, k, &status)) return status;
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a),
                 *x = tfopt_call_alloc(call, n * (k + 1) + 1, sizeof *x);
    if (!a || !x) return tfopt_no_memory(call);
    for (int64_t b = 0; b < batch.count; b++, tfopt_broadcast_next(&batch)) {
        tfopt_matrix_load(&call->inputs[0], batch.at[0] * n * n, n * n, a);
        sides_load(rhs, batch.at[1] * n * k, n, k, x);
        tfopt_solve_triangular(a, n, lower, adjoint, false, x, sides_width(rhs, k)); /* 0 on the diagonal: infinities */
        sides_store(&call->outputs[0], b * n * k, n, k, x);
    }
    return TFOPT_OK;
}

/* Least squares by the normal equations ("fast"), or by singular values. */
int32_t tfopt_host_matrix_solve_ls(TfoptHostCall *call) {
    const TfoptTensor *rhs = &call->inputs[1];
    TfoptMatrices m = {0, 0, 0}, r = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &m) || !tfopt_matrices(rhs, &r) || r.rows != m.rows || r.batches != m.batches)
        return tfopt_invalid(call, "matrix and rhs do not fit");
    const double l2 = call->n_inputs > 2 ? tfopt_real_at(&call->inputs[2], 0) : 0;
    const bool fast = tfopt_call_int(call, "fast", 1) != 0, tall = m.rows >= m.columns;
    const int64_t rows = m.rows, n = m.columns, k = r.columns, small = tall ? n : rows, large = tall ? rows : n;
    TfoptComplex *a = tfopt_call_alloc(call, rows * n + 1, sizeof *a),
                 *ah = tfopt_call_alloc(call, rows * n + 1, sizeof *ah);
    TfoptComplex *b = tfopt_call_alloc(call, rows * k + 1, sizeof *b),
                 *g = tfopt_call_alloc(call, small * small + 1, sizeof *g);
    TfoptComplex *x = tfopt_call_alloc(call, large * k + 1, sizeof *x),
                 *y = tfopt_call_alloc(call, large * k + 1, sizeof *y),
                 *work = tfopt_call_alloc(call, small * (k + large + small) + 1, sizeof *work);
    int64_t *perm = tfopt_call_alloc(call, small + 1, sizeof *perm);
    double *s = tfopt_call_alloc(call, small + 1, sizeof *s);
    if (!a || !ah || !b || !g || !x || !y || !work || !perm || !s ||
        !tfopt_matrix_output(call, 0, &call->inputs[0], 2, n, k))
        return tfopt_no_memory(call);
    for (int64_t batch = 0; batch < m.batches; batch++) {
        tfopt_matrix_load(&call->inputs[0], batch * rows * n, rows * n, a);
        tfopt_matrix_load(rhs, batch * rows * k, rows * k, b);
        tfopt_adjoint(a, rows, n, ah);
        if (fast) {
            if (tall)
                tfopt_multiply(ah, a, n, rows, n, g);
            else
                tfopt_multiply(a, ah, rows, n, rows, g);
            for (int64_t i = 0; i < small; i++) g[i * small + i] += l2;
            if (tfopt_lu(g, small, perm) == 0)
                return tfopt_invalid(call, "Input matrix was rank deficient or ill-conditioned. Try setting fast=False "
                                           "or provide a larger l2_regularizer > 0.");
            if (tall) {
                tfopt_multiply(ah, b, n, rows, k, x);
                tfopt_lu_solve(g, perm, n, x, k, work);
            } else {
                tfopt_lu_solve(g, perm, rows, b, k, work);
                tfopt_multiply(ah, b, n, rows, k, x);
            }
        } else { /* x = V (U* b / s): of the tall one of a and its adjoint */
            TfoptComplex *u = tall ? a : ah;
            tfopt_svd(u, large, small, s, g, work);
            const TfoptComplex *left = tall ? u : g, *right = tall ? g : u;
            for (int64_t i = 0; i < small; i++) {
                for (int64_t c = 0; c < k; c++) {
                    TfoptComplex sum = 0;
                    for (int64_t p = 0; p < rows; p++) sum += conj(left[p * small + i]) * b[p * k + c];
                    y[i * k + c] = s[i] > s[0] * 1e-14 ? sum / s[i] : 0;
                }
            }
            tfopt_multiply(right, y, n, small, k, x);
        }
        tfopt_matrix_store(&call->outputs[0], batch * n * k, n * k, x);
    }
    return TFOPT_OK;
}

/* ---- tridiagonal: rows of `diagonals` are above, on and below the diagonal; the last of the first and the first of
 * the last are unused */
int32_t tfopt_host_tridiagonal_solve(TfoptHostCall *call) {
    const TfoptTensor *bands = &call->inputs[0], *rhs = &call->inputs[1];
    TfoptMatrices m = {0, 0, 0}, r = {0, 0, 0};
    if (!tfopt_matrices(bands, &m) || m.rows != 3 || !tfopt_matrices(rhs, &r) || r.rows != m.columns ||
        r.batches != m.batches)
        return tfopt_invalid(call, "diagonals must be [..., 3, m] and rhs [..., m, k]");
    const bool pivoting = tfopt_call_int(call, "partial_pivoting", 1) != 0;
    const int64_t n = m.columns, k = r.columns;
    TfoptComplex *d = tfopt_call_alloc(call, 3 * n + 1, sizeof *d), *u = tfopt_call_zeroed(call, 3 * n + 3, sizeof *u),
                 *x = tfopt_call_alloc(call, n * k + 1, sizeof *x);
    if (!d || !u || !x || !tfopt_output_like(call, 0, rhs)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(bands, b * 3 * n, 3 * n, d);
        tfopt_matrix_load(rhs, b * n * k, n * k, x);
        /* u[i] holds the three elements from the diagonal on of row i; the row below is eliminated with it. */
        for (int64_t i = 0; i < n; i++) {
            if (i == 0) u[0] = d[n], u[1] = n > 1 ? d[0] : 0, u[2] = 0;
            TfoptComplex low[3] = {0, 0, 0};
            if (i + 1 < n) low[0] = d[2 * n + i + 1], low[1] = d[n + i + 1], low[2] = i + 2 < n ? d[i + 1] : 0;
            if (i + 1 < n && pivoting && cabs(low[0]) > cabs(u[3 * i])) {
                for (int j = 0; j < 3; j++) {
                    const TfoptComplex swap = u[3 * i + j];
                    u[3 * i + j] = low[j];
                    low[j] = swap;
                }
                for (int64_t c = 0; c < k; c++) {
                    const TfoptComplex swap = x[i * k + c];
                    x[i * k + c] = x[(i + 1) * k + c];
                    x[(i + 1) * k + c] = swap;
                }
            }
            if (u[3 * i] == 0)
                return tfopt_invalid(call, "The first element of diagonals is zero, or the matrix is not invertible.");
            if (i + 1 == n) break;
            const TfoptComplex f = low[0] / u[3 * i];
            u[3 * i + 3] = low[1] - f * u[3 * i + 1];
            u[3 * i + 4] = low[2] - f * u[3 * i + 2];
            u[3 * i + 5] = 0;
            for (int64_t c = 0; c < k; c++) x[(i + 1) * k + c] -= f * x[i * k + c];
        }
        for (int64_t i = n - 1; i >= 0; i--) {
            for (int64_t c = 0; c < k; c++) {
                TfoptComplex v = x[i * k + c];
                if (i + 1 < n) v -= u[3 * i + 1] * x[(i + 1) * k + c];
                if (i + 2 < n) v -= u[3 * i + 2] * x[(i + 2) * k + c];
                x[i * k + c] = v / u[3 * i];
            }
        }
        tfopt_matrix_store(&call->outputs[0], b * n * k, n * k, x);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_tridiagonal_matmul(TfoptHostCall *call) {
    const TfoptTensor *upper = &call->inputs[0], *main_ = &call->inputs[1], *lower = &call->inputs[2],
                      *rhs = &call->inputs[3];
    TfoptMatrices r = {0, 0, 0};
    if (!tfopt_matrices(rhs, &r)) return tfopt_invalid(call, "rhs must be a matrix");
    const int64_t n = r.rows, k = r.columns;
    if (tfopt_elements(upper) != r.batches * n || tfopt_elements(main_) != r.batches * n ||
        tfopt_elements(lower) != r.batches * n)
        return tfopt_invalid(call, "the diagonals do not fit rhs");
    if (!tfopt_output_like(call, 0, rhs)) return tfopt_no_memory(call);
    for (int64_t b = 0; b < r.batches; b++) {
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = b * n + i;
            for (int64_t c = 0; c < k; c++) {
                TfoptComplex v = tfopt_complex_at(main_, at) * tfopt_complex_at(rhs, at * k + c);
                if (i + 1 < n) v += tfopt_complex_at(upper, at) * tfopt_complex_at(rhs, (at + 1) * k + c);
                if (i > 0) v += tfopt_complex_at(lower, at) * tfopt_complex_at(rhs, (at - 1) * k + c);
                tfopt_set_complex(&call->outputs[0], at * k + c, v);
            }
        }
    }
    return TFOPT_OK;
}

/* bands [..., bands, m]: lower: diagonal first, then those below; upper: those above first, the diagonal last. */
int32_t tfopt_host_banded_triangular_solve(TfoptHostCall *call) {
    const TfoptTensor *bands = &call->inputs[0], *rhs = &call->inputs[1];
    TfoptMatrices m = {0, 0, 0}, r = {0, 0, 0};
    TfoptBroadcast batch;
    int32_t status = TFOPT_OK;
    if (!tfopt_matrices(bands, &m) || !tfopt_matrices(rhs, &r) || r.rows != m.columns)
        return tfopt_invalid(call, "matrix and rhs do not fit");
    const bool lower = tfopt_call_int(call, "lower", 1) != 0, adjoint = tfopt_call_int(call, "adjoint", 0) != 0;
    const int64_t n = m.columns, k = r.columns;
    if (!batches_begin(call, &batch, n, k, &status)) return status;
    TfoptComplex *a = tfopt_call_zeroed(call, n * n + 1, sizeof *a), *x = tfopt_call_alloc(call, n * k + 1, sizeof *x);
    if (!a || !x) return tfopt_no_memory(call);
    for (int64_t b = 0; b < batch.count; b++, tfopt_broadcast_next(&batch)) {
        const int64_t first = batch.at[0] * m.rows * n;
        for (int64_t band = 0; band < m.rows; band++) {
            const int64_t below = lower ? band : band - (m.rows - 1);
            for (int64_t i = 0; i < n; i++) {
                const int64_t column = i - below;
                if (column >= 0 && column < n) a[i * n + column] = tfopt_complex_at(bands, first + band * n + i);
            }
        }
        tfopt_matrix_load(rhs, batch.at[1] * n * k, n * k, x);
        for (int64_t i = 0; i < n; i++)
            if (a[i * n + i] == 0) return tfopt_invalid(call, "Input matrix is not invertible.");
        tfopt_solve_triangular(a, n, lower, adjoint, false, x, k);
        tfopt_matrix_store(&call->outputs[0], b * n * k, n * k, x);
    }
    return TFOPT_OK;
}
