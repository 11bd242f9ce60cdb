/* Values of dtype variant: an element is a pointer to an object, NULL where nothing was put. Objects are never changed
   and live until the run ends, so that lists of them are moved as any other elements are. */
#ifndef TFOPT_HOSTOPS_VARIANT_H
#define TFOPT_HOSTOPS_VARIANT_H
#include "hostops/host.h"

typedef enum {
    TFOPT_OBJECT_RAGGED,   /* row splits, outermost first, then the values */
    TFOPT_OBJECT_LIST,     /* a list inside of a list: its tensors */
    TFOPT_OBJECT_OPTIONAL, /* components */
    TFOPT_OBJECT_NOTHING,  /* an optional without value */
    TFOPT_OBJECT_MAP,      /* key, value, key, value … */
    TFOPT_OBJECT_CSR       /* a sparse matrix (variant_csr.c) */
} TfoptObjectKind;

typedef struct {
    int64_t kind, n;
    TfoptTensor parts[];
} TfoptObject;

/* An object with room for n parts; NULL: no memory. */
TfoptObject *tfopt_object_new(TfoptHostCall *call, TfoptObjectKind kind, int64_t n);
/* Element i of a variant tensor, if it is an object of this kind; else NULL, with the call's error set. */
const TfoptObject *tfopt_object_at(TfoptHostCall *call, const TfoptTensor *t, int64_t i, TfoptObjectKind kind);
/* A copy of rows [begin, end) of a tensor, of all of it where end is negative, that lives as long as objects do. false:
   no memory. */
bool tfopt_object_copy(TfoptHostCall *call, const TfoptTensor *t, int64_t begin, int64_t end, TfoptTensor *out);
/* Result 0, a scalar, becomes the object. */
int32_t tfopt_object_give(TfoptHostCall *call, const TfoptObject *o);
/* A tensor whose rank the program does not know: result i gets its elements in a row, result i + 1 its dims. */
int32_t tfopt_object_take(TfoptHostCall *call, const TfoptTensor *t, int32_t i);
#endif
