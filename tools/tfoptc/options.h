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
    int64_t threads; /* -1: not given */
    int64_t repeat, seed;
    double rtol, atol; /* -1: not given */
    double seconds;
    bool time, reference, layers, gains, no_reference, json, verbose, quiet, help;
    uint64_t given; /* bit i: row i of the table was on the command line */
} Options;

/* What an option may apply to: a graph that is compiled or evaluated, or what was compiled before. */
typedef enum { CODE = 1, REFERENCE = 2, ARTEFACT = 4 } OptionPlace;

struct json_t;

/* One subcommand: its name, what it does, and its function. `report`: with --json the object to fill, which main prints
   with what went wrong; the command itself prints nothing then. Else NULL. */
typedef struct Command {
    const char *name;
    CommandMask mask;
    const char *usage, *summary;
    ExitCode (*run)(const Options *o, struct json_t *report, Arena *arena, Diag *d);
} Command;
extern const Command commands[];
extern const int n_commands;

/* The words of the command line with response files (@FILE) replaced by the words in them. */
bool options_expand(TextList *out, Arena *arena, int n_words, char **words, Diag *d);
/* Parses the words from `first`, those after the subcommand. false and messages on mistakes. */
bool options_parse(Options *o, const Command *c, Arena *arena, const TextList *words, uint32_t first, Diag *d);
/* Whether all options that were given say something in this place; false and messages where not. */
bool options_apply(const Options *o, OptionPlace place, Diag *d);
/* Whether the option of that name was on the command line. */
bool options_given(const Options *o, const char *name);
void options_help(const Command *c, FILE *out);
/* All option names of the table as a man page section and as a bash completion script. */
void options_man(FILE *out);
void options_completion(FILE *out);
#endif
