/* main: the program around a compiled model. Reads inputs from .npy files, runs, prints or saves the outputs, or
   measures. Inputs that are not given are zeros when measuring; their unknown sizes are 1, or what --dim says. */
#include "main/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The linker makes it another name of <model>_model_data. */
TfoptModelDataFn tfopt_model_data;

enum { MAX_WORDS = 256, SHOWN = 10, MAX_SAMPLES = 100000 };

typedef struct {
    const char *inputs[MAX_WORDS], *dims[MAX_WORDS], *save;
    int n_inputs, n_dims, threads;
    double benchmark; /* seconds; 0: run once */
} Arguments;

static void print_usage(const TfoptModelData *m, const char *self) {
    printf("usage: %s [--input NAME=FILE.npy]… [--save DIR] [--benchmark [SECONDS]] [--threads N] [--dim "
           "NAME=SIZE]…\n\nmodel %s, %s, made by tfoptc %s\n",
           self, m->name, m->precision, m->compiler_version);
    for (int side = 0; side < 2; side++) {
        const TfoptPort *ports = side ? m->outputs : m->inputs;
        for (uint32_t i = 0; i < (side ? m->n_outputs : m->n_inputs); i++) {
            printf("  %s %-20s %s[", side ? "output" : "input ", ports[i].name, npy_type_name(ports[i].dtype));
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
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* The value of an option: behind `=`, or the next word. */
static const char *option_value(char **argv, int *i, const char *name) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0) return NULL;
    if (argv[*i][n] == '=') return argv[*i] + n + 1;
    return argv[*i][n] == 0 && argv[*i + 1] ? argv[++*i] : NULL;
}

static int parse(Arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        if (strncmp(argv[i], "--benchmark", 11) == 0 && (argv[i][11] == 0 || argv[i][11] == '=')) {
            bool next = !argv[i][11] && argv[i + 1] && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
            a->benchmark = argv[i][11] ? atof(argv[i] + 12) : next ? atof(argv[++i]) : 2;
            if (!(a->benchmark > 0)) return fail(argv[i], "how many seconds?");
        } else if (a->n_inputs < MAX_WORDS && (value = option_value(argv, &i, "--input"))) {
            a->inputs[a->n_inputs++] = value;
        } else if (a->n_dims < MAX_WORDS && (value = option_value(argv, &i, "--dim"))) {
            a->dims[a->n_dims++] = value;
        } else if ((value = option_value(argv, &i, "--save"))) {
            a->save = value;
        } else if ((value = option_value(argv, &i, "--threads"))) {
            a->threads = atoi(value);
        } else {
            return fail(argv[i], "unknown option (--help shows them)");
        }
    }
    return 0;
}

static const char *value_of(const char *const *words, int n, const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < n; i++)
        if (strncmp(words[i], name, length) == 0 && words[i][length] == '=') return words[i] + length + 1;
    return NULL;
}

/* Zeros of the input's shape. */
static const char *make_zeros(const TfoptModelData *m, const TfoptPort *port, const Arguments *a, TfoptTensor *out) {
    uint64_t bytes = npy_element_bytes(port->dtype);
    if (!bytes) return "this input holds no numbers";
    *out = (TfoptTensor){.dtype = port->dtype, .rank = port->rank};
    for (int32_t d = 0; d < port->rank; d++) {
        TfoptDimRef ref = port->dims[d];
        out->dims[d] = ref;
        if (ref < 0) {
            const TfoptSymbol *s =
                ~ref < (TfoptDimRef)m->programs[0]->n_symbols ? &m->programs[0]->symbols[~ref] : NULL;
            const char *given = s ? value_of(a->dims, a->n_dims, s->name) : NULL;
            out->dims[d] = given ? atoll(given) : s && s->min > 1 ? s->min : 1;
        }
        if (out->dims[d] < 0 || __builtin_mul_overflow(bytes, (uint64_t)out->dims[d], &bytes) || bytes > SIZE_MAX / 2)
            return "too large";
    }
    out->data = aligned_alloc(64, (bytes + 127) & ~UINT64_C(63));
    if (!out->data) return "too large";
    memset(out->data, 0, bytes);
    return NULL;
}

static int set_inputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        const TfoptPort *port = &m->inputs[i];
        const char *path = value_of(a->inputs, a->n_inputs, port->name);
        if (!path && m->n_inputs == 1 && a->n_inputs == 1 && !strchr(a->inputs[0], '=')) path = a->inputs[0];
        if (!path && !(a->benchmark > 0)) return fail(port->name, "give this input: --input NAME=FILE.npy");
        TfoptTensor t;
        const char *wrong = path ? npy_read(path, port->dtype, &t) : make_zeros(m, port, a, &t);
        if (wrong) return fail(path ? path : port->name, wrong);
        if (tfopt_set_input(s, (int)i, t.data, t.rank, t.dims)) return fail(port->name, tfopt_error(s));
    }
    return 0;
}

static float half_to_float(uint16_t h) {
    int exponent = h >> 10 & 31;
    float mantissa = (float)(h & 1023), v = exponent == 0    ? ldexpf(mantissa, -24)
                                            : exponent == 31 ? (mantissa > 0 ? NAN : INFINITY)
                                                             : ldexpf(mantissa + 1024, exponent - 25);
    return h >> 15 ? -v : v;
}

static void print_element(const TfoptTensor *t, uint64_t i) {
    const void *p = t->data;
    union {
        uint32_t i;
        float f;
    } bits;
    switch (t->dtype) {
    case TFOPT_F32:
        printf("%.9g", (double)((const float *)p)[i]);
        break;
    case TFOPT_F64:
        printf("%.17g", ((const double *)p)[i]);
        break;
    case TFOPT_F16:
        printf("%g", (double)half_to_float(((const uint16_t *)p)[i]));
        break;
    case TFOPT_BF16:
        bits.i = (uint32_t)((const uint16_t *)p)[i] << 16;
        printf("%g", (double)bits.f);
        break;
    case TFOPT_C64:
        printf("%g%+gi", (double)((const float *)p)[2 * i], (double)((const float *)p)[2 * i + 1]);
        break;
    case TFOPT_C128:
        printf("%g%+gi", ((const double *)p)[2 * i], ((const double *)p)[2 * i + 1]);
        break;
    case TFOPT_S4:
    case TFOPT_S8:
        printf("%d", ((const int8_t *)p)[i]);
        break;
    case TFOPT_S16:
        printf("%d", ((const int16_t *)p)[i]);
        break;
    case TFOPT_U16:
        printf("%u", ((const uint16_t *)p)[i]);
        break;
    case TFOPT_S32:
        printf("%" PRId32, ((const int32_t *)p)[i]);
        break;
    case TFOPT_U32:
        printf("%" PRIu32, ((const uint32_t *)p)[i]);
        break;
    case TFOPT_S64:
        printf("%" PRId64, ((const int64_t *)p)[i]);
        break;
    case TFOPT_U64:
        printf("%" PRIu64, ((const uint64_t *)p)[i]);
        break;
    case TFOPT_STRING:
        printf("\"%.*s\"", (int)((const TfoptString *)p)[i].size, ((const TfoptString *)p)[i].data);
        break;
    default:
        printf("%u", ((const uint8_t *)p)[i]);
        break;
    }
}

static int print_outputs(TfoptSession *s, const TfoptModelData *m, const Arguments *a) {
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        TfoptTensor t;
        if (tfopt_get_output(s, (int)i, &t)) return fail(m->outputs[i].name, "no output");
        uint64_t n = 1;
        printf("%s %s[", m->outputs[i].name, npy_type_name(t.dtype));
        for (int32_t d = 0; d < t.rank; d++) {
            printf("%s%" PRId64, d ? "," : "", t.dims[d]);
            n *= (uint64_t)t.dims[d];
        }
        printf("] =");
        for (uint64_t j = 0; j < n && j < SHOWN; j++) {
            printf(" ");
            print_element(&t, j);
        }
        printf(n > SHOWN ? " …\n" : "\n");
        char path[4096];
        snprintf(path, sizeof path, "%s/out_%" PRIu32 ".npy", a->save ? a->save : "", i);
        const char *wrong = a->save ? npy_write(path, &t) : NULL;
        if (wrong) return fail(path, wrong);
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
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage(m, argv[0]);
        return 0;
    }
    TfoptModel *model;
    TfoptSession *s;
    TfoptPool *pool = NULL;
    if (m->n_programs > 0 && m->programs[0]->max_threads > 1) a.threads = (int)m->programs[0]->max_threads;
    if (parse(&a, argc, argv)) return 2;
    TfoptStatus status = tfopt_open_data(m, &model);
    if (status) return fail(m->name, tfopt_open_error());
    if (a.threads > 1 && (status = tfopt_pool_new(a.threads, &pool)))
        return fail("--threads", tfopt_status_text(status));
    status = tfopt_session_new(model, &(TfoptSessionOptions){.pool = pool}, &s);
    if (status) return fail(m->name, tfopt_status_text(status));
    int code = set_inputs(s, m, &a);
    if (!code && a.benchmark > 0)
        code = measure(s, a.benchmark);
    else if (!code)
        code = tfopt_run(s) ? fail(m->name, tfopt_error(s)) : print_outputs(s, m, &a);
    tfopt_session_free(s);
    tfopt_pool_free(pool);
    tfopt_close(model);
    return code;
}
