/* infer_host: host ops. Each row of hostops.def names a hostinfer_ function; those of a family stand in
 * infer_host_<family>.c. */
#include "ir/infer_common.h"

#include "ir/host.h"

#include <string.h>

/* Fewest inputs of a host op. */
static uint32_t fewest_inputs(const char *name) {
    static const struct {
        const char *name;
        uint32_t inputs;
    } rows[] = {
#define HOST_INPUTS(op, n) {op, n},
#include "ir/host_inputs.def"
#undef HOST_INPUTS
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].inputs;
    return 0;
}

bool infer_host(Infer *c) {
    uint32_t fewest = fewest_inputs(c->n->host->name);
    if (c->n->n_inputs < fewest) return infer_error(c, "has %u inputs, needs %u", c->n->n_inputs, fewest);
    return c->n->host->infer(c);
}
