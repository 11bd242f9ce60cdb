/* lower_check: constraints between sizes as checks of the run. Kernels take for granted that sizes fit, so each check
   comes before the first step that relies on it: when shapes are bound where both sides are known by then (and the
   node runs whenever the model does), else in a step of its own. */
#include "kern/lower.h"

static bool is_new(Lower *l, const Constraint *c) {
    struct {
        int64_t block, kind, a_value, b_value;
        uint32_t a_expr, b_expr;
    } key = {l->block, c->kind, c->a.value, c->b.value, c->a.expr, c->b.expr};
    return map_add_bytes(&l->checked, &key, sizeof key, 1);
}

void lower_checks(Lower *l, NodeId n, const Constraint *list, uint32_t count) {
    Step *step = NULL;
    const char *name = lower_node(l, n)->name;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_new(l, &list[i])) continue;
        Check check = {list[i], name};
        if (l->block == 0 && lower_known_at_bind(l, check.constraint.a) && lower_known_at_bind(l, check.constraint.b)) {
            vec_push(l->arena, &l->p->bind_checks, check);
            continue;
        }
        if (!step) step = lower_step(l, STEP_CHECK, n);
        vec_push(l->arena, &step->checks, check);
    }
}

void lower_node_checks(Lower *l, NodeId n) {
    if (l->has_checks[n.i]) return;
    l->has_checks[n.i] = true;
    Constraints c = {.g = l->g, .arena = l->scratch};
    node_constraints(&c, n);
    if (l->g->dims.too_complex) {
        const Node *node = lower_node(l, n);
        l->g->dims.too_complex = false;
        diag_unsupported(l->d, node->name, node->tf_op,
                         "whether its sizes fit is too complex to be checked; give the model fixed input shapes");
        l->failed = true;
        return;
    }
    lower_checks(l, n, c.list.data, c.list.len);
}
