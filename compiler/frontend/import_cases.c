/* import_cases: operands that decide the structure of an op (axes, permutations) but are computed when the model runs.
   The op is imported once for each value the operand can have, as the branches of a Case; a value that no branch is for
   stops the run with an error. */
#include "frontend/importer.h"

#include <string.h>

enum { MAX_CASES = 64, MAX_CODES = 4096 };

typedef enum {
    AXES,        /* any axes, in an order that matters */
    PERMUTATION, /* the same, none twice */
    SET,         /* none twice, in any order */
    FLAGS        /* a bool for each axis */
} Meaning;

/* Operand `operand` (-1: the last) of an op holds axes of operand `of` (-1: of the result, which has one dim more). */
typedef struct {
    const char *op;
    int operand, of;
    Meaning meaning;
} AxisOperand;
static const AxisOperand axis_operands[] = {
    {"Sum", 1, 0, SET},
    {"Mean", 1, 0, SET},
    {"Prod", 1, 0, SET},
    {"Max", 1, 0, SET},
    {"Min", 1, 0, SET},
    {"All", 1, 0, SET},
    {"Any", 1, 0, SET},
    {"EuclideanNorm", 1, 0, SET},
    {"ArgMax", 1, 0, AXES},
    {"ArgMin", 1, 0, AXES},
    {"Cumsum", 1, 0, AXES},
    {"Cumprod", 1, 0, AXES},
    {"CumulativeLogsumexp", 1, 0, AXES},
    {"ConcatV2", -1, 0, AXES},
    {"Concat", 0, 1, AXES},
    {"Split", 0, 1, AXES},
    {"SplitV", 2, 0, AXES},
    {"GatherV2", 2, 0, AXES},
    {"ExpandDims", 1, -1, AXES},
    {"Reverse", 1, 0, FLAGS},
    {"ReverseV2", 1, 0, SET},
    {"Transpose", 1, 0, PERMUTATION},
    {"ConjugateTranspose", 1, 0, PERMUTATION},
    {"ReduceJoin", 1, 0, PERMUTATION},
    {"Roll", 2, 0, AXES},
    {"UniqueV2", 1, 0, AXES},
    {"UniqueWithCountsV2", 1, 0, AXES},
};

bool import_axes_are_known(const Import *c, ValueId v) {
    const Value *value = value_at(c->g, v);
    int64_t n = shape_count(&value->shape);
    if (value_const(c->g, v) || n == 0) return true;
    for (int64_t i = 0; value->content && i < n; i++)
        if (!dim_is_const(value->content[i])) return false;
    return value->content && !value->may_wrap;
}

/* The values of an operand are numbered: those of SET and FLAGS by the bits of the axes, others by their digits. */
typedef struct {
    Meaning meaning;
    int64_t base; /* how many axes there are */
    int64_t n;    /* length of the operand, -1: unknown (SET only) */
    int64_t codes;
} Numbering;

static bool by_bits(const Numbering *m) {
    return m->meaning == SET || m->meaning == FLAGS;
}

/* The operand's elements for a number, as many as *out_n says; false when there is no such operand. */
static bool decode(const Numbering *m, int64_t code, int64_t *out, int *out_n) {
    *out_n = 0;
    if (m->meaning == FLAGS) {
        for (int64_t i = 0; i < m->base; i++) out[(*out_n)++] = code >> i & 1;
        return true;
    }
    if (m->meaning == SET) {
        for (int64_t i = 0; i < m->base; i++)
            if (code >> i & 1) out[(*out_n)++] = i;
        return m->n < 0 || *out_n == m->n;
    }
    for (int i = 0; i < m->n; i++) {
        out[i] = code % m->base;
        code /= m->base;
        for (int k = 0; k < i; k++)
            if (m->meaning == PERMUTATION && out[k] == out[i]) return false;
    }
    *out_n = (int)m->n;
    return true;
}

/* The sum of digits * step^i, digit i counting once, step times, … */
static ValueId weigh(Import *c, ValueId digits, int64_t n, int64_t step) {
    int64_t weights[MAX_RANK];
    for (int64_t i = 0, weight = 1; i < n; i++, weight *= step) weights[i] = weight;
    Tensor t = tensor_ints(c->g->arena, DTYPE_S64, n, weights);
    ValueId weight = make_const(c, &t);
    ValueId weighted = make_binary(c, OP_MUL, digits, weight);
    int64_t axis = 0;
    return make_reduce(c, weighted, "sum", 1, &axis, false);
}

ValueId import_count_axes(Import *c, ValueId axes, int64_t base) {
    Dim n = dim_of(c, axes, 0);
    Dim counts[MAX_RANK];
    Dim total = dim_const(0);
    int n_counts = 0;
    int64_t first = 0;
    Shape line = {.rank = 2, .dims = {dim_const(1), dim_const(base)}};
    ValueId column = make_expand(c, axes, 1);
    ValueId all = make_iota(c, &line, 1, DTYPE_S64);
    ValueId hit = make_binary(c, OP_EQ, column, all);
    ValueId one = make_cast(c, hit, DTYPE_S64);
    ValueId count = make_reduce(c, one, "sum", 1, &first, false);
    if (!load_content(c, count, 0, counts, &n_counts, MAX_RANK, "the axes")) return (ValueId){0};
    for (int i = 0; i < n_counts; i++) {
        total = d_add(c, total, counts[i]);
        if (!make_require(c, "at_most", counts[i], dim_const(1))) return (ValueId){0};
    }
    return make_require(c, "equal", total, n) ? count : (ValueId){0};
}

ValueId import_count_from_end(Import *c, ValueId axes, int64_t base) {
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId size = make_scalar_int(c, DTYPE_S64, base);
    ValueId negative = make_binary(c, OP_LT, axes, zero);
    ValueId wrapped = make_binary(c, OP_ADD, axes, size);
    return make_select(c, negative, wrapped, axes);
}

/* Which branch is to run: the number of the operand's value, looked up in a table with -1 for what is not allowed. */
static ValueId selector(Import *c, ValueId axes, const Numbering *m, const Tensor *table) {
    ValueId none = {0};
    Shape flat = {.rank = 1, .dims = {m->n < 0 ? dim_of(c, axes, 0) : dim_const(m->n)}};
    ValueId digits = make_cast(c, axes, DTYPE_S64);
    digits = make_reshape(c, digits, &flat);
    if (m->meaning != FLAGS) {
        digits = import_count_from_end(c, digits, m->base);
        if (failed(digits)) return none;
    }
    if (m->meaning == SET) {
        digits = import_count_axes(c, digits, m->base);
    } else if (m->meaning != FLAGS) {
        Dim checked[MAX_RANK];
        int n_checked = 0;
        if (!load_content(c, digits, INT32_MIN, checked, &n_checked, MAX_RANK, "the axes")) return none;
        for (int i = 0; i < n_checked; i++) /* an axis outside of the rank is an error, not another axis */
            if (!make_require(c, "at_most", dim_const(0), checked[i]) ||
                !make_require(c, "at_most", checked[i], dim_const(m->base - 1)))
                return none;
    }
    if (failed(digits)) return none;
    ValueId code = by_bits(m) ? weigh(c, digits, m->base, 2) : weigh(c, digits, m->n, m->base);
    ValueId branches = make_const(c, table);
    ValueId branch = make_gather(c, branches, code, 0, 0, false);
    Dim index[1];
    int n_index = 0;
    if (failed(branch) || !load_content(c, branch, -1, index, &n_index, 1, "the axes") ||
        !make_require(c, "at_most", dim_const(0), index[0]))
        return none;
    return branch;
}

/* One branch: the op with these axes, in a region of its own. */
static bool import_one_case(Import *c, ImportFn *import, uint32_t operand, int n, const int64_t *axes, Diag *d,
                            RegionId *out, uint32_t *n_out) {
    Import inside = *c;
    ValueId *in = NEW_ARRAY(c->im->arena, ValueId, c->n_in);
    ValueId *results = NEW_ARRAY(c->im->arena, ValueId, IMPORT_MAX_OUTPUTS);
    RegionId r = graph_add_region(c->g, (NodeId){0});
    Shape s = shape_copy(c, c->in[operand]);
    DType dtype = dtype_of(c, c->in[operand]);
    Tensor constant =
        s.rank ? tensor_ints(c->g->arena, dtype, n, axes) : tensor_scalar_i64(c->g->arena, dtype, axes[0]);
    inside.r = r;
    inside.d = d;
    inside.in = in;
    inside.out = results;
    inside.n_out = 1;
    for (uint32_t i = 0; i < c->n_in; i++) {
        Shape shape = shape_copy(c, c->in[i]);
        in[i] = i == operand                     ? build_const(c->g, r, &constant, c->n->name)
                : region_can_remake(c, c->in[i]) ? region_remake(c, r, c->in[i])
                                                 : graph_add_param(c->g, r, dtype_of(c, c->in[i]), &shape, c->n->name);
    }
    *out = r;
    if (!import(&inside)) return false;
    for (uint32_t i = 0; i < inside.n_out; i++) vec_push(c->g->arena, &region_at(c->g, r)->results, results[i]);
    *n_out = inside.n_out;
    return true;
}

/* How the operand's values are numbered; false where they cannot be told apart by a few branches. */
static bool number_values(const Import *c, const AxisOperand *row, uint32_t operand, Numbering *out) {
    const Value *v = value_at(c->g, c->in[operand]);
    *out = (Numbering){.meaning = row->meaning, .n = shape_count(&v->shape), .codes = 1};
    out->base = row->of < 0 ? rank_of(c, c->in[0]) + 1 : rank_of(c, c->in[row->of]);
    bool is_flags = row->meaning == FLAGS && v->dtype == DTYPE_BOOL && out->n == out->base;
    if (out->n > MAX_RANK || out->base < 1 || v->shape.rank > 1 || !(is_flags || dtype_is_int(v->dtype))) return false;
    /* of how many axes is known where the result keeps its rank anyway */
    bool keeps_rank = strcmp(row->op, "ReverseV2") == 0 || attr_i(c, "keep_dims", 0);
    if (out->n < 1 && (row->meaning != SET || !keeps_rank)) return false;
    int64_t arrangements = 1;
    for (int64_t i = 0; out->meaning == PERMUTATION && i < out->n; i++) arrangements *= out->base - i;
    if (arrangements > MAX_CASES) return false;
    int64_t digits = by_bits(out) ? out->base : out->n;
    int64_t step = by_bits(out) ? 2 : out->base;
    for (int64_t i = 0; i < digits && out->codes <= MAX_CODES; i++) out->codes *= step;
    return out->codes <= MAX_CODES;
}

bool import_run_time_axes(Import *c, ImportFn *import, bool *out_done) {
    const AxisOperand *row = NULL;
    *out_done = false;
    for (size_t i = 0; i < ARRAY_LEN(axis_operands) && !row; i++)
        if (strcmp(axis_operands[i].op, c->n->op) == 0) row = &axis_operands[i];
    if (!row || c->n_in < 2 || row->of >= (int)c->n_in) return true;
    uint32_t operand = row->operand < 0 ? c->n_in - 1 : (uint32_t)row->operand;
    Numbering m;
    if (operand >= c->n_in || import_axes_are_known(c, c->in[operand]) || !number_values(c, row, operand, &m))
        return true; /* the import function says what is wrong */
    int64_t *table = NEW_ARRAY(c->im->arena, int64_t, m.codes);
    RegionId regions[MAX_CASES];
    uint32_t n_regions = 0;
    uint32_t n_out = 0;
    Diag trial;
    for (int64_t code = 0; code < m.codes; code++) {
        int64_t axes[MAX_RANK];
        int n = 0;
        table[code] = -1;
        if (!decode(&m, code, axes, &n)) continue;
        if (n_regions == MAX_CASES)
            return unsupported(c, "axes that are computed at run time can have more than %d values here", MAX_CASES);
        diag_init(&trial, c->im->arena, NULL);
        if (import_one_case(c, import, operand, n, axes, &trial, &regions[n_regions], &n_out))
            table[code] = n_regions++;
        else if (diag_exit_code(&trial) == EXIT_UNSUPPORTED)
            return unsupported(c, "%s", trial.entries.data[0].message);
        else /* these axes do not fit the other operands */
            graph_clear_region(c->g, regions[n_regions]);
    }
    if (n_regions == 0 || n_out == 0) return true; /* the import function says what is wrong */
    Tensor branches = tensor_ints(c->g->arena, DTYPE_S32, m.codes, table);
    ValueId *inputs = NEW_ARRAY(c->im->arena, ValueId, c->n_in + 1);
    uint32_t n_inputs = 0;
    inputs[n_inputs++] = selector(c, c->in[operand], &m, &branches);
    if (failed(inputs[0])) return false;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (i != operand && !region_can_remake(c, c->in[i])) inputs[n_inputs++] = c->in[i];
    NodeSpec spec = {.op = OP_CASE,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .inputs = inputs,
                     .n_inputs = n_inputs,
                     .n_outputs = n_out,
                     .regions = regions,
                     .n_regions = n_regions};
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    if (id.i == 0) return false;
    memcpy(c->out, node_at(c->g, id)->outputs, sizeof(ValueId) * n_out);
    c->n_out = n_out;
    *out_done = true;
    return true;
}
