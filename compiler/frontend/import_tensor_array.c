/* import_tensor_array: TensorArray ops on the same footing as lists (import_list.c). The flow is the array's contents;
   the handle only remembers how the array was made, and whatever it is passed through stays what it was. */
#include "frontend/importer.h"

#include <string.h>

static TfShape shape_attr(const Import *c, const char *name) {
    const TfAttr *a = tf_attr(c->n, name);
    return a && a->kind == TF_ATTR_SHAPE ? a->v.shape : (TfShape){.rank = -1};
}

/* TensorArrayV3 (size) -> handle, flow */
bool import_array(Import *c) {
    Dim n[1];
    int n_n = 0;
    if (!load_content(c, c->in[0], 0, n, &n_n, 1, "the size")) return false;
    DType dtype = attr_t(c, "dtype", DTYPE_F32);
    TfShape element = shape_attr(c, "element_shape");
    c->out[0] = list_new(c, n[0], dtype, &element);
    if (failed(c->out[0])) return false;
    ListInfo *handle = list_find(c->im, c->out[0]);
    handle->handle = true;
    handle->dynamic = attr_i(c, "dynamic_size", 0) != 0;
    c->out[1] = list_start(c, n[0], dtype, &element);
    c->n_out = 2;
    return !failed(c->out[1]);
}

static bool is_handle(Import *c) {
    const ListInfo *h = list_find(c->im, c->in[0]);
    return (h && h->handle) ||
           unsupported(c, "uses a TensorArray that does not come from a TensorArray op of this graph");
}

/* The flow that is operand `i`. With TensorArray and TensorArrayV2 the first one is just a number that waits for the
   array; there the array begins. */
static ValueId flow_of(Import *c, uint32_t i) {
    const ListInfo *handle = list_find(c->im, c->in[0]);
    if (i >= c->n_in || list_find(c->im, c->in[i]) || rank_of(c, c->in[i]) > 0)
        return i < c->n_in ? c->in[i] : c->in[0];
    TfShape element = handle->element;
    return list_start(c, handle->count, handle->dtype, &element);
}

static bool grows(const Import *c) {
    return list_find(c->im, c->in[0])->dynamic;
}

/* (handle, index, value, flow) -> flow */
bool import_array_write(Import *c) {
    return is_handle(c) && give(c, list_set(c, flow_of(c, 3), c->in[1], c->in[2], grows(c)));
}

/* (handle, index, flow) -> value */
bool import_array_read(Import *c) {
    if (!is_handle(c)) return false;
    TfShape stated = list_find(c->im, c->in[0])->element;
    return give(c, list_get(c, flow_of(c, 2), c->in[1], &stated));
}

/* (handle, indices, flow) -> value */
bool import_array_gather(Import *c) {
    TfShape stated = shape_attr(c, "element_shape");
    return is_handle(c) && give(c, list_gather(c, flow_of(c, 2), c->in[1], &stated));
}

/* (handle, indices, value, flow) -> flow */
bool import_array_scatter(Import *c) {
    return is_handle(c) && give(c, list_scatter(c, flow_of(c, 3), c->in[1], c->in[2], grows(c)));
}

/* (handle, flow) -> value, lengths */
bool import_array_concat(Import *c) {
    TfShape stated = {.rank = -1};
    return is_handle(c) && list_concat(c, flow_of(c, 1), &stated);
}

/* (handle, value, lengths, flow) -> flow */
bool import_array_split(Import *c) {
    return is_handle(c) && give(c, list_split(c, c->in[1], c->in[2]));
}

/* (handle, flow) -> how many */
bool import_array_size(Import *c) {
    if (!is_handle(c)) return false;
    ValueId flow = flow_of(c, 1);
    if (failed(flow)) return false;
    Dim n = list_count(c, flow);
    return give(c, make_dims(c, DTYPE_S32, 0, 1, &n));
}

/* TensorArrayPack (handle, flow) -> value */
bool import_array_pack(Import *c) {
    TfShape stated = shape_attr(c, "element_shape");
    return is_handle(c) && give(c, list_tensor(c, flow_of(c, 1), &stated));
}

/* TensorArrayUnpack (handle, value, flow) -> flow */
bool import_array_unpack(Import *c) {
    return is_handle(c) && (rank_of(c, c->in[1]) > 0 ? give(c, c->in[1]) : bad(c, "a scalar cannot be unpacked"));
}
