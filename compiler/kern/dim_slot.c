/* dim_slot: the numbers of the session's dim slots, which kernels and descriptors must agree on: symbols first, by
   number, then the other expressions in the order of the DimTable. */
#include "kern/kern.h"

uint32_t dim_slot(const DimTable *t, Dim d) {
    CHECK(!dim_is_const(d));
    const DimExpr *e = &t->exprs.data[d.expr];
    if (e->kind == DIM_SYMBOL) return e->symbol;
    uint32_t low = 0,
             high = t->symbols.len; /* symbols made before this expression: their expressions' numbers ascend */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->symbols.data[middle].expr < d.expr)
            low = middle + 1;
        else
            high = middle;
    }
    return t->symbols.len + (d.expr - 1 - low);
}

uint32_t dim_slot_count(const DimTable *t) {
    return t->exprs.len ? t->exprs.len - 1 : 0;
}
