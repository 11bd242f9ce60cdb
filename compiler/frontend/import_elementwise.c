/* import_elementwise: scalar ops and compositions of them: arithmetic, comparisons, selection, casts, activations.
   Types that the scalar ops do not know (complex, string) go to the host row of the same name. */
#include "frontend/importer.h"
#include "ir/host.h"

#include <math.h>
#include <string.h>

static bool needs_host(const Import *c) {
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!is_plain(dtype_of(c, c->in[i]))) return true;
    return false;
}

bool import_unary(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    return give(c, make_unary(c, (OpId)import_row(c)->arg, c->in[0]));
}

/* Erf; of f64 TensorFlow's squares first: NaN where the square overflows, infinities included. */
bool import_erf(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    const ValueId y = make_unary(c, OP_ERF, c->in[0]);
    if (dtype_of(c, c->in[0]) != DTYPE_F64) return give(c, y);
    const ValueId square = make_binary(c, OP_MUL, c->in[0], c->in[0]), nothing = make_binary(c, OP_SUB, square, square);
    return give(c, make_binary(c, OP_SUB, y, nothing));
}

/* Both operands have one type in TensorFlow; a graph where they differ is wrong. */
static bool same_types(Import *c) {
    if (dtype_of(c, c->in[0]) == dtype_of(c, c->in[1])) return true;
    return bad(c, "operands have different types, %s and %s", dtype_info(dtype_of(c, c->in[0]))->text,
               dtype_info(dtype_of(c, c->in[1]))->text);
}

/* Arrays of gradients are added like tensors, which those of values of different shapes are not. */
static bool are_tensors(const Import *c) {
    for (uint32_t i = 0; i < c->n_in; i++) {
        const ListInfo *list = list_find(c->im, c->in[i]);
        if (list && (list->parts || list->meta.i))
            return unsupported(c, "computes with a list of values of different shapes as if it were a tensor");
    }
    return true;
}

bool import_binary(Import *c) {
    if (!are_tensors(c) || !same_types(c)) return false;
    if (needs_host(c)) return import_host_generic(c);
    return give(c, make_binary(c, (OpId)import_row(c)->arg, c->in[0], c->in[1]));
}

/* FloorDiv; of floats narrower than f32 the quotient is rounded before it is floored, as in TensorFlow. */
bool import_floor_div(Import *c) {
    if (!same_types(c)) return false;
    if (needs_host(c)) return import_host_generic(c);
    DType t = dtype_of(c, c->in[0]);
    if (!dtype_is_float(t) || dtype_size(t) >= 4) return give(c, make_binary(c, OP_FLOORDIV, c->in[0], c->in[1]));
    ValueId quotient = make_binary(c, OP_DIV, c->in[0], c->in[1]);
    return give(c, make_unary(c, OP_FLOOR, quotient));
}

/* TruncateDiv: the quotient of floats is rounded toward zero as that of integers is. */
bool import_truncate_div(Import *c) {
    if (!same_types(c)) return false;
    if (needs_host(c)) return import_host_generic(c);
    ValueId quotient = make_binary(c, OP_DIV, c->in[0], c->in[1]);
    return give(c, dtype_is_float(dtype_of(c, quotient)) ? make_unary(c, OP_TRUNC, quotient) : quotient);
}

/* Add and AddV2 of strings join them; the host row does that. Bitwise and logical ops are binaries of their own types.
 */

/* Equal and NotEqual with incompatible_shape_error=false: shapes that do not broadcast are simply not equal, a scalar
 * answer. */
static bool compare(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    return give(c, make_binary(c, (OpId)import_row(c)->arg, c->in[0], c->in[1]));
}

/* Shapes that only running tells and that need not fit: then the result is a scalar. Two branches. */
static bool equal_where_shapes_fit(Import *c, const Shape *a, const Shape *b) {
    ValueId fits = make_scalar_int(c, DTYPE_BOOL, 1);
    ValueId one = make_scalar_int(c, DTYPE_S64, 1);
    for (int i = 0; i < a->rank && i < b->rank; i++) {
        ValueId x = make_dims(c, DTYPE_S64, 0, 1, &a->dims[a->rank - 1 - i]);
        ValueId y = make_dims(c, DTYPE_S64, 0, 1, &b->dims[b->rank - 1 - i]);
        ValueId same = make_binary(c, OP_EQ, x, y);
        ValueId x_is_one = make_binary(c, OP_EQ, x, one);
        ValueId y_is_one = make_binary(c, OP_EQ, y, one);
        same = make_binary(c, OP_OR, same, make_binary(c, OP_OR, x_is_one, y_is_one));
        fits = make_binary(c, OP_AND, fits, same);
    }
    Passed passed;
    Branch branches[2];
    if (failed(fits) || !region_pass(c, 2, c->in, &passed)) return false;
    passed.inputs[0] = fits;
    for (int i = 0; i < 2; i++) {
        Import inside = *c;
        ValueId *in = NEW_ARRAY(c->im->arena, ValueId, 2);
        inside.in = in;
        inside.out = branches[i].results = NEW_ARRAY(c->im->arena, ValueId, 1);
        inside.r = branches[i].region = graph_add_region(c->g, (NodeId){0});
        region_receive(c, &passed, inside.r, NULL, in);
        if (i == 0 ? !compare(&inside)
                   : !give(&inside, make_scalar_int(&inside, DTYPE_BOOL, import_row(c)->arg == OP_NE)))
            return false;
    }
    return branches_join(c, OP_IF, &passed, 2, branches, 1);
}

bool import_equal(Import *c) {
    if (!same_types(c)) return false;
    bool tolerant = attr_i(c, "incompatible_shape_error", 1) == 0;
    Shape a = shape_copy(c, c->in[0]);
    Shape b = shape_copy(c, c->in[1]);
    Shape out;
    if (tolerant && !shape_broadcast(&c->g->dims, &a, &b, &out))
        return give(c, make_scalar_int(c, DTYPE_BOOL, import_row(c)->arg == OP_NE));
    for (int i = 0; tolerant && i < a.rank && i < b.rank; i++) {
        Dim x = a.dims[a.rank - 1 - i];
        Dim y = b.dims[b.rank - 1 - i];
        if (!dim_equal(x, y) && !dim_is(x, 1) && !dim_is(y, 1)) return equal_where_shapes_fit(c, &a, &b);
    }
    return compare(c);
}

/* x where the condition holds, else zero of the type; NaN in the unused branch does no harm. */
static ValueId zero_unless(Import *c, ValueId condition, ValueId x) {
    ValueId zero = make_like(c, x, 0);
    return make_select(c, condition, x, zero);
}

/* DivNoNan, MulNoNan, Xlogy, Xlog1py, Xdivy: zero where operand `zero_input` is zero. arg is a variant. */
typedef enum { GUARD_DIV_NO_NAN, GUARD_MUL_NO_NAN, GUARD_XLOGY, GUARD_XLOG1PY, GUARD_XDIVY } GuardKind;

bool import_guarded(Import *c) {
    if (!same_types(c)) return false;
    if (needs_host(c)) return import_host_generic(c);
    GuardKind kind = (GuardKind)import_row(c)->arg;
    ValueId x = c->in[0];
    ValueId y = c->in[1];
    ValueId guard = kind == GUARD_DIV_NO_NAN || kind == GUARD_MUL_NO_NAN ? y : x;
    if (kind == GUARD_XLOGY) y = make_unary(c, OP_LOG, y);
    if (kind == GUARD_XLOG1PY) y = make_unary(c, OP_LOG1P, y);
    ValueId r = make_binary(c, kind == GUARD_DIV_NO_NAN || kind == GUARD_XDIVY ? OP_DIV : OP_MUL, x, y);
    ValueId zero = make_like(c, guard, 0);
    ValueId condition = make_binary(c, OP_NE, guard, zero);
    return give(c, zero_unless(c, condition, r));
}

/* SquaredDifference */
bool import_squared_difference(Import *c) {
    if (!same_types(c)) return false;
    if (needs_host(c)) return import_host_generic(c);
    ValueId d = make_binary(c, OP_SUB, c->in[0], c->in[1]);
    return give(c, make_binary(c, OP_MUL, d, d));
}

bool import_square(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    return give(c, make_binary(c, OP_MUL, c->in[0], c->in[0]));
}

bool import_reciprocal(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    ValueId one = make_like(c, c->in[0], 1);
    return give(c, make_binary(c, OP_DIV, one, c->in[0]));
}

/* Floor, Ceil, Round, Rint. Round of integers is zero: that is what TensorFlow's CPU kernel answers. */
bool import_rounding(Import *c) {
    if (needs_host(c)) return import_host_generic(c);
    if (!dtype_is_float(dtype_of(c, c->in[0]))) {
        Shape s = shape_copy(c, c->in[0]);
        ValueId zero = make_like(c, c->in[0], 0);
        return give(c, make_broadcast(c, zero, &s));
    }
    return give(c, make_unary(c, (OpId)import_row(c)->arg, c->in[0]));
}

bool import_popcount(Import *c) {
    ValueId n = make_unary(c, OP_POPCOUNT, c->in[0]);
    return give(c, make_cast(c, n, DTYPE_U8));
}

/* AddN, AccumulateNV2: from left to right, as TensorFlow's kernel; nothing is broadcast. */
bool import_add_n(Import *c) {
    if (c->n_in == 0) return bad(c, "has no inputs");
    if (!are_tensors(c)) return false;
    for (uint32_t i = 1; i < c->n_in; i++) {
        const Shape first = value_at(c->g, c->in[0])->shape, other = value_at(c->g, c->in[i])->shape;
        if (first.rank != other.rank) return bad(c, "its inputs have %d and %d dimensions", first.rank, other.rank);
        for (int d = 0; d < first.rank; d++)
            if (!make_require(c, "equal", first.dims[d], other.dims[d])) return false;
    }
    if (needs_host(c)) return import_host_generic(c);
    ValueId sum = c->in[0];
    for (uint32_t i = 1; i < c->n_in; i++) sum = make_binary(c, OP_ADD, sum, c->in[i]);
    return give(c, sum);
}

static ValueId clip(Import *c, ValueId x, ValueId low, ValueId high) {
    ValueId capped = make_binary(c, OP_MIN, x, high);
    return make_binary(c, OP_MAX, capped, low);
}

/* Complex numbers are clipped part by part. */
bool import_clip(Import *c) {
    if (dtype_info(dtype_of(c, c->in[0]))->class_ != CLASS_COMPLEX)
        return give(c, clip(c, c->in[0], c->in[1], c->in[2]));
    ValueId parts[2];
    for (int i = 0; i < 2; i++) {
        ValueId in[3];
        for (int k = 0; k < 3; k++) in[k] = import_host(c, i ? "Imag" : "Real", 1, &c->in[k], 1);
        if (failed(in[0]) || failed(in[1]) || failed(in[2])) return false;
        parts[i] = clip(c, in[0], in[1], in[2]);
    }
    return !failed(parts[0]) && !failed(parts[1]) && give(c, import_host(c, "Complex", 2, parts, 1));
}

/* Select (arg 1): the condition is a scalar, of the shape of the alternatives (which have the same: import_agree.c), or
   a vector over their first dim. SelectV2 broadcasts. */
bool import_select(Import *c) {
    ValueId condition = c->in[0];
    int rank = rank_of(c, c->in[1]), rank_condition = rank_of(c, condition);
    bool fits = rank_condition == rank || rank_condition == 0 || (rank_condition == 1 && rank > 1);
    if (dtype_of(c, c->in[1]) != dtype_of(c, c->in[2])) return bad(c, "its alternatives have different types");
    if (import_row(c)->arg == 1 && !fits) return bad(c, "a condition of rank %d for rank %d", rank_condition, rank);
    for (int i = 0; import_row(c)->arg == 1 && i < rank_condition; i++)
        if (!make_require(c, "equal", dim_of(c, condition, i), dim_of(c, c->in[1], i))) return false;
    if (import_row(c)->arg == 1 && rank_condition == 1 && rank > 1) {
        Shape s = {.rank = rank};
        for (int i = 0; i < rank; i++) s.dims[i] = i == 0 ? dim_of(c, c->in[1], 0) : dim_const(1);
        condition = make_reshape(c, condition, &s);
    }
    return give(c, make_select(c, condition, c->in[1], c->in[2]));
}

static DType unsigned_of(size_t size) {
    return size == 1 ? DTYPE_U8 : size == 2 ? DTYPE_U16 : size == 4 ? DTYPE_U32 : DTYPE_U64;
}

static ValueId same_bits(Import *c, ValueId x, DType to) {
    Attr attrs[] = {attr_type("dtype", to)};
    return dtype_of(c, x) == to ? x : import_node(c, OP_BITCAST, 1, &x, 1, attrs);
}

static int mantissa_bits(DType t) {
    switch (t) {
    case DTYPE_F64:
        return 52;
    case DTYPE_F32:
        return 23;
    case DTYPE_F16:
        return 10;
    case DTYPE_BF16:
        return 7;
    case DTYPE_F8E4M3:
        return 3;
    case DTYPE_F8E5M2:
        return 2;
    default:
        return 64;
    }
}

/* Cast with Truncate: the bits of a float that the narrower one has no room for are cleared, so that rounding finds
   none. TensorFlow does not do so from bf16, and to bf16 only from f32. */
static ValueId without_low_bits(Import *c, ValueId x, DType to) {
    DType from = dtype_of(c, x);
    int lost = mantissa_bits(from) - mantissa_bits(to);
    if (!dtype_is_float(from) || lost <= 0 || from == DTYPE_BF16 || (from != DTYPE_F32 && to == DTYPE_BF16)) return x;
    DType integer = unsigned_of(dtype_size(from));
    ValueId mask = make_scalar_int(c, integer, -((int64_t)1 << lost));
    ValueId kept = same_bits(c, x, integer);
    kept = make_binary(c, OP_AND, kept, mask);
    return same_bits(c, kept, from);
}

bool import_cast(Import *c) {
    DType to = attr_t(c, "DstT", DTYPE_NONE);
    if (to == DTYPE_NONE) return bad(c, "has no attribute DstT");
    if (dtype_of(c, c->in[0]) == to) return give(c, c->in[0]);
    DTypeClass from_class = dtype_info(dtype_of(c, c->in[0]))->class_;
    bool tiny_from = dtype_is_float(dtype_of(c, c->in[0])) && dtype_size(dtype_of(c, c->in[0])) == 1;
    if (dtype_info(to)->class_ == CLASS_COMPLEX && tiny_from) { /* host functions do not know floats of 8 bits */
        ValueId wide = make_cast(c, c->in[0], DTYPE_F32);
        return !failed(wide) && give(c, import_host(c, "Cast", 1, &wide, 1));
    }
    if (from_class == CLASS_COMPLEX && dtype_is_float(to) && dtype_size(to) == 1) {
        ValueId real = import_host(c, "Real", 1, c->in, 1);
        return give(c, make_cast(c, real, to));
    }
    if (needs_host(c) || !is_plain(to)) return import_host_generic(c);
    ValueId x = attr_i(c, "Truncate", 0) ? without_low_bits(c, c->in[0], to) : c->in[0];
    return give(c, make_cast(c, x, to));
}

/* How far each of n pieces of this size is shifted, the lowest first. */
static ValueId shifts(Import *c, size_t n, size_t size, DType dtype) {
    int64_t by[8];
    for (size_t i = 0; i < n; i++) by[i] = (int64_t)(8 * size * i);
    Tensor t = tensor_ints(c->g->arena, dtype, (int64_t)n, by);
    return make_const(c, &t);
}

/* [...] of wide elements → [..., n] of narrow ones, in little-endian order */
static ValueId split_bits(Import *c, ValueId x, DType to) {
    size_t wide = dtype_size(dtype_of(c, x));
    size_t narrow = dtype_size(to);
    ValueId bits = same_bits(c, x, unsigned_of(wide));
    bits = make_expand(c, bits, rank_of(c, bits));
    ValueId by = shifts(c, wide / narrow, narrow, unsigned_of(wide));
    ValueId pieces = make_binary(c, OP_SHR, bits, by);
    pieces = make_cast(c, pieces, unsigned_of(narrow));
    return same_bits(c, pieces, to);
}

/* [..., n] of narrow elements → [...] of wide ones */
static ValueId join_bits(Import *c, ValueId x, DType to) {
    size_t wide = dtype_size(to);
    size_t narrow = dtype_size(dtype_of(c, x));
    int64_t last = rank_of(c, x) - 1;
    if (last < 0 || !dim_is(dim_of(c, x, (int)last), (int64_t)(wide / narrow))) {
        bad(c, "the last dimension must be the %zu elements that make one of the result's", wide / narrow);
        return (ValueId){0};
    }
    ValueId bits = same_bits(c, x, unsigned_of(narrow));
    bits = make_cast(c, bits, unsigned_of(wide));
    ValueId by = shifts(c, wide / narrow, narrow, unsigned_of(wide));
    ValueId placed = make_binary(c, OP_SHL, bits, by);
    ValueId sum = make_reduce(c, placed, "sum", 1, &last, false);
    return same_bits(c, sum, to);
}

/* Bitcast between sizes moves elements between the last dim and the element. */
bool import_bitcast(Import *c) {
    DType from = dtype_of(c, c->in[0]);
    DType to = attr_t(c, "type", DTYPE_NONE);
    if (to == DTYPE_NONE) return bad(c, "has no attribute 'type'");
    if (from == to) return give(c, c->in[0]);
    if (!is_plain(from) || !is_plain(to)) return import_host_generic(c);
    if (dtype_size(from) > dtype_size(to)) return give(c, split_bits(c, c->in[0], to));
    if (dtype_size(from) < dtype_size(to)) return give(c, join_bits(c, c->in[0], to));
    return give(c, same_bits(c, c->in[0], to));
}

/* ---- activations */

static ValueId relu(Import *c, ValueId x) {
    ValueId zero = make_like(c, x, 0);
    return make_binary(c, OP_MAX, x, zero);
}

bool import_relu(Import *c) {
    return give(c, relu(c, c->in[0]));
}

bool import_relu6(Import *c) {
    ValueId six = make_like(c, c->in[0], 6);
    ValueId x = relu(c, c->in[0]);
    return give(c, make_binary(c, OP_MIN, x, six));
}

/* x > 0 ? x * above : expm1(x) * below */
static ValueId elu(Import *c, ValueId x, double above, double below) {
    ValueId zero = make_like(c, x, 0);
    ValueId negative = make_unary(c, OP_EXPM1, x);
    ValueId positive = x;
    if (below != 1) {
        ValueId factor = make_like(c, x, below);
        negative = make_binary(c, OP_MUL, factor, negative);
    }
    if (above != 1) {
        ValueId factor = make_like(c, x, above);
        positive = make_binary(c, OP_MUL, factor, x);
    }
    ValueId condition = make_binary(c, OP_LT, x, zero);
    return make_select(c, condition, negative, positive);
}

bool import_elu(Import *c) {
    return give(c, elu(c, c->in[0], 1, 1));
}

bool import_selu(Import *c) {
    const double scale = 1.0507009873554804934193349852946;
    const double scale_alpha = 1.7580993408473768599402175208123;
    return give(c, elu(c, c->in[0], scale, scale_alpha));
}

ValueId make_leaky_relu(Import *c, ValueId x, double alpha) {
    ValueId a = make_like(c, x, alpha);
    ValueId scaled = make_binary(c, OP_MUL, x, a);
    if (alpha > 0 && alpha <= 1) return make_binary(c, OP_MAX, x, scaled);
    ValueId zero = make_like(c, x, 0);
    ValueId condition = make_binary(c, OP_GT, x, zero);
    return make_select(c, condition, x, scaled);
}

bool import_leaky_relu(Import *c) {
    return give(c, make_leaky_relu(c, c->in[0], attr_f(c, "alpha", 0.2)));
}

/* x / (1 + |x|) */
bool import_softsign(Import *c) {
    ValueId one = make_like(c, c->in[0], 1);
    ValueId magnitude = make_unary(c, OP_ABS, c->in[0]);
    ValueId divisor = make_binary(c, OP_ADD, one, magnitude);
    return give(c, make_binary(c, OP_DIV, c->in[0], divisor));
}

/* The activations that fused ops name. `text` as in the fused_ops attribute. */
ValueId make_activation(Import *c, const char *text, ValueId x) {
    static const struct {
        const char *name;
        OpId op;
    } unary[] = {{"Sigmoid", OP_SIGMOID}, {"Tanh", OP_TANH}, {"_Tanh", OP_TANH}, {"Softplus", OP_SOFTPLUS}};
    for (size_t i = 0; i < ARRAY_LEN(unary); i++)
        if (strcmp(text, unary[i].name) == 0) return make_unary(c, unary[i].op, x);
    if (strcmp(text, "Relu") == 0) return relu(c, x);
    if (strcmp(text, "Relu6") == 0) {
        ValueId six = make_like(c, x, 6);
        ValueId y = relu(c, x);
        return make_binary(c, OP_MIN, y, six);
    }
    if (strcmp(text, "Elu") == 0) return elu(c, x, 1, 1);
    if (strcmp(text, "LeakyRelu") == 0) return make_leaky_relu(c, x, attr_f(c, "leakyrelu_alpha", 0.2));
    if (strcmp(text, "GeluExact") == 0) { /* x/2 * (1 + erf(x/√2)) */
        ValueId half = make_like(c, x, 0.5);
        ValueId root = make_like(c, x, 0.70710678118654752440);
        ValueId one = make_like(c, x, 1);
        ValueId scaled = make_binary(c, OP_MUL, x, root);
        ValueId erf = make_unary(c, OP_ERF, scaled);
        ValueId sum = make_binary(c, OP_ADD, erf, one);
        ValueId halved = make_binary(c, OP_MUL, x, half);
        return make_binary(c, OP_MUL, halved, sum);
    }
    if (strcmp(text, "GeluApproximate") == 0) { /* x/2 * (1 + tanh(√(2/π) (x + 0.044715 x³))) */
        ValueId k = make_like(c, x, 0.044715);
        ValueId root = make_like(c, x, 0.79788456080286535588);
        ValueId half = make_like(c, x, 0.5);
        ValueId one = make_like(c, x, 1);
        ValueId square = make_binary(c, OP_MUL, x, x);
        ValueId cube = make_binary(c, OP_MUL, square, x);
        ValueId scaled = make_binary(c, OP_MUL, cube, k);
        ValueId inner = make_binary(c, OP_ADD, x, scaled);
        ValueId argument = make_binary(c, OP_MUL, inner, root);
        ValueId tanh = make_unary(c, OP_TANH, argument);
        ValueId sum = make_binary(c, OP_ADD, tanh, one);
        ValueId halved = make_binary(c, OP_MUL, x, half);
        return make_binary(c, OP_MUL, halved, sum);
    }
    unsupported(c, "fused op '%s' is not known", text);
    return (ValueId){0};
}
