/* depthwise: convolutions of each channel by itself. Vectors run over channels; a block of neighbouring output pixels
   is kept in accumulators, so that an input vector is loaded once for all the taps that see it. As in conv, kernel rows
   are clipped for the whole block at run time and kernel columns at compile time. */
#include "codegen/cpu/contraction.h"

typedef struct {
    const Unit *unit;
    EmitValue image;
    Index pixel_stride, row_stride[3];
    int64_t padded; /* elements between the weights of two taps */
    Index row;
    RowTaps taps;
    /* the current vector of channels */
    Index channel;
    EmitValue mask;   /* {NULL}: whole */
    EmitValue spread; /* input channels of the lanes, relative to the first; {NULL}: one after the other */
    Index input_channel;
} Depthwise;

static EmitValue load_input(Ctx *x, const Depthwise *v, EmitValue at, int64_t disp) {
    EmitType t = {x->c->a, x->lanes};
    EmitValue loaded;
    if (v->spread.v == NULL) {
        loaded = emit_load(x->e, at, disp, t, v->mask);
    } else {
        EmitValue from = offset_address(x, at, x->c->a, offset_const(disp));
        loaded = emit_gather(x->e, from, v->spread, t, v->mask);
    }
    return convert_to_acc(x, loaded, x->c->a);
}

static EmitValue load_weights(Ctx *x, const Depthwise *v, EmitValue weights, int64_t tap) {
    EmitValue w = emit_load(x->e, weights, tap * v->padded, (EmitType){x->c->b, x->lanes},
                            x->c->b_packed ? (EmitValue){NULL} : v->mask);
    return convert_to_acc(x, w, x->c->b);
}

/* acc += one kernel row. `at`: input of the first pixel at tap 0, `weights`: of tap 0. live[tap]: pixels that see the
 * tap. */
static void multiply_row(Ctx *x, const Depthwise *v, Tile *t, EmitValue at, EmitValue weights, const uint32_t *live) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1;
    int64_t taps = g->kernel[d], stride = g->stride[d], dilation = g->dilation[d];
    EmitValue w[64] = {{NULL}};
    int64_t last = (t->rows - 1) * stride + (taps - 1) * dilation;
    for (int64_t position = 0; position <= last; position++) {
        EmitValue input = {NULL};
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t ahead = position - tap * dilation, pixel = ahead / stride;
            if (ahead < 0 || ahead % stride != 0 || pixel >= t->rows || !(live[tap] >> pixel & 1u)) continue;
            if (w[tap].v == NULL) w[tap] = load_weights(x, v, weights, tap);
            if (input.v == NULL) input = load_input(x, v, at, position * v->pixel_stride.c);
            t->acc[pixel] = multiply_add(x, input, w[tap], t->acc[pixel]);
        }
    }
}

/* One pixel, kernel columns clipped at run time. */
static void multiply_clipped(Ctx *x, const Depthwise *v, Tile *t, EmitValue at, EmitValue weights, Index lo, Index hi) {
    const ConvGeometry *g = &x->c->conv;
    Index tap_stride = offset_scale(x, v->pixel_stride, g->dilation[g->rank - 1]);
    Index tap = loop_begin(x, lo, hi, 1, 1, t->acc);
    Index a_offset = offset_times(x, tap, tap_stride);
    Index w_offset = offset_scale(x, tap, v->padded);
    EmitValue from = offset_address(x, at, x->c->a, a_offset);
    EmitValue weight = offset_address(x, weights, x->c->b, w_offset);
    EmitValue w = load_weights(x, v, weight, 0);
    EmitValue input = load_input(x, v, from, 0);
    t->acc[0] = multiply_add(x, input, w, t->acc[0]);
    loop_end(x, 1, t->acc);
}

/* `rows` pixels from `first` on, of the current vector of channels. live NULL: one pixel, clipped. */
static void block_at(Ctx *x, const Depthwise *v, Index first, int rows, const uint32_t *live) {
    const ConvGeometry *g = &x->c->conv;
    int d = g->rank - 1;
    Tile t;
    tile_zero(x, &t, rows, 1);
    Index before = offset_dim(x, g->before[d]);
    Index start = offset_scale(x, first, g->stride[d]);
    start = offset_sub(x, start, before);
    Index lo = offset_const(0), hi = offset_const(0);
    if (live == NULL) clip_taps(x, d, start, &lo, &hi);
    Index a_offset = offset_times(x, start, v->pixel_stride), w_row = offset_const(0);
    a_offset = offset_add(x, a_offset, v->input_channel);
    bool loops[3] = {false, false, false};
    for (int o = 0; o < d; o++) {
        Index tap = v->taps.lo[o];
        loops[o] = !(offset_is_const(tap) && offset_is_const(v->taps.hi[o]) && v->taps.hi[o].c - tap.c == 1);
        if (loops[o]) tap = loop_begin(x, v->taps.lo[o], v->taps.hi[o], 1, rows, t.acc);
        Index in = offset_scale(x, tap, g->dilation[o]);
        in = offset_add(x, in, v->taps.start[o]);
        in = offset_times(x, in, v->row_stride[o]);
        a_offset = offset_add(x, a_offset, in);
        w_row = offset_scale(x, w_row, g->kernel[o]);
        w_row = offset_add(x, w_row, tap);
    }
    EmitValue at = offset_address(x, v->image, x->c->a, a_offset);
    Index w_offset = offset_scale(x, w_row, g->kernel[d] * v->padded);
    w_offset = offset_add(x, w_offset, v->channel);
    EmitValue weights = offset_address(x, eval_buffer(x->eval, 1), x->c->b, w_offset);
    if (live != NULL)
        multiply_row(x, v, &t, at, weights, live);
    else
        multiply_clipped(x, v, &t, at, weights, lo, hi);
    for (int o = d - 1; o >= 0; o--)
        if (loops[o]) loop_end(x, rows, t.acc);
    Index width = offset_dim(x, g->out[d]);
    Index m = offset_times(x, v->row, width);
    m = offset_add(x, m, first);
    epilogue_store(x, &t, v->unit->batch, m, v->channel, v->mask);
}

/* All channels of a block: whole vectors, then the rest with a mask. */
static void all_channels(Ctx *x, Depthwise *v, Index first, int rows, const uint32_t *live) {
    const ConvGeometry *g = &x->c->conv;
    int64_t multiplier = g->filters / g->channels, whole = g->filters / x->lanes * x->lanes;
    for (int part = 0; part < 2; part++) {
        int64_t rest = g->filters - whole;
        if (part == 0 ? whole == 0 : rest == 0) continue;
        v->mask = (EmitValue){NULL};
        v->channel = offset_const(whole);
        bool loop = part == 0 && whole > x->lanes;
        if (part == 0)
            v->channel =
                loop ? loop_begin(x, offset_const(0), offset_const(whole), x->lanes, 0, NULL) : offset_const(0);
        else
            v->mask = emit_const_mask(x->e, x->lanes, (int)rest);
        v->input_channel = v->channel;
        v->spread = (EmitValue){NULL};
        if (multiplier > 1) { /* output channel c reads input channel c / multiplier */
            EmitType t = {DTYPE_S64, x->lanes};
            EmitValue lane = emit_lane_index(x->e, t);
            EmitValue channel = offset_emit(x, v->channel);
            channel = emit_broadcast(x->e, channel, x->lanes);
            channel = emit_binary(x->e, EMIT_IADD, channel, lane);
            EmitValue by = emit_int(x->e, t, multiplier);
            v->spread = emit_binary(x->e, EMIT_UDIV, channel, by);
            v->input_channel = offset_const(0);
        }
        block_at(x, v, first, rows, live);
        if (loop) loop_end(x, 0, NULL);
    }
}

static void row_of_runs(Ctx *x, Depthwise *v, int n_runs, const PixelRun *runs) {
    for (int r = 0; r < n_runs; r++) {
        Index first = offset_const(runs[r].first);
        if (runs[r].count > 1) {
            int64_t end = runs[r].first + runs[r].count * runs[r].rows;
            first = loop_begin(x, first, offset_const(end), runs[r].rows, 0, NULL);
        }
        all_channels(x, v, first, runs[r].rows, runs[r].live);
        if (runs[r].count > 1) loop_end(x, 0, NULL);
    }
}

bool depthwise_emit(Ctx *x, const Unit *u) {
    const Contraction *c = x->c;
    const ConvGeometry *g = &c->conv;
    if (g->rank < 1 || g->rank > 3 || g->filters % g->channels != 0) return false;
    int d = g->rank - 1;
    Depthwise v = {.unit = u,
                   .padded = c->b_packed ? (g->filters + c->packed.nr - 1) / c->packed.nr * c->packed.nr : g->filters};
    v.pixel_stride = offset_dim(x, c->a_m);
    Index stride = v.pixel_stride;
    for (int o = d; o >= 0; o--) {
        v.row_stride[o] = stride;
        Index size = offset_dim(x, g->in[o]);
        stride = offset_times(x, stride, size);
    }
    Index a_batch = offset_dim(x, c->a_batch);
    Index offset = offset_times(x, u->batch, a_batch);
    v.image = offset_address(x, eval_buffer(x->eval, 0), c->a, offset);
    Index width = row_width(x, d);
    Index row_lo = offset_div(x, u->m_lo, width);
    Index row_hi = offset_div(x, u->m_hi, width);
    PixelRun *runs;
    int n_runs = offset_is_const(v.pixel_stride) ? pixel_runs(x, &runs) : 0;
    v.row = loop_begin(x, row_lo, row_hi, 1, 0, NULL);
    v.taps = row_taps(x, v.row);
    if (n_runs > 0) {
        row_of_runs(x, &v, n_runs, runs);
    } else {
        Index pixel = loop_begin(x, offset_const(0), width, 1, 0, NULL);
        all_channels(x, &v, pixel, 1, NULL);
        loop_end(x, 0, NULL);
    }
    loop_end(x, 0, NULL);
    return true;
}
