/* models: real graphs with TensorFlow's own answers (../shared/models: frozen, real, trained) through reference and
   compiled code. usage: models FOLDER… [--reference | --exact] [--cpu NAME] [--threads N] [--filter TEXT] [-v] FOLDER
   holds MODEL/model.json. --exact: the reference in f64, which says how far TensorFlow itself is from that. A float
   output passes when every |got-want| <= max(8 * tf_float64_max_abs_diff, 2e-5 * max|want|), or 1e-4 * max|want| where
   that figure is missing; integers and strings are equal. Detections whose neighbouring scores differ by less than that
   may swap places (compare_rankings). Closes with "N passed, N failed". */
#include "commands.h"

#include "ref/ref.h"
#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    const char *cpu, *filter;
    int threads;
    bool reference, exact, verbose;
} Settings;

typedef struct {
    Tensor want;
    double limit;
} Expected;

static double largest(const Tensor *t) {
    double m = 0;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double v = fabs(tensor_get_f64(t, i));
        if (isfinite(v) && v > m) m = v;
    }
    return m;
}

/* ---- one set of inputs and outputs */

static bool judge(const char *title, const Expected *e, const Tensor *got, const json_t *outputs, const Settings *s) {
    const uint32_t n = (uint32_t)json_array_size(outputs);
    Arena *scratch = arena_new();
    Comparison *c = NEW_ARRAY(scratch, Comparison, n + 1);
    Tensor *want = NEW_ARRAY(scratch, Tensor, n + 1);
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        want[i] = e[i].want;
        c[i] = compare_tensors(&got[i], &want[i], 0, e[i].limit);
    }
    compare_rankings(c, got, want, n);
    for (uint32_t i = 0; i < n; i++) {
        all = all && c[i].ok;
        if (s->verbose || !c[i].ok)
            printf("    %-44s %-30s %s  difference %.3g, allowed %.3g, largest %.3g\n", title,
                   json_string_value(json_object_get(json_array_get(outputs, i), "name")),
                   c[i].as_set      ? "ok as a set"
                   : c[i].ok        ? "ok"
                   : c[i].same_type ? "WRONG"
                                    : "WRONG SHAPE",
                   c[i].max_difference, c[i].limit, c[i].max_want);
    }
    arena_free(scratch);
    return all;
}

static bool read_expected(Expected *e, const json_t *out, const char *directory, Arena *arena, Diag *d) {
    const char *file = json_string_value(json_object_get(out, "file"));
    if (!file) file = json_string_value(json_object_get(out, "reference"));
    if (!tensor_read(&e->want, arena, arena_printf(arena, "%s/%s", directory, file), "", DTYPE_NONE, d)) return false;
    const json_t *exact = json_object_get(out, "tf_float64_max_abs_diff");
    double m = dtype_is_float(e->want.dtype) ? largest(&e->want) : 0;
    e->limit = json_is_number(exact) ? fmax(8 * json_number_value(exact), 2e-5 * m) : 1e-4 * m;
    return true;
}

/* Stored inputs may be narrower than the graph's (uint8 pixels): cast to the graph's dtype. */
static Tensor cast_to(Tensor t, DType to, Arena *arena) {
    if (t.dtype == to || t.dtype == DTYPE_STRING) return t;
    Tensor out = tensor_new(arena, to, t.rank, t.dims);
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        if (dtype_is_float(to))
            tensor_set_f64(&out, i, tensor_get_f64(&t, i));
        else
            tensor_set_i64(&out, i, tensor_get_i64(&t, i));
    }
    return out;
}

typedef struct {
    Compilation work;
    Loaded *loaded;
    RefSession *reference;
    InputPort *in, *out;
    uint32_t n_in, n_out;
} Subject;

static bool open_subject(Subject *x, const char *graph, const json_t *model, const char *directory, const Settings *s,
                         Arena *arena, Diag *d) {
    Options o = {.model = graph, .cpu = s->cpu, .threads = s->threads};
    const json_t *inputs = json_object_get(model, "inputs"), *outputs = json_object_get(model, "outputs");
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *in = json_array_get(inputs, i);
        const char *name = json_string_value(json_object_get(in, "name")),
                   *file = json_string_value(json_object_get(in, "file"));
        if (!json_is_null(json_object_get(in, "shape"))) {
            vec_push(arena, &o.inputs, name);
            continue;
        }
        Tensor t; /* unknown rank: the value's rank, its sizes stay unknown */
        if (!tensor_read(&t, arena, arena_printf(arena, "%s/%s", directory, file), "", DTYPE_NONE, d)) return false;
        Str word;
        str_init(&word, arena);
        str_printf(&word, "%s=", name);
        for (int k = 0; k < t.rank; k++) str_add(&word, k ? ",-1" : "-1");
        vec_push(arena, &o.inputs, str_text(&word));
    }
    for (size_t i = 0; i < json_array_size(outputs); i++)
        vec_push(arena, &o.outputs, json_string_value(json_object_get(json_array_get(outputs, i), "name")));
    x->work = (Compilation){.arena = arena};
    CompileOptions c;
    if (s->reference) {
        if (!common_compile_options(&c, &o, arena, d) || !compile_import(&x->work, &c, d)) return false;
        x->reference = ref_open(x->work.original);
        ref_set_exact(x->reference, s->exact);
        graph_ports(x->work.original, &x->in, &x->out, arena);
        x->n_in = x->work.original->inputs.len;
        return true;
    }
    const char *temporary = NULL, *so = common_compile_so(&o, &x->work, &temporary, arena, d);
    x->loaded = so ? loaded_open(so, s->threads, arena, d) : NULL;
    if (temporary) file_remove_tree(temporary);
    if (!x->loaded) return false;
    x->n_in = loaded_ports(x->loaded, &x->in, &x->out, arena);
    return true;
}

static bool run_subject(Subject *x, const Tensor *inputs, Tensor *outputs, Arena *arena, Diag *d) {
    return x->reference ? ref_run(x->reference, inputs, outputs, arena, d)
                        : loaded_run(x->loaded, inputs, outputs, arena, d);
}

static bool run_case(Subject *x, const char *title, const char *directory, const json_t *inputs, const json_t *outputs,
                     const Settings *s, Arena *arena, Diag *d) {
    Tensor *in = NEW_ARRAY(arena, Tensor, x->n_in + 1), *got = NEW_ARRAY(arena, Tensor, json_array_size(outputs) + 1);
    Expected *e = NEW_ARRAY(arena, Expected, json_array_size(outputs) + 1);
    if (json_array_size(inputs) != x->n_in)
        return diag_error(d, NULL, NULL, "the graph has %u inputs, model.json %zu", x->n_in, json_array_size(inputs));
    for (uint32_t i = 0; i < x->n_in; i++) {
        const json_t *j = json_array_get(inputs, i);
        const char *file = json_string_value(json_object_get(j, "file"));
        if (!file) file = json_string_value(json_object_get(j, "test"));
        if (!tensor_read(&in[i], arena, arena_printf(arena, "%s/%s", directory, file), "", DTYPE_NONE, d)) return false;
        in[i] = cast_to(in[i], x->in[i].dtype, arena);
    }
    for (size_t i = 0; i < json_array_size(outputs); i++)
        if (!read_expected(&e[i], json_array_get(outputs, i), directory, arena, d)) return false;
    if (!run_subject(x, in, got, arena, d)) return false;
    for (size_t i = 0; s->exact && i < json_array_size(outputs); i++) got[i] = cast_to(got[i], e[i].want.dtype, arena);
    return judge(title, e, got, outputs, s);
}

static bool run_model(const char *directory, const Settings *s) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, directory);
    json_error_t error;
    json_t *model = json_load_file(arena_printf(arena, "%s/model.json", directory), 0, &error);
    Subject x = {0};
    bool ok = model && open_subject(&x, arena_printf(arena, "%s/graph.pb", directory), model, directory, s, arena, &d);
    const char *name = strrchr(directory, '/') + 1;
    if (ok)
        ok = run_case(&x, name, directory, json_object_get(model, "inputs"), json_object_get(model, "outputs"), s,
                      arena, &d);
    const json_t *cases = json_object_get(model, "cases");
    for (size_t i = 0; ok && i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        ok = run_case(&x, arena_printf(arena, "%s/%s", name, json_string_value(json_object_get(c, "name"))), directory,
                      json_object_get(c, "inputs"), json_object_get(c, "outputs"), s, arena, &d);
    }
    diag_print(&d, stdout, DIAG_ERROR);
    return ok;
}

static bool run_isolated(const char *directory, const Settings *s) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(300);
        bool ok = run_model(directory, s);
        fflush(NULL);
        _exit(ok ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("    died of signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int main(int argc, char **argv) {
    Arena *arena = arena_new();
    Settings s = {0};
    TextList folders = {0}, models = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reference") == 0)
            s.reference = true;
        else if (strcmp(argv[i], "--exact") == 0)
            s.reference = s.exact = true;
        else if (strcmp(argv[i], "-v") == 0)
            s.verbose = true;
        else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc)
            s.cpu = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            s.threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            s.filter = argv[++i];
        else
            vec_push(arena, &folders, argv[i]);
    }
    for (uint32_t f = 0; f < folders.len; f++) {
        DIR *dir = opendir(folders.data[f]);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            const char *path = arena_printf(arena, "%s/%s", folders.data[f], e->d_name);
            if (e->d_name[0] != '.' && file_exists(arena_printf(arena, "%s/model.json", path)) &&
                (!s.filter || strstr(path, s.filter)))
                vec_push(arena, &models, path);
        }
        if (dir) closedir(dir);
    }
    if (models.len) qsort(models.data, models.len, sizeof *models.data, compare_names);
    int passed = 0, failed = 0;
    for (uint32_t i = 0; i < models.len; i++) {
        bool ok = run_isolated(models.data[i], &s);
        printf("%-6s %s\n", ok ? "ok" : "FAILED", models.data[i]);
        *(ok ? &passed : &failed) += 1;
    }
    printf("%d passed, %d failed\n", passed, failed);
    arena_free(arena);
    return failed != 0 || passed == 0;
}
