/* consumer: calls the model by its typed call and through a session; both must agree, and the probabilities add up
 * to 1. */
#include "digits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    static float image[64], typed[10];
    for (int i = 0; i < 64; i++) image[i] = (float)(i * 37 % 256);
    void *arena = aligned_alloc(DIGITS_ARENA_ALIGN, DIGITS_ARENA_BYTES);
    if (!arena || digits_run(arena, image, typed)) return puts("typed call failed"), 1;
    float sum = 0;
    for (int i = 0; i < 10; i++) sum += typed[i];
    if (fabsf(sum - 1) > 1e-4f) return puts("no probabilities"), 1;
    TfoptModel *m;
    TfoptSession *s;
    TfoptTensor y;
    if (tfopt_open_data(digits_model_data(), &m) || tfopt_session_new(m, NULL, &s)) return puts("no session"), 1;
    if (tfopt_set_input(s, 0, image, 4, (int64_t[]){1, 8, 8, 1}) || tfopt_run(s) || tfopt_get_output(s, 0, &y))
        return puts(tfopt_error(s)), 1;
    if (memcmp(y.data, typed, sizeof typed) != 0) return puts("typed call and session differ"), 1;
    tfopt_session_free(s);
    tfopt_close(m);
    free(arena);
    return 0;
}
