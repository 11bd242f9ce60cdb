/* Shape functions: one infer_<name> for each name in ops.def; they set dtype, shape and content of the node's results.
 */
#ifndef TFOPT_IR_INFER_H
#define TFOPT_IR_INFER_H
#include "ir/graph.h"

/* What a shape function sees. It must not add nodes. */
typedef struct {
    Graph *g;
    Node *n;
    Diag *d;
} Infer;

typedef bool InferFn(Infer *c); /* false after diag_error: the model is wrong */
#define SCALAR(id, text, arity, classes, result, cost)
#define OP(id, text, min, max, results, infer, ref, lower, flags, attrs) InferFn infer_##infer;
#include "ir/ops.def"
#undef OP
#undef SCALAR
InferFn infer_scalar; /* all rows of scalar.def */

/* For host ops (compiler/ir/infer_host.c): named by hostops.def. */
static inline Value *infer_in(Infer *c, uint32_t i) {
    return value_at(c->g, c->n->inputs[i]);
}
static inline Value *infer_out(Infer *c, uint32_t i) {
    return value_at(c->g, c->n->outputs[i]);
}
/* Sets result i. A fresh symbol for a data-dependent dim must be kept when the node is inferred again: infer_fresh_dim
 * does that. */
void infer_set(Infer *c, uint32_t i, DType dtype, const Shape *shape);
/* The symbol of dim `dim` of result i: the one already there after an earlier inference, else a new one with these
 * bounds. */
Dim infer_fresh_dim(Infer *c, uint32_t i, int dim, int64_t min, Dim max);
/* Dims saturate where 64-bit elements of a tensor wrap around: a constant at the limits may be such a sum, and says
   nothing of the element. */
static inline bool infer_at_limit(Dim d) {
    return dim_is_const(d) && (d.value == INT64_MAX || d.value == INT64_MIN);
}
bool infer_error(Infer *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what has no implementation (exit 3). */
bool infer_unsupported(Infer *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
