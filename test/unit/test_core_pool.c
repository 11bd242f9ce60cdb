/* The thread pool: every unit once, whatever the number of threads; shared by callers; sleepers wake. Run under TSan
 * too (test/tsan). */
#include "core/core.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { UNITS = 1000 };

static int32_t count(void *const *b, const int64_t *dims, int64_t begin, int64_t end) {
    int32_t *hits = b[0];
    for (int64_t i = begin; i < end; i++) hits[i] += (int32_t)dims[0];
    return 0;
}

static int32_t fail_late(void *const *b, const int64_t *dims, int64_t begin, int64_t end) {
    (void)b, (void)dims;
    return begin >= UNITS / 2 || end == UNITS ? TFOPT_OUT_OF_RANGE : 0;
}

static void run_steps(TfoptPool *p, int threads, int64_t units, int turns) {
    int32_t hits[UNITS] = {0};
    void *const args[] = {hits};
    int64_t dims[] = {1};
    for (int i = 0; i < turns; i++) assert_int_equal(core_pool_run(p, threads, count, args, dims, units), 0);
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
        assert_int_equal(core_pool_run(p, threads, fail_late, args, NULL, UNITS), TFOPT_OUT_OF_RANGE);
        tfopt_pool_free(p);
    }
    TfoptPool *p;
    assert_int_equal(tfopt_pool_new(0, &p), TFOPT_INVALID_ARGUMENT);
}

static void *caller(void *arg) {
    TfoptPool *p = arg;
    for (int i = 0; i < 20; i++) {
        core_pool_lock(p);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_unit_once), cmocka_unit_test(test_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
