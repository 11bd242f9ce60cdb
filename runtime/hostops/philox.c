/* Philox and the conversions from its words to uniform and normal numbers, as TensorFlow's CPU kernels do them: the
   same seeds give the same numbers up to rounding of sin, cos and log. */
#include "hostops/clones.h"
#include "hostops/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void tfopt_philox_next(TfoptPhilox *p, uint32_t out[4]) {
    uint32_t c[4], key[2] = {p->key[0], p->key[1]};
    memcpy(c, p->counter, sizeof c);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ key[1],
                                  (uint32_t)a};
        memcpy(c, next, sizeof c);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
    tfopt_philox_skip(p, 1);
}

/* The same, for blocks side by side. */
TFOPT_CLONES static void rounds(uint32_t c[4][TFOPT_PHILOX_BLOCKS], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < TFOPT_PHILOX_BLOCKS; l++) {
            const uint64_t a = (uint64_t)0xD2511F53u * c[0][l], b = (uint64_t)0xCD9E8D57u * c[2][l];
            c[0][l] = (uint32_t)(b >> 32) ^ c[1][l] ^ key0;
            c[1][l] = (uint32_t)b;
            c[2][l] = (uint32_t)(a >> 32) ^ c[3][l] ^ key1;
            c[3][l] = (uint32_t)a;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

void tfopt_philox_words(TfoptPhilox *p, uint32_t out[4 * TFOPT_PHILOX_BLOCKS]) {
    uint32_t c[4][TFOPT_PHILOX_BLOCKS];
    for (int l = 0; l < TFOPT_PHILOX_BLOCKS; l++, tfopt_philox_skip(p, 1)) {
        for (int i = 0; i < 4; i++) c[i][l] = p->counter[i];
    }
    rounds(c, p->key[0], p->key[1]);
    for (int l = 0; l < TFOPT_PHILOX_BLOCKS; l++) {
        for (int i = 0; i < 4; i++) out[4 * l + i] = c[i][l];
    }
}

void tfopt_philox_skip(TfoptPhilox *p, uint64_t n) {
    const uint64_t low = (uint64_t)p->counter[1] << 32 | p->counter[0], sum = low + n;
    p->counter[0] = (uint32_t)sum;
    p->counter[1] = (uint32_t)(sum >> 32);
    if (sum < low && ++p->counter[2] == 0) ++p->counter[3];
}

TfoptPhilox *tfopt_philox_state(TfoptHostCall *call) {
    if (!*call->state) {
        TfoptPhilox *p = calloc(1, sizeof *p);
        if (!p) return NULL;
        uint64_t seed = (uint64_t)tfopt_call_int(call, "seed", 0), seed2 = (uint64_t)tfopt_call_int(call, "seed2", 0);
        /* No seed: TensorFlow takes one from the machine; a run that can be repeated is worth more. */
        if (seed == 0 && seed2 == 0) seed = 0x6a09e667f3bcc908u, seed2 = 0xbb67ae8584caa73bu;
        p->key[0] = (uint32_t)seed;
        p->key[1] = (uint32_t)(seed >> 32);
        p->counter[2] = (uint32_t)seed2;
        p->counter[3] = (uint32_t)(seed2 >> 32);
        *call->state = p;
        *call->free_state = free;
    }
    return *call->state;
}

TfoptPhilox tfopt_philox_from_seed(const TfoptTensor *seed) {
    const uint64_t a = (uint64_t)tfopt_int_at(seed, 0), b = (uint64_t)tfopt_int_at(seed, 1);
    TfoptPhilox scramble = {{(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)},
                            {0x3ec8f720u, 0x02461e29u}};
    uint32_t mix[4];
    tfopt_philox_next(&scramble, mix);
    return (TfoptPhilox){{0, 0, mix[2], mix[3]}, {mix[0], mix[1]}};
}

static float word_to_float(uint32_t w) {
    const uint32_t bits = (127u << 23) | (w & 0x7fffffu);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f - 1.0f;
}

static double words_to_double(uint32_t high, uint32_t low) {
    const uint64_t bits = (1023ull << 52) | (uint64_t)(high & 0xfffffu) << 32 | low;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d - 1.0;
}

static void normal_floats(uint32_t a, uint32_t b, float *out) {
    float u = word_to_float(a);
    if (u < 1.0e-7f) u = 1.0e-7f;
    const float v = (float)(2.0 * 3.14159265358979323846 * (double)word_to_float(b)), radius = sqrtf(-2.0f * logf(u));
    out[0] = sinf(v) * radius;
    out[1] = cosf(v) * radius;
}

static void normal_doubles(const uint32_t *w, double *out) {
    double u = words_to_double(w[0], w[1]);
    if (u < 1.0e-7) u = 1.0e-7;
    const double v = 2.0 * 3.14159265358979323846 * words_to_double(w[2], w[3]), radius = sqrt(-2.0 * log(u));
    out[0] = sin(v) * radius;
    out[1] = cos(v) * radius;
}

void tfopt_philox_uniforms(TfoptPhilox *p, double out[2]) {
    uint32_t w[4];
    tfopt_philox_next(p, w);
    for (int i = 0; i < 2; i++) out[i] = words_to_double(w[2 * i], w[2 * i + 1]);
}

void tfopt_philox_normals(TfoptPhilox *p, double out[2]) {
    uint32_t w[4];
    tfopt_philox_next(p, w);
    normal_doubles(w, out);
}

/* One group of results from one block of words. */
static int group_of_block(int32_t dtype, TfoptDistribution d, const uint32_t *w, double *out) {
    if (dtype == TFOPT_F64) {
        if (d == TFOPT_NORMAL)
            normal_doubles(w, out);
        else
            for (int i = 0; i < 2; i++) out[i] = words_to_double(w[2 * i], w[2 * i + 1]);
        return 2;
    }
    for (int i = 0; i < 4 && d == TFOPT_NORMAL; i += 2) {
        float f[2];
        normal_floats(w[i], w[i + 1], f);
        out[i] = (double)f[0];
        out[i + 1] = (double)f[1];
    }
    for (int i = 0; i < 4 && d != TFOPT_NORMAL; i++) {
        if (dtype == TFOPT_F16) {
            out[i] = (double)(w[i] & 0x3ffu) / 1024;
        } else if (dtype == TFOPT_BF16) {
            out[i] = (double)(w[i] & 0x7fu) / 128;
        } else {
            out[i] = (double)word_to_float(w[i]);
        }
    }
    return 4;
}

int tfopt_random_group(int32_t dtype, TfoptDistribution distribution, TfoptPhilox *p, double out[4]) {
    uint32_t w[4];
    tfopt_philox_next(p, w);
    return group_of_block(dtype, distribution, w, out);
}

/* Rejection until a group is full; each group has 1024 words of its own. */
static int truncated_group(int32_t dtype, TfoptPhilox p, double *out) {
    const int want = dtype == TFOPT_F64 ? 2 : 4;
    uint32_t w[4];
    int n = 0;
    while (n < want) {
        double pair[4];
        tfopt_philox_next(&p, w);
        const int made = group_of_block(dtype, TFOPT_NORMAL, w, pair);
        for (int i = 0; i < made && n < want; i++) {
            if (fabs(pair[i]) < 2.0) out[n++] = pair[i];
        }
    }
    return n;
}

void tfopt_random_fill(const TfoptTensor *t, TfoptDistribution distribution, const TfoptPhilox *start) {
    const int64_t n = tfopt_elements(t);
    TfoptPhilox p = *start;
    double group[4];
    if (distribution == TFOPT_TRUNCATED_NORMAL) {
        for (int64_t i = 0; i < n;) {
            const int made = truncated_group(t->dtype, p, group);
            tfopt_philox_skip(&p, (uint64_t)made * 256 / 4);
            for (int k = 0; k < made && i < n; k++, i++) tfopt_set_real(t, i, group[k]);
        }
        return;
    }
    enum { WORDS = 4 * TFOPT_PHILOX_BLOCKS };
    uint32_t words[WORDS];
    for (int64_t i = 0; i < n;) {
        tfopt_philox_words(&p, words);
        if (t->dtype == TFOPT_F32 && distribution == TFOPT_UNIFORM) {
            const int64_t count = n - i < WORDS ? n - i : WORDS;
            for (int64_t k = 0; k < count; k++) ((float *)t->data)[i + k] = word_to_float(words[k]);
            i += count;
            continue;
        }
        for (int w = 0; w < WORDS && i < n; w += 4) {
            const int made = group_of_block(t->dtype, distribution, words + w, group);
            for (int k = 0; k < made && i < n; k++, i++) tfopt_set_real(t, i, group[k]);
        }
    }
}

uint32_t tfopt_stream_word(TfoptStream *s) {
    if (s->left == 0) {
        tfopt_philox_next(&s->philox, s->words);
        s->left = 4;
    }
    return s->words[4 - s->left--];
}

double tfopt_stream_uniform(TfoptStream *s) {
    const uint32_t high = tfopt_stream_word(s), low = tfopt_stream_word(s);
    return words_to_double(high, low);
}

double tfopt_stream_normal(TfoptStream *s) {
    uint32_t w[4];
    double pair[2];
    for (int i = 0; i < 4; i++) w[i] = tfopt_stream_word(s);
    normal_doubles(w, pair);
    return pair[0];
}
