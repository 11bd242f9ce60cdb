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

/* "float32[batch,3]" */
static void print_type(FILE *to, const TfoptModelData *m, const TfoptPort *port) {
    fprintf(to, "%s[", value_type_name(port->dtype));
    for (int32_t d = 0; d < port->rank; d++) {
        TfoptDimRef ref = port->dims[d];
        bool is_symbol = ref < 0 && ~ref < (TfoptDimRef)m->programs[0]->n_symbols;
        fprintf(to, "%s", d ? "," : "");
        if (ref >= 0)
            fprintf(to, "%" PRId64, ref);
        else
            fprintf(to, "%s", is_symbol ? m->programs[0]->symbols[~ref].name : "?");
    }
    fprintf(to, "]");
}

static void print_ports(const TfoptModelData *m, const char *side, const TfoptPort *ports, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        printf("  %-6s %-20s ", side, ports[i].name);
        print_type(stdout, m, &ports[i]);
        if (ports[i].index_limit) printf(", below %" PRId64, ports[i].index_limit);
        printf("\n");
    }
}

/* The sizes that were bounded when the model was compiled. */
static void print_bounds(const TfoptProgram *p) {
    for (uint32_t i = 0; i < p->n_symbols; i++)
        if (p->symbols[i].max < INT64_MAX && p->symbols[i].min >= 0)
            printf("  size   %-20s %" PRId64 " to %" PRId64 "\n", p->symbols[i].name, p->symbols[i].min,
                   p->symbols[i].max);
}

static void print_usage(const TfoptModelData *m, const char *self) {
    printf(
        "usage: %s --input NAME=FILE… [--save DIR] [--threads N]\n"
        "       %s --benchmark [SECONDS] [--input NAME=FILE…] [--dim NAME=SIZE…] [--threads N]\n"
        "Runs the model once and prints the beginning of each output, or measures it; inputs that are not given are\n"
        "zeros then, of the sizes that --dim says. FILE: .npy, .npz (without NAME: all inputs), or .json: nested\n"
        "lists, strings too. --save writes out_0.npy, out_1.npy … (strings: .json).\n\n"
        "model %s, %s, made by tfoptc %s\n",
        self, self, m->name, m->precision, m->compiler_version);
    print_ports(m, "input", m->inputs, m->n_inputs);
    print_ports(m, "output", m->outputs, m->n_outputs);
    print_bounds(m->programs[0]);
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
    if (a->benchmark > 0 && a->save) return usage("--save", "there are no outputs of --benchmark to write");
    if (!(a->benchmark > 0) && a->n_dims) return usage("--dim", "is for inputs that --benchmark makes up");
    return 0;
}

/* Whether the words name this: "name=…"; ":0" behind a tensor's name may be left out. */
static bool is_named(const char *word, const char *name) {
    size_t n = strcspn(word, "="), length = strlen(name);
    if (n == length && memcmp(word, name, n) == 0) return true;
    return length > 2 && strcmp(name + length - 2, ":0") == 0 && n == length - 2 && memcmp(word, name, n) == 0;
}

/* Inputs without a file, all of them at once. */
static int missing_inputs(const TfoptModelData *m, const bool *given) {
    fflush(stdout);
    fprintf(stderr, "%s: these inputs are missing:", m->name);
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        if (given[i]) continue;
        fprintf(stderr, " --input %s=FILE (", m->inputs[i].name);
        print_type(stderr, m, &m->inputs[i]);
        fprintf(stderr, ")");
    }
    fprintf(stderr, "\n");
    return 2;
}

static const char *value_of(const char *const *words, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strchr(words[i], '=') && is_named(words[i], name)) return strchr(words[i], '=') + 1;
    return NULL;
}

/* The name of the input that "name=…" is about. */
static const char *input_name(const TfoptModelData *m, const char *word) {
    for (uint32_t k = 0; k < m->n_inputs; k++)
        if (strchr(word, '=') && is_named(word, m->inputs[k].name)) return m->inputs[k].name;
    return "";
}

/* Names of inputs and sizes that the model does not have are mistakes. */
static int check_names(const TfoptModelData *m, const Arguments *a) {
    for (int i = 0; i < a->n_inputs; i++) {
        bool known = !strchr(a->inputs[i], '=');
        for (uint32_t k = 0; k < m->n_inputs && !known; k++) known = is_named(a->inputs[i], m->inputs[k].name);
        if (!known) return fail(a->inputs[i], "the model has no input of that name (--help shows them)");
    }
    for (int i = 0; i < a->n_inputs; i++)
        for (int k = 0; k < i; k++)
            if (strchr(a->inputs[i], '=') ? is_named(a->inputs[i], input_name(m, a->inputs[k]))
                                          : !strchr(a->inputs[k], '='))
                return usage(a->inputs[i], "another file is given for this");
    for (int i = 0; i < a->n_dims; i++) {
        bool known = false;
        for (uint32_t k = 0; k < m->programs[0]->n_symbols && !known; k++)
            known = is_named(a->dims[i], m->programs[0]->symbols[k].name);
        if (!known) return fail(a->dims[i], "the model has no unknown size of that name (--help shows them)");
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

/* The file of an input: one of its own, else that of all. NULL: none. */
static const char *file_of(const Arguments *a, const TfoptPort *port) {
    const char *path = value_of(a->inputs, a->n_inputs, port->name);
    for (int i = 0; i < a->n_inputs && !path; i++)
        if (!strchr(a->inputs[i], '=')) path = a->inputs[i];
    return path;
}

/* Whether several inputs take this file. */
static bool is_shared(const TfoptModelData *m, const Arguments *a, const char *path) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < m->n_inputs; i++) times += file_of(a, &m->inputs[i]) == path;
    return times > 1;
}

static int set_inputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    bool complete = true, *given = calloc(m->n_inputs + 1u, sizeof *given);
    int code = given ? 0 : fail(m->name, "out of memory");
    for (uint32_t i = 0; given && i < m->n_inputs; i++) {
        given[i] = file_of(a, &m->inputs[i]) != NULL;
        complete = complete && given[i];
    }
    if (!code && !complete && !(a->benchmark > 0)) code = missing_inputs(m, given);
    for (uint32_t i = 0; !code && i < m->n_inputs; i++) {
        const TfoptPort *port = &m->inputs[i];
        const char *path = file_of(a, port);
        TfoptTensor t;
        const char *wrong = path ? value_read(path, port, is_shared(m, a, path), &t) : make_zeros(m, port, a, &t);
        if (wrong)
            code = fail(path ? path : port->name, wrong);
        else if (tfopt_set_tensor(s, (int)i, &t))
            code = fail(path ? path : m->name, tfopt_error(s));
    }
    free(given);
    return code;
}

static int print_outputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    if (a->save && mkdir(a->save, 0777) != 0 && errno != EEXIST) return fail(a->save, strerror(errno));
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        if (tfopt_get_output(s, (int)i, &t)) return fail(m->name, tfopt_error(s));
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
