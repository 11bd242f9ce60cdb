/* verify: compiled against the reference evaluation of the unoptimised graph, or against files; output by output. Exit
   4 on a mismatch.
   --layers makes every named tensor an output of both: node by node, and the first that differs is named.
 */
#include "commands.h"

#include "ref/ref.h"
#include <inttypes.h>
#include <jansson.h>
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
            if (found && !tensor_read(&want[k], arena, equals + 1, out[k].name, out[k].dtype, d)) return false;
            if (found) given[k] = true;
        }
        if (!found) return diag_usage(d, "--expect %s: the model has no output of that name", text);
    }
    return true;
}

static void print_comparison(const char *name, const Comparison *c, const Tensor *got, const Tensor *want,
                             const Options *o, json_t *list) {
    if (o->json) {
        json_array_append_new(list, json_pack("{s:s, s:b, s:f, s:f, s:f}", "name", name, "ok", c->ok, "max_difference",
                                              c->max_difference < 1e300 ? c->max_difference : 1e300, "limit", c->limit,
                                              "max_want", c->max_want));
        return;
    }
    if (o->quiet && c->ok) return;
    if (!c->same_type) {
        printf("%-40s FAIL  ", name);
        printf("%s of rank %d, expected %s of rank %d, or other dims\n", dtype_info(got->dtype)->tf_name, got->rank,
               dtype_info(want->dtype)->tf_name, want->rank);
        return;
    }
    printf("%-40s %s  max difference %.3g  allowed %.3g  largest %.3g", name, c->ok ? "ok  " : "FAIL",
           c->max_difference, c->limit, c->max_want);
    if (!c->ok && dtype_info(want->dtype)->class_ != CLASS_BYTES)
        printf("  at [%" PRId64 "]: %.9g, expected %.9g", c->worst, tensor_get_f64(got, c->worst),
               tensor_get_f64(want, c->worst));
    putchar('\n');
}

ExitCode command_verify(const Options *o, Arena *arena, Diag *d) {
    bool is_compiled = common_is_compiled(o->model);
    Compilation work = {.arena = arena};
    const char *directory = NULL, *so = common_shared_object(o, &work, &directory, arena, d);
    Loaded *l = so ? loaded_open(so, o->has_threads ? (int)o->threads : 0, arena, d) : NULL;
    bool ok = l != NULL, same = true;
    const char *first = NULL; /* layer that differs */
    json_t *list = json_array();
    if (ok) {
        InputPort *in, *out;
        int64_t *limits = NULL;
        uint32_t n_in = loaded_ports(l, &in, &out, arena), n_out = loaded_n_outputs(l);
        if (work.original) {
            InputPort *graph_in, *graph_out;
            graph_ports(work.original, &graph_in, &graph_out, &limits, arena);
        }
        Tensor *inputs = NEW_ARRAY(arena, Tensor, n_in + 1), *got = NEW_ARRAY(arena, Tensor, n_out + 1),
               *want = NEW_ARRAY(arena, Tensor, n_out + 1);
        bool *given = NEW_ARRAY(arena, bool, n_out + 1);
        ok = values_make(inputs, in, n_in, limits, o, arena, d) &&
             expected_files(want, given, out, n_out, o, arena, d) && loaded_run(l, inputs, got, arena, d);
        if (ok && is_compiled && !o->expect.len)
            ok = diag_usage(d, "%s is compiled: say what to compare it with, --expect NAME=FILE", o->model);
        if (ok && is_compiled && o->layers)
            ok = diag_usage(d, "--layers needs the model itself, %s is compiled", o->model);
        if (ok && !is_compiled && (!o->expect.len || o->layers)) {
            RefSession *s = ref_open(work.original);
            Tensor *reference = NEW_ARRAY(arena, Tensor, n_out + 1);
            ok = ref_run(s, inputs, reference, arena, d);
            for (uint32_t i = 0; ok && i < n_out; i++) {
                if (given[i] || (o->expect.len && !o->layers)) continue;
                want[i] = reference[i];
                given[i] = true;
            }
            ref_close(s);
        }
        for (uint32_t i = 0; ok && i < n_out; i++) {
            if (!given[i]) continue;
            Comparison c = compare_tensors(&got[i], &want[i], o->rtol, o->atol);
            print_comparison(out[i].name, &c, &got[i], &want[i], o, list);
            if (!c.ok && i >= work.n_outputs && !first) first = out[i].name;
            same = same && c.ok;
        }
        loaded_close(l);
    }
    if (directory) file_remove_tree(directory);
    if (ok && o->json) {
        json_dumpf(list, stdout, JSON_INDENT(1));
        putchar('\n');
    }
    json_decref(list);
    if (ok && first && !o->json) printf("the first that differs: %s\n", first);
    if (ok && same && !o->json && !o->quiet) printf("verified: every output agrees\n");
    return !ok ? diag_exit_code(d) : same ? EXIT_OK : EXIT_MISMATCH;
}
