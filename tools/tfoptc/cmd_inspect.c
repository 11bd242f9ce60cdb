/* inspect: what a model is: ports, op types and what becomes of each, parameters, FLOPs, memory. */
#include "commands.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static double parameter_bytes(const Graph *g, double *out_elements) {
    double bytes = 0;
    *out_elements = 0;
    for (uint32_t i = 1; i < g->nodes.len; i++) {
        const Attr *a = g->nodes.data[i].op == OP_CONST ? node_attr(&g->nodes.data[i], "value") : NULL;
        if (!a || g->nodes.data[i].dead) continue;
        bytes += (double)tensor_bytes(a->v.tensor);
        *out_elements += (double)tensor_count(a->v.tensor);
    }
    return bytes;
}

static json_t *ports_json(const Graph *g, const Port *ports, uint32_t n, const ValueId *values, Arena *arena) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const Value *v = value_at(g, values[i]);
        json_t *dims = json_array();
        for (int k = 0; k < v->shape.rank; k++) {
            Str text;
            str_init(&text, arena);
            dim_print(&g->dims, v->shape.dims[k], &text);
            json_array_append_new(dims, dim_is_const(v->shape.dims[k]) ? json_integer(v->shape.dims[k].value)
                                                                       : json_string(str_text(&text)));
        }
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:o}", "name", json_text(ports[i].name), "tensor",
                                              json_text(ports[i].tensor), "dtype", dtype_info(v->dtype)->tf_name,
                                              "shape", dims));
    }
    return list;
}

static void print_ports(const char *title, const Graph *g, const Port *ports, uint32_t n, const ValueId *values,
                        Arena *arena) {
    int width = 32;
    for (uint32_t i = 0; i < n; i++)
        if (common_width(ports[i].name) > width) width = common_width(ports[i].name);
    for (uint32_t i = 0; i < n; i++) {
        const Value *v = value_at(g, values[i]);
        Str shape;
        str_init(&shape, arena);
        shape_print(&g->dims, &v->shape, &shape);
        printf("%-8s ", i ? "" : title);
        common_print_name(ports[i].name, width);
        printf(" %s%s\n", dtype_info(v->dtype)->tf_name, str_text(&shape));
    }
}

/* How the compiled model's memory behaves, from its plan for this machine. */
typedef struct {
    const char *kind; /* "static", "bound", "grows"; NULL: the graph is refused */
    int64_t bytes, bound;
    const char *peak;
} Memory;

static Memory plan_memory(const CompileOptions *c, TfGraph *tf, Arena *arena, Diag *d) {
    Compilation work = {.arena = arena, .tf = tf};
    if (d->n_errors || !compile_programs(&work, c, d)) return (Memory){0};
    const Program *p = work.programs[0];
    return (Memory){common_memory(p), p->arena_bytes, p->arena_bound, p->arena_peak};
}

static void print_memory(const Memory *m) {
    if (strcmp(m->kind, "static") == 0) {
        printf("memory: static   arena %.3f MB (lower bound %.3f MB)%s", (double)m->bytes / 1e6, (double)m->bound / 1e6,
               m->peak ? ", largest: " : "");
        common_print_name(m->peak ? m->peak : "", 0);
        putchar('\n');
    } else {
        printf("memory: %s\n", common_memory_text(m->kind));
    }
}

static void report_graph(json_t *report, const Compilation *work, const OpReport *ops, const Memory *memory,
                         Arena *arena) {
    const Graph *g = work->original;
    json_object_set_new(report, "signature", json_text(work->tf->signature ? work->tf->signature : ""));
    json_object_set_new(report, "ops", op_report_json(ops));
    if (memory->kind) {
        json_object_set_new(report, "memory", json_string(memory->kind));
        json_object_set_new(report, "arena_bytes", json_integer(memory->bytes));
    }
    if (!g) return;
    const Region *root = region_at(g, g->root);
    json_object_set_new(report, "inputs", ports_json(g, g->inputs.data, g->inputs.len, root->params.data, arena));
    json_object_set_new(report, "outputs", ports_json(g, g->outputs.data, g->outputs.len, root->results.data, arena));
}

ExitCode command_inspect(const Options *o, json_t *report, Arena *arena, Diag *d) {
    CompileOptions c;
    if (common_is_compiled(o->model)) return inspect_artefact(o, report, arena, d);
    if (!common_compile_options(&c, o, arena, d)) return diag_exit_code(d);
    Compilation work = {.arena = arena};
    compile_import(&work, &c, d); /* a graph with refused ops is still described */
    if (!work.tf) return diag_exit_code(d);
    OpReport ops = op_report(&work, o, d, arena);
    const Graph *g = work.original;
    Memory memory = plan_memory(&c, work.tf, arena, d);
    double flops = 0, elements = 0, bytes = g ? parameter_bytes(g, &elements) : 0;
    const Machine *machine = compile_machine(arena, "native");
    for (uint32_t i = 0; g && i < region_at(g, g->root)->nodes.len; i++)
        flops += cost_node(g, region_at(g, g->root)->nodes.data[i], machine).flops;
    if (report) {
        json_object_update_new(report, json_pack("{s:o, s:f, s:f, s:f}", "model",
                                                 json_text(work.tf->directory ? work.tf->directory : o->model), "flops",
                                                 flops, "parameters", elements, "parameter_bytes", bytes));
        report_graph(report, &work, &ops, &memory, arena);
        return diag_exit_code(d);
    }
    printf("model    %s%s%s\n", work.tf->directory ? work.tf->directory : o->model,
           work.tf->signature && *work.tf->signature ? ", signature " : "",
           work.tf->signature ? work.tf->signature : "");
    if (g) {
        print_ports("inputs", g, g->inputs.data, g->inputs.len, region_at(g, g->root)->params.data, arena);
        print_ports("outputs", g, g->outputs.data, g->outputs.len, region_at(g, g->root)->results.data, arena);
        printf("params   %.0f (%.2f MB)\nwork     %.3f %sFLOP a run\n", elements, bytes / 1e6,
               flops >= 1e9 ? flops / 1e9 : flops / 1e6, flops >= 1e9 ? "G" : "M");
        if (memory.kind) print_memory(&memory);
    }
    op_report_print(&ops, o->verbose);
    return diag_exit_code(d);
}
