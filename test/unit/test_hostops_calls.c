/* Host functions called directly: ties, NaN, empty tensors, strings and the state of tables. */
#include "host_bench.h"

static void test_where_counts_nan_and_not_minus_zero(void **state) {
    (void)state;
    Bench *b = bench_new();
    float x[] = {0, -0.0f, NAN, 2};
    input(b, TFOPT_F32, 2, (int64_t[]){2, 2}, x);
    output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_where(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[0].dims[0], 2);
    const int64_t want[] = {1, 0, 1, 1};
    assert_memory_equal(b->outputs[0].data, want, sizeof want);
    bench_free(b);
}

static void test_top_k_takes_the_first_of_equals(void **state) {
    (void)state;
    Bench *b = bench_new();
    int32_t x[] = {3, 5, 5, 1, 5}, k = 3;
    input(b, TFOPT_S32, 1, (int64_t[]){5}, x);
    input(b, TFOPT_S32, 0, NULL, &k);
    output(b, TFOPT_S32);
    output(b, TFOPT_S32);
    assert_int_equal(tfopt_host_top_k(&b->call), TFOPT_OK);
    const int32_t want[] = {1, 2, 4};
    assert_memory_equal(b->outputs[1].data, want, sizeof want);
    bench_free(b);
}

static void test_suppression_of_nothing(void **state) {
    (void)state;
    Bench *b = bench_new();
    int32_t most = 3;
    float iou = 0.5f, score = 0;
    input(b, TFOPT_F32, 2, (int64_t[]){0, 4}, NULL);
    input(b, TFOPT_F32, 1, (int64_t[]){0}, NULL);
    input(b, TFOPT_S32, 0, NULL, &most);
    input(b, TFOPT_F32, 0, NULL, &iou);
    input(b, TFOPT_F32, 0, NULL, &score);
    output(b, TFOPT_S32);
    assert_int_equal(tfopt_host_non_max_suppression_v3(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[0].dims[0], 0);
    bench_free(b);
}

static void test_unique_keeps_every_nan(void **state) {
    (void)state;
    Bench *b = bench_new();
    float x[] = {NAN, 0, -0.0f, NAN};
    input(b, TFOPT_F32, 1, (int64_t[]){4}, x);
    output(b, TFOPT_F32);
    output(b, TFOPT_S32);
    assert_int_equal(tfopt_host_unique(&b->call), TFOPT_OK);
    assert_int_equal(b->outputs[0].dims[0], 3);
    const int32_t want[] = {0, 1, 1, 2};
    assert_memory_equal(b->outputs[1].data, want, sizeof want);
    bench_free(b);
}

static void test_segment_id_out_of_range_is_an_error(void **state) {
    (void)state;
    Bench *b = bench_new();
    float x[] = {1, 2};
    int32_t ids[] = {0, 7}, n = 2;
    input(b, TFOPT_F32, 1, (int64_t[]){2}, x);
    input(b, TFOPT_S32, 1, (int64_t[]){2}, ids);
    input(b, TFOPT_S32, 0, NULL, &n);
    output(b, TFOPT_F32);
    assert_int_equal(tfopt_host_unsorted_segment_sum(&b->call), TFOPT_INVALID_ARGUMENT);
    assert_non_null(strstr(b->call.error, "7"));
    bench_free(b);
}

/* pattern, rewrite, text, what RE2 makes of it */
static void test_regex_replace(void **state) {
    (void)state;
    static const char *const rows[][4] = {{"a|ab", "<\\0>", "abab", "<a>b<a>b"},
                                          {"(a+?)(b*)", "\\2\\1", "aabb", "abba"},
                                          {"x*", "-", "abc", "-a-b-c-"},
                                          {"[^a-c]", ".", "abcd", "abc."},
                                          {"\\bfoo\\b", "bar", "foo food", "bar food"},
                                          {"(?i)HELLO", "hi", "Hello", "hi"},
                                          {"(\\d{2,3})", "#", "1 22 333 4444", "1 # # #4"},
                                          {"^a|b$", "", "aabb", "ab"},
                                          {"[[:space:]]+", " ", "a \t b", "a b"},
                                          {".", "x", "\xc3\xa9z", "xx"},
                                          {"(a|b)*c", "[\\1]", "abac", "[a]"},
                                          {"a{0}b", "-", "ab", "a-"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bench *b = bench_new();
        TfoptString text = {rows[i][2], strlen(rows[i][2])};
        input(b, TFOPT_STRING, 0, NULL, &text);
        output(b, TFOPT_STRING);
        string_attr(b, "pattern", rows[i][0]);
        string_attr(b, "rewrite", rows[i][1]);
        assert_int_equal(tfopt_host_static_regex_replace(&b->call), TFOPT_OK);
        const TfoptString *got = b->outputs[0].data;
        if (!tfopt_string_equal(*got, rows[i][3]))
            fail_msg("row %d: '%s' gives '%.*s'", (int)i, rows[i][0], (int)got->size, got->data);
        bench_free(b);
    }
}

static void test_bad_patterns_are_refused(void **state) {
    (void)state;
    static const char *const rows[] = {"(", ")", "[a", "a**(", "*a", "\\", "a{2,1}", "(?z)"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bench *b = bench_new();
        TfoptString text = {"a", 1};
        input(b, TFOPT_STRING, 0, NULL, &text);
        output(b, TFOPT_BOOL);
        string_attr(b, "pattern", rows[i]);
        assert_int_equal(tfopt_host_static_regex_full_match(&b->call), TFOPT_INVALID_ARGUMENT);
        bench_free(b);
    }
}

static void test_tables_find_what_was_put_in(void **state) {
    (void)state;
    Bench *make = bench_new(), *fill = bench_new(), *find = bench_new();
    int_attr(make, "key_dtype", TFOPT_STRING);
    int_attr(make, "value_dtype", TFOPT_S64);
    output(make, TFOPT_RESOURCE);
    assert_int_equal(tfopt_host_hash_table(&make->call), TFOPT_OK);
    TfoptString keys[] = {{"a", 1}, {"", 0}, {"long key", 8}}, asked[] = {{"", 0}, {"b", 1}, {"a", 1}};
    int64_t values[] = {1, 2, 3}, missing = -1;
    input(fill, TFOPT_RESOURCE, 0, NULL, make->outputs[0].data);
    input(fill, TFOPT_STRING, 1, (int64_t[]){3}, keys);
    input(fill, TFOPT_S64, 1, (int64_t[]){3}, values);
    for (int i = 0; i < 2; i++) assert_int_equal(tfopt_host_table_import(&fill->call), TFOPT_OK);
    input(find, TFOPT_RESOURCE, 0, NULL, make->outputs[0].data);
    input(find, TFOPT_STRING, 1, (int64_t[]){3}, asked);
    input(find, TFOPT_S64, 0, NULL, &missing);
    output(find, TFOPT_S64);
    assert_int_equal(tfopt_host_table_find(&find->call), TFOPT_OK);
    const int64_t want[] = {2, -1, 1};
    assert_memory_equal(find->outputs[0].data, want, sizeof want);
    bench_free(find);
    bench_free(fill);
    bench_free(make);
}

static void test_truncated_example_is_an_error(void **state) {
    (void)state;
    Bench *b = bench_new();
    TfoptString example = {"\x0a\x7f\x0a", 3}, none = {"", 0};
    input(b, TFOPT_STRING, 1, (int64_t[]){1}, &example);
    for (int i = 0; i < 4; i++) input(b, TFOPT_STRING, 1, (int64_t[]){0}, &none);
    assert_int_equal(tfopt_host_parse_example_v2(&b->call), TFOPT_INVALID_ARGUMENT);
    bench_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_counts_nan_and_not_minus_zero),
        cmocka_unit_test(test_top_k_takes_the_first_of_equals),
        cmocka_unit_test(test_suppression_of_nothing),
        cmocka_unit_test(test_unique_keeps_every_nan),
        cmocka_unit_test(test_segment_id_out_of_range_is_an_error),
        cmocka_unit_test(test_regex_replace),
        cmocka_unit_test(test_bad_patterns_are_refused),
        cmocka_unit_test(test_tables_find_what_was_put_in),
        cmocka_unit_test(test_truncated_example_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
