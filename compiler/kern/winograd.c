/* winograd: when a 3x3 convolution is worth computing by F(4x4, 3x3), how it is cut up, and its weights G g G^T. The 36
   products need 4 times fewer multiplications, but also 4 times more weights and two transforms, so it pays for many
   channels on images of some size. Results differ from the direct sum by about four times its rounding errors. */
#include "kern/contraction.h"

#include <math.h>
#include <string.h>

enum { SIDE = 6, OUT = 4, PRODUCTS = SIDE * SIDE, TAPS = 3 };

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

int64_t winograd_blocks(const ConvGeometry *g) {
    return ceil_div(g->out[0].value, OUT) * ceil_div(g->out[1].value, OUT);
}

/* Time of an image, cut into units of `blocks` and `filters`: a unit transforms its blocks, streams the weights of its
   filters and transforms back what it multiplied. Units that share blocks transform these each for itself. */
static double unit_ns(const Contraction *c, const Machine *m, int lanes, int64_t blocks, int64_t filters) {
    int64_t channels = c->conv.channels;
    double ghz = m->gflops / (4 * (double)lanes), weights = (double)PRODUCTS * (double)channels * 4;
    bool far = weights * (double)c->conv.filters / 1024 > m->l2_kib;
    double multiply = (double)PRODUCTS * cost_tile(m, lanes, blocks, true, filters, channels).cycles / ghz,
           stream = far ? weights * (double)filters / m->l3_gbs : 0,
           transforms = (double)blocks / (double)lanes * (double)(channels * 110 + filters * 90) / ghz;
    return (multiply > stream ? multiply : stream) + transforms;
}

/* Blocks that fit L2 with their transformed inputs and one panel of results. */
WinogradUnit winograd_unit(const Contraction *c, const Machine *m, int threads) {
    const int lanes = m->vector_bits / 32;
    int64_t blocks = winograd_blocks(&c->conv), filters = c->conv.filters, nr = 3 * lanes,
            panels = ceil_div(filters, nr), images = dim_is_const(c->batch) && c->batch.value > 0 ? c->batch.value : 1,
            workers = threads > 1 ? threads : 1,
            fit = (int64_t)m->l2_kib * 1024 / (PRODUCTS * 4 * (c->conv.channels + nr)),
            fewest = ceil_div(blocks, fit < 1 ? 1 : fit), most = fewest > workers ? fewest : workers;
    WinogradUnit best = {0};
    for (int64_t columns = 1; columns <= workers && columns <= panels; columns++)
        for (int64_t rows = fewest; rows <= most && rows <= blocks; rows++) {
            WinogradUnit u = {.blocks = ceil_div(blocks, rows),
                              .filters = columns == 1 ? filters : ceil_div(panels, columns) * nr};
            int64_t units = ceil_div(blocks, u.blocks) * ceil_div(filters, u.filters) * images;
            u.ns = (double)ceil_div(units, workers) * unit_ns(c, m, lanes, u.blocks, u.filters) / (double)images;
            if (best.blocks == 0 || u.ns < 0.999 * best.ns) best = u;
        }
    return best;
}

int64_t winograd_scratch(const Contraction *c) {
    return PRODUCTS * c->unit_m * (c->conv.channels + c->packed.nr);
}

bool winograd_pays(const Contraction *c, const Machine *m, int threads) {
    const ConvGeometry *g = &c->conv;
    int lanes = m->vector_bits / 32;
    if (c->kind != CONTRACT_CONV || !c->b_packed || g->rank != 2 || g->groups != 1) return false;
    if (c->a != DTYPE_F32 || c->b != DTYPE_F32 || c->acc != DTYPE_F32 || !dim_is_const(c->a_m)) return false;
    for (int d = 0; d < 2; d++) {
        if (g->kernel[d] != TAPS || g->stride[d] != 1 || g->dilation[d] != 1) return false;
        if (!dim_is_const(g->in[d]) || !dim_is_const(g->out[d]) || !dim_is_const(g->before[d])) return false;
        /* Errors are relative to the largest of a block. Every window has its centre in the image, or results that see
           little or nothing of it, up to an exact zero, would be drowned in them. */
        if (g->before[d].value > 1 || g->out[d].value + TAPS - 1 - g->before[d].value - g->in[d].value > 1)
            return false;
    }
    /* The transforms hold 36 vectors, and stores past the edge need masks that cost nothing. */
    if (m->vector_bits < 512 || m->vector_registers < 32 || g->channels % lanes != 0 || g->channels > 1024)
        return false;
    double direct = 18 * (double)g->channels * (double)g->filters * (double)g->out[0].value * (double)g->out[1].value /
                    (0.86 * m->gflops * (threads > 1 ? threads : 1));
    return winograd_unit(c, m, threads).ns < 0.85 * direct;
}

/* One line of the transform of three weights. */
static void transform_weights(const double *g, double *out) {
    out[0] = g[0] / 4;
    out[1] = -(g[0] + g[1] + g[2]) / 6;
    out[2] = -(g[0] - g[1] + g[2]) / 6;
    out[3] = g[0] / 24 + g[1] / 12 + g[2] / 6;
    out[4] = g[0] / 24 - g[1] / 12 + g[2] / 6;
    out[5] = g[2];
}

/* Panels of nr filters; in each, product by product, [channel][nr]. Source: [3, 3, C, F] by the layout, k = tap*C +
 * channel. */
void winograd_pack(const Contraction *c, const float *source, const MatrixLayout *layout, float *to) {
    int64_t channels = layout->k / (TAPS * TAPS), nr = c->packed.nr;
    for (int64_t n = 0; n < layout->n; n++)
        for (int64_t k = 0; k < channels; k++) {
            double rows[TAPS][SIDE], columns[SIDE][SIDE];
            for (int y = 0; y < TAPS; y++) {
                double g[TAPS];
                for (int x = 0; x < TAPS; x++) {
                    float v; /* from a file: not necessarily aligned */
                    memcpy(&v,
                           (const char *)source +
                               sizeof v *
                                   (size_t)(((y * TAPS + x) * channels + k) * layout->k_stride + n * layout->n_stride),
                           sizeof v);
                    g[x] = (double)v;
                }
                transform_weights(g, rows[y]);
            }
            for (int x = 0; x < SIDE; x++) {
                const double g[TAPS] = {rows[0][x], rows[1][x], rows[2][x]};
                transform_weights(g, columns[x]);
            }
            float *panel = to + n / nr * PRODUCTS * channels * nr + k * nr + n % nr;
            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++) panel[(y * SIDE + x) * channels * nr] = (float)columns[x][y];
        }
}
