/* json: tensors as nested lists, as in TensorFlow Serving's REST interface: strings, {"b64": "…"} for bytes, numbers,
   booleans. A flat list is read row by row where the input's shape is known. Strings are written nested. */
#include "main/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *p; /* behind the text lies a NUL byte */
    TfoptTensor *t;
    uint64_t n, room;  /* elements read, and for how many there is memory */
    bool has_elements; /* the rank is known */
} Reader;

static void skip_space(Reader *r) {
    while (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r') r->p++;
}

static bool skip(Reader *r, char c) {
    skip_space(r);
    if (*r->p != c) return false;
    r->p++;
    return true;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hexadecimal digits, -1 where they are none. */
static int32_t read_unit(Reader *r) {
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = digit_of(*r->p);
        if (digit < 0) return -1;
        v = v * 16 + digit;
        r->p++;
    }
    return v;
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 63));
        }
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* Behind \u: one character, of two units where the first says so. */
static bool read_unicode(Reader *r, char **to) {
    int32_t c = read_unit(r);
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->p[0] != '\\' || r->p[1] != 'u') return false;
        r->p += 2;
        int32_t low = read_unit(r);
        if (low < 0xdc00 || low > 0xdfff) return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c < 0 || (c >= 0xdc00 && c <= 0xdfff)) {
        return false;
    }
    *to = put_utf8(*to, (uint32_t)c);
    return true;
}

/* A string at its opening quote. */
static const char *read_string(Reader *r, TfoptString *out) {
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (!skip(r, '"')) return "no string where one must be";
    size_t n = 0;
    while (r->p[n] && r->p[n] != '"') n += r->p[n] == '\\' && r->p[n + 1] ? 2 : 1;
    char *bytes = malloc(n + 1), *to = bytes;
    if (!bytes) return "too large";
    while (*r->p != '"') {
        const char *escape;
        if ((unsigned char)*r->p < ' ') return "a string that does not end";
        if (*r->p != '\\') {
            *to++ = *r->p++;
        } else if (*++r->p == 'u') {
            r->p++;
            if (!read_unicode(r, &to)) return "a \\u that is no character";
        } else {
            if (!*r->p || !(escape = strchr(escapes, *r->p))) return "an unknown escape in a string";
            *to++ = meant[escape - escapes];
            r->p++;
        }
    }
    r->p++;
    *to = 0;
    *out = (TfoptString){bytes, (uint64_t)(to - bytes)};
    return NULL;
}

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* In place: base64, also with the letters for addresses. */
static bool decode64(TfoptString *s) {
    char *to = (char *)(uintptr_t)s->data;
    uint32_t bits = 0;
    int have = 0;
    uint64_t made = 0;
    for (uint64_t i = 0; i < s->size && s->data[i] != '='; i++) {
        char c = s->data[i] == '-' ? '+' : s->data[i] == '_' ? '/' : s->data[i];
        const char *digit = c ? strchr(digits64, c) : NULL;
        if (!digit) return false;
        bits = bits << 6 | (uint32_t)(digit - digits64);
        have += 6;
        if (have >= 8) to[made++] = (char)(bits >> (have -= 8) & 255);
    }
    s->size = made;
    return true;
}

static const char *read_bytes(Reader *r, TfoptString *out) {
    TfoptString key;
    if (!skip(r, '{')) return read_string(r, out);
    const char *wrong = read_string(r, &key);
    if (wrong) return wrong;
    if (strcmp(key.data, "b64") != 0 || !skip(r, ':')) return "an object that is no {\"b64\": …}";
    wrong = read_string(r, out);
    if (wrong) return wrong;
    return skip(r, '}') && decode64(out) ? NULL : "base64 that cannot be read";
}

/* A whole number within the type's bits. */
static bool fits(int32_t dtype, uint64_t bytes, const char *text, char **end, uint64_t *out) {
    bool is_signed = dtype == TFOPT_S8 || dtype == TFOPT_S16 || dtype == TFOPT_S32 || dtype == TFOPT_S64;
    if (!is_signed && *text == '-') return false;
    int64_t v = is_signed ? strtoll(text, end, 10) : 0;
    uint64_t u = is_signed ? (uint64_t)v : strtoull(text, end, 10);
    if (*end == text || **end == '.' || **end == 'e' || **end == 'E') return false;
    unsigned shift = 64 - 8 * (unsigned)bytes;
    *out = u;
    return is_signed ? (int64_t)(u << shift) >> shift == v : u << shift >> shift == u;
}

static const char *read_number(Reader *r, void *element) {
    int32_t dtype = r->t->dtype;
    skip_space(r);
    char *end = NULL;
    if (dtype == TFOPT_BOOL) {
        bool yes = strncmp(r->p, "true", 4) == 0;
        if (!yes && strncmp(r->p, "false", 5) != 0) return "the input's elements are true or false";
        *(uint8_t *)element = yes;
        r->p += yes ? 4 : 5;
        return NULL;
    }
    if (*r->p != '-' && digit_of(*r->p) < 0) return "no number where one must be";
    if (dtype == TFOPT_F32 || dtype == TFOPT_F64) {
        double v = strtod(r->p, &end);
        if (dtype == TFOPT_F32)
            *(float *)element = (float)v;
        else
            *(double *)element = v;
    } else {
        uint64_t bytes = value_element_bytes(dtype), v;
        bool is_int = (dtype >= TFOPT_S8 && dtype <= TFOPT_U64);
        if (!is_int) return "numbers of this type are read from .npy files";
        if (!fits(dtype, bytes, r->p, &end, &v)) return "a number that the input's type does not have";
        memcpy(element, &v, (size_t)bytes);
    }
    r->p = end;
    return NULL;
}

static const char *read_element(Reader *r) {
    uint64_t bytes = value_element_bytes(r->t->dtype);
    if (r->n == r->room) {
        uint64_t room = r->room ? 2 * r->room : 64;
        void *grown = aligned_alloc(64, (size_t)(room * bytes));
        if (!grown) return "too large";
        if (r->n) memcpy(grown, r->t->data, (size_t)(r->n * bytes));
        free(r->t->data);
        r->t->data = grown;
        r->room = room;
    }
    uint8_t *element = (uint8_t *)r->t->data + r->n++ * bytes;
    return r->t->dtype == TFOPT_STRING ? read_bytes(r, (TfoptString *)(void *)element) : read_number(r, element);
}

static const char *read_list(Reader *r, int32_t depth) {
    static const char uneven[] = "lists of unequal lengths";
    TfoptTensor *t = r->t;
    if (!skip(r, '[')) {
        if (depth != t->rank) return uneven;
        r->has_elements = true;
        return read_element(r);
    }
    if (depth == TFOPT_MAX_RANK) return "more dimensions than there may be";
    if (r->has_elements && depth >= t->rank) return uneven;
    int64_t n = 0;
    bool known = depth < t->rank;
    if (!known) t->rank = depth + 1;
    while (!skip(r, ']')) {
        if (n && !skip(r, ',')) return "no list: ',' or ']' is missing";
        const char *wrong = read_list(r, depth + 1);
        if (wrong) return wrong;
        n++;
    }
    if (known && t->dims[depth] >= 0 && t->dims[depth] != n) return uneven;
    t->dims[depth] = n;
    return NULL;
}

/* A flat list takes the input's shape where that has as many elements. */
static void take_shape(TfoptTensor *t, const TfoptPort *port) {
    uint64_t count = 1;
    if (t->rank != 1 || port->rank == 1) return;
    for (int32_t d = 0; d < port->rank; d++)
        if (port->dims[d] < 0 || __builtin_mul_overflow(count, (uint64_t)port->dims[d], &count)) return;
    if (count != (uint64_t)t->dims[0]) return;
    t->rank = port->rank;
    for (int32_t d = 0; d < port->rank; d++) t->dims[d] = port->dims[d];
}

const char *json_parse(Bytes file, const TfoptPort *port, TfoptTensor *out) {
    if (memchr(file.data, 0, file.size)) return "no text";
    *out = (TfoptTensor){.dtype = port->dtype};
    for (int d = 0; d < TFOPT_MAX_RANK; d++) out->dims[d] = -1;
    Reader r = {.p = (const char *)file.data, .t = out};
    const char *wrong = read_list(&r, 0);
    if (wrong) return wrong;
    skip_space(&r);
    if (*r.p) return "something behind the list";
    take_shape(out, port);
    if (!out->data) out->data = value_room(out);
    return NULL;
}

/* ---- writing */

/* Bytes of the UTF-8 character at p, 0 where there is none. */
static uint64_t utf8_length(const uint8_t *p, uint64_t left) {
    uint64_t n = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : (p[0] & 0xf0) == 0xe0       ? 3
                 : (p[0] & 0xf8) == 0xf0       ? 4
                                               : 0;
    if (n == 0 || n > left) return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (uint64_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 63);
    }
    bool shortest = n < 3 || (n == 3 ? c >= 0x800 : c >= 0x10000);
    return shortest && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

static bool is_utf8(const TfoptString *s) {
    for (uint64_t i = 0, n; i < s->size; i += n)
        if (!(n = utf8_length((const uint8_t *)s->data + i, s->size - i))) return false;
    return true;
}

static void write_text(FILE *f, const TfoptString *s) {
    fputc('"', f);
    for (uint64_t i = 0; i < s->size; i++) {
        unsigned char c = (unsigned char)s->data[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < ' ' || c == 127)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void write_base64(FILE *f, const TfoptString *s) {
    fputs("{\"b64\": \"", f);
    for (uint64_t i = 0; i < s->size; i += 3) {
        uint32_t bits = 0;
        uint64_t n = s->size - i < 3 ? s->size - i : 3;
        for (uint64_t k = 0; k < 3; k++) bits = bits << 8 | (k < n ? (uint8_t)s->data[i + k] : 0u);
        for (uint64_t k = 0; k < 4; k++) fputc(k <= n ? digits64[bits >> (18 - 6 * k) & 63] : '=', f);
    }
    fputs("\"}", f);
}

static void write_list(FILE *f, const TfoptTensor *t, int32_t depth, uint64_t *next) {
    if (depth == t->rank) {
        const TfoptString *s = (const TfoptString *)t->data + (*next)++;
        if (is_utf8(s))
            write_text(f, s);
        else
            write_base64(f, s);
        return;
    }
    fputc('[', f);
    for (int64_t i = 0; i < t->dims[depth]; i++) {
        if (i) fputs(", ", f);
        write_list(f, t, depth + 1, next);
    }
    fputc(']', f);
}

const char *json_write(const char *path, const TfoptTensor *strings) {
    FILE *f = fopen(path, "wb");
    if (!f) return "cannot be written";
    uint64_t next = 0;
    write_list(f, strings, 0, &next);
    fputc('\n', f);
    bool ok = !ferror(f);
    ok = fclose(f) == 0 && ok;
    return ok ? NULL : "cannot be written";
}
