/* random_judge: see random_judge.h. */
#include "random_judge.h"
#include "ir/host.h"
#include "random_graph.h"

#include <math.h>
#include <string.h>

/* ---- noise */

typedef enum {
    EXACT,      /* moves, compares, selects, rounds to what is determined */
    SUM_OF_TWO, /* error of the operands' size: terms may be distributed or fused */
    ROUNDED,    /* error of the result's size */
    FUNCTION,   /* the same, of a polynomial */
    SUMMED,     /* many terms in any order */
    PRODUCT,    /* many factors */
    NORMALISED  /* of the size of the largest element */
} Rounding;

static const Rounding roundings[N_OPS] = {
    [OP_ADD] = SUM_OF_TWO,
    [OP_SUB] = SUM_OF_TWO,
    [OP_MUL] = ROUNDED,
    [OP_DIV] = ROUNDED,
    [OP_FLOORMOD] = SUM_OF_TWO,
    [OP_POW] = FUNCTION,
    [OP_ATAN2] = FUNCTION,
    [OP_SQRT] = ROUNDED,
    [OP_RSQRT] = FUNCTION,
    [OP_EXP] = FUNCTION,
    [OP_EXPM1] = FUNCTION,
    [OP_LOG] = FUNCTION,
    [OP_LOG1P] = FUNCTION,
    [OP_SIN] = FUNCTION,
    [OP_COS] = FUNCTION,
    [OP_TAN] = FUNCTION,
    [OP_ASIN] = FUNCTION,
    [OP_ACOS] = FUNCTION,
    [OP_ATAN] = FUNCTION,
    [OP_SINH] = FUNCTION,
    [OP_COSH] = FUNCTION,
    [OP_TANH] = FUNCTION,
    [OP_ASINH] = FUNCTION,
    [OP_ACOSH] = FUNCTION,
    [OP_ATANH] = FUNCTION,
    [OP_ERF] = FUNCTION,
    [OP_ERFC] = FUNCTION,
    [OP_SIGMOID] = FUNCTION,
    [OP_SOFTPLUS] = FUNCTION,
    [OP_FLOORDIV] = ROUNDED,
    [OP_SCATTER_ND] = SUMMED,
    [OP_REDUCE] = SUMMED,
    [OP_CUMULATE] = SUMMED,
    [OP_SOFTMAX] = FUNCTION,
    [OP_LOG_SOFTMAX] = NORMALISED,
    [OP_LAYER_NORM] = NORMALISED,
    [OP_MATMUL] = SUMMED,
    [OP_CONV] = SUMMED,
    [OP_CONV_TRANSPOSE] = SUMMED,
    [OP_POOL] = SUMMED,
    [OP_RESIZE] = NORMALISED,
    [OP_LSTM] = NORMALISED,
    [OP_GRU] = NORMALISED,
};

typedef struct {
    double strength;
    int sign;    /* all errors up, all down, or 0: any */
    bool coarse; /* to few digits: what is nearly equal, or nearly 0, is equal then, and 0 */
    bool host;
    uint64_t state;
} Noise;

static double next_noise(Noise *n) {
    Random r = {.state = n->state};
    uint64_t bits = random_bits(&r);
    n->state = r.state;
    double x = (double)(bits >> 33) / (double)((uint64_t)1 << 31);
    if (!n->sign && bits & 1) return 0; /* what happens to be exact may be so elsewhere */
    return n->strength * (n->sign ? n->sign * (0.5 + x / 2) : 2 * x - 1);
}

/* ---- numbers of a tensor: two of each complex element */

static bool is_complex(DType t) {
    return dtype_info(t)->class_ == CLASS_COMPLEX;
}

int64_t expected_numbers(const Tensor *t) {
    return tensor_count(t) * (is_complex(t->dtype) ? 2 : 1);
}

static double number_at(const Tensor *t, int64_t i) {
    if (t->dtype == DTYPE_C64) return ((const float *)t->data)[i];
    if (t->dtype == DTYPE_C128) return ((const double *)t->data)[i];
    return tensor_get_f64(t, i);
}

static void set_number(Tensor *t, int64_t i, double v) {
    void *data = (void *)(uintptr_t)t->data;
    if (t->dtype == DTYPE_C64)
        ((float *)data)[i] = (float)v;
    else if (t->dtype == DTYPE_C128)
        ((double *)data)[i] = v;
    else
        tensor_set_f64(t, i, v);
}

static bool has_tolerance(DType t) {
    return dtype_is_float(t) || is_complex(t);
}

/* Distance between neighbouring numbers at 1. */
static double unit_of(DType t) {
    return t == DTYPE_F64 || t == DTYPE_C128 ? 0x1p-52 : t == DTYPE_F16 ? 0x1p-10 : t == DTYPE_BF16 ? 0x1p-7 : 0x1p-23;
}

static double smallest_of(DType t) {
    return t == DTYPE_F64 || t == DTYPE_C128 ? 1e-305 : t == DTYPE_F16 ? 0x1p-24 : 1e-37;
}

/* Distance between the smallest numbers, which are what rounding is off by there however small they are; only f16 keeps
   them. */
static double denormal_step(DType t) {
    return t == DTYPE_F16 ? 0x1p-24 : 0;
}

static double largest(const Tensor *t) {
    double most = 0;
    for (int64_t i = expected_numbers(t); i-- > 0;) {
        double x = fabs(number_at(t, i));
        if (isfinite(x) && x < 1e30 && x > most) most = x;
    }
    return most;
}

static bool is_integral(const Tensor *t) {
    for (int64_t i = tensor_count(t); i-- > 0;) {
        double x = tensor_get_f64(t, i);
        if (isfinite(x) && x != rint(x)) return false;
    }
    return true;
}

/* Element of an operand that broadcasts to `out`. */
static double operand_at(const Tensor *x, const Tensor *out, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = out->rank - 1; k >= 0; k--) {
        int64_t coordinate = i % out->dims[k];
        int own = k - (out->rank - x->rank);
        i /= out->dims[k];
        if (own < 0) break;
        if (x->dims[own] != 1) at += coordinate * stride;
        stride *= x->dims[own];
    }
    return tensor_get_f64(x, at);
}

/* Terms that make one element of the result, and whether they are of two tensors. */
static double terms_of(const Node *n, const Tensor *in, const Tensor *out) {
    double ins = (double)tensor_count(&in[0]), outs = (double)tensor_count(out);
    if (n->op == OP_CUMULATE) return (double)in[0].dims[node_int(n, "axis", 0)];
    if (n->op == OP_MATMUL) return (double)in[0].dims[in[0].rank - (node_int(n, "transpose_a", 0) ? 2 : 1)];
    if (n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE)
        return (double)tensor_count(&in[1]) / fmax(1, (double)in[1].dims[in[1].rank - (n->op == OP_CONV ? 1 : 2)]);
    if (n->op == OP_SCATTER_ND) return fmax(1, (double)tensor_count(&in[2]));
    if (n->op == OP_POOL) return 32;
    return ins / fmax(1, outs);
}

static bool takes_products(const Node *n) {
    return n->op == OP_MATMUL || n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE || n->op == OP_MUL;
}

static double largest_finite(const Tensor *t) {
    double most = 0;
    for (int64_t i = expected_numbers(t); i-- > 0;) {
        double x = fabs(number_at(t, i));
        if (isfinite(x) && x > most) most = x;
    }
    return most;
}

/* Whether some order of the terms overflows on the way: then infinities of one sign meet those of the other, or do not,
   as the order has it. */
static bool may_overflow(const Node *n, const Tensor *in, DType t, double terms) {
    double most = largest_finite(&in[0]), end = t == DTYPE_F16                      ? 65504
                                                : t == DTYPE_F64 || t == DTYPE_C128 ? 0x1p1023
                                                                                    : 0x1p127;
    if (takes_products(n)) most *= largest_finite(&in[1]);
    if (strcmp(node_string(n, "kind", ""), "prod") == 0) return pow(most, terms) >= end;
    return most * terms >= end;
}

/* Ops of whole numbers that stay small are exact in any order. */
static bool is_exact(const Node *n, Rounding rounding, const Tensor *in, const Tensor *out) {
    if (rounding == EXACT) return true;
    const char *kind = node_string(n, "kind", node_string(n, "mode", ""));
    if (strcmp(kind, "max") == 0 || strcmp(kind, "min") == 0 || strcmp(kind, "update") == 0 ||
        strcmp(kind, "nearest") == 0)
        return true;
    bool sums = n->op == OP_ADD || n->op == OP_SUB || n->op == OP_MUL || n->op == OP_MATMUL || strcmp(kind, "sum") == 0;
    if (!sums || n->op == OP_POOL) return false;
    double most = largest(&in[0]), terms = rounding == SUMMED ? terms_of(n, in, out) : 2;
    if (n->n_inputs > 1) most = takes_products(n) ? most * largest(&in[1]) : fmax(most, largest(&in[1]));
    if (most * terms * unit_of(out->dtype) > 1) return false;
    return is_integral(&in[0]) && (n->n_inputs < 2 || is_integral(&in[1]));
}

static double deviation_at(const Node *n, Rounding rounding, const Tensor *in, const Tensor *out, int64_t i,
                           double terms, double most, double y, bool narrow_sums) {
    double unit = unit_of(out->dtype), narrow = fmax(fabs(y) * unit, y == 0 ? 0 : denormal_step(out->dtype)),
           sum_unit = narrow_sums ? unit : fmin(unit, 0x1p-23);
    if (!isfinite(y)) return 0;
    switch (rounding) {
    case SUM_OF_TWO: {
        double a = fabs(operand_at(&in[0], out, i)), b = fabs(operand_at(&in[1], out, i));
        return unit * (isfinite(a + b) ? a + b : 0);
    }
    case ROUNDED:
        return 2 * narrow;
    case FUNCTION:
        return 8 * narrow;
    case SUMMED:
        if (strcmp(node_string(n, "kind", ""), "prod") == 0) return (terms + 2) * narrow;
        return 2 * narrow + sum_unit * terms * most;
    default:
        return 8 * fmax(narrow, sum_unit * terms * most);
    }
}

/* LAPACK here, our own there. */
static bool is_linear_algebra(const Node *n) {
    static const char *const families[] = {"linalg", "decompose", "eigen", "schur"};
    for (size_t i = 0; n->op == OP_HOST && i < ARRAY_LEN(families); i++)
        if (strcmp(n->host->family, families[i]) == 0) return true;
    return false;
}

/* Denormals count as zero, but whether an op that picks an operand (max, select) makes them zero is up to the
   instruction that does it. */
static void flush_some(Noise *noise, Tensor *t) {
    const int mantissa = t->dtype == DTYPE_F32 ? 23 : t->dtype == DTYPE_F64 ? 52 : t->dtype == DTYPE_BF16 ? 7 : 0;
    const size_t size = dtype_size(t->dtype);
    for (int64_t i = mantissa ? tensor_count(t) : 0; i-- > 0;) {
        uint64_t bits = 0, sign = UINT64_C(1) << (8 * size - 1), least_normal = UINT64_C(1) << mantissa;
        char *at = (char *)(uintptr_t)t->data + (size_t)i * size;
        memcpy(&bits, at, size); /* the number itself would count as zero here, too */
        if ((bits & ~sign) == 0 || (bits & ~sign) >= least_normal || next_noise(noise) <= 0) continue;
        bits &= sign;
        memcpy(at, &bits, size);
    }
}

/* The maximum of a window of nothing but NaN and -inf is the lowest number; of a function behind the maximum
   (passes/hoist.c) it is what the function makes of that. */
static void leave_empty_maxima(Noise *noise, const Node *n, Tensor *t) {
    if (n->op != OP_POOL || strcmp(node_string(n, "kind", ""), "max") != 0 || !dtype_is_float(t->dtype)) return;
    for (int64_t i = expected_numbers(t); i-- > 0;)
        if (number_at(t, i) == -dtype_highest_float(t->dtype) && next_noise(noise) > 0) set_number(t, i, NAN);
}

/* The multiple of about 2 d that is next to y. */
static double coarse(double y, double d) {
    int exponent;
    frexp(d, &exponent);
    const double step = ldexp(1, exponent + 1);
    return step > 0 && isfinite(y / step) ? rint(y / step) * step : y;
}

static void make_noise(void *env, const Graph *g, NodeId id, const Tensor *in, Tensor *out) {
    Noise *noise = env;
    const Node *n = node_at(g, id);
    Rounding rounding = n->op == OP_HOST && (noise->host || is_linear_algebra(n)) ? NORMALISED : roundings[n->op];
    for (uint32_t o = 0; o < n->n_outputs && n->n_inputs; o++) {
        flush_some(noise, &out[o]);
        leave_empty_maxima(noise, n, &out[o]);
    }
    if (rounding == EXACT || !n->n_inputs) return;
    for (uint32_t o = 0; o < n->n_outputs; o++) {
        Tensor *t = &out[o];
        if (!has_tolerance(t->dtype) || is_exact(n, rounding, in, t)) continue;
        double terms = 1, most = largest(&in[0]);
        if (rounding == SUMMED) terms = terms_of(n, in, t);
        if (n->op == OP_HOST) terms = 16;
        if (n->op == OP_SCATTER_ND) most = fmax(most, largest(&in[2]));
        if (n->op == OP_LSTM || n->op == OP_GRU) {
            terms = (double)(in[0].dims[2] + in[1].dims[1] + 8);
            for (uint32_t k = 1; k < n->n_inputs; k++) most = fmax(most, largest(&in[k]));
        }
        if (takes_products(n)) most *= largest(&in[1]);
        if (rounding == NORMALISED) most = fmax(most, largest(t));
        bool any_order = rounding == SUMMED && may_overflow(n, in, t->dtype, terms);
        for (int64_t i = expected_numbers(t); i-- > 0;) {
            if (any_order && next_noise(noise) > 0) set_number(t, i, NAN);
            double y = number_at(t, i), d = deviation_at(n, rounding, in, t, i, terms, most, y, noise->host);
            if (d > 0) set_number(t, i, noise->coarse ? coarse(y, d) : y + d * next_noise(noise));
        }
    }
}

/* ---- expectations */

static bool same_shape(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

/* Integers exactly, beyond what a double holds. */
static bool same_integer(const Tensor *a, const Tensor *b, int64_t i) {
    size_t size = dtype_size(a->dtype);
    return memcmp((const char *)a->data + (size_t)i * size, (const char *)b->data + (size_t)i * size, size) == 0;
}

static bool same_string(const Tensor *a, const Tensor *b, int64_t i) {
    const StringElement *x = (const StringElement *)a->data + i, *y = (const StringElement *)b->data + i;
    return x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
}

static bool same_element(const Tensor *a, const Tensor *b, int64_t i) {
    return a->dtype == DTYPE_STRING ? same_string(a, b, i) : same_integer(a, b, i);
}

/* What this run did to every element goes into its slack. */
static void learn(Expectation *e, const Tensor *noisy) {
    for (uint32_t o = 0; o < e->n_outputs; o++) {
        const Tensor *t = &e->outputs[o];
        if (!same_shape(t, &noisy[o])) {
            e->uncertain = true;
            return;
        }
        for (int64_t i = expected_numbers(t); i-- > 0;) {
            if (!has_tolerance(t->dtype)) {
                if (!same_element(t, &noisy[o], i)) e->slack[o][i] = INFINITY;
                continue;
            }
            double x = number_at(t, i), y = number_at(&noisy[o], i);
            if (isnan(x) && isnan(y)) continue;
            double d = x == y ? 0 : fabs(x - y);
            e->slack[o][i] = isfinite(d) ? fmax(e->slack[o][i], d) : INFINITY;
        }
    }
}

void expect(Expectation *e, const Graph *g, const Tensor *inputs, int runs, double strength, bool other_host,
            Arena *arena) {
    Diag d;
    *e = (Expectation){.n_outputs = g->outputs.len};
    diag_init(&d, arena, NULL);
    RefSession *s = ref_open(g);
    e->outputs = NEW_ARRAY(arena, Tensor, e->n_outputs + 1);
    Tensor *noisy = NEW_ARRAY(arena, Tensor, e->n_outputs + 1);
    e->slack = NEW_ARRAY(arena, double *, e->n_outputs + 1);
    e->fails = !ref_run(s, inputs, e->outputs, arena, &d);
    if (e->fails) e->error = d.entries.len ? d.entries.data[0].message : "";
    for (uint32_t o = 0; o < e->n_outputs && !e->fails; o++)
        e->slack[o] = NEW_ARRAY(arena, double, expected_numbers(&e->outputs[o]) + 1);
    ref_close(s);
    for (int run = 0; run < runs && !e->uncertain; run++) {
        static const int signs[] = {1, -1, 0, 0};
        Noise noise = {.strength = strength,
                       .sign = signs[run % 4],
                       .coarse = run % 4 == 2,
                       .host = other_host,
                       .state = (uint64_t)run * 7919 + 1};
        Arena *scratch = arena_new();
        diag_init(&d, scratch, NULL);
        s = ref_open(g); /* host functions start afresh */
        ref_observe(s, make_noise, &noise);
        bool ran = ref_run(s, inputs, noisy, scratch, &d);
        ref_close(s);
        if (ran == e->fails)
            e->uncertain = true;
        else if (ran)
            learn(e, noisy);
        arena_free(scratch);
    }
    for (uint32_t o = 0; o < e->n_outputs && !e->fails; o++) {
        const Tensor *t = &e->outputs[o];
        for (int64_t i = expected_numbers(t); i-- > 0;) {
            double *slack = &e->slack[o][i], x = has_tolerance(t->dtype) ? fabs(number_at(t, i)) : 0;
            e->n_elements++;
            e->n_free += isinf(*slack) ? 1 : 0;
            if (has_tolerance(t->dtype))
                *slack = 6 * *slack + 2 * unit_of(t->dtype) * (isfinite(x) ? x : 0) + smallest_of(t->dtype);
        }
    }
}

static bool say(char *why, size_t size, uint32_t output, int64_t element, double got, double want, double slack) {
    snprintf(why, size, "output %u, element %lld is %.9g, not %.9g (give or take %.2g)", output, (long long)element,
             got, want, slack);
    return false;
}

bool as_expected(const Expectation *e, uint32_t o, const Tensor *got, char *why, size_t size) {
    const Tensor *want = &e->outputs[o];
    if (!same_shape(want, got)) {
        int at = snprintf(why, size, "output %u is %s of rank %d, not %s of rank %d:", o, dtype_info(got->dtype)->text,
                          got->rank, dtype_info(want->dtype)->text, want->rank);
        for (int i = 0; i < got->rank && i < want->rank && at > 0 && (size_t)at < size; i++)
            at +=
                snprintf(why + at, size - (size_t)at, " %lld/%lld", (long long)got->dims[i], (long long)want->dims[i]);
        return false;
    }
    for (int64_t i = 0; i < expected_numbers(want); i++) {
        double slack = e->slack[o][i];
        if (isinf(slack)) continue;
        if (!has_tolerance(want->dtype)) {
            if (!same_element(want, got, i))
                return say(why, size, o, i, tensor_get_f64(got, i), tensor_get_f64(want, i), 0);
            continue;
        }
        double x = number_at(got, i), y = number_at(want, i);
        bool same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= slack;
        if (!same) return say(why, size, o, i, x, y, slack);
    }
    return true;
}
