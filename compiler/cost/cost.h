/* cost: predicted time, FLOPs and bytes of kernels and of graph nodes, from a machine's row of numbers. Compiling never
 * measures. */
#ifndef TFOPT_COST_H
#define TFOPT_COST_H
#include "ir/graph.h"

typedef struct Machine {
    const char *name;
    int vector_bits, vector_registers;
    double gflops; /* fp32, one core */
    int l1_kib, l2_kib, l3_kib;
    double l1_gbs, l2_gbs, l3_gbs, memory_gbs; /* read bandwidth of one core */
    double fork_ns;                            /* one parallel step: start and barrier */
} Machine;

/* The row of an LLVM CPU name, else of the ISA level ("x86-64-v3", "aarch64"). Never NULL. */
const Machine *machine_find(const char *cpu, const char *isa);

typedef struct {
    double ns, flops, bytes; /* one thread; bytes = compulsory traffic */
} Cost;
/* Work of `flops` multiply-adds*2 at `efficiency` (0..1) of peak over data of `bytes`: the roofline. */
Cost cost_roofline(const Machine *m, double flops, double efficiency, double bytes);
/* Time to read `bytes` that are part of `all` bytes read again and again: from the level that holds all of them. */
double cost_read(const Machine *m, double bytes, double all);
/* Prediction for one node on its own (unfused), symbols at their typical value (1 for batch). */
Cost cost_node(const Graph *g, NodeId n, const Machine *m);
/* The register tile for a product of m x k by k x n elements, `lanes` to a vector, and the cycles it takes. */
typedef struct {
    int rows, vectors;
    double cycles;
} CostTile;
CostTile cost_tile(const Machine *m, int lanes, int64_t rows, bool rows_are_const, int64_t n, int64_t k);
/* Prediction for such a product of floats, in ns; finer than cost_node: it knows what is lost at the ends of tiles. */
double cost_product(const Machine *m, DType dtype, int64_t rows, int64_t columns, int64_t depth);
/* Threads of at most `max` that pay for a step of `ns`. */
int cost_threads(const Machine *m, double ns, int max);
#endif
