/* explain: what each rewrite bought and where the time goes, predicted and measured; --html draws the same. */
#include "commands.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void print_rewrites(const Compilation *w) {
    printf("rewrites (predicted µs of what they touched, before → after)\n");
    for (uint32_t i = 0; i < w->n_rewrites;) { /* runs of the same rule are one line with its first place */
        const Rewrite *r = &w->rewrites[i];
        uint32_t n = 0;
        double before = 0, after = 0;
        for (; i < w->n_rewrites && strcmp(w->rewrites[i].pass, r->pass) == 0 &&
               strcmp(w->rewrites[i].rule, r->rule) == 0;
             i++, n++) {
            before += w->rewrites[i].ns_before;
            after += w->rewrites[i].ns_after;
        }
        printf("  %4u x  %-16s %-44s %10.2f → %-10.2f  ", n, r->pass, r->rule, before / 1e3, after / 1e3);
        common_print_name(r->node ? r->node : "", 0);
        putchar('\n');
    }
    if (!w->n_rewrites) printf("  none\n");
}

static void print_steps(const Measurement *m, double flops_of_step(const Program *, uint32_t), const Program *p) {
    double total = 0;
    for (uint32_t i = 0; i < m->n_steps; i++) total += m->steps[i].ns;
    printf("\nsteps (%u; measured: the mean of %.0f runs, %.2f µs in all)\n  %10s %10s %6s %8s  %s\n", m->n_steps,
           m->runs, total / 1e3, "predicted", "measured", "share", "GFLOP/s", "node");
    for (uint32_t i = 0; i < m->n_steps; i++) {
        double flops = flops_of_step(p, i);
        printf("  %8.2fµs %8.2fµs %5.1f%% ", m->steps[i].predicted_ns / 1e3, m->steps[i].ns / 1e3,
               total > 0 ? 100 * m->steps[i].ns / total : 0);
        if (flops > 0 && m->steps[i].ns > 0)
            printf("%8.1f", flops / m->steps[i].ns);
        else
            printf("%8s", "");
        printf("  ");
        common_print_name(m->steps[i].name, 0);
        putchar('\n');
    }
}

/* Step i in the order of the artefact's table: blocks one after the other. */
static const Step *step_at(const Program *p, uint32_t i) {
    for (uint32_t b = 0; b < p->blocks.len; b++) {
        if (i < p->blocks.data[b].steps.len) return &p->blocks.data[b].steps.data[i];
        i -= p->blocks.data[b].steps.len;
    }
    return NULL;
}

static double step_flops(const Program *p, uint32_t i) {
    const Step *s = step_at(p, i);
    return s ? s->cost.flops : 0;
}

static void html_text(FILE *f, const char *s) {
    for (; *s; s++) {
        if (*s == '<')
            fputs("&lt;", f);
        else if (*s == '&')
            fputs("&amp;", f);
        else
            fputc(*s, f);
    }
}

static bool write_html(FileOut *out, const Options *o, const Compilation *w, const Measurement *m, Diag *d) {
    FILE *f = out->stream;
    double total = 0, largest = 1;
    for (uint32_t i = 0; i < m->n_steps; i++) {
        total += m->steps[i].ns;
        if (m->steps[i].ns > largest) largest = m->steps[i].ns;
        if (m->steps[i].predicted_ns > largest) largest = m->steps[i].predicted_ns;
    }
    fprintf(f, "<!doctype html><meta charset=\"utf-8\"><title>tfoptc explain</title>\n<style>body{font:14px "
               "sans-serif;margin:2em}table{border-collapse:collapse}"
               "td,th{padding:2px "
               "8px;text-align:right}td:last-child,th:last-child{text-align:left}.bar{height:7px;background:#2a6fb0}."
               "predicted{background:#c9c9c9}"
               "</style>\n<h1>");
    html_text(f, o->model);
    fprintf(f,
            "</h1>\n<p>%s, median %.1f µs, %u steps. Blue: measured. Grey: predicted.</p>\n<table><tr><th>predicted "
            "µs<th>measured µs<th>share<th>"
            "<th>node</tr>\n",
            m->isa, m->median_us, m->n_steps);
    for (uint32_t i = 0; i < m->n_steps; i++) {
        fprintf(f,
                "<tr><td>%.1f<td>%.1f<td>%.1f %%<td style=\"width:400px\"><div class=\"bar\" "
                "style=\"width:%.1f%%\"></div><div class=\"bar predicted\" "
                "style=\"width:%.1f%%\"></div><td>",
                m->steps[i].predicted_ns / 1e3, m->steps[i].ns / 1e3, total > 0 ? 100 * m->steps[i].ns / total : 0,
                100 * m->steps[i].ns / largest, 100 * m->steps[i].predicted_ns / largest);
        html_text(f, m->steps[i].name);
        fputs("</tr>\n", f);
    }
    fprintf(f, "</table>\n<h2>Rewrites</h2>\n<table><tr><th>pass<th>before µs<th>after µs<th>rule and place</tr>\n");
    for (uint32_t i = 0; i < w->n_rewrites; i++) {
        fprintf(f, "<tr><td>%s<td>%.1f<td>%.1f<td>%s: ", w->rewrites[i].pass, w->rewrites[i].ns_before / 1e3,
                w->rewrites[i].ns_after / 1e3, w->rewrites[i].rule);
        html_text(f, w->rewrites[i].node);
        fputs("</tr>\n", f);
    }
    fputs("</table>\n", f);
    return file_commit(out, false, d);
}

static void report_json(json_t *report, const Compilation *w, const Measurement *m, int threads) {
    json_t *rewrites = json_array(), *steps = json_array();
    for (uint32_t i = 0; i < w->n_rewrites; i++)
        json_array_append_new(rewrites,
                              json_pack("{s:s, s:o, s:o, s:f, s:f}", "pass", w->rewrites[i].pass, "rule",
                                        json_text(w->rewrites[i].rule), "node", json_text(w->rewrites[i].node),
                                        "ns_before", w->rewrites[i].ns_before, "ns_after", w->rewrites[i].ns_after));
    for (uint32_t i = 0; i < m->n_steps; i++)
        json_array_append_new(steps, json_pack("{s:o, s:f, s:f}", "name", json_text(m->steps[i].name), "predicted_ns",
                                               m->steps[i].predicted_ns, "ns", m->steps[i].ns));
    const Program *p = w->programs[0];
    json_t *j =
        json_pack("{s:s, s:i, s:f, s:f, s:I, s:o, s:o, s:I, s:I}", "isa", m->isa, "threads", threads, "median_us",
                  m->median_us, "min_us", m->min_us, "runs", (json_int_t)m->runs, "rewrites", rewrites, "steps", steps,
                  "arena_bytes", (json_int_t)p->arena_bytes, "arena_bound", (json_int_t)p->arena_bound);
    json_object_update_new(report, j);
}

/* What a pass bought: the model compiled without it, measured. */
typedef struct {
    const char *pass;
    double without_us; /* the least of its runs, which noise does not raise */
} PassGain;

typedef struct {
    PassGain *gains;
    uint32_t n;
    double with_us;
} PassGains;

/* The model without one pass; in memory of its own, which may be much. */
static bool measure_without(PassGain *g, const Options *o, TfGraph *tf, int threads, double seconds,
                            const Tensor *inputs, uint32_t n, Diag *d) {
    Arena *scratch = arena_new();
    Compilation work = {.arena = scratch, .tf = tf};
    Options without = *o;
    Measurement m;
    const char *directory = NULL;
    without.skip = o->skip ? arena_printf(scratch, "%s,%s", o->skip, g->pass) : g->pass;
    const char *so = common_compile_so(&without, &work, &directory, scratch, d);
    bool ok = so && measure_compiled(&m, so, threads, seconds, false, inputs, n, scratch, d);
    if (ok) g->without_us = m.min_us;
    if (directory) file_remove_tree(directory);
    arena_free(scratch);
    return ok;
}

/* Every pass that fired, in the pipeline's order. */
static bool measure_passes(PassGains *out, const Options *o, const Compilation *w, const char *so, int threads,
                           const Tensor *inputs, uint32_t n, Arena *arena, Diag *d) {
    Measurement with;
    const double seconds = o->seconds / 4;
    *out = (PassGains){.gains = NEW_ARRAY(arena, PassGain, w->n_rewrites + 1)};
    bool ok = measure_compiled(&with, so, threads, seconds, false, inputs, n, arena, d);
    out->with_us = ok ? with.min_us : 0;
    for (uint32_t i = 0; ok && i < w->n_rewrites; i++) {
        bool known = false;
        for (uint32_t k = 0; k < out->n; k++) known = known || strcmp(out->gains[k].pass, w->rewrites[i].pass) == 0;
        if (known) continue;
        PassGain *g = &out->gains[out->n++];
        g->pass = w->rewrites[i].pass;
        ok = measure_without(g, o, w->tf, threads, seconds, inputs, n, d);
    }
    return ok;
}

static void print_passes(const PassGains *p) {
    printf("\npasses (measured: least µs without the pass → with it)\n");
    for (uint32_t i = 0; i < p->n; i++)
        printf("  %-20s %10.2f → %-10.2f %5.2fx\n", p->gains[i].pass, p->gains[i].without_us, p->with_us,
               p->with_us > 0 ? p->gains[i].without_us / p->with_us : 0);
}

static json_t *passes_json(const PassGains *p) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "pass", p->gains[i].pass, "min_us_without",
                                              p->gains[i].without_us, "min_us", p->with_us));
    return list;
}

ExitCode command_explain(const Options *o, json_t *report, Arena *arena, Diag *d) {
    Compilation work = {.arena = arena};
    CompileOptions c;
    if (common_is_compiled(o->model)) {
        diag_usage(d, "explain needs the model itself, %s is compiled", o->model);
        return EXIT_USAGE;
    }
    FileOut html = {0};
    if (o->html && !file_create(&html, arena, o->html, d)) return diag_exit_code(d);
    const char *directory = NULL, *so = common_compile_so(o, &work, &directory, arena, d);
    Measurement m;
    PassGains gains = {0};
    bool ok = so && common_compile_options(&c, o, arena, d);
    if (ok) {
        InputPort *in, *out;
        graph_ports(work.original, &in, &out, arena);
        uint32_t n_in = work.original->inputs.len;
        Tensor *inputs = NEW_ARRAY(arena, Tensor, n_in + 1);
        ok = values_make(inputs, in, n_in, o, arena, d) &&
             measure_compiled(&m, so, c.threads, o->seconds, true, inputs, n_in, arena, d) &&
             (!o->gains || measure_passes(&gains, o, &work, so, c.threads, inputs, n_in, arena, d));
    }
    if (ok && o->html) ok = write_html(&html, o, &work, &m, d);
    file_discard(&html);
    if (ok && report) {
        report_json(report, &work, &m, c.threads);
        if (o->gains) json_object_set_new(report, "passes", passes_json(&gains));
    } else if (ok) {
        const Program *p = work.programs[0];
        print_rewrites(&work);
        if (o->gains) print_passes(&gains);
        print_steps(&m, step_flops, p);
        if (p->is_static)
            printf("\nmemory: static, arena %.2f MB, lower bound %.2f MB, peak at %s\n", (double)p->arena_bytes / 1e6,
                   (double)p->arena_bound / 1e6, p->arena_peak ? p->arena_peak : "-");
        else
            printf("\nmemory: %s\n", common_memory_text(common_memory(p)));
        printf("median %.2f µs   min %.2f   (%.0f runs, %s, %d thread%s; the steps' clock reads are in it)\n",
               m.median_us, m.min_us, m.runs, m.isa, c.threads, c.threads == 1 ? "" : "s");
    }
    if (directory) file_remove_tree(directory);
    return ok ? EXIT_OK : diag_exit_code(d);
}
