/* host: the table of host ops, expanded from runtime/hostops/hostops.def: names to shape functions and to the runtime's
 * functions. */
#include "ir/host.h"

#include <string.h>

static const HostOp table[] = {
#define HOSTOP(name, results, infer, fn, family)                                                                       \
    {name, results, hostinfer_##infer, tfopt_host_##fn, "tfopt_host_" #fn, #family, NULL, NULL},
#include "runtime/hostops/hostops.def"
#undef HOSTOP
    {NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL}, /* so that the table is never empty */
};

const HostOp *host_op_table(uint32_t *out_n) {
    *out_n = (uint32_t)ARRAY_LEN(table) - 1;
    return table;
}

const HostOp *host_op_find(const char *name) {
    uint32_t n;
    const HostOp *rows = host_op_table(&n);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}
