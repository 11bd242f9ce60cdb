/* run: one answer of a model: compiled on the spot, from a .so, or by the reference evaluator. */
#include "commands.h"

#include "ref/ref.h"
#include <jansson.h>
#include <string.h>

/* An output for --json: its elements, or the file that has them. */
static json_t *output_json(const Options *o, const InputPort *port, const Tensor *t, uint32_t i, Arena *arena) {
    json_t *j = tensor_json_header(port, t->dtype, t->rank, t->dims);
    if (o->save)
        json_object_set_new(j, "file", json_text(tensor_file_name(t, arena, o->save, i)));
    else
        json_object_set_new(j, "values", tensor_json(t));
    return j;
}

static bool show_outputs(const Options *o, json_t *report, const InputPort *ports, const Tensor *outputs, uint32_t n,
                         Arena *arena, Diag *d) {
    json_t *list = report ? json_array() : NULL;
    if (report) json_object_set_new(report, "outputs", list);
    if (o->save && !tensors_save(outputs, n, arena, o->save, d)) return false;
    for (uint32_t i = 0; i < n; i++) {
        if (report) json_array_append_new(list, output_json(o, &ports[i], &outputs[i], i, arena));
        if (o->save || o->quiet || report) continue;
        common_print_name(ports[i].name, 0);
        putchar(' ');
        tensor_print(&outputs[i], stdout);
    }
    return true;
}

static bool all_agree(const InputPort *ports, const Tensor *first, const Tensor *again, uint32_t n, int64_t run,
                      Diag *d) {
    for (uint32_t i = 0; i < n; i++)
        if (!compare_tensors(&again[i], &first[i], 0, 0).ok)
            return diag_error(d, NULL, NULL, "output '%s' of run %lld differs from that of the first run",
                              ports[i].name, (long long)run + 1);
    return true;
}

static ExitCode run_reference(const Options *o, json_t *report, Arena *arena, Diag *d) {
    CompileOptions c;
    Compilation work = {.arena = arena};
    if (!common_compile_options(&c, o, arena, d) || !compile_import(&work, &c, d)) return diag_exit_code(d);
    InputPort *in, *out;
    graph_ports(work.original, &in, &out, arena);
    uint32_t n_in = work.original->inputs.len, n_out = work.original->outputs.len;
    Tensor *inputs = NEW_ARRAY(arena, Tensor, n_in + 1), *outputs = NEW_ARRAY(arena, Tensor, n_out + 1),
           *again = NEW_ARRAY(arena, Tensor, n_out + 1);
    if (!values_make(inputs, in, n_in, o, arena, d)) return diag_exit_code(d);
    RefSession *s = ref_open(work.original);
    bool ok = ref_run(s, inputs, outputs, arena, d);
    for (int64_t r = 1; ok && r < o->repeat; r++)
        ok = ref_run(s, inputs, again, arena, d) && all_agree(out, outputs, again, n_out, r, d);
    ok = ok && show_outputs(o, report, out, outputs, n_out, arena, d);
    ref_close(s);
    return ok ? EXIT_OK : diag_exit_code(d);
}

ExitCode command_run(const Options *o, json_t *report, Arena *arena, Diag *d) {
    bool compiled = common_is_compiled(o->model);
    if (o->reference && compiled) {
        diag_usage(d, "--reference needs the model itself, %s is compiled", o->model);
        return EXIT_USAGE;
    }
    if (o->reference) return run_reference(o, report, arena, d);
    Compilation work = {.arena = arena};
    const char *directory = NULL, *so = common_shared_object(o, &work, &directory, arena, d);
    Loaded *l = so ? loaded_open(so, o->threads > 0 ? (int)o->threads : 0, arena, d) : NULL;
    bool ok = l != NULL;
    if (ok) {
        InputPort *in, *out;
        uint32_t n_in = loaded_ports(l, &in, &out, arena), n_out = loaded_n_outputs(l);
        Tensor *inputs = NEW_ARRAY(arena, Tensor, n_in + 1), *outputs = NEW_ARRAY(arena, Tensor, n_out + 1),
               *again = NEW_ARRAY(arena, Tensor, n_out + 1);
        ok = values_make(inputs, in, n_in, o, arena, d) && loaded_run(l, inputs, outputs, arena, d);
        for (int64_t r = 1; ok && r < o->repeat; r++)
            ok = loaded_run(l, inputs, again, arena, d) && all_agree(out, outputs, again, n_out, r, d);
        ok = ok && show_outputs(o, report, out, outputs, n_out, arena, d);
        loaded_close(l);
    }
    if (directory) file_remove_tree(directory);
    return ok ? EXIT_OK : diag_exit_code(d);
}
