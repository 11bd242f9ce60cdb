/* The thread pool: every unit once, whatever the number of threads; shared by callers; sleepers wake. Run under TSan
 * too (test/tsan). */
#include "core/core.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { UNITS = 1000 };

static int32_t count(void *const *b, const int64_t *dims, int64_t begin, int64_t end) {
    int32_t *hits = b[0];
    for (int64_t i = begin; i < end; i++) hits[i] += (int32_t)dims[0];
    return 0;
}

/* A worker's first chunk ends only when every other chunk is done: whoever waits for a thread waits for ever. */
typedef struct {
    pthread_t caller;
    atomic_int computed, stuck;
} Stuck;

static int32_t stick(void *const *b, const int64_t *dims, int64_t begin, int64_t end) {
    (void)dims;
    Stuck *s = b[0];
    bool waits = !pthread_equal(pthread_self(), s->caller) && atomic_fetch_add(&s->stuck, 1) == 0;
    while (waits && atomic_load(&s->computed) < UNITS - (int)(end - begin)) usleep(100);
    atomic_fetch_add(&s->computed, (int)(end - begin));
    return 0;
}

static void test_others_take_the_chunks_of_a_late_thread(void **state) {
    (void)state;
    TfoptPool *p;
    assert_int_equal(tfopt_pool_new(2, &p), TFOPT_OK);
    for (int turn = 0; turn < 20; turn++) {
        Stuck s = {.caller = pthread_self()};
        void *const args[] = {&s};
        assert_int_equal(core_pool_run(p, (Split){2, 8, true}, stick, args, NULL, UNITS), 0);
        assert_int_equal(atomic_load(&s.computed), UNITS);
    }
    tfopt_pool_free(p);
}

static int32_t fail_late(void *const *b, const int64_t *dims, int64_t begin, int64_t end) {
    (void)b, (void)dims;
    return begin >= UNITS / 2 || end == UNITS ? TFOPT_OUT_OF_RANGE : 0;
}

static void run_steps(TfoptPool *p, int threads, int64_t units, int turns) {
    int32_t hits[UNITS] = {0};
    void *const args[] = {hits};
    int64_t dims[] = {1};
    for (int i = 0; i < turns; i++) {
        Split split = {threads, (int16_t)(i % 9), i % 2 == 0};
        assert_int_equal(core_pool_run(p, split, count, args, dims, units), 0);
    }
    for (int i = 0; i < UNITS; i++) assert_int_equal(hits[i], i < units ? turns : 0);
}

static void test_every_unit_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        TfoptPool *p;
        assert_int_equal(tfopt_pool_new(threads, &p), TFOPT_OK);
        assert_int_equal(core_pool_threads(p), threads);
        const int64_t units[] = {1, 2, 3, 7, 999, UNITS};
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) run_steps(p, threads, units[i], 20);
        if (threads > 2) run_steps(p, 2, UNITS, 10); /* fewer than there are */
        usleep(2000);                                /* the workers go to sleep */
        run_steps(p, threads, UNITS, 3);
        void *const args[] = {NULL};
        assert_int_equal(core_pool_run(p, (Split){threads, 3, true}, fail_late, args, NULL, UNITS), TFOPT_OUT_OF_RANGE);
        tfopt_pool_free(p);
    }
    TfoptPool *p;
    assert_int_equal(tfopt_pool_new(0, &p), TFOPT_INVALID_ARGUMENT);
}

static void *caller(void *arg) {
    TfoptPool *p = arg;
    for (int i = 0; i < 20; i++) {
        core_pool_lock(p, true);
        run_steps(p, 3, UNITS, 2);
        core_pool_unlock(p);
    }
    return NULL;
}

static void test_shared(void **state) {
    (void)state;
    TfoptPool *p;
    pthread_t threads[3];
    assert_int_equal(tfopt_pool_new(3, &p), TFOPT_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, caller, p), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    tfopt_pool_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_unit_once),
                                       cmocka_unit_test(test_others_take_the_chunks_of_a_late_thread),
                                       cmocka_unit_test(test_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
