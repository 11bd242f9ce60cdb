/* Contractions against plain loops: many shapes, for every instruction set of this machine, and for aarch64
   under qemu where that is installed. Units are run in two parts, out of order. */
#include "codegen/llvm/llvm.h"
#include "contraction_case.h"

#include <stdlib.h>
#include <string.h>

#define CONV(...) .kind = CONTRACT_CONV, __VA_ARGS__
#define DEPTHWISE(...) .kind = CONTRACT_DEPTHWISE, __VA_ARGS__

static const Case cases[] = {
    /* matrices */
    {.name = "one", .m = 1, .n = 1, .k = 1},
    {.name = "row", .m = 1, .n = 70, .k = 33, .epilogue = EPILOGUE_BIAS},
    {.name = "row_long", .m = 1, .n = 1000, .k = 257, .threads = 2},
    {.name = "column", .m = 77, .n = 1, .k = 19, .epilogue = EPILOGUE_BIAS_RELU6},
    {.name = "column_long", .m = 45, .n = 1, .k = 259, .threads = 2, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "column_symbolic", .m = 21, .n = 1, .k = 100, .symbolic = true, .epilogue = EPILOGUE_BIAS},
    {.name = "column_deep", .m = 40, .n = 1, .k = 3001, .epilogue = EPILOGUE_BIAS},
    {.name = "column_batch", .batch = 3, .m = 9, .n = 1, .k = 37},
    {.name = "column_double", .dtype = DTYPE_F64, .m = 20, .n = 1, .k = 41},
    {.name = "column_transposed_a", .m = 30, .n = 1, .k = 50, .transpose_a = true},
    {.name = "small", .m = 3, .n = 5, .k = 2},
    {.name = "k1", .m = 20, .n = 40, .k = 1, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "square", .m = 64, .n = 64, .k = 64, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "odd", .m = 49, .n = 131, .k = 67, .threads = 2, .epilogue = EPILOGUE_BIAS},
    {.name = "tall", .m = 500, .n = 24, .k = 40, .threads = 2},
    {.name = "wide", .m = 13, .n = 900, .k = 70, .threads = 2, .epilogue = EPILOGUE_BIAS_RELU6},
    {.name = "symbolic_1", .m = 1, .n = 50, .k = 30, .symbolic = true, .epilogue = EPILOGUE_BIAS},
    {.name = "symbolic_7", .m = 7, .n = 50, .k = 30, .symbolic = true},
    {.name = "symbolic_99", .m = 99, .n = 150, .k = 31, .symbolic = true, .threads = 2, .epilogue = EPILOGUE_BIAS},
    {.name = "deep", .m = 30, .n = 70, .k = 4001, .threads = 2, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "transposed_a", .m = 30, .n = 40, .k = 20, .transpose_a = true},
    {.name = "dense", .m = 30, .n = 45, .k = 20, .dense_b = true},
    {.name = "dense_batch", .batch = 5, .m = 17, .n = 33, .k = 64, .dense_b = true, .threads = 2},
    {.name = "dense_transposed", .batch = 3, .m = 17, .n = 37, .k = 61, .dense_b = true, .transpose_b = true},
    {.name = "dense_transposed_exact", .batch = 3, .m = 64, .n = 64, .k = 64, .dense_b = true, .transpose_b = true},
    {.name = "dense_transposed_row", .batch = 3, .m = 1, .n = 37, .k = 61, .dense_b = true, .transpose_b = true},
    {.name = "dense_transposed_deep", .m = 9, .n = 20, .k = 3000, .dense_b = true, .transpose_b = true},
    {.name = "broadcast", .batch = 4, .m = 9, .n = 20, .k = 30, .dense_b = true, .broadcast_b = true},
    {.name = "packed_batch", .batch = 4, .m = 9, .n = 20, .k = 30, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "double", .dtype = DTYPE_F64, .m = 20, .n = 30, .k = 40, .epilogue = EPILOGUE_BIAS},
    {.name = "int32", .dtype = DTYPE_S32, .m = 20, .n = 30, .k = 40},
    {.name = "int64", .dtype = DTYPE_S64, .m = 5, .n = 30, .k = 40},
    {.name = "int8", .dtype = DTYPE_S8, .acc = DTYPE_S32, .m = 20, .n = 30, .k = 40},
    {.name = "half", .dtype = DTYPE_F16, .acc = DTYPE_F32, .m = 20, .n = 30, .k = 40},
    {.name = "bfloat", .dtype = DTYPE_BF16, .acc = DTYPE_F32, .m = 20, .n = 30, .k = 40},
    /* convolutions */
    {.name = "pointwise",
     CONV(.rank = 2, .in = {7, 9}, .kernel = {1, 1}, .channels = 20, .filters = 40, .batch = 2,
          .epilogue = EPILOGUE_RESIDUAL)},
    {.name = "pointwise_padded_after",
     CONV(.rank = 2, .in = {6, 7}, .kernel = {1, 1}, .after = {2, 3}, .channels = 20, .filters = 40, .batch = 2)},
    {.name = "pointwise_strided",
     CONV(.rank = 2, .in = {8, 8}, .kernel = {1, 1}, .stride = {2, 2}, .channels = 20, .filters = 40, .batch = 2)},
    {.name = "conv_3x3",
     CONV(.rank = 2, .in = {13, 19}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 5, .filters = 35,
          .batch = 2, .epilogue = EPILOGUE_BIAS_RELU6, .threads = 2)},
    {.name = "conv_7x7_image",
     CONV(.rank = 2, .in = {30, 30}, .kernel = {7, 7}, .stride = {2, 2}, .before = {3, 3}, .after = {3, 3},
          .channels = 3, .filters = 64, .threads = 2)},
    {.name = "conv_same_even",
     CONV(.rank = 2, .in = {16, 16}, .kernel = {3, 3}, .stride = {2, 2}, .after = {1, 1}, .channels = 3,
          .filters = 32)},
    {.name = "conv_5x5_small",
     CONV(.rank = 2, .in = {3, 3}, .kernel = {5, 5}, .before = {2, 2}, .after = {2, 2}, .channels = 8, .filters = 8)},
    {.name = "conv_dilated",
     CONV(.rank = 2, .in = {15, 15}, .kernel = {3, 3}, .dilation = {2, 3}, .before = {2, 3}, .after = {2, 3},
          .channels = 6, .filters = 20)},
    {.name = "conv_groups",
     CONV(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 24, .filters = 48,
          .groups = 4, .batch = 2, .epilogue = EPILOGUE_BIAS)},
    {.name = "conv_groups_stride",
     CONV(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .stride = {2, 2}, .before = {1, 1}, .after = {1, 1},
          .channels = 12, .filters = 6, .groups = 3)},
    {.name = "conv_1d",
     CONV(.rank = 1, .in = {100}, .kernel = {9}, .before = {4}, .after = {4}, .channels = 4, .filters = 17,
          .threads = 2)},
    {.name = "conv_1d_causal",
     CONV(.rank = 1, .in = {90}, .kernel = {2}, .dilation = {16}, .before = {16}, .channels = 16, .filters = 32,
          .batch = 2)},
    {.name = "conv_1d_wide",
     CONV(.rank = 1, .in = {64}, .kernel = {41}, .before = {20}, .after = {20}, .channels = 2, .filters = 6)},
    {.name = "conv_3d",
     CONV(.rank = 3, .in = {5, 6, 7}, .kernel = {3, 2, 3}, .before = {1, 0, 1}, .after = {1, 1, 1}, .channels = 3,
          .filters = 10, .batch = 2)},
    {.name = "conv_asymmetric",
     CONV(.rank = 2, .in = {11, 6}, .kernel = {1, 7}, .before = {0, 3}, .after = {0, 3}, .channels = 9, .filters = 18)},
    {.name = "conv_all_padding",
     CONV(.rank = 2, .in = {2, 2}, .kernel = {1, 1}, .before = {2, 2}, .after = {3, 3}, .channels = 4, .filters = 4,
          .epilogue = EPILOGUE_BIAS)},
    {.name = "conv_symbolic",
     CONV(.rank = 2, .in = {12, 23}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 5, .filters = 20,
          .symbolic = true)},
    {.name = "conv_symbolic_small",
     CONV(.rank = 2, .in = {2, 2}, .kernel = {5, 5}, .stride = {2, 2}, .before = {2, 2}, .after = {2, 2}, .channels = 5,
          .filters = 20, .symbolic = true)},
    {.name = "conv_one_filter",
     CONV(.rank = 2, .in = {12, 17}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 21, .filters = 1,
          .batch = 2, .epilogue = EPILOGUE_BIAS_RELU6, .threads = 2)},
    {.name = "conv_one_filter_1d",
     CONV(.rank = 1, .in = {300}, .kernel = {64}, .stride = {2}, .before = {5}, .after = {7}, .channels = 1,
          .filters = 1)},
    {.name = "conv_one_filter_dilated",
     CONV(.rank = 2, .in = {15, 15}, .kernel = {3, 3}, .dilation = {2, 2}, .before = {2, 2}, .after = {2, 2},
          .channels = 18, .filters = 1)},
    {.name = "conv_one_filter_symbolic",
     CONV(.rank = 2, .in = {12, 23}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 9, .filters = 1,
          .symbolic = true)},
    {.name = "conv_dense",
     CONV(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 8, .filters = 46,
          .groups = 2, .dense_b = true)},
    {.name = "pointwise_dense",
     CONV(.rank = 2, .in = {9, 9}, .kernel = {1, 1}, .channels = 8, .filters = 46, .dense_b = true)},
    {.name = "depthwise_dense",
     DEPTHWISE(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 23,
               .filters = 23, .dense_b = true)},
    {.name = "conv_double",
     CONV(.rank = 2, .in = {5, 5}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 5, .filters = 11,
          .dtype = DTYPE_F64)},
    {.name = "winograd",
     CONV(.rank = 2, .in = {14, 18}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 32, .filters = 40,
          .batch = 2, .threads = 2, .winograd = true, .epilogue = EPILOGUE_RESIDUAL)},
    {.name = "winograd_exact",
     CONV(.rank = 2, .in = {16, 16}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 16, .filters = 64,
          .winograd = true, .epilogue = EPILOGUE_BIAS_RELU6)},
    {.name = "winograd_valid",
     CONV(.rank = 2, .in = {9, 7}, .kernel = {3, 3}, .channels = 48, .filters = 16, .winograd = true)},
    {.name = "winograd_asymmetric",
     CONV(.rank = 2, .in = {3, 21}, .kernel = {3, 3}, .before = {1, 0}, .after = {0, 1}, .channels = 16, .filters = 20,
          .winograd = true, .epilogue = EPILOGUE_BIAS)},
    {.name = "winograd_shared_filters",
     CONV(.rank = 2, .in = {7, 8}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 32, .filters = 300,
          .threads = 3, .winograd = true, .epilogue = EPILOGUE_BIAS)},
    /* depthwise */
    {.name = "depthwise",
     DEPTHWISE(.rank = 2, .in = {14, 17}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 40,
               .filters = 40, .batch = 2, .epilogue = EPILOGUE_BIAS_RELU6, .threads = 2)},
    {.name = "depthwise_stride",
     DEPTHWISE(.rank = 2, .in = {14, 14}, .kernel = {3, 3}, .stride = {2, 2}, .after = {1, 1}, .channels = 32,
               .filters = 32)},
    {.name = "depthwise_5x5",
     DEPTHWISE(.rank = 2, .in = {7, 7}, .kernel = {5, 5}, .before = {2, 2}, .after = {2, 2}, .channels = 48,
               .filters = 48, .epilogue = EPILOGUE_RESIDUAL)},
    {.name = "depthwise_7x7",
     DEPTHWISE(.rank = 2, .in = {20, 20}, .kernel = {7, 7}, .before = {3, 3}, .after = {3, 3}, .channels = 19,
               .filters = 19)},
    {.name = "depthwise_few",
     DEPTHWISE(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 3,
               .filters = 3)},
    {.name = "depthwise_multiplier",
     DEPTHWISE(.rank = 2, .in = {9, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 7,
               .filters = 21)},
    {.name = "depthwise_dilated",
     DEPTHWISE(.rank = 2, .in = {15, 15}, .kernel = {3, 3}, .dilation = {2, 2}, .before = {2, 2}, .after = {2, 2},
               .channels = 20, .filters = 20)},
    {.name = "depthwise_1d",
     DEPTHWISE(.rank = 1, .in = {50}, .kernel = {4}, .before = {3}, .channels = 20, .filters = 20)},
    {.name = "depthwise_symbolic",
     DEPTHWISE(.rank = 2, .in = {11, 9}, .kernel = {3, 3}, .before = {1, 1}, .after = {1, 1}, .channels = 20,
               .filters = 20, .symbolic = true)},
    {.name = "depthwise_3d",
     DEPTHWISE(.rank = 3, .in = {5, 5, 5}, .kernel = {3, 3, 3}, .before = {1, 1, 1}, .after = {1, 1, 1}, .channels = 9,
               .filters = 9)},
};

static double tolerance(DType t) {
    return t == DTYPE_F64 ? 1e-14 : dtype_is_float(t) ? 2e-6 : 0;
}

static int check(const IsaRow *isa, int n, CaseKernel **kernels, const bool *ran) {
    int failures = 0;
    for (int i = 0; i < n; i++) {
        const CaseKernel *k = kernels[i];
        case_expect(kernels[i]);
        double error = case_error(k),
               allowed = tolerance(k->c.acc) * (1 + (double)k->c.k / 500) * (k->c.winograd ? 5 : 1);
        const Contraction *c = k->kernel->contraction;
        if (ran[i] && error <= allowed) continue;
        failures++;
        printf("%s %-24s tile %dx%d units %lld  error %.2e  WRONG\n", isa->name, k->c.name, c->tile_m, c->tile_n,
               (long long)k->units, error);
    }
    printf("%s: %d of %d right\n", isa->name, n - failures, n);
    return failures;
}

static int check_here(Arena *arena, const IsaRow *isa) {
    CaseKernel *kernels[ARRAY_LEN(cases)];
    bool ran[ARRAY_LEN(cases)];
    int n = (int)ARRAY_LEN(cases);
    for (int i = 0; i < n; i++) kernels[i] = case_new(arena, &cases[i], machine_find(isa->cpu, isa->name), i);
    if (!cases_load(arena, isa, n, kernels)) return 1;
    for (int i = 0; i < n; i++) {
        CaseKernel *k = kernels[i];
        memset((void *)(uintptr_t)k->out.data, 0x7f, tensor_bytes(&k->out));
        int64_t half = k->units / 2;
        int status = case_run(k, half, k->units);
        status += case_run(k, 0, half);
        ran[i] = status == 0;
    }
    return check(isa, n, kernels, ran);
}

static int check_aarch64(Arena *arena, const char *runner) {
    const char *compiler = "aarch64-linux-gnu-gcc", *emulator = "qemu-aarch64", *triple = "aarch64-linux-gnu";
    if (system(arena_printf(arena, "%s --version > /dev/null 2>&1 && %s --version > /dev/null 2>&1", compiler,
                            emulator)) != 0) {
        printf("aarch64: not run, for want of %s or %s\n", compiler, emulator);
        return 0;
    }
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *isa = isa_find(arena, "aarch64", triple, &d);
    CaseKernel *kernels[ARRAY_LEN(cases)];
    bool ran[ARRAY_LEN(cases)];
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (cases[i].winograd) continue; /* winograd is for 512 bits */
        ran[n] = true;
        kernels[n++] = case_new(arena, &cases[i], machine_find("generic", "aarch64"), (int)i);
    }
    if (!cases_run_under(arena, isa, triple, compiler, emulator, runner, n, kernels)) {
        printf("aarch64: cannot be run\n");
        return 1;
    }
    return check(isa, n, kernels, ran);
}

/* contraction RUNNER: contraction_runner.c */
int main(int argc, char **argv) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *native = isa_find(arena, "native", triple, &d);
    const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
    int failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(levels) && strncmp(triple, "x86_64", 6) == 0; i++) {
        if (strcmp(levels[i], native->level) > 0) {
            printf("%s: not run, this machine is older\n", levels[i]);
            continue;
        }
        Arena *cases_arena = arena_new();
        failures += check_here(cases_arena, isa_find(arena, levels[i], triple, &d));
        arena_free(cases_arena);
    }
    if (argc > 1) failures += check_aarch64(arena, argv[1]);
    arena_free(arena);
    return failures != 0;
}
