/* Random numbers with a parameter each: gamma, Poisson, binomial. Every sample has blocks of the generator to itself,
   and the rejection methods are TensorFlow's step by step: the same seeds give the same samples. */
#include "hostops/random.h"
#include <float.h>
#include <math.h>

/* Numbers from a generator, two at a time, the second one first. */
typedef struct {
    TfoptPhilox philox;
    double uniforms[2], normals[2];
    int n_uniforms, n_normals;
} Source;

static double uniform(Source *s) {
    if (s->n_uniforms == 0) {
        tfopt_philox_uniforms(&s->philox, s->uniforms);
        s->n_uniforms = 2;
    }
    return s->uniforms[--s->n_uniforms];
}

static double normal(Source *s) {
    if (s->n_normals == 0) {
        tfopt_philox_normals(&s->philox, s->normals);
        s->n_normals = 2;
    }
    return s->normals[--s->n_normals];
}

/* No sample takes more turns than its blocks last for: what is rejected that often has NaN for a parameter. */
enum { MAX_TURNS = 100000 };

/* Marsaglia and Tsang; below 1 by way of alpha + 1; at 1 it is exponential. */
static double gamma_sample(Source *s, double alpha) {
    if (alpha == 1) return -log1p(-uniform(s));
    const bool small = alpha < 1;
    const double d = alpha + (small ? 2.0 / 3 : -1.0 / 3), c = 1.0 / 3 / sqrt(d);
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        const double x = normal(s);
        double v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        const double u = uniform(s);
        if (u >= 1 - 0.0331 * (x * x) * (x * x) && log(u) >= 0.5 * x * x + d * (1 - v + log(v))) continue;
        const double r = d * v;
        return small ? r * pow(uniform(s), 1 / alpha) : r;
    }
    return NAN;
}

/* Knuth below 10, else Hörmann's transformed rejection. */
static double poisson_sample(Source *s, double rate, double most) {
    if (!(rate >= 0)) return NAN;
    if (isinf(rate)) return most;
    if (rate < 10) {
        const double limit = exp(-rate);
        double product = 1;
        for (double x = 0; x < (double)MAX_TURNS; x++) {
            product *= uniform(s);
            if (product <= limit && x <= most) return x;
        }
        return NAN;
    }
    const double log_rate = log(rate), b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b,
                 inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        const double u = uniform(s) - 0.5, v = uniform(s), edge = 0.5 - fabs(u),
                     k = floor((2 * a / edge + b) * u + rate + 0.43);
        if (k > most) continue;
        if (edge >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2)) return k;
        if (k < 0 || (edge < 0.013 && v > edge)) continue;
        if (log(v * inverse_alpha / (a / (edge * edge) + b)) <= -rate + k * log_rate - lgamma(k + 1)) return k;
    }
    return NAN;
}

static double stirling_tail(double k) {
    static const double first[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
                                   0.0166446911898211,  0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
                                   0.00925546218271273, 0.00833056343336287};
    if (k <= 9) return first[(int)k];
    const double square = (k + 1) * (k + 1);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

/* Waiting times where few successes are likely, else Hörmann's rejection; p <= 1/2. */
static double binomial_half(Source *s, double count, double p) {
    if (p == 0 || count == 0) return 0;
    if (count * p < 10) {
        double waited = 0;
        for (double successes = 0; successes < (double)MAX_TURNS; successes++) {
            waited += ceil(log(uniform(s)) / log1p(-p));
            if (waited > count) return successes;
        }
        return NAN;
    }
    const double spread = sqrt(count * p * (1 - p)), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p,
                 c = count * p + 0.5, box = 0.92 - 4.2 / b, odds = p / (1 - p), alpha = (2.83 + 5.1 / b) * spread,
                 m = floor((count + 1) * p);
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        const double u = uniform(s) - 0.5, v = uniform(s), edge = 0.5 - fabs(u), k = floor((2 * a / edge + b) * u + c);
        if (edge >= 0.07 && v <= box) return k;
        if (k < 0 || k > count) continue;
        const double bound = (m + 0.5) * log((m + 1) / (odds * (count - m + 1))) +
                             (count + 1) * log((count - m + 1) / (count - k + 1)) +
                             (k + 0.5) * log(odds * (count - k + 1) / (k + 1)) + stirling_tail(m) +
                             stirling_tail(count - m) - stirling_tail(k) - stirling_tail(count - k);
        if (log(v * alpha / (a / (edge * edge) + b)) <= bound) return k;
    }
    return NAN;
}

static double binomial_sample(Source *s, double count, double p) {
    if (!(p >= 0 && p <= 1 && count >= 0 && isfinite(count))) return NAN;
    return p <= 0.5 ? binomial_half(s, count, p) : count - binomial_half(s, count, 1 - p);
}

/* The largest count that the result's type holds. */
static double most_of(int32_t dtype) {
    switch (dtype) {
    case TFOPT_F16:
        return 65504;
    case TFOPT_F32:
        return (double)FLT_MAX;
    case TFOPT_S32:
        return INT32_MAX;
    case TFOPT_S64:
        return 0x1p63 - 1024;
    default:
        return DBL_MAX;
    }
}

static void store(const TfoptTensor *t, int64_t i, double v) {
    if (tfopt_is_float_type(t->dtype))
        tfopt_set_real(t, i, v);
    else
        tfopt_set_int(t, i, isnan(v) ? -1 : (int64_t)v);
}

/* Samples of each parameter lie apart by as many elements as there are parameters. */
static int32_t fill_parameters(TfoptHostCall *call, const TfoptPhilox *p, const TfoptTensor *parameter, bool poisson) {
    const TfoptTensor *out = &call->outputs[0];
    const int64_t n = tfopt_elements(out), parameters = tfopt_elements(parameter);
    if (n == 0) return TFOPT_OK;
    if (parameters == 0 || n % parameters != 0 || parameter->rank > out->rank)
        return tfopt_invalid(call, "shape must end with the shape of the parameters");
    for (int32_t i = 1; i <= parameter->rank; i++) {
        if (parameter->dims[parameter->rank - i] != out->dims[out->rank - i])
            return tfopt_invalid(call, "shape must end with the shape of the parameters");
    }
    const int64_t samples = n / parameters;
    const double most = most_of(out->dtype);
    for (int64_t i = 0; i < n; i++) {
        Source s = {.philox = *p};
        const int64_t of = i / samples;
        const double v = tfopt_real_at(parameter, of);
        tfopt_philox_skip(&s.philox, 256 * (uint64_t)i);
        store(out, i % samples * parameters + of, poisson ? poisson_sample(&s, v, most) : gamma_sample(&s, v));
    }
    return TFOPT_OK;
}

static int32_t stateful_parameters(TfoptHostCall *call, bool poisson) {
    TfoptPhilox p;
    const int32_t status = tfopt_random_output(call, &call->inputs[0], &call->inputs[1]);
    if (status != TFOPT_OK) return status;
    return tfopt_random_stateful(call, &p) ? fill_parameters(call, &p, &call->inputs[1], poisson)
                                           : tfopt_no_memory(call);
}

static int32_t stateless_parameters(TfoptHostCall *call, bool v2, bool poisson) {
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status == TFOPT_OK) status = tfopt_random_stateless(call, v2, &p);
    return status == TFOPT_OK ? fill_parameters(call, &p, &call->inputs[v2 ? 4 : 2], poisson) : status;
}

int32_t tfopt_host_random_gamma(TfoptHostCall *call) {
    return stateful_parameters(call, false);
}
int32_t tfopt_host_random_poisson(TfoptHostCall *call) {
    return stateful_parameters(call, true);
}
int32_t tfopt_host_stateless_gamma(TfoptHostCall *call) {
    return stateless_parameters(call, false, false);
}
int32_t tfopt_host_stateless_gamma_v3(TfoptHostCall *call) {
    return stateless_parameters(call, true, false);
}
int32_t tfopt_host_stateless_poisson(TfoptHostCall *call) {
    return stateless_parameters(call, false, true);
}

/* (shape, seed, counts, probs): the last dims of the shape are those of counts and probs, broadcast. */
int32_t tfopt_host_stateless_binomial(TfoptHostCall *call) {
    const TfoptTensor *count = &call->inputs[2], *prob = &call->inputs[3], *out = &call->outputs[0];
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status == TFOPT_OK) status = tfopt_random_stateless(call, false, &p);
    if (status != TFOPT_OK) return status;
    const TfoptTensor *longer = count->rank >= prob->rank ? count : prob;
    const int64_t n = tfopt_elements(out), batches = tfopt_elements(longer);
    if (longer->rank > out->rank || (tfopt_elements(count) != batches && tfopt_elements(count) != 1) ||
        (tfopt_elements(prob) != batches && tfopt_elements(prob) != 1) || (n > 0 && (batches == 0 || n % batches)))
        return tfopt_invalid(call, "shape must end with the shape of counts and probs");
    const int64_t samples = n ? n / batches : 0;
    for (int64_t i = 0; i < n; i++) {
        Source s = {.philox = p};
        const int64_t of = i / samples;
        const double n_trials = tfopt_real_at(count, tfopt_elements(count) > 1 ? of : 0),
                     p_success = tfopt_real_at(prob, tfopt_elements(prob) > 1 ? of : 0);
        const bool waits = n_trials * fmin(p_success, 1 - p_success) < 10; /* that method has fewer blocks */
        tfopt_philox_skip(&s.philox, (waits ? 42 : 256) * (uint64_t)i);
        store(out, i % samples * batches + of, binomial_sample(&s, n_trials, p_success));
    }
    return TFOPT_OK;
}
