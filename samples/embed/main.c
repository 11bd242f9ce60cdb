/* embed: a model linked into the program by CMake's tfopt_add_model; the typed call, no files at run time. */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    /* A seven, 8x8 pixels of 0..255. */
    static const float seven[64] = {
        0,  0, 112, 207, 255, 255, 80,  0,   0,   0, 191, 255, 175, 255, 96,  0,   0,  0, 0, 0,  64,  255,
        48, 0, 0,   0,   32,  96,  175, 255, 112, 0, 0,   64,  255, 255, 255, 175, 64, 0, 0, 16, 112, 239,
        96, 0, 0,   0,   0,   0,   16,  255, 32,  0, 0,   0,   0,   0,   128, 223, 0,  0, 0, 0,
    };
    float probabilities[10];
    void *arena = aligned_alloc(DIGITS_ARENA_ALIGN, DIGITS_ARENA_BYTES);
    int status = arena ? digits_run(arena, seven, probabilities) : 1;
    for (int i = 0; status == 0 && i < 10; i++) printf("%d %5.1f %%\n", i, 100 * (double)probabilities[i]);
    free(arena);
    return status;
}
