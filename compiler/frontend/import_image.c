/* import_image: decoded images, whose rank is that of a still image unless the bytes may say otherwise. */
#include "frontend/importer.h"

#include <string.h>

/* Whether no op but those that pass a value on reads node n of the main graph: nothing has to know its rank. */
static bool only_passed_on(const Import *c) {
    const TfBody *body = &c->im->tf->main;
    if (c->n < body->nodes || c->n >= body->nodes + body->n_nodes) return false;
    Arena *scratch = arena_new();
    bool *same = NEW_ARRAY(scratch, bool, body->n_nodes);
    bool only = true;
    same[c->n - body->nodes] = true;
    for (bool changed = true; changed && only;) { /* nodes stand in any order */
        changed = false;
        for (uint32_t i = 0; i < body->n_nodes && only; i++) {
            const TfNode *n = &body->nodes[i];
            bool reads = false;
            for (uint32_t k = 0; k < n->n_inputs; k++)
                reads = reads || (n->inputs[k].node < body->n_nodes && same[n->inputs[k].node]);
            if (!reads || same[i]) continue;
            only = strcmp(n->op, "Identity") == 0 || strcmp(n->op, "StopGradient") == 0;
            same[i] = changed = true;
        }
    }
    arena_free(scratch);
    return only;
}

/* DecodeImage keeps the frames of an animation: a dimension more, which only the bytes tell. Where ops follow that need
   a rank it is taken to be a still image, and an animation ends the run with an error. */
bool import_decode_image(Import *c) {
    if (!attr_i(c, "expand_animations", 1) || value_const(c->g, c->in[0]) || !only_passed_on(c))
        return import_host_generic(c);
    if (failed(import_host(c, "_DecodeImage", 1, c->in, 2))) return false;
    c->n_out = 1;
    return give(c, any_rank_register(c, c->out[0], c->out[1], 1u << 3 | 1u << 4));
}
