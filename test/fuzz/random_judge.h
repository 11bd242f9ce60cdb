/* random_judge: what the reference evaluator answers, how far off another right answer may be, and whether one is.
   The reference runs again and again with every rounding op's result moved a little: by as much as a different order of
   summing, a fused multiply-add or another polynomial may move it. What an element does in these runs is what rounding
   may do to it, however ill-conditioned the graph; what jumps in them (a comparison that rounding decides, NaN or not)
   is not judged. */
#ifndef FUZZ_RANDOM_JUDGE_H
#define FUZZ_RANDOM_JUDGE_H
#include "ref/ref.h"

typedef struct {
    bool fails;     /* the reference refuses these inputs */
    bool uncertain; /* rounding decides whether it does, or sizes of results */
    const char *error;
    Tensor *outputs;
    double **slack; /* by output and number (complex: two an element): allowed deviation; INFINITY: any */
    uint32_t n_outputs;
    uint64_t n_elements, n_free; /* judged and not judged */
} Expectation;

/* `runs` runs with noise of `strength` times what is expected of rounding; host functions round too where the other
   side has others (TensorFlow). Memory from `arena`. */
void expect(Expectation *e, const Graph *g, const Tensor *inputs, int runs, double strength, bool other_host,
            Arena *arena);
/* Numbers of a tensor: its elements, two each of complex ones. */
int64_t expected_numbers(const Tensor *t);
/* Whether `got` is right for output i; else says why. */
bool as_expected(const Expectation *e, uint32_t i, const Tensor *got, char *why, size_t size);
#endif
