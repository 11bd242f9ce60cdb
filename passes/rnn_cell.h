/* rnn_cell: one step of a recurrent layer, recognised from its arithmetic. */
#ifndef TFOPT_PASSES_RNN_CELL_H
#define TFOPT_PASSES_RNN_CELL_H
#include "rewrite.h"

enum { MAX_GATES = 4, MAX_BIASES = 4 };

/* Part of a constant: rows row … of columns block * hidden … */
typedef struct {
    ValueId weights;
    int64_t row, block;
} Part;

/* What a gate adds up: input * x + state * h + biases. */
typedef struct {
    Part x, h;
    Part bias[MAX_BIASES], h_bias[MAX_BIASES]; /* h_bias: inside the reset gate, of a gru's last gate */
    int n_biases, n_h_biases;
} Gate;

typedef struct {
    OpId op;             /* OP_LSTM, OP_GRU */
    bool reset_after;    /* gru */
    ValueId input, h, c; /* of the step; c: LSTM's inner state */
    ValueId new_h, new_c;
    int64_t hidden;
    int n_gates;
    Gate gates[MAX_GATES]; /* in the op's order */
} Cell;

/* Recognises the cell whose output is new_h. `h` is the last output where that is known, else {0}. */
bool cell_match(const Graph *g, ValueId new_h, ValueId h, Cell *out);
/* Whether the op's gates and states fit the 64 KiB that a kernel may keep. */
bool cell_fits(const Graph *g, const Cell *cell);
/* Whether two cells have the same weights. */
bool cell_same_weights(const Cell *a, const Cell *b);
/* The op over time: x [T,B,I], first states; results are those of the op. {0} when it cannot be built. */
NodeId cell_insert(Rewriter *w, const Cell *cell, ValueId x, ValueId h, ValueId c, const char *name);
#endif
