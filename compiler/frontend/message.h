/* message: protobuf messages as the generated structs of proto/, filled by our own two readers: wire.c (binary) and
   pbtxt.c (text). Both walk protobuf-c's descriptors. protobuf_c_message_unpack is not used: it copies every byte
   field, and has no limit on depth. */
#ifndef TFOPT_FRONTEND_MESSAGE_H
#define TFOPT_FRONTEND_MESSAGE_H
#include "base/diag.h"
#include <protobuf-c/protobuf-c.h>

enum { MESSAGE_MAX_DEPTH = 100 };

/* A new message with all fields at their defaults. */
ProtobufCMessage *message_new(Arena *arena, const ProtobufCMessageDescriptor *type);
/* Field with this tag number or name, or NULL. */
const ProtobufCFieldDescriptor *message_field(const ProtobufCMessageDescriptor *type, uint64_t id);
const ProtobufCFieldDescriptor *message_field_named(const ProtobufCMessageDescriptor *type, const char *name,
                                                    size_t len);
/* Where one more value of the field goes: the next element of a repeated one (zeroed), or the field itself; selects it
 * in its oneof. */
void *message_slot(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
/* The same for n more elements of a repeated field at once. */
void *message_slots(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n);
/* The message that the field's slot holds, a new one when it is empty. */
ProtobufCMessage *message_child(Arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
/* Bytes of one element of the field in the struct. */
size_t message_element_size(const ProtobufCFieldDescriptor *f);

/* Reads a binary message. Fields of type bytes point into `data`, which must outlive the message; strings and
   everything else lie in the arena. NULL and a message (what, and at which byte of `what`) when the bytes are not such
   a message. */
ProtobufCMessage *wire_read(Arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                            const char *what, Diag *d);
/* One varint at *p, not past end; advances *p. */
bool wire_varint(const uint8_t **p, const uint8_t *end, uint64_t *out);

/* Reads the text format. Messages name the line. Unknown fields are skipped, as the binary reader does. */
ProtobufCMessage *pbtxt_read(Arena *arena, const ProtobufCMessageDescriptor *type, const char *text, size_t size,
                             Diag *d);
#endif
