/* random_code: graphs compiled as tfoptc compiles them, many into one library, and run. */
#ifndef FUZZ_RANDOM_CODE_H
#define FUZZ_RANDOM_CODE_H
#include "random_graph.h"
#include "kern/kern.h"
#include "random_coverage.h"

typedef struct {
    int threads;      /* 0, 1, 2 */
    const char *cpu;  /* --cpu */
    int level;        /* -O */
    const char *skip; /* a pass that is left out, or NULL */
} Settings;

typedef enum {
    SAME,      /* as the reference */
    REFUSED,   /* not compiled, with a reason */
    NOTHING,   /* the decisions gave no graph, or one that the reference cannot judge */
    DIFFERENT, /* wrong */
    DIED       /* signal, BUG, out of time */
} Verdict;

enum { WHY = 600 };

typedef struct {
    Graph *g; /* stays as it is: passes work on a copy */
    Tensor *inputs[N_BINDINGS];
    int n_bindings;
    Settings settings;
    Program *program;
    Verdict verdict;
    char why[WHY];
    uint64_t n_elements, n_free;
    Coverage coverage; /* passes */
} Case;

/* Random settings for this machine; threads < 0 and cpu NULL leave them open. */
Settings random_settings(Random *r, Arena *arena, int threads, const char *cpu);
void settings_print(const Settings *s, Str *out);
/* Compiles all cases into one library, loads it and judges every one. */
void judge_cases(Case *cases, uint32_t n, Arena *arena);
/* What became of the case: the rewritten graph and its kernels. */
void print_code(const Case *c, Str *out);
/* The first pass after which the reference itself gives another answer, or NULL when passes are right. */
const char *find_guilty_pass(const Case *c, Arena *arena);
#endif
