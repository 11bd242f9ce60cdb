/* parse_value: types, constants and attributes in the IR's text form. Sizes are bounded by the text, or for splats by
 * MAX_SPLAT. */
#include "ir/build.h"
#include "ir/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SPLAT = 1 << 30 };

static bool parse_dim(Lexer *l, Dim *out) {
    lex_peek(l);
    return (!l->failed && dim_parse(&l->g->dims, &l->p, out)) || lex_error(l, "a size is wrong");
}

bool parse_type(Lexer *l, DType *out_dtype, Shape *out_shape) {
    const char *word = lex_word(l);
    *out_dtype = word ? dtype_from_text(word) : DTYPE_NONE;
    *out_shape = (Shape){0};
    if (*out_dtype == DTYPE_NONE) return lex_error(l, "an element type is missing");
    if (!lex_expect(l, '[')) return false;
    if (lex_accept(l, '*')) {
        out_shape->rank = -1;
        return lex_expect(l, ']');
    }
    if (lex_accept(l, ']')) return true;
    do {
        if (out_shape->rank == MAX_RANK) return lex_error(l, "a shape has more than %d dimensions", MAX_RANK);
        if (!parse_dim(l, &out_shape->dims[out_shape->rank++])) return false;
    } while (lex_accept(l, ','));
    return lex_expect(l, ']');
}

static bool parse_float(Lexer *l, double *out) {
    lex_peek(l);
    char *end;
    *out = l->failed ? 0 : strtod(l->p, &end);
    if (l->failed || end == l->p) return lex_error(l, "a number is missing");
    l->p = end;
    return true;
}

static bool parse_element(Lexer *l, Tensor *t, int64_t i) {
    double f;
    int64_t v;
    if (t->dtype == DTYPE_STRING) {
        StringElement *s = (StringElement *)(uintptr_t)t->data + i;
        size_t n;
        if (!lex_string(l, &s->data, &n)) return false;
        s->size = n;
    } else if (dtype_is_float(t->dtype)) {
        if (!parse_float(l, &f)) return false;
        tensor_set_f64(t, i, f);
    } else if (t->dtype == DTYPE_U64) {
        lex_peek(l);
        char *end;
        errno = 0;
        v = (int64_t)strtoull(l->p, &end, 10);
        if (end == l->p || errno) return lex_error(l, "a number is missing");
        l->p = end;
        tensor_set_i64(t, i, v);
    } else {
        if (!lex_int(l, &v)) return false;
        tensor_set_i64(t, i, v);
    }
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "0x" and two digits a byte. */
static bool parse_bytes(Lexer *l, Tensor *t, int64_t count) {
    l->p += 2;
    size_t digits = strspn(l->p, "0123456789abcdef"), size = dtype_size(t->dtype), bytes;
    if (t->dtype == DTYPE_STRING || digits % 2 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
        bytes != digits / 2)
        return lex_error(l, "%zu bytes of data do not fit the constant's type", digits / 2);
    *t = tensor_new(l->g->arena, t->dtype, t->rank, t->dims);
    uint8_t *to = (uint8_t *)(uintptr_t)t->data;
    for (size_t i = 0; i < bytes; i++, l->p += 2) to[i] = (uint8_t)(hex_digit(l->p[0]) * 16 + hex_digit(l->p[1]));
    return true;
}

bool parse_tensor_data(Lexer *l, DType dtype, const Shape *shape, Tensor *out) {
    int64_t n = shape_count(shape);
    Tensor t = {.dtype = dtype, .rank = shape->rank};
    if (n < 0) return lex_error(l, "a constant must have a constant shape");
    for (int i = 0; i < t.rank; i++)
        if ((t.dims[i] = shape->dims[i].value) < 0) return lex_error(l, "a constant has a negative size");
    char c = lex_peek(l);
    if (c == '#') return lex_error(l, "the data of this constant was left out when the graph was printed");
    if (c == '0' && l->p[1] == 'x' && (dtype_size(dtype) || n == 0)) {
        if (!parse_bytes(l, &t, n)) return false;
    } else if (lex_accept_word(l, "splat")) {
        if (n < 1 || n > MAX_SPLAT / (int64_t)dtype_size(dtype)) return lex_error(l, "a splat is empty or too large");
        t = tensor_new(l->g->arena, dtype, t.rank, t.dims);
        if (!parse_element(l, &t, 0)) return false;
        size_t size = dtype_size(dtype);
        uint8_t *to = (uint8_t *)(uintptr_t)t.data;
        for (int64_t i = 1; i < n; i++) memcpy(to + (size_t)i * size, to, size);
    } else {
        /* Every element takes a character of text at least: a count beyond the rest of the text is refused before
         * memory is taken. */
        if (!lex_expect(l, '{')) return false;
        if (n > 0 && strnlen(l->p, (size_t)n) < (size_t)n)
            return lex_error(l, "a constant has fewer elements than its type");
        t = tensor_new(l->g->arena, dtype, t.rank, t.dims);
        for (int64_t i = 0; i < n; i++)
            if ((i && !lex_expect(l, ',')) || !parse_element(l, &t, i)) return false;
        if (!lex_expect(l, '}')) return false;
    }
    *out = t;
    return true;
}

/* ---- attributes */

typedef VEC(int64_t) IntList;
typedef VEC(double) FloatList;
typedef VEC(StringElement) StringList;
typedef VEC(DType) TypeList;
typedef VEC(Dim) DimList;

/* The entries of a list up to its ']'. */
static bool parse_list(Lexer *l, Attr *a) {
    Arena *arena = l->g->arena;
    IntList ints = {0};
    FloatList floats = {0};
    StringList strings = {0};
    TypeList types = {0};
    DimList dims = {0};
    if (!lex_expect(l, '[')) return false;
    for (a->n = 0; !lex_accept(l, ']'); a->n++) {
        if (l->failed || (a->n && !lex_expect(l, ','))) return false;
        int64_t i = 0;
        double f = 0;
        size_t n = 0;
        StringElement s = {0};
        Dim d = {0};
        const char *word = NULL;
        switch (a->kind) {
        case ATTR_INTS:
            if (!lex_int(l, &i)) return false;
            vec_push(arena, &ints, i);
            break;
        case ATTR_FLOATS:
            if (!parse_float(l, &f)) return false;
            vec_push(arena, &floats, f);
            break;
        case ATTR_STRINGS:
            if (!lex_string(l, &s.data, &n)) return false;
            s.size = n;
            vec_push(arena, &strings, s);
            break;
        case ATTR_TYPES:
            word = lex_word(l);
            if (!word || dtype_from_text(word) == DTYPE_NONE) return lex_error(l, "an element type is missing");
            vec_push(arena, &types, dtype_from_text(word));
            break;
        default:
            if (!parse_dim(l, &d)) return false;
            vec_push(arena, &dims, d);
        }
    }
    const void *data[] = {[ATTR_INTS] = ints.data,
                          [ATTR_FLOATS] = floats.data,
                          [ATTR_STRINGS] = strings.data,
                          [ATTR_TYPES] = types.data,
                          [ATTR_DIMS] = dims.data};
    a->v.ints = data[a->kind];
    return true;
}

static bool parse_tensor(Lexer *l, Attr *a) {
    DType dtype;
    Shape s;
    Tensor *t = NEW(l->g->arena, Tensor);
    if (!parse_type(l, &dtype, &s) || !parse_tensor_data(l, dtype, &s, t)) return false;
    a->kind = ATTR_TENSOR;
    a->v.tensor = t;
    return true;
}

/* An integer, or a float: those are written in hexadecimal, or as inf and nan. */
static bool parse_number(Lexer *l, Attr *a) {
    size_t n = strspn(l->p, "+-0123456789");
    bool is_float = l->p[n] == 'x' || l->p[n] == '.' || l->p[n] == 'i' || l->p[n] == 'n';
    a->kind = is_float ? ATTR_FLOAT : ATTR_INT;
    return is_float ? parse_float(l, &a->v.f) : lex_int(l, &a->v.i);
}

bool parse_attr(Lexer *l, OpId op, Attr *out) {
    static const struct {
        const char *prefix;
        AttrKind kind;
    } lists[] = {{"ints", ATTR_INTS},
                 {"floats", ATTR_FLOATS},
                 {"strings", ATTR_STRINGS},
                 {"types", ATTR_TYPES},
                 {"dims", ATTR_DIMS}};
    Attr a = {.name = lex_word(l), .n = 1};
    if (!a.name) return lex_error(l, "the name of an attribute is missing");
    if (!lex_expect(l, '=')) return false;
    char c = lex_peek(l);
    bool known = op != OP_HOST && op_attr_kind(op, a.name, &a.kind);
    size_t n = 0;
    if (c == '[') {
        if (!known || a.kind < ATTR_INTS || a.kind > ATTR_DIMS)
            return lex_error(l, "attribute '%s' is not a list, or its kind is not known", a.name);
        if (!parse_list(l, &a)) return false;
    } else if (c == '"') {
        a.kind = ATTR_STRING;
        if (!lex_string(l, &a.v.s, &n)) return false;
        a.n = (uint32_t)n;
    } else if (c == '-' || (c >= '0' && c <= '9') || strncmp(l->p, "inf", 3) == 0 || strncmp(l->p, "nan", 3) == 0) {
        if (!parse_number(l, &a)) return false;
    } else if (lex_accept_word(l, "tensor")) {
        if (!parse_tensor(l, &a)) return false;
    } else {
        size_t k = 0;
        while (k < ARRAY_LEN(lists) && !lex_accept_word(l, lists[k].prefix)) k++;
        if (k < ARRAY_LEN(lists)) {
            a.kind = lists[k].kind;
            if (!parse_list(l, &a)) return false;
        } else {
            const char *word = lex_word(l);
            bool is_true = word && strcmp(word, "true") == 0, is_bool = is_true || (word && strcmp(word, "false") == 0);
            a.kind = is_bool ? ATTR_BOOL : ATTR_TYPE;
            if (is_bool)
                a.v.i = is_true;
            else
                a.v.type = word ? dtype_from_text(word) : DTYPE_NONE;
            if (!is_bool && a.v.type == DTYPE_NONE) return lex_error(l, "attribute '%s' has no value", a.name);
        }
    }
    *out = a;
    return true;
}
