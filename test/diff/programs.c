/* Whole programs against the reference evaluator: every case of programs.txt, for its element types, unfused and fused,
   is lowered, emitted, linked, run on random inputs and compared. `diff_programs [-v] FILE [NAME…]` runs only cases
   whose name begins so. A case: `case NAME [types=f32,s32] [batch=3] [index=4]`, then a graph in text form with $T for
   the type, up to a line `end`. Symbols have the value given by `size=`, else 3; the environment's SIZE comes before
   both, its ISA before the processor's. `sizes=m:1,n:4/m:0,n:1/!m:3,n:4` runs the case once for each set of sizes; with
   ! the run must fail. Integer inputs named "index…" hold values below `index`. */
#include "base/file.h"
#include "codegen/cpu/cpu.h"
#include "codegen/object/object.h"
#include "pass.h"
#include "ref/ref.h"
#include "tfopt.h"
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *name, *text;
    int64_t index, sizes;
    const char *sets; /* "m:1,n:4/!m:3,n:4"; NULL: all symbols are `sizes` */
    bool fuse;
    Graph *g;
    Program *program;
    Tensor *inputs;
} Case;

typedef VEC(Case) Cases;

static char *replace_type(Arena *a, const char *text, const char *type) {
    Str s;
    str_init(&s, a);
    for (; *text; text++) {
        if (text[0] == '$' && text[1] == 'T') {
            str_add(&s, type);
            text++;
        } else {
            str_add_bytes(&s, text, 1);
        }
    }
    return s.data;
}

static int64_t option_int(const char *line, const char *key, int64_t missing) {
    const char *at = strstr(line, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : missing;
}

static void add_cases(Arena *a, Cases *cases, const char *line, const char *body) {
    char name[64], types[128] = "f32";
    sscanf(line, "case %63s", name);
    const char *at = strstr(line, "types="), *sets = strstr(line, " sizes=");
    if (sets) sets = arena_strndup(a, sets + 7, strcspn(sets + 7, " \n"));
    if (at) sscanf(at, "types=%127s", types);
    for (char *t = strtok(types, ","); t; t = strtok(NULL, ","))
        for (int fuse = 0; fuse < 2; fuse++)
            vec_push(a, cases,
                     (Case){.name = arena_printf(a, "%s.%s.%s", name, t, fuse ? "fused" : "plain"),
                            .text = replace_type(a, body, t),
                            .index = option_int(line, "index=", 3),
                            .sizes = getenv("SIZE") ? strtoll(getenv("SIZE"), NULL, 10) : option_int(line, "size=", 3),
                            .sets = sets,
                            .fuse = fuse});
}

static bool read_cases(Arena *a, const char *path, Cases *cases) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    char line[16384], head[4096] = "";
    Str body;
    str_init(&body, a);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "case ", 5) == 0) {
            strcpy(head, line);
            str_init(&body, a);
        } else if (strcmp(line, "end\n") == 0) {
            add_cases(a, cases, head, str_text(&body));
        } else {
            str_add(&body, line);
        }
    }
    fclose(f);
    return true;
}

/* ---- inputs */

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Values of the symbols in a set, which may be NULL. */
static void symbol_values(const Case *c, const char *set, int64_t symbols[64]) {
    const DimTable *t = &c->g->dims;
    size_t length = set ? strcspn(set, "/") : 0;
    for (uint32_t i = 0; i < 64; i++) {
        symbols[i] = c->sizes;
        size_t name = i < t->symbols.len ? strlen(t->symbols.data[i].name) : 0;
        for (const char *p = set; name && p && p < set + length; p++) {
            bool begins = p == set || p[-1] == ',' || p[-1] == '!';
            if (begins && strncmp(p, t->symbols.data[i].name, name) == 0 && p[name] == ':')
                symbols[i] = strtoll(p + name + 1, NULL, 10);
        }
    }
}

static Tensor random_input(Arena *a, const Case *c, const char *set, uint32_t port, uint64_t *state) {
    const Value *v = value_at(c->g, region_at(c->g, c->g->root)->params.data[port]);
    int64_t dims[MAX_RANK], symbols[64];
    symbol_values(c, set, symbols);
    for (int i = 0; i < v->shape.rank; i++) dims[i] = dim_eval(&c->g->dims, v->shape.dims[i], symbols);
    Tensor t = tensor_new(a, v->dtype, v->shape.rank, dims);
    size_t bytes = tensor_bytes(&t);
    t.data = aligned_alloc(64, bytes / 64 * 64 + 128);
    memset((void *)(uintptr_t)t.data, 0, bytes);
    bool is_index = strncmp(c->g->inputs.data[port].name, "index", 5) == 0;
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        uint64_t r = next_random(state);
        if (v->dtype == DTYPE_STRING) {
            static const char *const words[] = {"a", "bc", "def", ""};
            ((StringElement *)(uintptr_t)t.data)[i] = (StringElement){words[r % 4], strlen(words[r % 4])};
        } else if (dtype_info(v->dtype)->class_ == CLASS_COMPLEX) {
            memset((char *)(uintptr_t)t.data + (size_t)i * dtype_size(v->dtype), (int)(r % 100), dtype_size(v->dtype));
        } else if (is_index) {
            tensor_set_i64(&t, i, (int64_t)(r % (uint64_t)c->index));
        } else if (v->dtype == DTYPE_BOOL) {
            tensor_set_i64(&t, i, (int64_t)(r & 1));
        } else if (dtype_is_float(v->dtype)) {
            tensor_set_f64(&t, i, (double)(int64_t)(r % 2001) / 500.0 - 2);
        } else {
            tensor_set_i64(&t, i, (int64_t)(r % 9) + (dtype_is_signed(v->dtype) ? -4 : 1));
        }
    }
    return t;
}

static double tolerance(DType t) {
    switch (t) {
    case DTYPE_F64:
        return 1e-11;
    case DTYPE_F32:
        return 2e-5;
    case DTYPE_F16:
        return 4e-3;
    case DTYPE_BF16:
        return 3e-2;
    default:
        return 0;
    }
}

static bool equal(const Tensor *want, const TfoptTensor *got, char *why, size_t n) {
    if ((int)want->dtype != got->dtype || want->rank != got->rank) return snprintf(why, n, "type or rank"), false;
    for (int i = 0; i < want->rank; i++)
        if (want->dims[i] != got->dims[i])
            return snprintf(why, n, "dim %d is %lld, not %lld", i, (long long)got->dims[i], (long long)want->dims[i]),
                   false;
    Tensor have = *want;
    have.data = got->data;
    DTypeClass class_ = dtype_info(want->dtype)->class_;
    for (int64_t i = 0; i < tensor_count(want); i++) {
        bool same;
        if (class_ == CLASS_BYTES) {
            const StringElement *x = (const StringElement *)want->data + i, *y = (const StringElement *)got->data + i;
            same = x->size == y->size && memcmp(x->data, y->data, x->size) == 0;
        } else if (class_ == CLASS_COMPLEX) {
            size_t size = dtype_size(want->dtype);
            same = memcmp((const char *)want->data + (size_t)i * size, (const char *)got->data + (size_t)i * size,
                          size) == 0;
        } else {
            double x = tensor_get_f64(want, i), y = tensor_get_f64(&have, i);
            same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance(want->dtype) * (1 + fabs(x));
            if (!same) snprintf(why, n, "element %lld is %.9g, not %.9g", (long long)i, y, x);
        }
        if (!same) return false;
    }
    return true;
}

/* ---- running */

static bool build(Arena *a, Case *c, const IsaRow *isa, const char *triple, LlvmUnit *unit, const char *folder,
                  int number, Diag *d) {
    c->g = graph_parse(a, c->text, d);
    if (!c->g) return false;
    const Machine *machine = machine_find(isa->cpu, isa->level);
    if (c->fuse) {
        PassOptions options = {.level = 3};
        Unit u = {.g = c->g, .machine = machine, .options = &options, .arena = a, .scratch = arena_new(), .d = d};
        pass_fuse(&u);
        arena_free(u.scratch);
    }
    LowerOptions lower = {.threads = c->fuse ? 2 : 0};
    c->program = program_build(a, c->g, machine, isa, &lower, d);
    if (!c->program) return false;
    const char *name = arena_printf(a, "case%d", number);
    CpuOptions options = {.prefix = object_kernel_prefix(a, name, c->program), .triple = triple};
    if (!cpu_emit(c->program, &options, unit, d)) return false;
    const Program *const programs[] = {c->program};
    ObjectModel model = {.name = name, .triple = triple, .precision = "fp32", .programs = programs, .n_programs = 1};
    const char *own = arena_printf(a, "%s/%s", folder, name); /* every model has its files of weights */
    return mkdir(own, 0700) == 0 && object_describe(a, unit, &model, own, d);
}

static bool check_set(Arena *a, Case *c, const char *set, void *library, int number, char *why, size_t n) {
    TfoptModelDataFn *data;
    *(void **)&data = dlsym(library, arena_printf(a, "case%d_model_data", number));
    if (!data) return snprintf(why, n, "no data"), false;
    uint64_t state = 88172645463325252u;
    uint32_t n_in = c->g->inputs.len, n_out = c->g->outputs.len;
    c->inputs = NEW_ARRAY(a, Tensor, n_in + 1);
    for (uint32_t i = 0; i < n_in; i++) c->inputs[i] = random_input(a, c, set, i, &state);
    Tensor *want = NEW_ARRAY(a, Tensor, n_out + 1);
    Diag d;
    diag_init(&d, a, c->name);
    RefSession *ref = ref_open(c->g);
    bool ref_ok = ref_run(ref, c->inputs, want, a, &d);
    TfoptModel *model;
    TfoptSession *session;
    if (tfopt_open_data(data(), &model)) return snprintf(why, n, "open: %s", tfopt_open_error()), false;
    TfoptSessionOptions options = {0};
    if (c->fuse) tfopt_pool_new(2, &options.pool);
    if (tfopt_session_new(model, &options, &session)) return snprintf(why, n, "session"), false;
    bool ok = true;
    for (uint32_t i = 0; i < n_in && ok; i++)
        ok = tfopt_set_input(session, (int)i, c->inputs[i].data, c->inputs[i].rank, c->inputs[i].dims) == TFOPT_OK;
    for (int run = 0; run < 2 && ok; run++) ok = tfopt_run(session) == TFOPT_OK; /* twice: state must not leak */
    bool must_fail = set && *set == '!';
    if (must_fail && (ok || ref_ok))
        ok = (snprintf(why, n, "%s runs with %.*s", ok ? "the compiled model" : "the reference",
                       (int)strcspn(set + 1, "/"), set + 1),
              false);
    else if (!ok && !ref_ok)
        ok = true;
    else if (!ok)
        snprintf(why, n, "run: %s", tfopt_error(session));
    else if (!ref_ok)
        ok = (snprintf(why, n, "the reference refuses"), false);
    for (uint32_t i = 0; i < n_out && ok && ref_ok; i++) {
        TfoptTensor got;
        ok = tfopt_get_output(session, (int)i, &got) == TFOPT_OK && equal(&want[i], &got, why, n);
    }
    tfopt_session_free(session);
    tfopt_close(model);
    if (options.pool) tfopt_pool_free(options.pool);
    ref_close(ref);
    return ok;
}

static bool check(Arena *a, Case *c, void *library, int number, char *why, size_t n) {
    if (!c->sets) return check_set(a, c, NULL, library, number, why, n);
    for (const char *set = c->sets; set; set = strchr(set, '/') ? strchr(set, '/') + 1 : NULL) {
        if (check_set(a, c, set, library, number, why, n)) continue;
        size_t at = strlen(why);
        snprintf(why + at, n - at, " (%.*s)", (int)strcspn(set, "/"), set);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    char **args = argv + (verbose ? 2 : 1);
    Arena *a = arena_new();
    Diag d;
    diag_init(&d, a, NULL);
    Cases all = {0}, cases = {0};
    if (!args[0] || !read_cases(a, args[0], &all)) return 2;
    for (uint32_t i = 0; i < all.len; i++) {
        bool wanted = !args[1];
        for (char **p = args + 1; *p; p++) wanted = wanted || strncmp(all.data[i].name, *p, strlen(*p)) == 0;
        if (wanted) vec_push(a, &cases, all.data[i]);
    }
    const char *triple = llvm_default_triple(a);
    const IsaRow *isa = isa_find(a, getenv("ISA") ? getenv("ISA") : "native", triple, &d);
    LlvmUnit *unit = llvm_unit_new(a, triple, isa, &d);
    char *folder = file_make_temp_dir(a, &d);
    int failures = 0;
    bool *built = NEW_ARRAY(a, bool, cases.len + 1);
    for (uint32_t i = 0; i < cases.len; i++) {
        if (verbose) fprintf(stderr, "build %s\n", cases.data[i].name);
        diag_init(&d, a, cases.data[i].name);
        built[i] = build(a, &cases.data[i], isa, triple, unit, folder, (int)i, &d);
        if (!built[i]) failures++, printf("%-40s REFUSED\n", cases.data[i].name), diag_print(&d, stdout, DIAG_NOTE);
        if (verbose && built[i]) {
            Str s;
            str_init(&s, a);
            program_print(cases.data[i].program, &s);
            puts(str_text(&s));
        }
    }
    const char *object = arena_printf(a, "%s/k.o", folder), *library = arena_printf(a, "%s/k.so", folder);
    bool ok = llvm_unit_emit(unit, LLVM_OBJECT, object, &d) &&
              system(arena_printf(a, "cc -shared -o %s %s %s -lm", library, object, RUNTIME_LIBRARY)) == 0;
    void *handle = ok ? dlopen(library, RTLD_NOW) : NULL;
    if (!handle) return printf("cannot load: %s\n", ok ? dlerror() : "no object"), 1;
    for (uint32_t i = 0; i < cases.len; i++) {
        char why[512] = "";
        if (!built[i]) continue;
        if (verbose) fprintf(stderr, "run %s\n", cases.data[i].name);
        if (check(a, &cases.data[i], handle, (int)i, why, sizeof why)) continue;
        failures++;
        printf("%-40s WRONG: %s\n", cases.data[i].name, why);
    }
    file_remove_tree(folder);
    printf("%s: %u cases, %d wrong\n", isa->name, cases.len, failures);
    return failures != 0;
}
