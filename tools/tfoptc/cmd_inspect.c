/* inspect: what a model is: ports, op types and what becomes of each, parameters, FLOPs, memory. */
#include "commands.h"

#include "ir/host.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

typedef struct {
    const char *op, *fate, *why;
    uint32_t count;
} OpCount;

typedef VEC(OpCount) OpCounts;

static OpCount *count_op(OpCounts *counts, Map *index, Arena *arena, const char *op) {
    if (map_add(index, op, counts->len)) vec_push(arena, counts, (OpCount){.op = arena_strdup(arena, op)});
    OpCount *c = &counts->data[map_get(index, op, 0)];
    c->count++;
    return c;
}

static void count_body(OpCounts *counts, Map *index, Arena *arena, const TfBody *body) {
    for (uint32_t i = 0; i < body->n_nodes; i++) {
        OpCount *c = count_op(counts, index, arena, body->nodes[i].op);
        const TfOpRow *row = tf_op_find(body->nodes[i].op);
        c->fate = row ? "compiled" : host_op_find(c->op) ? "host" : "no import";
    }
}

/* Op types of the file and what becomes of each: those of the imported graph are compiled or host ops; the rest is
 * folded away or refused. */
static OpCounts count_ops(const Compilation *work, const TfGraph *tf, const Diag *d, Arena *arena) {
    OpCounts counts = {0};
    Map index, used;
    map_init(&index, arena);
    map_init(&used, arena);
    count_body(&counts, &index, arena, &tf->main);
    for (uint32_t i = 0; i < tf->n_functions; i++) count_body(&counts, &index, arena, &tf->functions[i].body);
    for (uint32_t i = 1; work->original && i < work->original->nodes.len; i++)
        if (work->original->nodes.data[i].tf_op) map_add(&used, work->original->nodes.data[i].tf_op, 1);
    for (uint32_t i = 0; i < counts.len; i++)
        if (work->original && !map_find(&used, counts.data[i].op)) counts.data[i].fate = "folded away";
    for (uint32_t i = 0; i < d->entries.len; i++) {
        const DiagEntry *e = &d->entries.data[i];
        MapEntry *at = e->level == DIAG_ERROR && e->op ? map_find(&index, e->op) : NULL;
        if (!at) continue;
        counts.data[at->value].fate = "refused";
        counts.data[at->value].why = e->message;
    }
    return counts;
}

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
    OpCounts counts = count_ops(&work, work.tf, d, arena);
    const Graph *g = work.original;
    double flops = 0, elements = 0, bytes = g ? parameter_bytes(g, &elements) : 0;
    const Machine *machine = machine_find("native", "x86-64-v3");
    for (uint32_t i = 0; g && i < region_at(g, g->root)->nodes.len; i++)
        flops += cost_node(g, region_at(g, g->root)->nodes.data[i], machine).flops;
    if (o->json) {
        json_t *ops = json_array();
        for (uint32_t i = 0; i < counts.len; i++)
            json_array_append_new(ops, json_pack("{s:s, s:i, s:s, s:s*}", "op", counts.data[i].op, "count",
                                                 (int)counts.data[i].count, "fate", counts.data[i].fate, "why",
                                                 counts.data[i].why));
        json_t *j = json_pack("{s:s, s:s, s:o, s:f, s:f, s:f}", "model", o->model, "signature",
                              work.tf->signature ? work.tf->signature : "", "ops", ops, "flops", flops, "parameters",
                              elements, "parameter_bytes", bytes);
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
    printf("ops      %u types\n", counts.len);
    for (uint32_t i = 0; i < counts.len; i++)
        printf("  %6u  %-34s %s%s%s\n", counts.data[i].count, counts.data[i].op, counts.data[i].fate,
               counts.data[i].why ? ": " : "", counts.data[i].why ? counts.data[i].why : "");
    return diag_exit_code(d);
}
