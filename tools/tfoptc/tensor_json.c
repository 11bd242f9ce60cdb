/* Tensors as JSON: nested lists or a flat row-major list, elements strings or {"b64": "…"} for bytes, numbers,
   booleans, as in TensorFlow Serving's REST interface; read also {"encoding": "utf-8"|"base64", "data": …}. */
#include "commands.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static int base64_digit(int c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;
    return p ? (int)(p - digits) : -1;
}

static bool base64_decode(StringElement *out, Arena *arena, const char *text) {
    size_t n = strlen(text), len = 0;
    char *bytes = arena_alloc(arena, n + 1);
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < n && text[i] != '='; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) bytes[len++] = (char)(bits >> (have -= 8) & 255);
    }
    *out = (StringElement){bytes, len};
    return true;
}

typedef VEC(const json_t *) JsonList;

/* Nested lists of equal lengths → their dims and elements, in order. */
static bool json_elements(const json_t *j, int depth, Tensor *shape, Arena *arena, JsonList *out) {
    if (!json_is_array(j)) {
        if (depth != shape->rank) return false;
        vec_push(arena, out, j);
        return true;
    }
    int64_t n = (int64_t)json_array_size(j);
    if (depth == MAX_RANK || (depth == shape->rank && out->len)) return false;
    if (shape->rank == depth) shape->dims[shape->rank++] = n;
    if (shape->dims[depth] != n) return false;
    for (size_t i = 0; i < (size_t)n; i++)
        if (!json_elements(json_array_get(j, i), depth + 1, shape, arena, out)) return false;
    return true;
}

static bool json_string_element(const json_t *j, bool base64, StringElement *e, Arena *arena) {
    const json_t *coded = json_object_get(j, "b64");
    if (json_is_string(coded) || (base64 && json_is_string(j)))
        return base64_decode(e, arena, json_string_value(coded ? coded : j));
    if (!json_is_string(j)) return false;
    *e = (StringElement){arena_memdup(arena, json_string_value(j), json_string_length(j) + 1), json_string_length(j)};
    return true;
}

/* What JSON has no number for is written as these words, and read again. */
static bool is_word_for_float(const json_t *j, double *out) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; json_is_string(j) && i < ARRAY_LEN(words); i++)
        if (strcmp(json_string_value(j), words[i].word) == 0) return *out = words[i].value, true;
    return false;
}

/* Numbers take the dtype that is asked for, else int64, double or bool by what they look like. */
static bool json_numbers(Tensor *out, Arena *arena, const JsonList *list, DType dtype) {
    bool bools = list->len > 0, ints = true;
    for (uint32_t i = 0; i < list->len; i++) {
        bools = bools && json_is_boolean(list->data[i]);
        ints = ints && json_is_integer(list->data[i]);
    }
    if (dtype == DTYPE_NONE) dtype = bools ? DTYPE_BOOL : ints ? DTYPE_S64 : DTYPE_F64;
    DTypeClass class_ = dtype_info(dtype)->class_;
    if (class_ > CLASS_BOOLEAN) return false;
    *out = tensor_new(arena, dtype, out->rank, out->dims);
    for (uint32_t i = 0; i < list->len; i++) {
        const json_t *j = list->data[i];
        double value = json_number_value(j);
        if (dtype_is_float(dtype) && is_word_for_float(j, &value)) {
            tensor_set_f64(out, i, value);
            continue;
        }
        if (dtype == DTYPE_BOOL ? !json_is_boolean(j) : !json_is_number(j)) return false;
        if (dtype_is_float(dtype)) {
            tensor_set_f64(out, i, value);
        } else {
            int64_t v = json_is_boolean(j) ? json_is_true(j) : json_integer_value(j);
            if (!json_is_boolean(j) && !json_is_integer(j)) return false;
            tensor_set_i64(out, i, v);
            if (tensor_get_i64(out, i) != v) return false;
        }
    }
    return true;
}

/* A tensor as nested lists: strings, {"b64": …}, numbers or booleans. */
bool tensor_json_read(Tensor *out, Arena *arena, const char *path, const FileMap *f, DType dtype, Diag *d) {
    json_error_t error;
    if (!f->size) return diag_error(d, NULL, NULL, "%s is empty", path);
    json_t *j = json_loadb((const char *)f->data, f->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!j) return diag_error(d, NULL, NULL, "%s line %d: %s", path, error.line, error.text);
    const json_t *data = j, *wrapped = json_object_get(j, "data");
    const char *encoding = json_string_value(json_object_get(j, "encoding"));
    bool base64 = encoding && strcmp(encoding, "base64") == 0;
    if (wrapped) data = wrapped;
    *out = (Tensor){.dtype = DTYPE_STRING};
    JsonList list = {0};
    bool ok = json_elements(data, 0, out, arena, &list);
    double word;
    bool numbers = list.len ? (!json_is_string(list.data[0]) && !json_is_object(list.data[0])) ||
                                  (dtype_is_float(dtype) && is_word_for_float(list.data[0], &word))
                            : dtype != DTYPE_NONE && dtype != DTYPE_STRING;
    if (ok && numbers) {
        ok = json_numbers(out, arena, &list, dtype);
    } else if (ok) {
        StringElement *strings = NEW_ARRAY(arena, StringElement, list.len + 1);
        for (uint32_t i = 0; ok && i < list.len; i++)
            ok = json_string_element(list.data[i], base64, &strings[i], arena);
        out->data = strings;
    }
    json_decref(j);
    return ok || diag_error(d, NULL, NULL,
                            "%s is no tensor%s%s: nested lists of equal lengths of strings, {\"b64\": …}, numbers or "
                            "booleans",
                            path, dtype == DTYPE_NONE ? "" : " of type ",
                            dtype == DTYPE_NONE ? "" : dtype_info(dtype)->tf_name);
}

static bool is_utf8(const StringElement *s) {
    json_t *j = json_stringn(s->data, s->size);
    bool ok = j != NULL;
    json_decref(j);
    return ok;
}

static void base64_encode(Str *out, const StringElement *s) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint64_t i = 0; i < s->size; i += 3) {
        uint32_t bits = 0;
        int n = s->size - i < 3 ? (int)(s->size - i) : 3;
        for (int k = 0; k < 3; k++) bits = bits << 8 | (k < n ? (uint8_t)s->data[i + (uint64_t)k] : 0u);
        char four[5] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                        n > 2 ? digits[bits & 63] : '=', 0};
        str_add(out, four);
    }
}

static json_t *json_of_string(const StringElement *s) {
    if (is_utf8(s)) return json_stringn(s->data, s->size);
    Arena *scratch = arena_new();
    Str text;
    str_init(&text, scratch);
    base64_encode(&text, s);
    json_t *j = json_pack("{s:s}", "b64", str_text(&text));
    arena_free(scratch);
    return j;
}

static json_t *json_of_real(double v) {
    return isnan(v) ? json_string("NaN") : isinf(v) ? json_string(v > 0 ? "Infinity" : "-Infinity") : json_real(v);
}

static json_t *json_of_element(const Tensor *t, int64_t i) {
    DTypeClass class_ = dtype_info(t->dtype)->class_;
    if (class_ == CLASS_BYTES) return json_of_string((const StringElement *)t->data + i);
    if (class_ == CLASS_BOOLEAN) return json_boolean(tensor_get_i64(t, i));
    if (class_ == CLASS_FLOAT) return json_of_real(tensor_get_f64(t, i));
    if (class_ == CLASS_COMPLEX) {
        double parts[2];
        for (int k = 0; k < 2; k++)
            parts[k] = t->dtype == DTYPE_C64 ? (double)((const float *)t->data)[2 * i + k]
                                             : ((const double *)t->data)[2 * i + k];
        json_t *pair = json_array();
        for (int k = 0; k < 2; k++) json_array_append_new(pair, json_of_real(parts[k]));
        return pair;
    }
    int64_t v = tensor_get_i64(t, i);
    return t->dtype == DTYPE_U64 && v < 0 ? json_real((double)(uint64_t)v) : json_integer(v);
}

static json_t *json_of_list(const Tensor *t, int depth, int64_t *next) {
    if (depth == t->rank) return json_of_element(t, (*next)++);
    json_t *list = json_array();
    for (int64_t i = 0; i < t->dims[depth]; i++) json_array_append_new(list, json_of_list(t, depth + 1, next));
    return list;
}

json_t *tensor_json(const Tensor *t) {
    int64_t next = 0;
    return json_of_list(t, 0, &next);
}

/* The length of the UTF-8 letter at p, 0 where there is none. */
static size_t letter_length(const char *p) {
    size_t n = strnlen(p, 4);
    for (size_t k = 1; k <= n; k++) {
        json_t *j = json_stringn(p, k);
        json_decref(j);
        if (j) return k;
    }
    return 0;
}

json_t *json_text(const char *text) {
    json_t *j = json_string(text);
    if (j) return j;
    Arena *scratch = arena_new();
    Str whole;
    str_init(&whole, scratch);
    for (size_t n; *text; text += n ? n : 1) {
        n = letter_length(text);
        if (n)
            str_add_bytes(&whole, text, n);
        else
            str_add(&whole, "\xef\xbf\xbd");
    }
    j = json_string(str_text(&whole));
    arena_free(scratch);
    return j;
}

json_t *json_number(double v) {
    return json_of_real(v);
}

json_t *tensor_json_header(const InputPort *port, DType dtype, int rank, const int64_t *dims) {
    json_t *list = json_array();
    for (int k = 0; k < rank; k++)
        json_array_append_new(list, dims[k] >= 0     ? json_integer(dims[k])
                                    : port->sizes[k] ? json_text(port->sizes[k])
                                                     : json_string("?"));
    return json_pack("{s:o, s:s, s:o}", "name", json_text(port->name), "dtype", dtype_info(dtype)->tf_name, "shape",
                     list);
}
