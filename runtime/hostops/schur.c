/* The complex Schur form A = U T U*: Hessenberg form by reflections, then QR steps of Givens rotations. And functions
   of matrices by way of it: root, logarithm, exponential. Signs and shifts are those of Eigen, which TensorFlow uses,
   so that eigenvectors (eigen.c) come with its phases. */
#include "hostops/schur.h"
#include <float.h>
#include <math.h>
#include <string.h>

static double norm1(TfoptComplex z) {
    return fabs(creal(z)) + fabs(cimag(z));
}
static double square_of(TfoptComplex z) {
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* ---- Hessenberg form */

/* Reflects column k of t below its diagonal onto one element, the same on the other side, and u along. work [3 n]. */
static void reflect(TfoptSchur *s, int64_t k, TfoptComplex *work) {
    const int64_t n = s->n, from = k + 1, left = n - from;
    TfoptComplex *v = work, *conjugate = work + n, *row = work + 2 * n; /* v[i] belongs to from + i */
    double tail = 0;
    for (int64_t i = from + 1; i < n; i++) tail += square_of(s->t[i * n + k]);
    const TfoptComplex head = s->t[from * n + k];
    if (tail == 0 && cimag(head) == 0) return;
    double beta = sqrt(square_of(head) + tail);
    if (creal(head) >= 0) beta = -beta;
    const TfoptComplex tau = conj((beta - head) / beta);
    v[0] = 1;
    for (int64_t i = 1; i < left; i++) v[i] = s->t[(from + i) * n + k] / (head - beta);
    for (int64_t i = 0; i < left; i++) conjugate[i] = conj(v[i]);
    memset(row, 0, (size_t)(n - k) * sizeof *row);
    for (int64_t i = 0; i < left; i++) tfopt_row_add(row, s->t + (from + i) * n + k, conjugate[i], n - k);
    for (int64_t i = 0; i < left; i++) tfopt_row_add(s->t + (from + i) * n + k, row, -tau * v[i], n - k);
    for (int64_t i = from + 1; i < n; i++) s->t[i * n + k] = 0;
    for (int64_t i = 0; i < 2 * n; i++) {
        TfoptComplex *to = (i < n ? s->t + i * n : s->u + (i - n) * n) + from;
        tfopt_row_add(to, conjugate, -conj(tau) * tfopt_row_dot(conjugate, to, left), left);
    }
}

void tfopt_hessenberg(TfoptSchur *s) {
    const int64_t n = s->n;
    for (int64_t i = 0; i < n * n; i++) s->u[i] = i / n == i % n;
    for (int64_t k = 0; k + 1 < n; k++) reflect(s, k, s->work);
}

/* ---- QR steps */

TfoptRotation tfopt_make_rotation(TfoptComplex p, TfoptComplex q) {
    if (q == 0) return (TfoptRotation){creal(p) < 0 ? -1 : 1, 0};
    if (p == 0) return (TfoptRotation){0, -q / cabs(q)};
    double scale = norm1(p);
    if (scale < norm1(q)) scale = norm1(q);
    const TfoptComplex ps = p / scale, qs = q / scale;
    double length = sqrt(square_of(ps) + square_of(qs));
    if (creal(p) < 0) length = -length;
    const double size = cabs(ps);
    return (TfoptRotation){size / length, -qs * conj(ps) / (size * length)};
}

void tfopt_rotate_rows(TfoptSchur *s, int64_t i, int64_t from, TfoptRotation r) {
    const int64_t n = s->n;
    for (int64_t j = from; j < n; j++) {
        const TfoptComplex x = s->t[i * n + j], y = s->t[(i + 1) * n + j];
        s->t[i * n + j] = conj(r.c) * x - conj(r.s) * y;
        s->t[(i + 1) * n + j] = r.s * x + r.c * y;
    }
}

void tfopt_rotate_columns(TfoptComplex *m, int64_t n, int64_t j, int64_t rows, TfoptRotation r) {
    for (int64_t i = 0; i < rows; i++) {
        const TfoptComplex x = m[i * n + j], y = m[i * n + j + 1];
        m[i * n + j] = r.c * x - r.s * y;
        m[i * n + j + 1] = conj(r.s) * x + conj(r.c) * y;
    }
}

static TfoptComplex choose_shift(const TfoptSchur *s, int64_t last, int64_t turn) {
    const int64_t n = s->n, at = (last - 1) * n + last - 1;
    if ((turn == 10 || turn == 20) && last > 1)
        return fabs(creal(s->t[last * n + last - 1])) + fabs(creal(s->t[(last - 1) * n + last - 2]));
    TfoptComplex a = s->t[at], b = s->t[at + 1], c = s->t[at + n], d = s->t[at + n + 1];
    const double norm = cabs(a) + cabs(b) + cabs(c) + cabs(d);
    a /= norm, b /= norm, c /= norm, d /= norm;
    const TfoptComplex off = b * c, root = csqrt((a - d) * (a - d) + 4 * off), det = a * d - off;
    TfoptComplex first = (a + d + root) / 2, second = (a + d - root) / 2;
    if (norm1(first) > norm1(second))
        second = det / first;
    else if (norm1(second) != 0)
        first = det / second;
    return norm * (norm1(first - d) < norm1(second - d) ? first : second);
}

static bool negligible(TfoptSchur *s, int64_t i) {
    const int64_t n = s->n;
    TfoptComplex *below = &s->t[(i + 1) * n + i];
    if (norm1(*below) > (norm1(s->t[i * n + i]) + norm1(s->t[(i + 1) * n + i + 1])) * s->epsilon) return false;
    *below = 0;
    return true;
}

static void qr_step(TfoptSchur *s, int64_t first, int64_t last, int64_t turn) {
    const int64_t n = s->n;
    const TfoptComplex shift = choose_shift(s, last, turn);
    for (int64_t i = first; i < last; i++) {
        const TfoptRotation r = i == first ? tfopt_make_rotation(s->t[i * n + i] - shift, s->t[(i + 1) * n + i])
                                           : tfopt_make_rotation(s->t[i * n + i - 1], s->t[(i + 1) * n + i - 1]);
        tfopt_rotate_rows(s, i, i == first ? i : i - 1, r);
        if (i > first) s->t[(i + 1) * n + i - 1] = 0;
        tfopt_rotate_columns(s->t, n, i, (i + 2 < last ? i + 2 : last) + 1, r);
        tfopt_rotate_columns(s->u, n, i, n, r);
    }
}

bool tfopt_schur(TfoptSchur *s) {
    const int64_t n = s->n;
    for (int64_t i = 0; i < n * n; i++) {
        if (!isfinite(creal(s->t[i])) || !isfinite(cimag(s->t[i]))) return false;
    }
    tfopt_hessenberg(s);
    int64_t last = n - 1, turn = 0, total = 0;
    for (;;) {
        while (last > 0 && negligible(s, last - 1)) last--, turn = 0;
        if (last <= 0) return true;
        if (++total > 30 * n) return false;
        int64_t first = last - 1;
        while (first > 0 && !negligible(s, first - 1)) first--;
        qr_step(s, first, last, ++turn);
    }
}

int32_t tfopt_schur_begin(TfoptHostCall *call, TfoptSchur *s, TfoptMatrices *m) {
    if (!tfopt_matrices(&call->inputs[0], m) || m->rows != m->columns)
        return tfopt_invalid(call, "input matrices must be square");
    const bool single = call->inputs[0].dtype != TFOPT_F64 && call->inputs[0].dtype != TFOPT_C128;
    *s = (TfoptSchur){.n = m->rows, .epsilon = single ? (double)FLT_EPSILON : DBL_EPSILON};
    const int64_t size = s->n * s->n + 1;
    s->t = tfopt_call_alloc(call, size, sizeof *s->t);
    s->u = tfopt_call_alloc(call, size, sizeof *s->u);
    s->work = tfopt_call_alloc(call, size + 3 * s->n, sizeof *s->work);
    return s->t && s->u && s->work ? TFOPT_OK : tfopt_no_memory(call);
}

/* ---- functions */

/* The root of an upper triangular matrix, in place, column by column. */
static void triangular_root(TfoptComplex *t, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        t[k * n + k] = csqrt(t[k * n + k]);
        for (int64_t i = k - 1; i >= 0; i--) {
            TfoptComplex x = t[i * n + k];
            for (int64_t j = i + 1; j < k; j++) x -= t[i * n + j] * t[j * n + k];
            const TfoptComplex sum = t[i * n + i] + t[k * n + k];
            t[i * n + k] = x == 0 ? 0 : x / sum;
        }
    }
}

/* Whether root, of a matrix of real type, is what TensorFlow computes without complex numbers: no number below 0 has a
   root, nor has a 0 that is there twice. */
static bool is_real_root(const TfoptSchur *s) {
    double whole = 0, imaginary = 0;
    for (int64_t i = 0; i < s->n * s->n; i++) {
        whole = fmax(whole, cabs(s->work[i]));
        imaginary = fmax(imaginary, fabs(cimag(s->work[i])));
    }
    return imaginary <= 1e-4 * whole && (whole > 0 || s->n < 2);
}

/* Back from the Schur form: u t u* into s->work. */
static void unschur(TfoptSchur *s, TfoptComplex *scratch) {
    tfopt_multiply(s->u, s->t, s->n, s->n, s->n, scratch);
    tfopt_adjoint(s->u, s->n, s->n, s->t);
    tfopt_multiply(scratch, s->t, s->n, s->n, s->n, s->work);
}

/* The logarithm of an upper triangular matrix: roots until it is near 1, then 2 atanh((A - 1) / (A + 1)) as a series.
 */
static bool triangular_log(TfoptSchur *s, TfoptComplex *z, TfoptComplex *power, TfoptComplex *sum) {
    const int64_t n = s->n;
    int halvings = 0;
    for (;; halvings++) {
        double distance = 0;
        for (int64_t i = 0; i < n * n; i++) distance = fmax(distance, cabs(s->t[i] - (i / n == i % n ? 1.0 : 0.0)));
        if (distance * (double)n < 0.25) break;
        if (halvings > 80 || !(distance < INFINITY)) return false;
        triangular_root(s->t, n);
    }
    for (int64_t k = 0; k < n; k++) { /* z (A + 1) = A - 1 */
        for (int64_t i = k; i >= 0; i--) {
            TfoptComplex x = s->t[i * n + k] - (i == k ? 1.0 : 0.0);
            for (int64_t j = i; j < k; j++) x -= z[i * n + j] * s->t[j * n + k];
            z[i * n + k] = x / (s->t[k * n + k] + 1);
        }
        for (int64_t i = k + 1; i < n; i++) z[i * n + k] = 0;
    }
    memcpy(power, z, (size_t)(n * n) * sizeof *z);
    memcpy(sum, z, (size_t)(n * n) * sizeof *z);
    tfopt_multiply(z, z, n, n, n, s->t); /* z² */
    for (int k = 3; k < 40; k += 2) {
        tfopt_multiply(power, s->t, n, n, n, s->work);
        memcpy(power, s->work, (size_t)(n * n) * sizeof *power);
        for (int64_t i = 0; i < n * n; i++) sum[i] += power[i] / k;
    }
    for (int64_t i = 0; i < n * n; i++) s->t[i] = ldexp(2, halvings) * sum[i];
    return true;
}

int32_t tfopt_host_matrix_square_root(TfoptHostCall *call) {
    TfoptSchur s;
    TfoptMatrices m = {0, 0, 0};
    int32_t status = tfopt_schur_begin(call, &s, &m);
    if (status != TFOPT_OK) return status;
    const bool is_real = tfopt_is_float_type(call->inputs[0].dtype);
    const int64_t size = s.n * s.n;
    TfoptComplex *scratch = tfopt_call_alloc(call, size + 1, sizeof *scratch);
    if (!scratch || !tfopt_output_like(call, 0, &call->inputs[0])) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * size, size, s.t);
        bool has_root = tfopt_schur(&s);
        if (has_root) {
            triangular_root(s.t, s.n);
            unschur(&s, scratch);
            has_root = !is_real || is_real_root(&s);
        }
        for (int64_t i = 0; i < size && !has_root; i++) s.work[i] = NAN;
        tfopt_matrix_store(&call->outputs[0], b * size, size, s.work);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_matrix_logarithm(TfoptHostCall *call) {
    TfoptSchur s;
    TfoptMatrices m = {0, 0, 0};
    int32_t status = tfopt_schur_begin(call, &s, &m);
    if (status != TFOPT_OK) return status;
    const int64_t size = s.n * s.n;
    TfoptComplex *scratch[3];
    for (int i = 0; i < 3; i++) {
        if (!(scratch[i] = tfopt_call_alloc(call, size + 1, sizeof *scratch[i]))) return tfopt_no_memory(call);
    }
    if (!tfopt_output_like(call, 0, &call->inputs[0])) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * size, size, s.t);
        if (!tfopt_schur(&s) || !triangular_log(&s, scratch[0], scratch[1], scratch[2]))
            return tfopt_invalid(call, "the matrix has no logarithm");
        unschur(&s, scratch[0]);
        tfopt_matrix_store(&call->outputs[0], b * size, size, s.work);
    }
    return TFOPT_OK;
}

/* By Taylor's series of the matrix halved until it is small, then squared as often. */
int32_t tfopt_host_matrix_exponential(TfoptHostCall *call) {
    TfoptMatrices m = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &m) || m.rows != m.columns)
        return tfopt_invalid(call, "input matrices must be square");
    const int64_t n = m.rows, size = n * n;
    TfoptComplex *a = tfopt_call_alloc(call, size + 1, sizeof *a), *term = tfopt_call_alloc(call, size + 1, sizeof *a),
                 *next = tfopt_call_alloc(call, size + 1, sizeof *a),
                 *sum = tfopt_call_alloc(call, size + 1, sizeof *a);
    if (!a || !term || !next || !sum || !tfopt_output_like(call, 0, &call->inputs[0])) return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        double norm = 0;
        tfopt_matrix_load(&call->inputs[0], b * size, size, a);
        for (int64_t i = 0; i < n; i++) {
            double row = 0;
            for (int64_t j = 0; j < n; j++) row += cabs(a[i * n + j]);
            norm = row > norm || isnan(row) ? row : norm;
        }
        int halvings = 0;
        for (; norm > 0.5 && halvings < 1100; norm /= 2) halvings++;
        for (int64_t i = 0; i < size; i++) {
            a[i] *= ldexp(1, -halvings);
            sum[i] = term[i] = i / n == i % n;
        }
        for (int k = 1; k <= 20; k++) {
            tfopt_multiply(term, a, n, n, n, next);
            for (int64_t i = 0; i < size; i++) sum[i] += term[i] = next[i] / k;
        }
        for (int k = 0; k < halvings; k++) {
            tfopt_multiply(sum, sum, n, n, n, next);
            memcpy(sum, next, (size_t)size * sizeof *sum);
        }
        tfopt_matrix_store(&call->outputs[0], b * size, size, sum);
    }
    return TFOPT_OK;
}
