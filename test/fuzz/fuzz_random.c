/* fuzz_random: bytes are the decisions of a random graph (random_graph.h, every other one in TensorFlow's ops); all
   passes must leave what the reference evaluator answers as it is. Code is the matter of random_graphs. */
#include "fuzz.h"

#include "random_minimise.h"
#include "random_tf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_new();
    RandomGraph *w = NEW(arena, RandomGraph);
    Random r = {.data = data, .size = size, .state = size};
    Case c = {.settings = {.cpu = "x86-64-v3", .level = 3}};
    bool tensorflow = random_chance(&r, 50);
    if (tensorflow ? random_tf_graph(w, arena, &r, c.inputs, NEW(arena, TfMaker)) : random_graph(w, arena, &r)) {
        c.g = w->g;
        c.n_bindings = w->n_symbols ? N_BINDINGS : 1;
        for (int b = 0; b < c.n_bindings && !tensorflow; b++) c.inputs[b] = random_inputs(w, b, arena);
        const char *pass = find_guilty_pass(&c, arena);
        if (pass) {
            Str text;
            str_init(&text, arena);
            case_print(&c, &text);
            fprintf(stderr, "%s\nwrong after pass %s\n", str_text(&text), pass);
            abort();
        }
    }
    arena_free(arena);
    return 0;
}

/* Any bytes are decisions: a few are changed, or the rest is cut off. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    Random r = {.state = seed};
    while (size < max_size && size < 400) data[size++] = (uint8_t)random_bits(&r);
    for (int64_t n = random_between(&r, 1, 8); n > 0 && size > 0; n--)
        data[random_below(&r, (int64_t)size)] = (uint8_t)random_bits(&r);
    return random_chance(&r, 10) ? (size_t)random_below(&r, (int64_t)size + 1) : size;
}
