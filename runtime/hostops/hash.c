/* Hashes of strings that TensorFlow's bucket ops use: FarmHash's Fingerprint64, Murmur 64A, SipHash 2-4. */
#include "hostops/text.h"
#include <string.h>

static uint64_t fetch64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t fetch32(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t rotate_right(uint64_t v, int n) {
    return v >> n | v << (64 - n);
}

static uint64_t shift_mix(uint64_t v) {
    return v ^ v >> 47;
}

static const uint64_t K0 = 0xc3a5c85c97cb3127u, K1 = 0xb492b66fbe98f273u, K2 = 0x9ae16a3b2f90404fu;

static uint64_t hash16(uint64_t u, uint64_t v, uint64_t mul) {
    const uint64_t a = shift_mix((u ^ v) * mul), b = shift_mix((v ^ a) * mul);
    return b * mul;
}

static uint64_t hash_to_16(const char *s, uint64_t n) {
    const uint64_t mul = K2 + n * 2;
    if (n >= 8) {
        const uint64_t a = fetch64(s) + K2, b = fetch64(s + n - 8);
        return hash16(rotate_right(b, 37) * mul + a, (rotate_right(a, 25) + b) * mul, mul);
    }
    if (n >= 4) return hash16(n + (fetch32(s) << 3), fetch32(s + n - 4), mul);
    if (n == 0) return K2;
    const uint8_t a = (uint8_t)s[0], b = (uint8_t)s[n >> 1], c = (uint8_t)s[n - 1];
    const uint64_t y = a + ((uint64_t)b << 8), z = n + ((uint64_t)c << 2);
    return shift_mix((y * K2) ^ (z * K0)) * K2;
}

static uint64_t hash_to_32(const char *s, uint64_t n) {
    const uint64_t mul = K2 + n * 2, a = fetch64(s) * K1, b = fetch64(s + 8), c = fetch64(s + n - 8) * mul,
                   d = fetch64(s + n - 16) * K2;
    return hash16(rotate_right(a + b, 43) + rotate_right(c, 30) + d, a + rotate_right(b + K2, 18) + c, mul);
}

static uint64_t hash_to_64(const char *s, uint64_t n) {
    const uint64_t mul = K2 + n * 2, a = fetch64(s) * K2, b = fetch64(s + 8), c = fetch64(s + n - 8) * mul,
                   d = fetch64(s + n - 16) * K2;
    const uint64_t y = rotate_right(a + b, 43) + rotate_right(c, 30) + d,
                   z = hash16(y, a + rotate_right(b + K2, 18) + c, mul);
    const uint64_t e = fetch64(s + 16) * mul, f = fetch64(s + 24), g = (y + fetch64(s + n - 32)) * mul,
                   h = (z + fetch64(s + n - 24)) * mul;
    return hash16(rotate_right(e + f, 43) + rotate_right(g, 30) + h, e + rotate_right(f + a, 18) + g, mul);
}

typedef struct {
    uint64_t first, second;
} Pair;

static Pair weak_hash(const char *s, uint64_t a, uint64_t b) {
    const uint64_t w = fetch64(s), x = fetch64(s + 8), y = fetch64(s + 16), z = fetch64(s + 24);
    a += w;
    b = rotate_right(b + a + z, 21);
    const uint64_t c = a;
    a += x + y;
    b += rotate_right(a, 44);
    return (Pair){a + z, b + c};
}

uint64_t tfopt_farm_fingerprint(TfoptString string) {
    const char *s = string.data;
    const uint64_t n = string.size;
    if (n <= 16) return hash_to_16(s, n);
    if (n <= 32) return hash_to_32(s, n);
    if (n <= 64) return hash_to_64(s, n);
    const uint64_t seed = 81;
    uint64_t x = seed * K2 + fetch64(s), y = seed * K1 + 113, z = shift_mix(y * K2 + 113) * K2;
    Pair v = {0, 0}, w = {0, 0};
    const char *end = s + (n - 1) / 64 * 64, *last = end + ((n - 1) & 63) - 63;
    uint64_t mul = K1;
    for (bool tail = false;; s += 64) {
        if (s == end) {
            tail = true;
            mul = K1 + ((z & 0xff) << 1);
            s = last;
            w.first += (n - 1) & 63;
            v.first += w.first;
            w.first += v.first;
        }
        x = rotate_right(x + y + v.first + fetch64(s + 8), 37) * mul;
        y = rotate_right(y + v.second + fetch64(s + 48), 42) * mul;
        x ^= w.second * (tail ? 9 : 1);
        y += v.first * (tail ? 9 : 1) + fetch64(s + 40);
        z = rotate_right(z + w.first, 33) * mul;
        v = weak_hash(s, v.second * mul, x + w.first);
        w = weak_hash(s + 32, z + w.second, y + fetch64(s + 16));
        const uint64_t swap = z;
        z = x;
        x = swap;
        if (tail) break;
    }
    return hash16(hash16(v.first, w.first, mul) + shift_mix(y) * K0 + z, hash16(v.second, w.second, mul) + x, mul);
}

uint64_t tfopt_murmur64(TfoptString string, uint64_t seed) {
    const uint64_t m = 0xc6a4a7935bd1e995u;
    const char *s = string.data;
    uint64_t n = string.size, h = seed ^ (n * m);
    for (; n >= 8; n -= 8, s += 8) {
        uint64_t k = fetch64(s) * m;
        k = (k ^ k >> 47) * m;
        h = (h ^ k) * m;
    }
    if (n) {
        uint64_t tail = 0;
        memcpy(&tail, s, n);
        h = (h ^ tail) * m;
    }
    h = shift_mix(h) * m;
    return shift_mix(h);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate_right(v[1], 51) ^ v[0];
    v[3] = rotate_right(v[3], 48) ^ v[2];
    v[0] = rotate_right(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate_right(v[1], 47) ^ v[2];
    v[3] = rotate_right(v[3], 43) ^ v[0];
    v[2] = rotate_right(v[2], 32);
}

uint64_t tfopt_siphash(TfoptString string, uint64_t key0, uint64_t key1) {
    uint64_t v[4] = {key0 ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du, key0 ^ 0x6c7967656e657261u,
                     key1 ^ 0x7465646279746573u};
    uint64_t n = string.size;
    const char *s = string.data;
    for (;; s += 8, n -= 8) {
        uint64_t m = 0;
        if (n >= 8)
            m = fetch64(s);
        else if (n)
            memcpy(&m, s, n);
        if (n < 8) m |= string.size << 56;
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
        if (n < 8) break;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
