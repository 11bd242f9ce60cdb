/* pbtxt: protobuf's text format, read over the generated descriptors into the same structs as wire.c fills. Understands
   what TensorFlow and people write: "field: value", "field { … }", "field: { … }", "< … >", lists in brackets, commas
   and semicolons between fields, comments, adjacent strings, C escapes, enums by name or number. Unknown fields are
   skipped whatever their value. */
#include "frontend/message.h"

#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Arena *arena;
    const char *p, *end;
    unsigned line;
    Diag *d;
} Text;

static bool fail(Text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(Text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *why = arena_vprintf(t->arena, format, args);
    va_end(args);
    return diag_error(t->d, NULL, NULL, "line %u: %s", t->line, why);
}

static void skip_space(Text *t) {
    for (; t->p < t->end; t->p++) {
        if (*t->p == '#')
            while (t->p + 1 < t->end && t->p[1] != '\n') t->p++;
        else if (*t->p == '\n')
            t->line++;
        else if (!isspace((unsigned char)*t->p))
            return;
    }
}

/* The next character that is not space, without taking it; NUL at the end. */
static char peek(Text *t) {
    skip_space(t);
    return t->p < t->end ? *t->p : '\0';
}

static bool take(Text *t, char c) {
    if (peek(t) != c || t->p >= t->end) return false;
    t->p++;
    return true;
}

/* A run of letters, digits and whatever else may stand in names and numbers. */
static size_t token(Text *t, const char **out) {
    skip_space(t);
    *out = t->p;
    while (t->p < t->end && (isalnum((unsigned char)*t->p) || strchr("_.+-/", *t->p)) && *t->p) t->p++;
    return (size_t)(t->p - *out);
}

/* ---- values ---- */

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void add_utf8(Str *s, uint32_t c) {
    char bytes[4];
    size_t n = 0;
    if (c < 0x80) {
        bytes[n++] = (char)c;
    } else if (c < 0x800) {
        bytes[n++] = (char)(0xc0 | c >> 6);
        bytes[n++] = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        bytes[n++] = (char)(0xe0 | c >> 12);
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
        bytes[n++] = (char)(0x80 | (c & 63));
    } else {
        bytes[n++] = (char)(0xf0 | (c >> 18 & 7));
        bytes[n++] = (char)(0x80 | (c >> 12 & 63));
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
        bytes[n++] = (char)(0x80 | (c & 63));
    }
    str_add_bytes(s, bytes, n);
}

/* After a backslash. */
static bool read_escape(Text *t, Str *out) {
    static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    if (t->p >= t->end) return fail(t, "a string without an end");
    char c = *t->p++;
    const char *named = c ? strchr(names, c) : NULL;
    if (named) {
        str_add_bytes(out, &values[named - names], 1);
    } else if (c >= '0' && c <= '7') {
        int v = c - '0';
        for (int i = 0; i < 2 && t->p < t->end && *t->p >= '0' && *t->p <= '7'; i++) v = v * 8 + (*t->p++ - '0');
        str_add_bytes(out, &(char){(char)v}, 1);
    } else if (c == 'x' || c == 'X' || c == 'u' || c == 'U') {
        int digits = c == 'u' ? 4 : c == 'U' ? 8 : 2, n = 0;
        uint32_t v = 0;
        for (; n < digits && t->p < t->end && hex_digit(*t->p) >= 0; n++) v = v * 16 + (uint32_t)hex_digit(*t->p++);
        if (n == 0 || (digits > 2 && n < digits)) return fail(t, "a bad \\%c escape", c);
        if (digits > 2)
            add_utf8(out, v);
        else
            str_add_bytes(out, &(char){(char)v}, 1);
    } else {
        str_add_bytes(out, &c, 1);
    }
    return true;
}

/* One or more quoted strings side by side are one. */
static bool read_string(Text *t, Str *out) {
    str_init(out, t->arena);
    char quote = peek(t);
    if (quote != '"' && quote != '\'') return fail(t, "expected a string in quotes");
    while ((quote = peek(t)) == '"' || quote == '\'') {
        t->p++;
        for (;;) {
            const char *run = t->p;
            while (t->p < t->end && *t->p != quote && *t->p != '\\' && *t->p != '\n') t->p++;
            str_add_bytes(out, run, (size_t)(t->p - run));
            if (t->p >= t->end || *t->p == '\n') return fail(t, "a string without an end");
            if (*t->p++ == quote) break;
            if (!read_escape(t, out)) return false;
        }
    }
    return true;
}

static bool read_scalar_text(Text *t, char *buffer, size_t size) {
    const char *start;
    size_t n = token(t, &start);
    if (n == 0) return fail(t, "expected a value");
    if (n >= size) return fail(t, "'%.20s…' is no number", start);
    memcpy(buffer, start, n);
    buffer[n] = 0;
    return true;
}

static bool read_float(Text *t, double *out) {
    char text[64], *stop;
    if (!read_scalar_text(t, text, sizeof text)) return false;
    const char *number = text[0] == '-' ? text + 1 : text;
    if (strcasecmp(number, "nan") == 0 || strcasecmp(number, "inf") == 0 || strcasecmp(number, "infinity") == 0) {
        *out = strtod(text, NULL);
        return true;
    }
    *out = strtod(text, &stop);
    if (stop != text && (*stop == 'f' || *stop == 'F')) stop++;
    return *stop == 0 || fail(t, "'%s' is no number", text);
}

/* Integers: decimal, hexadecimal, octal, of either sign, in the range of the declared type. */
static bool read_int(Text *t, const ProtobufCFieldDescriptor *f, uint64_t *out) {
    char text[64], *stop;
    if (!read_scalar_text(t, text, sizeof text)) return false;
    bool negative = text[0] == '-', wide = message_element_size(f) == 8;
    bool is_unsigned = f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_UINT64 ||
                       f->type == PROTOBUF_C_TYPE_FIXED32 || f->type == PROTOBUF_C_TYPE_FIXED64;
    errno = 0;
    uint64_t magnitude = strtoull(text + negative, &stop, 0);
    if (!isdigit((unsigned char)text[negative]) || *stop) return fail(t, "'%s' is no integer", text);
    uint64_t limit = wide ? (is_unsigned ? UINT64_MAX : (uint64_t)INT64_MAX + negative)
                          : (is_unsigned ? UINT32_MAX : (uint64_t)INT32_MAX + negative);
    if (errno || magnitude > limit || (negative && is_unsigned && magnitude))
        return fail(t, "%s does not fit in field '%s'", text, f->name);
    *out = negative ? 0 - magnitude : magnitude;
    return true;
}

static bool read_enum(Text *t, const ProtobufCEnumDescriptor *e, uint64_t *out) {
    char text[64], *stop;
    if (!read_scalar_text(t, text, sizeof text)) return false;
    long number = strtol(text, &stop, 10);
    if (!*stop && number >= INT32_MIN && number <= INT32_MAX) {
        *out = (uint64_t)number;
        return true;
    }
    for (unsigned i = 0; i < e->n_values; i++)
        if (strcmp(e->values[i].name, text) == 0) {
            *out = (uint64_t)e->values[i].value;
            return true;
        }
    return fail(t, "'%s' is no %s", text, e->short_name);
}

static bool read_bool(Text *t, uint64_t *out) {
    char text[64];
    if (!read_scalar_text(t, text, sizeof text)) return false;
    bool yes = !strcmp(text, "true") || !strcmp(text, "True") || !strcmp(text, "t") || !strcmp(text, "1");
    bool no = !strcmp(text, "false") || !strcmp(text, "False") || !strcmp(text, "f") || !strcmp(text, "0");
    *out = yes;
    return yes || no || fail(t, "'%s' is neither true nor false", text);
}

/* ---- fields ---- */

static bool read_fields(Text *t, ProtobufCMessage *m, char close, int depth);

static bool read_message_value(Text *t, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, int depth) {
    char close = take(t, '{') ? '}' : take(t, '<') ? '>' : 0;
    if (!close) return fail(t, "expected '{' after '%s'", f->name);
    if (depth >= MESSAGE_MAX_DEPTH) return fail(t, "more than %d messages inside each other", MESSAGE_MAX_DEPTH);
    return read_fields(t, message_child(t->arena, m, f), close, depth + 1);
}

static bool read_value(Text *t, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, int depth) {
    uint64_t v = 0;
    double x;
    Str s;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message_value(t, m, f, depth);
    case PROTOBUF_C_TYPE_STRING:
        if (!read_string(t, &s)) return false;
        if (memchr(str_text(&s), 0, s.len)) return fail(t, "a NUL in '%s'", f->name);
        *(const char **)message_slot(t->arena, m, f) = arena_strdup(t->arena, str_text(&s));
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        if (!read_string(t, &s)) return false;
        *(ProtobufCBinaryData *)message_slot(t->arena, m, f) = (ProtobufCBinaryData){s.len, (uint8_t *)s.data};
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
        if (!read_float(t, &x)) return false;
        *(float *)message_slot(t->arena, m, f) = (float)x;
        return true;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (!read_float(t, &x)) return false;
        *(double *)message_slot(t->arena, m, f) = x;
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        if (!read_bool(t, &v)) return false;
        *(protobuf_c_boolean *)message_slot(t->arena, m, f) = v != 0;
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        if (!read_enum(t, f->descriptor, &v)) return false;
        break;
    default:
        if (!read_int(t, f, &v)) return false;
        break;
    }
    void *slot = message_slot(t->arena, m, f);
    if (message_element_size(f) == 8)
        memcpy(slot, &v, 8);
    else
        memcpy(slot, &(uint32_t){(uint32_t)v}, 4);
    return true;
}

/* Skips the value of an unknown field: a scalar, strings, a list or a message. */
static bool skip_value(Text *t, int depth) {
    const char *start;
    Str s;
    if (depth >= MESSAGE_MAX_DEPTH) return fail(t, "more than %d messages inside each other", MESSAGE_MAX_DEPTH);
    char c = peek(t);
    if (c == '"' || c == '\'') return read_string(t, &s);
    char close = c == '{' ? '}' : c == '<' ? '>' : c == '[' ? ']' : 0;
    if (!close) return token(t, &start) > 0 || fail(t, "expected a value");
    t->p++;
    while (!take(t, close)) {
        if (c == '[') {
            if (!skip_value(t, depth + 1)) return false;
        } else {
            if (take(t, '[')) { /* an extension or Any: [type.url/name] { … } */
                token(t, &start);
                if (!take(t, ']')) return fail(t, "expected ']'");
            } else if (token(t, &start) == 0) {
                return fail(t, "expected a field or '%c'", close);
            }
            take(t, ':');
            if (!skip_value(t, depth + 1)) return false;
        }
        if (!take(t, ',')) take(t, ';');
    }
    return true;
}

static bool read_field(Text *t, ProtobufCMessage *m, int depth) {
    const char *name;
    size_t n = token(t, &name);
    if (n == 0)
        return fail(t, "expected the name of a field in %s, found '%c'", m->descriptor->short_name,
                    t->p < t->end ? *t->p : ' ');
    const ProtobufCFieldDescriptor *f = message_field_named(m->descriptor, name, n);
    bool colon = take(t, ':');
    if (!colon && peek(t) != '{' && peek(t) != '<')
        return fail(t, "expected ':' or '{' after '%.*s'", (int)(n > 100 ? 100 : n), name);
    if (!f) return skip_value(t, depth);
    if (!take(t, '[')) return read_value(t, m, f, depth);
    if (f->label != PROTOBUF_C_LABEL_REPEATED) return fail(t, "a list for '%s', which has one value", f->name);
    while (!take(t, ']')) {
        if (!read_value(t, m, f, depth)) return false;
        if (!take(t, ',') && peek(t) != ']') return fail(t, "expected ',' or ']'");
    }
    return true;
}

/* Fields up to the closing bracket, or to the end of the text when close is NUL. */
static bool read_fields(Text *t, ProtobufCMessage *m, char close, int depth) {
    for (;;) {
        char c = peek(t);
        if (t->p >= t->end)
            return close == 0 ||
                   fail(t, "the text ends inside a %s; '%c' is missing", m->descriptor->short_name, close);
        if (close && c == close) {
            t->p++;
            return true;
        }
        if (!read_field(t, m, depth)) return false;
        if (!take(t, ',')) take(t, ';');
    }
}

ProtobufCMessage *pbtxt_read(Arena *arena, const ProtobufCMessageDescriptor *type, const char *text, size_t size,
                             Diag *d) {
    Text t = {arena, text, text + size, 1, d};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) t.p += 3; /* byte order mark */
    ProtobufCMessage *m = message_new(arena, type);
    return read_fields(&t, m, 0, 1) ? m : NULL;
}
