/* import_any_rank: values whose rank only running tells: a reshape to a vector of unknown length, a parsed tensor, what
   branches of different ranks give. Such a value is its elements in a row and a vector of its dims (AnyRank).
   Element-wise ops compute on the elements; other ops are imported once for each rank that the value may have, as the
   branches of a Case, whose results may again differ in rank. Where the op makes sense for one rank only, that is
   required instead, and the value is an ordinary one from there on. As an output of the model it gets its dims from the
   runtime. */
#include "frontend/importer.h"

#include <string.h>

enum { MAX_CASES = 64, MAX_OPEN = 4, MOST_DIMS = 8 };
_Static_assert(ANY_RANK_ALL == (2u << MOST_DIMS) - 1, "ranks 0 to MOST_DIMS");

AnyRank *any_rank_find(const Importer *im, ValueId v) {
    uint32_t low = 0;
    uint32_t high = im->any_ranks.len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (im->any_ranks.data[middle].value < v.i)
            low = middle + 1;
        else
            high = middle;
    }
    return low < im->any_ranks.len && im->any_ranks.data[low].value == v.i ? &im->any_ranks.data[low] : NULL;
}

ValueId any_rank_register(Import *c, ValueId elements, ValueId dims, uint32_t ranks) {
    if (failed(elements) || failed(dims)) return (ValueId){0};
    AnyRank entry = {elements.i, dims, ranks & ANY_RANK_ALL};
    AnyRank *known = any_rank_find(c->im, elements);
    if (known) {
        *known = entry;
        return elements;
    }
    vec_push(c->im->arena, &c->im->any_ranks, entry);
    AnyRank *all = c->im->any_ranks.data;
    for (uint32_t i = c->im->any_ranks.len - 1; i > 0 && all[i - 1].value > entry.value; i--) {
        all[i] = all[i - 1];
        all[i - 1] = entry;
    }
    return elements;
}

/* All elements in a row: a value of its own even where x is one, since what is known of it is found by the value. */
static ValueId in_a_row(Import *c, ValueId x) {
    Shape s = shape_copy(c, x);
    Dim n = shape_elements(&c->g->dims, &s);
    Attr attr = attr_dims(c->g->arena, "shape", 1, &n);
    return import_node(c, OP_RESHAPE, 1, &x, 1, &attr);
}

ValueId any_rank_of(Import *c, ValueId v) {
    if (failed(v) || any_rank_find(c->im, v)) return v;
    Shape s = shape_copy(c, v);
    if (!(ANY_RANK_ALL >> s.rank & 1)) {
        unsupported(c, "a value of %d dimensions where the rank depends on the run", s.rank);
        return (ValueId){0};
    }
    ValueId elements = in_a_row(c, v);
    return any_rank_register(c, elements, make_dims(c, DTYPE_S64, 1, s.rank, s.dims), 1u << s.rank);
}

ValueId any_rank_fix(Import *c, ValueId v, int rank) {
    const AnyRank *any = any_rank_find(c->im, v);
    if (!any) return v;
    Shape s = {0};
    Shape length = {.rank = 1, .dims = {dim_const(rank)}};
    ValueId dims = any->dims;
    if (!make_require(c, "equal", dim_of(c, dims, 0), dim_const(rank))) return (ValueId){0};
    dims = make_reshape(c, dims, &length);
    if (!load_content(c, dims, 0, s.dims, &s.rank, MAX_RANK, "the shape")) return (ValueId){0};
    return make_reshape(c, in_a_row(c, v), &s); /* never v itself, which is known as one of any rank */
}

/* ---- ops that need not know the rank */

static ImportFn *const passing[] = {import_identity, import_identity_n, import_partitioned_call,
                                    import_if,       import_case,       import_while,
                                    import_print,    import_drop};
static ImportFn *const elementwise[] = {
    import_unary,  import_rounding, import_square,    import_reciprocal,   import_popcount,           import_cast,
    import_relu,   import_relu6,    import_elu,       import_selu,         import_softsign,           import_leaky_relu,
    import_binary, import_guarded,  import_floor_div, import_truncate_div, import_squared_difference, import_clip,
    import_like};

static bool is_among(ImportFn *const *functions, size_t n, ImportFn *f) {
    for (size_t i = 0; i < n; i++)
        if (functions[i] == f) return true;
    return false;
}

/* On the elements, where all operands have the same dims or are scalars; *out_done: it was possible. */
static bool import_elements(Import *c, ImportFn *import, bool *out_done) {
    const AnyRank *first = NULL;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const AnyRank *any = any_rank_find(c->im, c->in[i]);
        if (!first) first = any;
        if (any ? any->dims.i != first->dims.i : rank_of(c, c->in[i]) > 0) return true;
    }
    if (!first) return true;
    const AnyRank like = *first;
    *out_done = true;
    if (!import(c)) return false;
    if (!any_rank_find(c->im, c->out[0])) any_rank_register(c, c->out[0], like.dims, like.ranks);
    return true;
}

/* Shape, ShapeN */
static bool shape_of_any(Import *c) {
    DType dtype = attr_t(c, "out_type", DTYPE_S32);
    c->n_out = c->n_in;
    if (c->n_in > IMPORT_MAX_OUTPUTS) return unsupported(c, "has more than %d outputs", IMPORT_MAX_OUTPUTS);
    bool ok = true;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const AnyRank *any = any_rank_find(c->im, c->in[i]);
        Shape s = shape_copy(c, c->in[i]);
        c->out[i] = any ? make_cast(c, any->dims, dtype) : make_dims(c, dtype, 1, s.rank, s.dims);
        ok = ok && !failed(c->out[i]);
    }
    return ok;
}

static bool rank_of_any(Import *c) {
    Dim rank = dim_of(c, any_rank_find(c->im, c->in[0])->dims, 0);
    return give(c, make_dims(c, DTYPE_S32, 0, 1, &rank));
}

/* EnsureShape: from here on the rank is known, where it says one. */
static bool ensure_shape_of_any(Import *c) {
    const TfAttr *a = tf_attr(c->n, "shape");
    if (!a || a->kind != TF_ATTR_SHAPE || a->v.shape.rank < 0) return give(c, c->in[0]);
    ValueId x = any_rank_fix(c, c->in[0], a->v.shape.rank);
    Import inside = *c;
    inside.in = &x;
    return !failed(x) && import_ensure_shape(&inside);
}

/* The run fails unless the number is at least, or exactly, this much. */
static bool require_number(Import *c, const char *kind, int64_t want, ValueId number, const char *what) {
    Dim d[1];
    int n = 0;
    return load_content(c, number, INT64_MIN, d, &n, 1, what) && make_require(c, kind, dim_const(want), d[0]);
}

/* Reshape to a vector of unknown length: one entry may be -1, the rest. */
static bool reshape_to_any(Import *c) {
    int64_t axis = 0;
    ValueId elements = in_a_row(c, c->in[0]);
    Dim n = dim_of(c, elements, 0);
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    ValueId shape = make_cast(c, c->in[1], DTYPE_S64);
    ValueId is_rest = make_binary(c, OP_LT, shape, zero);
    ValueId n_rests = make_reduce(c, make_cast(c, is_rest, DTYPE_S64), "sum", 1, &axis, false);
    ValueId at_most_one = make_binary(c, OP_SUB, one, n_rests);
    const AnyRank *any = any_rank_find(c->im, c->in[0]);
    Shape s = shape_copy(c, c->in[0]);
    ValueId have = any ? any->dims : make_dims(c, DTYPE_S64, 1, s.rank, s.dims);
    ValueId count = make_dims(c, DTYPE_S64, 0, 1, &n);
    ValueId dims = make_resolved_shape(c, shape, have);
    ValueId product = make_reduce(c, dims, "prod", 1, &axis, false);
    ValueId missing = make_binary(c, OP_SUB, product, count);
    ValueId below =
        make_reduce(c, make_binary(c, OP_MIN, make_binary(c, OP_ADD, shape, one), zero), "sum", 1, &axis, false);
    return require_number(c, "equal", 0, below, "the smallest dimension") &&
           require_number(c, "at_most", 0, at_most_one, "the number of -1") &&
           require_number(c, "equal", 0, missing, "the number of elements") &&
           give(c, any_rank_register(c, elements, dims, ANY_RANK_ALL));
}

/* Fill with a shape of unknown length */
static bool fill_any(Import *c) {
    int64_t axis = 0;
    Dim n[1];
    int n_n = 0;
    if (rank_of(c, c->in[1]) != 0) return bad(c, "the value to fill with must be a scalar");
    ValueId dims = make_cast(c, c->in[0], DTYPE_S64);
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId least = make_reduce(c, make_binary(c, OP_MIN, dims, zero), "sum", 1, &axis, false);
    ValueId count = make_reduce(c, dims, "prod", 1, &axis, false);
    if (!require_number(c, "equal", 0, least, "the smallest dimension") ||
        !load_content(c, count, 0, n, &n_n, 1, "the number of elements"))
        return false;
    Shape row = {.rank = 1, .dims = {n[0]}};
    Attr attr = attr_dims(c->g->arena, "shape", 1, row.dims);
    ValueId elements = import_node(c, OP_BROADCAST, 1, &c->in[1], 1, &attr);
    return give(c, any_rank_register(c, elements, dims, ANY_RANK_ALL));
}

/* ---- ops that are imported for every rank */

/* Vectors whose length decides the rank of the result, and indices of which the last size does; `like`: operand whose
   rank the length has to be, or, where that is one of these vectors, whose length; -1: none. */
static const struct {
    const char *op;
    int operand, like;
    bool last;
} lengths[] = {
    {"BroadcastTo", 1, -1, false},
    {"Empty", 0, -1, false},
    {"ScatterNd", 2, -1, false},
    {"SparseToDense", 1, -1, false},
    {"RandomUniform", 0, -1, false},
    {"RandomStandardNormal", 0, -1, false},
    {"TruncatedNormal", 0, -1, false},
    {"RandomUniformInt", 0, -1, false},
    {"StatelessRandomUniform", 0, -1, false},
    {"StatelessRandomNormal", 0, -1, false},
    {"StatelessTruncatedNormal", 0, -1, false},
    {"StatelessRandomUniformV2", 0, -1, false},
    {"StatelessRandomNormalV2", 0, -1, false},
    {"StatelessTruncatedNormalV2", 0, -1, false},
    {"StatelessRandomUniformInt", 0, -1, false},
    {"StatelessRandomUniformIntV2", 0, -1, false},
    {"Sum", 1, -1, false},
    {"Mean", 1, -1, false},
    {"Prod", 1, -1, false},
    {"Max", 1, -1, false},
    {"Min", 1, -1, false},
    {"All", 1, -1, false},
    {"Any", 1, -1, false},
    {"EuclideanNorm", 1, -1, false},
    {"ReduceJoin", 1, -1, false},
    {"ReverseV2", 1, -1, false},
    {"Tile", 1, 0, false},
    {"Slice", 1, 0, false},
    {"Slice", 2, 0, false},
    {"StridedSlice", 1, -1, false},
    {"StridedSlice", 2, 1, false},
    {"StridedSlice", 3, 1, false},
    {"Transpose", 1, 0, false},
    {"ConjugateTranspose", 1, 0, false},
    {"Pad", 1, 0, false},
    {"PadV2", 1, 0, false},
    {"MirrorPad", 1, 0, false},
    {"GatherNd", 1, -1, true},
    {"ResourceGatherNd", 1, -1, true},
    {"ScatterNd", 0, -1, true},
    {"TensorScatterUpdate", 1, -1, true},
    {"TensorScatterAdd", 1, -1, true},
    {"TensorScatterSub", 1, -1, true},
    {"TensorScatterMax", 1, -1, true},
    {"TensorScatterMin", 1, -1, true},
};

typedef struct {
    uint32_t operand;
    Dim actual;     /* the rank, or the length, of the run */
    uint32_t ranks; /* that it may be */
    int axis;       /* of a length: the dim that it is */
    int like;       /* another open operand whose rank it has to be, -1: none */
} Open;

static uint32_t possible_lengths(const Import *c, Dim length) {
    int64_t low;
    int64_t high;
    uint32_t ranks = 0;
    dim_range(&c->g->dims, length, &low, &high);
    for (int r = 0; ANY_RANK_ALL >> r; r++) ranks |= (uint32_t)(r >= low && r <= high) << r;
    return ranks;
}

/* The one length that a vector has to have because of an operand that is not open: its rank, or its length where that
   is such a vector, too. */
static uint32_t ranks_like(const Import *c, uint32_t operand) {
    int64_t n = rank_of(c, c->in[operand]);
    for (size_t k = 0; k < ARRAY_LEN(lengths); k++)
        if (lengths[k].operand == (int)operand && strcmp(lengths[k].op, c->n->op) == 0)
            n = shape_count(&value_at(c->g, c->in[operand])->shape);
    return n >= 0 && ANY_RANK_ALL >> n ? 1u << n : 0;
}

static bool find_open(Import *c, Open *open, uint32_t *out_n) {
    *out_n = 0;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const AnyRank *any = any_rank_find(c->im, c->in[i]);
        Open found = {.operand = i, .like = -1};
        if (any) {
            found.actual = dim_of(c, any->dims, 0);
            found.ranks = any->ranks;
        }
        for (size_t k = 0; k < ARRAY_LEN(lengths) && !found.ranks; k++) {
            int rank = rank_of(c, c->in[i]);
            if (lengths[k].operand != (int)i || rank < 1 || strcmp(lengths[k].op, c->n->op) != 0) continue;
            found.axis = lengths[k].last ? rank - 1 : 0;
            found.actual = dim_of(c, c->in[i], found.axis);
            if (dim_is_const(found.actual)) continue;
            found.ranks = possible_lengths(c, found.actual);
            int like = lengths[k].like;
            for (uint32_t m = 0; like >= 0 && m < *out_n; m++)
                if (open[m].operand == (uint32_t)like) found.like = (int)m;
            if (like >= 0 && found.like < 0) found.ranks &= ranks_like(c, (uint32_t)like);
            if (!found.ranks) return bad(c, "its operands have lengths that do not fit");
        }
        if (!found.ranks) continue;
        if (*out_n == MAX_OPEN) return unsupported(c, "more than %d operands have a run-time rank", MAX_OPEN);
        open[(*out_n)++] = found;
    }
    return true;
}

/* An operand with the rank, or of the length, that is assumed. */
static ValueId fix_operand(Import *c, const Open *o, ValueId v, int rank) {
    if (any_rank_find(c->im, v)) return any_rank_fix(c, v, rank);
    Shape s = shape_copy(c, v);
    if (!make_require(c, "equal", s.dims[o->axis], dim_const(rank))) return (ValueId){0};
    s.dims[o->axis] = dim_const(rank);
    return make_reshape(c, v, &s);
}

static bool import_fixed(Import *c, ImportFn *import, const Open *open, uint32_t n, const int *ranks) {
    ValueId *in = arena_memdup(c->im->arena, c->in, sizeof(ValueId) * (c->n_in + 1));
    for (uint32_t i = 0; i < n; i++) {
        in[open[i].operand] = fix_operand(c, &open[i], in[open[i].operand], ranks[i]);
        if (failed(in[open[i].operand])) return false;
    }
    c->in = in;
    bool done = false;
    return import_agree(c) && import_run_time_axes(c, import, &done) && (done || import(c));
}

/* Which branch is to run, from the ranks as digits of a number; the run fails for ranks that no branch is for. */
static ValueId choose(Import *c, const Open *open, uint32_t n, const int64_t *bases, const Tensor *table, bool all) {
    Dim code = dim_const(0);
    Dim index[1];
    int n_index = 0;
    int64_t weight = 1;
    for (uint32_t i = 0; i < n; i++) {
        if (!make_require(c, "at_most", open[i].actual, dim_const(bases[i] - 1))) return (ValueId){0};
        code = d_add(c, code, d_mul(c, open[i].actual, dim_const(weight)));
        weight *= bases[i];
    }
    ValueId at = make_dims(c, DTYPE_S64, 0, 1, &code);
    ValueId branch = make_gather(c, make_const(c, table), at, 0, 0, false);
    if (all || failed(branch)) return branch;
    if (!load_content(c, branch, -1, index, &n_index, 1, "the rank") ||
        !make_require(c, "at_most", dim_const(0), index[0]))
        return (ValueId){0};
    return branch;
}

/* All combinations of ranks, as digits; false behind the last. */
static bool next_ranks(const Open *open, uint32_t n, int *ranks) {
    for (uint32_t i = 0; i < n; i++) {
        do ranks[i]++;
        while (ranks[i] <= MAX_RANK && !(open[i].ranks >> ranks[i] & 1));
        if (ranks[i] <= MAX_RANK) return true;
        ranks[i] = __builtin_ctz(open[i].ranks);
    }
    return false;
}

/* Leaves out the highest ranks until the combinations are few enough. */
static void bound_cases(Open *open, uint32_t n) {
    for (;;) {
        int cases = 1;
        uint32_t widest = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (open[i].like >= 0) continue; /* no choice of its own */
            cases *= __builtin_popcount(open[i].ranks);
            if (open[i].ranks > open[widest].ranks || open[widest].like >= 0) widest = i;
        }
        if (cases <= MAX_CASES) return;
        open[widest].ranks &= ~(1u << (31 - __builtin_clz(open[widest].ranks)));
    }
}

typedef struct {
    Branch branches[MAX_CASES];
    uint32_t n, n_out;
    int ranks[MAX_OPEN]; /* of the last that was possible */
    bool all;            /* every combination was */
    const char *why;     /* the last that was not */
    bool is_unsupported;
} Cases;

/* The op in a region of its own for each combination of ranks that it makes sense for. */
static bool import_cases(Import *c, ImportFn *import, const Passed *passed, const Open *open, uint32_t n,
                         const int64_t *bases, int64_t *table, Cases *out) {
    int ranks[MAX_OPEN];
    *out = (Cases){.all = true};
    for (uint32_t i = 0; i < n; i++) ranks[i] = __builtin_ctz(open[i].ranks);
    do {
        bool alike = true;
        for (uint32_t i = 0; i < n; i++) alike = alike && (open[i].like < 0 || ranks[open[i].like] == ranks[i]);
        if (!alike) continue;
        Mark before = region_mark(c);
        Diag trial;
        diag_init(&trial, c->im->arena, NULL);
        Import inside = *c;
        ValueId *in = NEW_ARRAY(c->im->arena, ValueId, c->n_in + 1);
        ValueId *results = NEW_ARRAY(c->im->arena, ValueId, IMPORT_MAX_OUTPUTS);
        inside.r = graph_add_region(c->g, (NodeId){0});
        inside.in = in;
        inside.out = results;
        inside.n_out = 1;
        inside.d = &trial;
        region_receive(c, passed, inside.r, NULL, in);
        bool ok = import_fixed(&inside, import, open, n, ranks);
        for (uint32_t i = 0; ok && i < inside.n_out; i++)
            if (rank_of(&inside, results[i]) > MOST_DIMS)
                ok = unsupported(&inside, "a value of %d dimensions where the rank depends on the run",
                                 rank_of(&inside, results[i]));
        if (!ok) {
            region_take_back(c, before);
            for (uint32_t i = 0; i < trial.entries.len; i++)
                if (trial.entries.data[i].level == DIAG_ERROR) out->why = trial.entries.data[i].message;
            out->is_unsupported = diag_exit_code(&trial) == EXIT_UNSUPPORTED;
            out->all = false;
            continue;
        }
        if (out->n > 0 && inside.n_out != out->n_out)
            return unsupported(c, "the number of its results depends on a rank that only running tells");
        int64_t code = 0;
        int64_t weight = 1;
        for (uint32_t i = 0; i < n; i++) {
            code += weight * ranks[i];
            weight *= bases[i];
        }
        table[code] = out->n;
        memcpy(out->ranks, ranks, sizeof ranks);
        out->branches[out->n++] = (Branch){inside.r, results};
        out->n_out = inside.n_out;
    } while (next_ranks(open, n, ranks));
    return true;
}

static bool import_by_rank(Import *c, ImportFn *import, Open *open, uint32_t n) {
    Passed passed;
    Cases cases;
    int64_t bases[MAX_OPEN];
    int64_t codes = 1;
    bound_cases(open, n);
    for (uint32_t i = 0; i < n; i++) codes *= bases[i] = 32 - __builtin_clz(open[i].ranks);
    int64_t *table = NEW_ARRAY(c->im->arena, int64_t, codes);
    for (int64_t i = 0; i < codes; i++) table[i] = -1;
    Mark before = region_mark(c);
    if (!region_pass(c, c->n_in, c->in, &passed) || !import_cases(c, import, &passed, open, n, bases, table, &cases))
        return false;
    if (cases.n == 0)
        return cases.is_unsupported ? unsupported(c, "%s", cases.why ? cases.why : "no rank fits")
                                    : bad(c, "%s", cases.why ? cases.why : "no rank fits");
    if (cases.n == 1) {
        region_take_back(c, before);
        return import_fixed(c, import, open, n, cases.ranks);
    }
    for (int64_t i = 0; i < codes; i++) cases.all = cases.all && table[i] >= 0;
    Tensor numbers = tensor_ints(c->g->arena, DTYPE_S32, codes, table);
    passed.inputs[0] = choose(c, open, n, bases, &numbers, cases.all);
    return !failed(passed.inputs[0]) && branches_join(c, OP_CASE, &passed, cases.n, cases.branches, cases.n_out);
}

bool import_any_rank(Import *c, ImportFn *import, bool *out_done) {
    Open open[MAX_OPEN];
    uint32_t n = 0;
    bool any = false;
    for (uint32_t i = 0; i < c->n_in; i++) any = any || any_rank_find(c->im, c->in[i]);
    bool by_length = c->n_in > 1 && rank_of(c, c->in[import == import_reshape]) == 1 &&
                     !dim_is_const(dim_of(c, c->in[import == import_reshape], 0));
    *out_done = by_length && (import == import_reshape || import == import_fill);
    if (*out_done) return import == import_fill ? fill_any(c) : reshape_to_any(c);
    if (any) {
        if (is_among(passing, ARRAY_LEN(passing), import)) return true;
        *out_done = true;
        if (import == import_shape) return shape_of_any(c);
        if (import == import_rank) return rank_of_any(c);
        if (import == import_ensure_shape) return ensure_shape_of_any(c);
        if (import == import_size || (import == import_reshape && any_rank_find(c->im, c->in[0]))) {
            ValueId *in = arena_memdup(c->im->arena, c->in, sizeof(ValueId) * (c->n_in + 1));
            in[0] = in_a_row(c, in[0]); /* only the elements matter */
            c->in = in;
            return import(c);
        }
        *out_done = false;
        if (is_among(elementwise, ARRAY_LEN(elementwise), import)) {
            if (!import_elements(c, import, out_done)) return false;
            if (*out_done) return true;
        }
    }
    if (!find_open(c, open, &n)) return false;
    if (n == 0) return true;
    *out_done = true;
    return import_by_rank(c, import, open, n);
}
