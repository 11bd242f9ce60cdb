/* main: the program around a compiled model. Reads inputs from files (values.h), runs, prints or saves the outputs, or
   measures. Inputs that are not given are zeros when measuring; their unknown sizes are 1, or what --dim says. Exit: 0,
   1 for what is wrong with files or values, 2 for the command line. */
#include "main/values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The linker makes it another name of <model>_model_data. */
TfoptModelDataFn tfopt_model_data;

enum { MAX_WORDS = 256, MAX_SAMPLES = 100000, MAX_THREADS = 1024 };

typedef struct {
    const char *inputs[MAX_WORDS], *dims[MAX_WORDS], *save;
    int n_inputs, n_dims, threads;
    double benchmark; /* seconds; 0: run once */
} Arguments;

static void print_usage(const TfoptModelData *m, const char *self) {
    printf("usage: %s [--input NAME=FILE]… [--save DIR] [--benchmark [SECONDS]] [--threads N] [--dim NAME=SIZE]…\n"
           "FILE: .npy, .npz, or .json for strings; --save writes out_0.npy, out_1.npy … (strings: .json)\n\n"
           "model %s, %s, made by tfoptc %s\n",
           self, m->name, m->precision, m->compiler_version);
    for (int side = 0; side < 2; side++) {
        const TfoptPort *ports = side ? m->outputs : m->inputs;
        for (uint32_t i = 0; i < (side ? m->n_outputs : m->n_inputs); i++) {
            printf("  %s %-20s %s[", side ? "output" : "input ", ports[i].name, value_type_name(ports[i].dtype));
            for (int32_t d = 0; d < ports[i].rank; d++) {
                TfoptDimRef ref = ports[i].dims[d];
                bool is_symbol = ref < 0 && ~ref < (TfoptDimRef)m->programs[0]->n_symbols;
                printf("%s", d ? "," : "");
                if (ref >= 0)
                    printf("%" PRId64, ref);
                else
                    printf("%s", is_symbol ? m->programs[0]->symbols[~ref].name : "?");
            }
            printf("]\n");
        }
    }
}

static int fail(const char *what, const char *why) {
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

static int usage(const char *what, const char *why) {
    fail(what, why);
    return 2;
}

/* The value of an option: behind `=`, or the next word. */
static const char *option_value(char **argv, int *i, const char *name) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0) return NULL;
    if (argv[*i][n] == '=') return argv[*i] + n + 1;
    return argv[*i][n] == 0 && argv[*i + 1] ? argv[++*i] : NULL;
}

/* A whole number from 0 on, -1 where the text is none. */
static long long whole_number(const char *text) {
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    return errno || end == text || *end || v < 0 ? -1 : v;
}

static double seconds_of(const char *text) {
    char *end;
    double v = strtod(text, &end);
    return end == text || *end || !(v > 0 && v < 1e9) ? 0 : v;
}

static int parse(Arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        if (strncmp(argv[i], "--benchmark", 11) == 0 && (argv[i][11] == 0 || argv[i][11] == '=')) {
            bool next = !argv[i][11] && argv[i + 1] && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
            a->benchmark = argv[i][11] ? seconds_of(argv[i] + 12) : next ? seconds_of(argv[++i]) : 2;
            if (!(a->benchmark > 0)) return usage(argv[i], "how many seconds?");
        } else if (a->n_inputs < MAX_WORDS && (value = option_value(argv, &i, "--input"))) {
            a->inputs[a->n_inputs++] = value;
        } else if (a->n_dims < MAX_WORDS && (value = option_value(argv, &i, "--dim"))) {
            const char *equals = strchr(value, '=');
            if (!equals || whole_number(equals + 1) < 0) return usage(value, "write --dim NAME=SIZE");
            a->dims[a->n_dims++] = value;
        } else if ((value = option_value(argv, &i, "--save"))) {
            a->save = value;
        } else if ((value = option_value(argv, &i, "--threads"))) {
            long long threads = whole_number(value);
            if (threads < 0 || threads > MAX_THREADS) return usage(value, "--threads wants a number from 0 to 1024");
            a->threads = (int)threads;
        } else {
            return usage(argv[i], "unknown option, or one that lacks its value (--help shows them)");
        }
    }
    return 0;
}

/* Whether the words name this: "name=…"; ":0" behind a tensor's name may be left out. */
static bool is_named(const char *word, const char *name) {
    size_t n = strcspn(word, "="), length = strlen(name);
    if (n == length && memcmp(word, name, n) == 0) return true;
    return length > 2 && strcmp(name + length - 2, ":0") == 0 && n == length - 2 && memcmp(word, name, n) == 0;
}

static const char *value_of(const char *const *words, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strchr(words[i], '=') && is_named(words[i], name)) return strchr(words[i], '=') + 1;
    return NULL;
}

/* Names of inputs and sizes that the model does not have are mistakes. */
static int check_names(const TfoptModelData *m, const Arguments *a) {
    for (int i = 0; i < a->n_inputs; i++) {
        bool known = !strchr(a->inputs[i], '=');
        for (uint32_t k = 0; k < m->n_inputs && !known; k++) known = is_named(a->inputs[i], m->inputs[k].name);
        if (!known) return usage(a->inputs[i], "the model has no input of that name (--help shows them)");
    }
    for (int i = 0; i < a->n_dims; i++) {
        bool known = false;
        for (uint32_t k = 0; k < m->programs[0]->n_symbols && !known; k++)
            known = is_named(a->dims[i], m->programs[0]->symbols[k].name);
        if (!known) return usage(a->dims[i], "the model has no unknown size of that name (--help shows them)");
    }
    return 0;
}

/* Zeros, or empty strings, of the input's shape. */
static const char *make_zeros(const TfoptModelData *m, const TfoptPort *port, const Arguments *a, TfoptTensor *out) {
    *out = (TfoptTensor){.dtype = port->dtype, .rank = port->rank};
    for (int32_t d = 0; d < port->rank; d++) {
        TfoptDimRef ref = port->dims[d];
        out->dims[d] = ref;
        if (ref >= 0) continue;
        const TfoptSymbol *s = ~ref < (TfoptDimRef)m->programs[0]->n_symbols ? &m->programs[0]->symbols[~ref] : NULL;
        const char *given = s ? value_of(a->dims, a->n_dims, s->name) : NULL;
        out->dims[d] = given ? whole_number(given) : s && s->min > 1 ? s->min : 1;
    }
    out->data = value_room(out);
    if (!out->data || !value_element_bytes(port->dtype)) return "cannot be made up: give it with --input";
    memset(out->data, 0, (size_t)(value_count(out) * value_element_bytes(port->dtype)));
    for (uint64_t i = 0; port->dtype == TFOPT_STRING && i < value_count(out); i++)
        ((TfoptString *)out->data)[i].data = "";
    return NULL;
}

static int set_inputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    const char *whole = NULL; /* a file without a name: the value of the only input, or an .npz of all */
    for (int i = 0; i < a->n_inputs; i++)
        if (!strchr(a->inputs[i], '=')) whole = a->inputs[i];
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        const TfoptPort *port = &m->inputs[i];
        const char *path = value_of(a->inputs, a->n_inputs, port->name);
        if (!path) path = whole;
        if (!path && !(a->benchmark > 0)) return usage(port->name, "give this input: --input NAME=FILE");
        TfoptTensor t;
        const char *wrong = path ? value_read(path, port, &t) : make_zeros(m, port, a, &t);
        if (wrong) return fail(path ? path : port->name, wrong);
        if (tfopt_set_input(s, (int)i, t.data, t.rank, t.dims)) return fail(m->name, tfopt_error(s));
    }
    return 0;
}

static int print_outputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    if (a->save && mkdir(a->save, 0777) != 0 && errno != EEXIST) return fail(a->save, strerror(errno));
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        if (tfopt_get_output(s, (int)i, &t)) return fail(m->outputs[i].name, "no output");
        printf("%s ", m->outputs[i].name);
        value_print(&t);
        const char *wrong = a->save ? value_write(a->save, i, &t) : NULL;
        if (wrong) return fail(a->save, wrong);
    }
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Calls are timed in batches of at least 20 microseconds, so that the clock does not show. */
static int measure(TfoptSession *s, double seconds) {
    double *samples = malloc(sizeof *samples * MAX_SAMPLES), begin = now();
    if (!samples || tfopt_run(s)) return fail("run", samples ? tfopt_error(s) : "out of memory");
    double once = now() - begin;
    int batch = once > 20e-6 ? 1 : (int)(20e-6 / (once > 1e-7 ? once : 1e-7)), n = 0;
    for (double end = now() + seconds; n < MAX_SAMPLES && (n < 3 || now() < end); n++) {
        begin = now();
        for (int i = 0; i < batch; i++)
            if (tfopt_run(s)) return fail("run", tfopt_error(s));
        samples[n] = (now() - begin) / batch;
    }
    qsort(samples, (size_t)n, sizeof *samples, compare);
    printf("median %.3f us, minimum %.3f us, 99 %% within %.3f us, %d runs\n", samples[n / 2] * 1e6, samples[0] * 1e6,
           samples[(int)(n * 0.99)] * 1e6, n * batch);
    free(samples);
    return 0;
}

int main(int argc, char **argv) {
    const TfoptModelData *m = tfopt_model_data();
    Arguments a = {.threads = 1};
    TfoptModel *model;
    TfoptSession *s;
    TfoptPool *pool = NULL;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage(m, argv[0]);
        return fflush(stdout) ? fail("standard output", strerror(errno)) : 0;
    }
    if (m->n_programs > 0 && m->programs[0]->max_threads > 1) a.threads = (int)m->programs[0]->max_threads;
    int code = parse(&a, argc, argv);
    if (!code) code = check_names(m, &a);
    if (code) return code;
    TfoptStatus status = tfopt_open_data(m, &model);
    if (status) return fail(m->name, tfopt_open_error());
    if (a.threads > 1 && (status = tfopt_pool_new(a.threads, &pool)))
        return fail("--threads", tfopt_status_text(status));
    status = tfopt_session_new(model, &(TfoptSessionOptions){.pool = pool}, &s);
    if (status) return fail(m->name, *tfopt_open_error() ? tfopt_open_error() : tfopt_status_text(status));
    code = set_inputs(s, m, &a);
    if (!code && a.benchmark > 0)
        code = measure(s, a.benchmark);
    else if (!code)
        code = tfopt_run(s) ? fail(m->name, tfopt_error(s)) : print_outputs(s, m, &a);
    if (!code && (ferror(stdout) || fflush(stdout))) code = fail("standard output", strerror(errno));
    tfopt_session_free(s);
    tfopt_pool_free(pool);
    tfopt_close(model);
    return code;
}
