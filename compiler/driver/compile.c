/* compile: the whole way, in the order of the stages:

     model file ─ read, import ─► graph ─ copy, passes ─► graph ─ per --cpu:
   lower, schedule, plan ─► programs ─ kernels' code, descriptor, weights ─► one
   object ─ link ─► artefact

   Stages after an error are not entered; within a stage all errors are
   collected. */
#include "driver/compile.h"

#include "base/file.h"
#include "driver/depfile.h"
#include "driver/op_library.h"
#include "driver/output.h"
#include "codegen/object/object.h"
#include "export/export.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PROGRAMS = 16, MOST_STAGES = 32 };

typedef struct {
    const CompileOptions *o;
    struct {
        const char *what;
        double seconds;
    } stages[MOST_STAGES];
    uint32_t n_stages;
    double started;
} Clock;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void begin_stage(Clock *c, const char *what, double fraction) {
    double time = now();
    if (c->n_stages) c->stages[c->n_stages - 1].seconds = time - c->started;
    c->started = time;
    if (c->n_stages < MOST_STAGES) c->stages[c->n_stages++].what = what;
    if (c->o->progress) c->o->progress(what, fraction);
}

static void end_stages(Clock *c) {
    if (!c->n_stages) return;
    c->stages[c->n_stages - 1].seconds = now() - c->started;
    if (c->o->progress) c->o->progress("done", 1);
    double total = 0;
    for (uint32_t i = 0; i < c->n_stages; i++) total += c->stages[i].seconds;
    for (uint32_t i = 0; c->o->time && i < c->n_stages; i++)
        fprintf(stderr, "%9.1f ms %5.1f %%  %s\n", c->stages[i].seconds * 1e3,
                100 * c->stages[i].seconds / (total > 0 ? total : 1), c->stages[i].what);
    if (c->o->time) fprintf(stderr, "%9.1f ms          in all\n", total * 1e3);
}

/* The last tensor of each name, in the graph's order: what a TensorFlow node gives when it became several of ours. */
static void add_layers(Graph *g, Arena *arena) {
    Map last;
    map_init(&last, arena);
    Region *root = region_at(g, g->root);
    uint32_t n_outputs = g->outputs.len, n_dims = root->results.len - n_outputs;
    ValueId *dims = arena_memdup(arena, root->results.data + n_outputs, sizeof(ValueId) * (n_dims + 1));
    root->results.len = n_outputs;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < root->nodes.len; i++) {
            const Node *n = node_at(g, root->nodes.data[i]);
            for (uint32_t k = 0; k < n->n_outputs && n->op != OP_CONST; k++) {
                ValueId v = n->outputs[k];
                const Value *value = value_at(g, v);
                if (!value->name || dtype_info(value->dtype)->class_ == CLASS_HANDLE) continue;
                if (pass == 0) {
                    MapEntry *e = map_find(&last, value->name);
                    if (e)
                        e->value = v.i;
                    else
                        map_add(&last, value->name, v.i);
                } else if (map_get(&last, value->name, 0) == v.i) {
                    vec_push(g->arena, &root->results, v);
                    vec_push(g->arena, &g->outputs, (Port){value->name, value->name, value->dtype, 0, 0});
                }
            }
        }
    }
    for (uint32_t i = 0; i < n_outputs; i++) /* dims of outputs stay behind all of them */
        if (g->outputs.data[i].dims) g->outputs.data[i].dims += g->outputs.len - n_outputs;
    for (uint32_t i = 0; i < n_dims; i++) vec_push(g->arena, &root->results, dims[i]);
}

static bool import(Compilation *c, const CompileOptions *o, Clock *clock, Diag *d) {
    if (!c->arena) c->arena = d->arena;
    begin_stage(clock, "reading", 0);
    if (!c->tf) {
        if (!op_libraries_load(&c->custom_ops, c->arena, o->n_op_libraries, o->op_libraries, d)) return false;
        ReadOptions read = o->read;
        read.custom_ops = &c->custom_ops;
        c->tf = tf_read(c->arena, o->model, &read, d);
    }
    if (!c->tf) return false;
    begin_stage(clock, "importing", 0.05);
    if (!import_open_functions(c->arena, c->tf, &o->import, d)) return false;
    c->original = import_graph(c->arena, c->tf, &o->import, d);
    if (c->original) c->n_outputs = c->original->outputs.len;
    if (c->original && o->layers) add_layers(c->original, c->arena);
    return c->original != NULL && d->n_errors == 0;
}

static const char *triple_of(Arena *arena, const CompileOptions *o) {
    return o->triple ? o->triple : llvm_default_triple(arena);
}

/* The numbers of the CPU that code is tuned for. */
static const Machine *machine_of(const IsaRow *isa) {
    return machine_find(isa->tune ? isa->tune : isa->cpu, isa->level);
}

const Machine *compile_machine(Arena *arena, const char *isa) {
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *row = isa_find(arena, isa, llvm_default_triple(arena), &d);
    return row ? machine_of(row) : machine_find(isa, isa);
}

static const char *arch_of(Arena *arena, const char *triple) {
    return arena_strndup(arena, triple, strcspn(triple, "-"));
}

/* What every processor of an architecture has. */
static const char *baseline_cpu(Arena *arena, const char *triple) {
    const char *arch = arch_of(arena, triple);
    return strcmp(arch, "x86_64") == 0 ? "x86-64-v2" : arch;
}

static const char *default_cpu(Arena *arena, const char *triple) {
    bool is_here = strcmp(arch_of(arena, triple), arch_of(arena, llvm_default_triple(arena))) == 0;
    return is_here ? "native" : baseline_cpu(arena, triple);
}

/* More is better: wider vectors, then more instructions. */
static bool is_better(const IsaRow *a, const IsaRow *b) {
    if (a->vector_bits != b->vector_bits) return a->vector_bits > b->vector_bits;
    return strlen(a->checks) > strlen(b->checks);
}

/* Rows of the --cpu list, best first; what is named twice is compiled once. */
static bool find_isas(Arena *arena, const CompileOptions *o, const IsaRow **out, uint32_t *out_n, Diag *d) {
    const char *triple = triple_of(arena, o), *list = o->cpus ? o->cpus : default_cpu(arena, triple);
    uint32_t n = 0;
    if (o->triple && !isa_target_exists(arena, triple, d)) return false;
    while (*list) {
        size_t length = strcspn(list, ",");
        const IsaRow *row = isa_find(arena, arena_strndup(arena, list, length), triple, d);
        list += length + (list[length] == ',');
        if (!row) continue;
        bool known = false;
        for (uint32_t i = 0; i < n; i++) known = known || strcmp(out[i]->name, row->name) == 0;
        if (known) continue;
        if (n == MOST_PROGRAMS)
            return diag_usage(d, "--cpu: at most %d kinds of processor go into one artefact", MOST_PROGRAMS);
        uint32_t at = n++;
        for (; at > 0 && is_better(row, out[at - 1]); at--) out[at] = out[at - 1];
        out[at] = row;
    }
    *out_n = n;
    return d->n_errors == 0 && (n > 0 || diag_usage(d, "--cpu names no processor"));
}

static void run_passes(Compilation *c, const CompileOptions *o, const Machine *machine, Diag *d) {
    Unit u = {
        .g = c->graph, .machine = machine, .options = &o->passes, .arena = c->arena, .scratch = arena_new(), .d = d};
    passes_run(&u);
    c->graph = u.g;
    c->rewrites = u.rewrites.data;
    c->n_rewrites = u.rewrites.len;
    arena_free(u.scratch);
}

/* Up to the rewritten graph; leaves the rows of the --cpu list in isas. */
static bool rewrite_graph(Compilation *c, const CompileOptions *o, const IsaRow **isas, uint32_t *n, Clock *clock,
                          Diag *d) {
    if (!find_isas(c->arena ? c->arena : d->arena, o, isas, n, d) || !import(c, o, clock, d)) return false;
    begin_stage(clock, "rewriting the graph", 0.15);
    c->graph = graph_copy(c->arena, c->original);
    run_passes(c, o, machine_of(isas[0]), d);
    return d->n_errors == 0;
}

static bool build_programs(Compilation *c, const CompileOptions *o, Clock *clock, Diag *d) {
    const IsaRow *isas[MOST_PROGRAMS];
    uint32_t n = 0;
    if (!rewrite_graph(c, o, isas, &n, clock, d)) return false;
    begin_stage(clock, "making kernels", 0.3);
    c->programs = NEW_ARRAY(c->arena, Program *, n);
    LowerOptions lower = {.threads = o->threads, .fast_math = o->passes.fast_math, .max_memory = o->max_memory};
    for (uint32_t i = 0; i < n; i++) {
        Program *p = program_build(c->arena, c->graph, machine_of(isas[i]), isas[i], &lower, d);
        if (p) c->programs[c->n_programs++] = p;
    }
    return c->n_programs == n && d->n_errors == 0;
}

/* "out/ResNet-50.v2.so" → "ResNet_50_v2". */
static const char *model_name(Arena *arena, const CompileOptions *o, const char *out_path) {
    const char *given = o->name ? o->name : out_path, *slash = strrchr(given, '/');
    if (slash && !o->name) given = slash + 1;
    size_t length = strlen(given);
    const char *dot = o->name ? NULL : strrchr(given, '.');
    if (dot && dot != given) length = (size_t)(dot - given);
    char *name = arena_printf(arena, "m%.*s", (int)(length < 200 ? length : 200), given);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p)) *p = '_';
    if (strcmp(name, "m_") == 0 || name[1] == 0) return "model"; /* "-" */
    return isalpha((unsigned char)name[1]) || name[1] == '_' ? name + 1 : name;
}

static bool copy_text(Arena *arena, const char *from, Output *to, Diag *d) {
    FileMap map;
    if (!file_map(&map, arena, from, d)) return false;
    Str text;
    str_init(&text, arena);
    str_add_bytes(&text, map.data, map.size);
    file_unmap(&map);
    return output_commit_text(to, &text, d);
}

static bool emit_kernels(Compilation *c, const CompileOptions *o, const ObjectModel *m, LlvmUnit *u, Str *mlir_dump,
                         Diag *d) {
    for (uint32_t i = 0; i < c->n_programs; i++) {
        CpuOptions cpu = {.prefix = object_kernel_prefix(c->arena, m->name, c->programs[i]),
                          .triple = m->triple,
                          .fast_math = o->passes.fast_math,
                          .mlir_dump = mlir_dump};
        if (!cpu_emit(c->programs[i], &cpu, u, d)) return false;
    }
    return true;
}

/* Objects and archives come with a header beside them. */
static const char *header_path(Arena *arena, EmitKind kind, const char *out_path) {
    const char *dot = strrchr(out_path, '.'), *slash = strrchr(out_path, '/');
    if (kind != EMIT_KIND_OBJECT && kind != EMIT_KIND_ARCHIVE) return NULL;
    if (dot && slash && dot < slash) dot = NULL;
    size_t stem = dot ? (size_t)(dot - out_path) : strlen(out_path);
    return arena_printf(arena, "%.*s.h", (int)stem, out_path);
}

static bool make_artefact(Compilation *c, const ObjectModel *m, LlvmUnit *u, EmitKind kind, Output *out,
                          const char *temp_dir, Clock *clock, Diag *d) {
    static const ArtefactKind artefacts[] = {[EMIT_KIND_OBJECT] = ARTEFACT_OBJECT,
                                             [EMIT_KIND_ARCHIVE] = ARTEFACT_ARCHIVE,
                                             [EMIT_KIND_SHARED] = ARTEFACT_SHARED,
                                             [EMIT_KIND_EXECUTABLE] = ARTEFACT_EXECUTABLE};
    const char *object = arena_printf(c->arena, "%s/object.o", temp_dir);
    if (!object_describe(c->arena, u, m, temp_dir, d)) return false;
    begin_stage(clock, "generating code", 0.6);
    if (!llvm_unit_emit(u, LLVM_OBJECT, object, d)) return false;
    begin_stage(clock, "linking", 0.95);
    Str header;
    str_init(&header, c->arena);
    if (out->header_path) object_header(m, &header);
    out->header_text = &header;
    const char *made = object_link(c->arena, artefacts[kind], object, m, temp_dir, d);
    const bool executable = kind == EMIT_KIND_SHARED || kind == EMIT_KIND_EXECUTABLE;
    return made && output_commit_file(out, c->arena, made, executable, d);
}

/* From programs to code, in a unit of its own. */
static bool make_code(Compilation *c, const CompileOptions *o, const ObjectModel *m, EmitKind kind, Output *out,
                      const char *temp_dir, Clock *clock, Diag *d) {
    const IsaRow *baseline = isa_find(c->arena, baseline_cpu(c->arena, m->triple), m->triple, d);
    LlvmUnit *u = baseline ? llvm_unit_new(c->arena, m->triple, baseline, d) : NULL;
    if (!u) return false;
    Str dump;
    str_init(&dump, c->arena);
    begin_stage(clock, "emitting kernels", 0.4);
    bool ok = emit_kernels(c, o, m, u, kind == EMIT_KIND_MLIR ? &dump : NULL, d);
    if (ok && kind == EMIT_KIND_MLIR) {
        ok = output_commit_text(out, &dump, d);
    } else if (ok && (kind == EMIT_KIND_ASM || kind == EMIT_KIND_LLVM)) {
        const char *path = arena_printf(c->arena, "%s/text", temp_dir);
        ok = llvm_unit_emit(u, kind == EMIT_KIND_ASM ? LLVM_ASSEMBLY : LLVM_IR, path, d) &&
             copy_text(c->arena, path, out, d);
    } else if (ok) {
        ok = make_artefact(c, m, u, kind, out, temp_dir, clock, d);
    }
    llvm_unit_free(u);
    return ok;
}

static void describe_sources(Compilation *c, const CompileOptions *o, Output *out) {
    Str *text = NEW(c->arena, Str);
    str_init(text, c->arena);
    if (out->depfile_path) depfile_text(o, c->tf, out->path, c->arena, text);
    out->depfile_text = text;
}

static bool write_graph(Compilation *c, const CompileOptions *o, EmitKind kind, Output *out, Clock *clock, Diag *d) {
    const IsaRow *isas[MOST_PROGRAMS];
    uint32_t n = 0;
    CompileOptions options = *o;
    if (kind == EMIT_KIND_PB) /* TensorFlow has no op for all steps of a GRU: loops stay loops */
        options.passes.skip = o->passes.skip ? arena_printf(d->arena, "%s,pattern_rnn", o->passes.skip) : "pattern_rnn";
    if (!rewrite_graph(c, &options, isas, &n, clock, d)) return false;
    describe_sources(c, o, out);
    if (kind == EMIT_KIND_PB) return export_graph(c->graph, output_stream(out), d) && output_commit(out, d);
    Str text;
    str_init(&text, c->arena);
    graph_print(c->graph, &text, false);
    return output_commit_text(out, &text, d);
}

static bool write_kernels(Compilation *c, Output *out, Diag *d) {
    Str text;
    str_init(&text, c->arena);
    for (uint32_t i = 0; i < c->n_programs; i++) program_print(c->programs[i], &text);
    return output_commit_text(out, &text, d);
}

static bool write_header(Compilation *c, const ObjectModel *m, Output *out, Diag *d) {
    Str text;
    str_init(&text, c->arena);
    object_header(m, &text);
    return output_commit_text(out, &text, d);
}

static bool compile(Compilation *c, const CompileOptions *o, EmitKind kind, Output *out, Clock *clock, Diag *d) {
    if (kind == EMIT_KIND_GRAPH || kind == EMIT_KIND_PB) return write_graph(c, o, kind, out, clock, d);
    if (!build_programs(c, o, clock, d)) return false;
    describe_sources(c, o, out);
    if (kind == EMIT_KIND_KERNELS) return write_kernels(c, out, d);
    ObjectModel m = {.name = model_name(c->arena, o, out->path),
                     .triple = triple_of(c->arena, o),
                     .precision = o->precision ? o->precision : "fp32",
                     .sysroot = o->sysroot,
                     .programs = (const Program *const *)c->programs,
                     .n_programs = c->n_programs,
                     .op_libraries = o->op_libraries,
                     .n_op_libraries = o->n_op_libraries,
                     .link = o->link,
                     .n_link = o->n_link};
    if (kind == EMIT_KIND_HEADER) return write_header(c, &m, out, d);
    char *temp_dir = file_make_temp_dir(c->arena, d);
    if (!temp_dir) return false;
    bool ok = make_code(c, o, &m, kind, out, temp_dir, clock, d);
    file_remove_tree(temp_dir);
    return ok;
}

bool compile_import(Compilation *c, const CompileOptions *o, Diag *d) {
    Clock clock = {.o = o};
    bool ok = import(c, o, &clock, d);
    end_stages(&clock);
    return ok;
}

bool compile_programs(Compilation *c, const CompileOptions *o, Diag *d) {
    Clock clock = {.o = o};
    bool ok = build_programs(c, o, &clock, d);
    end_stages(&clock);
    return ok;
}

/* Writing over what is read would lose the model. */
static bool is_same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool are_different(const Output *out, const char *model, Diag *d) {
    const char *paths[] = {out->path, out->header_path, out->depfile_path};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (!paths[i]) continue;
        if (is_same_file(paths[i], model)) ok = diag_usage(d, "the output %s is the model itself", paths[i]);
        for (size_t k = 0; k < i; k++)
            if (paths[k] && strcmp(paths[i], paths[k]) == 0) ok = diag_usage(d, "two outputs would be %s", paths[i]);
    }
    return ok;
}

bool compile_to(Compilation *c, const CompileOptions *o, EmitKind kind, const char *out_path, Diag *d) {
    Output out = {.path = out_path, .header_path = header_path(d->arena, kind, out_path), .depfile_path = o->depfile};
    if (!are_different(&out, o->model, d) || !output_open(&out, d->arena, d)) return false;
    Clock clock = {.o = o};
    bool ok = compile(c, o, kind, &out, &clock, d);
    if (!ok) output_discard(&out);
    end_stages(&clock);
    return ok;
}
