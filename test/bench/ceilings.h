/* ceilings: what one core of this machine can do at best, measured. */
#ifndef TFOPT_BENCH_CEILINGS_H
#define TFOPT_BENCH_CEILINGS_H

typedef struct {
    double gflops;                             /* fp32 multiply-adds, all in registers */
    double l1_gbs, l2_gbs, l3_gbs, memory_gbs; /* reads */
    int l1_kib, l2_kib, l3_kib;
} Ceilings;

double now_seconds(void);
/* With vectors of at most `vector_bits`. Takes about a second. */
Ceilings measure_ceilings(int vector_bits);
#endif
