/* pass: the loop over passes.def. Which rows run is decided by level, --passes, --skip and --stop-after; after each row
   the graph is checked against what the row's stage promises, and printed where asked if the row changed it. */
#include "pass.h"

#include <string.h>
#include <time.h>

static const PassRow table[] = {
#define PASS(name, level, before, after, doc) {#name, level, STAGE_##before, STAGE_##after, doc, pass_##name},
#include "passes.def"
#undef PASS
};

const PassRow *pass_table(uint32_t *out_n) {
    *out_n = (uint32_t)ARRAY_LEN(table);
    return table;
}

void rewrite_record(Unit *u, const char *pass, const char *rule, const char *node, double ns_before, double ns_after) {
    Rewrite r = {
        .pass = pass, .rule = rule, .node = arena_strdup(u->arena, node), .ns_before = ns_before, .ns_after = ns_after};
    vec_push(u->arena, &u->rewrites, r);
}

/* Whether `name` is an entry of the comma list. */
static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    while (list && *list) {
        size_t entry = strcspn(list, ",");
        if (entry == n && memcmp(list, name, n) == 0) return true;
        list += entry + (list[entry] == ',');
    }
    return false;
}

static const PassRow *find_row(const char *name, size_t n) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strlen(table[i].name) == n && memcmp(table[i].name, name, n) == 0) return &table[i];
    return NULL;
}

/* Reports names that are no passes. */
static void check_list(Unit *u, const char *list, const char *option) {
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (!find_row(list, n)) {
            Str names;
            str_init(&names, u->arena);
            for (size_t i = 0; i < ARRAY_LEN(table); i++) {
                bool repeated = false; /* some passes run more than once */
                for (size_t k = 0; k < i; k++) repeated = repeated || strcmp(table[i].name, table[k].name) == 0;
                if (!repeated) str_printf(&names, " %s", table[i].name);
            }
            diag_usage(u->d, "%s: there is no pass '%.*s'; the passes are%s", option, (int)n, list, str_text(&names));
        }
        list += n + (list[n] == ',');
    }
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void run_row(Unit *u, const PassRow *row) {
    const PassOptions *o = u->options;
    double start = now_ms();
    bool changed = row->run(u);
    arena_reset(u->scratch);
    graph_verify(u->g, row->after);
    FILE *to = o->dump ? o->dump : stderr;
    if (o->time) fprintf(to, "%10.3f ms  %s%s\n", now_ms() - start, row->name, changed ? "" : "  (no change)");
    bool dump = o->dump_after && (strcmp(o->dump_after, "all") == 0 ? changed : listed(o->dump_after, row->name));
    if (!dump) return;
    Str text;
    str_init(&text, u->scratch);
    graph_print(u->g, &text, false);
    fprintf(to, "---- after %s\n%s", row->name, str_text(&text));
    arena_reset(u->scratch);
}

void passes_run(Unit *u) {
    const PassOptions *o = u->options;
    check_list(u, o->only, "--passes");
    check_list(u, o->skip, "--skip");
    check_list(u, o->stop_after, "--stop-after");
    if (o->dump_after && strcmp(o->dump_after, "all") != 0) check_list(u, o->dump_after, "--dump-after");
    if (u->d->n_errors) return;
    graph_verify(u->g, STAGE_IMPORTED);
    if (o->only) { /* these, in this order, whatever the level */
        for (const char *list = o->only; *list;) {
            size_t n = strcspn(list, ",");
            run_row(u, find_row(list, n));
            list += n + (list[n] == ',');
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].level <= o->level && !listed(o->skip, table[i].name)) run_row(u, &table[i]);
        if (o->stop_after && strcmp(o->stop_after, table[i].name) == 0) return;
    }
}
