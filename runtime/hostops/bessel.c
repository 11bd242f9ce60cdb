/* Bessel functions. In double, J and Y are the C library's; I by its power series and, for large arguments, its
   asymptotic one; K by the trapezoidal rule on its integral, which converges exponentially. The "e" forms are scaled by
   exp(-|x|) or exp(x). J and Y of f32, f16 and bf16 are computed in f32 by the single-precision approximations of
   Cephes, as TensorFlow's are: their phase is rounded to f32, so near a zero or far out nothing else gives the same
   numbers. */
#include "hostops/special.h"
#include <math.h>

/* ---- J and Y in single precision */

/* Horner's scheme, highest power first. */
static float polynomial(float x, const float *coefficients, int degree) {
    float y = coefficients[0];
    for (int i = 1; i <= degree; i++) y = y * x + coefficients[i];
    return y;
}

/* Beyond 2: modulus(1/x) / sqrt(x) times the cosine (J) or sine (Y) of x + phase(1/x^2) / x - shift. */
typedef struct {
    float modulus[8], phase[8], shift;
} Asymptote;

static const Asymptote order0 = {
    {-6.838999669318810E-2f, 1.864949361379502E-1f, -2.145007480346739E-1f, 1.197549369473540E-1f,
     -3.560281861530129E-3f, -4.969382655296620E-2f, -3.355424622293709E-6f, 7.978845717621440E-1f},
    {3.242077816988247E+1f, -3.630592630518434E+1f, 1.756221482109099E+1f, -4.974978466280903E+0f,
     1.001973420681837E+0f, -1.939906941791308E-1f, 6.490598792654666E-2f, -1.249992184872738E-1f},
    -0.7853981633974483096f};
static const Asymptote order1 = {
    {6.913942741265801E-2f, -2.284801500053359E-1f, 3.138238455499697E-1f, -2.102302420403875E-1f,
     5.435364690523026E-3f, 1.493389585089498E-1f, 4.976029650847191E-6f, 7.978845453073848E-1f},
    {-4.497014141919556E+1f, 5.073465654089319E+1f, -2.485774108720340E+1f, 7.222973196770240E+0f,
     -1.544842782180211E+0f, 3.503787691653334E-1f, -1.637986776941202E-1f, 3.749989509080821E-1f},
    -2.35619449019234492885f};

static float asymptotic(float x, const Asymptote *a, float (*wave)(float)) {
    const float q = 1 / x;
    const float modulus = 1 / sqrtf(x) * polynomial(q, a->modulus, 7);
    const float shift = q * polynomial(q * q, a->phase, 7) + a->shift;
    return modulus * wave(shift + x);
}

static const float TWO_OVER_PI = 0.636619772367581343f;

static float bessel_j0_single(float x) {
    static const float p[5] = {-6.068350350393235E-8f, 6.388945720783375E-6f, -3.969646342510940E-4f,
                               1.332913422519003E-2f, -1.729150680240724E-1f};
    const float y = fabsf(x), z = y * y;
    if (y < 1e-3f) return z * -0.25f + 1;
    return y <= 2 ? (z - 5.78318596294678452118f) * polynomial(z, p, 4) : asymptotic(y, &order0, cosf);
}

static float bessel_j1_single(float x) {
    static const float p[5] = {-4.878788132172128E-9f, 6.009061827883699E-7f, -4.541343896997497E-5f,
                               1.937383947804541E-3f, -3.405537384615824E-2f};
    const float y = fabsf(x), z = y * y;
    if (y <= 2) return (z - 1.46819706421238932572E1f) * (x * polynomial(z, p, 4));
    const float v = asymptotic(y, &order1, cosf);
    return x < 0 ? -v : v;
}

static float bessel_y0_single(float x) {
    static const float p[5] = {9.454583683980369E-8f, -9.413212653797057E-6f, 5.344486707214273E-4f,
                               -1.584289289821316E-2f, 1.707584643733568E-1f};
    const float z = x * x;
    if (x <= 0) return -INFINITY;
    if (!(x <= 2)) return asymptotic(x, &order0, sinf);
    return (z - 0.43221455686510834878f) * polynomial(z, p, 4) + TWO_OVER_PI * (logf(x) * bessel_j0_single(x));
}

static float bessel_y1_single(float x) {
    static const float p[5] = {8.061978323326852E-9f, -9.496460629917016E-7f, 6.719543806674249E-5f,
                               -2.641785726447862E-3f, 4.202369946500099E-2f};
    const float z = x * x;
    if (x < 0) return -INFINITY;
    if (!(x <= 2)) return asymptotic(x, &order1, sinf);
    const float singular = bessel_j1_single(x) * logf(x) + -1 / x;
    return (z - 4.66539330185668857532f) * polynomial(z, p, 4) * x + TWO_OVER_PI * singular;
}

/* In the precision that TensorFlow computes the type in. */
static int32_t by_precision(TfoptHostCall *call, double (*wide)(double), float (*single)(float)) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->dtype == TFOPT_F64) return tfopt_special1(call, wide);
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++)
        tfopt_set_real(&call->outputs[0], i, (double)single((float)tfopt_real_at(t, i)));
    return TFOPT_OK;
}

/* ---- in double precision */

/* exp(-|x|) I_n(x) for x >= 0. */
static double scaled_i(int n, double x) {
    if (isnan(x)) return x;
    if (isinf(x)) return 0;
    if (x < 30) {
        double term = n ? x / 2 : 1, sum = term;
        for (int k = 1; k < 200; k++) {
            term *= x / 2 * (x / 2) / ((double)k * (double)(k + n));
            sum += term;
            if (term < sum * 1e-18) break;
        }
        return sum * exp(-x);
    }
    double term = 1, sum = 1;
    for (int k = 1; k < 60; k++) {
        const double odd = 2 * k - 1;
        const double next = -term * (4.0 * n * n - odd * odd) / (8 * x * k);
        if (fabs(next) > fabs(term)) break;
        term = next;
        sum += term;
        if (fabs(term) < 1e-18) break;
    }
    return sum / sqrt(2 * 3.14159265358979323846 * x);
}

/* exp(x) K_n(x). */
static double scaled_k(int n, double x) {
    if (isnan(x)) return x;
    if (x <= 0) return INFINITY; /* TensorFlow's answer left of 0 as well */
    if (isinf(x)) return 0;
    if (x > 30) {
        double term = 1, total = 1;
        for (int k = 1; k < 60 && fabs(term) > 1e-18; k++) {
            term *= (4.0 * n * n - (2.0 * k - 1) * (2.0 * k - 1)) / (8 * x * k);
            total += term;
        }
        return total * sqrt(3.14159265358979323846 / (2 * x));
    }
    const double h = 1.0 / 16;
    double sum = 0.5;
    for (int i = 1; i < 20000; i++) {
        const double t = h * i, half = sinh(t / 2);
        const double v = exp(-2 * x * half * half) * (n ? cosh(t) : 1);
        sum += v;
        if (v < sum * 1e-18) break;
    }
    return sum * h;
}

/* J (shift by a quarter turn) and Y (by three) of order n far out, with the phase rounded to double as TensorFlow's is:
   Hankel's expansion, of which two terms are exact to the last place from 1e5 on. */
static const double FAR = 1e5;
static double far_out(int n, double x, bool second_kind) {
    const double mu = 4.0 * n * n, z = 8 * x, phase = x + (n ? -2.35619449019234492885 : -0.7853981633974483096);
    const double p = 1 - (mu - 1) * (mu - 9) / (2 * z * z), q = (mu - 1) / z;
    const double wave = second_kind ? p * sin(phase) + q * cos(phase) : p * cos(phase) - q * sin(phase);
    return wave * (7.9788456080286535588e-1 / sqrt(x));
}

/* What TensorFlow gives at the edges: NaN at infinity, minus infinity left of 0. */
static double bessel_j0(double x) {
    return isinf(x) ? NAN : fabs(x) > FAR ? far_out(0, fabs(x), false) : j0(x);
}
static double bessel_j1(double x) {
    return isinf(x) ? NAN : fabs(x) > FAR ? copysign(1, x) * far_out(1, fabs(x), false) : j1(x);
}
static double bessel_y0(double x) {
    return isnan(x) ? x : x <= 0 ? -INFINITY : isinf(x) ? NAN : x > FAR ? far_out(0, x, true) : y0(x);
}
static double bessel_y1(double x) {
    return isnan(x) ? x : x <= 0 ? -INFINITY : isinf(x) ? NAN : x > FAR ? far_out(1, x, true) : y1(x);
}
static double bessel_i0e(double x) {
    return scaled_i(0, fabs(x));
}
static double bessel_i0(double x) {
    return scaled_i(0, fabs(x)) * exp(fabs(x));
}
static double bessel_i1e(double x) {
    return copysign(scaled_i(1, fabs(x)), x);
}
static double bessel_i1(double x) {
    return copysign(scaled_i(1, fabs(x)) * exp(fabs(x)), x);
}
static double bessel_k0e(double x) {
    return scaled_k(0, x);
}
static double bessel_k0(double x) {
    return x <= 0 ? INFINITY : scaled_k(0, x) * exp(-x);
}
static double bessel_k1e(double x) {
    return scaled_k(1, x);
}
static double bessel_k1(double x) {
    return x <= 0 ? INFINITY : scaled_k(1, x) * exp(-x);
}

int32_t tfopt_host_bessel_i0(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_i0);
}
int32_t tfopt_host_bessel_i0e(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_i0e);
}
int32_t tfopt_host_bessel_i1(TfoptHostCall *call) {
    return tfopt_special_growing(call, bessel_i1);
}
int32_t tfopt_host_bessel_i1e(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_i1e);
}
int32_t tfopt_host_bessel_k0(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_k0);
}
int32_t tfopt_host_bessel_k0e(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_k0e);
}
int32_t tfopt_host_bessel_k1(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_k1);
}
int32_t tfopt_host_bessel_k1e(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_k1e);
}
int32_t tfopt_host_bessel_j0(TfoptHostCall *call) {
    return by_precision(call, bessel_j0, bessel_j0_single);
}
int32_t tfopt_host_bessel_j1(TfoptHostCall *call) {
    return by_precision(call, bessel_j1, bessel_j1_single);
}
int32_t tfopt_host_bessel_y0(TfoptHostCall *call) {
    return by_precision(call, bessel_y0, bessel_y0_single);
}
int32_t tfopt_host_bessel_y1(TfoptHostCall *call) {
    return by_precision(call, bessel_y1, bessel_y1_single);
}
