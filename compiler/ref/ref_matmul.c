/* Matrix products: OpenBLAS for floats, plain loops for integers, and the two recurrent cells that are made of them. */
#include "ref/ref_gemm.h"
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* OpenBLAS takes ints: larger products are refused. */
bool ref_gemm_fits(int64_t m, int64_t n, int64_t k) {
    return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX;
}

/* A single column of f32, summed in f64: one accumulator per element would round k times, which shows where the terms
 * cancel. */
static void one_column(bool ta, int64_t m, int64_t k, const float *a, int64_t lda, const float *b, int64_t step,
                       float *c, int64_t ldc, bool add) {
    for (int64_t i = 0; i < m; i++) {
        double sum = add ? (double)c[i * ldc] : 0;
        for (int64_t p = 0; p < k; p++) sum += (double)(ta ? a[p * lda + i] : a[i * lda + p]) * (double)b[p * step];
        c[i * ldc] = (float)sum;
    }
}

void ref_gemm(Wide w, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
              int64_t ldb, void *c, int64_t ldc, bool add) {
    const CBLAS_TRANSPOSE opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
    if (m == 0 || n == 0) return;
    if (w == WIDE_F32 || w == WIDE_F64) {
        if (k == 0) {
            const size_t size = ref_wide_size(w);
            for (int64_t i = 0; i < m && !add; i++) memset((char *)c + (size_t)(i * ldc) * size, 0, (size_t)n * size);
        } else if (w == WIDE_F32 && n == 1) {
            one_column(ta, m, k, a, lda, b, tb ? 1 : ldb, c, ldc, add);
        } else if (w == WIDE_F32) {
            cblas_sgemm(CblasRowMajor, opa, opb, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c,
                        (int)ldc);
        } else {
            cblas_dgemm(CblasRowMajor, opa, opb, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c,
                        (int)ldc);
        }
        return;
    }
    const uint64_t *x = a, *y = b;
    uint64_t *z = c;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n && !add; j++) z[i * ldc + j] = 0;
        for (int64_t p = 0; p < k; p++) {
            const uint64_t v = ta ? x[p * lda + i] : x[i * lda + p];
            for (int64_t j = 0; j < n; j++) z[i * ldc + j] += v * (tb ? y[j * ldb + p] : y[p * ldb + j]);
        }
    }
}

bool ref_matmul(RefCall *c) {
    const Tensor *a = &c->in[0], *b = &c->in[1];
    Tensor *out = &c->out[0];
    const bool ta = node_int(c->n, "transpose_a", 0) != 0, tb = node_int(c->n, "transpose_b", 0) != 0;
    if (a->rank < 2 || b->rank < 2) return ref_error(c, "matrices have at least two dimensions");
    const int64_t rows_a = a->dims[a->rank - 2], cols_a = a->dims[a->rank - 1], rows_b = b->dims[b->rank - 2],
                  cols_b = b->dims[b->rank - 1];
    const int64_t m = ta ? cols_a : rows_a, k = ta ? rows_a : cols_a, n = tb ? rows_b : cols_b;
    if ((tb ? cols_b : rows_b) != k || out->dims[out->rank - 2] != m || out->dims[out->rank - 1] != n)
        return ref_error(c, "matrix sizes do not match: %lld and %lld", (long long)k,
                         (long long)(tb ? cols_b : rows_b));
    const Wide wa = ref_wide(a->dtype), wb = ref_wide(b->dtype);
    const bool ints = (wa == WIDE_S64 || wa == WIDE_U64) && (wb == WIDE_S64 || wb == WIDE_U64);
    if (wa == WIDE_NONE || (wa != wb && !ints) || !ref_gemm_fits(m, n, k))
        return ref_error(c, "no product of %s and %s", dtype_info(a->dtype)->text, dtype_info(b->dtype)->text);
    const size_t size = ref_wide_size(wa);
    const char *x = ref_widen(c, a), *y = ref_widen(c, b);
    /* The result may be wider than the operands (s8 x s8 -> s32). */
    const bool direct = dtype_size(out->dtype) == size && ref_wide(out->dtype) == wa;
    char *z = direct ? ref_data(out) : arena_alloc(c->arena, (size_t)tensor_count(out) * size + 8);
    int64_t sa[MAX_RANK], sb[MAX_RANK], index[MAX_RANK] = {0};
    const int batch = out->rank - 2;
    ref_strides(a->rank, a->dims, sa);
    ref_strides(b->rank, b->dims, sb);
    const int64_t count = ref_product(0, batch, out->dims);
    for (int d = 0; d < batch; d++) { /* of no matrices, too */
        const int da = d - (out->rank - a->rank), db = d - (out->rank - b->rank);
        if ((da >= 0 && a->dims[da] != 1 && a->dims[da] != out->dims[d]) ||
            (db >= 0 && b->dims[db] != 1 && b->dims[db] != out->dims[d]))
            return ref_error(c, "batch dimensions do not broadcast");
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t at_a = 0, at_b = 0;
        for (int d = 0; d < batch; d++) {
            const int da = d - (out->rank - a->rank), db = d - (out->rank - b->rank);
            if (da >= 0 && a->dims[da] != 1) at_a += index[d] * sa[da];
            if (db >= 0 && b->dims[db] != 1) at_b += index[d] * sb[db];
        }
        ref_gemm(wa, ta, tb, m, n, k, x + (size_t)at_a * size, cols_a, y + (size_t)at_b * size, cols_b,
                 z + (size_t)(i * m * n) * size, n, false);
        for (int d = batch - 1; d >= 0; d--) {
            if (++index[d] < out->dims[d]) break;
            index[d] = 0;
        }
    }
    if (!direct) ref_store(out->dtype, ref_data(out), 0, tensor_count(out), wa, z);
    return true;
}

/* ---- recurrent cells, computed in f32, or f64 for f64 */

/* pre[T*B, n] = x[T*B, i] w[i, n] + b, as f32 or f64. */
static void *project(RefCall *c, Wide w, const Tensor *x, const Tensor *weights, const Tensor *bias, int64_t rows,
                     int64_t inputs, int64_t n) {
    void *pre = arena_alloc(c->arena, (size_t)(rows * n + 1) * ref_wide_size(w));
    const void *b = ref_widen(c, bias);
    const void *px = ref_widen(c, x), *pw = ref_widen(c, weights);
    for (int64_t r = 0; r < rows; r++)
        memcpy((char *)pre + (size_t)(r * n) * ref_wide_size(w), b, (size_t)n * ref_wide_size(w));
    ref_gemm(w, false, false, rows, n, inputs, px, inputs, pw, n, pre, n, true);
    return pre;
}

static double read_real(Wide w, const void *p, int64_t i) {
    return w == WIDE_F32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void write_real(Wide w, void *p, int64_t i, double v) {
    if (w == WIDE_F32)
        ((float *)p)[i] = (float)v;
    else
        ((double *)p)[i] = v;
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

bool ref_lstm(RefCall *c) {
    const Tensor *x = &c->in[0];
    const Wide w = ref_wide(x->dtype);
    const int64_t steps = x->dims[0], batch = x->dims[1], inputs = x->dims[2], hidden = c->in[1].dims[1],
                  n = 4 * hidden;
    if (w != WIDE_F32 && w != WIDE_F64) return ref_error(c, "lstm of %s", dtype_info(x->dtype)->text);
    const double forget_bias = node_float(c->n, "forget_bias", 0), clip = node_float(c->n, "cell_clip", 0);
    const size_t state = (size_t)(batch * hidden) * ref_wide_size(w);
    char *pre = project(c, w, x, &c->in[3], &c->in[5], steps * batch, inputs, n);
    const void *r = ref_widen(c, &c->in[4]);
    void *cell = arena_memdup(c->arena, ref_widen(c, &c->in[2]), state);
    void *hs = ref_narrow_start(c, &c->out[0]);
    const void *h = ref_widen(c, &c->in[1]);
    for (int64_t t = 0; t < steps; t++) {
        char *gates = pre + (size_t)(t * batch * n) * ref_wide_size(w);
        void *next = (char *)hs + (size_t)t * state;
        ref_gemm(w, false, false, batch, n, hidden, h, hidden, r, n, gates, n, true);
        for (int64_t b = 0; b < batch; b++) {
            for (int64_t j = 0; j < hidden; j++) {
                const int64_t g = b * n + j, at = b * hidden + j;
                const double i = sigmoid(read_real(w, gates, g)), candidate = tanh(read_real(w, gates, g + hidden));
                const double f = sigmoid(read_real(w, gates, g + 2 * hidden) + forget_bias),
                             o = sigmoid(read_real(w, gates, g + 3 * hidden));
                double cs = f * read_real(w, cell, at) + i * candidate;
                if (clip > 0) cs = cs > clip ? clip : cs < -clip ? -clip : cs; /* NaN stays */
                write_real(w, cell, at, cs);
                write_real(w, next, at, o * tanh(cs));
            }
        }
        h = next;
    }
    ref_narrow_finish(&c->out[0], hs);
    ref_store(c->out[1].dtype, ref_data(&c->out[1]), 0, batch * hidden, w, h);
    ref_store(c->out[2].dtype, ref_data(&c->out[2]), 0, batch * hidden, w, cell);
    return true;
}

bool ref_gru(RefCall *c) {
    const Tensor *x = &c->in[0];
    const Wide w = ref_wide(x->dtype);
    const int64_t steps = x->dims[0], batch = x->dims[1], inputs = x->dims[2], hidden = c->in[1].dims[1],
                  n = 3 * hidden;
    if (w != WIDE_F32 && w != WIDE_F64) return ref_error(c, "gru of %s", dtype_info(x->dtype)->text);
    const bool reset_after = node_int(c->n, "reset_after", 0) != 0;
    const size_t size = ref_wide_size(w), state = (size_t)(batch * hidden) * size;
    char *pre = project(c, w, x, &c->in[2], &c->in[4], steps * batch, inputs, n);
    const char *r = ref_widen(c, &c->in[3]);
    const void *rb = ref_widen(c, &c->in[5]);
    void *hs = ref_narrow_start(c, &c->out[0]);
    const void *h = ref_widen(c, &c->in[1]);
    void *rec = arena_alloc(c->arena, (size_t)(batch * n + 1) * size), *gated = arena_alloc(c->arena, state + size);
    for (int64_t t = 0; t < steps; t++) {
        const char *gates = pre + (size_t)(t * batch * n) * size;
        void *next = (char *)hs + (size_t)t * state;
        for (int64_t b = 0; b < batch; b++) memcpy((char *)rec + (size_t)(b * n) * size, rb, (size_t)n * size);
        ref_gemm(w, false, false, batch, reset_after ? n : 2 * hidden, hidden, h, hidden, r, n, rec, n, true);
        if (!reset_after) { /* the candidate sees r * h through its recurrent weights */
            for (int64_t i = 0; i < batch * hidden; i++) {
                const int64_t g = i / hidden * n + hidden + i % hidden;
                write_real(w, gated, i, sigmoid(read_real(w, gates, g) + read_real(w, rec, g)) * read_real(w, h, i));
            }
            ref_gemm(w, false, false, batch, hidden, hidden, gated, hidden, r + (size_t)(2 * hidden) * size, n,
                     (char *)rec + (size_t)(2 * hidden) * size, n, true);
        }
        for (int64_t i = 0; i < batch * hidden; i++) {
            const int64_t g = i / hidden * n + i % hidden;
            const double z = sigmoid(read_real(w, gates, g) + read_real(w, rec, g));
            const double reset = sigmoid(read_real(w, gates, g + hidden) + read_real(w, rec, g + hidden));
            const double inner = read_real(w, rec, g + 2 * hidden);
            const double candidate = tanh(read_real(w, gates, g + 2 * hidden) + (reset_after ? reset * inner : inner));
            write_real(w, next, i, z * read_real(w, h, i) + (1 - z) * candidate);
        }
        h = next;
    }
    ref_narrow_finish(&c->out[0], hs);
    ref_store(c->out[1].dtype, ref_data(&c->out[1]), 0, batch * hidden, w, h);
    return true;
}
