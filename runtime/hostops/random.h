/* Philox 4x32-10, the generator of all TensorFlow random ops, and the distributions made from it. */
#ifndef TFOPT_HOSTOPS_RANDOM_H
#define TFOPT_HOSTOPS_RANDOM_H
#include "hostops/host.h"

typedef struct {
    uint32_t counter[4], key[2];
} TfoptPhilox;

/* Four random words; the counter moves on by one. */
void tfopt_philox_next(TfoptPhilox *p, uint32_t out[4]);
/* The next blocks of four, which is what vectors are good for. */
enum { TFOPT_PHILOX_BLOCKS = 16 };
void tfopt_philox_words(TfoptPhilox *p, uint32_t out[4 * TFOPT_PHILOX_BLOCKS]);
/* Moves the counter on by n blocks of four words. */
void tfopt_philox_skip(TfoptPhilox *p, uint64_t n);
/* Two uniform or normal numbers from the next block. */
void tfopt_philox_uniforms(TfoptPhilox *p, double out[2]);
void tfopt_philox_normals(TfoptPhilox *p, double out[2]);
/* Generator of the stateful ops: attributes seed and seed2. State is kept in the session, so runs differ and sessions
 * repeat. NULL: no memory. */
TfoptPhilox *tfopt_philox_state(TfoptHostCall *call);
/* Generator of the stateless ops: input `seed` holds two integers. */
TfoptPhilox tfopt_philox_from_seed(const TfoptTensor *seed);

/* ---- random.c: what the random ops share */
/* Output 0 with the shape that integer vector `shape` holds, then the dims of `tail` where it is not NULL. */
int32_t tfopt_random_output(TfoptHostCall *call, const TfoptTensor *shape, const TfoptTensor *tail);
/* The generator of a stateful call with output 0 made, which is left 256 blocks a sample further on. */
bool tfopt_random_stateful(TfoptHostCall *call, TfoptPhilox *out);
/* V1: (shape, seed …); V2: (shape, key [1], counter [2], alg …). */
int32_t tfopt_random_stateless(TfoptHostCall *call, bool v2, TfoptPhilox *out);

typedef enum { TFOPT_UNIFORM, TFOPT_NORMAL, TFOPT_TRUNCATED_NORMAL } TfoptDistribution;
/* Fills a float tensor with TensorFlow's own numbers for this generator, which is not moved. */
void tfopt_random_fill(const TfoptTensor *t, TfoptDistribution distribution, const TfoptPhilox *p);
/* The next two (f64) or four numbers of that distribution, uniform or normal; how many. */
int tfopt_random_group(int32_t dtype, TfoptDistribution distribution, TfoptPhilox *p, double out[4]);
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
