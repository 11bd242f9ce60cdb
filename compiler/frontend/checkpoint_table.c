/* checkpoint_table: the LevelDB table format, in which a checkpoint's index is stored: blocks of key/value pairs with
   shared key prefixes, each stored raw or compressed with snappy and followed by a CRC-32C; an index block that points
   to them; a footer that points to the index. */
#include "frontend/checkpoint.h"

#include "base/str.h"
#include <snappy-c.h>
#include <string.h>

enum { FOOTER = 48, TRAILER = 5, RAW = 0, SNAPPY = 1 };
#define TABLE_MAGIC 0xdb4775248b80fb57u
#define MAX_BLOCK ((size_t)256 << 20)

void crc32c_init(Crc32c *c) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++) v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
        c->table[0][i] = v;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) c->table[k][i] = c->table[k - 1][i] >> 8 ^ c->table[0][c->table[k - 1][i] & 255];
}

uint32_t crc32c_add(const Crc32c *c, uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;
        crc = c->table[7][word & 255] ^ c->table[6][word >> 8 & 255] ^ c->table[5][word >> 16 & 255] ^
              c->table[4][word >> 24 & 255] ^ c->table[3][word >> 32 & 255] ^ c->table[2][word >> 40 & 255] ^
              c->table[1][word >> 48 & 255] ^ c->table[0][word >> 56];
    }
    for (; size; size--, p++) crc = crc >> 8 ^ c->table[0][(crc ^ *p) & 255];
    return ~crc;
}

uint32_t crc32c_mask(uint32_t crc) {
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint32_t load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

typedef struct {
    Arena *arena;
    const uint8_t *data;
    size_t size;
    const char *path;
    size_t unpacked; /* bytes that compressed blocks have grown to so far */
    Crc32c crc;
    Diag *d;
} Table;

static bool damaged(Table *t, const char *why) {
    return diag_error(t->d, NULL, NULL, "%s is no checkpoint index, or is damaged: %s", t->path, why);
}

/* A block handle: offset and size as varints. */
static bool read_handle(const uint8_t **p, const uint8_t *end, uint64_t *offset, uint64_t *size) {
    return wire_varint(p, end, offset) && wire_varint(p, end, size);
}

/* Content of the block at offset, checked and unpacked. */
static bool read_block(Table *t, uint64_t offset, uint64_t size, const uint8_t **out, size_t *out_size) {
    if (offset > t->size || size > t->size - offset || t->size - offset - size < TRAILER)
        return damaged(t, "a block lies outside the file");
    const uint8_t *p = t->data + offset;
    uint32_t crc = crc32c_add(&t->crc, 0, p, (size_t)size + 1);
    if (crc32c_mask(crc) != load_u32(p + size + 1)) return damaged(t, "a block's checksum is wrong");
    *out = p;
    *out_size = (size_t)size;
    if (p[size] == RAW) return true;
    if (p[size] != SNAPPY) return damaged(t, "a block is compressed in an unknown way");
    size_t length;
    if (snappy_uncompressed_length((const char *)p, (size_t)size, &length) != SNAPPY_OK || length > MAX_BLOCK ||
        length > MAX_BLOCK - t->unpacked)
        return damaged(t, "a compressed block cannot be unpacked");
    t->unpacked += length;
    char *unpacked = arena_alloc(t->arena, length);
    if (snappy_uncompress((const char *)p, (size_t)size, unpacked, &length) != SNAPPY_OK)
        return damaged(t, "a compressed block cannot be unpacked");
    *out = (const uint8_t *)unpacked;
    *out_size = length;
    return true;
}

typedef struct {
    const uint8_t *p, *end; /* entries; the restart array behind them is not needed to read all */
    Str key;
} BlockReader;

static bool block_open(Table *t, uint64_t offset, uint64_t size, BlockReader *out) {
    const uint8_t *data = NULL;
    size_t n = 0;
    if (!read_block(t, offset, size, &data, &n)) return false;
    if (n < 4) return damaged(t, "a block is too short");
    size_t restarts = load_u32(data + n - 4);
    if (restarts > (n - 4) / 4) return damaged(t, "a block's restart points do not fit");
    *out = (BlockReader){.p = data, .end = data + n - 4 - restarts * 4};
    str_init(&out->key, t->arena);
    return true;
}

static bool block_next(Table *t, BlockReader *b, ProtobufCBinaryData *value) {
    uint64_t shared, fresh, length;
    if (!wire_varint(&b->p, b->end, &shared) || !wire_varint(&b->p, b->end, &fresh) ||
        !wire_varint(&b->p, b->end, &length) || shared > b->key.len || fresh > (size_t)(b->end - b->p) ||
        length > (size_t)(b->end - b->p) - fresh)
        return damaged(t, "an entry runs past its block");
    b->key.len = (size_t)shared;
    str_add_bytes(&b->key, b->p, (size_t)fresh);
    b->p += fresh;
    *value = (ProtobufCBinaryData){(size_t)length, (uint8_t *)(uintptr_t)b->p};
    b->p += length;
    return true;
}

bool table_read(Arena *arena, const uint8_t *data, size_t size, const char *path, Map *out, TableValues *out_values,
                Diag *d) {
    Table t = {.arena = arena, .data = data, .size = size, .path = path, .d = d};
    uint64_t magic, offset, length;
    if (size < FOOTER) return damaged(&t, "it is too short");
    memcpy(&magic, data + size - 8, 8);
    if (magic != TABLE_MAGIC) return damaged(&t, "it does not end as one");
    crc32c_init(&t.crc);
    const uint8_t *p = data + size - FOOTER, *end = data + size - 8;
    BlockReader index, block;
    if (!read_handle(&p, end, &offset, &length) || !read_handle(&p, end, &offset, &length))
        return damaged(&t, "its footer is wrong");
    if (!block_open(&t, offset, length, &index)) return false;
    while (index.p < index.end) {
        ProtobufCBinaryData handle, value;
        if (!block_next(&t, &index, &handle)) return false;
        p = handle.data;
        if (!read_handle(&p, handle.data + handle.len, &offset, &length)) return damaged(&t, "its index is wrong");
        if (!block_open(&t, offset, length, &block)) return false;
        while (block.p < block.end) {
            if (!block_next(&t, &block, &value)) return false;
            if (!map_add_bytes(out, str_text(&block.key), block.key.len, out_values->len))
                return damaged(&t, "a key occurs twice");
            vec_push(arena, out_values, value);
        }
    }
    return true;
}
