/* Case: one conformance case as ../shared/conformance/README.md describes it. */
#ifndef CONFORMANCE_CASE_H
#define CONFORMANCE_CASE_H
#include "commands.h"

typedef struct {
    const char *name; /* tensor */
    DType dtype;
    bool integer_bits; /* compared as integers although stored otherwise */
    Tensor value;
} CaseTensor;

typedef struct {
    const char *directory, *name, *graph;
    CaseTensor *inputs, *outputs;
    uint32_t n_inputs, n_outputs;
    double rtol, atol, int_atol;
    bool must_fail; /* TensorFlow fails on these inputs */
    bool shapes_only;
    const char **ops; /* live ones */
    uint32_t n_ops;
    ImportOptions import;
} Case;

/* Reads case.json and its tensors; false after messages. */
bool case_read(Case *c, Arena *arena, const char *directory, Diag *d);
/* Whether got is right for output i; on a difference writes why into `why`. */
bool case_judge(const Case *c, uint32_t i, const Tensor *got, char *why, size_t size);
#endif
