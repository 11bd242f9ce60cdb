/* Random ops: stateful ones keep their generator in the session, stateless ones make it from a seed input. The numbers
   are TensorFlow's own for the same seeds. */
#include "hostops/random.h"
#include <math.h>
#include <string.h>

int32_t tfopt_random_output(TfoptHostCall *call, const TfoptTensor *shape, const TfoptTensor *tail) {
    int64_t dims[TFOPT_MAX_RANK];
    const int64_t rank = tfopt_elements(shape);
    if (shape->rank != 1 || rank + (tail ? tail->rank : 0) > TFOPT_MAX_RANK)
        return tfopt_invalid(call, "shape must be a vector of at most 12 sizes");
    for (int64_t i = 0; i < rank; i++) {
        dims[i] = tfopt_int_at(shape, i);
        if (dims[i] < 0) return tfopt_invalid(call, "shape must not be negative");
    }
    int32_t n = (int32_t)rank;
    for (int32_t i = 0; tail && i < tail->rank; i++) dims[n++] = tail->dims[i];
    return tfopt_host_output(call, 0, n, dims) ? TFOPT_OK : tfopt_no_memory(call);
}

bool tfopt_random_stateful(TfoptHostCall *call, TfoptPhilox *out) {
    TfoptPhilox *state = tfopt_philox_state(call);
    if (!state) return false;
    *out = *state;
    tfopt_philox_skip(state, (uint64_t)tfopt_elements(&call->outputs[0]) * 256);
    return true;
}

static int32_t stateful(TfoptHostCall *call, TfoptDistribution d) {
    TfoptPhilox p;
    const int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status != TFOPT_OK) return status;
    if (!tfopt_random_stateful(call, &p)) return tfopt_no_memory(call);
    tfopt_random_fill(&call->outputs[0], d, &p);
    return TFOPT_OK;
}

int32_t tfopt_random_stateless(TfoptHostCall *call, bool v2, TfoptPhilox *out) {
    if (!v2) {
        if (tfopt_elements(&call->inputs[1]) != 2) return tfopt_invalid(call, "seed must have two elements");
        *out = tfopt_philox_from_seed(&call->inputs[1]);
        return TFOPT_OK;
    }
    const TfoptTensor *key = &call->inputs[1], *counter = &call->inputs[2];
    if (tfopt_elements(key) < 1 || tfopt_elements(counter) < 1) return tfopt_invalid(call, "key and counter are empty");
    const uint64_t k = (uint64_t)tfopt_int_at(key, 0), c0 = (uint64_t)tfopt_int_at(counter, 0),
                   c1 = tfopt_elements(counter) > 1 ? (uint64_t)tfopt_int_at(counter, 1) : 0;
    *out = (TfoptPhilox){{(uint32_t)c0, (uint32_t)(c0 >> 32), (uint32_t)c1, (uint32_t)(c1 >> 32)},
                         {(uint32_t)k, (uint32_t)(k >> 32)}};
    return TFOPT_OK;
}

static int32_t stateless(TfoptHostCall *call, TfoptDistribution d, bool v2) {
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status == TFOPT_OK) status = tfopt_random_stateless(call, v2, &p);
    if (status != TFOPT_OK) return status;
    tfopt_random_fill(&call->outputs[0], d, &p);
    return TFOPT_OK;
}

/* Integers in [low, low + range), range 0 = all of them; 64-bit ones take two words. */
static void fill_ints(const TfoptTensor *t, const TfoptPhilox *start, int64_t low, uint64_t range) {
    enum { WORDS = 4 * TFOPT_PHILOX_BLOCKS };
    TfoptPhilox p = *start;
    uint32_t words[WORDS];
    const int64_t n = tfopt_elements(t);
    const bool wide = tfopt_dtype_bytes(t->dtype) == 8;
    for (int64_t i = 0; i < n;) {
        tfopt_philox_words(&p, words);
        for (int w = 0; w < WORDS && i < n; i++, w += wide ? 2 : 1) {
            uint64_t v = words[w];
            if (wide) v |= (uint64_t)words[w + 1] << 32;
            if (range) v = wide || range >> 32 ? v % range : (uint32_t)v % (uint32_t)range;
            tfopt_set_int(t, i, (int64_t)((uint64_t)low + v));
        }
    }
}

static int32_t check_range(TfoptHostCall *call, const TfoptTensor *low, const TfoptTensor *high, int64_t *out_low,
                           uint64_t *out_range) {
    const int64_t a = tfopt_int_at(low, 0), b = tfopt_int_at(high, 0);
    const bool is_unsigned = low->dtype == TFOPT_U64;
    if (is_unsigned ? (uint64_t)a >= (uint64_t)b : a >= b)
        return tfopt_invalid(call, "minval must be smaller than maxval");
    *out_low = a;
    *out_range = (uint64_t)b - (uint64_t)a;
    return TFOPT_OK;
}

int32_t tfopt_host_random_uniform(TfoptHostCall *call) {
    return stateful(call, TFOPT_UNIFORM);
}
int32_t tfopt_host_random_normal(TfoptHostCall *call) {
    return stateful(call, TFOPT_NORMAL);
}
int32_t tfopt_host_random_truncated_normal(TfoptHostCall *call) {
    return stateful(call, TFOPT_TRUNCATED_NORMAL);
}
int32_t tfopt_host_stateless_uniform(TfoptHostCall *call) {
    return stateless(call, TFOPT_UNIFORM, false);
}
int32_t tfopt_host_stateless_normal(TfoptHostCall *call) {
    return stateless(call, TFOPT_NORMAL, false);
}
int32_t tfopt_host_stateless_truncated_normal(TfoptHostCall *call) {
    return stateless(call, TFOPT_TRUNCATED_NORMAL, false);
}
int32_t tfopt_host_stateless_uniform_v2(TfoptHostCall *call) {
    return stateless(call, TFOPT_UNIFORM, true);
}
int32_t tfopt_host_stateless_normal_v2(TfoptHostCall *call) {
    return stateless(call, TFOPT_NORMAL, true);
}
int32_t tfopt_host_stateless_truncated_normal_v2(TfoptHostCall *call) {
    return stateless(call, TFOPT_TRUNCATED_NORMAL, true);
}

int32_t tfopt_host_random_uniform_int(TfoptHostCall *call) {
    int64_t low = 0;
    uint64_t range = 0;
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status == TFOPT_OK && tfopt_elements(&call->outputs[0]) > 0)
        status = check_range(call, &call->inputs[1], &call->inputs[2], &low, &range);
    if (status != TFOPT_OK || tfopt_elements(&call->outputs[0]) == 0) return status;
    if (!tfopt_random_stateful(call, &p)) return tfopt_no_memory(call);
    fill_ints(&call->outputs[0], &p, low, range);
    return TFOPT_OK;
}

/* (shape, seed or key counter alg, minval, maxval) */
static int32_t stateless_int(TfoptHostCall *call, bool v2, bool full) {
    const int32_t at = v2 ? 4 : 2;
    int64_t low = 0;
    uint64_t range = 0;
    TfoptPhilox p;
    int32_t status = tfopt_random_output(call, &call->inputs[0], NULL);
    if (status == TFOPT_OK) status = tfopt_random_stateless(call, v2, &p);
    if (status == TFOPT_OK && !full) status = check_range(call, &call->inputs[at], &call->inputs[at + 1], &low, &range);
    if (status != TFOPT_OK) return status;
    fill_ints(&call->outputs[0], &p, low, range);
    return TFOPT_OK;
}

int32_t tfopt_host_stateless_int(TfoptHostCall *call) {
    return stateless_int(call, false, false);
}
int32_t tfopt_host_stateless_int_v2(TfoptHostCall *call) {
    return stateless_int(call, true, false);
}
int32_t tfopt_host_stateless_full_int(TfoptHostCall *call) {
    return stateless_int(call, false, true);
}
int32_t tfopt_host_stateless_full_int_v2(TfoptHostCall *call) {
    return stateless_int(call, true, true);
}

int32_t tfopt_host_stateless_key_counter(TfoptHostCall *call) {
    const TfoptPhilox p = tfopt_philox_from_seed(&call->inputs[0]);
    uint64_t *key = tfopt_output_1d(call, 0, 1), *counter = tfopt_output_1d(call, 1, 2);
    if (!key || !counter) return tfopt_no_memory(call);
    key[0] = (uint64_t)p.key[1] << 32 | p.key[0];
    counter[0] = 0;
    counter[1] = (uint64_t)p.counter[3] << 32 | p.counter[2];
    if (call->n_outputs > 2) {
        int32_t *alg = tfopt_output_scalar(call, 2);
        if (!alg) return tfopt_no_memory(call);
        *alg = 1;
    }
    return TFOPT_OK;
}

int32_t tfopt_host_stateless_alg(TfoptHostCall *call) {
    int32_t *alg = tfopt_output_scalar(call, 0);
    if (!alg) return tfopt_no_memory(call);
    *alg = 1; /* Philox */
    return TFOPT_OK;
}

/* ---- samples from logits */
static int32_t multinomial(TfoptHostCall *call, const TfoptPhilox *p, int64_t samples) {
    const TfoptTensor *logits = &call->inputs[0];
    const int64_t rows = logits->dims[0], classes = logits->dims[1];
    double *sums = tfopt_call_alloc(call, classes + 1, sizeof *sums);
    if (!sums) return tfopt_no_memory(call);
    TfoptStream s = {.philox = *p};
    for (int64_t r = 0; r < rows; r++) {
        double most = -INFINITY, total = 0;
        for (int64_t i = 0; i < classes; i++) {
            const double v = tfopt_real_at(logits, r * classes + i);
            if (isfinite(v)) most = fmax(most, v);
        }
        for (int64_t i = 0; i < classes; i++) {
            const double v = tfopt_real_at(logits, r * classes + i);
            if (isfinite(v)) total += exp(v - most);
            sums[i] = total;
        }
        for (int64_t k = 0; k < samples; k++) {
            const double x = tfopt_stream_uniform(&s) * total;
            int64_t low = 0, high = classes - 1;
            while (low < high) {
                const int64_t middle = (low + high) / 2;
                if (sums[middle] > x)
                    high = middle;
                else
                    low = middle + 1;
            }
            tfopt_set_int(&call->outputs[0], r * samples + k, low);
        }
    }
    return TFOPT_OK;
}

static int32_t multinomial_output(TfoptHostCall *call) {
    const TfoptTensor *logits = &call->inputs[0];
    const int64_t samples = tfopt_int_at(&call->inputs[1], 0);
    if (logits->rank != 2 || samples < 0 || (logits->dims[1] < 1 && logits->dims[0] > 0))
        return tfopt_invalid(call, "logits must be [batch, classes] and num_samples >= 0");
    const int64_t dims[2] = {logits->dims[0], samples};
    return tfopt_host_output(call, 0, 2, dims) ? TFOPT_OK : tfopt_no_memory(call);
}

int32_t tfopt_host_multinomial(TfoptHostCall *call) {
    TfoptPhilox p;
    const int32_t status = multinomial_output(call);
    if (status != TFOPT_OK) return status;
    if (!tfopt_random_stateful(call, &p)) return tfopt_no_memory(call);
    return multinomial(call, &p, tfopt_int_at(&call->inputs[1], 0));
}

int32_t tfopt_host_stateless_multinomial(TfoptHostCall *call) {
    const int32_t status = multinomial_output(call);
    if (status != TFOPT_OK) return status;
    const TfoptPhilox p = tfopt_philox_from_seed(&call->inputs[2]);
    return multinomial(call, &p, tfopt_int_at(&call->inputs[1], 0));
}

/* ---- shuffles of the first dimension */
static int32_t shuffle(TfoptHostCall *call, const TfoptPhilox *p) {
    const TfoptTensor *t = &call->inputs[0];
    char *out = call->outputs[0].data;
    const int64_t n = t->rank ? t->dims[0] : 1;
    const size_t piece = (size_t)tfopt_dims_product(t->dims, 1, t->rank) * tfopt_dtype_bytes(t->dtype);
    int64_t *order = tfopt_call_alloc(call, n + 1, sizeof *order);
    if (!order) return tfopt_no_memory(call);
    TfoptStream s = {.philox = *p};
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = 0; i + 1 < n; i++) {
        const int64_t k = i + (int64_t)(tfopt_stream_word(&s) % (uint32_t)(n - i)), moved = order[i];
        order[i] = order[k];
        order[k] = moved;
    }
    for (int64_t i = 0; i < n && piece; i++)
        memcpy(out + (size_t)i * piece, (const char *)t->data + (size_t)order[i] * piece, piece);
    return TFOPT_OK;
}

int32_t tfopt_host_random_shuffle(TfoptHostCall *call) {
    TfoptPhilox p;
    if (!tfopt_output_like(call, 0, &call->inputs[0]) || !tfopt_random_stateful(call, &p)) return tfopt_no_memory(call);
    return shuffle(call, &p);
}

/* (value, key, counter, alg) */
int32_t tfopt_host_stateless_shuffle(TfoptHostCall *call) {
    TfoptPhilox p;
    const int32_t status = tfopt_random_stateless(call, true, &p);
    if (status != TFOPT_OK) return status;
    return tfopt_output_like(call, 0, &call->inputs[0]) ? shuffle(call, &p) : tfopt_no_memory(call);
}
