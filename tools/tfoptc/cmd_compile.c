/* compile: model → object, archive, shared object, executable, or a text of any stage. optimize: the rewritten graph as
 * a GraphDef. */
#include "commands.h"

#include "codegen/cpu/isa.h"
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef struct {
    const char *name;
    EmitKind kind;
    const char *suffix; /* NULL: none */
    bool is_text, is_linked, is_graph;
} KindRow;

static const KindRow kinds[] = {
    {"obj", EMIT_KIND_OBJECT, ".o", false, false, false},
    {"so", EMIT_KIND_SHARED, ".so", false, true, false},
    {"a", EMIT_KIND_ARCHIVE, ".a", false, false, false},
    {"exe", EMIT_KIND_EXECUTABLE, NULL, false, true, false},
    {"pb", EMIT_KIND_PB, ".pb", false, false, true},
    {"asm", EMIT_KIND_ASM, ".s", true, false, false},
    {"llvm", EMIT_KIND_LLVM, ".ll", true, false, false},
    {"mlir", EMIT_KIND_MLIR, ".mlir", true, false, false},
    {"graph", EMIT_KIND_GRAPH, ".graph", true, false, true},
    {"kernels", EMIT_KIND_KERNELS, ".kernels", true, false, false},
    {"header", EMIT_KIND_HEADER, ".h", true, false, false},
};

/* ".so"; NULL: it has none. */
static const char *suffix_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return strrchr(slash ? slash : path, '.');
}

/* By --emit, else by the output's suffix; NULL and a message. */
static const KindRow *find_kind(const Options *o, Diag *d) {
    const char *dot = o->out ? suffix_of(o->out) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *word = o->emit ? o->emit : dot, *want = o->emit ? kinds[i].name : kinds[i].suffix;
        if (word ? want && strcmp(word, want) == 0 : kinds[i].kind == EMIT_KIND_EXECUTABLE) return &kinds[i];
    }
    const char *word = o->emit ? o->emit : dot + 1;
    if (strcmp(word, "ptx") == 0)
        diag_unsupported(d, NULL, NULL, "GPU code (ptx) does not exist yet");
    else if (strcmp(word, "server") == 0)
        diag_unsupported(d, NULL, NULL, "--emit=server does not exist yet; --emit=exe makes a program");
    else if (o->emit)
        diag_usage(d, "--emit=%s: obj, a, so, exe, pb, asm, llvm, mlir, graph, kernels or header", o->emit);
    else
        diag_usage(d,
                   "what kind of file is %s? Use .o .a .so .pb .s .ll .mlir .graph .kernels .h, no suffix for an "
                   "executable, or --emit=KIND",
                   o->out);
    return NULL;
}

/* Options that say nothing about this kind of output. */
static bool kind_takes_options(const KindRow *kind, const Options *o, const char *out, Diag *d) {
    bool ok = true;
    if (o->link.len && !kind->is_linked)
        ok =
            diag_usage(d, "--link is for .so and executables: kernels are linked with %s where a program is made", out);
    if (o->stop_after && !kind->is_graph)
        ok = diag_usage(d, "--stop-after leaves a graph: it goes with --emit=graph or --emit=pb");
    if (o->name && kind->is_graph) ok = diag_usage(d, "--name: a graph has no C names");
    if (o->depfile && strcmp(out, "-") == 0) ok = diag_usage(d, "--depfile needs an output that is a file");
    if (o->json && strcmp(out, "-") == 0) ok = diag_usage(d, "--json and the output cannot both go to standard output");
    if (!kind->is_text && kind->kind != EMIT_KIND_PB && strcmp(out, "-") == 0)
        ok = diag_usage(d, "only texts and .pb go to standard output: -o FILE");
    return ok;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What was made: for --json. */
static void report_output(json_t *report, const Compilation *work, const KindRow *kind, const char *out,
                          double seconds) {
    struct stat st;
    json_t *programs = json_array();
    for (uint32_t i = 0; i < work->n_programs; i++) {
        const Program *p = work->programs[i];
        json_array_append_new(programs, json_pack("{s:s, s:s, s:I}", "isa", p->isa->name, "memory", common_memory(p),
                                                  "arena_bytes", (json_int_t)p->arena_bytes));
    }
    json_object_set_new(report, "output", json_text(out));
    json_object_set_new(report, "kind", json_string(kind->name));
    if (stat(out, &st) == 0) json_object_set_new(report, "bytes", json_integer((json_int_t)st.st_size));
    json_object_set_new(report, "seconds", json_real(seconds));
    json_object_set_new(report, "rewrites", json_integer((json_int_t)work->n_rewrites));
    json_object_set_new(report, "programs", programs);
}

static ExitCode compile_as(const Options *o, const KindRow *kind, const char *out, json_t *report, Arena *arena,
                           Diag *d) {
    CompileOptions c;
    Compilation work = {.arena = arena};
    double begin = seconds_now();
    if (!kind_takes_options(kind, o, out, d) || !common_compile_options(&c, o, arena, d) ||
        !compile_to(&work, &c, kind->kind, out, d))
        return diag_exit_code(d);
    if (report) report_output(report, &work, kind, out, seconds_now() - begin);
    return EXIT_OK;
}

ExitCode command_compile(const Options *o, json_t *report, Arena *arena, Diag *d) {
    if (common_is_compiled(o->model)) {
        diag_usage(d, "is compiled already; give the model that it was made from");
        return EXIT_USAGE;
    }
    if (!o->out && !o->emit && !file_exists(o->model) && strcmp(o->model, "-") != 0) {
        diag_usage(d, "there is no such file, nor a command of that name; tfoptc --help lists the commands");
        return EXIT_USAGE;
    }
    const KindRow *kind = o->out || o->emit ? find_kind(o, d) : NULL;
    if (!kind && d->n_errors) return diag_exit_code(d);
    const char *out = o->out ? o->out : kind && kind->is_text ? "-" : NULL; /* texts go to standard output */
    if (!out) {
        diag_usage(d, "where to? -o OUT (OUT.o, .a, .so, .pb, or a program's name)");
        return EXIT_USAGE;
    }
    return compile_as(o, kind, out, report, arena, d);
}

ExitCode command_optimize(const Options *o, json_t *report, Arena *arena, Diag *d) {
    static const KindRow graphdef = {"pb", EMIT_KIND_PB, ".pb", false, false, true};
    if (common_is_compiled(o->model))
        diag_usage(d, "is compiled already; give the model that it was made from");
    else if (!o->out)
        diag_usage(d, "where to? -o OUT.pb");
    else if (suffix_of(o->out) && strcmp(suffix_of(o->out), ".pb") != 0)
        diag_usage(d, "optimize writes a GraphDef: -o OUT.pb, not %s (compile makes code)", o->out);
    return d->n_errors ? EXIT_USAGE : compile_as(o, &graphdef, o->out, report, arena, d);
}
