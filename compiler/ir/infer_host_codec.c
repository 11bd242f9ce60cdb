/* Shape functions of the family codec: images are [height, width, channels], channels known where the attribute says
   them; what is encoded is a string. */
#include "ir/host_infer.h"

#include <string.h>

/* Whether DecodeImage gives the frames of an animation: constant contents tell. */
static bool is_animation(Infer *c) {
    const Tensor *t = value_const(c->g, c->n->inputs[0]);
    const Attr *expand = node_attr(c->n, "expand_animations");
    if (!expand || !node_int(c->n, "expand_animations", 1) || !t || t->dtype != DTYPE_STRING || tensor_count(t) != 1)
        return false;
    const StringElement *bytes = t->data;
    return bytes->size >= 4 && memcmp(bytes->data, "GIF8", 4) == 0;
}

bool hostinfer_decode_image(Infer *c) {
    if (!host_arity(c, 1, 1)) return false;
    const int64_t channels = node_int(c->n, "channels", 0);
    if (channels < 0 || channels > 4) return infer_error(c, "channels must be 0, 1, 3 or 4");
    Shape s = {.rank = is_animation(c) ? 4 : 3};
    for (int i = 0; i < s.rank; i++) {
        const bool last = i == s.rank - 1;
        s.dims[i] =
            last && channels ? dim_const(channels) : infer_fresh_dim(c, 0, i, 0, dim_const(last ? 4 : HOST_ANY));
    }
    return host_set(c, 0, node_type(c->n, "dtype", DTYPE_U8), &s);
}

/* Elements and dims: of an image or an animation, as the bytes tell. */
bool hostinfer_decode_any_image(Infer *c) {
    return host_arity(c, 1, 2) && host_unknown(c, 0, node_type(c->n, "dtype", DTYPE_U8), 1) &&
           host_unknown(c, 1, DTYPE_S64, 1);
}

bool hostinfer_extract_jpeg_shape(Infer *c) {
    return host_arity(c, 1, 1) && host_vector(c, 0, node_type(c->n, "output_type", DTYPE_S32), dim_const(3));
}

/* [frames, height, width, 3] */
bool hostinfer_decode_gif(Infer *c) {
    Shape s = {.rank = 4, .dims = {[3] = dim_const(3)}};
    if (!host_arity(c, 1, 1)) return false;
    for (int i = 0; i < 3; i++) s.dims[i] = infer_fresh_dim(c, 0, i, 0, dim_const(HOST_ANY));
    return host_set(c, 0, DTYPE_U8, &s);
}

bool hostinfer_encode_jpeg(Infer *c) {
    return host_arity(c, 1, 1) && host_rank(c, 0, 3) && host_scalar(c, 0, DTYPE_STRING);
}

/* One string for each image. */
bool hostinfer_encode_png(Infer *c) {
    if (!host_arity(c, 1, 1) || !host_rank_at_least(c, 0, 3)) return false;
    Shape s = *host_shape(c, 0);
    s.rank -= 3;
    return host_set(c, 0, DTYPE_STRING, &s);
}

bool hostinfer_encode_wav(Infer *c) {
    return host_arity(c, 2, 1) && host_rank(c, 0, 2) && host_scalar(c, 0, DTYPE_STRING);
}
