/* random_graphs: graphs that nobody wrote, through the reference evaluator and as compiled code.
   usage: random_graphs COUNT [seed=N] [threads=0|1|2] [cpu=NAME] [batch=N] [seconds=N] [keep=DIR] [ops=tf|ir] [here]
   [coverage] [dump=DIR] [-v], or random_graphs recipes. Graph k comes of seed N+k alone. Each is compiled with random
   settings, run twice for each of two sets of sizes and compared (random_judge.h). Batches are child processes, so that
   a crash or a hang is one graph's. What differs is printed with its seed, made as small as it goes
   (random_minimise.c); exit 1. coverage: which rows of the tables were met. recipes: which lines of recipes/ nothing
   comes of. dump: nothing is compiled; TensorFlow graphs go into DIR with the reference's answers, for
   random_oracle.py. */
#include "random_code.h"
#include "random_coverage.h"
#include "random_judge.h"
#include "random_minimise.h"
#include "random_tf_recipe.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    uint64_t count, seed;
    int threads, seconds;
    uint32_t batch;
    const char *cpu, *keep, *dump;
    char kind;          /* 't': TensorFlow's ops, 'i': ours; 0: both */
    bool verbose, here; /* here: in this process, for debuggers */
    bool coverage, recipes;
} Options;

enum { MOST_BATCH = 256 };

/* What children leave in shared memory. */
typedef struct {
    Verdict verdict;
    char why[WHY];
    uint64_t n_elements, n_free;
    Coverage coverage;
} Answer;

/* `made`: the TensorFlow graph, where it is one. */
static void case_of_seed(Case *c, const Options *o, uint64_t seed, TfMaker *made, Arena *arena) {
    Random r = random_of_seed(seed);
    RandomGraph *w = NEW(arena, RandomGraph);
    *c = (Case){.verdict = SAME};
    *made = (TfMaker){0};
    bool tensorflow = o->kind ? o->kind == 't' : random_chance(&r, 35);
    if (tensorflow ? !random_tf_graph(w, arena, &r, c->inputs, made) : !random_graph(w, arena, &r)) {
        c->verdict = NOTHING;
        return;
    }
    c->g = w->g;
    c->n_bindings = w->n_symbols ? N_BINDINGS : 1;
    for (int b = 0; b < c->n_bindings && !tensorflow; b++) c->inputs[b] = random_inputs(w, b, arena);
    c->settings = random_settings(&w->r, arena, o->threads, o->cpu);
}

static void write_file(const char *folder, const char *kind, uint64_t seed, const Str *text, Arena *arena) {
    Diag d;
    diag_init(&d, arena, NULL);
    const char *path = arena_printf(arena, "%s/seed-%llu%s", folder, (unsigned long long)seed, kind);
    if (!file_write(arena, path, str_text(text), text->len, &d)) diag_print(&d, stderr, DIAG_ERROR);
}

/* The graph, and beside it inputs, answers and what they may be off, as constants. */
static void dump(const Options *o, const Case *c, const TfMaker *m, uint64_t seed, Arena *arena) {
    Str text;
    if (!m->n_outputs || c->verdict == NOTHING) return;
    str_init(&text, arena);
    tf_write(m, &text);
    write_file(o->dump, ".pbtxt", seed, &text, arena);
    str_init(&text, arena);
    for (int b = 0; b < c->n_bindings; b++) {
        Expectation e;
        expect(&e, c->g, c->inputs[b], 8, 1, true, arena);
        for (uint32_t i = 0; i < m->names.len; i++)
            tf_write_constant(arena_printf(arena, "in/%d/%s", b, m->names.data[i]), &m->inputs[b].data[i], &text);
        for (uint32_t i = 0; i < e.n_outputs && !e.fails && !e.uncertain; i++) {
            const char *name = arena_printf(arena, "%d/n%u:%u", b, m->outputs[i].node, m->outputs[i].output);
            tf_write_constant(arena_printf(arena, "out/%s", name), &e.outputs[i], &text);
            int64_t n = expected_numbers(&e.outputs[i]);
            Tensor slack = tensor_new(arena, DTYPE_F64, 1, &n);
            for (int64_t k = 0; k < n; k++) tensor_set_f64(&slack, k, e.slack[i][k]);
            tf_write_constant(arena_printf(arena, "slack/%s", name), &slack, &text);
        }
    }
    write_file(o->dump, "-values.pbtxt", seed, &text, arena);
}

/* In a child: graphs of seeds from `seed` on. */
static void run_batch(const Options *o, uint64_t seed, uint32_t n, Answer *answers) {
    Arena *arena = arena_new();
    Case *cases = NEW_ARRAY(arena, Case, n);
    TfMaker *made = NEW_ARRAY(arena, TfMaker, n);
    for (uint32_t i = 0; i < n; i++) case_of_seed(&cases[i], o, seed + i, &made[i], arena);
    if (o->dump)
        for (uint32_t i = 0; i < n; i++) dump(o, &cases[i], &made[i], seed + i, arena);
    else
        judge_cases(cases, n, arena);
    for (uint32_t i = 0; i < n; i++) {
        answers[i].verdict = cases[i].verdict;
        memcpy(answers[i].why, cases[i].why, WHY);
        answers[i].n_elements = cases[i].n_elements;
        answers[i].n_free = cases[i].n_free;
        answers[i].coverage = cases[i].coverage;
        if (cases[i].g) cover_graph(&answers[i].coverage, cases[i].g);
        cover_tensorflow(&answers[i].coverage, &made[i]);
    }
    arena_free(arena);
}

static void batch_in_child(const Options *o, uint64_t seed, uint32_t n, Answer *answers) {
    for (uint32_t i = 0; i < n; i++) answers[i].verdict = DIED;
    if (o->here) {
        run_batch(o, seed, n, answers);
        return;
    }
    int status = in_child(o->seconds, n > 1 || !o->verbose);
    if (status == IN_CHILD) {
        run_batch(o, seed, n, answers);
        _exit(0);
    }
    if (status == 0) return;
    for (uint32_t i = 0; i < n; i++) {
        answers[i].verdict = DIED;
        snprintf(answers[i].why, WHY, "%s %d", status < 0 ? "died of signal" : "exit", status < 0 ? -status : status);
    }
    if (n == 1) return;
    for (uint32_t i = 0; i < n; i++) batch_in_child(o, seed + i, 1, answers + i); /* which one was it? */
}

static void report(const Options *o, uint64_t seed, const Answer *a) {
    Arena *arena = arena_new();
    Case c;
    TfMaker made;
    printf("seed %llu: %s\n", (unsigned long long)seed, a->why);
    printf("repeat: build/random_graphs 1 seed=%llu -v\n", (unsigned long long)seed);
    int status = in_child(o->seconds, true);
    if (status == IN_CHILD) {
        case_of_seed(&c, o, seed, &made, arena);
        _exit(0);
    }
    if (status != 0) {
        printf("dies while the graph is made\n");
        arena_free(arena);
        return;
    }
    case_of_seed(&c, o, seed, &made, arena);
    minimise(&c, a->verdict, o->seconds, arena);
    Str text;
    str_init(&text, arena);
    case_print(&c, &text);
    printf("smallest: %s\n%s\n", c.why, str_text(&text));
    if (o->verbose) {
        str_init(&text, arena);
        print_code(&c, &text);
        printf("%s\n", str_text(&text));
    }
    fflush(stdout);
    if (o->keep) {
        str_init(&text, arena);
        case_print(&c, &text);
        write_file(o->keep, ".txt", seed, &text, arena);
    }
    arena_free(arena);
}

static bool number_option(const char *arg, const char *name, uint64_t *out) {
    size_t n = strlen(name);
    if (strncmp(arg, name, n) != 0) return false;
    *out = strtoull(arg + n, NULL, 10);
    return true;
}

static bool parse(Options *o, int argc, char **argv) {
    uint64_t number;
    for (int i = 1; i < argc; i++) {
        if (number_option(argv[i], "seed=", &o->seed)) continue;
        if (number_option(argv[i], "threads=", &number))
            o->threads = (int)number;
        else if (number_option(argv[i], "seconds=", &number))
            o->seconds = (int)number;
        else if (number_option(argv[i], "batch=", &number))
            o->batch = number < 1 ? 1 : number > MOST_BATCH ? MOST_BATCH : (uint32_t)number;
        else if (strncmp(argv[i], "cpu=", 4) == 0)
            o->cpu = argv[i] + 4;
        else if (strcmp(argv[i], "ops=tf") == 0 || strcmp(argv[i], "ops=ir") == 0)
            o->kind = argv[i][4];
        else if (strncmp(argv[i], "keep=", 5) == 0)
            o->keep = argv[i] + 5;
        else if (strncmp(argv[i], "dump=", 5) == 0)
            o->dump = argv[i] + 5, o->kind = 't';
        else if (strcmp(argv[i], "coverage") == 0)
            o->coverage = true;
        else if (strcmp(argv[i], "recipes") == 0)
            o->recipes = true;
        else if (strcmp(argv[i], "here") == 0)
            o->here = true;
        else if (strcmp(argv[i], "-v") == 0)
            o->verbose = true;
        else if (argv[i][0] >= '0' && argv[i][0] <= '9')
            o->count = strtoull(argv[i], NULL, 10);
        else
            return false;
    }
    return o->count > 0 || o->recipes;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    Options o = {.threads = -1, .seconds = 60, .batch = 24, .seed = 1};
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: random_graphs COUNT [seed=N] [threads=0|1|2] [cpu=NAME] [batch=N] [seconds=N] "
                        "[keep=DIR] [ops=tf|ir] [coverage] [dump=DIR] [here] [-v] | random_graphs recipes\n");
        return 2;
    }
    tf_check_families();
    if (o.recipes) return tf_check_recipes() ? 0 : 1;
    Answer *answers =
        mmap(NULL, sizeof(Answer) * MOST_BATCH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answers == MAP_FAILED) return 1;
    CoverageCounts coverage = {0};
    uint64_t counts[5] = {0}, n_elements = 0, n_free = 0;
    double started = now();
    for (uint64_t done = 0; done < o.count; done += o.batch) {
        uint32_t n = o.count - done < o.batch ? (uint32_t)(o.count - done) : o.batch;
        batch_in_child(&o, o.seed + done, n, answers);
        for (uint32_t i = 0; i < n; i++) {
            counts[answers[i].verdict]++;
            n_elements += answers[i].n_elements;
            n_free += answers[i].n_free;
            coverage_count(&coverage, &answers[i].coverage);
            if (answers[i].verdict == REFUSED)
                printf("seed %llu refused: %s\n", (unsigned long long)(o.seed + done + i), answers[i].why);
            if (answers[i].verdict >= DIFFERENT) report(&o, o.seed + done + i, &answers[i]);
        }
    }
    double seconds = now() - started;
    if (o.coverage) coverage_print(&coverage);
    coverage_print_reach(&coverage);
    printf("%llu graphs in %.0f s (%.1f a second): %llu alike, %llu refused, %llu empty, %llu DIFFERENT, %llu DIED; "
           "%.1f %% of %llu elements left to rounding\n",
           (unsigned long long)o.count, seconds, (double)o.count / seconds, (unsigned long long)counts[SAME],
           (unsigned long long)counts[REFUSED], (unsigned long long)counts[NOTHING],
           (unsigned long long)counts[DIFFERENT], (unsigned long long)counts[DIED],
           n_elements ? 100.0 * (double)n_free / (double)n_elements : 0, (unsigned long long)n_elements);
    return counts[DIFFERENT] + counts[DIED] != 0;
}
