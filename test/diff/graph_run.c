/* graph_run: see graph_run.h. Buffers have memory of their own each; on another machine they travel through a file
 * (run_program.c). */
#include "runtime/core/float_mode.h"
#include "graph_run.h"
#include "base/file.h"
#include "codegen/cpu/cpu.h"
#include "ref/ref.h"
#include "tfopt_abi.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* `edges`: with NaN, infinities, -0 and a denormal here and there. */
static Tensor random_tensor(Arena *arena, const Value *v, uint32_t *seed, bool edges) {
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 1e-40, 3e38, -1e4};
    int64_t dims[MAX_RANK];
    for (int i = 0; i < v->shape.rank; i++) dims[i] = v->shape.dims[i].value;
    Tensor t = tensor_new(arena, v->dtype, v->shape.rank, dims);
    for (int64_t i = 0; i < tensor_count(&t); i++) {
        *seed = *seed * 1664525u + 1013904223u;
        int64_t r = *seed >> 12;
        if (dtype_is_float(v->dtype))
            tensor_set_f64(&t, i, edges && r % 11 == 0 ? special[r / 11 % 7] : (double)(r % 4000) / 1000 - 2);
        else
            tensor_set_i64(&t, i, r % 8);
    }
    return t;
}

/* Buffers in memory of their own, steps in order. */
typedef struct {
    const Program *p;
    void **memory;
    void *handle;
    const char *prefix;
} Machinery;

static bool place_buffers(Arena *arena, Machinery *m, const Tensor *inputs) {
    const Program *p = m->p;
    m->memory = NEW_ARRAY(arena, void *, p->buffers.len + 1);
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        const Buffer *b = &p->buffers.data[i];
        if (b->kind == BUFFER_VIEW) continue;
        if (b->kind == BUFFER_CONST || b->kind == BUFFER_INPUT) {
            const Tensor *t = b->kind == BUFFER_CONST ? b->data : &inputs[b->index];
            m->memory[i] = arena_alloc(arena, tensor_bytes(t) + 64);
            if (tensor_bytes(t)) memcpy(m->memory[i], t->data, tensor_bytes(t));
        } else {
            if (!dim_is_const(b->bytes)) return false;
            m->memory[i] = arena_alloc(arena, (size_t)b->bytes.value + 64);
        }
    }
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        const Buffer *b = &p->buffers.data[i];
        if (b->kind == BUFFER_VIEW) m->memory[i] = (char *)m->memory[b->index] + b->offset;
    }
    return true;
}

static int run_step(Machinery *m, const Step *s, bool bench) {
    void *buffers[64];
    double bytes = 0;
    for (uint32_t i = 0; i < s->args.len; i++) {
        buffers[i] = m->memory[s->args.data[i]];
        bytes += (double)m->p->buffers.data[s->args.data[i]].bytes.value;
    }
    if (s->kind == STEP_COPY) {
        memcpy(buffers[0], buffers[1], (size_t)m->p->buffers.data[s->args.data[0]].bytes.value);
        return 0;
    }
    const Kernel *k = m->p->kernels.data[s->kernel];
    TfoptKernelFn *run = ((TfoptKernelFn *const *)dlsym(m->handle, "kernel_table"))[s->kernel];
    const uint64_t mode = float_mode_flush(); /* as tfopt_run and the reference do */
    int status = run(buffers, NULL, 0, s->units.value);
    float_mode_restore(mode);
    if (!bench) return status;
    double best = 1e9, started = now();
    for (int round = 0; round < 200 && now() - started < 0.4; round++) {
        int times = best < 1e-5 ? 100 : 1;
        double from = now();
        for (int i = 0; i < times; i++) run(buffers, NULL, 0, s->units.value);
        double t = (now() - from) / times;
        if (t < best) best = t;
    }
    printf("  %-24s %9.0f ns  %6.2f GB/s of arguments, %lld units, predicted %.0f ns\n", k->name, best * 1e9,
           bytes / best * 1e-9, (long long)s->units.value, k->cost.ns);
    return status;
}

/* ---- another machine: by a program of its own, under qemu */

static void put(FILE *f, uint64_t n) {
    fwrite(&n, sizeof n, 1, f);
}

/* Writes buffers and steps for run_program, runs it, reads the buffers back. */
static bool run_elsewhere(Arena *arena, Machinery *m, const char *folder, const char *object) {
    const Program *p = m->p;
    const char *data = arena_printf(arena, "%s/data", folder), *binary = arena_printf(arena, "%s/run", folder);
    FILE *f = fopen(data, "wb");
    put(f, p->buffers.len);
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        const Buffer *b = &p->buffers.data[i];
        bool view = b->kind == BUFFER_VIEW;
        uint64_t bytes = view ? 0 : (uint64_t)b->bytes.value;
        put(f, bytes);
        fwrite(m->memory[i], 1, bytes, f);
        put(f, view ? b->index + 1 : 0);
        put(f, view ? (uint64_t)b->offset : 0);
    }
    put(f, p->blocks.data[0].steps.len);
    for (uint32_t i = 0; i < p->blocks.data[0].steps.len; i++) {
        const Step *s = &p->blocks.data[0].steps.data[i];
        if (s->kind != STEP_KERNEL) return fclose(f), false;
        put(f, s->kernel);
        put(f, (uint64_t)s->units.value);
        put(f, s->args.len);
        for (uint32_t a = 0; a < s->args.len; a++) put(f, s->args.data[a]);
    }
    if (fclose(f)) return false;
    const char *compile =
        arena_printf(arena, "aarch64-linux-gnu-gcc -static -O1 -Iruntime/include -o %s test/diff/run_program.c %s -lm",
                     binary, object);
    if (system(compile) != 0 || system(arena_printf(arena, "qemu-aarch64 %s %s", binary, data)) != 0) return false;
    f = fopen(data, "rb");
    fseek(f, 8, SEEK_SET);
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        uint64_t bytes = 0;
        if (fread(&bytes, 8, 1, f) != 1 || (bytes && fread(m->memory[i], bytes, 1, f) != 1)) return fclose(f), false;
        fseek(f, 16, SEEK_CUR);
    }
    return fclose(f) == 0;
}

static bool close_enough(const Tensor *got, const Tensor *want, const char *file, const char *cpu, uint32_t output) {
    double most = 0, worst = 0;
    bool is_float = dtype_is_float(want->dtype);
    double unit = want->dtype == DTYPE_F16    ? 2e-3
                  : want->dtype == DTYPE_BF16 ? 2e-2
                  : want->dtype == DTYPE_F64  ? 1e-12
                                              : 1e-5;
    for (int64_t i = 0; i < tensor_count(want); i++)
        most = fmax(most, isfinite(tensor_get_f64(want, i)) ? fabs(tensor_get_f64(want, i)) : 0);
    for (int64_t i = 0; i < tensor_count(want); i++) {
        double x = tensor_get_f64(got, i), y = tensor_get_f64(want, i);
        bool same = x == y || (isnan(x) && isnan(y)) || (is_float && fabs(x - y) <= unit * most);
        if (!same) {
            printf("%s on %s: output %u element %lld is %.9g, not %.9g\n", file, cpu, output, (long long)i, x, y);
            return false;
        }
        worst = fmax(worst, x == y || isnan(x) ? 0 : fabs(x - y));
    }
    (void)worst;
    return true;
}

static bool run_on(const char *file, const char *text, const IsaRow *isa, const char *triple, const Options *o) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, file);
    bool ok = false;
    Graph *g = graph_parse(arena, text, &d);
    if (!g) goto done;
    uint32_t seed = 7;
    Tensor *inputs = NEW_ARRAY(arena, Tensor, g->inputs.len + 1),
           *wanted = NEW_ARRAY(arena, Tensor, g->outputs.len + 1);
    for (uint32_t i = 0; i < g->inputs.len; i++)
        inputs[i] = random_tensor(arena, value_at(g, region_at(g, g->root)->params.data[i]), &seed,
                                  o->edges && strcmp(isa->arch, "aarch64") != 0);
    RefSession *reference = ref_open(g);
    bool ran = ref_run(reference, inputs, wanted, arena, &d);
    ref_close(reference);
    if (!ran) goto done;

    LowerOptions lower = {.threads = 0};
    Program *p = program_build(arena, g, machine_find(isa->tune ? isa->tune : isa->cpu, isa->level), isa, &lower, &d);
    if (!p) goto done;
    program_verify(p);
    if (o->kernels) {
        Str printed;
        str_init(&printed, arena);
        program_print(p, &printed);
        fputs(str_text(&printed), stdout);
    }
    double started = now();
    LlvmUnit *unit = llvm_unit_new(arena, triple, isa, &d);
    CpuOptions options = {.prefix = "m_", .triple = triple};
    if (!cpu_emit(p, &options, unit, &d)) goto done;
    double emitted = now();
    Str entries;
    str_init(&entries, arena);
    str_add(&entries, ".section .data.rel.ro,\"aw\"\n.p2align 3\n.globl kernel_table\nkernel_table:\n");
    for (uint32_t i = 0; i < p->kernels.len; i++) str_printf(&entries, ".quad m_%s\n", p->kernels.data[i]->name);
    llvm_unit_append_asm(unit, entries.data, entries.len);
    char *folder = file_make_temp_dir(arena, &d);
    const char *object = arena_printf(arena, "%s/k.o", folder), *library = arena_printf(arena, "%s/k.so", folder);
    if (o->assembly) llvm_unit_emit(unit, LLVM_ASSEMBLY, o->assembly, &d);
    double generating = now();
    if (!llvm_unit_emit(unit, LLVM_OBJECT, object, &d)) goto done;
    double generated = now();
    llvm_unit_free(unit);
    if (o->bench)
        printf("%s on %s: %u kernels, to LLVM %.1f ms, to object %.1f ms\n", file, isa->name, p->kernels.len,
               (emitted - started) * 1e3, (generated - generating) * 1e3);
    Machinery m = {.p = p};
    ok = place_buffers(arena, &m, inputs);
    bool elsewhere = strcmp(isa->arch, "aarch64") == 0 && strncmp(llvm_default_triple(arena), "aarch64", 7) != 0;
    if (elsewhere) {
        ok = ok && run_elsewhere(arena, &m, folder, object);
    } else {
        ok = ok && system(arena_printf(arena, "cc -shared -o %s %s -lm", library, object)) == 0;
        m.handle = ok ? dlopen(library, RTLD_NOW) : NULL;
        ok = m.handle != NULL;
    }
    file_remove_tree(folder);
    for (uint32_t i = 0; ok && !elsewhere && i < p->blocks.data[0].steps.len; i++) {
        const Step *s = &p->blocks.data[0].steps.data[i];
        ok = (s->kind == STEP_KERNEL || s->kind == STEP_COPY) && run_step(&m, s, o->bench) == 0;
    }
    if (!ok) printf("%s on %s: did not run\n", file, isa->name);
    for (uint32_t i = 0; ok && i < g->outputs.len; i++) {
        Tensor got = wanted[i];
        got.data = m.memory[p->output_buffers[i]];
        ok = close_enough(&got, &wanted[i], file, isa->name, i);
    }
    if (m.handle) dlclose(m.handle);
done:
    diag_print(&d, stderr, DIAG_ERROR);
    arena_free(arena);
    return ok;
}

void run_graph(const char *name, const char *text, const Options *o, int *done, int *wrong) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *native = isa_find(arena, "native", triple, &d);
    const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64"};
    for (size_t l = 0; native && l < (o->cpu ? 1 : ARRAY_LEN(levels)); l++) {
        const char *cpu = o->cpu ? o->cpu : levels[l], *target = triple;
        bool emulated = strcmp(cpu, "aarch64") == 0 && strcmp(native->arch, "x86_64") == 0;
        if (emulated && system("command -v qemu-aarch64 aarch64-linux-gnu-gcc >/dev/null") != 0) continue;
        if (emulated) target = "aarch64-linux-gnu";
        const IsaRow *isa = isa_find(arena, cpu, target, &d);
        if (!isa || (!emulated && strcmp(isa->level, native->level) > 0)) continue; /* levels sort by name */
        ++*done;
        *wrong += !run_on(name, text, isa, target, o);
    }
    arena_free(arena);
}
