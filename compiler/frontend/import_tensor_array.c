/* import_tensor_array: TensorArray ops on the same footing as lists (import_list.c). The flow is the array's contents;
   the handle only remembers how the array was made, and whatever it is passed through stays what it was. The array of
   gradients beside an array is summed in TensorFlow by all who write to it. Here each writer begins with zeros, and
   what TensorFlow does with their flows as if they were numbers, adding them, adds the arrays. */
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

/* The array that operand i is before it is written to. */
static ValueId target(Import *c, uint32_t i) {
    const ListInfo *handle = list_find(c->im, c->in[0]);
    ValueId flow = flow_of(c, i);
    if (!handle->gradient || failed(flow)) return flow;
    DType dtype = handle->dtype;
    const ListInfo *empty = list_find(c->im, flow);
    if (empty && (empty->parts || empty->meta.i)) {
        unsupported(c, "writes gradients of values of different shapes");
        return (ValueId){0};
    }
    if (empty) {
        TfShape element = empty->element;
        return list_new(c, empty->count, dtype, &element);
    }
    Shape s = shape_copy(c, flow);
    return make_broadcast(c, make_zero(c, dtype), &s);
}

/* What is written, with `leading` dims in front of an element's: gradients have the shape of what they are gradients
 * of. */
static ValueId written(Import *c, ValueId array, ValueId value, int leading) {
    if (failed(array) || !list_find(c->im, c->in[0])->gradient || list_find(c->im, array)) return value;
    Shape s = shape_copy(c, array);
    Shape to = shape_copy(c, value);
    if (s.rank - 1 + leading != to.rank) return value;
    for (int i = leading; i < to.rank; i++) to.dims[i] = s.dims[i + 1 - leading];
    return make_reshape(c, value, &to);
}

/* TensorArrayGradV3 (handle, flow) -> handle, flow */
bool import_array_gradient(Import *c) {
    if (!is_handle(c)) return false;
    ListInfo of = *list_find(c->im, c->in[0]);
    c->out[0] = list_new(c, of.count, of.dtype, &of.element);
    if (failed(c->out[0])) return false;
    ListInfo *handle = list_find(c->im, c->out[0]);
    handle->handle = handle->gradient = true;
    handle->dynamic = of.dynamic;
    c->out[1] = flow_of(c, 1);
    c->n_out = 2;
    return !failed(c->out[1]);
}

static const TfNode *node_behind(const TfFunction *f, TfInput t) {
    for (uint32_t step = 0; step <= f->body.n_nodes && !(t.node & TF_ARG); step++) {
        const TfNode *n = &f->body.nodes[t.node];
        if (strcmp(n->op, "Identity") != 0 || n->n_inputs < 1) return n;
        t = n->inputs[0];
    }
    return NULL;
}

static bool is_sum(const TfNode *n) {
    return strcmp(n->op, "AddV2") == 0 || strcmp(n->op, "Add") == 0 || strcmp(n->op, "AddN") == 0;
}

/* Whether a sum has an array that was written to among its terms; looks at as many nodes as *left says. */
static bool is_written(const TfFunction *f, TfInput from, int *left) {
    const TfNode *n = node_behind(f, from);
    if (!n || --*left < 0) return false;
    if (strncmp(n->op, "TensorArray", 11) == 0)
        return strncmp(n->op + 11, "Write", 5) == 0 || strncmp(n->op + 11, "Scatter", 7) == 0 ||
               strncmp(n->op + 11, "Split", 5) == 0;
    for (uint32_t i = 0; is_sum(n) && i < n->n_inputs; i++)
        if (is_written(f, n->inputs[i], left)) return true;
    return false;
}

bool array_is_summed(const TfFunction *f, uint32_t i) {
    int left = 64;
    const TfNode *n = node_behind(f, f->results[i]);
    return n && is_sum(n) && is_written(f, f->results[i], &left);
}

static bool grows(const Import *c) {
    return list_find(c->im, c->in[0])->dynamic;
}

/* (handle, index, value, flow) -> flow */
bool import_array_write(Import *c) {
    if (!is_handle(c)) return false;
    ValueId array = target(c, 3);
    return give(c, list_set(c, array, c->in[1], written(c, array, c->in[2], 0), grows(c)));
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
    if (!is_handle(c)) return false;
    ValueId array = target(c, 3);
    return give(c, list_scatter(c, array, c->in[1], written(c, array, c->in[2], 1), grows(c)));
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
