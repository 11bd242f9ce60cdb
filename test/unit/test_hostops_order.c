/* Sorting and picking by keys, sets by hashes, texts that share memory, random words in blocks: each against the plain
 * way. */
#include "host_bench.h"

#include "hostops/random.h"
#include <stdio.h>

/* Whether element a comes before b among the largest. */
static bool before(const float *x, int64_t a, int64_t b) {
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

static void test_top_k_orders_ties_by_index(void **state) {
    (void)state;
    static const float values[] = {0, -0.0f, 1, -1, 2.5f, INFINITY, -INFINITY, 1e-40f, -3, 7};
    enum { MOST = 700 };
    static float x[MOST];
    for (int64_t n = 1; n <= MOST; n += 1 + n / 3) {
        for (int64_t k = 0; k <= n; k += 1 + n / 7) {
            for (int64_t i = 0; i < n; i++) x[i] = values[i * i % 97 % 10];
            Bench *b = bench_new();
            int32_t wanted = (int32_t)k;
            input(b, TFOPT_F32, 1, (int64_t[]){n}, x);
            input(b, TFOPT_S32, 0, NULL, &wanted);
            output(b, TFOPT_F32);
            output(b, TFOPT_S32);
            assert_int_equal(tfopt_host_top_k(&b->call), TFOPT_OK);
            const float *found = b->outputs[0].data;
            const int32_t *at = b->outputs[1].data;
            for (int64_t i = 0; i < k; i++) {
                int64_t place = 0;
                for (int64_t j = 0; j < n; j++) place += before(x, j, at[i]);
                assert_int_equal(place, i);
                assert_memory_equal(&found[i], &x[at[i]], sizeof *x); /* -0 stays */
            }
            bench_free(b);
        }
    }
}

static void test_nth_element_of_wide_integers(void **state) {
    (void)state;
    int64_t x[100], count = 0;
    for (int64_t i = 0; i < 100; i++) x[i] = (i * 7919 % 100 - 50) * (INT64_C(1) << 40);
    for (int32_t n = 0; n < 100; n += 9) {
        Bench *b = bench_new();
        input(b, TFOPT_S64, 1, (int64_t[]){100}, x);
        input(b, TFOPT_S32, 0, NULL, &n);
        output(b, TFOPT_S64);
        assert_int_equal(tfopt_host_nth_element(&b->call), TFOPT_OK);
        assert_int_equal(*(const int64_t *)b->outputs[0].data, (n - 50) * (INT64_C(1) << 40));
        count++;
        bench_free(b);
    }
    assert_int_equal(count, 12);
}

/* More different values than the first table holds; a NaN equals nothing. */
static void test_unique_grows(void **state) {
    (void)state;
    enum { N = 3000 };
    static float x[N];
    for (int i = 0; i < N; i++) x[i] = (float)(i % 1000);
    x[0] = -0.0f;
    x[7] = x[9] = NAN;
    Bench *b = bench_new();
    input(b, TFOPT_F32, 1, (int64_t[]){N}, x);
    output(b, TFOPT_F32);
    output(b, TFOPT_S64);
    output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_unique(&b->call), TFOPT_OK);
    const int64_t found = b->outputs[0].dims[0], *index = b->outputs[1].data, *counts = b->outputs[2].data;
    const float *values = b->outputs[0].data;
    assert_int_equal(found, 1002); /* 7 and 9 came later, two are NaN */
    int64_t total = 0;
    for (int64_t k = 0; k < found; k++) total += counts[k];
    assert_int_equal(total, N);
    for (int i = 0; i < N; i++) assert_true(isnan(x[i]) ? isnan(values[index[i]]) : x[i] == values[index[i]]);
    assert_int_equal(counts[0], 3);
    bench_free(b);
}

static void test_where_has_rows_in_order(void **state) {
    (void)state;
    uint8_t x[2 * 3 * 4] = {0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0};
    Bench *b = bench_new();
    input(b, TFOPT_BOOL, 3, (int64_t[]){2, 3, 4}, x);
    output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_where(&b->call), TFOPT_OK);
    const int64_t *at = b->outputs[0].data, n = b->outputs[0].dims[0];
    assert_int_equal(n, 8);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(x[(at[3 * i] * 3 + at[3 * i + 1]) * 4 + at[3 * i + 2]], 1);
        assert_true(i == 0 || memcmp(at + 3 * i, at + 3 * i - 3, 3 * sizeof *at) != 0);
    }
    bench_free(b);
}

static void test_texts_taken_stay_as_they_are(void **state) {
    (void)state;
    enum { N = 500 };
    TfoptString taken[N];
    Bench *b = bench_new();
    TfoptText text = {.call = &b->call};
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < i % 40; k++) tfopt_text_print(&text, "%d,", i);
        taken[i] = tfopt_text_take(&text);
    }
    assert_false(text.failed);
    for (int i = 0; i < N; i++) {
        char want[400] = "";
        for (int k = 0; k < i % 40; k++) snprintf(want + strlen(want), 8, "%d,", i);
        assert_true(tfopt_string_equal(taken[i], want));
    }
    bench_free(b);
}

/* The low half of the counter overflows on the way. */
static void test_random_words_in_blocks(void **state) {
    (void)state;
    TfoptPhilox one = {{0xfffffff9u, 0xffffffffu, 3, 4}, {5, 6}}, many = one;
    uint32_t words[4 * TFOPT_PHILOX_BLOCKS], w[4];
    for (int round = 0; round < 3; round++) {
        tfopt_philox_words(&many, words);
        for (int i = 0; i < TFOPT_PHILOX_BLOCKS; i++) {
            tfopt_philox_next(&one, w);
            assert_memory_equal(w, words + 4 * i, sizeof w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_k_orders_ties_by_index),
        cmocka_unit_test(test_nth_element_of_wide_integers),
        cmocka_unit_test(test_unique_grows),
        cmocka_unit_test(test_where_has_rows_in_order),
        cmocka_unit_test(test_texts_taken_stay_as_they_are),
        cmocka_unit_test(test_random_words_in_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
