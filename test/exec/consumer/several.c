/* several: the picture's pixels by one model, the digit by another, which runs on a pool. */
#include "several.h"

#include "digits_saved.h"
#include "picture.h"
#ifdef WITH_DIGITS
#include "digits.h"
#endif

#include <stdio.h>
#include <stdlib.h>

/* The first output of a session's run on its only input. */
static int answer(TfoptSession *s, const void *data, int rank, const int64_t *dims, TfoptTensor *out) {
    if (tfopt_set_input(s, 0, data, rank, dims) || tfopt_run(s) || tfopt_get_output(s, 0, out)) {
        fprintf(stderr, "%s\n", tfopt_error(s));
        return -1;
    }
    return 0;
}

int digit_of(const char *png_path) {
    static const int64_t dims[] = {1, 8, 8, 1};
    static char bytes[1 << 16];
    static float image[64];
    FILE *f = fopen(png_path, "rb");
    if (!f) return -1;
    TfoptString file = {bytes, fread(bytes, 1, sizeof bytes, f)};
    fclose(f);
    TfoptModel *picture, *digits;
    TfoptSession *decode, *classify;
    TfoptTensor y;
    TfoptPool *pool;
    if (tfopt_open_data(picture_model_data(), &picture) || tfopt_open_data(digits_saved_model_data(), &digits) ||
        tfopt_pool_new(2, &pool))
        return -2;
    TfoptSessionOptions options = {.pool = pool};
    if (tfopt_session_new(picture, NULL, &decode) || tfopt_session_new(digits, &options, &classify)) return -3;
    if (answer(decode, &file, 0, NULL, &y) || y.rank != 3 || y.dims[0] != 8 || y.dims[1] != 8) return -4;
    for (int i = 0; i < 64; i++) image[i] = ((const unsigned char *)y.data)[i];
    if (answer(classify, image, 4, dims, &y)) return -5;
    int best = 0;
    for (int i = 0; i < 10; i++)
        if (((const float *)y.data)[i] > ((const float *)y.data)[best]) best = i;
#ifdef WITH_DIGITS
    float probabilities[10];
    void *arena = aligned_alloc(DIGITS_ARENA_ALIGN, DIGITS_ARENA_BYTES);
    if (!arena || digits_run(arena, image, probabilities)) return -6;
    for (int i = 0; i < 10; i++)
        if (probabilities[i] > probabilities[best]) return -7;
    free(arena);
#endif
    tfopt_session_free(decode);
    tfopt_session_free(classify);
    tfopt_close(picture);
    tfopt_close(digits);
    tfopt_pool_free(pool);
    return best;
}
