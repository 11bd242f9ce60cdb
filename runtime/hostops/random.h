/* Philox 4x32-10, the generator of all TensorFlow random ops, and the distributions made from it. */
#ifndef TFOPT_HOSTOPS_RANDOM_H
#define TFOPT_HOSTOPS_RANDOM_H
#include "hostops/host.h"

typedef struct {
    uint32_t counter[4], key[2];
} TfoptPhilox;

/* Four random words; the counter moves on by one. */
void tfopt_philox_next(TfoptPhilox *p, uint32_t out[4]);
/* Moves the counter on by n blocks of four words. */
void tfopt_philox_skip(TfoptPhilox *p, uint64_t n);
/* Generator of the stateful ops: attributes seed and seed2. State is kept in the session, so runs differ and sessions
 * repeat. NULL: no memory. */
TfoptPhilox *tfopt_philox_state(TfoptHostCall *call);
/* Generator of the stateless ops: input `seed` holds two integers. */
TfoptPhilox tfopt_philox_from_seed(const TfoptTensor *seed);

typedef enum { TFOPT_UNIFORM, TFOPT_NORMAL, TFOPT_TRUNCATED_NORMAL } TfoptDistribution;
/* Fills a float tensor with TensorFlow's own numbers for this generator, which is not moved. */
void tfopt_random_fill(const TfoptTensor *t, TfoptDistribution distribution, const TfoptPhilox *p);
/* A generator that gives one word, or one uniform or normal number, after the other. */
typedef struct {
    TfoptPhilox philox;
    uint32_t words[4];
    int left;
} TfoptStream;
uint32_t tfopt_stream_word(TfoptStream *s);
double tfopt_stream_uniform(TfoptStream *s); /* [0, 1) */
double tfopt_stream_normal(TfoptStream *s);
#endif
