/* Graph: typed SSA over tensors. Values and nodes are indexes into the graph's arrays; index 0 is "none". A region is a
   list of nodes in topological order with parameters and results; the root region's parameters are the model's inputs.
 */
#ifndef TFOPT_IR_GRAPH_H
#define TFOPT_IR_GRAPH_H
#include "base/diag.h"
#include "ir/attr.h"

typedef struct {
    uint32_t i;
} ValueId;
typedef struct {
    uint32_t i;
} NodeId;
typedef struct {
    uint32_t i;
} RegionId;

typedef enum {
    OP_NONE,
#define SCALAR(id, text, arity, classes, result, cost) OP_##id,
#include "ir/scalar.def"
#undef SCALAR
#define OP(id, text, min, max, results, infer, ref, lower, flags, attrs) OP_##id,
#include "ir/ops.def"
#undef OP
    N_OPS
} OpId;

enum {
    OP_FLAG_CONSTANT = 1,
    OP_FLAG_MOVES = 2,
    OP_FLAG_VIEW = 4,
    OP_FLAG_CONTRACTION = 8,
    OP_FLAG_REGIONS = 16,
    OP_FLAG_EFFECT = 32,
    OP_FLAG_EWISE = 64,
    OP_FLAG_COMMUTES = 128,
    OP_FLAG_PICKS = 256, /* may leave elements of operand 0 out */
    OP_FLAG_CHECKS = 512 /* an index out of range ends the run, unless attributes say otherwise */
};

typedef struct {
    const char *text;
    int min_inputs, max_inputs, n_results;
    uint32_t flags;
    const char *attrs;   /* "name:kind name:kind?" */
    const char *classes; /* scalar ops: operand classes */
    bool result_is_bool; /* scalar ops */
    double cost;         /* scalar ops: relative cost of an element */
} OpInfo;
const OpInfo *op_info(OpId op);
OpId op_from_text(const char *text); /* OP_NONE when there is none */

/* A host function's row, from runtime/hostops/hostops.def. */
typedef struct HostOp HostOp;

typedef struct {
    DType dtype;
    Shape shape;
    const Dim *content; /* elements of an integer or bool tensor of rank 0 or 1 with up to MAX_CONTENT elements, where
                           known; else NULL */
    bool may_wrap; /* `content` was computed as if numbers had no end, but something behind it may leave its type, where
                      the value itself wraps around: good for sizes that the run checks, not in the value's place */
    NodeId def;    /* {0}: a region parameter */
    RegionId region;
    uint32_t index;   /* which result, or which parameter */
    const char *name; /* TensorFlow's tensor name without ":0", for messages and dumps; may be NULL */
} Value;
enum { MAX_CONTENT = 64 };

typedef struct {
    OpId op;
    RegionId region;
    const char *name;   /* node name in the input, never NULL ("" when made by us out of nothing) */
    const char *tf_op;  /* TensorFlow op type it came from, or NULL */
    const HostOp *host; /* OP_HOST: its row */
    ValueId *inputs;
    ValueId *outputs;
    Attr *attrs;
    RegionId *regions;
    uint32_t n_inputs, n_outputs, n_attrs, n_regions;
    uint32_t group; /* fused group, 0 = none, GROUP_INLINE = computed by every user; set by pass fuse */
    bool dead;      /* removed; not in its region's list any more */
} Node;

typedef struct {
    NodeId parent; /* the if/case/while node it belongs to; {0}: the root */
    VEC(ValueId) params;
    VEC(NodeId) nodes; /* topological order */
    VEC(ValueId) results;
} Region;

#define GROUP_INLINE 0xffffffffu

/* A named input or output of the model, in the order of the root region's parameters and results. */
typedef struct {
    const char *name;    /* signature key, or the tensor's name */
    const char *tensor;  /* "node:0" in the source graph */
    DType dtype;         /* for messages; the same as the value's */
    uint32_t dims;       /* of an output whose rank only running tells: its value is the elements in a row, and this is
                            the number of the root's result, behind all outputs, that holds its dims; 0: an ordinary one */
    int64_t index_limit; /* of an integer input whose elements are positions: they must be below it; 0: they are not */
} Port;

typedef struct Graph {
    Arena *arena;
    const char *name;
    const char *signature; /* "" for a plain GraphDef */
    DimTable dims;
    VEC(Node) nodes;     /* [0] unused */
    VEC(Value) values;   /* [0] unused */
    VEC(Region) regions; /* [0] unused */
    RegionId root;
    VEC(Port) inputs, outputs;
    uint64_t hash; /* content hash of the source */
} Graph;

Graph *graph_new(Arena *arena, const char *name);
/* A copy with the same ids, to be rewritten while g stays as it is. */
Graph *graph_copy(Arena *arena, const Graph *g);
static inline Node *node_at(const Graph *g, NodeId id) {
    return &g->nodes.data[id.i];
}
static inline Value *value_at(const Graph *g, ValueId id) {
    return &g->values.data[id.i];
}
static inline Region *region_at(const Graph *g, RegionId id) {
    return &g->regions.data[id.i];
}
/* Pointers from the three above stay valid only until the next node, value or region is added. */

RegionId graph_add_region(Graph *g, NodeId parent);
ValueId graph_add_param(Graph *g, RegionId r, DType dtype, const Shape *shape, const char *name);

/* What graph_add needs; everything is copied. n_outputs is only read where the op's row says -1. */
typedef struct {
    OpId op;
    const char *name, *tf_op;
    const HostOp *host;
    const ValueId *inputs;
    uint32_t n_inputs, n_outputs;
    const Attr *attrs;
    uint32_t n_attrs;
    const RegionId *regions;
    uint32_t n_regions;
} NodeSpec;
/* Appends a node to region r, checks inputs and attributes and infers its results' dtypes, shapes and contents.
   On a mistake of the model: reports to d and returns {0}. */
NodeId graph_add(Graph *g, RegionId r, const NodeSpec *spec, Diag *d);
/* Result 0 of a new node, {0} on failure. All build_ calls pass {0} inputs through as failures, so that they nest over
 * several lines. */
ValueId build_op(Graph *g, RegionId r, OpId op, const char *name, uint32_t n_inputs, const ValueId *inputs,
                 uint32_t n_attrs, const Attr *attrs, Diag *d);
ValueId build_const(Graph *g, RegionId r, const Tensor *t, const char *name);
ValueId build_scalar_const(Graph *g, RegionId r, DType dtype, double value); /* rank 0 */
ValueId build_unary(Graph *g, RegionId r, OpId op, ValueId x, const char *name, Diag *d);
ValueId build_binary(Graph *g, RegionId r, OpId op, ValueId a, ValueId b, const char *name, Diag *d);
ValueId build_cast(Graph *g, RegionId r, ValueId x, DType to, const char *name,
                   Diag *d); /* x itself when it has the dtype */
ValueId build_reshape(Graph *g, RegionId r, ValueId x, const Shape *to, const char *name,
                      Diag *d); /* x itself when equal */
ValueId build_broadcast(Graph *g, RegionId r, ValueId x, const Shape *to, const char *name, Diag *d);
ValueId build_transpose(Graph *g, RegionId r, ValueId x, int rank, const int64_t *perm, const char *name,
                        Diag *d); /* x itself for the identity */
ValueId build_reduce(Graph *g, RegionId r, ValueId x, const char *kind, int n_axes, const int64_t *axes, bool keep,
                     const char *name, Diag *d);
ValueId build_dims(Graph *g, RegionId r, DType dtype, int rank, int64_t n, const Dim *dims,
                   const char *name); /* const when all are, else dims_tensor; rank 0 or 1 */

/* Infers the node's results again (after its inputs changed); true if something became different. */
bool graph_infer(Graph *g, NodeId n, Diag *d);

const Attr *node_attr(const Node *n, const char *name); /* NULL when absent */
int64_t node_int(const Node *n, const char *name, int64_t missing);
double node_float(const Node *n, const char *name, double missing);
const char *node_string(const Node *n, const char *name, const char *missing);
DType node_type(const Node *n, const char *name, DType missing);
/* The constant behind a value, or NULL. */
const Tensor *value_const(const Graph *g, ValueId v);
/* Whether v is a constant all of whose elements equal x (floats and ints). */
bool value_is_splat(const Graph *g, ValueId v, double x);

/* Whether d surely is a value of the dtype. Sizes of inputs and of results are taken to fit into 32 bits and more. */
bool dim_fits(const Graph *g, Dim d, DType dtype);

/* Replaces every use of `from` (operands and region results) by `to`, which must dominate them. */
void graph_replace_uses(Graph *g, ValueId from, ValueId to);
/* Puts map[i] in the place of symbol i in all sizes, known elements and attributes. False, and nothing changed, where a
 * size would be negative. */
bool graph_set_symbols(Graph *g, const Dim *map);
/* Removes all that a region holds. */
void graph_clear_region(Graph *g, RegionId r);
/* Marks a node dead; it leaves the list at the next graph_sort. Its results must be unused. */
void graph_remove(Graph *g, NodeId n);
/* Drops dead nodes and sorts every region topologically (stable; a pass may append nodes anywhere and call this at its
 * end). BUG on a cycle. */
void graph_sort(Graph *g);
/* For each value its number of uses (operands and region results); array of values.len in `scratch`. */
uint32_t *graph_count_uses(const Graph *g, Arena *scratch);
/* Users of each value as lists: users_of[v].nodes; region results are not in it. */
typedef struct {
    NodeId *nodes;
    uint32_t n;
    bool is_result;
} Users;
Users *graph_users(const Graph *g, Arena *scratch);

/* Text form (docs/ir.md). parse(print(g)) gives the same graph; tensors longer than 16 elements are written as hex
 * bytes when `data`, else as a hash (not parseable). */
void graph_print(const Graph *g, Str *out, bool data);
Graph *graph_parse(Arena *arena, const char *text, Diag *d); /* NULL and messages with line numbers on mistakes */

/* Stages: what holds after which pass; verify checks it and BUGs with the node on a violation. */
typedef enum { STAGE_IMPORTED, STAGE_SHAPED, STAGE_CANONICAL, STAGE_FUSED } Stage;
void graph_verify(const Graph *g, Stage stage);
#endif
