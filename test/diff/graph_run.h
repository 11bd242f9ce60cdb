/* graph_run: a graph in text form (docs/ir.md, groups as `@n`) lowered, emitted and run against the reference
   evaluator. Steps that are no kernels but copies are not run here: exec tests do that. */
#ifndef TFOPT_TEST_GRAPH_RUN_H
#define TFOPT_TEST_GRAPH_RUN_H
#include "codegen/cpu/isa.h"

typedef struct {
    bool bench;   /* nanoseconds of every kernel, and how fast it moves its arguments */
    bool edges;   /* NaN, infinities, -0 and denormals among the inputs (not where conversions of them differ from this
                     machine's) */
    bool kernels; /* print what was lowered */
    const char *assembly; /* file for the code, or NULL */
    const char *cpu;      /* only this one, or NULL: every level that this machine has, and aarch64 under qemu */
} Options;

/* Runs the graph on all machines wanted; counts runs and those that were wrong. */
void run_graph(const char *name, const char *text, const Options *o, int *done, int *wrong);
#endif
