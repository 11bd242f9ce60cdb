/* NumPy broadcasting for host functions. */
#ifndef TFOPT_HOSTOPS_BROADCAST_H
#define TFOPT_HOSTOPS_BROADCAST_H
#include "hostops/host.h"

enum { TFOPT_MAX_OPERANDS = 3 };
typedef struct {
    int32_t rank, n;
    int64_t dims[TFOPT_MAX_RANK], index[TFOPT_MAX_RANK];
    int64_t strides[TFOPT_MAX_OPERANDS][TFOPT_MAX_RANK];
    int64_t at[TFOPT_MAX_OPERANDS]; /* element of each operand */
    int64_t count;                  /* of the result */
} TfoptBroadcast;

/* Shapes of the first n inputs broadcast together; false when they do not fit. */
bool tfopt_broadcast_init(TfoptBroadcast *b, const TfoptTensor *inputs, int32_t n);
/* Moves every operand on to the next element of the result. */
void tfopt_broadcast_next(TfoptBroadcast *b);
/* Joins the last dimensions into runs, whose length is returned: within one, operand k moves on by step[k], which is 0
   or 1. From then on the dimensions, their number and the count are those of the runs. Not for a result without
   elements. */
int64_t tfopt_broadcast_runs(TfoptBroadcast *b, int64_t step[TFOPT_MAX_OPERANDS]);
#endif
