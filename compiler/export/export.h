/* export: Graph → GraphDef that TensorFlow itself runs, for `tfoptc optimize` and --emit=pb. */
#ifndef TFOPT_EXPORT_H
#define TFOPT_EXPORT_H
#include "ir/graph.h"
#include <stdio.h>

/* Writes g as a binary GraphDef. Inputs become Placeholders and outputs Identity nodes of their own names; all else is
   named `tfopt/<number>_<old name>`. Reports every node that has no TensorFlow form (exit 3) and returns false then. */
bool export_graph(const Graph *g, FILE *out, Diag *d);
#endif
