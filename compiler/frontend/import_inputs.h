/* import_inputs: see import_inputs.c; used by import.c. */
#ifndef TFOPT_FRONTEND_IMPORT_INPUTS_H
#define TFOPT_FRONTEND_IMPORT_INPUTS_H
#include "frontend/importer.h"

/* What an input is called, where it is, and what is said of its type, before the first symbol is made. */
typedef struct {
    const char *name;
    TfInput tensor;
    DType dtype;
    TfShape shape;
    const InputOption *option;
    bool looks_scalar; /* says an old graph, in which that may also mean that nothing is known */
    bool rank_is_guessed;
} ModelInput;
typedef VEC(ModelInput) ModelInputs;

/* What an unknown size of an input is known to be: a number, or another input's size that stands earlier. */
typedef struct {
    uint32_t input;
    int axis;
    int64_t value; /* -1: that of same_input */
    uint32_t same_input;
    int same_axis;
} SizeFact;
typedef VEC(SizeFact) SizeFacts;
/* The tensor that a name means; its node is UINT32_MAX where there is none. */
TfInput import_find_tensor(const TfGraph *tf, Arena *arena, const char *name);
const TfPort *import_find_port(const TfPort *ports, uint32_t n, const char *key);
/* For a word that names nothing: "; did you mean …", one of the names or a node, else the names after `what`. */
const char *import_name_hint(const Importer *im, const char *word, uint32_t n, const char *const *names,
                             const char *what);
/* The model's inputs; *from_signature: they are just those of the signature. */
bool import_choose_inputs(Importer *im, const TfInput *wanted, uint32_t n_wanted, ModelInputs *inputs,
                          bool *from_signature);
/* Makes them parameters of the graph; overrides[i]: the value of inputs[i]. `share`: their first dims may be one batch.
   used_bounds[i]: --dim or --batch number i found its dim. */
bool import_add_inputs(Importer *im, ModelInputs *inputs, bool from_signature, bool share, const SizeFacts *facts,
                       bool *used_bounds, TensorInput *overrides);
/* Appends what the graph proves of unknown sizes of its inputs; false when the command line says otherwise. */
bool import_find_sizes(Graph *g, Arena *arena, SizeFacts *facts, Diag *d);
/* All inputs whose rank is unknown, in one message that says what to write; true where there are none. */
bool import_report_ranks(Importer *im, const ModelInputs *inputs, bool guessed_too);
/* Bounds of dims that no input has are mistakes; a batch that the graph fixes must be the one asked for. */
bool import_check_bounds(const Graph *g, const ImportOptions *o, const bool *used, Arena *arena, Diag *d);
/* Whether several parameters have the same unknown first dim. */
bool import_shares_batch(const Graph *g);
/* Whether somewhere first dims meet that nothing says are equal. */
bool import_unequal_batches_meet(const Graph *g);
#endif
