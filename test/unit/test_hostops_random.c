/* Stateless random numbers with parameters, and shuffles: TensorFlow's own for the same seed. Counts as sparse tensors.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hostops/random.h"

typedef struct {
    void *blocks[64];
    int n;
    TfoptTensor inputs[4], outputs[3];
    TfoptHostCall call;
} Bench;

static void *take(void *env, uint64_t size) {
    Bench *b = env;
    assert_true(b->n < 64);
    return b->blocks[b->n++] = calloc(1, size + 64);
}

static void *output(TfoptHostCall *call, int32_t i, int32_t rank, const int64_t *dims) {
    TfoptTensor *t = &call->outputs[i];
    t->rank = rank;
    for (int32_t k = 0; k < rank; k++) t->dims[k] = dims[k];
    return t->data = take(call->env, (uint64_t)tfopt_elements(t) * tfopt_dtype_bytes(t->dtype));
}

static Bench *begin(void) {
    Bench *b = calloc(1, sizeof *b);
    b->call = (TfoptHostCall){
        .inputs = b->inputs, .outputs = b->outputs, .n_outputs = 1, .env = b, .alloc = take, .output = output};
    return b;
}

static void vector(Bench *b, int32_t dtype, int64_t n, void *data) {
    b->inputs[b->call.n_inputs++] = (TfoptTensor){.data = data, .dtype = dtype, .rank = 1, .dims = {n}};
}

static void run(Bench *b, TfoptHostFn *f, int32_t dtype, int n, const double *want) {
    b->outputs[0].dtype = dtype;
    assert_int_equal(f(&b->call), TFOPT_OK);
    assert_int_equal(tfopt_elements(&b->outputs[0]), n);
    for (int i = 0; i < n; i++) assert_true(fabs(tfopt_real_at(&b->outputs[0], i) - want[i]) < 1e-12);
    for (int i = 0; i < b->n; i++) free(b->blocks[i]);
    free(b);
}

static int64_t seed[2] = {12, 34};

static void test_gamma(void **state) {
    (void)state;
    int64_t shape[2] = {3, 2};
    double alpha[2] = {0.3, 2.5};
    Bench *b = begin();
    vector(b, TFOPT_S64, 2, shape);
    vector(b, TFOPT_S64, 2, seed);
    vector(b, TFOPT_F64, 2, alpha);
    run(b, tfopt_host_stateless_gamma, TFOPT_F64, 6,
        (double[]){0.10615772338745708, 5.115425847860841, 0.05795771885634826, 2.3806099974833095, 0.13611578857015008,
                   2.998340627354641});
}

static void test_poisson(void **state) {
    (void)state;
    int64_t shape[2] = {3, 3};
    double rate[3] = {0.5, 11, 200};
    Bench *b = begin();
    vector(b, TFOPT_S64, 2, shape);
    vector(b, TFOPT_S64, 2, seed);
    vector(b, TFOPT_F64, 3, rate);
    run(b, tfopt_host_stateless_poisson, TFOPT_S64, 9, (double[]){0, 5, 212, 0, 14, 191, 0, 14, 226});
}

static void test_binomial(void **state) {
    (void)state;
    int64_t shape[2] = {3, 3};
    double counts[3] = {5, 100, 1000}, probs[3] = {0.3, 0.5, 0.9};
    Bench *b = begin();
    vector(b, TFOPT_S64, 2, shape);
    vector(b, TFOPT_S64, 2, seed);
    vector(b, TFOPT_F64, 3, counts);
    vector(b, TFOPT_F64, 3, probs);
    run(b, tfopt_host_stateless_binomial, TFOPT_S64, 9, (double[]){1, 41, 892, 0, 54, 906, 3, 55, 883});
}

static void test_shuffle(void **state) {
    (void)state;
    int32_t values[8] = {0, 1, 2, 3, 4, 5, 6, 7}, algorithm = 1;
    TfoptTensor seeds = {.data = seed, .dtype = TFOPT_S64, .rank = 1, .dims = {2}};
    TfoptPhilox p = tfopt_philox_from_seed(&seeds);
    uint64_t key = (uint64_t)p.key[1] << 32 | p.key[0], counter[2] = {0, (uint64_t)p.counter[3] << 32 | p.counter[2]};
    Bench *b = begin();
    vector(b, TFOPT_S32, 8, values);
    vector(b, TFOPT_U64, 1, &key);
    vector(b, TFOPT_U64, 2, counter);
    vector(b, TFOPT_S32, 1, &algorithm);
    run(b, tfopt_host_stateless_shuffle, TFOPT_S32, 8, (double[]){0, 5, 4, 7, 1, 2, 6, 3});
}

static void test_parameters_must_end_the_shape(void **state) {
    (void)state;
    int64_t shape[2] = {3, 2};
    double alpha[3] = {1, 2, 3};
    Bench *b = begin();
    vector(b, TFOPT_S64, 2, shape);
    vector(b, TFOPT_S64, 2, seed);
    vector(b, TFOPT_F64, 3, alpha);
    b->outputs[0].dtype = TFOPT_F64;
    assert_int_equal(tfopt_host_stateless_gamma(&b->call), TFOPT_INVALID_ARGUMENT);
    for (int i = 0; i < b->n; i++) free(b->blocks[i]);
    free(b);
}

static void test_counts_of_rows(void **state) {
    (void)state;
    int32_t values[6] = {3, 1, 3, 7, 7, 0};
    float weights[1] = {0};
    Bench *b = begin();
    b->call.n_outputs = 3;
    vector(b, TFOPT_S32, 0, values);
    b->inputs[0].rank = 2;
    b->inputs[0].dims[0] = 2;
    b->inputs[0].dims[1] = 3;
    vector(b, TFOPT_F32, 0, weights);
    b->outputs[0].dtype = b->outputs[2].dtype = TFOPT_S64;
    b->outputs[1].dtype = TFOPT_F32;
    run(b, tfopt_host_dense_count, TFOPT_S64, 8, (double[]){0, 1, 0, 3, 1, 0, 1, 7});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gamma),
        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_binomial),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_parameters_must_end_the_shape),
        cmocka_unit_test(test_counts_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
