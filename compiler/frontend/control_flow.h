/* control_flow: what control_flow_analyse.c finds out about a body with TensorFlow 1 control flow, for control_flow.c,
 * which rewrites it. */
#ifndef TFOPT_FRONTEND_CONTROL_FLOW_H
#define TFOPT_FRONTEND_CONTROL_FLOW_H
#include "frontend/tfgraph.h"

typedef enum { FLOW_PLAIN, FLOW_SWITCH, FLOW_MERGE, FLOW_ENTER, FLOW_EXIT, FLOW_NEXT, FLOW_COND } FlowKind;

/* "This value exists only when `pred` is k": what a Switch says about its output k. */
typedef struct {
    TfInput pred;
    uint32_t branch, ways; /* k, and how many outputs the Switch has */
} Literal;

/* A set of literals, sorted; all must hold. Sets are unique: equal sets have equal numbers. */
typedef struct {
    uint32_t n;
    const Literal *literals;
} Condition;
enum { CONDITION_ALWAYS = 0, CONDITION_NEVER = 1 }; /* numbers of the two sets that always exist */

/* A loop's frame. Number 0 is the body itself. */
typedef struct {
    const char *name;
    uint32_t parent, depth;
    int64_t loop_cond;         /* node, or -1 */
    VEC(uint32_t) loop_merges; /* Merge(Enter, NextIteration): the loop's variables, in the body's order */
    VEC(uint32_t) enters, exits;
} Frame;

typedef struct {
    bool is_loop_variable;
    uint32_t loop_index;   /* position in loop_merges */
    TfInput initial, next; /* loop variable: the value before the loop, and that for the next iteration */
    /* not a loop variable: */
    TfInput pred; /* with `ways` branches; ways 0: only one input can arrive, `only` */
    uint32_t ways, only;
    uint32_t group; /* merges of one group are results of one If */
} MergeInfo;

typedef struct {
    Arena *arena; /* scratch */
    const TfBody *body;
    Diag *d;
    const char *where; /* the function's name or NULL */
    FlowKind *kind;
    uint32_t *order;     /* nodes in topological order (edges from NextIteration left out) */
    uint32_t *position;  /* inverse of order */
    uint32_t *frame;     /* frame number of each node */
    uint32_t *condition; /* its condition inside that frame (of a Switch: without its own literal) */
    MergeInfo *merge;    /* for FLOW_MERGE nodes */
    VEC(Frame) frames;
    uint32_t n_groups;
    VEC(Condition) conditions;
    Map condition_index;
} Flow;

/* Whether a body holds any control flow op. */
bool flow_present(const TfBody *body);
/* Fills everything; false after a message. */
bool flow_analyse(Flow *f, Arena *arena, const TfBody *body, const char *where, Diag *d);
/* The condition `base` and one literal more. */
uint32_t flow_condition_with(Flow *f, uint32_t base, Literal literal);
/* Whether all literals of a are in b. */
bool flow_condition_implied(const Flow *f, uint32_t a, uint32_t b);
/* The condition of a value (a Switch's output has one literal more than the Switch). */
uint32_t flow_value_condition(Flow *f, TfInput v);
/* Number of the frame that a node's result belongs to: its own, but the parent for an Exit. */
uint32_t flow_home(const Flow *f, uint32_t node);
bool flow_frame_contains(const Flow *f, uint32_t outer, uint32_t inner);
/* Value of a boolean or integer constant behind Identity and Enter nodes. */
bool flow_constant(const Flow *f, TfInput v, int64_t *out);
/* The same value behind nodes that only pass it on: Switches, and Enters that are no loop variable's. */
TfInput flow_resolve(const Flow *f, TfInput v);
#endif
