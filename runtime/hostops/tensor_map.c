/* tensor_map: TensorMap, a map from tensors to tensors that is never changed: what inserts or erases makes another map,
   which shares the tensors. Keys come in the order in which they were inserted. */
#include "hostops/variant.h"

#include <string.h>

static bool same_tensor(const TfoptTensor *a, const TfoptTensor *b) {
    if (a->dtype != b->dtype || !tfopt_same_dims(a, b)) return false;
    const int64_t n = tfopt_elements(a);
    if (a->dtype != TFOPT_STRING)
        return n == 0 || memcmp(a->data, b->data, (size_t)n * tfopt_dtype_bytes(a->dtype)) == 0;
    const TfoptString *x = a->data, *y = b->data;
    for (int64_t i = 0; i < n; i++)
        if (x[i].size != y[i].size || memcmp(x[i].data, y[i].data, x[i].size) != 0) return false;
    return true;
}

/* Where the key is; the number of parts when it is not there. */
static int64_t find(const TfoptObject *map, const TfoptTensor *key) {
    int64_t i = 0;
    while (i < map->n && !same_tensor(&map->parts[i], key)) i += 2;
    return i;
}

static const TfoptObject *map_in(TfoptHostCall *call) {
    return tfopt_object_at(call, &call->inputs[0], 0, TFOPT_OBJECT_MAP);
}

int32_t tfopt_host_tensor_map_empty(TfoptHostCall *call) {
    return tfopt_object_give(call, tfopt_object_new(call, TFOPT_OBJECT_MAP, 0));
}

/* (map, key, value) -> map */
int32_t tfopt_host_tensor_map_insert(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    const int64_t at = find(map, &call->inputs[1]);
    TfoptObject *o = tfopt_object_new(call, TFOPT_OBJECT_MAP, map->n + (at == map->n ? 2 : 0));
    if (!o) return tfopt_no_memory(call);
    memcpy(o->parts, map->parts, sizeof o->parts[0] * (size_t)map->n);
    for (int32_t i = 0; i < 2; i++)
        if (!tfopt_object_copy(call, &call->inputs[1 + i], 0, -1, &o->parts[at + i])) return tfopt_no_memory(call);
    return tfopt_object_give(call, o);
}

/* (map, key) -> map */
int32_t tfopt_host_tensor_map_erase(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    const int64_t at = find(map, &call->inputs[1]);
    if (at == map->n) return tfopt_invalid(call, "Trying to erase non-existent item.");
    TfoptObject *o = tfopt_object_new(call, TFOPT_OBJECT_MAP, map->n - 2);
    if (!o) return tfopt_no_memory(call);
    memcpy(o->parts, map->parts, sizeof o->parts[0] * (size_t)at);
    memcpy(o->parts + at, map->parts + at + 2, sizeof o->parts[0] * (size_t)(map->n - at - 2));
    return tfopt_object_give(call, o);
}

int32_t tfopt_host_tensor_map_has_key(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    uint8_t *out = tfopt_output_scalar(call, 0);
    if (!out) return tfopt_no_memory(call);
    *out = find(map, &call->inputs[1]) < map->n;
    return TFOPT_OK;
}

int32_t tfopt_host_tensor_map_size(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    int32_t *out = tfopt_output_scalar(call, 0);
    if (!out) return tfopt_no_memory(call);
    *out = (int32_t)(map->n / 2);
    return TFOPT_OK;
}

int32_t tfopt_host_tensor_map_lookup(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    const int64_t at = find(map, &call->inputs[1]);
    if (at == map->n) return tfopt_invalid(call, "Trying to lookup non-existent key.");
    return tfopt_object_take(call, &map->parts[at + 1], 0);
}

/* map -> its keys, which must have one shape, stacked */
int32_t tfopt_host_tensor_map_stack_keys(TfoptHostCall *call) {
    const TfoptObject *map = map_in(call);
    if (!map) return TFOPT_INVALID_ARGUMENT;
    if (map->n == 0) return tfopt_invalid(call, "TensorMapStackKeys called on empty map.");
    const TfoptTensor *first = &map->parts[0];
    const uint64_t size = tfopt_dtype_bytes(first->dtype);
    const int64_t n = tfopt_elements(first);
    if (first->rank == TFOPT_MAX_RANK) return tfopt_invalid(call, "too many dimensions");
    TfoptTensor all = {.dtype = first->dtype, .rank = first->rank + 1, .dims = {map->n / 2}};
    memcpy(all.dims + 1, first->dims, sizeof all.dims[0] * (size_t)first->rank);
    char *to = all.data = tfopt_call_alloc(call, map->n / 2, (uint64_t)n * size + 1);
    if (!to) return tfopt_no_memory(call);
    for (int64_t i = 0; i < map->n; i += 2, to += (uint64_t)n * size) {
        if (map->parts[i].dtype != first->dtype || !tfopt_same_dims(&map->parts[i], first))
            return tfopt_invalid(call, "Key shapes are not consistent.");
        memcpy(to, map->parts[i].data, (size_t)n * size);
    }
    return tfopt_object_take(call, &all, 0);
}
