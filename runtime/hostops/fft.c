/* The ops of Fourier transforms, of 1 to 3 dimensions and any length, in double (fft.h). A transform along one axis
   reads and writes groups of lines; transforms of real lines of even length are complex ones of half the length.
   Twiddles are kept between runs. */
#include "hostops/fft.h"
#include "hostops/host.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 8, TILE = 16, MANY = 1 << 15 /* numbers that a group of lines should not exceed */ };

typedef enum { FFT_FORWARD, FFT_INVERSE, FFT_REAL, FFT_REAL_INVERSE } FftKind;

/* What a step keeps from run to run. */
typedef struct {
    TfoptFftAxis axes[3];
} Plans;

static int64_t group_lanes(const TfoptFftAxis *a) {
    int64_t lanes = MAX_LANES;
    while (lanes > 1 && lanes * tfopt_fft_complex_length(a) > MANY) lanes /= 2;
    return lanes;
}

static void plans_end(void *state) {
    Plans *p = state;
    for (int32_t i = 0; i < 3; i++) tfopt_fft_axis_end(&p->axes[i]);
    free(p);
}

/* ---- elements of lines: element i of lane l is at[l] + i * step of the tensor (at < 0: a line of zeros), [i * lanes +
 * l] here */
typedef struct {
    const TfoptTensor *t;
    int64_t step, lanes;
    int64_t at[MAX_LANES];
} Lines;

#define FFT_LOAD(type)                                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        re[i * lanes] = (double)((const type *)from)[2 * i * step];                                                    \
        im[i * lanes] = (double)((const type *)from)[2 * i * step + 1];                                                \
    }
static void load_tile(const void *from, bool single, int64_t step, int64_t n, int64_t lanes, double *re, double *im) {
    if (single)
        FFT_LOAD(float)
    else
        FFT_LOAD(double)
}

/* Pairs of numbers, complex or neighbouring real ones; what lies behind `count` is zero. */
static void load_pairs(const Lines *l, int64_t count, int64_t n, double *re, double *im) {
    const bool single = l->t->dtype == TFOPT_C64 || l->t->dtype == TFOPT_F32;
    const int64_t lanes = l->lanes;
    const bool real = l->t->dtype == TFOPT_F32 || l->t->dtype == TFOPT_F64;
    const uint64_t number = single ? sizeof(float) : sizeof(double);
    memset(re + count * lanes, 0, (size_t)((n - count) * lanes) * sizeof *re);
    memset(im + count * lanes, 0, (size_t)((n - count) * lanes) * sizeof *im);
    for (int64_t first = 0; first < count; first += TILE) {
        const int64_t tile = count - first < TILE ? count - first : TILE;
        for (int64_t k = 0; k < lanes; k++) {
            double *to_re = re + first * lanes + k, *to_im = im + first * lanes + k;
            if (l->at[k] < 0) {
                for (int64_t i = 0; i < tile; i++) to_re[i * lanes] = to_im[i * lanes] = 0;
                continue;
            }
            const int64_t at = real ? l->at[k] + 2 * first : 2 * (l->at[k] + first * l->step);
            load_tile((const char *)l->t->data + (uint64_t)at * number, single, l->step, tile, lanes, to_re, to_im);
        }
    }
}

#define FFT_STORE(type)                                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        ((type *)to)[2 * i * step] = (type)(re[i * lanes] * scale);                                                    \
        ((type *)to)[2 * i * step + 1] = (type)(im[i * lanes] * scale);                                                \
    }
static void store_tile(void *to, bool single, int64_t step, int64_t n, int64_t lanes, const double *re,
                       const double *im, double scale) {
    if (single)
        FFT_STORE(float)
    else
        FFT_STORE(double)
}

static void store_pairs(const Lines *l, int64_t n, const double *re, const double *im, double scale) {
    const bool single = l->t->dtype == TFOPT_C64 || l->t->dtype == TFOPT_F32;
    const bool real = l->t->dtype == TFOPT_F32 || l->t->dtype == TFOPT_F64;
    const uint64_t number = single ? sizeof(float) : sizeof(double);
    for (int64_t first = 0; first < n; first += TILE) {
        const int64_t tile = n - first < TILE ? n - first : TILE, lanes = l->lanes;
        for (int64_t k = 0; k < lanes; k++) {
            const int64_t at = real ? l->at[k] + 2 * first : 2 * (l->at[k] + first * l->step);
            store_tile((char *)l->t->data + (uint64_t)at * number, single, l->step, tile, lanes, re + first * lanes + k,
                       im + first * lanes + k, scale);
        }
    }
}

/* ---- real lines by complex ones */

/* Real numbers: of even length as pairs, of odd length with zeros between. */
static void load_real(const TfoptFftAxis *a, const Lines *l, int64_t count, double *re, double *im) {
    const int64_t lanes = l->lanes;
    if (a->halved) {
        load_pairs(l, count / 2, a->n / 2, re, im);
        for (int64_t k = 0; k < lanes && count % 2; k++)
            re[count / 2 * lanes + k] = l->at[k] < 0 ? 0 : tfopt_real_at(l->t, l->at[k] + count - 1);
        return;
    }
    memset(im, 0, (size_t)(a->n * lanes) * sizeof *im);
    for (int64_t i = 0; i < a->n; i++) {
        for (int64_t k = 0; k < lanes; k++)
            re[i * lanes + k] = i < count && l->at[k] >= 0 ? tfopt_real_at(l->t, l->at[k] + i) : 0;
    }
}

/* ---- along an axis */
typedef struct {
    const TfoptTensor *t;
    int64_t first; /* element */
    const int64_t *dims;
} Box;

/* Where line `line` of the box `over` (of all axes but one) begins in box b; -1 outside of it. */
static int64_t line_begin(const Box *b, const int64_t *over, int32_t rank, int32_t axis, int64_t line) {
    int64_t at = 0, stride = 1;
    bool inside = true;
    for (int32_t k = rank - 1; k >= 0; k--) {
        if (k != axis) {
            const int64_t p = line % over[k];
            line /= over[k];
            inside = inside && p < b->dims[k];
            at += p * stride;
        }
        stride *= b->dims[k];
    }
    return inside ? b->first + at : -1;
}

/* Transforms every line of `to` along the axis; what `from` lacks is zero. buffer: re, im and work space of a group. */
static void transform_axis(const TfoptFftAxis *a, FftKind kind, Box from, Box to, int32_t rank, int32_t axis,
                           double *buffer) {
    int64_t lines = 1;
    for (int32_t k = 0; k < rank; k++) lines *= k == axis ? 1 : to.dims[k];
    const int64_t n = a->n, complex_n = tfopt_fft_complex_length(a), wanted = kind == FFT_REAL_INVERSE ? n / 2 + 1 : n;
    const int64_t count = from.dims[axis] < wanted ? from.dims[axis] : wanted;
    const bool inverse = kind == FFT_INVERSE || kind == FFT_REAL_INVERSE;
    const double scale = inverse ? 1.0 / (double)n : 1;
    const int64_t most = group_lanes(a);
    Lines in = {.t = from.t, .step = tfopt_dims_product(from.dims, axis + 1, rank)};
    Lines out = {.t = to.t, .step = tfopt_dims_product(to.dims, axis + 1, rank)};
    for (int64_t line = 0; line < lines; line += most) {
        const int64_t lanes = lines - line < most ? lines - line : most;
        double *re = buffer, *im = re + (complex_n + 1) * lanes, *work = im + (complex_n + 1) * lanes;
        in.lanes = out.lanes = lanes;
        for (int64_t l = 0; l < lanes; l++) {
            in.at[l] = line_begin(&from, to.dims, rank, axis, line + l);
            out.at[l] = line_begin(&to, to.dims, rank, axis, line + l);
        }
        if (kind == FFT_REAL)
            load_real(a, &in, count, re, im);
        else
            load_pairs(&in, count, wanted, re, im);
        if (kind == FFT_REAL_INVERSE) tfopt_fft_join(a, lanes, re, im);
        if (inverse)
            tfopt_fft_lines(a->plan, lanes, im, re, work);
        else
            tfopt_fft_lines(a->plan, lanes, re, im, work);
        if (kind == FFT_REAL && a->halved) tfopt_fft_split(a, lanes, re, im);
        if (kind == FFT_REAL_INVERSE && !a->halved) {
            for (int64_t i = 0; i < n * lanes; i++) tfopt_set_real(to.t, out.at[i % lanes] + i / lanes, re[i] * scale);
        } else {
            store_pairs(&out, kind == FFT_REAL ? n / 2 + 1 : complex_n, re, im, scale);
        }
    }
}

static int32_t fft(TfoptHostCall *call, int32_t axes, FftKind kind) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < axes)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "input must have at least %d dimensions", axes);
    const int32_t lead = t->rank - axes;
    const bool real = kind == FFT_REAL || kind == FFT_REAL_INVERSE;
    if (real && tfopt_elements(&call->inputs[1]) != axes) return tfopt_invalid(call, "fft_length has the wrong size");
    /* Boxes have a dimension in front: all lines of the batch where there is one axis, else 1. */
    const int64_t batches = tfopt_dims_product(t->dims, 0, lead), group = axes == 1 ? batches : 1;
    int64_t in_dims[4] = {group}, middle[4] = {group}, out_box[4] = {group}, out_dims[TFOPT_MAX_RANK], n = 1,
            work_doubles = 0;
    for (int32_t i = 0; i < lead; i++) out_dims[i] = t->dims[i];
    for (int32_t i = 1; i <= axes; i++) {
        in_dims[i] = t->dims[lead + i - 1];
        const int64_t length = real ? tfopt_int_at(&call->inputs[1], i - 1) : in_dims[i];
        if (length < 0 || length > INT64_C(1) << 40) return tfopt_invalid(call, "fft_length is out of range");
        const bool halved = real && i == axes;
        middle[i] = halved && length ? length / 2 + 1 : length;
        out_box[i] = kind == FFT_REAL ? middle[i] : length;
        out_dims[lead + i - 1] = out_box[i];
        if (__builtin_mul_overflow(n, length + 1, &n)) return tfopt_no_memory(call);
    }
    if (!tfopt_host_output(call, 0, t->rank, out_dims)) return tfopt_no_memory(call);
    if (tfopt_elements(&call->outputs[0]) == 0) return TFOPT_OK;
    Plans *plans = *call->state;
    if (!plans) {
        plans = *call->state = calloc(1, sizeof *plans);
        if (!plans) return tfopt_no_memory(call);
        *call->free_state = plans_end;
    }
    for (int32_t i = 0; i < axes; i++) {
        TfoptFftAxis *a = &plans->axes[i];
        const bool last = i == axes - 1;
        const int64_t length = last && real ? tfopt_int_at(&call->inputs[1], i) : middle[i + 1];
        if (!tfopt_fft_axis_plan(a, length, real && last)) return tfopt_no_memory(call);
        const int64_t doubles = group_lanes(a) * (2 * (tfopt_fft_complex_length(a) + 1) + tfopt_fft_work(a->plan));
        work_doubles = doubles > work_doubles ? doubles : work_doubles;
    }
    double *buffer = tfopt_call_alloc(call, work_doubles, sizeof *buffer);
    TfoptTensor work = {.dtype = TFOPT_C128};
    if (axes > 1) work.data = tfopt_call_alloc(call, tfopt_dims_product(middle, 0, axes + 1), 2 * sizeof(double));
    if (!buffer || (axes > 1 && !work.data)) return tfopt_no_memory(call);
    const int64_t in_count = tfopt_dims_product(in_dims, 0, axes + 1),
                  out_count = tfopt_dims_product(out_box, 0, axes + 1);
    for (int64_t b = 0; b < batches / group; b++) {
        const Box input = {t, b * in_count, in_dims}, output = {&call->outputs[0], b * out_count, out_box},
                  between = {&work, 0, middle};
        for (int32_t i = 0; i < axes; i++) {
            /* A real transform begins with the last axis, its inverse ends with it. */
            const int32_t axis = kind == FFT_REAL_INVERSE ? i : axes - 1 - i;
            FftKind along = kind;
            if (real && axis < axes - 1) along = kind == FFT_REAL ? FFT_FORWARD : FFT_INVERSE;
            transform_axis(&plans->axes[axis], along, i == 0 ? input : between, i == axes - 1 ? output : between,
                           axes + 1, axis + 1, buffer);
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
