/* calibrate: measures this machine and prints its row for compiler/cost/machine.def.   calibrate [ISA] */
#include "ceilings.h"
#include "codegen/cpu/isa.h"
#include "codegen/llvm/llvm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

typedef struct {
    atomic_int go, done;
    int rounds;
} Relay;

static void *answer(void *arg) {
    Relay *r = arg;
    for (int i = 1; i <= r->rounds; i++) {
        while (atomic_load_explicit(&r->go, memory_order_acquire) < i) {
        }
        atomic_store_explicit(&r->done, i, memory_order_release);
    }
    return NULL;
}

/* Handing a step to a spinning thread and waiting for it: the least that a parallel step costs. */
static double fork_ns(void) {
    Relay r = {.rounds = 20000};
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, &r) != 0) return 0;
    double start = now_seconds();
    for (int i = 1; i <= r.rounds; i++) {
        atomic_store_explicit(&r.go, i, memory_order_release);
        while (atomic_load_explicit(&r.done, memory_order_acquire) < i) {
        }
    }
    double ns = (now_seconds() - start) * 1e9 / r.rounds;
    pthread_join(thread, NULL);
    return ns;
}

int main(int argc, char **argv) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const IsaRow *isa = isa_find(arena, argc > 1 ? argv[1] : "native", llvm_default_triple(arena), &d);
    if (isa == NULL) {
        diag_print(&d, stderr, DIAG_NOTE);
        return 2;
    }
    Ceilings c = measure_ceilings(isa->vector_bits);
    printf("MACHINE(\"%s\", %d, %d, %.0f, %d, %d, %d, %.0f, %.0f, %.0f, %.0f, %.0f)\n", isa->name, isa->vector_bits,
           isa->vector_registers, c.gflops, c.l1_kib, c.l2_kib, c.l3_kib, c.l1_gbs, c.l2_gbs, c.l3_gbs, c.memory_gbs,
           fork_ns());
    arena_free(arena);
    return 0;
}
