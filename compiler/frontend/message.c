/* message: storing values into generated protobuf structs by descriptor. Repeated fields grow by doubling; the struct
   has no room for a capacity, so the capacity is always the count rounded up to a power of two. */
#include "frontend/message.h"

#include "base/arena.h"
#include <string.h>

ProtobufCMessage *message_new(Arena *arena, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *m = arena_alloc(arena, type->sizeof_message);
    m->descriptor = type;
    /* All else of proto3 is zero at first, but strings are never NULL. (type->message_init does the same by way of a
       function pointer of another type than the function, which is undefined.) */
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED &&
            !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            *(const char **)(void *)((char *)m + f->offset) = "";
    }
    return m;
}

const ProtobufCFieldDescriptor *message_field(const ProtobufCMessageDescriptor *type, uint64_t id) {
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].id == id) return &type->fields[i];
    return NULL;
}

const ProtobufCFieldDescriptor *message_field_named(const ProtobufCMessageDescriptor *type, const char *name,
                                                    size_t len) {
    for (unsigned i = 0; i < type->n_fields; i++)
        if (strlen(type->fields[i].name) == len && memcmp(type->fields[i].name, name, len) == 0)
            return &type->fields[i];
    return NULL;
}

size_t message_element_size(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static size_t round_up_to_power_of_two(size_t n) {
    size_t power = 1;
    while (power < n) power *= 2;
    return power;
}

void *message_slots(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n) {
    size_t *count = (size_t *)(void *)((char *)m + f->quantifier_offset);
    void **data = (void **)(void *)((char *)m + f->offset);
    size_t element = message_element_size(f), old = *count;
    size_t capacity = old ? round_up_to_power_of_two(old) : 0;
    if (old + n > capacity) {
        void *grown = arena_alloc(arena, round_up_to_power_of_two(old + n) * element);
        if (old) memcpy(grown, *data, old * element);
        *data = grown;
    }
    *count = old + n;
    return (char *)*data + old * element;
}

void *message_slot(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return message_slots(arena, m, f, 1);
    void *slot = (char *)m + f->offset;
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t *selected = (uint32_t *)(void *)((char *)m + f->quantifier_offset);
        if (*selected != f->id) memset(slot, 0, message_element_size(f));
        *selected = f->id;
    }
    return slot;
}

ProtobufCMessage *message_child(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    ProtobufCMessage **slot = message_slot(arena, m, f);
    if (!*slot) *slot = message_new(arena, f->descriptor);
    return *slot;
}
