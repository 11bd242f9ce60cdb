/* host: a C program around a model, built by run.sh in several ways: with a .so opened at run time, or
   (-DLINKED_MODEL=name) an object or archive linked in. Fills the inputs with a fixed pattern, runs, prints the outputs
   as hex floats. Further modes:
     --quiet-run   counts malloc and mmap calls inside tfopt_run (must be none), threads 0
     --strict      runs under seccomp's strict mode, where any system call but write and exit kills the process
     --guard       inputs, outputs and the session's memory end where a page begins that cannot be touched; given twice:
   they begin where one ends
     --threads N   with a pool
     --expect FILE compares with the outputs printed to FILE, to 1e-5 */
#include "tfopt.h"

#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef LINKED_MODEL
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
const TfoptModelData *JOIN(LINKED_MODEL, _model_data)(void);
#endif

/* ---- interposed: every way to get memory is counted */
static long allocations;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
void *malloc(size_t n) {
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
    allocations++;
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t alignment, size_t n) {
    allocations++;
    return __libc_memalign(alignment, n);
}
int posix_memalign(void **out, size_t alignment, size_t n) {
    allocations++;
    *out = __libc_memalign(alignment, n);
    return *out ? 0 : 12;
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
    allocations++;
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "host: %s: %s\n", what, why);
    return 1;
}

/* `bytes` that end where a forbidden page begins; with `at_start` instead they begin where one ends. */
static void *guarded(size_t bytes, int at_start) {
    size_t page = 4096, middle = (bytes + page - 1) & ~(page - 1);
    char *p = mmap(NULL, middle + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mprotect(p + page, middle, PROT_READ | PROT_WRITE)) return NULL;
    return at_start ? p + page : p + page + middle - bytes;
}

/* The session's allocator under --guard. */
static void *guarded_allocation(void *env, size_t bytes) {
    (void)env;
    return guarded((bytes + 63) & ~(size_t)63, 0);
}
static void keep(void *env, void *p) {
    (void)env, (void)p;
}

/* Multiples of 1/16 for floats, small integers else; unknown sizes are 2. */
static int set_inputs(TfoptSession *s, const TfoptModelData *m, int guard) {
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        const TfoptPort *port = &m->inputs[i];
        int64_t dims[TFOPT_MAX_RANK], n = 1;
        for (int32_t d = 0; d < port->rank; d++) n *= dims[d] = port->dims[d] >= 0 ? port->dims[d] : 2;
        size_t size = port->dtype == TFOPT_S64 ? 8 : port->dtype == TFOPT_F32 || port->dtype == TFOPT_S32 ? 4 : 1;
        void *data =
            guard ? guarded((size_t)n * size, guard == 2) : aligned_alloc(64, ((size_t)n * 8 + 63) & ~(size_t)63);
        for (int64_t j = 0; j < n; j++) {
            if (port->dtype == TFOPT_F32)
                ((float *)data)[j] = (float)(j * 37 % 256) / 16;
            else if (port->dtype == TFOPT_S32)
                ((int32_t *)data)[j] = (int32_t)(j % 7);
            else if (port->dtype == TFOPT_S64)
                ((int64_t *)data)[j] = j % 7;
            else
                ((uint8_t *)data)[j] = (uint8_t)(j % 2);
        }
        if (tfopt_set_input(s, (int)i, data, port->rank, dims)) return fail("set_input", tfopt_error(s));
    }
    return 0;
}

static int guard_outputs(TfoptSession *s, const TfoptModelData *m, int guard) {
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        size_t bytes = tfopt_output_bytes(s, (int)i);
        if (bytes && tfopt_set_output(s, (int)i, guarded(bytes, guard == 2), bytes))
            return fail("set_output", tfopt_error(s));
    }
    return 0;
}

static void print_outputs(const TfoptSession *s, const TfoptModelData *m) {
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        int64_t n = 1;
        tfopt_get_output(s, (int)i, &t);
        for (int32_t d = 0; d < t.rank; d++) n *= t.dims[d];
        printf("%s", m->outputs[i].name);
        for (int64_t j = 0; j < n; j++)
            printf(" %a",
                   t.dtype == TFOPT_F32 ? (double)((const float *)t.data)[j] : (double)((const uint8_t *)t.data)[j]);
        printf("\n");
    }
}

/* Whether the file holds the same names and, to 1e-5, the same numbers. */
static int expect_outputs(const TfoptSession *s, const TfoptModelData *m, const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return fail(path, "cannot be read");
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        int64_t n = 1;
        char name[256];
        tfopt_get_output(s, (int)i, &t);
        for (int32_t d = 0; d < t.rank; d++) n *= t.dims[d];
        if (fscanf(f, "%255s", name) != 1 || strcmp(name, m->outputs[i].name) != 0) return fail(path, "other outputs");
        for (int64_t j = 0; j < n; j++) {
            double want;
            if (fscanf(f, "%la", &want) != 1) return fail(path, "fewer numbers");
            double difference = (double)((const float *)t.data)[j] - want;
            if (!(difference < 1e-5 && difference > -1e-5)) return fail(name, "other numbers");
        }
    }
    fclose(f);
    return 0;
}

static int count_allocations(TfoptSession *s) {
    if (tfopt_run(s)) return fail("run", tfopt_error(s));
    long before = allocations;
    for (int i = 0; i < 100; i++)
        if (tfopt_run(s)) return fail("run", tfopt_error(s));
    return allocations == before ? 0 : fail("run", "allocates");
}

/* Ends the process by the exit system call alone, which strict mode allows. */
static void run_strictly(TfoptSession *s) {
    static const char text[] = "no system call\n";
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    TfoptStatus status = TFOPT_OK;
    for (int i = 0; i < 10 && !status; i++) status = tfopt_run(s);
    if (!status && write(1, text, sizeof text - 1) < 0) status = TFOPT_FAILED;
    syscall(SYS_exit, (int)status);
}

int main(int argc, char **argv) {
    int strict = 0, quiet = 0, threads = 0, guard = 0;
    const char *path = NULL, *expected = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0)
            strict = 1;
        else if (strcmp(argv[i], "--quiet-run") == 0)
            quiet = 1;
        else if (strcmp(argv[i], "--guard") == 0)
            guard++;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--expect") == 0 && i + 1 < argc)
            expected = argv[++i];
        else
            path = argv[i];
    }
    TfoptModel *m;
#ifdef LINKED_MODEL
    TfoptStatus status = path ? TFOPT_CANNOT_LOAD : tfopt_open_data(JOIN(LINKED_MODEL, _model_data)(), &m);
#else
    TfoptStatus status = tfopt_open(path ? path : "", &m);
#endif
    if (status) {
        fprintf(stderr, "host: status %d: %s: %s\n", (int)status, tfopt_status_text(status), tfopt_open_error());
        return 10 + (int)status;
    }
    fprintf(stderr, "isa %s\n", tfopt_model_isa(m));
    TfoptPool *pool = NULL;
    TfoptSession *s;
    if (threads > 0 && tfopt_pool_new(threads, &pool)) return fail("pool", "cannot be made");
    TfoptSessionOptions options = {
        .pool = pool, .alloc = guard ? guarded_allocation : NULL, .free = guard ? keep : NULL};
    if (tfopt_session_new(m, &options, &s)) return fail("session", tfopt_open_error());
    if (set_inputs(s, tfopt_model_info(m), guard)) return 1;
    if (guard && guard_outputs(s, tfopt_model_info(m), guard)) return 1;
    if (tfopt_run(s)) return fail("run", tfopt_error(s));
    if (strict) run_strictly(s);
    if (quiet && count_allocations(s)) return 1;
    if (expected && expect_outputs(s, tfopt_model_info(m), expected)) return 1;
    print_outputs(s, tfopt_model_info(m));
    tfopt_session_free(s);
    tfopt_pool_free(pool);
    tfopt_close(m);
    return 0;
}
