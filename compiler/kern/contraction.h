/* contraction: how a contraction's constant operand is packed and how its work is cut into tiles and units. Shared by
   lowering, which packs and schedules, and by codegen/cpu, which emits accordingly. */
#ifndef TFOPT_KERN_CONTRACTION_H
#define TFOPT_KERN_CONTRACTION_H
#include "kern/kern.h"

/* What kern.h leaves open about convolutions: `batch` counts images * groups; the epilogue's variables are VAR_BATCH =
   the image, VAR_M = the output pixel in it and VAR_N = the channel of the whole tensor (not of the group); c_batch is
   the stride of an output image. m = product of conv.out, n = filters / groups, k = taps * channels / groups. A
   convolution whose kernel and strides are 1 and that pads nothing may as well be given as GEMM. unit_m = 0: all rows
   are one unit; likewise unit_n. */

/* Where element (b, k, n) of a matrix lies: data + b*batch_stride + k*k_stride + n*n_stride, in elements. A
   convolution's weights [K…, C/groups, F] are batch = groups, k = taps*C/groups, n = F/groups with strides F/groups,
   F, 1. */
typedef struct {
    int64_t batch, k, n;
    int64_t batch_stride, k_stride, n_stride;
} MatrixLayout;

/* Fills tile_m, tile_n, packed, unit_m and unit_n of k->contraction from its shape. Before: kind, types, sizes, conv
   geometry and b_packed are set. Deterministic; `threads` as in LowerOptions (0 and 1: units are only as small as
   caches want them). */
void contraction_schedule(const DimTable *dims, Kernel *k, const Machine *m, int threads);

/* Number of units that this schedule makes: batch * ceil(m / unit_m) * ceil(n / unit_n). */
Dim contraction_units(DimTable *dims, const Contraction *c);

/* Steps of k that a product is cut into, so that rows of A and a panel of B stay in L2; k itself when it is not cut.
   Between the pieces the sums wait in the output. */
int64_t contraction_k_block(const Contraction *c);

/* Whether a dense B whose columns are the runs of memory is worth turning, panel by panel, into the layout of a packed
   one; and how many steps of k of such a panel stay in the nearest cache. */
bool contraction_transposes_b(const Contraction *c);
int64_t contraction_local_k(const Contraction *c);

/* ---- winograd.c: whether a CONV that is filled in but for its schedule is better computed as WINOGRAD; then m and k
 * change as kern.h says. */
bool winograd_pays(const Contraction *c, const Machine *m, int threads);
int64_t winograd_blocks(const ConvGeometry *g); /* of an image */
typedef struct {
    int64_t blocks, filters; /* of a unit */
    double ns;               /* of an image on all threads */
} WinogradUnit;
WinogradUnit winograd_unit(const Contraction *c, const Machine *m, int threads);
int64_t winograd_scratch(const Contraction *c); /* elements for one unit */
void winograd_pack(const Contraction *c, const float *source, const MatrixLayout *layout, float *to);

/* Elements of the packed form of a matrix; of depthwise weights (layout.k taps, layout.n channels). -1: too large. */
int64_t packed_elements(const Contraction *c, const MatrixLayout *layout);

/* The packed form as a rank-1 tensor in `arena`: per batch entry, panels as PackedB says (GEMM, CONV), or one row of
   padded channels per tap (DEPTHWISE, batch = 1). The source has dtype c->b. Call after contraction_schedule. */
Tensor contraction_pack(Arena *arena, const Contraction *c, const Tensor *source, const MatrixLayout *layout);
#endif
