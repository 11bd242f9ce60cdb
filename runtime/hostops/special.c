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
    if (t->dtype == TFOPT_F32) {
        const float *x = t->data;
        float *out = call->outputs[0].data;
        for (int64_t i = 0; i < n; i++) out[i] = (float)f((double)x[i]);
        return TFOPT_OK;
    }
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

/* Wichura's rational approximations (AS 241), exact to about 1e-16: q is p - 1/2, tail the smaller of p and 1 - p.
 * Highest power first. */
static double rational(double x, const double *numerator, const double *denominator) {
    double n = numerator[0], d = denominator[0];
    for (int i = 1; i < 8; i++) {
        n = n * x + numerator[i];
        d = d * x + denominator[i];
    }
    return n / d;
}

static double normal_quantile(double q, double tail) {
    static const double middle[2][8] = {
        {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4, 4.5921953931549871457e+4,
         1.3731693765509461125e+4, 1.9715909503065514427e+3, 1.3314166789178437745e+2, 3.3871328727963666080e+0},
        {5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
         5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1}};
    static const double near[2][8] = {
        {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e+0,
         3.64784832476320460504e+0, 5.76949722146069140550e+0, 4.63033784615654529590e+0, 1.42343711074968357734e+0},
        {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
         6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1}};
    static const double far[2][8] = {
        {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
         2.96560571828504891230e-1, 1.78482653991729133580e+0, 5.46378491116411436990e+0, 6.65790464350110377720e+0},
        {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
         1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1}};
    if (fabs(q) <= 0.425) return q * rational(0.180625 - q * q, middle[0], middle[1]);
    const double r = sqrt(-log(tail));
    const double x = r <= 5 ? rational(r - 1.6, near[0], near[1]) : rational(r - 5, far[0], far[1]);
    return copysign(x, q);
}

static double ndtri(double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    if (p == 1) return INFINITY;
    return normal_quantile(p - 0.5, p < 0.5 ? p : 1 - p);
}

static double erfinv(double y) {
    if (!(y >= -1 && y <= 1)) return NAN;
    if (fabs(y) == 1) return copysign(INFINITY, y);
    return normal_quantile(y / 2, (1 - fabs(y)) / 2) / sqrt(2);
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
