/* use_lists: linked lists of users by value. Replacing a value hands its list on to the other. */
#include "ir/use_lists.h"

static void list_operands(UseLists *u) {
    if (u->links.len == 0) vec_push(u->arena, &u->links, (UseLink){0, 0});
    while (u->first.len < u->g->values.len) vec_push(u->arena, &u->first, 0);
    for (uint32_t i = u->n_listed; i < u->g->nodes.len; i++) {
        const Node *n = &u->g->nodes.data[i];
        for (uint32_t k = 0; k < n->n_inputs && !n->dead; k++) {
            uint32_t *first = &u->first.data[n->inputs[k].i];
            vec_push(u->arena, &u->links, (UseLink){i, *first});
            *first = u->links.len - 1;
        }
    }
    u->n_listed = u->g->nodes.len;
}

void uses_replace(UseLists *u, ValueId from, ValueId to) {
    if (from.i == to.i) return;
    list_operands(u);
    uint32_t last = 0;
    for (uint32_t i = u->first.data[from.i]; i; i = u->links.data[i].next) {
        Node *n = &u->g->nodes.data[u->links.data[i].node];
        for (uint32_t k = 0; k < n->n_inputs && !n->dead; k++)
            if (n->inputs[k].i == from.i) n->inputs[k] = to;
        last = i;
    }
    if (last) {
        u->links.data[last].next = u->first.data[to.i];
        u->first.data[to.i] = u->first.data[from.i];
        u->first.data[from.i] = 0;
    }
    Region *r = region_at(u->g, value_at(u->g, from)->region);
    for (uint32_t k = 0; k < r->results.len; k++)
        if (r->results.data[k].i == from.i) r->results.data[k] = to;
}
