/* importer: what import.c and the import_<family>.c files share and nobody else sees: the walk's state, and short names
   for building nodes that are named like the TensorFlow node being imported. All make_ calls pass a failed operand
   ({0}) through as a failure, so that a family function checks once, at its end. */
#ifndef TFOPT_FRONTEND_IMPORTER_H
#define TFOPT_FRONTEND_IMPORTER_H
#include "frontend/import.h"

enum { IMPORT_MAX_CALLS = 64, IMPORT_MAX_LOOP_TRIES = 12 };
#define IMPORT_MAX_NODES 4000000u /* TensorFlow nodes imported, after inlining */

/* A TensorList or TensorArray is an ordinary tensor [count, element…]. Until something is put into it its element shape
   may be unknown: then the value is a scalar zero of the element type, and this says how many elements it stands for
   (all zeros). */
typedef struct {
    uint32_t value; /* ValueId.i */
    Dim count;
    DType dtype;
    TfShape element;      /* as far as known */
    ValueId said;         /* the operand that says the element shape while running; {0}: `element` says it all */
    bool dynamic;         /* may grow when written beyond its end (TensorArray's dynamic_size) */
    bool handle;          /* a TensorArray's handle: no data of its own, the flow has it */
    bool gradient;        /* … of the array of gradients beside it */
    const ValueId *parts; /* of a list whose elements differ in shape: one value for each; NULL otherwise */
    ValueId meta;         /* of a ragged list (list_ragged.c): where its elements are; {0} otherwise */
} ListInfo;

typedef struct {
    uint32_t value;
    TfShape element;
    ValueId said; /* as in ListInfo */
} StatedShape;

/* A value whose rank only running tells (import_any_rank.c): it is the elements in a row, beside it go its dims. */
typedef struct {
    uint32_t value; /* ValueId.i */
    ValueId dims;   /* an s64 vector */
    uint32_t ranks; /* bit r: its rank may be r */
} AnyRank;

/* A TF1 stack: what was pushed and not popped yet in its region, on top of a list. */
typedef struct {
    uint32_t handle, region;
    ValueId list;
    VEC(ValueId) values;
} StackInfo;

/* A lookup table that other nodes may mean, too, by its name. */
typedef struct {
    const char *name;
    ValueId handle;
    RegionId region;
} SharedTable;

typedef struct Scope Scope;

struct Importer {
    Arena *arena;
    Graph *g;
    const TfGraph *tf;
    const TfInput *wanted; /* the model's outputs */
    uint32_t n_wanted;
    const ImportOptions *options;
    Diag *d;
    Map rows;               /* op type → index into tf_op_table */
    Map refused;            /* names of nodes that were reported as unknown */
    VEC(ListInfo) lists;    /* of list values; sorted by value */
    VEC(AnyRank) any_ranks; /* sorted by value */
    VEC(StackInfo) stacks;
    VEC(StatedShape) stated; /* of lists with contents: what their element shape was said to be */
    VEC(SharedTable) shared_tables;
    bool is_opening; /* importing what runs before the first request */
    uint32_t nodes_imported;
    uint32_t depth; /* function calls under way */
    const char *calls[IMPORT_MAX_CALLS];
    bool *function_effect;           /* per function: it changes state */
    uint32_t ragged_ranks[N_DTYPES]; /* by type: bit r: values of rank r were put into ragged variants … */
    uint32_t boxed_ranks[N_DTYPES];  /* … and lists of rank r into lists */
    uint32_t
        boxed_ragged[N_DTYPES]; /* by type: 1 + rank of the elements of ragged lists put into lists; 0: none were */
};

/* A tensor of the main graph that is an input of the model. */
typedef struct {
    TfInput tensor;
    ValueId value;
} TensorInput;

/* One body being imported: the main graph, a function inlined, or a function as a region. */
struct Scope {
    Importer *im;
    const TfBody *body;
    const TfFunction *function; /* NULL: the main graph */
    const TfNode *caller;       /* whose attributes stand for the function's placeholders; NULL at the top */
    RegionId region;
    const ValueId *args;
    const bool *needed; /* per result of the function; NULL: all are */
    Map *live;          /* NULL until asked: TfInputs that are read on the way to what is needed */
    ValueId **results;  /* per node; NULL until imported; {0} for what nobody needs of a call */
    uint32_t *n_results;
    uint8_t *state;               /* per node: NodeState */
    const TensorInput *overrides; /* main graph: the model's inputs, wherever in the graph they are */
    uint32_t n_overrides;
    bool *effect;      /* per node: it changes state; NULL when no node of the body does */
    bool *effect_seen; /* per node: its effects are imported already */
};

/* The import functions, as tf_ops.def names them. */
#define TFOP(name, fn, min_inputs, arg, text) ImportFn import_##fn;
#include "frontend/tf_ops.def"
#undef TFOP

/* ---- import_variables.c */
/* Whether a node of the function reads a variable that the function changes, and an output depends on it otherwise than
 * by random numbers: what it gives is not the same in every run. */
bool import_reads_changing(const Importer *im, const TfFunction *f, uint32_t node);

/* ---- import_walk.c */
Scope *scope_new(Importer *im, const TfBody *body, const TfFunction *function, const TfNode *caller, RegionId region,
                 const ValueId *args);
/* Imports what output `output` of node `node` needs. {0} when that failed (already reported). */
ValueId scope_get(Scope *s, TfInput from);
/* Imports those nodes that change state (fill a table, push on a stack) among `node` and all that it has to wait for.
 */
bool scope_effects(Scope *s, uint32_t node);
void import_find_effects(Importer *im);
/* Whether a node changes state itself or calls a function that does. */
bool import_has_effect(const Importer *im, const TfNode *n);
const TfFunction *import_function(const Importer *im, const char *name);
/* Imports a function's body into region r; args has f->n_args values; results gets f->n_results. */
bool import_call(Importer *im, const TfFunction *f, const TfNode *caller, RegionId r, const ValueId *args,
                 const bool *needed, ValueId *results);

/* ---- import_region.c */
/* Where the graph stood, so that a try can be taken back. */
typedef struct {
    uint32_t nodes, values, regions, stated;
} Mark;
Mark region_mark(const Import *c);
void region_take_back(Import *c, Mark m);
/* The second value by which a ragged list or a value of run-time rank is known; {0}: it is a single one. */
ValueId companion_of(const Importer *im, ValueId v);
/* Says of v and its companion what is known of `like`; v. */
ValueId companion_adopt(Import *c, ValueId like, ValueId v, ValueId companion);
/* Values that a region makes again instead of being passed: constants, known sizes, lists without contents. */
bool region_can_remake(const Import *c, ValueId v);
ValueId region_remake(Import *c, RegionId r, ValueId v);
/* What branches are given. */
typedef struct {
    uint32_t n;
    ValueId *values;
    bool *remade;    /* per value: made again inside */
    ValueId *inputs; /* of the node: [0] is left for its selector */
    uint32_t n_inputs;
} Passed;
bool region_pass(Import *c, uint32_t n, const ValueId *values, Passed *out);
/* The values inside of region r, of which this makes the parameters. names may be NULL. */
void region_receive(Import *c, const Passed *passed, RegionId r, const char *const *names, ValueId *inside);

/* ---- import_branch.c */
typedef struct {
    RegionId region;
    ValueId *results;
} Branch;
const TfFunction *import_function_attr(Import *c, const char *attr);
bool import_function_fits(Import *c, const TfFunction *f, uint32_t n_args);
ValueId import_truth(Import *c, ValueId v);
/* The node that runs one of the branches; sets c->out. Their results may differ in shape and rank. */
bool branches_join(Import *c, OpId op, const Passed *passed, uint32_t n, Branch *branches, uint32_t n_results);

/* ---- import_any_rank.c */
#define ANY_RANK_ALL 0x1ffu /* ranks that are followed: 0 to 8 */
AnyRank *any_rank_find(const Importer *im, ValueId v);
/* Says that `elements` has the dims that `dims` holds. */
ValueId any_rank_register(Import *c, ValueId elements, ValueId dims, uint32_t ranks);
/* The value as one of run-time rank. */
ValueId any_rank_of(Import *c, ValueId v);
/* As a value of this rank; the run fails where it has another one. */
ValueId any_rank_fix(Import *c, ValueId v, int rank);
/* An op some operand of which has a run-time rank, or a length that decides about ranks; *out_done: it was such an op
   and is imported. */
bool import_any_rank(Import *c, ImportFn *import, bool *out_done);

/* ---- import_cases.c: an op whose axes are computed at run time, as a Case over them; *out_done: it was such an op and
 * is imported */
bool import_run_time_axes(Import *c, ImportFn *import, bool *out_done);
/* Whether an operand that holds axes is a constant. */
bool import_axes_are_known(const Import *c, ValueId axes);
/* Axes (s64) of a value of rank `base`, negative ones counted from the end. */
ValueId import_count_from_end(Import *c, ValueId axes, int64_t base);
/* How often each axis is named, at most once: a vector of `base` elements. All that is named must be an axis. */
ValueId import_count_axes(Import *c, ValueId axes, int64_t base);

/* ---- import_lengths.c: sizes of operands that the op itself settles become constants, which the run checks */
bool import_settle_lengths(Import *c);

/* ---- import_agree.c: whether operands have the sizes that the op needs them to have in common */
bool import_agree(Import *c);

/* ---- list_value.c: lists as tensors */
/* What was said of the element shape when the list was made (-1 unknown). */
typedef struct {
    TfShape element;
    ValueId said; /* as in ListInfo */
    bool known;
} ListStated;
ListStated list_stated(const Importer *im, ValueId v);
void list_state(Importer *im, ValueId v, const ListStated *stated);
ListInfo *list_find(const Importer *im, ValueId v);
/* A list value with yet unknown elements; all elements are zeros. */
ValueId list_new(Import *c, Dim count, DType dtype, const TfShape *element);
/* The list as a tensor [count, element…], for elements of this shape. */
ValueId list_materialise(Import *c, ValueId list, const Shape *element);
ValueId list_materialise_in(Importer *im, RegionId r, const char *name, ValueId list, const Shape *element, Diag *d);

/* The element shape that an operand states, as far as it is known without running anything. */
TfShape list_stated_element(const Import *c, ValueId v);
ListStated list_stated_by(const Import *c, ValueId v);
/* Item (or a stack of them: leading 1) with the shape of the list's elements, which it must have. */
bool list_fits(const Import *c, ValueId list, ValueId item);
ValueId list_fit_item(Import *c, ValueId list, ValueId item, int leading);
/* A new list of zeros: a tensor at once when the element shape is all known. */
ValueId list_start(Import *c, Dim count, DType dtype, const TfShape *element);
ValueId list_tensor(Import *c, ValueId list, const TfShape *stated);
Dim list_count(const Import *c, ValueId list);
ValueId list_grow(Import *c, ValueId list, Dim count);
ValueId list_get(Import *c, ValueId list, ValueId index, const TfShape *stated);
ValueId list_set(Import *c, ValueId list, ValueId index, ValueId item, bool grows);
ValueId list_gather(Import *c, ValueId list, ValueId indices, const TfShape *stated);
ValueId list_scatter(Import *c, ValueId list, ValueId indices, ValueId values, bool grows);
bool list_concat(Import *c, ValueId list, const TfShape *stated);
ValueId list_split(Import *c, ValueId x, ValueId lengths);
/* How many elements a list must have to be written at these indices. */
bool list_needed_count(Import *c, ValueId indices, Dim *out);

/* ---- import_variant.c: lists inside of lists are objects of the run */
ValueId list_box(Import *c, ValueId list);
ValueId list_unbox(Import *c, ValueId list);
/* Whether it is a list as an object; taken out of it as one of elements of this type. */
bool list_is_boxed(const Import *c, ValueId list);
ValueId list_unbox_as(Import *c, ValueId list, DType dtype);
/* the list itself where it is none */

/* ---- import_tensor_array.c */
/* Whether result i of a function is a sum that goes on with its argument i and what is written to arrays of gradients:
   its first value is a mere number, where the array is empty. */
bool array_is_summed(const TfFunction *f, uint32_t i);

/* ---- import_stack.c */
StackInfo *stack_find(const Importer *im, ValueId handle); /* NULL: it is no stack */
void stack_register(Importer *im, ValueId handle, RegionId r, ValueId list);
/* All that the stack holds as a list. */
ValueId stack_list(Import *c, StackInfo *stack);
/* ---- import_list.c */
ValueId list_push(Import *c, ValueId list, ValueId item);
ValueId list_pop(Import *c, ValueId list, const TfShape *stated, ValueId *out_item); /* the rest of it */

/* ---- list_ragged.c: lists of values of different shapes, or of shapes that only running tells */
/* The list as a ragged one; rank: of its elements, where it has none yet. */
ValueId ragged_of(Import *c, ValueId list, int rank);
/* Says that `data` and `meta` are a ragged list, whose value is `data`. */
ValueId ragged_register(Import *c, ValueId data, ValueId meta, const TfShape *element);
ValueId ragged_resize(Import *c, ValueId list, Dim count);
ValueId ragged_set(Import *c, ValueId list, ValueId index, ValueId item);
ValueId ragged_push(Import *c, ValueId list, ValueId item);
ValueId ragged_join(Import *c, ValueId a, ValueId b);
ValueId ragged_split(Import *c, ValueId x, ValueId lengths);
ValueId ragged_scatter(Import *c, ValueId list, ValueId indices, ValueId values);
ValueId ragged_get(Import *c, ValueId list, ValueId index, const TfShape *stated);
/* Its values, which must have one shape, as a tensor; only those at `indices` unless that is {0}. */
ValueId ragged_stack(Import *c, ValueId list, ValueId indices, const TfShape *stated);
bool ragged_concat(Import *c, ValueId list, const TfShape *stated);
static inline bool list_is_ragged(const Importer *im, ValueId v) {
    const ListInfo *info = list_find(im, v);
    return info && info->meta.i;
}

/* ---- import_util.c: what is known of a value */
DType dtype_of(const Import *c, ValueId v);
Shape shape_copy(const Import *c, ValueId v);
int rank_of(const Import *c, ValueId v);
Dim dim_of(const Import *c, ValueId v, int axis);
static inline bool failed(ValueId v) {
    return v.i == 0;
}
/* Sets result 0 and tells whether it was made. */
bool give(Import *c, ValueId v);
/* What is known of a value's elements, to be relied on: the run fails where they would wrap around. NULL: nothing. */
const Dim *import_content(Import *c, ValueId v);
/* The elements of a value of any rank as Dims: from content, a constant, the pieces it is packed from, or, what is not
   known, loaded at run time into fresh symbols (min each). */
bool load_content(Import *c, ValueId v, int64_t min, Dim *out, int *out_n, int max, const char *what);
bool const_scalar(Import *c, uint32_t input, const char *what, double *out);
bool normalise_axis(Import *c, int64_t axis, int rank, int *out);
int64_t attr_i(const Import *c, const char *name, int64_t missing);
double attr_f(const Import *c, const char *name, double missing);
const char *attr_s(const Import *c, const char *name, const char *missing);
DType attr_t(const Import *c, const char *name, DType missing);
/* A list(int) attribute; NULL and *n = 0 when absent. */
const int64_t *attr_list(const Import *c, const char *name, int *n);
bool bad(const Import *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool unsupported(const Import *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether a dtype is one the scalar ops compute on (not complex, string or handle). */
bool is_plain(DType t);

/* Dim arithmetic without the table. */
Dim d_add(const Import *c, Dim a, Dim b);
Dim d_sub(const Import *c, Dim a, Dim b);
Dim d_mul(const Import *c, Dim a, Dim b);

/* ---- import_util.c: nodes */
ValueId make_unary(Import *c, OpId op, ValueId x);
ValueId make_binary(Import *c, OpId op, ValueId a, ValueId b);
ValueId make_select(Import *c, ValueId condition, ValueId a, ValueId b);
ValueId make_cast(Import *c, ValueId x, DType to);
ValueId make_scalar(Import *c, DType dtype, double v);
ValueId make_scalar_int(Import *c, DType dtype, int64_t v);
ValueId make_like(Import *c, ValueId x, double v); /* a scalar of x's dtype */
ValueId make_const(Import *c, const Tensor *t);
ValueId make_reshape(Import *c, ValueId x, const Shape *to);
ValueId make_broadcast(Import *c, ValueId x, const Shape *to);
ValueId make_transpose(Import *c, ValueId x, const int64_t *perm); /* perm has rank entries */
ValueId make_reduce(Import *c, ValueId x, const char *kind, int n_axes, const int64_t *axes, bool keep);
ValueId make_concat(Import *c, uint32_t n, const ValueId *values, int axis);
ValueId make_slice(Import *c, ValueId x, const Dim *begin, const Dim *size,
                   const int64_t *strides); /* strides NULL: ones */
ValueId make_slice_axis(Import *c, ValueId x, int axis, Dim begin, Dim size);
ValueId make_pad(Import *c, ValueId x, ValueId value, const Dim *before, const Dim *after, const char *mode);
ValueId make_iota(Import *c, const Shape *shape, int axis, DType dtype);
ValueId make_dims(Import *c, DType dtype, int rank, int64_t n, const Dim *dims);
/* The run fails unless a and b are "equal", a is "at_most" b, …; false after a message where that is known already. */
bool make_require(Import *c, const char *kind, Dim a, Dim b);
ValueId make_gather(Import *c, ValueId x, ValueId indices, int axis, int batch_dims, bool clamp);
ValueId make_scatter(Import *c, ValueId base, ValueId indices, ValueId updates, const char *mode);
/* x with an unknown dim said to be the constant that it must be. */
ValueId make_sized(Import *c, ValueId x, int axis, int64_t size);
ValueId make_matmul(Import *c, ValueId a, ValueId b, bool transpose_a, bool transpose_b);
ValueId make_expand(Import *c, ValueId x, int axis);        /* a dim of 1 before axis (axis = rank: at the end) */
ValueId make_squeeze(Import *c, ValueId x, int axis);       /* drops that dim */
ValueId make_index(Import *c, ValueId x, int axis, Dim at); /* slice of one, squeezed */
/* NCHW → NHWC and back, for any rank >= 3. */
ValueId make_channels_last(Import *c, ValueId x);
ValueId make_channels_first(Import *c, ValueId x);
/* ---- import_elementwise.c */
ValueId make_leaky_relu(Import *c, ValueId x, double alpha);
/* An activation by the name that fused ops give it ("Relu6"). */
ValueId make_activation(Import *c, const char *text, ValueId x);

/* ---- import_shape.c: a scalar of any type, strings (empty) and complex numbers included */
ValueId make_zero(Import *c, DType dtype);
/* d, or `rest` where d is -1, which may turn out only at run time */
Dim resolve_rest(const Import *c, Dim d, Dim rest);
/* A new shape (s64) with the rest in the place of what is below 0, for a tensor of these dims (s64). */
ValueId make_resolved_shape(Import *c, ValueId shape, ValueId dims);

/* ---- import_norm.c: inference over the last axis */
ValueId make_batch_norm(Import *c, ValueId x, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                        double epsilon);

/* The whole TF node as a host op of the same name, or as one that the user brought. */
bool import_host_generic(Import *c);
bool import_custom(Import *c, const HostOp *host);
/* ---- import_table.c, import_table_file.c */
/* On a step that fills a table: it is to be called once a session. The name is TensorFlow's form of a private note. */
#define TABLE_FILLED_ONCE "_filled_once"
bool import_table_types(Import *c, DType *key, DType *value);
bool import_fill_table(Import *c, ValueId table, const Tensor *keys, const Tensor *values);
/* Whether the graph has the tables that --table fills; a message for each that it lacks. */
bool import_check_given_tables(const TfGraph *tf, const ImportOptions *o, Arena *arena, Diag *d);
/* Once everything is imported: false, and each is named, where a table that must be initialised never is. */
bool import_tables_are_filled(Importer *im);
/* The contents that the attributes of InitializeTableFromTextFile say, from the asset that its input names. */
bool import_read_table_file(Import *c, DType key, DType value, Tensor *out_keys, Tensor *out_values);
/* ---- import_outputs.c */
/* Per node of the main graph: nobody consumes it, and it is not what training has left in the graph. */
bool *import_output_candidates(const TfGraph *tf, Arena *arena);
/* Reports what the wanted tensors need, beyond the fed ones, and what is refused whatever its operands are. */
void import_report_refused(Importer *im, const TfInput *wanted, uint32_t n_wanted, const TfInput *fed, uint32_t n_fed);
/* ---- import_refused.c: an op type that no table has: refused, with the reason */
bool import_unknown(Import *c);
#endif
