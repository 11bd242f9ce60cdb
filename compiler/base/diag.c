/* Diag: a list of messages, grouped when printed. */
#include "base/diag.h"

#include "base/map.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRIES = 10000, MAX_LINES = 200 };

void diag_init(Diag *d, Arena *arena, const char *file) {
    *d = (Diag){.arena = arena, .file = file ? arena_strdup(arena, file) : NULL};
}

static void record(Diag *d, DiagLevel level, ExitCode code, const char *node, const char *op, const char *format,
                   va_list args) {
    if (level == DIAG_ERROR) d->n_errors++;
    if (d->entries.len >= MAX_ENTRIES) return;
    DiagEntry e = {level, code, node ? arena_strdup(d->arena, node) : NULL, op ? arena_strdup(d->arena, op) : NULL,
                   arena_vprintf(d->arena, format, args)};
    vec_push(d->arena, &d->entries, e);
}

#define RECORD(level, code, node, op)                                                                                  \
    va_list args;                                                                                                      \
    va_start(args, format);                                                                                            \
    record(d, (level), (code), (node), (op), format, args);                                                            \
    va_end(args)

bool diag_error(Diag *d, const char *node, const char *op, const char *format, ...) {
    RECORD(DIAG_ERROR, EXIT_INPUT, node, op);
    return false;
}

bool diag_unsupported(Diag *d, const char *node, const char *op, const char *format, ...) {
    RECORD(DIAG_ERROR, EXIT_UNSUPPORTED, node, op);
    return false;
}

bool diag_usage(Diag *d, const char *format, ...) {
    RECORD(DIAG_ERROR, EXIT_USAGE, NULL, NULL);
    return false;
}

void diag_warning(Diag *d, const char *node, const char *op, const char *format, ...) {
    RECORD(DIAG_WARNING, EXIT_OK, node, op);
}

void diag_note(Diag *d, const char *node, const char *op, const char *format, ...) {
    RECORD(DIAG_NOTE, EXIT_OK, node, op);
}

const char *diag_level_name(DiagLevel level) {
    static const char *const names[] = {"error", "warning", "note"};
    return names[level];
}

uint32_t diag_groups(const Diag *d, Arena *arena, DiagGroup **out) {
    DiagGroup *groups = NEW_ARRAY(arena, DiagGroup, d->entries.len + 1);
    uint32_t n = 0;
    Map index; /* level, op and message → its group */
    map_init(&index, arena);
    for (uint32_t i = 0; i < d->entries.len; i++) {
        const DiagEntry *e = &d->entries.data[i];
        const char *key = arena_printf(arena, "%d %s %s", (int)e->level, e->op ? e->op : "", e->message);
        const MapEntry *seen = map_find(&index, key);
        if (seen) {
            groups[seen->value].count++;
            continue;
        }
        map_add(&index, key, n);
        groups[n++] = (DiagGroup){e, 1};
    }
    *out = groups;
    return n;
}

/* Whether the text has the file's name as a word of its own: then it need not stand in front. */
static bool names_file(const char *text, const char *file) {
    static const char ends[] = " '\":,/";
    size_t n = strlen(file);
    for (const char *p = text; n && (p = strstr(p, file)); p++)
        if ((p == text || strchr(ends, p[-1])) && (!p[n] || strchr(ends, p[n]))) return true;
    return false;
}

/* Names are the input's: they shall not tell a terminal what to do. Lines are only broken by messages of tools. */
static void put_text(FILE *out, const char *text) {
    for (const char *c = text; *c; c++) {
        const bool control = ((unsigned char)*c < 32 && *c != '\n' && *c != '\t') || *c == 127;
        fputc(control ? '?' : *c, out);
    }
}

void diag_print(const Diag *d, FILE *out, DiagLevel least) {
    static const char *const colors[] = {"\33[1;31m", "\33[1;33m", "\33[1;36m"};
    const char *bold = d->color ? "\33[1m" : "", *plain = d->color ? "\33[0m" : "";
    Arena *scratch = arena_new();
    DiagGroup *groups;
    uint32_t n = diag_groups(d, scratch, &groups);
    int lines = 0;
    for (uint32_t i = 0; i < n; i++) {
        const DiagEntry *e = groups[i].entry;
        if (e->level > least) continue;
        if (++lines > MAX_LINES) continue;
        const char *file = d->file && !names_file(e->message, d->file) ? d->file : NULL;
        fprintf(out, "%stfoptc:%s %s%s%s%s", d->color ? colors[e->level] : "", plain, bold, file ? file : "",
                file ? ": " : "", plain);
        if (e->level != DIAG_ERROR) fprintf(out, "%s: ", diag_level_name(e->level));
        fputs(bold, out);
        if (e->node) fputs("node '", out), put_text(out, e->node), fputs("'", out);
        if (e->op) fprintf(out, e->node ? " (%s)" : "%s", e->op);
        if (e->node || e->op) fputs(": ", out);
        fputs(plain, out);
        put_text(out, e->message);
        if (groups[i].count > 1)
            fprintf(out, " [%llu nodes like this, the first is named]", (unsigned long long)groups[i].count);
        fputc('\n', out);
    }
    if (lines > MAX_LINES) fprintf(out, "tfoptc: … and %d more\n", lines - MAX_LINES);
    arena_free(scratch);
}

ExitCode diag_exit_code(const Diag *d) {
    ExitCode worst = EXIT_OK;
    for (uint32_t i = 0; i < d->entries.len; i++)
        if (d->entries.data[i].code > worst) worst = d->entries.data[i].code;
    return worst == EXIT_OK && d->n_errors ? EXIT_INPUT : worst;
}

void bug_at(const char *file, int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "tfoptc: internal error at %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nThis is a bug in tfoptc. Please report it with the model and the command line.\n");
    va_end(args);
    exit(EXIT_BUG);
}
