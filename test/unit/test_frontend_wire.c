/* Binary messages: what is read, and that nothing is read past an end. */
#include "base/str.h"
#include "frontend/message.h"
#include "graph.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

typedef struct {
    Arena *arena;
    Diag d;
} Fixture;

static int setup(void **state) {
    Arena *arena = arena_new();
    Fixture *f = NEW(arena, Fixture);
    f->arena = arena;
    diag_init(&f->d, arena, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    arena_free(((Fixture *)*state)->arena);
    return 0;
}

static void *read_bytes(Fixture *f, const ProtobufCMessageDescriptor *type, const void *bytes, size_t n) {
    return wire_read(f->arena, type, bytes, n, "message", &f->d);
}

static const char *last_message(const Fixture *f) {
    return f->d.entries.len ? f->d.entries.data[f->d.entries.len - 1].message : "";
}

static void test_varint(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"\x00", 1, true, 0},
        {"\x7f", 1, true, 127},
        {"\x80\x01", 2, true, 128},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX},
        {"\x80", 1, false, 0},
        {"", 0, false, 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint8_t *p = (const uint8_t *)cases[i].bytes;
        uint64_t value = 0;
        assert_int_equal(wire_varint(&p, p + cases[i].n, &value), cases[i].ok);
        if (cases[i].ok) assert_true(value == cases[i].value && p == (const uint8_t *)cases[i].bytes + cases[i].n);
    }
}

static void test_fields(void **state) {
    Fixture *f = *state;
    /* NodeDef: name "n", op "Add", input "a", input "b:1", unknown field 99, an attribute T = DT_FLOAT */
    static const char bytes[] = "\x0a\x01n\x12\x03"
                                "Add\x1a\x01"
                                "a\x1a\x03"
                                "b:1\x98\x06\x05\x2a\x07\x0a\x01T\x12\x02\x30\x01";
    const Pb__NodeDef *n = read_bytes(f, &pb__node_def__descriptor, bytes, sizeof bytes - 1);
    assert_non_null(n);
    assert_string_equal(n->name, "n");
    assert_string_equal(n->op, "Add");
    assert_string_equal(n->device, "");
    assert_int_equal(n->n_input, 2);
    assert_string_equal(n->input[1], "b:1");
    assert_int_equal(n->n_attr, 1);
    assert_string_equal(n->attr[0]->key, "T");
    assert_int_equal(n->attr[0]->value->value_case, PB__ATTR_VALUE__VALUE_TYPE);
    assert_int_equal(n->attr[0]->value->type, 1);
}

/* Packed and single elements of the same list may alternate, and content of type bytes is not copied. */
static void test_lists(void **state) {
    Fixture *f = *state;
    static const char bytes[] = "\x3a\x03\x01\xac\x02\x38\x05\x3a\x01\x07\x22\x04wxyz\x2d\x00\x00\x80\x3f";
    const Pb__TensorProto *t = read_bytes(f, &pb__tensor_proto__descriptor, bytes, sizeof bytes - 1);
    assert_non_null(t);
    assert_int_equal(t->n_int_val, 4);
    assert_int_equal(t->int_val[0], 1);
    assert_int_equal(t->int_val[1], 300);
    assert_int_equal(t->int_val[2], 5);
    assert_int_equal(t->int_val[3], 7);
    assert_int_equal(t->tensor_content.len, 4);
    assert_ptr_equal(t->tensor_content.data, (const uint8_t *)strstr(bytes + 10, "wxyz"));
    assert_int_equal(t->n_float_val, 1);
    assert_true(t->float_val[0] == 1.0f);
}

static void test_last_of_a_oneof_wins(void **state) {
    Fixture *f = *state;
    const Pb__AttrValue *v = read_bytes(f, &pb__attr_value__descriptor, "\x12\x02hi\x18\x2a", 6);
    assert_int_equal(v->value_case, PB__ATTR_VALUE__VALUE_I);
    assert_int_equal(v->i, 42);
}

static void test_damage(void **state) {
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } cases[] = {
        {"\x0a\x05n", 3, "a length that runs past the end"},
        {"\x0a", 1, "a bad varint"},
        {"\x08\x01", 2, "a field of the wrong type"},
        {"\x0b", 1, "an unknown wire type"},
        {"\x00\x00", 2, "a tag that cannot be"},
        {"\x0a\x02n\x00", 4, "a name with a NUL byte"},
        {"\x2a\x04\x0a\x07T\x12", 6, "a length that runs past the end"},
        {"\x9d\x06\x00", 3, "a number that runs past the end"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_null(read_bytes(f, &pb__node_def__descriptor, cases[i].bytes, cases[i].n));
        assert_non_null(strstr(last_message(f), cases[i].why));
        assert_non_null(strstr(last_message(f), "at byte"));
    }
}

static void test_depth_is_bounded(void **state) {
    Fixture *f = *state;
    /* AttrValue → func → attr → value → … */
    Str inner, outer;
    str_init(&inner, f->arena);
    for (int i = 0; i < 400; i++) {
        static const char tags[] = {0x12, 0x52,
                                    0x12}; /* from inside: NameAttrList.attr, AttrValue.func, AttrEntry.value */
        str_init(&outer, f->arena);
        str_add_bytes(&outer, &tags[i % 3], 1);
        for (size_t n = inner.len;; n >>= 7) {
            str_add_bytes(&outer, &(char){(char)((n & 127) | (n > 127 ? 128 : 0))}, 1);
            if (n <= 127) break;
        }
        str_add_bytes(&outer, inner.data, inner.len);
        inner = outer;
    }
    assert_null(read_bytes(f, &pb__name_attr_list__descriptor, inner.data, inner.len));
    assert_non_null(strstr(last_message(f), "more than 100 messages inside each other"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint),
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_of_a_oneof_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
