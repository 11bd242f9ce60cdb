/* import_quantized: ops on integers that stand for floats by a range (min, max): QuantizeV2, Dequantize and the legacy
   Quantized… ops, in the arithmetic of TensorFlow's kernels. Ranges are ordinary f32 values, one for the tensor or one
   for each slice along an axis. */
#include "frontend/import_arithmetic.h"

#include <float.h>
#include <math.h>
#include <string.h>

static ValueId least(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_MIN, a, b);
}
static ValueId most(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_MAX, a, b);
}

static double lowest(DType t) {
    return dtype_is_signed(t) ? -ldexp(1, dtype_info(t)->bits - 1) : 0;
}
static double highest(DType t) {
    return ldexp(1, dtype_info(t)->bits - (dtype_is_signed(t) ? 1 : 0)) - 1;
}

/* To the nearest integer, halves away from zero. */
static ValueId round_away(Import *c, ValueId x) {
    ValueId whole = make_unary(c, OP_TRUNC, x);
    ValueId rest = sub(c, x, whole);
    ValueId distance = make_unary(c, OP_ABS, rest);
    ValueId half = make_like(c, x, 0.5);
    ValueId up = make_binary(c, OP_GE, distance, half);
    ValueId step = make_unary(c, OP_SIGN, x);
    ValueId zero = make_like(c, x, 0);
    ValueId by = make_select(c, up, step, zero);
    return add(c, whole, by);
}

/* A vector of ranges shaped to broadcast along `axis` of x; a single range as it is. */
static ValueId along(Import *c, ValueId range, ValueId x, int64_t axis) {
    Shape s = {.rank = rank_of(c, x)};
    if (rank_of(c, range) == 0 || failed(range)) return range;
    if (axis < 0) {
        s.rank = 0; /* one range in a vector of one */
        return make_reshape(c, range, &s);
    }
    for (int i = 0; i < s.rank; i++) s.dims[i] = i == axis ? dim_of(c, range, 0) : dim_const(1);
    return make_reshape(c, range, &s);
}

static bool read_axis(Import *c, int64_t *axis) {
    int at = -1;
    *axis = attr_i(c, "axis", -1);
    if (*axis != -1 && !normalise_axis(c, *axis, rank_of(c, c->in[0]), &at)) return false;
    *axis = at;
    return true;
}

/* Integer levels of type `to` for x between min and max, first level at the lowest number: round(x * scale) -
 * (round(min * scale) - lowest). */
static ValueId quantize_first(Import *c, ValueId x, ValueId min, ValueId max, DType to) {
    ValueId steps = make_like(c, min, highest(to) - lowest(to));
    ValueId span = sub(c, max, min);
    ValueId scale = divide(c, steps, span);
    ValueId empty = make_binary(c, OP_EQ, max, min);
    ValueId zero = make_like(c, min, 0);
    scale = make_select(c, empty, zero, scale);
    ValueId scaled = mul(c, x, scale);
    ValueId level = round_away(c, scaled);
    ValueId first = mul(c, min, scale);
    first = round_away(c, first);
    /* the largest f32 that is an s32: 2^31 - 1 itself would round up and overflow */
    bool rounds_up = to == DTYPE_S32 && dtype_of(c, min) == DTYPE_F32;
    ValueId low = make_like(c, min, lowest(to));
    ValueId high = make_like(c, min, rounds_up ? 2147483520.0 : highest(to));
    ValueId shift = sub(c, first, low);
    level = sub(c, level, shift);
    level = most(c, level, low);
    level = least(c, level, high);
    level = make_cast(c, level, DTYPE_S32); /* from where it wraps: a NaN becomes 0 in narrow types */
    return make_cast(c, level, to);
}

/* level / bound where the two have one sign, else larger than any scale */
static ValueId side_scale(Import *c, ValueId bound, double level) {
    ValueId levels = number(c, level);
    ValueId zero = number(c, 0);
    ValueId huge = number(c, FLT_MAX);
    ValueId product = mul(c, levels, bound);
    ValueId usable = make_binary(c, OP_GT, product, zero);
    ValueId quotient = divide(c, levels, bound);
    return make_select(c, usable, quotient, huge);
}

/* The product of f32 values rounded to f32 before anything is added to it: with 32-bit levels the rounding is many
   levels wide, and a fused multiply-add would not have it. */
static ValueId rounded_product(Import *c, ValueId a, ValueId b) {
    ValueId wide_a = make_cast(c, a, DTYPE_F64);
    ValueId wide_b = make_cast(c, b, DTYPE_F64);
    ValueId product = mul(c, wide_a, wide_b);
    return make_cast(c, product, DTYPE_F32);
}

/* QuantizeV2 (x, min, max) -> levels, min, max */
bool import_quantize(Import *c) {
    DType to = attr_t(c, "T", DTYPE_U8);
    const char *mode = attr_s(c, "mode", "MIN_COMBINED");
    int64_t axis;
    if (!dtype_is_int(to) || !read_axis(c, &axis))
        return dtype_is_int(to) ? false : bad(c, "quantises to a type that has no levels");
    ValueId x = c->in[0];
    ValueId zero = number(c, 0);
    ValueId one = number(c, 1);
    ValueId minimum = number(c, attr_f(c, "ensure_minimum_range", 0.01));
    /* zero lies in the range, and the range is not empty */
    ValueId size_min = make_unary(c, OP_ABS, c->in[1]);
    ValueId size_max = make_unary(c, OP_ABS, c->in[2]);
    ValueId size = most(c, size_min, size_max);
    size = most(c, size, one);
    ValueId epsilon = mul(c, size, minimum);
    ValueId min = least(c, c->in[1], zero);
    ValueId apart = add(c, min, epsilon);
    ValueId max = most(c, c->in[2], apart);
    max = most(c, max, zero);
    ValueId levels;
    if (strcmp(mode, "SCALED") == 0) {
        double low = lowest(to) + (attr_i(c, "narrow_range", 0) ? 1 : 0);
        ValueId from_min = side_scale(c, min, low);
        ValueId from_max = side_scale(c, max, highest(to));
        ValueId scale = least(c, from_min, from_max);
        ValueId low_level = number(c, low);
        ValueId high_level = number(c, highest(to));
        min = divide(c, low_level, scale);
        max = divide(c, high_level, scale);
        ValueId wide_min = along(c, min, x, axis);
        ValueId wide_max = along(c, max, x, axis);
        ValueId wide_scale = along(c, scale, x, axis);
        ValueId clamped = least(c, x, wide_max);
        clamped = most(c, clamped, wide_min);
        ValueId scaled = mul(c, clamped, wide_scale);
        bool even = strcmp(attr_s(c, "round_mode", ""), "HALF_TO_EVEN") == 0;
        levels = even ? make_unary(c, OP_ROUND, scaled) : round_away(c, scaled);
        levels = make_cast(c, levels, to);
    } else if (strcmp(mode, "MIN_FIRST") == 0) {
        ValueId wide_min = along(c, min, x, axis);
        ValueId wide_max = along(c, max, x, axis);
        levels = quantize_first(c, x, wide_min, wide_max, to);
    } else {
        ValueId wide_min = along(c, min, x, axis);
        ValueId wide_max = along(c, max, x, axis);
        ValueId steps = number(c, highest(to) - lowest(to));
        ValueId span = sub(c, wide_max, wide_min);
        ValueId scale = divide(c, steps, span);
        ValueId clamped = least(c, x, wide_max);
        clamped = most(c, clamped, wide_min);
        ValueId shifted = sub(c, clamped, wide_min);
        ValueId scaled = rounded_product(c, shifted, scale);
        if (dtype_is_signed(to)) {
            ValueId half_range = number(c, (highest(to) - lowest(to) + 1) / 2);
            scaled = sub(c, scaled, half_range);
            levels = round_away(c, scaled);
        } else {
            ValueId half = number(c, 0.5);
            levels = add(c, scaled, half);
        }
        levels = make_cast(c, levels, to);
    }
    c->out[0] = levels;
    c->out[1] = axis < 0 ? along(c, min, x, -1) : min;
    c->out[2] = axis < 0 ? along(c, max, x, -1) : max;
    c->n_out = 3;
    return !failed(c->out[0]) && !failed(c->out[1]) && !failed(c->out[2]);
}

/* What levels of type `from` stand for when the lowest is min and the highest max. */
static ValueId dequantize_first(Import *c, ValueId x, ValueId min, ValueId max, DType from) {
    ValueId steps = number(c, highest(from) - lowest(from));
    ValueId span = sub(c, max, min);
    ValueId scale = divide(c, span, steps);
    ValueId ratio = divide(c, min, scale);
    ValueId whole = round_away(c, ratio);
    ValueId snapped = mul(c, whole, scale);
    ValueId empty = make_binary(c, OP_EQ, max, min);
    ValueId start = make_select(c, empty, min, snapped);
    ValueId low = number(c, lowest(from));
    ValueId level = make_cast(c, x, DTYPE_F32);
    level = sub(c, level, low);
    ValueId value = mul(c, level, scale);
    return add(c, value, start);
}

bool import_dequantize(Import *c) {
    DType from = dtype_of(c, c->in[0]);
    const char *mode = attr_s(c, "mode", "MIN_COMBINED");
    int64_t axis;
    if (!dtype_is_int(from) || !read_axis(c, &axis))
        return dtype_is_int(from) ? false : bad(c, "its operand has no levels");
    ValueId min = along(c, c->in[1], c->in[0], axis);
    ValueId max = along(c, c->in[2], c->in[0], axis);
    ValueId y;
    if (strcmp(mode, "MIN_FIRST") == 0) {
        y = dequantize_first(c, c->in[0], min, max, from);
    } else {
        ValueId x = make_cast(c, c->in[0], DTYPE_F32);
        double low = lowest(from) + (attr_i(c, "narrow_range", 0) ? 1 : 0);
        if (strcmp(mode, "SCALED") == 0) {
            if (from == DTYPE_S32 &&
                axis < 0) { /* TensorFlow takes them through f32 and back: the largest ones wrap round */
                ValueId limit = number(c, 0x1p31);
                ValueId wraps = make_binary(c, OP_GE, x, limit);
                ValueId wrapped = number(c, -0x1p31);
                x = make_select(c, wraps, wrapped, x);
            }
            ValueId high_level = number(c, highest(from));
            ValueId scale = divide(c, max, high_level);
            if (lowest(from) != 0) {
                ValueId low_level = number(c, low);
                ValueId from_min = divide(c, min, low_level);
                scale = most(c, from_min, scale);
            }
            y = mul(c, x, scale);
        } else {
            ValueId steps = number(c, highest(from) - lowest(from));
            ValueId span = sub(c, max, min);
            ValueId scale = divide(c, span, steps);
            ValueId half_range = number(c, lowest(from) == 0 ? 0 : (highest(from) - lowest(from) + 1) / 2);
            ValueId level = add(c, x, half_range);
            ValueId value = mul(c, level, scale);
            y = add(c, value, min);
        }
    }
    return give(c, make_cast(c, y, attr_t(c, "dtype", DTYPE_F32)));
}

/* ---- legacy ops on levels */

/* Levels of f64 reals: TensorFlow's FloatToQuantized computes in double. */
static ValueId levels_of(Import *c, ValueId real, ValueId min, ValueId max, DType to) {
    ValueId wide_min = make_cast(c, min, DTYPE_F64);
    ValueId wide_max = make_cast(c, max, DTYPE_F64);
    return quantize_first(c, real, wide_min, wide_max, to);
}

static ValueId level_of(Import *c, double v, ValueId min, ValueId max, DType to) {
    ValueId x = make_scalar(c, DTYPE_F64, v);
    return levels_of(c, x, min, max, to);
}

static ValueId scalar(Import *c, ValueId range) {
    return along(c, range, c->in[0], -1);
}

/* QuantizedRelu (arg 0), QuantizedRelu6 (arg 6) (x, min, max) */
bool import_quantized_relu(Import *c) {
    DType t = dtype_of(c, c->in[0]);
    ValueId min = scalar(c, c->in[1]);
    ValueId max = scalar(c, c->in[2]);
    ValueId zero = level_of(c, 0, min, max, t);
    ValueId y = most(c, c->in[0], zero);
    if (import_row(c)->arg) {
        ValueId cap = level_of(c, import_row(c)->arg, min, max, t);
        y = least(c, y, cap);
    }
    c->out[0] = y;
    c->out[1] = min;
    c->out[2] = max;
    c->n_out = 3;
    return !failed(y);
}

/* QuantizedMaxPool, QuantizedReshape …: the levels move, the range stays. The row's text is the op that moves them. */
bool import_quantized_move(Import *c) {
    const TfOpRow *row = tf_op_find(import_row(c)->text);
    uint32_t first = c->n_in - 2; /* the range comes last */
    Import plain = *c;
    TfNode node = *c->n;
    node.op = row->name;
    plain.n = arena_memdup(c->im->arena, &node, sizeof node);
    plain.n_in = first;
    if (!row->import(&plain)) return false;
    c->out[1] = c->in[first];
    c->out[2] = c->in[first + 1];
    c->n_out = 3;
    return true;
}

/* Requantize (x, min, max, requested min, max): s32 levels to narrower ones; RequantizationRange the range that is
   used; QuantizeDownAndShrinkRange both. s32 levels stand symmetrically for the whole of their range. */
static ValueId real_of(Import *c, ValueId x, ValueId min, ValueId max) {
    DType from = dtype_of(c, x);
    ValueId span = sub(c, max, min);
    ValueId wide_span = make_cast(c, span, DTYPE_F64);
    ValueId steps = make_scalar(c, DTYPE_F64, highest(from) - lowest(from));
    ValueId scale = divide(c, wide_span, steps);
    ValueId narrow_scale = make_cast(c, scale, DTYPE_F32);
    ValueId ratio = divide(c, min, narrow_scale);
    ValueId whole = round_away(c, ratio);
    ValueId snapped = mul(c, whole, narrow_scale);
    ValueId start = make_cast(c, snapped, DTYPE_F64);
    ValueId low = make_scalar(c, DTYPE_F64, lowest(from));
    ValueId level = make_cast(c, x, DTYPE_F64);
    level = sub(c, level, low);
    ValueId value = mul(c, level, scale);
    value = add(c, value, start);
    ValueId empty = make_binary(c, OP_EQ, max, min);
    ValueId wide_min = make_cast(c, min, DTYPE_F64);
    return make_select(c, empty, wide_min, value);
}

/* s32 levels between min and max as u8 levels between to_min and to_max, in TensorFlow's fixed point of 16 bits. */
static ValueId requantize_fixed(Import *c, ValueId x, ValueId min, ValueId max, ValueId to_min, ValueId to_max) {
    ValueId zero = make_scalar(c, DTYPE_F64, 0);
    ValueId span = sub(c, max, min);
    ValueId to_span = sub(c, to_max, to_min);
    ValueId wide_span = make_cast(c, span, DTYPE_F64);
    ValueId wide_to_span = make_cast(c, to_span, DTYPE_F64);
    ValueId empty = make_binary(c, OP_EQ, wide_to_span, zero);
    /* how many 2^-16 levels a level of x counts, times 2^32 */
    ValueId unit = make_scalar(c, DTYPE_F64, 255.0 * 65536);
    ValueId scale = mul(c, unit, wide_span);
    scale = divide(c, scale, wide_to_span);
    scale = make_select(c, empty, zero, scale);
    scale = make_cast(c, scale, DTYPE_S64);
    /* what x = 0 stands for, and the lowest level of the result */
    ValueId most_levels = make_scalar(c, DTYPE_F64, 255);
    ValueId inverse = divide(c, most_levels, wide_to_span);
    inverse = make_select(c, empty, zero, inverse);
    inverse = make_cast(c, inverse, DTYPE_F32);
    ValueId half = number(c, 0.5);
    ValueId sum = add(c, min, max);
    ValueId middle = mul(c, sum, half);
    middle = mul(c, middle, inverse);
    ValueId fixed_one = number(c, 65536);
    middle = mul(c, middle, fixed_one);
    ValueId offset = make_cast(c, middle, DTYPE_S64);
    ValueId wide_to_min = make_cast(c, to_min, DTYPE_F64);
    ValueId first = mul(c, wide_to_min, unit);
    first = divide(c, first, wide_to_span);
    first = make_select(c, empty, zero, first);
    first = make_cast(c, first, DTYPE_S64);
    ValueId rounding = make_scalar(c, DTYPE_S64, 32768);
    offset = sub(c, offset, first);
    offset = add(c, offset, rounding);
    ValueId level = make_cast(c, x, DTYPE_S64);
    level = mul(c, level, scale);
    ValueId whole_word = make_scalar(c, DTYPE_S64, 32);
    level = make_binary(c, OP_SHR, level, whole_word);
    level = add(c, level, offset);
    ValueId fraction = make_scalar(c, DTYPE_S64, 16);
    level = make_binary(c, OP_SHR, level, fraction);
    ValueId lowest_level = make_scalar(c, DTYPE_S64, 0);
    ValueId highest_level = make_scalar(c, DTYPE_S64, 255);
    level = most(c, level, lowest_level);
    level = least(c, level, highest_level);
    return make_cast(c, level, DTYPE_U8);
}

/* Levels of c->in[0], which lies between from_min and from_max, in a new range; narrowed to f32 as TensorFlow does on
   the way. */
static bool give_levels(Import *c, ValueId from_min, ValueId from_max, ValueId min, ValueId max, DType to) {
    if (dtype_of(c, c->in[0]) == DTYPE_S32 && to == DTYPE_U8) {
        c->out[0] = requantize_fixed(c, c->in[0], from_min, from_max, min, max);
    } else {
        ValueId real = real_of(c, c->in[0], from_min, from_max);
        ValueId narrow = make_cast(c, real, DTYPE_F32);
        ValueId wide = make_cast(c, narrow, DTYPE_F64);
        c->out[0] = levels_of(c, wide, min, max, to);
    }
    c->out[1] = min;
    c->out[2] = max;
    c->n_out = 3;
    return !failed(c->out[0]);
}

bool import_requantize(Import *c) {
    ValueId min = scalar(c, c->in[1]);
    ValueId max = scalar(c, c->in[2]);
    ValueId to_min = scalar(c, c->in[3]);
    ValueId to_max = scalar(c, c->in[4]);
    ValueId zero = number(c, 0);
    to_min = least(c, to_min, zero);
    return give_levels(c, min, max, to_min, to_max, attr_t(c, "out_type", DTYPE_U8));
}

static void used_range(Import *c, ValueId *out_min, ValueId *out_max) {
    int64_t axes[MAX_RANK];
    int rank = rank_of(c, c->in[0]);
    ValueId min = scalar(c, c->in[1]);
    ValueId max = scalar(c, c->in[2]);
    for (int i = 0; i < rank; i++) axes[i] = i;
    ValueId low = rank ? make_reduce(c, c->in[0], "min", rank, axes, false) : c->in[0];
    ValueId high = rank ? make_reduce(c, c->in[0], "max", rank, axes, false) : c->in[0];
    ValueId zero = number(c, 0);
    ValueId wide_low = real_of(c, low, min, max);
    ValueId wide_high = real_of(c, high, min, max);
    ValueId real_low = make_cast(c, wide_low, DTYPE_F32);
    ValueId real_high = make_cast(c, wide_high, DTYPE_F32);
    *out_min = least(c, real_low, zero);
    *out_max = real_high;
}

bool import_requantization_range(Import *c) {
    used_range(c, &c->out[0], &c->out[1]);
    c->n_out = 2;
    return !failed(c->out[0]) && !failed(c->out[1]);
}

bool import_quantize_down(Import *c) {
    ValueId min;
    ValueId max;
    used_range(c, &min, &max);
    ValueId from_min = scalar(c, c->in[1]);
    ValueId from_max = scalar(c, c->in[2]);
    return give_levels(c, from_min, from_max, min, max, attr_t(c, "out_type", DTYPE_U8));
}

/* ---- products of levels: s32 sums, whose range follows from those of the operands */

/* Levels counted from the one that stands for zero, as s32. */
static ValueId centred(Import *c, ValueId x, ValueId min, ValueId max) {
    DType t = dtype_of(c, x);
    ValueId zero = level_of(c, 0, min, max, t);
    ValueId offset = make_cast(c, zero, DTYPE_S32);
    ValueId level = make_cast(c, x, DTYPE_S32);
    return sub(c, level, offset);
}

/* The ranges of both operands, lowest and highest each, and the product of their centred levels. */
static bool give_product(Import *c, ValueId product, DType a, DType b, ValueId range[4]) {
    ValueId span_a = sub(c, range[1], range[0]);
    ValueId span_b = sub(c, range[3], range[2]);
    ValueId steps_a = number(c, highest(a) - lowest(a));
    ValueId steps_b = number(c, highest(b) - lowest(b));
    ValueId step_a = divide(c, span_a, steps_a);
    ValueId step_b = divide(c, span_b, steps_b);
    ValueId step = mul(c, step_a, step_b);
    ValueId low = number(c, lowest(DTYPE_S32));
    ValueId high = number(c, highest(DTYPE_S32));
    c->out[0] = product;
    c->out[1] = mul(c, step, low);
    c->out[2] = mul(c, step, high);
    c->n_out = 3;
    return !failed(product) && !failed(c->out[2]);
}

/* QuantizedConv2D, QuantizedMatMul, QuantizedMul (a, b, min a, max a, min b, max b); the row's text is the op on plain
 * integers. */
bool import_quantized_product(Import *c) {
    ValueId range[4];
    DType a = dtype_of(c, c->in[0]);
    DType b = dtype_of(c, c->in[1]);
    if (attr_t(c, "out_type", attr_t(c, "Toutput", DTYPE_S32)) != DTYPE_S32)
        return unsupported(c, "only sums of 32 bits are compiled");
    for (uint32_t i = 0; i < 4; i++) range[i] = scalar(c, c->in[i + 2]);
    ValueId operands[2];
    operands[0] = centred(c, c->in[0], range[0], range[1]);
    operands[1] = centred(c, c->in[1], range[2], range[3]);
    if (failed(operands[0]) || failed(operands[1])) return false;
    const TfOpRow *row = tf_op_find(import_row(c)->text);
    TfNode node = *c->n;
    Import plain = *c;
    node.op = row->name;
    plain.n = arena_memdup(c->im->arena, &node, sizeof node);
    plain.in = operands;
    plain.n_in = 2;
    return row->import(&plain) && give_product(c, c->out[0], a, b, range);
}

/* ---- Uniform…: scale and zero point instead of a range */

/* A vector of scales along `axis`, or a scalar. */
static ValueId uniform_operand(Import *c, ValueId v, ValueId x) {
    int64_t axis = attr_i(c, "quantization_axis", -1);
    return rank_of(c, v) == 0 ? v : along(c, v, x, axis);
}

/* round(x / scale) + zero point, clamped to the attributes' range */
static ValueId uniform_levels(Import *c, ValueId x, ValueId scale, ValueId zero_point, DType to, const char *prefix) {
    ValueId one = number(c, 1);
    ValueId inverse = divide(c, one, scale);
    ValueId scaled = mul(c, x, inverse);
    ValueId half = number(c, 0.5);
    ValueId shifted = add(c, scaled, half);
    ValueId level = make_unary(c, OP_FLOOR, shifted);
    ValueId zero = make_cast(c, zero_point, DTYPE_F32);
    level = add(c, level, zero);
    ValueId low =
        number(c, (double)attr_i(c, arena_printf(c->im->arena, "%squantization_min_val", prefix), (int64_t)lowest(to)));
    ValueId high = number(
        c, (double)attr_i(c, arena_printf(c->im->arena, "%squantization_max_val", prefix), (int64_t)highest(to)));
    level = most(c, level, low);
    level = least(c, level, high);
    return make_cast(c, level, to);
}

bool import_uniform_quantize(Import *c) {
    ValueId scale = uniform_operand(c, c->in[1], c->in[0]);
    ValueId zero = uniform_operand(c, c->in[2], c->in[0]);
    return give(c, uniform_levels(c, c->in[0], scale, zero, attr_t(c, "Tout", DTYPE_S8), ""));
}

bool import_uniform_dequantize(Import *c) {
    ValueId scale = uniform_operand(c, c->in[1], c->in[0]);
    ValueId zero = uniform_operand(c, c->in[2], c->in[0]);
    ValueId level = make_cast(c, c->in[0], DTYPE_S32);
    level = sub(c, level, zero);
    ValueId real = make_cast(c, level, DTYPE_F32);
    return give(c, mul(c, real, scale));
}
