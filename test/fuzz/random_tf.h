/* random_tf: random graphs in TensorFlow's vocabulary, through the importer. What a node gives is found by importing
   the graph so far and evaluating it: nodes that are refused are left out again. */
#ifndef FUZZ_RANDOM_TF_H
#define FUZZ_RANDOM_TF_H
#include "frontend/import.h"
#include "random_graph.h"

/* A tensor of the graph: what is known of it, and how large it is for each binding. */
typedef struct {
    TfInput at;
    DType dtype;
    int rank;
    int64_t sizes[N_BINDINGS][MAX_RANK];
    bool known[MAX_RANK]; /* the importer knows this size */
    double largest;       /* absolute value */
} TfTensor;

typedef struct {
    RandomGraph *w;
    Random *r;
    Arena *arena;
    TfGraph tf;
    VEC(TfNode) nodes;
    VEC(TfTensor) pool;
    VEC(const char *) names;        /* of placeholders */
    VEC(Tensor) inputs[N_BINDINGS]; /* theirs */
} TfMaker;

/* One line of the tables: an op type, and the function that imports or infers it. */
typedef struct TfRow {
    const char *op, *family;
    bool host;
    const char *classes; /* of its first operand, as the family says */
} TfRow;
typedef bool TfMakeFn(TfMaker *m, const TfRow *row);
typedef struct {
    const char *family; /* import function, or shape function and file of a host op */
    TfMakeFn *make;
    const char *classes;
    bool host;
} TfFamily;
/* random_tf_makers.c */
const TfFamily *tf_families(uint32_t *out_n);

/* Such a graph; its inputs come with it. */
bool random_tf_graph(RandomGraph *w, Arena *arena, const Random *r, Tensor *inputs[N_BINDINGS]);

/* ---- for makers */
TfTensor tf_pick(TfMaker *m, const char *classes, int least_rank, int most_rank); /* rank -1: none */
TfTensor tf_leaf(TfMaker *m, DType dtype, int rank, const int64_t (*sizes)[MAX_RANK], const bool *known);
/* Of the sizes of t (or, when `part`, of what broadcasts to it). */
TfTensor tf_like(TfMaker *m, DType dtype, const TfTensor *t, bool part);
TfTensor tf_constant(TfMaker *m, const Tensor *t);
TfTensor tf_ints(TfMaker *m, DType dtype, int rank, int64_t n, const int64_t *values);
TfAttr tf_of_type(const char *name, DType t);
TfAttr tf_of_int(const char *name, int64_t v);
TfAttr tf_of_bool(const char *name, bool v);
TfAttr tf_of_float(const char *name, double v);
TfAttr tf_of_string(const char *name, const char *v);
TfAttr tf_of_ints(TfMaker *m, const char *name, uint32_t n, const int64_t *v);
TfAttr tf_of_types(TfMaker *m, const char *name, uint32_t n, DType t);
/* Adds a node and puts its results into the pool; false (and nothing added) when it is refused or too large. */
bool tf_add(TfMaker *m, const char *op, uint32_t n_inputs, const TfTensor *inputs, uint32_t n_attrs,
            const TfAttr *attrs);
#endif
