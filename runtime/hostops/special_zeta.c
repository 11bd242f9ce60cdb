/* Hurwitz zeta and polygamma, in the element type: next to poles, where terms cancel, and where factors overflow or
   vanish the answer is how TensorFlow rounds. */
#include "hostops/special.h"
#include <float.h>
#include <math.h>

static const double bernoulli[] = {12.0,
                                   -720.0,
                                   30240.0,
                                   -1209600.0,
                                   47900160.0,
                                   -1.8924375803183791606e9,
                                   7.47242496e10,
                                   -2.950130727918164224e12,
                                   1.1646782814350067249e14,
                                   -4.5979787224074726105e15,
                                   1.8152105401943546773e17,
                                   -7.1661652561756670113e18};

/* By Euler-Maclaurin: nine terms at least, in f64 up to 9; then twelve of the series with Bernoulli's numbers.
   polygamma is ±n! zeta(n + 1, x); a zeta that is subnormal counts as nothing. */
#define ZETA(REAL, suffix, EPSILON, SMALLEST, FIRST)                                                                   \
    static REAL zeta##suffix(REAL s, REAL q) {                                                                         \
        if (s == 1) return INFINITY;                                                                                   \
        if (!(s >= 1) || isnan(q)) return NAN;                                                                         \
        if (q <= 0) {                                                                                                  \
            if (q == floor##suffix(q)) return fmod##suffix(s, 2) == 0 || isinf(s) ? INFINITY : NAN;                    \
            if (s != floor##suffix(s)) return NAN;                                                                     \
        }                                                                                                              \
        if (isinf(q)) return 0;                                                                                        \
        REAL sum = pow##suffix(q, -s), a = q, term = 0;                                                                \
        for (int i = 0; i < 9 || a <= (FIRST); i++) {                                                                  \
            a += 1;                                                                                                    \
            term = pow##suffix(a, -s);                                                                                 \
            sum += term;                                                                                               \
            if (fabs##suffix(term / sum) < (EPSILON) / 2) return sum;                                                  \
        }                                                                                                              \
        if (sum == 0) return 0; /* the order is infinite */                                                            \
        sum += term * a / (s - 1) - (REAL)0.5 * term;                                                                  \
        REAL factor = 1, k = 0;                                                                                        \
        for (int i = 0; i < 12; i++) {                                                                                 \
            factor *= s + k;                                                                                           \
            term /= a;                                                                                                 \
            const REAL t = factor * term / (REAL)bernoulli[i];                                                         \
            sum += t;                                                                                                  \
            if (fabs##suffix(t / sum) < (EPSILON) / 2) break;                                                          \
            factor *= s + k + 1;                                                                                       \
            term /= a;                                                                                                 \
            k += 2;                                                                                                    \
        }                                                                                                              \
        return sum;                                                                                                    \
    }                                                                                                                  \
    static REAL polygamma##suffix(REAL n, REAL x) {                                                                    \
        int sign;                                                                                                      \
        if (n != floor##suffix(n) || n < 0) return NAN;                                                                \
        if (n == 0) return (REAL)tfopt_digamma((double)x);                                                             \
        const REAL order = n + 1, value = zeta##suffix(order, x); /* order: n itself where n is huge */                \
        const REAL factorial = exp##suffix(lgamma##suffix##_r(order, &sign));                                          \
        return (fmod##suffix(order, 2) == 0 || isinf(order) ? 1 : -1) * factorial *                                    \
               (fabs##suffix(value) < (SMALLEST) ? 0 : value);                                                         \
    }
ZETA(double, , DBL_EPSILON, DBL_MIN, 9)
ZETA(float, f, FLT_EPSILON, FLT_MIN, -INFINITY)

static double zeta_f32(double s, double q) {
    return (double)zetaf((float)s, (float)q);
}
static double polygamma_f32(double n, double x) {
    return (double)polygammaf((float)n, (float)x);
}

int32_t tfopt_host_zeta(TfoptHostCall *call) {
    return tfopt_special2(call, call->inputs[0].dtype == TFOPT_F64 ? zeta : zeta_f32);
}
int32_t tfopt_host_polygamma(TfoptHostCall *call) {
    return tfopt_special2(call, call->inputs[0].dtype == TFOPT_F64 ? polygamma : polygamma_f32);
}
