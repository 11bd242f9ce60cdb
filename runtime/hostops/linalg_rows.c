/* Loops over rows of complex numbers, which the linear algebra is made of. Products are plain ones, without C's
   recovery of infinities; where a factor is real, as in all of a real matrix, only its real part multiplies. */
#include "hostops/clones.h"
#include "hostops/linalg.h"
#include <string.h>

TFOPT_CLONES static void add_real(double *restrict y, const double *restrict x, double f, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += f * x[i];
}

TFOPT_CLONES static void add_complex(double *restrict y, const double *restrict x, double re, double im, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[2 * i] += re * x[2 * i] - im * x[2 * i + 1];
        y[2 * i + 1] += re * x[2 * i + 1] + im * x[2 * i];
    }
}

void tfopt_row_add(TfoptComplex *y, const TfoptComplex *x, TfoptComplex f, int64_t n) {
    if (cimag(f) == 0)
        add_real((double *)y, (const double *)x, creal(f), 2 * n);
    else
        add_complex((double *)y, (const double *)x, creal(f), cimag(f), n);
}

/* Rows to be added to one: four at once, so that it is loaded and stored once for them. */
enum { AT_ONCE = 4 };
typedef struct {
    const TfoptComplex *x[AT_ONCE];
    TfoptComplex f[AT_ONCE];
    int count;
} Pending;

TFOPT_CLONES static void add_four(double *restrict y, const TfoptComplex *const x[AT_ONCE], const double f[AT_ONCE],
                                  int64_t n) {
    const double *restrict a = (const double *)x[0], *restrict b = (const double *)x[1],
                           *restrict c = (const double *)x[2], *restrict d = (const double *)x[3];
    const double fa = f[0], fb = f[1], fc = f[2], fd = f[3];
    for (int64_t i = 0; i < n; i++) y[i] = y[i] + fa * a[i] + fb * b[i] + fc * c[i] + fd * d[i];
}

static void add_pending(Pending *p, TfoptComplex *y, int64_t n) {
    bool four = p->count == AT_ONCE;
    double re[AT_ONCE] = {0};
    for (int k = 0; k < p->count; k++) {
        re[k] = creal(p->f[k]);
        four = four && cimag(p->f[k]) == 0;
    }
    if (four) {
        add_four((double *)y, p->x, re, 2 * n);
    } else {
        for (int k = 0; k < p->count; k++) tfopt_row_add(y, p->x[k], p->f[k], n);
    }
    p->count = 0;
}

/* y += f x, now or with rows to come; add_pending ends it. */
static void add_later(Pending *p, TfoptComplex *y, const TfoptComplex *x, TfoptComplex f, int64_t n) {
    p->x[p->count] = x;
    p->f[p->count++] = f;
    if (p->count == AT_ONCE) add_pending(p, y, n);
}

enum { LANES = 8 };

TFOPT_CLONES static void dot(const double *restrict x, const double *restrict y, int64_t n, double *restrict straight,
                             double *restrict crossed) {
    int64_t i = 0;
    for (; i + LANES <= 2 * n; i += LANES) {
        for (int64_t k = 0; k < LANES; k++) straight[k] += x[i + k] * y[i + k];
        for (int64_t k = 0; k < LANES; k++) crossed[k] += x[i + k] * y[i + (k ^ 1)];
    }
    for (int64_t k = 0; i + k < 2 * n; k++) {
        straight[k] += x[i + k] * y[i + k];
        crossed[k] += x[i + k] * y[i + (k ^ 1)];
    }
}

TfoptComplex tfopt_row_dot(const TfoptComplex *x, const TfoptComplex *y, int64_t n) {
    double straight[LANES] = {0}, crossed[LANES] = {0}, re = 0, im = 0;
    dot((const double *)x, (const double *)y, n, straight, crossed);
    for (int k = 0; k < LANES; k++) {
        re += straight[k];
        im += k % 2 ? -crossed[k] : crossed[k];
    }
    return CMPLX(re, im);
}

TFOPT_CLONES static void dot_real(const double *restrict x, const double *restrict y, int64_t n,
                                  double *restrict sums) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t k = 0; k < LANES; k++) sums[k] += x[i + k] * y[i + k];
    }
    for (int64_t k = 0; i + k < n; k++) sums[k] += x[i + k] * y[i + k];
}

double tfopt_real_dot(const double *x, const double *y, int64_t n) {
    double sums[LANES] = {0}, sum = 0;
    dot_real(x, y, n, sums);
    for (int k = 0; k < LANES; k++) sum += sums[k];
    return sum;
}

TFOPT_CLONES static void rotate_real(double *restrict x, double *restrict y, double c, double s, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

TFOPT_CLONES static void rotate_complex(double *restrict x, double *restrict y, double c, double re, double im,
                                        int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double a = x[2 * i], b = x[2 * i + 1], u = y[2 * i], v = y[2 * i + 1];
        x[2 * i] = c * a - (re * u + im * v);
        x[2 * i + 1] = c * b - (re * v - im * u);
        y[2 * i] = re * a - im * b + c * u;
        y[2 * i + 1] = re * b + im * a + c * v;
    }
}

void tfopt_row_rotate(TfoptComplex *x, TfoptComplex *y, double c, TfoptComplex s, int64_t n) {
    if (cimag(s) == 0)
        rotate_real((double *)x, (double *)y, c, creal(s), 2 * n);
    else
        rotate_complex((double *)x, (double *)y, c, creal(s), cimag(s), n);
}

/* Rows of b that stay near while all rows of a pass. */
enum { PANEL = 32 };

void tfopt_multiply(const TfoptComplex *a, const TfoptComplex *b, int64_t m, int64_t k, int64_t n, TfoptComplex *out) {
    memset(out, 0, (size_t)(m * n) * sizeof *out);
    for (int64_t first = 0; first < k; first += PANEL) {
        const int64_t last = first + PANEL < k ? first + PANEL : k;
        for (int64_t i = 0; i < m; i++) {
            Pending rows = {.count = 0};
            for (int64_t p = first; p < last; p++) add_later(&rows, out + i * n, b + p * n, a[i * k + p], n);
            add_pending(&rows, out + i * n, n);
        }
    }
}

/* Panels of columns of L are finished with the whole of their rows; then all that is left is updated by them at once.
 */
int tfopt_lu(TfoptComplex *a, int64_t n, int64_t *perm) {
    int sign = 1;
    bool singular = false;
    for (int64_t i = 0; i < n; i++) perm[i] = i;
    for (int64_t first = 0; first < n; first += PANEL) {
        const int64_t last = first + PANEL < n ? first + PANEL : n;
        for (int64_t k = first; k < last; k++) {
            int64_t best = k;
            for (int64_t i = k + 1; i < n; i++) {
                if (cabs(a[i * n + k]) > cabs(a[best * n + k])) best = i;
            }
            if (best != k) {
                for (int64_t j = 0; j < n; j++) {
                    const TfoptComplex swap = a[k * n + j];
                    a[k * n + j] = a[best * n + j];
                    a[best * n + j] = swap;
                }
                const int64_t swap = perm[k];
                perm[k] = perm[best];
                perm[best] = swap;
                sign = -sign;
            }
            if (a[k * n + k] == 0) {
                singular = true;
                continue;
            }
            for (int64_t i = k + 1; i < n; i++) {
                const TfoptComplex f = a[i * n + k] /= a[k * n + k];
                if (f != 0) tfopt_row_add(a + i * n + k + 1, a + k * n + k + 1, -f, last - k - 1);
            }
        }
        for (int64_t i = first + 1; i < n; i++) {
            Pending rows = {.count = 0};
            for (int64_t k = first; k < last && k < i; k++) {
                if (a[i * n + k] != 0) add_later(&rows, a + i * n + last, a + k * n + last, -a[i * n + k], n - last);
            }
            add_pending(&rows, a + i * n + last, n - last);
        }
    }
    return singular ? 0 : sign;
}

/* ---- triangular systems: right sides in panels of columns */
enum { COLUMNS = 64 };

static void divide_real(double *x, double d, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] /= d;
}

bool tfopt_solve_triangular(const TfoptComplex *a, int64_t n, bool lower, bool adjoint, bool unit, TfoptComplex *x,
                            int64_t k) {
    const bool forward = lower != adjoint;
    for (int64_t i = 0; i < n && !unit; i++)
        if (a[i * n + i] == 0) return false;
    for (int64_t first = 0; first < k; first += COLUMNS) {
        const int64_t width = first + COLUMNS < k ? COLUMNS : k - first;
        for (int64_t step = 0; step < n; step++) {
            const int64_t i = forward ? step : n - 1 - step;
            TfoptComplex *row = x + i * k + first;
            Pending rows = {.count = 0};
            for (int64_t other = 0; other < step; other++) {
                const int64_t j = forward ? other : n - 1 - other;
                add_later(&rows, row, x + j * k + first, adjoint ? -conj(a[j * n + i]) : -a[i * n + j], width);
            }
            add_pending(&rows, row, width);
            const TfoptComplex d = adjoint ? conj(a[i * n + i]) : a[i * n + i];
            if (unit) continue;
            if (cimag(d) == 0)
                divide_real((double *)row, creal(d), 2 * width);
            else
                for (int64_t c = 0; c < width; c++) row[c] /= d;
        }
    }
    return true;
}

void tfopt_lu_solve(const TfoptComplex *lu, const int64_t *perm, int64_t n, TfoptComplex *b, int64_t k,
                    TfoptComplex *work) {
    for (int64_t i = 0; i < n; i++) memcpy(work + i * k, b + perm[i] * k, (size_t)k * sizeof *b);
    memcpy(b, work, (size_t)(n * k) * sizeof *b);
    tfopt_solve_triangular(lu, n, true, false, true, b, k);
    tfopt_solve_triangular(lu, n, false, false, false, b, k);
}
