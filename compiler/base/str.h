/* Str: a growing text in an arena. */
#ifndef TFOPT_BASE_STR_H
#define TFOPT_BASE_STR_H
#include "base/arena.h"

typedef struct {
    Arena *arena;
    char *data; /* always NUL-terminated once something was added; NULL before */
    size_t len, cap;
} Str;

void str_init(Str *s, Arena *arena);
void str_add(Str *s, const char *text);
void str_add_bytes(Str *s, const void *data, size_t n);
void str_printf(Str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text, "" when nothing was added. */
const char *str_text(const Str *s);
#endif
