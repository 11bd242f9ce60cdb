/* tfoptc: one program, a table of subcommands. `tfoptc MODEL -o OUT` is `tfoptc compile MODEL -o OUT`. */
#include "commands.h"

#include "base/file.h"
#include "base/nearest.h"
#include "codegen/llvm/llvm.h"
#include "temporary.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TFOPTC_COMMANDS(X)                                                                                             \
    X(compile, COMPILE, "compile MODEL -o OUT [options]",                                                              \
      "Compiles a frozen graph (.pb, .pbtxt) or SavedModel to native code.")                                           \
    X(inspect, INSPECT, "inspect MODEL [options]",                                                                     \
      "Signatures, inputs, outputs, ops (compiled, host, refused), parameters, FLOPs.")                                \
    X(run, RUN, "run MODEL|MODEL.so --input x=file.npy [options]",                                                     \
      "Runs a model once and prints or saves its outputs.")                                                            \
    X(verify, VERIFY, "verify MODEL [options]",                                                                        \
      "Compares the compiled model with the reference evaluation, or with files.")                                     \
    X(benchmark, BENCHMARK, "benchmark MODEL|MODEL.so [options]",                                                      \
      "Latency, throughput, share of the machine's peak, against the unoptimised graph.")                              \
    X(explain, EXPLAIN, "explain MODEL [options]",                                                                     \
      "Every rewrite with its predicted gain, every kernel with predicted and measured time.")                         \
    X(optimize, OPTIMIZE, "optimize MODEL -o OUT.pb [options]",                                                        \
      "Writes the rewritten graph as a GraphDef that TensorFlow runs.")

const Command commands[] = {
#define X(name, mask, usage, summary) {#name, mask, usage, summary, command_##name},
    TFOPTC_COMMANDS(X)
#undef X
};
const int n_commands = (int)ARRAY_LEN(commands);

static int usage(FILE *out, int code) {
    fprintf(out, "tfoptc %s: compiles TensorFlow models ahead of time\n\n", TFOPT_VERSION);
    for (int i = 0; i < n_commands; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\ntfoptc MODEL -o OUT is short for compile. tfoptc COMMAND --help lists a command's options.\n");
    return code;
}

/* --color, else on a terminal unless NO_COLOR is set (no-color.org). */
static bool wants_color(const Options *o) {
    const char *no_color = getenv("NO_COLOR");
    if (o->color && strcmp(o->color, "auto") != 0) return strcmp(o->color, "always") == 0;
    return isatty(STDERR_FILENO) && !(no_color && *no_color);
}

/* What is still in the buffer goes out; a full disk is an error like any other. A command that failed has its reason.
 */
static int end_output(int code) {
    bool before = ferror(stdout) != 0, now = fflush(stdout) != 0;
    if ((!before && !now) || code) return code;
    fprintf(stderr, "tfoptc: cannot write to standard output%s%s\n", now ? ": " : "", now ? strerror(errno) : "");
    return EXIT_INPUT;
}

/* What is worth saying: -v everything, -q errors. */
static DiagLevel least_level(const Options *o) {
    return o->verbose ? DIAG_NOTE : o->quiet ? DIAG_ERROR : DIAG_WARNING;
}

static void print_report(json_t *report, const Options *o, const Diag *d, Arena *arena) {
    DiagGroup *groups;
    uint32_t n = diag_groups(d, arena, &groups);
    json_t *messages = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const DiagEntry *e = groups[i].entry;
        if (e->level > least_level(o)) continue;
        json_t *m = json_pack("{s:s, s:o, s:I}", "level", diag_level_name(e->level), "message", json_text(e->message),
                              "count", (json_int_t)groups[i].count);
        if (e->level == DIAG_ERROR) json_object_set_new(m, "exit", json_integer((json_int_t)e->code));
        if (e->node) json_object_set_new(m, "node", json_text(e->node));
        if (e->op) json_object_set_new(m, "op", json_text(e->op));
        json_array_append_new(messages, m);
    }
    if (json_array_size(messages)) json_object_set(report, "messages", messages);
    json_decref(messages);
    json_dumpf(report, stdout, JSON_INDENT(1));
    putchar('\n');
}

static ExitCode run_command(const Command *command, const Options *o, json_t *report, Arena *arena, Diag *d) {
    const unsigned places = INSPECT | RUN | VERIFY | BENCHMARK;
    OptionPlace place = common_is_compiled(o->model) ? ARTEFACT : o->reference ? REFERENCE : CODE;
    d->file = o->model;
    if (command->mask & places && !options_apply(o, place, d)) return EXIT_USAGE;
    llvm_handle_errors();
    Temporary *temporary = temporary_begin(report != NULL, arena);
    ExitCode code = command->run(o, report, arena, d);
    temporary_end(temporary);
    return d->n_errors && code == EXIT_OK ? diag_exit_code(d) : code;
}

/* The first word names a command, or else a model to compile: *first is the number of the word behind it. NULL: it is
   neither. */
static const Command *find_command(const TextList *words, uint32_t *first, Arena *arena) {
    const char *word = words->data[0];
    Nearest near;
    *first = 1;
    for (int i = 0; i < n_commands; i++)
        if (strcmp(word, commands[i].name) == 0) return &commands[i];
    *first = 0;
    if (words->len < 2 || *word == '-' || file_exists(word) || strpbrk(word, "./")) return &commands[0];
    nearest_init(&near, word);
    for (int i = 0; i < n_commands; i++) nearest_try(&near, commands[i].name);
    fprintf(stderr, "tfoptc: there is no command '%s'%s\n", word,
            near.best ? nearest_hint(&near, arena) : "; tfoptc --help lists the commands");
    return NULL;
}

static int run_words(const TextList *words, Arena *arena, Diag *d) {
    uint32_t first;
    const Command *command = find_command(words, &first, arena);
    if (!command) return EXIT_USAGE;
    Options o = {0};
    ExitCode code = EXIT_USAGE;
    bool parsed = options_parse(&o, command, arena, words, first, d);
    json_t *report = o.json && !o.help ? json_object() : NULL;
    if (parsed && o.help) {
        options_help(command, stdout);
        code = EXIT_OK;
    } else if (parsed) {
        code = run_command(command, &o, report, arena, d);
    }
    if (report) print_report(report, &o, d, arena);
    json_decref(report);
    int status = end_output((int)code);
    d->color = wants_color(&o);
    diag_print(d, stderr, least_level(&o));
    return status;
}

/* A standard file that is closed stays unusable: no other file gets its number, or messages would go into outputs. */
static void hold_standard_files(void) {
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", i == 0 ? O_WRONLY : O_RDONLY) != i) _exit(EXIT_INPUT);
}

int main(int argc, char **argv) {
    hold_standard_files();
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 0); /* gcc does not find its own parts without one */
    if (argc < 2) return usage(stderr, EXIT_USAGE);
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return end_output(usage(stdout, EXIT_OK));
    if (strcmp(word, "--version") == 0) return end_output(printf("tfoptc %s\n", TFOPT_VERSION) < 0);
    if (strcmp(word, "--man") == 0) return options_man(stdout), end_output(EXIT_OK);
    if (strcmp(word, "--ops") == 0) return ops_doc(stdout), end_output(EXIT_OK);
    if (strcmp(word, "--completion") == 0) return options_completion(stdout), end_output(EXIT_OK);

    Arena *arena = arena_new();
    TextList words = {0};
    Diag d;
    int status;
    diag_init(&d, arena, NULL);
    if (!options_expand(&words, arena, argc - 1, argv + 1, &d)) {
        diag_print(&d, stderr, DIAG_WARNING);
        status = EXIT_USAGE;
    } else {
        status = words.len ? run_words(&words, arena, &d) : usage(stderr, EXIT_USAGE);
    }
    arena_free(arena);
    return status;
}
