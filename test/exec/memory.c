/* memory: opens, binds and runs a model again and again; at the n-th turn the n-th allocation fails, until a turn needs
   fewer. Each turn must end with TFOPT_NO_MEMORY (a library that cannot be loaded: CANNOT_LOAD) or with the same
   answers as ever, and give back all that it took; a session that had none for a run gives these answers in the next
   one. usage: memory MODEL.so [INPUT=FILE]…  (files as programs made by tfoptc read them) [--threads N] */
#include "main/values.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 64, MOST_TURNS = 100000 };

/* ---- interposed: every way to get memory, and to give it back */
static long taken, live, failing; /* failing: the number of the allocation that fails; 0: none */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static int refused(void) {
    return __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED) == failing;
}
static void *counted(void *p) {
    if (p) __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return p;
}
void *malloc(size_t n) {
    return refused() ? NULL : counted(__libc_malloc(n));
}
void *calloc(size_t n, size_t size) {
    return refused() ? NULL : counted(__libc_calloc(n, size));
}
void *realloc(void *p, size_t n) {
    if (refused()) return NULL;
    return p ? __libc_realloc(p, n) : counted(__libc_realloc(p, n));
}
void *aligned_alloc(size_t alignment, size_t n) {
    return refused() ? NULL : counted(__libc_memalign(alignment, n));
}
int posix_memalign(void **out, size_t alignment, size_t n) {
    if (refused()) return ENOMEM;
    *out = counted(__libc_memalign(alignment, n));
    return *out ? 0 : ENOMEM;
}
void free(void *p) {
    if (p) __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    __libc_free(p);
}

typedef struct {
    const char *path;
    int threads;
    TfoptTensor inputs[MAX_INPUTS];
    int n_inputs;
} Case;

/* A number for all that the outputs hold. */
static uint64_t hash_outputs(const TfoptSession *s, const TfoptModelData *m) {
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        if (tfopt_get_output(s, (int)i, &t)) return 0;
        uint64_t n = value_count(&t), element = value_element_bytes(t.dtype);
        const uint8_t *p = t.data;
        for (int32_t d = 0; d < t.rank; d++) hash = (hash ^ (uint64_t)t.dims[d]) * 1099511628211u;
        for (uint64_t k = 0; k < n; k++) {
            const TfoptString *text = t.dtype == TFOPT_STRING ? (const TfoptString *)t.data + k : NULL;
            const uint8_t *bytes = text ? (const uint8_t *)text->data : p + k * element;
            for (uint64_t b = 0; b < (text ? text->size : element); b++) hash = (hash ^ bytes[b]) * 1099511628211u;
        }
    }
    return hash;
}

/* From the file to the second run; *hash: of the outputs. */
static TfoptStatus turn(const Case *c, uint64_t *hash) {
    TfoptModel *model = NULL;
    TfoptPool *pool = NULL;
    TfoptSession *s = NULL;
    TfoptStatus status = tfopt_open(c->path, &model);
    if (!status && c->threads > 1) status = tfopt_pool_new(c->threads, &pool);
    if (!status) status = tfopt_session_new(model, &(TfoptSessionOptions){.pool = pool}, &s);
    for (int i = 0; i < c->n_inputs && !status; i++)
        status = tfopt_set_input(s, i, c->inputs[i].data, c->inputs[i].rank, c->inputs[i].dims);
    for (int i = 0; i < 2 && !status; i++) {
        status = tfopt_run(s);
        if (status != TFOPT_NO_MEMORY) continue;
        failing = 0; /* the session goes on when there is memory again */
        *hash = 0;
        if (!tfopt_run(s)) *hash = hash_outputs(s, tfopt_model_info(model));
    }
    if (!status) *hash = hash_outputs(s, tfopt_model_info(model));
    if (status && status != TFOPT_NO_MEMORY && status != TFOPT_CANNOT_LOAD)
        fprintf(stderr, "allocation %ld: %s\n", failing, s ? tfopt_error(s) : tfopt_open_error());
    if (s) tfopt_session_free(s);
    if (pool) tfopt_pool_free(pool);
    if (model) tfopt_close(model);
    dlerror(); /* gives back the text of the last message */
    return status;
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "memory: %s: %s\n", what, why);
    return 1;
}

static int read_inputs(Case *c, int argc, char **argv) {
    TfoptModel *model;
    if (tfopt_open(c->path, &model)) return fail(c->path, tfopt_open_error());
    const TfoptModelData *m = tfopt_model_info(model);
    for (c->n_inputs = 0; c->n_inputs < (int)m->n_inputs && c->n_inputs < MAX_INPUTS; c->n_inputs++) {
        const TfoptPort *port = &m->inputs[c->n_inputs];
        const char *path = NULL;
        size_t n = strlen(port->name);
        for (int i = 2; i < argc; i++)
            if (strncmp(argv[i], port->name, n) == 0 && argv[i][n] == '=') path = argv[i] + n + 1;
        const char *wrong = path ? value_read(path, port, false, &c->inputs[c->n_inputs]) : "is not given";
        if (wrong) return fail(port->name, wrong);
    }
    tfopt_close(model);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return fail("usage", "memory MODEL.so [INPUT=FILE]…");
    Case c = {.path = argv[1]};
    for (int i = 2; i + 1 < argc; i++)
        if (strcmp(argv[i], "--threads") == 0) c.threads = atoi(argv[i + 1]);
    if (read_inputs(&c, argc, argv)) return 2;
    uint64_t want = 0, got = 0;
    TfoptStatus status = turn(&c, &want); /* what the C library keeps for good, it has now */
    if (status) return fail("run", tfopt_status_text(status)), 2;
    int wrong = 0;
    for (long n = 1; n < MOST_TURNS; n++) {
        long before = live;
        taken = 0;
        got = want;
        failing = n;
        status = turn(&c, &got);
        failing = 0;
        long after = live, used = taken;
        if (status && status != TFOPT_NO_MEMORY && status != TFOPT_CANNOT_LOAD)
            wrong += fail("a status that is not NO_MEMORY", tfopt_status_text(status));
        if (got != want) wrong += fail(status ? "the run after" : "a run that went through", "other answers");
        if (after != before) {
            fprintf(stderr, "allocation %ld: %ld blocks are not given back\n", n, after - before);
            wrong++;
        }
        if (used < n) return printf("%ld allocations\n", n - 1), wrong > 0;
    }
    return fail("turns", "no end");
}
