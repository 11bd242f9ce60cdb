/* Temporary: the folder of this process's temporary files, removed however it ends. */
#ifndef TFOPTC_TEMPORARY_H
#define TFOPTC_TEMPORARY_H
#include "base/arena.h"
#include <stdbool.h>

typedef struct Temporary Temporary;

/* Makes the folder and points $TMPDIR there. It goes away with the process: at exit(), on a signal that ends it, and
   when it crashes, which becomes a message and exit 70, or 1 where only memory was lacking. NULL where no folder can be
   made, which matters only to those who need it and then say so. `owes_report`: such an end prints a JSON object. */
Temporary *temporary_begin(bool owes_report, Arena *arena);
/* Removes the folder; from now on ends are ordinary ones. */
void temporary_end(Temporary *t);
#endif
