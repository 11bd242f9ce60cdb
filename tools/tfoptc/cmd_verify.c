/* verify: compiled against the reference evaluation of the unoptimised graph, or against files; output by output. Exit
   4 on a mismatch. A float output may differ by 2e-5 of its largest value, or by eight times what rounding does to it:
   the reference is evaluated in f64 as well, its distance from the graph's own types is that figure.
   --layers makes every named tensor an output of both: node by node, and the first that differs is named.
 */
#include "commands.h"

#include "base/nearest.h"

#include "ref/ref.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static bool expected_files(Tensor *want, bool *given, const InputPort *out, uint32_t n, const Options *o, Arena *arena,
                           Diag *d) {
    for (uint32_t i = 0; i < o->expect.len; i++) {
        const char *text = o->expect.data[i], *equals = strrchr(text, '=');
        if (!equals) return diag_usage(d, "--expect %s: write NAME=FILE", text);
        bool found = false;
        for (uint32_t k = 0; k < n && !found; k++) {
            size_t name = strlen(out[k].name), word = (size_t)(equals - text);
            if (word > 2 && strncmp(equals - 2, ":0", 2) == 0 &&
                !(name > 2 && strcmp(out[k].name + name - 2, ":0") == 0))
                word -= 2;
            found = name == word && strncmp(out[k].name, text, word) == 0;
            if (found && given[k]) return diag_usage(d, "--expect %s: another file is given for this output", text);
            if (found && !tensor_read(&want[k], arena, equals + 1, out[k].name, out[k].dtype, d)) return false;
            if (found) given[k] = true;
        }
        if (!found) {
            Nearest near;
            nearest_init(&near, arena_strndup(arena, text, (size_t)(equals - text)));
            for (uint32_t k = 0; k < n; k++) nearest_try(&near, out[k].name);
            return diag_error(d, NULL, NULL, "--expect %s: the model has no output of that name%s", text,
                              nearest_hint(&near, arena));
        }
    }
    return true;
}

typedef struct {
    const char **names;
    Tensor *got, *want;
    double *rounding; /* of the reference: how far it is from one in f64 */
    Comparison *comparisons;
    uint32_t n;
    int width; /* of the column of names */
} Outputs;

static void print_type(const Tensor *t) {
    printf("%s[", dtype_info(t->dtype)->tf_name);
    for (int i = 0; i < t->rank; i++) printf("%s%" PRId64, i ? "," : "", t->dims[i]);
    putchar(']');
}

static void print_comparison(const Outputs *a, uint32_t i, const Options *o, json_t *list) {
    const Comparison *c = &a->comparisons[i];
    const Tensor *got = &a->got[i], *want = &a->want[i];
    if (list) {
        json_array_append_new(list, json_pack("{s:o, s:b, s:b, s:o, s:o, s:o, s:o}", "name", json_text(a->names[i]),
                                              "ok", c->ok, "as_set", c->as_set, "max_difference",
                                              json_number(c->max_difference < 1e300 ? c->max_difference : 1e300),
                                              "limit", json_number(c->limit), "max_want", json_number(c->max_want),
                                              "rounding", json_number(a->rounding[i])));
        return;
    }
    if (o->quiet && c->ok) return;
    if (!c->same_type) {
        common_print_name(a->names[i], a->width);
        printf(" FAIL  ");
        print_type(got);
        printf(", expected ");
        print_type(want);
        putchar('\n');
        return;
    }
    if (tensor_count(want) == 0) {
        common_print_name(a->names[i], a->width);
        printf(" empty: there is nothing to compare\n");
        return;
    }
    common_print_name(a->names[i], a->width);
    printf(" %s  max difference %.3g  allowed %.3g  largest %.3g  rounding %.3g", c->ok ? "ok  " : "FAIL",
           c->max_difference, c->limit, c->max_want, a->rounding[i]);
    if (c->as_set) printf("  (rows of equal score in another order)");
    if (!c->ok && dtype_info(want->dtype)->class_ != CLASS_BYTES) {
        printf("  at [%" PRId64 "]: ", c->worst);
        tensor_print_element(got, c->worst, 9, stdout);
        printf(", expected ");
        tensor_print_element(want, c->worst, 9, stdout);
    }
    putchar('\n');
}

/* The reference's answers, and what rounding does to each of them. That the graph cannot be evaluated in f64 is no
   failure: an index computed from a float may be out of range there. */
static bool evaluate_reference(const Graph *g, const Tensor *inputs, Tensor *answers, double *rounding, bool exact_too,
                               Arena *arena, Diag *d) {
    const uint32_t n = g->outputs.len;
    RefSession *s = ref_open(g);
    const bool ok = ref_run(s, inputs, answers, arena, d);
    ref_close(s);
    if (!ok || !exact_too) return ok;
    Tensor *exact = NEW_ARRAY(arena, Tensor, n + 1);
    Diag quiet;
    diag_init(&quiet, arena, "the reference in f64");
    s = ref_open(g);
    ref_set_exact(s, true);
    if (ref_run(s, inputs, exact, arena, &quiet)) compare_rounding(rounding, exact, answers, n);
    ref_close(s);
    return true;
}

/* Compares what is given; true when all agree. *out_first: the first layer that differs. */
static bool compare_all(const Outputs *a, uint32_t n_outputs, const char **out_first, const Options *o, json_t *list) {
    const double rounding_factor = 8;
    const double rtol = o->rtol >= 0 ? o->rtol : 2e-5, atol = o->atol >= 0 ? o->atol : 0;
    bool same = true;
    for (uint32_t i = 0; i < a->n; i++) {
        a->comparisons[i] = compare_tensors(&a->got[i], &a->want[i], rtol, atol);
        Comparison *c = &a->comparisons[i];
        if (c->same_type && dtype_is_float(a->want[i].dtype))
            c->limit = fmax(c->limit, rounding_factor * a->rounding[i]);
        c->ok = c->same_type && c->max_difference <= c->limit;
    }
    compare_rankings(a->comparisons, a->got, a->want, a->n);
    for (uint32_t i = 0; i < a->n; i++) {
        print_comparison(a, i, o, list);
        if (!a->comparisons[i].ok && i >= n_outputs && !*out_first) *out_first = a->names[i];
        same = same && a->comparisons[i].ok;
    }
    return same;
}

ExitCode command_verify(const Options *o, json_t *report, Arena *arena, Diag *d) {
    bool is_compiled = common_is_compiled(o->model);
    Compilation work = {.arena = arena};
    const char *directory = NULL, *so = common_shared_object(o, &work, &directory, arena, d);
    Loaded *l = so ? loaded_open(so, o->threads > 0 ? (int)o->threads : 0, arena, d) : NULL;
    bool ok = l != NULL, same = true;
    uint32_t n_compared = 0, n_empty = 0;
    const char *first = NULL; /* layer that differs */
    json_t *list = report ? json_array() : NULL;
    if (ok) {
        InputPort *in, *out;
        uint32_t n_in = loaded_ports(l, &in, &out, arena), n_out = loaded_n_outputs(l);
        Tensor *inputs = NEW_ARRAY(arena, Tensor, n_in + 1), *got = NEW_ARRAY(arena, Tensor, n_out + 1),
               *want = NEW_ARRAY(arena, Tensor, n_out + 1), *reference = NEW_ARRAY(arena, Tensor, n_out + 1);
        double *rounding = NEW_ARRAY(arena, double, n_out + 1);
        bool *given = NEW_ARRAY(arena, bool, n_out + 1);
        ok = values_make(inputs, in, n_in, o, arena, d) && expected_files(want, given, out, n_out, o, arena, d) &&
             loaded_run(l, inputs, got, arena, d);
        if (ok && is_compiled && !o->expect.len)
            ok = diag_usage(d, "%s is compiled: say what to compare it with, --expect NAME=FILE", o->model);
        if (ok && is_compiled && o->layers)
            ok = diag_usage(d, "--layers needs the model itself, %s is compiled", o->model);
        const bool own_tolerance = o->rtol >= 0 || o->atol >= 0;
        if (ok && !is_compiled && (!o->expect.len || o->layers || !own_tolerance))
            ok = evaluate_reference(work.original, inputs, reference, rounding, !own_tolerance, arena, d);
        Outputs all = {.names = NEW_ARRAY(arena, const char *, n_out + 1),
                       .got = NEW_ARRAY(arena, Tensor, n_out + 1),
                       .want = NEW_ARRAY(arena, Tensor, n_out + 1),
                       .rounding = NEW_ARRAY(arena, double, n_out + 1),
                       .comparisons = NEW_ARRAY(arena, Comparison, n_out + 1),
                       .width = 40};
        for (uint32_t i = 0; ok && i < n_out; i++) {
            if (!given[i] && o->expect.len && !o->layers) continue;
            all.names[all.n] = arena_strdup(arena, out[i].name); /* the model is closed before the last one is used */
            if (common_width(out[i].name) > all.width) all.width = common_width(out[i].name);
            all.got[all.n] = got[i];
            all.want[all.n] = given[i] ? want[i] : reference[i];
            all.rounding[all.n++] = rounding[i];
        }
        same = ok && compare_all(&all, o->layers ? work.n_outputs : all.n, &first, o, list);
        n_compared = all.n;
        for (uint32_t i = 0; ok && i < all.n; i++) n_empty += tensor_count(&all.want[i]) == 0;
        loaded_close(l);
    }
    if (directory) file_remove_tree(directory);
    if (ok && report) {
        json_object_set_new(report, "ok", json_boolean(same));
        json_object_set(report, "outputs", list);
        if (first) json_object_set_new(report, "first_that_differs", json_text(first));
    }
    json_decref(list);
    if (ok && first && !report) {
        printf("the first that differs: ");
        common_print_name(first, 0);
        putchar('\n');
    }
    if (ok && same && !report && !o->quiet)
        puts(n_empty == n_compared ? "nothing was compared: every output is empty; --input gives values that say more"
             : n_empty             ? "verified: every output that has elements agrees"
                                   : "verified: every output agrees");
    return !ok ? diag_exit_code(d) : same ? EXIT_OK : EXIT_MISMATCH;
}
