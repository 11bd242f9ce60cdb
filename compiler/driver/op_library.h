/* op_library: shared objects with the user's own ops (runtime/include/tfopt_op.h). */
#ifndef TFOPT_DRIVER_OP_LIBRARY_H
#define TFOPT_DRIVER_OP_LIBRARY_H
#include "ir/custom.h"

/* Opens the libraries and takes their ops in. They stay open until the process ends: graphs refer to their functions.
   False after messages. */
bool op_libraries_load(CustomOps *out, Arena *arena, uint32_t n, const char *const *files, Diag *d);
/* The name by which programs that were linked with the library look for it: its SONAME, else its file's name. NULL
   after a message. */
const char *op_library_soname(Arena *arena, const char *file, Diag *d);
/* Makes the libraries findable for an artefact in `directory`, under the names it looks for: links to where they lie.
 */
bool op_libraries_link_into(Arena *arena, const char *directory, uint32_t n, const char *const *files, Diag *d);
#endif
