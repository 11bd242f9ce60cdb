/* Arena: bump allocation for everything that lives as long as one compilation or one pass. Nothing is freed singly. */
#ifndef TFOPT_BASE_ARENA_H
#define TFOPT_BASE_ARENA_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;

/* A new empty arena; ends the process with a message when memory runs out (all arena calls do: nobody checks for NULL).
 */
Arena *arena_new(void);
/* How it ends: "tfoptc: out of memory WHAT", exit 1. */
_Noreturn void arena_out_of_memory(const char *what);
/* Frees the arena and all that was allocated in it. */
void arena_free(Arena *a);
/* Forgets all allocations but keeps one block, for scratch arenas. */
void arena_reset(Arena *a);
/* `size` zeroed bytes, aligned to 64 when size >= 64, else to 16. */
void *arena_alloc(Arena *a, size_t size);
char *arena_strdup(Arena *a, const char *s);
char *arena_strndup(Arena *a, const char *s, size_t n);
void *arena_memdup(Arena *a, const void *p, size_t n);
char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *format, va_list args);

/* One zeroed T, or an array of n of them. */
#define NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Growable array in an arena: VEC(Node) nodes;  vec_push(arena, &nodes, node);  nodes.data[i], nodes.len. */
#define VEC(T)                                                                                                         \
    struct {                                                                                                           \
        T *data;                                                                                                       \
        uint32_t len, cap;                                                                                             \
    }
#define vec_push(arena, v, ...)                                                                                        \
    (vec_grow((arena), (void **)&(v)->data, (v)->len, &(v)->cap, sizeof *(v)->data),                                   \
     (v)->data[(v)->len++] = (__VA_ARGS__))
void vec_grow(Arena *a, void **data, uint32_t len, uint32_t *cap, size_t element);
#endif
