/* Fourier transforms of 1 to 3 dimensions and any length: powers of two by radix 2, others by Bluestein's chirp, in
 * double. */
#include "hostops/complex.h"
#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* Twiddles and work space for one length. */
typedef struct {
    int64_t n, size;      /* size: n, or the power of two that Bluestein's convolution needs */
    TfoptComplex *roots;  /* exp(-2 pi i k / size), k < size / 2 */
    TfoptComplex *chirp;  /* exp(-pi i k^2 / n) */
    TfoptComplex *kernel; /* transform of the conjugate chirp */
    TfoptComplex *work;
} Plan;

static void radix2(const Plan *p, TfoptComplex *x) {
    const int64_t n = p->size;
    for (int64_t i = 1, j = 0; i < n; i++) {
        int64_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            const TfoptComplex swap = x[i];
            x[i] = x[j];
            x[j] = swap;
        }
    }
    for (int64_t half = 1; half < n; half *= 2) {
        const int64_t step = n / (2 * half);
        for (int64_t i = 0; i < n; i += 2 * half) {
            for (int64_t k = 0; k < half; k++) {
                const TfoptComplex u = x[i + k], v = x[i + k + half] * p->roots[k * step];
                x[i + k] = u + v;
                x[i + k + half] = u - v;
            }
        }
    }
}

static bool plan_init(TfoptHostCall *call, Plan *p, int64_t n) {
    p->n = p->size = n;
    p->chirp = NULL;
    if (n & (n - 1)) {
        p->size = 1;
        while (p->size < 2 * n - 1) p->size *= 2;
    }
    p->roots = tfopt_call_alloc(call, p->size / 2 + 1, sizeof *p->roots);
    if (!p->roots) return false;
    for (int64_t k = 0; k < p->size / 2; k++)
        p->roots[k] = CMPLX(cos(2 * PI * (double)k / (double)p->size), -sin(2 * PI * (double)k / (double)p->size));
    if (p->size == n) return true;
    p->chirp = tfopt_call_alloc(call, n, sizeof *p->chirp);
    p->kernel = tfopt_call_zeroed(call, p->size, sizeof *p->kernel);
    p->work = tfopt_call_alloc(call, p->size, sizeof *p->work);
    if (!p->chirp || !p->kernel || !p->work) return false;
    for (int64_t k = 0; k < n; k++) {
        const double angle = PI * (double)(k * k % (2 * n)) / (double)n;
        p->chirp[k] = CMPLX(cos(angle), -sin(angle));
        p->kernel[k] = conj(p->chirp[k]);
        if (k) p->kernel[p->size - k] = conj(p->chirp[k]);
    }
    radix2(p, p->kernel);
    return true;
}

/* x[0..n) becomes its transform; the inverse is scaled by 1/n. */
static void transform(const Plan *p, TfoptComplex *x, bool inverse) {
    const int64_t n = p->n;
    if (inverse) {
        for (int64_t i = 0; i < n; i++) x[i] = conj(x[i]);
    }
    if (!p->chirp) {
        radix2(p, x);
    } else {
        for (int64_t i = 0; i < n; i++) p->work[i] = x[i] * p->chirp[i];
        for (int64_t i = n; i < p->size; i++) p->work[i] = 0;
        radix2(p, p->work);
        for (int64_t i = 0; i < p->size; i++) p->work[i] = conj(p->work[i] * p->kernel[i]);
        radix2(p, p->work);
        for (int64_t i = 0; i < n; i++) x[i] = conj(p->work[i]) / (double)p->size * p->chirp[i];
    }
    if (inverse) {
        for (int64_t i = 0; i < n; i++) x[i] = conj(x[i]) / (double)n;
    }
}

/* Along axis `axis` of a block of dims[0..rank); line holds one line. */
static void transform_axis(const Plan *plan, TfoptComplex *line, TfoptComplex *data, const int64_t *dims, int32_t rank,
                           int32_t axis, bool inverse) {
    const int64_t n = dims[axis], inner = tfopt_dims_product(dims, axis + 1, rank),
                  outer = tfopt_dims_product(dims, 0, axis);
    for (int64_t row = 0; row < outer * inner && n > 1; row++) {
        TfoptComplex *x = data + row / inner * n * inner + row % inner;
        for (int64_t i = 0; i < n; i++) line[i] = x[i * inner];
        transform(plan, line, inverse);
        for (int64_t i = 0; i < n; i++) x[i * inner] = line[i];
    }
}

/* Copies the block of `dims` at the origin between element arrays of different sizes; what the source lacks is 0. */
static void copy_block(TfoptComplex *to, const int64_t *to_dims, const TfoptTensor *from, int64_t first,
                       const int64_t *from_dims, int32_t rank) {
    const int64_t count = tfopt_dims_product(to_dims, 0, rank);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, at = 0, stride = 1;
        bool inside = true;
        for (int32_t k = rank - 1; k >= 0; k--) {
            const int64_t p = rest % to_dims[k];
            rest /= to_dims[k];
            inside = inside && p < from_dims[k];
            at += p * stride;
            stride *= from_dims[k];
        }
        to[i] = inside ? tfopt_complex_at(from, first + at) : 0;
    }
}

typedef enum { FFT_FORWARD, FFT_INVERSE, FFT_REAL, FFT_REAL_INVERSE } FftKind;

static int32_t fft(TfoptHostCall *call, int32_t axes, FftKind kind) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < axes)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "input must have at least %d dimensions", axes);
    const int32_t lead = t->rank - axes;
    const int64_t *in_dims = t->dims + lead, batches = tfopt_dims_product(t->dims, 0, lead);
    int64_t lengths[3], half[3], out_dims[TFOPT_MAX_RANK];
    const bool real = kind == FFT_REAL || kind == FFT_REAL_INVERSE;
    if (real && tfopt_elements(&call->inputs[1]) != axes) return tfopt_invalid(call, "fft_length has the wrong size");
    for (int32_t i = 0; i < axes; i++) {
        lengths[i] = real ? tfopt_int_at(&call->inputs[1], i) : in_dims[i];
        if (lengths[i] < 0 || lengths[i] > INT64_C(1) << 40) return tfopt_invalid(call, "fft_length is out of range");
        half[i] = i == axes - 1 ? (lengths[i] == 0 ? 0 : lengths[i] / 2 + 1) : lengths[i];
    }
    for (int32_t i = 0; i < lead; i++) out_dims[i] = t->dims[i];
    for (int32_t i = 0; i < axes; i++) out_dims[lead + i] = kind == FFT_REAL ? half[i] : lengths[i];
    const int64_t n = tfopt_dims_product(lengths, 0, axes), in_count = tfopt_dims_product(in_dims, 0, axes);
    TfoptComplex *work = tfopt_call_alloc(call, n + 1, sizeof *work);
    if (!work || !tfopt_host_output(call, 0, t->rank, out_dims)) return tfopt_no_memory(call);
    if (n == 0) return TFOPT_OK;
    Plan plans[3];
    int64_t longest = 1;
    for (int32_t a = 0; a < axes; a++) {
        if (!plan_init(call, &plans[a], lengths[a])) return tfopt_no_memory(call);
        longest = lengths[a] > longest ? lengths[a] : longest;
    }
    TfoptComplex *line = tfopt_call_alloc(call, longest, sizeof *line);
    TfoptComplex *spectrum = kind == FFT_REAL_INVERSE
                                 ? tfopt_call_alloc(call, n / lengths[axes - 1] * half[axes - 1], sizeof *spectrum)
                                 : work;
    if (!line || !spectrum) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t last = lengths[axes - 1], half_last = half[axes - 1];
    for (int64_t b = 0; b < batches; b++) {
        if (kind == FFT_REAL_INVERSE) {
            /* The missing half of the last axis is the conjugate of the other: complete after the other axes are done.
             */
            copy_block(spectrum, half, t, b * in_count, in_dims, axes);
            for (int32_t a = 0; a < axes - 1; a++) transform_axis(&plans[a], line, spectrum, half, axes, a, true);
            for (int64_t row = 0; row < n / last; row++) {
                for (int64_t k = 0; k < last; k++)
                    work[row * last + k] =
                        k < half_last ? spectrum[row * half_last + k] : conj(spectrum[row * half_last + last - k]);
            }
            transform_axis(&plans[axes - 1], line, work, lengths, axes, axes - 1, true);
            for (int64_t i = 0; i < n; i++) tfopt_set_real(out, b * n + i, creal(work[i]));
            continue;
        }
        copy_block(work, lengths, t, b * in_count, in_dims, axes);
        for (int32_t a = axes - 1; a >= 0; a--)
            transform_axis(&plans[a], line, work, lengths, axes, a, kind == FFT_INVERSE);
        if (kind == FFT_REAL) {
            const int64_t rows = n / last;
            for (int64_t i = 0; i < rows * half_last; i++)
                tfopt_set_complex(out, b * rows * half_last + i, work[i / half_last * last + i % half_last]);
        } else {
            for (int64_t i = 0; i < n; i++) tfopt_set_complex(out, b * n + i, work[i]);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_fft(TfoptHostCall *call) {
    return fft(call, 1, FFT_FORWARD);
}
int32_t tfopt_host_fft2d(TfoptHostCall *call) {
    return fft(call, 2, FFT_FORWARD);
}
int32_t tfopt_host_fft3d(TfoptHostCall *call) {
    return fft(call, 3, FFT_FORWARD);
}
int32_t tfopt_host_ifft(TfoptHostCall *call) {
    return fft(call, 1, FFT_INVERSE);
}
int32_t tfopt_host_ifft2d(TfoptHostCall *call) {
    return fft(call, 2, FFT_INVERSE);
}
int32_t tfopt_host_ifft3d(TfoptHostCall *call) {
    return fft(call, 3, FFT_INVERSE);
}
int32_t tfopt_host_rfft(TfoptHostCall *call) {
    return fft(call, 1, FFT_REAL);
}
int32_t tfopt_host_rfft2d(TfoptHostCall *call) {
    return fft(call, 2, FFT_REAL);
}
int32_t tfopt_host_rfft3d(TfoptHostCall *call) {
    return fft(call, 3, FFT_REAL);
}
int32_t tfopt_host_irfft(TfoptHostCall *call) {
    return fft(call, 1, FFT_REAL_INVERSE);
}
int32_t tfopt_host_irfft2d(TfoptHostCall *call) {
    return fft(call, 2, FFT_REAL_INVERSE);
}
int32_t tfopt_host_irfft3d(TfoptHostCall *call) {
    return fft(call, 3, FFT_REAL_INVERSE);
}
