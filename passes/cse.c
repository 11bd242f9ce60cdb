/* cse: of nodes that compute the same, keeps the first of each region. Operands of commutative ops are compared in one
   order. Host ops, control flow and what sets symbols are left alone.      needs: order      keeps: order, shapes */
#include "rewrite.h"

#include <string.h>

enum { LARGEST_COMPARED = 1 << 16 }; /* bytes; larger constants are the same when they are the same bytes of the file */

static void add_number(Str *key, uint64_t v) {
    str_add_bytes(key, &v, sizeof v);
}

static void add_tensor(Str *key, const Tensor *t) {
    add_number(key, (uint64_t)t->dtype);
    add_number(key, (uint64_t)t->rank);
    for (int i = 0; i < t->rank; i++) add_number(key, (uint64_t)t->dims[i]);
    if (t->dtype != DTYPE_STRING && tensor_bytes(t) > LARGEST_COMPARED) {
        add_number(key, (uint64_t)(uintptr_t)t->data);
        return;
    }
    if (t->dtype != DTYPE_STRING) {
        str_add_bytes(key, t->data, tensor_bytes(t));
        return;
    }
    const StringElement *s = t->data;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        add_number(key, s[i].size);
        str_add_bytes(key, s[i].data, s[i].size);
    }
}

/* False for what is not worth comparing. */
static bool add_attr(Str *key, const Attr *a) {
    str_add(key, a->name);
    add_number(key, a->kind);
    add_number(key, a->n);
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->kind == ATTR_DIMS) {
            add_number(key, a->v.dims[i].expr);
            add_number(key, (uint64_t)a->v.dims[i].value);
        } else if (a->kind == ATTR_INTS) {
            add_number(key, (uint64_t)a->v.ints[i]);
        } else if (a->kind == ATTR_FLOATS) {
            str_add_bytes(key, &a->v.floats[i], sizeof(double));
        } else if (a->kind == ATTR_TYPES) {
            add_number(key, a->v.types[i]);
        } else if (a->kind == ATTR_STRINGS) {
            add_number(key, a->v.strings[i].size);
            str_add_bytes(key, a->v.strings[i].data, a->v.strings[i].size);
        }
    }
    if (a->kind == ATTR_INT || a->kind == ATTR_BOOL) add_number(key, (uint64_t)a->v.i);
    if (a->kind == ATTR_FLOAT) str_add_bytes(key, &a->v.f, sizeof(double));
    if (a->kind == ATTR_TYPE) add_number(key, a->v.type);
    if (a->kind == ATTR_STRING) str_add_bytes(key, a->v.s, a->n);
    if (a->kind != ATTR_TENSOR) return true;
    if (dtype_info(a->v.tensor->dtype)->class_ == CLASS_HANDLE) return false;
    add_tensor(key, a->v.tensor);
    return true;
}

static bool add_node(Str *key, const Node *n) {
    uint32_t flags = op_info(n->op)->flags;
    if (n->dead || n->op == OP_HOST || (flags & (OP_FLAG_REGIONS | OP_FLAG_EFFECT))) return false;
    add_number(key, n->op);
    add_number(key, n->region.i);
    bool swap = (flags & OP_FLAG_COMMUTES) && n->inputs[0].i > n->inputs[1].i;
    for (uint32_t i = 0; i < n->n_inputs; i++) add_number(key, n->inputs[swap ? 1 - i : i].i);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (!add_attr(key, &n->attrs[i])) return false;
    return true;
}

bool pass_cse(Unit *u) {
    Graph *g = u->g;
    Map seen; /* node's key → node */
    map_init(&seen, u->scratch);
    bool changed = false;
    UseLists lists = {.g = g, .arena = u->scratch};
    for (uint32_t r = 1; r < g->regions.len; r++)
        for (uint32_t i = 0; i < g->regions.data[r].nodes.len; i++) {
            NodeId id = g->regions.data[r].nodes.data[i];
            const Node *n = node_at(g, id);
            Str key;
            str_init(&key, u->scratch);
            if (!add_node(&key, n) || map_add_bytes(&seen, key.data, key.len, id.i)) continue;
            const Node *first = node_at(g, (NodeId){(uint32_t)map_find_bytes(&seen, key.data, key.len)->value});
            for (uint32_t k = 0; k < n->n_outputs; k++) uses_replace(&lists, n->outputs[k], first->outputs[k]);
            if (n->op != OP_CONST)
                rewrite_record(u, "cse", "computed before", n->name, u->machine ? cost_node(g, id, u->machine).ns : 0,
                               0);
            graph_remove(g, id);
            changed = true;
        }
    if (changed) graph_sort(g);
    return changed;
}
