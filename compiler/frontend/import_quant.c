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

/* Rounds x to the levels between min and max (scalars or one for each channel), nudged so that zero is a level. */
static ValueId fake_quant(Import *c, ValueId x, ValueId min, ValueId max) {
    int64_t bits = attr_i(c, "num_bits", 8);
    if (bits < 2 || bits > 16) {
        bad(c, "num_bits is %lld", (long long)bits);
        return (ValueId){0};
    }
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
    ValueId nudged_min = mul(c, below, scale);
    ValueId nudged_max = mul(c, above, scale);
    ValueId one = number(c, 1);
    ValueId inverse = divide(c, one, scale);
    ValueId capped = make_binary(c, OP_MIN, x, nudged_max);
    ValueId clamped = make_binary(c, OP_MAX, capped, nudged_min);
    ValueId shifted = sub(c, clamped, nudged_min);
    ValueId scaled = mul(c, shifted, inverse);
    ValueId level = round_half_up(c, scaled);
    ValueId back = mul(c, level, scale);
    ValueId y = add(c, back, nudged_min);
    /* an empty range: all zero */
    ValueId zero = number(c, 0);
    ValueId min_zero = make_binary(c, OP_EQ, min, zero);
    ValueId max_zero = make_binary(c, OP_EQ, max, zero);
    ValueId empty = make_binary(c, OP_AND, min_zero, max_zero);
    return make_select(c, empty, zero, y);
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

/* QuantizeAndDequantizeV2, V3, V4 (x, min, max[, num_bits]) */
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
    bool given = attr_i(c, "range_given", import_row(c)->arg == 2 ? 0 : 1) != 0;
    double low = is_signed ? -ldexp(1, (int)bits - 1) + (narrow ? 1 : 0) : 0;
    double high = ldexp(1, (int)bits - (is_signed ? 1 : 0)) - 1;
    ValueId min = given ? c->in[1] : range_of(c, x, "min", axis);
    ValueId max = given ? c->in[2] : range_of(c, x, "max", axis);
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
