// The C++ side: the headers as they are, the typed call, a session.
#include "digits.h"
#include "picture.h"
#include "tfopt.h"
#include "tfopt_op.h"

#include <cstdio>
#include <cstdlib>

int main() {
    static float image[64], typed[10];
    for (int i = 0; i < 64; i++) image[i] = static_cast<float>(i * 37 % 256);
    void *arena = std::aligned_alloc(DIGITS_ARENA_ALIGN, DIGITS_ARENA_BYTES);
    if (!arena || digits_run(arena, image, typed)) return 1;
    TfoptModel *m = nullptr;
    TfoptSession *s = nullptr;
    TfoptTensor y;
    if (tfopt_open_data(digits_model_data(), &m) || tfopt_session_new(m, nullptr, &s)) return 2;
    if (tfopt_set_input(s, 0, image, 0, nullptr) || tfopt_run(s) || tfopt_get_output(s, 0, &y)) return 3;
    for (int i = 0; i < 10; i++)
        if (static_cast<const float *>(y.data)[i] != typed[i]) return 4;
    if (picture_model_data()->n_outputs != 1) return 5;
    tfopt_session_free(s);
    tfopt_close(m);
    std::free(arena);
    return 0;
}
