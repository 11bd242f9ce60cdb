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
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", ports[i].name, "tensor", ports[i].tensor,
                                              "dtype", dtype_info(v->dtype)->tf_name, "shape", dims));
    }
    return list;
}

static void print_ports(const char *title, const Graph *g, const Port *ports, uint32_t n, const ValueId *values,
                        Arena *arena) {
    for (uint32_t i = 0; i < n; i++) {
        const Value *v = value_at(g, values[i]);
        Str shape;
        str_init(&shape, arena);
        shape_print(&g->dims, &v->shape, &shape);
        printf("%-8s %-32s %s%s\n", i ? "" : title, ports[i].name, dtype_info(v->dtype)->tf_name, str_text(&shape));
    }
}

ExitCode command_inspect(const Options *o, Arena *arena, Diag *d) {
    CompileOptions c;
    if (!common_compile_options(&c, o, arena, d)) return diag_exit_code(d);
    Compilation work = {.arena = arena};
    compile_import(&work, &c, d); /* a graph with refused ops is still described */
    if (!work.tf) return diag_exit_code(d);
    OpReport report = op_report(&work, o, d, arena);
    const Graph *g = work.original;
    double flops = 0, elements = 0, bytes = g ? parameter_bytes(g, &elements) : 0;
    const Machine *machine = machine_find("native", "x86-64-v3");
    for (uint32_t i = 0; g && i < region_at(g, g->root)->nodes.len; i++)
        flops += cost_node(g, region_at(g, g->root)->nodes.data[i], machine).flops;
    if (o->json) {
        json_t *j = json_pack("{s:s, s:s, s:o, s:f, s:f, s:f}", "model", o->model, "signature",
                              work.tf->signature ? work.tf->signature : "", "ops", op_report_json(&report), "flops",
                              flops, "parameters", elements, "parameter_bytes", bytes);
        if (g) {
            json_object_set_new(
                j, "inputs", ports_json(g, g->inputs.data, g->inputs.len, region_at(g, g->root)->params.data, arena));
            json_object_set_new(
                j, "outputs",
                ports_json(g, g->outputs.data, g->outputs.len, region_at(g, g->root)->results.data, arena));
        }
        json_dumpf(j, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(j);
        return diag_exit_code(d);
    }
    printf("model    %s%s%s\n", o->model, work.tf->signature && *work.tf->signature ? ", signature " : "",
           work.tf->signature ? work.tf->signature : "");
    if (g) {
        print_ports("inputs", g, g->inputs.data, g->inputs.len, region_at(g, g->root)->params.data, arena);
        print_ports("outputs", g, g->outputs.data, g->outputs.len, region_at(g, g->root)->results.data, arena);
        printf("params   %.0f (%.2f MB)\nwork     %.3f GFLOP a run\n", elements, bytes / 1e6, flops / 1e9);
    }
    op_report_print(&report, o->verbose);
    return diag_exit_code(d);
}
