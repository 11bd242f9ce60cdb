/* rnn_cell: one step of a recurrent layer, recognised from its arithmetic. */
#ifndef TFOPT_PASSES_RNN_CELL_H
#define TFOPT_PASSES_RNN_CELL_H
#include "rewrite.h"

enum { MAX_GATES = 4, MAX_BIASES = 4 };

/* input * weights[row …] + biases, a matrix [batch, gates * hidden]. */
typedef struct {
    ValueId input, weights;
    int64_t row;                /* first row of the weights that belongs to the input */
    ValueId bias[MAX_BIASES];
    int n_biases;
    int64_t block[MAX_GATES];   /* where in the columns the op's gates stand, in units of `hidden` */
} Projection;

typedef struct {
    OpId op;                    /* OP_LSTM, or OP_GRU with reset_after */
    Projection x, h;            /* of the step's input and of the last output; for OP_LSTM all biases are in x */
    ValueId new_h, c, new_c;    /* c: LSTM's inner state */
    int64_t hidden;
    double forget_bias;
} Cell;

/* Recognises the cell whose output is new_h. `h` is the last output where that is known, else {0}: then it is the second operand. */
bool cell_match(const Graph *g, ValueId new_h, ValueId h, Cell *out);
/* Whether two cells have the same weights. */
bool cell_same_weights(const Cell *a, const Cell *b);
/* The op over time: x [T,B,I], first states; results are those of the op. {0} when it cannot be built. */
NodeId cell_insert(Rewriter *w, const Cell *cell, ValueId x, ValueId h, ValueId c, const char *name);
#endif
