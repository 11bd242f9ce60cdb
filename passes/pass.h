/* Passes over the Graph: what each sees, and the loop that runs them. */
#ifndef TFOPT_PASSES_PASS_H
#define TFOPT_PASSES_PASS_H
#include "cost/cost.h"
#include "ir/graph.h"

/* One rewrite that fired, for `tfoptc explain`. */
typedef struct {
    const char *pass, *rule;    /* "batch_norm", "fold into conv" */
    const char *node;           /* where */
    double ns_before, ns_after; /* predicted */
} Rewrite;

typedef struct {
    int level;        /* -O0 … -O3 */
    const char *only; /* --passes=a,b or NULL */
    const char *skip; /* --skip=a,b or NULL */
    const char *stop_after;
    const char *dump_after; /* name, "all" or NULL; dumps go to dump */
    FILE *dump;
    bool time;
    bool fast_math;     /* --math fast */
    int64_t fold_limit; /* largest constant that folding may make, bytes */
} PassOptions;

typedef struct Unit {
    Graph *g;
    const Machine *machine;
    const PassOptions *options;
    Arena *arena;   /* lives as long as the compilation */
    Arena *scratch; /* reset after every pass */
    Diag *d;
    VEC(Rewrite) rewrites;
} Unit;

typedef bool PassFn(Unit *u); /* true if it changed anything; cannot fail on a verified unit */
#define PASS(name, level, before, after, doc) PassFn pass_##name;
#include "passes.def"
#undef PASS

/* Runs the table: times, verifies against the row's stage, dumps when asked and changed. */
void passes_run(Unit *u);
/* Records a rewrite; costs are looked up by the caller with cost_node. */
void rewrite_record(Unit *u, const char *pass, const char *rule, const char *node, double ns_before, double ns_after);
typedef struct {
    const char *name;
    int level;
    Stage before, after;
    const char *doc;
    PassFn *run;
} PassRow;
const PassRow *pass_table(uint32_t *out_n);
#endif
