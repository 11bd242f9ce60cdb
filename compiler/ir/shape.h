/* Shape: up to MAX_RANK dims, or an unknown rank (rank -1, only before import-time inference has resolved it). */
#ifndef TFOPT_IR_SHAPE_H
#define TFOPT_IR_SHAPE_H
#include "ir/dim.h"

enum { MAX_RANK = 12 };

typedef struct {
    int rank;
    Dim dims[MAX_RANK];
} Shape;

Shape shape_scalar(void);
Shape shape_of(int rank, const int64_t *dims);
bool shape_is_const(const Shape *s);              /* rank known and every dim constant */
bool shape_equal(const Shape *a, const Shape *b); /* same rank and equal dims */
Dim shape_elements(DimTable *t, const Shape *s);  /* product of the dims */
/* Number of elements of a constant shape; -1 when it does not fit in int64 or is not constant. */
int64_t shape_count(const Shape *s);
/* NumPy broadcasting of a and b; false when they cannot be. Where neither side is provably 1 and they differ
   symbolically, the result is the symbolic side's partner if that is a constant > 1, else dim_broadcast(a, b); that
   they do fit is a constraint (ir/constraint.h), checked while running. */
bool shape_broadcast(DimTable *t, const Shape *a, const Shape *b, Shape *out);
void shape_print(const DimTable *t, const Shape *s, Str *out); /* "[1,batch,3]" */
#endif
