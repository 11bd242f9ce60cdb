/* Transforms of real lines by complex ones (fft.h): of even length by those of half the length, whose elements are
 * pairs of neighbours. */
#include "hostops/fft.h"
#include <stdlib.h>
#include <string.h>

int64_t tfopt_fft_complex_length(const TfoptFftAxis *a) {
    return a->halved ? a->n / 2 : a->n;
}

void tfopt_fft_axis_end(TfoptFftAxis *a) {
    free(a->plan);
    free(a->root_re);
    *a = (TfoptFftAxis){0};
}

bool tfopt_fft_axis_plan(TfoptFftAxis *a, int64_t n, bool real) {
    const bool halved = real && n % 2 == 0;
    if (a->plan && a->n == n && a->halved == halved) return true;
    tfopt_fft_axis_end(a);
    a->plan = tfopt_fft_plan(halved ? n / 2 : n);
    a->n = n;
    a->halved = halved;
    if (a->plan && !halved) return true;
    a->root_re = malloc((size_t)(n + 2) * sizeof *a->root_re);
    if (!a->plan || !a->root_re) {
        tfopt_fft_axis_end(a);
        return false;
    }
    a->root_im = a->root_re + n / 2 + 1;
    for (int64_t k = 0; k <= n / 2; k++) tfopt_fft_root(k, n, &a->root_re[k], &a->root_im[k]);
    return true;
}

/* With e and o the transforms of the even and odd elements, z = e + i o and x[k] = e[k] + w^k o[k]. */
void tfopt_fft_split(const TfoptFftAxis *a, int64_t lanes, double *re, double *im) {
    const int64_t m = a->n / 2;
    memcpy(re + m * lanes, re, (size_t)lanes * sizeof *re);
    memcpy(im + m * lanes, im, (size_t)lanes * sizeof *im);
    for (int64_t k = 0; k < m - k; k++) {
        const double wr = a->root_re[k], wi = a->root_im[k];
        double *restrict ar = re + k * lanes, *restrict ai = im + k * lanes, *restrict br = re + (m - k) * lanes,
                         *restrict bi = im + (m - k) * lanes;
        for (int64_t l = 0; l < lanes; l++) {
            const double even_r = (ar[l] + br[l]) / 2, even_i = (ai[l] - bi[l]) / 2;
            const double odd_r = (ai[l] + bi[l]) / 2, odd_i = (br[l] - ar[l]) / 2;
            const double turned_r = odd_r * wr - odd_i * wi, turned_i = odd_r * wi + odd_i * wr;
            ar[l] = even_r + turned_r;
            ai[l] = even_i + turned_i;
            br[l] = even_r - turned_r;
            bi[l] = turned_i - even_i;
        }
    }
    for (int64_t l = 0; l < lanes && m % 2 == 0; l++) im[m / 2 * lanes + l] = -im[m / 2 * lanes + l];
}

void tfopt_fft_join(const TfoptFftAxis *a, int64_t lanes, double *re, double *im) {
    const int64_t n = a->n, m = n / 2;
    memset(im, 0, (size_t)lanes * sizeof *im);
    if (!a->halved) { /* the missing half is the conjugate of the other */
        for (int64_t k = 1; k <= m; k++) {
            for (int64_t l = 0; l < lanes; l++) {
                re[(n - k) * lanes + l] = re[k * lanes + l];
                im[(n - k) * lanes + l] = -im[k * lanes + l];
            }
        }
        return;
    }
    memset(im + m * lanes, 0, (size_t)lanes * sizeof *im);
    for (int64_t k = 0; k < m - k; k++) {
        const double wr = a->root_re[k], wi = -a->root_im[k];
        double *restrict ar = re + k * lanes, *restrict ai = im + k * lanes, *restrict br = re + (m - k) * lanes,
                         *restrict bi = im + (m - k) * lanes;
        for (int64_t l = 0; l < lanes; l++) { /* everything twice as large */
            const double even_r = ar[l] + br[l], even_i = ai[l] - bi[l], turned_r = ar[l] - br[l],
                         turned_i = ai[l] + bi[l];
            const double odd_r = turned_r * wr - turned_i * wi, odd_i = turned_r * wi + turned_i * wr;
            ar[l] = even_r - odd_i;
            ai[l] = even_i + odd_r;
            br[l] = even_r + odd_i;
            bi[l] = odd_r - even_i;
        }
    }
    for (int64_t l = 0; l < lanes && m % 2 == 0; l++) {
        re[m / 2 * lanes + l] *= 2;
        im[m / 2 * lanes + l] *= -2;
    }
}
