/* random_code: see random_code.h. Linking takes longer than anything else, so it is done once for many graphs. */
#include "random_code.h"
#include "base/file.h"
#include "codegen/object/object.h"
#include "pass.h"
#include "random_judge.h"
#include "tfopt.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RUNS = 3, MORE_RUNS = 48 };

/* ---- settings */

Settings random_settings(Random *r, Arena *arena, int threads, const char *cpu) {
    static const char *const levels[] = {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
    static const char *const passes[] = {"fold",  "canonicalise", "cse",    "pattern_softmax", "pattern_layer_norm",
                                         "hoist", "batch_norm",   "control"};
    Settings s = {.threads = (int)random_below(r, 3), .level = 3, .cpu = levels[random_below(r, ARRAY_LEN(levels))]};
    if (random_chance(r, 15)) s.level = (int)random_below(r, 3);
    if (random_chance(r, 10)) s.skip = passes[random_below(r, ARRAY_LEN(passes))];
    if (threads >= 0) s.threads = threads;
    if (cpu) s.cpu = cpu;
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *native = isa_find(arena, "native", triple, &d), *isa = isa_find(arena, s.cpu, triple, &d);
    /* Levels sort by name. */
    if (!native || !isa || strcmp(isa->arch, native->arch) != 0 || strcmp(isa->level, native->level) > 0)
        s.cpu = "native";
    return s;
}

void settings_print(const Settings *s, Str *out) {
    str_printf(out, "threads=%d cpu=%s level=%d%s%s", s->threads, s->cpu, s->level, s->skip ? " skip=" : "",
               s->skip ? s->skip : "");
}

/* ---- building */

static Graph *rewritten(const Case *c, const Machine *machine, const char *stop_after, Arena *arena, Diag *d,
                        Coverage *fired) {
    PassOptions options = {
        .level = c->settings.level, .skip = c->settings.skip, .stop_after = stop_after, .fold_limit = 64 << 20};
    Unit u = {.g = graph_copy(arena, c->g),
              .machine = machine,
              .options = &options,
              .arena = arena,
              .scratch = arena_new(),
              .d = d};
    passes_run(&u);
    for (uint32_t i = 0; fired && i < u.rewrites.len; i++) cover_pass(fired, u.rewrites.data[i].pass);
    arena_free(u.scratch);
    return u.g;
}

static const Machine *machine_of(const IsaRow *isa) {
    return machine_find(isa->tune ? isa->tune : isa->cpu, isa->level);
}

static bool compile_case(Case *c, LlvmUnit *unit, const char *name, const char *folder, Arena *arena, Diag *d) {
    const char *triple = llvm_default_triple(arena), *own = arena_printf(arena, "%s/%s", folder, name);
    const IsaRow *isa = isa_find(arena, c->settings.cpu, triple, d);
    if (!isa) return false;
    Graph *g = rewritten(c, machine_of(isa), NULL, arena, d, &c->coverage);
    LowerOptions lower = {.threads = c->settings.threads, .max_memory = (int64_t)1 << 32};
    c->program = d->n_errors ? NULL : program_build(arena, g, machine_of(isa), isa, &lower, d);
    if (!c->program) return false;
    program_verify(c->program);
    const Program *const programs[] = {c->program};
    ObjectModel model = {.name = name,
                         .triple = triple,
                         .precision = "fp32",
                         .programs = arena_memdup(arena, programs, sizeof programs),
                         .n_programs = 1};
    CpuOptions options = {.prefix = object_kernel_prefix(arena, name, c->program), .triple = triple};
    return cpu_emit(c->program, &options, unit, d) && mkdir(own, 0700) == 0 &&
           object_describe(arena, unit, &model, own, d);
}

void print_code(const Case *c, Str *out) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *isa = isa_find(arena, c->settings.cpu, llvm_default_triple(arena), &d);
    Graph *g = rewritten(c, machine_of(isa), NULL, arena, &d, NULL);
    LowerOptions lower = {.threads = c->settings.threads};
    graph_print(g, out, false);
    Program *p = program_build(arena, g, machine_of(isa), isa, &lower, &d);
    if (p) program_print(p, out);
    arena_free(arena);
}

static const char *first_message(const Diag *d, Arena *arena) {
    for (uint32_t i = 0; i < d->entries.len; i++) {
        const DiagEntry *e = &d->entries.data[i];
        if (e->level == DIAG_ERROR)
            return arena_printf(arena, "%s%s%s", e->op ? e->op : "", e->op ? ": " : "", e->message);
    }
    return "failed without a message";
}

static void set_verdict(Case *c, Verdict v, const char *why) {
    c->verdict = v;
    snprintf(c->why, WHY, "%s", why);
}

static void *build_library(Case *cases, uint32_t n, Arena *arena) {
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *baseline = isa_find(arena, strncmp(triple, "x86_64", 6) == 0 ? "x86-64-v2" : "native", triple, &d);
    LlvmUnit *unit = baseline ? llvm_unit_new(arena, triple, baseline, &d) : NULL;
    char *folder = file_make_temp_dir(arena, &d);
    if (!unit || !folder) BUG("no place to compile");
    for (uint32_t i = 0; i < n; i++) {
        diag_init(&d, arena, NULL);
        if (cases[i].verdict == NOTHING) continue;
        if (!compile_case(&cases[i], unit, arena_printf(arena, "case%u", i), folder, arena, &d))
            set_verdict(&cases[i], REFUSED, first_message(&d, arena));
    }
    const char *object = arena_printf(arena, "%s/k.o", folder), *library = arena_printf(arena, "%s/k.so", folder);
    bool ok = llvm_unit_emit(unit, LLVM_OBJECT, object, &d) &&
              system(arena_printf(arena, "cc -shared -o %s %s %s -lm", library, object, RUNTIME_LIBRARY)) == 0;
    llvm_unit_free(unit);
    void *handle = ok ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
    file_remove_tree(folder);
    if (!handle) BUG("cannot load: %s", ok ? dlerror() : first_message(&d, arena));
    return handle;
}

/* ---- running */

static Tensor tensor_of(const TfoptTensor *t) {
    Tensor out = {.dtype = (DType)t->dtype, .rank = t->rank, .data = t->data};
    for (int i = 0; i < t->rank; i++) out.dims[i] = t->dims[i];
    return out;
}

/* One run into copies in the arena. Each input in memory of its own, as long as it is, so that a sanitizer sees a read
 * past its end. */
static bool run_once(TfoptSession *s, uint32_t n_out, Tensor *out, Arena *arena) {
    if (tfopt_run(s) != TFOPT_OK) return false;
    for (uint32_t i = 0; i < n_out; i++) {
        TfoptTensor t;
        if (tfopt_get_output(s, (int)i, &t) != TFOPT_OK) return false;
        out[i] = tensor_of(&t);
        if (tensor_bytes(&out[i])) out[i].data = arena_memdup(arena, t.data, tensor_bytes(&out[i]));
        for (int64_t k = 0; t.dtype == TFOPT_STRING && k < tensor_count(&out[i]); k++) {
            StringElement *e = (StringElement *)(uintptr_t)out[i].data + k;
            e->data = arena_memdup(arena, e->data ? e->data : "", e->size);
        }
    }
    return true;
}

static bool same_bits(const Tensor *a, const Tensor *b) {
    if (a->dtype == DTYPE_STRING) return true;
    return tensor_bytes(a) == tensor_bytes(b) &&
           (tensor_bytes(a) == 0 || memcmp(a->data, b->data, tensor_bytes(a)) == 0);
}

/* Whether the rewritten graph fails as the original does: what a pass proves to be of no use cannot fail any more. */
static bool still_fails(const Case *c, const Tensor *inputs, Arena *arena) {
    Diag d;
    diag_init(&d, arena, NULL);
    Tensor *out = NEW_ARRAY(arena, Tensor, c->g->outputs.len + 1);
    RefSession *s = ref_open(c->program->g);
    bool ran = ref_run(s, inputs, out, arena, &d);
    ref_close(s);
    return !ran;
}

/* A difference is looked at with many more and louder runs of the reference before it counts. */
static bool judge_outputs(Case *c, const Tensor *inputs, Expectation *e, const Tensor *got, Arena *arena) {
    uint32_t n = c->g->outputs.len;
    bool good = true;
    for (uint32_t i = 0; i < n && good; i++) good = as_expected(e, i, &got[i], c->why, WHY);
    if (good) return true;
    expect(e, c->g, inputs, MORE_RUNS, 3, false, arena);
    good = !e->fails || e->uncertain;
    for (uint32_t i = 0; i < n && !e->uncertain; i++)
        if (!as_expected(e, i, &got[i], c->why, WHY)) return false;
    return good;
}

static bool judge_binding(Case *c, TfoptSession *s, const Tensor *inputs, Arena *arena) {
    Expectation e;
    uint32_t n_in = c->g->inputs.len, n_out = c->g->outputs.len;
    Tensor *first = NEW_ARRAY(arena, Tensor, n_out + 1), *second = NEW_ARRAY(arena, Tensor, n_out + 1);
    void **copies = NEW_ARRAY(arena, void *, n_in + 1);
    expect(&e, c->g, inputs, RUNS, 1, false, arena);
    bool ok = true;
    for (uint32_t i = 0; i < n_in; i++) {
        size_t bytes = tensor_bytes(&inputs[i]);
        copies[i] = malloc(bytes ? bytes : 1);
        if (bytes) memcpy(copies[i], inputs[i].data, bytes);
        ok = ok && tfopt_set_input(s, (int)i, copies[i], inputs[i].rank, inputs[i].dims) == TFOPT_OK;
    }
    ok = ok && run_once(s, n_out, first, arena);
    bool again = ok && run_once(s, n_out, second, arena);
    for (uint32_t i = 0; i < n_in; i++) {
        if (memcmp(copies[i], inputs[i].data ? inputs[i].data : copies[i], tensor_bytes(&inputs[i])) != 0)
            ok = (set_verdict(c, DIFFERENT, "an input was written to"), false);
        free(copies[i]);
    }
    if (c->verdict == DIFFERENT) return false;
    if (!ok && !e.fails) { /* rounding may decide whether an index is in range */
        Expectation more;
        expect(&more, c->g, inputs, MORE_RUNS, 3, false, arena);
        if (more.uncertain) return true;
        return snprintf(c->why, WHY, "fails: %s; the reference does not", tfopt_error(s)), false;
    }
    if (ok && e.fails && !e.uncertain && still_fails(c, inputs, arena))
        return snprintf(c->why, WHY, "runs; the reference fails: %s", e.error), false;
    if (!ok || e.fails) return true;
    if (!again) return snprintf(c->why, WHY, "the second run fails: %s", tfopt_error(s)), false;
    for (uint32_t i = 0; i < n_out; i++)
        if (!same_bits(&first[i], &second[i]))
            return snprintf(c->why, WHY, "output %u is another in the second run", i), false;
    c->n_elements += e.n_elements;
    c->n_free += e.n_free;
    return e.uncertain || judge_outputs(c, inputs, &e, first, arena);
}

static void judge(Case *c, void *library, uint32_t number, TfoptPool *pool, Arena *arena) {
    TfoptModelDataFn *data;
    *(void **)&data = dlsym(library, arena_printf(arena, "case%u_model_data", number));
    TfoptModel *model;
    TfoptSession *session;
    TfoptSessionOptions options = {.pool = c->settings.threads ? pool : NULL};
    if (!data || tfopt_open_data(data(), &model) != TFOPT_OK) return set_verdict(c, DIFFERENT, tfopt_open_error());
    c->verdict = SAME;
    if (tfopt_session_new(model, &options, &session) != TFOPT_OK) { /* sizes that never fit are found here */
        Expectation e;
        expect(&e, c->g, c->inputs[0], 0, 0, false, arena);
        if (!e.fails) set_verdict(c, DIFFERENT, tfopt_open_error());
        tfopt_close(model);
        return;
    }
    for (int b = 0; b < c->n_bindings && c->verdict == SAME; b++) {
        if (judge_binding(c, session, c->inputs[b], arena)) continue;
        size_t at = strlen(c->why);
        c->verdict = DIFFERENT;
        if (c->n_bindings > 1 && at < WHY) snprintf(c->why + at, WHY - at, " (inputs %d)", b);
    }
    tfopt_session_free(session);
    tfopt_close(model);
}

void judge_cases(Case *cases, uint32_t n, Arena *arena) {
    TfoptPool *pool = NULL;
    void *library = build_library(cases, n, arena);
    for (uint32_t i = 0; i < n; i++) {
        if (cases[i].verdict == REFUSED || cases[i].verdict == NOTHING) continue;
        if (cases[i].settings.threads && !pool && tfopt_pool_new(2, &pool) != TFOPT_OK) BUG("no threads");
        judge(&cases[i], library, i, pool, arena);
    }
    if (pool) tfopt_pool_free(pool);
    dlclose(library);
}

/* Whether the reference answers as it should once the passes up to `stop_after` have run (NULL: all). */
static bool right_after(const Case *c, const Machine *machine, const char *stop_after, const Expectation *e,
                        Arena *arena) {
    Diag d;
    diag_init(&d, arena, NULL);
    Graph *g = rewritten(c, machine, stop_after, arena, &d, NULL);
    bool same = true;
    for (int b = 0; b < c->n_bindings && same; b++) {
        if (e[b].uncertain || e[b].fails) continue; /* what is of no use cannot fail any more */
        Tensor *out = NEW_ARRAY(arena, Tensor, c->g->outputs.len + 1);
        RefSession *s = ref_open(g);
        same = ref_run(s, c->inputs[b], out, arena, &d);
        ref_close(s);
        char why[WHY];
        for (uint32_t o = 0; same && o < c->g->outputs.len; o++) same = as_expected(&e[b], o, &out[o], why, WHY);
    }
    return same;
}

const char *find_guilty_pass(const Case *c, Arena *arena) {
    uint32_t n;
    const PassRow *rows = pass_table(&n);
    Expectation e[N_BINDINGS];
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *isa = isa_find(arena, c->settings.cpu, llvm_default_triple(arena), &d);
    if (!isa) return NULL;
    for (int b = 0; b < c->n_bindings; b++) expect(&e[b], c->g, c->inputs[b], RUNS, 1, false, arena);
    if (right_after(c, machine_of(isa), NULL, e, arena)) return NULL;
    for (int b = 0; b < c->n_bindings; b++) expect(&e[b], c->g, c->inputs[b], MORE_RUNS, 3, false, arena);
    for (uint32_t i = 0; i < n; i++)
        if (!right_after(c, machine_of(isa), rows[i].name, e, arena)) return rows[i].name;
    return NULL;
}
