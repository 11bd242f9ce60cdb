/* infer_host: host ops. Each row of hostops.def names a hostinfer_ function; those of a family stand in
 * infer_host_<family>.c. */
#include "ir/infer_common.h"

#include "ir/host.h"

bool infer_host(Infer *c) {
    return c->n->host->infer(c);
}
