/* Records: tf.Example from JSON, sequences of features; a GIF. */
#include "host_bench.h"

static int32_t decode(Bench *b, const char *json) {
    TfoptString s = {json, strlen(json)};
    b->call.n_inputs = b->call.n_outputs = 0;
    input(b, TFOPT_STRING, 0, NULL, &s);
    output(b, TFOPT_STRING);
    return tfopt_host_decode_json_example(&b->call);
}

static void test_example_from_json(void **state) {
    (void)state;
    static const char want[] = "\n\013\n\011\n\001n\022\004\032\002\010\007";
    Bench *b = bench_new();
    assert_int_equal(decode(b, "{ \"features\":{\"feature\":{\"n\":{\"int64List\":{\"value\":[\"7\"]}}}}}"), TFOPT_OK);
    const TfoptString got = *(const TfoptString *)b->outputs[0].data;
    assert_int_equal(got.size, sizeof want - 1);
    assert_memory_equal(got.data, want, sizeof want - 1);
    bench_free(b);
}

static void test_bad_json_is_an_error(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"features\":{\"feature\":{\"n\":{\"int64List\":{\"value\":[1.5]}}}}}",
                                        "{\"features\":{\"other\":{}}}",
                                        "{\"features\":{\"feature\":{\"n\":{\"bytesList\":{\"value\":[\"*\"]}}}}}",
                                        "{} x",
                                        "{\"a\\u12"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Bench *b = bench_new();
        assert_int_equal(decode(b, texts[i]), TFOPT_INVALID_ARGUMENT);
        bench_free(b);
    }
}

/* Two steps of a list of integers, of one and of two values. */
static void test_feature_lists_become_rows(void **state) {
    (void)state;
    static const char record[] =
        "\022\030\n\026\n\001n\022\021\n\006\032\004\n\002\001\002\n\007\032\005\n\003\003\004\005";
    Bench *b = bench_new();
    TfoptString serialized = {record, sizeof record - 1}, key = {"n", 1}, none = {"", 0};
    int64_t types[] = {TFOPT_S64};
    uint8_t no = 0;
    input(b, TFOPT_STRING, 0, NULL, &serialized);
    input(b, TFOPT_STRING, 0, NULL, &none);
    for (int i = 0; i < 6; i++) input(b, TFOPT_STRING, 1, (int64_t[]){i == 3}, i == 3 ? &key : &none);
    input(b, TFOPT_BOOL, 1, (int64_t[]){0}, &no);
    ints_attr(b, "feature_list_sparse_types", 1, types);
    for (int i = 0; i < 3; i++) output(b, TFOPT_S64);
    assert_int_equal(tfopt_host_parse_sequence_example_v2(&b->call), TFOPT_OK);
    const int64_t indices[] = {0, 0, 0, 1, 1, 0, 1, 1, 1, 2}, values[] = {1, 2, 3, 4, 5}, shape[] = {2, 3};
    assert_memory_equal(b->outputs[0].data, indices, sizeof indices);
    assert_memory_equal(b->outputs[1].data, values, sizeof values);
    assert_memory_equal(b->outputs[2].data, shape, sizeof shape);
    serialized.size -= 2; /* cut off in the middle */
    assert_int_equal(tfopt_host_parse_sequence_example_v2(&b->call), TFOPT_INVALID_ARGUMENT);
    bench_free(b);
}

static void test_smallest_gif(void **state) {
    (void)state;
    static const char file[] = "GIF89a\1\0\1\0\200\0\0\11\10\7\377\377\377,\0\0\0\0\1\0\1\0\0\2\2\104\1\0;";
    for (uint64_t cut = 0; cut < sizeof file - 1; cut++) {
        Bench *b = bench_new();
        TfoptString s = {file, sizeof file - 1 - cut};
        input(b, TFOPT_STRING, 0, NULL, &s);
        output(b, TFOPT_U8);
        if (cut < 1) {
            assert_int_equal(tfopt_host_decode_gif(&b->call), TFOPT_OK);
            const uint8_t want[] = {9, 8, 7};
            assert_memory_equal(b->outputs[0].data, want, sizeof want);
        } else if (cut > 1) { /* without its trailer alone a frame is still whole */
            assert_int_equal(tfopt_host_decode_gif(&b->call), TFOPT_INVALID_ARGUMENT);
        }
        bench_free(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_from_json),
        cmocka_unit_test(test_bad_json_is_an_error),
        cmocka_unit_test(test_feature_lists_become_rows),
        cmocka_unit_test(test_smallest_gif),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
