/* Reductions, scans, softmax and layer norm. Sums of floats accumulate in f64: this is the oracle, its error must not
 * count. */
#include "ref/ref_internal.h"
#include <math.h>
#include <string.h>

typedef enum { KIND_SUM, KIND_PROD, KIND_MAX, KIND_MIN, KIND_MEAN, KIND_ALL, KIND_ANY, N_KINDS } ReduceKind;
static const char *const kind_names[N_KINDS] = {"sum", "prod", "max", "min", "mean", "all", "any"};

static double f64_join(ReduceKind k, double a, double x) {
    switch (k) {
    case KIND_PROD:
        return a * x;
    case KIND_MAX:
        return isnan(a) ? a : isnan(x) || x > a ? x : a;
    case KIND_MIN:
        return isnan(a) ? a : isnan(x) || x < a ? x : a;
    default:
        return a + x;
    }
}

static int64_t s64_join(ReduceKind k, bool is_signed, int64_t a, int64_t x) {
    const bool less = is_signed ? x < a : (uint64_t)x < (uint64_t)a,
               more = is_signed ? x > a : (uint64_t)x > (uint64_t)a;
    switch (k) {
    case KIND_PROD:
        return (int64_t)((uint64_t)a * (uint64_t)x);
    case KIND_MAX:
        return more ? x : a;
    case KIND_MIN:
        return less ? x : a;
    case KIND_ALL:
        return a && x;
    case KIND_ANY:
        return a || x;
    default:
        return (int64_t)((uint64_t)a + (uint64_t)x);
    }
}

static double f64_start(ReduceKind k) {
    return k == KIND_PROD ? 1 : k == KIND_MAX ? -INFINITY : k == KIND_MIN ? INFINITY : 0;
}

/* The smallest and the largest integer of a type, as 64 bits. */
static int64_t int_extreme(DType t, bool largest) {
    const int bits = t == DTYPE_S4 ? 4 : dtype_info(t)->bits;
    if (dtype_info(t)->class_ == CLASS_SINT) {
        const int64_t least = bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1));
        return largest ? -(least + 1) : least;
    }
    return !largest ? 0 : bits == 64 ? -1 : (int64_t)(((uint64_t)1 << bits) - 1);
}

static int64_t s64_start(ReduceKind k, DType t) {
    if (k == KIND_PROD || k == KIND_ALL) return 1;
    return k == KIND_MAX ? int_extreme(t, false) : k == KIND_MIN ? int_extreme(t, true) : 0;
}

/* Joins row elements (wide) into one accumulator, or each into its own. */
static void join_f(ReduceKind k, Wide w, const void *row, int64_t n, double *acc, bool each) {
    const float *f = row;
    const double *d = row;
    if (k == KIND_MEAN) k = KIND_SUM;
    if (each && w == WIDE_F32 && k == KIND_SUM) {
        for (int64_t i = 0; i < n; i++) acc[i] += (double)f[i];
    } else if (!each && w == WIDE_F32 && k == KIND_SUM) {
        double s[4] = {0};
        for (int64_t i = 0; i < n; i++) s[i & 3] += (double)f[i];
        *acc += (s[0] + s[1]) + (s[2] + s[3]);
    } else {
        for (int64_t i = 0; i < n; i++)
            acc[each ? i : 0] = f64_join(k, acc[each ? i : 0], w == WIDE_F32 ? (double)f[i] : d[i]);
    }
}

static void join_i(ReduceKind k, bool is_signed, const int64_t *row, int64_t n, int64_t *acc, bool each) {
    for (int64_t i = 0; i < n; i++) acc[each ? i : 0] = s64_join(k, is_signed, acc[each ? i : 0], row[i]);
}

bool ref_reduce(RefCall *c) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const char *name = node_string(c->n, "kind", "sum");
    ReduceKind kind = KIND_SUM;
    while (kind < KIND_ANY && strcmp(kind_names[kind], name) != 0) kind++;
    const Wide w = ref_wide(in->dtype);
    if (w == WIDE_NONE) return ref_error(c, "%s of %s", name, dtype_info(in->dtype)->text);
    const bool is_float = w == WIDE_F32 || w == WIDE_F64, is_signed = w == WIDE_S64;
    bool reduced[MAX_RANK] = {false};
    int64_t axes[MAX_RANK], strides[MAX_RANK], kept_stride = 1, reduced_count = 1;
    const int n_axes = ref_ints(c, "axes", axes, MAX_RANK);
    for (int i = 0; i < n_axes; i++) reduced[axes[i]] = true;
    for (int i = in->rank - 1; i >= 0; i--) {
        strides[i] = reduced[i] ? 0 : kept_stride;
        if (reduced[i])
            reduced_count *= in->dims[i];
        else
            kept_stride *= in->dims[i];
    }
    /* The innermost run of dims that are all kept or all reduced is one row. */
    int outer = in->rank;
    int64_t row = 1;
    while (outer > 0 && reduced[outer - 1] == reduced[in->rank - 1]) row *= in->dims[--outer];
    const bool each = in->rank > 0 && !reduced[in->rank - 1];
    const int64_t n_out = tensor_count(out), n_in = tensor_count(in);
    const void *data = ref_widen(c, in);
    double *facc = NEW_ARRAY(c->arena, double, n_out + 1);
    int64_t *iacc = (int64_t *)facc;
    for (int64_t i = 0; i < n_out; i++) {
        if (is_float)
            facc[i] = f64_start(kind);
        else
            iacc[i] = s64_start(kind, in->dtype);
    }
    int64_t index[MAX_RANK] = {0}, at = 0;
    for (int64_t done = 0; done < n_in; done += row) {
        const char *from = (const char *)data + (size_t)done * ref_wide_size(w);
        if (is_float)
            join_f(kind, w, from, row, facc + at, each);
        else
            join_i(kind == KIND_MEAN ? KIND_SUM : kind, is_signed, (const int64_t *)(const void *)from, row, iacc + at,
                   each);
        for (int i = outer - 1; i >= 0; i--) {
            at += strides[i];
            if (++index[i] < in->dims[i]) break;
            at -= strides[i] * in->dims[i];
            index[i] = 0;
        }
    }
    if (kind == KIND_MEAN) {
        for (int64_t i = 0; i < n_out; i++) {
            if (is_float)
                facc[i] /= (double)reduced_count;
            else if (reduced_count == 0)
                iacc[i] = 0; /* TensorFlow's */
            else
                iacc[i] = is_signed ? iacc[i] / reduced_count : (int64_t)((uint64_t)iacc[i] / (uint64_t)reduced_count);
        }
    }
    ref_store(out->dtype, ref_data(out), 0, n_out, is_float ? WIDE_F64 : w, facc);
    return true;
}

bool ref_arg_reduce(RefCall *c) {
    const Tensor *in = &c->in[0];
    const int64_t axis = node_int(c->n, "axis", 0);
    const bool largest = strcmp(node_string(c->n, "kind", "max"), "max") == 0;
    const Wide w = ref_wide(in->dtype);
    if (w == WIDE_NONE || axis < 0 || axis >= in->rank)
        return ref_error(c, "cannot search %s along axis %lld", dtype_info(in->dtype)->text, (long long)axis);
    const int64_t outer = ref_product(0, (int)axis, in->dims), size = in->dims[axis],
                  inner = ref_product((int)axis + 1, in->rank, in->dims);
    if (size == 0) return ref_error(c, "dimension %lld to search is empty", (long long)axis);
    const void *data = ref_widen(c, in);
    const double highest = dtype_is_float(in->dtype) ? dtype_highest_float(in->dtype) : 0;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t j = 0; j < inner; j++) {
            int64_t best = 0;
            /* As TensorFlow's: the search starts from the worst finite number, so a NaN is never found. */
            double best_f = largest ? -highest : highest;
            int64_t best_i = ((const int64_t *)data)[0];
            for (int64_t k = 0; k < size; k++) {
                const int64_t at = (o * size + k) * inner + j;
                if (w == WIDE_F32 || w == WIDE_F64) {
                    const double x = w == WIDE_F32 ? (double)((const float *)data)[at] : ((const double *)data)[at];
                    if (largest ? x > best_f : x < best_f) best_f = x, best = k;
                } else {
                    const int64_t x = ((const int64_t *)data)[at];
                    if (k == 0) best_i = x;
                    const bool better =
                        w == WIDE_S64 ? (largest ? x > best_i : x < best_i)
                                      : (largest ? (uint64_t)x > (uint64_t)best_i : (uint64_t)x < (uint64_t)best_i);
                    if (better) best_i = x, best = k;
                }
            }
            tensor_set_i64(&c->out[0], o * inner + j, best);
        }
    }
    return true;
}

/* A float type's nearest value. */
static double rounded(DType t, double v) {
    switch (t) {
    case DTYPE_F64:
        return v;
    case DTYPE_F16:
        return (double)f16_to_f32(f32_to_f16((float)v));
    case DTYPE_BF16:
        return (double)bf16_to_f32(f32_to_bf16((float)v));
    default:
        return (double)(float)v;
    }
}

/* log(exp(a) + exp(b)) without overflow, each operation rounded to t; of two infinities NaN, and of a
   and NaN what it is of a and a, as TensorFlow has it. */
static double log_add_exp(DType t, double a, double b) {
    const double most = a < b ? b : a, least = b < a ? b : a;
    if (isinf(most) && most < 0) return most;
    const double power = rounded(t, exp(rounded(t, least - most)));
    return rounded(t, most + rounded(t, log1p(power)));
}

/* Scans round every step to the element type, as TensorFlow's do. */
bool ref_cumulate(RefCall *c) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const char *kind = node_string(c->n, "kind", "sum");
    const bool prod = strcmp(kind, "prod") == 0, lse = strcmp(kind, "logsumexp") == 0;
    const bool exclusive = node_int(c->n, "exclusive", 0) != 0, reverse = node_int(c->n, "reverse", 0) != 0;
    const int64_t axis = node_int(c->n, "axis", 0);
    const Wide w = ref_wide(in->dtype);
    if (w == WIDE_NONE) return ref_error(c, "%s of %s", kind, dtype_info(in->dtype)->text);
    if (in->rank == 0) return ref_error(c, "a scalar has no axis to run along");
    const int64_t outer = ref_product(0, (int)axis, in->dims), size = in->dims[axis],
                  inner = ref_product((int)axis + 1, in->rank, in->dims);
    const void *data = ref_widen(c, in);
    void *result = ref_narrow_start(c, out);
    const bool is_float = w == WIDE_F32 || w == WIDE_F64;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t j = 0; j < inner; j++) {
            double f = prod ? 1 : lse ? -INFINITY : 0;
            uint64_t u = prod ? 1 : 0;
            for (int64_t step = 0; step < size; step++) {
                const int64_t at = (o * size + (reverse ? size - 1 - step : step)) * inner + j;
                const double before_f = f;
                const uint64_t before_u = u;
                if (is_float) {
                    const double x = w == WIDE_F32 ? (double)((const float *)data)[at] : ((const double *)data)[at];
                    f = rounded(in->dtype, prod ? f * x : lse ? log_add_exp(in->dtype, f, x) : f + x);
                    const double y = exclusive ? before_f : f;
                    if (w == WIDE_F32)
                        ((float *)result)[at] = (float)y;
                    else
                        ((double *)result)[at] = y;
                } else {
                    const uint64_t x = ((const uint64_t *)data)[at];
                    u = prod ? u * x : u + x;
                    ((uint64_t *)result)[at] = exclusive ? before_u : u;
                }
            }
        }
    }
    ref_narrow_finish(out, result);
    return true;
}

static bool softmax_rows(RefCall *c, bool logarithm) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const Wide w = ref_wide(in->dtype);
    if ((w != WIDE_F32 && w != WIDE_F64) || in->rank == 0)
        return ref_error(c, "softmax of %s rank %d", dtype_info(in->dtype)->text, in->rank);
    const int64_t row = in->dims[in->rank - 1], rows = ref_product(0, in->rank - 1, in->dims);
    const void *data = ref_widen(c, in);
    void *result = ref_narrow_start(c, out);
    for (int64_t r = 0; r < rows; r++) {
        double most = -INFINITY, sum = 0;
        if (w == WIDE_F32) {
            const float *x = (const float *)data + r * row;
            float *y = (float *)result + r * row;
            for (int64_t i = 0; i < row; i++) most = f64_join(KIND_MAX, most, (double)x[i]);
            const float m = (float)most;
            for (int64_t i = 0; i < row; i++) {
                const float e = expf(x[i] - m);
                y[i] = e;
                sum += (double)e;
            }
            const float l = (float)log(sum);
            for (int64_t i = 0; i < row; i++) y[i] = logarithm ? x[i] - m - l : (float)((double)y[i] / sum);
        } else {
            const double *x = (const double *)data + r * row;
            double *y = (double *)result + r * row;
            for (int64_t i = 0; i < row; i++) most = f64_join(KIND_MAX, most, x[i]);
            for (int64_t i = 0; i < row; i++) sum += y[i] = exp(x[i] - most);
            for (int64_t i = 0; i < row; i++) y[i] = logarithm ? x[i] - most - log(sum) : y[i] / sum;
        }
    }
    ref_narrow_finish(out, result);
    return true;
}

bool ref_softmax(RefCall *c) {
    return softmax_rows(c, false);
}

bool ref_log_softmax(RefCall *c) {
    return softmax_rows(c, true);
}

bool ref_layer_norm(RefCall *c) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const int64_t row = in->rank ? in->dims[in->rank - 1] : 1, rows = tensor_count(in) / (row ? row : 1);
    const double epsilon = node_float(c->n, "epsilon", 0);
    if (!dtype_is_float(in->dtype) || tensor_count(&c->in[1]) != row || tensor_count(&c->in[2]) != row)
        return ref_error(c, "operands do not fit");
    double *scale = NEW_ARRAY(c->arena, double, row + 1), *offset = NEW_ARRAY(c->arena, double, row + 1),
           *x = NEW_ARRAY(c->arena, double, row + 1);
    for (int64_t i = 0; i < row; i++) {
        scale[i] = tensor_get_f64(&c->in[1], i);
        offset[i] = tensor_get_f64(&c->in[2], i);
    }
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < row; i++) sum += x[i] = tensor_get_f64(in, r * row + i);
        const double mean = sum / (double)row;
        for (int64_t i = 0; i < row; i++) squares += (x[i] - mean) * (x[i] - mean);
        const double factor = 1 / sqrt(squares / (double)row + epsilon);
        for (int64_t i = 0; i < row; i++) x[i] = (x[i] - mean) * factor * scale[i] + offset[i];
        ref_store(out->dtype, ref_data(out), r * row, row, WIDE_F64, x);
    }
    return true;
}
