/* build: what the files of this room share about making nodes. Others use graph.h. */
#ifndef TFOPT_IR_BUILD_H
#define TFOPT_IR_BUILD_H
#include "ir/graph.h"

/* graph_add with the results' types as far as they are known beforehand (the parser knows them): shape functions keep
   the symbols of data-dependent dims that stand there. */
NodeId graph_add_typed(Graph *g, RegionId r, const NodeSpec *spec, const Value *types, uint32_t n_types, Diag *d);
/* Kind of attribute `name` in the row of `op`; false when the row has none of that name. */
bool op_attr_kind(OpId op, const char *name, AttrKind *out);
#endif
