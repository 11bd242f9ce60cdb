/* Decompositions: QR by Householder reflections (with Eigen's signs), singular values by one-sided Jacobi rotations,
   eigenvalues of self-adjoint matrices by Jacobi rotations. Slower than LAPACK for large matrices, but exact to the
   last digits and without it. */
#include "hostops/linalg.h"
#include <math.h>
#include <string.h>

/* a[m,n] becomes R (upper part); q[m,m] the product of the reflections. */
static void householder(TfoptComplex *a, int64_t m, int64_t n, TfoptComplex *q, TfoptComplex *v) {
    for (int64_t i = 0; i < m * m; i++) q[i] = i / m == i % m;
    for (int64_t k = 0; k < n && k < m; k++) {
        double tail = 0;
        for (int64_t i = k + 1; i < m; i++) tail += creal(a[i * n + k] * conj(a[i * n + k]));
        const TfoptComplex head = a[k * n + k];
        if (tail == 0 && cimag(head) == 0) continue;
        double beta = sqrt(creal(head * conj(head)) + tail);
        if (creal(head) >= 0) beta = -beta;
        const TfoptComplex tau = (beta - head) / beta; /* H = I - tau' v v*, applied so that H* a = beta e */
        v[k] = 1;
        for (int64_t i = k + 1; i < m; i++) v[i] = a[i * n + k] / (head - beta);
        for (int64_t j = k; j < n; j++) {
            TfoptComplex dot = 0;
            for (int64_t i = k; i < m; i++) dot += conj(v[i]) * a[i * n + j];
            dot *= conj(tau);
            for (int64_t i = k; i < m; i++) a[i * n + j] -= dot * v[i];
        }
        for (int64_t i = k + 1; i < m; i++) a[i * n + k] = 0;
        for (int64_t r = 0; r < m; r++) {
            TfoptComplex dot = 0;
            for (int64_t i = k; i < m; i++) dot += q[r * m + i] * v[i];
            dot *= tau;
            for (int64_t i = k; i < m; i++) q[r * m + i] -= dot * conj(v[i]);
        }
    }
}

int32_t tfopt_host_qr(TfoptHostCall *call) {
    TfoptMatrices s = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &s)) return tfopt_invalid(call, "matrices are needed");
    const int64_t m = s.rows, n = s.columns, least = m < n ? m : n,
                  width = tfopt_call_int(call, "full_matrices", 0) ? m : least;
    TfoptComplex *a = tfopt_call_alloc(call, m * n + 1, sizeof *a), *q = tfopt_call_alloc(call, m * m + 1, sizeof *q),
                 *v = tfopt_call_alloc(call, m + 1, sizeof *v);
    if (!a || !q || !v || !tfopt_matrix_output(call, 0, &call->inputs[0], 2, m, width) ||
        !tfopt_matrix_output(call, 1, &call->inputs[0], 2, width, n))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < s.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * m * n, m * n, a);
        householder(a, m, n, q, v);
        for (int64_t i = 0; i < m; i++) tfopt_matrix_store(&call->outputs[0], (b * m + i) * width, width, q + i * m);
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

void tfopt_svd(TfoptComplex *a, int64_t m, int64_t n, double *s, TfoptComplex *v) {
    for (int64_t i = 0; i < n * n; i++) v[i] = i / n == i % n;
    bool rotated = true;
    for (int sweep = 0; sweep < 60 && rotated; sweep++) {
        rotated = false;
        for (int64_t p = 0; p + 1 < n; p++) {
            for (int64_t q = p + 1; q < n; q++) {
                double alpha = 0, beta = 0;
                TfoptComplex gamma = 0;
                for (int64_t i = 0; i < m; i++) {
                    const TfoptComplex x = a[i * n + p], y = a[i * n + q];
                    alpha += creal(x * conj(x));
                    beta += creal(y * conj(y));
                    gamma += conj(x) * y;
                }
                const double size = cabs(gamma);
                if (size == 0 || size <= 1e-15 * sqrt(alpha * beta)) continue;
                rotated = true;
                const double zeta = (beta - alpha) / (2 * size),
                             t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
                const double c = 1 / sqrt(1 + t * t);
                const TfoptComplex phase = gamma / size, sine = c * t * phase;
                for (int64_t i = 0; i < m + n; i++) {
                    TfoptComplex *row = i < m ? a + i * n : v + (i - m) * n;
                    const TfoptComplex x = row[p], y = row[q];
                    row[p] = c * x - conj(sine) * y;
                    row[q] = sine * x + c * y;
                }
            }
        }
    }
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;
        for (int64_t i = 0; i < m; i++) sum += creal(a[i * n + k] * conj(a[i * n + k]));
        s[k] = sqrt(sum);
    }
    for (int64_t k = 0; k < n; k++) { /* descending, columns along */
        int64_t best = k;
        for (int64_t j = k + 1; j < n; j++) {
            if (s[j] > s[best]) best = j;
        }
        const double swap = s[k];
        s[k] = s[best];
        s[best] = swap;
        for (int64_t i = 0; i < m + n; i++) {
            TfoptComplex *row = i < m ? a + i * n : v + (i - m) * n;
            const TfoptComplex x = row[k];
            row[k] = row[best];
            row[best] = x;
        }
    }
    int64_t rank = 0;
    for (int64_t k = 0; k < n; k++) {
        if (s[k] > s[0] * 4e-16 * (double)m) { /* below that the column is rounding: no direction */
            rank = k + 1;
            for (int64_t i = 0; i < m; i++) a[i * n + k] /= s[k];
        }
    }
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
                 *wide = tfopt_call_alloc(call, most * most + 1, sizeof *wide);
    double *s = tfopt_call_alloc(call, least + 1, sizeof *s);
    if (!a || !tall || !v || !wide || !s || !tfopt_matrix_output(call, 0, &call->inputs[0], 1, least, 0))
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
        tfopt_svd(tall, most, least, s, v);
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

int32_t tfopt_host_self_adjoint_eig(TfoptHostCall *call) {
    TfoptMatrices t = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &t) || t.rows != t.columns)
        return tfopt_invalid(call, "input matrices must be square");
    const int64_t n = t.rows;
    const bool vectors = tfopt_call_int(call, "compute_v", 1) != 0;
    TfoptComplex *a = tfopt_call_alloc(call, n * n + 1, sizeof *a), *v = tfopt_call_alloc(call, n * n + 1, sizeof *v);
    if (!a || !v || !tfopt_matrix_output(call, 0, &call->inputs[0], 1, n, 0)) return tfopt_no_memory(call);
    if (vectors ? !tfopt_output_like(call, 1, &call->inputs[0]) : !tfopt_output_1d(call, 1, 0))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < t.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, a);
        for (int64_t i = 0; i < n; i++) { /* the lower triangle counts */
            a[i * n + i] = creal(a[i * n + i]);
            for (int64_t j = i + 1; j < n; j++) a[i * n + j] = conj(a[j * n + i]);
        }
        for (int64_t i = 0; i < n * n; i++) v[i] = i / n == i % n;
        bool rotated = true;
        for (int sweep = 0; sweep < 60 && rotated; sweep++) {
            rotated = false;
            for (int64_t p = 0; p + 1 < n; p++) {
                for (int64_t q = p + 1; q < n; q++) {
                    const TfoptComplex g = a[p * n + q];
                    const double size = cabs(g), dp = creal(a[p * n + p]), dq = creal(a[q * n + q]);
                    if (size == 0 || size <= 1e-17 * (fabs(dp) + fabs(dq))) continue;
                    rotated = true;
                    const double zeta = (dq - dp) / (2 * size),
                                 tangent = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
                    const double c = 1 / sqrt(1 + tangent * tangent);
                    const TfoptComplex sine = c * tangent * (g / size);
                    for (int64_t i = 0; i < 2 * n; i++) { /* columns of a and v */
                        TfoptComplex *row = i < n ? a + i * n : v + (i - n) * n;
                        const TfoptComplex x = row[p], y = row[q];
                        row[p] = c * x - conj(sine) * y;
                        row[q] = sine * x + c * y;
                    }
                    for (int64_t j = 0; j < n; j++) { /* rows of a */
                        const TfoptComplex x = a[p * n + j], y = a[q * n + j];
                        a[p * n + j] = c * x - sine * y;
                        a[q * n + j] = conj(sine) * x + c * y;
                    }
                    a[p * n + q] = a[q * n + p] = 0;
                }
            }
        }
        for (int64_t k = 0; k < n; k++) { /* ascending */
            int64_t best = k;
            for (int64_t j = k + 1; j < n; j++) {
                if (creal(a[j * n + j]) < creal(a[best * n + best])) best = j;
            }
            const TfoptComplex swap = a[k * n + k];
            a[k * n + k] = a[best * n + best];
            a[best * n + best] = swap;
            for (int64_t i = 0; i < n; i++) {
                const TfoptComplex x = v[i * n + k];
                v[i * n + k] = v[i * n + best];
                v[i * n + best] = x;
            }
            tfopt_set_complex(&call->outputs[0], b * n + k, a[k * n + k]);
        }
        if (vectors) tfopt_matrix_store(&call->outputs[1], b * n * n, n * n, v);
    }
    return TFOPT_OK;
}
