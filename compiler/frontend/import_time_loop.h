/* import_time_loop: the loop over the steps of a sequence that block ops of recurrent cells and their gradients are. */
#ifndef TFOPT_IMPORT_TIME_LOOP_H
#define TFOPT_IMPORT_TIME_LOOP_H
#include "frontend/importer.h"

enum { TIME_LOOP_MOST = 20 };

typedef struct {
    ValueId init[TIME_LOOP_MOST]; /* what is carried; after the run, what is left */
    bool remade[TIME_LOOP_MOST];  /* constants lie inside of the regions */
    uint32_t n;
} TimeLoop;

/* Whether there is another turn, of what is carried. */
typedef ValueId TimeLoopMore(Import *c, const ValueId *v);
/* One turn: v becomes what is carried on. False after a message. */
typedef bool TimeLoopTurn(Import *c, const void *env, ValueId *v);

/* Values from number `fixed` on are those that no turn changes. False where a first value failed. */
bool time_loop_run(Import *c, TimeLoop *l, uint32_t fixed, TimeLoopMore *more, TimeLoopTurn *turn, const void *env);
/* Where the row of a step begins in [steps, batch, units], and those with such a row in that place. */
ValueId time_loop_place(Import *c, ValueId time);
ValueId time_loop_put(Import *c, ValueId rows, ValueId row, ValueId place);
#endif
