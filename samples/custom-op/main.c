/* Runs a model that calls ops of our own. With MODEL defined to a C name that model is linked in; else the argument is
   a compiled .so. Prints what comes out; exit status 0 when it is right. */
#include "tfopt.h"

#include <stdio.h>

#ifdef MODEL
#define JOIN(a, b) a##b
#define DATA_OF(name) JOIN(name, _model_data)
const TfoptModelData *DATA_OF(MODEL)(void);
#endif

int main(int argc, char **argv) {
    TfoptModel *model = NULL;
    TfoptSession *session = NULL;
#ifdef MODEL
    (void)argc, (void)argv;
    TfoptStatus status = tfopt_open_data(DATA_OF(MODEL)(), &model);
#else
    TfoptStatus status = tfopt_open(argc > 1 ? argv[1] : "", &model);
#endif
    if (status != TFOPT_OK || tfopt_session_new(model, NULL, &session) != TFOPT_OK) {
        fprintf(stderr, "%s\n", tfopt_open_error());
        return 1;
    }
    static const float x[] = {2, 4, 6, 8, 10, 12};
    static const int32_t tokens[] = {7, 7, 7, 1, 5, 5}, want_lengths[] = {3, 1, 2};
    tfopt_set_input(session, 0, x, 2, (int64_t[]){2, 3});
    tfopt_set_input(session, 1, tokens, 1, (int64_t[]){6});
    if (tfopt_run(session) != TFOPT_OK) {
        fprintf(stderr, "%s\n", tfopt_error(session));
        return 1;
    }
    TfoptTensor y, values, lengths;
    tfopt_get_output(session, 0, &y);
    tfopt_get_output(session, 1, &values);
    tfopt_get_output(session, 2, &lengths);
    int ok = y.dims[0] == 2 && lengths.dims[0] == 3;
    for (int i = 0; ok && i < 6; i++) {
        printf("%g ", (double)((const float *)y.data)[i]);
        ok = ((const float *)y.data)[i] == x[i] / 2 + 1;
    }
    for (int i = 0; ok && i < 3; i++) {
        printf(" %dx%d", ((const int32_t *)lengths.data)[i], ((const int32_t *)values.data)[i]);
        ok = ((const int32_t *)lengths.data)[i] == want_lengths[i];
    }
    puts(ok ? "" : "  WRONG");
    tfopt_session_free(session);
    tfopt_close(model);
    return !ok;
}
