/* import_cases: operands that decide the structure of an op (axes, permutations) but are computed when the model runs.
   The op is imported once for each value the operand can have, as the branches of a Case; a value that no branch is for
   stops the run with an error. */
#include "frontend/importer.h"

#include <string.h>

enum { MAX_CASES = 64 };

/* Operand `operand` (-1: the last) of an op holds axes of operand `of` (-1: of the result, which has one dim more). */
static const struct {
    const char *op;
    int operand, of;
    bool distinct;
} axis_operands[] = {
    {"Sum", 1, 0, true},
    {"Mean", 1, 0, true},
    {"Prod", 1, 0, true},
    {"Max", 1, 0, true},
    {"Min", 1, 0, true},
    {"All", 1, 0, true},
    {"Any", 1, 0, true},
    {"EuclideanNorm", 1, 0, true},
    {"ArgMax", 1, 0, false},
    {"ArgMin", 1, 0, false},
    {"Cumsum", 1, 0, false},
    {"Cumprod", 1, 0, false},
    {"CumulativeLogsumexp", 1, 0, false},
    {"ConcatV2", -1, 0, false},
    {"Concat", 0, 1, false},
    {"Split", 0, 1, false},
    {"SplitV", 2, 0, false},
    {"GatherV2", 2, 0, false},
    {"ExpandDims", 1, -1, false},
    {"ReverseV2", 1, 0, true},
    {"Transpose", 1, 0, true},
    {"ConjugateTranspose", 1, 0, true},
    {"Roll", 2, 0, false},
};

static bool is_known(const Import *c, ValueId v) {
    const Value *value = value_at(c->g, v);
    int64_t n = shape_count(&value->shape);
    if (value_const(c->g, v) || n == 0) return true;
    for (int64_t i = 0; value->content && i < n; i++)
        if (!dim_is_const(value->content[i])) return false;
    return value->content != NULL;
}

/* The digits of `code`, each below `base`; false when two are equal and must not be. */
static bool decode(int64_t code, int64_t base, int n, bool distinct, int64_t *out) {
    for (int i = 0; i < n; i++) {
        out[i] = code % base;
        code /= base;
        for (int k = 0; k < i; k++)
            if (distinct && out[k] == out[i]) return false;
    }
    return true;
}

/* Which branch is to run: axes, negative ones wrapped, as digits of a number, looked up in a table with -1 for what is
 * not allowed. */
static ValueId selector(Import *c, ValueId axes, int64_t base, int n, const Tensor *table) {
    Shape flat = {.rank = 1, .dims = {dim_const(n)}};
    ValueId digits = make_cast(c, axes, DTYPE_S64);
    digits = make_reshape(c, digits, &flat);
    ValueId zero = make_scalar_int(c, DTYPE_S64, 0);
    ValueId size = make_scalar_int(c, DTYPE_S64, base);
    ValueId negative = make_binary(c, OP_LT, digits, zero);
    ValueId wrapped = make_binary(c, OP_ADD, digits, size);
    digits = make_select(c, negative, wrapped, digits);
    Dim checked[MAX_RANK];
    int n_checked = 0;
    if (!load_content(c, digits, INT32_MIN, checked, &n_checked, MAX_RANK, "the axes")) return (ValueId){0};
    for (int i = 0; i < n_checked; i++) /* an axis outside of the rank is an error, not another axis */
        if (!make_require(c, "at_most", dim_const(0), checked[i]) ||
            !make_require(c, "at_most", checked[i], dim_const(base - 1)))
            return (ValueId){0};
    int64_t weights[MAX_RANK];
    for (int64_t i = 0, weight = 1; i < n; i++, weight *= base) weights[i] = weight;
    Tensor t = tensor_ints(c->g->arena, DTYPE_S64, n, weights);
    ValueId weight = make_const(c, &t);
    ValueId weighted = make_binary(c, OP_MUL, digits, weight);
    int64_t axis = 0;
    ValueId code = make_reduce(c, weighted, "sum", 1, &axis, false);
    ValueId branches = make_const(c, table);
    ValueId branch = make_gather(c, branches, code, 0, 0, false);
    Dim index[1];
    int n_index = 0;
    if (failed(branch) || !load_content(c, branch, -1, index, &n_index, 1, "the axes") ||
        !make_require(c, "at_most", dim_const(0), index[0]))
        return (ValueId){0};
    return branch;
}

/* One branch: the op with these axes, in a region of its own. */
static bool import_one_case(Import *c, ImportFn *import, uint32_t operand, int n, const int64_t *axes, RegionId *out,
                            uint32_t *n_out) {
    Import inside = *c;
    ValueId *in = NEW_ARRAY(c->im->arena, ValueId, c->n_in);
    ValueId *results = NEW_ARRAY(c->im->arena, ValueId, IMPORT_MAX_OUTPUTS);
    RegionId r = graph_add_region(c->g, (NodeId){0});
    Shape s = shape_copy(c, c->in[operand]);
    DType dtype = dtype_of(c, c->in[operand]);
    Tensor constant =
        s.rank ? tensor_ints(c->g->arena, dtype, n, axes) : tensor_scalar_i64(c->g->arena, dtype, axes[0]);
    inside.r = r;
    inside.in = in;
    inside.out = results;
    inside.n_out = 1;
    for (uint32_t i = 0; i < c->n_in; i++) {
        Shape shape = shape_copy(c, c->in[i]);
        in[i] = i == operand                     ? build_const(c->g, r, &constant, c->n->name)
                : region_can_remake(c, c->in[i]) ? region_remake(c, r, c->in[i])
                                                 : graph_add_param(c->g, r, dtype_of(c, c->in[i]), &shape, c->n->name);
    }
    if (!import(&inside)) return false;
    for (uint32_t i = 0; i < inside.n_out; i++) vec_push(c->g->arena, &region_at(c->g, r)->results, results[i]);
    *out = r;
    *n_out = inside.n_out;
    return true;
}

bool import_run_time_axes(Import *c, ImportFn *import, bool *out_done) {
    int operand = -1;
    int of = 0;
    bool distinct = false;
    *out_done = false;
    for (size_t i = 0; i < ARRAY_LEN(axis_operands) && operand < 0; i++)
        if (strcmp(axis_operands[i].op, c->n->op) == 0) {
            operand = axis_operands[i].operand < 0 ? (int)c->n_in - 1 : axis_operands[i].operand;
            of = axis_operands[i].of;
            distinct = axis_operands[i].distinct;
        }
    if (operand < 0 || (uint32_t)operand >= c->n_in || of >= (int)c->n_in || is_known(c, c->in[operand])) return true;
    int64_t base = of < 0 ? rank_of(c, c->in[0]) + 1 : rank_of(c, c->in[of]);
    int64_t n = shape_count(&value_at(c->g, c->in[operand])->shape);
    int64_t codes = 1;
    if (n < 1 || n > MAX_RANK || base < 1 || rank_of(c, c->in[operand]) > 1 ||
        !dtype_is_int(dtype_of(c, c->in[operand])))
        return true; /* the import function says what is wrong */
    for (int64_t i = 0; i < n && codes <= 4096; i++) codes *= base;
    if (codes > 4096) return true;
    int64_t *table = NEW_ARRAY(c->im->arena, int64_t, codes);
    RegionId regions[MAX_CASES];
    uint32_t n_regions = 0;
    uint32_t n_out = 0;
    for (int64_t code = 0; code < codes; code++) {
        int64_t axes[MAX_RANK];
        table[code] = -1;
        if (!decode(code, base, (int)n, distinct, axes)) continue;
        if (n_regions == MAX_CASES)
            return unsupported(c, "axes that are computed at run time can have more than %d values here", MAX_CASES);
        if (!import_one_case(c, import, (uint32_t)operand, (int)n, axes, &regions[n_regions], &n_out)) return false;
        table[code] = n_regions++;
    }
    if (n_regions == 0 || n_out == 0) return true;
    Tensor branches = tensor_ints(c->g->arena, DTYPE_S32, codes, table);
    ValueId *inputs = NEW_ARRAY(c->im->arena, ValueId, c->n_in + 1);
    uint32_t n_inputs = 0;
    inputs[n_inputs++] = selector(c, c->in[operand], base, (int)n, &branches);
    if (failed(inputs[0])) return false;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (i != (uint32_t)operand && !region_can_remake(c, c->in[i])) inputs[n_inputs++] = c->in[i];
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
