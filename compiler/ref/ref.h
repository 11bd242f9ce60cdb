/* ref: evaluates a Graph node by node with plain loops and OpenBLAS. The oracle for everything that is emitted, the
   constant folder, and the "unoptimised graph" of benchmark, verify and run --reference. */
#ifndef TFOPT_REF_H
#define TFOPT_REF_H
#include "ir/host.h"

/* What a ref_<name> sees: inputs are there; outputs have dtype, rank, dims and memory that is not initialised, except
   those of HOST, constants, views and regions, which it makes itself. */
typedef struct RefCall {
    const Graph *g;
    const Node *n;
    const Tensor *in;
    Tensor *out;
    Arena *arena;               /* scratch: forgotten after the node */
    int64_t *symbols;           /* current values; LOAD_DIMS and data-dependent results set them */
    struct RefSession *session; /* NULL in ref_eval_node */
    Diag *d;
} RefCall;

typedef bool RefFn(RefCall *c); /* false after diag_error (an index out of range, …) */
#define SCALAR(id, text, arity, classes, result, cost)
#define OP(id, text, min, max, results, infer, ref, lower, flags, attrs) RefFn ref_##ref;
#include "ir/ops.def"
#undef OP
#undef SCALAR
RefFn ref_scalar; /* rows of scalar.def: computes in the operand's type, f16 and bf16 by way of f32 */

/* A session keeps the state of host ops (tables, random generators) between runs. */
typedef struct RefSession RefSession;
RefSession *ref_open(const Graph *g);
void ref_close(RefSession *s);
/* Runs the graph: inputs in the order of g->inputs, with any dims that fit the graph's; outputs are allocated in
   `arena`. In one thread. */
bool ref_run(RefSession *s, const Tensor *inputs, Tensor *outputs, Arena *arena, Diag *d);
/* The value of any tensor of the root region in the last ref_run when `keep_all` was set by ref_keep_all; NULL if not
 * computed. */
void ref_keep_all(RefSession *s, bool keep);
const Tensor *ref_value(const RefSession *s, ValueId v);
/* From now on every float value is computed in f64, whatever its type (integers, strings and complex numbers as they
   are); float outputs are f64. How far such a run is from a plain one is what rounding does to the answers. */
void ref_set_exact(RefSession *s, bool exact);
/* Has every node that computes (no constants, views, host functions) shown to `observe` once its outputs are there; it
 * may change them. For tests that ask how far an error would spread. */
typedef void RefObserveFn(void *env, const Graph *g, NodeId n, const Tensor *in, Tensor *out);
void ref_observe(RefSession *s, RefObserveFn *observe, void *env);
/* Evaluates one node (no regions) on constant inputs: the constant folder. */
bool ref_eval_node(const Graph *g, NodeId n, const Tensor *in, Tensor *out, Arena *arena, Diag *d);
#endif
