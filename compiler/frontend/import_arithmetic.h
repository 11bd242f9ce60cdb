/* import_arithmetic: short names for the importers that write out formulas. */
#ifndef TFOPT_FRONTEND_IMPORT_ARITHMETIC_H
#define TFOPT_FRONTEND_IMPORT_ARITHMETIC_H
#include "frontend/importer.h"

static inline ValueId add(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_ADD, a, b);
}
static inline ValueId sub(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_SUB, a, b);
}
static inline ValueId mul(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_MUL, a, b);
}
static inline ValueId divide(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_DIV, a, b);
}
/* An f32 scalar. */
static inline ValueId number(Import *c, double v) {
    return make_scalar(c, DTYPE_F32, v);
}
#endif
