/* random_minimise: the smallest part of a graph that is still wrong. */
#ifndef FUZZ_RANDOM_MINIMISE_H
#define FUZZ_RANDOM_MINIMISE_H
#include "random_code.h"

enum { IN_CHILD = -1000 };
/* Forks. In the child: IN_CHILD, with limits on time and memory. In the parent, once it has ended: its exit status, or
 * minus the signal. */
int in_child(int seconds, bool quiet);
/* Cuts away outputs, then nodes (whose values become inputs), then makes unknown sizes smaller, as long as the verdict
   stays. Changes c. */
void minimise(Case *c, Verdict verdict, int seconds, Arena *arena);
/* Settings, graph, and the inputs as a graph of constants. */
void case_print(const Case *c, Str *out);
#endif
