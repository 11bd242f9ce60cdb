/* loops_state: what the files of the loops emitter share. The state that loops carry are slots: the kernel's
   accumulators, then a flag that an index was out of range, then one that an integer was divided by zero. */
#ifndef TFOPT_CPU_LOOPS_STATE_H
#define TFOPT_CPU_LOOPS_STATE_H
#include "codegen/cpu/eval.h"
#include "codegen/cpu/loops.h"

enum { MAX_UNROLL = 4 };

/* Several vectors of one VECTOR loop that go through its body together, statement by statement, so that inner loops run
   once for all of them and their chains of operations overlap. */
typedef struct {
    int n; /* 0 or 1: none */
    const Stmt *loop;
    EmitValue at[MAX_UNROLL];   /* index of lane 0 */
    EmitValue mask[MAX_UNROLL]; /* lanes that exist */
    uint32_t *slots;            /* those that the body changes */
    uint32_t n_slots;
    EmitValue (*state)[MAX_UNROLL]; /* per slot number: its values */
} Jam;

typedef struct {
    Arena *arena;
    Emit *e;
    Eval *v;
    const Kernel *k;
    Jam jam;
    uint32_t n_slots;       /* accumulators and the two flags */
    EmitValue out_of_range; /* flag, i1 of the lanes or scalar; {NULL}: cannot happen */
    EmitValue mask;         /* of the current vector turn */
    int lanes;              /* of the current vector loop; 0: none */
} Loops;

static inline uint32_t slot_range_flag(const Loops *l) {
    return l->k->n_accs;
}
static inline uint32_t slot_division_flag(const Loops *l) {
    return l->k->n_accs + 1;
}
EmitValue loops_slot(const Loops *l, uint32_t slot);
void loops_set_slot(Loops *l, uint32_t slot, EmitValue value);
DType loops_slot_type(const Loops *l, uint32_t slot);

/* Which slots the statements change: modified[slot]. */
void loops_modified(const Loops *l, const Stmt *s, bool *modified);
/* Forgets loads from what the statements store to. */
void loops_clobber(Loops *l, const Stmt *s);
/* Emits the statements of one body. */
void loops_body(Loops *l, const Stmt *s);
/* Emits a VECTOR loop; false when it cannot run by lanes (nothing emitted then). */
bool loops_vector(Loops *l, const Stmt *s);
/* A counted loop lo..hi by step around body; carried slots pass through. */
typedef void LoopTurn(Loops *l, const Stmt *s, EmitValue i, void *data);
void loops_counted(Loops *l, const Stmt *s, EmitValue lo, EmitValue hi, EmitValue step, LoopTurn *turn, void *data);
/* a OP b of an accumulator's type. */
EmitValue loops_combine(Loops *l, OpId op, DType t, EmitValue a, EmitValue b);
/* Computes what `loop` (not yet entered) uses and does not change; `runs`: it has at least one turn, so that loads may
 * move too. */
void loops_hoist(Loops *l, const Stmt *loop, bool runs);
Range loops_var_range(Loops *l, const Stmt *loop);
#endif
