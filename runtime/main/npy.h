/* npy: NumPy's array files, as far as executables made by tfoptc read and write them: C order, this machine's byte
 * order. */
#ifndef TFOPT_MAIN_NPY_H
#define TFOPT_MAIN_NPY_H
#include "tfopt.h"

/* Reads `path` as elements of `dtype` (types that NumPy lacks as unsigned integers of their size). Returns NULL, or
 * what is wrong. */
const char *npy_read(const char *path, int32_t dtype, TfoptTensor *out);
const char *npy_write(const char *path, const TfoptTensor *t);
uint64_t npy_element_bytes(int32_t dtype); /* 0: no numbers */
const char *npy_type_name(int32_t dtype);  /* "f32" */
#endif
