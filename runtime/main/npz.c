/* npz: finds an array in a .npz file: a zip archive (APPNOTE.TXT of PKWARE) of .npy files, stored or deflated. Entries
   are looked up in the directory at the archive's end. */
#include "main/values.h"

#include <stdlib.h>
#include <string.h>

enum { END_BYTES = 22, ENTRY_BYTES = 46, LOCAL_BYTES = 30, STORED = 0, DEFLATED = 8 };

static size_t read16(const uint8_t *p) {
    return (size_t)p[0] | (size_t)p[1] << 8;
}
static size_t read32(const uint8_t *p) {
    return read16(p) | read16(p + 2) << 16;
}
static uint64_t read64(const uint8_t *p) {
    return (uint64_t)read32(p) | (uint64_t)read32(p + 4) << 32;
}

typedef struct {
    size_t method, packed, bytes, local; /* sizes, and where the local header lies */
} Entry;

/* Sizes over 4 GB stand in an extra field of kind 1, those of the directory that are all ones, in their order. NumPy
   writes the local headers so, whatever the size, the directory only where it must. */
static bool read_large(Entry *e, const uint8_t *extra, size_t n) {
    size_t *const fields[] = {&e->bytes, &e->packed, &e->local};
    while (n >= 4) {
        size_t kind = read16(extra), length = read16(extra + 2);
        extra += 4;
        n -= 4;
        if (length > n) return false;
        for (size_t i = 0, at = 0; kind == 1 && i < 3; i++) {
            if (*fields[i] != 0xffffffff) continue;
            if (length - at < 8) return false;
            *fields[i] = (size_t)read64(extra + at);
            at += 8;
        }
        extra += length;
        n -= length;
    }
    return true;
}

/* The bytes of an entry, unpacked. */
static const char *read_entry(Bytes file, Entry e, Bytes *out) {
    if (e.local > file.size || file.size - e.local < LOCAL_BYTES || memcmp(file.data + e.local, "PK\3\4", 4) != 0)
        return "a damaged archive";
    size_t begin = LOCAL_BYTES + read16(file.data + e.local + 26) + read16(file.data + e.local + 28);
    if (begin > file.size - e.local || e.packed > file.size - e.local - begin) return "a damaged archive";
    const uint8_t *data = file.data + e.local + begin;
    *out = (Bytes){data, e.bytes};
    if (e.method == STORED) return e.packed == e.bytes ? NULL : "a damaged archive";
    if (e.method != DEFLATED) return "an archive packed in a way that is not read";
    if (e.bytes / 1100 > e.packed) return "a damaged archive"; /* DEFLATE shrinks to a 1,032nd at most */
    uint8_t *room = malloc(e.bytes + 1);
    if (!room) return "too large";
    *out = (Bytes){room, e.bytes};
    return value_unpack(data, e.packed, room, e.bytes) ? NULL : "a damaged archive";
}

/* Whether an entry's file name is <name>.npy; ":0" behind a tensor's name may be left out. */
static bool is_named(const char *file, size_t n, const char *name) {
    size_t length = strlen(name);
    if (n < 4 || memcmp(file + n - 4, ".npy", 4) != 0) return false;
    n -= 4;
    if (n == length && memcmp(file, name, n) == 0) return true;
    return length > 2 && strcmp(name + length - 2, ":0") == 0 && n == length - 2 && memcmp(file, name, n) == 0;
}

const char *npz_find(Bytes file, const char *name, bool any_name, Bytes *out_npy) {
    size_t end = file.size;
    const uint8_t *p = file.data;
    for (size_t back = END_BYTES; back <= file.size && back < END_BYTES + 65536 && end == file.size; back++)
        if (memcmp(p + file.size - back, "PK\5\6", 4) == 0) end = file.size - back;
    if (end == file.size) return "no .npz archive";
    size_t n = read16(p + end + 10), at = read32(p + end + 16);
    for (size_t i = 0; i < n; i++) {
        if (at > end || end - at < ENTRY_BYTES || memcmp(p + at, "PK\1\2", 4) != 0) return "a damaged archive";
        size_t name_bytes = read16(p + at + 28), extra = read16(p + at + 30), comment = read16(p + at + 32);
        if (end - at - ENTRY_BYTES < name_bytes + extra + comment) return "a damaged archive";
        Entry e = {read16(p + at + 10), read32(p + at + 20), read32(p + at + 24), read32(p + at + 42)};
        if (!read_large(&e, p + at + ENTRY_BYTES + name_bytes, extra)) return "a damaged archive";
        if ((n == 1 && any_name) || is_named((const char *)p + at + ENTRY_BYTES, name_bytes, name))
            return read_entry(file, e, out_npy);
        at += ENTRY_BYTES + name_bytes + extra + comment;
    }
    return "no array of the input's name";
}
