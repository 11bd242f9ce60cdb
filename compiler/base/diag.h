/* Diag: collects what is wrong with the input; work goes on so that one run reports everything. */
#ifndef TFOPT_BASE_DIAG_H
#define TFOPT_BASE_DIAG_H
#include "base/arena.h"
#include <stdbool.h>
#include <stdio.h>

/* Exit codes of tfoptc, and the class of a diagnostic. The larger wins when several occur (4 and 70 never mix with
 * them). */
typedef enum {
    EXIT_OK = 0,
    EXIT_INPUT = 1,       /* the input's fault */
    EXIT_USAGE = 2,       /* the command line's */
    EXIT_UNSUPPORTED = 3, /* an op or feature that is not compiled */
    EXIT_MISMATCH = 4,    /* verification failed */
    EXIT_BUG = 70         /* ours */
} ExitCode;

typedef enum { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE } DiagLevel;

typedef struct {
    DiagLevel level;
    ExitCode code;    /* errors only */
    const char *node; /* name of the node it is about, or NULL */
    const char *op;   /* its op type, or NULL */
    const char *message;
} DiagEntry;

typedef struct {
    Arena *arena;
    const char *file; /* name of the input, put in front of every message that does not have it; may be NULL */
    VEC(DiagEntry) entries;
    uint32_t n_errors;
    bool color; /* of diag_print; off until set */
} Diag;

void diag_init(Diag *d, Arena *arena, const char *file);
/* Records an error that is the input's fault: `node` and `op` may be NULL. Returns false, for `return diag_error(…)`.
   A message says what is wrong and what to do. Repeats of the same text about the same op are counted, not repeated. */
bool diag_error(Diag *d, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Same for an unsupported op or feature (exit 3). All of one op type are printed as one line with count and first node.
 */
bool diag_unsupported(Diag *d, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool diag_usage(Diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_warning(Diag *d, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_note(Diag *d, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Entries that say the same about the same op count as one, named after the first. */
typedef struct {
    const DiagEntry *entry;
    uint64_t count;
} DiagGroup;
uint32_t diag_groups(const Diag *d, Arena *arena, DiagGroup **out);
const char *diag_level_name(DiagLevel level); /* "error" */
/* Prints what was recorded of `least` or worse, grouped: `tfoptc: model.pb: node 'a/b' (Conv2D): message`. At most 200
   lines, then a count. With d->color where it is in bold and the level in its colour (ANSI). */
void diag_print(const Diag *d, FILE *out, DiagLevel least);
/* The exit code of the worst error, EXIT_OK without errors. */
ExitCode diag_exit_code(const Diag *d);

/* Our own mistake: prints file, line and the message with how to report it, then exits 70. Never for user data. */
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define CHECK(condition) ((condition) ? (void)0 : BUG("check failed: %s", #condition))
#endif
