/* Map: entries in insertion order beside an open-addressing table of their indexes. */
#include "base/map.h"

#include <string.h>

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len) {
    const unsigned char *p = data;
    uint64_t h = seed;
    for (size_t i = 0; i < len; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

void map_init(Map *m, Arena *arena) {
    *m = (Map){.arena = arena};
}

/* The bucket that holds the key, or the free one where it belongs. */
static uint32_t bucket_of(const Map *m, const void *key, size_t len) {
    uint32_t mask = m->n_buckets - 1, i = (uint32_t)(hash_bytes(HASH_SEED, key, len) >> 7) & mask;
    for (; m->buckets[i]; i = (i + 1) & mask) {
        const MapEntry *e = &m->entries.data[m->buckets[i] - 1];
        if (e->key_len == len && memcmp(e->key, key, len) == 0) break;
    }
    return i;
}

static void rehash(Map *m) {
    m->n_buckets = m->n_buckets ? m->n_buckets * 2 : 16;
    m->buckets = NEW_ARRAY(m->arena, uint32_t, m->n_buckets);
    for (uint32_t i = 0; i < m->entries.len; i++)
        m->buckets[bucket_of(m, m->entries.data[i].key, m->entries.data[i].key_len)] = i + 1;
}

MapEntry *map_find_bytes(const Map *m, const void *key, size_t len) {
    if (!m->n_buckets) return NULL;
    uint32_t at = m->buckets[bucket_of(m, key, len)];
    return at ? &m->entries.data[at - 1] : NULL;
}

MapEntry *map_find(const Map *m, const char *key) {
    return map_find_bytes(m, key, strlen(key));
}

bool map_add_bytes(Map *m, const void *key, size_t len, uint64_t value) {
    if (m->entries.len * 2 >= m->n_buckets) rehash(m);
    uint32_t at = bucket_of(m, key, len);
    if (m->buckets[at]) return false;
    vec_push(m->arena, &m->entries, (MapEntry){arena_strndup(m->arena, key, len), len, value});
    m->buckets[at] = m->entries.len;
    return true;
}

bool map_add(Map *m, const char *key, uint64_t value) {
    return map_add_bytes(m, key, strlen(key), value);
}

uint64_t map_get(const Map *m, const char *key, uint64_t missing) {
    const MapEntry *e = map_find(m, key);
    return e ? e->value : missing;
}
