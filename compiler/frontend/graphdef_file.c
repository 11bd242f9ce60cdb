/* graphdef_file: which kind of file is this, and tf_read. People hand over all kinds of files; those that are known not
   to be a model of ours are named instead of being reported as a damaged GraphDef. */
#include "frontend/import.h"
#include "frontend/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t offset;
    const char *bytes;
    const char *what; /* what the file is and what to do */
} Magic;

static const Magic magics[] = {
    {0, "<!DOCTYPE", "this is an HTML page, not a model; the download went wrong"},
    {0, "<!doctype", "this is an HTML page, not a model; the download went wrong"},
    {0, "<html", "this is an HTML page, not a model; the download went wrong"},
    {0, "<?xml", "this is an XML file, not a model; the download went wrong"},
    {0, "version https://git-lfs", "this is a Git LFS pointer, not the model itself; run git lfs pull"},
    {0, "\x89HDF\r\n", "this is a Keras HDF5 file; export it with model.export() to a SavedModel"},
    {0, "PK\x03\x04", "this is a zip archive; unpack it, or export a .keras file with model.export() to a SavedModel"},
    {0, "\x1f\x8b", "this is compressed with gzip; unpack it"},
    {4, "TFL3", "this is a TensorFlow Lite model; the TensorFlow model that it was converted from is needed"},
    {0, "{", "this is JSON, not a GraphDef"},
    {0, "\x93NUMPY", "this is a NumPy array, not a model; --input NAME=FILE.npy feeds it to one"},
    {0, "\x89PNG", "this is a picture, not a model; --input NAME=FILE.png feeds it to one"},
    {0, "\xff\xd8\xff", "this is a picture, not a model; --input NAME=FILE.jpg feeds it to one"},
    {0, "!<arch>\n", "this is an archive of objects, to be linked into a program; -o MODEL.so makes what runs here"},
    {0, "\x7f\x45LF", "this is machine code; a compiled model is read from a file, not from a pipe"},
    {0, "\x80\x02", "this is a Python pickle, not a TensorFlow model"},
    {0, "\x80\x04\x95", "this is a Python pickle, not a TensorFlow model"},
    {0, "\x80\x05\x95", "this is a Python pickle, not a TensorFlow model"},
};

static bool is_known_other(const FileMap *file, const char *path, Diag *d) {
    static const uint8_t table_end[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    if (file->size >= 48 && memcmp(file->data + file->size - 8, table_end, 8) == 0) {
        diag_error(d, NULL, NULL,
                   "%s: this is the index of a checkpoint, which has variables but no graph; a SavedModel has both",
                   path);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        size_t n = strlen(magics[i].bytes);
        if (file->size >= magics[i].offset + n && memcmp(file->data + magics[i].offset, magics[i].bytes, n) == 0) {
            diag_error(d, NULL, NULL, "%s: %s", path, magics[i].what);
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Text format: starts with a comment, or a field's name and '{' or ':', and has no control characters. Both must hold:
   a binary graph whose first node is 97 bytes long with a name of 58 begins "\na\n:", but the tag of the node's op
   follows soon. */
static bool looks_like_text(const FileMap *file) {
    const char *p = (const char *)file->data, *end = p + file->size;
    for (size_t i = 0; i < file->size && i < 4096; i++)
        if (file->data[i] < ' ' && !isspace(file->data[i])) return false;
    for (int line = 0; line < 1000 && p < end; line++) {
        while (p < end && isspace((unsigned char)*p)) p++;
        if (p < end && *p == '#') {
            while (p < end && *p != '\n') p++;
            continue;
        }
        break;
    }
    const char *name = p;
    while (p < end && (isalnum((unsigned char)*p) || *p == '_')) p++;
    if (p == name) return false;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p < end && (*p == '{' || *p == ':' || *p == '<');
}

ProtobufCMessage *read_message_file(Arena *arena, const ProtobufCMessageDescriptor *type, const FileMap *file,
                                    const char *path, Diag *d) {
    if (file->size == 0) {
        diag_error(d, NULL, NULL, "%s is empty", path);
        return NULL;
    }
    if (is_known_other(file, path, d)) return NULL;
    if (ends_with(path, ".pbtxt") || ends_with(path, ".textproto") || looks_like_text(file))
        return pbtxt_read(arena, type, (const char *)file->data, file->size, d);
    return wire_read(arena, type, file->data, file->size, type->short_name, d);
}

/* Eight bytes at a time, four independent chains: FNV a byte at a time would take seconds on a large model. */
uint64_t hash_file(const FileMap *f) {
    uint64_t h[4] = {HASH_SEED, HASH_SEED + 1, HASH_SEED + 2, HASH_SEED + 3};
    size_t at = 0;
    for (; f->size - at >= 32; at += 32)
        for (size_t lane = 0; lane < 4; lane++) {
            uint64_t word;
            memcpy(&word, f->data + at + lane * 8, 8);
            h[lane] = (h[lane] ^ word) * 0x9e3779b97f4a7c15u;
            h[lane] ^= h[lane] >> 29;
        }
    uint64_t rest = hash_bytes(HASH_SEED, f->data ? f->data + at : NULL, f->size - at);
    for (size_t lane = 0; lane < 4; lane++) rest = hash_bytes(rest, &h[lane], 8);
    return rest;
}

/* A GraphDef begins with nodes; a SavedModel with its schema version, 1, a number in the same field, ONNX with its own,
   which is larger. */
static bool is_saved_model_binary(const FileMap *f) {
    return f->size > 3 && f->data[0] == 0x08 && f->data[1] < 3 && f->data[2] == 0x12;
}
static bool is_onnx(const FileMap *f) {
    return f->size > 3 && f->data[0] == 0x08 && f->data[1] >= 3 && f->data[1] < 32 &&
           (f->data[2] == 0x12 || f->data[2] == 0x3a);
}

static bool read_graph_file(TfGraph *tf, const FileMap *file, const char *path, Diag *d) {
    if (is_saved_model_binary(file))
        return diag_error(d, NULL, NULL,
                          "%s is a SavedModel's graph; give the directory that holds saved_model.pb and variables/",
                          path);
    if (is_onnx(file))
        return diag_error(d, NULL, NULL,
                          "%s: this is an ONNX model; the TensorFlow model that it was made from is needed", path);
    tf->hash = hash_file(file);
    const Pb__GraphDef *m =
        (const Pb__GraphDef *)read_message_file(tf->arena, &pb__graph_def__descriptor, file, path, d);
    if (!m) return false;
    if (m->n_node == 0 && !m->library)
        return diag_error(d, NULL, NULL, "%s holds no nodes: it is not a GraphDef", path);
    GraphReader r = {.tf = tf, .d = d};
    return read_graph(&r, m);
}

static TfGraph *tf_graph_new(Arena *arena, const char *path) {
    TfGraph *tf = NEW(arena, TfGraph);
    tf->arena = arena;
    tf->file = arena_strdup(arena, path);
    tf->signature = "";
    map_init(&tf->variables, arena);
    map_init(&tf->tables, arena);
    map_init(&tf->assets, arena);
    map_init(&tf->function_index, arena);
    map_init(&tf->main.index, arena);
    return tf;
}

TfGraph *tf_read(Arena *arena, const char *path, const ReadOptions *options, Diag *d) {
    static const ReadOptions defaults = {0};
    TfGraph *tf = tf_graph_new(arena, path);
    FileMap file;
    bool ok;
    if (!options) options = &defaults;
    tf->custom_ops = options->custom_ops;
    if (strcmp(path, "-") != 0 && file_is_directory(path))
        ok = read_saved_model(tf, path, options, d);
    else if (ends_with(path, "/saved_model.pb") || ends_with(path, "/saved_model.pbtxt"))
        ok = read_saved_model(tf, arena_strndup(arena, path, (size_t)(strrchr(path, '/') - path)), options, d);
    else if ((options->signature || options->tags) && (strcmp(path, "-") == 0 || file_exists(path)))
        ok = diag_usage(d, "%s is a frozen graph, which has no signatures and no tags; --output names its outputs",
                        path);
    else
        ok = file_map(&file, arena, path, d) && read_graph_file(tf, &file, path, d);
    return ok && control_flow_raise(tf, d) ? tf : NULL;
}

TfGraph *tf_read_bytes(Arena *arena, const void *data, size_t size, const char *name, Diag *d) {
    TfGraph *tf = tf_graph_new(arena, name);
    FileMap file = {.data = data, .size = size};
    return read_graph_file(tf, &file, name, d) && control_flow_raise(tf, d) ? tf : NULL;
}
