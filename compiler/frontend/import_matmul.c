/* import_matmul: matrix products. Einsum has a file of its own. */
#include "frontend/importer.h"

#include <string.h>

bool import_matmul(Import *c) {
    if (rank_of(c, c->in[0]) != 2 || rank_of(c, c->in[1]) != 2) return bad(c, "operands must be matrices");
    if (!is_plain(dtype_of(c, c->in[0]))) return import_host_generic(c);
    return give(c,
                make_matmul(c, c->in[0], c->in[1], attr_i(c, "transpose_a", 0) != 0, attr_i(c, "transpose_b", 0) != 0));
}

/* SparseMatMul: dense operands that happen to hold many zeros; bf16 operands, f32 result. */
bool import_sparse_matmul(Import *c) {
    ValueId a = make_cast(c, c->in[0], DTYPE_F32);
    ValueId b = make_cast(c, c->in[1], DTYPE_F32);
    return give(c, make_matmul(c, a, b, attr_i(c, "transpose_a", 0) != 0, attr_i(c, "transpose_b", 0) != 0));
}

/* BatchMatMul, V2, V3 (with a wider result type of its own) */
bool import_batch_matmul(Import *c) {
    if (rank_of(c, c->in[0]) < 2 || rank_of(c, c->in[1]) < 2)
        return bad(c, "operands must have at least two dimensions");
    if (!is_plain(dtype_of(c, c->in[0]))) return import_host_generic(c);
    DType to = attr_t(c, "Tout", dtype_of(c, c->in[0]));
    ValueId a = make_cast(c, c->in[0], to);
    ValueId b = make_cast(c, c->in[1], to);
    return give(c, make_matmul(c, a, b, attr_i(c, "adj_x", 0) != 0, attr_i(c, "adj_y", 0) != 0));
}
