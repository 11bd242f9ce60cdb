/* savedmodel: between savedmodel.c and savedmodel_variables.c. */
#ifndef TFOPT_FRONTEND_SAVEDMODEL_H
#define TFOPT_FRONTEND_SAVEDMODEL_H
#include "base/str.h"
#include "frontend/reader.h"
#include "saved_model.pb-c.h"

/* Fills tf->variables from directory/variables; nothing when there is no checkpoint. */
bool read_variables(TfGraph *tf, const char *directory, Diag *d);
/* import_variables.c: what functions read after they have changed a variable is what they put there. */
void variables_forward(TfGraph *tf);
#endif
