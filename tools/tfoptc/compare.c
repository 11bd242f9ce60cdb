/* Compare: got against want by one rule for every command: floats and complex numbers within atol + rtol * (largest
   finite |want|), NaN matches NaN, infinities by sign; everything else equal. */
#include "commands.h"

#include <math.h>
#include <string.h>

static double component(const Tensor *t, int64_t i, int part) {
    switch (t->dtype) {
    case DTYPE_C64:
        return (double)((const float *)t->data)[2 * i + part];
    case DTYPE_C128:
        return ((const double *)t->data)[2 * i + part];
    default:
        return tensor_get_f64(t, i);
    }
}

static bool strings_equal(const Tensor *a, const Tensor *b, int64_t i) {
    const StringElement *x = (const StringElement *)a->data + i, *y = (const StringElement *)b->data + i;
    return x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
}

Comparison compare_tensors(const Tensor *got, const Tensor *want, double rtol, double atol) {
    Comparison c = {.worst = -1};
    c.same_type = got->dtype == want->dtype && got->rank == want->rank;
    for (int i = 0; c.same_type && i < got->rank; i++) c.same_type = got->dims[i] == want->dims[i];
    if (!c.same_type) return c;
    int64_t n = tensor_count(want);
    DTypeClass class_ = dtype_info(want->dtype)->class_;
    bool real = class_ == CLASS_FLOAT || class_ == CLASS_COMPLEX;
    int parts = class_ == CLASS_COMPLEX ? 2 : 1;
    for (int64_t i = 0; real && i < n; i++)
        for (int part = 0; part < parts; part++) {
            double w = fabs(component(want, i, part));
            if (isfinite(w) && w > c.max_want) c.max_want = w;
        }
    c.limit = real ? atol + rtol * c.max_want : 0;
    c.ok = true;
    double worst = -1;
    for (int64_t i = 0; i < n; i++) {
        for (int part = 0; part < parts; part++) {
            double difference = 0;
            if (class_ == CLASS_BYTES) {
                difference = strings_equal(got, want, i) ? 0 : INFINITY;
            } else if (real) {
                double g = component(got, i, part), w = component(want, i, part);
                if (isnan(g) || isnan(w))
                    difference = isnan(g) && isnan(w) ? 0 : INFINITY;
                else if (isinf(g) || isinf(w))
                    difference = g == w ? 0 : INFINITY;
                else
                    difference = fabs(g - w);
            } else if (tensor_get_i64(got, i) != tensor_get_i64(want, i)) {
                difference = fabs((double)tensor_get_i64(got, i) - (double)tensor_get_i64(want, i));
                if (difference == 0) difference = 1;
            }
            if (difference > c.max_difference) c.max_difference = difference;
            if (difference > worst) {
                worst = difference;
                c.worst = i;
            }
        }
    }
    c.ok = c.max_difference <= c.limit;
    return c;
}
