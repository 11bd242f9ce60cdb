/* contractions: GFLOP/s of the contraction kernels of known networks on one core, beside what this core can do at best
   in the same run: multiply-adds without memory, and reading from L1, L2 and memory.   contractions [FILTER] [ISA] */
#include "ceilings.h"
#include "codegen/llvm/llvm.h"
#include "contraction_case.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PW(h, c, f) .kind = CONTRACT_CONV, .rank = 2, .in = {h, h}, .kernel = {1, 1}, .channels = c, .filters = f
#define SAME(h, kernel_, c, f)                                                                                         \
    .kind = CONTRACT_CONV, .rank = 2, .in = {h, h}, .kernel = {kernel_, kernel_},                                      \
    .before = {kernel_ / 2, kernel_ / 2}, .after = {kernel_ / 2, kernel_ / 2}, .channels = c, .filters = f
#define DW(h, kernel_, s, c)                                                                                           \
    .kind = CONTRACT_DEPTHWISE, .rank = 2, .in = {h, h}, .kernel = {kernel_, kernel_}, .stride = {s, s},               \
    .before = {kernel_ / 2, kernel_ / 2}, .after = {kernel_ / 2, kernel_ / 2}, .channels = c, .filters = c
#define RELU .epilogue = EPILOGUE_BIAS_RELU6

static const Case cases[] = {
    {.name = "resnet_stem",
     .kind = CONTRACT_CONV,
     .rank = 2,
     .in = {224, 224},
     .kernel = {7, 7},
     .stride = {2, 2},
     .before = {3, 3},
     .after = {3, 3},
     .channels = 3,
     .filters = 64,
     RELU},
    {.name = "resnet_56_64_64", PW(56, 64, 64), RELU},
    {.name = "resnet_56_3x3_64", SAME(56, 3, 64, 64), RELU},
    {.name = "winograd_56_3x3_64", SAME(56, 3, 64, 64), RELU, .winograd = true},
    {.name = "winograd_28_3x3_128", SAME(28, 3, 128, 128), RELU, .winograd = true},
    {.name = "winograd_14_3x3_256", SAME(14, 3, 256, 256), RELU, .winograd = true},
    {.name = "winograd_7_3x3_512", SAME(7, 3, 512, 512), RELU, .winograd = true},
    {.name = "resnet_56_64_256", PW(56, 64, 256), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "resnet_56_256_64", PW(56, 256, 64), RELU},
    {.name = "resnet_28_3x3_128", SAME(28, 3, 128, 128), RELU},
    {.name = "resnet_28_128_512", PW(28, 128, 512), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "resnet_28_512_128", PW(28, 512, 128), RELU},
    {.name = "resnet_14_3x3_256", SAME(14, 3, 256, 256), RELU},
    {.name = "resnet_14_256_1024", PW(14, 256, 1024), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "resnet_14_1024_256", PW(14, 1024, 256), RELU},
    {.name = "resnet_7_3x3_512", SAME(7, 3, 512, 512), RELU},
    {.name = "resnet_7_512_2048", PW(7, 512, 2048), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "resnet_7_2048_512", PW(7, 2048, 512), RELU},
    {.name = "resnet_56_s2_256_512",
     .kind = CONTRACT_CONV,
     .rank = 2,
     .in = {56, 56},
     .kernel = {1, 1},
     .stride = {2, 2},
     .channels = 256,
     .filters = 512,
     .epilogue = EPILOGUE_BIAS},
    {.name = "resnet_fc", .m = 1, .n = 1000, .k = 2048, .epilogue = EPILOGUE_BIAS},
    {.name = "mobilenet_stem",
     .kind = CONTRACT_CONV,
     .rank = 2,
     .in = {224, 224},
     .kernel = {3, 3},
     .stride = {2, 2},
     .after = {1, 1},
     .channels = 3,
     .filters = 32,
     RELU},
    {.name = "mobilenet_112_32_16", PW(112, 32, 16), .epilogue = EPILOGUE_BIAS},
    {.name = "mobilenet_112_16_96", PW(112, 16, 96), RELU},
    {.name = "mobilenet_56_96_24", PW(56, 96, 24), .epilogue = EPILOGUE_BIAS},
    {.name = "mobilenet_56_24_144", PW(56, 24, 144), RELU},
    {.name = "mobilenet_56_144_24", PW(56, 144, 24), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "mobilenet_28_192_32", PW(28, 192, 32), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "mobilenet_28_32_192", PW(28, 32, 192), RELU},
    {.name = "mobilenet_14_64_384", PW(14, 64, 384), RELU},
    {.name = "mobilenet_14_384_64", PW(14, 384, 64), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "mobilenet_14_96_576", PW(14, 96, 576), RELU},
    {.name = "mobilenet_7_160_960", PW(7, 160, 960), RELU},
    {.name = "mobilenet_7_960_160", PW(7, 960, 160), .epilogue = EPILOGUE_RESIDUAL},
    {.name = "mobilenet_7_320_1280", PW(7, 320, 1280), RELU},
    {.name = "mobilenet_fc", .m = 1, .n = 1000, .k = 1280, .epilogue = EPILOGUE_BIAS},
    {.name = "dw_112_3x3_32", DW(112, 3, 1, 32), RELU},
    {.name = "dw_112_3x3_s2_96", DW(112, 3, 2, 96), RELU},
    {.name = "dw_56_3x3_144", DW(56, 3, 1, 144), RELU},
    {.name = "dw_28_3x3_192", DW(28, 3, 1, 192), RELU},
    {.name = "dw_14_3x3_384", DW(14, 3, 1, 384), RELU},
    {.name = "dw_7_3x3_960", DW(7, 3, 1, 960), RELU},
    {.name = "dw_28_5x5_240", DW(28, 5, 1, 240), .epilogue = EPILOGUE_SWISH},
    {.name = "dw_14_5x5_672", DW(14, 5, 1, 672), .epilogue = EPILOGUE_SWISH},
    {.name = "dw_7_5x5_1152", DW(7, 5, 1, 1152), .epilogue = EPILOGUE_SWISH},
    {.name = "dw_56_7x7_96", DW(56, 7, 1, 96), .epilogue = EPILOGUE_BIAS},
    {.name = "swish_56_24_144", PW(56, 24, 144), .epilogue = EPILOGUE_SWISH},
    {.name = "swish_14_112_672", PW(14, 112, 672), .epilogue = EPILOGUE_SWISH},
    {.name = "bert_768_768", .m = 128, .n = 768, .k = 768, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "bert_768_3072_gelu", .m = 128, .n = 3072, .k = 768, .epilogue = EPILOGUE_GELU},
    {.name = "bert_3072_768", .m = 128, .n = 768, .k = 3072, .epilogue = EPILOGUE_RESIDUAL},
    {.name = "attention_qk", .batch = 12, .m = 128, .n = 128, .k = 64, .dense_b = true, .transpose_b = true},
    {.name = "attention_pv", .batch = 12, .m = 128, .n = 64, .k = 128, .dense_b = true},
    {.name = "mlp_256", .m = 1, .n = 256, .k = 256, .epilogue = EPILOGUE_BIAS_RELU6},
    {.name = "mlp_16", .m = 1, .n = 16, .k = 16, .epilogue = EPILOGUE_BIAS_RELU6},
};

static double best_ns(const CaseKernel *k) {
    double best = 0;
    int times = 1;
    for (int round = 0; round < 9; round++) {
        double start = now_seconds();
        for (int i = 0; i < times; i++) case_run(k, 0, k->units);
        double ns = (now_seconds() - start) * 1e9;
        if (round == 0) {
            times = ns > 5e6 ? 1 : (int)(5e6 / (ns + 1)) + 1;
            continue;
        }
        if (best == 0 || ns / times < best) best = ns / times;
    }
    return best;
}

int main(int argc, char **argv) {
    const char *filter = argc > 1 ? argv[1] : "";
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const IsaRow *isa = isa_find(arena, argc > 2 ? argv[2] : "native", triple, &d);
    if (isa == NULL) {
        diag_print(&d, stderr, DIAG_NOTE);
        return 2;
    }
    const Machine *machine = machine_find(isa->tune ? isa->tune : isa->cpu, isa->level);
    CaseKernel *kernels[ARRAY_LEN(cases)];
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (strstr(cases[i].name, filter)) kernels[n++] = case_new(arena, &cases[i], machine, (int)i);
    if (!cases_load(arena, isa, n, kernels)) return 1;
    Ceilings top = measure_ceilings(isa->vector_bits);
    printf("%s, machine row %s: %.0f GFLOP/s, reads %.0f %.0f %.0f %.0f GB/s from L1 L2 L3 memory\n", isa->name,
           machine->name, top.gflops, top.l1_gbs, top.l2_gbs, top.l3_gbs, top.memory_gbs);
    for (int i = 0; i < n; i++) {
        double ns = best_ns(kernels[i]);
        const Contraction *c = kernels[i]->kernel->contraction;
        printf("%-24s tile %2dx%d units %3lld  %9.2f us  %6.1f GFLOP/s %5.1f %%  %6.1f GB/s\n", kernels[i]->c.name,
               c->tile_m, c->tile_n, (long long)kernels[i]->units, ns / 1e3, kernels[i]->flops / ns,
               100 * kernels[i]->flops / ns / top.gflops, kernels[i]->bytes / ns);
    }
    arena_free(arena);
    return 0;
}
