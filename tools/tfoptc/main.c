/* tfoptc: one program, a table of subcommands. `tfoptc MODEL -o OUT` is `tfoptc compile MODEL -o OUT`. */
#include "commands.h"

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

int main(int argc, char **argv) {
    if (argc < 2) return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout, 0);
    if (strcmp(argv[1], "--version") == 0) return printf("tfoptc %s\n", TFOPT_VERSION) < 0;
    if (strcmp(argv[1], "--man") == 0) return options_man(stdout), 0;
    if (strcmp(argv[1], "--ops") == 0) return ops_doc(stdout), 0;
    if (strcmp(argv[1], "--completion") == 0) return options_completion(stdout), 0;

    const Command *command = &commands[0];
    int first = 1;
    for (int i = 0; i < n_commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        command = &commands[i];
        first = 2;
    }
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    Options o;
    ExitCode code;
    if (!options_parse(&o, command, arena, argc - first, argv + first, &d)) {
        code = EXIT_USAGE;
    } else if (o.help) {
        options_help(command, stdout);
        code = EXIT_OK;
    } else {
        d.file = o.model;
        code = command->run(&o, arena, &d);
        if (d.n_errors && code == EXIT_OK) code = diag_exit_code(&d);
    }
    d.color = wants_color(&o);
    diag_print(&d, stderr, o.verbose);
    arena_free(arena);
    return (int)code;
}
