/* import_quant: the ops that stand for quantisation in a float graph: FakeQuant… and QuantizeAndDequantize…, in the
   arithmetic of TensorFlow's kernels. */
#include "frontend/import_arithmetic.h"

#include <float.h>
#include <math.h>
#include <string.h>

static ValueId round_half_up(Import *c, ValueId x) {
    ValueId half = make_like(c, x, 0.5);
    ValueId shifted = add(c, x, half);
    return make_unary(c, OP_FLOOR, shifted);
}

/* Levels between a minimum and a maximum (scalars or one for each channel), nudged so that zero is a level. */
typedef struct {
    ValueId min, max, scale;
    ValueId empty; /* both bounds were zero */
} Levels;

static bool nudge(Import *c, ValueId min, ValueId max, Levels *out) {
    int64_t bits = attr_i(c, "num_bits", 8);
    if (bits < 2 || bits > 16) return bad(c, "num_bits is %lld", (long long)bits);
    double low = attr_i(c, "narrow_range", 0) ? 1 : 0;
    double high = (double)((1 << bits) - 1);
    ValueId level_low = number(c, low);
    ValueId level_high = number(c, high);
    ValueId span = sub(c, max, min);
    ValueId levels = number(c, high - low);
    ValueId scale = divide(c, span, levels);
    ValueId offset = divide(c, min, scale);
    ValueId zero_level = sub(c, level_low, offset);
    ValueId rounded = round_half_up(c, zero_level);
    ValueId not_high = make_binary(c, OP_MIN, rounded, level_high);
    ValueId zero_point = make_binary(c, OP_MAX, not_high, level_low);
    ValueId below = sub(c, level_low, zero_point);
    ValueId above = sub(c, level_high, zero_point);
    out->scale = scale;
    out->min = mul(c, below, scale);
    out->max = mul(c, above, scale);
    ValueId zero = number(c, 0);
    ValueId min_zero = make_binary(c, OP_EQ, min, zero);
    ValueId max_zero = make_binary(c, OP_EQ, max, zero);
    out->empty = make_binary(c, OP_AND, min_zero, max_zero);
    return !failed(out->min) && !failed(out->max) && !failed(out->empty);
}

/* Rounds x to the levels; an empty range gives zeros. */
static ValueId fake_quant(Import *c, ValueId x, ValueId min, ValueId max) {
    Levels l;
    if (!nudge(c, min, max, &l)) return (ValueId){0};
    ValueId one = number(c, 1);
    ValueId inverse = divide(c, one, l.scale);
    ValueId capped = make_binary(c, OP_MIN, x, l.max);
    ValueId clamped = make_binary(c, OP_MAX, capped, l.min);
    ValueId shifted = sub(c, clamped, l.min);
    ValueId scaled = mul(c, shifted, inverse);
    ValueId level = round_half_up(c, scaled);
    ValueId back = mul(c, level, l.scale);
    ValueId y = add(c, back, l.min);
    ValueId zero = number(c, 0);
    return make_select(c, l.empty, zero, y);
}

bool import_fake_quant_args(Import *c) {
    ValueId min = number(c, attr_f(c, "min", -6));
    ValueId max = number(c, attr_f(c, "max", 6));
    return give(c, fake_quant(c, c->in[0], min, max));
}

/* (x, min, max): scalars, or vectors over the last dim */
bool import_fake_quant(Import *c) {
    return give(c, fake_quant(c, c->in[0], c->in[1], c->in[2]));
}

/* What comes back where x lies beyond a bound, summed for the bound. */
static ValueId bound_gradient(Import *c, OpId compare, ValueId x, ValueId bound, ValueId dy, const Levels *l) {
    ValueId beyond = make_binary(c, compare, x, bound);
    ValueId zero = number(c, 0);
    ValueId share = make_select(c, beyond, dy, zero);
    int64_t axes[MAX_RANK];
    int n = rank_of(c, x) - (rank_of(c, bound) > 0 ? 1 : 0);
    for (int i = 0; i < n; i++) axes[i] = i;
    ValueId sum = n > 0 ? make_reduce(c, share, "sum", n, axes, false) : share;
    return make_select(c, l->empty, zero, sum);
}

/* FakeQuantWithMinMax…Gradient (gradient, x[, min, max]): arg 0: the bounds are attributes and have no gradient */
bool import_fake_quant_gradient(Import *c) {
    bool given = import_row(c)->arg > 0;
    ValueId dy = c->in[0];
    ValueId x = c->in[1];
    ValueId min = given ? c->in[2] : number(c, attr_f(c, "min", -6));
    ValueId max = given ? c->in[3] : number(c, attr_f(c, "max", 6));
    Levels l;
    if (!nudge(c, min, max, &l)) return false;
    ValueId above = make_binary(c, OP_GE, x, l.min);
    ValueId below = make_binary(c, OP_LE, x, l.max);
    ValueId inside = make_binary(c, OP_AND, above, below);
    ValueId one = number(c, 1);
    ValueId zero = number(c, 0);
    ValueId factor = make_select(c, inside, one, zero);
    ValueId dx = mul(c, dy, factor);
    if (!given) return give(c, dx);
    c->out[0] = make_select(c, l.empty, dy, dx);
    c->out[1] = bound_gradient(c, OP_LT, x, l.min, dy, &l);
    c->out[2] = bound_gradient(c, OP_GT, x, l.max, dy, &l);
    c->n_out = 3;
    return !failed(c->out[0]) && !failed(c->out[1]) && !failed(c->out[2]);
}

/* QuantizeAndDequantizeV4Grad (gradient, x, min, max): passes inside of the range, nothing to its bounds */
bool import_quantize_dequantize_gradient(Import *c) {
    ValueId x = c->in[1];
    int64_t axis_attr = attr_i(c, "axis", -1);
    ValueId bounds[2];
    for (uint32_t i = 0; i < 2; i++) {
        int axis = -1;
        bounds[i] = c->in[2 + i];
        if (axis_attr == -1) continue;
        if (!normalise_axis(c, axis_attr, rank_of(c, x), &axis)) return false;
        Shape s = {.rank = rank_of(c, x)};
        for (int k = 0; k < s.rank; k++) s.dims[k] = k == axis ? dim_of(c, x, axis) : dim_const(1);
        bounds[i] = make_reshape(c, bounds[i], &s);
    }
    ValueId above = make_binary(c, OP_GE, x, bounds[0]);
    ValueId below = make_binary(c, OP_LE, x, bounds[1]);
    ValueId inside = make_binary(c, OP_AND, above, below);
    ValueId zero = make_like(c, x, 0);
    c->out[0] = make_select(c, inside, c->in[0], zero);
    for (uint32_t i = 0; i < 2; i++) {
        Shape s = shape_copy(c, c->in[2 + i]);
        c->out[1 + i] = make_broadcast(c, zero, &s);
    }
    c->n_out = 3;
    return !failed(c->out[0]) && !failed(c->out[1]) && !failed(c->out[2]);
}

/* Reduces x over all dims but `axis` (all when -1), keeping none. */
static ValueId range_of(Import *c, ValueId x, const char *kind, int axis) {
    int64_t axes[MAX_RANK];
    int n = 0;
    for (int i = 0; i < rank_of(c, x); i++)
        if (i != axis) axes[n++] = i;
    return n ? make_reduce(c, x, kind, n, axes, false) : x;
}

/* level / bound where the two have one sign, else larger than any scale */
static ValueId side_scale(Import *c, ValueId bound, double level) {
    ValueId levels = make_like(c, bound, level);
    ValueId zero = make_like(c, bound, 0);
    ValueId huge = make_like(c, bound,
                             dtype_of(c, bound) == DTYPE_F64   ? DBL_MAX
                             : dtype_of(c, bound) == DTYPE_F16 ? 65504
                                                               : FLT_MAX);
    ValueId product = mul(c, levels, bound);
    ValueId usable = make_binary(c, OP_GT, product, zero);
    ValueId quotient = divide(c, levels, bound);
    return make_select(c, usable, quotient, huge);
}

/* QuantizeAndDequantizeV2, V3, V4 (x, min, max[, num_bits]); arg 1: the first version, whose range is attributes */
bool import_quantize_dequantize(Import *c) {
    ValueId x = c->in[0];
    double bits = (double)attr_i(c, "num_bits", 8);
    int64_t axis_attr = attr_i(c, "axis", -1);
    int axis = -1;
    if (import_row(c)->arg == 3 && !const_scalar(c, 3, "num_bits", &bits)) return false;
    if (bits < 1 || bits > 62) return bad(c, "num_bits is %g", bits);
    if (axis_attr != -1 && !normalise_axis(c, axis_attr, rank_of(c, x), &axis)) return false;
    bool is_signed = attr_i(c, "signed_input", 1) != 0;
    bool narrow = attr_i(c, "narrow_range", 0) != 0;
    bool given = attr_i(c, "range_given", import_row(c)->arg == 3 ? 1 : 0) != 0;
    bool first = import_row(c)->arg == 1;
    double low = is_signed ? -ldexp(1, (int)bits - 1) + (narrow ? 1 : 0) : 0;
    double high = ldexp(1, (int)bits - (is_signed ? 1 : 0)) - 1;
    ValueId min = !given ? range_of(c, x, "min", axis) : first ? make_like(c, x, attr_f(c, "input_min", 0)) : c->in[1];
    ValueId max = !given ? range_of(c, x, "max", axis) : first ? make_like(c, x, attr_f(c, "input_max", 0)) : c->in[2];
    ValueId from_min = side_scale(c, min, low);
    ValueId from_max = side_scale(c, max, high);
    ValueId use_min = make_binary(c, OP_LT, from_min, from_max);
    ValueId scale = make_select(c, use_min, from_min, from_max);
    ValueId low_level = make_like(c, min, low != 0 ? low : 1);
    ValueId high_level = make_like(c, max, high);
    ValueId inverse_min = divide(c, min, low_level);
    ValueId inverse_max = divide(c, max, high_level);
    ValueId inverse = make_select(c, use_min, inverse_min, inverse_max);
    ValueId low_true = make_like(c, min, low);
    ValueId new_max = mul(c, high_level, inverse);
    ValueId new_min = mul(c, low_true, inverse);
    max = make_select(c, use_min, new_max, max);
    min = make_select(c, use_min, min, new_min);
    if (axis >= 0) {
        Shape s = {.rank = rank_of(c, x)};
        for (int i = 0; i < s.rank; i++) s.dims[i] = i == axis ? dim_of(c, x, axis) : dim_const(1);
        scale = make_reshape(c, scale, &s);
        inverse = make_reshape(c, inverse, &s);
        min = make_reshape(c, min, &s);
        max = make_reshape(c, max, &s);
    }
    if (given) {
        ValueId capped = make_binary(c, OP_MIN, x, max);
        x = make_binary(c, OP_MAX, capped, min);
    }
    ValueId scaled = mul(c, x, scale);
    bool half_up = strcmp(attr_s(c, "round_mode", "HALF_TO_EVEN"), "HALF_UP") == 0;
    ValueId level = half_up ? round_half_up(c, scaled) : make_unary(c, OP_ROUND, scaled);
    return give(c, mul(c, level, inverse));
}
