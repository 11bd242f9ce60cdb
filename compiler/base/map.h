/* Map: insertion-ordered hash map from byte strings to 64-bit values, so that walking it is deterministic. */
#ifndef TFOPT_BASE_MAP_H
#define TFOPT_BASE_MAP_H
#include "base/arena.h"
#include <stdbool.h>

typedef struct {
    const char *key; /* in the arena, NUL-terminated copy */
    size_t key_len;
    uint64_t value;
} MapEntry;

typedef struct {
    Arena *arena;
    VEC(MapEntry) entries; /* in order of insertion; walk with a plain loop */
    uint32_t *buckets;     /* entry index + 1, open addressing */
    uint32_t n_buckets;
} Map;

/* An empty map whose keys and tables live in `arena`. */
void map_init(Map *m, Arena *arena);
/* The entry of `key`, or NULL. Stays valid until the next insertion. */
MapEntry *map_find(const Map *m, const char *key);
MapEntry *map_find_bytes(const Map *m, const void *key, size_t len);
/* Sets key to value; returns false (and changes nothing) when the key is there already. */
bool map_add(Map *m, const char *key, uint64_t value);
bool map_add_bytes(Map *m, const void *key, size_t len, uint64_t value);
/* Value of `key`, or `missing`. */
uint64_t map_get(const Map *m, const char *key, uint64_t missing);
/* FNV-1a, for content hashes as well (same on every machine). */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);
#define HASH_SEED 0xcbf29ce484222325u
#endif
