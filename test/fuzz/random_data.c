/* random_data: elements of random tensors, nodes without inputs, and every row of scalar.def. Operands are led to where
   a function is defined most of the time, and left alone now and then. */
#include "random_graph.h"

#include <math.h>
#include <string.h>

/* ---- tensors */

static double edge_value(Random *r, DType t) {
    static const double edges[] = {NAN, INFINITY, -INFINITY, -0.0, 0, 1, -1, 1e-40, 1e6, 0.5, -0.5, 2};
    double x = edges[random_below(r, ARRAY_LEN(edges))];
    return t == DTYPE_F16 && fabs(x) > 100 && isfinite(x) ? 100 : x; /* where sums overflow says nothing */
}

static double float_element(Random *r, DType t, Fill fill) {
    switch (fill) {
    case FILL_SMALL_INTEGERS:
        return (double)random_between(r, -4, 4);
    case FILL_QUARTERS:
        return (double)random_between(r, -16, 16) / 4;
    case FILL_EDGES:
        if (random_chance(r, 12)) return edge_value(r, t);
        break;
    default:
        break;
    }
    return (double)random_between(r, -2000000, 2000000) * 1e-6;
}

static int64_t integer_element(Random *r, DType t, Fill fill) {
    if (t == DTYPE_BOOL) return (int64_t)(random_bits(r) & 1);
    if (fill == FILL_ANY_BITS) return (int64_t)random_bits(r);
    return random_between(r, dtype_is_signed(t) ? -4 : 0, 5);
}

static int64_t index_element(Random *r, int64_t below, bool outside) {
    if (outside && random_chance(r, 4))
        return random_chance(r, 50) ? below + random_below(r, 3) : -1 - random_below(r, 3);
    return random_below(r, below);
}

/* Data is padded as sessions like it, and exactly as long as it is where a sanitizer looks. */
Tensor random_tensor(Arena *arena, Random *r, DType dtype, int rank, const int64_t *dims, Fill fill, int64_t below,
                     bool outside) {
    static const char *const words[] = {"a", "", "tensor", "bc", "\xc3\xa9", "longer than a register by far"};
    Tensor t = tensor_new(arena, dtype, rank, dims);
    int64_t n = tensor_count(&t);
    for (int64_t i = 0; i < n; i++) {
        char letter = dtype_letter(dtype);
        if (letter == 'S') {
            const char *word = words[random_below(r, ARRAY_LEN(words))];
            ((StringElement *)(uintptr_t)t.data)[i] = (StringElement){word, strlen(word)};
        } else if (letter == 'C') {
            for (int64_t k = 2 * i; k < 2 * i + 2; k++) {
                double x = float_element(r, DTYPE_F32, fill);
                if (dtype == DTYPE_C64)
                    ((float *)(uintptr_t)t.data)[k] = (float)x;
                else
                    ((double *)(uintptr_t)t.data)[k] = x;
            }
        } else if (fill == FILL_INDEXES) {
            tensor_set_i64(&t, i, index_element(r, below, outside));
        } else if (letter == 'F') {
            tensor_set_f64(&t, i, float_element(r, dtype, fill));
        } else {
            tensor_set_i64(&t, i, integer_element(r, dtype, fill));
        }
    }
    return t;
}

/* ---- data without inputs */

static bool leaf(Maker *m) {
    Shape s = pick_shape(m, 0, 6);
    return keep(m, make_leaf(m, pick_dtype(m), &s));
}

bool random_const(Maker *m, OpId op) {
    (void)op;
    return leaf(m);
}

bool random_iota(Maker *m, OpId op) {
    DType t = pick_dtype(m);
    Shape s = pick_shape(m, 1, 4);
    Attr a[] = {attr_dims(m->g->arena, "shape", (size_t)s.rank, s.dims), attr_int("axis", random_below(m->r, s.rank)),
                attr_type("dtype", t)};
    return (dtype_is_float(t) || dtype_is_int(t)) && keep_as(m, make_node(m, op, 0, NULL, 3, a), 5);
}

/* Sizes of something as numbers: shape arithmetic. */
bool random_dims_tensor(Maker *m, OpId op) {
    (void)op;
    ValueId x = pick_value(m, "FIUBSC", 0, 6);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    DType t = random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64;
    if (s.rank && random_chance(m->r, 30))
        return keep(m, build_dims(m->g, m->region, t, 0, 1, &s.dims[random_below(m->r, s.rank)], ""));
    return keep(m, build_dims(m->g, m->region, t, 1, s.rank, s.dims, ""));
}

/* ---- element-wise */

typedef enum { FREE, POSITIVE, ABOVE_ONE, WITHIN_ONE, MODERATE } Domain;

/* Where a function of floats is finite and well-behaved, and how large its results become. */
static const struct {
    OpId op;
    Domain domain;
    float magnitude; /* -1: that of its operands */
} functions[] = {
    {OP_SQRT, POSITIVE, -1},  {OP_RSQRT, POSITIVE, 2},  {OP_LOG, POSITIVE, 4},     {OP_LOG1P, POSITIVE, 4},
    {OP_ASIN, WITHIN_ONE, 1}, {OP_ACOS, WITHIN_ONE, 2}, {OP_ATANH, WITHIN_ONE, 4}, {OP_ACOSH, ABOVE_ONE, 4},
    {OP_EXP, MODERATE, 6},    {OP_EXPM1, MODERATE, 6},  {OP_SINH, MODERATE, 6},    {OP_COSH, MODERATE, 6},
    {OP_TAN, WITHIN_ONE, 1},  {OP_TANH, FREE, 0},       {OP_SIGMOID, FREE, 0},     {OP_ERF, FREE, 0},
    {OP_ERFC, MODERATE, 1},   {OP_SIN, FREE, 0},        {OP_COS, FREE, 0},         {OP_ATAN, FREE, 1},
    {OP_SIGN, FREE, 0},       {OP_ASINH, FREE, 4},      {OP_SOFTPLUS, FREE, -1},
};

static ValueId into_domain(Maker *m, ValueId x, Domain domain) {
    DType t = maker_value(m, x)->dtype;
    if (domain == FREE || random_chance(m->r, 8)) return x;
    if (domain == MODERATE) return magnitude_of(m, x) > 2 ? make_clamped(m, x, 4) : x;
    if (domain == WITHIN_ONE) {
        if (magnitude_of(m, x) > 0)
            x = random_chance(m->r, 50) ? make_node(m, OP_TANH, 1, &x, 0, NULL) : make_clamped(m, x, 1);
        return make_node(m, OP_MUL, 2, (ValueId[]){x, make_scalar_of(m, t, 0.875)}, 0, NULL);
    }
    float magnitude = magnitude_of(m, x);
    x = make_node(m, OP_ABS, 1, &x, 0, NULL);
    x = make_node(m, OP_ADD, 2, (ValueId[]){x, make_scalar_of(m, t, domain == ABOVE_ONE ? 1.25 : 0.125)}, 0, NULL);
    if (x.i) set_magnitude(m, x, magnitude + 1);
    return x;
}

/* Divisors that are not 0. */
static ValueId nonzero(Maker *m, ValueId y) {
    DType t = maker_value(m, y)->dtype;
    if (random_chance(m->r, m->w->outside || dtype_is_float(t) ? 8 : 0)) return y;
    float magnitude = magnitude_of(m, y);
    y = make_node(m, OP_ABS, 1, &y, 0, NULL);
    y = make_node(m, OP_MAX, 2, (ValueId[]){y, make_scalar_of(m, t, dtype_is_float(t) ? 0.25 : 1)}, 0, NULL);
    if (y.i) set_magnitude(m, y, magnitude);
    /* The most negative integer has no absolute value: max leaves 1 of it. */
    return y;
}

static ValueId second_operand(Maker *m, OpId op, ValueId x) {
    DType t = maker_value(m, x)->dtype;
    Shape s = maker_value(m, x)->shape;
    ValueId y = random_chance(m->r, 6) ? x : pick_broadcastable(m, t, &s);
    if (!y.i) return y;
    if (op == OP_DIV || op == OP_FLOORDIV || op == OP_FLOORMOD || op == OP_TRUNCMOD) return nonzero(m, y);
    if (op == OP_POW && dtype_is_float(t))
        return random_chance(m->r, 50) ? make_scalar_of(m, t, (double)random_between(m->r, -2, 4) / 2)
                                       : make_clamped(m, y, 3);
    if (op == OP_POW) return make_node(m, OP_AND, 2, (ValueId[]){y, make_scalar_of(m, t, 3)}, 0, NULL);
    return y;
}

static float binary_magnitude(const Maker *m, OpId op, ValueId x, ValueId y) {
    float a = magnitude_of(m, x), b = magnitude_of(m, y);
    if (op == OP_ADD || op == OP_SUB) return fmaxf(a, b) + 1;
    if (op == OP_MUL) return a + b;
    if (op == OP_DIV || op == OP_FLOORDIV) return a + 2;
    if (op == OP_POW) return 3 * fmaxf(a, 1);
    if (op == OP_ATAN2) return 2;
    return fmaxf(a, b);
}

static bool make_cast(Maker *m, OpId op, ValueId x) {
    DType from = maker_value(m, x)->dtype, to;
    do to = pick_dtype(m);
    while (!strchr("FIUB", dtype_letter(to)));
    bool narrows = dtype_is_float(from) && dtype_is_int(to);
    if (op == OP_BITCAST) { /* of the same size */
        if (from == DTYPE_BOOL || to == DTYPE_BOOL || dtype_size(from) != dtype_size(to)) return false;
        if (dtype_is_float(to) != dtype_is_float(from)) return false;
        if (dtype_is_float(to) && to != from) return false; /* bits of one float as another tell nothing */
    } else if (narrows) {
        if (m->w->edges) return false; /* NaN has no integer */
        x = make_clamped(m, x, dtype_is_signed(to) ? 100 : 200);
        if (!dtype_is_signed(to) && x.i) x = make_node(m, OP_ABS, 1, &x, 0, NULL);
    }
    Attr a = attr_type("dtype", to);
    float magnitude = x.i ? magnitude_of(m, x) : 0;
    if (!dtype_is_float(from) && dtype_is_float(to)) {
        if (dtype_size(from) > 1 && x.i) x = make_clamped(m, x, 100);
        magnitude = 7;
    }
    return x.i && keep_as(m, make_node(m, op, 1, &x, 1, &a), magnitude);
}

static bool make_select(Maker *m, OpId op) {
    ValueId x = pick_value(m, random_chance(m->r, 85) ? "FIUB" : "SC", 0, 6);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    ValueId y = pick_broadcastable(m, maker_value(m, x)->dtype, &s), c = pick_broadcastable(m, DTYPE_BOOL, &s);
    float magnitude = fmaxf(magnitude_of(m, x), y.i ? magnitude_of(m, y) : 0);
    return keep_as(
        m,
        make_node(m, op, 3, (ValueId[]){c, random_chance(m->r, 50) ? x : y, random_chance(m->r, 50) ? y : x}, 0, NULL),
        magnitude);
}

bool random_scalar(Maker *m, OpId op) {
    const OpInfo *info = op_info(op);
    if (op == OP_SELECT) return make_select(m, op);
    ValueId x = pick_value(m, info->classes, 0, 6);
    if (!x.i) return false;
    if (op == OP_CAST || op == OP_BITCAST) return make_cast(m, op, x);
    bool floats = dtype_is_float(maker_value(m, x)->dtype);
    float magnitude = magnitude_of(m, x);
    for (size_t i = 0; floats && i < ARRAY_LEN(functions); i++) {
        if (functions[i].op != op) continue;
        x = into_domain(m, x, functions[i].domain);
        magnitude = !x.i || functions[i].magnitude < 0 ? magnitude : functions[i].magnitude;
    }
    if (!x.i) return false;
    if (info->min_inputs == 1) return keep_as(m, make_node(m, op, 1, &x, 0, NULL), magnitude);
    ValueId y = second_operand(m, op, x);
    if (!y.i) return false;
    if (op == OP_POW && floats) x = into_domain(m, x, POSITIVE);
    if (!x.i) return false;
    bool swapped = op != OP_POW && op != OP_DIV && op != OP_FLOORDIV && op != OP_FLOORMOD && op != OP_TRUNCMOD &&
                   random_chance(m->r, 30);
    magnitude = binary_magnitude(m, op, x, y);
    return keep_as(m, make_node(m, op, 2, swapped ? (ValueId[]){y, x} : (ValueId[]){x, y}, 0, NULL), magnitude);
}
