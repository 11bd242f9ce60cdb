/* savedmodel: reads a SavedModel directory. */
#include "frontend/reader.h"

bool read_saved_model(TfGraph *tf, const char *directory, const ReadOptions *options, Diag *d) {
    (void)tf, (void)options;
    return diag_unsupported(d, NULL, NULL, "%s: SavedModel directories cannot be read yet", directory);
}
