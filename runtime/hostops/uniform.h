/* Uniform quantisation: a level stands for (level - zero point) * scale, one pair for a tensor or for each slice along
   an axis. */
#ifndef TFOPT_HOSTOPS_UNIFORM_H
#define TFOPT_HOSTOPS_UNIFORM_H
#include "hostops/host.h"

typedef struct {
    const float *scales;
    const int32_t *zeros;
    int64_t n;
    bool per_slice;
} TfoptQuantum;

/* A positive real as multiplier * 2^(shift - 31). */
typedef struct {
    int64_t multiplier;
    int shift;
} TfoptFixed;

/* Scales and zero points in inputs `at` and `at` + 1; a message when they are none. */
bool tfopt_quantum_input(TfoptHostCall *call, int32_t at, TfoptQuantum *out);
static inline float tfopt_scale_at(const TfoptQuantum *q, int64_t slice) {
    return q->scales[q->per_slice ? slice : 0];
}
static inline int32_t tfopt_zero_at(const TfoptQuantum *q, int64_t slice) {
    return q->zeros[q->per_slice ? slice : 0];
}
TfoptFixed tfopt_fixed(double real);
/* x times the real, rounded once, saturated to 32 bits. */
int32_t tfopt_fixed_times(TfoptFixed f, int64_t x);
int32_t tfopt_add_zero(int32_t product, int32_t zero);
/* The clamp that the attributes <prefix>quantization_min_val and …max_val say. */
int64_t tfopt_clamped(const TfoptHostCall *call, const char *min, const char *max, int64_t v);
/* Levels -128..127 for n reals, `stride` apart, and the quantum that covers them. */
void tfopt_quantize_row(const float *x, int64_t n, int8_t *levels, float *scale, int32_t *zero);
#endif
