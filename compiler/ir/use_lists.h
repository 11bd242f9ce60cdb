/* UseLists: which nodes use a value, kept through replacements, so that a pass over a long graph need not look at every
   node for each. Meanwhile operands are not to be changed otherwise; nodes that are added are found. */
#ifndef TFOPT_IR_USE_LISTS_H
#define TFOPT_IR_USE_LISTS_H
#include "ir/graph.h"

typedef struct {
    uint32_t node, next;
} UseLink;

/* All zeros but for g and arena: empty. */
typedef struct {
    Graph *g;
    Arena *arena;
    VEC(UseLink) links;  /* [0] unused */
    VEC(uint32_t) first; /* by value: its list */
    uint32_t n_listed;   /* nodes whose operands are in the lists */
} UseLists;

/* What graph_replace_uses does. */
void uses_replace(UseLists *u, ValueId from, ValueId to);
#endif
