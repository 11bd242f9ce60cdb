/* Complex Fourier transforms of any length over several lines at once, in double. A number of lines lie interleaved:
   element i of line l is at [i * lanes + l], real and imaginary parts in arrays of their own. */
#ifndef TFOPT_HOSTOPS_FFT_H
#define TFOPT_HOSTOPS_FFT_H
#include <stdbool.h>
#include <stdint.h>

typedef struct TfoptFftPlan TfoptFftPlan;

/* Twiddles and factors for length n > 0; freed by free(). NULL: no memory. */
TfoptFftPlan *tfopt_fft_plan(int64_t n);
/* Doubles of work space that a transform needs for each lane. */
int64_t tfopt_fft_work(const TfoptFftPlan *plan);
/* Transforms re, im in place, unscaled. The inverse is the same with re and im exchanged. */
void tfopt_fft_lines(const TfoptFftPlan *plan, int64_t lanes, double *re, double *im, double *work);
/* exp(-2 pi i k / n) */
void tfopt_fft_root(int64_t k, int64_t n, double *re, double *im);

/* ---- lines of n numbers, complex or real */
typedef struct {
    TfoptFftPlan *plan;
    double *root_re, *root_im; /* halved: exp(-2 pi i k / n), k = 0..n/2 */
    int64_t n;
    bool halved; /* real, of even length: the plan is for pairs of neighbours, n / 2 of them */
} TfoptFftAxis;

/* Makes what the axis needs, unless it is for this length already. false: no memory. */
bool tfopt_fft_axis_plan(TfoptFftAxis *a, int64_t n, bool real);
void tfopt_fft_axis_end(TfoptFftAxis *a);
/* Length of the complex lines that the plan transforms. Lines here need room for one element more. */
int64_t tfopt_fft_complex_length(const TfoptFftAxis *a);
/* Halved: the transform of the pairs becomes elements 0..n/2 of the real lines' spectrum, in place. */
void tfopt_fft_split(const TfoptFftAxis *a, int64_t lanes, double *re, double *im);
/* Elements 0..n/2 of real lines' spectrum become what the inverse transform makes the lines of. Imaginary parts of the
   first and, in even lengths, the last are no part of a real line. */
void tfopt_fft_join(const TfoptFftAxis *a, int64_t lanes, double *re, double *im);
#endif
