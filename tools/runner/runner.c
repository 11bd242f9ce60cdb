/* tfopt-runner: measures one compiled model in a process that holds nothing else, for `tfoptc benchmark` and `explain`.
   usage: tfopt-runner MODEL.so THREADS SECONDS PROFILE [RANK DIM… FILE]…   one group an input; FILE holds raw elements,
   of strings each one's size in 8 bytes in front of its bytes
   Prints one JSON object. Calls are timed in batches long enough that the clock does not show (at least 20 µs, at most
   1000 calls). */
#include "tfopt.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SAMPLES = 200000, MAX_BATCH = 1000 };

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "tfopt-runner: %s: %s\n", what, why);
    return 1;
}

/* The file's bytes at a 64-byte aligned address; NULL on failure. */
static void *read_raw(const char *path, size_t *out_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return NULL;
    void *p = NULL;
    size_t size = (size_t)st.st_size, at = 0;
    if (posix_memalign(&p, 64, size + 64) != 0) p = NULL;
    while (p && at < size) {
        ssize_t n = read(fd, (char *)p + at, size - at);
        if (n <= 0) break;
        at += (size_t)n;
    }
    close(fd);
    *out_size = size;
    return at == size ? p : NULL;
}

/* Elements of a string tensor, whose bytes stay in `raw`; NULL when they are not as many. */
static TfoptString *strings_of(char *raw, size_t size, int rank, const int64_t *dims) {
    uint64_t n = 1, length;
    for (int k = 0; k < rank; k++) n *= (uint64_t)dims[k];
    if (n > size) return NULL;
    TfoptString *strings = malloc((n + 1) * sizeof *strings);
    for (uint64_t i = 0; strings && i < n; i++) {
        if (size < sizeof length) return NULL;
        memcpy(&length, raw, sizeof length);
        raw += sizeof length;
        size -= sizeof length;
        if (length > size) return NULL;
        strings[i] = (TfoptString){raw, length};
        raw += length;
        size -= (size_t)length;
    }
    return strings;
}

static TfoptStatus run_many(TfoptSession *s, int n) {
    TfoptStatus status = TFOPT_OK;
    for (int i = 0; i < n && status == TFOPT_OK; i++) status = tfopt_run(s);
    return status;
}

/* What is no plain letter, a byte each as if it were Latin-1: whatever names hold, this is JSON. */
static void print_name(const char *name) {
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 32 || *c > 126 || *c == '"' || *c == '\\')
            printf("\\u%04x", *c);
        else
            putchar(*c);
}

static void print_profile(TfoptSession *s, const TfoptProgram *p, uint64_t runs) {
    printf(", \"steps\": [");
    for (uint32_t i = 0; i < p->n_steps; i++) {
        printf("%s{\"name\": \"", i ? ", " : "");
        print_name(p->names[p->steps[i].name]);
        printf("\", \"kind\": %u, \"fn\": %u, \"predicted_ns\": %.0f, \"ns\": %.0f}", p->steps[i].kind, p->steps[i].fn,
               p->steps[i].cost_ns, (double)tfopt_step_ns(s, i) / (double)(runs ? runs : 1));
    }
    printf("]");
}

static const TfoptProgram *program_of(const TfoptModel *m) {
    const TfoptModelData *d = tfopt_model_info(m);
    for (uint32_t i = 0; i < d->n_programs; i++)
        if (strcmp(d->programs[i]->isa, tfopt_model_isa(m)) == 0) return d->programs[i];
    return d->programs[0];
}

int main(int argc, char **argv) {
    if (argc < 5) return fail("usage", "MODEL.so THREADS SECONDS PROFILE [RANK DIM… FILE]…");
    int threads = atoi(argv[2]), profile = atoi(argv[4]);
    double seconds = atof(argv[3]), t0 = now_ns();
    TfoptModel *model = NULL;
    TfoptPool *pool = NULL;
    TfoptSession *s = NULL;
    TfoptSessionOptions options = {0};
    if (tfopt_open(argv[1], &model) != TFOPT_OK) return fail(argv[1], tfopt_open_error());
    double t_open = now_ns();
    if (threads > 1 && tfopt_pool_new(threads, &pool) != TFOPT_OK) return fail("pool", "cannot start threads");
    options.pool = pool;
    double t_pool = now_ns();
    TfoptStatus status = tfopt_session_new(model, &options, &s);
    if (status != TFOPT_OK) return fail("session", tfopt_status_text(status));
    double load_ns = (now_ns() - t_pool) + (t_open - t0);

    for (int a = 5, i = 0; a < argc; i++) {
        int rank = atoi(argv[a++]);
        int64_t dims[TFOPT_MAX_RANK];
        if (rank < 0 || rank > TFOPT_MAX_RANK || a + rank >= argc) return fail("usage", "an input is RANK DIM… FILE");
        for (int k = 0; k < rank; k++) dims[k] = atoll(argv[a++]);
        const TfoptModelData *m = tfopt_model_info(model);
        size_t size = 0;
        void *data = read_raw(argv[a], &size);
        if (data && (uint32_t)i < m->n_inputs && m->inputs[i].dtype == TFOPT_STRING)
            data = strings_of(data, size, rank, dims);
        if (!data) return fail(argv[a], "cannot be read");
        a++;
        status = tfopt_set_input(s, i, data, rank, dims);
        if (status != TFOPT_OK) return fail("input", tfopt_error(s));
    }
    double first0 = now_ns();
    status = tfopt_run(s);
    if (status != TFOPT_OK) return fail("run", tfopt_error(s));
    double first_ns = now_ns() - first0;

    int batch = first_ns >= 20e3 ? 1 : MAX_BATCH;
    for (double until = now_ns() + seconds * 0.1e9; now_ns() < until;) { /* a tenth more to warm up */
        if (run_many(s, batch) != TFOPT_OK) return fail("run", tfopt_error(s));
    }
    tfopt_profile(s, profile);
    double *samples = malloc(MAX_SAMPLES * sizeof *samples);
    if (!samples) return fail("samples", "no memory");
    size_t n = 0;
    uint64_t runs = 0;
    for (double begin = now_ns(), end = begin; n < MAX_SAMPLES && (n == 0 || end - begin < seconds * 1e9); n++) {
        double t = now_ns();
        if (run_many(s, batch) != TFOPT_OK) return fail("run", tfopt_error(s));
        end = now_ns();
        samples[n] = (end - t) / batch;
        runs += (uint64_t)batch;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += samples[i];
    qsort(samples, n, sizeof *samples, compare_doubles);
    struct stat st = {0};
    stat(argv[1], &st);
    printf("{\"median_us\": %.4f, \"min_us\": %.4f, \"mean_us\": %.4f, \"p90_us\": %.4f, \"p99_us\": %.4f, \"runs\": "
           "%llu, \"calls_per_sample\": %d, "
           "\"load_us\": %.1f, \"first_us\": %.1f, \"artifact_bytes\": %lld, \"peak_rss_kb\": %ld, \"arena_bytes\": "
           "%zu, \"threads\": %d, \"isa\": \"%s\"",
           samples[n / 2] / 1e3, samples[0] / 1e3, sum / (double)n / 1e3, samples[n * 9 / 10] / 1e3,
           samples[n * 99 / 100] / 1e3, (unsigned long long)runs, batch, load_ns / 1e3, first_ns / 1e3,
           (long long)st.st_size, usage.ru_maxrss, tfopt_arena_bytes(s), threads, tfopt_model_isa(model));
    if (profile) print_profile(s, program_of(model), runs);
    printf("}\n");
    free(samples);
    tfopt_session_free(s);
    tfopt_pool_free(pool);
    tfopt_close(model);
    return 0;
}
