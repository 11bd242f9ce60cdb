/* Str: doubles its buffer in the arena; the old buffers stay behind until the arena goes. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

void str_init(Str *s, Arena *arena) {
    *s = (Str){.arena = arena};
}

void str_add_bytes(Str *s, const void *data, size_t n) {
    if (s->len + n + 1 > s->cap) {
        size_t cap = s->cap ? s->cap : 256;
        while (cap < s->len + n + 1) cap *= 2;
        char *grown = arena_alloc(s->arena, cap);
        if (s->len) memcpy(grown, s->data, s->len);
        s->data = grown;
        s->cap = cap;
    }
    if (n) memcpy(s->data + s->len, data, n);
    s->len += n;
    s->data[s->len] = 0;
}

void str_add(Str *s, const char *text) {
    str_add_bytes(s, text, strlen(text));
}

void str_printf(Str *s, const char *format, ...) {
    char buffer[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(buffer, sizeof buffer, format, args);
    if ((size_t)n < sizeof buffer)
        str_add_bytes(s, buffer, (size_t)n);
    else
        str_add(s, arena_vprintf(s->arena, format, again));
    va_end(again);
    va_end(args);
}

const char *str_text(const Str *s) {
    return s->data ? s->data : "";
}
