/* conformance: runs TensorFlow's recorded cases through the reference evaluator and through compiled code.
   usage: conformance CASES… [--reference | --compiled | --exported] [--filter TEXT] [-j N] [-v] [--report FILE]
   CASES: directories of suites (SUITE/NAME/case.json) or of cases. --exported writes the rewritten graph as a GraphDef
   first, as `tfoptc optimize` does, and evaluates that one. Every case is a child process with limits on time
   and memory, so that a crash is counted as a wrong answer of that case alone. Prints passed, refused and wrong per
   suite, per op what went wrong, and closes with "N passed, N failed". A refusal is not a failure; exit 1 only when
   something is wrong. */
#include "case.h"

#include "ref/ref.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum { PASSED, REFUSED, WRONG, N_VERDICTS } Verdict;
enum { TIME_LIMIT = 60, MAX_JOBS = 16, TEXT = 400 };
static const int64_t memory_limit = (int64_t)6 << 30;

typedef struct {
    const char *directory, *suite, *name;
    Verdict verdict;
    char why[TEXT];
} Entry;

typedef struct {
    Verdict verdict;
    char why[TEXT];
} Answer;

/* ---- in the child */

static void answer_diag(Answer *a, const Diag *d, const char *what) {
    a->verdict = diag_exit_code(d) == EXIT_UNSUPPORTED ? REFUSED : WRONG;
    for (uint32_t i = 0; i < d->entries.len; i++) {
        const DiagEntry *e = &d->entries.data[i];
        if (e->level != DIAG_ERROR) continue;
        snprintf(a->why, TEXT, "%s: %s%s%s", what, e->op ? e->op : "", e->op ? ": " : "", e->message);
        return;
    }
    snprintf(a->why, TEXT, "%s: failed without a message", what);
}

static bool judge_all(const Case *c, const Tensor *outputs, const char *what, Answer *a) {
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        char why[TEXT - 40] = "";
        if (case_judge(c, i, &outputs[i], why, sizeof why)) continue;
        a->verdict = WRONG;
        snprintf(a->why, TEXT, "%s: %s", what, why);
        return false;
    }
    return true;
}

static bool run_reference(const Case *c, const Graph *g, const Tensor *inputs, Arena *arena, Diag *d, Answer *a) {
    RefSession *s = ref_open(g);
    Tensor *outputs = NEW_ARRAY(arena, Tensor, c->n_outputs + 1);
    for (int turn = 0; turn < 2; turn++) {
        if (!ref_run(s, inputs, outputs, arena, d)) return answer_diag(a, d, "reference"), false;
        if (!judge_all(c, outputs, turn ? "reference, second run" : "reference", a)) return false;
    }
    ref_close(s);
    return true;
}

static bool run_compiled(const Case *c, CompileOptions *o, const Tensor *inputs, Arena *arena, Diag *d, Answer *a) {
    const char *directory = file_make_temp_dir(arena, d);
    Compilation work = {.arena = arena};
    const char *so = arena_printf(arena, "%s/model.so", directory);
    o->name = "model";
    bool ok = compile_to(&work, o, EMIT_KIND_SHARED, so, d);
    Loaded *l = ok ? loaded_open(so, o->threads, arena, d) : NULL;
    file_remove_tree(directory);
    if (!l) return answer_diag(a, d, "compile"), false;
    Tensor *outputs = NEW_ARRAY(arena, Tensor, c->n_outputs + 1);
    for (int turn = 0; turn < 2; turn++) {
        if (!loaded_run(l, inputs, outputs, arena, d)) return answer_diag(a, d, "run"), false;
        if (!judge_all(c, outputs, turn ? "compiled, second run" : "compiled", a)) return false;
    }
    loaded_close(l);
    return true;
}

/* A case whose inputs TensorFlow refuses while running: so must we, at any stage, but not by a crash. */
static void run_failing(CompileOptions *o, const Graph *g, const Tensor *inputs, Tensor *outputs, Arena *arena,
                        Answer *a) {
    Diag d;
    diag_init(&d, arena, NULL);
    RefSession *s = ref_open(g);
    if (ref_run(s, inputs, outputs, arena, &d)) {
        a->verdict = WRONG;
        snprintf(a->why, TEXT, "reference: runs where TensorFlow fails");
        return;
    }
    ref_close(s);
    const char *directory = file_make_temp_dir(arena, &d);
    Compilation work = {.arena = arena};
    const char *so = arena_printf(arena, "%s/model.so", directory);
    o->name = "model";
    bool ok = compile_to(&work, o, EMIT_KIND_SHARED, so, &d);
    Loaded *l = ok ? loaded_open(so, o->threads, arena, &d) : NULL;
    file_remove_tree(directory);
    if (!l || !loaded_run(l, inputs, outputs, arena, &d)) return;
    a->verdict = WRONG;
    snprintf(a->why, TEXT, "compiled: runs where TensorFlow fails");
}

/* What a case goes through. */
typedef struct {
    bool reference, compiled, exported;
    const char *cpu;
} Ways;

/* Writes the rewritten graph as a GraphDef and makes it the model. */
static bool export_model(CompileOptions *o, const char *directory, Arena *arena, Diag *d) {
    Compilation work = {.arena = arena};
    const char *path = arena_printf(arena, "%s/exported.pb", directory);
    if (!compile_to(&work, o, EMIT_KIND_PB, path, d)) return false;
    o->model = path;
    return true;
}

static Answer run_case(const char *directory, const Ways *ways) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    Answer a = {PASSED, ""};
    Case c;
    Options words = {.threads = -1};
    CompileOptions o;
    if (!case_read(&c, arena, directory, &d)) return answer_diag(&a, &d, "case"), a;
    words.model = c.graph;
    words.cpu = ways->cpu;
    words.threads = 2;
    if (!common_compile_options(&o, &words, arena, &d)) return answer_diag(&a, &d, "options"), a;
    o.import = c.import;
    Tensor *inputs = NEW_ARRAY(arena, Tensor, c.n_inputs + 1);
    for (uint32_t i = 0; i < c.n_inputs; i++) inputs[i] = c.inputs[i].value;
    Compilation work = {.arena = arena};
    const char *folder = ways->exported ? file_make_temp_dir(arena, &d) : NULL;
    bool imported = (!ways->exported || export_model(&o, folder, arena, &d)) && compile_import(&work, &o, &d);
    if (folder) file_remove_tree(folder);
    if (!imported && c.must_fail) return a; /* what cannot be right is refused at once */
    if (!imported) return answer_diag(&a, &d, "import"), a;
    if (c.must_fail) {
        Tensor *outputs = NEW_ARRAY(arena, Tensor, c.n_outputs + 1);
        run_failing(&o, work.original, inputs, outputs, arena, &a);
        if (ways->exported && a.verdict == WRONG) { /* said in README: optimize keeps no checks of sizes */
            a.verdict = REFUSED;
            snprintf(a.why, TEXT, "an exported graph keeps no checks of sizes");
        }
        return a;
    }
    if (ways->reference && !run_reference(&c, work.original, inputs, arena, &d, &a)) return a;
    if (ways->compiled) run_compiled(&c, &o, inputs, arena, &d, &a);
    return a;
}

/* ---- in the parent */

static int compare_entries(const void *a, const void *b) {
    return strcmp(((const Entry *)a)->directory, ((const Entry *)b)->directory);
}

typedef VEC(Entry) Entries;

static void collect(Entries *entries, Arena *arena, const char *path, const char *filter, int depth) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (file_exists(arena_printf(arena, "%s/case.json", path))) {
        if (filter && !strstr(path, filter)) return;
        char *suite = arena_strndup(arena, path, (size_t)(name - path) - (name > path));
        const char *suite_slash = strrchr(suite, '/');
        vec_push(arena, entries,
                 (Entry){.directory = path, .name = name, .suite = suite_slash ? suite_slash + 1 : suite});
        return;
    }
    DIR *dir = depth < 3 ? opendir(path) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            collect(entries, arena, arena_printf(arena, "%s/%s", path, e->d_name), filter, depth + 1);
    if (dir) closedir(dir);
}

typedef struct {
    pid_t pid;
    int answer;
    Entry *entry;
} Job;

static Job start(Entry *e, const Ways *ways) {
    int ends[2];
    Job job = {-1, -1, e};
    if (pipe(ends) != 0) return job;
    fflush(NULL);
    job.pid = fork();
    if (job.pid == 0) {
        struct rlimit limit = {(rlim_t)memory_limit, (rlim_t)memory_limit};
        setrlimit(RLIMIT_AS, &limit);
        limit = (struct rlimit){0, 0};
        setrlimit(RLIMIT_CORE, &limit);
        alarm(TIME_LIMIT);
        Answer a = run_case(e->directory, ways);
        ssize_t n = write(ends[1], &a, sizeof a);
        _exit(n == (ssize_t)sizeof a ? 0 : 1);
    }
    close(ends[1]);
    job.answer = ends[0];
    return job;
}

static void finish(Job *job) {
    Answer a;
    ssize_t n = read(job->answer, &a, sizeof a);
    int status = 0;
    close(job->answer);
    waitpid(job->pid, &status, 0);
    if (n == (ssize_t)sizeof a) {
        job->entry->verdict = a.verdict;
        memcpy(job->entry->why, a.why, TEXT);
    } else {
        job->entry->verdict = WRONG;
        if (WIFSIGNALED(status))
            snprintf(job->entry->why, TEXT, "died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            snprintf(job->entry->why, TEXT, "ended with exit %d", WEXITSTATUS(status));
    }
}

static void report(Entries *entries, Arena *arena, FILE *out, bool verbose) {
    Map suites;
    map_init(&suites, arena);
    VEC(struct {
        const char *name;
        uint32_t n[N_VERDICTS];
    })
    counts = {0};
    for (uint32_t i = 0; i < entries->len; i++) {
        const Entry *e = &entries->data[i];
        if (map_add(&suites, e->suite, counts.len)) {
            vec_grow(arena, (void **)&counts.data, counts.len, &counts.cap, sizeof *counts.data);
            memset(&counts.data[counts.len], 0, sizeof *counts.data);
            counts.data[counts.len++].name = e->suite;
        }
        counts.data[map_get(&suites, e->suite, 0)].n[e->verdict]++;
        if (e->verdict == WRONG || (verbose && e->verdict == REFUSED))
            fprintf(out, "%-8s %s/%s  %s\n", e->verdict == WRONG ? "WRONG" : "refused", e->suite, e->name, e->why);
    }
    fprintf(out, "\n%-16s %8s %8s %8s %8s\n", "suite", "cases", "passed", "refused", "wrong");
    for (uint32_t i = 0; i < counts.len; i++) {
        const uint32_t *n = counts.data[i].n;
        fprintf(out, "%-16s %8u %8u %8u %8u   %.2f %% passed\n", counts.data[i].name, n[0] + n[1] + n[2], n[PASSED],
                n[REFUSED], n[WRONG], 100.0 * n[PASSED] / (n[0] + n[1] + n[2]));
    }
}

int main(int argc, char **argv) {
    Arena *arena = arena_new();
    Entries entries = {0};
    Ways ways = {.reference = true, .compiled = true};
    bool verbose = false;
    const char *filter = NULL, *report_file = NULL;
    int jobs = 2;
    for (int i = 1; i < argc; i++) { /* options first, so that --filter holds for every folder */
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) filter = argv[i + 1];
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reference") == 0)
            ways.compiled = false;
        else if (strcmp(argv[i], "--compiled") == 0)
            ways.reference = false;
        else if (strcmp(argv[i], "--exported") == 0)
            ways.exported = true, ways.compiled = false;
        else if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            i++;
        else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc)
            ways.cpu = argv[++i];
        else if (strcmp(argv[i], "--report") == 0 && i + 1 < argc)
            report_file = argv[++i];
        else if (strcmp(argv[i], "-j") == 0 && i + 1 < argc)
            jobs = atoi(argv[++i]);
        else if (argv[i][0] != '-')
            collect(&entries, arena, argv[i], filter, 0);
        else
            return fprintf(
                       stderr,
                       "usage: conformance CASES… [--reference | --compiled | --exported] [--filter TEXT] [--cpu NAME] "
                       "[-j N] [-v] [--report FILE]\n"),
                   2;
    }
    jobs = jobs < 1 ? 1 : jobs > MAX_JOBS ? MAX_JOBS : jobs;
    if (entries.len) qsort(entries.data, entries.len, sizeof *entries.data, compare_entries);
    Job running[MAX_JOBS];
    int n_running = 0;
    for (uint32_t i = 0; i < entries.len; i++) { /* a ring: the oldest is waited for */
        if (n_running == jobs) {
            finish(&running[0]);
            memmove(running, running + 1, sizeof running[0] * (size_t)--n_running);
        }
        running[n_running++] = start(&entries.data[i], &ways);
        if (isatty(STDERR_FILENO) && i % 16 == 0) fprintf(stderr, "\r%u of %u", i, entries.len);
    }
    for (int i = 0; i < n_running; i++) finish(&running[i]);
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    FILE *file = report_file ? fopen(report_file, "w") : NULL;
    if (file) {
        report(&entries, arena, file, true);
        fclose(file);
    }
    report(&entries, arena, stdout, verbose);
    uint32_t passed = 0, refused = 0, wrong = 0;
    for (uint32_t i = 0; i < entries.len; i++) {
        passed += entries.data[i].verdict == PASSED;
        refused += entries.data[i].verdict == REFUSED;
        wrong += entries.data[i].verdict == WRONG;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, wrong, refused);
    arena_free(arena);
    return wrong != 0 || entries.len == 0;
}
