/* time_loop: a loop that counts from 0 by 1 to the length of what it reads. */
#ifndef TFOPT_PASSES_TIME_LOOP_H
#define TFOPT_PASSES_TIME_LOOP_H
#include "rewrite.h"

typedef struct {
    Graph *g;
    const Node *n;
    const Region *condition, *body;
    uint32_t counter; /* which carried value it is */
    Dim steps, limit; /* turns at most; limit: where that is less, else the same */
    ValueId count;    /* scalar in front of the loop: turns at most, too; {0}: none */
} TimeLoop;

/* Whether the loop is one with the carried value `counter` as its counter. The pointers hold until a node is added. */
bool time_loop_find(Graph *g, const Node *n, uint32_t counter, TimeLoop *out);
/* Carried value whose parameter of the body is v, or -1. */
int time_loop_param(const TimeLoop *l, ValueId v);
/* Whether carried value i starts at 0 and grows by 1. */
bool time_loop_counts(const TimeLoop *l, uint32_t i);
/* Whether carried value i is the same in every turn. */
bool time_loop_keeps(const TimeLoop *l, uint32_t i);
/* What the body writes as the turn's row of carried value i: dynamic_update(i, reshape(value), [counter, 0 …]), or at
   row 0 of a single one (*out_single). {0}: nothing of the kind. */
ValueId time_loop_written(const TimeLoop *l, uint32_t i, bool *out_single);
#endif
