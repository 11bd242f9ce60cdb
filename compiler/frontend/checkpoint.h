/* checkpoint: a TensorFlow checkpoint (TensorBundle): an index in the LevelDB table format and one or more data files.
 */
#ifndef TFOPT_FRONTEND_CHECKPOINT_H
#define TFOPT_FRONTEND_CHECKPOINT_H
#include "checkpoint.pb-c.h"
#include "frontend/reader.h"

/* ---- checkpoint_table.c: sorted string tables ---- */

/* Reads all pairs of a table into `out`: key → index of the value in *out_values. Checksums are verified; values may
 * lie in the file. */
typedef VEC(ProtobufCBinaryData) TableValues;
bool table_read(Arena *arena, const uint8_t *data, size_t size, const char *path, Map *out, TableValues *out_values,
                Diag *d);
/* CRC-32C of bytes, continued from `crc` (0 at the start), and the masked form that files store. */
typedef struct {
    uint32_t table[8][256];
} Crc32c;
void crc32c_init(Crc32c *c);
uint32_t crc32c_add(const Crc32c *c, uint32_t crc, const void *data, size_t size);
uint32_t crc32c_mask(uint32_t crc);

/* ---- checkpoint.c ---- */
typedef struct {
    Arena *arena;
    const char *prefix; /* path without .index and .data-… */
    Map entries;        /* checkpoint key → index in values */
    TableValues values; /* BundleEntryProto, serialized */
    FileMap *shards;
    bool *shard_open;
    uint32_t n_shards;
    Crc32c crc;
} Checkpoint;

/* Opens prefix.index; NULL after a message. Data files are mapped when first needed. */
Checkpoint *checkpoint_open(Arena *arena, const char *prefix, Diag *d);
bool checkpoint_has(const Checkpoint *c, const char *key);
/* The tensor saved under `key`; `slice` is TensorFlow's "10 20 0,5:-" (full shape, then start,length of each dimension)
   or "". The data points into the mapped file unless it had to be put together. False after a message. */
bool checkpoint_tensor(Checkpoint *c, const char *key, const char *slice, Tensor *out, Diag *d);
#endif
