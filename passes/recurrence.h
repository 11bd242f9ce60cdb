/* recurrence: loops over time with any cell. */
#ifndef TFOPT_PASSES_RECURRENCE_H
#define TFOPT_PASSES_RECURRENCE_H
#include "rewrite.h"

/* Replaces the loop, whose counter is carried value `counter`, by a recurrence where its rows do not depend on each
 * other. */
bool recurrence_replace(Unit *u, NodeId loop, uint32_t counter);
#endif
