/* winograd: 3x3 convolutions of stride 1 by F(4x4, 3x3). Blocks of 4x4 output pixels are computed from 6x6 inputs: both
   and the weights are transformed so that the convolution becomes 36 independent products over channels, with 4 times
   fewer multiplications. A unit transforms its blocks' inputs, and then, panel by panel of filters, multiplies and
   transforms back, so that what lies between stays in L2. Transforms (Lavin and Gray): inputs B^T d B, results A^T m A;
   the weights' G g G^T is made at compile time (kern/winograd.c). */
#include "codegen/cpu/contraction.h"

enum { SIDE = 6, OUT = 4, PRODUCTS = SIDE * SIDE };

typedef struct {
    const Unit *unit;
    const Columns *columns;
    int64_t blocks_x; /* blocks in a row of the image */
    int64_t blocks;   /* of a unit */
    int64_t channels;
    EmitValue image;
    EmitValue inputs;  /* transformed: [product][block][channel] */
    EmitValue results; /* of one panel: [product][block][nr] */
    EmitValue zeros;   /* as many channels: what lies outside of the image */
} Winograd;

static EmitValue add(Ctx *x, EmitValue a, EmitValue b) {
    return emit_binary(x->e, EMIT_ADD, a, b);
}
static EmitValue sub(Ctx *x, EmitValue a, EmitValue b) {
    return emit_binary(x->e, EMIT_SUB, a, b);
}
static EmitValue scaled_add(Ctx *x, double factor, EmitValue a, EmitValue b) {
    EmitValue f = emit_float(x->e, (EmitType){x->c->acc, x->lanes}, factor);
    return multiply_add(x, a, f, b);
}

/* B^T d: six inputs in a line, `d`, to six. */
static void transform_input(Ctx *x, EmitValue *d) {
    EmitValue even = scaled_add(x, -5, d[2], d[4]);
    EmitValue odd = scaled_add(x, -5, d[3], d[5]);
    EmitValue a = scaled_add(x, -4, d[2], d[4]);
    EmitValue b = scaled_add(x, -4, d[1], d[3]);
    EmitValue c = sub(x, d[4], d[2]);
    EmitValue e = sub(x, d[3], d[1]);
    d[0] = scaled_add(x, 4, d[0], even);
    d[5] = scaled_add(x, 4, d[1], odd);
    d[1] = add(x, a, b);
    d[2] = sub(x, a, b);
    d[3] = scaled_add(x, 2, e, c);
    d[4] = scaled_add(x, -2, e, c);
}

/* A^T m: six products in a line to four results, in m[0..3]. */
static void transform_result(Ctx *x, EmitValue *m) {
    EmitValue near_sum = add(x, m[1], m[2]);
    EmitValue near_difference = sub(x, m[1], m[2]);
    EmitValue far_sum = add(x, m[3], m[4]);
    EmitValue far_difference = sub(x, m[3], m[4]);
    EmitValue first = add(x, m[0], near_sum);
    EmitValue last = add(x, m[5], near_difference);
    m[0] = add(x, first, far_sum);
    m[1] = scaled_add(x, 2, far_difference, near_difference);
    m[2] = scaled_add(x, 4, far_sum, near_sum);
    m[3] = scaled_add(x, 8, far_difference, last);
}

/* Coordinate of the first of the block's pixels in `dimension`; block counts within the image. */
static Index block_at(Ctx *x, const Winograd *w, Index block, int dimension) {
    Index per_row = offset_const(w->blocks_x);
    Index at = dimension == 0 ? offset_div(x, block, per_row) : offset_rem(x, block, per_row);
    return offset_scale(x, at, OUT);
}

/* Transforms the inputs of block `local` of the unit, which is block `block` of the image. */
static void block_inputs(Ctx *x, const Winograd *w, Index local, Index block) {
    const ConvGeometry *g = &x->c->conv;
    int64_t pixel = x->c->a_m.value, row = g->in[1].value * pixel;
    EmitValue inside[2][SIDE], from[SIDE][SIDE];
    Index offset[2][SIDE];
    for (int d = 0; d < 2; d++) {
        Index start = block_at(x, w, block, d);
        EmitValue size = emit_index(x->e, g->in[d].value);
        for (int i = 0; i < SIDE; i++) {
            Index at = offset_add(x, start, offset_const(i - g->before[d].value));
            EmitValue at_value = offset_emit(x, at);
            inside[d][i] = emit_compare(x->e, EMIT_ULT, at_value, size); /* what is negative is large */
            offset[d][i] = offset_scale(x, at, d == 0 ? row : pixel);
        }
    }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            Index at = offset_add(x, offset[0][i], offset[1][j]);
            EmitValue there = offset_address(x, w->image, x->c->a, at);
            EmitValue both = emit_binary(x->e, EMIT_AND, inside[0][i], inside[1][j]);
            from[i][j] = emit_select(x->e, both, there, w->zeros);
        }
    Index channel = loop_begin(x, offset_const(0), offset_const(w->channels), x->lanes, 0, NULL);
    EmitValue d[SIDE][SIDE];
    for (int j = 0; j < SIDE; j++) {
        EmitValue column[SIDE];
        for (int i = 0; i < SIDE; i++) {
            EmitValue pointer = offset_address(x, from[i][j], x->c->a, channel);
            column[i] = emit_load(x->e, pointer, 0, (EmitType){x->c->a, x->lanes}, (EmitValue){NULL});
        }
        transform_input(x, column);
        for (int i = 0; i < SIDE; i++) d[i][j] = column[i];
    }
    Index to = offset_scale(x, local, w->channels);
    to = offset_add(x, to, channel);
    EmitValue target = offset_address(x, w->inputs, x->c->a, to);
    for (int i = 0; i < SIDE; i++) {
        transform_input(x, d[i]);
        for (int j = 0; j < SIDE; j++)
            emit_store(x->e, target, (i * SIDE + j) * w->blocks * w->channels, d[i][j], (EmitValue){NULL}, 0);
    }
    loop_end(x, 0, NULL);
}

/* Rows [row, row + rows) of one product: `inputs`, `panel` and `results` are that product's. */
static void multiply_rows(Ctx *x, const Winograd *w, EmitValue inputs, EmitValue panel, EmitValue results, Index row,
                          int rows) {
    int64_t nr = x->c->packed.nr, next_panel = w->channels * nr;
    Tile t;
    tile_zero(x, &t, rows, w->columns->vectors);
    TileA a = {.live = (1u << rows) - 1u, .k_stride = offset_const(1)};
    Index a_offset = offset_scale(x, row, w->channels);
    EmitValue first = offset_address(x, inputs, x->c->a, a_offset);
    for (int i = 0; i < rows; i++) {
        a.row[i] = first;
        a.displacement[i] = i * w->channels;
    }
    TileB b = {.base = panel, .k_stride = offset_const(nr), .n_stride = offset_const(1)};
    bool far = (double)(PRODUCTS * w->channels * x->c->n.value) * (double)dtype_size(x->c->b) >
               (double)x->p->machine->l2_kib * 1024;
    if (far && w->blocks >= 2 * rows) { /* the panel of the next product follows this one */
        Index share = offset_scale(x, row, next_panel / w->blocks);
        share = offset_add(x, share, offset_const(next_panel));
        b.fetch = offset_address(x, panel, x->c->b, share);
        b.fetch_share = (double)rows / (double)w->blocks;
    }
    tile_multiply(x, &t, &a, &b, offset_const(w->channels));
    Index to = offset_scale(x, row, nr);
    EmitValue target = offset_address(x, results, x->c->acc, to);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < t.vectors; j++)
            emit_store(x->e, target, i * nr + (int64_t)j * x->lanes, t.acc[i * t.vectors + j], (EmitValue){NULL}, 0);
}

static void multiply_all(Ctx *x, const Winograd *w) {
    int64_t nr = x->c->packed.nr, tile = x->c->tile_m, rest = w->blocks % tile, whole = w->blocks - rest;
    Index product = loop_begin(x, offset_const(0), offset_const(PRODUCTS), 1, 0, NULL);
    Index in = offset_scale(x, product, w->blocks * w->channels);
    EmitValue inputs = offset_address(x, w->inputs, x->c->a, in);
    Index weights = offset_scale(x, w->columns->panel, PRODUCTS * w->channels * nr);
    Index of_product = offset_scale(x, product, w->channels * nr);
    weights = offset_add(x, weights, of_product);
    EmitValue panel = offset_address(x, eval_buffer(x->eval, 1), x->c->b, weights);
    Index out = offset_scale(x, product, w->blocks * nr);
    EmitValue results = offset_address(x, w->results, x->c->acc, out);
    if (whole > 0) {
        Index row = loop_begin(x, offset_const(0), offset_const(whole), tile, 0, NULL);
        multiply_rows(x, w, inputs, panel, results, row, (int)tile);
        loop_end(x, 0, NULL);
    }
    if (rest > 0) multiply_rows(x, w, inputs, panel, results, offset_const(whole), (int)rest);
    loop_end(x, 0, NULL);
}

/* One vector of filters of one block, from its 36 products to 16 pixels. */
static void block_results(Ctx *x, const Winograd *w, Index local, Index block, int column) {
    const ConvGeometry *g = &x->c->conv;
    int64_t nr = x->c->packed.nr;
    Index from = offset_scale(x, local, nr);
    EmitValue base = offset_address(x, w->results, x->c->acc, from);
    EmitValue m[SIDE][SIDE];
    for (int j = 0; j < SIDE; j++) {
        EmitValue line[SIDE];
        for (int i = 0; i < SIDE; i++)
            line[i] = emit_load(x->e, base, (i * SIDE + j) * w->blocks * nr + (int64_t)column * x->lanes,
                                (EmitType){x->c->acc, x->lanes}, (EmitValue){NULL});
        transform_result(x, line);
        for (int i = 0; i < OUT; i++) m[i][j] = line[i];
    }
    EmitValue mask = column == w->columns->vectors - 1 ? w->columns->mask : (EmitValue){NULL};
    Index n = offset_add(x, w->columns->n, offset_const((int64_t)column * x->lanes));
    Index at[2];
    for (int d = 0; d < 2; d++) at[d] = block_at(x, w, block, d);
    for (int i = 0; i < OUT; i++) {
        transform_result(x, m[i]);
        for (int j = 0; j < OUT; j++) {
            EmitValue live = {NULL};
            const int step[2] = {i, j};
            Index pixel[2];
            for (int d = 0; d < 2; d++) { /* the last blocks of a row or column may reach over the edge */
                pixel[d] = offset_add(x, at[d], offset_const(step[d]));
                if (step[d] < (g->out[d].value - 1) % OUT + 1) continue;
                EmitValue coordinate = offset_emit(x, pixel[d]);
                EmitValue size = emit_index(x->e, g->out[d].value);
                EmitValue there = emit_compare(x->e, EMIT_SLT, coordinate, size);
                live = live.v == NULL ? there : emit_binary(x->e, EMIT_AND, live, there);
            }
            Index flat = offset_scale(x, pixel[0], g->out[1].value);
            flat = offset_add(x, flat, pixel[1]);
            EmitValue store_mask = mask;
            if (live.v != NULL) {
                EmitValue zero = emit_index(x->e, 0);
                EmitValue value = offset_emit(x, flat);
                flat = offset_value(emit_select(x->e, live, value, zero)); /* what is masked off still has a place */
                EmitValue spread = emit_broadcast(x->e, live, x->lanes);
                store_mask = mask.v == NULL ? spread : emit_binary(x->e, EMIT_AND, mask, spread);
            }
            Tile one = {.rows = 1, .vectors = 1, .acc = {m[i][j]}};
            epilogue_store(x, &one, w->unit->batch, flat, n, store_mask);
        }
    }
}

static void columns_body(Ctx *x, const Unit *u, const Columns *columns, void *data) {
    Winograd *w = data;
    w->columns = columns;
    multiply_all(x, w);
    Index block = loop_begin(x, u->m_lo, u->m_hi, 1, 0, NULL);
    Index local = offset_sub(x, block, u->m_lo);
    for (int j = 0; j < columns->vectors; j++) block_results(x, w, local, block, j);
    loop_end(x, 0, NULL);
}

bool winograd_emit(Ctx *x, const Unit *u) {
    const Contraction *c = x->c;
    const ConvGeometry *g = &c->conv;
    if (!c->b_packed || c->a != c->acc || c->b != c->acc || g->channels % x->lanes != 0) return false;
    Winograd w = {.unit = u, .channels = g->channels};
    w.blocks_x = (g->out[1].value + OUT - 1) / OUT;
    w.blocks = c->unit_m > 0 && c->unit_m < c->m.value ? c->unit_m : c->m.value;
    Index image = offset_dim(x, c->a_batch);
    image = offset_times(x, u->batch, image);
    w.image = offset_address(x, eval_buffer(x->eval, 0), c->a, image);
    int64_t inputs = PRODUCTS * w.blocks * w.channels, results = PRODUCTS * w.blocks * c->packed.nr;
    Index scratch = offset_scale(x, u->number, inputs + results);
    w.inputs = offset_address(x, eval_buffer(x->eval, c->scratch), c->acc, scratch);
    w.results = offset_address(x, w.inputs, c->acc, offset_const(inputs));
    w.zeros = emit_local(x->e, c->a, w.channels);
    EmitValue none = emit_float(x->e, (EmitType){c->a, x->lanes}, 0);
    Index at = loop_begin(x, offset_const(0), offset_const(w.channels), x->lanes, 0, NULL);
    EmitValue zero_at = offset_address(x, w.zeros, c->a, at);
    emit_store(x->e, zero_at, 0, none, (EmitValue){NULL}, 0);
    loop_end(x, 0, NULL);
    Index block = loop_begin(x, u->m_lo, u->m_hi, 1, 0, NULL);
    Index local = offset_sub(x, block, u->m_lo);
    block_inputs(x, &w, local, block);
    loop_end(x, 0, NULL);
    for_columns(x, u, columns_body, &w);
    return true;
}
