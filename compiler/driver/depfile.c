/* depfile: of a SavedModel the graph, the index of its variables, their data and the vocabularies. */
#include "driver/depfile.h"

#include "base/file.h"
#include <glob.h>
#include <string.h>

/* A file name in a Makefile: '$' doubled, blanks and '#' behind a backslash. */
static void add_file(Str *rule, const char *file) {
    for (const char *p = file; *p; p++) str_printf(rule, "%s%c", *p == '$' ? "$" : strchr(" #", *p) ? "\\" : "", *p);
}

static void add_source(Str *rule, const char *file) {
    str_add(rule, " ");
    add_file(rule, file);
}

/* The files of a SavedModel's folder that the pattern matches; the folder's own name is no pattern. */
static void add_matching(Str *rule, const char *directory, const char *pattern, Arena *arena) {
    Str text;
    glob_t found;
    str_init(&text, arena);
    for (const char *p = directory; *p; p++) str_printf(&text, "%s%c", strchr("*?[]\\", *p) ? "\\" : "", *p);
    str_add(&text, pattern);
    if (glob(str_text(&text), 0, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc; i++) add_source(rule, found.gl_pathv[i]);
    globfree(&found);
}

void depfile_text(const CompileOptions *o, const TfGraph *tf, const char *out, Arena *arena, Str *text) {
    static const char *const parts[] = {"saved_model.pb", "saved_model.pbtxt", "variables/variables.index"};
    add_file(text, out);
    str_add(text, ":");
    for (size_t i = 0; tf->directory && i < ARRAY_LEN(parts); i++) {
        const char *file = arena_printf(arena, "%s/%s", tf->directory, parts[i]);
        if (file_exists(file)) add_source(text, file);
    }
    if (tf->directory) add_matching(text, tf->directory, "/variables/variables.data-*", arena);
    if (tf->directory) add_matching(text, tf->directory, "/assets/*", arena);
    if (!tf->directory && strcmp(o->model, "-") != 0) add_source(text, o->model);
    for (uint32_t i = 0; i < o->n_op_libraries; i++) add_source(text, o->op_libraries[i]);
    for (uint32_t i = 0; i < o->n_link; i++) add_source(text, o->link[i]);
    for (uint32_t i = 0; i < o->import.n_tables; i++)
        for (int k = 0; k < 2 && o->import.tables[i].files[k]; k++) add_source(text, o->import.tables[i].files[k]);
    str_add(text, "\n");
}
