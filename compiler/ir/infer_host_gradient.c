/* Shape functions of the family gradient: mostly the shape of what the forward op took. */
#include "ir/host_infer.h"

/* (shape of the images, gradient …): the type is the gradient's */
bool hostinfer_gradient_shaped(Infer *c) {
    Shape s;
    if (!host_arity(c, 2, 1)) return false;
    if (shape_count(host_shape(c, 0)) != host_shape(c, 1)->rank)
        return infer_error(c, "the shape of the images must have as many sizes as the gradient");
    return host_shape_input(c, 0, 0, &s) && host_set(c, 0, host_type(c, 1), &s);
}

/* (gradient, images) */
bool hostinfer_gradient_resized(Infer *c) {
    return host_arity(c, 2, 1) && host_rank(c, 0, 4) && host_rank(c, 1, 4) && host_like(c, 0, host_type(c, 1), 1);
}

/* (gradient, images, scale, translation) */
bool hostinfer_gradient_resampled(Infer *c) {
    return host_arity(c, 4, 1) && host_rank(c, 0, 4) && host_rank(c, 1, 4) && host_like(c, 0, host_type(c, 1), 1);
}

/* (gradient, [height, width]) */
bool hostinfer_gradient_sized(Infer *c) {
    if (!host_arity(c, 2, 1) || !host_rank(c, 0, 4)) return false;
    Shape s = *host_shape(c, 0);
    s.dims[1] = host_size(c, 1, 0, 0, 1);
    s.dims[2] = host_size(c, 1, 1, 0, 2);
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_gradient_crop_image(Infer *c) {
    Shape s;
    if (!host_arity(c, 4, 1)) return false;
    if (shape_count(host_shape(c, 3)) != 4) return infer_error(c, "image_size must have 4 elements");
    return host_shape_input(c, 3, 0, &s) && host_set(c, 0, node_type(c->n, "T", DTYPE_F32), &s);
}

bool hostinfer_gradient_crop_boxes(Infer *c) {
    return host_arity(c, 4, 1) && host_rank(c, 2, 2) && host_like(c, 0, DTYPE_F32, 2);
}

/* (gradient, paddings) */
bool hostinfer_gradient_mirror(Infer *c) {
    if (!host_arity(c, 2, 1)) return false;
    Shape s = *host_shape(c, 0);
    for (int k = 0; k < s.rank; k++) {
        int64_t before, after;
        if (host_const_int(c, 1, 2 * (uint32_t)k, &before) && host_const_int(c, 1, 2 * (uint32_t)k + 1, &after)) {
            if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
                return infer_error(c, "paddings are out of range");
            s.dims[k] = dim_sub(&c->g->dims, s.dims[k], dim_const(before + after));
        } else {
            s.dims[k] = infer_fresh_dim(c, 0, k, 0, dim_const(HOST_ANY));
        }
    }
    return host_set(c, 0, host_type(c, 0), &s);
}

bool hostinfer_broadcast_gradient_args(Infer *c) {
    if (!host_arity(c, 2, 2) || !host_rank(c, 0, 1) || !host_rank(c, 1, 1)) return false;
    for (uint32_t i = 0; i < 2; i++)
        host_vector(c, i, host_type(c, i), infer_fresh_dim(c, i, 0, 0, dim_const(MAX_RANK)));
    return true;
}
