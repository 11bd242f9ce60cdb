/* machine: finds the row of numbers of a processor. */
#include "cost/cost.h"
#include <string.h>

static const Machine machines[] = {
#define MACHINE(name, bits, registers, gflops, l1, l2, l3, l1_gbs, l2_gbs, l3_gbs, memory_gbs, fork_ns)                \
    {name, bits, registers, gflops, l1, l2, l3, l1_gbs, l2_gbs, l3_gbs, memory_gbs, fork_ns},
#include "cost/machine.def"
#undef MACHINE
};

static const Machine *find(const char *name) {
    if (!name) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        if (strcmp(machines[i].name, name) == 0) return &machines[i];
    return NULL;
}

const Machine *machine_find(const char *cpu, const char *isa) {
    const Machine *m = find(cpu);
    if (!m) m = find(isa);
    return m ? m : &machines[0];
}
