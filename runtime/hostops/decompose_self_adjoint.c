/* Eigenvalues and vectors of self-adjoint matrices: reflections make the matrix tridiagonal and real, then come
   implicit QR steps with Wilkinson's shift. Shifts and signs are chosen as in Eigen, which TensorFlow uses, so that
   vectors come with its signs. */
#include "hostops/linalg.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    int64_t n;
    TfoptComplex *a; /* lower triangle: the matrix; right of the diagonal of row k: conj(v) of reflection k */
    TfoptComplex *q, *vectors;
    TfoptComplex *tau, *work;          /* n each */
    double *diagonal, *beside, *saved; /* n, n, 2 n */
    bool single;                       /* the tensor's type is f32 or c64 */
} SelfAdjoint;

/* Column k below the diagonal is reflected onto its first element, by H = 1 - tau v v* on both sides:
   A -= v w* + w v*, where w = conj(tau) A v + … v. u is conj(w). */
static void reflect_column(SelfAdjoint *s, int64_t k) {
    const int64_t n = s->n, from = k + 1, left = n - from;
    TfoptComplex *v = s->a + k * n + from, *u = s->work;
    double tail = 0;
    for (int64_t i = from + 1; i < n; i++) tail += creal(s->a[i * n + k] * conj(s->a[i * n + k]));
    const TfoptComplex head = s->a[from * n + k];
    s->tau[k] = 0;
    s->beside[k] = creal(head);
    if (tail <= DBL_MIN && cimag(head) * cimag(head) <= DBL_MIN) return;
    double beta = sqrt(creal(head * conj(head)) + tail);
    if (creal(head) >= 0) beta = -beta;
    const TfoptComplex tau = conj((beta - head) / beta);
    s->beside[k] = beta;
    s->tau[k] = tau;
    v[0] = 1;
    for (int64_t i = 1; i < left; i++) v[i] = conj(s->a[(from + i) * n + k] / (head - beta));
    memset(u, 0, (size_t)left * sizeof *u);
    for (int64_t i = 0; i < left; i++) {
        const TfoptComplex *row = s->a + (from + i) * n + from;
        u[i] += tfopt_row_dot(row, v, i) + creal(row[i]) * v[i];
        tfopt_row_add(u, row, v[i], i);
    }
    for (int64_t i = 0; i < left; i++) u[i] *= tau;
    tfopt_row_add(u, v, conj(-0.5 * conj(tau) * tfopt_row_dot(v, u, left)), left);
    for (int64_t i = 0; i < left; i++) {
        TfoptComplex *row = s->a + (from + i) * n + from;
        tfopt_row_add(row, u, -conj(v[i]), i + 1);
        tfopt_row_add(row, v, -conj(u[i]), i + 1);
    }
}

/* The product of the reflections. */
static void multiply_reflections(SelfAdjoint *s) {
    const int64_t n = s->n;
    for (int64_t i = 0; i < n * n; i++) s->q[i] = i / n == i % n;
    for (int64_t k = n - 2; k >= 0; k--) {
        if (s->tau[k] == 0) continue;
        const TfoptComplex *v = s->a + k * n;
        memset(s->work, 0, (size_t)n * sizeof *s->work);
        for (int64_t i = k + 1; i < n; i++) tfopt_row_add(s->work + k + 1, s->q + i * n + k + 1, v[i], n - k - 1);
        for (int64_t i = k + 1; i < n; i++)
            tfopt_row_add(s->q + i * n + k + 1, s->work + k + 1, -conj(s->tau[k]) * conj(v[i]), n - k - 1);
    }
}

/* The rotation [c, -s; s, c] that turns (p, q) onto the first axis. */
static void givens(double p, double q, double *c, double *s) {
    if (q == 0) {
        *c = p < 0 ? -1 : 1;
        *s = 0;
    } else if (p == 0) {
        *c = 0;
        *s = q < 0 ? 1 : -1;
    } else if (fabs(p) > fabs(q)) {
        const double t = q / p, u = copysign(sqrt(1 + t * t), p);
        *c = 1 / u;
        *s = -t / u;
    } else {
        const double t = p / q, u = copysign(sqrt(1 + t * t), q);
        *s = -1 / u;
        *c = t / u;
    }
}

static double shift_of(const SelfAdjoint *s, int64_t last) {
    const double half = (s->diagonal[last - 1] - s->diagonal[last]) / 2, e = s->beside[last - 1];
    if (half == 0) return s->diagonal[last] - fabs(e);
    const double sum = half + copysign(hypot(half, e), half > 0 ? 1 : -1);
    return s->diagonal[last] - (e * e == 0 ? e / (sum / e) : e * e / sum);
}

static void qr_step(SelfAdjoint *s, int64_t first, int64_t last, bool vectors) {
    double *d = s->diagonal, *e = s->beside, x = d[first] - shift_of(s, last), z = e[first];
    for (int64_t k = first; k < last && z != 0; k++) {
        double c, sine;
        givens(x, z, &c, &sine);
        const double below = sine * d[k] + c * e[k], next = sine * e[k] + c * d[k + 1];
        d[k] = c * (c * d[k] - sine * e[k]) - sine * (c * e[k] - sine * d[k + 1]);
        d[k + 1] = sine * below + c * next;
        e[k] = c * below - sine * next;
        if (k > first) e[k - 1] = c * e[k - 1] - sine * z;
        x = e[k];
        if (k + 1 < last) {
            z = -sine * e[k + 1];
            e[k + 1] *= c;
        }
        if (vectors) tfopt_row_rotate(s->vectors + k * s->n, s->vectors + (k + 1) * s->n, c, sine, s->n);
    }
}

/* false: it does not end, as with numbers that are none. */
static bool diagonalise(SelfAdjoint *s, bool vectors, double epsilon) {
    enum { MOST_STEPS = 30 }; /* for a value */
    const double *d = s->diagonal;
    int64_t first = 0, last = s->n - 1;
    for (int64_t i = 0; vectors && i < s->n * s->n; i++) s->vectors[i] = s->q[i % s->n * s->n + i / s->n];
    for (int64_t step = 0; last > 0; step++) {
        for (int64_t i = first; i < last; i++) {
            const double size = s->beside[i] / epsilon;
            if (fabs(s->beside[i]) < DBL_MIN || size * size <= fabs(d[i]) + fabs(d[i + 1])) s->beside[i] = 0;
        }
        while (last > 0 && s->beside[last - 1] == 0) last--;
        if (last == 0) break;
        if (step >= MOST_STEPS * s->n) return false;
        for (first = last - 1; first > 0 && s->beside[first - 1] != 0; first--) continue;
        qr_step(s, first, last, vectors);
    }
    return true;
}

static void sort_ascending(SelfAdjoint *s, bool vectors) {
    const int64_t n = s->n;
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t least = i;
        for (int64_t k = i + 1; k < n; k++)
            if (s->diagonal[k] < s->diagonal[least]) least = k;
        if (least == i) continue;
        const double swap = s->diagonal[i];
        s->diagonal[i] = s->diagonal[least];
        s->diagonal[least] = swap;
        for (int64_t j = 0; vectors && j < n; j++) {
            const TfoptComplex x = s->vectors[i * n + j];
            s->vectors[i * n + j] = s->vectors[least * n + j];
            s->vectors[least * n + j] = x;
        }
    }
}

/* Of s->a; in units of the largest element. In f32 TensorFlow stops earlier, and the number of steps decides the signs:
   they are taken from there, the numbers from going on. */
static bool decompose(SelfAdjoint *s, bool vectors) {
    const int64_t n = s->n;
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) largest = fmax(largest, cabs(s->a[i * n + j]));
    if (isinf(largest)) return false;
    if (largest == 0) largest = 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) s->a[i * n + j] /= largest;
    for (int64_t k = 0; k + 1 < n; k++) reflect_column(s, k);
    for (int64_t i = 0; i < n; i++) s->diagonal[i] = creal(s->a[i * n + i]);
    if (vectors) multiply_reflections(s);
    const bool signs = vectors && s->single;
    if (signs) {
        memcpy(s->saved, s->diagonal, (size_t)(2 * n) * sizeof *s->saved);
        if (!diagonalise(s, true, (double)FLT_EPSILON)) return false;
        sort_ascending(s, true);
        memcpy(s->a, s->vectors, (size_t)(n * n) * sizeof *s->a);
        memcpy(s->diagonal, s->saved, (size_t)(2 * n) * sizeof *s->saved);
    }
    if (!diagonalise(s, vectors, DBL_EPSILON)) return false;
    sort_ascending(s, vectors);
    for (int64_t k = 0; signs && k < n; k++)
        if (creal(tfopt_row_dot(s->a + k * n, s->vectors + k * n, n)) < 0)
            for (int64_t i = 0; i < n; i++) s->vectors[k * n + i] = -s->vectors[k * n + i];
    for (int64_t i = 0; i < n; i++) s->diagonal[i] *= largest;
    return true;
}

int32_t tfopt_host_self_adjoint_eig(TfoptHostCall *call) {
    TfoptMatrices t = {0, 0, 0};
    if (!tfopt_matrices(&call->inputs[0], &t) || t.rows != t.columns)
        return tfopt_invalid(call, "input matrices must be square");
    const int64_t n = t.rows;
    const bool single = call->inputs[0].dtype != TFOPT_F64 && call->inputs[0].dtype != TFOPT_C128;
    const bool vectors = tfopt_call_int(call, "compute_v", 1) != 0;
    TfoptComplex *memory = tfopt_call_alloc(call, 3 * n * n + 2 * n + 1, sizeof *memory);
    double *reals = tfopt_call_alloc(call, 4 * n + 1, sizeof *reals);
    if (!memory || !reals || !tfopt_matrix_output(call, 0, &call->inputs[0], 1, n, 0)) return tfopt_no_memory(call);
    if (vectors ? !tfopt_output_like(call, 1, &call->inputs[0]) : !tfopt_output_1d(call, 1, 0))
        return tfopt_no_memory(call);
    SelfAdjoint s = {.n = n,
                     .a = memory,
                     .q = memory + n * n,
                     .vectors = memory + 2 * n * n,
                     .tau = memory + 3 * n * n,
                     .work = memory + 3 * n * n + n,
                     .diagonal = reals,
                     .beside = reals + n,
                     .saved = reals + 2 * n,
                     .single = single};
    for (int64_t b = 0; b < t.batches; b++) {
        tfopt_matrix_load(&call->inputs[0], b * n * n, n * n, s.a);
        if (!decompose(&s, vectors))
            return tfopt_invalid(call, "Self-adjoint eigen decomposition was not successful. The input might not be "
                                       "valid.");
        for (int64_t k = 0; k < n; k++) tfopt_set_complex(&call->outputs[0], b * n + k, s.diagonal[k]);
        for (int64_t i = 0; vectors && i < n; i++)
            for (int64_t k = 0; k < n; k++)
                tfopt_set_complex(&call->outputs[1], (b * n + i) * n + k, s.vectors[k * n + i]);
    }
    return TFOPT_OK;
}
