/* graphdef_tensor: TensorProto → Tensor. Three forms exist: tensor_content (raw little-endian bytes, left in the file),
   a list of values as long as the tensor, and a shorter list whose last value repeats to the end. What repeats is
   written out, within a limit for the file. */
#include "frontend/reader.h"

#include <inttypes.h>
#include <string.h>

#define MAX_EXPANDED ((size_t)512 << 20)
#define MAX_BYTES ((int64_t)1 << 44)

/* How a value list is turned into elements. */
typedef enum { COPY_NONE, COPY_SAME, COPY_PAIRS, COPY_INT8, COPY_INT16, COPY_BOOL } CopyKind;

typedef struct {
    CopyKind copy;
    size_t count_at, list_at; /* offsets in Pb__TensorProto */
} ValueList;

#define LIST(copy, field)                                                                                              \
    { copy, offsetof(Pb__TensorProto, n_##field), offsetof(Pb__TensorProto, field) }
static const ValueList value_lists[N_DTYPES] = {
    [DTYPE_F32] = LIST(COPY_SAME, float_val),     [DTYPE_F64] = LIST(COPY_SAME, double_val),
    [DTYPE_F16] = LIST(COPY_INT16, half_val),     [DTYPE_BF16] = LIST(COPY_INT16, half_val),
    [DTYPE_S4] = LIST(COPY_INT8, int_val),        [DTYPE_S8] = LIST(COPY_INT8, int_val),
    [DTYPE_U8] = LIST(COPY_INT8, int_val),        [DTYPE_S16] = LIST(COPY_INT16, int_val),
    [DTYPE_U16] = LIST(COPY_INT16, int_val),      [DTYPE_S32] = LIST(COPY_SAME, int_val),
    [DTYPE_U32] = LIST(COPY_SAME, uint32_val),    [DTYPE_S64] = LIST(COPY_SAME, int64_val),
    [DTYPE_U64] = LIST(COPY_SAME, uint64_val),    [DTYPE_BOOL] = LIST(COPY_BOOL, bool_val),
    [DTYPE_C64] = LIST(COPY_PAIRS, scomplex_val), [DTYPE_C128] = LIST(COPY_PAIRS, dcomplex_val),
};
#undef LIST

typedef struct {
    GraphReader *r;
    const char *node, *op, *attr;
} Where;

static bool wrong(const Where *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(const Where *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(w->r->tf->arena, format, args);
    va_end(args);
    return diag_error(w->r->d, reader_where(w->r, w->node), w->op, "attribute '%s': %s", w->attr, text);
}

/* Shape and number of elements. */
static bool read_dims(const Where *w, const Pb__TensorShapeProto *m, Tensor *out, int64_t *out_count) {
    size_t element = out->dtype == DTYPE_STRING ? sizeof(StringElement) : dtype_size(out->dtype);
    int64_t count = 1;
    bool empty = false;
    if (m && m->unknown_rank) return wrong(w, "a tensor value of unknown rank");
    if (m && m->n_dim > MAX_RANK) return wrong(w, "a tensor of rank %zu; at most %d is supported", m->n_dim, MAX_RANK);
    out->rank = m ? (int)m->n_dim : 0;
    for (int i = 0; i < out->rank; i++) {
        int64_t size = m->dim[i]->size;
        if (size < 0) return wrong(w, "a tensor value with size %" PRId64 " in dimension %d", size, i);
        out->dims[i] = size;
        empty |= size == 0;
        if (size && __builtin_mul_overflow(count, size, &count))
            return wrong(w, "a tensor with more elements than any memory holds");
        if (count > MAX_BYTES / (int64_t)element) return wrong(w, "a tensor with more elements than any memory holds");
    }
    *out_count = empty ? 0 : count;
    return true;
}

/* Takes `bytes` from the file's allowance for repeated values. */
static bool allow(const Where *w, size_t bytes) {
    if (bytes > MAX_EXPANDED - w->r->expanded)
        return wrong(w, "a value repeated over %zu bytes; more than %zu MiB of repeated values in one file are refused",
                     bytes, MAX_EXPANDED >> 20);
    w->r->expanded += bytes;
    return true;
}

/* Strings: string_val, or tensor_content holding all lengths as varints and then all bytes. */
static bool read_strings(const Where *w, const Pb__TensorProto *m, int64_t count, Tensor *out) {
    size_t n = (size_t)count;
    bool raw = m->tensor_content.len > 0;
    if (!raw && m->n_string_val > n) return wrong(w, "%zu strings for a tensor of %zu", m->n_string_val, n);
    if (raw && n > m->tensor_content.len)
        return wrong(w, "%zu bytes of content for %zu strings", m->tensor_content.len, n);
    if (!raw && m->n_string_val < n && !allow(w, n * sizeof(StringElement))) return false;
    StringElement *strings = NEW_ARRAY(w->r->tf->arena, StringElement, n);
    out->data = strings;
    if (!raw) {
        for (size_t i = 0; i < n; i++) {
            size_t from = i < m->n_string_val ? i : m->n_string_val - 1;
            strings[i] = m->n_string_val
                             ? (StringElement){(const char *)m->string_val[from].data, m->string_val[from].len}
                             : (StringElement){"", 0};
        }
        return true;
    }
    const uint8_t *p = m->tensor_content.data, *end = p + m->tensor_content.len;
    for (size_t i = 0; i < n; i++)
        if (!wire_varint(&p, end, &strings[i].size))
            return wrong(w, "the lengths of %zu strings do not fit in the content", n);
    for (size_t i = 0; i < n; i++) {
        if (strings[i].size > (uint64_t)(end - p)) return wrong(w, "string %zu runs past the end of the content", i);
        strings[i].data = (const char *)p;
        p += strings[i].size;
    }
    return p == end || wrong(w, "%zu bytes left over after the last string", (size_t)(end - p));
}

static bool read_content(const Where *w, const Pb__TensorProto *m, int64_t count, Tensor *out) {
    size_t n = (size_t)count, bytes = n * dtype_size(out->dtype);
    const uint8_t *content = m->tensor_content.data;
    if (m->tensor_content.len != bytes)
        return wrong(w, "%zu bytes of content, but shape and type (%s) need %zu", m->tensor_content.len,
                     dtype_info(out->dtype)->text, bytes);
    out->data = content;
    /* A bool is 0 or 1 and an int4 sign-extended in memory; TensorFlow writes them so, but others need not. */
    bool fix_bool = false;
    for (size_t i = 0; out->dtype == DTYPE_BOOL && i < n; i++) fix_bool |= content[i] > 1;
    if (!fix_bool && out->dtype != DTYPE_S4) return true;
    uint8_t *fixed = NEW_ARRAY(w->r->tf->arena, uint8_t, n);
    for (size_t i = 0; i < n; i++) fixed[i] = fix_bool ? content[i] != 0 : (uint8_t)(((content[i] & 15) ^ 8) - 8);
    out->data = fixed;
    return true;
}

static void copy_values(CopyKind kind, size_t n, size_t element, const void *list, void *out) {
    if (kind == COPY_SAME || kind == COPY_PAIRS) {
        memcpy(out, list, n * element);
    } else if (kind == COPY_INT8) {
        for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)((const int32_t *)list)[i];
    } else if (kind == COPY_INT16) {
        for (size_t i = 0; i < n; i++) ((uint16_t *)out)[i] = (uint16_t)((const int32_t *)list)[i];
    } else {
        for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = ((const protobuf_c_boolean *)list)[i] != 0;
    }
}

static bool read_list(const Where *w, const Pb__TensorProto *m, int64_t count, Tensor *out) {
    size_t total = (size_t)count, element = dtype_size(out->dtype), n;
    const void *list;
    CopyKind kind = value_lists[out->dtype].copy;
    if (out->dtype == DTYPE_F8E4M3 || out->dtype == DTYPE_F8E5M2) { /* one byte each, in a bytes field */
        kind = COPY_SAME;
        n = m->float8_val.len;
        list = m->float8_val.data;
    } else {
        n = *(const size_t *)(const void *)((const char *)m + value_lists[out->dtype].count_at);
        list = *(void *const *)(const void *)((const char *)m + value_lists[out->dtype].list_at);
    }
    if (kind == COPY_PAIRS) {
        if (n % 2) return wrong(w, "%zu numbers for complex values", n);
        n /= 2;
    }
    if (n > total) return wrong(w, "%zu values for a tensor of %zu elements", n, total);
    if (n == total && (kind == COPY_SAME || kind == COPY_PAIRS)) {
        out->data = list;
        return true;
    }
    if (n < total && !allow(w, total * element)) return false;
    char *data = arena_alloc(w->r->tf->arena, total * element);
    out->data = data;
    if (n == 0) return true; /* zeros */
    copy_values(kind, n, element, list, data);
    for (size_t i = n; i < total; i++) memcpy(data + i * element, data + (n - 1) * element, element);
    return true;
}

bool read_tensor(GraphReader *r, const char *node, const char *op, const char *attr, const Pb__TensorProto *m,
                 Tensor *out) {
    Where w = {r, node, op, attr};
    *out = (Tensor){.dtype = dtype_from_tf((int)m->dtype)};
    int64_t count = 0;
    if (m->dtype == 0) return wrong(&w, "a tensor without a type");
    if (out->dtype == DTYPE_NONE || dtype_info(out->dtype)->class_ == CLASS_HANDLE) {
        /* Only the nodes that need it should fail: the importer reports a constant without a value. */
        diag_note(r->d, reader_where(r, node), op, "attribute '%s': a tensor of TensorFlow type %d cannot be read",
                  attr, (int)m->dtype);
        out->dtype = DTYPE_NONE;
        return true;
    }
    if (!read_dims(&w, m->tensor_shape, out, &count)) return false;
    if (count == 0) {
        out->data = NULL;
        return m->tensor_content.len == 0 ||
               wrong(&w, "%zu bytes of content for an empty tensor", m->tensor_content.len);
    }
    if (out->dtype == DTYPE_STRING) return read_strings(&w, m, count, out);
    if (m->tensor_content.len) return read_content(&w, m, count, out);
    return read_list(&w, m, count, out);
}
