/* gemm: matrix products. A deep one is cut into blocks of k, between which the sums wait in the output. Within a block
   the panels of B are the outer loop, so that one panel stays in the nearest cache while all rows of the unit pass by
   it. B is constant and packed, or dense; a dense one whose rows lie apart (an attention's keys) is transposed panel by
   panel into a stack buffer laid out like a packed panel, which pays from a few rows on. */
#include "codegen/cpu/contraction.h"
#include "kern/contraction.h"

typedef struct {
    const Unit *unit;
    const Columns *columns;
    Index k, a_m;
    Index k_first;    /* of this block of k */
    bool first, last; /* the block starts, ends the sums; neither: it is known at run time whether it starts them */
    EmitValue a_base; /* of the unit's batch entry */
    TileB b;
} Gemm;

/* One tile of `rows` rows from row m on. */
static void tile_at(Ctx *x, const Gemm *g, Index m, int rows) {
    Tile t;
    tile_zero(x, &t, rows, g->columns->vectors);
    TileA a = {.live = (1u << rows) - 1u};
    a.k_stride = offset_dim(x, x->c->a_k);
    Index offset = offset_times(x, m, g->a_m);
    Index deep = offset_times(x, g->k_first, a.k_stride);
    offset = offset_add(x, offset, deep);
    EmitValue base = offset_address(x, g->a_base, x->c->a, offset);
    for (int i = 0; i < rows; i++) {
        Index row = offset_scale(x, g->a_m, i);
        a.row[i] = offset_is_const(row) ? base : offset_address(x, base, x->c->a, row);
        a.displacement[i] = offset_is_const(row) ? row.c : 0;
    }
    EmitValue when = {NULL};
    if (!g->first && !g->last) {
        EmitValue at = offset_emit(x, g->k_first);
        EmitValue zero = emit_index(x->e, 0);
        when = emit_compare(x->e, EMIT_NE, at, zero);
    }
    if (!g->first) partial_load(x, &t, g->unit->batch, m, g->columns->n, g->columns->mask, when);
    TileB b = g->b;
    if (dim_is_const(x->c->m) && x->c->m.value >= 2 * rows &&
        b_is_far(x)) { /* rows m .. m + rows fetch their share of the next panel */
        int64_t rows_of_unit = x->c->unit_m > 0 && x->c->unit_m < x->c->m.value ? x->c->unit_m : x->c->m.value;
        int64_t panel = g->k.c * x->c->packed.nr;
        Index share = offset_sub(x, m, g->unit->m_lo);
        share = offset_scale(x, share, panel / rows_of_unit);
        share = offset_add(x, share, offset_const(x->c->k.value * x->c->packed.nr));
        b.fetch = offset_address(x, b.base, x->c->b, share);
        b.fetch_share = (double)rows / (double)rows_of_unit;
    }
    tile_multiply(x, &t, &a, &b, g->k);
    if (g->last)
        epilogue_store(x, &t, g->unit->batch, m, g->columns->n, g->columns->mask);
    else
        partial_store(x, &t, g->unit->batch, m, g->columns->n, g->columns->mask);
}

/* All rows of the unit: whole tiles, then the rest of a constant M in one tile, that of a run-time M in tiles of 8, 4,
 * 2 and 1. */
static void all_rows(Ctx *x, const Gemm *g) {
    const Contraction *c = x->c;
    int tile = c->tile_m;
    const Unit *u = g->unit;
    bool one_unit = offset_is_const(u->m_lo) && offset_is_const(u->m_hi);
    if (dim_is_const(c->m) && (c->unit_m == 0 || c->unit_m % tile == 0)) {
        int64_t rest = c->m.value % tile, whole = c->m.value - rest;
        if (whole > 0 && one_unit && whole == tile) {
            tile_at(x, g, offset_const(0), tile);
        } else if (whole > 0) {
            Index end = offset_min(x, u->m_hi, offset_const(whole));
            Index m = loop_begin(x, u->m_lo, end, tile, 0, NULL);
            tile_at(x, g, m, tile);
            loop_end(x, 0, NULL);
        }
        if (rest > 0 && one_unit) {
            tile_at(x, g, offset_const(whole), (int)rest);
        } else if (rest > 0) {
            Index begin = offset_max(x, u->m_lo, offset_const(whole));
            Index m = loop_begin(x, begin, u->m_hi, rest, 0, NULL); /* one turn, in the last unit */
            tile_at(x, g, m, (int)rest);
            loop_end(x, 0, NULL);
        }
        return;
    }
    Index at = u->m_lo;
    for (int rows = tile, next; rows >= 1; rows = next) {
        Index left = offset_sub(x, u->m_hi, at);
        Index rest = offset_rem(x, left, offset_const(rows));
        Index end = offset_sub(x, u->m_hi, rest);
        Index m = loop_begin(x, at, end, rows, 0, NULL);
        tile_at(x, g, m, rows);
        loop_end(x, 0, NULL);
        at = end;
        next = 0;
        for (int power = 8; power >= 1 && next == 0; power /= 2)
            if (power < rows) next = power;
    }
}

/* ---- dense B */
static bool is_power_of_two(int n) {
    return (n & (n - 1)) == 0;
}

/* Turns the block held in rows[0..lanes), rows of `lanes` elements, into its transpose: log2(lanes) rounds of pairwise
 * exchanges. */
static void transpose_block(Ctx *x, EmitValue *rows) {
    int n = x->lanes;
    int64_t low[64], high[64];
    for (int half = 1; half < n; half *= 2) {
        for (int i = 0; i < n; i++) {
            bool upper = (i / half) % 2 != 0;
            low[i] = upper ? n + i - half : i;
            high[i] = upper ? n + i : i + half;
        }
        for (int i = 0; i < n; i++) {
            if ((i / half) % 2 != 0) continue;
            EmitValue a = rows[i], b = rows[i + half];
            rows[i] = emit_shuffle(x->e, a, b, n, low);
            rows[i + half] = emit_shuffle(x->e, a, b, n, high);
        }
    }
}

/* Copies k x nr elements of B, whose columns are `apart` elements from each other and dense along k, to `local` as a
 * packed panel. */
static void pack_panel(Ctx *x, EmitValue from, Index apart, int64_t k, const Columns *columns, EmitValue local) {
    int lanes = x->lanes, nr = x->c->packed.nr;
    DType t = x->c->b;
    for (int j = 0; j < columns->vectors; j++) {
        EmitValue first[64];
        /* Columns past the end repeat the first one: their results are never stored, but their addresses must be good.
         */
        bool last = j == columns->vectors - 1 && columns->mask.v != NULL;
        for (int i = 0; i < lanes; i++) {
            Index offset = offset_scale(x, apart, (int64_t)j * lanes + i);
            if (last && i > 0) {
                EmitValue live = emit_extract(x->e, columns->mask, i);
                EmitValue there = offset_emit(x, offset);
                Index start = offset_scale(x, apart, (int64_t)j * lanes);
                EmitValue here = offset_emit(x, start);
                offset = offset_value(emit_select(x->e, live, there, here));
            }
            first[i] = offset_address(x, from, t, offset);
        }
        int64_t whole = k / lanes * lanes;
        for (int part = 0; part < 2; part++) {
            int64_t live = part == 0 ? lanes : k - whole;
            if (part == 0 ? whole == 0 : live == 0) continue;
            Index at = offset_const(whole);
            if (part == 0) at = loop_begin(x, offset_const(0), offset_const(whole), lanes, 0, NULL);
            EmitValue rows[64];
            EmitValue mask = {NULL};
            if (part == 1) mask = emit_const_mask(x->e, lanes, (int)live);
            for (int i = 0; i < lanes; i++) {
                EmitValue pointer = offset_address(x, first[i], t, at);
                rows[i] = emit_load(x->e, pointer, 0, (EmitType){t, lanes}, mask);
            }
            transpose_block(x, rows);
            Index to = offset_scale(x, at, nr);
            EmitValue target = offset_address(x, local, t, to);
            for (int64_t i = 0; i < live; i++)
                emit_store(x->e, target, i * nr + (int64_t)j * lanes, rows[i], (EmitValue){NULL}, 0);
            if (part == 0) loop_end(x, 0, NULL);
        }
    }
}

static bool transposes_in_place(const Ctx *x, const Gemm *g) {
    return contraction_transposes_b(x->c) && offset_is_const(g->k) && is_power_of_two(x->lanes) &&
           g->k.c <= contraction_local_k(x->c);
}

static void dense_columns(Ctx *x, Gemm *g) {
    const Contraction *c = x->c;
    const Columns *columns = g->columns;
    Index b_n = offset_dim(x, c->b_n);
    Index b_k = offset_dim(x, c->b_k);
    Index entry = g->unit->batch;
    if (!dim_is(c->b_repeat, 1)) {
        Index repeat = offset_dim(x, c->b_repeat);
        entry = offset_div(x, entry, repeat);
    }
    Index b_batch = offset_dim(x, c->b_batch);
    Index offset = offset_times(x, entry, b_batch);
    Index across = offset_times(x, columns->n, b_n);
    offset = offset_add(x, offset, across);
    Index deep = offset_times(x, g->k_first, b_k);
    offset = offset_add(x, offset, deep);
    EmitValue base = offset_address(x, eval_buffer(x->eval, 1), c->b, offset);
    g->b = (TileB){.base = base, .k_stride = b_k, .n_stride = b_n, .mask = columns->mask};
    if (!transposes_in_place(x, g)) return;
    EmitValue local = emit_local(x->e, c->b, g->k.c * c->packed.nr);
    pack_panel(x, base, b_n, g->k.c, columns, local);
    g->b = (TileB){.base = local, .k_stride = offset_const(c->packed.nr), .n_stride = offset_const(1)};
}

static void packed_columns(Ctx *x, Gemm *g) {
    const Contraction *c = x->c;
    int64_t nr = c->packed.nr, panels = (c->n.value + nr - 1) / nr;
    Index offset = offset_scale(x, g->columns->panel, c->k.value * nr);
    if (!dim_is(c->b_batch, 0)) { /* a batch of packed matrices, one after the other */
        Index entry = g->unit->batch;
        if (!dim_is(c->b_repeat, 1)) {
            Index repeat = offset_dim(x, c->b_repeat);
            entry = offset_div(x, entry, repeat);
        }
        entry = offset_scale(x, entry, c->k.value * nr * panels);
        offset = offset_add(x, offset, entry);
    }
    Index deep = offset_scale(x, g->k_first, nr);
    offset = offset_add(x, offset, deep);
    EmitValue base = offset_address(x, eval_buffer(x->eval, 1), c->b, offset);
    g->b = (TileB){.base = base, .k_stride = offset_const(nr), .n_stride = offset_const(1)};
}

static void columns_body(Ctx *x, const Unit *u, const Columns *columns, void *data) {
    Gemm *g = data;
    g->unit = u;
    g->columns = columns;
    if (x->c->b_packed)
        packed_columns(x, g);
    else
        dense_columns(x, g);
    all_rows(x, g);
}

bool gemm_emit(Ctx *x, const Unit *u) {
    const Contraction *c = x->c;
    if (c->b_packed && !(dim_is_const(c->k) && dim_is_const(c->n))) return false;
    Gemm g = {0};
    g.k = offset_dim(x, c->k);
    g.a_m = offset_dim(x, c->a_m);
    Index a_batch = offset_dim(x, c->a_batch);
    Index offset = offset_times(x, u->batch, a_batch);
    g.a_base = offset_address(x, eval_buffer(x->eval, 0), c->a, offset);
    int64_t block = contraction_k_block(c);
    bool cut = offset_is_const(g.k) && block < g.k.c && x->k->params.data[2].dtype == c->acc &&
               !eval_loads_from(x->eval, x->k->epilogue, 2);
    g.first = g.last = true;
    g.k_first = offset_const(0);
    if (cut) {
        int64_t whole = (g.k.c - 1) / block * block, rest = g.k.c - whole;
        g.first = g.last = false;
        g.k = offset_const(block);
        g.k_first = loop_begin(x, offset_const(0), offset_const(whole), block, 0, NULL);
        for_columns(x, u, columns_body, &g);
        loop_end(x, 0, NULL);
        g.last = true;
        g.k = offset_const(rest);
        g.k_first = offset_const(whole);
    }
    for_columns(x, u, columns_body, &g);
    return true;
}
