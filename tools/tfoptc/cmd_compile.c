/* compile: model → object, archive, shared object, executable, or a text of any stage. optimize: the rewritten graph as
 * a GraphDef. */
#include "commands.h"

#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    EmitKind kind;
    const char *suffix;
} kinds[] = {
    {"obj", EMIT_KIND_OBJECT, ".o"},      {"so", EMIT_KIND_SHARED, ".so"},
    {"a", EMIT_KIND_ARCHIVE, ".a"},       {"exe", EMIT_KIND_EXECUTABLE, NULL},
    {"pb", EMIT_KIND_PB, ".pb"},          {"asm", EMIT_KIND_ASM, ".s"},
    {"llvm", EMIT_KIND_LLVM, ".ll"},      {"mlir", EMIT_KIND_MLIR, ".mlir"},
    {"graph", EMIT_KIND_GRAPH, ".graph"}, {"kernels", EMIT_KIND_KERNELS, ".kernels"},
    {"header", EMIT_KIND_HEADER, ".h"},
};

static bool find_kind(EmitKind *out, const Options *o, Diag *d) {
    if (o->emit) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (strcmp(o->emit, kinds[i].name) == 0) return *out = kinds[i].kind, true;
        return diag_usage(d, "--emit=%s: obj, a, so, exe, pb, asm, llvm, mlir, graph, kernels or header", o->emit);
    }
    const char *slash = strrchr(o->out, '/'), *dot = strrchr(slash ? slash : o->out, '.');
    *out = EMIT_KIND_EXECUTABLE;
    for (size_t i = 0; dot && i < ARRAY_LEN(kinds); i++)
        if (kinds[i].suffix && strcmp(dot, kinds[i].suffix) == 0) return *out = kinds[i].kind, true;
    if (dot && strcmp(dot, ".ptx") == 0) return diag_unsupported(d, NULL, NULL, "GPU code (.ptx) does not exist yet");
    return !dot || diag_usage(d,
                              "what kind of file is %s? Use .o .a .so .pb .s .ll .mlir .h, no suffix for an "
                              "executable, or --emit=KIND",
                              o->out);
}

/* One line on a terminal, overwritten as the work goes on. */
static bool show_progress(const char *what, double fraction) {
    fprintf(stderr, "\r\033[K%3.0f %% %s", fraction * 100, what);
    if (fraction >= 1) fputs("\r\033[K", stderr);
    return true;
}

static bool write_depfile(const Options *o, const char *out, Arena *arena, Diag *d) {
    Str text;
    str_init(&text, arena);
    str_printf(&text, "%s:", out);
    if (file_is_directory(o->model))
        str_printf(&text, " %s/saved_model.pb %s/variables/variables.index\n", o->model, o->model);
    else
        str_printf(&text, " %s\n", o->model);
    const TextList *lists[] = {&o->op_libraries, &o->link};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (uint32_t k = 0; k < lists[i]->len; k++) str_printf(&text, "%s: %s\n", out, lists[i]->data[k]);
    return file_write(arena, o->depfile, text.data, text.len, d);
}

ExitCode command_compile(const Options *o, Arena *arena, Diag *d) {
    CompileOptions c;
    EmitKind kind;
    Options named = *o;
    bool is_text = false;
    if (!o->out && o->emit) {
        const char *const texts[] = {"asm", "llvm", "mlir", "graph", "kernels", "header"};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) is_text = is_text || strcmp(o->emit, texts[i]) == 0;
        if (is_text) named.out = "-";
    }
    if (common_is_compiled(o->model)) {
        diag_usage(d, "is compiled already; give the model that it was made from");
        return EXIT_USAGE;
    }
    if (!named.out && !file_exists(o->model) && strcmp(o->model, "-") != 0) {
        diag_usage(d, "there is no such file, nor a command of that name; tfoptc --help lists the commands");
        return EXIT_USAGE;
    }
    if (!named.out) {
        diag_usage(d, "where to? -o OUT (OUT.o, .a, .so, .pb, or a program's name)");
        return EXIT_USAGE;
    }
    if (!find_kind(&kind, &named, d) || !common_compile_options(&c, o, arena, d)) return diag_exit_code(d);
    if (isatty(STDERR_FILENO) && !o->quiet) c.progress = show_progress;
    Compilation work = {.arena = arena};
    if (!compile_to(&work, &c, kind, named.out, d)) return diag_exit_code(d);
    if (o->depfile && !write_depfile(o, named.out, arena, d)) return diag_exit_code(d);
    return EXIT_OK;
}

ExitCode command_optimize(const Options *o, Arena *arena, Diag *d) {
    CompileOptions c;
    if (!o->out) {
        diag_usage(d, "where to? -o OUT.pb");
        return EXIT_USAGE;
    }
    if (!common_compile_options(&c, o, arena, d)) return diag_exit_code(d);
    Compilation work = {.arena = arena};
    return compile_to(&work, &c, EMIT_KIND_PB, o->out, d) ? EXIT_OK : diag_exit_code(d);
}
