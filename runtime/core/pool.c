/* pool: threads that share parallel steps with the caller. A step is published by a counter; every thread computes the
   share of units that its number gives it, so results do not depend on timing; the caller waits until all are done.
   Workers watch the counter for about 50 microseconds, then sleep until the next step wakes them. One run at a time
   uses the pool. */
#include "core/core.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPIN_NS = 50000, CHECKS_PER_CLOCK = 64, LINE = 64, MOST_THREADS = 1024 };

/* What the caller publishes before it counts `step` up. */
typedef struct {
    TfoptKernelFn *fn;
    void *const *args;
    const int64_t *dims;
    int64_t units;
    int threads; /* that take part */
} Job;

typedef struct {
    _Alignas(LINE) int32_t status;
    TfoptPool *pool;
    int number;
    pthread_t thread;
} Worker;

struct TfoptPool {
    _Alignas(LINE) atomic_uint step;    /* jobs published so far */
    _Alignas(LINE) atomic_uint working; /* workers that have not finished the job */
    _Alignas(LINE) Job job;
    _Alignas(LINE) atomic_int sleepers;
    atomic_bool stop;
    int threads;
    pthread_mutex_t sleep_lock;
    pthread_cond_t wake;
    pthread_mutex_t run_lock;
    Worker *workers; /* threads - 1 */
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Units [begin, end) of thread t of n: contiguous, even, the same at every run. */
static int32_t compute_share(const Job *job, int t) {
    int64_t n = job->threads, base = job->units / n, more = job->units % n;
    int64_t begin = base * t + (t < more ? t : more), end = begin + base + (t < more);
    return begin < end ? job->fn(job->args, job->dims, begin, end) : 0;
}

/* Waits until the step counter is no longer `seen`. */
static void wait_for_step(TfoptPool *p, unsigned seen) {
    uint64_t give_up = 0;
    for (unsigned i = 0;; i++) {
        if (atomic_load_explicit(&p->step, memory_order_acquire) != seen) return;
        relax();
        if (i % CHECKS_PER_CLOCK != 0) continue;
        uint64_t now = core_now_ns();
        if (!give_up) give_up = now + SPIN_NS;
        if (now > give_up) break;
    }
    pthread_mutex_lock(&p->sleep_lock);
    atomic_fetch_add(&p->sleepers,
                     1); /* sequentially consistent with the step: the caller sees us asleep or we see the step */
    while (atomic_load(&p->step) == seen) pthread_cond_wait(&p->wake, &p->sleep_lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->sleep_lock);
}

static void publish(TfoptPool *p) {
    atomic_fetch_add(&p->step, 1);
    if (atomic_load(&p->sleepers) == 0) return;
    pthread_mutex_lock(&p->sleep_lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->sleep_lock);
}

static void *worker_main(void *arg) {
    Worker *w = arg;
    TfoptPool *p = w->pool;
    for (unsigned seen = 0;; seen++) {
        wait_for_step(p, seen);
        if (atomic_load_explicit(&p->stop, memory_order_relaxed)) return NULL;
        w->status = w->number < p->job.threads ? compute_share(&p->job, w->number) : 0;
        atomic_fetch_sub_explicit(&p->working, 1, memory_order_release);
    }
}

static void wait_for_workers(TfoptPool *p) {
    uint64_t yield_from = 0;
    for (unsigned i = 0; atomic_load_explicit(&p->working, memory_order_acquire) != 0; i++) {
        relax();
        if (i % CHECKS_PER_CLOCK != CHECKS_PER_CLOCK - 1) continue;
        uint64_t now = core_now_ns();
        if (!yield_from) yield_from = now + SPIN_NS;
        if (now > yield_from) sched_yield(); /* more threads than processors */
    }
}

int32_t core_pool_run(TfoptPool *p, int threads, TfoptKernelFn *fn, void *const *args, const int64_t *dims,
                      int64_t units) {
    if (threads > units) threads = (int)units;
    if (threads <= 1) return fn(args, dims, 0, units);
    p->job = (Job){fn, args, dims, units, threads};
    atomic_store_explicit(&p->working, (unsigned)p->threads - 1, memory_order_relaxed);
    publish(p);
    int32_t status = compute_share(&p->job, 0);
    wait_for_workers(p);
    for (int i = 0; i < threads - 1 && !status; i++)
        status = p->workers[i].status; /* of the lowest thread, whoever was first */
    return status;
}

void core_pool_lock(TfoptPool *p) {
    pthread_mutex_lock(&p->run_lock);
}
void core_pool_unlock(TfoptPool *p) {
    pthread_mutex_unlock(&p->run_lock);
}
int core_pool_threads(const TfoptPool *p) {
    return p->threads;
}

static void stop_workers(TfoptPool *p, int n) {
    atomic_store(&p->stop, true);
    publish(p);
    for (int i = 0; i < n; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_mutex_destroy(&p->run_lock);
    pthread_mutex_destroy(&p->sleep_lock);
    pthread_cond_destroy(&p->wake);
    free(p->workers);
    free(p);
}

TfoptStatus tfopt_pool_new(int threads, TfoptPool **out) {
    *out = NULL;
    if (threads < 1 || threads > MOST_THREADS) return TFOPT_INVALID_ARGUMENT;
    TfoptPool *p = aligned_alloc(LINE, sizeof *p);
    Worker *workers = aligned_alloc(LINE, sizeof *workers * (size_t)threads);
    if (!p || !workers) {
        free(p);
        free(workers);
        return TFOPT_NO_MEMORY;
    }
    *p = (TfoptPool){.threads = threads, .workers = workers};
    pthread_mutex_init(&p->sleep_lock, NULL);
    pthread_mutex_init(&p->run_lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < threads - 1; i++) {
        workers[i] = (Worker){.pool = p, .number = i + 1};
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i])) {
            stop_workers(p, i);
            return TFOPT_NO_MEMORY;
        }
    }
    *out = p;
    return TFOPT_OK;
}

void tfopt_pool_free(TfoptPool *p) {
    if (p) stop_workers(p, p->threads - 1);
}
