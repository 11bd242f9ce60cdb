/* RandomIndexShuffle: a permutation of any range that is computed index by index, with a small block cipher (Simon with
   words of half the index's bits). */
#include "hostops/host.h"
#include <math.h>

enum { MOST_ROUNDS = 64 };

/* Words of `width` bits. */
typedef struct {
    int width, rounds;
    uint64_t mask, keys[MOST_ROUNDS];
} Cipher;

static uint64_t turn_left(const Cipher *c, uint64_t v, int n) {
    return (v << n | v >> (c->width - n)) & c->mask;
}

static uint64_t turn_right(const Cipher *c, uint64_t v, int n) {
    return (v >> n | v << (c->width - n)) & c->mask;
}

static uint64_t mix(const Cipher *c, uint64_t v) {
    return (turn_left(c, v, 1) & turn_left(c, v, 8)) ^ turn_left(c, v, 2);
}

static void cipher_init(Cipher *c, int width, int rounds, const uint32_t *key) {
    uint64_t bits = UINT64_C(0x7369f885192c0ef5);
    c->width = width;
    c->rounds = rounds;
    c->mask = (UINT64_C(1) << width) - 1;
    bits &= c->mask;
    for (int i = 0; i < 3; i++) c->keys[i] = key[i] & c->mask;
    for (int i = 3; i < rounds; i++, bits >>= 1) {
        const uint64_t last = c->keys[i - 1];
        c->keys[i] =
            (0xfffffffc & c->mask) ^ (bits & 1) ^ c->keys[i - 3] ^ turn_right(c, last, 3) ^ turn_right(c, last, 4);
    }
}

static uint64_t encrypt(const Cipher *c, uint64_t v) {
    uint64_t left = v >> c->width & c->mask, right = v & c->mask;
    for (int i = 0; i < c->rounds; i += 2) {
        left ^= mix(c, right) ^ c->keys[i];
        right ^= mix(c, left) ^ c->keys[i + 1];
    }
    return left << c->width | right;
}

/* Cycles of a permutation come back: from an index in the range another one is always met. */
static uint64_t shuffled(uint64_t index, const uint32_t *key, uint64_t most, int rounds) {
    if (most == 0) return 0;
    int bits = (int)ceil(log2((double)most));
    bits += bits % 2;
    Cipher c;
    cipher_init(&c, (bits < 16 ? 16 : bits > 64 ? 64 : bits) / 2, rounds, key);
    do index = encrypt(&c, index);
    while (index > most);
    return index;
}

/* (index, seed [3], max_index): scalars, or vectors [n] and seeds [n, 3] */
int32_t tfopt_host_random_index_shuffle(TfoptHostCall *call) {
    const TfoptTensor *index = &call->inputs[0], *seed = &call->inputs[1], *most = &call->inputs[2];
    const int64_t rounds = tfopt_call_int(call, "rounds", 4);
    int64_t n = 1;
    if (index->rank > 1 || most->rank > 1 || seed->rank < 1 || seed->rank > 2 || seed->dims[seed->rank - 1] != 3)
        return tfopt_invalid(call, "index and max_index must be scalars or vectors, seed [3] or [n, 3]");
    if (rounds < 4 || rounds % 2 || rounds > MOST_ROUNDS)
        return tfopt_invalid(call, "rounds must be even, at least 4 and at most 64");
    const bool vector = index->rank == 1 || most->rank == 1 || seed->rank == 2;
    if (index->rank == 1) n = index->dims[0];
    if (most->rank == 1) n = most->dims[0];
    if (seed->rank == 2) n = seed->dims[0];
    if ((index->rank == 1 && index->dims[0] != n) || (most->rank == 1 && most->dims[0] != n))
        return tfopt_invalid(call, "index, seed and max_index have different sizes");
    if (!tfopt_host_output(call, 0, vector, &n)) return tfopt_no_memory(call);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)tfopt_int_at(index, index->rank ? i : 0),
                       last = (uint64_t)tfopt_int_at(most, most->rank ? i : 0);
        uint32_t key[3];
        for (int k = 0; k < 3; k++) key[k] = (uint32_t)tfopt_int_at(seed, (seed->rank == 2 ? 3 * i : 0) + k);
        if (at > last) return tfopt_invalid(call, "index must not be greater than max_index");
        tfopt_set_int(&call->outputs[0], i, (int64_t)shuffled(at, key, last, (int)rounds));
    }
    return TFOPT_OK;
}
