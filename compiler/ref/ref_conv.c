/* Convolution, its transpose, and pooling, for 1 to 3 spatial dims (seen as 3 with leading ones). Convolutions are
   products of an unfolded image (a bounded band of output rows at a time) with the weights; depthwise ones are plain
   loops over the channels. */
#include "ref/ref_gemm.h"
#include <math.h>
#include <string.h>

typedef struct {
    int64_t images, channels, filters, groups;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], before[3];
} Geometry;

static void put3(int64_t *to, int n, const int64_t *from, int64_t missing) {
    for (int i = 0; i < 3; i++) to[i] = i < 3 - n ? missing : from[i - (3 - n)];
}

static bool window_attrs(RefCall *c, Geometry *g, int spatial) {
    int64_t v[MAX_RANK];
    put3(g->stride, ref_ints(c, "strides", v, 3), v, 1);
    put3(g->dilation, ref_ints(c, "dilations", v, 3), v, 1);
    put3(g->before, ref_ints(c, "before", v, 3), v, 0);
    if (spatial < 1 || spatial > 3) return ref_error(c, "%d spatial dimensions", spatial);
    for (int i = 0; i < 3; i++) {
        if (g->stride[i] < 1 || g->dilation[i] < 1 || g->before[i] < 0)
            return ref_error(c, "stride, dilation or padding out of range");
    }
    return true;
}

/* x is the side with the channels (the forward input), y the side with the filters. */
static bool conv_geometry(RefCall *c, const Tensor *x, const Tensor *w, const Tensor *y, Geometry *g) {
    const int spatial = x->rank - 2;
    if (!window_attrs(c, g, spatial)) return false;
    if (w->rank != x->rank || y->rank != x->rank) return ref_error(c, "ranks differ");
    g->images = x->dims[0];
    g->channels = x->dims[x->rank - 1];
    g->filters = y->dims[y->rank - 1];
    g->groups = node_int(c->n, "groups", 1);
    put3(g->in, spatial, x->dims + 1, 1);
    put3(g->out, spatial, y->dims + 1, 1);
    put3(g->kernel, spatial, w->dims, 1);
    if (g->groups < 1 || w->dims[w->rank - 2] * g->groups != g->channels || w->dims[w->rank - 1] != g->filters ||
        g->filters % g->groups || y->dims[0] != g->images)
        return ref_error(c, "%lld channels do not fit weights for %lld in %lld groups", (long long)g->channels,
                         (long long)w->dims[w->rank - 2], (long long)g->groups);
    return ref_gemm_fits(ref_product(0, 3, g->out), g->filters, ref_product(0, 3, g->kernel) * g->channels) ||
           ref_error(c, "too large");
}

/* Position in the input for output position o and tap k along dim i; false in the padding. */
static bool tap(const Geometry *g, int i, int64_t o, int64_t k, int64_t *out) {
    *out = o * g->stride[i] + k * g->dilation[i] - g->before[i];
    return *out >= 0 && *out < g->in[i];
}

/* One band: output rows [first, last) (rows are (depth, height) pairs) of one image and group, as a matrix [pixels,
   taps * channels]. fold adds the matrix back into the image instead. */
static void unfold(const Geometry *g, Wide w, const char *image, int64_t group, int64_t first, int64_t last,
                   char *matrix, bool fold) {
    const int64_t per_group = g->channels / g->groups;
    const size_t size = ref_wide_size(w), piece = (size_t)per_group * size;
    char *at = matrix;
    for (int64_t row = first; row < last; row++) {
        const int64_t d = row / g->out[1], h = row % g->out[1];
        for (int64_t x = 0; x < g->out[2]; x++) {
            for (int64_t kd = 0; kd < g->kernel[0]; kd++) {
                for (int64_t kh = 0; kh < g->kernel[1]; kh++) {
                    int64_t pd, ph, px;
                    const bool inside_d = tap(g, 0, d, kd, &pd), inside_h = tap(g, 1, h, kh, &ph),
                               inside = inside_d && inside_h;
                    for (int64_t kx = 0; kx < g->kernel[2]; kx++, at += piece) {
                        const bool in = tap(g, 2, x, kx, &px) && inside;
                        const size_t offset =
                            in ? ((size_t)((pd * g->in[1] + ph) * g->in[2] + px) * (size_t)g->channels +
                                  (size_t)(group * per_group)) *
                                     size
                               : 0;
                        if (!fold && in)
                            memcpy(at, image + offset, piece);
                        else if (!fold)
                            memset(at, 0, piece);
                        else if (in && w == WIDE_F32) {
                            float *to = (float *)(void *)(uintptr_t)(image + offset);
                            const float *from = (const float *)(const void *)at;
                            for (int64_t i = 0; i < per_group; i++) to[i] += from[i];
                        } else if (in && w == WIDE_F64) {
                            double *to = (double *)(void *)(uintptr_t)(image + offset);
                            const double *from = (const double *)(const void *)at;
                            for (int64_t i = 0; i < per_group; i++) to[i] += from[i];
                        } else if (in) {
                            uint64_t *to = (uint64_t *)(void *)(uintptr_t)(image + offset);
                            const uint64_t *from = (const uint64_t *)(const void *)at;
                            for (int64_t i = 0; i < per_group; i++) to[i] += from[i];
                        }
                    }
                }
            }
        }
    }
}

/* Rows of output whose unfolded matrix stays near 4 MB. */
static int64_t band_rows(const Geometry *g, Wide w, int64_t k) {
    const int64_t bytes = g->out[2] * k * (int64_t)ref_wide_size(w), rows = (4 << 20) / (bytes > 0 ? bytes : 1);
    return rows < 1 ? 1 : rows;
}

/* One filter per channel group of one: y[f] += x[f / multiplier] * w[f]. */
#define DEPTHWISE(name, REAL)                                                                                          \
    static void name(const Geometry *g, const void *image, const void *weights, void *result) {                        \
        const int64_t multiplier = g->filters / g->channels;                                                           \
        REAL *out = result;                                                                                            \
        for (int64_t row = 0; row < g->out[0] * g->out[1]; row++) {                                                    \
            const int64_t d = row / g->out[1], h = row % g->out[1];                                                    \
            for (int64_t x = 0; x < g->out[2]; x++, out += g->filters) {                                               \
                memset(out, 0, (size_t)g->filters * sizeof *out);                                                      \
                for (int64_t t = 0; t < g->kernel[0] * g->kernel[1] * g->kernel[2]; t++) {                             \
                    const int64_t kx = t % g->kernel[2], kh = t / g->kernel[2] % g->kernel[1],                         \
                                  kd = t / g->kernel[2] / g->kernel[1];                                                \
                    int64_t pd, ph, px;                                                                                \
                    if (!tap(g, 0, d, kd, &pd) || !tap(g, 1, h, kh, &ph) || !tap(g, 2, x, kx, &px)) continue;          \
                    const REAL *from = (const REAL *)image + ((pd * g->in[1] + ph) * g->in[2] + px) * g->channels;     \
                    const REAL *w = (const REAL *)weights + t * g->filters;                                            \
                    if (multiplier == 1) {                                                                             \
                        for (int64_t f = 0; f < g->filters; f++) out[f] += from[f] * w[f];                             \
                    } else {                                                                                           \
                        for (int64_t f = 0; f < g->filters; f++) out[f] += from[f / multiplier] * w[f];                \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
DEPTHWISE(depthwise_f32, float)
DEPTHWISE(depthwise_f64, double)
#undef DEPTHWISE

bool ref_conv(RefCall *c) {
    const Tensor *x = &c->in[0], *weights = &c->in[1];
    Tensor *y = &c->out[0];
    Geometry g;
    if (!conv_geometry(c, x, weights, y, &g)) return false;
    const Wide w = ref_wide(x->dtype);
    if (w == WIDE_NONE || ref_wide(weights->dtype) != w)
        return ref_error(c, "no convolution of %s and %s", dtype_info(x->dtype)->text,
                         dtype_info(weights->dtype)->text);
    const size_t size = ref_wide_size(w);
    const char *px = ref_widen(c, x), *pw = ref_widen(c, weights);
    char *py = ref_narrow_start(c, y);
    const int64_t pixels = ref_product(0, 3, g.out), in_pixels = ref_product(0, 3, g.in),
                  taps = ref_product(0, 3, g.kernel);
    const int64_t per_group = g.channels / g.groups, k = taps * per_group, columns = g.filters / g.groups;
    bool direct = g.groups == 1 && taps == 1;
    for (int i = 0; i < 3; i++) direct = direct && g.stride[i] == 1 && g.before[i] == 0 && g.in[i] == g.out[i];
    const int64_t rows = g.out[0] * g.out[1], band = band_rows(&g, w, k);
    char *matrix = direct || (per_group == 1 && g.groups > 1 && (w == WIDE_F32 || w == WIDE_F64))
                       ? NULL
                       : arena_alloc(c->arena, (size_t)((band < rows ? band : rows) * g.out[2] * k + 8) * size);
    for (int64_t n = 0; n < g.images; n++) {
        const char *image = px + (size_t)(n * in_pixels * g.channels) * size;
        char *out = py + (size_t)(n * pixels * g.filters) * size;
        if (direct) {
            ref_gemm(w, false, false, pixels, g.filters, k, image, k, pw, g.filters, out, g.filters, false);
            continue;
        }
        if (!matrix) {
            (w == WIDE_F32 ? depthwise_f32 : depthwise_f64)(&g, image, pw, out);
            continue;
        }
        for (int64_t group = 0; group < g.groups; group++) {
            for (int64_t first = 0; first < rows; first += band) {
                const int64_t last = first + band < rows ? first + band : rows;
                unfold(&g, w, image, group, first, last, matrix, false);
                ref_gemm(w, false, false, (last - first) * g.out[2], columns, k, matrix, k,
                         pw + (size_t)(group * columns) * size, g.filters,
                         out + (size_t)(first * g.out[2] * g.filters + group * columns) * size, g.filters, false);
            }
        }
    }
    ref_narrow_finish(y, py);
    return true;
}

/* Whether the convolution that this is the gradient of has as many results as there are gradients of them. */
static bool sizes_correspond(RefCall *c, const Geometry *g) {
    int64_t after[3], v[MAX_RANK];
    put3(after, ref_ints(c, "after", v, 3), v, 0);
    for (int i = 0; i < 3; i++) {
        const int64_t room = g->in[i] + g->before[i] + after[i] - ((g->kernel[i] - 1) * g->dilation[i] + 1);
        const int64_t steps = room < 0 ? -1 - (-room - 1) / g->stride[i] : room / g->stride[i];
        if (steps + 1 != g->out[i])
            return ref_error(c, "sizes %lld and %lld do not fit", (long long)(steps + 1), (long long)g->out[i]);
    }
    return true;
}

bool ref_conv_transpose(RefCall *c) {
    const Tensor *dy = &c->in[0], *weights = &c->in[1];
    Tensor *dx = &c->out[0];
    Geometry g;
    if (!conv_geometry(c, dx, weights, dy, &g) || !sizes_correspond(c, &g)) return false;
    const Wide w = ref_wide(dy->dtype);
    if (w == WIDE_NONE || ref_wide(weights->dtype) != w)
        return ref_error(c, "no convolution of %s and %s", dtype_info(dy->dtype)->text,
                         dtype_info(weights->dtype)->text);
    const size_t size = ref_wide_size(w);
    const char *py = ref_widen(c, dy), *pw = ref_widen(c, weights);
    char *px = ref_narrow_start(c, dx);
    memset(px, 0, (size_t)tensor_count(dx) * size);
    const int64_t pixels = ref_product(0, 3, g.out), in_pixels = ref_product(0, 3, g.in),
                  per_group = g.channels / g.groups;
    const int64_t k = ref_product(0, 3, g.kernel) * per_group, columns = g.filters / g.groups,
                  rows = g.out[0] * g.out[1], band = band_rows(&g, w, k);
    char *matrix = arena_alloc(c->arena, (size_t)((band < rows ? band : rows) * g.out[2] * k + 8) * size);
    for (int64_t n = 0; n < g.images; n++) {
        for (int64_t group = 0; group < g.groups; group++) {
            for (int64_t first = 0; first < rows; first += band) {
                const int64_t last = first + band < rows ? first + band : rows;
                ref_gemm(w, false, true, (last - first) * g.out[2], k, columns,
                         py + (size_t)((n * pixels + first * g.out[2]) * g.filters + group * columns) * size, g.filters,
                         pw + (size_t)(group * columns) * size, g.filters, matrix, k, false);
                unfold(&g, w, px + (size_t)(n * in_pixels * g.channels) * size, group, first, last, matrix, true);
            }
        }
    }
    ref_narrow_finish(dx, px);
    return true;
}

bool ref_pool(RefCall *c) {
    const Tensor *x = &c->in[0];
    Tensor *y = &c->out[0];
    Geometry g;
    int64_t v[MAX_RANK];
    if (!window_attrs(c, &g, x->rank - 2)) return false;
    const Wide w = ref_wide(x->dtype);
    if (w == WIDE_NONE) return ref_error(c, "no pooling of %s", dtype_info(x->dtype)->text);
    put3(g.kernel, ref_ints(c, "window", v, 3), v, 1);
    put3(g.in, x->rank - 2, x->dims + 1, 1);
    put3(g.out, x->rank - 2, y->dims + 1, 1);
    g.channels = x->dims[x->rank - 1];
    const bool average = strcmp(node_string(c->n, "kind", "max"), "avg") == 0;
    const void *data = ref_widen(c, x);
    void *result = ref_narrow_start(c, y);
    double *facc = NEW_ARRAY(c->arena, double, g.channels + 1);
    float *racc = (float *)(void *)facc;
    int64_t *iacc = (int64_t *)(void *)facc;
    const double lowest = dtype_is_float(x->dtype) ? -dtype_highest_float(x->dtype) : 0;
    const int64_t sign_bit = x->dtype == DTYPE_U64 ? INT64_MIN : 0; /* compares as unsigned */
    int64_t at = 0;
    const int64_t cells = x->dims[0] * ref_product(0, 3, g.out), taps = ref_product(0, 3, g.kernel);
    for (int64_t cell = 0; cell < cells; cell++, at += g.channels) {
        const int64_t ox = cell % g.out[2], oh = cell / g.out[2] % g.out[1], od = cell / g.out[2] / g.out[1] % g.out[0];
        const int64_t n = cell / g.out[2] / g.out[1] / g.out[0];
        int64_t count = 0;
        for (int64_t i = 0; i < g.channels && !average; i++) { /* NaNs are passed over */
            if (w == WIDE_F32) racc[i] = -INFINITY;
            if (w == WIDE_F64) facc[i] = -INFINITY;
        }
        for (int64_t kd = 0; kd < g.kernel[0]; kd++) {
            for (int64_t kh = 0; kh < g.kernel[1]; kh++) {
                for (int64_t kx = 0; kx < g.kernel[2]; kx++) {
                    int64_t pd, ph, px;
                    if (!tap(&g, 0, od, kd, &pd) || !tap(&g, 1, oh, kh, &ph) || !tap(&g, 2, ox, kx, &px)) continue;
                    const int64_t from = (((n * g.in[0] + pd) * g.in[1] + ph) * g.in[2] + px) * g.channels;
                    const float *f = (const float *)data + from;
                    const double *d = (const double *)data + from;
                    const int64_t *s = (const int64_t *)data + from;
                    const bool first = count++ == 0;
                    if (w == WIDE_F32 && average) {
                        for (int64_t i = 0; i < g.channels; i++)
                            racc[i] = (first ? 0 : racc[i]) + f[i]; /* of -0 alone: 0 */
                    } else if (w == WIDE_F32) {
                        for (int64_t i = 0; i < g.channels; i++) racc[i] = f[i] > racc[i] ? f[i] : racc[i];
                    } else if (w == WIDE_F64) {
                        for (int64_t i = 0; i < g.channels; i++)
                            facc[i] = average ? (first ? 0 : facc[i]) + d[i] : d[i] > facc[i] ? d[i] : facc[i];
                    } else {
                        for (int64_t i = 0; i < g.channels; i++)
                            iacc[i] = first                                      ? s[i]
                                      : average                                  ? iacc[i] + s[i]
                                      : (s[i] ^ sign_bit) > (iacc[i] ^ sign_bit) ? s[i]
                                                                                 : iacc[i];
                    }
                }
            }
        }
        /* The padding holds the lowest number; in images (but not volumes) no maximum is below it. 0/0 for an average
           of padding alone. */
        const double least = x->rank == 5 && count == taps ? -INFINITY : lowest;
        for (int64_t i = 0; i < g.channels; i++) {
            if (w == WIDE_F32)
                ((float *)result)[at + i] = average                  ? (count ? racc[i] : 0) / (float)count
                                            : racc[i] < (float)least ? (float)least
                                                                     : racc[i];
            else if (w == WIDE_F64)
                ((double *)result)[at + i] = average           ? (count ? facc[i] : 0) / (double)count
                                             : facc[i] < least ? least
                                                               : facc[i];
            else
                ((int64_t *)result)[at + i] = !count ? 0 : average ? iacc[i] / count : iacc[i];
        }
    }
    ref_narrow_finish(y, result);
    return true;
}
