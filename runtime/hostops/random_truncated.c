/* Normal numbers between bounds that are given for each batch, by TensorFlow's three rejection methods, so that the
   same seeds give the same samples. (TensorFlow begins the generator anew for each of its threads; here there is one,
   as there for results that are too small to be shared out.) */
#include "hostops/random.h"
#include <math.h>

/* What a sample may cost before a run is given up, as in TensorFlow. */
enum { MOST_TURNS = 1000 };

/* The distribution of a batch in units of its standard deviation, and its numbers' type. */
typedef struct {
    TfoptHostCall *call;
    TfoptPhilox *philox;
    int32_t dtype;
    double mean, deviation, low, high;
} Truncated;

/* Arithmetic of f32 results is in f32. */
static double as_type(const Truncated *t, double v) {
    return t->dtype == TFOPT_F64 ? v : (double)(float)v;
}

static int32_t too_many(const Truncated *t) {
    return tfopt_call_fail(t->call, TFOPT_FAILED, "no number between the bounds was drawn in %d turns", MOST_TURNS);
}

/* Where sample i of the batch goes in the output. */
typedef struct {
    int64_t first, step, n;
} Place;

static void put(const Truncated *t, const Place *p, int64_t i, double z) {
    const double scaled = as_type(t, z * t->deviation);
    tfopt_set_real(&t->call->outputs[0], p->first + i * p->step, as_type(t, scaled + t->mean));
}

static int32_t from_normal(const Truncated *t, const Place *p) {
    double group[4];
    int turns = 0;
    for (int64_t i = 0; i < p->n;) {
        const int n = tfopt_random_group(t->dtype, TFOPT_NORMAL, t->philox, group);
        for (int k = 0; k < n && i < p->n; k++) {
            if (group[k] >= t->low && group[k] <= t->high) {
                put(t, p, i++, group[k]);
                turns = 0;
            } else if (++turns > MOST_TURNS) {
                return too_many(t);
            }
        }
    }
    return TFOPT_OK;
}

static int32_t from_uniform(const Truncated *t, const Place *p) {
    const double range = as_type(t, t->high - t->low), nearest = t->low < 0 ? 0 : as_type(t, t->low * t->low);
    double group[4], chance[4];
    int turns = 0;
    for (int64_t i = 0; i < p->n;) {
        const int n = tfopt_random_group(t->dtype, TFOPT_UNIFORM, t->philox, group);
        tfopt_random_group(t->dtype, TFOPT_UNIFORM, t->philox, chance);
        for (int k = 0; k < n && i < p->n; k++) {
            const double z = as_type(t, as_type(t, group[k] * range) + t->low),
                         g = as_type(t, as_type(t, nearest - as_type(t, z * z)) / 2);
            if (chance[k] <= as_type(t, exp(g))) {
                put(t, p, i++, z);
                turns = 0;
            } else if (++turns >= MOST_TURNS) {
                return too_many(t);
            }
        }
    }
    return TFOPT_OK;
}

static int32_t from_exponential(const Truncated *t, const Place *p) {
    const double root = as_type(t, sqrt(as_type(t, as_type(t, t->low * t->low) + 4))),
                 rate = as_type(t, as_type(t, t->low + root) / 2);
    double group[4];
    int turns = 0;
    for (int64_t i = 0; i < p->n;) {
        const int n = tfopt_random_group(t->dtype, TFOPT_UNIFORM, t->philox, group);
        for (int k = 0; k + 1 < n && i < p->n; k += 2) {
            const double z = as_type(t, as_type(t, -as_type(t, log(group[k])) / rate) + t->low),
                         x = t->low < rate ? as_type(t, rate - z) : as_type(t, t->low - rate),
                         g = as_type(t, exp(as_type(t, -x * x / 2)));
            if (group[k + 1] <= g && z < t->high) {
                put(t, p, i++, z);
                turns = 0;
            } else if (++turns >= MOST_TURNS) {
                return too_many(t);
            }
        }
    }
    return TFOPT_OK;
}

/* The samples of one batch; v: mean, standard deviation, bounds. */
static int32_t fill_batch(TfoptHostCall *call, TfoptPhilox *philox, const double *v, const Place *p) {
    Truncated t = {.call = call, .philox = philox, .dtype = call->outputs[0].dtype, .mean = v[0], .deviation = v[1]};
    double low = v[2], high = v[3];
    if (!(v[1] > 0 && low < high && (isfinite(low) || isfinite(high))))
        return tfopt_invalid(call, "needs stddevs > 0 and minvals < maxvals, one of them finite");
    if ((isinf(low) && low < 0) || high < v[0]) { /* one bound below, or both: turned around */
        low = v[3];
        high = v[2];
        t.deviation = -v[1];
    }
    t.low = as_type(&t, as_type(&t, low - t.mean) / t.deviation);
    t.high = as_type(&t, as_type(&t, high - t.mean) / t.deviation);
    const double root = sqrt(t.low * t.low + 4), cutoff = 2 * exp(0.5 + t.low * (t.low - root) / 4) / (t.low + root),
                 inside = 1.3;
    if ((t.low < -inside && t.high >= 0) || (t.high > inside && t.low <= 0)) return from_normal(&t, p);
    return t.high - t.low < cutoff ? from_uniform(&t, p) : from_exponential(&t, p);
}

/* (shape [batches, samples …], means, stdevs, minvals, maxvals), parameters one for each batch or one for all */
int32_t tfopt_host_parameterized_truncated_normal(TfoptHostCall *call) {
    const int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status != TFOPT_OK) return status;
    const TfoptTensor *out = &call->outputs[0];
    const int64_t n = tfopt_elements(out);
    int64_t batches = out->rank ? out->dims[0] : 1;
    bool scalars = true;
    for (int k = 0; k < 4; k++) {
        const TfoptTensor *t = &call->inputs[k + 1];
        const int64_t count = tfopt_elements(t);
        if (t->rank > 1 || (count != 1 && count != batches))
            return tfopt_invalid(call, "needs one parameter, or one for each batch");
        scalars = scalars && (k < 2 ? count == 1 : t->rank == 0);
    }
    TfoptPhilox *state = tfopt_philox_state(call);
    if (!state) return tfopt_no_memory(call);
    int64_t each = batches ? n / batches : 0;
    if (scalars) { /* TensorFlow's batches of one distribution */
        each = 100;
        batches = (n + each - 1) / each;
    }
    TfoptPhilox p = *state;
    tfopt_philox_skip(state, (uint64_t)batches * 2 * MOST_TURNS * (uint64_t)(each + 3) / 4);
    for (int64_t b = 0; b < batches; b++) {
        double v[4];
        for (int k = 0; k < 4; k++) {
            const TfoptTensor *t = &call->inputs[k + 1];
            v[k] = tfopt_real_at(t, tfopt_elements(t) > 1 ? b : 0);
        }
        const Place place = {b * each, 1, n - b * each < each ? n - b * each : each};
        const int32_t filled = fill_batch(call, &p, v, &place);
        if (filled != TFOPT_OK) return filled;
    }
    return TFOPT_OK;
}

/* Element of t, which broadcasts to dims[0..rank), for element i of those. */
static double broadcast_at(const TfoptTensor *t, const int64_t *dims, int32_t rank, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int32_t k = rank - 1, own = t->rank - 1; k >= 0; k--, own--) {
        const int64_t p = i % dims[k];
        i /= dims[k];
        if (own < 0) continue;
        at += t->dims[own] == 1 ? 0 : p * stride;
        stride *= t->dims[own];
    }
    return tfopt_real_at(t, at);
}

/* (shape, seed, means, stddevs, minvals, maxvals): the shape ends with the common one of the parameters. */
int32_t tfopt_host_stateless_truncated_parameters(TfoptHostCall *call) {
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL), rank = 0;
    if (status == TFOPT_OK) status = tfopt_random_stateless(call, false, &p);
    if (status != TFOPT_OK) return status;
    const TfoptTensor *out = &call->outputs[0];
    int64_t dims[TFOPT_MAX_RANK];
    for (int k = 0; k < 4; k++) rank = call->inputs[2 + k].rank > rank ? call->inputs[2 + k].rank : rank;
    bool fits = rank <= out->rank;
    for (int32_t axis = 1; axis <= rank && fits; axis++) {
        int64_t size = 1;
        for (int k = 0; k < 4; k++) {
            const TfoptTensor *t = &call->inputs[2 + k];
            const int64_t own = axis > t->rank ? 1 : t->dims[t->rank - axis];
            fits = fits && (own == 1 || size == 1 || own == size);
            if (own != 1) size = own;
        }
        dims[rank - axis] = size;
        fits = fits && size == out->dims[out->rank - axis];
    }
    if (!fits) return tfopt_invalid(call, "Shape passed in must end with broadcasted shape.");
    const int64_t n = tfopt_elements(out), batches = tfopt_dims_product(dims, 0, rank);
    for (int64_t b = 0; n > 0 && b < batches && status == TFOPT_OK; b++) {
        double v[4];
        for (int k = 0; k < 4; k++) v[k] = broadcast_at(&call->inputs[2 + k], dims, rank, b);
        const Place place = {b, batches, n / batches};
        status = fill_batch(call, &p, v, &place);
    }
    return status;
}
