/* import_resample: ScaleAndTranslate. Along each axis the result is a product with a matrix of kernel weights [out,
   in], computed here as scalar ops on index tensors; with constant scales the matrices fold away. */
#include "frontend/import_arithmetic.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ((a x + b) x + c) x + d */
static ValueId cubic(Import *c, ValueId x, const double *k) {
    ValueId y = number(c, k[0]);
    for (int i = 1; i < 4; i++) {
        ValueId term = number(c, k[i]);
        y = mul(c, y, x);
        y = add(c, y, term);
    }
    return y;
}

static ValueId where_below(Import *c, ValueId x, double limit, ValueId below, ValueId otherwise) {
    ValueId at = number(c, limit);
    ValueId is_below = make_binary(c, OP_LT, x, at);
    return make_select(c, is_below, below, otherwise);
}

/* r sin(πx) sin(πx/r) / (πx)², 1 next to zero */
static ValueId lanczos(Import *c, ValueId x, double r) {
    ValueId pi = number(c, 3.14159265358979323846);
    ValueId radius = number(c, r);
    ValueId a = mul(c, x, pi);
    ValueId b = divide(c, a, radius);
    ValueId sin_a = make_unary(c, OP_SIN, a);
    ValueId sin_b = make_unary(c, OP_SIN, b);
    ValueId product = mul(c, sin_a, sin_b);
    product = mul(c, product, radius);
    ValueId square = mul(c, a, a);
    ValueId y = divide(c, product, square);
    ValueId one = number(c, 1);
    return where_below(c, x, 1e-3, one, y);
}

static ValueId two_cubics(Import *c, ValueId x, const double *inner, const double *outer) {
    ValueId near = cubic(c, x, inner);
    ValueId far = cubic(c, x, outer);
    return where_below(c, x, 1, near, far);
}

static ValueId keys(Import *c, ValueId x, double r) {
    (void)r;
    static const double inner[] = {1.5, -2.5, 0, 1};
    static const double outer[] = {-0.5, 2.5, -4, 2};
    return two_cubics(c, x, inner, outer);
}

static ValueId mitchell(Import *c, ValueId x, double r) {
    (void)r;
    static const double inner[] = {7.0 / 6, -2, 0, 8.0 / 9};
    static const double outer[] = {-7.0 / 18, 2, -10.0 / 3, 16.0 / 9};
    return two_cubics(c, x, inner, outer);
}

static ValueId gaussian(Import *c, ValueId x, double r) {
    ValueId factor = number(c, -1 / (2 * (r / 3) * (r / 3)));
    ValueId square = mul(c, x, x);
    ValueId exponent = mul(c, square, factor);
    return make_unary(c, OP_EXP, exponent);
}

static ValueId triangle(Import *c, ValueId x, double r) {
    (void)r;
    ValueId one = number(c, 1);
    return sub(c, one, x);
}

/* 1 up to a half, a half at it, then 0 */
static ValueId box(Import *c, ValueId x, double r) {
    (void)r;
    ValueId half = number(c, 0.5);
    ValueId one = number(c, 1);
    ValueId zero = number(c, 0);
    ValueId at = make_binary(c, OP_EQ, x, half);
    ValueId rest = make_select(c, at, half, zero);
    return where_below(c, x, 0.5, one, rest);
}

/* Kernels by name: how far they reach, and their value at a distance within that. */
static const struct {
    const char *name;
    double radius;
    ValueId (*value)(Import *, ValueId, double);
} kernels[] = {
    {"lanczos1", 1, lanczos}, {"lanczos3", 3, lanczos},  {"lanczos5", 5, lanczos}, {"gaussian", 1.5, gaussian},
    {"box", 1, box},          {"triangle", 1, triangle}, {"keyscubic", 2, keys},   {"mitchellcubic", 2, mitchell},
};

/* Weights [out, in] along one axis; scale and translation are f32 scalars. */
static ValueId weights(Import *c, size_t kernel, Dim n_in, Dim n_out, ValueId scale, ValueId translation,
                       bool antialias) {
    double radius = kernels[kernel].radius;
    Shape rows = {.rank = 2, .dims = {n_out, dim_const(1)}};
    Shape columns = {.rank = 2, .dims = {dim_const(1), n_in}};
    ValueId half = number(c, 0.5);
    ValueId one = number(c, 1);
    ValueId zero = number(c, 0);
    ValueId inverse = divide(c, one, scale);
    ValueId shift = mul(c, inverse, translation);
    ValueId reach = antialias ? make_binary(c, OP_MAX, inverse, one) : one;
    ValueId out = make_iota(c, &rows, 0, DTYPE_F32);
    out = add(c, out, half);
    ValueId sample = mul(c, out, inverse);
    sample = sub(c, sample, shift);
    /* the sources within reach: first..last, which stay inside of the image */
    ValueId size = make_dims(c, DTYPE_S64, 0, 1, &n_in);
    size = make_cast(c, size, DTYPE_F32);
    ValueId end = sub(c, size, one);
    ValueId wide = number(c, radius);
    wide = mul(c, wide, reach);
    ValueId first = sub(c, sample, wide);
    first = sub(c, first, half);
    first = make_unary(c, OP_CEIL, first);
    first = make_binary(c, OP_MIN, first, end);
    first = make_binary(c, OP_MAX, first, zero);
    ValueId last = add(c, sample, wide);
    last = sub(c, last, half);
    last = make_unary(c, OP_FLOOR, last);
    last = make_binary(c, OP_MIN, last, end);
    last = make_binary(c, OP_MAX, last, zero);
    ValueId source = make_iota(c, &columns, 1, DTYPE_F32);
    ValueId not_before = make_binary(c, OP_GE, source, first);
    ValueId not_after = make_binary(c, OP_LE, source, last);
    ValueId within = make_binary(c, OP_AND, not_before, not_after);
    ValueId centre = add(c, source, half);
    ValueId distance = sub(c, centre, sample);
    distance = divide(c, distance, reach);
    distance = make_unary(c, OP_ABS, distance);
    ValueId value = kernels[kernel].value(c, distance, radius);
    ValueId limit = number(c, radius);
    ValueId in_reach = make_binary(c, OP_LT, distance, limit);
    value = make_select(c, in_reach, value, zero);
    value = make_select(c, within, value, zero);
    int64_t axis = 1;
    ValueId sum = make_reduce(c, value, "sum", 1, &axis, true);
    ValueId magnitude = make_unary(c, OP_ABS, sum);
    ValueId tiny = number(c, 1000.0 * FLT_MIN);
    ValueId usable = make_binary(c, OP_GE, magnitude, tiny);
    ValueId divisor = make_select(c, usable, sum, one);
    value = divide(c, value, divisor);
    /* samples outside of the image are zero */
    ValueId before = make_binary(c, OP_LT, sample, zero);
    ValueId after = make_binary(c, OP_GT, sample, size);
    ValueId outside = make_binary(c, OP_OR, before, after);
    return make_select(c, outside, zero, value);
}

/* (images [N,H,W,C], size, scale, translation), the last three for height and width */
bool import_scale_and_translate(Import *c) {
    const char *name = attr_s(c, "kernel_type", "lanczos3");
    size_t kernel = 0;
    Dim size[2];
    int n = 0;
    while (kernel < ARRAY_LEN(kernels) && strcmp(kernels[kernel].name, name) != 0) kernel++;
    if (kernel == ARRAY_LEN(kernels)) return unsupported(c, "kernel '%s' is not known", name);
    if (!load_content(c, c->in[1], 0, size, &n, 2, "the size")) return false;
    if (n != 2 || rank_of(c, c->in[0]) != 4 || !dim_is(dim_of(c, c->in[2], 0), 2) || !dim_is(dim_of(c, c->in[3], 0), 2))
        return bad(c, "needs images of rank 4, and two sizes, scales and translations");
    bool antialias = attr_i(c, "antialias", 1) != 0;
    Shape s = shape_copy(c, c->in[0]);
    ValueId matrix[2];
    for (int i = 0; i < 2; i++) {
        ValueId scale = make_index(c, c->in[2], 0, dim_const(i));
        ValueId translation = make_index(c, c->in[3], 0, dim_const(i));
        matrix[i] = weights(c, kernel, s.dims[i + 1], size[i], scale, translation, antialias);
    }
    ValueId x = make_cast(c, c->in[0], DTYPE_F32);
    Shape lines = {.rank = 3, .dims = {s.dims[0], s.dims[1], d_mul(c, s.dims[2], s.dims[3])}};
    x = make_reshape(c, x, &lines);
    x = make_matmul(c, matrix[0], x, false, false);
    Shape columns = {.rank = 3, .dims = {d_mul(c, s.dims[0], size[0]), s.dims[2], s.dims[3]}};
    x = make_reshape(c, x, &columns);
    x = make_matmul(c, matrix[1], x, false, false);
    Shape out = {.rank = 4, .dims = {s.dims[0], size[0], size[1], s.dims[3]}};
    return give(c, make_reshape(c, x, &out));
}
