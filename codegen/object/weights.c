/* weights: the constants of all programs, packed as the kernels read them, in one page-aligned section: each different
   tensor once, whichever programs and nodes use it. Numbers stream through a file and `.incbin`, so that they never
   become text or LLVM constants. String tensors hold pointers: with one of them the section is relocated at load and
   lies in .data.rel.ro. */
#include "base/file.h"
#include "codegen/object/data.h"

#include <inttypes.h>
#include <string.h>

enum { WEIGHT_ALIGNMENT = 64, SAMPLE = 4096 };

typedef struct {
    const Tensor *t;
    size_t bytes;
    int64_t offset;
    uint32_t next; /* with the same key, + 1 */
} Weight;

struct Weights {
    Arena *arena;
    VEC(Weight) items;
    Map index; /* size and sampled bytes → first item + 1 */
    uint64_t bytes;
    bool strings;
};

Weights *weights_new(Arena *arena) {
    Weights *w = NEW(arena, Weights);
    w->arena = arena;
    map_init(&w->index, arena);
    return w;
}

/* Both ends and the size tell most tensors apart without reading all of them. */
static uint64_t sample(const Tensor *t, size_t bytes) {
    uint64_t hash = hash_bytes(HASH_SEED, &bytes, sizeof bytes);
    hash = hash_bytes(hash, &t->dtype, sizeof t->dtype);
    if (t->dtype == DTYPE_STRING || bytes == 0) return hash;
    const uint8_t *data = t->data;
    hash = hash_bytes(hash, data, bytes < SAMPLE ? bytes : SAMPLE);
    return bytes > SAMPLE ? hash_bytes(hash, data + bytes - SAMPLE, SAMPLE) : hash;
}

static bool same_bytes(const Weight *a, const Tensor *t, size_t bytes) {
    if (a->bytes != bytes || a->t->dtype != t->dtype) return false;
    if (bytes == 0 || a->t->data == t->data) return true;
    if (t->dtype != DTYPE_STRING) return memcmp(a->t->data, t->data, bytes) == 0;
    const StringElement *x = a->t->data, *y = t->data;
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        if (x[i].size != y[i].size || memcmp(x[i].data, y[i].data, x[i].size) != 0) return false;
    return true;
}

int64_t weights_add(Weights *w, const Tensor *t, size_t bytes) {
    uint64_t key = sample(t, bytes);
    MapEntry *e = map_find_bytes(&w->index, &key, sizeof key);
    uint32_t first = e ? (uint32_t)e->value : 0;
    for (uint32_t i = first; i; i = w->items.data[i - 1].next)
        if (same_bytes(&w->items.data[i - 1], t, bytes)) return w->items.data[i - 1].offset;
    w->bytes = (w->bytes + WEIGHT_ALIGNMENT - 1) & ~(uint64_t)(WEIGHT_ALIGNMENT - 1);
    vec_push(w->arena, &w->items, (Weight){t, bytes, (int64_t)w->bytes, first});
    w->bytes += bytes;
    if (t->dtype == DTYPE_STRING) w->strings = true;
    if (e)
        e->value = w->items.len;
    else
        map_add_bytes(&w->index, &key, sizeof key, w->items.len);
    return w->items.data[w->items.len - 1].offset;
}

uint64_t weights_bytes(const Weights *w) {
    return w->bytes;
}

/* Strings' bytes lie apart; the elements point there. */
static void emit_strings(DataWriter *out, const Weight *item) {
    const StringElement *s = item->t->data;
    for (size_t i = 0; i < item->bytes / sizeof *s; i++)
        str_printf(&out->text, "\t.quad %s\n\t.quad %" PRIu64 "\n",
                   s[i].size ? data_bytes(out, s[i].data, s[i].size) : "0", s[i].size);
}

/* Pads to a multiple of the alignment: kernels read whole vectors at the end of a tensor. */
static bool write_item(FILE *f, const Weight *item) {
    static const uint8_t zeros[WEIGHT_ALIGNMENT];
    size_t pad = (WEIGHT_ALIGNMENT - item->bytes % WEIGHT_ALIGNMENT) % WEIGHT_ALIGNMENT;
    if (item->bytes && fwrite(item->t->data, 1, item->bytes, f) != item->bytes) return false;
    return pad == 0 || fwrite(zeros, 1, pad, f) == pad;
}

static void emit_file(DataWriter *out, const char *path) {
    str_printf(&out->text, "\t.balign %d\n\t.incbin \"", WEIGHT_ALIGNMENT);
    for (const char *c = path; *c; c++) {
        if (*c == '"' || *c == '\\') str_add(&out->text, "\\");
        str_add_bytes(&out->text, c, 1);
    }
    str_add(&out->text, "\"\n");
}

bool weights_emit(Weights *w, DataWriter *out, const char *label, const char *temp_dir, Diag *d) {
    str_printf(&out->text, "\t.section %s\n\t.balign 4096\n%s:\n",
               w->strings ? ".data.rel.ro.tfopt_weights,\"aw\",@progbits" : ".rodata.tfopt_weights,\"a\",@progbits",
               label);
    uint32_t n_files = 0;
    for (uint32_t i = 0; i < w->items.len;) {
        if (w->items.data[i].t->dtype == DTYPE_STRING) {
            str_printf(&out->text, "\t.balign %d\n", WEIGHT_ALIGNMENT);
            emit_strings(out, &w->items.data[i++]);
            continue;
        }
        const char *path = arena_printf(w->arena, "%s/weights%u", temp_dir, n_files++);
        FILE *f = fopen(path, "wb");
        bool ok = f != NULL;
        for (; i < w->items.len && w->items.data[i].t->dtype != DTYPE_STRING; i++)
            ok = ok && write_item(f, &w->items.data[i]);
        if (f) ok = fclose(f) == 0 && ok;
        if (!ok) return diag_error(d, NULL, NULL, "cannot write '%s'", path);
        emit_file(out, path);
    }
    str_printf(&out->text, "\t.zero %d\n", WEIGHT_ALIGNMENT); /* a label always has something behind it */
    return true;
}
