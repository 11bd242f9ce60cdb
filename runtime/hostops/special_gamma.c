/* Regularised incomplete gamma functions, in the element type: where arguments are huge the answer is rounding and
   where the sums are given up, and TensorFlow's is what is asked for. So are its steps: 2,000 terms at most, and
   nothing where the density vanishes or is no number. */
#include "hostops/special.h"
#include <float.h>
#include <math.h>

enum { MOST_TERMS = 2000, MOST_TERMS_OF_DERIVATIVE = 500, MOST_TERMS_OF_DERIVATIVEf = 200 };

/* density: x^a exp(-x) / gamma(a). series: the lower function, for x <= a. fraction: the upper one, by the convergents
   of its continued fraction, which are scaled down before they overflow. */
#define INCOMPLETE_GAMMA(REAL, suffix, LARGEST, EPSILON)                                                               \
    static REAL density##suffix(REAL a, REAL x) {                                                                      \
        int sign;                                                                                                      \
        const REAL power = a * log##suffix(x) - x - lgamma##suffix##_r(a, &sign);                                      \
        return power < -log##suffix(LARGEST) || isnan(power) ? 0 : exp##suffix(power);                                 \
    }                                                                                                                  \
    static REAL series##suffix(REAL a, REAL x) {                                                                       \
        const REAL scale = density##suffix(a, x) / a;                                                                  \
        REAL below = a, term = 1, sum = 1;                                                                             \
        for (int i = 0; i < MOST_TERMS && scale != 0; i++) {                                                           \
            below += 1;                                                                                                \
            term *= x / below;                                                                                         \
            sum += term;                                                                                               \
            if (term <= EPSILON / 2 * sum) break;                                                                      \
        }                                                                                                              \
        return scale == 0 ? 0 : sum * scale;                                                                           \
    }                                                                                                                  \
    static REAL fraction##suffix(REAL a, REAL x) {                                                                     \
        const REAL scale = isinf(x) ? 0 : density##suffix(a, x), most = 1 / EPSILON;                                   \
        REAL y = 1 - a, z = x + y + 1, c = 0;                                                                          \
        REAL top[2] = {1, x + 1}, bottom[2] = {x, z * x}, value = top[1] / bottom[1];                                  \
        for (int i = 0; i < MOST_TERMS && scale != 0; i++) {                                                           \
            c += 1, y += 1, z += 2;                                                                                    \
            const REAL step = y * c, p = top[1] * z - top[0] * step, q = bottom[1] * z - bottom[0] * step,             \
                       before = value;                                                                                 \
            if (q != 0) {                                                                                              \
                value = p / q;                                                                                         \
                if (fabs##suffix(before - value) <= EPSILON / 2 * fabs##suffix(value)) break;                          \
            }                                                                                                          \
            top[0] = top[1], top[1] = p, bottom[0] = bottom[1], bottom[1] = q;                                         \
            if (fabs##suffix(p) <= most) continue;                                                                     \
            for (int k = 0; k < 2; k++) top[k] *= EPSILON, bottom[k] *= EPSILON;                                       \
        }                                                                                                              \
        return scale == 0 ? 0 : value * scale;                                                                         \
    }                                                                                                                  \
    static REAL lower##suffix(REAL a, REAL x) {                                                                        \
        if (x == 0) return 0; /* whatever a is */                                                                      \
        if (!(x >= 0) || !(a > 0)) return NAN;                                                                         \
        return x > 1 && x > a ? 1 - fraction##suffix(a, x) : series##suffix(a, x);                                     \
    }                                                                                                                  \
    static REAL upper##suffix(REAL a, REAL x) {                                                                        \
        if (!(x >= 0) || !(a > 0)) return NAN;                                                                         \
        return x < 1 || x < a ? 1 - series##suffix(a, x) : fraction##suffix(a, x);                                     \
    }                                                                                                                  \
    /* Of the lower function by a: the same sums, term by term with their derivatives. */                              \
    static REAL series_by_a##suffix(REAL a, REAL x) {                                                                  \
        const REAL scale = density##suffix(a, x) / a;                                                                  \
        REAL below = a, term = 1, sum = 1, term_by_a = 0, sum_by_a = 0;                                                \
        if (scale == 0) return 0;                                                                                      \
        for (int i = 0; i < MOST_TERMS_OF_DERIVATIVE##suffix; i++) {                                                   \
            below += 1;                                                                                                \
            term_by_a = x / below * term_by_a - x / (below * below) * term;                                            \
            sum_by_a += term_by_a;                                                                                     \
            term *= x / below;                                                                                         \
            sum += term;                                                                                               \
            if (fabs##suffix(term_by_a) <= EPSILON / 2 * fabs##suffix(sum_by_a)) break;                                \
        }                                                                                                              \
        return sum * scale * (log##suffix(x) - (REAL)tfopt_digamma((double)a + 1)) + sum_by_a * scale;                 \
    }                                                                                                                  \
    static REAL fraction_by_a##suffix(REAL a, REAL x) {                                                                \
        const REAL scale = isinf(x) ? 0 : density##suffix(a, x), most = 1 / EPSILON;                                   \
        REAL y = 1 - a, z = x + y + 1, c = 0;                                                                          \
        REAL top[2] = {1, x + 1}, bottom[2] = {x, z * x}, value = top[1] / bottom[1];                                  \
        REAL top_by_a[2] = {0, 0}, bottom_by_a[2] = {0, -x}, by_a = value * x / bottom[1];                             \
        if (scale == 0) return 0;                                                                                      \
        for (int i = 0; i < MOST_TERMS_OF_DERIVATIVE##suffix; i++) {                                                   \
            c += 1, y += 1, z += 2;                                                                                    \
            const REAL step = y * c, p = top[1] * z - top[0] * step, q = bottom[1] * z - bottom[0] * step,             \
                       dp = top_by_a[1] * z - top[1] - top_by_a[0] * step + top[0] * c,                                \
                       dq = bottom_by_a[1] * z - bottom[1] - bottom_by_a[0] * step + bottom[0] * c, before = by_a;     \
            if (q != 0) {                                                                                              \
                value = p / q;                                                                                         \
                by_a = (dp - value * dq) / q;                                                                          \
                if (fabs##suffix(by_a - before) <= EPSILON / 2) break;                                                 \
            }                                                                                                          \
            top[0] = top[1], top[1] = p, bottom[0] = bottom[1], bottom[1] = q;                                         \
            top_by_a[0] = top_by_a[1], top_by_a[1] = dp, bottom_by_a[0] = bottom_by_a[1], bottom_by_a[1] = dq;         \
            if (fabs##suffix(p) <= most) continue;                                                                     \
            for (int k = 0; k < 2; k++)                                                                                \
                top[k] *= EPSILON, bottom[k] *= EPSILON, top_by_a[k] *= EPSILON, bottom_by_a[k] *= EPSILON;            \
        }                                                                                                              \
        return value * scale * (log##suffix(x) - (REAL)tfopt_digamma((double)a)) + by_a * scale;                       \
    }                                                                                                                  \
    static REAL lower_by_a##suffix(REAL a, REAL x) {                                                                   \
        if (x == 0) return 0;                                                                                          \
        if (!(x >= 0) || !(a > 0)) return NAN;                                                                         \
        return x > 1 && x > a ? -fraction_by_a##suffix(a, x) : series_by_a##suffix(a, x);                              \
    }
INCOMPLETE_GAMMA(double, , DBL_MAX, DBL_EPSILON)
INCOMPLETE_GAMMA(float, f, FLT_MAX, FLT_EPSILON)

static double lower_f32(double a, double x) {
    return (double)lowerf((float)a, (float)x);
}
static double upper_f32(double a, double x) {
    return (double)upperf((float)a, (float)x);
}
static double lower_by_a_f32(double a, double x) {
    return (double)lower_by_af((float)a, (float)x);
}

int32_t tfopt_host_igamma(TfoptHostCall *call) {
    return tfopt_special2(call, call->inputs[0].dtype == TFOPT_F64 ? lower : lower_f32);
}
int32_t tfopt_host_igammac(TfoptHostCall *call) {
    return tfopt_special2(call, call->inputs[0].dtype == TFOPT_F64 ? upper : upper_f32);
}
int32_t tfopt_host_igamma_gradient(TfoptHostCall *call) {
    return tfopt_special2(call, call->inputs[0].dtype == TFOPT_F64 ? lower_by_a : lower_by_a_f32);
}
