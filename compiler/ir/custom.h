/* custom: ops that the user brings (runtime/include/tfopt_op.h), as rows like those of hostops.def. */
#ifndef TFOPT_IR_CUSTOM_H
#define TFOPT_IR_CUSTOM_H
#include "ir/host.h"
#include "tfopt_op.h"

/* The ops of all libraries of one compilation; an op type is there once. */
typedef struct CustomOps {
    HostOp *ops;
    uint32_t n;
} CustomOps;

/* NULL when there is none of that name; `ops` may be NULL. */
const HostOp *custom_op_find(const CustomOps *ops, const char *name);
/* Takes the ops of a library in, whose path is `file`; false after messages about what is wrong with it. */
bool custom_ops_add(CustomOps *ops, Arena *arena, const TfoptOpLibrary *library, const char *file, Diag *d);
/* An attribute as the ABI has it: numbers as 64-bit lists, types as numbers. `dims`: the elements of an ATTR_DIMS, NULL
   where there is none. */
TfoptAttr host_abi_attr(Arena *arena, const Attr *a, const int64_t *dims);
#endif
