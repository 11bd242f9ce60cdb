/* Measure: compiled models in a process of their own (tfopt-runner), the reference in this one. */
#include "commands.h"

#include "ref/ref.h"
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* tfopt-runner lies beside tfoptc in the build tree, else in ../libexec/tfopt. */
static const char *runner_path(Arena *arena, Diag *d) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        *strrchr(self, '/') = 0;
        const char *const places[] = {arena_printf(arena, "%s/tfopt-runner", self),
                                      arena_printf(arena, "%s/../libexec/tfopt/tfopt-runner", self)};
        for (size_t i = 0; i < ARRAY_LEN(places); i++)
            if (file_exists(places[i])) return places[i];
    }
    diag_error(d, NULL, NULL, "tfopt-runner is not installed beside tfoptc");
    return NULL;
}

/* Runs argv, returns what it wrote to standard output; NULL after a message when it failed. */
static char *capture(char *const *argv, Arena *arena, Diag *d) {
    int ends[2];
    if (pipe(ends) != 0) {
        diag_error(d, NULL, NULL, "no pipe");
        return NULL;
    }
    pid_t child = fork();
    if (child == 0) {
        sigset_t none; /* main holds signals back */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    Str out;
    str_init(&out, arena);
    char buffer[4096];
    for (ssize_t n; child > 0 && (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        str_add_bytes(&out, buffer, (size_t)n);
    close(ends[0]);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        diag_error(d, NULL, NULL,
                   WIFSIGNALED(status) ? "measuring failed with signal %d" : "measuring failed with exit %d",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return NULL;
    }
    return out.data ? out.data : arena_strdup(arena, "");
}

/* Each element's size in 8 bytes, then its bytes, as tfopt-runner reads them. */
static bool write_strings(const Tensor *t, Arena *arena, const char *path, Diag *d) {
    FileOut f;
    const StringElement *strings = t->data;
    if (!file_create(&f, arena, path, d)) return false;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        const uint64_t size = strings[i].size;
        fwrite(&size, sizeof size, 1, f.stream);
        fwrite(strings[i].data, 1, strings[i].size, f.stream);
    }
    return file_commit(&f, false, d);
}

/* A name as the runner writes it: its bytes as if they were Latin-1. */
static const char *read_name(const json_t *j, Arena *arena) {
    const char *text = json_string_value(j);
    char *name = arena_strdup(arena, text ? text : ""), *to = name;
    for (const char *from = name; *from; from++) {
        const unsigned char c = (unsigned char)*from;
        *to++ = c < 0x80 ? *from : (char)((c & 3) << 6 | ((unsigned char)*++from & 0x3f));
    }
    *to = 0;
    return name;
}

bool measure_compiled(Measurement *m, const char *path, int threads, double seconds, bool profile, const Tensor *inputs,
                      uint32_t n_inputs, Arena *arena, Diag *d) {
    const char *runner = runner_path(arena, d), *directory = runner ? file_make_temp_dir(arena, d) : NULL;
    if (!directory) return false;
    VEC(char *) argv = {0};
    const char *const first[] = {runner, strchr(path, '/') ? path : arena_printf(arena, "./%s", path),
                                 arena_printf(arena, "%d", threads), arena_printf(arena, "%g", seconds),
                                 profile ? "1" : "0"};
    for (size_t i = 0; i < ARRAY_LEN(first); i++) vec_push(arena, &argv, arena_strdup(arena, first[i]));
    bool ok = true;
    for (uint32_t i = 0; ok && i < n_inputs; i++) {
        vec_push(arena, &argv, arena_printf(arena, "%d", inputs[i].rank));
        for (int k = 0; k < inputs[i].rank; k++)
            vec_push(arena, &argv, arena_printf(arena, "%" PRId64, inputs[i].dims[k]));
        char *file = arena_printf(arena, "%s/in_%u", directory, i);
        ok = ok &&
             (inputs[i].dtype == DTYPE_STRING ? write_strings(&inputs[i], arena, file, d)
                                              : file_write(arena, file, inputs[i].data, tensor_bytes(&inputs[i]), d));
        vec_push(arena, &argv, file);
    }
    vec_push(arena, &argv, NULL);
    char *text = ok ? capture(argv.data, arena, d) : NULL;
    file_remove_tree(directory);
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    if (!j) return text ? diag_error(d, NULL, NULL, "tfopt-runner answered no JSON") : false;
    *m = (Measurement){0};
    const struct {
        const char *key;
        double *field;
    } numbers[] = {
        {"median_us", &m->median_us},     {"min_us", &m->min_us},          {"mean_us", &m->mean_us},
        {"p90_us", &m->p90_us},           {"p99_us", &m->p99_us},          {"runs", &m->runs},
        {"load_us", &m->load_us},         {"first_us", &m->first_us},      {"artifact_bytes", &m->artifact_bytes},
        {"peak_rss_kb", &m->peak_rss_kb}, {"arena_bytes", &m->arena_bytes}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        *numbers[i].field = json_number_value(json_object_get(j, numbers[i].key));
    m->isa = arena_strdup(arena, json_string_value(json_object_get(j, "isa")));
    const json_t *steps = json_object_get(j, "steps");
    m->n_steps = (uint32_t)json_array_size(steps);
    m->steps = arena_alloc(arena, m->n_steps * sizeof *m->steps);
    for (uint32_t i = 0; i < m->n_steps; i++) {
        const json_t *s = json_array_get(steps, i);
        m->steps[i].name = read_name(json_object_get(s, "name"), arena);
        m->steps[i].kind = (int)json_integer_value(json_object_get(s, "kind"));
        m->steps[i].predicted_ns = json_number_value(json_object_get(s, "predicted_ns"));
        m->steps[i].ns = json_number_value(json_object_get(s, "ns"));
    }
    json_decref(j);
    return true;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool measure_reference(Measurement *m, const Graph *g, double seconds, const Tensor *inputs, Arena *arena, Diag *d) {
    enum { MAX_RUNS = 10000 };
    RefSession *s = ref_open(g);
    Tensor *outputs = NEW_ARRAY(arena, Tensor, g->outputs.len + 1);
    double *times = NEW_ARRAY(arena, double, MAX_RUNS), sum = 0;
    int n = 0;
    bool ok = true;
    Arena *results = arena_new();
    for (double begin = 0; ok && n < MAX_RUNS && (n < 2 || sum < seconds * 1e6); n++) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        begin = (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
        ok = ref_run(s, inputs, outputs, results, d);
        clock_gettime(CLOCK_MONOTONIC, &t);
        times[n] = (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3 - begin;
        sum += times[n];
        arena_reset(results);
    }
    arena_free(results);
    ref_close(s);
    if (!ok) return false;
    qsort(times, (size_t)n, sizeof *times, compare_doubles);
    *m = (Measurement){.median_us = times[n / 2],
                       .min_us = times[0],
                       .mean_us = sum / n,
                       .p90_us = times[n * 9 / 10],
                       .p99_us = times[n * 99 / 100],
                       .runs = n};
    return true;
}
