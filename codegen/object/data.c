/* data: C structures as assembler text. The bytes are those of the structure in memory here (tfopt_abi.h has fixed-size
   members only, and both sides are little-endian LP64); pointers in it become symbols. Structures with pointers go to
   .data.rel.ro, which the loader relocates and then protects; the rest is plain read-only data. */
#include "codegen/object/data.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(sizeof(void *) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "structures are written as they lie here");

void data_init(DataWriter *w, Arena *arena, const char *prefix) {
    *w = (DataWriter){.arena = arena, .prefix = prefix};
    str_init(&w->text, arena);
    map_init(&w->strings, arena);
}

const char *data_label(DataWriter *w, const char *what) {
    return arena_printf(w->arena, ".L%s_%s%u", w->prefix, what, w->n_labels++);
}

static const char *string_label(DataWriter *w, uint64_t number) {
    return arena_printf(w->arena, ".L%s_s%" PRIu64, w->prefix, number);
}

const char *data_bytes(DataWriter *w, const void *bytes, size_t n) {
    MapEntry *e = map_find_bytes(&w->strings, bytes, n);
    if (e) return string_label(w, e->value);
    uint64_t number = w->strings.entries.len;
    map_add_bytes(&w->strings, bytes, n, number);
    return string_label(w, number);
}

const char *data_string(DataWriter *w, const char *s) {
    return s ? data_bytes(w, s, strlen(s) + 1) : NULL;
}

const char *data_emit(DataWriter *w, const char *label, const void *bytes, size_t size, const DataPointer *pointers,
                      uint32_t n) {
    str_printf(&w->text, "\t.section %s\n\t.balign 8\n%s:\n",
               n ? ".data.rel.ro,\"aw\",@progbits" : ".rodata,\"a\",@progbits", label);
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 8) {
        if (n && pointers->offset == i) {
            if (pointers->symbol && pointers->addend)
                str_printf(&w->text, "\t.quad %s+%" PRId64 "\n", pointers->symbol, pointers->addend);
            else
                str_printf(&w->text, "\t.quad %s\n", pointers->symbol ? pointers->symbol : "0");
            pointers++;
            n--;
            continue;
        }
        uint64_t word = 0;
        memcpy(&word, at + i, size - i < 8 ? size - i : 8);
        str_printf(&w->text, "\t.quad 0x%" PRIx64 "\n", word);
    }
    CHECK(n == 0);
    return label;
}

void data_finish(DataWriter *w) {
    str_add(&w->text, "\t.section .rodata,\"a\",@progbits\n");
    for (uint32_t i = 0; i < w->strings.entries.len; i++) {
        const MapEntry *e = &w->strings.entries.data[i];
        str_printf(&w->text, "%s:\n", string_label(w, i));
        for (size_t j = 0; j < e->key_len; j += 16) {
            str_add(&w->text, "\t.byte ");
            for (size_t k = j; k < e->key_len && k < j + 16; k++)
                str_printf(&w->text, "%s%u", k > j ? "," : "", (uint8_t)e->key[k]);
            str_add(&w->text, "\n");
        }
    }
}
