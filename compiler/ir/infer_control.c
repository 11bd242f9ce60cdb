/* infer_control: if, case and while. Regions are inferred when their nodes are added; here their parameters and results
   are matched with the node's inputs and with each other. A size in which branches or iterations differ becomes a
   symbol that the node sets. */
#include "ir/infer_common.h"

static const Region *region_of(Infer *c, uint32_t i) {
    return region_at(c->g, c->n->regions[i]);
}

static const Value *result_of(Infer *c, uint32_t region, uint32_t i) {
    return value_at(c->g, region_of(c, region)->results.data[i]);
}

/* Parameters of region `region` are inputs first, first + 1, … of the node. */
static bool check_params(Infer *c, uint32_t region, uint32_t first) {
    const Region *r = region_of(c, region);
    if (r->params.len != c->n->n_inputs - first)
        return infer_error(c, "region %u takes %u values, is given %u", region, r->params.len, c->n->n_inputs - first);
    for (uint32_t i = 0; i < r->params.len; i++) {
        const Value *param = value_at(c->g, r->params.data[i]), *arg = infer_in(c, first + i);
        bool fits = param->dtype == arg->dtype && param->shape.rank == arg->shape.rank;
        for (int k = 0; fits && k < param->shape.rank; k++)
            fits = infer_may_equal(c, param->shape.dims[k], arg->shape.dims[k]);
        if (!fits)
            return infer_error(c, "value %u given to region %u is %s%s, must be %s%s", i, region,
                               dtype_info(arg->dtype)->text, infer_text(c, &arg->shape), dtype_info(param->dtype)->text,
                               infer_text(c, &param->shape));
    }
    return true;
}

/* Smallest range over a and b, as the bounds of a fresh symbol. */
static Dim join_dim(Infer *c, uint32_t result, int dim, Dim a, Dim b) {
    int64_t a_min, a_max, b_min, b_max;
    if (dim_equal(a, b)) return a;
    dim_range(infer_dims(c), a, &a_min, &a_max);
    dim_range(infer_dims(c), b, &b_min, &b_max);
    int64_t low = a_min < b_min ? a_min : b_min, high = a_max > b_max ? a_max : b_max;
    return infer_fresh_dim(c, result, dim, low < 0 ? 0 : low, dim_const(high));
}

/* Results of several regions of which one runs. */
static bool join_results(Infer *c) {
    for (uint32_t region = 0; region < c->n->n_regions; region++)
        if (region_of(c, region)->results.len != c->n->n_outputs)
            return infer_error(c, "branch %u gives %u results, %u are needed", region,
                               region_of(c, region)->results.len, c->n->n_outputs);
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        const Value *first = result_of(c, 0, i);
        DType dtype = first->dtype;
        Shape s = first->shape, out = s;
        for (uint32_t region = 1; region < c->n->n_regions; region++) {
            const Value *other = result_of(c, region, i);
            if (other->dtype != dtype)
                return infer_error(c, "result %u is %s or %s", i, dtype_info(dtype)->tf_name,
                                   dtype_info(other->dtype)->tf_name);
            if (other->shape.rank != s.rank)
                return infer_error(c, "result %u has the shape %s or %s: branches must agree in rank", i,
                                   infer_text(c, &s), infer_text(c, &other->shape));
            for (int k = 0; k < s.rank; k++)
                s.dims[k] = dim_equal(s.dims[k], other->shape.dims[k]) ? s.dims[k] : dim_const(-1);
        }
        for (int k = 0; k < s.rank; k++) {
            if (!dim_is(s.dims[k], -1)) continue;
            Dim low = out.dims[k], high = out.dims[k];
            for (uint32_t region = 1; region < c->n->n_regions; region++) {
                Dim other = result_of(c, region, i)->shape.dims[k];
                int64_t value_min, value_max, low_min, low_max, high_min, high_max;
                dim_range(infer_dims(c), other, &value_min, &value_max);
                dim_range(infer_dims(c), low, &low_min, &low_max);
                dim_range(infer_dims(c), high, &high_min, &high_max);
                low = dim_const(value_min < low_min ? value_min : low_min);
                high = dim_const(value_max > high_max ? value_max : high_max);
            }
            out.dims[k] = join_dim(c, i, k, low, high);
        }
        infer_set(c, i, dtype, &out);
    }
    return true;
}

static bool check_selector(Infer *c, DType dtype) {
    const Value *v = infer_in(c, 0);
    if (v->dtype == dtype && v->shape.rank == 0) return true;
    return infer_error(c, "its selector must be a %s scalar, is %s%s", dtype_info(dtype)->tf_name,
                       dtype_info(v->dtype)->tf_name, infer_text(c, &v->shape));
}

bool infer_if(Infer *c) {
    if (c->n->n_regions != 2) return infer_error(c, "needs two branches");
    return check_selector(c, DTYPE_BOOL) && check_params(c, 0, 1) && check_params(c, 1, 1) && join_results(c);
}

bool infer_case(Infer *c) {
    if (c->n->n_regions < 1) return infer_error(c, "needs a branch");
    if (!check_selector(c, DTYPE_S32)) return false;
    for (uint32_t i = 0; i < c->n->n_regions; i++)
        if (!check_params(c, i, 1)) return false;
    return join_results(c);
}

/* The size of a loop's result: the parameter's where no iteration can change it, else a symbol. */
static bool carried_dim(Infer *c, uint32_t i, int k, Dim param, Dim arg, Dim next, Dim *out) {
    int64_t low, high;
    *out = param;
    if (dim_equal(param, arg) && dim_equal(param, next)) return true;
    if (dim_is_const(
            param)) /* the loop runs with this size: whether the others are the same is checked while running */
        return (infer_may_equal(c, param, arg) && infer_may_equal(c, param, next)) ||
               infer_error(c, "value %u of the loop changes its size in dimension %d", i, k);
    dim_range(infer_dims(c), param, &low, &high);
    *out = infer_fresh_dim(c, i, k, low, dim_const(high));
    return true;
}

bool infer_while(Infer *c) {
    uint32_t n = c->n->n_inputs;
    if (c->n->n_regions != 2) return infer_error(c, "needs a condition and a body");
    if (!check_params(c, 0, 0) || !check_params(c, 1, 0)) return false;
    if (region_of(c, 0)->results.len != 1 || result_of(c, 0, 0)->dtype != DTYPE_BOOL ||
        result_of(c, 0, 0)->shape.rank != 0)
        return infer_error(c, "its condition must give a bool scalar");
    if (region_of(c, 1)->results.len != n || c->n->n_outputs != n)
        return infer_error(c, "carries %u values, its body gives %u", n, region_of(c, 1)->results.len);
    for (uint32_t i = 0; i < n; i++) {
        const Value *param = value_at(c->g, region_of(c, 1)->params.data[i]), *next = result_of(c, 1, i);
        if (next->dtype != param->dtype || next->shape.rank != param->shape.rank)
            return infer_error(c, "value %u of the loop starts as %s%s and comes back as %s%s", i,
                               dtype_info(param->dtype)->text, infer_text(c, &param->shape),
                               dtype_info(next->dtype)->text, infer_text(c, &next->shape));
        Shape s = param->shape, arg = infer_shape_in(c, i)[0], body = next->shape;
        DType dtype = param->dtype;
        for (int k = 0; k < s.rank; k++)
            if (!carried_dim(c, i, k, param->shape.dims[k], arg.dims[k], body.dims[k], &s.dims[k])) return false;
        infer_set(c, i, dtype, &s);
    }
    return true;
}
