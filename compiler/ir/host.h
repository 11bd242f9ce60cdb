/* HostOp: rows of runtime/hostops/hostops.def as the compiler sees them. */
#ifndef TFOPT_IR_HOST_H
#define TFOPT_IR_HOST_H
#include "ir/infer.h"
#include "tfopt_abi.h"

struct HostOp {
    const char *name; /* "NonMaxSuppressionV3" */
    int n_results;    /* -1: any */
    InferFn *infer;
    TfoptHostFn *function;
    const char *symbol; /* "tfopt_host_non_max_suppression_v3" */
    const char *family;
    const struct TfoptOp *op; /* an op that the user brought (ir/custom.h); NULL for the rows of hostops.def */
    const char *library;      /* the file it came from */
};
/* Shape functions and functions of the rows. The former stand in compiler/ir/infer_host_<family>.c, with infer_common.h
 * at hand. */
#define HOSTOP(name, results, infer, fn, family) InferFn hostinfer_##infer;
#include "runtime/hostops/hostops.def"
#undef HOSTOP
#define HOSTOP(name, results, infer, fn, family) TfoptHostFn tfopt_host_##fn;
#include "runtime/hostops/hostops.def"
#undef HOSTOP
InferFn hostinfer_custom; /* for all that users bring */
TfoptTensor host_abi_tensor(const Tensor *t);
const HostOp *host_op_find(const char *name); /* NULL when there is no such row */
const HostOp *host_op_table(uint32_t *out_n);
#endif
