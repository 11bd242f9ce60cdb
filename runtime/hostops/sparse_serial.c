/* Sparse tensors as three serialised tensors (indices, values, shape): SerializeSparse, SerializeManySparse and back.
 */
#include "hostops/sparse.h"
#include "hostops/tensor_proto.h"
#include <string.h>

/* Three strings from `out` on. */
static int32_t write_parts(TfoptHostCall *call, const TfoptTensor *parts, TfoptString *out) {
    int32_t status = TFOPT_OK;
    for (int i = 0; i < 3 && status == TFOPT_OK; i++)
        status = tfopt_tensor_serialize(call, &parts[i], TFOPT_STRING_CONTENT, &out[i]);
    return status;
}

int32_t tfopt_host_serialize_sparse(TfoptHostCall *call) {
    TfoptSparse s;
    const int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    TfoptString *out = tfopt_output_1d(call, 0, 3);
    return out ? write_parts(call, call->inputs, out) : tfopt_no_memory(call);
}

/* One row of strings for each entry of the first dimension. */
int32_t tfopt_host_serialize_many_sparse(TfoptHostCall *call) {
    TfoptSparse s;
    int32_t status = tfopt_sparse_read(call, 0, &s);
    if (status != TFOPT_OK) return status;
    if (s.rank < 2) return tfopt_invalid(call, "Rank of input SparseTensor should be > 1");
    const int64_t dims[2] = {s.shape[0], 3}, rest = s.rank - 1;
    const uint64_t size = tfopt_dtype_bytes(s.values->dtype);
    TfoptString *out = tfopt_host_output(call, 0, 2, dims);
    int64_t *indices = tfopt_call_alloc(call, s.n * rest + 1, sizeof *indices);
    if (!out || !indices) return tfopt_no_memory(call);
    for (int64_t row = 0, from = 0; row < dims[0]; row++) {
        int64_t n = 0;
        for (; from + n < s.n && s.indices[(from + n) * s.rank] == row; n++)
            memcpy(indices + n * rest, s.indices + (from + n) * s.rank + 1, (size_t)rest * sizeof *indices);
        const TfoptTensor parts[3] = {
            {.data = indices, .dtype = TFOPT_S64, .rank = 2, .dims = {n, rest}},
            {.data = (char *)s.values->data + (uint64_t)from * size, .dtype = s.values->dtype, .rank = 1, .dims = {n}},
            {.data = (void *)(uintptr_t)(s.shape + 1), .dtype = TFOPT_S64, .rank = 1, .dims = {rest}}};
        status = write_parts(call, parts, out + 3 * row);
        if (status != TFOPT_OK) return status;
        from += n;
    }
    return TFOPT_OK;
}

/* Strings [..., 3]: the dimensions before the last are put in front of those of the sparse tensors, whose sizes become
   the largest of all. */
int32_t tfopt_host_deserialize_sparse(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int32_t dtype = call->outputs[1].dtype, lead = t->rank - 1;
    if (t->rank < 1 || t->dims[lead] != 3 || t->dtype != TFOPT_STRING)
        return tfopt_invalid(call, "Serialized sparse should have 3 as the last dimension");
    const int64_t count = tfopt_dims_product(t->dims, 0, lead);
    TfoptTensor *parts = tfopt_call_alloc(call, 3 * count + 1, sizeof *parts);
    if (!parts) return tfopt_no_memory(call);
    int64_t total = 0, sizes[TFOPT_MAX_RANK];
    int32_t rank = 0;
    if (count == 0) return tfopt_invalid(call, "there is no serialised sparse tensor to tell the rank by");
    for (int64_t i = 0; i < count; i++) {
        TfoptTensor *part = &parts[3 * i];
        for (int k = 0; k < 3; k++) {
            const int32_t status =
                tfopt_tensor_parse(call, tfopt_strings(t)[3 * i + k], k == 1 ? dtype : TFOPT_S64, -1, &part[k]);
            if (status != TFOPT_OK) return status;
        }
        if (part[0].rank != 2 || part[1].rank != 1 || part[2].rank != 1 || part[0].dims[0] != part[1].dims[0] ||
            part[0].dims[1] != part[2].dims[0] || part[2].dims[0] + lead > TFOPT_MAX_RANK)
            return tfopt_invalid(call, "a serialised tensor is no sparse tensor");
        if (i > 0 && part[2].dims[0] != rank) return tfopt_invalid(call, "Inconsistent rank across SparseTensors");
        rank = (int32_t)part[2].dims[0];
        for (int32_t k = 0; k < rank; k++) {
            const int64_t size = tfopt_int_at(&part[2], k);
            if (i == 0 || size > sizes[k]) sizes[k] = size;
        }
        total += part[1].dims[0];
    }
    const int64_t dims[2] = {total, lead + rank};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, lead + rank);
    if (!indices || !shape || !tfopt_output_1d(call, 1, total)) return tfopt_no_memory(call);
    for (int32_t k = 0; k < lead + rank; k++) shape[k] = k < lead ? t->dims[k] : sizes[k - lead];
    for (int64_t i = 0, at = 0; i < count; i++) {
        const TfoptTensor *part = &parts[3 * i];
        for (int64_t j = 0; j < part[1].dims[0]; j++, at++, indices += lead + rank) {
            int64_t rest = i;
            for (int32_t k = lead - 1; k >= 0; k--) {
                indices[k] = rest % t->dims[k];
                rest /= t->dims[k];
            }
            if (rank) memcpy(indices + lead, (int64_t *)part[0].data + j * rank, (size_t)rank * sizeof *indices);
            tfopt_copy_element(&call->outputs[1], at, &part[1], j);
        }
    }
    return TFOPT_OK;
}
