/* Comparison of outputs: tolerances, ranked lists whose rows change places, and what rounding does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "commands.h"

enum { ROWS = 4 };

static Tensor floats(Arena *a, int64_t width, const float *values) {
    Tensor t = tensor_new(a, DTYPE_F32, width ? 3 : 2, (int64_t[]){1, ROWS, width});
    memcpy((void *)(uintptr_t)t.data, values, tensor_bytes(&t));
    return t;
}

static Tensor classes(Arena *a, const int64_t *values) {
    Tensor t = tensor_ints(a, DTYPE_S32, ROWS, values);
    t.rank = 2;
    t.dims[0] = 1;
    t.dims[1] = ROWS;
    return t;
}

typedef struct {
    Tensor t[3]; /* scores [1,4], boxes [1,4,2], classes [1,4] */
} Detections;

static Detections detections(Arena *a, const float *scores, const float *boxes, const int64_t *kinds) {
    return (Detections){{floats(a, 0, scores), floats(a, 2, boxes), classes(a, kinds)}};
}

/* Whether the detections agree within 1e-4 of the largest. */
static bool agree(const Detections *got, const Detections *want) {
    Comparison c[3];
    for (int i = 0; i < 3; i++) c[i] = compare_tensors(&got->t[i], &want->t[i], 1e-4, 0);
    compare_rankings(c, got->t, want->t, 3);
    return c[0].ok && c[1].ok && c[2].ok;
}

static const float scores[ROWS] = {0.9f, 0.5f, 0.49999f, 0.1f};
static const float boxes[ROWS * 2] = {0, 1, 2, 3, 4, 5, 6, 7};
static const int64_t kinds[ROWS] = {1, 2, 3, 4};

static void test_rows_of_equal_score_change_places(void **state) {
    (void)state;
    Arena *a = arena_new();
    const Detections want = detections(a, scores, boxes, kinds);
    const Detections same = detections(a, scores, (float[]){0, 1, 4, 5, 2, 3, 6, 7}, (int64_t[]){1, 3, 2, 4});
    assert_true(agree(&same, &want));
    arena_free(a);
}

static void test_other_rows_do_not(void **state) {
    (void)state;
    Arena *a = arena_new();
    const Detections want = detections(a, scores, boxes, kinds);
    const Detections far = detections(a, scores, (float[]){2, 3, 0, 1, 4, 5, 6, 7}, (int64_t[]){2, 1, 3, 4});
    assert_false(agree(&far, &want)); /* 0.9 and 0.5 are no tie */
    const Detections torn = detections(a, scores, (float[]){0, 1, 4, 5, 2, 3, 6, 7}, kinds);
    assert_false(agree(&torn, &want)); /* the boxes moved, their classes stayed */
    const Detections twice = detections(a, scores, (float[]){0, 1, 2, 3, 2, 3, 6, 7}, (int64_t[]){1, 2, 2, 4});
    assert_false(agree(&twice, &want)); /* one of them twice */
    arena_free(a);
}

static void test_rounding_is_the_distance_to_f64(void **state) {
    (void)state;
    Arena *a = arena_new();
    const Detections want = detections(a, scores, boxes, kinds);
    Tensor exact[3] = {tensor_new(a, DTYPE_F64, 2, want.t[0].dims), tensor_new(a, DTYPE_F64, 3, want.t[1].dims),
                       want.t[2]};
    for (int64_t i = 0; i < ROWS; i++) tensor_set_f64(&exact[0], i, (double)scores[i] + (i == 3 ? 0.25 : 0));
    static const double moved[ROWS * 2] = {0, 1, 4, 5, 2, 3.5, 6, 7}; /* rows 1 and 2 changed places */
    for (int64_t i = 0; i < ROWS * 2; i++) tensor_set_f64(&exact[1], i, moved[i]);
    double rounding[3];
    compare_rounding(rounding, exact, want.t, 3);
    assert_true(rounding[0] == 0.25 && rounding[1] == 0.5 && rounding[2] == 0);
    arena_free(a);
}

static void test_nan_and_infinity(void **state) {
    (void)state;
    Arena *a = arena_new();
    const Tensor want = floats(a, 0, (float[]){NAN, INFINITY, 100, 1});
    const Tensor near = floats(a, 0, (float[]){NAN, INFINITY, 100.001f, 1}),
                 far = floats(a, 0, (float[]){0, 0, 100, 1});
    const Comparison good = compare_tensors(&near, &want, 2e-5, 0), bad = compare_tensors(&far, &want, 2e-5, 0);
    assert_true(good.ok && good.max_want == 100 && good.worst == 2);
    assert_true(!bad.ok && isinf(bad.max_difference) && bad.worst == 0);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_equal_score_change_places),
        cmocka_unit_test(test_other_rows_do_not),
        cmocka_unit_test(test_rounding_is_the_distance_to_f64),
        cmocka_unit_test(test_nan_and_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
