/* Nearest: of several names the one that a mistyped word may mean. */
#ifndef TFOPT_BASE_NEAREST_H
#define TFOPT_BASE_NEAREST_H
#include "base/arena.h"

typedef struct {
    const char *word, *best;
    size_t distance; /* of best; before: the first that is too far */
} Nearest;

void nearest_init(Nearest *n, const char *word);
void nearest_try(Nearest *n, const char *name);
/* "; did you mean 'name'?", or "" where no name is near. */
const char *nearest_hint(const Nearest *n, Arena *arena);
#endif
