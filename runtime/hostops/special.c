/* Special functions in double precision: gamma and beta families, error function inverses, integrals. Each by a series
   where that converges fast and a continued fraction or asymptotic series elsewhere; results are rounded once to the
   element type. */
#include "hostops/special.h"
#include "hostops/broadcast.h"
#include "hostops/complex.h"
#include <math.h>

static const double PI = 3.14159265358979323846, EULER = 0.57721566490153286061, TINY = 1e-300;

int32_t tfopt_special1(TfoptHostCall *call, double (*f)(double)) {
    const TfoptTensor *t = &call->inputs[0];
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0; i < n; i++) tfopt_set_real(&call->outputs[0], i, f(tfopt_real_at(t, i)));
    return TFOPT_OK;
}

int32_t tfopt_special_growing(TfoptHostCall *call, double (*f)(double)) {
    const TfoptTensor *t = &call->inputs[0];
    const int32_t status = tfopt_special1(call, f);
    if (status != TFOPT_OK || t->dtype != TFOPT_F32) return status;
    float *out = call->outputs[0].data;
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        if (isinf(expf(fabsf(((const float *)t->data)[i]))) && isfinite(out[i])) out[i] = copysignf(INFINITY, out[i]);
    }
    return TFOPT_OK;
}

int32_t tfopt_special2(TfoptHostCall *call, double (*f)(double, double)) {
    TfoptBroadcast b;
    if (!tfopt_broadcast_init(&b, call->inputs, 2)) return tfopt_invalid(call, "shapes do not broadcast");
    if (!tfopt_host_output(call, 0, b.rank, b.dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b))
        tfopt_set_real(&call->outputs[0], i,
                       f(tfopt_real_at(&call->inputs[0], b.at[0]), tfopt_real_at(&call->inputs[1], b.at[1])));
    return TFOPT_OK;
}

/* ---- gamma family */

static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

double tfopt_digamma(double x) {
    double shift = 0;
    if (x <= 0 && floor(x) == x) return NAN;
    if (x < 0) {
        shift = -PI / tan(PI * (x - rint(x)));
        x = 1 - x;
    }
    while (x < 12) {
        shift -= 1 / x;
        x += 1;
    }
    const double z = 1 / (x * x);
    const double series =
        z * (1.0 / 12 -
             z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
    return shift + log(x) - 0.5 / x - series;
}

static double betainc_fraction(double a, double b, double x) {
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < TINY) d = TINY;
    d = 1 / d;
    double h = d;
    for (int m = 1; m < 100000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double parts[2] = {even, odd};
        double step = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + parts[i] * d;
            if (fabs(d) < TINY) d = TINY;
            c = 1 + parts[i] / c;
            if (fabs(c) < TINY) c = TINY;
            d = 1 / d;
            step = d * c;
            h *= step;
        }
        if (fabs(step - 1) < 1e-16) break;
    }
    return h;
}

static double betainc(double a, double b, double x) {
    if (isnan(a) || isnan(b) || isnan(x) || a <= 0 || b <= 0 || x < 0 || x > 1) return NAN;
    if (x == 0 || x == 1) return x;
    const double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * betainc_fraction(a, b, x) / a
                                     : 1 - front * betainc_fraction(b, a, 1 - x) / b;
}

/* ---- inverses of the normal distribution and the error function */

/* A rough start, then Halley steps on erfc, which keeps both tails exact. */
static double ndtri(double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    if (p == 1) return INFINITY;
    const bool upper = p > 0.5;
    const double tail = upper ? 1 - p : p, t = sqrt(-2 * log(tail));
    double x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    for (int i = 0; i < 4; i++) {
        const double density = exp(-x * x / 2) / sqrt(2 * PI);
        if (density == 0) break;
        const double u = (0.5 * erfc(-x / sqrt(2)) - tail) / density;
        x -= u / (1 + x * u / 2);
    }
    return upper ? -x : x;
}

static double erfinv(double y) {
    if (!(y >= -1 && y <= 1)) return NAN;
    if (fabs(y) == 1) return copysign(INFINITY, y);
    const double a = fabs(y);
    double x = a < 0.5 ? a * sqrt(PI) / 2 : -ndtri((1 - a) / 2) / sqrt(2);
    for (int i = 0; i < 5; i++) {
        const double slope = 2 / sqrt(PI) * exp(-x * x);
        const double u = (a < 0.5 ? erf(x) - a : (1 - a) - erfc(x)) / slope;
        x -= u / (1 + x * u);
    }
    return copysign(x, y);
}

/* ---- integrals */

/* Rybicki's sum. */
static double dawson(double x) {
    const double h = 0.2, a = fabs(x);
    if (isnan(x)) return x;
    if (a < 0.2) {
        double term = a, sum = a;
        for (int k = 1; k < 40; k++) {
            term *= -2 * a * a / (2 * k + 1);
            sum += term;
        }
        return copysign(sum, x);
    }
    if (a > 1e7) return copysign(0.5 / a, x);
    const double n0 = 2 * floor(0.5 * a / h + 0.5), rest = a - n0 * h;
    double sum = 0;
    for (int k = 1; k < 80; k += 2) {
        const double up = rest - k * h, down = rest + k * h;
        sum += exp(-up * up) / (n0 + k) + exp(-down * down) / (n0 - k);
    }
    return copysign(sum / sqrt(PI), x);
}

static double expint(double x) {
    if (!(x >= 0) || isinf(x)) return NAN; /* as TensorFlow */
    if (x == 0) return -INFINITY;
    if (x > 1e4) return INFINITY;
    if (x < 40) {
        double term = 1, sum = 0;
        for (int k = 1; k < 500; k++) {
            term *= x / k;
            sum += term / k;
            if (fabs(term / k) < fabs(sum) * 1e-17) break;
        }
        return EULER + log(x) + sum;
    }
    double term = 1, sum = 1;
    for (int k = 1; k < 60 && k < x; k++) {
        term *= k / x;
        sum += term;
    }
    return exp(x) / x * sum;
}

/* C + iS: series, or the continued fraction of the complex error function. */
static double complex fresnel(double x) {
    const double a = fabs(x);
    if (isnan(x)) return CMPLX(x, x);
    if (a > 1e8) return CMPLX(copysign(0.5, x), copysign(0.5, x));
    if (a < 1.5) {
        const double t = PI / 2 * a * a;
        double term = a, c = 0, s = 0;
        for (int k = 0; k < 60; k++) {
            const double part = term / (2 * k + 1) * ((k / 2) % 2 ? -1 : 1);
            if (k % 2)
                s += part;
            else
                c += part;
            term *= t / (k + 1);
        }
        return CMPLX(copysign(c, x), copysign(s, x));
    }
    const double pix2 = PI * a * a;
    double complex b = CMPLX(1, -pix2), cc = 1 / TINY, d = 1 / b, h = d;
    double n = -1;
    for (int k = 2; k < 10000; k++) {
        n += 2;
        const double an = -n * (n + 1);
        b += 4;
        d = 1 / (an * d + b);
        cc = b + an / cc;
        const double complex step = cc * d;
        h *= step;
        if (fabs(creal(step) - 1) + fabs(cimag(step)) < 1e-16) break;
    }
    h *= CMPLX(a, -a);
    const double complex cs = CMPLX(0.5, 0.5) * (1 - CMPLX(cos(pix2 / 2), sin(pix2 / 2)) * h);
    return CMPLX(copysign(creal(cs), x), copysign(cimag(cs), x));
}

static double fresnel_cos(double x) {
    return creal(fresnel(x));
}
static double fresnel_sin(double x) {
    return cimag(fresnel(x));
}

/* Dilogarithm of z <= 0.5 in absolute value by its series. */
static double dilog_series(double z) {
    double power = z, sum = 0;
    for (int k = 1; k < 100; k++) {
        sum += power / ((double)k * k);
        power *= z;
    }
    return sum;
}

/* Li2(1 - x). */
static double spence(double x) {
    if (!(x >= 0) || isinf(x)) return NAN; /* as TensorFlow */
    if (x == 0) return PI * PI / 6;
    if (x < 0.5) return PI * PI / 6 - log(x) * log1p(-x) - dilog_series(x);
    if (x <= 1.5) return dilog_series(1 - x);
    const double l = log(x); /* inversion: Li2(1 - x) + Li2(1 - 1/x) = -log(x)^2 / 2 */
    return -0.5 * l * l - spence(1 / x);
}

int32_t tfopt_host_lgamma(TfoptHostCall *call) {
    return tfopt_special1(call, log_gamma);
}
int32_t tfopt_host_digamma(TfoptHostCall *call) {
    return tfopt_special1(call, tfopt_digamma);
}
int32_t tfopt_host_erfinv(TfoptHostCall *call) {
    return tfopt_special1(call, erfinv);
}
int32_t tfopt_host_ndtri(TfoptHostCall *call) {
    return tfopt_special1(call, ndtri);
}
int32_t tfopt_host_dawsn(TfoptHostCall *call) {
    return tfopt_special1(call, dawson);
}
/* TensorFlow computes these in the element type, or in f32 if that is narrower: next to the end of f32 comes NaN. */
static int32_t nan_at_the_end(TfoptHostCall *call, int32_t status) {
    const TfoptTensor *t = &call->inputs[0];
    if (status != TFOPT_OK || t->dtype == TFOPT_F64) return status;
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        if (tfopt_real_at(t, i) >= 3e38) tfopt_set_real(&call->outputs[0], i, NAN);
    }
    return status;
}

int32_t tfopt_host_expint(TfoptHostCall *call) {
    return nan_at_the_end(call, tfopt_special_growing(call, expint));
}
int32_t tfopt_host_fresnel_cos(TfoptHostCall *call) {
    return tfopt_special1(call, fresnel_cos);
}
int32_t tfopt_host_fresnel_sin(TfoptHostCall *call) {
    return tfopt_special1(call, fresnel_sin);
}
int32_t tfopt_host_spence(TfoptHostCall *call) {
    return nan_at_the_end(call, tfopt_special1(call, spence));
}
int32_t tfopt_host_betainc(TfoptHostCall *call) {
    TfoptBroadcast b;
    const TfoptTensor *in = call->inputs;
    if (!tfopt_broadcast_init(&b, in, 3)) return tfopt_invalid(call, "shapes do not broadcast");
    if (!tfopt_host_output(call, 0, b.rank, b.dims)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < b.count; i++, tfopt_broadcast_next(&b))
        tfopt_set_real(
            &call->outputs[0], i,
            betainc(tfopt_real_at(&in[0], b.at[0]), tfopt_real_at(&in[1], b.at[1]), tfopt_real_at(&in[2], b.at[2])));
    return TFOPT_OK;
}
