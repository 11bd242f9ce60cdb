/* Between export.c (walk, names, dims) and export_<family>.c (one function an op). */
#ifndef TFOPT_EXPORT_EXPORTER_H
#define TFOPT_EXPORT_EXPORTER_H
#include "export/export.h"
#include "export/graphdef_writer.h"

/* Where a symbol's value comes from at run time in the exported graph. */
typedef struct {
    const char *tensor; /* NULL: nowhere */
    DType dtype;
    int64_t index; /* dim of its shape, or element of it */
    bool element;
    uint32_t depth; /* of the loop that computes it */
} SymbolSource;

enum { EXPORT_MAX_DEPTH = 64 }; /* of loops in loops */

typedef struct {
    const Graph *g;
    GraphWriter w;
    Arena *arena;       /* names; w.arena is reset by every node */
    const char **names; /* by value: TensorFlow tensor name */
    SymbolSource *symbols;
    uint32_t next; /* numbers our nodes */
    uint32_t depth;
    const char *frames[EXPORT_MAX_DEPTH + 1]; /* by depth: the loop's name; [0] unused */
    Diag *d;
} Exporter;

/* One op: its TensorFlow name where a single node does (text), and the function that writes it. */
typedef struct ExportRow ExportRow;
typedef bool ExportFn(Exporter *e, const Node *n, const ExportRow *row);
struct ExportRow {
    OpId op;
    ExportFn *write;
    const char *text, *text_int, *text_bool; /* names by class of operand 0; NULL: as text */
};

/* The TensorFlow tensor of the node's input i. */
const char *export_in(const Exporter *e, const Node *n, uint32_t i);
const Value *export_value(const Exporter *e, const Node *n, uint32_t i);
/* A fresh node name for result 0 of the node, noted as its tensor's name. */
const char *export_result(Exporter *e, const Node *n);
const char *export_fresh(Exporter *e, const char *what);
/* Constants; return the tensor's name. int32 of rank 0 or 1. */
const char *export_ints(Exporter *e, int rank, int64_t count, const int64_t *values);
const char *export_const_tensor(Exporter *e, const Tensor *t);
/* int32 vector of dims: constants, or computed from the symbols' sources. `infer`: a single unknown one may be -1. */
const char *export_dims(Exporter *e, uint32_t count, const Dim *dims, bool infer);
/* One node of one result with attribute T = t; inputs are tensors. More attributes: begin it yourself. Returns name. */
const char *export_simple(Exporter *e, const char *name, const char *op, DType t, int n_inputs,
                          const char *const *inputs);
/* The same with a second type attribute. */
const char *export_typed(Exporter *e, const char *name, const char *op, DType t, const char *second, DType second_type,
                         int n_inputs, const char *const *inputs);
/* x reshaped to `dims`. */
const char *export_reshape_to(Exporter *e, const char *name, const char *x, DType t, int rank, const Dim *dims);
/* The nodes of a region, whose parameters have names; afterwards its results have. */
void export_region(Exporter *e, const Region *r);
/* Symbols that are a whole dim of this value are read off its shape, unless they come from this loop already. */
void export_note_symbols(Exporter *e, ValueId v);
/* int32 vector clamp(begin, 0, dims of x - size): where a slice begins. */
const char *export_clamped(Exporter *e, const char *begin, DType dtype, int rank, const Dim *dims, const Dim *size);
bool export_unsupported(Exporter *e, const Node *n, const char *why);

ExportFn export_scalar, export_cast, export_const, export_iota, export_dims_tensor, export_load_dims, export_require,
    export_reshape, export_broadcast, export_transpose, export_reverse, export_slice, export_dynamic_slice, export_pad,
    export_concat, export_gather, export_gather_nd, export_scatter_nd, export_space_batch, export_reduce,
    export_arg_reduce, export_cumulate, export_softmax, export_layer_norm, export_matmul, export_conv,
    export_conv_transpose, export_pool, export_resize, export_host, export_trunc, export_popcount,
    export_dynamic_update, export_branches, export_while;
#endif
