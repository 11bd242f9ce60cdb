/* Tensors as TensorProto messages (tensor_proto.h): SerializeTensor and ParseTensor. */
#include "hostops/tensor_proto.h"
#include "hostops/wire.h"
#include <string.h>

/* TensorFlow's numbers of our element types. */
static const uint8_t proto_types[TFOPT_N_DTYPES] = {
    [TFOPT_F32] = 1,    [TFOPT_F64] = 2,  [TFOPT_S32] = 3,  [TFOPT_U8] = 4,    [TFOPT_S16] = 5,   [TFOPT_S8] = 6,
    [TFOPT_STRING] = 7, [TFOPT_C64] = 8,  [TFOPT_S64] = 9,  [TFOPT_BOOL] = 10, [TFOPT_BF16] = 14, [TFOPT_U16] = 17,
    [TFOPT_C128] = 18,  [TFOPT_F16] = 19, [TFOPT_U32] = 22, [TFOPT_U64] = 23};

static void add_varint(TfoptText *t, uint64_t v) {
    for (; v >= 128; v >>= 7) tfopt_text_char(t, (char)(v | 128));
    tfopt_text_char(t, (char)v);
}

/* Strings as TensorFlow packs them: all lengths, then all bytes. */
static void add_packed_strings(TfoptText *out, const TfoptTensor *t, int64_t n) {
    TfoptText content = {.call = out->call};
    for (int64_t i = 0; i < n; i++) add_varint(&content, tfopt_strings(t)[i].size);
    for (int64_t i = 0; i < n; i++) tfopt_text_add(&content, tfopt_strings(t)[i].data, tfopt_strings(t)[i].size);
    if (content.size) {
        tfopt_text_char(out, 0x22);
        add_varint(out, content.size);
        tfopt_text_add(out, content.data, content.size);
    }
    out->failed = out->failed || content.failed;
}

int32_t tfopt_tensor_serialize(TfoptHostCall *call, const TfoptTensor *t, TfoptStringForm form, TfoptString *result) {
    TfoptText out = {.call = call}, shape = {.call = call};
    if (!proto_types[t->dtype]) return tfopt_invalid(call, "this type cannot be serialised");
    for (int32_t i = 0; i < t->rank; i++) {
        TfoptText dim = {.call = call};
        if (t->dims[i]) {
            tfopt_text_char(&dim, 0x08);
            add_varint(&dim, (uint64_t)t->dims[i]);
        }
        tfopt_text_char(&shape, 0x12);
        add_varint(&shape, dim.size);
        tfopt_text_add(&shape, dim.data, dim.size);
    }
    tfopt_text_char(&out, 0x08);
    add_varint(&out, proto_types[t->dtype]);
    tfopt_text_char(&out, 0x12);
    add_varint(&out, shape.size);
    tfopt_text_add(&out, shape.data, shape.size);
    const int64_t n = tfopt_elements(t);
    if (t->dtype == TFOPT_STRING && form == TFOPT_STRING_CONTENT) {
        add_packed_strings(&out, t, n);
    } else if (t->dtype == TFOPT_STRING) {
        for (int64_t i = 0; i < n; i++) {
            tfopt_text_char(&out, 0x42);
            add_varint(&out, tfopt_strings(t)[i].size);
            tfopt_text_add(&out, tfopt_strings(t)[i].data, tfopt_strings(t)[i].size);
        }
    } else if (n) {
        tfopt_text_char(&out, 0x22);
        add_varint(&out, (uint64_t)n * tfopt_dtype_bytes(t->dtype));
        tfopt_text_add(&out, t->data, (uint64_t)n * tfopt_dtype_bytes(t->dtype));
    }
    if (out.failed || shape.failed) return tfopt_no_memory(call);
    *result = tfopt_text_take(&out);
    return TFOPT_OK;
}

int32_t tfopt_host_serialize_tensor(TfoptHostCall *call) {
    TfoptString *out = tfopt_output_scalar(call, 0);
    return out ? tfopt_tensor_serialize(call, &call->inputs[0], TFOPT_STRING_FIELDS, out) : tfopt_no_memory(call);
}

/* Which repeated field holds the values of a type, and how it is written: v varint, f fixed. */
static uint32_t value_field(int32_t dtype) {
    switch (dtype) {
    case TFOPT_F32:
        return 5;
    case TFOPT_F64:
        return 6;
    case TFOPT_S32:
    case TFOPT_S16:
    case TFOPT_S8:
    case TFOPT_U16:
    case TFOPT_U8:
        return 7;
    case TFOPT_STRING:
        return 8;
    case TFOPT_C64:
        return 9;
    case TFOPT_S64:
        return 10;
    case TFOPT_BOOL:
        return 11;
    case TFOPT_C128:
        return 12;
    case TFOPT_F16:
    case TFOPT_BF16:
        return 13;
    case TFOPT_U32:
        return 16;
    case TFOPT_U64:
        return 17;
    default:
        return 0;
    }
}

/* Stores the next number of a repeated field; complex ones come as two. */
static void store_number(const TfoptTensor *t, int64_t i, uint64_t v) {
    if (t->dtype == TFOPT_F32 || t->dtype == TFOPT_C64) {
        const uint32_t bits = (uint32_t)v;
        memcpy((char *)t->data + i * 4, &bits, 4);
    } else if (t->dtype == TFOPT_F64 || t->dtype == TFOPT_C128) {
        memcpy((char *)t->data + i * 8, &v, 8);
    } else if (t->dtype == TFOPT_F16 || t->dtype == TFOPT_BF16) {
        ((uint16_t *)t->data)[i] = (uint16_t)v;
    } else {
        tfopt_set_int(t, i, (int64_t)v);
    }
}

/* Packed strings; false where the bytes do not fit. */
static bool unpack_strings(TfoptString content, int64_t n, TfoptString *out) {
    TfoptWire w = tfopt_wire(content);
    for (int64_t i = 0; i < n; i++) {
        if (!tfopt_wire_varint(&w, &out[i].size)) return false;
    }
    for (int64_t i = 0; i < n; i++) {
        if (out[i].size > (uint64_t)(w.end - w.p)) return false;
        out[i].data = (const char *)w.p;
        w.p += out[i].size;
    }
    return w.p == w.end;
}

int32_t tfopt_tensor_parse(TfoptHostCall *call, TfoptString s, int32_t dtype, int32_t output, TfoptTensor *result) {
    int64_t dims[TFOPT_MAX_RANK], count = 1;
    int32_t rank = 0;
    uint64_t type = 0;
    TfoptString content = {NULL, 0};
    TfoptField f;
    TfoptWire w = tfopt_wire(s);
    while (tfopt_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 0) type = f.value;
        if (f.number == 4 && f.type == 2) content = f.bytes;
        if (f.number != 2 || f.type != 2) continue;
        TfoptWire shape = tfopt_wire(f.bytes);
        TfoptField d;
        while (tfopt_wire_next(&shape, &d)) {
            if (d.number != 2 || d.type != 2) continue;
            if (rank == TFOPT_MAX_RANK) return tfopt_invalid(call, "too many dimensions");
            TfoptWire dim = tfopt_wire(d.bytes);
            TfoptField part;
            dims[rank] = 0;
            while (tfopt_wire_next(&dim, &part)) {
                if (part.number == 1 && part.type == 0) dims[rank] = (int64_t)part.value;
            }
            if (dims[rank++] < 0 || dim.bad) return tfopt_invalid(call, "Could not parse `serialized` as TensorProto");
        }
        if (shape.bad) return tfopt_invalid(call, "Could not parse `serialized` as TensorProto");
    }
    if (w.bad) return tfopt_invalid(call, "Could not parse `serialized` as TensorProto");
    if (type != proto_types[dtype]) return tfopt_invalid(call, "Type mismatch between parsed tensor and dtype");
    for (int32_t k = 0; k < rank; k++) {
        if (__builtin_mul_overflow(count, dims[k], &count)) return tfopt_no_memory(call);
    }
    char *out = output >= 0 ? tfopt_output_1d(call, output, count)
                            : tfopt_call_alloc(call, count + 1, tfopt_dtype_bytes(dtype));
    if (!out) return tfopt_no_memory(call);
    *result = (TfoptTensor){.data = out, .dtype = dtype, .rank = rank};
    memcpy(result->dims, dims, (size_t)rank * sizeof *dims);
    const TfoptTensor *t = result;
    const int64_t n = count, numbers = n * (dtype == TFOPT_C64 || dtype == TFOPT_C128 ? 2 : 1);
    const uint64_t size = tfopt_dtype_bytes(dtype);
    memset(out, 0, (size_t)n * size);
    if (content.data) {
        if (dtype == TFOPT_STRING)
            return unpack_strings(content, n, (TfoptString *)out)
                       ? TFOPT_OK
                       : tfopt_invalid(call, "Could not parse `serialized` as TensorProto");
        if (content.size != (uint64_t)n * size)
            return tfopt_invalid(call, "Could not parse `serialized` as TensorProto");
        if (content.size) memcpy(out, content.data, content.size);
        return TFOPT_OK;
    }
    int64_t i = 0;
    const uint32_t field = value_field(dtype);
    w = tfopt_wire(s);
    while (tfopt_wire_next(&w, &f)) {
        if (f.number != field) continue;
        if (dtype == TFOPT_STRING) {
            if (f.type == 2 && i < n) ((TfoptString *)t->data)[i++] = f.bytes;
            continue;
        }
        TfoptWire packed = tfopt_wire(f.bytes);
        const uint64_t fixed = dtype == TFOPT_F32 || dtype == TFOPT_C64    ? 4
                               : dtype == TFOPT_F64 || dtype == TFOPT_C128 ? 8
                                                                           : 0;
        while (i < numbers && (f.type != 2 || packed.p < packed.end)) {
            uint64_t v = f.value;
            if (f.type == 2 && !fixed && !tfopt_wire_varint(&packed, &v)) break;
            if (f.type == 2 && fixed) {
                if ((uint64_t)(packed.end - packed.p) < fixed) break;
                v = 0;
                memcpy(&v, packed.p, fixed);
                packed.p += fixed;
            }
            store_number(t, i++, v);
            if (f.type != 2) break;
        }
    }
    /* The last value stands for all that follow. */
    const uint64_t unit = numbers != n ? size / 2 : size, pair = numbers != n ? 2 : 1;
    for (; i > 0 && i < numbers; i++)
        memcpy(out + (uint64_t)i * unit, out + (uint64_t)(i - (int64_t)pair) * unit, unit);
    return TFOPT_OK;
}

/* All elements as a vector, and the tensor's sizes. */
int32_t tfopt_host_parse_tensor(TfoptHostCall *call) {
    TfoptTensor t;
    const int32_t status = tfopt_tensor_parse(call, tfopt_strings(&call->inputs[0])[0], call->outputs[0].dtype, 0, &t);
    if (status != TFOPT_OK) return status;
    int64_t *dims = tfopt_output_1d(call, 1, t.rank);
    if (!dims) return tfopt_no_memory(call);
    memcpy(dims, t.dims, (size_t)t.rank * sizeof *dims);
    return TFOPT_OK;
}
