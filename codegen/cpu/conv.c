/* conv: convolutions as GEMM without building the matrix of patches. A tile's rows are neighbouring output pixels of
   one image row, so for every tap their inputs are a constant number of elements apart. Kernel rows that fall outside
   above or below are clipped at run time, for the whole tile at once; kernel columns that fall outside left or right
   are known at compile time from the pixel's place in the row: edge tiles get code of their own in which those rows
   take no part. So no inner loop has a branch, a mask or a read of padding. */
#include "codegen/cpu/contraction.h"

enum { MAX_SEGMENTS = 40 };

/* Taps [begin, end) of a kernel row that the same pixels of a block see. */
typedef struct {
    int begin, end;
    uint32_t live;
} Segment;

typedef struct {
    const Unit *unit;
    const Columns *columns;
    EmitValue image; /* first element of the group's channels of the image */
    EmitValue panel;
    int64_t k_stride;                  /* elements of B between steps of k: a row of the panel, or of dense weights */
    Index pixel_stride, row_stride[3]; /* elements between neighbours in each dimension */
    int64_t channels;                  /* of the group: steps of k per tap */
    Index row, unit_row;               /* output row, flat; the first one of the unit */
    RowTaps taps;
} Conv;

/* ---- shared with depthwise */
/* Taps of `dimension` that fall inside when tap 0 lies at `start`: ceil(-start / dilation) .. ceil((size - start) /
 * dilation), cut to the kernel. */
void clip_taps(Ctx *x, int dimension, Index start, Index *out_lo, Index *out_hi) {
    const ConvGeometry *g = &x->c->conv;
    int64_t dilation = g->dilation[dimension], taps = g->kernel[dimension];
    Index size = offset_dim(x, g->in[dimension]);
    Index below = offset_sub(x, offset_const(0), start);
    below = offset_max(x, below, offset_const(0));
    Index above = offset_sub(x, size, start);
    above = offset_max(x, above, offset_const(0));
    if (dilation > 1) {
        below = offset_add(x, below, offset_const(dilation - 1));
        below = offset_div(x, below, offset_const(dilation));
        above = offset_add(x, above, offset_const(dilation - 1));
        above = offset_div(x, above, offset_const(dilation));
    }
    *out_lo = offset_min(x, below, offset_const(taps));
    *out_hi = offset_min(x, above, offset_const(taps));
}

Index row_width(Ctx *x, int dimension) {
    Index width = offset_dim(x, x->c->conv.out[dimension]);
    return offset_is_const(width) ? width : offset_max(x, width, offset_const(1));
}

RowTaps row_taps(Ctx *x, Index row) {
    const ConvGeometry *g = &x->c->conv;
    RowTaps taps = {0};
    for (int d = g->rank - 2; d >= 0; d--) {
        Index size = offset_dim(x, g->out[d]);
        Index at = d == 0 ? row : offset_rem(x, row, size);
        if (d > 0) row = offset_div(x, row, size);
        Index before = offset_dim(x, g->before[d]);
        Index start = offset_scale(x, at, g->stride[d]);
        taps.start[d] = offset_sub(x, start, before);
        /* A phase of a transposed convolution may reach past the input with its only tap: then that is clipped too. */
        bool inside = dim_is_const(g->in[d]) && dim_is_const(g->out[d])
                          ? (g->out[d].value - 1) * g->stride[d] < g->in[d].value
                          : dim_equal(g->in[d], g->out[d]) && g->stride[d] == 1;
        if (g->kernel[d] == 1 && dim_is(g->before[d], 0) && inside) {
            taps.lo[d] = offset_const(0);
            taps.hi[d] = offset_const(1);
        } else {
            clip_taps(x, d, taps.start[d], &taps.lo[d], &taps.hi[d]);
        }
    }
    return taps;
}

static void live_taps(const ConvGeometry *g, int64_t first, int rows, uint32_t *live) {
    int d = g->rank - 1;
    for (int64_t tap = 0; tap < g->kernel[d]; tap++) {
        live[tap] = 0;
        for (int i = 0; i < rows; i++) {
            int64_t in = (first + i) * g->stride[d] + tap * g->dilation[d] - g->before[d].value;
            if (in >= 0 && in < g->in[d].value) live[tap] |= 1u << i;
        }
    }
}

int pixel_runs(Ctx *x, PixelRun **out_runs) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1, n = 0, cost = 0;
    if (!dim_is_const(g->out[d]) || !dim_is_const(g->in[d]) || !dim_is_const(g->before[d]) || g->kernel[d] > 64)
        return 0;
    int64_t width = g->out[d].value, tile = x->c->tile_m, taps = g->kernel[d];
    PixelRun *runs = NEW_ARRAY(x->arena, PixelRun, MAX_SEGMENTS);
    uint32_t *live = NEW_ARRAY(x->arena, uint32_t, taps);
    for (int64_t first = 0; first < width; first += tile) {
        int rows = (int)(width - first < tile ? width - first : tile);
        live_taps(g, first, rows, live);
        PixelRun *last = n > 0 ? &runs[n - 1] : NULL;
        bool same = last != NULL && last->rows == rows;
        for (int64_t tap = 0; same && tap < taps; tap++) same = last->live[tap] == live[tap];
        if (same) {
            last->count++;
            continue;
        }
        for (int64_t tap = 0; tap < taps; tap++) cost += tap == 0 || live[tap] != live[tap - 1];
        if (n == MAX_SEGMENTS || cost > MAX_SEGMENTS) return 0;
        runs[n] = (PixelRun){first, 1, rows, NEW_ARRAY(x->arena, uint32_t, taps)};
        for (int64_t tap = 0; tap < taps; tap++) runs[n].live[tap] = live[tap];
        n++;
    }
    *out_runs = runs;
    return n;
}

/* ---- tiles */
/* The share of the next panel that a tile fetches: `base` for the kernel row it is in. */
typedef struct {
    EmitValue base;
    double share;
} Fetch;

/* acc += the taps of one kernel row: `at` is the input of the tile's first pixel at tap 0, `panel` the weights of that
 * kernel row. */
static void multiply_segment(Ctx *x, const Conv *v, Tile *t, EmitValue at, EmitValue panel, const Fetch *f,
                             const Segment *s) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1;
    Index tap_stride = offset_scale(x, v->pixel_stride, g->dilation[d]);
    Index pixel_step = offset_scale(x, v->pixel_stride, g->stride[d]);
    /* Channels of neighbouring taps lie side by side: one run of k over all of them. */
    bool merged = offset_is_const(tap_stride) && tap_stride.c == v->channels;
    int taps = s->end - s->begin, n = t->rows * t->vectors;
    Index tap = offset_const(s->begin);
    bool loop = !merged && taps > 1;
    if (loop) tap = loop_begin(x, offset_const(s->begin), offset_const(s->end), 1, n, t->acc);
    Index a_offset = offset_times(x, tap, tap_stride);
    Index b_offset = offset_scale(x, tap, v->channels * v->k_stride);
    EmitValue first = offset_address(x, at, x->c->a, a_offset);
    TileA a = {.live = s->live, .k_stride = offset_const(1)};
    for (int i = 0; i < t->rows; i++) {
        Index row = offset_scale(x, pixel_step, i);
        a.row[i] = offset_is_const(row) || !(s->live >> i & 1u) ? first : offset_address(x, first, x->c->a, row);
        a.displacement[i] = offset_is_const(row) ? row.c : 0;
    }
    TileB b = {.base = offset_address(x, panel, x->c->b, b_offset),
               .k_stride = offset_const(v->k_stride),
               .n_stride = offset_const(1)};
    if (!x->c->b_packed) b.mask = v->columns->mask;
    if (f->share > 0) {
        b.fetch_share = f->share;
        int accumulators = __builtin_popcount(s->live) * t->vectors, turn = tile_unroll(accumulators);
        Index done = offset_scale(x, tap, v->channels * fetch_elements(x, &b, t->vectors, turn) / turn);
        b.fetch = offset_address(x, f->base, x->c->b, done);
    }
    tile_multiply(x, t, &a, &b, offset_const(merged ? v->channels * taps : v->channels));
    if (loop) loop_end(x, n, t->acc);
}

/* One pixel whose kernel columns are clipped at run time. */
static void multiply_clipped(Ctx *x, const Conv *v, Tile *t, EmitValue at, EmitValue panel, Index lo, Index hi) {
    const ConvGeometry *g = &x->c->conv;
    Index tap_stride = offset_scale(x, v->pixel_stride, g->dilation[g->rank - 1]);
    Index tap = loop_begin(x, lo, hi, 1, t->vectors, t->acc);
    Index a_offset = offset_times(x, tap, tap_stride);
    Index b_offset = offset_scale(x, tap, v->channels * v->k_stride);
    TileA a = {.live = 1, .k_stride = offset_const(1)};
    a.row[0] = offset_address(x, at, x->c->a, a_offset);
    TileB b = {.base = offset_address(x, panel, x->c->b, b_offset),
               .k_stride = offset_const(v->k_stride),
               .n_stride = offset_const(1)};
    if (!x->c->b_packed) b.mask = v->columns->mask;
    tile_multiply(x, t, &a, &b, offset_const(v->channels));
    loop_end(x, t->vectors, t->acc);
}

/* Pixels first .. first + rows of the current output row. Without segments: one pixel, clipped. */
static void tile_at(Ctx *x, const Conv *v, Index first, int rows, int n_segments, const Segment *segments) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1;
    Tile t;
    tile_zero(x, &t, rows, v->columns->vectors);
    int n = rows * t.vectors;
    Index before = offset_dim(x, g->before[d]);
    Index start = offset_scale(x, first, g->stride[d]);
    start = offset_sub(x, start, before);
    Index lo = offset_const(0), hi = offset_const(0);
    if (n_segments == 0) clip_taps(x, d, start, &lo, &hi);
    Index a_offset = offset_times(x, start, v->pixel_stride), b_row = offset_const(0);
    bool loops[3] = {false, false, false};
    for (int o = 0; o < d; o++) {
        Index tap = v->taps.lo[o];
        loops[o] = !(offset_is_const(tap) && offset_is_const(v->taps.hi[o]) && v->taps.hi[o].c - tap.c == 1);
        if (loops[o]) tap = loop_begin(x, v->taps.lo[o], v->taps.hi[o], 1, n, t.acc);
        Index in = offset_scale(x, tap, g->dilation[o]);
        in = offset_add(x, in, v->taps.start[o]);
        in = offset_times(x, in, v->row_stride[o]);
        a_offset = offset_add(x, a_offset, in);
        b_row = offset_scale(x, b_row, g->kernel[o]);
        b_row = offset_add(x, b_row, tap);
    }
    EmitValue at = offset_address(x, v->image, x->c->a, a_offset);
    Index b_offset = offset_scale(x, b_row, g->kernel[d] * v->channels * v->k_stride);
    EmitValue panel = offset_address(x, v->panel, x->c->b, b_offset);
    Fetch fetch = {.share = 0};
    int64_t unit_pixels = x->c->unit_m > 0 ? x->c->unit_m : dim_is_const(x->c->m) ? x->c->m.value : 0;
    if (n_segments > 0 && unit_pixels >= 2 * rows && b_is_far(x)) {
        fetch.share = (double)rows / (double)unit_pixels;
        TileB shape = {.fetch_share = fetch.share};
        int64_t nr = x->c->packed.nr, whole = x->c->k.value * nr, per_row = whole / unit_pixels * g->out[d].value,
                turn = tile_unroll(n);
        Index done =
            offset_scale(x, b_row, g->kernel[d] * v->channels * fetch_elements(x, &shape, t.vectors, (int)turn) / turn);
        Index row = offset_scale(x, v->row, per_row);
        Index unit_row = offset_scale(x, v->unit_row, per_row);
        row = offset_sub(x, row, unit_row);
        Index pixel = offset_scale(x, first, whole / unit_pixels);
        done = offset_add(x, done, row);
        done = offset_add(x, done, pixel);
        done = offset_add(x, done, offset_const(whole));
        fetch.base = offset_address(x, v->panel, x->c->b, done);
    }
    for (int s = 0; s < n_segments; s++) multiply_segment(x, v, &t, at, panel, &fetch, &segments[s]);
    if (n_segments == 0) multiply_clipped(x, v, &t, at, panel, lo, hi);
    for (int o = d - 1; o >= 0; o--)
        if (loops[o]) loop_end(x, n, t.acc);
    Index width = offset_dim(x, g->out[d]);
    Index m = offset_times(x, v->row, width);
    m = offset_add(x, m, first);
    Index channel = offset_scale(x, v->unit->group, g->filters / g->groups);
    channel = offset_add(x, channel, v->columns->n);
    epilogue_store(x, &t, v->unit->batch, m, channel, v->columns->mask);
}

static int make_segments(const PixelRun *run, int64_t taps, Segment *segments) {
    int n = 0;
    for (int tap = 0; tap < taps; tap++) {
        if (run->live[tap] == 0) continue;
        if (n > 0 && segments[n - 1].end == tap && segments[n - 1].live == run->live[tap])
            segments[n - 1].end++;
        else
            segments[n++] = (Segment){tap, tap + 1, run->live[tap]};
    }
    return n;
}

static void row_of_runs(Ctx *x, const Conv *v, int n_runs, const PixelRun *runs) {
    for (int r = 0; r < n_runs; r++) {
        Segment segments[64] = {{0}};
        int n = make_segments(&runs[r], x->c->conv.kernel[x->c->conv.rank - 1], segments);
        if (n == 0) segments[n++] = (Segment){0, 1, 0}; /* pixels that see padding only */
        Index first = offset_const(runs[r].first);
        if (runs[r].count > 1) {
            int64_t end = runs[r].first + runs[r].count * runs[r].rows;
            first = loop_begin(x, first, offset_const(end), runs[r].rows, 0, NULL);
        }
        tile_at(x, v, first, runs[r].rows, n, segments);
        if (runs[r].count > 1) loop_end(x, 0, NULL);
    }
}

/* A row whose width is known at run time, or whose edges would take too much code: clipped pixels one by one at both
 * ends, tiles between. */
static void row_of_pixels(Ctx *x, const Conv *v) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1, rows = x->c->tile_m;
    int64_t stride = g->stride[d], reach = (g->kernel[d] - 1) * g->dilation[d];
    Index width = offset_dim(x, g->out[d]);
    Index before = offset_dim(x, g->before[d]);
    Index size = offset_dim(x, g->in[d]);
    /* Pixels [inner, outer) see no padding: p*stride >= before and p*stride + reach < size + before. */
    Index inner = offset_add(x, before, offset_const(stride - 1));
    inner = offset_div(x, inner, offset_const(stride));
    inner = offset_max(x, inner, offset_const(0));
    inner = offset_min(x, inner, width);
    Index outer = offset_add(x, size, before);
    outer = offset_sub(x, outer, offset_const(reach));
    outer = offset_max(x, outer, offset_const(0));
    outer = offset_add(x, outer, offset_const(stride - 1));
    outer = offset_div(x, outer, offset_const(stride));
    outer = offset_min(x, outer, width);
    outer = offset_max(x, outer, inner);
    Index middle = offset_sub(x, outer, inner);
    Index rest = offset_rem(x, middle, offset_const(rows));
    Index middle_end = offset_sub(x, outer, rest);
    Index at = loop_begin(x, offset_const(0), inner, 1, 0, NULL);
    tile_at(x, v, at, 1, 0, NULL);
    loop_end(x, 0, NULL);
    Segment all = {0, (int)g->kernel[d], (1u << rows) - 1u};
    at = loop_begin(x, inner, middle_end, rows, 0, NULL);
    tile_at(x, v, at, rows, 1, &all);
    loop_end(x, 0, NULL);
    at = loop_begin(x, middle_end, width, 1, 0, NULL);
    tile_at(x, v, at, 1, 0, NULL);
    loop_end(x, 0, NULL);
}

static void columns_body(Ctx *x, const Unit *u, const Columns *columns, void *data) {
    Conv *v = data;
    const Contraction *c = x->c;
    const ConvGeometry *g = &c->conv;
    int d = g->rank - 1;
    int64_t nr = c->packed.nr, panels = (c->n.value + nr - 1) / nr, k = v->channels;
    for (int i = 0; i < g->rank; i++) k *= g->kernel[i];
    v->unit = u;
    v->columns = columns;
    Index at;
    if (c->b_packed) {
        at = offset_scale(x, u->group, panels);
        at = offset_add(x, at, columns->panel);
        at = offset_scale(x, at, k * nr);
    } else {
        at = offset_scale(x, u->group, c->n.value);
        at = offset_add(x, at, columns->n);
    }
    v->panel = offset_address(x, eval_buffer(x->eval, 1), c->b, at);
    Index width = row_width(x, d);
    Index row_lo = offset_div(x, u->m_lo, width);
    Index row_hi = offset_div(x, u->m_hi, width);
    PixelRun *runs;
    int n_runs = pixel_runs(x, &runs);
    v->unit_row = row_lo;
    v->row = loop_begin(x, row_lo, row_hi, 1, 0, NULL);
    v->taps = row_taps(x, v->row);
    if (!dim_is(c->c_row, 0)) {
        Index row_stride = offset_dim(x, c->c_row);
        Index pixel_stride = offset_dim(x, c->c_m);
        Index counted = offset_times(x, width, pixel_stride); /* by the flat pixel number */
        Index apart = offset_sub(x, row_stride, counted);
        Index skipped = offset_times(x, v->row, apart);
        Index begin = offset_dim(x, c->c_offset);
        x->shift = offset_add(x, skipped, begin);
    }
    if (n_runs > 0)
        row_of_runs(x, v, n_runs, runs);
    else
        row_of_pixels(x, v);
    loop_end(x, 0, NULL);
}

bool conv_emit(Ctx *x, const Unit *u) {
    const Contraction *c = x->c;
    const ConvGeometry *g = &c->conv;
    if (!dim_is_const(c->n) || g->rank < 1 || g->rank > 3 || (g->rank > 2 && !dim_is(c->c_row, 0))) return false;
    Conv v = {.channels = g->channels / g->groups, .k_stride = c->b_packed ? c->packed.nr : g->filters};
    v.pixel_stride = offset_dim(x, c->a_m);
    Index stride = v.pixel_stride;
    for (int d = g->rank - 1; d >= 0; d--) {
        v.row_stride[d] = stride;
        Index size = offset_dim(x, g->in[d]);
        stride = offset_times(x, stride, size);
    }
    Index a_batch = offset_dim(x, c->a_batch);
    Index offset = offset_times(x, u->batch, a_batch);
    Index group = offset_scale(x, u->group, v.channels);
    offset = offset_add(x, offset, group);
    v.image = offset_address(x, eval_buffer(x->eval, 0), c->a, offset);
    for_columns(x, u, columns_body, &v);
    return true;
}
