/* cpu: which instruction set extensions this machine has and the operating system lets programs use. Names are LLVM's,
   as in codegen/cpu/isa.def. The answer is worked out once per process: cpuid traps in virtual machines, and typed
   calls ask every time. */
#include "core/core.h"

#include <stdatomic.h>
#include <string.h>

typedef struct {
    const char *name;
    uint8_t leaf, reg, bit; /* x86: place in `leaves`, register a b c d; aarch64: word of hwcap and bit */
    uint8_t state;          /* x86: what the OS must save */
} Feature;

#if defined(__x86_64__)
#include <cpuid.h>
enum { SSE, AVX, AVX512, AMX }; /* Feature.state */
enum { LEAF_1, LEAF_7, LEAF_7_1, LEAF_80000001, N_LEAVES };
enum { A, B, C, D };
static const Feature features[] = {
    {"sse3", LEAF_1, C, 0, SSE},
    {"ssse3", LEAF_1, C, 9, SSE},
    {"sse4.1", LEAF_1, C, 19, SSE},
    {"sse4.2", LEAF_1, C, 20, SSE},
    {"popcnt", LEAF_1, C, 23, SSE},
    {"movbe", LEAF_1, C, 22, SSE},
    {"avx", LEAF_1, C, 28, AVX},
    {"f16c", LEAF_1, C, 29, AVX},
    {"fma", LEAF_1, C, 12, AVX},
    {"avx2", LEAF_7, B, 5, AVX},
    {"bmi", LEAF_7, B, 3, SSE},
    {"bmi2", LEAF_7, B, 8, SSE},
    {"lzcnt", LEAF_80000001, C, 5, SSE},
    {"avxvnni", LEAF_7_1, A, 4, AVX},
    {"gfni", LEAF_7, C, 8, SSE},
    {"avx512f", LEAF_7, B, 16, AVX512},
    {"avx512dq", LEAF_7, B, 17, AVX512},
    {"avx512ifma", LEAF_7, B, 21, AVX512},
    {"avx512cd", LEAF_7, B, 28, AVX512},
    {"avx512bw", LEAF_7, B, 30, AVX512},
    {"avx512vl", LEAF_7, B, 31, AVX512},
    {"avx512vbmi", LEAF_7, C, 1, AVX512},
    {"avx512vbmi2", LEAF_7, C, 6, AVX512},
    {"avx512vnni", LEAF_7, C, 11, AVX512},
    {"avx512bitalg", LEAF_7, C, 12, AVX512},
    {"avx512vpopcntdq", LEAF_7, C, 14, AVX512},
    {"avx512fp16", LEAF_7, D, 23, AVX512},
    {"avx512bf16", LEAF_7_1, A, 5, AVX512},
    {"amx-bf16", LEAF_7, D, 22, AMX},
    {"amx-tile", LEAF_7, D, 24, AMX},
    {"amx-int8", LEAF_7, D, 25, AMX},
};

/* XCR0: the register state that the OS saves on a context switch. Without it an extension is there and yet faults. */
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (uint64_t)high << 32;
}

static uint64_t detect(void) {
    uint32_t leaves[N_LEAVES][4] = {{0}};
    unsigned top = (unsigned)__get_cpuid_max(0, NULL), top_extended = (unsigned)__get_cpuid_max(0x80000000u, NULL);
    if (top >= 1) __cpuid(1, leaves[LEAF_1][A], leaves[LEAF_1][B], leaves[LEAF_1][C], leaves[LEAF_1][D]);
    if (top >= 7) {
        __cpuid_count(7, 0, leaves[LEAF_7][A], leaves[LEAF_7][B], leaves[LEAF_7][C], leaves[LEAF_7][D]);
        if (leaves[LEAF_7][A] >= 1)
            __cpuid_count(7, 1, leaves[LEAF_7_1][A], leaves[LEAF_7_1][B], leaves[LEAF_7_1][C], leaves[LEAF_7_1][D]);
    }
    if (top_extended >= 0x80000001u)
        __cpuid(0x80000001u, leaves[LEAF_80000001][A], leaves[LEAF_80000001][B], leaves[LEAF_80000001][C],
                leaves[LEAF_80000001][D]);
    uint64_t xcr0 = leaves[LEAF_1][C] >> 27 & 1 ? saved_state() : 0; /* bit 27: OSXSAVE */
    static const uint64_t needs[] = {[SSE] = 0, [AVX] = 6, [AVX512] = 0xe6, [AMX] = 0x60000};
    uint64_t found = 0;
    for (unsigned i = 0; i < sizeof features / sizeof features[0]; i++) {
        const Feature *f = &features[i];
        if (leaves[f->leaf][f->reg] >> f->bit & 1 && (xcr0 & needs[f->state]) == needs[f->state])
            found |= UINT64_C(1) << i;
    }
    return found;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>
static const Feature features[] = {
    {"fp-armv8", 0, 0, 0, 0}, {"neon", 0, 0, 1, 0},     {"fullfp16", 0, 0, 10, 0},
    {"rdm", 0, 0, 12, 0},     {"dotprod", 0, 0, 20, 0}, {"sve", 0, 0, 22, 0},
    {"sve2", 1, 0, 1, 0},     {"i8mm", 1, 0, 13, 0},    {"bf16", 1, 0, 14, 0},
};
static uint64_t detect(void) {
    uint64_t words[2] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)}, found = 0;
    for (unsigned i = 0; i < sizeof features / sizeof features[0]; i++)
        if (words[features[i].leaf] >> features[i].bit & 1) found |= UINT64_C(1) << i;
    return found;
}
#else
static const Feature features[] = {{"", 0, 0, 0, 0}};
static uint64_t detect(void) {
    return 0;
}
#endif

/* The one static that changes: every thread that fills it writes the same value, so it needs no lock and cannot be seen
 * half done. */
static uint64_t detected(void) {
    static _Atomic uint64_t known;
    const uint64_t filled = UINT64_C(1) << 63;
    uint64_t found = atomic_load_explicit(&known, memory_order_relaxed);
    if (!(found & filled)) {
        found = detect() | filled;
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    return found;
}
_Static_assert(sizeof features / sizeof features[0] < 63, "one bit a feature");

bool core_cpu_has(const char *wanted, char missing[64]) {
    uint64_t have = detected();
    while (*wanted) {
        size_t length = strcspn(wanted, ",");
        bool ok = length == 0;
        for (unsigned i = 0; i < sizeof features / sizeof features[0] && !ok; i++)
            ok = strlen(features[i].name) == length && memcmp(features[i].name, wanted, length) == 0 && (have >> i & 1);
        if (!ok) {
            size_t kept = length < 63 ? length : 63;
            memcpy(missing, wanted, kept);
            missing[kept] = 0;
            return false;
        }
        wanted += length;
        if (*wanted == ',') wanted++;
    }
    return true;
}
