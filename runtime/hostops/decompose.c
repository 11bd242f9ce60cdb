/* Decompositions: QR by Householder reflections (with TensorFlow's signs), singular values by one-sided Jacobi
   rotations: slower than LAPACK for large matrices, but exact to the last digits and without it. */
#include "hostops/linalg.h"
#include <math.h>
#include <string.h>

/* Rows `from` … of x[rows, n] from column `column` on are reflected: x -= tau v (v* x), v[i] for row i. */
static void reflect_rows(TfoptComplex *x, int64_t rows, int64_t n, int64_t from, int64_t column, const TfoptComplex *v,
                         TfoptComplex tau, TfoptComplex *work) {
    const int64_t width = n - column;
    memset(work, 0, (size_t)width * sizeof *work);
    for (int64_t i = from; i < rows; i++) tfopt_row_add(work, x + i * n + column, conj(v[i]), width);
    for (int64_t i = from; i < rows; i++) tfopt_row_add(x + i * n + column, work, -tau * v[i], width);
}

/* a[m,n] becomes R (upper part); q[m,width] the first columns of the product of the reflections. v[m,least] holds their
   vectors, as rows, tau[least] their factors. */
static void householder(TfoptComplex *a, int64_t m, int64_t n, TfoptComplex *q, int64_t width, TfoptComplex *v,
                        TfoptComplex *tau, TfoptComplex *work) {
    const int64_t least = m < n ? m : n;
    for (int64_t k = 0; k < least; k++) {
        TfoptComplex *row = v + k * m;
        double tail = 0;
        for (int64_t i = k + 1; i < m; i++) tail += creal(a[i * n + k] * conj(a[i * n + k]));
        const TfoptComplex head = a[k * n + k];
        tau[k] = 0;
        if (tail == 0 && cimag(head) == 0) continue;
        double beta = sqrt(creal(head * conj(head)) + tail);
        if (creal(head) >= 0) beta = -beta;
        tau[k] = (beta - head) / beta; /* H = I - tau v v*; H* a = beta e */
        row[k] = 1;
        for (int64_t i = k + 1; i < m; i++) row[i] = a[i * n + k] / (head - beta);
        reflect_rows(a, m, n, k, k, row, conj(tau[k]), work);
        for (int64_t i = k + 1; i < m; i++) a[i * n + k] = 0;
    }
    for (int64_t i = 0; i < m * width; i++) q[i] = i / width == i % width;
    for (int64_t k = least - 1; k >= 0; k--)
        if (tau[k] != 0) reflect_rows(q, m, width, k, k, v + k * m, tau[k], work);
}

int32_t tfopt_host_qr(TfoptHostCall *call) {
    TfoptMatrices s = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &s)) return tfopt_invalid(call, "matrices are needed");
    const int64_t m = s.rows, n = s.columns, least = m < n ? m : n,
                  width = tfopt_call_int(call, "full_matrices", 0) ? m : least;
    TfoptComplex *a = tfopt_call_alloc(call, m * n + 1, sizeof *a),
                 *q = tfopt_call_alloc(call, m * width + 1, sizeof *q),
                 *v = tfopt_call_alloc(call, m * least + 1, sizeof *v),
                 *tau = tfopt_call_alloc(call, least + 1, sizeof *tau),
                 *work = tfopt_call_alloc(call, m + n + 1, sizeof *work);
    if (!a || !q || !v || !tau || !work || !tfopt_matrix_output(call, 0, &call->inputs[0], 2, m, width) ||
        !tfopt_matrix_output(call, 1, &call->inputs[0], 2, width, n))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < s.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * m * n, m * n, a);
        householder(a, m, n, q, width, v, tau, work);
        tfopt_matrix_store(&call->outputs[0], b * m * width, m * width, q);
        tfopt_matrix_store(&call->outputs[1], b * width * n, width * n, a);
    }
    return TFOPT_OK;
}

/* Columns of a[m, stride] from `from` on: unit vectors made orthogonal to those before. */
void tfopt_complete_basis(TfoptComplex *a, int64_t m, int64_t stride, int64_t from, int64_t to) {
    int64_t next = 0;
    for (int64_t c = from; c < to; c++) {
        double norm = 0;
        while (norm < 0.1 / sqrt((double)m) && next < m) {
            for (int64_t i = 0; i < m; i++) a[i * stride + c] = i == next;
            next++;
            for (int pass = 0; pass < 2; pass++) {
                for (int64_t k = 0; k < c; k++) {
                    TfoptComplex dot = 0;
                    for (int64_t i = 0; i < m; i++) dot += conj(a[i * stride + k]) * a[i * stride + c];
                    for (int64_t i = 0; i < m; i++) a[i * stride + c] -= dot * a[i * stride + k];
                }
            }
            norm = 0;
            for (int64_t i = 0; i < m; i++) norm += creal(a[i * stride + c] * conj(a[i * stride + c]));
            norm = sqrt(norm);
        }
        for (int64_t i = 0; i < m && norm > 0; i++) a[i * stride + c] /= norm;
    }
}

/* Rotates rows p and q of the n rows of u (of m elements) and of v until they are orthogonal; false: they are. */
static bool make_orthogonal(TfoptComplex *u, int64_t m, TfoptComplex *v, int64_t n, double *squares, int64_t p,
                            int64_t q) {
    const TfoptComplex gamma = tfopt_row_dot(u + p * m, u + q * m, m);
    const double size = cabs(gamma);
    if (size == 0 || size <= 1e-15 * sqrt(squares[p] * squares[q])) return false;
    const double zeta = (squares[q] - squares[p]) / (2 * size),
                 t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    const double c = 1 / sqrt(1 + t * t);
    const TfoptComplex sine = c * t * (gamma / size);
    tfopt_row_rotate(u + p * m, u + q * m, c, sine, m);
    tfopt_row_rotate(v + p * n, v + q * n, c, sine, n);
    squares[p] -= t * size;
    squares[q] += t * size;
    return true;
}

void tfopt_svd(TfoptComplex *a, int64_t m, int64_t n, double *s, TfoptComplex *v, TfoptComplex *work) {
    TfoptComplex *u = work, *w = work + m * n; /* columns of a and v as rows */
    for (int64_t i = 0; i < m * n; i++) u[i % n * m + i / n] = a[i];
    for (int64_t i = 0; i < n * n; i++) w[i] = i / n == i % n;
    bool rotated = true;
    for (int sweep = 0; sweep < 60 && rotated; sweep++) {
        rotated = false;
        for (int64_t k = 0; k < n; k++) s[k] = creal(tfopt_row_dot(u + k * m, u + k * m, m));
        for (int64_t p = 0; p + 1 < n; p++) {
            for (int64_t q = p + 1; q < n; q++) rotated = make_orthogonal(u, m, w, n, s, p, q) || rotated;
        }
    }
    for (int64_t k = 0; k < n; k++) s[k] = sqrt(creal(tfopt_row_dot(u + k * m, u + k * m, m)));
    for (int64_t k = 0; k < n; k++) { /* descending, columns along */
        int64_t best = k;
        for (int64_t j = k + 1; j < n; j++) {
            if (s[j] > s[best]) best = j;
        }
        const double swap = s[k];
        s[k] = s[best];
        s[best] = swap;
        const bool has_direction = s[k] > s[0] * 4e-16 * (double)m; /* else the column is rounding */
        for (int64_t i = 0; i < m; i++) {
            const TfoptComplex x = u[best * m + i];
            u[best * m + i] = u[k * m + i];
            a[i * n + k] = has_direction ? x / s[k] : 0;
        }
        for (int64_t i = 0; i < n; i++) {
            const TfoptComplex x = w[best * n + i];
            w[best * n + i] = w[k * n + i];
            v[i * n + k] = x;
        }
    }
    int64_t rank = 0;
    while (rank < n && s[rank] > s[0] * 4e-16 * (double)m) rank++;
    tfopt_complete_basis(a, m, n, rank, n);
}

int32_t tfopt_host_svd(TfoptHostCall *call) {
    TfoptMatrices t = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &t)) return tfopt_invalid(call, "matrices are needed");
    const int64_t m = t.rows, n = t.columns, least = m < n ? m : n, most = m > n ? m : n;
    const bool vectors = tfopt_call_int(call, "compute_uv", 1) != 0,
               full = tfopt_call_int(call, "full_matrices", 0) != 0;
    const int64_t uc = !vectors ? 0 : full ? m : least, vc = !vectors ? 0 : full ? n : least;
    TfoptComplex *a = tfopt_call_alloc(call, m * n + 1, sizeof *a),
                 *tall = tfopt_call_alloc(call, m * n + 1, sizeof *tall);
    TfoptComplex *v = tfopt_call_alloc(call, least * least + 1, sizeof *v),
                 *wide = tfopt_call_alloc(call, most * (full ? most : least) + 1, sizeof *wide),
                 *work = tfopt_call_alloc(call, (most + least) * least + 1, sizeof *work);
    double *s = tfopt_call_alloc(call, least + 1, sizeof *s);
    if (!a || !tall || !v || !wide || !work || !s || !tfopt_matrix_output(call, 0, &call->inputs[0], 1, least, 0))
        return tfopt_no_memory(call);
    if (vectors ? !tfopt_matrix_output(call, 1, &call->inputs[0], 2, m, uc) ||
                      !tfopt_matrix_output(call, 2, &call->inputs[0], 2, n, vc)
                : !tfopt_output_1d(call, 1, 0) || !tfopt_output_1d(call, 2, 0))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < t.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * m * n, m * n, a);
        /* Of a wide matrix the adjoint is decomposed, and u and v change places. */
        if (m >= n)
            memcpy(tall, a, (size_t)(m * n) * sizeof *a);
        else
            tfopt_adjoint(a, m, n, tall);
        bool finite = true;
        for (int64_t i = 0; i < m * n; i++) finite = finite && isfinite(creal(a[i]) + cimag(a[i]));
        for (int64_t i = 0; i < m * n && !finite; i++) tall[i] = NAN;
        tfopt_svd(tall, most, least, s, v, work);
        for (int64_t i = 0; i < least; i++) tfopt_set_complex(&call->outputs[0], b * least + i, s[i]);
        if (!vectors) continue;
        const int64_t width = full ? most : least;
        for (int64_t i = 0; i < most; i++) {
            for (int64_t k = 0; k < least; k++) wide[i * width + k] = tall[i * least + k];
        }
        tfopt_complete_basis(wide, most, width, least, width);
        const int32_t large = m >= n ? 1 : 2;
        tfopt_matrix_store(&call->outputs[large], b * most * width, most * width, wide);
        tfopt_matrix_store(&call->outputs[3 - large], b * least * least, least * least, v);
    }
    return TFOPT_OK;
}
