/* data: what the files of codegen/object share: read-only data as assembler text. */
#ifndef TFOPT_CODEGEN_OBJECT_DATA_H
#define TFOPT_CODEGEN_OBJECT_DATA_H
#include "codegen/object/object.h"

/* A pointer inside a structure: the 8 bytes at `offset` are the address of `symbol` plus `addend`. */
typedef struct {
    size_t offset;
    const char *symbol;
    int64_t addend;
} DataPointer;

typedef struct {
    Arena *arena;
    Str text;
    Map strings; /* text → label number, for one copy of each */
    uint32_t n_labels;
    const char *prefix; /* of labels, unique in the unit */
} DataWriter;

void data_init(DataWriter *w, Arena *arena, const char *prefix);
/* A new local label. */
const char *data_label(DataWriter *w, const char *what);
/* Label of a NUL-terminated string; NULL gives NULL. */
const char *data_string(DataWriter *w, const char *s);
/* Label of n bytes that need no alignment. */
const char *data_bytes(DataWriter *w, const void *bytes, size_t n);
/* Emits `size` bytes under `label`, 8-byte aligned; the pointers (ascending offsets, multiples of 8) replace what
   stands at theirs. Returns label. Without pointers the data is shared between processes. */
const char *data_emit(DataWriter *w, const char *label, const void *bytes, size_t size, const DataPointer *pointers,
                      uint32_t n);
/* All strings, at the end. */
void data_finish(DataWriter *w);

/* weights.c: constants of all programs, each different one once, in one section. */
typedef struct Weights Weights;
Weights *weights_new(Arena *arena);
int64_t weights_add(Weights *w, const Tensor *t, size_t bytes); /* offset of the tensor's bytes */
uint64_t weights_bytes(const Weights *w);
/* Emits the section under `label`; big parts by way of files in temp_dir. */
bool weights_emit(Weights *w, DataWriter *out, const char *label, const char *temp_dir, Diag *d);

/* Tables of one program under a label that is returned. NULL after diag. */
const char *describe_program(DataWriter *w, Weights *weights, const char *weights_label, const ObjectModel *m,
                             const Program *p, Diag *d);
const char *describe_attrs(DataWriter *w, const Program *p, uint32_t *out_n, uint32_t *first_by_step,
                           Diag *d); /* all host steps' */
#endif
