/* Dim: sizes known at compile time, as constants or as expressions over symbols. Every expression is kept as a sum of
   products of atoms (a symbol, or a floordiv, mod, min, max or broadcast of two expressions) with terms and atoms in a
   fixed order, and stored once, so two expressions that are equal as polynomials are the same Dim. Stored form: a sum
   is ADD(ADD(term, term), constant), a term MUL(MUL(atom, atom), factor). Sizes of expressions are bounded: a product
   of sums with too many terms is not multiplied out, its sums are atoms (equal ones may then differ), and what outgrows
   all bounds becomes a free symbol and sets too_complex. */
#include "ir/dim.h"
#include "ir/dim_number.h"

#include "base/diag.h"

#include <ctype.h>
#include <string.h>

enum { MAX_TERMS = 64, MAX_DEGREE = 12, MAX_SIZE = 4096, USUAL_SYMBOL = 32 };

typedef struct {
    int64_t factor;
    int degree;
    Dim atoms[MAX_DEGREE];
} Term;

typedef struct {
    Term terms[MAX_TERMS];
    int n;
    int64_t constant;
    bool overflow;
} Sum;

/* ---- the table */

static const DimExpr *expr_of(const DimTable *t, Dim d) {
    return &t->exprs.data[d.expr];
}

void dim_table_init(DimTable *t, Arena *arena) {
    *t = (DimTable){.arena = arena};
    map_init(&t->index, arena);
    vec_push(arena, &t->exprs, (DimExpr){0});
}

static const char *symbol_key(DimTable *t, const char *name) {
    return arena_printf(t->arena, "$%s", name);
}

Dim dim_find_symbol(const DimTable *t, const char *name) {
    for (uint32_t i = 0; i < t->symbols.len; i++)
        if (strcmp(t->symbols.data[i].name, name) == 0) return (Dim){t->symbols.data[i].expr, 0};
    return dim_const(-1);
}

Dim dim_symbol(DimTable *t, const char *name, int64_t min, int64_t max) {
    uint32_t number = t->symbols.len;
    char *clean = name && *name ? arena_strdup(t->arena, name) : arena_printf(t->arena, "s%u", number);
    for (char *p = clean; *p; p++)
        if (!isalnum((unsigned char)*p)) *p = '_';
    if (isdigit((unsigned char)*clean) || strcmp(clean, "min") == 0 || strcmp(clean, "max") == 0)
        clean = arena_printf(t->arena, "_%s", clean);
    const char *unique = clean;
    for (unsigned i = 2; map_find(&t->index, symbol_key(t, unique)); i++)
        unique = arena_printf(t->arena, "%s_%u", clean, i);
    uint32_t expr = t->exprs.len;
    map_add(&t->index, symbol_key(t, unique), expr);
    vec_push(t->arena, &t->symbols, (DimSymbol){.name = unique, .min = min, .max = max, .expr = expr});
    DimExpr e = {.kind = DIM_SYMBOL, .symbol = number, .min = min, .max = max, .size = 1};
    e.usual = smaller(larger(USUAL_SYMBOL, min), max);
    vec_push(t->arena, &t->exprs, e);
    return (Dim){expr, 0};
}

static Dim give_up(DimTable *t) {
    t->too_complex = true;
    return dim_symbol(t, NULL, INT64_MIN, INT64_MAX);
}

void dim_range(const DimTable *t, Dim d, int64_t *out_min, int64_t *out_max) {
    *out_min = dim_is_const(d) ? d.value : expr_of(t, d)->min;
    *out_max = dim_is_const(d) ? d.value : expr_of(t, d)->max;
}

int64_t dim_usual(const DimTable *t, Dim d) {
    return dim_is_const(d) ? d.value : expr_of(t, d)->usual;
}

/* Range of a binary expression from the ranges of its operands. */
static void range_of(const DimTable *t, DimKind kind, Dim a, Dim b, int64_t *out_min, int64_t *out_max) {
    int64_t a_min, a_max, b_min, b_max;
    dim_range(t, a, &a_min, &a_max);
    dim_range(t, b, &b_min, &b_max);
    int64_t low = INT64_MIN, high = INT64_MAX;
    if (kind == DIM_ADD) {
        low = a_min == INT64_MIN || b_min == INT64_MIN ? INT64_MIN : saturating_add(a_min, b_min);
        high = a_max == INT64_MAX || b_max == INT64_MAX ? INT64_MAX : saturating_add(a_max, b_max);
    } else if (kind == DIM_MUL) {
        int64_t p[4] = {saturating_mul(a_min, b_min), saturating_mul(a_min, b_max), saturating_mul(a_max, b_min),
                        saturating_mul(a_max, b_max)};
        low = smaller(smaller(p[0], p[1]), smaller(p[2], p[3]));
        high = larger(larger(p[0], p[1]), larger(p[2], p[3]));
    } else if (kind == DIM_FLOORDIV && b_min > 0) {
        if (a_min >= 0) low = is_unbounded(b_max) ? 0 : floor_div(a_min, b_max);
        if (a_min < 0 && a_min != INT64_MIN) low = floor_div(a_min, b_min);
        if (a_max != INT64_MAX) high = a_max >= 0 ? floor_div(a_max, b_min) : -1;
    } else if (kind == DIM_MOD && b_min > 0) {
        low = 0;
        high = is_unbounded(b_max) ? INT64_MAX : b_max - 1;
        if (a_min >= 0) high = smaller(high, a_max);
    } else if (kind == DIM_MIN) {
        low = smaller(a_min, b_min);
        high = smaller(a_max, b_max);
    } else if (kind == DIM_MAX) {
        low = larger(a_min, b_min);
        high = larger(a_max, b_max);
    } else if (kind == DIM_BROADCAST) {
        low = smaller(a_min, b_min);
        high = larger(a_max, b_max);
    }
    *out_min = low;
    *out_max = high;
}

/* The stored expression `kind` of a and b, which are in normal form. */
static Dim cons(DimTable *t, DimKind kind, Dim a, Dim b) {
    struct {
        int64_t kind, a_value, b_value;
        uint32_t a_expr, b_expr;
    } key = {kind, a.value, b.value, a.expr, b.expr};
    MapEntry *seen = map_find_bytes(&t->index, &key, sizeof key);
    if (seen) return (Dim){(uint32_t)seen->value, 0};
    DimExpr e = {.kind = kind, .a = a, .b = b};
    e.size = 1 + (a.expr ? expr_of(t, a)->size : 1) + (b.expr ? expr_of(t, b)->size : 1);
    if (e.size > MAX_SIZE) return give_up(t);
    range_of(t, kind, a, b, &e.min, &e.max);
    e.usual = dim_apply(kind, dim_usual(t, a), dim_usual(t, b));
    if (e.min == e.max && !is_unbounded(e.min)) return dim_const(e.min);
    vec_push(t->arena, &t->exprs, e);
    map_add_bytes(&t->index, &key, sizeof key, t->exprs.len - 1);
    return (Dim){t->exprs.len - 1, 0};
}

/* ---- order: structural, so that it does not depend on which expression was made first */

static int compare(const DimTable *t, Dim a, Dim b) {
    if (dim_equal(a, b)) return 0;
    if (dim_is_const(a) || dim_is_const(b)) {
        if (dim_is_const(a) != dim_is_const(b)) return dim_is_const(a) ? -1 : 1;
        return a.value < b.value ? -1 : 1;
    }
    const DimExpr *x = expr_of(t, a), *y = expr_of(t, b);
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->kind == DIM_SYMBOL) return x->symbol < y->symbol ? -1 : 1;
    int order = compare(t, x->a, y->a);
    return order ? order : compare(t, x->b, y->b);
}

/* Higher degrees come first, then lexicographic by atoms: an order that multiplication keeps, which exact division
 * needs. */
static int compare_terms(const DimTable *t, const Term *x, const Term *y) {
    if (x->degree != y->degree) return x->degree > y->degree ? -1 : 1;
    for (int i = 0; i < x->degree; i++) {
        int order = compare(t, x->atoms[i], y->atoms[i]);
        if (order) return order;
    }
    return 0;
}

/* ---- sums */

static void sum_add_term(const DimTable *t, Sum *s, const Term *term) {
    if (term->factor == 0) return;
    if (term->degree == 0) {
        s->constant = saturating_add(s->constant, term->factor);
        return;
    }
    int at = 0, order = 1;
    while (at < s->n && (order = compare_terms(t, &s->terms[at], term)) < 0) at++;
    if (at < s->n && order == 0) {
        s->terms[at].factor = saturating_add(s->terms[at].factor, term->factor);
        if (s->terms[at].factor != 0) return;
        s->n--;
        memmove(&s->terms[at], &s->terms[at + 1], sizeof(Term) * (size_t)(s->n - at));
        return;
    }
    if (s->n == MAX_TERMS) {
        s->overflow = true;
        return;
    }
    memmove(&s->terms[at + 1], &s->terms[at], sizeof(Term) * (size_t)(s->n - at));
    s->terms[at] = *term;
    s->n++;
}

static void term_of(const DimTable *t, Dim d, Term *out) {
    *out = (Term){.factor = 1};
    const DimExpr *e = expr_of(t, d);
    if (e->kind == DIM_MUL && dim_is_const(e->b)) {
        out->factor = e->b.value;
        d = e->a;
    }
    for (e = expr_of(t, d); e->kind == DIM_MUL; d = e->a, e = expr_of(t, d)) out->atoms[out->degree++] = e->b;
    out->atoms[out->degree++] = d;
    for (int i = 0, j = out->degree - 1; i < j; i++, j--) { /* the chain was read from its end */
        Dim swap = out->atoms[i];
        out->atoms[i] = out->atoms[j];
        out->atoms[j] = swap;
    }
}

/* s += d * factor */
static void sum_add(const DimTable *t, Sum *s, Dim d, int64_t factor) {
    for (;;) {
        bool is_sum = !dim_is_const(d) && expr_of(t, d)->kind == DIM_ADD;
        Dim part = is_sum ? expr_of(t, d)->b : d;
        if (dim_is_const(part)) {
            s->constant = saturating_add(s->constant, saturating_mul(part.value, factor));
        } else {
            Term term;
            term_of(t, part, &term);
            term.factor = saturating_mul(term.factor, factor);
            sum_add_term(t, s, &term);
        }
        if (!is_sum) return;
        d = expr_of(t, d)->a;
    }
}

static Sum *sum_of(const DimTable *t, Sum *s, Dim d) {
    s->n = 0;
    s->constant = 0;
    s->overflow = false;
    sum_add(t, s, d, 1);
    return s;
}

/* Range of a sum, term by term. */
static void sum_range(const DimTable *t, const Sum *s, int64_t *out_min, int64_t *out_max) {
    int64_t low = s->constant, high = s->constant;
    for (int i = 0; i < s->n; i++) {
        int64_t term_min = s->terms[i].factor, term_max = term_min;
        for (int k = 0; k < s->terms[i].degree; k++) {
            int64_t a, b;
            dim_range(t, s->terms[i].atoms[k], &a, &b);
            int64_t p[4] = {saturating_mul(term_min, a), saturating_mul(term_min, b), saturating_mul(term_max, a),
                            saturating_mul(term_max, b)};
            term_min = smaller(smaller(p[0], p[1]), smaller(p[2], p[3]));
            term_max = larger(larger(p[0], p[1]), larger(p[2], p[3]));
        }
        low = low == INT64_MIN || term_min == INT64_MIN ? INT64_MIN : saturating_add(low, term_min);
        high = high == INT64_MAX || term_max == INT64_MAX ? INT64_MAX : saturating_add(high, term_max);
    }
    *out_min = low;
    *out_max = high;
}

/* sum_range, made narrower where a term m * floor(y/m) stands beside the terms of y: it is y less at most m - 1. That
   is what the padding of convolutions with an unknown size comes to. */
static void tight_range(const DimTable *t, const Sum *s, int64_t *out_min, int64_t *out_max) {
    sum_range(t, s, out_min, out_max);
    for (int i = 0; i < s->n; i++) {
        const DimExpr *e = expr_of(t, s->terms[i].atoms[0]);
        if (s->terms[i].degree != 1 || e->kind != DIM_FLOORDIV || !dim_is_const(e->b) || e->b.value <= 1 ||
            s->terms[i].factor % e->b.value != 0)
            continue;
        int64_t m = e->b.value, times = s->terms[i].factor / m, low, high;
        Sum unrounded = *s;
        Term minus = s->terms[i];
        minus.factor = saturating_mul(minus.factor, -1);
        sum_add_term(t, &unrounded, &minus);
        sum_add(t, &unrounded, e->a, times);
        if (unrounded.overflow) continue;
        sum_range(t, &unrounded, &low, &high);
        int64_t rounding = saturating_mul(m - 1, times); /* taken away: 0 … rounding */
        if (low != INT64_MIN) *out_min = larger(*out_min, saturating_add(low, times > 0 ? -rounding : 0));
        if (high != INT64_MAX) *out_max = smaller(*out_max, saturating_add(high, times > 0 ? 0 : -rounding));
    }
}

static Dim sum_compose(DimTable *t, const Sum *s) {
    if (s->overflow) return give_up(t);
    int64_t low, high;
    tight_range(t, s, &low, &high);
    if (low == high && !is_unbounded(low)) return dim_const(low);
    Dim total = dim_const(s->constant);
    for (int i = 0; i < s->n; i++) {
        Dim d = s->terms[i].atoms[0];
        for (int k = 1; k < s->terms[i].degree; k++) d = cons(t, DIM_MUL, d, s->terms[i].atoms[k]);
        if (s->terms[i].factor != 1) d = cons(t, DIM_MUL, d, dim_const(s->terms[i].factor));
        total = i ? cons(t, DIM_ADD, total, d) : d;
    }
    if (s->n && s->constant) total = cons(t, DIM_ADD, total, dim_const(s->constant));
    if (!dim_is_const(total) && expr_of(t, total)->kind == DIM_ADD) {
        DimExpr *e = &t->exprs.data[total.expr];
        e->min = larger(e->min, low);
        e->max = smaller(e->max, high);
    }
    return total;
}

/* x * y into out; false when the degree grows too large. */
static bool term_mul(const DimTable *t, const Term *x, const Term *y, Term *out) {
    if (x->degree + y->degree > MAX_DEGREE) return false;
    Term r = {.factor = saturating_mul(x->factor, y->factor)};
    int i = 0, k = 0;
    while (i < x->degree || k < y->degree) {
        bool from_x = k == y->degree || (i < x->degree && compare(t, x->atoms[i], y->atoms[k]) <= 0);
        r.atoms[r.degree++] = from_x ? x->atoms[i++] : y->atoms[k++];
    }
    *out = r;
    return true;
}

/* x / y when it is a whole term. */
static bool term_divide(const DimTable *t, const Term *x, const Term *y, Term *out) {
    if (y->factor == 0 || x->factor % y->factor != 0 || (y->factor == -1 && x->factor == INT64_MIN)) return false;
    Term r = {.factor = x->factor / y->factor};
    int k = 0;
    for (int i = 0; i < x->degree; i++) {
        if (k < y->degree && dim_equal(x->atoms[i], y->atoms[k]))
            k++;
        else
            r.atoms[r.degree++] = x->atoms[i];
    }
    (void)t;
    *out = r;
    return k == y->degree;
}

Dim dim_add(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(saturating_add(a.value, b.value));
    if (dim_is(a, 0)) return b;
    if (dim_is(b, 0)) return a;
    Sum s;
    sum_add(t, sum_of(t, &s, a), b, 1);
    return sum_compose(t, &s);
}

Dim dim_sub(DimTable *t, Dim a, Dim b) {
    if (dim_equal(a, b)) return dim_const(0);
    Sum s;
    sum_add(t, sum_of(t, &s, a), b, -1);
    return sum_compose(t, &s);
}

/* s, which is d, as one term: its own, or d as an atom. */
static Term as_term(Dim d, const Sum *s) {
    if (s->n == 1 && s->constant == 0) return s->terms[0];
    return (Term){.factor = 1, .degree = 1, .atoms = {d}};
}

/* a * b with sums as atoms. */
static Dim product_of_sums(DimTable *t, Dim a, const Sum *x, Dim b, const Sum *y) {
    Term left = as_term(a, x), right = as_term(b, y);
    Sum s = {.n = 1};
    if (!term_mul(t, &left, &right, &s.terms[0])) return give_up(t);
    return sum_compose(t, &s);
}

Dim dim_mul(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(saturating_mul(a.value, b.value));
    if (dim_is(a, 0) || dim_is(b, 0)) return dim_const(0);
    if (dim_is(a, 1)) return b;
    if (dim_is(b, 1)) return a;
    Sum x, y, product = {.n = 0};
    sum_of(t, &x, a);
    sum_of(t, &y, b);
    Term constant_x = {.factor = x.constant}, constant_y = {.factor = y.constant};
    for (int i = 0; i <= x.n; i++)
        for (int k = 0; k <= y.n; k++) {
            Term term;
            if (term_mul(t, i < x.n ? &x.terms[i] : &constant_x, k < y.n ? &y.terms[k] : &constant_y, &term))
                sum_add_term(t, &product, &term);
            else
                product.overflow = true;
        }
    return product.overflow ? product_of_sums(t, a, &x, b, &y) : sum_compose(t, &product);
}

/* a / b when it has no remainder as a polynomial: repeated division of leading terms. */
static bool divide_exactly(DimTable *t, Dim a, Dim b, Dim *out) {
    Sum rest, divisor, quotient = {.n = 0};
    sum_of(t, &divisor, b);
    sum_of(t, &rest, a);
    Term as_atom = as_term(b, &divisor), what_is_left;
    if (rest.n == 1 && rest.constant == 0 && !dim_is_const(b) &&
        term_divide(t, &rest.terms[0], &as_atom, &what_is_left)) {
        sum_add_term(t, &quotient, &what_is_left);
        *out = sum_compose(t, &quotient);
        return true;
    }
    Term constant_divisor = {.factor = divisor.constant};
    const Term *lead = divisor.n ? &divisor.terms[0] : &constant_divisor;
    for (int step = 0; step < MAX_TERMS; step++) {
        if (rest.n == 0 && rest.constant == 0) {
            *out = sum_compose(t, &quotient);
            return !quotient.overflow;
        }
        Term constant_rest = {.factor = rest.constant}, q;
        if (!term_divide(t, rest.n ? &rest.terms[0] : &constant_rest, lead, &q)) return false;
        sum_add_term(t, &quotient, &q);
        for (int k = 0; k <= divisor.n; k++) {
            Term product;
            if (k == divisor.n ? divisor.constant == 0 : false) continue;
            Term constant = {.factor = divisor.constant};
            if (!term_mul(t, k < divisor.n ? &divisor.terms[k] : &constant, &q, &product)) return false;
            product.factor = saturating_mul(product.factor, -1);
            sum_add_term(t, &rest, &product);
        }
        if (rest.overflow || quotient.overflow) return false;
    }
    return false;
}

/* Splits a = whole * b + rest for a constant b > 1, taking all terms that are multiples of b into `whole`. */
static void split_multiples(DimTable *t, Dim a, int64_t b, Dim *out_whole, Dim *out_rest) {
    Sum s, whole = {.n = 0}, rest = {.n = 0};
    sum_of(t, &s, a);
    for (int i = 0; i < s.n; i++) {
        Term term = s.terms[i];
        bool multiple = term.factor % b == 0;
        if (multiple) term.factor /= b;
        sum_add_term(t, multiple ? &whole : &rest, &term);
    }
    whole.constant = floor_div(s.constant, b);
    rest.constant = floor_mod(s.constant, b);
    *out_whole = sum_compose(t, &whole);
    *out_rest = sum_compose(t, &rest);
}

Dim dim_floordiv(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(floor_div(a.value, b.value));
    if (dim_is(b, 1)) return a;
    if (dim_is(a, 0)) return a;
    int64_t b_min, b_max, a_min, a_max;
    dim_range(t, b, &b_min, &b_max);
    Dim q;
    /* A symbolic divisor is taken to be non-zero: dividing by an empty size is an error wherever it is asked. */
    if (divide_exactly(t, a, b, &q)) return q;
    if (dim_is_const(b) && b.value > 1) {
        Dim whole, rest;
        split_multiples(t, a, b.value, &whole, &rest);
        dim_range(t, rest, &a_min, &a_max);
        if (a_min >= 0 && a_max < b.value) return whole;
        const DimExpr *e = expr_of(t, rest);
        /* floor(floor(x/m)/n) = floor(x/(m*n)) for positive m, n */
        if (e->kind == DIM_FLOORDIV && dim_is_const(e->b) && e->b.value > 0 && e->b.value <= INT64_MAX / b.value)
            rest = dim_floordiv(t, e->a, dim_const(e->b.value * b.value));
        else
            rest = cons(t, DIM_FLOORDIV, rest, b);
        return dim_add(t, whole, rest);
    }
    dim_range(t, a, &a_min, &a_max);
    if (b_min > 0 && a_min >= 0 && a_max < b_min) return dim_const(0);
    return cons(t, DIM_FLOORDIV, a, b);
}

Dim dim_ceildiv(DimTable *t, Dim a, int64_t b) {
    return dim_floordiv(t, dim_add(t, a, dim_const(b - 1)), dim_const(b));
}

Dim dim_mod(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(floor_mod(a.value, b.value));
    if (dim_is(b, 1) || dim_equal(a, b)) return dim_const(0);
    Dim q;
    if (divide_exactly(t, a, b, &q)) return dim_const(0);
    if (dim_is_const(b) && b.value > 1) {
        Dim whole;
        split_multiples(t, a, b.value, &whole, &a);
        if (dim_is_const(a)) return a;
    }
    int64_t a_min, a_max, b_min, b_max;
    dim_range(t, a, &a_min, &a_max);
    dim_range(t, b, &b_min, &b_max);
    if (a_min >= 0 && a_max < b_min) return a;
    return cons(t, DIM_MOD, a, b);
}

/* min (or max) of a and b, whose operand order does not matter. */
static Dim extreme(DimTable *t, DimKind kind, Dim a, Dim b) {
    if (dim_equal(a, b)) return a;
    int64_t low, high;
    dim_range(t, dim_sub(t, a, b), &low, &high);
    if (low >= 0) return kind == DIM_MIN ? b : a;
    if (high <= 0) return kind == DIM_MIN ? a : b;
    for (int i = 0; i < 2; i++) { /* min(min(x, y), y) = min(x, y); min(max(x, y), y) = y */
        Dim d = i ? b : a, other = i ? a : b;
        if (dim_is_const(d)) continue;
        const DimExpr *e = expr_of(t, d);
        if ((e->kind != DIM_MIN && e->kind != DIM_MAX) || !(dim_equal(e->a, other) || dim_equal(e->b, other))) continue;
        return e->kind == kind ? d : other;
    }
    return compare(t, a, b) < 0 ? cons(t, kind, b, a) : cons(t, kind, a, b); /* constants last */
}

Dim dim_min(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(smaller(a.value, b.value));
    return extreme(t, DIM_MIN, a, b);
}

Dim dim_max(DimTable *t, Dim a, Dim b) {
    if (dim_is_const(a) && dim_is_const(b)) return dim_const(larger(a.value, b.value));
    return extreme(t, DIM_MAX, a, b);
}

/* The sizes that a tree of broadcasts joins, in order and each once. */
typedef struct {
    Dim sizes[MAX_TERMS];
    int n;
} Sizes;

static bool collect_sizes(const DimTable *t, Dim d, Sizes *out) {
    const DimExpr *e = expr_of(t, d);
    if (!dim_is_const(d) && e->kind == DIM_BROADCAST) return collect_sizes(t, e->a, out) && collect_sizes(t, e->b, out);
    int at = 0, order = 1;
    while (at < out->n && (order = compare(t, out->sizes[at], d)) < 0) at++;
    if (at < out->n && order == 0) return true;
    if (out->n == MAX_TERMS) return false;
    memmove(&out->sizes[at + 1], &out->sizes[at], sizeof(Dim) * (size_t)(out->n - at));
    out->sizes[at] = d;
    out->n++;
    return true;
}

Dim dim_broadcast(DimTable *t, Dim a, Dim b) {
    if (dim_equal(a, b) || dim_is(b, 1)) return a;
    if (dim_is(a, 1)) return b;
    int64_t a_min, a_max, b_min, b_max;
    dim_range(t, a, &a_min, &a_max);
    dim_range(t, b, &b_min, &b_max);
    if (a_min > 1 || a_max < 1) return a; /* b is 1 or the same */
    if (b_min > 1 || b_max < 1) return b;
    if (a_min == 1 && b_min == 1) return dim_max(t, a, b);
    Sizes s = {.n = 0};
    if (!collect_sizes(t, a, &s) || !collect_sizes(t, b, &s)) return give_up(t);
    Dim total = s.sizes[0];
    for (int i = 1; i < s.n; i++) total = cons(t, DIM_BROADCAST, total, s.sizes[i]);
    return total;
}
