/* The emitter end to end: a kernel written with emit.h becomes an object, is linked, loaded and run, for every level
 * that this machine has. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "codegen/cpu/emit.h"
#include "codegen/llvm/llvm.h"
#include "base/file.h"
#include "tfopt_abi.h"
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* out[i] = a[i] + b[i] * a[i] over units begin..end of 32-bit floats, whole vectors and a masked rest. */
static void emit_multiply_add(Emit *e, const char *name) {
    EmitValue buffers, dims, begin, end;
    emit_kernel_begin(e, name, &buffers, &dims, &begin, &end);
    EmitValue a = emit_buffer(e, buffers, 0, true);
    EmitValue b = emit_buffer(e, buffers, 1, true);
    EmitValue out = emit_buffer(e, buffers, 2, true);
    int lanes = isa_lanes(emit_isa(e), 32);
    EmitType vector = {DTYPE_F32, lanes};
    EmitValue step = emit_index(e, lanes);
    EmitValue i = emit_for_begin(e, begin, end, step, 0, NULL);
    EmitValue live = emit_binary(e, EMIT_ISUB, end, i);
    EmitValue mask = emit_mask(e, live, lanes);
    EmitValue pa = emit_address(e, a, DTYPE_F32, i, 0);
    EmitValue pb = emit_address(e, b, DTYPE_F32, i, 0);
    EmitValue po = emit_address(e, out, DTYPE_F32, i, 0);
    EmitValue x = emit_load(e, pa, 0, vector, mask);
    EmitValue y = emit_load(e, pb, 0, vector, mask);
    EmitValue product = emit_binary(e, EMIT_MUL, x, y);
    EmitValue sum = emit_binary(e, EMIT_ADD, x, product);
    emit_store(e, po, 0, sum, mask, 0);
    emit_for_end(e, 0, NULL);
    EmitValue ok = emit_int(e, (EmitType){DTYPE_S32, 0}, 0);
    emit_kernel_end(e, ok);
}

static bool host_has(Arena *arena, const char *level, const char *triple, Diag *d) {
    const IsaRow *native = isa_find(arena, "native", triple, d);
    return native && strcmp(level, native->level) <= 0; /* levels sort by name */
}

static void test_kernel_runs(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "native"};
    char *folder = file_make_temp_dir(arena, &d);
    for (size_t i = 0; i < ARRAY_LEN(levels) && strncmp(triple, "x86_64", 6) == 0; i++) {
        if (strcmp(levels[i], "native") != 0 && !host_has(arena, levels[i], triple, &d)) continue;
        const IsaRow *isa = isa_find(arena, levels[i], triple, &d);
        assert_non_null(isa);
        LlvmUnit *unit = llvm_unit_new(arena, triple, isa, &d);
        assert_non_null(unit);
        Emit *e = emit_new(arena, isa, triple);
        emit_multiply_add(e, "multiply_add");
        Str dump;
        str_init(&dump, arena);
        assert_true(emit_finish(e, unit, &dump));
        emit_free(e);
        assert_non_null(strstr(str_text(&dump), "fastmath<contract>"));
        assert_non_null(strstr(str_text(&dump), "llvm.func hidden"));
        assert_non_null(strstr(str_text(&dump), "no_unwind"));
        assert_null(strstr(str_text(&dump), "nnan"));
        const char *visible = ".globl entry\nentry: jmp multiply_add\n";
        llvm_unit_append_asm(unit, visible, strlen(visible));
        const char *object = arena_printf(arena, "%s/k%zu.o", folder, i),
                   *library = arena_printf(arena, "%s/k%zu.so", folder, i);
        assert_true(llvm_unit_emit(unit, LLVM_OBJECT, object, &d));
        llvm_unit_free(unit);
        assert_int_equal(system(arena_printf(arena, "cc -shared -o %s %s", library, object)), 0);
        void *handle = dlopen(library, RTLD_NOW);
        assert_non_null(handle);
        TfoptKernelFn *run;
        *(void **)&run = dlsym(handle, "entry");
        assert_non_null(run);
        enum { N = 101 };
        _Alignas(64) float a[N + 1], b[N + 1], out[N + 1];
        for (int k = 0; k <= N; k++) {
            a[k] = (float)k;
            b[k] = 0.5f;
            out[k] = -1;
        }
        void *buffers[] = {a, b, out};
        assert_int_equal(run(buffers, NULL, 3, N), 0);
        for (int k = 0; k <= N; k++) assert_true(out[k] == (k < 3 || k == N ? -1.0f : 1.5f * (float)k));
        dlclose(handle);
    }
    file_remove_tree(folder);
    assert_int_equal(d.n_errors, 0);
    arena_free(arena);
}

static void test_unknown_cpu(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    assert_null(isa_find(arena, "pentium-9", "x86_64-pc-linux-gnu", &d));
    assert_null(isa_find(arena, "x86-64-v3", "aarch64-linux-gnu", &d));
    assert_int_equal(diag_exit_code(&d), EXIT_USAGE);
    const IsaRow *spr = isa_find(arena, "sapphirerapids", "x86_64-linux-gnu", &d);
    assert_true(spr && spr->vnni && spr->bf16 && spr->amx && spr->fma && spr->vector_bits == 512);
    assert_non_null(strstr(spr->checks, "avx2")); /* a level needs what those below it need */
    assert_null(llvm_unit_new(arena, "pdp11-dec-none", spr, &d));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernel_runs), cmocka_unit_test(test_unknown_cpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
