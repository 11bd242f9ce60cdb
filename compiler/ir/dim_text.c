/* Dims as text: "64", "batch", "s0*4+1", "(s0+1)/2", "min(s0,4)". / and % round toward minus infinity. */
#include "ir/dim.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* How tightly an operator binds, for parentheses. */
enum { LEVEL_SUM, LEVEL_PRODUCT, LEVEL_ATOM };

static void print(const DimTable *t, Dim d, int level, Str *out) {
    static const char *const operators[] = {"", "+", "*", "/", "%", "min", "max", "broadcast"};
    if (dim_is_const(d)) {
        str_printf(out, "%" PRId64, d.value);
        return;
    }
    const DimExpr *e = &t->exprs.data[d.expr];
    if (e->kind == DIM_SYMBOL) {
        str_add(out, t->symbols.data[e->symbol].name);
        return;
    }
    if (e->kind >= DIM_MIN) {
        str_printf(out, "%s(", operators[e->kind]);
        print(t, e->a, LEVEL_SUM, out);
        str_add(out, ",");
        print(t, e->b, LEVEL_SUM, out);
        str_add(out, ")");
        return;
    }
    bool is_sum = e->kind == DIM_ADD, is_product = e->kind == DIM_MUL;
    /* Divisions are put in parentheses inside products, so that reading from the left gives the same. */
    bool parentheses =
        level > (is_sum ? LEVEL_SUM : LEVEL_PRODUCT) || (!is_sum && !is_product && level == LEVEL_PRODUCT);
    if (parentheses) str_add(out, "(");
    print(t, e->a, is_sum ? LEVEL_SUM : LEVEL_PRODUCT, out);
    if (!is_sum || !dim_is_const(e->b) || e->b.value >= 0) str_add(out, operators[e->kind]);
    print(t, e->b, is_sum ? LEVEL_SUM : is_product ? LEVEL_PRODUCT : LEVEL_ATOM, out);
    if (parentheses) str_add(out, ")");
}

void dim_print(const DimTable *t, Dim d, Str *out) {
    print(t, d, LEVEL_SUM, out);
}

enum { MAX_DEPTH = 200 };

typedef struct {
    DimTable *t;
    const char *p;
    int depth;
} Parser;

static bool parse_sum(Parser *s, Dim *out);

static char peek(Parser *s) {
    while (*s->p == ' ') s->p++;
    return *s->p;
}

static bool accept(Parser *s, char c) {
    if (peek(s) != c) return false;
    s->p++;
    return true;
}

static bool parse_number(Parser *s, Dim *out) {
    bool negative = accept(s, '-');
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (!isdigit((unsigned char)*s->p)) return false;
    for (; isdigit((unsigned char)*s->p); s->p++) {
        uint64_t digit = (uint64_t)(*s->p - '0');
        if (v > (limit - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *out = dim_const((int64_t)(negative ? 0 - v : v));
    return true;
}

static const struct {
    const char *name;
    Dim (*make)(DimTable *t, Dim a, Dim b);
} functions[] = {{"min", dim_min}, {"max", dim_max}, {"broadcast", dim_broadcast}};

static bool parse_atom(Parser *s, Dim *out) {
    char c = peek(s);
    if (c == '-' || isdigit((unsigned char)c)) return parse_number(s, out);
    if (accept(s, '(')) return parse_sum(s, out) && accept(s, ')');
    const char *start = s->p;
    while (isalnum((unsigned char)*s->p) || *s->p == '_') s->p++;
    size_t n = (size_t)(s->p - start);
    if (n == 0) return false;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        Dim a, b;
        if (n != strlen(functions[i].name) || memcmp(start, functions[i].name, n) != 0 || peek(s) != '(') continue;
        if (!accept(s, '(') || !parse_sum(s, &a) || !accept(s, ',') || !parse_sum(s, &b) || !accept(s, ')'))
            return false;
        *out = functions[i].make(s->t, a, b);
        return true;
    }
    char *name = arena_strndup(s->t->arena, start, n);
    *out = dim_find_symbol(s->t, name);
    if (dim_is_const(*out)) *out = dim_symbol(s->t, name, 0, INT64_MAX);
    return true;
}

static bool parse_product(Parser *s, Dim *out) {
    Dim a, b;
    if (!parse_atom(s, &a)) return false;
    for (char c = peek(s); c == '*' || c == '/' || c == '%'; c = peek(s)) {
        s->p++;
        if (!parse_atom(s, &b) || (c != '*' && dim_is(b, 0))) return false;
        a = c == '*' ? dim_mul(s->t, a, b) : c == '/' ? dim_floordiv(s->t, a, b) : dim_mod(s->t, a, b);
    }
    *out = a;
    return true;
}

static bool parse_sum(Parser *s, Dim *out) {
    Dim a, b;
    if (++s->depth > MAX_DEPTH || !parse_product(s, &a)) return false;
    for (char c = peek(s); c == '+' || c == '-'; c = peek(s)) {
        s->p++;
        if (!parse_product(s, &b)) return false;
        a = c == '+' ? dim_add(s->t, a, b) : dim_sub(s->t, a, b);
    }
    s->depth--;
    *out = a;
    return true;
}

bool dim_parse(DimTable *t, const char **text, Dim *out) {
    Parser s = {t, *text, 0};
    bool ok = parse_sum(&s, out);
    *text = s.p;
    return ok;
}
