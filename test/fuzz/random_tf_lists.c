/* random_tf_lists: tensor lists and TensorArrays, filled one by one or by a loop, and read back. */
#include "random_tf_control.h"

#include <string.h>

enum { MOST_ITEMS = 4 };

typedef struct {
    TfInput handle, flow; /* flow: of a TensorArray */
    bool array;
    DType dtype;
    int64_t n;
    TfTensor item; /* what an item is like */
    TfTensor shape;
} List;

static TfTensor int_scalar(TfMaker *m, int64_t v) {
    return tf_ints(m, DTYPE_S32, 0, 1, &v);
}

/* The items' shape: all of it, with unknown sizes, or nothing. */
static TfTensor shape_of_items(TfMaker *m, const TfTensor *item) {
    int64_t dims[MAX_RANK];
    if (random_chance(m->r, 15)) return int_scalar(m, -1);
    for (int k = 0; k < item->rank; k++)
        dims[k] = item->sizes[0][k] != item->sizes[1][k] || random_chance(m->r, 15) ? -1 : item->sizes[0][k];
    return tf_ints(m, DTYPE_S32, 1, item->rank, dims);
}

static TfInput item_attrs_node(TfMaker *m, const char *op, uint32_t n, const TfInput *in, DType t) {
    TfAttr a[] = {tf_of_type("element_dtype", t), tf_of_type("shape_type", DTYPE_S32), tf_of_int("num_elements", -1)};
    bool stack = strcmp(op, "TensorListStack") == 0,
         shaped = strstr(op, "Reserve") || strstr(op, "Empty") || strstr(op, "FromTensor") || strstr(op, "ConcatV2");
    if (stack) a[1] = a[2];
    return (TfInput){tf_push(m, op, n, in, stack || shaped ? 2 : 1, a), 0};
}

static void store(TfMaker *m, List *l, TfInput index, TfInput value) {
    if (l->array) {
        TfAttr a = tf_of_type("T", l->dtype);
        l->flow =
            (TfInput){tf_push(m, "TensorArrayWriteV3", 4, (TfInput[]){l->handle, index, value, l->flow}, 1, &a), 0};
    } else {
        l->handle = item_attrs_node(m, "TensorListSetItem", 3, (TfInput[]){l->handle, index, value}, l->dtype);
    }
}

static bool read_back(TfMaker *m, List *l, uint32_t first) {
    int64_t how = random_below(m->r, 10), indexes[3];
    TfInput at = int_scalar(m, random_below(m->r, l->n)).at, out;
    int64_t n = random_between(m->r, 0, 3);
    for (int64_t i = 0; i < n; i++) indexes[i] = random_below(m->r, l->n);
    TfInput rows = tf_ints(m, DTYPE_S32, 1, n, indexes).at;
    if (l->array) {
        int64_t all[MOST_ITEMS];
        for (int64_t i = 0; i < l->n; i++) all[i] = i;
        if (how > 3) rows = tf_ints(m, DTYPE_S32, 1, l->n, all).at;
        TfAttr a[] = {tf_of_type("dtype", l->dtype)};
        if (how == 0)
            out = (TfInput){tf_push(m, "TensorArraySizeV3", 2, (TfInput[]){l->handle, l->flow}, 0, NULL), 0};
        else if (how == 1)
            out = (TfInput){tf_push(m, "TensorArrayReadV3", 3, (TfInput[]){l->handle, at, l->flow}, 1, a), 0};
        else if (how == 2 && l->item.rank > 0)
            out = (TfInput){tf_push(m, "TensorArrayConcatV3", 2, (TfInput[]){l->handle, l->flow}, 1, a), 0};
        else
            out = (TfInput){tf_push(m, "TensorArrayGatherV3", 3, (TfInput[]){l->handle, rows, l->flow}, 1, a), 0};
    } else if (how == 0) {
        out = (TfInput){tf_push(m, "TensorListLength", 1, &l->handle, 0, NULL), 0};
    } else if (how == 1) {
        out = item_attrs_node(m, "TensorListGetItem", 3, (TfInput[]){l->handle, at, l->shape.at}, l->dtype);
    } else if (how == 2) {
        out = item_attrs_node(m, "TensorListGather", 3, (TfInput[]){l->handle, rows, l->shape.at}, l->dtype);
    } else if (how == 3) {
        TfInput last = item_attrs_node(m, "TensorListPopBack", 2, (TfInput[]){l->handle, l->shape.at}, l->dtype);
        out = (TfInput){last.node, 1};
    } else if (how == 4 && l->item.rank > 0) {
        TfInput leading = tf_ints(m, DTYPE_S64, 1, 0, indexes).at;
        out = item_attrs_node(m, "TensorListConcatV2", 3, (TfInput[]){l->handle, l->shape.at, leading}, l->dtype);
    } else {
        out = item_attrs_node(m, "TensorListStack", 2, (TfInput[]){l->handle, l->shape.at}, l->dtype);
    }
    TfTensor result = {0};
    if (!tf_evaluate(m, 1, &out, &result)) {
        tf_take_back(m, first);
        return false;
    }
    tf_keep(m, result, "list");
    return true;
}

/* ---- loops: a turn computes an item and stores it */

static bool fill_in_loop(TfMaker *m, List *l) {
    enum { OWN = 4 };
    int64_t zero = 0, one = 1, limit = random_between(m->r, l->n > 1, l->n);
    Tensor false_value = tensor_scalar_i64(m->arena, DTYPE_BOOL, 0);
    /* Counter, handle, flow (stand-ins while the body is made), something of the caller. */
    TfTensor own[OWN] = {tf_ints(m, DTYPE_S32, 0, 1, &zero), tf_constant(m, &false_value), tf_constant(m, &false_value),
                         l->item};
    TfInput test[2] = {0}, results[TF_MOST_ARGUMENTS + 1];
    static const DType test_type[] = {DTYPE_BOOL, DTYPE_NONE};
    TfMaker *condition = tf_begin_body(m, OWN, own), *body = tf_begin_body(m, OWN, own);
    if (!condition || !body) return false;
    TfInput two[2] = {condition->pool.data[0].at, tf_ints(condition, DTYPE_S32, 0, 1, &limit).at};
    TfAttr int_type = tf_of_type("T", DTYPE_S32);
    test[0] = (TfInput){tf_push(condition, "Less", 2, two, 1, &int_type), 0};
    TfInput counter = body->pool.data[0].at, step[2] = {counter, tf_ints(body, DTYPE_S32, 0, 1, &one).at};
    List inside = *l;
    inside.handle = body->pool.data[1].at;
    inside.flow = body->pool.data[2].at;
    body->pool.data[1] = body->pool.data[3];
    body->pool.len = 2;
    tf_fill(body, (int)random_between(m->r, 1, 4));
    TfTensor value = random_chance(m->r, 85) ? tf_like(body, l->dtype, &l->item, false)
                                             : tf_pick(body, (char[]){dtype_letter(l->dtype), 0}, 0, 4);
    if (value.rank < 0 || value.dtype != l->dtype) return false;
    results[0] = (TfInput){tf_push(body, "AddV2", 2, step, 1, &int_type), 0};
    store(body, &inside, counter, value.at);
    results[1] = inside.handle;
    results[2] = inside.flow;
    results[3] = body->pool.data[1].at; /* passed through */
    TfArguments all = {.n = 0};
    tf_add_arguments(&all, condition, 0);
    uint32_t rest = all.n;
    tf_add_arguments(&all, body, OWN);
    if (all.n + 1 > TF_MOST_ARGUMENTS) return false;
    for (uint32_t i = OWN; i < all.n; i++) results[i] = (TfInput){TF_ARG | i, 0};
    all.at[1] = l->handle;
    all.dtypes[1] = l->array ? DTYPE_RESOURCE : DTYPE_VARIANT;
    if (l->array) {
        all.at[2] = l->flow;
        all.dtypes[2] = DTYPE_F32;
    }
    TfAttr a[] = {tf_of_dtypes(m, "T", all.n, all.dtypes),
                  tf_of_function("cond", tf_end_body(condition, &all, OWN, OWN, 1, test, test_type)),
                  tf_of_function("body", tf_end_body(body, &all, OWN, rest, all.n, results, all.dtypes)),
                  tf_of_int("parallel_iterations", 10)};
    TfInput out[TF_MOST_ARGUMENTS];
    tf_place(m, "While", all.at, all.n, 4, a, l->array ? 100 : 50, out);
    if (l->array)
        l->flow = out[2];
    else
        l->handle = out[1];
    return true;
}

/* Makes the list, stores into it, reads something back. */
static bool make_list(TfMaker *m, const char *op, bool array) {
    List l = {.array = array, .item = tf_pick(m, "FIUBFFS", 0, 3), .n = random_between(m->r, 1, MOST_ITEMS)};
    if (array && m->outer) return false;
    l.dtype = l.item.dtype;
    uint32_t first = m->nodes.len, frames = m->n_frames;
    l.shape = shape_of_items(m, &l.item);
    bool push = strcmp(op, "EmptyTensorList") == 0, good = true;
    TfInput size = int_scalar(m, push ? -1 : l.n).at;
    if (array) {
        TfShape shape = {.rank = random_chance(m->r, 40) ? -1 : l.item.rank};
        for (int k = 0; k < shape.rank; k++)
            shape.dims[k] = l.item.sizes[0][k] == l.item.sizes[1][k] ? l.item.sizes[0][k] : -1;
        TfAttr a[] = {tf_of_type("dtype", l.dtype),
                      {.name = "element_shape", .kind = TF_ATTR_SHAPE, .v.shape = shape},
                      tf_of_bool("dynamic_size", random_chance(m->r, 30)),
                      tf_of_bool("clear_after_read", random_chance(m->r, 50)),
                      tf_of_bool("identical_element_shapes", true),
                      tf_of_string("tensor_array_name", "")};
        uint32_t number = tf_push(m, op, 1, &size, 6, a);
        l.handle = (TfInput){number, 0};
        l.flow = (TfInput){number, 1};
    } else {
        l.handle = item_attrs_node(m, op, 2, (TfInput[]){l.shape.at, size}, l.dtype);
    }
    if (!push && m->depth < TF_MOST_DEPTH && random_chance(m->r, 50)) {
        good = fill_in_loop(m, &l);
    } else {
        for (int64_t i = 0; i < l.n && good; i++) {
            TfTensor value = random_chance(m->r, 90) ? tf_like(m, l.dtype, &l.item, false)
                                                     : tf_pick(m, (char[]){dtype_letter(l.dtype), 0}, 0, 3);
            good = value.rank >= 0 && value.dtype == l.dtype;
            if (push)
                l.handle = item_attrs_node(m, "TensorListPushBack", 2, (TfInput[]){l.handle, value.at}, l.dtype);
            else if (array || random_chance(m->r, 85))
                store(m, &l, int_scalar(m, i).at, value.at);
        }
    }
    good = good && read_back(m, &l, first);
    if (!good) {
        tf_take_back(m, first);
        m->n_frames = frames;
    }
    return good;
}

bool tf_make_list_reserve(TfMaker *m, const TfRow *row) {
    return make_list(m, row->op, false);
}

bool tf_make_array(TfMaker *m, const TfRow *row) {
    return strcmp(row->op, "TensorArrayV3") == 0 && make_list(m, row->op, true);
}

bool tf_make_list_from_tensor(TfMaker *m, const TfRow *row) {
    TfTensor x = tf_pick(m, "FIUBS", 1, 4);
    if (tf_least_size(&x, 0) < 1) return false;
    List l = {.dtype = x.dtype, .item = x, .n = tf_least_size(&x, 0)};
    uint32_t first = m->nodes.len, frames = m->n_frames;
    l.item.rank--;
    for (int k = 0; k < l.item.rank; k++) {
        for (int b = 0; b < N_BINDINGS; b++) l.item.sizes[b][k] = x.sizes[b][k + 1];
        l.item.known[k] = x.known[k + 1];
    }
    if (l.n > MOST_ITEMS) l.n = MOST_ITEMS;
    l.shape = shape_of_items(m, &l.item);
    l.handle = item_attrs_node(m, row->op, 2, (TfInput[]){x.at, l.shape.at}, l.dtype);
    if (random_chance(m->r, 30)) {
        TfTensor value = tf_like(m, l.dtype, &l.item, false);
        if (value.rank < 0) return false;
        store(m, &l, int_scalar(m, random_below(m->r, l.n)).at, value.at);
    }
    if (read_back(m, &l, first)) return true;
    m->n_frames = frames;
    return false;
}
