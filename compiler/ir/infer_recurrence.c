/* infer_recurrence: a loop over time as one op. Its operands are the number of steps, first states, the outputs before
   the loop and whatever else the step reads; the step has been inferred already. */
#include "ir/infer_common.h"

static bool fits(Infer *c, const Value *x, const Shape *shape, int first) {
    bool good = x->shape.rank + first == shape->rank;
    for (int k = 0; good && k < x->shape.rank; k++) good = infer_may_equal(c, x->shape.dims[k], shape->dims[first + k]);
    return good;
}

bool infer_recurrence(Infer *c) {
    const Node *n = c->n;
    const Dim *steps;
    int64_t states = node_int(n, "states", -1);
    if (n->n_regions != 1) return infer_error(c, "needs a step");
    if (!infer_dim_list(c, "steps", 1, 0, &steps)) return false;
    const Region *r = region_at(c->g, n->regions[0]);
    const Value *count = infer_in(c, 0);
    if (count->shape.rank != 0 || (count->dtype != DTYPE_S32 && count->dtype != DTYPE_S64))
        return infer_error(c, "its count must be an integer scalar");
    if (states < 0 || states > (int64_t)r->results.len || r->results.len != n->n_outputs)
        return infer_error(c, "has %lld states, the step gives %u values, the node %u", (long long)states,
                           r->results.len, n->n_outputs);
    uint32_t n_states = (uint32_t)states, n_outputs = r->results.len - n_states, first_arg = 1 + n_states + n_outputs;
    if (n->n_inputs < first_arg || r->params.len != n->n_inputs - n_outputs)
        return infer_error(c, "its step takes %u values, is given %u", r->params.len, n->n_inputs);
    const Value *time = value_at(c->g, r->params.data[0]);
    if (time->dtype != count->dtype || time->shape.rank != 0)
        return infer_error(c, "the step's first parameter must be its number");
    for (uint32_t i = 1; i < r->params.len; i++) {
        const Value *param = value_at(c->g, r->params.data[i]), *arg = infer_in(c, i <= n_states ? i : i + n_outputs);
        if (param->dtype != arg->dtype || !fits(c, param, &arg->shape, 0))
            return infer_error(c, "parameter %u of the step does not fit what it is given", i);
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *result = value_at(c->g, r->results.data[i]), *in = infer_in(c, 1 + i);
        Shape s = in->shape;
        DType dtype = in->dtype;
        bool is_state = i < n_states;
        if (result->dtype != dtype || !fits(c, result, &s, is_state ? 0 : 1) ||
            (!is_state && !infer_may_equal(c, s.dims[0], *steps)))
            return infer_error(c, "result %u of the step does not fit %s%s", i, dtype_info(dtype)->tf_name,
                               infer_text(c, &s));
        infer_set(c, i, dtype, &s);
    }
    return true;
}
