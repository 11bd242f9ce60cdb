/* Constraint: what must hold between sizes for a node to be computed, where shape inference has only found that it may
   hold. Lowering turns constraints into checks of the run (kern/lower_check.c); kernels rely on them. */
#ifndef TFOPT_IR_CONSTRAINT_H
#define TFOPT_IR_CONSTRAINT_H
#include "ir/graph.h"

typedef enum {
    CONSTRAINT_EQUAL,      /* a == b */
    CONSTRAINT_BROADCASTS, /* a == b or a == 1 */
    CONSTRAINT_AT_MOST,    /* a <= b */
    CONSTRAINT_NEEDS       /* a > 0, unless b == 0 */
} ConstraintKind;

typedef struct {
    ConstraintKind kind;
    Dim a, b;
} Constraint;

typedef struct {
    Graph *g;
    Arena *arena; /* of the list */
    VEC(Constraint) list;
} Constraints;

/* Kinds by the names that `require` has for them; false: there is no such. */
bool constraint_kind(const char *name, ConstraintKind *out);
/* Whether it holds for these numbers. */
bool constraint_holds(ConstraintKind kind, int64_t a, int64_t b);
/* Appends a constraint unless it is known to hold. */
void constraint_add(Constraints *c, ConstraintKind kind, Dim a, Dim b);
/* Appends those of node n, but not of the nodes in its regions, nor between a region's values and its node's. */
void node_constraints(Constraints *c, NodeId n);
#endif
