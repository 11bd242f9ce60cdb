/* Loops over rows of complex numbers, which the linear algebra is made of. Products are plain ones, without C's
   recovery of infinities; where a factor is real, as in all of a real matrix, only its real part multiplies. */
#include "hostops/clones.h"
#include "hostops/linalg.h"
#include <math.h>
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

/* Rows to be added to one: four at once, so that it is loaded and stored once for them. Lengths are in numbers, of
   which a complex one is two. */
enum { AT_ONCE = 4 };
typedef struct {
    const double *x[AT_ONCE];
    TfoptComplex f[AT_ONCE];
    int count;
} Pending;

TFOPT_CLONES static void add_four(double *restrict y, const double *const x[AT_ONCE], const double f[AT_ONCE],
                                  int64_t n) {
    const double *restrict a = x[0], *restrict b = x[1], *restrict c = x[2], *restrict d = x[3];
    const double fa = f[0], fb = f[1], fc = f[2], fd = f[3];
    for (int64_t i = 0; i < n; i++) y[i] = y[i] + fa * a[i] + fb * b[i] + fc * c[i] + fd * d[i];
}

static void add_pending(Pending *p, double *y, int64_t n) {
    bool four = p->count == AT_ONCE;
    double re[AT_ONCE] = {0};
    for (int k = 0; k < p->count; k++) {
        re[k] = creal(p->f[k]);
        four = four && cimag(p->f[k]) == 0;
    }
    if (four) add_four(y, p->x, re, n);
    for (int k = 0; k < p->count && !four; k++) {
        if (cimag(p->f[k]) == 0)
            add_real(y, p->x[k], re[k], n);
        else
            add_complex(y, p->x[k], re[k], cimag(p->f[k]), n / 2);
    }
    p->count = 0;
}

/* y += f x, now or with rows to come; add_pending ends it. */
static void add_later(Pending *p, double *y, const double *x, TfoptComplex f, int64_t n) {
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
            double *y = (double *)(out + i * n);
            for (int64_t p = first; p < last; p++)
                add_later(&rows, y, (const double *)(b + p * n), a[i * k + p], 2 * n);
            add_pending(&rows, y, 2 * n);
        }
    }
}

/* Element i of numbers that are complex (parts 2) or real (parts 1). */
static inline TfoptComplex element(const double *a, int64_t i, int64_t parts) {
    return parts == 2 ? CMPLX(a[2 * i], a[2 * i + 1]) : CMPLX(a[i], 0);
}

static inline double magnitude(const double *a, int64_t i, int64_t parts) {
    return parts == 2 ? hypot(a[2 * i], a[2 * i + 1]) : fabs(a[i]);
}

/* Panels of columns of L are finished with the whole of their rows; then all that is left is updated by them at once.
 */
static inline __attribute__((always_inline)) int lu(double *a, int64_t parts, int64_t n, int64_t *perm) {
    int sign = 1;
    bool singular = false;
    for (int64_t i = 0; i < n; i++) perm[i] = i;
    for (int64_t first = 0; first < n; first += PANEL) {
        const int64_t last = first + PANEL < n ? first + PANEL : n;
        for (int64_t k = first; k < last; k++) {
            int64_t best = k;
            double largest = magnitude(a, k * n + k, parts);
            for (int64_t i = k + 1; i < n; i++) {
                const double v = magnitude(a, i * n + k, parts);
                if (v > largest) best = i, largest = v;
            }
            if (best != k) {
                for (int64_t j = 0; j < n * parts; j++) {
                    const double swap = a[k * n * parts + j];
                    a[k * n * parts + j] = a[best * n * parts + j];
                    a[best * n * parts + j] = swap;
                }
                const int64_t swap = perm[k];
                perm[k] = perm[best];
                perm[best] = swap;
                sign = -sign;
            }
            const TfoptComplex pivot = element(a, k * n + k, parts);
            if (pivot == 0) {
                singular = true;
                continue;
            }
            for (int64_t i = k + 1; i < n; i++) {
                double *at = a + (i * n + k) * parts;
                if (parts == 1) {
                    at[0] /= creal(pivot);
                } else {
                    const TfoptComplex f = element(a, i * n + k, parts) / pivot;
                    at[0] = creal(f);
                    at[1] = cimag(f);
                }
                const TfoptComplex f = element(a, i * n + k, parts);
                Pending row = {.count = 0};
                if (f != 0) add_later(&row, at + parts, a + (k * n + k + 1) * parts, -f, (last - k - 1) * parts);
                add_pending(&row, at + parts, (last - k - 1) * parts);
            }
        }
        for (int64_t i = first + 1; i < n; i++) {
            Pending rows = {.count = 0};
            double *rest = a + (i * n + last) * parts;
            for (int64_t k = first; k < last && k < i; k++) {
                const TfoptComplex f = element(a, i * n + k, parts);
                if (f != 0) add_later(&rows, rest, a + (k * n + last) * parts, -f, (n - last) * parts);
            }
            add_pending(&rows, rest, (n - last) * parts);
        }
    }
    return singular ? 0 : sign;
}

int tfopt_lu(TfoptComplex *a, int64_t n, int64_t *perm) {
    double *numbers = (double *)a;
    bool real = true;
    for (int64_t i = 0; i < n * n; i++) real = real && numbers[2 * i + 1] == 0;
    if (!real) return lu(numbers, 2, n, perm);
    for (int64_t i = 0; i < n * n; i++) numbers[i] = numbers[2 * i];
    const int sign = lu(numbers, 1, n, perm);
    for (int64_t i = n * n - 1; i >= 0; i--) {
        const double v = numbers[i];
        numbers[2 * i] = v;
        numbers[2 * i + 1] = 0;
    }
    return sign;
}

/* ---- triangular systems: right sides in panels of columns */
enum { COLUMNS = 64 };

static void divide_real(double *x, double d, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] /= d;
}

void tfopt_solve_triangular(const TfoptComplex *a, int64_t n, bool lower, bool adjoint, bool unit, TfoptComplex *x,
                            int64_t k) {
    const bool forward = lower != adjoint;
    for (int64_t first = 0; first < k; first += COLUMNS) {
        const int64_t width = first + COLUMNS < k ? COLUMNS : k - first;
        for (int64_t step = 0; step < n; step++) {
            const int64_t i = forward ? step : n - 1 - step;
            TfoptComplex *row = x + i * k + first;
            Pending rows = {.count = 0};
            for (int64_t other = 0; other < step; other++) {
                const int64_t j = forward ? other : n - 1 - other;
                add_later(&rows, (double *)row, (const double *)(x + j * k + first),
                          adjoint ? -conj(a[j * n + i]) : -a[i * n + j], 2 * width);
            }
            add_pending(&rows, (double *)row, 2 * width);
            const TfoptComplex d = adjoint ? conj(a[i * n + i]) : a[i * n + i];
            if (unit) continue;
            if (cimag(d) == 0)
                divide_real((double *)row, creal(d), 2 * width);
            else
                for (int64_t c = 0; c < width; c++) row[c] /= d;
        }
    }
}

void tfopt_lu_solve(const TfoptComplex *lu, const int64_t *perm, int64_t n, TfoptComplex *b, int64_t k,
                    TfoptComplex *work) {
    for (int64_t i = 0; i < n; i++) memcpy(work + i * k, b + perm[i] * k, (size_t)k * sizeof *b);
    memcpy(b, work, (size_t)(n * k) * sizeof *b);
    tfopt_solve_triangular(lu, n, true, false, true, b, k);
    tfopt_solve_triangular(lu, n, false, false, false, b, k);
}
