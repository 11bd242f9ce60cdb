/* attrs: attributes of host steps, as TfoptAttr. TYPE attributes arrive as INT, lists of types and dims as INTS. */
#include "codegen/object/data.h"
#include "tfopt_abi.h"

#include <string.h>

typedef struct {
    DataWriter *w;
    VEC(TfoptAttr) attrs;
    VEC(DataPointer) pointers; /* two an attribute: name and value */
    Diag *d;
} AttrTable;

static const char *emit_strings(DataWriter *w, const StringElement *s, uint32_t n) {
    TfoptString *out = NEW_ARRAY(w->arena, TfoptString, n + 1);
    DataPointer *pointers = NEW_ARRAY(w->arena, DataPointer, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        out[i].size = s[i].size;
        pointers[i] = (DataPointer){i * sizeof *out, s[i].size ? data_bytes(w, s[i].data, s[i].size) : NULL, 0};
    }
    return data_emit(w, data_label(w, "strings"), out, n * sizeof *out, pointers, n);
}

static const char *emit_ints(DataWriter *w, const int64_t *v, uint32_t n) {
    return data_emit(w, data_label(w, "ints"), v, n * sizeof *v, NULL, 0);
}

static const char *emit_tensor(DataWriter *w, const Tensor *t) {
    TfoptTensor out = {.dtype = (int32_t)t->dtype, .rank = t->rank};
    memcpy(out.dims, t->dims, (size_t)t->rank * sizeof t->dims[0]);
    size_t bytes = tensor_bytes(t);
    const char *data = t->dtype == DTYPE_STRING ? emit_strings(w, t->data, (uint32_t)tensor_count(t))
                                                : data_emit(w, data_label(w, "tensor"), t->data, bytes, NULL, 0);
    DataPointer pointer = {offsetof(TfoptTensor, data), data, 0};
    return data_emit(w, data_label(w, "tensor"), &out, sizeof out, &pointer, 1);
}

/* Types and dims as integers. */
static const char *emit_converted(DataWriter *w, const Attr *a) {
    int64_t *v = NEW_ARRAY(w->arena, int64_t, a->n + 1);
    for (uint32_t i = 0; i < a->n; i++) v[i] = a->kind == ATTR_TYPES ? (int64_t)a->v.types[i] : a->v.dims[i].value;
    return emit_ints(w, v, a->n);
}

static bool has_symbol(const Attr *a) {
    for (uint32_t i = 0; a->kind == ATTR_DIMS && i < a->n; i++)
        if (!dim_is_const(a->v.dims[i])) return true;
    return false;
}

static bool add(AttrTable *t, const Step *step, const Attr *a) {
    static const int32_t kinds[] = {
        [ATTR_INT] = TFOPT_ATTR_INT,       [ATTR_BOOL] = TFOPT_ATTR_INT,        [ATTR_FLOAT] = TFOPT_ATTR_FLOAT,
        [ATTR_STRING] = TFOPT_ATTR_STRING, [ATTR_TYPE] = TFOPT_ATTR_INT,        [ATTR_INTS] = TFOPT_ATTR_INTS,
        [ATTR_FLOATS] = TFOPT_ATTR_FLOATS, [ATTR_STRINGS] = TFOPT_ATTR_STRINGS, [ATTR_TYPES] = TFOPT_ATTR_INTS,
        [ATTR_DIMS] = TFOPT_ATTR_INTS,     [ATTR_TENSOR] = TFOPT_ATTR_TENSOR};
    DataWriter *w = t->w;
    if (has_symbol(a))
        return diag_unsupported(t->d, step->name, step->host->name,
                                "attribute '%s' has sizes that are known only at run time", a->name);
    TfoptAttr out = {.kind = kinds[a->kind], .n = (int32_t)a->n};
    const char *value = NULL;
    int64_t type = (int64_t)a->v.type;
    StringElement string = {a->v.s, a->n};
    switch (a->kind) {
    case ATTR_INT:
    case ATTR_BOOL:
        value = emit_ints(w, &a->v.i, 1);
        break;
    case ATTR_TYPE:
        value = emit_ints(w, &type, 1);
        break;
    case ATTR_FLOAT:
        value = data_emit(w, data_label(w, "floats"), &a->v.f, sizeof a->v.f, NULL, 0);
        break;
    case ATTR_STRING:
        value = emit_strings(w, &string, 1);
        break;
    case ATTR_INTS:
        value = emit_ints(w, a->v.ints, a->n);
        break;
    case ATTR_FLOATS:
        value = data_emit(w, data_label(w, "floats"), a->v.floats, a->n * sizeof *a->v.floats, NULL, 0);
        break;
    case ATTR_STRINGS:
        value = emit_strings(w, a->v.strings, a->n);
        break;
    case ATTR_TYPES:
    case ATTR_DIMS:
        value = emit_converted(w, a);
        break;
    case ATTR_TENSOR:
        value = emit_tensor(w, a->v.tensor);
        break;
    }
    if (a->kind <= ATTR_TYPE || a->kind == ATTR_TENSOR) out.n = 1;
    size_t at = t->attrs.len * sizeof out;
    const char *name = data_string(w, a->name);
    vec_push(w->arena, &t->pointers, (DataPointer){at + offsetof(TfoptAttr, name), name, 0});
    vec_push(w->arena, &t->pointers, (DataPointer){at + offsetof(TfoptAttr, v), value, 0});
    vec_push(w->arena, &t->attrs, out);
    return true;
}

const char *describe_attrs(DataWriter *w, const Program *p, uint32_t *out_n, uint32_t *first_by_step, Diag *d) {
    AttrTable t = {.w = w, .d = d};
    uint32_t number = 0;
    bool ok = true;
    for (uint32_t i = 0; i < p->blocks.len; i++) {
        for (uint32_t j = 0; j < p->blocks.data[i].steps.len; j++) {
            const Step *s = &p->blocks.data[i].steps.data[j];
            first_by_step[number++] = t.attrs.len;
            for (uint32_t k = 0; k < s->n_attrs; k++) ok = add(&t, s, &s->attrs[k]) && ok;
        }
    }
    *out_n = t.attrs.len;
    return ok ? data_emit(w, data_label(w, "attrs"), t.attrs.data, t.attrs.len * sizeof *t.attrs.data, t.pointers.data,
                          t.pointers.len)
              : NULL;
}
