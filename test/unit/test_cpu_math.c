/* Every f32 function of scalar.def over the whole range, sampled across all exponents, against libm in f64: the largest
   error in units of the last place of the true result. Special values must agree exactly. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include "codegen/cpu/cpu.h"
#include "tfopt_abi.h"
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double softplus(double x) {
    return x > 40 ? x : log1p(exp(x));
}
static double rsqrt(double x) {
    return 1 / sqrt(x);
}

static const struct {
    OpId op;
    double (*exact)(double);
    double ulp; /* bound */
} functions[] = {
    {OP_EXP, exp, 1.3},         {OP_EXPM1, expm1, 1.6},       {OP_LOG, log, 1.0},     {OP_LOG1P, log1p, 2.0},
    {OP_SIN, sin, 1.5},         {OP_COS, cos, 1.5},           {OP_TANH, tanh, 1.8},   {OP_ERF, erf, 1.8},
    {OP_SIGMOID, sigmoid, 2.2}, {OP_SOFTPLUS, softplus, 2.6}, {OP_RSQRT, rsqrt, 1.5}, {OP_SQRT, sqrt, 0.5001},
    {OP_TAN, tan, 1.0},         {OP_ASIN, asin, 2.5},         {OP_ACOS, acos, 2.5},   {OP_ATAN, atan, 2.5},
    {OP_SINH, sinh, 1.6},       {OP_ERFC, erfc, 7.0},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0], N = 1 << 16 };

static const char *kernel_name(Arena *arena, size_t i) {
    return arena_printf(arena, "f%zu", i);
}

static Kernel *kernel_of(Arena *arena, size_t i) {
    Kernel *k = NEW(arena, Kernel);
    k->name = kernel_name(arena, i);
    k->n_vars = 1;
    k->units = dim_const(1);
    vec_push(arena, &k->params, (Param){.kind = PARAM_IN, .dtype = DTYPE_F32, .aligned = true});
    vec_push(arena, &k->params, (Param){.kind = PARAM_OUT, .dtype = DTYPE_F32, .aligned = true});
    ExprId none = {0}, j = expr_var(arena, k, 1), x = expr_load(arena, k, 0, j);
    ExprId y = expr_scalar(arena, k, functions[i].op, DTYPE_F32, x, none, none);
    Stmt *store = NEW(arena, Stmt), *loop = NEW(arena, Stmt);
    *store = (Stmt){.kind = STMT_STORE, .ref = 1, .index = j, .value = y};
    *loop = (Stmt){
        .kind = STMT_FOR, .mode = FOR_VECTOR, .ref = 1, .extent = expr_int(arena, k, DTYPE_S64, N), .body = store};
    k->body = loop;
    return k;
}

static double ulp_error(float got, double want) {
    float rounded = (float)want;
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(rounded) || isinf(got)) {
        if (got == rounded) return 0;
        return fabs(want) > 3.4028233e38 && fabsf(got) > 3.40282e38f ? 1 : INFINITY; /* either side of the edge */
    }
    int exponent;
    frexp(want, &exponent);
    if (exponent < -125) exponent = -125; /* denormals share one unit */
    return fabs((double)got - want) / ldexp(1.0, exponent - 24);
}

/* `fast`: --math fast, whose errors are absolute and under 1e-4 (relative above 1). */
static void check_level(Arena *arena, const char *level, const char *triple, const char *folder, bool fast) {
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *isa = isa_find(arena, level, triple, &d);
    Graph *g = NEW(arena, Graph);
    dim_table_init(&g->dims, arena);
    Program p = {.arena = arena, .g = g, .isa = isa};
    Str entries;
    str_init(&entries, arena);
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        vec_push(arena, &p.kernels, kernel_of(arena, i));
        str_printf(&entries, ".globl entry%zu\nentry%zu: jmp t_f%zu\n", i, i, i);
    }
    LlvmUnit *unit = llvm_unit_new(arena, triple, isa, &d);
    CpuOptions options = {.prefix = "t_", .triple = triple, .fast_math = fast};
    assert_true(cpu_emit(&p, &options, unit, &d));
    llvm_unit_append_asm(unit, entries.data, entries.len);
    const char *object = arena_printf(arena, "%s/%s%d.o", folder, level, fast),
               *library = arena_printf(arena, "%s/%s%d.so", folder, level, fast);
    assert_true(llvm_unit_emit(unit, LLVM_OBJECT, object, &d));
    llvm_unit_free(unit);
    assert_int_equal(system(arena_printf(arena, "cc -shared -o %s %s -lm", library, object)), 0);
    void *handle = dlopen(library, RTLD_NOW);
    assert_non_null(handle);
    float *x = arena_alloc(arena, N * sizeof *x), *y = arena_alloc(arena, N * sizeof *y);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t bits = i * 65536u + (i * 40503u & 0xffff); /* every exponent and sign, 256 mantissas each */
        memcpy(&x[i], &bits, 4);
    }
    const float special[] = {0.0f,       -0.0f,  1.0f,    -1.0f,       INFINITY,  -INFINITY,
                             NAN,        1e-45f, -1e-45f, 88.72283f,   88.72284f, -103.97208f,
                             -87.33655f, 0.625f, -0.625f, 16777216.0f, 3e38f};
    memcpy(x + 100, special, sizeof special);
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        TfoptKernelFn *run;
        *(void **)&run = dlsym(handle, arena_printf(arena, "entry%zu", i));
        void *buffers[] = {x, y};
        assert_int_equal(run(buffers, NULL, 0, 1), 0);
        double worst = 0;
        float at = 0, got = 0;
        for (int e = 0; e < N; e++) {
            double want = functions[i].exact((double)x[e]), error = ulp_error(y[e], want);
            if (fast) {
                bool edge = isnan(want) || isinf(want) || isinf((float)want);
                if (!edge && !(fabs((double)y[e] - want) <= 1e-4 * fmax(1, fabs(want))))
                    fail_msg("fast %s on %s at %a: %.9g, not %.9g", op_info(functions[i].op)->text, level, (double)x[e],
                             (double)y[e], want);
                if (edge && !isinf((float)want) && !isnan(y[e]))
                    fail_msg("fast %s on %s: no NaN", op_info(functions[i].op)->text, level);
                continue;
            }
            if (want == 0 && y[e] == 0 && signbit(y[e]) != signbit((float)want)) error = INFINITY;
            if (error <= worst) continue;
            worst = error;
            at = x[e];
            got = y[e];
        }
        if (getenv("TFOPT_VERBOSE"))
            print_message("%s %s: %.3f ulp at %a (%g, not %.9g)\n", level, op_info(functions[i].op)->text, worst,
                          (double)at, (double)got, functions[i].exact((double)at));
        if (!(worst <= functions[i].ulp))
            fail_msg("%s on %s: %.3f ulp at %a: %.9g, not %.9g", op_info(functions[i].op)->text, level, worst,
                     (double)at, (double)got, functions[i].exact((double)at));
    }
    dlclose(handle);
    assert_int_equal(d.n_errors, 0);
}

static void test_accuracy(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *native = isa_find(arena, "native", triple, &d);
    char *folder = file_make_temp_dir(arena, &d);
    const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
    for (size_t i = 0; i < ARRAY_LEN(levels) && strcmp(native->arch, "x86_64") == 0; i++)
        if (strcmp(levels[i], native->level) <= 0) {
            check_level(arena, levels[i], triple, folder, false);
            check_level(arena, levels[i], triple, folder, true);
        }
    file_remove_tree(folder);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accuracy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
