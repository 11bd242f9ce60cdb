/* Arithmetic of sizes: saturates; INT64_MIN and INT64_MAX mean unbounded. Division rounds down. */
#ifndef TFOPT_IR_DIM_NUMBER_H
#define TFOPT_IR_DIM_NUMBER_H
#include <stdbool.h>
#include <stdint.h>

static inline int64_t saturating_add(int64_t a, int64_t b) {
    int64_t r;
    if (a == INT64_MAX || b == INT64_MAX) return a == INT64_MIN || b == INT64_MIN ? 0 : INT64_MAX;
    if (a == INT64_MIN || b == INT64_MIN) return INT64_MIN;
    if (__builtin_add_overflow(a, b, &r)) return a > 0 ? INT64_MAX : INT64_MIN;
    return r;
}

static inline int64_t saturating_mul(int64_t a, int64_t b) {
    int64_t r;
    if (a == 0 || b == 0) return 0;
    bool infinite = a == INT64_MAX || a == INT64_MIN || b == INT64_MAX || b == INT64_MIN;
    if (infinite || __builtin_mul_overflow(a, b, &r)) return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return r;
}

static inline int64_t floor_div(int64_t a, int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return a == INT64_MIN ? INT64_MAX : -a;
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static inline int64_t floor_mod(int64_t a, int64_t b) {
    if (b == 0 || b == -1) return 0;
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline bool is_unbounded(int64_t v) {
    return v == INT64_MIN || v == INT64_MAX;
}
#endif
