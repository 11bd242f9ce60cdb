/* tile: the register tile that GEMM and convolution share. Each step of k loads one row of B's panel into vectors and
   multiplies every row's element of A, spread over a vector, into that row's accumulators. The loop over k is unrolled
   a little; a tile of few accumulators splits k over several sets of them, because one multiply-add takes four cycles
   and two start in each. */
#include "codegen/cpu/contraction.h"
#include "codegen/cpu/scalar.h"

EmitValue convert_to_acc(Ctx *x, EmitValue v, DType from) {
    DType to = x->c->acc, in_memory = from;
    v = scalar_from_memory(x->e, v, in_memory);
    from = eval_register_type(in_memory);
    if (from == to) return v;
    const DTypeInfo *f = dtype_info(from), *t = dtype_info(to);
    if (dtype_is_float(from) != dtype_is_float(to)) {
        if (dtype_is_float(from)) return emit_cast(x->e, dtype_is_signed(to) ? EMIT_FPTOSI : EMIT_FPTOUI, v, to);
        return emit_cast(x->e, dtype_is_signed(from) ? EMIT_SITOFP : EMIT_UITOFP, v, to);
    }
    if (dtype_is_float(from))
        return f->bits == t->bits ? v : emit_cast(x->e, f->bits < t->bits ? EMIT_FPEXT : EMIT_FPTRUNC, v, to);
    if (f->bits == t->bits) return v; /* signless in registers */
    if (f->bits > t->bits) return emit_cast(x->e, EMIT_ITRUNC, v, to);
    return emit_cast(x->e, dtype_is_signed(from) ? EMIT_SEXT : EMIT_ZEXT, v, to);
}

EmitValue multiply_add(Ctx *x, EmitValue a, EmitValue b, EmitValue c) {
    if (dtype_is_float(x->c->acc)) return scalar_multiply_add(x->e, a, b, c);
    EmitValue product = emit_binary(x->e, EMIT_IMUL, a, b);
    return emit_binary(x->e, EMIT_IADD, c, product);
}

static EmitValue zero(Ctx *x) {
    EmitType t = {x->c->acc, x->lanes};
    return dtype_is_float(x->c->acc) ? emit_float(x->e, t, 0) : emit_int(x->e, t, 0);
}

void tile_zero(Ctx *x, Tile *t, int rows, int vectors) {
    CHECK(rows <= MAX_TILE_ROWS && vectors <= MAX_TILE_COLUMNS && rows * vectors <= MAX_TILE);
    t->rows = rows;
    t->vectors = vectors;
    EmitValue none = zero(x);
    for (int i = 0; i < rows * vectors; i++) t->acc[i] = none;
}

/* One pass over k: what is live, and where it is at the current turn of the loop. */
typedef struct {
    const TileA *a;
    const TileB *b;
    int vectors, live, rows[MAX_TILE_ROWS];
    EmitValue a_at[MAX_TILE_ROWS], b_at, lane_offsets;
} Pass;

bool b_is_far(const Ctx *x) {
    const Contraction *c = x->c;
    if (!c->b_packed || !dim_is_const(c->n) || !dim_is_const(c->k)) return false;
    return (double)c->n.value * (double)c->k.value * (double)dtype_size(c->b) > (double)x->p->machine->l2_kib * 1024;
}

enum { LINE_BYTES = 64 };

int64_t fetch_elements(const Ctx *x, const TileB *b, int vectors, int turn) {
    int64_t size = (int64_t)dtype_size(x->c->b), line = LINE_BYTES / size;
    double wanted = (double)(turn * vectors * x->lanes) * b->fetch_share / (double)line;
    int64_t lines = (int64_t)wanted;
    if ((double)lines < wanted) lines++;
    return lines * line;
}

/* The next panel's lines that go with steps k .. k + turn. */
static void fetch_next(Ctx *x, const TileB *b, int vectors, int turn, Index k) {
    if (b->fetch.v == NULL) return;
    int64_t elements = fetch_elements(x, b, vectors, turn), size = (int64_t)dtype_size(x->c->b);
    Index at = offset_scale(x, k, elements / turn);
    EmitValue from = offset_address(x, b->fetch, x->c->b, at);
    for (int64_t line = 0; line < elements * size; line += LINE_BYTES) emit_prefetch(x->e, from, line);
}

int tile_unroll(int accumulators) {
    return accumulators >= 21 ? 2 : 4;
}

/* Pointers for step k; rows with the same base get the same pointer. */
static void move_to(Ctx *x, Pass *p, Index k) {
    Index offset = offset_times(x, k, p->a->k_stride);
    for (int i = 0; i < p->live; i++) {
        EmitValue base = p->a->row[p->rows[i]];
        int same = 0;
        while (same < i && p->a->row[p->rows[same]].v != base.v) same++;
        p->a_at[i] = same < i ? p->a_at[same] : offset_address(x, base, x->c->a, offset);
    }
    Index b_offset = offset_times(x, k, p->b->k_stride);
    p->b_at = offset_address(x, p->b->base, x->c->b, b_offset);
}

static EmitValue load_b(Ctx *x, const Pass *p, int64_t disp, int column) {
    EmitType t = {x->c->b, x->lanes};
    EmitValue mask = column == p->vectors - 1 ? p->b->mask : (EmitValue){NULL}, v;
    if (p->lane_offsets.v == NULL) {
        v = emit_load(x->e, p->b_at, disp + (int64_t)column * x->lanes, t, mask);
    } else {
        Index at = offset_scale(x, p->b->n_stride, (int64_t)column * x->lanes);
        at.c += disp;
        EmitValue from = offset_address(x, p->b_at, x->c->b, at);
        v = emit_gather(x->e, from, p->lane_offsets, t, mask);
    }
    return convert_to_acc(x, v, x->c->b);
}

/* One step of k, `u` steps past the current one (then strides are constant), into `acc`: live rows x vectors. */
static void step(Ctx *x, const Pass *p, int64_t u, EmitValue *acc) {
    EmitValue b[MAX_TILE_COLUMNS];
    for (int j = 0; j < p->vectors; j++) b[j] = load_b(x, p, u * p->b->k_stride.c, j);
    for (int i = 0; i < p->live; i++) {
        int64_t disp = p->a->displacement[p->rows[i]] + u * p->a->k_stride.c;
        EmitValue element = emit_load(x->e, p->a_at[i], disp, (EmitType){x->c->a, 0}, (EmitValue){NULL});
        element = convert_to_acc(x, element, x->c->a);
        EmitValue spread = emit_broadcast(x->e, element, x->lanes);
        for (int j = 0; j < p->vectors; j++)
            acc[i * p->vectors + j] = multiply_add(x, spread, b[j], acc[i * p->vectors + j]);
    }
}

static EmitValue add_acc(Ctx *x, EmitValue a, EmitValue b) {
    return emit_binary(x->e, dtype_is_float(x->c->acc) ? EMIT_ADD : EMIT_IADD, a, b);
}

/* Lanes of one vector of k, from element `at` on; `mask` for the end of the run. */
static void dot_step(Ctx *x, const TileA *a, const TileB *b, const int *rows, int n, Index at, EmitValue mask,
                     EmitValue *acc) {
    EmitType t = {x->c->b, x->lanes};
    EmitValue from = offset_address(x, b->base, x->c->b, at);
    EmitValue column = emit_load(x->e, from, 0, t, mask);
    column = convert_to_acc(x, column, x->c->b);
    t.dtype = x->c->a;
    for (int i = 0; i < n; i++) {
        from = offset_address(x, a->row[rows[i]], x->c->a, at);
        EmitValue row = emit_load(x->e, from, a->displacement[rows[i]], t, mask);
        row = convert_to_acc(x, row, x->c->a);
        acc[i] = multiply_add(x, row, column, acc[i]);
    }
}

/* One column: every row is a dot product with the lanes along k, whose sum goes into the first lane of the row's
   accumulator. That many partial sums also round less than a single one. */
static void dot_products(Ctx *x, Tile *t, const TileA *a, const TileB *b, Index k) {
    int rows[MAX_TILE_ROWS], n = 0;
    for (int i = 0; i < t->rows; i++)
        if (a->live >> i & 1u) rows[n++] = i;
    EmitValue acc[MAX_TILE_ROWS], none = zero(x);
    for (int i = 0; i < n; i++) acc[i] = none;
    Index rest = offset_rem(x, k, offset_const(x->lanes));
    Index whole = offset_sub(x, k, rest);
    if (!offset_is_const(whole) || whole.c > 0) {
        Index at = loop_begin(x, offset_const(0), whole, x->lanes, n, acc);
        dot_step(x, a, b, rows, n, at, (EmitValue){NULL}, acc);
        loop_end(x, n, acc);
    }
    if (!offset_is_const(rest) || rest.c > 0) {
        EmitValue mask;
        if (offset_is_const(rest)) {
            mask = emit_const_mask(x->e, x->lanes, (int)rest.c);
        } else {
            EmitValue live = offset_emit(x, rest);
            mask = emit_mask(x->e, live, x->lanes);
        }
        dot_step(x, a, b, rows, n, whole, mask, acc);
    }
    for (int i = 0; i < n; i++) {
        EmitValue sum = emit_reduce(x->e, EMIT_ADD, acc[i]), *total = &t->acc[rows[i]];
        sum = emit_insert(x->e, none, sum, 0);
        *total = add_acc(x, *total, sum);
    }
}

void tile_multiply(Ctx *x, Tile *t, const TileA *a, const TileB *b, Index k) {
    if (is_narrow(x->c)) {
        dot_products(x, t, a, b, k);
        return;
    }
    Pass p = {.a = a, .b = b, .vectors = t->vectors};
    for (int i = 0; i < t->rows; i++)
        if (a->live >> i & 1u) p.rows[p.live++] = i;
    int n = p.live * t->vectors;
    if (n == 0) return;
    if (!(offset_is_const(b->n_stride) && b->n_stride.c == 1)) { /* columns lie apart: gathered */
        EmitValue lane = emit_lane_index(x->e, (EmitType){DTYPE_S64, x->lanes});
        EmitValue stride = offset_emit(x, b->n_stride);
        stride = emit_broadcast(x->e, stride, x->lanes);
        p.lane_offsets = emit_binary(x->e, EMIT_IMUL, lane, stride);
    }
    bool strides_are_const = offset_is_const(a->k_stride) && offset_is_const(b->k_stride);
    int unroll = strides_are_const ? tile_unroll(n) : 1;
    int sets = n >= 8 ? 1 : n >= 4 ? (unroll < 2 ? 1 : 2) : unroll;
    EmitValue acc[MAX_TILE];
    for (int i = 0; i < n; i++) acc[i] = t->acc[p.rows[i / t->vectors] * t->vectors + i % t->vectors];
    EmitValue none = zero(x);
    for (int i = n; i < n * sets; i++) acc[i] = none;
    if (offset_is_const(k)) {
        int64_t turns = k.c / unroll, done = turns > 1 ? turns * unroll : 0;
        if (done > 0) {
            Index at = loop_begin(x, offset_const(0), offset_const(done), unroll, n * sets, acc);
            fetch_next(x, b, t->vectors, unroll, at);
            move_to(x, &p, at);
            for (int u = 0; u < unroll; u++) step(x, &p, u, acc + u % sets * n);
            loop_end(x, n * sets, acc);
        }
        if (done < k.c) {
            move_to(x, &p, offset_const(done));
            for (int64_t u = 0; u < k.c - done; u++) {
                if (!strides_are_const && u > 0) move_to(x, &p, offset_const(done + u));
                step(x, &p, strides_are_const ? u : 0, acc + u % sets * n);
            }
        }
    } else {
        Index rest = offset_rem(x, k, offset_const(unroll));
        Index whole = offset_sub(x, k, rest);
        Index at = loop_begin(x, offset_const(0), whole, unroll, n * sets, acc);
        move_to(x, &p, at);
        for (int u = 0; u < unroll; u++) step(x, &p, u, acc + u % sets * n);
        loop_end(x, n * sets, acc);
        if (unroll > 1) {
            at = loop_begin(x, whole, k, 1, n * sets, acc);
            move_to(x, &p, at);
            step(x, &p, 0, acc);
            loop_end(x, n * sets, acc);
        }
    }
    for (int s = 1; s < sets; s++)
        for (int i = 0; i < n; i++) acc[i] = add_acc(x, acc[i], acc[s * n + i]);
    for (int i = 0; i < n; i++) t->acc[p.rows[i / t->vectors] * t->vectors + i % t->vectors] = acc[i];
}
