/* Arena: a chain of blocks, each twice the last up to 64 MiB; big requests get a block of their own. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Block {
    struct Block *next;
    size_t size, used;
    /* the payload follows at the next multiple of 64 */
} Block;

struct Arena {
    Block *blocks; /* newest first */
    size_t used;
};

enum { HEADER = 64, FIRST_BLOCK = 64 << 10, LARGEST_BLOCK = 64 << 20 };

void arena_out_of_memory(const char *what) {
    fprintf(stderr, "tfoptc: out of memory %s\n", what);
    exit(1);
}

static _Noreturn void out_of_memory(size_t size) {
    char what[64];
    snprintf(what, sizeof what, "(asked for %zu bytes)", size);
    arena_out_of_memory(what);
}

static Block *block_new(size_t size, Block *next) {
    Block *b = NULL;
    if (size > SIZE_MAX / 2 || posix_memalign((void **)&b, 64, HEADER + size) != 0) out_of_memory(size);
    *b = (Block){next, size, 0};
    return b;
}

Arena *arena_new(void) {
    Arena *a = calloc(1, sizeof *a);
    if (!a) out_of_memory(sizeof *a);
    a->blocks = block_new(FIRST_BLOCK, NULL);
    return a;
}

void arena_free(Arena *a) {
    if (!a) return;
    for (Block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_reset(Arena *a) {
    for (Block *b = a->blocks->next, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->blocks->next = NULL;
    a->blocks->used = 0;
    a->used = 0;
}

void *arena_alloc(Arena *a, size_t size) {
    size_t align = size >= 64 ? 64 : 16;
    Block *b = a->blocks;
    size_t at = (b->used + align - 1) & ~(align - 1);
    if (at > b->size || size > b->size - at) {
        size_t next_size = b->size < LARGEST_BLOCK ? b->size * 2 : LARGEST_BLOCK;
        if (size > next_size / 4) { /* its own block, behind the current one, which stays in use */
            Block *own = block_new(size ? size : 1, b->next);
            b->next = own;
            own->used = size;
            a->used += size;
            return memset((char *)own + HEADER, 0, size);
        }
        b = a->blocks = block_new(next_size, b);
        at = 0;
    }
    b->used = at + size;
    a->used += size;
    return memset((char *)b + HEADER + at, 0, size);
}

void *arena_memdup(Arena *a, const void *p, size_t n) {
    void *copy = arena_alloc(a, n);
    if (n) memcpy(copy, p, n);
    return copy;
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
    char *copy = arena_alloc(a, n + 1);
    if (n) memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(Arena *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(Arena *a, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(Arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}

void vec_grow(Arena *a, void **data, uint32_t len, uint32_t *cap, size_t element) {
    if (len < *cap) return;
    uint32_t cap_new = *cap ? *cap * 2 : 8;
    if (cap_new <= *cap) out_of_memory(SIZE_MAX);
    void *grown = arena_alloc(a, cap_new * element);
    if (len) memcpy(grown, *data, len * element);
    *data = grown;
    *cap = cap_new;
}
