/* Complex Fourier transforms of any length over several lines at once, in double. A number of lines lie interleaved:
   element i of line l is at [i * lanes + l], real and imaginary parts in arrays of their own. */
#ifndef TFOPT_HOSTOPS_FFT_H
#define TFOPT_HOSTOPS_FFT_H
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
#endif
