/* Table files: contents of a lookup table for --table. A .txt holds words, a line each, numbered from 0; .csv and .tsv
   a key and its value in each line, without a heading; .json an object, a list of [key, value] pairs, or a list of
   words. Everything is read as text: what the numbers are is known where the table is imported. */
#include "commands.h"

#include <jansson.h>
#include <string.h>

typedef VEC(StringElement) Texts;

typedef struct {
    Arena *arena;
    const char *path;
    Diag *d;
    Texts keys, values;
} TableReader;

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* The next field of a line: up to the delimiter, or, in .csv, between quotes ("" is one). NULL after a message. */
static const char *read_field(TableReader *r, const char *p, const char *end, char delimiter, int64_t line,
                              StringElement *out) {
    if (delimiter != ',' || p >= end || *p != '"') {
        const char *stop = p < end && delimiter ? memchr(p, delimiter, (size_t)(end - p)) : NULL;
        if (!stop) stop = end;
        *out = (StringElement){arena_strndup(r->arena, p, (size_t)(stop - p)), (uint64_t)(stop - p)};
        return stop;
    }
    char *text = arena_alloc(r->arena, (size_t)(end - p) + 1);
    size_t n = 0;
    for (p++; p < end; p++) {
        if (*p == '"' && (p + 1 == end || p[1] != '"')) {
            *out = (StringElement){text, n};
            if (p + 1 == end || p[1] == delimiter) return p + 1;
            break;
        }
        text[n++] = *p;
        if (*p == '"') p++;
    }
    diag_error(r->d, NULL, NULL, "%s line %lld: a quote is not closed, or something stands behind it", r->path,
               (long long)line);
    return NULL;
}

static bool read_lines(TableReader *r, const FileMap *f, char delimiter) {
    const char *p = (const char *)f->data, *end = p + f->size;
    for (int64_t line = 1; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        if (stop > p && stop[-1] == '\r') stop--;
        StringElement key, value;
        const char *at = read_field(r, p, stop, delimiter, line, &key);
        if (!at) return false;
        if (delimiter && stop == p) { /* an empty line between rows */
            p = next;
            continue;
        }
        vec_push(r->arena, &r->keys, key);
        if (delimiter) {
            if (at == stop)
                return diag_error(r->d, NULL, NULL, "%s line %lld has no second column", r->path, (long long)line);
            at = read_field(r, at + 1, stop, delimiter, line, &value);
            if (!at) return false;
            vec_push(r->arena, &r->values, value);
        }
        p = next;
    }
    return true;
}

static bool table_text(TableReader *r, const json_t *j, StringElement *out) {
    char *text = json_is_string(j) ? NULL : json_dumps(j, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    bool simple = json_is_string(j) || json_is_number(j) || json_is_boolean(j);
    if (json_is_string(j))
        *out = (StringElement){arena_strndup(r->arena, json_string_value(j), json_string_length(j)),
                               json_string_length(j)};
    else if (text)
        *out = (StringElement){arena_strdup(r->arena, text), strlen(text)};
    free(text);
    return simple || diag_error(r->d, NULL, NULL, "%s: keys and values are strings, numbers or booleans", r->path);
}

static bool add_json(TableReader *r, const json_t *key, const json_t *value) {
    StringElement k, v;
    if (!table_text(r, key, &k) || (value && !table_text(r, value, &v))) return false;
    vec_push(r->arena, &r->keys, k);
    if (value) vec_push(r->arena, &r->values, v);
    return true;
}

static bool read_json(TableReader *r, const FileMap *f) {
    json_error_t error;
    json_t *j = json_loadb((const char *)f->data, f->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!j) return diag_error(r->d, NULL, NULL, "%s line %d: %s", r->path, error.line, error.text);
    bool ok = json_is_object(j) || json_is_array(j);
    if (json_is_object(j)) {
        for (void *i = json_object_iter(j); ok && i; i = json_object_iter_next(j, i)) {
            StringElement k = {arena_strdup(r->arena, json_object_iter_key(i)), strlen(json_object_iter_key(i))}, v;
            ok = table_text(r, json_object_iter_value(i), &v);
            vec_push(r->arena, &r->keys, k);
            if (ok) vec_push(r->arena, &r->values, v);
        }
    } else {
        for (size_t i = 0; ok && i < json_array_size(j); i++) {
            const json_t *e = json_array_get(j, i);
            bool pair = json_is_array(e) && json_array_size(e) == 2;
            ok = json_is_array(e) && !pair
                     ? diag_error(r->d, NULL, NULL, "%s: entry %zu is no pair", r->path, i)
                     : add_json(r, pair ? json_array_get(e, 0) : e, pair ? json_array_get(e, 1) : NULL);
        }
        if (ok && r->values.len && r->values.len != r->keys.len)
            ok = diag_error(r->d, NULL, NULL, "%s: some entries are pairs, some are not", r->path);
    }
    json_decref(j);
    return ok;
}

static Tensor as_tensor(Arena *arena, const Texts *t) {
    int64_t n = t->len;
    Tensor out = tensor_new(arena, DTYPE_STRING, 1, &n);
    if (n) memcpy((void *)(uintptr_t)out.data, t->data, t->len * sizeof *t->data);
    return out;
}

static bool read_table(GivenTable *out, Arena *arena, const char *path, Diag *d) {
    TableReader r = {.arena = arena, .path = path, .d = d};
    FileMap f;
    if (!file_map(&f, arena, path, d)) return false;
    bool ok = ends_with(path, ".json")  ? read_json(&r, &f)
              : ends_with(path, ".csv") ? read_lines(&r, &f, ',')
              : ends_with(path, ".tsv") ? read_lines(&r, &f, '\t')
                                        : read_lines(&r, &f, 0);
    file_unmap(&f);
    out->keys = as_tensor(arena, &r.keys);
    out->values = as_tensor(arena, &r.values);
    out->only_lines = r.values.len == 0;
    return ok;
}

bool table_option(GivenTable *out, const char *text, Arena *arena, Diag *d) {
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return diag_usage(d, "--table %s: write NODE=FILE (.txt .csv .tsv .json) or NODE=KEYS,VALUES (.npy .json)",
                          text);
    const char *path = equals + 1, *comma = strchr(path, ',');
    *out = (GivenTable){.node = arena_strndup(arena, text, (size_t)(equals - text)), .files = {path}};
    if (!comma || file_exists(path)) return read_table(out, arena, path, d);
    out->files[0] = arena_strndup(arena, path, (size_t)(comma - path));
    out->files[1] = comma + 1;
    return tensor_read(&out->keys, arena, out->files[0], "keys", DTYPE_NONE, d) &&
           tensor_read(&out->values, arena, out->files[1], "values", DTYPE_NONE, d);
}
