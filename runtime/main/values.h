/* values: what programs made by tfoptc read and write: .npy, .npz and .json files. Memory of what is read is never
   given back: it lives as long as the program. */
#ifndef TFOPT_MAIN_VALUES_H
#define TFOPT_MAIN_VALUES_H
#include "tfopt.h"

#include <stdbool.h>

/* A file in memory, followed by a NUL byte. */
typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

/* ---- values.c */
/* Reads the value of `port` from `path`, by the ending of its name; a `shared` file is for several inputs. NULL, or
 * what is wrong. */
const char *value_read(const char *path, const TfoptPort *port, bool shared, TfoptTensor *out);
/* Writes <directory>/out_<i>.npy, for strings .json. NULL, or what is wrong. */
const char *value_write(const char *directory, uint32_t i, const TfoptTensor *t);
void value_print(const TfoptTensor *t); /* its first elements */
/* Room for the tensor's elements, 64-byte aligned and with a byte to spare; NULL when that is too much. */
void *value_room(const TfoptTensor *t);
uint64_t value_count(const TfoptTensor *t);
bool value_bytes(const TfoptTensor *t, uint64_t *out); /* false: more than memory has */
uint64_t value_element_bytes(int32_t dtype);           /* 0: no dtype of a tensor in memory */
const char *value_type_name(int32_t dtype);            /* "float32" */
const char *value_type_npy(int32_t dtype);             /* "<f4"; "" for what NumPy has no numbers for */

/* ---- npy.c */
const char *npy_parse(Bytes file, int32_t dtype, TfoptTensor *out);
const char *npy_write(const char *path, const TfoptTensor *t);

/* ---- npz.c: the array of that name, or with any_name the only one there is */
const char *npz_find(Bytes file, const char *name, bool any_name, Bytes *out_npy);

/* ---- inflate.c: DEFLATE; false where the data do not give just `n_out` bytes */
bool value_unpack(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out);

/* ---- json.c */
const char *json_parse(Bytes file, const TfoptPort *port, TfoptTensor *out);
const char *json_write(const char *path, const TfoptTensor *strings);
#endif
