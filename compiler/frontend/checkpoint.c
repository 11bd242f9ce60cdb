/* checkpoint: tensors of a TensorBundle. A tensor lies whole in one data file, where it is left, or was saved in slices
   (partitioned variables), which are put together. Every tensor's CRC-32C is verified when it is read. */
#include "frontend/checkpoint.h"

#include "base/str.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 100000 };

bool checkpoint_has(const Checkpoint *c, const char *key) {
    return map_find(&c->entries, key) != NULL;
}

static Pb__BundleEntryProto *find_entry(Checkpoint *c, const void *key, size_t len, Diag *d) {
    const MapEntry *at = map_find_bytes(&c->entries, key, len);
    if (!at) return NULL;
    ProtobufCBinaryData value = c->values.data[at->value];
    return (Pb__BundleEntryProto *)wire_read(c->arena, &pb__bundle_entry_proto__descriptor, value.data, value.len,
                                             "checkpoint entry", d);
}

Checkpoint *checkpoint_open(Arena *arena, const char *prefix, Diag *d) {
    Checkpoint *c = NEW(arena, Checkpoint);
    *c = (Checkpoint){.arena = arena, .prefix = prefix};
    map_init(&c->entries, arena);
    crc32c_init(&c->crc);
    FileMap file;
    const char *path = arena_printf(arena, "%s.index", prefix);
    if (!file_map(&file, arena, path, d) || !table_read(arena, file.data, file.size, path, &c->entries, &c->values, d))
        return NULL;
    const MapEntry *at = map_find_bytes(&c->entries, "", 0);
    const Pb__BundleHeaderProto *header = NULL;
    if (at)
        header = (const Pb__BundleHeaderProto *)wire_read(arena, &pb__bundle_header_proto__descriptor,
                                                          c->values.data[at->value].data, c->values.data[at->value].len,
                                                          "checkpoint header", d);
    if (!header || header->num_shards < 1 || header->num_shards > MAX_SHARDS) {
        diag_error(d, NULL, NULL, "%s has no usable header", path);
        return NULL;
    }
    if (header->endianness != PB__BUNDLE_HEADER_PROTO__ENDIANNESS__LITTLE) {
        diag_unsupported(d, NULL, NULL, "%s was written on a big-endian machine", path);
        return NULL;
    }
    c->n_shards = (uint32_t)header->num_shards;
    c->shards = NEW_ARRAY(arena, FileMap, c->n_shards);
    c->shard_open = NEW_ARRAY(arena, bool, c->n_shards);
    return c;
}

/* ---- whole tensors ---- */

static bool bad(const Checkpoint *c, const char *key, const char *why, Diag *d) {
    return diag_error(d, NULL, NULL, "variable '%s' in %s: %s", key, c->prefix, why);
}

static bool entry_bytes(Checkpoint *c, const char *key, const Pb__BundleEntryProto *e, const uint8_t **out, Diag *d) {
    if (e->shard_id < 0 || (uint32_t)e->shard_id >= c->n_shards)
        return bad(c, key, "is in a data file that does not exist", d);
    FileMap *shard = &c->shards[e->shard_id];
    if (!c->shard_open[e->shard_id]) {
        const char *path = arena_printf(c->arena, "%s.data-%05d-of-%05u", c->prefix, e->shard_id, c->n_shards);
        if (!file_map(shard, c->arena, path, d)) return false;
        c->shard_open[e->shard_id] = true;
    }
    if (e->offset < 0 || e->size < 0 || (uint64_t)e->offset > shard->size ||
        (uint64_t)e->size > shard->size - (uint64_t)e->offset)
        return bad(c, key, "runs past the end of its data file, which was cut short", d);
    *out = shard->data ? shard->data + e->offset : NULL;
    return true;
}

/* Strings: lengths as varints, a checksum of them, the bytes. The entry's checksum covers lengths as fixed numbers. */
static bool read_strings(Checkpoint *c, const char *key, const Pb__BundleEntryProto *e, const uint8_t *p, int64_t count,
                         Tensor *out, Diag *d) {
    const uint8_t *end = p + e->size;
    if (count > e->size) return bad(c, key, "has more strings than bytes", d);
    StringElement *strings = NEW_ARRAY(c->arena, StringElement, count);
    uint32_t crc = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t length;
        if (!wire_varint(&p, end, &length)) return bad(c, key, "has bad string lengths", d);
        strings[i].size = length;
        uint32_t narrow = (uint32_t)length;
        crc = length <= UINT32_MAX ? crc32c_add(&c->crc, crc, &narrow, 4) : crc32c_add(&c->crc, crc, &length, 8);
    }
    uint32_t stored;
    if (end - p < 4) return bad(c, key, "has bad string lengths", d);
    memcpy(&stored, p, 4);
    if (stored != crc32c_mask(crc)) return bad(c, key, "has string lengths with a wrong checksum", d);
    crc = crc32c_add(&c->crc, crc, p, 4);
    p += 4;
    for (int64_t i = 0; i < count; i++) {
        if (strings[i].size > (uint64_t)(end - p)) return bad(c, key, "has a string that runs past the end", d);
        strings[i].data = (const char *)p;
        crc = crc32c_add(&c->crc, crc, p, (size_t)strings[i].size);
        p += strings[i].size;
    }
    if (p != end) return bad(c, key, "has bytes left over after its strings", d);
    if (crc32c_mask(crc) != e->crc32c) return bad(c, key, "has a wrong checksum: the data file is damaged", d);
    out->data = strings;
    return true;
}

/* dtype, shape and element count of an entry. */
static bool entry_type(Checkpoint *c, const char *key, const Pb__BundleEntryProto *e, Tensor *out, int64_t *out_count,
                       Diag *d) {
    TfShape shape = {.rank = 0};
    *out = (Tensor){.dtype = dtype_from_tf((int)e->dtype)};
    if (out->dtype == DTYPE_NONE || dtype_info(out->dtype)->class_ == CLASS_HANDLE)
        return diag_unsupported(d, NULL, NULL, "variable '%s' in %s has TensorFlow type %d, which is not supported",
                                key, c->prefix, (int)e->dtype);
    if (e->shape && (!read_shape(e->shape, &shape) || shape.rank < 0)) return bad(c, key, "has a bad shape", d);
    out->rank = shape.rank;
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) {
        out->dims[i] = shape.dims[i];
        if (shape.dims[i] < 0 || __builtin_mul_overflow(count, shape.dims[i], &count))
            return bad(c, key, "has a bad shape", d);
    }
    *out_count = count;
    return true;
}

static bool read_whole(Checkpoint *c, const char *key, const Pb__BundleEntryProto *e, Tensor *out, Diag *d) {
    int64_t count = 0, bytes;
    const uint8_t *data = NULL;
    if (!entry_type(c, key, e, out, &count, d) || !entry_bytes(c, key, e, &data, d)) return false;
    if (count == 0) return true;
    if (out->dtype == DTYPE_STRING) return read_strings(c, key, e, data, count, out, d);
    if (__builtin_mul_overflow(count, (int64_t)dtype_size(out->dtype), &bytes) || bytes != e->size)
        return bad(c, key, "has a shape that contradicts its size", d);
    if (crc32c_mask(crc32c_add(&c->crc, 0, data, (size_t)bytes)) != e->crc32c)
        return bad(c, key, "has a wrong checksum: the data file is damaged", d);
    out->data = data;
    return true;
}

/* ---- slices ---- */

typedef struct {
    int64_t start[MAX_RANK], length[MAX_RANK]; /* length -1: the whole dimension */
} Slice;

/* Copies the box of `from` at from_start, of the shape of `box`, to `to` at to_start. Both are row-major of the same
 * rank. */
static void copy_box(const Tensor *from, const int64_t *from_start, const Tensor *to, const int64_t *to_start,
                     const int64_t *box, char *out) {
    size_t element = dtype_size(to->dtype);
    int64_t at[MAX_RANK] = {0}, rows = 1;
    int rank = to->rank;
    for (int i = 0; i < rank - 1; i++) rows *= box[i];
    size_t row_bytes = (size_t)(rank ? box[rank - 1] : 1) * element;
    for (int64_t row = 0; row < rows && row_bytes; row++) {
        int64_t source = 0, target = 0;
        for (int i = 0; i < rank; i++) {
            source = source * from->dims[i] + from_start[i] + at[i];
            target = target * to->dims[i] + to_start[i] + at[i];
        }
        memcpy(out + (size_t)target * element, (const char *)from->data + (size_t)source * element, row_bytes);
        for (int i = rank - 2; i >= 0 && ++at[i] == box[i]; i--) at[i] = 0;
    }
}

/* A number in the order-preserving code of TensorFlow's slice keys: the leading one bits of the first byte count the
 * bytes. */
static void add_ordered_number(Str *key, int64_t value) {
    uint64_t magnitude = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    int bits = magnitude ? 64 - __builtin_clzll(magnitude) : 0, n = bits / 7 + 1;
    uint8_t bytes[10];
    for (int i = 0; i < 10; i++)
        bytes[i] = (uint8_t)(i < 2 ? (value < 0 ? 0xff : 0) : (uint64_t)value >> (8 * (9 - i)));
    uint8_t *first = bytes + 10 - n;
    for (int bit = 0; bit < n; bit++) first[bit / 8] ^= (uint8_t)(0x80 >> (bit % 8));
    str_add_bytes(key, first, (size_t)n);
}

/* The key under which a slice's data is stored. */
static void slice_key(Str *key, const char *name, int rank, const Slice *s) {
    str_add_bytes(key, "\0", 1);
    for (const char *p = name; *p; p++) {
        str_add_bytes(key, p, 1);
        if ((unsigned char)*p == 0xff) str_add_bytes(key, "\0", 1);
    }
    str_add_bytes(key, "\0\1", 2);
    if (rank)
        str_add_bytes(key, (const char[]){1, (char)rank}, 2);
    else
        str_add_bytes(key, "\0", 1);
    for (int i = 0; i < rank; i++) {
        add_ordered_number(key, s->start[i]);
        add_ordered_number(key, s->length[i]);
    }
}

static bool read_sliced(Checkpoint *c, const char *key, const Pb__BundleEntryProto *e, Tensor *out, Diag *d) {
    int64_t count = 0, covered = 0;
    if (!entry_type(c, key, e, out, &count, d)) return false;
    if (out->dtype == DTYPE_STRING)
        return diag_unsupported(d, NULL, NULL, "variable '%s' in %s: strings saved in slices", key, c->prefix);
    /* Parts first: they bound the memory that the whole needs. */
    Tensor *parts = NEW_ARRAY(c->arena, Tensor, e->n_slices);
    Slice *slices = NEW_ARRAY(c->arena, Slice, e->n_slices);
    for (size_t i = 0; i < e->n_slices; i++) {
        Slice *s = &slices[i];
        if (e->slices[i]->n_extent != (size_t)out->rank) return bad(c, key, "has a slice of another rank", d);
        for (int k = 0; k < out->rank; k++) {
            const Pb__TensorSliceProto__Extent *extent = e->slices[i]->extent[k];
            bool whole = extent->has_length_case == PB__TENSOR_SLICE_PROTO__EXTENT__HAS_LENGTH__NOT_SET;
            s->start[k] = whole ? 0 : extent->start;
            s->length[k] = whole ? -1 : extent->length;
        }
        Str part_key;
        str_init(&part_key, c->arena);
        slice_key(&part_key, key, out->rank, s);
        Pb__BundleEntryProto *part = find_entry(c, part_key.data, part_key.len, d);
        if (!part) return bad(c, key, "has a slice that is missing", d);
        if (!read_whole(c, key, part, &parts[i], d)) return false;
        bool fits = parts[i].dtype == out->dtype && parts[i].rank == out->rank;
        for (int k = 0; fits && k < out->rank; k++) {
            int64_t length = s->length[k] < 0 ? out->dims[k] : s->length[k];
            fits = s->start[k] >= 0 && length == parts[i].dims[k] && length <= out->dims[k] &&
                   s->start[k] <= out->dims[k] - length;
        }
        if (!fits) return bad(c, key, "has a slice that does not fit", d);
        covered += tensor_count(&parts[i]);
    }
    if (covered != count) return bad(c, key, "has slices that do not cover it exactly", d);
    if (count == 0) return true;
    char *data = arena_alloc(c->arena, (size_t)count * dtype_size(out->dtype));
    static const int64_t origin[MAX_RANK];
    for (size_t i = 0; i < e->n_slices; i++)
        if (parts[i].data) copy_box(&parts[i], origin, out, slices[i].start, parts[i].dims, data);
    out->data = data;
    return true;
}

/* "10 20 0,5:-": the full shape, then a start,length or "-" for each dimension. */
static bool parse_slice(const char *text, int rank, Slice *out) {
    char *stop;
    for (int i = 0; i < rank; i++) {
        strtoll(text, &stop, 10);
        if (stop == text || *stop != ' ') return false;
        text = stop + 1;
    }
    for (int i = 0; i < rank; i++) {
        if (*text == '-') {
            out->start[i] = 0;
            out->length[i] = -1;
            text++;
        } else {
            out->start[i] = strtoll(text, &stop, 10);
            if (stop == text || *stop != ',') return false;
            text = stop + 1;
            out->length[i] = strtoll(text, &stop, 10);
            if (stop == text) return false;
            text = stop;
        }
        if (i + 1 < rank && *text++ != ':') return false;
    }
    return *text == 0;
}

static bool cut_slice(Checkpoint *c, const char *key, const char *text, Tensor *t, Diag *d) {
    Slice s;
    bool fits = parse_slice(text, t->rank, &s) && t->dtype != DTYPE_STRING;
    Tensor part = {.dtype = t->dtype, .rank = t->rank};
    for (int i = 0; fits && i < t->rank; i++) {
        if (s.length[i] < 0) s.length[i] = t->dims[i];
        fits = s.start[i] >= 0 && s.length[i] <= t->dims[i] && s.start[i] <= t->dims[i] - s.length[i];
        part.dims[i] = s.length[i];
    }
    if (!fits) return bad(c, key, "is restored in a slice that does not fit", d);
    if (tensor_count(&part) == 0) {
        *t = part;
        return true;
    }
    static const int64_t origin[MAX_RANK];
    char *data = arena_alloc(c->arena, tensor_bytes(&part));
    copy_box(t, s.start, &part, origin, part.dims, data);
    part.data = data;
    *t = part;
    return true;
}

bool checkpoint_tensor(Checkpoint *c, const char *key, const char *slice, Tensor *out, Diag *d) {
    Pb__BundleEntryProto *e = find_entry(c, key, strlen(key), d);
    if (!e) return bad(c, key, "is not there", d);
    if (!(e->n_slices ? read_sliced(c, key, e, out, d) : read_whole(c, key, e, out, d))) return false;
    return !*slice || cut_slice(c, key, slice, out, d);
}
