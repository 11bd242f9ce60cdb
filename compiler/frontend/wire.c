/* wire: a bounded reader of protobuf's binary format over a mapped file. Every varint and length is checked against the
   enclosing message, depth is at most MESSAGE_MAX_DEPTH, and a field whose wire type contradicts its declaration is an
   error, since in a file of this kind it means corruption. Unknown fields are skipped. Fields of type bytes (tensor
   contents above all) stay where they are in the file. */
#include "frontend/message.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct {
    Arena *arena;
    const uint8_t *start;
    const char *what;
    Diag *d;
} Reader;

static bool decode(Reader *r, ProtobufCMessage *m, const uint8_t *p, const uint8_t *end, int depth);

bool wire_varint(const uint8_t **p, const uint8_t *end, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool corrupt(Reader *r, const ProtobufCMessage *m, const uint8_t *at, const char *why) {
    return diag_error(r->d, NULL, NULL,
                      "not a valid %s: %s at byte %zu, in a %s; the file is damaged, cut short or of another kind",
                      r->what, why, (size_t)(at - r->start), m->descriptor->short_name);
}

static int wire_type_of(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* Stores one varint, converted as the declared type wants it (the proto files use no zigzag types). */
static void store_varint(void *slot, const ProtobufCFieldDescriptor *f, uint64_t v) {
    if (f->type == PROTOBUF_C_TYPE_BOOL)
        *(protobuf_c_boolean *)slot = v != 0;
    else if (message_element_size(f) == 8)
        memcpy(slot, &v, 8);
    else
        memcpy(slot, &(uint32_t){(uint32_t)v}, 4);
}

/* A packed list: the elements of a repeated number, one after the other. */
static bool decode_packed(Reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const uint8_t *p,
                          const uint8_t *end) {
    size_t size = (size_t)(end - p);
    if (size == 0) return true;
    int type = wire_type_of(f);
    if (type != WIRE_VARINT) {
        size_t element = type == WIRE_64 ? 8 : 4;
        if (size % element) return corrupt(r, m, p, "a packed list whose size is no multiple of its element's,");
        memcpy(message_slots(r->arena, m, f, size / element), p, size);
        return true;
    }
    size_t n = 0;
    for (const uint8_t *q = p; q < end; q++) n += !(*q & 0x80);
    if (n == 0) return corrupt(r, m, p, "a bad varint");
    char *slots = message_slots(r->arena, m, f, n);
    size_t element = message_element_size(f);
    while (p < end) {
        uint64_t value;
        if (!wire_varint(&p, end, &value)) return corrupt(r, m, p, "a bad varint");
        store_varint(slots, f, value);
        slots += element;
    }
    return true;
}

static bool decode_bytes(Reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const uint8_t *p,
                         const uint8_t *end, int depth) {
    size_t size = (size_t)(end - p);
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (depth >= MESSAGE_MAX_DEPTH) return corrupt(r, m, p, "more than 100 messages inside each other");
        return decode(r, message_child(r->arena, m, f), p, end, depth + 1);
    case PROTOBUF_C_TYPE_STRING:
        if (size && memchr(p, 0, size)) return corrupt(r, m, p, "a name with a NUL byte");
        *(char **)message_slot(r->arena, m, f) = arena_strndup(r->arena, (const char *)p, size);
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)message_slot(r->arena, m, f) = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)p};
        return true;
    default:
        return decode_packed(r, m, f, p, end);
    }
}

static bool decode(Reader *r, ProtobufCMessage *m, const uint8_t *p, const uint8_t *end, int depth) {
    while (p < end) {
        const uint8_t *at = p;
        uint64_t tag, value = 0;
        if (!wire_varint(&p, end, &tag)) return corrupt(r, m, at, "a bad tag");
        int type = (int)(tag & 7);
        if (tag >> 3 == 0 || tag > UINT32_MAX) return corrupt(r, m, at, "a tag that cannot be");
        size_t size = type == WIRE_64 ? 8 : type == WIRE_32 ? 4 : 0;
        if (type == WIRE_VARINT || type == WIRE_BYTES) {
            if (!wire_varint(&p, end, &value)) return corrupt(r, m, p, "a bad varint");
            if (type == WIRE_BYTES) {
                if (value > (uint64_t)(end - p)) return corrupt(r, m, at, "a length that runs past the end");
                size = (size_t)value;
            }
        } else if (type != WIRE_64 && type != WIRE_32) {
            return corrupt(r, m, at, "an unknown wire type");
        }
        if (size > (size_t)(end - p)) return corrupt(r, m, at, "a number that runs past the end");
        const uint8_t *payload = p;
        p += size;
        const ProtobufCFieldDescriptor *f = message_field(m->descriptor, tag >> 3);
        if (!f) continue;
        if (type == WIRE_BYTES && (wire_type_of(f) == WIRE_BYTES || f->label == PROTOBUF_C_LABEL_REPEATED)) {
            if (!decode_bytes(r, m, f, payload, p, depth)) return false;
        } else if (type != wire_type_of(f)) {
            return corrupt(r, m, at, "a field of the wrong type");
        } else if (type == WIRE_VARINT) {
            store_varint(message_slot(r->arena, m, f), f, value);
        } else {
            memcpy(message_slot(r->arena, m, f), payload, size);
        }
    }
    return true;
}

ProtobufCMessage *wire_read(Arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                            const char *what, Diag *d) {
    Reader r = {arena, data, what, d};
    ProtobufCMessage *m = message_new(arena, type);
    return decode(&r, m, data, data + size, 1) ? m : NULL;
}
