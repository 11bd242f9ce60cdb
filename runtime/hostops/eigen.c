/* Eig: values and vectors of any square matrix. Complex matrices by the complex Schur form, values ordered by size;
   real ones by Francis' double steps, in the order of the real Schur form: as Eigen's two solvers do it, so that order
   and phases are TensorFlow's. */
#include "hostops/schur.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- the real Schur form: 2x2 blocks stay where a pair of values is complex. All numbers are real here. */

static double at(const TfoptSchur *s, int64_t i, int64_t j) {
    return creal(s->t[i * s->n + j]);
}

typedef struct {
    double tau, beta, tail[2];
} Reflector;

static Reflector make_reflector(const double *v, int size) {
    double sum = 0;
    for (int i = 1; i < size; i++) sum += v[i] * v[i];
    Reflector r = {0, v[0], {0, 0}};
    if (sum <= DBL_MIN) return r;
    r.beta = v[0] >= 0 ? -sqrt(v[0] * v[0] + sum) : sqrt(v[0] * v[0] + sum);
    for (int i = 1; i < size; i++) r.tail[i - 1] = v[i] / (v[0] - r.beta);
    r.tau = (r.beta - v[0]) / r.beta;
    return r;
}

/* Rows k … of t from column k on, columns k … of t's first `rows` rows and of u. */
static void apply_reflector(TfoptSchur *s, int64_t k, int size, int64_t rows, const Reflector *r) {
    const int64_t n = s->n;
    for (int64_t j = k; j < n; j++) {
        TfoptComplex sum = s->t[k * n + j];
        for (int i = 1; i < size; i++) sum += r->tail[i - 1] * s->t[(k + i) * n + j];
        s->t[k * n + j] -= r->tau * sum;
        for (int i = 1; i < size; i++) s->t[(k + i) * n + j] -= r->tau * r->tail[i - 1] * sum;
    }
    for (int side = 0; side < 2; side++) {
        TfoptComplex *m = side ? s->u : s->t;
        for (int64_t i = 0; i < (side ? n : rows); i++) {
            TfoptComplex sum = m[i * n + k];
            for (int j = 1; j < size; j++) sum += r->tail[j - 1] * m[i * n + k + j];
            m[i * n + k] -= r->tau * sum;
            for (int j = 1; j < size; j++) m[i * n + k + j] -= r->tau * r->tail[j - 1] * sum;
        }
    }
}

/* Two values at the end of what is left: a triangle if they are real. */
static void split_two(TfoptSchur *s, int64_t last, double shifted) {
    const int64_t n = s->n;
    const double p = 0.5 * (at(s, last - 1, last - 1) - at(s, last, last)), below = at(s, last, last - 1),
                 q = p * p + below * at(s, last - 1, last);
    s->t[last * n + last] += shifted;
    s->t[(last - 1) * n + last - 1] += shifted;
    if (q >= 0) {
        const double z = sqrt(q);
        const TfoptRotation r = tfopt_make_rotation(p >= 0 ? p + z : p - z, below);
        tfopt_rotate_rows(s, last - 1, last - 1, r);
        tfopt_rotate_columns(s->t, n, last - 1, last + 1, r);
        tfopt_rotate_columns(s->u, n, last - 1, n, r);
        s->t[last * n + last - 1] = 0;
    }
    if (last > 1) s->t[(last - 1) * n + last - 2] = 0;
}

static void move_diagonal(TfoptSchur *s, int64_t last, double by, double *shifted) {
    *shifted += by;
    for (int64_t i = 0; i <= last; i++) s->t[i * s->n + i] -= by;
}

static void choose_shifts(TfoptSchur *s, int64_t last, int64_t turn, double *shifted, double out[3]) {
    out[0] = at(s, last, last);
    out[1] = at(s, last - 1, last - 1);
    out[2] = at(s, last, last - 1) * at(s, last - 1, last);
    if (turn == 0 || turn % 16 != 0) return;
    if (turn % 32 != 0) { /* it does not converge: another one */
        move_diagonal(s, last, out[0], shifted);
        const double size = fabs(at(s, last, last - 1)) + fabs(at(s, last - 1, last - 2));
        out[0] = out[1] = 0.75 * size;
        out[2] = -0.4375 * size * size;
        return;
    }
    const double half = (out[1] - out[0]) / 2, under = half * half + out[2];
    if (under <= 0) return;
    const double root = (out[1] < out[0] ? -sqrt(under) : sqrt(under)) + half;
    move_diagonal(s, last, out[0] - out[2] / root, shifted);
    out[0] = out[1] = out[2] = 0.964;
}

static void francis_step(TfoptSchur *s, int64_t first, int64_t last, const double shift[3]) {
    const int64_t n = s->n;
    int64_t start = last - 2;
    double v[3] = {0, 0, 0};
    for (;; start--) {
        const double middle = at(s, start, start), r = shift[0] - middle, q = shift[1] - middle;
        v[0] = (r * q - shift[2]) / at(s, start + 1, start) + at(s, start, start + 1);
        v[1] = at(s, start + 1, start + 1) - middle - r - q;
        v[2] = at(s, start + 2, start + 1);
        if (start == first) break;
        const double left = at(s, start, start - 1) * (fabs(v[1]) + fabs(v[2])),
                     right =
                         v[0] * (fabs(at(s, start - 1, start - 1)) + fabs(middle) + fabs(at(s, start + 1, start + 1)));
        if (fabs(left) < s->epsilon * right) break;
    }
    for (int64_t k = start; k < last; k++) {
        const int size = k + 1 < last ? 3 : 2;
        for (int i = 0; i < size && k > start; i++) v[i] = at(s, k + i, k - 1);
        const Reflector r = make_reflector(v, size);
        if (r.beta == 0) continue;
        if (k > start)
            s->t[k * n + k - 1] = r.beta;
        else if (k > first)
            s->t[k * n + k - 1] = -s->t[k * n + k - 1];
        apply_reflector(s, k, size, (k + 3 < last ? k + 3 : last) + 1, &r);
    }
    for (int64_t i = start + 2; i <= last; i++) {
        s->t[i * n + i - 2] = 0;
        if (i > start + 2) s->t[i * n + i - 3] = 0;
    }
}

static bool real_schur(TfoptSchur *s) {
    const int64_t n = s->n;
    double norm = 0, shifted = 0;
    tfopt_hessenberg(s);
    for (int64_t i = 0; i < n * n; i++) norm += fabs(creal(s->t[i]));
    if (!isfinite(norm)) return false;
    const double nothing = fmax(norm * s->epsilon * s->epsilon, DBL_MIN);
    int64_t turn = 0, total = 0;
    for (int64_t last = n - 1; last >= 0;) {
        int64_t first = last;
        while (first > 0 &&
               fabs(at(s, first, first - 1)) >
                   fmax(s->epsilon * (fabs(at(s, first - 1, first - 1)) + fabs(at(s, first, first))), nothing))
            first--;
        if (first == last) {
            s->t[last * n + last] += shifted;
            if (last > 0) s->t[last * n + last - 1] = 0;
            last--, turn = 0;
        } else if (first == last - 1) {
            split_two(s, last, shifted);
            last -= 2, turn = 0;
        } else {
            double shift[3];
            choose_shifts(s, last, turn++, &shifted, shift);
            if (++total > 40 * n) return false;
            francis_step(s, first, last, shift);
        }
    }
    return true;
}

/* ---- values and vectors of a (quasi-)triangular t */

static bool is_pair(const TfoptSchur *s, int64_t k) {
    return k + 1 < s->n && s->t[(k + 1) * s->n + k] != 0;
}

static void read_values(const TfoptSchur *s, TfoptComplex *values) {
    for (int64_t k = 0; k < s->n; k++) {
        values[k] = s->t[k * s->n + k];
        if (!is_pair(s, k)) continue;
        const double p = 0.5 * (at(s, k, k) - at(s, k + 1, k + 1)), a = at(s, k + 1, k), b = at(s, k, k + 1),
                     most = fmax(fabs(p), fmax(fabs(a), fabs(b))),
                     z = most * sqrt(fabs(p / most * (p / most) + a / most * (b / most)));
        values[k] = CMPLX(at(s, k + 1, k + 1) + p, z);
        values[k + 1] = conj(values[k]);
        k++;
    }
}

/* The vector of t for values[k] in column k of x, from the block at k upwards. */
static void back_substitute(const TfoptSchur *s, TfoptComplex value, int64_t k, double tiny, TfoptComplex *x) {
    const int64_t n = s->n;
    int64_t end = k;
    if (is_pair(s, k)) {
        end = k + 1;
        x[end * n + k] = CMPLX(0, 1);
        x[k * n + k] = (value - s->t[end * n + end]) * CMPLX(0, 1) / s->t[end * n + k];
    } else {
        x[k * n + k] = 1;
    }
    for (int64_t i = k - 1; i >= 0; i--) {
        const bool two = i > 0 && s->t[i * n + i - 1] != 0;
        TfoptComplex sum[2] = {0, 0};
        for (int64_t j = i + 1; j <= end; j++) {
            sum[0] -= s->t[i * n + j] * x[j * n + k];
            if (two) sum[1] -= s->t[(i - 1) * n + j] * x[j * n + k];
        }
        const TfoptComplex d = s->t[i * n + i] - value;
        if (!two) {
            x[i * n + k] = sum[0] / (d == 0 ? tiny : d);
            continue;
        }
        const TfoptComplex a = s->t[(i - 1) * n + i - 1] - value, b = s->t[(i - 1) * n + i], c = s->t[i * n + i - 1];
        TfoptComplex det = a * d - b * c;
        if (det == 0) det = tiny * tiny;
        x[i * n + k] = (a * sum[0] - c * sum[1]) / det;
        x[(i - 1) * n + k] = (d * sum[1] - b * sum[0]) / det;
        i--;
    }
}

static void make_vectors(TfoptSchur *s, const TfoptComplex *values, TfoptComplex *out) {
    const int64_t n = s->n;
    double norm = 0;
    for (int64_t i = 0; i < n * n; i++) norm += creal(s->t[i] * conj(s->t[i]));
    const double tiny = s->epsilon * fmax(sqrt(norm), DBL_MIN);
    memset(s->work, 0, (size_t)(n * n) * sizeof *s->work);
    for (int64_t k = 0; k < n; k++) {
        back_substitute(s, values[k], k, tiny, s->work);
        k += is_pair(s, k);
    }
    tfopt_multiply(s->u, s->work, n, n, n, out);
    for (int64_t k = 0; k < n; k++) {
        double length = 0;
        for (int64_t i = 0; i < n; i++) length += creal(out[i * n + k] * conj(out[i * n + k]));
        for (int64_t i = 0; i < n && length > 0; i++) out[i * n + k] /= sqrt(length);
        if (!is_pair(s, k)) continue;
        for (int64_t i = 0; i < n; i++) out[i * n + k + 1] = conj(out[i * n + k]);
        k++;
    }
}

static void order_by_size(int64_t n, TfoptComplex *values, TfoptComplex *v) {
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t j = k + 1; j < n; j++) {
            if (cabs(values[j]) < cabs(values[best])) best = j;
        }
        if (best == k) continue;
        const TfoptComplex swap = values[k];
        values[k] = values[best];
        values[best] = swap;
        for (int64_t i = 0; i < n; i++) {
            const TfoptComplex x = v[i * n + k];
            v[i * n + k] = v[i * n + best];
            v[i * n + best] = x;
        }
    }
}

int32_t tfopt_host_eig(TfoptHostCall *call) {
    TfoptSchur s;
    TfoptMatrices m = {0, 0, 0};
    const int32_t dtype = call->inputs[0].dtype;
    const bool vectors = tfopt_call_int(call, "compute_v", 1) != 0,
               complex_input = dtype == TFOPT_C64 || dtype == TFOPT_C128;
    int32_t status = tfopt_schur_begin(call, &s, &m);
    if (status != TFOPT_OK) return status;
    const int64_t n = s.n;
    TfoptComplex *v = tfopt_call_zeroed(call, n * n + 1, sizeof *v),
                 *values = tfopt_call_alloc(call, n + 1, sizeof *values);
    if (!v || !values || !tfopt_matrix_output(call, 0, &call->inputs[0], 1, n, 0) ||
        !(vectors ? tfopt_output_like(call, 1, &call->inputs[0]) : tfopt_output_1d(call, 1, 0)))
        return tfopt_no_memory(call);
    for (int64_t b = 0; b < m.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, s.t);
        if (!(complex_input ? tfopt_schur(&s) : real_schur(&s)))
            return tfopt_invalid(call, "Eigen decomposition was not successful. The input might not be valid.");
        read_values(&s, values);
        if (vectors) make_vectors(&s, values, v);
        if (complex_input) order_by_size(n, values, v);
        for (int64_t k = 0; k < n; k++) tfopt_set_complex(&call->outputs[0], b * n + k, values[k]);
        if (vectors) tfopt_matrix_store(&call->outputs[1], b * n * n, n * n, v);
    }
    return TFOPT_OK;
}
