/* tf.SequenceExample: the context is parsed like an Example; feature lists, sequences of features, become tensors with
   one dimension more. Three ops differ in how they are told the keys. */
#include "hostops/example.h"
#include <string.h>

/* A feature list that is asked for, with the bytes of it in each example (data NULL: absent). */
typedef struct {
    TfoptString key;
    int32_t dtype;
    bool may_miss;
    const int64_t *shape; /* dense: rank, then dims */
    TfoptString *bytes;
} List;

typedef struct {
    int32_t n_sparse, n_dense, n_ragged;
    List *lists; /* in this order */
    const TfoptTensor *serialized;
    int32_t first; /* result */
    bool lengths;  /* dense lists give their lengths too */
} Lists;

/* Finds the wanted lists of one example; the last of equal keys counts. */
static bool scan_lists(TfoptString example, Lists *r, int64_t e) {
    TfoptWire top = tfopt_wire(example);
    TfoptField f, entry, part;
    while (tfopt_wire_next(&top, &f)) {
        if (f.number != 2 || f.type != 2) continue;
        TfoptWire map = tfopt_wire(f.bytes);
        while (tfopt_wire_next(&map, &entry)) {
            if (entry.number != 1 || entry.type != 2) continue;
            TfoptWire pair = tfopt_wire(entry.bytes);
            TfoptString key = {"", 0}, value = {"", 0};
            while (tfopt_wire_next(&pair, &part)) {
                if (part.number == 1 && part.type == 2) key = part.bytes;
                if (part.number == 2 && part.type == 2) value = part.bytes;
            }
            if (pair.bad) return false;
            for (int32_t i = 0; i < r->n_sparse + r->n_dense + r->n_ragged; i++) {
                if (r->lists[i].key.size == key.size && memcmp(r->lists[i].key.data, key.data, key.size) == 0)
                    r->lists[i].bytes[e] = value;
            }
        }
        if (map.bad) return false;
    }
    return !top.bad;
}

/* Goes through the features of a list. */
typedef struct {
    TfoptWire wire;
    TfoptString values; /* of the feature at hand; count of them */
    int64_t count;
    bool bad;
} Walk;

static Walk walk(const List *l, int64_t e) {
    return (Walk){.wire = tfopt_wire(l->bytes[e].data ? l->bytes[e] : (TfoptString){"", 0})};
}

static bool walk_next(Walk *w, const List *l) {
    TfoptField f;
    while (tfopt_wire_next(&w->wire, &f)) {
        if (f.number != 1 || f.type != 2) continue;
        int32_t dtype;
        w->values = (TfoptString){"", 0};
        w->bad = !tfopt_feature_list(f.bytes, &dtype, &w->values) || (dtype != TFOPT_INVALID && dtype != l->dtype);
        w->count = w->bad || dtype == TFOPT_INVALID ? 0 : tfopt_read_list(w->values, dtype, NULL, 0, 0);
        w->bad = w->bad || w->count < 0;
        return !w->bad;
    }
    w->bad = w->bad || w->wire.bad;
    return false;
}

/* Steps and values of one list over all examples. */
typedef struct {
    int64_t steps, values, most_steps, most_values;
} Extent;

static int32_t measure(TfoptHostCall *call, const List *l, int64_t n, Extent *out) {
    *out = (Extent){0};
    for (int64_t e = 0; e < n; e++) {
        Walk w = walk(l, e);
        int64_t steps = 0;
        for (; walk_next(&w, l); steps++) {
            out->values += w.count;
            if (w.count > out->most_values) out->most_values = w.count;
        }
        if (w.bad)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                                   "Feature list: %.*s (example %lld): Data types don't match, or bad bytes",
                                   (int)(l->key.size < 80 ? l->key.size : 80), l->key.data, (long long)e);
        out->steps += steps;
        if (steps > out->most_steps) out->most_steps = steps;
    }
    return TFOPT_OK;
}

static int32_t write_sparse(TfoptHostCall *call, const Lists *r, int32_t k) {
    const List *l = &r->lists[k];
    const int64_t n = tfopt_elements(r->serialized);
    const bool batch = r->serialized->rank > 0;
    Extent x;
    const int32_t status = measure(call, l, n, &x);
    if (status != TFOPT_OK) return status;
    const int64_t dims[2] = {x.values, batch ? 3 : 2};
    int64_t *indices = tfopt_host_output(call, r->first + k, 2, dims),
            *shape = tfopt_output_1d(call, r->first + 2 * r->n_sparse + k, dims[1]);
    if (!indices || !shape || !tfopt_output_1d(call, r->first + r->n_sparse + k, x.values))
        return tfopt_no_memory(call);
    const TfoptTensor *values = &call->outputs[r->first + r->n_sparse + k];
    int64_t at = 0;
    for (int64_t e = 0; e < n; e++) {
        Walk w = walk(l, e);
        for (int64_t step = 0; walk_next(&w, l); step++) {
            if (w.count) tfopt_read_list(w.values, l->dtype, values, at, w.count);
            at += w.count;
            for (int64_t i = 0; i < w.count; i++) {
                if (batch) *indices++ = e;
                *indices++ = step;
                *indices++ = i;
            }
        }
    }
    if (batch) *shape++ = n;
    shape[0] = x.most_steps;
    shape[1] = x.most_values;
    return TFOPT_OK;
}

/* Every feature of a dense list must have as many values as its shape; shorter lists are filled with zeros. */
static int32_t write_dense(TfoptHostCall *call, const Lists *r, int32_t d) {
    const List *l = &r->lists[r->n_sparse + d];
    const int64_t n = tfopt_elements(r->serialized), *shape = l->shape;
    const bool batch = r->serialized->rank > 0;
    const int32_t result = r->first + 3 * r->n_sparse + d;
    int64_t dims[TFOPT_MAX_RANK], inner = 1;
    int32_t rank = 0;
    Extent x;
    const int32_t status = measure(call, l, n, &x);
    if (status != TFOPT_OK) return status;
    if (shape[0] + 2 > TFOPT_MAX_RANK) return tfopt_invalid(call, "feature_list_dense_shapes have too many dimensions");
    if (batch) dims[rank++] = n;
    dims[rank++] = x.most_steps;
    for (int64_t i = 0; i < shape[0]; i++) {
        if (shape[i + 1] < 0) return tfopt_invalid(call, "feature_list_dense_shapes must be known");
        inner *= shape[i + 1];
        dims[rank++] = shape[i + 1];
    }
    if (!tfopt_host_output(call, result, rank, dims)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[result];
    int64_t *lengths = NULL;
    if (r->lengths) {
        const int32_t at = result + r->n_dense;
        lengths = batch ? tfopt_output_1d(call, at, n) : tfopt_output_scalar(call, at);
        if (!lengths) return tfopt_no_memory(call);
    }
    if (l->dtype == TFOPT_STRING) {
        for (int64_t i = 0; i < tfopt_elements(out); i++) ((TfoptString *)out->data)[i] = (TfoptString){"", 0};
    } else if (tfopt_elements(out) > 0) {
        memset(out->data, 0, (size_t)tfopt_elements(out) * tfopt_dtype_bytes(out->dtype));
    }
    for (int64_t e = 0; e < n; e++) {
        int64_t step = 0;
        if (!l->bytes[e].data && !l->may_miss)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                                   "Feature list '%.*s' is required but could not be found (example %lld)",
                                   (int)(l->key.size < 80 ? l->key.size : 80), l->key.data, (long long)e);
        for (Walk w = walk(l, e); walk_next(&w, l); step++) {
            if (w.count != inner)
                return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                                       "Feature list '%.*s', index %lld: %lld values where the shape has %lld",
                                       (int)(l->key.size < 80 ? l->key.size : 80), l->key.data, (long long)step,
                                       (long long)w.count, (long long)inner);
            if (w.count) tfopt_read_list(w.values, l->dtype, out, (e * x.most_steps + step) * inner, inner);
        }
        if (lengths) lengths[e] = step;
    }
    return TFOPT_OK;
}

/* Values, splits of the examples, splits of the steps. */
static int32_t write_ragged(TfoptHostCall *call, const Lists *r, int32_t g) {
    const List *l = &r->lists[r->n_sparse + r->n_dense + g];
    const int64_t n = tfopt_elements(r->serialized);
    const int32_t values = r->first + 3 * r->n_sparse + (r->lengths ? 2 : 1) * r->n_dense + g,
                  outer = values + r->n_ragged, inner = outer + r->n_ragged;
    Extent x;
    const int32_t status = measure(call, l, n, &x);
    if (status != TFOPT_OK) return status;
    if (!tfopt_output_1d(call, values, x.values) || !tfopt_output_1d(call, outer, n + 1) ||
        !tfopt_output_1d(call, inner, x.steps + 1))
        return tfopt_no_memory(call);
    int64_t at = 0, step = 0;
    tfopt_set_int(&call->outputs[outer], 0, 0);
    tfopt_set_int(&call->outputs[inner], 0, 0);
    for (int64_t e = 0; e < n; e++) {
        for (Walk w = walk(l, e); walk_next(&w, l);) {
            if (w.count) tfopt_read_list(w.values, l->dtype, &call->outputs[values], at, w.count);
            at += w.count;
            tfopt_set_int(&call->outputs[inner], ++step, at);
        }
        tfopt_set_int(&call->outputs[outer], e + 1, step);
    }
    return TFOPT_OK;
}

/* Types and shapes by the attributes, bytes by a scan, then the results. */
static int32_t parse_lists(TfoptHostCall *call, Lists *r) {
    const TfoptAttr *types[3] = {tfopt_call_attr(call, "feature_list_sparse_types"),
                                 tfopt_call_attr(call, "feature_list_dense_types"),
                                 tfopt_call_attr(call, "feature_list_ragged_value_types")},
                    *shapes = tfopt_call_attr(call, "feature_list_dense_shapes");
    const int32_t counts[3] = {r->n_sparse, r->n_dense, r->n_ragged};
    const int64_t n = tfopt_elements(r->serialized);
    for (int32_t g = 0, k = 0; g < 3; g++) {
        if (counts[g] && (!types[g] || types[g]->n != counts[g]))
            return tfopt_invalid(call, "attributes and inputs do not fit");
        for (int32_t i = 0; i < counts[g]; i++, k++) {
            r->lists[k].dtype = (int32_t)types[g]->v.ints[i];
            r->lists[k].bytes = tfopt_call_zeroed(call, n + 1, sizeof *r->lists[k].bytes);
            if (!r->lists[k].bytes) return tfopt_no_memory(call);
        }
    }
    for (int32_t k = 0, at = 0; k < r->n_dense; k++) {
        if (!shapes || at >= shapes->n || shapes->v.ints[at] < 0 || at + 1 + shapes->v.ints[at] > shapes->n)
            return tfopt_invalid(call, "feature_list_dense_shapes must have known ranks");
        r->lists[r->n_sparse + k].shape = shapes->v.ints + at;
        at += 1 + (int32_t)shapes->v.ints[at];
    }
    for (int64_t e = 0; e < n; e++) {
        if (!scan_lists(tfopt_strings(r->serialized)[e], r, e))
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "Could not parse example input %lld", (long long)e);
    }
    int32_t status = TFOPT_OK;
    for (int32_t k = 0; k < r->n_sparse && status == TFOPT_OK; k++) status = write_sparse(call, r, k);
    for (int32_t k = 0; k < r->n_dense && status == TFOPT_OK; k++) status = write_dense(call, r, k);
    for (int32_t k = 0; k < r->n_ragged && status == TFOPT_OK; k++) status = write_ragged(call, r, k);
    return status;
}

static const TfoptExampleAttrs context_attrs = {"context_sparse_types", "Tcontext_dense", "context_ragged_value_types",
                                                "context_dense_shapes"};

/* Both halves; context and lists have their keys. */
static int32_t parse(TfoptHostCall *call, TfoptRequest *context, Lists *lists) {
    lists->first = 3 * context->n_sparse + context->n_dense + 2 * context->n_ragged;
    lists->serialized = context->serialized;
    const int32_t results =
        lists->first + 3 * lists->n_sparse + (lists->lengths ? 2 : 1) * lists->n_dense + 3 * lists->n_ragged;
    if (context->serialized->rank > 1 || context->serialized->dtype != TFOPT_STRING || results != call->n_outputs)
        return tfopt_invalid(call, "attributes and inputs do not fit");
    const int32_t status = tfopt_parse_request(call, context, &context_attrs);
    return status == TFOPT_OK ? parse_lists(call, lists) : status;
}

/* Memory for the keys, whose counts are set. */
static bool reserve(TfoptHostCall *call, TfoptRequest *context, Lists *lists) {
    const int64_t n = (int64_t)context->n_sparse + context->n_dense + context->n_ragged,
                  m = (int64_t)lists->n_sparse + lists->n_dense + lists->n_ragged;
    context->features = tfopt_call_zeroed(call, n + 1, sizeof *context->features);
    lists->lists = tfopt_call_zeroed(call, m + 1, sizeof *lists->lists);
    return context->features && lists->lists;
}

static bool same(TfoptString a, TfoptString b) {
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* (serialized, names, keys of the context: sparse, dense, ragged; keys of lists: sparse, dense, ragged; which dense
   lists may miss; defaults…) */
int32_t tfopt_host_parse_sequence_example_v2(TfoptHostCall *call) {
    if (call->n_inputs < 9) return tfopt_invalid(call, "inputs are missing");
    TfoptRequest *context = tfopt_call_zeroed(call, 1, sizeof *context);
    if (!context) return tfopt_no_memory(call);
    const TfoptTensor *keys = &call->inputs[2], *may_miss = &call->inputs[8];
    for (int i = 0; i < 6; i++) {
        if (keys[i].dtype != TFOPT_STRING || tfopt_elements(&keys[i]) > 65536)
            return tfopt_invalid(call, "keys must be strings");
    }
    Lists lists = {(int32_t)tfopt_elements(&keys[3]), (int32_t)tfopt_elements(&keys[4]),
                   (int32_t)tfopt_elements(&keys[5]), .lengths = true};
    context->serialized = &call->inputs[0];
    context->n_sparse = (int32_t)tfopt_elements(&keys[0]);
    context->n_dense = (int32_t)tfopt_elements(&keys[1]);
    context->n_ragged = (int32_t)tfopt_elements(&keys[2]);
    context->defaults = &call->inputs[9];
    if (call->n_inputs != 9 + context->n_dense || tfopt_elements(may_miss) != lists.n_dense)
        return tfopt_invalid(call, "one default is needed for each dense key of the context");
    if (!reserve(call, context, &lists)) return tfopt_no_memory(call);
    int32_t n = 0;
    for (int32_t g = 0; g < 3; g++) {
        for (int64_t i = 0; i < tfopt_elements(&keys[g]); i++) context->features[n++].key = tfopt_strings(&keys[g])[i];
    }
    n = 0;
    for (int32_t g = 3; g < 6; g++) {
        for (int64_t i = 0; i < tfopt_elements(&keys[g]); i++, n++) {
            lists.lists[n].key = tfopt_strings(&keys[g])[i];
            lists.lists[n].may_miss = g == 4 && tfopt_int_at(may_miss, i) != 0;
        }
    }
    return parse(call, context, &lists);
}

/* Element i of a list of strings in an attribute. */
static int32_t attr_strings(const TfoptHostCall *call, const char *name, const TfoptString **out) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    *out = a && a->kind == TFOPT_ATTR_STRINGS ? a->v.strings : NULL;
    return *out ? a->n : 0;
}

/* (serialized, names, defaults…); keys are attributes */
int32_t tfopt_host_parse_sequence_example(TfoptHostCall *call) {
    const TfoptString *sparse, *dense, *list_sparse, *list_dense, *missing;
    TfoptRequest *context = tfopt_call_zeroed(call, 1, sizeof *context);
    if (!context || call->n_inputs < 2) return tfopt_no_memory(call);
    context->serialized = &call->inputs[0];
    context->n_sparse = attr_strings(call, "context_sparse_keys", &sparse);
    context->n_dense = attr_strings(call, "context_dense_keys", &dense);
    context->defaults = &call->inputs[2];
    Lists lists = {.lengths = true};
    lists.n_sparse = attr_strings(call, "feature_list_sparse_keys", &list_sparse);
    lists.n_dense = attr_strings(call, "feature_list_dense_keys", &list_dense);
    const int32_t n_missing = attr_strings(call, "feature_list_dense_missing_assumed_empty", &missing);
    if (call->n_inputs != 2 + context->n_dense)
        return tfopt_invalid(call, "one default is needed for each dense key of the context");
    if (!reserve(call, context, &lists)) return tfopt_no_memory(call);
    for (int32_t i = 0; i < context->n_sparse; i++) context->features[i].key = sparse[i];
    for (int32_t i = 0; i < context->n_dense; i++) context->features[context->n_sparse + i].key = dense[i];
    for (int32_t i = 0; i < lists.n_sparse; i++) lists.lists[i].key = list_sparse[i];
    for (int32_t i = 0; i < lists.n_dense; i++) {
        List *l = &lists.lists[lists.n_sparse + i];
        l->key = list_dense[i];
        for (int32_t k = 0; k < n_missing; k++) l->may_miss = l->may_miss || same(missing[k], l->key);
    }
    return parse(call, context, &lists);
}

/* (serialized, keys that may miss, keys of the context: sparse…, dense…; keys of lists: sparse…, dense…; defaults…,
 * name) */
int32_t tfopt_host_parse_single_sequence_example(TfoptHostCall *call) {
    static const char *const names[4] = {"Ncontext_sparse", "Ncontext_dense", "Nfeature_list_sparse",
                                         "Nfeature_list_dense"};
    int32_t n[4], keys = 0;
    for (int i = 0; i < 4; i++) {
        const int64_t v = tfopt_call_int(call, names[i], 0);
        if (v < 0 || v > call->n_inputs) return tfopt_invalid(call, "attributes and inputs do not fit");
        keys += n[i] = (int32_t)v;
    }
    if (call->n_inputs != 3 + keys + n[1]) return tfopt_invalid(call, "attributes and inputs do not fit");
    TfoptRequest *context = tfopt_call_zeroed(call, 1, sizeof *context);
    if (!context) return tfopt_no_memory(call);
    const TfoptTensor *missing = &call->inputs[1], *key = &call->inputs[2];
    for (int32_t i = 0; i < keys; i++) {
        if (key[i].dtype != TFOPT_STRING || tfopt_elements(&key[i]) != 1)
            return tfopt_invalid(call, "keys must be strings");
    }
    context->serialized = &call->inputs[0];
    context->n_sparse = n[0];
    context->n_dense = n[1];
    context->defaults = key + keys;
    Lists lists = {n[2], n[3], 0, .lengths = false};
    if (!reserve(call, context, &lists)) return tfopt_no_memory(call);
    for (int32_t i = 0; i < n[0] + n[1]; i++) context->features[i].key = tfopt_strings(key++)[0];
    for (int32_t i = 0; i < n[2] + n[3]; i++) {
        List *l = &lists.lists[i];
        l->key = tfopt_strings(key++)[0];
        for (int64_t k = 0; i >= n[2] && k < tfopt_elements(missing); k++)
            l->may_miss = l->may_miss || same(tfopt_strings(missing)[k], l->key);
    }
    return parse(call, context, &lists);
}
