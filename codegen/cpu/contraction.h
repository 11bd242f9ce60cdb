/* contraction: GEMM, convolution and depthwise kernels as code. contraction.c cuts a kernel into units and picks the
   family; tile.c has the register tile that GEMM and convolution share, epilogue.c turns its accumulators into results.
 */
#ifndef TFOPT_CODEGEN_CONTRACTION_H
#define TFOPT_CODEGEN_CONTRACTION_H
#include "codegen/cpu/eval.h"
#include "kern/kern.h"

/* Emits `k` as function `symbol`. False when its types or strides are ones that no kernel here computes. */
bool contraction_emit(Emit *e, const Program *p, const Kernel *k, const char *symbol, bool fast_math);

/* ---- inside contraction, gemm, conv, depthwise, tile and epilogue only */
enum { MAX_TILE_ROWS = 16, MAX_TILE_COLUMNS = 4, MAX_TILE = 64 };

/* A size or offset: run-time part (may be {NULL}: none) plus a constant. Keeping them apart lets constants become
 * displacements. */
typedef struct {
    EmitValue v;
    int64_t c;
} Index;

typedef struct {
    Emit *e;
    const Program *p;
    const Kernel *k;
    const Contraction *c;
    Arena *arena;
    int lanes;      /* of the accumulator type */
    Index shift;    /* of everything that is stored: where output rows do not follow each other */
    EmitValue dims; /* the kernel's dim slots */
    Eval *eval;     /* of the epilogue; has the parameters' pointers */
} Ctx;

static inline Index offset_const(int64_t c) {
    return (Index){{NULL}, c};
}
static inline Index offset_value(EmitValue v) {
    return (Index){v, 0};
}
static inline bool offset_is_const(Index i) {
    return i.v.v == NULL;
}
Index offset_add(Ctx *x, Index a, Index b);
Index offset_sub(Ctx *x, Index a, Index b);
Index offset_scale(Ctx *x, Index a, int64_t factor);
Index offset_times(Ctx *x, Index a, Index b);
Index offset_div(Ctx *x, Index a, Index b); /* both not negative */
Index offset_rem(Ctx *x, Index a, Index b);
Index offset_min(Ctx *x, Index a, Index b);
Index offset_max(Ctx *x, Index a, Index b);
Index offset_dim(Ctx *x, Dim d);
EmitValue offset_emit(Ctx *x, Index i); /* as one S64 value */
EmitValue offset_address(Ctx *x, EmitValue base, DType t, Index i);
Index loop_begin(Ctx *x, Index lo, Index hi, int64_t step, int n, EmitValue *io);
void loop_end(Ctx *x, int n, EmitValue *io);

/* One unit of work: rows [m_lo, m_hi) and panels of nr columns [panel_lo, panel_hi) of a batch entry. */
typedef struct {
    Index batch;  /* batch entry; of a convolution: the image */
    Index group;  /* convolutions: 0 .. groups-1 */
    Index number; /* among all units */
    Index m_lo, m_hi;
    Index panel_lo, panel_hi;
} Unit;

/* Columns of a tile: `vectors` vectors from column n on; the last one may be cut by a mask. */
typedef struct {
    Index panel, n; /* n within the group */
    int vectors;
    EmitValue mask; /* of the last vector; {NULL}: whole */
} Columns;
/* Runs `body` for every panel of the unit, emitting it once for whole panels and once for the rest. */
typedef void ColumnsFn(Ctx *x, const Unit *u, const Columns *columns, void *data);
void for_columns(Ctx *x, const Unit *u, ColumnsFn *body, void *data);

/* ---- tile.c */
typedef struct {
    int rows, vectors;
    EmitValue acc[MAX_TILE]; /* row-major */
} Tile;

/* Rows of A at k = 0: row[i] + displacement[i]; equal pointers share their address arithmetic. Rows that are not live
 * do not take part. */
typedef struct {
    EmitValue row[MAX_TILE_ROWS];
    int64_t displacement[MAX_TILE_ROWS];
    uint32_t live; /* bit i: row i */
    Index k_stride;
} TileA;

typedef struct {
    EmitValue base; /* k = 0, first column */
    Index k_stride, n_stride;
    EmitValue mask; /* of the last vector's loads; {NULL} for packed panels */
    /* The next panel on its way from beyond L2 while this one is worked on: each tile fetches its share of the lines.
     * {NULL}: none. */
    EmitValue fetch; /* where this tile begins to fetch */
    double fetch_share;
} TileB;

/* A product with one column: B lies dense along k (panels of one column), and the lanes run along k. */
static inline bool is_narrow(const Contraction *c) {
    return c->kind != CONTRACT_DEPTHWISE && c->b_packed && c->packed.nr == 1;
}
/* Whether a packed B is so large that L2 does not keep it between rows of tiles. */
bool b_is_far(const Ctx *x);
/* Elements of the next panel that are fetched in one turn of the loop over k, in which `turn` steps are done. */
int64_t fetch_elements(const Ctx *x, const TileB *b, int vectors, int turn);
int tile_unroll(int accumulators);
void tile_zero(Ctx *x, Tile *t, int rows, int vectors);
/* acc[i][j] += sum over k of A[i][k] * B[k][j]. */
void tile_multiply(Ctx *x, Tile *t, const TileA *a, const TileB *b, Index k);
EmitValue multiply_add(Ctx *x, EmitValue a, EmitValue b, EmitValue c);
EmitValue convert_to_acc(Ctx *x, EmitValue v, DType from);

/* ---- epilogue.c */
/* Evaluates the epilogue for rows m, m+1, … and columns from n on, and stores. n counts channels of the whole tensor.
 */
void epilogue_store(Ctx *x, const Tile *t, Index batch, Index m, Index n, EmitValue mask);

/* Sums that are not complete yet go to the output as they are, and come back: where `when` (i1, {NULL}: always) holds,
   else acc stays. Only for outputs of the accumulator's type whose c_n is 1. */
void partial_store(Ctx *x, const Tile *t, Index batch, Index m, Index n, EmitValue mask);
void partial_load(Ctx *x, Tile *t, Index batch, Index m, Index n, EmitValue mask, EmitValue when);

/* ---- families */
bool gemm_emit(Ctx *x, const Unit *u);
bool conv_emit(Ctx *x, const Unit *u);
bool depthwise_emit(Ctx *x, const Unit *u);
bool winograd_emit(Ctx *x, const Unit *u);

/* Output pixels of one image row in blocks of at most tile_m; those that see the same taps form one run. */
typedef struct {
    int64_t first, count; /* first pixel, number of equal blocks */
    int rows;             /* pixels of a block */
    uint32_t *live;       /* per tap of the kernel row: bit i = pixel i reads inside the image */
} PixelRun;
/* The runs of a row of constant width. 0: sizes are not constant, or edges would take too much code; use clipped taps
 * instead. */
int pixel_runs(Ctx *x, PixelRun **out_runs);

/* Taps of the outer kernel dimensions that fall into the image, for one output row. */
typedef struct {
    Index start[3];     /* input coordinate of tap 0 */
    Index lo[3], hi[3]; /* taps [lo, hi) are inside */
} RowTaps;
RowTaps row_taps(Ctx *x, Index row);
/* Pixels of an output row, to divide by: at least one, as an image without columns has no pixels to divide. */
Index row_width(Ctx *x, int dimension);
void clip_taps(Ctx *x, int dimension, Index start, Index *out_lo, Index *out_hi);
#endif
