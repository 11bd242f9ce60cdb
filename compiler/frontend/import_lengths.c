/* import_lengths: sizes of operands that the op itself settles. A graph may say "a vector of unknown length" of
   paddings, a permutation or the begin of a slice; it can only be as long as the value has dimensions, so it is taken
   to be, and the run checks it. What no other operand says (the length of a new shape, hence a rank) stays unknown. */
#include "frontend/importer.h"

#include <string.h>

typedef enum {
    CONSTANT,  /* `of` itself */
    RANK,      /* the rank of operand `of` */
    LENGTH,    /* as operand `of`, when that is known */
    PARTS,     /* the number of results, attribute num_split */
    DEPTH,     /* how many dimensions an index of a scatter speaks of: see depth_of */
    DIMENSIONS /* the length of the shape that a scatter makes */
} What;

/* Dimension `axis` (-1: the last) of operand `operand`. */
static const struct {
    const char *op;
    int operand, axis;
    What what;
    int of;
} rules[] = {
    {"Slice", 1, 0, RANK, 0},
    {"Slice", 2, 0, RANK, 0},
    {"StridedSlice", 1, 0, LENGTH, 3},
    {"StridedSlice", 2, 0, LENGTH, 1},
    {"StridedSlice", 1, 0, LENGTH, 2},
    {"StridedSlice", 3, 0, LENGTH, 1},
    {"StridedSlice", 2, 0, LENGTH, 3},
    {"TensorStridedSliceUpdate", 1, 0, LENGTH, 3},
    {"TensorStridedSliceUpdate", 2, 0, LENGTH, 1},
    {"TensorStridedSliceUpdate", 1, 0, LENGTH, 2},
    {"TensorStridedSliceUpdate", 3, 0, LENGTH, 1},
    {"TensorStridedSliceUpdate", 2, 0, LENGTH, 3},
    {"Pad", 1, 0, RANK, 0},
    {"Pad", 1, 1, CONSTANT, 2},
    {"PadV2", 1, 0, RANK, 0},
    {"PadV2", 1, 1, CONSTANT, 2},
    {"MirrorPad", 1, 0, RANK, 0},
    {"MirrorPad", 1, 1, CONSTANT, 2},
    {"Tile", 1, 0, RANK, 0},
    {"Reverse", 1, 0, RANK, 0},
    {"Transpose", 1, 0, RANK, 0},
    {"ConjugateTranspose", 1, 0, RANK, 0},
    {"Roll", 1, 0, LENGTH, 2},
    {"Roll", 2, 0, LENGTH, 1},
    {"SplitV", 1, 0, PARTS, 0},
    {"SpaceToBatchND", 1, 0, LENGTH, 2},
    {"SpaceToBatchND", 2, 0, LENGTH, 1},
    {"SpaceToBatchND", 2, 1, CONSTANT, 2},
    {"BatchToSpaceND", 1, 0, LENGTH, 2},
    {"BatchToSpaceND", 2, 0, LENGTH, 1},
    {"BatchToSpaceND", 2, 1, CONSTANT, 2},
    {"SpaceToBatch", 1, 0, CONSTANT, 2},
    {"SpaceToBatch", 1, 1, CONSTANT, 2},
    {"BatchToSpace", 1, 0, CONSTANT, 2},
    {"BatchToSpace", 1, 1, CONSTANT, 2},
    {"ScatterNd", 0, -1, DEPTH, 0},
    {"ScatterNd", 2, 0, DIMENSIONS, 0},
    {"ScatterNdNonAliasingAdd", 1, -1, DEPTH, 0},
    {"TensorScatterAdd", 1, -1, DEPTH, 0},
    {"TensorScatterMax", 1, -1, DEPTH, 0},
    {"TensorScatterMin", 1, -1, DEPTH, 0},
    {"TensorScatterSub", 1, -1, DEPTH, 0},
    {"TensorScatterUpdate", 1, -1, DEPTH, 0},
    {"MaxPoolV2", 1, 0, RANK, 0},
    {"MaxPoolV2", 2, 0, RANK, 0},
    {"Conv2DBackpropInput", 0, 0, RANK, 2},
    {"Conv3DBackpropInputV2", 0, 0, RANK, 2},
    {"DepthwiseConv2dNativeBackpropInput", 0, 0, RANK, 2},
    {"ResizeArea", 1, 0, CONSTANT, 2},
    {"ResizeBicubic", 1, 0, CONSTANT, 2},
    {"ResizeBilinear", 1, 0, CONSTANT, 2},
    {"ResizeNearestNeighbor", 1, 0, CONSTANT, 2},
    {"CropAndResize", 3, 0, CONSTANT, 2},
    {"Cross", 0, -1, CONSTANT, 3},
    {"Cross", 1, -1, CONSTANT, 3},
};

/* Operands that are scalars. A vector of one element would pass for one; TensorFlow takes it for some, where a
   graph does not tell the rank. */
static const struct {
    const char *op;
    uint32_t operand;
    bool or_one_element;
} scalars[] = {
    {"Bincount", 1, false},
    {"Cumprod", 1, false},
    {"Cumsum", 1, false},
    {"CumulativeLogsumexp", 1, false},
    {"DenseBincount", 1, false},
    {"Fill", 1, true},
    {"FakeQuantWithMinMaxVars", 1, false},
    {"FakeQuantWithMinMaxVars", 2, false},
    {"LinSpace", 0, false},
    {"LinSpace", 1, false},
    {"LinSpace", 2, false},
    {"NthElement", 1, false},
    {"OneHot", 1, false},
    {"RaggedBincount", 2, false},
    {"Range", 0, true},
    {"Range", 1, true},
    {"Range", 2, true},
    {"Split", 0, false},
    {"TopKV2", 1, false},
    {"UnsortedSegmentJoin", 2, false},
    {"UnsortedSegmentMax", 2, false},
    {"UnsortedSegmentMin", 2, false},
    {"UnsortedSegmentProd", 2, false},
    {"UnsortedSegmentSum", 2, false},
};

/* Updates have the dimensions of the indices but the last, then those of the value that an index does not speak of. */
static int64_t depth_of(const Import *c, bool has_base) {
    int64_t rank = has_base ? rank_of(c, c->in[0]) : shape_count(&value_at(c->g, c->in[2])->shape);
    int rank_indices = rank_of(c, c->in[has_base ? 1 : 0]);
    int rank_updates = rank_of(c, c->in[has_base ? 2 : 1]);
    return rank < 0 || rank_indices < 2 ? -1 : rank - (rank_updates - (rank_indices - 1));
}

/* The size that a rule tells, or -1. */
static int64_t size_by_rule(const Import *c, What what, int of) {
    Dim d;
    bool has_base = c->n_in > 2 && strcmp(c->n->op, "ScatterNd") != 0;
    switch (what) {
    case CONSTANT:
        return of;
    case RANK:
        return rank_of(c, c->in[of]);
    case LENGTH:
        d = rank_of(c, c->in[of]) ? dim_of(c, c->in[of], 0) : dim_const(-1);
        return dim_is_const(d) ? d.value : -1;
    case PARTS:
        return attr_i(c, "num_split", -1);
    case DEPTH:
        return depth_of(c, has_base);
    case DIMENSIONS:
        if (rank_of(c, c->in[0]) == 0) return -1;
        d = dim_of(c, c->in[0], rank_of(c, c->in[0]) - 1);
        return dim_is_const(d) ? d.value + rank_of(c, c->in[1]) - (rank_of(c, c->in[0]) - 1) : -1;
    }
    return -1;
}

ValueId make_sized(Import *c, ValueId x, int axis, int64_t size) {
    Shape s = shape_copy(c, x);
    if (failed(x) || dim_is_const(s.dims[axis])) return x;
    if (!make_require(c, "equal", s.dims[axis], dim_const(size))) return (ValueId){0};
    s.dims[axis] = dim_const(size);
    return make_reshape(c, x, &s);
}

bool import_settle_lengths(Import *c) {
    ValueId *in = NULL;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (any_rank_find(c->im, c->in[i])) return true;
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
        uint32_t operand = scalars[i].operand;
        if (strcmp(scalars[i].op, c->n->op) != 0 || operand >= c->n_in || rank_of(c, c->in[operand]) == 0) continue;
        bool is_vector = rank_of(c, c->in[operand]) == 1;
        if (!scalars[i].or_one_element || !is_vector)
            return bad(c, "operand %u must be a scalar, has rank %d", operand, rank_of(c, c->in[operand]));
        if (!in) c->in = in = arena_memdup(c->im->arena, c->in, sizeof(ValueId) * c->n_in);
        in[operand] = make_sized(c, in[operand], 0, 1);
        in[operand] = make_reshape(c, in[operand], &(Shape){0});
        if (failed(in[operand])) return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        uint32_t operand = (uint32_t)rules[i].operand;
        if (strcmp(rules[i].op, c->n->op) != 0 || operand >= c->n_in) continue;
        int rank = rank_of(c, c->in[operand]);
        int axis = rules[i].axis < 0 ? rank - 1 : rules[i].axis;
        if (axis < 0 || axis >= rank || dim_is_const(dim_of(c, c->in[operand], axis))) continue;
        int64_t size = size_by_rule(c, rules[i].what, rules[i].of);
        if (size < 0 || size > 2 * MAX_RANK + IMPORT_MAX_OUTPUTS) continue;
        if (!in) c->in = in = arena_memdup(c->im->arena, c->in, sizeof(ValueId) * c->n_in);
        in[operand] = make_sized(c, in[operand], axis, size);
        if (failed(in[operand])) return false;
    }
    return true;
}
