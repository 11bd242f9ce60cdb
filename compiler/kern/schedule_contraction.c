/* schedule_contraction: register tiles and units of contractions, from the shape and the machine's row alone.
   A tile of r rows and v vectors does r*v multiply-adds for r + v loads a step of k; the best one is found by trying
   all that fit in the registers with the ends of M and N counted in. A unit is what one thread takes at a time: its
   rows of A stay in L2 while the panels of B stream through, and there are several units per thread so that halves of a
   machine finish together. */
#include "kern/contraction.h"

enum {
    UNITS_PER_THREAD = 8, /* so that the last unit of a thread is a small part of its work */
    MIN_UNIT_NS = 1700    /* less is lost to the hand-out */
};

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Size for choosing only: the constant, or for a symbol its bound where that is small, else a value in the range that
 * is typical. */
static int64_t typical(const DimTable *dims, Dim d) {
    if (dim_is_const(d)) return most(d.value, 1);
    int64_t low, high;
    dim_range(dims, d, &low, &high);
    return most(1, least(high, most(low, 64)));
}

/* The least that it can be: work that must be split well even then. */
static int64_t smallest(const DimTable *dims, Dim d) {
    if (dim_is_const(d)) return most(d.value, 1);
    int64_t low, high;
    dim_range(dims, d, &low, &high);
    return most(low, 1);
}

static void choose_tile(Contraction *c, const Machine *machine, int lanes, int64_t m, bool m_is_const, int64_t n,
                        int64_t k) {
    CostTile best = cost_tile(machine, lanes, m, m_is_const, n, k);
    c->tile_m = best.rows;
    c->tile_n = best.vectors;
}

/* unit_n in columns for about `parts` units over N; 0 = all of them. */
static int64_t columns_per_unit(int64_t n, int64_t nr, int64_t parts) {
    int64_t panels = ceil_div(n, nr), per_unit = ceil_div(panels, most(parts, 1));
    return per_unit >= panels ? 0 : per_unit * nr;
}

/* Cuts `m` rows (at least; `longest` is for the size of a unit; in steps of `step`) by n columns into units.
 * `row_bytes`: of A that one more row brings in. */
static void choose_units(Contraction *c, const Machine *machine, int threads, int64_t batch, int64_t m, int64_t longest,
                         int64_t step, int64_t n, int64_t k, double row_bytes) {
    int64_t nr = c->packed.nr;
    double l2 = (double)machine->l2_kib * 1024 / 2, element = (double)dtype_size(c->b);
    int64_t rows_in_l2 = most((int64_t)(l2 / (row_bytes > 1 ? row_bytes : 1)) / step, 1) * step;
    int64_t block = least(rows_in_l2, ceil_div(longest, step) * step);
    block = ceil_div(ceil_div(longest, ceil_div(longest, block)), step) * step; /* equal blocks */
    c->unit_m = block;
    c->unit_n = 0;
    if (threads <= 1) return;
    double ns = 2.0 * (double)m * (double)n * (double)k * (double)batch / machine->gflops,
           stream = c->b_packed ? (double)n * (double)k * element / machine->l3_gbs : 0; /* of few rows */
    int64_t wanted =
        least((int64_t)((ns > stream ? ns : stream) / (double)MIN_UNIT_NS), (int64_t)threads * UNITS_PER_THREAD);
    int64_t have = batch * ceil_div(m, block);
    if (have >= wanted) return;
    int64_t parts = ceil_div(wanted, have);
    bool b_stays = (double)n * (double)k * element <= l2;
    if (b_stays && ceil_div(m, step) >= 2) { /* every unit reads all of B, which stays in L2 */
        c->unit_m = most(ceil_div(ceil_div(block, parts), step), 1) * step;
        have = batch * ceil_div(m, c->unit_m);
        if (have * 2 > wanted) return;
        parts = ceil_div(wanted, have);
    }
    c->unit_n = columns_per_unit(n, nr, parts);
}

bool contraction_transposes_b(const Contraction *c) {
    enum { FEWEST_ROWS = 4 }; /* that a transposed panel serves */
    return c->kind == CONTRACT_GEMM && !c->b_packed && dim_is(c->b_k, 1) && !dim_is(c->b_n, 1) &&
           c->tile_m >= FEWEST_ROWS && dtype_size(c->b) >= 4;
}

int64_t contraction_local_k(const Contraction *c) {
    enum { LOCAL_PANEL_BYTES = 32 * 1024 };
    return LOCAL_PANEL_BYTES / (c->packed.nr * (int64_t)dtype_size(c->b));
}

int64_t contraction_k_block(const Contraction *c) {
    enum { LONGEST = 1536, FEWEST_ROWS = 24 };
    int64_t k = dim_is_const(c->k) ? c->k.value : 0;
    if (contraction_transposes_b(c) && dim_is(c->c_n, 1) && k > contraction_local_k(c)) return contraction_local_k(c);
    bool pays = c->kind == CONTRACT_GEMM && c->b_packed && k > LONGEST && dim_is(c->c_n, 1) &&
                (!dim_is_const(c->m) || c->m.value >= FEWEST_ROWS);
    if (!pays) return k;
    int64_t block = ceil_div(k, ceil_div(k, LONGEST * 2 / 3));
    return ceil_div(block, 4) * 4;
}

/* One column, and long enough runs of k in memory: then the lanes of a vector run along k. */
static bool runs_along_k(const Contraction *c, int lanes, int64_t run) {
    return c->b_packed && dtype_is_float(c->acc) && c->a == c->acc && c->b == c->acc && dim_is(c->n, 1) &&
           run * 2 >= lanes;
}

static void schedule_gemm(const DimTable *dims, Contraction *c, const Machine *machine, int lanes, int threads) {
    int64_t m = typical(dims, c->m), n = typical(dims, c->n), k = typical(dims, c->k);
    choose_tile(c, machine, lanes, m, dim_is_const(c->m), n, k);
    c->packed = (PackedB){c->tile_n * lanes, 1};
    if (dim_is(c->a_k, 1) && runs_along_k(c, lanes, k)) c->packed.nr = 1;
    int64_t block = contraction_k_block(c), steps = block > 0 ? block : k;
    int64_t rows = smallest(dims, c->m), longest = dim_is_const(c->m) ? rows : most(rows, 128);
    choose_units(c, machine, threads, smallest(dims, c->batch), rows, longest, c->tile_m, n, k,
                 (double)steps * (double)dtype_size(c->a));
}

/* Output pixels of a tile lie in one row of the image, so the tile is fitted to its width; units are whole rows. */
static void schedule_conv(const DimTable *dims, Contraction *c, const Machine *machine, int lanes, int threads) {
    const ConvGeometry *g = &c->conv;
    int x = g->rank - 1;
    int64_t width = typical(dims, g->out[x]), rows = 1, k = g->channels / g->groups, pixels_in = 1;
    for (int d = 0; d < g->rank; d++) {
        k *= g->kernel[d];
        if (d < x) rows *= typical(dims, g->out[d]);
        pixels_in *= typical(dims, g->in[d]);
    }
    int64_t n = most(g->filters / g->groups, 1);
    choose_tile(c, machine, lanes, width, dim_is_const(g->out[x]), n, most(k, 1));
    c->packed = (PackedB){c->tile_n * lanes, 1};
    int64_t run = g->channels / g->groups *
                  (g->dilation[x] == 1 && g->groups == 1 && dim_is(c->a_m, g->channels) ? g->kernel[x] : 1);
    if (g->groups == 1 && runs_along_k(c, lanes, run)) c->packed.nr = 1;
    double bytes_per_pixel =
        (double)pixels_in * (double)g->channels * (double)dtype_size(c->a) / (double)(rows * width);
    choose_units(c, machine, threads, smallest(dims, c->batch), rows * width, rows * width, width, n, most(k, 1),
                 bytes_per_pixel);
    if (!dim_is_const(g->out[x])) c->unit_m = 0; /* a width known at run time: whole images */
}

static void schedule_depthwise(const DimTable *dims, Contraction *c, const Machine *machine, int lanes, int threads) {
    const ConvGeometry *g = &c->conv;
    int x = g->rank - 1;
    int64_t width = typical(dims, g->out[x]), rows = 1, taps = 1;
    for (int d = 0; d < g->rank; d++) {
        taps *= g->kernel[d];
        if (d < x) rows *= typical(dims, g->out[d]);
    }
    /* Accumulators for neighbouring pixels beside the weights of one kernel row; equal blocks where the width allows.
     */
    int64_t fit = machine->vector_registers - 4 - least(g->kernel[x], machine->vector_registers / 4);
    fit = least(fit, machine->vector_registers >= 32 ? 14 : 8);
    int64_t best = 0;
    double best_cost = 0;
    for (int64_t r = 1; r <= fit && r <= width; r++) {
        double loads = (double)((r - 1) * least(g->stride[x], g->kernel[x]) + 2 * g->kernel[x]),
               rest = (double)(width % r);
        double cost = (double)(width / r) * (loads + (double)(r * g->kernel[x]) + 6) +
                      (rest > 0 ? 2 * (double)g->kernel[x] + rest * (double)(g->stride[x] + g->kernel[x]) + 10 : 0);
        if (best == 0 || cost < best_cost * 0.999) best = r, best_cost = cost;
    }
    c->tile_m = (int)best;
    c->tile_n = 1;
    c->packed = (PackedB){lanes, 1};
    c->unit_n = 0;
    int64_t batch = smallest(dims, c->batch);
    int64_t units = 1;
    if (threads > 1) {
        double flops = 8.0 * (double)(rows * width * taps) * (double)g->filters *
                       (double)batch; /* bound by loads: count an operation four times */
        units = most(
            1, least((int64_t)(flops / machine->gflops / (double)MIN_UNIT_NS), (int64_t)threads * UNITS_PER_THREAD));
    }
    c->unit_m = ceil_div(rows, most(1, ceil_div(units, batch))) * width;
    if (!dim_is_const(g->out[x])) c->unit_m = 0;
}

static void schedule_winograd(Contraction *c, const Machine *machine, int lanes, int threads) {
    WinogradUnit u = winograd_unit(c, machine, threads);
    c->unit_m = u.blocks;
    choose_tile(c, machine, lanes, c->unit_m, true, u.filters, c->k.value);
    c->packed = (PackedB){c->tile_n * lanes, 1};
    c->unit_n = columns_per_unit(c->n.value, c->packed.nr, ceil_div(c->n.value, u.filters));
}

void contraction_schedule(const DimTable *dims, Kernel *k, const Machine *m, int threads) {
    Contraction *c = k->contraction;
    int lanes = m->vector_bits / dtype_info(c->acc)->bits;
    CHECK(lanes >= 1);
    if (c->kind == CONTRACT_GEMM)
        schedule_gemm(dims, c, m, lanes, threads);
    else if (c->kind == CONTRACT_WINOGRAD)
        schedule_winograd(c, m, lanes, threads);
    else if (c->kind == CONTRACT_CONV)
        schedule_conv(dims, c, m, lanes, threads);
    else
        schedule_depthwise(dims, c, m, lanes, threads);
}

/* 1, or 0 where d is: kernels are not called for nothing. */
static Dim any_of(DimTable *dims, Dim d) {
    int64_t low, high;
    dim_range(dims, d, &low, &high);
    return low > 0 ? dim_const(1) : dim_min(dims, d, dim_const(1));
}

Dim contraction_units(DimTable *dims, const Contraction *c) {
    Dim units = c->batch, rows = c->unit_m > 0 ? dim_ceildiv(dims, c->m, c->unit_m) : any_of(dims, c->m);
    units = dim_mul(dims, units, rows);
    if (c->unit_n > 0) units = dim_mul(dims, units, dim_ceildiv(dims, c->n, c->unit_n));
    return units;
}
