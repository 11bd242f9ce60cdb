/* random_reduce: reductions, scans, softmax and layer normalisation, as ops and written out. */
#include "random_graph.h"

#include <math.h>

static double count_along(const Maker *m, const Shape *s, uint32_t axes) {
    double n = 1;
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1) n *= fmax(1, (double)dim_value(m->w, s->dims[i], 0));
    return n;
}

bool random_reduce(Maker *m, OpId op) {
    (void)op;
    static const char *const kinds[] = {"sum", "mean", "max", "min", "prod", "sum", "max", "mean"}, *const logical[] = {
                                                                                                        "all", "any"};
    ValueId x = pick_value(m, "FIUB", 0, 6);
    if (!x.i) return false;
    bool is_bool = maker_value(m, x)->dtype == DTYPE_BOOL;
    const char *kind = is_bool ? logical[random_below(m->r, 2)] : kinds[random_below(m->r, ARRAY_LEN(kinds))];
    Shape s = maker_value(m, x)->shape;
    int64_t axes[MAX_RANK];
    int n = 0;
    uint32_t set = 0;
    int64_t how = random_below(m->r, 4);
    for (int i = 0; i < s.rank; i++) {
        bool in =
            how == 0 || (how == 1 && i == s.rank - 1) || (how == 2 && i == 0) || (how == 3 && random_chance(m->r, 50));
        if (in) axes[n++] = i, set |= 1u << i;
    }
    double count = count_along(m, &s, set);
    float magnitude = magnitude_of(m, x);
    if (kind[0] == 's') magnitude += (float)log2(count);
    if (kind[0] == 'p' && dtype_is_float(maker_value(m, x)->dtype)) {
        if (magnitude * count > 60) return false;
        magnitude *= (float)count;
    }
    return keep_as(m, build_reduce(m->g, m->region, x, kind, n, axes, random_chance(m->r, 40), "", &m->d), magnitude);
}

bool random_arg_reduce(Maker *m, OpId op) {
    ValueId x = pick_value(m, "FIUB", 1, 6);
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    int axis = (int)random_below(m->r, s.rank);
    for (int b = 0; b < N_BINDINGS; b++)
        if (dim_value(m->w, s.dims[axis], b) < 1) return false;
    Attr a[] = {attr_string("kind", random_chance(m->r, 50) ? "max" : "min"), attr_int("axis", axis),
                attr_type("dtype", random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64)};
    return keep(m, make_node(m, op, 1, &x, 3, a));
}

bool random_cumulate(Maker *m, OpId op) {
    static const char *const kinds[] = {"sum", "prod", "logsumexp"};
    ValueId x = pick_value(m, "FIU", 1, 5);
    if (!x.i) return false;
    const char *kind = kinds[random_below(m->r, ARRAY_LEN(kinds))];
    Shape s = maker_value(m, x)->shape;
    int axis = (int)random_below(m->r, s.rank);
    double count = count_along(m, &s, 1u << axis);
    float magnitude = magnitude_of(m, x);
    if (kind[0] == 'p') magnitude = magnitude * (float)count;
    if (kind[0] == 's') magnitude += (float)log2(count);
    if (kind[0] == 'p' && dtype_is_float(maker_value(m, x)->dtype) && magnitude > 60) return false;
    Attr a[] = {attr_string("kind", kind), attr_int("axis", axis), attr_int("exclusive", random_chance(m->r, 30)),
                attr_int("reverse", random_chance(m->r, 30))};
    return keep_as(m, make_node(m, op, 1, &x, 4, a), magnitude);
}

static ValueId binary(Maker *m, OpId op, ValueId a, ValueId b) {
    return make_node(m, op, 2, (ValueId[]){a, b}, 0, NULL);
}

static ValueId reduced(Maker *m, ValueId x, const char *kind) {
    if (!x.i) return x;
    int64_t axis = maker_value(m, x)->shape.rank - 1;
    return build_reduce(m->g, m->region, x, kind, 1, &axis, true, "", &m->d);
}

bool random_softmax(Maker *m, OpId op) {
    ValueId x = pick_value(m, "F", 1, 5);
    if (!x.i) return false;
    if (random_chance(m->r, 60))
        return keep_as(m, make_node(m, op, 1, &x, 0, NULL), op == OP_SOFTMAX ? 0 : magnitude_of(m, x) + 4);
    ValueId most = reduced(m, x, "max"), away = binary(m, OP_SUB, x, most), e = make_node(m, OP_EXP, 1, &away, 0, NULL);
    ValueId sum = reduced(m, e, "sum");
    if (op == OP_LOG_SOFTMAX) {
        ValueId log = make_node(m, OP_LOG, 1, &sum, 0, NULL);
        return keep_as(m, binary(m, OP_SUB, away, log), magnitude_of(m, x) + 4);
    }
    return keep_as(m, binary(m, OP_DIV, e, sum), 0);
}

/* (x - mean) / sqrt(variance + epsilon) * scale + offset, as models write it or as the op. */
bool random_layer_norm(Maker *m, OpId op) {
    ValueId x = pick_value(m, "F", 1, 5);
    if (!x.i || m->w->edges) return false; /* infinite factors: the order of the products decides */
    DType t = maker_value(m, x)->dtype;
    Shape s = maker_value(m, x)->shape, channels = {.rank = 1, .dims = {s.dims[s.rank - 1]}};
    ValueId scale = make_leaf(m, t, &channels), offset = make_leaf(m, t, &channels);
    double epsilon = t == DTYPE_F16 || t == DTYPE_BF16 || random_chance(m->r, 50) ? 0.0625 : 1e-3;
    if (random_chance(m->r, 40)) {
        Attr a = attr_float("epsilon", epsilon);
        return keep_as(m, make_node(m, op, 3, (ValueId[]){x, scale, offset}, 1, &a), 6);
    }
    ValueId mean = reduced(m, x, "mean"), away = binary(m, OP_SUB, x, mean), square = binary(m, OP_MUL, away, away);
    ValueId variance = reduced(m, square, "mean");
    ValueId shifted = variance.i ? binary(m, OP_ADD, variance, make_scalar_of(m, t, epsilon)) : variance;
    ValueId factor = make_node(m, OP_RSQRT, 1, &shifted, 0, NULL);
    if (random_chance(m->r, 50)) {
        ValueId normal = binary(m, OP_MUL, away, factor), scaled = binary(m, OP_MUL, normal, scale);
        return keep_as(m, binary(m, OP_ADD, scaled, offset), 6);
    }
    ValueId both = binary(m, OP_MUL, factor, scale), scaled = binary(m, OP_MUL, x, both),
            moved = binary(m, OP_MUL, mean, both);
    ValueId rest = binary(m, OP_SUB, offset, moved);
    return keep_as(m, binary(m, OP_ADD, scaled, rest), 6);
}
