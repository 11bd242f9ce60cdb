/* Integer levels that stand for reals between two bounds, converted as TensorFlow's legacy quantised kernels do: one
   number at a time in double (level_to_real, real_to_level), or whole arrays in f32 (Levels). */
#ifndef TFOPT_HOSTOPS_QUANTIZED_H
#define TFOPT_HOSTOPS_QUANTIZED_H
#include "hostops/host.h"

/* A range of reals and the integer type whose levels cover it. */
typedef struct {
    float min, max;
    double lowest, highest; /* level */
} TfoptLevels;

/* The range in f32 inputs `at` and `at` + 1 of the call, for levels of `dtype`; false and a message when they are no
   numbers. */
bool tfopt_levels_input(TfoptHostCall *call, int32_t at, int32_t dtype, TfoptLevels *out);
TfoptLevels tfopt_levels(int32_t dtype, float min, float max);
float tfopt_level_to_real(const TfoptLevels *l, int64_t level);
/* Not clamped to the type. */
int64_t tfopt_real_to_level_unclamped(const TfoptLevels *l, float real);
int64_t tfopt_real_to_level(const TfoptLevels *l, float real);
/* The same in f32. */
float tfopt_level_to_real_single(const TfoptLevels *l, int64_t level);
int64_t tfopt_real_to_level_single(const TfoptLevels *l, float real);
/* Scalar f32 outputs `at` and `at` + 1. */
int32_t tfopt_give_range(TfoptHostCall *call, int32_t at, float min, float max);
#endif
