/* Checkpoints: tables raw and compressed, whole and sliced tensors, and damage of every part. */
#include "../fuzz/table_build.h"

#include "messages.h"

/* A checkpoint in memory: entries are added to `block`, their bytes to `data`. */
typedef struct {
    Str block, data;
    Crc32c crc;
} Builder;

static void builder_init(Builder *b) {
    str_init(&b->block, arena);
    str_init(&b->data, arena);
    crc32c_init(&b->crc);
}

/* BundleEntryProto of f32 tensor of these dims with its bytes appended to the data. */
static void add_tensor(Builder *b, const void *key, size_t key_len, int rank, const int64_t *dims, const float *values,
                       const char *slices, size_t n_slices) {
    Str e, shape;
    str_init(&e, arena);
    str_init(&shape, arena);
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        char dim[] = {0x12, 2, 8, (char)dims[i]};
        str_add_bytes(&shape, dim, 4);
        count *= (size_t)dims[i];
    }
    str_add_bytes(&e, "\x08\x01\x12", 3);
    table_add_varint(&e, shape.len);
    str_add_bytes(&e, shape.data, shape.len);
    if (n_slices) {
        str_add_bytes(&e, slices, n_slices);
    } else {
        str_add_bytes(&e, "\x20", 1);
        table_add_varint(&e, b->data.len);
        str_add_bytes(&e, "\x28", 1);
        table_add_varint(&e, count * 4);
        uint32_t crc = crc32c_mask(crc32c_add(&b->crc, 0, values, count * 4));
        str_add_bytes(&e, "\x35", 1);
        str_add_bytes(&e, &crc, 4);
        str_add_bytes(&b->data, values, count * 4);
    }
    table_add_entry(&b->block, key, key_len, e.data, e.len);
}

/* Opens what was built, with one data file. */
static bool open_built(Builder *b, bool compressed, Checkpoint *c) {
    static const char restarts[8] = {0, 0, 0, 0, 1, 0, 0, 0};
    Str file;
    str_init(&file, arena);
    str_add_bytes(&b->block, restarts, 8);
    table_build(&file, b->block.data, b->block.len, compressed);
    *c = (Checkpoint){.arena = arena,
                      .prefix = "test",
                      .n_shards = 1,
                      .shards = NEW(arena, FileMap),
                      .shard_open = NEW(arena, bool),
                      .crc = b->crc};
    map_init(&c->entries, arena);
    c->shards[0] = (FileMap){.data = (const uint8_t *)b->data.data, .size = b->data.len};
    c->shard_open[0] = true;
    return table_read(arena, (const uint8_t *)file.data, file.len, "test.index", &c->entries, &c->values, &d);
}

static void test_crc(void **state) {
    (void)state;
    Crc32c c;
    crc32c_init(&c);
    assert_int_equal(crc32c_add(&c, 0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_add(&c, crc32c_add(&c, 0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(crc32c_add(&c, 0, "12345678123456781", 17),
                     crc32c_add(&c, crc32c_add(&c, 0, "123456781", 9), "23456781", 8));
}

static void test_raw_and_compressed(void **state) {
    (void)state;
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    for (int compressed = 0; compressed < 2; compressed++) {
        Builder b;
        Checkpoint c;
        Tensor t;
        builder_init(&b);
        add_tensor(&b, "dense/kernel", 12, 2, (int64_t[]){2, 3}, values, NULL, 0);
        add_tensor(&b, "scalar", 6, 0, NULL, values + 4, NULL, 0);
        assert_true(open_built(&b, compressed, &c));
        assert_true(checkpoint_has(&c, "scalar"));
        assert_true(checkpoint_tensor(&c, "dense/kernel", "", &t, &d));
        assert_int_equal(t.rank, 2);
        assert_ptr_equal(t.data, b.data.data); /* not copied */
        assert_true(checkpoint_tensor(&c, "dense/kernel", "2 3 0,2:1,2", &t, &d));
        assert_int_equal(t.dims[1], 2);
        assert_memory_equal(t.data, ((float[]){2, 3, 5, 6}), 16);
        assert_true(checkpoint_tensor(&c, "scalar", "", &t, &d));
        assert_true(tensor_get_f64(&t, 0) == 5.0);
        assert_false(checkpoint_tensor(&c, "dense/kernel", "2 3 0,2:1,3", &t, &d));
        assert_true(has_message("in a slice that does not fit"));
        assert_false(checkpoint_tensor(&c, "nothing", "", &t, &d));
    }
}

/* Keys as TensorFlow writes them: slice 0,2:1,2 of "v" is 00 'v' 00 01 | rank 01 02 | 80 82 | 81 82. The second
   variable starts beyond what fits in one byte: 100 is c0 64. */
static void test_slices(void **state) {
    (void)state;
    static const char left[] = "\0v\0\1\1\2\x80\x82\x80\x81", right[] = "\0v\0\1\1\2\x80\x82\x81\x82";
    Builder b;
    Checkpoint c;
    Tensor t;
    builder_init(&b);
    add_tensor(&b, left, sizeof left - 1, 2, (int64_t[]){2, 1}, (float[]){1, 4}, NULL, 0);
    add_tensor(&b, right, sizeof right - 1, 2, (int64_t[]){2, 2}, (float[]){2, 3, 5, 6}, NULL, 0);
    static const char slices[] =
        "\x3a\x0a\x0a\x04\x08\x00\x10\x02\x0a\x02\x10\x01\x3a\x0c\x0a\x04\x08\x00\x10\x02\x0a\x04\x08\x01\x10\x02";
    add_tensor(&b, "v", 1, 2, (int64_t[]){2, 3}, NULL, slices, sizeof slices - 1);
    assert_true(open_built(&b, false, &c));
    assert_true(checkpoint_tensor(&c, "v", "", &t, &d));
    assert_memory_equal(t.data, ((float[]){1, 2, 3, 4, 5, 6}), 24);
    assert_true(checkpoint_tensor(&c, "v", "2 3 1,1:-", &t, &d));
    assert_memory_equal(t.data, ((float[]){4, 5, 6}), 12);
}

static void test_slice_keys_of_many_bytes(void **state) {
    (void)state;
    /* [0,100) and [100,101) of u[101]; length 100 and start 100 are two-byte numbers */
    static const char low[] = "\0u\0\1\1\1\x80\xc0\x64", high[] = "\0u\0\1\1\1\xc0\x64\x81";
    static const char slices[] = "\x3a\x06\x0a\x04\x08\x00\x10\x64\x3a\x06\x0a\x04\x08\x64\x10\x01";
    float values[101];
    for (int i = 0; i < 101; i++) values[i] = (float)i;
    Builder b;
    Checkpoint c;
    Tensor t;
    builder_init(&b);
    add_tensor(&b, low, sizeof low - 1, 1, (int64_t[]){100}, values, NULL, 0);
    add_tensor(&b, high, sizeof high - 1, 1, (int64_t[]){1}, values + 100, NULL, 0);
    add_tensor(&b, "u", 1, 1, (int64_t[]){101}, NULL, slices, sizeof slices - 1);
    assert_true(open_built(&b, true, &c));
    assert_true(checkpoint_tensor(&c, "u", "", &t, &d));
    assert_memory_equal(t.data, values, sizeof values);
}

static void test_damage(void **state) {
    (void)state;
    Builder b;
    Checkpoint c;
    Tensor t;
    builder_init(&b);
    add_tensor(&b, "v", 1, 1, (int64_t[]){2}, (float[]){1, 2}, NULL, 0);
    add_tensor(&b, "w", 1, 1, (int64_t[]){2}, (float[]){3, 4}, NULL, 0);
    assert_true(open_built(&b, false, &c));
    b.data.data[0] ^= 1;
    assert_false(checkpoint_tensor(&c, "v", "", &t, &d));
    assert_true(has_message("wrong checksum"));
    c.shards[0].size = 12;
    assert_false(checkpoint_tensor(&c, "w", "", &t, &d));
    assert_true(has_message("runs past the end of its data file"));
}

static void test_damaged_table(void **state) {
    (void)state;
    Str file;
    Map keys;
    TableValues values = {0};
    str_init(&file, arena);
    table_build(&file, "\0\1\1k=\0\0\0\0\1\0\0\0", 13, false);
    map_init(&keys, arena);
    assert_true(table_read(arena, (const uint8_t *)file.data, file.len, "t", &keys, &values, &d));
    assert_int_equal(keys.entries.len, 1);
    for (size_t i = 0; i < file.len; i++) { /* whatever byte is wrong: a message, or the very same content */
        uint8_t *copy = arena_memdup(arena, file.data, file.len);
        copy[i] ^= 0x10;
        Map again;
        map_init(&again, arena);
        TableValues v = {0};
        uint32_t before = d.n_errors;
        bool ok = table_read(arena, copy, file.len, "t", &again, &v, &d);
        assert_true(ok ? again.entries.len == 1 : d.n_errors > before);
    }
    for (size_t n = 0; n < file.len; n++) {
        Map again;
        map_init(&again, arena);
        assert_false(table_read(arena, (const uint8_t *)file.data, n, "t", &again, &values, &d));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_crc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_raw_and_compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slice_keys_of_many_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
