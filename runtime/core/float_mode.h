/* float_mode: the processor's handling of denormal floats. TensorFlow's executors compute with denormal operands and
   results flushed to zero (ScopedFlushDenormal); so do we, in compiled code and in the reference evaluator: the answers
   are the same, and a softmax whose tail is denormal does not run a hundred times slower. The caller's mode is put back
   when a run ends. Thread-safe: the mode belongs to the thread. */
#ifndef TFOPT_CORE_FLOAT_MODE_H
#define TFOPT_CORE_FLOAT_MODE_H
#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { FLOAT_MODE_FLUSH = 0x8040 }; /* MXCSR: FTZ, DAZ */

static inline uint64_t float_mode_get(void) {
    return _mm_getcsr();
}
static inline void float_mode_set(uint64_t mode) {
    _mm_setcsr((unsigned)mode);
}
#elif defined(__aarch64__)
enum { FLOAT_MODE_FLUSH = 1 << 24 }; /* FPCR: FZ */

static inline uint64_t float_mode_get(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static inline void float_mode_set(uint64_t mode) {
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
#error "how denormals are flushed on this processor is not known"
#endif

/* Flushes denormals from now on; the mode to go back to. */
static inline uint64_t float_mode_flush(void) {
    const uint64_t before = float_mode_get();
    if ((before & FLOAT_MODE_FLUSH) != FLOAT_MODE_FLUSH) float_mode_set(before | FLOAT_MODE_FLUSH);
    return before;
}
static inline void float_mode_restore(uint64_t before) {
    if ((before & FLOAT_MODE_FLUSH) != FLOAT_MODE_FLUSH) float_mode_set(before);
}
#endif
