/* pool: threads that share parallel steps with the caller. The units of a step are cut into chunks, each thread has a
   range of them, and whoever has computed its own range takes chunks of the others': a step never waits for a thread
   that the system does not run, and in a quiet moment each thread computes the same part of every step, whose data its
   caches hold. Any partition gives the same bits. Workers watch for about 50 microseconds, then sleep; only work that
   is worth a system call wakes them. One run at a time uses the pool. */
#include "core/float_mode.h"
#include "core/core.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPIN_NS = 50000, CHECKS_PER_CLOCK = 64, LINE = 64, MOST_THREADS = 1024, CHUNK_BITS = 16 };
#define LEFT_MASK ((UINT64_C(1) << CHUNK_BITS) - 1)

/* The step that is computed now. A worker may read it while the caller writes the next one, hence the atomics; what it
   read counts only if it then takes a chunk of that job, see take_chunk. */
typedef struct {
    _Atomic(TfoptKernelFn *) fn;
    _Atomic(void *const *) args;
    _Atomic(const int64_t *) dims;
    atomic_int_fast64_t units;
    atomic_int threads, chunks; /* that take part; of each of them */
} Job;

/* A thread of the pool; number 0 is the caller. */
typedef struct {
    _Alignas(LINE) atomic_uint_fast64_t range; /* number of the job, CHUNK_BITS with the chunks left of this range */
    _Alignas(LINE) atomic_uint_fast64_t done;  /* number of the job, CHUNK_BITS with the chunks this thread computed */
    atomic_uint_fast64_t failed;               /* 0, or the lowest chunk of those that failed << 32, and its status */
    TfoptPool *pool;
    int number;
    pthread_t thread;
} Worker;

struct TfoptPool {
    _Alignas(LINE) Job job;
    uint64_t job_number; /* of the caller */
    _Alignas(LINE) atomic_int sleepers;
    atomic_bool stop;
    int threads;
    pthread_mutex_t sleep_lock;
    pthread_cond_t wake;
    pthread_mutex_t run_lock;
    Worker *workers; /* threads */
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes a chunk of the range if it still belongs to job `number`; its number in the range from the end, or 0. While a
   range has chunks left its job is not done and the caller does not touch what describes it: so what was read before
   a successful take was that job's. */
static uint64_t take_chunk(Worker *w, uint64_t number) {
    uint64_t range = atomic_load_explicit(&w->range, memory_order_acquire);
    while (range >> CHUNK_BITS == number && (range & LEFT_MASK) != 0)
        if (atomic_compare_exchange_weak_explicit(&w->range, &range, range - 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return range & LEFT_MASK;
    return 0;
}

/* Computes chunks of job `number` until none is left to take: those of the thread's own range, then others'. */
static uint64_t compute_chunks(TfoptPool *p, int self, uint64_t number) {
    Worker *me = &p->workers[self];
    int threads = atomic_load_explicit(&p->job.threads, memory_order_relaxed),
        chunks = atomic_load_explicit(&p->job.chunks, memory_order_relaxed);
    TfoptKernelFn *fn = atomic_load_explicit(&p->job.fn, memory_order_relaxed);
    void *const *args = atomic_load_explicit(&p->job.args, memory_order_relaxed);
    const int64_t *dims = atomic_load_explicit(&p->job.dims, memory_order_relaxed);
    int64_t all = (int64_t)threads * chunks, units = atomic_load_explicit(&p->job.units, memory_order_relaxed),
            base = units / all, more = units % all;
    uint64_t done = 0, left;
    for (int i = 0, t = self; i < threads; i++, t = t + 1 < threads ? t + 1 : 0)
        while ((left = take_chunk(&p->workers[t], number)) != 0) {
            int64_t c = (int64_t)t * chunks + (chunks - (int64_t)left);
            int64_t begin = base * c + (c < more ? c : more), end = begin + base + (c < more);
            int32_t status = fn(args, dims, begin, end);
            uint64_t failed = atomic_load_explicit(&me->failed, memory_order_relaxed);
            if (status && (!failed || failed >> 32 > (uint64_t)c))
                atomic_store_explicit(&me->failed, (uint64_t)c << 32 | (uint32_t)status, memory_order_relaxed);
            atomic_store_explicit(&me->done, number << CHUNK_BITS | ++done, memory_order_release);
        }
    return done;
}

/* Waits until this worker's range is of another job than `last`; that job. */
static uint64_t wait_for_job(Worker *w, uint64_t last) {
    TfoptPool *p = w->pool;
    uint64_t give_up = 0, job;
    for (unsigned i = 0;; i++) {
        if ((job = atomic_load_explicit(&w->range, memory_order_acquire) >> CHUNK_BITS) != last) return job;
        relax();
        if (i % CHECKS_PER_CLOCK != 0) continue;
        uint64_t now = core_now_ns();
        if (!give_up) give_up = now + SPIN_NS;
        if (now > give_up) break;
    }
    pthread_mutex_lock(&p->sleep_lock);
    atomic_fetch_add(&p->sleepers, 1); /* before the last look: the caller sees us asleep or we see the job */
    while ((job = atomic_load(&w->range) >> CHUNK_BITS) == last) pthread_cond_wait(&p->wake, &p->sleep_lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->sleep_lock);
    return job;
}

static void wake_all(TfoptPool *p) {
    if (atomic_load(&p->sleepers) == 0) return;
    pthread_mutex_lock(&p->sleep_lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->sleep_lock);
}

static void *worker_main(void *arg) {
    Worker *w = arg;
    TfoptPool *p = w->pool;
    float_mode_flush();
    for (uint64_t job = 0;;) {
        job = wait_for_job(w, job);
        if (atomic_load_explicit(&p->stop, memory_order_relaxed)) return NULL;
        compute_chunks(p, w->number, job);
    }
}

/* Chunks of the job that the workers have computed. */
static uint64_t done_by_workers(const TfoptPool *p, int threads, uint64_t number) {
    uint64_t sum = 0;
    for (int t = 1; t < threads; t++) {
        uint64_t done = atomic_load_explicit(&p->workers[t].done, memory_order_acquire);
        if (done >> CHUNK_BITS == number) sum += done & LEFT_MASK;
    }
    return sum;
}

static void wait_for_workers(const TfoptPool *p, int threads, uint64_t number, uint64_t chunks) {
    uint64_t yield_from = 0;
    for (unsigned i = 0; done_by_workers(p, threads, number) < chunks; i++) {
        relax();
        if (i % CHECKS_PER_CLOCK != CHECKS_PER_CLOCK - 1) continue;
        uint64_t now = core_now_ns();
        if (!yield_from) yield_from = now + SPIN_NS;
        if (now > yield_from) sched_yield(); /* more threads than processors */
    }
}

/* The status of the lowest chunk that failed, whoever was first. */
static int32_t first_failure(TfoptPool *p, int threads) {
    uint64_t first = 0;
    for (int t = 0; t < threads; t++) {
        uint64_t failed = atomic_load_explicit(&p->workers[t].failed, memory_order_relaxed);
        if (failed && (!first || failed < first)) first = failed;
        if (failed) atomic_store_explicit(&p->workers[t].failed, 0, memory_order_relaxed);
    }
    return (int32_t)(uint32_t)first;
}

int32_t core_pool_run(TfoptPool *p, Split split, TfoptKernelFn *fn, void *const *args, const int64_t *dims,
                      int64_t units) {
    int threads = split.threads > units ? (int)units : split.threads, chunks = split.chunks > 1 ? split.chunks : 1;
    if (threads <= 1) return units > 0 ? fn(args, dims, 0, units) : 0;
    if (chunks > units / threads) chunks = (int)(units / threads);
    uint64_t number = ++p->job_number;
    atomic_store_explicit(&p->job.fn, fn, memory_order_relaxed);
    atomic_store_explicit(&p->job.args, args, memory_order_relaxed);
    atomic_store_explicit(&p->job.dims, dims, memory_order_relaxed);
    atomic_store_explicit(&p->job.units, units, memory_order_relaxed);
    atomic_store_explicit(&p->job.threads, threads, memory_order_relaxed);
    atomic_store_explicit(&p->job.chunks, chunks, memory_order_relaxed);
    for (int t = 0; t < threads; t++)
        atomic_store_explicit(&p->workers[t].range, number << CHUNK_BITS | (uint64_t)chunks, memory_order_release);
    if (split.wakes) wake_all(p);
    uint64_t own = compute_chunks(p, 0, number), all = (uint64_t)threads * (uint64_t)chunks;
    if (own < all) wait_for_workers(p, threads, number, all - own);
    return first_failure(p, threads);
}

void core_pool_lock(TfoptPool *p, bool wakes) {
    pthread_mutex_lock(&p->run_lock);
    if (wakes) wake_all(p);
}
void core_pool_unlock(TfoptPool *p) {
    pthread_mutex_unlock(&p->run_lock);
}
int core_pool_threads(const TfoptPool *p) {
    return p->threads;
}

/* Ends workers 1 .. n-1. */
static void stop_workers(TfoptPool *p, int n) {
    atomic_store(&p->stop, true);
    for (int i = 1; i < n; i++) atomic_store(&p->workers[i].range, (p->job_number + 1) << CHUNK_BITS);
    wake_all(p);
    for (int i = 1; i < n; i++) pthread_join(p->workers[i].thread, NULL);
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
    for (int i = 0; i < threads; i++) workers[i] = (Worker){.pool = p, .number = i};
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i])) {
            stop_workers(p, i);
            return TFOPT_NO_MEMORY;
        }
    }
    *out = p;
    return TFOPT_OK;
}

void tfopt_pool_free(TfoptPool *p) {
    if (p) stop_workers(p, p->threads);
}
