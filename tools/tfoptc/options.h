/* Options: the command line of tfoptc, parsed by the table options.def. */
#ifndef TFOPTC_OPTIONS_H
#define TFOPTC_OPTIONS_H
#include "base/diag.h"

typedef enum { COMPILE = 1, INSPECT = 2, RUN = 4, VERIFY = 8, BENCHMARK = 16, EXPLAIN = 32, OPTIMIZE = 64 } CommandMask;

typedef VEC(const char *) TextList;

typedef struct {
    CommandMask command;
    const char *model;
    const char *out, *emit, *signature, *tags, *batch, *cpu, *target, *sysroot, *precision, *math, *level, *name,
        *max_memory, *depfile, *passes, *skip, *stop_after, *dump_after, *save, *html, *image_size, *image_mean,
        *image_scale, *color;
    TextList inputs, outputs, dims, init, tables, expect, op_libraries, link;
    int64_t threads, repeat, seed;
    double rtol, atol, seconds;
    bool time, reference, layers, no_reference, json, verbose, quiet, help;
    bool has_threads, has_repeat, has_seed, has_rtol, has_atol, has_seconds; /* given on the command line */
} Options;

/* One subcommand: its name, what it does, and its function. */
typedef struct Command {
    const char *name;
    CommandMask mask;
    const char *usage, *summary;
    ExitCode (*run)(const Options *o, Arena *arena, Diag *d);
} Command;
extern const Command commands[];
extern const int n_commands;

/* Parses the words after the subcommand (response files @FILE expanded). false and messages on mistakes. */
bool options_parse(Options *o, const Command *c, Arena *arena, int n_words, char **words, Diag *d);
void options_help(const Command *c, FILE *out);
/* All option names of the table as a man page section and as a bash completion script. */
void options_man(FILE *out);
void options_completion(FILE *out);
#endif
