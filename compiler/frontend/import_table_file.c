/* import_table_file: lookup tables filled from a vocabulary file. The file is an asset of the SavedModel and is read
   here, at compile time: the artefact holds keys and values, and needs no file. Files outside of the model's assets are
   not opened: a graph may name any path. */
#include "frontend/importer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_NUMBER = -1, WHOLE_LINE = -2 };

typedef struct {
    const char *text;
    size_t size;
} Piece;

/* The next line; carriage returns are dropped wherever they stand, as TensorFlow does. */
static bool next_line(Arena *arena, const uint8_t **p, const uint8_t *end, Piece *out) {
    if (*p >= end) return false;
    const uint8_t *stop = memchr(*p, '\n', (size_t)(end - *p));
    size_t size = (size_t)((stop ? stop : end) - *p);
    *out = (Piece){(const char *)*p, size};
    if (size && memchr(*p, '\r', size)) {
        char *copy = arena_alloc(arena, size);
        out->size = 0;
        for (size_t i = 0; i < size; i++)
            if ((*p)[i] != '\r') copy[out->size++] = (char)(*p)[i];
        out->text = copy;
    }
    *p += size + (stop != NULL);
    return true;
}

static bool column_of(Piece line, char delimiter, int64_t index, Piece *out) {
    const char *p = line.text, *end = line.text + line.size;
    for (;; index--) {
        const char *stop = p < end ? memchr(p, delimiter, (size_t)(end - p)) : NULL;
        *out = (Piece){p, (size_t)((stop ? stop : end) - p)};
        if (index == 0 || !stop) return index == 0;
        p = stop + 1;
    }
}

/* Element i of keys or values from one line. */
static bool set_element(Import *c, Tensor *t, int64_t i, Piece line, int64_t number, int64_t index, char delimiter) {
    Piece piece = line;
    if (index == LINE_NUMBER) {
        if (!dtype_is_int(t->dtype)) return bad(c, "takes line numbers for a type that is no integer");
        tensor_set_i64(t, i, number);
        return true;
    }
    if (index >= 0 && !column_of(line, delimiter, index, &piece))
        return bad(c, "line %lld of the file has no column %lld", (long long)i + 1, (long long)index);
    if (t->dtype == DTYPE_STRING) {
        ((StringElement *)(uintptr_t)t->data)[i] =
            (StringElement){arena_strndup(c->g->arena, piece.text, piece.size), piece.size};
        return true;
    }
    char *text = arena_strndup(c->g->arena, piece.text, piece.size), *stop = text;
    errno = 0;
    if (dtype_is_float(t->dtype))
        tensor_set_f64(t, i, strtod(text, &stop));
    else
        tensor_set_i64(t, i, strtoll(text, &stop, 10));
    return (stop != text && !*stop && !errno) ||
           bad(c, "line %lld of the file: '%.40s' is no number", (long long)i + 1, text);
}

/* Maps the file when it is an asset of the model. */
static bool open_asset(Import *c, FileMap *out) {
    const Tensor *name = value_const(c->g, c->in[1]);
    if (!name || name->dtype != DTYPE_STRING || tensor_count(name) != 1)
        return unsupported(c, "the file's name is not a constant");
    const StringElement *s = name->data;
    const char *path = arena_strndup(c->g->arena, s->data, s->size), *assets = c->im->tf->assets_dir;
    size_t n = assets ? strlen(assets) : 0;
    if (!assets || strncmp(path, assets, n) != 0 || path[n] != '/' || strstr(path + n, ".."))
        return unsupported(
            c, "reads the file '%s', which is no asset of a SavedModel; give the table's contents with --table", path);
    return file_map(out, c->g->arena, path, c->d);
}

bool import_read_table_file(Import *c, DType key, DType value, Tensor *out_keys, Tensor *out_values) {
    FileMap file = {0};
    int64_t key_index = attr_i(c, "key_index", WHOLE_LINE), value_index = attr_i(c, "value_index", LINE_NUMBER),
            size = attr_i(c, "vocab_size", -1);
    int64_t offset = attr_i(c, "offset", 0), n = 0;
    const char *delimiter = attr_s(c, "delimiter", "\t");
    if (key_index < WHOLE_LINE || value_index < WHOLE_LINE || strlen(delimiter) != 1)
        return bad(c, "needs column numbers, and a delimiter of one character");
    if ((key != DTYPE_STRING && !dtype_is_int(key)) ||
        (value != DTYPE_STRING && !dtype_is_int(value) && !dtype_is_float(value)))
        return unsupported(c, "fills a table of these types from a file");
    if (!open_asset(c, &file)) return false;
    const uint8_t *p = file.data, *end = file.data ? file.data + file.size : NULL;
    Piece line;
    while ((size < 0 || n < size) && next_line(c->g->arena, &p, end, &line)) n++;
    if (size >= 0 && n < size)
        return bad(c, "the file has %lld lines, the graph wants %lld", (long long)n, (long long)size);
    *out_keys = tensor_new(c->g->arena, key, 1, &n);
    *out_values = tensor_new(c->g->arena, value, 1, &n);
    p = file.data;
    for (int64_t i = 0; i < n; i++) {
        next_line(c->g->arena, &p, end, &line);
        if (!set_element(c, out_keys, i, line, i + offset, key_index, *delimiter) ||
            !set_element(c, out_values, i, line, i + offset, value_index, *delimiter))
            return false;
    }
    return true;
}
