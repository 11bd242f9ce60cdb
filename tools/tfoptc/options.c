/* Options: one walk over options.def builds getopt's table, --help, the man page and the shell completion. */
#include "options.h"

#include "base/file.h"
#include "base/nearest.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum { FLAG, TEXT, LIST, CHOICE, INT, COUNT, REAL } OptionKind;

typedef struct {
    OptionKind kind;
    const char *name;
    int letter;
    const char *argument;
    size_t field;
    unsigned commands, places;
    const char *help;
} OptionRow;

static const OptionRow rows[] = {
#define OPTION(kind, name, letter, argument, field, commands_, places, help)                                           \
    {kind, name, letter, argument, offsetof(Options, field), commands_, places, help},
#include "options.def"
#undef OPTION
};
_Static_assert(ARRAY_LEN(rows) <= 64, "Options.given has a bit for each row");

/* Whether the value is one of the words between '|'. */
static bool is_choice(const char *words, const char *value) {
    size_t n = strlen(value);
    for (const char *p = words; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == n && strncmp(p, value, n) == 0) return true;
    return false;
}

static bool set_option(Options *o, const OptionRow *row, const char *value, Arena *arena, Diag *d) {
    void *field = (char *)o + row->field;
    char *end = NULL;
    errno = 0;
    o->given |= UINT64_C(1) << (row - rows);
    if (row->kind != FLAG && !*value) return diag_usage(d, "--%s wants %s, not nothing", row->name, row->argument);
    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        break;
    case TEXT:
        *(const char **)field = value;
        break;
    case LIST:
        vec_push(arena, (TextList *)field, value);
        break;
    case CHOICE:
        *(const char **)field = value;
        return is_choice(row->argument, value) ||
               diag_usage(d, "--%s is one of %s, not '%s'", row->name, row->argument, value);
    case INT:
    case COUNT:
        *(int64_t *)field = strtoll(value, &end, 10);
        if (errno || end == value || *end || *(int64_t *)field < (row->kind == COUNT))
            return diag_usage(d, "--%s wants a whole number that is not %s, not '%s'", row->name,
                              row->kind == COUNT ? "less than 1" : "negative", value);
        break;
    case REAL:
        *(double *)field = strtod(value, &end);
        if (errno || end == value || *end || !(*(double *)field >= 0 && *(double *)field < 1e300))
            return diag_usage(d, "--%s wants a finite number that is not negative, not '%s'", row->name, value);
        break;
    }
    return true;
}

bool options_apply(const Options *o, OptionPlace place, Diag *d) {
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!(o->given >> i & 1) || rows[i].places & place) continue;
        ok = diag_usage(d, "--%s says nothing about %s", rows[i].name,
                        place == REFERENCE  ? "the reference evaluation: nothing is compiled"
                        : place == ARTEFACT ? "a compiled model: it is for compiling the model that this was made from"
                                            : "a graph");
    }
    return ok;
}

/* Words with @FILE replaced by the file's words (separated by white space, '…' and "…" kept together). */
static bool expand_response(Arena *arena, TextList *out, const char *path, Diag *d) {
    FileMap f;
    if (!file_map(&f, arena, path, d)) return false;
    const char *p = (const char *)f.data, *end = p + f.size;
    while (p < end) {
        while (p < end && strchr(" \t\r\n", *p)) p++;
        if (p == end) break;
        char *word = arena_alloc(arena, (size_t)(end - p) + 1), *w = word, quote = 0;
        for (; p < end && (quote || !strchr(" \t\r\n", *p)); p++) {
            if (quote ? *p == quote : (*p == '"' || *p == '\''))
                quote = quote ? 0 : *p;
            else
                *w++ = *p;
        }
        vec_push(arena, out, word);
    }
    file_unmap(&f);
    return true;
}

bool options_expand(TextList *out, Arena *arena, int n_words, char **words, Diag *d) {
    bool ok = true;
    for (int i = 0; i < n_words; i++) {
        if (words[i][0] == '@' && words[i][1])
            ok = expand_response(arena, out, words[i] + 1, d) && ok;
        else
            vec_push(arena, out, words[i]);
    }
    return ok;
}

bool options_parse(Options *o, const Command *c, Arena *arena, const TextList *words, uint32_t first, Diag *d) {
    struct option longs[ARRAY_LEN(rows) + 1] = {0};
    char letters[3 * ARRAY_LEN(rows) + 2] = ":", *l = letters + 1;
    int n = 0, index_of[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!(rows[i].commands & c->mask)) continue;
        index_of[n] = (int)i;
        longs[n++] =
            (struct option){rows[i].name, rows[i].kind == FLAG ? no_argument : required_argument, NULL, 1000 + (int)i};
        if (!rows[i].letter) continue;
        *l++ = (char)rows[i].letter;
        if (rows[i].kind != FLAG) *l++ = ':';
    }
    TextList argv = {0};
    vec_push(arena, &argv, "tfoptc");
    for (uint32_t i = first; i < words->len; i++) {
        const char *word = words->data[i];
        const bool is_depfile = strncmp(word, "-MF", 3) == 0; /* as compilers of C take it */
        if (is_depfile) vec_push(arena, &argv, "--depfile");
        if (!is_depfile || word[3]) vec_push(arena, &argv, is_depfile ? word + 3 : word);
    }
    int argc = (int)argv.len;
    vec_push(arena, &argv, NULL);
    *o = (Options){.command = c->mask, .threads = -1, .repeat = 1, .seed = 1, .rtol = -1, .atol = -1, .seconds = 2};
    optind = 0; /* glibc: start over */
    opterr = 0;
    bool ok = true;
    for (int r, at = -1; (r = getopt_long(argc, (char *const *)(uintptr_t)argv.data, letters, longs, &at)) != -1;
         at = -1) {
        const char *word = argv.data[optind - 1];
        if (r == '?' && optopt > 0 && optopt < 128)
            word = arena_printf(arena, "-%c", optopt); /* of several in a word */
        if (r == '?' && optopt >= 1000) {
            ok = diag_usage(d, "--%s takes no argument", rows[optopt - 1000].name);
        } else if (r == '?') {
            Nearest near;
            nearest_init(&near, word);
            for (int i = 0; i < n; i++) nearest_try(&near, arena_printf(arena, "--%s", longs[i].name));
            ok = diag_usage(d, "'%s' is no option of %s%s%s", word, c->name,
                            near.best ? "" : arena_printf(arena, "; see tfoptc %s --help", c->name),
                            nearest_hint(&near, arena));
        } else if (r == ':') {
            ok = diag_usage(d, "'%s' wants an argument; see tfoptc %s --help", word, c->name);
        } else if (r >= 1000) {
            ok = set_option(o, &rows[r - 1000], optarg, arena, d) && ok;
        } else {
            for (int i = 0; i < n; i++)
                if (rows[index_of[i]].letter == r) ok = set_option(o, &rows[index_of[i]], optarg, arena, d) && ok;
        }
    }
    for (int i = optind; i < argc; i++) {
        if (ok && o->model) ok = diag_usage(d, "one model at a time: '%s' or '%s'?", o->model, argv.data[i]);
        o->model = argv.data[i];
    }
    if (ok && o->model && !*o->model) ok = diag_usage(d, "the model's name is empty");
    if (ok && !o->model && !o->help) ok = diag_usage(d, "no model; usage: tfoptc %s", c->usage);
    return ok;
}

bool options_given(const Options *o, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0) return o->given >> i & 1;
    return false;
}

void options_help(const Command *c, FILE *out) {
    fprintf(out, "usage: tfoptc %s\n%s\n\n", c->usage, c->summary);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const OptionRow *r = &rows[i];
        if (!(r->commands & c->mask)) continue;
        char left[64], letter[8] = "    ";
        if (r->letter) snprintf(letter, sizeof letter, "-%c, ", r->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, r->name, *r->argument ? " " : "", r->argument);
        fprintf(out, strlen(left) > 34 ? "  %s\n  %34s%s\n" : "  %-34s%s%s\n", left, "", r->help);
    }
}

void options_man(FILE *out) {
    fprintf(out, ".TH TFOPTC 1\n.SH NAME\ntfoptc \\- ahead-of-time compiler for TensorFlow models\n.SH SYNOPSIS\n");
    for (int i = 0; i < n_commands; i++) fprintf(out, ".B tfoptc\n%s\n.br\n", commands[i].usage);
    fprintf(out, ".SH COMMANDS\n");
    for (int i = 0; i < n_commands; i++) fprintf(out, ".TP\n.B %s\n%s\n", commands[i].name, commands[i].summary);
    fprintf(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].letter)
            fprintf(out, ".TP\n.BR \\-%c \", \" \\-\\-%s\n", rows[i].letter, rows[i].name);
        else
            fprintf(out, ".TP\n.B \\-\\-%s\n", rows[i].name);
        if (*rows[i].argument) fprintf(out, ".I %s\n.br\n", rows[i].argument);
        fprintf(out, "%s (", rows[i].help);
        const char *comma = "";
        for (int c = 0; c < n_commands; c++) {
            if (!(rows[i].commands & commands[c].mask)) continue;
            fprintf(out, "%s%s", comma, commands[c].name);
            comma = ", ";
        }
        fprintf(out, ")\n");
    }
    fprintf(out,
            ".SH ENVIRONMENT\n.TP\n.B CC\nlinks .so and executables (default cc)\n.TP\n.B AR\nmakes archives (default "
            "ar)\n.TP\n.B TFOPT_RUNTIME\nfolder of libtfopt, instead of the one beside tfoptc\n.TP\n.B TMPDIR\nwhere "
            "temporary files lie (default /tmp)\n.TP\n.B NO_COLOR\nno coloured messages\n");
    fprintf(out, ".SH EXIT STATUS\n0 ok, 1 the input's fault, 2 usage, 3 unsupported op, 4 verification failed, 70 a "
                 "bug in tfoptc\n");
}

void options_completion(FILE *out) {
    fprintf(out, "# bash completion of tfoptc, generated from its option table\n_tfoptc() {\n    local "
                 "word=${COMP_WORDS[COMP_CWORD]}\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (int c = 0; c < n_commands; c++) {
        fprintf(out, "    %s) words=\"", commands[c].name);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            if (rows[i].commands & commands[c].mask) fprintf(out, "--%s ", rows[i].name);
        fprintf(out, "\" ;;\n");
    }
    fprintf(out, "    *) words=\"");
    for (int c = 0; c < n_commands; c++) fprintf(out, "%s ", commands[c].name);
    fprintf(out, "\" ;;\n    esac\n    COMPREPLY=($(compgen -f -W \"$words\" -- \"$word\"))\n}\ncomplete -o filenames "
                 "-F _tfoptc tfoptc\n");
}
