/* graphdef_cycle: nodes of a body that wait for each other, by data or control inputs. TensorFlow refuses such a graph
   whatever is asked of it; the one way back that there is goes from a NextIteration to the Merge at the head of its
   loop. */
#include "frontend/reader.h"

#include <string.h>

static uint32_t count_sources(const TfNode *n) {
    return n->n_inputs + n->n_controls;
}

/* What input i waits for; UINT32_MAX: for nothing that is in the way (an argument, the turn before). */
static uint32_t source(const TfBody *body, const TfNode *n, uint32_t i) {
    uint32_t from = i < n->n_inputs ? n->inputs[i].node : n->controls[i - n->n_inputs];
    if (from >= body->n_nodes) return UINT32_MAX;
    bool is_merge = strcmp(n->op, "Merge") == 0 || strcmp(n->op, "RefMerge") == 0;
    const char *op = body->nodes[from].op;
    bool is_next = strcmp(op, "NextIteration") == 0 || strcmp(op, "RefNextIteration") == 0;
    return is_merge && is_next && i < n->n_inputs ? UINT32_MAX : from;
}

/* Marks the nodes that can be put into an order; how many there are. */
static uint32_t find_ready(const TfBody *body, Arena *scratch, bool *ready) {
    uint32_t n = body->n_nodes;
    uint32_t *waiting = NEW_ARRAY(scratch, uint32_t, n);
    uint32_t *start = NEW_ARRAY(scratch, uint32_t, n + 1);
    uint32_t *queue = NEW_ARRAY(scratch, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < count_sources(&body->nodes[i]); k++) {
            uint32_t from = source(body, &body->nodes[i], k);
            if (from == UINT32_MAX) continue;
            waiting[i]++;
            start[from + 1]++;
        }
    for (uint32_t i = 0; i < n; i++) start[i + 1] += start[i];
    uint32_t *targets = NEW_ARRAY(scratch, uint32_t, start[n]);
    uint32_t *filled = NEW_ARRAY(scratch, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < count_sources(&body->nodes[i]); k++) {
            uint32_t from = source(body, &body->nodes[i], k);
            if (from != UINT32_MAX) targets[start[from] + filled[from]++] = i;
        }
    uint32_t last = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!waiting[i]) queue[last++] = i;
    for (uint32_t done = 0; done < last; done++) {
        uint32_t i = queue[done];
        ready[i] = true;
        for (uint32_t k = start[i]; k < start[i + 1]; k++)
            if (--waiting[targets[k]] == 0) queue[last++] = targets[k];
    }
    return last;
}

/* A node that is not ready waits for another that is not. */
static uint32_t next_waiting(const TfBody *body, const bool *ready, uint32_t node) {
    const TfNode *n = &body->nodes[node];
    for (uint32_t k = 0; k < count_sources(n); k++) {
        uint32_t from = source(body, n, k);
        if (from != UINT32_MAX && !ready[from]) return from;
    }
    BUG("%s waits for nothing", n->name);
}

bool read_cycles(const GraphReader *r, const TfBody *body) {
    enum { MOST_NAMES = 6 };
    Arena *scratch = arena_new();
    bool *ready = NEW_ARRAY(scratch, bool, body->n_nodes + 1);
    bool ok = find_ready(body, scratch, ready) == body->n_nodes;
    if (!ok) {
        uint32_t at = 0;
        while (ready[at]) at++;
        /* back from one that waits, until a node is met again: that one is on a cycle */
        bool *met = NEW_ARRAY(scratch, bool, body->n_nodes);
        for (; !met[at]; at = next_waiting(body, ready, at)) met[at] = true;
        Str names;
        str_init(&names, scratch);
        int n_names = 0;
        for (uint32_t i = next_waiting(body, ready, at); i != at; i = next_waiting(body, ready, i)) {
            if (n_names < MOST_NAMES) str_printf(&names, "%s'%s'", n_names ? ", " : "", body->nodes[i].name);
            n_names++;
        }
        if (n_names > MOST_NAMES) str_printf(&names, " and %d more", n_names - MOST_NAMES);
        if (n_names)
            diag_error(r->d, reader_where(r, body->nodes[at].name), body->nodes[at].op, "is part of a cycle through %s",
                       names.data);
        else
            diag_error(r->d, reader_where(r, body->nodes[at].name), body->nodes[at].op, "waits for itself");
    }
    arena_free(scratch);
    return ok;
}
