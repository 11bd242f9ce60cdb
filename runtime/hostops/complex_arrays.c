/* Complex numbers: ops over whole arrays, which are sums, products and running ones, matrix products, transposes and
   the same bits as another type. Computed in double, rounded once. */
#include "hostops/broadcast.h"
#include "hostops/clones.h"
#include "hostops/complex.h"
#include <string.h>

/* ---- sums and products */
int32_t tfopt_host_complex_add_n(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int32_t k = 1; k < call->n_inputs; k++) {
        if (!tfopt_same_dims(t, &call->inputs[k])) return tfopt_invalid(call, "shapes differ");
    }
    for (int64_t i = 0; i < n; i++) {
        TfoptComplex sum = 0;
        for (int32_t k = 0; k < call->n_inputs; k++) sum += tfopt_complex_at(&call->inputs[k], i);
        tfopt_set_complex(&call->outputs[0], i, sum);
    }
    return TFOPT_OK;
}

typedef enum { REDUCE_SUM, REDUCE_PROD, REDUCE_MEAN } ReduceKind;

static int32_t reduce(TfoptHostCall *call, ReduceKind kind) {
    const TfoptTensor *t = &call->inputs[0], *axes = &call->inputs[1];
    bool reduced[TFOPT_MAX_RANK] = {false};
    for (int64_t i = 0; i < tfopt_elements(axes); i++) {
        const int32_t axis = tfopt_axis(tfopt_int_at(axes, i), t->rank);
        if (axis < 0) return tfopt_invalid(call, "an axis to reduce is out of range");
        reduced[axis] = true;
    }
    const bool keep = tfopt_call_int(call, "keep_dims", 0) != 0;
    int64_t dims[TFOPT_MAX_RANK], strides[TFOPT_MAX_RANK], stride = 1, index[TFOPT_MAX_RANK] = {0};
    int32_t rank = 0;
    for (int32_t i = 0; i < t->rank; i++) {
        if (!reduced[i] || keep) dims[rank++] = reduced[i] ? 1 : t->dims[i];
    }
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = reduced[i] ? 0 : stride;
        if (!reduced[i]) stride *= t->dims[i];
    }
    const int64_t n = tfopt_elements(t);
    TfoptComplex *sums = tfopt_call_alloc(call, stride + 1, sizeof *sums);
    if (!sums || !tfopt_host_output(call, 0, rank, dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < stride; i++) sums[i] = kind == REDUCE_PROD ? 1 : 0;
    for (int64_t i = 0, at = 0; i < n; i++) {
        const TfoptComplex v = tfopt_complex_at(t, i);
        sums[at] = kind == REDUCE_PROD ? sums[at] * v : sums[at] + v;
        for (int32_t k = t->rank - 1; k >= 0; k--) {
            at += strides[k];
            if (++index[k] < t->dims[k]) break;
            at -= strides[k] * t->dims[k];
            index[k] = 0;
        }
    }
    const double count = stride ? (double)(n / stride) : 1;
    for (int64_t i = 0; i < stride; i++)
        tfopt_set_complex(&call->outputs[0], i, kind == REDUCE_MEAN && n ? sums[i] / count : sums[i]);
    return TFOPT_OK;
}

int32_t tfopt_host_complex_sum(TfoptHostCall *call) {
    return reduce(call, REDUCE_SUM);
}
int32_t tfopt_host_complex_prod(TfoptHostCall *call) {
    return reduce(call, REDUCE_PROD);
}
int32_t tfopt_host_complex_mean(TfoptHostCall *call) {
    return reduce(call, REDUCE_MEAN);
}

static int32_t cumulate(TfoptHostCall *call, bool product) {
    const TfoptTensor *t = &call->inputs[0];
    const int32_t axis = tfopt_axis(tfopt_int_at(&call->inputs[1], 0), t->rank);
    const bool exclusive = tfopt_call_int(call, "exclusive", 0) != 0, reverse = tfopt_call_int(call, "reverse", 0) != 0;
    if (axis < 0) return tfopt_invalid(call, "axis is out of range");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t outer = tfopt_dims_product(t->dims, 0, axis), size = t->dims[axis],
                  inner = tfopt_dims_product(t->dims, axis + 1, t->rank);
    for (int64_t row = 0; row < outer * inner; row++) {
        TfoptComplex sum = product ? 1 : 0;
        for (int64_t k = 0; k < size; k++) {
            const int64_t at = (row / inner * size + (reverse ? size - 1 - k : k)) * inner + row % inner;
            const TfoptComplex before = sum, v = tfopt_complex_at(t, at);
            sum = product ? sum * v : sum + v;
            tfopt_set_complex(&call->outputs[0], at, exclusive ? before : sum);
        }
    }
    return TFOPT_OK;
}

int32_t tfopt_host_complex_cumsum(TfoptHostCall *call) {
    return cumulate(call, false);
}
int32_t tfopt_host_complex_cumprod(TfoptHostCall *call) {
    return cumulate(call, true);
}

/* ---- matrices: transpose_a/b of MatMul transpose, adj_x/y of BatchMatMul conjugate as well; x and y broadcast over
 * the batch */

/* A matrix as parts in double, rows one after the other. */
typedef struct {
    double *re, *im;
    int64_t rows, columns;
} Matrix;

static bool matrix_init(TfoptHostCall *call, Matrix *m, int64_t rows, int64_t columns) {
    *m = (Matrix){tfopt_call_alloc(call, rows * columns, sizeof(double)),
                  tfopt_call_alloc(call, rows * columns, sizeof(double)), rows, columns};
    return m->re && m->im;
}

static void matrix_load(const Matrix *m, const TfoptTensor *t, int64_t first, bool transposed, bool conjugated) {
    for (int64_t r = 0; r < m->rows; r++) {
        for (int64_t c = 0; c < m->columns; c++) {
            const TfoptComplex v = tfopt_complex_at(t, first + (transposed ? c * m->rows + r : r * m->columns + c));
            m->re[r * m->columns + c] = creal(v);
            m->im[r * m->columns + c] = conjugated ? -cimag(v) : cimag(v);
        }
    }
}

/* z += a row of x times rows [begin, end) of y, columns [from, to). Sums go in the order of the rows. */
TFOPT_CLONES static void add_product(const Matrix *y, int64_t begin, int64_t end, int64_t from, int64_t to,
                                     const double *xr, const double *xi, double *restrict zr, double *restrict zi) {
    for (int64_t p = begin; p < end; p++) {
        const double *restrict yr = y->re + p * y->columns, *restrict yi = y->im + p * y->columns;
        const double a = xr[p], b = xi[p];
        if (p + 1 < end) { /* two rows at once: half the traffic of z */
            const double *restrict ur = yr + y->columns, *restrict ui = yi + y->columns;
            const double c = xr[p + 1], d = xi[p + 1];
            for (int64_t j = from; j < to; j++) {
                zr[j] = zr[j] + (a * yr[j] - b * yi[j]) + (c * ur[j] - d * ui[j]);
                zi[j] = zi[j] + (a * yi[j] + b * yr[j]) + (c * ui[j] + d * ur[j]);
            }
            p++;
            continue;
        }
        for (int64_t j = from; j < to; j++) {
            zr[j] += a * yr[j] - b * yi[j];
            zi[j] += a * yi[j] + b * yr[j];
        }
    }
}

/* z = x y, in parts of y that stay in the cache. */
static void multiply(const Matrix *x, const Matrix *y, const Matrix *z) {
    enum { ROWS = 64, COLUMNS = 256 };
    memset(z->re, 0, (size_t)(z->rows * z->columns) * sizeof *z->re);
    memset(z->im, 0, (size_t)(z->rows * z->columns) * sizeof *z->im);
    for (int64_t from = 0; from < y->columns; from += COLUMNS) {
        const int64_t to = y->columns - from < COLUMNS ? y->columns : from + COLUMNS;
        for (int64_t begin = 0; begin < y->rows; begin += ROWS) {
            const int64_t end = y->rows - begin < ROWS ? y->rows : begin + ROWS;
            for (int64_t r = 0; r < x->rows; r++)
                add_product(y, begin, end, from, to, x->re + r * x->columns, x->im + r * x->columns,
                            z->re + r * z->columns, z->im + r * z->columns);
        }
    }
}

int32_t tfopt_host_complex_matmul(TfoptHostCall *call) {
    const TfoptTensor *x = &call->inputs[0], *y = &call->inputs[1];
    const bool ax = tfopt_call_int(call, "adj_x", 0) != 0, ay = tfopt_call_int(call, "adj_y", 0) != 0;
    const bool tx = ax || tfopt_call_int(call, "transpose_a", 0) != 0,
               ty = ay || tfopt_call_int(call, "transpose_b", 0) != 0;
    if (x->rank < 2 || y->rank < 2) return tfopt_invalid(call, "matrices are needed");
    const int64_t xr = x->dims[x->rank - 2], xc = x->dims[x->rank - 1], yr = y->dims[y->rank - 2],
                  yc = y->dims[y->rank - 1];
    const int64_t m = tx ? xc : xr, k = tx ? xr : xc, n = ty ? yr : yc;
    if ((ty ? yc : yr) != k) return tfopt_invalid(call, "matrix sizes do not match");
    TfoptTensor batches[2] = {*x, *y};
    batches[0].rank -= 2;
    batches[1].rank -= 2;
    TfoptBroadcast b;
    if (!tfopt_broadcast_init(&b, batches, 2)) return tfopt_invalid(call, "batch dimensions do not broadcast");
    int64_t dims[TFOPT_MAX_RANK];
    memcpy(dims, b.dims, sizeof dims);
    dims[b.rank] = m;
    dims[b.rank + 1] = n;
    if (!tfopt_host_output(call, 0, b.rank + 2, dims)) return tfopt_no_memory(call);
    Matrix left, right, result;
    if (!matrix_init(call, &left, m, k) || !matrix_init(call, &right, k, n) || !matrix_init(call, &result, m, n))
        return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b)) {
        matrix_load(&left, x, b.at[0] * xr * xc, tx, ax);
        matrix_load(&right, y, b.at[1] * yr * yc, ty, ay);
        multiply(&left, &right, &result);
        for (int64_t cell = 0; cell < m * n; cell++)
            tfopt_set_complex(&call->outputs[0], i * m * n + cell, CMPLX(result.re[cell], result.im[cell]));
    }
    return TFOPT_OK;
}

int32_t tfopt_host_conjugate_transpose(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *perm = &call->inputs[1];
    if (tfopt_elements(perm) != t->rank) return tfopt_invalid(call, "perm must name every dimension");
    int64_t strides[TFOPT_MAX_RANK], dims[TFOPT_MAX_RANK], walk[TFOPT_MAX_RANK], stride = 1,
                                                                                 index[TFOPT_MAX_RANK] = {0};
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= t->dims[i];
    }
    for (int32_t i = 0; i < t->rank; i++) {
        const int64_t p = tfopt_int_at(perm, i);
        if (p < 0 || p >= t->rank) return tfopt_invalid(call, "perm is out of range");
        dims[i] = t->dims[p];
        walk[i] = strides[p];
    }
    if (!tfopt_host_output(call, 0, t->rank, dims)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0, at = 0; i < n; i++) {
        tfopt_set_complex(&call->outputs[0], i, conj(tfopt_complex_at(t, at)));
        for (int32_t k = t->rank - 1; k >= 0; k--) {
            at += walk[k];
            if (++index[k] < dims[k]) break;
            at -= walk[k] * dims[k];
            index[k] = 0;
        }
    }
    return TFOPT_OK;
}

/* The same bits as another type; the dims are those that the shape function found. */
int32_t tfopt_host_complex_bitcast(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const uint64_t from = tfopt_dtype_bytes(t->dtype), to = tfopt_dtype_bytes(call->outputs[0].dtype);
    int64_t dims[TFOPT_MAX_RANK];
    int32_t rank = t->rank;
    for (int32_t i = 0; i < rank; i++) dims[i] = t->dims[i];
    if (from == 0 || to == 0) return tfopt_invalid(call, "these types have no bits to share");
    if (from > to) {
        if (rank >= TFOPT_MAX_RANK) return tfopt_invalid(call, "the result has too many dimensions");
        dims[rank++] = (int64_t)(from / to);
    } else if (from < to) {
        if (rank == 0 || dims[rank - 1] != (int64_t)(to / from))
            return tfopt_invalid(call, "the last dimension does not make up an element of the wider type");
        rank--;
    }
    void *out = tfopt_host_output(call, 0, rank, dims);
    const int64_t n = tfopt_elements(t);
    if (!out) return tfopt_no_memory(call);
    if (n) memcpy(out, t->data, (size_t)n * from);
    return TFOPT_OK;
}
