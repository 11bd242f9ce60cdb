/* Dims: normal form, exact division, ranges, text. */
#include "ir/dim.h"
#include "ir/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

typedef struct {
    Arena *arena;
    DimTable t;
    Dim batch, s;
} Fixture;

static void setup(Fixture *f) {
    f->arena = arena_new();
    dim_table_init(&f->t, f->arena);
    f->batch = dim_symbol(&f->t, "batch", 1, INT64_MAX);
    f->s = dim_symbol(&f->t, NULL, 0, 100);
}

static const char *text(Fixture *f, Dim d) {
    Str s;
    str_init(&s, f->arena);
    dim_print(&f->t, d, &s);
    return str_text(&s);
}

static Dim parse(Fixture *f, const char *source) {
    Dim d = {0};
    const char *p = source;
    assert_true(dim_parse(&f->t, &p, &d));
    assert_int_equal(*p, 0);
    return d;
}

static void equal_polynomials_are_equal_dims(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim a = dim_mul(&f.t, dim_add(&f.t, f.batch, dim_const(1)), dim_add(&f.t, f.s, dim_const(2)));
    Dim b = parse(&f, "s1*batch + 2*batch + 2 + s1");
    assert_true(dim_equal(a, b));
    assert_true(dim_equal(dim_sub(&f.t, a, b), dim_const(0)));
    assert_string_equal(text(&f, a), "batch*s1+batch*2+s1+2");
    arena_free(f.arena);
}

static void division_is_exact_where_it_can_be(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim image = parse(&f, "batch*7*7*64");
    assert_true(dim_equal(dim_floordiv(&f.t, image, dim_const(3136)), f.batch));
    assert_true(dim_equal(dim_floordiv(&f.t, image, f.batch), dim_const(3136)));
    assert_true(
        dim_equal(dim_floordiv(&f.t, parse(&f, "batch*s1+batch*3+s1*2+6"), parse(&f, "s1+3")), parse(&f, "batch+2")));
    assert_string_equal(text(&f, parse(&f, "(s1*2+5)/2")), "s1+2");
    assert_string_equal(text(&f, parse(&f, "(s1*4+s1/2)/2")), "s1*2+s1/4");
    assert_string_equal(text(&f, dim_mod(&f.t, parse(&f, "s1*4+7"), dim_const(4))), "3");
    assert_string_equal(text(&f, parse(&f, "s1%101")), "s1");
    assert_string_equal(text(&f, parse(&f, "s1/101")), "0");
    arena_free(f.arena);
}

static void ranges_decide_minimum_and_maximum(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    assert_true(dim_equal(parse(&f, "min(s1,100)"), f.s));
    assert_true(dim_equal(parse(&f, "max(s1+1,s1)"), parse(&f, "s1+1")));
    assert_true(dim_equal(parse(&f, "min(4,s1)"), parse(&f, "min(s1,4)")));
    assert_string_equal(text(&f, parse(&f, "min(min(4,s1),s1)")), "min(s1,4)");
    assert_string_equal(text(&f, parse(&f, "broadcast(s1,broadcast(batch,s1))")),
                        text(&f, parse(&f, "broadcast(broadcast(s1,batch),batch)")));
    assert_true(dim_equal(parse(&f, "broadcast(s1,1)"), f.s));
    assert_string_equal(text(&f, parse(&f, "broadcast(s1+2,s1*3)")), "s1+2");
    int64_t low, high;
    dim_range(&f.t, parse(&f, "max(s1,10)*2-5"), &low, &high);
    assert_int_equal(low, 15);
    assert_int_equal(high, 195);
    dim_range(&f.t, parse(&f, "batch-1"), &low, &high);
    assert_int_equal(low, 0);
    assert_true(high == INT64_MAX);
    arena_free(f.arena);
}

/* Padding "SAME" of an unknown size: what is added is never negative, and the result is the size divided by the stride,
 * rounded up. */
static void padding_of_unknown_sizes_is_simple(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim out = dim_ceildiv(&f.t, f.s, 4);
    Dim padding =
        dim_sub(&f.t, dim_add(&f.t, dim_mul(&f.t, out, dim_const(4)), dim_const(3)), f.s); /* (out - 1) * 4 + 7 - in */
    assert_true(dim_equal(dim_max(&f.t, padding, dim_const(0)), padding));
    int64_t low, high;
    dim_range(&f.t, padding, &low, &high);
    assert_int_equal(low, 3);
    assert_int_equal(high, 6);
    Dim room = dim_sub(&f.t, dim_add(&f.t, f.s, padding), dim_const(7));
    assert_true(dim_equal(dim_add(&f.t, dim_floordiv(&f.t, room, dim_const(4)), dim_const(1)), out));
    arena_free(f.arena);
}

static void evaluates_and_substitutes(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim d = parse(&f, "(batch*3+s1)/4 + min(batch,s1%5)");
    int64_t values[] = {7, 12};
    assert_int_equal(dim_eval(&f.t, d, values), 8 + 2);
    Dim map[] = {dim_const(7), dim_const(12)};
    assert_true(dim_equal(dim_substitute(&f.t, d, map), dim_const(10)));
    assert_true(dim_uses(&f.t, d, 1));
    assert_false(dim_uses(&f.t, f.batch, 1));
    assert_int_equal(dim_eval(&f.t, parse(&f, "(s1-9)/2"), (int64_t[]){0, 4}), -3);
    arena_free(f.arena);
}

static void text_reads_back(void **state) {
    (void)state;
    static const char *const sources[] = {"64",           "-3",           "batch",      "batch*4+1",
                                          "(batch+1)/2",  "min(s1,4)",    "batch*-1+7", "(batch/2)*3",
                                          "batch*s1/3",   "(batch+s1)%7", "batch/2/3",  "max(batch*2,s1+1)-1",
                                          "s1/(batch+1)", "batch*(s1/2)", "(s1%3)/2"};
    Fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        Dim d = parse(&f, sources[i]);
        assert_true(dim_equal(parse(&f, text(&f, d)), d));
    }
    static const char *const wrong[] = {"", "+", "s1/0", "(s1", "min(s1)", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        Dim d;
        const char *p = wrong[i];
        assert_false(dim_parse(&f.t, &p, &d));
    }
    arena_free(f.arena);
}

/* Four sums of four terms: what is not multiplied out keeps its value and what it is divided by. */
static void large_products_keep_their_sums(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim sums[4], product = dim_const(1), map[16];
    for (int i = 0; i < 16; i++) map[i] = dim_const(i + 1);
    for (int i = 0; i < 4; i++) {
        Dim before = dim_symbol(&f.t, NULL, INT64_MIN, INT64_MAX), after = dim_symbol(&f.t, NULL, INT64_MIN, INT64_MAX);
        sums[i] = dim_add(&f.t, dim_add(&f.t, before, after), dim_add(&f.t, f.s, dim_const(i + 1)));
        product = dim_mul(&f.t, product, sums[i]);
    }
    assert_false(f.t.too_complex);
    assert_true(dim_equal(dim_substitute(&f.t, product, map), dim_const(10 * 15 * 20 * 25)));
    assert_true(dim_equal(dim_floordiv(&f.t, product, product), dim_const(1)));
    Dim first_three = dim_floordiv(&f.t, product, sums[3]);
    assert_true(dim_equal(dim_floordiv(&f.t, first_three, sums[1]), dim_mul(&f.t, sums[0], sums[2])));
    arena_free(f.arena);
}

/* A product of sums with ever more terms, and a chain that doubles with each step, end in a flag and not in all memory.
 */
static void hostile_expressions_are_bounded(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim product = dim_const(1);
    for (int i = 0; i < 20; i++) product = dim_mul(&f.t, product, dim_add(&f.t, dim_symbol(&f.t, NULL, 0, 9), f.s));
    assert_true(f.t.too_complex);
    f.t.too_complex = false;
    Dim chain = f.s;
    for (int i = 0; i < 100; i++)
        chain = dim_min(&f.t, dim_mul(&f.t, chain, chain), dim_add(&f.t, chain, dim_symbol(&f.t, NULL, 0, 9)));
    assert_true(f.t.too_complex);
    arena_free(f.arena);
}

static void constants_saturate(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Dim big = dim_const(INT64_MAX - 1);
    assert_true(dim_mul(&f.t, big, big).value == INT64_MAX);
    assert_true(dim_add(&f.t, big, big).value == INT64_MAX);
    assert_int_equal(dim_floordiv(&f.t, dim_const(-7), dim_const(2)).value, -4);
    assert_int_equal(dim_mod(&f.t, dim_const(-7), dim_const(4)).value, 1);
    assert_int_equal(dim_ceildiv(&f.t, dim_const(7), 2).value, 4);
    Shape s = shape_of(3, (int64_t[]){INT64_MAX / 2, 3, 1});
    assert_int_equal(shape_count(&s), -1);
    s.dims[2] = dim_const(0);
    assert_int_equal(shape_count(&s), 0);
    arena_free(f.arena);
}

static void symbol_names_are_unique_and_readable(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    assert_string_equal(text(&f, dim_symbol(&f.t, "batch", 0, 5)), "batch_2");
    assert_string_equal(text(&f, dim_symbol(&f.t, "a/b:0", 0, 5)), "a_b_0");
    assert_string_equal(text(&f, dim_symbol(&f.t, "7x", 0, 5)), "_7x");
    assert_string_equal(text(&f, dim_symbol(&f.t, "min", 0, 5)), "_min");
    assert_true(dim_equal(dim_find_symbol(&f.t, "batch"), f.batch));
    arena_free(f.arena);
}

static void broadcasting_with_symbols(void **state) {
    (void)state;
    Fixture f;
    setup(&f);
    Shape a = {.rank = 2, .dims = {f.batch, dim_const(3)}}, b = {.rank = 1, .dims = {dim_const(3)}}, out;
    assert_true(shape_broadcast(&f.t, &a, &b, &out) && shape_equal(&a, &out));
    Shape one = {.rank = 2, .dims = {dim_const(8), dim_const(1)}};
    assert_true(shape_broadcast(&f.t, &a, &one, &out));
    assert_true(dim_is(out.dims[0], 8) && dim_is(out.dims[1], 3));
    Shape four = {.rank = 1, .dims = {dim_const(4)}};
    assert_false(shape_broadcast(&f.t, &a, &four, &out));
    arena_free(f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_polynomials_are_equal_dims),
        cmocka_unit_test(division_is_exact_where_it_can_be),
        cmocka_unit_test(ranges_decide_minimum_and_maximum),
        cmocka_unit_test(evaluates_and_substitutes),
        cmocka_unit_test(padding_of_unknown_sizes_is_simple),
        cmocka_unit_test(text_reads_back),
        cmocka_unit_test(large_products_keep_their_sums),
        cmocka_unit_test(hostile_expressions_are_bounded),
        cmocka_unit_test(constants_saturate),
        cmocka_unit_test(symbol_names_are_unique_and_readable),
        cmocka_unit_test(broadcasting_with_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
