/* TFOPT_CLONES in front of a function makes a copy of it for each width of vectors, of which the loader takes the one
   that fits the machine. Results are the same bits: nothing is contracted or reassociated. Only for loops where width
   decides. */
#ifndef TFOPT_HOSTOPS_CLONES_H
#define TFOPT_HOSTOPS_CLONES_H
#include <stdint.h> /* says whether the C library is glibc, whose loader it takes */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TFOPT_ONE_CLONE
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* the choice is made before a sanitizer is ready */
#define TFOPT_ONE_CLONE
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(TFOPT_ONE_CLONE)
#define TFOPT_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define TFOPT_CLONES
#endif

/* In front of a loop whose turns do not depend on each other, which the compiler cannot see. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a loop that stays as it is is no error */
#define TFOPT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define TFOPT_INDEPENDENT _Pragma("GCC ivdep")
#endif
#endif
