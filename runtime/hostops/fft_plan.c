/* Fourier transforms (fft.h): Stockham's algorithm, which sorts as it goes, by passes of radix 4, 2, 3, 5, 7 and small
   primes; lengths with a larger prime factor by Bluestein's chirp. In every pass the innermost loop runs over
   neighbouring numbers with one twiddle: that is what vectors are made of. */
#include "hostops/fft.h"
#include "hostops/clones.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

enum { MAX_FACTORS = 64, LARGEST_PRIME = 31 };

struct TfoptFftPlan {
    int64_t n, size; /* size: n, or the power of two that Bluestein's convolution needs */
    int32_t n_factors;
    int32_t factors[MAX_FACTORS];  /* of size */
    double *root_re, *root_im;     /* exp(-2 pi i k / size) */
    double *chirp_re, *chirp_im;   /* Bluestein: exp(-pi i k^2 / n); NULL otherwise */
    double *kernel_re, *kernel_im; /* transform of the conjugate chirp, divided by size */
    double tables[];
};

/* A pass turns x into y: `m` groups of `radix` runs. A run is `run` neighbouring numbers, `stride` apart in the table
 * of roots. */
typedef struct {
    int64_t m, run, stride, size;
    const double *root_re, *root_im;
    const double *restrict xr, *restrict xi;
    double *restrict yr, *restrict yi;
} Pass;

TFOPT_CLONES static void pass_2(const Pass *p) {
    const int64_t run = p->run, m = p->m;
    for (int64_t j = 0; j < m; j++) {
        const double wr = p->root_re[j * p->stride], wi = p->root_im[j * p->stride];
        const double *restrict ar = p->xr + j * run, *restrict ai = p->xi + j * run;
        const double *restrict br = ar + m * run, *restrict bi = ai + m * run;
        double *restrict ur = p->yr + 2 * j * run, *restrict ui = p->yi + 2 * j * run;
        double *restrict vr = ur + run, *restrict vi = ui + run;
        TFOPT_INDEPENDENT
        for (int64_t q = 0; q < run; q++) {
            const double r = ar[q] - br[q], i = ai[q] - bi[q];
            ur[q] = ar[q] + br[q];
            ui[q] = ai[q] + bi[q];
            vr[q] = r * wr - i * wi;
            vi[q] = r * wi + i * wr;
        }
    }
}

TFOPT_CLONES static void pass_4(const Pass *p) {
    const int64_t run = p->run, m = p->m, part = m * run;
    for (int64_t j = 0; j < m; j++) {
        const int64_t k = j * p->stride;
        const double w1r = p->root_re[k], w1i = p->root_im[k], w2r = p->root_re[2 * k], w2i = p->root_im[2 * k],
                     w3r = p->root_re[3 * k], w3i = p->root_im[3 * k];
        const double *restrict xr = p->xr + j * run, *restrict xi = p->xi + j * run;
        double *restrict yr = p->yr + 4 * j * run, *restrict yi = p->yi + 4 * j * run;
        TFOPT_INDEPENDENT
        for (int64_t q = 0; q < run; q++) {
            const double ar = xr[q], br = xr[q + part], cr = xr[q + 2 * part], dr = xr[q + 3 * part];
            const double ai = xi[q], bi = xi[q + part], ci = xi[q + 2 * part], di = xi[q + 3 * part];
            const double sr = ar + cr, si = ai + ci, tr = br + dr, ti = bi + di; /* even outputs */
            const double ur = ar - cr, ui = ai - ci, vr = bi - di, vi = dr - br; /* odd ones: v = -i (b - d) */
            const double y1r = ur + vr, y1i = ui + vi, y2r = sr - tr, y2i = si - ti, y3r = ur - vr, y3i = ui - vi;
            yr[q] = sr + tr;
            yi[q] = si + ti;
            yr[q + run] = y1r * w1r - y1i * w1i;
            yi[q + run] = y1r * w1i + y1i * w1r;
            yr[q + 2 * run] = y2r * w2r - y2i * w2i;
            yi[q + 2 * run] = y2r * w2i + y2i * w2r;
            yr[q + 3 * run] = y3r * w3r - y3i * w3i;
            yi[q + 3 * run] = y3r * w3i + y3i * w3r;
        }
    }
}

/* An odd radix that the compiler knows: outputs r and radix - r share the sums and differences of inputs k and radix -
 * k. */
static inline __attribute__((always_inline)) void pass_odd(const Pass *p, const int radix) {
    enum { MOST = 3 };
    const int half = radix / 2;
    const int64_t run = p->run, m = p->m, part = m * run, step = p->size / radix;
    double cosine[MOST * MOST], sine[MOST * MOST];
    for (int r = 0; r < half; r++) {
        for (int k = 0; k < half; k++) {
            const int64_t at = (r + 1) * (k + 1) % radix * step;
            cosine[r * MOST + k] = p->root_re[at];
            sine[r * MOST + k] = p->root_im[at];
        }
    }
    for (int64_t j = 0; j < m; j++) {
        double wr[2 * MOST], wi[2 * MOST];
        for (int r = 1; r < radix; r++) {
            wr[r - 1] = p->root_re[r * j * p->stride];
            wi[r - 1] = p->root_im[r * j * p->stride];
        }
        const double *restrict xr = p->xr + j * run, *restrict xi = p->xi + j * run;
        double *restrict yr = p->yr + radix * j * run, *restrict yi = p->yi + radix * j * run;
        TFOPT_INDEPENDENT
        for (int64_t q = 0; q < run; q++) {
            double sr[MOST], si[MOST], dr[MOST], di[MOST], total_r = xr[q], total_i = xi[q];
#pragma GCC unroll 3
            for (int k = 0; k < half; k++) {
                const int64_t a = q + (k + 1) * part, b = q + (radix - 1 - k) * part;
                sr[k] = xr[a] + xr[b];
                si[k] = xi[a] + xi[b];
                dr[k] = xr[a] - xr[b];
                di[k] = xi[a] - xi[b];
                total_r += sr[k];
                total_i += si[k];
            }
            yr[q] = total_r;
            yi[q] = total_i;
#pragma GCC unroll 3
            for (int r = 0; r < half; r++) {
                double er = xr[q], ei = xi[q], odd_r = 0, odd_i = 0; /* odd: i times the sum of sines and differences */
#pragma GCC unroll 3
                for (int k = 0; k < half; k++) {
                    er += cosine[r * MOST + k] * sr[k];
                    ei += cosine[r * MOST + k] * si[k];
                    odd_r -= sine[r * MOST + k] * di[k];
                    odd_i += sine[r * MOST + k] * dr[k];
                }
                const double ur = er + odd_r, ui = ei + odd_i, vr = er - odd_r, vi = ei - odd_i;
                const int64_t a = q + (r + 1) * run, b = q + (radix - 1 - r) * run;
                yr[a] = ur * wr[r] - ui * wi[r];
                yi[a] = ur * wi[r] + ui * wr[r];
                yr[b] = vr * wr[radix - 2 - r] - vi * wi[radix - 2 - r];
                yi[b] = vr * wi[radix - 2 - r] + vi * wr[radix - 2 - r];
            }
        }
    }
}

TFOPT_CLONES static void pass_3(const Pass *p) {
    pass_odd(p, 3);
}
TFOPT_CLONES static void pass_5(const Pass *p) {
    pass_odd(p, 5);
}
TFOPT_CLONES static void pass_7(const Pass *p) {
    pass_odd(p, 7);
}

/* Any radix: every output is a sum over the inputs. */
TFOPT_CLONES static void pass_any(const Pass *p, int64_t radix) {
    const int64_t run = p->run, m = p->m;
    for (int64_t j = 0; j < m; j++) {
        for (int64_t r = 0; r < radix; r++) {
            double *restrict yr = p->yr + (radix * j + r) * run, *restrict yi = p->yi + (radix * j + r) * run;
            memset(yr, 0, (size_t)run * sizeof *yr);
            memset(yi, 0, (size_t)run * sizeof *yi);
            for (int64_t k = 0; k < radix; k++) {
                const int64_t at = r * (k * (p->size / radix) + j * p->stride) % p->size;
                const double wr = p->root_re[at], wi = p->root_im[at];
                const double *restrict xr = p->xr + (k * m + j) * run, *restrict xi = p->xi + (k * m + j) * run;
                TFOPT_INDEPENDENT
                for (int64_t q = 0; q < run; q++) {
                    yr[q] += xr[q] * wr - xi[q] * wi;
                    yi[q] += xr[q] * wi + xi[q] * wr;
                }
            }
        }
    }
}

/* Transforms re, im of plan->size elements a line; work: 2 * size * lanes. */
static void stockham(const TfoptFftPlan *plan, int64_t lanes, double *re, double *im, double *work) {
    const int64_t count = plan->size * lanes;
    double *from[2] = {re, im}, *to[2] = {work, work + count};
    int64_t n = plan->size, stride = 1;
    for (int32_t i = 0; i < plan->n_factors; i++) {
        const int32_t radix = plan->factors[i];
        const Pass p = {n / radix,     stride * lanes, stride,  plan->size, plan->root_re,
                        plan->root_im, from[0],        from[1], to[0],      to[1]};
        switch (radix) {
        case 2:
            pass_2(&p);
            break;
        case 3:
            pass_3(&p);
            break;
        case 4:
            pass_4(&p);
            break;
        case 5:
            pass_5(&p);
            break;
        case 7:
            pass_7(&p);
            break;
        default:
            pass_any(&p, radix);
            break;
        }
        n /= radix;
        stride *= radix;
        for (int k = 0; k < 2; k++) {
            double *swap = from[k];
            from[k] = to[k];
            to[k] = swap;
        }
    }
    if (from[0] != re) {
        memcpy(re, from[0], (size_t)count * sizeof *re);
        memcpy(im, from[1], (size_t)count * sizeof *im);
    }
}

/* Factors of n, fours first; false: one is a larger prime than passes are good for. */
static bool factorise(TfoptFftPlan *plan, int64_t n) {
    plan->n_factors = 0;
    while (n % 4 == 0) {
        plan->factors[plan->n_factors++] = 4;
        n /= 4;
    }
    for (int32_t p = 2; p <= LARGEST_PRIME; p++) {
        while (n % p == 0) {
            plan->factors[plan->n_factors++] = p;
            n /= p;
        }
    }
    return n == 1;
}

/* Angles are kept under an eighth of a turn, where sine and cosine are exact to the last place. */
void tfopt_fft_root(int64_t k, int64_t n, double *re, double *im) {
    const int64_t eighth = 8 * k / n;  /* of a turn */
    int64_t rest = 8 * k - eighth * n; /* angle within it, in units of a turn / 8n */
    if (eighth & 1) rest = n - rest;
    const double angle = PI / 4 * ((double)rest / (double)n), c = cos(angle), s = sin(angle);
    const bool exchange = (eighth + 1) / 2 % 2 != 0;
    const double x = exchange ? s : c, y = exchange ? c : s;
    *re = eighth >= 2 && eighth < 6 ? -x : x;
    *im = eighth < 4 ? -y : y;
}

TfoptFftPlan *tfopt_fft_plan(int64_t n) {
    TfoptFftPlan shape = {.n = n, .size = n};
    const bool chirped = !factorise(&shape, n);
    if (chirped) {
        for (shape.size = 1; shape.size < 2 * n - 1;) shape.size *= 2;
        factorise(&shape, shape.size);
    }
    const int64_t size = shape.size;
    TfoptFftPlan *p = malloc(sizeof *p + (size_t)(chirped ? 4 * size + 2 * n : 2 * size) * sizeof(double));
    if (!p) return NULL;
    *p = shape;
    p->root_re = p->tables;
    p->root_im = p->root_re + size;
    for (int64_t k = 0; k < size; k++) tfopt_fft_root(k, size, &p->root_re[k], &p->root_im[k]);
    if (!chirped) return p;
    p->kernel_re = p->root_im + size;
    p->kernel_im = p->kernel_re + size;
    p->chirp_re = p->kernel_im + size;
    p->chirp_im = p->chirp_re + n;
    double *work = malloc((size_t)(2 * size) * sizeof *work);
    if (!work) {
        free(p);
        return NULL;
    }
    memset(p->kernel_re, 0, (size_t)(2 * size) * sizeof(double));
    for (int64_t k = 0; k < n; k++) {
        tfopt_fft_root(k * k % (2 * n), 2 * n, &p->chirp_re[k], &p->chirp_im[k]);
        p->kernel_re[k] = p->kernel_re[(size - k) % size] = p->chirp_re[k] / (double)size;
        p->kernel_im[k] = p->kernel_im[(size - k) % size] = -p->chirp_im[k] / (double)size;
    }
    stockham(p, 1, p->kernel_re, p->kernel_im, work);
    free(work);
    return p;
}

int64_t tfopt_fft_work(const TfoptFftPlan *p) {
    return p->chirp_re ? 4 * p->size : 2 * p->size;
}

/* (ar, ai) times the same number w for every lane. */
static void multiply(int64_t lanes, const double *ar, const double *ai, double wr, double wi, double *re, double *im) {
    for (int64_t l = 0; l < lanes; l++) {
        const double r = ar[l], i = ai[l];
        re[l] = r * wr - i * wi;
        im[l] = r * wi + i * wr;
    }
}

void tfopt_fft_lines(const TfoptFftPlan *p, int64_t lanes, double *re, double *im, double *work) {
    if (!p->chirp_re) {
        stockham(p, lanes, re, im, work);
        return;
    }
    const int64_t n = p->n, size = p->size;
    double *br = work, *bi = work + size * lanes, *rest = bi + size * lanes;
    for (int64_t k = 0, at = 0; k < n; k++, at += lanes)
        multiply(lanes, re + at, im + at, p->chirp_re[k], p->chirp_im[k], br + at, bi + at);
    memset(br + n * lanes, 0, (size_t)((size - n) * lanes) * sizeof *br);
    memset(bi + n * lanes, 0, (size_t)((size - n) * lanes) * sizeof *bi);
    stockham(p, lanes, br, bi, rest);
    for (int64_t k = 0, at = 0; k < size; k++, at += lanes)
        multiply(lanes, br + at, bi + at, p->kernel_re[k], p->kernel_im[k], br + at, bi + at);
    stockham(p, lanes, bi, br, rest); /* the inverse */
    for (int64_t k = 0, at = 0; k < n; k++, at += lanes)
        multiply(lanes, br + at, bi + at, p->chirp_re[k], p->chirp_im[k], re + at, im + at);
}
