/* table_build: a checkpoint index in the LevelDB table format around one given data block, with correct checksums. For
 * tests. */
#ifndef FUZZ_TABLE_BUILD_H
#define FUZZ_TABLE_BUILD_H
#include "frontend/checkpoint.h"

#include "base/str.h"
#include <snappy-c.h>

static inline void table_add_varint(Str *s, uint64_t v) {
    for (; v > 127; v >>= 7) str_add_bytes(s, &(char){(char)(v | 128)}, 1);
    str_add_bytes(s, &(char){(char)v}, 1);
}

/* Appends a block and its trailer; *offset and *size become its handle. */
static inline void table_add_block(Str *file, const void *data, size_t n, bool compressed, uint64_t *offset,
                                   uint64_t *size) {
    Crc32c crc;
    crc32c_init(&crc);
    *offset = file->len;
    if (compressed) {
        size_t length = snappy_max_compressed_length(n);
        char *packed = arena_alloc(file->arena, length);
        snappy_compress(data, n, packed, &length);
        str_add_bytes(file, packed, length);
        *size = length;
    } else {
        str_add_bytes(file, data, n);
        *size = n;
    }
    str_add_bytes(file, &(char){compressed}, 1);
    uint32_t masked = crc32c_mask(crc32c_add(&crc, 0, file->data + *offset, (size_t)*size + 1));
    str_add_bytes(file, &masked, 4);
}

/* One entry of a block, without prefix sharing. */
static inline void table_add_entry(Str *block, const void *key, size_t key_len, const void *value, size_t value_len) {
    table_add_varint(block, 0);
    table_add_varint(block, key_len);
    table_add_varint(block, value_len);
    str_add_bytes(block, key, key_len);
    str_add_bytes(block, value, value_len);
}

/* The whole file; `block` has its restart array (one zero is enough: eight zero bytes after the entries, then 1 as the
 * count). */
static inline void table_build(Str *file, const void *block, size_t n, bool compressed) {
    static const char restarts[8] = {0, 0, 0, 0, 1, 0, 0, 0},
                      magic[8] = {0x57, (char)0xfb, (char)0x80, (char)0x8b, 0x24, 0x75, 0x47, (char)0xdb};
    uint64_t offset, size, meta_offset, meta_size, index_offset, index_size;
    Str handle, index, footer;
    str_init(&handle, file->arena);
    str_init(&index, file->arena);
    str_init(&footer, file->arena);
    table_add_block(file, block, n, compressed, &offset, &size);
    table_add_varint(&handle, offset);
    table_add_varint(&handle, size);
    table_add_entry(&index, "\xff", 1, handle.data, handle.len);
    str_add_bytes(&index, restarts, 8);
    table_add_block(file, restarts, 8, false, &meta_offset, &meta_size);
    table_add_block(file, index.data, index.len, false, &index_offset, &index_size);
    table_add_varint(&footer, meta_offset);
    table_add_varint(&footer, meta_size);
    table_add_varint(&footer, index_offset);
    table_add_varint(&footer, index_size);
    while (footer.len < 40) str_add_bytes(&footer, "", 1);
    str_add_bytes(&footer, magic, 8);
    str_add_bytes(file, footer.data, footer.len);
}
#endif
