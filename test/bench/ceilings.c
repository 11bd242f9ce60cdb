/* ceilings: loops written with vector types of 128, 256 and 512 bits, so that the compiler's idea of the machine does
   not matter: each width is a function compiled for its own level. The best of several short rounds counts, since other
   work may share the machine. */
#include "ceilings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* clang-format off: it cannot make up its mind about vector types made by macros */
#if defined __x86_64__
#define LEVEL_512 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512"), noinline))
#define LEVEL_256 __attribute__((target("arch=x86-64-v3"), noinline))
#else
#define LEVEL_512 __attribute__((noinline))
#define LEVEL_256 __attribute__((noinline))
#endif
#define LEVEL_128 __attribute__((noinline))

/* The barriers keep every accumulator in a register of its own and the loop from being folded. */
#define STEP(v, constraint)                                                                                            \
    v = x * y + v;                                                                                                     \
    __asm__ volatile("" : "+" constraint(v));
#define DEFINE_CEILINGS(bits, level, constraint)                                                                       \
    typedef float Vector##bits __attribute__((vector_size(bits / 8), may_alias, aligned(4)));                          \
    level static double arithmetic_##bits(long turns) {                                                                \
        Vector##bits x = {0}, y = {0}, a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, f = {0}, g = {0}, h = {0},         \
                     i = {0}, j = {0};                                                                                 \
        __asm__ volatile("" : "+" constraint(x), "+" constraint(y));                                                   \
        double start = now_seconds();                                                                                  \
        for (long turn = 0; turn < turns; turn++) {                                                                    \
            STEP(a, constraint)                                                                                        \
            STEP(b, constraint)                                                                                        \
            STEP(c, constraint)                                                                                        \
            STEP(d, constraint)                                                                                        \
            STEP(e, constraint)                                                                                        \
            STEP(f, constraint) STEP(g, constraint) STEP(h, constraint) STEP(i, constraint) STEP(j, constraint)        \
        }                                                                                                              \
        return (double)turns * 10 * (bits / 32) * 2 / (now_seconds() - start) * 1e-9;                                  \
    }                                                                                                                  \
    level static double reading_##bits(const char *data, size_t bytes, int turns) {                                    \
        double start = now_seconds();                                                                                  \
        for (int t = 0; t < turns; t++)                                                                                \
            for (size_t i = 0; i + 8 * (bits / 8) <= bytes; i += 8 * (bits / 8))                                       \
                for (int r = 0; r < 8; r++) {                                                                          \
                    Vector##bits v = *(const Vector##bits *)(const void *)(data + i + (size_t)r * (bits / 8));         \
                    __asm__ volatile("" : : constraint(v));                                                            \
                }                                                                                                      \
        return (double)bytes * turns / (now_seconds() - start) * 1e-9;                                                 \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC optimize("unroll-loops", "fp-contract=fast")
#if defined __x86_64__
DEFINE_CEILINGS(512, LEVEL_512, "v")
DEFINE_CEILINGS(256, LEVEL_256, "x")
DEFINE_CEILINGS(128, LEVEL_128, "x")
#else
DEFINE_CEILINGS(128, LEVEL_128, "w")
#endif
#pragma GCC diagnostic pop

static double best_of(double (*arithmetic)(long)) {
    double best = 0;
    for (int i = 0; i < 20; i++) {
        double v = arithmetic(400000);
        if (v > best) best = v;
    }
    return best;
}

static double best_reading(double (*reading)(const char *, size_t, int), const char *data, size_t bytes) {
    double best = 0;
    int turns = (int)((64u << 20) / bytes) + 1;
    for (int i = 0; i < 7; i++) {
        double v = reading(data, bytes, turns);
        if (v > best) best = v;
    }
    return best;
}

static int cache_kib(int name, int otherwise) {
    long bytes = sysconf(name);
    return bytes > 0 ? (int)(bytes >> 10) : otherwise;
}

Ceilings measure_ceilings(int vector_bits) {
    Ceilings c = {0};
    double (*arithmetic)(long) = arithmetic_128;
    double (*reading)(const char *, size_t, int) = reading_128;
#if defined __x86_64__
    if (vector_bits >= 512)
        arithmetic = arithmetic_512, reading = reading_512;
    else if (vector_bits >= 256)
        arithmetic = arithmetic_256, reading = reading_256;
#else
    (void)vector_bits;
#endif
    c.l1_kib = cache_kib(_SC_LEVEL1_DCACHE_SIZE, 32);
    c.l2_kib = cache_kib(_SC_LEVEL2_CACHE_SIZE, 1024);
    c.l3_kib = cache_kib(_SC_LEVEL3_CACHE_SIZE, 8192);
    c.gflops = best_of(arithmetic);
    size_t memory = (size_t)256 << 20, l2 = (size_t)c.l2_kib << 10;
    char *data = aligned_alloc(4096, memory);
    if (data == NULL) return c;
    memset(data, 1, memory);
    c.l1_gbs = best_reading(reading, data, ((size_t)c.l1_kib << 10) * 2 / 3);
    c.l2_gbs = best_reading(reading, data, l2 / 2);
    c.l3_gbs = best_reading(reading, data, l2 * 4);
    c.memory_gbs = best_reading(reading, data, memory);
    free(data);
    return c;
}
