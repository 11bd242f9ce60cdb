/* Runs kernels of another architecture under an emulator: reads the cases that contraction_case.c wrote, runs each in
   two parts, out of order, and writes the outputs.   runner CASES RESULTS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const int n_entries;
extern int (*const entries[])(void *const *, const long *, long, long);
enum { BUFFERS = 6, DIMS = 64, OUTPUT = 2 };

int main(int argc, char **argv) {
    FILE *in = argc > 2 ? fopen(argv[1], "rb") : NULL, *out = argc > 2 ? fopen(argv[2], "wb") : NULL;
    if (in == NULL || out == NULL) return 2;
    for (int i = 0; i < n_entries; i++) {
        long header[1 + BUFFERS], dims[DIMS];
        void *buffers[BUFFERS];
        if (fread(header, sizeof header, 1, in) != 1 || fread(dims, sizeof dims, 1, in) != 1) return 3;
        for (int b = 0; b < BUFFERS; b++) {
            size_t bytes = (size_t)header[1 + b];
            buffers[b] = aligned_alloc(64, (bytes + 127) / 64 * 64);
            if (buffers[b] == NULL || (bytes > 0 && fread(buffers[b], bytes, 1, in) != 1)) return 4;
        }
        memset(buffers[OUTPUT], 0x7f, (size_t)header[1 + OUTPUT]);
        long units = header[0];
        if (entries[i](buffers, dims, units / 2, units) != 0 || entries[i](buffers, dims, 0, units / 2) != 0) return 5;
        if (fwrite(buffers[OUTPUT], (size_t)header[1 + OUTPUT], 1, out) != 1) return 6;
        for (int b = 0; b < BUFFERS; b++) free(buffers[b]);
    }
    return fclose(out) != 0;
}
