#include "contraction_case.h"

#include "base/file.h"
#include "codegen/cpu/contraction.h"
#include "codegen/llvm/llvm.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double noise(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 33) / 1073741824.0 - 1.0;
}

static Tensor random_tensor(Arena *arena, DType t, int64_t n, uint64_t *state) {
    Tensor x = tensor_new(arena, t, 1, &n);
    for (int64_t i = 0; i < n; i++) {
        double v = noise(state);
        if (dtype_is_float(t))
            tensor_set_f64(&x, i, v);
        else
            tensor_set_i64(&x, i, (int64_t)(v * 100));
    }
    return x;
}

static void set_default(int64_t *v, int64_t to) {
    if (*v == 0) *v = to;
}

static ExprId load(Arena *a, Kernel *k, uint32_t param, ExprId b, int64_t by_b, int64_t by_m, int64_t by_n) {
    ExprId at = expr_int(a, k, DTYPE_S64, 0);
    const int64_t factors[] = {by_b, by_m, by_n};
    for (uint32_t v = 0; v < 3; v++) {
        if (factors[v] == 0) continue;
        ExprId var = v == 0 ? b : expr_var(a, k, VAR_BATCH + v);
        ExprId factor = expr_int(a, k, DTYPE_S64, factors[v]);
        ExprId part = expr_scalar(a, k, OP_MUL, DTYPE_S64, var, factor, (ExprId){0});
        at = expr_scalar(a, k, OP_ADD, DTYPE_S64, at, part, (ExprId){0});
    }
    return expr_load(a, k, param, at);
}

static ExprId make_epilogue(Arena *a, Kernel *k, const Case *c, int64_t m, int64_t n) {
    ExprId none = {0}, acc = expr_acc(a, k, 0);
    DType t = c->acc;
    if (c->epilogue == EPILOGUE_NONE) return acc;
    ExprId b = expr_var(a, k, VAR_BATCH);
    ExprId bias = load(a, k, 3, b, 0, 0, 1);
    ExprId y = expr_scalar(a, k, OP_ADD, t, acc, bias, none);
    if (c->epilogue == EPILOGUE_BIAS_RELU6) {
        ExprId zero = expr_float(a, k, t, 0), six = expr_float(a, k, t, 6);
        y = expr_scalar(a, k, OP_MAX, t, y, zero, none);
        y = expr_scalar(a, k, OP_MIN, t, y, six, none);
    }
    if (c->epilogue == EPILOGUE_RESIDUAL) {
        ExprId other = load(a, k, 4, b, m * n, n, 1);
        y = expr_scalar(a, k, OP_ADD, t, y, other, none);
    }
    if (c->epilogue == EPILOGUE_SWISH) {
        ExprId s = expr_scalar(a, k, OP_SIGMOID, t, y, none, none);
        y = expr_scalar(a, k, OP_MUL, t, y, s, none);
    }
    if (c->epilogue == EPILOGUE_GELU) {
        ExprId scale = expr_float(a, k, t, 0.70710678118654752), half = expr_float(a, k, t, 0.5),
               one = expr_float(a, k, t, 1);
        ExprId e = expr_scalar(a, k, OP_MUL, t, y, scale, none);
        e = expr_scalar(a, k, OP_ERF, t, e, none, none);
        e = expr_scalar(a, k, OP_ADD, t, e, one, none);
        e = expr_scalar(a, k, OP_MUL, t, e, half, none);
        y = expr_scalar(a, k, OP_MUL, t, y, e, none);
    }
    return y;
}

static void add_param(Arena *a, Kernel *k, ParamKind kind, DType t, int64_t n) {
    vec_push(a, &k->params, (Param){.kind = kind, .dtype = t, .elements = dim_const(n)});
}

CaseKernel *case_new(Arena *arena, const Case *given, const Machine *machine, int seed) {
    CaseKernel *ck = NEW(arena, CaseKernel);
    ck->c = *given;
    Case *c = &ck->c;
    if (c->dtype == DTYPE_NONE) c->dtype = DTYPE_F32;
    if (c->acc == DTYPE_NONE) c->acc = c->dtype;
    set_default(&c->batch, 1);
    set_default(&c->groups, 1);
    Graph *g = graph_new(arena, "case");
    Program *p = ck->program = NEW(arena, Program);
    p->arena = arena;
    p->g = g;
    p->machine = machine;
    Kernel *k = ck->kernel = NEW(arena, Kernel);
    Contraction *t = k->contraction = NEW(arena, Contraction);
    k->kind = KERNEL_CONTRACTION;
    k->name = c->name;
    *t = (Contraction){.kind = c->kind,
                       .a = c->dtype,
                       .b = c->dtype,
                       .acc = c->acc,
                       .b_repeat = dim_const(1),
                       .c_n = dim_const(1),
                       .b_packed = !c->dense_b};
    ck->dims = NEW_ARRAY(arena, int64_t, 64); /* more than any case has */
    uint64_t state = (uint64_t)seed * 77 + 5;
    int64_t symbols[16] = {0};
    MatrixLayout layout;
    if (c->kind == CONTRACT_GEMM) {
        t->batch = dim_const(c->batch);
        t->m = dim_const(c->m);
        if (c->symbolic) {
            t->m = dim_symbol(&g->dims, "rows", 1, INT64_MAX);
            symbols[0] = c->m;
        }
        t->n = dim_const(c->n);
        t->k = dim_const(c->k);
        t->a_batch = dim_const(c->m * c->k);
        t->a_m = dim_const(c->transpose_a ? 1 : c->k);
        t->a_k = dim_const(c->transpose_a ? c->m : 1);
        t->b_batch = dim_const(c->broadcast_b || c->batch == 1 ? 0 : c->k * c->n);
        t->b_k = dim_const(c->transpose_b ? 1 : c->n);
        t->b_n = dim_const(c->transpose_b ? c->k : 1);
        t->c_m = dim_const(c->n);
        t->c_batch = dim_const(c->m * c->n);
        int64_t matrices = t->b_batch.value ? c->batch : 1;
        layout = (MatrixLayout){matrices, c->k, c->n, c->k * c->n, t->b_k.value, t->b_n.value};
        ck->a = random_tensor(arena, c->dtype, c->batch * c->m * c->k, &state);
        ck->b = random_tensor(arena, c->dtype, matrices * c->k * c->n, &state);
        ck->flops = 2.0 * (double)(c->batch * c->m) * (double)(c->n * c->k);
    } else {
        ConvGeometry *cg = &t->conv;
        int64_t pixels = 1, out_pixels = 1, taps = 1;
        *cg = (ConvGeometry){.rank = c->rank, .channels = c->channels, .filters = c->filters, .groups = c->groups};
        for (int d = 0; d < c->rank; d++) {
            set_default(&c->stride[d], 1);
            set_default(&c->dilation[d], 1);
            int64_t out =
                (c->in[d] + c->before[d] + c->after[d] - (c->kernel[d] - 1) * c->dilation[d] - 1) / c->stride[d] + 1;
            cg->in[d] = dim_const(c->in[d]);
            cg->out[d] = dim_const(out);
            if (c->symbolic) {
                cg->in[d] = dim_symbol(&g->dims, NULL, 1, INT64_MAX);
                cg->out[d] = dim_symbol(&g->dims, NULL, 1, INT64_MAX);
                symbols[2 * d] = c->in[d];
                symbols[2 * d + 1] = out;
            }
            cg->kernel[d] = c->kernel[d];
            cg->stride[d] = c->stride[d];
            cg->dilation[d] = c->dilation[d];
            cg->before[d] = dim_const(c->before[d]);
            pixels *= c->in[d];
            out_pixels *= out;
            taps *= c->kernel[d];
        }
        bool depthwise = c->kind == CONTRACT_DEPTHWISE;
        int64_t groups = depthwise ? 1 : c->groups;
        c->m = out_pixels;
        c->n = c->filters / groups;
        c->k = depthwise ? taps : taps * (c->channels / groups);
        t->batch = dim_const(c->batch * groups);
        t->m = dim_const(out_pixels);
        for (int d = 0; c->symbolic && d < c->rank; d++)
            t->m = d == 0 ? cg->out[0] : dim_mul(&g->dims, t->m, cg->out[d]);
        t->n = dim_const(c->n);
        t->k = dim_const(c->k);
        t->a_batch = c->symbolic ? dim_const(0) : dim_const(pixels * c->channels);
        t->a_m = dim_const(c->channels);
        t->c_m = dim_const(c->filters);
        t->c_batch = dim_const(out_pixels * c->filters);
        layout = (MatrixLayout){groups, c->k, c->n, c->n, c->filters, 1};
        ck->a = random_tensor(arena, c->dtype, c->batch * pixels * c->channels, &state);
        ck->b = random_tensor(arena, c->dtype, c->k * c->filters, &state);
        ck->flops = 2.0 * (double)(c->batch * out_pixels) * (double)(c->k * c->filters);
    }
    if (c->winograd) {
        t->kind = CONTRACT_WINOGRAD;
        t->m = dim_const(winograd_blocks(&t->conv));
        t->k = dim_const(c->channels);
        t->scratch = 5;
    }
    contraction_schedule(&g->dims, k, machine, c->threads);
    ck->packed = c->dense_b ? ck->b : contraction_pack(arena, t, &ck->b, &layout);
    for (uint32_t s = 0; s < dim_slot_count(&g->dims); s++) ck->dims[s] = s < g->dims.symbols.len ? symbols[s] : 0;
    Dim units = contraction_units(&g->dims, t);
    ck->units = dim_eval(&g->dims, units, symbols);
    for (uint32_t e = 1; e < g->dims.exprs.len; e++) {
        Dim d = {e, 0};
        ck->dims[dim_slot(&g->dims, d)] = dim_eval(&g->dims, d, symbols);
    }
    int64_t filters = c->kind == CONTRACT_GEMM ? c->n : c->filters, results = c->batch * c->m * filters;
    ck->bias = random_tensor(arena, c->acc, filters, &state);
    ck->residual = random_tensor(arena, c->acc, results, &state);
    ck->out = tensor_new(arena, c->acc, 1, &results);
    ck->expected = tensor_new(arena, c->acc, 1, &results);
    add_param(arena, k, PARAM_IN, c->dtype, tensor_count(&ck->a));
    add_param(arena, k, PARAM_IN, c->dtype, tensor_count(&ck->packed));
    add_param(arena, k, PARAM_OUT, c->acc, results);
    add_param(arena, k, PARAM_IN, c->acc, filters);
    add_param(arena, k, PARAM_IN, c->acc, results);
    if (c->winograd) {
        int64_t between = winograd_scratch(t) * ck->units;
        ck->scratch = tensor_new(arena, c->acc, 1, &between);
        add_param(arena, k, PARAM_OUT, c->acc, between);
    }
    k->n_vars = 4;
    k->n_accs = 1;
    k->acc_types = NEW_ARRAY(arena, DType, 1);
    k->acc_types[0] = c->acc;
    k->epilogue = make_epilogue(arena, k, c, c->m, filters);
    k->units = units;
    ck->bytes = (double)(tensor_bytes(&ck->a) + tensor_bytes(&ck->b) + tensor_bytes(&ck->out));
    return ck;
}

/* ---- reference */
static double finish(const CaseKernel *ck, double v, int64_t at, int64_t column) {
    CaseEpilogue e = ck->c.epilogue;
    if (e == EPILOGUE_NONE) return v;
    v += tensor_get_f64(&ck->bias, column);
    if (e == EPILOGUE_BIAS_RELU6) v = v < 0 ? 0 : v > 6 ? 6 : v;
    if (e == EPILOGUE_RESIDUAL) v += tensor_get_f64(&ck->residual, at);
    if (e == EPILOGUE_SWISH) v = v / (1 + exp(-v));
    if (e == EPILOGUE_GELU) v = v * 0.5 * (1 + erf(v * 0.70710678118654752));
    return v;
}

static void expect_gemm(CaseKernel *ck) {
    const Case *c = &ck->c;
    bool is_float = dtype_is_float(c->acc);
    const Contraction *t = ck->kernel->contraction;
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t m = 0; m < c->m; m++)
            for (int64_t n = 0; n < c->n; n++) {
                double sum = 0;
                int64_t whole = 0, a0 = b * c->m * c->k + m * (c->transpose_a ? 1 : c->k),
                        b0 = b * t->b_batch.value + n * t->b_n.value;
                for (int64_t k = 0; k < c->k; k++) {
                    int64_t ai = a0 + k * t->a_k.value, bi = b0 + k * t->b_k.value;
                    if (is_float)
                        sum += tensor_get_f64(&ck->a, ai) * tensor_get_f64(&ck->b, bi);
                    else
                        whole += tensor_get_i64(&ck->a, ai) * tensor_get_i64(&ck->b, bi);
                }
                int64_t at = (b * c->m + m) * c->n + n;
                if (is_float)
                    tensor_set_f64(&ck->expected, at, finish(ck, sum, at, n));
                else
                    tensor_set_i64(&ck->expected, at, whole);
            }
}

static void expect_conv(CaseKernel *ck) {
    const Case *c = &ck->c;
    bool depthwise = c->kind == CONTRACT_DEPTHWISE;
    int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
            dilation[3] = {1, 1, 1}, before[3] = {0, 0, 0};
    for (int d = 0; d < c->rank; d++) {
        int to = d + 3 - c->rank;
        in[to] = c->in[d], kernel[to] = c->kernel[d], stride[to] = c->stride[d], dilation[to] = c->dilation[d],
        before[to] = c->before[d];
        out[to] = (c->in[d] + c->before[d] + c->after[d] - (c->kernel[d] - 1) * c->dilation[d] - 1) / c->stride[d] + 1;
    }
    int64_t per_group = depthwise ? 1 : c->channels / c->groups,
            filters_per_group = depthwise ? c->filters / c->channels : c->filters / c->groups;
    for (int64_t at = 0; at < c->batch * c->m * c->filters; at++) {
        int64_t f = at % c->filters, pixel = at / c->filters % c->m, image = at / c->filters / c->m;
        int64_t o[3] = {pixel / out[2] / out[1], pixel / out[2] % out[1], pixel % out[2]};
        double sum = 0;
        for (int64_t tap = 0; tap < kernel[0] * kernel[1] * kernel[2]; tap++) {
            int64_t k[3] = {tap / kernel[2] / kernel[1], tap / kernel[2] % kernel[1], tap % kernel[2]}, i[3];
            bool inside = true;
            for (int d = 0; d < 3; d++) {
                i[d] = o[d] * stride[d] + k[d] * dilation[d] - before[d];
                inside = inside && i[d] >= 0 && i[d] < in[d];
            }
            if (!inside) continue;
            int64_t first = ((image * in[0] + i[0]) * in[1] + i[1]) * in[2] + i[2], group = f / filters_per_group;
            for (int64_t ch = 0; ch < per_group; ch++)
                sum += tensor_get_f64(&ck->a, first * c->channels + group * per_group + ch) *
                       tensor_get_f64(&ck->b, (tap * per_group + ch) * c->filters + f);
        }
        tensor_set_f64(&ck->expected, at, finish(ck, sum, at, f));
    }
}

void case_expect(CaseKernel *ck) {
    if (ck->c.kind == CONTRACT_GEMM)
        expect_gemm(ck);
    else
        expect_conv(ck);
}

double case_error(const CaseKernel *ck) {
    double worst = 0, largest = 1e-30;
    int64_t n = tensor_count(&ck->out);
    for (int64_t i = 0; i < n; i++) {
        double e = tensor_get_f64(&ck->expected, i), d = fabs(tensor_get_f64(&ck->out, i) - e);
        if (fabs(e) > largest) largest = fabs(e);
        if (!(d <= worst)) worst = d;
    }
    return worst / largest;
}

/* ---- code */
/* All kernels as one object, with entries entry_0 … that can be found from outside. */
static bool emit_object(Arena *arena, const IsaRow *isa, const char *triple, int n, CaseKernel **kernels,
                        const char *object, Diag *d) {
    LlvmUnit *unit = llvm_unit_new(arena, triple, isa, d);
    if (unit == NULL) return false;
    Emit *e = emit_new(arena, isa, triple);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const char *symbol = arena_printf(arena, "kernel_%d", i);
        kernels[i]->program->isa = isa;
        if (!contraction_emit(e, kernels[i]->program, kernels[i]->kernel, symbol, false)) {
            fprintf(stderr, "%s: refused\n", kernels[i]->c.name);
            ok = false;
        }
    }
    ok = ok && emit_finish(e, unit, NULL);
    emit_free(e);
    for (int i = 0; i < n && ok; i++) {
        const char *jump = strcmp(isa->arch, "x86_64") == 0 ? "jmp" : "b";
        const char *text = arena_printf(arena, ".globl entry_%d\nentry_%d: %s kernel_%d\n", i, i, jump, i);
        llvm_unit_append_asm(unit, text, strlen(text));
    }
    if (ok && getenv("KEEP_ASSEMBLY")) llvm_unit_emit(unit, LLVM_ASSEMBLY, getenv("KEEP_ASSEMBLY"), d);
    ok = ok && llvm_unit_emit(unit, LLVM_OBJECT, object, d);
    llvm_unit_free(unit);
    return ok;
}

bool cases_load(Arena *arena, const IsaRow *isa, int n, CaseKernel **kernels) {
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    char *folder = file_make_temp_dir(arena, &d);
    const char *object = arena_printf(arena, "%s/k.o", folder), *library = arena_printf(arena, "%s/k.so", folder);
    bool ok = emit_object(arena, isa, triple, n, kernels, object, &d) &&
              system(arena_printf(arena, "cc -shared -o %s %s -lm", library, object)) == 0;
    void *handle = ok ? dlopen(library, RTLD_NOW) : NULL;
    if (ok && !handle) fprintf(stderr, "%s\n", dlerror());
    for (int i = 0; i < n && handle; i++)
        *(void **)&kernels[i]->run = dlsym(handle, arena_printf(arena, "entry_%d", i));
    file_remove_tree(folder);
    diag_print(&d, stderr, DIAG_NOTE);
    return handle != NULL;
}

enum { CASE_BUFFERS = 6, CASE_DIMS = 64 };
static const Tensor *case_buffer(const CaseKernel *k, int i) {
    const Tensor *const buffers[CASE_BUFFERS] = {&k->a, &k->packed, &k->out, &k->bias, &k->residual, &k->scratch};
    return buffers[i];
}

/* What contraction_runner.c reads. */
static bool write_cases(int n, CaseKernel **kernels, const char *path) {
    FILE *f = fopen(path, "wb");
    if (f == NULL) return false;
    for (int i = 0; i < n; i++) {
        int64_t header[1 + CASE_BUFFERS] = {kernels[i]->units};
        for (int b = 0; b < CASE_BUFFERS; b++)
            header[1 + b] = case_buffer(kernels[i], b)->data ? (int64_t)tensor_bytes(case_buffer(kernels[i], b)) : 0;
        fwrite(header, sizeof header, 1, f);
        fwrite(kernels[i]->dims, sizeof(int64_t), CASE_DIMS, f);
        for (int b = 0; b < CASE_BUFFERS; b++)
            if (header[1 + b]) fwrite(case_buffer(kernels[i], b)->data, (size_t)header[1 + b], 1, f);
    }
    return fclose(f) == 0;
}

bool cases_run_under(Arena *arena, const IsaRow *isa, const char *triple, const char *compiler, const char *emulator,
                     const char *runner, int n, CaseKernel **kernels) {
    Diag d;
    diag_init(&d, arena, NULL);
    char *folder = file_make_temp_dir(arena, &d);
    const char *object = arena_printf(arena, "%s/k.o", folder), *table = arena_printf(arena, "%s/table.c", folder),
               *results = arena_printf(arena, "%s/results", folder);
    bool ok = emit_object(arena, isa, triple, n, kernels, object, &d) &&
              write_cases(n, kernels, arena_printf(arena, "%s/cases", folder));
    FILE *f = ok ? fopen(table, "w") : NULL;
    if (f != NULL) { /* the kernels' entries, as an array */
        for (int i = 0; i < n; i++) fprintf(f, "int entry_%d(void *const *, const long *, long, long);\n", i);
        fprintf(f, "const int n_entries = %d;\nint (*const entries[])(void *const *, const long *, long, long) = {", n);
        for (int i = 0; i < n; i++) fprintf(f, "entry_%d, ", i);
        fprintf(f, "};\n");
        ok = fclose(f) == 0;
    }
    ok = ok && f != NULL &&
         system(arena_printf(arena, "%s -O1 -static %s %s %s -o %s/runner -lm", compiler, runner, table, object,
                             folder)) == 0;
    ok = ok && system(arena_printf(arena, "%s %s/runner %s/cases %s", emulator, folder, folder, results)) == 0;
    FILE *in = ok ? fopen(results, "rb") : NULL;
    for (int i = 0; i < n && in != NULL && ok; i++)
        ok = fread((void *)(uintptr_t)kernels[i]->out.data, tensor_bytes(&kernels[i]->out), 1, in) == 1;
    if (in != NULL) fclose(in);
    file_remove_tree(folder);
    diag_print(&d, stderr, DIAG_NOTE);
    return ok && in != NULL;
}

int case_run(const CaseKernel *ck, int64_t begin, int64_t end) {
    void *buffers[CASE_BUFFERS];
    for (int b = 0; b < CASE_BUFFERS; b++) buffers[b] = (void *)(uintptr_t)case_buffer(ck, b)->data;
    return ck->run(buffers, ck->dims, begin, end);
}
