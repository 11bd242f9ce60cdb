/* Bessel functions, in double: J and Y are the C library's; I by its power series and, for large arguments, its
   asymptotic one; K by the trapezoidal rule on its integral, which converges exponentially. The "e" forms are scaled by
   exp(-|x|) or exp(x). */
#include "hostops/special.h"
#include <math.h>

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

/* What TensorFlow gives at the edges: NaN at infinity, minus infinity left of 0. */
static double bessel_j0(double x) {
    return isinf(x) ? NAN : j0(x);
}
static double bessel_j1(double x) {
    return isinf(x) ? NAN : j1(x);
}
static double bessel_y0(double x) {
    return isnan(x) ? x : x <= 0 ? -INFINITY : isinf(x) ? NAN : y0(x);
}
static double bessel_y1(double x) {
    return isnan(x) ? x : x == 0 ? NAN : x < 0 ? -INFINITY : isinf(x) ? NAN : y1(x);
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
    return tfopt_special1(call, bessel_j0);
}
int32_t tfopt_host_bessel_j1(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_j1);
}
int32_t tfopt_host_bessel_y0(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_y0);
}
int32_t tfopt_host_bessel_y1(TfoptHostCall *call) {
    return tfopt_special1(call, bessel_y1);
}
