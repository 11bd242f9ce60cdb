/* model: a whole model under ThreadSanitizer: several threads of the program, each with sessions of its own, share the
   model and the pool. All answers must be the same bits. The model is linked in (MODEL), with a runtime whose code is
   instrumented; its kernels are not, what the threads agree on is. */
#include "tfopt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
const TfoptModelData *JOIN(MODEL, _model_data)(void);

enum { USERS = 3, SESSIONS = 2, RUNS = 3 };

typedef struct {
    const TfoptModel *model;
    TfoptPool *pool;
    const float *input;
    const int64_t *dims;
    pthread_t thread;
    float *answer; /* of the last run */
    size_t bytes;
    const char *wrong;
} User;

static const char *run_session(User *u) {
    TfoptSession *s = NULL;
    TfoptTensor y;
    const TfoptModelData *m = tfopt_model_info(u->model);
    const TfoptSessionOptions options = {.pool = u->pool};
    if (tfopt_session_new(u->model, &options, &s)) return "session_new";
    const char *wrong = tfopt_set_input(s, 0, u->input, m->inputs[0].rank, u->dims) ? "set_input" : NULL;
    for (int i = 0; i < RUNS && !wrong; i++) {
        if (tfopt_run(s) || tfopt_get_output(s, 0, &y)) {
            wrong = "run";
            break;
        }
        u->bytes = sizeof(float);
        for (int32_t d = 0; d < y.rank; d++) u->bytes *= (size_t)y.dims[d];
        if (u->answer && memcmp(u->answer, y.data, u->bytes) != 0) wrong = "another answer than before";
        if (!u->answer) u->answer = malloc(u->bytes);
        if (u->answer) memcpy(u->answer, y.data, u->bytes);
    }
    tfopt_session_free(s);
    return wrong;
}

static void *user_main(void *arg) {
    User *u = arg;
    for (int i = 0; i < SESSIONS && !u->wrong; i++) u->wrong = run_session(u);
    return NULL;
}

int main(void) {
    TfoptModel *model;
    TfoptPool *pool;
    int64_t dims[TFOPT_MAX_RANK], n = 1;
    if (tfopt_open_data(JOIN(MODEL, _model_data)(), &model)) return puts(tfopt_open_error());
    if (tfopt_pool_new(2, &pool)) return puts("no pool");
    const TfoptPort *in = &tfopt_model_info(model)->inputs[0];
    for (int32_t d = 0; d < in->rank; d++) n *= dims[d] = in->dims[d] >= 0 ? in->dims[d] : 4;
    float *input = aligned_alloc(64, ((size_t)n * sizeof *input + 63) & ~(size_t)63);
    if (!input) return puts("no memory");
    for (int64_t i = 0; i < n; i++) input[i] = (float)(i * 37 % 256) / 256;
    User users[USERS];
    int code = 0;
    for (int i = 0; i < USERS; i++) {
        users[i] = (User){.model = model, .pool = pool, .input = input, .dims = dims};
        if (pthread_create(&users[i].thread, NULL, user_main, &users[i])) return puts("no thread");
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(users[i].thread, NULL);
        if (!users[i].wrong && memcmp(users[i].answer, users[0].answer, users[0].bytes) != 0)
            users[i].wrong = "another answer than the first user's";
        if (users[i].wrong) code = 1, printf("user %d: %s\n", i, users[i].wrong);
    }
    for (int i = 0; i < USERS; i++) free(users[i].answer);
    free(input);
    tfopt_pool_free(pool);
    tfopt_close(model);
    return code;
}
