/* import: TfGraph → Graph. TensorFlow's vocabulary ends here. One row of tf_ops.def and one function an op type (or
 * family). */
#ifndef TFOPT_FRONTEND_IMPORT_H
#define TFOPT_FRONTEND_IMPORT_H
#include "frontend/tfgraph.h"
#include "ir/graph.h"

typedef struct {
    const char *name; /* tensor, node or signature key */
    DType dtype;      /* DTYPE_NONE: as in the graph */
    bool has_shape;
    TfShape shape;                   /* overrides the graph's; -1 = unknown */
    const char *dim_names[MAX_RANK]; /* symbol names for unknown dims, or NULL */
    bool has_value;                  /* a value will be fed … */
    TfShape value;                   /* … of this shape: says the rank where nothing else does */
} InputOption;

typedef struct {
    const char *dim; /* symbol name */
    int64_t min, max;
} DimBound;

/* Contents of a lookup table; texts are parsed where the table wants numbers. */
typedef struct {
    const char *node; /* its name, or its shared name */
    bool only_lines;  /* keys holds words; the others are their numbers */
    Tensor keys, values;
    const char *files[2]; /* they are from; NULL: none */
} GivenTable;

typedef struct {
    const InputOption *inputs;
    uint32_t n_inputs; /* given inputs; 0: the signature's, else all placeholders that the outputs need */
    bool guess_ranks;  /* inputs of unknown rank are taken to be scalars or vectors: any value will do */
    const char *const *outputs;
    uint32_t n_outputs; /* 0: the signature's, else nodes that nobody consumes */
    const DimBound *bounds;
    uint32_t n_bounds;
    const char *const *init; /* nodes to run at open (--init) */
    uint32_t n_init;
    const GivenTable *tables; /* --table */
    uint32_t n_tables;
} ImportOptions;

/* Where --input and --output name nodes inside of functions, the calls that lead there are written out into tf's main
   graph, and the names mean these nodes; to be done once, before import_graph. False after a message where that cannot
   be. */
bool import_open_functions(Arena *arena, TfGraph *tf, const ImportOptions *options, Diag *d);
/* The graph that computes the outputs: dead nodes dropped, functions inlined or made regions, frames raised, variables
   frozen. NULL after reporting every unsupported op (with count and first node) and every mistake. */
Graph *import_graph(Arena *arena, const TfGraph *tf, const ImportOptions *options, Diag *d);

/* ---- between import.c, control_flow.c and the import_<family>.c files ---- */
typedef struct Importer Importer;

/* What the import function of one node sees: builds nodes in region `r` and sets out[]. Shapes and dtypes of all inputs
 * are known. */
typedef struct {
    Importer *im;
    Graph *g;
    RegionId r;
    const TfNode *n;
    const ValueId *in;
    uint32_t n_in;
    const bool *needed; /* per output of a call: whether anything reads it; NULL: all are */
    ValueId *out;       /* to be set; IMPORT_MAX_OUTPUTS entries; a handle (table, list, variable) too is a value */
    uint32_t n_out;     /* to be set when not 1 */
    Diag *d;
} Import;
enum { IMPORT_MAX_OUTPUTS = 1024 };

typedef bool ImportFn(Import *c); /* false after diag_error / diag_unsupported */

typedef struct {
    const char *name; /* TensorFlow's op type */
    ImportFn *import;
    uint32_t min_inputs; /* fewer are refused before `import` is called */
    int32_t arg;         /* for functions that serve several rows: an OpId or a variant */
    const char *text;    /* the same, as text: kind, mode */
} TfOpRow;
const TfOpRow *tf_op_find(const char *name); /* NULL: unsupported */
const TfOpRow *tf_op_table(uint32_t *out_n);
/* Why an op type that no table has is refused (refused.def); NULL: it is not known at all. */
const char *import_why_refused(const char *op);
/* The same for an op that is not known: never NULL. */
const char *import_why_unknown(const char *op);
/* Whether a name fits a pattern in which * stands for any letters. */
bool import_pattern_fits(const char *pattern, const char *name);
/* Row i of refused.def: its pattern; NULL behind the last one. */
const char *import_refused_row(uint32_t i, const char **out_why);
const TfOpRow *import_row(const Import *c); /* the row of the node being imported */

/* Helpers of all families. in(i) must exist: import.c checks counts against the graph, a missing input is reported
 * there. */
ValueId import_node(Import *c, OpId op, uint32_t n_inputs, const ValueId *inputs, uint32_t n_attrs,
                    const Attr *attrs); /* result 0 of a node named like c->n */
bool import_const_ints(Import *c, uint32_t input, int64_t *out, int *out_n,
                       int max); /* a constant rank 0/1 integer input, else reports why it must be constant */
bool import_axes(Import *c, uint32_t input, int rank, int64_t *out,
                 int *out_n); /* constant axes, negative ones normalised, range checked */
ValueId import_host(Import *c, const char *row, uint32_t n_inputs, const ValueId *inputs,
                    uint32_t n_outputs); /* HOST node with all of the TF node's attributes; sets c->out[] too */

/* Whether an op changes state and is kept when something only waits for it. */
bool import_op_has_effect(const char *op);

/* Raises TF1 frames and switches of a body into functional form (While, If nodes with synthetic functions), before
 * import. */
bool control_flow_raise(TfGraph *tf, Diag *d);
#endif
