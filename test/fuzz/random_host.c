/* random_host: sizes that values decide, and host functions: rows that are chosen while running, complex arithmetic. */
#include "random_graph.h"
#include "ir/host.h"

#include <string.h>

/* Something of that size, which only running tells. */
static ValueId sized_by(Maker *m, Dim size) {
    Shape s = pick_shape(m, 0, 2);
    memmove(s.dims + 1, s.dims, sizeof(Dim) * (size_t)s.rank++);
    s.dims[0] = size;
    DType t = random_chance(m->r, 60) ? DTYPE_F32 : random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64;
    if (random_chance(m->r, 50)) {
        Attr a[] = {attr_dims(m->g->arena, "shape", (size_t)s.rank, s.dims),
                    attr_int("axis", random_below(m->r, s.rank)), attr_type("dtype", t)};
        return make_node(m, OP_IOTA, 0, NULL, 3, a);
    }
    Shape row = s;
    row.dims[0] = dim_const(1);
    ValueId x = pick_like(m, t, &row);
    return x.i ? build_broadcast(m->g, m->region, x, &s, "", &m->d) : x;
}

bool random_load_dims(Maker *m, OpId op) {
    int64_t n = random_between(m->r, 1, 2), symbols[2];
    Shape s = {.rank = 1, .dims = {dim_const(n)}};
    Dim sizes[2];
    ValueId x = make_indexes(m, random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64, &s, dim_const(8));
    if (!x.i) return false;
    for (int64_t i = 0; i < n; i++) {
        sizes[i] = dim_symbol(&m->g->dims, NULL, 0, INT64_MAX);
        symbols[i] = m->g->dims.exprs.data[sizes[i].expr].symbol;
    }
    Attr a = attr_ints(m->g->arena, "symbols", (size_t)n, symbols);
    NodeSpec spec = {.op = op, .name = "", .inputs = &x, .n_inputs = 1, .attrs = &a, .n_attrs = 1};
    return graph_add(m->g, m->region, &spec, &m->d).i && keep_as(m, sized_by(m, sizes[random_below(m->r, n)]), 3);
}

static bool call(Maker *m, const char *row, uint32_t n, const ValueId *inputs, uint32_t n_attrs, const Attr *attrs) {
    const HostOp *host = host_op_find(row);
    for (uint32_t i = 0; i < n; i++)
        if (!inputs[i].i) return false;
    NodeSpec spec = {.op = OP_HOST,
                     .name = "",
                     .tf_op = row,
                     .host = host,
                     .inputs = inputs,
                     .n_inputs = n,
                     .attrs = attrs,
                     .n_attrs = n_attrs};
    spec.n_outputs = (uint32_t)host->n_results;
    NodeId node = graph_add(m->g, m->region, &spec, &m->d);
    for (uint32_t i = 0; node.i && i < node_at(m->g, node)->n_outputs; i++)
        keep_as(m, node_at(m->g, node)->outputs[i], 3);
    return node.i != 0;
}

static bool complex_function(Maker *m) {
    static const char *const unary[] = {"Neg", "Exp", "Square", "Conj", "Sqrt", "Sin", "Tanh", "Sigmoid"},
                             *const binary[] = {"AddV2", "Sub", "Mul", "RealDiv", "SquaredDifference"},
                             *const parts[] = {"Real", "Imag", "ComplexAbs"};
    ValueId x = pick_value(m, "C", 0, 5), in[2] = {x};
    if (!x.i) return false;
    DType t = maker_value(m, x)->dtype;
    Shape s = maker_value(m, x)->shape;
    Attr a[] = {attr_type("T", t), attr_type("Tout", t == DTYPE_C64 ? DTYPE_F32 : DTYPE_F64)};
    int64_t how = random_below(m->r, 3);
    if (how == 0) return call(m, unary[random_below(m->r, ARRAY_LEN(unary))], 1, in, 1, a);
    if (how == 1) return call(m, parts[random_below(m->r, ARRAY_LEN(parts))], 1, in, 2, a);
    in[1] = pick_broadcastable(m, t, &s);
    return call(m, binary[random_below(m->r, ARRAY_LEN(binary))], 2, in, 1, a);
}

bool random_host(Maker *m, OpId op) {
    (void)op;
    int64_t how = random_below(m->r, 8);
    if (how < 4) return complex_function(m);
    if (how == 4) {
        ValueId x = pick_value(m, "FIUB", 1, 4);
        Attr a = attr_type("T", x.i ? maker_value(m, x)->dtype : DTYPE_F32);
        return call(m, "Where", 1, &x, 1, &a);
    }
    if (how == 5) {
        ValueId x = pick_value(m, "FI", 1, 1);
        Attr a[] = {attr_type("T", x.i ? maker_value(m, x)->dtype : DTYPE_F32),
                    attr_type("out_idx", random_chance(m->r, 50) ? DTYPE_S32 : DTYPE_S64)};
        return call(m, "UniqueWithCounts", 1, &x, 2, a);
    }
    if (how == 6) { /* the rows where a condition holds: data and mask of one length */
        ValueId x = pick_value(m, "FIUBS", 1, 3);
        if (!x.i) return false;
        Shape flags = {.rank = 1, .dims = {maker_value(m, x)->shape.dims[0]}};
        ValueId mask = pick_like(m, DTYPE_BOOL, &flags);
        Attr a = attr_type("T", DTYPE_BOOL), nd = attr_int("batch_dims", 0);
        if (!call(m, "Where", 1, &mask, 1, &a)) return false;
        ValueId rows = m->pool.data[m->pool.len - 1];
        return keep(m, make_node(m, OP_GATHER_ND, 2, (ValueId[]){x, rows}, 1, &nd));
    }
    ValueId x = pick_value(m, "S", 0, 4);
    return call(m, random_chance(m->r, 50) ? "StringUpper" : "StringLength", 1, &x, 0, NULL);
}
