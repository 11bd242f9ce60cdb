/* lexer: reads words, numbers and strings of the IR's text form. */
#include "ir/lexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool lex_error(Lexer *l, const char *format, ...) {
    if (l->failed) return false;
    l->failed = true;
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(l->g->arena, format, args);
    va_end(args);
    return diag_error(l->d, NULL, NULL, "line %u: %s", l->line, message);
}

char lex_peek(Lexer *l) {
    for (; *l->p == ' ' || *l->p == '\t' || *l->p == '\r' || *l->p == '\n'; l->p++)
        if (*l->p == '\n') l->line++;
    return *l->p;
}

bool lex_accept(Lexer *l, char c) {
    if (l->failed || lex_peek(l) != c) return false;
    l->p++;
    return true;
}

bool lex_expect(Lexer *l, char c) {
    return lex_accept(l, c) || lex_error(l, "'%c' is missing", c);
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

const char *lex_word(Lexer *l) {
    if (l->failed) return NULL;
    lex_peek(l);
    const char *start = l->p;
    while (is_word(*l->p)) l->p++;
    return l->p == start ? NULL : arena_strndup(l->g->arena, start, (size_t)(l->p - start));
}

bool lex_accept_word(Lexer *l, const char *w) {
    size_t n = strlen(w);
    if (l->failed) return false;
    lex_peek(l);
    if (strncmp(l->p, w, n) != 0 || is_word(l->p[n])) return false;
    l->p += n;
    return true;
}

bool lex_int(Lexer *l, int64_t *out) {
    if (l->failed) return false;
    lex_peek(l);
    char *end;
    errno = 0;
    bool number = isdigit((unsigned char)*l->p) || (*l->p == '-' && isdigit((unsigned char)l->p[1]));
    *out = number ? strtoll(l->p, &end, 10) : 0;
    if (!number || errno) return lex_error(l, "an integer is missing");
    l->p = end;
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool lex_string(Lexer *l, const char **out, size_t *out_n) {
    if (!lex_accept(l, '"')) return lex_error(l, "a string is missing");
    Str s;
    str_init(&s, l->g->arena);
    for (; *l->p != '"'; l->p++) {
        char c = *l->p;
        if (c == 0 || c == '\n') return lex_error(l, "a string does not end");
        if (c == '\\') {
            c = *++l->p;
            if (c == 'x' && hex_digit(l->p[1]) >= 0 && hex_digit(l->p[2]) >= 0) {
                c = (char)(hex_digit(l->p[1]) * 16 + hex_digit(l->p[2]));
                l->p += 2;
            } else if (c != '"' && c != '\\') {
                return lex_error(l, "a string has an unknown escape");
            }
        }
        str_add_bytes(&s, &c, 1);
    }
    l->p++;
    *out = str_text(&s);
    *out_n = s.len;
    return true;
}
