/* run_program FILE: runs the steps of a program, linked in as kernel_table, over buffers from FILE and writes them
   back: the part of diff_graphs that runs on the target machine, or under an emulator of it. */
#include "tfopt_abi.h"
#include <stdio.h>
#include <stdlib.h>

extern TfoptKernelFn *const kernel_table[];

static uint64_t number(FILE *f) {
    uint64_t n = 0;
    if (fread(&n, sizeof n, 1, f) != 1) exit(3);
    return n;
}

int main(int argc, char **argv) {
    FILE *f = argc == 2 ? fopen(argv[1], "r+b") : NULL;
    if (!f) return 2;
    uint64_t n = number(f);
    char **memory = calloc(n + 1, sizeof *memory);
    uint64_t *bytes = calloc(n + 1, sizeof *bytes);
    for (uint64_t i = 0; i < n; i++) {
        bytes[i] = number(f);
        memory[i] = aligned_alloc(64, (bytes[i] + 127) / 64 * 64);
        if (bytes[i] && fread(memory[i], bytes[i], 1, f) != 1) return 3;
        uint64_t of = number(f), offset = number(f); /* a view of an earlier or later buffer: of = its number + 1 */
        if (of) {
            free(memory[i]);
            memory[i] = NULL;
            bytes[i] = offset;
            memory[i] = (char *)(uintptr_t)of; /* resolved below */
            bytes[i] |= (uint64_t)1 << 63;
        }
    }
    for (uint64_t i = 0; i < n; i++)
        if (bytes[i] >> 63) memory[i] = memory[(uintptr_t)memory[i] - 1] + (bytes[i] & ~((uint64_t)1 << 63));
    int status = 0;
    for (uint64_t steps = number(f); steps; steps--) {
        uint64_t kernel = number(f), units = number(f), n_args = number(f);
        void *args[64];
        for (uint64_t i = 0; i < n_args; i++) args[i] = memory[number(f)];
        status |= kernel_table[kernel](args, NULL, 0, (int64_t)units);
    }
    rewind(f);
    number(f);
    for (uint64_t i = 0; i < n; i++) {
        number(f);
        if (bytes[i] >> 63) {
            fseek(f, 16, SEEK_CUR);
            continue;
        }
        fseek(f, 0, SEEK_CUR);
        if (bytes[i] && fwrite(memory[i], bytes[i], 1, f) != 1) return 3;
        fseek(f, 16, SEEK_CUR);
    }
    return fclose(f) || status;
}
