/* GraphDef writer: each node is built in memory as wire bytes and written as field 1 of GraphDef. */
#include "export/graphdef_writer.h"

#include <math.h>
#include <string.h>

static void put_varint(Str *s, uint64_t v) {
    char bytes[10];
    size_t n = 0;
    for (; v >= 128; v >>= 7) bytes[n++] = (char)((v & 127) | 128);
    bytes[n++] = (char)v;
    str_add_bytes(s, bytes, n);
}

static void put_int(Str *s, int field, int64_t v) {
    put_varint(s, (uint64_t)field << 3);
    put_varint(s, (uint64_t)v);
}

static void put_bytes(Str *s, int field, const void *data, size_t n) {
    put_varint(s, (uint64_t)field << 3 | 2);
    put_varint(s, n);
    str_add_bytes(s, data, n);
}

static void put_text(Str *s, int field, const char *text) {
    put_bytes(s, field, text, strlen(text));
}

static Str message(Arena *arena) {
    Str s;
    str_init(&s, arena);
    return s;
}

NodeWriter node_begin(GraphWriter *w, const char *name, const char *op, int n_inputs, const char *const *inputs) {
    NodeWriter n = {w, message(w->arena)};
    put_text(&n.bytes, 1, name);
    put_text(&n.bytes, 2, op);
    for (int i = 0; i < n_inputs; i++) put_text(&n.bytes, 3, inputs[i]);
    if (n_inputs == 0 && w->control) put_text(&n.bytes, 3, w->control);
    return n;
}

/* NodeDef.attr is a map: an entry message of key (1) and value (2). */
static void put_attr(NodeWriter *n, const char *name, const Str *value) {
    Str entry = message(n->w->arena);
    put_text(&entry, 1, name);
    put_bytes(&entry, 2, str_text(value), value->len);
    put_bytes(&n->bytes, 5, entry.data, entry.len);
}

void node_attr_type(NodeWriter *n, const char *name, int type) {
    Str v = message(n->w->arena);
    put_int(&v, 6, type);
    put_attr(n, name, &v);
}

void node_attr_int(NodeWriter *n, const char *name, int64_t value) {
    Str v = message(n->w->arena);
    put_int(&v, 3, value);
    put_attr(n, name, &v);
}

void node_attr_bool(NodeWriter *n, const char *name, bool value) {
    Str v = message(n->w->arena);
    put_int(&v, 5, value);
    put_attr(n, name, &v);
}

void node_attr_float(NodeWriter *n, const char *name, float value) {
    Str v = message(n->w->arena);
    put_varint(&v, 4 << 3 | 5);
    str_add_bytes(&v, &value, sizeof value);
    put_attr(n, name, &v);
}

void node_attr_string(NodeWriter *n, const char *name, const char *value) {
    Str v = message(n->w->arena);
    put_text(&v, 2, value);
    put_attr(n, name, &v);
}

void node_attr_ints(NodeWriter *n, const char *name, int count, const int64_t *values) {
    Str v = message(n->w->arena), list = message(n->w->arena);
    for (int i = 0; i < count; i++) put_int(&list, 3, values[i]);
    put_bytes(&v, 1, str_text(&list), list.len);
    put_attr(n, name, &v);
}

static Str shape_message(Arena *arena, int rank, const int64_t *dims) {
    Str shape = message(arena);
    for (int i = 0; i < rank; i++) {
        Str dim = message(arena);
        put_int(&dim, 1, dims[i]);
        put_bytes(&shape, 2, dim.data, dim.len);
    }
    return shape;
}

void node_attr_shape(NodeWriter *n, const char *name, int rank, const int64_t *dims) {
    Str v = message(n->w->arena), shape = shape_message(n->w->arena, rank, dims);
    put_bytes(&v, 7, str_text(&shape), shape.len);
    put_attr(n, name, &v);
}

void node_attr_types(NodeWriter *n, const char *name, int count, const int *types) {
    Str v = message(n->w->arena), list = message(n->w->arena);
    for (int i = 0; i < count; i++) put_int(&list, 6, types[i]);
    put_bytes(&v, 1, str_text(&list), list.len);
    put_attr(n, name, &v);
}

void node_attr_floats(NodeWriter *n, const char *name, int count, const double *values) {
    Str v = message(n->w->arena), list = message(n->w->arena);
    for (int i = 0; i < count; i++) {
        float f = (float)values[i];
        put_varint(&list, 4 << 3 | 5);
        str_add_bytes(&list, &f, sizeof f);
    }
    put_bytes(&v, 1, str_text(&list), list.len);
    put_attr(n, name, &v);
}

void node_attr_strings(NodeWriter *n, const char *name, int count, const char *const *values, const size_t *sizes) {
    Str v = message(n->w->arena), list = message(n->w->arena);
    for (int i = 0; i < count; i++) put_bytes(&list, 2, values[i], sizes[i]);
    put_bytes(&v, 1, str_text(&list), list.len);
    put_attr(n, name, &v);
}

void node_attr_bytes(NodeWriter *n, const char *name, const void *value, size_t size) {
    Str v = message(n->w->arena);
    put_bytes(&v, 2, value, size);
    put_attr(n, name, &v);
}

void node_attr_tensor(NodeWriter *n, const char *name, int type, int rank, const int64_t *dims, const void *content,
                      size_t bytes) {
    Str tensor = message(n->w->arena), shape = shape_message(n->w->arena, rank, dims), v = message(n->w->arena);
    put_int(&tensor, 1, type);
    put_bytes(&tensor, 2, str_text(&shape), shape.len);
    put_bytes(&tensor, 4, content, bytes);
    put_bytes(&v, 8, tensor.data, tensor.len);
    put_attr(n, name, &v);
}

void node_attr_string_tensor(NodeWriter *n, const char *name, int rank, const int64_t *dims, int64_t count,
                             const char *const *values, const size_t *sizes) {
    Str tensor = message(n->w->arena), shape = shape_message(n->w->arena, rank, dims), v = message(n->w->arena);
    put_int(&tensor, 1, 7); /* DT_STRING */
    put_bytes(&tensor, 2, str_text(&shape), shape.len);
    for (int64_t i = 0; i < count; i++) put_bytes(&tensor, 8, values[i], sizes[i]);
    put_bytes(&v, 8, tensor.data, tensor.len);
    put_attr(n, name, &v);
}

void node_end(NodeWriter *n) {
    Str head = message(n->w->arena);
    put_varint(&head, 1 << 3 | 2);
    put_varint(&head, n->bytes.len);
    fwrite(head.data, 1, head.len, n->w->out);
    fwrite(n->bytes.data, 1, n->bytes.len, n->w->out);
    arena_reset(n->w->arena);
}

static void write_const(GraphWriter *w, const char *name, int type, int rank, const int64_t *dims, const void *data,
                        size_t bytes) {
    NodeWriter n = node_begin(w, name, "Const", 0, NULL);
    node_attr_type(&n, "dtype", type);
    node_attr_tensor(&n, "value", type, rank, dims, data, bytes);
    node_end(&n);
}

static int64_t count_of(int rank, const int64_t *dims) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    return n;
}

void write_floats(GraphWriter *w, const char *name, int rank, const int64_t *dims, const float *values) {
    write_const(w, name, TF_FLOAT, rank, dims, values, (size_t)count_of(rank, dims) * sizeof *values);
}

void write_ints(GraphWriter *w, const char *name, int rank, int64_t n, const int32_t *values) {
    write_const(w, name, TF_INT32, rank, &n, values, (size_t)n * sizeof *values);
}

static double next_unit(GraphWriter *w) { /* splitmix64; (0, 1) */
    uint64_t z = w->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

void write_weights(GraphWriter *w, const char *name, int rank, const int64_t *dims, double mean, double deviation) {
    int64_t n = count_of(rank, dims);
    float *values = NEW_ARRAY(w->arena, float, n + 1);
    for (int64_t i = 0; i < n; i += 2) { /* Box-Muller, two at a time */
        double u = next_unit(w), v = next_unit(w), r = deviation * sqrt(-2 * log(u));
        values[i] = (float)(mean + r * cos(6.283185307179586 * v));
        values[i + 1] = (float)(mean + r * sin(6.283185307179586 * v));
    }
    write_floats(w, name, rank, dims, values);
}

void write_placeholder(GraphWriter *w, const char *name, int type, int rank, const int64_t *dims) {
    NodeWriter n = node_begin(w, name, "Placeholder", 0, NULL);
    node_attr_type(&n, "dtype", type);
    node_attr_shape(&n, "shape", rank, dims);
    node_end(&n);
}

void write_versions(GraphWriter *w) {
    Str versions = message(w->arena), field = message(w->arena);
    put_int(&versions, 1, 1882);
    put_bytes(&field, 4, versions.data, versions.len);
    fwrite(field.data, 1, field.len, w->out);
}
