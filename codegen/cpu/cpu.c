/* cpu: emits the kernels of a program into one LLVM unit, with one emitter, so that context and passes are paid for
 * once. */
#include "codegen/cpu/cpu.h"
#include "codegen/cpu/contraction.h"
#include "codegen/cpu/loops.h"

bool cpu_emit(const Program *p, const CpuOptions *o, LlvmUnit *into, Diag *d) {
    bool ok = true;
    Arena *arena = arena_new();
    Emit *e = emit_new(arena, p->isa, o->triple);
    for (uint32_t i = 0; i < p->kernels.len; i++) {
        const Kernel *k = p->kernels.data[i];
        const char *symbol = arena_printf(arena, "%s%s", o->prefix, k->name);
        if (k->kind == KERNEL_LOOPS)
            loops_emit(e, p, k, symbol, o->fast_math);
        else if (!contraction_emit(e, p, k, symbol, o->fast_math))
            ok =
                diag_unsupported(d, NULL, NULL, "contraction %s has types or strides that no kernel computes", k->name);
    }
    ok = ok && emit_finish(e, into, o->mlir_dump);
    emit_free(e);
    arena_free(arena);
    return ok;
}
