/* Protocol buffer bytes, read field by field with every length checked. */
#ifndef TFOPT_HOSTOPS_WIRE_H
#define TFOPT_HOSTOPS_WIRE_H
#include "hostops/text.h"

typedef struct {
    const uint8_t *p, *end;
    bool bad;
} TfoptWire;

typedef struct {
    uint32_t number, type; /* 0 varint, 1 fixed 64, 2 bytes, 5 fixed 32 */
    uint64_t value;        /* varint and fixed */
    TfoptString bytes;
} TfoptField;

static inline TfoptWire tfopt_wire(TfoptString s) {
    return (TfoptWire){(const uint8_t *)s.data, (const uint8_t *)s.data + s.size, false};
}

static inline bool tfopt_wire_varint(TfoptWire *w, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64 && w->p < w->end; shift += 7) {
        const uint8_t b = *w->p++;
        *out |= (uint64_t)(b & 127) << shift;
        if (b < 128) return true;
    }
    w->bad = true;
    return false;
}

/* The next field; false at the end, or with w->bad set. */
static inline bool tfopt_wire_next(TfoptWire *w, TfoptField *f) {
    uint64_t tag;
    if (w->p >= w->end || w->bad || !tfopt_wire_varint(w, &tag)) return false;
    *f = (TfoptField){.number = (uint32_t)(tag >> 3), .type = (uint32_t)(tag & 7)};
    if (f->type == 0) return tfopt_wire_varint(w, &f->value);
    uint64_t size = f->type == 1 ? 8 : f->type == 5 ? 4 : 0;
    if (f->type == 2 && !tfopt_wire_varint(w, &size)) return false;
    if ((f->type != 1 && f->type != 2 && f->type != 5) || size > (uint64_t)(w->end - w->p) || f->number == 0) {
        w->bad = true;
        return false;
    }
    f->bytes = (TfoptString){(const char *)w->p, size};
    for (uint64_t i = 0; i < size && f->type != 2; i++) f->value |= (uint64_t)w->p[i] << (8 * i);
    w->p += size;
    return true;
}
#endif
